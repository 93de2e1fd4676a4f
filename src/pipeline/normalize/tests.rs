//! Records of real shapes, to events.

use wardline_parsers::{Format, parse};

use super::*;
use crate::model::text_of;

const NOW: Timestamp = Timestamp(1_795_288_473_000_000_000);

fn event_of<'a>(options: Options, format: Format, record: &'a str) -> Event<'a> {
    let mut parsed = parse(format, record.as_bytes());
    let context = Context {
        source: "test",
        received: NOW,
    };
    Normalizer::new(options).normalize(&mut parsed, context, &mut Scratch::default())
}

/// `name=value` of all fields but those every event has.
fn show(event: &Event<'_>) -> Vec<String> {
    let dull = [
        "event.kind",
        "event.provider",
        "event.dataset",
        "event.time_source",
    ];
    event
        .fields()
        .iter()
        .map(|(name, value)| (name.public(), text_of(value).unwrap_or("null")))
        .filter(|(name, _)| !dull.contains(&name.as_ref()))
        .map(|(name, value)| format!("{name}={value}"))
        .collect()
}

fn check(record: &str, expected: &[&str]) {
    let event = event_of(Options::default(), Format::Auto, record);
    assert_eq!(show(&event), expected, "{record}");
}

#[test]
fn a_flat_api_event() {
    let record = concat!(
        r#"{"timestamp":"2026-11-21T19:14:32.123Z","level":"INFO","service":"orders","env":"prod","#,
        r#""region":"eu-central-1","host":"orders-7","method":"get","path":"/v1/orders/81723?x=1","status":200,"#,
        r#""latency_ms":12.50,"src_ip":"203.0.113.9","user_id":"u-17","tenant":"acme","protocol":"HTTP/1.1","#,
        r#""request_id":"6F1C2A9E-0b7d-4f55-9a51-6c5e0f6f7c11","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","#,
        r#""api_key_id":"k1","bytes_in":120,"bytes_out":2048,"user_agent":"curl/8","message":"ok","shard":3,"#,
        r#""auth":{"method":"api_key"},"error":{"code":"E1"},"nothing":null,"empty":""}"#,
    );
    check(
        record,
        &[
            "message=ok",
            "event.action=api.request",
            "event.outcome=success",
            "event.duration=12500000",
            "log.level=info",
            "correlation.id=6f1c2a9e-0b7d-4f55-9a51-6c5e0f6f7c11",
            "trace.id=4bf92f3577b34da6a3ce929d0e0e4736",
            "http.request.id=6f1c2a9e-0b7d-4f55-9a51-6c5e0f6f7c11",
            "client.ip=203.0.113.9",
            "user.id=u-17",
            "auth.method=api_key",
            "auth.credential_id=k1",
            "http.request.method=GET",
            "http.route=/v1/orders/{id}",
            "http.route_guessed=true",
            "url.path=/v1/orders/81723",
            "url.query=x=1",
            "http.version=1.1",
            "http.response.status_code=200",
            "http.request.bytes=120",
            "http.response.bytes=2048",
            "user_agent.original=curl/8",
            "service.name=orders",
            "service.environment=prod",
            "host.name=orders-7",
            "cloud.region=eu-central-1",
            "error.code=E1",
            "object.id=81723",
            "tenant.id=acme",
            "correlation.ids=4bf92f3577b34da6a3ce929d0e0e4736",
            "event.category=api",
            "ext.shard=3",
        ],
    );
    let event = event_of(Options::default(), Format::Auto, record);
    assert_eq!(event.time, Timestamp(1_795_288_472_123_000_000));
    assert_eq!(event.text(Field::EventTimeSource), Some("event"));
    assert_eq!(event.text(Field::EventProvider), Some("test"));
}

#[test]
fn pino_http() {
    check(
        concat!(
            r#"{"level":30,"time":1795288472123,"pid":7,"hostname":"h","req":{"id":1,"method":"POST","url":"/login?a=b","#,
            r#""headers":{"host":"api.example:8080","x-correlation-id":"c-9","user-agent":"n/1"},"remoteAddress":"::ffff:10.0.0.1","#,
            r#""remotePort":55},"res":{"statusCode":401},"responseTime":3,"msg":"request completed"}"#,
        ),
        &[
            "message=request completed",
            "event.action=auth.attempt",
            "event.outcome=failure",
            "event.duration=3000000",
            "log.level=info",
            "correlation.id=c-9",
            "http.request.id=1",
            "client.ip=10.0.0.1",
            "client.port=55",
            "http.request.method=POST",
            "http.route=/login",
            "http.route_guessed=true",
            "url.path=/login",
            "url.query=a=b",
            "url.domain=api.example",
            "http.response.status_code=401",
            "user_agent.original=n/1",
            "host.name=h",
            "correlation.ids=1",
            "event.category=authentication",
            "ext.pid=7",
        ],
    );
}

