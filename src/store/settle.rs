//! What an attempt leaves behind: in the log of attempts, in its delivery, in the endpoint's health.

use super::endpoints;
use super::engine::Table;
use super::outbox::{Attempt, Delivery, DeliveryState, Settlement, Verdict, delivery_key, due_key};
use super::tx::Tx;
use super::{EndpointState, Error, Options, ids};
use crate::model::Timestamp;

const DAY_NS: i64 = 86_400_000_000_000;
/// Messages given up, in the days of failing, before an endpoint is disabled.
const LOST_MIN: u64 = 2;

/// Records an attempt and what becomes of its delivery, unless the delivery no longer waits.
pub(super) fn settle(
    tx: &mut Tx<'_>,
    options: &Options,
    settlement: &Settlement,
    now: Timestamp,
) -> Result<(), Error> {
    let attempt = &settlement.attempt;
    let endpoint_id = attempt.endpoint_id.as_str();
    let key = delivery_key(endpoint_id, &attempt.message_id);
    let Some(mut delivery) = tx.record::<Delivery>(Table::Deliveries, &key)? else {
        return Ok(());
    };
    let Some(was_due) = delivery.next_at else {
        return Ok(());
    };
    let mut health = endpoints::health(tx, endpoint_id)?;
    record_attempt(tx, options, attempt, &mut health.attempts)?;
    tx.delete(
        Table::Due,
        &due_key(endpoint_id, was_due, &attempt.message_id),
    );
    delivery.attempts = attempt.number;
    delivery.last_status = attempt.status;
    delivery.last_error.clone_from(&attempt.error);
    delivery.next_at = None;
    delivery.settled_at = Some(now);
    delivery.state = match settlement.verdict {
        Verdict::Delivered => DeliveryState::Delivered,
        Verdict::Exhausted => DeliveryState::Exhausted,
        Verdict::Aborted => DeliveryState::Aborted,
        Verdict::Retry(at) => {
            delivery.next_at = Some(at);
            delivery.settled_at = None;
            tx.put(
                Table::Due,
                &due_key(endpoint_id, at, &attempt.message_id),
                Vec::new(),
            );
            DeliveryState::Pending
        }
    };
    tx.put_record(Table::Deliveries, &key, &delivery)?;
    if delivery.next_at.is_none() {
        health.pending = health.pending.saturating_sub(1);
    }
    if settlement.verdict == Verdict::Delivered {
        (health.failing_since, health.hold_until, health.exhausted) = (None, None, 0);
        health.succeeded_at = Some(now);
    } else {
        health.failing_since = health.failing_since.or(Some(now));
        health.hold_until = health.hold_until.max(settlement.hold_until);
        let is_lost = matches!(settlement.verdict, Verdict::Exhausted | Verdict::Aborted);
        health.exhausted = health.exhausted.saturating_add(u64::from(is_lost));
    }
    endpoints::write_health(tx, endpoint_id, &health)?;
    let days = i64::from(options.endpoint_failing_days).saturating_mul(DAY_NS);
    let is_failing = health.exhausted >= LOST_MIN
        && health
            .failing_since
            .is_some_and(|since| now.0.saturating_sub(since.0) >= days);
    let reason = settlement
        .disable
        .clone()
        .or_else(|| is_failing.then(|| "failing".into()));
    if let (Some(reason), Ok(mut endpoint)) = (reason, endpoints::read(tx, endpoint_id)) {
        endpoint.state = EndpointState::Disabled;
        endpoint.reason = Some(reason);
        endpoint.version = endpoint.version.saturating_add(1);
        endpoint.updated_at = now;
        endpoints::write(tx, &endpoint)?;
    }
    Ok(())
}

fn record_attempt(
    tx: &mut Tx<'_>,
    options: &Options,
    attempt: &Attempt,
    made: &mut u64,
) -> Result<(), Error> {
    let key = |number: u64| ids::pair(&attempt.endpoint_id, &number.to_be_bytes());
    tx.put_record(Table::Attempts, &key(*made), attempt)?;
    if let Some(old) = made.checked_sub(options.attempts_per_endpoint_max) {
        tx.delete(Table::Attempts, &key(old));
    }
    *made = made.saturating_add(1);
    Ok(())
}
