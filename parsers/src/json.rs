//! JSON objects to flat fields, in one pass and without a document in between.

use std::borrow::Cow;

use crate::{Entry, Note, Options, Parsed, Value, scan, text};

/// Levels that are followed by calls whatever the options say.
const DEPTH_HARD_MAX: usize = 128;
/// Fields of an object that was not read to its end which are left out: as far as the halves of a pair
/// may stand apart.
const OPEN_FIELDS: usize = 6;

/// Reads one object; `false` where the text is not one (`parsed` then holds a part of it).
pub(crate) fn parse<'a>(parsed: &mut Parsed<'a>, text: &'a str, options: &Options) -> bool {
    if !text.starts_with('{') {
        return false;
    }
    let is_cut = parsed.notes.contains(&Note::RecordTruncated);
    let mut reader = Reader {
        text,
        bytes: text.as_bytes(),
        at: 1,
        depth_max: options.depth_max.min(DEPTH_HARD_MAX),
        options,
        path: String::new(),
        is_full: false,
        parsed,
    };
    let is_object = reader.object(1).is_some() && reader.peek().is_none();
    if !is_object {
        reader.leave_open();
    }
    // Of a record that was cut, or has more fields than fit, the beginning is kept.
    let is_full = reader.is_full;
    is_object || is_full || (is_cut && !parsed.fields.is_empty())
}

struct Reader<'a, 'p> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    depth_max: usize,
    options: &'p Options,
    /// Name of the object being read; empty at the top.
    path: String,
    is_full: bool,
    parsed: &'p mut Parsed<'a>,
}

/// `None` ends the record: malformed, or full.
type Step<T> = Option<T>;

