//! Which backups were made here, so that who erases events learns where copies of them are.

use std::fs;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::Path;

use crate::files;
use crate::model::{Offset, Timestamp};
use crate::wal::InBackup;

/// Below the data directory.
pub(super) const FILE: &str = "backups.json";
/// Backups remembered, the newest.
const BACKUPS_MAX: usize = 1_000;

/// The backups made of a data directory, the oldest first.
///
/// # Errors
/// Where the list cannot be read.
pub fn made(data_dir: &Path) -> io::Result<Vec<InBackup>> {
    match fs::read(data_dir.join(FILE)) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        bytes => Ok(serde_json::from_slice(&bytes?)?),
    }
}

/// Adds one.
pub(super) fn note(data_dir: &Path, at: Timestamp, events: &Range<Offset>) -> io::Result<()> {
    let mut list = made(data_dir)?;
    list.push(InBackup {
        at,
        first: events.start,
        end: events.end,
    });
    let surplus = list.len().saturating_sub(BACKUPS_MAX);
    list.drain(..surplus);
    files::replace(&data_dir.join(FILE), &serde_json::to_vec_pretty(&list)?)
}
