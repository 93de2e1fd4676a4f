//! `GET /api/v1/sources`: who sends events, since when and how many.

use axum::Json as Answer;
use axum::extract::State as With;

use super::Shared;
use super::auth::Authorized;
use super::list::List;
use super::routes::{RouteSpec, Routes, Shape};
use crate::store::{Scope, SourceSeen};

static LIST: RouteSpec = RouteSpec::get("/api/v1/sources", "source_list")
    .summary("The sources of events.")
    .scope(Scope::Search)
    .gives(Shape::of::<List<SourceSeen>>());

pub(super) fn register(routes: &mut Routes) {
    routes.add(&LIST, list);
}

async fn list(With(state): With<Shared>, _caller: Authorized) -> Answer<List<SourceSeen>> {
    Answer(List::whole(state.store.sources()))
}
