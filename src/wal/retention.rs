//! Deleting the oldest segments, whole, and never what a reader still needs.

use std::io;
use std::sync::Arc;

use super::Error;
use super::segment;
use super::state::{Segment, Shared, held};
use crate::model::{Offset, Timestamp};

/// What is not deleted, and until when.
#[derive(Debug)]
pub(super) struct Held {
    from: Offset,
    until: Timestamp,
}

/// Keeps what the log holds from being deleted by age and size while it lives, for so long at most.
#[derive(Debug)]
pub struct Hold(#[expect(dead_code, reason = "it counts by being there")] Arc<Held>);

const DAY_NS: i64 = 86_400_000_000_000;

impl Shared {
    /// Nothing that is there now is deleted while the hold lives, until a time.
    pub(super) fn hold(&self, until: Timestamp) -> Hold {
        // Not in the middle of a file that is replaced.
        let _alone = held(&self.deleting);
        let from = Offset(self.state().first());
        let hold = Arc::new(Held { from, until });
        held(&self.holds).push(Arc::downgrade(&hold));
        Hold(hold)
    }

    /// Whether somebody holds what is there.
    pub(super) fn is_held(&self) -> bool {
        self.held_from(self.now(), Offset(u64::MAX)) < Offset(u64::MAX)
    }

    /// The oldest event that somebody holds; `other` where nobody does.
    fn held_from(&self, now: Timestamp, other: Offset) -> Offset {
        let mut holds = held(&self.holds);
        holds.retain(|hold| hold.upgrade().is_some_and(|hold| now < hold.until));
        let froms = holds.iter().filter_map(|hold| Some(hold.upgrade()?.from));
        froms.fold(other, Offset::min)
    }

    /// Deletes what is too old or too much and lies wholly before `keep_from`.
    pub(super) fn retain(&self, now: Timestamp, keep_from: Offset) -> Result<usize, Error> {
        let _alone = held(&self.deleting);
        let mut deleted = 0;
        let keep_from = self.held_from(now, keep_from);
        while let Some(segment) = self.take_doomed(now, keep_from) {
            // Oldest first: whenever this is interrupted, what remains is a log without its
            // beginning.
            if let Err(error) = self.delete(segment.first) {
                self.state().segments.push_front(segment);
                return Err(error.into());
            }
            deleted += 1;
        }
        self.roll_old(now, keep_from);
        if deleted == 0 {
            return Ok(0);
        }
        let first = self.state().first();
        held(&self.frames).forget(&(0..first));
        held(&self.tables).forget(&(0..first));
        self.disk.sync_dir(&self.dir)?;
        if self.state().gaps.forget_before(first) {
            self.save_gaps();
        }
        self.announce();
        tracing::info!(
            segments = deleted,
            first,
            "oldest segments of the log deleted"
        );
        Ok(deleted)
    }

    /// The oldest segment, if it is to go; never the one being written.
    fn take_doomed(&self, now: Timestamp, keep_from: Offset) -> Option<Segment> {
        let mut state = self.state();
        let is_too_much = self
            .options
            .retention_bytes_max
            .is_some_and(|max| state.bytes() > max);
        let oldest = state
            .segments
            .front()
            .filter(|_| state.segments.len() > 1)?;
        let is_doomed = is_too_much || self.is_old(oldest.written, now);
        if is_doomed && oldest.end <= keep_from.0 {
            state.segments.pop_front()
        } else {
            None
        }
    }

    fn delete(&self, first: u64) -> io::Result<()> {
        self.disk.remove(&segment::path(&self.dir, first))?;
        let index = segment::index_path(&self.dir, first);
        if index.exists() {
            // An index without its segment does no harm; the next start removes it.
            let _removed = self.disk.remove(&index).is_ok();
        }
        Ok(())
    }

    /// Nothing is deleted from the segment being written, so where that is old another one is
    /// begun.
    fn roll_old(&self, now: Timestamp, keep_from: Offset) {
        let last = self.state().segments.back().copied();
        if let Some(last) = last
            && last.first < last.end
            && last.end <= keep_from.0
            && self.is_old(last.written, now)
        {
            self.queue.roll();
        }
    }

    fn is_old(&self, written: i64, now: Timestamp) -> bool {
        self.options.retention_age_days.is_some_and(|days| {
            now.0.saturating_sub(written) > i64::from(days).saturating_mul(DAY_NS)
        })
    }
}
