//! Messages and their deliveries. A message is written with the change it tells of; a delivery waits in `due`
//! until it is settled. Nothing marks one as under way: whoever dies in the middle of an attempt has it sent
//! again, under the same message id.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::endpoints::{self, endpoint_matches};
use super::engine::{Direction, Range, Table};
use super::tx::Tx;
use super::{Endpoint, EndpointState, Error, EventType, Options, Store, ids, message, settle};
use crate::model::{Alert, Timestamp, rfc3339, rfc3339_option};

/// What was told to whom; the bytes are kept apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Message {
    /// `msg_` and 26 characters; the `webhook-id` of every attempt.
    pub id: String,
    /// Its kind.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// What it is about.
    pub alert_id: Option<String>,
    /// The endpoints it goes to.
    pub endpoints: Vec<String>,
    /// When it was written.
    #[schema(value_type = String, format = DateTime)]
    #[serde(with = "rfc3339")]
    pub created_at: Timestamp,
}

/// Where a delivery is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Waits for its next attempt.
    Pending,
    /// Answered with 2xx.
    Delivered,
    /// Every attempt of the schedule failed.
    Exhausted,
    /// Failed in a way that trying again cannot change.
    Aborted,
    /// Never sent: the endpoint was disabled, or too many waited for it.
    Skipped,
}

/// One message to one endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Delivery {
    /// The message.
    pub message_id: String,
    /// The endpoint.
    pub endpoint_id: String,
    /// The message's kind.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// What it is about.
    pub alert_id: Option<String>,
    /// Where it is in its life.
    pub state: DeliveryState,
    /// Attempts made.
    pub attempts: u32,
    /// When it was written.
    #[schema(value_type = String, format = DateTime)]
    #[serde(with = "rfc3339")]
    pub created_at: Timestamp,
    /// When it is tried next, while it waits.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(with = "rfc3339_option", default)]
    pub next_at: Option<Timestamp>,
    /// When it stopped waiting.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(with = "rfc3339_option", default)]
    pub settled_at: Option<Timestamp>,
    /// Status of the last answer.
    pub last_status: Option<u16>,
    /// Code of the last failure.
    pub last_error: Option<String>,
}

/// One request to an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Attempt {
    /// The message.
    pub message_id: String,
    /// The endpoint.
    pub endpoint_id: String,
    /// Which attempt of its delivery, from 1.
    pub number: u32,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    #[serde(with = "rfc3339")]
    pub at: Timestamp,
    /// How long it took.
    pub duration_ms: u64,
    /// Status of the answer, where there was one.
    pub status: Option<u16>,
    /// Code of the failure, where there was one.
    pub error: Option<String>,
    /// The beginning of the answer's body, redacted.
    pub response_head: String,
}

/// A delivery whose time has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueDelivery {
    /// The endpoint, as it is now.
    pub endpoint: Endpoint,
    /// The message.
    pub message_id: String,
    /// Which attempt this would be, from 1.
    pub number: u32,
}

/// What becomes of a delivery after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It arrived.
    Delivered,
    /// Again, not before this.
    Retry(Timestamp),
    /// No attempts left.
    Exhausted,
    /// No sense in trying again.
    Aborted,
}

/// The result of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The attempt.
    pub attempt: Attempt,
    /// What becomes of its delivery.
    pub verdict: Verdict,
    /// Nothing goes to the endpoint before this.
    pub hold_until: Option<Timestamp>,
    /// The endpoint is disabled for this reason.
    pub disable: Option<String>,
}

/// A page of deliveries, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryPage {
    /// The deliveries.
    pub deliveries: Vec<Delivery>,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
}

pub(super) fn due_key(endpoint: &str, at: Timestamp, message: &str) -> Vec<u8> {
    ids::pair(endpoint, &ids::time_key(at, message.as_bytes()))
}

pub(super) fn delivery_key(endpoint: &str, message: &str) -> Vec<u8> {
    ids::pair(endpoint, message.as_bytes())
}

