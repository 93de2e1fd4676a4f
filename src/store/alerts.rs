//! Alerts by id, by opening time, by dedup key; their history; how many there are of each status.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::engine::{Direction, Range, Table};
use super::tx::Tx;
use super::{Error, Store, ids, requests};
use crate::model::{Alert, Severity, Status, Timestamp, rfc3339, rfc3339_option};

const COUNTS: &[u8] = b"alert_counts";
/// Rows of the time index read in one go.
const CHUNK: usize = 256;

/// What was done to an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A rule raised it.
    Opened,
    /// A rule found more.
    Updated,
    /// Somebody took it.
    Acknowledged,
    /// Somebody finished it.
    Closed,
    /// Somebody opened it again.
    Reopened,
    /// Somebody wrote something about it.
    Noted,
}

/// One entry of an alert's history, never changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HistoryEntry {
    /// Counts from 1 within the alert.
    pub seq: u64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    #[serde(with = "rfc3339")]
    pub at: Timestamp,
    /// Who: a key or user, or `detection`.
    pub actor: String,
    /// What.
    pub action: Action,
    /// The status before.
    pub from: Option<Status>,
    /// The status after.
    pub to: Status,
    /// Why, in words.
    pub note: Option<String>,
}

/// Which alerts to list; empty lists and `None` mean any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertFilter {
    /// One of these.
    pub statuses: Vec<Status>,
    /// One of these.
    pub severities: Vec<Severity>,
    /// The rule, by id or title.
    pub rule: Option<String>,
    /// Stands, in any case, in title, summary, entities, correlation ids or assignee.
    pub text: Option<String>,
}

/// A page of alerts, newest opening time first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlertPage {
    /// The alerts.
    pub alerts: Vec<Alert>,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
}

/// How many alerts of one status there are, by severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[expect(missing_docs, reason = "the names of the severities")]
pub struct StatusCounts {
    pub info: u64,
    pub low: u64,
    pub medium: u64,
    pub high: u64,
    pub critical: u64,
}

impl StatusCounts {
    /// Of all severities.
    #[must_use]
    pub fn total(&self) -> u64 {
        [self.info, self.low, self.medium, self.high, self.critical]
            .iter()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    fn of(&mut self, severity: Severity) -> &mut u64 {
        match severity {
            Severity::Info => &mut self.info,
            Severity::Low => &mut self.low,
            Severity::Medium => &mut self.medium,
            Severity::High => &mut self.high,
            Severity::Critical => &mut self.critical,
        }
    }
}

/// How many alerts there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AlertCounts {
    /// Nobody has looked yet.
    pub open: StatusCounts,
    /// Somebody has it.
    pub acknowledged: StatusCounts,
    /// Finished.
    pub closed: StatusCounts,
}

impl AlertCounts {
    fn of(&mut self, status: Status) -> &mut StatusCounts {
        match status {
            Status::Open => &mut self.open,
            Status::Acknowledged => &mut self.acknowledged,
            Status::Closed => &mut self.closed,
        }
    }

    /// Of all statuses.
    #[must_use]
    pub fn total(&self) -> u64 {
        [self.open, self.acknowledged, self.closed]
            .iter()
            .fold(0, |sum, counts| sum.saturating_add(counts.total()))
    }
}

/// An alert with what only the store needs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) alert: Alert,
    /// Entries its history has.
    pub(super) history: u64,
    /// When receivers were last told of it.
    #[serde(with = "rfc3339_option", default)]
    pub(super) told_at: Option<Timestamp>,
}

/// The part of an alert that the time index repeats, so that counting and most filters read no alerts.
#[derive(Serialize, Deserialize)]
struct IndexRow(Status, Severity);

pub(super) fn time_key(alert: &Alert) -> Vec<u8> {
    ids::time_key(alert.opened_at, alert.id.as_bytes())
}

/// The alert of this id.
pub(super) fn read(tx: &Tx<'_>, id: &str) -> Result<Option<Stored>, Error> {
    tx.record(Table::Alerts, id.as_bytes())
}

/// The newest alert of this dedup key, whatever its status.
pub(super) fn newest_of_key(tx: &Tx<'_>, dedup_key: &str) -> Result<Option<Stored>, Error> {
    let Some(id) = tx.get(Table::AlertsByKey, &ids::hashed(dedup_key))? else {
        return Ok(None);
    };
    tx.record(Table::Alerts, &id)
}

