//! Start, stop, crash, rebuild, merge, retention, and searches while all of that happens.

use std::fs;
use std::time::Duration;

use super::super::segment::{META, SCHEMA_VERSION};
use super::super::{Options, SearchRequest, Sort};
use super::{Lab, events, offsets, small};
use crate::clock::Stopwatch;
use crate::model::Offset;

fn all_desc(end: u64) -> Vec<u64> {
    (0..end).rev().collect()
}

#[test]
fn events_become_searchable_by_themselves() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        commit_interval_ms: 5,
        ..small()
    };
    let lab = Lab::open(dir.path(), options);
    lab.index.start(&lab.tasks).unwrap();
    lab.append(&events(0..50));
    lab.wait();
    assert_eq!(lab.find("completed", 7, Sort::Desc), all_desc(50));
    lab.append(&events(50..60));
    lab.wait();
    assert_eq!(lab.find("*", 100, Sort::Desc), all_desc(60));
    let page = lab
        .searcher()
        .search(&SearchRequest::new(lab.searcher().parse("").unwrap()))
        .unwrap();
    assert_eq!((page.stats.total, page.stats.lag_events), (Some(60), 0));
    assert_eq!(lab.metrics.index_offset.get(), 60);
    lab.stop();
}

#[test]
fn deleting_the_index_changes_no_answer() {
    let dir = tempfile::tempdir().unwrap();
    let queries = [
        "*",
        "status:400",
        "user:user-3",
        "orders",
        "ip:10.0.0.0/30",
        "ord_00017",
    ];
    let lab = Lab::open(dir.path(), small());
    lab.append(&events(0..100));
    lab.catch_up();
    let before: Vec<_> = queries
        .iter()
        .map(|query| lab.find(query, 9, Sort::Desc))
        .collect();
    assert_eq!(before[0], all_desc(100));
    assert!(before.iter().all(|found| !found.is_empty()), "{before:?}");
    lab.stop();
    fs::remove_dir_all(dir.path().join("index")).unwrap();
    let lab = Lab::open(dir.path(), small());
    assert_eq!(lab.index.visible(), Offset(0));
    lab.catch_up();
    let after: Vec<_> = queries
        .iter()
        .map(|query| lab.find(query, 9, Sort::Desc))
        .collect();
    assert_eq!(before, after);
    lab.stop();
}

