//! Names as they are compared: however a program writes them.

/// A name in lower case without `_ - . space` and without characters of no width; at most its last
/// 64 bytes.
pub(super) struct Normal {
    bytes: [u8; 64],
    len: usize,
}

impl Default for Normal {
    fn default() -> Self {
        Self {
            bytes: [0; 64],
            len: 0,
        }
    }
}

impl Normal {
    /// Appends a name.
    pub(super) fn push(&mut self, name: &[u8]) {
        let start = name.len().saturating_sub(96);
        let mut rest = name.get(start..).unwrap_or_default();
        while let Some((byte, tail)) = rest.split_first() {
            rest = tail;
            match byte {
                b'_' | b'-' | b'.' | b' ' | b'[' | b']' | b'$' | b':' | b'/' => {}
                // U+200B to U+200F, U+2060, U+FEFF, U+00AD: no width, used to hide a name.
                0xE2 if matches!(tail, [0x80, 0x8B..=0x8F, ..] | [0x81, 0xA0, ..]) => {
                    rest = tail.get(2..).unwrap_or_default();
                }
                0xEF if tail.starts_with(&[0xBB, 0xBF]) => {
                    rest = tail.get(2..).unwrap_or_default();
                }
                0xC2 if tail.first() == Some(&0xAD) => {
                    rest = tail.get(1..).unwrap_or_default();
                }
                0xEF => {
                    let (byte, width) = full_width(tail).unwrap_or((0xEF, 0));
                    rest = tail.get(width..).unwrap_or_default();
                    if !b"_-. []$:/".contains(&byte) {
                        self.add(byte.to_ascii_lowercase());
                    }
                }
                byte => self.add(byte.to_ascii_lowercase()),
            }
        }
    }

    fn add(&mut self, byte: u8) {
        if self.len == self.bytes.len() {
            self.bytes.copy_within(1.., 0);
            self.len -= 1;
        }
        if let Some(slot) = self.bytes.get_mut(self.len) {
            *slot = byte;
            self.len += 1;
        }
    }

    pub(super) fn text(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// The ASCII character of a full-width one (U+FF01 to U+FF5E) behind its first byte, and how many bytes
/// write the rest of it.
fn full_width(tail: &[u8]) -> Option<(u8, usize)> {
    match tail {
        [0xBC, byte @ 0x81..=0xBF, ..] => Some((byte - 0x81 + b'!', 2)),
        [0xBD, byte @ 0x80..=0x9E, ..] => Some((byte - 0x80 + b'`', 2)),
        _ => None,
    }
}
