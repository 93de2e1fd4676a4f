//! State that is not events: alerts and their history, the outbox, webhook endpoints, keys, sessions, checkpoints.
//!
//! One writer at a time, many readers, each on its own snapshot. What belongs together is written together: an
//! alert, its history entry, its deliveries and the checkpoint of the reader that caused them are one durable
//! batch, or none of it happened. All calls block; async callers go through `tasks.blocking`.

mod access;
mod alerts;
mod checkpoints;
mod dump;
mod endpoints;
mod engine;
mod findings;
mod forget;
mod holds;
mod ids;
mod inbox;
mod lifecycle;
mod message;
mod outbox;
mod prune;
mod requests;
mod seal;
mod settle;
mod sources;
#[cfg(test)]
mod tests;
mod tx;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde::Deserialize;

pub use access::{ApiKey, Scope, Session, SetupToken};
pub use alerts::{Action, AlertCounts, AlertFilter, AlertPage, HistoryEntry, StatusCounts};
pub use checkpoints::{Checkpoint, known_checkpoint};
pub use dump::load;
pub use endpoints::{
    Endpoint, EndpointChange, EndpointHealth, EndpointState, NewEndpoint, endpoint_matches,
};
pub use engine::Kind as EngineKind;
pub use findings::{AlertChange, Committed};
pub use holds::LegalHold;
pub use ids::fresh as fresh_id;
pub use inbox::{Letter, leave};
pub use lifecycle::Act;
pub use message::{EventType, render_ping};
pub use outbox::{
    Attempt, Delivery, DeliveryPage, DeliveryState, DueDelivery, Message, Settlement, Verdict,
};
pub use seal::Secret;
pub use sources::SourceSeen;

use crate::clock::Clock;
use crate::files;
use crate::metrics::Metrics;
use engine::Engine;
use tx::Tx;

/// Settings of the store.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The embedded database.
    pub engine: EngineKind,
    /// Alerts kept in all; beyond it the oldest closed ones go first.
    pub alerts_max: u64,
    /// Days a closed alert is kept.
    pub alerts_closed_days: u32,
    /// Alerts looked at for one page of a list; a page may then be short and still have a cursor.
    pub alerts_scan_max: usize,
    /// History entries of one alert; notes beyond it are refused.
    pub history_per_alert_max: u64,
    /// Least time between two `alert.updated` messages of one alert, in seconds.
    pub alert_updated_interval_s: u32,
    /// Size of a message body; sample events are left out where it would be larger.
    pub message_bytes_max: usize,
    /// Webhook endpoints.
    pub endpoints_max: usize,
    /// Deliveries that wait for one endpoint; more are recorded as skipped.
    pub deliveries_pending_max: u64,
    /// Attempts remembered per endpoint.
    pub attempts_per_endpoint_max: u64,
    /// Days a message is kept once nothing waits for it.
    pub messages_days: u32,
    /// Days of nothing but failures after which an endpoint is disabled.
    pub endpoint_failing_days: u32,
    /// Hours a replaced signing secret keeps signing.
    pub secret_grace_hours: u32,
    /// API keys, revoked ones included.
    pub keys_max: usize,
    /// Sessions; the ones that end first make room.
    pub sessions_max: usize,
    /// Sources remembered.
    pub sources_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            engine: EngineKind::default(),
            alerts_max: 100_000,
            alerts_closed_days: 90,
            alerts_scan_max: 20_000,
            history_per_alert_max: 1_000,
            alert_updated_interval_s: 3_600,
            message_bytes_max: 256 << 10,
            endpoints_max: 100,
            deliveries_pending_max: 100_000,
            attempts_per_endpoint_max: 1_000,
            messages_days: 7,
            endpoint_failing_days: 5,
            secret_grace_hours: 24,
            keys_max: 1_000,
            sessions_max: 1_000,
            sources_max: 10_000,
        }
    }
}

