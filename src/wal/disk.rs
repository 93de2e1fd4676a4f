//! The file calls the log makes, in one place, so that tests can make them fail or cut the power
//! between two of them.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// An open file of the log.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) file: File,
    pub(super) path: PathBuf,
}

/// Where file calls go.
#[derive(Clone, Debug, Default)]
pub(super) enum Disk {
    /// To the file system.
    #[default]
    Real,
    /// To the file system, unless the test says otherwise.
    #[cfg(test)]
    Faulty(std::sync::Arc<super::faults::Faults>),
}

/// One file call that changes something, for a test to see, refuse or replay.
#[cfg_attr(not(test), expect(dead_code, reason = "only tests look at it"))]
#[derive(Debug)]
pub(super) enum Call<'a> {
    Create(&'a Path),
    Write(&'a Path, &'a [u8], u64),
    Sync(&'a Path),
    SyncDir,
    SetLen(&'a Path, u64),
    Rename(&'a Path, &'a Path),
    Remove(&'a Path),
}

impl Disk {
    #[cfg_attr(
        not(test),
        expect(
            clippy::unused_self,
            clippy::unnecessary_wraps,
            reason = "tests decide by self"
        )
    )]
    fn ask(&self, _call: &Call<'_>) -> io::Result<()> {
        #[cfg(test)]
        if let Self::Faulty(faults) = self {
            return faults.ask(_call);
        }
        Ok(())
    }

    /// A new empty file, or an old one emptied.
    pub(super) fn create(&self, path: &Path) -> io::Result<Handle> {
        self.ask(&Call::Create(path))?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)?;
        Ok(Handle {
            file,
            path: path.into(),
        })
    }

    /// A file that exists, for reading and writing.
    pub(super) fn open(path: &Path) -> io::Result<Handle> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        Ok(Handle {
            file,
            path: path.into(),
        })
    }

    pub(super) fn write_at(&self, handle: &Handle, bytes: &[u8], position: u64) -> io::Result<()> {
        let asked = self.ask(&Call::Write(&handle.path, bytes, position));
        #[cfg(test)]
        if asked.is_err()
            && let Self::Faulty(faults) = self
        {
            // A write that fails may have put some of its bytes down.
            let some = bytes
                .get(..faults.short().min(bytes.len()))
                .unwrap_or_default();
            handle.file.write_all_at(some, position)?;
        }
        asked?;
        handle.file.write_all_at(bytes, position)
    }

    /// Makes the file's bytes and length durable. After an error the file must not be trusted, nor
    /// synced again.
    pub(super) fn sync(&self, handle: &Handle) -> io::Result<()> {
        self.ask(&Call::Sync(&handle.path))?;
        handle.file.sync_data()
    }

    /// Makes names in the directory durable.
    pub(super) fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.ask(&Call::SyncDir)?;
        File::open(dir)?.sync_all()
    }

    pub(super) fn set_len(&self, handle: &Handle, length: u64) -> io::Result<()> {
        self.ask(&Call::SetLen(&handle.path, length))?;
        handle.file.set_len(length)
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.ask(&Call::Rename(from, to))?;
        fs::rename(from, to)
    }

    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        self.ask(&Call::Remove(path))?;
        fs::remove_file(path)
    }

    /// Puts a whole file in place: it has either its old or its new bytes, whatever happens.
    pub(super) fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<Handle> {
        let draft = path.with_extension("tmp");
        let handle = self.create(&draft)?;
        self.write_at(&handle, bytes, 0)?;
        self.sync(&handle)?;
        self.rename(&draft, path)?;
        if let Some(dir) = path.parent() {
            self.sync_dir(dir)?;
        }
        Ok(Handle {
            file: handle.file,
            path: path.into(),
        })
    }
}
