//! The way of one query through the segments: pieces in order of time, as few as the answer needs.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::cursor::{Key, encode};
use super::docs::{Docs, Verdict};
use super::fetch::Fetch;
use super::plan::{Plan, Planner};
use super::query::Query;
use super::search::{Sort, Stats};
use super::segment::{Segment, time_from_column};
use super::set::Snapshot;
use super::top::Top;
use super::{Error, Options};
use crate::model::Offset;

/// Events read at least before a page ends early.
const SOON_VERIFIED_MIN: u64 = 256;

/// One slice of one segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    segment: usize,
    slice: u32,
    /// Oldest and newest `@timestamp`, milliseconds.
    pub(super) times: (i64, i64),
}

impl Piece {
    /// Its documents in its segment.
    pub(super) fn documents(&self, segment: &Segment) -> std::ops::Range<u32> {
        segment.slice(self.slice)
    }
}

/// One query over the segments of a moment.
pub(super) struct Walk<'a, 'f> {
    snapshot: &'a Snapshot,
    query: &'a Query,
    options: &'a Options,
    pub(super) fetch: &'a mut Fetch<'f>,
    plans: Vec<Option<Plan>>,
    scanned: u64,
}

/// A page as keys.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) keys: Vec<Key>,
    pub(super) next: Option<String>,
    pub(super) total: Option<u64>,
    pub(super) is_partial: bool,
}

impl<'a, 'f> Walk<'a, 'f> {
    pub(super) fn new(
        snapshot: &'a Snapshot,
        query: &'a Query,
        options: &'a Options,
        fetch: &'a mut Fetch<'f>,
    ) -> Self {
        Self {
            snapshot,
            query,
            options,
            fetch,
            plans: vec![None; snapshot.len()],
            scanned: 0,
        }
    }

    /// Notes what was looked at.
    pub(super) fn report(&self, stats: &mut Stats) {
        stats.scanned = self.scanned;
        let segments = self.plans.iter().filter(|plan| plan.is_some()).count();
        stats.searched_segments = u64::try_from(segments).unwrap_or(u64::MAX);
    }

