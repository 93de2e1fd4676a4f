//! The order of events that a caller asks for: by time in one word, or by the values of a field.

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use super::error::Error;
use crate::index::{self, SearchRequest};

/// A direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Direction {
    /// Newest or largest first.
    #[default]
    Desc,
    /// Oldest or smallest first.
    Asc,
}

impl From<Direction> for index::Sort {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::Desc => Self::Desc,
            Direction::Asc => Self::Asc,
        }
    }
}

/// Order of events.
#[derive(Clone, Debug, PartialEq, Eq, ToSchema)]
#[serde(untagged)]
pub(super) enum SortInput {
    /// By `@timestamp`.
    Time(Direction),
    /// By the values of a field.
    Field(FieldSort),
}

/// Order by the values of a field: ties are newest first, events without a value come last.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FieldSort {
    /// A number, address or keyword field, by name or alias, or `@timestamp`. Texts are compared without case.
    #[schema(max_length = 256)]
    field: String,
    /// `desc` (largest first) or `asc`.
    #[serde(default)]
    order: Direction,
}

impl Default for SortInput {
    fn default() -> Self {
        Self::Time(Direction::Desc)
    }
}

impl SortInput {
    /// The request in this order.
    pub(super) fn apply(&self, mut request: SearchRequest) -> Result<SearchRequest, Error> {
        match self {
            Self::Time(direction) => {
                request.sort = (*direction).into();
                Ok(request)
            }
            Self::Field(FieldSort { field, order }) => {
                let sorted = request.sorted(field, (*order).into());
                sorted.map_err(|_no_column| {
                    let detail = "expected a field of kind keyword, int or ip (see /api/v1/fields): others are kept in the events' text only";
                    Error::input("/sort/field", "invalid_value", detail)
                })
            }
        }
    }
}

impl<'de> Deserialize<'de> for SortInput {
    // By hand, so that what does not fit is pointed at inside the object, too.
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_any(Word)
    }
}

struct Word;

impl<'de> Visitor<'de> for Word {
    type Value = SortInput;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("`desc`, `asc` or an object of field and order")
    }

    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<SortInput, E> {
        match word {
            "desc" => Ok(SortInput::Time(Direction::Desc)),
            "asc" => Ok(SortInput::Time(Direction::Asc)),
            _ => Err(E::invalid_value(Unexpected::Str(word), &self)),
        }
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<SortInput, M::Error> {
        FieldSort::deserialize(MapAccessDeserializer::new(map)).map(SortInput::Field)
    }
}
