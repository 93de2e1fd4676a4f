//! The log as a whole. What only concerns one file of it is tested beside that file.

mod basics;
mod crash;
mod damage;
mod erase;
mod failing;
mod model;
mod sealed;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::disk::Disk;
use super::faults::{Faults, Kind};
use super::{Appended, Error, Options, Wal};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::model::{Field, Offset, Timestamp};
use crate::redact::{Batch, decode};
use crate::tasks::Tasks;

/// A log that runs, with a runtime to append from.
pub(super) struct Running {
    pub(super) wal: Wal,
    pub(super) tasks: Tasks,
    pub(super) metrics: Arc<Metrics>,
    pub(super) clock: Clock,
    runtime: tokio::runtime::Runtime,
}

/// Small bounds: every test rolls, evicts and reads from files.
pub(super) fn small() -> Options {
    Options {
        segment_bytes_max: 1500,
        frame_bytes_max: 300,
        tail_cache_bytes_max: 0,
        frame_cache_frames_max: 2,
        open_segments_max: 2,
        probe_interval_ms: 20,
        group_bytes_max: 1 << 16,
        retention_age_days: None,
        ..Options::default()
    }
}

impl Running {
    pub(super) fn open(data: &Path, options: Options) -> Result<Self, Error> {
        Self::open_on(Disk::Real, data, options)
    }

    pub(super) fn faulty(
        data: &Path,
        options: Options,
        faults: &Arc<Faults>,
    ) -> Result<Self, Error> {
        Self::open_on(Disk::Faulty(faults.clone()), data, options)
    }

    fn open_on(disk: Disk, data: &Path, options: Options) -> Result<Self, Error> {
        let clock = Clock::manual(Timestamp(1_795_288_351_000_000_000));
        let metrics = Arc::new(Metrics::default());
        let wal = Wal::open_on(disk, data, options, clock.clone(), metrics.clone())?;
        let tasks = Tasks::new();
        wal.start(&tasks)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        Ok(Self {
            wal,
            tasks,
            metrics,
            clock,
            runtime,
        })
    }

    pub(super) fn append(&self, texts: &[String]) -> Result<Appended, Error> {
        self.runtime.block_on(self.wal.append(batch(texts)))
    }

    /// All events that a reader sees, with their offsets.
    pub(super) fn all(&self) -> Vec<(u64, String)> {
        all(&self.wal)
    }

    /// Ends the writer and lets go of the directory.
    pub(super) fn stop(self) {
        self.wal.close();
        self.runtime.block_on(self.tasks.drained());
    }

    pub(super) fn wait_until(&self, what: impl Fn(&Self) -> bool) {
        for _ in 0..2000 {
            if what(self) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("waited in vain");
    }
}

pub(super) fn batch(texts: &[String]) -> Batch {
    let mut batch = Batch::default();
    for text in texts {
        // A record of version 1 with one text field, as the codec describes it.
        let mut record = vec![1; 17];
        let mut length = text.len();
        record.extend_from_slice(&[Field::UrlPath.code(), 0]);
        while length >= 0x80 {
            record.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
            length >>= 7;
        }
        record.push(u8::try_from(length).unwrap());
        record.extend_from_slice(text.as_bytes());
        batch.push(&decode(&record).unwrap());
    }
    batch
}

pub(super) fn texts(numbers: std::ops::Range<u64>) -> Vec<String> {
    numbers.map(|number| format!("event {number}")).collect()
}

pub(super) fn expected(numbers: std::ops::Range<u64>) -> Vec<(u64, String)> {
    numbers
        .map(|number| (number, format!("event {number}")))
        .collect()
}

pub(super) fn all(wal: &Wal) -> Vec<(u64, String)> {
    let mut reader = wal.reader(wal.first());
    let mut events = Vec::new();
    while let Some(frame) = reader.next(Duration::ZERO).unwrap() {
        assert!(!frame.is_empty());
        for (offset, _) in frame.iter() {
            let event = frame.event(offset).unwrap().unwrap();
            events.push((offset.0, event.text(Field::UrlPath).unwrap().to_owned()));
        }
    }
    assert_eq!(reader.at(), wal.end());
    events
}
