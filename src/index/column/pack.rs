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
    count: usize,
    /// Smallest and largest number of the blocks that are packed.
    range: Option<(u64, u64)>,
}

/// What a [`Packer`] made.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) bytes: Vec<u8>,
    /// How many numbers.
    pub(super) count: usize,
    /// The smallest and the largest of them.
    pub(super) min: u64,
    pub(super) max: u64,
}

impl Packer {
    /// Adds what becomes of each.
    pub(super) fn extend<T>(&mut self, mut rest: &[T], mut number: impl FnMut(&T) -> u64) {
        while !rest.is_empty() {
            let free = BLOCK - self.block.len();
            let (some, others) = rest.split_at_checked(free).unwrap_or((rest, &[]));
            self.block.extend(some.iter().map(&mut number));
            rest = others;
            if self.block.len() == BLOCK {
                self.close();
            }
        }
    }

    /// How many numbers it has.
    pub(super) fn count(&self) -> usize {
        self.count + self.block.len()
    }

    /// All bytes.
    pub(super) fn finish(mut self) -> Done {
        self.close();
        self.bytes.append(&mut self.heads);
        let (min, max) = self.range.unwrap_or((0, 0));
        Done {
            bytes: self.bytes,
            count: self.count,
            min,
            max,
        }
    }

    fn close(&mut self) {
        let Some(first) = self.block.first().copied() else {
            return;
        };
        let (min, max) = self.block.iter().fold((first, first), |(min, max), value| {
            (min.min(*value), max.max(*value))
        });
        let (lowest, highest) = self.range.unwrap_or((min, max));
        self.range = Some((lowest.min(min), highest.max(max)));
        self.count += self.block.len();
        let width = 64 - (max - min).leading_zeros();
        let start = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        self.heads.extend_from_slice(&min.to_le_bytes());
        self.heads.extend_from_slice(&start.to_le_bytes());
        self.heads.push(u8::try_from(width).unwrap_or(u8::MAX));
        // Values that are all the same take no room at all.
        if width > 0 {
            // The last block is filled up: blocks are read whole.
            self.block.resize(BLOCK, min);
            for group in self.block.as_chunks::<GROUP>().0 {
                pack(group, min, width, &mut self.bytes);
            }
        }
        self.block.clear();
    }
}

fn pack(group: &[u64; GROUP], min: u64, width: u32, to: &mut Vec<u8>) {
    let start = to.len();
    to.resize(start + usize::try_from(width).unwrap_or(0) * GROUP / 8, 0);
    let mut words = to
        .get_mut(start..)
        .unwrap_or_default()
        .as_chunks_mut()
        .0
        .iter_mut();
    let (mut open, mut filled) = (0u64, 0u32);
    for value in group {
        let value = value - min;
        open |= value << filled;
        filled += width;
        if filled >= 64 {
            if let Some(word) = words.next() {
                *word = open.to_le_bytes();
            }
            filled -= 64;
            // In two steps: where nothing of the value is left, one would shift by all bits.
            open = value >> 1 >> (width - 1 - filled);
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
        // Also where a block is not begun with what is added.
        let (some, others) = values.split_at(values.len() / 3);
        packer.extend(some, |value| *value);
        packer.extend(others, |value| *value);
        let done = packer.finish();
        assert_eq!(done.count, values.len());
        assert_eq!(done.min, values.iter().min().copied().unwrap_or(0));
        assert_eq!(done.max, values.iter().max().copied().unwrap_or(0));
        let bytes = done.bytes;
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
        let mut numbers: Vec<u64> = (0..10 * BLOCK as u64).map(|at| at % 4).collect();
        packer.extend(&numbers, |number| *number);
        let plain = packer.finish().bytes.len();
        let mut packer = Packer::default();
        numbers[0] = u64::MAX;
        packer.extend(&numbers, |number| *number);
        assert!(packer.finish().bytes.len() <= plain + 128 * 62);
    }
}
