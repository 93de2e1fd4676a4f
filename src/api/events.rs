//! `GET /api/v1/events/{id}`: one event, straight from the log.

use axum::Json as Answer;
use axum::extract::State as With;

use super::auth::Authorized;
use super::error::Error;
use super::input::Id;
use super::rate::Policy;
use super::routes::{RouteSpec, Routes, Shape};
use super::search::EventJson;
use super::{Shared, State};
use crate::model::Offset;
use crate::store::Scope;

static SHOW: RouteSpec = RouteSpec::get("/api/v1/events/{id}", "event_show")
    .summary("One event.")
    .scope(Scope::Search)
    .rate(Policy::Search)
    .gives(Shape::of::<EventJson>());

pub(super) fn register(routes: &mut Routes) {
    routes.add(&SHOW, show);
}

/// The event of this id, where the log still holds it.
pub(super) fn find(state: &State, id: &str) -> Result<Option<EventJson>, Error> {
    let Some(offset) = Offset::from_event_id(id) else {
        return Ok(None);
    };
    let Some(frame) = state.wal.frame_at(offset)? else {
        return Ok(None);
    };
    match frame.event(offset).map_err(Error::internal)? {
        Some(event) => EventJson::of(&event, offset).map(Some),
        None => Ok(None),
    }
}

async fn show(
    With(state): With<Shared>,
    _caller: Authorized,
    Id(id): Id,
) -> Result<Answer<EventJson>, Error> {
    let event = state.ask(move |state| find(state, &id)).await?;
    event.map(Answer).ok_or(Error::NotFound)
}
