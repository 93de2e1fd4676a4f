//! A clean event as the rules see it: names resolved to slots once per rule set.
//!
//! Rules may name canonical fields, `ext.*`, and the names Sigma's taxonomies (web server, proxy),
//! OpenTelemetry and older ECS have for the same things.

use std::borrow::Cow;

use wardline_detections::{FieldId, Lookup, Moment, ValueRef};

use crate::model::{Event, Field, Name, Scalar};

/// Where the value of a name in a rule stands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Slot {
    /// In a canonical field.
    Known(Field),
    /// In a field of the source's own.
    Ext(String),
    /// Path and query together.
    Uri,
}

/// The slot of a name in a rule.
fn slot(name: &str) -> Slot {
    if let Some(field) = Field::from_name(name).or_else(|| alias(name)) {
        return Slot::Known(field);
    }
    match name {
        "c-uri" | "cs-uri" | "url.original" | "url.full" | "http.target" | "http.url" => Slot::Uri,
        other => Slot::Ext(other.strip_prefix("ext.").unwrap_or(other).to_owned()),
    }
}

/// Names other taxonomies have for canonical fields: W3C as Sigma uses it for `webserver` and `proxy`,
/// then OpenTelemetry and ECS.
fn alias(name: &str) -> Option<Field> {
    Some(match name {
        "c-ip" | "src_ip" | "source.ip" | "source.address" | "http.client_ip" => Field::ClientIp,
        "cs-method" | "http.method" => Field::HttpMethod,
        "cs-uri-stem" | "c-uri-path" | "c-uri-stem" => Field::UrlPath,
        "cs-uri-query" | "c-uri-query" => Field::UrlQuery,
        "sc-status" | "http.status_code" => Field::HttpStatus,
        "cs-user-agent" | "c-useragent" | "cs(user-agent)" | "http.user_agent" => Field::UserAgent,
        "cs-referer" | "cs-referrer" | "cs(referer)" => Field::HttpReferrer,
        "cs-host" | "r-dns" | "http.host" | "server.address" | "destination.domain" => {
            Field::UrlDomain
        }
        "cs-username" | "enduser.id" => Field::UserName,
        "cs-version" | "http.flavor" | "network.protocol.version" => Field::HttpVersion,
        "sc-bytes" => Field::HttpResponseBytes,
        "cs-bytes" => Field::HttpRequestBytes,
        "s-computername" => Field::HostName,
        "source.geo.country_iso_code" => Field::ClientCountry,
        "source.as.number" => Field::ClientAsn,
        "user_agent.name" => return None,
        _ => return None,
    })
}

const FIELDS: usize = 256;

/// The slots of a rule set's fields, with room for one event at a time.
#[derive(Debug)]
pub(super) struct Binder {
    slots: Vec<Slot>,
    needs_uri: bool,
    /// By canonical field: position of its first value in the event plus one, 0: none.
    first: [u16; FIELDS],
    /// By canonical field: it has several values.
    several: [bool; FIELDS],
    uri: String,
}

/// The fields of an event in order.
pub(super) type Fields<'e> = [(Name<'e>, Scalar<'e>)];

/// An event with its fields found.
#[derive(Debug)]
pub(super) struct View<'e> {
    fields: Cow<'e, Fields<'e>>,
    binder: &'e Binder,
}

impl Binder {
    /// For an engine's fields.
    pub(super) fn new(names: &[String]) -> Self {
        let slots: Vec<Slot> = names.iter().map(|name| slot(name)).collect();
        Self {
            needs_uri: slots.contains(&Slot::Uri),
            slots,
            first: [0; FIELDS],
            several: [false; FIELDS],
            uri: String::new(),
        }
    }

    /// Turns to an event.
    pub(super) fn bind<'e>(&'e mut self, fields: Cow<'e, Fields<'e>>) -> View<'e> {
        self.first.fill(0);
        self.several.fill(false);
        for (place, (name, _)) in (1u16..).zip(fields.iter()) {
            let Name::Known(field) = name else {
                continue;
            };
            let code = usize::from(field.code());
            match self.first.get_mut(code) {
                Some(first) if *first == 0 => *first = place,
                _ => {
                    if let Some(several) = self.several.get_mut(code) {
                        *several = true;
                    }
                }
            }
        }
        if self.needs_uri {
            let mut uri = std::mem::take(&mut self.uri);
            uri.clear();
            let text = |field| self.known(&fields, field).and_then(Scalar::text);
            uri.push_str(text(Field::UrlPath).unwrap_or_default());
            if let Some(query) = text(Field::UrlQuery) {
                uri.push('?');
                uri.push_str(query);
            }
            self.uri = uri;
        }
        View {
            fields,
            binder: self,
        }
    }

    /// The first value of a canonical field of the event turned to.
    fn known<'e>(&self, fields: &Fields<'e>, field: Field) -> Option<Scalar<'e>> {
        let place = *self.first.get(usize::from(field.code()))?;
        let (_, value) = fields.get(usize::from(place.checked_sub(1)?))?;
        Some(*value)
    }
}

