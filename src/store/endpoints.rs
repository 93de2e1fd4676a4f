//! Webhook endpoints: where messages go, which ones, signed with what.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::engine::{Direction, Range, Table};
use super::prune::purge_endpoint;
use super::tx::Tx;
use super::{Error, EventType, Secret, Store, ids};
use crate::model::{Alert, Severity, Timestamp, rfc3339, rfc3339_option};

const HOUR_NS: i64 = 3_600_000_000_000;
/// Secrets that sign at the same time; rotating more often retires the oldest at once.
const SECRETS_MAX: usize = 3;

/// Whether messages go to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndpointState {
    /// They go.
    Enabled,
    /// They wait until it is enabled again.
    Paused,
    /// There are none; what waited is skipped.
    Disabled,
}

/// A receiver of messages, without its secrets.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Endpoint {
    /// `whe_` and 26 characters.
    pub id: String,
    /// Grows by one with each change people make.
    pub version: u64,
    /// Where to. Path and query may hold a token: show [`Endpoint::masked_url`] in lists and logs.
    pub url: String,
    /// What people call it.
    pub description: String,
    /// Only alerts at least this bad; `None` means all.
    pub severity_min: Option<Severity>,
    /// Only alerts of these rules, by id or title; empty means all.
    pub rules: Vec<String>,
    /// Only these kinds of messages; empty means all.
    pub event_types: Vec<EventType>,
    /// Whether messages go to it.
    pub state: EndpointState,
    /// Why it is not enabled: `paused`, `disabled`, `gone` (it answered 410), `failing`.
    pub reason: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    #[serde(with = "rfc3339")]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    #[serde(with = "rfc3339")]
    pub updated_at: Timestamp,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Endpoint({}, {:?})", self.id, self.state)
    }
}

impl Endpoint {
    /// Scheme, host and port; the rest, where there is any, as `/…`.
    #[must_use]
    pub fn masked_url(&self) -> String {
        let Some((scheme, rest)) = self.url.split_once("://") else {
            return "…".into();
        };
        match rest.split_once(['/', '?', '#']) {
            Some((host, "")) => format!("{scheme}://{host}/"),
            Some((host, _)) => format!("{scheme}://{host}/…"),
            None => format!("{scheme}://{rest}"),
        }
    }
}

/// What delivering to an endpoint has been like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EndpointHealth {
    /// Deliveries that wait.
    pub pending: u64,
    /// Attempts ever made; the next one's number.
    pub attempts: u64,
    /// Messages given up since the last success.
    pub exhausted: u64,
    /// Time of the first failure since the last success.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(with = "rfc3339_option", default)]
    pub failing_since: Option<Timestamp>,
    /// Nothing is sent before this, at the receiver's request.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(with = "rfc3339_option", default)]
    pub hold_until: Option<Timestamp>,
    /// When it last answered 2xx.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(with = "rfc3339_option", default)]
    pub succeeded_at: Option<Timestamp>,
}

/// What a new endpoint is made of. The address was checked by the caller.
#[derive(Clone, Debug, Default)]
pub struct NewEndpoint {
    /// Where to.
    pub url: String,
    /// What people call it.
    pub description: String,
    /// Only alerts at least this bad.
    pub severity_min: Option<Severity>,
    /// Only alerts of these rules.
    pub rules: Vec<String>,
    /// Only these kinds of messages.
    pub event_types: Vec<EventType>,
}

/// A change to an endpoint; `None` leaves as is.
#[derive(Clone, Debug, Default)]
pub struct EndpointChange {
    /// Where to.
    pub url: Option<String>,
    /// What people call it.
    pub description: Option<String>,
    /// Only alerts at least this bad; `Some(None)` means all.
    pub severity_min: Option<Option<Severity>>,
    /// Only alerts of these rules.
    pub rules: Option<Vec<String>>,
    /// Only these kinds of messages.
    pub event_types: Option<Vec<EventType>>,
    /// Whether messages go to it.
    pub state: Option<EndpointState>,
}

#[derive(Clone, Serialize, Deserialize)]
struct SealedSecret {
    sealed: String,
    #[serde(with = "rfc3339_option", default)]
    expires_at: Option<Timestamp>,
}

