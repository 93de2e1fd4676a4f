//! Random events, random queries: the index answers what a scan of the log answers.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::{Aggregate, AggregateRequest, Aggregation, Options, SearchRequest, Sort};
use super::{Lab, NOON, offsets};
use crate::model::{Event, Field, Timestamp, Value};

const WORDS: [&str; 14] = [
    "timeout",
    "Timeout",
    "upstream",
    "connection",
    "refused",
    "GRÖßE",
    "größe",
    "ord_12345",
    "ORD_12345",
    "e29b",
    "x",
    "404",
    "日本",
    "averyveryveryveryverylongwordthatisfarbeyondfortybytes",
];
const USERS: [&str; 5] = ["alice", "Alice", "bob", "Ünal", "u-17"];
const IDS: [&str; 5] = [
    "5759E988-bd86-2e3f-e1be-46a994272793",
    "5759e988bd862e3fe1be46a994272793",
    "00-5759e988bd862e3fe1be46a994272793-00f067aa0ba902b7-01",
    "Req-42",
    "req-43",
];
const IPS: [&str; 6] = [
    "10.1.2.3",
    "10.1.9.9",
    "192.168.0.1",
    "2001:db8::1",
    "::ffff:10.1.2.3",
    "unknown",
];
const STATUS: [&str; 6] = ["200", "404", "500", "0404", "-", "99999999999999999999"];

/// One field of an event, by number.
fn field(event: &mut Event<'static>, kind: u8, pick: usize, words: &[usize]) {
    let text = |count: usize| {
        let parts: Vec<&str> = words
            .iter()
            .take(count)
            .map(|at| WORDS[at % WORDS.len()])
            .collect();
        parts.join([" ", "/", "-", ", "][pick % 4])
    };
    let number = |list: &[&'static str]| Value::Num(list[pick % list.len()].into());
    match kind {
        0 => event.push_str(Field::Message, text(6)),
        1 => event.push_str(Field::UrlPath, format!("/{}", text(3).replace(' ', "/"))),
        2 => event.push_str(Field::UserId, USERS[pick % USERS.len()]),
        3 => event.push_str(Field::UserName, USERS[pick % USERS.len()]),
        4 => event.push_str(Field::CorrelationId, IDS[pick % IDS.len()]),
        5 => event.push_str(Field::CorrelationIds, IDS[pick % IDS.len()]),
        6 => event.push_str(Field::ClientIp, IPS[pick % IPS.len()]),
        7 => event.push(Field::HttpStatus, number(&STATUS)),
        8 => event.push_str(Field::Tags, ["pci", "eu", "PCI"][pick % 3]),
        9 => event.push_ext("note", Value::Str(text(3).into())),
        10 => event.push_ext("count", number(&["5", "5.0", "73.90", "-1", "1e3"])),
        11 => event.push_ext(
            "flag",
            [Value::Bool(true), Value::Null, Value::Bool(false)][pick % 3].clone(),
        ),
        12 => event.push_str(Field::ObjectId, WORDS[pick % WORDS.len()]),
        13 => event.push(Field::ClientPort, number(&["443", "80"])),
        14 => event.push_str(Field::UserAgent, text(6).repeat(1 + pick % 40)),
        15 => event.push(
            Field::EventDuration,
            number(&["1500000", "7", "2000000000"]),
        ),
        _ => event.push_str(Field::ServiceName, ["api", "Gateway", "*star*"][pick % 3]),
    }
}

pub(super) fn events() -> impl Strategy<Value = Vec<Event<'static>>> {
    let field = (0u8..17, 0usize..100, prop::collection::vec(0usize..14, 6));
    let one = (
        0i64..400,
        0i64..3,
        0i64..80,
        prop::collection::vec(field, 0..12),
    );
    prop::collection::vec(one, 1..90).prop_map(|list| {
        let mut received = NOON + 42_000_000_000_000;
        let mut all = Vec::new();
        for (millis, nanos, gap, fields) in list {
            received += gap * 60_000_000_000;
            let time = NOON + millis * 1_000_000 + nanos;
            let mut event = Event::new(Timestamp(time), Timestamp(received));
            for (kind, pick, words) in fields {
                self::field(&mut event, kind, pick, &words);
            }
            all.push(event);
        }
        all
    })
}

