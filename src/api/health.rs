//! Probes, Prometheus, and the description of this API.

use axum::Json as Answer;
use axum::extract::State as With;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::Shared;
use super::routes::{RouteSpec, Routes, Shape};

static HEALTHZ: RouteSpec = RouteSpec::get("/healthz", "healthz")
    .summary("Whether the process answers.")
    .public("a probe has no key and learns nothing but that")
    .gives(Shape::of::<Health>());
static READYZ: RouteSpec = RouteSpec::get("/readyz", "readyz")
    .summary("Whether events are taken and searchable soon; 503 where not.")
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

/// Durable events that may wait to be searchable while the server still counts as ready.
const LAG_EVENTS_MAX: u64 = 5_000_000;

/// The answer of a probe.
#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// `ok`, `log_unavailable` or `index_behind`.
    status: &'static str,
}

async fn healthz() -> Answer<Health> {
    Answer(Health { status: "ok" })
}

async fn readyz(With(state): With<Shared>) -> Response {
    let log = state.wal.status();
    let lag = log.end.0.saturating_sub(state.searcher.visible().0);
    let (code, status) = match (log.is_poisoned, lag > LAG_EVENTS_MAX) {
        (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "log_unavailable"),
        (false, true) => (StatusCode::SERVICE_UNAVAILABLE, "index_behind"),
        (false, false) => (StatusCode::OK, "ok"),
    };
    (code, Answer(Health { status })).into_response()
}

async fn metrics(With(state): With<Shared>) -> Response {
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
