//! Correlation ids of one event: which is the primary one, and which others there are.

use std::borrow::Cow;

use crate::model::{Field, Value, each_id_form, trace_and_span};

use super::names::Id;
use super::slots::Slots;
use super::values;

/// Ids kept per event; clients choose how many they send.
const IDS_MAX: usize = 16;

/// The ids of a record as they were found.
#[derive(Debug, Default)]
pub(super) struct Ids<'a>(Vec<(Id, Cow<'a, str>)>);

impl<'a> Ids<'a> {
    /// Forgets the ids and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Takes note of an id.
    pub(super) fn found(&mut self, kind: Id, text: Cow<'a, str>) {
        if self.0.len() < IDS_MAX && !self.0.iter().any(|(_, known)| *known == text) {
            self.0.push((kind, text));
        }
    }

    /// Writes `correlation.id`, `correlation.ids`, `trace.id`, `span.id` and `http.request.id`;
    /// forgets the ids.
    pub(super) fn settle(&mut self, slots: &mut Slots<'a>) {
        if self.0.is_empty() {
            return;
        }
        for (kind, raw) in &mut self.0 {
            let text = std::mem::take(raw);
            *raw = match kind {
                Id::Trace => trace(slots, text),
                _ => plain(text),
            };
        }
        self.0.retain(|(_, text)| !text.is_empty());
        // A stable sort: of two ids of one kind the first that was written wins.
        self.0.sort_by_key(|(kind, _)| *kind);
        for at in 0..self.0.len() {
            let Some((kind, text)) = self.0.get(at) else {
                break;
            };
            let is_request = matches!(kind, Id::Request | Id::Gateway);
            if is_request && !slots.has(Field::HttpRequestId) {
                slots.set_str(Field::HttpRequestId, text.clone());
            }
            let before = self.0.get(..at).unwrap_or_default();
            if at == 0 {
                slots.set_str(Field::CorrelationId, text.clone());
            } else if !before.iter().any(|(_, known)| is_same(known, text)) {
                slots.add(Field::CorrelationIds, Value::Str(text.clone()));
            }
        }
        self.0.clear();
    }
}

