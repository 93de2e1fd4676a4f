//! Clocks that disagree, where the events of a story prove it. Nothing is moved: the times of events stay as their
//! sources gave them, and what would have to be added to those of a lane is told beside them.
//!
//! A caller's event says when it happened (`time`) and how long it took (`took`). Whether sources give the time of the
//! beginning or of the end is not known, so a call is taken to have lasted at most from `time - took` to `time + took`,
//! and of the other event only its `time` counts. What lies outside that lies outside under either reading.
//!
//! Two kinds of proof are taken, in this order:
//!
//! 1. **Spans.** The event names the caller's span as its parent. Before its caller it cannot have begun: an event of
//!    earlier time proves that the lane's clock is behind. A later one could be work that was left for later, so it
//!    counts only with the witness.
//! 2. **The enclosing call.** Without spans, for ids of one request only: the longest call, where it is the only event
//!    of its lane, and a lane all of whose events lie outside of it on one side, close enough together to fit into
//!    it. That alone proves nothing (work before and after is as likely), so it counts only with the witness.
//!
//! **The witness** is the time of receipt, by our own clock. From its time to its receipt an event of the lane takes
//! as much longer or shorter than one of the caller as its clock is behind or ahead, if both are sent on in about the
//! same time: that has to agree with what the times say, to within half of it. Work that was done earlier or later
//! is received earlier or later, too, and does not agree.
//!
//! What is told is the least that makes the events fit; the clocks may disagree by more. Where no one offset makes all
//! proven events of a lane fit, or where times are those of receipt, nothing is told.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::model::{Event, Field, FieldName, text_of};

/// Clocks that are this close are not said to disagree, in nanoseconds: five milliseconds.
const SKEW_NS_MIN: i64 = 5_000_000;
/// Names under which sources give the span that called them, without `ext.`.
const PARENTS: [&str; 9] = [
    "parent.id",
    "parent_id",
    "parentId",
    "parent_span_id",
    "parentSpanId",
    "parent_span",
    "span.parent_id",
    "span.parent",
    "dd.parent_id",
];

/// A lane whose clock disagrees with that of the one that called it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(super) struct Skew {
    /// The lane.
    pub(super) lane: String,
    /// The lane that called it.
    pub(super) caller: String,
    /// The least that has to be added to the lane's times, in milliseconds, so that its events fit into their calls.
    pub(super) offset_ms: f64,
    /// What proves it.
    pub(super) because: String,
}

/// What there is to know of an event for this. Times in nanoseconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Mark {
    time: i64,
    took: i64,
    /// From its time to its receipt.
    delay: i64,
    span: Option<String>,
    parent: Option<String>,
}

impl Mark {
    /// `None` where the event's time is that of its receipt: it says nothing of a clock.
    pub(super) fn of(event: &Event<'_>) -> Option<Self> {
        if event.text(Field::EventTimeSource) == Some("received") {
            return None;
        }
        let parent = event.fields().iter().find_map(|(name, value)| match name {
            FieldName::Ext(name) if PARENTS.contains(&name.as_ref()) => text_of(value),
            _ => None,
        });
        let took = event.int(Field::EventDuration).unwrap_or(0);
        Some(Self {
            time: event.time.0,
            took: i64::try_from(took).unwrap_or(0),
            delay: event.received.0.saturating_sub(event.time.0),
            span: event.text(Field::SpanId).map(str::to_lowercase),
            parent: parent.map(str::to_lowercase),
        })
    }

    /// What may be added to another's time so that it lies within this call.
    fn room(&self, other: &Self) -> Room {
        let low = self.time.saturating_sub(self.took);
        let high = self.time.saturating_add(self.took);
        Room {
            low: low.saturating_sub(other.time),
            high: high.saturating_sub(other.time),
        }
    }
}

/// The offsets that make events fit.
#[derive(Clone, Copy, Debug)]
struct Room {
    low: i64,
    high: i64,
}

impl Room {
    const ANY: Self = Self {
        low: i64::MIN,
        high: i64::MAX,
    };

    fn and(self, other: Self) -> Self {
        Self {
            low: self.low.max(other.low),
            high: self.high.min(other.high),
        }
    }

    /// The offset nearest to none; `None` where nothing has to be added, or nothing fits.
    fn least(self) -> Option<i64> {
        let offset = match (self.low > 0, self.high < 0) {
            _ if self.low > self.high => return None,
            (true, _) => self.low,
            (_, true) => self.high,
            _ => return None,
        };
        (offset.saturating_abs() >= SKEW_NS_MIN).then_some(offset)
    }
}

