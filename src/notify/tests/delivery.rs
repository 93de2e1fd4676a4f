use std::collections::HashSet;
use std::time::Duration;

use super::{Answer, Bench, Receiver, options};
use crate::model::Cidr;
use crate::notify::Options;
use crate::notify::sign::verify;
use crate::store::{DeliveryState, EndpointState, NewEndpoint};

#[tokio::test]
async fn an_alert_arrives_signed() {
    let receiver = Receiver::start(&[Answer::Status(204)]);
    let bench = Bench::new(options());
    let (endpoint, secret) = bench.endpoint(&receiver.url());
    bench.notifier.start();
    bench.alert(0);
    bench.until_attempts(&endpoint, 1).await;
    bench.stop().await;

    let got = &receiver.received()[0];
    assert_eq!(got.line, "POST /hook");
    assert_eq!(got.headers["content-type"], "application/json");
    assert!(got.headers["user-agent"].starts_with("Wardline/"));
    let [id, sent, signature] = ["webhook-id", "webhook-timestamp", "webhook-signature"]
        .map(|name| got.headers[name].as_str());
    let now = bench.clock.now();
    assert_eq!(
        verify(&[secret], (id, sent, signature), &got.body, now),
        Ok(())
    );
    let body: serde_json::Value = serde_json::from_slice(&got.body).unwrap();
    assert_eq!(
        (&body["type"], &body["id"]),
        (&"alert.opened".into(), &id.into())
    );
    assert_eq!(body["data"]["title"], "Rule — Ümlaut \u{1f511}");
    let delivery = &bench.deliveries(&endpoint)[0];
    assert_eq!(
        (delivery.state, delivery.last_status),
        (DeliveryState::Delivered, Some(204))
    );
    assert_eq!(bench.metrics.deliveries_sent.get(), 1);
}

#[tokio::test]
async fn a_failed_delivery_is_repeated_in_its_time_under_the_same_id_with_the_same_bytes() {
    let script = [
        Answer::Status(500),
        Answer::Reset,
        Answer::Garbage,
        Answer::Status(200),
    ];
    let receiver = Receiver::start(&script);
    let bench = Bench::new(options());
    let (endpoint, _) = bench.endpoint(&receiver.url());
    bench.notifier.start();
    bench.alert(0);
    bench.until_attempts(&endpoint, 1).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    bench.until_attempts(&endpoint, 1).await;
    for (made, wait_s) in [(1, 6), (2, 360), (3, 2_160)] {
        bench.clock.advance(Duration::from_secs(wait_s));
        bench.until_attempts(&endpoint, made + 1).await;
    }
    bench.stop().await;

    let got = receiver.received();
    assert_eq!(got.len(), 3);
    let ids: HashSet<_> = got.iter().map(|one| &one.headers["webhook-id"]).collect();
    let bodies: HashSet<_> = got.iter().map(|one| &one.body).collect();
    let times: HashSet<_> = got
        .iter()
        .map(|one| &one.headers["webhook-timestamp"])
        .collect();
    assert_eq!((ids.len(), bodies.len(), times.len()), (1, 1, 3));
    let attempts = bench.store.attempts(&endpoint.id, 9).unwrap();
    let ends: Vec<_> = attempts
        .iter()
        .map(|a| (a.status, a.error.as_deref()))
        .collect();
    let expected = [
        (Some(200), None),
        (None, Some("broken")),
        (None, Some("broken")),
        (Some(500), Some("server_error")),
    ];
    assert_eq!(ends, expected);
    assert_eq!(
        bench.deliveries(&endpoint)[0].state,
        DeliveryState::Delivered
    );
}

#[tokio::test]
async fn retry_after_is_obeyed_for_the_whole_endpoint() {
    let busy = Answer::With(429, "Retry-After", "3600".into(), "slow down".into());
    let receiver = Receiver::start(&[busy, Answer::Status(200)]);
    let one = Options {
        concurrency_per_endpoint_max: 1,
        ..options()
    };
    let bench = Bench::new(one);
    let (endpoint, _) = bench.endpoint(&receiver.url());
    bench.notifier.start();
    bench.alert(0);
    bench.until_attempts(&endpoint, 1).await;
    bench.alert(1);
    bench.clock.advance(Duration::from_secs(3_599));
    tokio::time::sleep(Duration::from_millis(150)).await;
    bench.until_attempts(&endpoint, 1).await;
    bench.clock.advance(Duration::from_secs(1));
    bench.until_attempts(&endpoint, 2).await;
    bench.clock.advance(Duration::from_secs(720));
    bench.until_attempts(&endpoint, 3).await;
    bench.stop().await;
    assert!(
        bench
            .deliveries(&endpoint)
            .iter()
            .all(|row| row.state == DeliveryState::Delivered)
    );
}

