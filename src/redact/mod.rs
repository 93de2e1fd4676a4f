//! The wall. Nothing behind it has ever held a secret: the log, the index, the store and the API
//! take only [`CleanEvent`]s and [`Batch`]es, and only this folder makes them, by redacting an
//! event (`scan.rs`) or by reading back what was redacted before (`codec.rs`).
//!
//! A secret is found in one of two ways: by the name it stands under (`keys.rs`), or by its own
//! shape or what is written before it (`engine.rs` over the table in `rules/`). What is found is
//! replaced by a tag (`tag.rs`): `[R:<rule>:<key id>:<tag>]`.

mod assigned;
mod bounds;
mod check;
mod codec;
mod counts;
mod decoded;
mod effort;
mod encoding;
mod engine;
mod escapes;
mod filter;
mod gate;
mod json;
mod keys;
mod known;
mod makeup;
mod names;
mod normal;
mod numbers;
mod own;
mod pairs;
mod passes;
mod pem;
mod render;
mod replace;
mod rules;
mod scan;
mod shapes;
mod spans;
mod tag;
mod undone;
mod urls;
mod values;

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;

#[cfg(test)]
pub(crate) use codec::tests::{clean, record};
pub use codec::{Batch, CleanRecord, DecodeError, decode};
pub use filter::{Filter, FilterStats};
pub use known::Known;
pub use own::{Action, AllowOptions, Mode, Own, PersonalOptions, RuleOptions, Validator, Wrong};
pub use render::to_json;
pub use tag::{KeyError, TagKey};

use engine::Engine;
use keys::Kind;
use replace::Tally;

use crate::metrics::Metrics;
use crate::model::Event;

/// An event without secrets. The private field is the wall.
#[derive(Clone, Debug, PartialEq)]
pub struct CleanEvent<'a>(Event<'a>);

impl<'a> std::ops::Deref for CleanEvent<'a> {
    type Target = Event<'a>;

    fn deref(&self) -> &Event<'a> {
        &self.0
    }
}

/// Bounds of redaction. What passes one is replaced whole.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Longest value that is searched.
    pub value_bytes_max: usize,
    /// Most secrets replaced one by one in a value.
    pub value_secrets_max: usize,
    /// Longest time that a value is searched, in milliseconds.
    pub value_ms_max: u64,
    /// Deepest JSON inside strings inside JSON that is read.
    pub nested_depth_max: usize,
    /// Whether own rules and classes of personal data only count.
    pub dry_run: bool,
    /// Own rules.
    pub rules: Vec<RuleOptions>,
    /// Classes of personal data.
    pub personal: PersonalOptions,
    /// What is no secret.
    pub allow: AllowOptions,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            value_bytes_max: 2 << 20,
            value_secrets_max: 1000,
            value_ms_max: 5_000,
            nested_depth_max: 4,
            dry_run: false,
            rules: Vec::new(),
            personal: PersonalOptions::default(),
            allow: AllowOptions::default(),
        }
    }
}

impl Options {
    fn value_time_max(&self) -> Duration {
        Duration::from_millis(self.value_ms_max)
    }
}

/// What the tags of a secret have in common, whatever rule found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretTag {
    /// The id of the key.
    pub key_id: String,
    /// The last part: 16 characters of lower-case base32.
    pub digits: String,
    /// The whole tag where the secret is the id of a session.
    pub as_session: String,
}

/// The redactor: rules, names and the key of the tags. Shared by reference between threads.
pub struct Redactor {
    options: Options,
    key: TagKey,
    engine: Engine,
    own: own::Slot,
    known: Mutex<Vec<Known>>,
    blocks: pem::Blocks,
    metrics: Arc<Metrics>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl Redactor {
    /// A redactor that tags with `key`. The operator's own rules are not in force until [`Redactor::take_over`].
    #[must_use]
    pub fn new(options: Options, key: TagKey) -> Self {
        Self {
            engine: Engine::new(options.value_secrets_max, options.value_time_max()),
            options,
            key,
            own: own::Slot::default(),
            known: Mutex::default(),
            blocks: pem::Blocks::default(),
            metrics: Arc::default(),
        }
    }

    /// Counts into the process's metrics.
    #[must_use]
    pub fn with_metrics(mut self, metrics: Arc<Metrics>) -> Self {
        self.metrics = metrics;
        self
    }

    /// Puts the operator's own rules in force, in place of those before.
    pub fn take_over(&self, own: Own) {
        self.own.set(own);
    }

    /// Replaces every secret of an event; says how many and by which rules in `redaction.count` and
    /// `redaction.rules`. An event without secrets comes back as it was.
    #[must_use]
    pub fn redact<'a>(&self, event: Event<'a>) -> CleanEvent<'a> {
        self.redact_within(event, usize::MAX)
    }

    /// Like [`Redactor::redact`]; cuts values longer than `value_bytes_max` afterwards, when no secret is
    /// left that could be halved, and says so in `event.notes`.
    #[must_use]
    pub fn redact_within<'a>(&self, event: Event<'a>, value_bytes_max: usize) -> CleanEvent<'a> {
        self.with_known(|known| self.redact_among(event, value_bytes_max, known))
    }

    /// Lends out what was clean before, to one thread. Bounded by the threads that ask at one time.
    pub fn with_known<T>(&self, run: impl FnOnce(&mut Known) -> T) -> T {
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = lock().pop().unwrap_or_default();
        let done = run(&mut known);
        lock().push(known);
        done
    }

    /// Like [`Redactor::redact_within`], for one event of many: values that were clean before are not searched again.
    #[must_use]
    pub fn redact_among<'a>(
        &self,
        mut event: Event<'a>,
        value_bytes_max: usize,
        known: &mut Known,
    ) -> CleanEvent<'a> {
        let own = self.own.get();
        let mut tally = Tally::default();
        if self.blocks.is_any() {
            self.line_of_block(&mut event, &mut tally);
        }
        self.event_passes(&mut event, known, own.as_deref(), &mut tally);
        if let Some(field) = &tally.finds.block {
            self.block_begins(&event, field);
            // Its lines may be further values of this event.
            let mut lines = Tally::default();
            self.line_of_block(&mut event, &mut lines);
            scan::note(&mut event, &lines);
            tally.merge(lines);
        }
        self.count_of(&event, &tally);
        bounds::cut(&mut event, value_bytes_max);
        CleanEvent(event)
    }

    /// Replaces every secret of a text that is not part of an event: our own log lines, error
    /// texts.
    #[must_use]
    pub fn redact_text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut tally = Tally::default();
        let clean = self.text_into(text, &mut tally);
        self.count(&tally);
        clean
    }

    /// Replaces every secret of one line: of a JSON object or array by names and values with all
    /// else byte for byte, of any other text by values.
    #[must_use]
    pub fn redact_line<'t>(&self, line: &'t [u8]) -> Cow<'t, [u8]> {
        let mut tally = Tally::default();
        let clean = self.line_into(line, &mut tally);
        self.count(&tally);
        clean
    }

    /// What tags of a secret look like with each key there has been, the one in use first.
    #[must_use]
    pub fn tags_of(&self, secret: &str) -> Vec<SecretTag> {
        let rule = self.rule_of(secret.trim().as_bytes(), Kind::Session);
        let keys = self.key.each_digits(secret.as_bytes());
        keys.map(|(id, digits)| SecretTag {
            key_id: id.to_owned(),
            as_session: format!("[R:{rule}:{id}:{digits}]"),
            digits,
        })
        .collect()
    }
}

#[cfg(test)]
mod eval_tests;
#[cfg(test)]
mod limits_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod traps_tests;
