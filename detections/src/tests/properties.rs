//! What must hold for any rules, events and orders.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;

use crate::{Engine, Finding, Moment, Record, RuleFile, RuleSet, shipped};

/// A condition written and evaluated without the crate: the naive evaluator.
#[derive(Clone, Debug)]
enum Naive {
    Item {
        field: usize,
        how: How,
        values: Vec<String>,
    },
    Not(Box<Naive>),
    And(Vec<Naive>),
    Or(Vec<Naive>),
    Keyword(Vec<String>),
}

#[derive(Clone, Copy, Debug)]
enum How {
    Equal,
    Contains,
    Starts,
    Ends,
    Cased,
    All,
    Less,
    Exists,
    Null,
}

type Plain = BTreeMap<usize, Vec<String>>;

impl Naive {
    fn holds(&self, event: &Plain) -> bool {
        match self {
            Self::Not(inner) => !inner.holds(event),
            Self::And(items) => items.iter().all(|i| i.holds(event)),
            Self::Or(items) => items.iter().any(|i| i.holds(event)),
            Self::Keyword(words) => event.values().flatten().any(|value| {
                words
                    .iter()
                    .any(|w| value.to_lowercase().contains(&w.to_lowercase()))
            }),
            Self::Item { field, how, values } => {
                let held = event.get(field).cloned().unwrap_or_default();
                let any = |f: &dyn Fn(&str, &str) -> bool| {
                    held.iter().any(|h| values.iter().any(|v| f(h, v)))
                };
                let low = |text: &str| text.to_lowercase();
                match how {
                    How::Equal => any(&|h, v| low(h) == low(v)),
                    How::Contains => any(&|h, v| low(h).contains(&low(v))),
                    How::Starts => any(&|h, v| low(h).starts_with(&low(v))),
                    How::Ends => any(&|h, v| low(h).ends_with(&low(v))),
                    How::Cased => any(&|h, v| h == v),
                    How::All => values
                        .iter()
                        .all(|v| held.iter().any(|h| low(h).contains(&low(v)))),
                    How::Less => held
                        .iter()
                        .any(|h| h.parse::<f64>().is_ok_and(|n| n < 50.0)),
                    How::Exists => !held.is_empty(),
                    How::Null => held.is_empty(),
                }
            }
        }
    }

    /// Search identifiers and the condition over them.
    fn write(&self, names: &mut Vec<String>) -> String {
        let list = |values: &[String]| {
            values
                .iter()
                .map(|v| format!("'{v}'"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        match self {
            Self::Not(inner) => format!("not ({})", inner.write(names)),
            Self::And(items) | Self::Or(items) => {
                let word = if matches!(self, Self::And(_)) {
                    ") and ("
                } else {
                    ") or ("
                };
                let all: Vec<_> = items.iter().map(|i| i.write(names)).collect();
                format!("({})", all.join(word))
            }
            Self::Keyword(words) => {
                names.push(format!("[{}]", list(words)));
                format!("s{}", names.len() - 1)
            }
            Self::Item { field, how, values } => {
                let all = list(values);
                names.push(match how {
                    How::Equal => format!("{{f{field}: [{all}]}}"),
                    How::Contains => format!("{{f{field}|contains: [{all}]}}"),
                    How::Starts => format!("{{f{field}|startswith: [{all}]}}"),
                    How::Ends => format!("{{f{field}|endswith: [{all}]}}"),
                    How::Cased => format!("{{f{field}|cased: [{all}]}}"),
                    How::All => format!("{{f{field}|contains|all: [{all}, '']}}"),
                    How::Less => format!("{{f{field}|lt: 50}}"),
                    How::Exists => format!("{{f{field}|exists: true}}"),
                    How::Null => format!("{{f{field}: null}}"),
                });
                format!("s{}", names.len() - 1)
            }
        }
    }
}

fn word() -> impl Strategy<Value = String> {
    "[abAB1]{1,4}|[0-9]{1,2}|äÖ"
}

fn naive() -> impl Strategy<Value = Naive> {
    let how = prop::sample::select(vec![
        How::Equal,
        How::Contains,
        How::Starts,
        How::Ends,
        How::Cased,
        How::All,
        How::Less,
        How::Exists,
        How::Null,
    ]);
    let item =
        (0usize..4, how, prop::collection::vec(word(), 1..3)).prop_map(|(field, how, values)| {
            match how {
                // `all` of an empty needle needs the field to be there.
                How::All => Naive::And(vec![
                    Naive::Item {
                        field,
                        how: How::Exists,
                        values: vec![],
                    },
                    Naive::Item { field, how, values },
                ]),
                _ => Naive::Item { field, how, values },
            }
        });
    let words = prop::collection::vec("[ab]{3,4}", 1..3).prop_map(Naive::Keyword);
    prop_oneof![6 => item, 1 => words].prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|n| Naive::Not(Box::new(n))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Naive::And),
            prop::collection::vec(inner, 2..4).prop_map(Naive::Or),
        ]
    })
}

