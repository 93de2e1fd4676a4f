//! `POST /api/v1/ingest`: log records over HTTP, in any known format.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::Json as Answer;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wardline_parsers::Format;

use super::admission::{Admission, Refusal};
use super::guard::Declared;
use crate::api::auth::Authorized;
use crate::api::rate::Policy;
use crate::api::routes::{Audit, Param, RouteSpec, Routes, Shape};
use crate::api::{Error, Query};
use crate::clock::{Clock, Stopwatch};
use crate::metrics::Metrics;
use crate::pipeline::{Ack, Payload, Refused};
use crate::store::Scope;

const PATH: &str = "/api/v1/ingest";
/// From the head of a request to its answer: slow senders of large bodies included.
const DEADLINE_S: u64 = 300;
/// Longest name of a source.
const SOURCE_LENGTH_MAX: usize = 64;

const PARAMS: &[Param] = &[
    Param::text(
        "format",
        "Format of the records; `auto` decides record by record.",
    ),
    Param::text(
        "source",
        "Name of the source, `A-Z a-z 0-9 . _ -`; the key's name where missing.",
    ),
];

const fn spec(method: Method, operation_id: &'static str) -> RouteSpec {
    RouteSpec::change(method, PATH, operation_id)
        .summary("Takes log records; the answer comes when they are durable.")
        .scope(Scope::Ingest)
        .rate(Policy::Ingest)
        .audit(Audit::None)
        .params(PARAMS)
        .takes_records(DEADLINE_S)
        .gives(Shape::of::<Accepted>())
}

static POST: RouteSpec = spec(Method::POST, "ingest");
/// Some shippers send PUT and cannot be told otherwise.
static PUT: RouteSpec = spec(Method::PUT, "ingest_put");

/// What was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Accepted {
    /// Events, all of them durable.
    accepted: u64,
    /// Of these, events with a note in `event.notes`: cut, odd or not understood.
    flagged: u64,
}

/// A payload on its way into the log.
pub type Submitting = Pin<Box<dyn Future<Output = Result<Ack, Refused>> + Send>>;

/// Everything the door needs. Cheap to clone.
#[derive(Clone)]
pub struct Door {
    admission: Admission,
    clock: Clock,
    metrics: Arc<Metrics>,
    submit: Arc<dyn Fn(Payload) -> Submitting + Send + Sync>,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Door")
    }
}

impl Door {
    /// A door in front of `submit`, which resolves when the events are durable.
    pub fn new(
        admission: Admission,
        clock: Clock,
        metrics: Arc<Metrics>,
        submit: impl Fn(Payload) -> Submitting + Send + Sync + 'static,
    ) -> Self {
        Self {
            admission,
            clock,
            metrics,
            submit: Arc::new(submit),
        }
    }

    /// Adds its routes.
    pub fn register(self, routes: &mut Routes) {
        for spec in [&POST, &PUT] {
            let door = self.clone();
            let take = move |caller: Authorized, query: Query<Params>, request: Request| {
                let door = door.clone();
                async move { door.answer(caller, query, request).await }
            };
            routes.add(spec, take);
        }
    }

    async fn answer(
        &self,
        caller: Authorized,
        Query(params): Query<Params>,
        request: Request,
    ) -> Result<Answer<Accepted>, Error> {
        let result = self.take(&caller, &params, request).await;
        match &result {
            Ok(_) => self.metrics.ingest_requests.inc(),
            Err(Error::Busy { .. } | Error::PartlyStored { .. }) => {
                self.metrics.ingest_refused.inc();
            }
            Err(_) => self.metrics.ingest_rejected.inc(),
        }
        result.map(Answer)
    }

