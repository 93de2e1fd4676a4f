//! The id table: which documents of a segment carry an id, by 36 bits of a hash.
//!
//! File, little endian: `bucket bits u8 · doc bits u8 · 0 u16 · entries u32 · bucket ends (2^bucket bits × u32) · entries`.
//! An entry is 40 bits: the hash bits that are not the bucket's, then the document. Entries of a bucket are not sorted; a
//! bucket holds about 16. The table answers with candidates: who asks checks them against the event's text, so a false one
//! costs a read (one in a thousand lookups at 80 million entries), and ids made to collide cost reads up to a bound.

use std::io::{self, Write};

use tantivy::directory::OwnedBytes;

/// Hash bits kept.
const HASH_BITS: u32 = 36;
const ENTRY_BYTES: usize = 5;
const ENTRY_BITS: u32 = 40;
const DOC_BITS_MAX: u32 = 24;
const HEADER_BYTES: usize = 8;
/// Entries of a document among which doubles are looked for: one found twice costs five bytes, looking among all of
/// them would cost the square of what a hostile event holds.
const NEAR: usize = 64;
/// Parts a table is written in, so that a merge holds only one of them.
const PARTS_BITS: u32 = 4;

/// Stable 64-bit hash of an id; part of the file format.
pub(super) fn hash(id: &[u8]) -> u64 {
    const K: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut state = K ^ u64::try_from(id.len()).unwrap_or(0);
    let (chunks, rest) = id.as_chunks::<8>();
    for chunk in chunks {
        state = mix(state ^ u64::from_le_bytes(*chunk));
    }
    let mut last = [0u8; 8];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    mix(mix(state ^ u64::from_le_bytes(last)))
}

fn mix(value: u64) -> u64 {
    let product = u128::from(value ^ 0xd6e8_feb8_6659_fd93) * 0xa076_1d64_78bd_642f_u128;
    let [a, b, c, d, e, f, g, h, high @ ..] = product.to_le_bytes();
    u64::from_le_bytes([a, b, c, d, e, f, g, h]) ^ u64::from_le_bytes(high)
}

/// Gathers the ids of a segment in the making.
#[derive(Debug, Default)]
pub(super) struct Builder {
    /// `hash (36 bits) << 24 | doc`.
    entries: Vec<u64>,
    /// Where the entries of the current document start.
    current: usize,
    doc: u32,
}

impl Builder {
    /// Adds an id of a document; documents come in order.
    pub(super) fn push(&mut self, doc: u32, id: &[u8]) {
        self.push_hash(doc, hash(id));
    }

    /// Adds an id by its [`hash`].
    pub(super) fn push_hash(&mut self, doc: u32, hash: u64) {
        if doc != self.doc {
            self.doc = doc;
            self.current = self.entries.len();
        }
        let entry = ((hash >> (64 - HASH_BITS)) << DOC_BITS_MAX) | u64::from(doc);
        let near = self.entries.len().saturating_sub(NEAR);
        let seen = self.entries.get(self.current.max(near)..);
        let seen = seen.unwrap_or_default();
        if !seen.contains(&entry) {
            self.entries.push(entry);
        }
    }

    /// Bytes of memory held.
    pub(super) fn bytes(&self) -> usize {
        self.entries.len() * 8
    }

    /// Writes the table of a segment of `docs` documents.
    pub(super) fn write(&self, docs: u32, to: &mut impl Write) -> io::Result<()> {
        let entries = || {
            self.entries.iter().map(|entry| Entry {
                hash: entry >> DOC_BITS_MAX,
                doc: u32::try_from(entry & ((1 << DOC_BITS_MAX) - 1)).unwrap_or(0),
            })
        };
        let layout = Layout::new(docs, self.entries.len())?;
        layout.write_ends(entries(), to)?;
        layout.write_part(entries(), to)
    }
}

#[derive(Clone, Copy)]
struct Entry {
    hash: u64,
    doc: u32,
}

