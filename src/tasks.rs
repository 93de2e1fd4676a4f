//! Everything that runs on its own runs through here: supervised, counted, and drained in order on shutdown.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::watch;

/// Tells long-running work to stop. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

impl Shutdown {
    /// Whether stopping has begun; for loops on threads.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Resolves when stopping begins.
    pub async fn requested(&mut self) {
        // An error means the sender is gone, which is a shutdown too.
        let _gone = self.0.wait_for(|stop| *stop).await.is_err();
    }
}

/// Lets the threads that answer someone go before this one, by so many steps of niceness: on a busy machine an
/// acknowledgement does not wait until a reader of the log has used up its turn.
pub fn step_back(steps: i32) {
    // Linux alone has a niceness for each thread.
    if cfg!(target_os = "linux")
        && let Err(error) = rustix::process::nice(steps)
    {
        tracing::debug!(%error, "thread keeps its priority");
    }
}

#[derive(Debug)]
struct Inner {
    stop: watch::Sender<bool>,
    threads: Mutex<Vec<(&'static str, JoinHandle<()>)>>,
    futures: Mutex<Vec<(&'static str, tokio::task::JoinHandle<()>)>>,
}

/// The set of everything that runs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tasks(Arc<Inner>);

impl Default for Tasks {
    fn default() -> Self {
        Self::new()
    }
}

impl Tasks {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Inner {
            stop: watch::Sender::new(false),
            threads: Mutex::default(),
            futures: Mutex::default(),
        }))
    }

    /// A signal that resolves when [`Tasks::stop`] is called.
    #[must_use]
    pub fn shutdown(&self) -> Shutdown {
        Shutdown(self.0.stop.subscribe())
    }

    /// Runs a loop on its own thread until it returns; it must watch its [`Shutdown`].
    pub fn thread(
        &self,
        name: &'static str,
        run: impl FnOnce(Shutdown) + Send + 'static,
    ) -> std::io::Result<()> {
        let shutdown = self.shutdown();
        let handle = std::thread::Builder::new()
            .name(name.into())
            .spawn(move || run(shutdown))?;
        self.0
            .threads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((name, handle));
        Ok(())
    }

    /// Runs a future on the runtime until it returns; it must watch its [`Shutdown`].
    #[expect(clippy::disallowed_methods, reason = "the one place that spawns")]
    pub fn spawn(&self, name: &'static str, run: impl Future<Output = ()> + Send + 'static) {
        let mut futures = self
            .0
            .futures
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        futures.retain(|(_, handle)| !handle.is_finished());
        futures.push((name, tokio::spawn(run)));
    }

    /// Runs blocking work on the runtime's pool and waits for it; `None` where it panicked.
    #[expect(clippy::disallowed_methods, reason = "the one place that spawns")]
    pub async fn blocking<T: Send + 'static>(
        &self,
        run: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        tokio::task::spawn_blocking(run).await.ok()
    }

    /// Asks everything to stop. Does not wait.
    pub fn stop(&self) {
        self.0.stop.send_replace(true);
    }

    /// Waits until everything has returned; a panic is reported by name and does not hide the others.
    pub async fn drained(&self) {
        let futures = std::mem::take(
            &mut *self
                .0
                .futures
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        for (name, handle) in futures {
            if handle.await.is_err() {
                tracing::error!(task = name, "task ended abnormally");
            }
        }
        let threads = std::mem::take(
            &mut *self
                .0
                .threads
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        let joined = self
            .blocking(move || {
                for (name, handle) in threads {
                    if handle.join().is_err() {
                        tracing::error!(task = name, "thread ended abnormally");
                    }
                }
            })
            .await;
        debug_assert!(joined.is_some(), "joining threads does not panic");
    }
}
