//! Traps that searching for secrets in logs has: each a case of the table, or a test of its own where it is about
//! time or errors. The pace itself is measured by `cargo bench --bench redact`; here it must only not explode.

use std::hint::black_box;
use std::time::Duration;

use super::tests::{line, redactor};
use crate::clock::Stopwatch;

const KEY: &str = "AKIAQYLPMN5HHHFPZAM2";
const PAT: &str = "ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8";

/// What it is about, a line, and the line without its secrets. `<key>` and `<pat>` stand for secrets of two kinds.
const TRAPS: &[(&str, &str, &str)] = &[
    // A search without overlaps goes on behind what it found.
    (
        "a keyword in a keyword",
        "sectoken=abcd1234",
        "sectoken=[token]",
    ),
    (
        "a keyword behind its own beginning",
        "token token=abcd1234",
        "token token=[token]",
    ),
    (
        "a keyword at the end of another",
        "passwordtoken=abcd1234",
        "passwordtoken=[token]",
    ),
    (
        "a prefix behind a name",
        "token=<pat>",
        "token=[github-token]",
    ),
    (
        "two kinds side by side",
        "<key>,<pat>",
        "[aws-key-id],[github-token]",
    ),
    (
        "keywords that share a letter",
        "bearertoken=<pat>",
        "bearertoken=[github-token]",
    ),
    // What JSON may write in other ways.
    (
        "an escaped letter in a secret",
        r#"{"k":"\u0041KIAQYLPMN5HHHFPZAM2"}"#,
        r#"{"k":"[aws-key-id]"}"#,
    ),
    (
        "an escaped letter in a name",
        r#"{"passw\u006Frd":"x1y2"}"#,
        r#"{"passw\u006Frd":"[password]"}"#,
    ),
    (
        "an escaped solidus in a URL",
        r#"{"u":"https:\/\/kim:hunter2@h\/x"}"#,
        r#"{"u":"https://kim:[url-userinfo]@h/x"}"#,
    ),
    (
        "a quote in a secret",
        r#"{"password":"hun\"ter2","n":1}"#,
        r#"{"password":"[password]","n":1}"#,
    ),
    (
        "a quote in a value before",
        r#"{"m":"say \"hi\"","password":"x1y2"}"#,
        r#"{"m":"say \"hi\"","password":"[password]"}"#,
    ),
    (
        "a line feed before a prefix",
        r#"{"m":"x\n<key>\n"}"#,
        r#"{"m":"x\n[aws-key-id]\n"}"#,
    ),
    (
        "a pair of surrogates before",
        r#"{"m":"\ud83d\ude00<key>"}"#,
        r#"{"m":"😀[aws-key-id]"}"#,
    ),
    // What a tree of values would lose.
    (
        "numbers as written",
        r#"{"a":73.90,"b":1E5,"c":-0,"d":10000000000000000000001,"password":"x1y2"}"#,
        r#"{"a":73.90,"b":1E5,"c":-0,"d":10000000000000000000001,"password":"[password]"}"#,
    ),
    (
        "a name that comes twice",
        r#"{"password":"x1y2","a":1,"password":"z3w4","a":1}"#,
        r#"{"password":"[password]","a":1,"password":"[password]","a":1}"#,
    ),
    (
        "a clean one before the secret one",
        r#"{"m":"ok","m":"<key>"}"#,
        r#"{"m":"ok","m":"[aws-key-id]"}"#,
    ),
    (
        "room and order",
        "{ \"z\" : 1 ,\t\"password\" : \"x1y2\" , \"a\" : [ ] }",
        "{ \"z\" : 1 ,\t\"password\" : \"[password]\" , \"a\" : [ ] }",
    ),
    // Words that are not of ASCII.
    (
        "letters before a prefix",
        "schlüsselß <key> ß",
        "schlüsselß [aws-key-id] ß",
    ),
    (
        "letters on a prefix",
        "ключ:<key>ключ",
        "ключ:[aws-key-id]ключ",
    ),
    (
        "characters of two bytes in a secret",
        "password=pässwörd1 ok",
        "password=[password] ok",
    ),
    // Keywords without case, kinds with theirs.
    (
        "a name in capitals",
        "PASSWORD=x1y2 Api-KEY: a1b2c3d4",
        "PASSWORD=[password] Api-KEY: [secret]",
    ),
    (
        "a prefix in the wrong case",
        "akiaqylpmn5hhhfpzam2 is a word",
        "akiaqylpmn5hhhfpzam2 is a word",
    ),
    (
        "a gate of keywords that says no",
        "nothing to see in 12 ms",
        "nothing to see in 12 ms",
    ),
    // Documents that are none.
    (
        "a document that was cut",
        r#"{"password":"x1y2","m":"KE"#,
        r#"{"password":"[password]","m":"KE"#,
    ),
    (
        "a value of the wrong kind",
        r#"{"password":x1y2secret}"#,
        r#"{"password":[password]}"#,
    ),
    (
        "text behind a document",
        r#"{"a":1} password=x1y2"#,
        r#"{"a":1} password=[password]"#,
    ),
];

