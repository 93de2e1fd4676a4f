//! `/api/v1/alerts`: list, show, and what people do with them.

use axum::Json as Answer;
use axum::extract::State as With;
use axum::http::{HeaderMap, Method, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::Authorized;
use super::error::Error;
use super::input::{Id, Json, Query};
use super::list::{List, PAGE, PageParams, page_limit};
use super::routes::{Param, RouteSpec, Routes, Shape};
use super::search::EventJson;
use super::{Shared, State, events};
use crate::model::{Alert, ResolutionReason, Severity, Status};
use crate::store::{self, Act, AlertFilter, Delivery, HistoryEntry, Scope};

const fn get(path: &'static str, operation_id: &'static str) -> RouteSpec {
    RouteSpec::get(path, operation_id).scope(Scope::Alerts)
}

const fn act(path: &'static str, operation_id: &'static str) -> RouteSpec {
    RouteSpec::change(Method::POST, path, operation_id)
        .scope(Scope::Alerts)
        .gives(Shape::of::<Alert>())
}

const LIST_PARAMS: &[Param] = &[
    Param::text(
        "status",
        "`open`, `acknowledged`, `closed`; several with commas.",
    ),
    Param::text("severity", "`info` to `critical`; several with commas."),
    Param::text("rule", "Rule by id or title."),
    Param::text(
        "q",
        "Stands in title, summary, entities, correlation ids or assignee.",
    ),
    Param::integer("limit", "Alerts on one page, at most 1000."),
    Param::text("cursor", "`next_cursor` of the page before."),
];

static LIST: RouteSpec = get("/api/v1/alerts", "alert_list")
    .summary("Alerts, the newest first.")
    .params(LIST_PARAMS)
    .gives(Shape::of::<List<Alert>>());
static SHOW: RouteSpec = get("/api/v1/alerts/{id}", "alert_show")
    .summary("One alert; its `ETag` is its version.")
    .gives(Shape::of::<Alert>());
static HISTORY: RouteSpec = get("/api/v1/alerts/{id}/history", "alert_history")
    .summary("What was done to an alert, oldest first.")
    .params(PAGE)
    .gives(Shape::of::<List<HistoryEntry>>());
static EVENTS: RouteSpec = get("/api/v1/alerts/{id}/events", "alert_events")
    .summary("The sample events of an alert, in full.")
    .gives(Shape::of::<List<EventJson>>());
static DELIVERIES: RouteSpec = get("/api/v1/alerts/{id}/deliveries", "alert_deliveries")
    .summary("Which webhooks were told, newest first.")
    .params(PAGE)
    .gives(Shape::of::<List<Delivery>>());
static ACK: RouteSpec = act("/api/v1/alerts/{id}/ack", "alert_ack")
    .summary("Takes an alert.")
    .takes(Shape::of::<AckInput>());
static CLOSE: RouteSpec = act("/api/v1/alerts/{id}/close", "alert_close")
    .summary("Finishes an alert with a verdict.")
    .takes(Shape::of::<CloseInput>());
static REOPEN: RouteSpec = act("/api/v1/alerts/{id}/reopen", "alert_reopen")
    .summary("Opens an alert again.")
    .takes(Shape::of::<ReopenInput>());
static NOTE: RouteSpec = act("/api/v1/alerts/{id}/notes", "alert_note")
    .summary("Writes something about an alert.")
    .takes(Shape::of::<NoteInput>());

pub(super) fn register(routes: &mut Routes) {
    routes.add(&LIST, list);
    routes.add(&SHOW, show);
    routes.add(&HISTORY, history);
    routes.add(&EVENTS, sample_events);
    routes.add(&DELIVERIES, deliveries);
    routes.add(&ACK, ack);
    routes.add(&CLOSE, close);
    routes.add(&REOPEN, reopen);
    routes.add(&NOTE, note);
}

/// Longest comment or note, in bytes.
pub(super) const TEXT_BYTES_MAX: usize = 8_192;
/// Longest name of an assignee, in bytes.
const NAME_BYTES_MAX: usize = 200;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListParams {
    status: Option<String>,
    severity: Option<String>,
    rule: Option<String>,
    q: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// Takes an alert.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AckInput {
    /// Who has it now; the caller where it is missing.
    #[schema(max_length = 200)]
    assignee: Option<String>,
    /// Why.
    #[schema(max_length = 8192)]
    note: Option<String>,
}

/// Finishes an alert.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CloseInput {
    /// The verdict.
    reason: ResolutionReason,
    /// Why.
    #[serde(default)]
    #[schema(max_length = 8192)]
    comment: String,
}

