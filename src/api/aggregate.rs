//! `POST /api/v1/aggregate`: histograms, top lists, counts over a query.

use axum::Json as Answer;
use axum::extract::State as With;
use axum::http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::auth::Authorized;
use super::error::Error;
use super::input::Json;
use super::rate::Policy;
use super::routes::{Audit, RouteSpec, Routes, Shape};
use super::search::StatsJson;
use super::{Shared, State, when};
use crate::index::{Aggregate, AggregateRequest, Aggregation, Bucket, TimeBucket};

static AGGREGATE: RouteSpec = RouteSpec::change(Method::POST, "/api/v1/aggregate", "aggregate")
    .summary("Histograms, top values and counts over the events that match a query.")
    .scope(crate::store::Scope::Search)
    .rate(Policy::Search)
    .audit(Audit::Read)
    .takes(Shape::of::<AggregateInput>())
    .gives(Shape::of::<AggregateAnswer>());

pub(super) fn register(routes: &mut Routes) {
    routes.add(&AGGREGATE, aggregate);
}

/// Aggregations of one request at most.
const AGGS_MAX: usize = 20;
/// Values of one top list at most.
const SIZE_MAX: usize = 1_000;

/// What to compute over which events.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AggregateInput {
    /// The query; empty means every event.
    #[serde(default)]
    #[schema(max_length = 16384)]
    query: String,
    /// Oldest `@timestamp`: RFC 3339 or relative (`now-1h`).
    #[schema(max_length = 64)]
    from: Option<String>,
    /// Newest `@timestamp`.
    #[schema(max_length = 64)]
    to: Option<String>,
    /// Name to what is computed, at most 20.
    #[schema(value_type = std::collections::BTreeMap<String, AggInput>)]
    aggs: Map<String, Value>,
}

/// One thing to compute.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum AggInput {
    /// Events over time.
    Histogram(HistogramInput),
    /// The most frequent values.
    Terms(TermsInput),
    /// How many distinct values.
    Cardinality(FieldInput),
    /// Smallest, largest, sum and mean of a number field.
    Stats(FieldInput),
    /// What so many percent of the values of a number field do not pass.
    Percentiles(PercentilesInput),
}

/// Events over time.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct HistogramInput {
    /// Width of a bucket (`30s`, `1m`, `1h`), or `auto`.
    #[serde(default)]
    #[schema(max_length = 16)]
    interval: Option<String>,
    /// Count each bucket by the values of this field; status codes by class.
    #[schema(max_length = 256)]
    split: Option<String>,
}

/// The most frequent values.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TermsInput {
    /// The field.
    #[schema(max_length = 256)]
    field: String,
    /// How many values.
    #[serde(default = "default_size")]
    #[schema(minimum = 1, maximum = 1000)]
    size: usize,
}

const fn default_size() -> usize {
    10
}

/// A field.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FieldInput {
    /// The field.
    #[schema(max_length = 256)]
    field: String,
}

/// Percentiles of a number field.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PercentilesInput {
    /// The field.
    #[schema(max_length = 256)]
    field: String,
    /// From 0 to 100, at most 20.
    #[serde(default = "default_percents")]
    percents: Vec<f64>,
}

/// From 0 to 100, to the millionth.
fn is_percent(percent: f64) -> bool {
    percent == 0.0 && percent.is_sign_positive() || (1e-6..=100.0).contains(&percent)
}

fn default_percents() -> Vec<f64> {
    vec![50.0, 90.0, 95.0, 99.0]
}

/// The results under their names.
#[derive(Debug, Serialize, ToSchema)]
struct AggregateAnswer {
    /// Name to result: `buckets`, `other`, `missing`, `value`, or numbers.
    #[schema(value_type = std::collections::BTreeMap<String, Object>)]
    aggs: Map<String, Value>,
    /// What was looked at.
    stats: StatsJson,
}

