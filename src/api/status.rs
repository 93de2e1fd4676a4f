//! `GET /api/v1/status`: how far each reader of the log is, and how much there is.

use axum::Json as Answer;
use axum::extract::State as With;
use axum::http::Method;
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::Authorized;
use super::error::Error;
use super::routes::{RouteSpec, Routes, Shape};
use super::{Shared, State};
use crate::index::RebuildProgress;
use crate::store::{AlertCounts, Scope};

static SHOW: RouteSpec = RouteSpec::get("/api/v1/status", "status_show")
    .summary("Version, log, index, detection, alerts.")
    .scope(Scope::Search)
    .gives(Shape::of::<StatusJson>());

static REBUILD: RouteSpec =
    RouteSpec::change(Method::POST, "/api/v1/index/rebuild", "index_rebuild")
        .summary("Makes every segment of the index anew of the log; searches go on meanwhile.")
        .gives(Shape::of::<RebuildJson>());

pub(super) fn register(routes: &mut Routes) {
    routes.add(&SHOW, show);
    routes.add(&REBUILD, rebuild);
}

/// The state of this server.
#[derive(Debug, Serialize, ToSchema)]
struct StatusJson {
    /// Version of Wardline.
    version: &'static str,
    /// Its clock.
    time: String,
    /// The log.
    log: LogJson,
    /// The index.
    index: IndexJson,
    /// The rules.
    detect: DetectJson,
    /// Alerts by status and severity.
    alerts: AlertCounts,
    /// Webhook deliveries that wait.
    deliveries_pending: u64,
    /// What came in since the start.
    ingest: IngestJson,
}

/// The log.
#[derive(Debug, Serialize, ToSchema)]
struct LogJson {
    /// Whether it takes events.
    healthy: bool,
    /// Offset of the oldest event.
    first: u64,
    /// Offset behind the newest.
    end: u64,
    /// Events kept.
    events: u64,
    /// Bytes on disk.
    bytes: u64,
    /// Files.
    segments: u64,
    /// Damaged places.
    gaps: u64,
    /// Events in these.
    lost_events: u64,
}

/// The index.
#[derive(Debug, Serialize, ToSchema)]
struct IndexJson {
    /// Offset behind the last event it has seen.
    offset: u64,
    /// Events it has not seen yet.
    lag_events: u64,
    /// Bytes on disk.
    bytes: u64,
    /// Segments.
    segments: u64,
    /// How far making all of them anew is; null where that is not under way.
    rebuild: Option<RebuildJson>,
}

/// Making the index anew.
#[derive(Debug, Serialize, ToSchema)]
struct RebuildJson {
    /// Segments that were made anew.
    done: u64,
    /// Segments in all, when it began.
    of: u64,
}

impl RebuildJson {
    fn of(progress: RebuildProgress) -> Self {
        Self {
            done: count(progress.done),
            of: count(progress.of),
        }
    }
}

/// The rules.
#[derive(Debug, Serialize, ToSchema)]
struct DetectJson {
    /// Offset behind the last event they have seen.
    offset: u64,
    /// Events they have not seen yet.
    lag_events: u64,
    /// Rules in use.
    rules: u64,
    /// Rules refused.
    errors: u64,
}

/// What came in.
#[derive(Debug, Serialize, ToSchema)]
struct IngestJson {
    /// Events accepted.
    events: u64,
    /// Of these with a note.
    flagged: u64,
    /// Bytes.
    bytes: u64,
    /// Secrets replaced.
    redactions: u64,
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn gather(state: &State) -> Result<StatusJson, Error> {
    let (log, metrics) = (state.wal.status(), &state.metrics);
    let (visible, seen) = (state.searcher.visible().0, metrics.detect_offset.get());
    Ok(StatusJson {
        version: env!("CARGO_PKG_VERSION"),
        time: state.clock.now().to_rfc3339(),
        log: LogJson {
            healthy: !log.is_poisoned,
            first: log.first.0,
            end: log.end.0,
            events: log.end.0.saturating_sub(log.first.0),
            bytes: log.bytes,
            segments: count(log.segments),
            gaps: log.gaps,
            lost_events: log.lost_events,
        },
        index: IndexJson {
            offset: visible,
            lag_events: log.end.0.saturating_sub(visible),
            bytes: metrics.index_bytes.get(),
            segments: metrics.index_segments.get(),
            rebuild: state.searcher.rebuild_progress().map(RebuildJson::of),
        },
        detect: DetectJson {
            offset: seen,
            lag_events: log.end.0.saturating_sub(seen),
            rules: count(state.rules.list().len()),
            errors: count(state.rules.errors().len()),
        },
        alerts: state.store.alert_counts()?,
        deliveries_pending: metrics.deliveries_pending.get(),
        ingest: IngestJson {
            events: metrics.ingest_events.get(),
            flagged: metrics.ingest_flagged.get(),
            bytes: metrics.ingest_bytes.get(),
            redactions: metrics.redactions.get(),
        },
    })
}

async fn rebuild(
    With(state): With<Shared>,
    _caller: Authorized,
) -> Result<Answer<RebuildJson>, Error> {
    let work = |state: &State| Ok::<_, Error>(state.searcher.rebuild());
    Ok(Answer(RebuildJson::of(state.ask(work).await?)))
}

async fn show(With(state): With<Shared>, _caller: Authorized) -> Result<Answer<StatusJson>, Error> {
    Ok(Answer(state.ask(gather).await?))
}
