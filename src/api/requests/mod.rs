//! `GET /api/v1/requests/{id}`: the request story. Every event of one correlation id, of any service, in
//! order of start, with a lane per service, the pauses, the alerts that hold the id, what else there is of those it is
//! about (`pivots.rs`), and clocks that disagree (`skew.rs`).

mod pivots;
mod skew;

use std::ops::Range;

use axum::Json as Answer;
use axum::extract::State as With;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::Authorized;
use super::error::{Error, Fault};
use super::input::{Id, Query as Params};
use super::rate::Policy;
use super::routes::{Param, RouteSpec, Routes, Shape};
use super::search::{EventJson, StatsJson};
use super::{Shared, State};
use crate::index::{Hit, Query, SearchRequest};
use crate::model::{
    Alert, Field, FieldName, Kind, Severity, Status, Timestamp, each_id_form, id_forms, text_of,
};
use crate::redact::{CleanEvent, to_json};
use crate::store::Scope;
use pivots::Pivots;
use skew::{Mark, Skew};

static SHOW: RouteSpec = RouteSpec::get("/api/v1/requests/{id}", "request_show")
    .summary("Every event of one correlation id, in order, with lanes, gaps and alerts.")
    .scope(Scope::Search)
    .rate(Policy::Search)
    .params(&[Param::text(
        "pivots",
        "`true` to count what else there is of its session, objects, credentials, users and addresses.",
    )])
    .gives(Shape::of::<Story>());

pub(super) fn register(routes: &mut Routes) {
    routes.add(&SHOW, show);
}

/// Alerts named in one story at most.
const ALERTS_MAX: usize = 20;
/// Shorter beginnings of ids say too little; longer texts are whole ids: of traces, and UUIDs.
const PARTIAL_BYTES: Range<usize> = 8..32;
/// Events looked at for the ids that begin so, a page.
const PARTIAL_EVENTS_MAX: usize = 200;
/// Pages of them.
const PARTIAL_PAGES_MAX: usize = 10;
/// Shorter pauses are no gaps.
const GAP_MS_MIN: i64 = 100;

/// How it is told.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    pivots: bool,
}

/// The life of one request.
#[derive(Debug, Serialize, ToSchema)]
struct Story {
    /// The id; all of it where its beginning was asked for.
    id: String,
    /// What was asked for, where that was only the beginning of the id.
    #[serde(skip_serializing_if = "Option::is_none")]
    completed_from: Option<String>,
    /// The field that holds it in the first event.
    matched_by: &'static str,
    /// The events by start; each also has `start` and `lane`.
    events: Vec<EventJson>,
    /// The services, by their first event.
    services: Vec<Lane>,
    /// Start of the first event.
    start: Option<String>,
    /// End of the last event.
    end: Option<String>,
    /// Milliseconds from start to end.
    duration_ms: f64,
    /// Pauses of at least 100 ms between events, in which none of them was under way.
    gaps: Vec<Gap>,
    /// The newest alerts that hold this id in any spelling, at most 20.
    alerts: Vec<AlertRef>,
    /// Services whose clocks disagree with those that called them, where the events prove it. Their times stay as they are.
    skew: Vec<Skew>,
    /// Where to go on from here, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pivots: Option<Pivots>,
    /// What was looked at.
    stats: StatsJson,
}

/// One service.
#[derive(Debug, Serialize, ToSchema)]
struct Lane {
    /// Its name; the source where the events name no service.
    name: String,
    /// Start of its first event.
    start: String,
    /// End of its last event.
    end: String,
    /// Its events.
    events: u64,
}

/// A pause.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
struct Gap {
    /// Latest end of the events before it.
    start: String,
    /// Start of the event behind it.
    end: String,
    /// Milliseconds from start to end.
    duration_ms: f64,
}

/// An alert, in short.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AlertRef {
    /// Its id.
    id: String,
    /// Its title.
    title: String,
    /// How bad.
    severity: Severity,
    /// Where in its life.
    status: Status,
}

impl From<Alert> for AlertRef {
    fn from(alert: Alert) -> Self {
        Self {
            id: alert.id,
            title: alert.title,
            severity: alert.severity,
            status: alert.status,
        }
    }
}

/// One event with what its place in the story needs.
struct Step {
    start: Timestamp,
    end: Timestamp,
    lane: String,
    mark: Option<Mark>,
    json: EventJson,
}

