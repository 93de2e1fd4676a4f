//! How fast events are cleaned on one core: `cargo bench --bench redact [-- EVENTS
//! [PERCENT_DIRTY]]`.
//!
//! Seeded API events of about 700 bytes, of which a share (3 % unless told) carries one secret in
//! one of twelve shapes. Prints, for lines (`redact_line`) and for parsed events (`redact`),
//! megabytes of the raw line per second, the best of five rounds; then the worst cases, at one size
//! and at twice that size.

#![expect(
    clippy::too_many_lines,
    clippy::type_complexity,
    reason = "a table of cases, printed from top to bottom"
)]

use std::io::Write;
use std::time::Duration;

use wardline::clock::Stopwatch;
use wardline::model::{Event, Field, Timestamp, Value};
use wardline::redact::{Options, Redactor, TagKey};

/// xorshift64: the same events on every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 11
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next()).unwrap_or(0) % limit
    }

    fn text(&mut self, letters: &[u8], length: usize) -> String {
        let mut out = String::new();
        while out.len() < length {
            if let Some(letter) = letters.get(self.below(letters.len())) {
                out.push(char::from(*letter));
            }
        }
        out
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words
            .get(self.below(words.len()))
            .copied()
            .unwrap_or_default()
    }
}

const HEX: &[u8] = b"0123456789abcdef";
const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
const BASE32: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The fields of one event, dotted names, and whether a value is a number.
fn fields(numbers: &mut Numbers, percent: usize) -> Vec<(&'static str, String, bool)> {
    let dirty = numbers.below(100) < percent;
    let shape = if dirty { numbers.below(12) } else { usize::MAX };
    let secret = numbers.text(LETTERS, 40);
    let path = format!(
        "/v1/{}/{}/{}",
        numbers.pick(&[
            "orders",
            "customers",
            "invoices",
            "payments",
            "sessions",
            "products"
        ]),
        numbers.below(10_000_000),
        numbers.pick(&["items", "status", "history", "events", "token", "keys"])
    );
    let query = match shape {
        0 => format!("page=3&access_token={secret}"),
        1 => format!("X-Amz-Signature={}", numbers.text(HEX, 64)),
        _ => format!(
            "page={}&limit=50&sort=-created_at&expand=customer",
            numbers.below(40)
        ),
    };
    let message = match shape {
        2 => format!(
            "upstream auth failed for key AKIA{}",
            numbers.text(BASE32, 16)
        ),
        3 => format!("clone https://x:ghp_{secret}@github.com/acme/app.git failed"),
        4 => "charge declined for card 4111111111111111".to_owned(),
        5 => format!("db connect postgres://svc:{secret}@db-1:5432/orders failed"),
        6 => format!("config password={secret} rejected"),
        _ => match numbers.below(12) {
            0 => "token validated for principal, scope=read:orders".to_owned(),
            1 => format!(
                "GET https://api.internal.example.net{path} took {}ms",
                numbers.below(900)
            ),
            2 => format!(
                "cache miss key-space=orders shard={} rebuilding",
                numbers.below(64)
            ),
            3 => "password policy check passed".to_owned(),
            _ => format!(
                "request completed in {} ms upstream=10.{}.7.9 retries=0 bytes={}",
                numbers.below(900),
                numbers.below(250),
                numbers.below(90_000)
            ),
        },
    };
    let mut fields = vec![
        (
            "ts",
            format!(
                "2026-11-21T19:{:02}:07.{:06}Z",
                numbers.below(60),
                numbers.below(1_000_000)
            ),
            false,
        ),
        (
            "level",
            numbers
                .pick(&["info", "info", "warn", "error", "debug"])
                .to_owned(),
            false,
        ),
        (
            "service",
            numbers
                .pick(&["checkout-api", "orders-api", "auth-gateway"])
                .to_owned(),
            false,
        ),
        ("env", "prod".to_owned(), false),
        ("trace_id", numbers.text(HEX, 32), false),
        ("span_id", numbers.text(HEX, 16), false),
        (
            "correlation_id",
            format!(
                "{}-4abc-a123-{}",
                numbers.text(HEX, 8),
                numbers.text(HEX, 12)
            ),
            false,
        ),
        (
            "user_id",
            format!("usr_{}", numbers.text(LETTERS, 14)),
            false,
        ),
        (
            "tenant",
            numbers.pick(&["acme", "globex", "initech"]).to_owned(),
            false,
        ),
        (
            "http_method",
            numbers.pick(&["GET", "POST", "PUT"]).to_owned(),
            false,
        ),
        ("http_path", path, false),
        ("http_query", query, false),
        (
            "http_status",
            numbers
                .pick(&["200", "201", "401", "404", "500"])
                .to_owned(),
            true,
        ),
        (
            "http_latency_ms",
            format!("{}.{}", numbers.below(900), numbers.below(1000)),
            true,
        ),
        (
            "client_ip",
            format!("203.0.113.{}", numbers.below(250)),
            false,
        ),
        ("bytes_out", numbers.below(90_000).to_string(), true),
        ("content_type", "application/json".to_owned(), false),
        ("accept_language", "en-US,en;q=0.9".to_owned(), false),
        ("user_agent", "okhttp/4.12.0 (linux; x64)".to_owned(), false),
        (
            "ts_ns",
            format!("1763751123{:09}", numbers.below(1_000_000_000)),
            true,
        ),
        ("msg", message, false),
    ];
    match shape {
        7 => fields.push(("authorization", format!("Bearer {secret}"), false)),
        8 => fields.push(("cookie", format!("sid={secret}; theme=dark"), false)),
        9 => fields.push(("x_api_key", secret, false)),
        10 => fields.push((
            "body",
            format!("{{\"user\":\"bob\",\"password\":\"{secret}\"}}"),
            false,
        )),
        11 => fields.push(("card_number", "4111111111111111".to_owned(), false)),
        _ => {}
    }
    fields
}

