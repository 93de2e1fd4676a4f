//! `/api/v1/erasures`: events that were erased for good, a leaked secret or what a person may ask to be forgotten.
//!
//! Asked for twice: first with `dry_run`, which counts, then with `expect`, which must be that count. What is being
//! erased is seen through also where the server restarts; the receipt says when nothing is left.

use axum::Json as Answer;
use axum::extract::State as With;
use axum::http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::Authorized;
use super::error::Error;
use super::input::{self, Id, Json};
use super::list::List;
use super::rate::Policy;
use super::routes::{Audit, RouteSpec, Routes, Shape};
use super::{Shared, State, when};
use crate::model::Offset;
use crate::store::{self, Scope};
use crate::wal::{RECEIPTS_MAX, Receipt};

static LIST: RouteSpec = RouteSpec::get("/api/v1/erasures", "erasure_list")
    .summary("Receipts of all erasures, the newest first.")
    .gives(Shape::of::<List<Receipt>>());
static SHOW: RouteSpec = RouteSpec::get("/api/v1/erasures/{id}", "erasure_show")
    .summary("The receipt of an erasure.")
    .gives(Shape::of::<Receipt>());
static ERASE: RouteSpec = RouteSpec::change(Method::POST, "/api/v1/erasures", "erasure_create")
    .summary("Erases the events that match a query, for good, from log, index and alerts.")
    .scope(Scope::Admin)
    .rate(Policy::Write)
    .audit(Audit::Write)
    .takes(Shape::of::<ErasureInput>())
    .gives(Shape::of::<ErasureAnswer>());

pub(super) fn register(routes: &mut Routes) {
    routes.add(&LIST, list);
    routes.add(&SHOW, show);
    routes.add(&ERASE, erase);
}

/// What to erase.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ErasureInput {
    /// The query; never empty. It is not kept.
    #[schema(min_length = 1, max_length = 16384)]
    query: String,
    /// Oldest `@timestamp`: RFC 3339 or relative (`now-1h`).
    #[schema(max_length = 64)]
    from: Option<String>,
    /// Newest `@timestamp`.
    #[schema(max_length = 64)]
    to: Option<String>,
    /// Why: for the receipt.
    #[serde(default)]
    #[schema(max_length = 500)]
    reason: String,
    /// Only count.
    #[serde(default)]
    dry_run: bool,
    /// How many events are to be erased, as counted before.
    expect: Option<u64>,
}

/// What is being erased.
#[derive(Debug, Serialize, ToSchema)]
struct ErasureAnswer {
    /// Events that match now.
    events: u64,
    /// Durable events that could not be looked at yet.
    lag_events: u64,
    /// The receipt, which is finished when `state` is `done`; null where events were only counted, or none match.
    erasure: Option<Receipt>,
}

fn checked(wanted: &ErasureInput) -> Result<(), Error> {
    if wanted.query.trim().is_empty() {
        let expected =
            "expected a query that says which events; for all of them delete the data directory";
        return Err(Error::input("/query", "invalid_value", expected));
    }
    if wanted.dry_run {
        return Ok(());
    }
    input::is_reason(&wanted.reason)?;
    if wanted.expect.is_none() {
        let expected = "expected the number of events that a call with dry_run has counted";
        return Err(Error::input("/expect", "missing_field", expected));
    }
    Ok(())
}

/// Nothing that a legal hold keeps is erased.
fn is_held(state: &State, offsets: &[Offset]) -> Result<bool, Error> {
    let holds = state.store.legal_holds()?.into_iter();
    let mut kept = holds.flat_map(|hold| state.wal.written_between(hold.from, hold.to));
    Ok(kept.any(|range| {
        let at = offsets.partition_point(|offset| *offset < range.start);
        offsets.get(at).is_some_and(|offset| *offset < range.end)
    }))
}

fn run(state: &State, input: &ErasureInput, by: &str) -> Result<ErasureAnswer, Error> {
    checked(input)?;
    let now = state.clock.now();
    let query = state.searcher.parse(&input.query)?;
    let from = when::moment(input.from.as_deref(), "/from", now)?;
    let to = when::moment(input.to.as_deref(), "/to", now)?;
    let max = state.options.erase_events_max;
    let lag = state.wal.end().0.saturating_sub(state.searcher.visible().0);
    let offsets = state.searcher.offsets(&query, from, to, max)?;
    let events = u64::try_from(offsets.len()).unwrap_or(u64::MAX);
    let answer = |erasure| ErasureAnswer {
        events,
        lag_events: lag,
        erasure,
    };
    let (Some(first), Some(last)) = (offsets.first(), offsets.last()) else {
        return Ok(answer(None));
    };
    let _decided = state.receipts.decide();
    if is_held(state, &offsets)? {
        return Err(Error::Conflict(
            "a legal hold keeps some of these events; lift it first, or narrow the query or the time",
        ));
    }
    if input.dry_run {
        return Ok(answer(None));
    }
    if input.expect != Some(events) {
        return Err(Error::Conflict(
            "another number of events matches now than expect says; count again with dry_run",
        ));
    }
    let receipts = &state.receipts;
    if receipts.count().map_err(Error::internal)? >= RECEIPTS_MAX {
        let text = "there are 10,000 receipts already; move those of what retention has deleted since out of wal/receipts";
        return Err(Error::TooCostly(text.into()));
    }
    let reason = state.redactor.redact_text(input.reason.trim()).into_owned();
    let id = store::fresh_id("era_", now)?;
    let receipt = Receipt {
        events,
        first: *first,
        end: last.plus(1),
        ..Receipt::begun(id, reason, by.to_owned(), now)
    };
    let begun = receipts.begin(receipt, &offsets).map_err(Error::internal)?;
    Ok(answer(Some(begun)))
}

async fn erase(
    With(state): With<Shared>,
    caller: Authorized,
    Json(input): Json<ErasureInput>,
) -> Result<(StatusCode, Answer<ErasureAnswer>), Error> {
    let work = move |state: &State| run(state, &input, &caller.0.name);
    Ok((StatusCode::OK, Answer(state.search(work).await?)))
}

async fn list(
    With(state): With<Shared>,
    _caller: Authorized,
) -> Result<Answer<List<Receipt>>, Error> {
    let work = |state: &State| state.receipts.list().map_err(Error::internal);
    let mut receipts = state.ask(work).await?;
    receipts.reverse();
    Ok(Answer(List::whole(receipts)))
}

async fn show(
    With(state): With<Shared>,
    _caller: Authorized,
    Id(id): Id,
) -> Result<Answer<Receipt>, Error> {
    let work = move |state: &State| state.receipts.get(&id).map_err(Error::internal);
    state.ask(work).await?.map(Answer).ok_or(Error::NotFound)
}
