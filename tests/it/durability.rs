//! Killed at any moment, nothing acknowledged is lost and nothing is counted twice.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;

use crate::harness::{Server, eventually, exchange};

const KILLS: u64 = 20;

/// Sends small batches until told to stop; remembers what was acknowledged.
fn sender(
    address: String,
    key: String,
    tag: String,
    stop: Arc<AtomicBool>,
    acked: Arc<Mutex<Vec<String>>>,
) {
    let bearer = format!("Bearer {key}");
    for number in 0.. {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        let ids: Vec<String> = (0..7).map(|n| format!("{tag}-{number:05}-{n}")).collect();
        let body: String = ids
            .iter()
            .map(|id| format!("{}\n", json!({"request_id": id, "message": "durability", "status": 401, "client_ip": "198.51.100.23"})))
            .collect();
        match exchange(
            &address,
            "POST",
            "/api/v1/ingest",
            &[("authorization", &bearer)],
            body.as_bytes(),
        ) {
            Ok(reply) if reply.status == 200 => acked.lock().unwrap().extend(ids),
            _ => return,
        }
    }
}

#[test]
fn kill_9_under_load_loses_nothing_and_doubles_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let acked: Arc<Mutex<Vec<String>>> = Arc::default();
    for round in 0..KILLS {
        let server = Server::start(&data);
        let stop = Arc::new(AtomicBool::new(false));
        let senders: Vec<_> = (0..3)
            .map(|thread| {
                let (address, key) = (server.address.clone(), server.key.clone());
                let (stop, acked) = (stop.clone(), acked.clone());
                std::thread::spawn(move || {
                    sender(address, key, format!("r{round:02}t{thread}"), stop, acked)
                })
            })
            .collect();
        // A different moment each time, from the first milliseconds to well into index commits and checkpoints.
        std::thread::sleep(Duration::from_millis(15 + (round * 197) % 1_400));
        server.kill();
        stop.store(true, Ordering::SeqCst);
        for sender in senders {
            sender.join().unwrap();
        }
    }
    let server = Server::start(&data);
    server.settle();
    let acked = acked.lock().unwrap().clone();
    assert!(
        acked.len() > 500,
        "only {} events were acknowledged",
        acked.len()
    );
    let mut found: BTreeMap<String, u32> = BTreeMap::new();
    let mut cursor = serde_json::Value::Null;
    loop {
        let ask = json!({"query": "durability", "from": "now-1d", "to": "now+1d", "limit": 1000, "cursor": cursor});
        let page = server.post("/api/v1/search", &ask).json();
        for event in page["data"].as_array().unwrap() {
            let id = event["http.request.id"]
                .as_str()
                .or(event["correlation.id"].as_str())
                .unwrap()
                .to_owned();
            *found.entry(id).or_default() += 1;
        }
        cursor = page["page"]["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    for id in &acked {
        assert_eq!(found.get(id), Some(&1), "{id} was acknowledged");
    }
    assert!(
        found.values().all(|count| *count == 1),
        "an event stands twice"
    );
    for id in acked.iter().step_by(acked.len() / 20 + 1) {
        assert_eq!(server.search(&format!("id:{id}")).len(), 1, "id:{id}");
    }
    let alerts = eventually("the burst alert", || {
        let alerts = server.get("/api/v1/alerts?limit=100").json()["data"]
            .as_array()
            .unwrap()
            .clone();
        (!alerts.is_empty()).then_some(alerts)
    });
    let mut keys: Vec<String> = alerts
        .iter()
        .filter(|alert| alert["status"] != "closed")
        .map(|alert| alert["dedup_key"].to_string())
        .collect();
    keys.sort();
    let all = keys.len();
    keys.dedup();
    assert_eq!(all, keys.len(), "one open alert per rule and group");
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_deleted_index_is_rebuilt_with_the_same_answers() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let server = Server::start(&data);
    let lines: String = (0..500)
        .map(|n| {
            format!(
                "{}\n",
                json!({"message": "rebuild me", "n": n, "request_id": format!("rebuild-{n:04}")})
            )
        })
        .collect();
    assert_eq!(server.ingest("", lines.as_bytes()).status, 200);
    server.settle();
    let before = server.search("rebuild");
    assert_eq!(before.len(), 500);
    assert_eq!(server.stop(), Some(0));
    std::fs::remove_dir_all(data.join("index")).unwrap();
    let server = Server::start(&data);
    server.settle();
    assert_eq!(server.search("rebuild"), before);
    assert_eq!(server.search("id:REBUILD-0417").len(), 1);
}

#[test]
fn sigterm_drains_and_keeps_what_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let server = Server::start(&data);
    assert_eq!(
        server
            .ingest("", b"{\"message\":\"before the drain\"}")
            .status,
        200
    );
    assert_eq!(server.stop(), Some(0));
    let server = Server::start(&data);
    server.settle();
    assert_eq!(server.search("drain").len(), 1);
}

/// A file system of its own, small enough to fill; unmounted at the end.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(dir: &std::path::Path, megabytes: u32) -> Option<Self> {
        std::fs::create_dir_all(dir).unwrap();
        let size = format!("size={megabytes}m");
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(dir)
            .output();
        mounted
            .is_ok_and(|done| done.status.success())
            .then(|| Self(dir.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _left_to_the_system = std::process::Command::new("umount")
            .arg("-l")
            .arg(&self.0)
            .status()
            .is_err();
    }
}

#[test]
fn a_full_disk_is_a_503_and_service_comes_back_with_the_room() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&dir.path().join("disk"), 64) else {
        eprintln!("skipped: this system does not let the tests mount a small file system");
        return;
    };
    let filler = disk.0.join("filler");
    std::fs::write(&filler, vec![0u8; 44 << 20]).unwrap();
    let server = Server::start(&disk.0.join("data"));
    let mut seed = 1u64;
    let mut acked = 0usize;
    let mut noise = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        format!("{seed:016x}")
    };
    let refused = loop {
        let long: String = (0..20).map(|_| noise()).collect::<Vec<_>>().join(" ");
        let body: String = (0..500)
            .map(|_| {
                format!(
                    "{}\n",
                    json!({"message": format!("disk {} {long}", noise())})
                )
            })
            .collect();
        let reply = server.ingest("", body.as_bytes());
        match reply.status {
            200 => acked += 500,
            _ => break reply,
        }
        assert!(acked < 2_000_000, "the disk never filled up");
    };
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(refused.header("retry-after").is_some());
    std::fs::remove_file(&filler).unwrap();
    eventually("the log to take events again", || {
        (server.ingest("", b"{\"message\":\"roomagain\"}").status == 200).then_some(())
    });
    server.settle();
    assert!(!server.search("roomagain").is_empty());
    let ask = json!({"query": "disk", "from": "now-1d", "to": "now+1d", "limit": 1, "count": true});
    let total = server.post("/api/v1/search", &ask).json()["stats"]["total"].clone();
    let found = usize::try_from(total.as_u64().unwrap()).unwrap();
    // What was refused may or may not be there; what was acknowledged is, once.
    assert!(
        (acked..=acked + 500).contains(&found),
        "{found} found, {acked} acknowledged"
    );
    assert_eq!(server.stop(), Some(0));
}
