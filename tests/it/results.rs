//! What a search answers beside the events of a query: their order, where they match, and what is different about them.

use serde_json::{Value, json};

use crate::harness::{BIN, Server};

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
