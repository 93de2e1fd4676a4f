use super::super::engine::Place;
use super::super::keys::{Class, Kind};
use super::super::tests::redactor;

/// What of a text is found, written `{thus}` in the expectation.
fn check_in(place: Place, marked: &str) {
    let text: String = marked.chars().filter(|c| !"⟨⟩".contains(*c)).collect();
    let redactor = redactor();
    let found = redactor.engine.find(text.as_bytes(), place).unwrap();
    let mut expected = Vec::new();
    let mut rest = marked;
    while let Some((_, tail)) = rest.split_once('⟨') {
        let (secret, tail) = tail.split_once('⟩').unwrap();
        expected.push(secret);
        rest = tail;
    }
    let found: Vec<&str> = found
        .into_iter()
        .map(|span| text.get(span.place).unwrap())
        .collect();
    assert_eq!(found, expected, "{text}");
}

fn check(marked: &str) {
    check_in(Place::Text, marked);
}

#[test]
fn values_end_where_their_form_ends_them() {
    check("login password=⟨hunter2⟩ ok");
    check("password=⟨hunter2⟩, user=bob");
    check("{password=⟨hunter2⟩}");
    check("(pwd: ⟨hunt3r⟩).");
    check("password=\"⟨two words, one secret⟩\" next");
    check(r#"{\"password\":\"⟨hun\\\"ter2⟩\"}"#);
    check("pwd='⟨a;b&c⟩'");
    check("a=1&password=⟨x%26y%3Dz1⟩&b=2");
    check("Server=db;Password=⟨p,w!1⟩;Encrypt=yes");
    check("access_token:\n    '⟨abcdef123⟩'");
    check("<token>⟨abc123def⟩</token>");
    check("password => '⟨abcd⟩'");
    check("- name: DB_PASSWORD\n  value: ⟨hunter2x⟩");
    check("- name: COLOR\n  value: hunter2x");
    check("password := \"⟨abcd⟩\"");
    check("PASSWORD=⟨päßwörd⟩ x");
    check("define('DB_PASSWORD', '⟨s3cr3t⟩')");
}

#[test]
fn sentences_are_no_assignments() {
    check("password: must contain a digit");
    check("token: invalid");
    check("Token: Expired");
    check("the secret of success");
    check("wrong password for user bob");
    check("\"error\":\"token: not found\"");
    check("token = null; secret = undefined");
    check("api_key = os.environ['API_KEY']");
    check("password=${PASSWORD}");
    check("password=********");
}

#[test]
fn parameters_of_a_query_are_secret_by_their_place() {
    check_in(Place::Query, "code=⟨abc12345⟩&state=xyz");
    check_in(Place::Query, "page=2&sig=⟨deadbeef01⟩");
    check("/cb?code=⟨abc12345⟩&state=xyz");
    check("/cb#key=⟨abc12345⟩");
    check("exit code=12345");
    check_in(Place::Query, "page=2&limit=50&sort=-created_at");
    check("https://a/?next=https%3A%2F%2Fb%2F%3Ftoken%3D⟨abcd1234⟩%26x%3D1");
}

#[test]
fn one_time_codes_are_digits() {
    check("otp: ⟨123456⟩");
    check("cvv=⟨123⟩");
    check("pin: entered");
    check("otp: sent");
    check("CVV entered: 123");
}

#[test]
fn headers_written_out_lose_their_credentials() {
    check("Authorization: Bearer ⟨abc⟩ x");
    check("> Authorization: Basic ⟨dXNlcjpwYXNz⟩");
    check("Cookie: sid=⟨abcd⟩; theme=⟨dark⟩\nHost: x");
    check("Set-Cookie: sid=⟨abcd⟩; Path=/; HttpOnly");
    check("X-Api-Key: ⟨a1b2c3d4⟩");
}

#[test]
fn a_secret_is_not_taken_for_a_scheme() {
    check("x Authorization=⟨Zq8fJ2kLm9pQ4rSt⟩ for user bob");
    check("Authorization: ⟨Zq8fJ2kLm9pQ4rSt⟩ for user bob");
    check("Authorization: ApiKey ⟨abc⟩ for user bob");
    check("Authorization: Custom ⟨Zq8fJ2kLm9pQ4rSt⟩ for user bob");
}

#[test]
fn a_cookie_in_a_query_ends_with_its_parameter() {
    check("/x?cookie=⟨Zq8fJ2kLm9pQ4rSt⟩&b=1");
    check("/x?cookie=sid=⟨abcd⟩;t=⟨dark⟩&b=1 HTTP/1.1");
    check_in(Place::Query, "cookie=⟨Zq8fJ2kLm9pQ4rSt⟩&b=1");
    check("sent cookie=⟨Zq8fJ2kLm9pQ4rSt⟩&b=⟨1⟩");
}

#[test]
fn elements_have_prefixes_attributes_and_short_names() {
    check("<wsse:Password>⟨Zq8fJ2kL⟩</wsse:Password>");
    check("<wsse:Password Type=\"x#PasswordText\">⟨two words⟩</wsse:Password>");
    check("<pass>⟨hunter2⟩</pass><pin>⟨4711⟩</pin><ns:pin>⟨4712⟩</ns:pin>");
    check("<password><![CDATA[⟨a<b>c⟩]]></password>");
    check("<token>\n  ⟨abc123def⟩\n</token>");
    check("cut <token>⟨Zq8fJ2kLm9pQ4rSt⟩");
    check("cut <password>⟨hunter2⟩");
    check("mongodb://<user>:<password>@host.example/app");
    check("<pin type=\"x\">⟨4711⟩</pin>");
    check("usage: login <token> <user> [options]");
    check("<password/> <password></password> <compass>north</compass>");
}

#[test]
fn dictionaries_of_programs_are_read() {
    check(
        "{'session': '⟨Zq8fJ2kLm9pQ4rSt⟩', 'auth': '⟨Zq8fJ2kLm9pQ4rSt⟩', 'pw': '⟨Zq8fJ2kL⟩', 'pin': '⟨4711⟩'}",
    );
    check("{'session': 'started', 'auth': 'failed', 'code': '404'}");
}

#[test]
fn text_behind_a_word_must_look_like_a_secret() {
    check("session: ⟨Zq8fJ2kLm9pQ4rSt⟩");
    check("sig: ⟨Zq8fJ2kLm9pQ4rSt⟩");
    check("mfa_code: ⟨Zq8fJ2kLm9pQ4rSt⟩");
    check("mfa_code: ⟨123456⟩");
    check("session: opened for user root");
    check("status_code: 404, error code: 12345, zipcode: 12345");
}

/// Every sensitive name in every form, so that none waits for a keyword it has not.
#[test]
fn every_name_is_found_in_every_form() {
    let redactor = redactor();
    let mut missed = Vec::new();
    for (class, name) in crate::redact::names::sensitive() {
        use base64::Engine as _;
        let base64 = |text: String| base64::engine::general_purpose::STANDARD.encode(text);
        let secret = match class {
            Class::Secret(Kind::OneTime | Kind::Cvv) => "4711",
            Class::Secret(Kind::Card | Kind::Bank | Kind::Ssn) => "4539963648192391",
            _ => "Zq8fJ2kLm9pQ4rSt",
        };
        let value = match class {
            Class::Secret(Kind::Connection) => format!("x://u:{secret}@h"),
            _ => secret.to_owned(),
        };
        let form = base64(format!("{name}={value}&a=1&b=2222"));
        let json = base64(format!("{{\"{name}\":\"{value}\"}}"));
        for text in [
            format!("payload {form} end"),
            format!("payload {json} end"),
            form,
            json,
        ] {
            let clean = redactor.redact_text(&text);
            if *clean == *text {
                missed.push(format!("{name}: {text}"));
            }
        }
        for text in [
            format!("{{'{name}': '{value}'}}"),
            format!("{name}={value} x"),
            format!("x {name}: {value} x"),
            format!("<{name}>{value}</{name}>"),
        ] {
            if redactor.redact_text(&text).contains(secret) {
                missed.push(text);
            }
        }
    }
    assert!(
        missed.is_empty(),
        "{}:\n{}",
        missed.len(),
        missed.join("\n")
    );
}

#[test]
fn types_and_machines_are_no_tokens() {
    check("install python3-jwt:amd64 2.3.0-1");
    check("status installed libauth-token:arm64 1.2");
    check("token: mio::Token");
    check("poll event { token: Token(1024), kind: Read }");
    check("session: std::sync::Arc, next");
    check("token: ⟨mio7f::Zq8fJ2kLm9pQ4rSt⟩");
    check("jwt:⟨amd64Zq8f⟩");
    check("password: ⟨amd64x⟩");
}

#[test]
fn of_credentials_with_parameters_the_secret_ones_go() {
    check(concat!(
        r#"Authorization: Digest username="x", realm="api", nonce="⟨dcd98b7102dd2f0e⟩", uri="/a?b=1", "#,
        r#"qop=auth, nc=00000001, cnonce="⟨0a4f113b⟩", response="⟨6629fae49393a05397450978507c4ef1⟩", opaque="⟨5ccc⟩" sent"#
    ));
    check(r#"-H 'authorization: digest username="x",response="⟨6629fae49393⟩"' https://host/"#);
    check(r#"{"m":"Authorization: Digest username=\"x\", response=\"⟨6629fae49393⟩\""}"#);
    check(
        r#"Authorization: OAuth oauth_consumer_key="⟨xvz1evFS4wEE⟩", oauth_nonce="⟨kYjzVBB8⟩", oauth_version="1.0""#,
    );
    check("Authorization: Digest username=x, response=⟨6629fae49393⟩\nHost: h");
    check(r#"Authorization: Digest username="x" response="⟨6629fae49393⟩" for user=bob"#);
    check(r#"Authorization: Signature keyId="k1";signature="⟨6629fae49393⟩""#);
    check("Authorization: Digest ⟨Zq8fJ2kLm9pQ4rSt⟩");
}

#[test]
fn what_opens_a_value_is_not_the_value() {
    check("req {\"headers\":{\"X-Api-Key\":[\"⟨Zq8fJ2kLm9pQ4rSt⟩\"],\"Host\":[\"x\"]}}");
    check("Config { user: \"bob\", password: Some(\"⟨Winter2026x⟩\") }");
    check("Password: (string) (len=11) \"⟨Winter2026x⟩\",");
    check("url.Values{\"password\":[]string{\"⟨Winter2026x⟩\"}}");
    check("UPDATE users SET password = MD5('⟨Winter2026x⟩')");
    check("app[1]: {\"cookies\":{\"sid\":\"⟨Zq8fJ2kLm9pQ4rSt⟩\"},\"n\":1}");
    check("password: \u{1b}[32m'⟨Winter2026x⟩'\u{1b}[39m");
    check(
        "------Web\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n⟨Zq8fJ2kLm9pQ⟩\r\n------Web--",
    );
    check(
        "\"curl\" \"{\\x22user\\x22:\\x22bob\\x22,\\x22password\\x22:\\x22⟨Zq8fJ2kLm9pQ⟩\\x22}\"",
    );
    check("> X-Session-Id: ⟨Zq8fJ2kLm9pQ4rStUv6wXy⟩");
}

#[test]
fn verdicts_and_what_others_left_are_no_secrets() {
    check("--- PASS: TestLoginFlow (0.02s)");
    check("PASS: src/login.test.ts");
    check("PASS: ⟨hunter22⟩");
    check("password: [FILTERED] ok");
    check("Authorization: [REDACTED]");
    check("client_secret=(hidden), password=(null) token={token}");
    check("Credentials=[PROTECTED]");
    check("password= host=db user=⟨⟩".trim_end_matches("⟨⟩"));
}

#[test]
fn a_name_over_and_over_is_no_slower_than_it_is_long() {
    let long = "x1-".repeat(5_000);
    check(&format!("password=⟨{long}y⟩ z"));
}

#[test]
fn openings_in_openings_end() {
    // Each quote is escaped, so that none closes the one before.
    let deep = format!("password=[\"{}", "[\\\"".repeat(200_000));
    let redactor = redactor();
    assert!(redactor.engine.find(deep.as_bytes(), Place::Text).is_some());
    check(r#"{\"X-Api-Key\":[\"⟨Zq8fJ2kLm9pQ4rSt⟩\"]}"#);
}

#[test]
fn a_long_value_goes_to_its_end_whatever_stands_where_it_is_judged() {
    for sign in [".", ",", ")", "!"] {
        let value = format!("{}{sign}{}", "a1".repeat(255) + "b", "c2".repeat(100));
        check(&format!("password=⟨{value}⟩ x"));
    }
}

#[test]
fn what_only_looks_like_a_stand_in_or_a_next_name_is_a_secret() {
    check("password= ⟨dGVzdHRlc3Q==⟩");
    check("password = ⟨hunter=2⟩");
    check("password=⟨{hunter⟩ x");
}
