//! Probes, Prometheus, and the description of this API.

use axum::Json as Answer;
use axum::extract::State as With;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::Shared;
use super::routes::{RouteSpec, Routes, Shape};
use crate::model::Offset;

static HEALTHZ: RouteSpec = RouteSpec::get("/healthz", "healthz")
    .summary("Whether the process answers.")
    .public("a probe has no key and learns nothing but that")
    .gives(Shape::of::<Health>());
static READYZ: RouteSpec = RouteSpec::get("/readyz", "readyz")
    .summary("Whether events are taken, searchable and seen by the rules soon; 503 where not.")
    .public("a load balancer has no key and learns nothing but that")
    .gives(Shape::of::<Health>());
static METRICS: RouteSpec = RouteSpec::get("/metrics", "metrics")
    .summary("Prometheus metrics.")
    .public("counters of the process without names, addresses or contents")
    .gives_raw("text/plain; version=0.0.4");
static OPENAPI: RouteSpec = RouteSpec::get("/openapi.json", "openapi")
    .summary("This document.")
    .public("the same for every installation of this version")
    .gives_raw("application/json");

pub(super) fn register(routes: &mut Routes) {
    routes.add(&HEALTHZ, healthz);
    routes.add(&READYZ, readyz);
    routes.add(&METRICS, metrics);
    routes.add(&OPENAPI, openapi);
}

/// Durable events that may wait to be searchable, or to be seen by the rules, while the server still counts
/// as ready.
const LAG_EVENTS_MAX: u64 = 5_000_000;

/// The answer of a probe.
#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// `ok`, `part_failed`, `log_unavailable`, `index_behind` or `detection_behind`.
    status: &'static str,
    /// The part that ended, where the status is `part_failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<&'static str>,
}

impl Health {
    const fn of(status: &'static str) -> Self {
        Self { status, part: None }
    }
}

/// What a thread does, in words.
fn part(thread: &'static str) -> &'static str {
    match thread {
        "wal" => "log writer",
        "index" => "index writer",
        "index-merge" => "index merger",
        "detect" => "detection",
        "enrich" => "address databases",
        "files" => "followed files",
        "notify" => "webhooks",
        "housekeeping" => "retention",
        other => other,
    }
}

/// Whether events are taken, searchable and watched soon; what is not, the most severe first.
fn readiness(failed: Option<&'static str>, poisoned: bool, unindexed: u64, unseen: u64) -> Health {
    match failed {
        Some(thread) => Health {
            status: "part_failed",
            part: Some(part(thread)),
        },
        None if poisoned => Health::of("log_unavailable"),
        None if unindexed > LAG_EVENTS_MAX => Health::of("index_behind"),
        None if unseen > LAG_EVENTS_MAX => Health::of("detection_behind"),
        None => Health::of("ok"),
    }
}

async fn healthz() -> Answer<Health> {
    Answer(Health::of("ok"))
}

async fn readyz(With(state): With<Shared>) -> Response {
    let log = state.wal.status();
    let behind = |at: Offset| log.end.0.saturating_sub(at.0);
    let health = readiness(
        state.tasks.failed().first().copied(),
        log.is_poisoned,
        behind(state.searcher.visible()),
        state
            .detector
            .as_ref()
            .map_or(0, |rules| behind(rules.seen())),
    );
    let code = match health.status {
        "ok" => StatusCode::OK,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    (code, Answer(health)).into_response()
}

async fn metrics(With(state): With<Shared>) -> Response {
    let failed = u64::try_from(state.tasks.failed().len()).unwrap_or(u64::MAX);
    state.metrics.parts_failed.set(failed);
    let media_type = [(
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    )];
    (media_type, state.metrics.render()).into_response()
}

async fn openapi(With(state): With<Shared>) -> Response {
    let text = state.openapi.get().cloned().unwrap_or_default();
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_names_what_stands_still() {
        let check = |failed, poisoned, unindexed, unseen, expected| {
            let health = readiness(failed, poisoned, unindexed, unseen);
            assert_eq!((health.status, health.part.unwrap_or("")), expected);
        };
        let far = LAG_EVENTS_MAX + 1;
        check(None, false, LAG_EVENTS_MAX, LAG_EVENTS_MAX, ("ok", ""));
        check(None, false, 0, far, ("detection_behind", ""));
        check(None, false, far, far, ("index_behind", ""));
        check(None, true, far, far, ("log_unavailable", ""));
        check(Some("wal"), true, 0, 0, ("part_failed", "log writer"));
        check(Some("detect"), false, 0, 0, ("part_failed", "detection"));
    }
}
