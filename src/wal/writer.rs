//! The one writer: takes everything that waits, packs it, writes once, syncs once, then answers
//! everyone.
//!
//! After a failed write or fsync nothing is known about the bytes behind the last durable event, so
//! they are given up, never synced again: whoever waited is refused, the file is cut back if that
//! is possible, and the log goes on in a new segment as soon as one can be written. The new
//! segment's first offset says where the old one ends.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::disk::{Disk, Handle};
use super::frame::{Builder, Frame, Hash};
use super::pack::Packer;
use super::queue::Item;
use super::segment::{self, Entry, Header, Table};
use super::state::{Segment, Shared};
use super::{Appended, Error};
use crate::clock::Stopwatch;
use crate::model::{Offset, Timestamp};
use crate::tasks::Shutdown;

/// How often the writer looks whether it shall stop.
const LOOK: Duration = Duration::from_millis(100);
/// With shutdown asked for, this long without a batch means that the doors are closed.
const DRAINED: Duration = Duration::from_secs(1);
/// Written and removed again to see whether the disk has room.
const PROBE: &str = "probe.tmp";
/// A frame is not larger whatever is set, apart from a single large record.
const FRAME_BYTES_MAX: usize = 16 << 20;
/// Memory kept from one group to the next.
const OUT_BYTES_KEPT: usize = 8 << 20;
const HOUR_NS: i64 = 3_600_000_000_000;

/// The writer's own knowledge; what is durable stands in `State`.
#[derive(Debug)]
pub(super) struct Writer {
    /// The segment being written.
    pub(super) handle: Arc<Handle>,
    /// Where the next frame goes.
    pub(super) position: u64,
    /// First offset and moment of creation of the segment.
    pub(super) first: u64,
    pub(super) created: i64,
    /// Offset of the next event.
    pub(super) next: u64,
    /// Hash of the last frame.
    pub(super) chain: Hash,
    pub(super) packer: Packer,
    /// The key that seals; 0 where none does.
    pub(super) key: u32,
    /// Whether the segment was begun with another one.
    pub(super) is_of_other_key: bool,
    /// Bytes of the group being written; kept for its memory.
    pub(super) out: Vec<u8>,
}

/// Frames that become durable together.
#[derive(Debug, Default)]
struct Group {
    frames: Vec<Frame>,
    /// Start of each frame, from the start of the group.
    places: Vec<u64>,
    next: u64,
    chain: Hash,
    answers: Vec<Appended>,
}

/// Answers everyone who still waits when the writer ends, however it ends.
struct End<'a>(&'a Shared);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.queue.end();
    }
}

impl Writer {
    /// Runs until the queue is closed, or shutdown is asked for and nothing has come for a while.
    pub(super) fn run(mut self, shared: &Shared, shutdown: &Shutdown) {
        let _end = End(shared);
        let probe_interval = Duration::from_millis(shared.options.probe_interval_ms);
        let mut idle = Stopwatch::start();
        let mut failed: Option<Stopwatch> = None;
        loop {
            let taken = shared
                .queue
                .take(shared.options.group_bytes_max, LOOK.min(probe_interval));
            if !taken.items.is_empty() {
                idle = Stopwatch::start();
                if !self.commit(shared, taken.items) {
                    failed = Some(Stopwatch::start());
                }
            } else if taken.is_closing || (shutdown.is_requested() && idle.elapsed() >= DRAINED) {
                return;
            }
            if taken.roll
                && failed.is_none()
                && self.position > segment::HEADER_BYTES
                && let Err(error) = self.roll(shared)
            {
                self.poison(shared, &error);
                failed = Some(Stopwatch::start());
            }
            if failed.is_some_and(|since| since.elapsed() >= probe_interval) {
                failed = (!self.recover(shared)).then(Stopwatch::start);
            }
        }
    }

