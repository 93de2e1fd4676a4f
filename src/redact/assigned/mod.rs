//! A secret in running text behind its name: `password=…`, `"api_key": "…"`, `SECRET …`,
//! `<token>…</token>`, `?code=…`. The name is classed as a field's name would be; what follows
//! decides how much proof the value must bring.

mod element;
mod parameters;
mod types;
mod value;

use std::ops::Range;

use super::check;
use super::engine::{Place, Probe};
use super::keys::{Class, Kind};
use super::names;
use super::spans::{Rank, Spans};
use super::values;
use value::{escaped_quote_end, value_from};

/// Longest name read around a keyword, to each side.
const NAME_MAX: usize = 48;

/// What stands between a name and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    /// `=`, `=>`, `:=`: it is the value.
    Equals,
    /// `:`: it is the value, or a sentence goes on.
    Colon,
    /// Nothing but room.
    Room,
}

/// Looks at the name around a keyword and at what is assigned to it.
pub(super) fn find(probe: &Probe<'_>, spans: &mut Spans) {
    let text = probe.text;
    // `<pin ` and `:pin ` begin before the name.
    let at = probe.at + usize::from(matches!(text.get(probe.at), Some(b'<' | b':')));
    let mut name = name_around(text, at);
    let Some(mut written) = text.get(name.clone()) else {
        return;
    };
    let mut class = probe.keys.class(written);
    if class == Class::Pass
        && let Some(short) = before_dash(text, at, &name)
    {
        (name, written) = (short.clone(), text.get(short).unwrap_or_default());
        class = probe.keys.class(written);
    }
    if written.len() <= 3 && !is_apart(text, name.start) && !element::is_open(text, &name) {
        return;
    }
    let is_parameter = is_parameter(probe, name.start);
    let class = match class {
        _ if is_parameter && names::is_param(written) => Class::Secret(Kind::Token),
        // `KEY` in capitals is a variable or a heading, `key` any word.
        Class::PairName(_) if written == b"KEY" => Class::Random(Kind::Secret),
        Class::PairName(_)
            if written.eq_ignore_ascii_case(b"key") && is_long_assignment(text, &name) =>
        {
            Class::Random(Kind::Secret)
        }
        Class::Pass | Class::PairName(_) | Class::PairValue(_) => return,
        class => class,
    };
    let Some(assigned) = assigned(text, &name) else {
        return;
    };
    match class {
        Class::Cookie if assigned.sign != Sign::Room => {
            let end = cookies_end(text, &assigned, is_parameter);
            values::cookie_values(text, assigned.value.start..end, |place| {
                take(text, place, Kind::Session, spans);
            });
        }
        Class::Scheme if assigned.sign != Sign::Room => {
            let place = values::behind_scheme(text, assigned.value.clone());
            let has_scheme = place.start > assigned.value.start;
            let is_taken = has_scheme
                && parameters::secrets(text, place.start, |place| {
                    take(text, place, Kind::Token, spans);
                });
            if !is_taken {
                take(text, place, Kind::Token, spans);
            }
        }
        Class::Secret(kind) | Class::Random(kind) => {
            let is_weak = matches!(class, Class::Random(_));
            let value = text.get(assigned.value.clone()).unwrap_or_default();
            // Runners of tests say `PASS: TestLogin`.
            let is_verdict =
                written == b"PASS" && assigned.sign == Sign::Colon && !check::mixed(value);
            let written = value;
            if !is_verdict && is_secret(written, kind, is_weak, assigned.sign, assigned.is_bounded)
            {
                take(text, assigned.value, kind, spans);
            }
        }
        _ => {}
    }
}

/// What is assigned to a name.
struct Assigned {
    sign: Sign,
    value: Range<usize>,
    /// Quotes or an element say where it begins and ends.
    is_bounded: bool,
    is_element: bool,
}

