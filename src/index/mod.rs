//! What is searchable: columns, words and ids of the events in the log. Derived from the log alone: it
//! holds no text, may be deleted at any time, and is then built again.
//!
//! `index/<day of receipt>/<first offset>-<end offset>/` is one immutable segment. It is written under a
//! `tmp-` name, fsynced, and renamed: the directory's name is the committed [`Offset`]. tantivy lends the
//! term dictionary of the words and the memory maps; nothing outside this folder imports it.

mod aggregate;
mod agree;
mod build;
mod collect;
mod column;
mod cursor;
mod docs;
mod fetch;
mod files;
mod gone;
mod ids;
mod memo;
mod merge;
mod percentiles;
mod plan;
mod postings;
pub mod query;
mod ranked;
mod renew;
mod routes;
mod scan;
mod search;
mod segment;
mod set;
mod shape;
mod tally;
mod terms;
#[cfg(test)]
mod tests;
mod text;
mod top;
mod walk;
mod words;
mod worker;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

pub use aggregate::{
    Aggregate, AggregateRequest, Aggregates, Aggregation, Bucket, TimeBucket, column_of,
};
pub use agree::{Agreement, agreement};
pub use gone::{Gone, Waiting};
pub use query::{Highlight, Hint, Query};
pub use renew::RebuildProgress;
pub use routes::{RouteRow, RouteTable, RoutesRequest};
pub use search::{Hit, Page, SearchRequest, Searcher, Sort, Stats};

use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::model::Offset;
use crate::tasks::{Shutdown, Tasks};
use crate::wal::Wal;
use query::QueryError;
use set::Segments;
use worker::Worker;

/// Settings of the index.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How long events wait until a segment is made of them.
    pub commit_interval_ms: u64,
    /// Events after which a segment is made at once.
    pub segment_events_max: u32,
    /// Bytes of memory a segment in the making may take before it is cut.
    pub segment_memory_bytes_max: usize,
    /// Segments at least this large are left alone until their day is over.
    pub merge_small_events: u32,
    /// Events of the largest segment that merging makes; at most 16 million.
    pub merge_events_max: u32,
    /// Neighbouring small segments that are merged into one, at least.
    pub merge_segments_min: usize,
    /// Bytes of a query's text.
    pub query_bytes_max: usize,
    /// Conditions in one query.
    pub query_clauses_max: usize,
    /// Nested parentheses in one query.
    pub query_depth_max: usize,
    /// Distinct terms one wildcard may stand for in one segment.
    pub wildcard_terms_max: usize,
    /// Rows of one page.
    pub page_events_max: usize,
    /// Events read from the log to check what the index alone cannot decide, per request.
    pub verify_events_max: u64,
    /// Time one search or aggregation may take.
    pub search_ms_max: u64,
    /// Buckets of one aggregation.
    pub buckets_max: usize,
    /// Distinct values one aggregation may hold in memory.
    pub values_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            commit_interval_ms: 700,
            segment_events_max: 200_000,
            segment_memory_bytes_max: 256 << 20,
            merge_small_events: 100_000,
            merge_events_max: 4_000_000,
            merge_segments_min: 8,
            query_bytes_max: 16 << 10,
            query_clauses_max: 256,
            query_depth_max: 32,
            wildcard_terms_max: 50_000,
            page_events_max: 1_000,
            verify_events_max: 200_000,
            search_ms_max: 10_000,
            buckets_max: 10_000,
            values_max: 2_000_000,
        }
    }
}

impl Options {
    fn commit_interval(&self) -> Duration {
        Duration::from_millis(self.commit_interval_ms)
    }

    fn search_time(&self) -> Duration {
        Duration::from_millis(self.search_ms_max)
    }
}

