//! What the operator's rules find in a value, and what becomes of it.

use std::borrow::Cow;
use std::net::IpAddr;
use std::ops::Range;

use super::super::Redactor;
use super::super::counts::Done;
use super::super::effort::Effort;
use super::super::passes::Pass;
use super::super::replace::Tally;
use super::super::scan::lossless;
use super::super::{rules, spans};
use super::layers::{self, TooMuch};
use super::options::{Action, Mode};
use super::{Own, personal};
use crate::model::{Event, Field, FieldName, Value};

/// What stands before the end that a mask leaves.
const STARS: &str = "****";

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
#[derive(Clone, Copy)]
pub(super) enum How {
    Tag,
    Drop,
    Mask(Mask),
}

/// What a mask leaves.
#[derive(Clone, Copy)]
pub(super) enum Mask {
    Last(usize),
    Email,
    Phone,
    Address(IpAddr),
}

impl Mask {
    fn of(self, secret: &[u8]) -> Vec<u8> {
        match self {
            Self::Last(keep) => mask(secret, keep),
            Self::Email => personal::mask_email(secret),
            Self::Phone => personal::mask_phone(secret),
            Self::Address(address) => personal::mask_address(address),
        }
    }
}

/// What a rule found.
pub(super) struct Found<'o> {
    pub(super) place: Range<usize>,
    pub(super) id: &'o str,
    pub(super) how: How,
    /// What it says where it was found under an encoding.
    pub(super) said: Option<Vec<u8>>,
}

impl Found<'_> {
    /// Notes what was found, before its place is brought back to the encoded text.
    pub(super) fn say(&mut self, plain: &[u8]) {
        self.said.get_or_insert_with(|| plain.to_vec());
    }

    /// What is tagged or masked.
    fn secret<'t>(&'t self, text: &'t [u8]) -> &'t [u8] {
        let written = || text.get(self.place.clone()).unwrap_or_default();
        self.said.as_deref().unwrap_or_else(written)
    }

    /// What is left by a mask. Of an encoded text no sign that its encoding may need stands unescaped.
    fn masked(&self, mask: Mask, text: &[u8]) -> Vec<u8> {
        let mut masked = mask.of(self.secret(text));
        if self.said.is_some() {
            // Bytes that were encoded need not be text.
            let is_text = std::str::from_utf8(&masked).is_ok();
            for byte in &mut masked {
                let is_sign = byte.is_ascii_control() || b"\"\\%&#+; ".contains(byte);
                if is_sign || !is_text && !byte.is_ascii() {
                    *byte = b'*';
                }
            }
        }
        masked
    }
}

impl Own {
    /// Works on every value of an event that the shipped rules are through with.
    pub(in crate::redact) fn event(
        &self,
        redactor: &Redactor,
        event: &mut Event<'_>,
        pass: &mut Pass,
        tally: &mut Tally,
    ) {
        if self.rules.is_empty() && !self.is_personal() {
            return;
        }
        for (at, (name, value)) in event.fields_mut().iter_mut().enumerate() {
            let (Value::Str(text) | Value::Num(text)) = &*value else {
                continue;
            };
            let is_ours = matches!(
                name,
                FieldName::Known(Field::RedactionCount | Field::RedactionRules)
            );
            let path = name.public();
            if is_ours || !pass.takes(at) || self.allows_field(&path) {
                continue;
            }
            let clean_name = match &*name {
                FieldName::Ext(name) => self.name(redactor, name.as_bytes(), tally),
                FieldName::Known(_) => None,
            };
            let outcome = self.value(redactor, Some(&path), text.as_bytes(), tally);
            if clean_name.is_some() || matches!(outcome, Outcome::Replaced(_)) {
                pass.change(at);
            }
            if let Some(clean) = clean_name {
                *name = FieldName::Ext(lossless(clean).into());
            }
            tally.finds.place(name);
            match outcome {
                Outcome::Kept => {}
                Outcome::Replaced(clean) => *value = Value::Str(lossless(clean).into()),
                Outcome::Dropped => {
                    *value = Value::Null;
                    pass.drop_field(at);
                }
            }
        }
    }

