//! Killed at any moment, nothing acknowledged is lost and nothing is counted twice.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;

use crate::harness::{Server, eventually, exchange};

const KILLS: u64 = 20;

/// Sends small batches until told to stop; remembers what was acknowledged.
fn sender(address: String, key: String, tag: String, stop: Arc<AtomicBool>, acked: Arc<Mutex<Vec<String>>>) {
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
        match exchange(&address, "POST", "/api/v1/ingest", &[("authorization", &bearer)], body.as_bytes()) {
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
                std::thread::spawn(move || sender(address, key, format!("r{round:02}t{thread}"), stop, acked))
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
    assert!(acked.len() > 500, "only {} events were acknowledged", acked.len());
    let mut found: BTreeMap<String, u32> = BTreeMap::new();
    let mut cursor = serde_json::Value::Null;
    loop {
        let ask = json!({"query": "durability", "from": "now-1d", "to": "now+1d", "limit": 1000, "cursor": cursor});
        let page = server.post("/api/v1/search", &ask).json();
        for event in page["data"].as_array().unwrap() {
            let id = event["http.request.id"].as_str().or(event["correlation.id"].as_str()).unwrap().to_owned();
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
    assert!(found.values().all(|count| *count == 1), "an event stands twice");
    for id in acked.iter().step_by(acked.len() / 20 + 1) {
        assert_eq!(server.search(&format!("id:{id}")).len(), 1, "id:{id}");
    }
    let alerts = eventually("the burst alert", || {
        let alerts = server.get("/api/v1/alerts?limit=100").json()["data"].as_array().unwrap().clone();
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
    let lines: String = (0..500).map(|n| format!("{}\n", json!({"message": "rebuild me", "n": n, "request_id": format!("rebuild-{n:04}")}))).collect();
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
    assert_eq!(server.ingest("", b"{\"message\":\"before the drain\"}").status, 200);
    assert_eq!(server.stop(), Some(0));
    let server = Server::start(&data);
    server.settle();
    assert_eq!(server.search("drain").len(), 1);
}
