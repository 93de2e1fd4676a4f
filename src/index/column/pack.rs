//! Whole numbers, bit-packed in blocks of 1,024; each block has its own smallest value and width, so that one large number
//! costs its block and nobody else.
//!
//! Bytes, little endian: the blocks, 128 bytes for each bit of their width, and then per block
//! `smallest value u64 · start of the block u32 · width u8`.

use tantivy::directory::OwnedBytes;

/// Values of a block.
pub(super) const BLOCK: usize = 1024;
const HEAD_BYTES: usize = 13;
/// Values that fill whole words whatever their width.
const GROUP: usize = 64;

/// Packs numbers.
#[derive(Debug, Default)]
pub(super) struct Packer {
    bytes: Vec<u8>,
    heads: Vec<u8>,
    block: Vec<u64>,
}

impl Packer {
    pub(super) fn push(&mut self, value: u64) {
        self.block.push(value);
        if self.block.len() == BLOCK {
            self.close();
        }
    }

    /// All bytes.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.close();
        self.bytes.append(&mut self.heads);
        self.bytes
    }

    fn close(&mut self) {
        let (Some(min), Some(max)) = (self.block.iter().min(), self.block.iter().max()) else {
            return;
        };
        let (min, width) = (*min, 64 - (max - min).leading_zeros());
        let start = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        self.heads.extend_from_slice(&min.to_le_bytes());
        self.heads.extend_from_slice(&start.to_le_bytes());
        self.heads.push(u8::try_from(width).unwrap_or(u8::MAX));
        // Values that are all the same take no room at all.
        if width > 0 {
            // The last block is filled up: blocks are read whole.
            self.block.resize(BLOCK, min);
            for group in self.block.chunks(GROUP) {
                pack(group, min, width, &mut self.bytes);
            }
        }
        self.block.clear();
    }
}

fn pack(group: &[u64], min: u64, width: u32, to: &mut Vec<u8>) {
    let (mut open, mut filled) = (0u128, 0u32);
    for value in group {
        open |= u128::from(value - min) << filled;
        filled += width;
        if filled >= 64 {
            let [a, b, c, d, e, f, g, h, ..] = open.to_le_bytes();
            to.extend_from_slice(&[a, b, c, d, e, f, g, h]);
            open >>= 64;
            filled -= 64;
        }
    }
}

/// Packed numbers, read from a memory map.
#[derive(Clone)]
pub(super) struct Packed {
    bytes: OwnedBytes,
    heads: Vec<Head>,
    count: u32,
}

#[derive(Clone, Copy)]
struct Head {
    min: u64,
    start: usize,
    width: usize,
}

impl Packed {
    /// Opens what a [`Packer`] made of `count` numbers; `None` where the bytes are none.
    pub(super) fn open(bytes: OwnedBytes, count: u32) -> Option<Self> {
        let blocks = usize::try_from(count).ok()?.div_ceil(BLOCK);
        let body = bytes.len().checked_sub(blocks.checked_mul(HEAD_BYTES)?)?;
        let (body, heads) = bytes.split(body);
        let (heads, _) = heads.as_slice().as_chunks::<HEAD_BYTES>();
        let heads = heads.iter().map(|head| {
            let [a, b, c, d, e, f, g, h, s0, s1, s2, s3, width] = *head;
            let start = usize::try_from(u32::from_le_bytes([s0, s1, s2, s3])).ok()?;
            let width = usize::from(width);
            let is_inside = start.checked_add(width * BLOCK / 8)? <= body.len();
            (is_inside && width <= 64).then_some(Head {
                min: u64::from_le_bytes([a, b, c, d, e, f, g, h]),
                start,
                width,
            })
        });
        Some(Self {
            heads: heads.collect::<Option<_>>()?,
            bytes: body,
            count,
        })
    }

    /// How many numbers.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Reads a block; the numbers of the last one are followed by nothing that counts.
    pub(super) fn block(&self, at: usize, to: &mut [u64; BLOCK]) {
        let Some(head) = self.heads.get(at) else {
            return to.fill(0);
        };
        if head.width == 0 {
            return to.fill(head.min);
        }
        let end = head.start + head.width * BLOCK / 8;
        let bytes = self.bytes.as_slice().get(head.start..end);
        let groups = bytes.unwrap_or_default().chunks_exact(head.width * 8);
        for (group, to) in groups.zip(to.as_chunks_mut::<GROUP>().0) {
            unpack(group, head.min, head.width, to);
        }
    }
}

fn unpack(bytes: &[u8], min: u64, width: usize, to: &mut [u64; GROUP]) {
    // One word more than a group has: a value may end in the word behind the one it begins in.
    let mut words = [0u64; GROUP + 2];
    for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    let word = |at: usize| words.get(at).copied().unwrap_or(0);
    let mask = u64::MAX >> (64 - width);
    let mut bit = 0;
    for slot in to {
        // Below 64 always; says so to the compiler, which then checks no bounds.
        let at = (bit / 64) & 63;
        let shift = bit % 64;
        let high = (word(at + 1) << 1) << (63 - shift);
        *slot = min.wrapping_add((word(at) >> shift | high) & mask);
        bit += width;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[u64]) {
        let mut packer = Packer::default();
        values.iter().for_each(|value| packer.push(*value));
        let bytes = packer.finish();
        let count = u32::try_from(values.len()).unwrap();
        let packed = Packed::open(OwnedBytes::new(bytes.clone()), count).unwrap();
        let mut block = [0; BLOCK];
        for (at, expected) in values.chunks(BLOCK).enumerate() {
            packed.block(at, &mut block);
            assert_eq!(&block[..expected.len()], expected);
        }
        for cut in 0..bytes.len().min(200) {
            let _either = Packed::open(OwnedBytes::new(bytes[..cut].to_vec()), count).is_some();
        }
    }

    #[test]
    fn numbers_of_every_width_come_back() {
        check(&[]);
        check(&[7]);
        check(&[u64::MAX, 0, 1]);
        for width in 0..64 {
            let top = 1u64 << width;
            let values: Vec<u64> = (0..2500u64)
                .map(|at| 99 + at.wrapping_mul(0x9e37_79b9_7f4a_7c15) % top)
                .collect();
            check(&values);
        }
    }

    #[test]
    fn a_large_number_costs_only_its_block() {
        let mut packer = Packer::default();
        (0..10 * BLOCK as u64).for_each(|at| packer.push(at % 4));
        let plain = packer.finish().len();
        let mut packer = Packer::default();
        packer.push(u64::MAX);
        (1..10 * BLOCK as u64).for_each(|at| packer.push(at % 4));
        assert!(packer.finish().len() <= plain + 128 * 62);
    }
}
