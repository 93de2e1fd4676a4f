//! Bytes in, clean events out: parse, normalize, enrich, redact, then the log. Pure up to the log.

mod normalize;

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use wardline_parsers::Format;

use crate::model::{Offset, Timestamp};

pub use normalize::{Cidr, SensitiveRoute};

/// A body a door has received, decompressed and authenticated.
#[derive(Clone, Debug)]
pub struct Payload {
    /// Who sent it: the name of its key or the `?source=`.
    pub source: Arc<str>,
    /// Address of the sender's connection.
    pub peer: Option<IpAddr>,
    /// When it was received.
    pub received: Timestamp,
    /// What the sender says it is.
    pub format: Format,
    /// The body.
    pub bytes: Bytes,
}

/// The events of a payload are durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// Events written.
    pub accepted: u64,
    /// Of these, events with a note: cut, odd or not understood.
    pub flagged: u64,
    /// Position of the first one.
    pub first: Offset,
}

/// A payload was not taken; nothing of it was written. The sender should try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No room within the time a request is held.
    #[error("no room for more events, try again in {retry_after_s} s")]
    Busy {
        /// For `Retry-After`.
        retry_after_s: u32,
    },
    /// The log takes no writes: disk full, or a failed write.
    #[error("the event log takes no writes now, try again in {retry_after_s} s")]
    Unavailable {
        /// For `Retry-After`.
        retry_after_s: u32,
    },
}
