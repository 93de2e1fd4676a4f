//! Values of one body that were searched and hold no secret: user agents, routes, hosts and levels come again with
//! nearly every event, and comparing costs a tenth of searching.

use std::hash::BuildHasher;

/// Values remembered; a new one takes the place of another.
const SLOTS: usize = 512;
/// Longest value remembered.
const BYTES_MAX: usize = 256;

/// Clean values, borrowed from the body they stand in.
#[derive(Debug, Default)]
pub struct Known<'a> {
    /// Empty until there is a second event.
    slots: Vec<&'a str>,
    events: u64,
    seed: foldhash::fast::RandomState,
}

impl<'a> Known<'a> {
    /// Another event begins. Nothing is remembered of the first: there may be no other.
    pub(super) fn turn(&mut self) {
        self.events += 1;
        if self.events == 2 {
            self.slots = vec![""; SLOTS];
        }
    }

    /// Whether the value was noted, byte for byte.
    pub(super) fn holds(&self, value: &str) -> bool {
        !self.slots.is_empty()
            && self
                .slots
                .get(self.slot(value))
                .is_some_and(|known| *known == value && !value.is_empty())
    }

    /// Remembers a value that holds no secret.
    pub(super) fn note(&mut self, value: &'a str) {
        if value.len() > BYTES_MAX || self.slots.is_empty() {
            return;
        }
        let slot = self.slot(value);
        if let Some(known) = self.slots.get_mut(slot) {
            *known = value;
        }
    }

    fn slot(&self, value: &str) -> usize {
        usize::try_from(self.seed.hash_one(value)).map_or(0, |hash| hash % SLOTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_value_is_known() {
        let texts: Vec<String> = (0..2_000).map(|at| format!("value-{at}")).collect();
        let mut known = Known::default();
        known.turn();
        known.note("value-1");
        assert!(!known.holds("value-1"));
        known.turn();
        assert!(!known.holds("value-1") && !known.holds(""));
        for text in &texts {
            known.note(text);
            assert!(known.holds(text));
        }
        assert!(texts.iter().filter(|text| known.holds(text)).count() <= SLOTS);
        assert!(!known.holds("value-2000") && !known.holds(""));
    }
}
