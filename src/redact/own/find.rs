//! What the operator's rules find in a value, and what becomes of it.

use std::borrow::Cow;
use std::ops::Range;

use super::super::Redactor;
use super::super::counts::Done;
use super::super::replace::Tally;
use super::super::spans;
use super::options::{Action, Mode};
use super::{Own, personal};
use crate::model::{Event, Field, FieldName, Value};

/// What becomes of a value.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::redact) enum Outcome {
    /// Nothing.
    Kept,
    /// Another one stands in its place.
    Replaced(Vec<u8>),
    /// It goes with its field.
    Dropped,
}

/// How a find is replaced.
enum How {
    Tag,
    Drop,
    With(Vec<u8>),
}

struct Found<'o> {
    place: Range<usize>,
    id: &'o str,
    how: How,
}

impl Own {
    /// Works on every value of an event that the shipped rules are through with.
    pub(in crate::redact) fn event(
        &self,
        redactor: &Redactor,
        event: &mut Event<'_>,
        tally: &mut Tally,
    ) {
        if self.rules.is_empty() && !self.is_personal() {
            return;
        }
        event.fields_mut().retain_mut(|(name, value)| {
            let (Value::Str(text) | Value::Num(text)) = &*value else {
                return true;
            };
            let is_ours = matches!(
                name,
                FieldName::Known(Field::RedactionCount | Field::RedactionRules)
            );
            let path = name.public();
            if is_ours || self.allows_field(&path) {
                return true;
            }
            let outcome = self.value(redactor, Some(&path), text.as_bytes(), tally);
            tally.finds.place(name);
            match outcome {
                Outcome::Kept => true,
                Outcome::Replaced(clean) => {
                    let clean = String::from_utf8_lossy(&clean).into_owned();
                    *value = Value::Str(clean.into());
                    true
                }
                Outcome::Dropped => false,
            }
        });
    }

    /// Works on one value, or on text that is no field and has no path.
    pub(in crate::redact) fn value(
        &self,
        redactor: &Redactor,
        path: Option<&str>,
        text: &[u8],
        tally: &mut Tally,
    ) -> Outcome {
        let masked = redactor.masked(text);
        let seen = masked.as_ref().map_or(text, |(masked, _)| masked);
        let mut found = Vec::new();
        self.by_rule(path, seen, &mut found);
        if self.is_personal() {
            self.personal(path, seen, &mut found);
        }
        for find in &mut found {
            find.place = spans::whole_characters(text, &find.place);
        }
        found.retain(|find| {
            let secret = text.get(find.place.clone()).unwrap_or_default();
            let tags = masked.iter().flat_map(|(_, tags)| tags);
            let mut touching =
                tags.filter(|tag| find.place.start < tag.end && tag.start < find.place.end);
            touching.next().is_none() && !self.allows(secret, &redactor.key)
        });
        if found.is_empty() {
            return Outcome::Kept;
        }
        if self.dry_run {
            for find in found {
                tally.try_rule(find.id);
            }
            return Outcome::Kept;
        }
        if found.len() > self.finds_max {
            return redactor
                .oversize(tally)
                .map_or(Outcome::Dropped, Outcome::Replaced);
        }
        // Of finds that overlap the first counts, and of those the longest.
        found.sort_by_key(|find| (find.place.start, usize::MAX - find.place.end));
        apply(redactor, path, text, found, tally)
    }

    fn is_personal(&self) -> bool {
        self.personal != super::PersonalOptions::default()
    }

    fn by_rule<'o>(&'o self, path: Option<&str>, text: &[u8], found: &mut Vec<Found<'o>>) {
        let mut is_called = vec![false; self.rules.len()];
        if let Some(gate) = &self.gate {
            for keyword in gate.find_overlapping_iter(text) {
                let rule = self.waiting.get(keyword.pattern().as_usize());
                if let Some(called) = rule.and_then(|rule| is_called.get_mut(*rule)) {
                    *called = true;
                }
            }
        }
        for (rule, is_called) in self.rules.iter().zip(is_called) {
            if !(is_called || rule.keywords.is_empty()) || !rule.is_for(path) {
                continue;
            }
            let places = rule.places(text).take(self.finds_max + 1);
            found.extend(places.map(|place| Found {
                how: match rule.action {
                    Action::Tag => How::Tag,
                    Action::Drop => How::Drop,
                    Action::Mask => {
                        let secret = text.get(place.clone()).unwrap_or_default();
                        How::With(mask(secret, rule.keep_last))
                    }
                },
                place,
                id: &rule.id,
            }));
        }
    }

    fn personal<'o>(&'o self, path: Option<&str>, text: &[u8], found: &mut Vec<Found<'o>>) {
        let most = self.finds_max + 1;
        let mut add =
            |mode: Mode, id: &'o str, place: Range<usize>, mask: &dyn Fn(&[u8]) -> Vec<u8>| {
                let secret = text.get(place.clone()).unwrap_or_default();
                let how = match mode {
                    Mode::Mask => How::With(mask(secret)),
                    _ => How::Tag,
                };
                let changes = !matches!(&how, How::With(mask) if mask == secret);
                if changes && found.len() <= most {
                    found.push(Found { place, id, how });
                }
            };
        if self.personal.email != Mode::Off {
            let mode = self.personal.email;
            personal::emails(text, |place| {
                add(mode, "email", place, &personal::mask_email)
            });
        }
        if self.personal.phone != Mode::Off {
            let mode = self.personal.phone;
            personal::phones(path, text, |place| {
                add(mode, "phone", place, &personal::mask_phone);
            });
        }
        if self.personal.ip != Mode::Off {
            let mode = self.personal.ip;
            personal::addresses(text, |place, address| {
                add(mode, "ip", place, &|_| personal::mask_address(address));
            });
        }
    }
}

fn apply(
    redactor: &Redactor,
    path: Option<&str>,
    text: &[u8],
    found: Vec<Found<'_>>,
    tally: &mut Tally,
) -> Outcome {
    if let Some(find) = found.iter().find(|find| matches!(find.how, How::Drop)) {
        if path.is_some() {
            tally.add_done(Cow::Owned(find.id.to_owned()), Done::Drop);
            return Outcome::Dropped;
        }
        let mut out = Vec::new();
        redactor.tag(Cow::Owned(find.id.to_owned()), text, &mut out, tally);
        return Outcome::Replaced(out);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut copied = 0;
    for find in found {
        if find.place.start < copied {
            continue;
        }
        out.extend_from_slice(text.get(copied..find.place.start).unwrap_or_default());
        let id = Cow::Owned(find.id.to_owned());
        match find.how {
            How::With(mask) => {
                tally.add_done(id, Done::Mask);
                out.extend_from_slice(&mask);
            }
            How::Tag | How::Drop => {
                let secret = text.get(find.place.clone()).unwrap_or_default();
                redactor.tag(id, secret, &mut out, tally);
            }
        }
        copied = find.place.end;
    }
    out.extend_from_slice(text.get(copied..).unwrap_or_default());
    Outcome::Replaced(out)
}

/// Stars, always as many, and the last characters: never more than half of them.
fn mask(secret: &[u8], keep_last: usize) -> Vec<u8> {
    let text = String::from_utf8_lossy(secret);
    let length = text.chars().count();
    let kept = keep_last.min(length / 2);
    let tail: String = text.chars().skip(length - kept).collect();
    format!("****{tail}").into_bytes()
}
