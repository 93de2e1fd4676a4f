//! `/api/v1/webhooks`: who is told of alerts. A signing secret is in the answer that made it and nowhere
//! else; addresses may hold tokens, so lists show them masked.

use axum::Json as Answer;
use axum::extract::State as With;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::alerts::{bounded, expected_version, versioned};
use super::auth::Authorized;
use super::error::Error;
use super::input::{Id, Json, Pair, Query};
use super::list::{List, PAGE, PageParams, page_limit};
use super::routes::{RouteSpec, Routes, Shape};
use super::{Shared, State};
use crate::model::Severity;
use crate::notify::Ping;
use crate::store::{
    Delivery, Endpoint, EndpointChange, EndpointHealth, EndpointState, EventType, NewEndpoint,
};

const PATH: &str = "/api/v1/webhooks";

static LIST: RouteSpec = RouteSpec::get(PATH, "webhook_list")
    .summary("Webhooks, with masked addresses.")
    .gives(Shape::of::<List<WebhookJson>>());
static CREATE: RouteSpec = RouteSpec::change(Method::POST, PATH, "webhook_create")
    .summary("Makes a webhook; its signing secret is shown this once.")
    .takes(Shape::of::<WebhookInput>())
    .creates(Shape::of::<WebhookMade>());
static SHOW: RouteSpec = RouteSpec::get("/api/v1/webhooks/{id}", "webhook_show")
    .summary("One webhook; its `ETag` is its version.")
    .gives(Shape::of::<WebhookJson>());
static CHANGE: RouteSpec =
    RouteSpec::change(Method::PATCH, "/api/v1/webhooks/{id}", "webhook_change")
        .summary("Changes a webhook; what is missing stays.")
        .takes(Shape::of::<WebhookChange>())
        .gives(Shape::of::<WebhookJson>());
static DELETE: RouteSpec =
    RouteSpec::change(Method::DELETE, "/api/v1/webhooks/{id}", "webhook_delete")
        .summary("Removes a webhook with its deliveries.");
static TEST: RouteSpec =
    RouteSpec::change(Method::POST, "/api/v1/webhooks/{id}/test", "webhook_test")
        .summary("Sends a signed test message now and says what came back.")
        .gives(Shape::of::<Ping>());
static ROTATE: RouteSpec = RouteSpec::change(
    Method::POST,
    "/api/v1/webhooks/{id}/rotate-secret",
    "webhook_rotate_secret",
)
.summary("Makes a new signing secret; the old one signs as well for a day.")
.takes(Shape::of::<RotateInput>())
.gives(Shape::of::<SecretMade>());
static DELIVERIES: RouteSpec =
    RouteSpec::get("/api/v1/webhooks/{id}/deliveries", "webhook_deliveries")
        .summary("What was sent to a webhook, newest first.")
        .params(PAGE)
        .gives(Shape::of::<List<Delivery>>());
static RESEND: RouteSpec = RouteSpec::change(
    Method::POST,
    "/api/v1/webhooks/{id}/deliveries/{message_id}/resend",
    "webhook_resend",
)
.summary("Sends a message again, under the same id.")
.gives(Shape::of::<Delivery>());

pub(super) fn register(routes: &mut Routes) {
    routes.add(&LIST, list);
    routes.add(&CREATE, create);
    routes.add(&SHOW, show);
    routes.add(&CHANGE, change);
    routes.add(&DELETE, delete);
    routes.add(&TEST, test);
    routes.add(&ROTATE, rotate);
    routes.add(&DELIVERIES, deliveries);
    routes.add(&RESEND, resend);
}

const URL_BYTES_MAX: usize = 2_048;
const TEXT_BYTES_MAX: usize = 1_000;
const RULES_MAX: usize = 1_000;

