//! sled, made durable. Its `flush` only asks the kernel to start writing (`sync_file_range`), so every batch is
//! followed by an fsync of the database file; and it panics on damaged files, so every call into it is caught.
//! One tree with the table as the first byte of the key: a batch over several trees would not be atomic.

use std::fs::File;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use super::super::Error;
use super::{Batch, Direction, Range, Row, Table, value};
use crate::clock::Stopwatch;
use crate::files;

const DIR: &str = "state.sled";
/// The file inside its directory that holds everything.
const FILE: &str = "db";
const CACHE_BYTES: u64 = 16 << 20;
/// How long a lock is waited for: a database that was dropped keeps its lock until its own threads have ended.
const LOCK_WAIT: Duration = Duration::from_secs(2);
const LOCK_NAP: Duration = Duration::from_millis(20);

/// An open sled database. The lock makes snapshots of what has none: views read, commits write.
#[derive(Debug)]
pub(in crate::store) struct Sled {
    tree: sled::Db,
    dir: PathBuf,
    views: RwLock<()>,
}

/// A view that holds commits off while it lives.
pub(in crate::store) struct View<'a> {
    tree: &'a sled::Db,
    _views: RwLockReadGuard<'a, ()>,
}

fn failed(error: sled::Error) -> Error {
    match error {
        sled::Error::Io(error) => Error::Io(error),
        other => Error::Engine(other.to_string()),
    }
}

/// Runs a call into sled, which answers damage with a panic.
fn caught<T>(call: impl FnOnce() -> Result<T, sled::Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(call))
        .map_err(|_panic| Error::Engine("sled gave up on its file".into()))?
        .map_err(failed)
}

fn tag(table: Table) -> u8 {
    let at = Table::ALL
        .iter()
        .position(|t| *t == table)
        .unwrap_or_default();
    u8::try_from(at).unwrap_or(u8::MAX)
}

fn full_key(table: Table, key: &[u8]) -> Vec<u8> {
    let mut full = Vec::with_capacity(key.len().saturating_add(1));
    full.push(tag(table));
    full.extend_from_slice(key);
    full
}

fn open_once(dir: &Path) -> Result<sled::Db, Error> {
    caught(|| {
        sled::Config::new()
            .path(dir)
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(None)
            .open()
    })
    .map_err(|error| match error {
        Error::Io(error) if error.to_string().contains("could not acquire lock") => Error::Locked,
        other => Error::Open(other.to_string()),
    })
}

impl Sled {
    pub(super) fn open(dir: &Path) -> Result<Self, Error> {
        let dir = dir.join(DIR);
        let watch = Stopwatch::start();
        let tree = loop {
            match open_once(&dir) {
                Err(Error::Locked) if watch.elapsed() < LOCK_WAIT => std::thread::sleep(LOCK_NAP),
                other => break other?,
            }
        };
        files::make_private(&dir.join(FILE))?;
        let engine = Self {
            tree,
            dir,
            views: RwLock::new(()),
        };
        engine.sync()?;
        Ok(engine)
    }

    pub(super) fn snapshot(&self) -> View<'_> {
        View {
            tree: &self.tree,
            _views: self.views.read().unwrap_or_else(PoisonError::into_inner),
        }
    }

    pub(super) fn commit(&self, batch: &Batch) -> Result<(), Error> {
        let mut changes = sled::Batch::default();
        for ((table, key), change) in &batch.0 {
            let full = full_key(*table, key);
            match change {
                Some(payload) => changes.insert(full, value::seal(*table, key, payload)),
                None => changes.remove(full),
            }
        }
        let _alone = self.views.write().unwrap_or_else(PoisonError::into_inner);
        caught(|| self.tree.apply_batch(changes))?;
        self.sync()
    }

    /// The fsync that `flush` is not.
    fn sync(&self) -> Result<(), Error> {
        let _bytes = caught(|| self.tree.flush())?;
        File::open(self.dir.join(FILE))?.sync_all()?;
        Ok(files::sync_dir(&self.dir)?)
    }
}

impl View<'_> {
    pub(super) fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        match caught(|| self.tree.get(full_key(table, key)))? {
            Some(bytes) => value::open(table, key, &bytes).map(Some),
            None => Ok(None),
        }
    }

    pub(super) fn scan(
        &self,
        table: Table,
        range: &Range,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Row>, Error> {
        let (from, to) = range.bounds();
        let from = match from {
            Bound::Unbounded => Bound::Included(vec![tag(table)]),
            bound => bound.map(|key| full_key(table, key)),
        };
        let to = match to {
            Bound::Unbounded => Bound::Excluded(vec![tag(table).saturating_add(1)]),
            bound => bound.map(|key| full_key(table, key)),
        };
        let mut rows = self.tree.range((from, to));
        let mut found = Vec::new();
        while found.len() < limit {
            let next = caught(|| {
                match direction {
                    Direction::Forward => rows.next(),
                    Direction::Reverse => rows.next_back(),
                }
                .transpose()
            })?;
            let Some((full, bytes)) = next else { break };
            let key = full.get(1..).unwrap_or_default().to_vec();
            let payload = value::open(table, &key, &bytes)?;
            found.push((key, payload));
        }
        Ok(found)
    }
}
