//! Kinds too irregular for a regex: JSON Web Tokens and keys, PEM blocks.

use super::check;
use super::encoding;
use super::engine::Probe;
use super::pem;
use super::spans::{Rank, Spans};

fn is_jose(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'=' | b'+' | b'/')
}

fn run(text: &[u8], at: usize) -> usize {
    text.get(at..)
        .map_or(0, |rest| rest.iter().take_while(|b| is_jose(**b)).count())
}

/// At `eyJ`: a token (RFC 7519), signed in three parts or encrypted in five (RFC 7516), or the
/// beginning of one that was cut. The first part must decode to a header, which a pagination cursor
/// does not.
pub(super) fn jwt(probe: &Probe<'_>, spans: &mut Spans) {
    let text = probe.text;
    if probe.at > 0
        && text
            .get(probe.at - 1)
            .is_some_and(|b| encoding::is_base64(*b))
        && !escaped(text, probe.at)
    {
        return;
    }
    let first = run(text, probe.at);
    let head = text.get(probe.at..probe.at + first).unwrap_or_default();
    // A second part that is JSON too makes a token whatever the header names.
    let is_followed = text
        .get(probe.at + first..)
        .is_some_and(|rest| rest.starts_with(b".ey"));
    if head.len() < 16 || !(is_followed || check::is_jose_header(head)) {
        return;
    }
    let mut end = probe.at + first;
    for _ in 0..4 {
        let rest = text.get(end..).unwrap_or_default();
        let dot = match rest {
            [b'.', ..] => 1,
            [b'%', b'2', b'E' | b'e', ..] => 3,
            _ => break,
        };
        let part = run(text, end + dot);
        // A full stop behind a token ends the sentence; an empty part stands only between dots.
        if part == 0 && text.get(end + dot) != Some(&b'.') {
            break;
        }
        end += dot + part;
    }
    spans.push(probe.at..end, "jwt", Rank::Known);
}

/// At the first words of a PuTTY key file: all that follows, which is the key.
pub(super) fn putty_key(probe: &Probe<'_>, spans: &mut Spans) {
    spans.push(probe.at..probe.text.len(), "putty-key", Rank::Known);
}

/// Whether what stands before `at` is an escape and no part of the run.
fn escaped(text: &[u8], at: usize) -> bool {
    matches!(
        text.get(at.saturating_sub(2)..at),
        Some([b'\\', b'n' | b't' | b'r'])
    ) || matches!(text.get(at.saturating_sub(3)..at), Some([b'%', _, _]))
        || matches!(text.get(at.saturating_sub(6)..at), Some([b'\\', b'u', ..]))
}

/// At `ZXlK` and its kin: base64 of a token, decoded once more.
pub(super) fn wrapped_jwt(probe: &Probe<'_>, spans: &mut Spans) {
    let before = probe.at.checked_sub(1).and_then(|at| probe.text.get(at));
    if before.is_some_and(u8::is_ascii_alphanumeric) && !escaped(probe.text, probe.at) {
        return;
    }
    let mut plain = [0u8; 512];
    let seen = probe.text.len().min(probe.at + plain.len());
    let encoded = probe.text.get(probe.at..seen).unwrap_or_default();
    let encoded = encoded.get(..run(encoded, 0)).unwrap_or_default();
    let decoded = encoding::base64_into(encoded, &mut plain);
    let plain = plain.get(..decoded).unwrap_or_default();
    let is_followed = plain.starts_with(b"ey") && memchr::memmem::find(plain, b".ey").is_some();
    if plain.len() >= 16 && (is_followed || check::is_jose_header(plain)) {
        let length = run(probe.text, probe.at);
        spans.push(probe.at..probe.at + length, "jwt", Rank::Known);
    }
}

/// Bytes before the kind of a key in which its parts may stand.
const JWK_REACH: usize = 8 << 10;
/// Most colons of a document among which the parts of keys are looked for.
pub(super) const COLONS_MAX: usize = 1 << 16;

