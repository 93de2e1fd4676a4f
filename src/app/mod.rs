//! Wiring: build in floor order, run, drain in reverse. The file is the architecture.

mod eraser;
mod keeper;
mod keys;
mod pace;
mod problems;
mod reload;

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::api::{self, State};
use crate::clock::{Clock, Stopwatch};
use crate::config::Config;
use crate::detect::Detector;
use crate::index::Index;
use crate::ingest::http::{Door, Submitting};
use crate::metrics::Metrics;
use crate::model::Timestamp;
use crate::notify::Notifier;
use crate::pipeline::{Enricher, Intake, Payload, Pipeline};
use crate::redact::{Own, Redactor, TagKey};
use crate::store::Store;
use crate::tasks::Tasks;
use crate::wal::{Receipts, Wal};
use eraser::Eraser;
use keeper::Keeper;
use pace::Pace;
pub use problems::problems;

use crate::{backup, detect, files, index, ingest, notify, pipeline, redact, store, wal};

/// How long a drain may take before what is left is abandoned.
pub const DRAIN_MAX: Duration = Duration::from_secs(60);
/// How much of it requests in flight may take; the rest is for the readers of the log.
const DRAIN_REQUESTS_MAX: Duration = Duration::from_secs(45);
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
    /// The operator's own rules of redaction.
    #[error("{0}")]
    OwnRules(String),
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

impl Error {
    /// Whether the operator mends it in the configuration or the files it names.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        use redact::KeyError;
        match self {
            Self::DataDir(..) | Self::Enrich(_) | Self::KeyLost(_) | Self::OwnRules(_) => true,
            Self::Key(KeyError::Exposed { .. } | KeyError::Malformed) => true,
            Self::Log(wal::Error::Key(_) | wal::Error::KeyMissing(_)) => true,
            Self::Detect(detect::Error::RulesDir(..)) => true,
            Self::Serve(error) => !matches!(error, api::serve::Error::Bind { .. }),
            _ => false,
        }
    }
}

/// A running server.
#[derive(Debug)]
pub struct App {
    /// What it was started with.
    config: Config,
    clock: Clock,
    tasks: Tasks,
    metrics: Arc<Metrics>,
    enricher: Enricher,
    store: Store,
    wal: Wal,
    rules: detect::RulesHandle,
    redactor: Arc<Redactor>,
    server: api::serve::Server,
    url: String,
    is_first_run: bool,
}

/// Where the state store of a data directory is.
#[must_use]
pub fn store_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("store")
}

