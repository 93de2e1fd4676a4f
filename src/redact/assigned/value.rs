//! Where a value begins and ends behind its name.

use std::ops::Range;

use super::{Sign, check, is_name, skip};

/// Longest value of a quoted text.
pub(super) const VALUE_MAX: usize = 16 << 10;
/// Bytes of a value without quotes by which it is told whether it is a secret. What is one goes to its end. Else a
/// name over and over, each with all the rest as its value, would take the square of its length.
const BARE_SEEN: usize = 512;
/// How Go prints a text with its type.
const GO_TEXT: &[u8] = b"(string) (len=";
/// Longest opening of a list or a call before its first text.
const OPENER_MAX: usize = 40;

/// The value that begins at `start`, without its quotes, and whether it had any.
/// `None` where an object begins: its own names say what is secret in it.
pub(super) fn value_from(text: &[u8], start: usize, sign: Sign) -> Option<(Range<usize>, bool)> {
    let mut at = start;
    // `b"…"`, `f"…"`, `@"…"` of programs.
    if matches!(
        (text.get(at), text.get(at + 1)),
        (Some(b'b' | b'f' | b'r' | b'u' | b'@'), Some(b'"' | b'\''))
    ) {
        at += 1;
    }
    let mut begin = at;
    if let Some(start) = quote_at(text, at) {
        begin = start.begin;
        if let Some(value) = start.value(text) {
            return Some((value, true));
        }
    }
    let end = bare_end(text, begin, sign);
    // `os.environ['API_KEY']` names one.
    let rest = text.get(begin..).unwrap_or_default();
    let is_placeholder = end > begin && text.get(begin..end).is_none_or(check::is_placeholder);
    match opened(text, begin).filter(|_| !is_placeholder || rest.starts_with(GO_TEXT)) {
        Some(Opened::Object) => None,
        Some(Opened::Quote(at)) => {
            let start = quote_at(text, at)?;
            let bare = || (start.begin..bare_end(text, start.begin, sign), false);
            Some(start.value(text).map_or_else(bare, |value| (value, true)))
        }
        None => Some((begin..end, false)),
    }
}

/// A quote that opens a text.
struct Opening {
    quote: u8,
    /// Backslashes before it.
    escapes: usize,
    /// Where the text begins.
    begin: usize,
}

impl Opening {
    /// The text, where it is closed.
    fn value(&self, text: &[u8]) -> Option<Range<usize>> {
        let end = escaped_quote_end(text, self.begin, self.quote, self.escapes)?;
        Some(self.begin..end)
    }
}

/// The quote at a place, or behind the backslashes there.
fn quote_at(text: &[u8], at: usize) -> Option<Opening> {
    let mut at = at;
    let escapes = skip(text, &mut at, 7, |b| b == b'\\');
    let quote = text.get(at).copied().filter(|b| b"\"'`".contains(b))?;
    // Three quotes of a block text.
    let is_block = text.get(at + 1) == Some(&quote) && text.get(at + 2) == Some(&quote);
    Some(Opening {
        quote,
        escapes,
        begin: at + if is_block { 3 } else { 1 },
    })
}

/// What stands where a value should.
enum Opened {
    /// An object.
    Object,
    /// A list or a call, with a quoted text at this place, or behind its backslashes.
    Quote(usize),
}

/// `{`, `["…"`, `Some("…"`, `[]string{"…"`, and `(string) (len=11) "…"` as Go prints it.
fn opened(text: &[u8], at: usize) -> Option<Opened> {
    let rest = text.get(at..text.len().min(at + OPENER_MAX))?;
    let quote = rest.iter().position(|b| b"\"'".contains(b))?;
    let (opener, _) = rest.split_at_checked(quote)?;
    let slashes = opener.iter().rev().take_while(|b| **b == b'\\').count();
    let quote = at + quote - slashes;
    let opener = opener.get(..opener.len() - slashes)?.trim_ascii_end();
    if opener == b"{" {
        return Some(Opened::Object);
    }
    let is_call = |b: &u8| b.is_ascii_alphanumeric() || b"_.:[]({<> ".contains(b);
    let is_opener = match opener.split_last() {
        Some((b'(' | b'[' | b'{', head)) => head.iter().all(is_call) && !head.contains(&b' '),
        _ => opener.starts_with(GO_TEXT),
    };
    is_opener.then_some(Opened::Quote(quote))
}

