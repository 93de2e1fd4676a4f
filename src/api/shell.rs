//! The outermost layer: correlation id, security headers, caught panics, problem bodies, request log.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use axum::body::Body;
use axum::extract::{Request, State as With};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Shared;
use super::error::{Carried, Error};
use super::gate::Seen;
use super::routes::Audit;
use crate::clock::Stopwatch;

/// The id of one request, in every response, problem and line of our own log.
#[derive(Clone, Debug)]
pub struct RequestId(pub Arc<str>);

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const API_POLICY: &str = "default-src 'none'; sandbox";
const HSTS: &str = "max-age=63072000; includeSubDomains";
const ID_LENGTH_MAX: usize = 128;

/// Wraps every request, whatever becomes of it.
pub(super) async fn wrap(With(state): With<Shared>, mut request: Request, next: Next) -> Response {
    let watch = Stopwatch::start();
    state.metrics.http_requests.inc();
    let id = request_id(request.headers());
    request.extensions_mut().insert(RequestId(id.clone()));
    if let Some(uri) = tidied(request.uri()) {
        *request.uri_mut() = uri;
    }
    let method = request.method().clone();
    let mut response = match caught(next.run(request)).await {
        Ok(response) => response,
        Err(_payload) => Error::internal("a handler panicked").into_response(),
    };
    let seen = response.extensions_mut().remove::<Seen>();
    let carried = response.extensions_mut().remove::<Carried>();
    if let Some(Carried(error)) = &carried {
        fill(&mut response, error, &id, &method);
    }
    dress(response.headers_mut(), &id, state.is_tls);
    record(&response, seen.as_ref(), carried.as_ref(), &id, watch);
    response
}

fn request_id(headers: &HeaderMap) -> Arc<str> {
    let given = headers
        .get(&REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(|text| {
            (1..=ID_LENGTH_MAX).contains(&text.len())
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        });
    match given {
        Some(text) => text.into(),
        None => super::token::random_hex().into(),
    }
}

/// The same address without doubled slashes and without one at the end; `None` where it is tidy.
fn tidied(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    let is_tidy = !path.contains("//") && (path.len() == 1 || !path.ends_with('/'));
    if is_tidy {
        return None;
    }
    let mut text = String::with_capacity(path.len());
    for part in path.split('/').filter(|part| !part.is_empty()) {
        text.push('/');
        text.push_str(part);
    }
    if text.is_empty() {
        text.push('/');
    }
    if let Some(query) = uri.query() {
        text.push('?');
        text.push_str(query);
    }
    text.parse().ok()
}

fn fill(response: &mut Response, error: &Error, id: &str, method: &Method) {
    let problem = error.problem(id);
    let text = serde_json::to_vec(&problem).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(text.len()));
    *response.body_mut() = if method == Method::HEAD {
        Body::empty()
    } else {
        Body::from(text)
    };
}

fn dress(headers: &mut HeaderMap, id: &str, is_tls: bool) {
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert(&REQUEST_ID, value);
    }
    headers.remove(header::SERVER);
    let mut default = |name: HeaderName, value: &'static str| {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    };
    default(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    default(header::CACHE_CONTROL, "no-store");
    default(header::CONTENT_SECURITY_POLICY, API_POLICY);
    default(header::REFERRER_POLICY, "no-referrer");
    default(
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    );
    if is_tls {
        default(header::STRICT_TRANSPORT_SECURITY, HSTS);
    }
}

fn record(
    response: &Response,
    seen: Option<&Seen>,
    carried: Option<&Carried>,
    id: &str,
    watch: Stopwatch,
) {
    let status = response.status().as_u16();
    let took_us = u64::try_from(watch.elapsed().as_micros()).unwrap_or(u64::MAX);
    if let Some(Carried(Error::Internal(cause))) = carried {
        tracing::error!(correlation_id = id, cause, "request failed");
    }
    let Some(seen) = seen else {
        tracing::debug!(correlation_id = id, status, took_us, "request");
        return;
    };
    let (operation, caller) = (seen.spec.operation_id, seen.caller.as_ref());
    let peer = tracing::field::debug(seen.peer);
    if matches!(status, 401 | 403 | 429) {
        tracing::warn!(
            correlation_id = id,
            operation,
            caller,
            peer,
            status,
            "denied"
        );
    } else if seen.spec.audit == Audit::Write {
        tracing::info!(
            correlation_id = id,
            operation,
            caller,
            peer,
            status,
            took_us,
            "change"
        );
    } else {
        tracing::debug!(
            correlation_id = id,
            operation,
            caller,
            peer,
            status,
            took_us,
            "request"
        );
    }
}

/// Runs a future to its end or to its panic.
async fn caught<F: Future>(future: F) -> Result<F::Output, Box<dyn Any + Send>> {
    let mut future = pin!(future);
    std::future::poll_fn(move |context| {
        // After a panic the future is dropped and never polled again, so nothing half-done is seen.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(payload) => Poll::Ready(Err(payload)),
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_harmless_request_ids_are_taken_over() {
        let check = |given: &str, is_taken: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(&REQUEST_ID, HeaderValue::from_str(given).unwrap());
            assert_eq!(&*request_id(&headers) == given, is_taken, "{given}");
        };
        check("a-B_3.x", true);
        check(&"a".repeat(128), true);
        check(&"a".repeat(129), false);
        check("with space", false);
        check("<script>", false);
        check("", false);
    }

    #[test]
    fn doubled_and_trailing_slashes_are_forgiven() {
        let check = |given: &str, expected: Option<&str>| {
            let uri = tidied(&given.parse().unwrap());
            assert_eq!(
                uri.map(|uri| uri.to_string()).as_deref(),
                expected,
                "{given}"
            );
        };
        check("/", None);
        check("/api/v1/ingest?x=//", None);
        check("//api//v1/ingest/?x=/", Some("/api/v1/ingest?x=/"));
        check("//", Some("/"));
    }
}
