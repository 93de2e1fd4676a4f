//! The distinct terms of a column, sorted and front-coded. Texts are sorted as they read without case, so that what equals
//! or begins like a text in any case stands together and is found by bisection.
//!
//! Bytes: blocks of 16 terms, then the start of each block as u32 little endian. A term is
//! `bytes shared with the one before LEB128 · other bytes LEB128 · other bytes`; the first of a block shares none.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::ops::Range;

use tantivy::directory::OwnedBytes;

use super::super::postings::{leb128, read_leb128};
use super::super::text::fold;

const BLOCK: u32 = 16;

/// How terms are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Order {
    /// Without case; of those that differ in case alone by their bytes.
    Folded,
    /// By their bytes.
    Bytes,
}

impl Order {
    pub(in super::super) fn compare(self, a: &[u8], b: &[u8]) -> Ordering {
        match self {
            Self::Bytes => a.cmp(b),
            Self::Folded => folded(a, b).then_with(|| a.cmp(b)),
        }
    }

    /// The first 16 bytes of what is compared; equal ones have to be compared whole.
    pub(super) fn key(self, term: &[u8]) -> u128 {
        let head = |term: &[u8]| {
            if let Some(head) = term.first_chunk::<16>() {
                return *head;
            }
            let mut key = [0u8; 16];
            key.iter_mut().zip(term).for_each(|(to, from)| *to = *from);
            key
        };
        let key = match self {
            Self::Bytes => head(term),
            Self::Folded if term.is_ascii() => {
                let mut key = head(term);
                key.make_ascii_lowercase();
                key
            }
            Self::Folded => match std::str::from_utf8(term) {
                Ok(text) => head(fold(text).as_bytes()),
                Err(_) => head(term),
            },
        };
        u128::from_be_bytes(key)
    }
}

/// Compares as if both were folded.
fn folded(a: &[u8], b: &[u8]) -> Ordering {
    if a.is_ascii() && b.is_ascii() {
        let differ = a.iter().zip(b).find(|(a, b)| !a.eq_ignore_ascii_case(b));
        return match differ {
            Some((a, b)) => a.to_ascii_lowercase().cmp(&b.to_ascii_lowercase()),
            None => a.len().cmp(&b.len()),
        };
    }
    folded_text(a).cmp(&folded_text(b))
}

fn folded_text(term: &[u8]) -> String {
    fold(&String::from_utf8_lossy(term))
}

/// How many bytes two terms begin with alike.
fn shared(a: &[u8], b: &[u8]) -> usize {
    let words = a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0);
    let alike = words.take_while(|(a, b)| a == b).count() * 8;
    let rest = a.iter().zip(b).skip(alike);
    alike + rest.take_while(|(a, b)| a == b).count()
}

/// Writes terms that come in order.
#[derive(Debug, Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    starts: Vec<u32>,
    last: Vec<u8>,
    count: u32,
}

impl Writer {
    pub(super) fn push(&mut self, term: &[u8]) {
        if self.count.is_multiple_of(BLOCK) {
            let start = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
            self.starts.push(start);
            self.last.clear();
        }
        let shared = shared(&self.last, term);
        let rest = term.get(shared..).unwrap_or_default();
        leb128(&mut self.bytes, u32::try_from(shared).unwrap_or(0));
        leb128(&mut self.bytes, u32::try_from(rest.len()).unwrap_or(0));
        self.bytes.extend_from_slice(rest);
        self.last.truncate(shared);
        self.last.extend_from_slice(rest);
        self.count += 1;
    }

    /// How many terms.
    fn written(&self) -> u32 {
        self.count
    }

    /// Whether this is the last term.
    fn is_last(&self, term: &[u8]) -> bool {
        self.last == term
    }

    /// All bytes.
    pub(super) fn finish(mut self) -> Vec<u8> {
        for start in &self.starts {
            self.bytes.extend_from_slice(&start.to_le_bytes());
        }
        self.bytes
    }
}