/// Whether messages of this kind about this alert go to the endpoint.
#[must_use]
pub fn endpoint_matches(endpoint: &Endpoint, event_type: EventType, alert: &Alert) -> bool {
    endpoint.state != EndpointState::Disabled
        && endpoint
            .severity_min
            .is_none_or(|least| alert.severity >= least)
        && (endpoint.event_types.is_empty() || endpoint.event_types.contains(&event_type))
        && (endpoint.rules.is_empty()
            || endpoint
                .rules
                .iter()
                .any(|rule| *rule == alert.rule.id || *rule == alert.rule.name))
}

/// Every endpoint, by id.
pub(super) fn all(tx: &Tx<'_>, max: usize) -> Result<Vec<Endpoint>, Error> {
    let rows = tx.records(
        Table::Endpoints,
        &Range::prefix(b""),
        Direction::Forward,
        max,
    )?;
    Ok(rows.into_iter().map(|(_, endpoint)| endpoint).collect())
}

pub(super) fn read(tx: &Tx<'_>, id: &str) -> Result<Endpoint, Error> {
    tx.record(Table::Endpoints, id.as_bytes())?
        .ok_or(Error::Missing("webhook"))
}

pub(super) fn write(tx: &mut Tx<'_>, endpoint: &Endpoint) -> Result<(), Error> {
    tx.put_record(Table::Endpoints, endpoint.id.as_bytes(), endpoint)
}

pub(super) fn health(tx: &Tx<'_>, id: &str) -> Result<EndpointHealth, Error> {
    Ok(tx.record(Table::Health, id.as_bytes())?.unwrap_or_default())
}

pub(super) fn write_health(
    tx: &mut Tx<'_>,
    id: &str,
    health: &EndpointHealth,
) -> Result<(), Error> {
    tx.put_record(Table::Health, id.as_bytes(), health)
}

impl Store {
    /// Makes an endpoint; returns it with its signing secret, which is not shown again.
    ///
    /// # Errors
    /// [`Error::Full`] at `Options::endpoints_max`.
    pub fn add_endpoint(&self, new: NewEndpoint) -> Result<(Endpoint, Secret), Error> {
        let now = self.0.clock.now();
        let max = self.options().endpoints_max;
        let secret = Secret::fresh()?;
        let endpoint = Endpoint {
            id: ids::fresh("whe_", now)?,
            version: 1,
            url: new.url,
            description: new.description,
            severity_min: new.severity_min,
            rules: new.rules,
            event_types: new.event_types,
            state: EndpointState::Enabled,
            reason: None,
            created_at: now,
            updated_at: now,
        };
        let sealed = self.0.sealer.seal(&endpoint.id, &secret)?;
        self.update(|tx| {
            if all(tx, max)?.len() >= max {
                let max = u64::try_from(max).unwrap_or(u64::MAX);
                return Err(Error::Full {
                    what: "webhooks",
                    max,
                });
            }
            write(tx, &endpoint)?;
            let secrets = vec![SealedSecret {
                sealed,
                expires_at: None,
            }];
            tx.put_record(Table::Secrets, endpoint.id.as_bytes(), &secrets)
        })?;
        Ok((endpoint, secret))
    }

    /// The endpoint of this id.
    pub fn endpoint(&self, id: &str) -> Result<Option<Endpoint>, Error> {
        self.view(|tx| tx.record(Table::Endpoints, id.as_bytes()))
    }

    /// Every endpoint, by id.
    pub fn endpoints(&self) -> Result<Vec<Endpoint>, Error> {
        self.view(|tx| all(tx, self.options().endpoints_max))
    }

    /// What delivering to an endpoint has been like.
    pub fn endpoint_health(&self, id: &str) -> Result<EndpointHealth, Error> {
        self.view(|tx| health(tx, id))
    }

