//! Values with a structure that stays while their secrets go: the scheme of `Authorization`, the
//! names and attributes of cookies.

use std::ops::Range;

use super::check;
use super::keys::{Class, Keys, Kind};

/// Schemes of `Authorization`: the registered ones and those that known services made up.
const SCHEMES: &[&[u8]] = &[
    b"bearer",
    b"basic",
    b"digest",
    b"token",
    b"oauth",
    b"negotiate",
    b"kerberos",
    b"ntlm",
    b"hawk",
    b"hoba",
    b"mutual",
    b"dpop",
    b"gnap",
    b"vapid",
    b"webpush",
    b"concealed",
    b"signature",
    b"sharedkey",
    b"sharedkeylite",
    b"sharedaccesssignature",
    b"apikey",
    b"api-key",
    b"key",
    b"jwt",
    b"mac",
    b"privatetoken",
    b"private-token",
    b"accesskey",
    b"access-key",
    b"accesstoken",
    b"apitoken",
    b"aws",
    b"aws4-hmac-sha256",
    b"goog4-hmac-sha256",
    b"goog4-rsa-sha256",
    b"tc3-hmac-sha256",
    b"acs3-hmac-sha256",
    b"hmac",
    b"hmac-sha256",
    b"wsse",
    b"usernametoken",
    b"bot",
    b"client-id",
    b"genie-key",
    b"geniekey",
    b"googlelogin",
    b"splunk",
    b"ssws",
    b"sso-key",
    b"flyv1",
    b"zoho-oauthtoken",
    b"klaviyo-api-key",
    b"deepl-auth-key",
];

/// What stands behind the scheme of an `Authorization` value: all of it where there is no scheme. A
/// secret is not taken for one, which would leave it and tag the word behind it.
pub(super) fn behind_scheme(text: &[u8], value: Range<usize>) -> Range<usize> {
    let Some(written) = text.get(value.clone()) else {
        return value;
    };
    // A scheme read without quotes ends at the room behind it: what follows belongs to the value.
    let length = written
        .iter()
        .take(24)
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        .count();
    let behind = text.get(value.start + length..).unwrap_or_default();
    let room = behind.iter().take_while(|b| **b == b' ').count();
    let start = value.start + length + room;
    let rest = text.get(start..).unwrap_or_default();
    let end = if start < value.end {
        value.end
    } else {
        let word = rest
            .split(|b| b.is_ascii_whitespace() || b"\"'`\\".contains(b))
            .next()
            .unwrap_or_default();
        // What ends a part of the sentence is not of the credential: with it, its tag would be another.
        let ends = word.iter().rev().take_while(|b| b",;.:)]}".contains(b));
        match word.len() - ends.count() {
            0 => start + word.len(),
            length => start + length,
        }
    };
    if length == 0 || room == 0 || end <= start {
        return value;
    }
    let scheme = written.get(..length).unwrap_or_default();
    let credential = text.get(start..end).unwrap_or_default();
    match scheme {
        scheme if is_scheme(scheme) => start..end,
        scheme if !is_word(scheme) => value,
        // A scheme nobody knows, or two words of which either may be the secret.
        _ if is_drawn(credential)
            || credential.contains(&b'=')
            || check::is_placeholder(credential) =>
        {
            start..end
        }
        _ => value.start..end,
    }
}

fn is_scheme(word: &[u8]) -> bool {
    SCHEMES.iter().any(|known| word.eq_ignore_ascii_case(known))
        || word
            .get(..6)
            .is_some_and(|head| head.eq_ignore_ascii_case(b"scram-"))
}

/// Letters as in a word: short, and not drawn by a machine.
fn is_word(text: &[u8]) -> bool {
    let switches = text
        .windows(2)
        .filter(|pair| matches!(pair, [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase()));
    text.len() <= 16
        && text.iter().all(|b| b.is_ascii_alphabetic() || *b == b'-')
        && switches.count() <= 2
}

/// Whether text was drawn by a machine, or is at least no word and no name.
fn is_drawn(text: &[u8]) -> bool {
    check::is_random(text)
        || text.len() >= 8 && text.iter().all(u8::is_ascii_alphanumeric) && check::mixed(text)
}

/// The class that the element before gives to an element of an array, as in
/// `["X-Api-Key","…"]` and `["--password","…"]`. In a list of names (`["email","password","name"]`) a
/// name follows, which stays.
pub(super) fn told(keys: &Keys, name: &[u8], value: &[u8], list: List<'_>) -> Option<Class> {
    if !(3..=48).contains(&name.len()) || value.is_empty() {
        return None;
    }
    let class = keys.announced(name);
    let (Class::Scheme | Class::Cookie | Class::Secret(_)) = class else {
        return None;
    };
    let is_flag = name.starts_with(b"-") && !value.starts_with(b"-");
    let is_told = is_flag
        || is_header_list(list.path)
        || (is_value(class, value) || list.is_pair && is_unlike_a_name(value))
            && keys.class(value) == Class::Pass;
    is_told.then_some(class)
}

/// The list that a name and a value stand in.
#[derive(Clone, Copy)]
pub(super) struct List<'p> {
    /// The name it stands under.
    pub(super) path: &'p [u8],
    /// Whether the two are all it holds (`[["password","…"],["user","…"]]`).
    pub(super) is_pair: bool,
}