#[test]
fn every_trap_is_known() {
    let mut wrong = Vec::new();
    for (trap, text, expected) in TRAPS {
        let text = text.replace("<key>", KEY).replace("<pat>", PAT);
        let clean = line(&text);
        if clean != *expected {
            wrong.push(format!("{trap}:\n  {text}\n  {clean}\n  {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Lines made to be slow, of about so many bytes.
fn worst(bytes: usize) -> Vec<(&'static str, String)> {
    let fill = |piece: &str| piece.repeat(bytes / piece.len());
    let keys: String = (0..bytes / 16)
        .map(|at| format!("\"key{at:06}\":1,"))
        .collect();
    let depth = bytes / 6;
    vec![
        ("names without values", fill("token=token=")),
        ("names with values", fill("token=abcd1234 ")),
        ("a name without an end", fill("token")),
        ("base64", fill("QUJDREVGR0hJSktM")),
        ("base64 of text", fill("YWJjZGVmZ2hpamts")),
        ("digits", fill("4111 ")),
        ("percent", fill("%2525")),
        ("prefixes of keys", fill("sk-")),
        ("tokens in base64", fill("ZXlK")),
        ("names of services", fill("github ")),
        ("a name that is its own value", fill("session=")),
        ("a name without a sign", fill("auth-header")),
        (
            "names with values under percent",
            fill("%70assword=abcd1234 "),
        ),
        ("quotes", fill("password=\"")),
        ("backslashes", format!("{{\"password\":\"{}", fill("\\\\"))),
        ("userinfo", fill("://a:b@")),
        ("beginnings of keys", fill("-----BEGIN PRIVATE KEY-----")),
        ("tokens cut short", fill("eyJhbGciOiJI.")),
        ("many names", format!("{{{keys}\"z\":1}}")),
        (
            "deep",
            format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth)),
        ),
        ("own tags", fill("[R:cvv:ab2c]")),
    ]
}

fn took(text: &str) -> Duration {
    let start = Stopwatch::start();
    black_box(redactor().redact_line(black_box(text.as_bytes())));
    start.elapsed()
}

/// Four times as long may take four times as long, not sixteen times. Other tests run beside this one, so a bad
/// measurement is taken again.
#[test]
fn no_line_is_slower_than_it_is_long() {
    for ((trap, small), (_, large)) in worst(12_000).iter().zip(worst(48_000)) {
        let is_fine = || {
            let (short, long) = (took(small), took(&large));
            long <= (short * 9).max(Duration::from_millis(30))
        };
        assert!((0..8).any(|_| is_fine()), "{trap}");
    }
}

/// What cannot be read is never told with its text: an error goes to our own log.
#[test]
fn no_error_shows_what_it_is_about() {
    for text in [
        format!("{{\"password\":hunter2secret,\"k\":\"{KEY}\"}}"),
        format!("hunter2secret {KEY}"),
    ] {
        let error = super::decode(text.as_bytes()).unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(!said.contains("hunter2") && !said.contains(KEY), "{said}");
    }
}

#[test]
fn what_is_no_escape_hides_nothing_and_tears_no_character() {
    let clean = line(r#"{"m":"\u00ä sid=abc; \upassword=hunter22","token":"x1y2z3a4"}"#);
    assert!(!clean.contains("hunter22"), "{clean}");
    let nested = r#"{"b":"{\"pd\":\"=2F\\u00ä1 password=hunter22 \"}"}"#;
    assert!(!line(nested).contains("hunter22"));
    let once = redactor().redact_line(nested.as_bytes()).into_owned();
    assert_eq!(redactor().redact_line(&once), once);
}
