//! Redaction until nothing changes: beside a tag a word begins where it did not before, so that what hung on a secret
//! may be known as one too, and a second pass over what is stored must find nothing more. Clean text pays nothing.

use std::borrow::Cow;

use super::own::{self, Outcome};
use super::replace::Tally;
use super::scan::{self, lossless};
use super::{Known, Own, Redactor};
use crate::model::{Event, FieldName, Value};

/// Most passes over one text. Each peels off what the one before has parted; what takes more was made to.
const PASSES_MAX: usize = 6;

/// The fields of an event that a pass looks at, and those it changed.
#[derive(Debug, Default)]
pub(super) struct Pass {
    /// Where they stand; `None` for all.
    only: Option<Vec<usize>>,
    changed: Vec<usize>,
    /// Fields that go once no pass follows, which would not find the others again.
    dropped: Vec<usize>,
}

impl Pass {
    /// Whether the pass looks at the field.
    pub(super) fn takes(&self, at: usize) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(&at))
    }

    /// The field is no longer what it was.
    pub(super) fn change(&mut self, at: usize) {
        if self.changed.last() != Some(&at) && !self.changed.contains(&at) {
            self.changed.push(at);
        }
    }

    /// The field goes.
    pub(super) fn drop_field(&mut self, at: usize) {
        self.dropped.push(at);
    }

    /// Turns to what was changed; says whether there is any.
    fn again(&mut self) -> bool {
        let is_any = !self.changed.is_empty();
        if is_any {
            self.only = Some(std::mem::take(&mut self.changed));
        }
        is_any
    }
}

impl Redactor {
    /// Replaces every secret of an event, by the shipped rules and by the operator's.
    pub(super) fn event_passes(
        &self,
        event: &mut Event<'_>,
        known: &mut Known,
        own: Option<&Own>,
        tally: &mut Tally,
    ) {
        let mut pass = Pass::default();
        let mut by_own = Tally::default();
        let mut is_left = true;
        for _ in 0..PASSES_MAX {
            scan::event(self, event, known, own, &mut pass, tally);
            if let Some(own) = own {
                own.event(self, event, &mut pass, &mut by_own);
            }
            is_left = pass.again();
            if !is_left {
                break;
            }
            (tally.is_again, by_own.is_again) = (true, true);
        }
        if is_left {
            self.give_up(event, &pass, tally);
        }
        pass.dropped.sort_unstable();
        for at in pass.dropped.iter().rev() {
            event.fields_mut().remove(*at);
        }
        scan::note(event, tally);
        scan::note(event, &by_own);
        tally.merge(by_own);
    }

    /// Replaces whole what each pass has changed.
    #[cold]
    fn give_up(&self, event: &mut Event<'_>, pass: &Pass, tally: &mut Tally) {
        for at in pass.only.iter().flatten() {
            if let Some((name, value)) = event.fields_mut().get_mut(*at) {
                let tag = lossless(self.oversize(tally).unwrap_or_default());
                // It may have been the name that took them.
                if let FieldName::Ext(name) = name
                    && !self.own_tags(name.as_bytes()).is_empty()
                {
                    *name = tag.clone().into();
                }
                *value = Value::Str(tag.into());
                tally.finds.place(name);
            }
        }
    }

