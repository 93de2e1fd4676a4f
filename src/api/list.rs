//! The one shape of all lists: `{"data": […], "page": {"next_cursor": …, "limit": …}}`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::error::Error;
use super::routes::Param;

/// A list, or a page of one.
#[derive(Debug, Serialize)]
pub(super) struct List<T> {
    data: Vec<T>,
    page: PageInfo,
}

/// Where the next page starts.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PageInfo {
    /// For the next request; null on the last page.
    pub(super) next_cursor: Option<String>,
    /// How many were asked for; of a list that always comes whole, how many there are.
    pub(super) limit: usize,
}

impl PageInfo {
    /// Of a list that always comes whole.
    pub(super) fn whole(limit: usize) -> Self {
        Self {
            next_cursor: None,
            limit,
        }
    }
}

impl<T> List<T> {
    /// A list that has a bound and always comes whole.
    pub(super) fn whole(data: Vec<T>) -> Self {
        let page = PageInfo::whole(data.len());
        Self { data, page }
    }

    /// A page of at most `limit`.
    pub(super) fn page(data: Vec<T>, next_cursor: Option<String>, limit: usize) -> Self {
        let page = PageInfo { next_cursor, limit };
        Self { data, page }
    }
}

impl<T: ToSchema> PartialSchema for List<T> {
    fn schema() -> RefOr<Schema> {
        let item = Ref::from_schema_name(T::name());
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .property("data", ArrayBuilder::new().items(item).build())
            .required("data")
            .property("page", Ref::from_schema_name(PageInfo::name()))
            .required("page")
            .into()
    }
}

impl<T: ToSchema> ToSchema for List<T> {
    fn name() -> Cow<'static, str> {
        format!("{}List", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        T::schemas(schemas);
        schemas.push((T::name().into_owned(), T::schema()));
        schemas.push((PageInfo::name().into_owned(), PageInfo::schema()));
    }
}

/// Which page of a list is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PageParams {
    pub(super) limit: Option<usize>,
    pub(super) cursor: Option<String>,
}

/// The parameters of a list in pages.
pub(super) const PAGE: &[Param] = &[
    Param::integer("limit", "Rows on one page, at most 1000."),
    Param::text("cursor", "`next_cursor` of the page before."),
];

/// The page size asked for, within the bound.
pub(super) fn page_limit(limit: Option<usize>) -> Result<usize, Error> {
    match limit.unwrap_or(100) {
        limit @ 1..=1000 => Ok(limit),
        _ => Err(Error::input("limit", "invalid_value", "expected 1 to 1000")),
    }
}
