//! The seam to the embedded database: tables of ordered keys, reads on a snapshot, and one atomic durable
//! batch over several tables. Everything above it is the same on either engine; the contract in `tests.rs`
//! runs against both. Why redb is the default: `docs/decisions/0001-store-engine.md`.

mod redb;
#[cfg(feature = "store-sled")]
mod sled;
#[cfg(test)]
mod tests;
mod value;

use std::collections::BTreeMap;
use std::io::Write;
use std::ops::Bound;
use std::path::Path;

use serde::Deserialize;

use super::Error;
use crate::files;

/// Which embedded database holds the state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// redb: one file, copy-on-write tree, fsync in every commit.
    #[default]
    Redb,
    /// sled, with an explicit fsync after every batch.
    #[cfg(feature = "store-sled")]
    Sled,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Redb => "redb",
            #[cfg(feature = "store-sled")]
            Self::Sled => "sled",
        }
    }
}

/// Names the engine that has written state here.
const MARK_FILE: &str = "engine";
/// The row by which a state is known to be one of ours; its value is the layout's version.
const FORMAT: &[u8] = b"format";

macro_rules! tables {
    ($($name:ident $text:literal $doc:literal;)*) => {
        /// The tables, a closed set. The order is the on-disk tag of the sled engine: append only.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(super) enum Table { $(#[doc = $doc] $name,)* }

        impl Table {
            /// Every table.
            pub(super) const ALL: &'static [Table] = &[$(Table::$name,)*];

            /// The name on disk and in errors.
            pub(super) fn name(self) -> &'static str {
                match self { $(Table::$name => $text,)* }
            }
        }
    };
}

tables! {
    Meta "meta" "Single records by name: checkpoints, counts, the setup token.";
    Alerts "alerts" "Alert id to alert.";
    AlertsByTime "alerts_by_time" "Opening time and alert id to status and severity.";
    AlertsByKey "alerts_by_key" "Hash of the dedup key to the newest alert id.";
    History "history" "Alert id and sequence number to a history entry.";
    Messages "messages" "Message id to what it is and whom it is for.";
    Bodies "bodies" "Message id to the bytes that are sent.";
    MessagesByAlert "messages_by_alert" "Alert id and message id.";
    Deliveries "deliveries" "Endpoint id and message id to a delivery.";
    Due "due" "Endpoint id, time and message id of the deliveries that wait.";
    Attempts "attempts" "Endpoint id and sequence number to an attempt.";
    Endpoints "endpoints" "Endpoint id to endpoint.";
    Secrets "endpoint_secrets" "Endpoint id to its sealed signing secrets.";
    Health "endpoint_health" "Endpoint id to what delivering to it has been like.";
    Keys "api_keys" "Key id to API key.";
    Sessions "sessions" "Token hash to session.";
    Sources "sources" "Source name to when it was seen.";
    AlertsByRequest "alerts_by_request" "Hash of a form of a correlation id, opening time and alert id.";
}

/// A contiguous part of a table.
#[derive(Clone, Debug)]
pub(super) struct Range {
    from: Bound<Vec<u8>>,
    to: Bound<Vec<u8>>,
}

impl Range {
    /// Every key that starts with `prefix`.
    pub(super) fn prefix(prefix: &[u8]) -> Self {
        let mut end = prefix.to_vec();
        while end.last() == Some(&u8::MAX) {
            end.pop();
        }
        let to = match end.last_mut() {
            Some(last) => {
                *last = last.saturating_add(1);
                Bound::Excluded(end)
            }
            None => Bound::Unbounded,
        };
        Self {
            from: Bound::Included(prefix.to_vec()),
            to,
        }
    }

    /// The same part without what lies at or behind `key`.
    pub(super) fn before(mut self, key: &[u8]) -> Self {
        self.to = Bound::Excluded(key.to_vec());
        self
    }

    /// The same part without what lies at or ahead of `key`.
    pub(super) fn after(mut self, key: &[u8]) -> Self {
        self.from = Bound::Excluded(key.to_vec());
        self
    }

    /// Whether no key can lie inside (engines may refuse such bounds).
    pub(super) fn is_empty(&self) -> bool {
        match (&self.from, &self.to) {
            (Bound::Included(from), Bound::Included(to)) => from > to,
            (
                Bound::Included(from) | Bound::Excluded(from),
                Bound::Included(to) | Bound::Excluded(to),
            ) => from >= to,
            _ => false,
        }
    }

