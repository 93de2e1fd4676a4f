//! Numbers that are secrets by their digits: payment cards, IBANs, US social security numbers.

use std::cell::LazyCell;
use std::ops::Range;

use super::check;
use super::spans::{Rank, Spans};

/// Fewest digits of anything this file finds (a social security number).
const DIGITS_MIN: usize = 9;
/// Most digits of a card that hangs on a word by `_`: longer numbers there are counters of machines.
const GLUED_MAX: usize = 16;
/// Letters read of the word that a card hangs on.
const WORD_MAX: usize = 32;

/// Adds every card, IBAN and dashed social security number of a text.
///
/// The gate: any of them holds nine bytes in a row that are digits or separators, so it is enough
/// to look at every ninth byte and to read on where that one fits.
pub(super) fn find(text: &[u8], spans: &mut Spans) {
    let mut at = DIGITS_MIN - 1;
    while let Some(byte) = text.get(at) {
        if !is_part(*byte) {
            at += DIGITS_MIN;
            continue;
        }
        let (head, tail) = text.split_at_checked(at).unwrap_or((text, b""));
        let before = head.iter().rev().take_while(|b| is_part(**b)).count();
        let behind = tail.iter().take_while(|b| is_part(**b)).count();
        let run = at - before..at + behind;
        at = run.end + DIGITS_MIN;
        if run.len() >= DIGITS_MIN {
            look(text, run, spans);
        }
    }
}

/// Whether a bare number is a card.
pub(super) fn is_card_number(text: &[u8]) -> bool {
    check::is_card(text) && text.iter().all(u8::is_ascii_digit)
}

fn is_part(byte: u8) -> bool {
    #[expect(
        clippy::indexing_slicing,
        reason = "worked out by the compiler, which checks the bounds"
    )]
    // A table: asked of most bytes of most values.
    const IS: [bool; 256] = {
        let mut is = [false; 256];
        let mut byte = b'0';
        while byte <= b'9' {
            is[byte as usize] = true;
            byte += 1;
        }
        is[b' ' as usize] = true;
        is[b'-' as usize] = true;
        is[0xC2] = true;
        is[0xA0] = true;
        is
    };
    IS.get(usize::from(byte)).copied().unwrap_or(false)
}

fn look(text: &[u8], run: Range<usize>, spans: &mut Spans) {
    let digits = text
        .get(run.clone())
        .map_or(0, |run| run.iter().filter(|b| b.is_ascii_digit()).count());
    if digits < DIGITS_MIN - 1 {
        return;
    }
    if digits >= DIGITS_MIN {
        cards(text, run.clone(), spans);
        ssns(text, run.clone(), spans);
    }
    ibans(text, run, spans);
}

/// Cards within a run: from each start of a group of digits, the longest length that fits.
fn cards(text: &[u8], run: Range<usize>, spans: &mut Spans) {
    let mut at = run.start;
    while at < run.end {
        let is_digit = text.get(at).is_some_and(u8::is_ascii_digit);
        let is_inside = at > 0 && text.get(at - 1).is_some_and(u8::is_ascii_digit);
        let card = if is_digit && !is_inside && may_begin_card(text, at) {
            card_from(text, at, run.end)
        } else {
            None
        };
        if let Some(end) = card {
            spans.push(at..end, "card", Rank::Known);
        }
        at = card.unwrap_or(at + 1);
    }
}

/// Whether any card's number begins so (`check::is_card`): most numbers are done here.
fn may_begin_card(text: &[u8], at: usize) -> bool {
    match (text.get(at), text.get(at + 1)) {
        (Some(b'1'), Some(b'3'..=b'7' | b'9' | b'0' | b'1')) => false,
        (first, _) => matches!(first, Some(b'1'..=b'6')),
    }
}

