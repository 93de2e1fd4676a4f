//! `GET /api/v1/tail`: events as they become durable, as Server-Sent Events (WHATWG HTML, 9.2).
//!
//! Each event is a message whose id is that of the event. A caller that comes back with `Last-Event-ID` misses nothing
//! while it is less than `tail_lag_events_max` behind; beyond that it is taken forward, and a message `dropped` says by
//! how much. Events stand in the log, so a slow caller costs no memory: it is read for as it takes them.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State as With;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;

use super::auth::{self, Authorized};
use super::error::Error;
use super::input::Query as Parameters;
use super::rate::Policy;
use super::routes::{Param, RouteSpec, Routes};
use super::stream::{self, Writer};
use super::{Shared, State};
use crate::index::Query;
use crate::model::{Offset, Timestamp};
use crate::redact::to_json;
use crate::store::Scope;
use crate::tasks::Shutdown;

static TAIL: RouteSpec = RouteSpec::get("/api/v1/tail", "tail")
    .summary(
        "Events that match a query, as they arrive: Server-Sent Events, resumed by Last-Event-ID.",
    )
    .scope(Scope::Search)
    .rate(Policy::Search)
    .params(&[Param::text("query", "The query; empty means every event.")])
    .gives_raw("text/event-stream");

pub(super) fn register(routes: &mut Routes) {
    routes.add(&TAIL, tail);
}

/// Between two signs of life; each says how far the log was looked through, and the credential is looked at again.
const QUIET: Duration = Duration::from_secs(15);
/// How long one answer goes on. The caller comes back.
const LIFE: Duration = Duration::from_secs(15 * 60);
/// Events looked through at a time.
const STEP_EVENTS_MAX: usize = 5_000;
/// Bytes of messages in one piece of the answer, but for the last event in it.
const PIECE_BYTES_MAX: usize = 128 << 10;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TailInput {
    #[serde(default)]
    query: String,
}

/// One caller that listens.
struct Live {
    state: Shared,
    query: Arc<Query>,
    /// What is looked at next.
    at: Offset,
    writer: Writer,
    draining: Shutdown,
    /// With the credential.
    headers: HeaderMap,
    /// When that was last looked at.
    checked: Timestamp,
    /// Its place among `tails_max`.
    _slot: OwnedSemaphorePermit,
}

/// What one look at the log came to.
struct Step {
    messages: Vec<u8>,
    at: Offset,
}

/// The messages of the events from `at` on that match, at most a piece of them.
fn step(state: &State, query: &Query, at: Offset) -> Result<Step, Error> {
    let mut step = Step {
        messages: Vec::new(),
        at,
    };
    let mut reader = state.wal.reader(at);
    let mut seen = 0;
    while seen < STEP_EVENTS_MAX
        && let Some(frame) = reader.next(Duration::ZERO)?
    {
        for (offset, _record) in frame.iter() {
            step.at = Offset(offset.0.saturating_add(1));
            seen += 1;
            // A record of a newer version is not searchable either.
            let Ok(Some(event)) = frame.event(offset) else {
                continue;
            };
            if !query.matches(&event) {
                continue;
            }
            let json = to_json(&event, offset);
            let id = offset.event_id();
            step.messages
                .extend_from_slice(format!("id: {id}\ndata: {json}\n\n").as_bytes());
            if step.messages.len() >= PIECE_BYTES_MAX {
                return Ok(step);
            }
        }
        step.at = step.at.max(frame.end());
    }
    step.at = step.at.max(reader.at().min(state.wal.end()));
    Ok(step)
}

impl Live {
    /// Whether the caller may still listen. Asked for again only after a while.
    async fn is_allowed(&mut self) -> bool {
        let now = self.state.clock.now();
        let quiet_ns = i64::try_from(QUIET.as_nanos()).unwrap_or(i64::MAX);
        if now.0.saturating_sub(self.checked.0) < quiet_ns {
            return true;
        }
        self.checked = now;
        let caller = auth::principal(&self.state, &self.headers).await;
        caller.is_ok_and(|caller| caller.may(Scope::Search))
    }