fn step(hit: &Hit) -> Result<Step, Error> {
    let event = hit.event().map_err(Error::internal)?;
    let took_ns = event.int(Field::EventDuration).unwrap_or(0);
    let took_ns = i64::try_from(took_ns).unwrap_or(0);
    let start = Timestamp(event.time.0.saturating_sub(took_ns));
    let lane = [Field::ServiceName, Field::EventProvider]
        .into_iter()
        .find_map(|field| event.text(field))
        .unwrap_or("unknown")
        .to_owned();
    let mut text = to_json(&event, hit.offset);
    // An event is an object and never an empty one, so its last character is the brace.
    text.pop();
    let name = serde_json::to_string(&lane).map_err(Error::internal)?;
    text.push_str(&format!(
        ",\"start\":\"{}\",\"lane\":{name}}}",
        start.to_rfc3339()
    ));
    Ok(Step {
        start,
        end: event.time,
        mark: Mark::of(&event),
        lane,
        json: EventJson::from_text(text)?,
    })
}

/// The first field of the event that holds the id.
fn holder(event: &CleanEvent<'_>, id: &str) -> Option<&'static str> {
    let wanted = id_forms(id);
    event.fields().iter().find_map(|(name, value)| match name {
        FieldName::Known(field) if field.kind() == Kind::Id => {
            let mut is_held = false;
            each_id_form(text_of(value)?, |form| {
                is_held |= wanted.iter().any(|wanted| wanted == form);
            });
            is_held.then(|| field.name())
        }
        _ => None,
    })
}

/// Where nothing was under way between one event and the next; the spans are in order of start.
fn gaps(spans: impl Iterator<Item = (Timestamp, Timestamp)>) -> Vec<Gap> {
    let mut gaps = Vec::new();
    let mut last: Option<Timestamp> = None;
    for (start, end) in spans {
        if let Some(last) = last {
            let pause_ns = start.0.saturating_sub(last.0);
            if pause_ns >= GAP_MS_MIN * 1_000_000 {
                gaps.push(Gap {
                    start: last.to_rfc3339(),
                    end: start.to_rfc3339(),
                    duration_ms: millis(pause_ns),
                });
            }
        }
        last = last.max(Some(end));
    }
    gaps
}

/// Milliseconds to the microsecond.
fn millis(ns: i64) -> f64 {
    (ns / 1_000) as f64 / 1e3
}

fn lanes(steps: &[Step]) -> Vec<Lane> {
    let mut lanes: Vec<(&str, Timestamp, Timestamp, u64)> = Vec::new();
    for step in steps {
        match lanes.iter_mut().find(|lane| lane.0 == step.lane) {
            Some(lane) => {
                lane.1 = lane.1.min(step.start);
                lane.2 = lane.2.max(step.end);
                lane.3 = lane.3.saturating_add(1);
            }
            None => lanes.push((&step.lane, step.start, step.end, 1)),
        }
    }
    let lanes = lanes.into_iter();
    lanes
        .map(|(name, start, end, events)| Lane {
            name: name.to_owned(),
            start: start.to_rfc3339(),
            end: end.to_rfc3339(),
            events,
        })
        .collect()
}

fn alerts(state: &State, id: &str) -> Result<Vec<AlertRef>, Error> {
    let found = state.store.alerts_of_request(id, ALERTS_MAX)?.into_iter();
    Ok(found.map(AlertRef::from).collect())
}

/// Takes the ids of an event that begin so and are not known yet, in whatever form.
fn note_ids(event: &CleanEvent<'_>, beginning: &str, ids: &mut Vec<String>) {
    let wanted = beginning.to_lowercase();
    for (name, value) in event.fields() {
        let (FieldName::Known(field), Some(text)) = (name, text_of(value)) else {
            continue;
        };
        let plain = text.to_lowercase();
        let begins = plain.starts_with(&wanted) || plain.replace('-', "").starts_with(&wanted);
        let is_known = |known: &String| id_forms(known) == id_forms(text);
        if field.kind() == Kind::Id && begins && !ids.iter().any(is_known) {
            ids.push(text.to_owned());
        }
    }
}

/// The one id that begins so among the newest events, as many as one search may read. What is as long as whole ids are
/// is none, so that asking for one that nothing carries stays fast.
///
/// # Errors
/// Where there are several, or none.
fn whole_id(beginning: &str, state: &State) -> Result<String, Error> {
    if !PARTIAL_BYTES.contains(&beginning.len()) {
        return Err(Error::NotFound);
    }
    let mut request = SearchRequest::new(Query::id_prefix(beginning));
    request.limit = PARTIAL_EVENTS_MAX;
    let mut ids: Vec<String> = Vec::new();
    // One request may have many events: those of another stand behind them.
    for _ in 0..PARTIAL_PAGES_MAX {
        let page = state.searcher.search(&request)?;
        for hit in &page.hits {
            note_ids(&hit.event().map_err(Error::internal)?, beginning, &mut ids);
        }
        request.cursor = page.next_cursor;
        if request.cursor.is_none() || page.stats.partial || ids.len() > 1 {
            break;
        }
    }
    match ids.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(Error::NotFound),
        several => {
            let shown: Vec<&str> = several.iter().take(5).map(String::as_str).collect();
            let detail = format!("several ids begin so, such as {}", shown.join(", "));
            Err(Error::InputInvalid(vec![
                Fault::at("id", "ambiguous").saying(&detail),
            ]))
        }
    }
}