#[test]
fn combined_line() {
    let event = event_of(
        Options::default(),
        Format::Combined,
        r#"203.0.113.9 - ann [21/Nov/2026:19:14:32 +0000] "GET /orders/17?x=1 HTTP/1.1" 403 612 "-" "curl/7" 0.250"#,
    );
    assert_eq!(
        show(&event),
        [
            "event.action=authz.denied",
            "event.outcome=failure",
            "event.duration=250000000",
            "client.ip=203.0.113.9",
            "user.name=ann",
            "http.request.method=GET",
            "http.route=/orders/{id}",
            "http.route_guessed=true",
            "url.path=/orders/17",
            "url.query=x=1",
            "http.version=1.1",
            "http.response.status_code=403",
            "http.response.body.bytes=612",
            "user_agent.original=curl/7",
            "object.id=17",
            "event.category=api",
            "event.category=iam",
        ]
    );
    assert_eq!(event.text(Field::EventDataset), Some("access.combined"));
    assert_eq!(event.time, Timestamp(1_795_288_472_000_000_000));
}

#[test]
fn ecs_document_keeps_what_it_says() {
    let event = event_of(
        Options::default(),
        Format::Auto,
        concat!(
            r#"{"@timestamp":"2026-11-21T19:14:32Z","ecs":{"version":"8.11"},"message":"m","event":{"action":"user-login","#,
            r#""outcome":"failure","category":["authentication"],"duration":1500,"dataset":"auth.log","kind":"event"},"#,
            r#""user":{"name":"ann","roles":["a","b"]},"source":{"ip":"2001:DB8::1","port":443},"url":{"full":"https://u:p@h.example:8443/x?y=1#z"}}"#,
        ),
    );
    assert_eq!(
        show(&event),
        [
            "message=m",
            "event.action=user-login",
            "event.outcome=failure",
            "event.duration=1500",
            "client.ip=2001:db8::1",
            "client.port=443",
            "user.name=ann",
            "http.route=/x",
            "http.route_guessed=true",
            "url.path=/x",
            "url.query=y=1",
            "url.domain=h.example",
            "url.scheme=https",
            "event.category=authentication",
            "user.roles=a",
            "user.roles=b",
        ]
    );
    assert_eq!(event.text(Field::EventDataset), Some("auth.log"));
}

#[test]
fn nginx_json_line() {
    let event = event_of(
        Options::default(),
        Format::Auto,
        concat!(
            r#"{"msec":"1795288472.123","remote_addr":"203.0.113.9","remote_user":"","request_method":"GET","host":"shop.example","#,
            r#""request_uri":"/a/b?q=1","status":"200","body_bytes_sent":"612","request_time":"0.005","#,
            r#""upstream_response_time":"0.001, 0.004","http_user_agent":"c","request_id":"b1946ac92492d2347c6235b4d2611184"}"#,
        ),
    );
    assert_eq!(event.text(Field::EventDataset), Some("nginx.access"));
    assert_eq!(event.text(Field::UrlDomain), Some("shop.example"));
    assert_eq!(event.text(Field::EventDuration), Some("5000000"));
    assert_eq!(event.text(Field::UpstreamDuration), Some("5000000"));
    assert_eq!(
        event.get(Field::HttpStatus),
        Some(&Value::Num("200".into()))
    );
    assert_eq!(
        event.text(Field::CorrelationId),
        Some("b1946ac92492d2347c6235b4d2611184")
    );
    assert_eq!(event.get(Field::UserName), None);
}

#[test]
fn what_does_not_fit_is_kept_under_its_own_name() {
    check(
        r#"{"status":"running","latency_ms":"soon","client_ip":"unknown","method":7,"route":"home","path":"x y","level":5}"#,
        &[
            "client.address=unknown",
            "ext.status=running",
            "ext.latency_ms=soon",
            "ext.method=7",
            "ext.route=home",
            "ext.path=x y",
            "ext.level=5",
        ],
    );
    check(
        r#"{"user_id":"a","userId":"a","uid":"b","status":200,"status_code":404}"#,
        &[
            "event.action=api.request",
            "event.outcome=success",
            "user.id=a",
            "http.response.status_code=200",
            "event.category=api",
            "ext.uid=b",
            "ext.status_code=404",
        ],
    );
}

