//! Private keys over several lines: the marks they begin and end with, and, for events, which sources are inside of
//! one. A key that a program prints line by line comes as one event per line, none of which says what it is, and
//! between them may stand events of other programs under the same source.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

use memchr::memmem::Finder;

use super::Redactor;
use super::replace::Tally;
use super::scan::lossless;
use crate::model::{Event, Field, Timestamp, Value, text_of};

/// The rule of lines inside a private key.
pub(super) const PRIVATE_KEY: &str = "private-key";

/// Bytes between `BEGIN` or `END` and the words they belong to.
const LABEL_MAX: usize = 60;
/// Sources that are inside of a key at a time; the one that began first is forgotten for another.
const SOURCES_MAX: usize = 256;
/// Events of a source without the end of its key after which it is forgotten.
const EVENTS_MAX: u32 = 1_000;
/// Seconds after the last line of a key after which it is forgotten.
const QUIET_S_MAX: i64 = 60;
/// Longest last line of a key: longer ones are told by their looks.
const WORD_MAX: usize = 32;

/// What each beginning and each end says.
static WORDS: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(b"PRIVATE KEY"));

/// A key that has begun in a source and has not ended.
#[derive(Debug)]
struct Open {
    /// The field its lines come in.
    field: String,
    /// When its last line was received.
    last: Timestamp,
    /// Whether there was one: short words go only behind a long line.
    has_body: bool,
    events: u32,
}

/// The sources that are inside of a key.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    is_any: AtomicBool,
    open: Mutex<HashMap<String, Open>>,
}

impl Blocks {
    /// Whether any source is: all that an event costs where none is.
    #[inline]
    pub(super) fn is_any(&self) -> bool {
        self.is_any.load(Ordering::Acquire)
    }

    /// The field in which lines of the source's key come, and whether one came; counts the event.
    fn field_of(&self, source: &str, now: Timestamp) -> Option<(String, bool)> {
        let mut all = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let open = all.get_mut(source)?;
        open.events += 1;
        let quiet = now.0.saturating_sub(open.last.0) / 1_000_000_000;
        if open.events > EVENTS_MAX || quiet > QUIET_S_MAX {
            all.remove(source);
            self.is_any.store(!all.is_empty(), Ordering::Release);
            return None;
        }
        Some((open.field.clone(), open.has_body))
    }

    /// A line of the source's key came, a long one or a short one: only one of those follows the long ones.
    fn touch(&self, source: &str, now: Timestamp, is_long: bool) {
        let mut all = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = all.get_mut(source) {
            if is_long {
                open.last = open.last.max(now);
            }
            open.has_body = is_long;
        }
    }

    /// A key began in the source and goes on, or ended.
    fn set(&self, source: &str, field: Option<&str>, now: Timestamp) {
        let mut all = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        match field {
            None => drop(all.remove(source)),
            Some(field) => {
                if all.len() >= SOURCES_MAX && !all.contains_key(source) {
                    let oldest = all.iter().min_by_key(|(_, open)| open.last);
                    if let Some(oldest) = oldest.map(|(source, _)| source.clone()) {
                        all.remove(&oldest);
                    }
                }
                let open = Open {
                    field: field.to_owned(),
                    last: now,
                    has_body: false,
                    events: 0,
                };
                all.insert(source.to_owned(), open);
            }
        }
        self.is_any.store(!all.is_empty(), Ordering::Release);
    }
}

/// Whether a key that was found has no end.
pub(super) fn is_open(key: &[u8]) -> bool {
    opening(key).is_some()
}

/// The beginning of a key that goes on behind a text: nothing but lines of it stands behind. Words there tell of a key.
pub(super) fn opening(text: &[u8]) -> Option<Mark> {
    let last = marks(text).last().filter(|mark| mark.begins)?;
    let behind = text.get(last.place.end..)?;
    let is_key = |b: &u8| b.is_ascii_alphanumeric() || b"+/=-\\\"\r\n".contains(b);
    let first = behind.split(|b| *b == b'\n').next().unwrap_or_default();
    first.trim_ascii().iter().all(is_key).then_some(last)
}

impl Redactor {
    /// Replaces what of an event is a line of its source's key.
    #[cold]
    pub(super) fn line_of_block(&self, event: &mut Event<'_>, tally: &mut Tally) {
        let now = event.received;
        let source = event.get(Field::EventProvider).and_then(text_of);
        let source = source.unwrap_or_default().to_owned();
        let Some((field, mut has_body)) = self.blocks.field_of(&source, now) else {
            return;
        };
        for (name, value) in event.fields_mut() {
            let Value::Str(text) = &*value else { continue };
            if name.public() != field {
                continue;
            }
            let end = marks(text.as_bytes()).find(|mark| !mark.begins);
            if end.is_none() && !is_line(text.as_bytes(), has_body) {
                continue;
            }
            has_body = is_key_like(text.as_bytes());
            self.blocks.touch(&source, now, has_body);
            let ends = end.as_ref().map_or(text.len(), |mark| mark.place.end);
            let (key, rest) = text.as_bytes().split_at_checked(ends).unwrap_or_default();
            let mut out = Vec::new();
            self.tag(PRIVATE_KEY, key, &mut out, tally);
            out.extend_from_slice(rest);
            *value = Value::Str(lossless(out).into());
            tally.finds.place(name);
            if end.is_some() {
                self.blocks.set(&source, None, now);
                return;
            }
        }
    }