/// A webhook to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WebhookInput {
    /// Where to.
    #[schema(min_length = 8, max_length = 2048)]
    url: String,
    /// What people call it.
    #[serde(default)]
    #[schema(max_length = 1000)]
    description: String,
    /// Only alerts at least this bad.
    severity_min: Option<Severity>,
    /// Only alerts of these rules, by id or title; empty means all.
    #[serde(default)]
    rules: Vec<String>,
    /// Only these kinds of messages; empty means all.
    #[serde(default)]
    event_types: Vec<EventType>,
}

/// A change; what is missing stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WebhookChange {
    /// Where to.
    #[schema(min_length = 8, max_length = 2048)]
    url: Option<String>,
    /// What people call it.
    #[schema(max_length = 1000)]
    description: Option<String>,
    /// Only alerts at least this bad; null means all.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Severity>)]
    severity_min: Option<Option<Severity>>,
    /// Only alerts of these rules; empty means all.
    rules: Option<Vec<String>>,
    /// Only these kinds of messages; empty means all.
    event_types: Option<Vec<EventType>>,
    /// Whether messages go to it.
    state: Option<EndpointState>,
}

/// Tells `null` from a field that is missing.
fn given<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(from).map(Some)
}

/// How a secret is replaced.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RotateInput {
    /// Whether the old secret ends now, since it leaked.
    #[serde(default)]
    at_once: bool,
}

/// A webhook.
#[derive(Debug, Serialize, ToSchema)]
struct WebhookJson {
    /// What it is.
    #[serde(flatten)]
    endpoint: Endpoint,
    /// How delivering to it has been.
    health: EndpointHealth,
}

/// A webhook that was made.
#[derive(Debug, Serialize, ToSchema)]
struct WebhookMade {
    /// What it is.
    #[serde(flatten)]
    endpoint: Endpoint,
    /// Its signing secret; not shown again.
    secret: String,
}

/// A new secret.
#[derive(Debug, Serialize, ToSchema)]
struct SecretMade {
    /// The signing secret; not shown again.
    secret: String,
}

