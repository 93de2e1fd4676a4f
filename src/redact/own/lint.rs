//! What is wrong with the operator's rules, before they are used: what would stop the line, what would find nothing,
//! and what would find everything.

use std::collections::BTreeSet;

use regex_syntax::hir::{Hir, HirKind};

use super::super::{Options, rules};
use super::options::{Action, RuleOptions};
use super::rule::{self, KEYWORD_MIN, Rule};
use super::{AllowOptions, Wrong};

/// Most rules: each costs every value a little.
const RULES_MAX: usize = 500;
/// Longest regex.
const REGEX_LENGTH_MAX: usize = 2_000;
/// Highest repeat.
const REPEAT_MAX: u32 = 1_000;
/// Longest name.
const ID_MAX: usize = 40;
/// Most characters a mask leaves.
const KEEP_MAX: usize = 8;
/// Ordinary lines a rule may find something in.
const BENIGN_HITS_MAX: usize = 1;

/// Everything that is wrong.
pub(super) fn all(options: &Options) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    if options.rules.len() > RULES_MAX {
        let what = format!("{} rules, at most {RULES_MAX}", options.rules.len());
        wrong.push(told("redact.rules", what));
    }
    let mut ids = BTreeSet::new();
    for (index, rule) in options.rules.iter().enumerate().take(RULES_MAX) {
        let mut tell = |member: &str, what: String| {
            wrong.push(told(&format!("redact.rules.{index}.{member}"), what));
        };
        if let Err(what) = id(&rule.id) {
            tell("id", what);
        } else if !ids.insert(rule.id.as_str()) {
            tell("id", format!("another rule is called {:?} too", rule.id));
        }
        members(rule, &mut tell);
        if let Err(what) = regex(rule) {
            tell("regex", what);
        }
    }
    allow(&options.allow, &mut wrong);
    wrong
}

fn told(setting: &str, what: impl Into<String>) -> Wrong {
    Wrong {
        setting: setting.to_owned(),
        what: what.into(),
    }
}

fn id(id: &str) -> Result<(), String> {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if !(2..=ID_MAX).contains(&id.len()) || !id.bytes().all(is_plain) {
        return Err(format!(
            "expected 2 to {ID_MAX} lower-case letters, digits and dashes"
        ));
    }
    if rules::is_known(id.as_bytes()) {
        return Err(format!(
            "{id:?} is the name of a shipped rule; take another"
        ));
    }
    Ok(())
}

fn members(rule: &RuleOptions, tell: &mut impl FnMut(&str, String)) {
    if rule
        .keywords
        .iter()
        .any(|keyword| keyword.len() < KEYWORD_MIN)
    {
        tell(
            "keywords",
            format!("expected at least {KEYWORD_MIN} characters in each"),
        );
    }
    if rule.fields.iter().any(|path| !is_path(path)) {
        tell(
            "fields",
            "expected dotted paths like customer.number or *.note".to_owned(),
        );
    }
    if rule.keep_last > KEEP_MAX {
        tell("keep_last", format!("expected at most {KEEP_MAX}"));
    } else if rule.keep_last > 0 && rule.action != Action::Mask {
        tell("keep_last", "only with action = \"mask\"".to_owned());
    }
}

fn is_path(path: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && !part.contains(char::is_whitespace);
    path.len() <= 512 && path.split('.').all(is_part)
}

fn regex(rule: &RuleOptions) -> Result<(), String> {
    let hir = sound(&rule.regex)?;
    rule::compile(&rule.regex)?;
    if !rule.fields.is_empty() {
        return Ok(());
    }
    if rule.keywords.is_empty() && rule::literals(&hir).is_none() {
        return Err(format!(
            "no literal of {KEYWORD_MIN} characters stands in all it can find: give keywords, or limit it with fields"
        ));
    }
    let compiled = Rule::new(rule)?;
    let hits: Vec<&str> = BENIGN
        .iter()
        .copied()
        .filter(|line| {
            let lower = line.to_ascii_lowercase();
            let calls = |keyword: &String| lower.contains(&keyword.to_ascii_lowercase());
            compiled.keywords.iter().any(calls) && compiled.places(line.as_bytes()).next().is_some()
        })
        .collect();
    match hits.first() {
        Some(first) if hits.len() > BENIGN_HITS_MAX => Err(format!(
            "too broad: it finds something in {} of {} ordinary log lines, first in: {first}",
            hits.len(),
            BENIGN.len()
        )),
        _ => Ok(()),
    }
}

/// A regex of bounded work that finds something, and not nothing.
fn sound(text: &str) -> Result<Hir, String> {
    if text.is_empty() || text.len() > REGEX_LENGTH_MAX {
        return Err(format!("expected 1 to {REGEX_LENGTH_MAX} characters"));
    }
    let hir = rule::parse(text)?;
    if !is_bounded(&hir) {
        return Err(format!(
            "unbounded repeat: give `*`, `+` and {{n,}} an upper bound of at most {REPEAT_MAX}, like {{1,64}}"
        ));
    }
    match hir.properties().minimum_len() {
        None => Err("it can find nothing".to_owned()),
        Some(0) => Err("it also finds the empty text".to_owned()),
        Some(_) => Ok(hir),
    }
}

fn is_bounded(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Repetition(repeat) => {
            repeat.max.is_some_and(|max| max <= REPEAT_MAX) && is_bounded(&repeat.sub)
        }
        HirKind::Capture(capture) => is_bounded(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().all(is_bounded),
        _ => true,
    }
}