/// Opens an alert again.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReopenInput {
    /// Why.
    #[schema(max_length = 8192)]
    note: Option<String>,
}

/// Writes something about an alert.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NoteInput {
    /// The words.
    #[schema(min_length = 1, max_length = 8192)]
    text: String,
}

/// Words separated by commas, each one of a closed list.
fn words<T: serde::de::DeserializeOwned>(
    text: Option<&str>,
    name: &'static str,
) -> Result<Vec<T>, Error> {
    let words = text.unwrap_or_default().split(',').map(str::trim);
    words
        .filter(|word| !word.is_empty())
        .map(|word| {
            serde_json::from_value(word.into())
                .map_err(|_error| Error::input(name, "invalid_value", "expected a known word"))
        })
        .collect()
}

/// A text of bounded length.
pub(super) fn bounded(text: &str, pointer: &str, bytes_max: usize) -> Result<(), Error> {
    if text.len() <= bytes_max {
        return Ok(());
    }
    let expected = format!("expected at most {bytes_max} bytes");
    Err(Error::input(pointer, "invalid_length", &expected))
}

/// The version in `If-Match`, where there is one.
pub(super) fn expected_version(headers: &HeaderMap) -> Result<Option<u64>, Error> {
    let Some(value) = headers.get(header::IF_MATCH) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let version = text.trim_matches('"').parse();
    version.map(Some).map_err(|_odd| Error::VersionMismatch)
}

/// An object with its version as `ETag`.
pub(super) fn versioned<T: Serialize>(version: u64, object: T) -> Response {
    ([(header::ETAG, format!("\"{version}\""))], Answer(object)).into_response()
}

async fn list(
    With(state): With<Shared>,
    _caller: Authorized,
    Query(params): Query<ListParams>,
) -> Result<Answer<List<Alert>>, Error> {
    let limit = page_limit(params.limit)?;
    let filter = AlertFilter {
        statuses: words::<Status>(params.status.as_deref(), "status")?,
        severities: words::<Severity>(params.severity.as_deref(), "severity")?,
        rule: params.rule,
        text: params.q.filter(|text| !text.is_empty()),
    };
    let page = state
        .ask(move |state| {
            let cursor = params.cursor.as_deref();
            state.store.alerts(&filter, limit, cursor)
        })
        .await?;
    Ok(Answer(List::page(page.alerts, page.next_cursor, limit)))
}

fn existing(state: &State, id: &str) -> Result<Alert, Error> {
    state.store.alert(id)?.ok_or(Error::NotFound)
}

async fn show(
    With(state): With<Shared>,
    _caller: Authorized,
    Id(id): Id,
) -> Result<Response, Error> {
    let alert = state.ask(move |state| existing(state, &id)).await?;
    Ok(versioned(alert.version, alert))
}

async fn history(
    With(state): With<Shared>,
    _caller: Authorized,
    Id(id): Id,
    Query(params): Query<PageParams>,
) -> Result<Answer<List<HistoryEntry>>, Error> {
    let limit = page_limit(params.limit)?;
    // The cursor is the number of the last entry that was seen.
    let after = params.cursor.as_deref().map_or(Ok(0), str::parse);
    let after = after.map_err(|_| Error::input("cursor", "invalid_value", "not a cursor"))?;
    let mut data = state
        .ask(move |state| {
            existing(state, &id)?;
            Ok::<_, Error>(state.store.alert_history(&id, after, limit + 1)?)
        })
        .await?;
    let has_more = data.len() > limit;
    data.truncate(limit);
    let last = data.last().filter(|_| has_more);
    let next_cursor = last.map(|entry| entry.seq.to_string());
    Ok(Answer(List::page(data, next_cursor, limit)))
}

