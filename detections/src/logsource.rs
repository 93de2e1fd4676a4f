//! Which rules are shown our events.
//!
//! Every event here is an API or access log entry. A rule runs where its log source names such a log:
//!
//! | log source | runs on |
//! |---|---|
//! | category `webserver`, `proxy`, `web`, `api`, `api_access`, `waf`, `authentication`, `application` | every event |
//! | product or service of an HTTP server or gateway (`apache`, `nginx`, …), with or without such a category | events whose `event.dataset` begins with its name; `combined` counts for both Apache and nginx |
//! | anything else (`product: windows`, category `process_creation`, …) | no event: the rule is listed as inactive |

use crate::condition::Expr;
use crate::pattern::{Glob, TextSet};
use crate::predicate::{Predicate, Test};
use crate::rule::Logsource;

const CATEGORIES: [&str; 8] = [
    "webserver",
    "proxy",
    "web",
    "api",
    "api_access",
    "waf",
    "authentication",
    "application",
];
const SERVERS: [&str; 10] = [
    "apache", "nginx", "caddy", "traefik", "envoy", "kong", "haproxy", "iis", "istio", "aws",
];
/// Products and services that say no more than the category.
const GENERAL: [&str; 6] = ["http", "https", "api", "web", "access", "webserver"];

/// Where a rule runs.
#[derive(Clone, Debug)]
pub(crate) enum Route {
    /// On every event.
    Every,
    /// On events for which this holds too.
    When(Box<Expr<Predicate>>),
    /// Nowhere.
    Never,
}

/// The route of a log source.
pub(crate) fn route(source: &Logsource) -> Route {
    let category = source.category.as_deref();
    if category.is_some_and(|c| !CATEGORIES.contains(&c)) {
        return Route::Never;
    }
    let details = [source.product.as_deref(), source.service.as_deref()];
    let mut server = None;
    for detail in details.into_iter().flatten() {
        if SERVERS.contains(&detail) && server.is_none() {
            server = Some(detail);
        } else if !GENERAL.contains(&detail) {
            return Route::Never;
        }
    }
    match (server, category) {
        (None, Some(_)) => Route::Every,
        (None, None) if details.iter().any(Option::is_some) => Route::Every,
        (None, None) => Route::Never,
        (Some(server), _) => Route::When(Box::new(dataset(server))),
    }
}

fn dataset(server: &str) -> Expr<Predicate> {
    let mut names = vec![Glob::literal(server).open_end()];
    if matches!(server, "apache" | "nginx") {
        names.push(Glob::literal("combined"));
    }
    Expr::Is(Predicate {
        field: Some("event.dataset".into()),
        test: Test::Text {
            set: TextSet::new(names, Vec::new()),
            cased: false,
        },
        text: format!("event.dataset: {server}*"),
    })
}
