//! What follows from an attempt: pure. The schedule is the one Standard Webhooks recommends: ten attempts in
//! 75 hours and 35 minutes.

use std::time::Duration;

use super::egress::Failure;
use crate::model::Timestamp;
use crate::store::Verdict;

const MINUTE: u64 = 60;
const HOUR: u64 = 3_600;
/// Seconds before each attempt, counted from the end of the one before it.
const SCHEDULE_S: [u64; 10] = [
    0,
    5,
    5 * MINUTE,
    30 * MINUTE,
    2 * HOUR,
    5 * HOUR,
    10 * HOUR,
    14 * HOUR,
    20 * HOUR,
    24 * HOUR,
];
/// The longest `Retry-After` that is obeyed.
pub(super) const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * HOUR);
/// How long an overloaded endpoint is left alone where it does not say.
const HOLD_MIN: Duration = Duration::from_secs(MINUTE);
/// Most that is added at random, in thousandths.
pub(super) const JITTER_PERMILLE_MAX: u32 = 200;

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver answered.
    Answered {
        /// With this status.
        status: u16,
        /// And asked for this long.
        retry_after: Option<Duration>,
    },
    /// There was no answer.
    Failed(Failure),
}

/// What follows from an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// For the delivery.
    pub verdict: Verdict,
    /// For the endpoint: nothing before this.
    pub hold_until: Option<Timestamp>,
    /// For the endpoint: disabled, for this reason.
    pub disable: Option<&'static str>,
    /// The failure's code, for the delivery log.
    pub error: Option<&'static str>,
}

/// Decides after attempt `number` (from 1) of a delivery. `jitter_permille` is drawn by the caller, 0 to 200;
/// it only ever adds.
#[must_use]
pub fn decide(outcome: Outcome, number: u32, now: Timestamp, jitter_permille: u32) -> Decision {
    let error = error_code(outcome);
    if error.is_none() {
        return Decision {
            verdict: Verdict::Delivered,
            hold_until: None,
            disable: None,
            error,
        };
    }
    let (status, retry_after) = match outcome {
        Outcome::Answered {
            status,
            retry_after,
        } => (Some(status), retry_after),
        Outcome::Failed(_) => (None, None),
    };
    let asked = retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
    let is_overload =
        matches!(status, Some(429 | 502..=504)) || outcome == Outcome::Failed(Failure::Timeout);
    let hold_until = is_overload.then(|| later(now, asked.max(HOLD_MIN)));
    let is_final =
        status == Some(410) || matches!(outcome, Outcome::Failed(failure) if failure.is_final());
    let next = usize::try_from(number)
        .ok()
        .and_then(|number| SCHEDULE_S.get(number));
    let verdict = match next {
        _ if is_final => Verdict::Aborted,
        None => Verdict::Exhausted,
        Some(base) => {
            let least = Duration::from_secs(*base).max(asked);
            let extra = least * jitter_permille.min(JITTER_PERMILLE_MAX) / 1_000;
            Verdict::Retry(later(now, least.saturating_add(extra)))
        }
    };
    Decision {
        verdict,
        hold_until,
        disable: (status == Some(410)).then_some("gone"),
        error,
    }
}

/// Reads a `Retry-After`: seconds, or an HTTP date. A date in the past is no wait.
#[must_use]
pub fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = chrono::DateTime::parse_from_rfc2822(value).ok()?;
    let wait = date
        .timestamp()
        .saturating_sub(now.0.div_euclid(1_000_000_000));
    Some(Duration::from_secs(u64::try_from(wait).unwrap_or(0)))
}

fn later(now: Timestamp, by: Duration) -> Timestamp {
    Timestamp(
        now.0
            .saturating_add(i64::try_from(by.as_nanos()).unwrap_or(i64::MAX)),
    )
}

