//! Values that were searched and hold no secret: user agents, routes, hosts and levels come again with nearly every
//! event, and comparing costs a tenth of searching.

use std::hash::BuildHasher;

/// Values remembered; a new one takes the place of another.
const VALUES: usize = 4096;
/// Longest value remembered.
const BYTES_MAX: usize = 256;

/// What was clean before, remembered from body to body. Used by one thread at a time.
#[derive(Debug)]
pub struct Known {
    values: Vec<String>,
    /// Marks of values that came once: ids, which never come again, take nobody's place.
    seen: Vec<u32>,
    seed: foldhash::fast::RandomState,
}

/// Where a value is remembered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    at: usize,
    mark: u32,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            values: vec![String::new(); VALUES],
            seen: vec![0; VALUES],
            seed: foldhash::fast::RandomState::default(),
        }
    }
}

impl Known {
    /// `None` where the value is known to be clean, byte for byte; else where to note it once it was searched.
    pub(super) fn look(&self, value: &str) -> Option<Slot> {
        let hash = self.seed.hash_one(value);
        let at = usize::try_from(hash).map_or(0, |hash| hash % VALUES);
        let is_known = !value.is_empty() && self.values.get(at).is_some_and(|known| known == value);
        let mark = u32::try_from(hash >> 32).unwrap_or(0);
        (!is_known).then_some(Slot { at, mark })
    }

    /// Remembers a value that holds no secret, the second time it comes.
    pub(super) fn note(&mut self, slot: Slot, value: &str) {
        let (Some(known), Some(seen)) = (self.values.get_mut(slot.at), self.seen.get_mut(slot.at))
        else {
            return;
        };
        if *seen == slot.mark && value.len() <= BYTES_MAX {
            known.clear();
            known.push_str(value);
        }
        *seen = slot.mark;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_value_is_known_and_only_once_it_came_again() {
        let mut known = Known::default();
        let note = |known: &mut Known, value: &str| {
            let slot = known.look(value).unwrap();
            known.note(slot, value);
        };
        note(&mut known, "value-1");
        assert!(known.look("value-1").is_some());
        note(&mut known, "value-1");
        assert!(known.look("value-1").is_none());
        assert!(known.look("value-2").is_some() && known.look("").is_some());
        // What comes once takes nobody's place.
        for at in 0..100_000 {
            note(&mut known, &format!("once-{at}"));
        }
        assert!(known.look("value-1").is_none());
        let long = "x".repeat(BYTES_MAX + 1);
        note(&mut known, &long);
        note(&mut known, &long);
        assert!(known.look(&long).is_some());
    }
}
