//! The groups of one rule: a hash table with a bound, and eviction that can be seen.
//!
//! Groups live in 64 shards, so that growing moves a 64th of them at a time. When a bound is hit, the
//! group touched least recently among a sample of the new group's shard is forgotten; a flood of
//! invented groups therefore pushes out its own, and never those of another rule.

use crate::window::{Body, Count, Entry, Window};

/// Shards of a table.
pub(crate) const SHARDS: usize = 64;
/// Groups looked at for the one to forget.
const SAMPLE: usize = 16;
/// About what a group takes besides its slot and its body.
const BESIDE_BYTES: usize = 20;
/// The part of a hash that is kept beside the slots: it alone says where in `places` a group belongs.
const TAG: u64 = 0xffff_ffff_0000_0000;
/// Never fired.
pub(crate) const NEVER: i64 = i64::MIN;

/// One group.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Slot {
    /// Hash of the group's values.
    pub(crate) hash: u64,
    /// The value the rule last fired with, capped.
    pub(crate) fired_value: u32,
    /// Event time at which the rule last fired.
    pub(crate) fired_at: i64,
    pub(crate) body: Body,
}

/// Groups and where they are: linear probing over positions.
///
/// Under load nearly every look at a slot waits for memory, so all that can be known without one stands beside them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shard {
    pub(crate) slots: Vec<Slot>,
    /// When an event of each slot's group was last received, in seconds since 1970.
    pub(crate) touched: Vec<u32>,
    /// The upper half of a hash above, the position of its slot plus one below; 0: free. A power of two long.
    places: Vec<u64>,
    hand: usize,
}

/// All groups of a rule.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) shards: Vec<Shard>,
    pub(crate) keys: usize,
    pub(crate) heap_bytes: usize,
    pub(crate) evicted: u64,
    pub(crate) late: u64,
}

/// Bounds of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    pub(crate) keys: usize,
    pub(crate) bytes: usize,
    /// A group not touched for so many seconds holds nothing of use.
    pub(crate) idle_s: u32,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            shards: vec![Shard::default(); SHARDS],
            keys: 0,
            heap_bytes: 0,
            evicted: 0,
            late: 0,
        }
    }
}

impl Table {
    /// Bytes of all groups, places and lists.
    pub(crate) fn bytes(&self) -> usize {
        let held = |s: &Shard| {
            s.slots.capacity() * size_of::<Slot>() + s.touched.capacity() * 4 + s.places.len() * 8
        };
        self.heap_bytes + self.shards.iter().map(held).sum::<usize>()
    }

    /// Adds an event to the group with this hash, which is made where there is none.
    pub(crate) fn add(
        &mut self,
        hash: u64,
        entry: Entry,
        now_s: u32,
        window: &Window,
        bound: Bound,
    ) -> Option<(&mut Slot, Count)> {
        let shard = self.shards.get_mut(shard_of(hash))?;
        let mut place = match shard.find(hash) {
            Some(place) => place,
            None => {
                let swept = shard.sweep(now_s, bound.idle_s);
                self.keys -= swept.0;
                self.heap_bytes -= swept.1;
                while !shard.slots.is_empty() && self.keys >= bound.keys {
                    self.heap_bytes -= shard.evict();
                    self.keys -= 1;
                    self.evicted += 1;
                }
                let (body, count) = window.open(entry);
                self.heap_bytes += body.heap_bytes();
                self.keys += 1;
                let slot = Slot {
                    hash,
                    fired_value: 0,
                    fired_at: NEVER,
                    body,
                };
                let place = shard.insert(slot, now_s);
                return Some((shard.slots.get_mut(place)?, count));
            }
        };
        let slot = shard.slots.get_mut(place)?;
        let touched = shard.touched.get_mut(place)?;
        *touched = now_s.max(*touched);
        let before = slot.body.heap_bytes();
        let count = window.add(&mut slot.body, entry);
        self.heap_bytes = self.heap_bytes + slot.body.heap_bytes() - before;
        self.late += u64::from(!count.counted);
        let used = self.heap_bytes + self.keys * (size_of::<Slot>() + BESIDE_BYTES);
        if used > bound.bytes && shard.slots.len() > 1 {
            let freed = shard.evict_but(place);
            self.heap_bytes -= freed;
            self.keys -= 1;
            self.evicted += 1;
            place = shard.find(hash)?;
        }
        Some((shard.slots.get_mut(place)?, count))
    }

