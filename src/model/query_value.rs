//! A value as it stands in a query.

/// Bare where nothing in it has a meaning in the query language, else quoted.
#[must_use]
pub fn query_value(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '/');
    if !value.is_empty()
        && value.chars().all(plain)
        && !matches!(value, "AND" | "OR" | "NOT" | "TO")
    {
        return value.to_owned();
    }
    let mut text = String::from("\"");
    for c in value.chars() {
        if matches!(c, '"' | '\\') {
            text.push('\\');
        }
        text.push(c);
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_is_quoted() {
        let check = |value: &str, expected: &str| assert_eq!(query_value(value), expected);
        check("203.0.113.9", "203.0.113.9");
        check("2001:db8::1", "\"2001:db8::1\"");
        check("a\"b\\c", "\"a\\\"b\\\\c\"");
        check("", "\"\"");
        check("OR", "\"OR\"");
        check("a*", "\"a*\"");
        check("/v1/orders/{id}", "\"/v1/orders/{id}\"");
    }
}
