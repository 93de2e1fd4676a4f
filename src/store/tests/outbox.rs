use std::time::Duration;

use super::{endpoint, open_alert, store};
use crate::model::{ResolutionReason, Severity, Timestamp};
use crate::store::{
    Act, Attempt, DeliveryState, EndpointChange, EndpointState, Error, EventType, NewEndpoint,
    Options, Settlement, Store, Verdict,
};

fn attempt(store: &Store, endpoint: &str, message: &str, number: u32) -> Attempt {
    Attempt {
        message_id: message.into(),
        endpoint_id: endpoint.into(),
        number,
        at: store.0.clock.now(),
        duration_ms: 3,
        status: Some(500),
        error: Some("server_error".into()),
        response_head: String::new(),
    }
}

fn settle(store: &Store, attempt: Attempt, verdict: Verdict) {
    let settlement = Settlement {
        attempt,
        verdict,
        hold_until: None,
        disable: None,
    };
    store.settle(&settlement).unwrap();
}

#[test]
fn the_outbox_holds_a_delivery_per_endpoint_that_wants_it() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _clock) = store(dir.path(), Options::default());
    let all = endpoint(&store);
    let severe = NewEndpoint {
        severity_min: Some(Severity::High),
        ..Default::default()
    };
    store.add_endpoint(severe).unwrap();
    let other = NewEndpoint {
        rules: vec!["another".into()],
        ..Default::default()
    };
    store.add_endpoint(other).unwrap();
    let closed = NewEndpoint {
        event_types: vec![EventType::AlertClosed],
        ..Default::default()
    };
    let closed = store.add_endpoint(closed).unwrap().0.id;

    let id = open_alert(&store, 0, "a");
    let due = store.due(9).unwrap();
    assert_eq!(due.len(), 1);
    assert_eq!(
        (due[0].endpoint.id.as_str(), due[0].number),
        (all.as_str(), 1)
    );
    let body = store.message_body(&due[0].message_id).unwrap().unwrap();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["type"], "alert.opened");
    assert_eq!(body["id"], due[0].message_id.as_str());
    assert_eq!(body["data"]["id"], id.as_str());

    let act = Act {
        actor: "eve".into(),
        ..Default::default()
    };
    store
        .close_alert(&id, &act, ResolutionReason::Benign)
        .unwrap();
    let rows = store.alert_deliveries(&id, 9, None).unwrap().deliveries;
    let to: Vec<_> = rows.iter().map(|row| row.endpoint_id.as_str()).collect();
    assert_eq!(to.len(), 3);
    assert_eq!(to.iter().filter(|to| **to == closed).count(), 1);
}

#[test]
fn a_retry_comes_due_in_its_time_and_a_settled_delivery_never() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = store(dir.path(), Options::default());
    let to = endpoint(&store);
    open_alert(&store, 0, "a");
    let message = store.due(9).unwrap()[0].message_id.clone();
    let later = Timestamp(clock.now().0 + 5_000_000_000);
    settle(
        &store,
        attempt(&store, &to, &message, 1),
        Verdict::Retry(later),
    );
    assert!(store.due(9).unwrap().is_empty());
    clock.advance(Duration::from_secs(5));
    let due = store.due(9).unwrap();
    assert_eq!(
        (due[0].message_id.as_str(), due[0].number),
        (message.as_str(), 2)
    );
    settle(
        &store,
        attempt(&store, &to, &message, 2),
        Verdict::Delivered,
    );
    clock.advance(Duration::from_secs(999));
    assert!(store.due(9).unwrap().is_empty());
    // A second settlement of the same attempt is too late.
    settle(
        &store,
        attempt(&store, &to, &message, 2),
        Verdict::Retry(later),
    );
    assert!(store.due(9).unwrap().is_empty());
    let page = store.endpoint_deliveries(&to, 9, None).unwrap();
    assert_eq!(
        (page.deliveries[0].state, page.deliveries[0].attempts),
        (DeliveryState::Delivered, 2)
    );
    let health = store.endpoint_health(&to).unwrap();
    assert_eq!(
        (health.pending, health.failing_since, health.attempts),
        (0, None, 2)
    );
    let again = store.resend(&to, &message).unwrap();
    assert_eq!((again.state, again.attempts), (DeliveryState::Pending, 0));
    assert_eq!(store.due(9).unwrap()[0].message_id, message);
}

