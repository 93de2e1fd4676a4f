//! Counting loops over columns: one per kind of aggregation, fed slice by slice.

use std::collections::HashMap;
use std::io;
use std::ops::Range;

use tantivy::columnar::{Column, ColumnIndex, StrColumn};

use super::aggregate::{Aggregation, Bucket, TimeBucket};
use super::docs::Docs;
use super::scan::each_value;
use super::segment::{Segment, Values, time_from_column};
use super::terms::{Numbers, Terms};
use crate::model::{Field, Timestamp};

/// Values a histogram is split by; more are counted together.
const SPLIT_MAX: usize = 32;
/// Their name.
const OTHER: &str = "other";

/// One aggregation in progress.
pub(super) enum Tally {
    Times(Times),
    Terms(Terms),
    Numbers(Numbers),
}

impl Tally {
    /// Counts the documents of a slice.
    pub(super) fn add(
        &mut self,
        segment: &Segment,
        range: Range<u32>,
        docs: &Docs,
    ) -> io::Result<()> {
        match self {
            Self::Times(times) => times.add(segment, range, docs),
            Self::Terms(terms) => terms.add(segment, range, docs),
            Self::Numbers(numbers) => numbers.add(segment, range, docs),
        }
    }

    /// The result; `total` events matched.
    pub(super) fn finish(self, total: u64) -> Aggregation {
        match self {
            Self::Times(times) => times.finish(),
            Self::Terms(terms) => terms.finish(total),
            Self::Numbers(numbers) => numbers.finish(),
        }
    }
}

