//! What the writer has made durable, shared with all readers.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, Weak};

use tokio::sync::watch;

use super::cache::{Frames, Tables};
use super::cipher::Cipher;
use super::disk::{Disk, Handle};
use super::frame::Frame;
use super::gaps::{Gap, Gaps};
use super::pack::Unpacker;
use super::queue::Queue;
use super::retention::Held;
use super::segment::{Entry, Table};
use super::writer::Writer;
use super::{Options, Status};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::model::{Offset, Timestamp};

/// Everything that all clones of the handle share.
#[derive(Debug)]
pub(super) struct Shared {
    /// The folder of the log.
    pub(super) dir: PathBuf,
    pub(super) options: Options,
    pub(super) clock: Clock,
    pub(super) metrics: Arc<Metrics>,
    pub(super) disk: Disk,
    pub(super) queue: Queue,
    /// Until the writer is started.
    pub(super) writer: Mutex<Option<Writer>>,
    /// Held for as long as the log is open.
    pub(super) _lock: std::fs::File,
    state: Mutex<State>,
    /// Told when the end moves, under the lock of `state`.
    grown: Condvar,
    pub(super) end: watch::Sender<Offset>,
    pub(super) frames: Mutex<Frames>,
    pub(super) tables: Mutex<Tables>,
    /// Not in use right now.
    pub(super) unpackers: Mutex<Vec<Unpacker>>,
    pub(super) cipher: Option<Arc<Cipher>>,
    /// Orders the writers of `gaps.json`.
    saving: Mutex<()>,
    /// Who reads files of the log that must not go.
    pub(super) holds: Mutex<Vec<Weak<Held>>>,
    /// Orders those who delete segments or write them anew.
    pub(super) deleting: Mutex<()>,
    /// Held for writing while the file of a closed segment is replaced.
    pub(super) swapping: RwLock<()>,
}

/// A segment without the places of its frames.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) first: u64,
    pub(super) end: u64,
    pub(super) bytes: u64,
    pub(super) created: i64,
    pub(super) written: i64,
}

impl Segment {
    pub(super) fn of(table: &Table) -> Self {
        Self {
            first: table.first,
            end: table.end,
            bytes: table.bytes,
            created: table.created,
            written: table.written,
        }
    }
}

#[derive(Debug)]
pub(super) struct State {
    /// Oldest first; the last one is being written.
    pub(super) segments: VecDeque<Segment>,
    /// File and frames of the last one.
    pub(super) active: Arc<Handle>,
    pub(super) entries: Vec<Entry>,
    /// Behind the last durable event.
    pub(super) end: u64,
    /// The newest frames.
    tail: VecDeque<Frame>,
    tail_bytes: usize,
    pub(super) gaps: Gaps,
}

/// Where a frame is in a file: between `position` and `until`, with events of `first..next`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    pub(super) position: u64,
    pub(super) until: u64,
    pub(super) first: u64,
    pub(super) next: u64,
}

/// Where the event at an offset, or the first one behind it, is to be found.
#[derive(Debug)]
pub(super) enum Found {
    Frame(Frame),
    Active(Arc<Handle>, Segment, Spot),
    Closed(Segment),
    /// Not here, go on from there.
    Skip(u64),
    Nothing,
}

impl State {
    pub(super) fn new(tables: &[Table], active: Arc<Handle>, gaps: Gaps) -> Self {
        let last = tables.last();
        Self {
            segments: tables.iter().map(Segment::of).collect(),
            active,
            entries: last.map(|table| table.entries.clone()).unwrap_or_default(),
            end: last.map_or(0, |table| table.end),
            tail: VecDeque::new(),
            tail_bytes: 0,
            gaps,
        }
    }

