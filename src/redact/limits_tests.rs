//! What happens at the limits, and where the operator's exceptions meet what is remembered.

use super::tests::{line, redactor, short};
use super::{Options, Own, Redactor, TagKey};
use crate::model::{Event, Field, Timestamp, Value, text_of};

fn by(options: &str) -> Redactor {
    let redactor = Redactor::new(Options::default(), TagKey::from_bytes(&[7; 32]));
    take_over(&redactor, options);
    redactor
}

fn take_over(redactor: &Redactor, options: &str) {
    let own = Own::new(&toml::from_str(options).unwrap()).unwrap();
    redactor.take_over(own);
}

/// The value of one field of an event, redacted beside another.
fn field(redactor: &Redactor, name: &str, text: &str, beside: (&'static str, &str)) -> String {
    let mut event = Event::new(Timestamp(1), Timestamp(2));
    event.push_ext(beside.0, Value::Str(beside.1.into()));
    match Field::from_name(name) {
        Some(field) => event.push_str(field, text),
        None => event.push_ext(name, Value::Str(text.into())),
    }
    let clean = redactor.redact(event);
    short(text_of(&clean.fields()[1].1).unwrap())
}

/// A text inside of so many arrays inside of a string, over and over.
fn nested(inner: &str, strings: usize, arrays: usize, before: &str) -> String {
    let mut text = format!("\"{inner}\"");
    for _ in 0..strings {
        let (open, close) = ("[".repeat(arrays), "]".repeat(arrays));
        let document = format!("{open}{before}{text}{close}");
        // Escapes of this kind grow by five bytes a level.
        let escaped = document.replace('\\', "\\u005c").replace('"', "\\u0022");
        text = format!("\"{escaped}\"");
    }
    text
}

#[test]
fn strings_in_strings_end_at_the_limit_whoever_looks_into_them() {
    for before in ["", "01,", "{\"n\":1e},"] {
        let deep = nested("hunter22secret", 40, 100, before);
        let text = format!("{{\"password\":\"hunter22secret\",\"m\":{deep}}}");
        let clean = line(&text);
        assert!(clean.contains("[oversize]"), "{before}");
        let value: String = serde_json::from_str(&deep).unwrap();
        let clean = field(&redactor(), "m", &value, ("password", "hunter22secret"));
        assert!(clean.contains("[oversize]"), "{before}");
    }
    // Within it nothing goes that is clean.
    let flat = format!("{{\"m\":{}}}", nested("fine", 4, 3, ""));
    assert_eq!(line(&flat), flat);
    let at = nested(
        "{\\u0022password\\u0022:\\u0022hunter22\\u0022}",
        4,
        1,
        "01,",
    );
    assert!(!line(&format!("{{\"m\":{at}}}")).contains("hunter22"));
}

#[test]
fn who_calls_cannot_blot_out_who_they_are() {
    let check = |name: &str, value: &str, expected: &str| {
        let shown = field(&redactor(), name, value, ("http.headers.x-api-key", value));
        assert_eq!(shown, expected, "{name}");
    };
    check("client.ip", "203.0.113.77", "203.0.113.77");
    check("url.path", "/api/v1/login", "/api/v1/login");
    check("user.name", "administrator", "administrator");
    check("url.path", "/reset/Zq8fJ2kLm9pQ4rSt", "[secret]");
    check("user.name", "Zq8fJ2kLm9pQ4rSt", "[secret]");
    check("message", "administrator", "[secret]");
}

#[test]
fn a_secret_that_is_the_name_of_one_leaves_names_and_tags_alone() {
    let text = r#"{"password":"password","token":"password"}"#;
    assert_eq!(line(text), r#"{"password":"[password]","token":"[token]"}"#);
    let text = r#"{"password":"private-key","k":"-----BEGIN PRIVATE KEY-----MII"}"#;
    assert_eq!(
        line(text),
        r#"{"password":"[password]","k":"[private-key]"}"#
    );
}

#[test]
fn what_an_exception_left_is_not_remembered_as_clean() {
    let allow = "[allow]\nregexes = ['example-[a-z]{1,20}']";
    let redactor = by(allow);
    let body = r#"{"password":"example-secret","n":1}"#;
    for _ in 0..3 {
        assert_eq!(field(&redactor, "message", body, ("a", "b")), body);
        let written = serde_json::json!({"m": body}).to_string();
        assert_eq!(
            &*redactor.redact_line(written.as_bytes()),
            written.as_bytes()
        );
    }
    take_over(&redactor, "");
    let clean = field(&redactor, "message", body, ("a", "b"));
    assert_eq!(clean, r#"{"password":"[password]","n":1}"#);
}

#[test]
fn an_exception_leaves_the_text_around_it_byte_for_byte() {
    let redactor = by("[allow]\nregexes = ['example-[a-z]{1,20}']");
    let text = "login password=example-secret ok";
    assert_eq!(field(&redactor, "message", text, ("a", "b")), text);
    let escaped = r#"{"m":"\u0041 password=example-secret"}"#;
    assert_eq!(
        &*redactor.redact_line(escaped.as_bytes()),
        escaped.as_bytes()
    );
}

#[test]
fn a_secret_longer_than_what_a_rule_looks_at_goes_whole() {
    let long = "YIIabcD0+/".repeat(900);
    assert_eq!(
        line(&format!("Negotiate {long} x")),
        "Negotiate [auth-scheme] x"
    );
    let key = format!(
        "PuTTY-User-Key-File-3: ssh-rsa\\n{}",
        "AAAAB3NzaC1\\n".repeat(600)
    );
    assert_eq!(
        line(&format!("{{\"k\":\"{key}\"}}")),
        r#"{"k":"[putty-key]"}"#
    );
    let token = "eyJhbGciOi.".repeat(200);
    assert_eq!(
        line(&format!("https://AWS:{token}@h/x")),
        "https://AWS:[url-userinfo]@h/x"
    );
}

#[test]
fn names_are_read_without_their_escapes_and_numbers_in_them_are_seen() {
    let check = |text: &str, expected: &str| assert_eq!(line(text), expected);
    check(
        r#"{"sess\u0069on":{"id":"abc123"}}"#,
        r#"{"sess\u0069on":{"id":"[session]"}}"#,
    );
    check(
        r#"{"value":"abc123","n\u0061me":"X-Api-Key"}"#,
        r#"{"value":"[secret]","n\u0061me":"X-Api-Key"}"#,
    );
    check(
        r#"{"rawHeaders":["X-Api-K\u0065y","abc"]}"#,
        r#"{"rawHeaders":["X-Api-K\u0065y","[secret]"]}"#,
    );
    check(r#"{"378282246310005":1}"#, r#"{"[card]":1}"#);
    check(r#"{"123-45-6789":1}"#, r#"{"[ssn]":1}"#);
}

#[test]
fn a_slow_rule_of_ones_own_ends_with_the_value_replaced() {
    let rule = "[[rules]]\nid = \"slow\"\nregex = 'xyz[ab]{1,99}y'";
    let mut options: Options = toml::from_str(rule).unwrap();
    options.value_ms_max = 0;
    let own = Own::new(&options).unwrap();
    let redactor = Redactor::new(options, TagKey::from_bytes(&[7; 32]));
    redactor.take_over(own);
    let text = "xyzab ".repeat(20_000);
    assert_eq!(field(&redactor, "message", &text, ("a", "b")), "[oversize]");
}
