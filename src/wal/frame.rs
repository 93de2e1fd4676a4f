//! One frame: a run of records that is compressed, checksummed, chained and read as one.
//!
//! On disk, little endian, version 1: `magic [4] · version u8 · kind u8 · header length u16 · first
//! offset u64 · count u32 · raw length u32 · stored length u32 · crc32c u32 · written i64 (ns) ·
//! hash of the frame before [32]` and then the stored payload. The checksum covers header and
//! payload except itself; the chain hash is SHA-256 over all bytes of the frame, so each frame
//! vouches for everything before it. The payload (kind 0 as it is, kind 1 one zstd frame) is
//! `count` ends as u32 (relative to the first record), then the records.

use std::sync::Arc;

use crate::model::{Offset, Timestamp, sha256};
use crate::redact::{self, CleanEvent, DecodeError};

/// Bytes in front of the payload.
pub(super) const HEADER_BYTES: usize = 72;
/// F7 and FE never occur in UTF-8, so no event text can look like the start of a frame.
pub(super) const MAGIC: [u8; 4] = [0xF7, b'W', b'L', 0xFE];
const VERSION: u8 = 1;
const KIND_PLAIN: u8 = 0;
const KIND_ZSTD: u8 = 1;
const CRC_AT: usize = 28;
/// No frame unpacks to more.
const RAW_BYTES_MAX: u32 = 64 << 20;
/// A larger record is refused at the door of the log.
pub(super) const RECORD_BYTES_MAX: usize = 32 << 20;

/// SHA-256 of a frame: the link of the chain.
pub(super) type Hash = [u8; 32];

#[derive(Debug)]
struct Body {
    first: u64,
    count: u32,
    written: Timestamp,
    /// Ends table, then records.
    raw: Vec<u8>,
}

/// A run of records with consecutive offsets, unpacked. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Frame {
    body: Arc<Body>,
    /// Records at the front that this view leaves out.
    skip: u32,
}

impl Frame {
    /// Offset of the first record.
    #[must_use]
    pub fn first(&self) -> Offset {
        Offset(self.body.first).plus(u64::from(self.skip))
    }

    /// Offset behind the last record.
    #[must_use]
    pub fn end(&self) -> Offset {
        Offset(self.body.first).plus(u64::from(self.body.count))
    }

    /// How many records; never 0.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::try_from(self.body.count.saturating_sub(self.skip)).unwrap_or(usize::MAX)
    }

    /// Never true; here because `len` is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// When the frame was written, by our clock.
    #[must_use]
    pub fn written(&self) -> Timestamp {
        self.body.written
    }

    /// Bytes of memory the unpacked frame takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.body.raw.len()
    }

    /// The record at an offset; `None` where the frame does not hold it.
    #[must_use]
    pub fn record(&self, offset: Offset) -> Option<&[u8]> {
        if offset < self.first() || offset >= self.end() {
            return None;
        }
        let index = usize::try_from(offset.0.checked_sub(self.body.first)?).ok()?;
        let count = usize::try_from(self.body.count).ok()?;
        let (ends, text) = self.body.raw.split_at_checked(count.checked_mul(4)?)?;
        let start = match index {
            0 => 0,
            _ => end_at(ends, index - 1)?,
        };
        text.get(start..end_at(ends, index)?)
    }

    /// The event at an offset; `None` where the frame does not hold it.
    pub fn event(&self, offset: Offset) -> Result<Option<CleanEvent<'_>>, DecodeError> {
        self.record(offset).map(redact::decode).transpose()
    }

    /// All records with their offsets, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Offset, &[u8])> {
        (self.first().0..self.end().0).map_while(|offset| {
            let offset = Offset(offset);
            Some((offset, self.record(offset)?))
        })
    }

    /// The same frame with all its records.
    pub(super) fn whole(self) -> Self {
        Self { skip: 0, ..self }
    }

    /// The same frame without the records before `from`.
    pub(super) fn starting_at(mut self, from: Offset) -> Self {
        let skip = from.0.saturating_sub(self.body.first);
        let last = u64::from(self.body.count.saturating_sub(1));
        self.skip = u32::try_from(skip.min(last)).unwrap_or(0);
        self
    }
}

