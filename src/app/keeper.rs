//! Housekeeping: letters of the command line, counts of sources, uses of keys, retention.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::detect::Detector;
use crate::index::Index;
use crate::model::Offset;
use crate::store::{self, Store};
use crate::tasks::Tasks;
use crate::wal::{Receipts, Wal};

/// How often it looks around.
const HOUSEKEEPING: Duration = Duration::from_millis(500);

/// Looks around now and then: letters of the command line, retention.
pub(super) struct Keeper {
    pub(super) store: Store,
    pub(super) wal: Wal,
    pub(super) index: Index,
    pub(super) receipts: Arc<Receipts>,
    pub(super) detector: Detector,
    pub(super) clock: Clock,
}

impl Keeper {
    pub(super) async fn run(self, tasks: Tasks) {
        let (keeper, mut shutdown) = (Arc::new(self), tasks.shutdown());
        let mut round: u32 = 0;
        loop {
            tokio::select! {
                () = shutdown.requested() => break,
                () = tokio::time::sleep(HOUSEKEEPING) => {}
            }
            round = round.wrapping_add(1);
            let keeper = keeper.clone();
            if tasks.blocking(move || keeper.round(round)).await.is_none() {
                tracing::error!("housekeeping failed and goes on");
            }
        }
        keeper.flush();
    }

    /// One round; the slow parts every tenth second only.
    fn round(&self, round: u32) {
        if let Err(error) = self.store.collect_inbox() {
            tracing::warn!(%error, "letters of the command line wait");
        }
        if !round.is_multiple_of(20) {
            return;
        }
        self.flush();
        // Until it is deleted nobody puts a hold on it.
        let _decided = self.receipts.decide();
        let keep_from = self.detector.saved().min(self.index.searcher().visible());
        let keep_from = match self.held_from() {
            Ok(held) => keep_from.min(held),
            Err(error) => {
                tracing::warn!(%error, "legal holds cannot be read; nothing is deleted for now");
                return;
            }
        };
        if let Err(error) = self.wal.enforce_retention(self.clock.now(), keep_from) {
            tracing::warn!(%error, "old segments of the log stay for now");
        }
        if let Err(error) = self.index.drop_before(self.wal.first()) {
            tracing::warn!(%error, "old segments of the index stay for now");
        }
    }

    /// The oldest event of a legal hold.
    fn held_from(&self) -> Result<Offset, store::Error> {
        let holds = self.store.legal_holds()?.into_iter();
        let kept = holds.flat_map(|hold| self.wal.written_between(hold.from, hold.to));
        Ok(kept
            .map(|range| range.start)
            .min()
            .unwrap_or(Offset(u64::MAX)))
    }

    fn flush(&self) {
        if let Err(error) = self.store.flush_sources() {
            tracing::warn!(%error, "counts of sources were not written");
        }
        if let Err(error) = self.store.flush_key_uses() {
            tracing::warn!(%error, "last uses of keys were not written");
        }
    }
}
