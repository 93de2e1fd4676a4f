//! Tags: what stands where a secret stood. Keyed, so that one secret can be followed through the
//! log by those who hold it, and by nobody who only holds the log.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use aws_lc_rs::{digest, hmac, rand};
use zeroize::{Zeroize, Zeroizing};

use super::encoding;
use crate::files::keys::{self, KEY_BYTES, KEYS_MAX, Oldest};

pub use crate::files::keys::Error as KeyError;

/// The installation's key, with its public id, and those it took the place of.
#[derive(Clone)]
pub struct TagKey {
    now: OneKey,
    /// The newest first.
    before: Vec<OneKey>,
}

#[derive(Clone)]
struct OneKey {
    key: hmac::Key,
    id: String,
}

impl OneKey {
    fn new(bytes: &[u8; KEY_BYTES]) -> Self {
        let digest = digest::digest(&digest::SHA256, bytes);
        let mut id = base32(digest.as_ref());
        id.truncate(KEY_ID);
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, bytes),
            id,
        }
    }

    fn digits(&self, normal: &[u8]) -> String {
        let mut digits = base32(hmac::sign(&self.key, normal).as_ref());
        digits.truncate(DIGITS);
        digits
    }
}

impl TagKey {
    /// Reads the key in `path`, or makes one there (32 random bytes, mode 0600, synced).
    ///
    /// # Errors
    /// When the file cannot be read or made, is open to group or others, or holds no key.
    pub fn open_or_create(path: &Path) -> Result<Self, KeyError> {
        Self::from_file(&keys::read_or_create(path)?)
    }

    fn from_file(bytes: &[u8]) -> Result<Self, KeyError> {
        let (keys, rest) = bytes.as_chunks();
        match keys.split_first() {
            Some((now, before)) if rest.is_empty() && before.len() < KEYS_MAX => Ok(Self {
                now: OneKey::new(now),
                before: before.iter().map(OneKey::new).collect(),
            }),
            _ => Err(KeyError::Malformed),
        }
    }

    /// Puts a new key before those in `path`, in one step. Beyond 16 the oldest goes: what was tagged with it cannot be
    /// looked up any more.
    ///
    /// # Errors
    /// As [`TagKey::open`], and when another rotation is under way or the file cannot be written.
    pub fn rotate(path: &Path) -> Result<Self, KeyError> {
        Self::from_file(&keys::rotate(path, Oldest::Goes)?)
    }

    /// Reads the key in `path`; makes none.
    ///
    /// # Errors
    /// When the file is not there, cannot be read, is open to group or others, or holds no key.
    pub fn open(path: &Path) -> Result<Self, KeyError> {
        Self::from_file(&keys::read(path)?)
    }

    /// A new key that is kept nowhere.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn random() -> Result<Self, KeyError> {
        let mut bytes = [0u8; 32];
        rand::fill(&mut bytes).map_err(|_| KeyError::Random)?;
        let key = Self::from_bytes(&bytes);
        bytes.zeroize();
        Ok(key)
    }

    /// A key from its 32 bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self {
            now: OneKey::new(bytes),
            before: Vec::new(),
        }
    }

    /// The ids of the keys this one took the place of, the newest first.
    pub fn ids_before(&self) -> impl Iterator<Item = &str> {
        self.before.iter().map(|key| key.id.as_str())
    }

    /// The public id of the key: the first four base32 digits of its SHA-256.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.now.id
    }

    /// The last part of a tag: 80 bits of HMAC-SHA256 (RFC 2104) of the normalized secret, in
    /// lower-case base32 (RFC 4648), 16 characters.
    pub(super) fn digits(&self, secret: &[u8]) -> String {
        self.now.digits(&Zeroizing::new(normalize(secret)))
    }

    /// The id of every key, the one in use first, with what [`TagKey::digits`] is with it.
    pub(super) fn each_digits(&self, secret: &[u8]) -> impl Iterator<Item = (&str, String)> {
        let normal = Zeroizing::new(normalize(secret));
        let keys = std::iter::once(&self.now).chain(&self.before);
        keys.map(move |key| (key.id.as_str(), key.digits(&normal)))
    }

    /// Whether one of the keys has this id.
    fn has_id(&self, id: &[u8]) -> bool {
        self.now.id.as_bytes() == id || self.before.iter().any(|key| key.id.as_bytes() == id)
    }
}

impl fmt::Debug for TagKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TagKey({})", self.now.id)
    }
}

const DIGITS: usize = 16;
const KEY_ID: usize = 4;

fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 8 / 5 + 1);
    let (mut held, mut bits) = (0u32, 0u32);
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            let digit = u8::try_from((held >> bits) & 31).unwrap_or(0);
            text.push(char::from(if digit < 26 {
                b'a' + digit
            } else {
                b'2' + digit - 26
            }));
        }
        held &= (1 << bits) - 1;
    }
    text
}

/// The one form in which a secret is tagged, whatever carried it: no scheme, no quotes,
/// percent-decoded, trimmed, and of a card its digits alone.
fn normalize(secret: &[u8]) -> Vec<u8> {
    let mut text = encoding::percent(secret).unwrap_or_else(|| secret.to_vec());
    if let Some(again) = encoding::percent(&text) {
        text.zeroize();
        text = again;
    }
    let mut rest = trim(&text);
    for scheme in [
        "bearer ",
        "basic ",
        "token ",
        "apikey ",
        "negotiate ",
        "digest ",
    ] {
        if let Some((head, tail)) = rest.split_at_checked(scheme.len())
            && head.eq_ignore_ascii_case(scheme.as_bytes())
        {
            rest = trim(tail);
            break;
        }
    }
    let grouped = rest.len() <= 40
        && rest
            .iter()
            .all(|b| b.is_ascii_digit() || b" -.".contains(b))
        && rest.iter().filter(|b| b.is_ascii_digit()).count() >= 13;
    let normal = if grouped {
        rest.iter().copied().filter(u8::is_ascii_digit).collect()
    } else {
        rest.to_vec()
    };
    text.zeroize();
    normal
}

fn trim(text: &[u8]) -> &[u8] {
    let is_edge = |b: &u8| b.is_ascii_whitespace() || b"\"'`\\".contains(b);
    let start = text.iter().position(|b| !is_edge(b)).unwrap_or(text.len());
    let end = text
        .iter()
        .rposition(|b| !is_edge(b))
        .map_or(start, |at| at + 1);
    text.get(start..end).unwrap_or_default()
}

/// Where tags made with the key of this id stand. Anybody can write what looks like a tag; of other
/// installations' tags nothing is known, so that they are text like any other.
///
/// `is_rule` knows names of rules beside the shipped ones.
pub(super) fn own(text: &[u8], key: &TagKey, is_rule: impl Fn(&[u8]) -> bool) -> Vec<Range<usize>> {
    // Asked of every value, and hardly one holds a bracket: a search for three bytes costs more to set up.
    if memchr::memchr(b'[', text).is_none() {
        return Vec::new();
    }
    memchr::memmem::find_iter(text, b"[R:")
        .filter_map(|at| {
            let (length, id) = tag_at(text.get(at..)?, |name| {
                super::rules::is_known(name) || is_rule(name)
            })?;
            key.has_id(id).then_some(at..at + length)
        })
        .collect()
}

/// The length of the tag that begins `text`, if one does, whoever made it and by whatever rule.
pub(super) fn tag_len(text: &[u8]) -> Option<usize> {
    let is_plain = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-';
    tag_at(text, |name| name.iter().all(is_plain)).map(|(length, _)| length)
}

