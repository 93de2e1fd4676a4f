//! A finding in words people read: title, sentence, who it is about, and the search that shows it.

use wardline_detections::{Finding, Kind, Level, RuleInfo, Term};

use crate::model::{
    Entity, Event, Field, Offset, RuleRef, SampleEvent, Severity, Timestamp, query_value, visible,
};
use crate::redact::CleanEvent;
use crate::store::AlertChange;

/// Events of the evidence shown.
const SAMPLES_MAX: usize = 5;
/// Length of a value in titles and sentences, in characters.
const SHOWN_MAX: usize = 80;

/// The severity of a level.
pub(super) fn severity(level: Level) -> Severity {
    match level {
        Level::Info => Severity::Info,
        Level::Low => Severity::Low,
        Level::Medium => Severity::Medium,
        Level::High => Severity::High,
        Level::Critical => Severity::Critical,
    }
}

/// What is collected from the events of the evidence, oldest first.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    samples: Vec<SampleEvent>,
    correlation_ids: Vec<String>,
}

impl Evidence {
    /// Adds an event.
    pub(super) fn push(&mut self, offset: Offset, event: &CleanEvent<'_>) {
        self.samples.push(SampleEvent {
            id: offset.event_id(),
            time: event.time,
            summary: line(event),
        });
        if let Some(id) = event.text(Field::CorrelationId)
            && !self.correlation_ids.iter().any(|known| known == id)
        {
            self.correlation_ids.push(id.to_owned());
        }
    }

    /// From newest first to oldest first.
    pub(super) fn turn(&mut self) {
        self.samples.reverse();
        self.correlation_ids.reverse();
    }
}

/// The change a finding makes to the alerts.
pub(super) fn change(
    finding: &Finding,
    rule: &RuleInfo,
    revision: &str,
    at: Offset,
    mut evidence: Evidence,
) -> AlertChange {
    evidence
        .samples
        .drain(..evidence.samples.len().saturating_sub(SAMPLES_MAX));
    let mut entities: Vec<Entity> = finding.group.iter().map(entity).collect();
    if finding.kind == Kind::NewValue {
        entities.extend(finding.subject.iter().map(entity));
    }
    let mut labels = std::collections::BTreeMap::new();
    labels.insert("kind".to_owned(), finding.kind.name().to_owned());
    if finding.approximate {
        labels.insert("approximate".to_owned(), "true".to_owned());
    }
    AlertChange {
        at,
        dedup_key: dedup_key(finding),
        rule: RuleRef {
            id: finding.rule_id.clone(),
            name: finding.title.clone(),
            revision: revision.to_owned(),
            tags: finding.tags.clone(),
        },
        title: title(finding),
        summary: summary(finding),
        severity: severity(finding.level),
        first_seen: Timestamp::from_millis(finding.first_ms),
        last_seen: Timestamp::from_millis(finding.last_ms),
        value: finding.value,
        threshold: finding.threshold,
        entities,
        correlation_ids: evidence.correlation_ids,
        sample_events: evidence.samples,
        query: query(finding, &rule.terms),
        labels,
    }
}

fn entity((kind, value): &(String, String)) -> Entity {
    Entity {
        kind: kind.clone(),
        value: value.clone(),
    }
}

/// A list in JSON, so that no value can be written so that it looks like another group. A new value is
/// part of the group: each country of a user is an alert of its own.
fn dedup_key(finding: &Finding) -> String {
    let mut parts = vec![finding.rule_id.as_str()];
    let own = finding
        .subject
        .iter()
        .filter(|_| finding.kind == Kind::NewValue);
    for (field, value) in finding.group.iter().chain(own) {
        parts.extend([field.as_str(), value.as_str()]);
    }
    serde_json::Value::from(parts).to_string()
}

fn title(finding: &Finding) -> String {
    let own = finding
        .subject
        .iter()
        .filter(|_| finding.kind == Kind::NewValue);
    let values: Vec<String> = finding
        .group
        .iter()
        .chain(own)
        .map(|(_, value)| shown(value))
        .collect();
    if values.is_empty() {
        return finding.title.clone();
    }
    format!("{}: {}", finding.title, values.join(", "))
}

fn summary(finding: &Finding) -> String {
    let group: Vec<String> = finding
        .group
        .iter()
        .map(|(field, value)| format!("{field} {}", shown(value)))
        .collect();
    let who = if group.is_empty() {
        "All events".to_owned()
    } else {
        group.join(", ")
    };
    let about = if finding.approximate { "about " } else { "" };
    let within = span(finding.timespan_ms);
    let (value, threshold) = (finding.value, finding.threshold);
    match (finding.kind, &finding.subject) {
        (Kind::EventCount, _) => {
            format!("{who}: {about}{value} events within {within} (threshold {threshold}).")
        }
        (Kind::ValueCount, Some((field, _))) => format!(
            "{who}: {about}{value} different values of {field} within {within} (threshold {threshold})."
        ),
        (Kind::ValueCount, None) => {
            format!(
                "{who}: {about}{value} different values within {within} (threshold {threshold})."
            )
        }
        (Kind::NewValue, Some((field, new))) => {
            let known = if value == 1 {
                "one other".to_owned()
            } else {
                format!("{value} others")
            };
            format!(
                "{who}: first event with {field} {}; {known} known.",
                shown(new)
            )
        }
        (Kind::NewValue, None) => format!("{who}: a value not seen before."),
        (Kind::Match, _) if value > 1 => {
            format!("{who}: {value} events fit the rule within {within}.")
        }
        (Kind::Match, _) => format!("{who}: an event fits the rule."),
    }
}

