//! Delivery from a stored alert to a receiver on loopback.

mod client;
mod delivery;
mod foreign;
mod receiver;
mod tls;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use receiver::{Answer, Receiver};

use super::{Notifier, Options, Parts};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::model::Cidr;
use crate::model::{Offset, RuleRef, Severity, Timestamp};
use crate::store::{AlertChange, Delivery, Endpoint, NewEndpoint, Secret, Store};
use crate::tasks::Tasks;

/// Options that reach a receiver on this machine.
fn options() -> Options {
    Options {
        allow_insecure: true,
        allow_private_cidrs: vec![Cidr::parse("127.0.0.0/8").unwrap()],
        timeout_ms: 5_000,
        poll_interval_ms: 20,
        ..Options::default()
    }
}

/// A store and a notifier on a clock that is moved by hand.
struct Bench {
    dir: tempfile::TempDir,
    store: Store,
    clock: Clock,
    metrics: Arc<Metrics>,
    tasks: Tasks,
    notifier: Notifier,
}

impl Bench {
    fn new(options: Options) -> Self {
        let noon = Clock::manual(Timestamp(1_795_262_400_000_000_000));
        Self::in_dir(tempfile::tempdir().unwrap(), options, noon)
    }

    fn in_dir(dir: tempfile::TempDir, options: Options, clock: Clock) -> Self {
        let (metrics, tasks) = (Arc::new(Metrics::default()), Tasks::new());
        let store = Store::open(
            dir.path(),
            crate::store::Options::default(),
            clock.clone(),
            metrics.clone(),
        )
        .unwrap();
        let parts = Parts {
            store: store.clone(),
            clock: clock.clone(),
            metrics: metrics.clone(),
            tasks: tasks.clone(),
            mask: Arc::new(|text| {
                assert!(!text.contains("panic"), "a bug in redaction");
                text.replace("hunter2", "[R]")
            }),
        };
        let notifier = Notifier::new(parts, options).unwrap();
        Self {
            dir,
            store,
            clock,
            metrics,
            tasks,
            notifier,
        }
    }

    /// Another life of the same server.
    async fn restarted(self, options: Options) -> Self {
        self.stop().await;
        let Self {
            dir,
            store,
            notifier,
            clock,
            ..
        } = self;
        drop((store, notifier));
        Self::in_dir(dir, options, clock)
    }

    fn endpoint(&self, url: &str) -> (Endpoint, Secret) {
        let new = NewEndpoint {
            url: url.into(),
            ..Default::default()
        };
        self.store.add_endpoint(new).unwrap()
    }

    /// Opens an alert, and with it a message.
    fn alert(&self, at: u64) {
        let change = AlertChange {
            at: Offset(at),
            dedup_key: format!("rule|{at}"),
            rule: RuleRef {
                id: "rule".into(),
                name: "Rule".into(),
                revision: "0123456789abcdef".into(),
                tags: Vec::new(),
            },
            title: "Rule — Ümlaut \u{1f511}".into(),
            summary: "Something \"quoted\" happened.".into(),
            severity: Severity::High,
            first_seen: Timestamp(0),
            last_seen: Timestamp(0),
            value: 1,
            threshold: 1,
            entities: Vec::new(),
            correlation_ids: Vec::new(),
            sample_events: Vec::new(),
            query: "*".into(),
            labels: BTreeMap::new(),
        };
        self.store
            .commit_findings(Offset(at + 1), None, &[change], self.clock.now())
            .unwrap();
    }

    fn deliveries(&self, endpoint: &Endpoint) -> Vec<Delivery> {
        self.store
            .endpoint_deliveries(&endpoint.id, 999, None)
            .unwrap()
            .deliveries
    }

    /// Waits, at most half a minute, until it is so.
    async fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        for _ in 0..3_000 {
            if is_so() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("never: {what}");
    }

    /// Waits until the endpoint's attempts are as many.
    async fn until_attempts(&self, endpoint: &Endpoint, count: usize) {
        let attempts = || self.store.attempts(&endpoint.id, 999).unwrap().len();
        self.until("the attempts", || attempts() >= count).await;
        assert_eq!(attempts(), count);
    }

    async fn stop(&self) {
        self.tasks.stop();
        self.tasks.drained().await;
    }
}
