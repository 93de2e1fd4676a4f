//! `GET /api/v1/entity`: who or what an address, network, user, credential or user agent is, by all it did: since when,
//! how much, where and with what success.

use std::net::IpAddr;

use axum::Json as Answer;
use axum::extract::State as With;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::aggregate::write;
use super::auth::Authorized;
use super::error::Error;
use super::input::Query as Params;
use super::rate::Policy;
use super::requests::AlertRef;
use super::routes::{Param, RouteSpec, Routes, Shape};
use super::search::StatsJson;
use super::{Shared, State, when};
use crate::index::{Aggregate, AggregateRequest, Query, SearchRequest, Sort};
use crate::model::{Alert, Field, Kind, Timestamp};
use crate::store::{AlertFilter, Scope};

static SHOW: RouteSpec = RouteSpec::get("/api/v1/entity", "entity_show")
    .summary("What one address, network, user, credential or user agent did.")
    .scope(Scope::Search)
    .rate(Policy::Search)
    .params(&[
        Param::text("field", "The field, such as client.ip or user.id."),
        Param::text(
            "value",
            "Its value; of an address also a network (10.0.0.0/8).",
        ),
        Param::text("from", "Oldest @timestamp: RFC 3339 or relative (now-7d)."),
        Param::text("to", "Newest @timestamp."),
    ])
    .gives(Shape::of::<EntitySummary>());

pub(super) fn register(routes: &mut Routes) {
    routes.add(&SHOW, show);
}

/// Fields that name somebody or something that acts.
const ENTITIES: [Field; 13] = [
    Field::ClientIp,
    Field::NetworkPeerIp,
    Field::ClientAsn,
    Field::ClientCountry,
    Field::UserId,
    Field::UserName,
    Field::UserEmail,
    Field::AuthCredentialId,
    Field::ApiConsumer,
    Field::OrganizationId,
    Field::TenantId,
    Field::UserAgent,
    Field::SessionId,
];
/// What is counted by value, and how many values are told.
const COUNTED: [(&str, Field); 11] = [
    ("routes", Field::HttpRoute),
    ("methods", Field::HttpMethod),
    ("services", Field::ServiceName),
    ("actions", Field::EventAction),
    ("outcomes", Field::EventOutcome),
    ("addresses", Field::ClientIp),
    ("countries", Field::ClientCountry),
    ("networks", Field::ClientAsOrg),
    ("users", Field::UserId),
    ("credentials", Field::AuthCredentialId),
    ("user_agents", Field::UserAgent),
];
const VALUES: usize = 10;
/// Alerts named at most.
const ALERTS_MAX: usize = 20;
/// Alerts with the text of the value somewhere, which are looked at.
const ALERTS_LOOKED_AT_MAX: usize = 200;

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    field: String,
    value: String,
    from: Option<String>,
    to: Option<String>,
}

/// Everything one entity did in a time.
#[derive(Debug, Serialize, ToSchema)]
struct EntitySummary {
    /// The field.
    field: &'static str,
    /// Its value.
    value: String,
    /// Its events.
    events: u64,
    /// `@timestamp` of the first.
    first_seen: Option<String>,
    /// `@timestamp` of the last.
    last_seen: Option<String>,
    /// Events over time, by class of status code.
    times: Value,
    /// The most frequent values of its events, under `routes`, `methods`, `services`, `statuses`, `actions`, `outcomes`,
    /// `addresses`, `countries`, `networks`, `users`, `credentials`, `user_agents`.
    #[schema(value_type = std::collections::BTreeMap<String, Object>)]
    values: Map<String, Value>,
    /// The newest alerts that name it, at most 20, out of the 200 newest with its text; not told of networks.
    #[serde(skip_serializing_if = "Option::is_none")]
    alerts: Option<Vec<AlertRef>>,
    /// What was looked at.
    stats: StatsJson,
}

impl Asked {
    fn query(&self, state: &State) -> Result<(Field, Query), Error> {
        let known = Field::from_name(&self.field).filter(|field| ENTITIES.contains(field));
        let field = known.ok_or_else(|| {
            let names = ENTITIES.map(Field::name).join(", ");
            Error::input(
                "/field",
                "invalid_value",
                &format!("expected one of {names}"),
            )
        })?;
        let refused = || Error::input("/value", "invalid_value", "expected a value of the field");
        if self.value.is_empty() {
            return Err(refused());
        }
        let query = match is_network(field, &self.value) {
            true => {
                let text = format!("{}:{}", field.name(), self.value);
                state.searcher.parse(&text).ok()
            }
            false => Query::equals(field, &self.value),
        };
        Ok((field, query.ok_or_else(refused)?))
    }
}

