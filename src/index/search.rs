//! The handle for questions, and their answers.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::aggregate::{AggregateRequest, Aggregates};
use super::cursor::{Key, decode, decode_rank, encode};
use super::fetch::Fetch;
use super::gone::Gone;
use super::query::{Highlight, Limits, Query, Target, parse_within, resolve};
use super::ranked::By;
use super::routes::{RouteTable, RoutesRequest};
use super::set::Snapshot;
use super::walk::Walk;
use super::worker::Worker;
use super::{Error, aggregate, routes};
use crate::model::{Field, Offset, Timestamp};
use crate::redact::{CleanEvent, DecodeError};
use crate::wal::Frame;

/// Order of the hits: by `@timestamp` in milliseconds, then by place in the log; or of the values of a column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// Newest or largest first.
    #[default]
    Desc,
    /// Oldest or smallest first.
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
    /// Order by the values of this column, and not by time; ties are newest first, events without a value come last.
    pub by: Option<Field>,
    /// Whether to count all hits. Without it the total is given where it costs nothing.
    pub count: bool,
    /// Whether to tell where each event matches.
    pub highlight: bool,
    /// Ends a page early after so long with what was found, for those who want the first rows soon; the cursor goes on.
    /// Only in the order of time.
    pub soon: Option<Duration>,
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
            by: None,
            count: false,
            highlight: false,
            soon: None,
        }
    }
}

impl SearchRequest {
    /// In the order of a field's values, which may be `@timestamp`.
    ///
    /// # Errors
    /// [`Error::NoColumn`] where the index does not keep its values as a column.
    pub fn sorted(mut self, field: &str, sort: Sort) -> Result<Self, Error> {
        self.by = match resolve(field) {
            Target::Time => None,
            _ => Some(aggregate::column_of(field)?),
        };
        self.sort = sort;
        Ok(self)
    }

    /// In this order of time, from the event at a place on and without it: neighbours.
    #[must_use]
    pub fn beside(mut self, time: Timestamp, offset: Offset, sort: Sort) -> Self {
        let millis = time.millis();
        self.cursor = Some(encode(Key { millis, offset }, sort));
        (self.sort, self.by) = (sort, None);
        self
    }
}

/// Milliseconds of a window.
pub(super) fn window(from: Option<Timestamp>, to: Option<Timestamp>) -> RangeInclusive<i64> {
    from.map_or(i64::MIN, Timestamp::millis)..=to.map_or(i64::MAX, Timestamp::millis)
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
    /// Where each of them matches; empty where that was not asked for.
    pub highlights: Vec<Vec<Highlight>>,
    /// Where the next page starts; `None` on the last.
    pub next_cursor: Option<String>,
    /// What was looked at.
    pub stats: Stats,
}

/// Answers searches over what is searchable now. Cheap to clone; all calls block.
#[derive(Clone, Debug)]
pub struct Searcher {
    worker: Arc<Worker>,
    gone: Gone,
}

impl Searcher {
    pub(super) fn new(worker: Arc<Worker>) -> Self {
        let gone = Gone::default();
        Self { worker, gone }
    }

    /// The same, with searches that end with [`Error::Gone`] once nobody waits for them.
    #[must_use]
    pub fn until(&self, gone: &Gone) -> Self {
        Self {
            worker: Arc::clone(&self.worker),
            gone: gone.clone(),
        }
    }

    /// Reads a query within the limits of the options; relative times count from now.
    pub fn parse(&self, text: &str) -> Result<Query, Error> {
        let options = &self.worker.options;
        let limits = Limits {
            bytes_max: options.query_bytes_max,
            clauses_max: options.query_clauses_max,
            depth_max: options.query_depth_max,
        };
        Ok(parse_within(text, self.worker.clock.now(), limits)?)
    }

    /// The words of a text, where it is no query; `None` where it has none or too many.
    #[must_use]
    pub fn words(&self, text: &str) -> Option<Query> {
        let options = &self.worker.options;
        let fits = text.len() <= options.query_bytes_max;
        fits.then(|| Query::words(text, options.query_clauses_max))?
    }

