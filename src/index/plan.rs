//! A query for one segment: names and texts resolved to columns, ordinals, lists and documents, once for all its slices.

use std::io;
use std::ops::RangeInclusive;

use super::column::{Column, Values};
use super::docs::{Docs, Verdict, set};
use super::ids::hash;
use super::query::{Condition, Glob, Literal, Name, Node, Phrase, Query, Test};
use super::scan::{Filter, Ords, addresses, numbers, ordinals, scan, terms};
use super::segment::{Segment, time_to_column};
use super::shape::{has_ext, has_field};
use super::text::{Shape, Token, equal, tokens};
use super::words::{List, Place};
use crate::model::{Field, Kind, Value};

/// What a segment has to do for a query.
#[derive(Clone, Debug)]
pub(super) enum Plan {
    /// Every document, or none.
    Sure(bool),
    /// All of them.
    And(Vec<Plan>),
    /// One of them.
    Or(Vec<Plan>),
    /// Not this.
    Not(Box<Plan>),
    /// At most this: the event has to be read.
    Unsure(Box<Plan>),
    /// Documents with one of these ordinals.
    Ords(Column, Ords),
    /// Documents with a number in a range.
    Numbers(Column, RangeInclusive<u64>),
    /// Documents with a number whose digits fit.
    Digits(Column, Glob),
    /// Documents that stand in one of these lists of words.
    Lists(Vec<List>),
    /// These documents, in order.
    Docs(Vec<u32>),
}

/// Documents of a segment that may carry the id a query asks for, in order.
pub(super) fn candidates(segment: &Segment, query: &Query) -> Vec<u32> {
    match &query.0 {
        Node::Is(Condition::Id(forms)) => Planner::new(segment, 0).id_docs(forms),
        _ => Vec::new(),
    }
}

/// Makes plans for one segment.
pub(super) struct Planner<'s> {
    segment: &'s Segment,
    wildcard_terms_max: usize,
}

impl<'s> Planner<'s> {
    pub(super) fn new(segment: &'s Segment, wildcard_terms_max: usize) -> Self {
        Self {
            segment,
            wildcard_terms_max,
        }
    }

    /// The plan for a part of a query.
    pub(super) fn plan(&self, node: &Node) -> io::Result<Plan> {
        Ok(match node {
            Node::All => Plan::Sure(true),
            Node::And(nodes) => and(self.plans(nodes)?),
            Node::Or(nodes) => or(self.plans(nodes)?),
            Node::Not(node) => not(self.plan(node)?),
            Node::Is(condition) => self.condition(condition)?,
        })
    }

    fn plans(&self, nodes: &[Node]) -> io::Result<Vec<Plan>> {
        nodes.iter().map(|node| self.plan(node)).collect()
    }

    fn condition(&self, condition: &Condition) -> io::Result<Plan> {
        match condition {
            Condition::Words(phrase) => self.phrase(phrase, &[Place::Message, Place::Elsewhere]),
            Condition::WordsLike(glob) => {
                let words = self.segment.words();
                let accept = |word: &str| glob.matches(word);
                let lists = words.expand(&glob.prefix(), accept, self.wildcard_terms_max)?;
                Ok(lists.map_or_else(undecided, Plan::lists))
            }
            Condition::Id(forms) => Ok(unsure(self.ids(forms))),
            Condition::Time(range) => Ok(self.time(range)),
            Condition::Received(range) => {
                let (min, max) = self.segment.meta().received;
                let (min, max) = (min.div_euclid(1_000_000), max.div_euclid(1_000_000));
                Ok(if range.contains(&min) && range.contains(&max) {
                    Plan::Sure(true)
                } else if max < *range.start() || min > *range.end() {
                    Plan::Sure(false)
                } else {
                    undecided()
                })
            }
            Condition::Field(Name::Known(field), test) => self.known(*field, test),
            Condition::Field(Name::Ext(name), test) => {
                let exists = self.exists(&Name::Ext(name.clone()))?;
                self.read(exists, None, test)
            }
        }
    }