    /// Puts a slot read from a snapshot where it was: behind the others of its shard.
    pub(crate) fn restore(&mut self, slot: Slot, touched: u32) {
        self.keys += 1;
        self.heap_bytes += slot.body.heap_bytes();
        if let Some(shard) = self.shards.get_mut(shard_of(slot.hash)) {
            shard.insert(slot, touched);
        }
    }
}

fn shard_of(hash: u64) -> usize {
    usize::try_from(hash >> 58).unwrap_or(0)
}

/// Where the slot of an entry of `places` is.
fn slot_of(entry: u64) -> Option<usize> {
    usize::try_from(entry & !TAG).ok()?.checked_sub(1)
}

/// An entry of `places`.
fn entry_of(hash: u64, place: usize) -> u64 {
    let place = u32::try_from(place + 1).unwrap_or(u32::MAX);
    hash & TAG | u64::from(place)
}

impl Shard {
    fn mask(&self) -> usize {
        self.places.len().wrapping_sub(1)
    }

    /// Of a hash, or of an entry. The uppermost bits are the same for all of a shard.
    fn home(&self, hash: u64) -> usize {
        usize::try_from(hash >> 32).unwrap_or(0) & self.mask()
    }

    /// Position in `places` and in `slots`.
    fn seek(&self, hash: u64) -> Option<(usize, usize)> {
        if self.places.is_empty() {
            return None;
        }
        let mut at = self.home(hash);
        loop {
            let entry = *self.places.get(at)?;
            let place = slot_of(entry)?;
            if entry & TAG == hash & TAG && self.slots.get(place)?.hash == hash {
                return Some((at, place));
            }
            at = (at + 1) & self.mask();
        }
    }

    fn find(&self, hash: u64) -> Option<usize> {
        self.seek(hash).map(|(_, place)| place)
    }

    fn insert(&mut self, slot: Slot, touched: u32) -> usize {
        // At most five in eight places are taken: probes stay short and always end at a free place.
        if (self.slots.len() + 1) * 8 > self.places.len() * 5 {
            self.grow();
        }
        if self.slots.len() == self.slots.capacity() {
            self.slots.reserve_exact(self.slots.len() / 4 + 4);
            self.touched.reserve_exact(self.slots.len() / 4 + 4);
        }
        let place = self.slots.len();
        self.link(entry_of(slot.hash, place));
        self.slots.push(slot);
        self.touched.push(touched);
        place
    }