fn is_unlike_a_name(text: &[u8]) -> bool {
    text.len() >= 4
        && text
            .iter()
            .any(|b| b.is_ascii_digit() || b.is_ascii_punctuation() && !b"_-./:".contains(b))
}

/// Node's flat list of names and values: what follows a name is its value, whatever it looks like.
fn is_header_list(path: &[u8]) -> bool {
    let last = path.rsplit(|b| *b == b'.').next().unwrap_or(path);
    [&b"rawheaders"[..], b"raw_headers", b"rawtrailers"]
        .iter()
        .any(|known| last.eq_ignore_ascii_case(known))
}

/// Whether a text can be no name, but the value that a name of this class announces.
fn is_value(class: Class, text: &[u8]) -> bool {
    let digits = text.iter().filter(|b| b.is_ascii_digit()).count();
    let is_number = digits + 3 >= text.len() && text.iter().all(|b| !b.is_ascii_alphabetic());
    let is_own = match class {
        Class::Scheme => {
            let word = text.split(|b| *b == b' ').next().unwrap_or_default();
            word.len() < text.len() && is_scheme(word)
        }
        Class::Cookie => text.contains(&b'='),
        Class::Secret(Kind::OneTime | Kind::Cvv) => is_number && (3..=12).contains(&digits),
        Class::Secret(Kind::Card | Kind::Bank | Kind::Ssn) => is_number && digits >= 6,
        Class::Secret(Kind::Connection) => is_connection(text),
        _ => false,
    };
    is_own || is_drawn(text)
}

/// Whether a value says how to connect: `dsn` is also a delivery status.
pub(super) fn is_connection(value: &[u8]) -> bool {
    value.contains(&b'=') || value.contains(&b'@') || memchr::memmem::find(value, b"://").is_some()
}

/// Whether a value is the name of a thing, which some keep under the name of a secret: an ARN of AWS, a SID of Windows.
pub(super) fn is_public(kind: Kind, text: &[u8]) -> bool {
    match kind {
        Kind::Session => is_sid(text),
        Kind::Secret | Kind::Token => is_arn(text),
        _ => false,
    }
}

/// `S-1-5-21-…-1013`: a revision, an authority and further numbers.
fn is_sid(text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"S-1-") else {
        return false;
    };
    let is_number =
        |part: &[u8]| (1..=10).contains(&part.len()) && part.iter().all(u8::is_ascii_digit);
    let mut parts = rest.split(|b| *b == b'-');
    text.len() <= 184
        && parts
            .next()
            .is_some_and(|first| first.len() <= 2 && is_number(first))
        && rest.contains(&b'-')
        && parts.all(is_number)
}

/// `arn:aws:service:region:account:resource`.
fn is_arn(text: &[u8]) -> bool {
    let mut parts = text.splitn(6, |b| *b == b':');
    let mut part = || parts.next().unwrap_or_default();
    let is_word = |part: &[u8]| {
        part.len() <= 32
            && part
                .iter()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
    };
    let is_account =
        |part: &[u8]| part.is_empty() || part.len() == 12 && part.iter().all(u8::is_ascii_digit);
    part() == b"arn"
        && matches!(part(), b"aws" | b"aws-cn" | b"aws-us-gov")
        && is_word(part())
        && is_word(part())
        && is_account(part())
        && matches!(part(), resource if (1..=512).contains(&resource.len()) && resource.iter().all(u8::is_ascii_graphic))
}

/// Whether a text reads as a sentence in which nothing is quoted: several words, each of letters alone or a number.
pub(super) fn is_sentence(text: &[u8]) -> bool {
    let ends = |b: &u8| b".,;:()!?".contains(b);
    let is_word = |word: &[u8]| {
        let start = word.iter().take_while(|b| ends(b)).count();
        let end = word.len() - word.iter().rev().take_while(|b| ends(b)).count();
        let inner = word.get(start..end.max(start)).unwrap_or_default();
        let is_letter = |b: &u8| b.is_ascii_alphabetic() || *b == b'-' || *b >= 0x80;
        let mut halves = inner.splitn(2, |b| *b == b'\'');
        inner.iter().all(u8::is_ascii_digit) && inner.len() <= 3
            || halves.all(|half| !half.is_empty() && half.iter().all(is_letter))
    };
    let mut words = text
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    text.len() <= 512 && words.clone().count() >= 2 && words.all(is_word)
}

