//! The typed tree.

use crate::redact::CleanEvent;

/// A parsed query.
#[derive(Clone, Debug, PartialEq)]
pub enum Query {
    /// Every event.
    All,
}

impl Query {
    /// Whether the event is one that was asked for.
    #[must_use]
    pub fn matches(&self, _event: &CleanEvent<'_>) -> bool {
        true
    }
}
