//! Lines that are events: JSON documents whose names are the paths of the operator's rules and exceptions.

use super::super::Redactor;
use super::super::escapes::{escaped, unescape};
use super::super::json::{self, NotJson, Writer};
use super::super::pem::PRIVATE_KEY;
use super::super::replace::Tally;
use super::{Outcome, Own};

/// Redacts a line that is a JSON document by the shipped rules and, where there are any, the operator's; `None` where nothing changes.
///
/// # Errors
/// When the text is none, or too deep. The tally is then as it was.
pub(in crate::redact) fn rewrite(
    redactor: &Redactor,
    own: Option<&Own>,
    text: &[u8],
    tally: &mut Tally,
) -> Result<Option<Vec<u8>>, NotJson> {
    if !matches!(text.trim_ascii_start().first(), Some(b'{' | b'[')) {
        return Err(NotJson);
    }
    let mut part = Tally {
        is_again: tally.is_again,
        ..Tally::default()
    };
    let changed = pass(redactor, own, text, &mut part)?;
    if part.rules.iter().any(|(rule, _)| rule == PRIVATE_KEY) {
        let mut lines = Tally::default();
        if let Some(rest) = json::key_lines(redactor, text, &mut Vec::new(), &mut lines)? {
            lines.is_again = tally.is_again;
            let changed = pass(redactor, own, &rest, &mut lines)?;
            tally.merge(lines);
            return Ok(Some(changed.unwrap_or(rest)));
        }
    }
    tally.merge(part);
    Ok(changed)
}

fn pass(
    redactor: &Redactor,
    own: Option<&Own>,
    text: &[u8],
    tally: &mut Tally,
) -> Result<Option<Vec<u8>>, NotJson> {
    let changed = redactor.with_known(|known| {
        let mut writer = Writer::new(redactor, text, 0, tally);
        (writer.own, writer.known) = (own, Some(known));
        writer.document()?;
        Ok(writer.finish())
    })?;
    let changed = redactor.without_jwk(text, changed, tally);
    let secrets = std::mem::take(&mut tally.learned);
    let seen = changed.as_deref().unwrap_or(text);
    let again = redactor.unlearned(seen, &secrets, 0, tally);
    Ok(again.or(changed))
}

impl Writer<'_, '_> {
    /// Goes below a name.
    pub(in crate::redact) fn enter(&mut self, name: &[u8]) {
        if self.own.is_some() {
            if !self.path.is_empty() {
                self.path.push('.');
            }
            self.path.push_str(&String::from_utf8_lossy(name));
        }
    }

    /// Whether the operator excepts the place.
    pub(in crate::redact) fn is_allowed(&self) -> bool {
        self.own.is_some_and(|own| own.allows_field(&self.path))
    }

    /// What the operator's rules leave of a value, or of what the others have left of it.
    pub(in crate::redact) fn by_own(
        &mut self,
        text: &[u8],
        clean: Option<Vec<u8>>,
    ) -> Option<Vec<u8>> {
        let Some(own) = self.own.filter(|own| !own.allows_field(&self.path)) else {
            return clean;
        };
        let seen = clean.as_deref().unwrap_or(text);
        match own.value(self.redactor, Some(&self.path), seen, self.tally) {
            Outcome::Kept => clean,
            Outcome::Replaced(clean) => Some(clean),
            Outcome::Dropped => Some(Vec::new()),
        }
    }

    /// The same for a string as it is written.
    pub(in crate::redact) fn by_own_in_string(
        &mut self,
        written: &[u8],
        clean: Option<Vec<u8>>,
    ) -> Option<Vec<u8>> {
        self.in_string(written, clean, |writer, text| writer.by_own(text, None))
    }

    /// The same for a name as it is written.
    pub(in crate::redact) fn by_own_in_name(
        &mut self,
        written: &[u8],
        clean: Option<Vec<u8>>,
    ) -> Option<Vec<u8>> {
        self.in_string(written, clean, |writer, text| {
            let own = writer.own.filter(|own| !own.allows_field(&writer.path))?;
            own.name(writer.redactor, text, writer.tally)
        })
    }

    fn in_string(
        &mut self,
        written: &[u8],
        clean: Option<Vec<u8>>,
        by_own: impl FnOnce(&mut Self, &[u8]) -> Option<Vec<u8>>,
    ) -> Option<Vec<u8>> {
        if self.own.is_none() {
            return clean;
        }
        let text = unescape(clean.as_deref().unwrap_or(written));
        let Some(changed) = by_own(self, &text) else {
            return clean;
        };
        Some(escaped(&changed))
    }
}
