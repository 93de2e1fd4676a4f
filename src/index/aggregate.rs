//! Histograms, top lists and counts, by loops over columns.

use super::percentiles::Percentiles;
use super::query::{Name, Query, Target, resolve};
use super::search::{Stats, window};
use super::segment::has_column;
use super::tally::{Tally, Times};
use super::terms::{Numbers, Terms};
use super::walk::{Piece, Walk};
use super::{Error, Options};
use crate::model::{Field, Kind, Timestamp};

/// Buckets of a histogram that picks its own interval, about.
const BUCKETS_WANTED: i128 = 60;
/// Widths such a histogram picks from, in milliseconds.
const INTERVALS_MS: [i64; 18] = [
    1,
    10,
    100,
    1_000,
    5_000,
    10_000,
    30_000,
    60_000,
    300_000,
    600_000,
    1_800_000,
    3_600_000,
    10_800_000,
    21_600_000,
    43_200_000,
    86_400_000,
    604_800_000,
    2_592_000_000,
];

/// One thing to compute.
#[derive(Clone, Debug, PartialEq)]
pub enum Aggregate {
    /// Events over time.
    Histogram {
        /// Width of a bucket in milliseconds; `None` picks one that makes about 60.
        interval_ms: Option<u64>,
        /// Count each bucket by the values of this field; status codes by class (`2xx`).
        split: Option<String>,
    },
    /// The most frequent values of a field.
    Terms {
        /// Name or alias of the field.
        field: String,
        /// How many values.
        size: usize,
    },
    /// How many distinct values a field has; exact.
    Cardinality {
        /// Name or alias of the field.
        field: String,
    },
    /// Smallest, largest, sum and mean of a number field.
    Stats {
        /// Name or alias of the field.
        field: String,
    },
    /// What so many percent of the values of a number field do not pass, to within 0.8 %.
    Percentiles {
        /// Name or alias of the field.
        field: String,
        /// From 0 to 100.
        percents: Vec<f64>,
    },
}

/// What to compute over which events.
#[derive(Clone, Debug)]
pub struct AggregateRequest {
    /// The query, parsed.
    pub query: Query,
    /// Oldest `@timestamp`, included.
    pub from: Option<Timestamp>,
    /// Newest `@timestamp`, included.
    pub to: Option<Timestamp>,
    /// Name and kind of each.
    pub aggregates: Vec<(String, Aggregate)>,
}

/// A value and how many events have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The value, as the events write it.
    pub key: String,
    /// Events.
    pub count: u64,
}

/// One bucket of a histogram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeBucket {
    /// Where it starts.
    pub start: Timestamp,
    /// Events in it.
    pub count: u64,
    /// Counts by value, largest first; empty without a split.
    pub split: Vec<Bucket>,
}

/// One result.
#[derive(Clone, Debug, PartialEq)]
pub enum Aggregation {
    /// Buckets from the first to the last, empty ones too.
    Histogram {
        /// Width in milliseconds.
        interval_ms: u64,
        /// The buckets in order.
        buckets: Vec<TimeBucket>,
    },
    /// Top values.
    Terms {
        /// The most frequent first.
        buckets: Vec<Bucket>,
        /// Values counted under none of them.
        other: u64,
        /// Events without the field.
        missing: u64,
    },
    /// Distinct values.
    Cardinality {
        /// How many.
        value: u64,
        /// Events without the field.
        missing: u64,
    },
    /// Numbers.
    Stats {
        /// Events that have the field.
        count: u64,
        /// Smallest.
        min: Option<u64>,
        /// Largest.
        max: Option<u64>,
        /// Sum.
        sum: u128,
        /// Mean.
        avg: Option<f64>,
    },
    /// Percentiles.
    Percentiles {
        /// Events that have the field.
        count: u64,
        /// Percent and value, in the order asked for; no values without events.
        values: Vec<(f64, Option<u64>)>,
    },
}

/// All results, under their names and in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Aggregates {
    /// Name and result.
    pub results: Vec<(String, Aggregation)>,
    /// What was looked at.
    pub stats: Stats,
}

