//! `GET /api/v1/redaction`: what was replaced since the start, by rule, source, field and action.

use axum::Json as Answer;
use axum::extract::State as With;
use serde::Serialize;
use utoipa::ToSchema;

use super::Shared;
use super::auth::Authorized;
use super::list::PageInfo;
use super::routes::{RouteSpec, Routes, Shape};
use crate::store::Scope;

static SHOW: RouteSpec = RouteSpec::get("/api/v1/redaction", "redaction_show")
    .summary("Secrets replaced since the start, by rule, source, field and action.")
    .scope(Scope::Search)
    .gives(Shape::of::<RedactionJson>());

pub(super) fn register(routes: &mut Routes) {
    routes.add(&SHOW, show);
}

/// What redaction has done since the start. No secret is in it, and no tag.
#[derive(Debug, Serialize, ToSchema)]
struct RedactionJson {
    /// Secrets replaced.
    redactions: u64,
    /// Values replaced whole because a bound was hit.
    failed_closed: u64,
    /// What own rules found in a dry run and left.
    tried: u64,
    /// The same by rule, source, field and action, the largest number first.
    data: Vec<CountJson>,
    /// The list always comes whole.
    page: PageInfo,
}

/// How often a rule found something in a field of a source. Beyond 200 sets of a source the field is `other`, beyond
/// 2000 in all the source too.
#[derive(Debug, Serialize, ToSchema)]
struct CountJson {
    /// The rule, as in tags.
    rule: String,
    /// The source, as in `event.provider`; empty for text that is no event.
    source: String,
    /// The field; `*` stands for the number of an element.
    field: String,
    /// `tag`, `mask`, `drop`, or `count` where a dry run only counted.
    action: String,
    /// How often.
    count: u64,
}

async fn show(With(state): With<Shared>, _caller: Authorized) -> Answer<RedactionJson> {
    let metrics = &state.metrics;
    let rows = metrics.redactions_by_rule.rows().into_iter();
    let data: Vec<CountJson> = rows
        .map(|([rule, source, field, action], count)| CountJson {
            rule,
            source,
            field,
            action,
            count,
        })
        .collect();
    Answer(RedactionJson {
        redactions: metrics.redactions.get(),
        failed_closed: metrics.redaction_failed_closed.get(),
        tried: metrics.redaction_tried.get(),
        page: PageInfo::whole(data.len()),
        data,
    })
}