impl App {
    /// Builds everything in floor order and answers from then on. `log_through` gets the redactor of our own
    /// log before anything is started that has something to say.
    ///
    /// # Errors
    /// [`Error`]; what was started by then ends with the process.
    pub async fn start(
        config: Config,
        clock: Clock,
        log_through: impl FnOnce(Arc<Redactor>),
    ) -> Result<Self, Error> {
        let (tasks, metrics) = (Tasks::new(), Arc::new(Metrics::default()));
        let listener = api::serve::Listener::bind(config.server.clone()).await?;
        let redactor = redactor(&config, &metrics)?;
        log_through(redactor.clone());
        let durable = Durable::start(&config, &clock, &metrics, &tasks).await?;
        let (wal, store) = (durable.wal.clone(), durable.store.clone());
        // Not by what is on the disk: a first start may have failed halfway.
        let is_first_run = !store.has_way_in()?;
        let built_in = Some(wardline_web::country_db()).filter(|bytes| !bytes.is_empty());
        let enricher = Enricher::open(config.pipeline.enrich.clone(), built_in, metrics.clone())?;
        enricher.start(&tasks).map_err(Error::Thread)?;
        let intake = intake(&config, &enricher, &redactor, &wal, &tasks, &metrics);
        let rules = detect::RulesHandle::load(&config.detect, metrics.clone())?;
        let detector = detector(&config, &wal, &store, &rules, &clock, (&metrics, &tasks))?;
        let notifier = notifier(&config, &clock, &metrics, &tasks, &store, &redactor)?;
        notifier.start();
        let pace = Pace::new(&config, &wal, &durable.index, &detector);
        let submit = submit(&store, &clock, intake, pace, &redactor);
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
            data_dir: config.data_dir.clone(),
            wal: wal.clone(),
            receipts: durable.receipts.clone(),
            searcher: durable.index.searcher(),
            store: store.clone(),
            rules: rules.clone(),
            detector: Some(detector.clone()).filter(|_| config.detect.enabled),
            redactor: redactor.clone(),
            notifier: Some(notifier),
        };
        let admission = ingest::Admission::new(config.ingest.clone(), metrics.clone());
        let door = Door::new(admission, clock.clone(), metrics.clone(), submit);
        let router = api::router(state, |routes| door.register(routes));
        let url = listener.url();
        let server = listener.start(router, &tasks, metrics.clone())?;
        chores(&config, durable, detector, &clock, (&metrics, &tasks))?;
        Ok(Self {
            config,
            clock,
            tasks,
            metrics,
            enricher,
            store,
            wal,
            rules,
            redactor,
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

    /// Whether nobody could get in before this start: no key with all scopes, no sign-in link.
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

    /// Stops in reverse: no new requests, what is in flight is finished, readers write their checkpoints.
    /// Within [`DRAIN_MAX`], whatever hangs.
    pub async fn drain(mut self) {
        let watch = Stopwatch::start();
        self.tasks.drain();
        let served = tokio::time::timeout(DRAIN_REQUESTS_MAX, self.server.drain());
        if served.await.is_err() {
            tracing::warn!("requests are still in flight and are given up");
        }
        self.wal.close();
        self.tasks.stop();
        let left = DRAIN_MAX.saturating_sub(watch.elapsed());
        if tokio::time::timeout(left, self.tasks.drained())
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
    receipts: Arc<Receipts>,
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
        let seen = durable.store.detection_seen()?;
        durable.wal.skip_to(seen.max(durable.index.found_end()))?;
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
        let receipts = Receipts::open(dir)
            .map_err(|error| Error::DataDir(dir.join(wal::RECEIPT_KEY), error))?;
        Ok(Self {
            wal,
            store,
            index,
            receipts: Arc::new(receipts),
        })
    }
}

fn private_dir(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    files::private_dir(dir)?;
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

/// Starts what looks after the data: what erases, and housekeeping.
fn chores(
    config: &Config,
    durable: Durable,
    detector: Detector,
    clock: &Clock,
    (metrics, tasks): (&Arc<Metrics>, &Tasks),
) -> Result<(), Error> {
    let Durable {
        wal,
        store,
        index,
        receipts,
    } = durable;
    let eraser = Eraser {
        receipts: receipts.clone(),
        data_dir: config.data_dir.clone(),
        wal: wal.clone(),
        index: index.clone(),
        store: store.clone(),
        detector: detector.clone(),
        clock: clock.clone(),
        metrics: metrics.clone(),
        source_days: config.wal.retention_source_days.clone(),
    };
    let erasing = tasks.thread("erase", move |shutdown| eraser.run(&shutdown));
    erasing.map_err(Error::Thread)?;
    let keeper = Keeper {
        store,
        wal,
        index,
        receipts,
        detector,
        clock: clock.clone(),
    };
    tasks.spawn("housekeeping", keeper.run(tasks.clone()));
    Ok(())
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

/// The data directory and, in it, the key of the tags.
fn redactor(config: &Config, metrics: &Arc<Metrics>) -> Result<Arc<Redactor>, Error> {
    let dir = &config.data_dir;
    private_dir(dir).map_err(|error| Error::DataDir(dir.clone(), error))?;
    if backup::is_being_restored(dir) {
        let text = "a backup is being restored into it, or was not to its end; then empty it and restore again";
        return Err(Error::DataDir(dir.clone(), std::io::Error::other(text)));
    }
    if let Some(what) = keys::lost(dir).next() {
        return Err(Error::KeyLost(what));
    }
    let key = TagKey::open_or_create(&dir.join("tag.key"))?;
    let own = Own::new(&config.redact).map_err(|wrong| {
        let what = wrong.first().map(ToString::to_string);
        Error::OwnRules(what.unwrap_or_default())
    })?;
    let redactor = Redactor::new(config.redact.clone(), key).with_metrics(metrics.clone());
    redactor.take_over(own);
    Ok(Arc::new(redactor))
}

/// From a door into the log, with a note of who sent.
fn submit(
    store: &Store,
    clock: &Clock,
    intake: Intake,
    pace: Pace,
    redactor: &Arc<Redactor>,
) -> impl Fn(Payload) -> Submitting + Clone + Send + Sync + 'static {
    let (store, clock, redactor) = (store.clone(), clock.clone(), redactor.clone());
    move |mut payload| {
        // Senders choose this name, and it is kept outside of events too.
        if let Cow::Owned(clean) = redactor.redact_text(&payload.source) {
            payload.source = clean.into();
        }
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
