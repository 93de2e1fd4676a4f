//! Where an event matches a query, found by what decides that it does: places in texts, and values as a whole.

use std::collections::BTreeMap;
use std::ops::Range;

use super::super::text::{Shape, each_place, phrases};
use super::ast::{Condition, Name, Node, Phrase, Query, Test};
use super::glob::Glob;
use super::matches::{free_text, has_form, has_words};
use crate::model::{Event, Field, FieldName, Kind, Value, text_of};

/// Places of one event at most; those of the conditions that come first in the query.
const PLACES_MAX: usize = 100;

/// What matches in one value of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Highlight {
    /// The public name of the field.
    pub field: String,
    /// Which one of the field's values; `None` where it has one.
    pub value: Option<usize>,
    /// Where in the value, from and to, in UTF-16 code units, in order and apart; `None` for the value as a whole.
    pub ranges: Option<Vec<(usize, usize)>>,
}

impl Query {
    /// Where an event that matches does so, in the order of its fields. What must not be there, that a field exists at
    /// all, and times leave no mark.
    #[must_use]
    pub fn highlights(&self, event: &Event<'_>) -> Vec<Highlight> {
        let mut marks = Marks {
            event,
            left: PLACES_MAX,
            found: BTreeMap::new(),
        };
        if self.0.matches(event) {
            marks.node(&self.0);
        }
        let found = marks.found.into_iter();
        found
            .filter_map(|(at, places)| highlight(event, at, places))
            .collect()
    }
}

/// Ranges of bytes in a value; `None` for all of it.
type Places = Option<Vec<Range<usize>>>;

struct Marks<'e, 'a> {
    event: &'e Event<'a>,
    /// Places that may still be marked.
    left: usize,
    /// By the number of the field.
    found: BTreeMap<usize, Places>,
}

impl Marks<'_, '_> {
    /// Marks what a node that matches does so by.
    fn node(&mut self, node: &Node) {
        match node {
            Node::All | Node::Not(_) => {}
            Node::And(nodes) => nodes.iter().for_each(|node| self.node(node)),
            Node::Or(nodes) => {
                let event = self.event;
                let matching = nodes.iter().filter(|node| node.matches(event));
                matching.for_each(|node| self.node(node));
            }
            Node::Is(condition) => self.condition(condition),
        }
    }

    fn condition(&mut self, condition: &Condition) {
        let event = self.event;
        for (at, (name, value)) in event.fields().iter().enumerate() {
            if self.left == 0 {
                return;
            }
            let free = || free_text(name.into(), value.into());
            match (condition, name) {
                (Condition::Words(phrase), _) => {
                    if let Some((text, _)) = free() {
                        self.phrase(at, text, phrase);
                    }
                }
                (Condition::WordsLike(glob), _) => {
                    if let Some((text, _)) = free() {
                        self.words(at, text, glob);
                    }
                }
                (Condition::Id(forms), FieldName::Known(field)) if field.kind() == Kind::Id => {
                    if has_form(value, forms) {
                        self.whole(at);
                    }
                }
                (Condition::Field(Name::Known(wanted), test), FieldName::Known(field))
                    if wanted == field =>
                {
                    self.test(at, Some(*field), value, test);
                }
                (Condition::Field(Name::Ext(wanted), test), FieldName::Ext(name))
                    if wanted == name =>
                {
                    self.test(at, None, value, test);
                }
                (Condition::Id(_) | Condition::Field(..), _) => {}
                (Condition::Time(_) | Condition::Received(_), _) => return,
            }
        }
    }

    fn test(&mut self, at: usize, field: Option<Field>, value: &Value<'_>, test: &Test) {
        let Some(text) = text_of(value).filter(|_| test.accepts(field, value)) else {
            return;
        };
        let has_words = has_words(field, value);
        match test {
            Test::Exists => {}
            Test::Text(literal) if has_words && !literal.phrase.0.is_empty() => {
                self.phrase(at, text, &literal.phrase);
            }
            Test::Like(glob) if has_words && !glob.matches(text) => self.words(at, text, glob),
            // Numbers are answered as numbers: there is no place in them.
            Test::Fits(pattern) if matches!(value, Value::Str(_)) => {
                pattern.places(text).all(|place| self.place(at, place));
            }
            _ => self.whole(at),
        }
    }

    fn phrase(&mut self, at: usize, text: &str, phrase: &Phrase) {
        phrases(text, &phrase.0, |place| self.place(at, place));
    }

    fn words(&mut self, at: usize, text: &str, glob: &Glob) {
        each_place(text, &mut String::new(), |token, shape, place| {
            if shape == Shape::Word && glob.matches(token) {
                self.place(at, place);
            }
        });
    }

    /// Marks a place; whether another may be.
    fn place(&mut self, at: usize, place: Range<usize>) -> bool {
        if self.left > 0 && !place.is_empty() {
            self.left -= 1;
            if let Some(places) = self.found.entry(at).or_insert_with(|| Some(Vec::new())) {
                places.push(place);
            }
        }
        self.left > 0
    }

    fn whole(&mut self, at: usize) {
        self.left = self.left.saturating_sub(1);
        self.found.insert(at, None);
    }
}

