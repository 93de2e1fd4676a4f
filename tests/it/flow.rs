//! Bytes in, answers out: the main job through the real program.

use base64::Engine as _;
use serde_json::json;

use crate::harness::{Receiver, Server, eventually};

fn now_minus(seconds: i64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    wardline::model::Timestamp(i64::try_from(now.as_nanos()).unwrap() - seconds * 1_000_000_000).to_rfc3339()
}

#[test]
fn an_event_is_found_by_every_id_in_every_form() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("data"));
    let line = json!({
        "timestamp": now_minus(5), "service": "orders", "method": "GET", "path": "/v1/orders/417?page=2", "status": 404,
        "duration_ms": 12.5, "client_ip": "203.0.113.9", "user_id": "u-17",
        "request_id": "3F2504E0-4F89-11D3-9A0C-0305E82C3301",
        "headers": {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "x-correlation-id": "Corr-ABC-17"},
        "message": "order not found",
    });
    let reply = server.ingest("?source=edge-1", line.to_string().as_bytes());
    assert_eq!((reply.status, reply.json()), (200, json!({"accepted": 1, "flagged": 0})));
    server.settle();
    for id in [
        "3F2504E0-4F89-11D3-9A0C-0305E82C3301",
        "3f2504e04f8911d39a0c0305e82c3301",
        "4bf92f3577b34da6a3ce929d0e0e4736",
        "4BF92F3577B34DA6A3CE929D0E0E4736",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00f067aa0ba902b7",
        "corr-abc-17",
    ] {
        let hits = server.search(&format!("id:{id}"));
        assert_eq!(hits.len(), 1, "id:{id}");
        let story = server.get(&format!("/api/v1/requests/{id}"));
        assert_eq!(story.status, 200, "{}", story.text());
        assert_eq!(story.json()["events"].as_array().unwrap().len(), 1, "story of {id}");
    }
    let event = &server.search("status:404 user:u-17 path:/v1/orders/*")[0];
    for (name, value) in [
        ("http.request.method", json!("GET")),
        ("url.path", json!("/v1/orders/417")),
        ("url.query", json!("page=2")),
        ("http.route", json!("/v1/orders/{id}")),
        ("http.response.status_code", json!(404)),
        ("client.ip", json!("203.0.113.9")),
        ("service.name", json!("orders")),
        ("event.provider", json!("edge-1")),
        ("event.duration", json!(12_500_000)),
    ] {
        assert_eq!(event[name], value, "{name} of {event}");
    }
}

#[test]
fn formats_and_encodings_come_through_one_door() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("data"));
    let combined = r#"203.0.113.9 - kim [21/Nov/2026:19:14:33 +0000] "GET /a/b?x=1 HTTP/1.1" 200 512 "-" "curl/8.9.1""#;
    let mixed = format!("{{\"message\":\"ndjson one\"}}\n{combined}\nplain words only\n\n{{\"message\":\"ndjson two\"\n");
    let reply = server.ingest("", mixed.as_bytes());
    assert_eq!(reply.json()["accepted"], 4, "{}", reply.text());
    let array = json!([{"message": "array one"}, {"message": "array two"}]).to_string();
    assert_eq!(server.ingest("?format=json", array.as_bytes()).json()["accepted"], 2);
    let pretty = serde_json::to_string_pretty(&json!({"message": "pretty one", "deep": {"list": [1, 2]}})).unwrap();
    assert_eq!(server.ingest("?format=json", pretty.as_bytes()).json()["accepted"], 1);
    let gzip = {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(b"{\"message\":\"gzip one\"}\n").unwrap();
        encoder.finish().unwrap()
    };
    let path = "/api/v1/ingest";
    let reply = server.call("POST", path, &[("content-encoding", "gzip")], &gzip);
    assert_eq!(reply.json()["accepted"], 1, "{}", reply.text());
    let zstd = zstd::encode_all(&b"{\"message\":\"zstd one\"}\n"[..], 1).unwrap();
    assert_eq!(server.call("POST", path, &[("content-encoding", "zstd")], &zstd).json()["accepted"], 1);
    let chunked = b"18\r\n{\"message\":\"chunked one\"\r\n1\r\n}\r\n0\r\n\r\n";
    assert_eq!(server.call("POST", path, &[("transfer-encoding", "chunked")], chunked).json()["accepted"], 1);
    server.settle();
    for (query, count) in [
        ("ndjson", 2), ("array", 2), ("pretty", 1), ("gzip", 1), ("zstd", 1), ("chunked", 1), ("plain words", 1),
        ("user.name:kim status:200 ip:203.0.113.0/24", 1),
    ] {
        assert_eq!(server.search(query).len(), count, "{query}");
    }
}

