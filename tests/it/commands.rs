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
    std::fs::remove_file(&segment).unwrap();
    verify(4);
}

#[test]
fn a_tail_shows_what_arrives_and_ends_with_its_server() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("data"));
    let file = dir.path().join("lines");
    std::fs::write(&file, "{\"status\":200}\n{\"status\":404}\n").unwrap();
    let tail = |arguments: &[&str]| {
        Command::new(BIN)
            .arg("tail")
            .args(arguments)
            .env("WARDLINE_URL", format!("http://{}", server.address))
            .env("WARDLINE_KEY", &server.key)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    };
    let mut listening = tail(&["status:404", "--limit", "2"]);
    eventually("two events are shown", || {
        run(&server, &["ingest", file.to_str().unwrap()]);
        listening.try_wait().unwrap()
    });
    let shown = listening.wait_with_output().unwrap();
    assert_eq!(shown.status.code(), Some(0));
    let lines: Vec<serde_json::Value> = text(&shown.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    for event in lines {
        assert_eq!(event["http.response.status_code"], 404);
    }
    assert_eq!(
        run(&server, &["tail", "status:[1 TO"]).status.code(),
        Some(2)
    );
    // An open stream does not keep the server.
    let mut listening = tail(&["", "--limit", "1000"]);
    std::thread::sleep(std::time::Duration::from_millis(500));
    let began = std::time::Instant::now();
    assert_eq!(server.stop(), Some(0));
    assert!(began.elapsed().as_secs() < 20);
    listening.kill().unwrap();
    listening.wait().unwrap();
}

#[test]
fn a_log_whose_end_is_gone_is_not_called_undamaged() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let server = Server::start(&data);
    let segments = || {
        let entries = std::fs::read_dir(data.join("wal")).unwrap().flatten();
        let paths = entries.map(|entry| entry.path());
        paths
            .filter(|path| path.extension().is_some_and(|end| end == "seg"))
            .collect::<Vec<_>>()
    };
    let file = dir.path().join("lines");
    std::fs::write(&file, "one\ntwo\n").unwrap();
    assert_eq!(
        run(&server, &["ingest", file.to_str().unwrap()])
            .status
            .code(),
        Some(0)
    );
    server.settle();
    assert_eq!(server.stop(), Some(0));
    let verify = |expected| {
        let walked = Command::new(BIN)
            .args(["verify", "--data-dir", data.to_str().unwrap()])
            .output()
            .unwrap();
        let told = text(&walked.stderr);
        assert_eq!(walked.status.code(), Some(expected), "{told}");
        told
    };
    assert_eq!(verify(0), "");
    // The frames behind the header alone: every checksum that is left is right.
    let segment = segments().pop().unwrap();
    let whole = std::fs::read(&segment).unwrap();
    let frames = whole
        .windows(4)
        .position(|four| four == [0xF7, b'W', b'L', 0xFE]);
    std::fs::write(&segment, &whole[..frames.unwrap()]).unwrap();
    let told = verify(4);
    assert!(
        told.contains("events 0 to 2 are missing from its end; index/"),
        "{told}"
    );
    assert!(told.contains("; store/ has read them"), "{told}");
    std::fs::remove_dir_all(data.join("index")).unwrap();
    std::fs::remove_dir_all(data.join("store")).unwrap();
    assert!(verify(0).contains("nothing here knows where the log should end"));
    std::fs::remove_file(&segment).unwrap();
    assert!(verify(4).contains("there is no segment"));
}

#[test]
fn a_key_that_is_gone_is_not_made_anew_beside_its_data() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    assert_eq!(Server::start(&data).stop(), Some(0));
    for name in ["tag.key", "store/secret.key"] {
        let key = std::fs::read(data.join(name)).unwrap();
        std::fs::remove_file(data.join(name)).unwrap();
        for command in ["serve", "check"] {
            let refused = Command::new(BIN)
                .args([command, "--data-dir", data.to_str().unwrap()])
                .output()
                .unwrap();
            assert_eq!(refused.status.code(), Some(3), "{command} {name}");
            let told = text(&refused.stderr);
            assert!(told.contains(&format!("{name} is missing")), "{told}");
        }
        assert!(!data.join(name).exists());
        std::fs::write(data.join(name), key).unwrap();
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(data.join(name), open).unwrap();
    }
    assert_eq!(Server::start(&data).stop(), Some(0));
}

