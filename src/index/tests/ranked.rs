//! Random events in the order of a column: pages are those of a sorted scan, whatever happens between two of them.

use std::cmp::Reverse;
use std::net::IpAddr;

use proptest::prelude::*;

use super::super::build::KEYWORD_BYTES_MAX;
use super::super::text::fold;
use super::super::{Error, Options, SearchRequest, Sort};
use super::model::{cases, events, query};
use super::{Lab, event, offsets};
use crate::model::{Event, Field, Kind, Offset, text_of};

const FIELDS: [Field; 8] = [
    Field::UserId,
    Field::UserName,
    Field::ServiceName,
    Field::ClientIp,
    Field::HttpStatus,
    Field::Tags,
    Field::UserAgent,
    Field::EventDuration,
];

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Number(u64),
    Address([u8; 16]),
    Text(String, String),
}

fn value(field: Field, text: &str) -> Option<Value> {
    match field.kind() {
        Kind::Int => text.parse().ok().map(Value::Number),
        Kind::Ip => Some(Value::Address(match text.parse().ok()? {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
            IpAddr::V6(ip) => ip.octets(),
        })),
        _ => (text.len() <= KEYWORD_BYTES_MAX).then(|| Value::Text(fold(text), text.to_owned())),
    }
}

/// All matches from an offset on, in order.
fn naive(
    lab: &Lab,
    events: &[Event<'_>],
    query: &str,
    (field, sort): (Field, Sort),
    first: u64,
) -> Vec<u64> {
    let query = lab.searcher().parse(query).unwrap();
    let mut with = Vec::new();
    let mut without = Vec::new();
    for (offset, event) in (0u64..).zip(events).skip(usize::try_from(first).unwrap()) {
        if query.matches(event) {
            let time = Reverse((event.time.millis(), offset));
            let values = event.values(field).filter_map(text_of);
            let values = values.filter_map(|text| value(field, text));
            match sort {
                Sort::Asc => match values.min() {
                    Some(value) => with.push((value, time)),
                    None => without.push(time),
                },
                Sort::Desc => match values.max() {
                    Some(value) => with.push((value, time)),
                    None => without.push(time),
                },
            }
        }
    }
    match sort {
        Sort::Asc => with.sort(),
        Sort::Desc => with.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1))),
    }
    without.sort();
    let all = with.into_iter().map(|(_, time)| time).chain(without);
    all.map(|Reverse((_, offset))| offset).collect()
}

/// What happens behind a page.
#[derive(Clone, Copy, Debug)]
enum Between {
    Nothing,
    Arrival,
    Merge,
    Retention,
}

