//! `/api/v1/keys`: who may call. A key's text is in the answer that made it and nowhere else.

use axum::Json as Answer;
use axum::extract::State as With;
use axum::http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::Authorized;
use super::error::Error;
use super::input::{Id, Json};
use super::key::{self, NewKey};
use super::list::List;
use super::routes::{RouteSpec, Routes, Shape};
use super::{Shared, State};
use crate::model::Timestamp;
use crate::store::{ApiKey, Scope};

static LIST: RouteSpec = RouteSpec::get("/api/v1/keys", "key_list")
    .summary("API keys, without their secrets.")
    .gives(Shape::of::<List<KeyJson>>());
static CREATE: RouteSpec = RouteSpec::change(Method::POST, "/api/v1/keys", "key_create")
    .summary("Makes a key; its text is shown this once.")
    .takes(Shape::of::<KeyInput>())
    .creates(Shape::of::<KeyMade>());
static REVOKE: RouteSpec = RouteSpec::change(Method::DELETE, "/api/v1/keys/{id}", "key_revoke")
    .summary("Revokes a key and ends its sessions, at once.");
static ROTATE: RouteSpec =
    RouteSpec::change(Method::POST, "/api/v1/keys/{id}/rotate", "key_rotate")
        .summary("Makes a key like this one; this one ends after the overlap.")
        .takes(Shape::of::<RotateInput>())
        .creates(Shape::of::<KeyMade>());

pub(super) fn register(routes: &mut Routes) {
    routes.add(&LIST, list);
    routes.add(&CREATE, create);
    routes.add(&REVOKE, revoke);
    routes.add(&ROTATE, rotate);
}

/// How long an old key may go on working beside the one that replaces it.
const OVERLAP_HOURS_MAX: u32 = 24 * 7;
const HOUR_NS: i64 = 3_600_000_000_000;

/// A key to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct KeyInput {
    /// What people call it; also the default source of what it sends. `A-Z a-z 0-9 . _ -`.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9._-]+$")]
    name: String,
    /// What it may do.
    scopes: Vec<Scope>,
    /// For how many days it is valid.
    #[schema(minimum = 1, maximum = 365)]
    expires_in_days: Option<u32>,
}

/// How a key is replaced.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RotateInput {
    /// Hours for which the old key stays valid; 0 revokes it at once.
    #[serde(default = "default_overlap")]
    #[schema(maximum = 168)]
    overlap_hours: u32,
}

const fn default_overlap() -> u32 {
    24
}

/// A key without its secret.
#[derive(Debug, Serialize, ToSchema)]
struct KeyJson {
    /// The public part of its text.
    id: String,
    /// What people call it.
    name: String,
    /// What it may do.
    scopes: Vec<Scope>,
    /// `live`, `expired` or `revoked`.
    status: &'static str,
    /// When it was made.
    created_at: String,
    /// Who made it.
    created_by: String,
    /// From when on it is refused.
    expires_at: Option<String>,
    /// When it was revoked.
    revoked_at: Option<String>,
    /// When it was last used, to the hour.
    last_used_at: Option<String>,
}

impl KeyJson {
    fn of(key: ApiKey, now: Timestamp) -> Self {
        let status = match (key.revoked_at.is_some(), key.is_live(now)) {
            (true, _) => "revoked",
            (false, true) => "live",
            (false, false) => "expired",
        };
        Self {
            status,
            id: key.id,
            name: key.name,
            scopes: key.scopes,
            created_at: key.created_at.to_rfc3339(),
            created_by: key.created_by,
            expires_at: key.expires_at.map(Timestamp::to_rfc3339),
            revoked_at: key.revoked_at.map(Timestamp::to_rfc3339),
            last_used_at: key.last_used_at.map(Timestamp::to_rfc3339),
        }
    }
}

/// A key that was made.
#[derive(Debug, Serialize, ToSchema)]
struct KeyMade {
    /// What is kept of it.
    #[serde(flatten)]
    record: KeyJson,
    /// Its text; not shown again.
    key: String,
}

