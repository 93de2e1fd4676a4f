//! Places of secrets in one text, and how overlapping finds become one.

use std::ops::Range;

use super::effort::Effort;

/// How far behind a name its secret may begin: a name that ends a find (`password=` at the end of a line, before
/// `api_key: …`) may be that of a secret behind it.
const NAME_REACH: usize = 96;

/// Shortest match of which it counts how often it is refused.
const REFUSED_LONG: usize = 256;
/// Most refused matches of one rule, each over the one before.
const REFUSED_MAX: u32 = 64;
/// Looks of rules after which the time is asked for.
const LOOKS: u32 = 256;

/// One find: the bytes that go, and the bytes among them that are tagged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// What is replaced.
    pub(super) place: Range<usize>,
    /// What is tagged, in the same coordinates; after [`Spans::settle`] inside `place`.
    pub(super) secret: Range<usize>,
    /// What is tagged where it does not stand in the text as it is (found under base64).
    pub(super) decoded: Option<Vec<u8>>,
    /// The rule's name.
    pub(super) rule: &'static str,
    /// How specific the rule is: where finds overlap, the higher gives its name.
    pub(super) rank: Rank,
}

/// How much a rule knows of what it found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// It stood behind a word.
    Context,
    /// It has a shape that many secrets share.
    Shape,
    /// It is a known kind.
    Known,
}

/// The finds in one text. Holds no memory until there is one.
#[derive(Debug, Default)]
pub(super) struct Spans {
    found: Vec<Span>,
    overflowed: bool,
    max: usize,
    /// By rule, the end of the last long match that was refused and how many before it overlapped.
    refused: Vec<(usize, usize, u32)>,
    /// Looks of rules so far.
    looks: u32,
    effort: Effort,
}

impl Spans {
    /// At most `max` finds; one more marks the text as overflowed.
    pub(super) fn new(max: usize) -> Self {
        Self::timed(max, Effort::default())
    }

    /// The same, for a search that also ends when it has gone on for too long.
    pub(super) fn timed(max: usize, effort: Effort) -> Self {
        Self {
            found: Vec::new(),
            overflowed: false,
            max,
            refused: Vec::new(),
            looks: 0,
            effort,
        }
    }

    /// None yet, within the same bounds: of a text that is encoded in this one.
    pub(super) fn inner(&self) -> Self {
        Self {
            looks: self.looks,
            ..Self::timed(self.max, self.effort)
        }
    }

    /// Notes a match of a rule that is no secret by its check. Long matches over each other, again and again, are a
    /// text made to be slow: then the answer is yes, and the match goes as if it were one.
    pub(super) fn is_refused_too_often(&mut self, rule: usize, found: Range<usize>) -> bool {
        if found.len() < REFUSED_LONG {
            return false;
        }
        let known = self.refused.iter_mut().find(|(known, ..)| *known == rule);
        let Some((_, end, count)) = known else {
            self.refused.push((rule, found.end, 0));
            return false;
        };
        *count = if found.start < *end { *count + 1 } else { 0 };
        *end = found.end;
        *count > REFUSED_MAX
    }

    /// Counts the look of a rule; says whether any more is in vain, as the text overflowed.
    pub(super) fn is_spent(&mut self) -> bool {
        self.looks = self.looks.wrapping_add(1);
        if self.looks.is_multiple_of(LOOKS) && self.effort.is_over() {
            self.overflowed = true;
        }
        self.overflowed
    }

    /// Adds a find.
    pub(super) fn push(&mut self, place: Range<usize>, rule: &'static str, rank: Rank) {
        self.push_span(Span {
            secret: place.clone(),
            place,
            decoded: None,
            rule,
            rank,
        });
    }

    /// Adds a find whose tagged part is not all of it.
    pub(super) fn push_span(&mut self, span: Span) {
        if span.place.is_empty() {
            return;
        }
        if self.found.last() == Some(&span) {
            return;
        }
        if self.found.len() >= self.max {
            self.overflowed = true;
            return;
        }
        self.found.push(span);
    }

    /// Whether one of the last finds covers `at` and what stands behind it at least as specifically. Only the last few
    /// are asked, which is enough to make repeated keywords inside one secret cost little.
    pub(super) fn covers(&self, at: usize, rank: Rank) -> bool {
        self.found.iter().rev().take(4).any(|span| {
            // A known kind is no name of something else.
            let reach = match span.rank {
                Rank::Context => NAME_REACH,
                Rank::Shape | Rank::Known => 1,
            };
            span.rank >= rank && span.place.start <= at && at + reach <= span.place.end
        })
    }

    /// Whether there were more finds than may be replaced one by one.
    pub(super) fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// Whether nothing was found.
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Takes over what the search of an encoded part took.
    pub(super) fn go_on_from(&mut self, inner: &Self) {
        self.looks = inner.looks;
        self.overflowed |= inner.overflowed;
    }

