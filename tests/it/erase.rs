//! Events that are erased for good, and those that must not be.

use serde_json::{Value, json};

use crate::harness::{Server, eventually, run, said, text};

/// Tries to read the objects of others: enough of it raises an alert.
fn attack(user: &str) -> String {
    (0..80)
        .map(|at| {
            format!(
                "{{\"message\":\"tried {at}\",\"user\":{{\"id\":\"{user}\"}},\"http\":{{\"request\":{{\"method\":\"GET\"}},\"response\":{{\"status_code\":403}}}},\"url\":{{\"path\":\"/v1/accounts/{at}\"}},\"client\":{{\"ip\":\"203.0.113.7\"}}}}\n"
            )
        })
        .collect()
}

#[test]
fn what_is_erased_is_gone_everywhere_and_the_log_stays_provable() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let (data, backups, again) = (at("data"), at("backups"), at("again"));
    let server = Server::start(&data);
    server.ingest("", attack("mallory").as_bytes());
    for number in 0..50 {
        let line = format!("{{\"message\":\"order {number}\",\"user\":{{\"id\":\"kim\"}}}}\n");
        server.ingest("", line.as_bytes());
    }
    server.settle();
    let alerts = eventually("an alert", || {
        let alerts = server.get("/api/v1/alerts").json()["data"]
            .as_array()
            .cloned();
        alerts.filter(|alerts| !alerts.is_empty())
    });
    let has_samples = |alerts: &[Value]| {
        let samples = alerts
            .iter()
            .filter_map(|alert| alert["sample_events"].as_array());
        samples.map(Vec::len).sum::<usize>() > 0
    };
    assert!(has_samples(&alerts), "{alerts:?}");
    said(&run(Some(&server), &["backup", text(&backups)]), 0);

    let counted = said(
        &run(Some(&server), &["erase", "user.id:mallory", "--dry-run"]),
        0,
    );
    assert_eq!(counted, json!({"events": 80}));
    assert_eq!(server.search("user.id:mallory").len(), 80);
    let asked = ["erase", "user.id:mallory", "--reason", "request 2026-118"];
    assert_eq!(
        run(Some(&server), &asked).status.code(),
        Some(2),
        "nobody was asked"
    );
    let receipt = said(&run(Some(&server), &[&asked[..], &["--yes"]].concat()), 0);
    assert_eq!(receipt["events"], 80);
    assert_eq!(receipt["backups"].as_array().unwrap().len(), 1);
    assert!(receipt["alerts"].as_u64().unwrap() > 0);
    assert!(!receipt.to_string().contains("mallory"), "{receipt}");

    assert_eq!(server.search("user.id:mallory").len(), 0);
    assert_eq!(server.search("tried").len(), 0);
    assert_eq!(server.search("order").len(), 50);
    let alerts = server.get("/api/v1/alerts").json()["data"]
        .as_array()
        .cloned();
    assert!(!has_samples(&alerts.unwrap()));
    let list = server.get("/api/v1/erasures").json();
    assert_eq!(list["data"][0]["id"], receipt["id"]);
    server.ingest("", b"{\"message\":\"order 50\"}");
    server.settle();
    assert_eq!(server.search("order").len(), 51);

    // A backup of it holds the receipts, and what is made of it is provable, too.
    std::fs::remove_dir_all(&backups).unwrap();
    let arguments = ["backup", text(&backups), "--data-dir", text(&data)];
    said(&run(Some(&server), &arguments), 0);
    let report = said(&run(None, &["verify", "--data-dir", text(&data)]), 0);
    assert_eq!(report["erased_segments"], 1);
    server.kill();
    let arguments = ["restore", text(&backups), "--data-dir", text(&again)];
    said(&run(None, &arguments), 0);
    for data in [&data, &again] {
        assert_eq!(
            said(&run(None, &["verify", "--data-dir", text(data)]), 0)["damaged"],
            0
        );
    }
    std::fs::remove_dir_all(again.join("index")).ok();
    let server = Server::start(&again);
    server.settle();
    assert_eq!(server.search("user.id:mallory").len(), 0);
    assert_eq!(server.search("order").len(), 51);
}

