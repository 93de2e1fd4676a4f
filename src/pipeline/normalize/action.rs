//! What was done and how it ended, from what the event says (reference/ingest.md §4.4).

use crate::model::{Field, Value};

use super::slots::Slots;

/// A route that counts as a sensitive operation.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SensitiveRoute {
    /// Method in upper case; any where it is left out.
    #[serde(default)]
    pub method: Option<String>,
    /// A segment of the path, `export` for example; compared without case.
    pub segment: String,
}

/// Segments that make a route sensitive, with the methods that do: any, or those that change something.
const SENSITIVE: [(&str, bool); 15] = [
    ("password", false),
    ("passwords", false),
    ("email", true),
    ("role", true),
    ("roles", true),
    ("permissions", true),
    ("keys", true),
    ("api-keys", true),
    ("apikeys", true),
    ("tokens", true),
    ("export", false),
    ("exports", false),
    ("payments", true),
    ("payment", true),
    ("admin", false),
];

/// Segments that make a route a login.
const LOGIN: [&str; 10] = [
    "login",
    "signin",
    "sign-in",
    "token",
    "sessions",
    "session",
    "mfa",
    "2fa",
    "otp",
    "authenticate",
];

/// The words of `event.action` this page writes.
const ATTEMPT: &str = "auth.attempt";
const FAILURE: &str = "auth.failure";
const DENIED: &str = "authz.denied";
const INVALID: &str = "validation.failed";
const LIMITED: &str = "rate_limit.hit";
const SENSITIVE_OPERATION: &str = "sensitive.operation";
const LOGOUT: &str = "session.logout";
const ERROR: &str = "api.error";
const REQUEST: &str = "api.request";

/// What a route is about, told by its segments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Route {
    is_login: bool,
    is_logout: bool,
    is_sensitive: bool,
}

/// The action a source's own word means, and the outcome where the word says it.
pub(super) fn known(word: &str) -> Option<(&'static str, Option<&'static str>)> {
    let mut folded = String::with_capacity(word.len().min(32));
    for c in word.chars().take(32).filter(char::is_ascii_alphanumeric) {
        folded.push(c.to_ascii_lowercase());
    }
    Some(match folded.as_str() {
        "login" | "signin" | "logon" | "userlogin" | "userauthentication" | "authattempt" => {
            (ATTEMPT, None)
        }
        "loginfailed"
        | "loginfailure"
        | "failedlogin"
        | "userloginfailed"
        | "signinfailed"
        | "authenticationfailed" => (ATTEMPT, Some("failure")),
        "loginsuccess"
        | "loginsucceeded"
        | "loginsuccessful"
        | "userloginsuccess"
        | "authenticationsucceeded" => (ATTEMPT, Some("success")),
        "logout" | "signout" | "userlogout" | "sessionlogout" => (LOGOUT, None),
        "authfailure" | "authfailed" => (FAILURE, Some("failure")),
        "authzdenied" | "accessdenied" | "permissiondenied" => (DENIED, Some("failure")),
        "validationfailed" => (INVALID, Some("failure")),
        "ratelimithit" | "ratelimited" | "throttled" => (LIMITED, Some("failure")),
        "sensitiveoperation" => (SENSITIVE_OPERATION, None),
        "apierror" => (ERROR, Some("failure")),
        "apirequest" => (REQUEST, None),
        _ => return None,
    })
}

/// Success, failure or unknown, from a source's own word.
pub(super) fn outcome(word: &str) -> Option<&'static str> {
    let is = |words: &[&str]| words.iter().any(|known| known.eq_ignore_ascii_case(word));
    if is(&[
        "success",
        "succeeded",
        "ok",
        "allow",
        "allowed",
        "true",
        "pass",
        "passed",
    ]) {
        Some("success")
    } else if is(&[
        "failure", "failed", "fail", "error", "deny", "denied", "false", "blocked",
    ]) {
        Some("failure")
    } else {
        is(&["unknown"]).then_some("unknown")
    }
}

/// Sets `event.action`, `event.actions`, `event.category` and `event.outcome` where the source did not.
pub(super) fn infer(slots: &mut Slots<'_>, own: &[SensitiveRoute]) {
    let status = slots
        .text(Field::HttpStatus)
        .and_then(|text| text.parse::<u16>().ok());
    let method = slots.text(Field::HttpMethod);
    let path = slots
        .text(Field::UrlPath)
        .or_else(|| slots.text(Field::HttpRoute));
    if status.is_none() && method.is_none() && path.is_none() && !slots.has(Field::EventAction) {
        return;
    }
    let route = path
        .map(|path| route(path, method, own))
        .unwrap_or_default();
    let given = slots.text(Field::EventAction).and_then(known);
    let mut actions = [""; 4];
    let mut count = 0;
    for action in matching(status, route, method) {
        if let Some(slot) = actions.get_mut(count) {
            *slot = action;
            count += 1;
        }
    }
    let actions = actions.get(..count).unwrap_or_default();
    let first = given.map_or(actions.first().copied(), |(action, _)| Some(action));
    if !slots.has(Field::EventOutcome) {
        let outcome = given.and_then(|(_, outcome)| outcome).or(match status {
            Some(499) | None => None,
            Some(100..400) => Some("success"),
            Some(_) => Some("failure"),
        });
        slots.set_str(Field::EventOutcome, outcome.unwrap_or("unknown"));
    }
    if let Some(action) = first {
        if !slots.has(Field::EventAction) {
            slots.set_str(Field::EventAction, action);
        }
        if slots.several(Field::EventCategory).next().is_none() {
            for category in categories(action) {
                slots.add(Field::EventCategory, Value::Str((*category).into()));
            }
        }
    }
    if actions.len() > 1
        || (given.is_some() && actions.len() == 1 && first != actions.first().copied())
    {
        for action in first.iter().chain(actions) {
            slots.add(Field::EventActions, Value::Str((*action).into()));
        }
    }
}

