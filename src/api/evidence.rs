//! `POST /api/v1/evidence`: an alert, or what a search finds, as one file that proves itself (`evidence/`).
//!
//! The pack is made whole before the answer begins, in a file without a name, as its head says what the SHA-256 of the
//! manifest is; that stands in our own log with who asked, so that a pack can be held against it.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::time::Duration;

use axum::extract::State as With;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;
use utoipa::ToSchema;

use super::alerts::{self, bounded};
use super::auth::{Authorized, scope_name};
use super::error::Error;
use super::input::Json;
use super::routes::{Audit, RouteSpec, Routes, Shape};
use super::search::StatsJson;
use super::stream::{self, Pipe, Writer};
use super::{Shared, State, when};
use crate::evidence::{self, Made, Pack};
use crate::files;
use crate::index::{SearchRequest, Sort};
use crate::model::{Alert, Offset, Timestamp};
use crate::redact::CleanEvent;
use crate::store::Scope;

/// Making a pack may read many frames of the log; in seconds.
const DEADLINE_S: u64 = 120;

static EVIDENCE: RouteSpec = RouteSpec::change(Method::POST, "/api/v1/evidence", "evidence")
    .summary("The events of an alert or of a search with the proof of the log, as one ZIP file.")
    .scope(Scope::Search)
    .within(DEADLINE_S)
    .audit(Audit::Write)
    .takes(Shape::of::<EvidenceInput>())
    .gives_raw("application/zip");

pub(super) fn register(routes: &mut Routes) {
    routes.add(&EVIDENCE, answer);
}

/// Carries the SHA-256 of the pack's manifest.
const SUM_HEADER: HeaderName = HeaderName::from_static("x-wardline-manifest-sha256");
/// Events read at a time.
const PAGE: usize = 500;
/// Entries of an alert's history that are read; more are said to be left out.
const HISTORY_MAX: usize = 10_000;
/// Bytes of one piece of the answer.
const PIECE_BYTES: usize = 256 << 10;
/// How long a pack may be sent on once the server drains.
const GRACE: Duration = Duration::from_secs(5);
/// How long making a pack keeps the log from being deleted by age and size, in nanoseconds: ten minutes.
const HOLD_MAX: i64 = 600_000_000_000;

/// What to prove: an alert, or what a query finds.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct EvidenceInput {
    /// The alert; asks for the scope `alerts` too.
    #[schema(max_length = 64)]
    alert: Option<String>,
    /// The query, where there is no alert; empty means every event.
    #[schema(max_length = 16384)]
    query: Option<String>,
    /// Oldest `@timestamp`: RFC 3339 or relative (`now-1h`); only with a query.
    #[schema(max_length = 64)]
    from: Option<String>,
    /// Newest `@timestamp`; now where it is missing; only with a query.
    #[schema(max_length = 64)]
    to: Option<String>,
    /// Why, in words; secrets in it are replaced.
    #[schema(max_length = 8192)]
    note: Option<String>,
    /// Whether the frames of the log are in the pack, which hold other events beside these.
    #[serde(default = "yes")]
    frames: bool,
}

const fn yes() -> bool {
    true
}

/// What is proven, read from the input.
#[derive(Debug)]
struct Task {
    alert: Option<String>,
    query: String,
    window: (Option<Timestamp>, Option<Timestamp>),
    note: Option<String>,
    with_frames: bool,
    by: String,
    now: Timestamp,
}

/// `query.json`.
#[derive(Debug, Serialize)]
struct QueryJson<'t> {
    query: &'t str,
    from: Option<String>,
    to: Option<String>,
    time_zone: &'static str,
    /// What was looked at, for the first page.
    stats: StatsJson,
    /// How the events were chosen.
    events: &'static str,
    note: Option<&'t str>,
    /// Who asked.
    by: &'t str,
}