fn shown(value: Scalar<'_>) -> ValueRef<'_> {
    match value {
        Scalar::Str(text) => ValueRef::Str(text),
        Scalar::Num(text) => ValueRef::Num(text),
        Scalar::Bool(flag) => ValueRef::Bool(flag),
        Scalar::Null => ValueRef::Null,
    }
}

impl View<'_> {
    /// The hash of the id the client gave the event.
    pub(super) fn id(&self) -> u64 {
        let id = self.known(Field::EventId).and_then(ValueRef::text);
        id.map_or(0, Moment::id_of)
    }

    fn known(&self, field: Field) -> Option<ValueRef<'_>> {
        self.binder.known(&self.fields, field).map(shown)
    }

    fn values(&self, wanted: Name<'_>) -> impl Iterator<Item = ValueRef<'_>> {
        let fields = self.fields.iter();
        let fields = fields.filter(move |(name, _)| *name == wanted);
        fields.map(|(_, value)| shown(*value))
    }

    fn uri(&self) -> Option<ValueRef<'_>> {
        let uri = self.binder.uri.as_str();
        (!uri.is_empty()).then_some(ValueRef::Str(uri))
    }
}

impl Lookup for View<'_> {
    fn field(&self, id: FieldId) -> Option<ValueRef<'_>> {
        match self.binder.slots.get(id.index())? {
            Slot::Known(field) => self.known(*field),
            Slot::Ext(name) => self.values(Name::Ext(name)).next(),
            Slot::Uri => self.uri(),
        }
    }

    fn any_value(&self, id: FieldId, visit: &mut dyn FnMut(ValueRef<'_>) -> bool) -> bool {
        match self.binder.slots.get(id.index()) {
            None => false,
            Some(Slot::Known(field)) => {
                if self.binder.several.get(usize::from(field.code())) == Some(&true) {
                    return self.values(Name::Known(*field)).any(visit);
                }
                self.known(*field).is_some_and(visit)
            }
            Some(Slot::Ext(name)) => self.values(Name::Ext(name)).any(visit),
            Some(Slot::Uri) => self.uri().is_some_and(visit),
        }
    }

    fn any_text(&self, visit: &mut dyn FnMut(&str) -> bool) -> bool {
        let values = self.fields.iter();
        values.filter_map(|(_, value)| value.text()).any(visit)
    }
}

/// The fields of an event that does not come from a record.
pub(super) fn fields<'e>(event: &'e Event<'_>) -> Vec<(Name<'e>, Scalar<'e>)> {
    let fields = event.fields().iter();
    fields
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Timestamp, Value};

    #[test]
    fn names_of_all_taxonomies_find_the_value() {
        let mut event = Event::new(Timestamp(1), Timestamp(2));
        event.push_str(Field::UrlPath, "/a");
        event.push_str(Field::UrlQuery, "x=1");
        event.push(Field::HttpStatus, Value::Num("404".into()));
        event.push_str(Field::UserRoles, "one");
        event.push_str(Field::UserRoles, "two");
        event.push_ext("own", Value::Bool(true));
        let names = [
            "url.path",
            "cs-uri-stem",
            "c-uri",
            "sc-status",
            "user.roles",
            "ext.own",
            "own",
            "c-ip",
        ]
        .map(str::to_owned);
        let mut binder = Binder::new(&names);
        let view = binder.bind(Cow::Owned(fields(&event)));
        let texts: Vec<_> = (0..8)
            .map(|id| view.field(FieldId(id)).and_then(ValueRef::text))
            .collect();
        assert_eq!(
            texts,
            [
                Some("/a"),
                Some("/a"),
                Some("/a?x=1"),
                Some("404"),
                Some("one"),
                Some("true"),
                Some("true"),
                None
            ]
        );
        let mut roles = Vec::new();
        view.any_value(FieldId(4), &mut |value| {
            roles.extend(value.text().map(str::to_owned));
            false
        });
        assert_eq!(roles, ["one", "two"]);
        assert!(view.any_text(&mut |text| text == "two"));
        assert!(!view.any_text(&mut |text| text == "three"));
    }
}
