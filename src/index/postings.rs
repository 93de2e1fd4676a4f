//! The documents of one term as bytes: blocks, one per slice that has any.
//!
//! Block: `slice LEB128 · (length << 1 | is bitmap) LEB128 · payload`; the payload is the distances between documents as
//! LEB128 or, where that is shorter, a bitmap.

/// Documents that are searched as one piece; a power of two.
pub(super) const SLICE_DOCS: u32 = 1 << 16;

/// Writes the postings of one term; documents come in order, each once.
#[derive(Debug, Default)]
pub(super) struct Postings {
    done: Vec<u8>,
    /// Distances in the current slice.
    open: Vec<u8>,
    /// Behind the last document.
    next: u32,
    count: u32,
}

impl Postings {
    /// Adds a document unless it is the last one added; tells whether it was added.
    pub(super) fn push(&mut self, doc: u32) -> bool {
        if doc < self.next {
            return false;
        }
        if doc / SLICE_DOCS != self.next.saturating_sub(1) / SLICE_DOCS {
            self.close();
        }
        let start = if self.open.is_empty() {
            doc - doc % SLICE_DOCS
        } else {
            self.next
        };
        leb128(&mut self.open, doc - start);
        self.next = doc + 1;
        self.count += 1;
        true
    }

    /// How many documents.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// The document added last.
    pub(super) fn last(&self) -> Option<u32> {
        self.next.checked_sub(1)
    }

    fn close(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let last = self.next - 1;
        leb128(&mut self.done, last / SLICE_DOCS);
        let bitmap_bytes = usize::try_from(last % SLICE_DOCS / 8 + 1).unwrap_or(usize::MAX);
        let is_bitmap = bitmap_bytes < self.open.len();
        let length = bitmap_bytes.min(self.open.len());
        let tag = u32::try_from(length << 1).unwrap_or(0) | u32::from(is_bitmap);
        leb128(&mut self.done, tag);
        if is_bitmap {
            let start = self.done.len();
            self.done.resize(start + bitmap_bytes, 0);
            let bitmap = self.done.get_mut(start..).unwrap_or_default();
            distances(&self.open, |at| {
                if let Some(byte) = usize::try_from(at / 8)
                    .ok()
                    .and_then(|at| bitmap.get_mut(at))
                {
                    *byte |= 1 << (at % 8);
                }
            });
        } else {
            self.done.extend_from_slice(&self.open);
        }
        self.open.clear();
    }

    /// All bytes.
    pub(super) fn finish(&mut self) -> &[u8] {
        self.close();
        &self.done
    }
}

pub(super) fn leb128(to: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        let [low, ..] = value.to_le_bytes();
        to.push(low | 0x80);
        value >>= 7;
    }
    let [low, ..] = value.to_le_bytes();
    to.push(low);
}

pub(super) fn read_leb128(bytes: &mut &[u8]) -> Option<u32> {
    let mut value = 0u32;
    for shift in (0..35).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u32::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Positions in the slice, from their distances.
fn distances(mut bytes: &[u8], mut found: impl FnMut(u32)) {
    let mut next = 0u32;
    while let Some(distance) = read_leb128(&mut bytes) {
        let at = next.saturating_add(distance);
        found(at);
        next = at.saturating_add(1);
    }
}

/// The blocks of a term.
pub(super) fn blocks(mut rest: &[u8]) -> impl Iterator<Item = Block<'_>> {
    std::iter::from_fn(move || {
        let slice = read_leb128(&mut rest)?;
        let tag = read_leb128(&mut rest)?;
        let (payload, tail) = rest.split_at_checked(usize::try_from(tag >> 1).ok()?)?;
        rest = tail;
        Some(Block {
            slice,
            is_bitmap: tag & 1 == 1,
            payload,
        })
    })
}

/// The documents of one slice.
pub(super) struct Block<'a> {
    pub(super) slice: u32,
    is_bitmap: bool,
    payload: &'a [u8],
}

impl Block<'_> {
    /// Positions in the slice.
    pub(super) fn each(&self, mut found: impl FnMut(u32)) {
        if !self.is_bitmap {
            return distances(self.payload, found);
        }
        for (at, byte) in (0u32..).step_by(8).zip(self.payload) {
            let mut rest = *byte;
            while rest != 0 {
                found(at + rest.trailing_zeros());
                rest &= rest - 1;
            }
        }
    }
}
