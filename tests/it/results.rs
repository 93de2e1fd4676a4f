//! What a search answers beside the events of a query: their order, where they match, and what is different about them.

use serde_json::{Value, json};

use crate::harness::{BIN, Server, eventually};

/// Events with these members, one a second.
fn filled(dir: &std::path::Path, events: &[Value]) -> Server {
    let server = Server::start(&dir.join("data"));
    let lines: Vec<String> = events
        .iter()
        .enumerate()
        .map(|(at, event)| {
            let mut event = event.clone();
            event["timestamp"] = json!(format!("2026-11-21T12:{:02}:{:02}Z", at / 60, at % 60));
            event.to_string()
        })
        .collect();
    let sent = server.ingest("?source=lab", lines.join("\n").as_bytes());
    assert_eq!(sent.json()["accepted"], events.len());
    server.settle();
    server
}

#[test]
fn events_come_in_the_order_of_any_column() {
    let dir = tempfile::tempdir().unwrap();
    let server = filled(
        dir.path(),
        &[
            json!({"message": "a", "duration_ms": 7, "user_id": "bob", "client_ip": "10.0.0.9"}),
            json!({"message": "b", "duration_ms": 12, "user_id": "Alice", "client_ip": "10.0.0.10"}),
            json!({"message": "c"}),
            json!({"message": "d", "duration_ms": 12, "user_id": "carol", "client_ip": "9.9.9.9"}),
        ],
    );
    let search = |body: Value| server.post("/api/v1/search", &body);
    let check = |sort: Value, expected: &str| {
        let mut cursor = Value::Null;
        let mut found = String::new();
        loop {
            let body = json!({"sort": sort, "limit": 1, "cursor": cursor});
            let page = search(body).json();
            found += page["data"][0]["message"].as_str().unwrap();
            cursor = page["page"]["next_cursor"].clone();
            if cursor.is_null() {
                break;
            }
        }
        assert_eq!(found, expected, "{sort}");
    };
    check(json!("asc"), "abcd");
    check(json!("desc"), "dcba");
    check(json!({"field": "@timestamp", "order": "asc"}), "abcd");
    check(json!({"field": "event.duration"}), "dbac");
    check(json!({"field": "duration", "order": "asc"}), "adbc");
    check(json!({"field": "user.id", "order": "asc"}), "badc");
    check(json!({"field": "client.ip", "order": "desc"}), "badc");
    for (bad, pointer) in [
        (json!("up"), "/sort"),
        (json!(7), "/sort"),
        (json!({}), "/sort"),
        (json!({"field": "user.id", "order": "up"}), "/sort/order"),
        (json!({"field": "user.id", "x": 1}), "/sort/x"),
        (json!({"field": "message"}), "/sort/field"),
        (json!({"field": "ext.a"}), "/sort/field"),
    ] {
        let refused = search(json!({"sort": bad}));
        assert_eq!(refused.status, 422, "{bad}: {}", refused.text());
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{bad}");
    }
    let told = command(&server, &["--sort", "duration:asc", "--cols", "message"]);
    assert_eq!(told, "message\na\nd\nb\nc\n");
}

/// What `wardline search` of all of 2026-11-21 prints as CSV.
fn command(server: &Server, more: &[&str]) -> String {
    let done = std::process::Command::new(BIN)
        .args(["search", "", "--from", "2026-11-21T00:00:00Z", "-o", "csv"])
        .args(["--url", &format!("http://{}", server.address)])
        .args(more)
        .env("WARDLINE_KEY", &server.key)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{errors}");
    String::from_utf8(done.stdout).unwrap()
}

