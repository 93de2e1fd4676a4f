//! Pages in the order of a column's values.
//!
//! Every slice that may have a match is looked at; of its documents only those stay that come before the worst row of a
//! full page. Within a slice places decide: numbers, or ordinals of a sorted dictionary. Only the terms of those that
//! stay are read, to compare them with those of other segments.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::io;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use super::Error;
use super::column::{Order, Values};
use super::cursor::{self, Key};
use super::docs::Docs;
use super::search::Sort;
use super::segment::{Segment, time_from_column};
use super::walk::{Keys, Piece, Walk, before};
use crate::model::{Field, Kind};

/// Events that only reading can decide, held and read for one page at most.
const CANDIDATES_MAX: usize = if cfg!(test) { 7 } else { 20_000 };

/// By the values of a column, ties newest first. Events without a value come last; of several values of one event the one
/// that comes first counts. Texts are compared without case, then by their bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct By {
    pub(super) field: Field,
    /// Whether the smallest or the largest value comes first.
    pub(super) sort: Sort,
}

/// A value of a column, comparable with those of other segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Number(u64),
    /// A text, or an address in 16 bytes.
    Term(Arc<[u8]>),
}

/// A place in the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rank {
    /// `None` where the event has none.
    pub(super) value: Option<Value>,
    pub(super) key: Key,
}

impl By {
    fn compare(self, a: &Rank, b: &Rank) -> Ordering {
        let by_value = match (&a.value, &b.value) {
            (Some(a), Some(b)) => match self.sort {
                Sort::Asc => self.values(a, b),
                Sort::Desc => self.values(b, a),
            },
            (a, b) => a.is_none().cmp(&b.is_none()),
        };
        by_value.then_with(|| b.key.cmp(&a.key))
    }

    fn values(self, a: &Value, b: &Value) -> Ordering {
        match (a, b) {
            (Value::Number(a), Value::Number(b)) => a.cmp(b),
            (Value::Term(a), Value::Term(b)) if self.field.kind() == Kind::Ip => a.cmp(b),
            (Value::Term(a), Value::Term(b)) => Order::Folded.compare(a, b),
            // A column has one kind of values.
            (Value::Number(_), Value::Term(_)) => Ordering::Less,
            (Value::Term(_), Value::Number(_)) => Ordering::Greater,
        }
    }

    /// The place of a value among the documents of a slice.
    fn standing(self, place: u64) -> Standing {
        match self.sort {
            Sort::Asc => Standing(false, place),
            Sort::Desc => Standing(false, !place),
        }
    }

    fn place(self, standing: Standing) -> Option<u64> {
        let Standing(is_missing, place) = standing;
        (!is_missing).then_some(match self.sort {
            Sort::Asc => place,
            Sort::Desc => !place,
        })
    }
}

/// A place that only documents of one segment are compared by: whether there is no value, then what comes first is
/// smallest. Of terms it is twice the ordinal and one; between them stand those the dictionary lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Standing(bool, u64);

const MISSING: Standing = Standing(true, 0);

/// A document in the order, or a bound.
type Local = (Standing, Reverse<Key>);

/// The first of the ranks so far, in order.
struct First {
    by: By,
    max: usize,
    ranks: Vec<Rank>,
}

impl First {
    fn new(by: By, max: usize) -> Self {
        let ranks = Vec::new();
        Self { by, max, ranks }
    }

    /// The last of a full list: what does not come before it is of no use.
    fn last(&self) -> Option<&Rank> {
        self.ranks.get(self.max.checked_sub(1)?)
    }

    fn wants(&self, rank: &Rank) -> bool {
        self.last()
            .is_none_or(|last| self.by.compare(rank, last).is_lt())
    }

    /// Adds ranks that are in order.
    fn extend(&mut self, ranks: Vec<Rank>) {
        self.ranks.extend(ranks);
        let by = self.by;
        // Two runs: that is one merge.
        self.ranks.sort_by(|a, b| by.compare(a, b));
        self.ranks.truncate(self.max);
    }

    fn push(&mut self, rank: Rank) {
        let is_before = |other: &Rank| self.by.compare(other, &rank).is_lt();
        let at = self.ranks.partition_point(is_before);
        self.ranks.insert(at, rank);
        self.ranks.truncate(self.max);
    }
}

