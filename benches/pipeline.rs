//! What one event costs before the log: split, parse, normalize, enrich; with and without
//! redaction. `cargo bench --bench pipeline`; one line per step, best of several rounds on one
//! thread.
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;

use wardline::clock::Stopwatch;
use wardline::metrics::Metrics;
use wardline::model::Timestamp;
use wardline::pipeline::{Enricher, Options, Payload, Pipeline};
use wardline::redact::{self, Redactor, TagKey};
use wardline_parsers::{self as parsers, Format, Parsed, parse_into, records};

const EVENTS: u64 = 20_000;
const ROUNDS: usize = 15;

/// API events of about 800 bytes with 26 fields, as the published figures use.
fn body() -> String {
    let mut seed = 7u64;
    let mut random = move || {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        seed >> 20
    };
    let mut text = String::new();
    for n in 0..EVENTS {
        let (a, b, c) = (random(), random(), random());
        let status = match a % 8 {
            0..=2 => 200,
            3 => 201,
            4 => 404,
            5 => 401,
            6 => 403,
            _ => 500,
        };
        writeln!(
            text,
            concat!(
                r#"{{"timestamp":"2026-11-21T19:{:02}:{:02}.{:03}Z","service":"orders-api","env":"production","#,
                r#""region":"eu-central-1","host":"ip-10-0-{}-{}.eu-central-1.compute.internal","level":"info","#,
                r#""request_id":"{:08x}-{:04x}-4{:03x}-9{:03x}-{:012x}","trace_id":"{:016x}{:016x}","method":"GET","#,
                r#""path":"/v1/customers/{}/orders/{}","status":{},"latency_ms":{}.{:02},"bytes_in":{},"bytes_out":{},"#,
                r#""src_ip":"{}.{}.{}.{}","user_id":"usr_{:010x}","tenant":"acme-{}","api_key_id":"key_{:08x}","#,
                r#""user_agent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0 Safari/537.36","#,
                r#""protocol":"HTTP/1.1","auth":{{"method":"api_key","outcome":"success"}},"#,
                r#""message":"request completed in time and without any trouble for the caller","shard":{},"cache":"miss"}}"#
            ),
            n % 60, a % 60, b % 1000, a % 256, b % 256, a as u32, b as u16, c % 4096, a % 4096,
            (b << 8) & 0xffff_ffff_ffff, a, c, a % 100_000, b % 1_000_000, status, c % 400, a % 100, b % 4000,
            c % 60_000, 1 + a % 220, b % 256, c % 256, 1 + a % 250, a, b % 50, c as u32, a % 32,
        )
        .expect("a String takes everything");
    }
    text
}

/// Seconds of the best round.
fn best(mut run: impl FnMut()) -> f64 {
    (0..ROUNDS)
        .map(|_| {
            let took = Stopwatch::start();
            run();
            took.elapsed().as_secs_f64()
        })
        .fold(f64::MAX, f64::min)
}

fn report(name: &str, bytes: usize, seconds: f64) {
    let us = seconds * 1e6 / EVENTS as f64;
    let rate = bytes as f64 / seconds / 1e6;
    println!("{name:<28} {us:>7.3} us/event {rate:>8.0} MB/s");
}

fn main() {
    let text = body();
    let bytes = text.len();
    println!("{} events of {} bytes", EVENTS, bytes as u64 / EVENTS);
    let split = best(|| {
        black_box(records(Format::Auto, text.as_bytes()).count());
    });
    report("split", bytes, split);
    for format in [Format::Json, Format::Auto] {
        let parse = best(|| {
            let mut parsed = Parsed::default();
            for record in text.as_bytes().split(|byte| *byte == b'\n') {
                parse_into(&mut parsed, format, record, &parsers::Options::DEFAULT);
                black_box(&parsed);
            }
        });
        report(
            &format!("parse {} (and split at \\n)", format.name()),
            bytes,
            parse,
        );
    }
    let parse = best(|| {
        let mut parsed = Parsed::default();
        for record in records(Format::Auto, text.as_bytes()) {
            parse_into(
                &mut parsed,
                Format::Auto,
                record,
                &parsers::Options::DEFAULT,
            );
            black_box(&parsed);
        }
    });
    report("split + parse", bytes, parse);
    let metrics = Arc::new(Metrics::default());
    let enricher =
        Enricher::open(Options::default().enrich, None, metrics.clone()).expect("no files");
    let redactor = Redactor::new(redact::Options::default(), TagKey::from_bytes(&[7; 32]));
    let pipeline = Pipeline::new(&Options::default(), enricher, Arc::new(redactor), metrics);
    let payload = Payload {
        source: "bench".into(),
        received: Timestamp(1_795_288_473_000_000_000),
        format: Format::Auto,
        bytes: text.into(),
        patience: std::time::Duration::ZERO,
        room: None,
    };
    let raw = best(|| {
        pipeline.raw_events(&payload, |event| {
            black_box(event);
        })
    });
    report("+ normalize, enrich", bytes, raw);
    let all = best(|| {
        pipeline.run(&payload, |output| {
            black_box(output);
            std::ops::ControlFlow::Continue(())
        });
    });
    report("+ redact, encode", bytes, all);
}
