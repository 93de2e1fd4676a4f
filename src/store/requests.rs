//! Which alerts hold a correlation id, whatever way it is written: a row per normal form of each id that an alert
//! holds, written and removed together with the alert. Alerts written before there was this table have no rows
//! until findings change their ids.

use std::collections::BTreeSet;

use super::alerts::{self, Stored};
use super::engine::{Direction, Range, Table};
use super::tx::Tx;
use super::{Error, Store, ids};
use crate::model::{Alert, each_id_form};

/// The rows of an alert. Bounded, since the ids of an alert are, and the forms of an id.
fn keys(alert: &Alert) -> BTreeSet<Vec<u8>> {
    let mut keys = BTreeSet::new();
    for id in &alert.correlation_ids {
        each_id_form(id, |form| {
            // Of fixed size, since ids are chosen by clients; then so that the newest alert comes last.
            let mut key = ids::hashed(form).to_vec();
            key.extend_from_slice(&alerts::time_key(alert));
            keys.insert(key);
        });
    }
    keys
}

/// Puts the rows of an alert in place of those it had.
pub(super) fn replace(tx: &mut Tx<'_>, old: Option<&Alert>, new: Option<&Alert>) {
    let ids = |alert: &Alert| alert.correlation_ids.clone();
    if old.map(ids) == new.map(ids) {
        return;
    }
    let before = old.map(keys).unwrap_or_default();
    let after = new.map(keys).unwrap_or_default();
    for key in before.difference(&after) {
        tx.delete(Table::AlertsByRequest, key);
    }
    for key in after.difference(&before) {
        tx.put(Table::AlertsByRequest, key, Vec::new());
    }
}

impl Store {
    /// The newest `limit` alerts that hold a correlation id in any spelling, newest opening time first.
    pub fn alerts_of_request(&self, id: &str, limit: usize) -> Result<Vec<Alert>, Error> {
        let mut parts = Vec::new();
        each_id_form(id, |form| parts.push(ids::hashed(form)));
        self.view(|tx| {
            let mut found = BTreeSet::new();
            for part in &parts {
                let range = Range::prefix(part);
                let rows = tx.scan(Table::AlertsByRequest, &range, Direction::Reverse, limit)?;
                // By time and alert id, without the form.
                found.extend(rows.iter().map(|(key, _)| {
                    let place = key.get(part.len()..).unwrap_or_default();
                    place.to_vec()
                }));
            }
            let mut alerts = Vec::new();
            for place in found.iter().rev().take(limit) {
                let id = place.get(8..).unwrap_or_default();
                let stored: Option<Stored> = tx.record(Table::Alerts, id)?;
                alerts.extend(stored.map(|stored| stored.alert));
            }
            Ok(alerts)
        })
    }
}
