//! The pipeline as a whole: bodies to batches, enrichment, admission, the log behind it.

mod enriching;
mod intake;
mod mmdb;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::metrics::Metrics;
use crate::model::{Field, text_of};
use crate::redact::{self, Redactor, TagKey, decode};

const NOW: Timestamp = Timestamp(1_795_288_473_000_000_000);

fn pipeline_with(options: &Options, built_in: Option<&'static [u8]>) -> Arc<Pipeline> {
    let metrics = Arc::new(Metrics::default());
    let enricher = Enricher::open(options.enrich.clone(), built_in, metrics.clone()).unwrap();
    let redactor = Redactor::new(redact::Options::default(), TagKey::from_bytes(&[7; 32]));
    Arc::new(Pipeline::new(
        options,
        enricher,
        Arc::new(redactor),
        metrics,
    ))
}

fn payload(format: Format, body: impl Into<Bytes>) -> Payload {
    Payload {
        source: "test".into(),
        received: NOW,
        format,
        bytes: body.into(),
        patience: Duration::from_secs(5),
        room: None,
    }
}

/// Every batch of a body.
fn outputs(pipeline: &Pipeline, payload: &Payload) -> Vec<Output> {
    let mut outputs = Vec::new();
    pipeline.run(payload, |output| {
        outputs.push(output);
        ControlFlow::Continue(())
    });
    outputs
}

/// The one batch of a small body, an empty one where it has no events.
fn run(pipeline: &Pipeline, payload: &Payload) -> Output {
    let mut outputs = outputs(pipeline, payload);
    assert!(outputs.len() <= 1);
    outputs.pop().unwrap_or_default()
}

/// The wanted field of every event of a body, in order.
fn values(output: &Output, field: Field) -> Vec<String> {
    output
        .batch
        .records()
        .map(|record| {
            let event = decode(record).unwrap();
            let values: Vec<_> = event.values(field).filter_map(text_of).collect();
            values.join("+")
        })
        .collect()
}

#[test]
fn a_body_becomes_a_batch_in_order() {
    let pipeline = pipeline_with(&Options::default(), None);
    let body = "{\"msg\":\"a\"}\n{broken\n\n{\"msg\":\"b\",\"src_ip\":\"10.0.0.1\"}\nplain\n";
    let output = run(&pipeline, &payload(Format::Auto, body));
    assert_eq!(
        values(&output, Field::Message),
        ["a", "{broken", "b", "plain"]
    );
    assert_eq!(
        values(&output, Field::EventKind),
        ["event", "pipeline_error", "event", "event"]
    );
    assert_eq!(
        values(&output, Field::NetworkClass),
        ["", "", "private", ""]
    );
    assert_eq!(output.flagged, 1);
}

#[test]
fn redaction_stands_between_events_and_batch() {
    let pipeline = pipeline_with(&Options::default(), None);
    let body = r#"{"password":"hunter2-hunter2","msg":"x"}"#;
    let payload = payload(Format::Auto, body);
    let mut raw = 0;
    pipeline.raw_events(&payload, |event| raw += event.fields().len());
    let mut clean = 0;
    pipeline.events(&payload, |event| clean += event.fields().len());
    assert!(raw > 0 && clean >= raw);
}

#[test]
fn a_private_key_that_comes_line_by_line_in_two_bodies_is_redacted_to_its_end() {
    const BODY: &str = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7";
    let pipeline = pipeline_with(&Options::default(), None);
    let line = |text: &str| serde_json::json!({ "message": text }).to_string();
    let lines = [
        "loading the key",
        "-----BEGIN RSA PRIVATE KEY-----",
        "Proc-Type: 4,ENCRYPTED",
        &format!("{BODY}a"),
        &format!("{BODY}b"),
        "Aw==",
        "-----END RSA PRIVATE KEY-----",
        "key loaded",
    ];
    for format in [Format::Auto, Format::Text] {
        let written = lines.map(|text| match format {
            Format::Text => text.to_owned(),
            _ => line(text),
        });
        let (first, second) = written.split_at(4);
        let of = |lines: &[String]| run(&pipeline, &payload(format, lines.join("\n")));
        // Others in between, whose source is another.
        let first = values(&of(first), Field::Message);
        let other = Payload {
            source: "other".into(),
            ..payload(format, written[4].clone())
        };
        assert_eq!(
            values(&run(&pipeline, &other), Field::Message),
            [lines[4]],
            "{format:?}"
        );
        let second = values(&of(second), Field::Message);
        let clean = [first, second].concat();
        assert_eq!(clean[0], lines[0]);
        assert_eq!(clean[7], lines[7]);
        for clean in &clean[1..7] {
            assert!(clean.starts_with("[R:private-key:"), "{format:?} {clean}");
            assert!(clean.ends_with(']'), "{format:?} {clean}");
        }
    }
}

#[test]
fn empty_bodies_are_empty_batches() {
    let pipeline = pipeline_with(&Options::default(), None);
    for body in ["", "\n\n", "[]", "{\"events\":[]}"] {
        let output = run(&pipeline, &payload(Format::Auto, body));
        assert_eq!((output.batch.len(), output.flagged), (0, 0), "{body}");
    }
}

#[test]
fn a_large_body_goes_in_batches_of_bounded_size() {
    let options = Options {
        batch_bytes_max: 4_000,
        ..Options::default()
    };
    let pipeline = pipeline_with(&options, None);
    let payload = payload(Format::Text, "1\n".repeat(1_000));
    let all = outputs(&pipeline, &payload);
    assert!(all.len() > 10, "{}", all.len());
    let events: usize = all.iter().map(|output| output.batch.len()).sum();
    assert_eq!(events, 1_000);
    for output in &all {
        assert!(output.batch.bytes() < 4_200, "{}", output.batch.bytes());
    }
    // Who takes no more gets no more.
    let mut taken = 0;
    pipeline.run(&payload, |_output| {
        taken += 1;
        ControlFlow::Break(())
    });
    assert_eq!(taken, 1);
}

#[test]
fn options_read_from_configuration() {
    let text = "retry_after_s = 10\n[normalize]\ntrusted_proxies = [\"10.0.0.0/8\", \"::1\"]\n[[normalize.sensitive_routes]]\nsegment = \"wire\"";
    let options: Options = toml::from_str(text).unwrap();
    assert_eq!(options.retry_after_s, 10);
    assert_eq!(options.normalize.trusted_proxies.len(), 2);
    assert!(toml::from_str::<Options>("[normalize]\ntrusted_proxies = [\"10/8\"]").is_err());
    assert!(toml::from_str::<Options>("unknown = 1").is_err());
}

/// Compiling the redaction rules once is enough.
static PIPELINE: std::sync::LazyLock<Arc<Pipeline>> =
    std::sync::LazyLock::new(|| pipeline_with(&Options::default(), None));

proptest::proptest! {
    #[test]
    fn any_body_is_taken(body in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        let output = run(&PIPELINE, &payload(Format::Auto, body));
        for record in output.batch.records() {
            proptest::prop_assert!(decode(record).is_ok());
        }
    }
}
