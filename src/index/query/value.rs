//! A value as written to the condition it means for the field it was written for.

use std::net::{IpAddr, Ipv6Addr};
use std::ops::{Bound, RangeInclusive};

use super::super::text::fold;
use super::ast::{Condition, Literal, Name, Node, Phrase, Test};
use super::glob::Glob;
use super::matches::{address, number};
use super::names::Target;
use super::pattern::Pattern;
use super::time::{parse_duration, parse_span};
use crate::model::{Field, Kind, Timestamp, id_forms};

/// Characters of a value, each with whether it was escaped or quoted.
pub(super) struct Text {
    pub(super) chars: Vec<(char, bool)>,
    pub(super) is_quoted: bool,
}

impl Text {
    fn plain(&self) -> String {
        self.chars.iter().map(|(c, _)| *c).collect()
    }

    fn has_wildcard(&self) -> bool {
        self.chars
            .iter()
            .any(|(c, is_escaped)| !is_escaped && matches!(c, '*' | '?'))
    }

    fn is_star(&self) -> bool {
        matches!(self.chars.as_slice(), [('*', false)])
    }
}

/// A value that its field cannot have.
pub(super) struct Bad {
    pub(super) message: &'static str,
    pub(super) example: Option<String>,
}

fn bad<T>(message: &'static str, example: &str) -> Result<T, Bad> {
    Err(Bad {
        message,
        example: Some(example.to_owned()),
    })
}

/// `value` or `name:value`.
pub(super) fn condition(target: Option<Target>, text: &Text, now: Timestamp) -> Result<Node, Bad> {
    let plain = text.plain();
    match target {
        None => bare(text, &plain),
        Some(Target::AnyId) if text.is_star() => {
            let ids = Field::ALL.iter().filter(|field| field.kind() == Kind::Id);
            Ok(any(ids.map(|field| (Name::Known(*field), Test::Exists))))
        }
        Some(Target::AnyId) if text.has_wildcard() => {
            let glob = Glob::new(&text.chars);
            let ids = Field::ALL.iter().filter(|field| field.kind() == Kind::Id);
            Ok(any(ids.map(|field| {
                (Name::Known(*field), Test::Like(glob.clone()))
            })))
        }
        Some(Target::AnyId) => Ok(Node::Is(Condition::Id(id_forms(&plain)))),
        Some(Target::Time | Target::Received) if text.is_star() => Ok(Node::All),
        Some(target @ (Target::Time | Target::Received)) => {
            let Some((start, end)) = parse_span(&plain, now) else {
                return bad("wants a time", "[now-1h TO now]");
            };
            Ok(moment(&target, start.millis()..=end.millis()))
        }
        Some(Target::Names(names)) => {
            let tests = names.into_iter().map(|name| {
                let test = test(&name, text, &plain)?;
                Ok((name, test))
            });
            Ok(any(tests.collect::<Result<Vec<_>, Bad>>()?.into_iter()))
        }
    }
}

fn any(tests: impl Iterator<Item = (Name, Test)>) -> Node {
    let mut nodes: Vec<Node> = tests
        .map(|(name, test)| Node::Is(Condition::Field(name, test)))
        .collect();
    match nodes.len() {
        1 => nodes.pop().unwrap_or(Node::All),
        _ => Node::Or(nodes),
    }
}

fn moment(target: &Target, range: RangeInclusive<i64>) -> Node {
    Node::Is(match target {
        Target::Received => Condition::Received(range),
        _ => Condition::Time(range),
    })
}

/// Text without a name: free text, and ids where it looks like one.
fn bare(text: &Text, plain: &str) -> Result<Node, Bad> {
    if text.is_star() {
        return Ok(Node::All);
    }
    if text.has_wildcard() {
        return Ok(Node::Is(Condition::WordsLike(Glob::new(&text.chars))));
    }
    let phrase = Phrase::of(plain);
    if phrase.0.is_empty() {
        return bad(
            "text to search for has no letters or digits",
            "\"some words\"",
        );
    }
    let words = Node::Is(Condition::Words(phrase));
    if looks_like_id(plain) {
        return Ok(Node::Or(vec![
            Node::Is(Condition::Id(id_forms(plain))),
            words,
        ]));
    }
    Ok(words)
}

