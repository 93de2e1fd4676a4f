//! Certificates: ours is verified like a browser would.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

use bytes::Bytes;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::PrivateKeyDer;

use super::options;
use crate::notify::{Egress, Failure, Options, Post};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Serves one request over TLS with a certificate for `name`; returns the URL.
    fn serve(&self, name: &str, expired: bool) -> String {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        if expired {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        }
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}/", listener.local_addr().unwrap());
        let serve = move || {
            let (stream, _) = listener.accept().unwrap();
            let session = rustls::ServerConnection::new(Arc::new(config)).unwrap();
            let mut stream = rustls::StreamOwned::new(session, stream);
            let mut request = [0u8; 4_096];
            if stream.read(&mut request).is_ok() {
                drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
                drop(stream.flush());
            }
        };
        drop(std::thread::Builder::new().spawn(serve).unwrap());
        url
    }
}

async fn post(url: String, ca_pem: Option<String>) -> Result<u16, Failure> {
    let options = Options {
        ca_pem,
        allow_insecure: false,
        timeout_ms: 5_000,
        ..options()
    };
    let egress = Egress::new(Arc::new(options)).unwrap();
    let post = Post {
        url,
        headers: Vec::new(),
        body: Bytes::from_static(b"{}"),
    };
    egress.post(post).await.map(|answer| answer.status)
}

#[tokio::test]
async fn only_a_valid_certificate_of_a_trusted_authority_is_talked_to() {
    let authority = Authority::new();
    let ours = Some(authority.0.pem());
    assert_eq!(
        post(authority.serve("127.0.0.1", false), ours.clone()).await,
        Ok(200)
    );
    assert_eq!(
        post(authority.serve("127.0.0.1", false), None).await,
        Err(Failure::Tls)
    );
    let other = Some(Authority::new().0.pem());
    assert_eq!(
        post(authority.serve("127.0.0.1", false), other).await,
        Err(Failure::Tls)
    );
    assert_eq!(
        post(authority.serve("127.0.0.2", false), ours.clone()).await,
        Err(Failure::Tls)
    );
    assert_eq!(
        post(authority.serve("127.0.0.1", true), ours).await,
        Err(Failure::Tls)
    );
}
