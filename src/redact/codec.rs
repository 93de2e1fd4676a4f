//! `CleanEvent` ⇄ bytes: the only on-disk form of an event.
//!
//! Record, version 2, all integers LEB128 unless said otherwise:
//! `version u8 = 2 · time i64 LE (ns) · received i64 LE (ns) · length of the fields · fields · text`, each field
//! `code u8 · type u8 · length of its value`; code 255, a field of the source's own, is followed by the length of its
//! name. Types: 0 text, 1 number as written, 2 false, 3 true, 4 null (2 to 4 without length). Names and values stand in
//! the text one behind the other, so that all of it is checked to be UTF-8 at once.
//! Version 1, which had lengths and texts among the codes, is still read.
//! Canonical names are codes of `model::Field`, so text and frames hold no repeated keys.

use std::borrow::Cow;

use super::CleanEvent;
use crate::model::{Event, Field, FieldName, Timestamp, Value};

const VERSION: u8 = 2;
const EXT: u8 = 255;

/// A record that cannot be read back: damaged, or written by a newer version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Ends in the middle of a field, or holds bytes that are not UTF-8.
    #[error("record is damaged")]
    Damaged,
    /// Written by a newer version of Wardline.
    #[error("record has version {0}, this build reads 1 and 2")]
    Version(u8),
}

/// Encoded clean events on their way to the log, in order.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    text: Vec<u8>,
    ends: Vec<usize>,
    parts: Parts,
}

/// The two parts of the record being written.
#[derive(Clone, Debug, Default)]
struct Parts {
    fields: Vec<u8>,
    text: Vec<u8>,
}

impl Batch {
    /// An empty batch with room for so many bytes.
    #[must_use]
    pub fn with_room(bytes: usize) -> Self {
        Self {
            text: Vec::with_capacity(bytes),
            ..Self::default()
        }
    }

    /// Adds an event behind the others.
    pub fn push(&mut self, event: &CleanEvent<'_>) {
        encode(&event.0, &mut self.parts, &mut self.text);
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

fn encode(event: &Event<'_>, parts: &mut Parts, to: &mut Vec<u8>) {
    let Parts { fields, text } = parts;
    fields.clear();
    text.clear();
    for (name, value) in event.fields() {
        match name {
            FieldName::Known(field) => fields.push(field.code()),
            FieldName::Ext(name) => {
                fields.push(EXT);
                length(fields, name.len());
                text.extend_from_slice(name.as_bytes());
            }
        }
        let (kind, written) = match value {
            Value::Str(written) => (0, written),
            Value::Num(written) => (1, written),
            Value::Bool(false) => {
                fields.push(2);
                continue;
            }
            Value::Bool(true) => {
                fields.push(3);
                continue;
            }
            Value::Null => {
                fields.push(4);
                continue;
            }
        };
        fields.push(kind);
        length(fields, written.len());
        text.extend_from_slice(written.as_bytes());
    }
    to.push(VERSION);
    to.extend_from_slice(&event.time.0.to_le_bytes());
    to.extend_from_slice(&event.received.0.to_le_bytes());
    length(to, fields.len());
    to.extend_from_slice(fields);
    to.extend_from_slice(text);
}

fn length(to: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        to.push(u8::try_from(length & 0x7f).unwrap_or(0) | 0x80);
        length >>= 7;
    }
    to.push(u8::try_from(length).unwrap_or(0));
}

/// Reads a record back; text is borrowed from it.
pub fn decode(record: &[u8]) -> Result<CleanEvent<'_>, DecodeError> {
    let mut rest = record;
    let version = byte(&mut rest)?;
    if !matches!(version, 1 | VERSION) {
        return Err(DecodeError::Version(version));
    }
    let time = Timestamp(i64::from_le_bytes(*array(&mut rest)?));
    let received = Timestamp(i64::from_le_bytes(*array(&mut rest)?));
    if version == 1 {
        return decode_1(rest, Event::new(time, received));
    }
    let split = read_length(&mut rest)?;
    let (mut fields, text) = rest.split_at_checked(split).ok_or(DecodeError::Damaged)?;
    let mut text = std::str::from_utf8(text).map_err(|_| DecodeError::Damaged)?;
    // A field takes two to four bytes here: room for all of them, and not for much more.
    let mut event = Event::with_room(time, received, fields.len() / 3 + 1);
    while !fields.is_empty() {
        let code = byte(&mut fields)?;
        let name = if code == EXT {
            FieldName::Ext(Cow::Borrowed(take(&mut fields, &mut text)?))
        } else {
            FieldName::Known(Field::from_code(code).ok_or(DecodeError::Damaged)?)
        };
        let value = match byte(&mut fields)? {
            0 => Value::Str(Cow::Borrowed(take(&mut fields, &mut text)?)),
            1 => Value::Num(Cow::Borrowed(take(&mut fields, &mut text)?)),
            2 => Value::Bool(false),
            3 => Value::Bool(true),
            4 => Value::Null,
            _ => return Err(DecodeError::Damaged),
        };
        event.fields_mut().push((name, value));
    }
    if text.is_empty() {
        Ok(CleanEvent(event))
    } else {
        Err(DecodeError::Damaged)
    }
}

