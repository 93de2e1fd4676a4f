//! The HTTP request of an event: request line, URL, method, status, addresses.

use std::borrow::Cow;
use std::net::IpAddr;

use wardline_parsers::Entry;

use crate::model::{Cidr, Field, Value};

use super::address;
use super::names::Target;
use super::slots::Slots;
use super::{action, route, values};

/// A field of the request; handed back where its value does not fit.
pub(super) fn found<'a>(
    slots: &mut Slots<'a>,
    target: Target,
    entry: Entry<'a>,
) -> Option<Entry<'a>> {
    if target == Target::Status {
        return status(slots, entry);
    }
    let Value::Str(text) = entry.value else {
        return Some(entry);
    };
    let left = match target {
        Target::Method => method(slots, text),
        Target::Version => version(slots, text),
        Target::Country => country(slots, text),
        Target::RequestLine => request_line(slots, text),
        Target::Uri => uri(slots, text),
        Target::Query => {
            let start = usize::from(text.starts_with('?'));
            let query = values::part(&text, start..text.len());
            slots.offer(Field::UrlQuery, Value::Str(query), entry.name);
            return None;
        }
        Target::Route => given_route(slots, text),
        _ => Some(text),
    };
    left.map(|text| Entry {
        name: entry.name,
        value: Value::Str(text),
    })
}