/// Whether a text without a name is likely a correlation id: no spaces, long, with digits.
fn looks_like_id(text: &str) -> bool {
    text.len() >= 12
        && text.bytes().any(|byte| byte.is_ascii_digit())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn test(name: &Name, text: &Text, plain: &str) -> Result<Test, Bad> {
    let kind = match name {
        Name::Known(field) => Some(field.kind()),
        Name::Ext(_) => None,
    };
    if text.is_star() {
        return Ok(Test::Exists);
    }
    match (kind, name) {
        (Some(Kind::Int), Name::Known(field)) if !text.has_wildcard() => {
            if let Some(class) = status_class(*field, plain) {
                return Ok(Test::Int(class));
            }
            match whole(*field, plain, false) {
                Some((value, true)) => Ok(Test::Int(value..=value)),
                Some((_, false)) => Ok(empty()),
                None => bad("wants a whole number", ">=400"),
            }
        }
        (Some(Kind::Ip), _) => match addresses(text, plain) {
            Some(range) => Ok(Test::Ip(range)),
            None if text.has_wildcard() => Ok(Test::Like(Glob::new(&text.chars))),
            None => bad("wants an address or a network", "10.0.0.0/8"),
        },
        _ if text.has_wildcard() => Ok(Test::Like(Glob::new(&text.chars))),
        (Some(Kind::Id), _) => Ok(Test::Id(id_forms(plain))),
        _ => Ok(Test::Text(Literal {
            folded: fold(plain),
            phrase: Phrase::of(plain),
            number: number(plain),
        })),
    }
}

/// A range no number is in.
fn empty() -> Test {
    #[expect(clippy::reversed_empty_ranges, reason = "nothing is meant")]
    Test::Int(1..=0)
}

/// `4xx`.
fn status_class(field: Field, text: &str) -> Option<RangeInclusive<u64>> {
    let class = text
        .strip_suffix("xx")
        .or_else(|| text.strip_suffix("XX"))?;
    let class = class
        .parse::<u64>()
        .ok()
        .filter(|class| (1..=9).contains(class))?;
    (field == Field::HttpStatus).then_some(class * 100..=class * 100 + 99)
}

/// The smallest whole number at or above the written one, and whether it is that number. Durations may carry a unit.
fn whole(field: Field, text: &str, is_down: bool) -> Option<(u64, bool)> {
    if let Ok(value) = text.parse::<u64>() {
        return Some((value, true));
    }
    if field == Field::EventDuration
        && let Some(nanos) = parse_duration(text)
    {
        return u64::try_from(nanos).ok().map(|value| (value, true));
    }
    let value = number(text)?;
    let rounded = if is_down { value.floor() } else { value.ceil() };
    let is_exact = rounded.total_cmp(&value).is_eq() && value >= 0.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturates, which is what a bound beyond all numbers means"
    )]
    let clamped = rounded as u64;
    Some((clamped, is_exact))
}

/// One address, a network, or the leading numbers of an IPv4 address and `*`.
fn addresses(text: &Text, plain: &str) -> Option<RangeInclusive<Ipv6Addr>> {
    if text.has_wildcard() {
        let head = plain.strip_suffix(".*")?;
        let head = head.trim_end_matches(".*");
        let octets: Vec<u8> = head
            .split('.')
            .map(|part| part.parse().ok())
            .collect::<Option<_>>()?;
        let bits = u32::try_from(octets.len())
            .ok()
            .filter(|count| *count <= 3)?
            * 8;
        let mut full = [0u8; 4];
        for (to, from) in full.iter_mut().zip(&octets) {
            *to = *from;
        }
        return Some(network(
            std::net::Ipv4Addr::from(full).to_ipv6_mapped(),
            96 + bits,
        ));
    }
    let Some((ip, bits)) = plain.split_once('/') else {
        return address(plain).map(|ip| ip..=ip);
    };
    let bits: u32 = bits.parse().ok()?;
    match ip.parse().ok()? {
        IpAddr::V4(ip) => (bits <= 32).then(|| network(ip.to_ipv6_mapped(), 96 + bits)),
        IpAddr::V6(ip) => (bits <= 128).then(|| network(ip, bits)),
    }
}