/// All actions that fit, in the order of precedence.
fn matching(
    status: Option<u16>,
    route: Route,
    method: Option<&str>,
) -> impl Iterator<Item = &'static str> {
    let is_attempt = route.is_login
        && method.is_none_or(|method| method != "GET" && method != "OPTIONS" && method != "HEAD")
        && matches!(status, None | Some(200..400 | 400 | 401 | 403 | 422 | 423));
    let is_logout = route.is_logout || (route.is_login && method == Some("DELETE"));
    let is_attempt = is_attempt && !is_logout;
    let rules = [
        (is_attempt, ATTEMPT),
        (status == Some(401) && !is_attempt, FAILURE),
        (status == Some(403) && !is_attempt, DENIED),
        (
            matches!(status, Some(400 | 405 | 411 | 413 | 415 | 422 | 431)) && !is_attempt,
            INVALID,
        ),
        (status == Some(429), LIMITED),
        (route.is_sensitive, SENSITIVE_OPERATION),
        (is_logout, LOGOUT),
        (matches!(status, Some(500..600)), ERROR),
    ];
    let any = rules.iter().any(|(fits, _)| *fits);
    rules
        .into_iter()
        .chain([(!any && (status.is_some() || method.is_some()), REQUEST)])
        .filter_map(|(fits, action)| fits.then_some(action))
}

fn categories(action: &str) -> &'static [&'static str] {
    match action {
        ATTEMPT | FAILURE => &["authentication"],
        DENIED | SENSITIVE_OPERATION => &["api", "iam"],
        LOGOUT => &["session"],
        _ => &["api"],
    }
}

fn route(path: &str, method: Option<&str>, own: &[SensitiveRoute]) -> Route {
    let changes = !matches!(method, None | Some("GET" | "HEAD" | "OPTIONS"));
    let mut found = Route::default();
    for segment in path.split('/').take(16) {
        // Longest word of the lists; nearly every segment is settled by its length or first letter.
        if !(3..=12).contains(&segment.len()) {
            continue;
        }
        let is = |word: &str| word.len() == segment.len() && word.eq_ignore_ascii_case(segment);
        found.is_login |= LOGIN.into_iter().any(is);
        found.is_logout |= is("logout") || is("signout");
        found.is_sensitive |= SENSITIVE
            .into_iter()
            .any(|(word, only_changes)| is(word) && (changes || !only_changes));
    }
    found.is_sensitive |= own.iter().any(|rule| {
        rule.method
            .as_deref()
            .is_none_or(|wanted| Some(wanted) == method)
            && path
                .split('/')
                .take(64)
                .any(|part| part.eq_ignore_ascii_case(&rule.segment))
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    fn check(method: &'static str, path: &'static str, status: &'static str, expected: &str) {
        let mut slots = Slots::default();
        slots.set_str(Field::HttpMethod, method);
        slots.set_str(Field::UrlPath, path);
        slots.set(Field::HttpStatus, Value::Num(status.into()));
        infer(&mut slots, &[]);
        let event = slots.take(Timestamp(0), Timestamp(0));
        let joined = |field| {
            let values: Vec<_> = event
                .values(field)
                .filter_map(crate::model::text_of)
                .collect();
            values.join("+")
        };
        let shown = [
            joined(Field::EventAction),
            joined(Field::EventActions),
            joined(Field::EventCategory),
            joined(Field::EventOutcome),
        ];
        assert_eq!(shown.join(" "), expected, "{method} {path} {status}");
    }

    #[test]
    fn actions_follow_the_table() {
        check("GET", "/v1/orders", "200", "api.request  api success");
        check("GET", "/v1/orders", "404", "api.request  api failure");
        check(
            "POST",
            "/login",
            "200",
            "auth.attempt  authentication success",
        );
        check(
            "POST",
            "/oauth/token",
            "401",
            "auth.attempt  authentication failure",
        );
        check("GET", "/login", "200", "api.request  api success");
        check(
            "GET",
            "/v1/orders",
            "401",
            "auth.failure  authentication failure",
        );
        check("GET", "/v1/orders", "403", "authz.denied  api+iam failure");
        check(
            "POST",
            "/v1/orders",
            "422",
            "validation.failed  api failure",
        );
        check("POST", "/login", "429", "rate_limit.hit  api failure");
        check(
            "POST",
            "/auth/logout",
            "204",
            "session.logout  session success",
        );
        check(
            "DELETE",
            "/sessions/7",
            "204",
            "session.logout  session success",
        );
        check("GET", "/v1/orders", "503", "api.error  api failure");
        check("GET", "/v1/orders", "499", "api.request  api unknown");
        check(
            "POST",
            "/users/7/password",
            "200",
            "sensitive.operation  api+iam success",
        );
        check(
            "GET",
            "/admin/users",
            "403",
            "authz.denied authz.denied+sensitive.operation api+iam failure",
        );
        check("GET", "/v1/keys", "200", "api.request  api success");
    }

    #[test]
    fn words_of_sources_are_known() {
        assert_eq!(known("user.login"), Some((ATTEMPT, None)));
        assert_eq!(known("LOGIN_FAILED"), Some((ATTEMPT, Some("failure"))));
        assert_eq!(known("order.created"), None);
        assert_eq!(outcome("OK"), Some("success"));
        assert_eq!(outcome("maybe"), None);
    }
}
