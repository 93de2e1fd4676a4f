//! Encodings of values: UTF-16, Base64, placeholders.

use crate::modifiers::{Placeholders, VARIANTS_MAX};

/// UTF-16, big or little endian, with or without a byte order mark.
pub(crate) fn utf16(text: &str, big: bool, marked: bool) -> Vec<u8> {
    let mark: &[u8] = if marked { &[0xff, 0xfe] } else { &[] };
    let unit = |unit: u16| {
        if big {
            unit.to_be_bytes()
        } else {
            unit.to_le_bytes()
        }
    };
    let units = text.encode_utf16().flat_map(unit);
    mark.iter().copied().chain(units).collect()
}

/// Base64 with padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| chunk.get(at).map_or(0, |b| u32::from(*b));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4usize {
            let digit = usize::try_from(bits >> (18 - 6 * place) & 63).unwrap_or(0);
            let known = place <= chunk.len();
            let digit = DIGITS.get(digit).filter(|_| known).copied().unwrap_or(b'=');
            text.push(char::from(digit));
        }
    }
    text
}

/// The part that is the same wherever the bytes stand in a longer text, for each of the three places.
pub(crate) fn base64_offsets(bytes: &[u8]) -> Vec<String> {
    let variant = |shift: usize| {
        let mut padded = vec![b' '; shift];
        padded.extend_from_slice(bytes);
        let text = base64(&padded);
        let start = [0, 2, 3].get(shift).copied().unwrap_or(0);
        let cut = match padded.len() % 3 {
            0 => 0,
            1 => 3,
            _ => 2,
        };
        let end = text.len().saturating_sub(cut);
        text.get(start..end.max(start))
            .unwrap_or_default()
            .to_owned()
    };
    (0..3)
        .map(variant)
        .filter(|text| !text.is_empty())
        .collect()
}

/// `%name%` replaced by each value of its list; `\%` is a percent sign.
pub(crate) fn expand(text: &str, placeholders: &Placeholders) -> Result<Vec<String>, String> {
    let mut all = vec![String::new()];
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let (before, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
        let behind = from.strip_prefix('%').unwrap_or_default();
        let escaped = before.strip_suffix('\\');
        let name = behind.split_once('%').filter(|(name, _)| is_name(name));
        match (escaped, name) {
            (Some(before), _) => {
                all.iter_mut().for_each(|t| t.extend([before, "%"]));
                rest = behind;
            }
            (None, None) => {
                all.iter_mut().for_each(|t| t.extend([before, "%"]));
                rest = behind;
            }
            (None, Some((name, tail))) => {
                let Some(values) = placeholders.get(name) else {
                    return Err(format!("placeholder `%{name}%` has no list of values"));
                };
                if all.len().saturating_mul(values.len()) > VARIANTS_MAX {
                    return Err(format!("placeholders make more than {VARIANTS_MAX} values"));
                }
                let each = |t: &String| {
                    let head = format!("{t}{before}");
                    values.iter().map(move |v| format!("{head}{v}"))
                };
                all = all.iter().flat_map(each).collect();
                rest = tail;
            }
        }
    }
    all.iter_mut().for_each(|t| t.push_str(rest));
    Ok(all)
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
}
