//! One immutable segment, open for reading: its description, columns, words and ids.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use tantivy::directory::{Directory, FileSlice, MmapDirectory, OwnedBytes};

use super::Error;
use super::column::{Column, Columns, Values};
use super::files::{Entry, FileMeta, checksum};
use super::ids::Ids;
use super::postings::SLICE_DOCS;
use super::words::Words;
use crate::model::{Field, Kind, Offset};

/// Changes with any change of what a segment holds or how; others are built again from the log.
pub(super) const SCHEMA_VERSION: u32 = 2;

/// Column of `@timestamp`: milliseconds, biased to keep their order unsigned ([`time_to_column`]).
pub(super) const TIME: &str = "@timestamp";
/// Column of field codes whose value the column of the field could not hold.
pub(super) const ODD: &str = "_odd";
/// Column of the names an event has ([`super::shape`]).
pub(super) const SHAPE: &str = "_shape";
/// All columns there can be, by the place a builder keeps them in.
pub(super) fn column_names() -> impl Iterator<Item = &'static str> {
    let fields = Field::ALL.iter().map(|field| field.name());
    fields.chain([TIME, SHAPE, ODD])
}

/// File names.
pub(super) const COLUMNS: &str = "columns";
pub(super) const WORDS: &str = "words";
pub(super) const IDS: &str = "ids";
pub(super) const META: &str = "segment.json";

/// Milliseconds since 1970 as the column keeps them.
pub(super) fn time_to_column(millis: i64) -> u64 {
    millis.cast_unsigned() ^ (1 << 63)
}

/// The other way.
pub(super) fn time_from_column(value: u64) -> i64 {
    (value ^ (1 << 63)).cast_signed()
}

/// Whether values of this kind have a column.
pub(super) fn has_column(kind: Kind) -> bool {
    matches!(kind, Kind::Keyword | Kind::Int | Kind::Ip)
}

/// `segment.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Meta {
    /// [`SCHEMA_VERSION`] when written.
    pub(super) schema_version: u32,
    /// First offset covered.
    pub(super) first: u64,
    /// Behind the last offset covered.
    pub(super) end: u64,
    /// Documents: the events of the range that the log could give.
    pub(super) count: u32,
    /// UTC day of receipt, days since 1970.
    pub(super) day: i64,
    /// Oldest and newest moment of receipt, nanoseconds.
    pub(super) received: (i64, i64),
    /// Oldest and newest `@timestamp` of each slice, milliseconds.
    pub(super) slices: Vec<(i64, i64)>,
    /// Where the offsets of documents jump: document and its offset; the first is document 0.
    pub(super) runs: Vec<(u32, u64)>,
    /// The other files.
    pub(super) files: HashMap<String, FileMeta>,
}

/// One immutable segment, open for reading.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    meta: Meta,
    columns: Columns,
    opened: Vec<OnceLock<Option<Values>>>,
    time: Column,
    odd: OnceLock<Option<Values>>,
    shape: OnceLock<Option<Values>>,
    words: Words,
    ids: Ids,
    is_sound: AtomicBool,
}

impl Segment {
    /// Opens a finished segment; an error where it is not what its name and description promise. The words are read
    /// whole for that, the rest by [`Segment::verify`].
    pub(super) fn open(entry: &Entry) -> Result<Self, Error> {
        let meta = std::fs::read(entry.path.join(META))?;
        let meta: Meta =
            serde_json::from_slice(&meta).map_err(|_| Error::Damaged("description unreadable"))?;
        if meta.schema_version != SCHEMA_VERSION {
            return Err(Error::Damaged("other schema version"));
        }
        if meta.first != entry.range.start || meta.end != entry.range.end || meta.runs.is_empty() {
            return Err(Error::Damaged("name and description differ"));
        }
        let directory =
            MmapDirectory::open(&entry.path).map_err(|_| Error::Damaged("directory unreadable"))?;
        let columns = map(&directory, &meta, COLUMNS)?;
        let columns = Columns::open(columns, meta.count).ok_or(Error::Damaged("columns"))?;
        let words = map(&directory, &meta, WORDS)?;
        // Readers of dictionaries trust what they read.
        // Read and not mapped, so that what no search needs takes no memory.
        let sum = checksum(&entry.path.join(WORDS))?;
        if meta.files.get(WORDS) != Some(&sum) {
            return Err(Error::Damaged("words"));
        }
        let words = Words::open(words).ok_or(Error::Damaged("words"))?;
        let ids = Ids::open(map(&directory, &meta, IDS)?).ok_or(Error::Damaged("ids"))?;
        let time = match columns.get(TIME)? {
            Some(Values::Number(time)) if time.is_full() => time,
            _ => return Err(Error::Damaged("no time column")),
        };
        Ok(Self {
            path: entry.path.clone(),
            meta,
            columns,
            opened: Field::ALL.iter().map(|_| OnceLock::new()).collect(),
            time,
            odd: OnceLock::new(),
            shape: OnceLock::new(),
            words,
            ids,
            is_sound: AtomicBool::new(false),
        })
    }

