//! Every route × every kind of credential, and what a credential is.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{House, Plan, request};
use crate::api::Options;
use crate::api::auth::scope_name;
use crate::api::key;
use crate::api::rate::Limits;
use crate::api::routes::{Permission, RouteSpec};
use crate::api::session::offer_setup;
use crate::store::Scope;

const SCOPES: [Scope; 4] = [Scope::Ingest, Scope::Search, Scope::Alerts, Scope::Admin];

fn generous() -> Plan {
    let rates = Limits {
        refused_per_minute: 100_000,
        write_per_minute: 100_000,
        ..Limits::default()
    };
    let options = Options {
        rates,
        ..Options::default()
    };
    Plan {
        options,
        ..Plan::default()
    }
}

fn path(spec: &RouteSpec) -> String {
    spec.path
        .replace("{id}", "none")
        .replace("{message_id}", "none")
        .replace("{*path}", "none")
}

async fn status(house: &House, spec: &RouteSpec, key: Option<&str>) -> u16 {
    let bearer = key.map(|key| format!("Bearer {key}"));
    let headers: Vec<_> = bearer
        .iter()
        .map(|text| ("authorization", text.as_str()))
        .collect();
    let request = request(spec.method.clone(), &path(spec), &headers, Body::empty());
    house.send(request).await.status.as_u16()
}

#[tokio::test]
async fn every_route_refuses_every_wrong_credential_in_the_same_way() {
    let house = House::of(generous(), |_| {});
    let live = house.key(&SCOPES);
    let mut typo = live.clone();
    let other = if live.as_bytes()[20] == b'A' {
        "B"
    } else {
        "A"
    };
    typo.replace_range(20..21, other);
    let (expired, _) = house.key_for(&SCOPES, 1);
    let (revoked, id) = house.key_for(&SCOPES, 90);
    house.store.revoke_api_key(&id).unwrap();
    house.clock.advance(Duration::from_secs(25 * 3600));
    let unknown = {
        let other = House::new();
        other.key(&SCOPES)
    };
    let wrong = [
        "",
        "garbage",
        "wl_0123456789_x",
        &typo,
        &expired,
        &revoked,
        &unknown,
    ];
    assert!(house.specs.len() > 35, "{}", house.specs.len());
    for spec in &house.specs {
        let is_public = matches!(spec.permission, Permission::Public(_));
        for key in wrong.iter().map(|key| Some(*key)).chain([None]) {
            let status = status(&house, spec, key).await;
            assert_eq!(status == 401, !is_public, "{spec:?} {key:?}");
        }
    }
}

#[tokio::test]
async fn every_route_asks_for_its_scope_and_no_other() {
    let house = House::of(generous(), |_| {});
    for held in SCOPES {
        for spec in &house.specs {
            // A key of its own each time: one of the routes ends sessions, none may end keys.
            let key = house.key(&[held]);
            let status = status(&house, spec, Some(&key)).await;
            let is_refused = match spec.permission {
                Permission::Scope(needed) => held != needed && held != Scope::Admin,
                Permission::Valid | Permission::Public(_) => false,
            };
            assert_ne!(status, 401, "{spec:?} {held:?}");
            assert_eq!(
                status == 403,
                is_refused,
                "{} with {held:?}",
                spec.operation_id
            );
            house.store.revoke_api_key(key.get(3..13).unwrap()).unwrap();
            assert!(status < 500, "{} gives {status}", spec.operation_id);
        }
    }
}

