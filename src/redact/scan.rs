//! From an event to a clean one: every name and every value, then the secrets learned by name
//! wherever else they stand.

use super::check;
use super::engine::Place;
use super::keys::{Class, Kind, Named};
use super::names;
use super::pairs::{Announced, Told, ValueSort};
use super::passes::Pass;
use super::replace::Tally;
use super::values::{self, List};
use super::{Known, Own, Redactor};
use crate::model::{Event, Field, FieldName, Value, text_of};

/// How far apart the halves of a pair object may stand.
const PAIR_REACH: usize = 6;
/// Names between a pair object and its value.
const PAIR_INSIDE: [&str; 3] = ["value", "arrayValue", "values"];

/// One pass over an event.
pub(super) fn event(
    redactor: &Redactor,
    event: &mut Event<'_>,
    known: &mut Known,
    own: Option<&Own>,
    pass: &mut Pass,
    tally: &mut Tally,
) {
    for at in 0..event.fields().len() {
        if !pass.takes(at) || own.is_some_and(|own| is_allowed(own, event, at)) {
            continue;
        }
        if field(redactor, event, at, known, tally) {
            pass.change(at);
        }
        if let Some((name, _)) = event.fields().get(at) {
            tally.finds.place(name);
        }
    }
    if tally.count > 0 {
        propagate(redactor, event, own, pass, tally);
    }
}

/// One pass over a text that is no event; `None` where nothing changes.
pub(super) fn text(redactor: &Redactor, text: &[u8], tally: &mut Tally) -> Option<Vec<u8>> {
    redactor.clean(text, Place::Text, 0, tally)
}

/// One pass over a line that is no document; `None` where nothing changes.
pub(super) fn line(redactor: &Redactor, line: &[u8], tally: &mut Tally) -> Option<Vec<u8>> {
    let clean = redactor.clean(line, Place::Text, 0, tally)?;
    let secrets = std::mem::take(&mut tally.learned);
    let again = redactor.unlearned(&clean, &secrets, 1, tally);
    Some(again.unwrap_or(clean))
}

/// Whether the operator excepts the field.
fn is_allowed(own: &Own, event: &Event<'_>, at: usize) -> bool {
    let field = event.fields().get(at);
    field.is_some_and(|(name, _)| own.allows_field(&name.public()))
}

