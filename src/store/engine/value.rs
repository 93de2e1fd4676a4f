//! What stands on disk behind a key: `version 1, CRC-32C 4 (little endian), payload`. The checksum also covers
//! the table and the key, so a value that turns up in the wrong place is damage too. No engine checks the bytes
//! it reads by default.

use super::super::Error;
use super::Table;

const VERSION: u8 = 1;
const HEAD_BYTES: usize = 5;

fn checksum(table: Table, key: &[u8], payload: &[u8]) -> u32 {
    let sum = crc32c::crc32c_append(VERSION.into(), table.name().as_bytes());
    crc32c::crc32c_append(crc32c::crc32c_append(sum, key), payload)
}

/// Wraps a payload for the disk.
pub(super) fn seal(table: Table, key: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD_BYTES.saturating_add(payload.len()));
    bytes.push(VERSION);
    bytes.extend_from_slice(&checksum(table, key, payload).to_le_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// The payload, after checking it.
pub(super) fn open(table: Table, key: &[u8], bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let damaged = Error::Damaged {
        table: table.name(),
    };
    let Some((head, payload)) = bytes.split_at_checked(HEAD_BYTES) else {
        return Err(damaged);
    };
    let [VERSION, a, b, c, d] = *head else {
        return Err(damaged);
    };
    if u32::from_le_bytes([a, b, c, d]) != checksum(table, key, payload) {
        return Err(damaged);
    }
    Ok(payload.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_changed_byte_is_damage() {
        let sealed = seal(Table::Alerts, b"k", b"payload");
        assert_eq!(open(Table::Alerts, b"k", &sealed).unwrap(), b"payload");
        for at in 0..sealed.len() {
            let mut bytes = sealed.clone();
            bytes[at] ^= 1;
            assert!(open(Table::Alerts, b"k", &bytes).is_err(), "byte {at}");
            assert!(
                open(Table::Alerts, b"k", &sealed[..at]).is_err(),
                "cut at {at}"
            );
        }
    }

    #[test]
    fn a_value_in_the_wrong_place_is_damage() {
        let sealed = seal(Table::Alerts, b"k", b"payload");
        assert!(open(Table::Alerts, b"j", &sealed).is_err());
        assert!(open(Table::Keys, b"k", &sealed).is_err());
    }
}
