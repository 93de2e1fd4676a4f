//! Events to a segment: one pass per event over borrowed text, one file each for columns, words and ids.

use std::collections::HashMap;
use std::io::Write;
use std::net::IpAddr;
use std::path::Path;

use tantivy::columnar::{ColumnType, ColumnarWriter};

use super::Error;
use super::files::{Draft, Entry, FileMeta, FileWriter};
use super::postings::SLICE_DOCS;
use super::query::free_text;
use super::segment::{
    COLUMNS, IDS, META, Meta, ODD, SCHEMA_VERSION, SHAPE, TIME, WORDS, time_to_column,
};
use super::shape::Shapes;
use super::text::{Shape, each_token};
use super::words::Place;
use super::{ids, words};
use crate::model::{Field, FieldName, Kind, Offset, Value, each_id_form, text_of};
use crate::redact::CleanEvent;

/// Longest text a dictionary column takes; longer ones are found by reading the event.
pub(super) const KEYWORD_BYTES_MAX: usize = 512;

/// A segment in the making.
pub(super) struct Builder {
    columns: ColumnarWriter,
    words: words::Builder,
    ids: ids::Builder,
    shapes: Shapes,
    /// Number columns that have their type.
    typed: Vec<bool>,
    first: Offset,
    next: Offset,
    count: u32,
    received: (i64, i64),
    slices: Vec<(i64, i64)>,
    runs: Vec<(u32, u64)>,
    token: String,
}

impl Builder {
    /// An empty segment that covers offsets from `first`.
    pub(super) fn new(first: Offset) -> Self {
        let mut columns = ColumnarWriter::default();
        columns.record_column_type(TIME, ColumnType::U64, false);
        Self {
            columns,
            words: words::Builder::default(),
            ids: ids::Builder::default(),
            shapes: Shapes::default(),
            typed: vec![false; Field::ALL.len()],
            first,
            next: first,
            count: 0,
            received: (i64::MAX, i64::MIN),
            slices: Vec::new(),
            runs: Vec::new(),
            token: String::new(),
        }
    }

    /// How many events.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Behind the last offset covered.
    pub(super) fn next(&self) -> Offset {
        self.next
    }

    /// The log has no events up to `end` that are not here.
    pub(super) fn cover(&mut self, end: Offset) {
        self.next = self.next.max(end);
    }

    /// About how many bytes of memory are held.
    pub(super) fn bytes(&self) -> usize {
        self.columns.mem_usage() + self.words.bytes() + self.ids.bytes()
    }

    /// UTC day of receipt of the first event.
    pub(super) fn day(&self) -> Option<i64> {
        (self.count > 0).then(|| self.received.0.div_euclid(86_400_000_000_000))
    }

    /// Adds an event; offsets come in order.
    pub(super) fn add(&mut self, offset: Offset, event: &CleanEvent<'_>) {
        let doc = self.count;
        if self.runs.is_empty() || offset != self.next {
            self.runs.push((doc, offset.0));
        }
        let millis = event.time.millis();
        match self.slices.last_mut() {
            Some((min, max)) if !doc.is_multiple_of(SLICE_DOCS) => {
                *min = millis.min(*min);
                *max = millis.max(*max);
            }
            _ => self.slices.push((millis, millis)),
        }
        let received = event.received.0;
        self.received = (received.min(self.received.0), received.max(self.received.1));
        self.columns
            .record_numerical(doc, TIME, time_to_column(millis));
        self.columns.record_str(doc, SHAPE, self.shapes.of(event));
        // Words of the message first: those from elsewhere are kept only where it has not the same.
        for place in [Place::Message, Place::Elsewhere] {
            for (name, value) in event.fields() {
                if let Some((text, at)) = free_text(name, value)
                    && at == place
                {
                    self.text(doc, text, place);
                }
            }
        }
        for (name, value) in event.fields() {
            if let FieldName::Known(field) = name {
                self.known(doc, *field, value);
            }
        }
        self.count += 1;
        self.next = offset.plus(1);
    }

