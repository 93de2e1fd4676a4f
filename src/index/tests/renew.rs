//! Segments made anew: after erasing, and all of them.

use std::fs;

use super::super::{Options, Sort, agreement};
use super::{Lab, events, small};
use crate::model::Offset;

/// Erases events from log and index.
fn erase(lab: &Lab, numbers: &[u64]) {
    let erased: Vec<Offset> = numbers.iter().copied().map(Offset).collect();
    lab.wal.erase(&erased, |_| Ok(())).unwrap();
    let never = crate::tasks::Tasks::new().shutdown();
    lab.index.forget(&erased, &never).unwrap();
}

#[test]
fn erased_events_are_found_no_more_and_all_others_are() {
    let dir = tempfile::tempdir().unwrap();
    let lab = Lab::open(dir.path(), small());
    lab.append(&events(0..100));
    lab.catch_up();
    lab.merge();
    lab.append(&events(100..150));
    lab.catch_up();
    // One in a large segment, a whole small one, the newest of all.
    let erased: Vec<u64> = [3, 50]
        .into_iter()
        .chain(105..112)
        .chain([148, 149])
        .collect();
    let left = |end: u64| -> Vec<u64> { (0..end).filter(|at| !erased.contains(at)).collect() };
    let is_left = |found: Vec<u64>| found.iter().all(|at| !erased.contains(at));
    lab.wal.erase(&[Offset(3)], |_| Ok(())).unwrap();
    assert!(
        is_left(lab.find("id:ord_00003", 9, Sort::Asc)),
        "gone before the index knows"
    );
    erase(&lab, &erased);
    let check = |lab: &Lab, end: u64| {
        assert_eq!(lab.find("*", 11, Sort::Asc), left(end));
        assert_eq!(lab.find("completed", 1_000, Sort::Asc), left(end));
        let all = lab.searcher().parse("*").unwrap();
        let found = lab.searcher().offsets(&all, None, None, 1_000).unwrap();
        assert_eq!(found.iter().map(|at| at.0).collect::<Vec<_>>(), left(end));
        assert_eq!(lab.index.visible(), lab.wal.end());
        assert_eq!(
            lab.searcher().count(&all, None, None).unwrap(),
            Some(left(end).len() as u64)
        );
    };
    check(&lab, 150);
    lab.merge();
    check(&lab, 150);
    lab.stop();
    // What a restart finds, and what is built of the log alone.
    for is_deleted in [false, true] {
        if is_deleted {
            fs::remove_dir_all(dir.path().join("index")).unwrap();
        }
        let lab = Lab::open(dir.path(), small());
        lab.catch_up();
        check(&lab, 150);
        lab.stop();
    }
    let lab = Lab::open(dir.path(), small());
    lab.append(&events(150..160));
    lab.catch_up();
    check(&lab, 160);
    lab.stop();
}

#[test]
fn a_half_made_replacement_gives_way_to_what_it_replaces() {
    let dir = tempfile::tempdir().unwrap();
    let lab = Lab::open(
        dir.path(),
        Options {
            segment_events_max: 1_000,
            ..small()
        },
    );
    lab.append(&events(0..100));
    lab.catch_up();
    lab.stop();
    // Small segments beside the large one, as a kill in the middle leaves them.
    let lab = Lab::open(dir.path(), small());
    let never = crate::tasks::Tasks::new().shutdown();
    let parts = lab
        .index
        .worker
        .index_again(0..100, &never)
        .unwrap()
        .unwrap();
    assert!(parts.len() > 10);
    lab.stop();
    let lab = Lab::open(dir.path(), small());
    assert_eq!(lab.index.worker.segments.snapshot().len(), 1);
    erase(&lab, &[42]);
    assert_eq!(lab.find("*", 1_000, Sort::Asc).len(), 99);
    lab.stop();
}

#[test]
fn more_events_than_wanted_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let lab = Lab::open(dir.path(), small());
    lab.append(&events(0..20));
    lab.catch_up();
    let all = lab.searcher().parse("*").unwrap();
    assert!(lab.searcher().offsets(&all, None, None, 19).is_err());
    assert_eq!(
        lab.searcher().offsets(&all, None, None, 20).unwrap().len(),
        20
    );
    lab.stop();
}

#[test]
fn all_segments_are_made_anew_while_searches_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let lab = Lab::open(dir.path(), small());
    lab.append(&events(0..120));
    lab.catch_up();
    lab.merge();
    lab.append(&events(120..150));
    lab.catch_up();
    let worker = &lab.index.worker;
    let before: Vec<_> = worker
        .segments
        .snapshot()
        .iter()
        .map(|segment| segment.meta().first)
        .collect();
    let progress = lab.searcher().rebuild();
    assert_eq!((progress.done, progress.of), (0, before.len()));
    let never = crate::tasks::Tasks::new().shutdown();
    let mut steps = 0;
    while worker.rebuild_once(&never).unwrap() {
        steps += 1;
        assert_eq!(lab.find("completed", 1_000, Sort::Asc).len(), 150);
        // A merge may take what was made anew and what was not together.
        lab.merge();
    }
    assert!(
        steps > 1 && lab.searcher().rebuild_progress().is_none(),
        "{steps}"
    );
    assert_eq!(
        lab.find("*", 1_000, Sort::Asc),
        (0..150).collect::<Vec<_>>()
    );
    lab.stop();
    let lab = Lab::open(dir.path(), small());
    assert_eq!(lab.index.visible(), Offset(150));
    lab.stop();
}

#[test]
fn an_index_that_knows_other_events_than_the_log_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let lab = Lab::open(dir.path(), small());
    lab.append(&events(0..100));
    lab.catch_up();
    lab.merge();
    lab.append(&events(100..110));
    lab.catch_up();
    erase(&lab, &[5, 50, 105]);
    lab.stop();
    let check = |wrong: usize| {
        let log = crate::wal::verify(dir.path(), |_, _| {}).unwrap();
        let found = agreement(dir.path(), &log.present, &log.untold).unwrap();
        assert_eq!(found.wrong.len(), wrong, "{:?}", found.wrong);
        found
    };
    assert_eq!(check(0).events, 107);
    // Erased from the log alone.
    let lab = Lab::open(dir.path(), small());
    lab.wal.erase(&[Offset(60)], |_| Ok(())).unwrap();
    lab.stop();
    assert!(check(1).wrong[0].contains("other events"));
    // A byte of a file that no search has to look at.
    let lab = Lab::open(dir.path(), small());
    let path = lab.index.worker.segments.snapshot()[0].path().join("ids");
    lab.stop();
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    let found = check(2);
    let is_byte = |wrong: &String| wrong.contains("a byte is not as it was written");
    assert_eq!(found.wrong.iter().filter(|wrong| is_byte(wrong)).count(), 1);
}
