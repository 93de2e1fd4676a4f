//! `POST /api/v1/export`: all events that match a query, as one file that is written while it is read.
//!
//! The order is newest first unless told, so that what arrives in the meantime does not move the end away. An answer
//! that could not be finished breaks off: a whole one ends as HTTP says.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State as With;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;
use utoipa::ToSchema;

use super::auth::Authorized;
use super::error::Error;
use super::input::Json;
use super::rate::Policy;
use super::routes::{Audit, RouteSpec, Routes, Shape};
use super::search::{EventJson, FIELDS_MAX, event_of};
use super::sort::Direction;
use super::stream::{self, Writer};
use super::{Shared, State, csv, when};
use crate::index::SearchRequest;
use crate::store::Scope;

static EXPORT: RouteSpec = RouteSpec::change(Method::POST, "/api/v1/export", "export")
    .summary("All events that match a query, as NDJSON or CSV.")
    .scope(Scope::Search)
    .rate(Policy::Write)
    .audit(Audit::Write)
    .takes(Shape::of::<ExportInput>())
    .gives_raw("application/x-ndjson");

pub(super) fn register(routes: &mut Routes) {
    routes.add(&EXPORT, export);
}

/// Events read at a time.
const PAGE: usize = 500;
/// The same where they are large.
const PAGE_MIN: usize = 16;
/// Bytes of one piece of the answer, but for the last event in it.
const PIECE_BYTES_MAX: usize = 256 << 10;
/// How long an export may go on once the server drains.
const GRACE: Duration = Duration::from_secs(5);
/// Columns of a CSV file whose columns are not given.
pub(crate) const COLUMNS: &[&str] = &[
    "@timestamp",
    "service.name",
    "http.request.method",
    "url.path",
    "http.response.status_code",
    "client.ip",
    "user.id",
    "message",
];

/// What to export.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ExportInput {
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
    /// `ndjson` or `csv`.
    #[serde(default)]
    format: Format,
    /// Only these fields, in this order; the columns of a CSV file.
    fields: Option<Vec<String>>,
    /// `desc` (newest first) or `asc`.
    #[serde(default)]
    sort: Direction,
    /// Only so many events. Without it more than `api.export_events_max` are refused.
    #[schema(minimum = 1)]
    limit: Option<u64>,
}

/// The form of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Format {
    /// One JSON object per line.
    #[default]
    Ndjson,
    /// Comma-separated, with a line of names; cells that a spreadsheet would run begin with `'`.
    Csv,
}

impl Format {
    const fn media_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8",
        }
    }

    const fn disposition(self) -> &'static str {
        match self {
            Self::Ndjson => "attachment; filename=\"wardline-events.ndjson\"",
            Self::Csv => "attachment; filename=\"wardline-events.csv\"",
        }
    }
}

/// An export under way.
struct Writing {
    state: Shared,
    request: SearchRequest,
    form: Arc<Form>,
    left: u64,
    /// Whether it ends where nothing is left, or has more than it may.
    is_limited: bool,
    writer: Writer,
    /// Its place among `exports_max`.
    _slot: OwnedSemaphorePermit,
}

/// How the rows are written.
struct Form {
    format: Format,
    fields: Option<Vec<String>>,
}

/// Some rows, and where the next ones begin.
struct Rows {
    text: String,
    count: u64,
    cursor: Option<String>,
}

/// The next rows: at most so many, and not many more bytes than a piece holds.
fn rows(state: &State, request: &SearchRequest, form: &Form, left: u64) -> Result<Rows, Error> {
    let page = state.searcher.search(request)?;
    let mut rows = Rows {
        text: String::new(),
        count: 0,
        cursor: None,
    };
    for hit in &page.hits {
        let event = event_of(hit)?;
        form.write(&event, &mut rows.text)?;
        rows.count += 1;
        if rows.count == left || rows.text.len() >= PIECE_BYTES_MAX {
            let time = hit.event().map_err(Error::internal)?.time;
            let behind = request.clone().beside(time, hit.offset, request.sort);
            let is_last = rows.count == page.hits.len() as u64 && page.next_cursor.is_none();
            rows.cursor = behind.cursor.filter(|_| !is_last);
            return Ok(rows);
        }
    }
    rows.cursor = page.next_cursor;
    Ok(rows)
}

impl Form {
    fn columns(&self) -> Vec<&str> {
        match &self.fields {
            Some(names) => names.iter().map(String::as_str).collect(),
            None => COLUMNS.to_vec(),
        }
    }

    /// The first line of a file.
    fn head(&self) -> String {
        match self.format {
            Format::Ndjson => String::new(),
            Format::Csv => {
                let names: Vec<String> = self.columns().into_iter().map(csv::name).collect();
                format!("{}\n", names.join(","))
            }
        }
    }

