//! Everything that runs on its own runs through here: supervised, counted, and drained in order on shutdown.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
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

/// Keeps what is in memory out of core dumps: secrets pass through it before they are redacted, and keys stay.
pub fn no_core_dumps() {
    if cfg!(target_os = "linux") {
        use rustix::process::{
            DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit,
        };
        let none = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        // The limit alone does not hold for a program that core dumps are piped to.
        let done = setrlimit(Resource::Core, none)
            .and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable));
        if let Err(error) = done {
            tracing::warn!(%error, "core dumps of this process are possible and would hold secrets");
        }
    }
}

#[derive(Debug)]
struct Inner {
    stop: watch::Sender<bool>,
    drain: watch::Sender<bool>,
    threads: Mutex<Vec<(&'static str, JoinHandle<()>)>>,
    futures: Mutex<Vec<(&'static str, tokio::task::JoinHandle<()>)>>,
    /// What ended in a panic. Shared by itself: what runs must not keep the set alive.
    failed: Arc<Failed>,
}

#[derive(Debug, Default)]
struct Failed(Mutex<Vec<&'static str>>);

impl Failed {
    fn note(&self, name: &'static str) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(name);
    }
}

type Panic = Box<dyn Any + Send>;

/// The future, with its panic as a result.
async fn caught(run: impl Future<Output = ()>) -> Result<(), Panic> {
    let mut run = Box::pin(run);
    poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| run.as_mut().poll(context)));
        match polled {
            Ok(polled) => polled.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    })
    .await
}

fn tell(name: &'static str, panic: &(dyn Any + Send)) {
    let said = panic.downcast_ref::<String>().map(String::as_str);
    let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
    let said = said.unwrap_or("panic");
    tracing::error!(
        task = name,
        said,
        "ended abnormally; its work is not done any more"
    );
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
            drain: watch::Sender::new(false),
            threads: Mutex::default(),
            futures: Mutex::default(),
            failed: Arc::default(),
        }))
    }

    /// A signal that resolves when [`Tasks::stop`] is called.
    #[must_use]
    pub fn shutdown(&self) -> Shutdown {
        Shutdown(self.0.stop.subscribe())
    }

    /// A signal that resolves when [`Tasks::drain`] is called: for answers that would not end by themselves.
    #[must_use]
    pub fn draining(&self) -> Shutdown {
        Shutdown(self.0.drain.subscribe())
    }

    /// Runs a loop on its own thread until it returns; it must watch its [`Shutdown`]. A panic ends the
    /// thread, not the process: it is told at once and shows in [`Tasks::failed`].
    pub fn thread(
        &self,
        name: &'static str,
        run: impl FnOnce(Shutdown) + Send + 'static,
    ) -> std::io::Result<()> {
        let (failed, shutdown) = (self.0.failed.clone(), self.shutdown());
        let handle = std::thread::Builder::new()
            .name(name.into())
            .spawn(move || {
                if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(shutdown))) {
                    tell(name, panic.as_ref());
                    failed.note(name);
                }
            })?;
        self.0
            .threads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((name, handle));
        Ok(())
    }

    /// What ended in a panic, the first one first. Its work is not done any more.
    #[must_use]
    pub fn failed(&self) -> Vec<&'static str> {
        let names = self.0.failed.0.lock();
        names.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Runs a future on the runtime until it returns; it must watch its [`Shutdown`]. A panic shows as that of
    /// a thread does.
    pub fn spawn(&self, name: &'static str, run: impl Future<Output = ()> + Send + 'static) {
        let failed = self.0.failed.clone();
        self.supervise(name, async move {
            if let Err(panic) = caught(run).await {
                tell(name, panic.as_ref());
                failed.note(name);
            }
        });
    }

    /// Like [`Tasks::spawn`], for one of many: a panic is told and concerns nobody else.
    pub fn spawn_one(&self, name: &'static str, run: impl Future<Output = ()> + Send + 'static) {
        self.supervise(name, async move {
            if let Err(panic) = caught(run).await {
                tell(name, panic.as_ref());
            }
        });
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that spawns")]
    fn supervise(&self, name: &'static str, run: impl Future<Output = ()> + Send + 'static) {
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

    /// Asks what never ends by itself to end, while everything else goes on. Does not wait.
    pub fn drain(&self) {
        self.0.drain.send_replace(true);
    }

    /// Asks everything to stop. Does not wait.
    pub fn stop(&self) {
        self.drain();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn memory_stays_out_of_core_dumps() {
        use rustix::process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit};
        no_core_dumps();
        assert_eq!(getrlimit(Resource::Core).current, Some(0));
        assert_eq!(dumpable_behavior(), Ok(DumpableBehavior::NotDumpable));
    }

    #[tokio::test]
    async fn what_panics_is_named_and_the_others_go_on() {
        let tasks = Tasks::new();
        let (told, heard) = std::sync::mpsc::sync_channel(1);
        tasks.thread("broken", |_shutdown| panic!("boom")).unwrap();
        tasks
            .thread("whole", move |shutdown| {
                while !shutdown.is_requested() {
                    std::thread::yield_now();
                }
                told.send(()).unwrap();
            })
            .unwrap();
        tasks.spawn_one("one of many", async { panic!("boom") });
        while tasks.failed().is_empty() {
            tokio::task::yield_now().await;
        }
        tasks.spawn("future", async { panic!("boom") });
        while tasks.failed().len() < 2 {
            tokio::task::yield_now().await;
        }
        tasks.stop();
        tasks.drained().await;
        assert_eq!(tasks.failed(), ["broken", "future"]);
        heard.recv().unwrap();
    }
}
