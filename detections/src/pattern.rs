//! Sigma strings: wildcards, escapes, case.
//!
//! Comparison ignores case by mapping each character to lower case on its own (no language rules, no
//! expansion such as ß to ss; the two small sigmas are one). `cased` turns that off.

use std::collections::HashSet;

use aho_corasick::AhoCorasick;
use foldhash::fast::FixedState;

/// A set of texts hashed fast; rules, not attackers, choose what is in it.
pub(crate) type TextHash = HashSet<Box<str>, FixedState>;

/// A piece of a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Atom {
    /// Exactly this.
    Text(String),
    /// `*`: any text, also none.
    Any,
    /// `?`: one character.
    One,
    /// One of the characters `windash` holds to be the same.
    Dash,
}

/// The characters `windash` takes for one another.
pub(crate) const DASHES: [char; 5] = ['-', '/', '\u{2013}', '\u{2014}', '\u{2015}'];

/// A pattern as a list of atoms; neighbouring texts are one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) struct Glob(pub(crate) Vec<Atom>);

impl Glob {
    /// Reads a Sigma string: `*`, `?` and the backslash escapes of the specification.
    pub(crate) fn parse(text: &str) -> Self {
        let mut glob = Self::default();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\\' => match chars.peek() {
                    Some(next @ ('\\' | '*' | '?')) => {
                        glob.push(*next);
                        chars.next();
                    }
                    _ => glob.push('\\'),
                },
                '*' => glob.push_atom(Atom::Any),
                '?' => glob.push_atom(Atom::One),
                other => glob.push(other),
            }
        }
        glob
    }

    /// A pattern without wildcards.
    pub(crate) fn literal(text: &str) -> Self {
        if text.is_empty() {
            return Self::default();
        }
        Self(vec![Atom::Text(text.to_owned())])
    }

    fn push(&mut self, c: char) {
        if let Some(Atom::Text(text)) = self.0.last_mut() {
            text.push(c);
        } else {
            self.0.push(Atom::Text(c.to_string()));
        }
    }

    fn push_atom(&mut self, atom: Atom) {
        if atom != Atom::Any || self.0.last() != Some(&Atom::Any) {
            self.0.push(atom);
        }
    }

    /// `*` in front.
    pub(crate) fn open_start(mut self) -> Self {
        if self.0.first() != Some(&Atom::Any) {
            self.0.insert(0, Atom::Any);
        }
        self
    }

    /// `*` behind.
    pub(crate) fn open_end(mut self) -> Self {
        self.push_atom(Atom::Any);
        self
    }

    /// Every dash becomes "any dash".
    pub(crate) fn any_dash(self) -> Self {
        let mut out = Self::default();
        for atom in self.0 {
            match atom {
                Atom::Text(text) => {
                    for c in text.chars() {
                        if DASHES.contains(&c) {
                            out.0.push(Atom::Dash);
                        } else {
                            out.push(c);
                        }
                    }
                }
                other => out.0.push(other),
            }
        }
        out
    }

    /// Every text without "any dash" it stands for; `None` where there are more than `max` or wildcards.
    pub(crate) fn spelled_out(&self, max: usize) -> Option<Vec<String>> {
        let mut all = vec![String::new()];
        for atom in &self.0 {
            match atom {
                Atom::Text(text) => all.iter_mut().for_each(|t| t.push_str(text)),
                Atom::Dash => {
                    if all.len().saturating_mul(DASHES.len()) > max {
                        return None;
                    }
                    all = all
                        .iter()
                        .flat_map(|t| DASHES.iter().map(move |d| format!("{t}{d}")))
                        .collect();
                }
                _ => return None,
            }
        }
        Some(all)
    }

    /// The pattern in lower case.
    pub(crate) fn folded(self) -> Self {
        let fold = |atom| match atom {
            Atom::Text(text) => Atom::Text(fold(&text)),
            other => other,
        };
        Self(self.0.into_iter().map(fold).collect())
    }

    /// The longest text every match contains.
    pub(crate) fn longest_text(&self) -> &str {
        let texts = self.0.iter().map(|atom| match atom {
            Atom::Text(text) => text.as_str(),
            _ => "",
        });
        texts.max_by_key(|text| text.len()).unwrap_or_default()
    }

    /// Whether all of `text` fits. Time is at most (length of text) × (length of pattern).
    pub(crate) fn matches(&self, text: &str) -> bool {
        let mut rest = text;
        let mut at = 0usize;
        // Where to go on after a mismatch: the atom behind the last `*` and the text it was tried on.
        let mut retry: Option<(usize, &str)> = None;
        loop {
            let fits = match self.0.get(at) {
                None if rest.is_empty() => return true,
                None => None,
                Some(Atom::Any) if self.0.len() == at + 1 => return true,
                Some(Atom::Any) => {
                    retry = Some((at + 1, rest));
                    Some(rest)
                }
                Some(Atom::Text(part)) => rest.strip_prefix(part.as_str()),
                Some(Atom::One) => skip_char(rest, |_| true),
                Some(Atom::Dash) => skip_char(rest, |c| DASHES.contains(&c)),
            };
            if let Some(left) = fits {
                rest = left;
                at += 1;
                continue;
            }
            let Some((atom, from)) = retry else {
                return false;
            };
            let Some(next) = advance(self.0.get(atom), from) else {
                return false;
            };
            retry = Some((atom, next));
            rest = next;
            at = atom;
        }
    }
}

