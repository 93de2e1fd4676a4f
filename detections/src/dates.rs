//! Parts of a date in a field, for the modifiers `minute` to `year`. Always UTC.

/// A part of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

impl Part {
    /// The part with this modifier name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "minute" => Self::Minute,
            "hour" => Self::Hour,
            "day" => Self::Day,
            "week" => Self::Week,
            "month" => Self::Month,
            "year" => Self::Year,
            _ => return None,
        })
    }

    /// This part of a date: `YYYY-MM-DD`, then optionally `T` or a space, `hh:mm` and more, with `Z`, an
    /// offset or nothing behind (nothing means UTC); or seconds or milliseconds since 1970.
    pub(crate) fn of(self, text: &str) -> Option<f64> {
        let minutes = minutes_since_1970(text.trim())?;
        let days = minutes.div_euclid(1_440);
        let (year, month, day) = civil(days);
        Some(match self {
            Self::Minute => whole(minutes.rem_euclid(60)),
            Self::Hour => whole(minutes.rem_euclid(1_440) / 60),
            Self::Day => whole(day),
            Self::Week => whole(iso_week(days)),
            Self::Month => whole(month),
            Self::Year => whole(year),
        })
    }
}

/// Parts of dates are small: exact in a double.
fn whole(value: i64) -> f64 {
    i32::try_from(value).map_or(f64::NAN, f64::from)
}

fn minutes_since_1970(text: &str) -> Option<i64> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        let number = text.parse::<i64>().ok()?;
        // Seconds stay below this until the year 5138; milliseconds pass it in 1973.
        let seconds = if number >= 100_000_000_000 {
            number / 1_000
        } else {
            number
        };
        return Some(seconds.div_euclid(60));
    }
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u16>().ok().map(i64::from);
    let is = |at: usize, byte: u8| text.as_bytes().get(at) == Some(&byte);
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    if !is(4, b'-') || !is(7, b'-') || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let mut minutes = days(year, month, day) * 1_440;
    if text.len() > 10 {
        let (hour, minute) = (number(11, 13)?, number(14, 16)?);
        if !(is(10, b'T') || is(10, b't') || is(10, b' '))
            || !is(13, b':')
            || hour > 23
            || minute > 59
        {
            return None;
        }
        minutes += hour * 60 + minute - offset_minutes(text.get(16..)?)?;
    }
    Some(minutes)
}

/// The offset from UTC behind seconds and fraction.
fn offset_minutes(rest: &str) -> Option<i64> {
    let zone = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':' || c == '.');
    let sign = match zone.chars().next() {
        None | Some('Z' | 'z') => return Some(0),
        Some('+') => 1,
        Some('-') => -1,
        _ => return None,
    };
    let digits: String = zone.chars().filter(char::is_ascii_digit).collect();
    let number = digits.parse::<i64>().ok()?;
    Some(
        sign * if digits.len() > 2 {
            number / 100 * 60 + number % 100
        } else {
            number * 60
        },
    )
}

/// Days since 1970 of a date of the Gregorian calendar (H. Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms").
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of days since 1970; the inverse of [`days`].
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// Week of ISO 8601: the week with the year's first Thursday is week 1.
fn iso_week(day: i64) -> i64 {
    let thursday = day + 3 - (day + 3).rem_euclid(7);
    let (year, _, _) = civil(thursday);
    (thursday - days(year, 1, 1)) / 7 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_those_of_the_calendar() {
        for (text, part, expected) in [
            ("2026-11-21T20:15:59.5Z", Part::Hour, 20.0),
            ("2026-11-21T20:15:59+02:00", Part::Hour, 18.0),
            ("2026-11-21 20:15", Part::Minute, 15.0),
            ("2024-02-29", Part::Day, 29.0),
            ("2024-02-29", Part::Month, 2.0),
            ("2021-01-01", Part::Week, 53.0),
            ("2024-12-30", Part::Week, 1.0),
            ("2026-01-01", Part::Week, 1.0),
            ("1795288351", Part::Year, 2026.0),
            ("1795288351621", Part::Year, 2026.0),
        ] {
            assert_eq!(part.of(text), Some(expected), "{text} {part:?}");
        }
        for text in [
            "",
            "x",
            "2026-13-01",
            "2026-01-01T25:00Z",
            "20é6-01-01",
            "2026-01-01T10:00 CET",
        ] {
            assert_eq!(Part::Hour.of(text).filter(|h| *h != 0.0), None, "{text}");
        }
    }
}
