//! Seeded API traffic: benign requests with heavy tails, the attacks the demo shows, and the flat load of
//! the benchmarks. The same seed and start give the same bytes. Written apart from the rules, on purpose.

mod attack;
mod benign;
mod load;
mod random;

pub use attack::{Attack, attacks};
pub use benign::{Benign, history};
pub use load::Load;
pub use random::Random;

use crate::model::Timestamp;

/// One log line with the moment it carries, to be sent in that order.
#[derive(Clone, Debug)]
pub struct Line {
    /// Event time.
    pub at: Timestamp,
    /// JSON, without the newline.
    pub text: String,
}

/// What one service says of one request.
#[derive(Clone, Debug)]
pub(crate) struct Request<'a> {
    pub at: Timestamp,
    pub service: &'a str,
    pub method: &'a str,
    pub path: String,
    pub route: &'a str,
    pub status: u16,
    pub millis: f64,
    pub ip: &'a str,
    pub user: &'a str,
    pub agent: &'a str,
    pub request_id: &'a str,
    pub trace_id: &'a str,
    pub message: String,
    /// Further members, JSON text beginning with a comma, or nothing.
    pub more: String,
}

impl Request<'_> {
    pub(crate) fn line(&self) -> Line {
        let text = format!(
            concat!(
                r#"{{"timestamp":"{}","level":"{}","service":"{}","env":"prod","method":"{}","path":"{}","#,
                r#""route":"{}","status":{},"duration_ms":{:.2},"client_ip":"{}","user_id":"{}","#,
                r#""user_agent":"{}","request_id":"{}","trace_id":"{}","message":"{}"{}}}"#
            ),
            self.at.to_rfc3339(),
            if self.status >= 500 {
                "error"
            } else if self.status >= 400 {
                "warn"
            } else {
                "info"
            },
            self.service,
            self.method,
            self.path,
            self.route,
            self.status,
            self.millis,
            self.ip,
            self.user,
            self.agent,
            self.request_id,
            self.trace_id,
            self.message,
            self.more,
        );
        Line { at: self.at, text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Timestamp {
        Timestamp::parse_rfc3339("2026-11-21T12:00:00Z").unwrap()
    }

    #[test]
    fn same_seed_same_bytes() {
        let take = || Benign::new(7, start(), 100.0).take(500).map(|line| line.text).collect::<Vec<_>>();
        assert_eq!(take(), take());
        let other = Benign::new(8, start(), 100.0).next().unwrap().text;
        assert_ne!(take().first(), Some(&other));
    }

    #[test]
    fn every_line_is_json_and_in_time_order() {
        let mut lines: Vec<Line> = history(7, start());
        for attack in attacks(7, start()) {
            assert!(!attack.lines.is_empty(), "{}", attack.name);
            lines.extend(attack.lines);
        }
        lines.extend(Benign::new(7, start(), 100.0).take(2_000));
        for line in &lines {
            serde_json::from_str::<serde_json::Value>(&line.text).expect(&line.text);
        }
        let mut last = Timestamp(i64::MIN);
        for line in Benign::new(7, start(), 100.0).take(2_000) {
            assert!(line.at >= last);
            last = line.at;
        }
    }

    #[test]
    fn load_events_have_the_published_size() {
        let mut load = Load::new(1, start());
        let mut bytes = 0;
        let mut body = Vec::new();
        for _ in 0..5_000 {
            body.clear();
            load.write(&mut body);
            serde_json::from_slice::<serde_json::Value>(&body).unwrap();
            bytes += body.len();
        }
        let mean = bytes / 5_000;
        assert!((770..820).contains(&mean), "{mean} bytes per event");
    }
}
