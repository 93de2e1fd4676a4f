//! Each noun once through its life.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};

use super::super::Served;
use super::{House, request};
use crate::api::Error;
use crate::model::{Event, Field, Offset, RuleRef, Severity, Timestamp};
use crate::redact::{Batch, Redactor, TagKey};
use crate::store::{AlertChange, Scope};

#[tokio::test]
async fn a_key_lives_from_making_to_revocation() {
    let house = House::new();
    let admin = house.key(&[Scope::Admin]);
    let body = json!({"name": "shop", "scopes": ["search", "search"], "expires_in_days": 7});
    let made = house.post("/api/v1/keys", &admin, body).await;
    assert_eq!(made.status, 201);
    let made = made.json();
    let text = made["key"].as_str().unwrap().to_owned();
    assert_eq!(made["scopes"], json!(["search"]));
    assert_eq!(made["expires_at"], "2026-11-28T12:00:00.000Z");
    assert_eq!(house.get("/api/v1/fields", &text).await.status, 200);
    let list = house.get("/api/v1/keys", &admin).await;
    assert!(!String::from_utf8_lossy(&list.body).contains(text.split_at(14).1));
    assert!(!String::from_utf8_lossy(&list.body).contains("sha256"));
    let id = made["id"].as_str().unwrap();
    let rotated = house
        .post(&format!("/api/v1/keys/{id}/rotate"), &admin, json!({}))
        .await;
    assert_eq!(rotated.status, 201);
    let rotated = rotated.json()["key"].as_str().unwrap().to_owned();
    assert_eq!(house.get("/api/v1/fields", &text).await.status, 200);
    house
        .clock
        .advance(std::time::Duration::from_secs(25 * 3600));
    assert_eq!(house.get("/api/v1/fields", &text).await.status, 401);
    assert_eq!(house.get("/api/v1/fields", &rotated).await.status, 200);
}

#[tokio::test]
async fn a_key_is_made_within_bounds() {
    let house = House::new();
    let admin = house.key(&[Scope::Admin]);
    for body in [
        json!({"name": "", "scopes": ["search"]}),
        json!({"name": "a b", "scopes": ["search"]}),
        json!({"name": "a", "scopes": []}),
        json!({"name": "a", "scopes": ["root"]}),
        json!({"name": "a", "scopes": ["search"], "expires_in_days": 366}),
        json!({"name": "a", "scopes": ["search"], "expires_in_days": 0}),
        json!({"name": "a", "scopes": ["search"], "admin": true}),
    ] {
        let answer = house.post("/api/v1/keys", &admin, body.clone()).await;
        assert_eq!(answer.status, 422, "{body}");
    }
    house
        .call(Method::DELETE, "/api/v1/keys/none", &admin, Value::Null)
        .await
        .is_problem(404, "not_found");
}

#[tokio::test]
async fn a_webhook_lives_from_making_to_removal() {
    let house = House::new();
    let admin = house.key(&[Scope::Admin]);
    let body = json!({"url": "https://hooks.example/T0/secret-path", "severity_min": "high"});
    let made = house.post("/api/v1/webhooks", &admin, body).await;
    assert_eq!(made.status, 201);
    let made = made.json();
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));
    let path = format!("/api/v1/webhooks/{}", made["id"].as_str().unwrap());
    let list = house.get("/api/v1/webhooks", &admin).await.json();
    assert_eq!(list["data"][0]["url"], "https://hooks.example/…");
    assert!(list["data"][0].get("secret").is_none());
    let shown = house.get(&path, &admin).await;
    assert_eq!(shown.header("etag"), "\"1\"");
    let change = json!({"severity_min": null, "state": "paused"});
    let changed = house
        .call(Method::PATCH, &path, &admin, change)
        .await
        .json();
    assert_eq!(
        (&changed["severity_min"], &changed["state"]),
        (&Value::Null, &json!("paused"))
    );
    assert_eq!(changed["url"], "https://hooks.example/T0/secret-path");
    let rotated = house
        .post(&format!("{path}/rotate-secret"), &admin, json!({}))
        .await
        .json();
    assert_ne!(rotated["secret"], made["secret"]);
    let deliveries = house
        .get(&format!("{path}/deliveries"), &admin)
        .await
        .json();
    assert_eq!(deliveries["data"], json!([]));
    house
        .post(&format!("{path}/test"), &admin, Value::Null)
        .await
        .is_problem(409, "conflict");
    assert_eq!(
        house
            .call(Method::DELETE, &path, &admin, Value::Null)
            .await
            .status,
        204
    );
    house.get(&path, &admin).await.is_problem(404, "not_found");
}

