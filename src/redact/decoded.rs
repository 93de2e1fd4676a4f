//! What a run of base64 or hex says: where it may begin, whether it is text, and the secrets in it
//! by the names of a form or of JSON.

use std::ops::Range;

use super::check;
use super::encoding;
use super::engine::Probe;
use super::keys::{Class, Keys, Kind};
use super::names;
use super::spans::{Rank, Span, Spans};
use super::values;

/// Encodings undone one after the other.
pub(super) const LAYERS: usize = 3;
/// Shortest run that is decoded.
pub(super) const RUN_MIN: usize = 24;
/// Most places of one run from which it is decoded.
const STARTS_MAX: usize = 16;
/// Most texts that one run is read as: a run made so that each of its starts is readable, over several
/// layers, must not multiply the work.
const READABLE_MAX: usize = 2;
/// Most names of one decoded text that are looked at.
const NAMES_MAX: usize = 512;

/// Every run of base64 or hex of a text that is long enough to be decoded.
pub(super) fn runs(text: &[u8]) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut at = RUN_MIN - 1;
    std::iter::from_fn(move || {
        loop {
            if !encoding::is_base64(*text.get(at)?) {
                at += RUN_MIN;
                continue;
            }
            let (head, tail) = text.split_at_checked(at)?;
            let is_digit = |b: &&u8| encoding::is_base64(**b);
            let before = head.iter().rev().take_while(is_digit).count();
            let behind = tail.iter().take_while(is_digit).count();
            let run = at - before..at + behind;
            at = run.end + RUN_MIN;
            if run.len() >= RUN_MIN {
                return Some(run);
            }
        }
    })
}

/// What a run of a text says, each with its place there and that of the signs that fill it up.
pub(super) fn texts(
    text: &[u8],
    run: &Range<usize>,
) -> impl Iterator<Item = (Range<usize>, Vec<u8>)> {
    let (begin, end) = (run.start, run.end);
    let encoded = text.get(run.clone()).unwrap_or_default();
    let rest = text.get(end..).unwrap_or_default();
    let padding = rest.iter().take(2).take_while(|b| **b == b'=').count();
    let readable = starts(encoded).filter_map(move |start| {
        let plain = plain(encoded.get(start..)?)?;
        Some((begin + start..end + padding, plain))
    });
    readable.take(READABLE_MAX)
}

/// Where in a run encoded text may begin: at its first byte, and behind the bytes of its alphabet
/// that also part the steps of a path and words (`/v1/cGFz…`, `blob_cGFz…`).
fn starts(run: &[u8]) -> impl Iterator<Item = usize> {
    let last = run.len().saturating_sub(RUN_MIN);
    std::iter::once(0)
        .chain(memchr::memchr3_iter(b'/', b'-', b'_', run).map(|at| at + 1))
        .take(STARTS_MAX)
        .take_while(move |start| *start <= last)
}

/// The text behind hex or base64; `None` where it is none. A few bytes tell for nearly all that is
/// no text.
fn plain(encoded: &[u8]) -> Option<Vec<u8>> {
    let encoded = encoded.strip_prefix(b"0x").unwrap_or(encoded);
    let is_hex = encoded
        .get(..16)
        .is_some_and(|head| head.iter().all(u8::is_ascii_hexdigit));
    // Text begins with a printable character, or with a line or tab: most words and ids are done here.
    let first = *encoded.first()?;
    let may_begin = match is_hex {
        true => matches!(first, b'0' | b'2'..=b'7' | b'c'..=b'f' | b'C'..=b'F'),
        false => {
            matches!(first, b'C' | b'D' | b'I'..=b'Z' | b'a'..=b'f' | b'w'..=b'z' | b'0'..=b'9')
        }
    };
    if encoded.len() < 8 || !may_begin {
        return None;
    }
    let decode = if is_hex {
        encoding::hex_into
    } else {
        encoding::base64_into
    };
    let mut head = [0u8; 24];
    for length in [8, 48] {
        let part = encoded.get(..length).unwrap_or(encoded);
        let decoded = decode(part, &mut head);
        if !encoding::is_readable(head.get(..decoded)?) {
            return None;
        }
    }
    let mut plain = vec![0u8; encoded.len()];
    let length = decode(encoded, &mut plain);
    plain.truncate(length);
    Some(plain)
}

/// Adds the first secret that stands under a sensitive name of a form (`a=1&pin=4711`) or of JSON:
/// what is encoded was written by a machine, so a name needs no further proof.
pub(super) fn named(plain: &[u8], keys: &Keys, spans: &mut Spans) {
    if let Some((place, kind)) = by_name(plain, keys) {
        spans.push(place, kind.rule(), Rank::Context);
    }
}

fn by_name(plain: &[u8], keys: &Keys) -> Option<(Range<usize>, Kind)> {
    match plain.trim_ascii_start().first() {
        Some(b'{' | b'[') => in_json(plain, keys),
        _ => in_form(plain, keys),
    }
}

