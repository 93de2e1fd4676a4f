//! Which rules an event may fit at all: found from what a rule cannot do without.
//!
//! Of every condition a set of *witnesses* is derived, one of which must be in an event that fits: an
//! exact value of a field, a piece of text in a field or anywhere, or at least the presence of a field.
//! Per event each indexed field is looked at once; rules none of whose witnesses is there cost nothing.

use std::collections::HashMap;

use aho_corasick::AhoCorasick;
use foldhash::fast::FixedState;

use crate::compile::{Matcher, Question};
use crate::condition::Expr;
use crate::lookup::FieldId;
use crate::pattern::{fold, number};
use crate::predicate::Test;

/// Rules by what they need.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) fields: Vec<FieldIndex>,
    pub(crate) keywords: Option<Pieces>,
    /// Rules that need nothing that can be looked for.
    pub(crate) always: Vec<u32>,
}

/// Rules that need something of one field.
#[derive(Debug)]
pub(crate) struct FieldIndex {
    pub(crate) field: FieldId,
    pub(crate) present: Vec<u32>,
    exact: HashMap<Box<str>, Vec<u32>, FixedState>,
    numbers: Vec<(f64, Vec<u32>)>,
    pieces: Option<Pieces>,
}

/// Rules by a piece of text.
#[derive(Debug)]
pub(crate) struct Pieces {
    automaton: AhoCorasick,
    rules: Vec<Vec<u32>>,
}

/// What an event must have.
#[derive(Clone, Debug, PartialEq)]
enum Witness {
    Exact(FieldId, String),
    Number(FieldId, f64),
    Piece(Option<FieldId>, String),
    Present(FieldId),
}

/// Witnesses of one rule at most; more are not worth looking for.
const WITNESSES_MAX: usize = 2_000;

#[derive(Default)]
struct Building {
    present: Vec<u32>,
    exact: HashMap<Box<str>, Vec<u32>, FixedState>,
    numbers: Vec<(f64, Vec<u32>)>,
    pieces: Vec<(String, Vec<u32>)>,
}

impl Index {
    /// The index of these matchers.
    pub(crate) fn build(matchers: &[Matcher], predicates: &[Question]) -> Self {
        let mut index = Self::default();
        let mut fields: Vec<(FieldId, Building)> = Vec::new();
        let mut places: HashMap<FieldId, usize> = HashMap::new();
        let mut keywords: Vec<(String, Vec<u32>)> = Vec::new();
        for (rule, matcher) in (0u32..).zip(matchers) {
            let Some(witnesses) = witnesses(&matcher.expr, predicates) else {
                index.always.push(rule);
                continue;
            };
            for witness in witnesses {
                let field = match &witness {
                    Witness::Exact(field, _)
                    | Witness::Number(field, _)
                    | Witness::Piece(Some(field), _)
                    | Witness::Present(field) => *field,
                    Witness::Piece(None, piece) => {
                        add(&mut keywords, piece, rule);
                        continue;
                    }
                };
                let place = *places.entry(field).or_insert_with(|| {
                    fields.push((field, Building::default()));
                    fields.len() - 1
                });
                if let Some((_, building)) = fields.get_mut(place) {
                    building.add(witness, rule);
                }
            }
        }
        index.keywords = pieces(keywords, &mut index.always);
        for (field, building) in fields {
            index.fields.push(FieldIndex {
                field,
                present: building.present,
                exact: building.exact,
                numbers: building.numbers,
                pieces: pieces(building.pieces, &mut index.always),
            });
        }
        index.always.sort_unstable();
        index.always.dedup();
        index
    }
}

impl Building {
    fn add(&mut self, witness: Witness, rule: u32) {
        match witness {
            Witness::Present(_) => self.present.push(rule),
            Witness::Exact(_, text) => self.exact.entry(text.into()).or_default().push(rule),
            Witness::Number(_, value) => {
                match self.numbers.iter_mut().find(|(known, _)| *known == value) {
                    Some((_, rules)) => rules.push(rule),
                    None => self.numbers.push((value, vec![rule])),
                }
            }
            Witness::Piece(_, piece) => add(&mut self.pieces, &piece, rule),
        }
    }
}

fn add(pieces: &mut Vec<(String, Vec<u32>)>, piece: &str, rule: u32) {
    pieces.push((piece.to_owned(), vec![rule]));
}

