//! Who may call: API keys, browser sessions, the one-time setup token. Records and queries only; what a secret
//! looks like and who may do what is decided above. Nothing here holds a secret, only SHA-256 hashes of
//! secrets with at least 128 random bits.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::engine::{Direction, Range, Table};
use super::tx::Tx;
use super::{Error, Store};
use crate::model::{Timestamp, rfc3339, rfc3339_option};

const SETUP: &[u8] = b"setup_token";
/// `last_used_at` moves at most this often.
const USED_EVERY_NS: i64 = 3_600_000_000_000;

/// What a key or session may do.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Send events.
    Ingest,
    /// Read events.
    Search,
    /// Read and handle alerts, read rules.
    Alerts,
    /// Everything, keys and webhooks included.
    Admin,
}

/// An API key as it is stored. Not a wire type: it holds the hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// The public part of the key, by which it is found.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// SHA-256 of the secret part.
    pub secret_sha256: [u8; 32],
    /// When it was made.
    #[serde(with = "rfc3339")]
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// From when on it is refused.
    #[serde(with = "rfc3339_option", default)]
    pub expires_at: Option<Timestamp>,
    /// When it was revoked; such a key is kept so that its past use can be explained.
    #[serde(with = "rfc3339_option", default)]
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to the hour.
    #[serde(with = "rfc3339_option", default)]
    pub last_used_at: Option<Timestamp>,
}

impl ApiKey {
    /// Whether it opens anything at `now`.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

/// A browser session as it is stored. Not a wire type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// SHA-256 of the cookie's value.
    pub token_sha256: [u8; 32],
    /// Whom it acts for.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// The key it was opened with; revoking the key ends the session.
    pub key_id: Option<String>,
    /// When it was opened.
    #[serde(with = "rfc3339")]
    pub created_at: Timestamp,
    /// From when on it is refused.
    #[serde(with = "rfc3339")]
    pub expires_at: Timestamp,
}

/// The link printed at the first start, until it is used or ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetupToken {
    /// SHA-256 of the token.
    pub token_sha256: [u8; 32],
    /// From when on it is refused; `None` means until used.
    #[serde(with = "rfc3339_option", default)]
    pub expires_at: Option<Timestamp>,
}

/// When keys were used, until [`Store::flush_key_uses`] has written it. At most `Options::keys_max`.
#[derive(Debug, Default)]
pub(super) struct Uses(Mutex<BTreeMap<String, Timestamp>>);

impl Uses {
    fn note(&self, id: &str, now: Timestamp, max: usize) {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if uses.len() < max || uses.contains_key(id) {
            uses.insert(id.to_owned(), now);
        }
    }

    fn all(&self) -> BTreeMap<String, Timestamp> {
        let uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        uses.clone()
    }

    /// Forgets what is written; what came after it stays.
    fn forget(&self, written: &BTreeMap<String, Timestamp>) {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        uses.retain(|id, at| written.get(id) != Some(at));
    }

    /// The key with its last use as known in memory.
    fn shown(&self, mut key: ApiKey) -> ApiKey {
        let uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        key.last_used_at = key.last_used_at.max(uses.get(&key.id).copied());
        key
    }
}

impl Store {
    /// The key of this id, revoked and expired ones included.
    pub fn api_key(&self, id: &str) -> Result<Option<ApiKey>, Error> {
        let key = self.view(|tx| tx.record(Table::Keys, id.as_bytes()))?;
        Ok(key.map(|key| self.0.uses.shown(key)))
    }

    /// Every key, by id. At most `Options::keys_max`.
    pub fn api_keys(&self) -> Result<Vec<ApiKey>, Error> {
        let limit = self.options().keys_max;
        self.view(|tx| {
            let rows = tx.records(Table::Keys, &Range::prefix(b""), Direction::Forward, limit)?;
            let keys = rows.into_iter().map(|(_, key)| self.0.uses.shown(key));
            Ok(keys.collect())
        })
    }

    /// Adds a key. Where the table is full, the longest revoked or expired one makes room.
    ///
    /// # Errors
    /// [`Error::Full`] at `Options::keys_max` live keys, [`Error::Conflict`] where the id is taken.
    pub fn add_api_key(&self, key: &ApiKey) -> Result<(), Error> {
        let (now, max) = (self.0.clock.now(), self.options().keys_max);
        self.update(|tx| add_key(tx, key, now, max))
    }

    /// Changes a key; returns it as it is now.
    ///
    /// # Errors
    /// [`Error::Missing`].
    pub fn update_api_key(
        &self,
        id: &str,
        change: impl FnOnce(&mut ApiKey),
    ) -> Result<ApiKey, Error> {
        self.update(|tx| {
            let mut key: ApiKey = tx
                .record(Table::Keys, id.as_bytes())?
                .ok_or(Error::Missing("key"))?;
            change(&mut key);
            tx.put_record(Table::Keys, id.as_bytes(), &key)?;
            Ok(key)
        })
    }

    /// Revokes a key and ends the sessions it opened. Effective on return; a second time changes nothing.
    ///
    /// # Errors
    /// [`Error::Missing`].
    pub fn revoke_api_key(&self, id: &str) -> Result<ApiKey, Error> {
        let (now, sessions_max) = (self.0.clock.now(), self.options().sessions_max);
        self.update(|tx| revoke_key(tx, id, now, sessions_max))
    }

    /// Remembers that a key was used, to the hour. In memory: who asks for something waits for no write, and a
    /// full disk does not make of every request one that fails. Takes the record the caller just looked up.
    pub fn note_key_used(&self, key: &ApiKey) {
        let now = self.0.clock.now();
        let is_recent = |at: Timestamp| now.0.saturating_sub(at.0) < USED_EVERY_NS;
        if !key.last_used_at.is_some_and(is_recent) {
            self.0.uses.note(&key.id, now, self.options().keys_max);
        }
    }

