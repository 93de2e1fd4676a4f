//! What detection found, made true: alerts, history, messages, and how far detection has read, in one write.
//!
//! Detection replays the log from its last snapshot after a crash, and finds again what it had found. The mark
//! `findings` remembers up to which event findings are written, so that a second time changes nothing: no
//! alert is doubled, no count grows, nobody is told twice. Snapshots may be rarer than findings.

use super::alerts::{self, Action, HistoryEntry, Stored};
use super::checkpoints;
use super::engine::Table;
use super::tx::Tx;
use super::{Error, EventType, Options, Store, ids, outbox};
use crate::model::{Alert, Entity, Offset, RuleRef, SampleEvent, Severity, Status, Timestamp};

/// Name of the detection checkpoint.
pub(super) const READER: &str = "detect";
const MARK: &[u8] = b"findings";
const ACTOR: &str = "detection";

const ENTITIES_MAX: usize = 20;
const CORRELATION_IDS_MAX: usize = 20;
const SAMPLES_MAX: usize = 5;
const LABELS_MAX: usize = 32;
const TEXT_BYTES_MAX: usize = 4_096;
const SECOND_NS: i64 = 1_000_000_000;

/// A finding: a rule fired for a group. Opens an alert, or adds to the one that is open for its dedup key.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertChange {
    /// The event that made the rule fire. Together with the dedup key it gives a new alert its id.
    pub at: Offset,
    /// Rule id and group key.
    pub dedup_key: String,
    /// The rule as it is now.
    pub rule: RuleRef,
    /// The rule's title with the group.
    pub title: String,
    /// What happened, in one sentence.
    pub summary: String,
    /// How bad; an alert keeps the worst it has seen.
    pub severity: Severity,
    /// Time of the first event of the evidence.
    pub first_seen: Timestamp,
    /// Time of the last event of the evidence.
    pub last_seen: Timestamp,
    /// What was measured.
    pub value: u64,
    /// The threshold.
    pub threshold: u64,
    /// Who and what it is about.
    pub entities: Vec<Entity>,
    /// Correlation ids of the evidence.
    pub correlation_ids: Vec<String>,
    /// Events of the evidence, oldest first.
    pub sample_events: Vec<SampleEvent>,
    /// A search that shows the evidence.
    pub query: String,
    /// Free labels.
    pub labels: std::collections::BTreeMap<String, String>,
}

/// What a commit of findings did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// Ids of the alerts it opened.
    pub opened: Vec<String>,
    /// Ids of the alerts it added to.
    pub updated: Vec<String>,
    /// Findings written before, by a life of this process that ended before its snapshot.
    pub repeated: u64,
}

impl Store {
    /// How far detection has read, with its state there.
    pub fn detection_checkpoint(&self) -> Result<Option<checkpoints::Checkpoint>, Error> {
        self.checkpoint(READER)
    }

    /// Behind the last event that detection is known to have seen: its findings are written, or its state was saved.
    pub fn detection_seen(&self) -> Result<Offset, Error> {
        let saved = self.detection_checkpoint()?;
        let saved = saved.map_or(Offset(0), |checkpoint| checkpoint.offset);
        Ok(saved.max(self.view(mark)?))
    }

    /// Writes what detection found in the events ahead of `offset`, and its state at `offset` where given, all
    /// together. Every finding ahead of `offset` since the last call must be in `changes`, in log order; those
    /// written before are counted and left out. Also writes the counts of sources.
    pub fn commit_findings(
        &self,
        offset: Offset,
        snapshot: Option<&[u8]>,
        changes: &[AlertChange],
        now: Timestamp,
    ) -> Result<Committed, Error> {
        let committed = self.update(|tx| {
            let mut committed = Committed::default();
            let mark = mark(tx)?;
            for change in changes {
                if change.at < mark {
                    committed.repeated = committed.repeated.saturating_add(1);
                } else {
                    apply(tx, self.options(), change, now, &mut committed)?;
                }
            }
            if offset > mark {
                tx.put(Table::Meta, MARK, offset.0.to_le_bytes().to_vec());
            }
            let is_newer = checkpoints::read(tx, READER)?.is_none_or(|old| old.offset < offset);
            if let Some(state) = snapshot.filter(|_| is_newer) {
                checkpoints::write(tx, READER, offset, state);
            }
            self.0.sources.write(tx)?;
            Ok(committed)
        })?;
        let metrics = &self.0.metrics;
        metrics
            .alerts_opened
            .add(u64::try_from(committed.opened.len()).unwrap_or(0));
        metrics
            .alerts_updated
            .add(u64::try_from(committed.updated.len()).unwrap_or(0));
        Ok(committed)
    }

    /// Forgets how far detection has read and what it knew, for a log that starts anew. Alerts stay.
    pub fn reset_detection(&self) -> Result<(), Error> {
        self.update(|tx| {
            tx.delete(Table::Meta, MARK);
            checkpoints::remove(tx, READER);
            Ok(())
        })
    }
}

/// Behind the last event whose findings are written.
fn mark(tx: &Tx<'_>) -> Result<Offset, Error> {
    let Some(bytes) = tx.get(Table::Meta, MARK)? else {
        return Ok(Offset(0));
    };
    let damaged = Error::Damaged {
        table: Table::Meta.name(),
    };
    let bytes = bytes.first_chunk::<8>().ok_or(damaged)?;
    Ok(Offset(u64::from_le_bytes(*bytes)))
}