#[derive(Clone, Copy, Debug)]
struct Layout {
    bucket_bits: u32,
    doc_bits: u32,
    entries: u32,
}

impl Layout {
    fn new(docs: u32, entries: usize) -> io::Result<Self> {
        let doc_bits = 32 - docs.saturating_sub(1).leading_zeros();
        let entries = u32::try_from(entries)
            .ok()
            .filter(|_| doc_bits <= DOC_BITS_MAX)
            .ok_or(io::ErrorKind::FileTooLarge)?;
        let wanted = (entries / 16).checked_ilog2().unwrap_or(0);
        Ok(Self {
            // The hash bits beside the document must hold what the bucket does not say.
            bucket_bits: wanted.max(doc_bits.saturating_sub(ENTRY_BITS - HASH_BITS)),
            doc_bits,
            entries,
        })
    }

    fn rest_bits(self) -> u32 {
        HASH_BITS - self.bucket_bits
    }

    fn buckets(self) -> usize {
        1 << self.bucket_bits
    }

    fn bucket(self, hash: u64) -> usize {
        usize::try_from(hash >> self.rest_bits()).unwrap_or(usize::MAX)
    }

    fn write_ends(
        self,
        entries: impl Iterator<Item = Entry>,
        to: &mut impl Write,
    ) -> io::Result<()> {
        let mut counts = vec![0u32; self.buckets()];
        for entry in entries {
            if let Some(count) = counts.get_mut(self.bucket(entry.hash)) {
                *count += 1;
            }
        }
        let [bucket_bits, ..] = self.bucket_bits.to_le_bytes();
        let [doc_bits, ..] = self.doc_bits.to_le_bytes();
        to.write_all(&[bucket_bits, doc_bits, 0, 0])?;
        to.write_all(&self.entries.to_le_bytes())?;
        let mut end = 0u32;
        for count in counts {
            end += count;
            to.write_all(&end.to_le_bytes())?;
        }
        Ok(())
    }

    /// Writes entries ordered by bucket. All of them, or all that belong to a run of buckets.
    fn write_part(
        self,
        entries: impl Iterator<Item = Entry> + Clone,
        to: &mut impl Write,
    ) -> io::Result<()> {
        let mut places = vec![0usize; self.buckets() + 1];
        let mut count = 0usize;
        for entry in entries.clone() {
            if let Some(place) = places.get_mut(self.bucket(entry.hash) + 1) {
                *place += 1;
            }
            count += 1;
        }
        let mut sum = 0;
        for place in &mut places {
            sum += *place;
            *place = sum;
        }
        let mut bytes = vec![0u8; count * ENTRY_BYTES];
        let rest_mask = (1u64 << self.rest_bits()) - 1;
        for entry in entries {
            let Some(place) = places.get_mut(self.bucket(entry.hash)) else {
                continue;
            };
            let packed = ((entry.hash & rest_mask) << self.doc_bits) | u64::from(entry.doc);
            let start = *place * ENTRY_BYTES;
            if let (Some(slot), Some(low)) = (
                bytes.get_mut(start..start + ENTRY_BYTES),
                packed.to_le_bytes().first_chunk::<ENTRY_BYTES>(),
            ) {
                slot.copy_from_slice(low);
            }
            *place += 1;
        }
        to.write_all(&bytes)
    }
}

/// The table of a segment, read from a memory map.
#[derive(Clone, Debug)]
pub(super) struct Ids {
    layout: Layout,
    ends: OwnedBytes,
    entries: OwnedBytes,
}

