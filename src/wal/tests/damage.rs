//! Every byte cut, every byte flipped: never a panic, never a wrong event, never a silent loss.

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::wal::{DamageKind, verify};

/// A log of a few small segments, as bytes by file name.
struct Sample {
    files: Vec<(PathBuf, Vec<u8>)>,
    events: u64,
}

/// In memory where possible: these tests open thousands of logs.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

fn sample() -> Sample {
    let data = folder();
    let options = Options {
        segment_bytes_max: 700,
        ..small()
    };
    let log = Running::open(data.path(), options).unwrap();
    let mut events = 0;
    for size in [3, 1, 9, 4, 12, 2, 14] {
        log.append(&texts(events..events + size)).unwrap();
        events += size;
    }
    assert!(
        (3..6).contains(&log.wal.status().segments),
        "{:?}",
        log.wal.status()
    );
    log.stop();
    let folder = data.path().join("wal");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into())
        .map(|name: PathBuf| (name.clone(), fs::read(folder.join(name)).unwrap()))
        .filter(|(name, _)| name.extension().is_some())
        .collect();
    files.sort();
    Sample { files, events }
}

impl Sample {
    fn put(&self, data: &Path) {
        let folder = data.join("wal");
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        fs::create_dir(&folder).unwrap();
        for (name, bytes) in &self.files {
            fs::write(folder.join(name), bytes).unwrap();
        }
    }

    fn segments(&self) -> impl Iterator<Item = (usize, &PathBuf, &Vec<u8>)> {
        let all = self
            .files
            .iter()
            .enumerate()
            .map(|(at, (name, bytes))| (at, name, bytes));
        all.filter(|(_, name, _)| name.extension().unwrap() == "seg")
    }
}

/// Where the header and the frames of a segment begin.
fn starts(bytes: &[u8]) -> Vec<u64> {
    let scan = crate::wal::segment::scan(bytes, first_of(bytes), None);
    std::iter::once(0)
        .chain(scan.table.entries.iter().map(|entry| entry.position))
        .collect()
}

fn first_of(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes[8..16].try_into().unwrap())
}

fn open(data: &Path) -> (Wal, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::default());
    let clock = Clock::manual(Timestamp(9));
    (
        Wal::open(data, small(), clock, metrics.clone()).unwrap(),
        metrics,
    )
}

/// Everything that is there is right, everything that is not is a gap or behind the end.
fn check(wal: &Wal, sample: &Sample, place: &str) -> Vec<(u64, String)> {
    let events = all(wal);
    for (offset, text) in &events {
        assert_eq!(text, &format!("event {offset}"), "{place}");
    }
    assert!(events.is_sorted_by(|a, b| a.0 < b.0), "{place}");
    let gaps = wal.gaps();
    for offset in 0..wal.end().0 {
        let is_there = events.iter().any(|(found, _)| *found == offset);
        let is_lost = gaps
            .iter()
            .any(|gap| gap.first.0 <= offset && offset < gap.end.0);
        assert!(is_there != is_lost, "{place}: {offset} {gaps:?}");
        assert_eq!(
            wal.frame_at(Offset(offset)).unwrap().is_some(),
            is_there,
            "{place}"
        );
    }
    assert!(wal.end().0 <= sample.events, "{place}");
    events
}

#[test]
fn torn_tail_is_cut() {
    let sample = sample();
    let (at, _, bytes) = sample.segments().last().unwrap();
    let first = first_of(bytes);
    let scan = crate::wal::segment::scan(bytes, first, None);
    let data = folder();
    for cut in 0..bytes.len() {
        let mut torn = Sample {
            files: sample.files.clone(),
            events: sample.events,
        };
        torn.files[at].1.truncate(cut);
        torn.put(data.path());
        // The next frame, or the end of the file, begins where one ends.
        let mut ends: Vec<_> = scan
            .table
            .entries
            .iter()
            .skip(1)
            .map(|e| (e.position, e.first))
            .collect();
        ends.push((scan.table.bytes, scan.table.end));
        let survives = ends
            .iter()
            .filter(|end| end.0 <= cut as u64)
            .map(|end| end.1);
        let end = survives.max().unwrap_or(first);
        let (wal, metrics) = open(data.path());
        assert_eq!(wal.end(), Offset(end), "cut at {cut}");
        assert_eq!(all(&wal), expected(0..end), "cut at {cut}");
        let at_frame = starts(bytes).contains(&(cut as u64)) && cut > 0;
        assert_eq!(
            metrics.wal_torn_tails.get(),
            u64::from(cut > 64 && !at_frame),
            "cut at {cut}"
        );
        assert_eq!(metrics.wal_lost_events.get(), 0);
        drop(wal);
        if cut % 16 == 0 {
            let log = Running::open(data.path(), small()).unwrap();
            log.append(&texts(end..end + 3)).unwrap();
            assert_eq!(log.all(), expected(0..end + 3), "cut at {cut}");
            log.stop();
            assert!(
                verify(data.path(), |_, _| ()).unwrap().is_sound(),
                "cut at {cut}"
            );
        }
    }
}

