//! What several of the store's tests start from.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::{Options, Store};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::model::{Alert, RuleRef, Severity, Status, Timestamp};

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
