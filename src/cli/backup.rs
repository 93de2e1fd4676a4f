//! `wardline backup`: the log and the state as one file, of a running or a stopped server.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::client::Client;
use super::{Exit, Server, output};
use crate::backup::{self, KEYS, Manifest, Source};
use crate::clock::Clock;
use crate::files;
use crate::metrics::Metrics;
use crate::model::Timestamp;
use crate::store::{self, Store};
use crate::wal::Wal;

/// Writes the log and the state of a server as one file, checks it, and says what is in it. The configuration is not in it, nor are the key files, unless the data directory is named. Example: wardline backup /backups --data-dir data
#[derive(Debug, Args)]
pub(super) struct Backup {
    /// Directory for the file, made where it is missing.
    dir: PathBuf,
    /// Data directory, where it is on this machine: its key files are copied beside the backup, and no running server is needed.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    server: Server,
}

/// State and log of a stopped server; `None` where one is running.
fn opened(data_dir: &Path) -> anyhow::Result<Option<(Store, Wal)>> {
    let dir = crate::app::store_dir(data_dir);
    // Opening would make what is missing.
    if !data_dir.join("wal").is_dir() || !dir.join("secret.key").is_file() {
        anyhow::bail!("{} is no data directory of a server", data_dir.display());
    }
    let metrics = Arc::new(Metrics::default());
    let store = match Store::open(
        &dir,
        store::Options::default(),
        Clock::System,
        metrics.clone(),
    ) {
        Err(store::Error::Locked) => {
            let text = "note: another process has the data directory; the server at --url is asked";
            output::tell(text);
            return Ok(None);
        }
        store => store?,
    };
    let wal = Wal::open(
        data_dir,
        crate::wal::Options::default(),
        Clock::System,
        metrics,
    )?;
    Ok(Some((store, wal)))
}

pub(super) async fn run(backup: Backup) -> anyhow::Result<Exit> {
    let now = Clock::System.now();
    let stopped = match &backup.data_dir {
        Some(data_dir) => opened(data_dir)?,
        None => None,
    };
    let in_dir = |what: &str| format!("cannot {what} {}", backup.dir.display());
    files::private_dir(&backup.dir).with_context(|| in_dir("make"))?;
    let path = backup.dir.join(file_name(now));
    let partial = path.with_extension("tar.partial");
    let file = files::new_private(&partial).with_context(|| in_dir("write into"))?;
    let written = written(&backup, stopped.as_ref(), &file, now).await;
    if !matches!(written, Ok(None)) {
        fs::remove_file(&partial)?;
    }
    if let Some(exit) = written? {
        return Ok(exit);
    }
    let manifest = match checked(&file, &partial, &backup) {
        Ok(manifest) => manifest,
        Err(error) => {
            fs::remove_file(&partial)?;
            output::tell(&format!("error: {error}"));
            return Ok(Exit::Findings);
        }
    };
    // The keys first: a backup that has its name has its keys.
    let has_keys = match &backup.data_dir {
        Some(data_dir) => backup::copy_keys(data_dir, &backup::keys_of(&path))?,
        None => false,
    };
    fs::rename(&partial, &path)?;
    files::sync_dir(&backup.dir)?;
    output::document(&json!({
        "file": path,
        "created": manifest.created,
        "events": manifest.events(),
        "first": manifest.first,
        "end": manifest.end,
        "bytes": manifest.bytes(),
        "keys": has_keys,
    }))?;
    if !has_keys {
        output::tell(&format!(
            "note: keep {} of the data directory elsewhere; what is restored needs them",
            KEYS.join(", ")
        ));
    }
    Ok(Exit::Ok)
}

/// Writes the file from here or from the server; an exit code where that sends none.
async fn written(
    backup: &Backup,
    stopped: Option<&(Store, Wal)>,
    file: &File,
    now: Timestamp,
) -> anyhow::Result<Option<Exit>> {
    let (Some((store, wal)), Some(data_dir)) = (stopped, &backup.data_dir) else {
        return download(&backup.server, file).await;
    };
    let source = Source {
        data_dir,
        store,
        wal,
        now,
    };
    backup::create(&source, BufWriter::new(file))?;
    Ok(None)
}

/// `wardline-20261122T181500.123Z.tar`.
fn file_name(now: Timestamp) -> String {
    let time = Timestamp(now.millis() * 1_000_000).to_rfc3339();
    format!("wardline-{}.tar", time.replace(['-', ':'], ""))
}

/// What the server sends, as a file; an exit code where it sends none.
async fn download(server: &Server, mut file: &File) -> anyhow::Result<Option<Exit>> {
    let client = Client::new(server)?;
    let mut answer = match client.file("/api/v1/backup").await {
        Ok(Ok(answer)) => answer,
        Ok(Err(refusal)) => return Ok(Some(refusal.tell())),
        Err(why) => return Ok(Some(client.is_silent(&why))),
    };
    let bar = match std::io::IsTerminal::is_terminal(&std::io::stderr()) {
        true => ProgressBar::new_spinner(),
        false => ProgressBar::hidden(),
    };
    let style = ProgressStyle::with_template("{spinner} {bytes} {bytes_per_sec}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    loop {
        match answer.chunk().await {
            Ok(Some(chunk)) => {
                file.write_all(&chunk)?;
                bar.inc(chunk.len() as u64);
            }
            Ok(None) => break,
            Err(failure) => {
                output::tell(&format!("error: the backup broke off: {failure}"));
                return Ok(Some(Exit::Failed));
            }
        }
    }
    bar.finish_and_clear();
    Ok(None)
}

/// Reads the file again, whole; it must be of the server whose data directory was named.
fn checked(file: &File, partial: &Path, of: &Backup) -> anyhow::Result<Manifest> {
    file.sync_all()?;
    let manifest = backup::check(BufReader::new(File::open(partial)?))?;
    if let Some(data_dir) = &of.data_dir
        && backup::key_id(data_dir) != manifest.tag_key
    {
        anyhow::bail!(
            "the server at {} is not the one of {}: it has another tag.key",
            of.server.url,
            data_dir.display()
        );
    }
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_backups_are_in_order_of_time() {
        let name = file_name(Timestamp(1_763_726_400_123_456_789));
        assert_eq!(name, "wardline-20251121T120000.123Z.tar");
    }
}
