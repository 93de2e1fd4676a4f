//! `/api/v1/rules`: the detection rules in use.

use axum::Json as Answer;
use axum::extract::State as With;
use serde::Serialize;
use utoipa::ToSchema;

use super::Shared;
use super::auth::Authorized;
use super::error::Error;
use super::input::Id;
use super::list::PageInfo;
use super::routes::{RouteSpec, Routes, Shape};
use crate::detect::{RuleInfo, RuleProblem};
use crate::store::Scope;

static LIST: RouteSpec = RouteSpec::get("/api/v1/rules", "rule_list")
    .summary("The rules in use, and those that were refused at the last load.")
    .scope(Scope::Alerts)
    .gives(Shape::of::<RuleList>());
static SHOW: RouteSpec = RouteSpec::get("/api/v1/rules/{id}", "rule_show")
    .summary("One rule.")
    .scope(Scope::Alerts)
    .gives(Shape::of::<RuleInfo>());

pub(super) fn register(routes: &mut Routes) {
    routes.add(&LIST, list);
    routes.add(&SHOW, show);
}

/// Rules.
#[derive(Debug, Serialize, ToSchema)]
struct RuleList {
    /// In use.
    data: Vec<RuleInfo>,
    /// The list always comes whole.
    page: PageInfo,
    /// Refused.
    errors: Vec<RuleProblem>,
}

async fn list(With(state): With<Shared>, _caller: Authorized) -> Answer<RuleList> {
    let data = state.rules.list();
    Answer(RuleList {
        page: PageInfo::whole(data.len()),
        data,
        errors: state.rules.errors(),
    })
}

async fn show(
    With(state): With<Shared>,
    _caller: Authorized,
    Id(id): Id,
) -> Result<Answer<RuleInfo>, Error> {
    state.rules.get(&id).map(Answer).ok_or(Error::NotFound)
}
