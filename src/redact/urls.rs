//! Secrets in URLs that stand outside their query: the password before the host, the token as a
//! step of the path.

use super::check;
use super::engine::Probe;
use super::spans::{Rank, Spans};

/// Longest part of a URL before its host that is read.
const USERINFO_MAX: usize = 8 << 10;
/// How far behind its first `/`, `?` or `#` a password that holds one unescaped is read.
const BEYOND_MAX: usize = 512;

/// At `://`: the password of `user:password@host`, or a token that stands for the user.
pub(super) fn userinfo(probe: &Probe<'_>, spans: &mut Spans) {
    let text = probe.text;
    let start = probe.end;
    let rest = text
        .get(start..text.len().min(start + USERINFO_MAX))
        .unwrap_or_default();
    let authority = rest
        .iter()
        .position(|b| b"/?#".contains(b) || is_stop(*b))
        .unwrap_or(rest.len());
    let inside = rest.get(..authority).unwrap_or_default();
    let Some(at) = memchr::memrchr(b'@', inside).or_else(|| beyond(rest, authority)) else {
        return;
    };
    let user = rest.get(..at).unwrap_or_default();
    match memchr::memchr(b':', user) {
        Some(colon) => {
            let password = rest.get(colon + 1..at).unwrap_or_default();
            if !check::is_placeholder(password) && !is_template(password) {
                spans.push(start + colon + 1..start + at, "url-userinfo", Rank::Shape);
            } else if password.is_empty() && check::is_credential(user) {
                spans.push(start..start + colon, "url-userinfo", Rank::Shape);
            }
            // `https://ghp_…:x-oauth-basic@host`: the token is the user.
            let name = rest.get(..colon).unwrap_or_default();
            if check::is_random(name) {
                spans.push(start..start + colon, "url-userinfo", Rank::Shape);
            }
        }
        None if check::is_credential(user) && check::is_random(user) => {
            spans.push(start..start + at, "url-userinfo", Rank::Shape);
        }
        None => {}
    }
}

/// A password may hold `/`, `?` or `#` unescaped: then what stands behind the colon is no port and
/// an `@` follows.
fn beyond(rest: &[u8], authority: usize) -> Option<usize> {
    let inside = rest.get(..authority)?;
    let colon = memchr::memchr(b':', inside)?;
    let port = inside.get(colon + 1..)?;
    if colon == 0
        || port.is_empty()
        || port.iter().all(u8::is_ascii_digit)
        || inside.contains(&b'[')
    {
        return None;
    }
    let behind = rest.get(authority..)?;
    let behind = behind.get(..behind.len().min(BEYOND_MAX))?;
    let at = memchr::memchr(b'@', behind)?;
    if behind.get(..at)?.iter().any(|b| is_stop(*b)) {
        return None;
    }
    let at = authority + at;
    // A host follows an `@` that ends the password.
    rest.get(at + 1..)?
        .first()
        .filter(|b| b.is_ascii_alphanumeric())?;
    Some(at)
}

/// Whether a byte ends every URL.
fn is_stop(byte: u8) -> bool {
    byte.is_ascii_whitespace() || b"\"'<>`|".contains(&byte)
}

fn is_template(password: &[u8]) -> bool {
    password
        .iter()
        .all(|b| b.is_ascii_uppercase() || *b == b'_')
        && password.contains(&b'_')
}

/// At `/reset`, `/verify`, `/invite` and the like: the random step of the path behind.
pub(super) fn path_token(probe: &Probe<'_>, spans: &mut Spans) {
    let text = probe.text;
    let rest = text.get(probe.end..).unwrap_or_default();
    let word = rest
        .iter()
        .take(24)
        .take_while(|b| b.is_ascii_alphabetic() || b"-_".contains(b))
        .count();
    let Some(mut at) = rest.get(word).filter(|b| **b == b'/').map(|_| word + 1) else {
        return;
    };
    // At most one more word stands between: `/password/reset/confirm/<token>`.
    for _ in 0..2 {
        let step = rest.get(at..).unwrap_or_default();
        let length = step
            .iter()
            .take(512)
            .take_while(|b| b.is_ascii_alphanumeric() || b"-_.~=%".contains(b))
            .count();
        let step = step.get(..length).unwrap_or_default();
        if step.len() >= 20 && !check::is_uuid(step) && check::is_random(step) {
            let start = probe.end + at;
            return spans.push(start..start + length, "path-token", Rank::Context);
        }
        if rest.get(at + length) != Some(&b'/') {
            return;
        }
        at += length + 1;
    }
}
