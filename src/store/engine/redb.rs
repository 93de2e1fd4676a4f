//! redb: one file of copy-on-write B-trees; a commit returns after its fsync.

use std::marker::PhantomData;
use std::path::Path;

use redb::{
    Database, DatabaseError, Durability, ReadOnlyDatabase, ReadableDatabase, ReadableTable,
    TableDefinition,
};

use super::super::Error;
use super::{Batch, Direction, Range, Row, Table, value};
use crate::files;

const FILE: &str = "state.redb";
/// Memory for pages; the whole state of a busy server is tens of megabytes.
const CACHE_BYTES: usize = 16 << 20;

/// An open redb file.
#[derive(Debug)]
pub(in crate::store) struct Redb(Database);

/// A read transaction; it does not outlive its engine, so that a file can be closed and opened again.
pub(in crate::store) struct View<'a>(redb::ReadTransaction, PhantomData<&'a Redb>);

fn definition(table: Table) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(table.name())
}

fn failed(error: impl Into<redb::Error>) -> Error {
    match error.into() {
        redb::Error::Io(error) => Error::Io(error),
        other => Error::Engine(other.to_string()),
    }
}

impl Redb {
    pub(super) fn open(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(FILE);
        // Made here, so that nobody else may read it from its first moment on.
        drop(files::private(&path)?);
        let database = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .create(&path)
            .map_err(|error| match error {
                DatabaseError::DatabaseAlreadyOpen => Error::Locked,
                other => Error::Open(other.to_string()),
            })?;
        files::sync_dir(dir)?;
        let engine = Self(database);
        engine.create_tables()?;
        Ok(engine)
    }

    /// One value of a file that is not ours to open: nothing is written, not even a repair. `None` where there is
    /// no such file or value.
    pub(super) fn peek(dir: &Path, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let path = dir.join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        let database = ReadOnlyDatabase::open(&path).map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => Error::Locked,
            other => Error::Open(other.to_string()),
        })?;
        View(database.begin_read().map_err(failed)?, PhantomData).get(table, key)
    }

    /// Reads would fail on a table that nothing was ever written to. Writes nothing where all are there, so that
    /// opening works on a full disk.
    fn create_tables(&self) -> Result<(), Error> {
        let view = self.0.begin_read().map_err(failed)?;
        let is_there = |table: &Table| view.open_table(definition(*table)).is_ok();
        if Table::ALL.iter().all(is_there) {
            return Ok(());
        }
        drop(view);
        let transaction = self.0.begin_write().map_err(failed)?;
        for table in Table::ALL {
            transaction.open_table(definition(*table)).map_err(failed)?;
        }
        transaction.commit().map_err(failed)
    }

    pub(super) fn snapshot(&self) -> Result<View<'_>, Error> {
        Ok(View(self.0.begin_read().map_err(failed)?, PhantomData))
    }

    pub(super) fn commit(&self, batch: &Batch) -> Result<(), Error> {
        let mut transaction = self.0.begin_write().map_err(failed)?;
        transaction
            .set_durability(Durability::Immediate)
            .map_err(failed)?;
        for table in Table::ALL {
            let mut open = None;
            let rows = batch
                .0
                .range((*table, Vec::new())..)
                .take_while(|((t, _), _)| t == table);
            for ((_, key), change) in rows {
                if open.is_none() {
                    open = Some(transaction.open_table(definition(*table)).map_err(failed)?);
                }
                let Some(open) = open.as_mut() else { continue };
                let old = match change {
                    Some(payload) => {
                        let sealed = value::seal(*table, key, payload);
                        open.insert(key.as_slice(), sealed.as_slice())
                    }
                    None => open.remove(key.as_slice()),
                };
                drop(old.map_err(failed)?);
            }
        }
        transaction.commit().map_err(failed)
    }
}

impl View<'_> {
    pub(super) fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let open = self.0.open_table(definition(table)).map_err(failed)?;
        match ReadableTable::get(&open, key).map_err(failed)? {
            Some(guard) => value::open(table, key, guard.value()).map(Some),
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
        let open = self.0.open_table(definition(table)).map_err(failed)?;
        let mut rows = ReadableTable::range::<&[u8]>(&open, range.bounds()).map_err(failed)?;
        let mut found = Vec::new();
        while found.len() < limit {
            let next = match direction {
                Direction::Forward => rows.next(),
                Direction::Reverse => rows.next_back(),
            };
            let Some(row) = next else { break };
            let (key, bytes) = row.map_err(failed)?;
            let payload = value::open(table, key.value(), bytes.value())?;
            found.push((key.value().to_vec(), payload));
        }
        Ok(found)
    }
}
