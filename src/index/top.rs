//! The best rows so far, in the order that was asked for.

use super::cursor::Key;
use super::search::Sort;

/// Keys in order, at most so many.
#[derive(Debug)]
pub(super) struct Top {
    sort: Sort,
    max: usize,
    keys: Vec<Key>,
}

impl Top {
    pub(super) fn new(sort: Sort, max: usize) -> Self {
        Self {
            sort,
            max,
            keys: Vec::new(),
        }
    }

    /// Whether `a` comes before `b`.
    pub(super) fn is_before(&self, a: Key, b: Key) -> bool {
        match self.sort {
            Sort::Desc => a > b,
            Sort::Asc => a < b,
        }
    }

    /// Whether a key would be one of the best.
    pub(super) fn wants(&self, key: Key) -> bool {
        match self.last() {
            Some(last) => self.is_before(key, last),
            None => true,
        }
    }

    /// The last of a full list.
    pub(super) fn last(&self) -> Option<Key> {
        if self.keys.len() < self.max {
            return None;
        }
        self.keys.last().copied()
    }

    /// Adds one.
    pub(super) fn push(&mut self, key: Key) {
        let at = self
            .keys
            .partition_point(|other| self.is_before(*other, key));
        self.keys.insert(at, key);
        self.keys.truncate(self.max);
    }

    /// Adds many at once; cheaper than one by one.
    pub(super) fn extend(&mut self, mut keys: Vec<Key>) {
        let sort = self.sort;
        let order = |a: &Key, b: &Key| match sort {
            Sort::Desc => b.cmp(a),
            Sort::Asc => a.cmp(b),
        };
        if keys.len() > self.max {
            keys.select_nth_unstable_by(self.max, order);
            keys.truncate(self.max);
        }
        self.keys.append(&mut keys);
        self.keys.sort_unstable_by(order);
        self.keys.truncate(self.max);
    }

    /// Drops what does not come before a key.
    pub(super) fn keep_before(&mut self, bound: Key) {
        let end = self.keys.partition_point(|key| self.is_before(*key, bound));
        self.keys.truncate(end);
    }

    pub(super) fn sort(&self) -> Sort {
        self.sort
    }

    pub(super) fn keys(&self) -> &[Key] {
        &self.keys
    }
}
