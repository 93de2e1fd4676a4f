//! The key files, which stay out of backups and are copied beside them.

use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::Error;
use crate::redact::TagKey;

/// Key files below a data directory.
pub const KEYS: [&str; 2] = ["tag.key", "store/secret.key"];

/// The directory of the key files beside a backup: `wardline-….tar` has `wardline-….keys`.
#[must_use]
pub fn keys_of(backup: &Path) -> PathBuf {
    backup.with_extension("keys")
}

/// The id of the key in use of a directory with key files; `None` where it cannot be read.
#[must_use]
pub fn key_id(dir: &Path) -> Option<String> {
    let key = TagKey::open(&dir.join(KEYS[0])).ok()?;
    Some(key.id().to_owned())
}

/// Copies the key files, those that are there, to where none are yet; says whether all are.
///
/// # Errors
/// Where one cannot be read or written.
pub fn copy_keys(from: &Path, to: &Path) -> Result<bool, Error> {
    let mut has_all = true;
    for name in KEYS {
        match fs::read(from.join(name)).map(Zeroizing::new) {
            Ok(bytes) => write(&to.join(name), &bytes).map_err(Error::file(name))?,
            Err(error) if error.kind() == ErrorKind::NotFound => has_all = false,
            Err(error) => return Err(Error::file(name)(error)),
        }
    }
    Ok(has_all)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let mut file = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    File::open(dir)?.sync_all()
}
