//! `wardline verify`: walks the checksums and the hash chain of a data directory.

use std::path::PathBuf;

use clap::Args;

use super::{Exit, output};
use crate::wal;

/// Checks a data directory byte by byte, offline and read-only. Example: wardline verify --data-dir data
#[derive(Debug, Args)]
pub struct Verify {
    /// Data directory.
    #[arg(long, default_value = "data")]
    data_dir: PathBuf,
}

pub(super) fn run(verify: &Verify) -> anyhow::Result<Exit> {
    let report = wal::verify(&verify.data_dir, |_done, _all| {})?;
    output::emit(&format!("{}\n", serde_json::to_string(&report)?))?;
    for damage in &report.damage {
        output::tell(&format!(
            "damage: segment {:020}, byte {}: {:?}, events {} to {}{}",
            damage.segment.0,
            damage.position,
            damage.kind,
            damage.first.0,
            damage.end.0,
            if damage.is_known { " (a recorded gap)" } else { "" },
        ));
    }
    Ok(if report.is_sound() { Exit::Ok } else { Exit::Findings })
}
