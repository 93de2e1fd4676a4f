//! How long one value may be searched. Searching takes as long as the value is, so that only a long one made to be
//! slow, or many rules of the operator's own, ever come near the limit.

use std::time::Duration;

use crate::clock::Stopwatch;

/// Shortest text whose search is timed: of a shorter one it ends long before any limit.
const TIMED_BYTES_MIN: usize = 64 << 10;

/// The search of one value, with all that is encoded in it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Effort {
    since: Option<Stopwatch>,
    max: Duration,
    /// Encodings undone so far.
    pub(super) layer: usize,
}

impl Effort {
    /// The search of this text begins.
    pub(super) fn begin(text: &[u8], max: Duration) -> Self {
        Self {
            since: (text.len() >= TIMED_BYTES_MIN).then(Stopwatch::start),
            max,
            layer: 0,
        }
    }

    /// It goes on in what is encoded.
    pub(super) fn below(self) -> Self {
        Self {
            layer: self.layer + 1,
            ..self
        }
    }

    /// Whether it has gone on for too long.
    pub(super) fn is_over(&self) -> bool {
        self.since.is_some_and(|since| since.elapsed() >= self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::short;
    use super::super::{Options, Own, Redactor, TagKey};
    use super::*;

    /// Redacts by these options with no time at all.
    fn check(options: &str, text: &str, expected: &str) {
        let mut options: Options = toml::from_str(options).unwrap();
        options.value_ms_max = 0;
        let own = Own::new(&options).unwrap();
        let redactor = Redactor::new(options, TagKey::from_bytes(&[7; 32]));
        redactor.take_over(own);
        assert_eq!(short(&redactor.redact_text(text)), expected);
    }

    #[test]
    fn a_long_value_that_takes_too_long_goes_whole() {
        let slow = "eyJ ".repeat(TIMED_BYTES_MIN / 4);
        check("", &slow, "[oversize]");
        // Short of the limit, and with nothing for a rule to look at.
        let short = "eyJ ".repeat(TIMED_BYTES_MIN / 4 - 1);
        check("", &short, &short);
        let clean = "a, ".repeat(TIMED_BYTES_MIN);
        check("", &clean, &clean);
        let rule = "[[rules]]\nid = \"staff\"\nregex = 'staff-[0-9]{4}'\nkeywords = [\"staff-\"]";
        check(rule, &format!("staff-1234 {clean}"), "[oversize]");
        check(rule, "staff-1234 x", "[staff] x");
        // Under an encoding too.
        let percent = "%65yJ ".repeat(TIMED_BYTES_MIN / 4);
        check("", &percent, "[oversize]");
    }
}
