//! Erasing single events: closed segments that hold some are written anew, with empty records in their places.
//!
//! Offsets, times and links of the chain stay. Whoever asked is told before a file is replaced what it is going to hold, so
//! that no moment leaves a changed file that nothing vouches for. Done twice it does nothing the second time. Damaged
//! stretches stay as they are, because nobody can say what is in them.

use std::fs;
use std::time::Duration;

use super::cipher::key_of;
use super::pack::{Packer, Unpacker};
use super::receipts::Rewritten;
use super::segment::{self, Entry, Table};
use super::state::{Segment, Shared, held};
use super::{Erased, Error};
use crate::model::{Offset, hex, sha256};

/// How long the writer may take to close a segment.
const ROLL_MAX: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(10);

/// A segment without the events.
struct Anew {
    bytes: Vec<u8>,
    table: Table,
    row: Rewritten,
    unreadable: u64,
}

impl Shared {
    /// Erases events, ascending; `vouch` is told each file before it is replaced. Returns how many there were.
    pub(super) fn erase(
        &self,
        offsets: &[Offset],
        mut vouch: impl FnMut(Rewritten) -> Result<(), Error>,
    ) -> Result<Erased, Error> {
        let mut erased = Erased::default();
        let Some(last) = offsets.last() else {
            return Ok(erased);
        };
        self.close_behind(*last)?;
        let mut rest = offsets;
        while let Some(next) = rest.first() {
            let Some(segment) = self.closed_with(*next) else {
                // Deleted by age or size: what stands before the oldest event is gone, too.
                let first = self.state().first();
                let gone = rest.partition_point(|at| at.0 < first).max(1);
                rest = rest.get(gone..).unwrap_or_default();
                continue;
            };
            let until = rest.partition_point(|at| at.0 < segment.end).max(1);
            let (here, behind) = rest.split_at_checked(until).unwrap_or((rest, &[]));
            let done = self.erase_in(&segment, here, &mut vouch)?;
            erased.events += done.events;
            erased.unreadable += done.unreadable;
            rest = behind;
        }
        // Also of files that an attempt before has replaced.
        self.disk.sync_dir(&self.dir)?;
        Ok(erased)
    }

    /// Waits until the event stands in a segment that is not written any more.
    fn close_behind(&self, last: Offset) -> Result<(), Error> {
        let is_open = || {
            self.state()
                .segments
                .back()
                .is_none_or(|active| last.0 >= active.first)
        };
        let watch = crate::clock::Stopwatch::start();
        while is_open() {
            if watch.elapsed() > ROLL_MAX || last.0 >= self.state().end {
                return Err(Error::Poisoned);
            }
            self.queue.roll();
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    fn closed_with(&self, offset: Offset) -> Option<Segment> {
        let state = self.state();
        let behind = state
            .segments
            .partition_point(|segment| segment.first <= offset.0);
        let segment = state.segments.get(behind.checked_sub(1)?)?;
        (behind < state.segments.len() && offset.0 < segment.end).then_some(*segment)
    }

    fn erase_in(
        &self,
        segment: &Segment,
        offsets: &[Offset],
        vouch: &mut impl FnMut(Rewritten) -> Result<(), Error>,
    ) -> Result<Erased, Error> {
        let _alone = held(&self.deleting);
        if self.closed_with(Offset(segment.first)).is_none() {
            return Ok(Erased::default());
        }
        if self.is_held() {
            return Err(Error::Held);
        }
        let anew = self.anew(segment, offsets)?;
        let erased = Erased {
            events: anew.row.events,
            unreadable: anew.unreadable,
        };
        if erased.events > 0 {
            vouch(anew.row.clone())?;
            self.swap(segment, &anew)?;
        }
        Ok(erased)
    }

    /// Puts the new bytes in place. The places of frames and the frames change together for whoever opens them.
    fn swap(&self, segment: &Segment, anew: &Anew) -> Result<(), Error> {
        let path = segment::path(&self.dir, segment.first);
        let index = segment::index_path(&self.dir, segment.first);
        let draft = path.with_extension("tmp");
        let handle = self.disk.create(&draft)?;
        self.disk.write_at(&handle, &anew.bytes, 0)?;
        self.disk.sync(&handle)?;
        let swap = self.swapping.write();
        if index.exists() {
            self.disk.remove(&index)?;
        }
        self.disk.rename(&draft, &path)?;
        anew.table.save(&self.dir, &self.disk);
        self.state().replaced(&anew.table);
        let range = segment.first..segment.end;
        held(&self.frames).forget(&range);
        held(&self.tables).forget(&range);
        drop(swap);
        self.announce();
        Ok(())
    }

    /// The bytes of a segment without the events.
    fn anew(&self, segment: &Segment, offsets: &[Offset]) -> Result<Anew, Error> {
        let bytes = fs::read(segment::path(&self.dir, segment.first))?;
        let scan = segment::scan(&bytes, segment.first, Some(segment.end));
        let mut packer = Packer::new(self.options.zstd_level);
        let mut unpacker = Unpacker::new(self.cipher.clone());
        let mut out = Vec::with_capacity(bytes.len());
        let mut entries = Vec::with_capacity(scan.table.entries.len());
        let (mut position, mut events, mut readable) = (0, 0, 0);
        for entry in &scan.table.entries {
            let at = usize::try_from(entry.position).unwrap_or(usize::MAX);
            let Some((header, frame)) = bytes.get(at..).and_then(super::frame::whole) else {
                continue;
            };
            out.extend_from_slice(bytes.get(position..at).unwrap_or_default());
            position = at + frame.len();
            entries.push(Entry {
                first: entry.first,
                position: size(out.len()),
            });
            let here = within(offsets, header.first..header.end());
            let unpacked = (!here.is_empty()).then(|| unpacker.unpack(frame)).flatten();
            let Some(before) = unpacked else {
                out.extend_from_slice(frame);
                continue;
            };
            readable += size(here.len());
            let is_there = |at: &&Offset| before.record(**at).is_some();
            let count = here.iter().filter(is_there).count();
            if count == 0 {
                out.extend_from_slice(frame);
                continue;
            }
            let rest = before.without(|at| here.binary_search(&at).is_ok());
            // Sealed as it was, with the same key.
            let payload = frame.get(header.bytes()..).unwrap_or_default();
            let key = header.is_sealed().then(|| key_of(payload)).flatten();
            packer.seal_with(&self.cipher, key);
            packer.pack_erased(&rest, header.prev, header.link(frame), &mut out)?;
            events += size(count);
        }
        // Damage behind the last good frame stays; what was never acknowledged does not.
        if scan.table.end < segment.end {
            out.extend_from_slice(bytes.get(position..).unwrap_or_default());
        }
        let row = Rewritten {
            segment: Offset(segment.first),
            events,
            before: hex(&sha256(&bytes)),
            after: hex(&sha256(&out)),
        };
        let table = Table {
            bytes: size(out.len()),
            end: segment.end,
            entries,
            ..scan.table
        };
        Ok(Anew {
            bytes: out,
            table,
            row,
            unreadable: size(offsets.len()).saturating_sub(readable),
        })
    }
}

/// The offsets of a range, out of ascending ones.
fn within(offsets: &[Offset], range: std::ops::Range<u64>) -> &[Offset] {
    let start = offsets.partition_point(|at| at.0 < range.start);
    let end = offsets.partition_point(|at| at.0 < range.end);
    offsets.get(start..end).unwrap_or_default()
}

fn size(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
