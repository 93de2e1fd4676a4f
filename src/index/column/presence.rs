//! Which documents the values of a column belong to: one document per value, in order, as distances.
//!
//! Bytes: packed distances to the document before (0 for the first of a block and for a further value of a document), then
//! the first document of each block as u32 little endian.

use std::ops::Range;

use tantivy::directory::OwnedBytes;

use super::pack::{BLOCK, Packed, Packer};

/// The documents of values, as bytes.
pub(super) fn pack(docs: &[u32]) -> Vec<u8> {
    let mut packer = Packer::default();
    let mut firsts = Vec::new();
    for block in docs.chunks(BLOCK) {
        let mut last = block.first().copied().unwrap_or(0);
        firsts.extend_from_slice(&last.to_le_bytes());
        packer.extend(block, |doc| {
            let distance = u64::from(doc - last);
            last = *doc;
            distance
        });
    }
    let mut bytes = packer.finish().bytes;
    bytes.append(&mut firsts);
    bytes
}

/// The documents of values, read from a memory map.
#[derive(Clone)]
pub(super) struct Presence {
    distances: Packed,
    firsts: Vec<u32>,
}

impl Presence {
    /// Opens what [`pack`] made of `count` documents; `None` where the bytes are none.
    pub(super) fn open(bytes: OwnedBytes, count: u32) -> Option<Self> {
        let blocks = usize::try_from(count).ok()?.div_ceil(BLOCK);
        let body = bytes.len().checked_sub(blocks.checked_mul(4)?)?;
        let (body, firsts) = bytes.split(body);
        let (firsts, _) = firsts.as_slice().as_chunks::<4>();
        Some(Self {
            distances: Packed::open(body, count)?,
            firsts: firsts.iter().map(|doc| u32::from_le_bytes(*doc)).collect(),
        })
    }

    /// The documents of a block of values.
    pub(super) fn block(&self, at: usize, to: &mut [u64; BLOCK]) {
        self.distances.block(at, to);
        let mut doc = self.firsts.get(at).copied().map_or(0, u64::from);
        for slot in to {
            doc = doc.wrapping_add(*slot);
            *slot = doc;
        }
    }

    /// Adds all documents, counted from `base`, to others.
    pub(super) fn append(&self, base: u32, to: &mut Vec<u32>) {
        let mut left = usize::try_from(self.distances.count()).unwrap_or(usize::MAX);
        let mut block = [0; BLOCK];
        for at in 0..left.div_ceil(BLOCK) {
            self.block(at, &mut block);
            let docs = block.iter().take(left);
            to.extend(docs.map(|doc| base + u32::try_from(*doc).unwrap_or(0)));
            left = left.saturating_sub(BLOCK);
        }
    }

    /// The values that belong to documents of a range.
    pub(super) fn rows(&self, docs: &Range<u32>) -> Range<u32> {
        self.row_of(docs.start)..self.row_of(docs.end)
    }

    /// The first value of a document that is not before this one.
    fn row_of(&self, doc: u32) -> u32 {
        let before = self.firsts.partition_point(|first| *first < doc);
        let Some(block) = before.checked_sub(1) else {
            return 0;
        };
        let mut docs = [0; BLOCK];
        self.block(block, &mut docs);
        let start = block * BLOCK;
        let count = usize::try_from(self.distances.count()).unwrap_or(usize::MAX);
        let inside = docs.get(..(count - start).min(BLOCK)).unwrap_or_default();
        let row = start + inside.partition_point(|at| *at < u64::from(doc));
        u32::try_from(row).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(docs: &[u32]) {
        let count = u32::try_from(docs.len()).unwrap();
        let presence = Presence::open(OwnedBytes::new(pack(docs)), count).unwrap();
        let mut all = vec![1, 2];
        presence.append(3, &mut all);
        let moved = docs.iter().map(|doc| doc + 3);
        assert!(all.into_iter().eq([1, 2].into_iter().chain(moved)));
        let mut block = [0; BLOCK];
        for (at, expected) in docs.chunks(BLOCK).enumerate() {
            presence.block(at, &mut block);
            let found: Vec<u32> = block
                .iter()
                .take(expected.len())
                .map(|doc| u32::try_from(*doc).unwrap())
                .collect();
            assert_eq!(found, expected);
        }
        let last = docs.last().copied().unwrap_or(0);
        for doc in (0..last + 2).step_by(usize::try_from(last / 50 + 1).unwrap()) {
            let expected = docs.partition_point(|other| *other < doc);
            assert_eq!(presence.row_of(doc), u32::try_from(expected).unwrap());
        }
    }

    #[test]
    fn documents_of_values_come_back() {
        check(&[]);
        check(&[5]);
        check(&(0..3_000).map(|at| at * 2).collect::<Vec<_>>());
        check(&(0..3_000).map(|at| at / 3).collect::<Vec<_>>());
        check(&[7; 5_000]);
        check(&[0, 1 << 23, (1 << 24) - 1]);
    }
}
