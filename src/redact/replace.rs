//! One value in, the value without its secrets out; `None` where nothing changes, so that a clean
//! value costs no memory.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::check;
use super::counts::{Done, Finds};
use super::encoding;
use super::engine::Place;
use super::json;
use super::keys::{Class, Kind};
use super::makeup::Makeup;
use super::names;
use super::pem;
use super::rules;
use super::shapes;
use super::spans::{self, Span, Spans};
use super::tag;
use super::values;
use super::{Redactor, numbers};

/// Shortest secret that is looked for in the event's other values.
const LEARNED_MIN: usize = 8;
/// Most secrets of one event that are looked for in its other values.
const LEARNED_MAX: usize = 256;

/// What every JSON Web Key says.
static JWK: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(b"\"kty\""));

/// What redaction did to one event or line.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Secrets replaced.
    pub(super) count: u64,
    /// Values replaced whole because a bound was hit.
    pub(super) failed_closed: u64,
    /// The rules that replaced something and how often, in the order of their first find.
    pub(super) rules: Vec<(Cow<'static, str>, u64)>,
    /// What rules on trial would have replaced.
    pub(super) tried: Vec<(String, u64)>,
    /// The same by field.
    pub(super) finds: Finds,
    /// Secrets found by name, to be looked for elsewhere in the event.
    pub(super) learned: Vec<Vec<u8>>,
    /// Whether a secret was left because the operator excepts it: then what holds it is not clean for good.
    pub(super) is_excepted: bool,
    /// Whether what is searched was searched before: what was only counted is not counted again.
    pub(super) is_again: bool,
}

impl Tally {
    /// Counts a find of a rule.
    pub(super) fn add(&mut self, rule: Cow<'static, str>) {
        self.add_done(rule, Done::Tag);
    }

    /// Counts a find of a rule, and what was done with it.
    pub(super) fn add_done(&mut self, rule: Cow<'static, str>, done: Done) {
        self.count += 1;
        self.finds.add(rule.clone(), done, 1);
        self.add_rule(rule, 1);
    }

    /// Counts what a rule on trial would have replaced.
    pub(super) fn try_rule(&mut self, rule: &str) {
        if self.is_again {
            return;
        }
        let id = Cow::Owned(rule.to_owned());
        self.finds.add(id, Done::Count, 1);
        match self.tried.iter_mut().find(|(known, _)| known == rule) {
            Some((_, counted)) => *counted += 1,
            None => self.tried.push((rule.to_owned(), 1)),
        }
    }

    fn add_rule(&mut self, rule: Cow<'static, str>, count: u64) {
        match self.rules.iter_mut().find(|(known, _)| *known == rule) {
            Some((_, counted)) => *counted += count,
            None => self.rules.push((rule, count)),
        }
    }

    /// Takes over what was done to a part.
    pub(super) fn merge(&mut self, part: Tally) {
        self.count += part.count;
        self.failed_closed += part.failed_closed;
        self.is_excepted |= part.is_excepted;
        self.finds.merge(part.finds);
        for (rule, count) in part.rules {
            self.add_rule(rule, count);
        }
        self.tried.extend(part.tried);
        for secret in part.learned {
            if self.learned.len() < LEARNED_MAX && !self.learned.contains(&secret) {
                self.learned.push(secret);
            }
        }
    }

    /// Forgets what was learned since there were so many, where it may be a word of the language.
    pub(super) fn unlearn_words(&mut self, since: usize) {
        let new = self.learned.split_off(since.min(self.learned.len()));
        self.learned
            .extend(new.into_iter().filter(|s| check::mixed(s)));
    }