/// `host:port` without the port.
pub(super) fn without_port(host: Cow<'_, str>) -> Cow<'_, str> {
    let bare = match host.rsplit_once(':') {
        Some((bare, port)) if port.bytes().all(|b| b.is_ascii_digit()) => {
            let is_v6 = bare.contains(':') && !bare.ends_with(']');
            if is_v6 { host.len() } else { bare.len() }
        }
        _ => host.len(),
    };
    if bare == host.len() {
        return host;
    }
    values::part(&host, 0..bare)
}

/// 100 to 599; a word such as `success` is the outcome.
fn status<'a>(slots: &mut Slots<'a>, entry: Entry<'a>) -> Option<Entry<'a>> {
    let value = match values::whole(entry.value) {
        Ok(Value::Num(text)) => {
            let is_status = text.len() == 3 && matches!(text.as_bytes().first(), Some(b'1'..=b'5'));
            if is_status {
                slots.offer(Field::HttpStatus, Value::Num(text), entry.name);
                return None;
            }
            Value::Num(text)
        }
        Ok(value) | Err(value) => value,
    };
    let word = values::text(&value).and_then(action::outcome);
    if let Some(outcome) = word.filter(|_| !slots.has(Field::EventOutcome)) {
        slots.set_str(Field::EventOutcome, outcome);
    }
    Some(Entry {
        name: entry.name,
        value,
    })
}

/// Sets an empty field; hands the text back where it holds something else.
fn set<'a>(slots: &mut Slots<'a>, field: Field, text: Cow<'a, str>) -> Option<Cow<'a, str>> {
    match slots.text(field) {
        None => slots.set_str(field, text),
        Some(first) if first == text => {}
        Some(_) => return Some(text),
    }
    None
}

fn is_method(text: &str) -> bool {
    (2..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-')
}

fn method<'a>(slots: &mut Slots<'a>, text: Cow<'a, str>) -> Option<Cow<'a, str>> {
    if !is_method(&text) {
        return Some(text);
    }
    set(slots, Field::HttpMethod, values::upper(text))
}

fn version<'a>(slots: &mut Slots<'a>, text: Cow<'a, str>) -> Option<Cow<'a, str>> {
    if let Some(("HTTP" | "http", number)) = text.split_once('/') {
        let number = values::part(&text, text.len() - number.len()..text.len());
        return set(slots, Field::HttpVersion, number);
    }
    match text.as_ref() {
        "http" | "https" => set(slots, Field::UrlScheme, text),
        "h2" | "h3" | "h2c" => set(slots, Field::HttpVersion, text),
        _ if text.len() <= 4 && text.starts_with(|c: char| c.is_ascii_digit()) => {
            set(slots, Field::HttpVersion, text)
        }
        _ => Some(text),
    }
}

fn country<'a>(slots: &mut Slots<'a>, text: Cow<'a, str>) -> Option<Cow<'a, str>> {
    if text.len() != 2 || !text.bytes().all(|b| b.is_ascii_alphabetic()) {
        return Some(text);
    }
    set(slots, Field::ClientCountry, values::upper(text))
}

/// `GET /x?y HTTP/1.1`.
fn request_line<'a>(slots: &mut Slots<'a>, text: Cow<'a, str>) -> Option<Cow<'a, str>> {
    let Some((verb, rest)) = text.split_once(' ') else {
        return Some(text);
    };
    if !is_method(verb) || !(rest.starts_with('/') || rest.contains("://") || rest.starts_with('*'))
    {
        return Some(text);
    }
    let from = text.len() - rest.len();
    let (end, number) = match rest.rsplit_once(" HTTP/") {
        Some((uri, number)) => (from + uri.len(), Some(text.len() - number.len())),
        None => (text.len(), None),
    };
    let verb = values::part(&text, 0..verb.len());
    let version = number.map(|from| values::part(&text, from..text.len()));
    let target = values::part(&text, from..end);
    let left = [
        method(slots, verb),
        uri(slots, target),
        version.and_then(|version| set(slots, Field::HttpVersion, version)),
    ];
    left.iter().any(Option::is_some).then_some(text)
}

/// A path with or without query, or a whole URL.
fn uri<'a>(slots: &mut Slots<'a>, text: Cow<'a, str>) -> Option<Cow<'a, str>> {
    if text.starts_with('/') || text == "*" {
        return path_and_query(slots, text, 0);
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Some(text);
    };
    let is_scheme = !scheme.is_empty()
        && scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'+');
    if !is_scheme {
        return Some(text);
    }
    let start = text.len() - rest.len();
    let length = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = rest.get(..length).unwrap_or_default();
    // A name and password before the host are nobody's business.
    let user = authority.rfind('@').map_or(0, |at| at + 1);
    if !slots.has(Field::UrlScheme) {
        let scheme = values::part(&text, 0..scheme.len());
        slots.set_str(Field::UrlScheme, values::lower_host(scheme));
    }
    if !slots.has(Field::UrlDomain) && user < authority.len() {
        let host = values::part(&text, start + user..start + length);
        slots.set_str(Field::UrlDomain, values::lower_host(without_port(host)));
    }
    path_and_query(slots, text, start + length)
}

/// Sets path and query from what stands at `from`; hands the text back where there is another path.
fn path_and_query<'a>(
    slots: &mut Slots<'a>,
    text: Cow<'a, str>,
    from: usize,
) -> Option<Cow<'a, str>> {
    let rest = text.get(from..).unwrap_or_default();
    let find = |text: &str, wanted: u8| text.bytes().position(|b| b == wanted);
    let end = find(rest, b'#').unwrap_or(rest.len());
    let rest = rest.get(..end).unwrap_or_default();
    let path_end = from + find(rest, b'?').unwrap_or(rest.len());
    let end = from + end;
    let path = if path_end == from {
        Cow::Borrowed("/")
    } else if from == 0 && path_end == text.len() {
        text.clone()
    } else {
        values::part(&text, from..path_end)
    };
    if slots
        .text(Field::UrlPath)
        .is_some_and(|known| known != path)
    {
        return Some(text);
    }
    slots.set_str(Field::UrlPath, path);
    if path_end + 1 < end && !slots.has(Field::UrlQuery) {
        let query = values::part(&text, path_end + 1..end);
        slots.set_str(Field::UrlQuery, query);
    }
    None
}

/// A route that looks like a path, perhaps behind a method (`GET /pets/{id}`).
fn given_route<'a>(slots: &mut Slots<'a>, text: Cow<'a, str>) -> Option<Cow<'a, str>> {
    let start = match text.split_once(' ') {
        Some((verb, rest)) if is_method(verb) => text.len() - rest.len(),
        _ => 0,
    };
    if !text.get(start..).is_some_and(|rest| rest.starts_with('/')) {
        return Some(text);
    }
    let route = if start == 0 {
        text
    } else {
        values::part(&text, start..text.len())
    };
    set(slots, Field::HttpRoute, route)
}