#[test]
fn a_missing_segment_is_built_again_between_its_neighbours() {
    let dir = tempfile::tempdir().unwrap();
    let lab = Lab::open(dir.path(), small());
    lab.append(&events(0..70));
    lab.catch_up();
    lab.stop();
    let day = fs::read_dir(dir.path().join("index"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let mut names: Vec<_> = fs::read_dir(&day)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.sort();
    assert_eq!(names.len(), 10);
    fs::remove_dir_all(&names[3]).unwrap();
    fs::write(names[5].join("words"), b"short").unwrap();
    fs::remove_file(names[6].join("ids")).unwrap();
    fs::write(names[8].join(META), b"{}").unwrap();
    let lab = Lab::open(dir.path(), small());
    assert_eq!(lab.index.visible(), Offset(21));
    lab.catch_up();
    assert_eq!(
        lab.find("completed", 20, Sort::Asc),
        (0..70).collect::<Vec<_>>()
    );
    lab.stop();
}

#[test]
fn another_schema_version_is_built_again() {
    let dir = tempfile::tempdir().unwrap();
    let lab = Lab::open(dir.path(), small());
    lab.append(&events(0..14));
    lab.catch_up();
    let path = lab.index.worker.segments.snapshot()[1].path().join(META);
    lab.stop();
    let text = fs::read_to_string(&path).unwrap();
    let here = format!("\"schema_version\":{SCHEMA_VERSION}");
    assert!(text.contains(&here));
    fs::write(&path, text.replace(&here, "\"schema_version\":999")).unwrap();
    let lab = Lab::open(dir.path(), small());
    assert_eq!(lab.index.visible(), Offset(7));
    lab.catch_up();
    assert_eq!(lab.find("*", 20, Sort::Desc), all_desc(14));
    lab.stop();
}

#[test]
fn a_merge_cut_short_leaves_no_event_twice() {
    let dir = tempfile::tempdir().unwrap();
    let copy = tempfile::tempdir().unwrap();
    let options = || Options {
        segment_events_max: 5,
        ..small()
    };
    let lab = Lab::open(dir.path(), options());
    lab.append(&events(0..80));
    lab.catch_up();
    // The parts as they were, put back beside the merged segment: the crash came before they were deleted.
    let day = lab.index.worker.segments.snapshot()[0]
        .path()
        .parent()
        .unwrap()
        .to_owned();
    for part in fs::read_dir(&day).unwrap() {
        let part = part.unwrap();
        let to = copy.path().join(part.file_name());
        fs::create_dir(&to).unwrap();
        for file in fs::read_dir(part.path()).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
    assert_eq!(lab.merge(), 1);
    assert_eq!(lab.find("*", 100, Sort::Desc), all_desc(80));
    lab.stop();
    for part in fs::read_dir(copy.path()).unwrap() {
        let part = part.unwrap();
        fs::rename(part.path(), day.join(part.file_name())).unwrap();
    }
    fs::create_dir(day.join("tmp-half")).unwrap();
    assert_eq!(fs::read_dir(&day).unwrap().count(), 18);
    let lab = Lab::open(dir.path(), options());
    assert_eq!(lab.find("*", 100, Sort::Desc), all_desc(80));
    assert_eq!(fs::read_dir(&day).unwrap().count(), 1);
    lab.stop();
}

#[test]
fn an_index_ahead_of_the_log_is_cut_back() {
    let dir = tempfile::tempdir().unwrap();
    let lab = Lab::open(dir.path(), small());
    lab.append(&events(0..20));
    lab.catch_up();
    lab.stop();
    fs::remove_dir_all(dir.path().join("wal")).unwrap();
    let lab = Lab::open(dir.path(), small());
    assert_eq!(lab.index.found_end(), Offset(20));
    lab.append(&events(0..3));
    lab.catch_up();
    assert_eq!(lab.find("*", 100, Sort::Desc), all_desc(3));
    lab.stop();
}

#[test]
fn ids_are_found_in_any_case_and_form() {
    let dir = tempfile::tempdir().unwrap();
    let lab = Lab::open(dir.path(), small());
    lab.append(&events(0..60));
    lab.catch_up();
    for merged in [false, true] {
        if merged {
            lab.clock.advance(Duration::from_secs(86_400));
            assert!(lab.merge() > 0);
        }
        for id in [
            "5759e988-bd86-2e3f-e1be-000000000005",
            "5759E988BD862E3FE1BE000000000005",
            "00-5759e988bd862e3fe1be000000000005-00f067aa0ba902b7-01",
        ] {
            let page = lab.searcher().by_correlation_id(id, 100).unwrap();
            assert_eq!(offsets(&page), [15, 16, 17], "{id}");
            assert_eq!(
                lab.find(&format!("id:{id}"), 2, Sort::Desc),
                [17, 16, 15],
                "{id}"
            );
        }
        let page = lab
            .searcher()
            .by_correlation_id("REQ-00000042", 100)
            .unwrap();
        assert_eq!(offsets(&page), [42]);
        let page = lab
            .searcher()
            .by_correlation_id("5759e988-bd86-2e3f-e1be-000000000005", 2)
            .unwrap();
        assert_eq!((offsets(&page), page.stats.partial), (vec![16, 17], true));
        assert!(
            lab.searcher()
                .by_correlation_id("absent", 9)
                .unwrap()
                .hits
                .is_empty()
        );
        assert!(
            lab.searcher()
                .by_correlation_id("", 9)
                .unwrap()
                .hits
                .is_empty()
        );
    }
    let hit = lab.searcher().by_offset(Offset(7)).unwrap().unwrap();
    assert_eq!(
        hit.event()
            .unwrap()
            .text(crate::model::Field::HttpRequestId),
        Some("Req-00000007")
    );
    assert!(lab.searcher().by_offset(Offset(60)).unwrap().is_none());
    lab.stop();
}

#[test]
fn paging_covers_everything_once_while_events_arrive_and_segments_merge() {
    let dir = tempfile::tempdir().unwrap();
    let lab = Lab::open(
        dir.path(),
        Options {
            segment_events_max: 3,
            ..small()
        },
    );
    lab.append(&events(100..200));
    lab.catch_up();
    let searcher = lab.searcher();
    let mut request = SearchRequest {
        limit: 9,
        ..SearchRequest::new(searcher.parse("completed").unwrap())
    };
    let mut seen = Vec::new();
    for round in 0.. {
        let page = searcher.search(&request).unwrap();
        seen.extend(offsets(&page));
        request.cursor = page.next_cursor;
        if request.cursor.is_none() {
            break;
        }
        // Newer events do not shift what comes next.
        lab.append(&events(200 + round * 5..205 + round * 5));
        lab.catch_up();
        if round % 3 == 0 {
            lab.merge();
        }
    }
    assert_eq!(seen, all_desc(100));
    lab.stop();
}

#[test]
fn events_of_two_days_of_receipt_stand_in_two_directories() {
    let dir = tempfile::tempdir().unwrap();
    let lab = Lab::open(
        dir.path(),
        Options {
            segment_events_max: 1_000,
            ..small()
        },
    );
    let mut late = events(5..10);
    for event in &mut late {
        event.received.0 += 86_400_000_000_000;
    }
    lab.append(&[events(0..5), late].concat());
    lab.catch_up();
    let mut days: Vec<_> = fs::read_dir(dir.path().join("index"))
        .unwrap()
        .map(|day| day.unwrap().file_name())
        .collect();
    days.sort();
    assert_eq!(days, ["2026-11-21", "2026-11-22"]);
    assert_eq!(lab.find("*", 100, Sort::Desc), all_desc(10));
    lab.stop();
}

#[test]
fn what_the_log_forgets_the_index_forgets() {
    let dir = tempfile::tempdir().unwrap();
    let lab = Lab::open(dir.path(), small());
    lab.append(&events(0..70));
    lab.catch_up();
    assert_eq!(lab.index.drop_before(Offset(30)).unwrap(), 4);
    assert_eq!(lab.find("*", 100, Sort::Asc), (28..70).collect::<Vec<_>>());
    lab.stop();
}

#[test]
fn a_damaged_byte_is_found_and_the_segment_built_again() {
    let dir = tempfile::tempdir().unwrap();
    let lab = Lab::open(dir.path(), small());
    lab.append(&events(0..35));
    lab.catch_up();
    let path = lab.index.worker.segments.snapshot()[2].path().to_owned();
    lab.stop();
    for file in ["columns", "ids", "words"] {
        let whole = fs::read(path.join(file)).unwrap();
        for at in (0..whole.len()).step_by(whole.len() / 5) {
            let mut hurt = whole.clone();
            hurt[at] ^= 0x41;
            fs::write(path.join(file), hurt).unwrap();
            let lab = Lab::open(dir.path(), small());
            // Whatever is asked before the bytes were looked at: no panic.
            for query in [
                "*",
                "user:user-3",
                "ip:10.0.0.0/30",
                "completed",
                "status:>300",
            ] {
                let request = SearchRequest::new(lab.searcher().parse(query).unwrap());
                let _either = lab.searcher().search(&request).is_ok();
            }
            lab.index.start(&lab.tasks).unwrap();
            let watch = Stopwatch::start();
            let segments = &lab.index.worker.segments;
            while !segments
                .snapshot()
                .iter()
                .all(|segment| segment.is_verified())
                || lab.index.visible() < lab.wal.end()
            {
                assert!(watch.elapsed() < Duration::from_secs(20), "{file} {at}");
                std::thread::sleep(Duration::from_millis(2));
            }
            assert_eq!(lab.find("completed", 20, Sort::Desc), all_desc(35));
            assert_eq!(lab.find("req-00000017", 20, Sort::Desc), [17]);
            lab.stop();
        }
    }
}
