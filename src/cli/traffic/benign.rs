//! Ordinary traffic: a few busy users and many quiet ones, each request seen by one to four services.

use std::collections::VecDeque;

use super::{Line, Random, Request};
use crate::model::Timestamp;

pub(super) const AGENTS: &[&str] = &[
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 15_1) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
    "acme-ios/7.2.1 (iPhone16,2; iOS 18.1)",
    "acme-android/7.2.0 (Pixel 9; Android 15)",
    "python-requests/2.32.3",
    "okhttp/4.12.0",
];

/// (method, template, service behind the gateway, share).
pub(super) const ROUTES: &[(&str, &str, &str, u64)] = &[
    ("GET", "/v1/catalog/items", "catalog", 30),
    ("GET", "/v1/catalog/items/{id}", "catalog", 22),
    ("GET", "/v1/orders", "orders", 14),
    ("GET", "/v1/orders/{id}", "orders", 12),
    ("POST", "/v1/orders", "orders", 6),
    ("GET", "/v1/users/me", "accounts", 10),
    ("POST", "/v1/payments", "payments", 4),
    ("POST", "/v1/login", "auth", 2),
];

/// First two parts of addresses by home country, so that a user stays in one country.
const HOMES: &[&str] = &["81.2", "91.64", "73.162", "86.193", "133.106", "177.32"];

/// Number of users the traffic has.
pub(super) const USERS: u64 = 400;

/// The user of a rank, with the address it always calls from.
pub(super) fn user(rank: u64) -> (String, String) {
    let home = usize::try_from(rank).unwrap_or(0) % HOMES.len();
    let prefix = HOMES.get(home).copied().unwrap_or("81.2");
    (
        format!("u-{}", 1_000 + rank),
        format!("{prefix}.{}.{}", 16 + rank % 200, 1 + (rank * 7) % 250),
    )
}

/// An endless stream of benign lines, in time order.
#[derive(Clone, Debug)]
pub struct Benign {
    random: Random,
    now: Timestamp,
    gap_nanos: f64,
    waiting: VecDeque<Line>,
}

impl Benign {
    /// Begins at `start` with about `per_second` lines a second.
    #[must_use]
    pub fn new(seed: u64, start: Timestamp, per_second: f64) -> Self {
        // A request is seen by about 2.5 services.
        Self {
            random: Random::new(seed),
            now: start,
            gap_nanos: 2.5e9 / per_second.max(0.1),
            waiting: VecDeque::new(),
        }
    }

    fn request(&mut self) {
        let random = &mut self.random;
        let step = -(1.0 - random.unit()).max(1e-9).ln() * self.gap_nanos;
        self.now = Timestamp(self.now.0.saturating_add(step as i64));
        let mut share = random.below(100);
        let (method, route, service, _) = ROUTES
            .iter()
            .find(|(_, _, _, part)| {
                let hit = share < *part;
                share = share.saturating_sub(*part);
                hit
            })
            .unwrap_or(&("GET", "/v1/users/me", "accounts", 0));
        let (user, ip) = user(random.rank(USERS));
        let path = route.replace("{id}", &(10_000 + random.rank(60_000)).to_string());
        let status = status(random, method, service);
        let millis = 4.0
            + 40.0 * random.unit()
            + if random.percent(2) {
                400.0 * random.unit()
            } else {
                0.0
            };
        let (request_id, trace_id) = (random.uuid(), random.hex(32));
        let agent_at = usize::try_from(random.rank(AGENTS.len() as u64)).unwrap_or(0);
        let base = Request {
            at: self.now,
            service: "gateway",
            method,
            path,
            route,
            status,
            millis,
            ip: &ip,
            user: &user,
            agent: AGENTS.get(agent_at).copied().unwrap_or("okhttp/4.12.0"),
            request_id: &request_id,
            trace_id: &trace_id,
            message: format!("{method} {route} completed"),
            more: extra(random),
        };
        let mut inner = vec![(
            *service,
            millis * 0.7,
            format!("{service} handled the request"),
        )];
        if random.percent(50) {
            inner.push(("db", millis * 0.3, "query finished".to_owned()));
        }
        for (service, millis, message) in inner.into_iter().rev() {
            let at = Timestamp(base.at.0 - ((base.millis - millis) * 0.4e6) as i64);
            self.waiting.push_back(
                Request {
                    at,
                    service,
                    millis,
                    message,
                    more: String::new(),
                    ..base.clone()
                }
                .line(),
            );
        }
        self.waiting.push_back(base.line());
        self.waiting.make_contiguous().sort_by_key(|line| line.at);
    }
}

fn status(random: &mut Random, method: &str, service: &str) -> u16 {
    match random.below(1_000) {
        0..=2 => 500,
        3..=9 => 404,
        10..=13 => 400,
        14..=15 if service == "auth" => 401,
        _ if method == "POST" && service != "auth" => 201,
        _ => 200,
    }
}

/// What careless services log: now and then a credential, which must never reach the disk.
fn extra(random: &mut Random) -> String {
    match random.below(100) {
        0..=3 => format!(
            r#","headers":{{"authorization":"Bearer eyJhbGciOiJIUzI1NiJ9.{}.{}"}}"#,
            random.token(60),
            random.token(43)
        ),
        4..=5 => format!(r#","headers":{{"x-api-key":"{}"}}"#, random.token(40)),
        6 => format!(r#","query":"page=2&access_token={}""#, random.token(32)),
        7 => r#","body":"{\"card\":\"4111 1111 1111 1111\",\"cvv\":\"737\"}""#.to_owned(),
        _ => format!(r#","bytes_out":{}"#, 200 + random.rank(20_000)),
    }
}

impl Iterator for Benign {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        // Lines of one request reach a little back; what is older than the next request can go.
        while self
            .waiting
            .front()
            .is_none_or(|line| line.at.0 > self.now.0 - 1_000_000_000)
        {
            self.request();
        }
        self.waiting.pop_front()
    }
}

/// Three weeks of sparse logins before `start`: what a rule that learns needs to have seen.
#[must_use]
pub fn history(seed: u64, start: Timestamp) -> Vec<Line> {
    const DAY: i64 = 86_400_000_000_000;
    let mut random = Random::new(seed ^ 0x4157);
    let mut lines = Vec::new();
    for day in 1..=21 {
        for rank in 0..40 {
            let (user, ip) = user(rank);
            let within = i64::try_from(random.below(86_400)).unwrap_or(0) * 1_000_000_000;
            let (request_id, trace_id) = (random.uuid(), random.hex(32));
            let request = Request {
                at: Timestamp(start.0 - day * DAY - DAY / 8 + within - DAY),
                service: "auth",
                method: "POST",
                path: "/v1/login".to_owned(),
                route: "/v1/login",
                status: 200,
                millis: 80.0,
                ip: &ip,
                user: &user,
                agent: AGENTS.first().copied().unwrap_or_default(),
                request_id: &request_id,
                trace_id: &trace_id,
                message: "login succeeded".to_owned(),
                more: format!(r#","username":"{user}""#),
            };
            lines.push(request.line());
        }
    }
    lines.sort_by_key(|line| line.at);
    lines
}
