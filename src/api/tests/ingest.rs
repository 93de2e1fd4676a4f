//! The ingest door: bodies of every kind, caps, admission.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::Read;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::http::Method;
use bytes::Bytes;
use hyper::body::Frame;
use serde_json::json;

use super::{Answer, House, Plan, request};
use crate::ingest::Options;
use crate::store::Scope;

const PATH: &str = "/api/v1/ingest";

/// A body without a length, in pieces; `is_open` means that it never ends.
struct Chunks {
    left: VecDeque<Bytes>,
    is_open: bool,
}

impl hyper::body::Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.left.pop_front() {
            Some(chunk) => Poll::Ready(Some(Ok(Frame::data(chunk)))),
            None if self.is_open => Poll::Pending,
            None => Poll::Ready(None),
        }
    }
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    flate2::read::GzEncoder::new(text, flate2::Compression::default())
        .read_to_end(&mut bytes)
        .unwrap();
    bytes
}

async fn send(house: &House, path: &str, encoding: &str, body: Vec<u8>) -> Answer {
    let key = house.key(&[Scope::Ingest]);
    let bearer = format!("Bearer {key}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-encoding", encoding),
    ];
    house
        .send(request(Method::POST, path, &headers, Body::from(body)))
        .await
}

#[tokio::test]
async fn records_arrive_whole_however_they_are_packed() {
    let house = House::new();
    let text = b"{\"a\":1}\n{\"a\":2}\n".to_vec();
    let packed = [
        ("", text.clone()),
        ("identity", text.clone()),
        ("gzip", gzip(&text)),
        ("gzip,deflate", gzip(&text)),
        ("zstd", zstd::encode_all(&text[..], 3).unwrap()),
        ("", gzip(&text)),
    ];
    for (encoding, body) in packed {
        let answer = send(&house, PATH, encoding, body).await;
        assert_eq!(
            answer.json(),
            json!({"accepted": 2, "flagged": 0}),
            "{encoding}"
        );
    }
    let payloads = house.payloads.lock().unwrap();
    assert_eq!(payloads.len(), 6);
    for payload in payloads.iter() {
        assert_eq!(payload.bytes, text);
        assert_eq!(&*payload.source, "tester");
        assert_eq!(payload.format.name(), "auto");
        assert_eq!(payload.received, super::NOON);
    }
    assert_eq!(house.metrics.ingest_requests.get(), 6);
    assert_eq!(house.metrics.ingest_held_bytes.get(), 0);
}

#[tokio::test]
async fn format_and_source_are_checked() {
    let house = House::new();
    let fine = send(
        &house,
        "/api/v1/ingest?format=nginx_json&source=edge-1",
        "",
        b"x".to_vec(),
    );
    assert_eq!(fine.await.status, 200);
    {
        let payloads = house.payloads.lock().unwrap();
        assert_eq!(&*payloads[0].source, "edge-1");
        assert_eq!(payloads[0].format.name(), "nginx_json");
    }
    let odd = send(&house, "/api/v1/ingest?format=xml", "", b"x".to_vec()).await;
    let problem = odd.is_problem(400, "parameter_invalid");
    assert!(problem["detail"].as_str().unwrap().contains("nginx_json"));
    let odd = send(&house, "/api/v1/ingest?source=a%20b", "", b"x".to_vec()).await;
    odd.is_problem(400, "parameter_invalid");
    let odd = send(&house, "/api/v1/ingest?sauce=a", "", b"x".to_vec()).await;
    odd.is_problem(422, "input_invalid");
}

#[tokio::test]
async fn an_empty_body_is_nothing_to_do() {
    let house = House::new();
    let answer = send(&house, PATH, "gzip", Vec::new()).await;
    assert_eq!(answer.json(), json!({"accepted": 0, "flagged": 0}));
    assert!(house.payloads.lock().unwrap().is_empty());
}