    /// Writes when keys were used. Where that fails, it stays in memory for the next time.
    pub fn flush_key_uses(&self) -> Result<(), Error> {
        let uses = self.0.uses.all();
        if uses.is_empty() {
            return Ok(());
        }
        self.update(|tx| {
            for (id, at) in &uses {
                // A key that made room for another is gone.
                let Some(mut key) = tx.record::<ApiKey>(Table::Keys, id.as_bytes())? else {
                    continue;
                };
                key.last_used_at = key.last_used_at.max(Some(*at));
                tx.put_record(Table::Keys, id.as_bytes(), &key)?;
            }
            Ok(())
        })?;
        self.0.uses.forget(&uses);
        Ok(())
    }

    /// The session of a cookie, ended ones included.
    pub fn session(&self, token_sha256: &[u8; 32]) -> Result<Option<Session>, Error> {
        self.view(|tx| tx.record(Table::Sessions, token_sha256))
    }

    /// Opens a session. Where the table is full, the one that ends first makes room.
    pub fn add_session(&self, session: &Session) -> Result<(), Error> {
        let (now, max) = (self.0.clock.now(), self.options().sessions_max);
        self.update(|tx| {
            let mut open = sessions(tx, max)?;
            open.sort_by_key(|(_, session)| session.expires_at);
            let over = open.len().saturating_add(1).saturating_sub(max);
            for (at, (key, old)) in open.iter().enumerate() {
                if at < over || old.expires_at <= now {
                    tx.delete(Table::Sessions, key);
                }
            }
            tx.put_record(Table::Sessions, &session.token_sha256, session)
        })
    }

    /// Ends a session; fine where there is none.
    pub fn end_session(&self, token_sha256: &[u8; 32]) -> Result<(), Error> {
        self.update(|tx| {
            tx.delete(Table::Sessions, token_sha256);
            Ok(())
        })
    }

    /// Replaces the setup token.
    pub fn put_setup_token(&self, token: &SetupToken) -> Result<(), Error> {
        self.update(|tx| tx.put_record(Table::Meta, SETUP, token))
    }

    /// Whether somebody can get in: a live key with all scopes, or a setup token that is still good.
    pub fn has_way_in(&self) -> Result<bool, Error> {
        let (now, limit) = (self.0.clock.now(), self.options().keys_max);
        self.view(|tx| {
            let token = tx.record::<SetupToken>(Table::Meta, SETUP)?;
            if token.is_some_and(|token| token.expires_at.is_none_or(|end| now < end)) {
                return Ok(true);
            }
            let keys: Vec<(Vec<u8>, ApiKey)> =
                tx.records(Table::Keys, &Range::prefix(b""), Direction::Forward, limit)?;
            let opens = |key: &ApiKey| key.is_live(now) && key.scopes.contains(&Scope::Admin);
            Ok(keys.iter().any(|(_, key)| opens(key)))
        })
    }

    /// Uses the setup token up: true for exactly one caller with the right hash, in time.
    pub fn redeem_setup_token(&self, token_sha256: &[u8; 32]) -> Result<bool, Error> {
        let now = self.0.clock.now();
        self.update(|tx| {
            let Some(token) = tx.record::<SetupToken>(Table::Meta, SETUP)? else {
                return Ok(false);
            };
            let is_same = aws_lc_rs::constant_time::verify_slices_are_equal(
                &token.token_sha256,
                token_sha256,
            )
            .is_ok();
            if !is_same || token.expires_at.is_some_and(|end| end <= now) {
                return Ok(false);
            }
            tx.delete(Table::Meta, SETUP);
            Ok(true)
        })
    }
}

fn sessions(tx: &Tx<'_>, max: usize) -> Result<Vec<(Vec<u8>, Session)>, Error> {
    tx.records(
        Table::Sessions,
        &Range::prefix(b""),
        Direction::Forward,
        max.saturating_add(1),
    )
}

/// Adds a key within the bound.
pub(super) fn add_key(
    tx: &mut Tx<'_>,
    key: &ApiKey,
    now: Timestamp,
    max: usize,
) -> Result<(), Error> {
    let rows: Vec<(Vec<u8>, ApiKey)> =
        tx.records(Table::Keys, &Range::prefix(b""), Direction::Forward, max)?;
    if rows.iter().any(|(_, old)| old.id == key.id) {
        return Err(Error::Conflict { version: 0 });
    }
    if rows.len() >= max {
        let dead = rows
            .iter()
            .filter(|(_, old)| !old.is_live(now))
            .min_by_key(|(_, old)| old.revoked_at.or(old.expires_at))
            .ok_or(Error::Full {
                what: "keys",
                max: u64::try_from(max).unwrap_or(u64::MAX),
            })?;
        tx.delete(Table::Keys, &dead.0);
    }
    tx.put_record(Table::Keys, key.id.as_bytes(), key)
}

/// Revokes a key with its sessions.
fn revoke_key(
    tx: &mut Tx<'_>,
    id: &str,
    now: Timestamp,
    sessions_max: usize,
) -> Result<ApiKey, Error> {
    let mut key: ApiKey = tx
        .record(Table::Keys, id.as_bytes())?
        .ok_or(Error::Missing("key"))?;
    key.revoked_at = key.revoked_at.or(Some(now));
    tx.put_record(Table::Keys, id.as_bytes(), &key)?;
    for (at, session) in sessions(tx, sessions_max)? {
        if session.key_id.as_deref() == Some(id) {
            tx.delete(Table::Sessions, &at);
        }
    }
    Ok(key)
}
