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
    slots: Vec<&'a str>,
    seed: foldhash::fast::RandomState,
}

impl<'a> Known<'a> {
    /// Whether the value was noted, byte for byte.
    pub(super) fn holds(&self, value: &str) -> bool {
        self.slots
            .get(self.slot(value))
            .is_some_and(|known| *known == value && !value.is_empty())
    }

    /// Remembers a value that holds no secret.
    pub(super) fn note(&mut self, value: &'a str) {
        if value.len() > BYTES_MAX {
            return;
        }
        if self.slots.is_empty() {
            self.slots = vec![""; SLOTS];
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
        assert!(!known.holds("value-1") && !known.holds(""));
        for text in &texts {
            known.note(text);
            assert!(known.holds(text));
        }
        assert!(texts.iter().filter(|text| known.holds(text)).count() <= SLOTS);
        assert!(!known.holds("value-2000") && !known.holds(""));
    }
}