    /// Both ends.
    pub(super) fn bounds(&self) -> (Bound<&[u8]>, Bound<&[u8]>) {
        (
            self.from.as_ref().map(Vec::as_slice),
            self.to.as_ref().map(Vec::as_slice),
        )
    }
}

/// Which end a scan starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// Smallest key first.
    Forward,
    /// Largest key first.
    Reverse,
}

/// A key and its value.
pub(super) type Row = (Vec<u8>, Vec<u8>);

/// Changes to be made together or not at all; the last one to a key counts. `None` deletes.
#[derive(Debug, Default)]
pub(super) struct Batch(pub(super) BTreeMap<(Table, Vec<u8>), Option<Vec<u8>>>);

/// An open database.
#[derive(Debug)]
pub(super) enum Engine {
    Redb(redb::Redb),
    #[cfg(feature = "store-sled")]
    Sled(sled::Sled),
}

impl Engine {
    /// One value of a state that may be another process's; writes nothing. `None` also where an engine cannot
    /// be read without writing.
    pub(super) fn peek(dir: &Path, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        redb::Redb::peek(dir, table, key)
    }

    /// Opens or creates the database under `dir`, which must exist. A file beside it remembers that there is one
    /// and of which engine, because an engine may take a ruined or missing file for a new one.
    ///
    /// # Errors
    /// [`Error::Locked`] where another process has it, [`Error::Open`] where it cannot be read or is gone.
    pub(super) fn open(kind: Kind, dir: &Path) -> Result<Self, Error> {
        let mark = dir.join(MARK_FILE);
        let known = match std::fs::read_to_string(&mark) {
            Ok(name) => Some(name),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        if let Some(other) = known.as_deref().filter(|name| name.trim() != kind.name()) {
            let other = other.trim();
            return Err(Error::Open(format!(
                "it was written by the engine {other:?}"
            )));
        }
        let engine = match kind {
            Kind::Redb => Self::Redb(redb::Redb::open(dir)?),
            #[cfg(feature = "store-sled")]
            Kind::Sled => Self::Sled(sled::Sled::open(dir)?),
        };
        if engine.snapshot()?.get(Table::Meta, FORMAT)?.is_none() {
            if known.is_some() {
                return Err(Error::Open("it is empty, but was not before".into()));
            }
            let row = ((Table::Meta, FORMAT.to_vec()), Some(b"1".to_vec()));
            engine.commit(&Batch(BTreeMap::from([row])))?;
        }
        if known.is_none() {
            let mut file = files::private(&mark)?;
            file.write_all(kind.name().as_bytes())?;
            file.sync_all()?;
            files::sync_dir(dir)?;
        }
        Ok(engine)
    }

    /// The state as of now; later commits do not show in it.
    pub(super) fn snapshot(&self) -> Result<Snapshot<'_>, Error> {
        match self {
            Self::Redb(engine) => Ok(Snapshot::Redb(engine.snapshot()?)),
            #[cfg(feature = "store-sled")]
            Self::Sled(engine) => Ok(Snapshot::Sled(engine.snapshot())),
        }
    }

    /// Makes all of `batch` durable, or none of it. On return it survives a power cut.
    pub(super) fn commit(&self, batch: &Batch) -> Result<(), Error> {
        if batch.0.is_empty() {
            return Ok(());
        }
        match self {
            Self::Redb(engine) => engine.commit(batch),
            #[cfg(feature = "store-sled")]
            Self::Sled(engine) => engine.commit(batch),
        }
    }
}

/// An unchanging view of the database.
pub(super) enum Snapshot<'a> {
    Redb(redb::View<'a>),
    #[cfg(feature = "store-sled")]
    Sled(sled::View<'a>),
}

impl Snapshot<'_> {
    /// The value of a key.
    ///
    /// # Errors
    /// [`Error::Damaged`] where the bytes on disk are not those that were written.
    pub(super) fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        match self {
            Self::Redb(view) => view.get(table, key),
            #[cfg(feature = "store-sled")]
            Self::Sled(view) => view.get(table, key),
        }
    }

    /// At most `limit` rows of a part of a table, in key order.
    pub(super) fn scan(
        &self,
        table: Table,
        range: &Range,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Row>, Error> {
        if range.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        match self {
            Self::Redb(view) => view.scan(table, range, direction, limit),
            #[cfg(feature = "store-sled")]
            Self::Sled(view) => view.scan(table, range, direction, limit),
        }
    }
}