/// Conditions as people write them.
const FIXED: &[&str] = &[
    "status:404",
    "status:4xx",
    "status:4*",
    "status:?00",
    "status:>=404",
    "status:[200 TO 404}",
    "status:*",
    "status:0404",
    "client.ip:10.1.0.0/16",
    "client.ip:10.1.2.3",
    "client.ip:*",
    "client.ip:2001:db8::/32",
    "client.ip:::/0",
    "client.ip:un*",
    "client.ip:10.1.*",
    "tags:pci",
    "tags:*",
    "tags:(eu OR pci)",
    "ext.count:5",
    "ext.count:>=5",
    "ext.count:[0 TO 100]",
    "count:73.9",
    "ext.flag:true",
    "flag:*",
    "note:*",
    "ext.missing:*",
    "client.port:443",
    "object.id:*",
    "user.name:*",
    "user.id:a*",
    "user.id:*L*",
    "user:[a TO b]",
    "user.id:>=B",
    "user.id:>5",
    "service:\"*star*\"",
    "service:\\*star\\*",
    "service:*star*",
    "service:g?teway",
    "*",
    "id:*",
    "id:req*",
    "message:*",
    "message:time*",
    "message:*out",
    "message:ti?eout",
    "path:/timeout/*",
    "path:*/x",
    "path:\"/x\"",
    "time*",
    "*e*",
    "av*",
    "日*",
    "user_agent.original:*timeout*",
    "ua:*",
    "duration:>1ms",
    "duration:7",
    "@timestamp:>=2026-11-21T12:00:00.200Z",
    "@timestamp:[now TO now+100ms]",
    "event.ingested:<2026-11-22",
    "event.ingested:[2026-11-22T00:30 TO 2026-11-22T02:00]",
    "e29b",
    "message:404",
    "note:404",
    "404",
    "x",
    "ext.note:>m",
    "count:1000",
    "message:~time|conn",
    "message:/^[Tt]imeout/",
    "user.name:~^[Aa]",
    "tags:~P",
    "client.ip:~[.]9$",
    "status:~^4",
    "status:~-",
    "object.id:~\\d",
    "note:~\"e[-,/ ]\"",
    "ext.count:~^[57]",
    "id:~(?i)REQ",
    "ua:~refused$",
    "service:~^[A-Z*]",
];

fn condition() -> impl Strategy<Value = String> {
    let word = prop::sample::select(WORDS.to_vec());
    let user = prop::sample::select(USERS.to_vec());
    let id = prop::sample::select(IDS.to_vec());
    let fixed = prop::sample::select(FIXED.to_vec());
    prop_oneof![
        4 => fixed.prop_map(str::to_owned),
        2 => word.clone().prop_map(str::to_owned),
        1 => word.clone().prop_map(|word| format!("message:{word}")),
        1 => word.clone().prop_map(|word| format!("note:{word}")),
        1 => word.clone().prop_map(|word| format!("path:{word}")),
        1 => word.clone().prop_map(|word| format!("object.id:{word}")),
        1 => (word.clone(), word).prop_map(|(a, b)| format!("\"{a} {b}\"")),
        1 => user.clone().prop_map(|user| format!("user:{user}")),
        1 => user.prop_map(|user| format!("user.name:{user}")),
        1 => id.clone().prop_map(|id| format!("id:{id}")),
        1 => id.clone().prop_map(|id| format!("correlation.id:{id}")),
        1 => id.prop_map(str::to_owned),
    ]
}

pub(super) fn query() -> impl Strategy<Value = String> {
    condition().prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} AND {b}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} OR {b})")),
            inner.clone().prop_map(|a| format!("NOT ({a})")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("{a} -({b})")),
        ]
    })
}