    /// Remembers that a key has begun in a field of an event and does not end in it.
    #[cold]
    pub(super) fn block_begins(&self, event: &Event<'_>, field: &str) {
        let source = event.get(Field::EventProvider).and_then(text_of);
        let source = source.unwrap_or_default();
        self.blocks.set(source, Some(field), event.received);
    }
}

/// Whether a text is a line between the first and the last of a private key; `has_body` where a long one came.
pub(super) fn is_line(text: &[u8], has_body: bool) -> bool {
    is_key_like(text) || is_short_line(text, has_body)
}

/// Whether a text is a header of an old key, or, behind a long line, one word of base64: its last line.
fn is_short_line(text: &[u8], has_body: bool) -> bool {
    const HEADERS: &[&[u8]] = &[
        b"Proc-Type:",
        b"DEK-Info:",
        b"Comment:",
        b"Version:",
        b"Hash:",
    ];
    let word = text.trim_ascii();
    let is_base64 = |b: &u8| b.is_ascii_alphanumeric() || b"+/=".contains(b);
    has_body && (1..WORD_MAX).contains(&word.len()) && word.iter().all(is_base64)
        || HEADERS.iter().any(|header| word.starts_with(header))
}

/// The first or the last line of a private key.
pub(super) struct Mark {
    pub(super) begins: bool,
    pub(super) place: Range<usize>,
}

/// Where the dashes before `BEGIN` begin, if it is that of a key: `-----BEGIN`, or `---- BEGIN` of the SSH2 format, with the
/// words behind it on its line. Five at most: another key may end right before.
pub(super) fn line_before(head: &[u8], begin: usize) -> Option<usize> {
    let (before, label) = head.split_at_checked(begin)?;
    let dashed = before.strip_suffix(b" ").unwrap_or(before);
    let dashes = dashed.iter().rev().take(5);
    let dashes = dashes.take_while(|b| **b == b'-').count();
    let is_line = dashes >= 2 && !label.contains(&b'\n');
    is_line.then_some(dashed.len() - dashes)
}

/// Every `-----BEGIN … PRIVATE KEY` and `END … PRIVATE KEY` of a text, in order.
pub(super) fn marks(text: &[u8]) -> impl Iterator<Item = Mark> {
    WORDS.find_iter(text).filter_map(|at| {
        let from = at.saturating_sub(LABEL_MAX);
        let head = text.get(from..at)?;
        let begin = memchr::memmem::rfind(head, b"BEGIN");
        let end = memchr::memmem::rfind(head, b"END");
        let begins = begin > end;
        let label = begin.max(end)?;
        if begins && line_before(head, label).is_none() {
            return None;
        }
        let behind = text.get(at + 11..)?;
        let block = if behind.starts_with(b" BLOCK") { 6 } else { 0 };
        let dashes = behind.get(block..)?.iter().take(5);
        let dashes = dashes.take_while(|b| **b == b'-').count();
        Some(Mark {
            begins,
            place: from + label..at + 11 + block + dashes,
        })
    })
}

/// Whether a line may be one of a key: its last word is base64 and long.
pub(super) fn is_key_like(line: &[u8]) -> bool {
    let mut words = line.rsplit(|b| b.is_ascii_whitespace() || *b == b'"');
    let last = words.find(|word| !word.is_empty()).unwrap_or_default();
    let is_base64 = |b: &u8| b.is_ascii_alphanumeric() || b"+/=_-\\".contains(b);
    last.len() >= 32 && last.iter().all(is_base64)
}

#[cfg(test)]
mod tests {
    use super::super::tests::short;
    use super::super::{Options, TagKey};
    use super::*;

    const BODY: &str = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7";
    const BEGIN: &str = "-----BEGIN RSA PRIVATE KEY-----";
    const END: &str = "-----END RSA PRIVATE KEY-----";
    const S: i64 = 1_000_000_000;

    fn redactor() -> Redactor {
        Redactor::new(Options::default(), TagKey::from_bytes(&[7; 32]))
    }

    fn log(redactor: &Redactor, at: i64, source: &str, name: &str, text: &str) -> String {
        let mut event = Event::new(Timestamp(at * S), Timestamp(at * S));
        event.push_str(Field::EventProvider, source);
        match Field::from_name(name) {
            Some(field) => event.push_str(field, text),
            None => event.push_ext(name, Value::Str(text.into())),
        }
        let clean = redactor.redact(event);
        short(text_of(&clean.fields()[1].1).unwrap())
    }