    /// Milliseconds of `@timestamp`.
    pub(super) fn time(&self, range: &RangeInclusive<i64>) -> Plan {
        if range.is_empty() {
            return Plan::Sure(false);
        }
        let range = time_to_column(*range.start())..=time_to_column(*range.end());
        Plan::Numbers(self.segment.time().clone(), range)
    }

    fn known(&self, field: Field, test: &Test) -> io::Result<Plan> {
        if *test == Test::Exists {
            return self.exists(&Name::Known(field));
        }
        let values = self.segment.field(field)?;
        match (field.kind(), test, values) {
            (Kind::Keyword, test, Some(Values::Text(column))) => {
                let filter = match test {
                    Test::Text(literal) => Filter::Whole(&literal.folded),
                    Test::Like(glob) => return self.keyword_like(field, glob),
                    _ => Filter::All,
                };
                let ords = terms(column, filter, |term| match test {
                    Test::Text(literal) => equal(&literal.folded, term),
                    test => test.accepts(Some(field), &Value::Str(term.into())),
                })?;
                let plan = Plan::ords(column.ords(), &ords);
                Ok(or(vec![plan, self.odd(field)?]))
            }
            (Kind::Keyword, _, _) => self.odd(field),
            (Kind::Int, Test::Int(range), Some(Values::Number(column))) => {
                Ok(if range.is_empty() {
                    Plan::Sure(false)
                } else {
                    Plan::Numbers(column.clone(), range.clone())
                })
            }
            (Kind::Int, Test::Like(glob), Some(Values::Number(column))) => {
                let plan = Plan::Digits(column.clone(), glob.clone());
                Ok(or(vec![plan, self.odd(field)?]))
            }
            (Kind::Int, Test::Like(_), _) => self.odd(field),
            (Kind::Ip, Test::Ip(range), Some(Values::Address(column))) => {
                let ords = addresses(column, range);
                Ok(match ords.end.checked_sub(1) {
                    Some(last) if ords.start <= last => {
                        Plan::Ords(column.ords().clone(), Ords::Run(ords.start..=last))
                    }
                    _ => Plan::Sure(false),
                })
            }
            (Kind::Int, Test::Int(_), _) | (Kind::Ip, Test::Ip(_), _) => Ok(Plan::Sure(false)),
            (Kind::Text, Test::Text(literal), _)
                if field == Field::Message && !literal.phrase.0.is_empty() =>
            {
                self.phrase(&literal.phrase, &[Place::Message])
            }
            (Kind::Id, Test::Id(forms), _) => {
                let exists = self.exists(&Name::Known(field))?;
                Ok(unsure(and(vec![self.ids(forms), exists])))
            }
            _ => {
                let exists = self.exists(&Name::Known(field))?;
                self.read(exists, Some(field), test)
            }
        }
    }

    fn keyword_like(&self, field: Field, glob: &Glob) -> io::Result<Plan> {
        let Some(Values::Text(column)) = self.segment.field(field)? else {
            return self.odd(field);
        };
        let prefix = glob.prefix();
        let ords = terms(column, Filter::Prefix(&prefix), |term| glob.matches(term))?;
        Ok(or(vec![Plan::ords(column.ords(), &ords), self.odd(field)?]))
    }

    /// Documents whose value of the field its column could not hold.
    fn odd(&self, field: Field) -> io::Result<Plan> {
        Ok(match self.segment.odd()? {
            Some(Values::Number(column)) => {
                let code = u64::from(field.code());
                unsure(Plan::Numbers(column.clone(), code..=code))
            }
            _ => Plan::Sure(false),
        })
    }

