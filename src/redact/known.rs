//! Values that were searched and hold no secret: user agents, routes, hosts and levels come again with nearly every
//! event, and comparing costs a tenth of searching.

use std::hash::{BuildHasher, Hasher};

use super::json::Order;

/// Short values remembered; a new one takes the place of another.
const SHORT: usize = 1024;
/// Long values remembered.
const LONG: usize = 256;
/// Bytes of a short value: with its length it fills a line of the processor's cache, and is compared by one look.
const SHORT_BYTES: usize = 63;
/// Longest value remembered.
const BYTES_MAX: usize = 256;
/// Marks of values that came once.
const MARKS: usize = 4096;

/// What was clean before, remembered from body to body. Used by one thread at a time.
#[derive(Debug)]
pub struct Known {
    short: Vec<Short>,
    long: Vec<Vec<u8>>,
    /// Marks of values that came once: ids, which never come again, take nobody's place.
    seen: Vec<u32>,
    /// Names of documents.
    pub(super) order: Order,
    seed: foldhash::fast::RandomState,
}

#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Short {
    length: u8,
    bytes: [u8; SHORT_BYTES],
}

/// Where a value is remembered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot(usize);

impl Default for Known {
    fn default() -> Self {
        let empty = Short {
            length: 0,
            bytes: [0; SHORT_BYTES],
        };
        Self {
            short: vec![empty; SHORT],
            long: vec![Vec::new(); LONG],
            seen: vec![0; MARKS],
            order: Order::default(),
            seed: foldhash::fast::RandomState::default(),
        }
    }
}

impl Known {
    /// `None` where the value is known to be clean, byte for byte; else where to note it once it was searched.
    pub(super) fn look(&self, value: &[u8]) -> Option<Slot> {
        let mut hasher = self.seed.build_hasher();
        hasher.write(value);
        let hash = usize::try_from(hasher.finish()).unwrap_or(0);
        let known = if value.len() <= SHORT_BYTES {
            let short = self.short.get(hash % SHORT);
            short.and_then(|short| short.bytes.get(..usize::from(short.length)))
        } else {
            self.long.get(hash % LONG).map(Vec::as_slice)
        };
        let is_known = !value.is_empty() && known == Some(value);
        (!is_known).then_some(Slot(hash))
    }

    /// Remembers a value that holds no secret, the second time it comes.
    pub(super) fn note(&mut self, Slot(hash): Slot, value: &[u8]) {
        let Some(seen) = self.seen.get_mut(hash % MARKS) else {
            return;
        };
        let mark = u32::try_from(hash >> 32).unwrap_or(0);
        let came_before = std::mem::replace(seen, mark) == mark;
        if !came_before || value.len() > BYTES_MAX {
            return;
        }
        if let Some(long) = self.long.get_mut(hash % LONG)
            && value.len() > SHORT_BYTES
        {
            long.clear();
            long.extend_from_slice(value);
        } else if let Some(short) = self.short.get_mut(hash % SHORT)
            && let Some(bytes) = short.bytes.get_mut(..value.len())
        {
            bytes.copy_from_slice(value);
            short.length = u8::try_from(value.len()).unwrap_or(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_value_is_known_and_only_once_it_came_again() {
        let mut known = Known::default();
        let note = |known: &mut Known, value: &str| {
            let slot = known.look(value.as_bytes()).unwrap();
            known.note(slot, value.as_bytes());
        };
        let is_new = |known: &Known, value: &str| known.look(value.as_bytes()).is_some();
        let agent = "Mozilla/5.0 ".repeat(10);
        for value in ["value-1", &agent] {
            note(&mut known, value);
            assert!(is_new(&known, value));
            note(&mut known, value);
            assert!(!is_new(&known, value));
        }
        assert!(is_new(&known, "value-2") && is_new(&known, ""));
        assert!(is_new(&known, "value-") && is_new(&known, agent.trim_end()));
        // What comes once takes nobody's place.
        for at in 0..30_000 {
            note(&mut known, &format!("once-{at}"));
        }
        assert!(!is_new(&known, "value-1"));
        let long = "x".repeat(BYTES_MAX + 1);
        note(&mut known, &long);
        note(&mut known, &long);
        assert!(is_new(&known, &long));
    }
}