fn make(state: &State, new: &NewKey<'_>) -> Result<KeyMade, Error> {
    let (text, record) = key::mint(new)?;
    state.store.add_api_key(&record)?;
    Ok(KeyMade {
        record: KeyJson::of(record, new.now),
        key: text.expose().to_owned(),
    })
}

async fn list(
    With(state): With<Shared>,
    _caller: Authorized,
) -> Result<Answer<List<KeyJson>>, Error> {
    let keys = state.ask(|state| state.store.api_keys()).await?;
    let now = state.clock.now();
    let data = keys.into_iter().map(|key| KeyJson::of(key, now)).collect();
    Ok(Answer(List::whole(data)))
}

async fn create(
    With(state): With<Shared>,
    caller: Authorized,
    Json(mut input): Json<KeyInput>,
) -> Result<(StatusCode, Answer<KeyMade>), Error> {
    if !key::is_name(&input.name) {
        return Err(Error::input("/name", "invalid_value", key::NAME_EXPECTED));
    }
    if state.clean(&input.name) != input.name {
        let expected = "expected a name, not a secret";
        return Err(Error::input("/name", "invalid_value", expected));
    }
    input.scopes.sort_unstable();
    input.scopes.dedup();
    if input.scopes.is_empty() {
        let expected = "expected at least one of ingest, search, alerts, admin";
        return Err(Error::input("/scopes", "invalid_length", expected));
    }
    let days = input.expires_in_days.unwrap_or(state.options.key_days);
    if !(1..=state.options.key_days_max).contains(&days) {
        let expected = format!("expected 1 to {}", state.options.key_days_max);
        return Err(Error::input("/expires_in_days", "invalid_value", &expected));
    }
    let made = state
        .ask(move |state| {
            let new = NewKey {
                name: &input.name,
                scopes: &input.scopes,
                created_by: &caller.0.name,
                now: state.clock.now(),
                days,
            };
            make(state, &new)
        })
        .await?;
    Ok((StatusCode::CREATED, Answer(made)))
}

async fn revoke(
    With(state): With<Shared>,
    _caller: Authorized,
    Id(id): Id,
) -> Result<StatusCode, Error> {
    state
        .ask(move |state| state.store.revoke_api_key(&id))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn rotate(
    With(state): With<Shared>,
    caller: Authorized,
    Id(id): Id,
    Json(input): Json<RotateInput>,
) -> Result<(StatusCode, Answer<KeyMade>), Error> {
    if input.overlap_hours > OVERLAP_HOURS_MAX {
        return Err(Error::input(
            "/overlap_hours",
            "invalid_value",
            "expected at most 168",
        ));
    }
    let made = state
        .ask(move |state| replace(state, &id, &caller.0.name, input.overlap_hours))
        .await?;
    Ok((StatusCode::CREATED, Answer(made)))
}

fn replace(state: &State, id: &str, by: &str, overlap_hours: u32) -> Result<KeyMade, Error> {
    let now = state.clock.now();
    let old = state.store.api_key(id)?.ok_or(Error::NotFound)?;
    if !old.is_live(now) {
        return Err(Error::Conflict(
            "the key has expired or was revoked; make a new one",
        ));
    }
    let made = make(
        state,
        &NewKey {
            name: &old.name,
            scopes: &old.scopes,
            created_by: by,
            now,
            days: state.options.key_days,
        },
    )?;
    if overlap_hours == 0 {
        state.store.revoke_api_key(id)?;
    } else {
        let overlap_ns = i64::from(overlap_hours).saturating_mul(HOUR_NS);
        let end = Timestamp(now.0.saturating_add(overlap_ns));
        state.store.update_api_key(id, |key| {
            key.expires_at = Some(key.expires_at.map_or(end, |old| old.min(end)));
        })?;
    }
    Ok(made)
}