/// Position in the slice and value, for every value of the documents.
pub(super) fn each_of(
    column: &Column<u64>,
    range: Range<u32>,
    docs: &Docs,
    mut found: impl FnMut(u32, u64),
) {
    match &column.index {
        ColumnIndex::Empty { .. } => {}
        ColumnIndex::Full => each_value(column, range.clone(), |doc, value| {
            if docs.contains(doc - range.start) {
                found(doc - range.start, value);
            }
        }),
        ColumnIndex::Optional(_) => {
            let rows = column.index.docid_range_to_rowids(range.clone());
            let mut with: Vec<u32> = rows.clone().collect();
            column.index.select_batch_in_place(range.start, &mut with);
            let mut with = with.into_iter();
            each_value(column, rows, |_, value| {
                if let Some(doc) = with.next()
                    && docs.contains(doc - range.start)
                {
                    found(doc - range.start, value);
                }
            });
        }
        ColumnIndex::Multivalued(_) => docs.each(range.end - range.start, |position| {
            for value in column.values_for_doc(range.start + position) {
                found(position, value);
            }
        }),
    }
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
        let mut slots = Slots::new(self.start, self.interval);
        let mut slot_of = vec![u32::MAX; usize::try_from(range.end - range.start).unwrap_or(0)];
        let counts = &mut self.counts;
        let mut of = slot_of.iter_mut();
        each_value(segment.time(), range.clone(), |doc, value| {
            let Some(to) = of.next() else { return };
            if docs.contains(doc - range.start) {
                let slot = slots.slot(time_from_column(value));
                if let Some(count) = counts.get_mut(slot) {
                    *count += 1;
                    *to = u32::try_from(slot).unwrap_or(u32::MAX);
                }
            }
        });
        let Some(field) = self.split else {
            return Ok(());
        };
        match segment.field(field)? {
            Some(Values::Number(column)) => {
                self.split_numbers(field, column, range, docs, &slot_of);
                Ok(())
            }
            Some(Values::Text(column)) => self.split_terms(column, range, docs, &slot_of),
            Some(Values::Address(_)) | None => Ok(()),
        }
    }

    fn split_numbers(
        &mut self,
        field: Field,
        column: &Column<u64>,
        range: Range<u32>,
        docs: &Docs,
        slot_of: &[u32],
    ) {
        // Status codes by class.
        let is_status = field == Field::HttpStatus;
        let buckets = self.counts.len();
        let mut values: HashMap<u64, Vec<u64>, foldhash::fast::RandomState> = HashMap::default();
        let mut last: Option<(u64, Vec<u64>)> = None;
        each_of(column, range, docs, |position, value| {
            let value = if is_status { value / 100 } else { value };
            // Neighbours often have the same value.
            if last.as_ref().is_none_or(|(key, _)| *key != value) {
                if let Some((key, counts)) = last.take() {
                    values.insert(key, counts);
                }
                let known = values.remove(&value);
                let is_full = values.len() >= SPLIT_MAX;
                let key = if known.is_none() && is_full {
                    u64::MAX
                } else {
                    value
                };
                let counts = known.or_else(|| values.remove(&key));
                last = Some((key, counts.unwrap_or_else(|| vec![0; buckets])));
            }
            if let Some((_, counts)) = last.as_mut() {
                bump(counts, slot_of, position);
            }
        });
        values.extend(last);
        for (value, counts) in values {
            let key = match value {
                u64::MAX => OTHER.to_owned(),
                value if is_status => format!("{value}xx"),
                value => value.to_string(),
            };
            self.merge(&key, &counts);
        }
    }

    fn split_terms(
        &mut self,
        column: &StrColumn,
        range: Range<u32>,
        docs: &Docs,
        slot_of: &[u32],
    ) -> io::Result<()> {
        let buckets = self.counts.len();
        // The most frequent values of the slice get their own counts.
        let mut totals = vec![0u64; column.num_terms()];
        each_of(column.ords(), range.clone(), docs, |_, ord| {
            bump_at(&mut totals, ord)
        });
        let mut best: Vec<(u64, u64)> = (0u64..)
            .zip(&totals)
            .map(|(ord, count)| (*count, ord))
            .filter(|(count, _)| *count > 0)
            .collect();
        best.sort_unstable_by(|a, b| b.cmp(a));
        best.truncate(SPLIT_MAX);
        let mut own = vec![SPLIT_MAX; totals.len()];
        for (at, (_, ord)) in best.iter().enumerate() {
            if let Some(slot) = usize::try_from(*ord).ok().and_then(|ord| own.get_mut(ord)) {
                *slot = at;
            }
        }
        let mut counts = vec![vec![0u64; buckets]; SPLIT_MAX + 1];
        each_of(column.ords(), range, docs, |position, ord| {
            let at = usize::try_from(ord)
                .ok()
                .and_then(|ord| own.get(ord))
                .copied();
            if let Some(counts) = at.and_then(|at| counts.get_mut(at)) {
                bump(counts, slot_of, position);
            }
        });
        let mut term = String::new();
        for ((_, ord), counts) in best.iter().zip(&counts) {
            if column.ord_to_str(*ord, &mut term)? {
                self.merge(&term, counts);
            }
        }
        if let Some(rest) = counts
            .last()
            .filter(|rest| rest.iter().any(|count| *count > 0))
        {
            self.merge(OTHER, rest);
        }
        Ok(())
    }

    fn merge(&mut self, key: &str, counts: &[u64]) {
        let key = if self.by_value.len() >= SPLIT_MAX && !self.by_value.contains_key(key) {
            OTHER
        } else {
            key
        };
        let buckets = self.counts.len();
        let sums = self
            .by_value
            .entry(key.to_owned())
            .or_insert_with(|| vec![0; buckets]);
        sums.iter_mut()
            .zip(counts)
            .for_each(|(sum, count)| *sum += count);
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

fn bump(counts: &mut [u64], slot_of: &[u32], position: u32) {
    let slot = usize::try_from(position)
        .ok()
        .and_then(|at| slot_of.get(at));
    let slot = slot.and_then(|slot| usize::try_from(*slot).ok());
    if let Some(count) = slot.and_then(|slot| counts.get_mut(slot)) {
        *count += 1;
    }
}

pub(super) fn bump_at(counts: &mut [u64], at: u64) {
    if let Some(count) = usize::try_from(at).ok().and_then(|at| counts.get_mut(at)) {
        *count += 1;
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
