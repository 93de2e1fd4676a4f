//! Log data on a terminal: nothing in it may move the cursor, change colours or reorder the text.

use std::borrow::Cow;
use std::fmt::Write;

/// Control, bidirectional and zero-width characters as visible escapes (`\u{202e}`), the rest as it is.
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
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

fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, expected: &str) {
        assert_eq!(escape(input), expected);
    }

    #[test]
    fn hostile_characters_become_visible() {
        check("plain ünïcode 日本", "plain ünïcode 日本");
        check("\u{1b}[31mred\u{7}", "\\u{1b}[31mred\\u{7}");
        check("a\u{202e}b\u{200b}c", "a\\u{202e}b\\u{200b}c");
        check("two\nlines", "two\\nlines");
    }
}
