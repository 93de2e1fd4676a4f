//! Answers that are written while they are read: a bounded channel as a body.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use hyper::body::Frame;
use tokio::sync::mpsc;

/// Pieces that wait for a slow reader; whoever writes waits with them.
const PIECES_MAX: usize = 4;

/// The answer ended before all of it was written: the connection breaks off, so that nobody takes it for the whole.
#[derive(Debug, thiserror::Error)]
#[error("answer was cut short")]
pub(super) struct CutShort;

/// One piece of an answer.
pub(super) type Piece = Result<Bytes, CutShort>;

struct Pieces(mpsc::Receiver<Piece>);

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = CutShort;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutShort>>> {
        self.0
            .poll_recv(context)
            .map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

/// A body, and where its pieces go in. The body ends with the sender; once the caller is gone, sending fails.
pub(super) fn body() -> (mpsc::Sender<Piece>, Body) {
    let (sender, receiver) = mpsc::channel(PIECES_MAX);
    (sender, Body::new(Pieces(receiver)))
}
