use std::time::Duration;

use bytes::Bytes;

use super::{Answer, Receiver};
use crate::notify::{ApiClient, Failure};

#[tokio::test]
async fn the_command_line_s_client_sends_its_key_and_bounds_what_it_reads() {
    let answer = Answer::With(
        418,
        "X-Request-Id",
        "req-1".into(),
        "short and stout".into(),
    );
    let receiver = Receiver::start(&[answer]);
    let client = ApiClient::new(&receiver.url(), Some("wl_key\n"), None).unwrap();
    let wait = Some(Duration::from_secs(5));
    let body = Bytes::from_static(b"{}");
    let headers = [("content-type", "application/json"), ("if-match", "\"3\"")];
    let sent = client
        .send("POST", "/api/v1/search?x=1", &headers, body, wait)
        .await
        .unwrap();
    assert_eq!(
        (sent.status(), sent.header("x-request-id").as_deref()),
        (418, Some("req-1"))
    );
    assert_eq!(sent.bytes(100).await.unwrap(), "short and stout");
    let got = &receiver.received()[0];
    assert_eq!(got.line, "POST /api/v1/search?x=1");
    assert_eq!(got.headers["authorization"], "Bearer wl_key");
    assert_eq!(got.headers["if-match"], "\"3\"");
    let again = client
        .send("GET", "/", &[], Bytes::new(), wait)
        .await
        .unwrap();
    assert_eq!(again.bytes(5).await, Err(Failure::TooLarge));
}

#[tokio::test]
async fn an_absent_or_silent_server_is_told_apart() {
    let client = ApiClient::new("http://127.0.0.1:1", None, None).unwrap();
    let failed = client.send("GET", "/", &[], Bytes::new(), None).await.err();
    assert_eq!(failed, Some(Failure::Connect));
    let receiver = Receiver::start(&[Answer::Hang(Duration::from_secs(2))]);
    let client = ApiClient::new(&receiver.url(), None, None).unwrap();
    let wait = Some(Duration::from_millis(100));
    let failed = client.send("GET", "/", &[], Bytes::new(), wait).await.err();
    assert_eq!(failed, Some(Failure::Timeout));
}
