//! A clean event as the flat JSON object that users see: dotted names in the order of the event, a name with
//! several values as an array.

use super::CleanEvent;
use crate::model::{Offset, Timestamp, Value};

/// The event as one line of JSON: `{"id":"evt_…","@timestamp":"…","event.ingested":"…", …}`.
#[must_use]
pub fn to_json(event: &CleanEvent<'_>, offset: Offset) -> String {
    let mut json = String::with_capacity(1024);
    json.push_str("{\"id\":\"");
    json.push_str(&offset.event_id());
    time(&mut json, "@timestamp", event.time);
    time(&mut json, "event.ingested", event.received);
    json.push('"');
    let fields = event.fields();
    for (at, (name, value)) in fields.iter().enumerate() {
        if fields.iter().take(at).any(|(earlier, _)| earlier == name) {
            continue;
        }
        json.push(',');
        string(&mut json, &name.public());
        json.push(':');
        let mut others = fields
            .iter()
            .skip(at + 1)
            .filter(|(other, _)| other == name)
            .peekable();
        if others.peek().is_none() {
            scalar(&mut json, value);
            continue;
        }
        json.push('[');
        scalar(&mut json, value);
        for (_, other) in others {
            json.push(',');
            scalar(&mut json, other);
        }
        json.push(']');
    }
    json.push('}');
    json
}

/// Ends the string before and leaves the new one open.
fn time(json: &mut String, name: &str, at: Timestamp) {
    json.push_str("\",\"");
    json.push_str(name);
    json.push_str("\":\"");
    json.push_str(&at.to_rfc3339());
}

fn scalar(json: &mut String, value: &Value<'_>) {
    match value {
        Value::Str(text) => string(json, text),
        Value::Num(text) if is_json_number(text) => json.push_str(text),
        Value::Num(text) => string(json, text),
        Value::Bool(true) => json.push_str("true"),
        Value::Bool(false) => json.push_str("false"),
        Value::Null => json.push_str("null"),
    }
}

fn string(json: &mut String, text: &str) {
    // A string always has a JSON form.
    json.push_str(&serde_json::to_string(text).unwrap_or_else(|_| String::from("\"\"")));
}

/// Whether the text is a number in the grammar of RFC 8259 as it stands.
fn is_json_number(text: &str) -> bool {
    let rest = text.strip_prefix('-').unwrap_or(text);
    let (whole, rest) = digits(rest);
    if whole.is_empty() || (whole.len() > 1 && whole.starts_with('0')) {
        return false;
    }
    let rest = match rest.strip_prefix('.') {
        Some(fraction) => {
            let (fraction, rest) = digits(fraction);
            if fraction.is_empty() {
                return false;
            }
            rest
        }
        None => rest,
    };
    let Some(exponent) = rest.strip_prefix(['e', 'E']) else {
        return rest.is_empty();
    };
    let (power, rest) = digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent));
    !power.is_empty() && rest.is_empty()
}

fn digits(text: &str) -> (&str, &str) {
    let end = text
        .bytes()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or(("", text))
}

#[cfg(test)]
mod tests {
    use super::super::codec::tests::clean;
    use super::*;
    use crate::model::{Event, Field};

    #[test]
    fn an_event_is_flat_and_keeps_its_order() {
        let mut event = Event::new(
            Timestamp::from_millis(1_795_288_351_621),
            Timestamp::from_millis(1_795_288_351_700),
        );
        event.push_str(Field::Message, "say \"hi\"\n");
        event.push(Field::HttpStatus, Value::Num("200".into()));
        event.push_str(Field::Tags, "a");
        event.push_ext("price", Value::Num("73.90".into()));
        event.push_ext("odd", Value::Num("007".into()));
        event.push_str(Field::Tags, "b");
        event.push_ext("none", Value::Null);
        assert_eq!(
            to_json(&clean(event), Offset(1)),
            concat!(
                r#"{"id":"evt_0000000000001","@timestamp":"2026-11-21T19:12:31.621Z","#,
                r#""event.ingested":"2026-11-21T19:12:31.700Z","message":"say \"hi\"\n","#,
                r#""http.response.status_code":200,"tags":["a","b"],"ext.price":73.90,"#,
                r#""ext.odd":"007","ext.none":null}"#
            )
        );
    }

    #[test]
    fn numbers_stay_as_written_only_where_json_allows() {
        for good in ["0", "-1", "10", "1.50", "1e9", "-0.1E-7"] {
            assert!(is_json_number(good), "{good}");
        }
        for bad in ["", "-", "01", "1.", ".5", "1e", "+1", "NaN", "1 ", "0x1"] {
            assert!(!is_json_number(bad), "{bad}");
        }
    }
}
