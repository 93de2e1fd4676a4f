//! What one event costs before the log: split, parse, normalize, enrich; with and without
//! redaction. `cargo bench --bench pipeline`; one line per step, best of several rounds on one
//! thread.
//!
//! `cargo bench --bench pipeline -- EVENTS ROUNDS` takes other numbers: few of both where
//! `valgrind --tool=callgrind` counts the instructions.
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::hint::black_box;
use std::sync::Arc;

use wardline::cli::traffic::Load;
use wardline::clock::Stopwatch;
use wardline::metrics::Metrics;
use wardline::model::Timestamp;
use wardline::pipeline::{Enricher, Options, Payload, Pipeline};
use wardline::redact::{self, Redactor, TagKey};
use wardline_parsers::{self as parsers, Format, Parsed, parse_into, records};

const EVENTS: u64 = 20_000;
const ROUNDS: u64 = 15;
const START: Timestamp = Timestamp(1_795_288_473_000_000_000);

/// The events of `wardline bench ingest`: about 800 bytes and 27 fields, 15 % with a secret.
fn body(events: u64) -> Vec<u8> {
    let mut load = Load::new(7, START);
    let mut text = Vec::new();
    for _ in 0..events {
        load.write(&mut text);
        text.push(b'\n');
    }
    text
}

/// How much is measured.
#[derive(Clone, Copy)]
struct Extent {
    events: u64,
    rounds: u64,
    bytes: usize,
}

/// Runs a step several times and prints what the best round took.
fn report(name: &str, extent: Extent, mut run: impl FnMut()) {
    let seconds = (0..extent.rounds)
        .map(|_| {
            let took = Stopwatch::start();
            run();
            took.elapsed().as_secs_f64()
        })
        .fold(f64::MAX, f64::min);
    let us = seconds * 1e6 / extent.events as f64;
    let rate = extent.bytes as f64 / seconds / 1e6;
    println!("{name:<28} {us:>7.3} us/event {rate:>8.0} MB/s");
}

fn main() {
    let mut given = std::env::args().filter_map(|word| word.parse().ok());
    let events = given.next().unwrap_or(EVENTS);
    let text = body(events);
    let extent = Extent {
        events,
        rounds: given.next().unwrap_or(ROUNDS),
        bytes: text.len(),
    };
    println!("{events} events of {} bytes", extent.bytes as u64 / events);
    report("split", extent, || {
        black_box(records(Format::Auto, &text).count());
    });
    for format in [Format::Json, Format::Auto] {
        let name = format!("parse {} (and split at \\n)", format.name());
        let mut parsed = Parsed::default();
        report(&name, extent, || {
            for record in text.split(|byte| *byte == b'\n') {
                parse_into(&mut parsed, format, record, &parsers::Options::DEFAULT);
                black_box(&parsed);
            }
        });
    }
    let mut parsed = Parsed::default();
    report("split + parse", extent, || {
        for record in records(Format::Auto, &text) {
            parse_into(
                &mut parsed,
                Format::Auto,
                record,
                &parsers::Options::DEFAULT,
            );
            black_box(&parsed);
        }
    });
    let metrics = Arc::new(Metrics::default());
    let countries = Some(wardline_web::country_db()).filter(|bytes| !bytes.is_empty());
    let enricher = Enricher::open(Options::default().enrich, countries, metrics.clone())
        .expect("the built-in database is whole");
    let redactor = Redactor::new(redact::Options::default(), TagKey::from_bytes(&[7; 32]));
    let pipeline = Pipeline::new(&Options::default(), enricher, Arc::new(redactor), metrics);
    let payload = Payload {
        source: "bench".into(),
        received: START,
        format: Format::Auto,
        bytes: text.into(),
        patience: std::time::Duration::ZERO,
        room: None,
    };
    report("+ normalize, enrich", extent, || {
        pipeline.raw_events(&payload, |event| {
            black_box(event);
        })
    });
    report("+ redact, encode", extent, || {
        pipeline.run(&payload, |output| {
            black_box(output);
            std::ops::ControlFlow::Continue(())
        });
    });
}