fn highlight(event: &Event<'_>, at: usize, places: Places) -> Option<Highlight> {
    let (name, value) = event.fields().get(at)?;
    let ranges = match places {
        None => None,
        Some(places) => Some(units(text_of(value)?, places)),
    };
    let same = |other: &&(FieldName<'_>, Value<'_>)| other.0 == *name;
    let has_several = event.fields().iter().filter(same).nth(1).is_some();
    let before = event.fields().iter().take(at).filter(same);
    Some(Highlight {
        field: name.public().into_owned(),
        value: has_several.then(|| before.count()),
        ranges,
    })
}

/// Ranges of bytes in any order as ranges of UTF-16 code units, in order; those that touch are one.
fn units(text: &str, mut places: Vec<Range<usize>>) -> Vec<(usize, usize)> {
    places.sort_unstable_by_key(|place| (place.start, place.end));
    places.dedup_by(|next, last| {
        let touch = next.start <= last.end;
        if touch {
            last.end = last.end.max(next.end);
        }
        touch
    });
    let (mut byte, mut unit) = (0, 0);
    let mut unit_at = |wanted: usize| {
        let passed = text.get(byte..wanted).unwrap_or_default();
        unit += passed.encode_utf16().count();
        byte = wanted;
        unit
    };
    let place = |place: Range<usize>| (unit_at(place.start), unit_at(place.end));
    places.into_iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;
    use crate::model::Timestamp;

    fn event() -> Event<'static> {
        let mut event = Event::new(Timestamp(0), Timestamp(0));
        event.push_str(
            Field::Message,
            "𝄞 Größe: upstream timeout, Upstream-Timeout x4",
        );
        event.push_str(Field::UrlPath, "/v1/timeout/");
        event.push(Field::HttpStatus, Value::Num("504".into()));
        event.push_str(Field::Tags, "pci");
        event.push_str(Field::Tags, "eu");
        event.push_str(Field::CorrelationId, "Req-42");
        event.push_ext("note", Value::Str("later".into()));
        event
    }

    /// `field[value]@text,text`, or `field[value]` for the whole.
    fn found(query: &str) -> Vec<String> {
        let event = event();
        let query = parse(query, Timestamp(0)).unwrap();
        let texts = |place: &Highlight| {
            let mut same = event.fields().iter();
            let mut same = same
                .by_ref()
                .filter(|(name, _)| name.public() == place.field);
            let (_, value) = same.nth(place.value.unwrap_or(0)).unwrap();
            let units: Vec<u16> = text_of(value).unwrap().encode_utf16().collect();
            let text =
                |(from, to): &(usize, usize)| String::from_utf16(&units[*from..*to]).unwrap();
            place
                .ranges
                .as_ref()
                .map(|ranges| ranges.iter().map(text).collect::<Vec<_>>().join(","))
        };
        let told = |place: &Highlight| {
            let at = place.value.map_or(String::new(), |at| format!("[{at}]"));
            let texts = texts(place).map_or(String::new(), |texts| format!("@{texts}"));
            format!("{}{at}{texts}", place.field)
        };
        query.highlights(&event).iter().map(told).collect()
    }

    fn check(query: &str, expected: &[&str]) {
        assert_eq!(found(query), expected, "{query}");
    }

    #[test]
    fn words_are_marked_where_they_stand() {
        check("timeout", &["message@timeout,Timeout", "url.path@timeout"]);
        check(
            "\"upstream timeout\"",
            &["message@upstream timeout,Upstream-Timeout"],
        );
        check(
            "upstream timeout",
            &[
                "message@upstream,timeout,Upstream,Timeout",
                "url.path@timeout",
            ],
        );
        check("message:GRÖßE", &["message@Größe"]);
        check("ti*t", &["message@timeout,Timeout", "url.path@timeout"]);
        check("path:/v1/*", &["url.path"]);
        check("path:time*", &["url.path@timeout"]);
        check("message:~\"[uU]p\"", &["message@up,Up"]);
        check("message:~\"time|out\"", &["message@timeout,out"]);
        check("note:later", &["ext.note@later"]);
    }

    #[test]
    fn other_values_are_marked_as_a_whole() {
        check("status:504", &["http.response.status_code"]);
        check("status:>=500", &["http.response.status_code"]);
        check("status:~0", &["http.response.status_code"]);
        check("tags:eu", &["tags[1]"]);
        check("id:req-42", &["correlation.id"]);
    }

    #[test]
    fn only_what_made_the_event_match_is_marked() {
        check("*", &[]);
        check("user.id:* OR status:*", &[]);
        check("status:504 -tags:us", &["http.response.status_code"]);
        check("NOT (NOT timeout)", &[]);
        check("(timeout tags:us) OR tags:pci", &["tags[0]"]);
        check("tags:us", &[]);
        check("@timestamp:<=now", &[]);
    }

    #[test]
    fn places_are_bounded() {
        let mut event = Event::new(Timestamp(0), Timestamp(0));
        event.push_str(Field::Message, "a ".repeat(10_000));
        for query in ["a", "a*", "message:~a", "a OR message:a OR a?"] {
            let marks = parse(query, Timestamp(0)).unwrap().highlights(&event);
            let count = marks[0].ranges.as_ref().unwrap().len();
            assert!((1..=PLACES_MAX).contains(&count), "{query}: {count}");
        }
    }
}
