//! Counting loops over columns: one per kind of aggregation, fed slice by slice.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::ops::Range;

use super::Error;
use super::aggregate::{Aggregation, Bucket, TimeBucket};
use super::column::{self, Column, Values};
use super::docs::Docs;
use super::percentiles::Percentiles;
use super::postings::SLICE_DOCS;
use super::segment::{Segment, time_from_column};
use super::terms::{Numbers, Terms};
use crate::model::{Field, Timestamp};

/// Values a histogram is split by; more are counted together.
const SPLIT_MAX: usize = 32;
/// Their name.
const OTHER: &str = "other";
/// Numbers that lie closer than this are counted by value.
const DENSE_MAX: u64 = 1_024;

/// One aggregation in progress.
pub(super) enum Tally {
    Times(Times),
    Terms(Terms),
    Numbers(Numbers),
    Percentiles(Percentiles),
}

impl Tally {
    /// Counts the documents of a slice.
    pub(super) fn add(
        &mut self,
        segment: &Segment,
        range: Range<u32>,
        docs: &Docs,
    ) -> Result<(), Error> {
        match self {
            Self::Times(times) => Ok(times.add(segment, range, docs)?),
            Self::Terms(terms) => terms.add(segment, range, docs),
            Self::Numbers(numbers) => Ok(numbers.add(segment, range, docs)?),
            Self::Percentiles(percentiles) => Ok(percentiles.add(segment, range, docs)?),
        }
    }

    /// The result; `total` events matched.
    pub(super) fn finish(self, total: u64) -> Aggregation {
        match self {
            Self::Times(times) => times.finish(),
            Self::Terms(terms) => terms.finish(total),
            Self::Numbers(numbers) => numbers.finish(),
            Self::Percentiles(percentiles) => percentiles.finish(),
        }
    }
}

/// Position in the slice and value, for every value of the documents.
pub(super) fn each_of(
    column: &Column,
    range: Range<u32>,
    docs: &Docs,
    mut found: impl FnMut(u32, u64),
) {
    let start = range.start;
    column.each(range, |doc, value| {
        if docs.contains(doc - start) {
            found(doc - start, value);
        }
    });
}

/// Events over time.
pub(super) struct Times {
    start: i64,
    interval: i64,
    counts: Vec<u64>,
    split: Option<Field>,
    by_value: HashMap<String, Vec<u64>>,
}

impl Times {
    pub(super) fn new(start: i64, interval: i64, buckets: usize, split: Option<Field>) -> Self {
        Self {
            start,
            interval,
            counts: vec![0; buckets],
            split,
            by_value: HashMap::new(),
        }
    }

    fn add(&mut self, segment: &Segment, range: Range<u32>, docs: &Docs) -> io::Result<()> {
        let spread = match self.only_slot(segment, &range) {
            Some(slot) => self.add_to(slot, &range, docs),
            None => self.spread(segment, &range, docs),
        };
        let Some(field) = self.split else {
            return Ok(());
        };
        match segment.field(field)? {
            Some(Values::Number(column)) => {
                self.split_numbers(field, column, range, docs, &spread);
                Ok(())
            }
            Some(Values::Text(column)) => self.split_terms(column, range, docs, &spread),
            Some(Values::Address(_)) | None => Ok(()),
        }
    }

    /// The one bucket that all times of a slice fall into, where that is so.
    fn only_slot(&self, segment: &Segment, range: &Range<u32>) -> Option<usize> {
        let (first, last) = segment.slice_time(range.start / SLICE_DOCS);
        let mut slots = Slots::new(self.start, self.interval);
        let slot = slots.slot(first);
        (slot < self.counts.len() && slots.slot(last) == slot).then_some(slot)
    }

    /// Counts the documents of a slice in one bucket; no time is looked at.
    fn add_to(&mut self, slot: usize, range: &Range<u32>, docs: &Docs) -> Spread {
        let len = range.end - range.start;
        if let Some(count) = self.counts.get_mut(slot) {
            *count += u64::from(docs.count(len));
        }
        Spread::narrow(u32::try_from(slot).unwrap_or(OUTSIDE), len)
    }

    /// Counts the documents of a slice, each in its bucket.
    fn spread(&mut self, segment: &Segment, range: &Range<u32>, docs: &Docs) -> Spread {
        let mut slots = Slots::new(self.start, self.interval);
        let mut spread = Spread::new(range.end - range.start);
        let counts = &mut self.counts;
        let mut of = spread.slots.iter_mut();
        segment.time().each(range.clone(), |doc, value| {
            let Some(to) = of.next() else { return };
            if docs.contains(doc - range.start) {
                let slot = slots.slot(time_from_column(value));
                if let Some(count) = counts.get_mut(slot) {
                    *count += 1;
                    *to = u32::try_from(slot).unwrap_or(OUTSIDE);
                }
            }
        });
        spread.settle();
        spread
    }