/// Computes everything asked for in one pass; also how many events matched.
pub(super) fn run(
    walk: &mut Walk<'_, '_>,
    request: &AggregateRequest,
    options: &Options,
) -> Result<(Vec<(String, Aggregation)>, u64), Error> {
    let window = window(request.from, request.to);
    let pieces = walk.pieces(&window);
    let mut tallies = Vec::with_capacity(request.aggregates.len());
    for (_, aggregate) in &request.aggregates {
        tallies.push(tally(aggregate, &window, &pieces, options)?);
    }
    let mut total = 0u64;
    for piece in &pieces {
        let docs = walk.matches(piece, &window)?;
        let Some((segment, range)) = walk.documents(piece).filter(|_| !docs.is_none()) else {
            continue;
        };
        total += u64::from(docs.count(range.end - range.start));
        for tally in &mut tallies {
            tally.add(segment, range.clone(), &docs)?;
        }
    }
    let names = request.aggregates.iter().map(|(name, _)| name.clone());
    let results = tallies.into_iter().map(|tally| tally.finish(total));
    Ok((names.zip(results).collect(), total))
}

fn tally(
    aggregate: &Aggregate,
    window: &std::ops::RangeInclusive<i64>,
    pieces: &[Piece],
    options: &Options,
) -> Result<Tally, Error> {
    Ok(match aggregate {
        Aggregate::Histogram { interval_ms, split } => {
            let split = split.as_deref().map(column_of).transpose()?;
            let first = pieces.iter().map(|piece| piece.times.0).min().unwrap_or(0);
            let last = pieces.iter().map(|piece| piece.times.1).max().unwrap_or(0);
            // Open ends are where the events end.
            let low = if *window.start() == i64::MIN {
                first
            } else {
                *window.start()
            };
            let high = if *window.end() == i64::MAX {
                last
            } else {
                *window.end()
            };
            let interval = match interval_ms {
                Some(0) | None => automatic(low, high),
                Some(given) => i64::try_from(*given).unwrap_or(i64::MAX),
            };
            let start = low.saturating_sub(low.rem_euclid(interval));
            let buckets = (i128::from(high) - i128::from(start)).max(0) / i128::from(interval) + 1;
            let buckets = usize::try_from(buckets)
                .ok()
                .filter(|buckets| *buckets <= options.buckets_max)
                .ok_or(Error::TooManyBuckets(options.buckets_max))?;
            Tally::Times(Times::new(start, interval, buckets, split))
        }
        Aggregate::Terms { field, size } => {
            if *size > options.buckets_max {
                return Err(Error::TooManyBuckets(options.buckets_max));
            }
            Tally::Terms(Terms::new(
                column_of(field)?,
                Some(*size),
                options.values_max,
            ))
        }
        Aggregate::Cardinality { field } => {
            Tally::Terms(Terms::new(column_of(field)?, None, options.values_max))
        }
        Aggregate::Stats { field } => Tally::Numbers(Numbers::new(numbers_of(field)?)),
        Aggregate::Percentiles { field, percents } => {
            Tally::Percentiles(Percentiles::new(numbers_of(field)?, percents))
        }
    })
}

/// The field of numbers that a name stands for.
fn numbers_of(name: &str) -> Result<Field, Error> {
    let field = column_of(name)?;
    if field.kind() == Kind::Int {
        Ok(field)
    } else {
        Err(Error::NoColumn(name.to_owned()))
    }
}

/// A width that makes about 60 buckets.
fn automatic(low: i64, high: i64) -> i64 {
    let wanted = (i128::from(high) - i128::from(low)) / BUCKETS_WANTED;
    let fits = INTERVALS_MS
        .into_iter()
        .find(|interval| i128::from(*interval) >= wanted);
    // Beyond five years at 30 days each: as wide as it takes.
    fits.unwrap_or_else(|| i64::try_from(wanted + 1).unwrap_or(i64::MAX))
}

/// The field that a name or alias stands for.
///
/// # Errors
/// [`Error::NoColumn`] where the index does not keep its values as a column.
pub fn column_of(name: &str) -> Result<Field, Error> {
    let Target::Names(names) = resolve(name) else {
        return Err(Error::NoColumn(name.to_owned()));
    };
    names
        .iter()
        .find_map(|name| match name {
            Name::Known(field) if has_column(field.kind()) => Some(*field),
            _ => None,
        })
        .ok_or_else(|| Error::NoColumn(name.to_owned()))
}
