//! What a responder asks of the server, over HTTP, on events that came in over HTTP.

use serde_json::{Value, json};

use crate::harness::Server;

/// Ten requests of two services, one a second, with what a spreadsheet would run in them.
fn filled(dir: &std::path::Path) -> Server {
    let server = Server::start(&dir.join("data"));
    let lines: Vec<String> = (0..10)
        .map(|at| {
            json!({
                "timestamp": format!("2026-11-21T12:00:{at:02}Z"),
                "service": if at % 2 == 0 { "shop" } else { "edge" },
                "status": if at == 7 { 500 } else { 200 },
                "user_id": format!("u-{}", at % 3),
                "duration_ms": at,
                "message": format!("=step {at}, \"done\""),
            })
            .to_string()
        })
        .collect();
    let sent = server.ingest("?source=lab", lines.join("\n").as_bytes());
    assert_eq!(sent.json()["accepted"], 10);
    server.settle();
    server
}

fn steps(list: &Value) -> Vec<String> {
    let rows = list.as_array().unwrap().iter();
    rows.map(|row| row["message"].as_str().unwrap().replace("=step ", ""))
        .map(|step| step.chars().take(1).collect())
        .collect()
}

#[test]
fn an_event_is_shown_among_its_neighbours() {
    let dir = tempfile::tempdir().unwrap();
    let server = filled(dir.path());
    let event = &server.search("status:500")[0];
    let path = format!("/api/v1/events/{}/context", event["id"].as_str().unwrap());
    let check = |parameters: &str, before: &[&str], after: &[&str]| {
        let found = server.get(&format!("{path}?{parameters}")).json();
        assert_eq!(steps(&found["before"]), before, "{parameters}");
        assert_eq!(steps(&found["after"]), after, "{parameters}");
        assert_eq!(found["event"]["id"], event["id"]);
        found
    };
    check("limit=2", &["5", "6"], &["8", "9"]);
    check("by=all&window=1s", &["6"], &["8"]);
    let found = check("by=service", &["1", "3", "5"], &["9"]);
    assert_eq!(
        (&found["field"], &found["value"]),
        (&json!("service.name"), &json!("edge"))
    );
    check("by=actor&window=4s", &["4"], &[]);
    for bad in ["by=object", "by=x", "limit=0", "window=x", "x=1"] {
        let refused = server.get(&format!("{path}?{bad}"));
        assert_eq!(refused.status, 422, "{bad}: {}", refused.text());
    }
    let none = server.get("/api/v1/events/evt_0000000000zzz/context");
    assert_eq!(none.status, 404);
}

#[test]
fn an_export_holds_what_matches_and_runs_in_no_spreadsheet() {
    let dir = tempfile::tempdir().unwrap();
    let server = filled(dir.path());
    let export = |body: Value| server.post("/api/v1/export", &body);
    let all = export(json!({"query": "service:shop", "sort": "asc"}));
    assert_eq!(all.header("content-type").unwrap(), "application/x-ndjson");
    assert_eq!(all.header("x-total-count").unwrap(), "5");
    let text = all.text();
    let rows: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(steps(&json!(rows)), ["0", "2", "4", "6", "8"]);
    let csv = export(json!({
        "query": "status:500 OR user.id:u-0", "format": "csv",
        "fields": ["@timestamp", "user.id", "message", "none"], "limit": 2,
    }));
    assert!(csv.header("content-disposition").unwrap().contains(".csv"));
    assert_eq!(
        csv.text(),
        "@timestamp,user.id,message,none\n\
         2026-11-21T12:00:09.000Z,u-0,\"'=step 9, \"\"done\"\"\",\n\
         2026-11-21T12:00:07.000Z,u-1,\"'=step 7, \"\"done\"\"\",\n"
    );
    let empty = export(json!({"query": "status:404"}));
    assert_eq!((empty.status, empty.text().as_str()), (200, ""));
    for bad in [
        json!({"query": "("}),
        json!({"format": "xml"}),
        json!({"limit": 0}),
        json!({"fields": []}),
        json!({"fields": ["message", "message"]}),
    ] {
        assert_eq!(export(bad.clone()).status, 422, "{bad}");
    }
}

#[test]
fn nothing_found_says_which_name_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let server = filled(dir.path());
    let search = |query: &str| {
        let body = json!({"query": query});
        server.post("/api/v1/search", &body).json()
    };
    let none = search("servcie:shop");
    assert_eq!(
        none["hints"],
        json!([{"name": "servcie", "meant": "service"}])
    );
    assert_eq!(search("service:shop")["hints"], Value::Null);
    assert_eq!(search("service:none")["hints"], Value::Null);
}

