//! What people do to an alert: take it, finish it, open it again, write about it. Each act is one write with its
//! history entry and its messages.

use super::alerts::{self, Action, HistoryEntry, Stored};
use super::outbox;
use super::tx::Tx;
use super::{Error, EventType, Store};
use crate::model::{Alert, Resolution, ResolutionReason, Status, Timestamp};

/// Who acts, on which version, with which words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Act {
    /// Name of the key or user.
    pub actor: String,
    /// The version the actor has seen; `None` means any.
    pub expected: Option<u64>,
    /// A note or comment.
    pub note: Option<String>,
}

/// The status as people write it.
pub(super) fn status_name(status: Status) -> &'static str {
    match status {
        Status::Open => "open",
        Status::Acknowledged => "acknowledged",
        Status::Closed => "closed",
    }
}

impl Store {
    /// Takes an open alert, for `assignee` or else for the actor.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Conflict`], [`Error::Illegal`]; so for all acts.
    pub fn ack_alert(&self, id: &str, act: &Act, assignee: Option<String>) -> Result<Alert, Error> {
        self.transition(id, act, Status::Acknowledged, |alert, now| {
            alert.assignee = Some(assignee.unwrap_or_else(|| act.actor.clone()));
            alert.acknowledged_at = Some(now);
        })
    }

    /// Finishes an alert with a verdict; the act's note is the comment.
    pub fn close_alert(
        &self,
        id: &str,
        act: &Act,
        reason: ResolutionReason,
    ) -> Result<Alert, Error> {
        self.transition(id, act, Status::Closed, |alert, now| {
            alert.resolution = Some(Resolution {
                reason,
                comment: act.note.clone().unwrap_or_default(),
                by: act.actor.clone(),
                at: now,
            });
        })
    }

    /// Opens an acknowledged or closed alert again: nobody has it, there is no verdict.
    pub fn reopen_alert(&self, id: &str, act: &Act) -> Result<Alert, Error> {
        self.transition(id, act, Status::Open, |alert, _now| {
            alert.resolution = None;
            alert.assignee = None;
            alert.acknowledged_at = None;
        })
    }

    /// Writes a note into an alert's history. Tells nobody.
    ///
    /// # Errors
    /// Also [`Error::Full`] at `Options::history_per_alert_max`.
    pub fn note_alert(&self, id: &str, act: &Act) -> Result<Alert, Error> {
        let now = self.0.clock.now();
        let max = self.options().history_per_alert_max;
        self.update(|tx| {
            let mut stored = seen(tx, id, act)?;
            if stored.history >= max {
                return Err(Error::Full {
                    what: "history entries",
                    max,
                });
            }
            stored.alert.version = stored.alert.version.saturating_add(1);
            stored.alert.updated_at = now;
            let status = stored.alert.status;
            let entry = entry(act, now, Action::Noted, (status, status));
            alerts::append_history(tx, &mut stored, entry)?;
            alerts::write(tx, &stored)?;
            Ok(stored.alert)
        })
    }

    fn transition(
        &self,
        id: &str,
        act: &Act,
        to: Status,
        change: impl FnOnce(&mut Alert, Timestamp),
    ) -> Result<Alert, Error> {
        let now = self.0.clock.now();
        self.update(|tx| {
            let mut stored = seen(tx, id, act)?;
            let from = stored.alert.status;
            if !from.may_become(to) {
                return Err(Error::Illegal { from });
            }
            let (action, event_type) = match to {
                Status::Open => (Action::Reopened, EventType::AlertReopened),
                Status::Acknowledged => (Action::Acknowledged, EventType::AlertAcknowledged),
                Status::Closed => (Action::Closed, EventType::AlertClosed),
            };
            stored.alert.status = to;
            stored.alert.version = stored.alert.version.saturating_add(1);
            stored.alert.updated_at = now;
            change(&mut stored.alert, now);
            if to == Status::Open {
                find_again(tx, &stored.alert)?;
            }
            let entry = entry(act, now, action, (from, to));
            alerts::append_history(tx, &mut stored, entry)?;
            alerts::write(tx, &stored)?;
            outbox::enqueue(tx, self.options(), event_type, &stored.alert, now)?;
            Ok(stored.alert)
        })
    }
}

/// The alert, if it is the version the actor has seen.
fn seen(tx: &Tx<'_>, id: &str, act: &Act) -> Result<Stored, Error> {
    let stored = alerts::read(tx, id)?.ok_or(Error::Missing("alert"))?;
    match act.expected {
        Some(version) if version != stored.alert.version => Err(Error::Conflict {
            version: stored.alert.version,
        }),
        _ => Ok(stored),
    }
}

/// A reopened alert takes further findings again, unless a newer one of its key is open.
fn find_again(tx: &mut Tx<'_>, alert: &Alert) -> Result<(), Error> {
    let newest = alerts::newest_of_key(tx, &alert.dedup_key)?;
    if newest.is_none_or(|newest| newest.alert.status == Status::Closed) {
        alerts::point_key_at(tx, alert);
    }
    Ok(())
}

fn entry(act: &Act, at: Timestamp, action: Action, (from, to): (Status, Status)) -> HistoryEntry {
    let (actor, note) = (act.actor.clone(), act.note.clone());
    HistoryEntry {
        seq: 0,
        at,
        actor,
        action,
        from: Some(from),
        to,
        note,
    }
}