    /// Changes an endpoint; returns it as it is now. Enabling it forgets its failures.
    ///
    /// # Errors
    /// [`Error::Missing`]; [`Error::Conflict`] where `expected` is not its version.
    pub fn change_endpoint(
        &self,
        id: &str,
        expected: Option<u64>,
        change: EndpointChange,
    ) -> Result<Endpoint, Error> {
        let now = self.0.clock.now();
        self.update(|tx| {
            let mut endpoint = read(tx, id)?;
            if expected.is_some_and(|version| version != endpoint.version) {
                return Err(Error::Conflict {
                    version: endpoint.version,
                });
            }
            let old = endpoint.clone();
            endpoint.version = endpoint.version.saturating_add(1);
            endpoint.updated_at = now;
            endpoint.url = change.url.unwrap_or(old.url);
            endpoint.description = change.description.unwrap_or(old.description);
            endpoint.severity_min = change.severity_min.unwrap_or(old.severity_min);
            endpoint.rules = change.rules.unwrap_or(old.rules);
            endpoint.event_types = change.event_types.unwrap_or(old.event_types);
            if let Some(state) = change.state {
                endpoint.state = state;
                endpoint.reason = match state {
                    EndpointState::Enabled => None,
                    EndpointState::Paused => Some("paused".into()),
                    EndpointState::Disabled => Some("disabled".into()),
                };
            }
            if change.state == Some(EndpointState::Enabled) {
                let mut health = health(tx, id)?;
                (health.failing_since, health.hold_until, health.exhausted) = (None, None, 0);
                write_health(tx, id, &health)?;
                tx.effects().wakes_outbox = true;
            }
            write(tx, &endpoint)?;
            Ok(endpoint)
        })
    }

    /// Removes an endpoint with its secrets, deliveries and attempts.
    ///
    /// # Errors
    /// [`Error::Missing`].
    pub fn delete_endpoint(&self, id: &str) -> Result<(), Error> {
        self.update(|tx| {
            read(tx, id)?;
            tx.delete(Table::Endpoints, id.as_bytes());
            tx.delete(Table::Secrets, id.as_bytes());
            // The mark by which pruning finds what is left over where we die below.
            let health = health(tx, id)?;
            write_health(tx, id, &health)
        })?;
        while self.update(|tx| purge_endpoint(tx, id))? {}
        Ok(())
    }

    /// Gives an endpoint a new signing secret and returns it. The one before signs as well for
    /// `Options::secret_grace_hours`, or not at all where `at_once` (it leaked).
    ///
    /// # Errors
    /// [`Error::Missing`].
    pub fn rotate_endpoint_secret(&self, id: &str, at_once: bool) -> Result<Secret, Error> {
        let now = self.0.clock.now();
        let grace = i64::from(self.options().secret_grace_hours).saturating_mul(HOUR_NS);
        let secret = Secret::fresh()?;
        let sealed = self.0.sealer.seal(id, &secret)?;
        self.update(|tx| {
            read(tx, id)?;
            let mut secrets = secrets(tx, id)?;
            secrets.retain(|old| !at_once && old.expires_at.is_none_or(|end| now < end));
            for old in &mut secrets {
                old.expires_at = old
                    .expires_at
                    .or(Some(Timestamp(now.0.saturating_add(grace))));
            }
            secrets.insert(
                0,
                SealedSecret {
                    sealed,
                    expires_at: None,
                },
            );
            secrets.truncate(SECRETS_MAX);
            tx.put_record(Table::Secrets, id.as_bytes(), &secrets)
        })?;
        Ok(secret)
    }

    /// The secrets that sign for an endpoint now, newest first; empty where there is no such endpoint.
    ///
    /// # Errors
    /// [`Error::Sealed`] where the key file is another one.
    pub fn signing_secrets(&self, id: &str) -> Result<Vec<Secret>, Error> {
        let now = self.0.clock.now();
        let sealed = self.view(|tx| secrets(tx, id))?;
        sealed
            .iter()
            .filter(|secret| secret.expires_at.is_none_or(|end| now < end))
            .map(|secret| self.0.sealer.open_secret(id, &secret.sealed))
            .collect()
    }
}

fn secrets(tx: &Tx<'_>, id: &str) -> Result<Vec<SealedSecret>, Error> {
    Ok(tx
        .record(Table::Secrets, id.as_bytes())?
        .unwrap_or_default())
}