fn end_at(ends: &[u8], index: usize) -> Option<usize> {
    let at = index.checked_mul(4)?;
    let end = ends.get(at..)?.first_chunk::<4>()?;
    usize::try_from(u32::from_le_bytes(*end)).ok()
}

/// Gathers records for one frame.
#[derive(Debug, Default)]
pub(super) struct Builder {
    ends: Vec<u8>,
    text: Vec<u8>,
    count: u32,
}

impl Builder {
    /// Adds a record; the caller keeps the sum far below [`RAW_BYTES_MAX`].
    pub(super) fn push(&mut self, record: &[u8]) {
        self.text.extend_from_slice(record);
        let end = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        self.ends.extend_from_slice(&end.to_le_bytes());
        self.count = self.count.saturating_add(1);
    }

    /// Bytes of the frame so far, unpacked.
    pub(super) fn bytes(&self) -> usize {
        self.ends.len() + self.text.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn count(&self) -> u64 {
        u64::from(self.count)
    }

    /// Takes the records out as a frame and is empty again.
    pub(super) fn take(&mut self, first: u64, written: Timestamp) -> Frame {
        let mut raw = Vec::with_capacity(self.bytes());
        raw.append(&mut self.ends);
        raw.append(&mut self.text);
        let count = std::mem::take(&mut self.count);
        let body = Body {
            first,
            count,
            written,
            raw,
        };
        Frame {
            body: Arc::new(body),
            skip: 0,
        }
    }
}

/// The fixed part in front of a payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    kind: u8,
    /// Offset of the first record.
    pub(super) first: u64,
    count: u32,
    /// Bytes of the payload, unpacked.
    pub(super) raw_len: u32,
    stored_len: u32,
    crc: u32,
    /// When it was written (ns).
    pub(super) written: i64,
    /// Hash of the frame before.
    pub(super) prev: Hash,
}

impl Header {
    /// Reads a header that makes sense; says nothing about the payload.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.get(..HEADER_BYTES)?;
        let known = take::<4>(&mut rest)? == MAGIC && take::<1>(&mut rest)? == [VERSION];
        let [kind] = take::<1>(&mut rest)?;
        let length = u16::from_le_bytes(take(&mut rest)?);
        let header = Self {
            kind,
            first: u64::from_le_bytes(take(&mut rest)?),
            count: u32::from_le_bytes(take(&mut rest)?),
            raw_len: u32::from_le_bytes(take(&mut rest)?),
            stored_len: u32::from_le_bytes(take(&mut rest)?),
            crc: u32::from_le_bytes(take(&mut rest)?),
            written: i64::from_le_bytes(take(&mut rest)?),
            prev: take(&mut rest)?,
        };
        let is_sane = known
            && kind <= KIND_ZSTD
            && usize::from(length) == HEADER_BYTES
            && header.count > 0
            && header.raw_len <= RAW_BYTES_MAX
            && header.raw_len / 4 >= header.count
            && header.first.checked_add(u64::from(header.count)).is_some();
        is_sane.then_some(header)
    }

    fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let length = u16::try_from(HEADER_BYTES).unwrap_or(0).to_le_bytes();
        let parts: [&[u8]; 11] = [
            &MAGIC,
            &[VERSION],
            &[self.kind],
            &length,
            &self.first.to_le_bytes(),
            &self.count.to_le_bytes(),
            &self.raw_len.to_le_bytes(),
            &self.stored_len.to_le_bytes(),
            &self.crc.to_le_bytes(),
            &self.written.to_le_bytes(),
            &self.prev,
        ];
        for (to, from) in bytes.iter_mut().zip(parts.iter().copied().flatten()) {
            *to = *from;
        }
        bytes
    }

    /// Offset behind the last record.
    pub(super) fn end(&self) -> u64 {
        self.first.saturating_add(u64::from(self.count))
    }
}

