//! Forgetting: what is settled and old, what a disabled endpoint will not get, what a deleted one leaves behind.
//! In small transactions, so that nobody waits for it.

use super::alerts;
use super::endpoints;
use super::engine::{Direction, Range, Table};
use super::outbox::{Delivery, DeliveryState, Message};
use super::tx::Tx;
use super::{EndpointHealth, EndpointState, Error, Store, ids};
use crate::model::Timestamp;

/// Rows changed in one transaction.
const ROWS: usize = 500;
/// Transactions in one call.
const ROUNDS_MAX: usize = 200;
const DAY_NS: i64 = 86_400_000_000_000;

impl Store {
    /// Applies every retention bound; call it now and then. Bounded: a large backlog takes several calls.
    pub fn prune(&self) -> Result<(), Error> {
        let now = self.0.clock.now();
        let days =
            |days: u32| Timestamp(now.0.saturating_sub(i64::from(days).saturating_mul(DAY_NS)));
        let messages_before = days(self.options().messages_days);
        self.skip_disabled(now)?;
        let mut after = None;
        for _ in 0..ROUNDS_MAX {
            after = self.update(|tx| prune_messages(tx, messages_before, after.as_deref()))?;
            if after.is_none() {
                break;
            }
        }
        let closed_before = days(self.options().alerts_closed_days);
        let mut after = None;
        for _ in 0..ROUNDS_MAX {
            after = self.update(|tx| alerts::prune(tx, closed_before, after.as_deref(), ROWS))?;
            if after.is_none() {
                break;
            }
        }
        self.show_pending()
    }

    /// What waits for a disabled endpoint is skipped; what a deleted one left is removed.
    fn skip_disabled(&self, now: Timestamp) -> Result<(), Error> {
        let limit = self.options().endpoints_max.saturating_mul(2);
        let known: Vec<(Vec<u8>, EndpointHealth)> = self.view(|tx| {
            tx.records(
                Table::Health,
                &Range::prefix(b""),
                Direction::Forward,
                limit,
            )
        })?;
        for (id, _) in known {
            let id = String::from_utf8_lossy(&id).into_owned();
            for _ in 0..ROUNDS_MAX {
                let has_more = self.update(|tx| match endpoints::read(tx, &id) {
                    Err(Error::Missing(_)) => purge_endpoint(tx, &id),
                    Ok(endpoint) if endpoint.state == EndpointState::Disabled => {
                        skip_waiting(tx, &id, now)
                    }
                    Ok(_) => Ok(false),
                    Err(error) => Err(error),
                })?;
                if !has_more {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Removes rows of an endpoint that no longer exists; whether there are more.
pub(super) fn purge_endpoint(tx: &mut Tx<'_>, id: &str) -> Result<bool, Error> {
    let range = Range::prefix(&ids::pair(id, b""));
    for table in [Table::Due, Table::Deliveries, Table::Attempts] {
        let rows = tx.scan(table, &range, Direction::Forward, ROWS)?;
        for (key, _) in &rows {
            tx.delete(table, key);
        }
        if !rows.is_empty() {
            return Ok(true);
        }
    }
    tx.delete(Table::Health, id.as_bytes());
    Ok(false)
}

/// Skips deliveries that wait for a disabled endpoint; whether there are more.
fn skip_waiting(tx: &mut Tx<'_>, id: &str, now: Timestamp) -> Result<bool, Error> {
    let range = Range::prefix(&ids::pair(id, b""));
    let rows = tx.scan(Table::Due, &range, Direction::Forward, ROWS)?;
    if rows.is_empty() {
        return Ok(false);
    }
    for (key, _) in &rows {
        tx.delete(Table::Due, key);
        let message = key.get(id.len().saturating_add(9)..).unwrap_or_default();
        let at = ids::pair(id, message);
        if let Some(mut delivery) = tx.record::<Delivery>(Table::Deliveries, &at)? {
            delivery.state = DeliveryState::Skipped;
            (delivery.next_at, delivery.settled_at) = (None, Some(now));
            tx.put_record(Table::Deliveries, &at, &delivery)?;
        }
    }
    let mut health = endpoints::health(tx, id)?;
    let skipped = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    health.pending = health.pending.saturating_sub(skipped);
    endpoints::write_health(tx, id, &health)?;
    Ok(rows.len() >= ROWS)
}

/// Removes messages written before `before` that nothing waits for. Returns where to go on, `None` at the end.
fn prune_messages(
    tx: &mut Tx<'_>,
    before: Timestamp,
    after: Option<&[u8]>,
) -> Result<Option<Vec<u8>>, Error> {
    let mut range = Range::prefix(b"");
    if let Some(key) = after {
        range = range.after(key);
    }
    let rows: Vec<(Vec<u8>, Message)> =
        tx.records(Table::Messages, &range, Direction::Forward, ROWS)?;
    for (key, message) in &rows {
        // Ids sort by time.
        if message.created_at >= before {
            return Ok(None);
        }
        let at = |endpoint: &String| ids::pair(endpoint, message.id.as_bytes());
        let mut waits = false;
        for endpoint in &message.endpoints {
            let delivery = tx.record::<Delivery>(Table::Deliveries, &at(endpoint))?;
            waits |= delivery.is_some_and(|row| row.state == DeliveryState::Pending);
        }
        if waits {
            continue;
        }
        for endpoint in &message.endpoints {
            tx.delete(Table::Deliveries, &at(endpoint));
        }
        tx.delete(Table::Messages, key);
        tx.delete(Table::Bodies, key);
        if let Some(alert) = &message.alert_id {
            tx.delete(
                Table::MessagesByAlert,
                &ids::pair(alert, message.id.as_bytes()),
            );
        }
    }
    let is_full = rows.len() >= ROWS;
    Ok(rows
        .into_iter()
        .next_back()
        .filter(|_| is_full)
        .map(|(key, _)| key))
}
