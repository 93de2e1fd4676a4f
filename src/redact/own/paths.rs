//! Paths of fields with `*`, as operators write them.

/// A path: parts between dots, of which `*` stands for any one, or at the beginning for any number.
#[derive(Clone, Debug)]
pub(super) struct Path {
    parts: Vec<String>,
}

impl Path {
    pub(super) fn new(text: &str) -> Self {
        let parts = text.split('.').map(str::to_lowercase);
        Self {
            parts: parts.collect(),
        }
    }

    /// Whether the path of a field is meant, in any case. Numbers of array elements do not count, and `ext.` may be
    /// left out.
    pub(super) fn fits(&self, path: &str) -> bool {
        let named = |path: &str| {
            let parts = path.split('.').filter(|part| !is_number(part));
            let parts: Vec<&str> = parts.collect();
            is_match(&self.parts, &parts)
        };
        named(path) || path.strip_prefix("ext.").is_some_and(named)
    }
}

fn is_number(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit())
}

fn is_match(wanted: &[String], parts: &[&str]) -> bool {
    let one = |wanted: &String, part: &&str| wanted == "*" || part.to_lowercase() == *wanted;
    match wanted.split_first() {
        Some((first, rest)) if first == "*" && !rest.is_empty() => {
            let from = parts.len().checked_sub(rest.len());
            let tail = from.and_then(|from| parts.get(from..));
            tail.is_some_and(|tail| rest.iter().zip(tail).all(|(a, b)| one(a, b)))
        }
        _ => wanted.len() == parts.len() && wanted.iter().zip(parts).all(|(a, b)| one(a, b)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_fit_by_their_parts() {
        let check = |wanted: &str, path: &str, expected: bool| {
            assert_eq!(Path::new(wanted).fits(path), expected, "{wanted} {path}");
        };
        check("user.name", "user.name", true);
        check("user.name", "user.name.x", false);
        check("User.Name", "user.NAME", true);
        check("customer.number", "ext.customer.number", true);
        check("ext.customer.number", "ext.customer.number", true);
        check("items.sku", "ext.items.12.sku", true);
        check("customer.*", "ext.customer.number", true);
        check("*.note", "ext.a.b.note", true);
        check("*.note", "note", true);
        check("*.note", "notes", false);
        check("message", "ext.message", true);
    }
}
