//! Counting values: the most frequent ones, how many there are, and sums of numbers.

use std::collections::HashMap;
use std::io;
use std::net::Ipv6Addr;
use std::ops::Range;

use tantivy::columnar::StrColumn;

use super::aggregate::{Aggregation, Bucket};
use super::docs::Docs;
use super::segment::{Segment, Values};
use super::tally::{bump_at, each_of};
use crate::model::Field;

/// Terms of ordinals with a count, in order.
fn each_term(
    column: &StrColumn,
    counts: &[u64],
    mut found: impl FnMut(&str, u64),
) -> io::Result<()> {
    let with: Vec<(u64, u64)> = (0u64..)
        .zip(counts)
        .filter(|(_, count)| **count > 0)
        .map(|(ord, count)| (ord, *count))
        .collect();
    let ords: Vec<u64> = with.iter().map(|(ord, _)| *ord).collect();
    let mut with = with.into_iter();
    column.dictionary().sorted_ords_to_term_cb(&ords, |term| {
        if let (Some((_, count)), Ok(term)) = (with.next(), std::str::from_utf8(term)) {
            found(term, count);
        }
    })?;
    Ok(())
}

/// Values of a field and how often each stands.
pub(super) struct Terms {
    field: Field,
    /// How many are wanted; `None` to count them only.
    size: Option<usize>,
    texts: HashMap<Box<str>, u64, foldhash::fast::RandomState>,
    numbers: HashMap<u64, u64, foldhash::fast::RandomState>,
    addresses: HashMap<Ipv6Addr, u64, foldhash::fast::RandomState>,
    /// Events with the field.
    with: u64,
    /// The segment seen last by its first offset, its dictionary and counts by ordinal.
    open: Option<(u64, StrColumn, Vec<u64>)>,
}

impl Terms {
    pub(super) fn new(field: Field, size: Option<usize>) -> Self {
        Self {
            field,
            size,
            texts: HashMap::default(),
            numbers: HashMap::default(),
            addresses: HashMap::default(),
            with: 0,
            open: None,
        }
    }

    pub(super) fn add(
        &mut self,
        segment: &Segment,
        range: Range<u32>,
        docs: &Docs,
    ) -> io::Result<()> {
        let mut last = u32::MAX;
        let mut with = 0u64;
        let mut seen = |position: u32| {
            with += u64::from(position != last);
            last = position;
        };
        match segment.field(self.field)? {
            Some(Values::Text(column)) => {
                let first = segment.meta().first;
                if self.open.as_ref().is_none_or(|(open, ..)| *open != first) {
                    self.close()?;
                    self.open = Some((first, column.clone(), vec![0; column.num_terms()]));
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
            Some(Values::Address(column)) => docs.each(range.end - range.start, |position| {
                for value in column.values_for_doc(range.start + position) {
                    seen(position);
                    *self.addresses.entry(value).or_default() += 1;
                }
            }),
            None => {}
        }
        self.with += with;
        Ok(())
    }

    /// Folds the counts of the segment seen last into those by text.
    fn close(&mut self) -> io::Result<()> {
        let Some((_, column, counts)) = self.open.take() else {
            return Ok(());
        };
        each_term(&column, &counts, |term, count| {
            match self.texts.get_mut(term) {
                Some(sum) => *sum += count,
                None => {
                    self.texts.insert(term.into(), count);
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
            let value = self.texts.len() + self.numbers.len() + self.addresses.len();
            return Aggregation::Cardinality {
                value: u64::try_from(value).unwrap_or(u64::MAX),
                missing,
            };
        };
        let texts = self
            .texts
            .into_iter()
            .map(|(key, count)| (key.into_string(), count));
        let numbers = self
            .numbers
            .into_iter()
            .map(|(key, count)| (key.to_string(), count));
        let addresses = self.addresses.into_iter().map(|(ip, count)| {
            let text = ip
                .to_ipv4_mapped()
                .map_or_else(|| ip.to_string(), |ip| ip.to_string());
            (text, count)
        });
        let mut all: Vec<Bucket> = texts
            .chain(numbers)
            .chain(addresses)
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
