//! The user interface, embedded: pages, their headers and the default country database.
//!
//! A leaf crate: the pages of `web/app` are built by `build.rs` and compiled in, so that a change
//! elsewhere never rebuilds them. The server asks [`asset`] for a path and sends what it gets
//! together with [`CSP`] and [`HEADERS`].

use std::borrow::Cow;

use rust_embed::RustEmbed;

// `struct Ui` over `OUT_DIR/ui`; a file because `#[folder]` takes nothing but a literal.
include!(concat!(env!("OUT_DIR"), "/embed.rs"));

/// The policy every page is sent with: own scripts and styles only, nothing inline, and Trusted
/// Types, under which `innerHTML` throws. The one allowed Trusted Types policy is the one Svelte
/// makes for its compiled templates.
pub const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types svelte-trusted-html";

/// Headers of every answer under `/` and `/assets/` beside [`CSP`] and `Cache-Control`.
pub const HEADERS: &[(&str, &str)] = &[
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    (
        "permissions-policy",
        "camera=(), microphone=(), geolocation=(), usb=()",
    ),
];

/// One file of the user interface, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// The body, compressed as `encoding` says.
    pub bytes: Cow<'static, [u8]>,
    /// The `Content-Type`.
    pub content_type: &'static str,
    /// A strong `ETag` with its quotes, from the SHA-256 of the body as sent.
    pub etag: String,
    /// The `Content-Encoding`, if any; send `Vary: Accept-Encoding` either way.
    pub encoding: Option<&'static str>,
    /// Whether the name carries a hash of the content: `public, max-age=31536000, immutable`.
    /// Anything else is `no-cache`: kept, but asked for again each time.
    pub immutable: bool,
}

/// The file at `path` (leading slash or not; `/` is the start page) in the best encoding that
/// `accept_encoding` (the header's value, empty if missing) allows. `None` if there is no such
/// file; see [`is_page`] for addresses the start page answers.
#[must_use]
pub fn asset(path: &str, accept_encoding: &str) -> Option<Asset> {
    let name = match path.trim_start_matches('/') {
        "" => "index.html",
        name => name,
    };
    let content_type = content_type(name)?;
    for (encoding, suffix) in [("br", ".br"), ("gzip", ".gz")] {
        if !accepts(accept_encoding, encoding) {
            continue;
        }
        if let Some(file) = Ui::get(&format!("{name}{suffix}")) {
            return Some(ready(name, content_type, Some(encoding), file));
        }
    }
    Some(ready(name, content_type, None, Ui::get(name)?))
}

/// Whether `path` is an address inside the application, to be answered with the start page
/// (`asset("/", …)`) when the client asks for `text/html`: nothing of the API, no file. Below a
/// page anything may stand (`/requests/<id>`: ids may end in `.js` too).
#[must_use]
pub fn is_page(path: &str) -> bool {
    match path.trim_start_matches('/').split_once('/') {
        Some((first, _)) => !matches!(first, "api" | "assets"),
        None => content_type(path).is_none(),
    }
}

/// The country database the build brought along, in MaxMind's format (CC0, whois and ASN data of
/// ip-location-db, IPv4 and IPv6). Empty if the build skipped the user interface.
#[must_use]
pub fn country_db() -> &'static [u8] {
    include_bytes!(concat!(env!("OUT_DIR"), "/country.mmdb"))
}

fn ready(
    name: &str,
    content_type: &'static str,
    encoding: Option<&'static str>,
    file: rust_embed::EmbeddedFile,
) -> Asset {
    let mut etag = String::with_capacity(34);
    etag.push('"');
    for byte in file.metadata.sha256_hash().iter().take(16) {
        etag.push_str(&format!("{byte:02x}"));
    }
    etag.push('"');
    Asset {
        bytes: file.data,
        content_type,
        etag,
        encoding,
        immutable: is_hashed(name),
    }
}

/// Vite writes `assets/<name>-<8 characters>.<extension>`.
fn is_hashed(name: &str) -> bool {
    let Some((stem, _)) = name
        .strip_prefix("assets/")
        .and_then(|file| file.rsplit_once('.'))
    else {
        return false;
    };
    let hash_start = stem.len().checked_sub(9);
    hash_start.is_some_and(|at| {
        stem.get(at..).is_some_and(|hash| {
            hash.starts_with('-')
                && hash
                    .bytes()
                    .skip(1)
                    .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        })
    })
}

/// The types the application is made of; no other file is served.
fn content_type(name: &str) -> Option<&'static str> {
    let (_, extension) = name.rsplit_once('.')?;
    Some(match extension {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "txt" => "text/plain; charset=utf-8",
        _ => return None,
    })
}

/// Whether an `Accept-Encoding` value allows `coding` (RFC 9110 §12.5.3; `*` counts, `q=0` forbids).
fn accepts(header: &str, coding: &str) -> bool {
    let mut any = false;
    for item in header.split(',') {
        let mut parts = item.split(';');
        let name = parts.next().unwrap_or_default().trim();
        let refused = parts.any(|part| {
            part.trim()
                .to_ascii_lowercase()
                .strip_prefix("q=")
                .is_some_and(|q| q.parse::<f32>().is_ok_and(|q| q <= 0.0))
        });
        if name.eq_ignore_ascii_case(coding) {
            return !refused;
        }
        any |= name == "*" && !refused;
    }
    any
}

#[cfg(test)]
mod tests;