/// Ordinary traffic of twenty minutes, and in the last ten one user agent that is refused again and again.
fn attacked() -> Vec<Value> {
    let (services, methods) = (["shop", "edge"], ["GET", "POST"]);
    let paths = ["/v1/items/7", "/v1/login"];
    let agents = ["Mozilla/5.0 (X11)", "okhttp/4.12", "curl/8.9.1"];
    let ordinary = (0..1_200).map(|at| {
        json!({
            "service": services[at % 2], "method": methods[at % 2], "path": paths[at % 2], "status": if at % 40 == 0 { 401 } else { 200 }, "duration_ms": 5 + at % 9,
            "user_id": format!("u-{}", at % 50), "client_ip": format!("203.0.113.{}", at % 200),
            "user_agent": agents[at % 3],
        })
    });
    ordinary
        .enumerate()
        .map(|(at, event)| match at {
            600.. if at % 6 == 0 => json!({
                "service": "shop", "method": "POST", "path": "/v1/login", "status": 401, "duration_ms": 90,
                "client_ip": format!("198.51.100.{}", at % 120), "user_agent": "python-requests/2.31",
            }),
            _ => event,
        })
        .collect()
}

#[test]
fn what_is_different_about_an_attack_comes_first() {
    let dir = tempfile::tempdir().unwrap();
    let server = filled(dir.path(), &attacked());
    let compare = |body: Value| server.post("/api/v1/compare", &body);
    let asked = json!({"from": "2026-11-21T12:10:00Z", "to": "2026-11-21T12:19:59.999Z"});
    let reply = compare(asked.clone());
    assert_eq!(reply.status, 200, "{}", reply.text());
    let found = reply.json();
    assert_eq!(found["selection"]["events"], 600);
    assert_eq!(found["baseline"]["events"], 600);
    assert_eq!(found["baseline"]["from"], "2026-11-21T12:00:00.000Z");
    assert_eq!(found["baseline"]["to"], "2026-11-21T12:09:59.999Z");
    let first = &found["fields"][0];
    assert_eq!(first["field"], "user_agent.original", "{found}");
    assert_eq!(first["values"][0]["value"], "python-requests/2.31");
    assert_eq!(first["values"][0]["change"], "new");
    assert_eq!(
        first["values"][0]["selection"],
        json!({"count": 100, "share": 0.166_667})
    );
    assert_eq!(
        first["values"][0]["baseline"],
        json!({"count": 0, "share": 0.0})
    );
    let statuses = found["fields"].as_array().unwrap().iter();
    let mut statuses = statuses.filter(|field| field["field"] == "http.response.status_code");
    let refused = &statuses.next().unwrap()["values"][0];
    assert_eq!(
        (&refused["value"], &refused["change"]),
        (&json!("401"), &json!("more"))
    );
    let duration = &found["measures"][0];
    assert_eq!(duration["field"], "event.duration");
    assert_eq!(
        duration["selection"]["p95"].as_u64().unwrap() / 1_000_000,
        89
    );
    assert_eq!(
        duration["baseline"]["p95"].as_u64().unwrap() / 1_000_000,
        12
    );
    // The refused ones against all of the same time.
    let mut others = asked.clone();
    others["query"] = json!("status:401");
    others["baseline"] = json!({"query": "", "from": asked["from"], "to": asked["to"]});
    others["fields"] = json!(["ua", "duration", "user.id"]);
    others["size"] = json!(1);
    let found = compare(others).json();
    let values = &found["fields"][0]["values"];
    assert_eq!(values.as_array().unwrap().len(), 1);
    assert_eq!(values[0]["value"], "python-requests/2.31");
}

