//! Columns in the making: values as they come, and one blob of bytes per part when all are there.

use std::io::{self, Write};

use super::dictionary::{Order, Writer};
use super::pack::{Done, Packer};
use super::{Kind, Meta, Part, presence};

/// Gathers the columns of a segment. Documents come in order.
#[derive(Debug, Default)]
pub(in super::super) struct Gather {
    columns: Vec<Option<Column>>,
}

/// The values of one column so far.
#[derive(Debug)]
struct Column {
    name: &'static str,
    kind: Kind,
    /// Numbers, or places of terms in the order they were first seen.
    values: Vec<u64>,
    /// The document of each value, from the first one on that is not the only value of its document.
    docs: Option<Vec<u32>>,
    terms: Interner,
}

impl Gather {
    /// Adds a number to column `at`, which has this name.
    pub(in super::super) fn number(&mut self, at: usize, name: &'static str, doc: u32, value: u64) {
        if let Some(column) = self.column(at, name, Kind::Number) {
            column.push(doc, value);
        }
    }

    /// Adds a term to column `at`, which has this name; its place among the column's terms.
    pub(in super::super) fn term(
        &mut self,
        at: usize,
        name: &'static str,
        kind: Kind,
        doc: u32,
        term: &[u8],
    ) -> Option<u32> {
        let column = self.column(at, name, kind)?;
        let place = column.terms.place(term);
        column.push(doc, u64::from(place));
        Some(place)
    }

    /// Adds a term to column `at` again, by its place.
    pub(in super::super) fn again(&mut self, at: usize, doc: u32, place: u32) {
        if let Some(Some(column)) = self.columns.get_mut(at) {
            column.push(doc, u64::from(place));
        }
    }

    fn column(&mut self, at: usize, name: &'static str, kind: Kind) -> Option<&mut Column> {
        if self.columns.len() <= at {
            self.columns.resize_with(at + 1, || None);
        }
        let column = self.columns.get_mut(at)?;
        Some(column.get_or_insert_with(|| Column::new(name, kind)))
    }

    /// About how many bytes of memory are held.
    pub(in super::super) fn bytes(&self) -> usize {
        let columns = self.columns.iter().flatten();
        columns
            .map(|column| column.values.len() * 8 + column.terms.bytes())
            .sum()
    }

    /// Writes the file of a segment with so many documents.
    pub(in super::super) fn write(self, docs: u32, to: &mut impl Write) -> io::Result<()> {
        let mut file = File::new(to);
        for column in self.columns.into_iter().flatten() {
            file.column(column, docs)?;
        }
        file.finish()
    }
}

impl Column {
    fn new(name: &'static str, kind: Kind) -> Self {
        Self {
            name,
            kind,
            values: Vec::new(),
            docs: None,
            terms: Interner::default(),
        }
    }

    /// Adds a value: a number, or the place of a term.
    #[inline]
    fn push(&mut self, doc: u32, value: u64) {
        match &mut self.docs {
            Some(docs) => docs.push(doc),
            None => {
                let next = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
                if next != doc {
                    self.docs = Some((0..next).chain([doc]).collect());
                }
            }
        }
        self.values.push(value);
    }
}

/// The half of an entry of the table that is a place.
const PLACE: u64 = 0xffff_ffff;

fn slot_of(entry: u64) -> usize {
    usize::try_from(entry >> 32).unwrap_or(0)
}

/// Distinct terms in the order they were first seen: one arena, one table of places.
#[derive(Debug, Default)]
struct Interner {
    arena: Vec<u8>,
    ends: Vec<usize>,
    /// By hash: the hash above, the place + 1 below; 0 where none. A power of two, at most five in eight taken: the smaller it is, the more of it
    /// stays in the processor's cache.
    table: Vec<u64>,
    last: u32,
    seed: foldhash::fast::RandomState,
}

impl Interner {
    fn bytes(&self) -> usize {
        self.arena.len() + self.ends.len() * 8 + self.table.len() * 8
    }

    fn term(&self, place: u32) -> Option<&[u8]> {
        let at = usize::try_from(place).ok()?;
        let start = match at.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.arena.get(start..*self.ends.get(at)?)
    }

    #[inline]
    fn is(&self, place: u32, term: &[u8]) -> bool {
        self.term(place).is_some_and(|known| equal(known, term))
    }

    /// The place of a term, a new one where it was not seen.
    fn place(&mut self, term: &[u8]) -> u32 {
        // Neighbours often have the same value.
        if self.is(self.last, term) {
            return self.last;
        }
        if (self.ends.len() + 1) * 8 > self.table.len() * 5 {
            self.grow();
        }
        let hash = self.hash(term);
        let mask = self.table.len().saturating_sub(1);
        let mut slot = slot_of(hash) & mask;
        while let Some(entry) = self.table.get(slot).copied().filter(|entry| *entry != 0) {
            let place = u32::try_from(entry & PLACE).unwrap_or(0).wrapping_sub(1);
            if entry & !PLACE == hash && self.is(place, term) {
                self.last = place;
                return place;
            }
            slot = (slot + 1) & mask;
        }
        let place = u32::try_from(self.ends.len()).unwrap_or(u32::MAX - 1);
        self.arena.extend_from_slice(term);
        self.ends.push(self.arena.len());
        if let Some(free) = self.table.get_mut(slot) {
            *free = hash | u64::from(place + 1);
        }
        self.last = place;
        place
    }

    /// The upper half of a hash.
    fn hash(&self, term: &[u8]) -> u64 {
        use std::hash::{BuildHasher, Hasher};
        let mut hasher = self.seed.build_hasher();
        hasher.write(term);
        hasher.finish() & !PLACE
    }

