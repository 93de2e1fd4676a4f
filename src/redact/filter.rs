//! Lines of a stream, one after the other. What a line alone cannot say is remembered from line to line: a
//! private key begins on one and goes on over many, none of which says what it is.

use std::collections::BTreeMap;

use super::Redactor;
use super::json::{self, OpenLines};
use super::pem::{PRIVATE_KEY, is_key_like, is_line, marks, opening};
use super::replace::Tally;

/// Lines without the end of a private key after which it is forgotten. The longest keys in use (RSA of 16384 bits)
/// have 200, and between them may stand lines of others.
const KEY_LINES_MAX: u64 = 1_000;
/// Bytes kept of a piece of a line, so that words on its edge are seen.
const EDGE: usize = 128;
/// What a [`Filter`] has seen and done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilterStats {
    /// Lines read.
    pub lines: u64,
    /// Lines that came out changed.
    pub changed: u64,
    /// Lines replaced whole because they were too long.
    pub too_long: u64,
    /// Secrets replaced.
    pub secrets: u64,
    /// Secrets by rule.
    pub rules: BTreeMap<String, u64>,
    /// What own rules in a dry run found and left, by rule.
    pub tried: BTreeMap<String, u64>,
}

/// A private key that goes on over lines.
#[derive(Clone, Copy, Debug, Default)]
struct OpenKey {
    /// Lines since it began.
    lines: u64,
    /// Words of its last long line: what the program that logs writes before each, and the line itself.
    words: Option<usize>,
}

impl OpenKey {
    /// Whether the line is one of the key. Others may log in between.
    fn goes_on(self, line: &[u8]) -> bool {
        let is_base64 = |b: &u8| b.is_ascii_alphanumeric() || b"+/=".contains(b);
        let last = words(line).last().unwrap_or_default();
        // The last line of a key is short, but stands as the others do.
        let is_last = self.words == Some(words(line).count()) && last.iter().all(is_base64);
        is_line(line, self.words.is_some()) || is_last
    }

    fn behind(self, line: &[u8], is_key: bool) -> Self {
        let is_long = is_key && is_key_like(line);
        Self {
            lines: self.lines + 1,
            words: if is_long {
                Some(words(line).count())
            } else {
                self.words
            },
        }
    }
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
}

/// Redacts lines in their order.
#[derive(Debug)]
pub struct Filter<'r> {
    redactor: &'r Redactor,
    stats: FilterStats,
    /// Set where a private key began that has not ended.
    key: Option<OpenKey>,
    /// Those that began in JSON documents and have not ended.
    lines: Vec<OpenLines>,
    /// The end of the piece before, of a line that is too long.
    edge: Vec<u8>,
}

impl<'r> Filter<'r> {
    /// A filter at the beginning of a stream.
    #[must_use]
    pub fn new(redactor: &'r Redactor) -> Self {
        Self {
            redactor,
            stats: FilterStats::default(),
            key: None,
            lines: Vec::new(),
            edge: Vec::new(),
        }
    }

    /// What has been done so far.
    #[must_use]
    pub fn stats(&self) -> &FilterStats {
        &self.stats
    }

    /// Appends the line, which comes without its end, to `out` without its secrets.
    pub fn line(&mut self, line: &[u8], out: &mut Vec<u8>) {
        let mut tally = Tally::default();
        self.stats.lines += 1;
        self.part(line, out, &mut tally);
        self.settle(tally);
    }

    /// Takes a piece of a line that is too long to be searched.
    pub fn skip(&mut self, piece: &[u8]) {
        let mut edge = std::mem::take(&mut self.edge);
        edge.extend_from_slice(piece);
        self.key = self.after(&edge, self.key);
        edge.drain(..edge.len().saturating_sub(EDGE));
        self.edge = edge;
    }

    /// Appends what stands for the line whose pieces were skipped.
    pub fn skipped(&mut self, out: &mut Vec<u8>) {
        let mut tally = Tally::default();
        self.stats.lines += 1;
        self.stats.too_long += 1;
        self.edge.clear();
        out.extend(self.redactor.oversize(&mut tally).into_iter().flatten());
        self.settle(tally);
    }