#[test]
fn comparisons_with_nothing_say_so_and_bad_ones_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let server = filled(dir.path(), &attacked());
    let compare = |body: Value| server.post("/api/v1/compare", &body);
    for (query, from, empty) in [
        ("", "2026-11-21T12:00:00Z", "baseline"),
        ("", "2026-11-21T12:20:00Z", "selection"),
        ("none", "2026-11-21T12:10:00Z", "both"),
    ] {
        let to = "2026-11-21T12:30:00Z";
        let reply = compare(json!({"query": query, "from": from, "to": to}));
        assert_eq!(reply.status, 200, "{}", reply.text());
        let found = reply.json();
        assert_eq!(
            (&found["empty"], &found["fields"]),
            (&json!(empty), &json!([]))
        );
        assert!(!reply.text().contains("NaN"));
    }
    // A moment, the whole of time, the end of time.
    for (from, to) in [
        ("2026-11-21T12:10:00Z", "2026-11-21T12:10:00Z"),
        ("1678-01-01T00:00:00Z", "2262-01-01T00:00:00Z"),
    ] {
        assert_eq!(
            compare(json!({"from": from, "to": to})).status,
            200,
            "{from}"
        );
    }
    let many = vec!["status"; 21];
    for (bad, pointer) in [
        (json!({}), ""),
        (json!({"from": ""}), "/from"),
        (json!({"from": "yesterday"}), "/from"),
        (json!({"from": "now", "to": "now-1h"}), "/to"),
        (json!({"from": "now-1h", "query": "("}), "/query"),
        (json!({"from": "now-1h", "size": 0}), "/size"),
        (json!({"from": "now-1h", "size": 51}), "/size"),
        (json!({"from": "now-1h", "fields": []}), "/fields"),
        (json!({"from": "now-1h", "fields": many}), "/fields"),
        (
            json!({"from": "now-1h", "fields": ["status", "message"]}),
            "/fields/1",
        ),
        (
            json!({"from": "now-1h", "fields": ["ip", "client.ip"]}),
            "/fields/1",
        ),
        (json!({"from": "now-1h", "x": 1}), "/x"),
        (
            json!({"from": "now-1h", "baseline": {"from": "now-1d"}}),
            "/baseline",
        ),
        (
            json!({"from": "now-1h", "baseline": {"from": "now-1d", "to": "now-2d"}}),
            "/baseline/to",
        ),
        (
            json!({"from": "now-1h", "baseline": {"query": "(", "from": "now-2d", "to": "now"}}),
            "/baseline/query",
        ),
    ] {
        let refused = compare(bad.clone());
        assert_eq!(refused.status, 422, "{bad}: {}", refused.text());
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{bad}");
    }
}

#[test]
fn an_answer_says_where_its_events_match() {
    let dir = tempfile::tempdir().unwrap();
    let server = filled(
        dir.path(),
        &[
            json!({"message": "𝄞 upstream Timeout", "status": 504, "tags": ["pci", "eu"]}),
            json!({"message": "no route", "status": 502}),
        ],
    );
    let search = |body: Value| server.post("/api/v1/search", &body);
    let query = "(timeout OR status:502) -tags:us";
    let found = search(json!({"query": query, "highlight": true})).json();
    assert_eq!(
        found["highlights"],
        json!([
            [{"field": "http.response.status_code"}],
            [{"field": "message", "ranges": [[12, 19]]}],
        ])
    );
    // The events are what they are without.
    let plain = search(json!({"query": query})).json();
    assert_eq!(
        (&plain["data"], &plain["highlights"]),
        (&found["data"], &Value::Null)
    );
    let tags = json!({"query": "tags:eu timeout", "highlight": true, "fields": ["tags"]});
    let found = search(tags).json();
    assert_eq!(
        found["highlights"],
        json!([[{"field": "tags", "value": 1}]])
    );
    let none = search(json!({"query": "none", "highlight": true})).json();
    assert_eq!(none["highlights"], json!([]));
    assert_eq!(search(json!({"highlight": 1})).status, 422);
}

