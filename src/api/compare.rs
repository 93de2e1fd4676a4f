//! `POST /api/v1/compare`: what is different about some events, seen against others: by default against the same query in
//! the time just before.

use axum::Json as Answer;
use axum::extract::State as With;
use axum::http::Method;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::Authorized;
use super::difference::{Counts, ValueJson, differing};
use super::error::Error;
use super::input::Json;
use super::rate::Policy;
use super::routes::{Audit, RouteSpec, Routes, Shape};
use super::search::StatsJson;
use super::{Shared, State, when};
use crate::index::{Aggregate, AggregateRequest, Aggregates, Aggregation, column_of};
use crate::model::{Field, Timestamp};

static COMPARE: RouteSpec = RouteSpec::change(Method::POST, "/api/v1/compare", "compare")
    .summary(
        "What is different about the events that match a query, against those before or others.",
    )
    .scope(crate::store::Scope::Search)
    .rate(Policy::Search)
    .audit(Audit::Read)
    .takes(Shape::of::<CompareInput>())
    .gives(Shape::of::<Comparison>());

pub(super) fn register(routes: &mut Routes) {
    routes.add(&COMPARE, compare);
}

/// Fields whose values are compared where none are named; who it was stands before what was done, as of those that differ
/// alike the first is told first.
const FACETS: [Field; 14] = [
    Field::ClientIp,
    Field::UserId,
    Field::AuthCredentialId,
    Field::UserAgent,
    Field::ClientAsOrg,
    Field::ClientCountry,
    Field::HttpStatus,
    Field::HttpRoute,
    Field::HttpMethod,
    Field::EventAction,
    Field::EventOutcome,
    Field::ErrorType,
    Field::ServiceName,
    Field::EventProvider,
];
/// Fields whose size is compared, and not how often each number stands.
const MEASURES: [Field; 5] = [
    Field::EventDuration,
    Field::HttpRequestBytes,
    Field::HttpRequestBodyBytes,
    Field::HttpResponseBytes,
    Field::HttpResponseBodyBytes,
];
/// Fields of one request at most.
const FIELDS_MAX: usize = 20;
/// Values told of one field at most.
const SIZE_MAX: usize = 50;
/// The most frequent values of each side that are compared.
const VALUES_MAX: usize = 5_000;
/// What is told of a measure.
const PERCENTS: [f64; 2] = [50.0, 95.0];

/// Which events to compare with which.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CompareInput {
    /// The query; empty means every event.
    #[serde(default)]
    #[schema(max_length = 16384)]
    query: String,
    /// Oldest `@timestamp` of the selection: RFC 3339 or relative (`now-1h`).
    #[schema(max_length = 64)]
    from: String,
    /// Its newest; now unless given.
    #[schema(max_length = 64)]
    to: Option<String>,
    /// What to compare with; unless given the same query in the same length of time just before `from`.
    baseline: Option<BaselineInput>,
    /// Fields by name or alias, at most 20; unless given the usual ones.
    fields: Option<Vec<String>>,
    /// Values told of each field.
    #[serde(default = "default_size")]
    #[schema(minimum = 1, maximum = 50)]
    size: usize,
}

/// Other events.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BaselineInput {
    /// The query; that of the selection unless given.
    #[schema(max_length = 16384)]
    query: Option<String>,
    /// Oldest `@timestamp`.
    #[schema(max_length = 64)]
    from: String,
    /// Newest `@timestamp`.
    #[schema(max_length = 64)]
    to: String,
}

const fn default_size() -> usize {
    5
}

/// What is different.
#[derive(Debug, Serialize, ToSchema)]
struct Comparison {
    /// The fields in which the two differ, those that differ most first. Empty where a side has no events.
    fields: Vec<FieldJson>,
    /// How large numbers are on both sides: durations in nanoseconds, bytes.
    measures: Vec<MeasureJson>,
    /// The events asked about.
    selection: SideJson,
    /// Those they are compared with.
    baseline: SideJson,
    /// Where nothing can be compared: which side has no events.
    #[serde(skip_serializing_if = "Option::is_none")]
    empty: Option<Empty>,
}

