//! Text to tokens, one rule for writing and for asking.
//!
//! A token is a run of ASCII letters, digits and `_`, and of letters and digits of other scripts, folded to lower case.
//! One that holds a digit and has five bytes or more is like an id: it is kept as a hash in the id table, since a
//! dictionary of such tokens would cost more than everything else (reference: 2 CPU-seconds per million events).
//! All others are words, cut at 40 bytes.

use std::ops::Range;

/// Longest word kept.
pub(super) const WORD_BYTES_MAX: usize = 40;
/// A word longer than this may stand for several that were cut.
const WORD_BYTES_SURE: usize = WORD_BYTES_MAX - 4;
/// Shortest token with a digit that counts as an id.
const ID_BYTES_MIN: usize = 5;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Kept in the dictionary of words.
    Word,
    /// Kept as a hash in the id table.
    Id,
}

/// One character in lower case, always as one character; ASCII stays ASCII and the rest stays outside it.
pub(super) fn fold_char(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(one), None) if !one.is_ascii() => one,
        _ => c,
    }
}

/// The text in lower case.
pub(super) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    fold_into(text, &mut folded);
    folded
}

fn fold_into(text: &str, to: &mut String) {
    if text.is_ascii() {
        let start = to.len();
        to.push_str(text);
        if let Some(added) = to.get_mut(start..) {
            added.make_ascii_lowercase();
        }
    } else {
        to.extend(text.chars().map(fold_char));
    }
}

/// Whether two texts are equal but for case.
pub(super) fn equal(folded: &str, text: &str) -> bool {
    if text.is_ascii() {
        return folded.eq_ignore_ascii_case(text);
    }
    folded.chars().eq(text.chars().map(fold_char))
}

/// Whether a text starts like this but for case.
pub(super) fn starts_with(folded: &str, text: &str) -> bool {
    if folded.is_ascii() {
        let head = text.as_bytes().get(..folded.len());
        return head.is_some_and(|head| head.eq_ignore_ascii_case(folded.as_bytes()));
    }
    let mut chars = text.chars().map(fold_char);
    folded.chars().all(|wanted| chars.next() == Some(wanted))
}

/// Tokens of a text, unfolded.
pub(super) fn raw_tokens(text: &str) -> impl Iterator<Item = &str> {
    RawTokens { rest: text }
}

struct RawTokens<'a> {
    rest: &'a str,
}

impl<'a> Iterator for RawTokens<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let from = word_edge(self.rest, true)?;
        let tail = self.rest.get(from..)?;
        let to = word_edge(tail, false).unwrap_or(tail.len());
        let (token, rest) = tail.split_at_checked(to)?;
        self.rest = rest;
        Some(token)
    }
}

/// Byte position of the first character that is (`inside`) or is not part of a token.
fn word_edge(text: &str, inside: bool) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if byte.is_ascii() {
            if is_word_byte(*byte) == inside {
                return Some(at);
            }
            at += 1;
        } else {
            let c = text.get(at..)?.chars().next()?;
            if c.is_alphanumeric() == inside {
                return Some(at);
            }
            at += c.len_utf8();
        }
    }
    None
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether a character is part of tokens.
pub(super) fn is_word_char(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_alphanumeric() || c == '_'
    } else {
        c.is_alphanumeric()
    }
}

/// Hands out each token, folded and, where it is a word, cut; `buffer` is scratch space.
pub(super) fn each_token(text: &str, buffer: &mut String, mut found: impl FnMut(&str, Shape)) {
    if text.is_ascii() {
        return each_ascii(text, buffer, found);
    }
    each_place(text, buffer, |token, shape, _| found(token, shape));
}

/// The same, each with where it stands in the text, in bytes.
pub(super) fn each_place(
    text: &str,
    buffer: &mut String,
    mut found: impl FnMut(&str, Shape, Range<usize>),
) {
    let mut tokens = RawTokens { rest: text };
    while let Some(raw) = tokens.next() {
        let shape = shape(raw);
        buffer.clear();
        fold_into(raw, buffer);
        if shape == Shape::Word && buffer.len() > WORD_BYTES_MAX {
            cut(buffer);
        }
        let end = text.len() - tokens.rest.len();
        found(buffer, shape, end - raw.len()..end);
    }
}

/// What [`each_token`] does, for nearly all texts: they are folded whole and each byte is looked at once.
fn each_ascii(text: &str, buffer: &mut String, mut found: impl FnMut(&str, Shape)) {
    buffer.clear();
    fold_into(text, buffer);
    let mut hand_out = |from: usize, to: usize, has_digit: bool| {
        let is_id = has_digit && to - from >= ID_BYTES_MIN;
        let shape = if is_id { Shape::Id } else { Shape::Word };
        let end = if is_id {
            to
        } else {
            to.min(from + WORD_BYTES_MAX)
        };
        found(buffer.get(from..end).unwrap_or_default(), shape);
    };
    let (mut start, mut has_digit) = (0, false);
    for (at, byte) in buffer.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'_' => {}
            b'0'..=b'9' => has_digit = true,
            _ => {
                if start < at {
                    hand_out(start, at, has_digit);
                }
                (start, has_digit) = (at + 1, false);
            }
        }
    }
    if start < buffer.len() {
        hand_out(start, buffer.len(), has_digit);
    }
}

