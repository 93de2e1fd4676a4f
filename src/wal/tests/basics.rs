//! Appending, reading, rolling, reopening, deleting.

use super::*;

#[test]
fn events_come_back_in_order_across_segments_and_restarts() {
    let data = tempfile::tempdir().unwrap();
    let mut next = 0;
    for _ in 0..4 {
        let log = Running::open(data.path(), small()).unwrap();
        for size in [1, 7, 30, 2] {
            let appended = log.append(&texts(next..next + size)).unwrap();
            assert_eq!(
                appended,
                Appended {
                    first: Offset(next),
                    count: size
                }
            );
            next += size;
            assert_eq!(log.wal.end(), Offset(next));
            assert_eq!(*log.wal.watch().borrow(), Offset(next));
        }
        assert_eq!(log.all(), expected(0..next));
        log.stop();
    }
    let log = Running::open(data.path(), small()).unwrap();
    assert!(
        log.wal.status().segments > 3,
        "the log rolls: {:?}",
        log.wal.status()
    );
    assert_eq!(log.all(), expected(0..next));
    for offset in 0..next {
        let frame = log.wal.frame_at(Offset(offset)).unwrap().unwrap();
        assert!(frame.first() <= Offset(offset) && Offset(offset) < frame.end());
        assert!(frame.record(Offset(offset)).is_some());
        assert_eq!(
            log.wal
                .reader(Offset(offset))
                .next(Duration::ZERO)
                .unwrap()
                .unwrap()
                .first(),
            Offset(offset)
        );
    }
    assert!(log.wal.frame_at(Offset(next)).unwrap().is_none());
    assert_eq!(
        log.metrics.wal_gaps.get() + log.metrics.wal_torn_tails.get(),
        0
    );
    log.stop();
    let report = crate::wal::verify(data.path(), |_, _| ()).unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.events, report.end), (next, Offset(next)));
}
