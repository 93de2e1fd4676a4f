//! `GET /api/v1/routes`: which routes the events show, by method and service, with what stands out about them.
//!
//! Flags:
//! - `new`: no kept event before `from` names the route, whatever its method or service and whatever the query. It is not
//!   told without `from`, nor where nothing older than that is kept.
//! - `deprecated`: a segment of the route is a version (`v` and digits, as in `/v1/orders`), and the same route with a
//!   higher one in its place is listed too, whatever its method or service and the names of its placeholders.
//! - `unauthenticated_success`: requests succeeded (2xx) without a user, a credential or a consumer. For a log-in or a
//!   health check that is as it should be.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use axum::Json as Answer;
use axum::extract::State as With;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::Authorized;
use super::error::Error;
use super::input::Query as Params;
use super::list::PageInfo;
use super::rate::Policy;
use super::routes::{Param, RouteSpec, Routes, Shape};
use super::search::StatsJson;
use super::{Shared, State, when};
use crate::clock::Stopwatch;
use crate::index::{Query, RouteRow, RoutesRequest};
use crate::model::{Field, Timestamp};
use crate::store::Scope;

static LIST: RouteSpec = RouteSpec::get("/api/v1/routes", "route_list")
    .summary("The routes that events name, by method and service, the busiest first.")
    .scope(Scope::Search)
    .rate(Policy::Search)
    .params(&[
        Param::text("query", "Only events that match; empty means every event."),
        Param::text("from", "Oldest @timestamp: RFC 3339 or relative (now-7d)."),
        Param::text("to", "Newest @timestamp."),
    ])
    .gives(Shape::of::<RouteInventory>());

pub(super) fn register(routes: &mut Routes) {
    routes.add(&LIST, list);
}

/// Once so much time has gone no further route is looked for in older events.
const NEW_TIME_MAX: Duration = Duration::from_secs(2);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    query: String,
    from: Option<String>,
    to: Option<String>,
}

/// The routes of a time.
#[derive(Debug, Serialize, ToSchema)]
struct RouteInventory {
    /// Most events first, at most `api.routes_max`.
    data: Vec<RouteJson>,
    /// The list always comes whole.
    page: PageInfo,
    /// Events of routes that are not listed.
    left_out_events: u64,
    /// Events without a route.
    without_route: u64,
    /// `@timestamp` of the oldest event that is kept: what `new` was compared with begins there.
    kept_from: Option<String>,
    /// Whether every route was looked for in older events; where not, those left are not called new.
    new_is_complete: bool,
    /// What was looked at.
    stats: StatsJson,
}

/// A route under one method in one service.
#[derive(Debug, Serialize, ToSchema)]
struct RouteJson {
    /// The template, as events give it or as it was guessed from paths.
    route: String,
    /// The method.
    method: Option<String>,
    /// The service.
    service: Option<String>,
    /// Its events.
    events: u64,
    /// `@timestamp` of the first in the time asked for.
    first_seen: String,
    /// `@timestamp` of the last.
    last_seen: String,
    /// Events by class of status code; `none` where they have none.
    statuses: Statuses,
    /// Share of events with a user, a credential or a consumer, from 0 to 1.
    authenticated: f64,
    /// Events of success (2xx) with none of them.
    unauthenticated_success: u64,
    /// Distinct values of `user.id`.
    users: u64,
    /// Whether there are more users than could be counted.
    users_is_least: bool,
    /// What 95 % of the durations do not pass, in milliseconds.
    p95_ms: Option<f64>,
    /// What stands out.
    flags: Vec<Flag>,
    /// The route with the highest version, where this one is deprecated.
    #[serde(skip_serializing_if = "Option::is_none")]
    deprecated_by: Option<String>,
}

/// Events by class of status code.
#[derive(Debug, Serialize, ToSchema)]
struct Statuses {
    #[serde(rename = "1xx")]
    informational: u64,
    #[serde(rename = "2xx")]
    success: u64,
    #[serde(rename = "3xx")]
    redirection: u64,
    #[serde(rename = "4xx")]
    client_error: u64,
    #[serde(rename = "5xx")]
    server_error: u64,
    none: u64,
}

/// What stands out about a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Flag {
    New,
    Deprecated,
    UnauthenticatedSuccess,
}

/// A route without its version and the names of its placeholders, and the version.
fn versioned(route: &str) -> Option<(String, u64)> {
    let mut version = None;
    let plain: Vec<&str> = route
        .split('/')
        .map(|segment| {
            let digits = segment.strip_prefix(['v', 'V']);
            let number = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
            match number.and_then(|number| number.parse().ok()) {
                Some(number) if version.is_none() => {
                    version = Some(number);
                    "v"
                }
                _ if segment.starts_with(['{', ':', '<']) => "{}",
                _ => segment,
            }
        })
        .collect();
    Some((plain.join("/"), version?))
}

/// By route, the one with the highest version of the same.
fn successors(routes: &HashSet<&str>) -> HashMap<String, String> {
    let mut highest: HashMap<String, (u64, &str)> = HashMap::new();
    for route in routes {
        if let Some((plain, version)) = versioned(route) {
            let known = highest.entry(plain).or_insert((version, route));
            // Of two spellings of one version always the same.
            if (version, std::cmp::Reverse(*route)) > (known.0, std::cmp::Reverse(known.1)) {
                *known = (version, route);
            }
        }
    }
    let successor = |route: &&str| {
        let (plain, version) = versioned(route)?;
        let (newest, by) = highest.get(&plain)?;
        (*newest > version).then(|| ((*route).to_owned(), (*by).to_owned()))
    };
    routes.iter().filter_map(successor).collect()
}