impl Ids {
    /// Opens a table; `None` where the bytes are none.
    pub(super) fn open(bytes: OwnedBytes) -> Option<Self> {
        let (bucket_bits, doc_bits, entries) = {
            let header = bytes.as_slice().first_chunk::<HEADER_BYTES>()?;
            let [bucket_bits, doc_bits, _, _, e0, e1, e2, e3] = *header;
            (
                u32::from(bucket_bits),
                u32::from(doc_bits),
                u32::from_le_bytes([e0, e1, e2, e3]),
            )
        };
        if bucket_bits > HASH_BITS - 4 || doc_bits + HASH_BITS > ENTRY_BITS + bucket_bits {
            return None;
        }
        let layout = Layout {
            bucket_bits,
            doc_bits,
            entries,
        };
        let ends_bytes = layout.buckets().checked_mul(4)?;
        let entry_bytes = usize::try_from(entries).ok()?.checked_mul(ENTRY_BYTES)?;
        if bytes.len() != HEADER_BYTES + ends_bytes + entry_bytes {
            return None;
        }
        let (_, rest) = bytes.split(HEADER_BYTES);
        let (ends, entries) = rest.split(ends_bytes);
        Some(Self {
            layout,
            ends,
            entries,
        })
    }

    /// Documents that may carry an id, by its hash; in no order, each once.
    pub(super) fn lookup(&self, hash: u64, docs: &mut Vec<u32>) {
        let hash = hash >> (64 - HASH_BITS);
        let bucket = self.layout.bucket(hash);
        let wanted = hash & ((1 << self.layout.rest_bits()) - 1);
        docs.extend(
            self.bucket_entries(bucket, bucket + 1)
                .filter(|(rest, _)| *rest == wanted)
                .map(|(_, doc)| doc),
        );
    }

    fn end(&self, bucket: usize) -> usize {
        let bytes = bucket
            .checked_sub(1)
            .and_then(|last| self.ends.as_slice().get(last * 4..))
            .and_then(|bytes| bytes.first_chunk::<4>());
        bytes.map_or(0, |bytes| {
            usize::try_from(u32::from_le_bytes(*bytes)).unwrap_or(usize::MAX)
        })
    }

    /// `(hash bits that are not the bucket's, doc)` of a run of buckets.
    fn bucket_entries(&self, from: usize, to: usize) -> impl Iterator<Item = (u64, u32)> + Clone {
        let bytes =
            self.end(from).saturating_mul(ENTRY_BYTES)..self.end(to).saturating_mul(ENTRY_BYTES);
        let doc_bits = self.layout.doc_bits;
        let entries = self.entries.as_slice().get(bytes).unwrap_or_default();
        entries
            .as_chunks::<ENTRY_BYTES>()
            .0
            .iter()
            .map(move |entry| {
                let [a, b, c, d, e] = *entry;
                let packed = u64::from_le_bytes([a, b, c, d, e, 0, 0, 0]);
                let doc = packed & ((1 << doc_bits) - 1);
                (packed >> doc_bits, u32::try_from(doc).unwrap_or(u32::MAX))
            })
    }

    /// Entries whose hash starts with these bits.
    fn part(&self, part: u64, part_bits: u32) -> impl Iterator<Item = Entry> + Clone {
        let bits = self.layout.bucket_bits;
        let rest_bits = self.layout.rest_bits();
        let (from, to) = if bits >= part_bits {
            let shift = bits - part_bits;
            (part << shift, (part + 1) << shift)
        } else {
            let bucket = part >> (part_bits - bits);
            (bucket, bucket + 1)
        };
        (from..to).flat_map(move |bucket| {
            let at = usize::try_from(bucket).unwrap_or(usize::MAX);
            self.bucket_entries(at, at + 1)
                .filter_map(move |(rest, doc)| {
                    let hash = (bucket << rest_bits) | rest;
                    (hash >> (HASH_BITS - part_bits) == part).then_some(Entry { hash, doc })
                })
        })
    }
}

