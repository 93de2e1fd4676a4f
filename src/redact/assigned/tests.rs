use super::super::engine::Place;
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