#[test]
fn due_deliveries_are_oldest_first_and_shared_between_endpoints() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = store(dir.path(), Options::default());
    let (first, second) = (endpoint(&store), endpoint(&store));
    for number in 0..5 {
        open_alert(&store, number, &format!("{number}"));
        clock.advance(Duration::from_secs(1));
    }
    let due = store.due(2).unwrap();
    let of = |id: &str| -> Vec<String> {
        let rows = due.iter().filter(|due| due.endpoint.id == id);
        rows.map(|due| due.message_id.clone()).collect()
    };
    assert_eq!((of(&first).len(), of(&second)), (2, of(&first)));
    assert!(of(&first).is_sorted());
}

#[test]
fn a_held_or_paused_endpoint_waits_and_a_disabled_one_is_skipped() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = store(dir.path(), Options::default());
    let to = endpoint(&store);
    open_alert(&store, 0, "a");
    open_alert(&store, 1, "b");
    let message = store.due(1).unwrap()[0].message_id.clone();
    let until = Timestamp(clock.now().0 + 60_000_000_000);
    let settlement = Settlement {
        attempt: attempt(&store, &to, &message, 1),
        verdict: Verdict::Retry(clock.now()),
        hold_until: Some(until),
        disable: None,
    };
    store.settle(&settlement).unwrap();
    assert!(store.due(9).unwrap().is_empty());
    clock.advance(Duration::from_secs(60));
    assert_eq!(store.due(9).unwrap().len(), 2);

    let state = |state| EndpointChange {
        state: Some(state),
        ..Default::default()
    };
    store
        .change_endpoint(&to, None, state(EndpointState::Paused))
        .unwrap();
    assert!(store.due(9).unwrap().is_empty());
    store
        .change_endpoint(&to, None, state(EndpointState::Disabled))
        .unwrap();
    open_alert(&store, 2, "c");
    store.prune().unwrap();
    store
        .change_endpoint(&to, None, state(EndpointState::Enabled))
        .unwrap();
    assert!(store.due(9).unwrap().is_empty());
    let page = store.endpoint_deliveries(&to, 9, None).unwrap();
    let states: Vec<_> = page.deliveries.iter().map(|row| row.state).collect();
    assert_eq!(states, [DeliveryState::Skipped; 2]);
    assert_eq!(store.endpoint_health(&to).unwrap().pending, 0);
}

#[test]
fn an_endpoint_that_only_fails_for_days_is_disabled() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = store(dir.path(), Options::default());
    let to = endpoint(&store);
    for number in 0..2 {
        open_alert(&store, number, &format!("{number}"));
        let message = store.due(9).unwrap()[0].message_id.clone();
        settle(
            &store,
            attempt(&store, &to, &message, 10),
            Verdict::Exhausted,
        );
        let is_last = number == 1;
        let expected = if is_last {
            EndpointState::Disabled
        } else {
            EndpointState::Enabled
        };
        assert_eq!(store.endpoint(&to).unwrap().unwrap().state, expected);
        clock.advance(Duration::from_secs(5 * 86_400));
    }
    assert_eq!(
        store.endpoint(&to).unwrap().unwrap().reason.as_deref(),
        Some("failing")
    );
}

#[test]
fn bounds_of_the_outbox_hold() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        deliveries_pending_max: 2,
        attempts_per_endpoint_max: 3,
        endpoints_max: 1,
        ..Default::default()
    };
    let (store, clock) = store(dir.path(), options);
    let to = endpoint(&store);
    let error = store.add_endpoint(NewEndpoint::default()).unwrap_err();
    assert!(matches!(error, Error::Full { max: 1, .. }), "{error:?}");
    for number in 0..3 {
        open_alert(&store, number, &format!("{number}"));
        clock.advance(Duration::from_secs(1));
    }
    assert_eq!(store.due(9).unwrap().len(), 2);
    assert_eq!(store.0.metrics.deliveries_skipped.get(), 1);
    let page = store.endpoint_deliveries(&to, 1, None).unwrap();
    assert_eq!(page.deliveries[0].last_error.as_deref(), Some("queue_full"));
    let page = store
        .endpoint_deliveries(&to, 9, page.next_cursor.as_deref())
        .unwrap();
    assert_eq!((page.deliveries.len(), page.next_cursor), (2, None));
    let message = store.due(9).unwrap()[0].message_id.clone();
    for number in 1..=5 {
        let again = Verdict::Retry(clock.now());
        settle(&store, attempt(&store, &to, &message, number), again);
    }
    let numbers: Vec<_> = store
        .attempts(&to, 99)
        .unwrap()
        .iter()
        .map(|attempt| attempt.number)
        .collect();
    assert_eq!(numbers, [5, 4, 3]);
}

