//! A disk that fails: nothing acknowledged is lost, nothing appears twice, and the log comes back
//! by itself.

use super::*;
use crate::wal::faults::Kind;

const IO_ERROR: i32 = 5;
const DISK_FULL: i32 = 28;

fn survives(kind: Kind, short: usize, errno: i32) {
    let data = tempfile::tempdir().unwrap();
    let faults = Arc::new(Faults::none());
    let log = Running::faulty(data.path(), small(), &faults).unwrap();
    log.append(&texts(0..10)).unwrap();
    faults.short_writes(short);
    faults.fail(kind, 1, errno);
    let refused = log.append(&texts(10..12));
    assert!(
        matches!(refused, Err(Error::Poisoned)),
        "{kind:?}: {refused:?}"
    );
    assert_eq!(log.wal.end(), Offset(10));
    log.wait_until(|log| !log.wal.status().is_poisoned);
    let appended = log.append(&texts(10..13)).unwrap();
    assert_eq!(appended.first, Offset(10));
    assert_eq!(log.all(), expected(0..13));
    log.stop();
    let log = Running::open(data.path(), small()).unwrap();
    assert_eq!(log.all(), expected(0..13), "{kind:?} {short}");
    assert_eq!(log.wal.status().gaps, 0);
    log.append(&texts(13..14)).unwrap();
    log.stop();
    let report = crate::wal::verify(data.path(), |_, _| ()).unwrap();
    assert!(report.is_sound(), "{kind:?} {short}: {report:?}");
}

#[test]
fn failed_fsync_poisons_until_a_new_segment_is_begun() {
    survives(Kind::Sync, 0, IO_ERROR);
}

#[test]
fn failed_write_is_given_up_whatever_of_it_reached_the_disk() {
    for short in [0, 1, 71, 72, 100, 100_000] {
        survives(Kind::Write, short, IO_ERROR);
        survives(Kind::Write, short, DISK_FULL);
    }
}

#[test]
fn bytes_that_cannot_be_cut_are_disowned() {
    let data = tempfile::tempdir().unwrap();
    let faults = Arc::new(Faults::none());
    let log = Running::faulty(data.path(), small(), &faults).unwrap();
    log.append(&texts(0..4)).unwrap();
    // The frame is there, whole, but nobody was told so.
    faults.short_writes(100_000);
    faults.fail(Kind::SetLen, 100, IO_ERROR);
    faults.fail(Kind::Write, 1, IO_ERROR);
    assert!(log.append(&["never".into()]).is_err());
    log.wait_until(|log| !log.wal.status().is_poisoned);
    log.append(&texts(4..9)).unwrap();
    assert_eq!(log.all(), expected(0..9));
    log.stop();
    assert!(
        crate::wal::verify(data.path(), |_, _| ())
            .unwrap()
            .is_sound()
    );
    for _ in 0..2 {
        let log = Running::open(data.path(), small()).unwrap();
        assert_eq!(log.all(), expected(0..9));
        log.stop();
    }
}

#[test]
fn any_call_may_fail_at_any_time() {
    for kind in [
        Kind::Create,
        Kind::Write,
        Kind::Sync,
        Kind::SyncDir,
        Kind::SetLen,
        Kind::Rename,
    ] {
        let data = tempfile::tempdir().unwrap();
        let faults = Arc::new(Faults::none());
        let log = Running::faulty(data.path(), small(), &faults).unwrap();
        let mut acked = Vec::new();
        for round in 0..60u64 {
            if round % 7 == 3 {
                faults.short_writes(usize::try_from(round * 3).unwrap());
                faults.fail(kind, 1 + u32::try_from(round % 3).unwrap(), IO_ERROR);
            }
            let text = format!("{kind:?} {round} {}", "x".repeat(150));
            match log.append(std::slice::from_ref(&text)) {
                Ok(appended) => acked.push((appended.first.0, text)),
                Err(Error::Poisoned) => log.wait_until(|log| !log.wal.status().is_poisoned),
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!(log.all(), acked, "{kind:?}");
        log.stop();
        let log = Running::open(data.path(), small()).unwrap();
        assert_eq!(log.all(), acked, "{kind:?}");
        assert_eq!(log.wal.status().gaps, 0, "{kind:?}");
        log.stop();
    }
}

#[test]
fn full_disk_refuses_and_comes_back_when_there_is_room() {
    let data = tempfile::tempdir().unwrap();
    let faults = Arc::new(Faults::none());
    let log = Running::faulty(data.path(), small(), &faults).unwrap();
    log.append(&texts(0..5)).unwrap();
    faults.room(Some(150));
    assert!(matches!(log.append(&texts(5..90)), Err(Error::Poisoned)));
    assert_eq!(log.metrics.wal_poisoned.get(), 1);
    std::thread::sleep(Duration::from_millis(100));
    assert!(matches!(log.append(&texts(5..6)), Err(Error::Poisoned)));
    assert_eq!(log.all(), expected(0..5));
    faults.room(None);
    log.wait_until(|log| !log.wal.status().is_poisoned);
    log.append(&texts(5..6)).unwrap();
    assert_eq!(log.all(), expected(0..6));
    log.stop();
}

/// A real file system without room; needs the right to mount one.
#[test]
fn small_file_system_fills_up_and_is_emptied() {
    let mounted = tempfile::tempdir().unwrap();
    let mount = |arguments: &[&str]| {
        let run = std::process::Command::new(arguments[0])
            .args(&arguments[1..])
            .output();
        run.is_ok_and(|output| output.status.success())
    };
    let path = mounted.path().to_str().unwrap();
    if !mount(&["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", path]) {
        eprintln!("skipped: no right to mount a small file system");
        return;
    }
    let ballast = mounted.path().join("ballast");
    std::fs::write(&ballast, vec![0; 500_000]).unwrap();
    let options = Options {
        segment_bytes_max: 1 << 20,
        ..small()
    };
    let log = Running::open(mounted.path(), options.clone()).unwrap();
    let mut acked = Vec::new();
    let noise = |seed: u64| -> String {
        let mut state = seed + 1;
        let digit = |_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            char::from(b'a' + u8::try_from((state >> 59) % 26).unwrap())
        };
        (0..20_000).map(digit).collect()
    };
    let mut refused = 0;
    for number in 0..60 {
        match log.append(&[noise(number)]) {
            Ok(appended) => acked.push((appended.first.0, noise(number))),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 0 && acked.len() > 5, "{refused} {}", acked.len());
    assert_eq!(log.all(), acked);
    std::fs::remove_file(&ballast).unwrap();
    log.wait_until(|log| !log.wal.status().is_poisoned);
    for number in 100..105 {
        let appended = log.append(&[noise(number)]).unwrap();
        acked.push((appended.first.0, noise(number)));
    }
    assert_eq!(log.all(), acked);
    log.stop();
    let log = Running::open(mounted.path(), options).unwrap();
    assert_eq!(log.all(), acked);
    log.stop();
    assert!(mount(&["umount", path]));
}
