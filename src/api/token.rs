//! Random names for requests.

use aws_lc_rs::rand;

/// 128 random bits as 32 hex digits.
pub(super) fn random_hex() -> String {
    let mut bytes = [0u8; 16];
    // Only a name: where the system has no randomness the request is still served, under zeros.
    let _is_random = rand::fill(&mut bytes).is_ok();
    let mut text = String::with_capacity(32);
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
    }
    text
}
