//! The log: append, fsync, read. Every reader owns one Offset.
//!
//! - Writing (`writer.rs`): one thread, group commit without artificial delay; while one fsync runs,
//!   the next group gathers in `queue.rs`. After a failed write or fsync appends are refused until a new
//!   segment could be begun; the log tries by itself.
//! - On disk (`frame.rs`, `segment.rs`): frames of zstd with CRC32C and the hash of the frame before, in
//!   segment files named by their first offset. Every byte format is described where it is written.
//! - Opening (`recovery.rs`): bytes behind the last good frame of the last segment are a torn write that
//!   was never acknowledged, and are cut. Bytes that a following segment was begun without are the same.
//!   Anything else that is not a good frame is a gap: recorded in `gaps.json` with place and events
//!   before anyone reads past it, counted, kept on disk as it is. A frame whose damage shows only when it
//!   is read becomes a gap then.
//! - The chain over a gap: the first good frame behind it still carries the hash of the frame that is
//!   lost, and the chain goes on from there. What is before and what is behind stay provable, the link
//!   between them is not, and `verify` names the place.
//! - Reading (`reader.rs`): newest frames from memory, older ones through a small cache, else from the
//!   files; `state.rs` knows where.
//! - Deleting (`retention.rs`): whole segments, oldest first. The next segment's header keeps offset and
//!   hash, so both go on when everything is deleted.
//! - Erasing single events (`erase.rs`): their segments are written anew, and a signed receipt vouches for
//!   them (`receipts.rs`), as the chain cannot.
//!
//! A batch is acknowledged after its frames are on disk (group commit, one fsync for everything
//! that waited), readers see only what is durable, and damage is never skipped silently: it is a
//! recorded, counted gap.

mod cache;
mod cipher;
mod disk;
mod erase;
#[cfg(test)]
mod faults;
mod frame;
mod gaps;
mod pack;
mod queue;
mod raw;
mod reader;
mod receipts;
mod recovery;
mod retention;
mod segment;
mod state;
mod verify;
mod writer;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use tokio::sync::watch;

pub use frame::Frame;
pub use gaps::Gap;
pub use raw::{Link, RawFrame, SegmentHead};
pub use reader::Reader;
pub use receipts::{
    InBackup, KEY as RECEIPT_KEY, Progress, RECEIPTS_MAX, RETENTION, Receipt, Receipts, Rewritten,
    check_receipts, receipt_files,
};
pub(crate) use receipts::{RECEIPTS, is_receipt_file};
pub(crate) use recovery::FOLDER;
pub use retention::Hold;
pub use verify::{Damage, Kind as DamageKind, Report, verify};

use disk::Disk;
use state::{Shared, held};

use crate::clock::Clock;
use crate::files::keys;
use crate::metrics::Metrics;
use crate::model::{Offset, Timestamp};
use crate::redact::Batch;
use crate::tasks::Tasks;

/// From when an event is received until it is written, at most, in nanoseconds.
const WRITTEN_AFTER_MAX: i64 = 60_000_000_000;

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
    /// File with the keys that encrypt the log, 32 bytes each, the newest first; not encrypted where missing.
    pub encryption_key_file: Option<PathBuf>,
    /// Segments older than this are deleted.
    pub retention_age_days: Option<u32>,
    /// The oldest segments are deleted while the log is larger than this.
    pub retention_bytes_max: Option<u64>,
    /// Days after which events of a source are erased, where that is sooner.
    pub retention_source_days: std::collections::BTreeMap<String, std::num::NonZeroU32>,
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
            encryption_key_file: None,
            retention_age_days: Some(30),
            retention_bytes_max: None,
            retention_source_days: Default::default(),
        }
    }
}

/// Why the log could not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error("log file could not be used")]
    Io(#[from] std::io::Error),
    /// A file of the log cannot be read; named as it stands below the data directory.
    #[error("{name} cannot be read")]
    File {
        /// The file or directory.
        name: String,
        /// Why.
        source: std::io::Error,
    },
    /// A write or fsync failed; the log takes nothing until it can write again.
    #[error("log cannot write now")]
    Poisoned,
    /// The log is shutting down.
    #[error("log is closed")]
    Closed,
    /// The log has its writer already.
    #[error("log is already running")]
    Running,
    /// The key file cannot be used.
    #[error("wal.encryption_key_file: {0}")]
    Key(#[from] keys::Error),
    /// What was encrypted with a key needs it.
    #[error("log is encrypted with the key {0:08x}, which wal.encryption_key_file does not hold")]
    KeyMissing(u32),
    /// Another process has this data directory open.
    #[error("data directory is in use by another process")]
    Locked,
    /// Written by a newer version of Wardline.
    #[error("log has version {0}, this build reads 1")]
    Version(u16),
    /// Files of the log are being copied and must stay as they are.
    #[error("a backup or an evidence pack is being made")]
    Held,
    /// A record is larger than a frame can be.
    #[error("record is too large for the log")]
    TooLarge,
}

/// A file of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its first event.
    pub first: Offset,
    /// Its durable bytes.
    pub bytes: u64,
}

/// What was erased.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Events that were there.
    pub events: u64,
    /// Events in damaged places, which stay as they are.
    pub unreadable: u64,
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
    pub gaps: u64,
    /// Events in those gaps.
    pub lost_events: u64,
    /// Whether it refuses to write after a failure.
    pub is_poisoned: bool,
}

/// The log. Cheap to clone; all clones are one log.
#[derive(Clone, Debug)]
pub struct Wal(Arc<Shared>);