/// Opens or updates.
fn apply(
    tx: &mut Tx<'_>,
    options: &Options,
    change: &AlertChange,
    now: Timestamp,
    committed: &mut Committed,
) -> Result<(), Error> {
    let newest = alerts::newest_of_key(tx, &change.dedup_key)?;
    match newest {
        Some(stored) if stored.alert.status != Status::Closed => {
            committed.updated.push(stored.alert.id.clone());
            update(tx, options, change, stored, now)
        }
        previous => {
            alerts::make_room(tx, options.alerts_max)?;
            let alert = opened(change, previous.map(|stored| stored.alert.id), now);
            committed.opened.push(alert.id.clone());
            let status = alert.status;
            alerts::point_key_at(tx, &alert);
            let mut stored = Stored {
                alert,
                history: 0,
                told_at: Some(now),
            };
            let entry = HistoryEntry {
                seq: 0,
                at: now,
                actor: ACTOR.into(),
                action: Action::Opened,
                from: None,
                to: status,
                note: None,
            };
            alerts::append_history(tx, &mut stored, entry)?;
            alerts::write(tx, &stored)?;
            outbox::enqueue(tx, options, EventType::AlertOpened, &stored.alert, now)?;
            Ok(())
        }
    }
}

fn opened(change: &AlertChange, previous_id: Option<String>, now: Timestamp) -> Alert {
    let id = ids::alert(&change.dedup_key, change.at);
    let mut alert = Alert {
        url: format!("/alerts/{id}"),
        id,
        version: 1,
        rule: change.rule.clone(),
        dedup_key: change.dedup_key.clone(),
        title: clipped(&change.title),
        summary: clipped(&change.summary),
        severity: change.severity,
        status: Status::Open,
        resolution: None,
        assignee: None,
        first_seen: change.first_seen,
        last_seen: change.last_seen,
        opened_at: now,
        updated_at: now,
        acknowledged_at: None,
        count: 1,
        value: change.value,
        threshold: change.threshold,
        entities: Vec::new(),
        correlation_ids: Vec::new(),
        sample_events: Vec::new(),
        query: change.query.clone(),
        previous_id,
        labels: change.labels.clone().into_iter().take(LABELS_MAX).collect(),
    };
    add_evidence(&mut alert, change);
    alert
}

/// Adds a finding to an open alert. Receivers and the history hear of it once per interval.
fn update(
    tx: &mut Tx<'_>,
    options: &Options,
    change: &AlertChange,
    mut stored: Stored,
    now: Timestamp,
) -> Result<(), Error> {
    let alert = &mut stored.alert;
    let status = alert.status;
    alert.version = alert.version.saturating_add(1);
    alert.count = alert.count.saturating_add(1);
    alert.updated_at = now;
    alert.rule = change.rule.clone();
    alert.summary = clipped(&change.summary);
    let is_worse = change.severity > alert.severity;
    alert.severity = alert.severity.max(change.severity);
    alert.first_seen = alert.first_seen.min(change.first_seen);
    alert.last_seen = alert.last_seen.max(change.last_seen);
    (alert.value, alert.threshold) = (change.value, change.threshold);
    alert.query.clone_from(&change.query);
    add_evidence(alert, change);
    let interval = i64::from(options.alert_updated_interval_s).saturating_mul(SECOND_NS);
    let is_time = |told: Timestamp| now.0.saturating_sub(told.0) >= interval;
    let tells = is_worse || stored.told_at.is_none_or(is_time);
    if tells && stored.history < options.history_per_alert_max {
        let note = Some(format!("fired {} times", stored.alert.count));
        let (actor, action) = (ACTOR.into(), Action::Updated);
        let entry = HistoryEntry {
            seq: 0,
            at: now,
            actor,
            action,
            from: Some(status),
            to: status,
            note,
        };
        alerts::append_history(tx, &mut stored, entry)?;
    }
    if tells {
        stored.told_at = Some(now);
    }
    alerts::write(tx, &stored)?;
    if tells {
        outbox::enqueue(tx, options, EventType::AlertUpdated, &stored.alert, now)?;
    }
    Ok(())
}

/// Entities stay as they were first; of ids and samples the newest stay.
fn add_evidence(alert: &mut Alert, change: &AlertChange) {
    for entity in &change.entities {
        if alert.entities.len() < ENTITIES_MAX && !alert.entities.contains(entity) {
            alert.entities.push(entity.clone());
        }
    }
    for id in &change.correlation_ids {
        if !alert.correlation_ids.contains(id) {
            alert.correlation_ids.push(clipped(id));
        }
    }
    keep_last(&mut alert.correlation_ids, CORRELATION_IDS_MAX);
    for sample in &change.sample_events {
        if alert
            .sample_events
            .iter()
            .all(|known| known.id != sample.id)
        {
            let mut sample = sample.clone();
            sample.summary = clipped(&sample.summary);
            alert.sample_events.push(sample);
        }
    }
    keep_last(&mut alert.sample_events, SAMPLES_MAX);
}

fn keep_last<T>(list: &mut Vec<T>, max: usize) {
    list.drain(..list.len().saturating_sub(max));
}

fn clipped(text: &str) -> String {
    let end = text.floor_char_boundary(TEXT_BYTES_MAX);
    text.get(..end).unwrap_or_default().to_owned()
}
