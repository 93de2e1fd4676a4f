//! Backups: the log and the state of one moment as one tar file, of a running server too, and a data directory made of
//! one again.
//!
//! The index is left out, as it is built from the log; so are the key files, as a copy of the data alone must not
//! give away what they protect. The state is taken before the log is looked at: no reader of the log is ahead of it.

mod archive;
mod manifest;
mod restore;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::path::{Path, PathBuf};

pub use archive::check;
pub use manifest::{Entry, Manifest};
pub use restore::restore;

use crate::model::Timestamp;
use crate::store::{self, Store};
use crate::wal::{self, Wal};

/// Key files below a data directory; who restores puts them back.
pub const KEYS: [&str; 2] = ["tag.key", "store/secret.key"];
/// Small files that go as they are, where they are there.
const FILES: [&str; 2] = ["files.json", "wal/gaps.json"];
/// The rows of the state.
const ROWS: &str = "store.rows";
/// What the archive holds; its last entry.
const MANIFEST: &str = "manifest.json";

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
    #[error("{0} is not empty; restore into a directory that is not there yet")]
    Occupied(PathBuf),
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
    let mut rows = rows_of(source)?;
    let (segments, end) = source.wal.files();
    let mut archive = archive::Writer::new(out, source.now);
    archive.add(ROWS, &mut rows)?;
    for name in FILES {
        archive.add_file(&source.data_dir.join(name), name, u64::MAX)?;
    }
    let mut first = end;
    for file in segments {
        let name = format!("wal/{:020}.seg", file.first.0);
        // What is too old may be deleted in the meantime.
        if archive.add_file(&file.path, &name, file.bytes)? {
            first = first.min(file.first);
        }
    }
    archive.finish(first, end)
}

/// The rows of the state, in a file without a name: it is gone with its handle.
fn rows_of(source: &Source<'_>) -> Result<std::fs::File, Error> {
    use std::io::{BufWriter, Seek, SeekFrom};
    use std::os::unix::fs::OpenOptionsExt;
    let path = source.data_dir.join("backup.tmp");
    let file = std::fs::File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .and_then(|file| std::fs::remove_file(&path).map(|()| file))
        .map_err(Error::file("backup.tmp"))?;
    let mut out = BufWriter::new(file);
    source.store.dump(&mut out)?;
    let mut file = out
        .into_inner()
        .map_err(|error| Error::file("backup.tmp")(error.into_error()))?;
    file.seek(SeekFrom::Start(0))
        .map_err(Error::file("backup.tmp"))?;
    Ok(file)
}
