//! Builds an index over N generated events and asks it the questions of an investigation.
//!
//! `cargo bench --bench index -- 2000000 [DIR]`: one line per figure. Events are generated, so dictionary figures are kind.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use wardline::clock::{Clock, Stopwatch};
use wardline::index::{Aggregate, AggregateRequest, Index, Options, SearchRequest, Searcher};
use wardline::metrics::Metrics;
use wardline::model::Field;
use wardline::redact::{Batch, decode};
use wardline::tasks::Tasks;
use wardline::wal::{self, Wal};

const START: i64 = 1_795_219_200_000_000_000;
const SERVICES: [&str; 12] = [
    "gateway", "orders", "billing", "users", "auth", "search", "cart", "mail", "files", "audit",
    "admin", "export",
];
const METHODS: [&str; 5] = ["GET", "GET", "GET", "POST", "DELETE"];
const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36",
    "python-requests/2.32.3",
    "okhttp/4.12.0",
    "curl/8.8.0",
];

/// Small, seeded, good enough to spread values.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 20) % end
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        let at = self.below(u64::try_from(list.len()).unwrap_or(1));
        usize::try_from(at)
            .ok()
            .and_then(|at| list.get(at))
            .copied()
            .unwrap_or("")
    }
}

fn text(record: &mut Vec<u8>, field: Field, kind: u8, value: &str) {
    record.push(field.code());
    record.push(kind);
    let mut length = value.len();
    while length >= 0x80 {
        record.push(u8::try_from(length & 0x7f).unwrap_or(0) | 0x80);
        length >>= 7;
    }
    record.push(u8::try_from(length).unwrap_or(0));
    record.extend_from_slice(value.as_bytes());
}

/// The id of the request an event belongs to; three events each.
fn request_id(at: u64) -> String {
    let mut random = Random((at / 3 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let (a, b) = (random.next(), random.next());
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        a >> 32,
        a >> 16 & 0xffff,
        a & 0xfff,
        b >> 52,
        b & 0xffff_ffff_ffff
    )
}

fn record(at: u64, per_second: u64, random: &mut Random) -> Vec<u8> {
    let time = START + i64::try_from(at * 1_000_000_000 / per_second).unwrap_or(0);
    let mut record = vec![1u8];
    let jitter = i64::try_from(random.below(50_000_000)).unwrap_or(0);
    record.extend_from_slice(&(time - jitter).to_le_bytes());
    record.extend_from_slice(&time.to_le_bytes());
    let user = random.below(200).min(random.below(50_000));
    let service = random.pick(&SERVICES);
    for (field, value) in request(at, service, random) {
        text(&mut record, field, 0, &value);
    }
    for (field, value) in caller(user, service, random) {
        text(&mut record, field, 0, &value);
    }
    let numbers = [
        (Field::EventDuration, random.below(900_000) * 1_000),
        (Field::ClientAsn, 1_000 + user % 300),
        (Field::HttpRequestBytes, random.below(4_000)),
        (Field::HttpResponseBytes, random.below(90_000)),
    ];
    for (field, value) in numbers {
        text(&mut record, field, 1, &value.to_string());
    }
    record
}

fn request(at: u64, service: &str, random: &mut Random) -> [(Field, String); 13] {
    let status = random.pick(&["200", "200", "200", "200", "201", "404", "403", "500"]);
    let order = random.below(100_000_000);
    let message = match random.below(7) {
        0 => format!("order ord_{order:08} not found in {service} after retry"),
        1 => String::from("upstream timeout while waiting for the response body"),
        2 => format!("access to ord_{order:08} denied for the current policy"),
        3 if random.below(20_000) == 0 => {
            String::from("deadlock detected, transaction rolled back")
        }
        _ => String::from("request completed"),
    };
    let outcome = if status < "400" { "success" } else { "failure" };
    let level = if status < "500" { "info" } else { "error" };
    [
        (Field::Message, message),
        (Field::EventAction, "api.request".into()),
        (Field::EventOutcome, outcome.into()),
        (Field::EventDataset, "json".into()),
        (Field::EventProvider, "bench".into()),
        (Field::LogLevel, level.into()),
        (Field::CorrelationId, request_id(at)),
        (Field::HttpRequestId, request_id(at)),
        (
            Field::TraceId,
            format!("{:016x}{:016x}", random.next(), random.next()),
        ),
        (Field::HttpMethod, random.pick(&METHODS).into()),
        (
            Field::HttpRoute,
            format!("/v1/{service}/items/{{id}}/lines"),
        ),
        (
            Field::UrlPath,
            format!("/v1/{service}/items/ord_{order:08}/lines"),
        ),
        (Field::HttpStatus, status.into()),
    ]
}

fn caller(user: u64, service: &str, random: &mut Random) -> [(Field, String); 10] {
    let (a, b, c, d) = (
        11 + user % 80,
        user / 250 % 250,
        user % 250,
        random.below(4),
    );
    [
        (Field::ClientIp, format!("{a}.{b}.{c}.{d}")),
        (
            Field::ClientCountry,
            random.pick(&["DE", "US", "FR", "IN", "BR"]).into(),
        ),
        (Field::UserId, format!("u-{user:06}")),
        (Field::OrganizationId, format!("tenant-{:03}", user % 200)),
        (Field::UrlDomain, "api.example.com".into()),
        (Field::UserAgent, random.pick(&AGENTS).into()),
        (Field::ServiceName, service.into()),
        (Field::ServiceEnvironment, "production".into()),
        (
            Field::HostName,
            format!("{service}-{:02}", random.below(20)),
        ),
        (
            Field::CloudRegion,
            random.pick(&["eu-central-1", "us-east-1"]).into(),
        ),
    ]
}

/// User and system CPU seconds of the process.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(") ").next().unwrap_or("");
    let ticks = after
        .split(' ')
        .skip(11)
        .take(2)
        .filter_map(|text| text.parse::<u32>().ok());
    f64::from(ticks.sum::<u32>()) / 100.0
}

