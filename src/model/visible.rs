//! Text of events where people read it: nothing in it may move a cursor, change colours, or make the text look
//! like another.

use std::borrow::Cow;
use std::fmt::Write;

/// Control, bidirectional and invisible characters as visible escapes (`\u{202e}`), the rest as it is.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hostile) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            '\t' => safe.push_str("\\t"),
            c if is_hostile(c) => {
                let written = write!(safe, "\\u{{{:x}}}", u32::from(c));
                debug_assert!(written.is_ok(), "writing to a string cannot fail");
            }
            c => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

/// Whether a character changes how others are shown, or is not seen itself.
#[must_use]
pub fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, expected: &str) {
        assert_eq!(visible(input), expected);
    }

    #[test]
    fn hostile_characters_become_visible() {
        check("plain ünïcode 日本", "plain ünïcode 日本");
        check(
            "\u{1b}[31mred\u{7}\u{9b}2J",
            "\\u{1b}[31mred\\u{7}\\u{9b}2J",
        );
        check("a\u{202e}b\u{200b}c", "a\\u{202e}b\\u{200b}c");
        check("x\u{2066}y\u{e0041}", "x\\u{2066}y\\u{e0041}");
        check("two\nlines", "two\\nlines");
    }
}
