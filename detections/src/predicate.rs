//! One question about one event: a field (or the whole text) and a test.

use std::net::IpAddr;

use regex::Regex;

use crate::dates::Part;
use crate::pattern::TextSet;

/// A question, with the text it was written as: equal questions are asked once per event.
#[derive(Clone, Debug)]
pub(crate) struct Predicate {
    /// The field, or the whole text of the event (keywords).
    pub(crate) field: Option<String>,
    pub(crate) test: Test,
    /// `field|modifiers: values`, canonical.
    pub(crate) text: String,
}

/// The test a value is put to. A field with several values passes where one of them does.
#[derive(Clone, Debug)]
pub(crate) enum Test {
    /// A pattern fits; `cased` on the text as it is, else on the text in lower case.
    Text { set: TextSet, cased: bool },
    /// There is no value, or only null.
    Null,
    /// The field is there (true) or not.
    Exists(bool),
    /// The number compares.
    Number(Order, f64),
    /// An expression is found in the text.
    Regex(Vec<Regex>),
    /// The address is in a network.
    Cidr(Vec<Network>),
    /// Compares with another field of the same event.
    Field {
        other: String,
        how: Where,
        cased: bool,
    },
    /// A part of a date compares.
    Date(Part, Order, f64),
}

/// How two numbers compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    /// Whether `value` stands in this order to `limit`.
    pub(crate) fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Self::Equal => value == limit,
            Self::Less => value < limit,
            Self::LessOrEqual => value <= limit,
            Self::Greater => value > limit,
            Self::GreaterOrEqual => value >= limit,
        }
    }
}

/// Where in a text another is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Where {
    All,
    Start,
    End,
    Inside,
}

impl Where {
    /// Whether `part` stands there in `text`.
    pub(crate) fn holds(self, text: &str, part: &str) -> bool {
        match self {
            Self::All => text == part,
            Self::Start => text.starts_with(part),
            Self::End => text.ends_with(part),
            Self::Inside => text.contains(part),
        }
    }
}

/// A network in CIDR notation. IPv4 addresses mapped into IPv6 are IPv4 addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    bits: u128,
    mask: u128,
    v4: bool,
}

impl Network {
    /// Reads `10.0.0.0/8`, `2001:db8::/32`, or a single address.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let (bits, v4) = bits(address)?;
        let width = if v4 { 32 } else { 128 };
        let length = length.unwrap_or(width);
        if length > width {
            return None;
        }
        let mask = u128::MAX.checked_shl(width - length).unwrap_or(0);
        let mask = if length == 0 { 0 } else { mask };
        Some(Self {
            bits: bits & mask,
            mask,
            v4,
        })
    }

    /// Whether the address is in it.
    pub(crate) fn contains(&self, (bits, v4): (u128, bool)) -> bool {
        self.v4 == v4 && bits & self.mask == self.bits
    }
}

/// An address as a number, and whether it is IPv4.
pub(crate) fn bits(text: &str) -> Option<(u128, bool)> {
    match text.parse::<IpAddr>().ok()?.to_canonical() {
        IpAddr::V4(v4) => Some((u128::from(u32::from(v4)), true)),
        IpAddr::V6(v6) => Some((u128::from(v6), false)),
    }
}
