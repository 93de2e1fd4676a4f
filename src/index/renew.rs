//! Segments made anew of a log out of which events were erased.

use std::sync::Arc;

use super::Error;
use super::segment::Segment;
use super::worker::Worker;
use crate::model::Offset;
use crate::tasks::Shutdown;

/// A segment that was on its way while the log changed is found in the next round.
const ROUNDS_MAX: usize = 10;

impl Worker {
    /// Makes the segments that know any of these events anew. Returns how many.
    pub(super) fn forget(&self, offsets: &[Offset], shutdown: &Shutdown) -> Result<usize, Error> {
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
                break;
            }
            for segment in stale {
                self.renew(segment, shutdown)?;
                renewed += 1;
            }
        }
        Ok(renewed)
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