/// Writes a message about an alert, with a delivery to each endpoint that wants it.
pub(super) fn enqueue(
    tx: &mut Tx<'_>,
    options: &Options,
    event_type: EventType,
    alert: &Alert,
    now: Timestamp,
) -> Result<(), Error> {
    let wanted: Vec<Endpoint> = endpoints::all(tx, options.endpoints_max)?
        .into_iter()
        .filter(|endpoint| endpoint_matches(endpoint, event_type, alert))
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let id = ids::fresh("msg_", now)?;
    let body = message::render(event_type, &id, alert, now, options.message_bytes_max)?;
    tx.put(Table::Bodies, id.as_bytes(), body);
    tx.put(
        Table::MessagesByAlert,
        &ids::pair(&alert.id, id.as_bytes()),
        Vec::new(),
    );
    for endpoint in &wanted {
        let mut health = endpoints::health(tx, &endpoint.id)?;
        let has_room = health.pending < options.deliveries_pending_max;
        let delivery = Delivery {
            message_id: id.clone(),
            endpoint_id: endpoint.id.clone(),
            event_type,
            alert_id: Some(alert.id.clone()),
            state: if has_room {
                DeliveryState::Pending
            } else {
                DeliveryState::Skipped
            },
            attempts: 0,
            created_at: now,
            next_at: has_room.then_some(now),
            settled_at: (!has_room).then_some(now),
            last_status: None,
            last_error: (!has_room).then(|| "queue_full".into()),
        };
        if has_room {
            tx.put(Table::Due, &due_key(&endpoint.id, now, &id), Vec::new());
            health.pending = health.pending.saturating_add(1);
            endpoints::write_health(tx, &endpoint.id, &health)?;
        } else {
            tx.effects().skipped += 1;
        }
        tx.put_record(
            Table::Deliveries,
            &delivery_key(&endpoint.id, &id),
            &delivery,
        )?;
    }
    let endpoints = wanted.into_iter().map(|endpoint| endpoint.id).collect();
    let alert_id = Some(alert.id.clone());
    let message = Message {
        id,
        event_type,
        alert_id,
        endpoints,
        created_at: now,
    };
    tx.effects().wakes_outbox = true;
    tx.put_record(Table::Messages, message.id.as_bytes(), &message)
}

impl Store {
    /// Resolves when something was put into the outbox since the last time; also returns at once then.
    pub async fn outbox_changed(&self) {
        self.0.outbox_signal.notified().await;
    }

    /// A message id for something that is sent without being stored.
    pub fn fresh_message_id(&self) -> Result<String, Error> {
        ids::fresh("msg_", self.0.clock.now())
    }

    /// Deliveries whose time has come: the oldest `per_endpoint` of each endpoint that is enabled and not held.
    pub fn due(&self, per_endpoint: usize) -> Result<Vec<DueDelivery>, Error> {
        let now = self.0.clock.now();
        let max = self.options().endpoints_max;
        self.view(|tx| {
            let mut due = Vec::new();
            for endpoint in endpoints::all(tx, max)? {
                let health = endpoints::health(tx, &endpoint.id)?;
                let is_held = health.hold_until.is_some_and(|until| now < until);
                if endpoint.state != EndpointState::Enabled || is_held || health.pending == 0 {
                    continue;
                }
                due_of(tx, &endpoint, now, per_endpoint, &mut due)?;
            }
            Ok(due)
        })
    }

    /// The bytes of a message; `None` once it was pruned.
    pub fn message_body(&self, id: &str) -> Result<Option<Vec<u8>>, Error> {
        self.view(|tx| tx.get(Table::Bodies, id.as_bytes()))
    }

    /// Records an attempt and what becomes of its delivery. Nothing happens where the delivery no longer waits.
    pub fn settle(&self, settlement: &Settlement) -> Result<(), Error> {
        let now = self.0.clock.now();
        self.update(|tx| settle::settle(tx, self.options(), settlement, now))
    }

    /// Puts a settled delivery back to the beginning of its schedule, under the same message id.
    ///
    /// # Errors
    /// [`Error::Missing`], also where the body was pruned.
    pub fn resend(&self, endpoint_id: &str, message_id: &str) -> Result<Delivery, Error> {
        let now = self.0.clock.now();
        self.update(|tx| {
            let key = delivery_key(endpoint_id, message_id);
            let mut delivery: Delivery = tx
                .record(Table::Deliveries, &key)?
                .ok_or(Error::Missing("delivery"))?;
            tx.get(Table::Bodies, message_id.as_bytes())?
                .ok_or(Error::Missing("message"))?;
            match delivery.next_at {
                Some(at) => tx.delete(Table::Due, &due_key(endpoint_id, at, message_id)),
                None => {
                    let mut health = endpoints::health(tx, endpoint_id)?;
                    health.pending = health.pending.saturating_add(1);
                    endpoints::write_health(tx, endpoint_id, &health)?;
                }
            }
            delivery.state = DeliveryState::Pending;
            (delivery.attempts, delivery.next_at, delivery.settled_at) = (0, Some(now), None);
            tx.put(
                Table::Due,
                &due_key(endpoint_id, now, message_id),
                Vec::new(),
            );
            tx.put_record(Table::Deliveries, &key, &delivery)?;
            tx.effects().wakes_outbox = true;
            Ok(delivery)
        })
    }

