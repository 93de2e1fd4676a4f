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

#[test]
fn one_process_at_a_time() {
    let data = tempfile::tempdir().unwrap();
    let log = Running::open(data.path(), small()).unwrap();
    assert!(matches!(
        Running::open(data.path(), small()),
        Err(Error::Locked)
    ));
    assert!(crate::wal::verify(data.path(), |_, _| ()).unwrap().is_live);
    log.stop();
    let log = Running::open(data.path(), small()).unwrap();
    assert!(matches!(log.wal.start(&log.tasks), Err(Error::Running)));
    log.stop();
}

#[test]
fn closed_log_refuses_and_shutdown_drains() {
    let data = tempfile::tempdir().unwrap();
    let log = Running::open(data.path(), small()).unwrap();
    let wal = log.wal.clone();
    log.tasks.stop();
    log.append(&texts(0..2)).unwrap();
    log.stop();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    assert!(matches!(
        runtime.block_on(wal.append(batch(&texts(0..1)))),
        Err(Error::Closed)
    ));
    assert_eq!(all(&wal), expected(0..2));
}

#[test]
fn empty_and_oversized_batches_do_no_harm() {
    let data = tempfile::tempdir().unwrap();
    let options = Options {
        queue_bytes_max: 100,
        ..small()
    };
    let log = Running::open(data.path(), options).unwrap();
    assert_eq!(log.append(&[]).unwrap().count, 0);
    let large = "z".repeat(3 << 20);
    log.append(&[large.clone(), "small".into()]).unwrap();
    assert_eq!(log.all(), vec![(0, large), (1, "small".into())]);
    assert!(matches!(
        log.append(&["z".repeat(33 << 20)]),
        Err(Error::TooLarge)
    ));
    log.stop();
}

#[test]
fn many_appenders_share_an_fsync_and_readers_see_all_once() {
    let data = tempfile::tempdir().unwrap();
    let options = Options {
        queue_bytes_max: 10_000,
        segment_bytes_max: 40_000,
        ..small()
    };
    let log = Running::open(data.path(), options).unwrap();
    let (appenders, rounds) = (64u64, 20u64);
    let total = appenders * rounds * 2;
    let wal = log.wal.clone();
    let reader = std::thread::Builder::new().spawn(move || {
        let mut reader = wal.reader(Offset(0));
        let mut seen = Vec::new();
        while (seen.len() as u64) < total {
            if let Some(frame) = reader.next(Duration::from_secs(5)).unwrap() {
                seen.extend(frame.iter().map(|(offset, _)| {
                    let event = frame.event(offset).unwrap().unwrap();
                    (offset.0, event.text(Field::UrlPath).unwrap().to_owned())
                }));
            }
        }
        seen
    });
    let reader = reader.unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    let mut handles = Vec::new();
    for appender in 0..appenders {
        let wal = log.wal.clone();
        handles.push(runtime.spawn(async move {
            let mut acked = Vec::new();
            for round in 0..rounds {
                let texts = [
                    format!("{appender} {round} a"),
                    format!("{appender} {round} b"),
                ];
                let first = wal.append(batch(&texts)).await.unwrap().first.0;
                acked.extend((first..).zip(texts));
            }
            assert!(acked.is_sorted(), "an appender's batches keep their order");
            acked
        }));
    }
    let mut acked = Vec::new();
    for handle in handles {
        acked.extend(runtime.block_on(handle).unwrap());
    }
    acked.sort();
    assert_eq!(acked, reader.join().unwrap());
    assert_eq!(acked, log.all());
    let text = log.metrics.render();
    let count = text
        .lines()
        .find_map(|line| line.strip_prefix("wardline_wal_fsync_seconds_count "));
    let syncs: u64 = count.unwrap().parse().unwrap();
    assert!(
        log.metrics.wal_append_waits.get() > 0,
        "the queue was full at times"
    );
    assert!(
        syncs < appenders * rounds / 2,
        "{syncs} fsyncs for {} batches",
        appenders * rounds
    );
    log.stop();
}

