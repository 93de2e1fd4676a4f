//! The state of all rules as bytes, and back.
//!
//! Version 1, integers little endian: `"WDET" · version u16 · key 2×u64 · forged u64 · tables u32`, each
//! table `state key u64 · evicted u64 · late u64 · 64 shards`, each shard `hand u32 · slots u32`, each slot
//! `hash u64 · touched u32 · fired value u32 · fired at i64 · kind u8 · body`, then `SipHash of all before it`.
//! Slots stand in the order they are held in, so that what is forgotten later does not depend on a restart.

use std::sync::Arc;

use crate::engine::Engine;
use crate::set::RuleSet;
use crate::sip::hash;
use crate::table::{Slot, Table};
use crate::window::{Body, Entry, Known, Ring, Sketch, Window};

const MAGIC: &[u8; 4] = b"WDET";
const VERSION: u16 = 1;
/// Key of the checksum: it finds damage, not malice.
const CHECK: [u64; 2] = [0x5761_7264, 0x6c69_6e65];

/// State that cannot be read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// Cut short or changed.
    #[error("detection state is damaged")]
    Damaged,
    /// Written by a newer version.
    #[error("detection state has version {0}, this build reads 1")]
    Version(u16),
}

impl Engine {
    /// The state of all rules. Equal states give equal bytes.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        let mut to = Vec::with_capacity(64 + self.tables.iter().map(Table::bytes).sum::<usize>());
        to.extend_from_slice(MAGIC);
        to.extend_from_slice(&VERSION.to_le_bytes());
        for number in [self.key[0], self.key[1], self.forged] {
            put(&mut to, number);
        }
        put_count(&mut to, self.tables.len());
        for (table, tracker) in self.tables.iter().zip(&self.set.program.trackers) {
            put(&mut to, tracker.state_key);
            put(&mut to, table.evicted);
            put(&mut to, table.late);
            for shard in &table.shards {
                put_count(&mut to, shard.hand());
                put_count(&mut to, shard.slots.len());
                for (slot, touched) in shard.slots.iter().zip(&shard.touched) {
                    put_slot(&mut to, slot, *touched);
                }
            }
        }
        let check = hash(CHECK, &to);
        put(&mut to, check);
        to
    }

    /// An engine with rules and the state of a snapshot. State of rules whose query, window or group has
    /// changed is left out.
    pub fn restore(set: impl Into<Arc<RuleSet>>, bytes: &[u8]) -> Result<Self, SnapshotError> {
        let (body, check) = bytes
            .split_last_chunk::<8>()
            .ok_or(SnapshotError::Damaged)?;
        if hash(CHECK, body) != u64::from_le_bytes(*check) {
            return Err(SnapshotError::Damaged);
        }
        let mut from = Reader(body);
        if from.array::<4>()? != *MAGIC {
            return Err(SnapshotError::Damaged);
        }
        let version = u16::from_le_bytes(from.array()?);
        if version != VERSION {
            return Err(SnapshotError::Version(version));
        }
        let key = [from.u64()?, from.u64()?];
        let mut engine = Engine::new(set, key);
        engine.forged = from.u64()?;
        for _ in 0..from.u32()? {
            let state_key = from.u64()?;
            let known = engine
                .set
                .program
                .trackers
                .iter()
                .position(|t| t.state_key == state_key);
            let window = known
                .and_then(|k| engine.set.program.trackers.get(k))
                .map(|t| t.window);
            let table = from.table(window)?;
            if let Some(slot) = known.and_then(|k| engine.tables.get_mut(k)) {
                *slot = table;
            }
        }
        if from.0.is_empty() {
            Ok(engine)
        } else {
            Err(SnapshotError::Damaged)
        }
    }
}

fn put(to: &mut Vec<u8>, number: u64) {
    to.extend_from_slice(&number.to_le_bytes());
}

fn put_time(to: &mut Vec<u8>, time: i64) {
    to.extend_from_slice(&time.to_le_bytes());
}

/// Counts here are far below 2^32: budgets bound them.
fn put_count(to: &mut Vec<u8>, count: usize) {
    to.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
}

fn put_entry(to: &mut Vec<u8>, entry: &Entry) {
    put_time(to, entry.time);
    put(to, entry.offset);
    put(to, entry.mark);
}