impl Walk<'_, '_> {
    /// The first `limit` hits of a window in the order, behind a cursor.
    pub(super) fn page_by(
        &mut self,
        window: &RangeInclusive<i64>,
        cursor: Option<&Rank>,
        by: By,
        limit: usize,
    ) -> Result<Keys, Error> {
        // One more than the page tells whether there is a next one, one more candidate where the undecided ones begin.
        let mut rows = First::new(by, limit.saturating_add(1));
        let mut open = First::new(by, CANDIDATES_MAX.saturating_add(1));
        let mut pieces = self.pieces(window);
        // The newest first of ties: what comes later is often of no use.
        pieces.sort_by_key(|piece| Reverse(piece.times.1));
        let mut is_whole = cursor.is_none();
        for piece in &pieces {
            let Some(segment) = self.segment(piece) else {
                continue;
            };
            let slice = Slice::new(segment, piece, by)?;
            if rows.last().is_some_and(|last| !slice.may_precede(last)) {
                is_whole = false;
                continue;
            }
            let verdict = self.evaluate(piece, window)?;
            if verdict.is_none() {
                continue;
            }
            let standings = slice.standings();
            let found = slice.first(&standings, &verdict.yes, (cursor, rows.last()), rows.max)?;
            rows.extend(found);
            // What comes before the last row and before the last candidate.
            let last = match (rows.last(), open.last()) {
                (Some(a), Some(b)) if by.compare(a, b).is_gt() => Some(b),
                (Some(row), _) => Some(row),
                (None, candidate) => candidate,
            };
            let found = slice.first(&standings, &verdict.open, (cursor, last), open.max)?;
            open.extend(found);
        }
        let stopped = self.decide(&mut rows, open)?;
        Ok(finish(rows, stopped, limit, is_whole))
    }

    /// Reads candidates in order until none may be on the page; the first one that is left undecided.
    fn decide(&mut self, rows: &mut First, open: First) -> Result<Option<Rank>, Error> {
        for (at, rank) in open.ranks.into_iter().enumerate() {
            if !rows.wants(&rank) {
                return Ok(None);
            }
            let verdict = match self.verify(rank.key.offset) {
                _ if at == CANDIDATES_MAX => None,
                // What was decided is an answer.
                Err(Error::TooSlow(_)) if at > 0 => None,
                verdict => verdict?,
            };
            match verdict {
                Some(true) => rows.push(rank),
                Some(false) => {}
                // A page must be a step forward.
                None if at == 0 => return Err(self.too_many_candidates()),
                None => return Ok(Some(rank)),
            }
        }
        Ok(None)
    }
}

fn finish(rows: First, stopped: Option<Rank>, limit: usize, is_whole: bool) -> Keys {
    let (by, mut ranks) = (rows.by, rows.ranks);
    if let Some(stopped) = &stopped {
        ranks.retain(|rank| by.compare(rank, stopped).is_lt());
    }
    let has_more = ranks.len() > limit;
    ranks.truncate(limit);
    let is_partial = stopped.is_some() && !has_more;
    let next = if has_more {
        ranks.last().cloned()
    } else {
        // Just before what was not decided; every rank seen was.
        stopped.and_then(|stopped| {
            Some(Rank {
                key: before(stopped.key, Sort::Desc)?,
                ..stopped
            })
        })
    };
    let total = u64::try_from(ranks.len()).ok();
    Keys {
        keys: ranks.iter().map(|rank| rank.key).collect(),
        total: total.filter(|_| is_whole && next.is_none()),
        next: next.map(|rank| cursor::encode_rank(&rank, by)),
        is_partial,
    }
}

/// The documents of a slice and their values.
struct Slice<'s> {
    segment: &'s Segment,
    docs: Range<u32>,
    /// `None` where no event of the segment has one.
    values: Option<&'s Values>,
    newest: i64,
    by: By,
}

impl<'s> Slice<'s> {
    fn new(segment: &'s Segment, piece: &Piece, by: By) -> io::Result<Self> {
        Ok(Self {
            segment,
            docs: piece.documents(segment),
            values: segment.field(by.field)?,
            newest: piece.times.1,
            by,
        })
    }

    /// Where a rank, of this segment or another, stands among the documents.
    fn local(&self, rank: &Rank) -> Local {
        let place = rank.value.as_ref().map(|value| match (value, self.values) {
            (Value::Number(number), _) => *number,
            (Value::Term(term), Some(Values::Text(terms) | Values::Address(terms))) => {
                match terms.dictionary().find(term) {
                    Ok(ord) => term_place(ord.into()),
                    Err(ord) => u64::from(ord) * 2,
                }
            }
            // All documents are without a value, which is behind any.
            (Value::Term(_), _) => 0,
        });
        let standing = place.map_or(MISSING, |place| self.by.standing(place));
        (standing, Reverse(rank.key))
    }

