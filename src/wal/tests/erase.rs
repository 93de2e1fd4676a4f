//! Erasing single events.

use std::collections::BTreeSet;

use super::*;
use crate::wal::receipts::{Receipt, Receipts};
use crate::wal::{DamageKind, Rewritten, verify};

fn offsets(numbers: &[u64]) -> Vec<Offset> {
    numbers.iter().copied().map(Offset).collect()
}

/// Erases with a receipt, as the program does.
fn erase(data: &Path, log: &Running, id: &str, numbers: &[u64]) -> Result<u64, Error> {
    let receipts = Receipts::open(data)?;
    let mut receipt = match receipts.get(id)? {
        Some(receipt) => receipt,
        None => receipts.begin(receipt(id), &offsets(numbers))?,
    };
    let erased = log.wal.erase(&receipts.offsets(id)?, |row| {
        receipt.segments.push(row);
        Ok(receipts.save(&mut receipt)?)
    })?;
    Ok(erased.events)
}

fn receipt(id: &str) -> Receipt {
    let now = Timestamp(1_795_288_351_123_456_789);
    Receipt::begun(id.to_owned(), "a test".to_owned(), "tests".to_owned(), now)
}

fn without(end: u64, erased: &[u64]) -> Vec<(u64, String)> {
    let mut all = expected(0..end);
    all.retain(|(at, _)| !erased.contains(at));
    all
}

/// Whether the text stands in a frame of any file of the log, unpacked.
fn is_on_disk(data: &Path, text: &str) -> bool {
    let mut found = false;
    for entry in std::fs::read_dir(data.join("wal")).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_none_or(|end| end != "seg" && end != "tmp")
        {
            continue;
        }
        let bytes = std::fs::read(path).unwrap();
        let mut at = 64;
        while let Some((place, _, frame)) = crate::wal::segment::next_frame(&bytes, at, 0) {
            let frame_end = place + frame.len();
            let unpacked = crate::wal::pack::unpack(frame).unwrap();
            let mut records = unpacked.iter();
            found |=
                records.any(|(_, record)| memchr::memmem::find(record, text.as_bytes()).is_some());
            at = frame_end;
        }
    }
    found
}

#[test]
fn erased_events_are_gone_and_nothing_else_is() {
    let data = tempfile::tempdir().unwrap();
    let log = Running::open(data.path(), small()).unwrap();
    for round in 0..20u64 {
        log.append(&texts(round * 10..round * 10 + 10)).unwrap();
    }
    let erased = [0, 7, 77, 78, 79, 120, 199];
    log.all();
    assert_eq!(erase(data.path(), &log, "era_1", &erased).unwrap(), 7);
    assert_eq!(
        log.all(),
        without(200, &erased),
        "also of what is in memory"
    );
    assert!(
        log.wal
            .frame_at(Offset(77))
            .unwrap()
            .unwrap()
            .record(Offset(77))
            .is_none()
    );
    assert_eq!(log.metrics.wal_gaps.get(), 0);
    // Again, and what follows.
    assert_eq!(erase(data.path(), &log, "era_1", &erased).unwrap(), 0);
    log.append(&texts(200..230)).unwrap();
    let report = verify(data.path(), |_, _| {}).unwrap();
    assert!(
        report.is_sound() && report.erased_segments > 0,
        "{report:?}"
    );
    log.stop();
    let log = Running::open(data.path(), small()).unwrap();
    assert_eq!(log.all(), without(230, &erased));
    assert_eq!(erase(data.path(), &log, "era_2", &[80]).unwrap(), 1);
    let both = [erased.as_slice(), &[80]].concat();
    assert_eq!(log.all(), without(230, &both));
    assert!(verify(data.path(), |_, _| {}).unwrap().is_sound());
    assert!(!is_on_disk(data.path(), "event 77"));
    assert!(is_on_disk(data.path(), "event 76"));
    log.stop();
}

