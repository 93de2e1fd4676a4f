use super::*;
use crate::redact::tests::redactor;

/// A small generator, the same numbers on every run.
pub(in crate::redact) struct Numbers(pub(in crate::redact) u64);

impl Numbers {
    pub(in crate::redact) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 20).unwrap() % limit
    }
}

fn alphabet(name: u8) -> &'static [u8] {
    match name {
        b'A' => b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789",
        b'a' => b"abcdefghijklmnopqrstuvwxyz23456789",
        b'U' => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
        b'h' => b"0123456789abcdef",
        b'H' => b"0123456789ABCDEF",
        b'd' => b"123456789",
        b'w' => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-",
        b'b' => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
        _ => panic!("no such alphabet"),
    }
}

/// The text of an example and the random pieces in it.
pub(in crate::redact) fn expand(example: &str, numbers: &mut Numbers) -> (String, Vec<String>) {
    let mut text = String::new();
    let mut pieces = Vec::new();
    let mut rest = example;
    while let Some((before, tail)) = rest.split_once('<') {
        let hole = tail.split_once('>').map(|(hole, _)| hole);
        let length = hole.and_then(|hole| hole.get(1..)?.parse::<usize>().ok());
        text.push_str(before);
        let (Some(hole), Some(length)) = (hole, length) else {
            text.push('<');
            rest = tail;
            continue;
        };
        let letters = alphabet(hole.as_bytes()[0]);
        // Begins with a letter, a digit and ends with neither a dash nor the like, as real tokens mostly do.
        let piece: String = (0..length)
            .map(|at| {
                loop {
                    let byte = letters[numbers.below(letters.len())];
                    let is_edge = at == 0 || at + 1 == length;
                    let wanted = if at == 1 || at == 4 {
                        byte.is_ascii_digit() || !letters.contains(&b'2')
                    } else {
                        true
                    };
                    if wanted && (!is_edge || byte.is_ascii_alphanumeric()) {
                        break char::from(byte);
                    }
                }
            })
            .collect();
        text.push_str(&piece);
        pieces.push(piece);
        rest = tail.split_once('>').unwrap().1;
    }
    text.push_str(rest);
    (text, pieces)
}

#[test]
fn every_example_is_redacted() {
    let redactor = redactor();
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    let mut failures = Vec::new();
    for rule in all() {
        for example in rule.hits {
            for _ in 0..5 {
                let (text, pieces) = expand(example, &mut numbers);
                let clean = redactor.redact_text(&text);
                // What is left of a piece too short to be the secret itself says nothing.
                if pieces
                    .iter()
                    .any(|piece| piece.len() >= 6 && clean.contains(piece.as_str()))
                {
                    failures.push(format!("{}: {text} -> {clean}", rule.id));
                    break;
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_counterexample_is_left_alone() {
    let redactor = redactor();
    let mut failures = Vec::new();
    for rule in all() {
        for text in rule.misses {
            let clean = redactor.redact_text(text);
            if clean != *text {
                failures.push(format!("{}: {text} -> {clean}", rule.id));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_row_is_well_formed() {
    let mut seen = std::collections::BTreeSet::new();
    for rule in all() {
        assert!(seen.insert(rule.id), "{} twice", rule.id);
        assert!(is_known(rule.id.as_bytes()));
        assert!(!rule.keywords.is_empty(), "{}", rule.id);
        for keyword in rule.keywords {
            assert!(keyword.len() >= 3, "{}: {keyword}", rule.id);
            assert_eq!(*keyword, keyword.to_ascii_lowercase(), "{}", rule.id);
        }
        let (Find::Head(regex) | Find::Around(_, regex)) = rule.find else {
            continue;
        };
        let built = regex::bytes::RegexBuilder::new(regex)
            .unicode(false)
            .build();
        assert!(built.is_ok(), "{}: {built:?}", rule.id);
        assert!(!rule.hits.is_empty(), "{} has no example", rule.id);
    }
    assert!(seen.len() >= 150, "{}", seen.len());
}
