//! Query, window and page to hits.

use std::time::Duration;

use super::Error;
use super::aggregate::{AggregateRequest, Aggregates};
use super::query::Query;
use crate::model::{Offset, Timestamp};
use crate::redact::{CleanEvent, DecodeError};
use crate::wal::Frame;

/// Order of the hits: by `@timestamp` in milliseconds, then by place in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// Newest first.
    #[default]
    Desc,
    /// Oldest first.
    Asc,
}

/// What to search for.
#[derive(Clone, Debug)]
pub struct SearchRequest {
    /// The query, parsed.
    pub query: Query,
    /// Oldest `@timestamp`, included; compared in milliseconds.
    pub from: Option<Timestamp>,
    /// Newest `@timestamp`, included; compared in milliseconds.
    pub to: Option<Timestamp>,
    /// Rows wanted, at most `page_events_max`.
    pub limit: usize,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// Order.
    pub sort: Sort,
    /// Whether to count all hits. Without it the total is given where it costs nothing.
    pub count: bool,
}

impl SearchRequest {
    /// Newest first, all of time, 100 rows.
    #[must_use]
    pub fn new(query: Query) -> Self {
        Self {
            query,
            from: None,
            to: None,
            limit: 100,
            cursor: None,
            sort: Sort::Desc,
            count: false,
        }
    }
}

/// One event found.
#[derive(Clone, Debug)]
pub struct Hit {
    /// Its place in the log.
    pub offset: Offset,
    /// The frame of the log that holds it.
    pub frame: Frame,
}

impl Hit {
    /// The event, borrowed from the frame.
    pub fn event(&self) -> Result<CleanEvent<'_>, DecodeError> {
        self.frame.event(self.offset)?.ok_or(DecodeError::Damaged)
    }
}

/// What was looked at to answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stats {
    /// How many events match, where known; always exact.
    pub total: Option<u64>,
    /// Events that were considered: the sizes of the pieces searched.
    pub scanned: u64,
    /// Segments looked into.
    pub searched_segments: u64,
    /// Events read from the log to decide the query.
    pub verified: u64,
    /// Everything received up to here is searchable.
    pub complete_until: Timestamp,
    /// Durable events that are not searchable yet.
    pub lag_events: u64,
    /// Whether a bound ended the search before the page was full; its cursor goes on from there.
    pub partial: bool,
    /// How long it took.
    pub took: Duration,
}

/// One page of hits.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The hits in order.
    pub hits: Vec<Hit>,
    /// Where the next page starts; `None` on the last.
    pub next_cursor: Option<String>,
    /// What was looked at.
    pub stats: Stats,
}

/// Answers searches over what is searchable now. Cheap to clone; all calls block.
#[derive(Clone, Debug)]
pub struct Searcher {}

impl Searcher {
    /// One page of the events that match.
    pub fn search(&self, _request: &SearchRequest) -> Result<Page, Error> {
        Ok(Page::default())
    }

    /// Every event that carries this correlation id in any form and case, in order of time, at most `limit`; the newest
    /// are kept where there are more.
    pub fn by_correlation_id(&self, _id: &str, _limit: usize) -> Result<Page, Error> {
        Ok(Page::default())
    }

    /// The event at a place in the log.
    pub fn by_offset(&self, _offset: Offset) -> Result<Option<Hit>, Error> {
        Ok(None)
    }

    /// Histograms, top lists and counts over the events that match.
    pub fn aggregate(&self, _request: &AggregateRequest) -> Result<Aggregates, Error> {
        Ok(Aggregates::default())
    }

    /// Everything before this is searchable.
    #[must_use]
    pub fn visible(&self) -> Offset {
        Offset(0)
    }
}
