//! Evidence packs: what the events of an alert or of a search were, in one file that proves it to somebody who has
//! neither the server nor its log.
//!
//! A pack is a ZIP file (`zip.rs`). Each event stands in it as people read it, and the frame of the log that holds it as
//! it is on disk; frames name the hash of the frame before them (`wal/frame.rs`), so that a pack can be held against the
//! log, or against another pack. The manifest names every file with its SHA-256, and its own SHA-256 is given to whoever
//! fetched the pack and written to the server's log: it is what tells a pack of ours from one that was made up with all
//! sums right.

mod chain;
mod manifest;
mod pack;
#[cfg(test)]
mod tests;
mod verify;
mod zip;

pub use manifest::{Entry, Manifest};
pub use pack::{Made, Pack};
pub use verify::{Report, verify};

use crate::wal;

/// Longest pack that is made or read.
pub const PACK_BYTES_MAX: u64 = 1 << 30;
/// All records of a pack's frames, unpacked.
const UNPACKED_BYTES_MAX: u64 = 4 << 30;

const EVENTS: &str = "events.ndjson";
const CHAIN: &str = "chain.json";
const RULE: &str = "rule.yml";
const MANIFEST: &str = "manifest.json";
/// The SHA-256 of the manifest, as `sha256sum -c` reads it.
const MANIFEST_SUM: &str = "manifest.sha256";

/// Why a pack could not be made, or is none.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read or written.
    #[error("evidence file: {0}")]
    Io(#[from] std::io::Error),
    /// The log.
    #[error("log: {0}")]
    Log(#[from] wal::Error),
    /// More than a pack may have.
    #[error("the pack would be longer than {0} bytes or hold too many frames")]
    TooLarge(u64),
    /// An event cannot be read from the log.
    #[error("event {0} cannot be read from the log any more")]
    Gone(String),
    /// The first place of a pack that is not as it was made.
    #[error("{0}")]
    Wrong(String),
}

impl Error {
    fn wrong(place: &str, what: &str) -> Self {
        Self::Wrong(format!("{place}: {what}"))
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Io(error.into())
    }
}
