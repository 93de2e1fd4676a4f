//! Questions built to hurt: refused or bounded, never wrong.

use super::super::{Aggregate, AggregateRequest, Error, Options, SearchRequest, Sort};
use super::{Lab, event, offsets, small};
use crate::model::Event;

fn lab(dir: &std::path::Path, options: Options) -> Lab {
    let lab = Lab::open(dir, options);
    let events: Vec<Event<'_>> = (0..200).map(event).collect();
    lab.append(&events);
    lab.catch_up();
    lab
}

fn request(lab: &Lab, query: &str) -> SearchRequest {
    SearchRequest::new(lab.searcher().parse(query).unwrap())
}

#[test]
fn what_must_be_read_is_read_in_bounded_steps() {
    let dir = tempfile::tempdir().unwrap();
    let lab = lab(
        dir.path(),
        Options {
            verify_events_max: 30,
            ..small()
        },
    );
    // Every path has to be read; one hit in 200.
    let mut request = request(&lab, "path:*ord_00003");
    let mut found = Vec::new();
    let mut pages = 0;
    loop {
        let page = lab.searcher().search(&request).unwrap();
        assert!(page.stats.verified <= 30);
        assert_eq!(page.stats.partial, page.next_cursor.is_some());
        found.extend(offsets(&page));
        pages += 1;
        request.cursor = page.next_cursor;
        if request.cursor.is_none() {
            break;
        }
    }
    assert_eq!(found, [3]);
    assert_eq!(pages, 7);
    let aggregate = AggregateRequest {
        query: request.query.clone(),
        from: None,
        to: None,
        aggregates: vec![],
    };
    let answer = lab.searcher().aggregate(&aggregate);
    assert!(
        matches!(answer, Err(Error::TooManyCandidates(30))),
        "{answer:?}"
    );
    request.count = true;
    assert_eq!(lab.searcher().search(&request).unwrap().stats.total, None);
    assert!(lab.metrics.search_refused.get() > 0);
    lab.stop();
}

#[test]
fn slow_searches_end() {
    let dir = tempfile::tempdir().unwrap();
    let lab = lab(
        dir.path(),
        Options {
            search_ms_max: 0,
            ..small()
        },
    );
    let answer = lab.searcher().search(&request(&lab, "*"));
    assert!(matches!(answer, Err(Error::TooSlow(0))), "{answer:?}");
    lab.stop();
}

#[test]
fn bounds_of_queries_pages_and_buckets_hold() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        query_clauses_max: 3,
        query_bytes_max: 60,
        query_depth_max: 4,
        page_events_max: 5,
        buckets_max: 10,
        values_max: 16,
        ..small()
    };
    let lab = lab(dir.path(), options);
    let searcher = lab.searcher();
    for bad in ["a b c d", &"x".repeat(61), "((((a))))"] {
        assert!(matches!(searcher.parse(bad), Err(Error::Query(_))), "{bad}");
    }
    let mut wide = request(&lab, "*");
    wide.limit = usize::MAX;
    assert_eq!(searcher.search(&wide).unwrap().hits.len(), 5);
    wide.cursor = Some("nonsense".into());
    assert!(matches!(searcher.search(&wide), Err(Error::Cursor)));
    let aggregate = |aggregate| AggregateRequest {
        query: request(&lab, "*").query,
        from: None,
        to: None,
        aggregates: vec![("a".into(), aggregate)],
    };
    for (bad, is_bound) in [
        (
            Aggregate::Histogram {
                interval_ms: Some(1),
                split: None,
            },
            true,
        ),
        (
            Aggregate::Terms {
                field: "user.id".into(),
                size: 11,
            },
            true,
        ),
        (
            Aggregate::Terms {
                field: "message".into(),
                size: 1,
            },
            false,
        ),
        (
            Aggregate::Cardinality {
                field: "user".into(),
            },
            true,
        ),
        (
            Aggregate::Stats {
                field: "user.id".into(),
            },
            false,
        ),
    ] {
        match searcher.aggregate(&aggregate(bad)) {
            Err(Error::TooManyBuckets(10)) => assert!(is_bound),
            Err(Error::TooManyValues(16)) => assert!(is_bound),
            Err(Error::NoColumn(_)) => assert!(!is_bound),
            other => panic!("{other:?}"),
        }
    }
    lab.stop();
}

#[test]
fn a_wildcard_with_too_many_words_is_decided_by_reading() {
    let dir = tempfile::tempdir().unwrap();
    let lab = lab(
        dir.path(),
        Options {
            wildcard_terms_max: 1,
            ..small()
        },
    );
    assert_eq!(
        lab.find("comp*", 50, Sort::Desc),
        (0..200).rev().collect::<Vec<_>>()
    );
    assert_eq!(lab.find("*", 50, Sort::Asc), (0..200).collect::<Vec<_>>());
    lab.stop();
}

#[test]
fn who_wants_rows_soon_gets_all_of_them_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let lab = lab(dir.path(), small());
    for (query, sort) in [
        ("*", Sort::Desc),
        ("*", Sort::Asc),
        ("path:*ord_0001*", Sort::Desc),
        ("path:*ord_0001*", Sort::Asc),
        ("none", Sort::Desc),
    ] {
        let mut request = request(&lab, query);
        (request.sort, request.soon) = (sort, Some(std::time::Duration::ZERO));
        let (mut found, mut pages) = (Vec::new(), 0);
        loop {
            let page = lab.searcher().search(&request).unwrap();
            found.extend(offsets(&page));
            pages += 1;
            request.cursor = page.next_cursor;
            if request.cursor.is_none() {
                break;
            }
        }
        assert_eq!(found, lab.find(query, 1_000, sort), "{query}");
        // A page for each of the 29 segments.
        assert!(query == "none" || pages > 20, "{query}: {pages}");
    }
    lab.stop();
}

#[test]
fn a_search_nobody_waits_for_ends() {
    let dir = tempfile::tempdir().unwrap();
    let lab = lab(dir.path(), small());
    let gone = super::super::Gone::default();
    let searcher = lab.searcher().until(&gone);
    let request = request(&lab, "*");
    let aggregate = AggregateRequest {
        query: request.query.clone(),
        from: None,
        to: None,
        aggregates: vec![],
    };
    assert!(searcher.search(&request).is_ok() && searcher.aggregate(&aggregate).is_ok());
    drop(gone.when_dropped());
    assert!(matches!(searcher.search(&request), Err(Error::Gone)));
    assert!(matches!(searcher.aggregate(&aggregate), Err(Error::Gone)));
    let by_status = request.clone().sorted("status", Sort::Asc).unwrap();
    assert!(matches!(searcher.search(&by_status), Err(Error::Gone)));
    assert_eq!(lab.metrics.search_gone.get(), 3);
    assert!(lab.searcher().search(&request).is_ok());
    lab.stop();
}
