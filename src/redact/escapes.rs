//! The escapes of JSON strings, undone and done.

use std::borrow::Cow;
use std::ops::Range;

use wide::u8x16;

/// A string of a JSON document.
pub(super) struct Written<'t> {
    /// Where it begins, behind its quote.
    pub(super) start: usize,
    /// What stands between its quotes.
    pub(super) text: &'t [u8],
    /// Whether it has no escapes.
    pub(super) is_plain: bool,
}

impl<'t> Written<'t> {
    /// Between its quotes.
    pub(super) fn place(&self) -> Range<usize> {
        self.start..self.start + self.text.len()
    }

    /// What it says.
    pub(super) fn plain(&self) -> Cow<'t, [u8]> {
        match self.is_plain {
            true => Cow::Borrowed(self.text),
            false => unescape(self.text),
        }
    }
}

/// Sixteens of bytes that are looked at before a search is begun.
const NEAR: usize = 4;

/// Where the next quote or backslash stands. Most strings are so short that to call a search costs more than it saves.
pub(super) fn sign(text: &[u8]) -> Option<usize> {
    let (near, _) = text.as_chunks();
    let near = near.get(..NEAR).unwrap_or(near);
    for (at, bytes) in near.iter().enumerate() {
        let bytes = u8x16::new(*bytes);
        let signs = bytes.simd_eq(u8x16::splat(b'"')) | bytes.simd_eq(u8x16::splat(b'\\'));
        let signs = signs.to_bitmask();
        if signs != 0 {
            return Some(16 * at + signs.trailing_zeros() as usize);
        }
    }
    let at = 16 * near.len();
    let rest = text.get(at..)?;
    Some(at + memchr::memchr2(b'"', b'\\', rest)?)
}

/// A string's text with its escapes undone.
pub(super) fn unescape(written: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', written).is_none() {
        return Cow::Borrowed(written);
    }
    let mut text = Vec::with_capacity(written.len());
    let mut rest = written;
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        if *byte != b'\\' {
            text.push(*byte);
            continue;
        }
        if rest.is_empty() {
            break;
        }
        rest = one(rest, &mut text);
    }
    Cow::Owned(text)
}

/// What the escape behind a backslash says; what is left behind it.
pub(super) fn one<'t>(rest: &'t [u8], text: &mut Vec<u8>) -> &'t [u8] {
    let Some((escape, rest)) = rest.split_first() else {
        return rest;
    };
    match escape {
        b'n' => text.push(b'\n'),
        b't' => text.push(b'\t'),
        b'r' => text.push(b'\r'),
        b'b' => text.push(8),
        b'f' => text.push(12),
        b'u' => return unicode(rest, text),
        other => text.push(*other),
    }
    rest
}

/// The character of `XXXX`, or of `XXXX\uXXXX` where it takes two; what is left behind it.
fn unicode<'t>(rest: &'t [u8], text: &mut Vec<u8>) -> &'t [u8] {
    let unit = |rest: &[u8]| {
        let digits = rest.get(..4)?;
        let mut digits = digits.iter().map(|b| char::from(*b).to_digit(16));
        digits.try_fold(0, |code, digit| Some(code << 4 | digit?))
    };
    let Some(mut code) = unit(rest) else {
        // No escape: what stands there is text, and may be half of a character or the name of a secret.
        text.extend_from_slice("\u{FFFD}".as_bytes());
        return rest;
    };
    let mut behind = rest.get(4..).unwrap_or_default();
    if (0xD800..0xDC00).contains(&code)
        && let Some(low) = behind.strip_prefix(b"\\u").and_then(unit)
        && (0xDC00..0xE000).contains(&low)
    {
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        behind = behind.get(6..).unwrap_or_default();
    }
    let character = char::from_u32(code).unwrap_or('\u{FFFD}');
    text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    behind
}

/// A text as it stands between the quotes of a JSON string.
pub(super) fn escaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 16);
    escape(text, &mut out);
    out
}

/// Writes text as it stands between the quotes of a JSON string.
pub(super) fn escape(text: &[u8], out: &mut Vec<u8>) {
    for byte in text {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..=31 => {
                out.extend_from_slice(b"\\u00");
                let digits = b"0123456789abcdef";
                for digit in [byte >> 4, byte & 15] {
                    out.extend(digits.get(usize::from(digit)));
                }
            }
            _ => out.push(*byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_sign_is_found_wherever_it_stands() {
        for length in 0..100 {
            let text = "x".repeat(length);
            assert_eq!(sign(text.as_bytes()), None);
            for rest in ["\"", "\\", "\"\\y", "\\\"some more of the text behind it"] {
                assert_eq!(sign((text.clone() + rest).as_bytes()), Some(length));
            }
        }
    }

    #[test]
    fn escapes_are_undone_and_done() {
        let check = |written: &str, expected: &str| {
            let text = unescape(written.as_bytes());
            assert_eq!(std::str::from_utf8(&text), Ok(expected));
        };
        check("plain", "plain");
        check(r#"a\"b\\c\nd\u0041\ud83d\ude00"#, "a\"b\\c\ndA😀");
        check(
            r"\u00ä1 \u+041 \upass \u00",
            "\u{FFFD}00ä1 \u{FFFD}+041 \u{FFFD}pass \u{FFFD}00",
        );
        let mut out = Vec::new();
        escape(b"a\"b\\c\n\x01", &mut out);
        assert_eq!(out, br#"a\"b\\c\n\u0001"#);
    }
}
