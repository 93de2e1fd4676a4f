//! What every response has, what no response has, and that the description is the registry.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};

use super::{House, Plan, request};
use crate::api::routes::RouteSpec;
use crate::store::Scope;

static BOOM: RouteSpec = RouteSpec::get("/boom", "boom").public("a test");

async fn boom() -> &'static str {
    panic!("secret-internals at /etc/somewhere")
}

async fn bare(house: &House, method: Method, path: &str) -> super::Answer {
    house.send(request(method, path, &[], Body::empty())).await
}

#[tokio::test]
async fn the_description_is_the_registry() {
    let house = House::new();
    let document = bare(&house, Method::GET, "/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let mut described = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            described.insert((method.to_uppercase(), path.clone()));
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()));
            assert!(!operation["summary"].as_str().unwrap().is_empty());
            assert!(operation["responses"]["default"].is_object());
        }
    }
    let registered: BTreeSet<_> = house
        .specs
        .iter()
        .map(|spec| (spec.method.to_string(), spec.path.to_owned()))
        .collect();
    assert_eq!(described, registered);
}

#[tokio::test]
async fn every_reference_of_the_description_leads_somewhere() {
    let house = House::new();
    let document = bare(&house, Method::GET, "/openapi.json").await.json();
    let mut open = vec![&document];
    while let Some(value) = open.pop() {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
        match value {
            Value::Object(map) => open.extend(map.values()),
            Value::Array(list) => open.extend(list),
            _ => {}
        }
    }
}

#[tokio::test]
async fn inputs_are_closed_schemas() {
    let house = House::new();
    let document = bare(&house, Method::GET, "/openapi.json").await.json();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        if name.ends_with("Input") && schema["type"] == "object" {
            assert_eq!(schema["additionalProperties"], json!(false), "{name}");
        }
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let house = House::new();
    let missing = [
        "/api/v1/nothing",
        "/api",
        "/api/v2/search",
        "/nope.js",
        "/assets/nope.js",
    ];
    for path in missing {
        bare(&house, Method::GET, path)
            .await
            .is_problem(404, "not_found");
    }
    bare(&house, Method::POST, "/nope")
        .await
        .is_problem(404, "not_found");
    for method in ["DELETE", "OPTIONS", "TRACE", "PATCH", "BREW"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let answer = bare(&house, method, "/api/v1/search").await;
        answer.is_problem(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), "POST");
    }
}

#[tokio::test]
async fn a_panic_is_a_problem_without_internals() {
    let house = House::of(Plan::default(), |routes| routes.add(&BOOM, boom));
    let answer = bare(&house, Method::GET, "/boom").await;
    answer.is_problem(500, "internal");
    assert!(!String::from_utf8_lossy(&answer.body).contains("internals"));
    assert_eq!(bare(&house, Method::GET, "/healthz").await.status, 200);
}

#[tokio::test]
async fn every_response_is_dressed() {
    let house = House::of(
        Plan {
            is_tls: true,
            ..Plan::default()
        },
        |_| {},
    );
    let key = house.key(&[Scope::Admin]);
    for path in [
        "/healthz",
        "/api/v1/status",
        "/api/v1/nothing",
        "/openapi.json",
        "/metrics",
    ] {
        let answer = house.get(path, &key).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        let policy = answer.header("content-security-policy");
        assert_eq!(policy, "default-src 'none'; sandbox", "{path}");
        assert!(
            answer
                .header("strict-transport-security")
                .starts_with("max-age=")
        );
        assert_eq!(answer.header("server"), "");
        assert_eq!(answer.header("x-request-id").len(), 32, "{path}");
    }
}

#[tokio::test]
async fn a_harmless_request_id_is_kept_and_any_other_replaced() {
    let house = House::new();
    let check = async |given: &str, is_kept: bool| {
        let headers = [("x-request-id", given)];
        let answer = house
            .send(request(Method::GET, "/healthz", &headers, Body::empty()))
            .await;
        assert_eq!(answer.header("x-request-id") == given, is_kept, "{given}");
    };
    check("abc-123_X.y", true).await;
    check("a b", false).await;
    check(&"a".repeat(129), false).await;
}