/// Terms by ordinal, read from a memory map.
#[derive(Clone)]
pub(in super::super) struct Dictionary {
    bytes: OwnedBytes,
    starts: OwnedBytes,
    count: u32,
    order: Order,
}

impl Dictionary {
    /// Opens what a [`Writer`] made of `count` terms; `None` where the bytes are none.
    pub(super) fn open(bytes: OwnedBytes, count: u32, order: Order) -> Option<Self> {
        let blocks = usize::try_from(count.div_ceil(BLOCK)).ok()?;
        let body = bytes.len().checked_sub(blocks.checked_mul(4)?)?;
        let (bytes, starts) = bytes.split(body);
        Some(Self {
            bytes,
            starts,
            count,
            order,
        })
    }

    /// How many terms.
    pub(in super::super) fn count(&self) -> u32 {
        self.count
    }

    /// Hands out ordinals and terms from an ordinal on, until one is refused; whether all could be read.
    pub(in super::super) fn each(
        &self,
        from: u32,
        mut found: impl FnMut(u32, &[u8]) -> bool,
    ) -> bool {
        let mut term = Vec::new();
        let mut ord = from - from % BLOCK;
        let Some(mut rest) = self.block(ord / BLOCK) else {
            return self.count <= from;
        };
        while ord < self.count {
            let Some(tail) = next(rest, &mut term) else {
                return false;
            };
            rest = tail;
            if ord >= from && !found(ord, &term) {
                return true;
            }
            ord += 1;
        }
        true
    }

    /// All terms in order, one by one.
    fn terms(&self) -> Terms<'_> {
        Terms {
            rest: self.block(0).unwrap_or_default(),
            left: self.count,
            term: Vec::new(),
        }
    }

    /// The term of an ordinal.
    pub(in super::super) fn get(&self, ord: u32) -> Option<Vec<u8>> {
        let mut wanted = None;
        self.each(ord, |_, term| {
            wanted = Some(term.to_vec());
            false
        });
        wanted
    }

    /// The first ordinal whose term is not before this one.
    pub(in super::super) fn seek(&self, wanted: &[u8]) -> u32 {
        self.bound(|term| match self.order {
            Order::Bytes => term.cmp(wanted),
            Order::Folded => folded(term, wanted),
        })
    }

    /// The ordinal of exactly this term, or of the first that comes behind it.
    pub(in super::super) fn find(&self, wanted: &[u8]) -> Result<u32, u32> {
        let ord = self.bound(|term| self.order.compare(term, wanted));
        if self.get(ord).is_some_and(|term| term == wanted) {
            Ok(ord)
        } else {
            Err(ord)
        }
    }

    /// The first ordinal whose term does not compare as less.
    fn bound(&self, compare: impl Fn(&[u8]) -> Ordering) -> u32 {
        let mut term = Vec::new();
        let blocks = 0..self.count.div_ceil(BLOCK);
        let block = bisect(blocks, |block| {
            term.clear();
            let is_read = self.block(block).and_then(|rest| next(rest, &mut term));
            is_read.is_some() && compare(&term) == Ordering::Less
        });
        let mut at = self.count;
        self.each(
            block.saturating_sub(1).saturating_mul(BLOCK),
            |ord, term| {
                let is_before = compare(term) == Ordering::Less;
                if !is_before {
                    at = ord;
                }
                is_before
            },
        );
        at
    }

    /// Bytes from a block on.
    fn block(&self, block: u32) -> Option<&[u8]> {
        let at = usize::try_from(block).ok()?;
        let (starts, _) = self.starts.as_slice().as_chunks::<4>();
        let start = usize::try_from(u32::from_le_bytes(*starts.get(at)?)).ok()?;
        self.bytes.as_slice().get(start..)
    }
}

/// Reads terms one behind the other.
struct Terms<'d> {
    rest: &'d [u8],
    left: u32,
    term: Vec<u8>,
}