    /// A page of an endpoint's deliveries, newest first. A cursor is a message id.
    pub fn endpoint_deliveries(
        &self,
        endpoint_id: &str,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<DeliveryPage, Error> {
        self.view(|tx| {
            let mut range = Range::prefix(&ids::pair(endpoint_id, b""));
            if let Some(message_id) = cursor {
                range = range.before(&delivery_key(endpoint_id, message_id));
            }
            let rows = tx.records(Table::Deliveries, &range, Direction::Reverse, limit)?;
            let deliveries: Vec<Delivery> = rows.into_iter().map(|(_, row)| row).collect();
            let is_full = deliveries.len() >= limit;
            let last = deliveries.last().filter(|_| is_full);
            Ok(DeliveryPage {
                next_cursor: last.map(|last| last.message_id.clone()),
                deliveries,
            })
        })
    }

    /// A page of the deliveries about an alert, newest message first.
    ///
    /// # Errors
    /// [`Error::Missing`] for a cursor that is none.
    pub fn alert_deliveries(
        &self,
        alert_id: &str,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<DeliveryPage, Error> {
        // The last delivery that was seen: its message, then its endpoint.
        let seen = cursor.map(|text| text.split_once('/').ok_or(Error::Missing("cursor")));
        let seen = seen.transpose()?;
        let prefix = ids::pair(alert_id, b"");
        let mut range = Range::prefix(&prefix);
        if let Some((message, _)) = seen {
            let mut behind = ids::pair(alert_id, message.as_bytes());
            behind.push(0);
            range = range.before(&behind);
        }
        self.view(|tx| {
            // One more than wanted, and the one the page before ended in.
            let rows = limit.saturating_add(2);
            let rows = tx.scan(Table::MessagesByAlert, &range, Direction::Reverse, rows)?;
            let mut deliveries = Vec::new();
            for (key, _) in &rows {
                let id = key.get(prefix.len()..).unwrap_or_default();
                let Some(message) = tx.record::<Message>(Table::Messages, id)? else {
                    continue;
                };
                let mut to = message.endpoints.as_slice();
                if let Some((_, endpoint)) = seen.filter(|(seen, _)| *seen == message.id) {
                    let at = to.iter().position(|to| to == endpoint);
                    to = at.and_then(|at| to.get(at + 1..)).unwrap_or_default();
                }
                for endpoint in to {
                    let key = delivery_key(endpoint, &message.id);
                    deliveries.extend(tx.record::<Delivery>(Table::Deliveries, &key)?);
                }
            }
            let has_more = deliveries.len() > limit;
            deliveries.truncate(limit);
            let last = deliveries.last().filter(|_| has_more);
            let mut next = last.map(|last| format!("{}/{}", last.message_id, last.endpoint_id));
            // Messages whose endpoints are deleted have no deliveries; there may be others behind them.
            if let Some((key, _)) = rows.get(limit + 1)
                && !has_more
            {
                let id = key.get(prefix.len()..).unwrap_or_default();
                next = Some(format!("{}/", String::from_utf8_lossy(id)));
            }
            Ok(DeliveryPage {
                next_cursor: next,
                deliveries,
            })
        })
    }

    /// The newest `limit` attempts to an endpoint, newest first.
    pub fn attempts(&self, endpoint_id: &str, limit: usize) -> Result<Vec<Attempt>, Error> {
        self.view(|tx| {
            let range = Range::prefix(&ids::pair(endpoint_id, b""));
            let rows = tx.records(Table::Attempts, &range, Direction::Reverse, limit)?;
            Ok(rows.into_iter().map(|(_, attempt)| attempt).collect())
        })
    }

    /// Sets the gauge of waiting deliveries.
    pub fn show_pending(&self) -> Result<(), Error> {
        let limit = self.options().endpoints_max;
        let rows: Vec<(Vec<u8>, super::EndpointHealth)> = self.view(|tx| {
            tx.records(
                Table::Health,
                &Range::prefix(b""),
                Direction::Forward,
                limit,
            )
        })?;
        let pending = rows
            .iter()
            .fold(0u64, |sum, (_, row)| sum.saturating_add(row.pending));
        self.0.metrics.deliveries_pending.set(pending);
        Ok(())
    }
}

fn due_of(
    tx: &Tx<'_>,
    endpoint: &Endpoint,
    now: Timestamp,
    limit: usize,
    due: &mut Vec<DueDelivery>,
) -> Result<(), Error> {
    let after_now = ids::order(Timestamp(now.0.saturating_add(1)));
    let range =
        Range::prefix(&ids::pair(&endpoint.id, b"")).before(&ids::pair(&endpoint.id, &after_now));
    for (key, _) in tx.scan(Table::Due, &range, Direction::Forward, limit)? {
        let id = key
            .get(endpoint.id.len().saturating_add(9)..)
            .unwrap_or_default();
        let message_id = String::from_utf8_lossy(id).into_owned();
        let key = delivery_key(&endpoint.id, &message_id);
        if let Some(delivery) = tx.record::<Delivery>(Table::Deliveries, &key)? {
            let number = delivery.attempts.saturating_add(1);
            due.push(DueDelivery {
                endpoint: endpoint.clone(),
                message_id,
                number,
            });
        }
    }
    Ok(())
}