#[test]
fn unbelievable_times_are_noted() {
    for time in [
        "0",
        "\"1970-01-01T00:00:00Z\"",
        "\"2100-01-01T00:00:00Z\"",
        "1795388473",
    ] {
        let record = format!("{{\"time\":{time}}}");
        let event = event_of(Options::default(), Format::Json, &record);
        let is_short = time == "0";
        let note = if is_short {
            "time_unreadable"
        } else {
            "time_out_of_range"
        };
        assert_eq!(event.time, NOW, "{time}");
        assert_eq!(event.text(Field::EventTimeSource), Some("received"));
        assert_eq!(event.ext("time").count(), 1);
        assert_eq!(event.text(Field::EventNotes), Some(note), "{time}");
    }
    let event = event_of(
        Options::default(),
        Format::Json,
        r#"{"time":"2026-11-21T19:00:00Z","@timestamp":"2026-11-21T19:14:00Z"}"#,
    );
    assert_eq!(event.time.to_rfc3339(), "2026-11-21T19:14:00.000Z");
    assert_eq!(event.ext("time").count(), 1);
}

#[test]
fn clocks_that_are_ahead_are_noted() {
    for (seconds, expected) in [
        (-60, None),
        (4, None),
        (30, Some("time_ahead")),
        (86_000, Some("time_ahead")),
    ] {
        let time = Timestamp(NOW.0 + seconds * 1_000_000_000);
        let record = format!("{{\"time\":\"{}\"}}", time.to_rfc3339());
        let event = event_of(Options::default(), Format::Json, &record);
        assert_eq!(event.time, time);
        assert_eq!(event.text(Field::EventNotes), expected, "{seconds}");
    }
}

#[test]
fn times_that_cannot_be_read_are_noted_where_no_other_is_there() {
    for (record, expected) in [
        (r#"{"time":"yesterday"}"#, Some("time_unreadable")),
        (
            r#"{"time":"yesterday","@timestamp":"2026-11-21T19:14:00Z"}"#,
            None,
        ),
        (r#"{"time":""}"#, None),
        (r#"{"a":1}"#, None),
    ] {
        let event = event_of(Options::default(), Format::Json, record);
        assert_eq!(event.text(Field::EventNotes), expected, "{record}");
    }
}

#[test]
fn trusted_proxies_reveal_the_client() {
    let options = Options {
        trusted_proxies: vec![Cidr::parse("10.0.0.0/8").unwrap()],
        ..Options::default()
    };
    let record = r#"{"remote_addr":"10.0.0.1","x_forwarded_for":"6.6.6.6, 198.51.100.7"}"#;
    let event = event_of(options, Format::Json, record);
    assert_eq!(event.text(Field::ClientIp), Some("198.51.100.7"));
    assert_eq!(event.text(Field::NetworkPeerIp), Some("10.0.0.1"));
    assert_eq!(
        event.text(Field::NetworkForwardedChain),
        Some("6.6.6.6, 198.51.100.7")
    );
    let event = event_of(Options::default(), Format::Json, record);
    assert_eq!(event.text(Field::ClientIp), Some("10.0.0.1"));
    assert_eq!(event.get(Field::NetworkPeerIp), None);
}

#[test]
fn unparsed_records_say_so() {
    let event = event_of(Options::default(), Format::Json, "{broken");
    assert_eq!(event.text(Field::EventKind), Some("pipeline_error"));
    assert_eq!(event.text(Field::EventNotes), Some("unparsed"));
    assert_eq!(event.text(Field::Message), Some("{broken"));
    let event = event_of(Options::default(), Format::Auto, "plain words");
    assert_eq!(event.text(Field::EventKind), Some("event"));
    assert_eq!(event.text(Field::EventDataset), Some("text"));
    assert_eq!(event.get(Field::EventAction), None);
}

#[test]
fn records_of_one_payload_do_not_mix() {
    let normalizer = Normalizer::new(Options::default());
    let mut scratch = Scratch::default();
    let context = Context {
        source: "",
        received: NOW,
    };
    let mut one = parse(Format::Json, br#"{"user":"a","x":1,"request_id":"r"}"#);
    let mut two = parse(Format::Json, br#"{"x":2,"y":3}"#);
    let _first = normalizer.normalize(&mut one, context, &mut scratch);
    let second = normalizer.normalize(&mut two, context, &mut scratch);
    assert_eq!(show(&second), ["ext.x=2", "ext.y=3"]);
}

proptest::proptest! {
    #[test]
    fn any_record_becomes_an_event(
        name in proptest::sample::select(vec!["path", "url", "request", "trace_id", "status", "latency", "time",
            "client_ip", "xff", "route", "request_id", "host", "level", "protocol", "traceparent", "event"]),
        text in ".{0,60}",
    ) {
        let quoted = serde_json::to_string(&text).unwrap();
        let record = format!("{{\"{name}\":{quoted},\"path\":{quoted},\"remote_addr\":\"1.2.3.4\"}}");
        let event = event_of(Options::default(), Format::Auto, &record);
        proptest::prop_assert!(event.fields().len() < 40);
    }
}
