//! Correlation ids: one normal form for all the ways the same id is written.
//!
//! The index stores the forms of every id of an event and a query asks for the forms of the id it
//! was given; two spellings of one id always share a form. Shapes: reference/ingest.md §4.5.

/// Ids longer than this are cut: they are chosen by clients.
pub const ID_BYTES_MAX: usize = 128;

/// The normal forms of an id as it was written, one to three, without duplicates.
///
/// Lower case; UUIDs without dashes; `traceparent`, `b3`, `sentry-trace` and `uber-trace-id` as
/// trace and span; `Root=1-a-b` as 32 hex digits; `CF-Ray` without the data centre; a 64-bit trace
/// id padded to 128 bits without the padding; Datadog's decimal ids also in hex; `|root.1.` also as
/// its root, `uuid#7` also as its UUID.
#[must_use]
pub fn id_forms(raw: &str) -> Vec<String> {
    let mut forms = Vec::with_capacity(1);
    each_id_form(raw, |form| forms.push(form.to_owned()));
    forms
}

/// Calls `found` with every normal form of an id, like [`id_forms`] and without allocating.
pub fn each_id_form(raw: &str, mut found: impl FnMut(&str)) {
    let raw = raw.trim_matches(|c: char| c.is_whitespace() || c == '"' || c == '\'');
    let raw = raw.as_bytes();
    if raw.is_empty() {
        return;
    }
    if let Some(id) = trace_id(raw) {
        return found(id);
    }
    if let Some(id) = uuid(raw) {
        return found(std::str::from_utf8(&id).unwrap_or_default());
    }
    if is_hex(raw) {
        return found_plain(unpadded(raw), &mut found);
    }
    if let Some((trace, span)) = trace_and_span(raw) {
        found_plain(unpadded(trace), &mut found);
        if let Some(span) = span.filter(|span| unpadded(span) != unpadded(trace)) {
            found_plain(span, &mut found);
        }
        return;
    }
    if let Some(decimal) = datadog(raw) {
        found_lower(raw, &mut found);
        found_plain(format!("{decimal:016x}").as_bytes(), &mut found);
        return;
    }
    found_lower(raw, &mut found);
    if let Some(root) = rooted(raw) {
        found_plain(unpadded(root), &mut found);
    }
}

/// A trace id as nearly all are written, which is its own normal form: 32 hex digits in lower case, no padding.
fn trace_id(raw: &[u8]) -> Option<&str> {
    if raw.len() != 32 || raw.starts_with(b"0000000000000000") {
        return None;
    }
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_plain = raw.iter().fold(true, |all, byte| all & is_digit(byte));
    std::str::from_utf8(raw).ok().filter(|_| is_plain)
}

/// The digits of a UUID in lower case. All bytes are looked at together: most ids are UUIDs.
fn uuid(raw: &[u8]) -> Option<[u8; 32]> {
    let raw: &[u8; 36] = raw.try_into().ok()?;
    if [raw[8], raw[13], raw[18], raw[23]] != [b'-'; 4] {
        return None;
    }
    let mut digits = [0u8; 32];
    digits[..8].copy_from_slice(&raw[..8]);
    digits[8..12].copy_from_slice(&raw[9..13]);
    digits[12..16].copy_from_slice(&raw[14..18]);
    digits[16..20].copy_from_slice(&raw[19..23]);
    digits[20..].copy_from_slice(&raw[24..]);
    let is_hex = |byte: &u8| byte.is_ascii_hexdigit();
    let is_uuid = digits.iter().fold(true, |all, byte| all & is_hex(byte));
    digits.make_ascii_lowercase();
    is_uuid.then_some(digits)
}

/// Hands out the text lower-cased and, where it is an id of hex digits, without its dashes.
fn found_plain(raw: &[u8], found: &mut impl FnMut(&str)) {
    if is_uuid(raw) || amazon(raw).is_some() {
        let skip = if raw.len() == 36 { 0 } else { 2 };
        let mut buffer = [0u8; 32];
        let mut to = buffer.iter_mut();
        for byte in raw.iter().skip(skip).filter(|byte| **byte != b'-') {
            if let Some(slot) = to.next() {
                *slot = byte.to_ascii_lowercase();
            }
        }
        found_lower(&buffer, found);
    } else {
        found_lower(raw, found);
    }
}

