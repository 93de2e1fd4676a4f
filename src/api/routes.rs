//! The registry: a route exists only through its [`RouteSpec`], and [`Routes::add`] is the only way to
//! add one. Authorization, rate limit, body limit, deadline, audit and `openapi.json` follow from it.

use std::borrow::Cow;
use std::time::Duration;

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, on};
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};

use super::rate::Policy;
use super::{Error, Shared, gate, shell};
use crate::store::Scope;

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// A credential with this scope (or `admin`).
    Scope(Scope),
    /// Any valid credential.
    Valid,
    /// Anybody; the text says why that is right.
    Public(&'static str),
}

/// What our own log says about a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audit {
    /// Counted only.
    None,
    /// Who read what.
    Read,
    /// Who changed what, always.
    Write,
}

/// The schema of a body, from its type.
#[derive(Clone, Copy)]
pub struct Shape {
    /// Its name among the components.
    pub name: fn() -> Cow<'static, str>,
    /// Itself.
    pub schema: fn() -> RefOr<Schema>,
    /// Everything it refers to.
    pub collect: fn(&mut Vec<(String, RefOr<Schema>)>),
}

impl std::fmt::Debug for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&(self.name)())
    }
}

impl Shape {
    /// The shape of a type.
    #[must_use]
    pub const fn of<T: ToSchema>() -> Self {
        Self {
            name: T::name,
            schema: T::schema,
            collect: T::schemas,
        }
    }
}

/// What a request body holds.
#[derive(Clone, Copy, Debug)]
pub enum Input {
    /// Nothing; a body is ignored.
    None,
    /// JSON of this shape.
    Json(Shape),
    /// Log records in any known format.
    Records,
}

/// What a good answer holds.
#[derive(Clone, Copy, Debug)]
pub enum Output {
    /// Nothing (204).
    None,
    /// JSON of this shape.
    Json(u16, Shape),
    /// A body of this media type.
    Raw(&'static str),
}

/// One query parameter.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// What it means.
    pub doc: &'static str,
    /// `string` or `integer`.
    pub kind: &'static str,
}

impl Param {
    /// A parameter that is text.
    #[must_use]
    pub const fn text(name: &'static str, doc: &'static str) -> Self {
        let kind = "string";
        Self { name, doc, kind }
    }

    /// A parameter that is a whole number.
    #[must_use]
    pub const fn integer(name: &'static str, doc: &'static str) -> Self {
        let kind = "integer";
        Self { name, doc, kind }
    }
}

/// Everything there is to know about a route.
#[derive(Clone, Debug)]
pub struct RouteSpec {
    /// Method.
    pub method: Method,
    /// Path with `{parameters}`.
    pub path: &'static str,
    /// Unique name.
    pub operation_id: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Who may call it.
    pub permission: Permission,
    /// Rate limit.
    pub rate: Policy,
    /// Largest body, in bytes.
    pub body_bytes_max: u64,
    /// From the head of the request to the answer, in seconds.
    pub deadline_s: u64,
    /// What our own log says.
    pub audit: Audit,
    /// Query parameters.
    pub params: &'static [Param],
    /// Request body.
    pub input: Input,
    /// Good answer.
    pub output: Output,
}

/// Bodies of JSON routes, in bytes.
const JSON_BYTES_MAX: u64 = 64 * 1024;

impl RouteSpec {
    const fn new(method: Method, path: &'static str, operation_id: &'static str) -> Self {
        Self {
            method,
            path,
            operation_id,
            summary: "",
            permission: Permission::Scope(Scope::Admin),
            rate: Policy::Read,
            body_bytes_max: JSON_BYTES_MAX,
            deadline_s: 30,
            audit: Audit::Read,
            params: &[],
            input: Input::None,
            output: Output::None,
        }
    }

    /// A route that reads. Until told otherwise it asks for the scope `admin`.
    #[must_use]
    pub const fn get(path: &'static str, operation_id: &'static str) -> Self {
        Self::new(Method::GET, path, operation_id)
    }

    /// A route that changes something. Until told otherwise it asks for the scope `admin`.
    #[must_use]
    pub const fn change(method: Method, path: &'static str, operation_id: &'static str) -> Self {
        let mut spec = Self::new(method, path, operation_id);
        spec.rate = Policy::Write;
        spec.audit = Audit::Write;
        spec
    }

