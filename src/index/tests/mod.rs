//! The index as a whole, over a real log. What concerns one file of it is tested beside that file.

mod hurt;
mod life;
mod model;
mod ranked;
mod renew;
mod routes;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::{Index, Options, Page, SearchRequest, Searcher, Sort};
use crate::clock::{Clock, Stopwatch};
use crate::metrics::Metrics;
use crate::model::{Event, Field, Offset, Timestamp, Value};
use crate::redact::{Batch, clean};
use crate::tasks::Tasks;
use crate::wal::{self, Wal};

/// 2026-11-21T12:00:00Z
pub(super) const NOON: i64 = 1_795_262_400_000_000_000;

/// A log and an index over it, in a directory.
pub(super) struct Lab {
    pub(super) wal: Wal,
    pub(super) index: Index,
    pub(super) clock: Clock,
    pub(super) metrics: Arc<Metrics>,
    pub(super) tasks: Tasks,
    runtime: tokio::runtime::Runtime,
}

/// Small segments, cut by count alone.
pub(super) fn small() -> Options {
    Options {
        commit_interval_ms: 3_600_000,
        segment_events_max: 7,
        ..Options::default()
    }
}

impl Lab {
    pub(super) fn open(dir: &Path, options: Options) -> Self {
        let clock = Clock::manual(Timestamp(NOON));
        let metrics = Arc::new(Metrics::default());
        let wal_options = wal::Options {
            frame_bytes_max: 2_000,
            retention_age_days: None,
            segment_bytes_max: 20_000,
            ..wal::Options::default()
        };
        let wal = Wal::open(dir, wal_options, clock.clone(), Arc::clone(&metrics)).unwrap();
        let tasks = Tasks::new();
        wal.start(&tasks).unwrap();
        let index = Index::open(
            dir,
            options,
            wal.clone(),
            clock.clone(),
            Arc::clone(&metrics),
        )
        .unwrap();
        Self {
            wal,
            index,
            clock,
            metrics,
            tasks,
            runtime: tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap(),
        }
    }

    pub(super) fn append(&self, events: &[Event<'_>]) -> Offset {
        let mut batch = Batch::default();
        for event in events {
            batch.push(&clean(event.clone()));
        }
        self.runtime.block_on(self.wal.append(batch)).unwrap().first
    }

    /// Indexes everything the log has, on this thread.
    pub(super) fn catch_up(&self) {
        let shutdown = Tasks::new().shutdown();
        let worker = &self.index.worker;
        while self.index.visible() < self.wal.end() {
            let mut range = worker.segments.missing(self.wal.first());
            range.end = range.end.min(self.wal.end().0);
            worker.index(range, &shutdown).unwrap();
        }
    }

    /// Merges until nothing is left to merge.
    pub(super) fn merge(&self) -> usize {
        let mut merges = 0;
        while self.index.worker.merge_once().unwrap() {
            merges += 1;
        }
        merges
    }

    /// Waits until the index's own threads have made everything searchable.
    pub(super) fn wait(&self) {
        let watch = Stopwatch::start();
        while self.index.visible() < self.wal.end() {
            assert!(
                watch.elapsed() < Duration::from_secs(20),
                "index does not catch up"
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub(super) fn searcher(&self) -> Searcher {
        self.index.searcher()
    }

    /// Offsets found, all pages of `limit`.
    pub(super) fn find(&self, query: &str, limit: usize, sort: Sort) -> Vec<u64> {
        let searcher = self.searcher();
        let mut request = SearchRequest {
            limit,
            sort,
            ..SearchRequest::new(searcher.parse(query).unwrap())
        };
        let mut all = Vec::new();
        loop {
            let page = searcher.search(&request).unwrap();
            all.extend(offsets(&page));
            request.cursor = page.next_cursor;
            if request.cursor.is_none() {
                return all;
            }
        }
    }

    pub(super) fn stop(self) {
        self.wal.close();
        self.tasks.stop();
        let tasks = self.tasks.clone();
        self.runtime.block_on(tasks.drained());
    }
}

pub(super) fn offsets(page: &Page) -> Vec<u64> {
    page.hits.iter().map(|hit| hit.offset.0).collect()
}

/// A plain API event.
pub(super) fn event(at: u64) -> Event<'static> {
    let nanos = NOON + i64::try_from(at).unwrap() * 10_000_000;
    let mut event = Event::new(Timestamp(nanos), Timestamp(nanos + 1_000_000));
    event.push_str(Field::Message, format!("request {at} completed"));
    event.push_str(Field::HttpRequestId, format!("Req-{at:08}"));
    event.push_str(
        Field::CorrelationId,
        format!("5759E988-bd86-2e3f-e1be-{:012x}", at / 3),
    );
    event.push(
        Field::HttpStatus,
        Value::Num((200 + at % 5 * 100).to_string().into()),
    );
    event.push_str(Field::UserId, format!("User-{}", at % 17));
    event.push_str(
        Field::ClientIp,
        format!("10.0.{}.{}", at / 250 % 250, at % 250),
    );
    event.push_str(Field::UrlPath, format!("/v1/orders/ord_{at:05}"));
    event
}

/// [`event`] for each number.
pub(super) fn events(range: std::ops::Range<u64>) -> Vec<Event<'static>> {
    range.map(event).collect()
}
