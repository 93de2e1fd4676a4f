use std::sync::Weak;

use super::super::intake::GROWTH_MAX;
use super::*;
use crate::clock::Clock;
use crate::tasks::Tasks;
use crate::wal::{self, Wal};

struct Rig {
    intake: Intake,
    wal: Wal,
    metrics: Arc<Metrics>,
    tasks: Tasks,
    _folder: tempfile::TempDir,
}

fn rig(options: Options, is_started: bool) -> Rig {
    let folder = tempfile::tempdir().unwrap();
    let metrics = Arc::new(Metrics::default());
    let tasks = Tasks::new();
    let clock = Clock::manual(NOW);
    let wal = Wal::open(
        folder.path(),
        wal::Options::default(),
        clock,
        metrics.clone(),
    )
    .unwrap();
    if is_started {
        wal.start(&tasks).unwrap();
    }
    let pipeline = pipeline_with(&options, None);
    let intake = Intake::new(
        options,
        pipeline,
        wal.clone(),
        tasks.clone(),
        metrics.clone(),
    );
    Rig {
        intake,
        wal,
        metrics,
        tasks,
        _folder: folder,
    }
}

#[tokio::test]
async fn an_ack_means_the_events_can_be_read() {
    let rig = rig(Options::default(), true);
    let ack = rig
        .intake
        .submit(payload(Format::Auto, "{\"a\":1}\n{\"b\":"))
        .await
        .unwrap();
    assert_eq!((ack.accepted, ack.flagged, ack.first), (2, 1, Offset(0)));
    let big = "{\"a\":1}\n".repeat(10_000);
    let ack = rig.intake.submit(payload(Format::Json, big)).await.unwrap();
    assert_eq!(
        (ack.accepted, ack.flagged, ack.first),
        (10_000, 0, Offset(2))
    );
    assert_eq!(rig.wal.end(), Offset(10_002));
    assert_eq!(rig.metrics.ingest_events.get(), 10_002);
    assert_eq!(rig.metrics.ingest_in_flight_bytes.get(), 0);
    let nothing = rig.intake.submit(payload(Format::Auto, "")).await.unwrap();
    assert_eq!(nothing.accepted, 0);
    rig.tasks.stop();
    rig.wal.close();
    rig.tasks.drained().await;
}

#[tokio::test]
async fn without_room_a_request_is_held_and_then_refused() {
    let options = Options {
        in_flight_bytes_max: 240 << 10,
        ..Options::default()
    };
    let rig = rig(options, false);
    let patience = Duration::from_secs(5);
    let room = rig.intake.reserve(2 << 10, patience).await.unwrap();
    assert_eq!(rig.metrics.ingest_in_flight_bytes.get(), 160 << 10);
    let refused = rig
        .intake
        .submit(Payload {
            patience: Duration::from_millis(30),
            ..payload(Format::Text, "x".repeat(2 << 10))
        })
        .await;
    assert_eq!(refused, Err(refusal(0)));
    // Room that comes back in time lets a held request in, also one larger than all the room there
    // is.
    let intake = rig.intake.clone();
    let (large, ()) = tokio::join!(intake.reserve(1 << 20, patience), async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        drop(room);
    });
    drop(large.unwrap());
    assert_eq!(rig.metrics.ingest_in_flight_bytes.get(), 0);
}

fn refusal(stored: u64) -> Refused {
    Refused {
        retry_after_s: 2,
        stored,
    }
}

#[tokio::test]
async fn a_closed_log_is_unavailable() {
    let rig = rig(Options::default(), true);
    rig.wal.close();
    rig.tasks.stop();
    rig.tasks.drained().await;
    let refused = rig.intake.submit(payload(Format::Auto, "{}")).await;
    assert_eq!(refused, Err(refusal(0)));
}

#[tokio::test]
async fn a_log_that_fails_in_the_middle_of_a_body_says_what_it_has() {
    for inline_bytes_max in [0, 1 << 20] {
        let options = Options {
            inline_bytes_max,
            batch_bytes_max: 4_000,
            ..Options::default()
        };
        let rig = rig(options, false);
        let body = payload(Format::Text, "1\n".repeat(10_000));
        let (refused, ()) = tokio::join!(rig.intake.submit(body), async {
            // The first batch waits for the writer, which takes that one and no other.
            tokio::time::sleep(Duration::from_millis(300)).await;
            rig.wal.close();
            rig.wal.start(&rig.tasks).unwrap();
        });
        let stored = refused.unwrap_err().stored;
        assert!(stored > 0 && stored < 100, "{stored}");
        assert_eq!(rig.wal.end(), Offset(stored));
        rig.tasks.stop();
        rig.tasks.drained().await;
    }
}

/// A body with a mark on its room, so that one can see whether it is still held.
fn marked(body: String) -> (Payload, Weak<()>) {
    let mark = Arc::new(());
    let seen = Arc::downgrade(&mark);
    let payload = Payload {
        room: Some(Box::new(mark)),
        ..payload(Format::Text, body)
    };
    (payload, seen)
}

#[tokio::test]
async fn room_is_held_for_as_long_as_the_work_goes_on_and_no_longer() {
    // One batch that takes long to make: the caller goes in the middle of it.
    let options = Options {
        batch_bytes_max: 1 << 30,
        ..Options::default()
    };
    let rig = rig(options, false);
    let (payload, room) = marked("1\n".repeat(100_000));
    let gone = tokio::time::timeout(Duration::from_millis(20), rig.intake.submit(payload)).await;
    assert!(gone.is_err(), "the log is not running");
    assert!(room.upgrade().is_some(), "somebody works on the body still");
    assert!(rig.metrics.ingest_in_flight_bytes.get() > 0);
    for _ in 0..3_000 {
        if room.upgrade().is_none() && rig.metrics.ingest_in_flight_bytes.get() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the room never came back");
}

#[test]
fn no_body_grows_beyond_the_room_for_its_events() {
    let pipeline = pipeline_with(&Options::default(), None);
    let numbers = format!("[{}1]", "1,".repeat(500));
    let objects = format!("[{}{{}}]", "{},".repeat(500));
    for body in ["1\n".repeat(500), "{\n".repeat(500), numbers, objects] {
        for format in [Format::Auto, Format::Json, Format::Text, Format::Ecs] {
            let payload = Payload {
                source: "s".repeat(64).into(),
                ..payload(format, body.clone())
            };
            let events: usize = outputs(&pipeline, &payload)
                .iter()
                .map(|output| output.batch.bytes() + output.batch.len() * size_of::<usize>())
                .sum();
            assert!(
                events <= body.len() * GROWTH_MAX,
                "{events} of {} as {format:?}",
                body.len()
            );
        }
    }
}
