//! What programs and the UI may ask, route by route.
//!
//! A route exists only through its [`RouteSpec`] (`routes.rs`); `gate.rs` applies it before the handler,
//! `shell.rs` wraps whatever comes out. One noun, one file: its specs, its types, its handlers.

pub mod auth;
mod error;
mod gate;
pub(crate) mod input;
pub mod key;
mod openapi;
pub mod rate;
pub mod routes;
pub mod serve;
mod shell;
#[cfg(test)]
mod tests;
pub mod tls;
mod token;
mod when;

mod aggregate;
mod alerts;
mod backup;
mod compare;
mod context;
pub(crate) mod csv;
mod difference;
mod entity;
mod erasures;
mod events;
mod evidence;
pub(crate) mod export;
mod fields;
mod health;
mod holds;
mod inventory;
mod keys;
mod list;
mod lookup;
mod ndjson;
mod redaction;
mod requests;
mod rules;
mod search;
mod session;
mod sort;
mod sources;
mod status;
mod stream;
mod tail;
mod ui;
mod unseen;
pub mod webhooks;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use axum::Router;
use bytes::Bytes;
use serde::Deserialize;
use tokio::sync::Semaphore;

pub use error::{Error, Fault, Problem};
pub use gate::Peer;
pub(crate) use input::Query;
pub use session::offer_setup;
pub use shell::RequestId;

use crate::clock::Clock;
use crate::detect::{Detector, RulesHandle};
use crate::index::{Gone, Searcher};
use crate::metrics::Metrics;
use crate::notify::Notifier;
use crate::redact::Redactor;
use crate::store::Store;
use crate::tasks::Tasks;
use crate::wal::{Receipts, Wal};
use rate::Limiter;
use routes::{RouteSpec, Routes};

/// Settings of the API.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Requests per minute.
    pub rates: rate::Limits,
    /// How long a browser session lasts, in hours.
    pub session_hours: u32,
    /// How long a key is valid where its maker does not say, in days.
    pub key_days: u32,
    /// How long a key may be valid at most, in days.
    pub key_days_max: u32,
    /// Events of one request story at most.
    pub story_events_max: usize,
    /// Searches at work at once; more wait their turn.
    pub searches_max: usize,
    /// Exports at once.
    pub exports_max: usize,
    /// Events of one export at most.
    pub export_events_max: u64,
    /// Rows of the list of routes at most.
    pub routes_max: usize,
    /// Events of one evidence pack at most.
    pub evidence_events_max: usize,
    /// Bytes of one evidence pack at most.
    pub evidence_bytes_max: u64,
    /// Evidence packs at once: made, or on their way to a reader.
    pub evidence_packs_max: usize,
    /// Searches at once whose events are written as they are found.
    pub streams_max: usize,
    /// Live tails at once.
    pub tails_max: usize,
    /// How many events a live tail may be behind before it is taken forward.
    pub tail_lag_events_max: u64,
    /// Events of one erasure at most.
    pub erase_events_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rates: rate::Limits::default(),
            session_hours: 12,
            key_days: 90,
            key_days_max: 365,
            story_events_max: 1_000,
            searches_max: 16,
            exports_max: 8,
            export_events_max: 1_000_000,
            routes_max: 500,
            evidence_events_max: 10_000,
            evidence_bytes_max: 256 << 20,
            evidence_packs_max: 4,
            streams_max: 32,
            tails_max: 32,
            tail_lag_events_max: 100_000,
            erase_events_max: 1_000_000,
        }
    }
}

/// Everything the routes reach. The wiring hands it in whole.
#[derive(Clone, Debug)]
pub struct State {
    /// Settings.
    pub options: Options,
    /// Whether the listener speaks TLS: cookies and HSTS follow from it.
    pub is_tls: bool,
    /// Time.
    pub clock: Clock,
    /// Blocking work runs here.
    pub tasks: Tasks,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Where the data are.
    pub data_dir: PathBuf,
    /// Events by place.
    pub wal: Wal,
    /// What was erased.
    pub receipts: Arc<Receipts>,
    /// Events by query.
    pub searcher: Searcher,
    /// Alerts, webhooks, keys, sessions.
    pub store: Store,
    /// Detection rules.
    pub rules: RulesHandle,
    /// How far the rules are; `None` where they are off.
    pub detector: Option<Detector>,
    /// For what people write: it is stored and sent on as events are.
    pub redactor: Arc<Redactor>,
    /// Who sends a test message to a webhook; `None` where nothing delivers.
    pub notifier: Option<Notifier>,
}

