//! The key files, which stay out of backups and are copied beside them.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::Error;
use crate::files;
use crate::redact::TagKey;
use crate::wal;

/// Key files below a data directory.
pub const KEYS: [&str; 3] = ["tag.key", "store/secret.key", wal::RECEIPT_KEY];

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
            Ok(bytes) => {
                let path = to.join(name);
                let dir = path.parent().unwrap_or(to);
                let written =
                    files::private_dir(dir).and_then(|()| files::write_new(&path, &bytes));
                written.map_err(Error::file(name))?;
            }
            Err(error) if error.kind() == ErrorKind::NotFound => has_all = false,
            Err(error) => return Err(Error::file(name)(error)),
        }
    }
    Ok(has_all)
}
