use std::sync::Arc;
use std::time::Duration;

use super::store;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::model::Timestamp;
use crate::store::engine::Table;
use crate::store::{ApiKey, Error, Letter, Options, Scope, Session, SetupToken, Store, leave};

fn key(id: &str, expires_at: Option<Timestamp>) -> ApiKey {
    ApiKey {
        id: id.into(),
        name: format!("key {id}"),
        scopes: vec![Scope::Search],
        secret_sha256: [7; 32],
        created_at: Timestamp(0),
        created_by: "test".into(),
        expires_at,
        revoked_at: None,
        last_used_at: None,
    }
}

fn session(token: u8, key_id: Option<&str>, expires_at: Timestamp) -> Session {
    Session {
        token_sha256: [token; 32],
        name: "eve".into(),
        scopes: vec![Scope::Admin],
        key_id: key_id.map(Into::into),
        created_at: Timestamp(0),
        expires_at,
    }
}

#[test]
fn revoking_a_key_ends_its_sessions_and_no_others() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = store(dir.path(), Options::default());
    let end = Timestamp(clock.now().0 + 1_000);
    store.add_api_key(&key("k1", None)).unwrap();
    store.add_session(&session(1, Some("k1"), end)).unwrap();
    store.add_session(&session(2, None, end)).unwrap();
    let revoked = store.revoke_api_key("k1").unwrap();
    assert!(!revoked.is_live(clock.now()));
    assert_eq!(store.api_key("k1").unwrap(), Some(revoked));
    assert!(store.session(&[1; 32]).unwrap().is_none());
    assert!(store.session(&[2; 32]).unwrap().is_some());
    store.end_session(&[2; 32]).unwrap();
    assert!(store.session(&[2; 32]).unwrap().is_none());
}

#[test]
fn a_full_table_of_keys_forgets_dead_ones_only() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _clock) = store(
        dir.path(),
        Options {
            keys_max: 2,
            ..Default::default()
        },
    );
    store.add_api_key(&key("k1", None)).unwrap();
    assert!(matches!(
        store.add_api_key(&key("k1", None)),
        Err(Error::Conflict { .. })
    ));
    store.add_api_key(&key("k2", Some(Timestamp(1)))).unwrap();
    store.add_api_key(&key("k3", None)).unwrap();
    assert!(store.api_key("k2").unwrap().is_none());
    assert!(matches!(
        store.add_api_key(&key("k4", None)),
        Err(Error::Full { .. })
    ));
    assert_eq!(store.api_keys().unwrap().len(), 2);
}

#[test]
fn a_full_table_of_sessions_drops_the_one_that_ends_first() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = store(
        dir.path(),
        Options {
            sessions_max: 2,
            ..Default::default()
        },
    );
    let end = |more: i64| Timestamp(clock.now().0 + more);
    for (token, more) in [(1, 50), (2, 20), (3, 90)] {
        store.add_session(&session(token, None, end(more))).unwrap();
    }
    let is_there = |token: u8| store.session(&[token; 32]).unwrap().is_some();
    assert_eq!([1, 2, 3].map(is_there), [true, false, true]);
}

#[test]
fn a_key_remembers_its_last_use_to_the_hour() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = store(dir.path(), Options::default());
    store.add_api_key(&key("k1", None)).unwrap();
    let used = || {
        store.note_key_used(&store.api_key("k1").unwrap().unwrap());
        store.api_key("k1").unwrap().unwrap().last_used_at
    };
    let first = clock.now();
    assert_eq!(used(), Some(first));
    clock.advance(Duration::from_secs(3_599));
    assert_eq!(used(), Some(first));
    clock.advance(Duration::from_secs(1));
    assert_eq!(used(), Some(clock.now()));
}

#[test]
fn the_use_of_a_key_is_written_when_flushed_and_not_before() {
    let dir = tempfile::tempdir().unwrap();
    let (opened, clock) = store(dir.path(), Options::default());
    opened.add_api_key(&key("k1", None)).unwrap();
    opened.add_api_key(&key("k2", None)).unwrap();
    opened.note_key_used(&key("k1", None));
    opened.note_key_used(&key("gone", None));
    let written = |store: &Store| -> Option<Timestamp> {
        let row = store.view(|tx| tx.record::<ApiKey>(Table::Keys, b"k1"));
        row.unwrap().unwrap().last_used_at
    };
    assert_eq!(written(&opened), None);
    assert_eq!(
        opened.api_keys().unwrap()[0].last_used_at,
        Some(clock.now())
    );
    opened.flush_key_uses().unwrap();
    assert_eq!(written(&opened), Some(clock.now()));
    assert!(opened.api_key("gone").unwrap().is_none());
    assert_eq!(opened.api_key("k2").unwrap().unwrap().last_used_at, None);
}

