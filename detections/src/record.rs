//! A simple event: for the tests in rules, and for hosts without a form of their own.

use crate::lookup::{FieldId, Lookup, ValueRef};

/// A scalar of a [`Record`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// Text.
    Text(String),
    /// A number as written.
    Number(String),
    /// `true` or `false`.
    Bool(bool),
    /// Present without a value.
    Null,
}

impl Scalar {
    fn borrowed(&self) -> ValueRef<'_> {
        match self {
            Self::Text(text) => ValueRef::Str(text),
            Self::Number(text) => ValueRef::Num(text),
            Self::Bool(value) => ValueRef::Bool(*value),
            Self::Null => ValueRef::Null,
        }
    }
}

/// An event as names and values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    fields: Vec<(String, Scalar)>,
}

impl Record {
    /// Adds a value; a name that stands several times has several values.
    pub fn push(&mut self, name: impl Into<String>, value: Scalar) {
        self.fields.push((name.into(), value));
    }

    /// With a text added.
    #[must_use]
    pub fn with(mut self, name: &str, text: &str) -> Self {
        self.push(name, Scalar::Text(text.to_owned()));
        self
    }

    /// With a number added.
    #[must_use]
    pub fn with_number(mut self, name: &str, number: i64) -> Self {
        self.push(name, Scalar::Number(number.to_string()));
        self
    }

    /// For an engine that asks for these fields.
    #[must_use]
    pub fn bind(&self, names: &[String]) -> Bound<'_> {
        let values = |name: &String| {
            let own = self.fields.iter().filter(|(known, _)| known == name);
            own.map(|(_, value)| value).collect()
        };
        Bound {
            slots: names.iter().map(values).collect(),
            record: self,
        }
    }
}

/// A [`Record`] with the fields of an engine resolved.
#[derive(Clone, Debug)]
pub struct Bound<'r> {
    slots: Vec<Vec<&'r Scalar>>,
    record: &'r Record,
}

impl Lookup for Bound<'_> {
    fn field(&self, id: FieldId) -> Option<ValueRef<'_>> {
        Some(self.slots.get(id.index())?.first()?.borrowed())
    }

    fn any_value(&self, id: FieldId, visit: &mut dyn FnMut(ValueRef<'_>) -> bool) -> bool {
        let values = self.slots.get(id.index()).into_iter().flatten();
        values.map(|value| value.borrowed()).any(visit)
    }

    fn any_text(&self, visit: &mut dyn FnMut(&str) -> bool) -> bool {
        let texts = self
            .record
            .fields
            .iter()
            .filter_map(|(_, value)| value.borrowed().text());
        texts.into_iter().any(visit)
    }
}
