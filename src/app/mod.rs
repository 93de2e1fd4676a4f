//! Wiring: build in floor order, run, drain in reverse. The file is the architecture.

mod keeper;
mod keys;
mod pace;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::api::{self, State};
use crate::clock::Clock;
use crate::config::{Config, Problem};
use crate::detect::Detector;
use crate::index::Index;
use crate::ingest::http::{Door, Submitting};
use crate::metrics::Metrics;
use crate::model::{Offset, Timestamp};
use crate::notify::Notifier;
use crate::pipeline::{Enricher, Intake, Payload, Pipeline};
use crate::redact::{Redactor, TagKey};
use crate::store::Store;
use crate::tasks::Tasks;
use crate::wal::Wal;
use keeper::Keeper;
use pace::Pace;

use crate::{detect, index, ingest, notify, pipeline, redact, store, wal};

/// How long a drain may take before what is left is abandoned.
pub const DRAIN_MAX: Duration = Duration::from_secs(60);
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
    /// A key file is gone from beside the data that needs it.
    #[error("{0}")]
    KeyLost(String),
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
    /// The address databases.
    #[error("address databases: {0}")]
    Enrich(#[from] pipeline::EnrichError),
    /// A thread.
    #[error("a thread could not be started: {0}")]
    Thread(std::io::Error),
    /// The listener.
    #[error(transparent)]
    Serve(#[from] api::serve::Error),
    /// Work on the pool was lost.
    #[error("the server is stopping")]
    Stopped,
}

/// A running server.
#[derive(Debug)]
pub struct App {
    clock: Clock,
    tasks: Tasks,
    metrics: Arc<Metrics>,
    redactor: Arc<Redactor>,
    enricher: Enricher,
    store: Store,
    wal: Wal,
    rules: detect::RulesHandle,
    server: api::serve::Server,
    url: String,
    is_first_run: bool,
}

/// Where the state store of a data directory is.
#[must_use]
pub fn store_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("store")
}

