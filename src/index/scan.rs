//! Loops over columns: half a nanosecond per value where the column is dense.

use std::io;
use std::net::Ipv6Addr;
use std::ops::{Range, RangeInclusive};

use tantivy::columnar::{Column, ColumnIndex, StrColumn};
use tantivy_fst::Automaton;

use super::docs::{Docs, set};

/// Values decoded at a time.
const BLOCK: usize = 512;

/// Hands out the values of rows in blocks.
pub(super) fn each_value(column: &Column<u64>, rows: Range<u32>, mut found: impl FnMut(u32, u64)) {
    let mut buffer = [0u64; BLOCK];
    let mut start = rows.start;
    while start < rows.end {
        let length = usize::try_from(rows.end - start)
            .unwrap_or(BLOCK)
            .min(BLOCK);
        let Some(block) = buffer.get_mut(..length) else {
            return;
        };
        column.values.get_range(u64::from(start), block);
        for (row, value) in (start..).zip(block.iter()) {
            found(row, *value);
        }
        start = start.saturating_add(u32::try_from(length).unwrap_or(u32::MAX));
    }
}

/// Documents of a range with a value that is accepted, as positions in the range.
pub(super) fn scan(column: &Column<u64>, docs: Range<u32>, accept: impl Fn(u64) -> bool) -> Docs {
    let mut bits = Docs::zeros(docs.end - docs.start);
    match &column.index {
        ColumnIndex::Empty { .. } => return Docs::None,
        ColumnIndex::Full => {
            let start = docs.start;
            let mut buffer = [0u64; BLOCK];
            let mut at = docs.start;
            while at < docs.end {
                let length = usize::try_from(docs.end - at).unwrap_or(BLOCK).min(BLOCK);
                let Some(block) = buffer.get_mut(..length) else {
                    break;
                };
                column.values.get_range(u64::from(at), block);
                let first = usize::try_from((at - start) / 64).unwrap_or(usize::MAX);
                // Blocks are whole words of bits: the loop has no branches.
                for (word, values) in bits.iter_mut().skip(first).zip(block.chunks(64)) {
                    for (bit, value) in values.iter().enumerate() {
                        *word |= u64::from(accept(*value)) << bit;
                    }
                }
                at = at.saturating_add(u32::try_from(length).unwrap_or(u32::MAX));
            }
        }
        index => {
            let mut rows = Vec::new();
            each_value(
                column,
                index.docid_range_to_rowids(docs.clone()),
                |row, value| {
                    if accept(value) {
                        rows.push(row);
                    }
                },
            );
            index.select_batch_in_place(docs.start, &mut rows);
            for doc in rows {
                set(&mut bits, doc - docs.start);
            }
        }
    }
    Docs::from_bits(bits)
}

/// Documents of a range with a number in a range.
pub(super) fn numbers(column: &Column<u64>, docs: Range<u32>, range: &RangeInclusive<u64>) -> Docs {
    let (low, high) = (*range.start(), *range.end());
    let (min, max) = (column.min_value(), column.max_value());
    if low > high || high < min || low > max {
        return Docs::None;
    }
    if low <= min && max <= high && matches!(column.index, ColumnIndex::Full) {
        return Docs::All;
    }
    let width = high - low;
    scan(column, docs, |value| value.wrapping_sub(low) <= width)
}

/// Documents of a range with an address in a range.
pub(super) fn addresses(
    column: &Column<Ipv6Addr>,
    docs: Range<u32>,
    range: &RangeInclusive<Ipv6Addr>,
) -> Docs {
    if *range.end() < column.min_value() || *range.start() > column.max_value() {
        return Docs::None;
    }
    let mut found = Vec::new();
    column.get_docids_for_value_range(range.clone(), docs.clone(), &mut found);
    let mut bits = Docs::zeros(docs.end - docs.start);
    for doc in found {
        set(&mut bits, doc - docs.start);
    }
    Docs::from_bits(bits)
}

/// A set of dictionary ordinals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ords {
    /// A run of neighbours.
    Run(RangeInclusive<u64>),
    /// Bits by ordinal.
    Set(Vec<u64>),
}

impl Ords {
    /// From ordinals in ascending order; `None` for none.
    pub(super) fn new(ords: &[u64]) -> Option<Self> {
        let (first, last) = (*ords.first()?, *ords.last()?);
        if usize::try_from(last - first).ok()?.checked_add(1)? == ords.len() {
            return Some(Self::Run(first..=last));
        }
        let words = usize::try_from(last / 64).ok()?.checked_add(1)?;
        let mut bits = vec![0u64; words];
        for ord in ords {
            set(&mut bits, u32::try_from(*ord).ok()?);
        }
        Some(Self::Set(bits))
    }
}

/// Documents of a range with an ordinal of the set.
pub(super) fn ordinals(column: &Column<u64>, docs: Range<u32>, ords: &Ords) -> Docs {
    match ords {
        Ords::Run(range) => numbers(column, docs, range),
        Ords::Set(bits) => scan(column, docs, |ord| {
            usize::try_from(ord / 64)
                .ok()
                .and_then(|at| bits.get(at))
                .is_some_and(|word| word >> (ord % 64) & 1 == 1)
        }),
    }
}

/// Ordinals of the terms that are accepted, in order.
pub(super) fn terms(
    column: &StrColumn,
    filter: Filter<'_>,
    mut accept: impl FnMut(&str) -> bool,
) -> io::Result<Vec<u64>> {
    let mut ords = Vec::new();
    let mut stream = column.dictionary().search(filter).into_stream()?;
    while stream.advance() {
        let is_accepted = std::str::from_utf8(stream.key()).is_ok_and(&mut accept);
        if is_accepted {
            ords.push(stream.term_ord());
        }
    }
    Ok(ords)
}

