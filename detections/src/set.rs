//! Rule files to a set of rules that can run: read, resolved, compiled; bad rules reported, good ones kept.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::compile::{Compiler, Program};
use crate::condition::Expr;
use crate::finding::{Finding, Kind, Level};
use crate::modifiers::Placeholders;
use crate::predicate::{Order, Predicate, Test};
use crate::read;
use crate::rule::{Body, Counted, Document, RuleFile, Trial};
use crate::trial::{self, TestReport};
use crate::yaml::{Fault, documents, fault};

/// Rules that can run.
#[derive(Debug, Default)]
pub struct RuleSet {
    infos: Vec<RuleInfo>,
    trials: Vec<(usize, Vec<Trial>)>,
    pub(crate) program: Program,
}

/// What is known of a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleInfo {
    /// Its UUID, or its name where it has none.
    pub id: String,
    /// Short name others refer to it by.
    pub name: Option<String>,
    /// Its title.
    pub title: String,
    /// What it looks for, in words.
    pub description: String,
    /// Who wrote it.
    pub author: String,
    /// `stable`, `test`, `experimental`, …; empty where it says nothing.
    pub status: String,
    /// How bad a finding is.
    pub level: Level,
    /// Tags.
    pub tags: Vec<String>,
    /// Known false positives.
    pub falsepositives: Vec<String>,
    /// Where it comes from.
    pub references: Vec<String>,
    /// What kind.
    pub kind: Kind,
    /// Its file, as a position in the list that was loaded.
    pub file: usize,
    /// Line it begins at.
    pub line: u32,
    /// It raises alerts by itself; false: it serves correlations only.
    pub alerts: bool,
    /// It runs; false: its log source is not one of ours.
    pub active: bool,
    /// Tests it brings.
    pub tests: usize,
    /// What every event it counts has, as far as it can be said simply: for a search that shows them.
    pub terms: Vec<Term>,
}

/// Something simple that an event has.
#[derive(Clone, Debug, PartialEq)]
pub enum Term {
    /// The field has this value.
    Is(String, String),
    /// The field is there.
    Exists(String),
    /// The number in the field is `<`, `<=`, `>` or `>=` this one.
    Compares(String, &'static str, f64),
}

/// A rule that was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {message}")]
pub struct RuleError {
    /// File.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// What is wrong.
    pub message: String,
}

/// How rules are loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadOptions {
    /// Values of the placeholders in `expand`.
    pub placeholders: Placeholders,
    /// Rules run only where their log source names a log of ours. False: all rules run on all events.
    pub route_by_logsource: bool,
    /// A rule whose own tests fail is refused.
    pub require_tests: bool,
    /// Files at most.
    pub files_max: usize,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            placeholders: Placeholders::new(),
            route_by_logsource: true,
            require_tests: false,
            files_max: 20_000,
        }
    }
}

impl RuleSet {
    /// Loads rules with default options.
    #[must_use]
    pub fn load(files: &[RuleFile]) -> (RuleSet, Vec<RuleError>) {
        Self::load_with(files, &LoadOptions::default())
    }

    /// Loads rules: those that are good, and what is wrong with the others.
    #[must_use]
    pub fn load_with(files: &[RuleFile], options: &LoadOptions) -> (RuleSet, Vec<RuleError>) {
        let mut faults: Vec<(usize, Fault)> = Vec::new();
        let mut found = Vec::new();
        for (number, file) in files.iter().enumerate() {
            if number >= options.files_max {
                let message = format!("more than {} files", options.files_max);
                faults.push((number, Fault { line: 1, message }));
                break;
            }
            for node in documents(&file.text) {
                match node.and_then(|node| read::document(&node, number, &options.placeholders)) {
                    Ok(document) => found.push(document),
                    Err(fault) => faults.push((number, fault)),
                }
            }
        }
        let found = unique(found, &mut faults);
        let found = resolved(found, &mut faults);
        let mut set = Self::compile(&found, options);
        if options.require_tests {
            let shared = Arc::new(set);
            let failed: HashMap<usize, String> = shared
                .run_tests()
                .into_iter()
                .filter_map(|report| {
                    Some((
                        report.rule,
                        format!("test `{}` failed: {}", report.test, report.failure?),
                    ))
                })
                .collect();
            if failed.is_empty() {
                set = Arc::try_unwrap(shared).unwrap_or_default();
            } else {
                let mut kept = Vec::new();
                for (position, document) in found.into_iter().enumerate() {
                    match failed.get(&position) {
                        Some(message) => faults.push((
                            document.meta.file,
                            Fault {
                                line: document.meta.line,
                                message: message.clone(),
                            },
                        )),
                        None => kept.push(document),
                    }
                }
                set = Self::compile(&resolved(kept, &mut faults), options);
            }
        }
        faults.sort_by_key(|(file, fault)| (*file, fault.line));
        let named = |(file, fault): (usize, Fault)| RuleError {
            file: files
                .get(file)
                .map(|f| f.path.to_string())
                .unwrap_or_default(),
            line: fault.line,
            message: fault.message,
        };
        (set, faults.into_iter().map(named).collect())
    }

