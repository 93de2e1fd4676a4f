//! One payload to batches: parse, normalize, enrich, redact, encode. No clock, no disk.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use wardline_parsers::{self as parsers, Note, Parsed, parse_into, records};

use super::enrich::{Enricher, View};
use super::normalize::{Context, Normalizer, Scratch};
use super::{Options, Payload};
use crate::metrics::Metrics;
use crate::model::{Event, Field};
use crate::redact::{Batch, CleanEvent, Known, Redactor};

/// Events of a payload that go to the log together.
#[derive(Debug, Default)]
pub struct Output {
    /// The events, clean and encoded.
    pub batch: Batch,
    /// Events with a note: cut, odd or not understood.
    pub flagged: u64,
}

/// The pure part of the pipeline. Shared between threads.
#[derive(Debug)]
pub struct Pipeline {
    bounds: parsers::Options,
    value_bytes_max: usize,
    normalizer: Normalizer,
    enricher: Enricher,
    redactor: Arc<Redactor>,
    metrics: Arc<Metrics>,
    batch_bytes_max: usize,
}

impl Pipeline {
    /// A pipeline from its parts.
    #[must_use]
    pub fn new(
        options: &Options,
        enricher: Enricher,
        redactor: Arc<Redactor>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            bounds: options.bounds(),
            value_bytes_max: options.value_bytes_max,
            normalizer: Normalizer::new(options.normalize.clone()),
            enricher,
            redactor,
            metrics,
            batch_bytes_max: options.batch_bytes_max,
        }
    }

    /// Turns a body into clean events, in order. Each batch is handed to `to` as soon as it is full, since the
    /// events of a body can be many times as large as the body; where `to` says so, the rest is left out.
    /// Never fails: what is not understood is an event with a note.
    pub fn run(&self, payload: &Payload, mut to: impl FnMut(Output) -> ControlFlow<()>) {
        // Records are mostly about as long as what they were made of, and a batch ends with the event that fills it.
        let room = payload.bytes.len().min(self.batch_bytes_max);
        let room = room + room / 8;
        let fresh = || Output {
            batch: Batch::with_room(room),
            flagged: 0,
        };
        let mut output = fresh();
        let mut going = ControlFlow::Continue(());
        self.each(
            payload,
            |event, known| self.clean(event, known),
            |event| {
                output.flagged += u64::from(event.get(Field::EventNotes).is_some());
                output.batch.push(&event);
                if output.batch.bytes() >= self.batch_bytes_max {
                    going = to(std::mem::replace(&mut output, fresh()));
                }
                going
            },
        );
        if going.is_continue() && !output.batch.is_empty() {
            let _nothing_follows = to(output);
        }
    }

    /// The clean events of a body, one after the other.
    pub fn events(&self, payload: &Payload, mut to: impl FnMut(&CleanEvent<'_>)) {
        self.each(
            payload,
            |event, known| self.clean(event, known),
            |event| {
                to(&event);
                ControlFlow::Continue(())
            },
        );
    }

    /// The events of a body as they are before redaction: for looking at one's own logs, never for
    /// keeping.
    pub fn raw_events(&self, payload: &Payload, mut to: impl FnMut(&Event<'_>)) {
        self.each(
            payload,
            |event, _known| event,
            |event| {
                to(&event);
                ControlFlow::Continue(())
            },
        );
    }

    fn each<'p, T>(
        &self,
        payload: &'p Payload,
        finish: impl Fn(Event<'p>, &mut Known) -> T,
        to: impl FnMut(T) -> ControlFlow<()>,
    ) {
        self.redactor
            .with_known(|known| self.each_with(payload, known, finish, to));
    }

    fn each_with<'p, T>(
        &self,
        payload: &'p Payload,
        known: &mut Known,
        finish: impl Fn(Event<'p>, &mut Known) -> T,
        mut to: impl FnMut(T) -> ControlFlow<()>,
    ) {
        let view = self.enricher.view();
        let mut parsed = Parsed::default();
        let mut scratch = Scratch::default();
        for record in records(payload.format, &payload.bytes) {
            // A bug in one of the steps costs this event its fields and nobody anything else.
            let event = catch_unwind(AssertUnwindSafe(|| {
                let event = self.event(&mut parsed, &mut scratch, &view, payload, record);
                finish(event, known)
            }));
            let event = event.unwrap_or_else(|_| {
                tracing::error!(bytes = record.len(), "a record could not be processed");
                parsed = Parsed::default();
                scratch = Scratch::default();
                finish(failed(payload), known)
            });
            if to(event).is_break() {
                return;
            }
        }
    }

    fn clean<'p>(&self, event: Event<'p>, known: &mut Known) -> CleanEvent<'p> {
        self.redactor
            .redact_among(event, self.value_bytes_max, known)
    }

    fn event<'p>(
        &self,
        parsed: &mut Parsed<'p>,
        scratch: &mut Scratch<'p>,
        view: &View,
        payload: &'p Payload,
        record: &'p [u8],
    ) -> Event<'p> {
        parse_into(parsed, payload.format, record, &self.bounds);
        if parsed.notes.contains(&Note::RecordTruncated) {
            self.metrics.records_truncated.inc();
        }
        let context = Context {
            source: &payload.source,
            received: payload.received,
        };
        let mut event = self.normalizer.normalize(parsed, context, scratch);
        view.enrich(&mut event);
        event
    }
}

/// Stands for a record that broke a step.
fn failed(payload: &Payload) -> Event<'_> {
    let mut event = Event::new(payload.received, payload.received);
    event.push_str(Field::EventKind, "pipeline_error");
    event.push_str(Field::EventProvider, payload.source.as_ref());
    event.push_str(Field::EventTimeSource, "received");
    event.push_str(Field::EventNotes, "failed");
    event
}
