//! JSON text in, the same text without its secrets out, in one pass, without a tree: what is not secret
//! is copied as it was written, with its room, its numbers, the order and the doubles of its keys.

mod lines;
mod nested;
mod order;
mod pairs;

pub(super) use lines::{OpenLines, key_lines};
use order::Id;
pub(super) use order::Order;

use std::ops::Range;

use super::engine::Place;
use super::escapes::{self, Written};
use super::keys::{Class, Kind, Named};
use super::names;
use super::own::Own;
use super::pairs::Announced;
use super::replace::Tally;
use super::{Known, Redactor};

/// The text is not one JSON object or array from end to end.
#[derive(Debug)]
pub(super) struct NotJson;

/// Redacts a JSON document; `None` where nothing changes.
///
/// # Errors
/// When it is none, or too deep. The tally is then as it was.
pub(super) fn rewrite(
    redactor: &Redactor,
    text: &[u8],
    depth: usize,
    tally: &mut Tally,
) -> Result<Option<Vec<u8>>, NotJson> {
    let mut part = Tally::default();
    let mut writer = Writer::new(redactor, text, depth, &mut part);
    writer.document()?;
    let out = writer.finish();
    tally.merge(part);
    Ok(out)
}

/// Removes secrets learned elsewhere from the names, strings and numbers of a JSON document that stands in so many
/// others; `None` where it holds none.
///
/// # Errors
/// When the text is none, or too deep.
pub(super) fn echoes(
    redactor: &Redactor,
    text: &[u8],
    secrets: &[Vec<u8>],
    depth: usize,
    tally: &mut Tally,
) -> Result<Option<Vec<u8>>, NotJson> {
    let mut part = Tally::default();
    let mut writer = Writer::new(redactor, text, depth, &mut part);
    writer.echo = Some(secrets);
    writer.document()?;
    let out = writer.finish();
    tally.merge(part);
    Ok(out)
}

/// Whether the text is a JSON object or array from end to end, as [`rewrite`] reads it.
pub(super) fn is_document(redactor: &Redactor, text: &[u8]) -> bool {
    let is_open = matches!(text.trim_ascii_start().first(), Some(b'{' | b'['));
    is_open && echoes(redactor, text, &[], 0, &mut Tally::default()).is_ok()
}

pub(super) struct Writer<'r, 't> {
    pub(super) redactor: &'r Redactor,
    text: &'t [u8],
    at: usize,
    depth: usize,
    /// Set where only these secrets are removed.
    echo: Option<&'r [Vec<u8>]>,
    /// Set where only lines of a private key are removed.
    lines: Option<&'r mut Vec<OpenLines>>,
    /// Set where the document is an event and the operator has rules of their own.
    pub(super) own: Option<&'r Own>,
    /// Set where the document is a line: others like it came before.
    pub(super) known: Option<&'r mut Known>,
    /// Names from the top to here, with dots; kept only for these.
    pub(super) path: String,
    /// The name read last.
    last: Id,
    /// Up to where the text has been taken over.
    copied: usize,
    out: Option<Vec<u8>>,
    pub(super) tally: &'r mut Tally,
}

/// The name that values stand under.
#[derive(Clone, Copy)]
struct Under<'n> {
    text: &'n [u8],
    /// Its place among those remembered.
    id: Id,
    named: Named,
}

/// What is known of the object or array being read.
#[derive(Clone, Copy)]
struct Level<'n> {
    /// What it stands under.
    under: Under<'n>,
    /// Set where all below is secret.
    denied: Option<Kind>,
    /// What the name halves of a pair said, for its value half.
    pair: Announced,
}

impl<'r, 't> Writer<'r, 't> {
    pub(super) fn new(
        redactor: &'r Redactor,
        text: &'t [u8],
        depth: usize,
        tally: &'r mut Tally,
    ) -> Self {
        Self {
            redactor,
            text,
            at: 0,
            depth,
            echo: None,
            lines: None,
            own: None,
            known: None,
            path: String::new(),
            last: Id::TOP,
            copied: 0,
            out: None,
            tally,
        }
    }

    pub(super) fn document(&mut self) -> Result<(), NotJson> {
        if let Some(known) = &mut self.known {
            known.order.begin();
        }
        let under = Under {
            text: b"",
            id: Id::TOP,
            named: Named::NOTHING,
        };
        let top = Level {
            under,
            denied: None,
            pair: Announced::default(),
        };
        self.room();
        self.any(&under, &top, Class::Pass, 0)?;
        self.room();
        if self.at == self.text.len() {
            Ok(())
        } else {
            Err(NotJson)
        }
    }

