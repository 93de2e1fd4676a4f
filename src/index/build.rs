//! Events to a segment: one pass per event over borrowed text, one file each for columns, words and ids.

use std::collections::HashMap;
use std::io::Write;
use std::net::IpAddr;
use std::path::Path;

use super::Error;
use super::column::{self, Gather};
use super::files::{Draft, Entry, FileMeta, FileWriter};
use super::memo::{Memo, Part};
use super::postings::SLICE_DOCS;
use super::query::free_text;
use super::segment::{
    COLUMNS, IDS, META, Meta, ODD, SCHEMA_VERSION, SHAPE, TIME, WORDS, time_to_column,
};
use super::shape::Shapes;
use super::text::{Shape, each_token};
use super::words::Place;
use super::{ids, words};
use crate::model::{Field, Kind, Name, Offset, Scalar, each_id_form};
use crate::redact::CleanRecord;

/// Longest text a dictionary column takes; longer ones are found by reading the event.
pub(super) const KEYWORD_BYTES_MAX: usize = 512;

/// Ids of an event among which the same one is looked for.
const NEAR_IDS: usize = 8;

/// Places of the columns that are no fields, in the order of [`column_names`].
const TIME_AT: usize = Field::ALL.len();
const SHAPE_AT: usize = TIME_AT + 1;
const ODD_AT: usize = TIME_AT + 2;

/// A segment in the making.
pub(super) struct Builder {
    columns: Gather,
    words: words::Builder,
    ids: ids::Builder,
    shapes: Shapes,
    first: Offset,
    next: Offset,
    count: u32,
    received: (i64, i64),
    slices: Vec<(i64, i64)>,
    runs: Vec<(u32, u64)>,
    token: String,
    memo: Memo,
    parts: Vec<Part>,
    /// Fields of the current event that are looked at when all others were.
    later: Vec<usize>,
    id_fields: Vec<usize>,
}

