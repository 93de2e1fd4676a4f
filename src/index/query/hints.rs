//! What was probably meant where nothing is found: names of fields that nearly are those of others.

use super::ast::{Condition, Name, Node, Query};
use super::names::ALIASES;
use crate::model::Field;

/// Most hints for one query.
const HINTS_MAX: usize = 5;
/// Longest name that is compared.
const NAME_MAX: usize = 64;

/// A name that no canonical field has, and the one that was probably meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// As it was written.
    pub name: String,
    /// The field or alias nearest to it.
    pub meant: &'static str,
}

impl Query {
    /// The names in the query that are nearly those of fields. A source may have fields of such names, so this says
    /// something only where nothing is found.
    #[must_use]
    pub fn hints(&self) -> Vec<Hint> {
        let mut hints = Vec::new();
        collect(&self.0, &mut hints);
        hints
    }
}

fn collect(node: &Node, hints: &mut Vec<Hint>) {
    match node {
        Node::And(nodes) | Node::Or(nodes) => nodes.iter().for_each(|node| collect(node, hints)),
        Node::Not(node) => collect(node, hints),
        Node::Is(Condition::Field(Name::Ext(name), _)) if hints.len() < HINTS_MAX => {
            if let Some(meant) = nearest(name)
                && hints.iter().all(|hint| hint.name != *name)
            {
                let name = name.clone();
                hints.push(Hint { name, meant });
            }
        }
        Node::All | Node::Is(_) => {}
    }
}

/// The field or alias that is one or two letters from a name.
fn nearest(name: &str) -> Option<&'static str> {
    let name: Vec<char> = name.to_lowercase().chars().take(NAME_MAX + 1).collect();
    let most = match name.len() {
        ..=3 => 0,
        4..=5 => 1,
        6..=NAME_MAX => 2,
        _ => return None,
    };
    let fields = Field::ALL.iter().map(|field| field.name());
    let all = fields.chain(ALIASES.iter().map(|(alias, _)| *alias));
    all.map(|known| (distance(&name, known), known))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// Letters to change, add, leave out or swap with their neighbour (optimal string alignment).
fn distance(name: &[char], known: &str) -> usize {
    let known: Vec<char> = known.chars().collect();
    if name.len().abs_diff(known.len()) > 2 {
        return usize::MAX;
    }
    let at = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX - 1);
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=known.len()).collect();
    for (i, a) in name.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in known.iter().enumerate() {
            let mut cost = (at(&last, j) + usize::from(a != b))
                .min(at(&last, j + 1) + 1)
                .min(at(&row, j) + 1);
            let is_swap =
                i > 0 && j > 0 && name.get(i - 1) == Some(b) && known.get(j - 1) == Some(a);
            if is_swap {
                cost = cost.min(at(&before, j - 1) + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut last, row);
    }
    at(&last, known.len())
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use crate::model::Timestamp;

    #[test]
    fn names_that_nearly_are_fields_have_hints() {
        let check = |query: &str, expected: &[(&str, &str)]| {
            let hints = parse(query, Timestamp(0)).unwrap().hints();
            let found: Vec<_> = hints.iter().map(|hint| (&*hint.name, hint.meant)).collect();
            assert_eq!(found, expected, "{query}");
        };
        check("statsu:404", &[("statsu", "status")]);
        check(
            "http.respnse.status_code:404 OR NOT (user.nme:x AND user.nme:y)",
            &[
                ("http.respnse.status_code", "http.response.status_code"),
                ("user.nme", "user.name"),
            ],
        );
        check("Clientip:10.0.0.1", &[("Clientip", "client.ip")]);
        check("status:404 user.name:x words", &[]);
        check("order_state:open x:1 ab:2", &[]);
    }
}