#[tokio::test]
async fn addresses_that_are_none_are_refused() {
    let house = House::new();
    let admin = house.key(&[Scope::Admin]);
    for url in [
        "",
        "ftp://a",
        "https://",
        "https://u:p@a/",
        "https://a/#x",
        "file:///etc/passwd",
    ] {
        let answer = house
            .post("/api/v1/webhooks", &admin, json!({"url": url}))
            .await;
        answer.is_problem(422, "input_invalid");
    }
}

fn finding() -> AlertChange {
    AlertChange {
        at: Offset(0),
        dedup_key: "r1|1.2.3.4".into(),
        rule: RuleRef {
            id: "r1".into(),
            name: "Enumeration".into(),
            revision: "0".into(),
            tags: vec![],
        },
        title: "Enumeration by 1.2.3.4".into(),
        summary: "many objects".into(),
        severity: Severity::High,
        first_seen: super::NOON,
        last_seen: super::NOON,
        value: 5,
        threshold: 5,
        entities: vec![],
        correlation_ids: vec!["req-1".into()],
        sample_events: vec![],
        query: "client.ip:1.2.3.4".into(),
        labels: Default::default(),
    }
}

#[tokio::test]
async fn an_alert_is_taken_closed_and_opened_again() {
    let house = House::new();
    let key = house.key(&[Scope::Alerts]);
    house
        .store
        .commit_findings(Offset(1), None, &[finding()], super::NOON)
        .unwrap();
    let list = house
        .get(
            "/api/v1/alerts?status=open&severity=high,critical&q=REQ-1",
            &key,
        )
        .await;
    let id = list.json()["data"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/alerts/{id}");
    let shown = house.get(&path, &key).await;
    let etag = shown.header("etag").to_owned();
    let taken = house
        .post(&format!("{path}/ack"), &key, json!({"note": "mine"}))
        .await;
    assert_eq!(taken.json()["assignee"], "tester");
    let stale = {
        let headers = [("x-api-key", key.as_str()), ("if-match", etag.as_str())];
        let body = Body::from(json!({"reason": "benign", "comment": ""}).to_string());
        request(Method::POST, &format!("{path}/close"), &headers, body)
    };
    house.send(stale).await.is_problem(412, "version_mismatch");
    let verdict = json!({"reason": "true_positive", "comment": "blocked"});
    let closed = house
        .post(&format!("{path}/close"), &key, verdict.clone())
        .await
        .json();
    assert_eq!(closed["resolution"]["by"], "tester");
    house
        .post(&format!("{path}/close"), &key, verdict)
        .await
        .is_problem(409, "conflict");
    let note = json!({"text": "seen again, token=ghp_16C7e42F292c6912E7710c838347Ae178B4a"});
    assert_eq!(
        house
            .post(&format!("{path}/notes"), &key, note)
            .await
            .status,
        200
    );
    let opened = house
        .post(&format!("{path}/reopen"), &key, json!({}))
        .await
        .json();
    assert_eq!(opened["status"], "open");
    let history = house.get(&format!("{path}/history"), &key).await.json();
    let written = history.to_string();
    assert!(written.contains("seen again, token=[R:github-token:"));
    assert!(!written.contains("ghp_"), "{written}");
    let actions: Vec<_> = history["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["action"].clone())
        .collect();
    assert_eq!(
        actions,
        ["opened", "acknowledged", "closed", "noted", "reopened"]
    );
    let deliveries = house.get(&format!("{path}/deliveries"), &key).await.json();
    assert_eq!(deliveries["data"], json!([]));
    house
        .get("/api/v1/alerts/none", &key)
        .await
        .is_problem(404, "not_found");
}

async fn stored(house: &House) -> Offset {
    let redactor = Redactor::new(Default::default(), TagKey::from_bytes(&[7; 32]));
    let mut batch = Batch::default();
    let rows = [
        ("edge", "req-1", 50_000_000u64),
        ("shop", "req-1", 20_000_000),
    ];
    for (at, (service, id, took)) in rows.into_iter().enumerate() {
        let time = Timestamp(super::NOON.0 + 100_000_000 + i64::try_from(at).unwrap() * 5_000_000);
        let mut event = Event::new(time, super::NOON);
        event.push_str(Field::ServiceName, service);
        event.push_str(Field::CorrelationId, id);
        event.push(
            Field::EventDuration,
            crate::model::Value::Num(took.to_string().into()),
        );
        batch.push(&redactor.redact(event));
    }
    house.wal.append(batch).await.unwrap().first
}

#[tokio::test]
async fn an_event_is_shown_from_the_log() {
    let house = House::new();
    let key = house.key(&[Scope::Search]);
    let first = stored(&house).await;
    let path = format!("/api/v1/events/{}", first.event_id());
    let event = house.get(&path, &key).await.json();
    assert_eq!(event["service.name"], "edge");
    assert_eq!(event["id"], first.event_id());
    for id in [Offset(999).event_id(), "evt_x".into(), "x".into()] {
        let answer = house.get(&format!("/api/v1/events/{id}"), &key).await;
        answer.is_problem(404, "not_found");
    }
}

#[tokio::test]
async fn status_names_what_there_is() {
    let house = House::new();
    let key = house.key(&[Scope::Search]);
    stored(&house).await;
    let status = house.get("/api/v1/status", &key).await.json();
    assert_eq!(status["log"]["end"], 2);
    assert_eq!(status["log"]["healthy"], true);
    assert_eq!(status["alerts"]["open"]["high"], 0);
    assert_eq!(
        house.get("/api/v1/sources", &key).await.json()["data"],
        json!([])
    );
    assert_eq!(
        house
            .get("/api/v1/rules", &house.key(&[Scope::Alerts]))
            .await
            .json()["data"],
        json!([])
    );
}

#[tokio::test]
async fn what_was_redacted_is_counted() {
    let house = House::new();
    let key = house.key(&[Scope::Search]);
    let metrics = &house.metrics;
    metrics.redactions.add(3);
    let counts = &metrics.redactions_by_rule;
    counts.add(["card", "edge", "message", "tag"], 1);
    counts.add(["token", "edge", "ext.a", "mask"], 2);
    let seen = house.get("/api/v1/redaction", &key).await.json();
    assert_eq!(seen["redactions"], 3);
    assert_eq!(
        seen["data"],
        json!([
            {"rule": "token", "source": "edge", "field": "ext.a", "action": "mask", "count": 2},
            {"rule": "card", "source": "edge", "field": "message", "action": "tag", "count": 1},
        ])
    );
}

#[tokio::test]
async fn a_search_without_matches_is_an_empty_page() {
    let house = House::new();
    let key = house.key(&[Scope::Search]);
    let body = json!({"query": "a", "from": "now-1h", "to": "now", "count": true});
    let page = house.post("/api/v1/search", &key, body).await.json();
    assert_eq!(page["data"], json!([]));
    assert_eq!(page["page"], json!({"next_cursor": null, "limit": 100}));
    assert_eq!(page["stats"]["total_relation"], "eq");
    let missing = house.get("/api/v1/requests/none", &key).await;
    missing.is_problem(404, "not_found");
    let odd = json!({"query": "a", "from": "yesterday"});
    let problem = house
        .post("/api/v1/search", &key, odd)
        .await
        .is_problem(422, "input_invalid");
    assert_eq!(problem["errors"][0]["pointer"], "/from");
}

#[tokio::test]
async fn aggregations_are_read_one_by_one() {
    let house = House::new();
    let key = house.key(&[Scope::Search]);
    let fine = json!({"aggs": {
        "time": {"histogram": {"interval": "1m", "split": "http.response.status_code"}},
        "auto": {"histogram": {"interval": "auto"}},
        "top": {"terms": {"field": "client.ip", "size": 5}},
        "many": {"cardinality": {"field": "client.ip"}},
    }});
    assert_eq!(
        house.post("/api/v1/aggregate", &key, fine).await.status,
        200
    );
    for (odd, pointer) in [
        (json!({}), "/aggs"),
        (
            json!({"a": {"terms": {"field": "x", "size": 0}}}),
            "/aggs/a",
        ),
        (
            json!({"a/b": {"histogram": {"interval": "soon"}}}),
            "/aggs/a~1b",
        ),
        (json!({"a": {"sum": {"field": "x"}}}), "/aggs/a"),
        (
            json!({"a": {"terms": {"field": "x", "order": 1}}}),
            "/aggs/a",
        ),
    ] {
        let answer = house
            .post("/api/v1/aggregate", &key, json!({"aggs": odd}))
            .await;
        let problem = answer.is_problem(422, "input_invalid");
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
}

#[tokio::test]
async fn a_query_is_held_to_the_bounds_of_the_options() {
    let house = House::new();
    let key = house.key(&[Scope::Search]);
    let deep = format!("{}a{}", "(".repeat(40), ")".repeat(40));
    let wide = vec!["a"; 300].join(" OR ");
    let long = "a".repeat(17 << 10);
    for query in [deep, wide, long] {
        let aggs = json!({"n": {"cardinality": {"field": "client.ip"}}});
        for (path, body) in [
            ("/api/v1/search", json!({"query": query})),
            ("/api/v1/aggregate", json!({"query": query, "aggs": aggs})),
        ] {
            let answer = house.post(path, &key, body).await;
            answer.is_problem(422, "query_invalid");
        }
    }
}

#[tokio::test]
async fn a_search_is_counted_once() {
    let house = House::new();
    let key = house.key(&[Scope::Search]);
    let answer = house.post("/api/v1/search", &key, json!({})).await;
    assert_eq!(answer.status, 200);
    assert_eq!(house.metrics.search_requests.get(), 1);
}

#[tokio::test]
async fn the_slot_of_a_search_is_held_until_the_search_ends() {
    let house = House::new();
    let served = Arc::new(Served::new(house.state.clone()));
    let free = served.searches.available_permits();
    let (end, ended) = std::sync::mpsc::sync_channel::<()>(1);
    let search = served.search(move |_state| {
        let _gone = ended.recv().is_err();
        Ok::<_, Error>(())
    });
    let gone = tokio::time::timeout(Duration::from_millis(50), search).await;
    assert!(gone.is_err(), "the search waits");
    assert_eq!(served.searches.available_permits(), free - 1);
    drop(end);
    while served.searches.available_permits() < free {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn every_list_has_the_same_shape() {
    let house = House::new();
    let admin = house.key(&[Scope::Admin]);
    house
        .store
        .commit_findings(Offset(1), None, &[finding()], super::NOON)
        .unwrap();
    let alerts = house.get("/api/v1/alerts", &admin).await.json();
    let alert = format!(
        "/api/v1/alerts/{}",
        alerts["data"][0]["id"].as_str().unwrap()
    );
    for path in [
        "keys",
        "webhooks",
        "rules",
        "sources",
        "redaction",
        "fields",
        "alerts",
    ]
    .map(|noun| format!("/api/v1/{noun}"))
    .into_iter()
    .chain(["history", "events", "deliveries"].map(|part| format!("{alert}/{part}")))
    {
        let list = house.get(&path, &admin).await.json();
        assert!(list["data"].is_array(), "{path}");
        assert!(list["page"]["limit"].is_u64(), "{path}");
        assert_eq!(list["page"]["next_cursor"], Value::Null, "{path}");
    }
}

#[tokio::test]
async fn a_history_comes_page_by_page() {
    let house = House::new();
    let key = house.key(&[Scope::Alerts]);
    let findings = [finding()];
    let made = house
        .store
        .commit_findings(Offset(1), None, &findings, super::NOON);
    let path = format!("/api/v1/alerts/{}", made.unwrap().opened[0]);
    for text in ["one", "two"] {
        let note = json!({"text": text});
        house.post(&format!("{path}/notes"), &key, note).await;
    }
    let page = house.get(&format!("{path}/history?limit=2"), &key).await;
    let page = page.json();
    assert_eq!(page["data"].as_array().unwrap().len(), 2);
    let cursor = page["page"]["next_cursor"].as_str().unwrap();
    let rest = house
        .get(&format!("{path}/history?limit=2&cursor={cursor}"), &key)
        .await
        .json();
    assert_eq!(rest["data"][0]["note"], "two");
    assert_eq!(rest["page"], json!({"next_cursor": null, "limit": 2}));
    house
        .get(&format!("{path}/history?cursor=x"), &key)
        .await
        .is_problem(422, "input_invalid");
}

#[tokio::test]
async fn words_that_are_too_long_are_refused_at_their_place() {
    let house = House::new();
    let key = house.key(&[Scope::Alerts]);
    let long = "x".repeat(8_193);
    for (act, body, pointer) in [
        ("ack", json!({"note": long}), "/note"),
        (
            "close",
            json!({"reason": "benign", "comment": long}),
            "/comment",
        ),
        ("reopen", json!({"note": long}), "/note"),
        ("notes", json!({"text": long}), "/text"),
    ] {
        let answer = house
            .post(&format!("/api/v1/alerts/a/{act}"), &key, body)
            .await;
        let problem = answer.is_problem(422, "input_invalid");
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
}
