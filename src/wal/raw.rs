//! Frames and heads of segments as the bytes that are on disk, for those who prove something with them elsewhere.

use std::io::Read;

use super::frame::{self, Frame, Hash};
use super::pack;
use super::segment::{self, Header, Read as HeadRead};
use super::{Error, Wal};
use crate::model::{Offset, Timestamp};

/// What a frame says of itself and of the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Offset of the first record.
    pub first: Offset,
    /// Offset behind the last record.
    pub end: Offset,
    /// When it was written.
    pub written: Timestamp,
    /// SHA-256 of the frame before.
    pub previous: Hash,
    /// What the next frame names: SHA-256 of all bytes of this frame; where events were erased out of it, of what it was.
    pub hash: Hash,
    /// Whether events were erased out of it: what it is now, no link says.
    pub is_erased: bool,
    /// Bytes of the records with their ends, unpacked.
    pub unpacked: u64,
}

impl Link {
    /// What the bytes say, if they are one frame from the first to the last byte, with the right checksum.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let (header, frame) = frame::whole(bytes)?;
        (frame.len() == bytes.len()).then(|| Self {
            first: Offset(header.first),
            end: Offset(header.end()),
            written: Timestamp(header.written),
            previous: header.prev,
            hash: header.link(frame),
            is_erased: header.was.is_some(),
            unpacked: u64::from(header.raw_len),
        })
    }
}

impl Frame {
    /// The records of a frame's bytes, unpacked; `None` where they are not one.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        pack::unpack(bytes)
    }
}

/// A frame as it stands in its file.
#[derive(Clone, Debug)]
pub struct RawFrame {
    /// First offset of its segment: the file's name.
    pub segment: Offset,
    /// Where in the file it begins.
    pub position: u64,
    /// What it says.
    pub link: Link,
    /// All of it.
    pub bytes: Vec<u8>,
}

/// What the head of a segment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHead {
    /// Offset of its first event.
    pub first: Offset,
    /// SHA-256 of the last frame before the segment.
    pub previous: Hash,
}

impl SegmentHead {
    /// What the bytes say, if they are the head of a segment, with the right checksum.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        match Header::decode(bytes) {
            HeadRead::Good(header) if bytes.len() as u64 == segment::HEADER_BYTES => Some(Self {
                first: Offset(header.first),
                previous: header.chain,
            }),
            _ => None,
        }
    }
}

impl Wal {
    /// Whether frames are encrypted: their bytes prove nothing to who has no key.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.0.cipher.is_some()
    }

    /// The frame that holds an offset as it is on disk; `None` where the event was deleted, is damaged or not written
    /// yet. Blocks.
    ///
    /// # Errors
    /// Where the file system refuses.
    pub fn raw_frame_at(&self, offset: Offset) -> Result<Option<RawFrame>, Error> {
        let Some((segment, spot, mut bytes)) = self.0.raw_at(offset)? else {
            return Ok(None);
        };
        // Behind the last frame before damage there may be bytes that are none.
        let Some(length) = frame::whole(&bytes).map(|(_, frame)| frame.len()) else {
            return Ok(None);
        };
        bytes.truncate(length);
        let link = Link::of(&bytes).filter(|link| link.first <= offset && offset < link.end);
        Ok(link.map(|link| RawFrame {
            segment: Offset(segment.first),
            position: spot.position,
            link,
            bytes,
        }))
    }

    /// The head of a segment as it is on disk; `None` where the segment is gone. Blocks.
    ///
    /// # Errors
    /// Where the file system refuses.
    pub fn segment_head(&self, first: Offset) -> Result<Option<Vec<u8>>, Error> {
        let file = match std::fs::File::open(segment::path(&self.0.dir, first.0)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut bytes = Vec::new();
        file.take(segment::HEADER_BYTES).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }
}
