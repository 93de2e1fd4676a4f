//! One pass over a value: where four bytes may begin a keyword of any rule, an automaton over all keywords
//! reads on from there, and the rules that wait for a keyword look at its place. Rules without a
//! keyword (cards, IBANs) have gates of their own in `numbers.rs`.
//!
//! Every start is looked at, so keywords may overlap: a search that jumps behind a find would see
//! `token` and miss `token=`.

use std::ops::Range;
use std::sync::OnceLock;
use std::time::Duration;

use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::{Anchored, MatchKind, StartKind, dfa::DFA};
use regex::bytes::{Regex, RegexBuilder};

use super::decoded;
use super::effort::Effort;
use super::gate::Gate;
use super::keys::Keys;
use super::makeup::Makeup;
use super::numbers;
use super::rules::{self, Find, Rule};
use super::spans::{Rank, Span, Spans};
use super::undone::Undone;

/// Where a text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Anywhere.
    Text,
    /// It is a query string: its first word is a parameter.
    Query,
}

/// A keyword of a rule in a text.
pub(super) struct Probe<'t> {
    /// The whole text.
    pub(super) text: &'t [u8],
    /// Where the keyword begins.
    pub(super) at: usize,
    /// Where it ends.
    pub(super) end: usize,
    /// Where the text stands.
    pub(super) place: Place,
    /// The classes of names.
    pub(super) keys: &'t Keys,
}

/// Bytes behind a keyword that a regex may look at.
const REACH: usize = 4096;
/// The same where the regex may begin before the keyword, so that all of them is looked through each time.
const AROUND_REACH: usize = 512;
/// Shortest text that is looked at for more than keywords: `%` and what it encodes.
const ENCODED_MIN: usize = 8;

/// The compiled table.
pub(super) struct Engine {
    gate: Gate,
    automaton: DFA,
    start: StateID,
    /// Rules by keyword.
    waiting: Vec<Vec<usize>>,
    rules: Vec<&'static Rule>,
    /// Compiled at first use: most rules are never asked.
    regexes: Vec<OnceLock<Option<Regex>>>,
    keys: Keys,
    spans_max: usize,
    time_max: Duration,
}