    fn settle(&mut self, tally: Tally) {
        self.redactor.count(&tally);
        if tally.count > 0 {
            self.stats.changed += 1;
            self.stats.secrets += tally.count;
        }
        for (rule, count) in tally.tried {
            *self.stats.tried.entry(rule).or_default() += count;
        }
        for (rule, count) in tally.rules {
            *self.stats.rules.entry(rule.into_owned()).or_default() += count;
        }
    }

    fn part(&mut self, line: &[u8], out: &mut Vec<u8>, tally: &mut Tally) {
        let mut rest = line;
        if let Some(open) = self.key {
            let end = marks(line).find(|mark| !mark.begins);
            let is_key = end.is_some() || open.goes_on(line);
            let is_left = end.is_none() && open.lines < KEY_LINES_MAX;
            self.key = is_left.then(|| open.behind(line, is_key));
            if is_key {
                let (key, behind) = match end {
                    Some(mark) => line.split_at_checked(mark.place.end),
                    None => None,
                }
                .unwrap_or((line, b""));
                let said = key.trim_ascii();
                if self.redactor.own_tags(said).first() == Some(&(0..said.len())) {
                    out.extend_from_slice(key);
                } else if !said.is_empty() {
                    self.redactor.tag(PRIVATE_KEY, key, out, tally);
                }
                rest = behind;
            }
        }
        if rest.is_empty() {
            return;
        }
        match self.document(rest, tally) {
            Some(document) => out.extend_from_slice(&self.redactor.line_into(&document, tally)),
            None => {
                out.extend_from_slice(&self.redactor.line_into(rest, tally));
                self.key = self.after(rest, self.key);
            }
        }
    }

    /// A JSON document without lines of a private key that began in one before; `None` where none did, or the text is no
    /// document.
    fn document(&mut self, text: &[u8], tally: &mut Tally) -> Option<Vec<u8>> {
        if self.lines.is_empty() {
            return None;
        }
        let clean = json::key_lines(self.redactor, text, &mut self.lines, tally).ok()?;
        Some(clean.unwrap_or_else(|| text.to_vec()))
    }

    /// Whether a private key goes on behind this text.
    fn after(&mut self, text: &[u8], before: Option<OpenKey>) -> Option<OpenKey> {
        match marks(text).last() {
            None => before,
            Some(mark) if !mark.begins => None,
            // What begins inside a JSON document goes on in others, if at all.
            Some(_) if before.is_none() && self.begins_in_document(text) => None,
            Some(_) if opening(text).is_none() => before,
            Some(_) => Some(before.unwrap_or_default()),
        }
    }

