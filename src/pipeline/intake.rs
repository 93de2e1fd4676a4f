//! From a payload to durable events: the pure run over its records, and the byte budget in front of it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wardline_parsers::{Note, Parsed, Value, parse, records};

use super::normalize::{self, Context};
use super::{Ack, Enricher, Options, Payload, Refused};
use crate::metrics::Metrics;
use crate::model::{Event, Field};
use crate::redact::{Batch, Redactor};
use crate::tasks::Tasks;
use crate::wal::{self, Wal};

/// Payloads up to this size are worked on where they arrive; larger ones move to the pool for blocking work.
const INLINE_BYTES_MAX: usize = 16 << 10;
/// The budget is counted in units of this many bytes.
const UNIT: usize = 1024;
/// What a sender is told to wait when there was no room for as long as it was held.
const RETRY_AFTER_S: u32 = 2;

/// The steps between a door and the log. Pure: the same payload gives the same batch.
#[derive(Debug)]
pub struct Pipeline {
    enricher: Enricher,
    redactor: Arc<Redactor>,
    context: Context,
    metrics: Arc<Metrics>,
}

/// The events of a payload, ready for the log.
#[derive(Debug, Default)]
pub struct Run {
    /// Encoded clean events.
    pub batch: Batch,
    /// Of these, events with a note.
    pub flagged: u64,
}

impl Pipeline {
    /// A pipeline with these parts.
    #[must_use]
    pub fn new(context: Context, enricher: Enricher, redactor: Arc<Redactor>, metrics: Arc<Metrics>) -> Self {
        Self { enricher, redactor, context, metrics }
    }

    /// Looks for changed address databases.
    pub fn reload(&self) {
        self.enricher.reload();
    }

    /// Parses, normalizes, enriches and redacts every record of a payload. Never fails: a record that cannot be
    /// understood becomes an event that says so.
    #[must_use]
    pub fn run(&self, payload: &Payload) -> Run {
        let mut run = Run::default();
        for record in records(payload.format, &payload.bytes) {
            let is_flagged = match catch_unwind(AssertUnwindSafe(|| self.one(payload, record, &mut run.batch))) {
                Ok(is_flagged) => is_flagged,
                Err(_) => {
                    tracing::error!("a record made the pipeline fail; it is kept without its text");
                    self.unreadable(payload, &mut run.batch);
                    true
                }
            };
            run.flagged += u64::from(is_flagged);
        }
        run
    }

    fn one(&self, payload: &Payload, record: &[u8], batch: &mut Batch) -> bool {
        let parsed = parse(payload.format, record);
        if parsed.notes.contains(&Note::RecordTruncated) {
            self.metrics.records_truncated.inc();
        }
        let mut event = normalize::normalize(parsed, payload, &self.context);
        self.enricher.enrich(&mut event);
        let is_flagged = event.get(Field::EventNotes).is_some();
        batch.push(&self.redactor.redact(event));
        is_flagged
    }

    /// What is kept of a record that made a step fail: that it was there. Its text has not passed redaction.
    fn unreadable(&self, payload: &Payload, batch: &mut Batch) {
        let mut event = Event::new(payload.received, payload.received);
        event.push_str(Field::EventKind, "pipeline_error");
        event.push_str(Field::EventProvider, payload.source.to_string());
        event.push(Field::EventNotes, Value::Str("failed".into()));
        batch.push(&self.redactor.redact(event));
    }
}

/// The way into the log, with a budget in bytes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Intake {
    pipeline: Arc<Pipeline>,
    wal: Wal,
    tasks: Tasks,
    metrics: Arc<Metrics>,
    room: Arc<Semaphore>,
    units_max: usize,
    hold: Duration,
}

impl Intake {
    /// An intake in front of the log.
    #[must_use]
    pub fn new(options: &Options, pipeline: Arc<Pipeline>, wal: Wal, tasks: Tasks, metrics: Arc<Metrics>) -> Self {
        let units_max = (options.in_flight_bytes_max / UNIT).clamp(1, Semaphore::MAX_PERMITS);
        Self {
            pipeline,
            wal,
            tasks,
            metrics,
            room: Arc::new(Semaphore::new(units_max)),
            units_max,
            hold: Duration::from_millis(options.hold_ms_max),
        }
    }

    /// Makes the events of a payload durable.
    ///
    /// # Errors
    /// [`Refused`]: nothing was written, the sender should try again.
    pub async fn submit(&self, payload: Payload) -> Result<Ack, Refused> {
        let permit = self.reserve(payload.bytes.len()).await?;
        let bytes = payload.bytes.len();
        let run = if bytes <= INLINE_BYTES_MAX {
            self.pipeline.run(&payload)
        } else {
            let pipeline = self.pipeline.clone();
            let run = self.tasks.blocking(move || pipeline.run(&payload)).await;
            run.ok_or(Refused::Unavailable { retry_after_s: RETRY_AFTER_S })?
        };
        let accepted = run.batch.len() as u64;
        if accepted == 0 {
            return Ok(Ack { accepted: 0, flagged: 0, first: self.wal.end() });
        }
        let appended = self.wal.append(run.batch).await.map_err(|error| refusal(&error))?;
        drop(permit);
        self.show_in_flight();
        self.metrics.ingest_events.add(accepted);
        self.metrics.ingest_flagged.add(run.flagged);
        self.metrics.ingest_bytes.add(bytes as u64);
        Ok(Ack { accepted, flagged: run.flagged, first: appended.first })
    }

    /// Waits for room for so many bytes, at most as long as a sender is held.
    async fn reserve(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Refused> {
        // A payload larger than the whole budget takes all of it and goes alone.
        let units = bytes.div_ceil(UNIT).clamp(1, self.units_max);
        let wanted = u32::try_from(units).unwrap_or(u32::MAX);
        let waited = tokio::time::timeout(self.hold, self.room.clone().acquire_many_owned(wanted)).await;
        self.show_in_flight();
        match waited {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(Refused::Busy { retry_after_s: RETRY_AFTER_S }),
        }
    }

    fn show_in_flight(&self) {
        let taken = self.units_max.saturating_sub(self.room.available_permits());
        self.metrics.ingest_in_flight_bytes.set((taken * UNIT) as u64);
    }
}

fn refusal(error: &wal::Error) -> Refused {
    tracing::warn!(%error, "events were not taken");
    Refused::Unavailable { retry_after_s: RETRY_AFTER_S }
}
