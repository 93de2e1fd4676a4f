//! Parsed records to canonical events: which source name means what, in which unit, and what
//! follows from it.
//!
//! The first value of a canonical field wins; a second, different one and everything unknown is
//! kept under the source's own name (`ext.`). Nothing here knows a clock or the network.

mod action;
mod address;
mod ids;
mod names;
mod request;
mod route;
mod slots;
mod table;
#[cfg(test)]
mod tests;
mod values;

use std::borrow::Cow;

use serde::Deserialize;
use wardline_parsers::{Entry, Format, Note, Parsed};

pub use action::SensitiveRoute;

use crate::model::{Cidr, Event, Field, Timestamp, Value};
use ids::Ids;
use names::{Names, Target};
use request::Addresses;
use slots::Slots;

const DAY_NS: i64 = 86_400_000_000_000;
/// Times before this long ago are not believed.
const PAST_MAX_NS: i64 = 3653 * DAY_NS;
/// Times ahead of the moment of receipt by more than this are not believed.
const FUTURE_MAX_NS: i64 = DAY_NS;

/// Clocks of machines in order differ by less. Events further ahead are noted, since a search that ends now does
/// not show them yet.
const AHEAD_NS: i64 = 5_000_000_000;

/// Settings of normalization.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Proxies whose `X-Forwarded-For` is believed: addresses and blocks.
    pub trusted_proxies: Vec<Cidr>,
    /// Names of fields that carry your own correlation id, before all others.
    pub correlation_fields: Vec<String>,
    /// Routes that are sensitive operations, beside the built-in ones.
    pub sensitive_routes: Vec<SensitiveRoute>,
}

/// Turns parsed records into events. Shared between threads.
#[derive(Debug)]
pub(super) struct Normalizer {
    options: Options,
    names: Names,
}

/// What a record is read against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    /// Name of the source.
    pub(super) source: &'a str,
    /// When it was received.
    pub(super) received: Timestamp,
}

/// Memory used again from record to record of one payload.
#[derive(Debug, Default)]
pub(super) struct Scratch<'a> {
    slots: Slots<'a>,
    ids: Ids<'a>,
    addresses: Addresses<'a>,
    time: Option<FoundTime<'a>>,
    /// Whether a field that should hold a time held something else.
    is_time_unreadable: bool,
    notes: Vec<&'static str>,
    /// What the name at each position of the last record meant: the next record mostly has the same
    /// names. Bounded by the most fields a record can have.
    memo: Vec<(String, Option<Target>)>,
}

#[derive(Debug)]
struct FoundTime<'a> {
    rank: u8,
    nanos: i64,
    entry: Entry<'a>,
}

impl Normalizer {
    /// A normalizer for these settings.
    #[must_use]
    pub(super) fn new(options: Options) -> Self {
        let names = Names::new(&options.correlation_fields);
        Self { options, names }
    }

    /// The event a record means. Takes the fields out of `parsed`.
    pub(super) fn normalize<'a>(
        &self,
        parsed: &mut Parsed<'a>,
        context: Context<'a>,
        scratch: &mut Scratch<'a>,
    ) -> Event<'a> {
        scratch.forget();
        for (at, entry) in parsed.fields.drain(..).enumerate() {
            match self.target(&mut scratch.memo, at, &entry.name) {
                Some(target) => scratch.take(target, entry, parsed.format),
                None => scratch.keep(entry),
            }
        }
        scratch
            .notes
            .extend(parsed.notes.iter().map(|note| note.name()));
        scratch
            .addresses
            .settle(&mut scratch.slots, &self.options.trusted_proxies);
        request::route(&mut scratch.slots);
        scratch.ids.settle(&mut scratch.slots);
        action::infer(&mut scratch.slots, &self.options.sensitive_routes);
        let time = scratch.time(context.received);
        scratch.describe(parsed, context.source);
        scratch.slots.take(time, context.received)
    }

    fn target(
        &self,
        memo: &mut Vec<(String, Option<Target>)>,
        at: usize,
        name: &str,
    ) -> Option<Target> {
        if let Some((known, target)) = memo.get_mut(at) {
            if known != name {
                known.clear();
                known.push_str(name);
                *target = self.names.get(name);
            }
            return *target;
        }
        let target = self.names.get(name);
        memo.push((name.to_owned(), target));
        target
    }
}

