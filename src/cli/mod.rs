//! The command line: one file per command. Data goes to standard output, everything else to standard error.

mod alerts;
mod bench;
mod check;
mod client;
mod demo;
mod ingest;
mod key;
mod logging;
mod output;
mod request;
mod search;
mod serve;
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
#[command(name = "wardline", version, max_term_width = 100, arg_required_else_help = true)]
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
    Request(request::Request),
    #[command(subcommand)]
    Alerts(alerts::Alerts),
    #[command(subcommand)]
    Key(key::Key),
    Verify(verify::Verify),
    #[command(subcommand)]
    Bench(bench::Bench),
    Health(version::Health),
    Version(version::Version),
}

/// Runs the command the arguments name.
pub async fn run(cli: Cli) -> anyhow::Result<Exit> {
    match cli.command {
        Command::Serve(command) => serve::run(command).await,
        Command::Demo(command) => demo::run(command).await,
        Command::Check(command) => check::run(&command),
        Command::Ingest(command) => ingest::run(command).await,
        Command::Search(command) => search::run(command).await,
        Command::Request(command) => request::run(command).await,
        Command::Alerts(command) => alerts::run(command).await,
        Command::Key(command) => key::run(command).await,
        Command::Verify(command) => verify::run(&command),
        Command::Bench(command) => bench::run(command).await,
        Command::Health(command) => version::health(command).await,
        Command::Version(command) => version::run(&command),
    }
}