/// Pages are checked one by one against what a scan finds at that time.
fn check(
    lab: &Lab,
    events: &[Event<'_>],
    query: &str,
    (field, sort): (Field, Sort),
    limit: usize,
    between: &[Between],
) {
    let searcher = lab.searcher();
    let request = SearchRequest::new(searcher.parse(query).unwrap());
    let mut request = request.sorted(field.name(), sort).unwrap();
    request.limit = limit;
    let mut between = between.iter().cycle();
    let mut seen: Option<u64> = None;
    let mut first = 0;
    loop {
        let present = usize::try_from(lab.wal.end().0).unwrap();
        let all = naive(lab, &events[..present], query, (field, sort), first);
        // What was seen last may have gone by retention: then the place is found among all.
        let whole = naive(lab, &events[..present], query, (field, sort), 0);
        let at = seen.map_or(0, |seen| {
            whole.iter().position(|offset| *offset == seen).unwrap() + 1
        });
        let rest: Vec<u64> = whole[at..]
            .iter()
            .copied()
            .filter(|offset| *offset >= first)
            .collect();
        let page = searcher.search(&request).unwrap();
        let found = offsets(&page);
        let label = format!("{query} by {} {sort:?}", field.name());
        let wanted = if page.stats.partial {
            found.len()
        } else {
            limit.min(rest.len())
        };
        assert_eq!(found, rest[..wanted], "{label}");
        if !page.stats.partial {
            assert_eq!(page.next_cursor.is_some(), rest.len() > limit, "{label}");
        }
        if let Some(total) = page.stats.total {
            assert_eq!(usize::try_from(total).unwrap(), all.len(), "{label}");
        }
        seen = found.last().copied().or(seen);
        request.cursor = page.next_cursor;
        if request.cursor.is_none() {
            return;
        }
        match between.next().unwrap() {
            Between::Arrival if !page.stats.partial && first == 0 && present < events.len() => {
                let end = events.len().min(present + 5);
                lab.append(&events[present..end]);
                lab.catch_up();
            }
            Between::Merge => {
                lab.clock
                    .advance(std::time::Duration::from_secs(20 * 86_400));
                lab.merge();
            }
            Between::Retention => {
                lab.index.drop_before(Offset(first + 3)).unwrap();
                let segments = lab.index.worker.segments.snapshot();
                first = segments
                    .first()
                    .map_or(u64::MAX / 2, |segment| segment.meta().first);
                first = first.min(lab.wal.end().0);
            }
            _ => {}
        }
    }
}

fn between() -> impl Strategy<Value = Between> {
    prop::sample::select(vec![
        Between::Nothing,
        Between::Arrival,
        Between::Arrival,
        Between::Merge,
        Between::Retention,
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn pages_by_a_column_are_those_of_a_sorted_scan(
        events in events(),
        queries in prop::collection::vec(prop_oneof![2 => query(), 1 => Just("*".to_owned())], 12),
        segment_events_max in 1u32..40,
        limit in 1usize..9,
        fields in prop::collection::vec((prop::sample::select(FIELDS.to_vec()), any::<bool>()), 12),
        between in prop::collection::vec(between(), 1..7),
        (verify_events_max, start) in (prop::sample::select(vec![2u64, 1_000]), 1usize..40),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            segment_events_max,
            verify_events_max,
            merge_segments_min: 3,
            ..super::small()
        };
        let lab = Lab::open(dir.path(), options);
        lab.append(&events[..start.min(events.len())]);
        lab.catch_up();
        for (at, (query, (field, is_asc))) in queries.iter().zip(fields).enumerate() {
            let sort = if is_asc { Sort::Asc } else { Sort::Desc };
            if lab.searcher().parse(query).is_ok() {
                // What retention took is gone for all that follow.
                let is_last = at + 1 == queries.len();
                let quiet = |step: &&Between| is_last || !matches!(step, Between::Retention);
                let between: Vec<Between> = between.iter().filter(quiet).copied().collect();
                let between = if between.is_empty() { vec![Between::Nothing] } else { between };
                check(&lab, &events, query, (field, sort), limit, &between);
            }
        }
        lab.stop();
    }
}

#[test]
fn what_cannot_be_decided_in_time_ends_the_page_and_not_the_order() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        verify_events_max: 0,
        ..super::small()
    };
    let lab = Lab::open(dir.path(), options);
    let events: Vec<Event<'_>> = (0..60).map(event).collect();
    lab.append(&events);
    lab.catch_up();
    let sorted = |query: &str, field: &str| {
        SearchRequest::new(lab.searcher().parse(query).unwrap()).sorted(field, Sort::Asc)
    };
    let request = sorted("path:*ord_00003", "status").unwrap();
    let refused = lab.searcher().search(&request);
    assert!(matches!(refused, Err(Error::TooManyCandidates(0))));
    for none in ["message", "id", "event.ingested", "ext.a", "correlation.id"] {
        assert!(
            matches!(sorted("*", none), Err(Error::NoColumn(_))),
            "{none}"
        );
    }
    // A cursor of one order is none of another.
    let mut by_status = sorted("*", "status").unwrap();
    by_status.limit = 3;
    let page = lab.searcher().search(&by_status).unwrap();
    assert_eq!(offsets(&page), [55, 50, 45]);
    for (field, sort) in [
        ("status", Sort::Desc),
        ("user.id", Sort::Asc),
        ("time", Sort::Asc),
    ] {
        let mut other = sorted("*", field).unwrap();
        (other.sort, other.cursor) = (sort, page.next_cursor.clone());
        let refused = lab.searcher().search(&other);
        assert!(matches!(refused, Err(Error::Cursor)), "{field}");
    }
    lab.stop();
}
