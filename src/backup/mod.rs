//! Backups: the log and the state of one moment as one tar file, of a running server too, and a data directory made of
//! one again.
//!
//! The index is left out, as it is built from the log; so are the key files, as a copy of the data alone must not
//! give away what they protect. The state is taken before the log is looked at: no reader of the log is ahead of it.

mod archive;
mod keys;
mod made;
mod manifest;
mod restore;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{BufWriter, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

pub use archive::check;
pub use keys::{KEYS, copy_keys, key_id, keys_of};
pub use made::made;
pub use manifest::{Entry, Manifest};
pub use restore::{is_being_restored, restore};

use crate::files;
use crate::model::Timestamp;
use crate::store::{self, Store};
use crate::wal::{self, Wal};

/// Small files that go as they are, where they are there.
const FILES: [&str; 3] = ["files.json", "wal/gaps.json", made::FILE];
/// The rows of the state.
const ROWS: &str = "store.rows";
/// What the archive holds; its last entry.
const MANIFEST: &str = "manifest.json";
/// How long a backup keeps the log from being deleted by age and size, in nanoseconds: six hours.
const HOLD_MAX: i64 = 6 * 3_600_000_000_000;

/// Why a backup could not be made, read or restored. Says which file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read or written.
    #[error("{0}: {1}")]
    File(String, #[source] std::io::Error),
    /// The archive is not whole, or not one of ours.
    #[error("{0}")]
    Archive(String),
    /// Where it should go there is something already.
    #[error("{0} is not empty; restore into a directory that is empty or not there yet")]
    Occupied(PathBuf),
    /// A restore before did not end, or another one is under way.
    #[error(
        "{0} is left of a restore that did not end; delete it and all beside it that came with it, then try again"
    )]
    Leftover(PathBuf),
    /// The state.
    #[error("state: {0}")]
    Store(#[from] store::Error),
    /// The log.
    #[error("log: {0}")]
    Log(#[from] wal::Error),
}

impl Error {
    fn file(name: &str) -> impl FnOnce(std::io::Error) -> Self {
        let name = name.to_owned();
        move |error| Self::File(name, error)
    }
}

/// What is backed up.
#[derive(Clone, Copy, Debug)]
pub struct Source<'s> {
    /// The data directory.
    pub data_dir: &'s Path,
    /// Its state.
    pub store: &'s Store,
    /// Its log.
    pub wal: &'s Wal,
    /// The time of the backup.
    pub now: Timestamp,
}

/// Writes a backup; blocks.
///
/// # Errors
/// Where something cannot be read or `out` fails. What was written by then has no manifest and is refused later.
pub fn create(source: &Source<'_>, out: impl Write) -> Result<Manifest, Error> {
    let _hold = source
        .wal
        .hold(Timestamp(source.now.0.saturating_add(HOLD_MAX)));
    // What others have read of the log and of files, before the log's end: they must not be ahead of it.
    let mut small = Vec::new();
    let mut receipts = wal::receipt_files(source.data_dir).map_err(Error::file("wal/receipts"))?;
    // `.offsets` before `.json`: an erasure that ends meanwhile is begun again or is over, never half of it.
    receipts.reverse();
    for name in FILES.map(str::to_owned).into_iter().chain(receipts) {
        match std::fs::read(source.data_dir.join(&name)) {
            Ok(bytes) => small.push((name, bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(Error::file(&name)(error)),
        }
    }
    let mut rows = rows_of(source)?;
    let (segments, end) = source.wal.files();
    let mut archive = archive::Writer::new(out, source.now);
    let length = rows.metadata().map_err(Error::file(ROWS))?.len();
    archive.add(ROWS, &mut rows, length)?;
    for (name, bytes) in &small {
        archive.add(name, bytes.as_slice(), bytes.len() as u64)?;
    }
    let first = segments.first().map_or(end, |segment| segment.first);
    for segment in segments {
        let name = format!("wal/{:020}.seg", segment.first.0);
        let file = File::open(&segment.path).map_err(Error::file(&name))?;
        archive.add(&name, file, segment.bytes)?;
    }
    // Before it is whole: there is none that nobody knows of.
    let noted = made::note(source.data_dir, source.now, &(first..end));
    noted.map_err(Error::file(made::FILE))?;
    archive.finish(first..end, key_id(source.data_dir))
}

/// The rows of the state, in a file without a name: it is gone with its handle.
fn rows_of(source: &Source<'_>) -> Result<File, Error> {
    let path = source.data_dir.join("backup.tmp");
    let file = files::nameless(&path).map_err(Error::file("backup.tmp"))?;
    let mut out = BufWriter::new(file);
    source.store.dump(&mut out)?;
    let mut file = out
        .into_inner()
        .map_err(|error| Error::file("backup.tmp")(error.into_error()))?;
    file.seek(SeekFrom::Start(0))
        .map_err(Error::file("backup.tmp"))?;
    Ok(file)
}
