//! Ingest: throughput, cost, latency of the acknowledgement, time until searchable.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::super::client::{Client, Response};
use super::super::traffic::Load;
use super::super::{Exit, output};
use super::{Ingest, latency, server};
use crate::clock::{Clock, Stopwatch};
use crate::tasks::Tasks;

const PATH: &str = "/api/v1/ingest?format=json&source=bench";
/// Generated events wait in memory, so that making them costs nothing while the clock runs.
const PREPARED_BYTES_MAX: usize = 4 << 30;

/// Requests to be sent.
struct Queue {
    bodies: Mutex<VecDeque<(u64, Vec<u8>)>>,
    /// Time between two of them; none: each as soon as a connection is free.
    per_request: Option<Duration>,
    since: Stopwatch,
}

impl Queue {
    fn new(bodies: VecDeque<Vec<u8>>, ingest: &Ingest) -> Self {
        let each = |rate: u32| ingest.batch.max(1) as f64 / f64::from(rate.max(1));
        Self {
            bodies: Mutex::new((0u64..).zip(bodies).collect()),
            per_request: ingest.rate.map(|rate| Duration::from_secs_f64(each(rate))),
            since: Stopwatch::start(),
        }
    }

    /// The next request, and how long after the start it is due.
    fn next(&self) -> Option<(Duration, Vec<u8>)> {
        let mut bodies = self.bodies.lock().unwrap_or_else(PoisonError::into_inner);
        let (number, body) = bodies.pop_front()?;
        let due = self
            .per_request
            .map(|each| each.mul_f64(number as f64))
            .unwrap_or_else(|| self.since.elapsed());
        Some((due, body))
    }
}

#[derive(Default)]
struct Outcome {
    acks: Vec<Duration>,
    accepted: u64,
    refused: u64,
}

pub(super) async fn run(ingest: Ingest) -> anyhow::Result<Exit> {
    let client = Arc::new(Client::new(&ingest.server)?);
    let mut load = Load::new(ingest.seed, Clock::System.now());
    let (bodies, bytes) = prepare(&mut load, ingest.events, ingest.batch.max(1));
    output::tell(&format!(
        "prepared {} requests, {} MB",
        bodies.len(),
        bytes / 1_000_000
    ));
    let before = server::read(&client).await?;
    let (outcome, probes) = (
        Arc::new(Mutex::new(Outcome::default())),
        Arc::new(Mutex::new(Vec::new())),
    );
    let queue = Arc::new(Queue::new(bodies, &ingest));
    let tasks = Tasks::new();
    let probing = Tasks::new();
    let watch = Stopwatch::start();
    probing.spawn(
        "probe",
        probe(client.clone(), probes.clone(), probing.clone()),
    );
    for _ in 0..ingest.connections.max(1) {
        tasks.spawn(
            "sender",
            sender(client.clone(), queue.clone(), outcome.clone()),
        );
    }
    tasks.drained().await;
    let acknowledged = watch.elapsed();
    let target = before.log_end + ingest.events as f64;
    let after = searchable(&client, target).await?;
    let searchable = watch.elapsed();
    probing.stop();
    probing.drained().await;
    let outcome = std::mem::take(&mut *outcome.lock().unwrap_or_else(PoisonError::into_inner));
    let probes = std::mem::take(&mut *probes.lock().unwrap_or_else(PoisonError::into_inner));
    let events = outcome.accepted.max(1) as f64;
    let disk = after.log_bytes + after.index_bytes - before.log_bytes - before.index_bytes;
    let round = |value: f64| (value * 1000.0).round() / 1000.0;
    let report = json!({
        "events": outcome.accepted,
        "refused_requests": outcome.refused,
        "bytes_per_event": round(bytes as f64 / events),
        "acknowledged_events_per_second": round(events / acknowledged.as_secs_f64()),
        "searchable_events_per_second": round(events / searchable.as_secs_f64()),
        "mb_per_second": round(bytes as f64 / 1e6 / searchable.as_secs_f64()),
        "server_cpu_seconds_per_million": round((after.cpu_seconds - before.cpu_seconds) / events * 1e6),
        "server_peak_rss_mb": round(after.peak_rss_bytes / 1e6),
        "disk_bytes_per_raw_byte": round(disk / bytes as f64),
        "log_bytes_per_raw_byte": round((after.log_bytes - before.log_bytes) / bytes as f64),
        "index_bytes_per_raw_byte": round((after.index_bytes - before.index_bytes) / bytes as f64),
        "ack": latency(outcome.acks),
        "ingest_to_searchable": latency(probes),
    });
    output::emit(&format!("{report}\n"))?;
    Ok(if outcome.accepted == ingest.events {
        Exit::Ok
    } else {
        Exit::Failed
    })
}