fn line(fields: &[(&str, String, bool)]) -> String {
    let members: Vec<String> = fields
        .iter()
        .map(|(name, value, is_number)| {
            let value = if *is_number {
                value.clone()
            } else {
                serde_json::json!(value).to_string()
            };
            format!("\"{name}\":{value}")
        })
        .collect();
    format!("{{{}}}", members.join(","))
}

fn event<'a>(fields: &'a [(&'a str, String, bool)]) -> Event<'a> {
    let mut event = Event::new(Timestamp(0), Timestamp(0));
    for (name, value, is_number) in fields {
        let value = if *is_number {
            Value::Num(value.into())
        } else {
            Value::Str(value.into())
        };
        match *name {
            "msg" => event.push(Field::Message, value),
            "http_path" => event.push(Field::UrlPath, value),
            "http_query" => event.push(Field::UrlQuery, value),
            "user_agent" => event.push(Field::UserAgent, value),
            "trace_id" => event.push(Field::TraceId, value),
            "client_ip" => event.push(Field::ClientIp, value),
            name => event.push_ext(name, value),
        }
    }
    event
}

fn best(rounds: usize, mut round: impl FnMut() -> Duration) -> Duration {
    (0..rounds).map(|_| round()).min().unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64() / 1e6
}

fn main() -> std::io::Result<()> {
    let mut words = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'));
    let mut word = |default: usize| {
        words
            .next()
            .and_then(|word| word.parse().ok())
            .unwrap_or(default)
    };
    let (count, percent) = (word(50_000), word(3));
    let mut out = std::io::stdout().lock();
    let start = Stopwatch::start();
    let redactor = Redactor::new(Options::default(), TagKey::from_bytes(&[7; 32]));
    writeln!(out, "built in {:?}", start.elapsed())?;

    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    let all: Vec<_> = (0..count).map(|_| fields(&mut numbers, percent)).collect();
    let lines: Vec<String> = all.iter().map(|fields| line(fields)).collect();
    let bytes: usize = lines.iter().map(String::len).sum();
    let mut changed = 0;
    let took = best(5, || {
        changed = 0;
        let start = Stopwatch::start();
        for line in &lines {
            changed += usize::from(matches!(
                redactor.redact_line(line.as_bytes()),
                std::borrow::Cow::Owned(_)
            ));
        }
        start.elapsed()
    });
    writeln!(
        out,
        "lines:  {:7.1} MB/s {:6.3} M events/s, {changed} of {count} changed, {} bytes each",
        rate(bytes, took),
        rate(count, took),
        bytes / count.max(1)
    )?;
    let took = best(5, || {
        let mut took = Duration::ZERO;
        // As from a body: each is redacted soon after it was parsed.
        for some in all.chunks(128) {
            let events: Vec<_> = some.iter().map(|fields| event(fields)).collect();
            let start = Stopwatch::start();
            for event in events {
                std::hint::black_box(redactor.redact(event));
            }
            took += start.elapsed();
        }
        took
    });
    writeln!(
        out,
        "events: {:7.1} MB/s {:6.3} M events/s",
        rate(bytes, took),
        rate(count, took)
    )?;

    let mut letters = |length| numbers.text(LETTERS, length);
    let base64 = letters(1 << 17);
    let keys: String = (0..10_000).map(|at| format!("\"key{at}\":1,")).collect();
    let worst: [(&str, Box<dyn Fn(usize) -> String>); 13] = [
        ("token=token=", Box::new(|n| "token=".repeat(n << 16))),
        ("://://", Box::new(|n| "://".repeat(n << 17))),
        ("://a:b", Box::new(|n| "://a:b".repeat(n << 16) + "@h")),
        ("password: ", Box::new(|n| "password: x ".repeat(n << 15))),
        ("eyJeyJ", Box::new(|n| "eyJ".repeat(n << 17))),
        ("aaaa", Box::new(|n| "a".repeat(n << 19))),
        (
            "bearer",
            Box::new(|n| "Authorization: Bearer ".repeat(n << 14)),
        ),
        ("base64", Box::new(move |n| base64.repeat(n))),
        ("digits", Box::new(|n| "4 1".repeat(n << 17))),
        ("percent", Box::new(|n| "%25".repeat(n << 17))),
        (
            "private key",
            Box::new(|n| "BEGIN PRIVATE KEY ".repeat(n << 14)),
        ),
        (
            "depth",
            Box::new(|n| format!("{}1{}", "{\"a\":".repeat(n << 16), "}".repeat(n << 16))),
        ),
        (
            "keys",
            Box::new(move |n| format!("{{{}\"x\":1}}", keys.repeat(n))),
        ),
    ];
    for (name, make) in worst {
        let [once, twice] = [1, 2].map(|n| {
            let text = make(n);
            let took = best(3, || {
                let start = Stopwatch::start();
                std::hint::black_box(redactor.redact_line(text.as_bytes()));
                start.elapsed()
            });
            (text.len(), took)
        });
        let growth = twice.1.as_secs_f64() / once.1.as_secs_f64();
        writeln!(
            out,
            "{name:13} {:7.1} MB/s, twice the size takes {growth:.2} times",
            rate(twice.0, twice.1)
        )?;
    }
    Ok(())
}
