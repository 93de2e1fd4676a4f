//! The demo's own webhook endpoint: takes deliveries on loopback and checks their signatures.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::clock::Clock;
use crate::notify::verify;
use crate::store::Secret;
use crate::tasks::Tasks;

const REQUEST_BYTES_MAX: usize = 1 << 20;

#[derive(Debug, Default)]
struct Seen {
    secret: Mutex<Option<String>>,
    verified: AtomicU64,
    wrong: AtomicU64,
}

/// A webhook endpoint.
#[derive(Debug)]
pub(super) struct Receiver {
    url: String,
    seen: Arc<Seen>,
}

impl Receiver {
    pub(super) async fn start(tasks: &Tasks) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/webhook", listener.local_addr()?);
        let seen: Arc<Seen> = Arc::default();
        let (shared, mut shutdown) = (seen.clone(), tasks.shutdown());
        tasks.spawn("demo receiver", async move {
            loop {
                tokio::select! {
                    () = shutdown.requested() => return,
                    accepted = listener.accept() => {
                        let Ok((stream, _)) = accepted else { return };
                        let served = tokio::time::timeout(Duration::from_secs(5), serve(stream, &shared)).await;
                        if !matches!(served, Ok(Ok(()))) {
                            shared.wrong.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            }
        });
        Ok(Self { url, seen })
    }

    pub(super) fn registration(&self) -> Value {
        json!({"url": self.url, "description": "the demo's own receiver"})
    }

    pub(super) fn trust(&self, secret: String) {
        *self.seen.secret.lock().unwrap_or_else(PoisonError::into_inner) = Some(secret);
    }

    /// Deliveries with a valid signature, and others.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.seen.verified.load(Ordering::Relaxed), self.seen.wrong.load(Ordering::Relaxed))
    }
}

async fn serve(mut stream: TcpStream, seen: &Seen) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let (head, body) = loop {
        if stream.read_buf(&mut bytes).await? == 0 || bytes.len() > REQUEST_BYTES_MAX {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let Some(split) = memchr::memmem::find(&bytes, b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(bytes.get(..split).unwrap_or_default()).into_owned();
        let body = bytes.get(split + 4..).unwrap_or_default();
        let length: usize = header(&head, "content-length").parse().unwrap_or(0);
        if body.len() >= length {
            break (head, body.to_vec());
        }
    };
    let secret = seen.secret.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default();
    let signed = (header(&head, "webhook-id"), header(&head, "webhook-timestamp"), header(&head, "webhook-signature"));
    let secrets: Vec<Secret> = Secret::parse(&secret).into_iter().collect();
    let is_valid = verify(&secrets, signed, &body, Clock::System.now()).is_ok();
    let (counter, status) = if is_valid { (&seen.verified, "204 No Content") } else { (&seen.wrong, "401 Unauthorized") };
    counter.fetch_add(1, Ordering::Relaxed);
    stream.write_all(format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").as_bytes()).await
}

fn header<'h>(head: &'h str, name: &str) -> &'h str {
    head.lines()
        .find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })
        .unwrap_or_default()
}
