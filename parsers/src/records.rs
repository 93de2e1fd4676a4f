//! Splitting a body into records, in linear time and without copying.
//!
//! A line that is one whole object is taken as it stands, which is nearly all there is. Everything
//! else (objects side by side, over several lines, in arrays) is followed by the grammar, and where
//! that fails the record ends at the end of its line, so that a broken one costs no neighbour.

use crate::Format;
use crate::scan::{self, Line};

/// Where the splitter stands.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// Between records of the body.
    Top,
    /// Between elements of an array of records; `true` inside `{"events":[…]}`.
    Elements(bool),
}

/// The records of a body, see [`records`].
#[derive(Clone, Debug)]
pub struct Records<'a> {
    body: &'a [u8],
    at: usize,
    place: Place,
    is_lines: bool,
    /// End of the line the last object began on.
    line_end: usize,
    /// Bytes that may still be looked at in vain; bounds the work to a multiple of the body.
    patience: usize,
}

/// Splits a body into records without copying.
///
/// NDJSON, an array (its elements, whatever they are), one object (also over several lines), objects side by side,
/// `{"events":[…]}` and `{"logs":[…]}`, and lines of text; blank lines are skipped. Formats whose
/// records are lines are split at line ends only.
#[must_use]
pub fn records(format: Format, body: &[u8]) -> Records<'_> {
    Records {
        body,
        at: if body.starts_with(b"\xef\xbb\xbf") {
            3
        } else {
            0
        },
        place: Place::Top,
        is_lines: matches!(format, Format::Text | Format::Combined),
        line_end: 0,
        patience: body.len(),
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let (found, is_done) = match self.place {
                Place::Top => self.top(),
                Place::Elements(is_wrapped) => self.element(is_wrapped),
            };
            if found.is_some() || is_done {
                return found;
            }
        }
    }
}

impl<'a> Records<'a> {
    /// The next record between records, and whether the body is at its end.
    fn top(&mut self) -> (Option<&'a [u8]>, bool) {
        while let Some(byte) = self.body.get(self.at) {
            if byte.is_ascii_whitespace() || (*byte == b',' && self.follows_object()) {
                self.at += 1;
            } else {
                break;
            }
        }
        let Some(first) = self.body.get(self.at) else {
            return (None, true);
        };
        if self.is_lines {
            return (Some(self.line()), false);
        }
        match first {
            b'{' => {
                if let Some(inside) = wrapper(self.body, self.at) {
                    self.at = inside;
                    self.place = Place::Elements(true);
                    return (None, false);
                }
                (Some(self.object()), false)
            }
            b'[' if opens_array(self.body, self.at) || self.is_array() => {
                self.at += 1;
                self.place = Place::Elements(false);
                (None, false)
            }
            _ => (Some(self.line()), false),
        }
    }

    /// Whether a whole array stands here, of anything, with nothing behind it on its line: what begins with a
    /// scalar may as well be a line of text (`[2026-11-21] …`, `[error] 7#0: …`).
    fn is_array(&mut self) -> bool {
        if self.patience == 0 || !scan::begins_array(self.body, self.at) {
            return false;
        }
        match scan::value_end(self.body, self.at) {
            Ok(end) => {
                let rest = self.body.get(end..).unwrap_or_default();
                let line = rest.split(|byte| *byte == b'\n').next();
                let is_alone = line.unwrap_or_default().trim_ascii().is_empty();
                if !is_alone {
                    self.waste(end.saturating_sub(self.at));
                }
                is_alone
            }
            Err(fail) => {
                self.waste(fail.at.saturating_sub(self.at));
                false
            }
        }
    }

    /// Whether what stands before the comma here is the end of an object.
    fn follows_object(&self) -> bool {
        let before = self.at.checked_sub(1).and_then(|at| self.body.get(at));
        matches!(before, Some(b'}' | b']' | b',' | b' ' | b'\n')) && !self.is_lines
    }