impl Builder {
    /// An empty segment that covers offsets from `first`.
    pub(super) fn new(first: Offset) -> Self {
        Self {
            columns: Gather::default(),
            words: words::Builder::default(),
            ids: ids::Builder::default(),
            shapes: Shapes::default(),
            first,
            next: first,
            count: 0,
            received: (i64::MAX, i64::MIN),
            slices: Vec::new(),
            runs: Vec::new(),
            token: String::new(),
            memo: Memo::default(),
            parts: Vec::new(),
            later: Vec::new(),
            id_fields: Vec::new(),
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
        self.columns.bytes() + self.words.bytes() + self.ids.bytes()
    }

    /// UTC day of receipt of the first event.
    pub(super) fn day(&self) -> Option<i64> {
        (self.count > 0).then(|| self.received.0.div_euclid(86_400_000_000_000))
    }

    /// Adds an event; offsets come in order.
    pub(super) fn add(&mut self, offset: Offset, event: &CleanRecord<'_>) {
        let doc = self.count;
        if self.runs.is_empty() || offset != self.next {
            self.runs.push((doc, offset.0));
        }
        let millis = event.time().millis();
        match self.slices.last_mut() {
            Some((min, max)) if !doc.is_multiple_of(SLICE_DOCS) => {
                *min = millis.min(*min);
                *max = millis.max(*max);
            }
            _ => self.slices.push((millis, millis)),
        }
        let received = event.received().0;
        self.received = (received.min(self.received.0), received.max(self.received.1));
        self.columns
            .number(TIME_AT, TIME, doc, time_to_column(millis));
        let shape = self.shapes.of(event);
        match shape.place {
            Some(place) => self.columns.again(SHAPE_AT, doc, place),
            None => {
                let (kind, text) = (column::Kind::Text, shape.text.as_bytes());
                shape.place = self.columns.term(SHAPE_AT, SHAPE, kind, doc, text);
            }
        }
        self.fields(doc, event);
        self.count += 1;
        self.next = offset.plus(1);
    }

    fn fields(&mut self, doc: u32, event: &CleanRecord<'_>) {
        self.later.clear();
        self.id_fields.clear();
        for (at, (name, value)) in event.fields().iter().enumerate() {
            if let Name::Known(field) = name {
                match field.kind() {
                    Kind::Id => self.id_fields.push(at),
                    _ => self.known(doc, *field, *value),
                }
            }
            match free_text(*name, *value) {
                Some((text, Place::Message)) => self.text(doc, text, Place::Message),
                Some((_, Place::Elsewhere)) => self.later.push(at),
                None => {}
            }
        }
        let text_at = |at: &usize| event.fields().get(*at)?.1.text();
        // Words of the message first: those from elsewhere are kept only where it has not the same.
        let later = std::mem::take(&mut self.later);
        for text in later.iter().filter_map(text_at) {
            self.text(doc, text, Place::Elsewhere);
        }
        self.later = later;
        // Services write one id under several names.
        for (n, at) in self.id_fields.iter().enumerate() {
            let before = self.id_fields.get(n.saturating_sub(NEAR_IDS)..n);
            let mut before = before.unwrap_or_default().iter();
            if let Some(text) = text_at(at)
                && !before.any(|other| text_at(other) == Some(text))
            {
                each_id_form(text, |form| self.ids.push(doc, form.as_bytes()));
            }
        }
    }

    fn known(&mut self, doc: u32, field: Field, value: Scalar<'_>) {
        let Some(text) = value.text() else {
            return;
        };
        let (at, name) = (usize::from(field.code()), field.name());
        match field.kind() {
            Kind::Keyword if text.len() <= KEYWORD_BYTES_MAX => {
                let kind = column::Kind::Text;
                self.columns.term(at, name, kind, doc, text.as_bytes());
            }
            Kind::Int => match text.parse::<u64>() {
                Ok(number) => self.columns.number(at, name, doc, number),
                Err(_) => self.odd(doc, field),
            },
            Kind::Ip => match text.parse::<IpAddr>() {
                Ok(ip) => {
                    let ip = match ip {
                        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
                        IpAddr::V6(ip) => ip,
                    };
                    let kind = column::Kind::Address;
                    self.columns.term(at, name, kind, doc, &ip.octets());
                }
                Err(_) => self.odd(doc, field),
            },
            Kind::Keyword => self.odd(doc, field),
            Kind::Id | Kind::Text | Kind::Stored => {}
        }
    }

    fn odd(&mut self, doc: u32, field: Field) {
        let code = u64::from(field.code());
        self.columns.number(ODD_AT, ODD, doc, code);
    }

    fn text(&mut self, doc: u32, text: &str, place: Place) {
        let hash = self.memo.hash(text);
        if let Some(parts) = self.memo.get(hash, text) {
            return add(&mut self.words, &mut self.ids, doc, parts, place);
        }
        self.parts.clear();
        let (words, parts) = (&mut self.words, &mut self.parts);
        each_token(text, &mut self.token, |token, shape| {
            parts.push(match shape {
                Shape::Word => Part::Word(words.list(token)),
                Shape::Id => Part::Id(ids::hash(token.as_bytes())),
            });
        });
        add(&mut self.words, &mut self.ids, doc, &self.parts, place);
        self.memo.put(hash, text, &self.parts);
    }

    /// Writes the segment and gives it its name.
    pub(super) fn finish(self, root: &Path) -> Result<Entry, Error> {
        let day = self.day().unwrap_or(0);
        let range = self.first.0..self.next.0;
        let draft = Draft::create(root, day, range.clone())?;
        let mut files = HashMap::new();
        write(&draft, COLUMNS, &mut files, |to| {
            self.columns.write(self.count, to)
        })?;
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

fn add(words: &mut words::Builder, ids: &mut ids::Builder, doc: u32, parts: &[Part], place: Place) {
    for part in parts {
        match *part {
            Part::Word(list) => words.push(doc, list, place),
            Part::Id(hash) => ids.push_hash(doc, hash),
        }
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
