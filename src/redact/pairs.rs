//! Pairs: a name that stands as a value, and the value it announces (`{"name":"Authorization","value":"…"}`).
//!
//! Some words for the two say it plainly, others mean many things: a `label` may be that of a chart and `from` a
//! sender. What those say counts only where little else can be meant.

use super::check;
use super::keys::{self, Class, Keys, Kind};

/// Words for the name half of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameSort {
    /// It names its value.
    Name,
    /// It names what was changed or refused.
    Field,
    /// It may name a value.
    Label,
    /// It says what JSON Patch does.
    Operation,
}

/// Words for the value half of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValueSort {
    /// It is the value.
    Value,
    /// It is the value before or behind a change, or one that was refused; or a sender, a time, a page.
    Change,
}

/// Values that say how something is set, not what it is.
const SETTINGS: [&[u8]; 12] = [
    b"enabled",
    b"disabled",
    b"present",
    b"missing",
    b"changed",
    b"unchanged",
    b"unset",
    b"default",
    b"optional",
    b"text",
    b"password",
    b"hidden",
];

/// What the names of an object announce.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Announced {
    name: Option<Class>,
    field: Option<Class>,
    label: Option<Class>,
    /// Of a JSON Pointer (RFC 6901), which may as well be the path of a URL.
    pointer: Option<Class>,
    /// Whether the object is an operation of JSON Patch (RFC 6902).
    is_patch: bool,
}

/// What a value is because of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) class: Class,
    /// Whether the words may mean something else: then it is not looked for elsewhere.
    pub(super) is_weak: bool,
}

impl Announced {
    /// Takes the text of a name half.
    pub(super) fn note(&mut self, sort: NameSort, text: &[u8], keys: &Keys) {
        let sensitive = |name: &[u8]| Some(keys.announced(name)).filter(|c| keys::is_sensitive(*c));
        if text.starts_with(b"/") {
            let last = text
                .rsplit(|b| *b == b'/')
                .find(|step| !step.iter().all(u8::is_ascii_digit) && *step != b"-");
            self.pointer = stricter(self.pointer, last.and_then(sensitive));
            return;
        }
        let slot = match sort {
            NameSort::Name => &mut self.name,
            NameSort::Field => &mut self.field,
            NameSort::Label => &mut self.label,
            NameSort::Operation => {
                self.is_patch = matches!(text, b"add" | b"replace" | b"test");
                return;
            }
        };
        *slot = stricter(*slot, sensitive(text));
    }

    /// Whether no further name could say more.
    pub(super) fn is_settled(&self) -> bool {
        strictness(stricter(self.name, self.field)) == STRICTEST
    }

    /// What is said of a value; `text` where it is a string.
    pub(super) fn class(&self, sort: ValueSort, text: Option<&[u8]>, keys: &Keys) -> Option<Told> {
        let patched = self.pointer.filter(|_| self.is_patch);
        let plain = match sort {
            ValueSort::Value => stricter(stricter(self.name, self.field), patched),
            ValueSort::Change => self.field,
        };
        let label = self.label.filter(|_| {
            sort == ValueSort::Value && text.is_some_and(|text| may_be_secret(text, keys))
        });
        let class = stricter(plain, label)?;
        Some(Told {
            class,
            is_weak: sort == ValueSort::Change || plain != Some(class),
        })
    }
}

/// Whether a value below a label is no word of a page and no name itself.
fn may_be_secret(text: &[u8], keys: &Keys) -> bool {
    text.len() >= 4
        && !text.iter().any(u8::is_ascii_whitespace)
        && !SETTINGS.iter().any(|word| text.eq_ignore_ascii_case(word))
        && (check::digit(text) || !keys::is_sensitive(keys.class(text)))
}

const STRICTEST: u8 = 4;

fn strictness(class: Option<Class>) -> u8 {
    match class {
        Some(Class::Secret(Kind::Connection)) => 2,
        Some(Class::Secret(_)) => STRICTEST,
        Some(Class::Scheme | Class::Cookie | Class::Told(_)) => 3,
        Some(Class::Random(_)) => 1,
        _ => 0,
    }
}

/// The class that lets less pass; the first of two alike.
fn stricter(first: Option<Class>, second: Option<Class>) -> Option<Class> {
    if strictness(second) > strictness(first) {
        second
    } else {
        first
    }
}
