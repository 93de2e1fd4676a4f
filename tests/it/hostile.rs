//! Bad input gets a flagged event or a clear 4xx; never a crash, never a lost neighbour.

use std::io::Write;

use serde_json::{Value, json};

use crate::harness::{Reply, Server, create_key, exchange};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn is_problem(reply: &Reply, status: u16) {
    assert_eq!(reply.status, status, "{}", reply.text());
    assert_eq!(
        reply.header("content-type").as_deref(),
        Some("application/problem+json")
    );
    let problem = reply.json();
    assert!(
        problem["code"].is_string() && problem["correlation_id"].is_string(),
        "{problem}"
    );
    for leak in ["/src/", "panicked", ".rs:", "127.0.0.1:"] {
        assert!(
            !reply.text().contains(leak),
            "leaks {leak}: {}",
            reply.text()
        );
    }
}

#[test]
fn each_bad_record_is_accepted_with_its_neighbours() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("data"));
    let wide = {
        let members: Vec<String> = (0..10_000).map(|n| format!("\"f{n}\":{n}")).collect();
        format!("{{\"message\":\"wide\",{}}}", members.join(","))
    };
    let deep = format!(
        "{{\"message\":\"deep\",\"a\":{}1{}}}",
        "{\"a\":".repeat(1_000),
        "}".repeat(1_000)
    );
    let long = format!("{{\"message\":\"long {}\"}}", "x".repeat(10 << 20));
    let hostile: Vec<(&str, Vec<u8>)> = vec![
        (
            "garbage",
            (0..255u8).filter(|byte| *byte != b'\n').collect(),
        ),
        ("wide", wide.into_bytes()),
        ("deep", deep.into_bytes()),
        ("long", long.into_bytes()),
        (
            "duplicate",
            br#"{"message":"duplicate","status":200,"status":500}"#.to_vec(),
        ),
        (
            "invalid utf-8",
            b"{\"message\":\"bad \xff\xfe utf\"}".to_vec(),
        ),
        (
            "old",
            br#"{"message":"old","timestamp":"1970-01-01T00:00:00Z"}"#.to_vec(),
        ),
        (
            "far",
            br#"{"message":"far","timestamp":"2100-01-01T00:00:00Z"}"#.to_vec(),
        ),
        (
            "nul",
            "{\"message\":\"nul \\u0000 \u{202e}bidi\"}"
                .as_bytes()
                .to_vec(),
        ),
        ("cut", br#"{"message":"cut","status":"#.to_vec()),
        (
            "number",
            br#"{"message":"number","n":1e999999,"m":-0,"k":00012}"#.to_vec(),
        ),
        ("empty object", b"{}".to_vec()),
        ("just a quote", b"\"".to_vec()),
        ("brackets", b"[[[[{".to_vec()),
    ];
    for (name, record) in &hostile {
        let before = format!("{{\"message\":\"neighbour before {name}\"}}\n");
        let after = format!("\n{{\"message\":\"neighbour after {name}\"}}\n");
        let body = [before.as_bytes(), record, after.as_bytes()].concat();
        let reply = server.ingest("", &body);
        assert_eq!(reply.status, 200, "{name}: {}", reply.text());
        assert!(
            reply.json()["accepted"].as_u64().unwrap() >= 3,
            "{name}: {}",
            reply.text()
        );
    }
    server.settle();
    assert_eq!(server.search("neighbour before").len(), hostile.len());
    assert_eq!(server.search("neighbour after").len(), hostile.len());
    for (query, note) in [
        ("wide", "fields_truncated"),
        ("deep", "depth_truncated"),
        ("utf", "invalid_utf8"),
    ] {
        let hits = server.search(&format!("{query} -neighbour"));
        assert!(
            hits.iter()
                .any(|hit| hit["event.notes"].to_string().contains(note)),
            "{query}: {hits:?}"
        );
    }
    for odd in ["old", "far"] {
        let hit = &server.search(&format!("{odd} -neighbour"))[0];
        assert_eq!(hit["event.time_source"], "received", "{hit}");
    }
    assert_eq!(server.get("/healthz").status, 200);
}