/// `None` for a success.
fn error_code(outcome: Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Failed(failure) => Some(failure.code()),
        Outcome::Answered { status, .. } => match status {
            200..=299 => None,
            300..=399 => Some("redirect"),
            401 | 403 => Some("refused"),
            410 => Some("gone"),
            429 => Some("rate_limited"),
            400..=499 => Some("client_error"),
            500..=599 => Some("server_error"),
            _ => Some("bad_status"),
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp(1_795_262_400_000_000_000);

    fn answered(status: u16) -> Outcome {
        Outcome::Answered {
            status,
            retry_after: None,
        }
    }

    fn waits(verdict: Verdict) -> Option<u64> {
        match verdict {
            Verdict::Retry(at) => Some(u64::try_from(at.0 - NOW.0).unwrap() / 1_000_000_000),
            _ => None,
        }
    }

    #[test]
    fn the_schedule_is_the_published_one() {
        let waited: Vec<_> = (1..=9)
            .map(|n| waits(decide(answered(500), n, NOW, 0).verdict))
            .collect();
        let expected = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
        assert_eq!(waited, expected.map(Some));
        assert_eq!(
            decide(answered(500), 10, NOW, 0).verdict,
            Verdict::Exhausted
        );
        assert_eq!(SCHEDULE_S.iter().sum::<u64>(), 75 * HOUR + 35 * MINUTE + 5);
    }

    #[test]
    fn each_status_has_its_meaning() {
        for status in [200, 201, 204, 299] {
            assert_eq!(
                decide(answered(status), 1, NOW, 0).verdict,
                Verdict::Delivered
            );
        }
        for status in [301, 302, 307, 400, 401, 404, 500, 599, 999] {
            let decision = decide(answered(status), 1, NOW, 0);
            assert_eq!(
                (waits(decision.verdict), decision.hold_until),
                (Some(5), None),
                "{status}"
            );
            assert!(decision.error.is_some());
        }
        for status in [429, 502, 503, 504] {
            let decision = decide(answered(status), 1, NOW, 0);
            assert_eq!(decision.hold_until, Some(later(NOW, HOLD_MIN)), "{status}");
        }
        let gone = decide(answered(410), 1, NOW, 0);
        assert_eq!(
            (gone.verdict, gone.disable),
            (Verdict::Aborted, Some("gone"))
        );
        let timeout = decide(Outcome::Failed(Failure::Timeout), 1, NOW, 0);
        assert_eq!(timeout.hold_until, Some(later(NOW, HOLD_MIN)));
        let blocked = decide(Outcome::Failed(Failure::BlockedIp), 1, NOW, 0);
        assert_eq!(
            (blocked.verdict, blocked.error),
            (Verdict::Aborted, Some("blocked_ip"))
        );
    }

    #[test]
    fn retry_after_reads_seconds_and_dates() {
        let seconds = |value: &str| retry_after(value, NOW).map(|wait| wait.as_secs());
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds(" 0 "), Some(0));
        assert_eq!(seconds("99999999999999999999999"), Some(u64::MAX));
        assert_eq!(seconds("Sat, 21 Nov 2026 12:01:30 GMT"), Some(90));
        assert_eq!(seconds("Sat, 21 Nov 2020 12:01:30 GMT"), Some(0));
        for bad in ["", "-5", "1.5", "soon", "2026-11-21T12:00:00Z"] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }

    proptest! {
        /// Never before the schedule or what was asked, never later than both with the jitter allow.
        #[test]
        fn never_early_and_never_beyond_the_cap(
            status in 300u16..600,
            asked in proptest::option::of(0u64..400_000),
            number in 1u32..15,
            jitter in 0u32..400,
        ) {
            let asked = asked.map(Duration::from_secs);
            let decision = decide(Outcome::Answered { status, retry_after: asked }, number, NOW, jitter);
            let asked = asked.unwrap_or_default().min(RETRY_AFTER_MAX);
            match decision.verdict {
                Verdict::Retry(at) => {
                    let base = Duration::from_secs(SCHEDULE_S[usize::try_from(number).unwrap()]);
                    let wait = Duration::from_nanos(u64::try_from(at.0 - NOW.0).unwrap());
                    prop_assert!(wait >= base.max(asked));
                    prop_assert!(wait <= base.max(asked) * 12 / 10);
                }
                Verdict::Exhausted => prop_assert!(number >= 10),
                Verdict::Aborted => prop_assert_eq!(status, 410),
                Verdict::Delivered => prop_assert!(false, "{} is no success", status),
            }
        }
    }
}
