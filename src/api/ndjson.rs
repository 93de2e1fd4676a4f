//! A search whose events are written as they are found: `POST /api/v1/search` with `Accept: application/x-ndjson`.
//!
//! One event per line in order, and last a line `{"stats": …, "page": …}`, which only a whole answer has. By time the first
//! rows come at once; in the order of a field they are known when all events were looked at. Where the caller goes, the search ends.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::OwnedSemaphorePermit;

use super::error::Error;
use super::search::{Fallback, SearchInput};
use super::stream::{self, Writer};
use super::{Shared, State};
use crate::clock::Stopwatch;
use crate::index::{Page, SearchRequest};

/// The media type.
const TYPE: &str = "application/x-ndjson";
/// Most events of one answer.
const LIMIT_MAX: usize = 10_000;
/// Events looked for at a time: few at first, so that they come soon.
const PAGE_FIRST: usize = 20;
const PAGE: usize = 500;
/// How long a page is looked for at first, and at most: what is found until then is written. Each may take twice as long as
/// the one before, as each begins by looking up the query's words.
const SOON_FIRST: Duration = Duration::from_millis(100);
const SOON_MAX: Duration = Duration::from_secs(2);
/// How long an answer may go on once the server drains.
const GRACE: Duration = Duration::from_secs(5);

/// Whether the caller asks for lines.
pub(super) fn is_wanted(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT).into_iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    let mut kinds = texts.flat_map(|text| text.split(','));
    kinds.any(|kind| {
        let essence = kind.split(';').next().unwrap_or_default();
        essence.trim().eq_ignore_ascii_case(TYPE)
    })
}

/// An answer under way.
struct Writing {
    state: Shared,
    input: Arc<SearchInput>,
    /// The next page.
    request: SearchRequest,
    fallback: Option<Fallback>,
    /// Events written.
    written: usize,
    /// What all pages together looked at.
    all: Page,
    since: Stopwatch,
    writer: Writer,
    /// Its place among `streams_max`.
    _slot: OwnedSemaphorePermit,
}

/// The lines of one page, which has no hits any more.
struct Lines {
    text: String,
    count: usize,
    page: Page,
}

fn lines(input: &SearchInput, request: &SearchRequest, state: &State) -> Result<Lines, Error> {
    let mut page = state.searcher.search(request)?;
    let mut text = String::new();
    let hits = std::mem::take(&mut page.hits);
    for hit in &hits {
        text.push_str(input.event(hit)?.text());
        text.push('\n');
    }
    let count = hits.len();
    Ok(Lines { text, count, page })
}

impl Writing {
    async fn next(&self) -> Result<Lines, Error> {
        let (input, request) = (self.input.clone(), self.request.clone());
        let search = move |state: &State| lines(&input, &request, state);
        self.state.search(search).await
    }

    /// Adds what a page looked at; whether it was the last one.
    fn add(&mut self, count: usize, page: Page) -> bool {
        self.written += count;
        let (sum, stats) = (&mut self.all.stats, page.stats);
        let (scanned, verified) = (sum.scanned, sum.verified);
        let segments = sum.searched_segments.max(stats.searched_segments);
        let total = stats.total.filter(|_| self.request.cursor.is_none());
        *sum = stats;
        sum.scanned += scanned;
        sum.verified += verified;
        sum.searched_segments = segments;
        (sum.total, sum.took) = (total, self.since.elapsed());
        self.all.next_cursor.clone_from(&page.next_cursor);
        self.request.cursor = page.next_cursor;
        let left = self.input.limit.saturating_sub(self.written);
        self.request.limit = left.min(PAGE);
        let soon = self.request.soon.map(|soon| (soon * 2).min(SOON_MAX));
        self.request.soon = soon;
        // A page that ends early has a next one.
        sum.partial = false;
        left == 0 || self.request.cursor.is_none()
    }

    /// The last line.
    async fn end(&mut self) -> Result<String, Error> {
        let (input, mut request) = (self.input.clone(), self.request.clone());
        let (mut all, fallback) = (std::mem::take(&mut self.all), self.fallback.take());
        let is_nothing = self.written == 0;
        request.cursor = None;
        let work = move |state: &State| {
            if input.count == Some(true) && all.stats.total.is_none() {
                let (query, from, to) = (&request.query, request.from, request.to);
                all.stats.total = state.searcher.count(query, from, to)?;
                all.stats.partial = all.stats.total.is_none();
            }
            let end = input.end(state, &request, &all, (is_nothing, fallback))?;
            serde_json::to_string(&end).map_err(Error::internal)
        };
        Ok(self.state.search(work).await? + "\n")
    }

    async fn run(mut self, mut lines: Lines) {
        loop {
            let is_last = self.add(lines.count, lines.page);
            if !lines.text.is_empty() && !self.writer.send(lines.text).await {
                return;
            }
            if is_last {
                break;
            }
            // Dropping the search ends it.
            let next = tokio::select! {
                next = self.next() => next,
                () = self.writer.closed() => return,
            };
            match next {
                Ok(next) => lines = next,
                Err(error) => {
                    tracing::warn!(%error, "a search was cut short");
                    return;
                }
            }
        }
        match self.end().await {
            Ok(line) => {
                if self.writer.send(line).await {
                    self.writer.finish();
                }
            }
            Err(error) => tracing::warn!(%error, "a search was cut short"),
        }
    }
}

/// Answers with lines. What is wrong with the search is an error like any other.
pub(super) async fn answer(state: Shared, input: SearchInput) -> Result<Response, Error> {
    if input.highlight == Some(true) {
        let detail = "not known of events in lines: ask for JSON";
        return Err(Error::input("/highlight", "invalid_value", detail));
    }
    let (query, fallback) = input.query(&state)?;
    let mut request = input.request(query, &state, LIMIT_MAX)?;
    (request.limit, request.count) = (input.limit.min(PAGE_FIRST), false);
    request.soon = Some(SOON_FIRST);
    if request.by.is_some() {
        // Every page looks at all events.
        request.limit = input.limit.min(PAGE);
    }
    let slot = state.streams.clone().try_acquire_owned();
    let slot = slot.map_err(|_full| Error::Busy { retry_after_s: 10 })?;
    let (writer, body) = stream::body(state.tasks.draining(), GRACE);
    let tasks = state.tasks.clone();
    let writing = Writing {
        state,
        input: Arc::new(input),
        request,
        fallback,
        written: 0,
        all: Page::default(),
        since: Stopwatch::start(),
        writer,
        _slot: slot,
    };
    let first = writing.next().await?;
    tasks.spawn_one("search", writing.run(first));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(TYPE)),
        (
            HeaderName::from_static("x-accel-buffering"),
            HeaderValue::from_static("no"),
        ),
    ];
    Ok((headers, body).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_for_those_who_ask_for_them() {
        let check = |accept: &'static str, expected: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(is_wanted(&headers), expected, "{accept}");
        };
        check("application/x-ndjson", true);
        check("text/html, Application/X-NDJSON;q=0.9", true);
        check("application/json", false);
        check("*/*", false);
        assert!(!is_wanted(&HeaderMap::new()));
    }
}
