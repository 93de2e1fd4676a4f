//! The loop from the outbox to the endpoints and back.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand;
use bytes::Bytes;
use serde::Serialize;
use tokio::task::JoinSet;
use utoipa::ToSchema;

use super::egress::{Egress, Failure};
use super::retry::{self, Outcome, decide};
use super::{Options, webhook};
use crate::clock::{Clock, Stopwatch};
use crate::metrics::Metrics;
use crate::model::Timestamp;
use crate::store::{
    Attempt, DueDelivery, Error as StoreError, Settlement, Store, Verdict, render_ping,
};
use crate::tasks::{Shutdown, Tasks};

/// Takes secrets out of a text: what a receiver answers is written to the delivery log.
pub type Mask = Arc<dyn Fn(&str) -> String + Send + Sync>;

/// Pause before a result that the store did not take is offered to it again.
const SETTLE_AGAIN: Duration = Duration::from_secs(1);

/// What a notifier works with.
#[derive(Clone)]
pub struct Parts {
    /// The outbox.
    pub store: Store,
    /// Time for schedules and signatures.
    pub clock: Clock,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Where the loop runs.
    pub tasks: Tasks,
    /// For the delivery log.
    pub mask: Mask,
}

struct Inner {
    parts: Parts,
    egress: Egress,
    options: Arc<Options>,
}

/// Delivers what is in the outbox. Cheap to clone.
#[derive(Clone)]
pub struct Notifier(Arc<Inner>);

impl std::fmt::Debug for Notifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Notifier")
    }
}

/// The result of a test message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Ping {
    /// Whether the endpoint answered with 2xx.
    pub ok: bool,
    /// The status, where there was an answer.
    pub status: Option<u16>,
    /// Code of the failure, where there was one.
    pub error: Option<String>,
    /// How long it took.
    pub duration_ms: u64,
    /// The beginning of the answer's body, redacted.
    pub response_head: String,
}

/// One request and how it ended.
struct Sent {
    outcome: Outcome,
    at: Timestamp,
    duration_ms: u64,
    response_head: String,
}

impl Notifier {
    /// A notifier that does not run yet.
    ///
    /// # Errors
    /// [`Failure::Setup`] where TLS cannot be set up.
    pub fn new(parts: Parts, options: Options) -> Result<Self, Failure> {
        let options = Arc::new(options);
        let egress = Egress::new(options.clone())?;
        Ok(Self(Arc::new(Inner {
            parts,
            egress,
            options,
        })))
    }

    /// Starts delivering, until shutdown. Requests under way then are given their time.
    pub fn start(&self) {
        let shutdown = self.0.parts.tasks.shutdown();
        self.0
            .parts
            .tasks
            .spawn("notify", run(self.clone(), shutdown));
    }

    /// Checks an endpoint's address before it is stored; see [`Egress::check_url`].
    ///
    /// # Errors
    /// A [`Failure`] whose text may be shown to the user.
    pub fn check_url(&self, url: &str) -> Result<(), Failure> {
        self.0.egress.check_url(url).map(drop)
    }

    /// Sends a signed `ping` to an endpoint, whatever its state, and waits for the answer. Not retried, not logged.
    ///
    /// # Errors
    /// [`StoreError::Missing`], or the store's own.
    pub async fn ping(&self, endpoint_id: &str) -> Result<Ping, StoreError> {
        let (store, id) = (self.0.parts.store.clone(), endpoint_id.to_owned());
        let (endpoint, secrets, message_id) = self
            .blocking(move || {
                let endpoint = store.endpoint(&id)?.ok_or(StoreError::Missing("webhook"))?;
                Ok((
                    endpoint,
                    store.signing_secrets(&id)?,
                    store.fresh_message_id()?,
                ))
            })
            .await?;
        let now = self.0.parts.clock.now();
        let body = render_ping(&message_id, endpoint_id, now);
        let post = webhook::post(&endpoint.url, &message_id, body.into(), &secrets, now);
        let sent = self.send(post).await;
        let error = decide(sent.outcome, 1, now, 0).error;
        Ok(Ping {
            ok: error.is_none(),
            status: status(sent.outcome),
            error: error.map(Into::into),
            duration_ms: sent.duration_ms,
            response_head: sent.response_head,
        })
    }

