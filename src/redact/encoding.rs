//! Undoing encodings under which secrets hide: percent and base64. Pure, bounded by the input's
//! length.

/// The text with `%XX` undone once; `None` where nothing changes.
pub(super) fn percent(text: &[u8]) -> Option<Vec<u8>> {
    memchr::memchr(b'%', text)?;
    let mut plain = Vec::with_capacity(text.len());
    let mut at = 0;
    let mut changed = false;
    while let Some((byte, width)) = percent_byte(text, at) {
        plain.push(byte);
        at += width;
        changed |= width == 3;
    }
    changed.then_some(plain)
}

/// How a text is written in a URL, with digits of either case; empty where that is as it stands.
pub(super) fn percent_spellings(text: &[u8]) -> Vec<Vec<u8>> {
    let is_plain = |b: &u8| b.is_ascii_alphanumeric() || b"-_.~".contains(b);
    if text.iter().all(is_plain) {
        return Vec::new();
    }
    let written = |digits: &[u8; 16]| {
        let mut out = Vec::with_capacity(text.len() * 3);
        for byte in text {
            if is_plain(byte) {
                out.push(*byte);
            } else {
                out.push(b'%');
                for digit in [byte >> 4, byte & 15] {
                    out.extend(digits.get(usize::from(digit)));
                }
            }
        }
        out
    };
    vec![written(b"0123456789ABCDEF"), written(b"0123456789abcdef")]
}

/// The byte at `at` and how many bytes write it: three where it is percent-encoded.
pub(super) fn percent_byte(text: &[u8], at: usize) -> Option<(u8, usize)> {
    let byte = *text.get(at)?;
    if byte == b'%'
        && let (Some(high), Some(low)) = (hex(text.get(at + 1)), hex(text.get(at + 2)))
    {
        return Some((high << 4 | low, 3));
    }
    Some((byte, 1))
}

/// The byte that two digits say.
pub(super) fn byte(high: u8, low: u8) -> Option<u8> {
    Some(hex(Some(&high))? << 4 | hex(Some(&low))?)
}

fn hex(digit: Option<&u8>) -> Option<u8> {
    match digit? {
        d @ b'0'..=b'9' => Some(d - b'0'),
        d @ b'a'..=b'f' => Some(d - b'a' + 10),
        d @ b'A'..=b'F' => Some(d - b'A' + 10),
        _ => None,
    }
}

/// Whether a byte may stand in base64, standard or URL-safe.
pub(super) fn is_base64(byte: u8) -> bool {
    #[expect(
        clippy::indexing_slicing,
        reason = "worked out by the compiler, which checks the bounds"
    )]
    // A table: asked of every byte of most values.
    const IS: [bool; 256] = {
        let mut is = [false; 256];
        let mut byte = 0u8;
        while byte < 128 {
            is[byte as usize] =
                byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_');
            byte += 1;
        }
        is
    };
    IS.get(usize::from(byte)).copied().unwrap_or(false)
}

fn sextet(byte: u8) -> Option<u32> {
    Some(u32::from(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    }))
}

/// Decodes base64 of either alphabet up to the first byte that is neither a digit nor a line break,
/// into `plain`; how many bytes were written. Stops where `plain` is full.
pub(super) fn base64_into(text: &[u8], plain: &mut [u8]) -> usize {
    let (mut held, mut bits, mut written) = (0u32, 0u32, 0usize);
    for byte in text {
        let Some(digit) = sextet(*byte) else {
            if matches!(byte, b'\n' | b'\r') {
                continue;
            }
            break;
        };
        held = (held << 6 | digit) & 0xffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            let Some(slot) = plain.get_mut(written) else {
                break;
            };
            *slot = u8::try_from((held >> bits) & 0xff).unwrap_or(0);
            written += 1;
        }
    }
    written
}

/// Decodes pairs of hex digits up to the first that is none, into `plain`; how many bytes were
/// written. Stops where `plain` is full.
pub(super) fn hex_into(text: &[u8], plain: &mut [u8]) -> usize {
    let (pairs, _) = text.as_chunks::<2>();
    let mut written = 0;
    for ([high, low], slot) in pairs.iter().zip(plain) {
        let (Some(high), Some(low)) = (hex(Some(high)), hex(Some(low))) else {
            break;
        };
        *slot = high << 4 | low;
        written += 1;
    }
    written
}

/// Whether bytes are readable text, perhaps cut within its last character.
pub(super) fn is_readable(text: &[u8]) -> bool {
    let is_control = |b: &u8| b.is_ascii_control() && !matches!(b, b'\n' | b'\r' | b'\t');
    !text.iter().any(is_control)
        && std::str::from_utf8(text).map_or_else(|e| e.error_len().is_none(), |_| true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_is_undone_once() {
        assert_eq!(percent(b"a%3Db%253D").as_deref(), Some(&b"a=b%3D"[..]));
        assert_eq!(percent(b"100%"), None);
        assert_eq!(percent(b"%zz %4"), None);
    }

    #[test]
    fn percent_is_written_in_either_case() {
        assert_eq!(percent_spellings(b"a-b_1~."), Vec::<Vec<u8>>::new());
        assert_eq!(
            percent_spellings(b"a/\xff"),
            [b"a%2F%FF".to_vec(), b"a%2f%ff".to_vec()]
        );
    }

    #[test]
    fn base64_of_both_alphabets_is_decoded() {
        let mut plain = [0u8; 16];
        let n = base64_into(b"aGVsbG8gd29y\nbGQ=", &mut plain);
        assert_eq!(&plain[..n], b"hello world");
        let n = base64_into(b"_-8=", &mut plain);
        assert_eq!(&plain[..n], [0xff, 0xef]);
        assert_eq!(base64_into(b"aGVsbG8gd29ybGQ", &mut plain[..3]), 3);
    }

    #[test]
    fn hex_is_decoded_to_its_end() {
        let mut plain = [0u8; 8];
        let n = hex_into(b"414B49z1", &mut plain);
        assert_eq!(&plain[..n], b"AKI");
        assert_eq!(hex_into(b"4142434", &mut plain), 3);
        assert_eq!(hex_into(b"414243", &mut plain[..2]), 2);
    }

    #[test]
    fn readable_text_may_be_cut_within_a_character() {
        assert!(is_readable("a=\u{e4}\n".as_bytes()));
        assert!(is_readable(&"a=\u{e4}".as_bytes()[..3]));
        assert!(!is_readable(b"a\x00b"));
        assert!(!is_readable(b"a\xffb"));
    }
}