    /// Documents that have a name, by their shape.
    fn exists(&self, name: &Name) -> io::Result<Plan> {
        let Some(Values::Text(column)) = self.segment.shape()? else {
            return Ok(undecided());
        };
        let mut unknown = Vec::new();
        let mut at = 0u64;
        let known = terms(column, Filter::All, |shape| {
            let has = match name {
                Name::Known(field) => has_field(shape, *field),
                Name::Ext(name) => has_ext(shape, name),
            };
            if has.is_none() {
                unknown.push(at);
            }
            at += 1;
            has == Some(true)
        })?;
        if u32::try_from(known.len()) == Ok(column.dictionary().count()) {
            return Ok(Plan::Sure(true));
        }
        let unknown = unsure(Plan::ords(column.ords(), &unknown));
        Ok(or(vec![Plan::ords(column.ords(), &known), unknown]))
    }

    /// Values without a column: candidates by their words, to be read.
    fn read(&self, exists: Plan, field: Option<Field>, test: &Test) -> io::Result<Plan> {
        if *test == Test::Exists {
            return Ok(exists);
        }
        let is_text = field.is_some_and(|field| field.kind() == Kind::Text);
        let words = match test {
            // Numbers outside free text have no words.
            Test::Text(literal) if is_text || !may_be_number(literal) => literal.phrase.0.clone(),
            Test::Like(glob) => {
                let words = glob.whole_tokens();
                let is_word =
                    |word: &String| word.bytes().any(|byte| !b"0123456789e".contains(&byte));
                if is_text || words.iter().any(is_word) {
                    words
                } else {
                    Vec::new()
                }
            }
            _ => Vec::new(),
        };
        let is_id = field.is_some_and(|field| !matches!(field.kind(), Kind::Text | Kind::Stored));
        let mut plans = vec![exists];
        if !is_id {
            for token in words.iter().flat_map(|word| tokens(word)) {
                plans.push(self.token(&token, &[Place::Message, Place::Elsewhere])?);
            }
        }
        Ok(unsure(and(plans)))
    }

    fn phrase(&self, phrase: &Phrase, places: &[Place]) -> io::Result<Plan> {
        let tokens: Vec<Token> = phrase.0.iter().flat_map(|token| tokens(token)).collect();
        let plans = tokens.iter().map(|token| self.token(token, places));
        let plan = and(plans.collect::<io::Result<_>>()?);
        match tokens.as_slice() {
            [token] if token.is_sure => Ok(plan),
            _ => Ok(unsure(plan)),
        }
    }

    fn token(&self, token: &Token, places: &[Place]) -> io::Result<Plan> {
        if token.shape == Shape::Id {
            return Ok(self.ids(std::slice::from_ref(&token.text)));
        }
        let mut lists = Vec::new();
        for place in places {
            lists.extend(self.segment.words().get(&token.text, *place)?);
        }
        Ok(Plan::lists(lists))
    }

    fn ids(&self, ids: &[String]) -> Plan {
        let docs = self.id_docs(ids);
        if docs.is_empty() {
            Plan::Sure(false)
        } else {
            Plan::Docs(docs)
        }
    }

    /// Documents that may carry one of these ids, in order.
    fn id_docs(&self, ids: &[String]) -> Vec<u32> {
        let mut docs = Vec::new();
        for id in ids {
            self.segment.ids().lookup(hash(id.as_bytes()), &mut docs);
        }
        docs.sort_unstable();
        docs.dedup();
        docs
    }
}

fn may_be_number(literal: &Literal) -> bool {
    let folded = literal.folded.as_str();
    folded == "true"
        || folded == "false"
        || folded
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b"+-.e".contains(&byte))
}

fn undecided() -> Plan {
    Plan::Unsure(Box::new(Plan::Sure(true)))
}

fn unsure(plan: Plan) -> Plan {
    match plan {
        Plan::Sure(false) | Plan::Unsure(_) => plan,
        plan => Plan::Unsure(Box::new(plan)),
    }
}

fn not(plan: Plan) -> Plan {
    match plan {
        Plan::Sure(is_all) => Plan::Sure(!is_all),
        plan => Plan::Not(Box::new(plan)),
    }
}