fn allow(allow: &AllowOptions, wrong: &mut Vec<Wrong>) {
    // `ext` stands before every field that has no name of its own.
    let says = |path: &String| {
        let path = path.to_lowercase();
        is_path(&path) && path.split('.').any(|part| part != "*" && part != "ext")
    };
    if !allow.fields.iter().all(says) {
        let what = "expected dotted paths like build.hash; `*` and `ext.*` would end all redaction";
        wrong.push(told("redact.allow.fields", what));
    }
    let is_tag = |tag: &String| {
        let digits = digits(tag);
        digits.len() == 16
            && digits
                .bytes()
                .all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7'))
    };
    if !allow.tags.iter().all(is_tag) {
        let what = "expected tags as they stand in events, or their last 16 characters";
        wrong.push(told("redact.allow.tags", what));
    }
    for (index, text) in allow.regexes.iter().enumerate() {
        let checked = sound(text)
            .and_then(|_| rule::whole(text))
            .and_then(|regex| {
                let is_broad = SECRETS
                    .iter()
                    .any(|secret| regex.is_match(secret.as_bytes()));
                if is_broad {
                    Err("too broad: it fits secrets drawn at random".to_owned())
                } else {
                    Ok(())
                }
            });
        if let Err(what) = checked {
            // Not the text: an exception may be the secret itself.
            let what = format!("number {}: {what}", index + 1);
            wrong.push(told("redact.allow.regexes", what));
        }
    }
}

/// The last part of a tag, or what was given as such.
pub(super) fn digits(tag: &str) -> String {
    let inner = tag
        .strip_prefix("[R:")
        .and_then(|tag| tag.strip_suffix(']'));
    let inner = inner.unwrap_or(tag);
    inner.rsplit(':').next().unwrap_or(inner).to_owned()
}

/// What no exception may fit: secrets of machines and of people, long and short.
const SECRETS: &[&str] = &[
    "Zq8fJ2kLm9pQ4rSt",
    "hunter2-correct-horse",
    "0f9e8d7c6b5a49382716051423324150",
    "3q2-7wABCD_efgh.IJKL",
    "hunter22",
    "Tr0ub4dor&3",
    "48211093",
    "AKIAQYLPMN5HHHFPZAM2",
    "ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
    concat!("sk_", "live_a1B2c3D4e5F6g7H8i9J0k1L2"),
    concat!("AIza", "SyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q"),
    concat!("glpat", "-a1B2c3D4e5F6g7H8i9J0"),
    concat!(
        "xoxb",
        "-123456789012-1234567890123-a1B2c3D4e5F6g7H8i9J0k1L2"
    ),
    concat!("sk-", "ant-api03-a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"),
];

/// Log lines that hold nothing anybody wants to hide.
pub(super) const BENIGN: &[&str] = &[
    "GET /healthz HTTP/1.1 200 12ms",
    "GET /api/v1/orders/1842?page=2&sort=asc 200 1532 \"-\" \"curl/8.5.0\"",
    "POST /v2/checkout 201 in 48 ms, 3 items, total 129.90 EUR",
    "10.0.12.7 - - [21/Nov/2026:10:15:32 +0000] \"GET /index.html HTTP/1.1\" 304 0",
    "upstream timed out (110: Connection timed out) while reading response header from upstream",
    "trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7 sampled=true",
    "request 550e8400-e29b-41d4-a716-446655440000 completed in 17.4 ms",
    "user 48211 logged in from mobile app 5.12.0 (build 20261121)",
    "cache miss for key product:991823:en-US, loading from database",
    "connection pool exhausted: 50 of 50 in use, 12 waiting",
    "level=info ts=2026-11-21T10:15:32.123Z caller=server.go:214 msg=\"listening\" addr=:8080",
    "WARN  [http-nio-8080-exec-7] c.e.shop.OrderService - order 77123 has no shipping address",
    "kernel: [12345.678901] eth0: link is up at 1000 Mbps, full duplex",
    "sshd[2211]: Disconnected from user deploy 192.0.2.44 port 50122",
    "systemd[1]: Started Daily apt download activities.",
    "GC pause 12.5ms, heap 512M -> 203M, 4 workers",
    "commit 9fceb02d0ae598e95dc970b74767f19372d61af8 deployed to production-eu-west-1",
    "image sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 pulled",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "SELECT id, name, price FROM products WHERE category = 'books' ORDER BY price LIMIT 20",
    "duration_ms=231 bytes_in=512 bytes_out=20481 route=/api/v1/search",
    "token bucket refilled: 100 tokens, rate 50 per second",
    "password reset page rendered for locale de-DE",
    "key rotation finished, 3 keys in use",
    "session cleanup removed 118 expired sessions",
    "feature flag new-checkout enabled for 25 % of customers",
    "{\"level\":\"info\",\"msg\":\"request completed\",\"status\":200,\"path\":\"/v1/items\",\"duration_ms\":12}",
    "ERROR 500 Internal Server Error: java.lang.NullPointerException at com.example.Cart.total(Cart.java:88)",
    "retry 2 of 5 in 800 ms after status 503",
    "customer 100482 opened ticket 9981 in queue billing",
    "invoice INV-2026-001842 sent, due 2026-12-21",
    "order ORD-77123 shipped with parcel 00340434161094042557",
    "kafka partition 12 offset 998812345 lag 17 group billing-consumer",
    "tls handshake done, TLSv1.3 TLS_AES_128_GCM_SHA256 server example.com",
    "job nightly-report finished in 00:04:12, 18231 rows",
    "queue depth 4711, oldest message 2.3 s",
    "pod api-7c9d8b6f5d-x2k4q scheduled on node ip-10-0-3-17.ec2.internal",
    "version 1.42.0-rc.3+build.881 started, pid 4242",
    "s3://reports-eu/2026/11/21/part-00017.parquet written, 41 MB",
    "content-type: application/json; charset=utf-8, content-length: 2048",
];
