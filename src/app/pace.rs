//! Doors keep pace with the readers of the log.

use std::time::Duration;

use crate::clock::Stopwatch;
use crate::config::Config;
use crate::detect::Detector;
use crate::index::{Index, Searcher};
use crate::wal::Wal;

/// How long a door naps while the readers catch up.
const PACE_NAP: Duration = Duration::from_millis(4);

/// Slows doors down while index and rules are far behind: what they read is then still in memory, so that all
/// three get more done than at full speed with the readers on the disk. Never refuses.
#[derive(Clone)]
pub(super) struct Pace {
    wal: Wal,
    searcher: Searcher,
    detector: Detector,
    backlog_events_max: u64,
    wait: Duration,
}

impl Pace {
    pub(super) fn new(config: &Config, wal: &Wal, index: &Index, detector: &Detector) -> Self {
        Self {
            wal: wal.clone(),
            searcher: index.searcher(),
            detector: detector.clone(),
            backlog_events_max: config.pipeline.backlog_events_max,
            wait: Duration::from_millis(config.pipeline.backlog_wait_ms_max),
        }
    }

    /// Waits where it must; returns what is left of the time for which the sender may be held.
    pub(super) async fn keep(&self, patience: Duration) -> Duration {
        if !self.is_behind() {
            return patience;
        }
        let watch = Stopwatch::start();
        let mut left = self.wait.min(patience);
        while !left.is_zero() && self.is_behind() {
            let nap = left.min(PACE_NAP);
            tokio::time::sleep(nap).await;
            left = left.saturating_sub(nap);
        }
        patience.saturating_sub(watch.elapsed())
    }

    /// The index makes its segments in one piece: it may stand further back.
    fn is_behind(&self) -> bool {
        let end = self.wal.end().0;
        end.saturating_sub(self.detector.seen().0) > self.backlog_events_max
            || end.saturating_sub(self.searcher.visible().0) > self.backlog_events_max * 4
    }
}
