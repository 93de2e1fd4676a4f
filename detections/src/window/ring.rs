//! Events counted in sub-buckets of time.

use super::exact::{Entry, Recent};
use super::{Count, Window};

/// Sub-buckets of a group.
pub(crate) const BUCKETS: usize = 60;
const BUCKETS_I64: i64 = 60;

/// Counts of the newest sub-buckets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ring {
    /// Number of the newest sub-bucket: its time divided by its length.
    pub(crate) head: i64,
    pub(crate) counts: [u32; BUCKETS],
    pub(crate) recent: Recent,
}

/// Length of a sub-bucket.
fn length(window: &Window) -> i64 {
    (window.keep / BUCKETS_I64 + 1).max(1)
}

impl Ring {
    /// An empty one whose newest sub-bucket is `head`.
    pub(crate) fn empty(head: i64) -> Self {
        Self {
            head,
            counts: [0; BUCKETS],
            recent: Recent::default(),
        }
    }

    /// From moments sorted by time.
    pub(crate) fn from_entries(entries: &[Entry], window: &Window) -> Self {
        let first = entries.first().map_or(0, |e| e.time);
        let mut ring = Self::empty(first.div_euclid(length(window)));
        for entry in entries {
            ring.count(*entry, window);
        }
        ring
    }

    /// Adds an event.
    pub(crate) fn add(&mut self, entry: Entry, window: &Window) -> Count {
        if self.recent.has(entry) || !self.count(entry, window) {
            return Count::default();
        }
        Count {
            value: self.largest(entry.time, window),
            approximate: false,
            counted: true,
        }
    }

    fn count(&mut self, entry: Entry, window: &Window) -> bool {
        let bucket = entry.time.div_euclid(length(window));
        if bucket <= self.head.saturating_sub(BUCKETS_I64) {
            return false;
        }
        if bucket > self.head {
            let passed = (bucket - self.head).min(BUCKETS_I64);
            for back in 0..passed {
                if let Some(count) = self.at_mut(bucket - back) {
                    *count = 0;
                }
            }
            self.head = bucket;
        }
        if let Some(count) = self.at_mut(bucket) {
            *count = count.saturating_add(1);
        }
        self.recent.push(entry);
        true
    }

    fn at_mut(&mut self, bucket: i64) -> Option<&mut u32> {
        self.counts
            .get_mut(usize::try_from(bucket.rem_euclid(BUCKETS_I64)).ok()?)
    }

    fn at(&self, bucket: i64) -> u64 {
        if bucket <= self.head.saturating_sub(BUCKETS_I64) || bucket > self.head {
            return 0;
        }
        let place = usize::try_from(bucket.rem_euclid(BUCKETS_I64)).unwrap_or(0);
        self.counts.get(place).map_or(0, |count| u64::from(*count))
    }

    /// The largest count of a window with `time` in it.
    fn largest(&self, time: i64, window: &Window) -> u64 {
        let whole = (window.span / length(window)).max(1);
        let first = time.div_euclid(length(window));
        let last = self.head.min(first.saturating_add(whole - 1));
        let mut sum: u64 = (first - whole + 1..=first)
            .map(|bucket| self.at(bucket))
            .sum();
        let mut best = sum;
        for end in first + 1..=last {
            sum = sum + self.at(end) - self.at(end - whole).min(sum);
            best = best.max(sum);
        }
        best
    }

    /// Where the oldest counted sub-bucket of the window that ends at `end` begins.
    pub(crate) fn first_time(&self, window: &Window, end: i64) -> i64 {
        let length = length(window);
        let last = end.div_euclid(length);
        let whole = (window.span / length).max(1);
        let mut buckets = last - whole + 1..=last;
        buckets
            .find(|bucket| self.at(*bucket) > 0)
            .map_or(end, |bucket| bucket * length)
    }
}
