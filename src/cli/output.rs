//! Rows to people or programs: a table on a terminal, NDJSON in a pipe, CSV on request.

use std::io::{IsTerminal, Write};

use clap::ValueEnum;
use serde_json::Value;

use super::terminal::{escape, escape_json};
use crate::api::csv::{cell, quoted};

/// A form of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Aligned columns, for people.
    Table,
    /// One JSON document.
    Json,
    /// One JSON object per line.
    Ndjson,
    /// Comma-separated, safe to open in a spreadsheet.
    Csv,
    /// The value alone.
    Raw,
}

impl Output {
    /// The form asked for, else a table on a terminal and NDJSON in a pipe.
    #[must_use]
    pub fn or_default(chosen: Option<Output>) -> Output {
        chosen.unwrap_or(if std::io::stdout().is_terminal() {
            Output::Table
        } else {
            Output::Ndjson
        })
    }
}

/// Writes to standard output; a closed pipe ends the program's work quietly.
pub(super) fn emit(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// Writes a line for people to standard error.
pub fn tell(text: &str) {
    // Nobody is left to tell where standard error is closed.
    let _closed = writeln!(std::io::stderr().lock(), "{text}").is_err();
}

/// A JSON document. On a terminal nothing in it acts; in a pipe it is as it came.
pub(super) fn document(value: &Value) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    emit(&format!(
        "{}\n",
        safe(&text, std::io::stdout().is_terminal())
    ))
}

fn safe(text: &str, is_terminal: bool) -> std::borrow::Cow<'_, str> {
    if is_terminal {
        escape_json(text)
    } else {
        text.into()
    }
}

/// Rows in the form asked for, with these columns where the form has columns.
pub(super) fn rows(rows: &[Value], columns: &[&str], output: Output) -> anyhow::Result<()> {
    emit(&written(
        rows,
        columns,
        output,
        std::io::stdout().is_terminal(),
    )?)
}

/// The text of rows. What comes out raw is what was asked for; everything else does not act on a terminal.
fn written(
    rows: &[Value],
    columns: &[&str],
    output: Output,
    is_terminal: bool,
) -> anyhow::Result<String> {
    let mut text = String::new();
    match output {
        Output::Json => {
            text = safe(&serde_json::to_string_pretty(rows)?, is_terminal).into_owned();
            text.push('\n');
        }
        Output::Ndjson | Output::Raw => {
            for row in rows {
                text.push_str(&safe(
                    &row.to_string(),
                    is_terminal && output != Output::Raw,
                ));
                text.push('\n');
            }
        }
        Output::Csv => {
            text.push_str(&columns.join(","));
            text.push('\n');
            for row in rows {
                let cells: Vec<String> = columns
                    .iter()
                    .map(|column| cell(row, column))
                    .map(|cell| {
                        quoted(&if is_terminal {
                            escape(&cell)
                        } else {
                            cell.as_str().into()
                        })
                    })
                    .collect();
                text.push_str(&cells.join(","));
                text.push('\n');
            }
        }
        Output::Table => table(rows, columns, &mut text),
    }
    Ok(text)
}

const CELL_WIDTH_MAX: usize = 60;

fn table(rows: &[Value], columns: &[&str], text: &mut String) {
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            columns
                .iter()
                .map(|column| {
                    let whole = escape(&cell(row, column)).into_owned();
                    if whole.chars().count() > CELL_WIDTH_MAX {
                        whole
                            .chars()
                            .take(CELL_WIDTH_MAX - 1)
                            .chain(['…'])
                            .collect()
                    } else {
                        whole
                    }
                })
                .collect()
        })
        .collect();
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let widest = cells
                .iter()
                .filter_map(|row| row.get(at))
                .map(|cell| cell.chars().count())
                .max();
            widest.unwrap_or(0).max(column.chars().count())
        })
        .collect();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut written = String::new();
        for (cell, width) in cells.zip(&widths) {
            written.push_str(cell);
            written.extend(std::iter::repeat_n(
                ' ',
                (width + 2).saturating_sub(cell.chars().count()),
            ));
        }
        text.push_str(written.trim_end());
        text.push('\n');
    };
    line(&mut columns.iter().copied());
    for row in &cells {
        line(&mut row.iter().map(String::as_str));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_acts_on_a_terminal_whatever_the_form() {
        let rows = [serde_json::json!({"a": "x\u{1b}[2J\u{202e}y", "b": "\n"})];
        let acts = |text: &str| {
            text.chars()
                .any(|c| c != '\n' && crate::model::is_hostile(c))
        };
        for output in [Output::Table, Output::Json, Output::Ndjson, Output::Csv] {
            let text = written(&rows, &["a", "b"], output, true).unwrap();
            assert!(!acts(&text), "{text}");
        }
        assert!(acts(&written(&rows, &["a"], Output::Raw, true).unwrap()));
        assert!(acts(&written(&rows, &["a"], Output::Csv, false).unwrap()));
    }

    #[test]
    fn tables_align() {
        let mut text = String::new();
        let rows = [
            serde_json::json!({"a": "x", "b": 12}),
            serde_json::json!({"a": "long", "b": null}),
        ];
        table(&rows, &["a", "b"], &mut text);
        assert_eq!(text, "a     b\nx     12\nlong\n");
    }
}
