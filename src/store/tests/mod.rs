//! What several of the store's tests start from.

mod access;
mod alerts;
mod disk;
mod findings;
mod outbox;
mod transaction;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::{AlertChange, NewEndpoint, Options, Store};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::model::{Alert, Offset, RuleRef, Severity, Status, Timestamp};

/// An open alert with little in it.
pub(super) fn alert(id: &str) -> Alert {
    Alert {
        id: id.into(),
        version: 1,
        rule: RuleRef {
            id: "rule-1".into(),
            name: "Rule one".into(),
            revision: "0123456789abcdef".into(),
            tags: Vec::new(),
        },
        dedup_key: "rule-1|1.2.3.4".into(),
        title: "Rule one: 1.2.3.4".into(),
        summary: "Something happened.".into(),
        severity: Severity::High,
        status: Status::Open,
        resolution: None,
        assignee: None,
        first_seen: Timestamp(0),
        last_seen: Timestamp(0),
        opened_at: Timestamp(0),
        updated_at: Timestamp(0),
        acknowledged_at: None,
        count: 1,
        value: 5,
        threshold: 5,
        entities: Vec::new(),
        correlation_ids: Vec::new(),
        sample_events: Vec::new(),
        query: "client.ip:1.2.3.4".into(),
        previous_id: None,
        labels: BTreeMap::new(),
        url: "/alerts/alt_1".into(),
    }
}

/// A store at noon of 2026-11-21 on a clock that stands still.
pub(super) fn store(dir: &Path, options: Options) -> (Store, Clock) {
    let clock = Clock::manual(Timestamp::from_millis(1_795_262_400_000));
    let store = Store::open(dir, options, clock.clone(), Arc::new(Metrics::default())).unwrap();
    (store, clock)
}

/// A finding of rule one at `at`, for the group `who`.
pub(super) fn finding(at: u64, who: &str) -> AlertChange {
    AlertChange {
        at: Offset(at),
        dedup_key: format!("rule-1|{who}"),
        rule: alert("").rule,
        title: format!("Rule one: {who}"),
        summary: "Something happened.".into(),
        severity: Severity::Medium,
        first_seen: Timestamp(5),
        last_seen: Timestamp(9),
        value: 7,
        threshold: 5,
        entities: Vec::new(),
        correlation_ids: vec![format!("req-{at}")],
        sample_events: Vec::new(),
        query: format!("client.ip:{who}"),
        labels: BTreeMap::new(),
    }
}

/// Opens an alert for `who` at `at`; returns its id.
pub(super) fn open_alert(store: &Store, at: u64, who: &str) -> String {
    let now = store.0.clock.now();
    let done = store
        .commit_findings(Offset(at + 1), None, &[finding(at, who)], now)
        .unwrap();
    done.opened.first().unwrap().clone()
}

/// An endpoint for everything; returns its id.
pub(super) fn endpoint(store: &Store) -> String {
    let new = NewEndpoint {
        url: "https://example.com/hook/secret".into(),
        ..Default::default()
    };
    store.add_endpoint(new).unwrap().0.id
}