    /// One page of the events that match.
    pub fn search(&self, request: &SearchRequest) -> Result<Page, Error> {
        self.counted(|| {
            let (mut stats, snapshot) = self.begin();
            let mut fetch = self.fetch();
            let worker = &self.worker;
            let mut walk = Walk::new(&snapshot, &request.query, &worker.options, &mut fetch);
            let limit = request.limit.min(worker.options.page_events_max);
            let window = window(request.from, request.to);
            let (cursor, sort) = (request.cursor.as_deref(), request.sort);
            let found = match request.by {
                None => {
                    let cursor = cursor.map(|text| decode(text, sort).ok_or(Error::Cursor));
                    walk.page(&window, cursor.transpose()?, (sort, request.soon), limit)?
                }
                Some(field) => {
                    let by = By { field, sort };
                    let cursor = cursor.map(|text| decode_rank(text, by).ok_or(Error::Cursor));
                    walk.page_by(&window, cursor.transpose()?.as_ref(), by, limit)?
                }
            };
            stats.partial = found.is_partial;
            stats.total = found.total;
            if request.count && stats.total.is_none() {
                stats.total = match walk.count(&window) {
                    // What was found until then is an answer.
                    Err(Error::TooSlow(_)) if found.is_partial => None,
                    total => total?,
                };
                stats.partial |= stats.total.is_none();
            }
            walk.report(&mut stats);
            let mut hits = Vec::with_capacity(found.keys.len());
            let mut highlights = Vec::new();
            for key in &found.keys {
                let Some(hit) = fetch.hit(key.offset)? else {
                    continue;
                };
                fetch.check_waiting()?;
                if request.highlight {
                    let event = hit.event();
                    highlights.push(event.map_or(Vec::new(), |e| request.query.highlights(&e)));
                }
                hits.push(hit);
            }
            stats.verified = fetch.verified;
            stats.took = fetch.took();
            Ok(Page {
                hits,
                highlights,
                next_cursor: found.next,
                stats,
            })
        })
    }

