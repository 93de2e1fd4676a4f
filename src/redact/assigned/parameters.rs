//! Credentials made of parameters (RFC 9110 §11.4): `Digest username="x", response="…"`. Who asked for what stays,
//! proofs and what they are made of go.

use std::ops::Range;

use super::{escaped_quote_end, skip};

/// Most parameters of one credential.
const PARAMETERS_MAX: usize = 32;
/// Longest name of a parameter.
const NAME_MAX: usize = 40;

/// Parameters that are no secret, of Digest (RFC 7616), OAuth 1, AWS and signed messages. What is not here goes.
const PLAIN: &[&[u8]] = &[
    b"username",
    b"username*",
    b"realm",
    b"uri",
    b"qop",
    b"nc",
    b"algorithm",
    b"charset",
    b"userhash",
    b"stale",
    b"domain",
    b"headers",
    b"created",
    b"expires",
    b"keyid",
    b"ts",
    b"signedheaders",
    b"credential",
    b"oauth_timestamp",
    b"oauth_version",
    b"oauth_signature_method",
];

/// Calls `take` with the place of every secret parameter from `start` on; says whether there were parameters at all.
pub(super) fn secrets(text: &[u8], start: usize, mut take: impl FnMut(Range<usize>)) -> bool {
    let mut at = start;
    let (mut seen, mut has_comma) = (0, false);
    while seen < PARAMETERS_MAX {
        let Some((name, value, is_quoted)) = parameter(text, at) else {
            break;
        };
        let next = value.end + usize::from(is_quoted);
        // One word with a sign (`a1b2==`, `sid=…`) is a credential of its own, and without a comma words of the
        // sentence may follow.
        let is_listed = is_quoted || has_comma || matches!(text.get(next), Some(b',' | b';'));
        if !is_listed {
            break;
        }
        let name = text.get(name).unwrap_or_default();
        if !PLAIN.iter().any(|known| name.eq_ignore_ascii_case(known)) {
            take(value.clone());
        }
        seen += 1;
        at = value.end;
        skip(text, &mut at, 8, |b| b"\\\"'".contains(&b));
        let room = skip(text, &mut at, 2, |b| matches!(b, b' ' | b'\t'));
        has_comma = skip(text, &mut at, 1, |b| matches!(b, b',' | b';')) > 0;
        if room == 0 && !has_comma {
            break;
        }
        skip(text, &mut at, 16, |b| b.is_ascii_whitespace());
    }
    seen > 0
}

/// `name=value` or `name="value"`, whose quotes may be escaped.
fn parameter(text: &[u8], at: usize) -> Option<(Range<usize>, Range<usize>, bool)> {
    let mut end = at;
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b"_-*.".contains(&b);
    let length = skip(text, &mut end, NAME_MAX, is_name);
    if length == 0 || text.get(end) != Some(&b'=') {
        return None;
    }
    let mut begin = end + 1;
    let escapes = skip(text, &mut begin, 7, |b| b == b'\\');
    if text.get(begin) == Some(&b'"') {
        let begin = begin + 1;
        let rest = text.get(begin..)?.len();
        let close = escaped_quote_end(text, begin, b'"', escapes).unwrap_or(begin + rest);
        return Some((at..end, begin..close, true));
    }
    let mut stop = begin;
    skip(text, &mut stop, 4096, |b| {
        !b.is_ascii_whitespace() && !b",\"'\\".contains(&b)
    });
    Some((at..end, begin..stop, false))
}
