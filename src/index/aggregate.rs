//! Histograms, top lists and counts, by loops over columns.

use super::query::Query;
use super::search::Stats;
use crate::model::Timestamp;

/// One thing to compute.
#[derive(Clone, Debug, PartialEq, Eq)]
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
}

/// All results, under their names and in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Aggregates {
    /// Name and result.
    pub results: Vec<(String, Aggregation)>,
    /// What was looked at.
    pub stats: Stats,
}
