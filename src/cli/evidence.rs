//! `wardline evidence`: an alert, or what a search finds, as one file that proves itself.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::client::Client;
use super::{Exit, Server, output};
use crate::evidence;
use crate::files;

/// Fetches the events of an alert or of a search with the proof of the log, as one ZIP file, and checks it. Examples: wardline evidence --alert alt_01… -o pack.zip, wardline evidence 'user.id:u-17' --from now-2h -o pack.zip
#[derive(Debug, Args)]
pub(super) struct Evidence {
    /// What to look for, where it is about no alert. See docs/query-language.md
    #[arg(required_unless_present = "alert", conflicts_with = "alert")]
    query: Option<String>,
    /// The alert.
    #[arg(long, value_name = "ID")]
    alert: Option<String>,
    /// From this moment: RFC 3339 or now-2h.
    #[arg(long, conflicts_with = "alert")]
    from: Option<String>,
    /// Until this moment: RFC 3339 or now.
    #[arg(long, conflicts_with = "alert")]
    to: Option<String>,
    /// Why, in words, for those who read it.
    #[arg(long)]
    note: Option<String>,
    /// Leave the frames of the log out, which hold other events beside these: hashes alone are in the pack then.
    #[arg(long)]
    without_frames: bool,
    /// The file to write; it must not be there yet.
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    server: Server,
}

pub(super) async fn run(wanted: Evidence) -> anyhow::Result<Exit> {
    let path = &wanted.output;
    let client = Client::new(&wanted.server)?;
    let in_place = || format!("cannot write {}", path.display());
    let file = files::new_private(path).with_context(in_place)?;
    let fetched = fetched(&client, &wanted, &file).await;
    let checked = match fetched {
        Ok(Ok(sum)) => checked(path, &file, &sum),
        Ok(Err(exit)) => Ok(exit),
        Err(error) => Err(error),
    };
    if !matches!(checked, Ok(Exit::Ok)) {
        // What was wrong before counts.
        let _gone = std::fs::remove_file(path).is_ok();
    }
    checked
}

/// The pack into the file, and what the server says the sum of its manifest is.
async fn fetched(
    client: &Client,
    wanted: &Evidence,
    mut file: &File,
) -> anyhow::Result<Result<String, Exit>> {
    let body = json!({
        "alert": wanted.alert, "query": wanted.query, "from": wanted.from, "to": wanted.to,
        "note": wanted.note, "frames": !wanted.without_frames,
    });
    let mut answer = match client.download("/api/v1/evidence", &body).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(refusal)) => return Ok(Err(refusal.tell())),
        Err(why) => return Ok(Err(client.is_silent(&why))),
    };
    let sum = answer
        .header("x-wardline-manifest-sha256")
        .unwrap_or_default();
    loop {
        match answer.chunk().await {
            Ok(Some(chunk)) => file.write_all(&chunk)?,
            Ok(None) => return Ok(Ok(sum)),
            Err(failure) => {
                output::tell(&format!("error: the pack broke off: {failure}"));
                return Ok(Err(Exit::Failed));
            }
        }
    }
}

fn checked(path: &Path, file: &File, sum: &str) -> anyhow::Result<Exit> {
    file.sync_all()?;
    let report = match evidence::verify(path) {
        Ok(report) if report.manifest_sha256 == sum => report,
        Ok(_) => {
            output::tell("error: the pack is not the one that the server says it has made");
            return Ok(Exit::Findings);
        }
        Err(error) => {
            output::tell(&format!("error: {error}"));
            return Ok(Exit::Findings);
        }
    };
    let mut document = serde_json::to_value(&report)?;
    if let Some(members) = document.as_object_mut() {
        members.insert("file".to_owned(), json!(path));
    }
    output::document(&document)?;
    Ok(Exit::Ok)
}
