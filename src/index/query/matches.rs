//! What a query means for one event. This is the truth: the index answers with the same events, only faster.

use std::net::{IpAddr, Ipv6Addr};
use std::ops::Bound;

use super::super::text::{Shape, contains, each_token, equal, fold};
use super::super::words::Place;
use super::ast::{Condition, Literal, Name, Node, Phrase, Query, Test};
use crate::model::{self, Event, Field, FieldName, Kind, Scalar, Value, each_id_form, text_of};

impl Query {
    /// Whether the event is one that was asked for.
    #[must_use]
    pub fn matches(&self, event: &Event<'_>) -> bool {
        self.0.matches(event)
    }
}

impl Node {
    pub(in crate::index) fn matches(&self, event: &Event<'_>) -> bool {
        match self {
            Self::All => true,
            Self::And(nodes) => nodes.iter().all(|node| node.matches(event)),
            Self::Or(nodes) => nodes.iter().any(|node| node.matches(event)),
            Self::Not(node) => !node.matches(event),
            Self::Is(condition) => condition.matches(event),
        }
    }
}

impl Condition {
    fn matches(&self, event: &Event<'_>) -> bool {
        let mut free = event
            .fields()
            .iter()
            .filter_map(|(name, value)| free_text(name.into(), value.into()));
        match self {
            Self::Words(phrase) => free.any(|(text, _)| contains(text, &phrase.0)),
            Self::WordsLike(glob) => free.any(|(text, _)| {
                let mut is_found = false;
                each_token(text, &mut String::new(), |token, shape| {
                    is_found |= shape == Shape::Word && glob.matches(token);
                });
                is_found
            }),
            Self::Id(forms) => event.fields().iter().any(|(name, value)| match name {
                FieldName::Known(field) if field.kind() == Kind::Id => has_form(value, forms),
                _ => false,
            }),
            Self::Time(range) => range.contains(&event.time.millis()),
            Self::Received(range) => range.contains(&event.received.millis()),
            Self::Field(Name::Known(field), test) => event
                .values(*field)
                .any(|value| test.accepts(Some(*field), value)),
            Self::Field(Name::Ext(name), test) => {
                event.ext(name).any(|value| test.accepts(None, value))
            }
        }
    }
}

/// The text of a value that bare words search, and its place in the index.
#[inline]
pub(in crate::index) fn free_text<'v>(
    name: model::Name<'_>,
    value: Scalar<'v>,
) -> Option<(&'v str, Place)> {
    match name {
        model::Name::Known(Field::Message) => Some((value.text()?, Place::Message)),
        // Our own words, the same on nearly all events.
        model::Name::Known(Field::EventTimeSource | Field::HttpRouteGuessed) => None,
        model::Name::Known(field) => match (field.kind(), value) {
            (Kind::Text, value) => Some((value.text()?, Place::Elsewhere)),
            (Kind::Stored, Scalar::Str(text)) => Some((text, Place::Elsewhere)),
            _ => None,
        },
        model::Name::Ext(_) => match value {
            Scalar::Str(text) => Some((text, Place::Elsewhere)),
            _ => None,
        },
    }
}

pub(super) fn has_form(value: &Value<'_>, forms: &[String]) -> bool {
    let mut is_found = false;
    if let Some(text) = text_of(value) {
        each_id_form(text, |form| {
            is_found |= forms.iter().any(|wanted| wanted == form);
        });
    }
    is_found
}

impl Test {
    /// Whether a value passes; `field` is the canonical field it stands in.
    pub(in crate::index) fn accepts(&self, field: Option<Field>, value: &Value<'_>) -> bool {
        let Some(text) = text_of(value) else {
            return false;
        };
        match self {
            Self::Exists => true,
            Self::Text(literal) => literal.accepts(field, value, text),
            Self::Like(glob) => {
                let kind = field.map(Field::kind);
                let number = (kind == Some(Kind::Int))
                    .then(|| text.parse::<u64>().ok())
                    .flatten();
                match number {
                    Some(number) => glob.matches(&number.to_string()),
                    None => {
                        glob.matches(text) || (has_words(field, value) && word_like(text, glob))
                    }
                }
            }
            Self::Fits(pattern) => pattern.fits(text),
            Self::Int(range) => text.parse().is_ok_and(|number| range.contains(&number)),
            Self::Number(low, high) => number(text).is_some_and(|value| {
                (match low {
                    Bound::Included(low) => value >= *low,
                    Bound::Excluded(low) => value > *low,
                    Bound::Unbounded => true,
                }) && match high {
                    Bound::Included(high) => value <= *high,
                    Bound::Excluded(high) => value < *high,
                    Bound::Unbounded => true,
                }
            }),
            Self::Between(low, high) => {
                let text = fold(text);
                (match low {
                    Bound::Included(low) => text >= *low,
                    Bound::Excluded(low) => text > *low,
                    Bound::Unbounded => true,
                }) && match high {
                    Bound::Included(high) => text <= *high,
                    Bound::Excluded(high) => text < *high,
                    Bound::Unbounded => true,
                }
            }
            Self::Ip(range) => address(text).is_some_and(|ip| range.contains(&ip)),
            Self::Id(forms) => has_form(value, forms),
        }
    }
}

/// Whether a value is free text: searched by words, not as a whole.
pub(super) fn has_words(field: Option<Field>, value: &Value<'_>) -> bool {
    match field {
        Some(field) => field.kind() == Kind::Text,
        None => matches!(value, Value::Str(_)),
    }
}

fn word_like(text: &str, glob: &super::glob::Glob) -> bool {
    let mut is_found = false;
    each_token(text, &mut String::new(), |token, shape| {
        is_found |= shape == Shape::Word && glob.matches(token);
    });
    is_found
}

impl Literal {
    fn accepts(&self, field: Option<Field>, value: &Value<'_>, text: &str) -> bool {
        if has_words(field, value) && !self.phrase.0.is_empty() {
            return contains(text, &self.phrase.0);
        }
        let is_number = field.is_none_or(|field| field.kind() == Kind::Stored)
            && matches!(value, Value::Num(_))
            && self.number.is_some()
            && number(text) == self.number;
        is_number || equal(&self.folded, text)
    }
}

impl Phrase {
    /// The tokens of a text.
    pub(super) fn of(text: &str) -> Self {
        Self(super::super::text::raw_tokens(text).map(fold).collect())
    }
}

/// The number a text is, if it is one as people write it.
pub(super) fn number(text: &str) -> Option<f64> {
    let is_plain = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E'));
    if !is_plain {
        return None;
    }
    text.parse::<f64>().ok().filter(|number| number.is_finite())
}

/// An address, IPv4 mapped into IPv6.
pub(super) fn address(text: &str) -> Option<Ipv6Addr> {
    match text.parse::<IpAddr>().ok()? {
        IpAddr::V4(ip) => Some(ip.to_ipv6_mapped()),
        IpAddr::V6(ip) => Some(ip),
    }
}
