//! What an operator adds to redaction: own rules, classes of personal data, and exceptions. It works on what the
//! shipped rules have left, so nothing here can switch those off but the exceptions, each by name.
//!
//! An installation without any of it pays one look at a flag per event.

mod document;
mod find;
mod layers;
mod lint;
mod options;
mod paths;
mod personal;
mod rule;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use aho_corasick::AhoCorasick;
use regex::bytes::Regex;

pub(super) use document::rewrite;
pub(super) use find::Outcome;
pub use options::{Action, AllowOptions, Mode, PersonalOptions, RuleOptions, Validator};

use super::{Options, TagKey};
use paths::Path;
use rule::Rule;

/// Something wrong with the operator's own rules: the setting (`redact.rules.0.regex`) and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The setting, with the number of the rule from 0.
    pub setting: String,
    /// What is wrong with it.
    pub what: String,
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.setting, self.what)
    }
}

/// The operator's part of redaction, checked and compiled.
#[derive(Debug, Default)]
pub struct Own {
    dry_run: bool,
    rules: Vec<Rule>,
    /// Over the keywords of all rules that wait for one.
    gate: Option<AhoCorasick>,
    /// By keyword: its rule.
    waiting: Vec<usize>,
    personal: PersonalOptions,
    allowed_fields: Vec<Path>,
    allowed_tags: BTreeSet<String>,
    allowed_texts: Vec<Regex>,
    finds_max: usize,
}

impl Own {
    /// Checks and compiles.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of the settings.
    pub fn new(options: &Options) -> Result<Self, Vec<Wrong>> {
        let wrong = lint::all(options);
        if !wrong.is_empty() {
            return Err(wrong);
        }
        Self::compiled(options).map_err(|what| {
            let setting = "redact.rules".to_owned();
            vec![Wrong { setting, what }]
        })
    }

    fn compiled(options: &Options) -> Result<Self, String> {
        let rules = options
            .rules
            .iter()
            .map(Rule::new)
            .collect::<Result<Vec<_>, _>>()?;
        let mut keywords = Vec::new();
        let mut waiting = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            keywords.extend(rule.keywords.iter());
            waiting.extend(rule.keywords.iter().map(|_| index));
        }
        let gate = (!keywords.is_empty()).then(|| {
            AhoCorasick::builder()
                .ascii_case_insensitive(true)
                .build(&keywords)
        });
        let texts = options.allow.regexes.iter();
        Ok(Self {
            dry_run: options.dry_run,
            gate: gate.transpose().map_err(|error| error.to_string())?,
            waiting,
            rules,
            personal: options.personal,
            allowed_fields: options.allow.fields.iter().map(|p| Path::new(p)).collect(),
            allowed_tags: options.allow.tags.iter().map(|t| lint::digits(t)).collect(),
            allowed_texts: texts
                .map(|text| rule::whole(text))
                .collect::<Result<_, _>>()?,
            finds_max: options.value_secrets_max,
        })
    }

    /// Whether there is nothing to do.
    fn is_idle(&self) -> bool {
        self.rules.is_empty()
            && self.personal == PersonalOptions::default()
            && self.allowed_fields.is_empty()
            && self.allowed_tags.is_empty()
            && self.allowed_texts.is_empty()
    }

    /// Whether nothing is redacted under this path.
    pub(super) fn allows_field(&self, path: &str) -> bool {
        self.allowed_fields.iter().any(|allowed| allowed.fits(path))
    }

    /// Whether the operator says of this very text that it is no secret.
    pub(super) fn allows(&self, secret: &[u8], key: &TagKey) -> bool {
        let text = secret.trim_ascii();
        self.allowed_texts.iter().any(|regex| regex.is_match(text))
            || !self.allowed_tags.is_empty()
                && key
                    .each_digits(secret)
                    .any(|(_, digits)| self.allowed_tags.contains(&digits))
    }

    /// Whether a tag carries this name.
    pub(super) fn knows(&self, name: &[u8]) -> bool {
        self.rules.iter().any(|rule| rule.id.as_bytes() == name)
    }
}

/// Where the redactor holds it. It can be replaced while running.
#[derive(Debug, Default)]
pub(super) struct Slot {
    is_on: AtomicBool,
    own: RwLock<Arc<Own>>,
}

impl Slot {
    /// What is in force; `None` where the operator added nothing.
    #[inline]
    pub(super) fn get(&self) -> Option<Arc<Own>> {
        self.is_on.load(Ordering::Acquire).then(|| self.read())
    }

    fn read(&self) -> Arc<Own> {
        let own = self.own.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&own)
    }

    /// Puts it in force from the next value on.
    pub(super) fn set(&self, own: Own) {
        let is_on = !own.is_idle();
        *self.own.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(own);
        self.is_on.store(is_on, Ordering::Release);
    }
}

#[cfg(test)]
mod tests;
