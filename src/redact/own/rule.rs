//! One rule of the operator's, compiled.

use std::ops::Range;

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::hir::{Hir, HirKind};

use super::super::check;
use super::options::{Action, RuleOptions, Validator};
use super::paths::Path;

/// Fewest bytes of a keyword: shorter ones stand in every other text.
pub(super) const KEYWORD_MIN: usize = 3;
/// Most memory of a compiled regex.
const REGEX_BYTES_MAX: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct Rule {
    pub(super) id: String,
    /// None where it is tried on every value of its fields.
    pub(super) keywords: Vec<String>,
    pub(super) action: Action,
    pub(super) keep_last: usize,
    regex: Regex,
    fields: Vec<Path>,
    validator: Validator,
}

impl Rule {
    pub(super) fn new(options: &RuleOptions) -> Result<Self, String> {
        let hir = parse(&options.regex)?;
        let keywords = match options.keywords.as_slice() {
            [] if options.fields.is_empty() => literals(&hir).unwrap_or_default(),
            given => given.to_vec(),
        };
        Ok(Self {
            id: options.id.clone(),
            keywords,
            action: options.action,
            keep_last: options.keep_last,
            regex: compile(&options.regex)?,
            fields: options.fields.iter().map(|path| Path::new(path)).collect(),
            validator: options.validator,
        })
    }

    /// Whether it is for a value under this path; text that is no field has none.
    pub(super) fn is_for(&self, path: Option<&str>) -> bool {
        self.fields.is_empty()
            || path.is_some_and(|path| self.fields.iter().any(|field| field.fits(path)))
    }

    /// Every place in a text: what is replaced.
    pub(super) fn places<'t>(&'t self, text: &'t [u8]) -> impl Iterator<Item = Range<usize>> + 't {
        self.regex.captures_iter(text).filter_map(|found| {
            let place = found.get(1).or_else(|| found.get(0))?;
            let is_valid = self.validator.accepts(place.as_bytes());
            (is_valid && !place.is_empty()).then(|| place.range())
        })
    }
}

impl Validator {
    fn accepts(self, text: &[u8]) -> bool {
        let digits = || -> Vec<u8> { text.iter().copied().filter(u8::is_ascii_digit).collect() };
        match self {
            Self::None => true,
            Self::Luhn => {
                let digits = digits();
                digits.len() >= 2 && check::luhn(&digits)
            }
            Self::Iban => {
                let plain = text.iter().filter(|b| b.is_ascii_alphanumeric());
                let plain: Vec<u8> = plain.map(u8::to_ascii_uppercase).collect();
                let country = plain.get(..2).unwrap_or_default();
                check::iban_length(country) == Some(plain.len()) && check::is_iban(&plain)
            }
            Self::Ssn => {
                let digits = digits();
                match digits
                    .split_at_checked(3)
                    .map(|(area, rest)| (area, rest.split_at_checked(2)))
                {
                    Some((area, Some((group, serial)))) if serial.len() == 4 => {
                        check::is_ssn(area, group, serial)
                    }
                    _ => false,
                }
            }
            Self::Jwt => {
                let head = text.split(|b| *b == b'.').next().unwrap_or_default();
                check::is_jose_header(head)
            }
        }
    }
}

/// The structure of a regex.
pub(super) fn parse(text: &str) -> Result<Hir, String> {
    let mut parser = regex_syntax::ParserBuilder::new()
        .utf8(false)
        .unicode(false)
        .build();
    parser.parse(text).map_err(|error| {
        let kind = match &error {
            regex_syntax::Error::Parse(error) => error.kind().to_string(),
            regex_syntax::Error::Translate(error) => error.kind().to_string(),
            _ => "it cannot be read".to_owned(),
        };
        format!("no regular expression: {kind}")
    })
}

pub(super) fn compile(text: &str) -> Result<Regex, String> {
    RegexBuilder::new(text)
        .unicode(false)
        .size_limit(REGEX_BYTES_MAX)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => {
                "too large when compiled; lower its repeats".to_owned()
            }
            _ => "no regular expression".to_owned(),
        })
}

/// A regex that must fit from end to end.
pub(super) fn whole(text: &str) -> Result<Regex, String> {
    compile(&format!(r"\A(?:{text})\z"))
}

/// Literals of which one stands in everything the regex can find; the longest such.
pub(super) fn literals(hir: &Hir) -> Option<Vec<String>> {
    match hir.kind() {
        HirKind::Literal(literal) => {
            let text = std::str::from_utf8(&literal.0).ok()?;
            (text.len() >= KEYWORD_MIN).then(|| vec![text.to_owned()])
        }
        HirKind::Capture(capture) => literals(&capture.sub),
        HirKind::Repetition(repeat) if repeat.min > 0 => literals(&repeat.sub),
        HirKind::Concat(parts) => {
            let shortest = |list: &Vec<String>| list.iter().map(String::len).min();
            parts.iter().filter_map(literals).max_by_key(shortest)
        }
        HirKind::Alternation(branches) => {
            let lists: Option<Vec<Vec<String>>> = branches.iter().map(literals).collect();
            Some(lists?.concat())
        }
        _ => None,
    }
}