#[test]
fn ingest_says_what_is_not_in_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("data"));
    let file = |name: &str, text: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let long = [b"before\n".as_slice(), &vec![b'x'; 65 << 20], b"\nafter\n"].concat();
    let (long, fine, empty) = (
        file("long", &long),
        file("fine", b"fine\n"),
        file("empty", b""),
    );
    let sent = run(&server, &["ingest", &long, "no-such-file", &fine]);
    let told = text(&sent.stderr);
    assert_eq!(sent.status.code(), Some(1), "{told}");
    assert_eq!(text(&sent.stdout).trim(), r#"{"accepted":4,"flagged":1}"#);
    assert!(told.contains(&format!("{long}:2: longer than")), "{told}");
    assert!(told.contains("cannot read no-such-file"), "{told}");
    let sent = run(&server, &["ingest", &long, &fine]);
    assert_eq!(sent.status.code(), Some(4), "{}", text(&sent.stderr));
    assert_eq!(run(&server, &["ingest", &empty]).status.code(), Some(0));
    let key = file("key", b"wl_wrong");
    let wrong = run(&server, &["ingest", &empty, "--key-file", &key]);
    assert_eq!(wrong.status.code(), Some(5));
    let both = run(&server, &["ingest", "-", "--key-file", "-"]);
    assert_eq!(both.status.code(), Some(2));
    let named = [
        "key",
        "create",
        "--data-dir",
        "x",
        "--scope",
        "ingest",
        "--name",
    ];
    for name in ["", "a\u{1b}b", "a b"] {
        let odd = run(&server, &[&named[..], &[name]].concat());
        assert_eq!(odd.status.code(), Some(2), "{name:?}");
    }
    let odd = run(&server, &["search", "x", "--from", "yesterday"]);
    assert_eq!(odd.status.code(), Some(2));
    assert!(text(&odd.stderr).contains("/from: invalid value: expected RFC 3339"));
    let nobody = run(&server, &["request", "nope"]);
    assert_eq!(nobody.status.code(), Some(1));
    assert!(text(&nobody.stderr).contains("no event carries the id nope"));
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

#[test]
fn a_reload_takes_over_what_it_can_and_names_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let (data, rules) = (dir.path().join("data"), dir.path().join("rules"));
    std::fs::create_dir(&rules).unwrap();
    let rule = "title: own\nid: own-1\nlogsource: {category: webserver}\nlevel: high\n\
                detection: {s: {sc-status: 418}, condition: s}\n";
    std::fs::write(rules.join("own.yml"), rule).unwrap();
    let server = Server::start_with(&data, "");
    let configure = |text: &str| {
        std::fs::write(data.with_extension("toml"), text).unwrap();
        signal(server.pid(), "HUP");
    };
    let counted = |line: &str| {
        eventually(line, || {
            server.get("/metrics").text().contains(line).then_some(())
        });
    };
    let has_own = || server.get("/api/v1/rules").text().contains("own-1");
    assert!(!has_own());
    let with_rules = format!(
        "[wal]\nzstd_level = 2\n[detect]\nrules_dir = {:?}\n",
        rules.to_str().unwrap()
    );
    configure(&with_rules);
    counted("wardline_config_reloads_total 1");
    assert!(has_own());
    let log = server.log.lock().unwrap().clone();
    assert!(log.contains(r#""settings":"wal.zstd_level""#), "{log}");
    // All or nothing: the rules are good, the directory of the database is not.
    std::fs::write(rules.join("own.yml"), rule.replace("own-1", "own-2")).unwrap();
    configure(&format!(
        "{with_rules}[pipeline.enrich]\nasn_db = \"/no/such.mmdb\"\n"
    ));
    counted("wardline_config_reload_failures_total 1");
    assert!(has_own());
}

#[test]
fn a_first_start_that_fails_does_not_cost_the_first_sign_in() {
    let dir = tempfile::tempdir().unwrap();
    let (data, broken) = (dir.path().join("data"), dir.path().join("broken.mmdb"));
    let (file, out) = (dir.path().join("wardline.toml"), dir.path().join("out"));
    std::fs::write(&broken, "no database").unwrap();
    let config = format!(
        "[pipeline.enrich]\ncountry_db = {:?}\n",
        broken.to_str().unwrap()
    );
    std::fs::write(&file, config).unwrap();
    let serve = || {
        let mut command = Command::new(BIN);
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(&data)
            .arg("--config")
            .arg(&file);
        command
    };
    let failed = serve().output().unwrap();
    assert_eq!(failed.status.code(), Some(3), "{}", text(&failed.stderr));
    assert!(data.join("wal").exists());
    std::fs::write(&file, "").unwrap();
    let prints_a_link = || {
        let log = std::fs::File::create(&out).unwrap();
        let mut running = serve().stdout(log).spawn().unwrap();
        let said = || std::fs::read_to_string(&out).unwrap();
        eventually("the server to listen", || {
            said().contains("listening on ").then_some(())
        });
        let is_printed = (0..20).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(50));
            said().contains("#setup=")
        });
        signal(running.id(), "TERM");
        assert!(running.wait().unwrap().success());
        is_printed
    };
    assert!(prints_a_link());
    // That link is still good.
    assert!(!prints_a_link());
}