    /// How many events of a time match; `None` where a bound ended the counting. For a part of an answer: it is no search of
    /// its own in the metrics.
    pub fn count(
        &self,
        query: &Query,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Result<Option<u64>, Error> {
        let (_, snapshot) = self.begin();
        let mut fetch = self.fetch();
        Walk::new(&snapshot, query, &self.worker.options, &mut fetch).count(&window(from, to))
    }

    /// Every event that carries this correlation id in any form and case, in order of time, at most `limit`; the newest
    /// received are kept where there are more, and the page is partial.
    pub fn by_correlation_id(&self, id: &str, limit: usize) -> Result<Page, Error> {
        self.counted(|| {
            let (mut stats, snapshot) = self.begin();
            let mut fetch = self.fetch();
            let limit = limit.min(self.worker.options.page_events_max);
            let query = Query::correlation_id(id);
            let mut hits: Vec<(Key, Hit)> = Vec::new();
            for segment in snapshot.iter().rev() {
                stats.searched_segments += 1;
                stats.scanned += u64::from(segment.count());
                for doc in super::plan::candidates(segment, &query).into_iter().rev() {
                    let offset = segment.offset(doc);
                    match fetch.verify(&query.0, offset)? {
                        Some(true) if hits.len() == limit => stats.partial = true,
                        Some(true) => hits.extend(fetch.hit(offset)?.map(|hit| {
                            let millis = hit.event().map_or(0, |event| event.time.millis());
                            (Key { millis, offset }, hit)
                        })),
                        Some(false) => {}
                        None => stats.partial = true,
                    }
                    if stats.partial {
                        break;
                    }
                }
                if stats.partial {
                    break;
                }
            }
            hits.sort_unstable_by_key(|(key, _)| *key);
            let hits: Vec<Hit> = hits.into_iter().map(|(_, hit)| hit).collect();
            stats.total = (!stats.partial).then(|| u64::try_from(hits.len()).unwrap_or(u64::MAX));
            stats.verified = fetch.verified;
            stats.took = fetch.took();
            Ok(Page {
                hits,
                stats,
                ..Page::default()
            })
        })
    }

    /// The event at a place in the log, searchable or not yet.
    pub fn by_offset(&self, offset: Offset) -> Result<Option<Hit>, Error> {
        self.fetch().hit(offset)
    }

    /// Histograms, top lists and counts over the events that match.
    pub fn aggregate(&self, request: &AggregateRequest) -> Result<Aggregates, Error> {
        self.counted(|| {
            let (mut stats, snapshot) = self.begin();
            let mut fetch = self.fetch();
            let options = &self.worker.options;
            let mut walk = Walk::new(&snapshot, &request.query, options, &mut fetch);
            let results = aggregate::run(&mut walk, request, options)?;
            walk.report(&mut stats);
            stats.verified = fetch.verified;
            stats.took = fetch.took();
            Ok(Aggregates {
                results: results.0,
                stats: Stats {
                    total: Some(results.1),
                    ..stats
                },
            })
        })
    }

    /// The routes that the events name which match, with what was seen of each.
    pub fn routes(&self, request: &RoutesRequest) -> Result<RouteTable, Error> {
        self.counted(|| {
            let (mut stats, snapshot) = self.begin();
            let mut fetch = self.fetch();
            let options = &self.worker.options;
            let mut walk = Walk::new(&snapshot, &request.query, options, &mut fetch);
            let mut table = routes::run(&mut walk, request, options)?;
            walk.report(&mut stats);
            (stats.total, stats.verified) = (table.stats.total, fetch.verified);
            stats.took = fetch.took();
            table.stats = stats;
            Ok(table)
        })
    }

    /// Whether an event of a time matches. For a part of an answer, like [`Searcher::count`].
    pub fn is_any(
        &self,
        query: &Query,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Result<bool, Error> {
        let (_, snapshot) = self.begin();
        let mut fetch = self.fetch();
        let mut walk = Walk::new(&snapshot, query, &self.worker.options, &mut fetch);
        let found = walk.page(&window(from, to), None, (Sort::Desc, None), 1)?;
        Ok(!found.keys.is_empty())
    }

    /// `@timestamp` of the oldest event that is searchable, in milliseconds; `None` where there is none.
    #[must_use]
    pub fn oldest(&self) -> Option<Timestamp> {
        let snapshot = self.worker.segments.snapshot();
        let times = snapshot.iter().flat_map(|segment| &segment.meta().slices);
        times
            .map(|(first, _)| *first)
            .min()
            .map(Timestamp::from_millis)
    }

    /// Values one top list may have.
    #[must_use]
    pub fn buckets_max(&self) -> usize {
        self.worker.options.buckets_max
    }

    /// Everything before this is searchable.
    #[must_use]
    pub fn visible(&self) -> Offset {
        self.worker.visible()
    }

    pub(super) fn worker(&self) -> &Worker {
        &self.worker
    }

    pub(super) fn fetch(&self) -> Fetch<'_> {
        Fetch::new(&self.worker.wal, &self.worker.options, self.gone.clone())
    }

    /// What is searchable, and how far that is behind.
    pub(super) fn begin(&self) -> (Stats, Snapshot) {
        // The end first: what becomes durable in between is no lag.
        let end = self.worker.wal.end();
        let visible = self.worker.visible();
        let snapshot = self.worker.segments.snapshot();
        let lag_events = end.0.saturating_sub(visible.0);
        let complete_until = if lag_events == 0 {
            self.worker.clock.now()
        } else {
            let behind = snapshot
                .iter()
                .rev()
                .find(|segment| segment.meta().end <= visible.0);
            Timestamp(behind.map_or(0, |segment| segment.meta().received.1))
        };
        let stats = Stats {
            lag_events,
            complete_until,
            ..Stats::default()
        };
        (stats, snapshot)
    }

    fn counted<T>(&self, answer: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let watch = crate::clock::Stopwatch::start();
        let result = answer();
        let metrics = &self.worker.metrics;
        match &result {
            Ok(_) => metrics.search_requests.inc(),
            Err(
                Error::TooSlow(_)
                | Error::TooManyCandidates(_)
                | Error::TooManyBuckets(_)
                | Error::TooManyValues(_),
            ) => metrics.search_refused.inc(),
            Err(Error::Gone) => metrics.search_gone.inc(),
            Err(_) => {}
        }
        metrics.search_duration.observe(watch.elapsed());
        result
    }
}
