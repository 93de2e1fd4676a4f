//! From an event to a clean one.

use std::borrow::Cow;

use super::Redactor;
use crate::model::Event;

pub(super) fn event<'a>(_redactor: &Redactor, event: Event<'a>) -> Event<'a> {
    event
}

pub(super) fn text<'t>(_redactor: &Redactor, text: &'t str) -> Cow<'t, str> {
    Cow::Borrowed(text)
}
