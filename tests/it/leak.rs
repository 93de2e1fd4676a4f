//! A planted secret leaves no byte of itself anywhere: data directory, answers, our own log, webhooks.

use std::path::Path;

use base64::Engine as _;
use serde_json::json;

use crate::harness::{Receiver, Server};

/// Every form in which a secret could survive.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let standard = base64::engine::general_purpose::STANDARD_NO_PAD;
    let mut forms = vec![
        secret.as_bytes().to_vec(),
        secret
            .bytes()
            .map(|b| format!("{b:02x}"))
            .collect::<String>()
            .into_bytes(),
        secret
            .bytes()
            .map(|b| format!("%{b:02X}"))
            .collect::<String>()
            .into_bytes(),
        secret.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        secret.chars().rev().collect::<String>().into_bytes(),
    ];
    // What a cut may leave.
    forms.push(secret.as_bytes()[..secret.len() * 2 / 3].to_vec());
    for shift in 0..3 {
        let padded = [&b"xyz"[..shift], secret.as_bytes()].concat();
        let text = standard.encode(&padded);
        // The first and last characters mix with neighbours; the middle is the secret's alone.
        forms.push(text.as_bytes()[if shift == 0 { 0 } else { 4 }..text.len() - 4].to_vec());
    }
    forms
}

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(haystack, needle).is_some()
}

/// Files below `dir`, frames of the log also unpacked.
pub(crate) fn everything(dir: &Path, into: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            everything(&path, into);
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let name = path.to_string_lossy().into_owned();
        for start in memchr::memmem::find_iter(&bytes, &[0x28, 0xb5, 0x2f, 0xfd]) {
            let mut unpacked = Vec::new();
            if let Ok(decoder) = zstd::Decoder::new(&bytes[start..]) {
                let _until_the_frame_ends =
                    std::io::copy(&mut decoder.single_frame(), &mut unpacked).is_err();
                into.push((format!("{name}@{start}"), unpacked));
            }
        }
        into.push((name, bytes));
    }
}

const SECRETS: &[&str] = &[
    "hunter2-correct-horse-battery",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "sk_live_4eC39HqLyjWDarjtT1zdp7dcWq81",
    "AKIAIOSFODNN7QWERTYZ",
    "xoxb-263594206564-2343594206574-FGqddMF8t08v8N7Oq4i57vs1",
    "4012888888881881",
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
];

fn carriers(number: usize, secret: &str) -> Vec<String> {
    let id = format!("leak-{number}");
    let nested = json!({"user": "kim", "password": secret}).to_string();
    let form = format!("password={secret}&page=2");
    let base64 = base64::engine::general_purpose::STANDARD.encode(&form);
    let hex: String = form.bytes().map(|b| format!("{b:02x}")).collect();
    [
        json!({"message": format!("login with password={secret} failed"), "request_id": id}),
        json!({"password": secret, "message": format!("echo {secret}"), "request_id": id}),
        json!({"headers": {"authorization": format!("Bearer {secret}"), "cookie": format!("sid={secret}; theme=dark")}, "request_id": id}),
        json!({"path": format!("/callback?token={secret}&page=2"), "request_id": id}),
        json!({"body": nested, "request_id": id}),
        json!({"headers": [{"name": "Authorization", "value": format!("Bearer {secret}")}], "request_id": id}),
        json!({"credentials": {"deep": {"deeper": [secret, secret]}}, "request_id": id}),
        json!({"api_key": secret, "session_id": secret, "request_id": id}),
        json!({"url": format!("https://kim:{secret}@db.example.com/x"), "request_id": id}),
        json!({"message": format!("x Authorization={secret} for user kim"), "request_id": id}),
        json!({"path": format!("/x?cookie={secret}&page=2"), "request_id": id}),
        json!({"rawHeaders": ["Host", "example.com", "X-Api-Key", secret], "request_id": id}),
        json!({"headers": [["user", "kim"], ["password", secret]], "request_id": id}),
        json!({"payload": base64, "request_id": id}),
        json!({"path": format!("/v1/{hex}"), "request_id": id}),
        json!({"body": format!("<wsse:Password Type=\"x\">{secret}</wsse:Password>"), "request_id": id}),
        json!({"message": format!("{{'pw': '{secret}', 'user': 'kim'}}"), "request_id": id}),
        json!({"ｐａｓｓｗｏｒｄ": secret, "request_id": id}),
    ]
    .iter()
    .map(ToString::to_string)
    .collect()
}

