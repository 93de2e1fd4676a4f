//! `CleanEvent` ⇄ bytes: the only on-disk form of an event.
//!
//! Record, version 1, all integers LEB128 unless said otherwise:
//! `version u8 = 1 · time i64 LE (ns) · received i64 LE (ns) · fields`, each field
//! `code u8 · type u8 · length · bytes`; code 255 is followed by `length · name` of a field of the
//! source's own. Types: 0 text, 1 number as written, 2 false, 3 true, 4 null (2 to 4 without length and bytes).
//! Canonical names are codes of `model::Field`, so text and frames hold no repeated keys.

use std::borrow::Cow;

use super::CleanEvent;
use crate::model::{Event, Field, FieldName, Timestamp, Value};

const VERSION: u8 = 1;
const EXT: u8 = 255;

/// A record that cannot be read back: damaged, or written by a newer version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Ends in the middle of a field, or holds bytes that are not UTF-8.
    #[error("record is damaged")]
    Damaged,
    /// Written by a newer version of Wardline.
    #[error("record has version {0}, this build reads 1")]
    Version(u8),
}

/// Encoded clean events on their way to the log, in order.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Batch {
    /// Adds an event behind the others.
    pub fn push(&mut self, event: &CleanEvent<'_>) {
        encode(&event.0, &mut self.text);
        self.ends.push(self.text.len());
    }

    /// How many events.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of all records.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// The records one by one.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0usize;
        self.ends.iter().map(move |end| {
            let record = self.text.get(start..*end).unwrap_or_default();
            start = *end;
            record
        })
    }
}

fn encode(event: &Event<'_>, to: &mut Vec<u8>) {
    to.push(VERSION);
    to.extend_from_slice(&event.time.0.to_le_bytes());
    to.extend_from_slice(&event.received.0.to_le_bytes());
    for (name, value) in event.fields() {
        match name {
            FieldName::Known(field) => to.push(field.code()),
            FieldName::Ext(name) => {
                to.push(EXT);
                bytes(to, name.as_bytes());
            }
        }
        match value {
            Value::Str(text) => {
                to.push(0);
                bytes(to, text.as_bytes());
            }
            Value::Num(text) => {
                to.push(1);
                bytes(to, text.as_bytes());
            }
            Value::Bool(false) => to.push(2),
            Value::Bool(true) => to.push(3),
            Value::Null => to.push(4),
        }
    }
}

fn bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    let mut length = bytes.len();
    while length >= 0x80 {
        to.push(u8::try_from(length & 0x7f).unwrap_or(0) | 0x80);
        length >>= 7;
    }
    to.push(u8::try_from(length).unwrap_or(0));
    to.extend_from_slice(bytes);
}

/// Reads a record back; text is borrowed from it.
pub fn decode(record: &[u8]) -> Result<CleanEvent<'_>, DecodeError> {
    let mut rest = record;
    let version = byte(&mut rest)?;
    if version != VERSION {
        return Err(DecodeError::Version(version));
    }
    let time = Timestamp(i64::from_le_bytes(*array(&mut rest)?));
    let received = Timestamp(i64::from_le_bytes(*array(&mut rest)?));
    let mut event = Event::new(time, received);
    while !rest.is_empty() {
        let code = byte(&mut rest)?;
        let name = if code == EXT {
            FieldName::Ext(Cow::Borrowed(text(&mut rest)?))
        } else {
            FieldName::Known(Field::from_code(code).ok_or(DecodeError::Damaged)?)
        };
        let value = match byte(&mut rest)? {
            0 => Value::Str(Cow::Borrowed(text(&mut rest)?)),
            1 => Value::Num(Cow::Borrowed(text(&mut rest)?)),
            2 => Value::Bool(false),
            3 => Value::Bool(true),
            4 => Value::Null,
            _ => return Err(DecodeError::Damaged),
        };
        event.fields_mut().push((name, value));
    }
    Ok(CleanEvent(event))
}

fn byte(rest: &mut &[u8]) -> Result<u8, DecodeError> {
    let (first, tail) = rest.split_first().ok_or(DecodeError::Damaged)?;
    *rest = tail;
    Ok(*first)
}

fn array<'a, const N: usize>(rest: &mut &'a [u8]) -> Result<&'a [u8; N], DecodeError> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or(DecodeError::Damaged)?;
    *rest = tail;
    Ok(head)
}

fn text<'a>(rest: &mut &'a [u8]) -> Result<&'a str, DecodeError> {
    let mut length = 0usize;
    for shift in (0..35).step_by(7) {
        let next = byte(rest)?;
        length |= usize::from(next & 0x7f) << shift;
        if next & 0x80 == 0 {
            let (head, tail) = rest.split_at_checked(length).ok_or(DecodeError::Damaged)?;
            *rest = tail;
            return std::str::from_utf8(head).map_err(|_| DecodeError::Damaged);
        }
    }
    Err(DecodeError::Damaged)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Test-only door through the wall: the event must hold no secrets.
    pub(crate) fn clean(event: Event<'_>) -> CleanEvent<'_> {
        CleanEvent(event)
    }

    fn sample() -> Event<'static> {
        let mut event = Event::new(Timestamp(1_795_288_351_621_000_123), Timestamp(5));
        event.push_str(Field::UrlPath, "/v1/orders/17");
        event.push(Field::HttpStatus, Value::Num("404".into()));
        event.push_ext("deep.name", Value::Str("x".repeat(300).into()));
        event.push_ext("flag", Value::Bool(true));
        event.push_ext("none", Value::Null);
        event
    }

    #[test]
    fn records_read_back() {
        let mut batch = Batch::default();
        let event = clean(sample());
        batch.push(&event);
        batch.push(&event);
        assert_eq!(batch.len(), 2);
        for record in batch.records() {
            assert_eq!(decode(record).expect("decodes"), event);
        }
    }

    #[test]
    fn any_cut_is_an_error_and_never_a_panic() {
        let mut batch = Batch::default();
        batch.push(&clean(sample()));
        let record = batch.records().next().expect("one").to_vec();
        for cut in 0..record.len() {
            // A cut between two fields is a shorter event; a frame's checksum is what catches that.
            let _either = decode(&record[..cut]).is_ok();
        }
        assert_eq!(decode(&[9]).unwrap_err(), DecodeError::Version(9));
        assert_eq!(decode(&[]).unwrap_err(), DecodeError::Damaged);
    }
}