fn network(ip: Ipv6Addr, bits: u32) -> RangeInclusive<Ipv6Addr> {
    let host = u128::MAX.checked_shr(bits).unwrap_or(0);
    let start = ip.to_bits() & !host;
    Ipv6Addr::from_bits(start)..=Ipv6Addr::from_bits(start | host)
}

/// `name:>=value` and its like.
pub(super) fn compare(
    target: Option<Target>,
    operator: &str,
    text: &Text,
    now: Timestamp,
) -> Result<Node, Bad> {
    let open = || Text {
        chars: vec![('*', false)],
        is_quoted: false,
    };
    let given = Text {
        chars: text.chars.clone(),
        is_quoted: text.is_quoted,
    };
    match operator {
        ">=" => range(target, &(given, true), &(open(), true), now),
        ">" => range(target, &(given, false), &(open(), true), now),
        "<=" => range(target, &(open(), true), &(given, true), now),
        _ => range(target, &(open(), true), &(given, false), now),
    }
}

/// Ids that begin so, as they are written; a UUID with dashes too where the beginning has none.
pub(super) fn id_prefix(prefix: &str) -> Node {
    let is_hex = prefix.bytes().all(|b| b.is_ascii_hexdigit());
    let dashed = (is_hex && (9..32).contains(&prefix.len())).then(|| dashed(prefix));
    let written = [Some(prefix.to_owned()), dashed].into_iter().flatten();
    let ids = || Field::ALL.iter().filter(|field| field.kind() == Kind::Id);
    let tests = written.flat_map(|text| {
        let chars = text.chars().map(|c| (c, true)).chain([('*', false)]);
        let glob = Glob::new(&chars.collect::<Vec<_>>());
        ids().map(move |field| (Name::Known(*field), Test::Like(glob.clone())))
    });
    any(tests)
}

/// The beginning of a UUID as RFC 9562 writes it.
fn dashed(hex: &str) -> String {
    let mut text = String::new();
    for (at, c) in hex.chars().enumerate() {
        if matches!(at, 8 | 12 | 16 | 20) {
            text.push('-');
        }
        text.push(c);
    }
    text
}

/// This value as it stands, whatever characters are in it.
pub(super) fn equals(field: Field, value: &str) -> Option<Node> {
    let text = Text {
        chars: value.chars().map(|c| (c, true)).collect(),
        is_quoted: true,
    };
    let target = Target::Names(vec![Name::Known(field)]);
    // No time is read: the target is none.
    condition(Some(target), &text, Timestamp(0)).ok()
}

/// `name:~pattern`.
pub(super) fn pattern(target: Option<Target>, text: &str) -> Result<Node, Bad> {
    let pattern = Pattern::new(text).map_err(|message| Bad {
        message,
        example: Some("~\"^/v1/[a-z]+$\"".to_owned()),
    })?;
    match target {
        Some(Target::Names(names)) => {
            let tests = names.into_iter();
            Ok(any(tests.map(|name| (name, Test::Fits(pattern.clone())))))
        }
        Some(Target::AnyId) => {
            let ids = Field::ALL.iter().filter(|field| field.kind() == Kind::Id);
            Ok(any(ids.map(|field| {
                (Name::Known(*field), Test::Fits(pattern.clone()))
            })))
        }
        Some(Target::Time | Target::Received) | None => {
            bad("cannot be searched by a pattern", "[now-1h TO now]")
        }
    }
}

