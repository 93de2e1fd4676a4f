//! The reader of the log that turns events into alerts.
//!
//! A thread reads the log from its own offset, shows each event to the rules (`wardline_detections`), and
//! writes alerts, their deliveries, the state of the rules and the offset in one store transaction, so
//! that a crash at any moment neither loses nor doubles an alert.

mod alert;
mod lookup;
mod rules;
mod worker;

#[cfg(test)]
mod tests;

pub use rules::{Prepared, RuleInfo, RuleProblem, RulesHandle, rule_files};

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use wardline_detections::Lookup;

use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::model::{Event, Offset};
use crate::store::Store;
use crate::tasks::Tasks;
use crate::wal::Wal;

/// Settings of detection.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Whether events are looked at.
    pub enabled: bool,
    /// Directory with the operator's own rules (`*.yml`, read recursively); none: shipped rules alone.
    pub rules_dir: Option<PathBuf>,
    /// Whether the rules that come with Wardline are used.
    pub shipped_rules: bool,
    /// Whether a rule whose own tests fail is refused.
    pub require_tests: bool,
    /// Files read from `rules_dir` at most.
    pub rule_files_max: usize,
    /// Size of one rule file at most.
    pub rule_file_bytes_max: u64,
    /// Events between two checkpoints at most.
    pub checkpoint_events: u64,
    /// Time between two checkpoints; longer where the state is so large that writing it takes more than
    /// a twentieth of that.
    pub checkpoint_interval_ms: u64,
    /// Findings wait so long at most for others to be written with.
    pub commit_delay_ms: u64,
    /// Findings written together at most.
    pub commit_findings_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            enabled: true,
            rules_dir: None,
            shipped_rules: true,
            require_tests: true,
            rule_files_max: 10_000,
            rule_file_bytes_max: 1 << 20,
            checkpoint_events: 2_000_000,
            checkpoint_interval_ms: 30_000,
            commit_delay_ms: 200,
            commit_findings_max: 256,
        }
    }
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directory of rules cannot be read.
    #[error("rules directory {path} cannot be read: {kind}", path = .0.display(), kind = .1)]
    RulesDir(std::path::PathBuf, std::io::ErrorKind),
    /// A reload found bad rules; the rules in use stay.
    #[error("{0} rules refused, the rules in use stay")]
    Refused(usize),
    /// The store cannot be read.
    #[error("detection state cannot be read")]
    Store(#[from] crate::store::Error),
    /// The system's random numbers failed.
    #[error("no random numbers")]
    Random,
    /// The thread could not be started.
    #[error("detection thread: {0}")]
    Thread(#[source] std::io::Error),
}

/// What detection works with.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The log it reads.
    pub wal: Wal,
    /// Where alerts and its own state go.
    pub store: Store,
    /// The rules.
    pub rules: RulesHandle,
    /// The time alerts are opened at; event time decides everything else.
    pub clock: Clock,
    /// Counters.
    pub metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct Progress {
    seen: AtomicU64,
    saved: AtomicU64,
}

/// Detection at work. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Detector(Arc<Progress>);

impl Detector {
    /// Reads on where the last life ended. The thread runs until shutdown, then looks at what is in the log
    /// for up to two seconds and writes its state.
    ///
    /// # Errors
    /// Where the state cannot be read, or no thread started.
    pub fn start(parts: Parts, options: Options, tasks: &Tasks) -> Result<Self, Error> {
        let progress = Arc::new(Progress::default());
        let worker = worker::Worker::open(parts, options, Arc::clone(&progress))?;
        tasks
            .thread("detect", move |shutdown| worker.run(&shutdown))
            .map_err(Error::Thread)?;
        Ok(Self(progress))
    }

    /// Behind the last event the rules have seen.
    #[must_use]
    pub fn seen(&self) -> Offset {
        Offset(self.0.seen.load(Ordering::Acquire))
    }

    /// Behind the last event that is in the stored state: the log must be kept from here.
    #[must_use]
    pub fn saved(&self) -> Offset {
        Offset(self.0.saved.load(Ordering::Acquire))
    }
}

/// Gives rules the fields of events, for back-testing: the same names and slots as the live rules use.
#[derive(Debug)]
pub struct Binder(lookup::Binder);

impl Binder {
    /// For the fields of an engine ([`wardline_detections::Engine::fields`]).
    #[must_use]
    pub fn new(names: &[String]) -> Self {
        Self(lookup::Binder::new(names))
    }

    /// The event as rules see it.
    pub fn bind<'e>(&'e mut self, event: &'e Event<'e>) -> impl Lookup + 'e {
        self.0.bind(Cow::Owned(lookup::fields(event)))
    }
}