#[test]
fn retention_leaves_what_is_held_for_so_long() {
    let data = tempfile::tempdir().unwrap();
    let options = Options {
        retention_age_days: Some(7),
        ..small()
    };
    let log = Running::open(data.path(), options).unwrap();
    for at in 0..30 {
        log.append(&texts(at * 10..at * 10 + 10)).unwrap();
    }
    let later = |days: i64| Timestamp(log.clock.now().0 + days * 86_400_000_000_000);
    let retained = |days: i64| log.wal.enforce_retention(later(days), Offset(150)).unwrap();
    let short = log.wal.hold(later(9));
    let hold = log.wal.hold(later(20));
    assert_eq!(retained(8), 0);
    let (files, end) = log.wal.files();
    assert!(files.len() > 2 && files.iter().all(|file| file.path.exists()));
    assert_eq!((files[0].first, end), (Offset(0), Offset(300)));
    // The one whose time is over counts no more, the other one goes.
    assert_eq!(retained(10), 0);
    drop((short, hold));
    assert!(retained(10) > 0);
    let _over = log.wal.hold(later(10));
    assert_eq!(log.wal.enforce_retention(later(10), Offset(0)).unwrap(), 0);
    assert!(log.wal.enforce_retention(later(10), Offset(250)).unwrap() > 0);
}

#[test]
fn retention_deletes_whole_old_segments_that_nobody_needs() {
    let data = tempfile::tempdir().unwrap();
    let options = Options {
        retention_age_days: Some(7),
        ..small()
    };
    let log = Running::open(data.path(), options.clone()).unwrap();
    for at in 0..30 {
        log.append(&texts(at * 10..at * 10 + 10)).unwrap();
    }
    let before = log.wal.status();
    let later = |days: i64| Timestamp(log.clock.now().0 + days * 86_400_000_000_000);
    assert_eq!(log.wal.enforce_retention(later(6), Offset(300)).unwrap(), 0);
    assert_eq!(log.wal.enforce_retention(later(8), Offset(0)).unwrap(), 0);
    assert!(log.wal.enforce_retention(later(8), Offset(150)).unwrap() > 0);
    let first = log.wal.first().0;
    assert!((1..=150).contains(&first), "{first}");
    assert_eq!(log.all(), expected(first..300));
    assert!(log.wal.frame_at(Offset(0)).unwrap().is_none());
    assert!(log.wal.status().bytes < before.bytes);
    // The segment being written goes too, once another one is begun: the log is empty, its offsets
    // go on.
    log.wal.enforce_retention(later(8), Offset(300)).unwrap();
    log.wait_until(|log| {
        log.wal.enforce_retention(later(8), Offset(300)).unwrap();
        log.wal.first() == Offset(300)
    });
    assert_eq!(log.all(), vec![]);
    let head = crate::wal::verify(data.path(), |_, _| ()).unwrap().head;
    assert_ne!(head, "00".repeat(32));
    log.stop();
    let log = Running::open(data.path(), options).unwrap();
    assert_eq!((log.wal.first(), log.wal.end()), (Offset(300), Offset(300)));
    assert_eq!(log.append(&texts(300..301)).unwrap().first, Offset(300));
    assert_eq!(log.all(), expected(300..301));
    log.stop();
    assert!(
        crate::wal::verify(data.path(), |_, _| ())
            .unwrap()
            .is_sound()
    );
}

#[test]
fn reading_writing_and_deleting_do_not_disturb_each_other() {
    let data = tempfile::tempdir().unwrap();
    let options = Options {
        retention_bytes_max: Some(6000),
        ..small()
    };
    let log = Running::open(data.path(), options).unwrap();
    let total = 3000;
    std::thread::scope(|scope| {
        let follow = |keeps_up: bool| {
            let mut reader = log.wal.reader(Offset(0));
            let mut next = 0;
            while next < total {
                if let Some(frame) = reader.next(Duration::from_secs(2)).unwrap() {
                    assert!(frame.first().0 >= next && (!keeps_up || frame.first().0 == next));
                    for (offset, _) in frame.iter() {
                        let event = frame.event(offset).unwrap().unwrap();
                        assert_eq!(
                            event.text(Field::UrlPath),
                            Some(&*format!("event {}", offset.0))
                        );
                    }
                    next = frame.end().0;
                    if keeps_up {
                        // What this reader has read may be deleted.
                        log.wal
                            .enforce_retention(Timestamp(0), Offset(next))
                            .unwrap();
                    }
                }
            }
        };
        scope.spawn(move || follow(true));
        scope.spawn(move || follow(false));
        scope.spawn(|| {
            // Looks anywhere, also at what is being deleted.
            for at in (0..total).cycle().step_by(7).take(4000) {
                if let Some(frame) = log.wal.frame_at(Offset(at)).unwrap() {
                    assert!(frame.record(Offset(at)).is_some());
                }
            }
        });
        for at in 0..total / 10 {
            log.append(&texts(at * 10..at * 10 + 10)).unwrap();
        }
    });
    assert!(log.wal.first() > Offset(0));
    assert_eq!(log.wal.status().gaps, 0);
    log.stop();
}