    pub(super) fn first(&self) -> u64 {
        self.segments
            .front()
            .map_or(self.end, |segment| segment.first)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Adds durable frames; the caller tells the readers.
    pub(super) fn grow(&mut self, frames: &[Frame], bytes: u64, tail_bytes_max: usize) {
        for frame in frames {
            self.tail_bytes += weight(frame);
            self.tail.push_back(frame.clone());
            self.end = frame.end().0;
        }
        while self.tail_bytes > tail_bytes_max
            && let Some(old) = self.tail.pop_front()
        {
            self.tail_bytes = self.tail_bytes.saturating_sub(weight(&old));
        }
        if let Some(segment) = self.segments.back_mut() {
            segment.bytes += bytes;
            segment.end = self.end;
            segment.written = frames
                .last()
                .map_or(segment.written, |frame| frame.written().0);
        }
    }

    /// Takes over what a closed segment is since it was written anew; nothing of what it was stays in memory.
    pub(super) fn replaced(&mut self, table: &Table) {
        let mut segments = self.segments.iter_mut();
        if let Some(segment) = segments.find(|segment| segment.first == table.first) {
            segment.bytes = table.bytes;
        }
        while let Some(front) = self.tail.front()
            && front.first().0 < table.end
        {
            self.tail_bytes = self.tail_bytes.saturating_sub(weight(front));
            self.tail.pop_front();
        }
    }

    pub(super) fn find(&self, offset: u64) -> Found {
        if offset >= self.end {
            return Found::Nothing;
        }
        if self
            .tail
            .front()
            .is_some_and(|front| front.first().0 <= offset)
        {
            let at = self.tail.partition_point(|frame| frame.end().0 <= offset);
            if let Some(frame) = self.tail.get(at) {
                return Found::Frame(frame.clone());
            }
        }
        self.find_in_files(offset)
    }

    /// Like [`State::find`], without what is in memory.
    pub(super) fn find_in_files(&self, offset: u64) -> Found {
        if offset >= self.end {
            return Found::Nothing;
        }
        if let Some(end) = self.gaps.end_of(offset) {
            return Found::Skip(end);
        }
        let behind = self
            .segments
            .partition_point(|segment| segment.first <= offset);
        let Some(segment) = behind.checked_sub(1).and_then(|at| self.segments.get(at)) else {
            return self
                .segments
                .front()
                .map_or(Found::Nothing, |next| Found::Skip(next.first));
        };
        if offset >= segment.end {
            return self
                .segments
                .get(behind)
                .map_or(Found::Nothing, |next| Found::Skip(next.first));
        }
        if behind < self.segments.len() {
            return Found::Closed(*segment);
        }
        match spot(&self.entries, offset, segment) {
            Some(spot) => Found::Active(self.active.clone(), *segment, spot),
            None => Found::Nothing,
        }
    }
}

/// Memory of a frame in a cache, with what holds it.
pub(super) fn weight(frame: &Frame) -> usize {
    frame.bytes() + 128
}

/// Where the frame of an offset, or the first one behind it, starts and at the latest ends.
pub(super) fn spot(entries: &[Entry], offset: u64, segment: &Segment) -> Option<Spot> {
    let behind = entries
        .partition_point(|entry| entry.first <= offset)
        .max(1);
    let entry = entries.get(behind - 1)?;
    let next = entries.get(behind);
    Some(Spot {
        position: entry.position,
        until: next.map_or(segment.bytes, |next| next.position),
        first: entry.first,
        next: next.map_or(segment.end, |next| next.first),
    })
}

/// Parts of [`Shared`] that opening has made.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) dir: PathBuf,
    pub(super) lock: std::fs::File,
    pub(super) disk: Disk,
    pub(super) state: State,
    pub(super) writer: Writer,
    pub(super) cipher: Option<Arc<Cipher>>,
}

impl Shared {
    pub(super) fn new(parts: Parts, options: Options, clock: Clock, metrics: Arc<Metrics>) -> Self {
        Self {
            dir: parts.dir,
            queue: Queue::new(options.queue_bytes_max),
            frames: Mutex::new(Frames::new(options.frame_cache_frames_max)),
            tables: Mutex::new(Tables::new(options.open_segments_max)),
            unpackers: Mutex::default(),
            cipher: parts.cipher,
            end: watch::Sender::new(Offset(parts.state.end)),
            options,
            clock,
            metrics,
            disk: parts.disk,
            writer: Mutex::new(Some(parts.writer)),
            _lock: parts.lock,
            state: Mutex::new(parts.state),
            grown: Condvar::new(),
            saving: Mutex::new(()),
            holds: Mutex::default(),
            deleting: Mutex::new(()),
            swapping: RwLock::new(()),
        }
    }

    /// While this is held no file is replaced: what is read meanwhile may be kept in memory.
    pub(super) fn unswapped(&self) -> RwLockReadGuard<'_, ()> {
        self.swapping.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        held(&self.state)
    }

    /// Waits until the end is behind `offset`; returns after `wait` in any case.
    pub(super) fn wait_behind(&self, offset: u64, wait: std::time::Duration) {
        let state = self.state();
        let waited = self
            .grown
            .wait_timeout_while(state, wait, |state| state.end <= offset);
        drop(waited);
    }

    /// Tells everyone where the end is now.
    pub(super) fn announce(&self) {
        let (end, bytes, segments) = {
            let state = self.state();
            self.grown.notify_all();
            (state.end, state.bytes(), state.segments.len())
        };
        self.end.send_replace(Offset(end));
        self.metrics.wal_end_offset.set(end);
        self.metrics.wal_bytes.set(bytes);
        self.metrics
            .wal_segments
            .set(u64::try_from(segments).unwrap_or(u64::MAX));
    }

    /// Records a gap, before any reader goes past it.
    pub(super) fn record_gap(&self, segment: u64, position: u64, events: std::ops::Range<u64>) {
        let gap = Gap {
            first: Offset(events.start),
            end: Offset(events.end),
            segment: Offset(segment),
            position,
            found: self.now(),
        };
        if !self.state().gaps.add(gap) {
            return;
        }
        self.metrics.wal_gaps.inc();
        self.metrics.wal_lost_events.add(gap.events());
        tracing::error!(
            segment,
            position,
            first = events.start,
            events = gap.events(),
            "log is damaged; the events there are lost, reading goes on behind them"
        );
        self.save_gaps();
    }

    pub(super) fn save_gaps(&self) {
        let _order = held(&self.saving);
        let gaps = self.state().gaps.clone();
        if let Err(error) = gaps.save(&self.dir, &self.disk) {
            tracing::error!(%error, "gap of the log not written down; a restart finds it again");
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn status(&self) -> Status {
        let state = self.state();
        let (gaps, lost_events) = state.gaps.count();
        Status {
            first: Offset(state.first()),
            end: Offset(state.end),
            bytes: state.bytes(),
            segments: state.segments.len(),
            gaps,
            lost_events,
            is_poisoned: self.queue.is_poisoned(),
        }
    }
}

/// Locks, also after a panic elsewhere: what the log shares is changed in single steps.
pub(super) fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