fn event() -> impl Strategy<Value = Plain> {
    prop::collection::btree_map(0usize..4, prop::collection::vec(word(), 1..3), 0..4)
}

fn record(event: &Plain) -> Record {
    let mut record = Record::default();
    for (field, values) in event {
        for value in values {
            record = record.with(&format!("f{field}"), value);
        }
    }
    record
}

fn load(files: Vec<String>) -> Arc<RuleSet> {
    let file = |text: String| RuleFile {
        path: "t".into(),
        text: text.into(),
    };
    let files: Vec<_> = files.into_iter().map(file).collect();
    let (set, errors) = RuleSet::load(&files);
    assert_eq!(errors, [], "{files:?}");
    Arc::new(set)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn compiled_rules_say_what_the_naive_evaluator_says(
        rules in prop::collection::vec(naive(), 1..8),
        events in prop::collection::vec(event(), 1..12),
    ) {
        let text = |(number, rule): (usize, &Naive)| {
            let mut names = Vec::new();
            let condition = rule.write(&mut names);
            let parts: String =
                names.iter().enumerate().map(|(n, part)| format!("  s{n}: {part}\n")).collect();
            format!("title: r{number}\nlogsource: {{category: api}}\ndetection:\n{parts}  condition: {condition}\n")
        };
        let files = rules.iter().enumerate().map(text).collect();
        let mut engine = Engine::new(load(files), [0, 0]);
        let names = engine.fields().to_vec();
        for event in &events {
            let mut fits = Vec::new();
            engine.matching(&record(event).bind(&names), &mut fits);
            let expected: Vec<usize> =
                (0..rules.len()).filter(|n| rules[*n].holds(event)).collect();
            prop_assert_eq!(fits, expected, "{:?}", event);
        }
    }
}

const STREAMS: &str = "
title: count
name: count
correlation: {type: event_count, rules: [base], group-by: [user], timespan: 60s, condition: {gte: 4}}
---
title: values
name: values
correlation: {type: value_count, rules: [base], group-by: [user], timespan: 60s, condition: {field: v, gte: 4}}
---
title: base
name: base
logsource: {category: api}
detection: {s: {user|exists: true}, condition: s}
---
title: single
name: single
logsource: {category: api}
detection: {s: {v: '3'}, condition: s}
wardline: {group-by: [user]}
---
title: new
name: new
logsource: {category: api}
detection: {s: {v|exists: true}, condition: s}
wardline: {group-by: [user], new_value: {field: v, learn: 2m, memory: 5m}, budget: {keys: 2}}
";

/// One event of a stream: milliseconds, user, value.
type Step = (i64, u8, u8);

fn step(engine: &mut Engine, offset: u64, received_ms: i64, step: &Step) -> Vec<Finding> {
    let names = engine.fields().to_vec();
    let event = Record::default()
        .with("user", &step.1.to_string())
        .with("v", &step.2.to_string());
    let mut found = Vec::new();
    let at = Moment {
        time_ms: step.0,
        received_ms,
        offset,
        id: 0,
    };
    engine.observe(&event.bind(&names), at, &mut found);
    found
}