    fn split_numbers(
        &mut self,
        field: Field,
        column: &Column,
        range: Range<u32>,
        docs: &Docs,
        spread: &Spread,
    ) {
        // Status codes by class.
        let is_status = field == Field::HttpStatus;
        let span = column.max().saturating_sub(column.min());
        if spread.width == 1 && span < DENSE_MAX {
            return self.split_dense(is_status, column, range, docs, spread);
        }
        let mut values: Vec<u64> = Vec::with_capacity(SPLIT_MAX);
        let mut counts = spread.counts();
        each_of(column, range, docs, |position, value| {
            let value = if is_status { value / 100 } else { value };
            let known = values.iter().position(|other| *other == value);
            let row = known.unwrap_or_else(|| {
                if values.len() < SPLIT_MAX {
                    values.push(value);
                    values.len() - 1
                } else {
                    SPLIT_MAX
                }
            });
            spread.bump(&mut counts, row, position);
        });
        for (row, value) in values.iter().enumerate() {
            let key = key_of(is_status, *value);
            self.merge(&key, spread, spread.row(&counts, row));
        }
        if values.len() == SPLIT_MAX {
            self.merge(OTHER, spread, spread.row(&counts, SPLIT_MAX));
        }
    }

    /// The same within one bucket and for few possible values: each has a count of its own.
    fn split_dense(
        &mut self,
        is_status: bool,
        column: &Column,
        range: Range<u32>,
        docs: &Docs,
        spread: &Spread,
    ) {
        let least = column.min();
        let span = column.max().saturating_sub(least);
        let mut counts = vec![0u64; usize::try_from(span).unwrap_or(0) + 1];
        if matches!(docs, Docs::All) && column.is_full() {
            column.blocks(range, |_, values| {
                for value in values {
                    bump_at(&mut counts, value.wrapping_sub(least));
                }
            });
        } else {
            each_of(column, range, docs, |_, value| {
                bump_at(&mut counts, value.wrapping_sub(least));
            });
        }
        let mut sums: BTreeMap<u64, u64> = BTreeMap::new();
        for (value, count) in (least..).zip(counts).filter(|(_, count)| *count > 0) {
            let value = if is_status { value / 100 } else { value };
            *sums.entry(value).or_default() += count;
        }
        let mut sums: Vec<(u64, u64)> = sums.into_iter().collect();
        sums.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        for (at, (value, count)) in sums.into_iter().enumerate() {
            match at < SPLIT_MAX {
                true => self.merge(&key_of(is_status, value), spread, &[count]),
                false => self.merge(OTHER, spread, &[count]),
            }
        }
    }

    fn split_terms(
        &mut self,
        column: &column::Terms,
        range: Range<u32>,
        docs: &Docs,
        spread: &Spread,
    ) -> io::Result<()> {
        // The most frequent values of the slice get their own counts.
        let mut totals = vec![0u64; terms_of(column)];
        each_of(column.ords(), range.clone(), docs, |_, ord| {
            bump_at(&mut totals, ord);
        });
        let with = (0u64..).zip(&totals).filter(|(_, count)| **count > 0);
        let mut best: Vec<(u64, u64)> = with.map(|(ord, count)| (*count, ord)).collect();
        let is_all = best.len() <= SPLIT_MAX;
        best.sort_unstable_by(|a, b| b.cmp(a));
        best.truncate(SPLIT_MAX);
        let mut row_of = vec![SPLIT_MAX; totals.len()];
        for (row, (_, ord)) in best.iter().enumerate() {
            if let Some(slot) = usize::try_from(*ord)
                .ok()
                .and_then(|ord| row_of.get_mut(ord))
            {
                *slot = row;
            }
        }
        let mut counts = spread.counts();
        each_of(column.ords(), range, docs, |position, ord| {
            let row = usize::try_from(ord).ok().and_then(|ord| row_of.get(ord));
            if let Some(row) = row {
                spread.bump(&mut counts, *row, position);
            }
        });
        for (row, (_, ord)) in best.iter().enumerate() {
            let ord = u32::try_from(*ord).unwrap_or(u32::MAX);
            let term = column.dictionary().get(ord);
            let term = term.ok_or(io::ErrorKind::InvalidData)?;
            let term = String::from_utf8_lossy(&term);
            self.merge(&term, spread, spread.row(&counts, row));
        }
        if !is_all {
            self.merge(OTHER, spread, spread.row(&counts, SPLIT_MAX));
        }
        Ok(())
    }