#[test]
fn old_messages_go_once_nothing_waits_for_them() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = store(dir.path(), Options::default());
    let to = endpoint(&store);
    let id = open_alert(&store, 0, "a");
    open_alert(&store, 1, "b");
    let due = store.due(9).unwrap();
    let done = &due.iter().find(|due| {
        let body = store.message_body(&due.message_id).unwrap().unwrap();
        String::from_utf8(body).unwrap().contains(&id)
    });
    let done = done.unwrap().message_id.clone();
    settle(&store, attempt(&store, &to, &done, 1), Verdict::Delivered);
    clock.advance(Duration::from_secs(8 * 86_400));
    store.prune().unwrap();
    assert_eq!(store.message_body(&done).unwrap(), None);
    let left = store.alert_deliveries(&id, 9, None).unwrap();
    assert_eq!((left.deliveries.len(), left.next_cursor), (0, None));
    assert_eq!(store.due(9).unwrap().len(), 1);
}

#[test]
fn deleting_an_endpoint_leaves_nothing_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _clock) = store(dir.path(), Options::default());
    let to = endpoint(&store);
    open_alert(&store, 0, "a");
    store.delete_endpoint(&to).unwrap();
    assert!(store.due(9).unwrap().is_empty());
    assert!(
        store
            .endpoint_deliveries(&to, 9, None)
            .unwrap()
            .deliveries
            .is_empty()
    );
    assert!(store.signing_secrets(&to).unwrap().is_empty());
    assert!(matches!(store.delete_endpoint(&to), Err(Error::Missing(_))));
}

#[test]
fn a_replaced_secret_signs_for_a_day_more_unless_it_leaked() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = store(dir.path(), Options::default());
    let (made, first) = store.add_endpoint(NewEndpoint::default()).unwrap();
    let second = store.rotate_endpoint_secret(&made.id, false).unwrap();
    assert_eq!(
        store.signing_secrets(&made.id).unwrap(),
        [second.clone(), first]
    );
    clock.advance(Duration::from_secs(24 * 3_600));
    assert_eq!(store.signing_secrets(&made.id).unwrap(), [second]);
    let third = store.rotate_endpoint_secret(&made.id, true).unwrap();
    assert_eq!(store.signing_secrets(&made.id).unwrap(), [third]);
}

#[test]
fn no_secret_stands_in_the_files_in_the_clear() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _clock) = store(dir.path(), Options::default());
    let (_, secret) = store.add_endpoint(NewEndpoint::default()).unwrap();
    let text = secret.reveal();
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let holds = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
            assert!(
                !holds(secret.bytes()) && !holds(&text.as_bytes()[6..]),
                "{path:?}"
            );
        }
    }
}

#[test]
fn urls_are_shown_without_their_secrets() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _clock) = store(dir.path(), Options::default());
    let made = store.endpoint(&endpoint(&store)).unwrap().unwrap();
    assert_eq!(made.masked_url(), "https://example.com/…");
    assert!(!format!("{made:?}").contains("secret"));
}

#[test]
fn deliveries_of_an_alert_come_page_by_page() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = store(dir.path(), Options::default());
    for _ in 0..3 {
        endpoint(&store);
    }
    let id = open_alert(&store, 0, "a");
    let act = Act::default();
    clock.advance(Duration::from_secs(1));
    store.ack_alert(&id, &act, None).unwrap();
    let all = store.alert_deliveries(&id, 99, None).unwrap();
    assert_eq!((all.deliveries.len(), &all.next_cursor), (6, &None));
    for limit in 1..7 {
        let (mut found, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let page = store
                .alert_deliveries(&id, limit, cursor.as_deref())
                .unwrap();
            assert!(page.deliveries.len() <= limit);
            found.extend(page.deliveries);
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(found, all.deliveries, "{limit}");
    }
    assert!(store.alert_deliveries(&id, 9, Some("x")).is_err());
}

#[test]
fn messages_that_lost_their_endpoint_hide_no_older_ones() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = store(dir.path(), Options::default());
    let gone = endpoint(&store);
    let opened_only = NewEndpoint {
        url: "https://example.com/hook".into(),
        event_types: vec![EventType::AlertOpened],
        ..Default::default()
    };
    let stays = store.add_endpoint(opened_only).unwrap().0.id;
    let id = open_alert(&store, 0, "a");
    for _ in 0..4 {
        clock.advance(Duration::from_secs(1));
        store.ack_alert(&id, &Act::default(), None).unwrap();
        clock.advance(Duration::from_secs(1));
        store.reopen_alert(&id, &Act::default()).unwrap();
    }
    store.delete_endpoint(&gone).unwrap();
    store.prune().unwrap();
    let mut page = store.alert_deliveries(&id, 1, None).unwrap();
    let mut found = page.deliveries;
    while let Some(cursor) = page.next_cursor {
        page = store.alert_deliveries(&id, 1, Some(&cursor)).unwrap();
        found.extend(page.deliveries);
    }
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].endpoint_id, stays);
}
