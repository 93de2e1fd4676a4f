//! SHA-256, the one hash that is stored.

use aws_lc_rs::digest;

/// The SHA-256 of bytes.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, bytes);
    // Always 32 bytes; the type does not say so.
    digest
        .as_ref()
        .first_chunk::<32>()
        .copied()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_standard() {
        let start: Vec<u8> = sha256(b"abc").into_iter().take(4).collect();
        assert_eq!(start, [0xba, 0x78, 0x16, 0xbf]);
    }
}
