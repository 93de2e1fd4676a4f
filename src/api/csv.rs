//! CSV (RFC 4180) that a spreadsheet opens without running it.

use serde_json::Value;

/// A member of an event as text: strings bare, everything else as JSON, nothing for null.
#[must_use]
pub(crate) fn cell(row: &Value, column: &str) -> String {
    match row.get(column) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// A cell: quoted where needed, and never read as a formula.
#[must_use]
pub(crate) fn quoted(cell: &str) -> String {
    // A program may pass over what is not seen, and takes full-width signs for signs.
    let seen = cell.trim_start_matches(|c: char| {
        c.is_whitespace()
            || c.is_control()
            || ('\u{200b}'..='\u{200f}').contains(&c)
            || c == '\u{feff}'
    });
    let is_formula = matches!(
        seen.chars().next(),
        Some('=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠')
    );
    let is_guarded = is_formula || cell.starts_with(['\t', '\r']);
    quote(if is_guarded {
        format!("'{cell}")
    } else {
        cell.to_owned()
    })
}

/// The name of a column.
#[must_use]
pub(crate) fn name(text: &str) -> String {
    match text {
        // The one name of ours that begins with a sign.
        "@timestamp" => text.to_owned(),
        text => quoted(text),
    }
}

fn quote(text: String) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_no_formulas() {
        assert_eq!(quoted("=1+1"), "'=1+1");
        assert_eq!(quoted("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(quoted("-1,2"), "\"'-1,2\"");
        assert_eq!(quoted(" \u{200b}=1"), "' \u{200b}=1");
        assert_eq!(quoted("＝1"), "'＝1");
        assert_eq!(
            (name("@timestamp"), name("=x")),
            ("@timestamp".into(), "'=x".into())
        );
        assert_eq!(quoted("plain"), "plain");
    }
}