/// Why the store could not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process has the store open.
    #[error("the state is in use by another wardline process")]
    Locked,
    /// The file is not a store, or too damaged to open.
    #[error("the state file cannot be opened: {0}")]
    Open(String),
    /// The disk said no. The next call tries again from a freshly opened file.
    #[error("state file i/o: {0}")]
    Io(#[from] std::io::Error),
    /// The database said no.
    #[error("state engine: {0}")]
    Engine(String),
    /// A value is not what was written.
    #[error("a record of the table {table} is damaged")]
    Damaged {
        /// The table's name.
        table: &'static str,
    },
    /// The thing asked for does not exist.
    #[error("no such {0}")]
    Missing(&'static str),
    /// Somebody changed it in the meantime.
    #[error("it is now at version {version}")]
    Conflict {
        /// The version it has.
        version: u64,
    },
    /// The alert's status does not allow it.
    #[error("not possible for an alert that is {}", lifecycle::status_name(*.from))]
    Illegal {
        /// The status it has.
        from: crate::model::Status,
    },
    /// A bound was hit.
    #[error("at most {max} {what}")]
    Full {
        /// What there would be too many of.
        what: &'static str,
        /// The bound.
        max: u64,
    },
    /// A signing secret does not open with the key file beside the store.
    #[error("a webhook secret cannot be read with the key file of this data directory; rotate it")]
    Sealed,
    /// The system's random numbers failed.
    #[error("no random numbers")]
    Random,
}

struct Inner {
    dir: PathBuf,
    options: Options,
    clock: Clock,
    metrics: Arc<Metrics>,
    /// `None` after a failure until opening succeeds again.
    engine: RwLock<Option<Engine>>,
    /// Held for a whole update: there is one writer.
    writer: Mutex<()>,
    sealer: seal::Sealer,
    sources: sources::Tally,
    uses: access::Uses,
    outbox_signal: tokio::sync::Notify,
}

/// The state of this server. Cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

impl Store {
    /// Opens or creates the store under `dir`. The directory and all in it are for this user alone.
    ///
    /// # Errors
    /// [`Error::Locked`] where another process has it, [`Error::Open`] where it cannot be read.
    pub fn open(
        dir: &Path,
        options: Options,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Result<Self, Error> {
        files::private_dir(dir)?;
        // The key first: a state without its key means that the key was lost.
        let sealer = seal::Sealer::open(dir)?;
        let engine = Engine::open(options.engine, dir)?;
        let store = Self(Arc::new(Inner {
            dir: dir.to_path_buf(),
            sources: sources::Tally::new(options.sources_max),
            uses: access::Uses::default(),
            options,
            clock,
            metrics,
            engine: RwLock::new(Some(engine)),
            writer: Mutex::default(),
            sealer,
            outbox_signal: tokio::sync::Notify::new(),
        }));
        store.load_sources()?;
        store.collect_inbox()?;
        store.show_pending()?;
        Ok(store)
    }

    /// Reads on one snapshot.
    fn view<T>(&self, read: impl FnOnce(&Tx<'_>) -> Result<T, Error>) -> Result<T, Error> {
        self.reopen_if_closed()?;
        let engine = self.0.engine.read().unwrap_or_else(PoisonError::into_inner);
        let engine = engine.as_ref().ok_or_else(closed)?;
        read(&Tx::new(engine.snapshot()?))
    }

    /// Changes made together or not at all, by the one writer; `change` reads what it has written.
    /// Durable on return. Nothing is written where `change` fails.
    fn update<T>(&self, change: impl FnOnce(&mut Tx<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let _alone = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.reopen_if_closed()?;
        let (result, effects) = {
            let engine = self.0.engine.read().unwrap_or_else(PoisonError::into_inner);
            let engine = engine.as_ref().ok_or_else(closed)?;
            let mut tx = Tx::new(engine.snapshot()?);
            let value = change(&mut tx)?;
            let (batch, effects) = tx.into_batch();
            (engine.commit(&batch).map(|()| value), effects)
        };
        match result {
            Ok(value) => {
                self.0.metrics.deliveries_skipped.add(effects.skipped);
                self.0.metrics.alerts_evicted.add(effects.evicted);
                if effects.wakes_outbox {
                    self.0.outbox_signal.notify_one();
                }
                Ok(value)
            }
            Err(error) => {
                // Whether the batch is on disk is unknown now; what the file says after opening it again counts.
                tracing::error!(%error, "state not written, opening it again");
                *self
                    .0
                    .engine
                    .write()
                    .unwrap_or_else(PoisonError::into_inner) = None;
                Err(error)
            }
        }
    }

    fn reopen_if_closed(&self) -> Result<(), Error> {
        if self
            .0
            .engine
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
        {
            return Ok(());
        }
        let mut engine = self
            .0
            .engine
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if engine.is_none() {
            *engine = Some(Engine::open(self.0.options.engine, &self.0.dir)?);
        }
        Ok(())
    }

    /// The settings it was opened with.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.0.options
    }
}

fn closed() -> Error {
    Error::Engine("closed after a failure".into())
}
