use std::time::Duration;

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
        in_flight_bytes_max: 4 << 10,
        hold_ms_max: 30,
        ..Options::default()
    };
    let rig = rig(options, false);
    let room = rig.intake.reserve(3 << 10).await.unwrap();
    assert_eq!(rig.metrics.ingest_in_flight_bytes.get(), 3 << 10);
    let refused = rig
        .intake
        .submit(payload(Format::Text, "x".repeat(2 << 10)))
        .await;
    assert_eq!(refused, Err(Refused::Busy { retry_after_s: 2 }));
    assert_eq!(rig.metrics.ingest_refused.get(), 1);
    // Room that comes back in time lets a held request in, also one larger than all the room there is.
    let intake = rig.intake.clone();
    let (large, ()) = tokio::join!(intake.reserve(1 << 20), async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        drop(room);
    });
    drop(large.unwrap());
    assert_eq!(rig.metrics.ingest_in_flight_bytes.get(), 0);
}

#[tokio::test]
async fn a_closed_log_is_unavailable() {
    let rig = rig(Options::default(), true);
    rig.wal.close();
    rig.tasks.stop();
    rig.tasks.drained().await;
    let refused = rig.intake.submit(payload(Format::Auto, "{}")).await;
    assert_eq!(refused, Err(Refused::Unavailable { retry_after_s: 2 }));
}
