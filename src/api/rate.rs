//! Rate limits: the generic cell rate algorithm (GCRA) over a bounded table, pure but for its lock.
//!
//! Each caller and policy has one number, the theoretical arrival time of the next request. A request is
//! let through while that time is at most one window ahead of now.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;

use crate::metrics::Metrics;
use crate::model::Timestamp;

/// Which limit a route is under. The compiler asks for one on every route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Policy {
    /// Probes, pages and other things anybody may read.
    Public,
    /// Exchanging a token or key for a session.
    Login,
    /// Credentials that were refused.
    Refused,
    /// Sending logs.
    Ingest,
    /// Searching.
    Search,
    /// Reading alerts, rules, settings.
    Read,
    /// Changing something.
    Write,
}

/// Requests per minute of one caller; the burst is the same number.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Probes and pages, per address.
    pub public_per_minute: u32,
    /// Log-ins, per address.
    pub login_per_minute: u32,
    /// Refused credentials, per address; above it the answer is 429 instead of 401.
    pub refused_per_minute: u32,
    /// Ingest requests, per key.
    pub ingest_per_minute: u32,
    /// Searches, per key or session.
    pub search_per_minute: u32,
    /// Other reads, per key or session.
    pub read_per_minute: u32,
    /// Changes, per key or session.
    pub write_per_minute: u32,
    /// How many callers are remembered at once.
    pub callers_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            public_per_minute: 6_000,
            login_per_minute: 120,
            refused_per_minute: 1_200,
            ingest_per_minute: 120_000,
            search_per_minute: 60_000,
            read_per_minute: 12_000,
            write_per_minute: 600,
            callers_max: 20_000,
        }
    }
}

impl Policy {
    /// The name in the `RateLimit` headers and in `openapi.json`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Login => "login",
            Self::Refused => "refused",
            Self::Ingest => "ingest",
            Self::Search => "search",
            Self::Read => "read",
            Self::Write => "write",
        }
    }

    /// Requests per minute under these limits, at least one.
    #[must_use]
    pub fn per_minute(self, limits: &Limits) -> u32 {
        match self {
            Self::Public => limits.public_per_minute,
            Self::Login => limits.login_per_minute,
            Self::Refused => limits.refused_per_minute,
            Self::Ingest => limits.ingest_per_minute,
            Self::Search => limits.search_per_minute,
            Self::Read => limits.read_per_minute,
            Self::Write => limits.write_per_minute,
        }
        .max(1)
    }
}

/// Who is counted: an address (a /64 of IPv6, since that is what one customer gets), or a credential.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Caller {
    /// An IPv4 address.
    V4([u8; 4]),
    /// The first half of an IPv6 address.
    V6([u8; 8]),
    /// Id of a key or session.
    Credential(Arc<str>),
}

impl From<IpAddr> for Caller {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip.octets()),
            IpAddr::V6(ip) => {
                let [a, b, c, d, e, f, g, h, ..] = ip.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
        }
    }
}

/// What is left after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether this request is let through.
    pub is_allowed: bool,
    /// The quota of one minute.
    pub limit: u32,
    /// Requests left at once.
    pub remaining: u32,
    /// Seconds until the next one is let through where this was not; else until the quota is full.
    pub wait_s: u64,
}

const WINDOW_NS: i64 = 60_000_000_000;

/// The table of callers.
#[derive(Debug)]
pub struct Limiter {
    limits: Limits,
    arrivals: Mutex<HashMap<(Policy, Caller), i64, foldhash::fast::RandomState>>,
    metrics: Arc<Metrics>,
}

impl Limiter {
    /// An empty table.
    #[must_use]
    pub fn new(limits: Limits, metrics: Arc<Metrics>) -> Self {
        Self {
            limits,
            arrivals: Mutex::default(),
            metrics,
        }
    }