impl EvidenceInput {
    fn task(self, state: &Shared, caller: &Authorized) -> Result<Task, Error> {
        let wrong = |place: &str, text: &str| Err(Error::input(place, "invalid_value", text));
        match (&self.alert, &self.query) {
            (Some(_), Some(_)) => return wrong("/query", "either an alert or a query, not both"),
            (None, None) => return wrong("", "expected an alert or a query"),
            (Some(_), None) if self.from.is_some() => {
                return wrong("/from", "an alert has its own time");
            }
            (Some(_), None) if self.to.is_some() => {
                return wrong("/to", "an alert has its own time");
            }
            (Some(_), None) if !caller.0.may(Scope::Alerts) => {
                return Err(Error::Forbidden(scope_name(Scope::Alerts)));
            }
            _ => {}
        }
        let note = self.note.filter(|note| !note.is_empty());
        bounded(
            note.as_deref().unwrap_or_default(),
            "/note",
            alerts::TEXT_BYTES_MAX,
        )?;
        let now = state.clock.now();
        let from = when::moment(self.from.as_deref(), "/from", now)?;
        let to = when::moment(self.to.as_deref(), "/to", now)?;
        Ok(Task {
            alert: self.alert,
            query: self.query.unwrap_or_default(),
            window: (from, to.or(Some(now))),
            note: note.map(|note| state.clean(&note)),
            with_frames: self.frames,
            by: caller.0.name.to_string(),
            now,
        })
    }
}

impl From<evidence::Error> for Error {
    fn from(error: evidence::Error) -> Self {
        match error {
            evidence::Error::TooLarge(_) => Self::TooCostly(format!("{error}; narrow it")),
            evidence::Error::Gone(_) => {
                tracing::error!(%error, "no evidence pack made");
                Self::Conflict(
                    "the log has lost one of the events; wardline verify names the place",
                )
            }
            other => Self::internal(other),
        }
    }
}

/// Everything of an alert but its events; the query and the time that find those.
fn alert_documents(state: &State, pack: &mut Pack, alert: &Alert) -> Result<(), Error> {
    let mut history = state.store.alert_history(&alert.id, 0, HISTORY_MAX + 1)?;
    let is_cut = history.len() > HISTORY_MAX;
    history.truncate(HISTORY_MAX);
    let document = json!({"alert": alert, "history": history, "history_is_cut": is_cut});
    pack.document("alert.json", &document)?;
    let fired = &alert.rule;
    let loaded = state.rules.get(&fired.id);
    let says = match &loaded {
        Some(rule) if rule.revision == fired.revision => {
            "rule.yml is the text of the rule that fired"
        }
        Some(_) => {
            "the rule was changed since it fired; rule.yml is its text at the time of this pack"
        }
        None => "the rule that fired is no longer loaded; its text is not in this pack",
    };
    let document = json!({
        "id": fired.id, "name": fired.name, "fired_revision": fired.revision,
        "loaded_revision": loaded.as_ref().map(|rule| &rule.revision), "says": says,
    });
    pack.document("rule.json", &document)?;
    if let Some(rule) = loaded {
        pack.rule(&rule.text)?;
    }
    Ok(())
}

/// Adds an event, within the bound.
fn add(state: &State, pack: &mut Pack, event: &CleanEvent<'_>, at: Offset) -> Result<(), Error> {
    pack.event(event, at)?;
    let most = state.options.evidence_events_max;
    if pack.events() > most {
        return Err(too_many(most));
    }
    Ok(())
}

fn too_many(most: usize) -> Error {
    let text = format!("there are more than {most} events, which is the most of a pack; narrow it");
    Error::TooCostly(text)
}

/// The sample events of an alert that its query has not found, where the log still has them.
fn add_samples(state: &State, pack: &mut Pack, alert: &Alert) -> Result<(), Error> {
    for sample in &alert.sample_events {
        let offset = Offset::from_event_id(&sample.id);
        let hit = offset
            .map(|offset| state.searcher.by_offset(offset))
            .transpose()?;
        if let Some(hit) = hit.flatten() {
            add(
                state,
                pack,
                &hit.event().map_err(Error::internal)?,
                hit.offset,
            )?;
        }
    }
    Ok(())
}