    async fn take(
        &self,
        caller: &Authorized,
        params: &Params,
        request: Request,
    ) -> Result<Accepted, Error> {
        let format = format(params.format.as_deref())?;
        let source = source(params.source.as_deref(), &caller.0.name)?;
        let declared = declared(request.headers())?;
        let length = length(request.headers());
        let body: Body = request.into_body();
        let received = self.admission.receive(body, declared, length).await;
        let received = received.map_err(|refusal| self.refused(refusal))?;
        if received.bytes.is_empty() {
            return Ok(Accepted::default());
        }
        let watch = Stopwatch::start();
        let payload = Payload {
            source,
            received: self.clock.now(),
            format,
            bytes: received.bytes.into(),
            patience: received.room.patience(),
            room: Some(Box::new(received.room)),
        };
        let ack = (self.submit)(payload).await.map_err(not_taken)?;
        self.metrics.ingest_ack.observe(watch.elapsed());
        Ok(Accepted {
            accepted: ack.accepted,
            flagged: ack.flagged,
        })
    }

    fn refused(&self, refusal: Refusal) -> Error {
        match refusal {
            Refusal::TooLarge { bytes_max } => Error::BodyTooLarge {
                bytes_max: u64::try_from(bytes_max).unwrap_or(u64::MAX),
            },
            Refusal::Corrupt(what) => Error::BodyCorrupt(what),
            Refusal::Nested => Error::EncodingUnsupported,
            Refusal::Incomplete => Error::BodyIncomplete,
            Refusal::Busy => Error::Busy { retry_after_s: 2 },
        }
    }
}

/// The answer says what is in the log, since a sender that repeats the body stores that twice.
fn not_taken(refused: Refused) -> Error {
    let retry_after_s = refused.retry_after_s.into();
    match refused.stored {
        0 => Error::Busy { retry_after_s },
        stored => Error::PartlyStored {
            stored,
            retry_after_s,
        },
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    format: Option<String>,
    source: Option<String>,
}

fn format(name: Option<&str>) -> Result<Format, Error> {
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        return Ok(Format::Auto);
    };
    Format::from_name(name).ok_or_else(|| {
        let names: Vec<_> = Format::ALL.iter().map(|format| format.name()).collect();
        Error::ParameterInvalid(format!("format: expected one of {}", names.join(", ")))
    })
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

/// The source a sender names, or the name of its key with odd characters replaced.
fn source(given: Option<&str>, key: &str) -> Result<Arc<str>, Error> {
    let Some(given) = given.filter(|given| !given.is_empty()) else {
        let name = key.bytes().take(SOURCE_LENGTH_MAX);
        let name: String = name
            .map(|byte| char::from(if is_plain(byte) { byte } else { b'_' }))
            .collect();
        return Ok(name.into());
    };
    if given.len() <= SOURCE_LENGTH_MAX && given.bytes().all(is_plain) {
        return Ok(given.into());
    }
    let expected = "source: expected at most 64 of A-Z a-z 0-9 . _ -";
    Err(Error::ParameterInvalid(expected.into()))
}

fn declared(headers: &HeaderMap) -> Result<Declared, Error> {
    // Several headers mean what one with commas does (RFC 9110 §5.3).
    let values: Vec<&str> = headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .map(|value| value.to_str().unwrap_or("?"))
        .collect();
    Declared::from_header(&values.join(",")).ok_or(Error::EncodingUnsupported)
}

fn length(headers: &HeaderMap) -> Option<usize> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_named_plainly_or_after_its_key() {
        assert_eq!(&*source(None, "shop key/1").unwrap(), "shop_key_1");
        assert_eq!(&*source(Some(""), "shop").unwrap(), "shop");
        assert_eq!(&*source(Some("a.B_c-9"), "shop").unwrap(), "a.B_c-9");
        assert!(source(Some("a b"), "shop").is_err());
        assert!(source(Some(&"a".repeat(65)), "shop").is_err());
    }

    #[test]
    fn an_unknown_format_names_the_known_ones() {
        let Err(Error::ParameterInvalid(text)) = format(Some("xml")) else {
            panic!("not refused");
        };
        assert!(text.contains("auto, json, ecs"), "{text}");
        assert_eq!(format(None).unwrap(), Format::Auto);
    }
}
