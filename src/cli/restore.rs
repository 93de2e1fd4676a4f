//! `wardline restore`: a data directory out of a backup.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::{Exit, output};
use crate::backup::{self, KEYS};
use crate::store::EngineKind;

/// Makes a data directory of a backup; the index is built at the next start. Example: wardline restore /backups --data-dir data
#[derive(Debug, Args)]
pub(super) struct Restore {
    /// A backup, or the directory of backups, of which the newest is taken. Key files are taken from beside it.
    from: PathBuf,
    /// Data directory to make; it must be empty or not there.
    #[arg(long, default_value = "data")]
    data_dir: PathBuf,
}

/// The newest backup of a directory: their names are their times.
fn newest(dir: &Path) -> anyhow::Result<PathBuf> {
    let entries = fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let is_backup = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        let is_ours = |name: &str| name.starts_with("wardline-") && name.ends_with(".tar");
        name.is_some_and(is_ours) && path.is_file()
    };
    let newest = paths.filter(is_backup).max();
    newest.with_context(|| format!("there is no backup in {}", dir.display()))
}

pub(super) fn run(restore: &Restore) -> anyhow::Result<Exit> {
    let path = match restore.from.is_dir() {
        true => newest(&restore.from)?,
        false => restore.from.clone(),
    };
    let file = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
    let made = backup::restore(
        BufReader::new(file),
        &backup::keys_of(&path),
        &restore.data_dir,
        EngineKind::default(),
    );
    let (manifest, has_keys) = match made {
        Ok(made) => made,
        Err(error @ backup::Error::Archive(_)) => {
            output::tell(&format!("damage: {}: {error}", path.display()));
            return Ok(Exit::Findings);
        }
        Err(error) => return Err(error.into()),
    };
    output::document(&json!({
        "data_dir": restore.data_dir,
        "created": manifest.created,
        "events": manifest.events(),
        "first": manifest.first,
        "end": manifest.end,
        "keys": has_keys,
    }))?;
    if !has_keys {
        output::tell(&format!(
            "note: put {} of the old data directory into {} before it is started",
            KEYS.join(", "),
            restore.data_dir.display()
        ));
    }
    Ok(Exit::Ok)
}
