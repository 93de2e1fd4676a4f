//! `wardline version` and `wardline health`.

use clap::Args;

use super::client::Client;
use super::{Exit, Server, output};

/// Prints the version.
#[derive(Debug, Args)]
pub struct Version {
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// Asks a server whether it is ready; exit code 0 or 5. Example: wardline health
#[derive(Debug, Args)]
pub struct Health {
    #[command(flatten)]
    server: Server,
}

pub(super) fn run(version: &Version) -> anyhow::Result<Exit> {
    let number = env!("CARGO_PKG_VERSION");
    let store = if cfg!(feature = "store-sled") { "sled" } else { "redb" };
    if version.json {
        output::emit(&format!("{}\n", serde_json::json!({"version": number, "store": store})))?;
    } else {
        output::emit(&format!("wardline {number}\n"))?;
    }
    Ok(Exit::Ok)
}

pub(super) async fn health(health: Health) -> anyhow::Result<Exit> {
    let client = Client::new(&health.server)?;
    Ok(match client.get("/readyz").await? {
        Ok(_) => Exit::Ok,
        Err(_) => Exit::Refused,
    })
}
