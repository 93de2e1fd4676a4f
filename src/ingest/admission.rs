//! What a door lets in: admission by bytes before anything is buffered, caps, deadlines.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http_body_util::BodyExt;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::guard::{Declared, Failure, Inflate};
use crate::clock::Stopwatch;
use crate::metrics::Metrics;

/// Settings of the doors.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Bytes of a body as sent.
    pub body_bytes_max: usize,
    /// Bytes of a body after decompression.
    pub inflated_bytes_max: usize,
    /// Bytes of all bodies held at once, from their first byte to their acknowledgement.
    pub held_bytes_max: usize,
    /// How long a request waits for room in all before it is refused, in milliseconds.
    pub hold_ms_max: u64,
    /// Between two pieces of a body, in seconds.
    pub body_idle_s_max: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            body_bytes_max: 64 << 20,
            inflated_bytes_max: 64 << 20,
            held_bytes_max: 128 << 20,
            hold_ms_max: 5_000,
            body_idle_s_max: 30,
        }
    }
}

/// Why a body was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Longer than a cap.
    TooLarge {
        /// The cap.
        bytes_max: usize,
    },
    /// Damaged or cut short.
    Corrupt(&'static str),
    /// Compressed more than once.
    Nested,
    /// Did not arrive whole or in time.
    Incomplete,
    /// No room within the time a request waits.
    Busy,
}

/// Permits are handed out in units of this many bytes.
const UNIT: usize = 1024;
/// A body that grows asks for this much more at a time.
const STEP: usize = 256 * 1024;
/// Compressed bytes are worked on in pieces of this size, so that others get their turn.
const PIECE: usize = 8 * 1024;

/// Room for the bodies of all requests. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct Admission {
    options: Arc<Options>,
    room: Arc<Semaphore>,
    metrics: Arc<Metrics>,
}

/// Room that one body takes, given back when dropped.
#[derive(Debug)]
pub(super) struct Room {
    admission: Admission,
    permit: Option<OwnedSemaphorePermit>,
    bytes: usize,
    /// What is left of the time the request may wait.
    patience: Duration,
}

/// A body that has arrived whole.
#[derive(Debug)]
pub(super) struct Received {
    /// Decompressed.
    pub bytes: Vec<u8>,
    /// To be held until nothing works on the bytes any more.
    pub room: Room,
}

impl Admission {
    /// Room as large as the settings say, and never less than one largest body needs.
    #[must_use]
    pub fn new(options: Options, metrics: Arc<Metrics>) -> Self {
        Self {
            room: Arc::new(Semaphore::new(units(&options))),
            options: Arc::new(options),
            metrics,
        }
    }

    /// The settings.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    fn room(&self) -> Room {
        Room {
            admission: self.clone(),
            permit: None,
            bytes: 0,
            patience: Duration::from_millis(self.options.hold_ms_max),
        }
    }

    /// Reads a body: room first, then bytes. `length` is what the client announced.
    ///
    /// # Errors
    /// See [`Refusal`]. Nothing is kept then.
    pub(super) async fn receive(
        &self,
        mut body: Body,
        declared: Declared,
        length: Option<usize>,
    ) -> Result<Received, Refusal> {
        let (sent_max, bytes_max) = (self.options.body_bytes_max, self.options.inflated_bytes_max);
        let too_large = |bytes_max| Refusal::TooLarge { bytes_max };
        if length.is_some_and(|length| length > sent_max) {
            return Err(too_large(sent_max));
        }
        let refusal = |failure| match failure {
            Failure::TooLarge => too_large(bytes_max),
            Failure::Corrupt(what) => Refusal::Corrupt(what),
            Failure::Nested => Refusal::Nested,
        };
        // Compressed bytes are not kept, so more than the cap is never held.
        let expected = length.unwrap_or(0).min(bytes_max);
        let mut room = self.room();
        room.grow_to(expected).await?;
        let mut inflate = Inflate::new(declared, expected, bytes_max);
        let mut sent = 0usize;
        while let Some(chunk) = self.next_chunk(&mut body).await? {
            sent = sent.saturating_add(chunk.len());
            if sent > sent_max {
                return Err(too_large(sent_max));
            }
            for piece in chunk.chunks(PIECE) {
                inflate.push(piece).map_err(refusal)?;
                if inflate.held() > room.bytes {
                    // A body that asked for more than all the room would be told to come again for ever.
                    let wanted = inflate.held().saturating_add(STEP).min(bytes_max);
                    room.grow_to(wanted.max(inflate.held())).await?;
                }
            }
        }
        let bytes = inflate.finish().map_err(refusal)?;
        Ok(Received { bytes, room })
    }

    async fn next_chunk(&self, body: &mut Body) -> Result<Option<bytes::Bytes>, Refusal> {
        let idle = Duration::from_secs(self.options.body_idle_s_max);
        loop {
            match timeout(idle, body.frame()).await {
                Err(_elapsed) => return Err(Refusal::Incomplete),
                Ok(None) => return Ok(None),
                Ok(Some(Err(_broken))) => return Err(Refusal::Incomplete),
                Ok(Some(Ok(frame))) => {
                    // Trailers say nothing we need.
                    if let Ok(chunk) = frame.into_data() {
                        return Ok(Some(chunk));
                    }
                }
            }
        }
    }

    fn show(&self) {
        let taken = units(&self.options).saturating_sub(self.room.available_permits());
        let bytes = u64::try_from(taken.saturating_mul(UNIT)).unwrap_or(u64::MAX);
        self.metrics.ingest_held_bytes.set(bytes);
    }
}

/// All the room there is: while memory grows it is copied, so one largest body can need twice its size.
fn units(options: &Options) -> usize {
    let least = options.inflated_bytes_max.saturating_mul(2);
    let units = options.held_bytes_max.max(least) / UNIT;
    units.clamp(1, Semaphore::MAX_PERMITS)
}

impl Room {
    /// What is left of the time the request may wait.
    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// Waits for room for so many bytes in all, until the time a request may wait is over.
    async fn grow_to(&mut self, bytes: usize) -> Result<(), Refusal> {
        let wanted = bytes.div_ceil(UNIT);
        let more = wanted.saturating_sub(self.bytes / UNIT);
        let Ok(more) = u32::try_from(more) else {
            return Err(Refusal::Busy);
        };
        if more == 0 {
            return Ok(());
        }
        let watch = Stopwatch::start();
        let asked = self.admission.room.clone().acquire_many_owned(more);
        let granted = timeout(self.patience, asked).await;
        self.patience = self.patience.saturating_sub(watch.elapsed());
        let Ok(Ok(permit)) = granted else {
            return Err(Refusal::Busy);
        };
        match &mut self.permit {
            Some(held) => held.merge(permit),
            None => self.permit = Some(permit),
        }
        self.bytes = wanted * UNIT;
        self.admission.show();
        Ok(())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        drop(self.permit.take());
        self.admission.show();
    }
}
