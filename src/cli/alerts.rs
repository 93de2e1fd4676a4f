//! `wardline alerts`: triage from the command line.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::{Client, segment};
use super::{Exit, Output, Server, output};

/// Lists alerts and works on them. Example: wardline alerts list --status open
#[derive(Debug, Subcommand)]
pub(super) enum Alerts {
    /// Lists alerts, newest first.
    List(List),
    /// Shows one alert with its history.
    Show(One),
    /// Takes an alert.
    Ack(Ack),
    /// Closes an alert with a verdict.
    Close(Close),
    /// Opens a closed alert again.
    Reopen(One),
    /// Adds a note.
    Note(Note),
}

/// Which alerts.
#[derive(Debug, Args)]
pub(super) struct List {
    /// open, acknowledged or closed.
    #[arg(long)]
    status: Option<String>,
    /// At least this severity: info, low, medium, high, critical.
    #[arg(long)]
    severity: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 100)]
    limit: u64,
    /// Form of the output.
    #[arg(short, long, value_enum)]
    output: Option<Output>,
    #[command(flatten)]
    server: Server,
}

/// One alert.
#[derive(Debug, Args)]
pub(super) struct One {
    /// Id of the alert.
    id: String,
    /// Form of the output.
    #[arg(short, long, value_enum)]
    output: Option<Output>,
    #[command(flatten)]
    server: Server,
}

/// Who takes it.
#[derive(Debug, Args)]
pub(super) struct Ack {
    /// Id of the alert.
    id: String,
    /// Who takes it; the key's name without it.
    #[arg(long)]
    assignee: Option<String>,
    /// Form of the output.
    #[arg(short, long, value_enum)]
    output: Option<Output>,
    #[command(flatten)]
    server: Server,
}

/// The verdict.
#[derive(Debug, Args)]
pub(super) struct Close {
    /// Id of the alert.
    id: String,
    /// true_positive, benign, false_positive, testing or other.
    #[arg(long)]
    reason: String,
    /// Why, in words.
    #[arg(long, default_value = "")]
    comment: String,
    /// Form of the output.
    #[arg(short, long, value_enum)]
    output: Option<Output>,
    #[command(flatten)]
    server: Server,
}

/// A note.
#[derive(Debug, Args)]
pub(super) struct Note {
    /// Id of the alert.
    id: String,
    /// The note.
    text: String,
    /// Form of the output.
    #[arg(short, long, value_enum)]
    output: Option<Output>,
    #[command(flatten)]
    server: Server,
}

const COLUMNS: &[&str] = &[
    "id",
    "severity",
    "status",
    "count",
    "last_seen",
    "assignee",
    "title",
];

pub(super) async fn run(alerts: Alerts) -> anyhow::Result<Exit> {
    match alerts {
        Alerts::List(list) => list_alerts(list).await,
        Alerts::Show(one) => show(one).await,
        Alerts::Ack(ack) => {
            act(
                (&ack.server, ack.output),
                &ack.id,
                "ack",
                ack.assignee
                    .map_or(json!({}), |who| json!({"assignee": who})),
            )
            .await
        }
        Alerts::Close(close) => {
            act(
                (&close.server, close.output),
                &close.id,
                "close",
                json!({"reason": close.reason, "comment": close.comment}),
            )
            .await
        }
        Alerts::Reopen(one) => act((&one.server, one.output), &one.id, "reopen", json!({})).await,
        Alerts::Note(note) => {
            act(
                (&note.server, note.output),
                &note.id,
                "notes",
                json!({"text": note.text}),
            )
            .await
        }
    }
}

async fn list_alerts(list: List) -> anyhow::Result<Exit> {
    let client = Client::new(&list.server)?;
    let mut path = format!("/api/v1/alerts?limit={}", list.limit);
    for (name, value) in [("status", &list.status), ("severity", &list.severity)] {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", segment(value)));
        }
    }
    match client.get(&path).await? {
        Ok(page) => {
            let rows = page
                .get("data")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default();
            output::rows(&rows, COLUMNS, Output::or_default(list.output))?;
            Ok(Exit::Ok)
        }
        Err(exit) => Ok(exit),
    }
}

async fn show(one: One) -> anyhow::Result<Exit> {
    let client = Client::new(&one.server)?;
    let id = segment(&one.id);
    let alert = match client.get(&format!("/api/v1/alerts/{id}")).await? {
        Ok(alert) => alert,
        Err(exit) => return Ok(exit),
    };
    let history = match client
        .get(&format!("/api/v1/alerts/{id}/history?limit=1000"))
        .await?
    {
        Ok(history) => history.get("data").cloned().unwrap_or(Value::Null),
        Err(exit) => return Ok(exit),
    };
    match one.output {
        // An alert has too many members for a row, so its own form is the document.
        None | Some(Output::Json) => {
            output::document(&json!({"alert": alert, "history": history}))?;
        }
        Some(other) => output::rows(&[alert], COLUMNS, other)?,
    }
    Ok(Exit::Ok)
}

async fn act(
    (server, chosen): (&Server, Option<Output>),
    id: &str,
    action: &str,
    body: Value,
) -> anyhow::Result<Exit> {
    let client = Client::new(server)?;
    match client
        .post(&format!("/api/v1/alerts/{}/{action}", segment(id)), &body)
        .await?
    {
        Ok(alert) => {
            output::rows(&[alert], COLUMNS, Output::or_default(chosen))?;
            Ok(Exit::Ok)
        }
        Err(exit) => Ok(exit),
    }
}
