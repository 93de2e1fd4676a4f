//! The command line as people and scripts call it: output, exit codes, signals.

use std::process::{Command, Output};

use crate::harness::{BIN, Server, eventually, signal};

fn run(server: &Server, arguments: &[&str]) -> Output {
    Command::new(BIN)
        .args(arguments)
        .env("WARDLINE_URL", format!("http://{}", server.address))
        .env("WARDLINE_KEY", &server.key)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_responder_gets_from_a_file_to_a_request_by_commands_alone() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let server = Server::start(&data);
    let file = dir.path().join("access.log");
    let line = r#"{"path":"/v1/orders/7","status":404,"service":"orders","request_id":"3f2504e0-4f89-11d3-9a0c-0305e82c3301"}"#;
    std::fs::write(&file, format!("{line}\nplain words\n")).unwrap();
    let sent = run(&server, &["ingest", file.to_str().unwrap()]);
    assert_eq!(text(&sent.stdout).trim(), r#"{"accepted":2,"flagged":0}"#);
    server.settle();
    let counted = run(&server, &["search", "status:404", "--count"]);
    assert_eq!(text(&counted.stdout).trim(), "1");
    let id = "3F2504E04F8911D39A0C0305E82C3301";
    let story = run(&server, &["request", id, "--md"]);
    assert_eq!(story.status.code(), Some(0));
    assert!(
        text(&story.stdout).contains("| GET |") || text(&story.stdout).contains("/v1/orders/7")
    );
    assert_eq!(
        run(&server, &["search", "status:[1 TO"]).status.code(),
        Some(2)
    );
    assert_eq!(
        run(&server, &["request", "no-such-id-at-all"])
            .status
            .code(),
        Some(1)
    );
    assert_eq!(run(&server, &["alerts", "list"]).status.code(), Some(0));
    let lost = Command::new(BIN)
        .args(["alerts", "list", "--url", "http://127.0.0.1:9"])
        .output()
        .unwrap();
    assert_eq!(lost.status.code(), Some(5));
    let verify = |expected| {
        let walked = Command::new(BIN)
            .arg("verify")
            .arg("--data-dir")
            .arg(&data)
            .output()
            .unwrap();
        assert_eq!(
            walked.status.code(),
            Some(expected),
            "{}",
            text(&walked.stderr)
        );
    };
    verify(0);
    assert_eq!(server.stop(), Some(0));
    verify(0);
    let segment = std::fs::read_dir(data.join("wal"))
        .unwrap()
        .flatten()
        .map(|entry| entry.path());
    let segment = segment
        .into_iter()
        .find(|path| path.extension().is_some_and(|end| end == "seg"))
        .unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[200] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    verify(4);
}

#[test]
fn a_bad_configuration_is_refused_at_start_and_ignored_on_reload() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bad.toml");
    std::fs::write(&file, "nonsense = 1\n[wal]\nzstd_level = \"high\"\n").unwrap();
    let checked = Command::new(BIN)
        .arg("check")
        .arg("--config")
        .arg(&file)
        .output()
        .unwrap();
    assert_eq!(checked.status.code(), Some(3));
    for place in ["bad.toml:1", "bad.toml:3"] {
        assert!(
            text(&checked.stderr).contains(place),
            "{}",
            text(&checked.stderr)
        );
    }
    let open = Command::new(BIN)
        .args(["serve", "--listen", "0.0.0.0:0", "--data-dir"])
        .arg(dir.path().join("x"))
        .output()
        .unwrap();
    assert_eq!(open.status.code(), Some(3));
    assert!(
        text(&open.stderr).contains("tls.cert"),
        "{}",
        text(&open.stderr)
    );
    let data = dir.path().join("data");
    let server = Server::start_with(&data, "");
    let count = |name: &str| server.get("/metrics").text().contains(name);
    signal(server.pid(), "HUP");
    eventually("a reload", || {
        count("wardline_config_reloads_total 1").then_some(())
    });
    std::fs::write(data.with_extension("toml"), "nonsense = 1\n").unwrap();
    signal(server.pid(), "HUP");
    eventually("a refused reload", || {
        count("wardline_config_reload_failures_total 1").then_some(())
    });
    assert_eq!(
        server.ingest("", b"{\"message\":\"still here\"}").status,
        200
    );
}