/// Redacted bytes are text again: finds begin and end between characters.
pub(super) fn lossless(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Whether the field was changed.
fn field(
    redactor: &Redactor,
    event: &mut Event<'_>,
    at: usize,
    known: &mut Known,
    tally: &mut Tally,
) -> bool {
    let Some((name, value)) = event.fields().get(at) else {
        return false;
    };
    let mut is_weak = false;
    let learned = tally.learned.len();
    let (class, place, clean_name) = match name {
        FieldName::Known(known) => (known_class(*known, value), known_place(*known), None),
        FieldName::Ext(path) => {
            let (named, clean_name) = ext_named(redactor, path, tally);
            let class = match named.class {
                Class::PairValue(sort) => match paired(redactor, event, at, path, sort) {
                    Some(told) => {
                        is_weak = told.is_weak;
                        told.class
                    }
                    None => told(redactor, event, at, path).unwrap_or(Class::Pass),
                },
                Class::Pass => told(redactor, event, at, path).unwrap_or(Class::Pass),
                class => class,
            };
            let text = text_of(value).unwrap_or_default();
            (
                class,
                names::place(named.holds_query, text.as_bytes()),
                clean_name,
            )
        }
    };
    let clean = match value {
        Value::Str(text)
            if class == Class::Secret(Kind::Session) && matches!(name, FieldName::Known(_)) =>
        {
            redactor.whole(Kind::Session, text.as_bytes(), tally)
        }
        Value::Str(text) if class == Class::Pass && redactor.engine.is_dull(text.as_bytes()) => {
            None
        }
        Value::Str(text) if class == Class::Pass && place == Place::Text => {
            known.look(text.as_bytes()).and_then(|slot| {
                let clean = redactor.clean(text.as_bytes(), place, 0, tally);
                if clean.is_none() && !tally.is_excepted {
                    known.note(slot, text.as_bytes());
                }
                clean
            })
        }
        Value::Str(text) => redactor.value(class, text.as_bytes(), place, 0, tally),
        Value::Num(digits) if !is_measure(name) => redactor.number(class, digits.as_bytes(), tally),
        Value::Num(_) | Value::Bool(_) | Value::Null => None,
    };
    if is_weak {
        tally.unlearn_words(learned);
    }
    let is_changed = clean.is_some() || clean_name.is_some();
    if is_changed {
        take_over(event, at, clean, clean_name);
    }
    is_changed
}

#[cold]
fn take_over(event: &mut Event<'_>, at: usize, value: Option<Vec<u8>>, name: Option<Vec<u8>>) {
    let Some(field) = event.fields_mut().get_mut(at) else {
        return;
    };
    if let Some(clean) = value {
        field.1 = Value::Str(lossless(clean).into());
    }
    if let (FieldName::Ext(path), Some(clean)) = (&mut field.0, name) {
        *path = lossless(clean).into();
    }
}

/// A session id is a secret that must still tie events together: always its tag.
fn known_class(field: Field, value: &Value<'_>) -> Class {
    match (field, value) {
        (Field::SessionId, Value::Str(_) | Value::Num(_)) => Class::Secret(Kind::Session),
        _ => Class::Pass,
    }
}

fn known_place(field: Field) -> Place {
    match field {
        Field::UrlQuery => Place::Query,
        _ => Place::Text,
    }
}

/// Whether a number measures or counts, so that a card's checksum in it is chance.
fn is_measure(name: &FieldName<'_>) -> bool {
    matches!(
        name,
        FieldName::Known(
            Field::EventDuration
                | Field::UpstreamDuration
                | Field::RedactionCount
                | Field::HttpStatus
        )
    )
}

/// What a dotted name says, and the name itself without secrets where it held one.
fn ext_named(redactor: &Redactor, path: &str, tally: &mut Tally) -> (Named, Option<Vec<u8>>) {
    let mut clean_name = None;
    let keys = redactor.engine.keys();
    let named = keys.path(path.as_bytes(), |path| {
        if names::is_searched(path) {
            clean_name = redactor.clean(path, Place::Text, usize::MAX, tally);
            tally.finds.of_name();
        }
        clean_name.is_none()
    });
    (named.unwrap_or(Named::NOTHING), clean_name)
}

/// What the name half of a pair object says of its value half (`headers.0.name`,
/// `headers.0.value`).
fn paired(
    redactor: &Redactor,
    event: &Event<'_>,
    at: usize,
    path: &str,
    sort: ValueSort,
) -> Option<Told> {
    let (mut object, _) = path.rsplit_once('.')?;
    // OpenTelemetry: `attributes.0.value.stringValue`, `attributes.0.value.arrayValue.values.0.stringValue`.
    while let Some((outer, last)) = object.rsplit_once('.')
        && (PAIR_INSIDE.contains(&last) || outer.ends_with(".values") && is_place(last))
    {
        object = outer;
    }
    let keys = redactor.engine.keys();
    let mut said = Announced::default();
    let first = at.saturating_sub(PAIR_REACH);
    for (name, value) in event.fields().get(first..)?.iter().take(2 * PAIR_REACH) {
        let (FieldName::Ext(name), Value::Str(text)) = (name, value) else {
            continue;
        };
        let half = name
            .strip_prefix(object)
            .and_then(|rest| rest.strip_prefix('.'));
        let Some(half) = half.filter(|half| !half.contains('.')) else {
            continue;
        };
        if let Class::PairName(sort) = keys.class(half.as_bytes()) {
            said.note(sort, text.as_bytes(), keys);
        }
    }
    let text = match &event.fields().get(at)?.1 {
        Value::Str(text) => Some(text.as_bytes()),
        _ => None,
    };
    said.class(sort, text, keys)
}

fn is_place(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_digit())
}

/// What the value before under the same name says of this one: an array of names and values
/// (`rawHeaders`) comes as one name with many values.
fn told(redactor: &Redactor, event: &Event<'_>, at: usize, path: &str) -> Option<Class> {
    let is_here = |(name, _): &(FieldName<'_>, Value<'_>)| matches!(name, FieldName::Ext(name) if **name == *path);
    let before = event.fields().get(at.checked_sub(1)?)?;
    if !is_here(before) {
        return None;
    }
    let Value::Str(before) = &before.1 else {
        return None;
    };
    let (Value::Str(value) | Value::Num(value)) = &event.fields().get(at)?.1 else {
        return None;
    };
    let further = [at.checked_sub(2), Some(at + 1)];
    let list = List {
        path: path.as_bytes(),
        is_pair: !further
            .into_iter()
            .flatten()
            .any(|at| event.fields().get(at).is_some_and(is_here)),
    };
    let keys = redactor.engine.keys();
    values::told(keys, before.as_bytes(), value.as_bytes(), list)
}

