//! Loops over columns and walks through dictionaries.

use std::io;
use std::net::Ipv6Addr;
use std::ops::{Range, RangeInclusive};

use super::column::{Column, Terms};
use super::docs::{Docs, set};
use super::text::{equal, starts_with};

/// Documents of a range with a value that is accepted, as positions in the range.
pub(super) fn scan(column: &Column, docs: Range<u32>, accept: impl Fn(u64) -> bool) -> Docs {
    let start = docs.start;
    let mut bits = Docs::zeros(docs.end - start);
    if column.is_full() && start.is_multiple_of(64) {
        column.blocks(docs, |first, values| {
            // Blocks begin and end between words of bits: the loop has no branches.
            let first = usize::try_from((first - start) / 64).unwrap_or(usize::MAX);
            for (word, values) in bits.iter_mut().skip(first).zip(values.chunks(64)) {
                for (bit, value) in values.iter().enumerate() {
                    *word |= u64::from(accept(*value)) << bit;
                }
            }
        });
    } else {
        column.each(docs, |doc, value| {
            if accept(value) {
                set(&mut bits, doc - start);
            }
        });
    }
    Docs::from_bits(bits)
}

/// Documents of a range with a number in a range.
pub(super) fn numbers(column: &Column, docs: Range<u32>, range: &RangeInclusive<u64>) -> Docs {
    let (low, high) = (*range.start(), *range.end());
    let (min, max) = (column.min(), column.max());
    if low > high || high < min || low > max {
        return Docs::None;
    }
    if low <= min && max <= high && column.is_full() {
        return Docs::All;
    }
    let width = high - low;
    scan(column, docs, |value| value.wrapping_sub(low) <= width)
}

