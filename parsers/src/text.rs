//! Plain text: the line is the message.

use std::borrow::Cow;

use crate::{Format, Note, Options, Parsed, Value};

/// Keeps the text as one field `message`.
pub(crate) fn parse<'a>(parsed: &mut Parsed<'a>, text: &'a str, options: &Options) {
    parsed.format = Format::Text;
    let text = text.trim_ascii_end();
    let kept = bounded(text, options.value_bytes_max);
    if kept.len() < text.len() {
        parsed.note(Note::ValueTruncated);
    }
    parsed.push(Cow::Borrowed("message"), Value::Str(Cow::Borrowed(kept)));
}

/// What stands in place of a name that does not fit. Its beginning is not kept: a name may hold a secret
/// too, and half a secret is not recognized.
pub(crate) const LONG_NAME: &str = "long_name";

/// At most `bytes_max` bytes, and no half of anything.
pub(crate) fn bounded(text: &str, bytes_max: usize) -> &str {
    if text.len() <= bytes_max {
        return text;
    }
    whole(cut(text, bytes_max))
}

/// What is left of a text that was cut at its end without anything the cut may have torn, so that no
/// piece of a secret is left that can no longer be recognized.
///
/// Of a JSON document that is nothing: what its parts are may have stood behind the cut. Of anything
/// else the last word goes, however long it is, and the words with digits before it, as cards and the
/// like are written in groups; and a PEM block that is not closed.
pub(crate) fn whole(text: &str) -> &str {
    if is_document(text) {
        return "";
    }
    let mut kept = without_word(text);
    loop {
        let shorter = without_word(kept);
        let word = kept.get(shorter.len()..).unwrap_or_default();
        if word.is_empty() || !word.bytes().any(|b| b.is_ascii_digit()) {
            break;
        }
        kept = shorter;
    }
    match kept.rfind("-----BEGIN") {
        Some(open) if !kept.get(open..).unwrap_or_default().contains("-----END") => {
            kept.get(..open).unwrap_or_default()
        }
        _ => kept,
    }
}

/// The text without its last word.
fn without_word(text: &str) -> &str {
    let text = text.trim_ascii_end();
    let end = text.rfind(|c: char| c.is_ascii_whitespace()).unwrap_or(0);
    text.get(..end).unwrap_or_default().trim_ascii_end()
}

/// Whether a text begins as a JSON object or array does; `[12:00:01] …` does not.
fn is_document(text: &str) -> bool {
    let inside = text.trim_ascii_start().strip_prefix(['{', '[']);
    inside.is_some_and(|rest| rest.trim_ascii_start().starts_with(['"', '{', '[']))
}

/// At most `bytes_max` bytes, whole characters.
pub(crate) fn cut(text: &str, bytes_max: usize) -> &str {
    if text.len() <= bytes_max {
        return text;
    }
    text.get(..text.floor_char_boundary(bytes_max))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse_into;
    use crate::tests::show;

    #[test]
    fn a_cut_leaves_no_half() {
        let check = |text: &str, expected: &str| assert_eq!(whole(text), expected, "{text}");
        check("login with ghp_16C7e42F292c69", "login with");
        check("paid with 4012 8888 8888", "paid with");
        check("a\tb\nc", "a\tb");
        check("onewordalone", "");
        check("", "");
        check("[12:00:01] GET /a", "[12:00:01] GET");
        check(r#"{"credentials":{"deep":"hunter2 and"#, "");
        check(r#" [ {"value":"hunter2"}"#, "");
        check("key\n-----BEGIN PRIVATE KEY-----\nMIIE vQIB", "key\n");
        check(
            "key -----BEGIN X-----\nMIIE\n-----END X----- and more",
            "key -----BEGIN X-----\nMIIE\n-----END X----- and",
        );
        assert_eq!(bounded("some words", 10), "some words");
        assert_eq!(bounded("some words", 9), "some");
    }

    #[test]
    fn a_cut_tears_nothing_in_two() {
        let small = Options {
            record_bytes_max: 60,
            fields_max: 8,
            name_bytes_max: 16,
            ..Options::DEFAULT
        };
        let check = |format, record: &str, expected: &str| {
            let mut parsed = Parsed::default();
            parse_into(&mut parsed, format, record.as_bytes(), &small);
            assert_eq!(show(&parsed), expected, "{record}");
        };
        let auto = Format::Auto;
        // The bound lies within the card, the token, the number, the document.
        let room = " ".repeat(30);
        check(
            auto,
            &format!("{room}paid with 4012 8888 8888 1881 today"),
            &format!("message=\"{room}paid with\"\n"),
        );
        check(
            Format::Text,
            &format!("{room}token ghp_16C7e42F292c6912E7710c838347Ae178B4a"),
            &format!("message=\"{room}token\"\n"),
        );
        check(
            auto,
            &format!("{{\"a\":1,{room}\"number\":4012888888881881}}"),
            "a=1\n",
        );
        check(
            auto,
            r#"{"body":"{\"credentials\":{\"deep\":\"hunter2-correct-horse\"}}","b":1}"#,
            "message=\"\"\n",
        );
        // What says that the value is secret stands behind the bound.
        check(
            auto,
            r#"{"a":1,"headers":[{"value":"hunter2-correct-ho", "x": 1, "name":"Authorization"}]}"#,
            "a=1\n",
        );
        check(
            auto,
            r#"{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"h":[{"value":2,"k":1,"name":3}]}"#,
            "a=1\nb=1\nc=1\nd=1\ne=1\nf=1\n",
        );
        check(
            auto,
            r#"{"a":{"of-seventeen-byte":{"b":1}},"of-seventeen-byte":2}"#,
            "a.long_name.b=1\nlong_name=2\n",
        );
    }
}
