//! What the two readers of the log, index and rules, cost per event: CPU time of their threads over the
//! events of `wardline bench ingest`.
//!
//! `cargo bench --bench readers -- 400000 [DIR]`. The log in DIR is made by the first run and read by each; so
//! `valgrind --tool=callgrind` over the second run counts the instructions of the readers and little else.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use wardline::cli::traffic::Load;
use wardline::clock::Clock;
use wardline::detect::{self, Detector, RulesHandle};
use wardline::index::{self, Index};
use wardline::metrics::Metrics;
use wardline::model::Timestamp;
use wardline::pipeline::{self, Enricher, Payload, Pipeline};
use wardline::redact::{self, Redactor, TagKey};
use wardline::store::{self, Store};
use wardline::tasks::Tasks;
use wardline::wal::{self, Wal};
use wardline_parsers::Format;

/// Midnight: all events are of one day.
const START: Timestamp = Timestamp(1_795_219_200_000_000_000);
const BATCH: u64 = 500;
/// About what one commit holds under load.
const SEGMENT_EVENTS: u32 = 40_000;
const DEFAULT_EVENTS: u64 = 400_000;

fn say(line: std::fmt::Arguments<'_>) {
    use std::io::Write as _;
    let _ok = writeln!(std::io::stdout(), "{line}").is_ok();
}

/// Nanoseconds of CPU that the thread of this name has had.
fn cpu(thread: &str) -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten();
    let of = |task: std::fs::DirEntry| {
        let name = std::fs::read_to_string(task.path().join("comm")).ok()?;
        let stat = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        let nanos: f64 = stat.split(' ').next()?.parse().ok()?;
        (name.trim() == thread).then_some(nanos)
    };
    tasks.flatten().filter_map(of).sum()
}

fn fill(wal: &Wal, events: u64, runtime: &tokio::runtime::Runtime) {
    let metrics = Arc::new(Metrics::default());
    let options = pipeline::Options::default();
    let enricher = Enricher::open(options.enrich.clone(), None, metrics.clone()).expect("no files");
    let redactor = Redactor::new(redact::Options::default(), TagKey::from_bytes(&[7; 32]));
    let pipeline = Pipeline::new(&options, enricher, Arc::new(redactor), metrics);
    let mut load = Load::new(1, START);
    let mut received = START.0;
    while wal.end().0 < events {
        let mut body = Vec::new();
        for _ in 0..BATCH {
            load.write(&mut body);
            body.push(b'\n');
            received += 10_000;
        }
        let payload = Payload {
            source: "bench".into(),
            received: Timestamp(received),
            format: Format::Json,
            bytes: body.into(),
            patience: Duration::ZERO,
            room: None,
        };
        pipeline.run(&payload, |output| {
            runtime.block_on(wal.append(output.batch)).expect("append");
            ControlFlow::Continue(())
        });
    }
}

/// Waits until a reader has read all and says what that took.
fn report(thread: &str, end: u64, seen: impl Fn() -> u64) {
    while seen() < end {
        std::thread::sleep(Duration::from_millis(5));
    }
    #[expect(clippy::cast_precision_loss, reason = "figures")]
    let each = cpu(thread) / end as f64 / 1_000.0;
    say(format_args!(
        "{thread}: {each:.2} µs of CPU per event ({end} events)"
    ));
}

fn main() {
    // Arguments of cargo's own (`--bench`) are not ours.
    let mut given = std::env::args().skip(1).filter(|arg| !arg.starts_with('-'));
    let events = given.next().and_then(|text| text.parse().ok());
    let dir = given.next();
    let dir = Path::new(dir.as_deref().unwrap_or("/tmp/wardline-bench-readers"));
    let runtime = tokio::runtime::Runtime::new().expect("runtime");
    let metrics = Arc::new(Metrics::default());
    let options = wal::Options {
        retention_age_days: None,
        ..wal::Options::default()
    };
    let wal = Wal::open(dir, options, Clock::System, metrics.clone()).expect("log");
    let tasks = Tasks::new();
    wal.start(&tasks).expect("log");
    fill(&wal, events.unwrap_or(DEFAULT_EVENTS), &runtime);
    let end = wal.end().0;
    for old in ["index", "store"] {
        let _was_none = std::fs::remove_dir_all(dir.join(old)).is_err();
    }

    let options = index::Options {
        commit_interval_ms: 600_000,
        segment_events_max: SEGMENT_EVENTS,
        ..index::Options::default()
    };
    let index = Index::open(dir, options, wal.clone(), Clock::System, metrics.clone());
    let index = index.expect("index");
    index.start(&tasks).expect("index");
    report("index", end - end % u64::from(SEGMENT_EVENTS), || {
        index.visible().0
    });

    let store_dir = dir.join("store");
    let store = Store::open(
        &store_dir,
        store::Options::default(),
        Clock::System,
        metrics.clone(),
    );
    let options = detect::Options::default();
    let parts = detect::Parts {
        wal: wal.clone(),
        store: store.expect("store"),
        rules: RulesHandle::load(&options, metrics.clone()).expect("rules"),
        clock: Clock::System,
        metrics,
    };
    let detector = Detector::start(parts, options, &tasks).expect("detection");
    report("detect", end, || detector.seen().0);
    wal.close();
    tasks.stop();
    runtime.block_on(tasks.drained());
}