impl<'a> Reader<'a, '_> {
    /// The next byte that is not space.
    #[inline(always)]
    fn peek(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        if byte > b' ' {
            return Some(byte);
        }
        self.at = scan::skip_space(self.bytes, self.at);
        self.bytes.get(self.at).copied()
    }

    #[inline(always)]
    fn expect(&mut self, wanted: u8) -> Step<()> {
        if self.peek()? != wanted {
            return None;
        }
        self.at += 1;
        Some(())
    }

    /// The members of an object whose brace is behind us.
    fn object(&mut self, depth: usize) -> Step<()> {
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.expect(b'"')?;
            let key = self.string()?;
            self.expect(b':')?;
            match self.peek()? {
                b'{' | b'[' => self.nested(key, depth)?,
                first => {
                    let value = self.scalar(first)?;
                    self.push(key, value)?;
                }
            }
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    /// An object or array that is the value of `key`.
    fn nested(&mut self, key: Cow<'a, str>, depth: usize) -> Step<()> {
        if depth >= self.depth_max {
            return self.skip();
        }
        let is_object = self.bytes.get(self.at) == Some(&b'{');
        self.at += 1;
        if is_object {
            let base = self.path.len();
            self.enter(&key);
            self.object(depth + 1)?;
            self.path.truncate(base);
            Some(())
        } else {
            let name = self.full_name(key);
            self.array(name, depth + 1)
        }
    }

    /// The elements of an array whose bracket is behind us.
    fn array(&mut self, name: Cow<'a, str>, depth: usize) -> Step<()> {
        if self.peek()? == b']' {
            self.at += 1;
            return Some(());
        }
        for index in 0usize.. {
            match self.peek()? {
                b'{' | b'[' if depth >= self.depth_max => self.skip()?,
                b'{' => {
                    self.at += 1;
                    let outer = std::mem::replace(&mut self.path, format!("{name}.{index}"));
                    self.object(depth + 1)?;
                    self.path = outer;
                }
                b'[' => {
                    self.at += 1;
                    self.array(Cow::Owned(format!("{name}.{index}")), depth + 1)?;
                }
                first => {
                    let value = self.scalar(first)?;
                    self.push_named(name.clone(), value)?;
                }
            }
            match self.peek()? {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
        None
    }

    /// Leaves out a subtree that is too deep.
    fn skip(&mut self) -> Step<()> {
        self.parsed.note(Note::DepthTruncated);
        self.at = scan::value_end(self.bytes, self.at).ok()?;
        Some(())
    }

    /// Leaves out the last fields of the object that was open where reading ended: what says that one of
    /// them is secret (`{"value":"…","name":"Authorization"}`) may stand behind the end.
    fn leave_open(&mut self) {
        if self.path.is_empty() {
            return;
        }
        let inside = format!("{}.", self.path);
        for _ in 0..OPEN_FIELDS {
            let last = self.parsed.fields.last();
            if !last.is_some_and(|entry| entry.name.starts_with(&inside)) {
                break;
            }
            self.parsed.fields.pop();
        }
    }

    /// Bytes that are left for a key behind the path and its dot.
    fn room(&self) -> usize {
        let dot = usize::from(!self.path.is_empty());
        let taken = self.path.len() + dot;
        self.options.name_bytes_max.saturating_sub(taken)
    }

    fn enter(&mut self, key: &str) {
        let room = self.room();
        let key = if key.len() > room {
            self.parsed.note(Note::NameTruncated);
            // Longer paths would only be cut again at each of their fields.
            text::cut(text::LONG_NAME, room + 1)
        } else {
            key
        };
        if !self.path.is_empty() {
            self.path.push('.');
        }
        self.path.push_str(key);
    }

    fn full_name(&mut self, key: Cow<'a, str>) -> Cow<'a, str> {
        let key = if key.len() > self.room() {
            self.parsed.note(Note::NameTruncated);
            Cow::Borrowed(text::LONG_NAME)
        } else {
            key
        };
        if self.path.is_empty() {
            return key;
        }
        let mut name = String::with_capacity(self.path.len() + 1 + key.len());
        name.push_str(&self.path);
        name.push('.');
        name.push_str(&key);
        Cow::Owned(name)
    }

    #[inline(always)]
    fn push(&mut self, key: Cow<'a, str>, value: Value<'a>) -> Step<()> {
        let fits = self.parsed.fields.len() < self.options.fields_max
            && key.len() <= self.options.name_bytes_max;
        if fits && self.path.is_empty() {
            self.parsed.fields.push(Entry { name: key, value });
            return Some(());
        }
        let name = self.full_name(key);
        self.push_named(name, value)
    }

    #[inline(never)]
    fn push_named(&mut self, name: Cow<'a, str>, value: Value<'a>) -> Step<()> {
        if self.parsed.fields.len() >= self.options.fields_max {
            self.parsed.note(Note::FieldsTruncated);
            self.is_full = true;
            return None;
        }
        let name = if name.len() > self.options.name_bytes_max {
            // Only the stand-in for a long name or a position in an array goes beyond the bound.
            self.parsed.note(Note::NameTruncated);
            cut(name, self.options.name_bytes_max)
        } else {
            name
        };
        self.parsed.push(name, value);
        Some(())
    }

    #[inline(always)]
    fn scalar(&mut self, first: u8) -> Step<Value<'a>> {
        match first {
            b'"' => {
                self.at += 1;
                let text = self.string()?;
                if text.len() > self.options.value_bytes_max {
                    return Some(self.too_long(text));
                }
                Some(Value::Str(text))
            }
            b'-' | b'0'..=b'9' => {
                let end = number_end(self.bytes, self.at);
                match end.filter(|end| is_end(self.bytes.get(*end))) {
                    Some(end) if end - self.at <= self.options.value_bytes_max => {
                        let text = self.text.get(self.at..end)?;
                        self.at = end;
                        Some(Value::Num(Cow::Borrowed(text)))
                    }
                    _ => self.odd(),
                }
            }
            b't' => self.word("true", Value::Bool(true)),
            b'f' => self.word("false", Value::Bool(false)),
            b'n' => self.word("null", Value::Null),
            _ => self.odd(),
        }
    }

    #[cold]
    fn too_long(&mut self, text: Cow<'a, str>) -> Value<'a> {
        self.parsed.note(Note::ValueTruncated);
        let kept = text::bounded(&text, self.options.value_bytes_max).len();
        Value::Str(cut(text, kept))
    }

    #[inline]
    fn word(&mut self, word: &str, value: Value<'a>) -> Step<Value<'a>> {
        let end = self.at + word.len();
        if self.bytes.get(self.at..end)? != word.as_bytes() || !is_end(self.bytes.get(end)) {
            return None;
        }
        self.at = end;
        Some(value)
    }

    /// Numbers JSON does not know (`007`, `.5`, `NaN`) are kept as text.
    #[cold]
    fn odd(&mut self) -> Step<Value<'a>> {
        let end = scan::scalar_end(self.bytes, self.at)?;
        let token = self.text.get(self.at..end)?;
        let is_number_like = token.starts_with(|c: char| "+-.0123456789".contains(c));
        if !is_end(self.bytes.get(end))
            || !(is_number_like || token == "NaN" || token == "Infinity")
        {
            return None;
        }
        self.at = end;
        let kept = text::bounded(token, self.options.value_bytes_max);
        if kept.len() < token.len() {
            self.parsed.note(Note::ValueTruncated);
        }
        Some(Value::Str(Cow::Borrowed(kept)))
    }

    /// A string whose opening quote is behind us.
    #[inline(always)]
    fn string(&mut self) -> Step<Cow<'a, str>> {
        let start = self.at;
        let end = scan::quote_or_escape(self.bytes, start)?;
        if self.bytes.get(end) == Some(&b'"') {
            self.at = end + 1;
            return self.text.get(start..end).map(Cow::Borrowed);
        }
        self.escaped(start, end).map(Cow::Owned)
    }

    /// A string from `start` with its first backslash at `escape`.
    #[cold]
    fn escaped(&mut self, start: usize, mut escape: usize) -> Step<String> {
        let mut out = String::with_capacity((escape - start) * 2 + 16);
        let mut from = start;
        loop {
            out.push_str(self.text.get(from..escape)?);
            if self.bytes.get(escape) == Some(&b'"') {
                self.at = escape + 1;
                return Some(out);
            }
            let (character, behind) = self.unescape(escape + 1)?;
            out.push(character);
            from = behind;
            escape = scan::quote_or_escape(self.bytes, from)?;
        }
    }

    /// The character of the escape whose letter is at `at`, and the position behind it.
    fn unescape(&self, at: usize) -> Step<(char, usize)> {
        let plain = match self.bytes.get(at)? {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(at + 1),
            _ => return None,
        };
        Some((plain, at + 1))
    }

    fn unicode(&self, at: usize) -> Step<(char, usize)> {
        let high = self.hex(at)?;
        if (0xd800..0xdc00).contains(&high) && self.bytes.get(at + 4..at + 6) == Some(b"\\u") {
            let low = self.hex(at + 6)?;
            if (0xdc00..0xe000).contains(&low) {
                let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                return Some((char::from_u32(code)?, at + 10));
            }
        }
        // A lone surrogate is no character.
        Some((char::from_u32(high).unwrap_or('\u{fffd}'), at + 4))
    }

    fn hex(&self, at: usize) -> Step<u32> {
        self.bytes.get(at..at + 4)?.iter().try_fold(0, |sum, byte| {
            Some(sum << 4 | char::from(*byte).to_digit(16)?)
        })
    }
}

/// Whether a scalar may end before this byte. At the end of a record an object is not closed: a number
/// there has been cut.
#[inline]
fn is_end(byte: Option<&u8>) -> bool {
    matches!(
        byte,
        Some(b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t')
    )
}

/// Position behind a number by the JSON grammar.
#[inline]
fn number_end(bytes: &[u8], from: usize) -> Option<usize> {
    let digits = |mut at: usize| {
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        at
    };
    let mut at = from;
    if bytes.get(at) == Some(&b'-') {
        at += 1;
    }
    let whole = digits(at);
    if whole == at || (bytes.get(at) == Some(&b'0') && whole > at + 1) {
        return None;
    }
    at = whole;
    if bytes.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        if fraction == at + 1 {
            return None;
        }
        at = fraction;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        at += 1;
        if let Some(b'+' | b'-') = bytes.get(at) {
            at += 1;
        }
        let exponent = digits(at);
        if exponent == at {
            return None;
        }
        at = exponent;
    }
    Some(at)
}

/// At most `bytes_max` bytes, whole characters.
fn cut(text: Cow<'_, str>, bytes_max: usize) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text::cut(text, bytes_max)),
        Cow::Owned(mut text) => {
            let kept = text::cut(&text, bytes_max).len();
            text.truncate(kept);
            Cow::Owned(text)
        }
    }
}
