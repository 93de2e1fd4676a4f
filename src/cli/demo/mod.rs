//! `wardline demo`: a server on loopback with seeded traffic and attacks, to see the whole in a minute.

mod receiver;
mod summary;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;

use super::client::Client;
use super::serve::{self, Running};
use super::traffic::{Attack, Benign, Line, attacks, history};
use super::{Exit, output};
use crate::clock::{Clock, Stopwatch};
use crate::config::Config;
use crate::model::Timestamp;
use receiver::Receiver;

/// Seed of the demo's traffic: the same lines every time, but for their time.
const SEED: u64 = 20_261_121;
/// Benign lines of the seeded set.
const BENIGN_LINES: usize = 20_000;
const SECOND: i64 = 1_000_000_000;
/// Event time the seeded set covers before now.
const SPAN: i64 = 900 * SECOND;

/// Starts a server with its own keys, traffic and attacks. Example: wardline demo
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Where to listen; loopback only.
    #[arg(long, default_value = "127.0.0.1:8321")]
    listen: SocketAddr,
    /// Where to keep the data; a temporary directory that is removed at the end without it.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Lines of further traffic per second.
    #[arg(long, default_value_t = 40.0)]
    events_per_second: f64,
    /// Load the seeded set, wait until all is searchable and alerted on, print what was found, and end.
    #[arg(long)]
    once: bool,
}

/// A directory that goes away with the demo, unless the user named it.
struct Home {
    dir: PathBuf,
    is_ours: bool,
}

impl Drop for Home {
    fn drop(&mut self) {
        if self.is_ours {
            let _best_effort = std::fs::remove_dir_all(&self.dir).is_err();
        }
    }
}

pub(super) async fn run(demo: Demo) -> anyhow::Result<Exit> {
    if !demo.listen.ip().is_loopback() {
        output::tell(
            "error: the demo listens on loopback only; use wardline serve for other addresses",
        );
        return Ok(Exit::Usage);
    }
    let home = match &demo.data_dir {
        Some(dir) => Home {
            dir: dir.clone(),
            is_ours: false,
        },
        None => Home {
            dir: std::env::temp_dir().join(format!("wardline-demo-{}", std::process::id())),
            is_ours: true,
        },
    };
    let running = start(&demo, &home).await?;
    let outcome = run_on(&demo, &running).await;
    running.stop().await;
    outcome
}

async fn start(demo: &Demo, home: &Home) -> anyhow::Result<Running> {
    let mut config = Config::default();
    config.data_dir.clone_from(&home.dir);
    config.server.listen = demo.listen;
    config.notify.allow_insecure = true;
    config.notify.allow_private_cidrs = crate::model::Cidr::parse("127.0.0.0/8")
        .into_iter()
        .collect();
    serve::start(config).await
}

async fn run_on(demo: &Demo, running: &Running) -> anyhow::Result<Exit> {
    let key = running.create_admin_key("demo").await?;
    let client = Client::with_key(&running.url, &key, None)?;
    let receiver = Receiver::start(running.tasks()).await?;
    let endpoint = client
        .post("/api/v1/webhooks", &receiver.registration())
        .await?;
    let secret = endpoint
        .ok()
        .and_then(|made| Some(made.get("secret")?.as_str()?.to_owned()));
    receiver.trust(secret.context("the demo's webhook could not be registered")?);
    let watch = Stopwatch::start();
    let end = Clock::System.now();
    let (lines, planned) = seeded(end);
    let bytes = send(&client, &lines).await?;
    let found = summary::wait(&client, &planned, lines.len() as u64, &receiver).await?;
    if demo.once {
        summary::print(&found, lines.len(), bytes, watch.elapsed());
        return Ok(if found.is_complete() {
            Exit::Ok
        } else {
            Exit::Failed
        });
    }
    welcome(running, &key, &found).await?;
    live(demo, &client, end).await
}

/// Everything the demo loads at the start, in time order, and the attacks in it.
fn seeded(end: Timestamp) -> (Vec<Line>, Vec<Attack>) {
    let start = Timestamp(end.0 - SPAN);
    let planned = attacks(SEED, start);
    let mut lines = history(SEED, start);
    let per_second = BENIGN_LINES as f64 / (SPAN / SECOND) as f64;
    lines.extend(
        Benign::new(SEED, start, per_second)
            .take(BENIGN_LINES)
            .filter(|line| line.at <= end),
    );
    lines.extend(planned.iter().flat_map(|attack| attack.lines.clone()));
    lines.sort_by_key(|line| line.at);
    (lines, planned)
}

const LINES_PER_REQUEST: usize = 500;

async fn send(client: &Client, lines: &[Line]) -> anyhow::Result<usize> {
    let mut bytes = 0;
    for chunk in lines.chunks(LINES_PER_REQUEST) {
        let mut body = String::new();
        for line in chunk {
            body.push_str(&line.text);
            body.push('\n');
        }
        bytes += body.len();
        let sent = client
            .send(
                "/api/v1/ingest?format=json&source=demo",
                "application/x-ndjson",
                body.into_bytes(),
            )
            .await?;
        anyhow::ensure!(sent.is_ok(), "the demo's traffic was refused");
    }
    Ok(bytes)
}

async fn welcome(running: &Running, key: &str, found: &summary::Found) -> anyhow::Result<()> {
    let url = &running.url;
    let link = running.sign_in_link().await?;
    output::emit(&format!(
        "Open       {link}\nKey        {key}\nLoaded     {} events, {} alerts\n\nTry:\n  \
         export WARDLINE_URL={url} WARDLINE_KEY={key}\n  \
         wardline search 'status:>=500' --since 15m\n  \
         wardline request {}\n  \
         curl -H \"Authorization: Bearer $WARDLINE_KEY\" --data-binary @your.log '{url}/api/v1/ingest?source=mine'\n\n\
         Ctrl-C ends the demo.\n",
        found.events,
        found.alerts,
        found.example_id.as_deref().unwrap_or("ID"),
    ))
}

/// Further traffic until Ctrl-C, with an attack every few minutes.
async fn live(demo: &Demo, client: &Client, from: Timestamp) -> anyhow::Result<Exit> {
    let mut benign = Benign::new(SEED ^ 1, from, demo.events_per_second.max(0.1)).peekable();
    let mut waiting: Vec<Line> = Vec::new();
    let mut rounds: u64 = 0;
    let mut next_attacks = Timestamp(from.0 + 60 * SECOND);
    let mut tick = tokio::time::interval(Duration::from_millis(500));
    loop {
        tokio::select! {
            stopped = serve::stop_requested() => { stopped?; return Ok(Exit::Ok); }
            _ = tick.tick() => {}
        }
        let now = Clock::System.now();
        if now >= next_attacks {
            rounds += 1;
            waiting.extend(
                attacks(SEED.wrapping_add(rounds), now)
                    .into_iter()
                    .flat_map(|attack| attack.lines),
            );
            waiting.sort_by_key(|line| line.at);
            next_attacks = Timestamp(now.0 + 900 * SECOND);
        }
        let mut due: Vec<Line> = Vec::new();
        while let Some(line) = benign.next_if(|line| line.at <= now) {
            due.push(line);
        }
        let split = waiting.partition_point(|line| line.at <= now);
        due.extend(waiting.drain(..split));
        if let Err(error) = send(client, &due).await {
            output::tell(&format!("traffic stopped: {error}"));
            return Ok(Exit::Failed);
        }
    }
}
