//! `wardline erase`: events that are erased for good, with a signed receipt.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::client::{Client, segment};
use super::terminal::escape;
use super::{Exit, Server, output};

/// Erases the events that match a query, for good, from log, index and alerts: a leaked secret, a person. Counts first and asks. Example: wardline erase 'user.id:4711' --from 2026-01-01T00:00:00Z --reason 'request 2026-118'
#[derive(Debug, Args)]
pub(super) struct Erase {
    /// Which events. See docs/query-language.md
    query: String,
    /// From this moment: RFC 3339 or now-2h. Without it there is no beginning.
    #[arg(long)]
    from: Option<String>,
    /// Until this moment.
    #[arg(long)]
    to: Option<String>,
    /// Why, for the receipt.
    #[arg(long, required_unless_present = "dry_run")]
    reason: Option<String>,
    /// Only count.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    server: Server,
}

/// Between two looks at how far it is.
const LOOK: Duration = Duration::from_millis(250);

pub(super) async fn run(erase: Erase) -> anyhow::Result<Exit> {
    let client = Client::new(&erase.server)?;
    let mut body = json!({
        "query": erase.query,
        "from": erase.from,
        "to": erase.to,
        "dry_run": true,
    });
    let counted = match client.post("/api/v1/erasures", &body).await? {
        Ok(counted) => counted,
        Err(exit) => return Ok(exit),
    };
    let events = counted.get("events").and_then(Value::as_u64).unwrap_or(0);
    if let Some(lag @ 1..) = counted.get("lag_events").and_then(Value::as_u64) {
        output::tell(&format!(
            "note: {lag} events arrived just now and were not looked at"
        ));
    }
    if erase.dry_run || events == 0 {
        output::document(&json!({"events": events}))?;
        return Ok(Exit::Ok);
    }
    if !erase.yes && !is_sure(events)? {
        return Ok(Exit::Usage);
    }
    if let Some(body) = body.as_object_mut() {
        body.insert("dry_run".to_owned(), json!(false));
        body.insert("expect".to_owned(), json!(events));
        body.insert("reason".to_owned(), json!(erase.reason));
    }
    let begun = match client.post("/api/v1/erasures", &body).await? {
        Ok(begun) => begun,
        Err(exit) => return Ok(exit),
    };
    let id = begun.pointer("/erasure/id").and_then(Value::as_str);
    let path = format!("/api/v1/erasures/{}", segment(id.unwrap_or_default()));
    let mut told = None;
    loop {
        let receipt = match client.get(&path).await? {
            Ok(receipt) => receipt,
            Err(exit) => return Ok(exit),
        };
        if receipt.get("state").and_then(Value::as_str) == Some("done") {
            output::document(&receipt)?;
            tell_backups(&receipt);
            return Ok(Exit::Ok);
        }
        let problem = receipt.get("problem").and_then(Value::as_str);
        if let Some(problem) = problem.filter(|problem| told.as_deref() != Some(*problem)) {
            output::tell(&format!("note: it waits: {}", escape(problem)));
            told = Some(problem.to_owned());
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn tell_backups(receipt: &Value) {
    let backups = receipt.get("backups").and_then(Value::as_array);
    for backup in backups.into_iter().flatten() {
        let at = backup.get("at").and_then(Value::as_str).unwrap_or_default();
        output::tell(&format!(
            "note: the backup of {at} still holds some of the events; delete it"
        ));
    }
}

/// Asks who sits there; without anybody the answer is no.
fn is_sure(events: u64) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        output::tell(&format!(
            "error: {events} events match; --yes erases them without asking"
        ));
        return Ok(false);
    }
    let mut asked = std::io::stderr();
    write!(
        asked,
        "Erase {events} events for good? Type the number to do it: "
    )?;
    asked.flush()?;
    let mut typed = String::new();
    std::io::stdin().read_line(&mut typed)?;
    Ok(typed.trim() == events.to_string())
}