#[test]
fn the_beginning_of_an_id_leads_to_its_request() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("data"));
    let id = "3F2504E0-4F89-11D3-9A0C-0305E82C3301";
    let lines = [
        json!({"request_id": id, "status": 200}),
        json!({"request_id": id, "status": 201}),
        json!({"request_id": "Req-20261122-a", "status": 202}),
        json!({"request_id": "req-20261122-b", "status": 203}),
    ];
    let body = lines.map(|line| line.to_string()).join("\n");
    assert_eq!(server.ingest("", body.as_bytes()).status, 200);
    server.settle();
    for part in ["3f2504e0", "3F2504E0-4F89", "3f2504e04f8911"] {
        let story = server.get(&format!("/api/v1/requests/{part}")).json();
        assert_eq!(story["id"], id.to_lowercase(), "{part}: {story}");
        assert_eq!(story["completed_from"], part);
        assert_eq!(story["events"].as_array().unwrap().len(), 2);
    }
    let whole = server.get(&format!("/api/v1/requests/{id}")).json();
    assert_eq!(whole["completed_from"], Value::Null);
    let several = server.get("/api/v1/requests/req-20261122");
    assert_eq!(several.status, 422);
    assert!(
        several.text().to_lowercase().contains("req-20261122-a"),
        "{}",
        several.text()
    );
    for none in ["3f2504e", "3f2504e1", "no-such-id-at-all"] {
        assert_eq!(server.get(&format!("/api/v1/requests/{none}")).status, 404);
    }
}

#[test]
fn numbers_are_told_by_their_percentiles() {
    let dir = tempfile::tempdir().unwrap();
    let server = filled(dir.path());
    let asked =
        json!({"aggs": {"d": {"percentiles": {"field": "duration", "percents": [50, 99.9]}}}});
    let found = server.post("/api/v1/aggregate", &asked).json();
    assert_eq!(found["aggs"]["d"]["count"], 10);
    assert_eq!(found["aggs"]["d"]["values"]["99.9"], 9_000_000);
    let middle = found["aggs"]["d"]["values"]["50"].as_u64().unwrap();
    assert!(middle.abs_diff(4_000_000) < 32_000, "{middle}");
    for bad in [json!([]), json!([101]), json!(["x"])] {
        let asked = json!({"aggs": {"d": {"percentiles": {"field": "duration", "percents": bad}}}});
        assert_eq!(server.post("/api/v1/aggregate", &asked).status, 422);
    }
}

#[test]
fn an_export_is_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let server = Server::start_with(
        &data,
        "[api]\nexport_events_max = 1500\n[index]\nverify_events_max = 1000\n",
    );
    let lines = "{\"status\":200}\n".repeat(2_600);
    assert_eq!(server.ingest("", lines.as_bytes()).status, 200);
    server.settle();
    let refused = server.post("/api/v1/export", &json!({}));
    assert_eq!(refused.status, 422, "{}", refused.text());
    assert!(
        refused.text().contains("at most 1500"),
        "{}",
        refused.text()
    );
    // What cannot be counted before is cut off where it has more than it may: the answer has no end.
    let uncounted = json!({"query": "status:~2"});
    let cut = server.post("/api/v1/export", &uncounted);
    assert_eq!((cut.status, cut.header("x-total-count")), (200, None));
    assert!(!cut.is_whole, "{} rows", cut.text().lines().count());
    let limited = json!({"query": "status:~2", "limit": 700});
    let whole = server.post("/api/v1/export", &limited);
    assert!(whole.is_whole);
    assert_eq!(whole.text().lines().count(), 700);
    // Over several pages of the log, and no more than asked for.
    let some = server.post("/api/v1/export", &json!({"limit": 1_234}));
    assert_eq!(some.text().lines().count(), 1_234);
    let ids: std::collections::HashSet<&str> = some.text().leak().lines().collect();
    assert_eq!(ids.len(), 1_234, "no event twice");
}

#[test]
fn large_events_are_exported_piece_by_piece() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("data"));
    let lines: Vec<String> = (0..80)
        .map(|at| {
            json!({"status": at, "message": format!("{at} {}", "word ".repeat(6_000))}).to_string()
        })
        .collect();
    assert_eq!(server.ingest("", lines.join("\n").as_bytes()).status, 200);
    server.settle();
    let all = server.post(
        "/api/v1/export",
        &json!({"fields": ["message"], "sort": "asc"}),
    );
    let text = all.text();
    let firsts: Vec<String> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|row| {
            row["message"]
                .as_str()
                .unwrap()
                .split(' ')
                .next()
                .unwrap()
                .to_owned()
        })
        .collect();
    let expected: Vec<String> = (0..80).map(|at| at.to_string()).collect();
    assert_eq!(firsts, expected);
    assert!(all.is_whole && text.len() > 2_000_000);
}