/// The routes that no kept event before a moment names, and whether all were looked for.
fn unseen_before(
    state: &State,
    routes: &HashSet<&str>,
    from: Timestamp,
) -> Result<(HashSet<String>, bool), Error> {
    let before = Some(Timestamp::from_millis(from.millis().saturating_sub(1)));
    let mut unseen = HashSet::new();
    if !state.searcher.is_any(&Query::all(), None, before)? {
        return Ok((unseen, true));
    }
    let watch = Stopwatch::start();
    for route in routes {
        if watch.elapsed() > NEW_TIME_MAX {
            return Ok((unseen, false));
        }
        let query = Query::equals(Field::HttpRoute, route);
        if let Some(query) = query
            && !state.searcher.is_any(&query, None, before)?
        {
            unseen.insert((*route).to_owned());
        }
    }
    Ok((unseen, true))
}

fn told(row: RouteRow, is_new: bool, deprecated_by: Option<String>) -> RouteJson {
    let [
        informational,
        success,
        redirection,
        client_error,
        server_error,
    ] = row.classes;
    let with_status: u64 = row.classes.iter().sum();
    let flags = [
        (is_new, Flag::New),
        (deprecated_by.is_some(), Flag::Deprecated),
        (row.open_success > 0, Flag::UnauthenticatedSuccess),
    ];
    #[expect(
        clippy::cast_precision_loss,
        reason = "a share and milliseconds, to three digits"
    )]
    let (share, p95_ms) = (
        (row.known as f64 / row.events.max(1) as f64 * 1e3).round() / 1e3,
        row.p95_ns.map(|ns| (ns as f64 / 1e3).round() / 1e3),
    );
    let named = |text: String| Some(text).filter(|text| !text.is_empty());
    RouteJson {
        route: row.route,
        method: named(row.method),
        service: named(row.service),
        events: row.events,
        first_seen: row.first.to_rfc3339(),
        last_seen: row.last.to_rfc3339(),
        statuses: Statuses {
            informational,
            success,
            redirection,
            client_error,
            server_error,
            none: row.events.saturating_sub(with_status),
        },
        authenticated: share,
        unauthenticated_success: row.open_success,
        users: row.users,
        users_is_least: row.users_is_least,
        p95_ms,
        flags: flags
            .into_iter()
            .filter_map(|(is_set, flag)| is_set.then_some(flag))
            .collect(),
        deprecated_by,
    }
}

fn run(asked: &Asked, state: &State) -> Result<RouteInventory, Error> {
    let now = state.clock.now();
    let from = when::moment(asked.from.as_deref(), "/from", now)?;
    let request = RoutesRequest {
        query: state.searcher.parse(&asked.query)?,
        from,
        to: when::moment(asked.to.as_deref(), "/to", now)?,
        size: state.options.routes_max,
    };
    let table = state.searcher.routes(&request)?;
    let routes: HashSet<&str> = table.rows.iter().map(|row| row.route.as_str()).collect();
    let (unseen, new_is_complete) = match from {
        Some(from) => unseen_before(state, &routes, from)?,
        None => (HashSet::new(), true),
    };
    let successors = successors(&routes);
    let kept_from = state.searcher.oldest();
    let rows = table.rows.into_iter().map(|row| {
        let (is_new, by) = (
            unseen.contains(&row.route),
            successors.get(&row.route).cloned(),
        );
        told(row, is_new, by)
    });
    let data: Vec<RouteJson> = rows.collect();
    Ok(RouteInventory {
        page: PageInfo::whole(data.len()),
        data,
        left_out_events: table.left_out,
        without_route: table.without_route,
        kept_from: kept_from.map(Timestamp::to_rfc3339),
        new_is_complete,
        stats: StatsJson::from(&table.stats),
    })
}

async fn list(
    With(state): With<Shared>,
    _caller: Authorized,
    Params(asked): Params<Asked>,
) -> Result<Answer<RouteInventory>, Error> {
    Ok(Answer(state.search(move |state| run(&asked, state)).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_with_a_lower_version_is_deprecated() {
        let check = |routes: &[&str], expected: &[(&str, &str)]| {
            let found = successors(&routes.iter().copied().collect());
            let expected = expected
                .iter()
                .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
            assert_eq!(found, expected.collect(), "{routes:?}");
        };
        check(
            &["/v1/orders/{id}", "/v2/orders/{orderId}"],
            &[("/v1/orders/{id}", "/v2/orders/{orderId}")],
        );
        check(
            &["/api/v9/x", "/api/V10/x", "/api/v2/x"],
            &[("/api/v9/x", "/api/V10/x"), ("/api/v2/x", "/api/V10/x")],
        );
        check(&["/v1/orders", "/v2/items", "/orders"], &[]);
        check(&["/v1/orders", "/V1/orders"], &[]);
        check(
            &["/v/x", "/v2/x", "/vine/x", "/v99999999999999999999/x"],
            &[],
        );
        // The first version counts, what is behind it is part of the route.
        check(
            &["/v1/v2/x", "/v2/v2/x", "/v1/v3/x"],
            &[("/v1/v2/x", "/v2/v2/x")],
        );
    }
}