    /// The limits in force.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Counts one request of a caller.
    pub fn check(&self, policy: Policy, caller: Caller, now: Timestamp) -> Verdict {
        let limit = policy.per_minute(&self.limits);
        let step = WINDOW_NS / i64::from(limit);
        let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        if arrivals.len() >= self.limits.callers_max {
            let evicted = make_room(&mut arrivals, now.0);
            self.metrics.rate_evictions.add(evicted);
        }
        let arrival = arrivals.entry((policy, caller)).or_insert(now.0);
        // A wall clock that was set back must not lock anybody out for longer than a window.
        let due = (*arrival).clamp(now.0, now.0.saturating_add(WINDOW_NS));
        let next = due.saturating_add(step);
        let is_allowed = next.saturating_sub(now.0) <= WINDOW_NS;
        let ahead = if is_allowed { next } else { due }.saturating_sub(now.0);
        *arrival = now.0.saturating_add(ahead);
        let wait_ns = if is_allowed {
            ahead
        } else {
            next.saturating_sub(now.0).saturating_sub(WINDOW_NS)
        };
        Verdict {
            is_allowed,
            limit,
            remaining: u32::try_from((WINDOW_NS - ahead) / step).unwrap_or(0),
            wait_s: u64::try_from(wait_ns).unwrap_or(0).div_ceil(1_000_000_000),
        }
    }
}

/// Forgets whoever has a full quota again, and where that is nobody, every fourth caller.
fn make_room<K, S>(arrivals: &mut HashMap<K, i64, S>, now: i64) -> u64 {
    let before = arrivals.len();
    arrivals.retain(|_, arrival| *arrival > now);
    if arrivals.len() == before {
        let mut turn = 0u8;
        arrivals.retain(|_, _| {
            turn = turn.wrapping_add(1);
            !turn.is_multiple_of(4)
        });
    }
    u64::try_from(before - arrivals.len()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn limiter(per_minute: u32, callers_max: usize) -> Limiter {
        let limits = Limits {
            login_per_minute: per_minute,
            callers_max,
            ..Limits::default()
        };
        Limiter::new(limits, Arc::default())
    }

    fn ip(text: &str) -> Caller {
        text.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn a_burst_of_the_quota_passes_and_then_one_per_step() {
        let limiter = limiter(30, 100);
        let at = |second| Timestamp(second * SECOND);
        for left in (0..30).rev() {
            let verdict = limiter.check(Policy::Login, ip("10.0.0.1"), at(100));
            assert!(verdict.is_allowed);
            assert_eq!(verdict.remaining, left);
        }
        let refused = limiter.check(Policy::Login, ip("10.0.0.1"), at(100));
        assert!(!refused.is_allowed);
        assert_eq!((refused.remaining, refused.wait_s), (0, 2));
        assert!(
            limiter
                .check(Policy::Login, ip("10.0.0.2"), at(100))
                .is_allowed
        );
        assert!(
            limiter
                .check(Policy::Login, ip("10.0.0.1"), at(102))
                .is_allowed
        );
        assert!(
            !limiter
                .check(Policy::Login, ip("10.0.0.1"), at(102))
                .is_allowed
        );
    }

    #[test]
    fn a_clock_set_back_locks_out_for_no_more_than_a_window() {
        let limiter = limiter(30, 100);
        for _ in 0..30 {
            limiter.check(Policy::Login, ip("::1"), Timestamp(1_000_000 * SECOND));
        }
        let back = limiter.check(Policy::Login, ip("::1"), Timestamp(10 * SECOND));
        assert!(!back.is_allowed);
        assert!(back.wait_s <= 2);
    }

    #[test]
    fn addresses_of_one_v6_network_are_one_caller() {
        assert_eq!(ip("2001:db8:1:2::1"), ip("2001:db8:1:2:ffff::9"));
        assert_ne!(ip("2001:db8:1:2::1"), ip("2001:db8:1:3::1"));
        assert_eq!(ip("::ffff:10.0.0.1"), ip("10.0.0.1"));
    }

    #[test]
    fn the_table_is_bounded_and_eviction_is_counted() {
        let limiter = limiter(30, 64);
        for n in 0..5_000u32 {
            let caller = Caller::V4(n.to_be_bytes());
            limiter.check(Policy::Login, caller, Timestamp(1));
            assert!(limiter.arrivals.lock().unwrap().len() <= 64);
        }
        assert!(limiter.metrics.rate_evictions.get() > 4_000);
    }
}
