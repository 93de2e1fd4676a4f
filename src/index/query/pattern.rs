//! Regular expressions in queries: `name:~pattern`, `name:/pattern/`.

use regex::{Regex, RegexBuilder};

/// Longest pattern.
const BYTES_MAX: usize = 1_000;
/// Most memory of a compiled pattern; counted repeats are what takes it.
const COMPILED_BYTES_MAX: usize = 256 << 10;
/// Deepest nesting of groups.
const NEST_MAX: u32 = 32;

/// A regular expression. It takes time linear in the text, whatever it is.
#[derive(Clone, Debug)]
pub(in crate::index) struct Pattern(Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Pattern {
    /// Reads a pattern in the syntax of the `regex` crate, with upper and lower case told apart unless `(?i)` says
    /// otherwise.
    ///
    /// # Errors
    /// What is wrong with it, in words that stand behind the name of the field.
    pub(super) fn new(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Err("wants a pattern behind ~");
        }
        if text.len() > BYTES_MAX {
            return Err("has a pattern of more than 1000 bytes");
        }
        let built = RegexBuilder::new(text)
            .size_limit(COMPILED_BYTES_MAX)
            .dfa_size_limit(COMPILED_BYTES_MAX)
            .nest_limit(NEST_MAX)
            .build();
        built.map(Self).map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => "has a pattern that is too large; repeat less",
            _ => "has a pattern that is no regular expression",
        })
    }

    /// Whether it fits anywhere in a text.
    pub(in crate::index) fn fits(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// Where it fits, in bytes; not within a place that was told.
    pub(super) fn places<'s>(
        &'s self,
        text: &'s str,
    ) -> impl Iterator<Item = std::ops::Range<usize>> + 's {
        self.0.find_iter(text).map(|found| found.range())
    }
}

/// How long the pattern between slashes is that a text begins with, and the pattern itself. Paths stand between slashes
/// too: only what holds a character that paths have no use for is a pattern, and room ends the attempt.
pub(super) fn between_slashes(text: &str) -> Option<(usize, String)> {
    let mut pattern = String::new();
    let mut chars = text.strip_prefix('/')?.char_indices();
    let mut is_pattern = false;
    while let Some((at, c)) = chars.next() {
        match c {
            '/' => {
                let behind = chars.next().map(|(_, c)| c);
                let is_end = behind.is_none_or(|c| c.is_whitespace() || c == ')');
                return (is_end && is_pattern).then_some((at + 2, pattern));
            }
            '\\' => {
                let (_, escaped) = chars.next()?;
                is_pattern = true;
                if escaped != '/' {
                    pattern.push('\\');
                }
                pattern.push(escaped);
            }
            c if c.is_whitespace() => return None,
            c => {
                is_pattern |= "[(^".contains(c);
                pattern.push(c);
            }
        }
    }
    None
}

/// How long the pattern is that a text begins with: up to room, or to a parenthesis that closes more than the pattern
/// opens.
pub(super) fn bare_length(text: &str) -> usize {
    let mut chars = text.char_indices();
    let (mut depth, mut in_class) = (0usize, false);
    while let Some((at, c)) = chars.next() {
        match c {
            c if c.is_whitespace() => return at,
            '\\' => {
                chars.next();
            }
            '[' if !in_class => in_class = true,
            ']' => in_class = false,
            '(' if !in_class => depth += 1,
            ')' if !in_class => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return at,
            },
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stand_between_slashes_and_paths_do_too() {
        let check = |text: &str, expected: Option<(usize, &str)>| {
            let found = between_slashes(text);
            let found = found.as_ref().map(|(at, text)| (*at, text.as_str()));
            assert_eq!(found, expected, "{text}");
        };
        check(r"/^\/v1\/x$/ AND y", Some((11, "^/v1/x$")));
        check(r"/\d+/)", Some((5, r"\d+")));
        check("/(a|b)/", Some((7, "(a|b)")));
        check("/a|b/", None);
        check("/$batch/", None);
        check("/x{id}/", None);
        check("/ OR service.name:(x) OR path:/", None);
        check("/v1/orders", None);
        check("/health/", None);
        check("/v1/*", None);
        check("/(a/b)/", None);
        check(r"/a\", None);
        check("/[a", None);
        check("a/[b]/", None);
    }

    #[test]
    fn a_pattern_ends_where_its_query_goes_on() {
        let check = |text: &str, expected: &str| {
            assert_eq!(text.get(..bare_length(text)), Some(expected), "{text}");
        };
        check("^/v1 AND x", "^/v1");
        check("^/v1)OR(path:~^/cp)", "^/v1");
        check("(a|b))", "(a|b)");
        check(r"\(c)", r"\(c");
        check("b[(]c)", "b[(]c");
    }

    #[test]
    fn patterns_are_bounded() {
        assert!(Pattern::new("ord_[0-9]{5}$").is_ok_and(|pattern| pattern.fits("x ord_12345")));
        for bad in [
            "",
            "(",
            r"(\w{100}){100}",
            &"(".repeat(40),
            &"x".repeat(1_001),
        ] {
            assert!(Pattern::new(bad).is_err(), "{bad}");
        }
    }
}
