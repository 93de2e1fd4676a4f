//! Moments as users write them.

use crate::model::Timestamp;

const MILLI: i64 = 1_000_000;
const SECOND: i64 = 1_000 * MILLI;
const DAY: i64 = 86_400 * SECOND;

/// Nanoseconds of a unit.
fn unit(text: &str) -> Option<i64> {
    Some(match text {
        "ns" => 1,
        "us" | "µs" => 1_000,
        "ms" => MILLI,
        "s" => SECOND,
        "m" | "min" => 60 * SECOND,
        "h" => 3_600 * SECOND,
        "d" => DAY,
        "w" => 7 * DAY,
        _ => return None,
    })
}

/// A length of time such as `15m`, `1.5s` or `250ms`, in nanoseconds.
#[must_use]
pub fn parse_duration(text: &str) -> Option<i64> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, name) = text.split_at_checked(split)?;
    let unit = unit(name)?;
    match number.parse::<i64>() {
        Ok(whole) => whole.checked_mul(unit),
        Err(_) => {
            let (whole, fraction) = number.split_once('.')?;
            let digits = u32::try_from(fraction.len())
                .ok()
                .filter(|digits| *digits <= 9)?;
            let scale = 10i64.checked_pow(digits)?;
            let whole = whole.parse::<i64>().ok()?.checked_mul(unit)?;
            let part = i128::from(fraction.parse::<i64>().ok()?) * i128::from(unit);
            whole.checked_add(i64::try_from(part / i128::from(scale)).ok()?)
        }
    }
}

/// A moment: RFC 3339, a date, a date and time in UTC, or relative as `now`, `now-15m`, `now-1d/d` (start of the day).
#[must_use]
pub fn parse_time(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Some(rest) = text.strip_prefix("now") {
        return relative(rest, now);
    }
    absolute(text).map(|(start, _)| start)
}

/// A moment, or the first and last of the day, hour, minute, second or millisecond that the text names.
pub(super) fn parse_span(text: &str, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
    if text.starts_with("now") {
        return parse_time(text, now).map(|at| (at, at));
    }
    let (start, length) = absolute(text)?;
    Some((start, Timestamp(start.0.checked_add(length - 1)?)))
}

fn relative(mut rest: &str, now: Timestamp) -> Option<Timestamp> {
    let mut at = now.0;
    while let Some(sign) = rest.chars().next() {
        rest = rest.get(1..)?;
        let end = rest.find(['+', '-', '/']).unwrap_or(rest.len());
        let (part, tail) = rest.split_at_checked(end)?;
        rest = tail;
        at = match sign {
            '+' => at.checked_add(parse_duration(part)?)?,
            '-' => at.checked_sub(parse_duration(part)?)?,
            '/' => at - at.rem_euclid(unit(part)?),
            _ => return None,
        };
    }
    Some(Timestamp(at))
}

/// The start of what the text names, and how long that is in nanoseconds.
fn absolute(text: &str) -> Option<(Timestamp, i64)> {
    if let Some(at) = Timestamp::parse_rfc3339(text) {
        let length = if !text.contains('.') {
            SECOND
        } else if at.0 % MILLI == 0 {
            MILLI
        } else {
            1
        };
        return Some((at, length));
    }
    let zoned = |suffix: &str| Timestamp::parse_rfc3339(&format!("{text}{suffix}"));
    match text.len() {
        10 => zoned("T00:00:00Z").map(|at| (at, DAY)),
        13 => zoned(":00:00Z").map(|at| (at, 3_600 * SECOND)),
        16 => zoned(":00Z").map(|at| (at, 60 * SECOND)),
        19 => zoned("Z").map(|at| (at, SECOND)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_288_351_621_000_000);

    #[test]
    fn moments_are_read() {
        let check = |text: &str, expected: &str| {
            let got = parse_time(text, NOW).map(Timestamp::to_rfc3339);
            assert_eq!(got.as_deref(), Some(expected), "{text}");
        };
        check("now", "2026-11-21T19:12:31.621Z");
        check("now-15m", "2026-11-21T18:57:31.621Z");
        check("now-1d/d", "2026-11-20T00:00:00.000Z");
        check("now/d+8h", "2026-11-21T08:00:00.000Z");
        check("2026-11-21", "2026-11-21T00:00:00.000Z");
        check("2026-11-21T10:30", "2026-11-21T10:30:00.000Z");
        check("2026-11-21T10:30:00+02:00", "2026-11-21T08:30:00.000Z");
        for bad in [
            "",
            "nowish",
            "now-",
            "now-1y",
            "2026-13-01",
            "yesterday",
            "now-99999999w",
        ] {
            assert_eq!(parse_time(bad, NOW), None, "{bad}");
        }
    }

    #[test]
    fn lengths_are_read() {
        assert_eq!(parse_duration("1.5s"), Some(1_500_000_000));
        assert_eq!(parse_duration("250ms"), Some(250_000_000));
        assert_eq!(parse_duration("15"), None);
        assert_eq!(parse_duration("1.s"), None);
    }

    #[test]
    fn a_date_is_the_whole_day() {
        let (start, end) = parse_span("2026-11-21", NOW).unwrap();
        assert_eq!(end.0 - start.0, DAY - 1);
    }
}
