//! The wall. Nothing behind it has ever held a secret: the log, the index, the store and the API take
//! only [`CleanEvent`]s and [`Batch`]es, and only this folder makes them, by redacting an event
//! (`scan.rs`) or by reading back what was redacted before (`codec.rs`).

mod codec;
mod json;

#[cfg(test)]
pub(crate) use codec::tests::clean;
pub use codec::{Batch, DecodeError, decode};
pub use json::to_json;

use crate::model::Event;

/// An event without secrets. The private field is the wall.
#[derive(Clone, Debug, PartialEq)]
pub struct CleanEvent<'a>(Event<'a>);

impl<'a> std::ops::Deref for CleanEvent<'a> {
    type Target = Event<'a>;

    fn deref(&self) -> &Event<'a> {
        &self.0
    }
}