    fn write(&self, event: &EventJson, text: &mut String) -> Result<(), Error> {
        match (self.format, &self.fields) {
            (Format::Ndjson, Some(names)) => text.push_str(event.only(names)?.text()),
            (Format::Ndjson, None) => text.push_str(event.text()),
            (Format::Csv, _) => {
                let event: Value = serde_json::from_str(event.text()).map_err(Error::internal)?;
                let cells = self.columns().into_iter();
                let cells = cells.map(|name| csv::quoted(&csv::cell(&event, name)));
                text.push_str(&cells.collect::<Vec<_>>().join(","));
            }
        }
        text.push('\n');
        Ok(())
    }
}

impl Writing {
    /// The next rows, and whether more follow.
    async fn next(&mut self) -> Result<(String, bool), Error> {
        let (request, form, left) = (self.request.clone(), self.form.clone(), self.left);
        let search = move |state: &State| rows(state, &request, &form, left);
        let rows = self.state.search(search).await?;
        self.left = self.left.saturating_sub(rows.count);
        // Of large events fewer fit: no page of them is read to be thrown away.
        let fits = usize::try_from(rows.count).unwrap_or(PAGE);
        self.request.limit = fits.saturating_mul(2).clamp(PAGE_MIN, PAGE);
        let has_more = rows.cursor.is_some();
        self.request.cursor = rows.cursor;
        Ok((rows.text, has_more))
    }

    async fn run(mut self, first: (String, bool)) {
        let mut next = Ok(first);
        loop {
            match next {
                Ok((text, has_more)) => {
                    if !text.is_empty() && !self.writer.send(text).await {
                        return;
                    }
                    if !has_more || self.left == 0 {
                        if !has_more || self.is_limited {
                            self.writer.finish();
                        }
                        return;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "an export was cut short");
                    return;
                }
            }
            next = self.next().await;
        }
    }
}

impl ExportInput {
    fn request(&self, state: &State) -> Result<SearchRequest, Error> {
        let fields = self.fields.as_ref().map_or(1, Vec::len);
        if !(1..=FIELDS_MAX).contains(&fields) {
            let detail = "expected 1 to 100";
            return Err(Error::input("/fields", "invalid_length", detail));
        }
        let names = self.fields.iter().flatten();
        if names.clone().collect::<HashSet<_>>().len() < names.count() {
            let detail = "expected each field once";
            return Err(Error::input("/fields", "invalid_value", detail));
        }
        if self.limit == Some(0) {
            let detail = "expected at least 1";
            return Err(Error::input("/limit", "invalid_value", detail));
        }
        let now = state.clock.now();
        let mut request = SearchRequest::new(state.searcher.parse(&self.query)?);
        request.from = when::moment(self.from.as_deref(), "/from", now)?;
        request.to = when::moment(self.to.as_deref(), "/to", now)?;
        request.limit = PAGE;
        request.sort = self.sort.into();
        Ok(request)
    }
}

async fn export(
    With(state): With<Shared>,
    _caller: Authorized,
    Json(input): Json<ExportInput>,
) -> Result<Response, Error> {
    let request = input.request(&state)?;
    let most = state.options.export_events_max;
    let mut counted = request.clone();
    (counted.limit, counted.count) = (1, true);
    let found = state.search(move |state| state.searcher.search(&counted));
    let total = found.await?.stats.total;
    let wanted = total.map(|total| total.min(input.limit.unwrap_or(total)));
    if let Some(wanted) = wanted.filter(|wanted| *wanted > most) {
        let detail = format!(
            "export has {wanted} events, at most {most} are allowed; narrow it or set a limit"
        );
        return Err(Error::TooCostly(detail));
    }
    let slot = state.exports.clone().try_acquire_owned();
    let slot = slot.map_err(|_full| Error::Busy { retry_after_s: 10 })?;
    let (writer, body) = stream::body(state.tasks.draining(), GRACE);
    let format = input.format;
    let form = Form {
        format,
        fields: input.fields,
    };
    let mut writing = Writing {
        state: state.clone(),
        request,
        left: input.limit.unwrap_or(most).min(most),
        is_limited: input.limit.is_some_and(|limit| limit <= most),
        form: Arc::new(form),
        writer,
        _slot: slot,
    };
    // The first rows before the answer begins: what is wrong with the search is an error like any other.
    let (rows, has_more) = writing.next().await?;
    let first = writing.form.head() + &rows;
    state
        .tasks
        .spawn_one("export", writing.run((first, has_more)));
    let mut headers = HeaderMap::new();
    let mut set = |name: HeaderName, value: HeaderValue| drop(headers.insert(name, value));
    set(
        header::CONTENT_TYPE,
        HeaderValue::from_static(format.media_type()),
    );
    set(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_static(format.disposition()),
    );
    if let Some(wanted) = wanted {
        set(HeaderName::from_static("x-total-count"), wanted.into());
    }
    Ok((headers, body).into_response())
}
