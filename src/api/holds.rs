//! `/api/v1/holds`: legal holds. What was received in a held time is neither deleted by age and size nor erased.

use axum::Json as Answer;
use axum::extract::State as With;
use axum::http::{Method, StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

use super::auth::Authorized;
use super::error::Error;
use super::input::{self, Id, Json};
use super::list::List;
use super::routes::{RouteSpec, Routes, Shape};
use super::{Shared, State, when};
use crate::store::LegalHold;
use crate::wal::Receipt;

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

/// Puts the hold, unless what it is about is being erased.
fn put(state: &State, hold: LegalHold) -> Result<LegalHold, Error> {
    let _decided = state.receipts.decide();
    let kept = state.wal.written_between(hold.from, hold.to);
    let erasures = state.receipts.all_under_way().map_err(Error::internal)?;
    let is_meant = |receipt: &Receipt| {
        kept.iter()
            .any(|kept| receipt.first < kept.end && kept.start < receipt.end)
    };
    if erasures.iter().any(is_meant) {
        return Err(Error::Conflict(
            "events of this time are being erased; see /api/v1/erasures, and try again when that is done",
        ));
    }
    Ok(state.store.add_legal_hold(hold)?)
}

async fn create(
    With(state): With<Shared>,
    caller: Authorized,
    Json(wanted): Json<HoldInput>,
) -> Result<(StatusCode, Answer<LegalHold>), Error> {
    input::is_reason(&wanted.reason)?;
    let now = state.clock.now();
    let from = when::moment(wanted.from.as_deref(), "/from", now)?;
    let to = when::moment(wanted.to.as_deref(), "/to", now)?;
    if from.zip(to).is_some_and(|(from, to)| from > to) {
        let expected = "expected a time that is not before from";
        return Err(Error::input("/to", "invalid_value", expected));
    }
    let hold = LegalHold {
        id: String::new(),
        reason: state.clean(wanted.reason.trim()),
        by: caller.0.name.to_string(),
        created_at: now,
        from,
        to,
    };
    let held = state.ask(move |state| put(state, hold)).await?;
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
