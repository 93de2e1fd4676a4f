//! Events in, findings out.

use std::sync::Arc;

use crate::compile::{Input, Program, Tracker};
use crate::finding::{Finding, Kind, Moment};
use crate::lookup::{FieldId, Lookup};
use crate::row::Row;
use crate::set::RuleSet;
use crate::sip::Sip;
use crate::table::{Bound, NEVER, Table};
use crate::window::{Entry, SKEW_MS};

/// Rules at work: their state and the event they look at.
#[derive(Debug)]
pub struct Engine {
    pub(crate) set: Arc<RuleSet>,
    /// Key of all hashes in the state.
    pub(crate) key: [u64; 2],
    pub(crate) tables: Vec<Table>,
    row: Row,
    /// Matchers to evaluate for the current event.
    candidates: Vec<u32>,
    /// Event number at which a matcher last became a candidate.
    marked: Vec<u64>,
    event: u64,
    pub(crate) forged: u64,
    missing: u64,
}

/// What the state of all rules takes, and what was given up for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Per rule that alerts.
    pub rules: Vec<RuleStats>,
    /// Events whose time was too far ahead of their receipt; the time of receipt stood in.
    pub forged_times: u64,
    /// Events left out because a field of the group was missing, since start.
    pub missing_groups: u64,
}

/// What the state of one rule takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleStats {
    /// Position of the rule in [`RuleSet::rules`].
    pub rule: usize,
    /// Groups held.
    pub keys: usize,
    /// Bytes held.
    pub bytes: usize,
    /// Groups forgotten because a bound was hit.
    pub evicted: u64,
    /// Events not counted: too late, or counted before.
    pub not_counted: u64,
}

impl Engine {
    /// An engine without state. `key` keys the hashes of groups and values: take it from a random source
    /// once; a snapshot carries it on.
    #[must_use]
    pub fn new(set: impl Into<Arc<RuleSet>>, key: [u64; 2]) -> Self {
        let set = set.into();
        let program = &set.program;
        Self {
            row: Row::new(program),
            candidates: Vec::with_capacity(program.matchers.len()),
            marked: vec![0; program.matchers.len()],
            tables: program.trackers.iter().map(|_| Table::default()).collect(),
            event: 0,
            forged: 0,
            missing: 0,
            key,
            set,
        }
    }

    /// The rules.
    #[must_use]
    pub fn rules(&self) -> &Arc<RuleSet> {
        &self.set
    }

    /// The names of the fields rules ask for; a [`FieldId`] is a position in it.
    #[must_use]
    pub fn fields(&self) -> &[String] {
        &self.set.program.fields
    }

    /// Takes other rules; groups of rules whose query, window and group are the same are kept.
    pub fn replace(&mut self, set: impl Into<Arc<RuleSet>>) {
        let mut next = Self::new(set, self.key);
        next.forged = self.forged;
        next.missing = self.missing;
        for (table, tracker) in next.tables.iter_mut().zip(&next.set.program.trackers) {
            let old = self
                .set
                .program
                .trackers
                .iter()
                .position(|t| t.state_key == tracker.state_key);
            if let Some(held) = old.and_then(|place| self.tables.get_mut(place)) {
                *table = std::mem::take(held);
            }
        }
        *self = next;
    }

    /// Shows an event to the rules; what they find is added to `found`, in the order of the rules.
    pub fn observe(&mut self, event: &impl Lookup, at: Moment, found: &mut Vec<Finding>) {
        let set = Arc::clone(&self.set);
        let program = &set.program;
        self.choose(program, event);
        let time = if at.time_ms > at.received_ms.saturating_add(SKEW_MS) {
            self.forged += 1;
            at.received_ms
        } else {
            at.time_ms
        };
        let at = Moment {
            time_ms: time,
            ..at
        };
        for place in 0..self.candidates.len() {
            let chosen = self
                .candidates
                .get(place)
                .and_then(|id| usize::try_from(*id).ok());
            let Some(matcher) = chosen.and_then(|id| program.matchers.get(id)) else {
                continue;
            };
            if matcher.feeds.is_empty() || !self.row.eval(&matcher.expr, program, event) {
                continue;
            }
            for (number, input) in &matcher.feeds {
                if let Some(tracker) = program.trackers.get(*number)
                    && let Some(input) = tracker.inputs.get(*input)
                {
                    self.feed(program, (*number, tracker, input), event, at, found);
                }
            }
        }
    }

    /// The detections an event fits, as positions of [`RuleSet::detections`], ascending: matching alone,
    /// without state.
    pub fn matching(&mut self, event: &impl Lookup, fits: &mut Vec<usize>) {
        let set = Arc::clone(&self.set);
        self.choose(&set.program, event);
        for id in &self.candidates {
            if let Some(matcher) = usize::try_from(*id)
                .ok()
                .and_then(|i| set.program.matchers.get(i))
                && self.row.eval(&matcher.expr, &set.program, event)
            {
                fits.push(matcher.document);
            }
        }
    }