/// An automaton over the pieces; where it cannot be built, their rules are always looked at.
fn pieces(mut found: Vec<(String, Vec<u32>)>, always: &mut Vec<u32>) -> Option<Pieces> {
    found.sort();
    found.dedup_by(|later, kept| {
        let same = later.0 == kept.0;
        if same {
            kept.1.append(&mut later.1);
        }
        same
    });
    if found.is_empty() {
        return None;
    }
    let (texts, rules): (Vec<String>, Vec<Vec<u32>>) = found.into_iter().unzip();
    match AhoCorasick::new(&texts) {
        Ok(automaton) => Some(Pieces { automaton, rules }),
        Err(_) => {
            always.extend(rules.into_iter().flatten());
            None
        }
    }
}

impl FieldIndex {
    /// Whether values matter, not presence alone.
    pub(crate) fn by_value(&self) -> bool {
        !self.exact.is_empty() || !self.numbers.is_empty() || self.pieces.is_some()
    }

    /// Calls `mark` with the rules for which this value is a witness.
    pub(crate) fn of_value(&self, folded: &str, mark: &mut impl FnMut(&[u32])) {
        if let Some(rules) = self.exact.get(folded) {
            mark(rules);
        }
        if let Some(value) = Some(&self.numbers)
            .filter(|n| !n.is_empty())
            .and_then(|_| number(folded))
        {
            let same = self.numbers.iter().filter(|(known, _)| *known == value);
            same.for_each(|(_, rules)| mark(rules));
        }
        if let Some(pieces) = &self.pieces {
            pieces.of_text(folded, mark);
        }
    }
}

impl Pieces {
    /// Calls `mark` with the rules of every piece in the text.
    pub(crate) fn of_text(&self, folded: &str, mark: &mut impl FnMut(&[u32])) {
        for hit in self.automaton.find_overlapping_iter(folded) {
            if let Some(rules) = self.rules.get(hit.pattern().as_usize()) {
                mark(rules);
            }
        }
    }
}

/// Witnesses of which an event that fits has at least one; `None` where there is no such set.
fn witnesses(expr: &Expr<u32>, predicates: &[Question]) -> Option<Vec<Witness>> {
    match expr {
        Expr::Is(id) => of_predicate(predicates.get(usize::try_from(*id).ok()?)?),
        Expr::Not(_) => None,
        Expr::And(items) => items
            .iter()
            .filter_map(|item| witnesses(item, predicates))
            .min_by_key(|found| found.iter().map(cost).sum::<usize>()),
        Expr::Or(items) | Expr::AtLeast(_, items) => {
            let mut all = Vec::new();
            for item in items {
                all.extend(witnesses(item, predicates)?);
                if all.len() > WITNESSES_MAX {
                    return None;
                }
            }
            Some(all)
        }
    }
}

/// How often a witness is likely to be there by chance, roughly.
fn cost(witness: &Witness) -> usize {
    match witness {
        Witness::Exact(..) | Witness::Number(..) => 10,
        Witness::Piece(_, piece) if piece.len() >= 5 => 11,
        Witness::Piece(..) => 15,
        Witness::Present(_) => 1_000,
    }
}

fn of_predicate(question: &Question) -> Option<Vec<Witness>> {
    let Some(field) = question.field else {
        return match &question.test {
            Test::Text { set, .. } => {
                let pieces = set.required()?.into_iter();
                Some(
                    pieces
                        .map(|piece| Witness::Piece(None, fold(piece)))
                        .collect(),
                )
            }
            _ => None,
        };
    };
    let present = Some(vec![Witness::Present(field)]);
    match &question.test {
        Test::Text { set, .. } => {
            if let Some((texts, numbers)) = set.exact()
                && texts.len() <= WITNESSES_MAX
            {
                let texts = texts.iter().map(|text| Witness::Exact(field, fold(text)));
                let numbers = numbers.iter().map(|n| Witness::Number(field, *n));
                return Some(texts.chain(numbers).collect());
            }
            match set.required() {
                Some(pieces) if pieces.len() <= WITNESSES_MAX => {
                    let piece = |text| Witness::Piece(Some(field), fold(text));
                    Some(pieces.into_iter().map(piece).collect())
                }
                _ => present,
            }
        }
        Test::Null | Test::Exists(false) => None,
        _ => present,
    }
}