    fn merge(&mut self, key: &str, spread: &Spread, counts: &[u64]) {
        let is_new = !self.by_value.contains_key(key);
        let key = if is_new && self.by_value.len() >= SPLIT_MAX {
            OTHER
        } else {
            key
        };
        let buckets = self.counts.len();
        let sums = self.by_value.entry(key.to_owned());
        let sums = sums.or_insert_with(|| vec![0; buckets]);
        let first = usize::try_from(spread.first).unwrap_or(usize::MAX);
        for (sum, count) in sums.iter_mut().skip(first).zip(counts) {
            *sum += count;
        }
    }

    fn finish(self) -> Aggregation {
        let mut values: Vec<(&String, &Vec<u64>)> = self.by_value.iter().collect();
        values.sort_unstable_by_key(|(key, counts)| {
            (std::cmp::Reverse(counts.iter().sum::<u64>()), *key)
        });
        let buckets = self
            .counts
            .iter()
            .enumerate()
            .map(|(at, count)| TimeBucket {
                start: Timestamp::from_millis(
                    i64::try_from(at)
                        .unwrap_or(0)
                        .saturating_mul(self.interval)
                        .saturating_add(self.start),
                ),
                count: *count,
                split: values
                    .iter()
                    .filter_map(|(key, counts)| {
                        let count = counts.get(at).copied().filter(|count| *count > 0)?;
                        Some(Bucket {
                            key: (*key).clone(),
                            count,
                        })
                    })
                    .collect(),
            });
        Aggregation::Histogram {
            interval_ms: self.interval.unsigned_abs(),
            buckets: buckets.collect(),
        }
    }
}

/// The name of a number; of a status code its class.
fn key_of(is_status: bool, value: u64) -> String {
    match is_status {
        true => format!("{value}xx"),
        false => value.to_string(),
    }
}

/// How many terms a column has.
pub(super) fn terms_of(column: &column::Terms) -> usize {
    usize::try_from(column.dictionary().count()).unwrap_or(usize::MAX)
}

pub(super) fn bump_at(counts: &mut [u64], at: u64) {
    if let Some(count) = usize::try_from(at).ok().and_then(|at| counts.get_mut(at)) {
        *count += 1;
    }
}

/// The bucket of each document of a slice; only the buckets the slice touches are counted by value.
struct Spread {
    slots: Vec<u32>,
    first: u32,
    width: usize,
}

/// The slot of a document that is not counted.
const OUTSIDE: u32 = u32::MAX;

impl Spread {
    fn new(docs: u32) -> Self {
        Self {
            slots: vec![OUTSIDE; usize::try_from(docs).unwrap_or(0)],
            first: 0,
            width: 0,
        }
    }

    /// All documents in one bucket.
    fn narrow(slot: u32, docs: u32) -> Self {
        Self {
            slots: vec![slot; usize::try_from(docs).unwrap_or(0)],
            first: slot,
            width: 1,
        }
    }

    /// Finds the buckets touched.
    fn settle(&mut self) {
        let inside = || self.slots.iter().copied().filter(|slot| *slot != OUTSIDE);
        if let (Some(first), Some(last)) = (inside().min(), inside().max()) {
            self.first = first;
            self.width = usize::try_from(last - first).unwrap_or(0) + 1;
        }
    }

    /// A row of counts per value, and one for the rest.
    fn counts(&self) -> Vec<u64> {
        vec![0; self.width * (SPLIT_MAX + 1)]
    }

    fn row<'c>(&self, counts: &'c [u64], row: usize) -> &'c [u64] {
        let start = row * self.width;
        counts.get(start..start + self.width).unwrap_or_default()
    }

    fn bump(&self, counts: &mut [u64], row: usize, position: u32) {
        let slot = usize::try_from(position)
            .ok()
            .and_then(|at| self.slots.get(at));
        let Some(slot) = slot.filter(|slot| **slot != OUTSIDE) else {
            return;
        };
        let at = usize::try_from(slot - self.first).unwrap_or(usize::MAX);
        if let Some(count) = counts.get_mut(row * self.width + at) {
            *count += 1;
        }
    }
}

/// Milliseconds to buckets; remembers the last bucket, so that times in order cost no division.
struct Slots {
    start: i64,
    interval: i64,
    last: Range<i64>,
    slot: usize,
}

impl Slots {
    fn new(start: i64, interval: i64) -> Self {
        Self {
            start,
            interval,
            last: 0..0,
            slot: usize::MAX,
        }
    }

    fn slot(&mut self, millis: i64) -> usize {
        if !self.last.contains(&millis) {
            let distance = i128::from(millis) - i128::from(self.start);
            let slot = distance.div_euclid(i128::from(self.interval));
            self.slot = usize::try_from(slot).unwrap_or(usize::MAX);
            let from =
                millis.saturating_sub(millis.saturating_sub(self.start).rem_euclid(self.interval));
            self.last = from..from.saturating_add(self.interval);
        }
        self.slot
    }
}
