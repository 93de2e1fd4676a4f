//! What a pack holds, by which it is known to be whole.

use serde::{Deserialize, Serialize};

use super::chain::frame_of;
use super::{CHAIN, EVENTS, Error, MANIFEST, MANIFEST_SUM, RULE};

/// Version of the pack.
pub(super) const FORMAT: u32 = 1;
/// Documents that whoever makes a pack may add.
const DOCUMENTS: [&str; 3] = ["alert.json", "query.json", "rule.json"];

/// The last file but one of a pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the pack.
    pub format: u32,
    /// The program that made it.
    pub wardline: String,
    /// When, RFC 3339.
    pub created: String,
    /// The alert it is about.
    pub alert: Option<String>,
    /// How many events.
    pub events: u64,
    /// Whether the frames are in it.
    pub frames: bool,
    /// Every file but this one and its sum, in order.
    pub files: Vec<Entry>,
}

/// A file of a pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its name.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 in hex.
    pub sha256: String,
}

/// Whether a pack may hold a file of this name.
pub(super) fn is_ours(name: &str) -> bool {
    [EVENTS, CHAIN, RULE, MANIFEST, MANIFEST_SUM].contains(&name)
        || DOCUMENTS.contains(&name)
        || frame_of(name).is_some()
}

/// The line that says what the manifest's sum is.
pub(super) fn sum_line(sha256: &str) -> String {
    format!("{sha256}  {MANIFEST}\n")
}

impl Manifest {
    /// Whether it says of the pack what was read of it.
    pub(super) fn is_of(&self, read: &[Entry]) -> Result<(), Error> {
        let differs = self.files.iter().zip(read).find(|(said, is)| said != is);
        match differs {
            Some((_, is)) => {
                let text = "it is not the file that the manifest names at this place";
                Err(Error::wrong(&is.path, text))
            }
            None if self.files.len() != read.len() => {
                let text = format!(
                    "it names {} files, there are {}",
                    self.files.len(),
                    read.len()
                );
                Err(Error::wrong(MANIFEST, &text))
            }
            None => Ok(()),
        }
    }
}