    /// How far the log was looked through, for a caller that comes back; dispatches nothing.
    fn place(&self) -> String {
        let before = self.at.0.checked_sub(1);
        before.map_or_else(
            || ": nothing yet\n\n".to_owned(),
            |at| format!("id: {}\n\n", Offset(at).event_id()),
        )
    }

    /// Takes a caller that is too far behind forward, and tells it.
    async fn keep_up(&mut self) -> bool {
        let most = self.state.options.tail_lag_events_max;
        let behind = self.state.wal.end().0.saturating_sub(self.at.0);
        if behind <= most {
            return true;
        }
        let dropped = behind - most / 2;
        self.at = Offset(self.at.0 + dropped);
        self.state.metrics.tail_dropped.add(dropped);
        let place = self.place();
        let message = format!("event: dropped\ndata: {{\"count\":{dropped}}}\n{place}");
        self.writer.send(message).await
    }

    /// Sends what there is; whether the caller is still there.
    async fn catch_up(&mut self) -> bool {
        while self.at < self.state.wal.end() {
            if !self.keep_up().await || !self.is_allowed().await {
                return false;
            }
            let (query, at) = (self.query.clone(), self.at);
            let found = self.state.ask(move |state| step(state, &query, at)).await;
            let Ok(found) = found else {
                return false;
            };
            if found.at == self.at {
                return true;
            }
            self.at = found.at;
            if !found.messages.is_empty() && !self.writer.send(found.messages).await {
                return false;
            }
        }
        true
    }

    async fn run(mut self) {
        let mut end = self.state.wal.watch();
        let hello = format!("retry: 1000\n{}", self.place());
        let mut is_there = self.writer.send(hello).await;
        while is_there {
            end.mark_unchanged();
            if !self.catch_up().await {
                return;
            }
            let is_quiet = tokio::select! {
                changed = end.changed() => match changed {
                    Ok(()) => false,
                    Err(_closed) => return,
                },
                () = tokio::time::sleep(QUIET) => true,
                () = self.writer.closed() => return,
                () = self.draining.requested() => return,
            };
            let place = self.place();
            is_there = self.is_allowed().await && (!is_quiet || self.writer.send(place).await);
        }
    }
}

/// Where a caller goes on.
fn start(headers: &HeaderMap, end: Offset) -> Result<Offset, Error> {
    let Some(last) = headers.get("last-event-id") else {
        return Ok(end);
    };
    let last = last.to_str().ok().and_then(Offset::from_event_id);
    let last = last.filter(|last| *last < end);
    let detail = "expected the id of an event, as the stream gave it";
    let last = last.ok_or_else(|| Error::input("Last-Event-ID", "invalid_value", detail))?;
    Ok(Offset(last.0 + 1))
}

async fn tail(
    With(state): With<Shared>,
    _caller: Authorized,
    headers: HeaderMap,
    Parameters(input): Parameters<TailInput>,
) -> Result<Response, Error> {
    let query = state.searcher.parse(&input.query)?;
    let at = start(&headers, state.wal.end())?;
    let slot = state.tails.clone().try_acquire_owned();
    let slot = slot.map_err(|_full| Error::Busy { retry_after_s: 10 })?;
    let (writer, body) = stream::body(state.tasks.draining(), Duration::ZERO);
    // It has no end that could be missing.
    writer.finish();
    let live = Live {
        query: Arc::new(query),
        at,
        writer,
        draining: state.tasks.draining(),
        checked: state.clock.now(),
        headers,
        state: state.clone(),
        _slot: slot,
    };
    state.tasks.spawn_one("tail", async move {
        // Whoever is still there comes back.
        let _over = tokio::time::timeout(LIFE, live.run()).await.is_err();
    });
    let unbuffered = (
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    let kind = (
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    );
    Ok(([kind, unbuffered], body).into_response())
}
