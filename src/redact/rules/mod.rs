//! The table of secret kinds. A kind is one row: its name, the keywords that lead to it, how it
//! looks behind one, and examples that are its tests. A new kind is a new row.
//!
//! In examples `<A36>` stands for 36 random characters of an alphabet: `A` letters and digits, `a`
//! lower-case letters and digits, `U` upper-case base32, `h` hex, `H` upper-case hex, `d` digits,
//! `w` URL-safe base64, `b` base64. None of them may be left in the redacted text. So no example in
//! this repository looks like a leaked secret.

mod cloud;
mod code;
mod command;
mod pay;
mod saas;
mod text;

use super::check;
use super::engine::Probe;
use super::keys::Kind;
use super::spans::{Rank, Spans};

/// How a kind looks around its keyword. Repeats in regexes are bounded, but for the last one: what
/// may fail behind a long run would be tried anew at each keyword in that run.
#[derive(Clone, Copy)]
pub(super) enum Find {
    /// From the keyword's first byte on. Group 1, where there is one, is the secret.
    Head(&'static str),
    /// Anywhere from so many bytes before the keyword.
    Around(usize, &'static str),
    /// By code.
    Code(fn(&Probe<'_>, &mut Spans)),
}

/// One kind of secret.
pub(super) struct Rule {
    /// The name in tags.
    pub(super) id: &'static str,
    /// Literals, any of which leads here, in any case. At least three bytes, so that few values
    /// hold one by chance.
    pub(super) keywords: &'static [&'static str],
    /// How it looks.
    pub(super) find: Find,
    /// What the secret must pass beyond its looks.
    pub(super) check: fn(&[u8]) -> bool,
    /// Whether the keyword must begin a word: for prefixes that words end with.
    pub(super) word: bool,
    /// How specific it is.
    pub(super) rank: Rank,
    /// Texts that hold one.
    #[cfg_attr(not(test), expect(dead_code, reason = "examples are tests"))]
    pub(super) hits: &'static [&'static str],
    /// Texts that look alike and hold none.
    pub(super) misses: &'static [&'static str],
}

const fn row(
    id: &'static str,
    keywords: &'static [&'static str],
    find: Find,
    hits: &'static [&'static str],
) -> Rule {
    Rule {
        id,
        keywords,
        find,
        check: check::any,
        word: false,
        rank: Rank::Known,
        hits,
        misses: &[],
    }
}

const fn head(
    id: &'static str,
    keywords: &'static [&'static str],
    regex: &'static str,
    hits: &'static [&'static str],
) -> Rule {
    row(id, keywords, Find::Head(regex), hits)
}

impl Rule {
    const fn word(mut self) -> Self {
        self.word = true;
        self
    }

    const fn checked(mut self, check: fn(&[u8]) -> bool) -> Self {
        self.check = check;
        self
    }

    const fn rank(mut self, rank: Rank) -> Self {
        self.rank = rank;
        self
    }

    const fn not(mut self, misses: &'static [&'static str]) -> Self {
        self.misses = misses;
        self
    }
}

/// Every row.
pub(super) fn all() -> impl Iterator<Item = &'static Rule> {
    [
        cloud::RULES,
        code::RULES,
        command::RULES,
        pay::RULES,
        saas::RULES,
        text::RULES,
    ]
    .into_iter()
    .flatten()
}

/// Rules that are no rows: gates of `numbers.rs`, bounds, classes of personal data (`own/personal.rs`).
const OTHERS: [&str; 7] = ["card", "iban", "ssn", OVERSIZE, "email", "phone", "ip"];

/// The rule of a value replaced whole because a bound was hit.
pub(super) const OVERSIZE: &str = "oversize";

/// Whether tags carry this rule's name.
pub(super) fn is_known(name: &[u8]) -> bool {
    let is = |known: &str| known.as_bytes() == name;
    Kind::ALL.iter().any(|kind| is(kind.rule()))
        || OTHERS.iter().any(|id| is(id))
        || all().any(|rule| is(rule.id))
}

/// Whether finds of this rule must not be linked: so few values that a tag would tell which.
pub(super) fn is_blind(name: &str) -> bool {
    name == Kind::Cvv.rule() || name.starts_with(Kind::OneTime.rule()) || name == OVERSIZE
}

#[cfg(test)]
pub(super) mod tests;
