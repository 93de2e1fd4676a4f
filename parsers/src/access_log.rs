//! Combined (and common) access logs of nginx and Apache, with the fields people append to them.
//!
//! `host - user [time] "request" status bytes "referer" "agent"`, then numbers, quoted texts and
//! `name=value` in any order. The fields carry nginx's variable names. nginx and Apache write
//! quotes, backslashes and control bytes as `\xHH`, Apache also as `\"`; both are undone.

use std::borrow::Cow;

use nom::branch::alt;
use nom::bytes::complete::{escaped, is_not, tag, take, take_until, take_while1};
use nom::character::complete::{anychar, char, digit1, space0, space1};
use nom::combinator::{opt, recognize, verify};
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser};

use crate::{Format, Note, Options, Parsed, Value, text};

/// Reads one line; `false` where it is no access log.
pub(crate) fn parse<'a>(parsed: &mut Parsed<'a>, line: &'a str, options: &Options) -> bool {
    let Ok((rest, head)) = head(line) else {
        return false;
    };
    let Some((vhost, address, user)) = names(head.names) else {
        return false;
    };
    parsed.format = Format::Combined;
    let mut fields = Fields { parsed, options };
    fields.text("remote_addr", address);
    fields.text("server_name", vhost);
    fields.text("remote_user", user);
    fields.text("time_local", head.time);
    fields.quoted("request", head.request);
    fields.number("status", head.status);
    fields.number("body_bytes_sent", head.bytes);
    fields.quoted("http_referer", head.referer);
    fields.quoted("http_user_agent", head.agent);
    fields.tail(rest);
    true
}

struct Head<'a> {
    names: &'a str,
    time: &'a str,
    request: &'a str,
    status: &'a str,
    bytes: &'a str,
    referer: &'a str,
    agent: &'a str,
}

fn head(line: &str) -> IResult<&str, Head<'_>> {
    let (rest, names) = terminated(take_until(" ["), tag(" [")).parse(line)?;
    let is_time = |time: &&str| time.len() <= 40 && time.starts_with(|c: char| c.is_ascii_digit());
    let (rest, time) = terminated(verify(is_not("]"), is_time), tag("] ")).parse(rest)?;
    let (rest, request) = quoted(rest)?;
    let (rest, status) = preceded(space1, verify(digit1, |s: &str| s.len() == 3)).parse(rest)?;
    let (rest, bytes) = preceded(space1, alt((digit1, tag("-")))).parse(rest)?;
    let (rest, pair) = opt((preceded(space1, quoted), preceded(space1, quoted))).parse(rest)?;
    let (referer, agent) = pair.unwrap_or_default();
    let head = Head {
        names,
        time,
        request,
        status,
        bytes,
        referer,
        agent,
    };
    Ok((rest, head))
}

/// A text in quotes, escapes still in it.
fn quoted(input: &str) -> IResult<&str, &str> {
    let inside = escaped(is_not("\"\\"), '\\', anychar);
    delimited(char('"'), recognize(opt(inside)), char('"')).parse(input)
}

/// `[vhost:port] address ident user`, the user possibly with spaces.
fn names(text: &str) -> Option<(&str, &str, &str)> {
    let (first, rest) = text.split_once(' ')?;
    let (second, third) = rest.split_once(' ')?;
    let is_vhost = second.parse::<std::net::IpAddr>().is_ok() && third.contains(' ');
    if is_vhost {
        let (_ident, user) = third.split_once(' ')?;
        return Some((first, second, user));
    }
    let is_address = !first.is_empty() && !first.contains(['"', '{', '=']);
    is_address.then_some(("", first, third))
}

struct Fields<'p, 'a> {
    parsed: &'p mut Parsed<'a>,
    options: &'p Options,
}

