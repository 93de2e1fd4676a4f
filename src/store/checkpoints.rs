//! How far a reader of the log has come, with the state it had there.

use std::path::Path;

use super::engine::{Engine, Table};
use super::tx::Tx;
use super::{Error, Store};
use crate::model::Offset;

/// A reader's place in the log and its own state at that place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Behind the last event that is in the state.
    pub offset: Offset,
    /// The state, in the reader's own format.
    pub state: Vec<u8>,
}

fn key(name: &str) -> Vec<u8> {
    format!("checkpoint/{name}").into_bytes()
}

/// The checkpoint of a reader.
pub(super) fn read(tx: &Tx<'_>, name: &str) -> Result<Option<Checkpoint>, Error> {
    let Some(bytes) = tx.get(Table::Meta, &key(name))? else {
        return Ok(None);
    };
    let (offset, state) = bytes.split_first_chunk::<8>().ok_or(Error::Damaged {
        table: Table::Meta.name(),
    })?;
    Ok(Some(Checkpoint {
        offset: Offset(u64::from_le_bytes(*offset)),
        state: state.to_vec(),
    }))
}

/// Replaces the checkpoint of a reader.
pub(super) fn write(tx: &mut Tx<'_>, name: &str, offset: Offset, state: &[u8]) {
    let mut bytes = offset.0.to_le_bytes().to_vec();
    bytes.extend_from_slice(state);
    tx.put(Table::Meta, &key(name), bytes);
}

/// Forgets the checkpoint of a reader.
pub(super) fn remove(tx: &mut Tx<'_>, name: &str) {
    tx.delete(Table::Meta, &key(name));
}

/// How far detection had come, of a store that is not open here. Writes nothing. `None` where there is
/// no checkpoint.
///
/// # Errors
/// [`Error::Locked`] where a server has the store open, [`Error::Open`] where it was not closed in order.
pub fn known_checkpoint(dir: &Path) -> Result<Option<Offset>, Error> {
    let Some(bytes) = Engine::peek(dir, Table::Meta, &key(super::findings::READER))? else {
        return Ok(None);
    };
    let offset = bytes.first_chunk::<8>().ok_or(Error::Damaged {
        table: Table::Meta.name(),
    })?;
    Ok(Some(Offset(u64::from_le_bytes(*offset))))
}

impl Store {
    /// The checkpoint of the reader called `name`.
    pub fn checkpoint(&self, name: &str) -> Result<Option<Checkpoint>, Error> {
        self.view(|tx| read(tx, name))
    }
}