fn say(line: std::fmt::Arguments<'_>) {
    use std::io::Write as _;
    let _ok = writeln!(std::io::stdout(), "{line}").is_ok();
}

fn percentiles(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: usize| {
        times
            .get(times.len() * share / 100)
            .or(times.last())
            .copied()
            .unwrap_or_default()
    };
    say(format_args!(
        "{name}: p50 {:?} p99 {:?} (n {})",
        at(50),
        at(99),
        times.len()
    ));
}

fn time_search(searcher: &Searcher, name: &str, query: &str, rounds: usize) {
    let mut times = Vec::new();
    let mut note = String::new();
    for _ in 0..rounds {
        let watch = Stopwatch::start();
        let request = SearchRequest::new(searcher.parse(query).expect("query"));
        let page = searcher.search(&request).expect("answer");
        times.push(watch.elapsed());
        note.clear();
        let stats = &page.stats;
        write!(
            note,
            "{name} [{} hits, {} scanned, {} read]",
            page.hits.len(),
            stats.scanned,
            stats.verified
        )
        .expect("text");
    }
    percentiles(&note, times);
}

fn time_aggregate(searcher: &Searcher, name: &str, query: &str, aggregate: &Aggregate) {
    let mut times = Vec::new();
    for _ in 0..20 {
        let watch = Stopwatch::start();
        let request = AggregateRequest {
            query: searcher.parse(query).expect("query"),
            from: None,
            to: None,
            aggregates: vec![("a".into(), aggregate.clone())],
        };
        searcher.aggregate(&request).expect("answer");
        times.push(watch.elapsed());
    }
    percentiles(name, times);
}

fn dir_bytes(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => dir_bytes(&entry.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        })
        .sum()
}

fn fill(wal: &Wal, events: u64, runtime: &tokio::runtime::Runtime) -> u64 {
    let mut random = Random(7);
    let mut raw = 0u64;
    let mut at = wal.end().0;
    while at < events {
        let mut batch = Batch::default();
        for at in at..(at + 2_000).min(events) {
            let record = record(at, events / 3_600 + 1, &mut random);
            batch.push(&decode(&record).expect("a record"));
        }
        raw += u64::try_from(batch.bytes()).unwrap_or(0);
        at += 2_000;
        runtime.block_on(wal.append(batch)).expect("append");
    }
    raw
}

