//! The loop: log → rules → alerts.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aws_lc_rs::rand;
use wardline_detections::{Engine, Finding, Moment};

use super::alert::{Evidence, change};
use super::lookup::Binder;
use super::rules::Loaded;
use super::{Error, Options, Parts, Progress};
use crate::clock::Stopwatch;
use crate::model::{Offset, Timestamp};
use crate::redact::CleanRecord;
use crate::store::AlertChange;
use crate::tasks::{Shutdown, step_back};
use crate::wal::{Frame, Reader};

/// Frames read from the log for the evidence of one finding; what they do not hold is found by its search.
const EVIDENCE_READS_MAX: usize = 4;
/// How far the thread stands back behind the doors.
const READER_STEPS: i32 = 5;
/// How long one wait for new events is; shutdown and new rules are looked at in between.
const WAIT: Duration = Duration::from_millis(100);
/// Pause before the store or the log is tried again after a failure.
const PAUSE: Duration = Duration::from_millis(250);
/// How long a thread that stops goes on reading.
const DRAIN: Duration = Duration::from_secs(2);

/// Reads the log, runs the rules, writes what they find.
#[derive(Debug)]
pub(super) struct Worker {
    parts: Parts,
    options: Options,
    progress: Arc<Progress>,
    loaded: Arc<Loaded>,
    engine: Engine,
    binder: Binder,
    reader: Reader,
    /// Behind the last event the engine has seen.
    at: Offset,
    /// Behind the last event in the stored state.
    saved: Offset,
    /// Findings not yet written, in log order, and since when the first waits.
    pending: Vec<AlertChange>,
    waiting: Option<Stopwatch>,
    since_saved: Stopwatch,
    /// How long writing the state took the last time.
    saving_took: Duration,
    found: Vec<Finding>,
    evicted: u64,
}

impl Worker {
    /// Takes up the state and the place in the log of the last life.
    pub(super) fn open(
        parts: Parts,
        options: Options,
        progress: Arc<Progress>,
    ) -> Result<Self, Error> {
        let loaded = parts.rules.loaded();
        let (engine, at) = resume(&parts, &loaded)?;
        let evicted = engine.stats().rules.iter().map(|rule| rule.evicted).sum();
        let mut worker = Self {
            reader: parts.wal.reader(at),
            binder: Binder::new(engine.fields()),
            at,
            saved: at,
            pending: Vec::new(),
            waiting: None,
            since_saved: Stopwatch::start(),
            saving_took: Duration::ZERO,
            found: Vec::new(),
            evicted,
            engine,
            loaded,
            progress,
            options,
            parts,
        };
        worker.show();
        Ok(worker)
    }

    /// Runs until shutdown.
    pub(super) fn run(mut self, shutdown: &Shutdown) {
        step_back(READER_STEPS);
        while !shutdown.is_requested() {
            if self.options.enabled {
                self.step(WAIT, shutdown);
            } else {
                // Nobody waits for what is not looked at: neither the doors nor retention.
                self.at = self.parts.wal.end();
                self.saved = self.at;
                self.show();
                std::thread::sleep(WAIT);
            }
        }
        let draining = Stopwatch::start();
        while self.options.enabled && draining.elapsed() < DRAIN {
            if !self.step(Duration::ZERO, shutdown) {
                break;
            }
        }
        self.commit(true, shutdown);
    }

    /// Looks at one frame, if there is one within `wait`, and writes what is due. Whether there was one.
    pub(super) fn step(&mut self, wait: Duration, shutdown: &Shutdown) -> bool {
        self.take_new_rules(shutdown);
        let wait = if self.pending.is_empty() {
            wait
        } else {
            Duration::ZERO
        };
        let frame = match self.reader.next(wait) {
            Ok(frame) => frame,
            Err(error) => {
                tracing::error!(%error, "log cannot be read, trying again");
                std::thread::sleep(PAUSE);
                None
            }
        };
        let is_idle = frame.is_none();
        if let Some(frame) = &frame {
            self.observe(frame);
        }
        let delay = Duration::from_millis(self.options.commit_delay_ms);
        let is_old = self.waiting.is_some_and(|since| since.elapsed() >= delay);
        let is_full = self.pending.len() >= self.options.commit_findings_max;
        let interval = Duration::from_millis(self.options.checkpoint_interval_ms);
        let interval = interval.max(self.saving_took.saturating_mul(20));
        let unsaved = self.at.0.saturating_sub(self.saved.0);
        let is_due = unsaved >= self.options.checkpoint_events.max(1)
            || (unsaved > 0 && self.since_saved.elapsed() >= interval);
        if is_due || (!self.pending.is_empty() && (is_idle || is_old || is_full)) {
            self.commit(is_due, shutdown);
        }
        !is_idle
    }

    /// Shows a frame's events to the rules.
    fn observe(&mut self, frame: &Frame) {
        let mut found = std::mem::take(&mut self.found);
        let mut unreadable = 0;
        let mut received = Timestamp(0);
        let mut event = CleanRecord::default();
        for (offset, record) in frame.iter() {
            if event.read(record).is_err() {
                unreadable += 1;
                continue;
            }
            received = event.received();
            let view = self.binder.bind(Cow::Borrowed(event.fields()));
            let at = Moment {
                time_ms: event.time().millis(),
                received_ms: event.received().millis(),
                offset: offset.0,
                id: view.id(),
            };
            self.engine.observe(&view, at, &mut found);
            for finding in found.drain(..) {
                self.note(&finding, offset, frame);
            }
        }
        self.found = found;
        self.at = frame.end();
        self.progress.seen.store(self.at.0, Ordering::Release);
        let metrics = &self.parts.metrics;
        metrics
            .detect_events
            .add(u64::try_from(frame.len()).unwrap_or(0));
        metrics.detect_offset.set(self.at.0);
        metrics.detect_unreadable.add(unreadable);
        let lag = self.parts.clock.now().0.saturating_sub(received.0);
        metrics
            .detect_lag
            .observe(Duration::from_nanos(u64::try_from(lag).unwrap_or(0)));
    }