/// Whether the times of receipt say the same: so much longer or shorter is the way of the lane's events than the caller's.
fn is_witnessed(offset: i64, lane: &[&Mark], caller: &Mark) -> bool {
    let mut delays: Vec<i64> = lane.iter().map(|mark| mark.delay).collect();
    delays.sort_unstable();
    let middle = delays.get(delays.len() / 2).copied().unwrap_or_default();
    let longer = middle.saturating_sub(caller.delay);
    longer.saturating_sub(offset).saturating_abs() <= offset.saturating_abs() / 2
}

type Lanes<'m> = BTreeMap<&'m str, Vec<&'m Mark>>;

fn told(lane: &str, caller: &str, offset: i64, because: String) -> Skew {
    Skew {
        lane: lane.to_owned(),
        caller: caller.to_owned(),
        offset_ms: super::millis(offset),
        because,
    }
}

/// The first kind of proof, for one lane.
fn by_spans(lane: &str, marks: &[&Mark], lanes: &Lanes<'_>) -> Option<Skew> {
    let caller_of = |mark: &Mark| {
        let parent = mark.parent.as_deref()?;
        let others = lanes.iter().filter(|(name, _)| **name != lane);
        let mut calls =
            others.flat_map(|(name, marks)| marks.iter().map(move |mark| (*name, *mark)));
        calls.find(|(_, call)| call.took > 0 && call.span.as_deref() == Some(parent))
    };
    let called: Vec<(&Mark, &str, &Mark)> = marks
        .iter()
        .filter_map(|mark| caller_of(mark).map(|(name, call)| (*mark, name, call)))
        .collect();
    let rooms = called.iter().map(|(mark, _, call)| call.room(mark));
    let offset = rooms.fold(Room::ANY, Room::and).least()?;
    let is_outside = |(mark, _, call): &&(&Mark, &str, &Mark)| call.room(mark).least().is_some();
    let outside = called.iter().filter(is_outside).count();
    let (_, caller, call) = called.iter().find(is_outside)?;
    let callees: Vec<&Mark> = called.iter().map(|(mark, ..)| *mark).collect();
    let is_agreed = is_witnessed(offset, &callees, call);
    let agrees = match is_agreed {
        true => ", and the times of receipt agree",
        false => "",
    };
    let because = match offset > 0 {
        true => format!(
            "{outside} of its events began before the call that caused them (parent spans){agrees}"
        ),
        false if is_agreed => {
            format!(
                "{outside} of its events lie behind the call that caused them (parent spans){agrees}"
            )
        }
        // Work that was left for later.
        false => return None,
    };
    Some(told(lane, caller, offset, because))
}

/// The longest call, where it is the only event of its lane.
fn enclosing<'m>(lanes: &Lanes<'m>) -> Option<(&'m str, &'m Mark)> {
    let all = lanes
        .iter()
        .flat_map(|(name, marks)| marks.iter().map(move |mark| (*name, *mark)));
    let longest = all.max_by_key(|(_, mark)| mark.took)?;
    let is_alone = lanes.get(longest.0).is_some_and(|marks| marks.len() == 1);
    (is_alone && longest.1.took > 0).then_some(longest)
}

/// The second kind of proof, for one lane.
fn by_enclosing(lane: &str, marks: &[&Mark], lanes: &Lanes<'_>) -> Option<Skew> {
    let (caller, call) = enclosing(lanes).filter(|(name, _)| *name != lane)?;
    let is_outside = marks.iter().all(|mark| call.room(mark).least().is_some());
    let offset = marks
        .iter()
        .map(|mark| call.room(mark))
        .fold(Room::ANY, Room::and)
        .least()?;
    if !is_outside || !is_witnessed(offset, marks, call) {
        return None;
    }
    let side = if offset > 0 { "before" } else { "behind" };
    let because = format!(
        "all {} of its events lie {side} the call that encloses the request, and the times of receipt agree",
        marks.len()
    );
    Some(told(lane, caller, offset, because))
}

