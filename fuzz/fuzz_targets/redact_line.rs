//! `fuzz/run redact_line`: any text, with a secret planted in it, through every public way of the
//! redactor that takes text: a line, a text, lines of a filter, an event.
#![no_main]

mod plant;

use std::borrow::Cow;

use libfuzzer_sys::fuzz_target;
use plant::{Case, escaped, holds, percent, quoted, redactor};
use wardline::model::{Event, Field, Timestamp, Value, text_of};
use wardline::redact::{CleanEvent, Filter, Redactor};

fuzz_target!(|bytes: &[u8]| {
    let Some(case) = Case::new(bytes) else { return };
    let redactor = redactor(case.choose(7, 2) == 1);
    let (name, secret) = case.secret();
    if holds(case.noise, &secret) {
        return;
    }
    match case.choose(4, 12) {
        0 => as_line(&redactor, case.noise, None),
        1 => as_lines(&redactor, case.noise, None),
        2 => as_event(&redactor, &case, name, &secret),
        carrier => {
            let (before, behind) = case.halves();
            let line = carried(carrier, name, &secret, before, behind);
            as_line(&redactor, &line, Some(&secret));
            as_lines(&redactor, &line, Some(&secret));
        }
    }
});

/// A line in which the secret is the value of a field of its own.
fn carried(carrier: usize, name: &str, secret: &str, before: &[u8], behind: &[u8]) -> Vec<u8> {
    let (a, b) = (quoted(before), quoted(behind));
    let body = format!("{{\"a\":{a},\"{name}\":\"{secret}\",\"b\":{b}}}");
    let middle =
        match carrier {
            3 => return body.into_bytes(),
            4 => {
                return format!("{{{a}:[1,{{{b}:{b},\"{name}\":\"{}\"}}]}}", escaped(secret))
                    .into_bytes();
            }
            5 => return format!(
                "{{\"m\":{a},\"h\":[{{\"name\":\"X-Api-Key\",\"value\":\"{secret}\"}}],\"b\":{b}}}"
            )
            .into_bytes(),
            6 => return format!("{{\"body\":{},\"b\":{b}}}", quoted(body.as_bytes())).into_bytes(),
            7 => return inserted(name, secret, before, behind),
            8 => format!(" {name}={secret} "),
            9 => format!(" GET /x?page=1&{name}={}&y=2 ", percent(secret)),
            10 => format!(" Authorization: Bearer {secret} "),
            _ => format!(" {{\"{name}\":\"{secret}\"}} "),
        };
    [before, middle.as_bytes(), behind].concat()
}

/// The noise as a document with one more member, where it is one; else behind a line of its own.
fn inserted(name: &str, secret: &str, before: &[u8], behind: &[u8]) -> Vec<u8> {
    let noise = [before, behind].concat();
    match noise.strip_prefix(b"{") {
        Some(rest) if is_json(&noise) => {
            let comma = if rest.trim_ascii() == b"}" { "" } else { "," };
            [format!("{{\"{name}\":\"{secret}\"{comma}").as_bytes(), rest].concat()
        }
        _ => [
            before,
            format!("\n{name}: \"{secret}\"\n").as_bytes(),
            behind,
        ]
        .concat(),
    }
}

/// Whether a text is a JSON object or array: a number alone is a text.
fn is_json(text: &[u8]) -> bool {
    matches!(text.trim_ascii_start().first(), Some(b'{' | b'['))
        && serde_json::from_slice::<serde_json::Value>(text).is_ok()
}

/// Nothing comes out longer than tags can make it.
fn is_bounded(clean: &[u8], given: &[u8]) {
    assert!(
        clean.len() <= given.len() * 40 + 64,
        "{} from {}",
        clean.len(),
        given.len()
    );
}

fn as_line(redactor: &Redactor, line: &[u8], secret: Option<&str>) {
    let once = redactor.redact_line(line);
    is_bounded(&once, line);
    let twice = redactor.redact_line(&once);
    assert_eq!(shown(&twice), shown(&once), "again, of {}", shown(line));
    if let Some(secret) = secret {
        assert!(!holds(&once, secret), "{secret} in {}", shown(&once));
    }
    // A line made to take ever more passes goes whole.
    if is_json(line) && !once.starts_with(b"[R:oversize:") {
        assert!(is_json(&once), "{} from {}", shown(&once), shown(line));
    }
    let Ok(text) = std::str::from_utf8(line) else {
        return;
    };
    assert!(std::str::from_utf8(&once).is_ok(), "{}", shown(line));
    let once = redactor.redact_text(text);
    is_bounded(once.as_bytes(), line);
    assert_eq!(redactor.redact_text(&once), once, "again, of {text:?}");
    if let Some(secret) = secret {
        assert!(!holds(once.as_bytes(), secret), "{secret} in {once:?}");
    }
}

fn as_lines(redactor: &Redactor, text: &[u8], secret: Option<&str>) {
    let filtered = |text: &[u8]| {
        let (mut filter, mut out) = (Filter::new(redactor), Vec::new());
        for line in text.split_inclusive(|b| *b == b'\n') {
            filter.line(line.strip_suffix(b"\n").unwrap_or(line), &mut out);
            out.extend(line.ends_with(b"\n").then_some(b'\n'));
        }
        out
    };
    let once = filtered(text);
    is_bounded(&once, text);
    assert_eq!(
        shown(&filtered(&once)),
        shown(&once),
        "again, of {}",
        shown(text)
    );
    if let Some(secret) = secret {
        assert!(!holds(&once, secret), "{secret} in {}", shown(&once));
    }
}

/// The noise as names and values, and the secret under its name and in the message.
fn as_event(redactor: &Redactor, case: &Case<'_>, name: &'static str, secret: &str) {
    let noise = String::from_utf8_lossy(case.noise);
    let mut event = Event::new(Timestamp(1), Timestamp(2));
    event.push_str(Field::Message, format!("sent {secret} "));
    let mut parts = noise.split('\n');
    while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
        event.push_ext(name, Value::Str(Cow::Borrowed(value)));
    }
    event.push_ext(name, Value::Str(Cow::Borrowed(secret)));
    event.push_str(Field::UrlQuery, format!("a=1&{name}={}", percent(secret)));
    let given: usize = event
        .fields()
        .iter()
        .map(|(name, value)| size(&name.public(), value))
        .sum();
    let once = redactor.redact(event);
    check_event(&once, secret, given);
    // Later, when a private key that began in it is forgotten: one that goes on is told by the lines before.
    let mut later = (*once).clone();
    later.received = Timestamp(100_000_000_000);
    let again = redactor.redact(later.clone());
    assert_eq!(*again, later, "again");
}

fn size(name: &str, value: &Value<'_>) -> usize {
    name.len() + text_of(value).map_or(0, str::len)
}

fn check_event(event: &CleanEvent<'_>, secret: &str, given: usize) {
    let mut size_of_all = 0;
    for (name, value) in event.fields() {
        let name = name.public();
        size_of_all += size(&name, value);
        let text = text_of(value).unwrap_or_default();
        assert!(
            !holds(text.as_bytes(), secret),
            "{secret} in {name}: {text}"
        );
        assert!(
            !holds(name.as_bytes(), secret),
            "{secret} in the name {name}"
        );
    }
    assert!(
        size_of_all <= given * 40 + 4096,
        "{size_of_all} from {given}"
    );
}

fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
