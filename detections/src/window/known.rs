//! The values a group is known to have.

use super::exact::Entry;
use super::{Count, Measure};

/// Values remembered of one group; the one not seen for longest makes room.
pub(crate) const VALUES_MAX: usize = 64;

/// What is known of a group.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct Known {
    /// Time of its first event: learning counts from here.
    pub(crate) started: i64,
    /// Its events so far.
    pub(crate) events: u64,
    /// Hash of each value and when it was last seen.
    pub(crate) values: Vec<(u64, i64)>,
}

impl Known {
    /// Bytes on the heap.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + self.values.capacity() * size_of::<(u64, i64)>()
    }

    /// Adds an event. The count is 1 and more where its value is new and learning is over: one and the
    /// number of values known before it.
    pub(crate) fn add(&mut self, entry: Entry, measure: Measure) -> Count {
        let Measure::NewValue {
            learn_ms,
            learn_events,
            memory_ms,
        } = measure
        else {
            return Count::default();
        };
        let forgotten = entry.time.saturating_sub(memory_ms);
        self.values.retain(|(_, seen)| *seen >= forgotten);
        if self.values.is_empty() {
            // A new group, or one of which all is forgotten: learning begins.
            *self = Self {
                started: entry.time,
                ..Self::default()
            };
        }
        self.started = self.started.min(entry.time);
        self.events = self.events.saturating_add(1);
        if let Some((_, seen)) = self.values.iter_mut().find(|(mark, _)| *mark == entry.mark) {
            *seen = (*seen).max(entry.time);
            return Count::default();
        }
        let before = u64::try_from(self.values.len()).unwrap_or(u64::MAX);
        if self.values.len() >= VALUES_MAX
            && let Some(oldest) =
                (0..self.values.len()).min_by_key(|i| self.values.get(*i).map(|v| v.1))
        {
            self.values.swap_remove(oldest);
        }
        self.values.push((entry.mark, entry.time));
        let learned = entry.time.saturating_sub(self.started) >= learn_ms
            && self.events > learn_events
            && before > 0;
        Count {
            value: if learned { before } else { 0 },
            approximate: false,
            counted: learned,
        }
    }
}
