//! `chain.json`: in which frame of the log each event stands, and how the frames hang together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Error;
use crate::model::{Offset, hex};
use crate::wal::{RawFrame, Wal};

/// All frames that hold events of a pack, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Chain {
    /// Heads of the segments that the frames stand in.
    pub(super) segments: Vec<SegmentRow>,
    /// The frames.
    pub(super) frames: Vec<FrameRow>,
}

/// A segment file of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SegmentRow {
    /// Offset of its first event: its name.
    pub(super) first: Offset,
    /// Its first 64 bytes in hex, which name the hash of the last frame before it; null where they are damaged.
    pub(super) head: Option<String>,
}

/// A frame of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FrameRow {
    /// Offset of its first event.
    pub(super) first: Offset,
    /// Offset behind its last event.
    pub(super) end: Offset,
    /// When it was written, RFC 3339.
    pub(super) written: String,
    /// The segment it stands in.
    pub(super) segment: Offset,
    /// Where in the segment's file.
    pub(super) position: u64,
    /// Its length.
    pub(super) bytes: u64,
    /// SHA-256 of all its bytes; of what it was where events were erased out of it.
    pub(super) sha256: String,
    /// Whether other events were erased out of it: no link says what it is since.
    pub(super) erased: bool,
    /// SHA-256 of the frame before it, as it says itself.
    pub(super) previous: String,
    /// The file that holds its bytes, where they are in the pack.
    pub(super) file: Option<String>,
    /// Its events that are in the pack.
    pub(super) events: Vec<String>,
}

impl FrameRow {
    pub(super) fn of(raw: &RawFrame, has_bytes: bool) -> Self {
        Self {
            first: raw.link.first,
            end: raw.link.end,
            written: raw.link.written.to_rfc3339(),
            segment: raw.segment,
            position: raw.position,
            bytes: raw.bytes.len() as u64,
            sha256: hex(&raw.link.hash),
            erased: raw.link.is_erased,
            previous: hex(&raw.link.previous),
            file: has_bytes.then(|| file_name(raw.link.first)),
            events: Vec::new(),
        }
    }
}

/// `frames/00000000000000000017.frame`.
pub(super) fn file_name(first: Offset) -> String {
    format!("frames/{:020}.frame", first.0)
}

/// The first offset of the frame that a file of this name holds.
pub(super) fn frame_of(name: &str) -> Option<Offset> {
    let digits = name.strip_prefix("frames/")?.strip_suffix(".frame")?;
    let first = Offset(digits.parse().ok()?);
    (file_name(first) == name).then_some(first)
}

/// The heads of these segments.
pub(super) fn heads(wal: &Wal, frames: &[FrameRow]) -> Result<Vec<SegmentRow>, Error> {
    let mut heads = BTreeMap::new();
    for frame in frames {
        if let std::collections::btree_map::Entry::Vacant(place) = heads.entry(frame.segment) {
            let bytes = wal.segment_head(frame.segment)?;
            let good = bytes.filter(|bytes| crate::wal::SegmentHead::of(bytes).is_some());
            place.insert(good.map(|bytes| hex(&bytes)));
        }
    }
    let rows = heads.into_iter();
    Ok(rows
        .map(|(first, head)| SegmentRow { first, head })
        .collect())
}