#[tokio::test]
async fn all_failures_have_the_same_body() {
    let house = House::new();
    let (revoked, id) = house.key_for(&SCOPES, 90);
    house.store.revoke_api_key(&id).unwrap();
    let mut bodies = Vec::new();
    for key in ["", "garbage", &revoked] {
        let answer = house.get("/api/v1/fields", key).await;
        let mut problem = answer.is_problem(401, "unauthenticated");
        assert!(answer.header("www-authenticate").starts_with("Bearer"));
        problem["correlation_id"] = Value::Null;
        bodies.push(problem);
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test]
async fn a_key_is_taken_in_every_clients_own_form_and_never_from_the_address() {
    let house = House::new();
    let key = house.key(&[Scope::Search]);
    let coded = |text: String| STANDARD.encode(text);
    let check = async |name: &str, value: String, expected: u16| {
        let headers = [(name, value.as_str())];
        let answer = house
            .send(request(
                Method::GET,
                "/api/v1/fields",
                &headers,
                Body::empty(),
            ))
            .await;
        assert_eq!(answer.status, expected, "{name}: {value}");
    };
    check("authorization", format!("Bearer {key}"), 200).await;
    check("authorization", format!("bearer {key}"), 200).await;
    check("authorization", format!("ApiKey {key}"), 200).await;
    check(
        "authorization",
        format!("ApiKey {}", coded(format!("id:{key}"))),
        200,
    )
    .await;
    check(
        "authorization",
        format!("Basic {}", coded(format!("any:{key}"))),
        200,
    )
    .await;
    check("authorization", format!("Splunk {key}"), 200).await;
    check("x-api-key", key.clone(), 200).await;
    check("dd-api-key", key.clone(), 200).await;
    check("x-amz-firehose-access-key", key.clone(), 200).await;
    check("authorization", format!("Digest {key}"), 401).await;
    check("authorization", key.clone(), 401).await;
    check("cookie", format!("wardline_session={key}"), 401).await;
    for path in [
        format!("/api/v1/fields?token={key}"),
        format!("/api/v1/fields?key={key}"),
    ] {
        let answer = house
            .send(request(Method::GET, &path, &[], Body::empty()))
            .await;
        answer.is_problem(401, "unauthenticated");
    }
}

#[tokio::test]
async fn revocation_counts_from_the_next_request_on_for_its_sessions_too() {
    let house = House::new();
    let admin = house.key(&[Scope::Admin]);
    let (key, id) = house.key_for(&[Scope::Search], 90);
    let opened = house.post("/api/v1/session", "", json!({"key": key})).await;
    let cookie = opened
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let by_cookie = || {
        request(
            Method::GET,
            "/api/v1/fields",
            &[("cookie", &cookie)],
            Body::empty(),
        )
    };
    assert_eq!(house.get("/api/v1/fields", &key).await.status, 200);
    assert_eq!(house.send(by_cookie()).await.status, 200);
    let gone = house
        .call(
            Method::DELETE,
            &format!("/api/v1/keys/{id}"),
            &admin,
            Value::Null,
        )
        .await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    house
        .get("/api/v1/fields", &key)
        .await
        .is_problem(401, "unauthenticated");
    house
        .send(by_cookie())
        .await
        .is_problem(401, "unauthenticated");
}

#[tokio::test]
async fn the_setup_token_opens_one_session_once() {
    let house = House::new();
    let token = offer_setup(&house.store, house.clock.now(), 60).unwrap();
    let body = json!({"token": token.expose()});
    let wrong = house
        .post("/api/v1/session", "", json!({"token": "x"}))
        .await;
    wrong.is_problem(401, "unauthenticated");
    let opened = house.post("/api/v1/session", "", body.clone()).await;
    assert_eq!(opened.status, 200);
    let cookie = opened.header("set-cookie");
    for part in ["wardline_session=", "HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Secure"));
    assert_eq!(opened.json()["scopes"], json!(["admin"]));
    house
        .post("/api/v1/session", "", body)
        .await
        .is_problem(401, "unauthenticated");
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let who = request(
        Method::GET,
        "/api/v1/session",
        &[("cookie", &cookie)],
        Body::empty(),
    );
    assert_eq!(house.send(who).await.json()["name"], "setup");
    house.clock.advance(Duration::from_secs(12 * 3600));
    let who = request(
        Method::GET,
        "/api/v1/session",
        &[("cookie", &cookie)],
        Body::empty(),
    );
    house.send(who).await.is_problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_late_setup_token_opens_nothing() {
    let house = House::new();
    let token = offer_setup(&house.store, house.clock.now(), 60).unwrap();
    house.clock.advance(Duration::from_secs(3601));
    let late = house
        .post("/api/v1/session", "", json!({"token": token.expose()}))
        .await;
    late.is_problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_cookie_changes_something_only_from_our_own_pages() {
    let house = House::of(
        Plan {
            is_tls: true,
            ..Plan::default()
        },
        |_| {},
    );
    let key = house.key(&[Scope::Admin]);
    let opened = house.post("/api/v1/session", "", json!({"key": key})).await;
    assert!(opened.header("set-cookie").contains("; Secure"));
    let cookie = opened
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let check = async |more: &[(&str, &str)], expected: u16| {
        let mut headers = vec![("cookie", cookie.as_str()), ("host", "siem.example")];
        headers.extend_from_slice(more);
        let body = Body::from(json!({"name": "a", "scopes": ["ingest"]}).to_string());
        let answer = house
            .send(request(Method::POST, "/api/v1/keys", &headers, body))
            .await;
        assert_eq!(answer.status, expected, "{more:?}");
    };
    let ours = ("x-wardline-csrf", "1");
    check(&[ours, ("sec-fetch-site", "same-origin")], 201).await;
    check(&[ours, ("origin", "https://siem.example")], 201).await;
    check(&[ours], 403).await;
    check(&[("sec-fetch-site", "same-origin")], 403).await;
    check(&[ours, ("sec-fetch-site", "cross-site")], 403).await;
    check(&[ours, ("sec-fetch-site", "same-site")], 403).await;
    check(&[ours, ("origin", "https://siem.example.evil")], 403).await;
    check(&[ours, ("origin", "null")], 403).await;
    check(
        &[
            ours,
            ("sec-fetch-site", "cross-site"),
            ("origin", "https://siem.example"),
        ],
        403,
    )
    .await;
}

#[tokio::test]
async fn a_foreign_page_opens_no_session() {
    let house = House::new();
    let key = house.key(&[Scope::Admin]);
    let body = Body::from(json!({"key": key}).to_string());
    let headers = [("sec-fetch-site", "cross-site")];
    let answer = house
        .send(request(Method::POST, "/api/v1/session", &headers, body))
        .await;
    answer.is_problem(403, "cross_site");
}

#[tokio::test]
async fn refused_credentials_are_slowed_down_and_good_ones_are_not() {
    let rates = Limits {
        refused_per_minute: 3,
        ..Limits::default()
    };
    let options = Options {
        rates,
        ..Options::default()
    };
    let house = House::of(
        Plan {
            options,
            ..Plan::default()
        },
        |_| {},
    );
    let key = house.key(&[Scope::Search]);
    for _ in 0..3 {
        house
            .get("/api/v1/fields", "garbage")
            .await
            .is_problem(401, "unauthenticated");
    }
    let answer = house.get("/api/v1/fields", "garbage").await;
    answer.is_problem(429, "rate_limited");
    assert_eq!(answer.header("retry-after"), "20");
    assert_eq!(house.get("/api/v1/fields", &key).await.status, 200);
    assert_eq!(house.metrics.http_denied.get(), 4);
}

#[tokio::test]
async fn a_key_has_its_own_quota_and_is_told_of_it() {
    let rates = Limits {
        read_per_minute: 2,
        ..Limits::default()
    };
    let options = Options {
        rates,
        ..Options::default()
    };
    let house = House::of(
        Plan {
            options,
            ..Plan::default()
        },
        |_| {},
    );
    let (first, second) = (house.key(&[Scope::Search]), house.key(&[Scope::Search]));
    let answer = house.get("/api/v1/fields", &first).await;
    assert_eq!(answer.header("ratelimit-policy"), "\"read\";q=2;w=60");
    assert_eq!(answer.header("ratelimit"), "\"read\";r=1;t=30");
    house.get("/api/v1/fields", &first).await;
    let refused = house.get("/api/v1/fields", &first).await;
    refused.is_problem(429, "rate_limited");
    assert_eq!(refused.header("retry-after"), "30");
    assert_eq!(house.get("/api/v1/fields", &second).await.status, 200);
    house.clock.advance(Duration::from_secs(30));
    assert_eq!(house.get("/api/v1/fields", &first).await.status, 200);
}

#[tokio::test]
async fn a_key_made_beside_the_server_counts_at_once() {
    let house = House::new();
    let new = key::NewKey {
        name: "cli",
        scopes: &[Scope::Search],
        created_by: "cli",
        now: house.clock.now(),
        days: 1,
    };
    let (text, record) = key::mint(&new).unwrap();
    let letter = crate::store::Letter::AddKey(record);
    crate::store::leave(&house.store_dir(), &letter, &house.clock).unwrap();
    assert_eq!(house.get("/api/v1/fields", text.expose()).await.status, 200);
}

#[test]
fn scopes_are_named_as_users_write_them() {
    for scope in SCOPES {
        assert_eq!(json!(scope), scope_name(scope));
    }
}