    /// What is left of a name, which may say whose value it is; `None` where nothing changes.
    pub(in crate::redact) fn name(
        &self,
        redactor: &Redactor,
        name: &[u8],
        tally: &mut Tally,
    ) -> Option<Vec<u8>> {
        match self.value(redactor, None, name, tally) {
            Outcome::Replaced(clean) => Some(clean),
            Outcome::Kept | Outcome::Dropped => None,
        }
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
        let (seen, tags) = match &masked {
            Some((seen, tags)) => (seen.as_slice(), tags.as_slice()),
            None => (text, &[][..]),
        };
        let effort = Effort::begin(seen, redactor.options.value_time_max());
        let Ok(found) = self.places(redactor, path, seen, effort) else {
            if self.dry_run {
                tally.try_rule(rules::OVERSIZE);
                return Outcome::Kept;
            }
            return redactor
                .oversize(tally)
                .map_or(Outcome::Dropped, Outcome::Replaced);
        };
        let found = layers::outside(found, tags, text);
        if found.is_empty() {
            return Outcome::Kept;
        }
        if self.dry_run {
            for find in found {
                tally.try_rule(find.id);
            }
            return Outcome::Kept;
        }
        apply(redactor, path, text, found, tally)
    }

    /// Finds in the text as it stands, but for those that the operator excepts and those that a mask would not change.
    pub(super) fn plain<'o>(
        &'o self,
        redactor: &Redactor,
        path: Option<&str>,
        text: &[u8],
        effort: Effort,
    ) -> Result<Vec<Found<'o>>, TooMuch> {
        let mut found = Vec::new();
        self.by_rule(path, text, effort, &mut found)?;
        if self.is_personal() {
            self.personal(path, text, &mut found);
        }
        if found.len() > self.finds_max {
            return Err(TooMuch);
        }
        for find in &mut found {
            find.place = spans::whole_characters(text, &find.place);
        }
        found.retain(|find| {
            let secret = text.get(find.place.clone()).unwrap_or_default();
            let changes = !matches!(find.how, How::Mask(mask) if mask.of(secret) == secret);
            changes && !self.allows(secret, &redactor.key)
        });
        Ok(found)
    }

    fn is_personal(&self) -> bool {
        self.personal != super::PersonalOptions::default()
    }

    fn by_rule<'o>(
        &'o self,
        path: Option<&str>,
        text: &[u8],
        effort: Effort,
        found: &mut Vec<Found<'o>>,
    ) -> Result<(), TooMuch> {
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
            if effort.is_over() {
                return Err(TooMuch);
            }
            // Between one find and the next the time may be over too.
            let places = rule.places(text).take_while(|_| !effort.is_over());
            found.extend(places.take(self.finds_max + 1).map(|place| Found {
                how: match rule.action {
                    Action::Tag => How::Tag,
                    Action::Drop => How::Drop,
                    Action::Mask => How::Mask(Mask::Last(rule.keep_last)),
                },
                place,
                id: &rule.id,
                said: None,
            }));
        }
        if effort.is_over() {
            return Err(TooMuch);
        }
        Ok(())
    }

    fn personal<'o>(&'o self, path: Option<&str>, text: &[u8], found: &mut Vec<Found<'o>>) {
        let most = self.finds_max + 1;
        let mut add = |mode: Mode, id: &'o str, place: Range<usize>, mask: Mask| {
            let how = match mode {
                Mode::Mask => How::Mask(mask),
                _ => How::Tag,
            };
            if found.len() <= most {
                found.push(Found {
                    place,
                    id,
                    how,
                    said: None,
                });
            }
        };
        if self.personal.email != Mode::Off {
            let mode = self.personal.email;
            personal::emails(text, |place| add(mode, "email", place, Mask::Email));
        }
        if self.personal.phone != Mode::Off {
            let mode = self.personal.phone;
            personal::phones(path, text, |place| {
                add(mode, "phone", place, Mask::Phone);
            });
        }
        if self.personal.ip != Mode::Off {
            let mode = self.personal.ip;
            personal::addresses(text, |place, address| {
                add(mode, "ip", place, Mask::Address(address));
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
        out.extend_from_slice(text.get(copied..find.place.start).unwrap_or_default());
        let id = Cow::Owned(find.id.to_owned());
        match find.how {
            How::Mask(mask) => {
                tally.add_done(id, Done::Mask);
                out.extend_from_slice(&find.masked(mask, text));
            }
            How::Tag | How::Drop => redactor.tag(id, find.secret(text), &mut out, tally),
        }
        copied = find.place.end;
    }
    out.extend_from_slice(text.get(copied..).unwrap_or_default());
    Outcome::Replaced(out)
}

/// Stars, always as many, and the last characters: never more than half of them. What is masked already stays, or
/// each further pass would take more of it.
fn mask(secret: &[u8], keep_last: usize) -> Vec<u8> {
    let text = String::from_utf8_lossy(secret);
    if let Some(left) = text.strip_prefix(STARS)
        && left.chars().count() <= keep_last
    {
        return secret.to_vec();
    }
    let length = text.chars().count();
    let kept = keep_last.min(length / 2);
    let tail: String = text.chars().skip(length - kept).collect();
    format!("{STARS}{tail}").into_bytes()
}