/// Makes the pack in a file without a name.
fn make(state: &State, clean: impl Fn(&str) -> String, task: &Task) -> Result<Made, Error> {
    let _hold = state
        .wal
        .hold(Timestamp(task.now.0.saturating_add(HOLD_MAX)));
    let alert = match &task.alert {
        Some(id) => Some(state.store.alert(id)?.ok_or(Error::NotFound)?),
        None => None,
    };
    let (query, (from, to)) = match &alert {
        Some(alert) => (
            &alert.query,
            (Some(alert.first_seen), Some(alert.last_seen)),
        ),
        None => (&task.query, task.window),
    };
    let mut request = SearchRequest::new(state.searcher.parse(query)?);
    (request.from, request.to, request.sort) = (from, to, Sort::Asc);
    (request.limit, request.count) = (PAGE, true);
    let mut page = state.searcher.search(&request)?;
    let most = state.options.evidence_events_max;
    if page.stats.total.is_some_and(|total| total > most as u64) {
        return Err(too_many(most));
    }
    let file = files::nameless(&state.data_dir.join("evidence.tmp")).map_err(Error::internal)?;
    let about = alert.as_ref().map(|alert| alert.id.clone());
    let mut pack = Pack::begin(file, state.options.evidence_bytes_max, task.now, about);
    if let Some(alert) = &alert {
        alert_documents(state, &mut pack, alert)?;
    }
    let document = QueryJson {
        query: &clean(query),
        from: from.map(Timestamp::to_rfc3339),
        to: to.map(Timestamp::to_rfc3339),
        time_zone: "UTC",
        stats: StatsJson::from(&page.stats),
        events: match &alert {
            Some(_) => {
                "all that the alert's query finds from its first to its last event, and its sample events"
            }
            None => "all that the query finds",
        },
        note: task.note.as_deref(),
        by: &task.by,
    };
    pack.document("query.json", &document)?;
    request.count = false;
    loop {
        for hit in &page.hits {
            add(
                state,
                &mut pack,
                &hit.event().map_err(Error::internal)?,
                hit.offset,
            )?;
        }
        request.cursor = page.next_cursor.take();
        if request.cursor.is_none() {
            break;
        }
        page = state.searcher.search(&request)?;
    }
    if let Some(alert) = &alert {
        add_samples(state, &mut pack, alert)?;
    }
    Ok(pack.finish(&state.wal, task.with_frames)?)
}

/// Sends the pack; its place among `evidence_packs_max` is free when it is sent.
fn send(state: &Shared, mut file: File, writer: Writer, slot: OwnedSemaphorePermit) {
    let (pipe, tasks) = (Pipe::new(writer), state.tasks.clone());
    let sending = move || -> std::io::Result<()> {
        let mut out = BufWriter::with_capacity(PIECE_BYTES, pipe);
        std::io::copy(&mut file, &mut out)?;
        out.flush()?;
        out.get_ref().finish();
        Ok(())
    };
    state.tasks.spawn_one("evidence", async move {
        let _slot = slot;
        if let Some(Err(error)) = tasks.blocking(sending).await {
            tracing::warn!(%error, "an evidence pack was cut short");
        }
    });
}

async fn answer(
    With(state): With<Shared>,
    caller: Authorized,
    Json(input): Json<EvidenceInput>,
) -> Result<Response, Error> {
    let task = input.task(&state, &caller)?;
    let slot = state.packs.clone().try_acquire_owned();
    let slot = slot.map_err(|_full| Error::Busy { retry_after_s: 10 })?;
    let redactor = state.redactor.clone();
    let clean = move |text: &str| redactor.redact_text(text).into_owned();
    // The place goes with the work, which runs on where the caller has gone or is out of time.
    let making = state.ask(move |state| make(state, clean, &task).map(|made| (made, slot)));
    let (made, slot) = making.await?;
    tracing::info!(
        caller = %caller.0.name,
        alert = made.manifest.alert,
        events = made.manifest.events,
        bytes = made.bytes,
        manifest_sha256 = made.manifest_sha256,
        "evidence pack made"
    );
    let (writer, body) = stream::body(state.tasks.draining(), GRACE);
    send(&state, made.file, writer, slot);
    let mut headers = HeaderMap::new();
    let media_type = HeaderValue::from_static("application/zip");
    let name = HeaderValue::from_static("attachment; filename=\"wardline-evidence.zip\"");
    let sum = HeaderValue::from_str(&made.manifest_sha256).map_err(Error::internal)?;
    headers.insert(header::CONTENT_TYPE, media_type);
    headers.insert(header::CONTENT_DISPOSITION, name);
    headers.insert(SUM_HEADER, sum);
    Ok((headers, body).into_response())
}