    fn grow(&mut self) {
        let size = (self.table.len() * 2).max(64);
        let old = std::mem::replace(&mut self.table, vec![0; size]);
        for entry in old.into_iter().filter(|entry| *entry != 0) {
            let mut slot = slot_of(entry) & (size - 1);
            while self.table.get(slot).is_some_and(|taken| *taken != 0) {
                slot = (slot + 1) & (size - 1);
            }
            if let Some(free) = self.table.get_mut(slot) {
                *free = entry;
            }
        }
    }

    /// The terms sorted and written, and the ordinal of each place.
    fn sorted(&self, order: Order) -> (Vec<u8>, Vec<u32>) {
        let count = u32::try_from(self.ends.len()).unwrap_or(u32::MAX);
        let term = |place: u32| self.term(place).unwrap_or_default();
        let mut places: Vec<(u128, u32)> = (0..count)
            .map(|place| (order.key(term(place)), place))
            .collect();
        places.sort_unstable_by(|(a, one), (b, other)| {
            a.cmp(b)
                .then_with(|| order.compare(term(*one), term(*other)))
        });
        let mut writer = Writer::default();
        let mut ordinals = vec![0u32; places.len()];
        for (ord, (_, place)) in (0u32..).zip(&places) {
            writer.push(term(*place));
            let at = usize::try_from(*place).unwrap_or(usize::MAX);
            if let Some(slot) = ordinals.get_mut(at) {
                *slot = ord;
            }
        }
        (writer.finish(), ordinals)
    }
}

/// Whether two terms are the same. Most are short: their first and last words are compared at once, which costs less than
/// the call that compares bytes of any number.
#[inline]
fn equal(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    match (word(a), word(b)) {
        (Some(ends), Some(others)) => ends == others,
        _ => a == b,
    }
}

/// The bytes of a short text in two words that overlap where it does not fill them.
#[inline]
fn word(text: &[u8]) -> Option<[u64; 2]> {
    if text.len() > 16 {
        return None;
    }
    if let (Some(head), Some(tail)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        return Some([u64::from_le_bytes(*head), u64::from_le_bytes(*tail)]);
    }
    if let (Some(head), Some(tail)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        let wide = |part: &[u8; 4]| u64::from(u32::from_le_bytes(*part));
        return Some([wide(head), wide(tail)]);
    }
    let at = |at: usize| text.get(at).copied().map_or(0, u64::from);
    Some([at(0), at(1) << 8 | at(2)])
}

/// A column that is ready to be written.
#[derive(Debug)]
pub(super) struct Packed {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Numbers or ordinals.
    pub(super) values: Done,
    /// Like [`Column::docs`].
    pub(super) docs: Option<Vec<u32>>,
    /// The dictionary and how many terms it has.
    pub(super) terms: Option<(Vec<u8>, u32)>,
}

/// A file of columns in the making.
pub(super) struct File<'w, W: Write> {
    to: &'w mut W,
    at: u64,
    columns: Vec<Meta>,
}

impl<'w, W: Write> File<'w, W> {
    pub(super) fn new(to: &'w mut W) -> Self {
        Self {
            to,
            at: 0,
            columns: Vec::new(),
        }
    }

    /// Writes a column of a segment with so many documents; one without values is left out.
    fn column(&mut self, column: Column, docs: u32) -> io::Result<()> {
        let mut values = Packer::default();
        let mut terms = None;
        if let Some(order) = column.kind.order() {
            let (bytes, ordinals) = column.terms.sorted(order);
            values.extend(&column.values, |place| {
                let place = usize::try_from(*place).unwrap_or(usize::MAX);
                ordinals.get(place).copied().map_or(0, u64::from)
            });
            let count = u32::try_from(ordinals.len()).unwrap_or(u32::MAX);
            terms = Some((bytes, count));
        } else {
            values.extend(&column.values, |value| *value);
        }
        let packed = Packed {
            name: column.name,
            kind: column.kind,
            values: values.finish(),
            docs: column.docs,
            terms,
        };
        self.write(packed, docs)
    }

    /// Writes a column whose values are packed; one without values is left out.
    pub(super) fn write(&mut self, column: Packed, docs: u32) -> io::Result<()> {
        let count = column.values.count;
        let rows = u32::try_from(count).map_err(|_| io::ErrorKind::FileTooLarge)?;
        if rows == 0 {
            return Ok(());
        }
        let terms = match column.terms {
            Some((bytes, count)) => Some((self.part(&bytes)?, count)),
            None => None,
        };
        let values = self.part(&column.values.bytes)?;
        let of = match column.docs {
            None if rows == docs => None,
            None => Some((0..rows).collect()),
            docs => docs,
        };
        let docs = of
            .map(|of: Vec<u32>| self.part(&presence::pack(&of)))
            .transpose()?;
        self.columns.push(Meta {
            name: column.name.to_owned(),
            kind: column.kind,
            rows,
            min: column.values.min,
            max: column.values.max,
            values,
            docs,
            terms,
        });
        Ok(())
    }

    fn part(&mut self, bytes: &[u8]) -> io::Result<Part> {
        self.to.write_all(bytes)?;
        let start = self.at;
        self.at += u64::try_from(bytes.len()).unwrap_or(0);
        Ok(Part(start, self.at))
    }

    /// Writes what stands where.
    pub(super) fn finish(self) -> io::Result<()> {
        let directory = serde_json::to_vec(&self.columns)?;
        self.to.write_all(&directory)?;
        let length = u64::try_from(directory.len()).unwrap_or(u64::MAX);
        self.to.write_all(&length.to_le_bytes())
    }
}
