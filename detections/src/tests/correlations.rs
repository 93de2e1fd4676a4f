//! Correlations: streams of events and the alerts expected of them.

use std::sync::Arc;

use crate::{Engine, Finding, Moment, Record, RuleFile, RuleSet};

fn rules(text: &str) -> Arc<RuleSet> {
    let (set, errors) = RuleSet::load(&[file(text)]);
    assert_eq!(errors, []);
    Arc::new(set)
}

fn file(text: &str) -> RuleFile {
    RuleFile {
        path: "t.yml".into(),
        text: text.to_owned().into(),
    }
}

const BASE: &str = "
---
title: hit
name: hit
logsource: {category: webserver}
detection: {sel: {kind: hit}, condition: sel}
---
title: miss
name: miss
logsource: {category: webserver}
detection: {sel: {kind: miss}, condition: sel}
";

fn correlation(part: &str) -> String {
    let body: String = part
        .lines()
        .map(|line| format!("  {}\n", line.trim()))
        .collect();
    format!("title: c\nname: c\ncorrelation:\n{body}{BASE}")
}

fn errors(text: &str) -> String {
    let (_, errors) = RuleSet::load(&[file(text)]);
    errors
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

fn feed(
    engine: &mut Engine,
    offset: u64,
    time_ms: i64,
    received_ms: i64,
    event: &Record,
) -> Vec<Finding> {
    let names = engine.fields().to_vec();
    let mut found = Vec::new();
    let at = Moment {
        time_ms,
        received_ms,
        offset,
        id: 0,
    };
    engine.observe(&event.bind(&names), at, &mut found);
    found
}

/// Events as (seconds, group, value); how many findings, and at which event the first.
fn stream(text: &str, events: &[(i64, &str, &str)]) -> (usize, Option<usize>) {
    let mut engine = Engine::new(rules(text), [3, 4]);
    let (mut count, mut first) = (0, None);
    let newest = events.iter().map(|e| e.0).max().unwrap_or(0);
    for (number, (seconds, group, value)) in (0u64..).zip(events) {
        let event = Record::default()
            .with("kind", "hit")
            .with("user", group)
            .with("v", value);
        let found = feed(&mut engine, number, seconds * 1_000, newest * 1_000, &event);
        if !found.is_empty() && first.is_none() {
            first = Some(usize::try_from(number).unwrap() + 1);
        }
        count += found.len();
    }
    (count, first)
}

const COUNT: &str = "type: event_count
rules: [hit]
group-by: [user]
timespan: 60s
condition: {gte: 3}";

#[test]
fn windows_are_half_open_and_slide() {
    let count = correlation(COUNT);
    assert_eq!(
        stream(&count, &[(0, "a", ""), (1, "a", ""), (2, "a", "")]),
        (1, Some(3))
    );
    assert_eq!(
        stream(&count, &[(0, "a", ""), (1, "b", ""), (2, "a", "")]),
        (0, None)
    );
    // The event a whole timespan before the last is not in the window with it.
    assert_eq!(
        stream(&count, &[(0, "a", ""), (30, "a", ""), (60, "a", "")]),
        (0, None)
    );
    assert_eq!(
        stream(&count, &[(1, "a", ""), (30, "a", ""), (60, "a", "")]),
        (1, Some(3))
    );
    // Not cut at minutes.
    assert_eq!(
        stream(&count, &[(50, "a", ""), (70, "a", ""), (90, "a", "")]),
        (1, Some(3))
    );
}

#[test]
fn late_events_count_where_they_belong() {
    let count = correlation(COUNT);
    assert_eq!(
        stream(&count, &[(100, "a", ""), (110, "a", ""), (90, "a", "")]),
        (1, Some(3))
    );
    // Newest first, far apart: never three in one window.
    assert_eq!(
        stream(&count, &[(200, "a", ""), (130, "a", ""), (60, "a", "")]),
        (0, None)
    );
    // A late event completes a window that ended before the newest event.
    let late = [(0, "a", ""), (40, "a", ""), (90, "a", ""), (20, "a", "")];
    assert_eq!(stream(&count, &late), (1, Some(4)));
}

#[test]
fn a_forged_time_does_not_move_the_window() {
    let count = correlation(COUNT);
    let mut engine = Engine::new(rules(&count), [3, 4]);
    let event = Record::default().with("kind", "hit").with("user", "a");
    assert!(feed(&mut engine, 0, 0, 0, &event).is_empty());
    assert!(feed(&mut engine, 1, 86_400_000, 1_000, &event).is_empty());
    assert_eq!(feed(&mut engine, 2, 2_000, 2_000, &event).len(), 1);
    assert_eq!(engine.stats().forged_times, 1);
    // Two minutes ahead is taken for skew, and what is late then still counts.
    let mut engine = Engine::new(rules(&count), [3, 4]);
    feed(&mut engine, 0, 0, 0, &event);
    feed(&mut engine, 1, 119_000, 1_000, &event);
    feed(&mut engine, 2, 2_000, 2_000, &event);
    assert_eq!(feed(&mut engine, 3, 3_000, 3_000, &event).len(), 1);
}

#[test]
fn an_event_delivered_twice_counts_once() {
    let mut engine = Engine::new(rules(&correlation(COUNT)), [3, 4]);
    let names = engine.fields().to_vec();
    let event = Record::default().with("kind", "hit").with("user", "a");
    let mut found = Vec::new();
    for offset in 0..10 {
        let at = Moment {
            time_ms: 5_000,
            received_ms: 6_000,
            offset,
            id: 77,
        };
        engine.observe(&event.bind(&names), at, &mut found);
    }
    assert!(found.is_empty());
}

#[test]
fn findings_name_group_window_and_evidence() {
    let mut engine = Engine::new(rules(&correlation(COUNT)), [3, 4]);
    let event = Record::default().with("kind", "hit").with("user", "a");
    for (offset, seconds) in [(10, 1), (11, 5)] {
        assert!(feed(&mut engine, offset, seconds * 1_000, 9_000, &event).is_empty());
    }
    let found = feed(&mut engine, 12, 9_000, 9_000, &event);
    let finding = &found[0];
    assert_eq!(finding.rule_id, "c");
    assert_eq!(finding.group, [("user".to_owned(), "a".to_owned())]);
    assert_eq!((finding.value, finding.threshold), (3, 3));
    assert_eq!((finding.first_ms, finding.last_ms), (1_000, 9_000));
    assert_eq!(finding.events, [10, 11, 12]);
    assert!(!finding.approximate);
}

#[test]
fn a_rule_fires_again_after_suppression_or_when_the_count_doubles() {
    let text = correlation(COUNT);
    let burst: Vec<_> = (0..48).map(|s| (s, "a", "")).collect();
    // 3, 6, 12, 24, 48
    assert_eq!(stream(&text, &burst).0, 5);
    let steady: Vec<_> = (0..30).map(|s| (s * 20, "a", "")).collect();
    // Three in each window; once per 60 s of suppression.
    assert_eq!(stream(&text, &steady).0, 10);
    let long = text.replace(
        "correlation:",
        "wardline: {suppress: {for: 1h}}\ncorrelation:",
    );
    assert_eq!(stream(&long, &steady).0, 1);
}

#[test]
fn distinct_values_are_counted() {
    let text = correlation(
        "type: value_count
        rules: [hit]
        group-by: [user]
        timespan: 60s
        condition: {field: v, gte: 3}",
    );
    let same = [(0, "a", "x"), (1, "a", "x"), (2, "a", "x"), (3, "a", "y")];
    assert_eq!(stream(&text, &same), (0, None));
    let three = [(0, "a", "x"), (1, "a", "x"), (2, "a", "y"), (3, "a", "z")];
    assert_eq!(stream(&text, &three), (1, Some(4)));
    let gone = [(0, "a", "x"), (61, "a", "y"), (62, "a", "z")];
    assert_eq!(stream(&text, &gone), (0, None));
    let refreshed = [
        (0, "a", "x"),
        (50, "a", "x"),
        (61, "a", "y"),
        (62, "a", "z"),
    ];
    assert_eq!(stream(&text, &refreshed), (1, Some(4)));
    let tuple = text.replace("field: v", "field: [v, user]");
    assert_eq!(stream(&tuple, &three), (1, Some(4)));
}

#[test]
fn several_rules_aliases_ranges_and_generate() {
    let text = correlation(
        "type: event_count
        rules: [hit, miss]
        group-by: [who]
        aliases: {who: {hit: user, miss: name}}
        timespan: 60s
        condition: {gt: 1, lte: 2}
        generate: true",
    );
    let set = rules(&text);
    assert!(set.rules().iter().all(|rule| rule.alerts));
    let mut engine = Engine::new(set, [0, 0]);
    let hit = Record::default().with("kind", "hit").with("user", "a");
    let miss = Record::default()
        .with("kind", "miss")
        .with("name", "a")
        .with("user", "z");
    let of_c = |found: Vec<Finding>| found.iter().filter(|f| f.rule_id == "c").count();
    assert_eq!(of_c(feed(&mut engine, 0, 0, 0, &hit)), 0);
    assert_eq!(of_c(feed(&mut engine, 1, 1, 1, &miss)), 1);
    let (set, _) = RuleSet::load(&[file(&text.replace("generate: true", "generate: false"))]);
    assert_eq!(set.rules().iter().filter(|rule| rule.alerts).count(), 1);
}

#[test]
fn missing_groups_are_left_out_or_one() {
    let text = correlation(COUNT);
    let event = Record::default().with("kind", "hit");
    let mut engine = Engine::new(rules(&text), [0, 0]);
    let found: usize = (0..5)
        .map(|n| feed(&mut engine, n, 1, 1, &event).len())
        .sum();
    assert_eq!((found, engine.stats().missing_groups), (0, 5));
    let one = text.replace(
        "correlation:",
        "wardline: {missing-group: one}\ncorrelation:",
    );
    let mut engine = Engine::new(rules(&one), [0, 0]);
    let found: usize = (0..5)
        .map(|n| feed(&mut engine, n, 1, 1, &event).len())
        .sum();
    assert_eq!(found, 1);
    // Without `group-by` all events are one group.
    let global = text.replace("  group-by: [user]\n", "");
    let mut engine = Engine::new(rules(&global), [0, 0]);
    assert_eq!(
        (0..3)
            .map(|n| feed(&mut engine, n, 1, 1, &event).len())
            .sum::<usize>(),
        1
    );
}

#[test]
fn exceptions_are_left_out() {
    let text = correlation(COUNT).replace(
        "correlation:",
        "wardline: {exclude: [{user|startswith: svc-}, {v: x}]}\ncorrelation:",
    );
    let events: Vec<_> = (0..5).map(|s| (s, "svc-1", "")).collect();
    assert_eq!(stream(&text, &events), (0, None));
    let events: Vec<_> = (0..5).map(|s| (s, "a", "")).collect();
    assert_eq!(stream(&text, &events), (1, Some(3)));
}

#[test]
fn faults_are_reported_with_their_line_and_good_rules_kept() {
    let text = "title: good\nlogsource: {category: webserver}\ndetection: {s: {a: 1}, condition: s}\n\
                ---\ntitle: bad\nlogsource: {category: webserver}\ndetection:\n  s: {a: 1}\n  condition: t\n\
                ---\ntitle: [\n";
    let (set, found) = RuleSet::load(&[file(text)]);
    assert_eq!(set.rules().len(), 1);
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].line, found[0].file.as_str()), (9, "t.yml"));
    for (from, to, part) in [
        ("rules: [hit]", "rules: [nope]", "no rule has"),
        ("event_count", "temporal", "not supported yet"),
        ("event_count", "nope", "not known"),
        ("60s", "60x", "not a time span"),
        ("gte: 3", "lt: 3", "window"),
        ("gte: 3", "eq: 3", "window"),
        ("gte: 3", "gte: 5, lte: 4", "no count"),
        ("group-by", "groupby", "no attribute"),
        ("timespan: 60s", "generate: true", "timespan"),
    ] {
        let text = correlation(COUNT).replace(from, to);
        assert!(errors(&text).contains(part), "{to}: {}", errors(&text));
    }
    let twice = format!("{}\n---{BASE}", correlation(COUNT));
    assert!(errors(&twice).contains("already"));
    let unknown = correlation(COUNT).replace("correlation:", "wardline: {nope: 1}\ncorrelation:");
    assert!(errors(&unknown).contains("no attribute `nope`"));
}

#[test]
fn a_rule_whose_test_fails_is_refused_when_asked_for() {
    let test =
        "wardline: {tests: [{name: n, events: [{kind: hit, user: a}], expect: {alerts: 1}}]}\n";
    let text = correlation(COUNT).replace("correlation:", &format!("{test}correlation:"));
    let options = crate::LoadOptions {
        require_tests: true,
        ..Default::default()
    };
    let (set, found) = RuleSet::load_with(&[file(&text)], &options);
    assert_eq!(set.rules().len(), 2, "the base rules stay");
    assert!(
        found[0]
            .message
            .contains("test `n` failed: 0 alerts, expected 1")
    );
    assert_eq!(RuleSet::load(&[file(&text)]).0.rules().len(), 3);
}
