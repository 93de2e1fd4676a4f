//! SipHash-1-3 (J.-P. Aumasson, D. Bernstein: "SipHash: a fast short-input PRF"), keyed.
//!
//! Group keys and counted values come from attackers and their hashes are kept on disk, so the hash must
//! be keyed and must never change with a compiler or a library.

/// A hash under construction.
#[derive(Clone, Debug)]
pub(crate) struct Sip {
    v: [u64; 4],
    tail: u64,
    length: u64,
}

impl Sip {
    /// An empty hash under a key.
    pub(crate) fn new([k0, k1]: [u64; 2]) -> Self {
        Self {
            v: [
                k0 ^ 0x736f_6d65_7073_6575,
                k1 ^ 0x646f_7261_6e64_6f6d,
                k0 ^ 0x6c79_6765_6e65_7261,
                k1 ^ 0x7465_6462_7974_6573,
            ],
            tail: 0,
            length: 0,
        }
    }

    /// Adds bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let held = self.length % 8;
        self.length = self
            .length
            .wrapping_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let mut rest = bytes;
        if held > 0 {
            let need = usize::try_from(8 - held).unwrap_or(8);
            let (head, behind) = rest.split_at_checked(need).unwrap_or((rest, &[]));
            let mut shift = held * 8;
            for byte in head {
                self.tail |= u64::from(*byte) << shift;
                shift += 8;
            }
            if shift < 64 {
                return;
            }
            self.block(self.tail);
            self.tail = 0;
            rest = behind;
        }
        let (blocks, last) = rest.as_chunks::<8>();
        for block in blocks {
            self.block(u64::from_le_bytes(*block));
        }
        for (byte, shift) in last.iter().zip((0..64u32).step_by(8)) {
            self.tail |= u64::from(*byte) << shift;
        }
    }

    /// Adds a text and its end, so that `ab` + `c` differs from `a` + `bc`.
    pub(crate) fn write_text(&mut self, text: &str) {
        self.write(text.as_bytes());
        self.write(&[0xff]);
    }

    /// The hash.
    pub(crate) fn finish(mut self) -> u64 {
        let last = (self.length & 0xff) << 56 | self.tail;
        self.block(last);
        self.v[2] ^= 0xff;
        for _ in 0..3 {
            self.round();
        }
        self.v[0] ^ self.v[1] ^ self.v[2] ^ self.v[3]
    }

    fn block(&mut self, block: u64) {
        self.v[3] ^= block;
        self.round();
        self.v[0] ^= block;
    }

    fn round(&mut self) {
        let [mut a, mut b, mut c, mut d] = self.v;
        a = a.wrapping_add(b);
        b = b.rotate_left(13) ^ a;
        a = a.rotate_left(32);
        c = c.wrapping_add(d);
        d = d.rotate_left(16) ^ c;
        a = a.wrapping_add(d);
        d = d.rotate_left(21) ^ a;
        c = c.wrapping_add(b);
        b = b.rotate_left(17) ^ c;
        c = c.rotate_left(32);
        self.v = [a, b, c, d];
    }
}

/// The hash of one run of bytes.
pub(crate) fn hash(key: [u64; 2], bytes: &[u8]) -> u64 {
    let mut sip = Sip::new(key);
    sip.write(bytes);
    sip.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_do_not_matter() {
        let bytes: Vec<u8> = (0..=255).collect();
        for cut in 0..=bytes.len() {
            let mut sip = Sip::new([1, 2]);
            sip.write(&bytes[..cut]);
            sip.write(&bytes[cut..]);
            assert_eq!(sip.finish(), hash([1, 2], &bytes));
        }
    }

    #[test]
    fn it_is_siphash_1_3() {
        use std::hash::Hasher;
        // `DefaultHasher::new()` is SipHash-1-3 with a zero key.
        for length in 0..40u8 {
            let bytes: Vec<u8> = (0..length).collect();
            let mut default = std::collections::hash_map::DefaultHasher::new();
            default.write(&bytes);
            assert_eq!(hash([0, 0], &bytes), default.finish(), "{length}");
        }
    }
}