/// Attributes of `Set-Cookie` (RFC 6265bis), which tell nothing secret.
const ATTRIBUTES: &[&[u8]] = &[
    b"path",
    b"domain",
    b"expires",
    b"max-age",
    b"samesite",
    b"httponly",
    b"secure",
    b"priority",
    b"partitioned",
    b"version",
    b"comment",
];

/// Calls `take` with the place of every cookie's value; with the whole where there is no `name=`.
pub(super) fn cookie_values(text: &[u8], value: Range<usize>, mut take: impl FnMut(Range<usize>)) {
    let Some(written) = text.get(value.clone()) else {
        return;
    };
    if !written.contains(&b'=') {
        return take(value);
    }
    let mut start = value.start;
    for part in written.split(|b| *b == b';') {
        let end = start + part.len();
        if let Some(equals) = memchr::memchr(b'=', part) {
            let name = part.get(..equals).unwrap_or_default().trim_ascii();
            if !ATTRIBUTES
                .iter()
                .any(|known| name.eq_ignore_ascii_case(known))
            {
                // `cookie=…&b=1` of a form: no name holds `&`.
                if let Some(amp) = memchr::memrchr(b'&', name) {
                    take(start..start + amp);
                }
                let written = part.get(equals + 1..).unwrap_or_default();
                let room = written.len() - written.trim_ascii_start().len();
                let begin = start + equals + 1 + room;
                take(begin..begin + written.trim_ascii().len());
            }
        } else if part.trim_ascii().len() >= 16 {
            take(start..end);
        }
        start = end + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_stay() {
        let check = |text: &str, expected: &str| {
            let place = behind_scheme(text.as_bytes(), 0..text.len());
            assert_eq!(text.get(place), Some(expected));
        };
        check("Bearer abc", "abc");
        check(
            "Digest username=\"x\", response=\"y\"",
            "username=\"x\", response=\"y\"",
        );
        check("abc", "abc");
        check("0abc def", "0abc def");
        check("Custom a1b2c3d4e5", "a1b2c3d4e5");
        check("SCRAM-SHA-256 data", "data");
        // A secret is no scheme, and of two words either may be the secret.
        check("Zq8fJ2kLm9pQ4rSt for", "Zq8fJ2kLm9pQ4rSt for");
        check("hunter correct", "hunter correct");
        assert_eq!(behind_scheme(b"Zq8fJ2kLm9pQ4rSt for bob", 0..16), 0..16);
        assert_eq!(behind_scheme(b"hunter for bob", 0..6), 0..10);
        assert_eq!(behind_scheme(b"Bearer abc, rest", 0..6), 7..10);
        assert_eq!(behind_scheme(b"Bearer abc==). x", 0..6), 7..12);
        assert_eq!(behind_scheme(b"Bearer ...", 0..6), 7..10);
    }

    #[test]
    fn cookies_keep_names_and_attributes() {
        let check = |text: &str, expected: &[&str]| {
            let mut found = Vec::new();
            cookie_values(text.as_bytes(), 0..text.len(), |place| {
                found.extend(text.get(place))
            });
            assert_eq!(found, expected);
        };
        check("sid=abc; theme=dark", &["abc", "dark"]);
        check(
            "sid=abc=; Path=/; Expires=Wed, 01 Jan 2027 00:00:00 GMT; HttpOnly",
            &["abc="],
        );
        check("opaque", &["opaque"]);
        check("opaque&b=1; c=2", &["opaque", "1", "2"]);
    }

    #[test]
    fn names_tell_of_the_value_behind_and_not_of_names() {
        let keys = Keys::new();
        let check_in = |path: &str, is_pair: bool, name: &str, value: &str, expected: bool| {
            let path = path.as_bytes();
            let list = List { path, is_pair };
            let class = told(&keys, name.as_bytes(), value.as_bytes(), list);
            assert_eq!(class.is_some(), expected, "{name} {value}");
        };
        let check = |path: &str, name: &str, value: &str, expected: bool| {
            check_in(path, false, name, value, expected);
        };
        check_in("headers", true, "password", "hunter2-correct", true);
        check_in("headers", true, "password", "pa$$", true);
        check_in("unique", true, "password", "name", false);
        check_in("unique", true, "password", "newPassword2", false);
        check("headers.0", "X-Api-Key", "Zq8fJ2kLm9pQ4rSt", true);
        check("headers", "Authorization", "Bearer abc", true);
        check("headers", "cookie", "a=b", true);
        check("list", "password", "hunter22", true);
        check("list", "pin", "4711", true);
        check("rawHeaders", "X-Api-Key", "abc", true);
        check("argv", "--password", "hunter", true);
        check("argv", "--password", "--verbose", false);
        check("required", "password", "name", false);
        check("required", "password", "password2", false);
        check("allow", "Authorization", "X-B3-TraceId", false);
        check("allow", "Authorization", "Content-Type", false);
        check("rows", "token", "2026-11-21T10:00:00Z", false);
        check("rows", "page", "Zq8fJ2kLm9pQ4rSt", false);
    }
}
