//! `wardline ingest`: files or standard input to a server, in bodies the server acknowledges one by one.

use std::io::{BufRead, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};
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
/// Longest line: what fits in a body with the lines before it. The server keeps less of a record, and says so.
const LINE_BYTES_MAX: usize = BODY_BYTES_MAX - BODY_BYTES - 1;
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

/// What has become of the input so far.
#[derive(Default)]
struct Sent {
    accepted: u64,
    flagged: u64,
    bodies: u64,
    /// Lines that were cut.
    cut: u64,
    /// Files that could not be read or sent.
    left_out: u64,
}

impl Sent {
    /// The whole run as an exit code, after telling what is not in the log.
    fn exit(&self) -> Exit {
        if self.cut > 0 {
            output::tell(&format!("{} lines were too long and were cut", self.cut));
        }
        if self.left_out > 0 {
            output::tell(&format!("{} files were left out", self.left_out));
            return Exit::Failed;
        }
        if self.cut > 0 {
            return Exit::Findings;
        }
        Exit::Ok
    }
}

pub(super) async fn run(ingest: Ingest) -> anyhow::Result<Exit> {
    let is_input = |path: &PathBuf| path.as_os_str() == "-";
    if ingest.files.iter().any(is_input) && ingest.server.key_file.as_ref().is_some_and(is_input) {
        output::tell("error: standard input cannot be both the key (--key-file -) and the log (-)");
        return Ok(Exit::Usage);
    }
    let client = Client::new(&ingest.server)?;
    let mut path = format!("/api/v1/ingest?format={}", segment(&ingest.format));
    if let Some(source) = &ingest.source {
        path.push_str(&format!("&source={}", segment(source)));
    }
    let mut sent = Sent::default();
    for file in &ingest.files {
        if let Err(exit) = send_file(&client, &path, file, &mut sent).await? {
            return Ok(exit);
        }
    }
    if sent.bodies == 0 {
        // Nothing to send, but a wrong key or address should not look like success.
        if let Err(exit) = post(&client, &path, Vec::new()).await? {
            return Ok(exit);
        }
    }
    output::emit(&format!(
        "{{\"accepted\":{},\"flagged\":{}}}\n",
        sent.accepted, sent.flagged
    ))?;
    Ok(sent.exit())
}

/// Sends a file; `Err` where the server takes no more. A file that cannot be read costs no other.
async fn send_file(
    client: &Client,
    path: &str,
    file: &Path,
    sent: &mut Sent,
) -> anyhow::Result<Result<(), Exit>> {
    let name = file.display().to_string();
    let (reader, size): (Box<dyn Read + Send>, u64) = if name == "-" {
        (Box::new(std::io::stdin()), 0)
    } else {
        match std::fs::File::open(file) {
            Ok(open) => {
                let size = open.metadata().map_or(0, |meta| meta.len());
                (Box::new(open), size)
            }
            Err(error) => {
                output::tell(&format!("error: cannot read {name}: {error}"));
                sent.left_out += 1;
                return Ok(Ok(()));
            }
        }
    };
    let bar = progress(size);
    let mut input = Input {
        name,
        lines: 0,
        from: BufReader::with_capacity(1 << 18, reader),
    };
    let done = send(client, path, &mut input, &bar, sent).await?;
    bar.finish_and_clear();
    Ok(done)
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

/// A file, or standard input, on its way.
struct Input<R> {
    /// As the user named it.
    name: String,
    /// Lines begun.
    lines: u64,
    from: R,
}

/// What a read has added to a body.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Whole,
    /// Its beginning alone; the rest was left out.
    Cut,
    /// The input is at its end.
    End,
}

/// Whole lines per body, so that no record is cut in two; of a line that is too long the beginning is sent, as it is
/// from followed files. A file that is one JSON document over many lines is sent whole; it is left out where it
/// does not fit a body of the server's bound, before it is all in memory.
async fn send<R: BufRead>(
    client: &Client,
    path: &str,
    input: &mut Input<R>,
    bar: &ProgressBar,
    sent: &mut Sent,
) -> anyhow::Result<Result<(), Exit>> {
    if starts_a_document(&mut input.from)? {
        let mut body = Vec::new();
        let most = BODY_BYTES_MAX as u64 + 1;
        (&mut input.from).take(most).read_to_end(&mut body)?;
        if body.len() > BODY_BYTES_MAX {
            output::tell(&format!("error: {}: {TOO_LARGE}", input.name));
            sent.left_out += 1;
            return Ok(Ok(()));
        }
        return send_body(client, path, body, sent).await;
    }
    let mut body = Vec::with_capacity(BODY_BYTES + 4096);
    loop {
        input.lines += 1;
        let line = read_line(&mut input.from, &mut body, LINE_BYTES_MAX)?;
        if line == Line::Cut {
            sent.cut += 1;
            output::tell(&format!(
                "{}:{}: longer than {} MiB, cut",
                input.name,
                input.lines,
                LINE_BYTES_MAX >> 20
            ));
        }
        let is_end = line == Line::End;
        if body.len() >= BODY_BYTES || (is_end && !body.is_empty()) {
            let bytes = body.len() as u64;
            let rest = Vec::with_capacity(BODY_BYTES + 4096);
            let body = std::mem::replace(&mut body, rest);
            if let Err(exit) = send_body(client, path, body, sent).await? {
                return Ok(Err(exit));
            }
            bar.inc(bytes);
        }
        if is_end {
            return Ok(Ok(()));
        }
    }
}

