//! The names of documents in the order they come. A program writes its lines alike, so the name that comes next is
//! most often the one that came next before: comparing costs a third of looking it up.

use std::hash::{BuildHasher, Hasher};

use wide::u8x16;

use super::super::escapes::{Written, escaped};
use super::super::keys::{Class, Named};
use super::super::names;
use super::{NotJson, Under, Writer};

/// Names remembered. Once there are so many, the next document begins anew.
const NAMES: usize = 1024;
/// Longest name remembered.
const BYTES: usize = 47;

/// The names read before, remembered from line to line. Used by one thread at a time.
#[derive(Debug)]
pub(in super::super) struct Order {
    names: Vec<Name>,
    /// Where a name stands, by its hash; one may take another's place.
    places: Vec<Id>,
    seed: foldhash::fast::RandomState,
}

/// The place of a name among those remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Id(u16);

impl Id {
    /// The document itself: the name that all others stand under.
    pub(super) const TOP: Self = Self(0);
    /// A name that is not remembered, nor is any below it.
    pub(super) const UNKNOWN: Self = Self(u16::MAX);
}

#[derive(Clone, Copy, Debug)]
struct Name {
    /// As it is written, with the quote behind it.
    written: [u8; BYTES + 1],
    length: u8,
    named: Named,
    /// What it stands under.
    parent: Id,
    /// The last two that came behind it.
    next: [Id; 2],
}

impl Default for Order {
    fn default() -> Self {
        Self {
            names: vec![Name::new(Id::UNKNOWN, b"", Named::NOTHING)],
            places: vec![Id::UNKNOWN; 2 * NAMES],
            seed: foldhash::fast::RandomState::default(),
        }
    }
}

impl Name {
    fn new(parent: Id, text: &[u8], named: Named) -> Self {
        let mut written = [0; BYTES + 1];
        for (to, byte) in written.iter_mut().zip(text) {
            *to = *byte;
        }
        Self {
            written,
            length: u8::try_from(text.len()).unwrap_or(0),
            named,
            parent,
            next: [Id::UNKNOWN; 2],
        }
    }

    /// Whether a text begins with it.
    #[inline]
    fn begins(&self, text: &[u8]) -> bool {
        let (Some(first), Some(head)) = (text.first_chunk(), self.written.first_chunk()) else {
            return false;
        };
        let same = u8x16::new(*first).simd_eq(u8x16::new(*head)).to_bitmask();
        let length = u32::from(self.length);
        match length {
            ..16 => same.trailing_ones() >= length,
            _ => same == 0xffff && text.starts_with(self.written()),
        }
    }

    fn written(&self) -> &[u8] {
        self.written
            .get(..usize::from(self.length))
            .unwrap_or_default()
    }
}

impl Order {
    /// A document begins.
    pub(super) fn begin(&mut self) {
        if self.names.len() >= NAMES {
            *self = Self::default();
        }
    }

    fn get(&self, id: Id) -> Option<&Name> {
        self.names.get(usize::from(id.0))
    }

    /// The name that a text begins with, where it came behind `before` and under `parent` before, and its length.
    #[inline]
    pub(super) fn expected(
        &self,
        before: Id,
        parent: Id,
        text: &[u8],
    ) -> Option<(Id, Named, usize)> {
        self.get(before)?.next.into_iter().find_map(|id| {
            let name = self.get(id)?;
            let is_it = name.parent == parent && name.begins(text);
            is_it.then(|| (id, name.named, usize::from(name.length) - 1))
        })
    }

