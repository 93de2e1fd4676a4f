//! `/api/v1/holds`: legal holds. What was received in a held time is neither deleted by age and size nor erased.

use axum::Json as Answer;
use axum::extract::State as With;
use axum::http::{Method, StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

use super::auth::Authorized;
use super::error::Error;
use super::input::{Id, Json};
use super::list::List;
use super::routes::{RouteSpec, Routes, Shape};
use super::{Shared, when};
use crate::store::LegalHold;

static LIST: RouteSpec = RouteSpec::get("/api/v1/holds", "hold_list")
    .summary("Legal holds, the oldest first.")
    .gives(Shape::of::<List<LegalHold>>());
static CREATE: RouteSpec = RouteSpec::change(Method::POST, "/api/v1/holds", "hold_create")
    .summary("Keeps what was received in a time from being deleted or erased.")
    .takes(Shape::of::<HoldInput>())
    .creates(Shape::of::<LegalHold>());
static LIFT: RouteSpec = RouteSpec::change(Method::DELETE, "/api/v1/holds/{id}", "hold_lift")
    .summary("Lifts a legal hold; retention applies again at once.");

pub(super) fn register(routes: &mut Routes) {
    routes.add(&LIST, list);
    routes.add(&CREATE, create);
    routes.add(&LIFT, lift);
}

/// Longest reason, in characters.
const REASON_CHARS_MAX: usize = 500;

/// A hold to be put.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct HoldInput {
    /// Why: a case, a ticket.
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
    /// Events received from then on: RFC 3339 or relative (`now-7d`); all older ones where missing.
    #[schema(max_length = 64)]
    from: Option<String>,
    /// Events received until then; all newer ones, those to come too, where missing.
    #[schema(max_length = 64)]
    to: Option<String>,
}

async fn list(
    With(state): With<Shared>,
    _caller: Authorized,
) -> Result<Answer<List<LegalHold>>, Error> {
    let holds = state.ask(|state| state.store.legal_holds()).await?;
    Ok(Answer(List::whole(holds)))
}

async fn create(
    With(state): With<Shared>,
    caller: Authorized,
    Json(input): Json<HoldInput>,
) -> Result<(StatusCode, Answer<LegalHold>), Error> {
    let length = input.reason.trim().chars().count();
    if !(1..=REASON_CHARS_MAX).contains(&length) {
        let expected = "expected 1 to 500 characters: why, a case or a ticket";
        return Err(Error::input("/reason", "invalid_length", expected));
    }
    let now = state.clock.now();
    let from = when::moment(input.from.as_deref(), "/from", now)?;
    let to = when::moment(input.to.as_deref(), "/to", now)?;
    if from.zip(to).is_some_and(|(from, to)| from > to) {
        let expected = "expected a time that is not before from";
        return Err(Error::input("/to", "invalid_value", expected));
    }
    let hold = LegalHold {
        id: String::new(),
        reason: state.clean(input.reason.trim()),
        by: caller.0.name.to_string(),
        created_at: now,
        from,
        to,
    };
    let held = state
        .ask(move |state| state.store.add_legal_hold(hold))
        .await?;
    Ok((StatusCode::CREATED, Answer(held)))
}

async fn lift(
    With(state): With<Shared>,
    caller: Authorized,
    Id(id): Id,
) -> Result<StatusCode, Error> {
    let lifted = state
        .ask(move |state| state.store.lift_legal_hold(&id))
        .await?;
    tracing::info!(id = lifted.id, by = &*caller.0.name, "legal hold lifted");
    Ok(StatusCode::NO_CONTENT)
}