/// Whether an id in this field is that of one request.
fn is_of_request(field: &str) -> bool {
    let fields = [Field::CorrelationId, Field::HttpRequestId, Field::TraceId];
    fields.iter().any(|known| known.name() == field)
}

fn run(id: String, asked: &Asked, state: &State) -> Result<Story, Error> {
    let limit = state.options.story_events_max;
    let mut page = state.searcher.by_correlation_id(&id, limit)?;
    let (mut id, mut completed_from) = (id, None);
    if page.hits.is_empty() {
        let whole = whole_id(&id, state)?;
        completed_from = Some(std::mem::replace(&mut id, whole));
        page = state.searcher.by_correlation_id(&id, limit)?;
    }
    let Some(first) = page.hits.first() else {
        return Err(Error::NotFound);
    };
    let event = first.event().map_err(Error::internal)?;
    let matched_by = holder(&event, &id).unwrap_or(Field::CorrelationId.name());
    let mut steps = page.hits.iter().map(step).collect::<Result<Vec<_>, _>>()?;
    // Stable: events that start together stay in the order of the log.
    steps.sort_by_key(|step| step.start);
    let services = lanes(&steps);
    let start = steps.iter().map(|step| step.start).min();
    let end = steps.iter().map(|step| step.end).max();
    let length_ns = start
        .zip(end)
        .map_or(0, |(start, end)| end.0.saturating_sub(start.0));
    let marks = steps
        .iter()
        .filter_map(|step| Some((step.lane.as_str(), step.mark.as_ref()?)));
    let skew = skew::skew(marks, is_of_request(matched_by));
    let pivots = start.zip(end).filter(|_| asked.pivots);
    let pivots = pivots.map(|span| pivots::pivots(state, &page.hits, &id, span));
    Ok(Story {
        skew,
        pivots: pivots.transpose()?,
        completed_from,
        matched_by,
        services,
        start: start.map(Timestamp::to_rfc3339),
        end: end.map(Timestamp::to_rfc3339),
        duration_ms: millis(length_ns),
        gaps: gaps(steps.iter().map(|step| (step.start, step.end))),
        alerts: alerts(state, &id)?,
        stats: StatsJson::from(&page.stats),
        events: steps.into_iter().map(|step| step.json).collect(),
        id,
    })
}

async fn show(
    With(state): With<Shared>,
    _caller: Authorized,
    Id(id): Id,
    Params(asked): Params<Asked>,
) -> Result<Answer<Story>, Error> {
    let told = state.search(move |state| run(id, &asked, state));
    Ok(Answer(told.await?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Event;
    use crate::redact::{Redactor, TagKey};

    #[test]
    fn gaps_are_pauses_in_which_nothing_was_under_way() {
        let check = |spans: &[(i64, i64)], expected: &[(i64, i64)]| {
            let moment = |ms: &i64| Timestamp::from_millis(*ms);
            let found = gaps(spans.iter().map(|(a, b)| (moment(a), moment(b))));
            let expected: Vec<Gap> = expected
                .iter()
                .map(|(a, b)| Gap {
                    start: moment(a).to_rfc3339(),
                    end: moment(b).to_rfc3339(),
                    duration_ms: (b - a) as f64,
                })
                .collect();
            assert_eq!(found, expected, "{spans:?}");
        };
        check(&[], &[]);
        check(&[(0, 10)], &[]);
        check(&[(0, 10), (109, 120)], &[]);
        check(&[(0, 10), (110, 120), (500, 500)], &[(10, 110), (120, 500)]);
        check(&[(0, 900), (100, 110), (400, 410)], &[]);
        check(&[(0, 200), (50, 60), (400, 410)], &[(200, 400)]);
    }

    #[test]
    fn the_field_that_holds_an_id_is_named_whatever_its_spelling() {
        let redactor = Redactor::new(Default::default(), TagKey::from_bytes(&[7; 32]));
        let check = |held: &str, asked: &str, expected: Option<&str>| {
            let mut event = Event::new(Timestamp(0), Timestamp(0));
            event.push_str(Field::ServiceName, asked);
            event.push_str(Field::TraceId, held);
            let event = redactor.redact(event);
            assert_eq!(holder(&event, asked), expected, "{held} {asked}");
        };
        let plain = "5759e988bd862e3fe1be46a994272793";
        let dashed = "5759E988-BD86-2E3F-E1BE-46A994272793";
        let parent = "00-5759e988bd862e3fe1be46a994272793-00f067aa0ba902b7-01";
        for asked in [plain, dashed, parent] {
            check(plain, asked, Some(Field::TraceId.name()));
            check(dashed, asked, Some(Field::TraceId.name()));
        }
        check(plain, "00f067aa0ba902b7", None);
    }
}
