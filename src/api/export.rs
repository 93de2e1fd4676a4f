//! `POST /api/v1/export`: all events that match a query, as one file that is written while it is read.
//!
//! The order is newest first unless told, so that what arrives in the meantime does not move the end away. An answer
//! that could not be finished breaks off: a whole one ends as HTTP says.

use axum::extract::State as With;
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::mpsc;
use utoipa::ToSchema;

use super::auth::Authorized;
use super::error::Error;
use super::input::Json;
use super::rate::Policy;
use super::routes::{Audit, RouteSpec, Routes, Shape};
use super::search::{EventJson, SortInput, event_of};
use super::stream::{self, CutShort, Piece};
use super::{Shared, State, csv, when};
use crate::index::{Page, SearchRequest};
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
const PAGE: usize = 1_000;
/// Columns of one file at most.
const FIELDS_MAX: usize = 100;
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
    sort: SortInput,
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
    format: Format,
    fields: Option<Vec<String>>,
    left: u64,
    sender: mpsc::Sender<Piece>,
}

/// The rows of a page, at most so many.
fn rows(
    page: &Page,
    format: Format,
    fields: Option<&[String]>,
    left: u64,
) -> Result<String, Error> {
    let mut text = String::new();
    let most = usize::try_from(left).unwrap_or(usize::MAX);
    for hit in page.hits.iter().take(most) {
        let event = event_of(hit)?;
        match format {
            Format::Ndjson => match fields {
                Some(names) => text.push_str(event.only(names)?.text()),
                None => text.push_str(event.text()),
            },
            Format::Csv => text.push_str(&line(&event, fields)?),
        }
        text.push('\n');
    }
    Ok(text)
}

fn line(event: &EventJson, fields: Option<&[String]>) -> Result<String, Error> {
    let event: Value = serde_json::from_str(event.text()).map_err(Error::internal)?;
    let cell = |name: &str| csv::quoted(&csv::cell(&event, name));
    let cells: Vec<String> = match fields {
        Some(names) => names.iter().map(|name| cell(name)).collect(),
        None => COLUMNS.iter().map(|name| cell(name)).collect(),
    };
    Ok(cells.join(","))
}

/// The first line of a file.
fn head(format: Format, fields: Option<&[String]>) -> String {
    let names: Vec<String> = match (format, fields) {
        (Format::Ndjson, _) => return String::new(),
        (Format::Csv, Some(names)) => names.iter().map(|name| csv::name(name)).collect(),
        (Format::Csv, None) => COLUMNS.iter().map(|name| csv::name(name)).collect(),
    };
    format!("{}\n", names.join(","))
}

impl Writing {
    /// The rows of the next page; turns to the one behind it. `None` behind the last.
    async fn next(&mut self) -> Result<Option<String>, Error> {
        let request = self.request.clone();
        let (format, fields, left) = (self.format, self.fields.clone(), self.left);
        let search = move |state: &State| {
            let page = state.searcher.search(&request)?;
            let text = rows(&page, format, fields.as_deref(), left)?;
            Ok::<_, Error>((text, page.hits.len(), page.next_cursor))
        };
        let (text, count, cursor) = self.state.search(search).await?;
        self.left = self.left.saturating_sub(u64::try_from(count).unwrap_or(0));
        let is_last = cursor.is_none() || self.left == 0;
        self.request.cursor = cursor;
        if is_last {
            self.left = 0;
        }
        Ok((!text.is_empty() || !is_last).then_some(text))
    }

    async fn run(mut self, first: String) {
        let mut next = Ok(Some(first));
        loop {
            let piece = match next {
                Ok(Some(text)) => Ok(text.into()),
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(%error, "an export was cut short");
                    Err(CutShort)
                }
            };
            let is_over = piece.is_err();
            if self.sender.send(piece).await.is_err() || is_over || self.left == 0 {
                return;
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
    let wanted = total.map_or(most, |total| total.min(input.limit.unwrap_or(total)));
    if wanted > most {
        let detail = format!(
            "export has {wanted} events, at most {most} are allowed; narrow it or set a limit"
        );
        return Err(Error::TooCostly(detail));
    }
    let (sender, body) = stream::body();
    let mut writing = Writing {
        state: state.clone(),
        request,
        format: input.format,
        fields: input.fields,
        left: input.limit.unwrap_or(most).min(most),
        sender,
    };
    // The first page before the answer begins: what is wrong with the search is an error like any other.
    let mut first = head(writing.format, writing.fields.as_deref());
    first.push_str(&writing.next().await?.unwrap_or_default());
    let format = writing.format;
    state.tasks.spawn_one("export", writing.run(first));
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static(format.media_type()),
        ),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_static(format.disposition()),
        ),
        (
            HeaderName::from_static("x-total-count"),
            HeaderValue::from(wanted),
        ),
    ];
    Ok((headers, body).into_response())
}
