//! What stands in front of every handler: authentication, rate limit, cross-site check, authorization,
//! body limit, deadline. A handler runs only behind [`pass`], so none runs without a decision.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State as With};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Shared;
use super::auth::{self, Authorized, Principal};
use super::error::Error;
use super::rate::{Caller, Policy, Verdict};
use super::routes::{Permission, RouteSpec};

/// Address of the other end of the connection; the server puts it on every request.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// The body limit of the route, for the extractors.
#[derive(Clone, Copy, Debug)]
pub(super) struct BodyLimit(pub(super) u64);

/// What the outermost layer writes to our own log.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) spec: &'static RouteSpec,
    pub(super) caller: Option<String>,
    pub(super) peer: Option<IpAddr>,
}

/// A route's spec with what is needed to apply it.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    state: Shared,
    spec: &'static RouteSpec,
}

impl Gate {
    pub(super) fn new(state: &Shared, spec: &'static RouteSpec) -> Self {
        Self {
            state: state.clone(),
            spec,
        }
    }

    fn count(&self, policy: Policy, caller: Caller) -> Result<Verdict, Error> {
        let verdict = self
            .state
            .limiter
            .check(policy, caller, self.state.clock.now());
        if verdict.is_allowed {
            return Ok(verdict);
        }
        self.state.metrics.http_rate_limited.inc();
        Err(Error::RateLimited {
            policy: policy.name(),
            retry_after_s: verdict.wait_s.max(1),
        })
    }

    /// Who is calling. Refused credentials are counted per address.
    async fn principal(&self, headers: &HeaderMap, ip: IpAddr) -> Result<Arc<Principal>, Error> {
        match auth::principal(&self.state, headers).await {
            Err(Error::Unauthenticated) => {
                self.state.metrics.http_denied.inc();
                self.count(Policy::Refused, ip.into())?;
                Err(Error::Unauthenticated)
            }
            other => other,
        }
    }

    /// The decision: either an error, or the request may run.
    async fn decide(&self, request: &mut Request, seen: &mut Seen) -> Result<Verdict, Error> {
        let ip = seen.peer.unwrap_or(IpAddr::from([0, 0, 0, 0]));
        let is_unsafe = !matches!(
            *request.method(),
            Method::GET | Method::HEAD | Method::OPTIONS
        );
        if let Permission::Public(_) = self.spec.permission {
            let verdict = self.count(self.spec.rate, ip.into())?;
            if is_unsafe && auth::is_foreign(request.headers()) {
                return Err(Error::CrossSite);
            }
            return Ok(verdict);
        }
        let principal = self.principal(request.headers(), ip).await?;
        seen.caller = Some(format!("{} ({})", principal.name, principal.id));
        let verdict = self.count(self.spec.rate, Caller::Credential(principal.id.clone()))?;
        if principal.is_session && is_unsafe && !auth::is_same_origin(request.headers()) {
            return Err(Error::CrossSite);
        }
        if let Permission::Scope(scope) = self.spec.permission
            && !principal.may(scope)
        {
            self.state.metrics.http_denied.inc();
            return Err(Error::Forbidden(auth::scope_name(scope)));
        }
        request.extensions_mut().insert(Authorized(principal));
        Ok(verdict)
    }

    async fn run(&self, request: &mut Request, seen: &mut Seen) -> Result<Verdict, Error> {
        let verdict = self.decide(request, seen).await?;
        let bytes_max = self.spec.body_bytes_max;
        let declared = request
            .headers()
            .get(header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if declared.is_some_and(|length| length > bytes_max) {
            return Err(Error::BodyTooLarge { bytes_max });
        }
        request.extensions_mut().insert(BodyLimit(bytes_max));
        Ok(verdict)
    }
}

/// Lets a request through to its handler, or answers it.
pub(super) async fn pass(With(gate): With<Gate>, mut request: Request, next: Next) -> Response {
    let mut seen = Seen {
        spec: gate.spec,
        caller: None,
        peer: request
            .extensions()
            .get::<Peer>()
            .map(|peer| peer.0.ip().to_canonical()),
    };
    let answered = tokio::time::timeout(gate.spec.deadline(), async {
        match gate.run(&mut request, &mut seen).await {
            Ok(verdict) => {
                let mut response = next.run(request).await;
                advertise(&mut response, gate.spec.rate, verdict);
                response
            }
            Err(error) => error.into_response(),
        }
    });
    let mut response = answered
        .await
        .unwrap_or_else(|_elapsed| Error::Deadline.into_response());
    response.extensions_mut().insert(seen);
    response
}

/// The quota of the route, in the headers of draft-ietf-httpapi-ratelimit-headers.
fn advertise(response: &mut Response, policy: Policy, verdict: Verdict) {
    let name = policy.name();
    let quota = format!("\"{name}\";q={};w=60", verdict.limit);
    let left = format!("\"{name}\";r={};t={}", verdict.remaining, verdict.wait_s);
    for (header, text) in [("ratelimit-policy", quota), ("ratelimit", left)] {
        if let Ok(value) = HeaderValue::from_str(&text) {
            response.headers_mut().insert(header, value);
        }
    }
}
