//! Who is calling: credentials as clients send them, and what they stand for.
//!
//! A key is read from a header, never from the address. Its checksum is checked before the store is
//! asked, its hash is compared in constant time, and every failure has the same answer.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::error::Error;
use super::{Shared, State, key};
use crate::model::Timestamp;
use crate::store::{ApiKey, Scope, Session};

/// Text that is never printed and is wiped from memory.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a text over.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text, for hashing and comparing.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl<'de> serde::Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(Self::new)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// What a request carries to prove who it is.
#[derive(Clone, Debug)]
pub enum Credential {
    /// An API key, in whatever header the client's protocol uses.
    Key(Secret),
    /// The token of the session cookie.
    Session(Secret),
}

/// Name of the session cookie.
pub const COOKIE: &str = "wardline_session";

static KEY_HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("dd-api-key"),
    HeaderName::from_static("x-amz-firehose-access-key"),
];

/// The credential of a request; `None` where there is none or more than one could be meant.
#[must_use]
pub fn credential(headers: &HeaderMap) -> Option<Credential> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    if let Some(value) = given.next() {
        let text = value.to_str().ok()?;
        let is_only = given.next().is_none();
        return is_only.then(|| from_authorization(text)).flatten();
    }
    for name in &KEY_HEADERS {
        if let Some(value) = headers.get(name) {
            return Some(Credential::Key(Secret::new(value.to_str().ok()?.trim())));
        }
    }
    session_cookie(headers).map(|token| Credential::Session(Secret::new(token)))
}

fn from_authorization(text: &str) -> Option<Credential> {
    let (scheme, rest) = text.split_once(' ')?;
    let rest = rest.trim();
    let key = match scheme.to_ascii_lowercase().as_str() {
        "bearer" | "splunk" => Secret::new(rest),
        "apikey" if rest.starts_with("wl_") => Secret::new(rest),
        "apikey" | "basic" => password(rest)?,
        _ => return None,
    };
    Some(Credential::Key(key))
}

/// The part behind the first colon of base64 text.
fn password(encoded: &str) -> Option<Secret> {
    let bytes = Zeroizing::new(STANDARD.decode(encoded).ok()?);
    let text = std::str::from_utf8(&bytes).ok()?;
    text.split_once(':').map(|(_, key)| Secret::new(key))
}

/// The session token of the cookie header.
#[must_use]
pub fn session_cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == COOKIE).then_some(value))
}

/// Whether a request with the session cookie comes from one of our own pages: the browser says so, and a
/// header that no foreign page can set is there.
#[must_use]
pub fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if text("x-wardline-csrf") != Some("1") {
        return false;
    }
    match text("sec-fetch-site") {
        Some(site) => site == "same-origin",
        None => origin_is_host(text("origin"), text("host")),
    }
}

/// Whether the browser says that a foreign page sent this.
#[must_use]
pub fn is_foreign(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match text("sec-fetch-site") {
        Some(site) => !matches!(site, "same-origin" | "none"),
        None => text("origin").is_some() && !origin_is_host(text("origin"), text("host")),
    }
}

fn origin_is_host(origin: Option<&str>, host: Option<&str>) -> bool {
    let (Some(origin), Some(host)) = (origin, host) else {
        return false;
    };
    let authority = origin
        .strip_prefix("https://")
        .or_else(|| origin.strip_prefix("http://"));
    authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
}

/// Who a credential stands for, and what it may do.
#[derive(Clone, Debug)]
pub struct Principal {
    /// Id of the key or session, for limits and our own log.
    pub id: Arc<str>,
    /// Name people gave it.
    pub name: Arc<str>,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Until when; `None` means without an end.
    pub expires_at: Option<Timestamp>,
    /// Whether it came by cookie.
    pub is_session: bool,
}

impl Principal {
    /// Whether it may do what asks for this scope; `admin` may do everything.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes
            .iter()
            .any(|held| *held == scope || *held == Scope::Admin)
    }
}

/// The name of a scope, as users write it.
#[must_use]
pub const fn scope_name(scope: Scope) -> &'static str {
    match scope {
        Scope::Ingest => "ingest",
        Scope::Search => "search",
        Scope::Alerts => "alerts",
        Scope::Admin => "admin",
    }
}

/// Whom the credential of a request stands for. Asks the store each time, so that what was revoked is
/// refused from the next request on.
///
/// # Errors
/// [`Error::Unauthenticated`] whatever is wrong with the credential.
pub(super) async fn principal(
    state: &Shared,
    headers: &HeaderMap,
) -> Result<Arc<Principal>, Error> {
    let now = state.clock.now();
    let found = match credential(headers) {
        None => None,
        Some(Credential::Key(text)) => live_key(state, &text).await?.map(of_key),
        Some(Credential::Session(token)) => {
            let hash = key::sha256(token.expose());
            let session = state.ask(move |state| state.store.session(&hash)).await?;
            session.filter(|open| now < open.expires_at).map(of_session)
        }
    };
    found.map(Arc::new).ok_or(Error::Unauthenticated)
}

/// The record of a key's text, where it is a key, its secret is right, and it is neither expired nor
/// revoked.
pub(super) async fn live_key(state: &Shared, text: &Secret) -> Result<Option<ApiKey>, Error> {
    let Some((id, secret)) = key::parse(text.expose()) else {
        return Ok(None);
    };
    let (id, secret) = (id.to_owned(), Secret::new(secret));
    state
        .ask(move |state| {
            let found = match state.store.api_key(&id)? {
                Some(found) => Some(found),
                None => from_inbox(state, &id)?,
            };
            let is_right = |key: &ApiKey| key::is_secret_of(secret.expose(), &key.secret_sha256);
            let live = found.filter(|key| is_right(key) && key.is_live(state.clock.now()));
            if let Some(key) = &live {
                state.store.note_key_used(key);
            }
            Ok::<_, crate::store::Error>(live)
        })
        .await
}

/// A key the command line has made beside this server counts from its first use on.
fn from_inbox(state: &State, id: &str) -> Result<Option<ApiKey>, crate::store::Error> {
    state.store.collect_inbox()?;
    // Asked again also where nothing was waiting: somebody else may have taken it a moment ago.
    state.store.api_key(id)
}

fn of_key(key: ApiKey) -> Principal {
    Principal {
        id: key.id.into(),
        name: key.name.into(),
        scopes: key.scopes,
        expires_at: key.expires_at,
        is_session: false,
    }
}

fn of_session(session: Session) -> Principal {
    Principal {
        // Names the session without being of use to whoever reads it.
        id: key::short_hash(&session.token_sha256).into(),
        name: session.name.into(),
        scopes: session.scopes,
        expires_at: Some(session.expires_at),
        is_session: true,
    }
}

/// Proof that the gate has let this request through: the argument every guarded handler takes.
#[derive(Clone, Debug)]
pub struct Authorized(pub Arc<Principal>);

impl<S: Sync> FromRequestParts<S> for Authorized {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Error> {
        // The gate puts it there. Missing means a handler of a public route asks for it: our fault.
        let found = parts.extensions.get::<Self>().cloned();
        found.ok_or_else(|| Error::internal("a handler ran without a decision"))
    }
}
