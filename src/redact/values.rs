//! Values with a structure that stays while their secrets go: the scheme of `Authorization`, the names and attributes of
//! cookies.

use std::ops::Range;

/// What stands behind the scheme of an `Authorization` value: all of it where there is no scheme.
pub(super) fn behind_scheme(text: &[u8], value: Range<usize>) -> Range<usize> {
    let Some(written) = text.get(value.clone()) else {
        return value;
    };
    // A scheme read without quotes ends at the room behind it: what follows belongs to the value.
    let scheme = written
        .iter()
        .take(24)
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        .count();
    let is_scheme = written.first().is_some_and(u8::is_ascii_alphabetic);
    let behind = text.get(value.start + scheme..).unwrap_or_default();
    let room = behind.iter().take_while(|b| **b == b' ').count();
    if !is_scheme || scheme == 0 || room == 0 {
        return value;
    }
    let start = value.start + scheme + room;
    if start < value.end {
        return start..value.end;
    }
    let rest = text.get(start..).unwrap_or_default();
    let end = rest
        .iter()
        .position(|b| b.is_ascii_whitespace() || b"\"'`\\".contains(b))
        .map_or(text.len(), |end| start + end);
    if end > start { start..end } else { value }
}

/// Whether a value says how to connect: `dsn` is also a delivery status.
pub(super) fn is_connection(value: &[u8]) -> bool {
    value.contains(&b'=') || value.contains(&b'@') || memchr::memmem::find(value, b"://").is_some()
}

/// Attributes of `Set-Cookie` (RFC 6265bis), which tell nothing secret.
const ATTRIBUTES: &[&[u8]] = &[
    b"path",
    b"domain",
    b"expires",
    b"max-age",
    b"samesite",
    b"httponly",
    b"secure",
    b"priority",
    b"partitioned",
    b"version",
    b"comment",
];

/// Calls `take` with the place of every cookie's value; with the whole where there is no `name=`.
pub(super) fn cookie_values(text: &[u8], value: Range<usize>, mut take: impl FnMut(Range<usize>)) {
    let Some(written) = text.get(value.clone()) else {
        return;
    };
    if !written.contains(&b'=') {
        return take(value);
    }
    let mut start = value.start;
    for part in written.split(|b| *b == b';') {
        let end = start + part.len();
        if let Some(equals) = memchr::memchr(b'=', part) {
            let name = part.get(..equals).unwrap_or_default().trim_ascii();
            if !ATTRIBUTES
                .iter()
                .any(|known| name.eq_ignore_ascii_case(known))
            {
                let written = part.get(equals + 1..).unwrap_or_default();
                let room = written.len() - written.trim_ascii_start().len();
                let begin = start + equals + 1 + room;
                take(begin..begin + written.trim_ascii().len());
            }
        } else if part.trim_ascii().len() >= 16 {
            take(start..end);
        }
        start = end + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_stay() {
        let check = |text: &str, expected: &str| {
            let place = behind_scheme(text.as_bytes(), 0..text.len());
            assert_eq!(text.get(place), Some(expected));
        };
        check("Bearer abc", "abc");
        check(
            "Digest username=\"x\", response=\"y\"",
            "username=\"x\", response=\"y\"",
        );
        check("abc", "abc");
        check("0abc def", "0abc def");
        assert_eq!(behind_scheme(b"Bearer abc, rest", 0..6), 7..11);
    }

    #[test]
    fn cookies_keep_names_and_attributes() {
        let check = |text: &str, expected: &[&str]| {
            let mut found = Vec::new();
            cookie_values(text.as_bytes(), 0..text.len(), |place| {
                found.extend(text.get(place))
            });
            assert_eq!(found, expected);
        };
        check("sid=abc; theme=dark", &["abc", "dark"]);
        check(
            "sid=abc=; Path=/; Expires=Wed, 01 Jan 2027 00:00:00 GMT; HttpOnly",
            &["abc="],
        );
        check("opaque", &["opaque"]);
    }
}