/// Length and key id of the tag that begins `text`.
fn tag_at(text: &[u8], is_rule: impl Fn(&[u8]) -> bool) -> Option<(usize, &[u8])> {
    let rest = text.strip_prefix(b"[R:")?;
    let name = rest.iter().take(41).position(|b| *b == b':')?;
    let (rule, rest) = rest.split_at_checked(name)?;
    if rule.is_empty() || !is_rule(rule) {
        return None;
    }
    let rest = rest.strip_prefix(b":")?;
    let (id, rest) = rest.split_at_checked(KEY_ID)?;
    let is_digit = |b: &u8| matches!(b, b'a'..=b'z' | b'2'..=b'7');
    if !id.iter().all(is_digit) {
        return None;
    }
    let short = 3 + name + 1 + KEY_ID + 1;
    match rest.split_first()? {
        (b']', _) => Some((short, id)),
        (b':', rest) => {
            let (digits, rest) = rest.split_at_checked(DIGITS)?;
            (digits.iter().all(is_digit) && rest.first() == Some(&b']'))
                .then_some((short + 1 + DIGITS, id))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn base32_is_that_of_rfc_4648() {
        assert_eq!(base32(b"fooba"), "mzxw6ytb");
        assert_eq!(base32(&[0xff; 5]), "77777777");
    }

    #[test]
    fn key_file_is_made_once_and_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("redaction.key");
        let first = TagKey::open_or_create(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let again = TagKey::open_or_create(&path).unwrap();
        assert_eq!(first.digits(b"x"), again.digits(b"x"));
        assert_eq!(first.id().len(), 4);
        assert_eq!(format!("{first:?}"), format!("TagKey({})", first.id()));

        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = TagKey::open_or_create(&path).unwrap_err();
        assert!(matches!(error, KeyError::Exposed { mode: 0o640 }));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, [0u8; 33]).unwrap();
        let error = TagKey::open_or_create(&path).unwrap_err();
        assert!(matches!(error, KeyError::Malformed));
    }

    #[test]
    fn a_rotation_keeps_the_keys_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tag.key");
        assert!(matches!(TagKey::rotate(&path), Err(KeyError::Io(_))));
        let first = TagKey::open_or_create(&path).unwrap();
        let second = TagKey::rotate(&path).unwrap();
        assert_ne!(second.id(), first.id());
        let again = TagKey::open(&path).unwrap();
        assert_eq!(again.digits(b"x"), second.digits(b"x"));
        let all: Vec<(String, String)> = again
            .each_digits(b"x")
            .map(|(id, digits)| (id.to_owned(), digits))
            .collect();
        let one = |key: &TagKey| (key.id().to_owned(), key.digits(b"x"));
        assert_eq!(all, [one(&second), one(&first)]);
        let text = format!("[R:cvv:{}][R:cvv:{}]", first.id(), second.id());
        assert_eq!(own(text.as_bytes(), &again, |_| false).len(), 2);
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);

        for _ in 2..KEYS_MAX {
            assert!(TagKey::rotate(&path).unwrap().has_id(first.id().as_bytes()));
        }
        assert!(!TagKey::rotate(&path).unwrap().has_id(first.id().as_bytes()));
        assert_eq!(
            TagKey::open(&path).unwrap().ids_before().count(),
            KEYS_MAX - 1
        );

        fs::write(path.with_extension("key.new"), b"").unwrap();
        assert!(matches!(TagKey::rotate(&path), Err(KeyError::Busy)));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(
            TagKey::rotate(&path),
            Err(KeyError::Exposed { .. })
        ));
    }

    #[test]
    fn one_secret_has_one_tag_in_every_carrier() {
        let key = TagKey::from_bytes(&[7; 32]);
        let tag = key.digits(b"s3cr3t+value/1");
        for carrier in [
            "Bearer s3cr3t+value/1",
            "\"s3cr3t+value/1\"",
            " s3cr3t%2Bvalue%2F1 ",
            "s3cr3t%252Bvalue%252F1",
            "token s3cr3t+value/1",
        ] {
            assert_eq!(key.digits(carrier.as_bytes()), tag, "{carrier}");
        }
        assert_eq!(
            key.digits(b"4111 1111 1111 1111"),
            key.digits(b"4111-1111-1111-1111")
        );
        assert_ne!(TagKey::from_bytes(&[8; 32]).digits(b"s3cr3t+value/1"), tag);
        assert_eq!(tag.len(), 16);
    }

    #[test]
    fn only_tags_of_our_own_key_are_ours() {
        let key = TagKey::from_bytes(&[7; 32]);
        let check = |text: &str, expected: &[(usize, usize)]| {
            let text = text.replace("ab2c", key.id());
            let found = own(text.as_bytes(), &key, |name| name == b"acme");
            let places: Vec<_> = found.iter().map(|tag| (tag.start, tag.end)).collect();
            assert_eq!(places, expected, "{text}");
        };
        check("no tag", &[]);
        check("a [R:cvv:ab2c] [R:cvv:zz2c]", &[(2, 14)]);
        check(
            "[R:jwt:ab2c:abcdefghijklmnop][R:cvv:ab2c]",
            &[(0, 29), (29, 41)],
        );
        check("[R:[R:cvv:ab2c]", &[(3, 15)]);
        check("[R:acme:ab2c] [R:acmf:ab2c]", &[(0, 13)]);
    }

    #[test]
    fn tags_are_recognized_and_forgeries_are_not() {
        assert_eq!(tag_len(b"[R:jwt:ab2c:abcdefghijklmnop] rest"), Some(29));
        assert_eq!(tag_len(b"[R:cvv:ab2c]"), Some(12));
        for forged in [
            "[R:Hunter2:ab2c]",
            "[R:jwt:AB2C]",
            "[R:jwt:ab2c:abc]",
            "[R:jwt:ab2c:abcdefghijklmno1]",
            "[R::ab2c]",
            "[R:jwt:ab2c",
        ] {
            assert_eq!(tag_len(forged.as_bytes()), None, "{forged}");
        }
    }
}