/// A search that shows the evidence, in the query language.
fn query(finding: &Finding, terms: &[Term]) -> String {
    let mut parts = Vec::new();
    let own = finding
        .subject
        .iter()
        .filter(|_| finding.kind == Kind::NewValue);
    for (field, value) in finding.group.iter().chain(own) {
        parts.push(format!("{field}:{}", query_value(value)));
    }
    for term in terms {
        let part = match term {
            Term::Is(field, value) => format!("{field}:{}", query_value(value)),
            Term::Exists(field) => format!("{field}:*"),
            Term::Compares(field, sign, number) => format!("{field}:{sign}{number}"),
        };
        let field = part.split(':').next().unwrap_or_default();
        let known = parts.iter().any(|p| p.split(':').next() == Some(field));
        if !known || !part.ends_with(":*") {
            parts.push(part);
        }
    }
    parts.join(" ")
}

/// One line about an event: method, path and status, or its message.
fn line(event: &Event<'_>) -> String {
    let names = [Field::HttpMethod, Field::UrlPath, Field::HttpStatus];
    let mut parts: Vec<String> = names
        .iter()
        .filter_map(|field| event.text(*field))
        .map(shown)
        .collect();
    if parts.is_empty() {
        let other = event
            .text(Field::Message)
            .or_else(|| event.text(Field::EventAction));
        parts.push(shown(other.unwrap_or_default()));
    }
    if let Some(ip) = event.text(Field::ClientIp) {
        parts.push(format!("from {ip}"));
    }
    if let Some(user) = event
        .text(Field::UserId)
        .or_else(|| event.text(Field::UserName))
    {
        parts.push(format!("by {}", shown(user)));
    }
    parts.join(" ")
}

/// A value short enough for a sentence, with nothing in it that changes how the sentence looks.
fn shown(value: &str) -> String {
    let short: String = value.chars().take(SHOWN_MAX).collect();
    let mut text = visible(&short).into_owned();
    if value.chars().nth(SHOWN_MAX).is_some() {
        text.push('…');
    }
    text
}

fn span(millis: u64) -> String {
    let units = [
        (86_400_000, "day"),
        (3_600_000, "hour"),
        (60_000, "minute"),
        (1_000, "second"),
    ];
    let whole = |(size, _): &(u64, &str)| millis >= *size && millis.is_multiple_of(*size);
    match units.into_iter().find(whole) {
        Some((size, name)) if millis == size => format!("1 {name}"),
        Some((size, name)) => format!("{} {name}s", millis / size),
        None => format!("{millis} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding() -> Finding {
        Finding {
            rule: 0,
            rule_id: "r".into(),
            title: "Burst".into(),
            level: Level::High,
            tags: vec!["attack.t1110".into()],
            kind: Kind::EventCount,
            group: vec![("client.ip".into(), "2001:db8::1".into())],
            subject: None,
            value: 21,
            threshold: 20,
            timespan_ms: 300_000,
            first_ms: 1_000,
            last_ms: 2_000,
            events: vec![1],
            approximate: false,
        }
    }

    #[test]
    fn findings_are_told_in_words() {
        let mut it = finding();
        assert_eq!(title(&it), "Burst: 2001:db8::1");
        assert_eq!(
            summary(&it),
            "client.ip 2001:db8::1: 21 events within 5 minutes (threshold 20)."
        );
        it.kind = Kind::NewValue;
        it.group = vec![("user.id".into(), "u\n7".into())];
        it.subject = Some(("client.geo.country_iso_code".into(), "KP".into()));
        it.value = 2;
        assert_eq!(title(&it), "Burst: u\\n7, KP");
        assert_eq!(
            summary(&it),
            "user.id u\\n7: first event with client.geo.country_iso_code KP; 2 others known."
        );
        assert_eq!(span(90_000), "90 seconds");
        assert_eq!(span(3_600_000), "1 hour");
    }

    #[test]
    fn the_search_names_group_and_rule() {
        let terms = [
            Term::Is("http.response.status_code".into(), "401".into()),
            Term::Exists("client.ip".into()),
            Term::Compares("event.duration".into(), ">=", 5.0),
        ];
        assert_eq!(
            query(&finding(), &terms),
            "client.ip:\"2001:db8::1\" http.response.status_code:401 event.duration:>=5"
        );
    }

    #[test]
    fn no_value_makes_one_group_look_like_another() {
        let mut one = finding();
        one.group = vec![("a".into(), "1\",\"b".into())];
        let mut other = finding();
        other.group = vec![("a".into(), "1".into()), ("b".into(), String::new())];
        assert_ne!(dedup_key(&one), dedup_key(&other));
    }
}