    /// Remembers what a name says that came behind `before` and holds no secret itself; `written` ends with its quote.
    pub(super) fn note(&mut self, before: Id, parent: Id, written: &[u8], named: Named) -> Id {
        if parent == Id::UNKNOWN || written.len() > BYTES + 1 {
            return Id::UNKNOWN;
        }
        let mut hasher = self.seed.build_hasher();
        hasher.write_u16(parent.0);
        hasher.write(written);
        let hash = usize::try_from(hasher.finish()).unwrap_or(0);
        let slot = hash % self.places.len();
        let known = self.places.get(slot).copied().filter(|id| {
            let name = self.get(*id);
            name.is_some_and(|name| name.parent == parent && name.written() == written)
        });
        let id = match known {
            Some(id) => id,
            None if self.names.len() >= NAMES => return Id::UNKNOWN,
            None => self.add(slot, Name::new(parent, written, named)),
        };
        if let Some(before) = self.names.get_mut(usize::from(before.0))
            && !before.next.contains(&id)
        {
            before.next.swap(0, 1);
            before.next[0] = id;
        }
        id
    }

    fn add(&mut self, slot: usize, name: Name) -> Id {
        let id = u16::try_from(self.names.len()).map_or(Id::UNKNOWN, Id);
        self.names.push(name);
        if let Some(place) = self.places.get_mut(slot) {
            *place = id;
        }
        id
    }
}

