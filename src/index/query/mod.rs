//! The query language: text to a typed tree, and the tree's meaning for one event.
//!
//! ```text
//! or      = and { "OR" and }                        operators in capitals; also && || !
//! and     = unary { ["AND"] unary }                 side by side means AND
//! unary   = ("NOT" | "-") unary | "(" or ")" | [name ":"] value
//! value   = word | "phrase" | [a TO b] | {a TO b} | >=a >a <=a <a | * | ~regex | /regex/ | "(" or ")"
//! ```
//!
//! A word may hold `*` and `?`; `\` takes any character as it is. What [`Query::matches`] says is the truth; the index only
//! finds the same events faster.

mod ast;
mod glob;
mod highlight;
mod hints;
mod matches;
mod names;
mod parse;
mod pattern;
#[cfg(test)]
mod tests;
mod time;
mod value;

pub(in crate::index) use ast::{Condition, Literal, Name, Node, Phrase, Test};
pub(in crate::index) use glob::Glob;
pub(in crate::index) use matches::free_text;
pub(in crate::index) use names::{Target, resolve};

pub use ast::Query;
pub use highlight::Highlight;
pub use hints::Hint;
pub use parse::{Limits, parse, parse_within};
pub use time::{parse_duration, parse_time};

use crate::model::{Field, id_forms};

impl Query {
    /// The query that every event matches.
    #[must_use]
    pub fn all() -> Self {
        Self(Node::All)
    }

    /// The query for every event whose free text has all words of a text, whatever signs stand between them; `None` where
    /// it has none, or more than `words_max`.
    #[must_use]
    pub fn words(text: &str, words_max: usize) -> Option<Self> {
        // Operators of a query that was begun are no words of it.
        let words = text.split_whitespace();
        let words = words.filter(|word| !["AND", "OR", "NOT"].contains(word));
        let Phrase(mut words) = Phrase::of(&words.collect::<Vec<_>>().join(" "));
        words.sort_unstable();
        words.dedup();
        let is_so = |word| Node::Is(Condition::Words(Phrase(vec![word])));
        let fits = (1..=words_max).contains(&words.len());
        fits.then(|| Self(Node::And(words.into_iter().map(is_so).collect())))
    }

    /// The query for every event that carries a correlation id which begins so.
    #[must_use]
    pub fn id_prefix(prefix: &str) -> Self {
        Self(value::id_prefix(prefix))
    }

    /// The query for every event that has this value in a field; `None` where the field cannot have it.
    #[must_use]
    pub fn equals(field: Field, value: &str) -> Option<Self> {
        value::equals(field, value).map(Self)
    }

    /// The query for every event that carries a correlation id in any form.
    #[must_use]
    pub fn correlation_id(id: &str) -> Self {
        Self(Node::Is(Condition::Id(id_forms(id))))
    }
}

/// Why a text is not a query, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} (column {column})")]
pub struct QueryError {
    /// What is wrong, one sentence that quotes at most a field's name.
    pub message: String,
    /// Byte offset in the query text.
    pub position: usize,
    /// Column, counted in characters from 1.
    pub column: usize,
    /// What was probably meant.
    pub suggestion: Option<String>,
}
