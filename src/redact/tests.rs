use std::sync::{Arc, OnceLock};

use proptest::prelude::*;

use super::engine::Place;
use super::rules::tests::{Numbers, expand};
use super::*;
use crate::model::{Field, Timestamp, Value};

/// One redactor for all tests of the folder: building it takes a while without optimization.
pub(super) fn redactor() -> Arc<Redactor> {
    static SHARED: OnceLock<Arc<Redactor>> = OnceLock::new();
    let make = || {
        Arc::new(Redactor::new(
            Options::default(),
            TagKey::from_bytes(&[7; 32]),
        ))
    };
    Arc::clone(SHARED.get_or_init(make))
}

fn event<'a>(fields: &[(&'a str, &'a str)]) -> Event<'a> {
    let mut event = Event::new(Timestamp(1), Timestamp(2));
    for (name, value) in fields {
        match Field::from_name(name) {
            Some(field) => event.push_str(field, *value),
            None => event.push_ext(*name, Value::Str((*value).into())),
        }
    }
    event
}

/// The texts of an event's fields after redaction, tags shortened to `[rule]`.
pub(super) fn cleaned(fields: &[(&str, &str)]) -> Vec<String> {
    let clean = redactor().redact(event(fields));
    let texts = clean.fields().iter().take(fields.len());
    texts
        .map(|(_, value)| short(crate::model::text_of(value).unwrap()))
        .collect()
}

pub(super) fn short(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, tail)) = rest.split_once("[R:") {
        let (tag, tail) = tail.split_once(']').unwrap();
        out.push_str(before);
        out.push('[');
        out.push_str(tag.split(':').next().unwrap());
        out.push(']');
        rest = tail;
    }
    out + rest
}

pub(super) fn line(text: &str) -> String {
    short(std::str::from_utf8(&redactor().redact_line(text.as_bytes())).unwrap())
}

#[test]
fn a_clean_event_comes_back_as_it_was() {
    let fields = [
        ("message", "request completed in 12 ms"),
        ("url.path", "/v1/orders/17"),
        ("trace.id", "4bf92f3577b34da6a3ce929d0e0e4736"),
        ("correlation.id", "550e8400-e29b-41d4-a716-446655440000"),
        ("max_tokens", "4096"),
    ];
    assert_eq!(*redactor().redact(event(&fields)), event(&fields));
}

#[test]
fn names_decide_and_structure_stays() {
    let clean = cleaned(&[
        ("user.password", "hunter22"),
        ("req.headers.authorization", "Bearer abcdef"),
        ("req.headers.cookie", "sid=abc; theme=dark"),
        ("res.headers.set-cookie", "sid=abc; Path=/; HttpOnly"),
        ("credentials.0.blob", "bob1"),
        ("url.query", "page=2&token=abcdef12&sort=asc"),
        ("card.cvv", "123"),
    ]);
    assert_eq!(
        clean,
        [
            "[password]",
            "Bearer [token]",
            "sid=[session]; theme=[session]",
            "sid=[session]; Path=/; HttpOnly",
            "[secret]",
            "page=2&token=[token]&sort=asc",
            "[cvv]",
        ]
    );
}

#[test]
fn the_event_says_what_was_done_to_it() {
    let redactor = redactor();
    let clean = redactor.redact(event(&[
        ("password", "hunter22"),
        ("message", "key AKIAQYLPMN5HHHFPZAM2"),
    ]));
    assert_eq!(clean.int(Field::RedactionCount), Some(2));
    let rules: Vec<_> = clean.values(Field::RedactionRules).cloned().collect();
    assert_eq!(
        rules,
        [
            Value::Str("password".into()),
            Value::Str("aws-key-id".into())
        ]
    );
    let again = redactor.redact((*clean).clone());
    assert_eq!(again, clean);
}

