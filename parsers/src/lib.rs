//! Bytes to fields: every log format Wardline reads, as pure functions.
//!
//! [`records`] splits a body, [`parse`] turns one record into flat, bounded fields. Parsing cannot
//! fail: any bytes become a [`Parsed`], and what was not understood is a [`Note`] on it. This crate
//! knows nothing of the rest of the product, of time, of disk or of the network.

mod access_log;
mod detect;
mod fields;
mod json;
mod options;
mod records;
mod scan;
mod text;
mod time;

#[cfg(test)]
mod tests;

pub use fields::{Entry, Fields, Note, Parsed, Value};
pub use options::Options;
pub use records::{Records, records};
pub use time::time;

/// A log format by the name users give it (`?format=`, `--format`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Format {
    /// Decide per record from its first bytes and its keys.
    #[default]
    Auto,
    /// Any JSON object.
    Json,
    /// JSON with Elastic Common Schema names.
    Ecs,
    /// nginx `log_format … escape=json`.
    NginxJson,
    /// Apache/nginx combined access log.
    Combined,
    /// One line of text, kept as the message.
    Text,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 6] = [
        Self::Auto,
        Self::Json,
        Self::Ecs,
        Self::NginxJson,
        Self::Combined,
        Self::Text,
    ];

    /// The name users write.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Json => "json",
            Self::Ecs => "ecs",
            Self::NginxJson => "nginx_json",
            Self::Combined => "combined",
            Self::Text => "text",
        }
    }

    /// The format users name so.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Format> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Whether records are JSON objects.
    #[must_use]
    pub const fn is_json(self) -> bool {
        matches!(self, Self::Json | Self::Ecs | Self::NginxJson)
    }
}

/// Parses one record with the default bounds. Total: any bytes at all give a [`Parsed`].
#[must_use]
pub fn parse(format: Format, record: &[u8]) -> Parsed<'_> {
    let mut parsed = Parsed::default();
    parse_into(&mut parsed, format, record, &Options::DEFAULT);
    parsed
}

/// Parses one record into `parsed`, whose memory is used again; what it held is forgotten.
pub fn parse_into<'a>(
    parsed: &mut Parsed<'a>,
    format: Format,
    record: &'a [u8],
    options: &Options,
) {
    parsed.clear();
    let (record, is_cut) = cut(record, options.record_bytes_max);
    if is_cut {
        parsed.note(Note::RecordTruncated);
    }
    match std::str::from_utf8(record) {
        Ok(text) => parse_text(parsed, format, text, options),
        Err(_) => {
            // Rare: a copy with U+FFFD in place of each bad sequence, parsed and then made
            // independent.
            let text = String::from_utf8_lossy(record);
            let mut replaced = Parsed::default();
            if is_cut {
                replaced.note(Note::RecordTruncated);
            }
            parse_text(&mut replaced, format, &text, options);
            parsed.take_owned(replaced);
            parsed.note(Note::InvalidUtf8);
        }
    }
}

fn parse_text<'a>(parsed: &mut Parsed<'a>, format: Format, text: &'a str, options: &Options) {
    let trimmed = text.trim_ascii();
    let is_object = trimmed.starts_with('{');
    // JSON says itself which of its values the cut has torn.
    let whole = if parsed.notes.contains(&Note::RecordTruncated) {
        text::whole(text)
    } else {
        text
    };
    let done = match format {
        Format::Text => false,
        Format::Combined => access_log::parse(parsed, whole.trim_ascii(), options),
        Format::Auto if !is_object => access_log::parse(parsed, whole.trim_ascii(), options),
        Format::Auto | Format::Json | Format::Ecs | Format::NginxJson => {
            json::parse(parsed, trimmed, options)
        }
    };
    if done {
        parsed.format = match format {
            Format::Auto if is_object => detect::json_kind(&parsed.fields),
            Format::Auto => Format::Combined,
            declared => declared,
        };
        return;
    }
    parsed.fields.clear();
    text::parse(parsed, whole, options);
    let is_unread = match format {
        Format::Auto => is_object || scan::is_value(trimmed),
        Format::Text => false,
        _ => true,
    };
    if is_unread {
        parsed.note(Note::Unparsed);
        parsed.format = if format == Format::Auto {
            Format::Json
        } else {
            format
        };
    }
}

fn cut(record: &[u8], bytes_max: usize) -> (&[u8], bool) {
    match record.split_at_checked(bytes_max) {
        Some((head, rest)) if !rest.is_empty() => {
            // Not in the middle of a character: at most three bytes back.
            let back = head
                .iter()
                .rev()
                .take(4)
                .position(|byte| byte & 0xc0 != 0x80)
                .unwrap_or(0);
            let whole = head.len().saturating_sub(back + 1);
            let is_boundary = rest.first().is_none_or(|byte| byte & 0xc0 != 0x80);
            let end = if is_boundary { head.len() } else { whole };
            (head.get(..end).unwrap_or(head), true)
        }
        _ => (record, false),
    }
}
