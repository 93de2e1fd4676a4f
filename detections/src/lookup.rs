//! How the engine sees an event: the only trait of the product.

/// A field the rules ask for: its position in [`crate::Engine::fields`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldId(pub u32);

impl FieldId {
    /// The position as an index.
    #[must_use]
    pub fn index(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// A scalar of an event, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueRef<'a> {
    /// Text.
    Str(&'a str),
    /// A number exactly as written.
    Num(&'a str),
    /// `true` or `false`.
    Bool(bool),
    /// Present without a value.
    Null,
}

impl<'a> ValueRef<'a> {
    /// The text of the scalar, numbers as written; `None` for null.
    #[must_use]
    pub fn text(self) -> Option<&'a str> {
        match self {
            Self::Str(text) | Self::Num(text) => Some(text),
            Self::Bool(true) => Some("true"),
            Self::Bool(false) => Some("false"),
            Self::Null => None,
        }
    }
}

/// An event the engine can ask for fields.
///
/// The host resolves [`crate::Engine::fields`] to its own slots once per rule set, so that both calls
/// are cheap: the engine asks only for fields that rules name.
pub trait Lookup {
    /// The first value of a field; `None` where the event does not have it.
    fn field(&self, id: FieldId) -> Option<ValueRef<'_>>;

    /// Calls `visit` with every value of a field until it returns true; whether it did.
    fn any_value(&self, id: FieldId, visit: &mut dyn FnMut(ValueRef<'_>) -> bool) -> bool {
        self.field(id).is_some_and(visit)
    }

    /// Calls `visit` with every text of the event (keyword rules) until it returns true; whether it did.
    fn any_text(&self, visit: &mut dyn FnMut(&str) -> bool) -> bool;
}
