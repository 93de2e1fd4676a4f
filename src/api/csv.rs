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
    let guarded = match cell.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r') => format!("'{cell}"),
        _ => cell.to_owned(),
    };
    name(&guarded)
}

/// The name of a column, which its caller chose: quoted where needed.
#[must_use]
pub(crate) fn name(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
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
        assert_eq!(quoted("plain"), "plain");
    }
}
