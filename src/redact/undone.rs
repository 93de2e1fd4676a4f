//! Undoing escapes of a text whose places are needed again: what is found in the plain text is replaced in the written one.

use std::ops::Range;

use super::{encoding, escapes};

/// A text with its escapes undone once.
pub(super) struct Undone {
    pub(super) plain: Vec<u8>,
    /// Behind each byte that was written otherwise: the place in the plain text and that in the written one.
    steps: Vec<(usize, usize)>,
}

impl Undone {
    /// JSON escapes and `%XX`; `None` where nothing changes.
    pub(super) fn all(text: &[u8]) -> Option<Self> {
        memchr::memchr2(b'\\', b'%', text)?;
        Self::of(text, |at, byte, plain| match byte {
            b'\\' => escaped(text.get(at + 1..).unwrap_or_default(), plain),
            _ => encoding::percent_byte(text, at).map_or(1, |(byte, width)| {
                plain.push(byte);
                width
            }),
        })
    }

    /// `%XX` alone; `None` where nothing changes.
    pub(super) fn percent(text: &[u8]) -> Option<Self> {
        memchr::memchr(b'%', text)?;
        Self::of(text, |at, byte, plain| {
            let (byte, width) = encoding::percent_byte(text, at).unwrap_or((byte, 1));
            plain.push(byte);
            width
        })
    }

    /// `\uXXXX` and `\xXX` alone, so that what is quoted stays so; `None` where nothing changes.
    pub(super) fn unicode(text: &[u8]) -> Option<Self> {
        memchr::memchr(b'\\', text)?;
        memchr::memmem::find(text, b"\\u00").or_else(|| memchr::memmem::find(text, b"\\x"))?;
        Self::of(text, |at, byte, plain| match text.get(at + 1..) {
            Some(rest @ [b'u', ..]) if byte == b'\\' => escaped(rest, plain),
            // As nginx writes what is no plain text.
            Some([b'x', high, low, ..]) if byte == b'\\' => match encoding::byte(*high, *low) {
                Some(byte) => {
                    plain.push(byte);
                    4
                }
                None => {
                    plain.push(b'\\');
                    1
                }
            },
            _ => {
                plain.push(byte);
                1
            }
        })
    }

    /// By what writes down the byte at a place, undone, and says how many bytes it took.
    fn of(text: &[u8], step: impl Fn(usize, u8, &mut Vec<u8>) -> usize) -> Option<Self> {
        let mut plain = Vec::with_capacity(text.len());
        let mut steps = Vec::new();
        let mut at = 0;
        while let Some(byte) = text.get(at) {
            let width = step(at, *byte, &mut plain);
            at += width;
            if width > 1 {
                steps.push((plain.len(), at));
            }
        }
        (!steps.is_empty()).then_some(Self { plain, steps })
    }

    /// Where a part of the plain text is in the written one.
    pub(super) fn range(&self, plain: &Range<usize>) -> Range<usize> {
        self.place(plain.start)..self.place(plain.end)
    }

    /// Where a place of the plain text is in the written one.
    pub(super) fn place(&self, plain: usize) -> usize {
        let behind = self.steps.partition_point(|(at, _)| *at <= plain);
        let step = behind.checked_sub(1).and_then(|step| self.steps.get(step));
        let (at, written) = step.copied().unwrap_or_default();
        written + (plain - at)
    }
}

/// What stands behind a backslash, undone; how many bytes write it. A backslash that escapes nothing is itself.
fn escaped(rest: &[u8], plain: &mut Vec<u8>) -> usize {
    let is_escape = match rest {
        [b'u', digits @ ..] => digits
            .get(..4)
            .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)),
        [escape, ..] => b"\"\\/bfnrt".contains(escape),
        [] => false,
    };
    if !is_escape {
        plain.push(b'\\');
        return 1;
    }
    1 + rest.len() - escapes::one(rest, plain).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_lead_back_to_what_was_written() {
        let check = |written: &str, plain: &str, expected: &[(usize, usize)]| {
            let undone = Undone::all(written.as_bytes()).unwrap();
            assert_eq!(String::from_utf8_lossy(&undone.plain), plain);
            for (plain, at) in expected {
                assert_eq!(undone.place(*plain), *at, "{written} {plain}");
            }
        };
        check(
            r"a\u0062c%64e",
            "abcde",
            &[(0, 0), (1, 1), (2, 7), (3, 8), (4, 11), (5, 12)],
        );
        check(
            r"\u00e9\ud83d\ude00x",
            "é😀x",
            &[(0, 0), (2, 6), (6, 18), (7, 19)],
        );
        check(r"\n%0a", "\n\n", &[(0, 0), (1, 2), (2, 5)]);
        for written in ["plain", "100 %", r"C:\users\kim", "\\", "%4"] {
            assert!(Undone::all(written.as_bytes()).is_none(), "{written}");
        }
    }

    #[test]
    fn only_unicode_is_undone_where_quotes_count() {
        let undone = Undone::unicode(br#"{\"p\u0061s\":%41"#).unwrap();
        assert_eq!(undone.plain, br#"{\"pas\":%41"#);
        assert_eq!(undone.place(5), 10);
        assert!(Undone::unicode(br"a\n%41\u1234").is_none());
    }

    #[test]
    fn percent_alone_is_undone() {
        let undone = Undone::percent(b"a%20b\\n%41c").unwrap();
        assert_eq!(undone.plain, b"a b\\nAc");
        assert_eq!(undone.range(&(1..3)), 1..5);
        assert_eq!(undone.range(&(5..7)), 7..11);
        assert!(Undone::percent(b"100% \\u0041").is_none());
    }
}