fn questions(searcher: &Searcher, events: u64) {
    let mut random = Random(99);
    for round in ["first lookups", "lookups"] {
        let mut times = Vec::new();
        for _ in 0..500 {
            let id = request_id(random.below(events)).to_ascii_uppercase();
            let watch = Stopwatch::start();
            let page = searcher.by_correlation_id(&id, 100).expect("answer");
            times.push(watch.elapsed());
            assert!(!page.hits.is_empty(), "every id is found");
        }
        percentiles(round, times);
    }
    time_search(searcher, "newest 100 of all", "", 50);
    time_search(searcher, "newest 100 of a common word", "completed", 50);
    time_search(searcher, "newest 100 of a rare word", "deadlock", 50);
    time_search(
        searcher,
        "newest 100 of message:timeout",
        "message:timeout",
        50,
    );
    time_search(
        searcher,
        "newest 100 of a phrase",
        "\"denied for the current\"",
        50,
    );
    time_search(
        searcher,
        "newest 100 of a tenant",
        "organization.id:tenant-050",
        50,
    );
    time_search(searcher, "newest 100 of a user", "user:U-000123", 50);
    time_search(
        searcher,
        "newest 100 of three fields",
        "status:500 service:billing level:error",
        50,
    );
    time_search(
        searcher,
        "newest 100 of a network",
        "ip:17.0.0.0/8 -status:200",
        50,
    );
    time_search(searcher, "newest 100 of a path", "path:/v1/billing/*", 50);
    let histogram = |split: Option<&str>| Aggregate::Histogram {
        interval_ms: Some(60_000),
        split: split.map(str::to_owned),
    };
    time_aggregate(searcher, "1 min histogram", "", &histogram(None));
    time_aggregate(
        searcher,
        "1 min histogram by status",
        "",
        &histogram(Some("status")),
    );
    time_aggregate(
        searcher,
        "1 min histogram by service",
        "",
        &histogram(Some("service")),
    );
    time_aggregate(
        searcher,
        "1 min histogram by status of a word",
        "timeout",
        &histogram(Some("status")),
    );
    let terms = |field: &str| Aggregate::Terms {
        field: field.into(),
        size: 10,
    };
    time_aggregate(searcher, "top 10 users", "", &terms("user.id"));
    time_aggregate(searcher, "top 10 addresses", "", &terms("client.ip"));
    time_aggregate(
        searcher,
        "top 10 routes of errors",
        "status:5xx",
        &terms("route"),
    );
}

fn index_and_ask(dir: &Path, wal: &Wal, tasks: &Tasks, metrics: &Arc<Metrics>) {
    let watch = Stopwatch::start();
    let open = || {
        Index::open(
            dir,
            Options::default(),
            wal.clone(),
            Clock::System,
            Arc::clone(metrics),
        )
    };
    let index = open().expect("index");
    say(format_args!(
        "open: {:?}, {} segments",
        watch.elapsed(),
        metrics.index_segments.get()
    ));
    let (watch, before, from) = (Stopwatch::start(), cpu(), index.visible().0);
    index.start(tasks).expect("index");
    while index.visible() < wal.end() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let built = wal.end().0 - from;
    if built > 0 {
        #[expect(clippy::cast_precision_loss, reason = "figures")]
        let (count, took) = (built as f64, watch.elapsed().as_secs_f64());
        say(format_args!(
            "build: {:.0} events/s, {:.2} CPU-s per million",
            count / took,
            (cpu() - before) / count * 1e6
        ));
        let size = dir_bytes(&dir.join("index"));
        say(format_args!(
            "index: {} bytes per event, {} segments",
            size / wal.end().0,
            metrics.index_segments.get()
        ));
    }
    say(format_args!(
        "log: {} bytes per event",
        dir_bytes(&dir.join("wal")) / wal.end().0
    ));
    questions(&index.searcher(), wal.end().0);
    let before = cpu();
    let mut merges = u64::MAX;
    while merges != metrics.index_merges.get() {
        merges = metrics.index_merges.get();
        std::thread::sleep(Duration::from_secs(2));
    }
    say(format_args!(
        "merges so far: {merges}, {:.2} CPU-s while waiting for them",
        cpu() - before
    ));
    let size = dir_bytes(&dir.join("index"));
    say(format_args!(
        "index: {} bytes per event, {} segments",
        size / wal.end().0,
        metrics.index_segments.get()
    ));
    questions(&index.searcher(), wal.end().0);
}

fn main() {
    // Arguments of cargo's own (`--bench`) are not ours.
    let mut given = std::env::args().skip(1).filter(|arg| !arg.starts_with('-'));
    let events: u64 = given
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(200_000);
    let dir = given
        .next()
        .unwrap_or_else(|| String::from("/tmp/wardline-bench-index"));
    let dir = Path::new(&dir);
    let runtime = tokio::runtime::Runtime::new().expect("runtime");
    let metrics = Arc::new(Metrics::default());
    let options = wal::Options {
        retention_age_days: None,
        ..wal::Options::default()
    };
    let wal = Wal::open(dir, options, Clock::System, Arc::clone(&metrics)).expect("log");
    let tasks = Tasks::new();
    wal.start(&tasks).expect("log");
    let raw = fill(&wal, events, &runtime);
    say(format_args!(
        "{events} events, {} bytes each in the log before packing",
        raw / events.max(1)
    ));

    index_and_ask(dir, &wal, &tasks, &metrics);
    wal.close();
    tasks.stop();
    runtime.block_on(tasks.drained());
}
