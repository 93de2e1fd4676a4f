//! From records in the log to alerts in the store, with crashes in between.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use super::worker::Worker;
use super::{Options, Parts, Progress, RulesHandle};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::model::{Alert, Event, Field, Timestamp, Value};
use crate::redact::{Batch, Redactor, TagKey};
use crate::store::{self, AlertFilter, Store};
use crate::tasks::Tasks;
use crate::wal::{self, Wal};

/// 2026-11-21 20:00 UTC.
const START: i64 = 1_795_291_200_000;

struct House {
    _dir: tempfile::TempDir,
    parts: Parts,
    tasks: Tasks,
    runtime: tokio::runtime::Runtime,
}

impl House {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Timestamp::from_millis(START));
        let metrics = Arc::new(Metrics::default());
        let wal = Wal::open(
            dir.path(),
            wal::Options::default(),
            clock.clone(),
            metrics.clone(),
        )
        .unwrap();
        let tasks = Tasks::new();
        wal.start(&tasks).unwrap();
        let parts = Parts {
            wal,
            store: open_store(dir.path(), &clock, &metrics),
            rules: RulesHandle::load(&Options::default(), metrics.clone()).unwrap(),
            clock,
            metrics,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        Self {
            _dir: dir,
            parts,
            tasks,
            runtime,
        }
    }

    fn append(&self, events: Vec<Event<'static>>) {
        self.append_batch(batch(events));
    }

    fn append_batch(&self, batch: Batch) {
        self.runtime.block_on(self.parts.wal.append(batch)).unwrap();
    }

    fn worker(&self, options: Options) -> Worker {
        Worker::open(self.parts.clone(), options, Arc::new(Progress::default())).unwrap()
    }

    /// Reads all there is.
    fn drain(&self, worker: &mut Worker) {
        while worker.step(Duration::ZERO, &self.tasks.shutdown()) {}
    }

    fn alerts(&self) -> Vec<Alert> {
        let mut alerts = self
            .parts
            .store
            .alerts(&AlertFilter::default(), 1_000, None)
            .unwrap()
            .alerts;
        alerts.sort_by(|a, b| a.id.cmp(&b.id));
        alerts
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.parts.wal.close();
        self.tasks.stop();
        self.runtime.block_on(self.tasks.drained());
    }
}

fn batch(events: Vec<Event<'static>>) -> Batch {
    /// Made once: its rules take a while to compile.
    static REDACTOR: LazyLock<Redactor> =
        LazyLock::new(|| Redactor::new(Default::default(), TagKey::from_bytes(&[7; 32])));
    let mut batch = Batch::default();
    for event in events {
        batch.push(&REDACTOR.redact(event));
    }
    batch
}

fn open_store(dir: &Path, clock: &Clock, metrics: &Arc<Metrics>) -> Store {
    let dir = dir.join("state");
    Store::open(
        &dir,
        store::Options::default(),
        clock.clone(),
        metrics.clone(),
    )
    .unwrap()
}

fn unauthorized(seconds: i64, ip: &str) -> Event<'static> {
    let time = Timestamp::from_millis(START + seconds * 1_000);
    let mut event = Event::new(time, time);
    event.push_str(Field::ClientIp, ip.to_owned());
    event.push_str(Field::HttpMethod, "GET");
    event.push_str(Field::UrlPath, "/v1/me");
    event.push(Field::HttpStatus, Value::Num("401".into()));
    event.push_str(Field::CorrelationId, format!("req-{seconds}"));
    event
}

#[test]
fn a_burst_becomes_one_alert_with_its_evidence() {
    let house = House::new();
    let mut worker = house.worker(Options::default());
    house.append((0..30).map(|s| unauthorized(s, "203.0.113.5")).collect());
    house.append((30..39).map(|s| unauthorized(s, "203.0.113.6")).collect());
    house.drain(&mut worker);
    let alerts = house.alerts();
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    let alert = &alerts[0];
    assert_eq!(alert.entities[0].value, "203.0.113.5");
    assert_eq!((alert.value, alert.threshold, alert.count), (20, 20, 1));
    assert_eq!(
        alert.query,
        "client.ip:203.0.113.5 http.response.status_code:401"
    );
    assert_eq!(alert.sample_events.len(), 5);
    assert_eq!(
        alert.sample_events[4].summary,
        "GET /v1/me 401 from 203.0.113.5"
    );
    assert_eq!(alert.correlation_ids.len(), 20);
    assert_eq!(alert.first_seen, Timestamp::from_millis(START));
    assert_eq!(alert.last_seen, Timestamp::from_millis(START + 19_000));
    // More of it is the same alert.
    house.append((39..60).map(|s| unauthorized(s, "203.0.113.5")).collect());
    house.drain(&mut worker);
    let alerts = house.alerts();
    assert_eq!((alerts.len(), alerts[0].count, alerts[0].value), (1, 2, 40));
    assert_eq!(house.parts.metrics.detect_events.get(), 60);
}