/// The closing quote that has as many backslashes before it as the opening one.
pub(super) fn escaped_quote_end(
    text: &[u8],
    begin: usize,
    quote: u8,
    escapes: usize,
) -> Option<usize> {
    let limit = text.len().min(begin + VALUE_MAX);
    let window = text.get(begin..limit)?;
    for offset in memchr::memchr_iter(quote, window) {
        let before = window.get(..offset).unwrap_or_default();
        let slashes = before.iter().rev().take_while(|b| **b == b'\\').count();
        if slashes <= escapes {
            return Some(begin + offset - slashes);
        }
    }
    None
}

/// The end of a value without quotes: room, a quote, a delimiter; without punctuation that belongs
/// to the sentence.
fn bare_end(text: &[u8], at: usize, sign: Sign) -> usize {
    let rest = text
        .get(at..text.len().min(at + BARE_SEEN))
        .unwrap_or_default();
    let mut end = rest.iter().position(|b| is_stop(*b)).unwrap_or(rest.len());
    let value = rest.get(..end).unwrap_or_default();
    // Of what goes on nothing is the end yet.
    let is_cut = end == BARE_SEEN;
    // `a=1,b=2` is a list: the comma ends the value where a name follows.
    if let Some(comma) = value.iter().enumerate().position(|(offset, b)| {
        let is_last = offset + 1 == value.len();
        *b == b','
            && !(is_cut && is_last)
            && (sign == Sign::Room || is_list(value.get(offset + 1..).unwrap_or_default()))
    }) {
        end = comma;
    } else if is_cut {
        return at + end;
    }
    while end > 0 && rest.get(end - 1).is_some_and(|b| b",.)}]:!?".contains(b)) {
        let closes = match rest.get(end - 1) {
            Some(b'!' | b'?') => sign != Sign::Equals,
            _ => true,
        };
        if !closes {
            break;
        }
        end -= 1;
    }
    at + end
}

fn is_list(rest: &[u8]) -> bool {
    let name = rest.iter().take_while(|b| is_name(**b)).count();
    name > 0 && matches!(rest.get(name), Some(b'=' | b':')) || rest.is_empty()
}

/// Whether a byte ends a value without quotes.
fn is_stop(byte: u8) -> bool {
    byte.is_ascii_whitespace() || b"\"'`<>;&|\\".contains(&byte)
}

/// The end of a value of which only the beginning was looked at.
pub(super) fn whole_end(text: &[u8], place: &Range<usize>) -> usize {
    if place.len() < BARE_SEEN {
        return place.end;
    }
    let rest = text.get(place.end..).unwrap_or_default();
    let more = rest.iter().position(|b| is_stop(*b));
    more.map_or(text.len(), |more| place.end + more)
}

/// Whether a value stands for one: `[FILTERED]`, `(null)`, `{token}`, whose end was taken for that of the sentence.
pub(super) fn is_stand_in(text: &[u8], place: &Range<usize>) -> bool {
    let value = text.get(place.clone()).unwrap_or_default();
    let Some((first, inside)) = value.split_first() else {
        return true;
    };
    let is_closed = matches!(
        (first, text.get(place.end)),
        (b'[', Some(b']')) | (b'(', Some(b')')) | (b'{', Some(b'}'))
    );
    let is_name = || inside.iter().all(|b| b.is_ascii_alphabetic() || *b == b'_');
    check::is_placeholder(value)
        || is_closed && (check::is_placeholder(inside) || *first == b'{' && is_name())
}
