//! Documents to a [`Program`]: fields become numbers, equal predicates become one, rules that watch
//! groups of events become trackers.

use std::collections::HashMap;

use crate::condition::Expr;
use crate::finding::Kind;
use crate::index::Index;
use crate::logsource::{Route, route};
use crate::lookup::FieldId;
use crate::predicate::{Predicate, Test};
use crate::rule::{Body, Bounds, Correlation, Counted, Document, Extension};
use crate::sip::Sip;
use crate::window::{Measure, Window};

/// A rule set in the form it is evaluated in.
#[derive(Debug, Default)]
pub(crate) struct Program {
    pub(crate) fields: Vec<String>,
    pub(crate) predicates: Vec<Question>,
    pub(crate) matchers: Vec<Matcher>,
    pub(crate) trackers: Vec<Tracker>,
    pub(crate) index: Index,
}

/// A predicate with its fields resolved.
#[derive(Debug)]
pub(crate) struct Question {
    /// None: the whole text of the event.
    pub(crate) field: Option<FieldId>,
    /// The other field of `fieldref`.
    pub(crate) other: Option<FieldId>,
    pub(crate) test: Test,
    pub(crate) text: String,
}

/// A detection, and what is done with events that fit it.
#[derive(Debug)]
pub(crate) struct Matcher {
    /// Position of its document.
    pub(crate) document: usize,
    pub(crate) expr: Expr<u32>,
    /// Trackers it feeds: position, and the input of it.
    pub(crate) feeds: Vec<(usize, usize)>,
}

/// A rule that alerts: what it measures per group.
#[derive(Debug)]
pub(crate) struct Tracker {
    /// Position of its document.
    pub(crate) document: usize,
    pub(crate) kind: Kind,
    pub(crate) inputs: Vec<Input>,
    pub(crate) window: Window,
    pub(crate) bounds: Bounds,
    pub(crate) suppress_ms: i64,
    pub(crate) missing_one: bool,
    pub(crate) exclude: Option<Expr<u32>>,
    pub(crate) keys_max: usize,
    pub(crate) bytes_max: usize,
    /// Names the query, window and group: state outlives a reload where it is the same.
    pub(crate) state_key: u64,
}

/// Where one of a tracker's rules has the group and what is counted.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) group: Vec<Vec<FieldId>>,
    pub(crate) subject: Vec<FieldId>,
}

/// Groups a rule remembers where it does not say.
const KEYS_DEFAULT: u64 = 100_000;
/// Bytes of state of a rule where it does not say.
const BYTES_DEFAULT: u64 = 64 << 20;
/// Window of rules about one event: matches in it count as one alert.
const MATCH_SPAN_MS: u64 = 600_000;
/// Suppression of rules about one event, where they do not say.
const MATCH_SUPPRESS_MS: u64 = 3_600_000;
/// Lateness where a rule does not say.
const LATENESS_MS: u64 = 30_000;

/// Numbers given to fields and predicates.
#[derive(Default)]
pub(crate) struct Compiler {
    program: Program,
    fields: HashMap<String, FieldId>,
    predicates: HashMap<String, u32>,
    /// Document to matcher.
    matchers: HashMap<usize, usize>,
}

impl Compiler {
    /// Compiles documents whose references are all good; `bases` maps a correlation's names to documents.
    pub(crate) fn run(
        documents: &[Document],
        bases: &dyn Fn(&str) -> Option<usize>,
        routed: bool,
    ) -> Program {
        let mut compiler = Self::default();
        let mut silent = vec![false; documents.len()];
        for document in documents {
            if let Body::Correlation(correlation) = &document.body
                && !correlation.generate
            {
                for (_, name) in &correlation.rules {
                    if let Some(quiet) = bases(name).and_then(|i| silent.get_mut(i)) {
                        *quiet = true;
                    }
                }
            }
        }
        // A rule that one correlation wants loud is loud.
        for document in documents {
            if let Body::Correlation(correlation) = &document.body
                && correlation.generate
            {
                for (_, name) in &correlation.rules {
                    if let Some(quiet) = bases(name).and_then(|i| silent.get_mut(i)) {
                        *quiet = false;
                    }
                }
            }
        }
        for (position, document) in documents.iter().enumerate() {
            if let Body::Detection(detection) = &document.body {
                let expr = match if routed {
                    route(&detection.logsource)
                } else {
                    Route::Every
                } {
                    Route::Every => detection.expr.clone(),
                    Route::When(also) => Expr::And(vec![*also, detection.expr.clone()]),
                    Route::Never => continue,
                };
                let expr = compiler.expr(&expr);
                compiler
                    .matchers
                    .insert(position, compiler.program.matchers.len());
                compiler.program.matchers.push(Matcher {
                    document: position,
                    expr,
                    feeds: Vec::new(),
                });
            }
        }
        for (position, document) in documents.iter().enumerate() {
            match &document.body {
                Body::Detection(_) if silent.get(position) == Some(&true) => {}
                Body::Detection(_) => compiler.single(position, document),
                Body::Correlation(correlation) => {
                    compiler.correlation(position, document, correlation, bases);
                }
            }
        }
        compiler.program.index =
            Index::build(&compiler.program.matchers, &compiler.program.predicates);
        compiler.program
    }

