//! The log alone: acknowledged events per second, latency of the acknowledgement, reading, opening,
//! proving.
//!
//! `cargo bench --bench wal [-- SECONDS [DIRECTORY]]`. One line per figure on standard output. The
//! directory should be on the disk that is to be measured; `/tmp` is in memory on some systems.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for one's own terminal"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use wardline::clock::{Clock, Stopwatch};
use wardline::metrics::Metrics;
use wardline::model::{Field, Offset};
use wardline::redact::{Batch, decode};
use wardline::tasks::Tasks;
use wardline::wal::{Options, Wal, verify};

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"));
    let seconds = arguments.next().map_or(3, |text| text.parse().unwrap());
    let folder = arguments.next().unwrap_or_else(|| ".".into());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    for (appenders, size) in [(1, 1), (1, 50), (8, 1), (8, 50), (64, 10), (64, 50)] {
        let data = tempfile::tempdir_in(&folder).unwrap();
        runtime.block_on(write(
            data.path(),
            appenders,
            size,
            Duration::from_secs(seconds),
        ));
        if (appenders, size) == (64, 50) {
            read(data.path());
        }
    }
}

fn open(data: &Path, metrics: &Arc<Metrics>) -> Wal {
    Wal::open(data, Options::default(), Clock::System, metrics.clone()).unwrap()
}

async fn write(data: &Path, appenders: u64, size: u64, how_long: Duration) {
    let metrics = Arc::new(Metrics::default());
    let wal = open(data, &metrics);
    let tasks = Tasks::new();
    wal.start(&tasks).unwrap();
    let watch = Stopwatch::start();
    let mut running = tokio::task::JoinSet::new();
    for appender in 0..appenders {
        let wal = wal.clone();
        running.spawn(async move {
            let batches: Vec<Batch> = (0..64)
                .map(|seed| batch(appender * 64 + seed, size))
                .collect();
            let (mut acks, mut bytes) = (Vec::new(), 0);
            for batch in batches.iter().cycle() {
                if watch.elapsed() > how_long {
                    break;
                }
                let ack = Stopwatch::start();
                wal.append(batch.clone()).await.unwrap();
                acks.push(ack.elapsed());
                bytes += batch.bytes();
            }
            (acks, bytes)
        });
    }
    let (mut acks, mut bytes) = (Vec::new(), 0);
    while let Some(one) = running.join_next().await {
        let (more, read) = one.unwrap();
        acks.extend(more);
        bytes += read;
    }
    let took = watch.elapsed().as_secs_f64();
    wal.close();
    tasks.drained().await;
    acks.sort_unstable();
    let at = |percent: usize| acks.get(acks.len() * percent / 100).unwrap().as_secs_f64() * 1e3;
    let text = metrics.render();
    let count = text
        .lines()
        .find_map(|line| line.strip_prefix("wardline_wal_fsync_seconds_count "));
    let syncs: f64 = count.unwrap().parse().unwrap();
    println!(
        "append {appenders:>2} x {size:>2}: {:>9.0} events/s {:>6.1} MB/s  ack p50 {:.2} ms p99 {:.2} ms  \
         {:.0} fsync/s  {:.3} bytes on disk per byte",
        wal.end().0 as f64 / took,
        bytes as f64 / took / 1e6,
        at(50),
        at(99),
        syncs / took,
        wal.status().bytes as f64 / bytes as f64,
    );
}

fn read(data: &Path) {
    let watch = Stopwatch::start();
    let wal = open(data, &Arc::new(Metrics::default()));
    let events = wal.end().0;
    println!(
        "open: {:.1} ms for {events} events, {:?}",
        millis(watch),
        wal.status()
    );
    let watch = Stopwatch::start();
    let mut reader = wal.reader(Offset(0));
    let (mut seen, mut bytes) = (0u64, 0);
    while let Some(frame) = reader.next(Duration::ZERO).unwrap() {
        for (_, record) in frame.iter() {
            seen += 1;
            bytes += record.len();
        }
    }
    let took = millis(watch) / 1e3;
    assert_eq!(seen, events);
    println!(
        "read: {:.0} events/s {:.0} MB/s",
        seen as f64 / took,
        bytes as f64 / took / 1e6
    );
    let mut state = 1u64;
    let watch = Stopwatch::start();
    for _ in 0..2000 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        assert!(
            wal.frame_at(Offset((state >> 20) % events))
                .unwrap()
                .is_some()
        );
    }
    println!("frame_at: {:.1} us at random", millis(watch) / 2.0);
    let watch = Stopwatch::start();
    let report = verify(data, |_, _| ()).unwrap();
    assert!(report.is_sound());
    println!(
        "verify: {:.0} MB/s of the file",
        report.bytes as f64 / millis(watch) / 1e3
    );
}

fn millis(watch: Stopwatch) -> f64 {
    watch.elapsed().as_secs_f64() * 1e3
}

/// API events of about 500 bytes.
fn batch(seed: u64, size: u64) -> Batch {
    let mut batch = Batch::default();
    for at in 0..size {
        let mut state = (seed * 1000 + at).wrapping_mul(0x9E37_79B9_7F4A_7C15) + 1;
        let mut number = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % below
        };
        // The codec's record: version, time, received, fields of code, type (0 text), length,
        // bytes.
        let mut record = vec![1; 17];
        let mut field = |field: Field, text: String| {
            record.extend_from_slice(&[field.code(), 0]);
            let length = u8::try_from(text.len()).unwrap();
            record.extend((length >= 0x80).then_some(length));
            record.push(if length >= 0x80 { 1 } else { length });
            record.extend_from_slice(text.as_bytes());
        };
        field(Field::HttpStatus, format!("{}", 200 + number(3) * 102));
        field(
            Field::UrlPath,
            format!(
                "/v1/customers/{}/orders/{}",
                number(5000),
                number(1_000_000)
            ),
        );
        field(
            Field::HttpReferrer,
            "https://app.example.com/dashboard/overview".into(),
        );
        field(
            Field::UserAgent,
            format!(
                "Mozilla/5.0 (X11; Linux x86_64; rv:{}) Gecko/20100101",
                number(40)
            ),
        );
        field(
            Field::ClientIp,
            format!("10.{}.{}.{}", number(4), number(250), number(250)),
        );
        field(
            Field::TraceId,
            format!("{:016x}{:016x}", number(1 << 30) << 30, number(1 << 30)),
        );
        field(
            Field::Message,
            format!(
                "request served in {} ms by pod api-{}",
                number(900),
                number(30)
            ),
        );
        batch.push(&decode(&record).unwrap());
    }
    batch
}
