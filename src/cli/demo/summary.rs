//! What the demo found: each planted attack against the alerts that were raised.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::client::Client;
use super::super::output;
use super::super::traffic::Attack;
use super::receiver::Receiver;
use crate::clock::Stopwatch;

const WAIT_MAX: Duration = Duration::from_secs(60);

/// One attack and the alert that tells of it.
pub(super) struct Row {
    name: &'static str,
    alert: Option<String>,
}

/// What was found.
pub(super) struct Found {
    pub(super) events: u64,
    pub(super) alerts: usize,
    pub(super) example_id: Option<String>,
    rows: Vec<Row>,
    secrets: u64,
    delivered: u64,
    wrong_signatures: u64,
}

impl Found {
    /// Every event searchable, every attack alerted on, every alert delivered with a valid signature.
    pub(super) fn is_complete(&self) -> bool {
        self.rows.iter().all(|row| row.alert.is_some())
            && self.delivered >= self.alerts as u64
            && self.wrong_signatures == 0
    }
}

/// Asks the server until everything is there, or the time is up.
pub(super) async fn wait(
    client: &Client,
    planned: &[Attack],
    sent: u64,
    receiver: &Receiver,
) -> anyhow::Result<Found> {
    let watch = Stopwatch::start();
    loop {
        let found = look(client, planned, receiver).await?;
        if (found.events >= sent && found.is_complete()) || watch.elapsed() > WAIT_MAX {
            return Ok(found);
        }
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
}

async fn look(client: &Client, planned: &[Attack], receiver: &Receiver) -> anyhow::Result<Found> {
    let total = |page: &Value| {
        page.pointer("/stats/total")
            .and_then(Value::as_u64)
            .unwrap_or(0)
    };
    let search = |query: &str| json!({"query": query, "from": "now-90d", "to": "now+1d", "limit": 1, "count": true});
    let all = client
        .post("/api/v1/search", &search(""))
        .await?
        .unwrap_or_default();
    let redacted = client
        .post("/api/v1/search", &search("redaction.count:>=1"))
        .await?
        .unwrap_or_default();
    let listed = client
        .get("/api/v1/alerts?limit=200")
        .await?
        .unwrap_or_default();
    let alerts = listed
        .get("data")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let title = |alert: &Value| {
        alert
            .get("title")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let rows = planned
        .iter()
        .map(|attack| Row {
            name: attack.name,
            alert: alerts
                .iter()
                .map(title)
                .find(|title| title.contains(attack.seen_as) && title.contains(attack.actor)),
        })
        .collect();
    let example_id = alerts.iter().find_map(|alert| {
        Some(
            alert
                .get("correlation_ids")?
                .as_array()?
                .first()?
                .as_str()?
                .to_owned(),
        )
    });
    let (delivered, wrong_signatures) = receiver.counts();
    Ok(Found {
        events: total(&all),
        alerts: alerts.len(),
        example_id,
        rows,
        secrets: total(&redacted),
        delivered,
        wrong_signatures,
    })
}

pub(super) fn print(found: &Found, sent: usize, bytes: usize, took: Duration) {
    let mut text = format!(
        "{sent} events sent ({:.1} MB), {} searchable, {} of them had secrets that were replaced, in {:.1} s\n\n",
        bytes as f64 / 1e6,
        found.events,
        found.secrets,
        took.as_secs_f64(),
    );
    for row in &found.rows {
        match &row.alert {
            Some(title) => text.push_str(&format!("found   {:<58} {title}\n", row.name)),
            None => text.push_str(&format!("MISSED  {:<58}\n", row.name)),
        }
    }
    text.push_str(&format!(
        "\n{} alerts, {} webhook deliveries with a valid signature, {} with a wrong one\n",
        found.alerts, found.delivered, found.wrong_signatures
    ));
    if output::emit(&text).is_err() {
        output::tell("the summary could not be written");
    }
}
