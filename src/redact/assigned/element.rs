//! The text of an XML element behind its name: `<password>…</password>`, with a prefix
//! (`<wsse:Password>`), attributes or CDATA.

use std::ops::Range;

use super::is_name;
use super::value::VALUE_MAX;

/// Longest prefix of a name.
const PREFIX_MAX: usize = 32;
/// Longest attributes.
const ATTRIBUTES_MAX: usize = 512;

/// Whether a name opens an element.
pub(super) fn is_open(text: &[u8], name: &Range<usize>) -> bool {
    let before = text.get(..name.start).unwrap_or_default();
    let Some(before) = before.strip_suffix(b":") else {
        return before.ends_with(b"<");
    };
    let prefix = before
        .iter()
        .rev()
        .take(PREFIX_MAX)
        .take_while(|b| is_name(**b))
        .count();
    prefix > 0 && before.len() > prefix && before.get(before.len() - prefix - 1) == Some(&b'<')
}

/// The text of the element that `name` opens. `None` where it is not closed: `<token>` also stands
/// for something to fill in.
pub(super) fn text_of(text: &[u8], name: &Range<usize>) -> Option<Range<usize>> {
    if !is_open(text, name) {
        return None;
    }
    let rest = text.get(name.end..)?;
    let attributes = match rest.first()? {
        b'>' => 0,
        b if b.is_ascii_whitespace() => rest
            .iter()
            .take(ATTRIBUTES_MAX)
            .position(|b| b"<>".contains(b))?,
        _ => return None,
    };
    if rest.get(attributes) != Some(&b'>') {
        return None;
    }
    let start = name.end + attributes + 1;
    let limit = text.len().min(start + VALUE_MAX);
    let inside = text.get(start..limit)?;
    if let Some(data) = inside.strip_prefix(b"<![CDATA[") {
        let start = start + 9;
        return Some(start..start + memchr::memmem::find(data, b"]]>")?);
    }
    let end = memchr::memchr(b'<', inside)?;
    let closes = matches!(inside.get(end + 1..), Some([b'/', ..] | [b'\\', b'/', ..]));
    let written = inside.get(..end)?;
    let room = written.len() - written.trim_ascii_start().len();
    let start = start + room;
    closes.then(|| start..start + written.trim_ascii().len())
}
