//! What has been understood of a record so far: one slot per canonical field.

use std::borrow::Cow;

use crate::model::{Event, Field, Timestamp, Value};

const FIELDS: usize = Field::ALL.len();
// The mask below has one bit per field.
const _: () = assert!(FIELDS <= 128);

/// One value per canonical field, further values, and fields of the source's own. Used again for every
/// record of a payload.
#[derive(Debug)]
pub(super) struct Slots<'a> {
    values: [Option<Value<'a>>; FIELDS],
    filled: u128,
    many: Vec<(Field, Value<'a>)>,
    ext: Vec<(Cow<'a, str>, Value<'a>)>,
}

impl Default for Slots<'_> {
    fn default() -> Self {
        Self {
            values: [const { None }; FIELDS],
            filled: 0,
            many: Vec::new(),
            ext: Vec::new(),
        }
    }
}

impl<'a> Slots<'a> {
    /// Whether nothing is held.
    pub(super) fn is_empty(&self) -> bool {
        self.filled == 0 && self.many.is_empty() && self.ext.is_empty()
    }

    /// Whether the field has a value.
    pub(super) fn has(&self, field: Field) -> bool {
        self.filled >> field.code() & 1 == 1
    }

    /// The value of a field.
    pub(super) fn get(&self, field: Field) -> Option<&Value<'a>> {
        if !self.has(field) {
            return None;
        }
        self.values.get(usize::from(field.code()))?.as_ref()
    }

    /// The value of a field as text.
    pub(super) fn text(&self, field: Field) -> Option<&str> {
        match self.get(field)? {
            Value::Str(text) | Value::Num(text) => Some(text),
            Value::Bool(_) | Value::Null => None,
        }
    }

    /// Sets a field whatever it held.
    pub(super) fn set(&mut self, field: Field, value: Value<'a>) {
        if let Some(slot) = self.values.get_mut(usize::from(field.code())) {
            *slot = Some(value);
            self.filled |= 1 << field.code();
        }
    }

    /// Sets a field to a text.
    pub(super) fn set_str(&mut self, field: Field, text: impl Into<Cow<'a, str>>) {
        self.set(field, Value::Str(text.into()));
    }

    /// Sets a field that is empty; a second, different value is kept under the source's name.
    pub(super) fn offer(&mut self, field: Field, value: Value<'a>, name: Cow<'a, str>) {
        match self.get(field) {
            None => self.set(field, value),
            Some(first) if *first == value => {}
            Some(_) => self.ext(name, value),
        }
    }

    /// Adds one of several values; the same one only once.
    pub(super) fn add(&mut self, field: Field, value: Value<'a>) {
        if !self.many.iter().any(|(f, v)| *f == field && *v == value) {
            self.many.push((field, value));
        }
    }

    /// The several values of a field.
    pub(super) fn several(&self, field: Field) -> impl Iterator<Item = &Value<'a>> {
        self.many
            .iter()
            .filter(move |(f, _)| *f == field)
            .map(|(_, value)| value)
    }

    /// Keeps a field under the source's own name.
    pub(super) fn ext(&mut self, name: Cow<'a, str>, value: Value<'a>) {
        self.ext.push((name, value));
    }

    /// Hands everything over as an event, canonical fields in the order of their table, and is empty again.
    pub(super) fn take(&mut self, time: Timestamp, received: Timestamp) -> Event<'a> {
        let mut event = Event::new(time, received);
        let mut filled = std::mem::take(&mut self.filled);
        while filled != 0 {
            let code = filled.trailing_zeros();
            filled &= filled - 1;
            let slot = self.values.get_mut(code as usize);
            let field = Field::ALL.get(code as usize);
            if let (Some(field), Some(value)) = (field, slot.and_then(Option::take)) {
                event.push(*field, value);
            }
        }
        for (field, value) in self.many.drain(..) {
            event.push(field, value);
        }
        for (name, value) in self.ext.drain(..) {
            event.push_ext(name, value);
        }
        event
    }
}
