//! Search: the questions of an investigation, each asked many times over one connection.

use serde_json::{Value, json};

use super::super::client::{Client, segment};
use super::super::traffic::Load;
use super::super::{Exit, output};
use super::{Search, latency};
use crate::clock::{Clock, Stopwatch};

pub(super) async fn run(search: Search) -> anyhow::Result<Exit> {
    let client = Client::new(&search.server)?;
    let ids = sample_ids(search.seed, search.events, search.repeat);
    let mut report = serde_json::Map::new();
    let mut lookups = Vec::new();
    let mut missing = 0;
    for id in &ids {
        let watch = Stopwatch::start();
        let ask = json!({"query": format!("id:{id}"), "from": "now-30d", "to": "now+1d", "limit": 100});
        let answer = client.post("/api/v1/search", &ask).await?;
        lookups.push(watch.elapsed());
        let found = answer.ok().and_then(|page| page.get("data")?.as_array().map(Vec::len)).unwrap_or(0);
        missing += usize::from(found == 0);
    }
    report.insert("lookup".into(), latency(lookups));
    report.insert("lookups_not_found".into(), json!(missing));
    let mut stories = Vec::new();
    for id in &ids {
        let watch = Stopwatch::start();
        let story = client.get(&format!("/api/v1/requests/{}", segment(id))).await?;
        stories.push(watch.elapsed());
        if story.is_err() {
            return Ok(Exit::Failed);
        }
    }
    report.insert("request_story".into(), latency(stories));
    for (name, path, body) in questions() {
        let mut took = Vec::new();
        for _ in 0..search.repeat {
            let watch = Stopwatch::start();
            if client.post(path, &body).await?.is_err() {
                return Ok(Exit::Failed);
            }
            took.push(watch.elapsed());
        }
        report.insert(name.into(), latency(took));
    }
    output::emit(&format!("{}\n", Value::Object(report)))?;
    Ok(if missing == 0 { Exit::Ok } else { Exit::Failed })
}

fn questions() -> Vec<(&'static str, &'static str, Value)> {
    let newest = |query: &str| json!({"query": query, "from": "now-1d", "to": "now+1d", "limit": 100});
    let aggregate = |aggs: Value| json!({"query": "", "from": "now-1d", "to": "now+1d", "aggs": aggs});
    vec![
        ("newest_100", "/api/v1/search", newest("")),
        ("newest_100_common_word", "/api/v1/search", newest("completed")),
        ("newest_100_rare_word", "/api/v1/search", newest("rejected")),
        ("newest_100_three_fields", "/api/v1/search", newest("service:payments method:POST status:>=400")),
        (
            "histogram_1m_by_status",
            "/api/v1/aggregate",
            aggregate(json!({"h": {"histogram": {"interval": "1m", "split": "http.response.status_code"}}})),
        ),
        ("top_10_users", "/api/v1/aggregate", aggregate(json!({"t": {"terms": {"field": "user.id", "size": 10}}}))),
    ]
}

/// Request ids spread evenly over the events that were sent with this seed: ids depend on the seed alone.
fn sample_ids(seed: u64, events: u64, count: u64) -> Vec<String> {
    let mut load = Load::new(seed, Clock::System.now());
    let step = (events / count.max(1)).max(1);
    let mut ids = Vec::new();
    let mut scratch = Vec::new();
    for event in 0..events {
        scratch.clear();
        let id = load.write(&mut scratch);
        if event % step == 0 {
            ids.push(id);
        }
    }
    ids
}