/// The next place behind `from`'s start where `atom` can begin.
fn advance<'t>(atom: Option<&Atom>, from: &'t str) -> Option<&'t str> {
    let next = skip_char(from, |_| true)?;
    match atom {
        Some(Atom::Text(part)) => next.find(part.as_str()).and_then(|at| next.get(at..)),
        _ => Some(next),
    }
}

fn skip_char(text: &str, fits: impl Fn(char) -> bool) -> Option<&str> {
    let mut chars = text.chars();
    chars.next().filter(|c| fits(*c)).map(|_| chars.as_str())
}

/// `text` in lower case.
pub(crate) fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    fold_into(text, &mut out);
    out
}

/// Appends `text` in lower case.
pub(crate) fn fold_into(text: &str, out: &mut String) {
    if text.is_ascii() {
        let start = out.len();
        out.push_str(text);
        if let Some(added) = out.get_mut(start..) {
            added.make_ascii_lowercase();
        }
        return;
    }
    for c in text.chars().flat_map(char::to_lowercase) {
        out.push(if c == 'ς' { 'σ' } else { c });
    }
}

/// Patterns of which one must fit; the form all text values of a rule are brought into.
#[derive(Clone, Debug, Default)]
pub(crate) struct TextSet {
    equal: TextHash,
    numbers: Vec<f64>,
    prefix: Vec<String>,
    suffix: Vec<String>,
    inside: Vec<String>,
    inside_many: Option<AhoCorasick>,
    globs: Vec<Glob>,
}

/// From how many texts on an automaton is faster than one search after the other.
const MANY: usize = 8;

impl TextSet {
    /// Patterns (already folded where case does not matter), and numbers that are compared as numbers too.
    pub(crate) fn new(patterns: Vec<Glob>, numbers: Vec<f64>) -> Self {
        let mut set = Self {
            numbers,
            ..Self::default()
        };
        for glob in patterns {
            match glob.0.as_slice() {
                [] => {
                    set.equal.insert("".into());
                }
                [Atom::Text(text)] => {
                    set.equal.insert(text.as_str().into());
                }
                [Atom::Text(text), Atom::Any] => set.prefix.push(text.clone()),
                [Atom::Any, Atom::Text(text)] => set.suffix.push(text.clone()),
                [Atom::Any, Atom::Text(text), Atom::Any] => set.inside.push(text.clone()),
                _ => set.globs.push(glob),
            }
        }
        if set.inside.len() >= MANY {
            set.inside_many = AhoCorasick::new(&set.inside).ok();
        }
        set
    }

    /// Whether a pattern fits `text`.
    pub(crate) fn matches(&self, text: &str) -> bool {
        (!self.equal.is_empty() && self.equal.contains(text))
            || self.prefix.iter().any(|p| text.starts_with(p.as_str()))
            || self.suffix.iter().any(|p| text.ends_with(p.as_str()))
            || self.has_inside(text)
            || self.globs.iter().any(|g| g.matches(text))
            || self.has_number(text)
    }

