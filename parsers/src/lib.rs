//! Bytes to fields: every log format Wardline reads, as pure functions.
//!
//! Parsing cannot fail: any bytes become a [`Parsed`], and what was not understood is a [`Note`] on it.
//! This crate knows nothing of the rest of the product, of time, of disk or of the network.

mod fields;

pub use fields::{Entry, Fields, Note, Parsed, Value};

/// A log format by the name users give it (`?format=`, `--format`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Decide per record from its first bytes and its keys.
    Auto,
    /// Any JSON object.
    Json,
    /// JSON with Elastic Common Schema names.
    Ecs,
    /// nginx `log_format … escape=json`.
    NginxJson,
    /// Apache/nginx combined access log.
    Combined,
    /// One line of text, kept as the message.
    Text,
}
