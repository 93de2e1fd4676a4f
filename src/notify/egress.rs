//! The only HTTP client of the product. Towards receivers of webhooks it trusts nothing: every address a name
//! resolves to is vetted and the connection goes to one of those, redirects and proxies do not exist, times
//! and sizes are bounded. Towards a Wardline server ([`ApiClient`]) it serves the command line.

use std::error::Error as StdError;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use super::Options;
use super::address::may_reach;
use crate::clock::Stopwatch;
use crate::model::Cidr;

const URL_BYTES_MAX: usize = 2_048;
const DNS_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For what follows the answer's head, which already says how it went.
const BODY_TIMEOUT: Duration = Duration::from_secs(3);

/// Why there was no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The address is not a usable URL.
    #[error(
        "the address is not a URL with a host, at most 2048 bytes, without user name or fragment"
    )]
    BadUrl,
    /// Plain HTTP, where that is not allowed.
    #[error("the address must start with https://")]
    Insecure,
    /// A port outside `Options::ports`.
    #[error("the port is not allowed")]
    BlockedPort,
    /// The name resolves to an address that is not public, or the address is one.
    #[error("the address is not public; an operator can allow it with notify.allow_private_cidrs")]
    BlockedIp,
    /// The name does not resolve.
    #[error("the name cannot be resolved")]
    Dns,
    /// Nobody listens there.
    #[error("no connection")]
    Connect,
    /// No secure connection: certificate, name or protocol.
    #[error("no secure connection: the certificate or the protocol was refused")]
    Tls,
    /// Too slow.
    #[error("no answer in time")]
    Timeout,
    /// The connection broke, or what came was not HTTP.
    #[error("the connection broke")]
    Broken,
    /// The answer is larger than the caller wants.
    #[error("the answer is too large")]
    TooLarge,
    /// A key would travel unprotected.
    #[error("a key is sent over https:// or to this machine only")]
    KeyInClear,
    /// The TLS library or its trusted certificates could not be loaded.
    #[error("trusted certificates cannot be loaded")]
    Setup,
}

impl Failure {
    /// The code in delivery logs and metrics.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::BadUrl => "bad_url",
            Self::Insecure => "insecure",
            Self::BlockedPort => "blocked_port",
            Self::BlockedIp => "blocked_ip",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Broken => "broken",
            Self::TooLarge => "too_large",
            Self::KeyInClear => "key_in_clear",
            Self::Setup => "setup",
        }
    }

    /// Whether trying again cannot help.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(
            self,
            Self::BadUrl | Self::Insecure | Self::BlockedPort | Self::BlockedIp
        )
    }
}

/// What a receiver answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The `Retry-After` header.
    pub retry_after: Option<String>,
    /// The beginning of the body, at most `Options::response_bytes_max`.
    pub head: Bytes,
}

/// A message on its way out.
#[derive(Clone, Debug)]
pub struct Post {
    /// Where to.
    pub url: String,
    /// Its headers.
    pub headers: Vec<(&'static str, String)>,
    /// Its body.
    pub body: Bytes,
}

/// The client towards receivers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Egress {
    client: reqwest::Client,
    options: Arc<Options>,
}

impl Egress {
    /// Builds the client.
    ///
    /// # Errors
    /// [`Failure::Setup`].
    pub fn new(options: Arc<Options>) -> Result<Self, Failure> {
        let vetting = Vetting {
            allowed: options.allow_private_cidrs.clone(),
        };
        let client = strict(options.ca_pem.as_deref())?
            .dns_resolver(Arc::new(vetting))
            // A new connection for each message: its address is vetted now, not when the last one went.
            .pool_max_idle_per_host(0)
            .timeout(Duration::from_millis(options.timeout_ms))
            .build()
            .map_err(|_error| Failure::Setup)?;
        Ok(Self { client, options })
    }

    /// Checks an address as far as that is possible without resolving its name.
    ///
    /// # Errors
    /// [`Failure::BadUrl`], [`Failure::Insecure`], [`Failure::BlockedPort`], [`Failure::BlockedIp`].
    pub fn check_url(&self, text: &str) -> Result<Url, Failure> {
        check_url(text, &self.options)
    }

    /// Sends a message and returns the head of the answer.
    ///
    /// # Errors
    /// Any [`Failure`] but the last three.
    pub async fn post(&self, post: Post) -> Result<Answer, Failure> {
        let url = self.check_url(&post.url)?;
        let mut request = self.client.post(url).body(post.body);
        for (name, value) in post.headers {
            request = request.header(name, value);
        }
        let mut response = request.send().await.map_err(|error| failure(&error))?;
        let status = response.status().as_u16();
        let retry_after = header(&response, "retry-after");
        let max = self.options.response_bytes_max;
        let started = Stopwatch::start();
        let mut head = Vec::new();
        while head.len() < max {
            let left = BODY_TIMEOUT.saturating_sub(started.elapsed());
            // Whatever goes wrong now, the status has been said.
            let Ok(Ok(Some(chunk))) = tokio::time::timeout(left, response.chunk()).await else {
                break;
            };
            let take = chunk.len().min(max.saturating_sub(head.len()));
            head.extend_from_slice(chunk.get(..take).unwrap_or_default());
        }
        Ok(Answer {
            status,
            retry_after,
            head: head.into(),
        })
    }
}

