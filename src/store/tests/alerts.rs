use std::time::Duration;

use super::{open_alert, store};
use crate::model::{ResolutionReason, Severity, Status};
use crate::store::{Act, Action, AlertFilter, Error, Options};

fn by(actor: &str) -> Act {
    Act {
        actor: actor.into(),
        ..Default::default()
    }
}

#[test]
fn an_alert_goes_through_its_life_and_history_tells() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = store(dir.path(), Options::default());
    let id = open_alert(&store, 0, "a");
    clock.advance(Duration::from_secs(5));
    let acked = store
        .ack_alert(&id, &by("eve"), Some("bob".into()))
        .unwrap();
    assert_eq!((acked.status, acked.version), (Status::Acknowledged, 2));
    assert_eq!(acked.assignee.as_deref(), Some("bob"));
    assert_eq!(acked.acknowledged_at, Some(clock.now()));
    let note = Act {
        note: Some("looks odd".into()),
        ..by("bob")
    };
    store.note_alert(&id, &note).unwrap();
    let comment = Act {
        note: Some("the scanner".into()),
        ..by("bob")
    };
    let closed = store
        .close_alert(&id, &comment, ResolutionReason::Testing)
        .unwrap();
    assert_eq!(closed.resolution.unwrap().comment, "the scanner");
    let open = store.reopen_alert(&id, &by("eve")).unwrap();
    assert_eq!(
        (open.assignee, open.resolution, open.version),
        (None, None, 5)
    );

    let history = store.alert_history(&id, 0, 99).unwrap();
    let told: Vec<_> = history
        .iter()
        .map(|entry| (entry.seq, entry.action, entry.actor.as_str()))
        .collect();
    let expected = [
        (1, Action::Opened, "detection"),
        (2, Action::Acknowledged, "eve"),
        (3, Action::Noted, "bob"),
        (4, Action::Closed, "bob"),
        (5, Action::Reopened, "eve"),
    ];
    assert_eq!(told, expected);
    assert_eq!(history[2].note.as_deref(), Some("looks odd"));
    assert_eq!(store.alert_history(&id, 3, 1).unwrap()[0].seq, 4);
}

#[test]
fn a_stale_version_is_a_conflict_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _clock) = store(dir.path(), Options::default());
    let id = open_alert(&store, 0, "a");
    let stale = Act {
        expected: Some(9),
        ..by("eve")
    };
    let error = store.ack_alert(&id, &stale, None).unwrap_err();
    assert!(matches!(error, Error::Conflict { version: 1 }), "{error:?}");
    assert_eq!(store.alert(&id).unwrap().unwrap().version, 1);
    assert_eq!(store.alert_history(&id, 0, 9).unwrap().len(), 1);
}

#[test]
fn an_illegal_transition_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _clock) = store(dir.path(), Options::default());
    let id = open_alert(&store, 0, "a");
    store
        .close_alert(&id, &by("eve"), ResolutionReason::Other)
        .unwrap();
    let error = store.ack_alert(&id, &by("eve"), None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "not possible for an alert that is closed"
    );
    let error = store.ack_alert("alt_none", &by("eve"), None).unwrap_err();
    assert!(matches!(error, Error::Missing("alert")));
}

