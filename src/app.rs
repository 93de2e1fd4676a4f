//! Wiring: build in floor order, run, drain in reverse. The file is the architecture.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::api::{self, State};
use crate::clock::Clock;
use crate::config::Config;
use crate::index::Index;
use crate::ingest::http::Door;
use crate::metrics::Metrics;
use crate::model::{Offset, Timestamp};
use crate::notify::Notifier;
use crate::pipeline::{Enricher, Intake, Pipeline};
use crate::redact::{Redactor, TagKey};
use crate::store::Store;
use crate::tasks::Tasks;
use crate::wal::Wal;
use crate::{detect, index, ingest, notify, pipeline, redact, store, wal};

/// How long a drain may take before what is left is abandoned.
pub const DRAIN_MAX: Duration = Duration::from_secs(60);
/// How often housekeeping looks around: letters from the command line, retention.
const HOUSEKEEPING: Duration = Duration::from_millis(500);
/// How long the first sign-in link is good for.
const SETUP_MINUTES: u32 = 24 * 60;

/// Why the server could not start. Says what to mend.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data directory cannot be used.
    #[error("cannot use the data directory {0}: {1}")]
    DataDir(std::path::PathBuf, std::io::Error),
    /// The key of redaction tags.
    #[error("redaction key: {0}")]
    Key(#[from] redact::KeyError),
    /// The log.
    #[error("log: {0}")]
    Log(#[from] wal::Error),
    /// The state store.
    #[error("state: {0}")]
    Store(#[from] store::Error),
    /// The index.
    #[error("index: {0}")]
    Index(#[from] index::Error),
    /// The rules or their thread.
    #[error("detection: {0}")]
    Detect(#[from] detect::Error),
    /// Webhooks.
    #[error("webhooks: {0}")]
    Notify(#[from] notify::Failure),
    /// The pipeline.
    #[error("pipeline: {0}")]
    Pipeline(#[from] pipeline::Error),
    /// Followed files.
    #[error("followed files: {0}")]
    Ingest(#[from] ingest::Error),
    /// The listener.
    #[error("{0}")]
    Serve(#[from] api::serve::Error),
    /// Work on the pool was lost.
    #[error("the server is stopping")]
    Stopped,
}

/// A running server.
#[derive(Debug)]
pub struct App {
    clock: Clock,
    config: Config,
    tasks: Tasks,
    metrics: Arc<Metrics>,
    redactor: Arc<Redactor>,
    pipeline: Arc<Pipeline>,
    store: Store,
    wal: Wal,
    index: Index,
    rules: detect::RulesHandle,
    server: api::serve::Server,
    url: String,
}

/// Where the state store of a data directory is.
#[must_use]
pub fn store_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("store")
}

/// What is wrong with a configuration that reads well: directories, addresses, patterns.
#[must_use]
pub fn problems(config: &Config) -> Vec<String> {
    let mut problems = Vec::new();
    if config.server.tls.is_none() && !config.server.listen.ip().to_canonical().is_loopback() {
        problems.push(api::serve::Error::PlainHttp(config.server.listen).to_string());
    }
    if let Some(tls) = &config.server.tls
        && let Err(error) = api::tls::Certificates::read(tls.clone())
    {
        problems.push(error.to_string());
    }
    let existing = config.data_dir.ancestors().find(|dir| dir.exists());
    if existing.is_some_and(|dir| !dir.is_dir()) {
        problems.push(format!("data_dir {} is not a directory", config.data_dir.display()));
    }
    let databases = [&config.enrich.country_db, &config.enrich.city_db, &config.enrich.asn_db];
    for path in databases.into_iter().flatten() {
        if !path.is_file() {
            problems.push(format!("enrich: {} is not a file", path.display()));
        }
    }
    problems
}

impl App {
    /// Builds everything in floor order and answers from then on.
    ///
    /// # Errors
    /// [`Error`]; what was started by then ends with the process.
    pub async fn start(config: Config, clock: Clock) -> Result<Self, Error> {
        let (tasks, metrics) = (Tasks::new(), Arc::new(Metrics::default()));
        let listener = api::serve::Listener::bind(config.server.clone()).await?;
        private_dir(&config.data_dir).map_err(|error| Error::DataDir(config.data_dir.clone(), error))?;
        let key = TagKey::open_or_create(&config.data_dir.join("tag.key"))?;
        let redactor = Arc::new(Redactor::new(config.redact.clone(), key).with_metrics(metrics.clone()));
        let parts = {
            let (config, clock, metrics) = (config.clone(), clock.clone(), metrics.clone());
            tasks.blocking(move || Durable::open(&config, &clock, &metrics)).await.ok_or(Error::Stopped)??
        };
        let Durable { wal, store, index } = parts;
        wal.start(&tasks)?;
        index.start(&tasks)?;
        let enricher = Enricher::new(config.enrich.clone(), wardline_web::country_db(), metrics.clone());
        let context = pipeline::Context::new(&config.pipeline, clock.clone())?;
        let pipeline = Arc::new(Pipeline::new(context, enricher, redactor.clone(), metrics.clone()));
        let intake = Intake::new(&config.pipeline, pipeline.clone(), wal.clone(), tasks.clone(), metrics.clone());
        let rules = detect::start(config.detect.clone(), detect::Parts {
            wal: wal.clone(),
            store: store.clone(),
            clock: clock.clone(),
            metrics: metrics.clone(),
            tasks: tasks.clone(),
        })?;
        let notifier = notifier(&config, &clock, &metrics, &tasks, &store, &redactor)?;
        notifier.start();
        ingest::follow(&config.files, &config.data_dir, &intake, &clock, &metrics, &tasks)?;
        let state = State {
            options: config.api.clone(),
            is_tls: listener.is_tls(),
            clock: clock.clone(),
            tasks: tasks.clone(),
            metrics: metrics.clone(),
            wal: wal.clone(),
            searcher: index.searcher(),
            store: store.clone(),
            rules: rules.clone(),
            pinger: Some(pinger(&notifier)),
        };
        let door = door(&config, &clock, &metrics, &store, intake);
        let router = api::router(state, |routes| door.register(routes));
        let url = listener.url();
        let server = listener.start(router, &tasks, metrics.clone())?;
        let app = Self { clock, config, tasks, metrics, redactor, pipeline, store, wal, index, rules, server, url };
        app.tasks.spawn("housekeeping", app.housekeeping());
        Ok(app)
    }

    /// Where it answers: `http://127.0.0.1:8321`.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Everything that runs.
    #[must_use]
    pub fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// For our own log.
    #[must_use]
    pub fn redactor(&self) -> Arc<Redactor> {
        self.redactor.clone()
    }

    /// Whether nobody has ever signed in.
    ///
    /// # Errors
    /// The store's.
    pub async fn is_first_run(&self) -> Result<bool, Error> {
        self.ask(|store, _now| store.is_unclaimed()).await
    }

    /// A link that signs one browser in, once, with all scopes.
    ///
    /// # Errors
    /// The store's.
    pub async fn sign_in_link(&self) -> Result<String, Error> {
        let token = self.ask(|store, now| api::offer_setup(store, now, SETUP_MINUTES)).await?;
        Ok(format!("{}/#setup={}", self.url, token.expose()))
    }

    /// A new key with all scopes.
    ///
    /// # Errors
    /// The store's.
    pub async fn create_admin_key(&self, name: &str) -> Result<String, Error> {
        let name = name.to_owned();
        self.ask(move |store, now| {
            let scopes = [store::Scope::Admin];
            let new = api::key::NewKey { name: &name, scopes: &scopes, created_by: "wardline", now, days: 90 };
            let (key, record) = api::key::mint(&new).map_err(|_| store::Error::Random)?;
            store.add_api_key(&record)?;
            Ok(key.expose().to_owned())
        })
        .await
    }

    async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store, Timestamp) -> Result<T, store::Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (store, now) = (self.store.clone(), self.clock.now());
        Ok(self.tasks.blocking(move || work(&store, now)).await.ok_or(Error::Stopped)??)
    }

    /// Takes over what can change while running: rules, certificates, address databases. The configuration has
    /// been checked; a part that cannot be taken over keeps what it had.
    pub async fn reload(&self, config: Config) {
        let mut refused = problems(&config);
        if refused.is_empty() {
            let rules = self.rules.clone();
            let reloaded = self.tasks.blocking(move || rules.reload(&config.detect)).await;
            match reloaded {
                Some(Ok(())) => {}
                Some(Err(error)) => refused.push(error.to_string()),
                None => refused.push("rules could not be loaded".to_owned()),
            }
            if let Err(error) = self.server.reload() {
                refused.push(error.to_string());
            }
            self.pipeline.reload();
        }
        if refused.is_empty() {
            self.metrics.config_reloads.inc();
            tracing::info!("configuration reloaded");
            return;
        }
        self.metrics.config_reload_failures.inc();
        for problem in refused {
            tracing::error!(problem, "reload refused, the old configuration stays");
        }
    }

    /// Tells that a configuration could not be read; the old one stays.
    pub fn reload_refused(&self, problems: &[crate::config::Problem]) {
        self.metrics.config_reload_failures.inc();
        for problem in problems {
            tracing::error!(%problem, "reload refused, the old configuration stays");
        }
    }

    /// Stops in reverse: no new requests, what is in flight is finished, readers write their checkpoints.
    pub async fn drain(mut self) {
        self.server.drain().await;
        self.tasks.stop();
        if tokio::time::timeout(DRAIN_MAX, self.tasks.drained()).await.is_err() {
            tracing::error!("not everything stopped in time; nothing acknowledged is at risk");
        }
    }

    fn housekeeping(&self) -> impl Future<Output = ()> + use<> {
        let (store, wal, index, clock) = (self.store.clone(), self.wal.clone(), self.index.clone(), self.clock.clone());
        let (tasks, pipeline) = (self.tasks.clone(), self.pipeline.clone());
        async move {
            let mut shutdown = tasks.shutdown();
            let mut round: u32 = 0;
            loop {
                tokio::select! {
                    () = shutdown.requested() => break,
                    () = tokio::time::sleep(HOUSEKEEPING) => {}
                }
                round = round.wrapping_add(1);
                let (store, wal, index, pipeline) = (store.clone(), wal.clone(), index.clone(), pipeline.clone());
                let now = clock.now();
                let done = tasks.blocking(move || tidy_up(round, now, &store, &wal, &index, &pipeline)).await;
                if done.is_none() {
                    tracing::error!("housekeeping failed and goes on");
                }
            }
            if store.flush_sources().is_err() {
                tracing::warn!("counts of sources were not written");
            }
        }
    }
}

/// One round of housekeeping; the slow parts not in every round.
fn tidy_up(round: u32, now: Timestamp, store: &Store, wal: &Wal, index: &Index, pipeline: &Pipeline) {
    if let Err(error) = store.collect_inbox() {
        tracing::warn!(%error, "letters of the command line wait");
    }
    if round % 4 == 0 {
        pipeline.reload();
    }
    if round % 20 != 0 {
        return;
    }
    if let Err(error) = store.flush_sources() {
        tracing::warn!(%error, "counts of sources were not written");
    }
    let detected = store.detection_checkpoint().ok().flatten().map_or(Offset(0), |checkpoint| checkpoint.offset);
    let keep_from = detected.min(index.searcher().visible());
    if let Err(error) = wal.enforce_retention(now, keep_from) {
        tracing::warn!(%error, "old segments of the log stay for now");
    }
    if let Err(error) = index.drop_before(wal.first()) {
        tracing::warn!(%error, "old segments of the index stay for now");
    }
}

/// What needs the disk.
struct Durable {
    wal: Wal,
    store: Store,
    index: Index,
}

impl Durable {
    fn open(config: &Config, clock: &Clock, metrics: &Arc<Metrics>) -> Result<Self, Error> {
        let dir = &config.data_dir;
        let wal = Wal::open(dir, config.wal.clone(), clock.clone(), metrics.clone())?;
        let store = Store::open(&store_dir(dir), config.store.clone(), clock.clone(), metrics.clone())?;
        let index = Index::open(dir, config.index.clone(), wal.clone(), clock.clone(), metrics.clone())?;
        Ok(Self { wal, store, index })
    }
}

fn private_dir(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))
}

fn notifier(
    config: &Config,
    clock: &Clock,
    metrics: &Arc<Metrics>,
    tasks: &Tasks,
    store: &Store,
    redactor: &Arc<Redactor>,
) -> Result<Notifier, Error> {
    let redactor = redactor.clone();
    let parts = notify::Parts {
        store: store.clone(),
        clock: clock.clone(),
        metrics: metrics.clone(),
        tasks: tasks.clone(),
        mask: Arc::new(move |text| redactor.redact_text(text).into_owned()),
    };
    Ok(Notifier::new(parts, config.notify.clone())?)
}

fn door(config: &Config, clock: &Clock, metrics: &Arc<Metrics>, store: &Store, intake: Intake) -> Door {
    let admission = ingest::Admission::new(config.ingest.clone(), metrics.clone());
    let (store, seen) = (store.clone(), clock.clone());
    Door::new(admission, clock.clone(), metrics.clone(), move |payload| {
        let (intake, store, seen) = (intake.clone(), store.clone(), seen.clone());
        Box::pin(async move {
            let source = payload.source.clone();
            let ack = intake.submit(payload).await?;
            store.note_source(&source, ack.accepted, seen.now());
            Ok(ack)
        })
    })
}