fn assigned(text: &[u8], name: &Range<usize>) -> Option<Assigned> {
    if let Some(value) = element::text_of(text, name) {
        return Some(Assigned {
            sign: Sign::Equals,
            value,
            is_bounded: true,
            is_element: true,
        });
    }
    let (mut sign, start) = sign_behind(text, name)?;
    let (value, is_bounded) = value_from(text, start, sign)?;
    let written = text.get(value.clone())?;
    // `password= host=db`: there is none, and another name follows.
    let is_empty = text.get(name.end..start) == Some(b"= ");
    if is_empty && !is_bounded && is_next_name(written) {
        return None;
    }
    if sign == Sign::Room && is_flag(text, name.start) && check::mixed(written) {
        sign = Sign::Equals;
    }
    Some(Assigned {
        sign,
        value,
        is_bounded,
        is_element: false,
    })
}

fn take(text: &[u8], place: Range<usize>, kind: Kind, spans: &mut Spans) {
    let place = place.start..value::whole_end(text, &place);
    if !value::is_stand_in(text, &place) {
        spans.push(place, kind.rule(), Rank::Context);
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// The whole word a keyword is part of. A dash goes on with a letter, a digit behind one begins a
/// value.
fn name_around(text: &[u8], at: usize) -> Range<usize> {
    let (head, tail) = text.split_at_checked(at).unwrap_or((text, b""));
    let before = head
        .iter()
        .rev()
        .take(NAME_MAX)
        .take_while(|b| is_name(**b))
        .count();
    let mut start = at - before;
    // `\n` and `\t` written out end a line, they do not begin a name.
    if start > 0 && text.get(start - 1) == Some(&b'\\') && before > 0 {
        start += 1;
    }
    while start < at && text.get(start).is_some_and(|b| matches!(b, b'-' | b'.')) {
        start += 1;
    }
    let mut end = at;
    for (offset, byte) in tail.iter().take(NAME_MAX).enumerate() {
        let goes_on = match byte {
            b'-' | b'.' => tail.get(offset + 1).is_some_and(u8::is_ascii_alphabetic),
            byte => byte.is_ascii_alphanumeric() || *byte == b'_',
        };
        if !goes_on {
            break;
        }
        end = at + offset + 1;
    }
    start..end
}

/// The name up to a dash behind the keyword: `tokenSECRET-abc123…` is a name and its value.
fn before_dash(text: &[u8], at: usize, name: &Range<usize>) -> Option<Range<usize>> {
    let tail = text.get(at..name.end)?;
    let dash = memchr::memchr(b'-', tail)?;
    Some(name.start..at + dash)
}

/// Whether a short name stands for itself: `PW:` inside an encoded line does not.
fn is_apart(text: &[u8], start: usize) -> bool {
    let before = start.checked_sub(1).and_then(|at| text.get(at));
    before.is_none_or(|b| b.is_ascii_whitespace() || b",;{(\"'`&?#-|[<>/\\".contains(b))
}

/// `--password` and `-Password` of a command line.
fn is_flag(text: &[u8], start: usize) -> bool {
    let before = text.get(start.saturating_sub(3)..start).unwrap_or_default();
    matches!(
        before,
        [b'-'] | [b'-', b'-'] | [.., b' ' | b'\n', b'-'] | [b' ' | b'\n', b'-', b'-']
    )
}

/// `key = …` where what is assigned is too long and too mixed for a word and is no hash.
fn is_long_assignment(text: &[u8], name: &Range<usize>) -> bool {
    let Some((Sign::Equals, start)) = sign_behind(text, name) else {
        return false;
    };
    let value = value_from(text, start, Sign::Equals).map(|(value, _)| value);
    let value = value.and_then(|value| text.get(value)).unwrap_or_default();
    value.len() >= 32
        && check::is_random(value)
        && !value.iter().all(u8::is_ascii_hexdigit)
        && !check::is_uuid(value)
}

/// Whether a name stands where a parameter of a query or a fragment stands.
fn is_parameter(probe: &Probe<'_>, start: usize) -> bool {
    match start.checked_sub(1).and_then(|at| probe.text.get(at)) {
        None => probe.place == Place::Query,
        Some(before) => b"?&#".contains(before) || (*before == b';' && probe.place == Place::Query),
    }
}

/// What stands behind a name, and where the value begins.
fn sign_behind(text: &[u8], name: &Range<usize>) -> Option<(Sign, usize)> {
    let mut at = name.end;
    let byte = |at: usize| text.get(at).copied();
    let closing = skip(text, &mut at, 4, |b| b"\\\"'`])*".contains(&b));
    let room = skip(text, &mut at, 4, |b| matches!(b, b' ' | b'\t'));
    let sign = match (byte(at), byte(at + 1)) {
        (Some(b'='), Some(b'>' | b'=')) | (Some(b':'), Some(b'=')) => {
            at += 2;
            Sign::Equals
        }
        (Some(b'='), _) => {
            at += 1;
            Sign::Equals
        }
        (Some(b':'), Some(b':')) => return None,
        (Some(b':'), _) => {
            at += 1;
            Sign::Colon
        }
        // An element that is not closed was cut, or is none: `login <token> [options]`, `<user>:<password>@host`.
        (Some(b'>'), next) if element::is_open(text, name) => {
            at += 1;
            match next {
                Some(b) if !b.is_ascii_whitespace() && b != b'@' => Sign::Equals,
                _ => Sign::Room,
            }
        }
        (Some(b','), _) if closing > 0 || byte(at + 1) == Some(b' ') => {
            // `"name":"token","value":"…"` and `setopt(TOKEN, "…")`.
            at = behind_value_word(text, at + 1).or_else(|| {
                let mut at = at + 1;
                skip(text, &mut at, 2, |b| b == b' ');
                byte(at).filter(|b| b"\"'`".contains(b)).map(|_| at)
            })?;
            Sign::Equals
        }
        (Some(b'\r' | b'\n' | b'\\'), _) if closing > 0 && is_part_of_form(text, name) => {
            at = behind_head(text, at)?;
            Sign::Equals
        }
        _ if room > 0 && closing == 0 && is_quoted_sentence(text, at) => {
            at += 3;
            Sign::Equals
        }
        _ if closing > 0 && room > 0 => {
            at = behind_value_word(text, at)?;
            Sign::Equals
        }
        (Some(b'-'), Some(next)) if room == 0 && closing == 0 && next.is_ascii_alphanumeric() => {
            at += 1;
            Sign::Room
        }
        _ if room > 0 && closing == 0 => Sign::Room,
        // YAML: `name: password`, and its value on the next line.
        (Some(b'\n'), _) if closing == 0 => match behind_value_line(text, at) {
            Some(value) => {
                at = value;
                Sign::Equals
            }
            None => Sign::Room,
        },
        _ => return None,
    };
    let room = if sign == Sign::Room { 2 } else { 24 };
    skip(text, &mut at, room, |b| b.is_ascii_whitespace());
    // The color that a terminal shows it in.
    if text.get(at..at + 2) == Some(b"\x1b[") {
        skip(text, &mut at, 12, |b| b != b'm');
        skip(text, &mut at, 1, |b| b == b'm');
    }
    Some((sign, at))
}

/// Whether a name is that of a part of a form (RFC 7578): `name="password"`.
fn is_part_of_form(text: &[u8], name: &Range<usize>) -> bool {
    let head = text.get(..name.start).unwrap_or_default();
    let head = head.trim_ascii_end();
    let head = head.strip_suffix(b"\"").unwrap_or_default();
    let head = head.strip_suffix(b"\\").unwrap_or(head);
    head.ends_with(b"name=")
}

/// Behind the empty line that ends the head of a part, whose breaks may be escaped.
fn behind_head(text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    let ends: [&[u8]; 4] = [b"\r\n\r\n", b"\n\n", b"\\r\\n\\r\\n", b"\\n\\n"];
    let end = ends.into_iter().find(|end| rest.starts_with(end))?;
    Some(at + end.len())
}

/// Whether a text is another name with its value.
fn is_next_name(text: &[u8]) -> bool {
    let is_letter = |b: &&u8| b.is_ascii_alphabetic() || **b == b'_';
    let name = text.iter().take_while(is_letter).count();
    // Two signs fill base64 up.
    name > 0 && text.get(name) == Some(&b'=') && text.get(name + 1).is_some_and(|b| *b != b'=')
}

/// `… is 'x'`: the quote says where the value begins.
fn is_quoted_sentence(text: &[u8], at: usize) -> bool {
    let rest = text.get(at..).unwrap_or_default();
    matches!(rest, [b'i', b's', b' ', b'"' | b'\'' | b'`', ..])
}

/// Behind `value:` at the beginning of the next line.
fn behind_value_line(text: &[u8], at: usize) -> Option<usize> {
    let mut at = at + 1;
    skip(text, &mut at, 16, |b| b == b' ');
    let rest = text.get(at..)?;
    rest.starts_with(b"value:").then_some(at + 6)
}

/// Behind `value =, `"value":` and the like, as in the other half of a pair.
fn behind_value_word(text: &[u8], at: usize) -> Option<usize> {
    let mut at = at;
    skip(text, &mut at, 6, |b| b" \t\n\r\\\"'".contains(&b));
    let rest = text.get(at..)?;
    let word = [&b"stringValue"[..], b"value", b"Value", b"v"]
        .into_iter()
        .find(|word| rest.starts_with(word))?;
    at += word.len();
    skip(text, &mut at, 6, |b| b" \\\"'".contains(&b));
    if !matches!(text.get(at), Some(b'=' | b':')) {
        return None;
    }
    Some(at + 1)
}

fn skip(text: &[u8], at: &mut usize, max: usize, is_skipped: impl Fn(u8) -> bool) -> usize {
    let skipped = text.get(*at..).map_or(0, |rest| {
        rest.iter()
            .take(max)
            .take_while(|b| is_skipped(**b))
            .count()
    });
    *at += skipped;
    skipped
}

/// Whether what is assigned can be the secret that the name announces.
fn is_secret(value: &[u8], kind: Kind, is_weak: bool, sign: Sign, is_quoted: bool) -> bool {
    if check::is_placeholder(value) {
        return false;
    }
    if is_weak || sign == Sign::Room {
        return check::is_random(value) || is_weak && sign != Sign::Room && is_hex_key(value);
    }
    match kind {
        Kind::Cvv | Kind::OneTime => {
            (3..=12).contains(&value.len())
                && value
                    .iter()
                    .all(|b| b.is_ascii_digit() || b" -".contains(b))
                || check::is_random(value)
        }
        Kind::Connection => values::is_connection(value),
        Kind::Card | Kind::Bank | Kind::Ssn => {
            value.iter().filter(|b| b.is_ascii_digit()).count() >= 6
        }
        _ if value.len() < 4 => false,
        _ if sign == Sign::Colon && !is_quoted && types::is_type(value) => false,
        // A sentence goes on behind `password: must be …`, and nothing is quoted in it.
        _ if sign == Sign::Colon && !is_quoted => {
            !value.iter().all(|b| b.is_ascii_lowercase()) && !is_word(value) || value.len() > 20
        }
        Kind::Password => true,
        // `"token": "Invalid token given"` is a message.
        _ => !value.contains(&b' ') || check::digit(value),
    }
}

fn is_word(value: &[u8]) -> bool {
    value.split_first().is_some_and(|(first, rest)| {
        first.is_ascii_uppercase() && rest.iter().all(u8::is_ascii_lowercase)
    })
}

fn is_hex_key(value: &[u8]) -> bool {
    value.len() >= 16 && value.iter().all(u8::is_ascii_hexdigit) && check::digit(value)
}

/// Where the values of `a=1; b=2` end: with the line, with the parameter of a query, with the element.
fn cookies_end(text: &[u8], assigned: &Assigned, is_parameter: bool) -> usize {
    if assigned.is_element {
        return assigned.value.end;
    }
    let stops: &[u8] = if is_parameter {
        b"\n\r\"'\\ \t&#"
    } else {
        b"\n\r\"'\\"
    };
    let start = assigned.value.start;
    let rest = text.get(start..).unwrap_or_default();
    rest.iter()
        .position(|b| stops.contains(b))
        .map_or(text.len(), |end| start + end)
}

#[cfg(test)]
mod tests;
