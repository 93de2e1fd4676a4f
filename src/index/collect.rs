//! What is asked of the index and is no search: all places that match, making it anew.

use super::query::Query;
use super::search::{Searcher, window};
use super::walk::Walk;
use super::{Error, RebuildProgress};
use crate::model::{Offset, Timestamp};

impl Searcher {
    /// Has every segment of the index made anew of the log, while what is there is searched.
    pub fn rebuild(&self) -> RebuildProgress {
        self.worker().begin_rebuild()
    }

    /// How far that is; `None` where nothing is left to do.
    #[must_use]
    pub fn rebuild_progress(&self) -> Option<RebuildProgress> {
        self.worker().rebuild_progress()
    }

    /// The places of all events of a time that match, ascending.
    ///
    /// # Errors
    /// [`Error::TooManyEvents`] where they are more than `max`.
    pub fn offsets(
        &self,
        query: &Query,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        max: usize,
    ) -> Result<Vec<Offset>, Error> {
        let offsets = self.collect(query, (from, to), max, |_| true)?;
        match offsets.len() > max {
            true => Err(Error::TooManyEvents(max)),
            false => Ok(offsets),
        }
    }

    /// The places of the oldest received of those that are wanted, about `max` of them where there are more.
    pub fn first_offsets(
        &self,
        query: &Query,
        to: Option<Timestamp>,
        max: usize,
        is_wanted: impl Fn(Offset) -> bool,
    ) -> Result<Vec<Offset>, Error> {
        self.collect(query, (None, to), max, is_wanted)
    }

    /// Stops behind the slice with which there are more than `max`.
    fn collect(
        &self,
        query: &Query,
        (from, to): (Option<Timestamp>, Option<Timestamp>),
        max: usize,
        is_wanted: impl Fn(Offset) -> bool,
    ) -> Result<Vec<Offset>, Error> {
        let (_, snapshot) = self.begin();
        let mut fetch = self.fetch();
        let mut walk = Walk::new(&snapshot, query, &self.worker().options, &mut fetch);
        let window = window(from, to);
        let mut offsets = Vec::new();
        for piece in walk.pieces(&window) {
            let matches = walk.matches(&piece, &window)?;
            let Some((segment, docs)) = walk.documents(&piece) else {
                continue;
            };
            matches.each(docs.end - docs.start, |position| {
                let offset = segment.offset(docs.start + position);
                if is_wanted(offset) {
                    offsets.push(offset);
                }
            });
            if offsets.len() > max {
                break;
            }
        }
        offsets.sort_unstable();
        Ok(offsets)
    }
}