/// Makes an alert the one that its dedup key finds.
pub(super) fn point_key_at(tx: &mut Tx<'_>, alert: &Alert) {
    tx.put(
        Table::AlertsByKey,
        &ids::hashed(&alert.dedup_key),
        alert.id.clone().into_bytes(),
    );
}

/// Writes an alert with its index rows and the counts.
pub(super) fn write(tx: &mut Tx<'_>, stored: &Stored) -> Result<(), Error> {
    let alert = &stored.alert;
    let mut counts = counts(tx)?;
    let old = read(tx, &alert.id)?.map(|old| old.alert);
    if let Some(old) = &old {
        uncount(&mut counts, old);
    }
    requests::replace(tx, old.as_ref(), Some(alert));
    let count = counts.of(alert.status).of(alert.severity);
    *count = count.saturating_add(1);
    tx.put_record(Table::Meta, COUNTS, &counts)?;
    tx.put_record(
        Table::AlertsByTime,
        &time_key(alert),
        &IndexRow(alert.status, alert.severity),
    )?;
    tx.put_record(Table::Alerts, alert.id.as_bytes(), stored)
}

/// Appends to an alert's history; the caller writes the alert.
pub(super) fn append_history(
    tx: &mut Tx<'_>,
    stored: &mut Stored,
    mut entry: HistoryEntry,
) -> Result<(), Error> {
    stored.history = stored.history.saturating_add(1);
    entry.seq = stored.history;
    let key = ids::pair(&stored.alert.id, &entry.seq.to_be_bytes());
    tx.put_record(Table::History, &key, &entry)
}

pub(super) fn counts(tx: &Tx<'_>) -> Result<AlertCounts, Error> {
    Ok(tx.record(Table::Meta, COUNTS)?.unwrap_or_default())
}

fn uncount(counts: &mut AlertCounts, alert: &Alert) {
    let count = counts.of(alert.status).of(alert.severity);
    *count = count.saturating_sub(1);
}

/// Removes an alert with its history. Its messages go by their own retention.
fn remove(tx: &mut Tx<'_>, alert: &Alert, history: u64) -> Result<(), Error> {
    let mut counts = counts(tx)?;
    uncount(&mut counts, alert);
    tx.put_record(Table::Meta, COUNTS, &counts)?;
    for seq in 1..=history {
        tx.delete(Table::History, &ids::pair(&alert.id, &seq.to_be_bytes()));
    }
    let key = ids::hashed(&alert.dedup_key);
    if tx.get(Table::AlertsByKey, &key)?.as_deref() == Some(alert.id.as_bytes()) {
        tx.delete(Table::AlertsByKey, &key);
    }
    requests::replace(tx, Some(alert), None);
    tx.delete(Table::AlertsByTime, &time_key(alert));
    tx.delete(Table::Alerts, alert.id.as_bytes());
    Ok(())
}

/// Makes room for one more alert: the oldest closed one of the first few goes, or else the oldest.
pub(super) fn make_room(tx: &mut Tx<'_>, max: u64) -> Result<(), Error> {
    if counts(tx)?.total() < max {
        return Ok(());
    }
    let rows: Vec<(Vec<u8>, IndexRow)> = tx.records(
        Table::AlertsByTime,
        &Range::prefix(b""),
        Direction::Forward,
        CHUNK,
    )?;
    let is_closed = |(_, row): &&(Vec<u8>, IndexRow)| row.0 == Status::Closed;
    let Some((key, _)) = rows.iter().find(is_closed).or(rows.first()) else {
        return Ok(());
    };
    tx.effects().evicted += 1;
    match tx.record::<Stored>(Table::Alerts, key.get(8..).unwrap_or_default())? {
        Some(old) => remove(tx, &old.alert, old.history),
        None => {
            tx.delete(Table::AlertsByTime, key);
            Ok(())
        }
    }
}