/// Which part of a dictionary is walked: terms that start with, or are, an ASCII text in any case. Lets the dictionary skip
/// whole blocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filter<'a> {
    ascii: &'a str,
    is_whole: bool,
}

impl<'a> Filter<'a> {
    /// Every term.
    pub(super) fn all() -> Self {
        Self::prefix("")
    }

    /// Terms that start like this; all terms where it is not ASCII from its start.
    pub(super) fn prefix(text: &'a str) -> Self {
        let end = text
            .bytes()
            .position(|byte| !byte.is_ascii())
            .unwrap_or(text.len());
        Self {
            ascii: text.get(..end).unwrap_or_default(),
            is_whole: false,
        }
    }

    /// Terms that are this in any case; a superset where it is not ASCII.
    pub(super) fn whole(text: &'a str) -> Self {
        Self {
            is_whole: text.is_ascii(),
            ..Self::prefix(text)
        }
    }
}

impl Automaton for Filter<'_> {
    /// Bytes that fit so far; `None` when one did not.
    type State = Option<usize>;

    fn start(&self) -> Self::State {
        Some(0)
    }

    fn is_match(&self, state: &Self::State) -> bool {
        *state == Some(self.ascii.len())
    }

    fn can_match(&self, state: &Self::State) -> bool {
        state.is_some()
    }

    fn will_always_match(&self, state: &Self::State) -> bool {
        !self.is_whole && self.is_match(state)
    }

    fn accept(&self, state: &Self::State, byte: u8) -> Self::State {
        let at = (*state)?;
        match self.ascii.as_bytes().get(at) {
            Some(wanted) if wanted.eq_ignore_ascii_case(&byte) => Some(at + 1),
            None if !self.is_whole => Some(at),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use tantivy::columnar::{ColumnType, ColumnarReader, ColumnarWriter, DynamicColumn};

    use super::super::text::{equal, fold};
    use super::*;

    const DOCS: u32 = 12_000;

    fn open(fill: impl FnOnce(&mut ColumnarWriter)) -> DynamicColumn {
        let mut writer = ColumnarWriter::default();
        fill(&mut writer);
        let mut bytes = Vec::new();
        writer.serialize(DOCS, None, &mut bytes).unwrap();
        let reader = ColumnarReader::open(bytes).unwrap();
        reader.read_columns("c").unwrap()[0].open().unwrap()
    }

    fn user(doc: u32) -> String {
        let name = format!("User-{:05}", doc.wrapping_mul(7919) % 9_000);
        if doc.is_multiple_of(3) {
            name.to_uppercase()
        } else {
            name
        }
    }

    #[test]
    fn large_dictionaries_find_any_case_and_the_right_ordinal() {
        let DynamicColumn::Str(column) = open(|writer| {
            (0..DOCS).for_each(|doc| writer.record_str(doc, "c", &user(doc)));
        }) else {
            panic!("no text column");
        };
        let check = |filter: Filter<'_>, accept: &dyn Fn(&str) -> bool, wanted: &str| {
            let mut found = Vec::new();
            for ord in terms(&column, filter, accept).unwrap() {
                let mut term = String::new();
                assert!(column.ord_to_str(ord, &mut term).unwrap());
                found.push(term);
            }
            let mut expected: Vec<String> =
                (0..DOCS).map(user).filter(|user| accept(user)).collect();
            expected.sort();
            expected.dedup();
            assert!(
                found == expected,
                "{wanted}: {} of {}",
                found.len(),
                expected.len()
            );
        };
        for wanted in [
            "user-00000",
            "user-04999",
            "USER-08999",
            "user-17",
            "",
            "absent",
            "ünal",
        ] {
            let folded = fold(wanted);
            check(Filter::whole(&folded), &|term| equal(&folded, term), wanted);
            check(
                Filter::prefix(&folded),
                &|term| fold(term).starts_with(&folded),
                wanted,
            );
        }
    }

    #[test]
    fn numbers_are_found_whether_or_not_every_document_has_one() {
        let value = |doc: u32| u64::from(doc % 1_000) * 100 + 200;
        for every in [1, 3, 0] {
            let has = |doc: u32, time: u32| {
                every != 0 && doc.is_multiple_of(every) || every == 0 && time < doc % 3
            };
            let DynamicColumn::U64(column) = open(|writer| {
                writer.record_column_type("c", ColumnType::U64, false);
                for doc in 0..DOCS {
                    for time in 0..2u32 {
                        if has(doc, time) && (every == 0 || time == 0) {
                            writer.record_numerical(doc, "c", value(doc) + u64::from(time));
                        }
                    }
                }
            }) else {
                panic!("no number column");
            };
            for range in [
                0..=0,
                200..=200,
                400..=1_000,
                99_000..=u64::MAX,
                201..=201,
                0..=u64::MAX,
            ] {
                for docs in [0..DOCS, 100..1_000, DOCS - 5..DOCS] {
                    let mut found = vec![];
                    numbers(&column, docs.clone(), &range)
                        .each(docs.end - docs.start, |at| found.push(docs.start + at));
                    let expected: Vec<u32> = docs
                        .clone()
                        .filter(|doc| {
                            (0..2u32).any(|time| {
                                has(*doc, time)
                                    && (every == 0 || time == 0)
                                    && range.contains(&(value(*doc) + u64::from(time)))
                            })
                        })
                        .collect();
                    assert_eq!(found, expected, "{every} {range:?} {docs:?}");
                }
            }
        }
    }
}
