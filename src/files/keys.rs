//! Files of keys: 32 bytes each, the one in use first, those it took the place of behind it, for their owner alone.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use aws_lc_rs::rand;
use zeroize::Zeroizing;

use super::{sync_parent, write_new};

/// Bytes of a key.
pub(crate) const KEY_BYTES: usize = 32;
/// Most keys in a file: the one in use and those before it.
pub(crate) const KEYS_MAX: usize = 16;

/// The key file could not be opened or made. Holds no path and no key material.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be read or written.
    #[error("key file: {0}")]
    Io(#[from] std::io::Error),
    /// Group or others may read or write the file.
    #[error("key file is open to others (mode {mode:03o}); set it to 0600")]
    Exposed {
        /// Permission bits of the file.
        mode: u32,
    },
    /// Not the 32 bytes of a key, or of several.
    #[error("key file does not hold keys of 32 bytes, 1 to 16")]
    Malformed,
    /// A rotation is under way, or one was interrupted.
    #[error(
        "a file of the same name with .new behind it is in the way: another rotation is under way, or one was interrupted; delete it then"
    )]
    Busy,
    /// No room for another key, and none may go.
    #[error(
        "key file holds 16 keys already; take the last 32 bytes off once retention has deleted what was sealed with that key"
    )]
    Full,
    /// The system gave no random bytes.
    #[error("no random bytes for a new key")]
    Random,
}

/// The keys of a file, one behind the other.
///
/// # Errors
/// When the file is not there, cannot be read, is open to group or others, or holds no keys.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut file = File::open(path)?;
    let mode = file.metadata()?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Error::Exposed { mode });
    }
    // One byte more than there may be, so that a longer file is noticed.
    let mut bytes = Zeroizing::new(vec![0; KEYS_MAX * KEY_BYTES + 1]);
    let mut filled = 0;
    while let Some(room) = bytes.get_mut(filled..).filter(|room| !room.is_empty()) {
        let read = file.read(room)?;
        if read == 0 {
            break;
        }
        filled += read;
    }
    bytes.truncate(filled);
    let is_whole = !bytes.is_empty() && bytes.len().is_multiple_of(KEY_BYTES);
    match is_whole && bytes.len() <= KEYS_MAX * KEY_BYTES {
        true => Ok(bytes),
        false => Err(Error::Malformed),
    }
}

/// The same; makes a file with one key where there is none (mode 0600, synced).
///
/// # Errors
/// As [`read`], and when it cannot be made.
pub(crate) fn read_or_create(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    match read(path) {
        Err(Error::Io(error)) if error.kind() == ErrorKind::NotFound => {}
        read => return read,
    }
    let key = fresh()?;
    match write_new(path, &key) {
        Ok(()) => Ok(key),
        // Another process was faster: its key counts.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => read(path),
        Err(error) => Err(error.into()),
    }
}

/// What becomes of the oldest of 16 keys when there is a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Oldest {
    /// It goes.
    Goes,
    /// It stays, and there is no new one.
    Stays,
}

/// Puts a new key before those of a file, in one step.
///
/// # Errors
/// As [`read`], and when another rotation is under way or the file cannot be written.
pub(crate) fn rotate(path: &Path, oldest: Oldest) -> Result<Zeroizing<Vec<u8>>, Error> {
    let old = read(path)?;
    if oldest == Oldest::Stays && old.len() >= KEYS_MAX * KEY_BYTES {
        return Err(Error::Full);
    }
    let mut bytes = fresh()?;
    let kept = old.len().min((KEYS_MAX - 1) * KEY_BYTES);
    // Reserved at once, so that no copy is left behind where it grew.
    bytes.reserve_exact(kept);
    bytes.extend_from_slice(old.get(..kept).unwrap_or_default());
    let new = path.with_added_extension("new");
    write_new(&new, &bytes).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Error::Busy,
        _ => error.into(),
    })?;
    fs::rename(&new, path)?;
    sync_parent(path)?;
    Ok(bytes)
}

fn fresh() -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut bytes = Zeroizing::new(vec![0; KEY_BYTES]);
    rand::fill(&mut bytes).map_err(|_| Error::Random)?;
    Ok(bytes)
}
