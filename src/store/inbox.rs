//! Letters to a store that another process has open. A running server owns its state file, so the command line
//! leaves a small file beside it: `wardline key create` works before the first start and while the server runs.
//! The directory is for this user alone; who can write here could also replace the state file.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{ApiKey, Error, Store, access, ids};
use crate::clock::Clock;
use crate::files;

const DIR: &str = "inbox";
/// Letters taken in one go.
const LETTERS_MAX: usize = 1_000;
const LETTER_BYTES_MAX: u64 = 64 << 10;

/// Something another process asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Letter {
    /// Add this key, unless its id is known.
    AddKey(ApiKey),
}

/// Leaves a letter for the store under `dir`. It is durable on return and counts from the next
/// [`Store::collect_inbox`] or [`Store::open`] on.
///
/// # Errors
/// [`Error::Io`].
pub fn leave(dir: &Path, letter: &Letter, clock: &Clock) -> Result<(), Error> {
    files::private_dir(dir)?;
    let dir = dir.join(DIR);
    files::private_dir(&dir)?;
    let name = ids::fresh("", clock.now())?;
    let bytes = serde_json::to_vec(letter).map_err(|error| Error::Engine(error.to_string()))?;
    let draft = dir.join(format!("{name}.draft"));
    let mut file = files::private(&draft)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    fs::rename(&draft, dir.join(format!("{name}.json")))?;
    files::sync_dir(&dir)?;
    Ok(())
}

impl Store {
    /// Takes in what other processes left; returns how many letters. Cheap where there are none: one look at
    /// a directory.
    ///
    /// # Errors
    /// [`Error::Io`], or the store's own.
    pub fn collect_inbox(&self) -> Result<usize, Error> {
        let letters = waiting(&self.0.dir.join(DIR))?;
        for path in &letters {
            match read(path) {
                Ok(letter) => self.take(&letter)?,
                // Somebody else takes letters at the same moment: housekeeping, another request.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(_) => tracing::warn!("a letter in the inbox cannot be read and was removed"),
            }
            match fs::remove_file(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(letters.len())
    }

    fn take(&self, letter: &Letter) -> Result<(), Error> {
        let (now, options) = (self.0.clock.now(), self.options());
        let taken = self.update(|tx| match letter {
            Letter::AddKey(key) => access::add_key(tx, key, now, options.keys_max),
        });
        match taken {
            // Taken before, by a process that died before it could remove the letter.
            Err(Error::Conflict { .. }) => Ok(()),
            Err(error @ Error::Full { .. }) => {
                tracing::warn!(%error, "a letter in the inbox was refused");
                Ok(())
            }
            other => other,
        }
    }
}

fn waiting(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut letters = Vec::new();
    for entry in entries.take(LETTERS_MAX) {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            letters.push(path);
        }
    }
    letters.sort();
    Ok(letters)
}

fn read(path: &Path) -> std::io::Result<Letter> {
    let mut bytes = Vec::new();
    fs::File::open(path)?
        .take(LETTER_BYTES_MAX)
        .read_to_end(&mut bytes)?;
    Ok(serde_json::from_slice(&bytes)?)
}
