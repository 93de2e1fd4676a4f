//! Log data on a terminal: nothing in it may move the cursor, change colours or reorder the text.

use std::borrow::Cow;
use std::fmt::Write;

pub(super) use crate::model::visible as escape;

/// The same for a JSON text, which stays JSON with the same meaning: `\u202e` for what would act.
#[must_use]
pub(super) fn escape_json(text: &str) -> Cow<'_, str> {
    let is_hostile = |c: char| c != '\n' && crate::model::is_hostile(c);
    if !text.chars().any(is_hostile) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_hostile(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let written = write!(safe, "\\u{unit:04x}");
                debug_assert!(written.is_ok(), "writing to a string cannot fail");
            }
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_keeps_its_meaning() {
        let value = serde_json::json!({"a": "x\u{202e}y\u{9b}\u{e0041}\u{1b}", "b": "日本"});
        let text = serde_json::to_string_pretty(&value).unwrap();
        let safe = escape_json(&text);
        assert!(
            safe.contains("x\\u202ey\\u009b\\udb40\\udc41\\u001b"),
            "{safe}"
        );
        assert!(safe.contains("日本"));
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&safe).unwrap(),
            value
        );
    }
}