    fn has_inside(&self, text: &str) -> bool {
        match &self.inside_many {
            Some(many) => many.is_match(text),
            None => self.inside.iter().any(|p| text.contains(p.as_str())),
        }
    }

    fn has_number(&self, text: &str) -> bool {
        !self.numbers.is_empty() && number(text).is_some_and(|value| self.numbers.contains(&value))
    }

    /// The exact texts and numbers, where there are no other patterns: an index can find them.
    pub(crate) fn exact(&self) -> Option<(&TextHash, &[f64])> {
        let only = self.prefix.is_empty()
            && self.suffix.is_empty()
            && self.inside.is_empty()
            && self.globs.is_empty();
        only.then_some((&self.equal, self.numbers.as_slice()))
    }

    /// A text for each pattern that every match of it contains; `None` where one has no text of three bytes.
    pub(crate) fn required(&self) -> Option<Vec<&str>> {
        if !self.numbers.is_empty() {
            return None;
        }
        let texts = self.equal.iter().map(AsRef::as_ref);
        let parts = [&self.prefix, &self.suffix, &self.inside];
        let parts = parts.into_iter().flatten().map(String::as_str);
        let globs = self.globs.iter().map(Glob::longest_text);
        let all: Vec<&str> = texts.chain(parts).chain(globs).collect();
        all.iter().all(|text| text.len() >= 3).then_some(all)
    }
}

/// The text as a number.
pub(crate) fn number(text: &str) -> Option<f64> {
    let first = *text.as_bytes().first()?;
    if !(first.is_ascii_digit() || matches!(first, b'-' | b'+' | b'.')) {
        return None;
    }
    text.parse::<f64>().ok().filter(|n| n.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, text: &str, expected: bool) {
        let glob = Glob::parse(pattern).folded();
        let text = fold(text);
        assert_eq!(glob.matches(&text), expected, "{pattern} on {text}");
        let set = TextSet::new(vec![glob], Vec::new());
        assert_eq!(set.matches(&text), expected, "set: {pattern} on {text}");
    }

    #[test]
    fn wildcards_fit() {
        check("prog?.exe", "progA.exe", true);
        check("prog?.exe", "prog.exe", false);
        check("prog?.exe", "prog\u{1F600}.exe", true);
        check("anti*V*.exe", "antivirus_V21.2.1.exe", true);
        check("anti*V*.exe", "antivirus_V21.2.1.exe2", false);
        check("*", "", true);
        check("", "", true);
        check("", "x", false);
        check("**a**", "xxaxx", true);
        check("a*b*c", "a-b-b-c", true);
        check("a*b*c", "a-c-b", false);
        check("*ab", "aab", true);
        check("*?b", "b", false);
        check("ΣΑΣ", "σας", true);
    }

    #[test]
    fn escapes_are_those_of_the_specification() {
        check(r"C:\Windows", r"C:\Windows", true);
        check(r"C:\\Windows", r"C:\Windows", true);
        check(r"a\*b", "a*b", true);
        check(r"a\*b", "axb", false);
        check(r"a\?b", "a?b", true);
        check(r"a\?b", "axb", false);
        check(r"a\\*b", r"a\xxb", true);
        check(r"a\\*b", "a*b", false);
        check(r"a\\\*b", r"a\*b", true);
        check(r"a\\\*b", r"a\xb", false);
        check(r"\\\\host", r"\\host", true);
        check(r"\\\host", r"\\host", true);
        check(r"a\", r"a\", true);
    }

    #[test]
    fn long_inputs_take_linear_time_for_one_star() {
        let text = "a".repeat(200_000);
        let pattern = format!("*{}b", "a".repeat(2_000));
        assert!(!Glob::parse(&pattern).matches(&text));
    }

    #[test]
    fn dashes_stand_for_one_another() {
        let glob = Glob::literal("-a /b").any_dash();
        assert!(glob.matches("/a -b") && glob.matches("\u{2013}a /b") && !glob.matches("xa /b"));
        assert_eq!(glob.spelled_out(100).unwrap().len(), 25);
        assert!(
            Glob::literal("----------")
                .any_dash()
                .spelled_out(1_000)
                .is_none()
        );
    }
}