fn card_from(text: &[u8], start: usize, limit: usize) -> Option<usize> {
    // A number that continues a word or a decimal is none: `blk_-16…`, `3.14…`, a UUID's tail.
    let before = start.checked_sub(1).and_then(|at| text.get(at)).copied();
    let further = start.checked_sub(2).and_then(|at| text.get(at)).copied();
    let continues = match before {
        None => false,
        Some(b'-') => further.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_'),
        Some(b'.') => further.is_some_and(|b| b.is_ascii_digit()),
        Some(b'_') => !hangs_on_word(text, start),
        Some(b) => b.is_ascii_alphanumeric(),
    };
    if continues {
        return None;
    }
    let mut digits = [0u8; 19];
    let (mut count, mut at, mut gap, mut groups) = (0usize, start, 0usize, 1usize);
    let mut best = None;
    while at < limit {
        let byte = *text.get(at)?;
        if byte.is_ascii_digit() {
            groups += usize::from(gap > 0);
            gap = 0;
            *digits.get_mut(count)? = byte;
            count += 1;
            at += 1;
            if groups > 7 {
                break;
            }
            let ends = match (text.get(at), text.get(at + 1)) {
                (Some(b'.'), Some(further)) => !further.is_ascii_digit(),
                (Some(b'_'), _) => count <= GLUED_MAX && word_follows(text, at + 1),
                (Some(b), _) => !b.is_ascii_alphanumeric(),
                (None, _) => true,
            };
            let fits = before != Some(b'_') || count <= GLUED_MAX;
            if ends
                && fits
                && count >= 13
                && check::is_card(digits.get(..count)?)
                && continues_not(text, at)
            {
                best = Some(at);
            }
            if count == digits.len() {
                break;
            }
        } else {
            // One separator between groups; a no-break space is two bytes.
            gap += 1;
            if gap > 2 || (gap == 2 && byte != 0xA0) {
                break;
            }
            at += 1;
        }
    }
    best
}

/// Whether a number behind `_` has a word before it (`id_41…`): at least two letters and nothing drawn. Blocks of
/// HDFS are numbered so, and one in fifty of their numbers looks like a card.
fn hangs_on_word(text: &[u8], start: usize) -> bool {
    let head = text.get(..start.saturating_sub(1)).unwrap_or_default();
    let head = head.get(head.len().saturating_sub(WORD_MAX)..);
    let mut words = head.unwrap_or_default().rsplit(|b| *b == b'_');
    let word = words.next().unwrap_or_default();
    let from = word.iter().rposition(|b| !b.is_ascii_alphanumeric());
    let word = word.get(from.map_or(0, |at| at + 1)..).unwrap_or_default();
    word.len() >= 2
        && word.iter().all(u8::is_ascii_alphabetic)
        && ![&b"blk"[..], b"block"]
            .iter()
            .any(|known| word.eq_ignore_ascii_case(known))
}

/// Whether a word of letters follows, as in `41…_old`.
fn word_follows(text: &[u8], at: usize) -> bool {
    let rest = text.get(at..).unwrap_or_default();
    let letters = rest.iter().take(WORD_MAX);
    let letters = letters.take_while(|b| b.is_ascii_alphabetic()).count();
    letters >= 2 && !rest.get(letters).is_some_and(u8::is_ascii_alphanumeric)
}

/// Whether no further group of digits or letters hangs on with a dash, as in a UUID.
fn continues_not(text: &[u8], at: usize) -> bool {
    !matches!((text.get(at), text.get(at + 1)), (Some(b'-'), Some(b)) if b.is_ascii_alphanumeric())
}

/// `ddd-dd-dddd`, not inside a longer number.
fn ssns(text: &[u8], run: Range<usize>, spans: &mut Spans) {
    let Some(numbers) = text.get(run.clone()) else {
        return;
    };
    let is_alone = LazyCell::new(|| is_alone(text, &run));
    for (offset, window) in numbers.windows(11).enumerate() {
        let [a, b, c, d1, e, f, d2, g, h, i, j] = window else {
            continue;
        };
        let is_parted = d1 == d2 && matches!(d1, b'-' | b' ');
        let is_number = is_parted
            && [a, b, c, e, f, g, h, i, j]
                .into_iter()
                .all(u8::is_ascii_digit);
        if !is_number || (*d1 == b' ' && !*is_alone) {
            continue;
        }
        let at = run.start + offset;
        let before = at.checked_sub(1).and_then(|at| text.get(at));
        let behind = text.get(at + 11);
        let is_joined = |b: Option<&u8>| {
            b.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'-' || *b == b'_')
        };
        if !is_joined(before)
            && !is_joined(behind)
            && check::is_ssn(&[*a, *b, *c], &[*e, *f], &[*g, *h, *i, *j])
        {
            spans.push(at..at + 11, "ssn", Rank::Known);
        }
    }
}