impl Engine {
    pub(super) fn new(spans_max: usize, time_max: Duration) -> Self {
        let rules: Vec<&'static Rule> = rules::all().collect();
        let mut keywords: Vec<&str> = Vec::new();
        let mut waiting: Vec<Vec<usize>> = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            for keyword in rule.keywords {
                match keywords.iter().position(|known| known == keyword) {
                    Some(at) => waiting
                        .get_mut(at)
                        .map(|list| list.push(index))
                        .unwrap_or_default(),
                    None => {
                        keywords.push(keyword);
                        waiting.push(vec![index]);
                    }
                }
            }
        }
        let automaton = DFA::builder()
            .match_kind(MatchKind::Standard)
            .ascii_case_insensitive(true)
            .start_kind(StartKind::Anchored)
            .prefilter(false)
            .build(&keywords)
            .expect("a few thousand states fit the automaton's 31-bit ids");
        let start = automaton
            .start_state(Anchored::Yes)
            .expect("built for anchored searches");
        Self {
            gate: Gate::new(&keywords),
            automaton,
            start,
            waiting,
            regexes: rules.iter().map(|_| OnceLock::new()).collect(),
            rules,
            keys: Keys::new(),
            spans_max,
            time_max,
        }
    }

    /// The classes of names.
    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Whether a text is so short that it could only hold what begins with a keyword, and holds none. Asking costs less
    /// than remembering what was asked. A document is looked at by its names.
    pub(super) fn is_dull(&self, text: &[u8]) -> bool {
        text.len() < ENCODED_MIN
            && !matches!(text.trim_ascii_start().first(), Some(b'{' | b'['))
            && self.gate.is_shut(text)
    }

    /// Every secret in a text, in order; `None` where there are too many to replace one by one, or the search went on
    /// for too long.
    pub(super) fn find(&self, text: &[u8], place: Place) -> Option<Vec<Span>> {
        self.find_in(text, Makeup::of(text), place)
    }

    /// The same of a text whose makeup is known.
    pub(super) fn find_in(&self, text: &[u8], makeup: Makeup, place: Place) -> Option<Vec<Span>> {
        let effort = Effort::begin(text, self.time_max);
        let mut spans = Spans::timed(self.spans_max, effort);
        self.search_in(text, makeup, place, 0, &mut spans);
        (!spans.overflowed()).then(|| spans.settle(text))
    }

    fn search(&self, text: &[u8], place: Place, layer: usize, spans: &mut Spans) {
        self.search_in(text, Makeup::of(text), place, layer, spans);
    }

    fn search_in(
        &self,
        text: &[u8],
        makeup: Makeup,
        place: Place,
        layer: usize,
        spans: &mut Spans,
    ) {
        self.keywords(text, place, spans);
        if makeup.has_number {
            numbers::find(text, spans);
        }
        if layer < decoded::LAYERS && text.len() >= ENCODED_MIN {
            if makeup.has_escape {
                self.percent(text, place, layer, spans);
                self.unicode(text, place, layer, spans);
            }
            if makeup.has_base64 {
                self.base64(text, layer, spans);
            }
        }
    }

    fn keywords(&self, text: &[u8], place: Place, spans: &mut Spans) {
        self.gate.starts(text, |start| {
            self.keywords_from(text, start, place, spans);
        });
    }

    /// The keywords that begin at `start`. Apart, so that the loop over clean text stays small.
    #[cold]
    #[inline(never)]
    fn keywords_from(&self, text: &[u8], start: usize, place: Place, spans: &mut Spans) {
        let mut state = self.start;
        for (at, byte) in text.iter().enumerate().skip(start) {
            state = self.automaton.next_state(Anchored::Yes, state, *byte);
            if !self.automaton.is_special(state) {
                continue;
            }
            if self.automaton.is_dead(state) {
                return;
            }
            if self.automaton.is_match(state) {
                self.matched(state, text, start..at + 1, place, spans);
            }
        }
    }

    fn matched(
        &self,
        state: StateID,
        text: &[u8],
        found: Range<usize>,
        place: Place,
        spans: &mut Spans,
    ) {
        for index in 0..self.automaton.match_len(state) {
            let keyword = self.automaton.match_pattern(state, index);
            // Those that end here and begin later are found from there.
            if self.automaton.pattern_len(keyword) != found.len() {
                continue;
            }
            let probe = Probe {
                text,
                at: found.start,
                end: found.end,
                place,
                keys: &self.keys,
            };
            for rule in self.waiting.get(keyword.as_usize()).into_iter().flatten() {
                self.ask(*rule, &probe, spans);
            }
        }
    }

    fn ask(&self, index: usize, probe: &Probe<'_>, spans: &mut Spans) {
        let Some(rule) = self.rules.get(index).filter(|_| !spans.is_spent()) else {
            return;
        };
        // A known kind has a prefix and a length of its own: it stands out behind a `_` too.
        let is_glued = rule.rank == Rank::Known
            && probe.at.checked_sub(1).and_then(|at| probe.text.get(at)) == Some(&b'_');
        let is_inside = rule.word && !is_glued && !is_word_start(probe.text, probe.at);
        if spans.covers(probe.at, rule.rank) || is_inside {
            return;
        }
        let (start, regex, reach) = match rule.find {
            Find::Code(finder) => return finder(probe, spans),
            Find::Head(regex) => (probe.at, regex, probe.end + REACH),
            Find::Around(before, regex) => {
                let start = probe.at.saturating_sub(before);
                (start, regex, probe.end + AROUND_REACH)
            }
        };
        let end = probe.text.len().min(reach);
        let Some(regex) = self.regex(index, regex) else {
            // Every regex of the table compiles: a test. Were one not to, its keyword hides nothing
            // behind it.
            return spans.push(start..end, rule.id, rule.rank);
        };
        let Some(window) = probe.text.get(start..end) else {
            return;
        };
        let Some(found) = regex.find(window) else {
            return;
        };
        let place = if regex.captures_len() > 1 {
            secret_of(regex, window, found.range())
        } else {
            found.range()
        };
        let is_secret = (rule.check)(window.get(place.clone()).unwrap_or_default());
        if !is_secret
            && !spans.is_refused_too_often(index, start + found.start()..start + found.end())
        {
            return;
        }
        let end = start + place.end;
        let rest = probe.text.get(end..).unwrap_or_default();
        let more = if place.end == found.end() {
            // What reaches the end of what the regex may look at goes on to the end of the word, whatever it is of.
            let is_cut = start + place.end == reach;
            let ends = |b: &u8| match is_cut {
                true => b.is_ascii_whitespace() || b"\"'`<>".contains(b),
                false => !b.is_ascii_alphanumeric() && *b != b'_',
            };
            rest.iter().position(ends).unwrap_or(rest.len())
        } else {
            0
        };
        spans.push(start + place.start..end + more, rule.id, rule.rank);
    }

    fn regex(&self, index: usize, pattern: &str) -> Option<&Regex> {
        self.regexes
            .get(index)?
            .get_or_init(|| {
                let is_head = matches!(self.rules.get(index)?.find, Find::Head(_));
                let pattern = if is_head {
                    format!(r"\A(?:{pattern})")
                } else {
                    pattern.to_owned()
                };
                RegexBuilder::new(&pattern).unicode(false).build().ok()
            })
            .as_ref()
    }

    /// Searches the text with `%XX` undone and brings the finds back.
    fn percent(&self, text: &[u8], place: Place, layer: usize, spans: &mut Spans) {
        let Some(undone) = Undone::percent(text) else {
            return;
        };
        let mut inner = spans.inner();
        self.search(&undone.plain, place, layer + 1, &mut inner);
        spans.go_on_from(&inner);
        for span in inner.settle(&undone.plain) {
            spans.push_span(Span {
                place: undone.range(&span.place),
                secret: undone.range(&span.secret),
                ..span
            });
        }
    }

    /// Searches the text with `\uXXXX` undone: of JSON that a line of text holds, or that was cut.
    fn unicode(&self, text: &[u8], place: Place, layer: usize, spans: &mut Spans) {
        let Some(undone) = Undone::unicode(text) else {
            return;
        };
        let mut inner = spans.inner();
        self.search(&undone.plain, place, layer + 1, &mut inner);
        spans.go_on_from(&inner);
        for span in inner.settle(&undone.plain) {
            let secret = || undone.plain.get(span.secret.clone()).map(<[u8]>::to_vec);
            spans.push_span(Span {
                decoded: span.decoded.clone().or_else(secret),
                place: undone.range(&span.place),
                secret: undone.range(&span.secret),
                ..span
            });
        }
    }

    /// Decodes long runs of base64 or hex; one that holds a secret goes whole, under the tag of the first
    /// secret in it.
    fn base64(&self, text: &[u8], layer: usize, spans: &mut Spans) {
        for run in decoded::runs(text) {
            self.base64_run(text, run, layer, spans);
        }
    }

    fn base64_run(&self, text: &[u8], run: Range<usize>, layer: usize, spans: &mut Spans) {
        for (place, plain) in decoded::texts(text, &run) {
            let mut inner = spans.inner();
            self.search(&plain, Place::Text, layer + 1, &mut inner);
            spans.go_on_from(&inner);
            if inner.is_empty() {
                decoded::named(&plain, &self.keys, &mut inner);
            }
            let Some(first) = inner.settle(&plain).into_iter().next() else {
                continue;
            };
            let secret = first
                .decoded
                .or_else(|| plain.get(first.secret).map(<[u8]>::to_vec));
            return spans.push_span(Span {
                secret: place.start..run.end,
                place,
                decoded: secret,
                rule: first.rule,
                rank: Rank::Known,
            });
        }
    }
}

