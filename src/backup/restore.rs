//! A data directory out of a backup. It is made beside its place and moved there when it is whole.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::archive::read;
use super::{Error, FILES, Manifest, ROWS, copy_keys, key_id};
use crate::files;
use crate::store::{self, EngineKind};
use crate::wal;

/// Makes a data directory of a backup and of key files, where there are some; blocks. Says whether all keys were there.
///
/// # Errors
/// [`Error::Occupied`] where `data_dir` has something in it, [`Error::Archive`] where the backup is damaged. Nothing is
/// left behind then.
pub fn restore(
    archive: impl Read,
    keys: &Path,
    data_dir: &Path,
    engine: EngineKind,
) -> Result<(Manifest, bool), Error> {
    let is_there = is_free(data_dir)?;
    // Beside its place, to be moved there in one step; within it where it is there, as it may be a mount.
    let making = match is_there {
        true => data_dir.join(MAKING),
        false => beside(data_dir),
    };
    if !is_there && let Some(parent) = data_dir.parent() {
        files::private_dir(parent).map_err(Error::file(&parent.to_string_lossy()))?;
    }
    match files::new_private_dir(&making) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(Error::Leftover(making));
        }
        made => made.map_err(Error::file(&making.to_string_lossy()))?,
    }
    let made = make(archive, keys, &making, engine).and_then(|made| {
        let moved = match is_there {
            true => move_within(&making, data_dir),
            false => fs::rename(&making, data_dir).and_then(|()| files::sync_parent(data_dir)),
        };
        moved.map_err(Error::file(&data_dir.to_string_lossy()))?;
        Ok(made)
    });
    if made.is_err()
        && let Err(error) = fs::remove_dir_all(&making)
    {
        tracing::warn!(%error, "a half restored directory stays");
    }
    made
}

/// Where it is made within its place.
const MAKING: &str = ".restoring";

/// Whether a restore into the directory is under way, or did not end: what is there is not whole.
#[must_use]
pub fn is_being_restored(data_dir: &Path) -> bool {
    data_dir.join(MAKING).exists()
}

/// Whether the directory is there, with nothing of anybody's in it.
fn is_free(data_dir: &Path) -> Result<bool, Error> {
    let entries = match fs::read_dir(data_dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound && !data_dir.is_symlink() => {
            return Ok(false);
        }
        Err(error) => return Err(Error::file(&data_dir.to_string_lossy())(error)),
    };
    if is_being_restored(data_dir) {
        return Err(Error::Leftover(data_dir.join(MAKING)));
    }
    for entry in entries {
        let name = entry
            .map_err(Error::file(&data_dir.to_string_lossy()))?
            .file_name();
        match name.to_str() {
            // Of a file system's own.
            Some("lost+found") => {}
            _ => return Err(Error::Occupied(data_dir.to_owned())),
        }
    }
    Ok(true)
}

/// `data` becomes `data.restoring`.
fn beside(data_dir: &Path) -> PathBuf {
    let name = data_dir.file_name().unwrap_or(data_dir.as_os_str());
    let mut name = OsString::from(name);
    name.push(MAKING);
    data_dir.with_file_name(name)
}

/// Moves what was made one level up, the log last: without it nothing is taken for whole.
fn move_within(making: &Path, data_dir: &Path) -> io::Result<()> {
    let mut names = Vec::new();
    for entry in fs::read_dir(making)? {
        names.push(entry?.file_name());
    }
    names.sort_by_key(|name| name == wal::FOLDER);
    let is_there = |name: &OsString| data_dir.join(name).exists();
    if names.iter().any(is_there) {
        return Err(ErrorKind::DirectoryNotEmpty.into());
    }
    for name in names {
        fs::rename(making.join(&name), data_dir.join(&name))?;
    }
    fs::remove_dir(making)?;
    files::sync_dir(data_dir)
}

fn make(
    archive: impl Read,
    keys: &Path,
    dir: &Path,
    engine: EngineKind,
) -> Result<(Manifest, bool), Error> {
    let log = dir.join(wal::FOLDER);
    files::new_private_dir(&log).map_err(Error::file(wal::FOLDER))?;
    let receipts = log.join(wal::RECEIPTS);
    files::new_private_dir(&receipts).map_err(Error::file(wal::RECEIPTS))?;
    let manifest = read(archive, |name, file| {
        let mut out = match files::new_private(&dir.join(name)) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Err(Error::Archive(format!("{name} is in the backup twice")));
            }
            out => out.map_err(Error::file(name))?,
        };
        let written = io::copy(file, &mut out).and_then(|_bytes| out.sync_all());
        written.map_err(Error::file(name))
    })?;
    are_small_files_whole(dir)?;
    load_rows(dir, engine)?;
    is_log_whole(dir, &manifest)?;
    // Keys of another server would make what they cannot open look lost.
    let is_right = manifest.tag_key.is_none() || key_id(keys) == manifest.tag_key;
    let has_keys = is_right && copy_keys(keys, dir)?;
    files::sync_dir(&receipts).map_err(Error::file(wal::RECEIPTS))?;
    files::sync_dir(&log).map_err(Error::file(wal::FOLDER))?;
    files::sync_dir(dir).map_err(Error::file("data directory"))?;
    Ok((manifest, has_keys))
}

fn are_small_files_whole(dir: &Path) -> Result<(), Error> {
    for name in FILES {
        let bytes = match fs::read(dir.join(name)) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            bytes => bytes.map_err(Error::file(name))?,
        };
        if serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_err() {
            return Err(Error::Archive(format!("{name} in the backup is damaged")));
        }
    }
    Ok(())
}

fn load_rows(dir: &Path, engine: EngineKind) -> Result<(), Error> {
    let path = dir.join(ROWS);
    let file = match File::open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(Error::Archive(
                "the state is missing from the backup".into(),
            ));
        }
        file => file.map_err(Error::file(ROWS))?,
    };
    match store::load(&dir.join("store"), engine, &mut BufReader::new(file)) {
        Err(store::Error::Io(error))
            if matches!(
                error.kind(),
                ErrorKind::InvalidData | ErrorKind::UnexpectedEof
            ) =>
        {
            return Err(Error::Archive("the state in the backup is damaged".into()));
        }
        loaded => loaded?,
    };
    fs::remove_file(&path).map_err(Error::file(ROWS))
}

fn is_log_whole(dir: &Path, manifest: &Manifest) -> Result<(), Error> {
    let log = wal::verify(dir, |_done, _all| {})?;
    let is_known = log.damage.iter().all(|damage| damage.is_known);
    if !is_known || log.damaged > log.damage.len() as u64 {
        return Err(Error::Archive("the log in the backup is damaged".into()));
    }
    let known = store::known_checkpoint(&dir.join("store"))?;
    let is_short = log.segments == 0 || known.is_some_and(|known| known > log.end);
    if is_short || (log.first, log.end) != (manifest.first, manifest.end) {
        let text = "the log in the backup is not as long as the backup says";
        return Err(Error::Archive(text.into()));
    }
    Ok(())
}