    pub(super) fn segment(&self, piece: &Piece) -> Option<&'a Segment> {
        self.snapshot.get(piece.segment).map(AsRef::as_ref)
    }

    /// The segment of a piece and the piece's documents.
    pub(super) fn documents(&self, piece: &Piece) -> Option<(&'a Segment, std::ops::Range<u32>)> {
        let segment = self.segment(piece)?;
        Some((segment, segment.slice(piece.slice)))
    }

    /// Whether the event at an offset matches; `None` where no more events may be read.
    pub(super) fn verify(&mut self, offset: Offset) -> Result<Option<bool>, Error> {
        self.fetch.verify(&self.query.0, offset)
    }

    /// More would have to be read than may be.
    pub(super) fn too_many_candidates(&self) -> Error {
        Error::TooManyCandidates(self.options.verify_events_max)
    }

    /// Slices that have events in a window.
    pub(super) fn pieces(&self, window: &RangeInclusive<i64>) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for (at, segment) in self.snapshot.iter().enumerate() {
            for slice in 0..segment.slices() {
                let times = segment.slice_time(slice);
                if times.1 >= *window.start() && times.0 <= *window.end() {
                    pieces.push(Piece {
                        segment: at,
                        slice,
                        times,
                    });
                }
            }
        }
        pieces
    }

    /// What the index knows of a piece within a window.
    pub(super) fn evaluate(
        &mut self,
        piece: &Piece,
        window: &RangeInclusive<i64>,
    ) -> Result<Verdict, Error> {
        self.fetch.check_time()?;
        let Some(segment) = self.segment(piece) else {
            return Ok(Verdict::default());
        };
        let Some(slot) = self.plans.get_mut(piece.segment) else {
            return Ok(Verdict::default());
        };
        let planner = Planner::new(segment, self.options.wildcard_terms_max);
        let plan = match slot {
            Some(plan) => plan,
            None => slot.insert(planner.plan(&self.query.0)?),
        };
        if matches!(plan, Plan::Sure(false)) {
            return Ok(Verdict::default());
        }
        let docs = segment.slice(piece.slice);
        self.scanned += u64::from(docs.end - docs.start);
        let verdict = plan.evaluate(segment, piece.slice);
        if *window.start() <= piece.times.0 && piece.times.1 <= *window.end() {
            return Ok(verdict);
        }
        let inside = planner.time(window).evaluate(segment, piece.slice);
        Ok(verdict.and(&inside, docs.end - docs.start))
    }

    /// The documents of a piece that match, all decided; `None` of them is the common answer.
    pub(super) fn matches(
        &mut self,
        piece: &Piece,
        window: &RangeInclusive<i64>,
    ) -> Result<Docs, Error> {
        let verdict = self.evaluate(piece, window)?;
        match self.segment(piece) {
            Some(segment) => self
                .fetch
                .settle(&self.query.0, segment, piece.slice, verdict),
            None => Ok(Docs::None),
        }
    }

    /// How many events of a window match; `None` where more would have to be read than may be.
    pub(super) fn count(&mut self, window: &RangeInclusive<i64>) -> Result<Option<u64>, Error> {
        let mut total = 0u64;
        for piece in self.pieces(window) {
            let matches = match self.matches(&piece, window) {
                Err(Error::TooManyCandidates(_)) => return Ok(None),
                matches => matches?,
            };
            let docs = self
                .segment(&piece)
                .map_or(0..0, |segment| segment.slice(piece.slice));
            total += u64::from(matches.count(docs.end - docs.start));
        }
        Ok(Some(total))
    }

    /// The first `limit` hits of a window in order, behind a cursor; where a time is given, only those found until then.
    pub(super) fn page(
        &mut self,
        window: &RangeInclusive<i64>,
        cursor: Option<Key>,
        (sort, soon): (Sort, Option<Duration>),
        limit: usize,
    ) -> Result<Keys, Error> {
        let behind = match (cursor, sort) {
            (None, _) => window.clone(),
            (Some(key), Sort::Desc) => *window.start()..=key.millis.min(*window.end()),
            (Some(key), Sort::Asc) => key.millis.max(*window.start())..=*window.end(),
        };
        let mut pieces = self.pieces(&behind);
        pieces.sort_by_key(|piece| match sort {
            Sort::Desc => (piece.times.1.saturating_neg(), usize::MAX - piece.segment),
            Sort::Asc => (piece.times.0, piece.segment),
        });
        // One more than the page tells whether there is a next one.
        let mut top = Top::new(sort, limit.saturating_add(1));
        let mut stopped = None;
        let mut is_complete = true;
        for (at, piece) in pieces.iter().enumerate() {
            if !top.wants(first_key(piece, sort)) {
                is_complete = false;
                break;
            }
            // At least one piece, so that there is an end.
            if at > 0 && self.is_soon(soon) && is_step(first_key(piece, sort), cursor, &top) {
                stopped = Some(first_key(piece, sort));
                break;
            }
            if let Some(open) = self.piece(piece, &behind, cursor, soon, &mut top)? {
                // Pieces not looked at may hold keys before the one that could not be decided.
                let rest = pieces.get(at + 1..).unwrap_or_default();
                let next = rest.first().map(|piece| first_key(piece, sort));
                stopped = Some(match next {
                    Some(next) if top.is_before(next, open) => next,
                    _ => open,
                });
                break;
            }
        }
        self.finish(top, stopped, cursor, limit, is_complete && cursor.is_none())
    }

    fn finish(
        &self,
        mut top: Top,
        stopped: Option<Key>,
        cursor: Option<Key>,
        limit: usize,
        is_complete: bool,
    ) -> Result<Keys, Error> {
        let sort = top.sort();
        if let Some(bound) = stopped {
            top.keep_before(bound);
        }
        let more = top.keys().len() > limit;
        let mut keys = top.keys().to_vec();
        keys.truncate(limit);
        if more {
            let next = keys.last().map(|key| encode(*key, sort));
            return Ok(Keys {
                keys,
                next,
                ..Keys::default()
            });
        }
        let Some(bound) = stopped else {
            let total = u64::try_from(keys.len()).ok().filter(|_| is_complete);
            return Ok(Keys {
                keys,
                total,
                ..Keys::default()
            });
        };
        // The page ends just before what could not be decided; where that is no step forward, the query is refused.
        let is_step = is_step(bound, cursor, &top);
        let bound = before(bound, sort);
        if !is_step {
            return Err(self.too_many_candidates());
        }
        Ok(Keys {
            keys,
            next: bound.map(|key| encode(key, sort)),
            total: None,
            is_partial: true,
        })
    }

    /// Whether a page has to end with what was found.
    fn is_soon(&self, soon: Option<Duration>) -> bool {
        soon.is_some_and(|soon| self.fetch.took() > soon)
    }

    /// Adds the hits of a piece; returns the first candidate that was not decided.
    fn piece(
        &mut self,
        piece: &Piece,
        window: &RangeInclusive<i64>,
        cursor: Option<Key>,
        soon: Option<Duration>,
        top: &mut Top,
    ) -> Result<Option<Key>, Error> {
        let verdict = self.evaluate(piece, window)?;
        let Some(segment) = self.segment(piece).filter(|_| !verdict.is_none()) else {
            return Ok(None);
        };
        let is_wanted = |top: &Top, key: Key| {
            top.wants(key) && cursor.is_none_or(|cursor| top.is_before(cursor, key))
        };
        let mut keys = Vec::new();
        each_key(segment, piece.slice, &verdict.yes, |key| {
            if is_wanted(top, key) {
                keys.push(key);
            }
        });
        top.extend(keys);
        let mut open = Vec::new();
        each_key(segment, piece.slice, &verdict.open, |key| {
            if is_wanted(top, key) {
                open.push(key);
            }
        });
        open.sort_unstable();
        if top.sort() == Sort::Desc {
            open.reverse();
        }
        for key in open {
            if !top.wants(key) {
                break;
            }
            if self.fetch.verified >= SOON_VERIFIED_MIN
                && self.is_soon(soon)
                && is_step(key, cursor, top)
            {
                return Ok(Some(key));
            }
            match self.verify(key.offset)? {
                Some(true) => top.push(key),
                Some(false) => {}
                None => return Ok(Some(key)),
            }
        }
        Ok(None)
    }
}

