//! Live tails over the real router.

use std::time::Duration;

use axum::body::Body;
use axum::http::Method;
use http_body_util::BodyExt;

use super::{House, NOON, Plan, request};
use crate::api::Options;
use crate::model::{Event, Field, Offset, Timestamp};
use crate::redact::{Batch, Redactor, TagKey};
use crate::store::Scope;

async fn log(house: &House, services: &[&str]) -> Offset {
    let redactor = Redactor::new(Default::default(), TagKey::from_bytes(&[7; 32]));
    let mut batch = Batch::default();
    for service in services {
        let mut event = Event::new(Timestamp(NOON.0), NOON);
        event.push_str(Field::ServiceName, *service);
        batch.push(&redactor.redact(event));
    }
    house.wal.append(batch).await.unwrap().first
}

/// An open tail: what has been read of it so far, and the rest.
struct Open {
    body: Body,
    text: String,
}

impl Open {
    async fn new(house: &House, query: &str, headers: &[(&str, &str)]) -> Self {
        let key = format!("Bearer {}", house.key(&[Scope::Search]));
        let headers = [headers, &[("authorization", key.as_str())]].concat();
        let path = format!("/api/v1/tail?query={query}");
        let asked = request(Method::GET, &path, &headers, Body::empty());
        let answer = tower::ServiceExt::oneshot(house.router.clone(), asked);
        let answer = answer.await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let (body, text) = (answer.into_body(), String::new());
        Self { body, text }
    }

    /// Reads until a text came.
    async fn until(&mut self, wanted: &str) {
        while !self.text.contains(wanted) {
            let frame = tokio::time::timeout(Duration::from_secs(20), self.body.frame());
            let frame = frame.await.expect("a message in time");
            let frame = frame.expect("the stream goes on").unwrap();
            let data = frame.into_data().unwrap();
            self.text.push_str(std::str::from_utf8(&data).unwrap());
        }
    }
}

#[tokio::test]
async fn what_arrives_is_told_to_who_listens_for_it() {
    let house = House::new();
    log(&house, &["before"]).await;
    let mut tail = Open::new(&house, "service:shop", &[]).await;
    tail.until("retry: 1000").await;
    log(&house, &["edge", "shop", "edge"]).await;
    log(&house, &["shop"]).await;
    tail.until(&Offset(4).event_id()).await;
    let messages: Vec<&str> = tail.text.split("\n\n").collect();
    assert_eq!(
        messages[0],
        format!("retry: 1000\nid: {}", Offset(0).event_id())
    );
    for (message, offset) in [(messages[1], Offset(2)), (messages[2], Offset(4))] {
        let (id, data) = message.split_once("\ndata: ").unwrap();
        assert_eq!(id, format!("id: {}", offset.event_id()));
        let event: serde_json::Value = serde_json::from_str(data).unwrap();
        assert_eq!(event["service.name"], "shop");
    }
    house.tasks.stop();
    let rest = tokio::time::timeout(Duration::from_secs(20), tail.body.collect());
    rest.await
        .expect("a stop ends it")
        .expect("and cuts nothing");
}

#[tokio::test]
async fn who_comes_back_misses_nothing() {
    let house = House::new();
    let first = log(&house, &["a", "b", "c"]).await;
    let last = first.event_id();
    let mut tail = Open::new(&house, "", &[("last-event-id", &last)]).await;
    tail.until(&Offset(2).event_id()).await;
    assert!(tail.text.contains("\"b\"") && tail.text.contains("\"c\""));
    assert!(!tail.text.contains("\"a\""));
    let key = house.key(&[Scope::Search]);
    for bad in ["evt_1", "7", &Offset(99).event_id()] {
        let headers = [
            ("last-event-id", bad),
            ("authorization", &format!("Bearer {key}")),
        ];
        let asked = request(Method::GET, "/api/v1/tail", &headers, Body::empty());
        house.send(asked).await.is_problem(422, "input_invalid");
    }
    house
        .get("/api/v1/tail?query=%28", &key)
        .await
        .is_problem(422, "query_invalid");
}

#[tokio::test]
async fn who_is_too_slow_is_told_what_was_dropped() {
    let options = Options {
        tail_lag_events_max: 4,
        ..Options::default()
    };
    let plan = Plan {
        options,
        ..Plan::default()
    };
    let house = House::of(plan, |_routes| {});
    let first = log(&house, &["a"; 10]).await;
    let mut tail = Open::new(&house, "", &[("last-event-id", &first.event_id())]).await;
    tail.until(&Offset(9).event_id()).await;
    assert!(
        tail.text
            .contains("event: dropped\ndata: {\"count\":7}\nid: ")
    );
    assert_eq!(house.metrics.tail_dropped.get(), 7);
    assert_eq!(tail.text.matches("data: {\"id\"").count(), 2);
}

#[tokio::test]
async fn so_many_listen_at_once_and_no_more() {
    let options = Options {
        tails_max: 1,
        ..Options::default()
    };
    let plan = Plan {
        options,
        ..Plan::default()
    };
    let house = House::of(plan, |_routes| {});
    let key = house.key(&[Scope::Search]);
    let tail = Open::new(&house, "", &[]).await;
    let refused = house.get("/api/v1/tail", &key).await;
    refused.is_problem(503, "busy");
    drop(tail);
    // Its end is noticed, and its place is free again.
    while house.state.tasks.failed().is_empty() {
        let path = "/api/v1/tail?query=";
        let headers = [("authorization", format!("Bearer {key}"))];
        let headers = headers
            .each_ref()
            .map(|(name, text)| (*name, text.as_str()));
        let asked = request(Method::GET, path, &headers, Body::empty());
        let answer = tower::ServiceExt::oneshot(house.router.clone(), asked);
        if answer.await.unwrap().status() == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_key_that_is_revoked_hears_nothing_more() {
    let house = House::new();
    let (key, id) = house.key_for(&[Scope::Search], 90);
    let headers = [("authorization", format!("Bearer {key}"))];
    let headers = headers
        .each_ref()
        .map(|(name, text)| (*name, text.as_str()));
    let asked = request(Method::GET, "/api/v1/tail?query=", &headers, Body::empty());
    let answer = tower::ServiceExt::oneshot(house.router.clone(), asked);
    let (body, text) = (answer.await.unwrap().into_body(), String::new());
    let mut tail = Open { body, text };
    tail.until("retry: 1000").await;
    let admin = house.key(&[Scope::Admin]);
    let path = format!("/api/v1/keys/{id}");
    let gone = house
        .call(Method::DELETE, &path, &admin, serde_json::Value::Null)
        .await;
    assert!(gone.status.is_success());
    house.clock.advance(Duration::from_secs(16));
    log(&house, &["secret"]).await;
    let rest = tokio::time::timeout(Duration::from_secs(20), tail.body.collect());
    let rest = rest.await.expect("the stream ends").unwrap().to_bytes();
    assert!(!String::from_utf8_lossy(&rest).contains("secret"));
}