async fn sample_events(
    With(state): With<Shared>,
    _caller: Authorized,
    Id(id): Id,
) -> Result<Answer<List<EventJson>>, Error> {
    let data = state
        .ask(move |state| {
            let alert = existing(state, &id)?;
            let samples = alert.sample_events.iter();
            let found = samples.map(|sample| events::find(state, &sample.id));
            found
                .filter_map(Result::transpose)
                .collect::<Result<Vec<_>, _>>()
        })
        .await?;
    Ok(Answer(List::whole(data)))
}

async fn deliveries(
    With(state): With<Shared>,
    _caller: Authorized,
    Id(id): Id,
    Query(params): Query<PageParams>,
) -> Result<Answer<List<Delivery>>, Error> {
    let limit = page_limit(params.limit)?;
    let page = state
        .ask(move |state| {
            existing(state, &id)?;
            let cursor = params.cursor.as_deref();
            Ok::<_, Error>(state.store.alert_deliveries(&id, limit, cursor)?)
        })
        .await?;
    Ok(Answer(List::page(page.deliveries, page.next_cursor, limit)))
}

/// One act on an alert, by the caller, on the version of `If-Match`, with words from that place of the body.
async fn change(
    state: Shared,
    caller: Authorized,
    headers: &HeaderMap,
    (place, note): (&str, Option<String>),
    change: impl FnOnce(&store::Store, &Act) -> Result<Alert, store::Error> + Send + 'static,
) -> Result<Response, Error> {
    if let Some(note) = &note {
        bounded(note, place, TEXT_BYTES_MAX)?;
    }
    let act = Act {
        actor: caller.0.name.to_string(),
        expected: expected_version(headers)?,
        note: note
            .filter(|note| !note.is_empty())
            .map(|note| state.clean(&note)),
    };
    let alert = state.ask(move |state| change(&state.store, &act)).await?;
    Ok(versioned(alert.version, alert))
}

async fn ack(
    With(state): With<Shared>,
    caller: Authorized,
    Id(id): Id,
    headers: HeaderMap,
    Json(input): Json<AckInput>,
) -> Result<Response, Error> {
    let assignee = input.assignee.filter(|name| !name.is_empty());
    bounded(
        assignee.as_deref().unwrap_or_default(),
        "/assignee",
        NAME_BYTES_MAX,
    )?;
    let assignee = assignee.map(|name| state.clean(&name));
    let note = ("/note", input.note);
    change(state, caller, &headers, note, move |store, act| {
        store.ack_alert(&id, act, assignee)
    })
    .await
}

async fn close(
    With(state): With<Shared>,
    caller: Authorized,
    Id(id): Id,
    headers: HeaderMap,
    Json(input): Json<CloseInput>,
) -> Result<Response, Error> {
    let comment = ("/comment", Some(input.comment));
    change(state, caller, &headers, comment, move |store, act| {
        store.close_alert(&id, act, input.reason)
    })
    .await
}

async fn reopen(
    With(state): With<Shared>,
    caller: Authorized,
    Id(id): Id,
    headers: HeaderMap,
    Json(input): Json<ReopenInput>,
) -> Result<Response, Error> {
    let note = ("/note", input.note);
    change(state, caller, &headers, note, move |store, act| {
        store.reopen_alert(&id, act)
    })
    .await
}

async fn note(
    With(state): With<Shared>,
    caller: Authorized,
    Id(id): Id,
    headers: HeaderMap,
    Json(input): Json<NoteInput>,
) -> Result<Response, Error> {
    if input.text.trim().is_empty() {
        return Err(Error::input(
            "/text",
            "invalid_length",
            "expected some words",
        ));
    }
    let text = ("/text", Some(input.text));
    change(state, caller, &headers, text, move |store, act| {
        store.note_alert(&id, act)
    })
    .await
}