    /// In order, without overlaps, on character boundaries.
    pub(super) fn settle(mut self, text: &[u8]) -> Vec<Span> {
        if self.found.is_empty() {
            return self.found;
        }
        for span in &mut self.found {
            span.place = whole_characters(text, &span.place);
        }
        self.found.sort_by_key(|span| span.place.start);
        let mut settled: Vec<Span> = Vec::with_capacity(self.found.len());
        for span in self.found {
            match settled.last_mut() {
                Some(last) if span.place.start < last.place.end => {
                    let end = last.place.end.max(span.place.end);
                    if span.rank > last.rank {
                        let start = last.place.start;
                        *last = span;
                        last.place.start = start;
                    }
                    last.place.end = end;
                }
                _ => settled.push(span),
            }
        }
        settled
    }
}

/// What of settled finds lies outside of these tags. A find that goes on behind a tag is tagged there: a
/// tag somebody wrote before a secret does not hide it. What is left without a letter or digit stays.
pub(super) fn outside(found: Vec<Span>, tags: &[Range<usize>], text: &[u8]) -> Vec<Span> {
    let mut left = Vec::with_capacity(found.len());
    for span in found {
        match pieces(&span.place, tags, text) {
            None => left.push(span),
            Some(pieces) => left.extend(pieces.map(|piece| Span {
                place: piece.clone(),
                secret: piece,
                decoded: None,
                ..span
            })),
        }
    }
    left
}

/// What of a place lies outside of these tags and says something; `None` where it touches none.
pub(super) fn pieces<'t>(
    place: &Range<usize>,
    tags: &[Range<usize>],
    text: &'t [u8],
) -> Option<impl Iterator<Item = Range<usize>> + 't> {
    let touching = tags
        .iter()
        .filter(|tag| place.start < tag.end && tag.start < place.end);
    let mut start = place.start;
    let mut pieces = Vec::new();
    for tag in touching {
        pieces.push(start..tag.start.max(start));
        start = tag.end;
    }
    if pieces.is_empty() {
        return None;
    }
    pieces.push(start..place.end.max(start));
    let says = |piece: &Range<usize>| {
        let bytes = text.get(piece.clone()).unwrap_or_default();
        bytes
            .iter()
            .any(|b| b.is_ascii_alphanumeric() || *b >= 0x80)
    };
    Some(pieces.into_iter().filter(says))
}

/// A place that halves no character.
pub(super) fn whole_characters(text: &[u8], place: &Range<usize>) -> Range<usize> {
    let is_inside = |at: usize| text.get(at).is_some_and(|b| b & 0xC0 == 0x80);
    let mut start = place.start;
    while start > 0 && is_inside(start) {
        start -= 1;
    }
    let mut end = place.end.min(text.len());
    while is_inside(end) {
        end += 1;
    }
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_finds_become_one_named_by_the_more_specific() {
        let text = b"token=ghp_abc!!";
        let mut spans = Spans::new(10);
        spans.push(6..15, "token", Rank::Context);
        spans.push(6..13, "github-token", Rank::Known);
        let settled = spans.settle(text);
        assert_eq!(settled.len(), 1);
        assert_eq!(settled[0].place, 6..15);
        assert_eq!(settled[0].secret, 6..13);
        assert_eq!(settled[0].rule, "github-token");
    }

    #[test]
    fn what_stands_in_a_tag_stays_and_what_goes_on_behind_it_does_not() {
        let text = b"a=[R:cvv:ab2c]hunter2 b=secret";
        let tag = 2..14;
        let check = |place: Range<usize>, expected: &[(usize, usize)]| {
            let mut spans = Spans::new(10);
            spans.push(place, "token", Rank::Known);
            let left = outside(spans.settle(text), std::slice::from_ref(&tag), text);
            let places = left.iter().map(|span| (span.place.start, span.place.end));
            assert_eq!(places.collect::<Vec<_>>(), expected);
        };
        check(2..14, &[]);
        check(3..13, &[]);
        check(2..21, &[(14, 21)]);
        check(5..21, &[(14, 21)]);
        check(0..21, &[(0, 2), (14, 21)]);
        // Punctuation is no secret.
        check(1..14, &[]);
        check(24..30, &[(24, 30)]);
    }

    #[test]
    fn a_find_takes_whole_characters() {
        let text = "pw=päß".as_bytes();
        let mut spans = Spans::new(10);
        spans.push(5..7, "token", Rank::Known);
        assert_eq!(spans.settle(text)[0].place, 4..8);
    }

    #[test]
    fn one_find_too_many_is_an_overflow() {
        let mut spans = Spans::new(1);
        spans.push(0..1, "token", Rank::Known);
        assert!(!spans.overflowed());
        spans.push(2..3, "token", Rank::Known);
        assert!(spans.overflowed());
    }
}
