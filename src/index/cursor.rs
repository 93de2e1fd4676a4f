//! Where a page ended, as text for the next request.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::search::Sort;
use crate::model::Offset;

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

fn tag(sort: Sort) -> u8 {
    match sort {
        Sort::Desc => 0x10,
        Sort::Asc => 0x11,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
