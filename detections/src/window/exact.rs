//! Moments held one by one.

use super::{Count, Measure, Window};

/// Moments held exactly at most; beyond, sub-buckets.
pub(crate) const ENTRIES_MAX: usize = 128;
/// Newest events named as evidence.
pub(crate) const RECENT_MAX: usize = 20;

/// One event of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Event time in milliseconds.
    pub(crate) time: i64,
    /// Position in the log.
    pub(crate) offset: u64,
    /// Hash of the counted value, or of the event's own id (0: it has none).
    pub(crate) mark: u64,
}

/// Adds an event to moments sorted by time.
pub(crate) fn add(entries: &mut Vec<Entry>, entry: Entry, window: &Window) -> Count {
    let newest = entries.last().map_or(i64::MIN, |e| e.time);
    if entry.time <= newest.saturating_sub(window.keep) {
        return Count::default();
    }
    let same = |e: &Entry| e.mark == entry.mark;
    match window.measure {
        Measure::Values => {
            // A value seen again replaces its older sightings, except those a late event may need.
            let slack = window.keep - window.span;
            let near = (window.keep / 60).max(1);
            entries.retain(|e| {
                let age = entry.time - e.time;
                !same(e) || age < 0 || (age >= near && age < slack)
            });
        }
        _ if entry.mark != 0 && entries.iter().any(|e| same(e) && e.time == entry.time) => {
            return Count::default();
        }
        _ => {}
    }
    if entries.len() == entries.capacity() || entries.len() >= window.exact_max {
        let end = newest.max(entry.time).saturating_sub(window.keep);
        let stale = entries.partition_point(|e| e.time <= end);
        entries.drain(..stale);
        if entries.len() == entries.capacity() && entries.len() >= 4 {
            entries.reserve_exact(entries.len());
        }
    }
    let key = (entry.time, entry.offset);
    let place = entries.partition_point(|e| (e.time, e.offset) < key);
    entries.insert(place, entry);
    Count {
        value: largest(entries, place, window),
        approximate: false,
        counted: true,
    }
}

/// The largest count of a window with the event at `place` in it.
fn largest(entries: &[Entry], place: usize, window: &Window) -> u64 {
    let Some(entry) = entries.get(place) else {
        return 0;
    };
    let ends = entries.get(place..).unwrap_or_default();
    let ends = ends
        .iter()
        .take_while(|e| e.time < entry.time.saturating_add(window.span));
    let mut best = 0;
    for (end, last) in (place..).zip(ends) {
        let start = entries.partition_point(|e| e.time <= last.time - window.span);
        // Events of the same moment all belong to the window that ends with it.
        if entries
            .get(end + 1)
            .is_some_and(|next| next.time == last.time)
        {
            continue;
        }
        let inside = entries.get(start..=end).unwrap_or_default();
        best = best.max(match window.measure {
            Measure::Values => distinct(inside),
            _ => inside.len(),
        });
    }
    u64::try_from(best).unwrap_or(u64::MAX)
}

/// How many different marks.
fn distinct(entries: &[Entry]) -> usize {
    // Four places per entry at least, so that a free one is near; most groups are small.
    if entries.len() <= ENTRIES_MAX / 8 {
        distinct_among::<{ ENTRIES_MAX / 2 }>(entries)
    } else {
        distinct_among::<{ ENTRIES_MAX * 4 }>(entries)
    }
}

fn distinct_among<const PLACES: usize>(entries: &[Entry]) -> usize {
    let mut seen = [0u64; PLACES];
    let mut zero = false;
    let mut count = 0;
    for entry in entries {
        if entry.mark == 0 {
            count += usize::from(!zero);
            zero = true;
            continue;
        }
        let mut at = usize::try_from(entry.mark & 0xffff).unwrap_or(0);
        for _ in 0..PLACES {
            match seen.get_mut(at % PLACES) {
                Some(place) if *place == 0 => {
                    *place = entry.mark;
                    count += 1;
                    break;
                }
                Some(place) if *place == entry.mark => break,
                _ => at += 1,
            }
        }
    }
    count
}

/// The newest events by arrival, in a ring.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Recent {
    pub(crate) held: [Entry; RECENT_MAX],
    pub(crate) total: u64,
}

impl Recent {
    /// Adds one.
    pub(crate) fn push(&mut self, entry: Entry) {
        let size = u64::try_from(RECENT_MAX).unwrap_or(1);
        let place = usize::try_from(self.total % size).unwrap_or(0);
        if let Some(slot) = self.held.get_mut(place) {
            *slot = entry;
        }
        self.total = self.total.wrapping_add(1);
    }

    /// Whether the same event was pushed lately.
    pub(crate) fn has(&self, entry: Entry) -> bool {
        let same = |e: &Entry| e.mark == entry.mark && e.time == entry.time;
        entry.mark != 0 && self.entries().iter().any(same)
    }

    /// All of them.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let count = usize::try_from(self.total)
            .unwrap_or(RECENT_MAX)
            .min(RECENT_MAX);
        self.held.get(..count).unwrap_or_default().to_vec()
    }
}
