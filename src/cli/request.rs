//! `wardline request`: everything that carries one correlation id, as a timeline.

use clap::Args;
use serde_json::Value;

use super::client::{Client, segment};
use super::{Exit, Output, Server, output, terminal::escape};

/// Shows every event of one request. Example: wardline request 4bf92f3577b34da6a3ce929d0e0e4736
#[derive(Debug, Args)]
pub(super) struct Request {
    /// Any id of the request: request, trace, correlation or session id, in any form.
    id: String,
    /// As Markdown, for an incident note.
    #[arg(long)]
    md: bool,
    /// Form of the output.
    #[arg(short, long, value_enum)]
    output: Option<Output>,
    #[command(flatten)]
    server: Server,
}

pub(super) async fn run(request: Request) -> anyhow::Result<Exit> {
    let client = Client::new(&request.server)?;
    let story = match client
        .find(&format!(
            "/api/v1/requests/{}?pivots=true",
            segment(&request.id)
        ))
        .await?
    {
        Ok(Some(story)) => story,
        Ok(None) => {
            output::tell(&format!("no event carries the id {}", escape(&request.id)));
            return Ok(Exit::Failed);
        }
        Err(exit) => return Ok(exit),
    };
    let events = story
        .get("events")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    match Output::or_default(request.output) {
        _ if request.md => output::emit(&markdown(&story, &events))?,
        Output::Json => output::document(&story)?,
        Output::Table => output::emit(&timeline(&story, &events))?,
        other => output::rows(&events, super::search::COLUMNS, other)?,
    }
    Ok(if events.is_empty() {
        Exit::Failed
    } else {
        Exit::Ok
    })
}

fn text(event: &Value, name: &str) -> String {
    match event.get(name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => escape(text).into_owned(),
        Some(other) => escape(&other.to_string()).into_owned(),
    }
}

/// Milliseconds since 1970 of an RFC 3339 member.
fn millis(value: &Value, name: &str) -> Option<i64> {
    crate::model::Timestamp::parse_rfc3339(value.get(name)?.as_str()?)
        .map(crate::model::Timestamp::millis)
}

const BAR_WIDTH: i64 = 40;

fn timeline(story: &Value, events: &[Value]) -> String {
    let begin = millis(story, "start").unwrap_or(0);
    let whole = (millis(story, "end").unwrap_or(begin) - begin).max(1);
    let alerts = story
        .get("alerts")
        .and_then(Value::as_array)
        .map_or(0, Vec::len);
    let mut page = format!(
        "{}: {} events, {whole} ms, {alerts} alerts\n",
        text(story, "id"),
        events.len()
    );
    for event in events {
        let end = millis(event, "@timestamp").unwrap_or(begin);
        let start = millis(event, "start").unwrap_or(end);
        let left = ((start - begin) * BAR_WIDTH / whole).clamp(0, BAR_WIDTH - 1);
        let width = ((end - start) * BAR_WIDTH / whole).clamp(1, BAR_WIDTH - left);
        let bar: String = (0..BAR_WIDTH)
            .map(|at| {
                if at >= left && at < left + width {
                    '█'
                } else {
                    '·'
                }
            })
            .collect();
        let lane = text(event, "lane");
        let status = text(event, "http.response.status_code");
        let said = [
            text(event, "http.request.method"),
            text(event, "url.path"),
            text(event, "message"),
        ]
        .join(" ");
        page.push_str(&format!(
            "{:>6} ms  {lane:<14.14} {bar} {status:>3} {}\n",
            start - begin,
            said.trim()
        ));
    }
    for line in notes(story) {
        page.push_str(&format!("{line}\n"));
    }
    page
}

/// A list of the story.
fn list<'s>(story: &'s Value, names: &str) -> &'s [Value] {
    story
        .pointer(names)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// What is told behind the events: clocks that disagree, and where to go on.
fn notes(story: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for skew in list(story, "/skew") {
        let offset = skew.get("offset_ms").and_then(Value::as_f64).unwrap_or(0.0);
        lines.push(format!(
            "clock of {}: at least {} ms {} that of {}: {}; times are as they came",
            text(skew, "lane"),
            offset.abs(),
            if offset > 0.0 { "behind" } else { "ahead of" },
            text(skew, "caller"),
            text(skew, "because"),
        ));
    }
    for pivot in list(story, "/pivots/values") {
        let events = match pivot.get("events").and_then(Value::as_u64) {
            Some(1) => "1 other event".to_owned(),
            Some(count) => format!("{count} other events"),
            None => "not counted".to_owned(),
        };
        lines.push(format!(
            "same {} {}: {events}: {}",
            text(pivot, "kind"),
            text(pivot, "value"),
            text(pivot, "query"),
        ));
    }
    if !list(story, "/pivots/values").is_empty() {
        let pivots = story.get("pivots").unwrap_or(&Value::Null);
        lines.push(format!(
            "others were counted from {} to {}: wardline search QUERY --from … --to …",
            text(pivots, "from"),
            text(pivots, "to")
        ));
    }
    lines
}

/// A line in a list of Markdown, in which nothing of the logs is markup.
fn item(line: &str) -> String {
    let mut text = String::from("- ");
    for c in line.chars() {
        if "\\`*_[]<>|".contains(c) {
            text.push('\\');
        }
        text.push(c);
    }
    text
}

fn markdown(story: &Value, events: &[Value]) -> String {
    let mut page = format!("### Request `{}`\n\n", text(story, "id"));
    page.push_str("| time | service | method | path | status | user | client | message |\n|---|---|---|---|---|---|---|---|\n");
    let columns = [
        "@timestamp",
        "service.name",
        "http.request.method",
        "url.path",
        "http.response.status_code",
        "user.id",
        "client.ip",
        "message",
    ];
    for event in events {
        let cells: Vec<String> = columns
            .iter()
            .map(|name| text(event, name).replace('|', "\\|"))
            .collect();
        page.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    let notes = notes(story);
    if !notes.is_empty() {
        page.push('\n');
    }
    for line in notes {
        page.push_str(&format!("{}\n", item(&line)));
    }
    page
}
