//! The list of routes against what a walk over the events themselves finds.

use std::collections::{BTreeMap, BTreeSet};

use super::{Lab, event, small};
use crate::index::{Query, RouteRow, RouteTable, RoutesRequest};
use crate::model::{Event, Field, Timestamp, Value};

/// Events of four routes, two methods and two services, and some that lack what others have.
fn events() -> Vec<Event<'static>> {
    let one = |at: u64| {
        let mut event = event(at);
        if !at.is_multiple_of(11) {
            event.push_str(Field::HttpRoute, format!("/v{}/orders/{{id}}", at % 7 % 4));
        }
        if !at.is_multiple_of(5) {
            event.push_str(
                Field::HttpMethod,
                if at.is_multiple_of(3) { "GET" } else { "PUT" },
            );
        }
        event.push_str(
            Field::ServiceName,
            if at.is_multiple_of(2) { "shop" } else { "edge" },
        );
        let duration = (at * 1_000_000).to_string();
        event.push(Field::EventDuration, Value::Num(duration.into()));
        if at.is_multiple_of(4) {
            let fields = event.fields_mut();
            fields.retain(|(name, _)| name.public() != Field::UserId.name());
        }
        if at.is_multiple_of(8) {
            event.push_str(Field::AuthCredentialId, "key-1");
        }
        event
    };
    (0..100).map(one).collect()
}

fn expected(events: &[Event<'_>]) -> Vec<RouteRow> {
    let text = |event: &Event<'_>, field| event.text(field).unwrap_or_default().to_owned();
    let mut groups: BTreeMap<[String; 3], Vec<&Event<'_>>> = BTreeMap::new();
    for event in events
        .iter()
        .filter(|event| event.get(Field::HttpRoute).is_some())
    {
        let fields = [Field::HttpRoute, Field::HttpMethod, Field::ServiceName];
        groups
            .entry(fields.map(|field| text(event, field)))
            .or_default()
            .push(event);
    }
    let row = |([route, method, service], events): ([String; 3], Vec<&Event<'_>>)| {
        let mut classes = [0; 5];
        let (mut known, mut open_success) = (0, 0);
        for event in &events {
            let class = usize::try_from(event.int(Field::HttpStatus).unwrap()).unwrap() / 100 - 1;
            // A code of no class counts in none.
            if let Some(count) = classes.get_mut(class) {
                *count += 1;
            }
            let fields = [Field::UserId, Field::AuthCredentialId];
            let is_known = fields.iter().any(|field| event.get(*field).is_some());
            known += u64::from(is_known);
            open_success += u64::from(class == 1 && !is_known);
        }
        let users = events.iter().filter_map(|event| event.text(Field::UserId));
        let mut took: Vec<u64> = events
            .iter()
            .filter_map(|event| event.int(Field::EventDuration))
            .collect();
        took.sort_unstable();
        RouteRow {
            route,
            method,
            service,
            events: events.len() as u64,
            first: events.iter().map(|event| event.time).min().unwrap(),
            last: events.iter().map(|event| event.time).max().unwrap(),
            classes,
            known,
            open_success,
            users: users.collect::<BTreeSet<_>>().len() as u64,
            users_is_least: false,
            p95_ns: took.get((took.len() * 95).div_ceil(100) - 1).copied(),
        }
    };
    let mut rows: Vec<RouteRow> = groups.into_iter().map(row).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.events));
    rows
}

fn routes(lab: &Lab, query: &str, size: usize) -> RouteTable {
    let searcher = lab.searcher();
    let request = RoutesRequest {
        query: searcher.parse(query).unwrap(),
        from: None,
        to: None,
        size,
    };
    searcher.routes(&request).unwrap()
}

#[test]
fn rows_are_those_of_a_walk_over_the_events() {
    let dir = tempfile::tempdir().unwrap();
    let lab = Lab::open(dir.path(), small());
    let events = events();
    for some in events.chunks(13) {
        lab.append(some);
    }
    let check = |query: &str, is_of: &dyn Fn(&Event<'_>) -> bool| {
        let of: Vec<Event<'_>> = events
            .iter()
            .filter(|event| is_of(event))
            .cloned()
            .collect();
        let (found, wanted) = (routes(&lab, query, 100), expected(&of));
        assert_eq!(found.rows.len(), wanted.len(), "{query}");
        for (found, wanted) in found.rows.into_iter().zip(wanted) {
            let (near, exact) = (found.p95_ns.unwrap(), wanted.p95_ns.unwrap());
            assert!(
                near <= exact && exact - near <= exact / 128,
                "{near} {exact}"
            );
            let p95_ns = wanted.p95_ns;
            assert_eq!(RouteRow { p95_ns, ..found }, wanted, "{query}");
        }
        let without = of
            .iter()
            .filter(|event| event.get(Field::HttpRoute).is_none())
            .count();
        assert_eq!(
            (found.without_route, found.left_out),
            (without as u64, 0),
            "{query}"
        );
        assert_eq!(found.stats.total, Some(of.len() as u64), "{query}");
    };
    lab.catch_up();
    for _ in 0..2 {
        check("", &|_| true);
        check("service:shop", &|event| {
            event.text(Field::ServiceName) == Some("shop")
        });
        check("status:>=400", &|event| {
            event.int(Field::HttpStatus) >= Some(400)
        });
        check("service:none", &|_| false);
        lab.merge();
    }
    // The busiest ones stay, and all others are counted.
    let (all, few) = (routes(&lab, "", 100), routes(&lab, "", 2));
    assert_eq!(few.rows.len(), 2);
    let listed: u64 = few.rows.iter().map(|row| row.events).sum();
    assert_eq!(
        listed + few.left_out,
        all.rows.iter().map(|row| row.events).sum::<u64>()
    );
    lab.stop();
}

#[test]
fn whether_anything_is_there_is_known_by_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let lab = Lab::open(dir.path(), small());
    let searcher = lab.searcher();
    assert!(!searcher.is_any(&Query::all(), None, None).unwrap());
    assert_eq!(searcher.oldest(), None);
    let events = events();
    lab.append(&events);
    lab.catch_up();
    let (first, last) = (events[0].time, events[99].time);
    assert_eq!(searcher.oldest(), Some(first));
    let before = |time: Timestamp| Some(Timestamp(time.0 - 1_000_000));
    let check = |query: &Query, to: Option<Timestamp>, expected: bool| {
        assert_eq!(
            searcher.is_any(query, None, to).unwrap(),
            expected,
            "{query:?} {to:?}"
        );
    };
    check(&Query::all(), before(first), false);
    check(&Query::all(), Some(first), true);
    let third = Query::equals(Field::HttpRoute, "/v3/orders/{id}").unwrap();
    check(&third, before(events[3].time), false);
    check(&third, Some(events[3].time), true);
    check(
        &Query::equals(Field::HttpRoute, "/x").unwrap(),
        Some(last),
        false,
    );
    lab.stop();
}
