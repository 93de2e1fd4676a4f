//! `wardline verify`: walks the checksums and the hash chain of a data directory, and compares where the log ends with
//! what index and state have read of it: a chain cannot show that its own last links are gone.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::{Exit, output};
use crate::{evidence, index, store, wal};

/// Checks a data directory, or an evidence pack, byte by byte, offline and read-only. Examples: wardline verify --data-dir data, wardline verify pack.zip
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// An evidence pack, in place of a data directory.
    #[arg(conflicts_with = "data_dir")]
    pack: Option<PathBuf>,
    /// SHA-256 of the pack's manifest as the server gave and logged it: without it nothing tells a pack from one that was made up whole.
    #[arg(long, value_name = "HEX", requires = "pack")]
    manifest_sha256: Option<String>,
    /// Data directory.
    #[arg(long, default_value = "data")]
    data_dir: PathBuf,
}

/// How far somebody has read the log.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    /// Below the data directory.
    place: String,
    /// Behind the last event it has read.
    end: u64,
}

/// Checks a pack; tells the first place that is wrong.
fn check_pack(path: &Path, expected: Option<&str>) -> anyhow::Result<Exit> {
    if path.is_dir() {
        let path = path.display();
        anyhow::bail!(
            "{path} is a directory, no evidence pack; a data directory is named with --data-dir {path}"
        );
    }
    let report = match evidence::verify(path) {
        Ok(report) => report,
        Err(evidence::Error::Wrong(text)) => {
            output::tell(&format!("damage: {text}"));
            return Ok(Exit::Findings);
        }
        Err(error) => anyhow::bail!("cannot read {}: {error}", path.display()),
    };
    output::document(&serde_json::to_value(&report)?)?;
    if expected.is_some_and(|sum| !sum.trim().eq_ignore_ascii_case(&report.manifest_sha256)) {
        output::tell("damage: manifest.json: it is whole, but not the one whose SHA-256 was given");
        return Ok(Exit::Findings);
    }
    if report.compared < report.events {
        output::tell(
            "note: the frames of the log were left out of this pack; that its events are those of the log \
             shows only where the log is",
        );
    }
    Ok(Exit::Ok)
}

pub(super) fn run(verify: &Verify) -> anyhow::Result<Exit> {
    if let Some(pack) = &verify.pack {
        return check_pack(pack, verify.manifest_sha256.as_deref());
    }
    let data = &verify.data_dir;
    if !data.is_dir() {
        anyhow::bail!("{} is not a directory", data.display());
    }
    // Before the walk: a running server's readers go on while it lasts.
    let (known, mut silent) = known(data);
    let has_log = data.join("wal").is_dir();
    let report = if has_log {
        wal::verify(data, |_done, _all| {})?
    } else {
        wal::Report::default()
    };
    let missing = missing(&report, &known);
    let (receipts, has_key) = wal::check_receipts(data)?;
    if !has_key && report.erased_segments > 0 {
        silent.push("wal/receipts: receipt.key is missing; receipts were taken by the keys they name themselves".to_owned());
    }
    let index = index::agreement(data, &report.present, &report.untold)?;
    output::emit(&format!("{}\n", shown(&report, &known, &missing, &index)?))?;
    for damage in &report.damage {
        tell(damage);
    }
    for text in &missing {
        output::tell(&format!("damage: {text}"));
    }
    for text in &receipts {
        output::tell(&format!("damage: {text}"));
    }
    for text in &index.wrong {
        output::tell(&format!(
            "damage: {text}; the log is the truth: delete it, and the next start makes it anew"
        ));
    }
    for text in &silent {
        output::tell(&format!("not compared: {text}"));
    }
    if known.is_empty() {
        output::tell(
            "nothing here knows where the log should end, so that events missing from its end would not show; \
             compare \"end\" and \"head\" with those of an earlier run",
        );
    }
    Ok(
        if report.is_sound() && missing.is_empty() && receipts.is_empty() && index.wrong.is_empty()
        {
            Exit::Ok
        } else {
            Exit::Findings
        },
    )
}