    /// Whether a document of the slice may come before a rank.
    fn may_precede(&self, rank: &Rank) -> bool {
        let best = match self.values {
            None => MISSING,
            Some(values) => {
                let (column, place) = places(values);
                self.by.standing(place(match self.by.sort {
                    Sort::Asc => column.min(),
                    Sort::Desc => column.max(),
                }))
            }
        };
        let (standing, Reverse(key)) = self.local(rank);
        (best, Reverse(self.newest)) <= (standing, Reverse(key.millis))
    }

    /// Where each document stands.
    fn standings(&self) -> Vec<Standing> {
        let start = self.docs.start;
        let count = usize::try_from(self.docs.end - start).unwrap_or(0);
        let mut standings = vec![MISSING; count];
        if let Some(values) = self.values {
            let (column, place) = places(values);
            column.each(self.docs.clone(), |doc, value| {
                let at = usize::try_from(doc - start).unwrap_or(usize::MAX);
                if let Some(standing) = standings.get_mut(at) {
                    *standing = self.by.standing(place(value)).min(*standing);
                }
            });
        }
        standings
    }

    /// The first `max` of some documents, in order, that stand behind one rank and before another.
    fn first(
        &self,
        standings: &[Standing],
        docs: &Docs,
        (behind, before): (Option<&Rank>, Option<&Rank>),
        max: usize,
    ) -> io::Result<Vec<Rank>> {
        let behind = behind.map(|rank| self.local(rank));
        let before = before.map(|rank| self.local(rank));
        let mut times = self.segment.time().cursor();
        let mut best: BinaryHeap<Local> = BinaryHeap::new();
        docs.each(self.docs.end - self.docs.start, |position| {
            let at = usize::try_from(position).ok();
            let standing = at.and_then(|at| standings.get(at)).copied();
            let standing = standing.unwrap_or(MISSING);
            // Most documents are out by their value alone.
            let last = if best.len() < max { None } else { best.peek() };
            let bound = last.or(before.as_ref());
            if bound.is_some_and(|(bound, _)| standing > *bound) {
                return;
            }
            let doc = self.docs.start + position;
            let local = (
                standing,
                Reverse(Key {
                    millis: time_from_column(times.get(doc)),
                    offset: self.segment.offset(doc),
                }),
            );
            let is_seen = behind.is_some_and(|behind| local <= behind);
            if is_seen || bound.is_some_and(|bound| local >= *bound) {
                return;
            }
            if best.len() >= max {
                best.pop();
            }
            best.push(local);
        });
        self.ranks(best.into_sorted_vec())
    }

    /// With the values, in place of where they stand here.
    fn ranks(&self, locals: Vec<Local>) -> io::Result<Vec<Rank>> {
        let mut last: Option<(u64, Arc<[u8]>)> = None;
        let ranks = locals.into_iter().map(|(standing, Reverse(key))| {
            let value = match (self.by.place(standing), self.values) {
                (None, _) | (_, None) => None,
                (Some(number), Some(Values::Number(_))) => Some(Value::Number(number)),
                (Some(place), Some(Values::Text(terms) | Values::Address(terms))) => {
                    let known = last.as_ref().filter(|(known, _)| *known == place);
                    let term = match known {
                        Some((_, term)) => Arc::clone(term),
                        None => {
                            let ord = u32::try_from(place / 2).unwrap_or(u32::MAX);
                            let term = terms.dictionary().get(ord);
                            Arc::from(term.ok_or(io::ErrorKind::InvalidData)?)
                        }
                    };
                    last = Some((place, Arc::clone(&term)));
                    Some(Value::Term(term))
                }
            };
            Ok(Rank { value, key })
        });
        ranks.collect()
    }
}

fn term_place(ord: u64) -> u64 {
    ord * 2 + 1
}

/// A column, and the place of what stands in it.
fn places(values: &Values) -> (&super::column::Column, fn(u64) -> u64) {
    match values {
        Values::Number(column) => (column, |number| number),
        Values::Text(terms) | Values::Address(terms) => (terms.ords(), term_place),
    }
}