pub(super) fn and(mut plans: Vec<Plan>) -> Plan {
    if plans.iter().any(|plan| matches!(plan, Plan::Sure(false))) {
        return Plan::Sure(false);
    }
    plans.retain(|plan| !matches!(plan, Plan::Sure(true)));
    plans.sort_by_key(Plan::cost);
    match plans.pop() {
        None => Plan::Sure(true),
        Some(only) if plans.is_empty() => only,
        Some(last) => {
            plans.push(last);
            Plan::And(plans)
        }
    }
}

fn or(mut plans: Vec<Plan>) -> Plan {
    if plans.iter().any(|plan| matches!(plan, Plan::Sure(true))) {
        return Plan::Sure(true);
    }
    plans.retain(|plan| !matches!(plan, Plan::Sure(false)));
    match plans.pop() {
        None => Plan::Sure(false),
        Some(only) if plans.is_empty() => only,
        Some(last) => {
            plans.push(last);
            Plan::Or(plans)
        }
    }
}

impl Plan {
    fn lists(lists: Vec<List>) -> Self {
        if lists.is_empty() {
            Self::Sure(false)
        } else {
            Self::Lists(lists)
        }
    }

    fn ords(column: &Column, ords: &[u64]) -> Self {
        match Ords::new(ords) {
            Some(ords) => Self::Ords(column.clone(), ords),
            None => Self::Sure(false),
        }
    }

    /// Cheap ones first.
    fn cost(&self) -> u8 {
        match self {
            Self::Sure(_) => 0,
            Self::Docs(_) => 1,
            Self::Lists(_) => 2,
            Self::Ords(..) => 3,
            Self::Numbers(..) => 4,
            Self::Digits(..) => 5,
            Self::And(_) | Self::Or(_) => 6,
            Self::Not(plan) | Self::Unsure(plan) => plan.cost(),
        }
    }

    /// What is known of the documents of a slice.
    pub(super) fn evaluate(&self, segment: &Segment, slice: u32) -> Verdict {
        let docs = segment.slice(slice);
        let len = docs.end - docs.start;
        Verdict::sure(match self {
            Self::Sure(true) => Docs::All,
            Self::Sure(false) => Docs::None,
            Self::And(plans) => {
                let mut verdict = Verdict::sure(Docs::All);
                for plan in plans {
                    verdict = verdict.and(&plan.evaluate(segment, slice), len);
                    if verdict.is_none() {
                        break;
                    }
                }
                return verdict;
            }
            Self::Or(plans) => {
                let mut verdict = Verdict::default();
                for plan in plans {
                    verdict = verdict.or(&plan.evaluate(segment, slice), len);
                }
                return verdict;
            }
            Self::Not(plan) => return plan.evaluate(segment, slice).not(len),
            Self::Unsure(plan) => return plan.evaluate(segment, slice).unsure(),
            Self::Ords(column, ords) => ordinals(column, docs, ords),
            Self::Numbers(column, range) => numbers(column, docs, range),
            Self::Digits(column, glob) => {
                let seen = std::cell::RefCell::new(std::collections::HashMap::new());
                scan(column, docs, |value| {
                    *seen
                        .borrow_mut()
                        .entry(value)
                        .or_insert_with(|| glob.matches(&value.to_string()))
                })
            }
            Self::Lists(lists) => {
                let mut bits = Docs::zeros(len);
                for list in lists {
                    segment.words().fill(list, slice, &mut bits);
                }
                Docs::from_bits(bits)
            }
            Self::Docs(all) => {
                let from = all.partition_point(|doc| *doc < docs.start);
                let inside = all.iter().skip(from).take_while(|doc| **doc < docs.end);
                let mut bits = Docs::zeros(len);
                inside.for_each(|doc| set(&mut bits, doc - docs.start));
                Docs::from_bits(bits)
            }
        })
    }
}