#[test]
fn one_of_many_racing_acks_wins() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _clock) = store(dir.path(), Options::default());
    let id = open_alert(&store, 0, "a");
    let won: usize = std::thread::scope(|scope| {
        let race = |number: u32| {
            let (store, id) = (store.clone(), id.clone());
            move || {
                let act = Act {
                    expected: Some(1),
                    ..by(&format!("user-{number}"))
                };
                usize::from(store.ack_alert(&id, &act, None).is_ok())
            }
        };
        let threads: Vec<_> = (0..8).map(|number| scope.spawn(race(number))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    assert_eq!(won, 1);
}

#[test]
fn pages_cover_all_alerts_once_newest_first() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = store(dir.path(), Options::default());
    let mut ids: Vec<_> = (0..23)
        .map(|number| {
            clock.advance(Duration::from_millis(u64::from(number % 3 == 0)));
            open_alert(&store, number, &format!("who-{number}"))
        })
        .collect();
    let mut seen = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = store
            .alerts(&AlertFilter::default(), 5, cursor.as_deref())
            .unwrap();
        assert!(page.alerts.len() <= 5);
        seen.extend(
            page.alerts
                .into_iter()
                .map(|alert| (alert.opened_at, alert.id)),
        );
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert!(
        seen.windows(2).all(|pair| pair[0] > pair[1]),
        "newest first"
    );
    let mut seen: Vec<_> = seen.into_iter().map(|(_, id)| id).collect();
    seen.sort();
    ids.sort();
    assert_eq!(seen, ids);
    assert!(
        store
            .alerts(&AlertFilter::default(), 5, Some("%%"))
            .is_err()
    );
}

#[test]
fn filters_combine() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _clock) = store(dir.path(), Options::default());
    let first = open_alert(&store, 0, "Alpha");
    open_alert(&store, 1, "beta");
    store.ack_alert(&first, &by("eve"), None).unwrap();
    let count = |filter: AlertFilter| store.alerts(&filter, 9, None).unwrap().alerts.len();
    let acked = vec![Status::Acknowledged];
    assert_eq!(
        count(AlertFilter {
            statuses: acked.clone(),
            ..Default::default()
        }),
        1
    );
    assert_eq!(
        count(AlertFilter {
            severities: vec![Severity::High],
            ..Default::default()
        }),
        0
    );
    assert_eq!(
        count(AlertFilter {
            rule: Some("Rule one".into()),
            ..Default::default()
        }),
        2
    );
    assert_eq!(
        count(AlertFilter {
            text: Some("aLPHA".into()),
            ..Default::default()
        }),
        1
    );
    assert_eq!(
        count(AlertFilter {
            text: Some("req-1".into()),
            ..Default::default()
        }),
        1
    );
    let none = AlertFilter {
        statuses: acked,
        text: Some("beta".into()),
        ..Default::default()
    };
    assert_eq!(count(none), 0);
}

#[test]
fn counts_follow_every_change() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _clock) = store(dir.path(), Options::default());
    let ids: Vec<_> = (0..4)
        .map(|n| open_alert(&store, n, &format!("{n}")))
        .collect();
    store.ack_alert(&ids[0], &by("eve"), None).unwrap();
    store
        .close_alert(&ids[1], &by("eve"), ResolutionReason::Benign)
        .unwrap();
    let counts = store.alert_counts().unwrap();
    assert_eq!(
        (
            counts.open.medium,
            counts.acknowledged.medium,
            counts.closed.medium
        ),
        (2, 1, 1)
    );
    assert_eq!(counts.total(), 4);
}

#[test]
fn old_closed_alerts_are_forgotten_and_open_ones_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = store(dir.path(), Options::default());
    let closed = open_alert(&store, 0, "closed");
    let open = open_alert(&store, 1, "open");
    store
        .close_alert(&closed, &by("eve"), ResolutionReason::Benign)
        .unwrap();
    store.prune().unwrap();
    assert!(store.alert(&closed).unwrap().is_some());
    clock.advance(Duration::from_secs(91 * 86_400));
    store.prune().unwrap();
    assert!(store.alert(&closed).unwrap().is_none());
    assert!(store.alert_history(&closed, 0, 9).unwrap().is_empty());
    assert!(store.alert(&open).unwrap().is_some());
    assert_eq!(store.alert_counts().unwrap().total(), 1);
}

#[test]
fn at_the_bound_the_oldest_closed_alert_makes_room() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = store(
        dir.path(),
        Options {
            alerts_max: 3,
            ..Default::default()
        },
    );
    let ids: Vec<_> = (0..3)
        .map(|n| {
            clock.advance(Duration::from_secs(1));
            open_alert(&store, n, &format!("{n}"))
        })
        .collect();
    store
        .close_alert(&ids[1], &by("eve"), ResolutionReason::Benign)
        .unwrap();
    open_alert(&store, 3, "new");
    assert!(store.alert(&ids[0]).unwrap().is_some());
    assert!(store.alert(&ids[1]).unwrap().is_none());
    open_alert(&store, 4, "newer");
    assert!(store.alert(&ids[0]).unwrap().is_none());
    assert_eq!(store.alert_counts().unwrap().total(), 3);
    assert_eq!(store.0.metrics.alerts_evicted.get(), 2);
}