async fn send_body(
    client: &Client,
    path: &str,
    body: Vec<u8>,
    sent: &mut Sent,
) -> anyhow::Result<Result<(), Exit>> {
    sent.bodies += 1;
    match post(client, path, body).await? {
        Ok(answer) => {
            let number = |name: &str| answer.get(name).and_then(Value::as_u64).unwrap_or(0);
            sent.accepted += number("accepted");
            sent.flagged += number("flagged");
            Ok(Ok(()))
        }
        Err(exit) => {
            output::tell(&format!(
                "stopped: {} events of this run are durable, the rest was not sent",
                sent.accepted
            ));
            Ok(Err(exit))
        }
    }
}

/// What to do about input that cannot be cut.
const TOO_LARGE: &str = "one JSON document of more than 64 MiB cannot be sent and was left out; make it a record per \
     line first: jq -c '.[]' FILE | wardline ingest -";

/// Reads a line, at most `line_bytes_max` of it, and to its end whatever its length.
fn read_line(
    from: &mut impl BufRead,
    body: &mut Vec<u8>,
    line_bytes_max: usize,
) -> std::io::Result<Line> {
    let before = body.len();
    let most = line_bytes_max as u64;
    from.take(most).read_until(b'\n', body)?;
    if body.len() == before {
        return Ok(Line::End);
    }
    if body.len() - before < line_bytes_max || body.ends_with(b"\n") {
        return Ok(Line::Whole);
    }
    let mut left_out = 0usize;
    loop {
        let piece = from.fill_buf()?;
        let end = memchr::memchr(b'\n', piece);
        let used = end.map_or(piece.len(), |end| end + 1);
        left_out += end.unwrap_or(used);
        from.consume(used);
        if end.is_some() || used == 0 {
            break;
        }
    }
    body.push(b'\n');
    Ok(if left_out > 0 { Line::Cut } else { Line::Whole })
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
    let is_whole = || serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok();
    Ok(match first {
        // A line of text can begin so too: `[error] 7#0: …`, `[2026-11-21] …`.
        Some(b'[') => {
            let inside = line.trim_ascii().get(1..).unwrap_or_default();
            let first = inside.trim_ascii_start().first();
            matches!(first, None | Some(b'{' | b'[' | b'"')) && !is_whole()
        }
        Some(b'{') => !is_whole() && line.trim_ascii().len() <= 2,
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
    fn a_line_that_is_too_long_is_cut_and_costs_no_neighbour() {
        let check = |text: &str, expected: &[(Line, &str)]| {
            let mut from = BufReader::with_capacity(3, text.as_bytes());
            for (line, kept) in expected {
                let mut body = b"before\n".to_vec();
                assert_eq!(read_line(&mut from, &mut body, 4).unwrap(), *line, "{text}");
                assert_eq!(body, format!("before\n{kept}").into_bytes(), "{text}");
            }
        };
        check(
            "a\nbbbbbbbbb\nc\n",
            &[
                (Line::Whole, "a\n"),
                (Line::Cut, "bbbb\n"),
                (Line::Whole, "c\n"),
                (Line::End, ""),
            ],
        );
        check(
            "aaa\nbbbb\nc",
            &[
                (Line::Whole, "aaa\n"),
                (Line::Whole, "bbbb\n"),
                (Line::Whole, "c"),
            ],
        );
        check("aaaaaaa", &[(Line::Cut, "aaaa\n"), (Line::End, "")]);
        check("aaaa", &[(Line::Whole, "aaaa\n"), (Line::End, "")]);
        check("", &[(Line::End, "")]);
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
        check("[\n{\"a\":1},\n{\"a\":2}\n]", true);
        check("[{\"a\":1}]\n[{\"a\":2}]\n", false);
        check("[error] 7#0: x\n", false);
        check("[2026-11-21] x\n", false);
        check("plain text", false);
        check("", false);
    }
}
