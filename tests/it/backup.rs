//! Backups of running and stopped servers, and what becomes of them.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::harness::{BIN, Server, create_key, run, said, text};

/// The server of a directory, with a key that it knows already.
fn serve(data: &Path, key: &str) -> Server {
    let mut command = Command::new(BIN);
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir", text(data)]);
    Server::spawn(command, key.to_owned())
}

const LINE: &str = r#"{"message":"signed in","user":"kim","api_key":"Zq8fJ2kLm9pQ4rStUv"}"#;

fn tag_of(server: &Server) -> String {
    let found = server.search("message:signed");
    found[0]["ext.api_key"].as_str().unwrap().to_owned()
}

#[test]
fn a_server_is_backed_up_while_it_takes_events_and_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let (data, backups, again) = (at("data"), at("backups"), at("again"));
    let server = Server::start(&data);
    server.ingest("", format!("{LINE}\n").repeat(200).as_bytes());
    let is_over = AtomicBool::new(false);
    let made = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                server.ingest("", br#"{"message":"meanwhile"}"#);
            }
        });
        let arguments = ["backup", text(&backups), "--data-dir", text(&data)];
        let made = said(&run(Some(&server), &arguments), 0);
        is_over.store(true, Ordering::Relaxed);
        made
    });
    let events = made["events"].as_u64().unwrap();
    assert!(events >= 200 && made["keys"] == true, "{made}");
    server.settle();
    let (tag, key) = (tag_of(&server), server.key.clone());
    assert_eq!(server.stop(), Some(0));

    let restored = said(
        &run(
            None,
            &["restore", text(&backups), "--data-dir", text(&again)],
        ),
        0,
    );
    assert_eq!(restored["events"], events);
    assert_eq!(
        run(None, &["verify", "--data-dir", text(&again)])
            .status
            .code(),
        Some(0)
    );
    let server = serve(&again, &key);
    server.settle();
    assert_eq!(server.search("message:signed").len(), 200);
    assert_eq!(tag_of(&server), tag);
    server.ingest("", br#"{"message":"goes on"}"#);
    server.settle();
    assert_eq!(server.search("\"goes on\"").len(), 1);
    assert_eq!(server.stop(), Some(0));
    // What is half restored is not served.
    std::fs::create_dir(again.join(".restoring")).unwrap();
    let arguments = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        text(&again),
    ];
    let refused = run(None, &arguments);
    assert_eq!(refused.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("being restored"));
    std::fs::remove_dir(again.join(".restoring")).unwrap();
    // What is there already is left alone.
    let twice = run(
        None,
        &["restore", text(&backups), "--data-dir", text(&again)],
    );
    assert_eq!(twice.status.code(), Some(1));
}

#[test]
fn a_stopped_server_is_backed_up_from_its_directory() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let (data, backups, again) = (at("data"), at("backups"), at("again"));
    let server = Server::start(&data);
    server.ingest("", format!("{LINE}\n").repeat(3).as_bytes());
    let key = server.key.clone();
    server.kill();
    let made = said(
        &run(None, &["backup", text(&backups), "--data-dir", text(&data)]),
        0,
    );
    assert_eq!(made["events"], 3);
    let file = made["file"].as_str().unwrap();

    // Without its key files it says what is missing, and the server does not begin anew without them.
    let moved = at("moved.tar");
    // Keys lie beside a file by its name.
    std::fs::copy(file, &moved).unwrap();
    let output = run(None, &["restore", text(&moved), "--data-dir", text(&again)]);
    assert_eq!(said(&output, 0)["keys"], false);
    assert!(String::from_utf8_lossy(&output.stderr).contains("tag.key"));
    let mut serve_it = Command::new(BIN);
    serve_it.args([
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        text(&again),
    ]);
    assert_eq!(serve_it.output().unwrap().status.code(), Some(3));
    for name in ["tag.key", "store/secret.key"] {
        std::fs::copy(data.join(name), again.join(name)).unwrap();
    }
    let server = serve(&again, &key);
    server.settle();
    assert_eq!(server.search("message:signed").len(), 3);
    server.kill();

    let mut bytes = std::fs::read(&moved).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&moved, bytes).unwrap();
    let third = at("third");
    let arguments = ["restore", text(&moved), "--data-dir", text(&third)];
    assert_eq!(run(None, &arguments).status.code(), Some(4));
    assert!(!third.exists());
}

#[test]
fn a_backup_takes_the_scope_of_an_administrator() {
    let dir = tempfile::tempdir().unwrap();
    let (data, backups) = (dir.path().join("data"), dir.path().join("backups"));
    let reader = create_key(&data, "search,ingest,alerts");
    let server = Server::start(&data);
    let mut command = Command::new(BIN);
    command.args(["backup", text(&backups)]);
    command.env("WARDLINE_URL", format!("http://{}", server.address));
    let output = command.env("WARDLINE_KEY", reader).output().unwrap();
    assert_eq!(output.status.code(), Some(5));
    assert_eq!(std::fs::read_dir(&backups).unwrap().count(), 0);
    let made = said(&run(Some(&server), &["backup", text(&backups)]), 0);
    assert_eq!(
        (&made["events"], &made["keys"]),
        (&Value::from(0), &Value::from(false))
    );
}

#[test]
fn a_backup_of_another_server_than_the_one_named_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let (one, other) = (Server::start(&at("one")), Server::start(&at("other")));
    let (backups, named) = (at("backups"), at("one"));
    let arguments = ["backup", text(&backups), "--data-dir", text(&named)];
    let output = run(Some(&other), &arguments);
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&output.stderr).contains("another tag.key"));
    assert_eq!(std::fs::read_dir(&backups).unwrap().count(), 0);
    said(&run(Some(&one), &arguments), 0);
    // What is no data directory stays as it is.
    std::fs::create_dir_all(at("hollow/wal")).unwrap();
    let hollow = at("hollow");
    let arguments = ["backup", text(&backups), "--data-dir", text(&hollow)];
    assert_eq!(run(None, &arguments).status.code(), Some(1));
    assert_eq!(std::fs::read_dir(&hollow).unwrap().count(), 1);
}
