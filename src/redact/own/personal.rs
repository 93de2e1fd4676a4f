//! Personal data that is no secret: mail addresses, phone numbers, IP addresses. Off unless the operator says so.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

/// Longest mail address (RFC 5321 §4.5.3.1).
const EMAIL_MAX: usize = 254;

/// Every mail address of a text.
pub(super) fn emails(text: &[u8], mut take: impl FnMut(Range<usize>)) {
    for at in memchr::memchr_iter(b'@', text) {
        let head = text.get(at.saturating_sub(64)..at).unwrap_or_default();
        let is_local = |b: &u8| b.is_ascii_alphanumeric() || b"._%+-".contains(b) || *b >= 0x80;
        let local = head.iter().rev().take_while(|b| is_local(b)).count();
        let tail = text.get(at + 1..).unwrap_or_default();
        let is_host = |b: &u8| b.is_ascii_alphanumeric() || b".-".contains(b) || *b >= 0x80;
        let host = tail
            .iter()
            .take(EMAIL_MAX)
            .take_while(|b| is_host(b))
            .count();
        let host = tail.get(..host).unwrap_or_default();
        let host = host.trim_ascii_end();
        let trimmed = host.iter().rev().take_while(|b| b".-".contains(b)).count();
        let host = host.get(..host.len() - trimmed).unwrap_or_default();
        let last = host.rsplit(|b| *b == b'.').next().unwrap_or_default();
        let is_name = host.len() > last.len()
            && last.len() >= 2
            && last.iter().all(|b| b.is_ascii_alphabetic() || *b >= 0x80);
        if local > 0 && is_name {
            take(at - local..at + 1 + host.len());
        }
    }
}

/// A mail address whose domain alone can be read.
pub(super) fn mask_email(text: &[u8]) -> Vec<u8> {
    let at = memchr::memchr(b'@', text).unwrap_or(text.len());
    [&b"****"[..], text.get(at..).unwrap_or_default()].concat()
}

/// Every phone number of a text: those with a `+`, and the whole under a name that says phone.
pub(super) fn phones(path: Option<&str>, text: &[u8], mut take: impl FnMut(Range<usize>)) {
    let is_part = |b: &u8| b.is_ascii_digit() || b" -().".contains(b);
    let digits = |text: &[u8]| text.iter().filter(|b| b.is_ascii_digit()).count();
    if path.is_some_and(is_phone_name) {
        // People also write `030/901820 ext. 5`.
        let others = text
            .iter()
            .filter(|b| !is_part(b) && !b"+/".contains(b))
            .count();
        if text.len() <= 40 && others <= 3 && (7..=20).contains(&digits(text)) {
            return take(0..text.len());
        }
    }
    for at in memchr::memchr_iter(b'+', text) {
        let before = at.checked_sub(1).and_then(|at| text.get(at));
        if before.is_some_and(u8::is_ascii_alphanumeric) {
            continue;
        }
        let tail = text.get(at + 1..).unwrap_or_default();
        let length = tail.iter().take(24).take_while(|b| is_part(b)).count();
        let number = tail.get(..length).unwrap_or_default();
        let end = number
            .iter()
            .rposition(u8::is_ascii_digit)
            .map_or(0, |at| at + 1);
        let number = number.get(..end).unwrap_or_default();
        let is_cut = tail.get(end).is_some_and(|b| b.is_ascii_alphanumeric());
        let begins = matches!(number.first(), Some(b'1'..=b'9' | b'('));
        if begins && !is_cut && (8..=15).contains(&digits(number)) {
            take(at..at + 1 + end);
        }
    }
}

fn is_phone_name(path: &str) -> bool {
    let last = path.rsplit('.').next().unwrap_or(path).to_lowercase();
    let plain: String = last.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    [
        "phone",
        "phonenumber",
        "mobile",
        "mobilenumber",
        "msisdn",
        "tel",
        "telephone",
        "cellphone",
    ]
    .contains(&plain.as_str())
}

/// The last two digits of a number.
pub(super) fn mask_phone(text: &[u8]) -> Vec<u8> {
    let digits: Vec<u8> = text.iter().copied().filter(u8::is_ascii_digit).collect();
    let from = digits.len().saturating_sub(2);
    [&b"****"[..], digits.get(from..).unwrap_or_default()].concat()
}

/// Every IP address of a text.
pub(super) fn addresses(text: &[u8], mut take: impl FnMut(Range<usize>, IpAddr)) {
    let is_part = |b: u8| b.is_ascii_hexdigit() || b == b'.' || b == b':';
    // Dots before it part it from a name: `by.203.0.113.7`.
    let is_begin = |b: u8| is_part(b) && b != b'.';
    let is_word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let start = at + rest.iter().position(|b| is_begin(*b)).unwrap_or(rest.len());
        let run = text.get(start..).unwrap_or_default();
        let length = run.iter().take_while(|b| is_part(**b)).count();
        at = start + length.max(1);
        // The shortest there is has two bytes: `::` says nothing, `::1` has three.
        let run = run.get(..length).unwrap_or_default();
        let before = start.checked_sub(1).and_then(|at| text.get(at));
        if run.len() < 3
            || before.is_some_and(is_word)
            || text.get(start + length).is_some_and(is_word)
        {
            continue;
        }
        if let Some((length, address)) = address(run) {
            take(start..start + length, address);
        }
    }
}

