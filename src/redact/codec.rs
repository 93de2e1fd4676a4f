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
use crate::model::{Event, Field, FieldName, Name, Scalar, Timestamp, Value};

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
    let head = Head::of(record)?;
    let mut event = Event::with_room(head.time, head.received, head.room());
    let fields = event.fields_mut();
    head.each(|name, value| {
        let name = match name {
            Name::Known(field) => FieldName::Known(field),
            Name::Ext(name) => FieldName::Ext(Cow::Borrowed(name)),
        };
        let value = match value {
            Scalar::Str(text) => Value::Str(Cow::Borrowed(text)),
            Scalar::Num(text) => Value::Num(Cow::Borrowed(text)),
            Scalar::Bool(flag) => Value::Bool(flag),
            Scalar::Null => Value::Null,
        };
        fields.push((name, value));
    })?;
    Ok(CleanEvent(event))
}

/// A clean event as it stands in its record, for those that read record after record: nothing is copied and the memory
/// of one is used for the next. The private fields are the wall here too.
#[derive(Debug, Default)]
pub struct CleanRecord<'a> {
    time: Timestamp,
    received: Timestamp,
    fields: Vec<(Name<'a>, Scalar<'a>)>,
}

impl<'a> CleanRecord<'a> {
    /// Turns to another record. After an error there is no field.
    pub fn read(&mut self, record: &'a [u8]) -> Result<(), DecodeError> {
        self.fields.clear();
        let head = Head::of(record)?;
        (self.time, self.received) = (head.time, head.received);
        self.fields.reserve(head.room());
        let fields = &mut self.fields;
        let read = head.each(|name, value| fields.push((name, value)));
        if read.is_err() {
            self.fields.clear();
        }
        read
    }

    /// When it happened.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// When it was received.
    #[must_use]
    pub fn received(&self) -> Timestamp {
        self.received
    }

    /// All fields in order.
    #[must_use]
    pub fn fields(&self) -> &[(Name<'a>, Scalar<'a>)] {
        &self.fields
    }
}

/// A record, its parts apart.
struct Head<'a> {
    time: Timestamp,
    received: Timestamp,
    fields: &'a [u8],
    /// Of version 2; in version 1 names and values stand among the fields.
    text: Option<&'a str>,
}

impl<'a> Head<'a> {
    fn of(record: &'a [u8]) -> Result<Self, DecodeError> {
        let mut rest = record;
        let version = byte(&mut rest)?;
        if !matches!(version, 1 | VERSION) {
            return Err(DecodeError::Version(version));
        }
        let time = Timestamp(i64::from_le_bytes(*array(&mut rest)?));
        let received = Timestamp(i64::from_le_bytes(*array(&mut rest)?));
        let (fields, text) = if version == 1 {
            (rest, None)
        } else {
            let split = read_length(&mut rest)?;
            let (fields, text) = rest.split_at_checked(split).ok_or(DecodeError::Damaged)?;
            let text = std::str::from_utf8(text).map_err(|_| DecodeError::Damaged)?;
            (fields, Some(text))
        };
        Ok(Self {
            time,
            received,
            fields,
            text,
        })
    }

    /// A field takes two to four bytes in version 2: room for all of them, and not for much more.
    fn room(&self) -> usize {
        self.text.map_or(0, |_| self.fields.len() / 3 + 1)
    }

    fn each(self, mut found: impl FnMut(Name<'a>, Scalar<'a>)) -> Result<(), DecodeError> {
        let mut fields = self.fields;
        let Some(mut text) = self.text else {
            while !fields.is_empty() {
                let (name, value) = field(&mut fields, take_1)?;
                found(name, value);
            }
            return Ok(());
        };
        while !fields.is_empty() {
            // Nearly all fields: a short text or number under a canonical name.
            if let [code, kind @ (0 | 1), length @ ..0x80, rest @ ..] = fields
                && let Some(field) = Field::from_code(*code)
                && let Some((head, tail)) = text.split_at_checked(usize::from(*length))
            {
                (fields, text) = (rest, tail);
                let is_text = *kind == 0;
                let value = if is_text {
                    Scalar::Str(head)
                } else {
                    Scalar::Num(head)
                };
                found(Name::Known(field), value);
                continue;
            }
            let (name, value) = field(&mut fields, |fields| take(fields, &mut text))?;
            found(name, value);
        }
        if text.is_empty() {
            Ok(())
        } else {
            Err(DecodeError::Damaged)
        }
    }
}

/// The next field; `take` reads a length and what is as long.
#[inline]
fn field<'a>(
    fields: &mut &'a [u8],
    mut take: impl FnMut(&mut &'a [u8]) -> Result<&'a str, DecodeError>,
) -> Result<(Name<'a>, Scalar<'a>), DecodeError> {
    let code = byte(fields)?;
    let name = if code == EXT {
        Name::Ext(take(fields)?)
    } else {
        Name::Known(Field::from_code(code).ok_or(DecodeError::Damaged)?)
    };
    let value = match byte(fields)? {
        0 => Scalar::Str(take(fields)?),
        1 => Scalar::Num(take(fields)?),
        2 => Scalar::Bool(false),
        3 => Scalar::Bool(true),
        4 => Scalar::Null,
        _ => return Err(DecodeError::Damaged),
    };
    Ok((name, value))
}

/// In version 1 a text stands behind its length.
fn take_1<'a>(fields: &mut &'a [u8]) -> Result<&'a str, DecodeError> {
    let length = read_length(fields)?;
    let (head, tail) = fields
        .split_at_checked(length)
        .ok_or(DecodeError::Damaged)?;
    *fields = tail;
    std::str::from_utf8(head).map_err(|_| DecodeError::Damaged)
}

/// As much of the text as the next length says.
#[inline]
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

#[inline]
fn read_length(rest: &mut &[u8]) -> Result<usize, DecodeError> {
    // Nearly all lengths are short.
    if let Some((first, tail)) = rest.split_first()
        && *first < 0x80
    {
        *rest = tail;
        return Ok(usize::from(*first));
    }
    read_long(rest)
}

#[cold]
fn read_long(rest: &mut &[u8]) -> Result<usize, DecodeError> {
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

    /// Test-only: what would be read of this event's record.
    pub(crate) fn record<'e>(event: &'e Event<'_>) -> CleanRecord<'e> {
        let fields = event.fields().iter();
        CleanRecord {
            time: event.time,
            received: event.received,
            fields: fields
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        }
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

    fn check_read(bytes: &[u8], expected: &Event<'_>) {
        let mut read = CleanRecord::default();
        // What is left of another record does not show.
        assert!(read.read(&bytes[..bytes.len() - 1]).is_err() && read.fields().is_empty());
        for _ in 0..2 {
            read.read(bytes).expect("reads");
            assert_eq!(read.fields(), record(expected).fields());
            assert_eq!(
                (read.time(), read.received()),
                (expected.time, expected.received)
            );
        }
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
            check_read(record, &event);
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
        check_read(&record, &expected);
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