/// Removes alerts closed before `before`. Returns where to go on, `None` at the end.
pub(super) fn prune(
    tx: &mut Tx<'_>,
    before: Timestamp,
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Option<Vec<u8>>, Error> {
    let mut range = Range::prefix(b"").before(&ids::order(before));
    if let Some(key) = after {
        range = range.after(key);
    }
    let rows: Vec<(Vec<u8>, IndexRow)> =
        tx.records(Table::AlertsByTime, &range, Direction::Forward, limit)?;
    for (key, row) in &rows {
        if row.0 != Status::Closed {
            continue;
        }
        let stored: Option<Stored> = tx.record(Table::Alerts, key.get(8..).unwrap_or_default())?;
        if let Some(old) = stored.filter(|old| old.alert.updated_at < before) {
            remove(tx, &old.alert, old.history)?;
        }
    }
    let is_full = rows.len() >= limit;
    Ok(rows
        .into_iter()
        .next_back()
        .filter(|_| is_full)
        .map(|(key, _)| key))
}

impl AlertFilter {
    fn takes_row(&self, row: &IndexRow) -> bool {
        (self.statuses.is_empty() || self.statuses.contains(&row.0))
            && (self.severities.is_empty() || self.severities.contains(&row.1))
    }

    fn takes(&self, alert: &Alert) -> bool {
        let is_rule = |rule: &String| *rule == alert.rule.id || *rule == alert.rule.name;
        self.rule.as_ref().is_none_or(is_rule)
            && self
                .text
                .as_ref()
                .is_none_or(|text| holds(alert, &text.to_lowercase()))
    }
}

fn holds(alert: &Alert, text: &str) -> bool {
    [&alert.title, &alert.summary]
        .into_iter()
        .chain(alert.assignee.iter())
        .chain(alert.entities.iter().map(|entity| &entity.value))
        .chain(alert.correlation_ids.iter())
        .any(|part| part.to_lowercase().contains(text))
}

fn cursor_text(key: &[u8]) -> String {
    base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, key)
}

fn cursor_key(text: &str) -> Result<Vec<u8>, Error> {
    base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, text)
        .map_err(|_error| Error::Missing("cursor"))
}

impl Store {
    /// The alert of this id.
    pub fn alert(&self, id: &str) -> Result<Option<Alert>, Error> {
        self.view(|tx| Ok(read(tx, id)?.map(|stored| stored.alert)))
    }

    /// A page of alerts, newest opening time first. Looks at no more than `Options::alerts_scan_max` alerts:
    /// a page can be short and still have a cursor.
    ///
    /// # Errors
    /// [`Error::Missing`] for a cursor that is none.
    pub fn alerts(
        &self,
        filter: &AlertFilter,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<AlertPage, Error> {
        let mut range = Range::prefix(b"");
        let mut last = cursor.map(cursor_key).transpose()?;
        let scan_max = self.options().alerts_scan_max;
        self.view(|tx| {
            let mut page = AlertPage::default();
            let mut scanned = 0usize;
            loop {
                if let Some(key) = &last {
                    range = range.clone().before(key);
                }
                let rows: Vec<(Vec<u8>, IndexRow)> =
                    tx.records(Table::AlertsByTime, &range, Direction::Reverse, CHUNK)?;
                let is_last = rows.len() < CHUNK;
                for (key, row) in rows {
                    if page.alerts.len() >= limit || scanned >= scan_max {
                        page.next_cursor = last.as_deref().map(cursor_text);
                        return Ok(page);
                    }
                    scanned = scanned.saturating_add(1);
                    if filter.takes_row(&row) {
                        let id = key.get(8..).unwrap_or_default();
                        let stored: Option<Stored> = tx.record(Table::Alerts, id)?;
                        page.alerts.extend(
                            stored
                                .map(|stored| stored.alert)
                                .filter(|alert| filter.takes(alert)),
                        );
                    }
                    last = Some(key);
                }
                if is_last {
                    return Ok(page);
                }
            }
        })
    }

    /// At most `limit` entries of an alert's history behind entry `after`, oldest first.
    pub fn alert_history(
        &self,
        id: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>, Error> {
        self.view(|tx| {
            let range =
                Range::prefix(&ids::pair(id, b"")).after(&ids::pair(id, &after.to_be_bytes()));
            let rows = tx.records(Table::History, &range, Direction::Forward, limit)?;
            Ok(rows.into_iter().map(|(_, entry)| entry).collect())
        })
    }

    /// How many alerts there are, by status and severity.
    pub fn alert_counts(&self) -> Result<AlertCounts, Error> {
        self.view(counts)
    }
}