    /// Makes the batches durable and answers; `false` where that failed.
    fn commit(&mut self, shared: &Shared, items: Vec<Item>) -> bool {
        let group = self.pack(shared, &items);
        match group.and_then(|group| self.write(shared, &group).map(|()| group)) {
            Ok(group) => {
                for (item, appended) in items.into_iter().zip(group.answers) {
                    item.answer(Ok(appended));
                }
                true
            }
            Err(error) => {
                self.poison(shared, &error);
                for item in items {
                    item.answer(Err(Error::Poisoned));
                }
                false
            }
        }
    }

    /// Frames of all records; their bytes are in `out`.
    fn pack(&mut self, shared: &Shared, items: &[Item]) -> io::Result<Group> {
        let now = shared.now();
        let frame_bytes_max = shared.options.frame_bytes_max.min(FRAME_BYTES_MAX);
        let mut group = Group {
            next: self.next,
            chain: self.chain,
            ..Group::default()
        };
        let mut builder = Builder::default();
        self.out.clear();
        self.out.shrink_to(OUT_BYTES_KEPT);
        for item in items {
            let mut count = 0;
            let first = Offset(group.next).plus(builder.count());
            for record in item.batch.records() {
                if !builder.is_empty() && builder.bytes() + record.len() + 4 > frame_bytes_max {
                    self.close_frame(&mut builder, &mut group, now)?;
                }
                builder.push(record);
                count += 1;
            }
            group.answers.push(Appended { first, count });
        }
        self.close_frame(&mut builder, &mut group, now)?;
        Ok(group)
    }

    fn close_frame(
        &mut self,
        builder: &mut Builder,
        group: &mut Group,
        now: Timestamp,
    ) -> io::Result<()> {
        if builder.is_empty() {
            return Ok(());
        }
        let frame = builder.take(group.next, now);
        group.places.push(size(self.out.len()));
        group.chain = self.packer.pack(&frame, group.chain, &mut self.out)?;
        group.next = frame.end().0;
        group.frames.push(frame);
        Ok(())
    }

    fn write(&mut self, shared: &Shared, group: &Group) -> io::Result<()> {
        let bytes = size(self.out.len());
        let age_max = i64::from(shared.options.segment_age_hours_max).saturating_mul(HOUR_NS);
        let is_full = self.position.saturating_add(bytes) > shared.options.segment_bytes_max;
        let is_old = shared.now().0.saturating_sub(self.created) > age_max;
        if self.is_of_other_key || (self.position > segment::HEADER_BYTES && (is_full || is_old)) {
            self.roll(shared)?;
        }
        shared
            .disk
            .write_at(&self.handle, &self.out, self.position)?;
        let watch = Stopwatch::start();
        shared.disk.sync(&self.handle)?;
        shared.metrics.wal_fsync.observe(watch.elapsed());
        self.publish(shared, group, bytes);
        Ok(())
    }

    /// Shows the durable frames to the readers.
    fn publish(&mut self, shared: &Shared, group: &Group, bytes: u64) {
        {
            let mut state = shared.state();
            let entries = group
                .frames
                .iter()
                .zip(&group.places)
                .map(|(frame, place)| Entry {
                    first: frame.first().0,
                    position: self.position.saturating_add(*place),
                });
            state.entries.extend(entries);
            state.grow(&group.frames, bytes, shared.options.tail_cache_bytes_max);
        }
        shared
            .metrics
            .wal_appended_events
            .add(group.next.saturating_sub(self.next));
        shared.metrics.wal_appended_bytes.add(bytes);
        self.position = self.position.saturating_add(bytes);
        self.next = group.next;
        self.chain = group.chain;
        shared.announce();
    }

    /// Closes the segment and goes on in a new one.
    fn roll(&mut self, shared: &Shared) -> io::Result<()> {
        let header = Header {
            first: self.next,
            created: shared.now().0,
            chain: self.chain,
            key: self.key,
        };
        let handle = begin_segment(&shared.disk, &shared.dir, &header)?;
        self.install(shared, handle, &header);
        Ok(())
    }

