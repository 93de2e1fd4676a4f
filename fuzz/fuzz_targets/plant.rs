//! What both targets share: a case read from the fuzzer's bytes, a secret made for it, the redactors.

use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

use wardline::redact::{Options, Own, Redactor, TagKey};

/// Bytes of a case that choose; all behind them is noise.
const CHOICES: usize = 8;

/// A case: choices, then noise that stands around the secret.
pub struct Case<'a> {
    choices: [u8; CHOICES],
    pub noise: &'a [u8],
}

impl<'a> Case<'a> {
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        let (choices, noise) = bytes.split_first_chunk::<CHOICES>()?;
        Some(Self {
            choices: *choices,
            noise,
        })
    }

    /// One of `count`, by the choice at `at`.
    pub fn choose(&self, at: usize, count: usize) -> usize {
        usize::from(self.choices[at]) % count
    }

    /// The noise before and behind the secret.
    pub fn halves(&self) -> (&'a [u8], &'a [u8]) {
        let place = usize::from(self.choices[5]) | usize::from(self.choices[6]) << 8;
        self.noise.split_at(place % (self.noise.len() + 1))
    }

    /// A secret of one of several formats, and the name it stands under.
    pub fn secret(&self) -> (&'static str, String) {
        let mut draw = Draw(u64::from(self.choices[1]) << 8 | u64::from(self.choices[2]) | 1 << 40);
        let name = ["password", "api_key", "client_secret", "access_token"][self.choose(3, 4)];
        let secret = match self.choose(0, 7) {
            0 => draw.text("ghp_", ALNUM, 36),
            1 => draw.text("AKIA", UPPER, 16),
            2 => draw.text("sk_live_", ALNUM, 24),
            3 => draw.text("AIza", ALNUM, 35),
            4 => draw.text("", HEX, 40),
            5 => {
                draw.text("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx", ALNUM, 24)
                    + &draw.text(".", ALNUM, 43)
            }
            _ => draw.text("q7", ALNUM, 20) + "4z",
        };
        (name, secret)
    }
}

const ALNUM: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const HEX: &[u8] = b"0123456789abcdef";

/// SplitMix64: the same secret for the same choices.
struct Draw(u64);

impl Draw {
    fn text(&mut self, head: &str, alphabet: &[u8], length: usize) -> String {
        let mut text = head.to_owned();
        for _ in 0..length {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            text.push(char::from(alphabet[(z >> 32) as usize % alphabet.len()]));
        }
        text
    }
}

/// Every byte of a text as `%XX`.
pub fn percent(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        let _ = write!(out, "%{byte:02X}");
    }
    out
}

/// Every character of a text as `\uXXXX`.
pub fn escaped(text: &str) -> String {
    let mut out = String::new();
    for unit in text.encode_utf16() {
        let _ = write!(out, "\\u{unit:04x}");
    }
    out
}

/// The text of a JSON string, with its quotes.
pub fn quoted(text: &[u8]) -> String {
    serde_json::Value::from(String::from_utf8_lossy(text)).to_string()
}

pub fn holds(text: &[u8], secret: &str) -> bool {
    text.windows(secret.len())
        .any(|part| part == secret.as_bytes())
}

const OWN_RULES: &str = r#"
[[rules]]
id = "acme-token"
regex = 'acme_[a-z0-9]{8,20}'

[[rules]]
id = "customer-number"
regex = '[0-9]{6,10}'
fields = ["customer.number", "*.note"]
action = "mask"
keep_last = 3

[[rules]]
id = "diary"
regex = '.{3,900}'
fields = ["*.diary"]
action = "drop"

[[rules]]
id = "badge"
regex = 'badge ([0-9]{8,16})'
validator = "luhn"

[personal]
email = "mask"
phone = "tag"
ip = "mask"
"#;

/// A redactor of the shipped rules alone, or of own rules besides.
pub fn made(with_own: bool) -> Arc<Redactor> {
    let rules = if with_own { OWN_RULES } else { "" };
    let options: Options = toml::from_str(rules).expect("rules of our own are TOML");
    let own = Own::new(&options).expect("rules of our own are sound");
    let redactor = Redactor::new(options, TagKey::from_bytes(&[7; 32]));
    redactor.take_over(own);
    Arc::new(redactor)
}

/// One of each for all cases: making one takes longer than a thousand cases.
pub fn redactor(with_own: bool) -> Arc<Redactor> {
    static REDACTORS: OnceLock<[Arc<Redactor>; 2]> = OnceLock::new();
    let both = REDACTORS.get_or_init(|| [made(false), made(true)]);
    Arc::clone(&both[usize::from(with_own)])
}