    /// Keeps a finding to be written.
    fn note(&mut self, finding: &Finding, at: Offset, frame: &Frame) {
        let Some(rule) = self.loaded.set.rules().get(finding.rule) else {
            return;
        };
        let mut evidence = Evidence::default();
        let (mut other, mut reads): (Option<Frame>, usize) = (None, 0);
        // Newest first: events that lie far apart in the log cost a frame each.
        for offset in finding.events.iter().rev().copied().map(Offset) {
            let holds = |f: &&Frame| f.first() <= offset && offset < f.end();
            let held = Some(frame).filter(holds).or(other.as_ref().filter(holds));
            let read;
            let held = match held {
                Some(held) => held,
                None if reads == EVIDENCE_READS_MAX => break,
                None => {
                    reads += 1;
                    // Evidence that retention has deleted is not shown; that is no failure.
                    let Ok(Some(found)) = self.parts.wal.frame_at(offset) else {
                        continue;
                    };
                    read = found.clone();
                    other = Some(found);
                    &read
                }
            };
            if let Ok(Some(event)) = held.event(offset) {
                evidence.push(offset, &event);
            }
        }
        evidence.turn();
        let revision = self
            .loaded
            .revisions
            .get(rule.file)
            .map_or("", String::as_str);
        self.pending
            .push(change(finding, rule, revision, at, evidence));
        self.waiting.get_or_insert_with(Stopwatch::start);
        self.parts.metrics.detect_findings.inc();
    }

    /// Writes findings, and the state too where asked for, in one transaction; tries until it is written
    /// or shutdown is asked for. What is not written then is found again by the next life.
    fn commit(&mut self, with_state: bool, shutdown: &Shutdown) {
        let watch = Stopwatch::start();
        let state = with_state.then(|| self.engine.snapshot());
        loop {
            let now = self.parts.clock.now();
            let written =
                self.parts
                    .store
                    .commit_findings(self.at, state.as_deref(), &self.pending, now);
            match written {
                Ok(_) => break,
                Err(error) => {
                    tracing::error!(%error, "alerts cannot be written, trying again");
                    if shutdown.is_requested() {
                        return;
                    }
                    std::thread::sleep(PAUSE);
                }
            }
        }
        self.pending.clear();
        self.waiting = None;
        if state.is_some() {
            self.saved = self.at;
            self.since_saved = Stopwatch::start();
            self.saving_took = watch.elapsed();
        }
        self.show();
    }

    /// Swaps the rules where others were published. State is written first, so that a crash later replays
    /// events under the rules they were seen with.
    fn take_new_rules(&mut self, shutdown: &Shutdown) {
        let loaded = self.parts.rules.loaded();
        if Arc::ptr_eq(&loaded, &self.loaded) {
            return;
        }
        self.commit(true, shutdown);
        self.engine.replace(Arc::clone(&loaded.set));
        self.binder = Binder::new(self.engine.fields());
        self.loaded = loaded;
        tracing::info!("detection rules replaced");
    }

    fn show(&mut self) {
        let stats = self.engine.stats();
        let bytes: usize = stats.rules.iter().map(|rule| rule.bytes).sum();
        let evicted: u64 = stats.rules.iter().map(|rule| rule.evicted).sum();
        let metrics = &self.parts.metrics;
        metrics
            .detect_state_bytes
            .set(u64::try_from(bytes).unwrap_or(u64::MAX));
        metrics
            .detect_evictions
            .add(evicted.saturating_sub(self.evicted));
        metrics.detect_offset.set(self.at.0);
        self.evicted = evicted;
        self.progress.seen.store(self.at.0, Ordering::Release);
        self.progress.saved.store(self.saved.0, Ordering::Release);
    }
}

/// The engine and the offset to read on from. State that cannot be read is worked out anew from the log;
/// the store knows which findings are written and leaves them out.
fn resume(parts: &Parts, loaded: &Loaded) -> Result<(Engine, Offset), Error> {
    let checkpoint = parts.store.detection_checkpoint()?;
    if let Some(checkpoint) = checkpoint {
        if checkpoint.offset > parts.wal.end() {
            tracing::warn!("the log ends before the detection state: it is another log");
            parts.store.reset_detection()?;
        } else {
            match Engine::restore(Arc::clone(&loaded.set), &checkpoint.state) {
                Ok(engine) => return Ok((engine, checkpoint.offset)),
                Err(error) => tracing::warn!(%error, "working it out anew from the log"),
            }
        }
    }
    let mut key = [0u8; 16];
    rand::fill(&mut key).map_err(|_| Error::Random)?;
    let (low, high) = key.split_at(8);
    let number = |bytes: &[u8]| bytes.iter().fold(0u64, |n, byte| n << 8 | u64::from(*byte));
    let engine = Engine::new(Arc::clone(&loaded.set), [number(low), number(high)]);
    Ok((engine, parts.wal.first()))
}
