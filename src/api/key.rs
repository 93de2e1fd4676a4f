//! What an API key looks like: `wl_<10 base32 id>_<43 base62 secret><6 base62 checksum>`.
//!
//! The prefix lets secret scanners know it, the id finds its record, the secret has 256 random bits, and
//! the checksum (CRC-32 of everything before it) tells a typo from a guess without asking the store.

use aws_lc_rs::rand;
use zeroize::Zeroizing;

use super::auth::Secret;
use crate::model::Timestamp;
use crate::store::{ApiKey, Scope};

const BASE32: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const PREFIX: &str = "wl_";
const ID_LENGTH: usize = 10;
const SECRET_LENGTH: usize = 43;
const CHECK_LENGTH: usize = 6;

/// The system's random numbers failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no random numbers")]
pub struct NoRandom;

/// What makes a new key.
#[derive(Clone, Debug)]
pub struct NewKey<'a> {
    /// What people call it.
    pub name: &'a str,
    /// What it may do.
    pub scopes: &'a [Scope],
    /// Who makes it.
    pub created_by: &'a str,
    /// When.
    pub now: Timestamp,
    /// For how many days it is valid.
    pub days: u32,
}

/// Longest name of a key.
const NAME_LENGTH_MAX: usize = 64;

/// Whether a text may be the name of a key: what can stand in a log and on a terminal as it is.
#[must_use]
pub fn is_name(text: &str) -> bool {
    (1..=NAME_LENGTH_MAX).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

/// What is expected of a name.
pub const NAME_EXPECTED: &str = "expected 1 to 64 of A-Z a-z 0-9 . _ -";

/// Makes a key: its text, to be shown once, and its record, which holds only a hash.
///
/// # Errors
/// [`NoRandom`].
pub fn mint(new: &NewKey<'_>) -> Result<(Secret, ApiKey), NoRandom> {
    let id = digits(BASE32, ID_LENGTH)?;
    let secret = digits(BASE62, SECRET_LENGTH)?;
    let head = Zeroizing::new(format!("{PREFIX}{}_{}", &*id, &*secret));
    let text = Secret::new(format!("{}{}", &*head, check(&head)));
    let life_ns = i64::from(new.days).saturating_mul(86_400_000_000_000);
    let record = ApiKey {
        id: (*id).clone(),
        name: new.name.to_owned(),
        scopes: new.scopes.to_vec(),
        secret_sha256: sha256(&secret),
        created_at: new.now,
        created_by: new.created_by.to_owned(),
        expires_at: Some(Timestamp(new.now.0.saturating_add(life_ns))),
        revoked_at: None,
        last_used_at: None,
    };
    Ok((text, record))
}

/// The id and the secret of a key's text; `None` where form or checksum are not those of a key.
#[must_use]
pub fn parse(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix(PREFIX)?;
    let (id, rest) = rest.split_once('_')?;
    let head = text.get(..text.len().checked_sub(CHECK_LENGTH)?)?;
    let secret = rest.get(..rest.len().checked_sub(CHECK_LENGTH)?)?;
    let is_well_formed = id.len() == ID_LENGTH
        && secret.len() == SECRET_LENGTH
        && id.bytes().all(|byte| BASE32.contains(&byte))
        && rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (is_well_formed && text.ends_with(&check(head))).then_some((id, secret))
}

/// Whether a secret is the one behind a hash, in constant time.
#[must_use]
pub fn is_secret_of(secret: &str, hash: &[u8; 32]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(&sha256(secret), hash).is_ok()
}

/// A random text for cookies and one-time links: 43 base62 digits.
///
/// # Errors
/// [`NoRandom`].
pub fn token() -> Result<Secret, NoRandom> {
    Ok(Secret::new(digits(BASE62, SECRET_LENGTH)?.as_str()))
}

/// What is stored of a secret.
#[must_use]
pub fn sha256(secret: &str) -> [u8; 32] {
    crate::model::sha256(secret.as_bytes())
}

/// The first eight digits of a hash.
pub(super) fn short_hash(hash: &[u8; 32]) -> String {
    hash.iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// `count` random digits of an alphabet, each equally likely.
fn digits(alphabet: &[u8], count: usize) -> Result<Zeroizing<String>, NoRandom> {
    let mut text = Zeroizing::new(String::with_capacity(count));
    let mut random = Zeroizing::new([0u8; 64]);
    // Bytes from here on would make the first digits likelier than the others.
    let fair = 256 - 256 % alphabet.len();
    while text.len() < count {
        rand::fill(&mut *random).map_err(|_unspecified| NoRandom)?;
        let drawn = random.iter().map(|byte| usize::from(*byte));
        for value in drawn.filter(|value| *value < fair) {
            if text.len() < count
                && let Some(digit) = alphabet.get(value % alphabet.len())
            {
                text.push(char::from(*digit));
            }
        }
    }
    Ok(text)
}

/// CRC-32 (IEEE) of a text as six base62 digits.
fn check(text: &str) -> String {
    let mut crc = flate2::Crc::new();
    crc.update(text.as_bytes());
    let mut rest = usize::try_from(crc.sum()).unwrap_or(0);
    let mut reversed = [b'0'; CHECK_LENGTH];
    for digit in &mut reversed {
        *digit = BASE62.get(rest % 62).copied().unwrap_or(b'0');
        rest /= 62;
    }
    reversed
        .iter()
        .rev()
        .map(|digit| char::from(*digit))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new_key() -> (Secret, ApiKey) {
        let new = NewKey {
            name: "shop",
            scopes: &[Scope::Ingest],
            created_by: "test",
            now: Timestamp(5),
            days: 90,
        };
        mint(&new).unwrap()
    }

    #[test]
    fn a_minted_key_reads_back_and_its_record_holds_no_secret() {
        let (text, record) = new_key();
        let (id, secret) = parse(text.expose()).unwrap();
        assert_eq!(text.expose().len(), 63);
        assert_eq!(id, record.id);
        assert!(is_secret_of(secret, &record.secret_sha256));
        assert!(!is_secret_of("other", &record.secret_sha256));
        assert!(!format!("{record:?} {text:?}").contains(secret));
        assert_eq!(
            record.expires_at,
            Some(Timestamp(5 + 90 * 86_400_000_000_000))
        );
    }

    #[test]
    fn any_single_typo_is_noticed() {
        let (text, _) = new_key();
        let text = text.expose();
        for at in 0..text.len() {
            for other in ["0", "Z", "q", "_"] {
                let (head, rest) = text.split_at(at);
                let typo: String = [head, other].into_iter().collect();
                let typo = typo + &rest.chars().skip(1).collect::<String>();
                assert_eq!(parse(&typo).is_some(), typo == text, "{at}");
            }
            assert!(parse(text.split_at(at).0).is_none());
        }
        for odd in [
            "",
            "wl_",
            "wl__",
            "wl_é",
            "wl_0123456789_",
            &"wl_".repeat(30),
        ] {
            assert!(parse(odd).is_none(), "{odd}");
        }
    }

    #[test]
    fn keys_differ() {
        let keys: std::collections::BTreeSet<String> =
            (0..200).map(|_| new_key().0.expose().to_owned()).collect();
        assert_eq!(keys.len(), 200);
    }
}