impl<'a> Scratch<'a> {
    /// Empty for the next record, also after one that ended in a panic.
    fn forget(&mut self) {
        if !self.slots.is_empty() {
            self.slots = Slots::default();
        }
        self.ids.clear();
        self.addresses = Addresses::default();
        self.time = None;
        self.is_time_unreadable = false;
        self.notes.clear();
    }

    /// A field that is nothing canonical.
    fn keep(&mut self, entry: Entry<'a>) {
        let is_empty = match &entry.value {
            Value::Null => true,
            Value::Str(text) => text.is_empty(),
            Value::Num(_) | Value::Bool(_) => false,
        };
        if !is_empty {
            self.slots.ext(entry.name, entry.value);
        }
    }

    /// A field whose name is known.
    fn take(&mut self, target: Target, entry: Entry<'a>, format: Format) {
        if values::text(&entry.value).is_none() {
            return;
        }
        let left = match target {
            Target::Text(field) => self.text(field, entry),
            Target::Many(field) => {
                self.slots.add(field, entry.value);
                None
            }
            Target::Int(field) => self.convert(field, entry, values::whole),
            Target::Duration(field, unit) => self.duration(field, unit, entry),
            Target::Time(rank) => self.found_time(rank, entry),
            Target::RequestTime => match &entry.value {
                Value::Str(text) if text.bytes().any(|b| matches!(b, b'/' | b'T' | b'-')) => {
                    self.found_time(2, entry)
                }
                _ => self.duration(Field::EventDuration, 1_000_000_000, entry),
            },
            Target::Host if format == Format::NginxJson => self.text(Field::UrlDomain, entry),
            Target::Host => self.text(Field::HostName, entry),
            Target::Level => self.convert(Field::LogLevel, entry, |value| {
                values::level(value).map(Value::Str)
            }),
            Target::Drop => None,
            Target::Client | Target::Peer | Target::Forwarded | Target::RealIp => {
                self.addresses.found(target, entry, &mut self.slots)
            }
            Target::Id(kind) => {
                if let Value::Str(text) | Value::Num(text) = entry.value {
                    self.ids.found(kind, text);
                }
                None
            }
            Target::Span | Target::Session => {
                let is_span = target == Target::Span;
                self.text(
                    if is_span {
                        Field::SpanId
                    } else {
                        Field::SessionId
                    },
                    entry,
                )
            }
            Target::Kind | Target::Outcome | Target::Action | Target::KnownAction => {
                self.word(target, entry)
            }
            _ => request::found(&mut self.slots, target, entry),
        };
        if let Some(entry) = left {
            self.keep(entry);
        }
    }

