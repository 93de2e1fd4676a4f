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
    pub scopes: Scopes,
    /// Whether it came by cookie.
    pub is_session: bool,
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
