//! `openapi.json` (3.1), written from the registry: paths from the specs, schemas from the types.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use utoipa::openapi::{RefOr, Schema};

use super::auth::scope_name;
use super::error::Problem;
use super::rate::Limits;
use super::routes::{Input, Output, Permission, RouteSpec, Shape};

/// The whole document.
pub(super) fn document(specs: &[&'static RouteSpec], limits: &Limits) -> Value {
    let mut shapes = Shapes::default();
    let problem = shapes.reference(Shape::of::<Problem>());
    let mut paths: Map<String, Value> = Map::new();
    for spec in specs {
        let item = paths.entry(spec.path).or_insert_with(|| json!({}));
        if let Some(item) = item.as_object_mut() {
            let method = spec.method.as_str().to_ascii_lowercase();
            item.insert(method, operation(spec, limits, &problem, &mut shapes));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Wardline",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Security log pipeline and alerting for API logs.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": shapes.0,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "bearerFormat": "wl_…"},
                "session": {"type": "apiKey", "in": "cookie", "name": super::auth::COOKIE},
            },
        },
    })
}

/// Schemas by name, each once.
#[derive(Default)]
struct Shapes(BTreeMap<String, RefOr<Schema>>);

impl Shapes {
    fn reference(&mut self, shape: Shape) -> Value {
        let mut found = Vec::new();
        (shape.collect)(&mut found);
        self.0.extend(found);
        let name = (shape.name)().into_owned();
        let reference = json!({"$ref": format!("#/components/schemas/{name}")});
        self.0.entry(name).or_insert_with(shape.schema);
        reference
    }
}

fn operation(spec: &RouteSpec, limits: &Limits, problem: &Value, shapes: &mut Shapes) -> Value {
    let mut operation = json!({
        "operationId": spec.operation_id,
        "summary": spec.summary,
        "tags": [tag(spec.path)],
        "parameters": parameters(spec),
        "responses": responses(spec, problem, shapes),
        "security": security(spec),
        "x-rate-limit": {
            "policy": spec.rate.name(),
            "per_minute": spec.rate.per_minute(limits),
        },
    });
    let permission = match spec.permission {
        Permission::Scope(scope) => json!({"scope": scope_name(scope)}),
        Permission::Valid => json!({"scope": null}),
        Permission::Public(because) => json!({"public": because}),
    };
    if let Some(operation) = operation.as_object_mut() {
        operation.insert("x-permission".into(), permission);
        if let Some(body) = body(spec, shapes) {
            operation.insert("requestBody".into(), body);
        }
    }
    operation
}

fn tag(path: &str) -> &str {
    let rest = path.trim_start_matches("/api/v1").trim_start_matches('/');
    match rest.split('/').next() {
        Some(first) if !first.is_empty() => first,
        _ => "ui",
    }
}

fn parameters(spec: &RouteSpec) -> Vec<Value> {
    let in_path = spec
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| {
            let name = name.trim_start_matches('*');
            json!({"name": name, "in": "path", "required": true,
                "schema": {"type": "string", "maxLength": 512}})
        });
    let in_query = spec.params.iter().map(|param| {
        let schema = match param.kind {
            "integer" => json!({"type": "integer", "minimum": 0}),
            kind => json!({"type": kind, "maxLength": 8192}),
        };
        json!({"name": param.name, "in": "query", "required": false,
            "description": param.doc, "schema": schema})
    });
    in_path.chain(in_query).collect()
}

fn body(spec: &RouteSpec, shapes: &mut Shapes) -> Option<Value> {
    match spec.input {
        Input::None => None,
        Input::Json(shape) => Some(json!({
            "required": true,
            "content": {"application/json": {"schema": shapes.reference(shape)}},
        })),
        Input::Records => Some(json!({
            "required": true,
            "content": {
                "application/x-ndjson": {"schema": {"type": "string"}},
                "application/json": {"schema": {}},
                "text/plain": {"schema": {"type": "string"}},
            },
        })),
    }
}

fn responses(spec: &RouteSpec, problem: &Value, shapes: &mut Shapes) -> Value {
    let (status, good) = match spec.output {
        Output::None => (204, json!({"description": "Done."})),
        Output::Json(status, shape) => {
            let schema = shapes.reference(shape);
            let content = json!({"application/json": {"schema": schema}});
            (status, json!({"description": "Done.", "content": content}))
        }
        Output::Raw(media_type) => {
            let content = json!({media_type: {"schema": {"type": "string"}}});
            (200, json!({"description": "Done.", "content": content}))
        }
    };
    let refused = json!({
        "description": "Refused; the body says why.",
        "content": {"application/problem+json": {"schema": problem}},
    });
    json!({status.to_string(): good, "default": refused})
}

fn security(spec: &RouteSpec) -> Value {
    match spec.permission {
        Permission::Public(_) => json!([]),
        Permission::Valid => json!([{"key": []}, {"session": []}]),
        Permission::Scope(scope) => {
            json!([{"key": [scope_name(scope)]}, {"session": [scope_name(scope)]}])
        }
    }
}
