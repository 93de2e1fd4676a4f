//! The listener: accepts connections up to a bound, speaks TLS or, on loopback alone, plain HTTP, and
//! drains: what is in flight is finished, nothing new is taken.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use super::gate::Peer;
use super::tls::{self, Certificates};
use crate::metrics::Metrics;
use crate::tasks::{Shutdown, Tasks};

/// Settings of the listener.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Address and port; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Certificate and key; needed for any address but loopback.
    pub tls: Option<tls::Options>,
    /// Connections open at once; more are closed at once.
    pub connections_max: usize,
    /// For the head of a request, also the first and after a pause; in seconds.
    pub header_read_s_max: u64,
    /// Bytes of the head of a request.
    pub header_bytes_max: usize,
    /// For a TLS handshake, in seconds.
    pub handshake_s_max: u64,
    /// HTTP/2 requests at once on one connection.
    pub streams_max: u32,
    /// For requests in flight when the server stops, in seconds; more than 45 count as 45.
    pub drain_s_max: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8321)),
            tls: None,
            connections_max: 2_048,
            header_read_s_max: 10,
            header_bytes_max: 32 << 10,
            handshake_s_max: 10,
            streams_max: 100,
            drain_s_max: 45,
        }
    }
}

/// Why the server cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Plain HTTP would carry keys over a network in clear.
    #[error(
        "refusing plain HTTP on {0}: set tls.cert and tls.key, or listen on 127.0.0.1 behind a \
         proxy that speaks TLS"
    )]
    PlainHttp(SocketAddr),
    /// The address cannot be bound.
    #[error("cannot listen on {address}: {cause}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The certificate cannot be used.
    #[error("{0}")]
    Tls(#[from] tls::Error),
}

/// A bound address that does not answer yet.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    certificates: Option<Certificates>,
    options: Options,
}

impl Listener {
    /// Checks the certificate and binds the address.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn bind(options: Options) -> Result<Self, Error> {
        let certificates = options.tls.as_ref().map(Certificates::read).transpose()?;
        if certificates.is_none() && !options.listen.ip().to_canonical().is_loopback() {
            return Err(Error::PlainHttp(options.listen));
        }
        let failed = |cause| Error::Bind {
            address: options.listen,
            cause,
        };
        let socket = TcpListener::bind(options.listen).await.map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        Ok(Self {
            socket,
            address,
            certificates,
            options,
        })
    }

    /// Whether it speaks TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.certificates.is_some()
    }

    /// `http://127.0.0.1:8321` or `https://…`, with the port that was bound.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.is_tls() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Answers from now on, until [`Server::drain`] or the tasks are stopped.
    ///
    /// # Errors
    /// [`Error::Tls`].
    pub fn start(
        self,
        router: Router,
        tasks: &Tasks,
        metrics: Arc<Metrics>,
    ) -> Result<Server, Error> {
        let acceptor = match &self.certificates {
            Some(certificates) => Some(TlsAcceptor::from(certificates.server_config()?)),
            None => None,
        };
        let (stop, stopped) = watch::channel(false);
        let (done, finished) = watch::channel(false);
        let server = Server {
            address: self.address,
            certificates: self.certificates,
            stop,
            finished: finished.clone(),
        };
        let connections = Arc::new(Connections {
            router,
            acceptor,
            plain: builder(&self.options, false),
            h2: builder(&self.options, true),
            handshake: Duration::from_secs(self.options.handshake_s_max),
            slots: Arc::new(Semaphore::new(self.options.connections_max)),
            metrics,
            options: self.options,
        });
        let (tasks_of_connections, shutdown) = (tasks.clone(), tasks.shutdown());
        tasks.spawn("listener", async move {
            let graceful = GracefulShutdown::new();
            accept(
                &self.socket,
                &connections,
                &graceful,
                &tasks_of_connections,
                (shutdown, stopped, finished),
            )
            .await;
            drop(self.socket);
            let limit = Duration::from_secs(connections.options.drain_s_max);
            if timeout(limit, graceful.shutdown()).await.is_err() {
                tracing::warn!("requests were still in flight when the time to drain was over");
            }
            // Also ends the connections that are still open.
            done.send_replace(true);
        });
        Ok(server)
    }
}

/// A server that answers.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    certificates: Option<Certificates>,
    stop: watch::Sender<bool>,
    finished: watch::Receiver<bool>,
}

