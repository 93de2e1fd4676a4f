//! Plain text: the line is the message.

use std::borrow::Cow;

use crate::{Format, Note, Options, Parsed, Value};

/// Keeps the text as one field `message`.
pub(crate) fn parse<'a>(parsed: &mut Parsed<'a>, text: &'a str, options: &Options) {
    parsed.format = Format::Text;
    let text = text.trim_ascii_end();
    let kept = cut(text, options.value_bytes_max);
    if kept.len() < text.len() {
        parsed.note(Note::ValueTruncated);
    }
    parsed.push(Cow::Borrowed("message"), Value::Str(Cow::Borrowed(kept)));
}

/// At most `bytes_max` bytes, whole characters.
pub(crate) fn cut(text: &str, bytes_max: usize) -> &str {
    if text.len() <= bytes_max {
        return text;
    }
    text.get(..text.floor_char_boundary(bytes_max))
        .unwrap_or_default()
}
