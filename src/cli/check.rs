//! `wardline check`: configuration, rules and data directory, all problems at once.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::{Exit, output};
use crate::config::{self, Config, Problem};
use crate::detect;

/// Checks the configuration without starting anything. Example: wardline check --config wardline.toml
#[derive(Debug, Args)]
pub(super) struct Check {
    /// Configuration file.
    #[arg(long, env = "WARDLINE_CONFIG")]
    config: Option<PathBuf>,
    /// Data directory, where it is not the configured one.
    #[arg(long)]
    data_dir: Option<PathBuf>,
}

pub(super) fn run(check: &Check) -> anyhow::Result<Exit> {
    let file = check.config.as_deref();
    // What cannot be read counts as its default here, so that it does not hide the rest.
    let (mut config, mut problems) = Config::read(file, std::env::vars());
    if let Some(dir) = &check.data_dir {
        config.data_dir.clone_from(dir);
    }
    let found = crate::app::problems(&config).into_iter();
    problems.extend(found.map(|problem| problem.located(file)));
    match detect::RulesHandle::load(&config.detect, Arc::default()) {
        Ok(rules) => problems.extend(rules.errors().iter().map(|problem| Problem {
            place: problem.file.clone(),
            line: usize::try_from(problem.line).ok(),
            what: problem.message.clone(),
        })),
        Err(error) => {
            problems.push(Problem::of("detect.rules_dir", error.to_string()).located(file));
        }
    }
    config::sort(&mut problems);
    for problem in &problems {
        output::tell(&format!("error: {problem}"));
    }
    if problems.is_empty() {
        output::tell("configuration and rules are valid");
        return Ok(Exit::Ok);
    }
    Ok(Exit::Invalid)
}