/// Waits until index and rules have seen everything before `target`; what the server says then.
async fn searchable(client: &Client, target: f64) -> anyhow::Result<server::Reading> {
    let watch = Stopwatch::start();
    loop {
        let now = server::read(client).await?;
        if (now.index_offset >= target && now.detect_offset >= target)
            || watch.elapsed() > Duration::from_secs(1800)
        {
            return Ok(now);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn prepare(load: &mut Load, events: u64, batch: u64) -> (VecDeque<Vec<u8>>, usize) {
    let (mut bodies, mut bytes, mut made) = (VecDeque::new(), 0usize, 0);
    while made < events && bytes < PREPARED_BYTES_MAX {
        let mut body = Vec::new();
        for _ in 0..batch.min(events - made) {
            load.write(&mut body);
            body.push(b'\n');
            made += 1;
        }
        bytes += body.len();
        bodies.push_back(body);
    }
    (bodies, bytes)
}

async fn sender(client: Arc<Client>, queue: Arc<Queue>, outcome: Arc<Mutex<Outcome>>) {
    while let Some((mut due, body)) = queue.next() {
        tokio::time::sleep(due.saturating_sub(queue.since.elapsed())).await;
        for _attempt in 0..60 {
            let response = client.raw(PATH, "application/x-ndjson", body.clone()).await;
            if outcome
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(response, queue.since.elapsed().saturating_sub(due))
            {
                break;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
            due = queue.since.elapsed();
        }
    }
}

impl Outcome {
    /// Counts an answer; whether the events are durable.
    fn take(&mut self, response: Result<Response, String>, took: Duration) -> bool {
        let Some(response) = response.ok().filter(|response| response.status == 200) else {
            self.refused += 1;
            return false;
        };
        let answer: Value = serde_json::from_slice(&response.body).unwrap_or(Value::Null);
        self.accepted += answer.get("accepted").and_then(Value::as_u64).unwrap_or(0);
        self.acks.push(took);
        true
    }
}

/// Sends one marked event at a time and asks for it until it is found.
async fn probe(client: Arc<Client>, found: Arc<Mutex<Vec<Duration>>>, tasks: Tasks) {
    let shutdown = tasks.shutdown();
    let stamp = Clock::System.now().0;
    for number in 0.. {
        if shutdown.is_requested() {
            return;
        }
        let id = format!("probe-{stamp:x}-{number}");
        let event = json!({"timestamp": Clock::System.now().to_rfc3339(), "request_id": id, "message": "bench probe"});
        let sent = client
            .raw(
                "/api/v1/ingest?format=json&source=bench-probe",
                "application/json",
                event.to_string().into_bytes(),
            )
            .await;
        if !sent.is_ok_and(|response| response.status == 200) {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        }
        let watch = Stopwatch::start();
        let ask =
            json!({"query": format!("id:{id}"), "from": "now-1d", "to": "now+1d", "limit": 1})
                .to_string();
        while watch.elapsed() < Duration::from_secs(30) && !shutdown.is_requested() {
            let answer = client
                .raw(
                    "/api/v1/search",
                    "application/json",
                    ask.clone().into_bytes(),
                )
                .await;
            let hits = answer
                .ok()
                .and_then(|answer| serde_json::from_slice::<Value>(&answer.body).ok());
            if hits
                .as_ref()
                .and_then(|page| page.get("data")?.as_array())
                .is_some_and(|data| !data.is_empty())
            {
                found
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(watch.elapsed());
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
}
