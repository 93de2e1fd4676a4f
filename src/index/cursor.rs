//! Where a page ended, as text for the next request.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::ranked::{By, Rank, Value};
use super::search::Sort;
use crate::model::{Kind, Offset};

/// A place in the order of hits: `@timestamp` in milliseconds, then the offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) millis: i64,
    pub(super) offset: Offset,
}

/// The key and its order as text: `version and sort u8 · millis i64 LE · offset u64 LE · crc32c u32 LE`, base64url.
pub(super) fn encode(key: Key, sort: Sort) -> String {
    let mut bytes = Vec::with_capacity(21);
    bytes.push(tag(sort));
    bytes.extend_from_slice(&key.millis.to_le_bytes());
    bytes.extend_from_slice(&key.offset.0.to_le_bytes());
    bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The other way; `None` where the text is not one of ours or of another order.
pub(super) fn decode(text: &str, sort: Sort) -> Option<Key> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (body, crc) = bytes.split_last_chunk::<4>()?;
    let (first, rest) = body.split_first()?;
    let (millis, rest) = rest.split_first_chunk::<8>()?;
    let (offset, rest) = rest.split_first_chunk::<8>()?;
    let is_ours =
        *first == tag(sort) && rest.is_empty() && crc32c::crc32c(body) == u32::from_le_bytes(*crc);
    is_ours.then(|| Key {
        millis: i64::from_le_bytes(*millis),
        offset: Offset(u64::from_le_bytes(*offset)),
    })
}

/// A place in the order of a column as text: `version and sort u8 · field u8 · kind of value u8 · millis i64 LE · offset
/// u64 LE · value (number u64 LE, or bytes of a term) · crc32c u32 LE`, base64url.
pub(super) fn encode_rank(rank: &Rank, by: By) -> String {
    let mut bytes = vec![
        tag(by.sort) | BY,
        by.field.code(),
        kind(rank.value.as_ref()),
    ];
    bytes.extend_from_slice(&rank.key.millis.to_le_bytes());
    bytes.extend_from_slice(&rank.key.offset.0.to_le_bytes());
    match &rank.value {
        None => {}
        Some(Value::Number(number)) => bytes.extend_from_slice(&number.to_le_bytes()),
        Some(Value::Term(term)) => bytes.extend_from_slice(term),
    }
    bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The other way; `None` where the text is not one of ours or of another order.
pub(super) fn decode_rank(text: &str, by: By) -> Option<Rank> {
    if text.len() > TEXT_BYTES_MAX {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (body, crc) = bytes.split_last_chunk::<4>()?;
    let ([first, field, kind], rest) = body.split_first_chunk::<3>()?;
    let (millis, rest) = rest.split_first_chunk::<8>()?;
    let (offset, rest) = rest.split_first_chunk::<8>()?;
    let is_ours = *first == tag(by.sort) | BY
        && *field == by.field.code()
        && crc32c::crc32c(body) == u32::from_le_bytes(*crc);
    let value = match (*kind, by.field.kind()) {
        (0, _) if rest.is_empty() => None,
        (1, Kind::Int) => Some(Value::Number(u64::from_le_bytes(rest.try_into().ok()?))),
        (2, Kind::Keyword) => Some(Value::Term(rest.into())),
        (2, Kind::Ip) if rest.len() == 16 => Some(Value::Term(rest.into())),
        _ => return None,
    };
    is_ours.then(|| Rank {
        value,
        key: Key {
            millis: i64::from_le_bytes(*millis),
            offset: Offset(u64::from_le_bytes(*offset)),
        },
    })
}

/// Longest text of a cursor that is read.
const TEXT_BYTES_MAX: usize = 1_024;
/// A bit of the first byte: in the order of a column.
const BY: u8 = 0x20;

fn kind(value: Option<&Value>) -> u8 {
    match value {
        None => 0,
        Some(Value::Number(_)) => 1,
        Some(Value::Term(_)) => 2,
    }
}

fn tag(sort: Sort) -> u8 {
    match sort {
        Sort::Desc => 0x10,
        Sort::Asc => 0x11,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Field;

    #[test]
    fn cursors_read_back_and_nothing_else_does() {
        let key = Key {
            millis: -5,
            offset: Offset(u64::MAX),
        };
        let text = encode(key, Sort::Desc);
        assert_eq!(decode(&text, Sort::Desc), Some(key));
        assert_eq!(decode(&text, Sort::Asc), None);
        assert_eq!(
            decode(&text.replace(|c: char| c.is_ascii_digit(), "x"), Sort::Desc),
            None
        );
        assert_eq!(decode("", Sort::Desc), None);
        assert_eq!(decode("näh", Sort::Desc), None);
    }

    #[test]
    fn cursors_of_columns_read_back_for_their_column_alone() {
        let key = Key {
            millis: 7,
            offset: Offset(9),
        };
        let address = Some(Value::Term([7; 16].into()));
        let text = Some(Value::Term(
            vec![b'x'; super::super::build::KEYWORD_BYTES_MAX].into(),
        ));
        for (field, value) in [
            (Field::EventDuration, Some(Value::Number(u64::MAX))),
            (Field::EventDuration, None),
            (Field::ClientIp, address),
            (Field::UserId, text),
            (Field::UserId, Some(Value::Term([].into()))),
        ] {
            let by = |field, sort| By { field, sort };
            let rank = Rank { value, key };
            let text = encode_rank(&rank, by(field, Sort::Asc));
            assert!(text.len() <= TEXT_BYTES_MAX);
            assert_eq!(decode_rank(&text, by(field, Sort::Asc)), Some(rank));
            assert_eq!(decode_rank(&text, by(field, Sort::Desc)), None);
            assert_eq!(decode_rank(&text, by(Field::HttpStatus, Sort::Asc)), None);
            assert_eq!(decode(&text, Sort::Asc), None);
            let plain = encode(key, Sort::Asc);
            assert_eq!(decode_rank(&plain, by(field, Sort::Asc)), None);
        }
    }
}