/// Whether a run is all there is, or a word for the number stands before it: three numbers with
/// room between them stand in many a log line.
fn is_alone(text: &[u8], run: &Range<usize>) -> bool {
    let before = text
        .get(run.start.saturating_sub(WORD_MAX)..run.start)
        .unwrap_or_default();
    run.len() == text.len() || announces_ssn(before) || is_no_count(text, run)
}

/// Whether a run is one number in three parts whose first begins with a zero, between words: nobody counts so.
fn is_no_count(text: &[u8], run: &Range<usize>) -> bool {
    let number = text.get(run.clone()).unwrap_or_default().trim_ascii();
    let is_word = |b: Option<&u8>| b.is_none_or(u8::is_ascii_alphabetic);
    number.len() == 11
        && number.first() == Some(&b'0')
        && is_word(run.start.checked_sub(1).and_then(|at| text.get(at)))
        && is_word(text.get(run.end))
}

/// `ssn` as a word (`userSSN`, `ssn_no`, `SSNs`, not `className`) or `social security`.
fn announces_ssn(before: &[u8]) -> bool {
    (0..before.len()).any(|at| {
        let (head, rest) = before.split_at_checked(at).unwrap_or_default();
        let begins = |word: &[u8]| {
            rest.get(..word.len())
                .is_some_and(|written| written.eq_ignore_ascii_case(word))
        };
        let is_new = match (head.last(), rest.first()) {
            (Some(last), Some(first)) if last.is_ascii_alphabetic() => {
                last.is_ascii_lowercase() && first.is_ascii_uppercase()
            }
            _ => true,
        };
        let is_over = match rest.get(2..) {
            Some([_, b's' | b'S', next, ..]) => !next.is_ascii_alphabetic(),
            Some([last, next, ..]) => {
                !next.is_ascii_alphabetic()
                    || last.is_ascii_lowercase() && next.is_ascii_uppercase()
            }
            _ => true,
        };
        is_new && is_over && begins(b"ssn")
            || [
                &b"social sec"[..],
                b"social_sec",
                b"social-sec",
                b"socialsec",
            ]
            .into_iter()
            .any(begins)
    })
}

/// IBANs that a run of digits is part of: two letters and two digits up to 24 bytes before it.
fn ibans(text: &[u8], run: Range<usize>, spans: &mut Spans) {
    let first = run.start.saturating_sub(24);
    // The letters are no part of the run.
    for at in first..run.start {
        let Some([a, b, c, d]) = text.get(at..).and_then(|rest| rest.first_chunk::<4>()) else {
            return;
        };
        let is_head = a.is_ascii_uppercase()
            && b.is_ascii_uppercase()
            && c.is_ascii_digit()
            && d.is_ascii_digit();
        let is_inside = at > 0 && text.get(at - 1).is_some_and(u8::is_ascii_alphanumeric);
        if !is_head || is_inside {
            continue;
        }
        if let Some(length) = check::iban_length(&[*a, *b])
            && let Some(end) = iban_from(text, at, length)
        {
            return spans.push(at..end, "iban", Rank::Known);
        }
    }
}

