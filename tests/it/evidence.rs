//! Evidence packs, from an attack over HTTP to the file that proves it, and what becomes of a pack that was changed.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::harness::{BIN, Server, create_key, eventually};

fn now_minus(seconds: i64) -> String {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    wardline::model::Timestamp(i64::try_from(now.as_nanos()).unwrap() - seconds * 1_000_000_000)
        .to_rfc3339()
}

/// A server, an address that enumerates paths among others, and the alert about it.
fn attacked(dir: &Path) -> (Server, Value) {
    let server = Server::start(&dir.join("data"));
    for step in 0..40 {
        let mut lines = String::new();
        for client in ["198.51.100.7", "203.0.113.9"] {
            let status = if client.starts_with("198") { 404 } else { 200 };
            let event = json!({
                "timestamp": now_minus(60 - step), "service": "gateway", "method": "GET",
                "path": format!("/probe/{step}/x"), "status": status, "client_ip": client,
            });
            lines.push_str(&format!("{event}\n"));
        }
        assert_eq!(server.ingest("", lines.as_bytes()).status, 200);
    }
    let alert = eventually("an alert", || {
        let alerts = server.get("/api/v1/alerts?status=open").json();
        let mut alerts = alerts["data"].as_array().unwrap().iter();
        alerts
            .find(|alert| alert["title"].to_string().contains("ath enumeration"))
            .cloned()
    });
    server.settle();
    (server, alert)
}

fn run(server: &Server, arguments: &[&str]) -> Output {
    Command::new(BIN)
        .args(arguments)
        .env("WARDLINE_URL", format!("http://{}", server.address))
        .env("WARDLINE_KEY", &server.key)
        .output()
        .unwrap()
}

/// What `wardline verify` says of a pack.
fn verify(path: &Path, expected: i32) -> String {
    let output = Command::new(BIN).arg("verify").arg(path).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(expected), "{told}");
    if expected == 0 {
        return String::from_utf8(output.stdout).unwrap();
    }
    assert!(told.starts_with("damage: "), "{told}");
    told
}

type Files = Vec<(String, Vec<u8>)>;

fn word(bytes: &[u8], at: usize) -> usize {
    usize::try_from(u32::from_le_bytes(*bytes[at..].first_chunk::<4>().unwrap())).unwrap()
}

/// The files of a pack, by what the format says of entries that are stored.
fn unpacked(pack: &[u8]) -> Files {
    let (mut files, mut at) = (Files::new(), 0);
    while pack[at..].starts_with(b"PK\x03\x04") {
        let name_end = at + 30 + (word(pack, at + 26) & 0xffff);
        let end = name_end + word(pack, at + 22);
        let name = String::from_utf8(pack[at + 30..name_end].to_vec()).unwrap();
        files.push((name, pack[name_end..end].to_vec()));
        at = end;
    }
    files
}

/// The same again, by a writer of its own.
fn packed(files: &Files) -> Vec<u8> {
    let (mut pack, mut listing) = (Vec::new(), Vec::new());
    for (name, bytes) in files {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        let length = u32::try_from(bytes.len()).unwrap().to_le_bytes();
        let mut shared = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
        shared.extend(crc.sum().to_le_bytes());
        shared.extend(length);
        shared.extend(length);
        shared.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
        shared.extend([0, 0]);
        let at = u32::try_from(pack.len()).unwrap().to_le_bytes();
        pack.extend([b"PK\x03\x04", shared.as_slice(), name.as_bytes(), bytes].concat());
        let mode = (0o100_600u32 << 16).to_le_bytes();
        let tail = [&[0; 6], mode.as_slice(), &at, name.as_bytes()].concat();
        listing.extend([b"PK\x01\x02\x14\x03".as_slice(), &shared, &tail].concat());
    }
    let count = u16::try_from(files.len()).unwrap().to_le_bytes();
    let sizes = [listing.len(), pack.len()].map(|size| u32::try_from(size).unwrap().to_le_bytes());
    pack.extend(listing);
    pack.extend(
        [
            b"PK\x05\x06\0\0\0\0".as_slice(),
            &count,
            &count,
            &sizes[0],
            &sizes[1],
            &[0, 0],
        ]
        .concat(),
    );
    pack
}

