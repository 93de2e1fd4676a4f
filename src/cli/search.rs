//! `wardline search`: events that match a query, newest first or in the order of a field.

use std::io::Read;
use std::path::Path;

use clap::Args;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::client::Client;
use super::{Exit, Output, Server, output, terminal};
pub(super) use crate::api::export::COLUMNS;

const PAGE: u64 = 1_000;

/// Searches events. Example: wardline search 'status:>=500 service:payments' --since 1h
#[derive(Debug, Args)]
pub(super) struct Search {
    /// What to look for; empty for everything. See docs/query-language.md
    #[arg(default_value = "")]
    query: String,
    /// How far back: 90s, 15m, 1h, 7d.
    #[arg(long, default_value = "24h", conflicts_with = "from")]
    since: String,
    /// From this moment: RFC 3339 or now-2h.
    #[arg(long)]
    from: Option<String>,
    /// Until this moment: RFC 3339 or now. Without it there is no end, so that events of clocks that are ahead
    /// are found too.
    #[arg(long)]
    to: Option<String>,
    /// At most so many events.
    #[arg(long, default_value_t = 100)]
    limit: u64,
    /// Order: a field, with :asc or :desc (the default) behind it; asc alone is oldest first.
    #[arg(long, default_value = "desc")]
    sort: String,
    /// Only how many events match.
    #[arg(long)]
    count: bool,
    /// Where the query is none, search for its words and say so.
    #[arg(long)]
    or_text: bool,
    /// Read a leaked secret from standard input and find the events that carried it; a query narrows it.
    #[arg(long)]
    secret_stdin: bool,
    /// Columns of the table, comma-separated.
    #[arg(long, value_delimiter = ',')]
    cols: Vec<String>,
    /// Form of the output.
    #[arg(short, long, value_enum)]
    output: Option<Output>,
    #[command(flatten)]
    server: Server,
}

/// An order as the API takes it: `asc`, `desc`, `FIELD`, `FIELD:asc`.
fn order(text: &str) -> Value {
    if matches!(text, "asc" | "desc") {
        return text.into();
    }
    let (field, order) = text.rsplit_once(':').unwrap_or((text, "desc"));
    json!({"field": field, "order": order})
}

/// Longest secret.
const SECRET_BYTES_MAX: u64 = 32 << 10;

/// Asks the server what finds the events with the secret on standard input.
async fn secret_query(client: &Client, narrowed: &str) -> anyhow::Result<Result<String, Exit>> {
    let mut secret = Zeroizing::new(String::new());
    let mut input = std::io::stdin().take(SECRET_BYTES_MAX + 1);
    input.read_to_string(&mut secret)?;
    let body = json!({"secret": secret.trim_end_matches(['\r', '\n']), "limit": 1});
    let found = match client.post("/api/v1/lookup-secret", &body).await? {
        Ok(found) => found,
        Err(exit) => return Ok(Err(exit)),
    };
    for tag in found
        .get("tags")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let text = |name: &str| tag.get(name).and_then(Value::as_str).unwrap_or_default();
        output::tell(&format!("tag: {} (key {})", text("tag"), text("key_id")));
    }
    let query = found
        .get("query")
        .and_then(Value::as_str)
        .unwrap_or_default();
    Ok(Ok(if narrowed.trim().is_empty() {
        query.to_owned()
    } else {
        format!("({query}) AND ({narrowed})")
    }))
}

pub(super) async fn run(search: Search) -> anyhow::Result<Exit> {
    let is_key_there = search.server.key_file.as_deref() == Some(Path::new("-"));
    if search.secret_stdin && is_key_there {
        output::tell(
            "error: --secret-stdin and --key-file - both read standard input; put the key into a file",
        );
        return Ok(Exit::Usage);
    }
    let client = Client::new(&search.server)?;
    let query = if search.secret_stdin {
        match secret_query(&client, &search.query).await? {
            Ok(query) => query,
            Err(exit) => return Ok(exit),
        }
    } else {
        search.query.clone()
    };
    let from = search
        .from
        .clone()
        .unwrap_or_else(|| format!("now-{}", search.since));
    let mut events: Vec<Value> = Vec::new();
    let mut cursor = Value::Null;
    loop {
        let left = search.limit.saturating_sub(events.len() as u64);
        let body = json!({
            "query": query, "from": from, "to": search.to, "cursor": cursor, "count": search.count,
            "sort": order(&search.sort),
            "on_invalid": if search.or_text { "text" } else { "error" },
            "limit": if search.count { 1 } else { left.clamp(1, PAGE) },
        });
        let page = match client.post("/api/v1/search", &body).await? {
            Ok(page) => page,
            Err(exit) => return Ok(exit),
        };
        tell_notes(&page);
        if search.count {
            let total = page.pointer("/stats/total").cloned().unwrap_or(Value::Null);
            output::emit(&format!("{total}\n"))?;
            return Ok(Exit::Ok);
        }
        if let Some(Value::Array(data)) = page.get("data") {
            events.extend(data.iter().cloned());
        }
        cursor = page
            .pointer("/page/next_cursor")
            .cloned()
            .unwrap_or(Value::Null);
        if cursor.is_null() || events.len() as u64 >= search.limit {
            break;
        }
    }
    let chosen: Vec<&str> = search.cols.iter().map(String::as_str).collect();
    let columns = if chosen.is_empty() {
        COLUMNS
    } else {
        chosen.as_slice()
    };
    output::rows(&events, columns, Output::or_default(search.output))?;
    Ok(Exit::Ok)
}

/// Tells which names are no fields, and what the answer may not have seen.
fn tell_notes(page: &Value) {
    let hints = page.get("hints").and_then(Value::as_array);
    for hint in hints.into_iter().flatten() {
        let text = |name: &str| hint.get(name).and_then(Value::as_str).unwrap_or_default();
        let (name, meant) = (text("name"), text("meant"));
        output::tell(&format!(
            "note: no event has a field {name}; did you mean {meant}?"
        ));
    }
    if let Some(detail) = page.pointer("/fallback/detail").and_then(Value::as_str) {
        output::tell(&format!(
            "note: this is no query ({detail}); its words were searched for"
        ));
    }
    let stats = page.get("stats");
    let unparsed = stats.and_then(|stats| stats.get("unparsed")?.as_u64());
    if let Some(unparsed) = unparsed.filter(|unparsed| *unparsed > 0) {
        output::tell(&format!(
            "note: {unparsed} events of this time could not be parsed (event.notes:unparsed)"
        ));
    }
    let silent = stats.and_then(|stats| stats.get("silent_sources")?.as_array());
    for source in silent.into_iter().flatten() {
        let text = |name: &str| source.get(name).and_then(Value::as_str).unwrap_or_default();
        output::tell(&format!(
            "note: nothing came from the source {} since {}",
            terminal::escape(text("name")),
            text("last_seen")
        ));
    }
}
