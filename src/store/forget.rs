//! Forgetting single events: the samples of them that alerts and messages hold.

use serde_json::Value;

use super::alerts::{self, Stored};
use super::engine::{Direction, Range, Table};
use super::tx::Tx;
use super::{Error, Store, ids};
use crate::model::Offset;

/// Alerts looked at in one transaction.
const ALERTS: usize = 50;
/// Messages of an alert read at a time.
const MESSAGES: usize = 500;

impl Store {
    /// Takes samples of erased events out of alerts and of the messages about them; returns how many alerts had some. What an
    /// alert says of its own (title, entities, ids of requests) stays.
    ///
    /// # Errors
    /// Where the state cannot be read or written; doing it again does the rest.
    pub fn forget_events(&self, is_erased: impl Fn(Offset) -> bool) -> Result<u64, Error> {
        let mut range = Range::prefix(b"");
        let mut alerts = 0;
        loop {
            let (count, last) = self.update(|tx| some(tx, &range, &is_erased))?;
            alerts += count;
            match last {
                Some(last) => range = range.after(&last),
                None => return Ok(alerts),
            }
        }
    }
}

/// One transaction: how many alerts were changed, and the last one looked at where there may be more.
fn some(
    tx: &mut Tx<'_>,
    range: &Range,
    is_erased: &impl Fn(Offset) -> bool,
) -> Result<(u64, Option<Vec<u8>>), Error> {
    let is_gone = |id: &str| Offset::from_event_id(id).is_some_and(is_erased);
    let rows: Vec<(Vec<u8>, Stored)> =
        tx.records(Table::Alerts, range, Direction::Forward, ALERTS)?;
    let last = rows.last().map(|(key, _)| key.clone());
    let last = last.filter(|_| rows.len() == ALERTS);
    let mut changed = 0;
    for (_, mut stored) in rows {
        let samples = &mut stored.alert.sample_events;
        let before = samples.len();
        samples.retain(|sample| !is_gone(&sample.id));
        let is_changed = samples.len() < before;
        if is_changed {
            stored.alert.version = stored.alert.version.saturating_add(1);
            alerts::write(tx, &stored)?;
        }
        // Older messages may hold samples that the alert has no more.
        if messages(tx, &stored.alert.id, &is_gone)? || is_changed {
            changed += 1;
        }
    }
    Ok((changed, last))
}

fn messages(tx: &mut Tx<'_>, alert: &str, is_gone: &impl Fn(&str) -> bool) -> Result<bool, Error> {
    let prefix = ids::pair(alert, b"");
    let mut range = Range::prefix(&prefix);
    let mut is_changed = false;
    loop {
        let rows = tx.scan(Table::MessagesByAlert, &range, Direction::Forward, MESSAGES)?;
        for (key, _) in &rows {
            let id = key.get(prefix.len()..).unwrap_or_default();
            let Some(body) = tx.get(Table::Bodies, id)? else {
                continue;
            };
            if let Some(body) = without(&body, is_gone) {
                tx.put(Table::Bodies, id, body);
                is_changed = true;
            }
        }
        match rows.last() {
            Some((key, _)) if rows.len() == MESSAGES => range = range.after(key),
            _ => return Ok(is_changed),
        }
    }
}

/// The body of a message without these samples; `None` where it has none of them.
fn without(body: &[u8], is_gone: &impl Fn(&str) -> bool) -> Option<Vec<u8>> {
    let mut message: Value = serde_json::from_slice(body).ok()?;
    let samples = message.pointer_mut("/data/sample_events")?.as_array_mut()?;
    let before = samples.len();
    samples.retain(|sample| {
        !sample
            .get("id")
            .and_then(Value::as_str)
            .is_some_and(is_gone)
    });
    (samples.len() < before).then(|| serde_json::to_vec(&message).ok())?
}
