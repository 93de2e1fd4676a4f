//! What a backup holds, by which it is known to be whole.

use serde::{Deserialize, Serialize};

use super::{Error, FILES, ROWS};
use crate::model::Offset;
use crate::wal;

/// Version of the archive.
pub(super) const FORMAT: u32 = 1;

/// The last entry of an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the archive.
    pub format: u32,
    /// The program that wrote it.
    pub wardline: String,
    /// When, RFC 3339.
    pub created: String,
    /// Id of the key of redaction tags, where it is known.
    pub tag_key: Option<String>,
    /// Offset of the oldest event.
    pub first: Offset,
    /// Offset behind the newest event.
    pub end: Offset,
    /// Everything in it, in order.
    pub files: Vec<Entry>,
}

/// A file of an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Below the data directory.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 in hex.
    pub sha256: String,
}

impl Manifest {
    /// Events in it.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.end.0.saturating_sub(self.first.0)
    }

    /// Bytes in it.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Whether it says of the archive what was read of it.
    pub(super) fn is_of(&self, read: &[Entry]) -> Result<(), Error> {
        if self.format != FORMAT {
            let text = format!(
                "the backup is of format {}, this program reads {FORMAT}",
                self.format
            );
            return Err(Error::Archive(text));
        }
        let differs = self.files.iter().zip(read).find(|(said, is)| said != is);
        match differs {
            Some((_, is)) => {
                let text = format!("{} in the backup is damaged", is.path);
                Err(Error::Archive(text))
            }
            None if self.files.len() != read.len() => {
                Err(Error::Archive("files are missing from the backup".into()))
            }
            None => Ok(()),
        }
    }
}

/// Whether a backup may hold a file of this name.
pub(super) fn is_ours(name: &str) -> bool {
    let segment = name
        .strip_prefix("wal/")
        .and_then(|name| name.strip_suffix(".seg"));
    let is_segment = segment.is_some_and(|stem| {
        stem.len() == 20 && stem.parse::<u64>().is_ok() && !stem.starts_with('+')
    });
    is_segment || name == ROWS || FILES.contains(&name) || wal::is_receipt_file(name)
}