    /// Like [`Redactor::redact_line`]; counts into a tally of the caller's.
    pub(super) fn line_into<'t>(&self, line: &'t [u8], tally: &mut Tally) -> Cow<'t, [u8]> {
        let own = self.own.get();
        let pass = |text: &[u8], tally: &mut Tally| self.line_pass(own.as_deref(), text, tally);
        self.settled(line, tally, pass)
            .map_or(Cow::Borrowed(line), Cow::Owned)
    }

    fn line_pass(&self, own: Option<&Own>, line: &[u8], tally: &mut Tally) -> Option<Vec<u8>> {
        if line.len() <= self.options.value_bytes_max
            && let Ok(changed) = own::rewrite(self, own, line, tally)
        {
            return changed;
        }
        let clean = scan::line(self, line, tally);
        self.by_own(own, line, clean, tally)
    }

    /// Like [`Redactor::redact_text`]; counts into a tally of the caller's.
    pub(super) fn text_into<'t>(&self, text: &'t str, tally: &mut Tally) -> Cow<'t, str> {
        let own = self.own.get();
        let pass = |text: &[u8], tally: &mut Tally| {
            let clean = scan::text(self, text, tally);
            self.by_own(own.as_deref(), text, clean, tally)
        };
        self.settled(text.as_bytes(), tally, pass)
            .map_or(Cow::Borrowed(text), |clean| Cow::Owned(lossless(clean)))
    }

    /// What the operator's rules leave of text that is no field, or of what the others have left of it.
    fn by_own(
        &self,
        own: Option<&Own>,
        text: &[u8],
        clean: Option<Vec<u8>>,
        tally: &mut Tally,
    ) -> Option<Vec<u8>> {
        let seen = clean.as_deref().unwrap_or(text);
        match own.map(|own| own.value(self, None, seen, tally)) {
            Some(Outcome::Replaced(bytes)) => Some(bytes),
            _ => clean,
        }
    }

    /// Pass after pass; `None` where the first changes nothing.
    fn settled(
        &self,
        text: &[u8],
        tally: &mut Tally,
        pass: impl Fn(&[u8], &mut Tally) -> Option<Vec<u8>>,
    ) -> Option<Vec<u8>> {
        let mut clean = pass(text, tally)?;
        let was_again = std::mem::replace(&mut tally.is_again, true);
        for _ in 1..PASSES_MAX {
            let next = pass(&clean, tally).filter(|next| *next != clean);
            let Some(next) = next else {
                tally.is_again = was_again;
                return Some(clean);
            };
            clean = next;
        }
        tally.is_again = was_again;
        self.oversize(tally)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{redactor, short};
    use super::super::{Options, TagKey};
    use super::*;
    use crate::model::{Field, Timestamp};

    #[test]
    fn what_hangs_on_a_secret_is_seen_once_that_is_gone() {
        for text in [
            "AKIAQYLPMN5HHHFPZAM2-ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
            "https://kim:a\\b@c%3A://h:dd@ee@f",
            "61https://!kim:\0\0a\\no@example.comen=d&nex29\x001jott@esa",
        ] {
            let once = redactor().redact_line(text.as_bytes()).into_owned();
            assert_eq!(redactor().redact_line(&once), once, "{text}");
            let once = redactor().redact_text(text).into_owned();
            assert_eq!(redactor().redact_text(&once), once, "{text}");
        }
    }

    #[test]
    fn what_takes_ever_more_passes_goes_whole() {
        let rule = "[[rules]]\nid = \"peel\"\nregex = '[*=]k([0-9])'\nkeywords = [\"peel\"]";
        let options: Options = toml::from_str(rule).unwrap();
        let own = Own::new(&options).unwrap();
        let redactor = Redactor::new(options, TagKey::from_bytes(&[7; 32]));
        redactor.take_over(own);
        let check = |text: &str, expected: &str| {
            assert_eq!(short(&redactor.redact_text(text)), expected);
            let line = redactor.redact_line(text.as_bytes());
            assert_eq!(short(std::str::from_utf8(&line).unwrap()), expected);
            let mut event = Event::new(Timestamp(1), Timestamp(2));
            event.push_str(Field::UrlPath, "peel =k1");
            event.push_str(Field::Message, text);
            let clean = redactor.redact(event);
            assert_eq!(short(clean.text(Field::Message).unwrap()), expected);
            assert_eq!(short(clean.text(Field::UrlPath).unwrap()), "peel =k[peel]");
            assert_eq!(redactor.redact((*clean).clone()), clean);
        };
        let mut event = Event::new(Timestamp(1), Timestamp(2));
        event.push_ext("peel =k1k2k3k4k5k6k7k8k9 x", Value::Str("v".into()));
        let clean = redactor.redact(event);
        assert_eq!(short(&clean.fields()[0].0.public()), "ext.[oversize]");
        assert_eq!(redactor.redact((*clean).clone()), clean);
        check("peel =k1k2k3 x", "peel =k[peel]k[peel]k[peel] x");
        check("peel =k1k2k3k4k5k6k7k8k9 x", "[oversize]");
    }
}