#[test]
fn session_ids_become_tags_and_correlation_ids_stay() {
    let clean = cleaned(&[
        ("session.id", "42"),
        ("correlation.id", "req-7f3a2b1c9d8e4f5a6b7c8d9e0f1a2b3c"),
        ("http.request.id", "sk_live_4eC39HqLyjWDarjtT1zdp7dc"),
    ]);
    assert_eq!(
        clean,
        [
            "[session]",
            "req-7f3a2b1c9d8e4f5a6b7c8d9e0f1a2b3c",
            "[stripe]"
        ]
    );
}

#[test]
fn halves_of_a_pair_know_each_other() {
    let clean = cleaned(&[
        ("headers.0.name", "Authorization"),
        ("headers.0.value", "Bearer abcdef"),
        ("headers.1.value", "s3cr3t"),
        ("headers.1.key", "X-Api-Key"),
        ("attributes.2.key", "http.request.header.cookie"),
        ("attributes.2.value.stringValue", "a=b"),
        ("tags.0.name", "env"),
        ("tags.0.value", "prod"),
    ]);
    assert_eq!(clean[1], "Bearer [token]");
    assert_eq!(clean[2], "[secret]");
    assert_eq!(clean[5], "a=[session]");
    assert_eq!(clean[7], "prod");
}

#[test]
fn a_secret_known_by_name_is_removed_elsewhere() {
    let clean = cleaned(&[
        ("message", "bind failed for correct-horse"),
        ("db.password", "correct-horse"),
    ]);
    assert_eq!(clean, ["bind failed for [secret]", "[password]"]);
}