fn sha256(bytes: &[u8]) -> String {
    let digest = wardline::model::sha256(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Makes every sum right again, as somebody does who knows how.
fn resealed(mut files: Files) -> Vec<u8> {
    let at = files
        .iter()
        .position(|(name, _)| name == "manifest.json")
        .unwrap();
    let mut manifest: Value = serde_json::from_slice(&files[at].1).unwrap();
    let entries = files[..at].iter();
    let entry = |(name, bytes): &(String, Vec<u8>)| json!({"path": name, "bytes": bytes.len(), "sha256": sha256(bytes)});
    manifest["files"] = entries.map(entry).collect();
    files[at].1 = manifest.to_string().into_bytes();
    let line = format!("{}  manifest.json\n", sha256(&files[at].1));
    files[at + 1].1 = line.into_bytes();
    packed(&files)
}

#[test]
fn an_alert_becomes_a_file_that_proves_it() {
    let dir = tempfile::tempdir().unwrap();
    let (server, alert) = attacked(dir.path());
    let id = alert["id"].as_str().unwrap();
    let path = dir.path().join("pack.zip");
    let file = path.to_str().unwrap();
    let note = "see ticket 7, password=hunter2secret9";
    let made = run(
        &server,
        &["evidence", "--alert", id, "--note", note, "-o", file],
    );
    assert_eq!(
        made.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let report: Value = serde_json::from_str(&verify(&path, 0)).unwrap();
    assert_eq!(report["alert"], alert["id"]);
    assert!(report["events"].as_u64().unwrap() >= 15, "{report}");
    assert_eq!(report["events"], report["compared"]);
    assert!(report["links"].as_u64().unwrap() > 0, "{report}");
    // Who made it stands in the server's log.
    let sum = report["manifest_sha256"].as_str().unwrap();
    let log = server.log.lock().unwrap().clone();
    assert!(
        log.lines()
            .any(|line| line.contains(sum) && line.contains(id)),
        "{log}"
    );
    let held = |sum: &str, expected| {
        let mut command = Command::new(BIN);
        let output = command
            .args(["verify", file, "--manifest-sha256", sum])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(expected));
    };
    held(sum, 0);
    held(&sum.replace('a', "b"), 4);

    let pack = std::fs::read(&path).unwrap();
    let files = unpacked(&pack);
    assert_eq!(packed(&files), pack);
    let text = |name: &str| {
        let file = files.iter().find(|(known, _)| known == name);
        String::from_utf8(file.unwrap().1.clone()).unwrap()
    };
    let document = |name: &str| serde_json::from_str::<Value>(&text(name)).unwrap();
    assert_eq!(document("alert.json")["alert"]["id"], alert["id"]);
    assert_eq!(document("alert.json")["history"][0]["action"], "opened");
    let (rule, query) = (document("rule.json"), document("query.json"));
    assert_eq!(rule["fired_revision"], rule["loaded_revision"]);
    assert!(text("rule.yml").contains(alert["rule"]["name"].as_str().unwrap()));
    assert_eq!(
        (&query["query"], &query["time_zone"]),
        (&alert["query"], &json!("UTC"))
    );
    let note = query["note"].as_str().unwrap();
    assert!(
        note.contains("ticket 7") && !note.contains("hunter2"),
        "{note}"
    );
    for line in text("events.ndjson").lines() {
        assert!(line.contains("198.51.100.7"), "{line}");
    }

    let changed = dir.path().join("changed.zip");
    let tell = |bytes: &[u8]| {
        std::fs::write(&changed, bytes).unwrap();
        verify(&changed, 4)
    };
    // A byte of each file, and of what is between files.
    for (name, bytes) in &files {
        let mut other = pack.clone();
        let start = other
            .windows(bytes.len())
            .position(|part| part == bytes)
            .unwrap();
        other[start + bytes.len() / 2] ^= 1;
        let told = tell(&other);
        assert!(told.contains(name), "{name}: {told}");
        other = pack.clone();
        other[start - 1] ^= 1;
        tell(&other);
    }
    for at in [0, 9, pack.len() - 60, pack.len() - 1] {
        let mut other = pack.clone();
        other[at] ^= 1;
        tell(&other);
    }
    tell(&pack[..pack.len() / 2]);
    tell(b"");
    let with = |change: &dyn Fn(&mut Files)| {
        let mut files = files.clone();
        change(&mut files);
        files
    };
    let swapped = with(&|files| {
        let other = files[1].1.clone();
        files[1].1 = std::mem::replace(&mut files[0].1, other);
    });
    tell(&packed(&swapped));
    let dropped = with(&|files| drop(files.remove(6)));
    tell(&packed(&dropped));
    tell(&resealed(dropped));
    for name in [
        "more.json",
        "../../more",
        "frames/00000000000000000999.frame",
    ] {
        let added = with(&|files| files.insert(0, (name.to_owned(), b"{}".to_vec())));
        tell(&packed(&added));
        tell(&resealed(added));
    }
    // One event, with all sums made right again: the record in the log's frame tells.
    let forged = with(&|files| {
        let file = files.iter_mut().find(|(name, _)| name == "events.ndjson");
        let text = String::from_utf8(file.as_ref().unwrap().1.clone()).unwrap();
        file.unwrap().1 = text
            .replacen("198.51.100.7", "198.51.100.8", 1)
            .into_bytes();
    });
    let told = tell(&resealed(forged));
    assert!(
        told.contains("events.ndjson, line 1: the event is not what its record"),
        "{told}"
    );
}

#[test]
fn a_search_becomes_a_pack_within_its_bounds() {
    let dir = tempfile::tempdir().unwrap();
    let reader = create_key(&dir.path().join("data"), "search");
    let config = "[api]\nevidence_events_max = 30\n";
    let server = Server::start_with(&dir.path().join("data"), config);
    let lines = |count: usize, user: &str| {
        let line = format!("{{\"user_id\":\"{user}\",\"message\":\"m\"}}\n");
        assert_eq!(server.ingest("", line.repeat(count).as_bytes()).status, 200);
    };
    lines(30, "u-1");
    lines(31, "u-2");
    server.settle();
    let ask = |body: &Value| server.post("/api/v1/evidence", body);
    let path = dir.path().join("pack.zip");
    let check = |body: Value, events: u64, compared: u64| {
        let answer = ask(&body);
        assert_eq!(answer.status, 200, "{body}: {}", answer.text());
        assert!(answer.is_whole);
        std::fs::write(&path, &answer.body).unwrap();
        let report: Value = serde_json::from_str(&verify(&path, 0)).unwrap();
        assert_eq!(report["events"], events, "{body}");
        assert_eq!(report["compared"], compared, "{body}");
        let sum = answer.header("x-wardline-manifest-sha256").unwrap();
        assert_eq!(report["manifest_sha256"], sum);
        unpacked(&answer.body)
    };
    let files = check(json!({"query": "user.id:u-1"}), 30, 30);
    assert!(files.iter().any(|(name, _)| name.starts_with("frames/")));
    let files = check(json!({"query": "user.id:u-1", "frames": false}), 30, 0);
    assert!(!files.iter().any(|(name, _)| name.starts_with("frames/")));
    check(
        json!({"query": "user.id:u-1", "from": "now-1h", "to": "now-30m"}),
        0,
        0,
    );
    for (body, status, place) in [
        (json!({}), 422, ""),
        (json!({"query": "user.id:u-2"}), 422, "too_costly"),
        (json!({"query": "("}), 422, "/query"),
        (json!({"query": "x", "alert": "alt_1"}), 422, "/query"),
        (json!({"alert": "alt_1", "from": "now-1h"}), 422, "/from"),
        (json!({"query": "x", "to": "soon"}), 422, "/to"),
        (
            json!({"query": "x", "note": "x".repeat(8193)}),
            422,
            "/note",
        ),
        (json!({"query": "x", "frame": true}), 422, "/frame"),
        (json!({"alert": "alt_1"}), 404, ""),
    ] {
        let answer = ask(&body);
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
        assert!(answer.text().contains(place), "{body}: {}", answer.text());
    }
    // Nothing is left of packs that were made or refused.
    assert!(!dir.path().join("data/evidence.tmp").exists());
    // An alert is shown to those alone who may see alerts.
    let bearer = format!("Bearer {reader}");
    let as_reader = |body: &str| {
        let headers = [("authorization", bearer.as_str())];
        let path = "/api/v1/evidence";
        crate::harness::exchange(&server.address, "POST", path, &headers, body.as_bytes()).unwrap()
    };
    assert_eq!(as_reader("{\"alert\":\"alt_1\"}").status, 403);
    assert_eq!(as_reader("{\"query\":\"user.id:u-1\"}").status, 200);
    // On the command line a file that is there stays as it is.
    let arguments = ["evidence", "user.id:u-1", "-o", path.to_str().unwrap()];
    let before = std::fs::read(&path).unwrap();
    assert_eq!(run(&server, &arguments).status.code(), Some(1));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    let other = dir.path().join("other.zip");
    let refused = run(
        &server,
        &["evidence", "user.id:u-2", "-o", other.to_str().unwrap()],
    );
    assert_eq!(refused.status.code(), Some(2));
    assert!(!other.exists());
}
