//! One file of the log, `<first offset, 20 digits>.seg`, and the small index beside it, `<first
//! offset>.idx`.
//!
//! Segment header, little endian, version 1: `magic [4] · version u16 · header length u16 · first
//! offset u64 · created i64 (ns) · hash of the last frame before it [32] · id of the key its frames are sealed
//! with u32, 0 where they are not · crc32c u32`;
//! then frames, nothing between. The index tells where the frames of a closed segment start so that
//! opening the log does not read it whole. It is derived: one that is missing, damaged or not about
//! this file's length is made again by reading the segment.

use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::disk::Disk;
use super::frame::{self, Hash, MAGIC, take};

/// Bytes in front of the first frame.
pub(super) const HEADER_BYTES: u64 = 64;
const HEADER: usize = 64;
const SEGMENT_MAGIC: [u8; 4] = [0xF7, b'W', b'S', 0xFE];
const INDEX_MAGIC: [u8; 4] = [0xF7, b'W', b'I', 0xFE];
const VERSION: u16 = 1;
const INDEX_HEADER: usize = 84;

pub(super) fn path(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:020}.seg"))
}

pub(super) fn index_path(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:020}.idx"))
}

/// First offsets of all segments, ascending.
pub(super) fn list(dir: &Path) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let stem = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default();
        if path.extension().is_some_and(|end| end == "seg")
            && stem.len() == 20
            && let Ok(first) = stem.parse()
        {
            found.push(first);
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// What a segment says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) first: u64,
    pub(super) created: i64,
    /// Hash of the last frame before this segment.
    pub(super) chain: Hash,
    /// The key that seals its frames; 0 where they are not sealed.
    pub(super) key: u32,
}

/// The key of a segment's frames, as its header has it; `None` where that is damaged.
pub(super) fn key(dir: &Path, first: u64) -> io::Result<Option<u32>> {
    let mut bytes = [0; HEADER];
    let file = fs::File::open(path(dir, first))?;
    match file.read_exact_at(&mut bytes, 0) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    Ok(match Header::decode(&bytes) {
        Read::Good(header) => Some(header.key),
        Read::Damaged | Read::Newer(_) => None,
    })
}

/// A header as read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    Good(Header),
    Damaged,
    Newer(u16),
}

impl Header {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER);
        bytes.extend_from_slice(&SEGMENT_MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&u16::try_from(HEADER).unwrap_or(0).to_le_bytes());
        bytes.extend_from_slice(&self.first.to_le_bytes());
        bytes.extend_from_slice(&self.created.to_le_bytes());
        bytes.extend_from_slice(&self.chain);
        bytes.extend_from_slice(&self.key.to_le_bytes());
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Read {
        Self::read(bytes).unwrap_or(Read::Damaged)
    }

    fn read(bytes: &[u8]) -> Option<Read> {
        let (covered, mut crc) = bytes.get(..HEADER)?.split_at_checked(HEADER - 4)?;
        if crc32c::crc32c(covered) != u32::from_le_bytes(take(&mut crc)?) {
            return None;
        }
        let mut rest = covered;
        if take(&mut rest)? != SEGMENT_MAGIC {
            return None;
        }
        let version = u16::from_le_bytes(take(&mut rest)?);
        if version != VERSION {
            return Some(Read::Newer(version));
        }
        let length = u16::from_le_bytes(take(&mut rest)?);
        if usize::from(length) != HEADER {
            return None;
        }
        Some(Read::Good(Self {
            first: u64::from_le_bytes(take(&mut rest)?),
            created: i64::from_le_bytes(take(&mut rest)?),
            chain: take(&mut rest)?,
            key: u32::from_le_bytes(take(&mut rest)?),
        }))
    }
}

/// Where a frame starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) first: u64,
    pub(super) position: u64,
}

/// A damaged stretch of a segment and the events that were in it: `first..end`, none where both are
/// the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hole {
    pub(super) first: u64,
    pub(super) end: u64,
    pub(super) position: u64,
    pub(super) bytes: u64,
}

/// What is in a segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) first: u64,
    /// Behind the last event.
    pub(super) end: u64,
    /// Length of the file.
    pub(super) bytes: u64,
    pub(super) created: i64,
    /// When the last frame was written; when the segment was created where it has none.
    pub(super) written: i64,
    /// Hash of the last frame.
    pub(super) chain: Hash,
    pub(super) entries: Vec<Entry>,
}

/// What reading a whole segment found.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) table: Table,
    pub(super) header: Read,
    /// Damage with a good frame behind it.
    pub(super) holes: Vec<Hole>,
    /// Behind the last good frame; less than the file's length where the tail is torn or abandoned.
    pub(super) good_bytes: u64,
}

/// Finds all good frames. `upto` is where the next segment begins: frames from there on were never
/// acknowledged, because the next segment was begun without them.
pub(super) fn scan(bytes: &[u8], first: u64, upto: Option<u64>) -> Scan {
    let header = match Header::decode(bytes) {
        Read::Good(header) if header.first != first => Read::Damaged,
        other => other,
    };
    let mut table = Table {
        first,
        end: first,
        bytes: size(bytes.len()),
        ..Table::default()
    };
    if let Read::Good(header) = header {
        (table.created, table.written, table.chain) =
            (header.created, header.created, header.chain);
    }
    let mut holes = Vec::new();
    let mut position = HEADER.min(bytes.len());
    let mut good = position;
    while let Some((at, header, frame)) = next_frame(bytes, position, table.end) {
        if upto.is_some_and(|upto| header.end() > upto) {
            break;
        }
        if at > good || header.first > table.end {
            let hole = Hole {
                first: table.end,
                end: header.first,
                position: size(good),
                bytes: size(at - good),
            };
            holes.push(hole);
        }
        table.entries.push(Entry {
            first: header.first,
            position: size(at),
        });
        (table.end, table.written, table.chain) =
            (header.end(), header.written, header.link(frame));
        position = at + frame.len();
        good = position;
    }
    Scan {
        table,
        header,
        holes,
        good_bytes: size(good),
    }
}