/// An id as it stands: trimmed, lower case where it is a UUID or hex. It is cut when it is clean.
fn plain(text: Cow<'_, str>) -> Cow<'_, str> {
    let trimmed = values::trimmed(&text);
    let text = if trimmed.len() == text.len() {
        text
    } else {
        Cow::Owned(trimmed.to_owned())
    };
    if !text.bytes().any(|b| b.is_ascii_uppercase()) {
        return text;
    }
    let is_hex = text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    if is_hex && text.len() >= 16 {
        return values::lower(text);
    }
    text
}

/// A trace id in any carrier: sets `trace.id` and `span.id`, and gives the id back as it is to be
/// kept.
fn trace<'a>(slots: &mut Slots<'a>, text: Cow<'a, str>) -> Cow<'a, str> {
    let bytes = text.as_bytes();
    let is_plain = bytes.len() == 32 && bytes.iter().all(u8::is_ascii_hexdigit);
    if is_plain {
        let text = values::lower(text);
        if is_null(&text) {
            return Cow::Borrowed("");
        }
        if !slots.has(Field::TraceId) {
            slots.set_str(Field::TraceId, text.clone());
        }
        return text;
    }
    let span = match trace_and_span(text.trim().as_bytes()) {
        Some((_, span)) => span.and_then(|span| std::str::from_utf8(span).ok()),
        None if bytes.is_empty() => return Cow::Borrowed(""),
        None => None,
    };
    if let Some(span) = span.filter(|_| !slots.has(Field::SpanId)) {
        slots.set_str(Field::SpanId, Cow::Owned(span.to_ascii_lowercase()));
    }
    // The last form of a decimal id is its hex one, the first form of a carrier its trace id.
    let mut forms = Vec::with_capacity(2);
    each_id_form(&text, |form| forms.push(form.to_owned()));
    let is_decimal = bytes.iter().all(u8::is_ascii_digit);
    let form = if is_decimal {
        forms.pop()
    } else {
        forms.into_iter().next()
    };
    let form = form.unwrap_or_default();
    let is_hex = form.len() <= 32 && form.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_hex || form.len() < 8 {
        return plain(text);
    }
    let padded = format!("{form:0>32}");
    if is_null(&padded) {
        return Cow::Borrowed("");
    }
    if !slots.has(Field::TraceId) {
        slots.set_str(Field::TraceId, padded.clone());
    }
    // Carriers are dissolved; Amazon's own spelling and decimals are what people copy, so they
    // stay.
    if is_decimal {
        return text;
    }
    match text
        .find("1-")
        .filter(|_| text.contains("Root=") || text.starts_with("1-"))
    {
        Some(at) => {
            let end = text.get(at..).and_then(|rest| rest.find(';'));
            let end = end.map_or(text.len(), |length| at + length);
            plain(values::part(&text, at..end))
        }
        None => Cow::Owned(padded),
    }
}

fn is_null(hex: &str) -> bool {
    hex.bytes().all(|b| b == b'0')
}

/// Whether two ids are spellings of one.
fn is_same(one: &str, other: &str) -> bool {
    if one == other {
        return true;
    }
    // Nearly all spellings of an id end alike, and nearly all other ids do not. The few spellings
    // this misses (`…-AMS` beside `…`) stand twice, which costs nothing but their bytes.
    let last = |text: &str| {
        text.bytes()
            .next_back()
            .map(|byte| byte.to_ascii_lowercase())
    };
    if last(one) != last(other) {
        return false;
    }
    let mut first = None;
    each_id_form(one, |form| {
        first.get_or_insert_with(|| form.to_owned());
    });
    let mut is_same = false;
    each_id_form(other, |form| is_same |= first.as_deref() == Some(form));
    is_same
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    fn check(found: &[(Id, &'static str)], expected: &[(Field, &str)]) {
        let mut ids = Ids::default();
        let mut slots = Slots::default();
        for (kind, text) in found {
            ids.found(*kind, Cow::Borrowed(*text));
        }
        ids.settle(&mut slots);
        let event = slots.take(Timestamp(0), Timestamp(0));
        let fields = [
            Field::CorrelationId,
            Field::CorrelationIds,
            Field::TraceId,
            Field::SpanId,
            Field::HttpRequestId,
        ];
        let shown: Vec<_> = fields
            .into_iter()
            .flat_map(|field| event.values(field).map(move |value| (field, value)))
            .map(|(field, value)| (field, crate::model::text_of(value).unwrap_or_default()))
            .collect();
        assert_eq!(shown, expected, "{found:?}");
    }

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    #[test]
    fn the_primary_id_follows_the_order_of_kinds() {
        check(
            &[
                (Id::Trace, TRACE),
                (Id::Request, "r-1"),
                (Id::Correlation, "c-1"),
                (Id::Vendor, "v-1"),
            ],
            &[
                (Field::CorrelationId, "c-1"),
                (Field::CorrelationIds, "r-1"),
                (Field::CorrelationIds, TRACE),
                (Field::CorrelationIds, "v-1"),
                (Field::TraceId, TRACE),
                (Field::HttpRequestId, "r-1"),
            ],
        );
        check(
            &[(Id::Configured, "k"), (Id::Correlation, "k")],
            &[(Field::CorrelationId, "k")],
        );
    }

    #[test]
    fn carriers_are_taken_apart() {
        let traceparent = "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01";
        check(
            &[(Id::Trace, traceparent)],
            &[
                (Field::CorrelationId, TRACE),
                (Field::TraceId, TRACE),
                (Field::SpanId, SPAN),
            ],
        );
        check(
            &[(
                Id::Trace,
                "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
            )],
            &[
                (Field::CorrelationId, "1-5759e988-bd862e3fe1be46a994272793"),
                (Field::TraceId, "5759e988bd862e3fe1be46a994272793"),
            ],
        );
        check(
            &[(Id::Trace, "463ac35c9f6413ad")],
            &[
                (Field::CorrelationId, "0000000000000000463ac35c9f6413ad"),
                (Field::TraceId, "0000000000000000463ac35c9f6413ad"),
            ],
        );
        check(
            &[(Id::Trace, "5056989012345678901")],
            &[
                (Field::CorrelationId, "5056989012345678901"),
                (Field::TraceId, "0000000000000000462e08b6b1eaec35"),
            ],
        );
        check(&[(Id::Trace, "00000000000000000000000000000000")], &[]);
        check(
            &[(Id::Trace, "my trace")],
            &[(Field::CorrelationId, "my trace")],
        );
    }

    #[test]
    fn spellings_of_one_id_stand_once() {
        check(
            &[
                (Id::Request, "5759E988-BD86-2E3F-E1BE-46A994272793"),
                (Id::Vendor, "5759e988bd862e3fe1be46a994272793"),
                (Id::Vendor, "8f2b1c3d4e5f6a7b-AMS"),
            ],
            &[
                (Field::CorrelationId, "5759e988-bd86-2e3f-e1be-46a994272793"),
                (Field::CorrelationIds, "8f2b1c3d4e5f6a7b-AMS"),
                (Field::HttpRequestId, "5759e988-bd86-2e3f-e1be-46a994272793"),
            ],
        );
    }
}