/// The first or last event's time.
fn edge(state: &State, request: &AggregateRequest, sort: Sort) -> Result<Option<Timestamp>, Error> {
    let mut search = SearchRequest::new(request.query.clone());
    (search.from, search.to) = (request.from, request.to);
    (search.limit, search.sort) = (1, sort);
    let page = state.searcher.search(&search)?;
    let Some(hit) = page.hits.first() else {
        return Ok(None);
    };
    Ok(Some(hit.event().map_err(Error::internal)?.time))
}

fn aggregates() -> Vec<(String, Aggregate)> {
    let terms = |(name, field): &(&str, Field)| {
        let field = field.name().to_owned();
        let size = VALUES;
        ((*name).to_owned(), Aggregate::Terms { field, size })
    };
    let status = Field::HttpStatus.name().to_owned();
    let times = Aggregate::Histogram {
        interval_ms: None,
        split: Some(status),
    };
    let statuses = ("statuses", Field::HttpStatus);
    let all = COUNTED.iter().chain([&statuses]).map(terms);
    std::iter::once(("times".to_owned(), times))
        .chain(all)
        .collect()
}

/// The newest alerts that name the entity, among those that hold its text; `None` of a network, which no text names.
fn alerts(state: &State, field: Field, value: &str) -> Result<Option<Vec<AlertRef>>, Error> {
    if is_network(field, value) {
        return Ok(None);
    }
    let value = plain(value);
    let filter = AlertFilter {
        text: Some(value.clone()),
        ..AlertFilter::default()
    };
    let found = state.store.alerts(&filter, ALERTS_LOOKED_AT_MAX, None)?;
    let is_named = |alert: &Alert| {
        let mut entities = alert.entities.iter();
        entities.any(|is| is.kind == field.name() && plain(&is.value) == value)
    };
    let named = found.alerts.into_iter().filter(is_named);
    Ok(Some(named.take(ALERTS_MAX).map(AlertRef::from).collect()))
}

/// An address or a number as it is written most often; other texts without case.
fn plain(value: &str) -> String {
    if let Ok(address) = value.parse::<IpAddr>() {
        return address.to_canonical().to_string();
    }
    match value.parse::<u64>() {
        Ok(number) => number.to_string(),
        Err(_) => value.to_lowercase(),
    }
}

/// Only an address has a value that stands for many: a network.
fn is_network(field: Field, value: &str) -> bool {
    let is_sign = |b: u8| b.is_ascii_hexdigit() || b".:/".contains(&b);
    field.kind() == Kind::Ip && value.contains('/') && value.bytes().all(is_sign)
}

fn run(asked: &Asked, state: &State) -> Result<EntitySummary, Error> {
    let now = state.clock.now();
    let (field, query) = asked.query(state)?;
    let mut request = AggregateRequest {
        query,
        from: when::moment(asked.from.as_deref(), "/from", now)?,
        to: when::moment(asked.to.as_deref(), "/to", now)?,
        aggregates: aggregates(),
    };
    let first = edge(state, &request, Sort::Asc)?;
    let last = edge(state, &request, Sort::Desc)?;
    // Its own time, in as many buckets as that of all events would have.
    (request.from, request.to) = (first.or(request.from), last.or(request.to));
    let found = state.searcher.aggregate(&request)?;
    let mut values: Map<String, Value> = found
        .results
        .iter()
        .map(|(name, result)| (name.clone(), write(result)))
        .collect();
    Ok(EntitySummary {
        field: field.name(),
        value: asked.value.clone(),
        events: found.stats.total.unwrap_or(0),
        first_seen: first.map(Timestamp::to_rfc3339),
        last_seen: last.map(Timestamp::to_rfc3339),
        times: values.remove("times").unwrap_or(Value::Null),
        values,
        alerts: alerts(state, field, &asked.value)?,
        stats: StatsJson::from(&found.stats),
    })
}

async fn show(
    With(state): With<Shared>,
    _caller: Authorized,
    Params(asked): Params<Asked>,
) -> Result<Answer<EntitySummary>, Error> {
    Ok(Answer(state.search(move |state| run(&asked, state)).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_compared_however_they_are_written() {
        let check = |one: &str, other: &str| assert_eq!(plain(one), plain(other));
        check("2001:DB8:0:0::BBBB", "2001:db8::bbbb");
        check("::ffff:198.51.100.77", "198.51.100.77");
        check("064500", "64500");
        check("\u{dc}N\u{cf}", "\u{fc}n\u{ef}");
        assert_ne!(plain("198.51.100.7"), plain("198.51.100.77"));
    }
}