#[test]
fn an_erasure_is_seen_through_whenever_the_server_dies() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let mut server = Server::start(&data);
    for round in 0..6u64 {
        let lines: String = (0..2_000)
            .map(|at| {
                format!(
                    "{{\"message\":\"event {at}\",\"user\":{{\"id\":\"user-{round}-{}\"}}}}\n",
                    at % 2
                )
            })
            .collect();
        server.ingest("", lines.as_bytes());
        server.settle();
        let query = format!("user.id:user-{round}-1");
        let body = json!({"query": query, "reason": "a test", "expect": 1_000});
        let begun = server.post("/api/v1/erasures", &body).json();
        let id = begun["erasure"]["id"].as_str().unwrap().to_owned();
        std::thread::sleep(std::time::Duration::from_millis(round * round * 12));
        server.kill();
        server = Server::start(&data);
        let receipt = eventually("the erasure is done", || {
            let receipt = server.get(&format!("/api/v1/erasures/{id}")).json();
            (receipt["state"] == "done").then_some(receipt)
        });
        assert_eq!(receipt["events"], 1_000, "{receipt}");
        server.settle();
        assert_eq!(server.search(&query).len(), 0, "{round}");
        let others = format!("user.id:user-{round}-0");
        let counted = server.post(
            "/api/v1/search",
            &json!({"query": others, "limit": 1, "count": true}),
        );
        assert_eq!(counted.json()["stats"]["total"], 1_000, "{round}");
    }
    server.kill();
    assert_eq!(
        said(&run(None, &["verify", "--data-dir", text(&data)]), 0)["damaged"],
        0
    );
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("data"));
    server.ingest("", b"{\"message\":\"one\"}\n{\"message\":\"two\"}");
    server.settle();
    let check = |body: Value, status: u16, words: &str| {
        let reply = server.post("/api/v1/erasures", &body);
        assert_eq!(reply.status, status, "{body}: {}", reply.text());
        assert!(reply.text().contains(words), "{body}: {}", reply.text());
    };
    check(json!({"query": " ", "dry_run": true}), 422, "/query");
    check(json!({"query": "one"}), 422, "/reason");
    check(json!({"query": "one", "reason": "x"}), 422, "/expect");
    check(
        json!({"query": "one", "reason": "x", "expect": 2}),
        409,
        "dry_run",
    );
    check(
        json!({"query": "one", "reason": "x".repeat(501), "expect": 1}),
        422,
        "/reason",
    );
    check(
        json!({"query": "message:[", "dry_run": true}),
        422,
        "query_invalid",
    );
    check(
        json!({"query": "nothing", "reason": "x", "expect": 0}),
        200,
        "null",
    );
    let hold = server.post(
        "/api/v1/holds",
        &json!({"reason": "case 7", "from": "now-1d"}),
    );
    assert_eq!(hold.status, 201, "{}", hold.text());
    check(
        json!({"query": "one", "reason": "x", "expect": 1}),
        409,
        "legal hold",
    );
    let id = hold.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(
        server.get("/api/v1/holds").json()["data"][0]["reason"],
        "case 7"
    );
    let lifted = server.call("DELETE", &format!("/api/v1/holds/{id}"), &[], b"");
    assert_eq!(lifted.status, 204);
    check(
        json!({"query": "one", "reason": "x", "expect": 1}),
        200,
        "under_way",
    );
    assert_eq!(server.search("two").len(), 1);
    let backwards = json!({"reason": "x", "from": "now", "to": "now-1h"});
    assert_eq!(server.post("/api/v1/holds", &backwards).status, 422);
}

#[test]
fn events_of_a_source_go_sooner_and_a_legal_hold_keeps_them() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let server = Server::start(&data);
    for source in ["debug", "audit"] {
        let query = format!("?source={source}");
        let days = ["2026-01-02", "2026-01-03"];
        let lines =
            days.map(|day| format!("{{\"message\":\"old\",\"@timestamp\":\"{day}T00:00:00Z\"}}\n"));
        server.ingest(&query, lines.concat().as_bytes());
        server.ingest(&query, b"{\"message\":\"of today\"}");
    }
    server.settle();
    let hold = server
        .post("/api/v1/holds", &json!({"reason": "case 7"}))
        .json();
    assert_eq!(server.stop(), Some(0));
    let config = "[wal]\nretention_source_days = { debug = 1 }\n";
    let server = Server::start_with(&data, config);
    server.settle();
    std::thread::sleep(std::time::Duration::from_secs(12));
    assert_eq!(server.search("event.provider:debug").len(), 3, "held");
    let id = hold["id"].as_str().unwrap();
    assert_eq!(
        server
            .call("DELETE", &format!("/api/v1/holds/{id}"), &[], b"")
            .status,
        204
    );
    assert_eq!(server.stop(), Some(0));
    let server = Server::start_with(&data, config);
    eventually("the source's events expire", || {
        let left = server.search("event.provider:debug").len();
        (left == 1).then_some(())
    });
    assert_eq!(server.search("event.provider:audit").len(), 3);
    let list = server.get("/api/v1/erasures").json();
    assert_eq!(
        (&list["data"][0]["by"], &list["data"][0]["events"]),
        (&json!("retention"), &json!(2))
    );
}
