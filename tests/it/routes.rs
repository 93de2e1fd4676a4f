//! The list of routes, on events that came in over HTTP.

use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{BIN, Server};

fn filled(server: &Server) {
    let event = |day: u32, method: &str, path: &str, status: u16, user: &str| {
        let mut event = json!({
            "timestamp": format!("2026-11-{day}T12:00:00Z"), "service": "shop", "method": method, "path": path,
            "status": status, "duration_ms": 10,
        });
        if !user.is_empty() {
            event["user_id"] = json!(user);
        }
        event.to_string()
    };
    let lines = [
        event(10, "GET", "/v1/orders/17", 200, "u-1"),
        event(10, "GET", "/health", 200, ""),
        event(20, "GET", "/v1/orders/17", 200, "u-1"),
        event(20, "GET", "/v1/orders/18", 404, "u-2"),
        event(20, "GET", "/v1/orders/19", 200, "u-2"),
        event(20, "DELETE", "/v1/orders/17", 401, ""),
        event(20, "GET", "/v2/orders/17", 200, "u-1"),
        event(20, "GET", "/v2/orders/17", 200, ""),
        event(20, "GET", "/health", 200, ""),
        json!({"timestamp": "2026-11-20T12:00:00Z", "message": "no route"}).to_string(),
    ];
    assert_eq!(
        server.ingest("", lines.join("\n").as_bytes()).json()["accepted"],
        10
    );
    server.settle();
}

#[test]
fn routes_are_listed_with_what_stands_out() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start_with(&dir.path().join("data"), "");
    let nothing = server.get("/api/v1/routes").json();
    assert_eq!(
        (&nothing["data"], &nothing["kept_from"]),
        (&json!([]), &json!(null))
    );
    filled(&server);
    let list = |parameters: &str| {
        let reply = server.get(&format!("/api/v1/routes?{parameters}"));
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    };
    let found = list("from=2026-11-15T00:00:00Z");
    assert_eq!(found["without_route"], 1);
    assert_eq!(found["kept_from"], "2026-11-10T12:00:00.000Z");
    let rows = found["data"].as_array().unwrap();
    let shown: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!([
                row["route"],
                row["method"],
                row["events"],
                row["authenticated"],
                row["users"],
                row["flags"]
            ])
        })
        .collect();
    let expected = [
        json!(["/v1/orders/{id}", "GET", 3, 1.0, 2, ["deprecated"]]),
        json!([
            "/v2/orders/{id}",
            "GET",
            2,
            0.5,
            1,
            ["new", "unauthenticated_success"]
        ]),
        json!(["/health", "GET", 1, 0.0, 0, ["unauthenticated_success"]]),
        json!(["/v1/orders/{id}", "DELETE", 1, 0.0, 0, ["deprecated"]]),
    ];
    assert_eq!(shown, expected, "{found}");
    let first = &rows[0];
    assert_eq!(first["deprecated_by"], "/v2/orders/{id}");
    assert_eq!(
        first["statuses"],
        json!({"1xx": 0, "2xx": 2, "3xx": 0, "4xx": 1, "5xx": 0, "none": 0})
    );
    assert!(
        (9.9..=10.0).contains(&first["p95_ms"].as_f64().unwrap()),
        "{first}"
    );
    assert_eq!(first["first_seen"], "2026-11-20T12:00:00.000Z");
    // Whether a route is new does not hang on the query; without anything older nothing is.
    let some = list("from=2026-11-15T00:00:00Z&query=status:404");
    assert_eq!(some["data"][0]["flags"], json!([]));
    for whole in ["from=2026-11-01T00:00:00Z", "", "to=2026-11-21T00:00:00Z"] {
        assert!(!list(whole)["data"].to_string().contains("new"), "{whole}");
    }
    for bad in ["from=yesterday", "query=(", "limit=1", "to=x"] {
        assert_eq!(
            server.get(&format!("/api/v1/routes?{bad}")).status,
            422,
            "{bad}"
        );
    }
    let run = |arguments: &[&str]| {
        let output = Command::new(BIN)
            .arg("routes")
            .args(arguments)
            .env("WARDLINE_URL", format!("http://{}", server.address))
            .env("WARDLINE_KEY", &server.key)
            .output()
            .unwrap();
        assert_eq!(
            output.status.code(),
            Some(0),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(String::from_utf8_lossy(&output.stderr).contains("events without a route: 1"));
        String::from_utf8(output.stdout).unwrap()
    };
    let from = ["--from", "2026-11-15T00:00:00Z"];
    let csv = run(&[&from[..], &["-o", "csv"]].concat());
    assert!(
        csv.starts_with("route,method,service,events,2xx,4xx,5xx,"),
        "{csv}"
    );
    assert!(
        csv.contains("/v2/orders/{id},GET,shop,2,2,0,0,0.5,1,"),
        "{csv}"
    );
    assert!(csv.contains(",new unauthenticated_success,"), "{csv}");
    assert_eq!(run(&from).lines().count(), 4);
    assert!(run(&[&from[..], &["-o", "table"]].concat()).contains("deprecated"));
}

#[test]
fn what_is_not_listed_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start_with(&dir.path().join("data"), "[api]\nroutes_max = 2\n");
    filled(&server);
    let found = server.get("/api/v1/routes").json();
    let events = |row: &Value| row["events"].as_u64().unwrap();
    let listed: u64 = found["data"].as_array().unwrap().iter().map(events).sum();
    assert_eq!(found["data"].as_array().unwrap().len(), 2);
    assert_eq!(
        listed + found["left_out_events"].as_u64().unwrap() + 1,
        10,
        "{found}"
    );
}
