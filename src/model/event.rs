//! The canonical event: what a record means, whatever format it came in.

use std::borrow::Cow;

use super::{Field, Timestamp, Value};

/// The name of one field of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldName<'a> {
    /// A canonical field.
    Known(Field),
    /// Any other field; its public name is `ext.` and this.
    Ext(Cow<'a, str>),
}

impl FieldName<'_> {
    /// The public name.
    #[must_use]
    pub fn public(&self) -> Cow<'_, str> {
        match self {
            Self::Known(field) => Cow::Borrowed(field.name()),
            Self::Ext(name) => Cow::Owned(format!("ext.{name}")),
        }
    }
}

/// The name of one field, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name<'a> {
    /// A canonical field.
    Known(Field),
    /// Any other field; its public name is `ext.` and this.
    Ext(&'a str),
}

impl<'a> From<&'a FieldName<'_>> for Name<'a> {
    fn from(name: &'a FieldName<'_>) -> Self {
        match name {
            FieldName::Known(field) => Self::Known(*field),
            FieldName::Ext(name) => Self::Ext(name),
        }
    }
}

/// A [`Value`], borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar<'a> {
    /// A text.
    Str(&'a str),
    /// A number as written.
    Num(&'a str),
    /// True or false.
    Bool(bool),
    /// Nothing.
    Null,
}

impl<'a> Scalar<'a> {
    /// Strings and numbers as written, booleans as words: `None` for null.
    #[must_use]
    pub fn text(self) -> Option<&'a str> {
        match self {
            Self::Str(text) | Self::Num(text) => Some(text),
            Self::Bool(true) => Some("true"),
            Self::Bool(false) => Some("false"),
            Self::Null => None,
        }
    }
}

impl<'a> From<&'a Value<'_>> for Scalar<'a> {
    fn from(value: &'a Value<'_>) -> Self {
        match value {
            Value::Str(text) => Self::Str(text),
            Value::Num(text) => Self::Num(text),
            Value::Bool(flag) => Self::Bool(*flag),
            Value::Null => Self::Null,
        }
    }
}

/// One event, borrowed from the bytes it was read from.
///
/// Fields keep their order; a name that stands several times has several values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Event<'a> {
    /// When it happened, by the source's clock; the moment of receipt where the source gave none.
    pub time: Timestamp,
    /// When it was received.
    pub received: Timestamp,
    fields: Vec<(FieldName<'a>, Value<'a>)>,
}

impl<'a> Event<'a> {
    /// An event without fields.
    #[must_use]
    pub fn new(time: Timestamp, received: Timestamp) -> Self {
        Self {
            time,
            received,
            fields: Vec::with_capacity(32),
        }
    }

    /// An event without fields, with room for so many.
    #[must_use]
    pub fn with_room(time: Timestamp, received: Timestamp, fields: usize) -> Self {
        Self {
            time,
            received,
            fields: Vec::with_capacity(fields),
        }
    }

    /// Adds a value under a canonical name.
    pub fn push(&mut self, field: Field, value: Value<'a>) {
        self.fields.push((FieldName::Known(field), value));
    }

    /// Adds a text under a canonical name.
    pub fn push_str(&mut self, field: Field, text: impl Into<Cow<'a, str>>) {
        self.push(field, Value::Str(text.into()));
    }

    /// Adds a value under the source's own name.
    pub fn push_ext(&mut self, name: impl Into<Cow<'a, str>>, value: Value<'a>) {
        self.fields.push((FieldName::Ext(name.into()), value));
    }

    /// All fields in order.
    #[must_use]
    pub fn fields(&self) -> &[(FieldName<'a>, Value<'a>)] {
        &self.fields
    }

    /// All fields in order, to change their values.
    pub fn fields_mut(&mut self) -> &mut Vec<(FieldName<'a>, Value<'a>)> {
        &mut self.fields
    }

    /// The first value of a canonical field.
    #[must_use]
    pub fn get(&self, field: Field) -> Option<&Value<'a>> {
        self.values(field).next()
    }

    /// The first value of a canonical field as text: strings and numbers as written, booleans as words.
    #[must_use]
    pub fn text(&self, field: Field) -> Option<&str> {
        self.get(field).and_then(text_of)
    }

    /// The first value of a canonical field as a whole number.
    #[must_use]
    pub fn int(&self, field: Field) -> Option<u64> {
        self.text(field)?.parse().ok()
    }

    /// All values of a canonical field.
    pub fn values(&self, field: Field) -> impl Iterator<Item = &Value<'a>> {
        self.fields
            .iter()
            .filter_map(move |(name, value)| match name {
                FieldName::Known(known) if *known == field => Some(value),
                _ => None,
            })
    }

    /// All values under the source's own name (without `ext.`).
    pub fn ext<'s>(&'s self, wanted: &'s str) -> impl Iterator<Item = &'s Value<'a>> {
        self.fields
            .iter()
            .filter_map(move |(name, value)| match name {
                FieldName::Ext(name) if name == wanted => Some(value),
                _ => None,
            })
    }
}

/// The text of a scalar: `None` for null.
#[must_use]
pub fn text_of<'v>(value: &'v Value<'_>) -> Option<&'v str> {
    Scalar::from(value).text()
}
