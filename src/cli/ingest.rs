//! `wardline ingest`: files or standard input to a server, in bodies the server acknowledges one by one.

use std::io::{BufRead, BufReader, IsTerminal, Read};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::client::{Client, segment};
use super::{Exit, Server, output};

/// Bytes per request: large enough to compress and sync well, small enough to resend.
const BODY_BYTES: usize = 1 << 20;
/// Largest body: what a server takes as long as nobody has set another bound.
const BODY_BYTES_MAX: usize = 64 << 20;
/// A server that is full says so; try this often before giving up.
const ATTEMPTS_MAX: u32 = 20;

/// Sends log files to a server. Example: wardline ingest /var/log/nginx/access.log --source edge-1
#[derive(Debug, Args)]
pub(super) struct Ingest {
    /// Files to send; - for standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Format of the lines: auto, json, ecs, nginx_json, combined or text.
    #[arg(long, default_value = "auto")]
    format: String,
    /// Name of the source the events come from.
    #[arg(long)]
    source: Option<String>,
    #[command(flatten)]
    server: Server,
}

#[derive(Default)]
struct Sent {
    accepted: u64,
    flagged: u64,
}

pub(super) async fn run(ingest: Ingest) -> anyhow::Result<Exit> {
    let client = Client::new(&ingest.server)?;
    let mut path = format!("/api/v1/ingest?format={}", segment(&ingest.format));
    if let Some(source) = &ingest.source {
        path.push_str(&format!("&source={}", segment(source)));
    }
    let mut sent = Sent::default();
    for file in &ingest.files {
        let (reader, size): (Box<dyn Read + Send>, u64) = if file.as_os_str() == "-" {
            (Box::new(std::io::stdin()), 0)
        } else {
            match std::fs::File::open(file) {
                Ok(open) => {
                    let size = open.metadata().map_or(0, |meta| meta.len());
                    (Box::new(open), size)
                }
                Err(error) => {
                    output::tell(&format!("error: cannot read {}: {error}", file.display()));
                    return Ok(Exit::Failed);
                }
            }
        };
        let bar = progress(size);
        if let Err(exit) = send(
            &client,
            &path,
            BufReader::with_capacity(1 << 18, reader),
            &bar,
            &mut sent,
        )
        .await?
        {
            return Ok(exit);
        }
        bar.finish_and_clear();
    }
    output::emit(&format!(
        "{{\"accepted\":{},\"flagged\":{}}}\n",
        sent.accepted, sent.flagged
    ))?;
    Ok(Exit::Ok)
}

fn progress(size: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = if size > 0 {
        ProgressBar::new(size)
    } else {
        ProgressBar::no_length()
    };
    let style =
        ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Whole lines per body, so that no record is cut in two. A file that is one JSON document over many
/// lines is sent whole; it is refused here where it does not fit a body of the server's bound, before it is all in
/// memory.
async fn send(
    client: &Client,
    path: &str,
    mut from: impl BufRead,
    bar: &ProgressBar,
    sent: &mut Sent,
) -> anyhow::Result<Result<(), Exit>> {
    let is_document = starts_a_document(&mut from)?;
    let mut body = Vec::with_capacity(BODY_BYTES + 4096);
    loop {
        let read = read_line(&mut from, &mut body)?;
        if body.len() > BODY_BYTES_MAX {
            output::tell(TOO_LARGE);
            output::tell(&stopped(sent));
            return Ok(Err(Exit::Failed));
        }
        let is_end = read == 0;
        if body.is_empty() || (!is_end && (is_document || body.len() < BODY_BYTES)) {
            if is_end {
                return Ok(Ok(()));
            }
            continue;
        }
        let bytes = body.len() as u64;
        match post(client, path, std::mem::take(&mut body)).await? {
            Ok(answer) => {
                let number = |name: &str| answer.get(name).and_then(Value::as_u64).unwrap_or(0);
                sent.accepted += number("accepted");
                sent.flagged += number("flagged");
            }
            Err(exit) => {
                output::tell(&stopped(sent));
                return Ok(Err(exit));
            }
        }
        bar.inc(bytes);
        if is_end {
            return Ok(Ok(()));
        }
    }
}

/// What to do about input that cannot be cut.
const TOO_LARGE: &str = "error: one JSON document, or one line, of more than 64 MiB cannot be sent; make it a record \
     per line first: jq -c '.[]' FILE | wardline ingest -";

fn stopped(sent: &Sent) -> String {
    format!(
        "stopped: {} events of this run are durable, the rest was not sent",
        sent.accepted
    )
}

/// Reads to the end of a line, or to one byte more than a body may have.
fn read_line(from: &mut impl BufRead, body: &mut Vec<u8>) -> std::io::Result<usize> {
    let left = (BODY_BYTES_MAX + 1).saturating_sub(body.len());
    let left = u64::try_from(left).unwrap_or(u64::MAX);
    from.take(left).read_until(b'\n', body)
}

/// Whether the input is one JSON document rather than a line per record.
fn starts_a_document(from: &mut impl BufRead) -> std::io::Result<bool> {
    let head = from.fill_buf()?;
    let mut bytes = head.iter().filter(|byte| !byte.is_ascii_whitespace());
    let first = bytes.next();
    let line = head
        .split(|byte| *byte == b'\n')
        .find(|line| !line.trim_ascii().is_empty())
        .unwrap_or_default();
    Ok(match first {
        Some(b'[') => true,
        Some(b'{') => {
            serde_json::from_slice::<serde::de::IgnoredAny>(line).is_err()
                && line.trim_ascii().len() <= 2
        }
        _ => false,
    })
}

async fn post(client: &Client, path: &str, body: Vec<u8>) -> anyhow::Result<Result<Value, Exit>> {
    for attempt in 1..=ATTEMPTS_MAX {
        let response = client.raw(path, "application/x-ndjson", body.clone()).await;
        match &response {
            Ok(busy) if matches!(busy.status, 429 | 503) && attempt < ATTEMPTS_MAX => {
                let wait = busy.retry_after.unwrap_or(1).clamp(1, 30);
                tokio::time::sleep(Duration::from_secs(wait)).await;
            }
            _ => return Ok(client.answer(response)),
        }
    }
    Ok(Err(Exit::Refused))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_an_end_is_read_no_further_than_a_body_may_be() {
        let mut endless = BufReader::new(std::io::repeat(b'x'));
        let mut body = vec![b'x'; BODY_BYTES_MAX - 10];
        assert_eq!(read_line(&mut endless, &mut body).unwrap(), 11);
        assert_eq!(body.len(), BODY_BYTES_MAX + 1);
    }

    #[test]
    fn documents_are_told_from_lines() {
        let check = |text: &str, expected: bool| {
            let found = starts_a_document(&mut text.as_bytes());
            assert_eq!(found.unwrap(), expected, "{text}");
        };
        check("[{\"a\":1},\n{\"a\":2}]", true);
        check("{\n  \"a\": 1\n}", true);
        check("{\"a\":1}\n{\"a\":2}\n", false);
        check("plain text", false);
        check("", false);
    }
}