/// The address that begins a run, with the bytes it takes.
fn address(run: &[u8]) -> Option<(usize, IpAddr)> {
    // `a::b` is an address too, and mostly a path in code.
    let has_digit = |text: &[u8]| text.iter().any(u8::is_ascii_digit);
    let read = |text: &[u8]| {
        let text = std::str::from_utf8(text).ok()?;
        let address = text.parse::<IpAddr>().ok();
        address.filter(|_| has_digit(text.as_bytes()))
    };
    let dots = run.iter().rev().take_while(|b| **b == b'.').count();
    let run = run.get(..run.len() - dots)?;
    let colon = memchr::memchr(b':', run);
    let whole = match run {
        [head @ .., b':'] if !head.ends_with(b":") => head,
        whole => whole,
    };
    if let Some(address) = read(whole) {
        return (!address.is_unspecified()).then_some((whole.len(), address));
    }
    // A port behind it.
    let head = run.get(..colon?)?;
    match read(head)? {
        address @ IpAddr::V4(_) if !address.is_unspecified() => Some((head.len(), address)),
        _ => None,
    }
}

/// The network of an address: /24, and /48 of the sixth version.
pub(super) fn mask_address(address: IpAddr) -> Vec<u8> {
    let network = match address {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, 0))
        }
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(inner) => {
                let [a, b, c, _] = inner.octets();
                IpAddr::V6(Ipv4Addr::new(a, b, c, 0).to_ipv6_mapped())
            }
            None => {
                let [a, b, c, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
            }
        },
    };
    network.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, find: impl Fn(&[u8], &mut Vec<Range<usize>>)) -> Vec<String> {
        let mut places = Vec::new();
        find(text.as_bytes(), &mut places);
        places
            .into_iter()
            .map(|place| text.get(place).unwrap_or_default().to_owned())
            .collect()
    }

    #[test]
    fn mail_addresses_are_found() {
        let check = |text: &str, expected: &[&str]| {
            let places = found(text, |text, places| {
                emails(text, |place| places.push(place))
            });
            assert_eq!(places, expected, "{text}");
        };
        check(
            "from <jo.do+x@mail.example.com>.",
            &["jo.do+x@mail.example.com"],
        );
        check("a@b.co, c@d.org", &["a@b.co", "c@d.org"]);
        check("user@host git@1.2.3 @handle a@ @b.co x@y.1", &[]);
        assert_eq!(mask_email(b"jo@example.com"), b"****@example.com");
    }

    #[test]
    fn phone_numbers_are_found() {
        let check = |path: Option<&str>, text: &str, expected: &[&str]| {
            let places = found(text, |text, places| {
                phones(path, text, |place| places.push(place))
            });
            assert_eq!(places, expected, "{text}");
        };
        check(None, "call +49 (30) 901820-12, or", &["+49 (30) 901820-12"]);
        check(None, "+14155550123", &["+14155550123"]);
        check(None, "1+14155550123 +0123456789 +123 5+5 030 901820", &[]);
        check(Some("ext.user.phone_number"), "030 901820", &["030 901820"]);
        let written = "(030) 90/18-20 ext. 5";
        check(Some("ext.user.tel"), written, &[written]);
        check(Some("ext.user.phone_number"), "unknown", &[]);
        check(Some("ext.user.phone"), "2026-11-21T10:15:00Z", &[]);
        assert_eq!(mask_phone(b"+49 30 901820-12"), b"****12");
    }

    #[test]
    fn addresses_are_found_and_keep_their_network() {
        let check = |text: &str, expected: &[(&str, &str)]| {
            let mut pairs = Vec::new();
            addresses(text.as_bytes(), |place, address| {
                let masked = String::from_utf8(mask_address(address)).unwrap();
                pairs.push((text.get(place).unwrap_or_default().to_owned(), masked));
            });
            let expected = expected
                .iter()
                .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
            assert_eq!(pairs, expected.collect::<Vec<_>>(), "{text}");
        };
        check("from 203.0.113.7:8080.", &[("203.0.113.7", "203.0.113.0")]);
        check(
            "[2001:db8:1:2::7]:443 fe80::1",
            &[("2001:db8:1:2::7", "2001:db8:1::"), ("fe80::1", "fe80::")],
        );
        check("by.203.0.113.7.n", &[]);
        check("by.203.0.113.7", &[("203.0.113.7", "203.0.113.0")]);
        check(
            "::ffff:203.0.113.7",
            &[("::ffff:203.0.113.7", "::ffff:203.0.113.0")],
        );
        check(
            "10:20:30 v1.2.3 std::fmt a::b :: 0.0.0.0 aa:bb:cc:dd:ee:ff 1.2.3.4x",
            &[],
        );
    }
}
