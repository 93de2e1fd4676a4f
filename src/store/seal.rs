//! Secrets that must be read again, unlike keys: AES-256-GCM under a key file beside the store, so that a copy of
//! the state file alone does not give them away. The endpoint's id is bound to each as associated data.

use std::io::{Read, Write};
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::Error;
use crate::files;

const FILE: &str = "secret.key";
const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;
/// Random bytes of a signing secret; Standard Webhooks asks for 24 to 64.
const SECRET_BYTES: usize = 32;

/// A signing secret. It does not print and is wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// A new random one.
    pub(super) fn fresh() -> Result<Self, Error> {
        let mut bytes = Zeroizing::new(vec![0u8; SECRET_BYTES]);
        rand::fill(&mut bytes).map_err(|_error| Error::Random)?;
        Ok(Self(bytes))
    }

    /// From its text: `whsec_` and base64 of 24 to 64 bytes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(STANDARD.decode(text.strip_prefix("whsec_")?).ok()?);
        (24..=64).contains(&bytes.len()).then_some(Self(bytes))
    }

    /// The text a receiver is configured with. Show it once, never log it.
    #[must_use]
    pub fn reveal(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("whsec_{}", STANDARD.encode(self.0.as_slice())))
    }

    /// The key of the signature.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Seals and opens secrets with the key of this data directory.
pub(super) struct Sealer(RandomizedNonceKey);

impl Sealer {
    /// Reads the key file under `dir`, or makes one.
    pub(super) fn open(dir: &Path) -> Result<Self, Error> {
        let mut file = files::private(&dir.join(FILE))?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(KEY_BYTES));
        // Read from a file of any size, one byte more than a key at most.
        Read::by_ref(&mut file).take(33).read_to_end(&mut bytes)?;
        if bytes.is_empty() {
            bytes.resize(KEY_BYTES, 0);
            rand::fill(&mut bytes).map_err(|_error| Error::Random)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            files::sync_dir(dir)?;
        }
        RandomizedNonceKey::new(&AES_256_GCM, &bytes)
            .map(Self)
            .map_err(|_error| Error::Open("the key file for webhook secrets is damaged".into()))
    }

    /// `nonce 12, ciphertext, tag 16` in base64.
    pub(super) fn seal(&self, owner: &str, secret: &Secret) -> Result<String, Error> {
        let mut bytes = secret.0.to_vec();
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(owner.as_bytes()), &mut bytes)
            .map_err(|_error| Error::Sealed)?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.extend_from_slice(&bytes);
        Ok(STANDARD.encode(sealed))
    }

    /// The secret again, for the owner it was sealed for.
    pub(super) fn open_secret(&self, owner: &str, sealed: &str) -> Result<Secret, Error> {
        let bytes = STANDARD.decode(sealed).map_err(|_error| Error::Sealed)?;
        let (nonce, rest) = bytes.split_at_checked(NONCE_BYTES).ok_or(Error::Sealed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_error| Error::Sealed)?;
        let mut rest = Zeroizing::new(rest.to_vec());
        let plain = self
            .0
            .open_in_place(nonce, Aad::from(owner.as_bytes()), &mut rest)
            .map_err(|_error| Error::Sealed)?;
        Ok(Secret(Zeroizing::new(plain.to_vec())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_secret_opens_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let secret = Secret::fresh().unwrap();
        let sealed = Sealer::open(dir.path())
            .unwrap()
            .seal("whe_1", &secret)
            .unwrap();
        let again = Sealer::open(dir.path()).unwrap();
        assert_eq!(again.open_secret("whe_1", &sealed).unwrap(), secret);
        assert!(again.open_secret("whe_2", &sealed).is_err());
        let other = tempfile::tempdir().unwrap();
        assert!(
            Sealer::open(other.path())
                .unwrap()
                .open_secret("whe_1", &sealed)
                .is_err()
        );
    }

    #[test]
    fn a_secret_reads_back_and_does_not_print() {
        let secret = Secret::fresh().unwrap();
        let text = secret.reveal();
        assert_eq!(Secret::parse(&text).as_ref(), Some(&secret));
        assert!(!format!("{secret:?}").contains(text.trim_start_matches("whsec_")));
        assert_eq!(Secret::parse("whsec_AAAA"), None);
    }
}