#[test]
fn a_life_that_ends_anywhere_neither_loses_nor_doubles_an_alert() {
    let events = (0..400i64).map(|n| unauthorized(n, &format!("203.0.113.{}", n % 7)));
    let events: Vec<_> = events.collect();
    let all: Vec<Batch> = events
        .chunks(10)
        .map(|chunk| batch(chunk.to_vec()))
        .collect();
    let run = |life: usize, checkpoint_events: u64| {
        let house = House::new();
        let options = Options {
            checkpoint_events,
            commit_delay_ms: 0,
            ..Options::default()
        };
        let mut worker = house.worker(options.clone());
        for (number, batch) in all.iter().enumerate() {
            house.append_batch(batch.clone());
            // Some frames are looked at, then the worker is gone without a word.
            worker.step(Duration::ZERO, &house.tasks.shutdown());
            if number % life == life - 1 {
                worker = house.worker(options.clone());
            }
        }
        house.drain(&mut worker);
        house.alerts()
    };
    let whole = run(usize::MAX, u64::MAX);
    assert_eq!(whole.len(), 7);
    for (life, checkpoint_events) in [(1, 1), (1, u64::MAX), (3, 25), (7, 60), (5, u64::MAX)] {
        let cut = run(life, checkpoint_events);
        assert_eq!(cut.len(), 7, "life {life}");
        for (one, other) in whole.iter().zip(&cut) {
            assert_eq!(
                (&one.id, one.count, one.value),
                (&other.id, other.count, other.value)
            );
            assert_eq!(one.sample_events, other.sample_events);
        }
    }
}

#[test]
fn new_rules_keep_the_groups_of_the_old() {
    let dir = tempfile::tempdir().unwrap();
    let mut house = House::new();
    let options = Options {
        rules_dir: Some(dir.path().to_path_buf()),
        ..Options::default()
    };
    house.parts.rules = RulesHandle::load(&options, house.parts.metrics.clone()).unwrap();
    let mut worker = house.worker(options.clone());
    house.append((0..10).map(|s| unauthorized(s, "203.0.113.5")).collect());
    house.drain(&mut worker);
    let own = "title: own\nid: own-1\nlogsource: {category: webserver}\nlevel: high\n\
               detection: {s: {sc-status: 401, c-uri|endswith: /me}, condition: s}\n";
    std::fs::write(dir.path().join("own.yml"), own).unwrap();
    let prepared = house.parts.rules.prepare(&options).unwrap();
    house.parts.rules.take_over(prepared);
    house.append((10..20).map(|s| unauthorized(s, "203.0.113.5")).collect());
    house.drain(&mut worker);
    let titles: Vec<_> = house.alerts().into_iter().map(|a| a.rule.name).collect();
    assert!(titles.contains(&"own".to_owned()), "{titles:?}");
    assert!(
        titles
            .iter()
            .any(|t| t.starts_with("Burst of unauthenticated")),
        "{titles:?}"
    );
}

#[test]
fn the_thread_stops_with_its_state_written() {
    let house = House::new();
    house.append((0..30).map(|s| unauthorized(s, "203.0.113.5")).collect());
    let tasks = Tasks::new();
    let detector = super::Detector::start(house.parts.clone(), Options::default(), &tasks).unwrap();
    tasks.stop();
    house.runtime.block_on(tasks.drained());
    assert_eq!(house.alerts().len(), 1);
    assert_eq!(
        (detector.seen(), detector.saved()),
        (house.parts.wal.end(), house.parts.wal.end())
    );
}

#[test]
fn detection_that_is_off_holds_nobody_up() {
    let house = House::new();
    house.append((0..40).map(|at| unauthorized(at, "192.0.2.1")).collect());
    let options = Options {
        enabled: false,
        ..Options::default()
    };
    let progress = Arc::new(Progress::default());
    let worker = Worker::open(house.parts.clone(), options, Arc::clone(&progress)).unwrap();
    let tasks = Tasks::new();
    tasks
        .thread("detect", move |shutdown| worker.run(&shutdown))
        .unwrap();
    let end = house.parts.wal.end().0;
    let watch = crate::clock::Stopwatch::start();
    while progress.saved.load(Ordering::Acquire) < end
        || progress.seen.load(Ordering::Acquire) < end
    {
        assert!(watch.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(5));
    }
    tasks.stop();
    house.runtime.block_on(tasks.drained());
    assert!(house.alerts().is_empty());
}
