//! `POST /api/v1/search`: events by query, a page at a time.

use std::collections::HashMap;

use axum::Json as Answer;
use axum::extract::State as With;
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::auth::Authorized;
use super::error::Error;
use super::input::Json;
use super::list::PageInfo;
use super::rate::Policy;
use super::routes::{Audit, RouteSpec, Routes, Shape};
use super::sort::SortInput;
use super::unseen::{self, SilentSource};
use super::{Shared, State, ndjson, when};
use crate::index::{self, Highlight, Hint, Hit, Query, SearchRequest};
use crate::model::Offset;
use crate::redact::{CleanEvent, to_json};
use crate::store::Scope;

static SEARCH: RouteSpec = RouteSpec::change(Method::POST, "/api/v1/search", "search")
    .summary("Events that match a query, newest first or in the order of a field; as application/x-ndjson where Accept says so, written as they are found.")
    .scope(Scope::Search)
    .rate(Policy::Search)
    .audit(Audit::Read)
    .takes(Shape::of::<SearchInput>())
    .gives(Shape::of::<SearchPage>());

pub(super) fn register(routes: &mut Routes) {
    routes.add(&SEARCH, search);
}

/// What to search for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SearchInput {
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
    /// Events on one page; as `application/x-ndjson` up to 10,000.
    #[serde(default = "default_limit")]
    #[schema(minimum = 1, maximum = 10000)]
    pub(super) limit: usize,
    /// `next_cursor` of the page before.
    #[schema(max_length = 1024)]
    pub(super) cursor: Option<String>,
    /// `desc` (newest first), `asc`, or a field and an order: `{"field": "event.duration", "order": "desc"}`.
    #[serde(default)]
    sort: SortInput,
    /// Only these fields, in this order; `id` and `@timestamp` always come.
    fields: Option<Vec<String>>,
    /// Whether to count all matches.
    pub(super) count: Option<bool>,
    /// Whether to tell in `highlights` where each event matches.
    pub(super) highlight: Option<bool>,
    /// Where the query is none: `error`, or `text` to search for its words and say so in `fallback`.
    #[serde(default)]
    on_invalid: OnInvalid,
}

/// What becomes of a text that is no query.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum OnInvalid {
    /// It is refused.
    #[default]
    Error,
    /// Its words are searched for.
    Text,
}

const fn default_limit() -> usize {
    100
}

/// How far the index may be behind, in nanoseconds, for an answer to say what it did not see: a minute.
const BEHIND_MAX: i64 = 60_000_000_000;

/// Most events of one page.
const LIMIT_MAX: usize = 1_000;
/// Most fields of a projection.
pub(super) const FIELDS_MAX: usize = 100;

/// One event: a flat object with dotted names.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(super) struct EventJson(Box<RawValue>);

impl PartialSchema for EventJson {
    fn schema() -> RefOr<Schema> {
        let text = || ObjectBuilder::new().schema_type(Type::String).build();
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some(
                "An event: dotted names to scalars or arrays of scalars.",
            ))
            .property("id", text())
            .property("@timestamp", text())
            .property("event.ingested", text())
            .required("id")
            .required("@timestamp")
            .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(true)))
            .into()
    }
}

impl ToSchema for EventJson {
    fn name() -> std::borrow::Cow<'static, str> {
        "Event".into()
    }
}

impl EventJson {
    /// An event as it stands in the log.
    pub(super) fn of(event: &CleanEvent<'_>, offset: Offset) -> Result<Self, Error> {
        Self::from_text(to_json(event, offset))
    }

    /// An object that was written as text.
    pub(super) fn from_text(text: String) -> Result<Self, Error> {
        RawValue::from_string(text)
            .map(Self)
            .map_err(Error::internal)
    }

    /// The text.
    pub(super) fn text(&self) -> &str {
        self.0.get()
    }

    /// Only these fields.
    pub(super) fn only(&self, names: &[String]) -> Result<Self, Error> {
        let all: HashMap<&str, &RawValue> =
            serde_json::from_str(self.text()).map_err(Error::internal)?;
        let mut text = String::from("{");
        let always = ["id", "@timestamp"];
        let wanted = names.iter().map(String::as_str);
        for name in always
            .into_iter()
            .chain(wanted.filter(|name| !always.contains(name)))
        {
            let Some(value) = all.get(name) else { continue };
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(&serde_json::to_string(name).map_err(Error::internal)?);
            text.push(':');
            text.push_str(value.get());
        }
        text.push('}');
        Self::from_text(text)
    }
}

