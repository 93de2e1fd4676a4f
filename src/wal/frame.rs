//! One frame: a run of records that is compressed, checksummed, chained and read as one.
//!
//! On disk, little endian, version 1: `magic [4] · version u8 · kind u8 · header length u16 · first offset u64 ·
//! count u32 · raw length u32 · stored length u32 · crc32c u32 · written i64 (ns) · hash of the frame before [32]`
//! and then the stored payload. The checksum covers header and payload except itself; the chain hash is SHA-256
//! over all bytes of the frame, so each frame vouches for everything before it. The payload (kind 0 as it is,
//! kind 1 one zstd frame) is `count` ends as u32 (relative to the first record), then the records.

use std::sync::Arc;

use aws_lc_rs::digest;

use crate::model::{Offset, Timestamp};
use crate::redact::{self, CleanEvent, DecodeError};

/// Bytes in front of the payload.
pub(super) const HEADER_BYTES: usize = 72;
/// F7 and FE never occur in UTF-8, so no event text can look like the start of a frame.
pub(super) const MAGIC: [u8; 4] = [0xF7, b'W', b'L', 0xFE];
const VERSION: u8 = 1;
const KIND_PLAIN: u8 = 0;
const KIND_ZSTD: u8 = 1;
const CRC_AT: usize = 28;
/// No frame unpacks to more; a record of this size or more is refused at the door of the log.
pub(super) const RAW_BYTES_MAX: u32 = 64 << 20;

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
