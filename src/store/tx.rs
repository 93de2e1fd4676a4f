//! A transaction: a snapshot under the changes made so far.

use std::collections::BTreeMap;
use std::ops::Bound;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Error;
use super::engine::{Batch, Direction, Range, Row, Snapshot, Table};

/// Reads see the snapshot with this transaction's own changes over it.
pub(super) struct Tx<'a> {
    snapshot: Snapshot<'a>,
    changes: Batch,
    effects: Effects,
}

/// What follows once the changes are durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Effects {
    /// The delivery worker should look.
    pub(super) wakes_outbox: bool,
    /// Deliveries not queued because too many waited.
    pub(super) skipped: u64,
    /// Alerts removed at the bound.
    pub(super) evicted: u64,
}

impl<'a> Tx<'a> {
    pub(super) fn new(snapshot: Snapshot<'a>) -> Self {
        Self {
            snapshot,
            changes: Batch::default(),
            effects: Effects::default(),
        }
    }

    /// The changes, and what follows from them.
    pub(super) fn into_batch(self) -> (Batch, Effects) {
        (self.changes, self.effects)
    }

    /// To add to what follows from the changes.
    pub(super) fn effects(&mut self) -> &mut Effects {
        &mut self.effects
    }

    /// The bytes behind a key.
    pub(super) fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        match self.changes.0.get(&(table, key.to_vec())) {
            Some(change) => Ok(change.clone()),
            None => self.snapshot.get(table, key),
        }
    }

    /// The record behind a key.
    pub(super) fn record<T: DeserializeOwned>(
        &self,
        table: Table,
        key: &[u8],
    ) -> Result<Option<T>, Error> {
        self.get(table, key)?
            .map(|bytes| decode(table, &bytes))
            .transpose()
    }

    /// At most `limit` rows of a part of a table, in key order.
    pub(super) fn scan(
        &self,
        table: Table,
        range: &Range,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Row>, Error> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let tagged = |bound: Bound<&[u8]>| bound.map(|key| (table, key.to_vec()));
        let (from, to) = range.bounds();
        let from = match from {
            Bound::Unbounded => Bound::Included((table, Vec::new())),
            bound => tagged(bound),
        };
        let own: Vec<_> = self
            .changes
            .0
            .range((from, tagged(to)))
            .take_while(|((t, _), _)| *t == table)
            .map(|((_, key), change)| (key, change))
            .collect();
        // Each change of ours hides at most one row of the snapshot.
        let wanted = limit.saturating_add(own.len());
        let below = self.snapshot.scan(table, range, direction, wanted)?;
        if own.is_empty() {
            return Ok(below);
        }
        let mut merged: BTreeMap<Vec<u8>, Vec<u8>> = below.into_iter().collect();
        for (key, change) in own {
            match change {
                Some(value) => merged.insert(key.clone(), value.clone()),
                None => merged.remove(key),
            };
        }
        Ok(match direction {
            Direction::Forward => merged.into_iter().take(limit).collect(),
            Direction::Reverse => merged.into_iter().rev().take(limit).collect(),
        })
    }

    /// The records of a part of a table, with their keys.
    pub(super) fn records<T: DeserializeOwned>(
        &self,
        table: Table,
        range: &Range,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, T)>, Error> {
        self.scan(table, range, direction, limit)?
            .into_iter()
            .map(|(key, bytes)| Ok((key, decode(table, &bytes)?)))
            .collect()
    }

    /// Writes the bytes behind a key.
    pub(super) fn put(&mut self, table: Table, key: &[u8], value: Vec<u8>) {
        self.changes.0.insert((table, key.to_vec()), Some(value));
    }

    /// Writes the record behind a key.
    pub(super) fn put_record<T: Serialize>(
        &mut self,
        table: Table,
        key: &[u8],
        record: &T,
    ) -> Result<(), Error> {
        let bytes = serde_json::to_vec(record).map_err(|error| Error::Engine(error.to_string()))?;
        self.put(table, key, bytes);
        Ok(())
    }

    /// Removes a key, whether it is there or not.
    pub(super) fn delete(&mut self, table: Table, key: &[u8]) {
        self.changes.0.insert((table, key.to_vec()), None);
    }
}

/// A stored record; what does not read as one is damage.
pub(super) fn decode<T: DeserializeOwned>(table: Table, bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|_error| Error::Damaged {
        table: table.name(),
    })
}
