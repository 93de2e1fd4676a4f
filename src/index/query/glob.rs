//! Patterns with `*` and `?`, whole value, any case.

use super::super::text::{fold_char, is_word_char, tokens};

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// This character, folded.
    Char(char),
    /// `?`: any one character.
    One,
    /// `*`: any number of characters.
    Any,
}

/// A pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::index) struct Glob(Vec<Piece>);

impl Glob {
    /// From characters and whether each was escaped (an escaped one stands for itself).
    pub(super) fn new(text: &[(char, bool)]) -> Self {
        let mut pieces = Vec::with_capacity(text.len());
        for (c, is_escaped) in text {
            let piece = match c {
                '*' if !is_escaped => Piece::Any,
                '?' if !is_escaped => Piece::One,
                c => Piece::Char(fold_char(*c)),
            };
            if piece != Piece::Any || pieces.last() != Some(&Piece::Any) {
                pieces.push(piece);
            }
        }
        Self(pieces)
    }

    /// Whether the whole text fits; time is bounded by pattern length × text length.
    pub(in crate::index) fn matches(&self, text: &str) -> bool {
        let mut text = text.chars();
        let mut at = 0;
        // Where to go on behind the last `*` when it has to take one more character.
        let mut retry: Option<(usize, std::str::Chars<'_>)> = None;
        loop {
            let piece = self.0.get(at);
            if piece == Some(&Piece::Any) {
                at += 1;
                retry = Some((at, text.clone()));
                continue;
            }
            let mut ahead = text.clone();
            let is_step = match (piece, ahead.next()) {
                (None, None) => return true,
                (Some(_), None) => return false,
                (Some(Piece::One), Some(_)) => true,
                (Some(Piece::Char(wanted)), Some(c)) => *wanted == fold_char(c),
                (None | Some(Piece::Any), Some(_)) => false,
            };
            if is_step {
                text = ahead;
                at += 1;
                continue;
            }
            let Some((behind, rest)) = retry.as_mut() else {
                return false;
            };
            if rest.next().is_none() {
                return false;
            }
            at = *behind;
            text = rest.clone();
        }
    }

    /// What every match starts with, folded.
    pub(in crate::index) fn prefix(&self) -> String {
        self.0
            .iter()
            .map_while(|piece| match piece {
                Piece::Char(c) => Some(*c),
                Piece::One | Piece::Any => None,
            })
            .collect()
    }

    /// Tokens that every text this pattern fits must hold whole: those that end at a character that is no part of tokens,
    /// or at an end of the pattern, on both sides.
    pub(in crate::index) fn whole_tokens(&self) -> Vec<String> {
        let mut all = Vec::new();
        let mut run = String::new();
        let mut is_open = false;
        for piece in &self.0 {
            match piece {
                Piece::Char(c) if is_word_char(*c) => run.push(*c),
                Piece::Char(_) => {
                    if !run.is_empty() && !is_open {
                        all.push(std::mem::take(&mut run));
                    }
                    run.clear();
                    is_open = false;
                }
                Piece::One | Piece::Any => {
                    run.clear();
                    is_open = true;
                }
            }
        }
        if !run.is_empty() && !is_open {
            all.push(run);
        }
        // Each run is one token, folded and cut as the index does.
        all.iter()
            .flat_map(|run| tokens(run))
            .map(|token| token.text)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(text: &str) -> Glob {
        Glob::new(&text.chars().map(|c| (c, false)).collect::<Vec<_>>())
    }

    #[test]
    fn patterns_fit_whole_values_in_any_case() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*", "A", true),
            ("a*", "ba", false),
            ("*a", "ba", true),
            ("/api/*/x", "/API/v1/y/x", true),
            ("/api/*/x", "/api/x", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("?", "é", true),
            ("*é*", "caFÉ!", true),
            ("", "", true),
            ("", "a", false),
            ("*a*b*c*", "xxaxxbxxcxx", true),
            ("*a*b*c*", "xxaxxcxxbxx", false),
        ] {
            assert_eq!(glob(pattern).matches(text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_stay_cheap() {
        let pattern = glob(&"*a".repeat(100));
        assert!(!pattern.matches(&"b".repeat(10_000)));
        assert!(!pattern.matches(&format!("{}b", "a".repeat(10_000))));
    }

    #[test]
    fn whole_tokens_are_certain() {
        assert_eq!(glob("/v1/orders/*").whole_tokens(), ["v1", "orders"]);
        assert_eq!(glob("*timeout*").whole_tokens(), Vec::<String>::new());
        assert_eq!(glob("a b*").whole_tokens(), ["a"]);
        assert_eq!(glob("x?/Y").whole_tokens(), ["y"]);
    }
}
