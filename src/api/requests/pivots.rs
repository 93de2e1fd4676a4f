//! Where to go on from a story: who and what its events are about, and how much else is known of each at that time.

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use crate::api::State;
use crate::api::error::Error;
use crate::clock::Stopwatch;
use crate::index::Hit;
use crate::model::{Event, Field, Timestamp, id_forms, query_value};

/// How long before the story's start and behind its end other events are counted, in nanoseconds: fifteen minutes.
const AROUND_NS: i64 = 900_000_000_000;
/// Values of one kind, those of the earliest events.
const VALUES_MAX: usize = 3;
/// Once so much time has gone by no further count is begun.
const TIME_MAX: Duration = Duration::from_millis(500);

/// What the events of a story share with other events.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Pivots {
    /// Oldest `@timestamp` that was looked at: fifteen minutes before the story.
    from: String,
    /// Newest `@timestamp` that was looked at: fifteen minutes behind it.
    to: String,
    /// By kind and then in order of the events, at most three of a kind.
    values: Vec<Pivot>,
    /// Values beyond these.
    left_out: usize,
}

/// A value of the story's events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Pivot {
    /// `session`, `object`, `credential`, `user` or `address`.
    kind: &'static str,
    /// The field it stands in.
    field: &'static str,
    /// The value.
    value: String,
    /// Finds the events with it that do not carry the story's id; an object is one of its route.
    query: String,
    /// How many those are; null where counting them would have taken too long.
    events: Option<u64>,
}

/// Kinds and the fields that name them, the first that an event has.
const KINDS: [(&str, &[Field]); 5] = [
    ("session", &[Field::SessionId]),
    ("object", &[Field::ObjectId]),
    ("credential", &[Field::AuthCredentialId]),
    ("user", &[Field::UserId, Field::UserName]),
    ("address", &[Field::ClientIp]),
];

/// Whether a value stands for a secret of a kind that is not to be linked: all of these look the same.
fn is_unlinked(value: &str) -> bool {
    value.starts_with("[R:") && value.ends_with(']') && value.matches(':').count() == 2
}

/// The pivot of one kind that an event gives, not counted yet.
fn pivot(event: &Event<'_>, kind: &'static str, fields: &[Field], id: &str) -> Option<Pivot> {
    let is_pivot = |text: &&str| !text.is_empty() && !is_unlinked(text);
    let named = |field: &Field| Some((*field, event.text(*field).filter(is_pivot)?));
    let (field, value) = fields.iter().find_map(named)?;
    // The story is of this very session.
    if field == Field::SessionId && id_forms(value) == id_forms(id) {
        return None;
    }
    let mut query = format!("{}:{}", field.name(), query_value(value));
    if field == Field::ObjectId {
        // The same number is something else on another route.
        let route = query_value(event.text(Field::HttpRoute)?);
        query = format!("{}:{route} {query}", Field::HttpRoute.name());
        // Numbers are not found by their words in all fields; an object always stands in the path, which has words.
        if value.bytes().all(|byte| byte.is_ascii_digit()) {
            query.push_str(&format!(" \"{value}\""));
        }
    }
    query.push_str(&format!(" NOT id:{}", query_value(id)));
    Some(Pivot {
        kind,
        field: field.name(),
        value: value.to_owned(),
        query,
        events: None,
    })
}

/// The pivots of events in order, none twice, and how many were left out.
fn collected<'e>(
    events: impl Iterator<Item = &'e Event<'e>> + Clone,
    id: &str,
) -> (Vec<Pivot>, usize) {
    let (mut all, mut left_out) = (Vec::new(), 0);
    for (kind, fields) in KINDS {
        let mut found: Vec<Pivot> = Vec::new();
        for pivot in events
            .clone()
            .filter_map(|event| pivot(event, kind, fields, id))
        {
            if !found.contains(&pivot) {
                found.push(pivot);
            }
        }
        left_out += found.len().saturating_sub(VALUES_MAX);
        found.truncate(VALUES_MAX);
        all.extend(found);
    }
    (all, left_out)
}

/// The pivots of a story between `start` and `end`, counted as far as time allows.
pub(super) fn pivots(
    state: &State,
    hits: &[Hit],
    id: &str,
    (start, end): (Timestamp, Timestamp),
) -> Result<Pivots, Error> {
    let events = hits.iter().map(Hit::event).collect::<Result<Vec<_>, _>>();
    let events = events.map_err(Error::internal)?;
    let (mut values, left_out) = collected(events.iter().map(|event| &**event), id);
    let from = Timestamp(start.0.saturating_sub(AROUND_NS));
    let to = Timestamp(end.0.saturating_add(AROUND_NS));
    let watch = Stopwatch::start();
    for pivot in &mut values {
        if watch.elapsed() > TIME_MAX {
            break;
        }
        // What is too much to count is told as such; the story is whole without it.
        let query = state.searcher.parse(&pivot.query);
        let counted = query.and_then(|query| state.searcher.count(&query, Some(from), Some(to)));
        pivot.events = counted.ok().flatten();
    }
    Ok(Pivots {
        from: from.to_rfc3339(),
        to: to.to_rfc3339(),
        values,
        left_out,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_told_once_and_as_queries() {
        let event = |fields: &[(Field, &'static str)]| {
            let mut event = Event::new(Timestamp(0), Timestamp(0));
            for (field, text) in fields {
                event.push_str(*field, *text);
            }
            event
        };
        let route = (Field::HttpRoute, "/v1/orders/{id}");
        let first = event(&[
            (Field::ClientIp, "2001:db8::1"),
            (Field::ObjectId, "417"),
            route,
            (Field::SessionId, "Req-1"),
            (Field::UserName, "kim \"k\""),
        ]);
        let same = event(&[(Field::ClientIp, "2001:db8::1"), (Field::UserId, "u-1")]);
        // Without its route an object is nothing.
        let object = event(&[(Field::ObjectId, "x-1")]);
        let other = event(&[(Field::ObjectId, "x-1"), route, (Field::SessionId, "s-1")]);
        let tagged = event(&[
            (Field::AuthCredentialId, "[R:jwt:ab2c:abcdefghijklmnop]"),
            (Field::SessionId, "[R:otp:ab2c]"),
        ]);
        let events = [first, same, object, other, tagged];
        let (found, left_out) = collected(events.iter(), "req-1");
        let queries: Vec<&str> = found.iter().map(|pivot| pivot.query.as_str()).collect();
        let expected = [
            "session.id:\"s-1\" NOT id:\"req-1\"",
            "http.route:\"/v1/orders/{id}\" object.id:417 \"417\" NOT id:\"req-1\"",
            "http.route:\"/v1/orders/{id}\" object.id:\"x-1\" NOT id:\"req-1\"",
            "auth.credential_id:\"[R:jwt:ab2c:abcdefghijklmnop]\" NOT id:\"req-1\"",
            "user.name:\"kim \\\"k\\\"\" NOT id:\"req-1\"",
            "user.id:\"u-1\" NOT id:\"req-1\"",
            "client.ip:\"2001:db8::1\" NOT id:\"req-1\"",
        ];
        assert_eq!(queries, expected);
        assert_eq!(left_out, 0);
        let many: Vec<Event<'_>> = (0..5)
            .map(|at| {
                let mut event = Event::new(Timestamp(0), Timestamp(0));
                event.push_str(Field::ClientIp, format!("203.0.113.{at}"));
                event
            })
            .collect();
        let (found, left_out) = collected(many.iter(), "req-1");
        assert_eq!((found.len(), left_out), (VALUES_MAX, 2));
    }
}
