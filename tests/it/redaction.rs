//! Redaction as its users meet it: the filter, own rules, the way from a leaked secret to its events.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use wardline::model::{Event, Field, Timestamp, Value};
use wardline::redact::{Options, Redactor, TagKey};

use crate::harness::{BIN, Server, eventually, signal};

/// Runs the program with this standard input.
fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(BIN)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // A program that ends early does not read everything.
        let _closed = stdin.write_all(&input).is_err();
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn write(path: &Path, text: &str) -> String {
    std::fs::write(path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

const SECRET: &str = "Zq8fJ2kLm9pQ4rSt";

#[test]
fn the_filter_changes_secrets_alone_and_tags_as_the_server_does() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let server = Server::start(&data);
    let line = format!(r#"{{ "message" : "hello",  "api_key":"{SECRET}" }}"#);
    assert_eq!(server.ingest("", line.as_bytes()).status, 200);
    server.settle();
    let stored = server.search("hello").remove(0);
    let tag = stored["api_key"]
        .as_str()
        .or(stored["ext.api_key"].as_str());
    let tag = tag.unwrap().to_owned();

    let input = format!("clean \u{0}\r\n\n{line}\nlast");
    let data = data.to_str().unwrap();
    let clean = run(&["redact", "--data-dir", data, "--stats"], input.as_bytes());
    assert_eq!(clean.status.code(), Some(0));
    assert_eq!(text(&clean.stdout), input.replace(SECRET, &tag));
    let told = text(&clean.stderr);
    assert!(
        told.starts_with("4 lines, 1 changed, 0 too long; 1 secrets\n"),
        "{told}"
    );

    // Twice changes nothing more; without the key the tags are others.
    let again = run(&["redact", "--data-dir", data], &clean.stdout);
    assert_eq!(text(&again.stdout), text(&clean.stdout));
    let file = write(&dir.path().join("in.log"), &input);
    let other = run(&["redact", &file], b"");
    assert!(!text(&other.stdout).contains(SECRET) && !text(&other.stdout).contains(&tag));
    assert!(text(&other.stderr).starts_with("note: tags are made with a random key"));
}

#[test]
fn the_filter_says_what_it_cannot_do() {
    let dir = tempfile::tempdir().unwrap();
    let check = |arguments: &[&str], code: i32, expected: &str| {
        let output = run(arguments, b"password=hunter22\n");
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{told}");
        assert!(
            told.contains(expected) && output.stdout.is_empty(),
            "{told}"
        );
    };
    let place = dir.path().to_str().unwrap();
    check(&["redact", "--data-dir", place], 3, "tag.key is not there");
    assert!(!dir.path().join("tag.key").exists());
    let none = dir.path().join("none");
    check(&["redact", none.to_str().unwrap()], 1, "cannot read");
    check(&["redact", place], 1, "cannot read");
    check(&["redact", "--line-bytes-max", "1"], 2, "256..");
}

const OWN: &str = r#"[redact.personal]
ip = "mask"

[[redact.rules]]
id = "acme-token"
regex = 'acme_[a-z0-9]{8,20}'

[[redact.rules]]
id = "customer-number"
regex = '[0-9]{6,10}'
fields = ["customer.number"]
action = "mask"
keep_last = 3
"#;

#[test]
fn own_rules_work_in_the_filter_and_are_checked_with_their_lines() {
    let dir = tempfile::tempdir().unwrap();
    let good = write(&dir.path().join("good.toml"), OWN);
    let input = "{\"customer\":{\"number\":48211093},\"n\":48211093}\r\nfrom 203.0.113.7 with acme_ab12cd34ef\n";
    let clean = run(&["redact", "--rules", &good, "--stats"], input.as_bytes());
    let (out, told) = (text(&clean.stdout), text(&clean.stderr));
    let expected = "{\"customer\":{\"number\":\"****093\"},\"n\":48211093}\r\nfrom 203.0.113.0 with [R:acme-token:";
    assert!(out.starts_with(expected) && out.ends_with("]\n"), "{out}");
    assert!(told.contains("         1  customer-number"), "{told}");
    let tried = write(
        &dir.path().join("dry.toml"),
        &format!("redact.dry_run = true\n{OWN}"),
    );
    let left = run(&["redact", "--rules", &tried, "--stats"], input.as_bytes());
    assert_eq!(text(&left.stdout), input);
    assert!(text(&left.stderr).contains("         3  found in the dry run and left:"));

    let bad = OWN
        .replace("{8,20}", "+")
        .replace("keep_last", "keeps_last");
    let bad = write(&dir.path().join("bad.toml"), &bad);
    let check = |arguments: &[&str], expected: &[&str]| {
        let checked = run(arguments, b"");
        assert_eq!(checked.status.code(), Some(3));
        let told = text(&checked.stderr);
        for expected in expected {
            assert!(told.contains(expected), "{told}");
        }
    };
    check(
        &["check", "--config", &bad],
        &[
            "bad.toml:6: redact.rules.0.regex: unbounded repeat",
            "bad.toml:13: unknown field",
        ],
    );
    let bad = write(&dir.path().join("bad.toml"), &OWN.replace("{8,20}", "+"));
    check(
        &["redact", "--rules", &bad],
        &["bad.toml:6: redact.rules.0.regex: unbounded repeat"],
    );
    let data = dir.path().join("data");
    check(
        &[
            "serve",
            "--config",
            &bad,
            "--data-dir",
            data.to_str().unwrap(),
        ],
        &["bad.toml:6: redact.rules.0.regex: unbounded repeat"],
    );
}

#[test]
fn own_rules_are_taken_over_while_running() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let server = Server::start(&data);
    let event = |word: &str| {
        let line = format!(
            r#"{{"message":"{word} acme_ab12cd34ef","customer":{{"number":48211093}},"client_ip":"203.0.113.7"}}"#
        );
        assert_eq!(server.ingest("", line.as_bytes()).status, 200);
        server.settle();
        server.search(word).remove(0).to_string()
    };
    let before = event("before");
    assert!(
        before.contains("acme_ab12cd34ef") && before.contains("48211093"),
        "{before}"
    );
    let config = data.with_extension("toml");
    let reload = |text: &str, expected: &str| {
        std::fs::write(&config, text).unwrap();
        signal(server.pid(), "HUP");
        eventually(expected, || {
            server.log.lock().unwrap().contains(expected).then_some(())
        });
    };
    reload(OWN, "configuration reloaded");
    let after = event("after");
    assert!(
        after.contains("[R:acme-token:") && after.contains("****093"),
        "{after}"
    );
    assert!(
        after.contains("203.0.113.0") && !after.contains("203.0.113.7"),
        "{after}"
    );
    assert!(
        !after.contains("acme_ab") && !after.contains("48211093"),
        "{after}"
    );
    // What is wrong is refused, and the rules stay.
    reload(&OWN.replace("{8,20}", "+"), "unbounded repeat");
    assert!(event("again").contains("[R:acme-token:"));
    assert!(!server.log.lock().unwrap().contains("need a restart"));
}

#[test]
fn a_leaked_secret_leads_to_its_events_and_is_kept_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let server = Server::start(&data);
    let lines = [
        format!(r#"{{"message":"in text password={SECRET} end","request_id":"r-1"}}"#),
        format!(r#"{{"headers":{{"authorization":"Bearer {SECRET}"}},"request_id":"r-2"}}"#),
        format!(r#"{{"session_id":"{SECRET}","request_id":"r-3"}}"#),
        format!(r#"{{"path":"/callback?token={SECRET}&page=2","request_id":"r-4"}}"#),
        format!(r#"{{"body":"{{\"password\":\"{SECRET}\"}}","request_id":"r-5"}}"#),
        r#"{"message":"in text password=Other8fJ2kLm9pQ4 end","request_id":"r-6"}"#.to_owned(),
    ];
    assert_eq!(server.ingest("", lines.join("\n").as_bytes()).status, 200);
    server.settle();
    let ids = |answer: &serde_json::Value| {
        let events = answer["data"].as_array().unwrap().iter();
        let mut ids: Vec<String> = events
            .map(|event| event["http.request.id"].as_str().unwrap().to_owned())
            .collect();
        ids.sort();
        ids
    };
    let mut told = String::new();
    for form in [
        SECRET.to_owned(),
        format!(" Bearer {SECRET}\n"),
        format!("\"{SECRET}\""),
    ] {
        let reply = server.post(
            "/api/v1/lookup-secret",
            &serde_json::json!({"secret": form}),
        );
        assert_eq!(reply.status, 200, "{}", reply.text());
        let answer = reply.json();
        assert_eq!(
            ids(&answer),
            ["r-1", "r-2", "r-3", "r-4", "r-5"],
            "{form:?}"
        );
        assert_eq!(answer["tags"][0]["tag"].as_str().unwrap().len(), 16);
        told += &reply.text();
    }
    let faults = [
        serde_json::json!({"secret": ""}),
        serde_json::json!({"secret": SECRET, "limit": 0}),
        serde_json::json!({"secret": [SECRET]}),
        serde_json::json!({"secret": SECRET, SECRET: 1}),
        serde_json::json!({"secret": SECRET.repeat(3000)}),
    ];
    for body in &faults[..] {
        let reply = server.post("/api/v1/lookup-secret", body);
        assert_eq!(reply.status, 422, "{}", reply.text());
        // A name that the client made up is named; what it sent as a value is not.
        if body.get(SECRET).is_none() {
            told += &reply.text();
        }
    }
    let url = format!("http://{}", server.address);
    let key = write(&dir.path().join("key"), &server.key);
    let search = |more: &[&str]| {
        let mut arguments = vec![
            "search",
            "--secret-stdin",
            "--url",
            &url,
            "--key-file",
            &key,
        ];
        arguments.extend(more);
        let output = run(&arguments, format!("{SECRET}\n").as_bytes());
        (
            output.status.code(),
            text(&output.stdout),
            text(&output.stderr),
        )
    };
    let (code, out, err) = search(&["--count"]);
    assert_eq!((code, out.trim()), (Some(0), "5"), "{err}");
    assert!(err.starts_with("tag: "));
    let (_, found, err) = search(&["request_id:r-3 OR id:r-3"]);
    assert_eq!(found.lines().count(), 1, "{found}");
    told += &format!("{err}{found}");
    let (code, _, _) = search(&["--key-file", "-"]);
    assert_eq!(code, Some(2));
    told += &server.log.lock().unwrap();
    assert_eq!(server.stop(), Some(0));
    assert!(!told.contains(SECRET), "{told}");
    let mut files = Vec::new();
    crate::leak::everything(&data, &mut files);
    let holds = |bytes: &[u8]| {
        bytes
            .windows(SECRET.len())
            .any(|part| part == SECRET.as_bytes())
    };
    assert!(!files.iter().any(|(_, bytes)| holds(bytes)));
}

#[test]
fn a_rotated_tag_key_still_finds_what_was_tagged_before() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let place = data.to_str().unwrap();
    let line = |id: &str| format!(r#"{{"password":"{SECRET}","request_id":"{id}"}}"#);
    let send = |server: &Server, id: &str| {
        assert_eq!(server.ingest("", line(id).as_bytes()).status, 200);
        server.settle();
        let found = server.search(&format!("id:{id}")).remove(0);
        found["ext.password"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let none = run(&["key", "rotate-tag", "--data-dir", place], b"");
    assert_eq!(none.status.code(), Some(1));
    let server = Server::start(&data);
    let old = send(&server, "r-old");
    assert_eq!(server.stop(), Some(0));
    let rotated = run(
        &["key", "rotate-tag", "--data-dir", place, "-o", "raw"],
        b"",
    );
    assert_eq!(rotated.status.code(), Some(0), "{}", text(&rotated.stderr));
    let id = text(&rotated.stdout).trim().to_owned();
    let server = Server::start(&data);
    let new = send(&server, "r-new");
    assert!(
        new.starts_with(&format!("[R:password:{id}:")) && new != old,
        "{new} {old}"
    );
    let answer = server
        .post(
            "/api/v1/lookup-secret",
            &serde_json::json!({"secret": SECRET}),
        )
        .json();
    assert_eq!(answer["data"].as_array().unwrap().len(), 2, "{answer}");
    assert_eq!(answer["tags"][0]["key_id"], id.as_str());
    let text_of_both = format!("password={old} password={new}\n");
    let kept = run(&["redact", "--data-dir", place], text_of_both.as_bytes());
    assert_eq!(text(&kept.stdout), text_of_both);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_clean_event_costs_no_memory() {
    let redactor = Redactor::new(Options::default(), TagKey::from_bytes(&[7; 32]));
    let event = |at: u32| {
        let mut event = Event::new(Timestamp(1), Timestamp(2));
        event.push_str(Field::Message, "request completed in 42 ms retries=0");
        event.push_str(Field::UrlPath, format!("/v1/orders/{at}/items"));
        event.push_str(Field::UrlQuery, format!("page={at}&sort=-created_at"));
        event.push_str(Field::TraceId, format!("{at:032x}"));
        let agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36";
        event.push_str(Field::UserAgent, agent);
        event.push_ext("http.headers.accept-language", Value::Str("en-US".into()));
        event.push_ext("cart.items", Value::Num("17".into()));
        event
    };
    let line = |at: u32| {
        format!(
            r#"{{"ts":"2026-11-22T10:00:00Z","msg":"order {at} paid","http":{{"status":200}}}}"#
        )
    };
    // The first of a kind fills what is remembered.
    for at in 0..10 {
        drop(redactor.redact(event(at)));
        drop(redactor.redact_line(line(at).as_bytes()));
    }
    let counted = allocation_counter::measure(|| drop(std::hint::black_box(Box::new(1))));
    assert_eq!(counted.count_total, 1);
    let (next, written) = (event(11), line(11));
    let spent = allocation_counter::measure(|| {
        let clean = redactor.redact(next);
        assert!(clean.get(Field::RedactionCount).is_none());
        std::mem::forget(clean);
    });
    assert_eq!(spent.count_total, 0);
    let spent = allocation_counter::measure(|| {
        let clean = redactor.redact_line(written.as_bytes());
        assert!(matches!(clean, std::borrow::Cow::Borrowed(_)));
    });
    assert_eq!(spent.count_total, 0);
}
