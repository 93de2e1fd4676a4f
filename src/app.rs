//! Wiring: build in floor order, run, drain in reverse. The file is the architecture.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::api::{self, State};
use crate::clock::Clock;
use crate::config::Config;
use crate::detect::Detector;
use crate::index::Index;
use crate::ingest;
use crate::metrics::Metrics;
use crate::notify::Notifier;
use crate::pipeline::{Intake, Pipeline};
use crate::redact::{Redactor, TagKey};
use crate::store::Store;
use crate::tasks::Tasks;
use crate::wal::Wal;
use crate::{detect, index, notify, pipeline, redact, store, wal};

/// How long a drain may take before what is left is abandoned.
pub const DRAIN_MAX: Duration = Duration::from_secs(60);
/// How often housekeeping looks around: retention, letters from the command line.
const HOUSEKEEPING: Duration = Duration::from_secs(2);

/// Why the server could not start. Says what to mend.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data directory cannot be used.
    #[error("cannot use the data directory {0}: {1}")]
    DataDir(std::path::PathBuf, std::io::Error),
    /// The key of redaction tags.
    #[error("redaction key: {0}")]
    Key(#[from] redact::KeyError),
    /// The log.
    #[error("log: {0}")]
    Log(#[from] wal::Error),
    /// The state store.
    #[error("state: {0}")]
    Store(#[from] store::Error),
    /// The index.
    #[error("index: {0}")]
    Index(#[from] index::Error),
    /// The rules or their thread.
    #[error("detection: {0}")]
    Detect(#[from] detect::Error),
    /// Webhooks.
    #[error("webhooks: {0}")]
    Notify(#[from] notify::Error),
    /// The pipeline.
    #[error("pipeline: {0}")]
    Pipeline(#[from] pipeline::Error),
    /// Followed files.
    #[error("followed files: {0}")]
    Ingest(#[from] ingest::Error),
    /// The listener.
    #[error("{0}")]
    Serve(#[from] api::ServeError),
}