fn read(name: &str, value: Value) -> Result<Aggregate, Error> {
    let pointer = format!("/aggs/{}", name.replace('~', "~0").replace('/', "~1"));
    let refused = |detail| Error::input(&pointer, "invalid_value", detail);
    let input: AggInput = serde_json::from_value(value).map_err(|_error| {
        refused("expected one of histogram, terms, cardinality, stats, percentiles, each with its own fields")
    })?;
    Ok(match input {
        AggInput::Histogram(input) => Aggregate::Histogram {
            interval_ms: match input.interval.as_deref() {
                None | Some("auto") => None,
                Some(text) => Some(
                    when::length_ns(text)
                        .map(|ns| ns / 1_000_000)
                        .and_then(|ms| u64::try_from(ms).ok())
                        .filter(|ms| *ms > 0)
                        .ok_or_else(|| refused("interval: expected auto, 30s, 1m, 1h, …"))?,
                ),
            },
            split: input.split,
        },
        AggInput::Terms(input) if (1..=SIZE_MAX).contains(&input.size) => Aggregate::Terms {
            field: input.field,
            size: input.size,
        },
        AggInput::Terms(_) => return Err(refused("size: expected 1 to 1000")),
        AggInput::Cardinality(input) => Aggregate::Cardinality { field: input.field },
        AggInput::Stats(input) => Aggregate::Stats { field: input.field },
        AggInput::Percentiles(input)
            if (1..=AGGS_MAX).contains(&input.percents.len())
                && input.percents.iter().all(|p| is_percent(*p)) =>
        {
            Aggregate::Percentiles {
                field: input.field,
                percents: input.percents,
            }
        }
        AggInput::Percentiles(_) => {
            return Err(refused("percents: expected 1 to 20 numbers from 0 to 100"));
        }
    })
}

fn counts(buckets: &[Bucket]) -> Value {
    let list = buckets.iter();
    list.map(|bucket| json!({"key": bucket.key, "count": bucket.count}))
        .collect()
}

fn time_bucket(bucket: &TimeBucket) -> Value {
    let mut found = json!({"key": bucket.start.to_rfc3339(), "count": bucket.count});
    if !bucket.split.is_empty()
        && let Some(object) = found.as_object_mut()
    {
        let split = bucket.split.iter();
        let split: Map<String, Value> = split
            .map(|bucket| (bucket.key.clone(), bucket.count.into()))
            .collect();
        object.insert("split".into(), split.into());
    }
    found
}

/// A result as JSON.
pub(super) fn write(aggregation: &Aggregation) -> Value {
    match aggregation {
        Aggregation::Histogram {
            interval_ms,
            buckets,
        } => json!({
            "interval_ms": interval_ms,
            "buckets": buckets.iter().map(time_bucket).collect::<Value>(),
        }),
        Aggregation::Terms {
            buckets,
            other,
            missing,
        } => json!({"buckets": counts(buckets), "other": other, "missing": missing}),
        Aggregation::Cardinality { value, missing } => {
            json!({"value": value, "missing": missing})
        }
        Aggregation::Stats {
            count,
            min,
            max,
            sum,
            avg,
        } => {
            // A sum beyond 64 bits is rounded, as every JSON reader would.
            let sum = u64::try_from(*sum).map_or_else(|_| json!(*sum as f64), |sum| json!(sum));
            json!({"count": count, "min": min, "max": max, "sum": sum, "avg": avg})
        }
        Aggregation::Percentiles { count, values } => {
            let values = values.iter();
            let values: Map<String, Value> = values
                .map(|(percent, value)| (percent.to_string(), json!(value)))
                .collect();
            json!({"count": count, "values": values})
        }
    }
}

fn run(input: AggregateInput, state: &State) -> Result<AggregateAnswer, Error> {
    let now = state.clock.now();
    if !(1..=AGGS_MAX).contains(&input.aggs.len()) {
        return Err(Error::input("/aggs", "invalid_length", "expected 1 to 20"));
    }
    let mut aggregates = Vec::new();
    for (name, value) in input.aggs {
        let aggregate = read(&name, value)?;
        aggregates.push((name, aggregate));
    }
    let found = state.searcher.aggregate(&AggregateRequest {
        query: state.searcher.parse(&input.query)?,
        from: when::moment(input.from.as_deref(), "/from", now)?,
        to: when::moment(input.to.as_deref(), "/to", now)?,
        aggregates,
    })?;
    let results = found.results.iter();
    Ok(AggregateAnswer {
        aggs: results
            .map(|(name, aggregation)| (name.clone(), write(aggregation)))
            .collect(),
        stats: StatsJson::from(&found.stats),
    })
}

async fn aggregate(
    With(state): With<Shared>,
    _caller: Authorized,
    Json(input): Json<AggregateInput>,
) -> Result<Answer<AggregateAnswer>, Error> {
    let answer = state.search(move |state| run(input, state)).await?;
    Ok(Answer(answer))
}