#[test]
fn a_flipped_byte_is_named_and_costs_one_frame() {
    let sample = sample();
    let data = folder();
    let last = sample.segments().last().unwrap().0;
    for (at, name, bytes) in sample.segments() {
        let starts = starts(bytes);
        for position in 0..bytes.len() {
            for with_index in [true, false] {
                // With an index, frames are only judged when they are read: the same for all bytes
                // of one.
                if with_index && position % 5 > 0 {
                    continue;
                }
                let place = format!("{} byte {position}, index {with_index}", name.display());
                let mut changed = Sample {
                    files: sample.files.clone(),
                    events: sample.events,
                };
                changed.files[at].1[position] ^= 0x10;
                if !with_index {
                    changed
                        .files
                        .retain(|(name, _)| name.extension().unwrap() != "idx");
                }
                changed.put(data.path());
                let report = verify(data.path(), |_, _| ()).unwrap();
                let start = starts
                    .iter()
                    .rfind(|start| **start <= position as u64)
                    .unwrap();
                let named = report.damage.first().unwrap();
                assert_eq!(
                    (named.segment.0, named.position),
                    (first_of(bytes), *start),
                    "{place}"
                );
                let (wal, metrics) = open(data.path());
                let found = check(&wal, &sample, &place);
                let lost = sample.events - found.len() as u64;
                assert!(lost <= 14, "{place}: {lost}");
                assert_eq!(
                    metrics.wal_lost_events.get(),
                    wal.end().0 - found.len() as u64,
                    "{place}"
                );
                let in_header = position < 64;
                assert_eq!(lost == 0, in_header, "{place}");
                if at == last && named.kind == DamageKind::Tail {
                    assert_eq!(metrics.wal_torn_tails.get(), 1, "{place}");
                }
                // The second time, nothing new is found.
                let gaps = wal.gaps();
                drop(wal);
                let (wal, _) = open(data.path());
                assert_eq!(check(&wal, &sample, &place), found, "{place}");
                assert_eq!(wal.gaps(), gaps, "{place}");
            }
        }
    }
}

#[test]
fn a_damaged_index_is_made_again() {
    let sample = sample();
    let data = folder();
    for (at, (name, bytes)) in sample.files.iter().enumerate() {
        if name.extension().unwrap() != "idx" {
            continue;
        }
        for position in 0..bytes.len() {
            let mut changed = Sample {
                files: sample.files.clone(),
                events: sample.events,
            };
            changed.files[at].1[position] ^= 1;
            changed.put(data.path());
            let (wal, _) = open(data.path());
            assert_eq!(all(&wal), expected(0..sample.events));
            assert_eq!(
                &fs::read(data.path().join("wal").join(name)).unwrap(),
                bytes
            );
        }
    }
}

#[test]
fn a_missing_segment_is_a_gap() {
    let sample = sample();
    let data = folder();
    let names: Vec<_> = sample
        .segments()
        .map(|(_, name, bytes)| (name.clone(), first_of(bytes)))
        .collect();
    sample.put(data.path());
    fs::remove_file(data.path().join("wal").join(&names[1].0)).unwrap();
    let (wal, metrics) = open(data.path());
    let found = check(&wal, &sample, "missing");
    assert_eq!(metrics.wal_gaps.get(), 1);
    assert_eq!(sample.events - found.len() as u64, names[2].1 - names[1].1);
    let report = verify(data.path(), |_, _| ()).unwrap();
    assert_eq!(report.damage[0].kind, DamageKind::Missing);
    assert!(report.damage[0].is_known);
}

#[test]
fn a_change_with_right_checksums_breaks_the_chain() {
    let sample = sample();
    let data = folder();
    let (at, _, bytes) = sample.segments().nth(1).unwrap();
    let start = usize::try_from(starts(bytes)[1]).unwrap();
    let frame = crate::wal::frame::whole(&bytes[start..])
        .unwrap()
        .1
        .to_vec();
    // Another moment of writing, and the checksum to go with it.
    let mut forged = frame.clone();
    forged[34] ^= 1;
    let crc = crc32c::crc32c_append(crc32c::crc32c(&forged[..28]), &forged[32..]);
    forged[28..32].copy_from_slice(&crc.to_le_bytes());
    let mut changed = Sample {
        files: sample.files.clone(),
        events: sample.events,
    };
    changed.files[at].1[start..start + frame.len()].copy_from_slice(&forged);
    changed.put(data.path());
    let report = verify(data.path(), |_, _| ()).unwrap();
    assert_eq!(report.damaged, 1, "{report:?}");
    let named = report.damage[0];
    assert_eq!(named.kind, DamageKind::Chain);
    assert_eq!(
        (named.segment.0, named.position),
        (first_of(bytes), start as u64)
    );
}

#[test]
fn offsets_that_a_reader_remembers_are_not_handed_out_again() {
    let sample = sample();
    let data = folder();
    sample.put(data.path());
    let (wal, metrics) = open(data.path());
    wal.skip_to(Offset(sample.events + 5)).unwrap();
    assert_eq!(wal.end(), Offset(sample.events + 5));
    assert_eq!(
        (metrics.wal_gaps.get(), metrics.wal_lost_events.get()),
        (1, 5)
    );
    assert_eq!(all(&wal), expected(0..sample.events));
    drop(wal);
    let log = Running::open(data.path(), small()).unwrap();
    assert_eq!(log.wal.gaps().len(), 1);
    let appended = log.append(&texts(50..52)).unwrap();
    assert_eq!(appended.first, Offset(sample.events + 5));
    assert_eq!(log.all().len() as u64, sample.events + 2);
    assert!(matches!(log.wal.skip_to(Offset(999)), Err(Error::Running)));
    log.stop();
}

#[test]
fn what_cannot_be_read_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let error = crate::wal::verify(dir.path(), |_, _| {}).unwrap_err();
    assert_eq!(error.to_string(), "wal/ cannot be read");
    std::fs::create_dir_all(dir.path().join("wal/00000000000000000007.seg")).unwrap();
    let error = crate::wal::verify(dir.path(), |_, _| {}).unwrap_err();
    assert_eq!(
        error.to_string(),
        "wal/00000000000000000007.seg cannot be read"
    );
}
