use std::time::Duration;

use super::{endpoint, finding, open_alert, store};
use crate::model::{Alert, Offset, ResolutionReason, Severity, Status};
use crate::store::engine::{Direction, Range, Table};
use crate::store::{Act, AlertFilter, EventType, Options, Store, alerts};

/// The alert that findings of this key go to.
fn newest_of_key(store: &Store, dedup_key: &str) -> Alert {
    let newest = store.view(|tx| alerts::newest_of_key(tx, dedup_key));
    newest.unwrap().unwrap().alert
}

#[test]
fn a_finding_adds_to_the_open_alert_of_its_key() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = store(dir.path(), Options::default());
    let id = open_alert(&store, 0, "a");
    let worse = crate::store::AlertChange {
        severity: Severity::Critical,
        ..finding(5, "a")
    };
    let done = store
        .commit_findings(Offset(6), None, &[worse], clock.now())
        .unwrap();
    assert_eq!(
        (done.opened.len(), done.updated.as_slice()),
        (0, &[id.clone()][..])
    );
    let alert = newest_of_key(&store, "rule-1|a");
    assert_eq!(
        (alert.count, alert.version, alert.severity),
        (2, 2, Severity::Critical)
    );
    assert_eq!(alert.correlation_ids, ["req-0", "req-5"]);
    assert_eq!(store.alert_counts().unwrap().open.critical, 1);
}

#[test]
fn after_a_verdict_a_finding_opens_a_new_alert_that_names_the_old() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _clock) = store(dir.path(), Options::default());
    let old = open_alert(&store, 0, "a");
    let act = Act {
        actor: "eve".into(),
        ..Default::default()
    };
    store
        .close_alert(&old, &act, ResolutionReason::FalsePositive)
        .unwrap();
    let new = open_alert(&store, 1, "a");
    assert_ne!(new, old);
    let alert = store.alert(&new).unwrap().unwrap();
    assert_eq!(alert.previous_id.as_deref(), Some(old.as_str()));
    // The old one opened again beside it takes no findings.
    store.reopen_alert(&old, &act).unwrap();
    assert_eq!(newest_of_key(&store, "rule-1|a").id, new);
}

#[test]
fn replayed_findings_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = store(dir.path(), Options::default());
    endpoint(&store);
    let now = clock.now();
    let first = [finding(3, "a"), finding(7, "a")];
    store
        .commit_findings(Offset(5), Some(b"state at 5"), &first[..1], now)
        .unwrap();
    store
        .commit_findings(Offset(9), None, &first[1..], now)
        .unwrap();
    let before = store.alerts(&AlertFilter::default(), 9, None).unwrap();
    let due = store.due(99).unwrap().len();
    // A log that lost its end behind 5 must not hand out 5 to 8 again: findings there count as written.
    assert_eq!(store.detection_seen().unwrap(), Offset(9));
    // Killed here: the next life replays from the snapshot at 5, batched in another way.
    assert_eq!(
        store.detection_checkpoint().unwrap().unwrap().offset,
        Offset(5)
    );
    let again = [finding(7, "a"), finding(11, "b")];
    let done = store
        .commit_findings(Offset(12), Some(b"state at 12"), &again, now)
        .unwrap();
    assert_eq!(
        (done.repeated, done.opened.len(), done.updated.len()),
        (1, 1, 0)
    );
    let after = store.alerts(&AlertFilter::default(), 9, None).unwrap();
    assert!(
        before
            .alerts
            .iter()
            .all(|alert| after.alerts.contains(alert))
    );
    assert_eq!(store.due(99).unwrap().len(), due + 1);
    assert_eq!(
        store.detection_checkpoint().unwrap().unwrap().state,
        b"state at 12"
    );
}

#[test]
fn an_older_snapshot_does_not_replace_a_newer_one() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = store(dir.path(), Options::default());
    store
        .commit_findings(Offset(9), Some(b"nine"), &[], clock.now())
        .unwrap();
    store
        .commit_findings(Offset(4), Some(b"four"), &[], clock.now())
        .unwrap();
    assert_eq!(
        store.detection_checkpoint().unwrap().unwrap().state,
        b"nine"
    );
    store.reset_detection().unwrap();
    assert_eq!(store.detection_checkpoint().unwrap(), None);
    store
        .commit_findings(Offset(1), Some(b"one"), &[finding(0, "a")], clock.now())
        .unwrap();
    assert_eq!(store.alert_counts().unwrap().total(), 1);
}

