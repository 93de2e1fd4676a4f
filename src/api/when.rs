//! Moments and lengths of time as callers write them: RFC 3339, `now`, `now-15m`; `30s`, `5m`, `1h`.

use super::error::Error;
use crate::model::Timestamp;

/// The moment a text names; the pointer says where in the input it stands.
pub(super) fn moment(
    text: Option<&str>,
    pointer: &str,
    now: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let found = match text.strip_prefix("now") {
        Some(rest) => relative(rest, now),
        None => Timestamp::parse_rfc3339(text),
    };
    let expected = "expected RFC 3339 or a relative time such as now-15m";
    found
        .map(Some)
        .ok_or_else(|| Error::input(pointer, "invalid_value", expected))
}

fn relative(rest: &str, now: Timestamp) -> Option<Timestamp> {
    if rest.is_empty() {
        return Some(now);
    }
    if let Some(length) = rest.strip_prefix('-') {
        return Some(Timestamp(now.0.saturating_sub(length_ns(length)?)));
    }
    let length = rest.strip_prefix('+')?;
    Some(Timestamp(now.0.saturating_add(length_ns(length)?)))
}

/// Nanoseconds of `90s`, `15m`, `2h`, `7d`, `1w` or `250ms`.
pub(super) fn length_ns(text: &str) -> Option<i64> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(end)?;
    let unit: i64 = match unit {
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        "w" => 604_800_000_000_000,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_in_every_form() {
        let now = Timestamp::from_millis(1_000_000);
        let check = |text: &str, expected: Option<i64>| {
            let found = moment(Some(text), "/from", now).ok().flatten();
            assert_eq!(found.map(Timestamp::millis), expected, "{text}");
        };
        check("now", Some(1_000_000));
        check(" now-15m ", Some(100_000));
        check("now+1s", Some(1_001_000));
        check("1970-01-01T00:00:01Z", Some(1_000));
        check("1970-01-01T01:00:01+01:00", Some(1_000));
        for odd in [
            "yesterday",
            "now-",
            "now-5",
            "now-5y",
            "now-99999999999999999w",
            "5m",
        ] {
            check(odd, None);
            assert!(moment(Some(odd), "/from", now).is_err(), "{odd}");
        }
        assert_eq!(moment(None, "/from", now).unwrap(), None);
        assert_eq!(moment(Some(""), "/from", now).unwrap(), None);
    }
}