    fn text(&mut self, field: Field, entry: Entry<'a>) -> Option<Entry<'a>> {
        if let Value::Bool(_) = entry.value {
            return Some(entry);
        }
        let value = match (field, entry.value) {
            (Field::UrlDomain, Value::Str(host)) => Value::Str(request::without_port(host)),
            (Field::SpanId, Value::Str(span)) => Value::Str(values::lower_hex(span)),
            (_, value) => value,
        };
        self.slots.offer(field, value, entry.name);
        None
    }

    /// A field whose value must be brought into a form; one that does not fit is handed back.
    fn convert(
        &mut self,
        field: Field,
        entry: Entry<'a>,
        form: impl Fn(Value<'a>) -> Result<Value<'a>, Value<'a>>,
    ) -> Option<Entry<'a>> {
        match form(entry.value) {
            Ok(value) => {
                self.slots.offer(field, value, entry.name);
                None
            }
            Err(value) => Some(Entry {
                name: entry.name,
                value,
            }),
        }
    }

    fn duration(&mut self, field: Field, unit: names::Unit, entry: Entry<'a>) -> Option<Entry<'a>> {
        match values::text(&entry.value).and_then(|text| values::duration(text, unit)) {
            Some(_) if self.slots.has(field) => Some(entry),
            Some(nanos) => {
                self.slots.set(field, values::number(nanos));
                None
            }
            None => Some(entry),
        }
    }

    /// Words of a source for kind, outcome and action.
    fn word(&mut self, target: Target, entry: Entry<'a>) -> Option<Entry<'a>> {
        let text = values::text(&entry.value).unwrap_or_default();
        match target {
            Target::Kind if text == "alert" => self.slots.set_str(Field::EventKind, "alert"),
            Target::Kind if text == "event" => {}
            Target::Outcome => match action::outcome(text) {
                Some(outcome) if !self.slots.has(Field::EventOutcome) => {
                    self.slots.set_str(Field::EventOutcome, outcome);
                }
                _ => return Some(entry),
            },
            Target::Action => return self.text(Field::EventAction, entry),
            Target::KnownAction => match action::known(text) {
                Some((action, _)) if !self.slots.has(Field::EventAction) => {
                    self.slots.set_str(Field::EventAction, action);
                    return Some(entry);
                }
                _ => return Some(entry),
            },
            _ => return Some(entry),
        }
        None
    }

    /// A time: the name with the lowest rank wins, the loser is kept where it says something else.
    fn found_time(&mut self, rank: u8, entry: Entry<'a>) -> Option<Entry<'a>> {
        let Some(nanos) = values::text(&entry.value).and_then(wardline_parsers::time) else {
            self.is_time_unreadable = true;
            return Some(entry);
        };
        let new = FoundTime { rank, nanos, entry };
        let loser = match self.time.take() {
            Some(old) if old.rank <= rank => {
                let loser = new;
                self.time = Some(old);
                loser
            }
            Some(old) => {
                self.time = Some(new);
                old
            }
            None => {
                self.time = Some(new);
                return None;
            }
        };
        let winner = self.time.as_ref().map_or(0, |time| time.nanos);
        (winner.abs_diff(loser.nanos) >= 1_000_000_000).then_some(loser.entry)
    }

    /// The time of the event: what the source wrote, unless it is unbelievable.
    fn time(&mut self, received: Timestamp) -> Timestamp {
        let Some(found) = self.time.take() else {
            if self.is_time_unreadable {
                self.notes.push("time_unreadable");
            }
            self.slots.set_str(Field::EventTimeSource, "received");
            return received;
        };
        let range =
            received.0.saturating_sub(PAST_MAX_NS)..=received.0.saturating_add(FUTURE_MAX_NS);
        if range.contains(&found.nanos) {
            if found.nanos > received.0.saturating_add(AHEAD_NS) {
                self.notes.push("time_ahead");
            }
            self.slots.set_str(Field::EventTimeSource, "event");
            return Timestamp(found.nanos);
        }
        self.notes.push("time_out_of_range");
        self.slots.set_str(Field::EventTimeSource, "received");
        self.keep(found.entry);
        received
    }

    /// What kind of event it is, from where, and what was odd.
    fn describe(&mut self, parsed: &Parsed<'a>, source: &'a str) {
        if parsed.notes.contains(&Note::Unparsed) {
            self.slots.set_str(Field::EventKind, "pipeline_error");
        } else if !self.slots.has(Field::EventKind) {
            self.slots.set_str(Field::EventKind, "event");
        }
        if !self.slots.has(Field::EventDataset) {
            let dataset = match parsed.format {
                Format::NginxJson => "nginx.access",
                Format::Combined => "access.combined",
                other => other.name(),
            };
            self.slots.set_str(Field::EventDataset, dataset);
        }
        if !source.is_empty() {
            self.slots.set_str(Field::EventProvider, source);
        }
        for note in self.notes.drain(..) {
            self.slots
                .add(Field::EventNotes, Value::Str(Cow::Borrowed(note)));
        }
    }
}