/// Guesses the route where the source gave none, and names the object.
pub(super) fn route(slots: &mut Slots<'_>) {
    let Some(Value::Str(path)) = slots.get(Field::UrlPath) else {
        return;
    };
    if !path.starts_with('/') {
        return;
    }
    let path = path.clone();
    if let Some(given) = slots.text(Field::HttpRoute) {
        let is_template = |b: u8| matches!(b, b'{' | b':' | b'<' | b'*' | b'$');
        if given.bytes().any(is_template) && !slots.has(Field::ObjectId) {
            let object = route::object(given, &path).map(|object| span(&path, object));
            if let Some(range) = object {
                slots.set_str(Field::ObjectId, values::part(&path, range));
            }
        }
        return;
    }
    let guess = route::guess(&path);
    let object = guess.object.map(|object| span(&path, object));
    slots.set(Field::HttpRouteGuessed, Value::Bool(true));
    if let Some(range) = object.filter(|_| !slots.has(Field::ObjectId)) {
        slots.set_str(Field::ObjectId, values::part(&path, range));
    }
    let template = guess.template.map(Cow::Owned);
    slots.set_str(Field::HttpRoute, template.unwrap_or(path));
}

/// Where `part`, a piece of `whole`, lies in it.
fn span(whole: &str, part: &str) -> std::ops::Range<usize> {
    let start = (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize);
    start..start + part.len()
}

/// The addresses of a record as they were found.
#[derive(Debug, Default)]
pub(super) struct Addresses<'a> {
    client: Option<Found<'a>>,
    peer: Option<Found<'a>>,
    real: Option<IpAddr>,
    chain: Option<Cow<'a, str>>,
}

#[derive(Debug)]
struct Found<'a> {
    address: IpAddr,
    /// How the source wrote it, where that is its normal form.
    text: Option<Cow<'a, str>>,
}

impl<'a> Addresses<'a> {
    /// Takes note of an address; hands the entry back where there is one already.
    pub(super) fn found(
        &mut self,
        target: Target,
        entry: Entry<'a>,
        slots: &mut Slots<'a>,
    ) -> Option<Entry<'a>> {
        let Value::Str(text) = entry.value else {
            return Some(entry);
        };
        if target == Target::Forwarded {
            if let Some(chain) = &self.chain {
                return (*chain != text).then_some(Entry {
                    name: entry.name,
                    value: Value::Str(text),
                });
            }
            slots.set_str(Field::NetworkForwardedChain, text.clone());
            self.chain = Some(text);
            return None;
        }
        let Some((address, port)) = address::parse(&text) else {
            slots.offer(Field::ClientAddress, Value::Str(text), entry.name);
            return None;
        };
        if target == Target::RealIp {
            self.real.get_or_insert(address);
            return Some(Entry {
                name: entry.name,
                value: Value::Str(text),
            });
        }
        let slot = match target {
            Target::Peer => &mut self.peer,
            _ => &mut self.client,
        };
        if let Some(known) = slot {
            return (known.address != address).then_some(Entry {
                name: entry.name,
                value: Value::Str(text),
            });
        }
        if let Some(port) = port.filter(|_| !slots.has(Field::ClientPort)) {
            slots.set(Field::ClientPort, values::number(u64::from(port)));
        }
        let is_normal =
            port.is_none() && text.len() <= 15 && !text.bytes().any(|b| matches!(b, b':' | b' '));
        *slot = Some(Found {
            address,
            text: is_normal.then_some(text),
        });
        None
    }

    /// Writes `client.ip` and, where it is another, `network.peer.ip`; forgets the addresses.
    pub(super) fn settle(&mut self, slots: &mut Slots<'a>, trusted: &[Cidr]) {
        let Addresses {
            client,
            peer,
            real,
            chain,
        } = std::mem::take(self);
        let has_both = client.is_some() && peer.is_some();
        let peer_address = peer.as_ref().map(|found| found.address);
        let direct = client.or(peer);
        let known = direct.as_ref().map(|found| found.address);
        let address = match (&chain, real) {
            (Some(chain), _) => address::client(chain, known, trusted),
            (None, Some(real)) => address::client(&real.to_string(), known, trusted),
            (None, None) => known,
        };
        let Some(address) = address else {
            return;
        };
        let text = direct
            .filter(|found| found.address == address)
            .and_then(|found| found.text);
        slots.set_str(
            Field::ClientIp,
            text.unwrap_or_else(|| Cow::Owned(address.to_string())),
        );
        let peer = if has_both { peer_address } else { known };
        if let Some(peer) = peer.filter(|peer| *peer != address) {
            slots.set_str(Field::NetworkPeerIp, peer.to_string());
        }
    }
}
