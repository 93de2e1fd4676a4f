//! A log that is encrypted at rest.

use super::*;
use crate::files::keys;
use crate::wal::verify;

fn with_key(path: &Path) -> Options {
    Options {
        encryption_key_file: Some(path.to_owned()),
        ..small()
    }
}

/// Whether a text stands in any file of the log.
fn is_on_disk(data: &Path, text: &str) -> bool {
    let entries = std::fs::read_dir(data.join("wal")).unwrap();
    let mut files = entries.map(|entry| entry.unwrap().path());
    files.any(|path| {
        let bytes = std::fs::read(path).unwrap_or_default();
        memchr::memmem::find(&bytes, text.as_bytes()).is_some()
    })
}

#[test]
fn events_are_written_sealed_and_read_as_before() {
    let data = tempfile::tempdir().unwrap();
    let key = data.path().join("log.key");
    keys::read_or_create(&key).unwrap();
    // What was written before stays as it is and is read, too.
    let log = Running::open(data.path(), small()).unwrap();
    log.append(&texts(0..5)).unwrap();
    log.stop();
    assert!(is_on_disk(data.path(), "event"));
    let log = Running::open(data.path(), with_key(&key)).unwrap();
    log.append(&texts(5..60)).unwrap();
    assert_eq!(log.all(), expected(0..60));
    log.stop();
    let sealed = data.path().join("wal/00000000000000000005.seg");
    let bytes = std::fs::read(sealed).unwrap();
    assert!(memchr::memmem::find(&bytes, b"event").is_none());
    let report = verify(data.path(), |_, _| {}).unwrap();
    assert!(report.is_sound() && report.sealed_frames > 0, "{report:?}");
    // A new key seals what comes; the old one opens what was.
    keys::rotate(&key, keys::Oldest::Stays).unwrap();
    let log = Running::open(data.path(), with_key(&key)).unwrap();
    log.append(&texts(60..90)).unwrap();
    assert_eq!(log.all(), expected(0..90));
    // Erasing in files of each key and of none.
    let gone = [2, 30, 70].map(Offset);
    assert_eq!(log.wal.erase(&gone, |_| Ok(())).unwrap().events, 3);
    let mut left = expected(0..90);
    left.retain(|(at, _)| ![2, 30, 70].contains(at));
    assert_eq!(log.all(), left);
    log.append(&texts(90..95)).unwrap();
    log.stop();
    let log = Running::open(data.path(), with_key(&key)).unwrap();
    assert_eq!(log.all().len(), 92);
    assert_eq!(log.metrics.wal_gaps.get(), 0);
    log.stop();
}

#[test]
fn a_log_without_its_key_is_not_opened_and_not_called_damaged() {
    let data = tempfile::tempdir().unwrap();
    let (key, other) = (data.path().join("a"), data.path().join("b"));
    keys::read_or_create(&key).unwrap();
    keys::read_or_create(&other).unwrap();
    let log = Running::open(data.path(), with_key(&key)).unwrap();
    log.append(&texts(0..40)).unwrap();
    log.stop();
    for options in [small(), with_key(&other)] {
        let refused = Running::open(data.path(), options).err();
        assert!(matches!(refused, Some(Error::KeyMissing(_))), "{refused:?}");
    }
    let missing = Running::open(data.path(), with_key(&data.path().join("c"))).err();
    assert!(matches!(missing, Some(Error::Key(_))), "{missing:?}");
    let log = Running::open(data.path(), with_key(&key)).unwrap();
    assert_eq!(log.all(), expected(0..40));
    assert_eq!(log.metrics.wal_gaps.get(), 0);
    log.stop();
}

#[test]
fn a_key_that_may_be_needed_is_never_dropped() {
    let data = tempfile::tempdir().unwrap();
    let key = data.path().join("log.key");
    keys::read_or_create(&key).unwrap();
    for _ in 1..keys::KEYS_MAX {
        keys::rotate(&key, keys::Oldest::Stays).unwrap();
    }
    let before = std::fs::read(&key).unwrap();
    let full = keys::rotate(&key, keys::Oldest::Stays).err();
    assert!(matches!(full, Some(keys::Error::Full)), "{full:?}");
    assert_eq!(std::fs::read(&key).unwrap(), before);
}

#[test]
fn erasing_under_a_damaged_head_keeps_frames_sealed() {
    let data = tempfile::tempdir().unwrap();
    let key = data.path().join("log.key");
    keys::read_or_create(&key).unwrap();
    let log = Running::open(data.path(), with_key(&key)).unwrap();
    log.append(&texts(0..40)).unwrap();
    log.append(&texts(40..60)).unwrap();
    log.stop();
    let path = data.path().join("wal/00000000000000000000.seg");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[20] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let log = Running::open(data.path(), with_key(&key)).unwrap();
    assert_eq!(log.wal.erase(&[Offset(3)], |_| Ok(())).unwrap().events, 1);
    log.stop();
    let bytes = std::fs::read(&path).unwrap();
    assert!(memchr::memmem::find(&bytes, b"event").is_none());
}