    pub(super) fn finish(self) -> Option<Vec<u8>> {
        let mut out = self.out?;
        out.extend_from_slice(self.text.get(self.copied..).unwrap_or_default());
        Some(out)
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn room(&mut self) {
        // Most often there is none, which one comparison tells.
        while let Some(byte) = self.peek()
            && byte <= b' '
            && matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
        {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> Result<(), NotJson> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(NotJson)
        }
    }

    /// Any value that stands under a name of this class.
    fn any(
        &mut self,
        under: &Under<'_>,
        level: &Level<'_>,
        class: Class,
        levels: usize,
    ) -> Result<(), NotJson> {
        match self.peek().ok_or(NotJson)? {
            b'"' => {
                let string = self.string()?;
                match self.lines {
                    Some(_) => self.line_of_key(&string, under.text),
                    None => self.text_value(&string, class, under.named.holds_query),
                }
            }
            b'{' => self.object(under, level, class, levels + 1)?,
            b'[' => self.array(under, level, class, levels + 1)?,
            b'-' | b'0'..=b'9' => self.number(class),
            b't' => self.word(b"true")?,
            b'f' => self.word(b"false")?,
            b'n' => self.word(b"null")?,
            _ => return Err(NotJson),
        }
        Ok(())
    }

    fn word(&mut self, word: &[u8]) -> Result<(), NotJson> {
        if self
            .text
            .get(self.at..)
            .is_some_and(|rest| rest.starts_with(word))
        {
            self.at += word.len();
            Ok(())
        } else {
            Err(NotJson)
        }
    }

    fn number(&mut self, class: Class) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest
            .iter()
            .take_while(|b| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
            .count();
        let place = self.at..self.at + length;
        self.at = place.end;
        let digits = self.text.get(place.clone()).unwrap_or_default();
        let clean = match self.echo {
            Some(secrets) => self
                .redactor
                .unlearned(digits, secrets, self.depth + 1, self.tally),
            None if self.lines.is_some() || self.is_allowed() => None,
            None => self.redactor.number(class, digits, self.tally),
        };
        let clean = self.by_own(digits, clean);
        if let Some(clean) = clean {
            self.replace(place, &[b"\"", clean.as_slice(), b"\""].concat());
        }
    }

    /// The string that begins here.
    fn string(&mut self) -> Result<Written<'t>, NotJson> {
        self.eat(b'"')?;
        let start = self.at;
        let mut is_plain = true;
        loop {
            let rest = self.text.get(self.at..).ok_or(NotJson)?;
            self.at += escapes::sign(rest).ok_or(NotJson)?;
            if self.peek() == Some(b'"') {
                let text = self.text.get(start..self.at).ok_or(NotJson)?;
                self.at += 1;
                return Ok(Written {
                    start,
                    text,
                    is_plain,
                });
            }
            is_plain = false;
            self.at += 2;
        }
    }

    fn text_value(&mut self, string: &Written<'t>, class: Class, holds_query: bool) {
        if self.is_allowed() {
            return;
        }
        let clean = match string.is_plain {
            true => self.redacted(string.text, class, holds_query),
            false => self.redacted(&string.plain(), class, holds_query),
        };
        if clean.is_some() || self.own.is_some() {
            self.replace_text(string, clean);
        }
    }

    #[cold]
    fn replace_text(&mut self, string: &Written<'t>, clean: Option<Vec<u8>>) {
        let clean = clean.map(|clean| escapes::escaped(&clean));
        if let Some(clean) = self.by_own_in_string(string.text, clean) {
            self.replace(string.place(), &clean);
        }
    }

    /// What a string says, redacted; `None` where nothing changes.
    fn redacted(&mut self, text: &[u8], class: Class, holds_query: bool) -> Option<Vec<u8>> {
        if let Some(secrets) = self.echo {
            let depth = self.depth + 1;
            return self.redactor.unlearned(text, secrets, depth, self.tally);
        }
        match class {
            Class::Pass => self.searched(text, holds_query),
            class => {
                let (depth, place) = (self.depth, names::place(holds_query, text));
                self.redactor.value(class, text, place, depth, self.tally)
            }
        }
    }

    /// What is left of a text whose name says nothing; `None` where nothing changes.
    fn searched(&mut self, text: &[u8], holds_query: bool) -> Option<Vec<u8>> {
        if self.redactor.engine.is_dull(text) {
            return None;
        }
        let place = names::place(holds_query, text);
        let slot = match self.known.as_ref().filter(|_| place == Place::Text) {
            Some(known) => Some(known.look(text)?),
            None => None,
        };
        let clean = self.redactor.clean(text, place, self.depth, self.tally);
        if clean.is_none()
            && !self.tally.is_excepted
            && let (Some(known), Some(slot)) = (self.known.as_mut(), slot)
        {
            known.note(slot, text);
        }
        clean
    }

    fn replace(&mut self, place: Range<usize>, with: &[u8]) {
        let out = self
            .out
            .get_or_insert_with(|| Vec::with_capacity(self.text.len() + 64));
        out.extend_from_slice(self.text.get(self.copied..place.start).unwrap_or_default());
        out.extend_from_slice(with);
        self.copied = place.end;
    }
}