    fn learn(&mut self, secret: &[u8], kind: Kind) {
        let tells = matches!(
            kind,
            Kind::Password | Kind::Secret | Kind::Token | Kind::Session
        );
        // Cookies also hold settings that stand elsewhere by right.
        let is_secret = kind != Kind::Session || check::is_random(secret);
        // `"password": "password"`: that word stands elsewhere by right too, in names and in our own tags.
        let is_word =
            names::exact(&secret.to_ascii_lowercase()).is_some() || rules::is_known(secret);
        let is_told = secret.len() >= LEARNED_MIN && is_secret && !is_word;
        if !tells || !is_told || self.learned.iter().any(|known| known == secret) {
            return;
        }
        if self.learned.len() < LEARNED_MAX {
            self.learned.push(secret.to_vec());
        } else {
            self.failed_closed += 1;
        }
    }
}

impl Redactor {
    /// A value under a name of this class.
    pub(super) fn value(
        &self,
        class: Class,
        text: &[u8],
        place: Place,
        depth: usize,
        tally: &mut Tally,
    ) -> Option<Vec<u8>> {
        match class {
            Class::Secret(Kind::Connection) if !values::is_connection(text) => {
                self.clean(text, place, depth, tally)
            }
            Class::Secret(kind) if values::is_public(kind, text) => None,
            Class::Told(_) if values::is_sentence(text) => self.clean(text, place, depth, tally),
            Class::Secret(kind) | Class::Told(kind) => self.whole(kind, text, tally),
            Class::Random(kind) if check::is_random(text) => self.whole(kind, text, tally),
            Class::Scheme => {
                let masked = self.masked(text);
                let seen = masked.as_ref().map_or(text, |(masked, _)| masked);
                let place = values::behind_scheme(seen, 0..text.len());
                self.parts(text, std::iter::once(place), Kind::Token, tally)
            }
            Class::Cookie => {
                let mut places = Vec::new();
                values::cookie_values(text, 0..text.len(), |place| places.push(place));
                self.parts(text, places.into_iter(), Kind::Session, tally)
            }
            Class::Random(_) | Class::Pass | Class::PairName(_) | Class::PairValue(_) => {
                self.clean(text, place, depth, tally)
            }
        }
    }

    /// A number under a name of this class: it becomes a text where it is secret.
    pub(super) fn number(&self, class: Class, digits: &[u8], tally: &mut Tally) -> Option<Vec<u8>> {
        match class {
            // `"token": 5` counts something.
            Class::Secret(Kind::Password | Kind::Secret | Kind::Token | Kind::Connection)
                if digits.len() < 4 =>
            {
                None
            }
            Class::Secret(kind) | Class::Told(kind) => self.whole(kind, digits, tally),
            Class::Scheme if digits.len() >= 4 => self.whole(Kind::Token, digits, tally),
            Class::Cookie if digits.len() >= 4 => self.whole(Kind::Session, digits, tally),
            _ if numbers::is_card_number(digits) => self.whole(Kind::Card, digits, tally),
            _ => None,
        }
    }

    /// A value that is a secret from end to end.
    pub(super) fn whole(&self, kind: Kind, text: &[u8], tally: &mut Tally) -> Option<Vec<u8>> {
        self.parts(text, std::iter::once(0..text.len()), kind, tally)
    }