    fn compile(found: &[Document], options: &LoadOptions) -> Self {
        let names = names(found);
        let program = Compiler::run(
            found,
            &|name| names.get(name).copied(),
            options.route_by_logsource,
        );
        let alerting: HashSet<usize> = program.trackers.iter().map(|t| t.document).collect();
        let matched: HashSet<usize> = program.matchers.iter().map(|m| m.document).collect();
        let fed: HashSet<usize> = program
            .trackers
            .iter()
            .filter(|t| !t.inputs.is_empty())
            .map(|t| t.document)
            .collect();
        let info = |(position, document): (usize, &Document)| {
            let active = match document.body {
                Body::Detection(_) => matched.contains(&position),
                Body::Correlation(_) => fed.contains(&position),
            };
            let base = match &document.body {
                Body::Detection(detection) => Some(detection),
                Body::Correlation(correlation) => match correlation.rules.as_slice() {
                    [(_, name)] => match names.get(name).and_then(|n| found.get(*n)) {
                        Some(Document {
                            body: Body::Detection(detection),
                            ..
                        }) => Some(detection),
                        _ => None,
                    },
                    _ => None,
                },
            };
            let mut terms = Vec::new();
            if let Some(base) = base {
                add_terms(&base.expr, &mut terms);
            }
            RuleInfo {
                alerts: alerting.contains(&position),
                active,
                terms,
                ..info(document)
            }
        };
        let tests = found
            .iter()
            .enumerate()
            .filter(|(_, d)| !d.ext.tests.is_empty());
        Self {
            infos: found.iter().enumerate().map(info).collect(),
            trials: tests
                .map(|(place, d)| (place, d.ext.tests.clone()))
                .collect(),
            program,
        }
    }

    /// All rules, in the order of files and lines.
    #[must_use]
    pub fn rules(&self) -> &[RuleInfo] {
        &self.infos
    }

    /// Runs the tests inside the rules: each on a fresh engine with all rules of the set.
    #[must_use]
    pub fn run_tests(self: &Arc<Self>) -> Vec<TestReport> {
        let mut reports = Vec::new();
        for (rule, trials) in &self.trials {
            reports.extend(trials.iter().map(|test| trial::run(self, *rule, test)));
        }
        reports
    }

    /// A finding of a rule with what does not depend on events.
    pub(crate) fn finding(&self, rule: usize) -> Finding {
        let info = self.infos.get(rule);
        Finding {
            rule,
            rule_id: info.map(|i| i.id.clone()).unwrap_or_default(),
            title: info.map(|i| i.title.clone()).unwrap_or_default(),
            level: info.map(|i| i.level).unwrap_or_default(),
            tags: info.map(|i| i.tags.clone()).unwrap_or_default(),
            kind: info.map_or(Kind::Match, |i| i.kind),
            group: Vec::new(),
            subject: None,
            value: 0,
            threshold: 0,
            timespan_ms: 0,
            first_ms: 0,
            last_ms: 0,
            events: Vec::new(),
            approximate: false,
        }
    }
}

