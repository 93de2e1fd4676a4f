//! The typed tree. Nothing in it is text that would have to be read again.

use std::net::Ipv6Addr;
use std::ops::{Bound, RangeInclusive};

use super::glob::Glob;
use super::pattern::Pattern;
use crate::model::Field;

/// A parsed query.
#[derive(Clone, Debug, PartialEq)]
pub struct Query(pub(in crate::index) Node);

/// A part of a query.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::index) enum Node {
    /// Every event.
    All,
    /// All of them hold.
    And(Vec<Node>),
    /// One of them holds.
    Or(Vec<Node>),
    /// It does not hold.
    Not(Box<Node>),
    /// A condition on the event.
    Is(Condition),
}

/// One condition.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::index) enum Condition {
    /// These tokens stand one behind the other in some free text of the event.
    Words(Phrase),
    /// Some word of the free text fits; tokens that are like ids are not looked at.
    WordsLike(Glob),
    /// Some correlation id has one of these forms.
    Id(Vec<String>),
    /// `@timestamp` in milliseconds.
    Time(RangeInclusive<i64>),
    /// `event.ingested` in milliseconds.
    Received(RangeInclusive<i64>),
    /// A value under a name passes a test.
    Field(Name, Test),
}

/// A name as the event has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::index) enum Name {
    /// A canonical field.
    Known(Field),
    /// A name of the source's own, without `ext.`.
    Ext(String),
}

/// What a value must be.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::index) enum Test {
    /// There, and not null.
    Exists,
    /// This text: the whole value, or in free text the words in order.
    Text(Literal),
    /// A pattern: the whole value, or in free text also one word.
    Like(Glob),
    /// A text that this pattern fits somewhere.
    Fits(Pattern),
    /// A whole number field in a range; empty where the start is behind the end.
    Int(RangeInclusive<u64>),
    /// A value that is a number, in a range.
    Number(Bound<f64>, Bound<f64>),
    /// A text between two, in folded order.
    Between(Bound<String>, Bound<String>),
    /// An address in a range; IPv4 mapped into IPv6.
    Ip(RangeInclusive<Ipv6Addr>),
    /// A correlation id with one of these forms.
    Id(Vec<String>),
}

/// A text to compare with.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::index) struct Literal {
    /// Folded.
    pub(in crate::index) folded: String,
    /// Its tokens; empty for punctuation.
    pub(in crate::index) phrase: Phrase,
    /// Its value where it is a number.
    pub(in crate::index) number: Option<f64>,
}

/// Tokens in order, folded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::index) struct Phrase(pub(in crate::index) Vec<String>);