/// At `eyJ`, `cGFzc3`, `dG9rZW` and the like: base64 of JSON or of a form that is shorter than the runs
/// that are decoded anyway.
pub(super) fn short_at(probe: &Probe<'_>, spans: &mut Spans) {
    let rest = probe.text.get(probe.at..).unwrap_or_default();
    let length = rest
        .iter()
        .take(RUN_MIN)
        .take_while(|b| encoding::is_base64(**b))
        .count();
    if length == RUN_MIN {
        return;
    }
    let Some(plain) = rest.get(..length).and_then(plain) else {
        return;
    };
    if let Some((place, kind)) = by_name(&plain, probe.keys) {
        let padding = rest.iter().skip(length).take(2);
        let padding = padding.take_while(|b| **b == b'=').count();
        spans.push_span(Span {
            place: probe.at..probe.at + length + padding,
            secret: probe.at..probe.at + length,
            decoded: plain.get(place).map(<[u8]>::to_vec),
            rule: kind.rule(),
            rank: Rank::Context,
        });
    }
}

fn in_form(plain: &[u8], keys: &Keys) -> Option<(Range<usize>, Kind)> {
    let mut start = 0;
    for part in plain.split(|b| *b == b'&').take(NAMES_MAX) {
        let equals = memchr::memchr(b'=', part)?;
        let (name, value) = (part.get(..equals)?, part.get(equals + 1..)?);
        let place = start + equals + 1..start + part.len();
        start += part.len() + 1;
        let is_param = names::is_param(name) && check::is_random(value);
        let kind = secret(keys.class(name), value).or(is_param.then_some(Kind::Token));
        if let Some(kind) = kind {
            return Some((place, kind));
        }
    }
    None
}

fn in_json(plain: &[u8], keys: &Keys) -> Option<(Range<usize>, Kind)> {
    for colon in memchr::memchr_iter(b':', plain).take(NAMES_MAX) {
        let before = plain.get(..colon)?.trim_ascii_end();
        let Some(before) = before.strip_suffix(b"\"") else {
            continue;
        };
        let begin = memchr::memrchr(b'"', before).map_or(0, |quote| quote + 1);
        let rest = plain.get(colon + 1..)?;
        let room = rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
        let is_text = rest.get(room) == Some(&b'"');
        let start = colon + 1 + room + usize::from(is_text);
        let value = plain.get(start..)?;
        let length = value
            .iter()
            .position(|b| match is_text {
                true => *b == b'"',
                false => !b.is_ascii_digit(),
            })
            .unwrap_or(value.len());
        let value = value.get(..length)?;
        if let Some(kind) = secret(keys.class(before.get(begin..)?), value) {
            return Some((start..start + length, kind));
        }
    }
    None
}

/// The kind of secret that a value is under a name of this class.
fn secret(class: Class, value: &[u8]) -> Option<Kind> {
    let (kind, is_told) = match class {
        Class::Secret(Kind::Connection) => (Kind::Connection, values::is_connection(value)),
        Class::Secret(kind @ (Kind::OneTime | Kind::Cvv)) => (kind, value.len() >= 3),
        Class::Secret(kind) => (kind, value.len() >= 4),
        Class::Scheme => (Kind::Token, value.len() >= 4),
        Class::Cookie => (Kind::Session, value.len() >= 4),
        Class::Random(kind) => (kind, check::is_random(value)),
        Class::Pass | Class::PairName(_) | Class::PairValue(_) | Class::Told(_) => return None,
    };
    (is_told && !check::is_placeholder(value)).then_some(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_and_base64_are_text_or_nothing() {
        let check = |encoded: &str, expected: Option<&str>| {
            let plain = plain(encoded.as_bytes());
            assert_eq!(plain.as_deref(), expected.map(str::as_bytes), "{encoded}");
        };
        check("cGFzc3dvcmQ9c2VjcmV0MQ", Some("password=secret1"));
        check("70617373776f72643d736563726574", Some("password=secret"));
        check("0x70617373776f72643d736563726574", Some("password=secret"));
        check("4bf92f3577b34da6a3ce929d0e0e4736", None);
        check("7f3a2b1c9d8e4f5a6b7c8d9e0f1a2b3c", None);
        check("orders-service-production", None);
        check("cGluPTQ3MTE", Some("pin=4711"));
        check("cGlu", None);
    }

    #[test]
    fn runs_may_begin_behind_what_parts_words() {
        let check = |run: &str, expected: &[usize]| {
            assert_eq!(starts(run.as_bytes()).collect::<Vec<_>>(), expected);
        };
        check("cGFzc3dvcmQ9c2VjcmV0MTIz", &[0]);
        check("/v1/cGFzc3dvcmQ9c2VjcmV0MTIz", &[0, 1, 4]);
        check("550e8400-e29b-41d4-a716-446655440000", &[0, 9]);
        check("short", &[0]);
    }

    #[test]
    fn names_of_forms_and_json_tell() {
        let check = |plain: &str, expected: Option<&str>| {
            let mut spans = Spans::new(10);
            named(plain.as_bytes(), &Keys::new(), &mut spans);
            let found = spans.settle(plain.as_bytes());
            let found = found.first().and_then(|span| plain.get(span.place.clone()));
            assert_eq!(found, expected, "{plain}");
        };
        check("a=1&pin=4711&b=2", Some("4711"));
        check("tkn=hunter22&b=2", Some("hunter22"));
        check("code=Zq8fJ2kLm9pQ4rSt", Some("Zq8fJ2kLm9pQ4rSt"));
        check("key=orders&page=2", None);
        check(r#"{"a":{"psw": "hunter22"}}"#, Some("hunter22"));
        check(r#"{"pin":4711,"b":1}"#, Some("4711"));
        check(r#"{"id":123,"created_at":"2026-11-21","token":null}"#, None);
        check("plain words", None);
    }
}