/// Whether a page that ends before a key goes beyond the cursor.
fn is_step(bound: Key, cursor: Option<Key>, top: &Top) -> bool {
    before(bound, top.sort())
        .is_some_and(|bound| cursor.is_none_or(|cursor| top.is_before(cursor, bound)))
}

/// Before or equal to every key of a piece.
fn first_key(piece: &Piece, sort: Sort) -> Key {
    match sort {
        Sort::Desc => Key {
            millis: piece.times.1,
            offset: Offset(u64::MAX),
        },
        Sort::Asc => Key {
            millis: piece.times.0,
            offset: Offset(0),
        },
    }
}

/// The key next to this one on the side of the rows already seen.
pub(super) fn before(key: Key, sort: Sort) -> Option<Key> {
    let (millis, offset) = (key.millis, key.offset.0);
    Some(match sort {
        Sort::Desc => match offset.checked_add(1) {
            Some(offset) => Key {
                millis,
                offset: Offset(offset),
            },
            None => Key {
                millis: millis.checked_add(1)?,
                offset: Offset(0),
            },
        },
        Sort::Asc => match offset.checked_sub(1) {
            Some(offset) => Key {
                millis,
                offset: Offset(offset),
            },
            None => Key {
                millis: millis.checked_sub(1)?,
                offset: Offset(u64::MAX),
            },
        },
    })
}

/// Keys of documents of a slice.
fn each_key(segment: &Segment, slice: u32, docs: &Docs, mut found: impl FnMut(Key)) {
    let range = segment.slice(slice);
    let len = range.end - range.start;
    let count = docs.count(len);
    let time = segment.time();
    if count > len / 8 {
        // Many: decoding everything in blocks is cheaper.
        time.each(range.clone(), |doc, value| {
            if docs.contains(doc - range.start) {
                let millis = time_from_column(value);
                found(Key {
                    millis,
                    offset: segment.offset(doc),
                });
            }
        });
        return;
    }
    let mut times = time.cursor();
    docs.each(len, |position| {
        let doc = range.start + position;
        let millis = time_from_column(times.get(doc));
        found(Key {
            millis,
            offset: segment.offset(doc),
        });
    });
}
