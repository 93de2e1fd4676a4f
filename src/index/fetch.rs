//! Events from the log, for hits and for what the index alone cannot decide; counted and bounded.

use super::Error;
use super::docs::{Docs, Verdict, set};
use super::gone::Gone;
use super::query::Node;
use super::search::Hit;
use super::segment::Segment;
use crate::clock::Stopwatch;
use crate::model::Offset;
use crate::wal::{Frame, Wal};

/// The reading of one request.
pub(super) struct Fetch<'a> {
    wal: &'a Wal,
    /// The frame read last: neighbours stand in one frame.
    last: Option<Frame>,
    /// Events read to decide the query.
    pub(super) verified: u64,
    verify_max: u64,
    watch: Stopwatch,
    time_max: std::time::Duration,
    gone: Gone,
}

impl<'a> Fetch<'a> {
    pub(super) fn new(wal: &'a Wal, options: &super::Options, gone: Gone) -> Self {
        Self {
            wal,
            last: None,
            verified: 0,
            verify_max: options.verify_events_max,
            watch: Stopwatch::start(),
            time_max: options.search_time(),
            gone,
        }
    }

    /// Time since the request began.
    pub(super) fn took(&self) -> std::time::Duration {
        self.watch.elapsed()
    }

    /// An error once nobody waits any more.
    pub(super) fn check_waiting(&self) -> Result<(), Error> {
        if self.gone.is_set() {
            return Err(Error::Gone);
        }
        Ok(())
    }

    /// An error once the request has taken too long, or nobody waits any more.
    pub(super) fn check_time(&self) -> Result<(), Error> {
        self.check_waiting()?;
        if self.watch.elapsed() > self.time_max {
            let limit = u64::try_from(self.time_max.as_millis()).unwrap_or(u64::MAX);
            return Err(Error::TooSlow(limit));
        }
        Ok(())
    }

    /// The event at an offset; `None` where the log has it no longer.
    pub(super) fn hit(&mut self, offset: Offset) -> Result<Option<Hit>, Error> {
        let is_here = self
            .last
            .as_ref()
            .is_some_and(|frame| frame.first() <= offset && offset < frame.end());
        if !is_here {
            self.last = self.wal.frame_at(offset).map_err(|_| Error::Log)?;
        }
        let frame = self.last.clone();
        Ok(frame
            .filter(|frame| frame.record(offset).is_some())
            .map(|frame| Hit { offset, frame }))
    }

    /// Whether the event at an offset matches; `None` where no more events may be read.
    pub(super) fn verify(&mut self, node: &Node, offset: Offset) -> Result<Option<bool>, Error> {
        if self.verified >= self.verify_max {
            return Ok(None);
        }
        self.verified += 1;
        self.check_waiting()?;
        if self.verified.is_multiple_of(1_024) {
            self.check_time()?;
        }
        let Some(hit) = self.hit(offset)? else {
            return Ok(Some(false));
        };
        // A record of a newer version is not indexed either.
        Ok(Some(hit.event().is_ok_and(|event| node.matches(&event))))
    }

    /// Reads what is open in a slice; an error where that is too much.
    pub(super) fn settle(
        &mut self,
        node: &Node,
        segment: &Segment,
        slice: u32,
        verdict: Verdict,
    ) -> Result<Docs, Error> {
        if verdict.open.is_none() {
            return Ok(verdict.yes);
        }
        let docs = segment.slice(slice);
        let len = docs.end - docs.start;
        let mut open = Vec::new();
        verdict.open.each(len, |position| open.push(position));
        let mut bits = Docs::zeros(len);
        for position in open {
            match self.verify(node, segment.offset(docs.start + position))? {
                Some(true) => set(&mut bits, position),
                Some(false) => {}
                None => return Err(Error::TooManyCandidates(self.verify_max)),
            }
        }
        Ok(verdict.yes.or(&Docs::from_bits(bits)))
    }
}