    async fn blocking<T: Send + 'static>(
        &self,
        run: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let panicked = || Err(StoreError::Engine("a call into the state panicked".into()));
        self.0
            .parts
            .tasks
            .blocking(run)
            .await
            .unwrap_or_else(panicked)
    }

    async fn send(&self, post: super::Post) -> Sent {
        let at = self.0.parts.clock.now();
        let watch = Stopwatch::start();
        let answer = self.0.egress.post(post).await;
        let duration_ms = u64::try_from(watch.elapsed().as_millis()).unwrap_or(u64::MAX);
        let now = self.0.parts.clock.now();
        let (outcome, response_head) = match answer {
            Err(failure) => (Outcome::Failed(failure), String::new()),
            Ok(answer) => {
                let asked = answer
                    .retry_after
                    .and_then(|value| retry::retry_after(&value, now));
                let outcome = Outcome::Answered {
                    status: answer.status,
                    retry_after: asked,
                };
                (outcome, self.shown(&answer.head))
            }
        };
        Sent {
            outcome,
            at,
            duration_ms,
            response_head,
        }
    }

    /// The beginning of an answer for people: redacted first and cut then, so that no half of a secret stays.
    fn shown(&self, head: &[u8]) -> String {
        let mut text = (self.0.parts.mask)(&String::from_utf8_lossy(head));
        text.truncate(text.floor_char_boundary(self.0.options.response_log_bytes_max));
        text
    }

    /// One attempt of one delivery, with all that follows from it.
    async fn attempt(&self, due: DueDelivery) {
        let store = self.0.parts.store.clone();
        let (endpoint_id, message_id) = (due.endpoint.id.clone(), due.message_id.clone());
        let loaded = self
            .blocking(move || {
                Ok((
                    store.message_body(&message_id)?,
                    store.signing_secrets(&endpoint_id)?,
                ))
            })
            .await;
        let now = self.0.parts.clock.now();
        let sent = match loaded {
            Ok((Some(body), secrets)) if !secrets.is_empty() => {
                let body = Bytes::from(body);
                let post = webhook::post(&due.endpoint.url, &due.message_id, body, &secrets, now);
                Ok(self.send(post).await)
            }
            Ok((None, _)) => Err((Verdict::Aborted, "message_missing")),
            Err(StoreError::Damaged { .. }) => Err((Verdict::Aborted, "message_damaged")),
            Err(StoreError::Sealed) | Ok(_) => Err((Verdict::Aborted, "secret_unreadable")),
            Err(error) => {
                tracing::warn!(%error, "delivery put off");
                return tokio::time::sleep(SETTLE_AGAIN).await;
            }
        };
        let settlement = match sent {
            Ok(sent) => settlement(&due, &sent, self.0.parts.clock.now()),
            Err((verdict, code)) => unsendable(&due, verdict, code, now),
        };
        self.settle(settlement).await;
    }

    /// Offers the result to the store until it takes it: sending again instead would be the worse repetition.
    async fn settle(&self, settlement: Settlement) {
        let metrics = &self.0.parts.metrics;
        match settlement.verdict {
            Verdict::Delivered => metrics.deliveries_sent.inc(),
            Verdict::Retry(_) => metrics.deliveries_retried.inc(),
            Verdict::Exhausted | Verdict::Aborted => metrics.deliveries_failed.inc(),
        }
        let settlement = Arc::new(settlement);
        let mut shutdown = self.0.parts.tasks.shutdown();
        loop {
            let (store, settlement) = (self.0.parts.store.clone(), settlement.clone());
            let settled = self.blocking(move || store.settle(&settlement)).await;
            let Err(error) = settled else { return };
            tracing::warn!(%error, "the result of a delivery is not written yet");
            if shutdown.is_requested() {
                return;
            }
            tokio::select! {
                () = shutdown.requested() => {}
                () = tokio::time::sleep(SETTLE_AGAIN) => {}
            }
        }
    }
}

fn status(outcome: Outcome) -> Option<u16> {
    match outcome {
        Outcome::Answered { status, .. } => Some(status),
        Outcome::Failed(_) => None,
    }
}

fn settlement(due: &DueDelivery, sent: &Sent, now: Timestamp) -> Settlement {
    let decision = decide(sent.outcome, due.number, now, jitter_permille());
    let attempt = Attempt {
        message_id: due.message_id.clone(),
        endpoint_id: due.endpoint.id.clone(),
        number: due.number,
        at: sent.at,
        duration_ms: sent.duration_ms,
        status: status(sent.outcome),
        error: decision.error.map(Into::into),
        response_head: sent.response_head.clone(),
    };
    let disable = decision.disable.map(Into::into);
    Settlement {
        attempt,
        verdict: decision.verdict,
        hold_until: decision.hold_until,
        disable,
    }
}

fn unsendable(due: &DueDelivery, verdict: Verdict, code: &str, at: Timestamp) -> Settlement {
    let attempt = Attempt {
        message_id: due.message_id.clone(),
        endpoint_id: due.endpoint.id.clone(),
        number: due.number,
        at,
        duration_ms: 0,
        status: None,
        error: Some(code.into()),
        response_head: String::new(),
    };
    Settlement {
        attempt,
        verdict,
        hold_until: None,
        disable: None,
    }
}

/// Even where there is no randomness a retry may go out: without spread, on time.
fn jitter_permille() -> u32 {
    let mut bytes = [0u8; 4];
    match rand::fill(&mut bytes) {
        Ok(()) => u32::from_le_bytes(bytes) % (retry::JITTER_PERMILLE_MAX + 1),
        Err(_) => 0,
    }
}

/// What is under way.
#[derive(Default)]
struct Flight {
    /// They end with the loop that owns them.
    tasks: JoinSet<()>,
    deliveries: HashMap<tokio::task::Id, DueDelivery>,
    /// The endpoint served last: the next round begins behind it.
    last_endpoint: String,
}

