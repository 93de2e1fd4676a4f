//! Where keywords may begin: asked of every value, before the automaton is.

/// Which bytes may begin a keyword. Three tables, each asked of what passed the one before: a byte for each hash of
/// three bytes without case, small enough for the fastest cache, which the automaton (a megabyte) is not; a bit for
/// each longer hash of three; and one for each of four. Few places of a clean text pass.
pub(super) struct Gate {
    coarse: Box<[u8; COARSE]>,
    three: Box<Bits>,
    four: Box<Bits>,
}

/// Bytes of the coarsest table.
const COARSE: usize = 1 << 14;

type Bits = [u64; 1024];

/// Places asked at once: those of eight bytes that have two behind them.
const GROUP: usize = 6;

impl Gate {
    pub(super) fn new(keywords: &[&str]) -> Self {
        let mut gate = Self {
            coarse: Box::new([0; COARSE]),
            three: Box::new([0; 1024]),
            four: Box::new([0; 1024]),
        };
        for keyword in keywords {
            let head = Self::head(keyword.as_bytes());
            if let Some(row) = gate.coarse.get_mut(Self::row(head)) {
                *row = u8::MAX;
            }
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
        if let Some(head) = text.first_chunk() {
            return Self::fold(*head);
        }
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

    fn row(head: u32) -> usize {
        usize::try_from(Self::three(head) >> 18).unwrap_or(0)
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
        let mut at = 0;
        while let Some(bytes) = text.get(at..).and_then(<[u8]>::first_chunk) {
            let mut found = self.found(*bytes);
            while found != 0 {
                let start = at + found.trailing_zeros() as usize;
                found &= found - 1;
                if self.opens(text, start) {
                    each(start);
                }
            }
            at += GROUP;
        }
        // What is left has fewer bytes: the last eight of the text, or all of a short one and spaces.
        let from = text.len().saturating_sub(8);
        let last = text.last_chunk().copied().unwrap_or_else(|| {
            let mut bytes = [b' '; 8];
            let both = bytes.iter_mut().zip(text);
            both.for_each(|(to, byte)| *to = *byte);
            bytes
        });
        let mut found = self.found(last) >> (at - from);
        while found != 0 {
            let start = at + found.trailing_zeros() as usize;
            found &= found - 1;
            if start + 3 <= text.len() && self.opens(text, start) {
                each(start);
            }
        }
    }

    /// Where among the first six of eight bytes a keyword may begin, a bit for each. All are asked, which takes less
    /// than to branch on each.
    fn found(&self, bytes: [u8; 8]) -> u8 {
        let bytes = u64::from_le_bytes(bytes) | 0x2020_2020_2020_2020;
        let mut found = 0;
        for place in 0..GROUP {
            #[expect(clippy::cast_possible_truncation, reason = "the first three tell")]
            let head = (bytes >> (8 * place)) as u32;
            let bits = self.coarse.get(Self::row(head));
            found |= bits.copied().unwrap_or_default() & (1 << place);
        }
        found
    }

    /// Whether no keyword begins anywhere in a text.
    pub(super) fn is_shut(&self, text: &[u8]) -> bool {
        let mut is_shut = true;
        self.starts(text, |_| is_shut = false);
        is_shut
    }

    fn opens(&self, text: &[u8], at: usize) -> bool {
        let head = Self::head(text.get(at..).unwrap_or_default());
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
