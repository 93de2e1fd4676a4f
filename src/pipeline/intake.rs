//! The way in: room by bytes, the pure steps, the log, the acknowledgement.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::run::{Output, Pipeline};
use super::{Ack, Options, Payload, Refused};
use crate::clock::Stopwatch;
use crate::metrics::Metrics;
use crate::tasks::Tasks;
use crate::wal::{self, Wal};

const KIB: usize = 1024;

/// Takes payloads and answers when their events are durable. Cheap to clone; all clones share one bound.
#[derive(Clone, Debug)]
pub struct Intake(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: Options,
    pipeline: Arc<Pipeline>,
    wal: Wal,
    tasks: Tasks,
    metrics: Arc<Metrics>,
    room: Arc<Semaphore>,
    room_kib: u32,
}

/// Room for the bytes of one payload; given back when dropped.
#[derive(Debug)]
pub struct Room {
    permit: OwnedSemaphorePermit,
    intake: Arc<Inner>,
}

impl Drop for Room {
    fn drop(&mut self) {
        // The permit itself is given back right after this.
        self.intake.show_room(self.permit.num_permits());
    }
}

impl Intake {
    /// An intake in front of the log.
    #[must_use]
    pub fn new(
        options: Options,
        pipeline: Arc<Pipeline>,
        wal: Wal,
        tasks: Tasks,
        metrics: Arc<Metrics>,
    ) -> Self {
        let kib = (options.in_flight_bytes_max / KIB).clamp(1, Semaphore::MAX_PERMITS);
        let room_kib = u32::try_from(kib).unwrap_or(u32::MAX);
        let room = Arc::new(Semaphore::new(usize::try_from(room_kib).unwrap_or(kib)));
        Self(Arc::new(Inner {
            options,
            pipeline,
            wal,
            tasks,
            metrics,
            room,
            room_kib,
        }))
    }

    /// Waits for room for a body of so many bytes, at most as long as requests are held. A body larger than all
    /// the room there is waits until it is alone.
    pub async fn reserve(&self, bytes: usize) -> Result<Room, Refused> {
        let inner = &self.0;
        let kib = u32::try_from(bytes.div_ceil(KIB)).unwrap_or(u32::MAX);
        let kib = kib.clamp(1, inner.room_kib);
        let hold = Duration::from_millis(inner.options.hold_ms_max);
        let waiting = inner.room.clone().acquire_many_owned(kib);
        let refused = match tokio::time::timeout(hold, waiting).await {
            Ok(Ok(permit)) => {
                inner.show_room(0);
                return Ok(Room {
                    permit,
                    intake: inner.clone(),
                });
            }
            // The semaphore is never closed.
            Ok(Err(_)) => inner.unavailable(),
            Err(_) => Refused::Busy {
                retry_after_s: inner.options.retry_after_s,
            },
        };
        inner.metrics.ingest_refused.inc();
        Err(refused)
    }

    /// Parses, cleans and writes a payload; resolves when its events are durable.
    pub async fn submit(&self, payload: Payload) -> Result<Ack, Refused> {
        let room = self.reserve(payload.bytes.len()).await?;
        self.submit_in(room, payload).await
    }

    /// [`Intake::submit`] for doors that reserved room before they read the body.
    pub async fn submit_in(&self, room: Room, payload: Payload) -> Result<Ack, Refused> {
        let inner = &self.0;
        let took = Stopwatch::start();
        let bytes = payload.bytes.len();
        let Some(output) = self.run(payload).await else {
            inner.metrics.ingest_refused.inc();
            return Err(inner.unavailable());
        };
        let flagged = output.flagged;
        let appended = inner.wal.append(output.batch).await.map_err(|error| {
            if !matches!(error, wal::Error::Poisoned | wal::Error::Closed) {
                tracing::error!(%error, "log did not take a batch");
            }
            inner.metrics.ingest_refused.inc();
            inner.unavailable()
        })?;
        drop(room);
        inner.metrics.ingest_events.add(appended.count);
        inner.metrics.ingest_flagged.add(flagged);
        inner
            .metrics
            .ingest_bytes
            .add(u64::try_from(bytes).unwrap_or(u64::MAX));
        inner.metrics.ingest_ack.observe(took.elapsed());
        Ok(Ack {
            accepted: appended.count,
            flagged,
            first: appended.first,
        })
    }

    /// Small payloads here, large ones beside the runtime so that no other connection waits for them.
    async fn run(&self, payload: Payload) -> Option<Output> {
        let inner = &self.0;
        if payload.bytes.len() <= inner.options.inline_bytes_max {
            return Some(inner.pipeline.run(&payload));
        }
        let pipeline = inner.pipeline.clone();
        inner.tasks.blocking(move || pipeline.run(&payload)).await
    }
}

impl Inner {
    fn unavailable(&self) -> Refused {
        Refused::Unavailable {
            retry_after_s: self.options.retry_after_s,
        }
    }

    fn show_room(&self, returning: usize) {
        let all = usize::try_from(self.room_kib).unwrap_or(usize::MAX);
        let free = self.room.available_permits().saturating_add(returning);
        let used = all.saturating_sub(free).saturating_mul(KIB);
        self.metrics
            .ingest_in_flight_bytes
            .set(u64::try_from(used).unwrap_or(u64::MAX));
    }
}