impl Terms<'_> {
    /// Goes to the next term; whether there was one, `None` where the bytes are none.
    fn advance(&mut self) -> Option<bool> {
        let Some(left) = self.left.checked_sub(1) else {
            return Some(false);
        };
        self.rest = next(self.rest, &mut self.term)?;
        self.left = left;
        Some(true)
    }
}

/// A dictionary among those that are merged, at one of its terms; the greatest is the one whose term comes first.
struct Head<'d> {
    key: u128,
    order: Order,
    terms: Terms<'d>,
    part: usize,
}

impl Ord for Head<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_key = other.key.cmp(&self.key);
        by_key.then_with(|| self.order.compare(&other.terms.term, &self.terms.term))
    }
}

impl PartialOrd for Head<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Head<'_> {}

/// One dictionary of several.
#[derive(Debug)]
pub(super) struct Union {
    /// What [`Writer::finish`] gives.
    pub(super) bytes: Vec<u8>,
    pub(super) count: u32,
    /// By dictionary and ordinal there, the ordinal here.
    pub(super) places: Vec<Vec<u32>>,
}

impl Union {
    /// Merges dictionaries of one order; `None` where the bytes of one are none.
    pub(super) fn of(parts: &[Option<&Dictionary>], order: Order) -> Option<Self> {
        let mut heads = BinaryHeap::with_capacity(parts.len());
        let mut places: Vec<Vec<u32>> = Vec::with_capacity(parts.len());
        for (part, dictionary) in parts.iter().enumerate() {
            places.push(Vec::new());
            let Some(dictionary) = dictionary else {
                continue;
            };
            let mut terms = dictionary.terms();
            if terms.advance()? {
                heads.push(Head {
                    key: order.key(&terms.term),
                    order,
                    terms,
                    part,
                });
            }
        }
        let mut writer = Writer::default();
        while let Some(mut head) = heads.peek_mut() {
            if writer.written() == 0 || !writer.is_last(&head.terms.term) {
                writer.push(&head.terms.term);
            }
            if let Some(places) = places.get_mut(head.part) {
                places.push(writer.written() - 1);
            }
            if head.terms.advance()? {
                head.key = order.key(&head.terms.term);
            } else {
                PeekMut::pop(head);
            }
        }
        Some(Self {
            count: writer.written(),
            bytes: writer.finish(),
            places,
        })
    }
}

/// Reads the next term over the one before; what is left.
fn next<'b>(bytes: &'b [u8], term: &mut Vec<u8>) -> Option<&'b [u8]> {
    let mut rest = bytes;
    let shared = usize::try_from(read_leb128(&mut rest)?).ok()?;
    let length = usize::try_from(read_leb128(&mut rest)?).ok()?;
    let (other, rest) = rest.split_at_checked(length)?;
    term.truncate(shared);
    term.extend_from_slice(other);
    Some(rest)
}

