//! The log against a Vec, whatever is done to it in whatever order.

use std::io::Write;

use proptest::prelude::*;

use super::*;
use crate::wal::segment;

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<u16>),
    Reopen,
    /// The process died in the middle of a write.
    Tear(Vec<u8>),
    LoseIndexes,
    Retain {
        days: u8,
        keep: u8,
    },
    Read(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop::collection::vec(0u16..400, 1..12).prop_map(Step::Append),
        2 => Just(Step::Reopen),
        1 => prop::collection::vec(any::<u8>(), 1..200).prop_map(Step::Tear),
        1 => Just(Step::LoseIndexes),
        2 => (0u8..3, any::<u8>()).prop_map(|(days, keep)| Step::Retain { days, keep }),
        3 => any::<u8>().prop_map(Step::Read),
    ]
}

fn options() -> Options {
    Options {
        retention_age_days: Some(1),
        retention_bytes_max: Some(4000),
        ..small()
    }
}

fn last_segment(data: &Path) -> std::path::PathBuf {
    let folder = data.join("wal");
    segment::path(&folder, *segment::list(&folder).unwrap().last().unwrap())
}

struct Model {
    events: Vec<String>,
    log: Option<Running>,
    data: tempfile::TempDir,
}

impl Model {
    fn log(&mut self) -> &Running {
        let data = self.data.path();
        self.log
            .get_or_insert_with(|| Running::open(data, options()).unwrap())
    }

    fn closed(&mut self) -> &Path {
        if let Some(log) = self.log.take() {
            log.stop();
        }
        self.data.path()
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Append(sizes) => {
                let next = self.events.len() as u64;
                let texts: Vec<String> = sizes
                    .iter()
                    .enumerate()
                    .map(|(at, size)| format!("{next} {at} {}", "y".repeat(usize::from(*size))))
                    .collect();
                let appended = self.log().append(&texts).unwrap();
                assert_eq!(
                    appended,
                    Appended {
                        first: Offset(next),
                        count: texts.len() as u64
                    }
                );
                self.events.extend(texts);
            }
            Step::Reopen => {
                self.closed();
            }
            Step::Tear(garbage) => {
                let path = last_segment(self.closed());
                let file = std::fs::OpenOptions::new().append(true).open(path);
                file.unwrap().write_all(&garbage).unwrap();
            }
            Step::LoseIndexes => {
                for entry in std::fs::read_dir(self.closed().join("wal")).unwrap() {
                    let path = entry.unwrap().path();
                    if path.extension().is_some_and(|end| end == "idx") {
                        std::fs::remove_file(path).unwrap();
                    }
                }
            }
            Step::Retain { days, keep } => {
                let end = self.events.len() as u64;
                let keep = Offset(end.saturating_sub(u64::from(keep)));
                let log = self.log();
                let before = log.wal.first();
                log.clock
                    .advance(Duration::from_hours(24 * u64::from(days)));
                log.wal.enforce_retention(log.clock.now(), keep).unwrap();
                assert!(log.wal.first() <= keep.max(before));
            }
            Step::Read(at) => {
                let events = self.events.clone();
                let log = self.log();
                let offset = Offset(u64::from(at));
                let frame = log.wal.frame_at(offset).unwrap();
                let is_kept = offset >= log.wal.first() && offset < log.wal.end();
                assert_eq!(frame.is_some(), is_kept);
                if let Some(frame) = frame {
                    let event = frame.event(offset).unwrap().unwrap();
                    assert_eq!(
                        event.text(Field::UrlPath),
                        Some(events[usize::from(at)].as_str())
                    );
                }
            }
        }
    }

    fn check(&mut self) {
        let events = self.events.clone();
        let log = self.log();
        let first = log.wal.first().0;
        assert_eq!(log.wal.end().0, events.len() as u64);
        let wanted: Vec<_> = (0u64..)
            .zip(events)
            .skip(usize::try_from(first).unwrap())
            .collect();
        assert_eq!(log.all(), wanted);
        assert_eq!(log.wal.status().gaps, 0);
        let bytes: u64 = std::fs::read_dir(log.wal.0.dir.clone())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|end| end == "seg"))
            .map(|path| std::fs::metadata(path).unwrap().len())
            .sum();
        assert_eq!(log.wal.status().bytes, bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_log_is_a_vec_that_loses_only_its_oldest(steps in prop::collection::vec(step(), 1..25)) {
        let data = tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap());
        let mut model = Model { events: Vec::new(), log: None, data };
        model.log();
        for step in steps {
            model.run(step);
        }
        model.check();
        model.closed();
        let report = crate::wal::verify(model.data.path(), |_, _| ()).unwrap();
        prop_assert!(report.is_sound(), "{report:?}");
        model.check();
        model.closed();
    }
}