impl<'t> Writer<'_, 't> {
    /// The name that begins here, where it came here before.
    pub(super) fn expected_name(&mut self, level: &Under<'_>) -> Option<Under<'t>> {
        let order = &self.known.as_ref()?.order;
        let rest = self.text.get(self.at..)?.strip_prefix(b"\"")?;
        let (id, named, length) = order.expected(self.last, level.id, rest)?;
        let text = rest.get(..length)?;
        self.last = id;
        self.at += length + 2;
        if self.own.is_some() {
            self.enter(text);
            let written = Written {
                start: self.at - length - 1,
                text,
                is_plain: true,
            };
            self.name_by_own(&written, None);
        }
        Some(Under { text, id, named })
    }

    /// Any name that begins here.
    #[inline(never)]
    pub(super) fn other_name(
        &mut self,
        level: &Under<'_>,
    ) -> Result<(Written<'t>, Id, Named), NotJson> {
        let name = self.string()?;
        let plain = name.plain();
        let named = self.redactor.engine.keys().named(level.text, &plain);
        self.enter(&plain);
        let is_searched = self.echo.is_some() || names::is_searched(&plain);
        let clean = (is_searched && self.lines.is_none())
            .then(|| self.redacted(&plain, Class::Pass, false))
            .flatten();
        let is_clean = name.is_plain && clean.is_none() && !self.tally.is_excepted;
        self.name_by_own(&name, clean.map(|clean| escaped(&clean)));
        let written = self.text.get(name.start..self.at).filter(|_| is_clean);
        let mut id = Id::UNKNOWN;
        if let (Some(known), Some(written)) = (&mut self.known, written) {
            id = known.order.note(self.last, level.id, written, named);
        }
        if id != Id::UNKNOWN {
            self.last = id;
        }
        Ok((name, id, named))
    }

    fn name_by_own(&mut self, name: &Written<'_>, clean: Option<Vec<u8>>) {
        if let Some(clean) = self.by_own_in_name(name.text, clean) {
            self.replace(name.place(), &clean);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::keys::{Class, Kind};
    use super::super::super::tests::{line, redactor};
    use super::*;

    fn named(kind: Kind) -> Named {
        Named {
            class: Class::Secret(kind),
            holds_query: false,
        }
    }

    /// What is expected of a text, with more behind it.
    fn expected(order: &Order, before: Id, parent: Id, text: &str) -> Option<(Id, Named, usize)> {
        let text = format!("{text} and sixteen bytes more");
        order.expected(before, parent, text.as_bytes())
    }

    #[test]
    fn a_name_is_known_behind_the_one_before_and_under_the_same() {
        let mut order = Order::default();
        assert_eq!(expected(&order, Id::TOP, Id::TOP, "a\":1"), None);
        let a = order.note(Id::TOP, Id::TOP, b"a\"", Named::NOTHING);
        let pin = order.note(a, a, b"pin\"", named(Kind::OneTime));
        let long = order.note(pin, a, b"a.name.of.fifteen.and.more\"", Named::NOTHING);
        let check = |before, parent, text: &str, known: Option<(Id, Named, usize)>| {
            assert_eq!(expected(&order, before, parent, text), known, "{text}");
        };
        check(Id::TOP, Id::TOP, "a\":1", Some((a, Named::NOTHING, 1)));
        check(a, a, "pin\":", Some((pin, named(Kind::OneTime), 3)));
        check(a, Id::TOP, "pin\":", None);
        check(Id::TOP, a, "pin\":", None);
        check(a, a, "ping\":", None);
        check(a, a, "pin", None);
        let text = "a.name.of.fifteen.and.more\"";
        check(pin, a, text, Some((long, Named::NOTHING, 26)));
        check(pin, a, "a.name.of.fifteen.and.less\"", None);
        check(Id::UNKNOWN, Id::UNKNOWN, "", None);
        // At the end of a text it is looked up.
        assert_eq!(order.expected(a, a, b"pin\":"), None);
    }

    #[test]
    fn the_last_two_behind_a_name_are_known() {
        let mut order = Order::default();
        let mut note = |text: &[u8]| order.note(Id::TOP, Id::TOP, text, Named::NOTHING);
        let ids = [note(b"a\""), note(b"b\""), note(b"c\"")];
        assert_eq!(note(b"b\""), ids[1]);
        let is = |text: &str| expected(&order, Id::TOP, Id::TOP, text).map(|(id, ..)| id);
        assert_eq!(
            [is("a\""), is("b\""), is("c\"")],
            [None, Some(ids[1]), Some(ids[2])]
        );
    }

    #[test]
    fn it_holds_so_many_names_and_then_begins_anew() {
        let mut order = Order::default();
        let mut note = |text: &str| order.note(Id::TOP, Id::TOP, text.as_bytes(), Named::NOTHING);
        assert_eq!(note(&("x".repeat(BYTES + 1) + "\"")), Id::UNKNOWN);
        let ids: Vec<Id> = (0..2000).map(|at| note(&format!("n{at}\""))).collect();
        assert!(ids.contains(&Id::UNKNOWN));
        assert_eq!(order.names.len(), NAMES);
        order.begin();
        assert_eq!(order.names.len(), 1);
        assert_eq!(expected(&order, Id::TOP, Id::TOP, "n1\""), None);
        assert_ne!(
            order.note(Id::TOP, Id::TOP, b"n1\"", Named::NOTHING),
            Id::UNKNOWN
        );
    }

    /// Documents of names and values in any order, with objects and lists in them.
    fn documents() -> impl Strategy<Value = String> {
        let long = "a.name.longer.than.what.is.remembered.of.names.ever";
        let names = [
            "card",
            "number",
            "errors",
            "password",
            "name",
            "value",
            "\\u0070in",
            long,
        ];
        let name = prop::sample::select(names.to_vec());
        let value = prop::sample::select(vec![
            "\"Zq8fJ2kLm9pQ4rSt\"",
            "\"password\"",
            "4711",
            "null",
            "[\"token\",\"Zq8fJ2kLm9pQ4rSt\"]",
        ]);
        let leaf = value.prop_map(str::to_owned);
        leaf.prop_recursive(3, 12, 4, move |inner| {
            prop::collection::vec((name.clone(), inner), 0..4).prop_map(|members| {
                let members = members
                    .iter()
                    .map(|(name, value)| format!("\"{name}\":{value}"));
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            })
        })
    }

    proptest! {
        #[test]
        fn what_came_before_changes_no_answer(texts in prop::collection::vec(documents(), 1..40)) {
            let redactor = redactor();
            let forget = || redactor.known.lock().unwrap().clear();
            let remembering: Vec<String> = texts.iter().map(|text| line(text)).collect();
            for (text, clean) in texts.iter().zip(remembering) {
                forget();
                prop_assert_eq!(line(text), clean);
            }
        }
    }
}