    fn begins_in_document(&mut self, text: &[u8]) -> bool {
        let mut tally = Tally::default();
        json::key_lines(self.redactor, text, &mut self.lines, &mut tally).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::redactor;
    use super::*;

    fn filtered(lines: &[&str]) -> (Vec<String>, FilterStats) {
        let redactor = redactor();
        let mut filter = Filter::new(&redactor);
        let clean = lines.iter().map(|line| {
            let mut out = Vec::new();
            filter.line(line.as_bytes(), &mut out);
            String::from_utf8(out).unwrap()
        });
        (clean.collect(), filter.stats().clone())
    }

    fn check(lines: &[&str], expected: &[&str]) {
        let (clean, _) = filtered(lines);
        let shown: Vec<String> = clean
            .iter()
            .map(|line| super::super::tests::short(line))
            .collect();
        assert_eq!(shown, expected);
    }

    const BODY: &str = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7";

    #[test]
    fn a_private_key_goes_line_by_line_until_its_end() {
        let key = "[private-key]";
        check(
            &[
                "before",
                "-----BEGIN RSA PRIVATE KEY-----",
                "Proc-Type: 4,ENCRYPTED",
                "",
                BODY,
                "Aw==",
                "-----END RSA PRIVATE KEY----- password=hunter22",
                "after",
            ],
            &[
                "before",
                key,
                key,
                "",
                key,
                key,
                "[private-key] password=[password]",
                "after",
            ],
        );
        // Written by a logger with a beginning of its own, and another key right behind.
        check(
            &[
                "12:00 app -----BEGIN PRIVATE KEY-----",
                &format!("12:00 app {BODY}"),
                "12:00 web GET /orders 200",
                "12:00 app Aw==",
                "12:00 app -----END PRIVATE KEY----------BEGIN PRIVATE KEY-----",
                "short",
                BODY,
                "short",
                "-----END PRIVATE KEY-----",
                "short",
            ],
            &[
                "12:00 app [private-key]",
                key,
                "12:00 web GET /orders 200",
                key,
                "[private-key][private-key]",
                "short",
                key,
                key,
                key,
                "short",
            ],
        );
    }

    #[test]
    fn a_line_of_a_key_that_is_a_tag_already_stays() {
        let redactor = redactor();
        let filtered = |text: &str| {
            let (mut filter, mut out) = (Filter::new(&redactor), Vec::new());
            for line in text.lines() {
                filter.line(line.as_bytes(), &mut out);
                out.push(b'\n');
            }
            String::from_utf8(out).unwrap()
        };
        let begin = "-----BEGIN PRIVATE KEY-----";
        let key = filtered(&format!("{begin}\n{BODY}\n"));
        let tag = key.lines().nth(1).unwrap();
        let once = filtered(&format!("{begin}\n{tag}\n{BODY}\n"));
        assert_eq!(once, format!("{key}{tag}\n"));
        assert_eq!(filtered(&once), once);
    }

    #[test]
    fn what_is_whole_on_its_line_opens_nothing() {
        let whole = "k -----BEGIN PRIVATE KEY-----MIIE-----END PRIVATE KEY----- v";
        check(&[whole, "next"], &["k [private-key] v", "next"]);
        let cut = r#"{"k":"-----BEGIN PRIVATE KEY-----\nMIIE"}"#;
        check(&[cut, "next"], &[r#"{"k":"[private-key]"}"#, "next"]);
        check(
            &["the PRIVATE KEY BEGINs", "next"],
            &["the PRIVATE KEY BEGINs", "next"],
        );
    }

    #[test]
    fn a_key_without_an_end_lasts_a_thousand_lines_and_takes_no_other_line() {
        let mut lines = vec!["-----BEGIN PRIVATE KEY-----"];
        lines.push(BODY);
        lines.extend(std::iter::repeat_n("words of a log", 998));
        lines.extend([BODY, "words of a log", BODY]);
        let (clean, stats) = filtered(&lines);
        let kept: Vec<usize> = (0..lines.len())
            .filter(|at| clean[*at] == lines[*at])
            .collect();
        assert!(kept.iter().copied().eq((2..1000).chain([1001, 1002])));
        assert_eq!(stats.lines, 1003);
        assert_eq!(stats.changed, 3);
        assert_eq!(stats.rules.get(PRIVATE_KEY), Some(&3));
    }

    #[test]
    fn a_key_that_begins_in_a_line_too_long_is_seen_across_its_pieces() {
        let redactor = redactor();
        let mut filter = Filter::new(&redactor);
        let mut out = Vec::new();
        for piece in ["x -----BEGIN PRI", "VATE KEY-----", "MIIE"] {
            filter.skip(piece.as_bytes());
        }
        filter.skipped(&mut out);
        assert_eq!(
            super::super::tests::short(std::str::from_utf8(&out).unwrap()),
            "[oversize]"
        );
        out.clear();
        filter.line(BODY.as_bytes(), &mut out);
        assert!(out.starts_with(b"[R:private-key:"));
        filter.skip(b"-----END PRIVATE KEY-----");
        filter.skipped(&mut out);
        out.clear();
        filter.line(b"Aw==", &mut out);
        assert_eq!(out, b"Aw==");
        assert_eq!(filter.stats().too_long, 2);
    }

    #[test]
    fn rules_are_counted_each() {
        let line =
            r#"{"password":"hunter22","token":"Zq8fJ2kLm9pQ4rSt","old_password":"hunter23"}"#;
        let (_, stats) = filtered(&[line, "clean"]);
        assert_eq!(stats.secrets, 3);
        assert_eq!(stats.changed, 1);
        assert_eq!(stats.rules.get("password"), Some(&2));
        assert_eq!(stats.rules.get("token"), Some(&1));
    }
}
