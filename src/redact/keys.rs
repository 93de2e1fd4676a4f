//! Names that say their value is secret: which class a name is in, and a bounded memory of the
//! answers.

use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

use super::names;
use super::normal::Normal;
use super::pairs::{NameSort, ValueSort};

/// What sort of secret a name announces; the rule name in the tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Password,
    Secret,
    Token,
    Session,
    OneTime,
    Card,
    Cvv,
    Bank,
    Ssn,
    Connection,
}

impl Kind {
    pub(super) const ALL: [Self; 10] = [
        Self::Password,
        Self::Secret,
        Self::Token,
        Self::Session,
        Self::OneTime,
        Self::Card,
        Self::Cvv,
        Self::Bank,
        Self::Ssn,
        Self::Connection,
    ];

    /// The rule name in tags and statistics.
    pub(super) fn rule(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Secret => "secret",
            Self::Token => "token",
            Self::Session => "session",
            Self::OneTime => "one-time",
            Self::Card => "card",
            Self::Cvv => "cvv",
            Self::Bank => "bank-account",
            Self::Ssn => "ssn",
            Self::Connection => "connection",
        }
    }
}

/// How a value is treated because of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Nothing in the name: the value is searched.
    Pass,
    /// The value and everything below it is secret.
    Secret(Kind),
    /// Secret where it looks random: names that also carry harmless values.
    Random(Kind),
    /// Secret unless it is a sentence: what is wrong with a value, under its name.
    Told(Kind),
    /// `Authorization`: the scheme stays.
    Scheme,
    /// `Cookie`, `Set-Cookie`: names and attributes stay.
    Cookie,
    /// The name half of a pair object.
    PairName(NameSort),
    /// The value half of a pair object.
    PairValue(ValueSort),
}

/// What a name says of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) class: Class,
    /// Whether the value may be a query string.
    pub(super) holds_query: bool,
}

impl Named {
    /// Of a name that says nothing.
    pub(super) const NOTHING: Self = Self {
        class: Class::Pass,
        holds_query: false,
    };

    fn new(name: &[u8], class: Class) -> Self {
        Self {
            class,
            holds_query: names::holds_query(name),
        }
    }

    fn code(self) -> u8 {
        self.class.code() | u8::from(self.holds_query) << 7
    }

    #[inline]
    fn from_code(code: u8) -> Option<Self> {
        // Most names say nothing.
        if code == Class::PASS {
            return Some(Self::NOTHING);
        }
        Some(Self {
            class: Class::from_code(code & 0x7f)?,
            holds_query: code >= 0x80,
        })
    }
}

impl Class {
    const PASS: u8 = 1;

    fn code(self) -> u8 {
        let (base, kind) = match self {
            Self::Pass => return Self::PASS,
            Self::Scheme => return 2,
            Self::Cookie => return 3,
            Self::PairName(NameSort::Name) => return 4,
            Self::PairName(NameSort::Field) => return 5,
            Self::PairName(NameSort::Label) => return 6,
            Self::PairName(NameSort::Operation) => return 7,
            Self::PairValue(ValueSort::Value) => return 8,
            Self::PairValue(ValueSort::Change) => return 9,
            Self::Secret(kind) => (16, kind),
            Self::Random(kind) => (32, kind),
            Self::Told(kind) => (48, kind),
        };
        base + kind as u8
    }

    fn from_code(code: u8) -> Option<Self> {
        let kind = || Kind::ALL.get(usize::from(code % 16)).copied();
        Some(match code / 16 {
            0 => match code {
                Self::PASS => Self::Pass,
                2 => Self::Scheme,
                3 => Self::Cookie,
                4 => Self::PairName(NameSort::Name),
                5 => Self::PairName(NameSort::Field),
                6 => Self::PairName(NameSort::Label),
                7 => Self::PairName(NameSort::Operation),
                8 => Self::PairValue(ValueSort::Value),
                9 => Self::PairValue(ValueSort::Change),
                _ => return None,
            },
            1 => Self::Secret(kind()?),
            2 => Self::Random(kind()?),
            3 => Self::Told(kind()?),
            _ => return None,
        })
    }
}

const SLOTS: usize = 8192;

/// Answers by name. Remembers the last name of each of 8192 slots: 56 bits of a seeded hash and the
/// class in one word, so that readers on all threads share it without locks and it never grows.
pub(super) struct Keys {
    seed: foldhash::quality::RandomState,
    slots: Box<[AtomicU64]>,
}

