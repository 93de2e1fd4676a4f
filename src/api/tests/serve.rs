//! The listener on real sockets: TLS, bounds, draining.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::api::serve::{Error, Listener, Options, Server};
use crate::api::tls;
use crate::metrics::Metrics;
use crate::tasks::Tasks;

struct Running {
    server: Server,
    tasks: Tasks,
    metrics: Arc<Metrics>,
    address: SocketAddr,
}

fn options() -> Options {
    Options {
        listen: ([127, 0, 0, 1], 0).into(),
        ..Options::default()
    }
}

async fn start(options: Options) -> Running {
    let slow = async || {
        tokio::time::sleep(Duration::from_millis(300)).await;
        "slow"
    };
    let router = Router::new()
        .route("/", get(async || "here"))
        .route("/slow", get(slow));
    let (tasks, metrics) = (Tasks::new(), Arc::new(Metrics::default()));
    let listener = Listener::bind(options).await.unwrap();
    assert!(listener.url().starts_with("http"));
    let server = listener.start(router, &tasks, metrics.clone()).unwrap();
    let address = server.address();
    Running {
        server,
        tasks,
        metrics,
        address,
    }
}

/// Sends text and reads until the other side closes.
async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, text: &str) -> String {
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A TLS server may close without a goodbye; what came before counts.
    let _end = stream.read_to_end(&mut answer).await.is_ok();
    String::from_utf8_lossy(&answer).into_owned()
}

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

async fn plain(address: SocketAddr, text: &str) -> String {
    exchange(TcpStream::connect(address).await.unwrap(), text).await
}

fn certificate(dir: &Path) -> (tls::Options, RootCertStore) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (cert, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    (tls::Options { cert, key }, roots)
}

async fn over_tls(
    address: SocketAddr,
    roots: &RootCertStore,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> Result<String, std::io::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots.clone())
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TcpStream::connect(address).await?;
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await?;
    Ok(exchange(stream, GET).await)
}

#[tokio::test]
async fn plain_http_is_served_on_loopback_alone() {
    let running = start(options()).await;
    assert!(plain(running.address, GET).await.ends_with("here"));
    let open = Options {
        listen: ([0, 0, 0, 0], 0).into(),
        ..Options::default()
    };
    let refused = Listener::bind(open).await.unwrap_err();
    assert!(matches!(refused, Error::PlainHttp(_)));
    assert!(refused.to_string().contains("set tls.cert and tls.key"));
}

#[tokio::test]
async fn both_versions_of_tls_are_spoken_and_plain_http_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let (tls, roots) = certificate(dir.path());
    let running = start(Options {
        tls: Some(tls),
        ..options()
    })
    .await;
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let answer = over_tls(running.address, &roots, &[version]).await.unwrap();
        assert!(answer.ends_with("here"), "{answer}");
    }
    assert!(!plain(running.address, GET).await.contains("here"));
}

#[tokio::test]
async fn http_2_is_spoken_where_it_was_negotiated() {
    let dir = tempfile::tempdir().unwrap();
    let (tls, roots) = certificate(dir.path());
    let tls = Some(tls);
    let running = start(Options { tls, ..options() }).await;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(running.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let mut stream = connector.connect(name, stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    // The preface of a client and its empty SETTINGS frame; the server answers with its own.
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await
        .unwrap();
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(head[3], 4);
}

#[tokio::test]
async fn a_new_certificate_is_taken_over_and_a_bad_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let (tls, old) = certificate(dir.path());
    let running = start(Options {
        tls: Some(tls),
        ..options()
    })
    .await;
    let versions = rustls::ALL_VERSIONS;
    assert!(over_tls(running.address, &old, versions).await.is_ok());
    // Where they lie may change too.
    let elsewhere = tempfile::tempdir().unwrap();
    let (tls, new) = certificate(elsewhere.path());
    let server = &running.server;
    let fresh = server.prepare(Some(&tls)).unwrap();
    assert!(over_tls(running.address, &old, versions).await.is_ok());
    server.swap(fresh);
    assert!(over_tls(running.address, &new, versions).await.is_ok());
    assert!(over_tls(running.address, &old, versions).await.is_err());
    std::fs::write(&tls.cert, "nothing").unwrap();
    let refused = server.prepare(Some(&tls)).unwrap_err();
    assert_eq!(refused, tls::Error::Certificate);
    assert!(server.prepare(None).unwrap().is_none());
    std::fs::remove_file(&tls.key).unwrap();
    assert!(over_tls(running.address, &new, versions).await.is_ok());
}

#[tokio::test]
async fn a_key_of_another_certificate_is_refused() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (first, _) = certificate(one.path());
    let (second, _) = certificate(two.path());
    let mixed = tls::Options {
        cert: first.cert,
        key: second.key,
    };
    let refused = Listener::bind(Options {
        tls: Some(mixed),
        ..options()
    })
    .await;
    assert!(matches!(refused, Err(Error::Tls(tls::Error::Mismatch))));
}

#[tokio::test]
async fn connections_beyond_the_bound_are_closed_and_counted() {
    let running = start(Options {
        connections_max: 2,
        ..options()
    })
    .await;
    let held = [
        TcpStream::connect(running.address).await.unwrap(),
        TcpStream::connect(running.address).await.unwrap(),
    ];
    while running.metrics.http_connections.get() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut third = TcpStream::connect(running.address).await.unwrap();
    let mut byte = [0];
    assert!(matches!(third.read(&mut byte).await, Ok(0) | Err(_)));
    assert_eq!(running.metrics.http_connections_refused.get(), 1);
    drop(held);
    while running.metrics.http_connections.get() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(plain(running.address, GET).await.ends_with("here"));
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_the_connection() {
    let running = start(Options {
        header_read_s_max: 1,
        ..options()
    })
    .await;
    for start in ["", "GET / HT"] {
        let wait = Duration::from_secs(5);
        let answer = tokio::time::timeout(wait, plain(running.address, start)).await;
        assert!(!answer.expect("closed by the server").contains("here"));
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let running = start(options()).await;
    let head = format!(
        "GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n",
        "y".repeat(64 << 10)
    );
    assert!(
        plain(running.address, &head)
            .await
            .starts_with("HTTP/1.1 431")
    );
}

#[tokio::test]
async fn draining_finishes_what_is_in_flight_and_takes_nothing_new() {
    let mut running = start(options()).await;
    let idle = TcpStream::connect(running.address).await.unwrap();
    let text = "GET /slow HTTP/1.1\r\nhost: a\r\n\r\n";
    let (address, mut server) = (running.address, running.server);
    let (answer, ()) = tokio::join!(plain(address, text), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        server.drain().await;
    });
    assert!(answer.ends_with("slow"), "{answer}");
    assert!(TcpStream::connect(address).await.is_err());
    drop(idle);
    running.tasks.stop();
    running.tasks.drained().await;
    running.metrics = Arc::default();
}

#[tokio::test]
async fn draining_ends_after_its_time_whatever_is_in_flight() {
    let running = start(Options {
        drain_s_max: 0,
        ..options()
    })
    .await;
    let text = "GET /slow HTTP/1.1\r\nhost: a\r\n\r\n";
    let (answer, ()) = tokio::join!(plain(running.address, text), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        running.tasks.stop();
        running.tasks.drained().await;
    });
    assert!(!answer.ends_with("slow"), "{answer}");
}
