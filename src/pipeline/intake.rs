//! The way in: room for the events, the pure steps, the log, the acknowledgement.
//!
//! The door has admitted the bytes of the body. Its events can be many times as large, so they are made and
//! appended batch by batch, and a payload starts only once there is room for the most that it holds at one time.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::run::{Output, Pipeline};
use super::{Ack, Options, Payload, Refused};
use crate::metrics::Metrics;
use crate::model::Offset;
use crate::tasks::Tasks;
use crate::wal::{self, Wal};

const KIB: usize = 1024;
/// A record of one character and its line feed becomes an event of up to 160 bytes.
pub(super) const GROWTH_MAX: usize = 80;
/// Batches of one payload in memory at a time: in the making, ready, and on its way into the log.
const BATCHES_MAX: usize = 3;

/// Takes payloads and answers when their events are durable. Cheap to clone; all clones share one
/// bound.
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

/// Room for the events of one payload; given back when dropped.
#[derive(Debug)]
pub(super) struct Room {
    permit: OwnedSemaphorePermit,
    intake: Arc<Inner>,
}

impl Drop for Room {
    fn drop(&mut self) {
        // The permit itself is given back right after this.
        self.intake.show_room(self.permit.num_permits());
    }
}

/// What of a payload is durable.
#[derive(Debug, Default)]
struct Done {
    first: Option<Offset>,
    events: u64,
    flagged: u64,
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

    /// Waits for room for the events of a body of so many bytes, at most as long as its sender may still be held.
    /// What needs more than all the room there is waits until it is alone.
    pub(super) async fn reserve(&self, bytes: usize, patience: Duration) -> Result<Room, Refused> {
        let inner = &self.0;
        let most = inner.options.batch_bytes_max.saturating_mul(BATCHES_MAX);
        let events = bytes.saturating_mul(GROWTH_MAX).min(most);
        let kib = u32::try_from(events.div_ceil(KIB)).unwrap_or(u32::MAX);
        let kib = kib.clamp(1, inner.room_kib);
        let waiting = inner.room.clone().acquire_many_owned(kib);
        // The semaphore is never closed: what fails is the patience.
        let Ok(Ok(permit)) = tokio::time::timeout(patience, waiting).await else {
            return Err(inner.refused(&Done::default()));
        };
        inner.show_room(0);
        Ok(Room {
            permit,
            intake: inner.clone(),
        })
    }

    /// Parses, cleans and writes a payload; resolves when its events are durable. Where the log fails in the
    /// middle of it, the batches before are durable, and the refusal says how many events that are.
    pub async fn submit(&self, payload: Payload) -> Result<Ack, Refused> {
        let inner = &self.0;
        let bytes = payload.bytes.len();
        let room = self.reserve(bytes, payload.patience).await?;
        let mut done = Done::default();
        if bytes <= inner.options.inline_bytes_max {
            self.here(&payload, &mut done).await?;
        } else {
            self.beside(payload, room, &mut done).await?;
        }
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        inner.metrics.ingest_bytes.add(bytes);
        Ok(Ack {
            accepted: done.events,
            flagged: done.flagged,
            first: done.first.unwrap_or_else(|| inner.wal.end()),
        })
    }

    /// Small payloads are processed on the thread of their connection.
    async fn here(&self, payload: &Payload, done: &mut Done) -> Result<(), Refused> {
        let mut outputs = Vec::new();
        self.0.pipeline.run(payload, |output| {
            outputs.push(output);
            ControlFlow::Continue(())
        });
        for output in outputs {
            self.0.append(output, done).await?;
        }
        Ok(())
    }

    /// Large ones beside the runtime, so that no other connection waits for them. Making and writing keep step: the
    /// next batch is made while one is written, and no further. Body and room belong to the work, which ends soon
    /// after nobody takes its batches any more.
    async fn beside(&self, payload: Payload, room: Room, done: &mut Done) -> Result<(), Refused> {
        let inner = &self.0;
        let (ready, mut batches) = mpsc::channel(1);
        let pipeline = inner.pipeline.clone();
        let making = inner.tasks.blocking(move || {
            pipeline.run(&payload, |output| match ready.blocking_send(output) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            });
            // The last batches are on their way still; the body is not needed any more.
            (payload.room, room)
        });
        let so_far = &mut *done;
        let writing = async move {
            while let Some(output) = batches.recv().await {
                inner.append(output, so_far).await?;
            }
            Ok(())
        };
        let (held, written) = tokio::join!(making, writing);
        written?;
        match held {
            Some(_room) => Ok(()),
            // The work panicked, and with it went the rest of the payload.
            None => Err(inner.refused(done)),
        }
    }
}

impl Inner {
    async fn append(&self, output: Output, done: &mut Done) -> Result<(), Refused> {
        let appended = self.wal.append(output.batch).await.map_err(|error| {
            if !matches!(error, wal::Error::Poisoned | wal::Error::Closed) {
                tracing::error!(%error, "log did not take a batch");
            }
            self.refused(done)
        })?;
        done.first = done.first.or(Some(appended.first));
        done.events = done.events.saturating_add(appended.count);
        done.flagged = done.flagged.saturating_add(output.flagged);
        self.metrics.ingest_events.add(appended.count);
        self.metrics.ingest_flagged.add(output.flagged);
        Ok(())
    }

    fn refused(&self, done: &Done) -> Refused {
        Refused {
            retry_after_s: self.options.retry_after_s,
            stored: done.events,
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