fn lines(text: &str) -> Vec<Value> {
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

const LINES: (&str, &str) = ("accept", "application/x-ndjson");

#[test]
fn events_come_as_lines_with_the_end_last() {
    let dir = tempfile::tempdir().unwrap();
    let server = filled(dir.path(), &attacked());
    let search = |body: Value| {
        let body = body.to_string();
        server.call("POST", "/api/v1/search", &[LINES], body.as_bytes())
    };
    let plain = server
        .post("/api/v1/search", &json!({"limit": 1000}))
        .json();
    let found = search(json!({"limit": 10_000}));
    assert_eq!(
        found.header("content-type").unwrap(),
        "application/x-ndjson"
    );
    let mut rows = lines(&found.text());
    let end = rows.pop().unwrap();
    assert_eq!(
        (rows.len(), end["page"]["limit"].as_u64()),
        (1_200, Some(10_000))
    );
    assert_eq!(rows[..1_000], plain["data"].as_array().unwrap()[..]);
    assert_eq!(end["page"]["next_cursor"], Value::Null);
    assert_eq!(end["stats"]["silent_sources"], json!([]));
    // The cursor is that of any search, whatever the order.
    for sort in [json!("asc"), json!({"field": "client.ip"})] {
        let body = json!({"query": "status:401", "limit": 70, "sort": sort, "count": true});
        let mut first = lines(&search(body).text());
        let end = first.pop().unwrap();
        assert_eq!((first.len(), &end["stats"]["total"]), (70, &json!(125)));
        let cursor = &end["page"]["next_cursor"];
        let rest = json!({"query": "status:401", "limit": 1000, "sort": sort, "cursor": cursor});
        first.extend(
            server.post("/api/v1/search", &rest).json()["data"]
                .as_array()
                .unwrap()
                .clone(),
        );
        let all = json!({"query": "status:401", "limit": 1000, "sort": sort});
        assert_eq!(
            json!(first),
            server.post("/api/v1/search", &all).json()["data"],
            "{sort}"
        );
    }
    let none = lines(&search(json!({"query": "servcie:x"})).text());
    assert_eq!(
        (none.len(), &none[0]["hints"][0]["meant"]),
        (1, &json!("service"))
    );
    for (bad, pointer) in [
        (json!({"limit": 10_001}), "/limit"),
        (json!({"highlight": true}), "/highlight"),
        (json!({"cursor": "x"}), "/cursor"),
        (json!({"query": "("}), "/query"),
    ] {
        let refused = search(bad.clone());
        assert_eq!(refused.status, 422, "{bad}");
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{bad}");
    }
}

/// Sends a search, reads so many bytes of its answer, and goes.
fn leave(server: &Server, accept: &str, body: &Value, bytes: usize) {
    use std::io::{Read, Write};
    let body = body.to_string();
    let mut stream = std::net::TcpStream::connect(&server.address).unwrap();
    write!(
        stream,
        "POST /api/v1/search HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\naccept: {accept}\r\ncontent-length: {}\r\n\r\n{body}",
        server.address,
        server.key,
        body.len()
    )
    .unwrap();
    let mut some = vec![0; bytes];
    stream.read_exact(&mut some).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
}

#[test]
fn a_search_ends_when_its_caller_goes() {
    let dir = tempfile::tempdir().unwrap();
    let config =
        "[index]\nsearch_ms_max = 100000\nverify_events_max = 100000000\n[api]\nsearches_max = 1\n";
    let server = Server::start_with(&dir.path().join("data"), config);
    // The newest are found at once; all others have to be read to know that they do not match, which takes long.
    let text = "ab".repeat(400);
    let events: Vec<String> = (0..5_000)
        .map(|at| {
            let message = if at > 4_990 { "early" } else { &text };
            json!({"timestamp": at + 1_700_000_000, "message": message}).to_string()
        })
        .collect();
    assert_eq!(server.ingest("", events.join("\n").as_bytes()).status, 200);
    server.settle();
    let slow: Vec<String> = (0..100).map(|at| format!("message:*a*b*c{at}*")).collect();
    let slow = json!({"query": format!("message:early OR {}", slow.join(" OR ")), "limit": 1000});
    let gone = |count: u64| {
        let metrics = server.get("/metrics").text();
        metrics
            .contains(&format!("wardline_search_gone_total {count}\n"))
            .then_some(())
    };
    for (count, accept, bytes) in [(1, "application/json", 0), (2, LINES.1, 500)] {
        leave(&server, accept, &slow, bytes);
        eventually("the search to end", || gone(count));
        let quick = server.post("/api/v1/search", &json!({"limit": 1}));
        assert_eq!(quick.status, 200);
    }
}
