//! `fuzz/run pipeline_payload`: any body in any format, with a secret planted in it, through
//! splitting, parsing, normalizing, enriching and redaction to the records of the log, and back.
#![no_main]

mod plant;

use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use plant::{Case, escaped, holds, percent, quoted, redactor};
use wardline::metrics::Metrics;
use wardline::model::{Timestamp, text_of};
use wardline::pipeline::{Enricher, Options, Payload, Pipeline};
use wardline::redact::{Batch, decode};
use wardline_parsers::Format;

const NOW: Timestamp = Timestamp(1_795_288_473_000_000_000);

fuzz_target!(|bytes: &[u8]| {
    let Some(case) = Case::new(bytes) else { return };
    let with_own = case.choose(7, 2) == 1;
    let format = Format::ALL[case.choose(7, 16) / 2 % Format::ALL.len()];
    let (name, secret) = case.secret();
    if holds(case.noise, &secret) {
        return;
    }
    let body = body(&case, name, &secret);
    let payload = Payload {
        source: "fuzz".into(),
        received: NOW,
        format,
        bytes: body.into(),
        patience: Duration::ZERO,
        room: None,
    };
    pipelines()[usize::from(with_own)].run(&payload, |output| {
        check(&output.batch, &secret, with_own);
        ControlFlow::Continue(())
    });
});

/// The noise, and in one of its lines the secret as the value of a field.
fn body(case: &Case<'_>, name: &str, secret: &str) -> Vec<u8> {
    let (before, behind) = case.halves();
    let (a, b) = (quoted(before), quoted(behind));
    let middle = match case.choose(4, 8) {
        0 => String::new(),
        1 => format!("\n{{\"message\":{a},\"{name}\":\"{secret}\",\"b\":{b}}}\n"),
        2 => format!(
            "\n{{\"m\":{a},\"req\":{{\"headers\":{{{b}:{b},\"authorization\":\"Bearer {secret}\"}}}}}}\n"
        ),
        3 => format!(
            "\n{{\"http\":{{\"{name}\":\"{}\"}},{a}:{b}}}\n",
            escaped(secret)
        ),
        4 => format!(
            "\n10.0.0.1 - kim [21/Nov/2026:10:15:32 +0000] \"GET /a?{name}={} HTTP/1.1\" 200 1 {a} {b}\n",
            percent(secret)
        ),
        5 => format!(
            "\n[{{\"body\":{},{a}:{b}}}]\n",
            quoted(format!("{{\"{name}\":\"{secret}\"}}").as_bytes())
        ),
        6 => format!("\nlogin {name}={secret} done\n"),
        _ => format!(
            "\n{{\"attributes\":[{{\"key\":\"{name}\",\"value\":{{\"stringValue\":\"{secret}\"}}}},{a},{b}]}}\n"
        ),
    };
    [before, middle.as_bytes(), behind].concat()
}

/// Every record is read back, holds no secret, and is what it was after another redaction.
fn check(batch: &Batch, secret: &str, with_own: bool) {
    for record in batch.records() {
        let event = decode(record).expect("what was written is read back");
        // By name and value: a length before the rest of a secret may happen to be its first byte.
        for (name, value) in event.fields() {
            let text = text_of(value).unwrap_or_default();
            let is_held = holds(text.as_bytes(), secret) || holds(name.public().as_bytes(), secret);
            assert!(!is_held, "{secret} in {event:?}");
        }
        // By a redactor that is inside of no private key: what one line opens says nothing of the record.
        let again = redactor(with_own).redact((*event).clone());
        assert_eq!(again, event, "again");
    }
}

fn pipelines() -> &'static [Arc<Pipeline>; 2] {
    static PIPELINES: OnceLock<[Arc<Pipeline>; 2]> = OnceLock::new();
    PIPELINES.get_or_init(|| {
        [false, true].map(|with_own| {
            let metrics = Arc::new(Metrics::default());
            let options = Options::default();
            let enricher = Enricher::open(options.enrich.clone(), None, metrics.clone());
            let enricher = enricher.expect("without a database there is nothing to open");
            let redactor = plant::made(with_own);
            Arc::new(Pipeline::new(&options, enricher, redactor, metrics))
        })
    })
}
