//! Values brought into their canonical form.

use std::borrow::Cow;

use crate::model::Value;

use super::names::Unit;

/// The text of a value that says something: not null, not empty, not one of the words for nothing.
pub(super) fn text<'v>(value: &'v Value<'_>) -> Option<&'v str> {
    let text = match value {
        Value::Str(text) | Value::Num(text) => trimmed(text),
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        Value::Null => return None,
    };
    let is_absent = match text.len() {
        0 => true,
        1 => text == "-",
        4 => text == "null",
        9 => text == "undefined",
        _ => false,
    };
    (!is_absent).then_some(text)
}

/// Without space at the ends; nearly no text has any.
#[inline]
pub(super) fn trimmed(text: &str) -> &str {
    let is_bare = |byte: Option<&u8>| byte.is_some_and(|byte| (0x21..0x80).contains(byte));
    let bytes = text.as_bytes();
    if is_bare(bytes.first()) && is_bare(bytes.last()) {
        return text;
    }
    text.trim()
}

/// A whole number that is not negative, also written with a fraction of zeros or as text.
pub(super) fn whole(value: Value<'_>) -> Result<Value<'_>, Value<'_>> {
    let is_whole = |text: &str| {
        (1..=19).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_digit())
            && (text.len() == 1 || !text.starts_with('0'))
    };
    match value {
        Value::Str(text) if is_whole(&text) => Ok(Value::Num(text)),
        Value::Num(text) if is_whole(&text) => Ok(Value::Num(text)),
        Value::Num(text) => match text.split_once('.') {
            Some((head, tail)) if is_whole(head) && tail.bytes().all(|b| b == b'0') => {
                Ok(Value::Num(Cow::Owned(head.to_owned())))
            }
            _ => Err(Value::Num(text)),
        },
        other => Err(other),
    }
}

/// Nanoseconds of a duration written in `unit`, or with a unit of its own (`12.5ms`, `1.2s`). A
/// list, as nginx writes it for several upstreams, is summed.
pub(super) fn duration(text: &str, unit: Unit) -> Option<u64> {
    if text.bytes().any(|b| matches!(b, b',' | b':')) {
        let mut sum = None::<u64>;
        for part in text.split([',', ':']).map(str::trim) {
            if !matches!(part, "" | "-") {
                let part = single(part, unit)?;
                sum = Some(sum.unwrap_or(0).checked_add(part)?);
            }
        }
        return sum;
    }
    single(text, unit)
}

fn single(text: &str, unit: Unit) -> Option<u64> {
    let end = text
        .bytes()
        .position(|b| !(b.is_ascii_digit() || b == b'.'))
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at_checked(end)?;
    let unit = match suffix.trim() {
        "" => unit,
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" | "sec" => 1_000_000_000,
        "m" | "min" => 60_000_000_000,
        exponent if exponent.starts_with(['e', 'E']) => return scientific(text, unit),
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let mut nanos = if whole.is_empty() && !fraction.is_empty() {
        0
    } else {
        whole.parse::<u64>().ok()?.checked_mul(unit)?
    };
    let mut place = unit;
    for digit in fraction.bytes() {
        place /= 10;
        nanos = nanos.checked_add(u64::from(digit.checked_sub(b'0')?) * place)?;
    }
    Some(nanos)
}

/// `1.5e-05` as Python prints small numbers.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "checked to lie in the range of u64; rounding far below a nanosecond"
)]
fn scientific(text: &str, unit: Unit) -> Option<u64> {
    let nanos = text.parse::<f64>().ok()? * unit as f64;
    (0.0..1e18).contains(&nanos).then_some(nanos.round() as u64)
}

/// A number as a value.
pub(super) fn number(number: u64) -> Value<'static> {
    Value::Num(Cow::Owned(number.to_string()))
}

/// `text` in upper case, copied only where it is not.
pub(super) fn upper(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.bytes().any(|b| b.is_ascii_lowercase()) {
        return Cow::Owned(text.to_ascii_uppercase());
    }
    text
}

/// `text` in lower case, copied only where it is not.
pub(super) fn lower(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        return Cow::Owned(text.to_ascii_lowercase());
    }
    text
}

/// A level by name, or by the numbers of pino and bunyan.
pub(super) fn level(value: Value<'_>) -> Result<Cow<'_, str>, Value<'_>> {
    match value {
        Value::Num(number) => match number.as_ref() {
            "10" => Ok(Cow::Borrowed("trace")),
            "20" => Ok(Cow::Borrowed("debug")),
            "30" => Ok(Cow::Borrowed("info")),
            "40" => Ok(Cow::Borrowed("warn")),
            "50" => Ok(Cow::Borrowed("error")),
            "60" => Ok(Cow::Borrowed("fatal")),
            _ => Err(Value::Num(number)),
        },
        Value::Str(text) if !text.is_empty() && text.len() <= 32 => Ok(lower(text)),
        other => Err(other),
    }
}

/// The part of a text as a text of the same life: borrowed where the text is.
pub(super) fn part<'a>(text: &Cow<'a, str>, range: std::ops::Range<usize>) -> Cow<'a, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(range).unwrap_or_default()),
        Cow::Owned(text) => Cow::Owned(text.get(range).unwrap_or_default().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_become_nanoseconds() {
        let ms = 1_000_000;
        let s = 1_000_000_000;
        assert_eq!(duration("12.50", ms), Some(12_500_000));
        assert_eq!(duration("0.005", s), Some(5_000_000));
        assert_eq!(duration("3", ms), Some(3_000_000));
        assert_eq!(duration(".5", s), Some(500_000_000));
        assert_eq!(duration("1.5s", ms), Some(1_500_000_000));
        assert_eq!(duration("250µs", ms), Some(250_000));
        assert_eq!(duration("0.01, 0.02", s), Some(30_000_000));
        assert_eq!(duration("-, 0.02 : 0.001", s), Some(21_000_000));
        assert_eq!(duration("1.5e-05", s), Some(15_000));
        for text in [
            "",
            "-1",
            "x",
            "1.x",
            ".",
            "99999999999999999999",
            "-",
            "1 fortnight",
            "1e99",
        ] {
            assert_eq!(duration(text, s), None, "{text}");
        }
    }

    #[test]
    fn whole_numbers_only() {
        let num = |text: &'static str| Value::Num(text.into());
        assert_eq!(whole(num("12")), Ok(num("12")));
        assert_eq!(whole(Value::Str("12".into())), Ok(num("12")));
        assert_eq!(whole(num("12.0")), Ok(num("12")));
        for bad in [
            num("-1"),
            num("1.5"),
            num("1e3"),
            Value::Str("007".into()),
            Value::Bool(true),
        ] {
            assert_eq!(whole(bad.clone()), Err(bad));
        }
    }
}