#[test]
fn an_answer_says_what_it_could_not_see() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("data"));
    server.ingest("?format=json", b"{\"path\":\"/a\"}\n{\"path\":\n");
    server.settle();
    let stats = |query: &str, limit: u64| {
        let body = json!({"query": query, "limit": limit});
        server.post("/api/v1/search", &body).json()["stats"].clone()
    };
    let none = stats("path:/b", 10);
    assert_eq!(
        (&none["unparsed"], &none["silent_sources"]),
        (&json!(1), &json!([]))
    );
    // Where more follows there is nothing to be taken for all.
    assert_eq!(stats("", 1)["unparsed"], Value::Null);
    let output = std::process::Command::new(crate::harness::BIN)
        .args(["search", "path:/b", "--count"])
        .env("WARDLINE_URL", format!("http://{}", server.address))
        .env("WARDLINE_KEY", &server.key)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "0");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        told.contains("1 events of this time could not be parsed"),
        "{told}"
    );
}

#[test]
fn what_is_no_query_is_refused_or_searched_for_by_its_words() {
    let dir = tempfile::tempdir().unwrap();
    let server = filled(dir.path());
    let search = |query: &str, on_invalid: &str| {
        let body = json!({"query": query, "on_invalid": on_invalid, "count": true});
        server.post("/api/v1/search", &body)
    };
    assert_eq!(search("(step", "error").status, 422);
    let found = search("(step", "text").json();
    assert_eq!(found["fallback"]["position"], 0);
    assert_eq!(
        found["stats"]["total"],
        search("step", "text").json()["stats"]["total"]
    );
    assert!(found["stats"]["total"].as_u64() > Some(0), "{found}");
    assert_eq!(search("step", "text").json()["fallback"], Value::Null);
    let begun = search("step step AND (", "text").json();
    assert_eq!(begun["stats"]["total"], found["stats"]["total"]);
    let long = format!("( {}", "w".repeat(20_000));
    assert_eq!(search(&long, "text").status, 422);
    // Without a word there is nothing to search for.
    assert_eq!(search("((", "text").status, 422);
    assert_eq!(search("step", "guess").status, 422);
}

#[test]
fn an_entity_is_told_by_all_it_did() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("data"));
    let line = |at: u32, ip: &str, user: &str, status: u16| {
        format!(
            r#"{{"time":"2026-11-21T12:00:{at:02}Z","client_ip":"{ip}","user_id":"{user}","method":"GET","route":"/v1/orders/{{id}}","status":{status}}}"#
        )
    };
    let lines = [
        line(1, "203.0.113.7", "kim", 200),
        line(2, "203.0.113.7", "lee", 404),
        line(3, "203.0.113.9", "kim", 200),
        line(4, "198.51.100.1", "kim", 200),
    ];
    server.ingest("", lines.join("\n").as_bytes());
    server.settle();
    let entity = |query: &str| server.get(&format!("/api/v1/entity?{query}"));
    let ip = entity("field=client.ip&value=203.0.113.7").json();
    assert_eq!((&ip["events"], &ip["alerts"]), (&json!(2), &json!([])));
    assert_eq!(ip["first_seen"], "2026-11-21T12:00:01.000Z");
    assert_eq!(ip["last_seen"], "2026-11-21T12:00:02.000Z");
    let top = |entity: &Value, name: &str| {
        let buckets = entity["values"][name]["buckets"].as_array().unwrap();
        let keys = buckets
            .iter()
            .map(|bucket| bucket["key"].as_str().unwrap().to_owned());
        let mut keys: Vec<String> = keys.collect();
        keys.sort();
        keys
    };
    let times = ip["times"]["buckets"].as_array().unwrap();
    assert_eq!(
        times[0]["count"], 1,
        "its own time, not that of all: {times:?}"
    );
    assert_eq!(top(&ip, "statuses"), ["200", "404"]);
    assert_eq!(top(&ip, "users"), ["kim", "lee"]);
    assert_eq!(top(&ip, "routes"), ["/v1/orders/{id}"]);
    let network = entity("field=client.ip&value=203.0.113.0%2F24").json();
    assert_eq!(
        (&network["events"], &network["alerts"]),
        (&json!(3), &Value::Null)
    );
    assert_eq!(
        entity("field=client.ip&value=::ffff:203.0.113.7").json()["events"],
        2
    );
    let user = entity("field=user.id&value=kim&from=2026-11-21T12:00:02Z").json();
    assert_eq!(user["events"], 2);
    assert_eq!(top(&user, "addresses"), ["198.51.100.1", "203.0.113.9"]);
    let nobody = entity("field=user.id&value=nobody").json();
    assert_eq!(
        (&nobody["events"], &nobody["first_seen"]),
        (&json!(0), &Value::Null)
    );
    for bad in [
        "field=message&value=x",
        "field=client.ip&value=",
        "field=client.ip&value=203.0.113.0%2F99",
        "field=client.ip&value=x%20OR%20y",
        "field=user.id",
        "field=user.id&value=x&from=yesterday",
    ] {
        assert_eq!(entity(bad).status, 422, "{bad}");
    }
}