/// A side without events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Empty {
    /// The selection alone.
    Selection,
    /// The baseline alone.
    Baseline,
    /// Both.
    Both,
}

/// One side of the comparison.
#[derive(Debug, Serialize, ToSchema)]
struct SideJson {
    /// Oldest `@timestamp`.
    from: String,
    /// Newest `@timestamp`.
    to: String,
    /// How many events.
    events: u64,
    /// What was looked at.
    stats: StatsJson,
}

/// The values of a field that differ most.
#[derive(Debug, Serialize, ToSchema)]
struct FieldJson {
    /// The field.
    field: &'static str,
    /// Those that differ most first.
    values: Vec<ValueJson>,
}

/// A number field on both sides.
#[derive(Debug, Serialize, ToSchema)]
struct MeasureJson {
    /// The field.
    field: &'static str,
    /// In the selection.
    selection: SizeJson,
    /// In the baseline.
    baseline: SizeJson,
}

/// How large the numbers of a field are, to within 0.8 %.
#[derive(Debug, Serialize, ToSchema)]
struct SizeJson {
    /// Numbers.
    count: u64,
    /// The median.
    p50: Option<u64>,
    /// What 95 of 100 do not pass.
    p95: Option<u64>,
}

/// A side: its query and its time.
struct Side {
    query: String,
    from: Timestamp,
    to: Timestamp,
}

/// A moment that has to be there.
fn moment(text: &str, pointer: &str, now: Timestamp) -> Result<Timestamp, Error> {
    let missing = || Error::input(pointer, "invalid_value", "expected a time");
    when::moment(Some(text), pointer, now)?.ok_or_else(missing)
}

impl Side {
    fn new(query: &str, (from, to): (Timestamp, Timestamp), pointer: &str) -> Result<Self, Error> {
        if to < from {
            let detail = "expected a time that is not before from";
            return Err(Error::input(pointer, "invalid_value", detail));
        }
        let query = query.to_owned();
        Ok(Self { query, from, to })
    }

    /// As long, and just before: times are compared in milliseconds, both ends included.
    fn before(&self) -> Self {
        let (from, to) = (self.from.millis(), self.to.millis());
        let end = from.saturating_sub(1);
        let start = end.saturating_sub(to.saturating_sub(from));
        Self {
            query: self.query.clone(),
            from: Timestamp::from_millis(start),
            to: Timestamp::from_millis(end),
        }
    }

    fn ask(&self, fields: &[Field], pointer: &str, state: &State) -> Result<Aggregates, Error> {
        let query = state.searcher.parse(&self.query).map_err(|error| {
            let mut error = Error::from(error);
            if let Error::QueryInvalid(fault) = &mut error {
                pointer.clone_into(&mut fault.pointer);
            }
            error
        })?;
        let size = VALUES_MAX.min(state.searcher.buckets_max());
        let aggregate = |field: &Field| {
            let name = field.name().to_owned();
            let aggregate = if MEASURES.contains(field) {
                Aggregate::Percentiles {
                    field: name.clone(),
                    percents: PERCENTS.to_vec(),
                }
            } else {
                Aggregate::Terms {
                    field: name.clone(),
                    size,
                }
            };
            (name, aggregate)
        };
        Ok(state.searcher.aggregate(&AggregateRequest {
            query,
            from: Some(self.from),
            to: Some(self.to),
            aggregates: fields.iter().map(aggregate).collect(),
        })?)
    }

    fn json(&self, found: &Aggregates) -> SideJson {
        SideJson {
            from: self.from.to_rfc3339(),
            to: self.to.to_rfc3339(),
            events: found.stats.total.unwrap_or(0),
            stats: StatsJson::from(&found.stats),
        }
    }
}