    fn field(&mut self, name: &str) -> FieldId {
        if let Some(id) = self.fields.get(name) {
            return *id;
        }
        let id = FieldId(u32::try_from(self.program.fields.len()).unwrap_or(u32::MAX));
        self.program.fields.push(name.to_owned());
        self.fields.insert(name.to_owned(), id);
        id
    }

    fn expr(&mut self, expr: &Expr<Predicate>) -> Expr<u32> {
        expr.map(&mut |predicate| Expr::Is(self.predicate(predicate)))
    }

    fn predicate(&mut self, predicate: &Predicate) -> u32 {
        if let Some(id) = self.predicates.get(&predicate.text) {
            return *id;
        }
        let field = predicate.field.as_deref().map(|name| self.field(name));
        let other = match &predicate.test {
            Test::Field { other, .. } => Some(self.field(other)),
            _ => None,
        };
        let id = u32::try_from(self.program.predicates.len()).unwrap_or(u32::MAX);
        self.program.predicates.push(Question {
            field,
            other,
            test: predicate.test.clone(),
            text: predicate.text.clone(),
        });
        self.predicates.insert(predicate.text.clone(), id);
        id
    }

    fn groups(&mut self, groups: &[Vec<String>]) -> Vec<Vec<FieldId>> {
        let mut each = |names: &Vec<String>| names.iter().map(|n| self.field(n)).collect();
        groups.iter().map(&mut each).collect()
    }

    /// A rule about one event: all its matches of one group in a while are one alert.
    fn single(&mut self, position: usize, document: &Document) {
        let ext = &document.ext;
        let Some(matcher) = self.matchers.get(&position).copied() else {
            return;
        };
        let default = || vec![vec!["client.ip".to_owned()]];
        let names = ext.group_by.clone().unwrap_or_else(default);
        let group = self.groups(&names);
        let (kind, measure, subject, span) = match &ext.new_value {
            Some(new) => (
                Kind::NewValue,
                Measure::NewValue {
                    learn_ms: signed(new.learn_ms),
                    learn_events: new.learn_events,
                    memory_ms: signed(new.memory_ms),
                },
                vec![self.field(&new.field)],
                new.memory_ms,
            ),
            None => (Kind::Match, Measure::Events, Vec::new(), MATCH_SPAN_MS),
        };
        let bounds = Bounds {
            low: 1,
            high: u64::MAX,
        };
        let tracker = self.tracker(
            (position, document),
            kind,
            Window::new(measure, span, ext.lateness_ms.unwrap_or(LATENESS_MS), 1),
            bounds,
            vec![(matcher, Input { group, subject })],
        );
        self.program.trackers.push(Tracker {
            missing_one: ext.missing_one.unwrap_or(kind == Kind::Match),
            suppress_ms: signed(ext.suppress_ms.unwrap_or(MATCH_SUPPRESS_MS)),
            ..tracker
        });
    }

