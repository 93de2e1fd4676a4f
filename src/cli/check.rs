//! `wardline check`: configuration, rules and data directory, all problems at once.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::{Exit, output};
use crate::config::Config;
use crate::detect;

/// Checks the configuration without starting anything. Example: wardline check --config wardline.toml
#[derive(Debug, Args)]
pub struct Check {
    /// Configuration file.
    #[arg(long, env = "WARDLINE_CONFIG")]
    config: Option<PathBuf>,
    /// Data directory, where it is not the configured one.
    #[arg(long)]
    data_dir: Option<PathBuf>,
}

pub(super) fn run(check: &Check) -> anyhow::Result<Exit> {
    let mut problems: Vec<String> = Vec::new();
    match Config::load(check.config.as_deref(), std::env::vars()) {
        Ok(mut config) => {
            if let Some(dir) = &check.data_dir {
                config.data_dir.clone_from(dir);
            }
            problems.extend(crate::app::problems(&config));
            match detect::RulesHandle::load(&config.detect, Arc::default()) {
                Ok(rules) => problems.extend(
                    rules.errors().iter().map(|problem| format!("{}:{}: {}", problem.file, problem.line, problem.message)),
                ),
                Err(error) => problems.push(error.to_string()),
            }
        }
        Err(found) => problems.extend(found.iter().map(ToString::to_string)),
    }
    for problem in &problems {
        output::tell(&format!("error: {problem}"));
    }
    if problems.is_empty() {
        output::tell("configuration and rules are valid");
        return Ok(Exit::Ok);
    }
    Ok(Exit::Invalid)
}