fn check_url(text: &str, options: &Options) -> Result<Url, Failure> {
    if text.len() > URL_BYTES_MAX {
        return Err(Failure::BadUrl);
    }
    let url = Url::parse(text).map_err(|_error| Failure::BadUrl)?;
    let is_plain =
        url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    match url.scheme() {
        "https" => {}
        "http" if options.allow_insecure => {}
        "http" => return Err(Failure::Insecure),
        _ => return Err(Failure::BadUrl),
    }
    let port = url.port_or_known_default().ok_or(Failure::BadUrl)?;
    if !options.ports.is_empty() && !options.ports.contains(&port) {
        return Err(Failure::BlockedPort);
    }
    // The resolver is not asked about addresses, so they are vetted here.
    let literal = match url.host() {
        _ if !is_plain => return Err(Failure::BadUrl),
        None | Some(Host::Domain("")) => return Err(Failure::BadUrl),
        Some(Host::Domain(_)) => return Ok(url),
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => IpAddr::V6(address),
    };
    if may_reach(literal, &options.allow_private_cidrs) {
        Ok(url)
    } else {
        Err(Failure::BlockedIp)
    }
}

/// No redirects, no proxies, no cookies, nothing decompressed.
fn strict(ca_pem: Option<&str>) -> Result<reqwest::ClientBuilder, Failure> {
    let mut builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .user_agent(concat!("Wardline/", env!("CARGO_PKG_VERSION")));
    if let Some(pem) = ca_pem {
        let roots = reqwest::Certificate::from_pem_bundle(pem.as_bytes());
        builder = builder.tls_certs_merge(roots.map_err(|_error| Failure::Setup)?);
    }
    Ok(builder)
}

/// Resolves names, all of whose addresses must be allowed: one that is not, beside one that is, is how DNS
/// rebinding begins.
struct Vetting {
    allowed: Vec<Cidr>,
}

impl Resolve for Vetting {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = self.allowed.clone();
        Box::pin(async move {
            let lookup = tokio::net::lookup_host((name.as_str(), 0));
            let found = tokio::time::timeout(DNS_TIMEOUT, lookup).await;
            let found: Vec<SocketAddr> = match found {
                Ok(Ok(found)) => found.collect(),
                Ok(Err(_)) | Err(_) => return Err(Failure::Dns.into()),
            };
            vet(&found, &allowed)?;
            let found: Addrs = Box::new(found.into_iter());
            Ok(found)
        })
    }
}

fn vet(found: &[SocketAddr], allowed: &[Cidr]) -> Result<(), Failure> {
    if found.is_empty() {
        return Err(Failure::Dns);
    }
    let is_fine = found.iter().all(|address| may_reach(address.ip(), allowed));
    if is_fine {
        Ok(())
    } else {
        Err(Failure::BlockedIp)
    }
}

/// What a library error comes down to.
fn failure(error: &reqwest::Error) -> Failure {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(inner) = cause {
        if let Some(failure) = inner.downcast_ref::<Failure>() {
            return *failure;
        }
        if inner.is::<rustls::Error>() {
            return Failure::Tls;
        }
        // The source of an I/O error is the source of the error inside it, not that error itself.
        cause = match inner
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
        {
            Some(boxed) => Some(boxed),
            None => inner.source(),
        };
    }
    match () {
        () if error.is_timeout() => Failure::Timeout,
        () if error.is_connect() => Failure::Connect,
        () if error.is_builder() => Failure::BadUrl,
        () => Failure::Broken,
    }
}

fn header(response: &reqwest::Response, name: &str) -> Option<String> {
    Some(response.headers().get(name)?.to_str().ok()?.to_owned())
}

/// The command line's client towards a Wardline server.
#[derive(Clone)]
pub struct ApiClient {
    client: reqwest::Client,
    base: Url,
    key: Option<zeroize::Zeroizing<String>>,
}

/// An answer of a Wardline server, its body not read yet.
pub struct ApiAnswer(reqwest::Response);

