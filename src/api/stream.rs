//! Answers that are written while they are read: a bounded channel as a body.

use std::future::{Future, ready};
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use hyper::body::Frame;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::clock::Stopwatch;
use crate::tasks::Shutdown;

/// Pieces that wait for a slow reader; whoever writes waits with them.
const PIECES_MAX: usize = 2;
/// How long a reader may take for a piece.
const READ_MAX: Duration = Duration::from_secs(60);

/// Bytes a second that the reader of a long file takes at least.
const RATE_MIN: u64 = 64 << 10;

/// The answer ended before all of it was written: the connection breaks off, so that nobody takes it for the whole.
#[derive(Debug, thiserror::Error)]
#[error("answer was cut short")]
pub(super) struct CutShort;

struct Pieces {
    pieces: mpsc::Receiver<Bytes>,
    is_whole: Arc<AtomicBool>,
    is_over: bool,
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = CutShort;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutShort>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let is_whole = |pieces: &Self| pieces.is_whole.load(Ordering::Acquire);
        match self.pieces.poll_recv(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(piece)) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            Poll::Ready(None) => {
                self.is_over = true;
                Poll::Ready((!is_whole(&self)).then_some(Err(CutShort)))
            }
        }
    }
}

/// Resolves when the answer has to be over.
type Over = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

/// Where the pieces of an answer go in. Without [`Writer::finish`] it is cut short where the writer is dropped.
pub(super) struct Writer {
    pieces: mpsc::Sender<Bytes>,
    is_whole: Arc<AtomicBool>,
    /// Once the server drains and the time it gives is over; one clock for all pieces.
    over: Over,
}

impl Writer {
    /// Whether the reader took the piece: it is there, is not too slow, and the server does not wait for it.
    pub(super) async fn send(&mut self, piece: impl Into<Bytes>) -> bool {
        tokio::select! {
            biased;
            () = &mut self.over => {
                self.over = Box::pin(ready(()));
                false
            }
            sent = timeout(READ_MAX, self.pieces.send(piece.into())) => matches!(sent, Ok(Ok(()))),
        }
    }

    /// The answer is whole as it is now.
    pub(super) fn finish(&self) {
        self.is_whole.store(true, Ordering::Release);
    }

    /// Resolves when the reader has gone.
    pub(super) async fn closed(&self) {
        self.pieces.closed().await;
    }
}

/// The answer for code that blocks: it waits where the reader is slow. Not for a thread that runs futures.
pub(super) struct Pipe {
    writer: Writer,
    runtime: Handle,
    since: Stopwatch,
    sent: u64,
}

impl Pipe {
    /// To be made where futures run.
    pub(super) fn new(writer: Writer) -> Self {
        let runtime = Handle::current();
        Self {
            writer,
            runtime,
            since: Stopwatch::start(),
            sent: 0,
        }
    }

    /// The answer is whole as it is now.
    pub(super) fn finish(&self) {
        self.writer.finish();
    }
}

impl Write for Pipe {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        // Piece by piece in time, and all of them too: a reader must not hold it for days.
        let allowed = READ_MAX + Duration::from_secs(self.sent / RATE_MIN);
        let sent = self.writer.send(Bytes::copy_from_slice(piece));
        if self.since.elapsed() > allowed || !self.runtime.block_on(sent) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.sent += piece.len() as u64;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

async fn over(mut draining: Shutdown, grace: Duration) {
    draining.requested().await;
    sleep(grace).await;
}

/// A body and its writer, which may go on for so long once the server drains.
pub(super) fn body(draining: Shutdown, grace: Duration) -> (Writer, Body) {
    let (sender, receiver) = mpsc::channel(PIECES_MAX);
    let is_whole = Arc::<AtomicBool>::default();
    let writer = Writer {
        pieces: sender,
        is_whole: is_whole.clone(),
        over: Box::pin(over(draining, grace)),
    };
    let pieces = Pieces {
        pieces: receiver,
        is_whole,
        is_over: false,
    };
    (writer, Body::new(pieces))
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;
    use crate::tasks::Tasks;

    #[tokio::test]
    async fn what_is_not_finished_is_no_whole_answer() {
        let tasks = Tasks::new();
        for is_finished in [true, false] {
            let (mut writer, body) = super::body(tasks.draining(), Duration::ZERO);
            assert!(writer.send("piece").await);
            if is_finished {
                writer.finish();
            }
            drop(writer);
            assert_eq!(body.collect().await.is_ok(), is_finished);
        }
    }

    #[tokio::test]
    async fn a_reader_that_takes_a_piece_now_and_then_does_not_hold_a_drain() {
        let tasks = Tasks::new();
        let (mut writer, mut body) = super::body(tasks.draining(), Duration::from_millis(100));
        tasks.drain();
        let mut sent = 0;
        while writer.send("piece").await {
            sleep(Duration::from_millis(60)).await;
            sent += 1;
            assert!(body.frame().await.is_some() && sent < 10);
        }
        assert!(!writer.send("piece").await);
    }

    #[tokio::test]
    async fn a_drain_does_not_wait_for_a_reader() {
        let tasks = Tasks::new();
        let (mut writer, body) = super::body(tasks.draining(), Duration::from_millis(20));
        for _ in 0..PIECES_MAX {
            assert!(writer.send("piece").await);
        }
        tasks.drain();
        assert!(!writer.send("piece").await);
        drop((writer, body));
    }
}