    fn parts(
        &self,
        text: &[u8],
        places: impl Iterator<Item = Range<usize>>,
        kind: Kind,
        tally: &mut Tally,
    ) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let mut copied = 0;
        for place in places {
            let secret = text.get(place.clone()).unwrap_or_default();
            if check::is_placeholder(secret.trim_ascii())
                || self.own_tags(secret).first() == Some(&(0..secret.len()))
                || self.is_allowed(secret, tally)
            {
                continue;
            }
            tally.learn(secret, kind);
            out.extend_from_slice(text.get(copied..place.start).unwrap_or_default());
            self.tag(self.rule_of(secret, kind), secret, &mut out, tally);
            copied = place.end;
        }
        if copied == 0 {
            return None;
        }
        out.extend_from_slice(text.get(copied..).unwrap_or_default());
        Some(out)
    }

    /// The rule that knows the secret better than the name it stands under, or the name's.
    pub(super) fn rule_of(&self, secret: &[u8], kind: Kind) -> &'static str {
        if rules::is_blind(kind.rule()) || secret.len() > 4096 {
            return kind.rule();
        }
        match self.engine.find(secret, Place::Text).as_deref() {
            Some([span]) if span.place.len() * 10 >= secret.len() * 9 => span.rule,
            _ => kind.rule(),
        }
    }

    /// A value whose name says nothing.
    pub(super) fn clean(
        &self,
        text: &[u8],
        place: Place,
        depth: usize,
        tally: &mut Tally,
    ) -> Option<Vec<u8>> {
        if text.len() > self.options.value_bytes_max {
            return self.oversize(tally);
        }
        if let Some(b'{' | b'[') = text.trim_ascii_start().first() {
            if depth >= self.options.nested_depth_max {
                if json::is_document(self, text) {
                    return self.oversize(tally);
                }
            } else if let Ok(changed) = json::rewrite(self, text, depth + 1, tally) {
                return self.without_jwk(text, changed, tally);
            }
        }
        match self.find(text, place) {
            Some(spans) if spans.is_empty() => None,
            Some(spans) => self.render(text, spans, tally),
            None => self.oversize(tally),
        }
    }

    /// Every secret of a text outside of our own tags. The rules do not see these: their words are
    /// keywords too, and what stands before a tag has been answered by it.
    fn find(&self, text: &[u8], place: Place) -> Option<Vec<Span>> {
        let makeup = Makeup::of(text);
        let masked = makeup.has_bracket.then(|| self.masked(text)).flatten();
        let Some((masked, tags)) = masked else {
            return self.engine.find_in(text, makeup, place);
        };
        let found = self.engine.find(&masked, place)?;
        Some(spans::outside(found, &tags, text))
    }

    /// Where tags of our own keys stand.
    pub(super) fn own_tags(&self, text: &[u8]) -> Vec<Range<usize>> {
        tag::own(text, &self.key, |name| {
            self.own.get().is_some_and(|own| own.knows(name))
        })
    }

    /// Whether the operator says that this is no secret.
    fn is_allowed(&self, secret: &[u8], tally: &mut Tally) -> bool {
        let own = self.own.get();
        let is_allowed = own.is_some_and(|own| own.allows(secret, &self.key));
        tally.is_excepted |= is_allowed;
        is_allowed
    }

    /// A text with our own tags blotted out, and where they stand; `None` where it has none.
    pub(super) fn masked(&self, text: &[u8]) -> Option<(Vec<u8>, Vec<Range<usize>>)> {
        let tags = self.own_tags(text);
        if tags.is_empty() {
            return None;
        }
        let mut masked = text.to_vec();
        for tag in &tags {
            if let Some(bytes) = masked.get_mut(tag.clone()) {
                bytes.fill(b'*');
            }
        }
        Some((masked, tags))
    }

    /// The private parts of a JSON Web Key have names of one letter: it takes the whole object to
    /// know them.
    pub(super) fn without_jwk(
        &self,
        text: &[u8],
        changed: Option<Vec<u8>>,
        tally: &mut Tally,
    ) -> Option<Vec<u8>> {
        if JWK.find(text).is_none() {
            return changed;
        }
        let seen = changed.as_deref().unwrap_or(text);
        let mut spans = Spans::new(self.options.value_secrets_max);
        shapes::jwk(seen, 0, shapes::COLONS_MAX, &mut spans);
        let tags = self.own_tags(seen);
        let spans = spans::outside(spans.settle(seen), &tags, seen);
        if spans.is_empty() {
            return changed;
        }
        self.render(seen, spans, tally).or(changed)
    }

    /// The tag of a value replaced whole because a bound was hit.
    pub(super) fn oversize(&self, tally: &mut Tally) -> Option<Vec<u8>> {
        tally.failed_closed += 1;
        let mut out = Vec::new();
        self.tag(rules::OVERSIZE, b"", &mut out, tally);
        Some(out)
    }

    /// The text with tags for its finds; `None` where the operator excepts all of them.
    fn render(&self, text: &[u8], spans: Vec<Span>, tally: &mut Tally) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(text.len());
        let mut copied = 0;
        for span in spans {
            let secret = match &span.decoded {
                Some(secret) => secret.as_slice(),
                None => text.get(span.secret).unwrap_or_default(),
            };
            if self.is_allowed(secret, tally) {
                continue;
            }
            out.extend_from_slice(text.get(copied..span.place.start).unwrap_or_default());
            self.tag(span.rule, secret, &mut out, tally);
            copied = span.place.end;
        }
        if copied == 0 {
            return None;
        }
        out.extend_from_slice(text.get(copied..).unwrap_or_default());
        Some(out)
    }

    /// Appends the tag of a secret.
    pub(super) fn tag(
        &self,
        rule: impl Into<Cow<'static, str>>,
        secret: &[u8],
        out: &mut Vec<u8>,
        tally: &mut Tally,
    ) {
        let rule = rule.into();
        out.extend_from_slice(b"[R:");
        out.extend_from_slice(rule.as_bytes());
        out.push(b':');
        out.extend_from_slice(self.key.id().as_bytes());
        if !rules::is_blind(&rule) {
            out.push(b':');
            out.extend_from_slice(self.key.digits(secret).as_bytes());
        }
        out.push(b']');
        if rule == pem::PRIVATE_KEY && pem::is_open(secret) {
            tally.finds.begins();
        }
        tally.add(rule);
    }

    /// A value without the secrets learned elsewhere in its event; it stands in so many documents.
    pub(super) fn unlearned(
        &self,
        text: &[u8],
        secrets: &[Vec<u8>],
        depth: usize,
        tally: &mut Tally,
    ) -> Option<Vec<u8>> {
        if !secrets.iter().any(|secret| may_hold(text, secret)) {
            return None;
        }
        // Inside JSON a secret is looked for in what the strings say, not in how they are written.
        if let Some(b'{' | b'[') = text.trim_ascii_start().first() {
            if depth > self.options.nested_depth_max {
                if json::is_document(self, text) {
                    return self.oversize(tally);
                }
            } else if let Ok(changed) = json::echoes(self, text, secrets, depth, tally) {
                return changed;
            }
        }
        let has_percent = memchr::memchr(b'%', text).is_some();
        let mut current: Option<Vec<u8>> = None;
        for secret in secrets {
            let mut spellings = vec![secret.clone()];
            if has_percent {
                spellings.extend(encoding::percent_spellings(secret));
            }
            for spelling in spellings {
                let seen = current.as_deref().unwrap_or(text);
                let tags = self.own_tags(seen);
                let mut out = Vec::new();
                let mut copied = 0;
                for at in memchr::memmem::find_iter(seen, &spelling) {
                    let is_tag =
                        |tag: &Range<usize>| tag.start < at + spelling.len() && at < tag.end;
                    if tags.iter().any(is_tag) {
                        continue;
                    }
                    out.extend_from_slice(seen.get(copied..at).unwrap_or_default());
                    self.tag(Kind::Secret.rule(), secret, &mut out, tally);
                    copied = at + spelling.len();
                }
                if copied > 0 {
                    out.extend_from_slice(seen.get(copied..).unwrap_or_default());
                    current = Some(out);
                }
            }
        }
        current
    }
}

/// Whether a text may hold a secret, as it is or behind escapes.
fn may_hold(text: &[u8], secret: &[u8]) -> bool {
    // Escapes make a text longer, never shorter.
    text.len() >= secret.len()
        && (memchr::memchr2(b'\\', b'%', text).is_some()
            || memchr::memmem::find(text, secret).is_some())
}
