//! What hides in a value under escapes, percent and base64: the operator's rules are tried on what they say too.

use std::ops::Range;

use super::super::Redactor;
use super::super::{decoded, encoding, escapes, spans};
use super::Own;
use super::find::{Found, How};

/// More finds than may be replaced one by one.
pub(super) struct TooMany;

impl Own {
    /// Every find in a text and in what is encoded in it, in order, without overlaps.
    pub(super) fn places<'o>(
        &'o self,
        redactor: &Redactor,
        path: Option<&str>,
        text: &[u8],
        layer: usize,
    ) -> Result<Vec<Found<'o>>, TooMany> {
        let mut found = self.plain(redactor, path, text)?;
        if layer < decoded::LAYERS {
            self.undone(redactor, path, text, layer, &mut found)?;
            if text.len() >= decoded::RUN_MIN {
                self.base64(redactor, path, text, layer, &mut found)?;
            }
        }
        Ok(settle(found))
    }

    /// Searches the text with its escapes and `%XX` undone and brings the finds back.
    fn undone<'o>(
        &'o self,
        redactor: &Redactor,
        path: Option<&str>,
        text: &[u8],
        layer: usize,
        found: &mut Vec<Found<'o>>,
    ) -> Result<(), TooMany> {
        let Some(undone) = Undone::of(text) else {
            return Ok(());
        };
        for mut find in self.places(redactor, path, &undone.plain, layer + 1)? {
            let plain = undone.plain.get(find.place.clone());
            find.say(plain.unwrap_or_default());
            find.place = undone.place(find.place.start)..undone.place(find.place.end);
            found.push(find);
        }
        Ok(())
    }

    /// Decodes long runs of base64 or hex; one in which something is found goes whole, by the first find.
    fn base64<'o>(
        &'o self,
        redactor: &Redactor,
        path: Option<&str>,
        text: &[u8],
        layer: usize,
        found: &mut Vec<Found<'o>>,
    ) -> Result<(), TooMany> {
        for run in decoded::runs(text) {
            for (place, plain) in decoded::texts(text, &run) {
                let inner = self.places(redactor, path, &plain, layer + 1)?;
                let Some(mut first) = inner.into_iter().next() else {
                    continue;
                };
                first.say(plain.get(first.place.clone()).unwrap_or_default());
                first.place = place;
                found.push(first);
                break;
            }
        }
        Ok(())
    }
}

/// Of finds that overlap one is left, over all their bytes: the first, of those the longest; but one that drops the
/// field before others.
pub(super) fn settle(mut found: Vec<Found<'_>>) -> Vec<Found<'_>> {
    found.sort_by_key(|find| (find.place.start, usize::MAX - find.place.end));
    let mut settled: Vec<Found<'_>> = Vec::with_capacity(found.len());
    for mut find in found {
        match settled.last_mut() {
            Some(last) if find.place.start < last.place.end => {
                let place = last.place.start..last.place.end.max(find.place.end);
                if matches!(find.how, How::Drop) {
                    std::mem::swap(last, &mut find);
                }
                last.place = place;
            }
            _ => settled.push(find),
        }
    }
    settled
}

/// A text with its JSON escapes and its `%XX` undone once.
struct Undone {
    plain: Vec<u8>,
    /// Behind each byte that was written otherwise: the place in the plain text and that in the written one.
    steps: Vec<(usize, usize)>,
}

impl Undone {
    /// `None` where nothing changes.
    fn of(text: &[u8]) -> Option<Self> {
        memchr::memchr2(b'\\', b'%', text)?;
        let mut plain = Vec::with_capacity(text.len());
        let mut steps = Vec::new();
        let mut at = 0;
        while let Some(byte) = text.get(at) {
            let width = match byte {
                b'\\' => escaped(text.get(at + 1..).unwrap_or_default(), &mut plain),
                _ => encoding::percent_byte(text, at).map_or(1, |(byte, width)| {
                    plain.push(byte);
                    width
                }),
            };
            at += width;
            if width > 1 {
                steps.push((plain.len(), at));
            }
        }
        (!steps.is_empty()).then_some(Self { plain, steps })
    }

    /// Where a place of the plain text is in the written one.
    fn place(&self, plain: usize) -> usize {
        let behind = self.steps.partition_point(|(at, _)| *at <= plain);
        let step = behind.checked_sub(1).and_then(|step| self.steps.get(step));
        let (at, written) = step.copied().unwrap_or_default();
        written + (plain - at)
    }
}

/// What stands behind a backslash, undone; how many bytes write it. A backslash that escapes nothing is itself.
fn escaped(rest: &[u8], plain: &mut Vec<u8>) -> usize {
    let is_escape = match rest {
        [b'u', digits @ ..] => digits
            .get(..4)
            .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)),
        [escape, ..] => b"\"\\/bfnrt".contains(escape),
        [] => false,
    };
    if !is_escape {
        plain.push(b'\\');
        return 1;
    }
    1 + rest.len() - escapes::one(rest, plain).len()
}

/// A find in a text that may hold tags of ours: what of it is outside of these.
pub(super) fn outside<'o>(
    found: Vec<Found<'o>>,
    tags: &[Range<usize>],
    text: &[u8],
) -> Vec<Found<'o>> {
    let mut left = Vec::with_capacity(found.len());
    for find in found {
        match spans::pieces(&find.place, tags, text) {
            None => left.push(find),
            Some(pieces) => left.extend(pieces.map(|place| Found {
                place,
                id: find.id,
                how: find.how,
                said: None,
            })),
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_lead_back_to_what_was_written() {
        let check = |written: &str, plain: &str, expected: &[(usize, usize)]| {
            let undone = Undone::of(written.as_bytes()).unwrap();
            assert_eq!(String::from_utf8_lossy(&undone.plain), plain);
            for (plain, at) in expected {
                assert_eq!(undone.place(*plain), *at, "{written} {plain}");
            }
        };
        check(
            r"a\u0062c%64e",
            "abcde",
            &[(0, 0), (1, 1), (2, 7), (3, 8), (4, 11), (5, 12)],
        );
        check(
            r"\u00e9\ud83d\ude00x",
            "é😀x",
            &[(0, 0), (2, 6), (6, 18), (7, 19)],
        );
        check(r"\n%0a", "\n\n", &[(0, 0), (1, 2), (2, 5)]);
        for written in ["plain", "100 %", r"C:\users\kim", "\\", "%4"] {
            assert!(Undone::of(written.as_bytes()).is_none(), "{written}");
        }
    }
}