#[test]
fn what_no_receipt_vouches_for_is_damage() {
    let data = tempfile::tempdir().unwrap();
    let log = Running::open(data.path(), small()).unwrap();
    log.append(&texts(0..10)).unwrap();
    log.append(&texts(10..20)).unwrap();
    erase(data.path(), &log, "era_1", &[3]).unwrap();
    log.stop();
    let kinds = || -> Vec<DamageKind> {
        let report = verify(data.path(), |_, _| {}).unwrap();
        report.damage.iter().map(|damage| damage.kind).collect()
    };
    assert_eq!(kinds(), []);
    let path = data.path().join("wal/receipts/era_1.json");
    let text = std::fs::read_to_string(&path).unwrap();
    // Whatever the receipt says and was not signed, and one signed by somebody else.
    for changed in [
        text.replace("a test", "another"),
        text.replace("\"events\": 1,", "\"events\": 2,"),
        String::new(),
    ] {
        std::fs::write(&path, changed).unwrap();
        assert_eq!(kinds(), [DamageKind::Unvouched]);
    }
    let other = tempfile::tempdir().unwrap();
    let mut forged: Receipt = serde_json::from_str(&text).unwrap();
    assert!(forged.is_signed(None));
    std::fs::create_dir_all(other.path().join("wal")).unwrap();
    Receipts::open(other.path())
        .unwrap()
        .save(&mut forged)
        .unwrap();
    assert!(forged.is_signed(None));
    std::fs::write(&path, serde_json::to_vec(&forged).unwrap()).unwrap();
    assert_eq!(kinds(), [DamageKind::Unvouched]);
    std::fs::write(&path, &text).unwrap();
    assert_eq!(kinds(), []);
    // A copy of the log without keys is judged by the key in the receipt.
    std::fs::remove_file(data.path().join("receipt.key")).unwrap();
    assert_eq!(kinds(), []);
}

#[test]
fn a_log_under_copy_is_left_as_it_is() {
    let data = tempfile::tempdir().unwrap();
    let log = Running::open(data.path(), small()).unwrap();
    log.append(&texts(0..10)).unwrap();
    let hold = log.wal.hold(Timestamp(log.clock.now().0 + 300_000_000_000));
    let refused = erase(data.path(), &log, "era_1", &[3]);
    assert!(matches!(refused, Err(Error::Held)), "{refused:?}");
    assert_eq!(log.all(), expected(0..10));
    drop(hold);
    assert_eq!(erase(data.path(), &log, "era_1", &[3]).unwrap(), 1);
    log.stop();
}

#[test]
fn a_failing_disk_leaves_the_old_file_or_the_new_one() {
    for (kind, times) in [
        (Kind::Create, 1),
        (Kind::Write, 1),
        (Kind::Sync, 1),
        (Kind::Rename, 1),
        (Kind::Remove, 1),
        (Kind::SyncDir, 1),
    ] {
        let data = tempfile::tempdir().unwrap();
        let faults = Arc::new(Faults::none());
        let log = Running::faulty(data.path(), small(), &faults).unwrap();
        log.append(&texts(0..100)).unwrap();
        log.append(&texts(100..110)).unwrap();
        let receipts = Receipts::open(data.path()).unwrap();
        let mut receipt = receipts.begin(receipt("era_1"), &offsets(&[50])).unwrap();
        // The segment is closed before, so that the failure hits the rewriting.
        log.wal
            .erase(&offsets(&[109]), |_: Rewritten| Err(Error::Closed))
            .unwrap_err();
        faults.fail(kind, times, 28);
        let failed = log.wal.erase(&offsets(&[50]), |row| {
            receipt.segments.push(row);
            Ok(receipts.save(&mut receipt)?)
        });
        assert!(failed.is_err(), "{kind:?}");
        let seen: BTreeSet<u64> = log.all().into_iter().map(|(at, _)| at).collect();
        assert!(seen.len() >= 109, "{kind:?}: {}", seen.len());
        log.wal
            .erase(&offsets(&[50]), |row| {
                receipt.segments.push(row);
                Ok(receipts.save(&mut receipt)?)
            })
            .unwrap();
        assert_eq!(log.all(), without(110, &[50]), "{kind:?}");
        assert!(
            verify(data.path(), |_, _| {}).unwrap().is_sound(),
            "{kind:?}"
        );
        log.stop();
        let log = Running::open(data.path(), small()).unwrap();
        assert_eq!(log.all(), without(110, &[50]), "{kind:?}");
        assert_eq!(log.metrics.wal_gaps.get(), 0, "{kind:?}");
        log.stop();
    }
}

