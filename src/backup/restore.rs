//! A data directory out of a backup. It is made beside its place and moved there when it is whole.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File};
use std::io::{self, BufReader, ErrorKind, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::archive::read;
use super::{Error, Manifest, ROWS};
use crate::store::{self, EngineKind};
use crate::wal;

/// Makes a data directory of a backup; blocks. Key files are not in it.
///
/// # Errors
/// [`Error::Occupied`] where `data_dir` has something in it, [`Error::Archive`] where the backup is damaged. Nothing is
/// left behind then.
pub fn restore(archive: impl Read, data_dir: &Path, engine: EngineKind) -> Result<Manifest, Error> {
    let is_free = match fs::read_dir(data_dir) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == ErrorKind::NotFound,
    };
    if !is_free {
        return Err(Error::Occupied(data_dir.to_owned()));
    }
    let making = beside(data_dir);
    private_dir(&making)?;
    let made = make(archive, &making, engine).and_then(|manifest| {
        // An empty directory may be there; one with something in it is not replaced.
        fs::rename(&making, data_dir).map_err(Error::file(&data_dir.to_string_lossy()))?;
        sync_dir(data_dir.parent().unwrap_or(Path::new(".")))?;
        Ok(manifest)
    });
    if made.is_err()
        && let Err(error) = fs::remove_dir_all(&making)
    {
        tracing::warn!(%error, "a half restored directory stays");
    }
    made
}

/// `data` becomes `data.restoring`.
fn beside(data_dir: &Path) -> PathBuf {
    let name = data_dir.file_name().unwrap_or(data_dir.as_os_str());
    let mut name = OsString::from(name);
    name.push(".restoring");
    data_dir.with_file_name(name)
}

fn make(archive: impl Read, dir: &Path, engine: EngineKind) -> Result<Manifest, Error> {
    private_dir(&dir.join("wal"))?;
    let manifest = read(archive, |name, file| {
        let written = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(dir.join(name))
            .and_then(|mut out| io::copy(file, &mut out).and_then(|_bytes| out.sync_all()));
        written.map_err(Error::file(name))
    })?;
    let rows = dir.join(ROWS);
    let mut input = BufReader::new(File::open(&rows).map_err(Error::file(ROWS))?);
    store::load(&dir.join("store"), engine, &mut input)?;
    fs::remove_file(&rows).map_err(Error::file(ROWS))?;
    let log = wal::verify(dir, |_done, _all| {})?;
    let is_known = log.damage.iter().all(|damage| damage.is_known);
    if !is_known || log.damaged > log.damage.len() as u64 {
        return Err(Error::Archive("the log in the backup is damaged".into()));
    }
    if log.end != manifest.end {
        let text = format!(
            "the log ends at {}, the backup says {}",
            log.end.0, manifest.end.0
        );
        return Err(Error::Archive(text));
    }
    sync_dir(&dir.join("wal"))?;
    sync_dir(dir)?;
    Ok(manifest)
}

fn private_dir(dir: &Path) -> Result<(), Error> {
    let mut builder = DirBuilder::new();
    let made = builder.mode(0o700).create(dir);
    made.map_err(Error::file(&dir.to_string_lossy()))
}

fn sync_dir(dir: &Path) -> Result<(), Error> {
    let dir = if dir.as_os_str().is_empty() {
        Path::new(".")
    } else {
        dir
    };
    let synced = File::open(dir).and_then(|dir| dir.sync_all());
    synced.map_err(Error::file(&dir.to_string_lossy()))
}
