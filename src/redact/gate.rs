//! Where keywords may begin: asked of every value, before the automaton is.

/// Which bytes may begin a keyword: one bit for each hash of three bytes without case, and one for each of four, asked
/// second. 8 KiB each, so they stay in the fastest caches, which the automaton (a megabyte) does not; few places of
/// a clean text pass.
pub(super) struct Gate {
    three: Box<Bits>,
    four: Box<Bits>,
}

type Bits = [u64; 1024];

impl Gate {
    pub(super) fn new(keywords: &[&str]) -> Self {
        let mut gate = Self {
            three: Box::new([0; 1024]),
            four: Box::new([0; 1024]),
        };
        for keyword in keywords {
            let head = Self::head(keyword.as_bytes());
            Self::set(&mut gate.three, Self::three(head));
            // Anything may follow a keyword of three bytes.
            let last = if keyword.len() == 3 { 0..=255 } else { 0..=0 };
            for last in last {
                Self::set(&mut gate.four, Self::four(head | last << 24));
            }
        }
        gate
    }

    /// Four bytes without case: the bit that tells a letter's case is set in all. Few others fall together by it.
    fn fold(bytes: [u8; 4]) -> u32 {
        u32::from_le_bytes(bytes) | 0x2020_2020
    }

    /// The first four bytes; behind the end stands a space.
    fn head(text: &[u8]) -> u32 {
        let mut head = [0; 4];
        for (to, byte) in head.iter_mut().zip(text) {
            *to = *byte;
        }
        Self::fold(head)
    }

    /// The hash of the first three bytes: the multiplier's zeros put the fourth out.
    fn three(head: u32) -> u32 {
        head.wrapping_mul(0x3779_b100)
    }

    fn four(head: u32) -> u32 {
        head.wrapping_mul(0x9e37_79b1)
    }

    fn set(bits: &mut Bits, hash: u32) {
        let (word, bit) = Self::place(hash);
        if let Some(word) = bits.get_mut(word) {
            *word |= bit;
        }
    }

    fn place(hash: u32) -> (usize, u64) {
        let row = usize::try_from(hash >> 22).unwrap_or(0);
        (row, 1 << ((hash >> 16) & 63))
    }

    fn holds(bits: &Bits, hash: u32) -> bool {
        let (word, bit) = Self::place(hash);
        bits.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Calls for each place of a text where a keyword may begin, in order.
    pub(super) fn starts(&self, text: &[u8], mut each: impl FnMut(usize)) {
        for (at, bytes) in text.array_windows().enumerate() {
            if self.opens(Self::fold(*bytes)) {
                each(at);
            }
        }
        // A keyword of three bytes may stand at the end.
        if let Some(at) = text.len().checked_sub(3)
            && self.opens(Self::head(text.get(at..).unwrap_or_default()))
        {
            each(at);
        }
    }

    /// Whether no keyword begins anywhere in a text.
    pub(super) fn is_shut(&self, text: &[u8]) -> bool {
        let mut is_shut = true;
        self.starts(text, |_| is_shut = false);
        is_shut
    }

    fn opens(&self, head: u32) -> bool {
        Self::holds(&self.three, Self::three(head)) && Self::holds(&self.four, Self::four(head))
    }
}

#[cfg(test)]
mod tests {
    use super::super::rules;
    use super::*;

    #[test]
    fn no_keyword_is_missed_wherever_it_begins() {
        let keywords: Vec<&str> = rules::all()
            .flat_map(|rule| rule.keywords)
            .copied()
            .collect();
        let gate = Gate::new(&keywords);
        for keyword in keywords {
            for at in 0..5 {
                for rest in ["", "x", ".,", "\u{e4}"] {
                    let text = format!("{}{keyword}{rest}", "~".repeat(at));
                    for text in [text.to_ascii_uppercase(), text] {
                        let mut starts = Vec::new();
                        gate.starts(text.as_bytes(), |start| starts.push(start));
                        assert!(starts.contains(&at), "{text}");
                        assert!(starts.is_sorted() && !gate.is_shut(text.as_bytes()));
                    }
                }
            }
        }
    }

    #[test]
    fn clean_text_opens_nothing() {
        let gate = Gate::new(&["token", "://"]);
        let check = |text: &str, expected: &[usize]| {
            let mut starts = Vec::new();
            gate.starts(text.as_bytes(), |start| starts.push(start));
            assert_eq!(starts, expected, "{text}");
            assert_eq!(gate.is_shut(text.as_bytes()), expected.is_empty());
        };
        check("", &[]);
        check("a", &[]);
        check("GET /orders/17 200 in 12 ms", &[]);
        check("tokentoken ://", &[0, 5, 11]);
        check("://", &[0]);
    }
}
