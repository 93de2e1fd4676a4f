//! The flat, ordered, bounded form every format is brought into.

use std::borrow::Cow;

use crate::Format;

/// A scalar as it stood in the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Text with escapes undone.
    Str(Cow<'a, str>),
    /// A JSON number exactly as written (`73.90` stays `73.90`).
    Num(Cow<'a, str>),
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
}

/// One field: a dotted name and a scalar.
///
/// Nested objects are flattened with dots (`request.headers.host`), objects inside arrays carry their
/// position (`tries.0.ip`), and an array of scalars is one entry per element under the same name.
/// Duplicate keys are all kept, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Dotted name as the source wrote it.
    pub name: Cow<'a, str>,
    /// The scalar.
    pub value: Value<'a>,
}

/// Fields in the order of the record.
pub type Fields<'a> = Vec<Entry<'a>>;

/// Something a parser wants said about a record: it was cut, odd or not understood.
/// A fixed list, so that a note can never carry a piece of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Note {
    /// Not the declared format; kept as text.
    Unparsed,
    /// Bytes that are not UTF-8 were replaced.
    InvalidUtf8,
    /// More fields than the bound; the rest was left out.
    FieldsTruncated,
    /// A value longer than the bound was cut.
    ValueTruncated,
    /// Nesting deeper than the bound; the subtree was left out.
    DepthTruncated,
    /// The record itself was longer than the bound and was cut.
    RecordTruncated,
    /// A name longer than the bound was cut.
    NameTruncated,
}

impl Note {
    /// The name users see in `event.notes`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unparsed => "unparsed",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::FieldsTruncated => "fields_truncated",
            Self::ValueTruncated => "value_truncated",
            Self::DepthTruncated => "depth_truncated",
            Self::RecordTruncated => "record_truncated",
            Self::NameTruncated => "name_truncated",
        }
    }
}

/// One record, parsed: what `parse` returns for any bytes at all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parsed<'a> {
    /// What the record was read as; [`Format::Auto`] only before parsing.
    pub format: Format,
    /// The fields under the names the source used.
    pub fields: Fields<'a>,
    /// What was odd, each kind at most once.
    pub notes: Vec<Note>,
}

impl<'a> Parsed<'a> {
    /// Forgets the record and keeps the memory.
    pub fn clear(&mut self) {
        self.format = Format::Auto;
        self.fields.clear();
        self.notes.clear();
    }

    /// Adds a note unless it is there.
    pub fn note(&mut self, note: Note) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Adds a field.
    pub(crate) fn push(&mut self, name: Cow<'a, str>, value: Value<'a>) {
        self.fields.push(Entry { name, value });
    }

    /// Takes over what was parsed from a text that does not live long enough.
    pub(crate) fn take_owned(&mut self, other: Parsed<'_>) {
        self.format = other.format;
        self.notes = other.notes;
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        self.fields.clear();
        self.fields
            .extend(other.fields.into_iter().map(|entry| Entry {
                name: owned(entry.name),
                value: match entry.value {
                    Value::Str(text) => Value::Str(owned(text)),
                    Value::Num(text) => Value::Num(owned(text)),
                    Value::Bool(truth) => Value::Bool(truth),
                    Value::Null => Value::Null,
                },
            }));
    }
}