#[tokio::test]
async fn bad_bodies_are_clear_refusals() {
    let house = House::new();
    let mut cut = gzip(&vec![b'a'; 100_000]);
    cut.truncate(cut.len() / 2);
    send(&house, PATH, "gzip", cut)
        .await
        .is_problem(400, "body_corrupt");
    send(&house, PATH, "gzip", b"{\"a\":1}".to_vec())
        .await
        .is_problem(400, "body_corrupt");
    let answer = send(&house, PATH, "br", b"x".to_vec()).await;
    answer.is_problem(415, "encoding_unsupported");
    assert!(answer.header("accept-encoding").contains("gzip"));
    let twice = gzip(&gzip(b"{\"a\":1}"));
    for encoding in ["gzip, gzip", "gzip", "gzip,deflate"] {
        send(&house, PATH, encoding, twice.clone())
            .await
            .is_problem(415, "encoding_unsupported");
    }
    assert_eq!(house.metrics.ingest_rejected.get(), 6);
    assert!(house.payloads.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_bomb_is_refused_and_gives_its_room_back() {
    let house = House::new();
    let bomb = gzip(&vec![0u8; 80 << 20]);
    send(&house, PATH, "gzip", bomb)
        .await
        .is_problem(413, "body_too_large");
    assert_eq!(house.metrics.ingest_held_bytes.get(), 0);
}

#[tokio::test]
async fn a_body_longer_than_the_cap_is_refused_by_its_length_alone() {
    let door = Options {
        body_bytes_max: 1000,
        ..Options::default()
    };
    let house = House::of(
        Plan {
            door,
            ..Plan::default()
        },
        |_| {},
    );
    let key = format!("Bearer {}", house.key(&[Scope::Ingest]));
    let headers = [("authorization", key.as_str()), ("content-length", "1001")];
    let answer = house
        .send(request(Method::POST, PATH, &headers, Body::empty()))
        .await;
    answer.is_problem(413, "body_too_large");
    send(&house, PATH, "", vec![b'a'; 1001])
        .await
        .is_problem(413, "body_too_large");
    assert_eq!(send(&house, PATH, "", vec![b'a'; 1000]).await.status, 200);
}

#[tokio::test]
async fn chunks_without_a_length_are_taken() {
    let house = House::new();
    let key = format!("Bearer {}", house.key(&[Scope::Ingest]));
    let lines = (0..300).map(|n| format!("{{\"n\":{n},\"x\":\"{}\"}}\n", "y".repeat(1000)));
    let left = lines.map(Bytes::from).collect();
    let body = Body::new(Chunks {
        left,
        is_open: false,
    });
    let headers = [("authorization", key.as_str())];
    let answer = house.send(request(Method::PUT, PATH, &headers, body)).await;
    assert_eq!(answer.json()["accepted"], 300);
}

#[tokio::test]
async fn a_body_without_a_length_that_is_too_long_is_refused_for_good() {
    let door = Options {
        body_bytes_max: 1 << 20,
        inflated_bytes_max: 1 << 20,
        held_bytes_max: 1 << 20,
        hold_ms_max: 50,
        ..Options::default()
    };
    let house = House::of(
        Plan {
            door,
            ..Plan::default()
        },
        |_| {},
    );
    let key = format!("Bearer {}", house.key(&[Scope::Ingest]));
    // Pieces that are no power of two, so that memory that doubles would pass the cap.
    for (pieces, status) in [(209, 200), (210, 413), (600, 413)] {
        let left = (0..pieces).map(|_| Bytes::from(vec![b'a'; 5000])).collect();
        let body = Body::new(Chunks {
            left,
            is_open: false,
        });
        let headers = [("authorization", key.as_str())];
        let answer = house
            .send(request(Method::POST, PATH, &headers, body))
            .await;
        assert_eq!(answer.status, status, "{pieces}");
    }
    assert_eq!(house.metrics.ingest_held_bytes.get(), 0);
}

#[tokio::test]
async fn without_room_a_request_is_held_and_then_refused() {
    let door = Options {
        inflated_bytes_max: 10_000,
        held_bytes_max: 20 << 10,
        hold_ms_max: 50,
        ..Options::default()
    };
    let house = House::of(
        Plan {
            door,
            ..Plan::default()
        },
        |_| {},
    );
    let key = format!("Bearer {}", house.key(&[Scope::Ingest]));
    let headers = [("authorization", key.as_str()), ("content-length", "10000")];
    // Two bodies that are announced and never come fill the room.
    let stuck = || {
        let left = VecDeque::new();
        let body = Body::new(Chunks {
            left,
            is_open: true,
        });
        house.send(request(Method::POST, PATH, &headers, body))
    };
    let (first, second) = (stuck(), stuck());
    let refused = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        send_sized(&house, &key).await
    };
    tokio::select! {
        _ = first => panic!("answered without a body"),
        _ = second => panic!("answered without a body"),
        answer = refused => {
            answer.is_problem(503, "busy");
            assert_eq!(answer.header("retry-after"), "2");
        }
    }
    assert_eq!(house.metrics.ingest_refused.get(), 1);
    assert_eq!(send_sized(&house, &key).await.status, 200);
}

async fn send_sized(house: &House, key: &str) -> Answer {
    let headers = [("authorization", key), ("content-length", "2000")];
    let body = Body::from(vec![b'a'; 2000]);
    house
        .send(request(Method::POST, PATH, &headers, body))
        .await
}

#[tokio::test]
async fn a_full_pipeline_is_passed_on() {
    let house = House::of(
        Plan {
            is_busy: true,
            ..Plan::default()
        },
        |_| {},
    );
    let answer = send(&house, PATH, "", b"x\n".to_vec()).await;
    answer.is_problem(503, "busy");
    assert_eq!(answer.header("retry-after"), "7");
}

#[tokio::test]
async fn what_is_stored_of_a_body_that_was_not_taken_whole_is_said() {
    let house = House::of(
        Plan {
            is_busy: true,
            stored: 12,
            ..Plan::default()
        },
        |_| {},
    );
    let answer = send(&house, PATH, "", b"x\n".to_vec()).await;
    let problem = answer.is_problem(503, "partly_stored");
    assert_eq!(answer.header("retry-after"), "7");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("first 12 events"), "{detail}");
    assert_eq!(house.metrics.ingest_refused.get(), 1);
    assert_eq!(house.metrics.ingest_held_bytes.get(), 0);
}
