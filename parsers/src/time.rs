//! Timestamps of all formats, to nanoseconds since 1970.

const SECOND: i64 = 1_000_000_000;

/// Nanoseconds since 1970 (range 1677 to 2262) of a time as logs write it; `None` where it is none.
///
/// Epoch numbers by magnitude (below 1e11 seconds, 1e14 milliseconds, 1e17 microseconds, else nanoseconds;
/// with fraction or exponent), RFC 3339 with `T` or space, any fraction and any offset (UTC where there is
/// none), and the common log format `21/Nov/2026:19:14:33 +0100`.
#[must_use]
pub fn time(text: &str) -> Option<i64> {
    let bytes = text.trim_ascii().as_bytes();
    match bytes.get(..5)? {
        [_, _, _, _, b'-'] => rfc3339(bytes),
        [_, _, b'/', ..] => common_log(bytes),
        _ => epoch(bytes),
    }
}

/// `width` digits at `at`.
#[inline]
fn digits(bytes: &[u8], at: usize, width: usize) -> Option<i64> {
    let mut value = 0i64;
    for byte in bytes.get(at..at + width)? {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + i64::from(digit);
    }
    Some(value)
}

/// `2026-11-21T19:14:33.123Z` and its variants.
#[inline]
fn rfc3339(bytes: &[u8]) -> Option<i64> {
    let separators = [
        bytes.get(7)?,
        bytes.get(10)?,
        bytes.get(13)?,
        bytes.get(16)?,
    ];
    if !matches!(separators, [b'-', b'T' | b't' | b' ' | b'_', b':', b':']) {
        return None;
    }
    let days = days(
        digits(bytes, 0, 4)?,
        digits(bytes, 5, 2)?,
        digits(bytes, 8, 2)?,
    )?;
    let clock = clock(bytes, 11)?;
    let mut at = 19;
    let mut nanos = 0;
    if let Some(b'.' | b',') = bytes.get(at) {
        let (value, behind) = fraction(bytes, at + 1);
        nanos = value;
        at = behind;
    }
    if bytes.get(at) == Some(&b' ') {
        at += 1;
    }
    let offset = offset(bytes.get(at..)?)?;
    total(days * 86_400 + clock - offset, nanos)
}

/// Seconds of the day of `HH:MM:SS` at `at`; a leap second is the last one twice.
#[inline]
fn clock(bytes: &[u8], at: usize) -> Option<i64> {
    let (hour, minute, second) = (
        digits(bytes, at, 2)?,
        digits(bytes, at + 3, 2)?,
        digits(bytes, at + 6, 2)?,
    );
    (hour < 24 && minute < 60 && second <= 60).then(|| hour * 3600 + minute * 60 + second.min(59))
}

/// Nanoseconds of the fraction whose digits start at `at`, and the position behind them.
#[inline]
fn fraction(bytes: &[u8], mut at: usize) -> (i64, usize) {
    let mut nanos = 0;
    let mut unit = SECOND / 10;
    while let Some(digit) = bytes.get(at).filter(|byte| byte.is_ascii_digit()) {
        nanos += i64::from(digit - b'0') * unit;
        unit /= 10;
        at += 1;
    }
    (nanos, at)
}