/// What is wrong with a configuration that reads well: directories, addresses, patterns, keys that are gone.
#[must_use]
pub fn problems(config: &Config) -> Vec<Problem> {
    let mut problems = Vec::new();
    if config.server.tls.is_none() && !config.server.listen.ip().to_canonical().is_loopback() {
        let what = api::serve::Error::PlainHttp(config.server.listen).to_string();
        problems.push(Problem::of("server.listen", what));
    }
    if let Some(tls) = &config.server.tls
        && let Err(error) = api::tls::Certificates::read(tls.clone())
    {
        problems.push(Problem::of("server.tls", error.to_string()));
    }
    let existing = config.data_dir.ancestors().find(|dir| dir.exists());
    if existing.is_some_and(|dir| !dir.is_dir()) {
        let what = format!("{} is not a directory", config.data_dir.display());
        problems.push(Problem::of("data_dir", what));
    }
    let databases = [
        (
            "pipeline.enrich.country_db",
            &config.pipeline.enrich.country_db,
        ),
        ("pipeline.enrich.city_db", &config.pipeline.enrich.city_db),
        ("pipeline.enrich.asn_db", &config.pipeline.enrich.asn_db),
    ];
    for (setting, path) in databases {
        if let Some(path) = path.as_ref().filter(|path| !path.is_file()) {
            problems.push(Problem::of(
                setting,
                format!("{} is not a file", path.display()),
            ));
        }
    }
    let lost = keys::lost(&config.data_dir);
    problems.extend(lost.map(|what| Problem::of("data_dir", what)));
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
        let is_first_run = !config.data_dir.join("wal").exists();
        private_dir(&config.data_dir)
            .map_err(|error| Error::DataDir(config.data_dir.clone(), error))?;
        if let Some(what) = keys::lost(&config.data_dir).next() {
            return Err(Error::KeyLost(what));
        }
        let key = TagKey::open_or_create(&config.data_dir.join("tag.key"))?;
        let redactor =
            Arc::new(Redactor::new(config.redact.clone(), key).with_metrics(metrics.clone()));
        let durable = Durable::start(&config, &clock, &metrics, &tasks).await?;
        let Durable { wal, store, index } = durable;
        let built_in = Some(wardline_web::country_db()).filter(|bytes| !bytes.is_empty());
        let enricher = Enricher::open(config.pipeline.enrich.clone(), built_in, metrics.clone())?;
        enricher.start(&tasks).map_err(Error::Thread)?;
        let intake = intake(&config, &enricher, &redactor, &wal, &tasks, &metrics);
        let rules = detect::RulesHandle::load(&config.detect, metrics.clone())?;
        let detector = detector(&config, &wal, &store, &rules, &clock, (&metrics, &tasks))?;
        let notifier = notifier(&config, &clock, &metrics, &tasks, &store, &redactor)?;
        notifier.start();
        let pace = Pace::new(&config, &wal, &index, &detector);
        let submit = submit(&store, &clock, intake, pace);
        let place = ingest::file::Place {
            data: &config.data_dir,
            metrics: metrics.clone(),
            clock: clock.clone(),
        };
        ingest::file::start(config.files.clone(), &place, submit.clone(), &tasks)
            .map_err(Error::Thread)?;
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
            notifier: Some(notifier),
        };
        let admission = ingest::Admission::new(config.ingest.clone(), metrics.clone());
        let door = Door::new(admission, clock.clone(), metrics.clone(), submit);
        let router = api::router(state, |routes| door.register(routes));
        let url = listener.url();
        let server = listener.start(router, &tasks, metrics.clone())?;
        let keeper = Keeper {
            store: store.clone(),
            wal: wal.clone(),
            index,
            detector,
            clock: clock.clone(),
        };
        tasks.spawn("housekeeping", keeper.run(tasks.clone()));
        Ok(Self {
            clock,
            tasks,
            metrics,
            redactor,
            enricher,
            store,
            wal,
            rules,
            server,
            url,
            is_first_run,
        })
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

    /// Whether the data directory held no log before.
    #[must_use]
    pub fn is_first_run(&self) -> bool {
        self.is_first_run
    }

    /// A link that signs one browser in, once, with all scopes.
    ///
    /// # Errors
    /// The store's.
    pub async fn sign_in_link(&self) -> Result<String, Error> {
        let token = self
            .ask(|store, now| api::offer_setup(store, now, SETUP_MINUTES))
            .await?;
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
            let new = api::key::NewKey {
                name: &name,
                scopes: &scopes,
                created_by: "wardline",
                now,
                days: 90,
            };
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
        Ok(self
            .tasks
            .blocking(move || work(&store, now))
            .await
            .ok_or(Error::Stopped)??)
    }

    /// Takes over what can change while running: rules, certificates, address databases. The configuration has
    /// been checked; a part that cannot be taken over keeps what it had.
    pub async fn reload(&self, config: &Config) {
        let mut refused: Vec<String> = problems(config).iter().map(Problem::to_string).collect();
        if refused.is_empty() {
            let rules = self.rules.clone();
            let enricher = self.enricher.clone();
            let reloaded = self
                .tasks
                .blocking(move || (rules.reload(), enricher.reload()))
                .await;
            let Some((rules, places)) = reloaded else {
                return;
            };
            refused.extend(rules.err().map(|error| error.to_string()));
            refused.extend(places.err().map(|error| error.to_string()));
            refused.extend(self.server.reload().err().map(|error| error.to_string()));
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
    pub fn reload_refused(&self, problems: &[Problem]) {
        self.metrics.config_reload_failures.inc();
        for problem in problems {
            tracing::error!(%problem, "reload refused, the old configuration stays");
        }
    }

    /// Stops in reverse: no new requests, what is in flight is finished, readers write their checkpoints.
    pub async fn drain(mut self) {
        self.server.drain().await;
        self.wal.close();
        self.tasks.stop();
        if tokio::time::timeout(DRAIN_MAX, self.tasks.drained())
            .await
            .is_err()
        {
            tracing::error!("not everything stopped in time; nothing acknowledged is at risk");
        }
    }
}

/// What needs the disk.
struct Durable {
    wal: Wal,
    store: Store,
    index: Index,
}

impl Durable {
    /// Opens all three and starts what writes.
    async fn start(
        config: &Config,
        clock: &Clock,
        metrics: &Arc<Metrics>,
        tasks: &Tasks,
    ) -> Result<Self, Error> {
        let opening = {
            let (config, clock, metrics) = (config.clone(), clock.clone(), metrics.clone());
            tasks.blocking(move || Self::open(&config, &clock, &metrics))
        };
        let durable = opening.await.ok_or(Error::Stopped)??;
        // Damage at the very end of the log must not hand out offsets that a reader has seen already.
        let detected = durable.store.detection_checkpoint()?;
        let detected = detected.map_or(Offset(0), |checkpoint| checkpoint.offset);
        durable
            .wal
            .skip_to(detected.max(durable.index.searcher().visible()))?;
        durable.wal.start(tasks)?;
        durable.index.start(tasks)?;
        Ok(durable)
    }

    fn open(config: &Config, clock: &Clock, metrics: &Arc<Metrics>) -> Result<Self, Error> {
        let dir = &config.data_dir;
        let wal = Wal::open(dir, config.wal.clone(), clock.clone(), metrics.clone())?;
        let store = Store::open(
            &store_dir(dir),
            config.store.clone(),
            clock.clone(),
            metrics.clone(),
        )?;
        let index = Index::open(
            dir,
            config.index.clone(),
            wal.clone(),
            clock.clone(),
            metrics.clone(),
        )?;
        Ok(Self { wal, store, index })
    }
}

fn private_dir(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)?;
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

fn detector(
    config: &Config,
    wal: &Wal,
    store: &Store,
    rules: &detect::RulesHandle,
    clock: &Clock,
    (metrics, tasks): (&Arc<Metrics>, &Tasks),
) -> Result<Detector, Error> {
    let parts = detect::Parts {
        wal: wal.clone(),
        store: store.clone(),
        rules: rules.clone(),
        clock: clock.clone(),
        metrics: metrics.clone(),
    };
    Ok(Detector::start(parts, config.detect.clone(), tasks)?)
}

fn intake(
    config: &Config,
    enricher: &Enricher,
    redactor: &Arc<Redactor>,
    wal: &Wal,
    tasks: &Tasks,
    metrics: &Arc<Metrics>,
) -> Intake {
    let options = &config.pipeline;
    let pipeline = Pipeline::new(options, enricher.clone(), redactor.clone(), metrics.clone());
    let (options, pipeline) = (options.clone(), Arc::new(pipeline));
    Intake::new(
        options,
        pipeline,
        wal.clone(),
        tasks.clone(),
        metrics.clone(),
    )
}

/// From a door into the log, with a note of who sent.
fn submit(
    store: &Store,
    clock: &Clock,
    intake: Intake,
    pace: Pace,
) -> impl Fn(Payload) -> Submitting + Clone + Send + Sync + 'static {
    let (store, clock) = (store.clone(), clock.clone());
    move |mut payload| {
        let (intake, store, clock, pace) =
            (intake.clone(), store.clone(), clock.clone(), pace.clone());
        Box::pin(async move {
            payload.patience = pace.keep(payload.patience).await;
            let source = payload.source.clone();
            let ack = intake.submit(payload).await?;
            store.note_source(&source, ack.accepted, clock.now());
            Ok(ack)
        })
    }
}