impl CompareInput {
    fn sides(&self, now: Timestamp) -> Result<(Side, Side), Error> {
        let from = moment(&self.from, "/from", now)?;
        let to = when::moment(self.to.as_deref(), "/to", now)?.unwrap_or(now);
        let selection = Side::new(&self.query, (from, to), "/to")?;
        let Some(given) = &self.baseline else {
            let before = selection.before();
            return Ok((selection, before));
        };
        let from = moment(&given.from, "/baseline/from", now)?;
        let to = moment(&given.to, "/baseline/to", now)?;
        let query = given.query.as_ref().unwrap_or(&self.query);
        Ok((selection, Side::new(query, (from, to), "/baseline/to")?))
    }

    fn fields(&self) -> Result<Vec<Field>, Error> {
        let Some(names) = &self.fields else {
            return Ok(FACETS.into_iter().chain(MEASURES).collect());
        };
        if !(1..=FIELDS_MAX).contains(&names.len()) {
            let detail = "expected 1 to 20";
            return Err(Error::input("/fields", "invalid_length", detail));
        }
        let mut fields = Vec::with_capacity(names.len());
        for (at, name) in names.iter().enumerate() {
            let refused = |detail| Error::input(&format!("/fields/{at}"), "invalid_value", detail);
            let field = column_of(name).map_err(|_no_column| {
                refused("expected a field of kind keyword, int or ip (see /api/v1/fields)")
            })?;
            if fields.contains(&field) {
                return Err(refused("expected each field once"));
            }
            fields.push(field);
        }
        Ok(fields)
    }

    fn run(&self, state: &State) -> Result<Comparison, Error> {
        if !(1..=SIZE_MAX).contains(&self.size) {
            let detail = "expected 1 to 50";
            return Err(Error::input("/size", "invalid_value", detail));
        }
        let fields = self.fields()?;
        let (selection, baseline) = self.sides(state.clock.now())?;
        let here = selection.ask(&fields, "/query", state)?;
        let is_own = self.baseline.as_ref().is_some_and(|b| b.query.is_some());
        let pointer = if is_own { "/baseline/query" } else { "/query" };
        let there = baseline.ask(&fields, pointer, state)?;
        let (selection, baseline) = (selection.json(&here), baseline.json(&there));
        let empty = match (selection.events, baseline.events) {
            (0, 0) => Some(Empty::Both),
            (0, _) => Some(Empty::Selection),
            (_, 0) => Some(Empty::Baseline),
            _ => None,
        };
        let mut answer = Comparison {
            fields: Vec::new(),
            measures: Vec::new(),
            selection,
            baseline,
            empty,
        };
        for (field, ((_, here), (_, there))) in
            fields.iter().zip(here.results.iter().zip(&there.results))
        {
            answer.add(field.name(), here, there, self.size);
        }
        answer.order();
        Ok(answer)
    }
}

impl Comparison {
    fn add(&mut self, field: &'static str, here: &Aggregation, there: &Aggregation, size: usize) {
        if let (Some(selection), Some(baseline)) = (SizeJson::of(here), SizeJson::of(there)) {
            if selection.count + baseline.count > 0 {
                self.measures.push(MeasureJson {
                    field,
                    selection,
                    baseline,
                });
            }
            return;
        }
        if self.empty.is_some() {
            return;
        }
        let here = Counts::of(here, self.selection.events);
        let there = Counts::of(there, self.baseline.events);
        let values = differing(&here, &there, size);
        if !values.is_empty() {
            self.fields.push(FieldJson { field, values });
        }
    }

    /// The fields by their best value.
    fn order(&mut self) {
        let best = |field: &FieldJson| field.values.first().map_or(0.0, |value| value.score);
        self.fields.sort_by(|a, b| best(b).total_cmp(&best(a)));
    }
}

impl SizeJson {
    fn of(found: &Aggregation) -> Option<Self> {
        let Aggregation::Percentiles { count, values } = found else {
            return None;
        };
        let mut values = values.iter().map(|(_, value)| *value);
        Some(Self {
            count: *count,
            p50: values.next().flatten(),
            p95: values.next().flatten(),
        })
    }
}

async fn compare(
    With(state): With<Shared>,
    _caller: Authorized,
    Json(input): Json<CompareInput>,
) -> Result<Answer<Comparison>, Error> {
    let answer = state.search(move |state| input.run(state)).await?;
    Ok(Answer(answer))
}
