//! `/api/v1/session`: a browser's session, opened with the one-time link of the first start or a key.

use axum::Json as Answer;
use axum::extract::State as With;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::auth::{self, Authorized, COOKIE, Secret};
use super::error::Error;
use super::input::Json;
use super::rate::Policy;
use super::routes::{Audit, RouteSpec, Routes, Shape};
use super::{Shared, key};
use crate::model::Timestamp;
use crate::store::{self, Scope, Session, SetupToken, Store};

static OPEN: RouteSpec = RouteSpec::change(Method::POST, "/api/v1/session", "session_open")
    .summary("Opens a session with a one-time token or a key; sets the cookie.")
    .public("this is where a credential is exchanged for a session")
    .rate(Policy::Login)
    .audit(Audit::Write)
    .takes(Shape::of::<OpenInput>())
    .gives(Shape::of::<SessionJson>());
static SHOW: RouteSpec = RouteSpec::get("/api/v1/session", "session_show")
    .summary("Who is calling, and what they may do.")
    .valid()
    .gives(Shape::of::<SessionJson>());
static CLOSE: RouteSpec = RouteSpec::change(Method::DELETE, "/api/v1/session", "session_close")
    .summary("Ends the session of the cookie.")
    .valid();

pub(super) fn register(routes: &mut Routes) {
    routes.add(&OPEN, open);
    routes.add(&SHOW, show);
    routes.add(&CLOSE, close);
}

const MINUTE_NS: i64 = 60_000_000_000;

/// What opens a session: one of the two.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OpenInput {
    /// The token of the link printed at the first start.
    #[schema(max_length = 128, value_type = Option<String>)]
    token: Option<Secret>,
    /// An API key.
    #[schema(max_length = 128, value_type = Option<String>)]
    key: Option<Secret>,
}

/// Who is calling.
#[derive(Debug, Serialize, ToSchema)]
struct SessionJson {
    /// Name of the key, or `setup`.
    name: String,
    /// What they may do.
    scopes: Vec<Scope>,
    /// Until when.
    expires_at: Option<String>,
}

/// Makes the one-time token of the first start, valid for so many minutes, and replaces the one before.
/// The link is the server's address and `/#setup=` and the token: behind `#` it never leaves the browser
/// but in the request that uses it up.
///
/// # Errors
/// The store's.
pub fn offer_setup(store: &Store, now: Timestamp, minutes: u32) -> Result<Secret, store::Error> {
    let token = key::token().map_err(|_none| store::Error::Random)?;
    let life_ns = i64::from(minutes).saturating_mul(MINUTE_NS);
    store.put_setup_token(&SetupToken {
        token_sha256: key::sha256(token.expose()),
        expires_at: Some(Timestamp(now.0.saturating_add(life_ns))),
    })?;
    Ok(token)
}

/// Whom a session would stand for: name, scopes, key, end of the key.
type Grant = (String, Vec<Scope>, Option<String>, Option<Timestamp>);

async fn granted(state: &Shared, input: OpenInput) -> Result<Grant, Error> {
    match (input.token, input.key) {
        (Some(token), None) => {
            let hash = key::sha256(token.expose());
            let is_right = state
                .ask(move |state| state.store.redeem_setup_token(&hash))
                .await?;
            let all = || ("setup".to_owned(), vec![Scope::Admin], None, None);
            is_right.then(all).ok_or(Error::Unauthenticated)
        }
        (None, Some(text)) => {
            let key = auth::live_key(state, &text).await?;
            let key = key.ok_or(Error::Unauthenticated)?;
            Ok((key.name, key.scopes, Some(key.id), key.expires_at))
        }
        _ => {
            let expected = "expected either token or key";
            Err(Error::input("", "missing_field", expected))
        }
    }
}

async fn open(With(state): With<Shared>, Json(input): Json<OpenInput>) -> Result<Response, Error> {
    let grant = granted(&state, input).await;
    if matches!(grant, Err(Error::Unauthenticated)) {
        state.metrics.http_denied.inc();
    }
    let (name, scopes, key_id, key_end) = grant?;
    let now = state.clock.now();
    let life_s = i64::from(state.options.session_hours).saturating_mul(3600);
    let end = Timestamp(now.0.saturating_add(life_s.saturating_mul(1_000_000_000)));
    let end = key_end.map_or(end, |key_end| key_end.min(end));
    let token = key::token()?;
    let session = Session {
        token_sha256: key::sha256(token.expose()),
        name: name.clone(),
        scopes: scopes.clone(),
        key_id,
        created_at: now,
        expires_at: end,
    };
    state
        .ask(move |state| state.store.add_session(&session))
        .await?;
    let cookie = cookie(token.expose(), life_s, state.is_tls);
    let answer = SessionJson {
        name,
        scopes,
        expires_at: Some(end.to_rfc3339()),
    };
    Ok(([(header::SET_COOKIE, cookie.as_str())], Answer(answer)).into_response())
}

fn cookie(value: &str, life_s: i64, is_tls: bool) -> Zeroizing<String> {
    let secure = if is_tls { "; Secure" } else { "" };
    Zeroizing::new(format!(
        "{COOKIE}={value}; HttpOnly; SameSite=Strict; Path=/; Max-Age={life_s}{secure}"
    ))
}

async fn show(caller: Authorized) -> Answer<SessionJson> {
    Answer(SessionJson {
        name: caller.0.name.to_string(),
        scopes: caller.0.scopes.clone(),
        expires_at: caller.0.expires_at.map(Timestamp::to_rfc3339),
    })
}

async fn close(
    With(state): With<Shared>,
    caller: Authorized,
    headers: HeaderMap,
) -> Result<Response, Error> {
    if caller.0.is_session
        && let Some(token) = auth::session_cookie(&headers)
    {
        let hash = key::sha256(token);
        state
            .ask(move |state| state.store.end_session(&hash))
            .await?;
    }
    let gone = cookie("", 0, state.is_tls);
    let cookie = [(header::SET_COOKIE, gone.as_str())];
    Ok((StatusCode::NO_CONTENT, cookie).into_response())
}