/// Version 1: every name and value stands behind its length, among the codes.
fn decode_1<'a>(mut rest: &'a [u8], mut event: Event<'a>) -> Result<CleanEvent<'a>, DecodeError> {
    fn text<'a>(rest: &mut &'a [u8]) -> Result<Cow<'a, str>, DecodeError> {
        let length = read_length(rest)?;
        let (head, tail) = rest.split_at_checked(length).ok_or(DecodeError::Damaged)?;
        *rest = tail;
        let head = std::str::from_utf8(head).map_err(|_| DecodeError::Damaged)?;
        Ok(Cow::Borrowed(head))
    }
    while !rest.is_empty() {
        let code = byte(&mut rest)?;
        let name = if code == EXT {
            FieldName::Ext(text(&mut rest)?)
        } else {
            FieldName::Known(Field::from_code(code).ok_or(DecodeError::Damaged)?)
        };
        let value = match byte(&mut rest)? {
            0 => Value::Str(text(&mut rest)?),
            1 => Value::Num(text(&mut rest)?),
            2 => Value::Bool(false),
            3 => Value::Bool(true),
            4 => Value::Null,
            _ => return Err(DecodeError::Damaged),
        };
        event.fields_mut().push((name, value));
    }
    Ok(CleanEvent(event))
}

/// As much of the text as the next length says.
fn take<'a>(fields: &mut &[u8], text: &mut &'a str) -> Result<&'a str, DecodeError> {
    let length = read_length(fields)?;
    let (head, tail) = text.split_at_checked(length).ok_or(DecodeError::Damaged)?;
    *text = tail;
    Ok(head)
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

fn read_length(rest: &mut &[u8]) -> Result<usize, DecodeError> {
    let mut length = 0usize;
    for shift in (0..35).step_by(7) {
        let next = byte(rest)?;
        length |= usize::from(next & 0x7f) << shift;
        if next & 0x80 == 0 {
            return Ok(length);
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
    fn version_1_is_still_read() {
        let mut record = vec![1];
        record.extend_from_slice(&7i64.to_le_bytes());
        record.extend_from_slice(&9i64.to_le_bytes());
        record.extend_from_slice(&[
            Field::UrlPath.code(),
            0,
            2,
            b'/',
            b'x',
            EXT,
            1,
            b'n',
            1,
            1,
            b'5',
        ]);
        record.extend_from_slice(&[EXT, 1, b'f', 3]);
        let mut expected = Event::new(Timestamp(7), Timestamp(9));
        expected.push_str(Field::UrlPath, "/x");
        expected.push_ext("n", Value::Num("5".into()));
        expected.push_ext("f", Value::Bool(true));
        assert_eq!(decode(&record).expect("decodes"), clean(expected));
    }

    #[test]
    fn any_cut_is_an_error_and_never_a_panic() {
        let mut batch = Batch::default();
        batch.push(&clean(sample()));
        let record = batch.records().next().expect("one").to_vec();
        for cut in 0..record.len() {
            assert!(decode(&record[..cut]).is_err());
        }
        assert_eq!(decode(&[9]).unwrap_err(), DecodeError::Version(9));
        assert_eq!(decode(&[]).unwrap_err(), DecodeError::Damaged);
    }
}
