//! The log: append, fsync, read. Every reader owns one Offset.
//!
//! A batch is acknowledged after its frames are on disk (group commit, one fsync for everything that waited), readers
//! see only what is durable, and damage is never skipped silently: it is a recorded, counted gap.

mod frame;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::watch;

pub use frame::Frame;

use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::model::{Offset, Timestamp};
use crate::redact::Batch;
use crate::tasks::Tasks;

/// Settings of the log.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// A segment file is closed before it grows beyond this.
    pub segment_bytes_max: u64,
    /// A segment file older than this is closed too, so that retention by age has days to delete.
    pub segment_age_hours_max: u32,
    /// Unpacked bytes of a frame; a larger record gets a frame of its own.
    pub frame_bytes_max: usize,
    /// Compression level of zstd.
    pub zstd_level: i32,
    /// Bytes of records waiting to be written; `append` waits for room.
    pub queue_bytes_max: usize,
    /// Bytes of records written under one fsync.
    pub group_bytes_max: usize,
    /// Newest frames kept unpacked in memory.
    pub tail_cache_bytes_max: usize,
    /// Older frames kept unpacked in memory.
    pub frame_cache_frames_max: usize,
    /// Closed segments whose files are kept open for reading.
    pub open_segments_max: usize,
    /// Between two attempts to write again after a failure.
    pub probe_interval_ms: u64,
    /// Segments older than this are deleted.
    pub retention_age_days: Option<u32>,
    /// The oldest segments are deleted while the log is larger than this.
    pub retention_bytes_max: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes_max: 64 << 20,
            segment_age_hours_max: 24,
            frame_bytes_max: 128 << 10,
            zstd_level: 1,
            queue_bytes_max: 64 << 20,
            group_bytes_max: 4 << 20,
            tail_cache_bytes_max: 32 << 20,
            frame_cache_frames_max: 64,
            open_segments_max: 16,
            probe_interval_ms: 1000,
            retention_age_days: Some(30),
            retention_bytes_max: None,
        }
    }
}

/// Why the log could not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error("log file could not be used")]
    Io(#[from] std::io::Error),
    /// A write or fsync failed; the log takes nothing until it can write again.
    #[error("log cannot write now")]
    Poisoned,
    /// The log is shutting down.
    #[error("log is closed")]
    Closed,
    /// The log has its writer already.
    #[error("log is already running")]
    Running,
    /// Another process has this data directory open.
    #[error("data directory is in use by another process")]
    Locked,
    /// Written by a newer version of Wardline.
    #[error("log has version {0}, this build reads 1")]
    Version(u16),
    /// A record is larger than a frame can be.
    #[error("record is too large for the log")]
    TooLarge,
}

/// Where a batch was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Offset of its first event; the others follow without a hole.
    pub first: Offset,
    /// How many events.
    pub count: u64,
}

/// What the log holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Oldest event.
    pub first: Offset,
    /// Behind the newest durable event.
    pub end: Offset,
    /// Bytes on disk.
    pub bytes: u64,
    /// Segment files.
    pub segments: usize,
    /// Recorded gaps in what is retained.
    pub gaps: usize,
    /// Events in those gaps.
    pub lost_events: u64,
    /// Whether it refuses to write after a failure.
    pub is_poisoned: bool,
}

/// The log. Cheap to clone; all clones are one log.
#[derive(Clone, Debug)]
pub struct Wal {
    end: Arc<watch::Sender<Offset>>,
}

impl Wal {
    /// Opens the log below the data directory (`<dir>/wal`), or begins one; repairs a torn tail, records damage as gaps.
    pub fn open(
        _dir: &Path,
        _options: Options,
        _clock: Clock,
        _metrics: Arc<Metrics>,
    ) -> Result<Self, Error> {
        Ok(Self {
            end: Arc::new(watch::Sender::new(Offset(0))),
        })
    }

    /// Starts the writer. It ends after [`Wal::close`], or when shutdown is asked for and no batch came for a second.
    pub fn start(&self, _tasks: &Tasks) -> Result<(), Error> {
        Ok(())
    }

    /// Appends the events of a batch; resolves when they are durable. Waits while the queue is full.
    #[expect(clippy::unused_async, reason = "the face comes first")]
    pub async fn append(&self, _batch: Batch) -> Result<Appended, Error> {
        Err(Error::Closed)
    }

    /// Offset of the oldest event kept.
    #[must_use]
    pub fn first(&self) -> Offset {
        Offset(0)
    }

    /// Offset behind the last durable event.
    #[must_use]
    pub fn end(&self) -> Offset {
        *self.end.borrow()
    }

    /// Follows [`Wal::end`].
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Offset> {
        self.end.subscribe()
    }

    /// What the log holds now.
    #[must_use]
    pub fn status(&self) -> Status {
        Status::default()
    }

    /// Reads on from an offset.
    #[must_use]
    pub fn reader(&self, from: Offset) -> Reader {
        Reader { at: from }
    }

    /// The frame that holds an offset; `None` where it was deleted, lost in a gap or not written yet. Blocks.
    pub fn frame_at(&self, _offset: Offset) -> Result<Option<Frame>, Error> {
        Ok(None)
    }

    /// Deletes the oldest segments that are too old or too many, none that holds events at or behind `keep_from`.
    /// Returns how many. Blocks.
    pub fn enforce_retention(&self, _now: Timestamp, _keep_from: Offset) -> Result<usize, Error> {
        Ok(0)
    }

    /// Before [`Wal::start`]: makes sure that no offset before `to` is handed out again. For a reader that remembers
    /// more events than the log has, because the log's last bytes were damaged; the difference is recorded as a gap.
    pub fn skip_to(&self, _to: Offset) -> Result<(), Error> {
        Ok(())
    }

    /// Writes what is queued, then ends the writer. Later appends fail with [`Error::Closed`].
    pub fn close(&self) {}
}

/// A place in the log that moves on.
#[derive(Debug)]
pub struct Reader {
    at: Offset,
}

impl Reader {
    /// Offset of the event that comes next.
    #[must_use]
    pub fn at(&self) -> Offset {
        self.at
    }

    /// The next frame, starting at [`Reader::at`] or, behind a gap or deleted segments, later. Waits up to `wait` for one
    /// to be written; `None` where none was. Blocks.
    pub fn next(&mut self, _wait: Duration) -> Result<Option<Frame>, Error> {
        Ok(None)
    }
}