#[test]
fn broken_bodies_get_a_clear_refusal() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let server = Server::start(&data);
    let path = "/api/v1/ingest";
    let whole = gzip(b"{\"message\":\"whole\"}\n");
    is_problem(
        &server.call(
            "POST",
            path,
            &[("content-encoding", "gzip")],
            &whole[..whole.len() - 6],
        ),
        400,
    );
    let bomb = gzip(&vec![b'a'; 200 << 20]);
    is_problem(
        &server.call("POST", path, &[("content-encoding", "gzip")], &bomb),
        413,
    );
    let bomb = zstd::encode_all(std::io::repeat(b'a').take_bytes(200 << 20), 1).unwrap();
    is_problem(
        &server.call("POST", path, &[("content-encoding", "zstd")], &bomb),
        413,
    );
    is_problem(
        &server.call("POST", path, &[("content-encoding", "lzma")], b"x"),
        415,
    );
    is_problem(&server.ingest("?format=nonsense", b"x"), 400);
    is_problem(&server.ingest("?source=../../etc", b"x"), 400);
    assert_eq!(server.ingest("", b"").json()["accepted"], 0);
    is_problem(&server.get("/api/v1/nothing"), 404);
    is_problem(&server.call("DELETE", "/api/v1/search", &[], b""), 405);
    for body in [
        "{",
        "[]",
        "{\"unknown\":1}",
        "{\"query\":7}",
        &format!("{{\"query\":\"{}\"}}", "(".repeat(5_000)),
    ] {
        let reply = server.call(
            "POST",
            "/api/v1/search",
            &[("content-type", "application/json")],
            body.as_bytes(),
        );
        assert!(
            (400..=422).contains(&reply.status),
            "{body:.40}: {} {}",
            reply.status,
            reply.text()
        );
        is_problem(&reply, reply.status);
    }
    let reader = create_key(&data, "search");
    let bearer = format!("Bearer {reader}");
    let reply = exchange(
        &server.address,
        "POST",
        path,
        &[("authorization", &bearer)],
        b"{}",
    )
    .unwrap();
    is_problem(&reply, 403);
    is_problem(
        &exchange(&server.address, "POST", path, &[], b"{}").unwrap(),
        401,
    );
    assert_eq!(server.get("/healthz").status, 200);
}

trait TakeBytes: std::io::Read + Sized {
    fn take_bytes(self, count: u64) -> std::io::Take<Self> {
        std::io::Read::take(self, count)
    }
}

impl<T: std::io::Read> TakeBytes for T {}

#[test]
fn queries_built_to_hurt_are_refused_or_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("data"));
    let lines: String = (0..2_000)
        .map(|n| format!("{{\"message\":\"hurt {n}\",\"path\":\"/a/{n}/b\"}}\n"))
        .collect();
    assert_eq!(server.ingest("", lines.as_bytes()).status, 200);
    server.settle();
    let hostile = [
        vec!["a"; 10_000].join(" OR "),
        "*a*b*c*d*e*f*".to_owned(),
        "path:*a*/*1*/*b*".to_owned(),
        "status:[0 TO 99999999999999999999]".to_owned(),
        "(".repeat(2_000) + &")".repeat(2_000),
        "-".repeat(5_000),
        "\"".to_owned(),
        "field:".to_owned(),
        "\u{0}\u{202e}".to_owned(),
    ];
    for query in hostile {
        let watch = std::time::Instant::now();
        let ask = json!({"query": query, "from": "now-1d", "to": "now+1d", "limit": 10});
        let reply = server.post("/api/v1/search", &ask);
        assert!(
            matches!(reply.status, 200 | 400 | 422),
            "{query:.30}: {}",
            reply.text()
        );
        assert!(
            watch.elapsed().as_secs() < 10,
            "{query:.30} took {:?}",
            watch.elapsed()
        );
        let _is_json: Value = reply.json();
    }
    assert_eq!(server.get("/healthz").status, 200);
}
