//! Redaction as its users meet it: the filter.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::harness::{BIN, Server};

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
    check(&["redact", "--line-bytes-max", "1"], 2, "256..");
}