    fn correlation(
        &mut self,
        position: usize,
        document: &Document,
        correlation: &Correlation,
        bases: &dyn Fn(&str) -> Option<usize>,
    ) {
        let (kind, measure, fields) = match &correlation.kind {
            Counted::Events => (Kind::EventCount, Measure::Events, &[][..]),
            Counted::Values(fields) => (Kind::ValueCount, Measure::Values, fields.as_slice()),
        };
        let mut inputs = Vec::new();
        for (_, name) in &correlation.rules {
            let base = bases(name);
            let Some(matcher) = base.and_then(|b| self.matchers.get(&b)).copied() else {
                continue;
            };
            // Names in `group-by` may be aliases: each rule then has the group in a field of its own.
            let resolve = |field: &String| {
                let alias = correlation.aliases.iter().find(|(alias, _)| alias == field);
                let own = alias.and_then(|(_, rules)| {
                    rules
                        .iter()
                        .find(|(rule, _)| bases(rule).is_some() && bases(rule) == base)
                });
                own.map_or_else(|| field.clone(), |(_, own)| own.clone())
            };
            let portable = || {
                correlation
                    .group_by
                    .iter()
                    .map(|f| vec![f.clone()])
                    .collect()
            };
            let groups: Vec<Vec<String>> = document.ext.group_by.clone().unwrap_or_else(portable);
            let each = |names: &Vec<String>| names.iter().map(resolve).collect();
            let groups: Vec<Vec<String>> = groups.iter().map(each).collect();
            let group = self.groups(&groups);
            let subject = fields.iter().map(|f| self.field(&resolve(f))).collect();
            inputs.push((matcher, Input { group, subject }));
        }
        let lateness = document.ext.lateness_ms.unwrap_or(LATENESS_MS);
        let window = Window::new(
            measure,
            correlation.timespan_ms,
            lateness,
            correlation.bounds.low,
        );
        let tracker = self.tracker(
            (position, document),
            kind,
            window,
            correlation.bounds,
            inputs,
        );
        self.program.trackers.push(Tracker {
            suppress_ms: signed(document.ext.suppress_ms.unwrap_or(correlation.timespan_ms)),
            ..tracker
        });
    }

    fn tracker(
        &mut self,
        (position, document): (usize, &Document),
        kind: Kind,
        window: Window,
        bounds: Bounds,
        inputs: Vec<(usize, Input)>,
    ) -> Tracker {
        let Extension {
            missing_one,
            keys_max,
            bytes_max,
            exclude,
            ..
        } = &document.ext;
        let exclude = exclude.as_ref().map(|expr| self.expr(expr));
        let state_key = self.state_key(kind, &window, &inputs, exclude.as_ref());
        let number = self.program.trackers.len();
        for (input, (matcher, _)) in inputs.iter().enumerate() {
            if let Some(matcher) = self.program.matchers.get_mut(*matcher) {
                matcher.feeds.push((number, input));
            }
        }
        let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        Tracker {
            document: position,
            kind,
            inputs: inputs.into_iter().map(|(_, input)| input).collect(),
            window,
            bounds,
            suppress_ms: 0,
            missing_one: missing_one.unwrap_or(false),
            exclude,
            keys_max: size(keys_max.unwrap_or(KEYS_DEFAULT)).max(1),
            bytes_max: size(bytes_max.unwrap_or(BYTES_DEFAULT)).max(4_096),
            state_key,
        }
    }

    fn state_key(
        &self,
        kind: Kind,
        window: &Window,
        inputs: &[(usize, Input)],
        exclude: Option<&Expr<u32>>,
    ) -> u64 {
        let mut sip = Sip::new([0, 0]);
        sip.write_text(kind.name());
        sip.write_text(&format!("{window:?}"));
        for (matcher, input) in inputs {
            if let Some(matcher) = self.program.matchers.get(*matcher) {
                self.describe(&matcher.expr, &mut sip);
            }
            for field in input.group.iter().flatten().chain(&input.subject) {
                sip.write_text(self.program.fields.get(field.index()).map_or("", |f| f));
            }
            sip.write_text(&format!(
                "{:?}",
                input.group.iter().map(Vec::len).collect::<Vec<_>>()
            ));
        }
        if let Some(exclude) = exclude {
            self.describe(exclude, &mut sip);
        }
        sip.finish()
    }

    fn describe(&self, expr: &Expr<u32>, sip: &mut Sip) {
        let (word, items) = match expr {
            Expr::Is(id) => {
                let text = usize::try_from(*id)
                    .ok()
                    .and_then(|i| self.program.predicates.get(i));
                return sip.write_text(text.map_or("", |p| &p.text));
            }
            Expr::Not(inner) => ("not".to_owned(), std::slice::from_ref(inner.as_ref())),
            Expr::And(items) => ("and".to_owned(), items.as_slice()),
            Expr::Or(items) => ("or".to_owned(), items.as_slice()),
            Expr::AtLeast(n, items) => (format!("{n} of"), items.as_slice()),
        };
        sip.write_text(&word);
        items.iter().for_each(|item| self.describe(item, sip));
        sip.write_text("end");
    }
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}