    /// What the state takes.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let rules = self.tables.iter().zip(&self.set.program.trackers);
        Stats {
            rules: rules
                .map(|(table, tracker)| RuleStats {
                    rule: tracker.document,
                    keys: table.keys,
                    bytes: table.bytes(),
                    evicted: table.evicted,
                    not_counted: table.late,
                })
                .collect(),
            forged_times: self.forged,
            missing_groups: self.missing,
        }
    }

    /// Finds the matchers the event may fit, in their order.
    fn choose(&mut self, program: &Program, event: &impl Lookup) {
        self.row.next_event();
        self.candidates.clear();
        self.event += 1;
        let (now, marked, candidates) = (self.event, &mut self.marked, &mut self.candidates);
        let mut mark = |rules: &[u32]| {
            for rule in rules {
                let seen = usize::try_from(*rule).ok().and_then(|r| marked.get_mut(r));
                if let Some(seen) = seen
                    && *seen != now
                {
                    *seen = now;
                    candidates.push(*rule);
                }
            }
        };
        mark(&program.index.always);
        for indexed in &program.index.fields {
            if event.field(indexed.field).is_none() {
                continue;
            }
            mark(&indexed.present);
            if indexed.by_value() {
                let values = self.row.folded(event, indexed.field);
                values.for_each(|value| indexed.of_value(value, &mut mark));
            }
        }
        if let Some(keywords) = &program.index.keywords {
            self.row.any_folded_text(event, &mut |text| {
                keywords.of_text(text, &mut mark);
                false
            });
        }
        candidates.sort_unstable();
    }

    fn feed(
        &mut self,
        program: &Program,
        (number, tracker, input): (usize, &Tracker, &Input),
        event: &impl Lookup,
        at: Moment,
        found: &mut Vec<Finding>,
    ) {
        if let Some(exclude) = &tracker.exclude
            && self.row.eval(exclude, program, event)
        {
            return;
        }
        let Some(group) = self.group_hash(tracker, input, event) else {
            self.missing += 1;
            return;
        };
        match input.subject.as_slice() {
            [] => self.count((number, tracker, input), event, (at, group, at.id), found),
            [one] => {
                // Each value of a field with several is counted.
                let mut marks = [0u64; 16];
                let mut count = 0;
                let key = self.key;
                event.any_value(*one, &mut |value| {
                    if let (Some(text), Some(slot)) = (value.text(), marks.get_mut(count)) {
                        *slot = crate::sip::hash(key, text.as_bytes());
                        count += 1;
                    }
                    count == 16
                });
                for mark in marks.iter().take(count) {
                    self.count((number, tracker, input), event, (at, group, *mark), found);
                }
            }
            several => {
                let mut sip = Sip::new(self.key);
                for field in several {
                    match event.field(*field).and_then(|v| v.text()) {
                        Some(text) => sip.write_text(text),
                        None => return,
                    }
                }
                let mark = sip.finish();
                self.count((number, tracker, input), event, (at, group, mark), found);
            }
        }
    }

    fn group_hash(&self, tracker: &Tracker, input: &Input, event: &impl Lookup) -> Option<u64> {
        let mut sip = Sip::new(self.key);
        for names in &input.group {
            match present(names, event) {
                Some((place, _, text)) => {
                    sip.write(&[u8::try_from(place).unwrap_or(u8::MAX)]);
                    sip.write_text(text);
                }
                None if tracker.missing_one => sip.write(&[0xfe]),
                None => return None,
            }
        }
        Some(sip.finish())
    }

    fn count(
        &mut self,
        (number, tracker, input): (usize, &Tracker, &Input),
        event: &impl Lookup,
        (at, group, mark): (Moment, u64, u64),
        found: &mut Vec<Finding>,
    ) {
        let entry = Entry {
            time: at.time_ms,
            offset: at.offset,
            mark,
        };
        let seconds = |ms: i64| u32::try_from(ms / 1_000).unwrap_or(u32::MAX);
        let bound = Bound {
            keys: tracker.keys_max,
            bytes: tracker.bytes_max,
            idle_s: seconds(tracker.window.keep).saturating_add(1),
        };
        let now = seconds(at.received_ms.max(0));
        let Some(table) = self.tables.get_mut(number) else {
            return;
        };
        let Some((slot, count)) = table.add(group, entry, now, &tracker.window, bound) else {
            return;
        };
        let bounds = tracker.bounds;
        if !count.counted || count.value < bounds.low || count.value > bounds.high {
            return;
        }
        let value = u32::try_from(count.value).unwrap_or(u32::MAX);
        let quiet = slot.fired_at != NEVER
            && at.time_ms.abs_diff(slot.fired_at) < tracker.suppress_ms.unsigned_abs()
            && value / 2 < slot.fired_value;
        if quiet && tracker.kind != Kind::NewValue {
            return;
        }
        slot.fired_at = at.time_ms;
        slot.fired_value = value;
        let (first_ms, mut events) = slot.body.evidence(&tracker.window, at.time_ms);
        if events.is_empty() {
            events.push(entry);
        }
        let mut offsets: Vec<u64> = events.iter().map(|e| e.offset).collect();
        offsets.sort_unstable();
        offsets.dedup();
        let name = |field: FieldId| self.set.program.fields.get(field.index()).cloned();
        let group = input.group.iter().filter_map(|names| {
            let (_, field, text) = present(names, event)?;
            Some((name(field)?, text.to_owned()))
        });
        let subject = input.subject.first().and_then(|field| {
            let text = event.field(*field)?.text()?;
            Some((name(*field)?, text.to_owned()))
        });
        found.push(Finding {
            kind: tracker.kind,
            group: group.collect(),
            subject,
            value: count.value,
            threshold: bounds.low,
            timespan_ms: tracker.window.span.unsigned_abs(),
            first_ms,
            last_ms: at.time_ms,
            events: offsets,
            approximate: count.approximate,
            ..self.set.finding(tracker.document)
        });
    }
}

/// The first of these fields that the event has: its place, itself, its text.
fn present<'e>(names: &[FieldId], event: &'e impl Lookup) -> Option<(usize, FieldId, &'e str)> {
    let mut places = names.iter().enumerate();
    places.find_map(|(place, field)| {
        let text = event.field(*field)?.text()?;
        (!text.is_empty()).then_some((place, *field, text))
    })
}
