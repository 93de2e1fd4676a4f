//! Objects and arrays, and what the names in them say of the values in them.

use std::ops::Range;

use super::super::keys::{self, Class};
use super::super::pairs::Announced;
use super::{Level, NotJson, Under, Writer};

/// Deepest nesting of objects and arrays that is read.
const LEVELS_MAX: usize = 128;

impl Writer<'_, '_> {
    /// Steps into an object or array; says whether it ends at once.
    #[inline]
    fn opens(&mut self, end: u8, levels: usize) -> Result<bool, NotJson> {
        if levels > LEVELS_MAX {
            return Err(NotJson);
        }
        self.at += 1;
        self.room();
        let is_empty = self.peek() == Some(end);
        self.at += usize::from(is_empty);
        Ok(is_empty)
    }

    /// Steps behind a member or element; says whether it was the last.
    #[inline]
    fn ends(&mut self, end: u8) -> Result<bool, NotJson> {
        self.room();
        let sign = self.peek().ok_or(NotJson)?;
        if sign != b',' && sign != end {
            return Err(NotJson);
        }
        self.at += 1;
        Ok(sign == end)
    }

    #[inline(never)]
    pub(super) fn array(
        &mut self,
        under: &Under<'_>,
        outer: &Level<'_>,
        class: Class,
        levels: usize,
    ) -> Result<(), NotJson> {
        let is_empty = self.opens(b']', levels)?;
        let level = Level {
            under: *under,
            denied: outer.denied.or(keys::below(class)),
            pair: Announced::default(),
        };
        if is_empty {
            return Ok(());
        }
        // `["Authorization", "Bearer …"]`: a name is followed by its value.
        let mut before: Option<Range<usize>> = None;
        let mut count = 0usize;
        loop {
            count += 1;
            self.room();
            let element = self.element_ahead();
            let class = match before.take() {
                Some(name) if class == Class::Pass => {
                    self.told(under.text, name, &element, count == 2)
                }
                _ => class,
            };
            // What a name told is a value: it is no name itself.
            let is_name = class == Class::Pass && self.peek() == Some(b'"');
            self.any(under, &level, class, levels)?;
            before = is_name.then_some(element);
            if self.ends(b']')? {
                return Ok(());
            }
        }
    }

    #[inline(never)]
    pub(super) fn object(
        &mut self,
        under: &Under<'_>,
        outer: &Level<'_>,
        class: Class,
        levels: usize,
    ) -> Result<(), NotJson> {
        let is_empty = self.opens(b'}', levels)?;
        let mut level = Level {
            under: *under,
            denied: outer.denied.or(keys::below(class)),
            // `{"value":{"stringValue":"…"}}`: the pair goes on inside.
            pair: match class {
                Class::PairValue(_) => outer.pair,
                _ => Announced::default(),
            },
        };
        if is_empty {
            return Ok(());
        }
        loop {
            self.room();
            let path = self.path.len();
            self.member(&mut level, levels)?;
            self.path.truncate(path);
            if self.ends(b'}')? {
                return Ok(());
            }
        }
    }

    fn member(&mut self, level: &mut Level<'_>, levels: usize) -> Result<(), NotJson> {
        if let Some(under) = self.expected_name(&level.under) {
            return self.value_of(&under, level, levels);
        }
        let (name, id, named) = self.other_name(&level.under)?;
        let text = &name.plain();
        self.value_of(&Under { text, id, named }, level, levels)
    }

    fn value_of(
        &mut self,
        under: &Under<'_>,
        level: &mut Level<'_>,
        levels: usize,
    ) -> Result<(), NotJson> {
        self.room();
        self.eat(b':')?;
        self.room();
        let class = match level.denied {
            Some(_) if keys::is_about(under.text) => Class::Pass,
            Some(kind) => Class::Secret(kind),
            None => under.named.class,
        };
        match class {
            Class::PairName(sort) if matches!(self.peek(), Some(b'"' | b'[')) => {
                let start = self.at;
                self.any(under, level, Class::Pass, levels)?;
                self.note(&mut level.pair, sort, start..self.at);
                Ok(())
            }
            Class::PairValue(sort) => {
                let mut pair = level.pair;
                self.names_behind(&mut pair);
                self.pair_value(under, &Level { pair, ..*level }, sort, levels)
            }
            class => self.any(under, level, class, levels),
        }
    }
}