fn tell(damage: &wal::Damage) {
    output::tell(&format!(
        "damage: wal/{:020}.seg, byte {}: {:?}, events {} to {}{}",
        damage.segment.0,
        damage.position,
        damage.kind,
        damage.first.0,
        damage.end.0,
        if damage.is_known {
            " (a recorded gap)"
        } else {
            ""
        },
    ));
}

fn shown(
    report: &wal::Report,
    known: &[Known],
    missing: &[String],
    index: &index::Agreement,
) -> anyhow::Result<Value> {
    let mut shown = serde_json::to_value(report)?;
    if let Some(members) = shown.as_object_mut() {
        let known = known
            .iter()
            .map(|known| json!({"place": known.place, "end": known.end}));
        members.insert("known".to_owned(), known.collect());
        members.insert("missing".to_owned(), json!(missing));
        members.insert("index".to_owned(), json!(index));
    }
    Ok(shown)
}

/// What the log should hold and does not.
fn missing(report: &wal::Report, known: &[Known]) -> Vec<String> {
    let mut missing = Vec::new();
    if report.segments == 0 {
        missing.push("wal/: there is no segment; a log has one from its first start on".to_owned());
    }
    for known in known.iter().filter(|known| known.end > report.end.0) {
        missing.push(format!(
            "wal/: events {} to {} are missing from its end; {} has read them",
            report.end.0, known.end, known.place
        ));
    }
    missing
}

/// Who has read how far, and what cannot be asked.
fn known(data: &Path) -> (Vec<Known>, Vec<String>) {
    let mut silent = Vec::new();
    let mut known: Vec<Known> = indexed(data).into_iter().collect();
    match store::known_checkpoint(&crate::app::store_dir(data)) {
        Ok(end) => known.extend(end.map(|end| Known {
            place: "store/".to_owned(),
            end: end.0,
        })),
        Err(error) => silent.push(format!("store/: {error}")),
    }
    (known, silent)
}

/// The segment of the index that reads furthest: `index/<day>/<first>-<end>`.
fn indexed(data: &Path) -> Option<Known> {
    let names = |path: &Path| {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok())
    };
    let index = data.join("index");
    let segments = names(&index).flat_map(|day| {
        let found: Vec<Known> = names(&index.join(&day))
            .filter_map(|name| {
                let (first, end) = name.split_once('-')?;
                let is_whole = first.bytes().all(|byte| byte.is_ascii_digit());
                let end = end.parse().ok().filter(|_| is_whole)?;
                let place = format!("index/{day}/{name}");
                Some(Known { place, end })
            })
            .collect();
        found
    });
    segments.max_by_key(|known| known.end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Offset;

    #[test]
    fn the_index_says_how_far_it_has_read() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(indexed(dir.path()), None);
        for name in [
            "2026-11-20/00000000000000000000-00000000000000000700",
            "2026-11-21/00000000000000000700-00000000000000000900",
            "2026-11-21/tmp-00000000000000000900-00000000000000001000",
            "2026-11-21/notes",
        ] {
            std::fs::create_dir_all(dir.path().join("index").join(name)).unwrap();
        }
        let known = indexed(dir.path()).unwrap();
        assert_eq!(known.end, 900);
        assert_eq!(
            known.place,
            "index/2026-11-21/00000000000000000700-00000000000000000900"
        );
    }

    #[test]
    fn a_log_that_ends_too_early_is_told() {
        let check = |segments, end, known: &[u64], expected: usize| {
            let report = wal::Report {
                segments,
                end: Offset(end),
                ..wal::Report::default()
            };
            let known: Vec<Known> = known
                .iter()
                .map(|end| Known {
                    place: "x".to_owned(),
                    end: *end,
                })
                .collect();
            let found = missing(&report, &known);
            assert_eq!(found.len(), expected, "{found:?}");
        };
        check(1, 10, &[], 0);
        check(1, 10, &[10, 9], 0);
        check(1, 10, &[11, 9], 1);
        check(0, 0, &[11, 12], 3);
        check(0, 0, &[], 1);
    }
}
