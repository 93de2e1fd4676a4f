//! What a short text is made of, seen sixteen bytes at a time and without a branch: most values are so short that every
//! search that is not begun tells, and ids are drawn, so that to branch on their bytes is to guess.

use wide::u8x16;

/// Shortest text that holds any of this.
const BYTES_MIN: usize = 8;
/// Longest text whose makeup is worked out: one bit for each byte.
const BYTES_MAX: usize = 64;

/// What may be in a text. Each holds where the thing itself may be there, and now and then where it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Makeup {
    /// Nine digits, spaces and dashes in a row.
    pub(super) has_number: bool,
    /// Twenty-four characters of base64 in a row.
    pub(super) has_base64: bool,
    /// `%` or a backslash.
    pub(super) has_escape: bool,
    /// `[`, which begins a tag.
    pub(super) has_bracket: bool,
}

impl Makeup {
    const NOTHING: Self = Self {
        has_number: false,
        has_base64: false,
        has_escape: false,
        has_bracket: false,
    };
    const ANYTHING: Self = Self {
        has_number: true,
        has_base64: true,
        has_escape: true,
        has_bracket: true,
    };

    /// Of a text.
    pub(super) fn of(text: &[u8]) -> Self {
        if text.len() < BYTES_MIN {
            return Self::NOTHING;
        }
        if text.len() > BYTES_MAX {
            return Self::ANYTHING;
        }
        let mut marks = Marks::default();
        let (chunks, _) = text.as_chunks();
        for (at, chunk) in chunks.iter().enumerate() {
            marks.add(*chunk, 16 * at);
        }
        // What is left has fewer bytes: the last ones of the text, some of them again.
        if let Some(chunk) = text.last_chunk() {
            marks.add(*chunk, text.len() - 16);
        } else {
            let mut chunk = [0; 16];
            chunk
                .iter_mut()
                .zip(text)
                .for_each(|(to, byte)| *to = *byte);
            marks.add(chunk, 0);
        }
        Self {
            has_number: has_row(marks.numbers, 9),
            has_base64: has_row(marks.base64, 24),
            has_escape: marks.escapes.any(),
            has_bracket: marks.brackets.any(),
        }
    }
}

/// Which bytes of a text are what: a bit for each, or whether one is.
#[derive(Default)]
struct Marks {
    numbers: u64,
    base64: u64,
    escapes: u8x16,
    brackets: u8x16,
}

impl Marks {
    /// Adds the bytes that begin there.
    fn add(&mut self, bytes: [u8; 16], at: usize) {
        let bytes = u8x16::new(bytes);
        let is = |byte| bytes.simd_eq(u8x16::splat(byte));
        let numbers =
            are_between(bytes, b'0', b'9') | is(b' ') | is(b'-') | are_between(bytes, 0x80, 0xff);
        let letters = are_between(bytes | u8x16::splat(0x20), b'a', b'z');
        // `,` and `.` are none, but stand among them.
        let base64 = letters | are_between(bytes, b'+', b'9') | is(b'_');
        self.numbers |= u64::from(numbers.to_bitmask()) << at;
        self.base64 |= u64::from(base64.to_bitmask()) << at;
        self.escapes |= is(b'%') | is(b'\\');
        self.brackets |= is(b'[');
    }
}

fn are_between(bytes: u8x16, first: u8, last: u8) -> u8x16 {
    let above = bytes - u8x16::splat(first);
    above.min(u8x16::splat(last - first)).simd_eq(above)
}

/// Whether so many bits stand in a row.
fn has_row(bits: u64, length: u32) -> bool {
    let (mut row, mut known) = (bits, 1);
    while known < length {
        let step = known.min(length - known);
        row &= row >> step;
        known += step;
    }
    row != 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::decoded;
    use super::*;

    fn check(text: &str, expected: &str) {
        let makeup = Makeup::of(text.as_bytes());
        let mut said = String::new();
        for (is_there, sign) in [
            (makeup.has_number, 'n'),
            (makeup.has_base64, 'b'),
            (makeup.has_escape, 'e'),
            (makeup.has_bracket, 't'),
        ] {
            said.extend(is_there.then_some(sign));
        }
        assert_eq!(said, expected, "{text}");
    }

    #[test]
    fn a_text_is_made_of_these() {
        check("", "");
        check("12345678", "");
        check("123456789", "n");
        check("GET 200 12 ms", "");
        check("id 4111 1111 1111 1111.", "n");
        check("4111\u{a0}1111", "n");
        check("[R:x", "");
        check("a1b2c3d4e5f6a7b8c9d0e1f", "");
        check("a1b2c3d4e5f6a7b8c9d0e1f2", "b");
        check("x a1b2c3d4_5f6a-b8c9/0e1 2", "");
        check("xa1b2c3d4_5f6a-b8c9/0e1+2", "b");
        check("1000000%", "e");
        check("ab\\u0041", "e");
        check("x [R:card", "t");
        check(&"~ ".repeat(33), "nbet");
    }

    proptest! {
        #[test]
        fn nothing_that_is_there_is_missed(text in "[0-9 \\-a-fXYZ+/_%\\[\\\\\u{a0}.:]{0,64}") {
            let makeup = Makeup::of(text.as_bytes());
            let is_part = |b: &u8| b.is_ascii_digit() || b" -\xc2\xa0".contains(b);
            let mut rows = text.as_bytes().windows(9);
            prop_assert!(makeup.has_number || !rows.any(|row| row.iter().all(is_part)));
            prop_assert!(makeup.has_base64 || decoded::runs(text.as_bytes()).next().is_none());
            let is_short = text.len() < BYTES_MIN;
            prop_assert!(makeup.has_escape || is_short || !text.contains(['%', '\\']));
            prop_assert!(makeup.has_bracket || is_short || !text.contains('['));
        }
    }
}