#[tokio::test]
async fn gone_disables_the_endpoint() {
    let receiver = Receiver::start(&[Answer::Status(410)]);
    let bench = Bench::new(options());
    let (endpoint, _) = bench.endpoint(&receiver.url());
    bench.notifier.start();
    bench.alert(0);
    bench.until_attempts(&endpoint, 1).await;
    let endpoint = bench.store.endpoint(&endpoint.id).unwrap().unwrap();
    assert_eq!(
        (endpoint.state, endpoint.reason.as_deref()),
        (EndpointState::Disabled, Some("gone"))
    );
    bench.alert(1);
    tokio::time::sleep(Duration::from_millis(100)).await;
    bench.stop().await;
    assert_eq!(receiver.connections(), 1);
    assert_eq!(bench.deliveries(&endpoint)[0].state, DeliveryState::Aborted);
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_is_not_followed() {
    let elsewhere = Receiver::start(&[Answer::Status(200)]);
    let redirect = Answer::With(307, "Location", elsewhere.url(), String::new());
    let receiver = Receiver::start(&[redirect]);
    let bench = Bench::new(options());
    let (endpoint, _) = bench.endpoint(&receiver.url());
    bench.notifier.start();
    bench.alert(0);
    bench.until_attempts(&endpoint, 1).await;
    bench.stop().await;
    assert_eq!(elsewhere.connections(), 0);
    assert_eq!(
        bench.deliveries(&endpoint)[0].last_error.as_deref(),
        Some("redirect")
    );
}

#[tokio::test]
async fn a_huge_or_endless_answer_costs_little_and_its_status_counts() {
    let receiver = Receiver::start(&[Answer::Huge(1 << 30), Answer::Drip]);
    let bench = Bench::new(options());
    let (endpoint, _) = bench.endpoint(&receiver.url());
    bench.notifier.start();
    bench.alert(0);
    bench.until_attempts(&endpoint, 1).await;
    bench.alert(1);
    bench.until_attempts(&endpoint, 2).await;
    bench.stop().await;
    let attempts = bench.store.attempts(&endpoint.id, 9).unwrap();
    assert!(attempts.iter().all(|attempt| attempt.status == Some(200)));
    assert_eq!(attempts[1].response_head.len(), 1_024);
    assert!(
        bench
            .deliveries(&endpoint)
            .iter()
            .all(|row| row.state == DeliveryState::Delivered)
    );
}

#[tokio::test]
async fn what_a_receiver_answers_is_redacted_before_it_is_cut() {
    let echo = format!("{}password=hunter2", "x".repeat(1_012));
    let receiver = Receiver::start(&[Answer::With(400, "X-A", "b".into(), echo)]);
    let bench = Bench::new(options());
    let (endpoint, _) = bench.endpoint(&receiver.url());
    bench.notifier.start();
    bench.alert(0);
    bench.until_attempts(&endpoint, 1).await;
    bench.stop().await;
    let head = bench.store.attempts(&endpoint.id, 1).unwrap()[0]
        .response_head
        .clone();
    assert!(head.ends_with("xpassword=[R]"), "{head}");
}

#[tokio::test]
async fn a_hanging_endpoint_delays_no_other() {
    let hanging = Receiver::start(&[Answer::Hang(Duration::from_secs(5))]);
    let healthy = Receiver::start(&[Answer::Status(200)]);
    let bench = Bench::new(Options {
        concurrency_max: 4,
        timeout_ms: 500,
        ..options()
    });
    let (slow, _) = bench.endpoint(&hanging.url());
    let (fast, _) = bench.endpoint(&healthy.url());
    bench.notifier.start();
    for at in 0..10 {
        bench.alert(at);
    }
    bench.until_attempts(&fast, 10).await;
    assert!(hanging.connections() <= 2, "at most two at a time");
    bench
        .until("the timeouts", || {
            !bench.store.attempts(&slow.id, 9).unwrap().is_empty()
        })
        .await;
    let failed = &bench.store.attempts(&slow.id, 9).unwrap()[0];
    assert_eq!(failed.error.as_deref(), Some("timeout"));
    assert!(
        bench
            .store
            .endpoint_health(&slow.id)
            .unwrap()
            .hold_until
            .is_some()
    );
    bench.stop().await;
}

#[tokio::test]
async fn a_private_address_is_never_connected_to() {
    let receiver = Receiver::start(&[Answer::Status(200)]);
    let closed = Options {
        allow_private_cidrs: vec![Cidr::parse("10.0.0.0/8").unwrap()],
        ..options()
    };
    let bench = Bench::new(closed);
    let port = receiver.url().rsplit(':').next().unwrap().to_owned();
    let (literal, _) = bench.endpoint(&receiver.url());
    let (named, _) = bench.endpoint(&format!("http://localhost:{port}"));
    bench.notifier.start();
    bench.alert(0);
    for endpoint in [&literal, &named] {
        bench.until_attempts(endpoint, 1).await;
        let delivery = &bench.deliveries(endpoint)[0];
        let end = (delivery.state, delivery.last_error.as_deref());
        assert_eq!(end, (DeliveryState::Aborted, Some("blocked_ip")));
    }
    bench.stop().await;
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn dying_between_answer_and_note_repeats_the_same_id() {
    let receiver = Receiver::start(&[Answer::Status(200)]);
    let bench = Bench::new(options());
    let (endpoint, _) = bench.endpoint(&receiver.url());
    bench.alert(0);
    // A life that sends and dies: the store never hears of it.
    let due = bench.store.due(1).unwrap().remove(0);
    let body = bench.store.message_body(&due.message_id).unwrap().unwrap();
    let secrets = bench.store.signing_secrets(&endpoint.id).unwrap();
    let url = &due.endpoint.url;
    let now = bench.clock.now();
    let post = crate::notify::webhook::post(url, &due.message_id, body.into(), &secrets, now);
    let egress = crate::notify::Egress::new(std::sync::Arc::new(options())).unwrap();
    egress.post(post).await.unwrap();
    let bench = bench.restarted(options()).await;
    bench.notifier.start();
    bench.until_attempts(&endpoint, 1).await;
    bench.stop().await;
    let got = receiver.received();
    assert_eq!(got.len(), 2);
    assert_eq!(got[0].headers["webhook-id"], got[1].headers["webhook-id"]);
    assert_eq!(got[0].body, got[1].body);
}

#[tokio::test]
async fn many_messages_arrive_once_each() {
    let receivers: Vec<_> = (0..3)
        .map(|_| Receiver::start(&[Answer::Status(200)]))
        .collect();
    let bench = Bench::new(options());
    let endpoints: Vec<_> = receivers
        .iter()
        .map(|receiver| bench.endpoint(&receiver.url()).0)
        .collect();
    bench.notifier.start();
    for at in 0..40 {
        bench.alert(at);
    }
    for endpoint in &endpoints {
        bench.until_attempts(endpoint, 40).await;
    }
    bench.stop().await;
    for receiver in &receivers {
        let got = receiver.received();
        let ids: HashSet<_> = got
            .iter()
            .map(|one| one.headers["webhook-id"].clone())
            .collect();
        assert_eq!((got.len(), ids.len()), (40, 40));
    }
}

#[tokio::test]
async fn a_ping_says_how_it_went() {
    let busy = Answer::With(500, "X-A", "b".into(), "no, hunter2".into());
    let receiver = Receiver::start(&[Answer::Status(200), busy]);
    let bench = Bench::new(options());
    let (endpoint, secret) = bench.endpoint(&receiver.url());
    let ping = bench.notifier.ping(&endpoint.id).await.unwrap();
    assert_eq!((ping.ok, ping.status, ping.error), (true, Some(200), None));
    let got = &receiver.received()[0];
    let parts = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let [id, sent, signature] = parts.map(|name| got.headers[name].as_str());
    let now = bench.clock.now();
    assert_eq!(
        verify(&[secret], (id, sent, signature), &got.body, now),
        Ok(())
    );
    let body: serde_json::Value = serde_json::from_slice(&got.body).unwrap();
    assert_eq!((&body["type"], &body["id"]), (&"ping".into(), &id.into()));
    let ping = bench.notifier.ping(&endpoint.id).await.unwrap();
    assert_eq!(
        (ping.ok, ping.error.as_deref()),
        (false, Some("server_error"))
    );
    assert_eq!(ping.response_head, "no, [R]");
    assert!(bench.notifier.ping("whe_none").await.is_err());
    let nowhere = NewEndpoint {
        url: "http://127.0.0.1:1/".into(),
        ..Default::default()
    };
    let nowhere = bench.store.add_endpoint(nowhere).unwrap().0;
    let ping = bench.notifier.ping(&nowhere.id).await.unwrap();
    assert_eq!(
        (ping.status, ping.error.as_deref()),
        (None, Some("connect"))
    );
}

#[tokio::test]
async fn while_a_secret_is_replaced_both_sign() {
    let receiver = Receiver::start(&[Answer::Status(200)]);
    let bench = Bench::new(options());
    let (endpoint, old) = bench.endpoint(&receiver.url());
    let new = bench
        .store
        .rotate_endpoint_secret(&endpoint.id, false)
        .unwrap();
    bench.notifier.start();
    bench.alert(0);
    bench.until_attempts(&endpoint, 1).await;
    bench.stop().await;
    let got = &receiver.received()[0];
    let parts = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let [id, sent, signature] = parts.map(|name| got.headers[name].as_str());
    for secret in [old, new] {
        let now = bench.clock.now();
        assert_eq!(
            verify(&[secret], (id, sent, signature), &got.body, now),
            Ok(())
        );
    }
}

#[tokio::test]
async fn a_panic_is_a_failed_attempt_and_not_an_endless_one() {
    let poison = Answer::With(200, "X-A", "b".into(), "panic".into());
    let receiver = Receiver::start(&[poison, Answer::Status(200)]);
    let bench = Bench::new(options());
    let (endpoint, _) = bench.endpoint(&receiver.url());
    bench.notifier.start();
    bench.alert(0);
    bench.until_attempts(&endpoint, 1).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(receiver.connections(), 1);
    let delivery = bench.deliveries(&endpoint).remove(0);
    assert_eq!(delivery.last_error.as_deref(), Some("internal"));
    bench.clock.advance(Duration::from_secs(6));
    bench.until_attempts(&endpoint, 2).await;
    bench.stop().await;
    assert_eq!(
        bench.deliveries(&endpoint)[0].state,
        DeliveryState::Delivered
    );
}