/// What was looked at to answer.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StatsJson {
    /// How many events match, where it was counted.
    total: Option<u64>,
    /// `eq`: the total is exact.
    total_relation: &'static str,
    /// Events considered.
    scanned: u64,
    /// Segments of the index looked into.
    searched_segments: u64,
    /// Everything received up to here is searchable.
    complete_until: String,
    /// Durable events that are not searchable yet.
    lag_events: u64,
    /// Whether a bound ended the search early; the cursor goes on.
    partial: bool,
    /// Events of this time that could not be parsed, so that their fields cannot be asked for; told where the answer is
    /// whole with this page.
    #[serde(skip_serializing_if = "Option::is_none")]
    unparsed: Option<u64>,
    /// Sources that sent events before and none for long while this time went on; told likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    silent_sources: Option<Vec<SilentSource>>,
    /// Milliseconds.
    took_ms: f64,
}

impl From<&index::Stats> for StatsJson {
    fn from(stats: &index::Stats) -> Self {
        Self {
            total: stats.total,
            total_relation: "eq",
            scanned: stats.scanned,
            searched_segments: stats.searched_segments,
            complete_until: stats.complete_until.to_rfc3339(),
            lag_events: stats.lag_events,
            partial: stats.partial,
            unparsed: None,
            silent_sources: None,
            took_ms: (stats.took.as_secs_f64() * 1e6).round() / 1e3,
        }
    }
}

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
struct SearchPage {
    /// The events in order.
    data: Vec<EventJson>,
    /// Where the next page starts.
    page: PageInfo,
    /// Where each event of `data` matches, in the same order, where that was asked for: at most 100 places of one event.
    #[serde(skip_serializing_if = "Option::is_none")]
    highlights: Option<Vec<Vec<HighlightJson>>>,
    /// What was looked at.
    stats: StatsJson,
    /// Where nothing was found: names in the query that are no fields, and what was probably meant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hints: Vec<HintJson>,
    /// Where the query was none and its words were searched for: what was wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    fallback: Option<Fallback>,
}

/// What matches in one value of an event.
#[derive(Debug, Serialize, ToSchema)]
struct HighlightJson {
    /// The field.
    field: String,
    /// Which one of its values, from 0; missing where the field is no array.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<usize>,
    /// Where in the text, from and to (behind the end), in UTF-16 code units as strings of JavaScript have them. Missing
    /// where the value matches as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    ranges: Option<Vec<(usize, usize)>>,
}

/// What is told beside the events; the last line where they are written as they are found.
#[derive(Debug, Serialize)]
pub(super) struct SearchEnd {
    stats: StatsJson,
    page: PageInfo,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hints: Vec<HintJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fallback: Option<Fallback>,
}

/// Why the words of a query were searched for and not the query.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Fallback {
    /// What is wrong.
    detail: String,
    /// Where, a byte offset in the query.
    position: usize,
}

/// A name that is nearly that of a field.
#[derive(Debug, Serialize, ToSchema)]
struct HintJson {
    /// As the query has it.
    name: String,
    /// The field that was probably meant.
    meant: &'static str,
}

/// The event of a hit.
pub(super) fn event_of(hit: &Hit) -> Result<EventJson, Error> {
    let event = hit.event().map_err(Error::internal)?;
    EventJson::of(&event, hit.offset)
}

impl SearchInput {
    /// The query, and what was wrong with it where it is its words.
    pub(super) fn query(&self, state: &State) -> Result<(Query, Option<Fallback>), Error> {
        let refused = match state.searcher.parse(&self.query) {
            Ok(query) => return Ok((query, None)),
            Err(index::Error::Query(refused)) if self.on_invalid == OnInvalid::Text => refused,
            Err(error) => return Err(error.into()),
        };
        match state.searcher.words(&self.query) {
            Some(query) => {
                let fallback = Fallback {
                    detail: refused.message,
                    position: refused.position,
                };
                Ok((query, Some(fallback)))
            }
            None => Err(index::Error::Query(refused).into()),
        }
    }