/// Whether messages may be sent there.
fn check_url(state: &State, text: &str) -> Result<(), Error> {
    let refused = |why: &str| Error::input("/url", "invalid_value", why);
    bounded(text, "/url", URL_BYTES_MAX)?;
    let url = url::Url::parse(text).map_err(|_odd| refused("expected an https address"))?;
    if !matches!(url.scheme(), "https" | "http") || url.host().is_none() {
        return Err(refused("expected an https address"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(refused(
            "expected an address without credentials and without #",
        ));
    }
    match &state.notifier {
        Some(notifier) => notifier
            .check_url(text)
            .map_err(|failure| refused(&failure.to_string())),
        None => Ok(()),
    }
}

fn check_rules(rules: &[String]) -> Result<(), Error> {
    let is_fine = rules.len() <= RULES_MAX && rules.iter().all(|rule| rule.len() <= TEXT_BYTES_MAX);
    let refused = || Error::input("/rules", "invalid_length", "expected at most 1000 rules");
    is_fine.then_some(()).ok_or_else(refused)
}

fn existing(state: &State, id: &str) -> Result<Endpoint, Error> {
    state.store.endpoint(id)?.ok_or(Error::NotFound)
}

fn with_health(state: &State, endpoint: Endpoint) -> Result<WebhookJson, Error> {
    let health = state.store.endpoint_health(&endpoint.id)?;
    Ok(WebhookJson { endpoint, health })
}

async fn list(
    With(state): With<Shared>,
    _caller: Authorized,
) -> Result<Answer<List<WebhookJson>>, Error> {
    let data = state
        .ask(|state| {
            let endpoints = state.store.endpoints()?.into_iter();
            let masked = endpoints.map(|mut endpoint| {
                endpoint.url = endpoint.masked_url();
                with_health(state, endpoint)
            });
            masked.collect::<Result<Vec<_>, Error>>()
        })
        .await?;
    Ok(Answer(List::whole(data)))
}

async fn create(
    With(state): With<Shared>,
    _caller: Authorized,
    Json(input): Json<WebhookInput>,
) -> Result<(StatusCode, Answer<WebhookMade>), Error> {
    check_url(&state, &input.url)?;
    check_rules(&input.rules)?;
    bounded(&input.description, "/description", TEXT_BYTES_MAX)?;
    let description = state.clean(&input.description);
    let new = NewEndpoint {
        url: input.url,
        description,
        severity_min: input.severity_min,
        rules: input.rules,
        event_types: input.event_types,
    };
    let (endpoint, secret) = state
        .ask(move |state| state.store.add_endpoint(new))
        .await?;
    let made = WebhookMade {
        endpoint,
        secret: secret.reveal().to_string(),
    };
    Ok((StatusCode::CREATED, Answer(made)))
}

async fn show(
    With(state): With<Shared>,
    _caller: Authorized,
    Id(id): Id,
) -> Result<Response, Error> {
    let found = state
        .ask(move |state| with_health(state, existing(state, &id)?))
        .await?;
    Ok(versioned(found.endpoint.version, found))
}

async fn change(
    With(state): With<Shared>,
    _caller: Authorized,
    Id(id): Id,
    headers: HeaderMap,
    Json(input): Json<WebhookChange>,
) -> Result<Response, Error> {
    if let Some(url) = &input.url {
        check_url(&state, url)?;
    }
    check_rules(input.rules.as_deref().unwrap_or_default())?;
    let description = input.description.as_deref().unwrap_or_default();
    bounded(description, "/description", TEXT_BYTES_MAX)?;
    let expected = expected_version(&headers)?;
    let change = EndpointChange {
        url: input.url,
        description: input.description.map(|text| state.clean(&text)),
        severity_min: input.severity_min,
        rules: input.rules,
        event_types: input.event_types,
        state: input.state,
    };
    let found = state
        .ask(move |state| {
            let endpoint = state.store.change_endpoint(&id, expected, change)?;
            with_health(state, endpoint)
        })
        .await?;
    Ok(versioned(found.endpoint.version, found))
}

async fn delete(
    With(state): With<Shared>,
    _caller: Authorized,
    Id(id): Id,
) -> Result<StatusCode, Error> {
    state
        .ask(move |state| state.store.delete_endpoint(&id))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn test(
    With(state): With<Shared>,
    _caller: Authorized,
    Id(id): Id,
) -> Result<Answer<Ping>, Error> {
    let Some(notifier) = &state.notifier else {
        return Err(Error::Conflict("this server delivers no webhooks"));
    };
    Ok(Answer(notifier.ping(&id).await?))
}

async fn rotate(
    With(state): With<Shared>,
    _caller: Authorized,
    Id(id): Id,
    Json(input): Json<RotateInput>,
) -> Result<Answer<SecretMade>, Error> {
    let secret = state
        .ask(move |state| state.store.rotate_endpoint_secret(&id, input.at_once))
        .await?;
    let secret = secret.reveal().to_string();
    Ok(Answer(SecretMade { secret }))
}

async fn deliveries(
    With(state): With<Shared>,
    _caller: Authorized,
    Id(id): Id,
    Query(params): Query<PageParams>,
) -> Result<Answer<List<Delivery>>, Error> {
    let limit = page_limit(params.limit)?;
    let page = state
        .ask(move |state| {
            existing(state, &id)?;
            let cursor = params.cursor.as_deref();
            Ok::<_, Error>(state.store.endpoint_deliveries(&id, limit, cursor)?)
        })
        .await?;
    Ok(Answer(List::page(page.deliveries, page.next_cursor, limit)))
}

async fn resend(
    With(state): With<Shared>,
    _caller: Authorized,
    Pair(id, message_id): Pair,
) -> Result<Answer<Delivery>, Error> {
    let delivery = state
        .ask(move |state| state.store.resend(&id, &message_id))
        .await?;
    Ok(Answer(delivery))
}
