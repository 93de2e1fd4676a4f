//! The shape of an event: which names it has. Events of one source share a few shapes, so a dictionary column of shapes
//! costs next to nothing and answers `field:*` for every field, also those without a column.
//!
//! Text: one character per canonical field (`U+0100` + its code), then each own name behind `U+0001`. An event with too
//! many names has the shape `?`, and so have all new shapes once a segment has too many.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, Hash, Hasher};

use crate::model::{Field, FieldName, text_of};
use crate::redact::CleanEvent;

/// Shapes of one segment.
const SHAPES_MAX: usize = 4_096;
/// Bytes of one shape.
const BYTES_MAX: usize = 4_096;
/// Nothing is known.
const UNKNOWN: &str = "?";
const SEPARATOR: char = '\u{1}';

/// Makes shapes.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    /// By a hash of the names in their order: nearly all events have names that were seen before.
    seen: HashMap<u64, Box<str>, foldhash::quality::RandomState>,
    text: String,
}

impl Shapes {
    /// The shape of an event.
    pub(super) fn of(&mut self, event: &CleanEvent<'_>) -> &str {
        let mut hasher = self.seen.hasher().build_hasher();
        for (name, value) in event.fields() {
            if text_of(value).is_some() {
                match name {
                    FieldName::Known(field) => hasher.write_u8(field.code()),
                    FieldName::Ext(name) => {
                        hasher.write_u8(u8::MAX);
                        name.hash(&mut hasher);
                    }
                }
            }
        }
        let hash = hasher.finish();
        let is_full = self.seen.len() >= SHAPES_MAX;
        match self.seen.entry(hash) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(_) if is_full => UNKNOWN,
            Entry::Vacant(free) => match write(event, &mut self.text) {
                Some(shape) => free.insert(shape.into()),
                None => UNKNOWN,
            },
        }
    }
}

/// The shape of an event; `None` where it is too long.
fn write<'t>(event: &CleanEvent<'_>, text: &'t mut String) -> Option<&'t str> {
    text.clear();
    for (name, value) in event.fields() {
        if let (FieldName::Known(field), Some(_)) = (name, text_of(value))
            && !text.contains(mark(*field))
        {
            text.push(mark(*field));
        }
    }
    for (name, value) in event.fields() {
        if let (FieldName::Ext(name), Some(_)) = (name, text_of(value)) {
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
    use crate::redact::clean;

    #[test]
    fn a_shape_knows_its_names() {
        let mut event = Event::new(Timestamp(0), Timestamp(0));
        event.push_str(Field::Message, "x");
        event.push_ext("a.b", Value::Bool(true));
        event.push_ext("null", Value::Null);
        event.push_str(Field::Tags, "x");
        let mut shapes = Shapes::default();
        let shape = shapes.of(&clean(event)).to_owned();
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
            unknown += usize::from(shapes.of(&clean(event)) == UNKNOWN);
        }
        assert_eq!(unknown, 10);
        assert_eq!(has_ext(UNKNOWN, "x"), None);
        assert_eq!(has_field(UNKNOWN, Field::Message), None);
    }
}