impl Server {
    /// The bound address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Reads and checks a certificate that [`Server::swap`] puts in use; nothing to do where either side
    /// is plain HTTP: that changes with a restart alone.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn prepare(&self, tls: Option<&tls::Options>) -> Result<Option<tls::Fresh>, tls::Error> {
        match (&self.certificates, tls) {
            (Some(_), Some(options)) => tls::Fresh::read(options).map(Some),
            _ => Ok(None),
        }
    }

    /// Connections from now on get this certificate.
    pub fn swap(&self, fresh: Option<tls::Fresh>) {
        if let (Some(certificates), Some(fresh)) = (&self.certificates, fresh) {
            certificates.swap(fresh);
        }
    }

    /// Takes no more connections, finishes what is in flight (at most `drain_s_max`), then returns.
    pub async fn drain(&mut self) {
        self.stop.send_replace(true);
        // An error means the listener's task is gone, which is as good.
        let _gone = self.finished.wait_for(|done| *done).await.is_err();
    }
}

fn builder(options: &Options, is_h2: bool) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(options.header_read_s_max))
        // hyper refuses less than 8 KiB.
        .max_buf_size(options.header_bytes_max.max(8192));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(options.streams_max)
        .max_header_list_size(u32::try_from(options.header_bytes_max).unwrap_or(u32::MAX))
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(10));
    // Telling the two apart by their first bytes would wait for these without a limit of time.
    if is_h2 {
        builder.http2_only()
    } else {
        builder.http1_only()
    }
}

/// What every connection shares.
struct Connections {
    router: Router,
    acceptor: Option<TlsAcceptor>,
    plain: Builder<TokioExecutor>,
    h2: Builder<TokioExecutor>,
    handshake: Duration,
    slots: Arc<Semaphore>,
    metrics: Arc<Metrics>,
    options: Options,
}

impl Connections {
    fn show_open(&self) {
        let open = self
            .options
            .connections_max
            .saturating_sub(self.slots.available_permits());
        let open = u64::try_from(open).unwrap_or(u64::MAX);
        self.metrics.http_connections.set(open);
    }

    /// One connection from its first byte to its last.
    async fn serve(&self, stream: TcpStream, peer: SocketAddr, watcher: Watcher) {
        // Small answers must not wait for more; where the system refuses, they are merely late.
        let _is_set = stream.set_nodelay(true).is_ok();
        let Some(acceptor) = &self.acceptor else {
            return self.speak(&self.plain, stream, peer, watcher).await;
        };
        match timeout(self.handshake, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => {
                let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2".as_slice());
                let builder = if is_h2 { &self.h2 } else { &self.plain };
                self.speak(builder, stream, peer, watcher).await;
            }
            Ok(Err(error)) => tracing::debug!(%peer, %error, "TLS handshake failed"),
            Err(_elapsed) => tracing::debug!(%peer, "TLS handshake took too long"),
        }
    }

    async fn speak<S>(
        &self,
        builder: &Builder<TokioExecutor>,
        stream: S,
        peer: SocketAddr,
        watcher: Watcher,
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(Peer(peer));
            self.router.clone().oneshot(request)
        });
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%peer, %error, "connection ended");
        }
    }
}

/// Stopping of the process, stopping of this server, end of the time to drain.
type Signals = (Shutdown, watch::Receiver<bool>, watch::Receiver<bool>);

async fn accept(
    socket: &TcpListener,
    connections: &Arc<Connections>,
    graceful: &GracefulShutdown,
    tasks: &Tasks,
    (mut shutdown, mut stopped, finished): Signals,
) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.requested() => return,
            _ = stopped.wait_for(|stop| *stop) => return,
            accepted = socket.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(pair) => pair,
            Err(error) => {
                // Out of file descriptors, mostly: wait for some to be closed.
                tracing::warn!(%error, "connection not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Ok(slot) = connections.slots.clone().try_acquire_owned() else {
            connections.metrics.http_connections_refused.inc();
            continue;
        };
        let (connections, watcher) = (connections.clone(), graceful.watcher());
        connections.show_open();
        let mut over = finished.clone();
        tasks.spawn_one("connection", async move {
            tokio::select! {
                () = connections.serve(stream, peer, watcher) => {}
                _ = over.wait_for(|over| *over) => {}
            }
            release(slot, &connections);
        });
    }
}

fn release(slot: OwnedSemaphorePermit, connections: &Connections) {
    drop(slot);
    connections.show_open();
}
