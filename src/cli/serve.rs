//! `wardline serve`: the daemon.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::{Exit, logging, output};
use crate::app::{self, App};
use crate::clock::Clock;
use crate::config::{Config, Problem};
use crate::tasks::Tasks;

/// Runs the server. Example: wardline serve --config wardline.toml --data-dir /var/lib/wardline
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Configuration file.
    #[arg(long, env = "WARDLINE_CONFIG")]
    config: Option<PathBuf>,
    /// Where to keep the data.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Where to listen; port 0 picks a free one.
    #[arg(long)]
    listen: Option<SocketAddr>,
}

impl Serve {
    fn load(&self) -> Result<Config, Vec<Problem>> {
        let mut config = Config::load(self.config.as_deref(), std::env::vars())?;
        if let Some(dir) = &self.data_dir {
            config.data_dir.clone_from(dir);
        }
        if let Some(listen) = self.listen {
            config.server.listen = listen;
        }
        Ok(config)
    }
}

/// A server in this process.
pub(super) struct Running {
    pub(super) url: String,
    app: App,
}

pub(super) async fn start(config: Config) -> anyhow::Result<Running> {
    let log = logging::start(&config)?;
    let app = App::start(config, Clock::System, |redactor| log.redact_with(redactor)).await?;
    let url = app.url();
    output::emit(&format!("listening on {url}\n"))?;
    Ok(Running { url, app })
}

impl Running {
    /// Everything that runs in this server.
    pub(super) fn tasks(&self) -> &Tasks {
        self.app.tasks()
    }

    /// A new key with all scopes.
    pub(super) async fn create_admin_key(&self, name: &str) -> anyhow::Result<String> {
        Ok(self.app.create_admin_key(name).await?)
    }

    /// A one-time link that signs a browser in.
    pub(super) async fn sign_in_link(&self) -> anyhow::Result<String> {
        Ok(self.app.sign_in_link().await?)
    }

    pub(super) async fn stop(self) {
        self.app.drain().await;
    }
}

pub(super) async fn run(serve: Serve) -> anyhow::Result<Exit> {
    let config = match serve.load() {
        Ok(config) => config,
        Err(problems) => {
            for problem in &problems {
                output::tell(&format!("error: {problem}"));
            }
            return Ok(Exit::Invalid);
        }
    };
    let problems = app::problems(&config);
    if !problems.is_empty() {
        for problem in problems {
            let problem = problem.located(serve.config.as_deref());
            output::tell(&format!("error: {problem}"));
        }
        return Ok(Exit::Invalid);
    }
    // Before anybody is told that we listen: until then these signals would end the process.
    let mut hangup = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let running = match start(config).await {
        Ok(running) => running,
        Err(error) if is_configuration(&error) => {
            output::tell(&format!("error: {error:#}"));
            return Ok(Exit::Invalid);
        }
        Err(error) => return Err(error),
    };
    if running.app.is_first_run() {
        output::emit(&format!(
            "first sign-in (once, within 24 hours): {}\n",
            running.sign_in_link().await?
        ))?;
    }
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            interrupted = tokio::signal::ctrl_c() => { interrupted?; break; }
            _ = hangup.recv() => reload(&serve, &running).await,
        }
    }
    tracing::info!("draining");
    running.stop().await;
    Ok(Exit::Ok)
}

/// Whether a start failed for something that only the configuration or a file it names can mend.
fn is_configuration(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<app::Error>()
        .is_some_and(app::Error::is_configuration)
}

/// Checks the configuration as it is now and takes over what can change while running; keeps the old on error.
async fn reload(serve: &Serve, running: &Running) {
    match serve.load() {
        Ok(config) => running.app.reload(&config).await,
        Err(problems) => running.app.reload_refused(&problems),
    }
}

/// Resolves on Ctrl-C or SIGTERM.
pub(super) async fn stop_requested() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    }
}