/// The lanes whose clocks disagree with their callers', by name. `is_request` where the id is that of one request.
pub(super) fn skew<'m>(
    marks: impl Iterator<Item = (&'m str, &'m Mark)>,
    is_request: bool,
) -> Vec<Skew> {
    let mut lanes = Lanes::new();
    for (lane, mark) in marks {
        lanes.entry(lane).or_default().push(mark);
    }
    let found = lanes.iter().filter_map(|(lane, marks)| {
        let by_spans = by_spans(lane, marks, &lanes);
        let or_else = || {
            is_request
                .then(|| by_enclosing(lane, marks, &lanes))
                .flatten()
        };
        by_spans.or_else(or_else)
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    /// Time, duration and receipt in milliseconds, span and parent.
    fn mark(times: (i64, i64, i64), span: &str, parent: &str) -> Mark {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let (time, took, received) = times;
        Mark {
            time: time * MS,
            took: took * MS,
            delay: (received - time) * MS,
            span: text(span),
            parent: text(parent),
        }
    }

    fn check(events: &[(&str, Mark)], is_request: bool, expected: &[(&str, f64)]) {
        let found = skew(events.iter().map(|(lane, mark)| (*lane, mark)), is_request);
        let found: Vec<(&str, f64)> = found
            .iter()
            .map(|skew| (skew.lane.as_str(), skew.offset_ms))
            .collect();
        assert_eq!(found, expected, "{events:?}");
    }

    #[test]
    fn no_one_is_called_before_its_caller_began() {
        let edge = ("edge", mark((1_000, 100, 1_500), "a", ""));
        let at = |time| ("shop", mark((time, 10, 1_500), "b", "a"));
        // In the call under either reading, and a little outside.
        for time in [900, 950, 1_000, 1_100, 896] {
            check(&[edge.clone(), at(time)], true, &[]);
        }
        check(&[edge.clone(), at(700)], false, &[("shop", 200.0)]);
        // All of it has to fit at once.
        check(&[edge.clone(), at(700), at(800)], false, &[("shop", 200.0)]);
        check(&[edge.clone(), at(700), at(1_000)], false, &[]);
        // Nobody's child, a caller without a duration, one of its own lane.
        let stranger = ("shop", mark((700, 10, 1_500), "b", "x"));
        check(&[edge.clone(), stranger], false, &[]);
        let brief = ("edge", mark((1_000, 0, 1_500), "a", ""));
        check(&[brief, at(700)], false, &[]);
        let own = ("edge", mark((700, 10, 1_500), "b", "a"));
        check(&[edge, own], false, &[]);
    }

    #[test]
    fn what_comes_later_may_have_been_left_for_later() {
        let edge = ("edge", mark((1_000, 100, 1_500), "a", ""));
        let at = |received| ("shop", mark((5_000, 10, received), "b", "a"));
        check(&[edge.clone(), at(5_500)], false, &[]);
        // Received with the call: its clock is ahead.
        check(&[edge, at(1_550)], false, &[("shop", -3_900.0)]);
    }

    #[test]
    fn without_spans_the_times_of_receipt_have_to_agree() {
        let edge = ("edge", mark((1_000, 100, 1_500), "", ""));
        let shop = |time, received| ("shop", mark((time, 10, received), "", ""));
        check(
            &[edge.clone(), shop(-2_000, 1_500), shop(-1_950, 1_500)],
            true,
            &[("shop", 2_900.0)],
        );
        check(
            &[edge.clone(), shop(4_000, 1_500)],
            true,
            &[("shop", -2_900.0)],
        );
        // Done earlier and received earlier; a session has many requests; one event is inside; too far apart.
        check(&[edge.clone(), shop(-2_000, -1_500)], true, &[]);
        check(&[edge.clone(), shop(-2_000, 1_500)], false, &[]);
        check(
            &[edge.clone(), shop(-2_000, 1_500), shop(1_000, 1_500)],
            true,
            &[],
        );
        check(
            &[edge.clone(), shop(-2_000, 1_500), shop(-1_500, 1_500)],
            true,
            &[],
        );
        // Nobody encloses the others.
        check(&[edge.clone(), edge, shop(-2_000, 1_500)], true, &[]);
        check(&[], true, &[]);
    }

    #[test]
    fn a_time_of_receipt_says_nothing_of_a_clock() {
        use crate::model::Timestamp;
        let mut event = Event::new(Timestamp(5), Timestamp(9));
        event.push_ext("parent_span_id", wardline_parsers::Value::Str("AB".into()));
        let mark = Mark::of(&event).unwrap();
        assert_eq!(
            (mark.time, mark.delay, mark.parent.as_deref()),
            (5, 4, Some("ab"))
        );
        event.push_str(Field::EventTimeSource, "received");
        assert!(Mark::of(&event).is_none());
    }
}
