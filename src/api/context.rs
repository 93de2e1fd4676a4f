//! `GET /api/v1/events/{id}/context`: what stands around an event, whatever filters led to it.

use std::ops::RangeInclusive;

use axum::Json as Answer;
use axum::extract::State as With;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::Authorized;
use super::error::Error;
use super::input::{Id, Query as Parameters};
use super::rate::Policy;
use super::routes::{Param, RouteSpec, Routes, Shape};
use super::search::{EventJson, StatsJson, event_of};
use super::{Shared, State, when};
use crate::index::{Query, SearchRequest, Sort};
use crate::model::{Field, Offset, Timestamp, text_of};
use crate::redact::CleanEvent;
use crate::store::Scope;

static SHOW: RouteSpec = RouteSpec::get("/api/v1/events/{id}/context", "event_context")
    .summary("The events before and behind one, of the same source, service, request, actor, ….")
    .scope(Scope::Search)
    .rate(Policy::Search)
    .params(&[
        Param::text(
            "by",
            "What they have in common: source (the default), service, correlation, session, actor, ip, object, \
             credential, all.",
        ),
        Param::text("window", "How far before and behind at most, such as 5m (the default)."),
        Param::integer("limit", "Events on each side, 25 unless told, at most 200."),
    ])
    .gives(Shape::of::<Context>());

pub(super) fn register(routes: &mut Routes) {
    routes.add(&SHOW, show);
}

const SIDES: RangeInclusive<usize> = 1..=200;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ContextInput {
    #[serde(default)]
    by: By,
    window: Option<String>,
    limit: Option<usize>,
}

/// What the events have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum By {
    #[default]
    Source,
    Service,
    Correlation,
    Session,
    Actor,
    Ip,
    Object,
    Credential,
    All,
}

impl By {
    /// The fields that say it, the best first.
    const fn fields(self) -> &'static [Field] {
        match self {
            Self::Source => &[Field::EventProvider],
            Self::Service => &[Field::ServiceName],
            Self::Correlation => &[
                Field::CorrelationId,
                Field::TraceId,
                Field::HttpRequestId,
                Field::CorrelationIds,
            ],
            Self::Session => &[Field::SessionId],
            Self::Actor => &[
                Field::UserId,
                Field::UserName,
                Field::AuthCredentialId,
                Field::ClientIp,
            ],
            Self::Ip => &[Field::ClientIp],
            Self::Object => &[Field::ObjectId],
            Self::Credential => &[Field::AuthCredentialId],
            Self::All => &[],
        }
    }

    /// The query for the events alike, and the field and value that make them so.
    fn query(self, event: &CleanEvent<'_>) -> Result<(Query, Option<(Field, String)>), Error> {
        if self == Self::All {
            return Ok((Query::all(), None));
        }
        let found = self.fields().iter().find_map(|field| {
            let value = event.values(*field).find_map(text_of)?;
            Some((Query::equals(*field, value)?, (*field, value.to_owned())))
        });
        let refused = || {
            let detail = "the event has no such field; try all";
            Error::input("by", "invalid_value", detail)
        };
        let (query, common) = found.ok_or_else(refused)?;
        Ok((query, Some(common)))
    }
}

/// An event and those around it.
#[derive(Debug, Serialize, ToSchema)]
struct Context {
    /// The field they have in common; none for all events.
    field: Option<&'static str>,
    /// Its value.
    value: Option<String>,
    /// Start of the window.
    from: String,
    /// End of the window.
    to: String,
    /// Events before it, the oldest first.
    before: Vec<EventJson>,
    /// The event.
    event: EventJson,
    /// Events behind it, the oldest first.
    after: Vec<EventJson>,
    /// What was looked at for the later ones.
    stats: StatsJson,
}

fn run(id: &str, input: &ContextInput, state: &State) -> Result<Context, Error> {
    let limit = input.limit.unwrap_or(25);
    if !SIDES.contains(&limit) {
        return Err(Error::input("limit", "invalid_value", "expected 1 to 200"));
    }
    let window = input.window.as_deref().unwrap_or("5m");
    let window_ns = when::length_ns(window).filter(|length| *length > 0);
    let refused = || Error::input("window", "invalid_value", "expected 30s, 5m, 1h, …");
    let window_ns = window_ns.ok_or_else(refused)?;
    let offset = Offset::from_event_id(id).ok_or(Error::NotFound)?;
    let hit = state.searcher.by_offset(offset)?.ok_or(Error::NotFound)?;
    let event = hit.event().map_err(|_gone| Error::NotFound)?;
    let (query, common) = input.by.query(&event)?;
    let from = Timestamp(event.time.0.saturating_sub(window_ns));
    let to = Timestamp(event.time.0.saturating_add(window_ns));
    let side = |sort| {
        let mut request = SearchRequest::new(query.clone()).beside(event.time, offset, sort);
        request.limit = limit;
        (request.from, request.to) = (Some(from), Some(to));
        state.searcher.search(&request)
    };
    let (before, after) = (side(Sort::Desc)?, side(Sort::Asc)?);
    let rows = |hits: &[_]| hits.iter().map(event_of).collect::<Result<Vec<_>, _>>();
    let mut earlier = rows(&before.hits)?;
    earlier.reverse();
    Ok(Context {
        field: common.as_ref().map(|(field, _)| field.name()),
        value: common.map(|(_, value)| value),
        from: from.to_rfc3339(),
        to: to.to_rfc3339(),
        before: earlier,
        event: EventJson::of(&event, offset)?,
        after: rows(&after.hits)?,
        stats: StatsJson::from(&after.stats),
    })
}

async fn show(
    With(state): With<Shared>,
    _caller: Authorized,
    Id(id): Id,
    Parameters(input): Parameters<ContextInput>,
) -> Result<Answer<Context>, Error> {
    let context = state.search(move |state| run(&id, &input, state)).await?;
    Ok(Answer(context))
}
