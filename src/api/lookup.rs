//! `POST /api/v1/lookup-secret`: from a leaked secret to the events that carried it. The secret is in no log, no store
//! and no answer: what is searched for is its tag.

use axum::Json as Answer;
use axum::extract::State as With;
use axum::http::Method;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroize;

use super::auth::Authorized;
use super::error::Error;
use super::input::Json;
use super::list::PageInfo;
use super::routes::{Audit, RouteSpec, Routes, Shape};
use super::search::{EventJson, StatsJson, event_of};
use super::{Shared, State, when};
use crate::index::SearchRequest;
use crate::redact::SecretTag;
use crate::store::Scope;

// The rate is that of changes: who may search must not be able to try out all numbers of a card or of a person.
static LOOKUP: RouteSpec =
    RouteSpec::change(Method::POST, "/api/v1/lookup-secret", "secret_lookup")
        .summary("The tags of a leaked secret, and the newest events that carried it.")
        .scope(Scope::Search)
        .audit(Audit::Read)
        .takes(Shape::of::<LookupInput>())
        .gives(Shape::of::<Lookup>());

pub(super) fn register(routes: &mut Routes) {
    routes.add(&LOOKUP, lookup);
}

/// Longest secret.
const SECRET_BYTES_MAX: usize = 32 << 10;
/// Most events of an answer.
const EVENTS_MAX: usize = 1_000;
/// Fields that the index keeps as wholes, and that may hold a tag.
const WHOLES: &[&str] = &[
    "api.consumer",
    "auth.credential_id",
    "event.reason",
    "user.email",
    "user.id",
    "user.name",
    "user_agent.original",
];

/// A secret, and when to look.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LookupInput {
    /// The secret as it leaked; room, quotes and a scheme like `Bearer` around it do not count.
    #[schema(min_length = 1, max_length = 32768)]
    secret: String,
    /// Oldest `@timestamp`: RFC 3339 or relative (`now-1h`).
    #[schema(max_length = 64)]
    from: Option<String>,
    /// Newest `@timestamp`.
    #[schema(max_length = 64)]
    to: Option<String>,
    /// Events in the answer.
    #[serde(default = "default_limit")]
    #[schema(minimum = 1, maximum = 1000)]
    limit: usize,
}

const fn default_limit() -> usize {
    100
}

impl std::fmt::Debug for LookupInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LookupInput")
    }
}

impl Drop for LookupInput {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

/// Where a secret was seen.
#[derive(Debug, Serialize, ToSchema)]
struct Lookup {
    /// The last part of its tags, for every tag key there has been.
    tags: Vec<TagJson>,
    /// The query that finds its events, for `POST /api/v1/search`.
    query: String,
    /// The newest events that carried it.
    data: Vec<EventJson>,
    /// Where the next page of that query starts.
    page: PageInfo,
    /// What was looked at.
    stats: StatsJson,
}

/// What tags made of a secret with one key say.
#[derive(Debug, Serialize, ToSchema)]
struct TagJson {
    /// The id of the key.
    key_id: String,
    /// The last part of a tag.
    tag: String,
}

/// What finds the events with any of these tags: as a word in texts, as a part of fields kept as wholes, and where it is
/// the id of a session.
fn query_of(tags: &[SecretTag]) -> String {
    let mut clauses = Vec::new();
    for tag in tags {
        let digits = &tag.digits;
        clauses.push(format!("\"{digits}\""));
        clauses.push(format!("id:\"{}\"", tag.as_session));
        clauses.extend(WHOLES.iter().map(|field| format!("{field}:*{digits}*")));
    }
    clauses.join(" OR ")
}

impl LookupInput {
    fn run(&self, state: &State) -> Result<Lookup, Error> {
        if !(1..=EVENTS_MAX).contains(&self.limit) {
            return Err(Error::input(
                "/limit",
                "invalid_value",
                "expected 1 to 1000",
            ));
        }
        if self.secret.trim().is_empty() || self.secret.len() > SECRET_BYTES_MAX {
            let expected = "expected 1 to 32768 bytes";
            return Err(Error::input("/secret", "invalid_length", expected));
        }
        let tags = state.redactor.tags_of(&self.secret);
        let query = query_of(&tags);
        let now = state.clock.now();
        let mut request = SearchRequest::new(state.searcher.parse(&query)?);
        request.from = when::moment(self.from.as_deref(), "/from", now)?;
        request.to = when::moment(self.to.as_deref(), "/to", now)?;
        request.limit = self.limit;
        let page = state.searcher.search(&request)?;
        let tags = tags.into_iter().map(|tag| TagJson {
            key_id: tag.key_id,
            tag: tag.digits,
        });
        Ok(Lookup {
            tags: tags.collect(),
            query,
            data: page.hits.iter().map(event_of).collect::<Result<_, _>>()?,
            stats: StatsJson::from(&page.stats),
            page: PageInfo {
                next_cursor: page.next_cursor,
                limit: self.limit,
            },
        })
    }
}

async fn lookup(
    With(state): With<Shared>,
    _caller: Authorized,
    Json(input): Json<LookupInput>,
) -> Result<Answer<Lookup>, Error> {
    let found = state.search(move |state| input.run(state)).await?;
    Ok(Answer(found))
}
