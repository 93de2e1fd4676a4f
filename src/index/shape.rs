//! The shape of an event: which names it has. Events of one source share a few shapes, so a dictionary column of shapes
//! costs next to nothing and answers `field:*` for every field, also those without a column.
//!
//! Text: one character per canonical field (`U+0100` + its code), then each own name behind `U+0001`. An event with too
//! many names has the shape `?`, and so have all new shapes once a segment has too many.

use std::collections::HashMap;

use crate::model::{Field, Name};
use crate::redact::CleanRecord;

/// Shapes of one segment.
const SHAPES_MAX: usize = 4_096;
/// Bytes of one shape.
const BYTES_MAX: usize = 4_096;
/// Bytes of the names of one event, where a name may stand several times.
const NAMES_BYTES_MAX: usize = 4 * BYTES_MAX;
/// Nothing is known.
const UNKNOWN: &str = "?";
const SEPARATOR: char = '\u{1}';

/// Makes shapes.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    /// By the names in their order as they come: nearly all events have names that were seen before.
    seen: HashMap<Box<[u8]>, usize, foldhash::fast::RandomState>,
    shapes: Vec<Shape>,
    unknown: Shape,
    /// The names of this event, and those of the one before with its shape: neighbours are often alike.
    names: Vec<u8>,
    last: (Vec<u8>, Option<usize>),
    text: String,
}

/// A shape, and what its user remembers of it.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) text: Box<str>,
    /// Its place in the column of shapes, once it has one.
    pub(super) place: Option<u32>,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            text: UNKNOWN.into(),
            place: None,
        }
    }
}

impl Shapes {
    /// The shape of an event.
    pub(super) fn of(&mut self, event: &CleanRecord<'_>) -> &mut Shape {
        self.names.clear();
        for (name, value) in event.fields() {
            if value.text().is_some() {
                match name {
                    Name::Known(field) => self.names.push(field.code()),
                    Name::Ext(name) => {
                        self.names.push(u8::MAX);
                        let length = u32::try_from(name.len()).unwrap_or(u32::MAX);
                        self.names.extend_from_slice(&length.to_le_bytes());
                        self.names.extend_from_slice(name.as_bytes());
                    }
                }
            }
        }
        if self.last.1.is_none() || self.last.0 != self.names {
            self.last.1 = self.find(event);
            std::mem::swap(&mut self.last.0, &mut self.names);
        }
        let found = self.last.1.and_then(|at| self.shapes.get_mut(at));
        found.unwrap_or(&mut self.unknown)
    }

    /// Where the shape of an event with other names than the one before is.
    fn find(&mut self, event: &CleanRecord<'_>) -> Option<usize> {
        if let Some(at) = self.seen.get(self.names.as_slice()) {
            return Some(*at);
        }
        if self.shapes.len() >= SHAPES_MAX || self.names.len() > NAMES_BYTES_MAX {
            return None;
        }
        let text = write(event, &mut self.text)?.into();
        let at = self.shapes.len();
        self.shapes.push(Shape { text, place: None });
        self.seen.insert(self.names.as_slice().into(), at);
        Some(at)
    }
}

/// The shape of an event; `None` where it is too long.
fn write<'t>(event: &CleanRecord<'_>, text: &'t mut String) -> Option<&'t str> {
    text.clear();
    for (name, value) in event.fields() {
        if let (Name::Known(field), Some(_)) = (name, value.text())
            && !text.contains(mark(*field))
        {
            text.push(mark(*field));
        }
    }
    for (name, value) in event.fields() {
        if let (Name::Ext(name), Some(_)) = (name, value.text()) {
            text.push(SEPARATOR);
            text.push_str(name);
            if text.len() > BYTES_MAX {
                return None;
            }
        }
    }
    Some(text)
}

fn mark(field: Field) -> char {
    char::from_u32(0x100 + u32::from(field.code())).unwrap_or('?')
}

/// Whether events of a shape have a canonical field; `None` where that is not known.
pub(super) fn has_field(shape: &str, field: Field) -> Option<bool> {
    let marks = shape.split(SEPARATOR).next().unwrap_or_default();
    (shape != UNKNOWN).then(|| marks.contains(mark(field)))
}

/// Whether events of a shape have a name of the source's own; `None` where that is not known.
pub(super) fn has_ext(shape: &str, name: &str) -> Option<bool> {
    (shape != UNKNOWN).then(|| shape.split(SEPARATOR).skip(1).any(|own| own == name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Event, Timestamp, Value};
    use crate::redact::record;

    #[test]
    fn a_shape_knows_its_names() {
        let mut event = Event::new(Timestamp(0), Timestamp(0));
        event.push_str(Field::Message, "x");
        event.push_ext("a.b", Value::Bool(true));
        event.push_ext("null", Value::Null);
        event.push_str(Field::Tags, "x");
        let mut shapes = Shapes::default();
        let shape = shapes.of(&record(&event)).text.clone();
        assert_eq!(has_field(&shape, Field::Message), Some(true));
        assert_eq!(has_field(&shape, Field::Tags), Some(true));
        assert_eq!(has_field(&shape, Field::UrlPath), Some(false));
        assert_eq!(has_ext(&shape, "a.b"), Some(true));
        assert_eq!(has_ext(&shape, "a"), Some(false));
        assert_eq!(has_ext(&shape, "null"), Some(false));
    }

    #[test]
    fn wild_names_make_the_shape_unknown() {
        let mut shapes = Shapes::default();
        let mut unknown = 0;
        for at in 0..SHAPES_MAX + 10 {
            let mut event = Event::new(Timestamp(0), Timestamp(0));
            event.push_ext(format!("name{at}"), Value::Bool(true));
            unknown += usize::from(&*shapes.of(&record(&event)).text == UNKNOWN);
        }
        assert_eq!(unknown, 10);
        assert_eq!(has_ext(UNKNOWN, "x"), None);
        assert_eq!(has_field(UNKNOWN, Field::Message), None);
    }
}
