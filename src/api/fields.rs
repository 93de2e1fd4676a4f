//! `GET /api/v1/fields`: the canonical fields, for completion in query bars.

use axum::Json as Answer;
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::Authorized;
use super::list::List;
use super::routes::{RouteSpec, Routes, Shape};
use crate::model::{Field, Kind};
use crate::store::Scope;

static LIST: RouteSpec = RouteSpec::get("/api/v1/fields", "field_list")
    .summary("The canonical fields.")
    .scope(Scope::Search)
    .gives(Shape::of::<List<FieldJson>>());

pub(super) fn register(routes: &mut Routes) {
    routes.add(&LIST, list);
}

/// A field.
#[derive(Debug, Serialize, ToSchema)]
struct FieldJson {
    /// Its dotted name.
    name: &'static str,
    /// `keyword`, `text`, `ip`, `int`, `id` or `stored`.
    kind: &'static str,
    /// What it means.
    doc: &'static str,
}

const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Keyword => "keyword",
        Kind::Text => "text",
        Kind::Ip => "ip",
        Kind::Int => "int",
        Kind::Id => "id",
        Kind::Stored => "stored",
    }
}

async fn list(_caller: Authorized) -> Answer<List<FieldJson>> {
    let data = Field::ALL.iter().map(|field| FieldJson {
        name: field.name(),
        kind: kind(field.kind()),
        doc: field.doc(),
    });
    Answer(List::whole(data.collect()))
}
