//! The loops: from the log to segments, and from segments to fewer segments.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::build::Builder;
use super::files::Entry;
use super::merge::{Size, merge, pick};
use super::renew::Rebuild;
use super::set::Segments;
use super::{Error, Options};
use crate::clock::{Clock, Stopwatch};
use crate::metrics::Metrics;
use crate::model::Offset;
use crate::redact::CleanRecord;
use crate::tasks::{Shutdown, step_back};
use crate::wal::{Frame, Wal};

/// How far the writer and the merger stand back behind the doors.
const READER_STEPS: i32 = 5;
const MERGER_STEPS: i32 = 10;
/// Between two looks at the shutdown signal.
const NAP: Duration = Duration::from_millis(200);
/// After a failed write.
const RETRY: Duration = Duration::from_secs(1);
/// Between two lines about a long catch-up.
const PROGRESS: Duration = Duration::from_secs(10);

/// What both loops share.
#[derive(Clone, Debug)]
pub(super) struct Worker {
    pub(super) segments: Arc<Segments>,
    pub(super) options: Options,
    pub(super) wal: Wal,
    pub(super) clock: Clock,
    pub(super) metrics: Arc<Metrics>,
    /// Held by whoever makes segments of segments.
    pub(super) merging: Arc<Mutex<()>>,
    pub(super) rebuild: Arc<Mutex<Rebuild>>,
}

/// Where an attempt to index a range stopped.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// At its end.
    Done,
    /// Shutdown was asked for.
    Shutdown,
    /// A range before it has to be indexed again.
    Torn,
}

impl Worker {
    /// Indexes what the log has and the index has not, then follows the log, until shutdown.
    pub(super) fn write(&self, shutdown: &Shutdown) {
        step_back(READER_STEPS);
        while !shutdown.is_requested() {
            let range = self.segments.missing(self.wal.first());
            match self.index(range, shutdown) {
                Ok(Stop::Done | Stop::Torn) => {}
                Ok(Stop::Shutdown) => return,
                Err(error) => {
                    self.metrics.index_errors.inc();
                    tracing::error!(%error, "index could not be written; trying again");
                    nap(RETRY, shutdown);
                }
            }
        }
    }

    /// Indexes a range of offsets.
    pub(super) fn index(&self, range: Range<u64>, shutdown: &Shutdown) -> Result<Stop, Error> {
        let mut draft = Pending::new(self, Offset(range.start));
        let stop = self.fill(&mut draft, &range, shutdown)?;
        let rest = draft.written.0..range.end;
        if stop == Stop::Done && !rest.is_empty() {
            self.segments.note_empty(rest);
        }
        Ok(stop)
    }

    /// The same, beside the segments that are there: what is made does not count before it is put in their place. `None`
    /// where shutdown was asked for.
    pub(super) fn index_again(
        &self,
        range: Range<u64>,
        shutdown: &Shutdown,
    ) -> Result<Option<Vec<Entry>>, Error> {
        let mut draft = Pending::new(self, Offset(range.start));
        draft.aside = Some(Vec::new());
        let stop = self.fill(&mut draft, &range, shutdown)?;
        Ok(draft.aside.filter(|_| stop == Stop::Done))
    }

    fn fill(
        &self,
        draft: &mut Pending<'_>,
        range: &Range<u64>,
        shutdown: &Shutdown,
    ) -> Result<Stop, Error> {
        let mut reader = self.wal.reader(Offset(range.start));
        while draft.covered().0 < range.end {
            if shutdown.is_requested() {
                draft.cut()?;
                return Ok(Stop::Shutdown);
            }
            if draft.aside.is_none() && self.segments.was_torn() {
                draft.cut()?;
                return Ok(Stop::Torn);
            }
            match reader.next(draft.patience()).map_err(|_| Error::Log)? {
                Some(frame) => {
                    draft.take(&frame, range.end)?;
                    if frame.end().0 >= range.end {
                        break;
                    }
                }
                // A range in front of a segment whose last events the log has lost ends here.
                None if range.end <= self.wal.end().0 && reader.at().0 >= range.end => break,
                None => {}
            }
            draft.cut_if_due()?;
        }
        draft.cover(range.end);
        draft.cut()?;
        Ok(Stop::Done)
    }

    /// Everything before this is searchable.
    pub(super) fn visible(&self) -> Offset {
        let start = self.segments.missing(self.wal.first()).start;
        Offset(start.min(self.wal.end().0))
    }

    /// Merges segments and drops what the log has forgotten, until shutdown.
    pub(super) fn tend(&self, shutdown: &Shutdown) {
        step_back(MERGER_STEPS);
        while !shutdown.is_requested() {
            let did = self
                .segments
                .drop_before(self.wal.first())
                .and_then(|_| self.merge_once())
                .and_then(|merged| {
                    Ok(merged || self.rebuild_once(shutdown)? || self.verify_once()?)
                });
            match did {
                Ok(true) => {}
                Ok(false) => nap(NAP, shutdown),
                Err(error) => {
                    self.metrics.index_errors.inc();
                    tracing::error!(%error, "index segments could not be merged; trying again");
                    nap(RETRY, shutdown);
                }
            }
        }
    }

    /// Looks at the bytes of one segment that was there at start; tells whether there was one left.
    pub(super) fn verify_once(&self) -> Result<bool, Error> {
        let snapshot = self.segments.snapshot();
        let Some(next) = snapshot.iter().find(|segment| !segment.is_verified()) else {
            return Ok(false);
        };
        self.segments.verify(next)?;
        Ok(true)
    }