/// At `"kty"`: the private parts of the key.
pub(super) fn jwk_at(probe: &Probe<'_>, spans: &mut Spans) {
    if !spans.covers(probe.at, Rank::Known) {
        // A key is one object: its parts are near.
        let from = probe.at.saturating_sub(JWK_REACH);
        jwk(probe.text, from, 512, spans);
    }
}

/// Every private part of JSON Web Keys (RFC 7518 §6) in a text.
pub(super) fn jwk(text: &[u8], from: usize, colons_max: usize, spans: &mut Spans) {
    let rest = text.get(from..).unwrap_or_default();
    for at in memchr::memchr_iter(b':', rest).take(colons_max) {
        let at = from + at;
        let before = text
            .get(at.saturating_sub(12)..at)
            .unwrap_or_default()
            .trim_ascii_end();
        let is_private = [
            &b"\"d\""[..],
            b"\"k\"",
            b"\"p\"",
            b"\"q\"",
            b"\"dp\"",
            b"\"dq\"",
            b"\"qi\"",
        ]
        .iter()
        .any(|name| before.ends_with(name));
        if !is_private {
            continue;
        }
        let rest = text.get(at + 1..).unwrap_or_default();
        let room = rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
        if rest.get(room) == Some(&b'"') {
            let start = at + 1 + room + 1;
            let length = run(text, start);
            spans.push(start..start + length, "private-key", Rank::Known);
        }
    }
}

/// At `PRIVATE KEY`: the block from its `-----BEGIN` to its end, or to the end of the text where it
/// was cut. Line breaks may be written out (`\n`), and the dashes may be missing behind a cut.
pub(super) fn pem(probe: &Probe<'_>, spans: &mut Spans) {
    let text = probe.text;
    let from = probe.at.saturating_sub(60);
    let head = text.get(from..probe.at).unwrap_or_default();
    let Some(begin) = memchr::memmem::rfind(head, b"BEGIN") else {
        return;
    };
    let Some(start) = pem::line_before(head, begin).map(|at| from + at) else {
        return;
    };
    let rest = text.get(probe.end..).unwrap_or_default();
    let end = memchr::memmem::find(rest, b"END").and_then(|end| {
        let tail = rest.get(end..)?;
        let key = memchr::memmem::find(tail.get(..tail.len().min(80))?, b"KEY")?;
        let behind = tail.get(key + 3..)?;
        let block = if behind.starts_with(b" BLOCK") { 6 } else { 0 };
        let dashes = behind
            .get(block..)?
            .iter()
            .take(5)
            .take_while(|b| **b == b'-')
            .count();
        Some(probe.end + end + key + 3 + block + dashes)
    });
    spans.push(start..end.unwrap_or(text.len()), "private-key", Rank::Known);
}

/// At the first bytes of an unwrapped key (`MII…`, `b3BlbnNzaC1rZXktdjE`, `LS0tLS1CRUdJTi`): its
/// base64, over line breaks.
pub(super) fn key_material(probe: &Probe<'_>, spans: &mut Spans) {
    let text = probe.text;
    if probe.at > 0
        && text
            .get(probe.at - 1)
            .is_some_and(|b| encoding::is_base64(*b))
        && !escaped(text, probe.at)
    {
        return;
    }
    let mut end = probe.at;
    loop {
        end += run(text, end);
        let rest = text.get(end..).unwrap_or_default();
        let line = match rest {
            [b'\\', b'r', b'\\', b'n', ..] => 4,
            [b'\\', b'n', ..] => 2,
            [b'\r' | b'\n', ..] => 1,
            _ => break,
        };
        let indent = rest.get(line..).unwrap_or_default();
        let indent = indent
            .iter()
            .take(16)
            .take_while(|b| matches!(b, b' ' | b'\n'))
            .count();
        // A last line may be short; prose below a key is not taken in.
        if run(text, end + line + indent) < 16 && rest.len() > line + indent + 80 {
            break;
        }
        end += line + indent;
    }
    if end - probe.at >= 60 {
        spans.push(probe.at..end, "private-key", Rank::Known);
    }
}
