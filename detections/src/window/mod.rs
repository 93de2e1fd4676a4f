//! What a rule remembers of one group: the events, or the distinct values, of a sliding window.
//!
//! A window is half open, `(t − timespan, t]`, on event time in milliseconds. A group begins with one
//! event held in place, becomes a list of exact moments, and when that grows beyond what the threshold
//! needs, a ring of 60 sub-buckets (events) or 12 sub-buckets of HyperLogLog registers (values). A window
//! over a ring takes in whole sub-buckets only and so never counts too much: it may reach back less far
//! than the timespan by at most one sub-bucket. Events that come late are counted where they belong as
//! long as the group still holds that time.

mod exact;
mod known;
mod ring;
mod sketch;

pub(crate) use exact::Entry;
pub(crate) use known::Known;
pub(crate) use ring::Ring;
pub(crate) use sketch::Sketch;

/// Moments a new list has room for.
const LIST_ROOM: usize = 4;

/// How far ahead of its receipt an event's time may be before it is taken for forged.
pub(crate) const SKEW_MS: i64 = 120_000;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    /// Events.
    Events,
    /// Distinct values.
    Values,
    /// A value not seen before.
    NewValue {
        learn_ms: i64,
        learn_events: u64,
        memory_ms: i64,
    },
}

/// The shape of a rule's windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) measure: Measure,
    /// Length.
    pub(crate) span: i64,
    /// How far back from its newest event a group is held: the window and what may come late.
    pub(crate) keep: i64,
    /// Moments held exactly, at most.
    pub(crate) exact_max: usize,
}

/// What a group measured after an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// The largest count of a window with the event in it.
    pub(crate) value: u64,
    /// Estimated rather than counted.
    pub(crate) approximate: bool,
    /// The event added something; false: too late, or counted before.
    pub(crate) counted: bool,
}

/// What is held of a group.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Body {
    One(Entry),
    Exact(Vec<Entry>),
    Ring(Box<Ring>),
    Sketch(Box<Sketch>),
    Known(Box<Known>),
}

impl Window {
    /// A window of `span`, for events up to `lateness` late, with a threshold of `low`.
    pub(crate) fn new(measure: Measure, span: u64, lateness: u64, low: u64) -> Self {
        let signed = |ms| i64::try_from(ms).unwrap_or(i64::MAX / 4).min(i64::MAX / 4);
        let span = signed(span).max(1);
        // Exact up to the threshold, so that the first firing is exact for all but very large ones.
        let needed = usize::try_from(low.saturating_mul(2)).unwrap_or(usize::MAX);
        Self {
            measure,
            span,
            keep: span + signed(lateness).max(SKEW_MS),
            exact_max: needed.clamp(32, exact::ENTRIES_MAX),
        }
    }

    /// A group's first event.
    pub(crate) fn open(&self, entry: Entry) -> (Body, Count) {
        if let Measure::NewValue { .. } = self.measure {
            let mut known = Known::default();
            let count = known.add(entry, self.measure);
            return (Body::Known(Box::new(known)), count);
        }
        let count = Count {
            value: 1,
            approximate: false,
            counted: true,
        };
        (Body::One(entry), count)
    }

    /// Adds an event to a group.
    pub(crate) fn add(&self, body: &mut Body, entry: Entry) -> Count {
        if let Body::One(first) = body {
            if first.time <= entry.time.saturating_sub(self.keep) {
                // What it held has passed: it goes on without a list.
                *first = entry;
                return Count {
                    value: 1,
                    approximate: false,
                    counted: true,
                };
            }
            let mut entries = Vec::with_capacity(LIST_ROOM);
            entries.push(*first);
            *body = Body::Exact(entries);
        }
        let count = match body {
            Body::One(_) => Count::default(),
            Body::Exact(entries) => exact::add(entries, entry, self),
            Body::Ring(ring) => ring.add(entry, self),
            Body::Sketch(sketch) => sketch.add(entry, self),
            Body::Known(known) => known.add(entry, self.measure),
        };
        if let Body::Exact(entries) = body
            && entries.len() > self.exact_max
        {
            *body = self.condense(entries);
        }
        count
    }

    fn condense(&self, entries: &[Entry]) -> Body {
        match self.measure {
            Measure::Values => Body::Sketch(Box::new(Sketch::from_entries(entries, self))),
            _ => Body::Ring(Box::new(Ring::from_entries(entries, self))),
        }
    }
}

impl Body {
    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Self::One(_) => 0,
            Self::Exact(entries) => entries.capacity() * size_of::<Entry>(),
            Self::Ring(_) => size_of::<Ring>(),
            Self::Sketch(sketch) => sketch.bytes(),
            Self::Known(known) => known.bytes(),
        }
    }

    /// The newest entries of the window that ends at `end`, at most 20, oldest first.
    pub(crate) fn evidence(&self, window: &Window, end: i64) -> (i64, Vec<Entry>) {
        let recent: Vec<Entry> = match self {
            Self::One(entry) => vec![*entry],
            Self::Exact(entries) => entries.clone(),
            Self::Ring(ring) => ring.recent.entries(),
            Self::Sketch(sketch) => sketch.recent.entries(),
            Self::Known(_) => Vec::new(),
        };
        let inside = |e: &&Entry| e.time > end - window.span && e.time <= end;
        let mut chosen: Vec<Entry> = recent.iter().filter(inside).copied().collect();
        chosen.sort_unstable_by_key(|e| (e.time, e.offset));
        let oldest = chosen.first().map_or(end, |e| e.time);
        let first = match self {
            Self::Ring(ring) => ring.first_time(window, end).min(oldest),
            _ => oldest,
        };
        let surplus = chosen.len().saturating_sub(exact::RECENT_MAX);
        (first, chosen.split_off(surplus))
    }
}

#[cfg(test)]
mod tests;
