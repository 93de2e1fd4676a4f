//! `wardline bench`: the load generator behind docs/benchmarks.md. It measures a running server from
//! outside and reads the server's own CPU time, memory and disk use from its metrics.

mod ingest;
mod search;
mod server;

use clap::{Args, Subcommand};

use super::{Exit, Server};

/// Measures a running server. Example: wardline bench ingest --events 1000000 --key-file key
#[derive(Debug, Subcommand)]
pub(super) enum Bench {
    /// Sends events as fast as the server takes them, then waits until all are searchable.
    Ingest(Ingest),
    /// Asks the questions of an investigation over and over.
    Search(Search),
}

/// How to load.
#[derive(Debug, Args)]
pub(super) struct Ingest {
    /// Events to send.
    #[arg(long, default_value_t = 1_000_000)]
    events: u64,
    /// Requests in flight.
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Events per request.
    #[arg(long, default_value_t = 1_000)]
    batch: u64,
    /// Events per second; as fast as they are taken where missing. The time until the acknowledgement then counts from
    /// the moment a request was due, so that a slow answer does not hide those behind it.
    #[arg(long)]
    rate: Option<u32>,
    /// Seed of the events.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    server: Server,
}

/// How to ask.
#[derive(Debug, Args)]
pub(super) struct Search {
    /// How often each question is asked.
    #[arg(long, default_value_t = 200)]
    repeat: u64,
    /// Seed the events were sent with.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many events were sent with that seed.
    #[arg(long, default_value_t = 1_000_000)]
    events: u64,
    #[command(flatten)]
    server: Server,
}

pub(super) async fn run(bench: Bench) -> anyhow::Result<Exit> {
    match bench {
        Bench::Ingest(ingest) => ingest::run(ingest).await,
        Bench::Search(search) => search::run(search).await,
    }
}

/// The `q`-th part (0 to 1) of sorted durations, in milliseconds.
fn quantile_ms(sorted: &[std::time::Duration], q: f64) -> f64 {
    let last = sorted.len().saturating_sub(1) as f64;
    let at = (last * q).round() as usize;
    sorted
        .get(at)
        .map_or(0.0, |took| (took.as_secs_f64() * 1e6).round() / 1e3)
}

/// p50 and p99 as JSON.
fn latency(mut all: Vec<std::time::Duration>) -> serde_json::Value {
    all.sort_unstable();
    serde_json::json!({"n": all.len(), "p50_ms": quantile_ms(&all, 0.5), "p99_ms": quantile_ms(&all, 0.99)})
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    #[test]
    fn quantiles_are_of_the_nearest_rank() {
        let all: Vec<Duration> = (0..=100).map(Duration::from_millis).collect();
        assert_eq!(super::quantile_ms(&all, 0.5), 50.0);
        assert_eq!(super::quantile_ms(&all, 0.99), 99.0);
        assert_eq!(super::quantile_ms(&[], 0.5), 0.0);
    }
}