fn found_lower(raw: &[u8], found: &mut impl FnMut(&str)) {
    let mut buffer = [0u8; ID_BYTES_MAX];
    let mut length = 0;
    for (slot, byte) in buffer.iter_mut().zip(raw) {
        *slot = byte.to_ascii_lowercase();
        length += 1;
    }
    let text = buffer.get(..length).unwrap_or_default();
    match std::str::from_utf8(text) {
        Ok(text) => found(text),
        // Only a cut inside a character gets here.
        Err(error) => {
            let whole = text.get(..error.valid_up_to()).unwrap_or_default();
            found(std::str::from_utf8(whole).unwrap_or_default());
        }
    }
}

fn is_hex(raw: &[u8]) -> bool {
    raw.iter().all(u8::is_ascii_hexdigit) && !raw.iter().all(u8::is_ascii_digit)
        || raw.len() == 32 && raw.iter().all(u8::is_ascii_hexdigit)
}

fn hex_of(raw: &[u8], length: usize) -> bool {
    raw.len() == length && raw.iter().all(u8::is_ascii_hexdigit)
}

/// `8-4-4-4-12` hex digits.
#[must_use]
pub fn is_uuid(raw: &[u8]) -> bool {
    raw.len() == 36
        && raw.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// A 64-bit trace id written with 128 bits is the 64-bit one.
fn unpadded(raw: &[u8]) -> &[u8] {
    match raw.split_at_checked(16) {
        Some((zeros, rest)) if rest.len() == 16 && zeros.iter().all(|byte| *byte == b'0') => rest,
        _ => raw,
    }
}

/// `1-5759e988-bd862e3fe1be46a994272793`.
fn amazon(raw: &[u8]) -> Option<&[u8]> {
    let rest = raw.strip_prefix(b"1-")?;
    let (time, random) = rest.split_at_checked(8)?;
    let random = random.strip_prefix(b"-")?;
    (hex_of(time, 8) && hex_of(random, 24)).then_some(raw)
}

/// The trace id and the span id of the composite carriers.
#[must_use]
pub(crate) fn trace_and_span(raw: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    if let Some(plain) = amazon(raw) {
        return Some((plain, None));
    }
    if raw.contains(&b'=')
        && let Some(at) = find(raw, b"Root=").or_else(|| find(raw, b"root="))
    {
        let root = raw.get(at + 5..)?.split(|byte| *byte == b';').next()?;
        return amazon(root).map(|root| (root, None));
    }
    if raw.contains(&b':') {
        // uber-trace-id: trace:span:parent:flags, leading zeros may be missing
        let mut parts = raw.split(|byte| *byte == b':');
        let (trace, span) = (parts.next()?, parts.next()?);
        let fits = |part: &[u8]| part.len() >= 8 && part.iter().all(u8::is_ascii_hexdigit);
        return (parts.count() == 2 && fits(trace) && fits(span)).then_some((trace, Some(span)));
    }
    if let Some(slash) = raw.iter().position(|byte| *byte == b'/') {
        // X-Cloud-Trace-Context: 32 hex / decimal span ; o=1
        let trace = raw.get(..slash)?;
        return hex_of(trace, 32).then_some((trace, None));
    }
    let mut parts = raw.split(|byte| *byte == b'-');
    let first = parts.next()?;
    let second = parts.next()?;
    if hex_of(first, 2) && hex_of(second, 32) {
        // traceparent
        let span = parts.next().filter(|span| hex_of(span, 16))?;
        return Some((second, Some(span)));
    }
    if (hex_of(first, 32) || hex_of(first, 16)) && hex_of(second, 16) {
        // b3 in one header, sentry-trace
        return Some((first, Some(second)));
    }
    let is_colo = second.len() == 3 && second.iter().all(u8::is_ascii_alphabetic);
    if hex_of(first, 16) && is_colo && parts.next().is_none() {
        // CF-Ray
        return Some((first, None));
    }
    None
}

fn find(raw: &[u8], part: &[u8]) -> Option<usize> {
    raw.windows(part.len()).position(|window| window == part)
}

/// A random 64-bit number in decimal, as Datadog writes trace ids.
fn datadog(raw: &[u8]) -> Option<u64> {
    let fits = (15..=20).contains(&raw.len()) && raw.iter().all(u8::is_ascii_digit);
    if !fits {
        return None;
    }
    std::str::from_utf8(raw).ok()?.parse().ok()
}

/// The root of `|root.1.2_` (.NET) and of `uuid#7` (Kong).
fn rooted(raw: &[u8]) -> Option<&[u8]> {
    let root = if let Some(rest) = raw.strip_prefix(b"|") {
        rest.split(|byte| *byte == b'.').next()?
    } else {
        let hash = raw.iter().position(|byte| *byte == b'#')?;
        raw.get(..hash).filter(|root| is_uuid(root))?
    };
    (!root.is_empty()).then_some(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, expected: &[&str]) {
        assert_eq!(id_forms(raw), expected, "{raw}");
    }

    #[test]
    fn spellings_of_one_id_share_a_form() {
        let hex = "5759e988bd862e3fe1be46a994272793";
        check(hex, &[hex]);
        check("5759E988BD862E3FE1BE46A994272793", &[hex]);
        check("5759e988-bd86-2e3f-e1be-46a994272793", &[hex]);
        check("1-5759e988-bd862e3fe1be46a994272793", &[hex]);
        check(
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
            &[hex],
        );
        check(
            "Self=1-67891234-12456789abcdef012345678;Root=1-5759e988-bd862e3fe1be46a994272793",
            &[hex],
        );
        check(
            "00-5759e988bd862e3fe1be46a994272793-00f067aa0ba902b7-01",
            &[hex, "00f067aa0ba902b7"],
        );
        check(
            "5759E988bd862e3fe1be46a994272793-e457b5a2e4d86bd1-1",
            &[hex, "e457b5a2e4d86bd1"],
        );
        check(
            "5759e988bd862e3fe1be46a994272793:e457b5a2e4d86bd1:0:1",
            &[hex, "e457b5a2e4d86bd1"],
        );
        check(
            "5759e988bd862e3fe1be46a994272793/67667974448284343;o=1",
            &[hex],
        );
    }

    #[test]
    fn short_trace_ids_lose_their_padding() {
        check("0000000000000000463ac35c9f6413ad", &["463ac35c9f6413ad"]);
        check("463AC35C9F6413AD", &["463ac35c9f6413ad"]);
        check(
            "5056989012345678901",
            &["5056989012345678901", "462e08b6b1eaec35"],
        );
    }

    #[test]
    fn vendors_ids_are_found_with_and_without_their_ends() {
        check("8f2b1c3d4e5f6a7b-AMS", &["8f2b1c3d4e5f6a7b"]);
        check("8f2b1c3d4e5f6a7b", &["8f2b1c3d4e5f6a7b"]);
        check("|a1b2.1.2_", &["|a1b2.1.2_", "a1b2"]);
        check(
            "5759e988-bd86-2e3f-e1be-46a994272793#17",
            &[
                "5759e988-bd86-2e3f-e1be-46a994272793#17",
                "5759e988bd862e3fe1be46a994272793",
            ],
        );
    }

    #[test]
    fn anything_else_is_itself_in_lower_case() {
        check(" Order-Service-17 ", &["order-service-17"]);
        check("12345", &["12345"]);
        check("", &[]);
        check("  ", &[]);
        check("-", &["-"]);
        assert_eq!(id_forms(&"Ä".repeat(100))[0].len(), 128);
        assert_eq!(id_forms(&format!("x{}", "Ä".repeat(100)))[0].len(), 127);
    }
}
