//! The query language: text to a typed tree, and the tree's meaning for one event.
//!
//! `field:value`, quoted phrases, `*` and `?`, ranges, comparison, CIDR, `field:*`, `AND OR NOT -`, parentheses,
//! implicit AND, bare words, `id:X`. What [`Query::matches`] says is the truth; the index only finds it faster.

mod ast;
mod parse;

pub use ast::Query;
pub use parse::parse;

/// Why a text is not a query, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} at column {column}")]
pub struct QueryError {
    /// What is wrong, one sentence without the query's text.
    pub message: String,
    /// Byte offset in the query text.
    pub position: usize,
    /// Column, counted in characters from 1.
    pub column: usize,
    /// What was probably meant.
    pub suggestion: Option<String>,
}