fn propagate(
    redactor: &Redactor,
    event: &mut Event<'_>,
    own: Option<&Own>,
    pass: &mut Pass,
    tally: &mut Tally,
) {
    let secrets = std::mem::take(&mut tally.learned);
    if secrets.is_empty() {
        return;
    }
    let without = |text: &str, secrets: &[Vec<u8>], tally: &mut Tally| {
        let clean = redactor.unlearned(text.as_bytes(), secrets, 1, tally)?;
        Some(lossless(clean))
    };
    let clean = |text: &str, tally: &mut Tally| without(text, &secrets, tally);
    // Who calls chooses what stands under a sensitive name, and must not blot out by it who calls and what for.
    let drawn: Vec<Vec<u8>> = secrets
        .iter()
        .filter(|s| check::is_random(s))
        .cloned()
        .collect();
    for (at, (name, value)) in event.fields_mut().iter_mut().enumerate() {
        if own.is_some_and(|own| own.allows_field(&name.public())) {
            continue;
        }
        if let Value::Str(text) | Value::Num(text) = value
            && let Some(clean) = match names_someone(name) {
                true => without(text, &drawn, tally),
                false => clean(text, tally),
            }
        {
            *value = Value::Str(clean.into());
            pass.change(at);
        }
        if let FieldName::Ext(name) = name
            && let Some(clean) = clean(name, tally)
        {
            *name = clean.into();
            pass.change(at);
        }
        tally.finds.place(name);
    }
    tally
        .finds
        .unlearn(|field| clean(field, &mut Tally::default()));
}

/// Whether a field says who did something, where and what, which rules count by.
fn names_someone(name: &FieldName<'_>) -> bool {
    matches!(
        name,
        FieldName::Known(
            Field::ClientIp
                | Field::UserId
                | Field::UserName
                | Field::HttpMethod
                | Field::HttpRoute
                | Field::UrlPath
                | Field::EventProvider
                | Field::EventAction
                | Field::EventOutcome
        )
    )
}

/// Says on the event how much was replaced and by which rules, beside what an earlier pass said.
pub(super) fn note(event: &mut Event<'_>, tally: &Tally) {
    if tally.count == 0 {
        return;
    }
    let before = event.int(Field::RedactionCount).unwrap_or(0);
    let count = Value::Num(before.saturating_add(tally.count).to_string().into());
    let known = event
        .fields_mut()
        .iter_mut()
        .find(|(name, _)| *name == FieldName::Known(Field::RedactionCount));
    match known {
        Some((_, value)) => *value = count,
        None => event.push(Field::RedactionCount, count),
    }
    for (rule, _) in &tally.rules {
        let is_there = event
            .values(Field::RedactionRules)
            .any(|value| matches!(value, Value::Str(text) if text == rule));
        if !is_there {
            event.push_str(Field::RedactionRules, rule.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{cleaned, line};

    #[test]
    fn names_and_values_may_come_as_a_list() {
        let clean = cleaned(&[
            ("rawHeaders", "Host"),
            ("rawHeaders", "example.com"),
            ("rawHeaders", "X-Api-Key"),
            ("rawHeaders", "abc"),
            ("headers.0", "password"),
            ("headers.0", "Zq8fJ2kLm9pQ4rSt"),
            ("headers.1", "Authorization"),
            ("headers.1", "Bearer abc"),
            ("required", "email"),
            ("required", "password"),
            ("required", "name"),
        ]);
        assert_eq!(
            clean,
            [
                "Host",
                "example.com",
                "X-Api-Key",
                "[secret]",
                "password",
                "[password]",
                "Authorization",
                "Bearer [token]",
                "email",
                "password",
                "name",
            ]
        );
        assert_eq!(
            line(
                r#"{"headers":[["password","Zq8fJ2kLm9pQ4rSt"],["pin",4711]],"required":["email","password","name"]}"#
            ),
            r#"{"headers":[["password","[password]"],["pin","[one-time]"]],"required":["email","password","name"]}"#
        );
    }
}
