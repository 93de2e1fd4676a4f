//! Distinct values estimated: HyperLogLog (P. Flajolet and others, 2007) per sub-bucket of time.
//!
//! 1,024 registers: a standard error of 1.04 / √1024 = 3.25 %, and linear counting for small numbers.
//! The union over the window is kept up to date register by register, so that one more value costs the
//! same however many were seen.

use super::exact::{Entry, Recent};
use super::{Count, Window};

/// Sub-buckets of a group.
pub(crate) const BUCKETS: usize = 12;
const BUCKETS_I64: i64 = 12;
/// Registers of a sketch.
pub(crate) const REGISTERS: usize = 1_024;
const REGISTER_BITS: u32 = 10;
/// Unit of the fixed-point sum of 2^-register: 2^52.
const UNIT_BITS: u32 = 52;

/// Registers of one sub-bucket.
pub(crate) type Registers = [u8; REGISTERS];

/// Sketches of the newest sub-buckets and of the window.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sketch {
    /// Number of the newest sub-bucket.
    pub(crate) head: i64,
    pub(crate) buckets: [Option<Box<Registers>>; BUCKETS],
    union: Box<Registers>,
    /// Sum of 2^-register over the union, in units of 2^-52: exact.
    sum: u64,
    zeros: u32,
    pub(crate) recent: Recent,
}

fn length(window: &Window) -> i64 {
    (window.keep / BUCKETS_I64 + 1).max(1)
}

fn weight(register: u8) -> u64 {
    1u64.checked_shl(UNIT_BITS.saturating_sub(u32::from(register)))
        .unwrap_or(0)
}

impl Sketch {
    /// An empty one whose newest sub-bucket is `head`.
    pub(crate) fn empty(head: i64) -> Self {
        Self {
            head,
            buckets: Default::default(),
            union: Box::new([0; REGISTERS]),
            sum: 0,
            zeros: 0,
            recent: Recent::default(),
        }
    }

    /// From moments sorted by time.
    pub(crate) fn from_entries(entries: &[Entry], window: &Window) -> Self {
        let newest = entries.last().map_or(0, |e| e.time);
        let mut sketch = Self::empty(newest.div_euclid(length(window)));
        sketch.unite(window);
        for entry in entries {
            sketch.insert(*entry, window);
        }
        sketch
    }

    /// Bytes on the heap.
    pub(crate) fn bytes(&self) -> usize {
        let held = self.buckets.iter().flatten().count() + 1;
        size_of::<Self>() + held * REGISTERS
    }

    /// Adds a value.
    pub(crate) fn add(&mut self, entry: Entry, window: &Window) -> Count {
        if !self.insert(entry, window) {
            return Count::default();
        }
        Count {
            value: self.estimate(),
            approximate: true,
            counted: true,
        }
    }

    fn insert(&mut self, entry: Entry, window: &Window) -> bool {
        let bucket = entry.time.div_euclid(length(window));
        if bucket <= self.head.saturating_sub(BUCKETS_I64) {
            return false;
        }
        if bucket > self.head {
            for back in 0..(bucket - self.head).min(BUCKETS_I64) {
                if let Some(slot) = slot(&mut self.buckets, bucket - back) {
                    *slot = None;
                }
            }
            self.head = bucket;
            self.unite(window);
        }
        let place = usize::try_from(entry.mark).unwrap_or(usize::MAX) % REGISTERS;
        let rank = (entry.mark >> REGISTER_BITS)
            .trailing_zeros()
            .min(UNIT_BITS - 1)
            + 1;
        let rank = u8::try_from(rank).unwrap_or(u8::MAX);
        if let Some(slot) = slot(&mut self.buckets, bucket) {
            let registers = slot.get_or_insert_with(|| Box::new([0; REGISTERS]));
            if let Some(register) = registers.get_mut(place) {
                *register = (*register).max(rank);
            }
        }
        if bucket > self.head - whole(window)
            && let Some(register) = self.union.get_mut(place)
            && *register < rank
        {
            self.sum = self.sum - weight(*register) + weight(rank);
            self.zeros -= u32::from(*register == 0);
            *register = rank;
        }
        self.recent.push(entry);
        true
    }

    /// Works the union out anew, for the window that ends with the newest sub-bucket.
    pub(crate) fn unite(&mut self, window: &Window) {
        self.union.fill(0);
        for back in 0..whole(window) {
            let place = usize::try_from((self.head - back).rem_euclid(BUCKETS_I64)).unwrap_or(0);
            if let Some(Some(registers)) = self.buckets.get(place) {
                for (united, register) in self.union.iter_mut().zip(registers.iter()) {
                    *united = (*united).max(*register);
                }
            }
        }
        self.sum = self.union.iter().map(|register| weight(*register)).sum();
        self.zeros = u32::try_from(self.union.iter().filter(|r| **r == 0).count()).unwrap_or(0);
    }

    /// Distinct values in the window.
    fn estimate(&self) -> u64 {
        let registers = 1_024.0f64;
        let alpha = 0.7213 / (1.0 + 1.079 / registers);
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let sum = self.sum as f64 / (1u64 << UNIT_BITS) as f64;
        let raw = alpha * registers * registers / sum;
        let estimate = if raw <= 2.5 * registers && self.zeros > 0 {
            registers * (registers / f64::from(self.zeros)).ln()
        } else {
            raw
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive, and far below 2^63"
        )]
        let rounded = estimate.round() as u64;
        rounded
    }
}

/// Whole sub-buckets in a window.
fn whole(window: &Window) -> i64 {
    (window.span / length(window)).clamp(1, BUCKETS_I64)
}

fn slot(
    buckets: &mut [Option<Box<Registers>>; BUCKETS],
    bucket: i64,
) -> Option<&mut Option<Box<Registers>>> {
    buckets.get_mut(usize::try_from(bucket.rem_euclid(BUCKETS_I64)).ok()?)
}