fn put_slot(to: &mut Vec<u8>, slot: &Slot, touched: u32) {
    put(to, slot.hash);
    to.extend_from_slice(&touched.to_le_bytes());
    to.extend_from_slice(&slot.fired_value.to_le_bytes());
    put_time(to, slot.fired_at);
    match &slot.body {
        Body::One(entry) => {
            to.push(0);
            put_entry(to, entry);
        }
        Body::Exact(entries) => {
            to.push(1);
            put_count(to, entries.len());
            put_count(to, entries.capacity());
            entries.iter().for_each(|entry| put_entry(to, entry));
        }
        Body::Ring(ring) => {
            to.push(2);
            put_time(to, ring.head);
            for count in ring.counts {
                to.extend_from_slice(&count.to_le_bytes());
            }
            put(to, ring.recent.total);
            ring.recent
                .held
                .iter()
                .for_each(|entry| put_entry(to, entry));
        }
        Body::Sketch(sketch) => {
            to.push(3);
            put_time(to, sketch.head);
            for bucket in &sketch.buckets {
                to.push(u8::from(bucket.is_some()));
                if let Some(registers) = bucket {
                    to.extend_from_slice(registers.as_slice());
                }
            }
            put(to, sketch.recent.total);
            sketch
                .recent
                .held
                .iter()
                .for_each(|entry| put_entry(to, entry));
        }
        Body::Known(known) => {
            to.push(4);
            put_time(to, known.started);
            put(to, known.events);
            put_count(to, known.values.len());
            for (mark, seen) in &known.values {
                put(to, *mark);
                put_time(to, *seen);
            }
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], SnapshotError> {
        let (head, tail) = self
            .0
            .split_first_chunk::<N>()
            .ok_or(SnapshotError::Damaged)?;
        self.0 = tail;
        Ok(*head)
    }

    fn u64(&mut self) -> Result<u64, SnapshotError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn i64(&mut self) -> Result<i64, SnapshotError> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    fn u32(&mut self) -> Result<u32, SnapshotError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// A count of things of at least `size` bytes, which must still be there.
    fn count(&mut self, size: usize) -> Result<usize, SnapshotError> {
        let count = usize::try_from(self.u32()?).map_err(|_| SnapshotError::Damaged)?;
        if count.saturating_mul(size) > self.0.len() {
            return Err(SnapshotError::Damaged);
        }
        Ok(count)
    }

    fn entry(&mut self) -> Result<Entry, SnapshotError> {
        Ok(Entry {
            time: self.i64()?,
            offset: self.u64()?,
            mark: self.u64()?,
        })
    }

    fn table(&mut self, window: Option<Window>) -> Result<Table, SnapshotError> {
        let mut table = Table {
            evicted: self.u64()?,
            late: self.u64()?,
            ..Table::default()
        };
        for shard in 0..table.shards.len() {
            let hand = usize::try_from(self.u32()?).map_err(|_| SnapshotError::Damaged)?;
            for _ in 0..self.count(25)? {
                let (slot, touched) = self.slot(window)?;
                table.restore(slot, touched);
            }
            if let Some(shard) = table.shards.get_mut(shard) {
                shard.set_hand(hand);
            }
        }
        Ok(table)
    }

    /// A slot, and when it was last touched.
    fn slot(&mut self, window: Option<Window>) -> Result<(Slot, u32), SnapshotError> {
        let (hash, touched) = (self.u64()?, self.u32()?);
        let slot = Slot {
            hash,
            fired_value: self.u32()?,
            fired_at: self.i64()?,
            body: self.body(window)?,
        };
        Ok((slot, touched))
    }

    fn body(&mut self, window: Option<Window>) -> Result<Body, SnapshotError> {
        Ok(match self.array::<1>()? {
            [0] => Body::One(self.entry()?),
            [1] => {
                let count = self.count(24)?;
                // The room a list had decides when stale entries are dropped.
                let room = usize::try_from(self.u32()?)
                    .unwrap_or(0)
                    .clamp(count, count + 256);
                let mut entries = Vec::with_capacity(room);
                for _ in 0..count {
                    entries.push(self.entry()?);
                }
                Body::Exact(entries)
            }
            [2] => Body::Ring(Box::new(self.ring()?)),
            [3] => Body::Sketch(Box::new(self.sketch(window)?)),
            [4] => {
                let mut known = Known {
                    started: self.i64()?,
                    events: self.u64()?,
                    values: Vec::new(),
                };
                let count = self.count(16)?;
                known.values.reserve_exact(count);
                for _ in 0..count {
                    known.values.push((self.u64()?, self.i64()?));
                }
                Body::Known(Box::new(known))
            }
            _ => return Err(SnapshotError::Damaged),
        })
    }

    fn ring(&mut self) -> Result<Ring, SnapshotError> {
        let mut ring = Ring::empty(self.i64()?);
        for count in &mut ring.counts {
            *count = self.u32()?;
        }
        ring.recent.total = self.u64()?;
        for entry in &mut ring.recent.held {
            *entry = self.entry()?;
        }
        Ok(ring)
    }

    fn sketch(&mut self, window: Option<Window>) -> Result<Sketch, SnapshotError> {
        let mut sketch = Sketch::empty(self.i64()?);
        for bucket in &mut sketch.buckets {
            if self.array::<1>()? == [1] {
                *bucket = Some(Box::new(self.array()?));
            }
        }
        sketch.recent.total = self.u64()?;
        for entry in &mut sketch.recent.held {
            *entry = self.entry()?;
        }
        if let Some(window) = window {
            sketch.unite(&window);
        }
        Ok(sketch)
    }
}