#[test]
fn readers_see_every_other_event_while_files_are_replaced() {
    let data = tempfile::tempdir().unwrap();
    let log = Running::open(data.path(), small()).unwrap();
    for round in 0..40u64 {
        log.append(&texts(round * 10..round * 10 + 10)).unwrap();
    }
    let receipts = Receipts::open(data.path()).unwrap();
    let mut receipt = receipts.begin(receipt("era_1"), &[]).unwrap();
    let is_done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !is_done.load(std::sync::atomic::Ordering::Relaxed) {
                    let seen = log.all();
                    let others = seen.iter().filter(|(at, _)| at % 3 != 0).count();
                    assert_eq!(others, 266);
                }
            });
        }
        for third in (0..400u64).filter(|at| at % 3 == 0) {
            let erased = log.wal.erase(&[Offset(third)], |row| {
                receipt.segments.push(row);
                Ok(receipts.save(&mut receipt)?)
            });
            assert_eq!(erased.unwrap().events, 1, "{third}");
        }
        is_done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!(log.all().len(), 266);
    assert_eq!(log.metrics.wal_gaps.get(), 0);
    assert!(verify(data.path(), |_, _| {}).unwrap().is_sound());
    log.stop();
}

#[test]
fn receipts_vouch_for_what_became_of_a_segment_in_any_order() {
    let data = tempfile::tempdir().unwrap();
    let faults = Arc::new(Faults::none());
    let log = Running::faulty(data.path(), small(), &faults).unwrap();
    log.append(&texts(0..10)).unwrap();
    log.append(&texts(10..20)).unwrap();
    let is_sound = || verify(data.path(), |_, _| {}).unwrap().is_sound();
    let path = data.path().join("wal/00000000000000000000.seg");
    log.wal
        .erase(&offsets(&[19]), |_| Err(Error::Closed))
        .unwrap_err();
    let first = std::fs::read(&path).unwrap();
    // The one that was asked for later went first.
    assert_eq!(erase(data.path(), &log, "era_2", &[2]).unwrap(), 1);
    assert_eq!(erase(data.path(), &log, "era_1", &[3]).unwrap(), 1);
    assert!(is_sound());
    // Vouched for and not replaced: the file is still what it was.
    faults.fail(Kind::Rename, 1, 28);
    assert!(erase(data.path(), &log, "era_3", &[4]).is_err());
    assert!(is_sound());
    let before = std::fs::read(&path).unwrap();
    assert_eq!(erase(data.path(), &log, "era_3", &[4]).unwrap(), 1);
    assert!(is_sound());
    log.stop();
    let receipts = Receipts::open(data.path()).unwrap();
    for id in ["era_1", "era_2", "era_3"] {
        let mut receipt = receipts.get(id).unwrap().unwrap();
        receipts.finish(&mut receipt, Timestamp(0)).unwrap();
    }
    assert!(is_sound());
    // What was there before an erasure that is done is no more what should be, nor is what was there before all.
    let now = std::fs::read(&path).unwrap();
    for old in [before, first] {
        std::fs::write(&path, old).unwrap();
        assert!(!is_sound());
    }
    std::fs::write(&path, now).unwrap();
    assert!(is_sound());
}

#[test]
fn what_lies_in_damage_is_told_and_stays() {
    let data = tempfile::tempdir().unwrap();
    let log = Running::open(data.path(), small()).unwrap();
    for round in 0..6u64 {
        log.append(&texts(round * 5..round * 5 + 5)).unwrap();
    }
    log.append(&texts(30..200)).unwrap();
    log.stop();
    let path = data.path().join("wal/00000000000000000000.seg");
    let mut bytes = std::fs::read(&path).unwrap();
    let (at, _, frame) = crate::wal::segment::next_frame(&bytes, 64, 1).unwrap();
    let last = at + frame.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let log = Running::open(data.path(), small()).unwrap();
    let erased = log.wal.erase(&offsets(&[0, 6, 12]), |_| Ok(())).unwrap();
    assert_eq!((erased.events, erased.unreadable), (2, 1));
    log.stop();
}
