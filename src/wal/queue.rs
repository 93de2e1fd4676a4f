//! Batches on their way to the writer: bounded in bytes, in order of arrival.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::state::held;
use super::{Appended, Error};
use crate::metrics::Counter;
use crate::redact::Batch;

/// What a waiting batch takes besides its records.
const ITEM_BYTES: usize = 256;

/// A batch that waits, with the room it takes and where its answer goes.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) batch: Batch,
    pub(super) reply: oneshot::Sender<Result<Appended, Error>>,
    _room: OwnedSemaphorePermit,
}

#[derive(Debug, Default)]
struct Inner {
    items: VecDeque<Item>,
    is_poisoned: bool,
    is_closing: bool,
    is_closed: bool,
    roll: bool,
}

#[derive(Debug)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    work: Condvar,
    room: Arc<Semaphore>,
    room_max: u32,
}

/// What the writer shall do next.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) items: Vec<Item>,
    /// Nobody will bring more.
    pub(super) is_closing: bool,
    /// Retention wants a new segment.
    pub(super) roll: bool,
}

impl Queue {
    pub(super) fn new(bytes_max: usize) -> Self {
        let room_max = u32::try_from(bytes_max).unwrap_or(u32::MAX >> 1).max(1);
        let permits = usize::try_from(room_max).unwrap_or(1);
        Self {
            inner: Mutex::default(),
            work: Condvar::new(),
            room: Arc::new(Semaphore::new(permits)),
            room_max,
        }
    }

    /// Waits for room, then for the writer.
    pub(super) async fn append(&self, batch: Batch, waits: &Counter) -> Result<Appended, Error> {
        self.check()?;
        let bytes = batch.bytes() + batch.len() * size_of::<usize>() + ITEM_BYTES;
        // A batch larger than the queue waits until it has the queue to itself.
        let room = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.room_max);
        let permit = match self.room.clone().try_acquire_many_owned(room) {
            Ok(permit) => permit,
            Err(_) => {
                waits.inc();
                let permit = self.room.clone().acquire_many_owned(room).await;
                permit.map_err(|_| Error::Closed)?
            }
        };
        let (reply, answer) = oneshot::channel();
        {
            let mut inner = held(&self.inner);
            inner.check()?;
            inner.items.push_back(Item {
                batch,
                reply,
                _room: permit,
            });
            self.work.notify_one();
        }
        answer.await.unwrap_or(Err(Error::Closed))
    }

    /// Whether it refuses everything after a failed write.
    pub(super) fn is_poisoned(&self) -> bool {
        held(&self.inner).is_poisoned
    }

    fn check(&self) -> Result<(), Error> {
        held(&self.inner).check()
    }

    /// Everything that waits, up to `bytes_max`; waits for some up to `wait`.
    pub(super) fn take(&self, bytes_max: usize, wait: Duration) -> Taken {
        let nothing =
            |inner: &mut Inner| inner.items.is_empty() && !inner.is_closing && !inner.roll;
        let inner = held(&self.inner);
        let (mut inner, _) = match self.work.wait_timeout_while(inner, wait, nothing) {
            Ok(waited) => waited,
            Err(poisoned) => poisoned.into_inner(),
        };
        let mut taken = Taken {
            roll: std::mem::take(&mut inner.roll),
            ..Taken::default()
        };
        let mut bytes = 0usize;
        while let Some(next) = inner.items.front() {
            bytes = bytes.saturating_add(next.batch.bytes());
            if bytes > bytes_max && !taken.items.is_empty() {
                break;
            }
            taken.items.extend(inner.items.pop_front());
        }
        taken.is_closing = inner.is_closing && inner.items.is_empty();
        taken
    }

    /// Refuses everything from now on, and what waits.
    pub(super) fn poison(&self) {
        let waiting = {
            let mut inner = held(&self.inner);
            inner.is_poisoned = true;
            std::mem::take(&mut inner.items)
        };
        for item in waiting {
            item.answer(Err(Error::Poisoned));
        }
    }

    pub(super) fn heal(&self) {
        held(&self.inner).is_poisoned = false;
    }

    /// Takes nothing new; what waits is still written.
    pub(super) fn close(&self) {
        held(&self.inner).is_closing = true;
        self.work.notify_all();
    }

    /// The writer is gone: nothing will be written any more.
    pub(super) fn end(&self) {
        let waiting = {
            let mut inner = held(&self.inner);
            inner.is_closed = true;
            std::mem::take(&mut inner.items)
        };
        for item in waiting {
            item.answer(Err(Error::Closed));
        }
    }

    pub(super) fn roll(&self) {
        held(&self.inner).roll = true;
        self.work.notify_all();
    }
}

impl Inner {
    fn check(&self) -> Result<(), Error> {
        if self.is_closing || self.is_closed {
            Err(Error::Closed)
        } else if self.is_poisoned {
            Err(Error::Poisoned)
        } else {
            Ok(())
        }
    }
}

impl Item {
    /// Answers whoever appended; if he has gone, the answer has too.
    pub(super) fn answer(self, answer: Result<Appended, Error>) {
        let _heard = self.reply.send(answer).is_ok();
    }
}