    /// Makes a segment that begins here the one that is written.
    fn install(&mut self, shared: &Shared, handle: Handle, header: &Header) {
        let handle = Arc::new(handle);
        let closed = {
            let mut state = shared.state();
            state.active = handle.clone();
            let entries = std::mem::take(&mut state.entries);
            let replaces = state
                .segments
                .back()
                .is_some_and(|last| last.first == header.first);
            let last = if replaces {
                state.segments.pop_back()
            } else {
                state.segments.back().copied()
            };
            state.segments.push_back(Segment::begun(header));
            last.filter(|_| !replaces)
                .map(|last| last.table(self.chain, entries))
        };
        self.handle = handle;
        self.position = segment::HEADER_BYTES;
        self.is_of_other_key = false;
        (self.first, self.created) = (header.first, header.created);
        if let Some(table) = closed {
            table.save(&shared.dir, &shared.disk);
        }
        shared.announce();
    }

    /// Leaves out the offsets before `to`.
    pub(super) fn skip_to(&mut self, shared: &Shared, to: Offset) -> Result<(), Error> {
        if to.0 <= self.next {
            return Ok(());
        }
        let lost = self.next..to.0;
        shared.record_gap(self.first, self.position, lost);
        self.next = to.0;
        self.roll(shared)?;
        shared.state().end = to.0;
        shared.announce();
        Ok(())
    }

    /// Gives up what is not durable and refuses everything until [`Writer::recover`] succeeds.
    fn poison(&mut self, shared: &Shared, error: &io::Error) {
        tracing::error!(%error, "log cannot write; appends are refused until it can");
        shared.queue.poison();
        shared.metrics.wal_poisoned.set(1);
        // Whether this works does not matter: the next segment's first offset disowns these bytes.
        let _cut = shared.disk.set_len(&self.handle, self.position).is_ok();
    }

    /// Goes on in a new segment, if the disk takes one.
    fn recover(&mut self, shared: &Shared) -> bool {
        let recovered = self.probe(shared).and_then(|()| {
            // Best effort, with a new handle: the old one's errors have been reported and
            // forgotten.
            let cut = Disk::open(&self.handle.path).and_then(|old| {
                shared.disk.set_len(&old, self.position)?;
                shared.disk.sync(&old)
            });
            if let Err(error) = cut {
                tracing::warn!(%error, "unacknowledged bytes not cut; they are disowned");
            }
            self.roll(shared)
        });
        if let Err(error) = recovered {
            tracing::warn!(%error, "log still cannot write");
            return false;
        }
        shared.queue.heal();
        shared.metrics.wal_poisoned.set(0);
        tracing::info!(first = self.first, "log writes again, in a new segment");
        true
    }

    /// Whether the disk takes a whole group.
    fn probe(&mut self, shared: &Shared) -> io::Result<()> {
        let path = shared.dir.join(PROBE);
        let bytes = vec![0xA5; shared.options.group_bytes_max];
        let written = shared.disk.create(&path).and_then(|handle| {
            shared.disk.write_at(&handle, &bytes, 0)?;
            shared.disk.sync(&handle)
        });
        let removed = shared.disk.remove(&path);
        written.and(removed)
    }
}

/// Makes a durable segment without frames; replaces one of the same name, which must be without
/// frames too.
pub(super) fn begin_segment(
    disk: &Disk,
    dir: &std::path::Path,
    header: &Header,
) -> io::Result<Handle> {
    disk.replace(&segment::path(dir, header.first), &header.encode())
}

impl Segment {
    fn begun(header: &Header) -> Self {
        Self {
            first: header.first,
            end: header.first,
            bytes: segment::HEADER_BYTES,
            created: header.created,
            written: header.created,
        }
    }

    fn table(self, chain: Hash, entries: Vec<Entry>) -> Table {
        Table {
            first: self.first,
            end: self.end,
            bytes: self.bytes,
            created: self.created,
            written: self.written,
            chain,
            entries,
        }
    }
}

fn size(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
