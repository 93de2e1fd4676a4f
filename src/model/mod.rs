//! The vocabulary: events, alerts and the ids that tie them together.

mod alert;
mod digest;
mod event;
mod field;
mod id;
mod network;
mod query_value;
mod visible;

pub use alert::{
    Alert, AlertId, Assignee, AttackTag, Entity, Resolution, ResolutionReason, RuleRef,
    SampleEvent, Severity, Status,
};
pub use digest::{hex, sha256, unhex};
pub use event::{Event, FieldName, Name, Scalar, text_of};
pub use field::{Field, Kind};
pub(crate) use id::trace_and_span;
pub use id::{ID_BYTES_MAX, each_id_form, id_forms, is_uuid};
pub use network::Cidr;
pub use query_value::query_value;
pub use visible::{is_hostile, visible};
pub use wardline_parsers::Value;

use serde::{Deserialize, Serialize};

/// A moment in UTC, nanoseconds since 1970 (range 1677 to 2262).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// From milliseconds since 1970, clamped to the range.
    #[must_use]
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Milliseconds since 1970, rounded down.
    #[must_use]
    pub fn millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Whole UTC days since 1970: the index partition of a moment of receipt.
    #[must_use]
    pub fn day(self) -> i64 {
        self.0.div_euclid(86_400_000_000_000)
    }

    /// RFC 3339 in UTC with milliseconds, or nanoseconds where the moment has them.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        let format = if self.0.rem_euclid(1_000_000) == 0 {
            chrono::SecondsFormat::Millis
        } else {
            chrono::SecondsFormat::Nanos
        };
        chrono::DateTime::from_timestamp_nanos(self.0).to_rfc3339_opts(format, true)
    }

    /// From an RFC 3339 text, any offset.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        chrono::DateTime::parse_from_rfc3339(text)
            .ok()?
            .timestamp_nanos_opt()
            .map(Self)
    }
}

/// Position of a record in the log: the first event is 0, the next 1, without holes.
/// The currency of every reader of the log.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Offset(pub u64);

impl Offset {
    /// The position `count` records further on.
    #[must_use]
    pub fn plus(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }

    /// The public id of the event at this position: `evt_` and 13 characters of lower-case base32.
    #[must_use]
    pub fn event_id(self) -> String {
        let digits = b"0123456789abcdefghjkmnpqrstvwxyz";
        let mut text = String::from("evt_");
        for shift in (0..13u32).rev() {
            let digit = usize::try_from((self.0 >> (shift * 5)) & 31).unwrap_or(0);
            text.push(char::from(digits.get(digit).copied().unwrap_or(b'0')));
        }
        text
    }

    /// The position behind a public event id; `None` where the text is not one.
    #[must_use]
    pub fn from_event_id(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("evt_")?;
        if digits.len() != 13 {
            return None;
        }
        let mut value = 0u64;
        for byte in digits.bytes() {
            let digit = b"0123456789abcdefghjkmnpqrstvwxyz"
                .iter()
                .position(|d| *d == byte)?;
            value = value
                .checked_mul(32)?
                .checked_add(u64::try_from(digit).ok()?)?;
        }
        Some(Self(value))
    }
}

/// Moments as RFC 3339 text in JSON.
pub mod rfc3339 {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::Timestamp;

    /// Writes `2026-11-21T20:00:00.000Z`.
    pub fn serialize<S: Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&time.to_rfc3339())
    }

    /// Reads any RFC 3339 text.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(from)?;
        Timestamp::parse_rfc3339(&text).ok_or_else(|| D::Error::custom("not an RFC 3339 time"))
    }
}

/// Optional moments as RFC 3339 text or null in JSON.
pub mod rfc3339_option {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::Timestamp;

    /// Writes the text, or null.
    pub fn serialize<S: Serializer>(time: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => to.serialize_str(&time.to_rfc3339()),
            None => to.serialize_none(),
        }
    }

    /// Reads null or any RFC 3339 text.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
        Option::<String>::deserialize(from)?
            .map(|text| {
                Timestamp::parse_rfc3339(&text)
                    .ok_or_else(|| D::Error::custom("not an RFC 3339 time"))
            })
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_id_reads_back() {
        for offset in [0, 1, 31, 32, 1_234_567, u64::MAX] {
            let id = Offset(offset).event_id();
            assert_eq!(Offset::from_event_id(&id), Some(Offset(offset)), "{id}");
        }
        assert_eq!(Offset::from_event_id("evt_zzzzzzzzzzzzz"), None);
        assert_eq!(Offset::from_event_id("evt_1"), None);
    }

    #[test]
    fn timestamps_read_back() {
        let text = "2026-11-21T20:00:00.123Z";
        assert_eq!(
            Timestamp::parse_rfc3339(text)
                .map(Timestamp::to_rfc3339)
                .as_deref(),
            Some(text)
        );
    }
}