/// The secret across the edge where values are cut, most of it before the edge.
fn across_the_edge(number: usize, secret: &str, edge: usize) -> Vec<String> {
    let id = format!("leak-edge-{number}");
    let part = secret.len() * 3 / 4;
    let filled = |before: &str| {
        let room = edge - part - before.len() - 1;
        format!("{} {before}", "x".repeat(room))
    };
    let (assigned, nested) = ("password=", r#"{"credentials":{"deep":[""#);
    let body = format!(
        r#"{{"pad":"{}","credentials":{{"deep":["{secret}"]}}}}"#,
        "x".repeat(edge - part - nested.len() - r#""pad":"","#.len())
    );
    [
        json!({"message": format!("{}{secret} and more", filled(assigned)), "request_id": id}),
        json!({"message": format!("{}{secret}&page=2", filled("/x?token=")), "request_id": id}),
        json!({"body": body, "request_id": id}),
    ]
    .iter()
    .map(ToString::to_string)
    .collect()
}

/// What people write about the first alert.
fn write_about_an_alert(server: &Server) {
    let alerts = server.get("/api/v1/alerts?limit=1").json();
    let id = alerts["data"][0]["id"].as_str().unwrap();
    let said = |n: usize| format!("they used token={} again", SECRETS[n]);
    for (act, input) in [
        ("ack", json!({"assignee": SECRETS[1], "note": said(0)})),
        ("notes", json!({"text": said(1)})),
        (
            "close",
            json!({"reason": "true_positive", "comment": said(2)}),
        ),
        ("reopen", json!({"note": said(3)})),
    ] {
        let reply = server.post(&format!("/api/v1/alerts/{id}/{act}"), &input);
        assert_eq!(reply.status, 200, "{act}: {}", reply.text());
    }
}

#[test]
fn a_planted_secret_survives_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    // The first thing the server says of itself is that this rule is refused.
    let rules = dir.path().join("rules");
    std::fs::create_dir(&rules).unwrap();
    std::fs::write(rules.join(format!("{}.yml", SECRETS[1])), "title: x\n").unwrap();
    let config = format!(
        "[detect]\nrules_dir = {:?}\n[notify]\nallow_insecure = true\n\
         allow_private_cidrs = [\"127.0.0.0/8\"]\n",
        rules.to_str().unwrap()
    );
    let server = Server::start_with(&data, &config);
    let receiver = Receiver::start(&[]);
    let endpoint = server
        .post(
            "/api/v1/webhooks",
            &json!({"url": receiver.url, "description": "leak"}),
        )
        .json();
    let mut body = String::new();
    for (number, secret) in SECRETS.iter().enumerate() {
        for carrier in carriers(number, secret) {
            body.push_str(&carrier);
            body.push('\n');
        }
        body.push_str(&format!("plain text line with token={secret} in it\n"));
    }
    // Enough failures from one address to raise an alert whose samples carry the secret's place.
    for step in 0..40 {
        let secret = SECRETS[step % SECRETS.len()];
        let event = json!({"path": format!("/probe/{step}?access_token={secret}"), "status": 404, "client_ip": "198.51.100.9",
            "user_agent": format!("agent token={secret}"), "request_id": format!("leak-alert-{step}")});
        body.push_str(&format!("{event}\n"));
    }
    let reply = server.ingest("?source=leak", body.as_bytes());
    assert_eq!(reply.status, 200, "{}", reply.text());
    let mut edges = String::new();
    for (number, secret) in SECRETS.iter().enumerate() {
        for carrier in across_the_edge(number, secret, 64 << 10) {
            edges.push_str(&format!("{carrier}\n"));
        }
    }
    // A record that is cut itself: most of the token lies before the edge.
    edges.push_str(&"word ".repeat((1 << 20) / 5 - 6));
    edges.push_str(&format!("token={} and more\n", SECRETS[1]));
    let reply = server.ingest(&format!("?source={}", SECRETS[1]), edges.as_bytes());
    assert_eq!(reply.status, 200, "{}", reply.text());
    // Refusals must not echo either.
    let mut said = vec![server.ingest(&format!("?format={}", SECRETS[1]), b"x").body];
    let ask = json!({"query": format!("status:[{} TO", SECRETS[0]), "from": "now-1d", "to": "now"});
    said.push(
        server
            .post(
                "/api/v1/keys",
                &json!({"name": "x", "scopes": ["search"], "password": SECRETS[0]}),
            )
            .body,
    );
    let named = json!({"name": SECRETS[1], "scopes": ["search"]});
    let refused = server.post("/api/v1/keys", &named);
    assert_eq!(refused.status, 422, "{}", refused.text());
    said.push(refused.body);
    let _the_caller_s_own_query_may_come_back = server.post("/api/v1/search", &ask);
    server.settle();
    write_about_an_alert(&server);
    let hits = server.search("");
    assert!(hits.len() >= SECRETS.len() * 19 + 40, "{}", hits.len());
    said.push(serde_json::to_vec(&hits).unwrap());
    for path in [
        "/api/v1/alerts?limit=100",
        "/metrics",
        "/api/v1/redaction",
        "/api/v1/sources",
        "/api/v1/webhooks",
    ] {
        said.push(server.get(path).body);
    }
    for received in receiver.wait_for(3) {
        said.push(received.body);
    }
    let log = server.log.clone();
    server.kill();
    said.push(log.lock().unwrap().clone().into_bytes());
    let mut places: Vec<(String, Vec<u8>)> = said
        .into_iter()
        .enumerate()
        .map(|(n, bytes)| (format!("answer {n}"), bytes))
        .collect();
    everything(&data, &mut places);
    assert!(
        places
            .iter()
            .any(|(name, bytes)| name.contains(".seg@") && holds(bytes, b"leak-alert-")),
        "frames are unpacked"
    );
    let mut problems = Vec::new();
    let webhook_secret = endpoint["secret"]
        .as_str()
        .unwrap()
        .trim_start_matches("whsec_")
        .to_owned();
    for secret in SECRETS.iter().copied().chain([webhook_secret.as_str()]) {
        for (form, needle) in forms(secret).iter().enumerate() {
            for (name, bytes) in &places {
                if holds(bytes, needle) {
                    problems.push(format!("{secret:.8}… form {form} in {name}"));
                }
            }
        }
    }
    assert!(
        problems.is_empty(),
        "{} leaks:\n{}",
        problems.len(),
        problems.join("\n")
    );
}

#[test]
#[cfg(target_os = "linux")]
fn the_server_leaves_no_core_dump() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.pid())).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap();
    let sizes: Vec<&str> = core.split_whitespace().skip(4).take(2).collect();
    assert_eq!(sizes, ["0", "0"], "{core}");
}
