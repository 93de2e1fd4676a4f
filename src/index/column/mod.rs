//! The columns of a segment: per field its values in the order of the documents. Numbers are packed; texts and addresses
//! are ordinals in a sorted dictionary.
//!
//! File: `parts of all columns · directory (JSON, one entry per column) · length of the directory u64 LE`.

mod dictionary;
mod gather;
mod pack;
mod presence;

use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tantivy::directory::OwnedBytes;

pub(super) use dictionary::{Dictionary, Order};
pub(super) use gather::Gather;

use dictionary::Union;
use gather::File;
use pack::{BLOCK, Packed, Packer};
use presence::Presence;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// Whole numbers.
    Number,
    /// UTF-8 texts.
    Text,
    /// IP addresses: 16 bytes each, IPv4 mapped into IPv6.
    Address,
}

impl Kind {
    /// The order of its dictionary, where it has one.
    fn order(self) -> Option<Order> {
        match self {
            Self::Number => None,
            Self::Text => Some(Order::Folded),
            Self::Address => Some(Order::Bytes),
        }
    }
}

/// Where a part stands in the file: from and to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Part(u64, u64);

/// A column in the directory of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Meta {
    name: String,
    kind: Kind,
    /// How many values.
    rows: u32,
    /// Smallest and largest number or ordinal.
    min: u64,
    max: u64,
    values: Part,
    /// Missing where every document has one value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    docs: Option<Part>,
    /// The dictionary and how many terms it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    terms: Option<(Part, u32)>,
}

/// Numbers, or ordinals of terms, by document. Cheap to clone.
#[derive(Clone)]
pub(super) struct Column(Arc<Inner>);

struct Inner {
    values: Packed,
    /// `None` where every document has one value.
    docs: Option<Presence>,
    min: u64,
    max: u64,
}

impl std::fmt::Debug for Column {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Column")
            .field("rows", &self.rows())
            .finish_non_exhaustive()
    }
}

impl Column {
    /// How many values.
    pub(super) fn rows(&self) -> u32 {
        self.0.values.count()
    }

    /// The smallest value.
    pub(super) fn min(&self) -> u64 {
        self.0.min
    }

    /// The largest value.
    pub(super) fn max(&self) -> u64 {
        self.0.max
    }

    /// Whether every document has one value.
    pub(super) fn is_full(&self) -> bool {
        self.0.docs.is_none()
    }

    /// Hands out the values of documents of a range, and for each its document.
    pub(super) fn each(&self, docs: Range<u32>, mut found: impl FnMut(u32, u64)) {
        let Some(presence) = &self.0.docs else {
            return self.blocks(docs, |first, values| {
                (first..)
                    .zip(values)
                    .for_each(|(doc, value)| found(doc, *value));
            });
        };
        let mut of = [0u64; BLOCK];
        let mut known = usize::MAX;
        self.blocks(presence.rows(&docs), |first, values| {
            let row = usize::try_from(first).unwrap_or(usize::MAX);
            if known != row / BLOCK {
                known = row / BLOCK;
                presence.block(known, &mut of);
            }
            for (doc, value) in of.iter().skip(row % BLOCK).zip(values) {
                found(u32::try_from(*doc).unwrap_or(u32::MAX), *value);
            }
        });
    }

    /// Single values by row.
    pub(super) fn cursor(&self) -> Cursor<'_> {
        Cursor {
            column: self,
            at: usize::MAX,
            block: Box::new([0; BLOCK]),
        }
    }

    /// Hands out runs of values: the row of the first, and the values.
    pub(super) fn blocks(&self, rows: Range<u32>, mut found: impl FnMut(u32, &[u64])) {
        let mut buffer = [0u64; BLOCK];
        let mut row = rows.start;
        let end = rows.end.min(self.rows());
        while row < end {
            let start = usize::try_from(row).unwrap_or(usize::MAX);
            let inside = start % BLOCK;
            let left = usize::try_from(end - row).unwrap_or(usize::MAX);
            let count = left.min(BLOCK - inside);
            self.0.values.block(start / BLOCK, &mut buffer);
            let Some(values) = buffer.get(inside..inside + count) else {
                return;
            };
            found(row, values);
            row = row.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        }
    }
}

/// Reads single values; near ones cost little, as a block is unpacked once.
pub(super) struct Cursor<'c> {
    column: &'c Column,
    at: usize,
    block: Box<[u64; BLOCK]>,
}

impl Cursor<'_> {
    /// The value of a row.
    pub(super) fn get(&mut self, row: u32) -> u64 {
        let row = usize::try_from(row).unwrap_or(usize::MAX);
        if self.at != row / BLOCK {
            self.at = row / BLOCK;
            self.column.0.values.block(self.at, &mut self.block);
        }
        self.block.get(row % BLOCK).copied().unwrap_or(0)
    }
}

/// Ordinals and the dictionary they stand in. Cheap to clone.
#[derive(Clone)]
pub(super) struct Terms {
    ords: Column,
    dictionary: Arc<Dictionary>,
}

impl std::fmt::Debug for Terms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terms")
            .field("ords", &self.ords)
            .finish_non_exhaustive()
    }
}

impl Terms {
    /// The ordinal of each document.
    pub(super) fn ords(&self) -> &Column {
        &self.ords
    }

    /// The terms by ordinal.
    pub(super) fn dictionary(&self) -> &Dictionary {
        &self.dictionary
    }
}

/// A column by the kind of its values.
#[derive(Clone, Debug)]
pub(super) enum Values {
    /// Texts.
    Text(Terms),
    /// Numbers.
    Number(Column),
    /// Addresses, 16 bytes each, IPv4 mapped into IPv6.
    Address(Terms),
}

