//! Counting values: the most frequent ones, how many there are, and sums of numbers.

use std::collections::HashMap;
use std::io;
use std::net::Ipv6Addr;
use std::ops::Range;

use super::Error;
use super::aggregate::{Aggregation, Bucket};
use super::column::{self, Values};
use super::docs::Docs;
use super::segment::Segment;
use super::tally::{bump_at, each_of, terms_of};
use crate::model::{Field, Kind};

/// Terms with a count, in order.
fn each_term(
    column: &column::Terms,
    counts: &[u64],
    mut found: impl FnMut(&[u8], u64),
) -> io::Result<()> {
    let mut counts = counts.iter();
    let is_whole = column.dictionary().each(0, |_, term| {
        if let Some(count) = counts.next().filter(|count| **count > 0) {
            found(term, *count);
        }
        true
    });
    if is_whole {
        Ok(())
    } else {
        Err(io::Error::from(io::ErrorKind::InvalidData))
    }
}

/// Values of a field and how often each stands.
pub(super) struct Terms {
    field: Field,
    /// How many are wanted; `None` to count them only.
    size: Option<usize>,
    /// How many distinct ones may be held.
    values_max: usize,
    /// Texts as they are, addresses in 16 bytes.
    terms: HashMap<Box<[u8]>, u64, foldhash::fast::RandomState>,
    numbers: HashMap<u64, u64, foldhash::fast::RandomState>,
    /// Events with the field.
    with: u64,
    /// The segment seen last by its first offset, its dictionary and counts by ordinal.
    open: Option<(u64, column::Terms, Vec<u64>)>,
}

impl Terms {
    pub(super) fn new(field: Field, size: Option<usize>, values_max: usize) -> Self {
        Self {
            field,
            size,
            values_max,
            terms: HashMap::default(),
            numbers: HashMap::default(),
            with: 0,
            open: None,
        }
    }

    pub(super) fn add(
        &mut self,
        segment: &Segment,
        range: Range<u32>,
        docs: &Docs,
    ) -> Result<(), Error> {
        let mut last = u32::MAX;
        let mut with = 0u64;
        let mut seen = |position: u32| {
            with += u64::from(position != last);
            last = position;
        };
        match segment.field(self.field)? {
            Some(Values::Text(column) | Values::Address(column)) => {
                let first = segment.meta().first;
                if self.open.as_ref().is_none_or(|(open, ..)| *open != first) {
                    self.close()?;
                    self.open = Some((first, column.clone(), vec![0; terms_of(column)]));
                }
                if let Some((_, _, counts)) = self.open.as_mut() {
                    each_of(column.ords(), range, docs, |position, ord| {
                        seen(position);
                        bump_at(counts, ord);
                    });
                }
            }
            Some(Values::Number(column)) => each_of(column, range, docs, |position, value| {
                seen(position);
                *self.numbers.entry(value).or_default() += 1;
            }),
            None => {}
        }
        self.with += with;
        if self.distinct() > self.values_max {
            return Err(Error::TooManyValues(self.values_max));
        }
        Ok(())
    }

    fn distinct(&self) -> usize {
        self.terms.len() + self.numbers.len()
    }

    /// Folds the counts of the segment seen last into those by text.
    fn close(&mut self) -> io::Result<()> {
        let Some((_, column, counts)) = self.open.take() else {
            return Ok(());
        };
        each_term(&column, &counts, |term, count| {
            match self.terms.get_mut(term) {
                Some(sum) => *sum += count,
                None => {
                    self.terms.insert(term.into(), count);
                }
            }
        })
    }

    pub(super) fn finish(mut self, total: u64) -> Aggregation {
        if let Err(error) = self.close() {
            tracing::error!(%error, "dictionary of an index segment could not be read");
        }
        let missing = total.saturating_sub(self.with);
        let Some(size) = self.size else {
            return Aggregation::Cardinality {
                value: u64::try_from(self.distinct()).unwrap_or(u64::MAX),
                missing,
            };
        };
        let is_address = self.field.kind() == Kind::Ip;
        let terms = self
            .terms
            .into_iter()
            .map(|(term, count)| (written(&term, is_address), count));
        let numbers = self
            .numbers
            .into_iter()
            .map(|(key, count)| (key.to_string(), count));
        let mut all: Vec<Bucket> = terms
            .chain(numbers)
            .map(|(key, count)| Bucket { key, count })
            .collect();
        let order = |a: &Bucket, b: &Bucket| b.count.cmp(&a.count).then_with(|| a.key.cmp(&b.key));
        let sum: u64 = all.iter().map(|bucket| bucket.count).sum();
        if all.len() > size {
            all.select_nth_unstable_by(size, order);
            all.truncate(size);
        }
        all.sort_unstable_by(order);
        let shown: u64 = all.iter().map(|bucket| bucket.count).sum();
        Aggregation::Terms {
            buckets: all,
            other: sum - shown,
            missing,
        }
    }
}

/// A term as events write it.
fn written(term: &[u8], is_address: bool) -> String {
    let octets = <[u8; 16]>::try_from(term).ok().filter(|_| is_address);
    match octets.map(Ipv6Addr::from) {
        Some(ip) => ip.to_canonical().to_string(),
        None => String::from_utf8_lossy(term).into_owned(),
    }
}

/// Smallest, largest and sum of a number field.
pub(super) struct Numbers {
    field: Field,
    count: u64,
    min: u64,
    max: u64,
    sum: u128,
}

impl Numbers {
    pub(super) fn new(field: Field) -> Self {
        Self {
            field,
            count: 0,
            min: u64::MAX,
            max: 0,
            sum: 0,
        }
    }

    pub(super) fn add(
        &mut self,
        segment: &Segment,
        range: Range<u32>,
        docs: &Docs,
    ) -> io::Result<()> {
        if let Some(Values::Number(column)) = segment.field(self.field)? {
            each_of(column, range, docs, |_, value| {
                self.count += 1;
                self.min = self.min.min(value);
                self.max = self.max.max(value);
                self.sum += u128::from(value);
            });
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Aggregation {
        let some = self.count > 0;
        #[expect(
            clippy::cast_precision_loss,
            reason = "a mean is shown, not counted with"
        )]
        let avg = some.then(|| self.sum as f64 / self.count as f64);
        Aggregation::Stats {
            count: self.count,
            min: some.then_some(self.min),
            max: some.then_some(self.max),
            sum: self.sum,
            avg,
        }
    }
}