impl Flight {
    fn per_endpoint(&self) -> HashMap<&str, usize> {
        let mut counts = HashMap::new();
        for due in self.deliveries.values() {
            let count: &mut usize = counts.entry(due.endpoint.id.as_str()).or_default();
            *count = count.saturating_add(1);
        }
        counts
    }

    /// Forgets a task that has ended; returns its delivery where it panicked.
    fn ended(
        &mut self,
        result: Result<(tokio::task::Id, ()), tokio::task::JoinError>,
    ) -> Option<DueDelivery> {
        match result {
            Ok((id, ())) => {
                self.deliveries.remove(&id);
                None
            }
            Err(error) => self.deliveries.remove(&error.id()),
        }
    }

    fn start(&mut self, due: DueDelivery, run: impl Future<Output = ()> + Send + 'static) {
        let task = self.tasks.spawn(run);
        self.deliveries.insert(task.id(), due);
    }
}

/// A panic is a failed attempt like any other, or the delivery would be made again at once and for ever.
fn settle_panicked(notifier: &Notifier, flight: &mut Flight, due: DueDelivery) {
    tracing::error!("a delivery ended abnormally");
    let now = notifier.0.parts.clock.now();
    let decision = decide(
        Outcome::Failed(Failure::Broken),
        due.number,
        now,
        jitter_permille(),
    );
    let settlement = unsendable(&due, decision.verdict, "internal", now);
    let worker = notifier.clone();
    flight.start(due, async move { worker.settle(settlement).await });
}

async fn run(notifier: Notifier, mut shutdown: Shutdown) {
    let options = notifier.0.options.clone();
    let poll = Duration::from_millis(options.poll_interval_ms);
    let mut flight = Flight::default();
    let mut pruned_at = None;
    while !shutdown.is_requested() {
        start_due(&notifier, &mut flight).await;
        prune(&notifier, &mut pruned_at).await;
        tokio::select! {
            () = shutdown.requested() => {}
            () = notifier.0.parts.store.outbox_changed() => {}
            Some(result) = flight.tasks.join_next_with_id() => {
                if let Some(due) = flight.ended(result) {
                    settle_panicked(&notifier, &mut flight, due);
                }
            }
            () = tokio::time::sleep(poll) => {}
        }
    }
    while flight.tasks.join_next().await.is_some() {}
}

/// Starts what is due and fits.
async fn start_due(notifier: &Notifier, flight: &mut Flight) {
    let options = &notifier.0.options;
    let room = options.concurrency_max.saturating_sub(flight.tasks.len());
    if room == 0 {
        return;
    }
    // Deliveries under way are still due, so twice as many are looked at.
    let each = options.concurrency_per_endpoint_max.saturating_mul(2);
    let store = notifier.0.parts.store.clone();
    let look = move || {
        store.show_pending()?;
        store.due(each)
    };
    let due = match notifier.blocking(look).await {
        Ok(due) => due,
        Err(error) => return tracing::warn!(%error, "the outbox cannot be read"),
    };
    for due in chosen(due, flight, room, options.concurrency_per_endpoint_max) {
        flight.last_endpoint.clone_from(&due.endpoint.id);
        let (worker, mine) = (notifier.clone(), due.clone());
        flight.start(due, async move { worker.attempt(mine).await });
    }
}

/// One of each endpoint in turn, beginning behind the one served last, then a second of each.
fn chosen(
    due: Vec<DueDelivery>,
    flight: &Flight,
    room: usize,
    per_endpoint_max: usize,
) -> Vec<DueDelivery> {
    let under_way: HashSet<(&str, &str)> = flight
        .deliveries
        .values()
        .map(|due| (due.endpoint.id.as_str(), due.message_id.as_str()))
        .collect();
    let mut counts = flight.per_endpoint();
    let mut ranked: Vec<((usize, bool, usize), &DueDelivery)> = Vec::new();
    for (at, due) in due.iter().enumerate() {
        let endpoint = due.endpoint.id.as_str();
        if under_way.contains(&(endpoint, due.message_id.as_str())) {
            continue;
        }
        let count = counts.entry(endpoint).or_default();
        if *count < per_endpoint_max {
            let is_behind = endpoint > flight.last_endpoint.as_str();
            ranked.push(((*count, !is_behind, at), due));
            *count = count.saturating_add(1);
        }
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked
        .into_iter()
        .take(room)
        .map(|(_, due)| due.clone())
        .collect()
}

async fn prune(notifier: &Notifier, pruned_at: &mut Option<Timestamp>) {
    let now = notifier.0.parts.clock.now();
    let interval = i64::try_from(notifier.0.options.prune_interval_s).unwrap_or(i64::MAX);
    let interval_ns = interval.saturating_mul(1_000_000_000);
    if pruned_at.is_some_and(|at| now.0.saturating_sub(at.0) < interval_ns) {
        return;
    }
    *pruned_at = Some(now);
    let store = notifier.0.parts.store.clone();
    if let Err(error) = notifier.blocking(move || store.prune()).await {
        tracing::warn!(%error, "old state is not removed");
    }
}