/// The next good frame at or behind `from` whose events are at or behind `expected`, and where it
/// starts.
pub(super) fn next_frame(
    bytes: &[u8],
    from: usize,
    expected: u64,
) -> Option<(usize, frame::Header, &[u8])> {
    let fits = |at: usize| {
        let (header, frame) = frame::whole(bytes.get(at..)?)?;
        (header.first >= expected).then_some((at, header, frame))
    };
    if let Some(found) = fits(from) {
        return Some(found);
    }
    let rest = bytes.get(from..)?;
    memchr::memmem::find_iter(rest, &MAGIC).find_map(|at| fits(from + at))
}

fn size(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

impl Table {
    /// The index file: `magic [4] · version u16 · zero u16 · first u64 · end u64 · segment length
    /// u64 · created i64 · written i64 · chain [32] · count u32 · count × (first u64 · position
    /// u64) · crc32c u32`.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(INDEX_HEADER + self.entries.len() * 16 + 4);
        bytes.extend_from_slice(&INDEX_MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(&self.first.to_le_bytes());
        bytes.extend_from_slice(&self.end.to_le_bytes());
        bytes.extend_from_slice(&self.bytes.to_le_bytes());
        bytes.extend_from_slice(&self.created.to_le_bytes());
        bytes.extend_from_slice(&self.written.to_le_bytes());
        bytes.extend_from_slice(&self.chain);
        let count = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        bytes.extend_from_slice(&count.to_le_bytes());
        for entry in &self.entries {
            bytes.extend_from_slice(&entry.first.to_le_bytes());
            bytes.extend_from_slice(&entry.position.to_le_bytes());
        }
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (covered, mut crc) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
        if crc32c::crc32c(covered) != u32::from_le_bytes(take(&mut crc)?) {
            return None;
        }
        let mut rest = covered;
        if take(&mut rest)? != INDEX_MAGIC || u16::from_le_bytes(take(&mut rest)?) != VERSION {
            return None;
        }
        take::<2>(&mut rest)?;
        let mut table = Self {
            first: u64::from_le_bytes(take(&mut rest)?),
            end: u64::from_le_bytes(take(&mut rest)?),
            bytes: u64::from_le_bytes(take(&mut rest)?),
            created: i64::from_le_bytes(take(&mut rest)?),
            written: i64::from_le_bytes(take(&mut rest)?),
            chain: take(&mut rest)?,
            entries: Vec::new(),
        };
        let count = usize::try_from(u32::from_le_bytes(take(&mut rest)?)).ok()?;
        if count.checked_mul(16)? != rest.len() {
            return None;
        }
        table.entries.reserve_exact(count);
        for _ in 0..count {
            let first = u64::from_le_bytes(take(&mut rest)?);
            let position = u64::from_le_bytes(take(&mut rest)?);
            table.entries.push(Entry { first, position });
        }
        Some(table)
    }

    /// The table from the index beside the segment, if that is about this file.
    pub(super) fn load(dir: &Path, first: u64) -> Option<Self> {
        let bytes = fs::metadata(path(dir, first)).ok()?.len();
        let table = Self::decode(&fs::read(index_path(dir, first)).ok()?)?;
        (table.first == first && table.bytes == bytes).then_some(table)
    }

    /// Puts the index beside the segment. Not made durable and no error: a lost index is made
    /// again.
    pub(super) fn save(&self, dir: &Path, disk: &Disk) {
        let path = index_path(dir, self.first);
        let saved = disk
            .create(&path)
            .and_then(|handle| disk.write_at(&handle, &self.encode(), 0));
        if let Err(error) = saved {
            tracing::warn!(%error, "segment index not written; it is made again when needed");
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Logs of this version are on people's disks: these bytes must be read forever.
    #[test]
    fn version_1_reads_as_it_was_written() {
        let header = Header {
            first: 5,
            created: 0x0102_0304_0506_0708,
            chain: [0xCD; 32],
            key: 0,
        };
        let hex: String = header
            .encode()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let chain = "cd".repeat(32);
        let written =
            format!("f75753fe0100400005000000000000000807060504030201{chain}0000000092d158d2");
        assert_eq!(hex, written);
        assert_eq!(Header::decode(&header.encode()), Read::Good(header));
    }

    #[test]
    fn a_newer_version_is_refused_not_repaired() {
        let mut bytes = Header {
            first: 5,
            created: 6,
            chain: [7; 32],
            key: 0,
        }
        .encode();
        bytes[4] = 2;
        let crc = crc32c::crc32c(&bytes[..60]);
        bytes[60..].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(Header::decode(&bytes), Read::Newer(2));
    }

    proptest! {
        #[test]
        fn an_index_reads_back_and_no_bytes_make_it_panic(
            places in prop::collection::vec(any::<(u64, u64)>(), 0..20),
            garbage in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let entries = places.iter().map(|(first, position)| Entry { first: *first, position: *position });
            let table = Table { first: 1, end: 2, bytes: 3, created: -4, written: 5, chain: [6; 32], entries: entries.collect() };
            prop_assert_eq!(Table::decode(&table.encode()), Some(table));
            prop_assert_eq!(Table::decode(&garbage), None);
            let scan = scan(&garbage, 0, None);
            prop_assert_eq!(scan.header, Read::Damaged);
            prop_assert!(scan.table.entries.is_empty());
        }
    }
}
