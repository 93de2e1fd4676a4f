//! A private key that comes line by line, one line in each document of a stream (the files of container runtimes) or
//! in each element of an array.

use super::super::escapes::{Written, escape};
use super::super::pem::{PRIVATE_KEY, is_key_like, is_line, marks};
use super::super::replace::Tally;
use super::{NotJson, Redactor, Writer};

/// A private key that began under a name and has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct OpenLines {
    /// The name its lines stand under.
    name: Vec<u8>,
    /// Whether a long line came.
    has_body: bool,
    /// Documents since it began.
    pub(in super::super) documents: u64,
}

/// Replaces what of a document is a line of a private key that began before in it, or in another; `None` where nothing
/// changes. The beginning itself stays.
///
/// # Errors
/// When the text is no document, or too deep. `open` is then as it was.
pub(in super::super) fn key_lines(
    redactor: &Redactor,
    text: &[u8],
    open: &mut Option<OpenLines>,
    tally: &mut Tally,
) -> Result<Option<Vec<u8>>, NotJson> {
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

impl<'t> Writer<'_, 't> {
    /// Looks at a string that may be a line of a key.
    pub(super) fn line_of_key(&mut self, string: &Written<'t>, name: &[u8]) {
        let Some(lines) = self.lines.as_mut() else {
            return;
        };
        let plain = string.plain();
        let ends = marks(&plain).find(|mark| !mark.begins);
        let mut out = Vec::new();
        if let Some(open) = lines.as_mut().filter(|open| open.name == name) {
            let end = match &ends {
                Some(end) => end.place.end,
                None if is_line(&plain, open.has_body) => plain.trim_ascii_end().len(),
                None => 0,
            };
            open.has_body |= is_key_like(&plain);
            let (key, rest) = plain.split_at_checked(end).unwrap_or((b"", &plain));
            if !key.is_empty() {
                self.redactor.tag(PRIVATE_KEY, key, &mut out, self.tally);
                escape(rest, &mut out);
            }
            if ends.is_some() {
                **lines = None;
            }
        }
        if marks(&plain).last().is_some_and(|mark| mark.begins) {
            **lines = Some(OpenLines {
                name: name.to_vec(),
                has_body: false,
                documents: 0,
            });
        }
        if !out.is_empty() {
            self.replace(string.place.clone(), &out);
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
            1000,
        ));
        lines.push(format!(r#"{{"m":"{BODY}"}}"#));
        let clean = filtered(&lines);
        assert_eq!(clean.get(1..), lines.get(1..));
        assert_eq!(clean[0], r#"{"m":"[private-key]"}"#);
    }
}
