//! Whether somebody still waits for an answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Tells searches that nobody waits for them any more; they end where they look at the time. Cheap to clone; all clones
/// are one.
#[derive(Clone, Debug, Default)]
pub struct Gone(Arc<AtomicBool>);

impl Gone {
    /// Nobody waits any more.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether nobody waits any more.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Sets itself when it is dropped: for whoever waits.
    #[must_use]
    pub fn when_dropped(&self) -> Waiting {
        Waiting(self.clone())
    }
}

/// Somebody who waits, until this is dropped.
#[derive(Debug)]
pub struct Waiting(Gone);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.set();
    }
}