/// The first of a range that is not `before`; the range's end where all are.
fn bisect(range: Range<u32>, mut before: impl FnMut(u32) -> bool) -> u32 {
    let (mut low, mut high) = (range.start, range.end);
    while low < high {
        let middle = low + (high - low) / 2;
        if before(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dictionary(order: Order, mut terms: Vec<&[u8]>) -> Dictionary {
        terms.sort_by(|a, b| order.compare(a, b));
        let mut writer = Writer::default();
        terms.iter().for_each(|term| writer.push(term));
        let count = u32::try_from(terms.len()).unwrap();
        Dictionary::open(OwnedBytes::new(writer.finish()), count, order).unwrap()
    }

    #[test]
    fn terms_come_back_in_order_and_by_ordinal() {
        for count in [0usize, 1, 15, 16, 17, 1000] {
            let terms: Vec<String> = (0..count).map(|at| format!("user-{at:05}")).collect();
            let dictionary = dictionary(Order::Bytes, terms.iter().map(String::as_bytes).collect());
            let mut all = Vec::new();
            assert!(dictionary.each(0, |_, term| {
                all.push(String::from_utf8(term.to_vec()).unwrap());
                true
            }));
            assert_eq!(all, terms);
            for (ord, term) in terms.iter().enumerate() {
                let ord = u32::try_from(ord).unwrap();
                assert_eq!(dictionary.get(ord).unwrap(), term.as_bytes());
                assert_eq!(dictionary.seek(term.as_bytes()), ord);
            }
            assert_eq!(dictionary.seek(b"zzz"), dictionary.count());
            assert_eq!(dictionary.seek(b""), 0);
            assert_eq!(dictionary.get(dictionary.count()), None);
        }
    }

    #[test]
    fn texts_that_differ_in_case_alone_stand_together() {
        let words = [
            "b", "Alice", "alice", "ALICE", "alicf", "Ünal", "ünal", "z", "A", "ALI",
        ];
        let dictionary = dictionary(Order::Folded, words.map(str::as_bytes).to_vec());
        let from = dictionary.seek(b"alice");
        let mut found = Vec::new();
        dictionary.each(from, |_, term| {
            found.push(String::from_utf8(term.to_vec()).unwrap());
            found.len() < 4
        });
        assert_eq!(found, ["ALICE", "Alice", "alice", "alicf"]);
        let from = dictionary.seek("ünal".as_bytes());
        assert_eq!(dictionary.get(from).unwrap(), "Ünal".as_bytes());
        for word in words {
            let ord = dictionary.find(word.as_bytes()).unwrap();
            assert_eq!(dictionary.get(ord).unwrap(), word.as_bytes());
        }
        let found = ["", "aLICE", "c", "zz"].map(|word| dictionary.find(word.as_bytes()));
        assert_eq!(found, [Err(0), Err(4), Err(7), Err(8)]);
        for pair in words {
            for other in words {
                let (a, b) = (pair.as_bytes(), other.as_bytes());
                let by_key = Order::Folded.key(a).cmp(&Order::Folded.key(b));
                assert!(by_key == Ordering::Equal || by_key == Order::Folded.compare(a, b));
            }
        }
    }

    #[test]
    fn merged_dictionaries_hold_each_term_once() {
        let parts: [&[&str]; 4] = [
            &["b", "Alice", "of one prefix that is long, b"],
            &[],
            &["alice", "b", "c", "Ünal", "of one prefix that is long, a"],
            &["ünal", "b", "Alice"],
        ];
        for order in [Order::Folded, Order::Bytes] {
            let made = parts.map(|part| {
                let terms = part.iter().map(|term| term.as_bytes());
                dictionary(order, terms.collect())
            });
            let union = Union::of(&made.each_ref().map(Some), order).unwrap();
            let bytes = OwnedBytes::new(union.bytes);
            let merged = Dictionary::open(bytes, union.count, order).unwrap();
            let mut terms: Vec<&[u8]> = parts.concat().iter().map(|term| term.as_bytes()).collect();
            terms.sort_by(|a, b| order.compare(a, b));
            terms.dedup();
            let all: Vec<_> = (0..union.count)
                .map(|ord| merged.get(ord).unwrap())
                .collect();
            assert_eq!(all, terms);
            for (part, places) in made.iter().zip(&union.places) {
                let here: Vec<_> = (0..part.count())
                    .map(|ord| part.get(ord).unwrap())
                    .collect();
                let there: Vec<_> = places.iter().map(|ord| merged.get(*ord).unwrap()).collect();
                assert_eq!(here, there);
            }
        }
    }

    #[test]
    fn damaged_bytes_are_no_terms() {
        let mut writer = Writer::default();
        (0..40u8).for_each(|at| writer.push(&[at; 9]));
        let bytes = writer.finish();
        for cut in 0..bytes.len() {
            let cut = OwnedBytes::new(bytes[..cut].to_vec());
            if let Some(dictionary) = Dictionary::open(cut, 40, Order::Bytes) {
                let _either = dictionary.each(0, |_, _| true);
                let _either = dictionary.seek(&[20; 9]);
                let _either = Union::of(&[Some(&dictionary)], Order::Bytes).is_some();
            }
        }
    }
}