/// Why the index could not be written or searched. Holds no text of events or queries.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The index directory could not be read or written.
    #[error("index files could not be read or written")]
    Io(#[from] std::io::Error),
    /// A segment is not what its description says.
    #[error("index segment is damaged: {0}")]
    Damaged(&'static str),
    /// The query text is not a query.
    #[error("{0}")]
    Query(#[from] QueryError),
    /// The cursor is not one of ours, or belongs to another sort order.
    #[error("cursor is not valid for this search")]
    Cursor,
    /// The search took longer than it may.
    #[error("search took longer than {0} ms; narrow the time range or the query")]
    TooSlow(u64),
    /// More buckets than one aggregation may have.
    #[error("aggregation has more than {0} buckets; widen the interval or narrow the time range")]
    TooManyBuckets(usize),
    /// More events than may be read to decide the query.
    #[error("query needs to read more than {0} events to be decided; narrow it or the time range")]
    TooManyCandidates(u64),
    /// More distinct values than one aggregation may hold.
    #[error("field has more than {0} values here; narrow the query or the time range")]
    TooManyValues(usize),
    /// A field that has no column cannot be aggregated.
    #[error("field {0} cannot be aggregated: it is kept in the events' text only")]
    NoColumn(String),
    /// More events match than are wanted at once.
    #[error("more than {0} events match; narrow the query or the time range")]
    TooManyEvents(usize),
    /// Shutdown came first.
    #[error("server is stopping")]
    Stopping,
    /// Nobody waits for the answer any more.
    #[error("search was ended: nobody waits for it")]
    Gone,
    /// The log could not be read.
    #[error("log could not be read")]
    Log,
}

/// The index. Cheap to clone; all clones are one index.
#[derive(Clone, Debug)]
pub struct Index {
    worker: Arc<Worker>,
}

impl Index {
    /// Opens the index below the data directory (`<dir>/index`); what is damaged, half-written, of another schema version
    /// or ahead of the log is deleted, to be built again from the log.
    pub fn open(
        dir: &Path,
        options: Options,
        wal: Wal,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Result<Self, Error> {
        let log = wal.first().0..wal.end().0;
        let segments = Segments::open(&dir.join("index"), log, Arc::clone(&metrics))?;
        let worker = Worker {
            segments: Arc::new(segments),
            options,
            wal,
            clock,
            metrics,
            merging: Arc::default(),
            rebuild: Arc::default(),
        };
        let visible = worker.visible();
        worker.metrics.index_offset.set(visible.0);
        let behind = worker.wal.end().0.saturating_sub(visible.0);
        if behind > 0 {
            tracing::info!(offset = visible.0, behind, "index is built from the log");
        }
        Ok(Self {
            worker: Arc::new(worker),
        })
    }

    /// Starts the writer and the merger.
    pub fn start(&self, tasks: &Tasks) -> Result<(), Error> {
        let writer = Arc::clone(&self.worker);
        tasks.thread("index", move |shutdown| writer.write(&shutdown))?;
        let merger = Arc::clone(&self.worker);
        tasks.thread("index-merge", move |shutdown| merger.tend(&shutdown))?;
        Ok(())
    }

    /// What answers searches.
    #[must_use]
    pub fn searcher(&self) -> Searcher {
        Searcher::new(Arc::clone(&self.worker))
    }

    /// Everything before this is searchable.
    #[must_use]
    pub fn visible(&self) -> Offset {
        self.worker.visible()
    }

    /// Behind the last event that any segment held when the index was opened, also one that the log no longer has.
    #[must_use]
    pub fn found_end(&self) -> Offset {
        self.worker.segments.found_end()
    }

    /// Forgets events that were erased from the log, ascending: segments that know some are made anew, and searching goes on
    /// meanwhile. Returns how many segments; an error where shutdown was asked for. Blocks.
    ///
    /// # Errors
    /// Where files cannot be read or written; what was done by then is done, and doing it again does the rest.
    pub fn forget(&self, offsets: &[Offset], shutdown: &Shutdown) -> Result<usize, Error> {
        self.worker.forget(offsets, shutdown)
    }

    /// Deletes segments whose events all stand before `offset`. Also done by itself as the log forgets.
    pub fn drop_before(&self, offset: Offset) -> Result<usize, Error> {
        self.worker.segments.drop_before(offset)
    }
}