/// Takes the first bytes off.
pub(super) fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

/// The frame that starts at the start of `bytes`, if header and checksum are right: its header and
/// all its bytes.
pub(super) fn whole(bytes: &[u8]) -> Option<(Header, &[u8])> {
    let header = Header::decode(bytes)?;
    let length = HEADER_BYTES.checked_add(usize::try_from(header.stored_len).ok()?)?;
    let frame = bytes.get(..length)?;
    (checksum(frame)? == header.crc).then_some((header, frame))
}

fn checksum(frame: &[u8]) -> Option<u32> {
    let before = frame.get(..CRC_AT)?;
    let behind = frame.get(CRC_AT + 4..)?;
    Some(crc32c::crc32c_append(crc32c::crc32c(before), behind))
}

/// The link that the next frame carries.
pub(super) fn hash(frame: &[u8]) -> Hash {
    sha256(frame)
}

/// Unpacks frames; keeps the memory of zstd from one to the next, which costs more than a frame.
#[derive(Default)]
pub(super) struct Unpacker(Option<zstd::bulk::Decompressor<'static>>);

impl std::fmt::Debug for Unpacker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Unpacker")
    }
}

impl Unpacker {
    /// Unpacks the frame at the start of `bytes`; `None` where anything about it is wrong.
    pub(super) fn unpack(&mut self, bytes: &[u8]) -> Option<Frame> {
        let (header, frame) = whole(bytes)?;
        let stored = frame.get(HEADER_BYTES..)?;
        let raw_len = usize::try_from(header.raw_len).ok()?;
        let raw = match header.kind {
            KIND_PLAIN => stored.to_vec(),
            _ => self.inflate(stored, raw_len)?,
        };
        built(&header, raw, raw_len)
    }

    fn inflate(&mut self, stored: &[u8], raw_len: usize) -> Option<Vec<u8>> {
        if self.0.is_none() {
            self.0 = zstd::bulk::Decompressor::new().ok();
        }
        self.0.as_mut()?.decompress(stored, raw_len).ok()
    }
}

/// [`Unpacker::unpack`] for one frame.
pub(super) fn unpack(bytes: &[u8]) -> Option<Frame> {
    Unpacker::default().unpack(bytes)
}

fn built(header: &Header, raw: Vec<u8>, raw_len: usize) -> Option<Frame> {
    let count = usize::try_from(header.count).ok()?;
    let (ends, text) = raw.split_at_checked(count.checked_mul(4)?)?;
    let mut before = 0;
    for index in 0..count {
        let end = end_at(ends, index)?;
        if end < before {
            return None;
        }
        before = end;
    }
    if raw.len() != raw_len || before != text.len() {
        return None;
    }
    let body = Body {
        first: header.first,
        count: header.count,
        written: Timestamp(header.written),
        raw,
    };
    Some(Frame {
        body: Arc::new(body),
        skip: 0,
    })
}

/// Packs frames one behind the other, each linked to the one before.
pub(super) struct Packer {
    zstd: Option<zstd::bulk::Compressor<'static>>,
    scratch: Vec<u8>,
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.debug_struct("Packer").finish_non_exhaustive()
    }
}

impl Packer {
    pub(super) fn new(level: i32) -> Self {
        let zstd = zstd::bulk::Compressor::new(level).ok();
        Self {
            zstd,
            scratch: Vec::new(),
        }
    }