    fn known(&mut self, doc: u32, field: Field, value: &Value<'_>) {
        let Some(text) = text_of(value) else {
            return;
        };
        match field.kind() {
            Kind::Keyword if text.len() <= KEYWORD_BYTES_MAX => {
                self.columns.record_str(doc, field.name(), text);
            }
            Kind::Int => match text.parse::<u64>() {
                Ok(number) => {
                    self.type_once(field);
                    self.columns.record_numerical(doc, field.name(), number);
                }
                Err(_) => self.odd(doc, field),
            },
            Kind::Ip => match text.parse::<IpAddr>() {
                Ok(IpAddr::V4(ip)) => {
                    let ip = ip.to_ipv6_mapped();
                    self.columns.record_ip_addr(doc, field.name(), ip);
                }
                Ok(IpAddr::V6(ip)) => self.columns.record_ip_addr(doc, field.name(), ip),
                Err(_) => self.odd(doc, field),
            },
            Kind::Keyword => self.odd(doc, field),
            Kind::Id => each_id_form(text, |form| self.ids.push(doc, form.as_bytes())),
            Kind::Text | Kind::Stored => {}
        }
    }

    /// Number columns take the type of their values unless told: all of ours are `u64`.
    fn type_once(&mut self, field: Field) {
        if let Some(typed) = self.typed.get_mut(usize::from(field.code()))
            && !*typed
        {
            *typed = true;
            self.columns
                .record_column_type(field.name(), ColumnType::U64, false);
        }
    }

    fn odd(&mut self, doc: u32, field: Field) {
        self.columns.record_column_type(ODD, ColumnType::U64, false);
        self.columns
            .record_numerical(doc, ODD, u64::from(field.code()));
    }

    fn text(&mut self, doc: u32, text: &str, place: Place) {
        let (words, ids) = (&mut self.words, &mut self.ids);
        each_token(text, &mut self.token, |token, shape| match shape {
            Shape::Word => words.push(doc, token, place),
            Shape::Id => ids.push(doc, token.as_bytes()),
        });
    }

    /// Writes the segment and gives it its name.
    pub(super) fn finish(mut self, root: &Path) -> Result<Entry, Error> {
        let day = self.day().unwrap_or(0);
        let range = self.first.0..self.next.0;
        let draft = Draft::create(root, day, range.clone())?;
        let mut files = HashMap::new();
        write(&draft, COLUMNS, &mut files, |to| {
            self.columns.serialize(self.count, None, to)
        })?;
        // Freed before the next file is made: memory is bounded by what one of them takes.
        drop(self.columns);
        let words = self.words;
        write(&draft, WORDS, &mut files, |to| words.write(to))?;
        let ids = self.ids;
        write(&draft, IDS, &mut files, |to| ids.write(self.count, to))?;
        let meta = Meta {
            schema_version: SCHEMA_VERSION,
            first: range.start,
            end: range.end,
            count: self.count,
            day,
            received: self.received,
            slices: self.slices,
            runs: self.runs,
            files,
        };
        publish(draft, &meta)
    }
}

/// Writes one file of a segment, durable, and notes it.
pub(super) fn write(
    draft: &Draft,
    name: &str,
    files: &mut HashMap<String, FileMeta>,
    fill: impl FnOnce(&mut FileWriter) -> std::io::Result<()>,
) -> Result<(), Error> {
    let mut file = FileWriter::create(&draft.path().join(name))?;
    fill(&mut file)?;
    files.insert(name.to_owned(), file.finish()?);
    Ok(())
}

/// Writes the description and gives the segment its name.
pub(super) fn publish(draft: Draft, meta: &Meta) -> Result<Entry, Error> {
    let json = serde_json::to_vec(meta).map_err(std::io::Error::from)?;
    let mut file = FileWriter::create(&draft.path().join(META))?;
    file.write_all(&json)?;
    file.finish()?;
    let path = draft.publish()?;
    Ok(Entry {
        path,
        range: meta.first..meta.end,
    })
}