#[test]
fn a_way_in_is_a_live_key_with_all_scopes_or_a_good_setup_token() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = store(dir.path(), Options::default());
    let has = || store.has_way_in().unwrap();
    let admin = |id: &str, end: Timestamp| ApiKey {
        scopes: vec![Scope::Admin],
        ..key(id, Some(end))
    };
    let soon = Timestamp(clock.now().0 + 1_000);
    assert!(!has());
    store.add_api_key(&key("search", None)).unwrap();
    store.add_api_key(&admin("ended", clock.now())).unwrap();
    assert!(!has(), "neither opens the keys");
    let token = |expires_at| SetupToken {
        token_sha256: [9; 32],
        expires_at: Some(expires_at),
    };
    store.put_setup_token(&token(clock.now())).unwrap();
    assert!(!has(), "a link that ended opens nothing");
    store.put_setup_token(&token(soon)).unwrap();
    assert!(has());
    assert!(store.redeem_setup_token(&[9; 32]).unwrap());
    assert!(!has());
    store.add_api_key(&admin("live", soon)).unwrap();
    assert!(has());
    store.revoke_api_key("live").unwrap();
    assert!(!has());
}

#[test]
fn the_setup_token_works_once_and_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = store(dir.path(), Options::default());
    let token = SetupToken {
        token_sha256: [9; 32],
        expires_at: None,
    };
    assert!(!store.redeem_setup_token(&[9; 32]).unwrap());
    store.put_setup_token(&token).unwrap();
    assert!(!store.redeem_setup_token(&[8; 32]).unwrap());
    assert!(store.redeem_setup_token(&[9; 32]).unwrap());
    assert!(!store.redeem_setup_token(&[9; 32]).unwrap());
    store
        .put_setup_token(&SetupToken {
            expires_at: Some(clock.now()),
            ..token
        })
        .unwrap();
    assert!(!store.redeem_setup_token(&[9; 32]).unwrap());
}

#[test]
fn a_key_left_beside_a_running_server_counts_at_once_and_one_left_before_it_at_start() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(Timestamp(5));
    leave(dir.path(), &Letter::AddKey(key("early", None)), &clock).unwrap();
    let store = Store::open(
        dir.path(),
        Options::default(),
        clock.clone(),
        Arc::new(Metrics::default()),
    )
    .unwrap();
    assert!(store.api_key("early").unwrap().is_some());
    leave(dir.path(), &Letter::AddKey(key("late", None)), &clock).unwrap();
    assert_eq!(store.collect_inbox().unwrap(), 1);
    assert_eq!(store.collect_inbox().unwrap(), 0);
    assert!(store.api_key("late").unwrap().is_some());
}

#[test]
fn a_letter_that_is_none_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = store(dir.path(), Options::default());
    leave(dir.path(), &Letter::AddKey(key("known", None)), &clock).unwrap();
    store.add_api_key(&key("known", None)).unwrap();
    std::fs::write(dir.path().join("inbox/000.json"), b"{\"add_key\":").unwrap();
    assert_eq!(store.collect_inbox().unwrap(), 2);
    assert_eq!(store.collect_inbox().unwrap(), 0);
}

#[test]
fn a_second_process_is_refused_clearly() {
    let dir = tempfile::tempdir().unwrap();
    let (_store, clock) = store(dir.path(), Options::default());
    let again = Store::open(
        dir.path(),
        Options::default(),
        clock,
        Arc::new(Metrics::default()),
    );
    assert_eq!(
        again.unwrap_err().to_string(),
        "the state is in use by another wardline process"
    );
}

#[test]
fn letters_may_be_taken_by_several_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = store(dir.path(), Options::default());
    for round in 0..10 {
        let ids: Vec<String> = (0..8).map(|number| format!("k{round}-{number}")).collect();
        for id in &ids {
            leave(dir.path(), &Letter::AddKey(key(id, None)), &clock).unwrap();
        }
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    store.collect_inbox().unwrap();
                    // Whoever took it: from here on it is there.
                    assert!(ids.iter().all(|id| store.api_key(id).unwrap().is_some()));
                });
            }
        });
    }
}
