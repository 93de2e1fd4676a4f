//! Names of stored things: a prefix and 26 characters of lower-case base32 (128 bits), none of them a dot.

use aws_lc_rs::rand;

use super::Error;
use crate::model::{Offset, Timestamp, sha256};

const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

fn text(prefix: &str, bits: u128) -> String {
    let mut text = String::with_capacity(prefix.len().saturating_add(26));
    text.push_str(prefix);
    for shift in (0..26u32).rev() {
        let digit = usize::try_from((bits >> (shift * 5)) & 31).unwrap_or(0);
        text.push(char::from(DIGITS.get(digit).copied().unwrap_or(b'0')));
    }
    text
}

/// A new id that sorts by `now`: 48 bits of milliseconds and 80 random bits, as a ULID has them.
///
/// # Errors
/// [`Error::Random`] where the system has no random bytes.
pub fn fresh(prefix: &str, now: Timestamp) -> Result<String, Error> {
    let mut random = [0u8; 16];
    rand::fill(&mut random).map_err(|_error| Error::Random)?;
    let low = u128::from_be_bytes(random) & ((1 << 80) - 1);
    let millis = u128::try_from(now.millis()).unwrap_or(0) & ((1 << 48) - 1);
    Ok(text(prefix, (millis << 80) | low))
}

/// The id of the alert that `key` opened at `at`: the same on every replay of the log.
pub(super) fn alert(key: &str, at: Offset) -> String {
    let hash = sha256(&[&at.0.to_be_bytes(), key.as_bytes()].concat());
    let bits = hash.first_chunk::<16>().copied().unwrap_or_default();
    text("alt_", u128::from_be_bytes(bits))
}

/// A key of fixed size for a text of any.
pub(super) fn hashed(text: &str) -> [u8; 32] {
    sha256(text.as_bytes())
}

/// A key that sorts by time: the moment, then `rest`.
pub(super) fn time_key(time: Timestamp, rest: &[u8]) -> Vec<u8> {
    let mut key = order(time).to_vec();
    key.extend_from_slice(rest);
    key
}

/// The moment as bytes that sort as it does, negative ones too.
pub(super) fn order(time: Timestamp) -> [u8; 8] {
    (time.0.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

/// Two names as one key; names hold no zero byte.
pub(super) fn pair(first: &str, second: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(first.len().saturating_add(second.len()).saturating_add(1));
    key.extend_from_slice(first.as_bytes());
    key.push(0);
    key.extend_from_slice(second);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fresh_ids_sort_by_time_and_hold_no_dot() {
        let early = fresh("msg_", Timestamp::from_millis(1_000)).unwrap();
        let late = fresh("msg_", Timestamp::from_millis(1_001)).unwrap();
        assert!(early < late, "{early} {late}");
        assert_eq!(early.len(), 30);
        assert!(!early.contains('.'));
    }

    #[test]
    fn an_alert_id_depends_on_key_and_place_alone() {
        assert_eq!(alert("rule|ip", Offset(7)), alert("rule|ip", Offset(7)));
        assert_ne!(alert("rule|ip", Offset(7)), alert("rule|ip", Offset(8)));
        assert_ne!(alert("rule|ip", Offset(7)), alert("rule|iq", Offset(7)));
    }

    #[test]
    fn time_order_is_byte_order() {
        let times = [i64::MIN, -5, -1, 0, 1, 9_999, i64::MAX];
        for pair in times.windows(2) {
            assert!(
                order(Timestamp(pair[0])) < order(Timestamp(pair[1])),
                "{pair:?}"
            );
        }
    }
}