#[test]
fn an_attack_becomes_an_alert_and_a_signed_webhook() {
    let dir = tempfile::tempdir().unwrap();
    let config = "[notify]\nallow_insecure = true\nallow_private_cidrs = [\"127.0.0.0/8\"]\n";
    let server = Server::start_with(&dir.path().join("data"), config);
    let receiver = Receiver::start(&[500]);
    let endpoint = server.post("/api/v1/webhooks", &json!({"url": receiver.url, "description": "test"}));
    assert_eq!(endpoint.status, 201, "{}", endpoint.text());
    let secret = endpoint.json()["secret"].as_str().unwrap().to_owned();
    let mut lines = String::new();
    for step in 0..40 {
        let event = json!({
            "timestamp": now_minus(60 - step), "service": "gateway", "method": "GET", "path": format!("/probe/{step}/x"),
            "status": 404, "client_ip": "198.51.100.7", "request_id": format!("req-{step}-abcdef"),
        });
        lines.push_str(&format!("{event}\n"));
    }
    assert_eq!(server.ingest("", lines.as_bytes()).status, 200);
    let alert = eventually("an alert", || {
        let alerts = server.get("/api/v1/alerts?status=open").json();
        alerts["data"].as_array().unwrap().iter().find(|alert| alert["title"].to_string().contains("ath enumeration")).cloned()
    });
    assert!(alert["entities"].to_string().contains("198.51.100.7"), "{alert}");
    assert!(alert["value"].as_u64().unwrap() >= 15, "{alert}");
    // The first attempt is answered with 500: it comes again under the same id, byte for byte.
    let seen = receiver.wait_for(2);
    assert_eq!(seen[0].header("webhook-id"), seen[1].header("webhook-id"));
    assert_eq!(seen[0].body, seen[1].body);
    for one in &seen[..2] {
        let key = base64::engine::general_purpose::STANDARD.decode(secret.trim_start_matches("whsec_")).unwrap();
        let signed = [one.header("webhook-id").as_bytes(), b".", one.header("webhook-timestamp").as_bytes(), b".", &one.body].concat();
        let tag = aws_lc_rs::hmac::sign(&aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &key), &signed);
        let expected = format!("v1,{}", base64::engine::general_purpose::STANDARD.encode(tag.as_ref()));
        assert_eq!(one.header("webhook-signature"), expected);
        assert_eq!(one.json()["type"], "alert.opened");
        assert_eq!(one.json()["data"]["id"], alert["id"]);
    }
    let id = alert["id"].as_str().unwrap();
    assert_eq!(server.post(&format!("/api/v1/alerts/{id}/ack"), &json!({})).json()["status"], "acknowledged");
    let close = json!({"reason": "true_positive", "comment": "blocked"});
    assert_eq!(server.post(&format!("/api/v1/alerts/{id}/close"), &close).json()["status"], "closed");
    assert_eq!(server.get(&format!("/api/v1/alerts/{id}/history")).json()["data"].as_array().unwrap().len(), 3);
    let deliveries = server.get(&format!("/api/v1/alerts/{id}/deliveries")).json();
    assert!(!deliveries["data"].as_array().unwrap().is_empty(), "{deliveries}");
}

#[test]
fn pages_cover_everything_exactly_once_and_counts_agree() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("data"));
    let lines: String = (0..250).map(|n| format!("{{\"message\":\"page walk\",\"status\":{},\"n\":{n}}}\n", 200 + n % 3)).collect();
    assert_eq!(server.ingest("", lines.as_bytes()).json()["accepted"], 250);
    server.settle();
    let mut seen = std::collections::BTreeSet::new();
    let mut cursor = serde_json::Value::Null;
    loop {
        let ask = json!({"query": "page walk", "from": "now-1d", "to": "now+1d", "limit": 40, "cursor": cursor});
        let page = server.post("/api/v1/search", &ask).json();
        for event in page["data"].as_array().unwrap() {
            assert!(seen.insert(event["ext.n"].to_string()), "twice: {event}");
        }
        cursor = page["page"]["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(seen.len(), 250);
    let ask = json!({"query": "page", "from": "now-1d", "to": "now+1d", "aggs": {
        "by_status": {"terms": {"field": "status", "size": 10}}, "over_time": {"histogram": {"interval": "1h"}}}});
    let answer = server.post("/api/v1/aggregate", &ask).json();
    let sum = |name: &str| answer["aggs"][name]["buckets"].as_array().unwrap().iter().map(|b| b["count"].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("by_status"), sum("over_time")), (250, 250), "{answer}");
}