fn cut(token: &mut String) {
    let mut end = WORD_BYTES_MAX;
    while !token.is_char_boundary(end) {
        end -= 1;
    }
    token.truncate(end);
}

fn shape(token: &str) -> Shape {
    if token.len() >= ID_BYTES_MIN && token.bytes().any(|byte| byte.is_ascii_digit()) {
        Shape::Id
    } else {
        Shape::Word
    }
}

/// A token of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// Folded; cut where it is a word.
    pub(super) text: String,
    /// Where the index keeps it.
    pub(super) shape: Shape,
    /// Whether no other token has the same form in the index.
    pub(super) is_sure: bool,
}

/// All tokens of a query's text in order.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut all = Vec::new();
    each_token(text, &mut String::new(), |text, shape| {
        all.push(Token {
            text: text.to_owned(),
            shape,
            is_sure: shape == Shape::Word && text.len() <= WORD_BYTES_SURE,
        });
    });
    all
}

/// Whether the tokens stand in the text one behind the other.
pub(super) fn contains(text: &str, phrase: &[String]) -> bool {
    let mut is_found = false;
    phrases(text, phrase, |_| {
        is_found = true;
        false
    });
    is_found
}

/// Hands out where the tokens stand in the text one behind the other, in bytes, until told to stop.
pub(super) fn phrases(text: &str, phrase: &[String], mut found: impl FnMut(Range<usize>) -> bool) {
    let Some((first, others)) = phrase.split_first() else {
        return;
    };
    let behind = |tokens: &RawTokens<'_>| text.len() - tokens.rest.len();
    let mut rest = RawTokens { rest: text };
    while let Some(token) = rest.next() {
        if !equal(first, token) {
            continue;
        }
        let mut ahead = RawTokens { rest: rest.rest };
        let mut is_next = |wanted: &String| ahead.next().is_some_and(|token| equal(wanted, token));
        if others.iter().all(&mut is_next) && !found(behind(&rest) - token.len()..behind(&ahead)) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, Shape)]) {
        let mut got = Vec::new();
        each_token(text, &mut String::new(), |token, shape| {
            got.push((token.to_owned(), shape));
        });
        let expected: Vec<_> = expected
            .iter()
            .map(|(t, s)| ((*t).to_owned(), *s))
            .collect();
        assert_eq!(got, expected, "{text}");
    }

    #[test]
    fn words_and_ids_are_told_apart() {
        check(
            "GET /v1/Orders/ord_12345?q=a-b",
            &[
                ("get", Shape::Word),
                ("v1", Shape::Word),
                ("orders", Shape::Word),
                ("ord_12345", Shape::Id),
                ("q", Shape::Word),
                ("a", Shape::Word),
                ("b", Shape::Word),
            ],
        );
        check(
            "Größe ÜBER 日本",
            &[
                ("größe", Shape::Word),
                ("über", Shape::Word),
                ("日本", Shape::Word),
            ],
        );
        check("", &[]);
        check("--", &[]);
    }

    #[test]
    fn texts_in_ascii_have_the_tokens_of_others() {
        let texts = [
            "",
            "-",
            "a",
            " a",
            "a ",
            "_x-9 ab12 AB123",
            "?a=B&c__=12345&&",
            "x@y.Z:80/1234a",
            &"Long".repeat(20),
            &"Long1".repeat(20),
        ];
        for text in texts {
            let mut expected = Vec::new();
            // One character more, which is no part of a token, and the text is not ASCII.
            each_token(
                &format!("{text}\u{2028}"),
                &mut String::new(),
                |token, shape| {
                    expected.push((token.to_owned(), shape));
                },
            );
            let expected: Vec<_> = expected.iter().map(|(t, s)| (t.as_str(), *s)).collect();
            check(text, &expected);
        }
    }

    #[test]
    fn long_words_are_cut_between_characters() {
        let long = "ä".repeat(100);
        check(&long, &[(&"ä".repeat(20), Shape::Word)]);
        check(&"x".repeat(41), &[(&"x".repeat(40), Shape::Word)]);
    }

    #[test]
    fn phrases_are_found_in_order_only() {
        let phrase = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        assert!(contains(
            "connection Refused by peer",
            &phrase(&["refused", "by"])
        ));
        assert!(contains("a a b", &phrase(&["a", "b"])));
        assert!(!contains(
            "connection refused",
            &phrase(&["refused", "connection"])
        ));
        assert!(!contains("refused", &phrase(&["refused", "by"])));
        assert!(!contains("anything", &[]));
    }

    #[test]
    fn folding_keeps_ascii_apart() {
        // The Kelvin sign folds to an ASCII k in Unicode; here it stays itself.
        assert_eq!(fold("\u{212a}A"), "\u{212a}a");
        assert!(equal("é", "É"));
        assert!(!equal("k", "\u{212a}"));
    }
}
