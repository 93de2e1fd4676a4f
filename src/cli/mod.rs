//! The command line: one file per command. Data goes to standard output, everything else to standard error.

mod alerts;
mod backup;
mod bench;
mod check;
mod client;
mod demo;
mod erase;
mod evidence;
mod ingest;
mod key;
mod logging;
mod output;
mod redact;
mod request;
mod restore;
mod routes;
mod search;
mod serve;
mod tail;
mod terminal;
pub mod traffic;
mod verify;
mod version;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use output::{Output, tell};

/// How a command ended, as the process tells its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It worked.
    Ok = 0,
    /// It did not.
    Failed = 1,
    /// It was called wrongly.
    Usage = 2,
    /// Configuration or a rule is invalid.
    Invalid = 3,
    /// It worked and found what it looks for: damage, a failed test.
    Findings = 4,
    /// The server could not be reached or refused.
    Refused = 5,
    /// Stopped from the keyboard.
    Interrupted = 130,
}

/// A security log pipeline and SIEM-lite for API logs, in one binary.
#[derive(Debug, Parser)]
#[command(
    name = "wardline",
    version,
    max_term_width = 100,
    arg_required_else_help = true
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// How to reach a server.
#[derive(Debug, Args)]
pub struct Server {
    /// Address of the server.
    #[arg(long, env = "WARDLINE_URL", default_value = "http://127.0.0.1:8321")]
    url: String,
    /// File that holds the API key; - for standard input. Without it WARDLINE_KEY is read.
    #[arg(long, env = "WARDLINE_KEY_FILE", value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// File with a certificate authority to trust besides the system's.
    #[arg(long, env = "WARDLINE_CA_FILE", value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Demo(demo::Demo),
    Check(check::Check),
    Ingest(ingest::Ingest),
    Search(search::Search),
    Tail(tail::Tail),
    Request(request::Request),
    Routes(routes::List),
    #[command(subcommand)]
    Alerts(alerts::Alerts),
    #[command(subcommand)]
    Key(key::Key),
    Redact(redact::Redact),
    Evidence(evidence::Evidence),
    Verify(verify::Verify),
    Backup(backup::Backup),
    Restore(restore::Restore),
    Erase(erase::Erase),
    #[command(subcommand)]
    Bench(bench::Bench),
    Health(version::Health),
    Version(version::Version),
}

/// Runs the command the arguments name.
///
/// # Errors
/// What the command could not do, each cause told once.
pub async fn run(cli: Cli) -> anyhow::Result<Exit> {
    run_command(cli.command).await.map_err(told_once)
}

/// Many errors tell their cause in their own text, and again as their source.
fn told_once(error: anyhow::Error) -> anyhow::Error {
    let mut told: Vec<String> = Vec::new();
    let mut is_doubled = false;
    for cause in error.chain().map(ToString::to_string) {
        if told.last().is_some_and(|last| last.ends_with(&cause)) {
            is_doubled = true;
        } else {
            told.push(cause);
        }
    }
    if is_doubled {
        anyhow::Error::msg(told.join(": "))
    } else {
        error
    }
}

async fn run_command(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Serve(command) => serve::run(command).await,
        Command::Demo(command) => demo::run(command).await,
        Command::Check(command) => check::run(&command),
        Command::Ingest(command) => ingest::run(command).await,
        Command::Search(command) => search::run(command).await,
        Command::Tail(command) => tail::run(command).await,
        Command::Routes(command) => routes::run(command).await,
        Command::Request(command) => request::run(command).await,
        Command::Alerts(command) => alerts::run(command).await,
        Command::Key(command) => key::run(command).await,
        Command::Redact(command) => redact::run(&command),
        Command::Evidence(command) => evidence::run(command).await,
        Command::Verify(command) => verify::run(&command),
        Command::Backup(command) => backup::run(command).await,
        Command::Restore(command) => restore::run(&command),
        Command::Erase(command) => erase::run(command).await,
        Command::Bench(command) => bench::run(command).await,
        Command::Health(command) => version::health(command).await,
        Command::Version(command) => version::run(&command),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_is_told_once() {
        let check = |error: anyhow::Error, expected: &str| {
            assert_eq!(format!("{:#}", told_once(error)), expected);
        };
        let locked = "data directory is in use by another process";
        check(
            crate::app::Error::from(crate::wal::Error::Locked).into(),
            &format!("log: {locked}"),
        );
        let io = || std::io::Error::other("disk is gone");
        check(
            crate::app::Error::from(crate::store::Error::from(io())).into(),
            "state: state file i/o: disk is gone",
        );
        check(
            anyhow::Error::from(crate::wal::Error::from(io())),
            "log file could not be used: disk is gone",
        );
        let broken = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        assert!(
            told_once(broken.into())
                .downcast_ref::<std::io::Error>()
                .is_some()
        );
    }
}
