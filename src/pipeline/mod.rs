//! Bytes in, clean events out: parse, normalize, enrich, redact, then the log. Pure up to the log.

mod enrich;
mod intake;
mod network;
mod normalize;
mod run;
#[cfg(test)]
mod tests;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use wardline_parsers::Format;

use crate::model::{Offset, Timestamp};

pub use enrich::{Enricher, Error as EnrichError, Options as EnrichOptions};
pub use intake::Intake;
pub use normalize::{Options as NormalizeOptions, SensitiveRoute};
pub use run::{Output, Pipeline};

/// Settings of the pipeline.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Bytes set aside for events between their bodies and the log, by the most that a body can become; more wait.
    pub in_flight_bytes_max: usize,
    /// Bytes of events of one body that go to the log together; a larger body goes in several such batches.
    pub batch_bytes_max: usize,
    /// Events that index and rules may be behind before doors slow down; the index may be four times as far.
    pub backlog_events_max: u64,
    /// How long a request is slowed down at most; counts as time it waits for room.
    pub backlog_wait_ms_max: u64,
    /// What a refused sender is told to wait.
    pub retry_after_s: u32,
    /// Bodies up to this size are processed on the connection's own thread.
    pub inline_bytes_max: usize,
    /// Fields of one record.
    pub fields_max: usize,
    /// Levels of nesting of one record.
    pub depth_max: usize,
    /// Bytes of one value; longer ones are redacted and then cut.
    pub value_bytes_max: usize,
    /// Bytes of one record.
    pub record_bytes_max: usize,
    /// Bytes of one name.
    pub name_bytes_max: usize,
    /// What names mean.
    pub normalize: NormalizeOptions,
    /// Address databases.
    pub enrich: EnrichOptions,
}

impl Default for Options {
    fn default() -> Self {
        let bounds = wardline_parsers::Options::DEFAULT;
        Self {
            in_flight_bytes_max: 128 << 20,
            batch_bytes_max: 2 << 20,
            backlog_events_max: 30_000,
            backlog_wait_ms_max: 1_000,
            retry_after_s: 2,
            inline_bytes_max: 32 << 10,
            fields_max: bounds.fields_max,
            depth_max: bounds.depth_max,
            value_bytes_max: bounds.value_bytes_max,
            record_bytes_max: bounds.record_bytes_max,
            name_bytes_max: bounds.name_bytes_max,
            normalize: NormalizeOptions::default(),
            enrich: EnrichOptions::default(),
        }
    }
}

impl Options {
    /// The bounds of one record as it is parsed. Values are not cut there but once they are clean
    /// (`redact/bounds.rs`); replacing bad bytes makes a text three times as long at most.
    #[must_use]
    pub fn bounds(&self) -> wardline_parsers::Options {
        wardline_parsers::Options {
            fields_max: self.fields_max,
            depth_max: self.depth_max,
            value_bytes_max: self.record_bytes_max.saturating_mul(3),
            record_bytes_max: self.record_bytes_max,
            name_bytes_max: self.name_bytes_max,
        }
    }
}

/// What the bytes of a body take at its door. The room is given back when this is dropped, which is when nothing
/// works on the body any more, whether or not somebody still waits for the answer.
pub type Room = Box<dyn Debug + Send + Sync>;

/// A body a door has received, decompressed and authenticated.
#[derive(Debug)]
pub struct Payload {
    /// Who sent it: the name of its key or the `?source=`.
    pub source: Arc<str>,
    /// When it was received.
    pub received: Timestamp,
    /// What the sender says it is.
    pub format: Format,
    /// The body.
    pub bytes: Bytes,
    /// What is left of the time for which the sender may be held before it is refused.
    pub patience: Duration,
    /// Room that travels with the body; `None` where the door bounds itself.
    pub room: Option<Room>,
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

/// A payload was not taken whole: no room within the time a sender is held, or the log takes no writes. The
/// sender should try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the event log takes no more now, try again in {retry_after_s} s")]
pub struct Refused {
    /// For `Retry-After`.
    pub retry_after_s: u32,
    /// Events of the payload, its first ones, that are durable all the same. A sender that repeats the whole
    /// payload stores them twice; only a payload of more than one batch can have any.
    pub stored: u64,
}
