//! Recall and precision on the collected corpora, where they are at hand: `WARDLINE_SHARED` names
//! the folder that holds `corpus/`, else it is looked for in `shared/` beside the repository.
//! `WARDLINE_EVAL_SHOW=<kind>` lists what was missed.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

use serde_json::{Value as Json, json};

use super::tests::redactor;

fn corpus(name: &str) -> Option<Vec<Json>> {
    let near = std::env::current_dir().unwrap();
    let folder = std::env::var_os("WARDLINE_SHARED")
        .map(PathBuf::from)
        .or_else(|| {
            near.ancestors()
                .map(|folder| folder.join("shared"))
                .find(|folder| folder.join("corpus").is_dir())
        })?;
    // Where a folder was named it must be there.
    let packed = std::fs::File::open(folder.join("corpus").join(name)).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed)
        .read_to_string(&mut text)
        .unwrap();
    Some(
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
    )
}

fn show(kind: &str, carrier: &str, text: &str, clean: &str) {
    if std::env::var("WARDLINE_EVAL_SHOW").is_ok_and(|wanted| wanted == kind || wanted == carrier) {
        println!("{kind}/{carrier}: {text:?}\n    -> {clean:?}");
    }
}

/// The text of each carrier of a secret, redacted, as it would be read out of the event again.
fn carriers(row: &Json, text: &str, secret: &str) -> [(&'static str, String); 4] {
    let redactor = redactor();
    let line = |value: Json| {
        let written = value.to_string();
        let clean = redactor.redact_line(written.as_bytes()).into_owned();
        serde_json::from_slice::<Json>(&clean).expect("still JSON")
    };
    let body = json!({"vendor": row["class"], "data": {"api_token": secret}}).to_string();
    [
        (
            "text",
            line(json!({"msg": text}))["msg"]
                .as_str()
                .unwrap()
                .to_owned(),
        ),
        (
            "keyed",
            line(json!({"user": {"api_token": secret}})).to_string(),
        ),
        (
            "pair",
            line(json!({"headers": [{"name": "X-Api-Key", "value": secret}]})).to_string(),
        ),
        (
            "nested",
            line(json!({"req": {"body": body}}))["req"]["body"]
                .as_str()
                .unwrap()
                .to_owned(),
        ),
    ]
}

#[test]
fn recall_on_the_collected_secrets() {
    let Some(rows) = corpus("secrets_pos.jsonl.gz") else {
        println!("skipped: no corpus at hand (WARDLINE_SHARED)");
        return;
    };
    let mut found: BTreeMap<(String, &str), (usize, usize)> = BTreeMap::new();
    for row in &rows {
        let (text, secret) = (
            row["text"].as_str().unwrap(),
            row["secret"].as_str().unwrap(),
        );
        let kind = match row["kind"].as_str().unwrap() {
            "pii" => row["class"].as_str().unwrap(),
            kind => kind,
        };
        for (carrier, clean) in carriers(row, text, secret) {
            let slot = found.entry((kind.to_owned(), carrier)).or_default();
            slot.1 += 1;
            let plain = json!(secret).to_string();
            let written = plain.trim_matches('"');
            if !clean.contains(secret) && (carrier == "text" || !clean.contains(written)) {
                slot.0 += 1;
            } else {
                show(kind, carrier, text, &clean);
            }
        }
    }
    for ((kind, carrier), (hits, all)) in &found {
        println!(
            "{kind:20} {carrier:7} {hits:5}/{all:5} {:.3}",
            share(*hits, *all)
        );
    }
    for (kind, least) in [
        ("prefixed", 0.90),
        ("jwt", 0.95),
        ("pem", 0.97),
        ("url", 0.95),
        ("contextual", 0.65),
    ] {
        let (hits, all) = found[&(kind.to_owned(), "text")];
        assert!(share(hits, all) >= least, "{kind} {hits}/{all}");
        for carrier in ["keyed", "pair", "nested"] {
            let (hits, all) = found[&(kind.to_owned(), carrier)];
            assert!(share(hits, all) >= 0.995, "{kind} {carrier} {hits}/{all}");
        }
    }
    for (kind, missed_max) in [("pii-iban", 0), ("pii-us-ssn", 0), ("pii-pan", 1)] {
        // One card stands as single digits with words and a picture between them.
        let (hits, all) = found[&(kind.to_owned(), "text")];
        assert!(hits + missed_max >= all, "{kind} {hits}/{all}");
    }
}

#[test]
fn precision_on_the_collected_lookalikes() {
    let Some(rows) = corpus("benign_neg.jsonl.gz") else {
        println!("skipped: no corpus at hand (WARDLINE_SHARED)");
        return;
    };
    let redactor = redactor();
    let mut changed: BTreeMap<&str, (usize, usize, usize)> = BTreeMap::new();
    for row in &rows {
        let (text, kind) = (row["text"].as_str().unwrap(), row["kind"].as_str().unwrap());
        let slot = changed.entry(kind).or_default();
        slot.1 += 1;
        let clean = redactor.redact_text(text);
        if clean != text {
            slot.0 += 1;
            show(kind, "text", text, &clean);
        }
        if let Some(key) = row["key"].as_str() {
            let written = json!({key: text}).to_string();
            let clean = redactor.redact_line(written.as_bytes());
            if *clean != *written.as_bytes() {
                slot.2 += 1;
                show(kind, "keyed", &written, &String::from_utf8_lossy(&clean));
            }
        }
    }
    for (kind, (text, all, keyed)) in &changed {
        println!(
            "{kind:12} text {text}/{all} {:.4} keyed {keyed}",
            share(*text, *all)
        );
    }
    let hard = ["benign", "lookalike"].map(|kind| changed[kind]);
    let (wrong, all) = (hard[0].0 + hard[1].0, hard[0].1 + hard[1].1);
    println!("hard negatives changed: {wrong}/{all}");
    assert!(share(wrong, all) <= 0.003, "{wrong}/{all}");
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand rows")]
fn share(part: usize, all: usize) -> f64 {
    part as f64 / all as f64
}