    /// Until it is dropped nobody else makes segments of segments.
    pub(super) fn alone(&self) -> MutexGuard<'_, ()> {
        self.merging.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One merge, where one is due; tells whether it was.
    pub(super) fn merge_once(&self) -> Result<bool, Error> {
        let _alone = self.alone();
        let snapshot = self.segments.snapshot();
        let sizes: Vec<Size> = snapshot.iter().map(|segment| Size::of(segment)).collect();
        // A day is over when the writer has passed it: when the log has nothing more, or the next day has begun.
        let last_day = sizes.last().map_or(i64::MIN, |size| size.day);
        let is_current = self.segments.missing(self.wal.first()).start >= self.wal.end().0;
        let open_day = if is_current {
            self.clock.now().day()
        } else {
            last_day
        };
        let Some(range) = pick(&sizes, open_day, &self.options) else {
            return Ok(false);
        };
        let parts = snapshot.get(range).unwrap_or_default();
        for part in parts {
            // Damage must not be copied under a new checksum.
            if !self.segments.verify(part)? {
                return Ok(true);
            }
        }
        let entry = merge(parts, self.segments.root())?;
        self.segments.add(&entry)?;
        self.metrics.index_merges.inc();
        Ok(true)
    }
}

fn nap(length: Duration, shutdown: &Shutdown) {
    let watch = Stopwatch::start();
    while watch.elapsed() < length && !shutdown.is_requested() {
        std::thread::sleep(NAP.min(length));
    }
}

/// Events on their way into a segment.
struct Pending<'w> {
    worker: &'w Worker,
    builder: Option<(Builder, Stopwatch)>,
    /// Everything before is in a segment.
    written: Offset,
    progress: Stopwatch,
    /// Behind the last frame that was taken: erased events may be the last of it.
    seen: Offset,
    /// Segments that do not count yet.
    aside: Option<Vec<Entry>>,
}

impl<'w> Pending<'w> {
    fn new(worker: &'w Worker, from: Offset) -> Self {
        Self {
            worker,
            builder: None,
            written: from,
            progress: Stopwatch::start(),
            seen: from,
            aside: None,
        }
    }

    fn covered(&self) -> Offset {
        self.builder
            .as_ref()
            .map_or(self.written, |(builder, _)| builder.next())
    }

    /// How long the next frame may be waited for.
    fn patience(&self) -> Duration {
        let interval = self.worker.options.commit_interval();
        self.builder.as_ref().map_or(NAP, |(_, since)| {
            interval.saturating_sub(since.elapsed()).min(NAP)
        })
    }

    /// Adds the events of a frame that stand before `end`.
    fn take(&mut self, frame: &Frame, end: u64) -> Result<(), Error> {
        let mut event = CleanRecord::default();
        for (offset, record) in frame.iter().filter(|(offset, _)| offset.0 < end) {
            if let Err(error) = event.read(record) {
                // The log's checksums hold, so this is a record of a newer version: not searchable, not lost.
                self.worker.metrics.index_errors.inc();
                tracing::warn!(offset = offset.0, %error, "event cannot be indexed");
                continue;
            }
            let is_new_day = self
                .builder
                .as_ref()
                .is_some_and(|(builder, _)| builder.day() != Some(event.received().day()));
            if is_new_day {
                self.cut()?;
            }
            let written = self.written;
            let (builder, _) = self
                .builder
                .get_or_insert_with(|| (Builder::new(written), Stopwatch::start()));
            builder.add(offset, &event);
            if builder.count() >= self.worker.options.segment_events_max {
                self.cut()?;
            }
        }
        self.seen = frame.end().min(Offset(end));
        if self.builder.is_none() && self.aside.is_none() && self.written < self.seen {
            self.worker.segments.note_empty(self.written.0..self.seen.0);
            self.written = self.seen;
        }
        Ok(())
    }

    fn cut_if_due(&mut self) -> Result<(), Error> {
        let options = &self.worker.options;
        let is_due = self.builder.as_ref().is_some_and(|(builder, since)| {
            since.elapsed() >= options.commit_interval()
                || builder.bytes() >= options.segment_memory_bytes_max
        });
        if is_due { self.cut() } else { Ok(()) }
    }

    /// The log has nothing before `end` that is not here.
    fn cover(&mut self, end: u64) {
        if let Some((builder, _)) = self.builder.as_mut() {
            builder.cover(Offset(end));
        }
    }

    /// Makes a segment of what is here and searchable.
    fn cut(&mut self) -> Result<(), Error> {
        let Some((mut builder, _)) = self.builder.take() else {
            return Ok(());
        };
        builder.cover(self.seen);
        let watch = Stopwatch::start();
        let next = builder.next();
        let entry = builder.finish(self.worker.segments.root())?;
        self.written = next;
        if let Some(aside) = self.aside.as_mut() {
            aside.push(entry);
            return Ok(());
        }
        self.worker.segments.add(&entry)?;
        let metrics = &self.worker.metrics;
        metrics.index_commit.observe(watch.elapsed());
        metrics.index_offset.set(next.0);
        let behind = self.worker.wal.end().0.saturating_sub(next.0);
        if self.progress.elapsed() >= PROGRESS && behind > 0 {
            self.progress = Stopwatch::start();
            tracing::info!(offset = next.0, behind, "index is catching up with the log");
        }
        Ok(())
    }
}