/// The state with what the routes share among themselves.
#[derive(Debug)]
pub struct Served {
    state: State,
    limiter: Limiter,
    searches: Arc<Semaphore>,
    tails: Arc<Semaphore>,
    exports: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    backups: Arc<Semaphore>,
    packs: Arc<Semaphore>,
    openapi: OnceLock<Bytes>,
}

/// What every handler holds.
pub type Shared = Arc<Served>;

impl std::ops::Deref for Served {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl Served {
    fn new(state: State) -> Self {
        Self {
            limiter: Limiter::new(state.options.rates, state.metrics.clone()),
            searches: Arc::new(Semaphore::new(state.options.searches_max.max(1))),
            exports: Arc::new(Semaphore::new(state.options.exports_max)),
            streams: Arc::new(Semaphore::new(state.options.streams_max)),
            // Two would read the same disk at once.
            backups: Arc::new(Semaphore::new(1)),
            packs: Arc::new(Semaphore::new(state.options.evidence_packs_max)),
            tails: Arc::new(Semaphore::new(state.options.tails_max)),
            openapi: OnceLock::new(),
            state,
        }
    }

    /// What a person wrote, without secrets.
    pub(crate) fn clean(&self, text: &str) -> String {
        self.redactor.redact_text(text).into_owned()
    }

    /// Runs blocking work on the store or the log.
    ///
    /// # Errors
    /// The work's own, as an answer; a panic of it is [`Error::Internal`].
    pub async fn ask<T, E>(
        self: &Arc<Self>,
        work: impl FnOnce(&State) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        E: Into<Error> + Send + 'static,
    {
        let shared = self.clone();
        match self.tasks.blocking(move || work(&shared.state)).await {
            Some(result) => result.map_err(Into::into),
            None => Err(Error::internal("blocking work panicked")),
        }
    }

    /// Like [`Served::ask`], for searches: only so many at once, the others wait; they end where nobody waits for them.
    ///
    /// # Errors
    /// As [`Served::ask`].
    pub async fn search<T, E>(
        self: &Arc<Self>,
        work: impl FnOnce(&State) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        E: Into<Error> + Send + 'static,
    {
        let slot = self.searches.clone().acquire_owned().await;
        let slot = slot.map_err(Error::internal)?;
        // The slot goes with the work, which ends soon after this future is dropped: the caller has gone or is out of time.
        let gone = Gone::default();
        let _waiting = gone.when_dropped();
        let work = move |state: &State| {
            let _slot = slot;
            let searcher = state.searcher.until(&gone);
            work(&State {
                searcher,
                ..state.clone()
            })
        };
        self.ask(work).await
    }
}

/// Every route of the API and of the doors that `doors` adds, ready to be served or called in a test.
pub fn router(state: State, doors: impl FnOnce(&mut Routes)) -> Router {
    build(state, doors).0
}

/// The router with the specs it was made from.
fn build(state: State, doors: impl FnOnce(&mut Routes)) -> (Router, Vec<&'static RouteSpec>) {
    let shared = Arc::new(Served::new(state));
    let mut routes = Routes::new(shared.clone());
    doors(&mut routes);
    for register in NOUNS {
        register(&mut routes);
    }
    let specs = routes.specs().to_vec();
    let document = openapi::document(&specs, shared.limiter.limits());
    let text = serde_json::to_vec(&document).unwrap_or_default();
    let _first = shared.openapi.set(text.into()).is_ok();
    (routes.finish(), specs)
}

/// One line per noun.
const NOUNS: &[fn(&mut Routes)] = &[
    search::register,
    lookup::register,
    aggregate::register,
    compare::register,
    requests::register,
    events::register,
    context::register,
    entity::register,
    inventory::register,
    tail::register,
    export::register,
    evidence::register,
    fields::register,
    alerts::register,
    backup::register,
    erasures::register,
    holds::register,
    rules::register,
    webhooks::register,
    keys::register,
    session::register,
    sources::register,
    redaction::register,
    status::register,
    health::register,
    ui::register,
];
