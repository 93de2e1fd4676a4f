//! The load of the benchmarks: API events of about 794 bytes and 25 fields, 7 % with a bearer JWT, 3 % with
//! an API key header, 4 % with a key in the query and a few card numbers, as in the published comparisons.

use std::io::Write;

use super::Random;
use crate::model::Timestamp;

const SERVICES: &[&str] = &[
    "gateway", "auth", "orders", "payments", "catalog", "search", "billing", "notify",
];
const REGIONS: &[&str] = &["eu-central-1", "eu-west-1", "us-east-1", "ap-south-1"];
const MESSAGES: &[&str] = &[
    "request completed",
    "request completed after retry",
    "upstream answered slowly",
    "cache hit served response",
    "response streamed to client",
    "token verified and request completed",
    "rate limit checked and request completed",
    "validation rejected the payload",
    "upstream timeout while reading response",
];
const ROUTES: &[(&str, &str)] = &[
    ("/api/v1/orders/{id}", "/api/v1/orders/"),
    ("/api/v1/users/{id}/profile", "/api/v1/users/"),
    ("/api/v1/catalog/items/{id}", "/api/v1/catalog/items/"),
    ("/api/v2/payments/{id}/capture", "/api/v2/payments/"),
    ("/api/v1/search", "/api/v1/search"),
    ("/api/v1/sessions/{id}", "/api/v1/sessions/"),
];
const AGENTS: &[&str] = &[
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
    "okhttp/4.12.0",
    "python-httpx/0.27.2",
    "acme-sdk-go/1.14.2 (linux; amd64)",
];

/// Writes one event after the other.
#[derive(Clone, Debug)]
pub struct Load {
    random: Random,
    now: Timestamp,
    written: u64,
}

impl Load {
    /// Begins at `start`; one event each 10 µs of event time.
    #[must_use]
    pub fn new(seed: u64, start: Timestamp) -> Self {
        Self {
            random: Random::new(seed),
            now: start,
            written: 0,
        }
    }

    /// Appends one event as JSON, without a newline, and returns its request id.
    pub fn write(&mut self, to: &mut Vec<u8>) -> String {
        self.written += 1;
        self.now = Timestamp(self.now.0 + 10_000);
        let random = &mut self.random;
        let (route, prefix) = *random.pick(ROUTES);
        let service = *random.pick(SERVICES);
        let tail = route
            .rsplit('}')
            .next()
            .filter(|_| route.contains('{'))
            .unwrap_or_default();
        let id = if route.contains('{') {
            format!("{}{tail}", 100_000 + random.below(900_000))
        } else {
            String::new()
        };
        let query = if random.percent(4) {
            format!("?api_key={}&limit=50", random.token(32))
        } else {
            String::new()
        };
        let (status, credential) = (status(random), credential(random));
        let request_id = random.uuid();
        let written = write!(
            to,
            concat!(
                r#"{{"timestamp":"{}","service":"{}","env":"production","region":"{}","host":"ip-10-0-{}-{}.internal","#,
                r#""level":"{}","request_id":"{}","trace_id":"{}","method":"{}","path":"{}{}{}","route":"{}","status":{},"#,
                r#""latency_ms":{:.2},"bytes_in":{},"bytes_out":{},"src_ip":"{}.{}.{}.{}","user_id":"user-{:06}","#,
                r#""tenant":"tenant-{:03}","api_key_id":"key_{:05}","user_agent":"{}","protocol":"HTTP/1.1","#,
                r#""auth":{{"outcome":"{}","method":"bearer"}},"cache":"miss","deployment":"blue-2026-11-20","upstream":"10.1.{}.{}:8080","retries":0,"#,
                r#""message":"{} for tenant {}"{}}}"#
            ),
            self.now.to_rfc3339(),
            service,
            random.pick(REGIONS),
            random.below(4),
            random.below(60),
            if status >= 500 { "error" } else { "info" },
            request_id,
            random.hex(32),
            if random.percent(75) { "GET" } else { "POST" },
            prefix,
            id,
            query,
            route,
            status,
            random.unit() * 180.0,
            random.below(4_000),
            random.below(60_000),
            20 + random.below(180),
            random.below(256),
            random.below(256),
            1 + random.below(254),
            random.rank(50_000),
            random.rank(200),
            random.rank(20_000),
            random.pick(AGENTS),
            if status == 401 { "denied" } else { "allowed" },
            random.below(8),
            random.below(250),
            random.pick(MESSAGES),
            random.below(200),
            credential,
        );
        debug_assert!(written.is_ok(), "writing to a vector cannot fail");
        request_id
    }
}

fn status(random: &mut Random) -> u16 {
    match random.below(100) {
        0..=1 => 500,
        2..=4 => 404,
        5 => 401,
        6 => 400,
        _ => 200,
    }
}

/// What some of the events carry and none may keep.
fn credential(random: &mut Random) -> String {
    match random.below(100) {
        0..=6 => format!(
            r#","headers":{{"authorization":"Bearer eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJ{}.{}"}}"#,
            random.token(90),
            random.token(86)
        ),
        7..=9 => format!(r#","headers":{{"x-api-key":"{}"}}"#, random.token(40)),
        10 => r#","note":"paid with 4111 1111 1111 1111 today""#.to_owned(),
        _ => String::new(),
    }
}
