//! The tests inside rules: timed streams of events, shown to a fresh engine.

use std::sync::Arc;

use crate::engine::Engine;
use crate::finding::Moment;
use crate::record::{Record, Scalar};
use crate::rule::{Template, Trial};
use crate::set::RuleSet;

/// What a test came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestReport {
    /// Position of the rule in [`RuleSet::rules`].
    pub rule: usize,
    /// The test's name.
    pub test: String,
    /// Line of the test.
    pub line: u32,
    /// What was different from what is expected; none: passed.
    pub failure: Option<String>,
}

/// Streams begin on 2026-01-01 at midnight, UTC, in milliseconds since 1970.
const START_MS: i64 = 1_767_225_600_000;

/// Runs one test of a rule.
pub(crate) fn run(set: &Arc<RuleSet>, rule: usize, trial: &Trial) -> TestReport {
    let mut engine = Engine::new(Arc::clone(set), [1, 2]);
    let names = engine.fields().to_vec();
    let mut found = Vec::new();
    let (mut alerts, mut first, mut received_ms) = (0u64, None, i64::MIN);
    for (number, (time_ms, record)) in (0u64..).zip(stream(trial)) {
        received_ms = received_ms.max(time_ms);
        let at = Moment {
            time_ms,
            received_ms,
            offset: number,
            id: 0,
        };
        found.clear();
        engine.observe(&record.bind(&names), at, &mut found);
        let own = found.iter().filter(|finding| finding.rule == rule).count();
        if own > 0 && first.is_none() {
            first = Some(number + 1);
        }
        alerts += u64::try_from(own).unwrap_or(u64::MAX);
    }
    let failure = if alerts != trial.alerts {
        Some(format!("{alerts} alerts, expected {}", trial.alerts))
    } else if trial.first_at_event.is_some() && first != trial.first_at_event {
        let name = |n: Option<u64>| n.map_or("none".to_owned(), |n| n.to_string());
        Some(format!(
            "first alert at event {}, expected {}",
            name(first),
            name(trial.first_at_event)
        ))
    } else {
        None
    };
    TestReport {
        rule,
        test: trial.name.clone(),
        line: trial.line,
        failure,
    }
}

/// The events of a test in the order they arrive.
fn stream(trial: &Trial) -> Vec<(i64, Record)> {
    let signed = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX / 8);
    let mut events = Vec::new();
    let mut next = START_MS;
    for block in &trial.blocks {
        let begin = block
            .at_ms
            .map_or(next, |at| START_MS.saturating_add(signed(at)));
        for index in 0..block.repeat {
            let time = begin.saturating_add(signed(block.every_ms).saturating_mul(signed(index)));
            let mut record = Record::default();
            for (name, values) in &block.set {
                for value in values {
                    record.push(name.clone(), fill(value, index + 1));
                }
            }
            events.push((time, record));
            next = time.saturating_add(signed(block.every_ms));
        }
    }
    if trial.shuffle_ms == 0 {
        // Blocks may overlap; without shuffling, events arrive in the order of their times.
        events.sort_by_key(|(time, _)| *time);
        return events;
    }
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    let mut delayed: Vec<(i64, (i64, Record))> = events
        .into_iter()
        .map(|event| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (
                event
                    .0
                    .saturating_add(signed((seed >> 33) % trial.shuffle_ms)),
                event,
            )
        })
        .collect();
    delayed.sort_by_key(|(arrival, _)| *arrival);
    delayed.into_iter().map(|(_, event)| event).collect()
}

fn fill(template: &Template, index: u64) -> Scalar {
    match template {
        Template::Text(text) => Scalar::Text(replaced(text, index)),
        Template::Number(text) => Scalar::Number(text.clone()),
        Template::Bool(value) => Scalar::Bool(*value),
        Template::Null => Scalar::Null,
    }
}

/// `{{i}}` is the number of the event in its block, from 1; `{{i%5}}` and `{{i/5}}` are the remainder and
/// the whole quotient.
fn replaced(text: &str, index: u64) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, from)) = rest.split_once("{{i") {
        out.push_str(before);
        let Some((inside, behind)) = from.split_once("}}") else {
            out.push_str("{{i");
            rest = from;
            continue;
        };
        let number = |text: &str| text.parse::<u64>().ok().filter(|n| *n > 0);
        let value = match (inside.strip_prefix('%'), inside.strip_prefix('/')) {
            (Some(n), _) => number(n).map(|n| index % n),
            (_, Some(n)) => number(n).map(|n| index / n),
            _ => inside.is_empty().then_some(index),
        };
        match value {
            Some(value) => out.push_str(&value.to_string()),
            None => out.extend(["{{i", inside, "}}"]),
        }
        rest = behind;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_count() {
        assert_eq!(replaced("a-{{i}}-{{i%3}}-{{i/3}}", 7), "a-7-1-2");
        assert_eq!(replaced("{{i", 7), "{{i");
        assert_eq!(replaced("{{i%0}} {{x}}", 7), "{{i%0}} {{x}}");
    }
}
