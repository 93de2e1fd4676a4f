//! Where events come from: counted in memory, written with the next commit of findings or every call of
//! [`Store::flush_sources`]. A crash loses the counts since then; they are a convenience, the log is the truth.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::engine::{Direction, Range, Table};
use super::tx::Tx;
use super::{Error, Store};
use crate::model::{Timestamp, rfc3339};

/// One source of events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SourceSeen {
    /// Its name.
    pub name: String,
    /// When its first event arrived.
    #[schema(value_type = String, format = DateTime)]
    #[serde(with = "rfc3339")]
    pub first_seen: Timestamp,
    /// When its last event arrived.
    #[schema(value_type = String, format = DateTime)]
    #[serde(with = "rfc3339")]
    pub last_seen: Timestamp,
    /// How many arrived.
    pub events: u64,
}

struct Entry {
    seen: SourceSeen,
    is_changed: bool,
}

/// The counts in memory.
pub(super) struct Tally {
    sources: Mutex<BTreeMap<String, Entry>>,
    max: usize,
}

impl Tally {
    pub(super) fn new(max: usize) -> Self {
        Self {
            sources: Mutex::default(),
            max,
        }
    }

    /// Puts what has changed into a transaction. Where that fails, the counts stay in memory and are written
    /// with the next change.
    pub(super) fn write(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in sources.values_mut().filter(|entry| entry.is_changed) {
            tx.put_record(Table::Sources, entry.seen.name.as_bytes(), &entry.seen)?;
            entry.is_changed = false;
        }
        Ok(())
    }
}

impl Store {
    /// Counts `events` of a source that arrived at `at`. In memory; beyond `Options::sources_max` names the rest
    /// count as `(other)`.
    pub fn note_source(&self, name: &str, events: u64, at: Timestamp) {
        let tally = &self.0.sources;
        let mut sources = tally.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = sources.len() >= tally.max && !sources.contains_key(name);
        let name = if is_full { "(other)" } else { name };
        if let Some(entry) = sources.get_mut(name) {
            entry.seen.last_seen = entry.seen.last_seen.max(at);
            entry.seen.events = entry.seen.events.saturating_add(events);
            entry.is_changed = true;
            return;
        }
        let seen = SourceSeen {
            name: name.into(),
            first_seen: at,
            last_seen: at,
            events,
        };
        sources.insert(
            name.into(),
            Entry {
                seen,
                is_changed: true,
            },
        );
    }

    /// Every source, by name, as counted in memory.
    #[must_use]
    pub fn sources(&self) -> Vec<SourceSeen> {
        let sources = self
            .0
            .sources
            .sources
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        sources.values().map(|entry| entry.seen.clone()).collect()
    }

    /// Writes the counts.
    pub fn flush_sources(&self) -> Result<(), Error> {
        self.update(|tx| self.0.sources.write(tx))
    }

    pub(super) fn load_sources(&self) -> Result<(), Error> {
        let max = self.options().sources_max;
        let rows: Vec<(Vec<u8>, SourceSeen)> = self
            .view(|tx| tx.records(Table::Sources, &Range::prefix(b""), Direction::Forward, max))?;
        let mut sources = self
            .0
            .sources
            .sources
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for (_, seen) in rows {
            sources.insert(
                seen.name.clone(),
                Entry {
                    seen,
                    is_changed: false,
                },
            );
        }
        Ok(())
    }
}
