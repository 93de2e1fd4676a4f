//! Data directories that builds before this one have written: each must be read forever.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::harness::{BIN, Server, create_key};

/// Unpacks a directory of `tests/fixtures`, with what it was made of:
///
/// `data-1`: 100 events of `mallory` with refused requests, 20 of `kim` with orders and a secret, of which order 7 was erased; then,
/// encrypted with `log.key`, orders 21 to 30. Alerts, a webhook, a receipt, a legal hold that keeps it all from retention.
fn unpacked(name: &str, to: &Path) -> PathBuf {
    let archive =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/{name}.tar.gz"));
    let mut tar = Command::new("tar");
    let done = tar.arg("-xzpf").arg(archive).arg("-C").arg(to).status();
    assert!(done.unwrap().success());
    to.join("data")
}

#[test]
fn a_data_directory_of_format_1_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let data = unpacked("data-1", dir.path());
    let verified = Command::new(BIN)
        .args(["verify", "--data-dir"])
        .arg(&data)
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!(verified.status.code(), Some(0), "{report}");
    assert_eq!(report["erased_segments"], 1);
    assert_eq!(report["sealed_frames"], 1);
    assert_eq!(report["index"]["events"], 129);

    let config = format!(
        "[wal]\nencryption_key_file = \"{}\"\n",
        data.join("log.key").display()
    );
    create_key(&data, "admin");
    let server = Server::start_with(&data, &config);
    server.settle();
    let check = |query: &str, expected: usize| {
        assert_eq!(server.search(query).len(), expected, "{query}");
    };
    check("user.id:mallory status:403", 100);
    check("order", 29);
    check("\"order 7 placed\"", 0);
    check("\"order 25 placed\"", 1);
    check("id:req-42", 1);
    let tagged = server.search("\"order 3 placed\"");
    assert!(
        tagged[0]["ext.api_key"]
            .as_str()
            .unwrap()
            .starts_with("[R:")
    );
    let total = |path: &str| server.get(path).json()["data"].as_array().unwrap().len();
    assert!(total("/api/v1/alerts") > 0);
    assert_eq!(total("/api/v1/webhooks"), 1);
    assert_eq!(total("/api/v1/erasures"), 1);
    assert_eq!(total("/api/v1/holds"), 1);
    server.ingest("", b"{\"message\":\"order 31 placed\"}");
    server.settle();
    check("order", 30);
    assert_eq!(server.stop(), Some(0));
}