/// Which users have `low` events or distinct values in some half-open window: the definition, by brute force.
fn expected(steps: &[Step], distinct: bool) -> BTreeSet<String> {
    let mut users = BTreeSet::new();
    for (end, user, _) in steps {
        let window = steps
            .iter()
            .filter(|s| s.1 == *user && s.0 > end - 60_000 && s.0 <= *end);
        let size = if distinct {
            window.map(|s| s.2).collect::<BTreeSet<_>>().len()
        } else {
            window.count()
        };
        if size >= 4 {
            users.insert(user.to_string());
        }
    }
    users
}

fn users(found: &[Finding], rule: &str) -> BTreeSet<String> {
    let own = found.iter().filter(|f| f.rule_id == rule);
    own.map(|f| f.group[0].1.clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn any_order_within_the_lateness_alerts_the_same_groups(
        steps in prop::collection::vec((0i64..400_000, 0u8..3, 0u8..6), 1..60),
        delays in prop::collection::vec(0i64..30_000, 60),
    ) {
        let mut ordered = steps.clone();
        ordered.sort_unstable();
        let mut shuffled: Vec<(i64, Step)> =
            ordered.iter().zip(&delays).map(|(step, delay)| (step.0 + delay, *step)).collect();
        shuffled.sort_unstable();
        let shuffled: Vec<Step> = shuffled.into_iter().map(|(_, step)| step).collect();
        let set = load(vec![STREAMS.to_owned()]);
        for steps in [&ordered, &shuffled] {
            let mut engine = Engine::new(Arc::clone(&set), [7, 7]);
            let mut found = Vec::new();
            for (offset, one) in (0u64..).zip(steps) {
                found.extend(step(&mut engine, offset, 500_000, one));
            }
            prop_assert_eq!(users(&found, "count"), expected(&ordered, false));
            prop_assert_eq!(users(&found, "values"), expected(&ordered, true));
        }
    }

    #[test]
    fn a_restart_at_any_event_changes_nothing(
        steps in prop::collection::vec((0i64..400_000, 0u8..5, 0u8..6), 1..100),
        cuts in prop::collection::vec(any::<bool>(), 100),
    ) {
        let set = load(vec![STREAMS.to_owned()]);
        let mut whole = Engine::new(Arc::clone(&set), [7, 7]);
        let mut cut = Engine::new(Arc::clone(&set), [7, 7]);
        for ((offset, one), restart) in (0u64..).zip(&steps).zip(&cuts) {
            if *restart {
                let bytes = cut.snapshot();
                cut = Engine::restore(Arc::clone(&set), &bytes).unwrap();
                prop_assert_eq!(cut.snapshot(), bytes);
            }
            let received = i64::try_from(offset).unwrap() * 2_000;
            prop_assert_eq!(
                step(&mut whole, offset, received, one),
                step(&mut cut, offset, received, one)
            );
        }
        prop_assert_eq!(whole.snapshot(), cut.snapshot());
    }

    #[test]
    fn damaged_state_is_refused(
        steps in prop::collection::vec((0i64..4_000, 0u8..5, 0u8..6), 1..20),
        at in any::<prop::sample::Index>(),
        flip in 1u8..,
    ) {
        let set = load(vec![STREAMS.to_owned()]);
        let mut engine = Engine::new(Arc::clone(&set), [7, 7]);
        for (offset, one) in (0u64..).zip(&steps) {
            step(&mut engine, offset, 5_000, one);
        }
        let mut bytes = engine.snapshot();
        let place = at.index(bytes.len());
        bytes[place] ^= flip;
        prop_assert!(Engine::restore(Arc::clone(&set), &bytes).is_err());
        bytes.truncate(place);
        prop_assert!(Engine::restore(set, &bytes).is_err());
    }

    #[test]
    fn any_text_is_read_or_refused(
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        piece in "[-a-z:|'\"{}\\[\\]*&!#%@\n \u{0}]{0,12}",
        length in 0usize..40,
    ) {
        let files = shipped();
        let file = which.get(&files);
        let mut bytes = file.text.as_bytes().to_vec();
        let start = at.index(bytes.len());
        let end = (start + length).min(bytes.len());
        bytes.splice(start..end, piece.bytes());
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (set, _) = RuleSet::load(&[RuleFile { path: "t".into(), text: text.into() }]);
        prop_assert!(set.rules().len() <= 2);
    }
}
