//! Sees erasures through: the log first, then what was derived from it. Whenever it is interrupted, the next start goes
//! on: every step done twice does nothing the second time.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, Stopwatch};
use crate::detect::Detector;
use crate::index::{self, Index, Query};
use crate::metrics::Metrics;
use crate::model::{Field, Offset, Timestamp};
use crate::store::{self, Store};
use crate::tasks::{Shutdown, step_back};
use crate::wal::{self, RECEIPTS_MAX, Receipt, Receipts, Rewritten, Wal};

/// Between two looks for events of sources that are kept for fewer days.
const EXPIRY: Duration = Duration::from_secs(24 * 3_600);
/// The first one after a start.
const EXPIRY_FIRST: Duration = Duration::from_secs(10);
/// Events that expire in one go.
const EXPIRED_MAX: usize = 1_000_000;
const DAY_NS: i64 = 86_400_000_000_000;

/// Between two looks for work.
const LOOK: Duration = Duration::from_millis(200);
/// After a failure: a backup under way, a full disk.
const RETRY: Duration = Duration::from_secs(2);
/// How far it stands back behind those who answer.
const STEPS: i32 = 10;

/// Why an erasure waits.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("receipt: {0}")]
    Receipt(#[from] std::io::Error),
    #[error("log: {0}")]
    Log(#[from] wal::Error),
    #[error("index: {0}")]
    Index(#[from] index::Error),
    #[error("state: {0}")]
    Store(#[from] store::Error),
    #[error("there are 10,000 receipts already")]
    Receipts,
}

/// What erases.
pub(super) struct Eraser {
    pub(super) receipts: Arc<Receipts>,
    pub(super) data_dir: PathBuf,
    pub(super) wal: Wal,
    pub(super) index: Index,
    pub(super) store: Store,
    pub(super) detector: Detector,
    pub(super) clock: Clock,
    pub(super) metrics: Arc<Metrics>,
    /// Days after which events of a source are erased.
    pub(super) source_days: BTreeMap<String, NonZeroU32>,
}

impl Eraser {
    /// Works until shutdown.
    pub(super) fn run(&self, shutdown: &Shutdown) {
        step_back(STEPS);
        let mut told = None;
        let mut next_expiry = (Stopwatch::start(), EXPIRY_FIRST);
        while !shutdown.is_requested() {
            let Some(id) = self.receipts.under_way() else {
                if next_expiry.0.elapsed() >= next_expiry.1 {
                    // Where more expire than fit in one erasure, the rest follows at once.
                    let has_more = self.expire();
                    let wait = if has_more { Duration::ZERO } else { EXPIRY };
                    next_expiry = (Stopwatch::start(), wait);
                }
                std::thread::sleep(LOOK);
                continue;
            };
            match self.erase(&id, shutdown) {
                Ok(()) => told = None,
                Err(_) if shutdown.is_requested() => {}
                Err(error) => {
                    let text = error.to_string();
                    if told.as_ref() != Some(&text) {
                        tracing::warn!(id, error = text, "an erasure waits and goes on by itself");
                    }
                    self.receipts.postpone(&id, text.clone());
                    told = Some(text);
                    std::thread::sleep(RETRY);
                }
            }
        }
    }

    /// Begins to erase what sources have sent long enough ago; whether there is more.
    fn expire(&self) -> bool {
        let mut has_more = false;
        for (source, days) in &self.source_days {
            match self.expire_source(source, *days) {
                Ok(is_begun) => has_more |= is_begun,
                Err(error) => {
                    tracing::warn!(source, %error, "old events of a source stay for now");
                }
            }
        }
        if let Err(error) = self.receipts.forget_expired(self.wal.first()) {
            tracing::warn!(%error, "receipts of what retention has deleted stay for now");
        }
        has_more
    }

    /// What legal holds keep, in order and without overlap.
    fn kept(&self) -> Result<Vec<Range<Offset>>, Error> {
        let holds = self.store.legal_holds()?.into_iter();
        let mut ranges: Vec<_> = holds
            .flat_map(|hold| self.wal.written_between(hold.from, hold.to))
            .collect();
        ranges.sort_unstable_by_key(|range| range.start);
        let mut kept: Vec<Range<Offset>> = Vec::new();
        for range in ranges {
            match kept.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => kept.push(range),
            }
        }
        Ok(kept)
    }

    /// Whether events were found.
    fn expire_source(&self, source: &str, days: NonZeroU32) -> Result<bool, Error> {
        let Some(query) = Query::equals(Field::EventProvider, source) else {
            return Ok(false);
        };
        let now = self.clock.now();
        let until = now
            .0
            .saturating_sub(i64::from(days.get()).saturating_mul(DAY_NS));
        // Until it is written down nobody puts a hold on what goes.
        let _decided = self.receipts.decide();
        if self.receipts.count()? >= RECEIPTS_MAX {
            return Err(Error::Receipts);
        }
        let kept = self.kept()?;
        // Nor goes what the rules have not read.
        let read = self.detector.saved();
        let is_wanted = |offset: Offset| {
            let behind = kept.partition_point(|range| range.start <= offset);
            let last = behind.checked_sub(1).and_then(|at| kept.get(at));
            offset < read && last.is_none_or(|range| range.end <= offset)
        };
        let searcher = self.index.searcher();
        let to = Some(Timestamp(until));
        let offsets = searcher.first_offsets(&query, to, EXPIRED_MAX, is_wanted)?;
        let (Some(first), Some(last)) = (offsets.first(), offsets.last()) else {
            return Ok(false);
        };
        let receipt = Receipt {
            events: u64::try_from(offsets.len()).unwrap_or(u64::MAX),
            first: *first,
            end: last.plus(1),
            ..Receipt::begun(
                store::fresh_id("era_", now)?,
                format!("events of the source {source} are kept for {days} days"),
                wal::RETENTION.to_owned(),
                now,
            )
        };
        self.receipts.begin(receipt, &offsets)?;
        Ok(true)
    }

    fn erase(&self, id: &str, shutdown: &Shutdown) -> Result<(), Error> {
        let no_receipt = || std::io::Error::from(std::io::ErrorKind::NotFound);
        let mut receipt = self.receipts.get(id)?.ok_or_else(no_receipt)?;
        let offsets = self.receipts.offsets(id)?;
        let erased = self.wal.erase(&offsets, |row| {
            note(&mut receipt, row);
            Ok(self.receipts.save(&mut receipt)?)
        })?;
        self.metrics.erased_events.add(erased.events);
        receipt.unreadable = erased.unreadable;
        self.index.forget(&offsets, shutdown)?;
        let is_erased = |offset: Offset| offsets.binary_search(&offset).is_ok();
        receipt.alerts = receipt.alerts.max(self.store.forget_events(is_erased)?);
        let backups = crate::backup::made(&self.data_dir)?.into_iter();
        receipt.backups = backups
            .filter(|backup| backup.first < receipt.end && receipt.first < backup.end)
            .collect();
        self.receipts.finish(&mut receipt, self.clock.now())?;
        tracing::info!(
            id,
            events = receipt.events,
            segments = receipt.segments.len(),
            "events erased"
        );
        Ok(())
    }
}

/// A segment is written anew once by an erasure, even where it took two attempts.
fn note(receipt: &mut Receipt, row: Rewritten) {
    let mut rows = receipt.segments.iter_mut();
    match rows.find(|known| known.segment == row.segment) {
        Some(known) => *known = row,
        None => receipt.segments.push(row),
    }
}