impl Values {
    fn kind(&self) -> Kind {
        match self {
            Self::Number(_) => Kind::Number,
            Self::Text(_) => Kind::Text,
            Self::Address(_) => Kind::Address,
        }
    }

    fn dictionary(&self) -> Option<&Dictionary> {
        match self {
            Self::Number(_) => None,
            Self::Text(terms) | Self::Address(terms) => Some(&terms.dictionary),
        }
    }

    fn column(&self) -> &Column {
        match self {
            Self::Number(column) => column,
            Self::Text(terms) | Self::Address(terms) => &terms.ords,
        }
    }
}

/// The columns of a segment, read from a memory map.
pub(super) struct Columns {
    bytes: OwnedBytes,
    directory: Vec<Meta>,
    docs: u32,
}

impl std::fmt::Debug for Columns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Columns")
            .field("columns", &self.directory.len())
            .finish_non_exhaustive()
    }
}

impl Columns {
    /// Opens the file of a segment with so many documents; `None` where the bytes are none.
    pub(super) fn open(bytes: OwnedBytes, docs: u32) -> Option<Self> {
        let length = bytes.as_slice().last_chunk::<8>().copied()?;
        let length = usize::try_from(u64::from_le_bytes(length)).ok()?;
        let end = bytes.len() - 8;
        let directory = bytes.as_slice().get(end.checked_sub(length)?..end)?;
        let directory: Vec<Meta> = serde_json::from_slice(directory).ok()?;
        let fits = |meta: &Meta| meta.docs.is_some() || meta.rows == docs;
        directory.iter().all(fits).then_some(Self {
            bytes,
            directory,
            docs,
        })
    }

    /// A column; `None` where no document has a value in it.
    ///
    /// # Errors
    /// Where the bytes are not what the directory says.
    pub(super) fn get(&self, name: &str) -> io::Result<Option<Values>> {
        let meta = self.directory.iter().find(|meta| meta.name == name);
        meta.map(|meta| self.column(meta).ok_or_else(damaged))
            .transpose()
    }

    fn column(&self, meta: &Meta) -> Option<Values> {
        let docs = match meta.docs {
            None => None,
            Some(part) => Some(Presence::open(self.part(part)?, meta.rows)?),
        };
        let column = Column(Arc::new(Inner {
            values: Packed::open(self.part(meta.values)?, meta.rows)?,
            docs,
            min: meta.min,
            max: meta.max,
        }));
        let Some(order) = meta.kind.order() else {
            return Some(Values::Number(column));
        };
        let (part, count) = meta.terms?;
        let terms = Terms {
            ords: column,
            dictionary: Arc::new(Dictionary::open(self.part(part)?, count, order)?),
        };
        Some(match meta.kind {
            Kind::Address => Values::Address(terms),
            _ => Values::Text(terms),
        })
    }

    fn part(&self, part: Part) -> Option<OwnedBytes> {
        let (from, to) = (usize::try_from(part.0).ok()?, usize::try_from(part.1).ok()?);
        (from <= to && to <= self.bytes.len()).then(|| self.bytes.slice(from..to))
    }
}

/// Writes the columns of neighbouring segments as one file. `names` are all names a column can have.
pub(super) fn merge(
    parts: &[&Columns],
    names: impl Iterator<Item = &'static str>,
    to: &mut impl Write,
) -> io::Result<()> {
    let docs = parts.iter().map(|part| part.docs).sum();
    let mut file = File::new(to);
    for name in names {
        let columns: Vec<Option<Values>> = parts
            .iter()
            .map(|part| part.get(name))
            .collect::<io::Result<_>>()?;
        if let Some(kind) = columns.iter().flatten().map(Values::kind).next() {
            let column = merged(name, kind, parts, &columns).ok_or_else(damaged)?;
            file.write(column, docs)?;
        }
    }
    file.finish()
}

/// One column of those of neighbouring segments; `None` where their bytes are none.
fn merged(
    name: &'static str,
    kind: Kind,
    parts: &[&Columns],
    columns: &[Option<Values>],
) -> Option<gather::Packed> {
    let mut union = None;
    if let Some(order) = kind.order() {
        let dictionaries: Vec<_> = columns
            .iter()
            .map(|values| values.as_ref()?.dictionary())
            .collect();
        union = Some(Union::of(&dictionaries, order)?);
    }
    let mut values = Packer::default();
    let mut docs: Option<Vec<u32>> = None;
    let mut base = 0u32;
    for (at, (part, column)) in parts.iter().zip(columns).enumerate() {
        if let Some(column) = column.as_ref().map(Values::column) {
            let rows = u32::try_from(values.count()).ok()?;
            if docs.is_some() || rows != base || !column.is_full() {
                let docs = docs.get_or_insert_with(|| (0..rows).collect());
                match &column.0.docs {
                    Some(presence) => presence.append(base, docs),
                    None => docs.extend(base..base + column.rows()),
                }
            }
            let places = union.as_ref().and_then(|union| union.places.get(at));
            column.blocks(0..column.rows(), |_, block| match places {
                None => values.extend(block, |value| *value),
                Some(places) => values.extend(block, |ord| {
                    let place = usize::try_from(*ord).ok().and_then(|ord| places.get(ord));
                    place.copied().map_or(0, u64::from)
                }),
            });
        }
        base += part.docs;
    }
    Some(gather::Packed {
        name,
        kind,
        values: values.finish(),
        docs,
        terms: union.map(|union| (union.bytes, union.count)),
    })
}

fn damaged() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "column of an index segment is damaged",
    )
}

#[cfg(test)]
mod tests;