/// Ordinals of the addresses of a range.
pub(super) fn addresses(column: &Terms, range: &RangeInclusive<Ipv6Addr>) -> Range<u64> {
    let dictionary = column.dictionary();
    let from = dictionary.seek(&range.start().octets());
    let mut to = from;
    if range.start() <= range.end() {
        let behind = range.end().to_bits().checked_add(1);
        to = behind.map_or(dictionary.count(), |behind| {
            dictionary.seek(&behind.to_be_bytes())
        });
    }
    u64::from(from)..u64::from(to)
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
pub(super) fn ordinals(column: &Column, docs: Range<u32>, ords: &Ords) -> Docs {
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
///
/// # Errors
/// Where the dictionary is damaged.
pub(super) fn terms(
    column: &Terms,
    filter: Filter<'_>,
    mut accept: impl FnMut(&str) -> bool,
) -> io::Result<Vec<u64>> {
    let mut ords = Vec::new();
    let dictionary = column.dictionary();
    let from = match filter {
        Filter::All => 0,
        Filter::Prefix(text) | Filter::Whole(text) => dictionary.seek(text.as_bytes()),
    };
    let is_whole = dictionary.each(from, |ord, term| {
        let Ok(term) = std::str::from_utf8(term) else {
            return false;
        };
        let is_inside = match filter {
            Filter::All => true,
            Filter::Prefix(prefix) => starts_with(prefix, term),
            Filter::Whole(text) => equal(text, term),
        };
        if is_inside && accept(term) {
            ords.push(u64::from(ord));
        }
        is_inside
    });
    if is_whole {
        Ok(ords)
    } else {
        Err(io::Error::from(io::ErrorKind::InvalidData))
    }
}

/// Which part of a dictionary is walked. The texts are folded.
#[derive(Clone, Copy, Debug)]
pub(super) enum Filter<'a> {
    /// Every term.
    All,
    /// Terms that start like this in any case.
    Prefix(&'a str),
    /// Terms that are this in any case.
    Whole(&'a str),
}

#[cfg(test)]
mod tests {
    use super::super::column::{Columns, Gather, Kind, Values};
    use super::super::text::fold;
    use super::*;

    use tantivy::directory::OwnedBytes;

    const DOCS: u32 = 12_000;

    fn open(fill: impl FnOnce(&mut Gather)) -> Values {
        let mut gather = Gather::default();
        fill(&mut gather);
        let mut bytes = Vec::new();
        gather.write(DOCS, &mut bytes).unwrap();
        let columns = Columns::open(OwnedBytes::new(bytes), DOCS).unwrap();
        columns.get("c").unwrap().unwrap()
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
        let Values::Text(column) = open(|gather| {
            for doc in 0..DOCS {
                gather.term(3, "c", Kind::Text, doc, user(doc).as_bytes());
            }
        }) else {
            panic!("no text column");
        };
        let check = |filter: Filter<'_>, accept: &dyn Fn(&str) -> bool, wanted: &str| {
            let found: std::collections::BTreeSet<String> = terms(&column, filter, |_| true)
                .unwrap()
                .into_iter()
                .map(|ord| {
                    column
                        .dictionary()
                        .get(u32::try_from(ord).unwrap())
                        .unwrap()
                })
                .map(|term| String::from_utf8(term).unwrap())
                .collect();
            let all = (0..DOCS).map(user);
            let expected = all.filter(|user| accept(user)).collect();
            assert!(found == expected, "{wanted}: {} found", found.len());
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
            check(Filter::Whole(&folded), &|term| equal(&folded, term), wanted);
            check(
                Filter::Prefix(&folded),
                &|term| fold(term).starts_with(&folded),
                wanted,
            );
        }
        check(Filter::All, &|_| true, "all");
    }

    #[test]
    fn ordinals_lead_to_the_documents_with_the_term() {
        let Values::Text(column) = open(|gather| {
            for doc in 0..DOCS {
                gather.term(0, "c", Kind::Text, doc, user(doc).as_bytes());
            }
        }) else {
            panic!("no text column");
        };
        let ords = terms(&column, Filter::Whole("user-07919"), |_| true).unwrap();
        let docs = ordinals(column.ords(), 0..DOCS, &Ords::new(&ords).unwrap());
        let mut found = vec![];
        docs.each(DOCS, |at| found.push(at));
        let is_wanted = |doc: &u32| user(*doc).eq_ignore_ascii_case("user-07919");
        assert_eq!(found, (0..DOCS).filter(is_wanted).collect::<Vec<_>>());
    }

    #[test]
    fn addresses_are_found_by_range() {
        let address = |doc: u32| {
            if doc.is_multiple_of(7) {
                Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(doc))
            } else {
                std::net::Ipv4Addr::from_bits(0x0a00_0000 + doc).to_ipv6_mapped()
            }
        };
        let Values::Address(column) = open(|gather| {
            (0..DOCS).for_each(|doc| {
                gather.term(0, "c", Kind::Address, doc, &address(doc).octets());
            });
        }) else {
            panic!("no address column");
        };
        for range in [
            address(1)..=address(1),
            address(1)..=address(300),
            address(7)..=address(7_000),
            Ipv6Addr::UNSPECIFIED..=Ipv6Addr::from_bits(u128::MAX),
            address(9)..=address(8),
        ] {
            let ords = addresses(&column, &range);
            let mut found = vec![];
            column.ords().each(0..DOCS, |doc, ord| {
                if ords.contains(&ord) {
                    found.push(doc);
                }
            });
            let expected: Vec<u32> = (0..DOCS)
                .filter(|doc| range.contains(&address(*doc)))
                .collect();
            assert_eq!(found, expected, "{range:?}");
        }
    }

    #[test]
    fn numbers_are_found_whether_or_not_every_document_has_one() {
        let value = |doc: u32| u64::from(doc % 1_000) * 100 + 200;
        for every in [1, 3, 0] {
            let has = |doc: u32, time: u32| {
                every != 0 && doc.is_multiple_of(every) && time == 0 || every == 0 && time < doc % 3
            };
            let Values::Number(column) = open(|gather| {
                for doc in 0..DOCS {
                    for time in (0..2u32).filter(|time| has(doc, *time)) {
                        gather.number(0, "c", doc, value(doc) + u64::from(time));
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
                for docs in [0..DOCS, 100..1_000, 64..999, DOCS - 5..DOCS] {
                    let mut found = vec![];
                    numbers(&column, docs.clone(), &range)
                        .each(docs.end - docs.start, |at| found.push(docs.start + at));
                    let expected: Vec<u32> = docs
                        .clone()
                        .filter(|doc| {
                            (0..2u32).any(|time| {
                                has(*doc, time) && range.contains(&(value(*doc) + u64::from(time)))
                            })
                        })
                        .collect();
                    assert_eq!(found, expected, "{every} {range:?} {docs:?}");
                }
            }
        }
    }
}
