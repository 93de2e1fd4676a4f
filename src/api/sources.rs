//! `GET /api/v1/sources`: who sends events, since when and how many.

use axum::Json as Answer;
use axum::extract::State as With;
use serde::Serialize;
use utoipa::ToSchema;

use super::Shared;
use super::auth::Authorized;
use super::routes::{RouteSpec, Routes, Shape};
use crate::store::{Scope, SourceSeen};

static LIST: RouteSpec = RouteSpec::get("/api/v1/sources", "source_list")
    .summary("The sources of events.")
    .scope(Scope::Search)
    .gives(Shape::of::<SourceList>());

pub(super) fn register(routes: &mut Routes) {
    routes.add(&LIST, list);
}

/// Sources.
#[derive(Debug, Serialize, ToSchema)]
struct SourceList {
    /// By name.
    data: Vec<SourceSeen>,
}

async fn list(With(state): With<Shared>, _caller: Authorized) -> Answer<SourceList> {
    Answer(SourceList {
        data: state.store.sources(),
    })
}