/// A gateway that calls two services, one of them with a clock that is half a minute behind.
fn called(server: &Server) {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let at = |ms: i64| {
        let ns = i64::try_from(now.as_nanos()).unwrap() - 60_000_000_000 + ms * 1_000_000;
        wardline::model::Timestamp(ns).to_rfc3339()
    };
    let event = |service: &str, ms: i64, took: i64, span: &str, parent: &str| {
        json!({
            "timestamp": at(ms), "service": service, "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": span,
            "parent_span_id": parent, "duration_ms": took, "method": "GET", "path": "/v1/orders/417", "status": 200,
            "client_ip": "203.0.113.9", "user_id": "u-1", "message": "of the story",
        })
    };
    let mut lines = vec![
        event("edge", 500, 500, "00f067aa0ba902b7", ""),
        event("orders", 400, 200, "00f067aa0ba902b8", "00f067aa0ba902b7"),
        event("stock", -29_700, 50, "00f067aa0ba902b9", "00f067aa0ba902b8"),
    ];
    for (ms, path, ip) in [
        (0, "/v1/orders/417", "203.0.113.8"),
        (1_000, "/v1/orders/418", "203.0.113.9"),
        (2_000, "/v1/items/417", "203.0.113.9"),
        (-3_600_000, "/v1/orders/417", "203.0.113.9"),
    ] {
        lines.push(json!({
            "timestamp": at(ms), "service": "edge", "method": "GET", "path": path, "status": 200, "client_ip": ip,
            "request_id": format!("other-request-{ms}"),
        }));
    }
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    assert_eq!(
        server.ingest("", lines.join("\n").as_bytes()).json()["accepted"],
        7
    );
    server.settle();
}

#[test]
fn a_story_says_whose_clock_is_wrong_and_where_to_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("data"));
    called(&server);
    let path = "/api/v1/requests/4bf92f3577b34da6a3ce929d0e0e4736";
    let plain = server.get(path).json();
    assert!(plain.get("pivots").is_none());
    let skew = plain["skew"].as_array().unwrap();
    assert_eq!(skew.len(), 1, "{plain}");
    assert_eq!(
        (&skew[0]["lane"], &skew[0]["caller"]),
        (&json!("stock"), &json!("orders"))
    );
    // From 200 to 600 ms may the call have lasted.
    assert_eq!(skew[0]["offset_ms"], json!(29_900.0));
    let story = server.get(&format!("{path}?pivots=true")).json();
    let pivots = story["pivots"]["values"].as_array().unwrap();
    let found: Vec<(&str, u64)> = pivots
        .iter()
        .map(|pivot| {
            (
                pivot["kind"].as_str().unwrap(),
                pivot["events"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [("object", 1), ("user", 0), ("address", 2)],
        "{story}"
    );
    // The query finds what was counted, in its time.
    for pivot in pivots {
        let ask = json!({
            "query": pivot["query"], "from": story["pivots"]["from"], "to": story["pivots"]["to"], "count": true,
        });
        let page = server.post("/api/v1/search", &ask).json();
        assert_eq!(page["stats"]["total"], pivot["events"], "{pivot}");
        assert_eq!(
            page["data"].as_array().unwrap().len() as u64,
            pivot["events"].as_u64().unwrap()
        );
    }
    for bad in ["pivots=1", "pivots=", "x=1"] {
        assert_eq!(server.get(&format!("{path}?{bad}")).status, 422, "{bad}");
    }
    let run = |arguments: &[&str]| {
        let output = std::process::Command::new(crate::harness::BIN)
            .args(["request", "4bf92f3577b34da6a3ce929d0e0e4736"])
            .args(arguments)
            .env("WARDLINE_URL", format!("http://{}", server.address))
            .env("WARDLINE_KEY", &server.key)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let told = run(&["-o", "table"]);
    assert!(
        told.contains("clock of stock: at least 29900 ms behind that of orders"),
        "{told}"
    );
    assert!(
        told.contains("same address 203.0.113.9: 2 other events: client.ip:203.0.113.9 NOT id:"),
        "{told}"
    );
    let note = run(&["--md"]);
    assert!(
        note.contains("- clock of stock: at least 29900 ms"),
        "{note}"
    );
    assert!(note.contains("client.ip:203.0.113.9 NOT id:"), "{note}");
}