fn iban_from(text: &[u8], start: usize, length: usize) -> Option<usize> {
    let mut plain = [0u8; 34];
    let (mut count, mut at) = (0usize, start);
    while count < length {
        let byte = *text.get(at)?;
        if byte.is_ascii_alphanumeric() {
            *plain.get_mut(count)? = byte;
            count += 1;
        } else if !matches!(byte, b' ' | b'-') || count == 0 {
            return None;
        }
        at += 1;
    }
    let ends = !text.get(at).is_some_and(u8::is_ascii_alphanumeric);
    (ends && check::is_iban(plain.get(..count)?)).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let mut spans = Spans::new(100);
        find(text.as_bytes(), &mut spans);
        let found: Vec<&str> = spans
            .settle(text.as_bytes())
            .into_iter()
            .filter_map(|span| text.get(span.place))
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn cards_are_found_in_any_grouping() {
        check("card 4111111111111111 declined", &["4111111111111111"]);
        check("4012-8888-8888-1881", &["4012-8888-8888-1881"]);
        check("4111 1111 1111 1111 12/29", &["4111 1111 1111 1111"]);
        check(
            "4111\u{a0}1111\u{a0}1111\u{a0}1111",
            &["4111\u{a0}1111\u{a0}1111\u{a0}1111"],
        );
        check("3714 4963 5398 431", &["3714 4963 5398 431"]);
        check("id=4111111111111111&x", &["4111111111111111"]);
        check("2026-11-21 4111111111111111", &["4111111111111111"]);
    }

    #[test]
    fn cards_are_found_where_they_hang_on_a_word() {
        check("id_4111111111111111", &["4111111111111111"]);
        check("key=card_no_4111111111111111.", &["4111111111111111"]);
        check("4111111111111111_old", &["4111111111111111"]);
        check("pan_4111-1111-1111-1111 x", &["4111-1111-1111-1111"]);
        for text in [
            // Not a word, but the tail of something drawn.
            "a7_4111111111111111",
            "4bf92f35_4111111111111111",
            "_4111111111111111",
            "x_4111111111111111",
            "id_4111111111111111_7f3a",
            "id_4111111111111111a",
            // Blocks of a file system; numbers drawn by a counter are longer.
            "blk_4111111111111111",
            "id_4000000000000000006",
        ] {
            check(text, &[]);
        }
    }

    #[test]
    fn other_long_numbers_are_no_cards() {
        for text in [
            "blk_-1608999687919862906",
            "blk_4111111111111111",
            "550e8400-e29b-41d4-a716-411111111111",
            "1626717505125909000",
            "0.4111111111111111",
            "4111111111111111.5",
            "2024-09-27 10:12:36,003",
            "4111111111111112",
            "x4111111111111111",
            "44ffd2c7-cc3a-63d8-2002-000000000d00",
        ] {
            check(text, &[]);
        }
    }

    #[test]
    fn ibans_are_found_with_and_without_spaces() {
        for iban in [
            "AT611904300234573201",
            "GB29 NWBK 6016 1331 9268 19",
            "CY17 0020 0128 0000 0012 0052 7600",
            "BY13 NBRB 3600 9000 0000 2Z00 AB00",
            "KZ86 125K ZT50 0410 0100",
            "NO93 8601 1117 947",
            "BR9700360305000010009795493P1",
            "MT84 MALT 0110 0001 2345 MTLC AST0 01S",
        ] {
            check(&format!("to {iban} sent"), &[iban]);
        }
        check("AT611904300234573202", &[]);
        check("XX611904300234573201", &[]);
    }

    #[test]
    fn social_security_numbers_need_valid_parts() {
        check("ssn 123-45-6789.", &["123-45-6789"]);
        check("078 05 1123", &["078 05 1123"]);
        check("SSN is 078 05 1123 here", &["078 05 1123"]);
        check("ssn 123 45 6789", &["123 45 6789"]);
        check("ssn 123 45 6789 found", &["123 45 6789"]);
        check(
            "the SSN of the patient was 123 45 6789 at birth",
            &["123 45 6789"],
        );
        check("social_security_number=123 45 6789", &["123 45 6789"]);
        check("userSSN: 123 45 6789, ok", &["123 45 6789"]);
        check("abc 078 05 1123 abc", &["078 05 1123"]);
        check("step 1 078 05 1123 of", &[]);
        check("12:00 078 05 1123 of", &[]);
        check("GET 200 12 3456 ok", &[]);
        check("\"GET /social HTTP/1.1\" 200 12 3456 \"-\"", &[]);
        check("className 200 12 3456 1", &[]);
        check("/assns 200 12 3456", &[]);
        check(
            "000-12-3456 666-12-3456 900-12-3456 123-00-4567 123-45-0000",
            &[],
        );
        check("1123-45-6789 a123-45-6789 123-45-67890", &[]);
    }
}