impl Keys {
    pub(super) fn new() -> Self {
        Self {
            seed: foldhash::quality::RandomState::default(),
            slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// The class of one name, standing in no object.
    pub(super) fn class(&self, name: &[u8]) -> Class {
        self.named(b"", name).class
    }

    /// What one name says, standing in an object that itself stands under `parent`.
    pub(super) fn named(&self, parent: &[u8], name: &[u8]) -> Named {
        let mut hasher = self.seed.build_hasher();
        hasher.write_usize(parent.len());
        if !parent.is_empty() {
            hasher.write(parent);
        }
        hasher.write(name);
        let hash = hasher.finish();
        self.remember(hash, || Some(Named::new(name, classify(parent, name))))
            .unwrap_or(Named::NOTHING)
    }

    /// The class that the name half of a pair announces; the last of dotted names counts too
    /// (`http.request.header.cookie`).
    pub(super) fn announced(&self, name: &[u8]) -> Class {
        match self.class(name) {
            Class::Pass => {
                let last = memchr::memrchr(b'.', name).map_or(0, |dot| dot + 1);
                self.class(name.get(last..).unwrap_or_default())
            }
            class => class,
        }
    }

    /// What a dotted path says: its last name, unless a name before it denies all below.
    /// `None` where `clean` refuses the name itself; such a name is asked again each time.
    pub(super) fn path(&self, path: &[u8], clean: impl FnOnce(&[u8]) -> bool) -> Option<Named> {
        let mut hasher = self.seed.build_hasher();
        hasher.write(path);
        self.remember(hasher.finish(), || {
            clean(path).then(|| Named::new(path, classify_path(path)))
        })
    }

    fn remember(&self, hash: u64, answer: impl FnOnce() -> Option<Named>) -> Option<Named> {
        let slot = usize::try_from(hash).map_or(0, |hash| hash % SLOTS);
        let word = self.slots.get(slot)?;
        let known = word.load(Ordering::Relaxed);
        let mark = hash & !0xff;
        if known & !0xff == mark
            && let Some(named) = Named::from_code(u8::try_from(known & 0xff).unwrap_or(0))
        {
            return Some(named);
        }
        let named = answer()?;
        word.store(mark | u64::from(named.code()), Ordering::Relaxed);
        Some(named)
    }
}

fn classify_path(path: &[u8]) -> Class {
    let is_place = |segment: &[u8]| segment.iter().all(u8::is_ascii_digit);
    let mut parent: &[u8] = b"";
    let mut denied = None;
    let mut class = Class::Pass;
    for segment in path.split(|b| *b == b'.').filter(|s| !is_place(s)) {
        denied = denied.or(below(class));
        class = classify(parent, segment);
        parent = segment;
    }
    match denied {
        Some(_) if is_about(parent) => Class::Pass,
        Some(kind) => Class::Secret(kind),
        None => class,
    }
}

/// What a class says of everything below its name.
pub(super) fn below(class: Class) -> Option<Kind> {
    match class {
        Class::Secret(kind) | Class::Told(kind) => Some(kind),
        Class::Cookie => Some(Kind::Session),
        Class::Scheme => Some(Kind::Token),
        Class::Pass | Class::Random(_) | Class::PairName(_) | Class::PairValue(_) => None,
    }
}

/// Whether a class says that a value is secret, or may be.
pub(super) fn is_sensitive(class: Class) -> bool {
    !matches!(
        class,
        Class::Pass | Class::PairName(_) | Class::PairValue(_)
    )
}

/// Whether a name below a sensitive one only describes it (`token.type`).
pub(super) fn is_about(name: &[u8]) -> bool {
    let mut normal = Normal::default();
    normal.push(name);
    let name = normal.text();
    // An id below `credentials` or `cookies` may well be the secret.
    !name.ends_with(b"id")
        && !matches!(name, b"name" | b"headername")
        && names::is_guarded(name)
        && !names::exact(name).is_some_and(is_sensitive)
}

/// The class of a name, and of it joined to its parent's (`card.number`, `session.id`).
fn classify(parent: &[u8], name: &[u8]) -> Class {
    let mut joined = Normal::default();
    joined.push(name);
    let class = names::class(joined.text());
    if parent.is_empty() {
        return class;
    }
    let mut joined = Normal::default();
    joined.push(parent);
    if is_sensitive(class) {
        return match class {
            Class::Secret(kind) if names::tells_errors(joined.text()) => Class::Told(kind),
            class => class,
        };
    }
    joined.push(name);
    match names::exact(joined.text()) {
        Some(class @ (Class::Secret(_) | Class::Random(_))) => class,
        _ => class,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_secret(class: Class) -> bool {
        matches!(class, Class::Secret(_) | Class::Scheme | Class::Cookie)
    }

    #[test]
    fn sensitive_names_are_known_in_any_spelling() {
        for name in [
            "password",
            "Password",
            "user_password",
            "newPassword",
            "password2",
            "pass_word",
            "PGPASSWORD",
            "passwd",
            "db-password",
            "smtpPass",
            "pass\u{200b}word",
            "ｐａｓｓｗｏｒｄ",
            "Ａｐｉ＿Ｋｅｙ",
            "client_secret",
            "clientSecret",
            "webhook.secret",
            "SECRET_KEY_BASE",
            "aws_secret_access_key",
            "privateKey",
            "apiKey",
            "X-API-Key",
            "x-goog-api-key",
            "access_token",
            "refreshToken",
            "id_token",
            "csrf-token",
            "XSRF-TOKEN",
            "authenticity_token",
            "exoscale_token",
            "DD_API_KEY",
            "token",
            "jwt",
            "samlResponse",
            "code_verifier",
            "Authorization",
            "proxy-authorization",
            "Cookie",
            "Set-Cookie",
            "sessionid",
            "PHPSESSID",
            "JSESSIONID",
            "connect.sid",
            "ASP.NET_SessionId",
            "otp",
            "totp",
            "mfa_code",
            "pin",
            "recovery_codes",
            "cardNumber",
            "cc_number",
            "pan",
            "cvv",
            "iban",
            "account_number",
            "ssn",
            "connectionString",
            "DATABASE_URL",
            "mongo_uri",
            "credentials",
        ] {
            assert!(
                is_secret(Keys::new().class(name.as_bytes())),
                "{name}: {:?}",
                Keys::new().class(name.as_bytes())
            );
        }
    }

    #[test]
    fn harmless_names_that_look_alike_pass() {
        for name in [
            "token_type",
            "token_count",
            "max_tokens",
            "prompt_tokens",
            "total_tokens",
            "tokens",
            "token_expires_at",
            "password_changed_at",
            "password_policy",
            "secret_name",
            "secret_arn",
            "secret_version",
            "key_id",
            "public_key",
            "keyspace",
            "sort_key",
            "primary_key",
            "idempotency_key",
            "author",
            "authority",
            "auth_method",
            "auth_type",
            "session_duration",
            "pinned",
            "cookie_consent",
            "code",
            "number",
            "status",
            "passed",
            "bypass",
            "compass",
            "next_page_token",
            "tokenizer",
            "keyboard",
            "monkey",
            "cookie_name",
            "has_password",
            "is_secret",
            "password_reset_url",
            "token_url",
            "credentials_id",
            "secretary",
            "spin",
            "japan",
            "span",
            "company",
            "bucket_key",
            "cache_key",
            "message",
            "trace_id",
        ] {
            assert!(
                !is_secret(Keys::new().class(name.as_bytes())),
                "{name}: {:?}",
                Keys::new().class(name.as_bytes())
            );
        }
    }

    #[test]
    fn a_sensitive_ancestor_denies_what_is_below() {
        let keys = Keys::new();
        let path = |path: &str| keys.path(path.as_bytes(), |_| true).unwrap().class;
        assert_eq!(path("user.password.plain"), Class::Secret(Kind::Password));
        assert_eq!(path("req.cookies.theme"), Class::Secret(Kind::Session));
        assert_eq!(path("aws.credentials.0.id"), Class::Secret(Kind::Secret));
        assert_eq!(path("token.type"), Class::Pass);
        assert_eq!(path("token.expires_in"), Class::Pass);
        assert_eq!(path("card.number"), Class::Secret(Kind::Card));
        assert_eq!(path("session.id"), Class::Secret(Kind::Session));
        assert_eq!(path("session.duration"), Class::Pass);
        assert_eq!(path("connect.sid"), Class::Secret(Kind::Session));
        assert_eq!(path("order.number"), Class::Pass);
        assert_eq!(path("errors.password.0"), Class::Told(Kind::Password));
        assert_eq!(path("errors.password.value"), Class::Secret(Kind::Password));
        assert_eq!(path("terrors.password"), Class::Secret(Kind::Password));
        assert_eq!(path("headers.0.name"), Class::PairName(NameSort::Name));
        assert_eq!(path("headers.0.value"), Class::PairValue(ValueSort::Value));
        assert_eq!(path("req.headers.authorization"), Class::Scheme);
        assert_eq!(path("req.headers.authorization"), Class::Scheme);
    }

    #[test]
    fn a_refused_name_is_not_remembered() {
        let keys = Keys::new();
        assert_eq!(keys.path(b"x", |_| false), None);
        assert_eq!(keys.path(b"x", |_| true), Some(Named::NOTHING));
        assert_eq!(keys.path(b"x", |_| false), Some(Named::NOTHING));
    }
}
