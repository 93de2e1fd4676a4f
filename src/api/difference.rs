//! Values whose share differs between two sets of events, ranked.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use serde::Serialize;
use utoipa::ToSchema;

use crate::index::{Aggregation, Bucket};

/// A value on both sides.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(super) struct ValueJson {
    /// The value, as the events write it.
    value: String,
    /// How it changed.
    change: Change,
    /// How surely the shares differ: the log-likelihood ratio G², at least 0. Chance alone passes 10.83 once in 1,000 times.
    pub(super) score: f64,
    /// In the selection.
    selection: ShareJson,
    /// In the baseline.
    baseline: ShareJson,
}

/// From the baseline to the selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Change {
    /// The baseline has none.
    New,
    /// A larger share of the events.
    More,
    /// A smaller share.
    Less,
    /// The selection has none.
    Gone,
}

/// How many events of a side have a value.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(super) struct ShareJson {
    /// Events.
    count: u64,
    /// Of all events of the side, from 0 to 1.
    share: f64,
    /// The value is not among the most frequent ones of the side, about 5,000: it has at most so many.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_at_most: bool,
}

/// How often the values of a field stand on a side.
pub(super) struct Counts<'a> {
    events: u64,
    by_value: HashMap<&'a str, u64>,
    /// What a value that is not among them has at most.
    others_max: u64,
}

impl<'a> Counts<'a> {
    pub(super) fn of(found: &'a Aggregation, events: u64) -> Self {
        let (buckets, other): (&[Bucket], u64) = match found {
            Aggregation::Terms { buckets, other, .. } => (buckets, *other),
            _ => (&[], 0),
        };
        let least = buckets.last().map_or(0, |bucket| bucket.count);
        // An event may have a value several times.
        let count = |bucket: &'a Bucket| (bucket.key.as_str(), bucket.count.min(events));
        Self {
            events,
            by_value: buckets.iter().map(count).collect(),
            others_max: least.min(other).min(events),
        }
    }

    fn share(&self, value: &str) -> ShareJson {
        let known = self.by_value.get(value).copied();
        let count = known.unwrap_or(self.others_max);
        ShareJson {
            count,
            share: rounded(float(count) / float(self.events.max(1)), 1e6),
            is_at_most: known.is_none() && count > 0,
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts for shares and a score, which are rounded"
)]
fn float(count: u64) -> f64 {
    count as f64
}

fn rounded(number: f64, steps: f64) -> f64 {
    (number * steps).round() / steps
}

/// How surely a value's share differs between `a` of `n` and `b` of `m` events: the log-likelihood ratio G² of the two
/// by two table (T. Dunning, Accurate Methods for the Statistics of Surprise and Coincidence, Computational Linguistics
/// 19(1), 1993), with half an event added to each cell, so that small counts do not shout (J. J. Gart and J. R. Zweifel,
/// Biometrika 54, 1967).
fn g2((a, n): (u64, u64), (b, m): (u64, u64)) -> f64 {
    let cell = |count: u64| float(count) + 0.5;
    let (with, without) = ([cell(a), cell(b)], [cell(n - a.min(n)), cell(m - b.min(m))]);
    let total: f64 = with.iter().chain(&without).sum();
    let mut sum = 0.0;
    for column in [with, without] {
        let all: f64 = column.iter().sum();
        for (count, (one, other)) in column.iter().zip(with.iter().zip(&without)) {
            sum += count * (count * total / (all * (one + other))).ln();
        }
    }
    (2.0 * sum).max(0.0)
}

/// The values of a field that differ most between two sides.
pub(super) fn differing(
    selection: &Counts<'_>,
    baseline: &Counts<'_>,
    size: usize,
) -> Vec<ValueJson> {
    let names = selection.by_value.keys().chain(baseline.by_value.keys());
    let names: HashSet<&str> = names.copied().collect();
    let compared = names.into_iter().filter_map(|value| {
        let (here, there) = (selection.share(value), baseline.share(value));
        let (left, right) = (
            u128::from(here.count) * u128::from(baseline.events),
            u128::from(there.count) * u128::from(selection.events),
        );
        let change = match left.cmp(&right) {
            Ordering::Equal => return None,
            Ordering::Greater if there.count == 0 => Change::New,
            Ordering::Greater => Change::More,
            Ordering::Less if here.count == 0 => Change::Gone,
            Ordering::Less => Change::Less,
        };
        // What is only known to be at most so much may as well be less of a change than none.
        let is_known = match change {
            Change::New | Change::More => !here.is_at_most,
            Change::Gone | Change::Less => !there.is_at_most,
        };
        is_known.then(|| ValueJson {
            value: value.to_owned(),
            change,
            // As it is told, so that mirrored values tie.
            score: rounded(
                g2(
                    (here.count, selection.events),
                    (there.count, baseline.events),
                ),
                1e2,
            ),
            selection: here,
            baseline: there,
        })
    });
    let mut values: Vec<ValueJson> = compared.collect();
    values.sort_by(|a, b| {
        let by_score = b.score.total_cmp(&a.score);
        // Of two values that share all events one is more where the other is less.
        let by_change = by_score.then_with(|| a.change.cmp(&b.change));
        by_change.then_with(|| a.value.cmp(&b.value))
    });
    values.truncate(size);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_score_is_that_of_the_literature_and_finite() {
        // Without the half events 2·Σ k·ln(k/expected) of [[30, 70], [10, 90]] is 13.0.
        let score = g2((30, 100), (10, 100));
        assert!((12.0..13.0).contains(&score), "{score}");
        assert!(g2((5, 10), (5, 10)).abs() < 1e-9);
        for (one, other) in [
            ((0, 0), (0, 0)),
            ((0, 5), (5, 5)),
            ((u64::MAX, u64::MAX), (0, u64::MAX)),
            ((9, 5), (0, 0)),
        ] {
            assert!(g2(one, other).is_finite(), "{one:?} {other:?}");
        }
        // One event of few is no news; what is sure is more than what is large.
        assert!(g2((1, 10), (0, 10)) < 3.84);
        assert!(g2((100, 1_000), (0, 1_000)) > g2((10, 100), (0, 100)));
    }

    fn terms(buckets: &[(&str, u64)], other: u64) -> Aggregation {
        let bucket = |(key, count): &(&str, u64)| Bucket {
            key: (*key).to_owned(),
            count: *count,
        };
        Aggregation::Terms {
            buckets: buckets.iter().map(bucket).collect(),
            other,
            missing: 0,
        }
    }

    #[test]
    fn values_are_ranked_by_how_surely_their_share_differs() {
        let here = terms(&[("a", 50), ("b", 30), ("new", 20)], 0);
        let there = terms(&[("a", 500), ("b", 480), ("gone", 20)], 0);
        let found = differing(&Counts::of(&here, 100), &Counts::of(&there, 1_000), 9);
        let found: Vec<_> = found.iter().map(|v| (v.value.as_str(), v.change)).collect();
        let expected = [
            ("new", Change::New),
            ("b", Change::Less),
            ("gone", Change::Gone),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_was_not_counted_is_never_called_new() {
        let here = terms(&[("x", 40), ("rare", 2)], 0);
        let there = terms(&[("y", 60), ("z", 3)], 37);
        let found = differing(&Counts::of(&here, 100), &Counts::of(&there, 100), 9);
        let x = found.iter().find(|value| value.value == "x").unwrap();
        assert_eq!(x.change, Change::More);
        assert_eq!((x.baseline.count, x.baseline.is_at_most), (3, true));
        // At most 3 of 100 there and 2 here: nothing is known.
        assert!(found.iter().all(|value| value.value != "rare"));
    }
}
