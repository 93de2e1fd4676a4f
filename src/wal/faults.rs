//! A disk that does what a test tells it to.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use super::disk::Call;

/// The kinds of calls that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Create,
    Write,
    Sync,
    SyncDir,
    SetLen,
    Rename,
    Remove,
}

/// One call as it was made, with what it wrote.
#[derive(Clone, Debug)]
pub(super) enum Made {
    Create(PathBuf),
    Write(PathBuf, Vec<u8>, u64),
    Sync(PathBuf),
    SyncDir,
    SetLen(PathBuf, u64),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    /// Not a call: the test notes that so many events are acknowledged.
    Acked(u64),
}

#[derive(Debug, Default)]
pub(super) struct Faults {
    /// Which calls fail, how many of them, and with which error number.
    plan: Mutex<Vec<(Kind, u32, i32)>>,
    /// Bytes that a failing write puts down all the same.
    short: AtomicUsize,
    /// Bytes that still fit on the disk; less than 0 for no bound.
    room: AtomicI64,
    pub(super) journal: Mutex<Option<Vec<Made>>>,
}

impl Faults {
    pub(super) fn none() -> Self {
        let faults = Self::default();
        faults.room.store(-1, Ordering::SeqCst);
        faults
    }

    /// The next `times` calls of a kind fail.
    pub(super) fn fail(&self, kind: Kind, times: u32, errno: i32) {
        self.plan.lock().unwrap().push((kind, times, errno));
    }

    pub(super) fn short_writes(&self, bytes: usize) {
        self.short.store(bytes, Ordering::SeqCst);
    }

    /// Room for so many bytes; without a number, for all.
    pub(super) fn room(&self, bytes: Option<i64>) {
        self.room.store(bytes.unwrap_or(-1), Ordering::SeqCst);
    }

    /// Notes all calls from now on.
    pub(super) fn record(&self) {
        *self.journal.lock().unwrap() = Some(Vec::new());
    }

    pub(super) fn note(&self, made: Made) {
        if let Some(journal) = self.journal.lock().unwrap().as_mut() {
            journal.push(made);
        }
    }

    pub(super) fn short(&self) -> usize {
        self.short.load(Ordering::SeqCst)
    }

    pub(super) fn ask(&self, call: &Call<'_>) -> io::Result<()> {
        let (kind, made) = describe(call);
        for (planned, times, errno) in self.plan.lock().unwrap().iter_mut() {
            if *planned == kind && *times > 0 {
                *times -= 1;
                return Err(io::Error::from_raw_os_error(*errno));
            }
        }
        if let Call::Write(_, bytes, _) = call {
            let room = self.room.load(Ordering::SeqCst);
            let bytes = i64::try_from(bytes.len()).unwrap();
            if room >= 0 && room < bytes {
                return Err(io::Error::from_raw_os_error(28));
            }
            if room >= 0 {
                self.room.fetch_sub(bytes, Ordering::SeqCst);
            }
        }
        self.note(made);
        Ok(())
    }
}

fn describe(call: &Call<'_>) -> (Kind, Made) {
    let own = |path: &Path| path.to_path_buf();
    match call {
        Call::Create(path) => (Kind::Create, Made::Create(own(path))),
        Call::Write(path, bytes, at) => (Kind::Write, Made::Write(own(path), bytes.to_vec(), *at)),
        Call::Sync(path) => (Kind::Sync, Made::Sync(own(path))),
        Call::SyncDir => (Kind::SyncDir, Made::SyncDir),
        Call::SetLen(path, length) => (Kind::SetLen, Made::SetLen(own(path), *length)),
        Call::Rename(from, to) => (Kind::Rename, Made::Rename(own(from), own(to))),
        Call::Remove(path) => (Kind::Remove, Made::Remove(own(path))),
    }
}