    fn link(&mut self, entry: u64) {
        let mask = self.mask();
        let mut at = self.home(entry);
        while let Some(taken) = self.places.get_mut(at) {
            if *taken == 0 {
                *taken = entry;
                return;
            }
            at = (at + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let size = (self.places.len() * 2).max(8);
        let old = std::mem::replace(&mut self.places, vec![0; size]);
        for entry in old.into_iter().filter(|entry| *entry != 0) {
            self.link(entry);
        }
    }

    /// Removes a slot; bytes it had on the heap. The last slot takes its position.
    fn remove(&mut self, place: usize) -> usize {
        let Some(hash) = self.slots.get(place).map(|s| s.hash) else {
            return 0;
        };
        if let Some((at, _)) = self.seek(hash) {
            self.unlink(at);
        }
        let last = self.slots.len() - 1;
        if last != place
            && let Some(moved) = self.slots.get(last).map(|s| s.hash)
            && let Some((at, _)) = self.seek(moved)
            && let Some(entry) = self.places.get_mut(at)
        {
            *entry = entry_of(moved, place);
        }
        self.touched.swap_remove(place);
        self.slots.swap_remove(place).body.heap_bytes()
    }

    /// Frees a place and moves later ones of the same run up.
    fn unlink(&mut self, at: usize) {
        let mask = self.mask();
        let mut hole = at;
        let mut next = (at + 1) & mask;
        while let Some(taken) = self.places.get(next).copied().filter(|t| *t != 0) {
            let home = self.home(taken);
            // It may move where the hole lies between its home and its place, around the end too.
            if next.wrapping_sub(home) & mask >= next.wrapping_sub(hole) & mask {
                if let Some(slot) = self.places.get_mut(hole) {
                    *slot = taken;
                }
                hole = next;
            }
            next = (next + 1) & mask;
        }
        if let Some(slot) = self.places.get_mut(hole) {
            *slot = 0;
        }
    }

    /// Forgets up to two groups at the hand that nobody has touched for `idle_s`: groups and bytes freed.
    fn sweep(&mut self, now_s: u32, idle_s: u32) -> (usize, usize) {
        let mut freed = (0, 0);
        for _ in 0..2 {
            if self.hand >= self.slots.len() {
                self.hand = 0;
            }
            let Some(touched) = self.touched.get(self.hand) else {
                break;
            };
            if now_s.saturating_sub(*touched) > idle_s {
                freed = (freed.0 + 1, freed.1 + self.remove(self.hand));
            } else {
                self.hand += 1;
            }
        }
        freed
    }

    /// Forgets the group touched least recently of a sample; bytes it had on the heap.
    fn evict(&mut self) -> usize {
        self.evict_but(usize::MAX)
    }

    fn evict_but(&mut self, kept: usize) -> usize {
        let size = self.slots.len().max(1);
        let start = self.hand;
        let sample = (0..SAMPLE.min(size)).map(|step| (start + step) % size);
        let oldest = sample
            .filter(|place| *place != kept)
            .min_by_key(|place| self.touched.get(*place));
        self.hand = (start + SAMPLE) % size;
        oldest.map_or(0, |place| self.remove(place))
    }

    /// Where sweeping goes on.
    pub(crate) fn hand(&self) -> usize {
        self.hand
    }

    /// Goes on sweeping there.
    pub(crate) fn set_hand(&mut self, hand: usize) {
        self.hand = hand;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::Measure;
    use std::collections::HashMap;

    const BOUND: Bound = Bound {
        keys: 500,
        bytes: 1 << 30,
        idle_s: 1_000,
    };

    fn entry(time: i64) -> Entry {
        Entry {
            time,
            offset: 0,
            mark: 0,
        }
    }

    #[test]
    fn groups_are_found_again_and_the_bound_holds() {
        let window = Window::new(Measure::Events, 1_000_000, 0, 5);
        let mut table = Table::default();
        let mut counted: HashMap<u64, u64> = HashMap::new();
        let mut seed = 7u64;
        for step in 0..50_000u32 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let hash = (seed >> 33) % 900;
            let hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let evicted = table.evicted;
            let (slot, count) = table
                .add(hash, entry(i64::from(step)), step / 100, &window, BOUND)
                .unwrap();
            assert_eq!(slot.hash, hash);
            let known = counted.entry(hash).or_default();
            *known = if count.value == 1 { 1 } else { *known + 1 };
            if evicted == 0 && *known < 60 {
                assert_eq!(count.value, *known);
            }
            assert!(table.keys <= BOUND.keys);
        }
        assert!(table.evicted > 0);
        let slots: usize = table.shards.iter().map(|s| s.slots.len()).sum();
        assert_eq!(slots, table.keys);
        let touched: usize = table.shards.iter().map(|s| s.touched.len()).sum();
        assert_eq!(touched, table.keys);
        let heap: usize = table
            .shards
            .iter()
            .flat_map(|s| &s.slots)
            .map(|s| s.body.heap_bytes())
            .sum();
        assert_eq!(heap, table.heap_bytes);
        for shard in &table.shards {
            for (place, slot) in shard.slots.iter().enumerate() {
                assert_eq!(shard.find(slot.hash), Some(place));
            }
        }
    }

    #[test]
    fn idle_groups_make_room_without_eviction() {
        let window = Window::new(Measure::Events, 1_000, 0, 5);
        let mut table = Table::default();
        for step in 0..20_000u32 {
            let hash = u64::from(step).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            table
                .add(hash, entry(0), step * 100, &window, BOUND)
                .unwrap();
        }
        assert_eq!(table.evicted, 0);
        assert!(table.keys < 300, "{}", table.keys);
    }
}
