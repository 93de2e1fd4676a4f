//! A private key that comes line by line, one line in each document of a stream (the files of container runtimes) or
//! in each element of an array.

use super::super::escapes::{Written, escape};
use super::super::pem::{PRIVATE_KEY, is_key_like, is_line, marks, opening};
use super::super::replace::Tally;
use super::{NotJson, Redactor, Writer};

/// Keys that are open at a time; one more takes the place of the first.
const OPEN_MAX: usize = 8;
/// Texts under the name of a key, one behind the other, that are none of its lines, after which it is forgotten.
const OTHERS_MAX: u32 = 50;

/// A private key that began under a name and has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct OpenLines {
    /// The name its lines stand under.
    name: Vec<u8>,
    /// Whether a long line came right before.
    has_body: bool,
    /// Texts since its last line.
    others: u32,
}

/// Replaces what of a document is a line of a private key that began before in it, or in another; `None` where nothing
/// changes. The beginning itself stays.
///
/// # Errors
/// When the text is no object or array, or too deep. `open` is then as it was.
pub(in super::super) fn key_lines(
    redactor: &Redactor,
    text: &[u8],
    open: &mut Vec<OpenLines>,
    tally: &mut Tally,
) -> Result<Option<Vec<u8>>, NotJson> {
    if !matches!(text.trim_ascii_start().first(), Some(b'{' | b'[')) {
        return Err(NotJson);
    }
    let mut part = Tally::default();
    let mut now = open.clone();
    let mut writer = Writer::new(redactor, text, 0, &mut part);
    writer.lines = Some(&mut now);
    writer.document()?;
    let out = writer.finish();
    tally.merge(part);
    *open = now;
    Ok(out)
}

impl OpenLines {
    /// How much of a text is a line of the key, and whether it ends with it.
    fn takes(&mut self, text: &[u8]) -> (usize, bool) {
        let end = marks(text).find(|mark| !mark.begins);
        // A document of its own is searched as one.
        let is_document = matches!(text.first(), Some(b'{' | b'['));
        let length = match &end {
            _ if is_document => 0,
            Some(end) => end.place.end,
            None if is_line(text, self.has_body) => text.trim_ascii_end().len(),
            None => 0,
        };
        if length == 0 {
            self.others += 1;
        } else {
            self.has_body = is_key_like(text);
            self.others = 0;
        }
        (length, end.is_some() || self.others > OTHERS_MAX)
    }
}

impl<'t> Writer<'_, 't> {
    /// Looks at a string that may be a line of a key.
    pub(super) fn line_of_key(&mut self, string: &Written<'t>, name: &[u8]) {
        let Some(lines) = self.lines.as_mut() else {
            return;
        };
        let plain = string.plain();
        let mut out = Vec::new();
        if let Some(at) = lines.iter().position(|open| open.name == name)
            && let Some(open) = lines.get_mut(at)
        {
            let (length, is_over) = open.takes(&plain);
            if is_over {
                lines.remove(at);
            }
            if length > 0 {
                let (key, rest) = plain.split_at_checked(length).unwrap_or((&plain, b""));
                self.redactor.tag(PRIVATE_KEY, key, &mut out, self.tally);
                escape(rest, &mut out);
            }
        }
        if opening(&plain).is_some() {
            lines.retain(|open| open.name != name);
            if lines.len() == OPEN_MAX {
                lines.remove(0);
            }
            lines.push(OpenLines {
                name: name.to_vec(),
                has_body: false,
                others: 0,
            });
        }
        if !out.is_empty() {
            self.replace(string.place(), &out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{line, redactor, short};
    use crate::redact::Filter;

    const BODY: &str = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7";

    fn filtered(lines: &[String]) -> Vec<String> {
        let redactor = redactor();
        let mut filter = Filter::new(&redactor);
        let clean = lines.iter().map(|line| {
            let mut out = Vec::new();
            filter.line(line.as_bytes(), &mut out);
            short(std::str::from_utf8(&out).unwrap())
        });
        clean.collect()
    }

    #[test]
    fn a_key_in_the_file_of_a_container_goes_until_its_end() {
        let of = |text: &str| format!(r#"{{"log":"{text}\n","stream":"stdout","time":"t"}}"#);
        assert_eq!(
            filtered(&[
                of("start"),
                of(BODY),
                of("-----BEGIN RSA PRIVATE KEY-----"),
                of("Proc-Type: 4,ENCRYPTED"),
                of(BODY),
                of("GET /orders 200"),
                "not JSON".to_owned(),
                of("Aw=="),
                of("-----END RSA PRIVATE KEY-----"),
                of("Aw=="),
                of(BODY),
            ]),
            [
                of("start"),
                of(BODY),
                // What has no end reaches to that of its text.
                of("[private-key]").replace("\\n", ""),
                of("[private-key]"),
                of("[private-key]"),
                of("GET /orders 200"),
                "not JSON".to_owned(),
                of("[private-key]"),
                of("[private-key]"),
                of("Aw=="),
                of(BODY),
            ],
        );
    }

    #[test]
    fn a_key_in_an_array_of_lines_goes() {
        let key = format!(
            r#"{{"k":["x","-----BEGIN PRIVATE KEY-----","{BODY}","Aw==","-----END PRIVATE KEY-----","Aw=="],"m":"{BODY}"}}"#
        );
        let clean = format!(
            r#"{{"k":["x","[private-key]","[private-key]","[private-key]","[private-key]","Aw=="],"m":"{BODY}"}}"#
        );
        assert_eq!(line(&key), clean);
        assert_eq!(filtered(&[key]), [clean]);
    }

    #[test]
    fn a_key_that_goes_on_nowhere_is_forgotten() {
        let mut lines = vec![r#"{"m":"-----BEGIN PRIVATE KEY-----"}"#.to_owned()];
        lines.extend(std::iter::repeat_n(
            r#"{"m":"words of a log"}"#.to_owned(),
            51,
        ));
        lines.push(format!(r#"{{"m":"{BODY}"}}"#));
        let clean = filtered(&lines);
        assert_eq!(clean.get(1..), lines.get(1..));
        assert_eq!(clean[0], r#"{"m":"[private-key]"}"#);
    }

    #[test]
    fn words_of_a_key_open_none_and_one_short_line_ends_it() {
        let of = |text: &str| format!(r#"{{"m":"{text}"}}"#);
        let told = [
            of("found -----BEGIN PRIVATE KEY----- header in upload"),
            of(BODY),
        ];
        assert_eq!(filtered(&told)[1], told[1]);
        let made = [
            of("-----BEGIN PRIVATE KEY-----"),
            of(BODY),
            of("root"),
            of("mallory"),
        ];
        let key = of("[private-key]");
        assert_eq!(
            filtered(&made),
            [&key, &key, &key, &of("mallory")].map(String::as_str)
        );
        // A string alone is a text.
        let quoted = ["\"-----BEGIN PRIVATE KEY-----\\n\"", BODY].map(str::to_owned);
        assert_eq!(filtered(&quoted)[1], "[private-key]");
    }

    #[test]
    fn keys_under_several_names_are_told_apart() {
        let lines = [
            r#"{"a":"-----BEGIN PRIVATE KEY-----","b":"-----BEGIN PRIVATE KEY-----"}"#.to_owned(),
            format!(r#"{{"a":"{BODY}","b":"{BODY}","c":"{BODY}"}}"#),
        ];
        assert_eq!(
            filtered(&lines)[1],
            format!(r#"{{"a":"[private-key]","b":"[private-key]","c":"{BODY}"}}"#)
        );
    }
}