    /// The rest of the line.
    fn line(&mut self) -> &'a [u8] {
        let rest = self.body.get(self.at..).unwrap_or_default();
        let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        self.take(self.at + length)
    }

    /// Everything up to `end`, without space at its end.
    fn take(&mut self, end: usize) -> &'a [u8] {
        let record = self.body.get(self.at..end).unwrap_or_default();
        self.at = end;
        record.trim_ascii_end()
    }

    fn object(&mut self) -> &'a [u8] {
        // Objects side by side share a line: its end is looked for, and its braces counted, only
        // once.
        let is_first = self.at >= self.line_end;
        if is_first {
            let rest = self.body.get(self.at..).unwrap_or_default();
            self.line_end = self.at + memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        }
        let line_end = self.line_end;
        let line = self.body.get(self.at..line_end).unwrap_or_default();
        if is_first && is_one_object(line.trim_ascii_end()) {
            return self.take(line_end);
        }
        match scan::close(line, 0, 0) {
            Line::Closed(end) => self.take(self.at + end),
            Line::Open if line_end < self.body.len() && self.patience > 0 => {
                match scan::value_end(self.body, self.at) {
                    Ok(end) => self.take(end),
                    Err(fail) => {
                        self.waste(fail.at.saturating_sub(self.at));
                        self.take(line_end)
                    }
                }
            }
            Line::Open | Line::InString => self.take(line_end),
        }
    }

    /// Counts bytes looked at in vain; a body that wastes too many is split at line ends only.
    fn waste(&mut self, bytes: usize) {
        self.patience = self.patience.saturating_sub(bytes);
        if self.patience == 0 && matches!(self.place, Place::Elements(_)) {
            self.place = Place::Top;
            self.is_lines = true;
        }
    }

    fn element(&mut self, is_wrapped: bool) -> (Option<&'a [u8]>, bool) {
        while let Some(byte) = self.body.get(self.at) {
            if byte.is_ascii_whitespace() || *byte == b',' {
                self.at += 1;
            } else {
                break;
            }
        }
        match self.body.get(self.at) {
            None => return (None, true),
            Some(b']') => {
                self.at += 1;
                self.place = Place::Top;
                if is_wrapped {
                    self.leave_wrapper();
                }
                return (None, false);
            }
            Some(b'}') => {
                self.at += 1;
                self.place = Place::Top;
                return (None, false);
            }
            Some(_) => {}
        }
        match scan::value_end(self.body, self.at) {
            Ok(end) => (Some(self.take(end)), false),
            Err(fail) => (Some(self.broken_element(fail)), false),
        }
    }

    /// A broken element ends where the next one begins; where none does, at its line's end.
    fn broken_element(&mut self, fail: scan::Fail) -> &'a [u8] {
        let from = fail.string.max(self.at + 1);
        self.waste(fail.at.saturating_sub(self.at) + 1);
        let rest = self.body.get(from..).unwrap_or_default();
        for found in memchr::memchr_iter(b'{', rest) {
            let brace = from + found;
            let before = self.body.get(self.at..brace).unwrap_or_default();
            let trimmed = before.trim_ascii_end();
            let gap = before.get(trimmed.len()..).unwrap_or_default();
            if trimmed.ends_with(b",") || gap.contains(&b'\n') {
                self.waste(found);
                let record = trimmed.strip_suffix(b",").unwrap_or(trimmed);
                self.at = brace;
                return record.trim_ascii_end();
            }
        }
        self.waste(rest.len());
        self.place = Place::Top;
        self.line()
    }

    /// Skips what follows the array inside `{"events":[…], … }`.
    fn leave_wrapper(&mut self) {
        let rest = self.body.get(self.at..).unwrap_or_default();
        if self.patience == 0 {
            return;
        }
        match scan::close(rest, 0, 1) {
            Line::Closed(end) => self.at += end,
            Line::Open | Line::InString => self.waste(rest.len()),
        }
    }
}

/// Whether a line looks like exactly one object: braces at both ends, as many closed as opened, and
/// nowhere one object behind another. Strings that hold braces may fool it, at worst into the slow
/// path or into one record that does not parse.
fn is_one_object(line: &[u8]) -> bool {
    if !line.ends_with(b"}") {
        return false;
    }
    let mut balance = 0i64;
    for at in memchr::memchr2_iter(b'{', b'}', line) {
        if line.get(at) == Some(&b'{') {
            if balance == 0 && at > 0 {
                return false;
            }
            balance += 1;
        } else {
            balance -= 1;
        }
    }
    balance == 0
}

/// Whether `[` opens an array of records rather than a line of text such as `[2026-11-21] …`.
fn opens_array(body: &[u8], at: usize) -> bool {
    let next = scan::skip_space(body, at + 1);
    matches!(body.get(next), Some(b'{' | b']'))
}

/// Position inside the array of `{"events":[{` and its like.
fn wrapper(body: &[u8], at: usize) -> Option<usize> {
    let rest = body.get(scan::skip_space(body, at + 1)..)?;
    let name = ["\"events\"", "\"logs\"", "\"records\""]
        .into_iter()
        .find(|name| rest.starts_with(name.as_bytes()))?;
    let colon = scan::skip_space(rest, name.len());
    let bracket = scan::skip_space(rest, colon + 1);
    let is_array = rest.get(colon) == Some(&b':') && rest.get(bracket) == Some(&b'[');
    let offset = body.len() - rest.len() + bracket;
    (is_array && opens_array(body, offset)).then_some(offset + 1)
}