#[test]
fn a_secret_known_by_name_is_removed_from_numbers_and_names() {
    let mut said = event(&[("password", "90817263"), ("by.90817263", "x")]);
    said.push_ext("n", Value::Num("90817263".into()));
    said.push_ext("m", Value::Num("1908172630".into()));
    let clean = redactor().redact(said);
    for (name, value) in clean.fields() {
        let all = format!("{} {:?}", name.public(), crate::model::text_of(value));
        assert!(!all.contains("90817263"), "{all}");
    }
    assert_eq!(
        line(r#"{"password":"90817263","n":90817263,"90817263":[90817263, 1.5]}"#),
        r#"{"password":"[password]","n":"[secret]","[secret]":["[secret]", 1.5]}"#
    );
    assert_eq!(
        line(r#"{"password":90817263,"body":"{\"n\":90817263}"}"#),
        r#"{"password":"[password]","body":"{\"n\":\"[secret]\"}"}"#
    );
}

#[test]
fn a_forged_tag_hides_nothing() {
    let own = redactor().key.id().to_owned();
    for id in ["ab2c", own.as_str()] {
        let tag = format!("[R:cvv:{id}]");
        let word = format!("[R:password:{id}]");
        for text in [
            format!("password={tag}hunter2secret"),
            format!("password=\"{tag}hunter2secret\""),
            format!("password=hunter2secret{tag}"),
            format!("password={tag}hunter2secret{tag}x1"),
            format!("{word}x,secret=hunter2secret"),
            format!("{word}password=hunter2secret"),
            format!("Authorization: Bearer {tag}hunter2secret"),
            format!("https://kim:{tag}hunter2secret@host/"),
            format!("{{\"password\":\"{tag}hunter2secret\"}}"),
            format!("{{\"cookie\":\"sid={tag}hunter2secret; a=b\"}}"),
            format!("password%3D%5BR%3Acvv%3A{id}%5Dhunter2secret"),
            format!("%5BR%3Apassword%3A{id}%5Dx,secret%3Dhunter2secret"),
        ] {
            let clean = line(&text);
            assert!(!clean.contains("hunter2"), "{text} -> {clean}");
        }
    }
}

#[test]
fn a_name_inside_of_what_was_found_still_tells_of_its_secret() {
    for (text, expected) in [
        (
            "{\"password\":\"\napi_key: \"Zq8fJ2kLm9pQ4rSt\"",
            "{\"password\":\"[password]\"[secret]\"",
        ),
        (
            "password=\nclient_secret: \"Zq8fJ2kLm9pQ4rSt\"",
            "password=\n[password]: \"[secret]\"",
        ),
    ] {
        assert_eq!(line(text), expected);
    }
}

#[test]
fn a_name_that_is_a_secret_is_replaced() {
    let redactor = redactor();
    let name = "tokens.ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8";
    for _ in 0..2 {
        let clean = redactor.redact(event(&[(name, "used")]));
        let public = clean.fields()[0].0.public().into_owned();
        assert_eq!(short(&public), "ext.tokens.[github-token]");
    }
}

#[test]
fn numbers_are_searched_too() {
    let mut numbers = event(&[]);
    numbers.push_ext("amount", Value::Num("4111111111111111".into()));
    numbers.push_ext("pin", Value::Num("1234".into()));
    numbers.push_ext("token", Value::Num("7".into()));
    numbers.push(Field::EventDuration, Value::Num("4111111111111111".into()));
    numbers.push_ext("password", Value::Bool(true));
    let clean = redactor().redact(numbers);
    let texts: Vec<_> = clean
        .fields()
        .iter()
        .take(5)
        .map(|(_, value)| value)
        .collect();
    assert_eq!(short(crate::model::text_of(texts[0]).unwrap()), "[card]");
    assert_eq!(
        short(crate::model::text_of(texts[1]).unwrap()),
        "[one-time]"
    );
    assert_eq!(*texts[2], Value::Num("7".into()));
    assert_eq!(*texts[3], Value::Num("4111111111111111".into()));
    assert_eq!(*texts[4], Value::Bool(true));
}

#[test]
fn json_is_rewritten_byte_for_byte_around_secrets() {
    let clean = r#" {"a" : 73.90, "a":1e5,"s":"\u0041\/b", "n":[1, 2 ,null] } "#;
    assert_eq!(line(clean), clean);
    for (text, expected) in [
        (
            r#"{"password":"x1y2", "n":73.90}"#,
            r#"{"password":"[password]", "n":73.90}"#,
        ),
        (
            r#"{"p\u0061ssword":"x1y2"}"#,
            r#"{"p\u0061ssword":"[password]"}"#,
        ),
        (
            r#"{"k":"\u0041KIAQYLPMN5HHHFPZAM2"}"#,
            r#"{"k":"[aws-key-id]"}"#,
        ),
        (
            r#"{"cookies":{"a":"b1","n":5555,"ok":true}}"#,
            r#"{"cookies":{"a":"[session]","n":"[session]","ok":true}}"#,
        ),
        (
            r#"{"body":"{\"user\":\"bob\",\"pwd\":\"hunt\\\"er\"}"}"#,
            r#"{"body":"{\"user\":\"bob\",\"pwd\":\"[password]\"}"}"#,
        ),
        (
            r#"{"value":"abc123","name":"Authorization"}"#,
            r#"{"value":"[token]","name":"Authorization"}"#,
        ),
        (
            r#"{"rawHeaders":["Host","x","X-Api-Key","abc"]}"#,
            r#"{"rawHeaders":["Host","x","X-Api-Key","[secret]"]}"#,
        ),
        (
            r#"{"Authorization":74533657152674,"cookie":1234567,"cookies":0}"#,
            r#"{"Authorization":"[token]","cookie":"[session]","cookies":0}"#,
        ),
        (
            r#"{"ｐａｓｓｗｏｒｄ":"x1y2"}"#,
            r#"{"ｐａｓｓｗｏｒｄ":"[password]"}"#,
        ),
        (
            r#"{"token":{"type":"jwt","value":"abcd"}}"#,
            r#"{"token":{"type":"jwt","value":"[token]"}}"#,
        ),
        (
            r#"{"kty":"EC","d":"slaQqyHQPudOpq2mbDskum8rOu9IMkLGjINAFWwfqr4","x":"1"}"#,
            r#"{"kty":"EC","d":"[private-key]","x":"1"}"#,
        ),
        (
            r#"{"m":"say s3cr3tphrase","password":"s3cr3tphrase"}"#,
            r#"{"m":"say [secret]","password":"[password]"}"#,
        ),
    ] {
        assert_eq!(line(text), expected);
    }
}

#[test]
fn what_is_almost_json_is_searched_as_text() {
    assert_eq!(
        line(r#"{"password":"x1y2","#),
        r#"{"password":"[password]","#
    );
    assert_eq!(line("[INFO] password=x1y2"), "[INFO] password=[password]");
    assert_eq!(
        line(r#"{"a":1} token=abcd1234"#),
        r#"{"a":1} token=[token]"#
    );
}

#[test]
fn encodings_hide_nothing() {
    assert_eq!(
        line("next=https%3A%2F%2Fu%3Ahunter2%40h%2F"),
        "next=https%3A%2F%2Fu%3A[url-userinfo]%40h%2F"
    );
    assert_eq!(
        line("u=%2570assword%253Dhunter2"),
        "u=%2570assword%253D[password]"
    );
    // "user=bob password=hunter22 and some words"
    assert_eq!(
        line("b64 dXNlcj1ib2IgcGFzc3dvcmQ9aHVudGVyMjIgYW5kIHNvbWUgd29yZHM= end"),
        "b64 [password] end"
    );
    // "pin=4711&a=1&bb=22", and "tkn=…" behind the steps of a path.
    assert_eq!(line("b cGluPTQ3MTEmYT0xJmJiPTIy"), "b [one-time]");
    assert_eq!(line("b cGluPTQ3MTE= x"), "b [one-time] x");
    assert_eq!(line("b eyJwaW4iOiI0NzExIn0= x"), "b [one-time] x");
    assert_eq!(
        line("GET /v1/dGtuPWh1bnRlcjIyMyZhPTEmYj0y"),
        "GET /v1/[token]"
    );
    assert_eq!(
        line("blob 414b494147595835543757454558494e414b4d48 x"),
        "blob [aws-key-id] x"
    );
    assert_eq!(line("my_AKIAGYX5T7WEEXINAKMH x"), "my_[aws-key-id] x");
    assert_eq!(
        line(r#"b {"p\u0061ssword":"hunter22","n":1} {\"t\":\"\u0041KIAGYX5T7WEEXINAKMH\"}"#),
        r#"b {"p\u0061ssword":"[password]","n":1} {\"t\":\"[aws-key-id]\"}"#
    );
    assert_eq!(
        line(r#"{"password":"a b&c12345","url":"/x?y=a%20b%26c12345&z=a%20b"}"#),
        r#"{"password":"[password]","url":"/x?y=[secret]&z=a%20b"}"#
    );
}

#[test]
fn every_keyword_is_seen_where_keywords_overlap() {
    // A search without overlaps restarts behind `token` and never sees `token=`, or loses `ghp_`
    // inside `token=ghp_`.
    assert_eq!(line("/x?sectoken=abcd1234"), "/x?sectoken=[token]");
    assert_eq!(
        line("token=ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"),
        "token=[github-token]"
    );
}

#[test]
fn bounds_fail_closed() {
    let options = Options {
        value_bytes_max: 100,
        value_secrets_max: 2,
        ..Options::default()
    };
    let metrics = Arc::new(Metrics::default());
    let redactor =
        Redactor::new(options, TagKey::from_bytes(&[7; 32])).with_metrics(Arc::clone(&metrics));
    assert_eq!(short(&redactor.redact_text(&"x".repeat(101))), "[oversize]");
    let many = "pwd=ab1c pwd=ab1c pwd=ab1c";
    assert_eq!(short(&redactor.redact_text(many)), "[oversize]");
    assert_eq!(metrics.redaction_failed_closed.get(), 2);
    assert_eq!(metrics.redactions.get(), 2);
    let mut nested = r#"{"a":"b"}"#.to_owned();
    for _ in 0..5 {
        nested = serde_json::json!({ "a": nested }).to_string();
    }
    assert!(line(&nested).contains("[oversize]"), "{nested}");
}

#[test]
fn deep_nesting_ends_and_hides_nothing() {
    let deep = format!(
        "{}{}",
        r#"{"a":"#.repeat(1000),
        r#"{"password":"hunter22"}"#
    ) + &"}".repeat(1000);
    assert!(!line(&deep).contains("hunter22"));
}

#[test]
fn errors_and_debug_show_no_key() {
    let text = format!("{:?}", redactor());
    assert!(text.len() < 80, "{text}");
}

/// Every way a text may be carried by an event or a line.
fn carried(secret: &str) -> Vec<String> {
    let redactor = redactor();
    let mut out = Vec::new();
    let mut take = |text: Cow<'_, str>| out.push(text.into_owned());
    let body = serde_json::json!({"user": "bob", "password": secret}).to_string();
    let percent: String = secret.bytes().map(|b| format!("%{b:02X}")).collect();
    let nested = serde_json::json!({"a": {"b": body}}).to_string();
    for text in [
        format!("login with password={secret} failed"),
        format!("Authorization: Bearer {secret}"),
        format!("GET /x?page=1&access_token={secret}&y=2"),
        format!("GET /x?access_token={percent}&y=2"),
        format!("curl 'https://svc:{secret}@host/x'"),
        format!("body {body}"),
    ] {
        take(redactor.redact_text(&text));
    }
    for text in [
        serde_json::json!({"msg": "x", "db": {"password": secret}}).to_string(),
        serde_json::json!({"headers": [{"name": "X-Api-Key", "value": secret}]}).to_string(),
        serde_json::json!({"headers": {"cookie": format!("sid={secret}")}}).to_string(),
        serde_json::json!({"body": nested}).to_string(),
    ] {
        let clean = redactor.redact_line(text.as_bytes());
        take(String::from_utf8_lossy(&clean));
    }
    let query = format!("token={secret}");
    let clean = redactor.redact(event(&[
        ("client_secret", secret),
        ("message", secret),
        ("url.query", &query),
    ]));
    for (_, value) in clean.fields() {
        take(crate::model::text_of(value).unwrap_or_default().into());
    }
    out
}

proptest! {
    #[test]
    fn no_planted_secret_survives_any_carrier(secret in "[A-Za-z][A-Za-z0-9]{5,10}[0-9][A-Za-z0-9_]{6,24}[a-z0-9]") {
        for clean in carried(&secret) {
            prop_assert!(!clean.contains(&secret), "{} in {}", secret, clean);
        }
    }

    #[test]
    fn redacting_again_changes_nothing(seed in 1u64.., extra in "[ -~]{0,40}", rule in 0usize..400) {
        let mut numbers = Numbers(seed);
        let rules: Vec<_> = rules::all().flat_map(|rule| rule.hits).collect();
        let (example, _) = expand(rules[rule % rules.len()], &mut numbers);
        let redactor = redactor();
        let text = format!("{extra} {example} {extra}");
        let once = redactor.redact_text(&text).into_owned();
        prop_assert_eq!(redactor.redact_text(&once), once.as_str(), "{}", text);
        let json = serde_json::json!({"message": text, "password": extra}).to_string();
        let once = redactor.redact_line(json.as_bytes()).into_owned();
        prop_assert!(serde_json::from_slice::<serde_json::Value>(&once).is_ok());
        let again = redactor.redact_line(&once).into_owned();
        prop_assert_eq!(String::from_utf8(again), String::from_utf8(once));
    }

    #[test]
    fn a_dull_text_holds_no_secret(text in r#"(pwd|pin|sk|key|ey|AKIA|:|=|-p|-u|@|%|\[|\{|[a-z0-9 "]){0,6}"#) {
        let redactor = redactor();
        let clean = redactor.clean(text.as_bytes(), Place::Text, 0, &mut Tally::default());
        prop_assert!(!redactor.engine.is_dull(text.as_bytes()) || clean.is_none(), "{text}");
    }

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300), text in "\\PC{0,80}") {
        let redactor = redactor();
        let line = redactor.redact_line(&bytes).into_owned();
        prop_assert!(line.len() <= bytes.len() * 40 + 64);
        let clean = redactor.redact_text(&text).into_owned();
        let broken = char::REPLACEMENT_CHARACTER;
        prop_assert!(!clean.contains(broken) || text.contains(broken));
    }
}