/// Writes one table from those of neighbouring segments; `docs` are their document counts.
pub(super) fn merge(tables: &[(Ids, u32)], to: &mut impl Write) -> io::Result<()> {
    let docs = tables.iter().map(|(_, docs)| *docs).sum();
    let entries = tables
        .iter()
        .map(|(ids, _)| usize::try_from(ids.layout.entries).unwrap_or(0))
        .sum();
    let layout = Layout::new(docs, entries)?;
    let part_bits = PARTS_BITS.min(layout.bucket_bits);
    let part = |part: u64, bits: u32| {
        let mut base = 0u32;
        let bases: Vec<u32> = tables
            .iter()
            .map(|(_, docs)| {
                let start = base;
                base += docs;
                start
            })
            .collect();
        tables.iter().zip(bases).flat_map(move |((ids, _), base)| {
            ids.part(part, bits).map(move |entry| Entry {
                doc: base + entry.doc,
                ..entry
            })
        })
    };
    layout.write_ends(part(0, 0), to)?;
    for at in 0..(1u64 << part_bits) {
        let entries: Vec<Entry> = part(at, part_bits).collect();
        layout.write_part(entries.iter().copied(), to)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(docs: u32, ids_of: impl Fn(u32) -> Vec<String>) -> (Ids, u32) {
        let mut builder = Builder::default();
        for doc in 0..docs {
            for id in ids_of(doc) {
                builder.push(doc, id.as_bytes());
            }
        }
        let mut bytes = Vec::new();
        builder.write(docs, &mut bytes).unwrap();
        (Ids::open(OwnedBytes::new(bytes)).unwrap(), docs)
    }

    fn find(ids: &Ids, id: &str) -> Vec<u32> {
        let mut docs = Vec::new();
        ids.lookup(hash(id.as_bytes()), &mut docs);
        docs.sort_unstable();
        docs
    }

    #[test]
    fn every_id_is_found_whatever_the_size() {
        for docs in [0u32, 1, 2, 17, 300, 5_000] {
            let (ids, _) = table(docs, |doc| {
                vec![
                    format!("req-{doc}"),
                    format!("trace-{}", doc / 3),
                    format!("req-{doc}"),
                ]
            });
            for doc in 0..docs {
                assert_eq!(find(&ids, &format!("req-{doc}")), [doc]);
                assert!(find(&ids, &format!("trace-{}", doc / 3)).contains(&doc));
            }
            assert!(find(&ids, "absent").len() <= 1);
        }
    }

    #[test]
    fn merged_tables_answer_as_their_parts() {
        let parts: Vec<_> = [0u32, 3, 1_000, 40]
            .iter()
            .enumerate()
            .map(|(part, docs)| {
                table(*docs, move |doc| {
                    vec![format!("{part}/{doc}"), "all".into()]
                })
            })
            .collect();
        let mut bytes = Vec::new();
        merge(&parts, &mut bytes).unwrap();
        let merged = Ids::open(OwnedBytes::new(bytes)).unwrap();
        let mut base = 0;
        for (part, (_, docs)) in parts.iter().enumerate() {
            for doc in 0..*docs {
                assert_eq!(find(&merged, &format!("{part}/{doc}")), [base + doc]);
            }
            base += docs;
        }
        assert_eq!(find(&merged, "all").len(), 1_043);
    }

    #[test]
    fn an_entry_costs_little_more_than_five_bytes() {
        let mut builder = Builder::default();
        for doc in 0..20_000u32 {
            for id in 0..4 {
                builder.push(doc, format!("{doc}-{id}").as_bytes());
            }
        }
        let mut bytes = Vec::new();
        builder.write(20_000, &mut bytes).unwrap();
        assert!(bytes.len() < 80_000 * 11 / 2, "{}", bytes.len());
    }

    #[test]
    fn damaged_tables_are_refused() {
        assert!(Ids::open(OwnedBytes::new(vec![])).is_none());
        assert!(Ids::open(OwnedBytes::new(vec![255; 64])).is_none());
        assert!(Ids::open(OwnedBytes::new(vec![40, 1, 0, 0, 1, 0, 0, 0])).is_none());
    }
}
