//! What the log has lost, and knows that it has: `wal/gaps.json`, written before a reader goes past
//! the place.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::disk::Disk;
use crate::model::{Offset, Timestamp};

/// More gaps than this are counted, and no longer listed one by one.
const GAPS_MAX: usize = 4096;
const FILE: &str = "gaps.json";

/// A damaged stretch of the log. Its events cannot be read; those before and behind it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// First event lost.
    pub first: Offset,
    /// Behind the last event lost; the same as `first` where only bytes between events were
    /// damaged.
    pub end: Offset,
    /// First offset of the segment file that is damaged: its name.
    pub segment: Offset,
    /// Byte in that file where the damage begins, at the latest.
    pub position: u64,
    /// When it was found.
    #[serde(with = "crate::model::rfc3339")]
    pub found: Timestamp,
}

impl Gap {
    /// Events lost.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.end.0.saturating_sub(self.first.0)
    }
}

/// All gaps, by offset.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Gaps {
    version: u32,
    list: Vec<Gap>,
    /// Gaps beyond the bound of the list.
    #[serde(default)]
    unlisted: u64,
}

impl Gaps {
    /// The gaps recorded earlier. An unreadable file is an empty list: opening and reading find the
    /// damage again.
    pub(super) fn load(dir: &Path) -> Self {
        match std::fs::read(dir.join(FILE)) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|_| {
                tracing::error!("the list of gaps of the log is damaged; it begins anew");
                Self::default()
            }),
            Err(_) => Self::default(),
        }
    }

    pub(super) fn save(&self, dir: &Path, disk: &Disk) -> std::io::Result<()> {
        let file = Self {
            version: 1,
            ..self.clone()
        };
        let bytes = serde_json::to_vec_pretty(&file)?;
        disk.replace(&dir.join(FILE), &bytes).map(|_| ())
    }

    /// Adds a gap; `false` where it is known.
    pub(super) fn add(&mut self, gap: Gap) -> bool {
        let known = |old: &Gap| {
            let same_place = old.segment == gap.segment && old.position == gap.position;
            let inside = gap.events() > 0 && old.first <= gap.first && gap.end <= old.end;
            inside || (same_place && gap.events() == 0)
        };
        if self.list.iter().any(known) {
            return false;
        }
        if self.list.len() >= GAPS_MAX {
            self.unlisted += 1;
            return true;
        }
        let at = self.list.partition_point(|old| old.first <= gap.first);
        self.list.insert(at, gap);
        true
    }

    /// Behind the gap that holds the offset.
    pub(super) fn end_of(&self, offset: u64) -> Option<u64> {
        let behind = self.list.partition_point(|gap| gap.first.0 <= offset);
        let near = self.list.get(..behind)?.iter().rev();
        near.take(8)
            .find(|gap| offset < gap.end.0)
            .map(|gap| gap.end.0)
    }

    /// Forgets gaps in what retention has deleted.
    pub(super) fn forget_before(&mut self, first: u64) -> bool {
        let before = self.list.len();
        self.list
            .retain(|gap| gap.end.0 > first || gap.segment.0 >= first);
        self.list.len() != before
    }

    pub(super) fn list(&self) -> &[Gap] {
        &self.list
    }

    /// How many, and how many events they lost.
    pub(super) fn count(&self) -> (u64, u64) {
        let listed = u64::try_from(self.list.len()).unwrap_or(u64::MAX);
        (
            listed + self.unlisted,
            self.list.iter().map(Gap::events).sum(),
        )
    }
}