    #[test]
    fn a_beginning_is_one_line() {
        let check = |text: &str, begins: bool| {
            assert_eq!(is_open(text.as_bytes()), begins, "{text}");
            let clean = redactor().redact_text(text).into_owned();
            assert_eq!(short(&clean).contains("[private-key]"), begins, "{text}");
        };
        check("-----BEGIN PRIVATE KEY-----", true);
        check("---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----", true);
        check("--\rBEGIN PRIVATE KEY-----", false);
        check("-----BEGIN\nPRIVATE KEY-----", false);
        check("the BEGIN of a PRIVATE KEY", false);
    }

    #[test]
    fn a_key_in_a_name_opens_nothing() {
        let redactor = redactor();
        let said = log(&redactor, 1, "app", &format!("k{BEGIN}{BODY}"), END);
        assert!(!redactor.blocks.is_any());
        assert_eq!(said, END);
    }

    #[test]
    fn the_lines_of_a_key_go_until_its_end() {
        let redactor = redactor();
        let say = |text: &str| log(&redactor, 1, "app", "message", text);
        assert_eq!(say(BODY), BODY);
        assert_eq!(say(&format!("key {BEGIN}")), "key [private-key]");
        assert_eq!(say("started"), "started");
        assert!(redactor.blocks.is_any());
        for line in [
            "Proc-Type: 4,ENCRYPTED",
            BODY,
            &format!("12:00 app {BODY}"),
            "Aw==",
        ] {
            assert_eq!(say(line), "[private-key]", "{line}");
        }
        // Others log under the same source.
        assert_eq!(say("not ready"), "not ready");
        assert_eq!(
            say("GET /v1/orders 200 in 12 ms"),
            "GET /v1/orders 200 in 12 ms"
        );
        assert_eq!(
            say(&format!("{END} next password=x1y2")),
            "[private-key] next password=[password]"
        );
        assert!(!redactor.blocks.is_any());
        assert_eq!(say("Aw=="), "Aw==");
    }

    #[test]
    fn sources_and_fields_have_keys_of_their_own() {
        let redactor = redactor();
        log(&redactor, 1, "app", "line", BEGIN);
        assert_eq!(log(&redactor, 1, "web", "line", BODY), BODY);
        assert_eq!(log(&redactor, 1, "app", "message", BODY), BODY);
        assert_eq!(log(&redactor, 1, "app", "line", BODY), "[private-key]");
    }

    #[test]
    fn a_key_that_is_whole_opens_nothing() {
        let redactor = redactor();
        let whole = format!("{BEGIN}\n{BODY}\n{END}");
        assert_eq!(log(&redactor, 1, "app", "message", &whole), "[private-key]");
        assert!(!redactor.blocks.is_any());
        assert_eq!(
            log(
                &redactor,
                1,
                "app",
                "message",
                &format!("{BEGIN}{END}{BEGIN}")
            ),
            "[private-key][private-key]"
        );
        assert!(redactor.blocks.is_any());
    }

    #[test]
    fn the_lines_of_a_key_may_be_values_of_one_event() {
        let redactor = redactor();
        let mut event = Event::new(Timestamp(S), Timestamp(S));
        for line in ["x", BEGIN, BODY, "Aw==", END, "Aw=="] {
            event.push_ext("k", Value::Str(line.into()));
        }
        let clean = redactor.redact(event);
        let values = clean
            .fields()
            .iter()
            .filter(|(name, _)| name.public() == "ext.k");
        let values: Vec<String> = values.map(|(_, v)| short(text_of(v).unwrap())).collect();
        let key = "[private-key]";
        assert_eq!(values, ["x", key, key, key, key, "Aw=="]);
        assert_eq!(clean.int(Field::RedactionCount), Some(4));
        assert!(!redactor.blocks.is_any());
    }

    #[test]
    fn a_key_without_an_end_is_forgotten() {
        let redactor = redactor();
        log(&redactor, 1, "app", "message", BEGIN);
        assert_eq!(log(&redactor, 50, "app", "message", BODY), "[private-key]");
        assert_eq!(log(&redactor, 100, "app", "message", BODY), "[private-key]");
        assert_eq!(log(&redactor, 161, "app", "message", BODY), BODY);
        assert!(!redactor.blocks.is_any());
        log(&redactor, 200, "app", "message", BEGIN);
        for _ in 0..EVENTS_MAX {
            log(&redactor, 200, "app", "message", "words of a log");
        }
        assert_eq!(log(&redactor, 200, "app", "message", BODY), BODY);
    }

    #[test]
    fn only_so_many_sources_are_remembered() {
        let redactor = redactor();
        for at in 0..=SOURCES_MAX {
            log(
                &redactor,
                i64::try_from(at).unwrap(),
                &format!("app{at}"),
                "message",
                BEGIN,
            );
        }
        assert_eq!(redactor.blocks.open.lock().unwrap().len(), SOURCES_MAX);
        assert_eq!(log(&redactor, 300, "app0", "message", BODY), BODY);
        assert_eq!(
            log(&redactor, 300, "app256", "message", BODY),
            "[private-key]"
        );
    }
}