    /// With a sentence for people.
    #[must_use]
    pub const fn summary(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    /// For credentials with this scope.
    #[must_use]
    pub const fn scope(mut self, scope: Scope) -> Self {
        self.permission = Permission::Scope(scope);
        self
    }

    /// For any valid credential.
    #[must_use]
    pub const fn valid(mut self) -> Self {
        self.permission = Permission::Valid;
        self
    }

    /// For anybody, because of this.
    #[must_use]
    pub const fn public(mut self, because: &'static str) -> Self {
        self.permission = Permission::Public(because);
        self.rate = Policy::Public;
        self.audit = Audit::None;
        self
    }

    /// Under this limit.
    #[must_use]
    pub const fn rate(mut self, rate: Policy) -> Self {
        self.rate = rate;
        self
    }

    /// With this entry in our own log.
    #[must_use]
    pub const fn audit(mut self, audit: Audit) -> Self {
        self.audit = audit;
        self
    }

    /// With these query parameters.
    #[must_use]
    pub const fn params(mut self, params: &'static [Param]) -> Self {
        self.params = params;
        self
    }

    /// With a body of this shape.
    #[must_use]
    pub const fn takes(mut self, shape: Shape) -> Self {
        self.input = Input::Json(shape);
        self
    }

    /// Answering 200 with this shape.
    #[must_use]
    pub const fn gives(mut self, shape: Shape) -> Self {
        self.output = Output::Json(200, shape);
        self
    }

    /// Answering 201 with this shape.
    #[must_use]
    pub const fn creates(mut self, shape: Shape) -> Self {
        self.output = Output::Json(201, shape);
        self
    }

    /// Answering with a body of this media type.
    #[must_use]
    pub const fn gives_raw(mut self, media_type: &'static str) -> Self {
        self.output = Output::Raw(media_type);
        self
    }

    /// Taking log records, with the bounds the ingest door sets itself.
    #[must_use]
    pub const fn takes_records(mut self, deadline_s: u64) -> Self {
        self.input = Input::Records;
        self.body_bytes_max = u64::MAX;
        self.deadline_s = deadline_s;
        self
    }

    /// With so long to answer, in seconds.
    #[must_use]
    pub const fn within(mut self, seconds: u64) -> Self {
        self.deadline_s = seconds;
        self
    }

    /// The deadline.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        Duration::from_secs(self.deadline_s)
    }
}

/// Routes and their specs while the router is built.
#[derive(Debug)]
pub struct Routes {
    state: Shared,
    router: Router<Shared>,
    specs: Vec<&'static RouteSpec>,
}

impl Routes {
    /// No routes yet.
    #[must_use]
    pub fn new(state: Shared) -> Self {
        Self {
            state,
            router: Router::new(),
            specs: Vec::new(),
        }
    }

    /// Adds a route: the only way there is. The gate in front of the handler applies the spec.
    pub fn add<H, T>(&mut self, spec: &'static RouteSpec, handler: H)
    where
        H: Handler<T, Shared>,
        T: 'static,
    {
        // Every method of a spec is one that axum knows; an unknown one would never match.
        let filter = MethodFilter::try_from(spec.method.clone()).unwrap_or(MethodFilter::CONNECT);
        let guarded = on(filter, handler).route_layer(from_fn_with_state(
            gate::Gate::new(&self.state, spec),
            gate::pass,
        ));
        self.router = std::mem::take(&mut self.router).route(spec.path, guarded);
        self.specs.push(spec);
    }

    /// Adds what answers a path that no route has. It passes the same gate.
    pub fn fallback<H, T>(&mut self, spec: &'static RouteSpec, handler: H)
    where
        H: Handler<T, Shared>,
        T: 'static,
    {
        let guarded = axum::routing::any(handler).layer(from_fn_with_state(
            gate::Gate::new(&self.state, spec),
            gate::pass,
        ));
        self.router = std::mem::take(&mut self.router)
            .fallback_service(guarded.with_state(self.state.clone()));
    }

    /// The specs of all routes added so far.
    #[must_use]
    pub fn specs(&self) -> &[&'static RouteSpec] {
        &self.specs
    }

    /// The router inside its shell. The shell stands outside, so that it also tidies the path before it
    /// is matched.
    pub(super) fn finish(self) -> Router {
        let inner = self
            .router
            .method_not_allowed_fallback(async || Error::MethodNotAllowed)
            .with_state(self.state.clone());
        Router::new()
            .fallback_service(inner)
            .layer(from_fn_with_state(self.state, shell::wrap))
    }
}