/// What stands behind the fixed fields.
enum Extra<'a> {
    Quoted(&'a str),
    Named(&'a str, &'a str),
    Bare(&'a str),
}

impl<'a> Fields<'_, 'a> {
    fn push(&mut self, name: impl Into<Cow<'a, str>>, value: Value<'a>) {
        if self.parsed.fields.len() < self.options.fields_max {
            self.parsed.push(name.into(), value);
        } else {
            self.parsed.note(Note::FieldsTruncated);
        }
    }

    fn bounded(&mut self, text: Cow<'a, str>) -> Cow<'a, str> {
        if text.len() <= self.options.value_bytes_max {
            return text;
        }
        self.parsed.note(Note::ValueTruncated);
        match text {
            Cow::Borrowed(text) => Cow::Borrowed(text::bounded(text, self.options.value_bytes_max)),
            Cow::Owned(text) => {
                Cow::Owned(text::bounded(&text, self.options.value_bytes_max).into())
            }
        }
    }

    /// A text that is not escaped; `-` and nothing are absent.
    fn text(&mut self, name: impl Into<Cow<'a, str>>, text: &'a str) {
        if !matches!(text, "" | "-") {
            let text = self.bounded(Cow::Borrowed(text));
            self.push(name, Value::Str(text));
        }
    }

    fn quoted(&mut self, name: impl Into<Cow<'a, str>>, text: &'a str) {
        if !matches!(text, "" | "-") {
            let text = self.bounded(unescape(text));
            self.push(name, Value::Str(text));
        }
    }

    fn number(&mut self, name: impl Into<Cow<'a, str>>, digits: &'a str) {
        let is_plain = digits == "0" || !digits.starts_with('0');
        if is_plain && digits != "-" {
            let digits = self.bounded(Cow::Borrowed(digits));
            self.push(name, Value::Num(digits));
        }
    }

    fn tail(&mut self, mut rest: &'a str) {
        let mut numbers = 0usize;
        let mut count = 0usize;
        while let Ok((next, extra)) = extra(rest) {
            rest = next;
            count += 1;
            match extra {
                Extra::Named(name, value) => {
                    let name = if name.len() > self.options.name_bytes_max {
                        self.parsed.note(Note::NameTruncated);
                        text::cut(text::LONG_NAME, self.options.name_bytes_max)
                    } else {
                        name
                    };
                    self.quoted(long_name(name), value);
                }
                Extra::Bare(token) if is_seconds(token) => {
                    numbers += 1;
                    let name = match numbers {
                        1 => "request_time",
                        2 => "upstream_response_time",
                        _ => "",
                    };
                    self.extra(name, count, token);
                }
                Extra::Bare(token) | Extra::Quoted(token) => {
                    self.extra(name_by_shape(token), count, token);
                }
            }
        }
    }

    fn extra(&mut self, name: &'static str, count: usize, token: &'a str) {
        if name.is_empty() {
            self.quoted(format!("extra.{count}"), token);
        } else {
            self.quoted(name, token);
        }
    }
}

fn extra(input: &str) -> IResult<&str, Extra<'_>> {
    let (rest, _) = space0(input)?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '.';
    let named = (
        terminated(take_while1(is_name), char('=')),
        alt((quoted, recognize(opt(is_not(" "))))),
    );
    alt((
        quoted.map(Extra::Quoted),
        named.map(|(name, value)| Extra::Named(name, value)),
        is_not(" ").map(Extra::Bare),
        // A space that is no ASCII space: take it, so that the loop moves on.
        take(1usize).map(Extra::Bare),
    ))
    .parse(rest)
}

/// Short names of the widespread `rt=… uct=… urt=…` suffix.
fn long_name(name: &str) -> &str {
    match name {
        "rt" => "request_time",
        "urt" => "upstream_response_time",
        "uct" => "upstream_connect_time",
        "uht" => "upstream_header_time",
        "rid" | "reqid" | "req_id" => "request_id",
        other => other,
    }
}

fn is_seconds(token: &str) -> bool {
    token.contains('.') && token.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// Forwarded addresses and request ids are told by how they look.
fn name_by_shape(token: &str) -> &'static str {
    let is_address = |part: &str| part.trim().parse::<std::net::IpAddr>().is_ok();
    let is_id = |c: char| c.is_ascii_alphanumeric() || "-_:.|=".contains(c);
    if token.split(',').all(is_address) {
        "http_x_forwarded_for"
    } else if token.starts_with("00-") && token.len() == 55 {
        "traceparent"
    } else if (8..=128).contains(&token.len())
        && token.chars().all(is_id)
        && token.contains(|c: char| c.is_ascii_digit())
    {
        "request_id"
    } else {
        ""
    }
}

/// Undoes `\xHH`, `\"`, `\\`, `\n`, `\t`, `\r`; bytes that are not UTF-8 become U+FFFD.
fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let Some(letter) = bytes.next() else {
            out.push(byte);
            break;
        };
        match letter {
            b'x' => {
                let mut ahead = bytes.clone();
                let digit = |byte: Option<u8>| byte.and_then(|b| char::from(b).to_digit(16));
                if let (Some(high), Some(low)) = (digit(ahead.next()), digit(ahead.next())) {
                    out.push(u8::try_from(high << 4 | low).unwrap_or(b'?'));
                    bytes = ahead;
                } else {
                    out.extend_from_slice(b"\\x");
                }
            }
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'"' | b'\\' | b'\'' => out.push(letter),
            other => out.extend_from_slice(&[b'\\', other]),
        }
    }
    Cow::Owned(match String::from_utf8(out) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}