#[tokio::test]
async fn json_is_read_against_its_schema() {
    let house = House::new();
    let key = house.key(&[Scope::Admin]);
    let send = async |body: &str, media_type: &str| {
        let headers = [("x-api-key", key.as_str()), ("content-type", media_type)];
        let body = Body::from(body.to_owned());
        house
            .send(request(Method::POST, "/api/v1/search", &headers, body))
            .await
    };
    let json = "application/json; charset=utf-8";
    send("{", json).await.is_problem(400, "json_invalid");
    send("[1]", json).await.is_problem(422, "input_invalid");
    send("{}", "text/xml")
        .await
        .is_problem(415, "media_type_unsupported");
    let problem = send(r#"{"querry":"a"}"#, json)
        .await
        .is_problem(422, "input_invalid");
    assert_eq!(problem["errors"][0]["pointer"], "/querry");
    assert_eq!(problem["errors"][0]["code"], "unknown_field");
    let problem = send(r#"{"limit":1001}"#, json)
        .await
        .is_problem(422, "input_invalid");
    assert_eq!(problem["errors"][0]["pointer"], "/limit");
    let large = format!(r#"{{"query":"{}"}}"#, "a".repeat(70_000));
    send(&large, json).await.is_problem(413, "body_too_large");
    let deep = "[".repeat(10_000);
    send(&deep, json).await.is_problem(400, "json_invalid");
    assert_eq!(send("{}", json).await.status, 200);
    assert_eq!(
        send("", "application/x-www-form-urlencoded").await.status,
        200
    );
}

#[tokio::test]
async fn query_parameters_are_read_against_their_schema() {
    let house = House::new();
    let key = house.key(&[Scope::Admin]);
    for path in [
        "?limit=x",
        "?limit=0",
        "?limit=1001",
        "?status=odd",
        "?other=1",
    ] {
        let answer = house.get(&format!("/api/v1/alerts{path}"), &key).await;
        answer.is_problem(422, "input_invalid");
    }
    assert_eq!(
        house
            .get("/api/v1/alerts?status=open,closed&limit=5", &key)
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn probes_and_metrics_answer_without_a_key() {
    let house = House::new();
    assert_eq!(
        bare(&house, Method::GET, "/healthz").await.json()["status"],
        "ok"
    );
    assert_eq!(
        bare(&house, Method::GET, "/readyz").await.json()["status"],
        "ok"
    );
    assert_eq!(bare(&house, Method::HEAD, "/healthz").await.status, 200);
    let metrics = bare(&house, Method::GET, "/metrics").await;
    assert!(
        String::from_utf8(metrics.body)
            .unwrap()
            .contains("wardline_http_requests_total")
    );
}

#[tokio::test]
async fn slashes_too_many_are_forgiven() {
    let house = House::new();
    let key = house.key(&[Scope::Ingest]);
    let answer = house
        .post("//api/v1//ingest/?source=a", &key, Value::Null)
        .await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn pages_come_by_their_own_address_and_under_their_own_policy() {
    let house = House::new();
    let accept = [("accept", "text/html,*/*")];
    let get = async |path: &str| {
        house
            .send(request(Method::GET, path, &accept, Body::empty()))
            .await
    };
    for path in ["/", "/search", "/alerts/alt_1"] {
        let page = get(path).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(
            page.header("content-type").starts_with("text/html"),
            "{path}"
        );
        let policy = page.header("content-security-policy");
        assert!(
            policy.contains("require-trusted-types-for 'script'"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(page.header("cross-origin-opener-policy"), "same-origin");
        assert_eq!(page.header("vary"), "Accept-Encoding");
        assert!(page.header("cache-control").starts_with("no-"));
        let headers = [
            ("accept", "text/html"),
            ("if-none-match", page.header("etag")),
        ];
        let again = house
            .send(request(Method::GET, path, &headers, Body::empty()))
            .await;
        assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
    }
    for path in ["/api/v1/nope", "/assets/nope.js", "/nope.css"] {
        get(path).await.is_problem(404, "not_found");
    }
}