    /// The search, for at most so many events.
    pub(super) fn request(
        &self,
        query: Query,
        state: &State,
        limit_max: usize,
    ) -> Result<SearchRequest, Error> {
        if !(1..=limit_max).contains(&self.limit) {
            let detail = format!("expected 1 to {limit_max}");
            return Err(Error::input("/limit", "invalid_value", &detail));
        }
        if self
            .fields
            .as_ref()
            .is_some_and(|fields| fields.len() > FIELDS_MAX)
        {
            return Err(Error::input(
                "/fields",
                "invalid_length",
                "expected at most 100",
            ));
        }
        let now = state.clock.now();
        let mut request = SearchRequest::new(query);
        request.from = when::moment(self.from.as_deref(), "/from", now)?;
        request.to = when::moment(self.to.as_deref(), "/to", now)?;
        request.limit = self.limit;
        request.cursor = self.cursor.clone();
        request.count = self.count.unwrap_or(false);
        request.highlight = self.highlight.unwrap_or(false);
        self.sort.apply(request)
    }

    /// Of what matches what stands in the answer.
    fn shown(&self, found: Vec<Highlight>) -> Vec<HighlightJson> {
        let names = self.fields.as_ref();
        let is_shown = |found: &Highlight| names.is_none_or(|names| names.contains(&found.field));
        let shown = found.into_iter().filter(is_shown);
        let json = |Highlight {
                        field,
                        value,
                        ranges,
                    }| HighlightJson {
            field,
            value,
            ranges,
        };
        shown.map(json).collect()
    }

    /// An event as the answer has it.
    pub(super) fn event(&self, hit: &Hit) -> Result<EventJson, Error> {
        let event = event_of(hit)?;
        match &self.fields {
            Some(names) => event.only(names),
            None => Ok(event),
        }
    }

    /// What is told beside the events: of a page, or of all pages with their cursor and sums.
    pub(super) fn end(
        &self,
        state: &State,
        request: &SearchRequest,
        page: &index::Page,
        (is_nothing, fallback): (bool, Option<Fallback>),
    ) -> Result<SearchEnd, Error> {
        let mut stats = StatsJson::from(&page.stats);
        let now = state.clock.now();
        // An index that is being built has not seen them either.
        let behind = now.0.saturating_sub(page.stats.complete_until.0);
        let is_whole = page.next_cursor.is_none() && behind < BEHIND_MAX;
        if self.cursor.is_none() && is_whole {
            let sources = state.store.sources();
            stats.unparsed = unseen::unparsed(state, request)?;
            stats.silent_sources = Some(unseen::silent(sources, now, request.to));
        }
        let hints = if is_nothing && self.cursor.is_none() {
            request.query.hints()
        } else {
            Vec::new()
        };
        let hint = |Hint { name, meant }| HintJson { name, meant };
        Ok(SearchEnd {
            page: PageInfo {
                next_cursor: page.next_cursor.clone(),
                limit: self.limit,
            },
            stats,
            hints: hints.into_iter().map(hint).collect(),
            fallback,
        })
    }

    fn run(&self, state: &State) -> Result<SearchPage, Error> {
        let (query, fallback) = self.query(state)?;
        let request = self.request(query, state, LIMIT_MAX)?;
        let mut found = state.searcher.search(&request)?;
        let highlights = request.highlight.then(|| {
            let all = std::mem::take(&mut found.highlights).into_iter();
            all.map(|found| self.shown(found)).collect()
        });
        let data = found.hits.iter().map(|hit| self.event(hit));
        let data = data.collect::<Result<Vec<_>, Error>>()?;
        let end = self.end(state, &request, &found, (data.is_empty(), fallback))?;
        Ok(SearchPage {
            data,
            highlights,
            page: end.page,
            stats: end.stats,
            hints: end.hints,
            fallback: end.fallback,
        })
    }
}

async fn search(
    With(state): With<Shared>,
    _caller: Authorized,
    headers: HeaderMap,
    Json(input): Json<SearchInput>,
) -> Result<Response, Error> {
    if ndjson::is_wanted(&headers) {
        return ndjson::answer(state, input).await;
    }
    let page = state.search(move |state| input.run(state)).await?;
    Ok(Answer(page).into_response())
}
