//! One event while it is looked at: values in lower case and answers, each worked out once.
//!
//! All buffers are kept from event to event, so that looking at an event allocates nothing.

use crate::compile::{Program, Question};
use crate::condition::Expr;
use crate::lookup::{FieldId, Lookup, ValueRef};
use crate::pattern::{fold_into, number};
use crate::predicate::{Order, Test, Where, bits};

/// Values of the current event.
#[derive(Debug, Default)]
pub(crate) struct Row {
    /// Grows with each event; cells and answers of older events are stale.
    epoch: u32,
    cells: Vec<Cell>,
    answers: Vec<(u32, bool)>,
    /// Values in lower case, one behind the other.
    text: String,
    spans: Vec<(usize, usize)>,
    scratch: String,
}

#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    epoch: u32,
    first: usize,
    count: usize,
}

impl Row {
    /// For a program of so many fields and predicates.
    pub(crate) fn new(program: &Program) -> Self {
        Self {
            epoch: 0,
            cells: vec![Cell::default(); program.fields.len()],
            answers: vec![(0, false); program.predicates.len()],
            ..Self::default()
        }
    }

    /// Turns to the next event.
    pub(crate) fn next_event(&mut self) {
        self.text.clear();
        self.spans.clear();
        self.epoch = self.epoch.wrapping_add(1);
        if self.epoch == 0 {
            self.cells.fill(Cell::default());
            self.answers.fill((0, false));
            self.epoch = 1;
        }
    }

    /// Loads a field; how many values it has.
    fn load(&mut self, event: &impl Lookup, field: FieldId) -> Cell {
        let epoch = self.epoch;
        if let Some(cell) = self.cells.get(field.index())
            && cell.epoch == epoch
        {
            return *cell;
        }
        let first = self.spans.len();
        let (text, spans) = (&mut self.text, &mut self.spans);
        event.any_value(field, &mut |value| {
            if let Some(value) = value.text() {
                let start = text.len();
                fold_into(value, text);
                spans.push((start, text.len()));
            }
            false
        });
        let cell = Cell {
            epoch,
            first,
            count: self.spans.len() - first,
        };
        if let Some(slot) = self.cells.get_mut(field.index()) {
            *slot = cell;
        }
        cell
    }

    /// The values of a field in lower case; null has none.
    pub(crate) fn folded(
        &mut self,
        event: &impl Lookup,
        field: FieldId,
    ) -> impl Iterator<Item = &str> {
        let cell = self.load(event, field);
        let spans = self
            .spans
            .get(cell.first..cell.first + cell.count)
            .unwrap_or_default();
        let text = &self.text;
        spans
            .iter()
            .map(move |(from, to)| text.get(*from..*to).unwrap_or_default())
    }

    /// Calls `visit` with every text of the event in lower case until it returns true.
    pub(crate) fn any_folded_text(
        &mut self,
        event: &impl Lookup,
        visit: &mut dyn FnMut(&str) -> bool,
    ) -> bool {
        let scratch = &mut self.scratch;
        event.any_text(&mut |text| {
            scratch.clear();
            fold_into(text, scratch);
            visit(scratch)
        })
    }

    /// The truth of a condition for the current event.
    pub(crate) fn eval(
        &mut self,
        expr: &Expr<u32>,
        program: &Program,
        event: &impl Lookup,
    ) -> bool {
        expr.eval(&mut |id| {
            let Some(place) = usize::try_from(*id).ok() else {
                return false;
            };
            match self.answers.get(place) {
                Some((epoch, answer)) if *epoch == self.epoch => return *answer,
                _ => {}
            }
            let answer = program
                .predicates
                .get(place)
                .is_some_and(|question| self.answer(question, event));
            if let Some(slot) = self.answers.get_mut(place) {
                *slot = (self.epoch, answer);
            }
            answer
        })
    }

    fn answer(&mut self, question: &Question, event: &impl Lookup) -> bool {
        let Some(field) = question.field else {
            return self.keyword(&question.test, event);
        };
        match &question.test {
            Test::Text { set, cased: false } => {
                self.folded(event, field).any(|text| set.matches(text))
            }
            Test::Text { set, cased: true } => any_text(event, field, |text| set.matches(text)),
            Test::Null => !event.any_value(field, &mut |value| value != ValueRef::Null),
            Test::Exists(there) => event.field(field).is_some() == *there,
            Test::Number(order, limit) => any_text(event, field, |text| {
                number(text).is_some_and(|value| order.holds(value, *limit))
            }),
            Test::Regex(all) => any_text(event, field, |text| {
                all.iter().any(|regex| regex.is_match(text))
            }),
            Test::Cidr(networks) => any_text(event, field, |text| {
                bits(text).is_some_and(|ip| networks.iter().any(|n| n.contains(ip)))
            }),
            Test::Date(part, order, limit) => any_text(event, field, |text| {
                part.of(text)
                    .is_some_and(|value| order.holds(value, *limit))
            }),
            Test::Field { how, cased, .. } => match question.other {
                Some(other) => self.fields_compare(event, (field, other), *how, *cased),
                None => false,
            },
        }
    }

    fn keyword(&mut self, test: &Test, event: &impl Lookup) -> bool {
        match test {
            Test::Text { set, cased: false } => {
                self.any_folded_text(event, &mut |text| set.matches(text))
            }
            Test::Text { set, cased: true } => event.any_text(&mut |text| set.matches(text)),
            Test::Regex(all) => {
                event.any_text(&mut |text| all.iter().any(|regex| regex.is_match(text)))
            }
            Test::Cidr(networks) => event.any_text(&mut |text| {
                bits(text).is_some_and(|ip| networks.iter().any(|n| n.contains(ip)))
            }),
            Test::Number(order, limit) => event
                .any_text(&mut |text| number(text).is_some_and(|value| order.holds(value, *limit))),
            Test::Null | Test::Exists(_) | Test::Field { .. } | Test::Date(..) => false,
        }
    }

    fn fields_compare(
        &mut self,
        event: &impl Lookup,
        (field, other): (FieldId, FieldId),
        how: Where,
        cased: bool,
    ) -> bool {
        if cased {
            return any_text(event, field, |text| {
                any_text(event, other, |part| how.holds(text, part))
            });
        }
        let left = self.load(event, field);
        let right = self.load(event, other);
        let span = |at: usize| {
            let (from, to) = self.spans.get(at).copied().unwrap_or_default();
            self.text.get(from..to).unwrap_or_default()
        };
        let mut lefts = left.first..left.first + left.count;
        lefts.any(|l| {
            let mut rights = right.first..right.first + right.count;
            rights.any(|r| {
                let (text, part) = (span(l), span(r));
                let same = || match (number(text), number(part)) {
                    (Some(a), Some(b)) => how == Where::All && Order::Equal.holds(a, b),
                    _ => false,
                };
                how.holds(text, part) || same()
            })
        })
    }
}

fn any_text(event: &impl Lookup, field: FieldId, mut fits: impl FnMut(&str) -> bool) -> bool {
    event.any_value(field, &mut |value| value.text().is_some_and(&mut fits))
}