    /// Whether every byte is as it was written; asked once, remembered where it is so.
    pub(super) fn verify(&self) -> io::Result<bool> {
        if self.is_verified() {
            return Ok(true);
        }
        for (name, file) in &self.meta.files {
            if checksum(&self.path.join(name))? != *file {
                return Ok(false);
            }
        }
        self.set_verified();
        Ok(true)
    }

    /// Whether [`Segment::verify`] has nothing left to do.
    pub(super) fn is_verified(&self) -> bool {
        self.is_sound.load(Ordering::Acquire)
    }

    /// It was written just now.
    pub(super) fn set_verified(&self) {
        self.is_sound.store(true, Ordering::Release);
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn meta(&self) -> &Meta {
        &self.meta
    }

    /// How many documents.
    pub(super) fn count(&self) -> u32 {
        self.meta.count
    }

    /// Bytes on disk of its files.
    pub(super) fn bytes(&self) -> u64 {
        self.meta.files.values().map(|file| file.bytes).sum()
    }

    pub(super) fn columns(&self) -> &Columns {
        &self.columns
    }

    pub(super) fn words(&self) -> &Words {
        &self.words
    }

    pub(super) fn ids(&self) -> &Ids {
        &self.ids
    }

    /// `@timestamp` of each document ([`time_from_column`]).
    pub(super) fn time(&self) -> &Column {
        &self.time
    }

    /// The column of a field; `None` where no event of the segment has a value in it.
    pub(super) fn field(&self, field: Field) -> io::Result<Option<&Values>> {
        match self.opened.get(usize::from(field.code())) {
            Some(cell) => self.open_once(cell, field.name()),
            None => Ok(None),
        }
    }

    /// Codes of fields whose column lacks a value of the event.
    pub(super) fn odd(&self) -> io::Result<Option<&Values>> {
        self.open_once(&self.odd, ODD)
    }

    /// The names an event has.
    pub(super) fn shape(&self) -> io::Result<Option<&Values>> {
        self.open_once(&self.shape, SHAPE)
    }

    fn open_once<'s>(
        &'s self,
        cell: &'s OnceLock<Option<Values>>,
        name: &str,
    ) -> io::Result<Option<&'s Values>> {
        if cell.get().is_none() {
            let column = self.columns.get(name)?;
            // Another thread may have been first; both opened the same.
            let _second = cell.set(column).is_err();
        }
        Ok(cell.get().and_then(Option::as_ref))
    }

    /// The offset of a document.
    pub(super) fn offset(&self, doc: u32) -> Offset {
        let run = self.meta.runs.partition_point(|(start, _)| *start <= doc);
        let (start, offset) = run
            .checked_sub(1)
            .and_then(|run| self.meta.runs.get(run))
            .copied()
            .unwrap_or((0, self.meta.first));
        Offset(offset).plus(u64::from(doc - start))
    }

    /// Whether the event at an offset is one of its documents.
    pub(super) fn knows(&self, offset: Offset) -> bool {
        let run = self
            .meta
            .runs
            .partition_point(|(_, from)| *from <= offset.0);
        let Some((start, from)) = run.checked_sub(1).and_then(|run| self.meta.runs.get(run)) else {
            return false;
        };
        let next = self
            .meta
            .runs
            .get(run)
            .map_or(self.count(), |(doc, _)| *doc);
        offset.0 - from < u64::from(next - start)
    }

    /// Numbers of the slices.
    pub(super) fn slices(&self) -> u32 {
        self.count().div_ceil(SLICE_DOCS)
    }

    /// Documents of a slice.
    pub(super) fn slice(&self, slice: u32) -> std::ops::Range<u32> {
        let start = slice.saturating_mul(SLICE_DOCS).min(self.count());
        start..start.saturating_add(SLICE_DOCS).min(self.count())
    }

    /// Oldest and newest `@timestamp` of a slice, milliseconds.
    pub(super) fn slice_time(&self, slice: u32) -> (i64, i64) {
        let at = usize::try_from(slice).unwrap_or(usize::MAX);
        self.meta
            .slices
            .get(at)
            .copied()
            .unwrap_or((i64::MIN, i64::MAX))
    }
}

fn map(directory: &MmapDirectory, meta: &Meta, name: &'static str) -> Result<OwnedBytes, Error> {
    let file = meta
        .files
        .get(name)
        .ok_or(Error::Damaged("file not described"))?;
    let handle = directory
        .get_file_handle(Path::new(name))
        .map_err(|_| Error::Damaged("file missing"))?;
    let bytes = FileSlice::new(handle).read_bytes()?;
    if u64::try_from(bytes.len()).ok() != Some(file.bytes) {
        return Err(Error::Damaged("file has another length"));
    }
    Ok(bytes)
}