impl Wal {
    /// Opens the log below the data directory (`<data>/wal`), or begins one: cuts a torn tail,
    /// records damage as gaps. One process at a time.
    pub fn open(
        data: &Path,
        options: Options,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Result<Self, Error> {
        Self::open_on(Disk::Real, data, options, clock, metrics)
    }

    fn open_on(
        disk: Disk,
        data: &Path,
        options: Options,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Result<Self, Error> {
        let parts = recovery::open(data, &options, disk, clock.now(), &metrics)?;
        let shared = Shared::new(parts, options, clock, metrics);
        shared.announce();
        Ok(Self(Arc::new(shared)))
    }

    /// Starts the writer; before that, appends wait. It ends after [`Wal::close`], or when shutdown
    /// is asked for and no batch has come for a second.
    pub fn start(&self, tasks: &Tasks) -> Result<(), Error> {
        let writer = held(&self.0.writer).take().ok_or(Error::Running)?;
        let shared = self.0.clone();
        tasks.thread("wal", move |shutdown| writer.run(&shared, &shutdown))?;
        Ok(())
    }

    /// Appends the events of a batch; resolves when they are durable. Waits while the queue is
    /// full. After [`Error::Poisoned`] the events are not in the log, except that a crash at that
    /// very moment may keep them.
    pub async fn append(&self, batch: Batch) -> Result<Appended, Error> {
        if batch.is_empty() {
            return Ok(Appended {
                first: self.end(),
                count: 0,
            });
        }
        if batch
            .records()
            .any(|record| record.len() > frame::RECORD_BYTES_MAX)
        {
            return Err(Error::TooLarge);
        }
        self.0
            .queue
            .append(batch, &self.0.metrics.wal_append_waits)
            .await
    }

    /// Offset of the oldest event kept.
    #[must_use]
    pub fn first(&self) -> Offset {
        Offset(self.0.state().first())
    }

    /// Offset behind the last durable event.
    #[must_use]
    pub fn end(&self) -> Offset {
        Offset(self.0.state().end)
    }

    /// Follows [`Wal::end`].
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Offset> {
        self.0.end.subscribe()
    }

    /// What the log holds now.
    #[must_use]
    pub fn status(&self) -> Status {
        self.0.status()
    }

    /// Nothing that is there now is deleted by age or size while the hold lives, until `until` at most.
    #[must_use]
    pub fn hold(&self, until: Timestamp) -> Hold {
        self.0.hold(until)
    }

    /// The files that hold what is durable now, oldest first, how much of each does, and behind which event that ends.
    #[must_use]
    pub fn files(&self) -> (Vec<LogFile>, Offset) {
        let state = self.0.state();
        let of = |segment: &state::Segment| LogFile {
            path: segment::path(&self.0.dir, segment.first),
            first: Offset(segment.first),
            bytes: segment.bytes,
        };
        (state.segments.iter().map(of).collect(), Offset(state.end))
    }

    /// The events of the files with what was received in a time, oldest first; neighbours too, as a file is kept whole.
    #[must_use]
    pub fn written_between(
        &self,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Vec<std::ops::Range<Offset>> {
        // What was received waits a little until it is written.
        let to = to.map(|to| to.0.saturating_add(WRITTEN_AFTER_MAX));
        let is_within = |segment: &&state::Segment| {
            from.is_none_or(|from| segment.written >= from.0)
                && to.is_none_or(|to| segment.created <= to)
        };
        let state = self.0.state();
        let segments = state.segments.iter().filter(is_within);
        segments
            .map(|segment| Offset(segment.first)..Offset(segment.end))
            .collect()
    }

    /// The recorded gaps in what is kept, oldest first.
    #[must_use]
    pub fn gaps(&self) -> Vec<Gap> {
        self.0.state().gaps.list().to_vec()
    }

    /// Reads on from an offset.
    #[must_use]
    pub fn reader(&self, from: Offset) -> Reader {
        Reader::new(self.0.clone(), from)
    }

    /// The frame that holds an offset, whole; `None` where the event was deleted, lost in a gap or
    /// not written yet. Blocks.
    pub fn frame_at(&self, offset: Offset) -> Result<Option<Frame>, Error> {
        let frame = self.0.frame_from(offset)?;
        Ok(frame
            .filter(|frame| frame.first() <= offset)
            .map(Frame::whole))
    }

    /// Deletes the oldest segments that are too old or too many, none with events at or behind
    /// `keep_from`. Returns how many. Blocks.
    pub fn enforce_retention(&self, now: Timestamp, keep_from: Offset) -> Result<usize, Error> {
        self.0.retain(now, keep_from)
    }

    /// Erases events, ascending, for good: segments that hold some are written anew, and `vouch` is told each of them before its
    /// file is replaced. Those that are gone already do not count. Blocks.
    ///
    /// # Errors
    /// [`Error::Held`] while a backup copies the log; what was done by then is done, and doing it again does the rest.
    pub fn erase(
        &self,
        offsets: &[Offset],
        vouch: impl FnMut(Rewritten) -> Result<(), Error>,
    ) -> Result<Erased, Error> {
        self.0.erase(offsets, vouch)
    }

    /// Before [`Wal::start`]: makes sure that no offset before `to` is handed out again. For
    /// readers that remember more events than the log has, because the log's last bytes were
    /// damaged; the difference is recorded as a gap.
    pub fn skip_to(&self, to: Offset) -> Result<(), Error> {
        let mut writer = held(&self.0.writer);
        writer.as_mut().ok_or(Error::Running)?.skip_to(&self.0, to)
    }

    /// Writes what is queued, then ends the writer. Later appends fail with [`Error::Closed`].
    pub fn close(&self) {
        self.0.queue.close();
    }
}