fn info(document: &Document) -> RuleInfo {
    let meta = document.meta.clone();
    let kind = match (&document.body, &document.ext.new_value) {
        (Body::Detection(_), Some(_)) => Kind::NewValue,
        (Body::Detection(_), None) => Kind::Match,
        (Body::Correlation(c), _) if c.kind == Counted::Events => Kind::EventCount,
        (Body::Correlation(_), _) => Kind::ValueCount,
    };
    RuleInfo {
        id: meta.id.or_else(|| meta.name.clone()).unwrap_or_default(),
        name: meta.name,
        title: meta.title,
        description: meta.description,
        author: meta.author,
        status: meta.status,
        level: meta.level.unwrap_or_default(),
        tags: meta.tags,
        falsepositives: meta.falsepositives,
        references: meta.references,
        kind,
        file: meta.file,
        line: meta.line,
        alerts: false,
        active: false,
        tests: document.ext.tests.len(),
        terms: Vec::new(),
    }
}

/// What follows from a condition.
fn add_terms(expr: &Expr<Predicate>, terms: &mut Vec<Term>) {
    match expr {
        Expr::And(items) => items.iter().for_each(|item| add_terms(item, terms)),
        Expr::Is(predicate) => {
            let Some(field) = &predicate.field else {
                return;
            };
            let sign = |order| match order {
                Order::Less => Some("<"),
                Order::LessOrEqual => Some("<="),
                Order::Greater => Some(">"),
                Order::GreaterOrEqual => Some(">="),
                Order::Equal => None,
            };
            match &predicate.test {
                Test::Exists(true) => terms.push(Term::Exists(field.clone())),
                Test::Number(order, limit) => {
                    if let Some(sign) = sign(*order) {
                        terms.push(Term::Compares(field.clone(), sign, *limit));
                    }
                }
                Test::Text { set, .. } => {
                    if let Some((texts, _)) = set.exact()
                        && let (Some(text), 1) = (texts.iter().next(), texts.len())
                    {
                        terms.push(Term::Is(field.clone(), text.to_string()));
                    }
                }
                _ => {}
            }
        }
        _ => {}
    }
}

/// Every name a rule can be referred to by.
fn names(found: &[Document]) -> HashMap<String, usize> {
    let mut names = HashMap::new();
    for (position, document) in found.iter().enumerate() {
        for name in [&document.meta.id, &document.meta.name]
            .into_iter()
            .flatten()
        {
            names.entry(name.clone()).or_insert(position);
        }
    }
    names
}

/// Refuses rules whose id or name another rule has already.
fn unique(found: Vec<Document>, faults: &mut Vec<(usize, Fault)>) -> Vec<Document> {
    let mut taken = HashSet::new();
    let mut kept = Vec::new();
    for document in found {
        let own: HashSet<&String> = [&document.meta.id, &document.meta.name]
            .into_iter()
            .flatten()
            .collect();
        if let Some(name) = own.iter().find(|name| taken.contains(name.as_str())) {
            let message = format!("another rule has the id or name `{name}` already");
            let line = document.meta.line;
            faults.push((document.meta.file, Fault { line, message }));
            continue;
        }
        taken.extend(own.into_iter().cloned());
        kept.push(document);
    }
    kept
}

/// Refuses correlations that refer to rules that are not there.
fn resolved(found: Vec<Document>, faults: &mut Vec<(usize, Fault)>) -> Vec<Document> {
    let names = names(&found);
    let check = |document: &Document| -> Result<(), Fault> {
        let Body::Correlation(correlation) = &document.body else {
            return Ok(());
        };
        for (line, name) in &correlation.rules {
            match names
                .get(name)
                .and_then(|place| found.get(*place))
                .map(|d| &d.body)
            {
                Some(Body::Detection(_)) => {}
                Some(Body::Correlation(_)) => {
                    return fault(
                        *line,
                        format!("`{name}` is a correlation: chains are not supported yet"),
                    );
                }
                None => {
                    return fault(
                        *line,
                        format!("no rule has the id or name `{name}`, or it was refused"),
                    );
                }
            }
        }
        for (alias, rules) in &correlation.aliases {
            if let Some((rule, _)) = rules.iter().find(|(rule, _)| !names.contains_key(rule)) {
                let line = document.meta.line;
                return fault(
                    line,
                    format!("alias `{alias}` names the unknown rule `{rule}`"),
                );
            }
        }
        Ok(())
    };
    let verdicts: Vec<_> = found.iter().map(check).collect();
    let mut kept = Vec::new();
    for (document, verdict) in found.into_iter().zip(verdicts) {
        match verdict {
            Ok(()) => kept.push(document),
            Err(fault) => faults.push((document.meta.file, fault)),
        }
    }
    kept
}