/// The secret of a match: what its group holds. Groups are looked for in the match and a few bytes behind it, which
/// tell as much as the whole window does where they lead to the same match, and take far less time.
fn secret_of(regex: &Regex, window: &[u8], found: Range<usize>) -> Range<usize> {
    let near = window.get(..found.end + 4).unwrap_or(window);
    let groups = regex.captures(near).filter(|groups| {
        let whole = groups.get(0).map(|whole| whole.range());
        whole.as_ref() == Some(&found)
    });
    let group = groups
        .or_else(|| regex.captures(window))
        .and_then(|groups| groups.get(1));
    group.map_or(found, |group| group.range())
}

/// Whether nothing of a word stands before `at`; an escape (`\n`, `\u003d`, `%3D`) is no word.
fn is_word_start(text: &[u8], at: usize) -> bool {
    let before = text.get(at.saturating_sub(6)..at).unwrap_or_default();
    match before {
        [.., b'\\', b'n' | b't' | b'r' | b'b' | b'f'] => true,
        [b'\\', b'u', ..] => true,
        // The end of a terminal's color.
        [.., b'm'] if before.contains(&0x1b) => true,
        [.., b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => true,
        [.., last] => !last.is_ascii_alphanumeric() && *last != b'_',
        [] => true,
    }
}
