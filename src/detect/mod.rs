//! The reader of the log that turns events into alerts.
//!
//! A thread reads the log from its own offset, shows each event to the rules (`wardline_detections`), and
//! writes alerts, their deliveries, the state of the rules and the offset in one store transaction, so
//! that a crash at any moment neither loses nor doubles an alert.

mod rules;

pub use rules::{RuleInfo, RuleProblem, RulesHandle};

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Settings of detection.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Whether events are looked at.
    pub enabled: bool,
    /// Directory with the operator's own rules (`*.yml`, read recursively); none: shipped rules alone.
    pub rules_dir: Option<PathBuf>,
    /// Whether the rules that come with Wardline are used.
    pub shipped_rules: bool,
    /// Files read from `rules_dir` at most.
    pub rule_files_max: usize,
    /// Size of one rule file at most.
    pub rule_file_bytes_max: u64,
    /// Events between two checkpoints at most, while nothing is found.
    pub checkpoint_events: u64,
    /// Time between two checkpoints at most, while nothing is found.
    pub checkpoint_interval_ms: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            enabled: true,
            rules_dir: None,
            shipped_rules: true,
            rule_files_max: 10_000,
            rule_file_bytes_max: 1 << 20,
            checkpoint_events: 500_000,
            checkpoint_interval_ms: 5_000,
        }
    }
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directory of rules cannot be read.
    #[error("rules directory cannot be read: {0}")]
    RulesDir(std::io::ErrorKind),
    /// Thread could not be started.
    #[error("detection thread: {0}")]
    Thread(#[source] std::io::Error),
}
