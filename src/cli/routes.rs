//! `wardline routes`: which routes the events show, and what stands out about them.

use clap::Args;
use serde_json::{Value, json};

use super::client::{Client, segment};
use super::{Exit, Output, Server, output};

/// Columns of the table and of CSV.
const COLUMNS: [&str; 12] = [
    "route",
    "method",
    "service",
    "events",
    "2xx",
    "4xx",
    "5xx",
    "authenticated",
    "users",
    "p95_ms",
    "flags",
    "last_seen",
];

/// Lists the routes that events name, the busiest first, with what stands out: new, deprecated, success without authentication. Example: wardline routes --since 7d 'status:<500'
#[derive(Debug, Args)]
pub(super) struct List {
    /// Only events that match; empty for all. See docs/query-language.md
    #[arg(default_value = "")]
    query: String,
    /// How far back: 90s, 15m, 1h, 7d. What is older and kept says which routes are new.
    #[arg(long, default_value = "24h", conflicts_with = "from")]
    since: String,
    /// From this moment: RFC 3339 or now-2h.
    #[arg(long)]
    from: Option<String>,
    /// Until this moment: RFC 3339 or now.
    #[arg(long)]
    to: Option<String>,
    /// Form of the output.
    #[arg(short, long, value_enum)]
    output: Option<Output>,
    #[command(flatten)]
    server: Server,
}

/// A row with what its columns hold.
fn flat(row: &Value) -> Value {
    let mut row = row.clone();
    let flags = row
        .get("flags")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let flags: Vec<&str> = flags.iter().filter_map(Value::as_str).collect();
    let flags = flags.join(" ");
    let statuses = row.get("statuses").cloned().unwrap_or(Value::Null);
    if let Some(members) = row.as_object_mut() {
        members.insert("flags".to_owned(), json!(flags));
        for class in ["2xx", "4xx", "5xx"] {
            members.insert(
                class.to_owned(),
                statuses.get(class).cloned().unwrap_or(Value::Null),
            );
        }
    }
    row
}

pub(super) async fn run(list: List) -> anyhow::Result<Exit> {
    let client = Client::new(&list.server)?;
    let from = list
        .from
        .clone()
        .unwrap_or_else(|| format!("now-{}", list.since));
    let mut path = format!(
        "/api/v1/routes?query={}&from={}",
        segment(&list.query),
        segment(&from)
    );
    if let Some(to) = &list.to {
        path.push_str(&format!("&to={}", segment(to)));
    }
    let found = match client.get(&path).await? {
        Ok(found) => found,
        Err(exit) => return Ok(exit),
    };
    let rows = found
        .get("data")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    match Output::or_default(list.output) {
        Output::Json => output::document(&found)?,
        form @ (Output::Table | Output::Csv) => {
            let rows: Vec<Value> = rows.iter().map(flat).collect();
            output::rows(&rows, &COLUMNS, form)?;
        }
        form => output::rows(&rows, &COLUMNS, form)?,
    }
    let count = |name: &str| found.get(name).and_then(Value::as_u64).unwrap_or(0);
    let (left_out, without) = (count("left_out_events"), count("without_route"));
    if left_out > 0 {
        output::tell(&format!(
            "note: events of routes that are not listed: {left_out}"
        ));
    }
    if without > 0 {
        output::tell(&format!("note: events without a route: {without}"));
    }
    if found.get("new_is_complete") == Some(&json!(false)) {
        output::tell(
            "note: not every route could be looked for in older events; more of them may be new",
        );
    }
    Ok(Exit::Ok)
}
