//! What a short answer may not have seen, so that nothing found can be taken for nothing there: events that could not
//! be parsed and sources that have fallen silent.

use serde::Serialize;
use utoipa::ToSchema;

use super::State;
use super::error::Error;
use crate::index::{Query, SearchRequest};
use crate::model::{Field, Timestamp, rfc3339};
use crate::store::SourceSeen;

/// Sources told at most, those that were heard last.
const SOURCES_MAX: usize = 20;
/// Shortest silence that is told, in nanoseconds: ten minutes.
const SILENCE_MIN: i64 = 600_000_000_000;
/// The longest: after a week a source is not missed any more.
const SILENCE_MAX: i64 = 7 * 86_400_000_000_000;
/// A silence is longer than so many of the source's mean gaps between events.
const GAPS: i64 = 50;
/// Fewest events by which a source is known.
const EVENTS_MIN: u64 = 10;

/// A source that sends no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct SilentSource {
    /// Its name.
    name: String,
    /// When its last event arrived.
    #[schema(value_type = String, format = DateTime)]
    #[serde(with = "rfc3339")]
    last_seen: Timestamp,
}

/// Sources that have been quiet for longer than they are used to while the search's time went on.
pub(super) fn silent(
    sources: Vec<SourceSeen>,
    now: Timestamp,
    to: Option<Timestamp>,
) -> Vec<SilentSource> {
    let is_silent = |seen: &SourceSeen| {
        let gaps = i64::try_from(seen.events.saturating_sub(1)).unwrap_or(i64::MAX);
        let gap = seen.last_seen.0.saturating_sub(seen.first_seen.0) / gaps.max(1);
        let least = gap.saturating_mul(GAPS).max(SILENCE_MIN);
        let silence = now.0.saturating_sub(seen.last_seen.0);
        let is_asked = to.is_none_or(|to| to > seen.last_seen);
        seen.events >= EVENTS_MIN && is_asked && (least..=SILENCE_MAX).contains(&silence)
    };
    let mut silent: Vec<SilentSource> = sources
        .into_iter()
        .filter(is_silent)
        .map(|seen| SilentSource {
            name: seen.name,
            last_seen: seen.last_seen,
        })
        .collect();
    silent.sort_by_key(|source| std::cmp::Reverse(source.last_seen));
    silent.truncate(SOURCES_MAX);
    silent
}

/// How many events of the search's time could not be parsed: their fields are not there to be asked for.
pub(super) fn unparsed(state: &State, request: &SearchRequest) -> Result<Option<u64>, Error> {
    let note = wardline_parsers::Note::Unparsed.name();
    let Some(query) = Query::equals(Field::EventNotes, note) else {
        return Ok(None);
    };
    Ok(state.searcher.count(&query, request.from, request.to)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000_000;

    #[test]
    fn a_source_that_is_quiet_for_longer_than_it_is_used_to_is_told() {
        let source = |name: &str, first: i64, last: i64, events: u64| SourceSeen {
            name: name.to_owned(),
            first_seen: Timestamp(first * MINUTE),
            last_seen: Timestamp(last * MINUTE),
            events,
        };
        let check = |first: i64, last: i64, events: u64, to: Option<i64>, expected: bool| {
            let to = to.map(|to| Timestamp(to * MINUTE));
            let sources = vec![source("a", first, last, events)];
            let told = silent(sources, Timestamp(20_000 * MINUTE), to);
            assert_eq!(!told.is_empty(), expected, "{first} {last} {events} {to:?}");
        };
        // One event a minute, and quiet for an hour, or for half of one.
        check(10_000, 19_940, 9_940, None, true);
        check(10_000, 19_970, 9_970, None, false);
        // Many events a minute: ten minutes are long.
        check(10_000, 19_985, 900_000, None, true);
        check(10_000, 19_995, 900_000, None, false);
        // The search ends before the silence begins.
        check(10_000, 19_940, 9_940, Some(19_930), false);
        check(10_000, 19_940, 9_940, Some(19_941), true);
        // Known too little, forgotten, heard from the future.
        check(19_900, 19_901, 9, None, false);
        check(0, 9_000, 900_000, None, false);
        check(19_900, 20_010, 900_000, None, false);
        let many = (0..30).map(|at| source(&at.to_string(), 10_000, 19_000 + at, 90_000));
        let told = silent(many.collect(), Timestamp(20_000 * MINUTE), None);
        assert_eq!((told.len(), told[0].name.as_str()), (SOURCES_MAX, "29"));
    }
}
