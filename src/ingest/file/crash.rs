//! The process that follows a file is killed again and again: no line is lost, few come twice.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use super::{Followed, Options, Place, start};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::model::{Field, Offset};
use crate::pipeline::{Ack, Payload, Refused};
use crate::redact::{Batch, decode};
use crate::tasks::Tasks;
use crate::wal::Wal;

const FOLLOWER: &str = "WARDLINE_TEST_FOLLOWER";

/// Every line becomes an event, as the pipeline would do it.
fn batch(payload: &Payload) -> Batch {
    let mut batch = Batch::default();
    for line in payload.bytes.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap();
        // The codec's record with one short text field.
        let mut record = vec![1; 17];
        let length = u8::try_from(line.len()).unwrap();
        record.extend_from_slice(&[Field::Message.code(), 0, length]);
        record.extend_from_slice(line);
        batch.push(&decode(&record).unwrap());
    }
    batch
}

/// Not a test of its own: the process that is killed.
#[test]
fn following_process() {
    let Ok(folder) = std::env::var(FOLLOWER) else {
        return;
    };
    let folder = Path::new(&folder);
    let data = folder.join("data");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    let (tasks, metrics) = (Tasks::new(), Arc::new(Metrics::default()));
    let wal = Wal::open(
        &data,
        crate::wal::Options::default(),
        Clock::System,
        metrics.clone(),
    );
    let wal = wal.unwrap();
    wal.start(&tasks).unwrap();
    let submit = move |payload: Payload| {
        let wal = wal.clone();
        async move {
            let appended = wal.append(batch(&payload)).await;
            let refused = Refused {
                retry_after_s: 1,
                stored: 0,
            };
            let appended = appended.map_err(|_| refused)?;
            Ok(Ack {
                accepted: appended.count,
                flagged: 0,
                first: appended.first,
            })
        }
    };
    let path = folder.join("*.log").to_str().unwrap().into();
    let follow = vec![Followed {
        path,
        format: Default::default(),
        source: None,
    }];
    let options = Options {
        follow,
        poll_interval_ms: 2,
        chunk_bytes_max: 200,
        line_bytes_max: 100,
        ..Options::default()
    };
    let place = Place {
        data: &data,
        metrics,
        clock: Clock::System,
    };
    start(options, &place, submit, &tasks).unwrap();
    std::thread::sleep(Duration::from_secs(60));
}

#[test]
fn killed_follower_loses_no_line() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    let mut file = fs::File::create(folder.path().join("a.log")).unwrap();
    let mut written = 0;
    let kills = 10;
    for round in 0..=kills {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["ingest::file::crash::following_process", "--exact"])
            .env(FOLLOWER, folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        for _ in 0..20 {
            for _ in 0..10 {
                writeln!(file, "line {written}").unwrap();
                written += 1;
            }
            std::thread::sleep(Duration::from_millis(2 + round * 7 % 5));
        }
        if round == kills {
            // The last one may finish, however slow the machine is.
            let done = format!("\"offset\":{},", file.metadata().unwrap().len());
            let is_done =
                || fs::read_to_string(data.join("files.json")).is_ok_and(|all| all.contains(&done));
            for _ in 0..1000 {
                if is_done() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let metrics = Arc::new(Metrics::default());
    let wal = Wal::open(
        &data,
        crate::wal::Options::default(),
        Clock::System,
        metrics,
    )
    .unwrap();
    let mut reader = wal.reader(Offset(0));
    let mut seen: HashMap<String, u64> = HashMap::new();
    while let Some(frame) = reader.next(Duration::ZERO).unwrap() {
        for (offset, _) in frame.iter() {
            let event = frame.event(offset).unwrap().unwrap();
            *seen
                .entry(event.text(Field::Message).unwrap().to_owned())
                .or_default() += 1;
        }
    }
    for number in 0..written {
        assert!(
            seen.contains_key(&format!("line {number}")),
            "line {number} of {written}"
        );
    }
    let repeated: u64 = seen.values().map(|times| times - 1).sum();
    // A crash repeats one chunk at most: 200 bytes, 28 lines of 7.
    assert!(repeated <= kills * 28, "{repeated}");
}
