//! `wardline tail`: events as they arrive.

use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::client::{Client, Refusal, segment};
use super::search::COLUMNS;
use super::{Exit, Output, Server, output, terminal};
use crate::api::csv::cell;
use crate::notify::ApiAnswer;

/// Shows events as they arrive. Example: wardline tail 'status:>=500'
#[derive(Debug, Args)]
pub(super) struct Tail {
    /// What to look for; empty for everything. See docs/query-language.md
    #[arg(default_value = "")]
    query: String,
    /// Stop after so many events.
    #[arg(long)]
    limit: Option<u64>,
    /// Columns on a terminal, comma-separated.
    #[arg(long, value_delimiter = ',')]
    cols: Vec<String>,
    /// Form of the output: a line of columns on a terminal and NDJSON in a pipe, unless said.
    #[arg(short, long, value_enum)]
    output: Option<Output>,
    #[command(flatten)]
    server: Server,
}

/// Longest wait before the server is asked again.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// Longest silence of a server that is there.
const SILENCE_MAX: Duration = Duration::from_secs(45);
/// Longest message: one event and its frame.
const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// One message of the stream.
#[derive(Debug, Default, PartialEq, Eq)]
struct Message {
    id: Option<String>,
    event: Option<String>,
    data: String,
}

/// Reads a block of lines as Server-Sent Events have it (WHATWG HTML, 9.2.6).
fn message(block: &str) -> Message {
    let mut message = Message::default();
    for line in block.lines() {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "id" => message.id = Some(value.to_owned()),
            "event" => message.event = Some(value.to_owned()),
            "data" => message.data.push_str(value),
            _ => {}
        }
    }
    message
}

/// What is followed, and how far.
struct Follow<'a> {
    tail: &'a Tail,
    columns: Vec<&'a str>,
    output: Output,
    last: Option<String>,
    shown: u64,
}

impl Follow<'_> {
    fn is_done(&self) -> bool {
        self.tail.limit.is_some_and(|limit| self.shown >= limit)
    }

    fn take(&mut self, message: Message) -> anyhow::Result<()> {
        if message.event.as_deref() == Some("dropped") {
            let dropped: Value = serde_json::from_str(&message.data).unwrap_or(Value::Null);
            let count = dropped.get("count").and_then(Value::as_u64).unwrap_or(0);
            output::tell(&format!("note: {count} events passed by; narrow the query"));
        } else if !message.data.is_empty() && !self.is_done() {
            let event: Value = serde_json::from_str(&message.data)?;
            self.shown += 1;
            match self.output {
                Output::Table => output::emit(&line(&event, &self.columns))?,
                form => output::rows(&[event], &self.columns, form)?,
            }
        }
        self.last = message.id.or(self.last.take());
        Ok(())
    }

    /// Shows what comes until the stream ends.
    async fn read(&mut self, mut answer: ApiAnswer) -> anyhow::Result<()> {
        let mut text: Vec<u8> = Vec::new();
        // The server speaks every 15 seconds: silence is a connection that is gone.
        while !self.is_done()
            && let Ok(Ok(Some(chunk))) = tokio::time::timeout(SILENCE_MAX, answer.chunk()).await
        {
            text.extend_from_slice(&chunk);
            while let Some(end) = memchr::memmem::find(&text, b"\n\n") {
                let block: Vec<u8> = text.drain(..end + 2).collect();
                self.take(message(&String::from_utf8_lossy(&block)))?;
            }
            anyhow::ensure!(
                text.len() <= MESSAGE_BYTES_MAX,
                "a message of the server is too long"
            );
        }
        Ok(())
    }
}

/// An event as one line of its columns, `-` where it has none.
fn line(event: &Value, columns: &[&str]) -> String {
    let mut cells = Vec::new();
    for column in columns {
        let cell = cell(event, column);
        let cell = if cell.is_empty() { "-" } else { cell.as_str() };
        cells.push(terminal::escape(cell).into_owned());
    }
    format!("{}\n", cells.join("  "))
}

async fn follow(tail: &Tail) -> anyhow::Result<Exit> {
    let client = Client::new(&tail.server)?;
    let path = format!("/api/v1/tail?query={}", segment(&tail.query));
    let chosen: Vec<&str> = tail.cols.iter().map(String::as_str).collect();
    let mut follow = Follow {
        tail,
        columns: if chosen.is_empty() {
            COLUMNS.to_vec()
        } else {
            chosen
        },
        output: Output::or_default(tail.output),
        last: None,
        shown: 0,
    };
    let (mut wait, mut is_known) = (Duration::from_secs(1), false);
    while !follow.is_done() {
        let was_shown = follow.shown;
        match client.stream(&path, follow.last.as_deref()).await {
            Ok(Ok(answer)) => {
                is_known = true;
                follow.read(answer).await?;
            }
            // A server that was there may come back, and one without room may have some again.
            Ok(Err(Refusal { status, .. })) if is_known && matches!(status, 429 | 502..=504) => {}
            Ok(Err(refusal)) => return Ok(refusal.tell()),
            Err(_why) if is_known => {}
            Err(why) => return Ok(client.is_silent(&why)),
        }
        if follow.is_done() {
            break;
        }
        wait = match follow.shown > was_shown {
            true => Duration::from_secs(1),
            false => (wait * 2).min(WAIT_MAX),
        };
        tokio::time::sleep(wait).await;
    }
    Ok(Exit::Ok)
}

pub(super) async fn run(tail: Tail) -> anyhow::Result<Exit> {
    tokio::select! {
        done = follow(&tail) => done,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            Ok(Exit::Interrupted)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_line_by_line() {
        let read = |text: &str| message(text);
        assert_eq!(
            read("id: evt_1\ndata: {\"a\":\ndata: 1}\n\n"),
            Message {
                id: Some("evt_1".into()),
                event: None,
                data: "{\"a\":1}".into(),
            }
        );
        assert_eq!(
            read("event: dropped\ndata:{}\n\n").event.as_deref(),
            Some("dropped")
        );
        assert_eq!(read(": still here\n\n"), Message::default());
        assert_eq!(
            read("retry: 1000\nid: evt_2\n\n").id.as_deref(),
            Some("evt_2")
        );
    }

    #[test]
    fn an_event_is_one_line_that_does_not_act() {
        let event = serde_json::json!({"a": "x\u{1b}[2J\n", "b": 7});
        let line = line(&event, &["a", "b", "c"]);
        assert!(line.ends_with("  7  -\n"), "{line:?}");
        assert!(!line.trim_end().contains(['\u{1b}', '\n']), "{line:?}");
    }
}
