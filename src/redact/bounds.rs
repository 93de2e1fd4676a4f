//! Values are cut once they are clean: a secret across the edge would lose what it is recognized by, and
//! its first half would stay.

use std::borrow::Cow;

use super::tag;
use crate::model::{Event, Field, FieldName, ID_BYTES_MAX, Value};

/// Longest tag.
const TAG_BYTES_MAX: usize = 80;
/// The note on an event with a value that was cut, as the parsers say it.
const NOTE: &str = "value_truncated";

/// Cuts every value longer than `bytes_max`, ids shorter, and notes it.
pub(super) fn cut(event: &mut Event<'_>, bytes_max: usize) {
    let mut is_cut = false;
    for (name, value) in event.fields_mut() {
        let (Value::Str(text) | Value::Num(text)) = value else {
            continue;
        };
        // Hardly one is as long as the shorter bound.
        if text.len() <= bytes_max.min(ID_BYTES_MAX) {
            continue;
        }
        let bytes_max = if is_id(name) { ID_BYTES_MAX } else { bytes_max };
        if text.len() <= bytes_max {
            continue;
        }
        let kept = end(text, bytes_max);
        *value = Value::Str(match std::mem::take(text) {
            Cow::Borrowed(text) => text.get(..kept).unwrap_or_default().into(),
            Cow::Owned(mut text) => {
                text.truncate(kept);
                text.into()
            }
        });
        // The bound of ids is part of what an id is, so that cutting one is nothing odd about the event.
        is_cut |= !is_id(name);
    }
    let is_noted = |value: &Value<'_>| matches!(value, Value::Str(text) if text == NOTE);
    if is_cut && !event.values(Field::EventNotes).any(is_noted) {
        event.push_str(Field::EventNotes, NOTE);
    }
}

fn is_id(name: &FieldName<'_>) -> bool {
    matches!(
        name,
        FieldName::Known(Field::CorrelationId | Field::CorrelationIds | Field::HttpRequestId)
    )
}

/// Where to cut: between characters, and not within a tag.
fn end(text: &str, bytes_max: usize) -> usize {
    let end = text.floor_char_boundary(bytes_max);
    let bytes = text.as_bytes();
    let from = end.saturating_sub(TAG_BYTES_MAX);
    let near = bytes.get(from..end).unwrap_or_default();
    // The opening bracket alone, as the cut may lie within the first letters of the tag too.
    memchr::memrchr_iter(b'[', near)
        .map(|at| from + at)
        .find(|at| {
            let length = bytes.get(*at..).and_then(tag::tag_len);
            length.is_some_and(|length| at + length > end)
        })
        .unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use super::super::tests::redactor;
    use super::*;
    use crate::model::{Timestamp, text_of};

    fn cut_at(bytes_max: usize, name: &str, text: &str) -> (String, bool) {
        let mut event = Event::new(Timestamp(1), Timestamp(2));
        match Field::from_name(name) {
            Some(field) => event.push_str(field, text),
            None => event.push_ext(name, Value::Str(text.into())),
        }
        let clean = redactor().redact_within(event, bytes_max);
        let kept = text_of(&clean.fields()[0].1).unwrap().to_owned();
        (kept, clean.get(Field::EventNotes).is_some())
    }

    #[test]
    fn no_half_of_a_secret_survives_the_edge_wherever_it_lies() {
        let secret = "ghp_16C7e42F292c6912E7710c838347Ae178B4a";
        let card = "4012 8888 8888 1881";
        let body = serde_json::json!({"credentials": {"deep": ["hunter2-correct-horse"]}});
        let texts = [
            format!("before {secret} behind"),
            format!("before {card} behind"),
            "before password=\"correct horse battery\" behind".to_owned(),
            format!("before=1&token={secret}&b=2"),
            body.to_string(),
        ];
        let halves = ["ghp_", "4012", "correct", "hunter2"];
        for text in &texts {
            for edge in 1..text.len() {
                let (kept, _) = cut_at(edge, "message", text);
                assert!(kept.len() <= edge, "{kept}");
                for half in halves {
                    assert!(!kept.contains(half), "{half} at {edge}: {kept}");
                }
                let opened = kept.matches("[R:").count();
                assert_eq!(opened, kept.matches(']').count(), "{kept}");
            }
        }
    }

    #[test]
    fn what_is_cut_is_noted_and_what_fits_is_not() {
        let check = |bytes_max, text: &str, expected: (&str, bool)| {
            let (kept, is_noted) = cut_at(bytes_max, "message", text);
            assert_eq!((kept.as_str(), is_noted), expected);
        };
        check(4, "some", ("some", false));
        check(3, "some", ("som", true));
        check(3, "é€", ("é", true));
        let long = "x".repeat(200);
        let (kept, _) = cut_at(1_000, "correlation.id", &long);
        assert_eq!(kept.len(), ID_BYTES_MAX);
    }
}
