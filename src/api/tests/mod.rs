//! The real router over temporary stores; only the pipeline behind the ingest door is a stand-in that
//! counts lines.

mod access;
mod ingest;
mod nouns;
mod serve;
mod shape;
mod tail;

use std::sync::{Arc, Mutex, OnceLock};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use super::key::{self, NewKey};
use super::routes::{RouteSpec, Routes};
use super::{Options, State, build};
use crate::clock::Clock;
use crate::detect::RulesHandle;
use crate::index::Index;
use crate::ingest::http::Door;
use crate::ingest::{Admission, Options as DoorOptions};
use crate::metrics::Metrics;
use crate::model::{Offset, Timestamp};
use crate::pipeline::{Ack, Payload, Refused};
use crate::redact::{Redactor, TagKey};
use crate::store::{Scope, Store};
use crate::tasks::Tasks;
use crate::wal::Wal;

/// 2026-11-21 12:00 UTC.
pub(super) const NOON: Timestamp = Timestamp(1_795_262_400_000_000_000);

/// A server's inside, without a socket.
pub(super) struct House {
    pub(super) router: Router,
    pub(super) specs: Vec<&'static RouteSpec>,
    pub(super) store: Store,
    pub(super) wal: Wal,
    pub(super) clock: Clock,
    pub(super) metrics: Arc<Metrics>,
    pub(super) tasks: Tasks,
    pub(super) payloads: Arc<Mutex<Vec<Payload>>>,
    pub(super) state: State,
    dir: tempfile::TempDir,
}

/// One for all: building it takes a while without optimization.
fn redactor() -> Arc<Redactor> {
    static SHARED: OnceLock<Arc<Redactor>> = OnceLock::new();
    let make = || {
        Arc::new(Redactor::new(
            Default::default(),
            TagKey::from_bytes(&[7; 32]),
        ))
    };
    SHARED.get_or_init(make).clone()
}

/// How a house differs from the usual one.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) options: Options,
    pub(super) door: DoorOptions,
    pub(super) is_tls: bool,
    pub(super) is_busy: bool,
    /// What a busy pipeline has stored of a body.
    pub(super) stored: u64,
}

impl Drop for House {
    fn drop(&mut self) {
        self.wal.close();
        self.tasks.stop();
    }
}

/// Takes a payload in, every line as an event.
fn keep(kept: &Mutex<Vec<Payload>>, payload: Payload) -> Ack {
    let lines = payload.bytes.split(|byte| *byte == b'\n');
    let accepted = lines.filter(|line| !line.is_empty()).count() as u64;
    kept.lock().unwrap().push(Payload {
        room: None,
        ..payload
    });
    Ack {
        accepted,
        flagged: 0,
        first: Offset(0),
    }
}

impl House {
    pub(super) fn new() -> Self {
        Self::of(Plan::default(), |_routes| {})
    }

    pub(super) fn of(plan: Plan, more: impl FnOnce(&mut Routes)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (clock, tasks) = (Clock::manual(NOON), Tasks::new());
        let metrics = Arc::new(Metrics::default());
        let counted = || (clock.clone(), metrics.clone());
        let (time, counters) = counted();
        let store = Store::open(
            &dir.path().join("store"),
            Default::default(),
            time,
            counters,
        );
        let (time, counters) = counted();
        let wal = Wal::open(dir.path(), Default::default(), time, counters).unwrap();
        wal.start(&tasks).unwrap();
        let (time, counters) = counted();
        let index = Index::open(dir.path(), Default::default(), wal.clone(), time, counters);
        let store = store.unwrap();
        let state = State {
            options: plan.options,
            is_tls: plan.is_tls,
            clock: clock.clone(),
            tasks: tasks.clone(),
            metrics: metrics.clone(),
            data_dir: dir.path().to_owned(),
            wal: wal.clone(),
            receipts: Arc::new(crate::wal::Receipts::open(dir.path()).unwrap()),
            searcher: index.unwrap().searcher(),
            store: store.clone(),
            rules: RulesHandle::default(),
            detector: None,
            redactor: redactor(),
            notifier: None,
        };
        let payloads = Arc::<Mutex<Vec<Payload>>>::default();
        let refused = plan.is_busy.then_some(Refused {
            retry_after_s: 7,
            stored: plan.stored,
        });
        let admission = Admission::new(plan.door, metrics.clone());
        let kept = payloads.clone();
        let door = Door::new(admission, clock.clone(), metrics.clone(), move |payload| {
            let answer = match refused {
                Some(refused) => Err(refused),
                None => Ok(keep(&kept, payload)),
            };
            Box::pin(async move { answer })
        });
        let (router, specs) = build(state.clone(), |routes| {
            door.register(routes);
            more(routes);
        });
        Self {
            router,
            specs,
            store,
            wal,
            clock,
            metrics,
            tasks,
            payloads,
            state,
            dir,
        }
    }

    pub(super) fn store_dir(&self) -> std::path::PathBuf {
        self.dir.path().join("store")
    }

    /// A new key with these scopes.
    pub(super) fn key(&self, scopes: &[Scope]) -> String {
        self.key_for(scopes, 90).0
    }

    /// A new key and its id.
    pub(super) fn key_for(&self, scopes: &[Scope], days: u32) -> (String, String) {
        let new = NewKey {
            name: "tester",
            scopes,
            created_by: "test",
            now: self.clock.now(),
            days,
        };
        let (text, record) = key::mint(&new).unwrap();
        self.store.add_api_key(&record).unwrap();
        (text.expose().to_owned(), record.id)
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Answer {
        let response: Response<Body> = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        // A stream of events does not end by itself.
        let is_stream = head.headers.get("content-type");
        let body = if is_stream.is_some_and(|kind| kind == "text/event-stream") {
            Vec::new()
        } else {
            body.collect().await.unwrap().to_bytes().to_vec()
        };
        Answer {
            status: head.status,
            headers: head.headers,
            body,
        }
    }

    /// A request with a key and a JSON body (none where it is null).
    pub(super) async fn call(&self, method: Method, path: &str, key: &str, body: Value) -> Answer {
        let body = if body.is_null() {
            Body::empty()
        } else {
            Body::from(body.to_string())
        };
        self.send(request(
            method,
            path,
            &[("authorization", &format!("Bearer {key}"))],
            body,
        ))
        .await
    }

    pub(super) async fn get(&self, path: &str, key: &str) -> Answer {
        self.call(Method::GET, path, key, Value::Null).await
    }

    pub(super) async fn post(&self, path: &str, key: &str, body: Value) -> Answer {
        self.call(Method::POST, path, key, body).await
    }
}

pub(super) fn request(
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Body,
) -> Request<Body> {
    let mut builder = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(body).unwrap()
}

/// A response with its body read.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!(
                "{error}: {} {}",
                self.status,
                String::from_utf8_lossy(&self.body)
            )
        })
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// Asserts status and problem code; every problem has the same form.
    pub(super) fn is_problem(&self, status: u16, code: &str) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status.as_u16(), status, "{text}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["code"], code, "{text}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], format!("urn:wardline:problem:{code}"));
        assert_eq!(problem["correlation_id"], self.header("x-request-id"));
        problem
    }
}
