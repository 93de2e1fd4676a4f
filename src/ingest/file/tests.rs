//! Files that grow, are renamed, copied and truncated, while the door is up, down, or refused.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use wardline_parsers::Format;

use super::{Followed, Options, Place, start};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::model::{Offset, Timestamp};
use crate::pipeline::{Ack, Payload, Refused};
use crate::tasks::Tasks;

/// What came out of the door, and how often it is to be refused.
#[derive(Clone, Default)]
struct Received {
    lines: Arc<Mutex<Vec<String>>>,
    sources: Arc<Mutex<Vec<String>>>,
    refusals: Arc<AtomicU32>,
}

impl Received {
    fn take(&self, payload: &Payload) -> Result<Ack, Refused> {
        if self.refusals.load(Ordering::SeqCst) > 0 {
            self.refusals.fetch_sub(1, Ordering::SeqCst);
            return Err(Refused {
                retry_after_s: 0,
                stored: 0,
            });
        }
        let text = String::from_utf8(payload.bytes.to_vec()).unwrap();
        self.lines
            .lock()
            .unwrap()
            .extend(text.lines().map(str::to_owned));
        self.sources
            .lock()
            .unwrap()
            .push(payload.source.to_string());
        Ok(Ack {
            accepted: 1,
            flagged: 0,
            first: Offset(0),
        })
    }

    fn wait_for(&self, wanted: &[&str]) {
        for _ in 0..1000 {
            if self.lines.lock().unwrap().len() >= wanted.len() {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        // What should not come has time to come too.
        std::thread::sleep(Duration::from_millis(60));
        assert_eq!(*self.lines.lock().unwrap(), wanted);
    }
}

struct Door {
    folder: tempfile::TempDir,
    received: Received,
    running: Option<(Tasks, tokio::runtime::Runtime)>,
    metrics: Arc<Metrics>,
}

impl Door {
    fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        let mut door = Self {
            folder,
            received: Received::default(),
            running: None,
            metrics: Arc::default(),
        };
        door.up();
        door
    }

    fn up(&mut self) {
        let follow = Followed {
            path: self.path("*.log").to_str().unwrap().into(),
            format: Format::Text,
            source: None,
        };
        let options = Options {
            follow: vec![follow],
            poll_interval_ms: 5,
            chunk_bytes_max: 64,
            line_bytes_max: 40,
            rotated_wait_ms: 150,
            ..Options::default()
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .unwrap();
        let tasks = Tasks::new();
        let data = self.folder.path().join("data");
        let clock = Clock::manual(Timestamp(1));
        let place = Place {
            data: &data,
            metrics: self.metrics.clone(),
            clock,
        };
        let received = self.received.clone();
        let submit = move |payload: Payload| std::future::ready(received.take(&payload));
        let entered = runtime.enter();
        start(options, &place, submit, &tasks).unwrap();
        drop(entered);
        self.running = Some((tasks, runtime));
    }

    fn down(&mut self) {
        if let Some((tasks, runtime)) = self.running.take() {
            tasks.stop();
            runtime.block_on(tasks.drained());
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn append(&self, name: &str, text: &str) {
        append(&self.path(name), text);
    }
}

fn append(path: &Path, text: &str) {
    let mut file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

#[test]
fn lines_come_once_they_are_whole_and_not_again_after_a_restart() {
    let mut door = Door::open();
    door.append("a.log", "one\ntwo\nthr");
    door.received.wait_for(&["one", "two"]);
    door.append("a.log", "ee\n");
    door.received.wait_for(&["one", "two", "three"]);
    assert_eq!(door.metrics.files_followed.get(), 1);
    assert_eq!(door.received.sources.lock().unwrap()[0], "a.log");
    door.down();
    door.append("a.log", "four\n");
    door.append("b.log", "five\n");
    door.up();
    door.received
        .wait_for(&["one", "two", "three", "four", "five"]);
    door.down();
    door.up();
    door.received
        .wait_for(&["one", "two", "three", "four", "five"]);
    door.down();
}

#[test]
fn renamed_file_is_read_to_its_end() {
    let mut door = Door::open();
    door.append("a.log", "one\n");
    door.received.wait_for(&["one"]);
    let old = door.path("a.log.1");
    fs::rename(door.path("a.log"), &old).unwrap();
    append(&old, "two\n");
    door.received.wait_for(&["one", "two"]);
    door.append("a.log", "three\n");
    door.received.wait_for(&["one", "two", "three"]);
    // The writer of the old file ends without a newline.
    append(&old, "last");
    door.received.wait_for(&["one", "two", "three", "last"]);
    door.down();
}

#[test]
fn file_renamed_while_down_is_read_to_its_end_first() {
    let mut door = Door::open();
    door.append("a.log", "one\n");
    door.received.wait_for(&["one"]);
    door.down();
    door.append("a.log", "two\n");
    fs::rename(door.path("a.log"), door.path("a.log.1")).unwrap();
    door.append("a.log", "three\n");
    door.up();
    door.received.wait_for(&["one", "two", "three"]);
    door.down();
}

#[test]
fn truncated_file_is_read_from_its_start() {
    let mut door = Door::open();
    door.append("a.log", "one\ntwo\n");
    door.received.wait_for(&["one", "two"]);
    fs::copy(door.path("a.log"), door.path("a.log.1")).unwrap();
    fs::write(door.path("a.log"), "new\n").unwrap();
    door.received.wait_for(&["one", "two", "new"]);
    door.down();
    // Longer than what was read, but another text.
    fs::write(door.path("a.log"), "quite another\nstory\n").unwrap();
    door.up();
    door.received
        .wait_for(&["one", "two", "new", "quite another", "story"]);
    door.down();
}

#[test]
fn long_line_is_cut_and_its_rest_left_out() {
    let mut door = Door::open();
    let long = "x".repeat(500);
    let cut = "x".repeat(41);
    door.append("a.log", &format!("before\n{long}"));
    door.received.wait_for(&["before", &cut]);
    door.down();
    door.append("a.log", "still the same line\nbehind\n");
    door.up();
    door.received.wait_for(&["before", &cut, "behind"]);
    door.down();
}

#[test]
fn refused_lines_are_sent_again() {
    let mut door = Door::open();
    door.received.refusals.store(1, Ordering::SeqCst);
    door.append("a.log", "one\ntwo\n");
    door.received.wait_for(&["one", "two"]);
    door.received.refusals.store(u32::MAX, Ordering::SeqCst);
    door.append("a.log", "three\n");
    std::thread::sleep(Duration::from_millis(50));
    door.down();
    door.received.refusals.store(0, Ordering::SeqCst);
    door.up();
    door.received.wait_for(&["one", "two", "three"]);
    door.down();
}

#[test]
fn options_are_read() {
    let options: Options = toml::from_str(
        "poll_interval_ms = 100\n[[follow]]\npath = \"/var/log/nginx/*.log\"\nformat = \"combined\"\nsource = \"edge\"",
    )
    .unwrap();
    assert_eq!(options.follow[0].format, Format::Combined);
    let wrong = toml::from_str::<Options>("[[follow]]\npath = \"x\"\nformat = \"nonsense\"");
    assert!(wrong.unwrap_err().to_string().contains("format"));
}
