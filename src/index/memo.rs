//! The tokens of texts that come again and again: user agents, versions, sentences that services repeat.

use std::hash::BuildHasher;

/// Texts remembered at most; a power of two.
const TEXTS: usize = 8_192;
/// Longest text remembered.
const TEXT_BYTES_MAX: usize = 256;

/// A token of a text.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    /// The list of a word.
    Word(usize),
    /// The hash of what is like an id.
    Id(u64),
}

/// Remembers texts by a hash: each has one place, where it stands until another of the same place has come twice. A
/// text is remembered when it comes for the second time, so that what never comes again costs and displaces nothing.
#[derive(Debug)]
pub(super) struct Memo {
    known: Vec<Option<Known>>,
    /// By place, hashes of the texts that were not remembered when they came last.
    seen: Vec<u64>,
    seed: foldhash::fast::RandomState,
}

#[derive(Debug)]
struct Known {
    hash: u64,
    text: Box<str>,
    parts: Box<[Part]>,
}

impl Default for Memo {
    fn default() -> Self {
        Self {
            known: std::iter::repeat_with(|| None).take(TEXTS).collect(),
            seen: vec![0; TEXTS],
            seed: foldhash::fast::RandomState::default(),
        }
    }
}

impl Memo {
    /// The hash other calls ask for.
    pub(super) fn hash(&self, text: &str) -> u64 {
        self.seed.hash_one(text.as_bytes())
    }

    /// The tokens of a text, where they are known.
    pub(super) fn get(&self, hash: u64, text: &str) -> Option<&[Part]> {
        let known = self.known.get(place(hash))?.as_ref()?;
        (known.hash == hash && *known.text == *text).then_some(&known.parts)
    }

    /// Takes notice of a text that was not known, and of its tokens.
    pub(super) fn put(&mut self, hash: u64, text: &str, parts: &[Part]) {
        let Some(seen) = self.seen.get_mut(place(hash)) else {
            return;
        };
        if *seen != hash {
            *seen = hash;
        } else if text.len() <= TEXT_BYTES_MAX
            && let Some(known) = self.known.get_mut(place(hash))
        {
            *known = Some(Known {
                hash,
                text: text.into(),
                parts: parts.into(),
            });
        }
    }
}

fn place(hash: u64) -> usize {
    usize::try_from(hash).unwrap_or(0) % TEXTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_twice_is_known_and_stays() {
        let mut memo = Memo::default();
        let put = |memo: &mut Memo, text: &str| {
            let hash = memo.hash(text);
            memo.put(hash, text, &[Part::Word(text.len())]);
        };
        let has = |memo: &Memo, text: &str| memo.get(memo.hash(text), text).is_some();
        put(&mut memo, "once");
        assert!(!has(&memo, "once"));
        put(&mut memo, "twice");
        put(&mut memo, "twice");
        assert!(has(&memo, "twice"));
        for other in 0..4 * TEXTS {
            put(&mut memo, &other.to_string());
        }
        assert!(has(&memo, "twice"));
        let long = "x".repeat(TEXT_BYTES_MAX + 1);
        put(&mut memo, &long);
        put(&mut memo, &long);
        assert!(!has(&memo, &long));
    }
}
