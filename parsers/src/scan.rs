//! Shared scanning of JSON bytes: strings, whitespace, and where a value ends, without building
//! anything.

/// Deepest nesting the splitter follows; what is deeper counts as malformed.
const DEPTH_MAX: usize = 1024;

/// Why and where a value does not end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fail {
    /// Where the grammar broke.
    pub at: usize,
    /// Start of the last string before that: an unclosed quote lies at or behind it.
    pub string: usize,
}

/// Position behind JSON whitespace.
#[inline]
pub(crate) fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(at) {
        at += 1;
    }
    at
}

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// High bit of the first byte that equals `byte`, and possibly of later ones.
#[inline]
const fn matches(word: u64, byte: u8) -> u64 {
    let same = word ^ (LOW.wrapping_mul(byte as u64));
    same.wrapping_sub(LOW) & !same & HIGH
}

/// Position of the next `"` or `\`. Most strings are short, so three words are looked at by hand
/// before the vector search is called.
#[inline(always)]
pub(crate) fn quote_or_escape(bytes: &[u8], from: usize) -> Option<usize> {
    let mut rest = bytes.get(from..)?;
    let mut at = from;
    for _ in 0..3 {
        let Some((chunk, tail)) = rest.split_first_chunk::<8>() else {
            break;
        };
        let word = u64::from_le_bytes(*chunk);
        let hits = matches(word, b'"') | matches(word, b'\\');
        if hits != 0 {
            return Some(at + (hits.trailing_zeros() >> 3) as usize);
        }
        rest = tail;
        at += 8;
    }
    memchr::memchr2(b'"', b'\\', rest).map(|found| at + found)
}

/// Position behind the closing quote of a string whose opening quote is before `at`; a line break
/// inside means that the string was never closed.
fn string_close(bytes: &[u8], mut at: usize) -> Result<usize, usize> {
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(found) = memchr::memchr3(b'"', b'\\', b'\n', rest) else {
            return Err(bytes.len());
        };
        match bytes.get(at + found) {
            Some(b'"') => return Ok(at + found + 1),
            Some(b'\\') => at += found + 2,
            _ => return Err(at + found),
        }
    }
}

/// Objects and arrays that are open, one bit each.
struct Open {
    bits: [u64; DEPTH_MAX / 64],
    depth: usize,
}

impl Open {
    fn push(&mut self, is_object: bool) -> bool {
        let Some(word) = self.bits.get_mut(self.depth / 64) else {
            return false;
        };
        let bit = 1u64 << (self.depth % 64);
        *word = if is_object { *word | bit } else { *word & !bit };
        self.depth += 1;
        true
    }

    fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    fn is_object(&self) -> bool {
        let top = self.depth.saturating_sub(1);
        self.bits
            .get(top / 64)
            .is_some_and(|word| word >> (top % 64) & 1 == 1)
    }
}

#[derive(Clone, Copy)]
enum Expect {
    Value,
    ValueOrEnd,
    KeyOrEnd,
    Key,
    Colon,
    CommaOrEnd,
}

/// Position behind the JSON value that starts at `from`, by the grammar (scalars are taken
/// loosely).
pub(crate) fn value_end(bytes: &[u8], from: usize) -> Result<usize, Fail> {
    let mut open = Open {
        bits: [0; DEPTH_MAX / 64],
        depth: 0,
    };
    let mut at = from;
    let mut string = from;
    let mut expect = Expect::Value;
    loop {
        at = skip_space(bytes, at);
        let fail = Fail { at, string };
        let byte = *bytes.get(at).ok_or(fail)?;
        expect = match (expect, byte) {
            (Expect::Value | Expect::ValueOrEnd, b'{' | b'[') => {
                if !open.push(byte == b'{') {
                    return Err(fail);
                }
                at += 1;
                if byte == b'{' {
                    Expect::KeyOrEnd
                } else {
                    Expect::ValueOrEnd
                }
            }
            (Expect::Value | Expect::ValueOrEnd | Expect::Key | Expect::KeyOrEnd, b'"') => {
                string = at;
                at = string_close(bytes, at + 1).map_err(|at| Fail { at, string })?;
                match expect {
                    Expect::Key | Expect::KeyOrEnd => Expect::Colon,
                    _ => Expect::CommaOrEnd,
                }
            }
            (Expect::Colon, b':') => {
                at += 1;
                Expect::Value
            }
            (Expect::CommaOrEnd, b',') => {
                at += 1;
                if open.is_object() {
                    Expect::Key
                } else {
                    Expect::Value
                }
            }
            (Expect::KeyOrEnd, b'}') | (Expect::ValueOrEnd, b']') => {
                at += 1;
                open.pop();
                Expect::CommaOrEnd
            }
            (Expect::CommaOrEnd, b'}' | b']') if open.is_object() == (byte == b'}') => {
                at += 1;
                open.pop();
                Expect::CommaOrEnd
            }
            (Expect::Value | Expect::ValueOrEnd, _) => {
                at = scalar_end(bytes, at).ok_or(fail)?;
                Expect::CommaOrEnd
            }
            _ => return Err(fail),
        };
        if open.depth == 0 && matches!(expect, Expect::CommaOrEnd) {
            return Ok(at);
        }
    }
}

/// Whether what stands behind the bracket at `at` can be the first element of an array.
pub(crate) fn begins_array(bytes: &[u8], at: usize) -> bool {
    let first = skip_space(bytes, at + 1);
    match bytes.get(first) {
        Some(b'"' | b'[' | b'{') => true,
        _ => scalar_end(bytes, first)
            .and_then(|end| std::str::from_utf8(bytes.get(first..end)?).ok())
            .is_some_and(is_value),
    }
}

/// Whether a text is one JSON string, number or array: an element of a list of records that is no record.
/// Words (`null`) are left to be words.
pub(crate) fn is_value(text: &str) -> bool {
    let bytes = text.as_bytes();
    match bytes.first() {
        Some(b'[') if !begins_array(bytes, 0) && bytes != b"[]" => false,
        Some(b'"' | b'[') => value_end(bytes, 0) == Ok(bytes.len()),
        Some(b'-' | b'0'..=b'9') => text.parse::<f64>().is_ok(),
        _ => matches!(text, "null" | "true" | "false"),
    }
}

/// Position behind a number or a word.
pub(crate) fn scalar_end(bytes: &[u8], from: usize) -> Option<usize> {
    let length = bytes
        .get(from..)?
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || b"+-._".contains(byte))
        .count();
    (length > 0).then_some(from + length)
}

/// How an object that starts at `from` stands at the end of its line.
pub(crate) enum Line {
    /// It is closed; position behind the brace.
    Closed(usize),
    /// The line ends inside a string.
    InString,
    /// The line ends between tokens.
    Open,
}

/// Follows brackets and strings from `at` to the end of `line`, `depth` brackets being open.
pub(crate) fn close(line: &[u8], mut at: usize, mut depth: usize) -> Line {
    while let Some(byte) = line.get(at) {
        match byte {
            b'"' => match string_close(line, at + 1) {
                Ok(behind) => {
                    at = behind;
                    continue;
                }
                Err(_) => return Line::InString,
            },
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Line::Closed(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
    Line::Open
}