/// Offsets that match, newest first.
fn naive(lab: &Lab, events: &[Event<'_>], query: &str, window: (i64, i64)) -> Vec<u64> {
    let query = lab.searcher().parse(query).unwrap();
    let mut found: Vec<(i64, u64)> = (0u64..)
        .zip(events)
        .filter(|(_, event)| {
            let millis = event.time.millis();
            window.0 <= millis && millis <= window.1 && query.matches(event)
        })
        .map(|(offset, event)| (event.time.millis(), offset))
        .collect();
    found.sort_unstable();
    found.reverse();
    found.into_iter().map(|(_, offset)| offset).collect()
}

fn check_search(lab: &Lab, events: &[Event<'_>], query: &str, limit: usize) {
    let expected = naive(lab, events, query, (i64::MIN, i64::MAX));
    assert_eq!(lab.find(query, limit, Sort::Desc), expected, "{query}");
    let mut ascending = expected.clone();
    ascending.reverse();
    assert_eq!(lab.find(query, limit, Sort::Asc), ascending, "{query}");
    let searcher = lab.searcher();
    let mut request = SearchRequest::new(searcher.parse(query).unwrap());
    request.count = true;
    request.limit = 1;
    request.from = Some(Timestamp(NOON + 100_000_000));
    request.to = Some(Timestamp(NOON + 250_000_000));
    let start = NOON / 1_000_000;
    let inside = naive(lab, events, query, (start + 100, start + 250));
    let page = searcher.search(&request).unwrap();
    assert_eq!(
        page.stats.total,
        u64::try_from(inside.len()).ok(),
        "{query}"
    );
    assert_eq!(
        offsets(&page),
        inside.first().copied().into_iter().collect::<Vec<_>>(),
        "{query}"
    );
}

/// Counts by value; only values that have a column.
fn naive_terms(events: &[&Event<'_>], field: Field) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for event in events {
        for value in event.values(field) {
            let text = crate::model::text_of(value).unwrap_or_default();
            if text.len() <= super::super::build::KEYWORD_BYTES_MAX {
                *counts.entry(text.to_owned()).or_insert(0) += 1;
            }
        }
    }
    counts
}

fn check_aggregate(lab: &Lab, events: &[Event<'_>], query: &str) {
    let searcher = lab.searcher();
    let parsed = searcher.parse(query).unwrap();
    let matched: Vec<&Event<'_>> = events
        .iter()
        .filter(|event| parsed.matches(event))
        .collect();
    let users = Aggregate::Terms {
        field: "user.id".into(),
        size: 100,
    };
    let tags = Aggregate::Cardinality {
        field: "tags".into(),
    };
    let time = Aggregate::Histogram {
        // Slices that span many buckets, and slices within one.
        interval_ms: Some([50, 3_600_000][query.len() % 2]),
        split: Some("status".into()),
    };
    let status = Aggregate::Percentiles {
        field: "status".into(),
        percents: vec![0.0, 100.0],
    };
    let aggregates = [
        ("users", users),
        ("tags", tags),
        ("time", time),
        ("status", status),
    ];
    let request = AggregateRequest {
        query: parsed,
        from: None,
        to: None,
        aggregates: aggregates
            .map(|(name, aggregate)| (name.to_owned(), aggregate))
            .to_vec(),
    };
    let answer = searcher.aggregate(&request).unwrap();
    assert_eq!(
        answer.stats.total,
        u64::try_from(matched.len()).ok(),
        "{query}"
    );
    for (_, result) in &answer.results {
        check_result(result, &matched, query);
    }
}

fn check_result(result: &Aggregation, matched: &[&Event<'_>], query: &str) {
    let count = |count: usize| u64::try_from(count).unwrap();
    match result {
        Aggregation::Terms { buckets, other, .. } => {
            let got = buckets
                .iter()
                .map(|bucket| (bucket.key.clone(), bucket.count));
            assert_eq!(
                got.collect::<BTreeMap<_, _>>(),
                naive_terms(matched, Field::UserId),
                "{query}"
            );
            assert_eq!(*other, 0);
        }
        Aggregation::Cardinality { value, missing } => {
            assert_eq!(
                *value,
                count(naive_terms(matched, Field::Tags).len()),
                "{query}"
            );
            let without = matched
                .iter()
                .filter(|event| event.get(Field::Tags).is_none());
            assert_eq!(*missing, count(without.count()), "{query}");
        }
        Aggregation::Histogram {
            buckets,
            interval_ms,
        } => {
            let interval = i64::try_from(*interval_ms).unwrap();
            let (mut expected, mut failed) = (BTreeMap::new(), BTreeMap::new());
            for event in matched {
                let bucket = event.time.millis().div_euclid(interval) * interval;
                *expected.entry(bucket).or_insert(0u64) += 1;
                let codes = event
                    .values(Field::HttpStatus)
                    .filter_map(crate::model::text_of);
                let codes = codes.filter_map(|text| text.parse::<u64>().ok());
                let codes = codes.filter(|code| code / 100 == 4).count();
                if codes > 0 {
                    *failed.entry(bucket).or_insert(0u64) += count(codes);
                }
            }
            let filled = buckets.iter().filter(|bucket| bucket.count > 0);
            let got = filled.map(|bucket| (bucket.start.millis(), bucket.count));
            assert_eq!(got.collect::<BTreeMap<_, _>>(), expected, "{query}");
            let split = buckets.iter().flat_map(|bucket| {
                let parts = bucket.split.iter().filter(|part| part.key == "4xx");
                parts.map(|part| (bucket.start.millis(), part.count))
            });
            assert_eq!(split.collect::<BTreeMap<_, _>>(), failed, "{query}");
        }
        Aggregation::Percentiles { count: got, values } => {
            let codes = matched
                .iter()
                .flat_map(|event| event.values(Field::HttpStatus));
            let codes = codes.filter_map(crate::model::text_of);
            let codes: Vec<u64> = codes.filter_map(|text| text.parse().ok()).collect();
            assert_eq!(*got, count(codes.len()), "{query}");
            let ends = vec![
                (0.0, codes.iter().min().copied()),
                (100.0, codes.iter().max().copied()),
            ];
            assert_eq!(*values, ends, "{query}");
        }
        Aggregation::Stats { .. } => panic!("was not asked for"),
    }
}

/// A few by default, since each writes files; `PROPTEST_CASES` for more.
pub(super) fn cases() -> u32 {
    let given = std::env::var("PROPTEST_CASES").ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn answers_are_those_of_a_scan(
        events in events(),
        queries in prop::collection::vec(query(), 25),
        segment_events_max in 1u32..40,
        limit in 1usize..20,
        is_merged in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { segment_events_max, merge_segments_min: 3, ..super::small() };
        let lab = Lab::open(dir.path(), options);
        for part in events.chunks(10) {
            lab.append(part);
        }
        lab.catch_up();
        if is_merged {
            lab.clock.advance(std::time::Duration::from_secs(20 * 86_400));
            lab.merge();
        }
        for query in &queries {
            if lab.searcher().parse(query).is_ok() {
                check_search(&lab, &events, query, limit);
                check_aggregate(&lab, &events, query);
            }
        }
        lab.stop();
    }
}