/// `name:[low TO high]`; each end with whether it belongs to the range, `*` for open.
pub(super) fn range(
    target: Option<Target>,
    low: &(Text, bool),
    high: &(Text, bool),
    now: Timestamp,
) -> Result<Node, Bad> {
    match target {
        Some(target @ (Target::Time | Target::Received)) => {
            let start = match low {
                (text, _) if text.is_star() => i64::MIN,
                (text, is_included) => match parse_span(&text.plain(), now) {
                    Some((start, _)) if *is_included => start.millis(),
                    Some((_, end)) => end.millis().saturating_add(1),
                    None => return bad("wants times", "[now-1h TO now]"),
                },
            };
            let end = match high {
                (text, _) if text.is_star() => i64::MAX,
                (text, is_included) => match parse_span(&text.plain(), now) {
                    Some((_, end)) if *is_included => end.millis(),
                    Some((start, _)) => start.millis().saturating_sub(1),
                    None => return bad("wants times", "[now-1h TO now]"),
                },
            };
            Ok(moment(&target, start..=end))
        }
        Some(Target::Names(names)) => {
            let tests = names.into_iter().map(|name| {
                let test = range_test(&name, low, high)?;
                Ok((name, test))
            });
            Ok(any(tests.collect::<Result<Vec<_>, Bad>>()?.into_iter()))
        }
        Some(Target::AnyId) | None => bad("cannot be compared", "\"some words\""),
    }
}

fn range_test(name: &Name, low: &(Text, bool), high: &(Text, bool)) -> Result<Test, Bad> {
    match name {
        Name::Known(field) if field.kind() == Kind::Int => {
            let start = match low {
                (text, _) if text.is_star() => 0,
                (text, is_included) => match whole(*field, &text.plain(), false) {
                    Some((value, true)) if !is_included => match value.checked_add(1) {
                        Some(value) => value,
                        None => return Ok(empty()),
                    },
                    Some((value, _)) => value,
                    None => return bad("wants whole numbers", "[400 TO 499]"),
                },
            };
            let end = match high {
                (text, _) if text.is_star() => u64::MAX,
                (text, is_included) => match whole(*field, &text.plain(), true) {
                    _ if number(&text.plain()).is_some_and(|value| value < 0.0) => {
                        return Ok(empty());
                    }
                    Some((value, true)) if !is_included => match value.checked_sub(1) {
                        Some(value) => value,
                        None => return Ok(empty()),
                    },
                    Some((value, _)) => value,
                    None => return bad("wants whole numbers", "[400 TO 499]"),
                },
            };
            Ok(Test::Int(start..=end))
        }
        Name::Known(field) if field.kind() == Kind::Ip => {
            let end = |text: &Text, open: Ipv6Addr| {
                if text.is_star() {
                    Some(open)
                } else {
                    address(&text.plain())
                }
            };
            match (
                end(&low.0, Ipv6Addr::UNSPECIFIED),
                end(&high.0, Ipv6Addr::from_bits(u128::MAX)),
            ) {
                (Some(start), Some(end)) if low.1 && high.1 => Ok(Test::Ip(start..=end)),
                _ => bad(
                    "wants addresses, both ends included",
                    "[10.0.0.1 TO 10.0.0.9]",
                ),
            }
        }
        _ => {
            let numbers = (bound(low, number), bound(high, number));
            if let (Some(low), Some(high)) = numbers {
                return Ok(Test::Number(low, high));
            }
            let text = |plain: &str| Some(fold(plain));
            match (bound(low, text), bound(high, text)) {
                (Some(low), Some(high)) => Ok(Test::Between(low, high)),
                _ => bad("cannot be compared", "[a TO b]"),
            }
        }
    }
}

/// An end of a range; `None` where the text is not one.
fn bound<T>(end: &(Text, bool), read: impl Fn(&str) -> Option<T>) -> Option<Bound<T>> {
    let (text, is_included) = end;
    if text.is_star() && !text.is_quoted {
        return Some(Bound::Unbounded);
    }
    let value = read(&text.plain())?;
    Some(if *is_included {
        Bound::Included(value)
    } else {
        Bound::Excluded(value)
    })
}