    /// Puts the frame behind `to`; returns its hash.
    pub(super) fn pack(&mut self, frame: &Frame, prev: Hash, to: &mut Vec<u8>) -> Hash {
        let raw = frame.body.raw.as_slice();
        self.scratch.clear();
        self.scratch
            .reserve(zstd::zstd_safe::compress_bound(raw.len()));
        let packed = self
            .zstd
            .as_mut()
            .and_then(|zstd| zstd.compress_to_buffer(raw, &mut self.scratch).ok())
            .is_some_and(|length| length < raw.len());
        let (kind, stored) = if packed {
            (KIND_ZSTD, self.scratch.as_slice())
        } else {
            (KIND_PLAIN, raw)
        };
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let mut header = Header {
            kind,
            first: frame.body.first,
            count: frame.body.count,
            raw_len: length(raw),
            stored_len: length(stored),
            crc: 0,
            written: frame.body.written.0,
            prev,
        };
        let bytes = header.encode();
        let crc = checksum(&bytes).unwrap_or_default();
        header.crc = crc32c::crc32c_append(crc, stored);
        let start = to.len();
        to.extend_from_slice(&header.encode());
        to.extend_from_slice(stored);
        hash(to.get(start..).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packed(records: &[&[u8]]) -> (Frame, Vec<u8>) {
        let mut builder = Builder::default();
        for record in records {
            builder.push(record);
        }
        let frame = builder.take(7, Timestamp(0x0102_0304_0506_0708));
        let mut bytes = Vec::new();
        Packer::new(1).pack(&frame, [0xAB; 32], &mut bytes);
        (frame, bytes)
    }

    /// Logs of this version are on people's disks: these bytes must be read forever.
    #[test]
    fn version_1_reads_as_it_was_written() {
        let (_, bytes) = packed(&[b"one", b"", b"three"]);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let written = concat!(
            "f7574cfe0100480007000000000000000300000014000000140000009a9eb6030807060504030201",
            "abababababababababababababababababababababababababababababababab",
            "0300000003000000080000006f6e657468726565",
        );
        assert_eq!(hex, written);
    }

    #[test]
    fn records_come_back() {
        let long = vec![b'x'; 100_000];
        let (frame, bytes) = packed(&[b"one", b"", &long, b"four"]);
        assert!(bytes.len() < 1000, "compressed: {}", bytes.len());
        let back = unpack(&bytes).unwrap();
        assert_eq!(
            (back.first(), back.end(), back.len()),
            (Offset(7), Offset(11), 4)
        );
        assert!(back.iter().eq(frame.iter()));
        assert_eq!(back.record(Offset(8)), Some(&b""[..]));
        assert_eq!(back.record(Offset(10)), Some(&b"four"[..]));
        assert_eq!(
            (back.record(Offset(6)), back.record(Offset(11))),
            (None, None)
        );
        let view = back.starting_at(Offset(9));
        assert_eq!(
            (view.first(), view.len(), view.record(Offset(8))),
            (Offset(9), 2, None)
        );
    }

    proptest! {
        #[test]
        fn no_bytes_at_all_make_it_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200), right in any::<bool>()) {
            if right && bytes.len() >= HEADER_BYTES {
                // A header that makes sense and the checksum to go with it, before bytes that do
                // not.
                let stored = u32::try_from(bytes.len() - HEADER_BYTES).unwrap();
                let kind = bytes[5] % 2;
                bytes[..8].copy_from_slice(&[MAGIC[0], MAGIC[1], MAGIC[2], MAGIC[3], 1, kind, 72, 0]);
                bytes[16..20].copy_from_slice(&1u32.to_le_bytes());
                bytes[20..24].copy_from_slice(&stored.max(4).to_le_bytes());
                bytes[24..28].copy_from_slice(&stored.to_le_bytes());
                let crc = checksum(&bytes).unwrap();
                bytes[28..32].copy_from_slice(&crc.to_le_bytes());
            }
            if let Some(frame) = unpack(&bytes) {
                prop_assert_eq!(frame.iter().count(), frame.len());
            }
        }
    }
}