impl ApiClient {
    /// A client for the server at `base`, such as `http://127.0.0.1:8321`, with its key and, where its
    /// certificate is not publicly trusted, the authority's certificate.
    ///
    /// # Errors
    /// [`Failure::BadUrl`], [`Failure::Setup`]; [`Failure::KeyInClear`] for a key over plain HTTP to another machine.
    pub fn new(base: &str, key: Option<&str>, ca_pem: Option<&str>) -> Result<Self, Failure> {
        let base = Url::parse(base).map_err(|_error| Failure::BadUrl)?;
        let is_here = match base.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => return Err(Failure::BadUrl),
        };
        if key.is_some() && base.scheme() != "https" && !is_here {
            return Err(Failure::KeyInClear);
        }
        let client = strict(ca_pem)?.build().map_err(|_error| Failure::Setup)?;
        let key = key.map(|key| zeroize::Zeroizing::new(key.trim().to_owned()));
        Ok(Self { client, base, key })
    }

    /// Sends a request; `path` begins with a slash and may hold a query. Waits up to `timeout` for the whole
    /// answer, or without end where `None` (a live tail).
    ///
    /// # Errors
    /// [`Failure`] where there is no answer; any status is an answer.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
        timeout: Option<Duration>,
    ) -> Result<ApiAnswer, Failure> {
        let url = self.base.join(path).map_err(|_error| Failure::BadUrl)?;
        let method: reqwest::Method = method.parse().map_err(|_error| Failure::BadUrl)?;
        let mut request = self.client.request(method, url).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(key) = &self.key {
            request = request.bearer_auth(key.as_str());
        }
        if let Some(timeout) = timeout {
            request = request.timeout(timeout);
        }
        request
            .send()
            .await
            .map(ApiAnswer)
            .map_err(|error| failure(&error))
    }
}

impl ApiAnswer {
    /// The status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.0.status().as_u16()
    }

    /// A header, where it is there and text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        header(&self.0, name)
    }

    /// The next piece of the body; `None` at its end.
    ///
    /// # Errors
    /// [`Failure`] where the connection breaks.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        self.0.chunk().await.map_err(|error| failure(&error))
    }

    /// The whole body, at most `bytes_max` of it.
    ///
    /// # Errors
    /// [`Failure::TooLarge`], or where the connection breaks.
    pub async fn bytes(mut self, bytes_max: usize) -> Result<Bytes, Failure> {
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if body.len().saturating_add(chunk.len()) > bytes_max {
                return Err(Failure::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_refused_however_they_are_written() {
        let options = Options::default();
        let check = |text: &str| check_url(text, &options).map(drop);
        let blocked = "https://127.0.0.1/ https://2130706433/ https://0x7f.1/ https://0177.0.0.1/ \
            https://[::1]/ https://[::ffff:127.0.0.1]/ https://[::ffff:7f00:1]/ https://10.1.2.3:8443/ \
            https://169.254.169.254/latest/meta-data https://[64:ff9b::a9fe:a9fe]/ https://0/";
        for text in blocked.split_whitespace() {
            assert_eq!(check(text), Err(Failure::BlockedIp), "{text}");
        }
        let bad = "ftp://example.com/ file:///etc/passwd gopher://example.com/ example.com \
            https://user@example.com/ https://user:pass@example.com/ https://example.com/#part https://";
        for text in bad.split_whitespace() {
            assert_eq!(check(text), Err(Failure::BadUrl), "{text}");
        }
        assert_eq!(check("http://example.com/"), Err(Failure::Insecure));
        assert_eq!(
            check(&format!("https://example.com/{}", "a".repeat(2_048))),
            Err(Failure::BadUrl)
        );
        assert_eq!(check("https://example.com:9443/hook?x=1"), Ok(()));
        assert_eq!(check("https://1.1.1.1/"), Ok(()));
        let options = Options {
            ports: vec![443],
            ..Options::default()
        };
        assert_eq!(
            check_url("https://example.com:9443/", &options).map(drop),
            Err(Failure::BlockedPort)
        );
    }

    #[test]
    fn one_forbidden_address_among_many_refuses_the_name() {
        let address = |text: &str| -> SocketAddr { text.parse().unwrap() };
        let public = [address("1.1.1.1:0"), address("[2606:4700::1111]:0")];
        assert_eq!(vet(&public, &[]), Ok(()));
        assert_eq!(
            vet(&[public[0], address("[::1]:0")], &[]),
            Err(Failure::BlockedIp)
        );
        assert_eq!(
            vet(&[address("10.0.0.1:0"), public[1]], &[]),
            Err(Failure::BlockedIp)
        );
        assert_eq!(vet(&[], &[]), Err(Failure::Dns));
    }

    #[test]
    fn a_key_does_not_leave_this_machine_in_the_clear() {
        let make = |base: &str| ApiClient::new(base, Some("wl_key"), None).map(drop);
        assert_eq!(make("http://siem.example.com"), Err(Failure::KeyInClear));
        assert_eq!(make("http://10.0.0.1:8321"), Err(Failure::KeyInClear));
        assert_eq!(make("http://127.0.0.1:8321"), Ok(()));
        assert_eq!(make("https://siem.example.com"), Ok(()));
        assert!(ApiClient::new("http://siem.example.com", None, None).is_ok());
    }
}
