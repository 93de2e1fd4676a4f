//! Percentiles of a number field, from counts in buckets that grow with the numbers: each is at most 1/128 of its
//! smallest number wide, so that a percentile is off by less than 0.8 % and memory is fixed.

use std::io;
use std::ops::Range;

use super::aggregate::Aggregation;
use super::column::Values;
use super::docs::Docs;
use super::segment::Segment;
use super::tally::{bump_at, each_of};
use crate::model::Field;

/// Buckets between a power of two and the next, as a power of two.
const BITS: u32 = 7;
/// Enough for every `u64`.
const BUCKETS: usize = (64 - BITS as usize + 1) << BITS;

/// Percentiles in progress.
pub(super) struct Percentiles {
    field: Field,
    percents: Vec<f64>,
    counts: Vec<u64>,
    count: u64,
    min: u64,
    max: u64,
}

impl Percentiles {
    pub(super) fn new(field: Field, percents: &[f64]) -> Self {
        Self {
            field,
            percents: percents.to_vec(),
            counts: vec![0; BUCKETS],
            count: 0,
            min: u64::MAX,
            max: 0,
        }
    }

    pub(super) fn add(
        &mut self,
        segment: &Segment,
        range: Range<u32>,
        docs: &Docs,
    ) -> io::Result<()> {
        if let Some(Values::Number(column)) = segment.field(self.field)? {
            each_of(column, range, docs, |_, value| self.take(value));
        }
        Ok(())
    }

    fn take(&mut self, value: u64) {
        bump_at(&mut self.counts, bucket(value));
        self.count += 1;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    pub(super) fn finish(self) -> Aggregation {
        let values = self
            .percents
            .iter()
            .map(|percent| (*percent, self.at(*percent)));
        Aggregation::Percentiles {
            count: self.count,
            values: values.collect(),
        }
    }

    /// The smallest number that at least so many percent do not pass (nearest rank).
    fn at(&self, percent: f64) -> Option<u64> {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank among numbers that are rounded anyway"
        )]
        let rank = ((percent / 100.0 * self.count as f64).ceil() as u64).max(1);
        let mut below = 0;
        let mut buckets = (0u64..).zip(&self.counts);
        let (at, _) = buckets.find(|(_, count)| {
            below += *count;
            below >= rank
        })?;
        // The ends are known; in between it is the smallest number of the bucket.
        Some(if rank >= self.count {
            self.max
        } else {
            smallest(at).clamp(self.min, self.max)
        })
    }
}

/// The bucket of a number: small ones have their own.
pub(super) fn bucket(value: u64) -> u64 {
    let exponent = 63 - (value | 1).leading_zeros();
    match exponent.checked_sub(BITS) {
        None => value,
        Some(shift) => (u64::from(shift) << BITS) + (value >> shift),
    }
}

/// The smallest number of a bucket.
pub(super) fn smallest(bucket: u64) -> u64 {
    let own = 1u64 << BITS;
    match (bucket >> BITS).checked_sub(1) {
        None => bucket,
        Some(shift) => ((bucket & (own - 1)) | own) << shift,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_their_numbers_and_no_others() {
        let mut last = 0;
        for value in (0..70_000).chain([1 << 40, (1 << 40) + 1, u64::MAX - 1, u64::MAX]) {
            let at = bucket(value);
            let low = smallest(at);
            assert!(low <= value && (value - low) <= low / 128, "{value}: {low}");
            assert_eq!(bucket(low), at);
            assert!(
                at >= last && usize::try_from(at).unwrap() < BUCKETS,
                "{value}"
            );
            last = at;
        }
    }

    #[test]
    fn percentiles_are_near_those_of_the_sorted_numbers() {
        let numbers: Vec<u64> = (1..=10_000u64).map(|at| at * at * 7).collect();
        let percents = [0.0, 1.0, 50.0, 95.0, 99.9, 100.0];
        let mut found = Percentiles::new(Field::EventDuration, &percents);
        assert_eq!(found.at(50.0), None);
        numbers.iter().rev().for_each(|number| found.take(*number));
        for (percent, rank) in percents
            .into_iter()
            .zip([1, 100, 5_000, 9_500, 9_990, 10_000])
        {
            let exact = numbers[rank - 1];
            let near = found.at(percent).unwrap();
            assert!(
                near.abs_diff(exact) * 128 <= exact,
                "{percent}: {near} {exact}"
            );
        }
        assert_eq!(
            (found.at(0.0), found.at(100.0)),
            (Some(7), Some(700_000_000))
        );
    }
}