#[test]
fn receivers_hear_of_updates_once_per_interval_or_when_it_gets_worse() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = store(dir.path(), Options::default());
    let to = endpoint(&store);
    let id = open_alert(&store, 0, "a");
    let told = || {
        let page = store.endpoint_deliveries(&to, 99, None).unwrap();
        page.deliveries
            .iter()
            .filter(|row| row.event_type == EventType::AlertUpdated)
            .count()
    };
    for at in 1..50 {
        store
            .commit_findings(Offset(at + 1), None, &[finding(at, "a")], clock.now())
            .unwrap();
    }
    assert_eq!(told(), 0);
    clock.advance(Duration::from_secs(3_600));
    store
        .commit_findings(Offset(51), None, &[finding(50, "a")], clock.now())
        .unwrap();
    assert_eq!(told(), 1);
    let worse = crate::store::AlertChange {
        severity: Severity::High,
        ..finding(51, "a")
    };
    store
        .commit_findings(Offset(52), None, &[worse], clock.now())
        .unwrap();
    assert_eq!(told(), 2);
    let alert = store.alert(&id).unwrap().unwrap();
    assert_eq!((alert.count, alert.status), (52, Status::Open));
    assert_eq!(alert.correlation_ids.len(), 20);
    assert_eq!(store.alert_history(&id, 0, 99).unwrap().len(), 3);
}

#[test]
fn sources_are_counted_over_restarts() {
    let dir = tempfile::tempdir().unwrap();
    {
        let (store, clock) = store(
            dir.path(),
            Options {
                sources_max: 2,
                ..Default::default()
            },
        );
        store.note_source("nginx", 3, clock.now());
        store.note_source("nginx", 4, clock.now());
        store.note_source("app", 1, clock.now());
        store.note_source("one too many", 1, clock.now());
        store
            .commit_findings(Offset(1), None, &[], clock.now())
            .unwrap();
    }
    let (store, _clock) = store(dir.path(), Options::default());
    let counts: Vec<_> = store
        .sources()
        .into_iter()
        .map(|s| (s.name, s.events))
        .collect();
    let expected = [
        ("(other)".to_owned(), 1),
        ("app".to_owned(), 1),
        ("nginx".to_owned(), 7),
    ];
    assert_eq!(counts, expected);
}

#[test]
fn alerts_are_found_by_every_spelling_of_an_id_they_hold() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = store(dir.path(), Options::default());
    let with = |at: u64, who: &str, id: &str| {
        clock.advance(Duration::from_secs(1));
        let change = crate::store::AlertChange {
            correlation_ids: vec![id.into()],
            ..finding(at, who)
        };
        let done = store.commit_findings(Offset(at + 1), None, &[change], clock.now());
        let done = done.unwrap();
        done.opened.into_iter().chain(done.updated).next().unwrap()
    };
    let first = with(0, "a", "5759E988-bd86-2e3f-e1be-46a994272793");
    let second = with(
        1,
        "b",
        "00-5759e988bd862e3fe1be46a994272793-00f067aa0ba902b7-01",
    );
    let check = |id: &str, limit: usize, expected: &[&String]| {
        let alerts = store.alerts_of_request(id, limit).unwrap();
        let found: Vec<&String> = alerts.iter().map(|alert| &alert.id).collect();
        assert_eq!(found, expected, "{id}");
    };
    for spelling in [
        "5759e988bd862e3fe1be46a994272793",
        "1-5759e988-bd862e3fe1be46a994272793",
        "00-5759E988BD862E3FE1BE46A994272793-00f067aa0ba902b7-01",
    ] {
        check(spelling, 9, &[&second, &first]);
    }
    check("5759e988bd862e3fe1be46a994272793", 1, &[&second]);
    check("00f067aa0ba902b7", 9, &[&second]);
    check("5759e988", 9, &[]);
    // An id that an alert has let go finds it no more; its others do.
    for at in 2..30 {
        with(at, "a", &format!("req-{at}"));
    }
    check("5759e988bd862e3fe1be46a994272793", 9, &[&second]);
    check("REQ-29", 9, &[&first]);
    check("req-2", 9, &[]);
}

#[test]
fn an_alert_that_goes_takes_the_rows_of_its_ids_along() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        alerts_max: 1,
        ..Options::default()
    };
    let (store, _clock) = store(dir.path(), options);
    open_alert(&store, 0, "a");
    let second = open_alert(&store, 1, "b");
    let rows = store.view(|tx| {
        let all = Range::prefix(b"");
        tx.scan(Table::AlertsByRequest, &all, Direction::Forward, 9)
    });
    assert_eq!(rows.unwrap().len(), 1);
    assert!(store.alerts_of_request("req-0", 9).unwrap().is_empty());
    assert_eq!(store.alerts_of_request("req-1", 9).unwrap()[0].id, second);
}
