//! One frame: a run of records that is compressed, checksummed, chained and read as one.
//!
//! On disk, little endian, version 1: `magic [4] · version u8 · kind u8 · header length u16 · first
//! offset u64 · count u32 · raw length u32 · stored length u32 · crc32c u32 · written i64 (ns) ·
//! hash of the frame before [32]` and then the stored payload. The checksum covers header and
//! payload except itself; the chain hash is SHA-256 over all bytes of the frame, so each frame
//! vouches for everything before it. The payload (kind 0 as it is, kind 1 one zstd frame) is
//! `count` ends as u32 (relative to the first record), then the records. Kinds 2 and 3 are 0 and 1, sealed (`cipher.rs`).
//!
//! Version 2 is a frame out of which events were erased: its header ends with the hash of the frame as it
//! was first written [32], which is still the link that the next frame carries. An erased record is empty. That
//! nothing else was changed is not for the chain to say any more but for the receipt (`receipts.rs`).

use std::sync::Arc;

use crate::model::{Offset, Timestamp, sha256};
use crate::redact::{self, CleanEvent, DecodeError};

/// Bytes in front of the payload.
pub(super) const HEADER_BYTES: usize = 72;
/// The same where events were erased.
const ERASED_HEADER_BYTES: usize = HEADER_BYTES + 32;
/// F7 and FE never occur in UTF-8, so no event text can look like the start of a frame.
pub(super) const MAGIC: [u8; 4] = [0xF7, b'W', b'L', 0xFE];
const VERSION: u8 = 1;
const VERSION_ERASED: u8 = 2;
pub(super) const KIND_PLAIN: u8 = 0;
pub(super) const KIND_ZSTD: u8 = 1;
/// Added to the kind of a sealed payload.
pub(super) const KIND_SEALED: u8 = 2;
pub(super) const CRC_AT: usize = 28;
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

    /// How many records, erased ones too; never 0.
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

    /// The record at an offset; `None` where the frame does not hold it, or no more.
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
            .filter(|record| !record.is_empty())
    }

    /// The event at an offset; `None` where the frame does not hold it.
    pub fn event(&self, offset: Offset) -> Result<Option<CleanEvent<'_>>, DecodeError> {
        self.record(offset).map(redact::decode).transpose()
    }

    /// All records that are not erased with their offsets, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Offset, &[u8])> {
        (self.first().0..self.end().0).filter_map(|offset| {
            let offset = Offset(offset);
            Some((offset, self.record(offset)?))
        })
    }

    /// The same frame with these records empty.
    pub(super) fn without(&self, erased: impl Fn(Offset) -> bool) -> Self {
        let mut builder = Builder::default();
        for offset in self.body.first..self.end().0 {
            let record = self.record(Offset(offset)).unwrap_or_default();
            builder.push(if erased(Offset(offset)) { b"" } else { record });
        }
        builder.take(self.body.first, self.body.written)
    }

    /// A header for the frame as it is stored, without its checksum, and the payload unpacked.
    pub(super) fn parts(&self, prev: Hash, was: Option<Hash>) -> (Header, &[u8]) {
        let length = u32::try_from(self.body.raw.len()).unwrap_or(u32::MAX);
        let header = Header {
            kind: KIND_PLAIN,
            first: self.body.first,
            count: self.body.count,
            raw_len: length,
            stored_len: length,
            crc: 0,
            written: self.body.written.0,
            prev,
            was,
        };
        (header, self.body.raw.as_slice())
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
    pub(super) kind: u8,
    /// Offset of the first record.
    pub(super) first: u64,
    count: u32,
    /// Bytes of the payload, unpacked.
    pub(super) raw_len: u32,
    pub(super) stored_len: u32,
    pub(super) crc: u32,
    /// When it was written (ns).
    pub(super) written: i64,
    /// Hash of the frame before.
    pub(super) prev: Hash,
    /// Hash of this one before events were erased out of it.
    pub(super) was: Option<Hash>,
}

impl Header {
    /// Reads a header that makes sense; says nothing about the payload.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let is_ours = take::<4>(&mut rest)? == MAGIC;
        let [version] = take::<1>(&mut rest)?;
        let [kind] = take::<1>(&mut rest)?;
        let length = u16::from_le_bytes(take(&mut rest)?);
        let mut header = Self {
            kind,
            first: u64::from_le_bytes(take(&mut rest)?),
            count: u32::from_le_bytes(take(&mut rest)?),
            raw_len: u32::from_le_bytes(take(&mut rest)?),
            stored_len: u32::from_le_bytes(take(&mut rest)?),
            crc: u32::from_le_bytes(take(&mut rest)?),
            written: i64::from_le_bytes(take(&mut rest)?),
            prev: take(&mut rest)?,
            was: None,
        };
        if version == VERSION_ERASED {
            header.was = Some(take(&mut rest)?);
        }
        let is_sane = is_ours
            && matches!(version, VERSION | VERSION_ERASED)
            && kind <= KIND_ZSTD + KIND_SEALED
            && usize::from(length) == header.bytes()
            && header.count > 0
            && header.raw_len <= RAW_BYTES_MAX
            && header.raw_len / 4 >= header.count
            && header.first.checked_add(u64::from(header.count)).is_some();
        is_sane.then_some(header)
    }

    /// Bytes in front of the payload.
    pub(super) fn bytes(&self) -> usize {
        match self.was {
            None => HEADER_BYTES,
            Some(_) => ERASED_HEADER_BYTES,
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let (version, was) = match &self.was {
            None => (VERSION, [].as_slice()),
            Some(was) => (VERSION_ERASED, was.as_slice()),
        };
        let length = u16::try_from(self.bytes()).unwrap_or(0).to_le_bytes();
        let parts: [&[u8]; 12] = [
            &MAGIC,
            &[version],
            &[self.kind],
            &length,
            &self.first.to_le_bytes(),
            &self.count.to_le_bytes(),
            &self.raw_len.to_le_bytes(),
            &self.stored_len.to_le_bytes(),
            &self.crc.to_le_bytes(),
            &self.written.to_le_bytes(),
            &self.prev,
            was,
        ];
        parts.concat()
    }

    /// Whether the payload is encrypted.
    pub(super) fn is_sealed(&self) -> bool {
        self.kind >= KIND_SEALED
    }

    /// The link that the next frame carries: the hash of the frame, or of what it was.
    pub(super) fn link(&self, frame: &[u8]) -> Hash {
        self.was.unwrap_or_else(|| sha256(frame))
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
    let length = header
        .bytes()
        .checked_add(usize::try_from(header.stored_len).ok()?)?;
    let frame = bytes.get(..length)?;
    (checksum(frame)? == header.crc).then_some((header, frame))
}

pub(super) fn checksum(frame: &[u8]) -> Option<u32> {
    let before = frame.get(..CRC_AT)?;
    let behind = frame.get(CRC_AT + 4..)?;
    Some(crc32c::crc32c_append(crc32c::crc32c(before), behind))
}

/// The frame of a header and its payload, unpacked; `None` where they do not fit.
pub(super) fn built(header: &Header, raw: Vec<u8>, raw_len: usize) -> Option<Frame> {
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
