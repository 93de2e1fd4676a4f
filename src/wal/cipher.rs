//! Frames encrypted at rest: AES-256-GCM under the keys of a file that the operator keeps.
//!
//! A sealed payload is `key id u32 LE · nonce [12] · ciphertext · tag [16]`, with the frame's header (its checksum zero) as
//! associated data, so that no payload fits another frame. Nonces are random. A key's id is the first four bytes of
//! its SHA-256; 0 is none.

use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};

use crate::files::keys::{self, KEY_BYTES};
use crate::model::sha256;

const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
/// What sealing adds to a payload.
pub(super) const SEAL_BYTES: usize = 4 + NONCE_BYTES + TAG_BYTES;

/// The keys of a log: the first one seals, all open.
pub(super) struct Cipher(Vec<(u32, RandomizedNonceKey)>);

impl std::fmt::Debug for Cipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(id, _)| id))
            .finish()
    }
}

impl Cipher {
    /// The keys of a file; none are made.
    pub(super) fn open(path: &Path) -> Result<Self, keys::Error> {
        let bytes = keys::read(path)?;
        let (keys, _rest) = bytes.as_chunks::<KEY_BYTES>();
        let keys = keys.iter().map(|bytes| {
            let key = RandomizedNonceKey::new(&AES_256_GCM, bytes);
            Ok((id(bytes), key.map_err(|_| keys::Error::Malformed)?))
        });
        keys.collect::<Result<_, _>>().map(Self)
    }

    /// The key that seals.
    pub(super) fn current(&self) -> u32 {
        self.0.first().map_or(0, |(id, _)| *id)
    }

    pub(super) fn has(&self, id: u32) -> bool {
        self.0.iter().any(|(known, _)| *known == id)
    }

    /// The payload sealed with a key; `None` where there is no such key.
    pub(super) fn seal(&self, id: u32, aad: &[u8], payload: &[u8]) -> Option<Vec<u8>> {
        let (_, key) = self.0.iter().find(|(known, _)| *known == id)?;
        let mut text = Vec::with_capacity(payload.len() + TAG_BYTES);
        text.extend_from_slice(payload);
        let nonce = key
            .seal_in_place_append_tag(Aad::from(aad), &mut text)
            .ok()?;
        let mut sealed = Vec::with_capacity(payload.len() + SEAL_BYTES);
        sealed.extend_from_slice(&id.to_le_bytes());
        sealed.extend_from_slice(nonce.as_ref());
        sealed.extend_from_slice(&text);
        Some(sealed)
    }

    /// The payload again.
    pub(super) fn unseal(&self, aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, text) = sealed.get(4..)?.split_at_checked(NONCE_BYTES)?;
        let id = key_of(sealed)?;
        let (_, key) = self.0.iter().find(|(known, _)| *known == id)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = text.to_vec();
        let length = key
            .open_in_place(nonce, Aad::from(aad), &mut text)
            .ok()?
            .len();
        text.truncate(length);
        Some(text)
    }
}

/// The key that a payload is sealed with.
pub(super) fn key_of(sealed: &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(*sealed.first_chunk()?))
}

fn id(key: &[u8]) -> u32 {
    let digest = sha256(key);
    let id = digest.first_chunk().copied().map_or(1, u32::from_le_bytes);
    id.max(1)
}
