//! Segments made anew of the log: because events were erased out of it, or because somebody wants all of them made anew.
//! What is there is searched until what is new takes its place.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use super::Error;
use super::segment::Segment;
use super::worker::Worker;
use crate::model::Offset;
use crate::tasks::Shutdown;

/// A segment that was on its way while the log changed is found in the next round.
const ROUNDS_MAX: usize = 10;
/// Between two looks at how far the writer is.
const LOOK: Duration = Duration::from_millis(50);

/// Which segments are still to be made anew.
#[derive(Debug, Default)]
pub(super) struct Rebuild {
    /// Their events, when it began.
    left: VecDeque<Range<u64>>,
    of: usize,
}

/// How far making all segments anew is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RebuildProgress {
    /// Segments that were made anew.
    pub done: usize,
    /// Segments in all, when it began.
    pub of: usize,
}

impl Worker {
    fn rebuilding(&self) -> MutexGuard<'_, Rebuild> {
        self.rebuild.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has all segments made anew, one after the other; what is under way begins again.
    pub(super) fn begin_rebuild(&self) -> RebuildProgress {
        let snapshot = self.segments.snapshot();
        let ranges = snapshot
            .iter()
            .map(|segment| segment.meta().first..segment.meta().end);
        let left: VecDeque<_> = ranges.collect();
        let of = left.len();
        *self.rebuilding() = Rebuild { left, of };
        RebuildProgress { done: 0, of }
    }

    /// How far that is; `None` where it is over.
    pub(super) fn rebuild_progress(&self) -> Option<RebuildProgress> {
        let rebuild = self.rebuilding();
        let left = rebuild.left.len();
        (left > 0).then(|| RebuildProgress {
            done: rebuild.of.saturating_sub(left),
            of: rebuild.of,
        })
    }

    /// Makes the next segment anew; whether there was one.
    pub(super) fn rebuild_once(&self, shutdown: &Shutdown) -> Result<bool, Error> {
        let Some(next) = self.rebuilding().left.front().cloned() else {
            return Ok(false);
        };
        let _alone = self.alone();
        let snapshot = self.segments.snapshot();
        // It may be part of a larger one since.
        let holds = |segment: &&Arc<Segment>| {
            (segment.meta().first..segment.meta().end).contains(&next.start)
        };
        let mut end = next.end;
        if let Some(segment) = snapshot.iter().find(holds) {
            self.renew(segment, shutdown)?;
            end = end.max(segment.meta().end);
        }
        self.rebuilding().left.retain(|range| range.start >= end);
        Ok(true)
    }

    /// Makes the segments that know any of these events anew. Returns how many.
    pub(super) fn forget(&self, offsets: &[Offset], shutdown: &Shutdown) -> Result<usize, Error> {
        let Some(last) = offsets.last() else {
            return Ok(0);
        };
        // Until then the writer may hold some of them that it has read before they were erased.
        while self.visible() <= *last {
            if shutdown.is_requested() {
                return Err(Error::Stopping);
            }
            std::thread::sleep(LOOK);
        }
        let mut renewed = 0;
        for _ in 0..ROUNDS_MAX {
            // Nobody merges a segment while another is made of it.
            let _alone = self.alone();
            let snapshot = self.segments.snapshot();
            let stale: Vec<_> = snapshot
                .iter()
                .filter(|segment| knows_any(segment, offsets))
                .collect();
            if stale.is_empty() {
                return Ok(renewed);
            }
            for segment in stale {
                self.renew(segment, shutdown)?;
                renewed += 1;
            }
        }
        Err(Error::Damaged("a segment still knows erased events"))
    }

    fn renew(&self, segment: &Arc<Segment>, shutdown: &Shutdown) -> Result<(), Error> {
        let range = segment.meta().first..segment.meta().end;
        let parts = self.index_again(range.clone(), shutdown)?;
        let parts = parts.ok_or(Error::Stopping)?;
        let behind = parts.last().map_or(range.start, |part| part.range.end);
        self.segments.replace(segment, &parts)?;
        if behind < range.end {
            self.segments.note_empty(behind..range.end);
        }
        Ok(())
    }
}

fn knows_any(segment: &Segment, offsets: &[Offset]) -> bool {
    let start = offsets.partition_point(|at| at.0 < segment.meta().first);
    let here = offsets.iter().skip(start);
    here.take_while(|at| at.0 < segment.meta().end)
        .any(|at| segment.knows(*at))
}