/// Seconds east of UTC of `Z`, `UTC`, `+01:00`, `+0100`, `+01` or nothing.
#[inline]
fn offset(text: &[u8]) -> Option<i64> {
    let (sign, rest) = match text {
        b"" | b"Z" | b"z" | b"UTC" | b"GMT" => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let hours = digits(rest, 0, 2)?;
    let minutes = match rest.len() {
        2 => 0,
        4 => digits(rest, 2, 2)?,
        5 if rest.get(2) == Some(&b':') => digits(rest, 3, 2)?,
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// `21/Nov/2026:19:14:33 +0000`.
fn common_log(bytes: &[u8]) -> Option<i64> {
    const MONTHS: [&[u8; 3]; 12] = [
        b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov",
        b"dec",
    ];
    let separators = [
        bytes.get(6)?,
        bytes.get(11)?,
        bytes.get(14)?,
        bytes.get(17)?,
    ];
    if !matches!(separators, [b'/', b':' | b' ', b':', b':']) {
        return None;
    }
    let name = bytes.get(3..6)?;
    let month = MONTHS
        .iter()
        .position(|month| name.eq_ignore_ascii_case(*month))?;
    let month = i64::try_from(month).ok()? + 1;
    let days = days(digits(bytes, 7, 4)?, month, digits(bytes, 0, 2)?)?;
    let mut at = 20;
    let mut nanos = 0;
    if bytes.get(at) == Some(&b'.') {
        let (value, behind) = fraction(bytes, at + 1);
        nanos = value;
        at = behind;
    }
    let offset = offset(bytes.get(at..)?.trim_ascii_start())?;
    total(days * 86_400 + clock(bytes, 12)? - offset, nanos)
}

/// Days since 1970 of a civil date (Howard Hinnant, "chrono-compatible low-level date algorithms").
#[inline]
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(is_leap),
        _ => return None,
    };
    if !(1..=last).contains(&day) {
        return None;
    }
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

#[inline]
fn total(seconds: i64, nanos: i64) -> Option<i64> {
    i64::try_from(i128::from(seconds) * i128::from(SECOND) + i128::from(nanos)).ok()
}

/// A number, its unit told by its size.
fn epoch(bytes: &[u8]) -> Option<i64> {
    let whole_end = bytes
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(bytes.len());
    if whole_end == 0 || whole_end > 19 {
        return None;
    }
    let whole = bytes.get(..whole_end)?.iter().try_fold(0i64, |sum, byte| {
        sum.checked_mul(10)?.checked_add(i64::from(byte - b'0'))
    })?;
    let mut billionths = 0;
    let mut at = whole_end;
    if bytes.get(at) == Some(&b'.') {
        (billionths, at) = fraction(bytes, at + 1);
    }
    if at != bytes.len() {
        return exponent(bytes);
    }
    let unit = match whole {
        0..100_000_000_000 => SECOND,
        100_000_000_000..100_000_000_000_000 => 1_000_000,
        100_000_000_000_000..100_000_000_000_000_000 => 1_000,
        _ => 1,
    };
    whole
        .checked_mul(unit)?
        .checked_add(billionths / (SECOND / unit))
}

/// `1.795288351621E9`: printed by languages that keep times as floating point numbers.
fn exponent(bytes: &[u8]) -> Option<i64> {
    if !bytes.iter().any(|byte| matches!(byte, b'e' | b'E')) || bytes.len() > 40 {
        return None;
    }
    let value: f64 = std::str::from_utf8(bytes).ok()?.parse().ok()?;
    // Written out again it is a plain number, and takes the same way.
    (value.is_finite() && (0.0..1e19).contains(&value))
        .then(|| format!("{value:.6}"))
        .and_then(|plain| epoch(plain.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let expected = chrono::DateTime::parse_from_rfc3339(expected)
            .unwrap()
            .timestamp_nanos_opt()
            .unwrap();
        assert_eq!(time(text), Some(expected), "{text}");
    }

    #[test]
    fn rfc3339_in_all_its_spellings() {
        check("2026-11-21T19:14:33Z", "2026-11-21T19:14:33Z");
        check("2026-11-21t19:14:33z", "2026-11-21T19:14:33Z");
        check("2026-11-21 19:14:33", "2026-11-21T19:14:33Z");
        check("2026-11-21 19:14:33,120", "2026-11-21T19:14:33.12Z");
        check(
            "2026-11-21T19:14:33.1234567891+01:00",
            "2026-11-21T18:14:33.123456789Z",
        );
        check("2026-11-21 19:14:33.5 +0130", "2026-11-21T17:44:33.5Z");
        check("2026-11-21T19:14:33-08", "2026-11-22T03:14:33Z");
        check("2026-11-21 19:14:33 UTC", "2026-11-21T19:14:33Z");
        check("2024-02-29T23:59:60Z", "2024-02-29T23:59:59Z");
        check("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.5Z");
        check("2100-03-01T00:00:00Z", "2100-03-01T00:00:00Z");
    }

    #[test]
    fn common_log_format() {
        check("21/Nov/2026:19:14:33 +0100", "2026-11-21T18:14:33Z");
        check("01/jan/2026:00:00:00 -0000", "2026-01-01T00:00:00Z");
        check("21/Nov/2026:19:14:33", "2026-11-21T19:14:33Z");
    }

    #[test]
    fn epochs_by_magnitude() {
        check("1795288473", "2026-11-21T19:14:33Z");
        check("1795288473.123", "2026-11-21T19:14:33.123Z");
        check("1795288473123", "2026-11-21T19:14:33.123Z");
        check("1795288473123.5", "2026-11-21T19:14:33.1235Z");
        check("1795288473123456", "2026-11-21T19:14:33.123456Z");
        check("1795288473123456789", "2026-11-21T19:14:33.123456789Z");
        check("1.795288473123E9", "2026-11-21T19:14:33.123Z");
        check("00000", "1970-01-01T00:00:00Z");
    }

    #[test]
    fn no_times() {
        for text in [
            "",
            "x",
            "-",
            "12",
            "2026-13-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-11-21",
            "2026-11-21T24:00:00Z",
            "2026-11-21T19:14",
            "9999-12-31T00:00:00Z",
            "12345678901234567890",
            "21/Foo/2026:19:14:33 +0000",
            "1795288473x",
            "-1795288473",
            "2026-11-21T19:14:33+1",
            "1e400",
            "hello world",
            "ééééé",
        ] {
            assert_eq!(time(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn rfc3339_agrees_with_chrono(nanos in proptest::num::i64::ANY) {
            let text = chrono::DateTime::from_timestamp_nanos(nanos).to_rfc3339();
            proptest::prop_assert_eq!(time(&text), Some(nanos));
        }

        #[test]
        fn any_text_is_safe(text in ".{0,60}") {
            let _either = time(&text).is_some();
        }
    }
}
