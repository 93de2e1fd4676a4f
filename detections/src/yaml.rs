//! YAML text to bounded trees with line numbers.
//!
//! A file is split at its `---` lines first, so that one broken document does not take the others with
//! it. Aliases are refused: rules need none, and they are how a small file becomes a large tree.

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError};

/// Bytes of one file at most.
pub(crate) const FILE_BYTES_MAX: usize = 1 << 20;
/// Documents of one file at most.
pub(crate) const DOCUMENTS_MAX: usize = 2_000;
/// Nesting of lists and maps at most.
const DEPTH_MAX: usize = 32;
/// Scalars, lists and maps of one document at most.
const NODES_MAX: usize = 50_000;

/// A problem at a line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) line: u32,
    pub(crate) message: String,
}

/// A fault at `line`.
pub(crate) fn fault<T>(line: u32, message: impl Into<String>) -> Result<T, Fault> {
    Err(Fault {
        line,
        message: message.into(),
    })
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) line: u32,
    pub(crate) data: Data,
}

/// A value of YAML's core schema.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Data {
    Null,
    Bool(bool),
    /// A number, as written.
    Num(String),
    Str(String),
    List(Vec<Node>),
    Map(Vec<Pair>),
}

/// A key and its value, in the order of the file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pair {
    pub(crate) line: u32,
    pub(crate) key: String,
    pub(crate) value: Node,
}

impl Node {
    /// The value under `key`, where this is a map that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.pairs().iter().find(|p| p.key == key).map(|p| &p.value)
    }

    /// Keys and values; none where this is no map.
    pub(crate) fn pairs(&self) -> &[Pair] {
        match &self.data {
            Data::Map(pairs) => pairs,
            _ => &[],
        }
    }

    /// The text of a scalar, numbers as written.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Str(text) | Data::Num(text) => Some(text),
            Data::Bool(true) => Some("true"),
            Data::Bool(false) => Some("false"),
            _ => None,
        }
    }

    /// The items of a list, or the value itself as the only item.
    pub(crate) fn items(&self) -> &[Node] {
        match &self.data {
            Data::List(items) => items,
            _ => std::slice::from_ref(self),
        }
    }

    /// What it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self.data {
            Data::Null => "null",
            Data::Bool(_) => "a boolean",
            Data::Num(_) => "a number",
            Data::Str(_) => "a text",
            Data::List(_) => "a list",
            Data::Map(_) => "a map",
        }
    }
}

/// The documents of a file, each read or refused on its own. Empty documents are left out.
pub(crate) fn documents(text: &str) -> Vec<Result<Node, Fault>> {
    if text.len() > FILE_BYTES_MAX {
        return vec![fault(
            1,
            format!("file is larger than {FILE_BYTES_MAX} bytes"),
        )];
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut found = Vec::new();
    for (start, part) in parts(text) {
        if found.len() == DOCUMENTS_MAX {
            found.push(fault(
                start,
                format!("file has more than {DOCUMENTS_MAX} documents"),
            ));
            break;
        }
        match document(part, start) {
            Ok(Some(node)) => found.push(Ok(node)),
            Ok(None) => {}
            Err(fault) => found.push(Err(fault)),
        }
    }
    found
}

/// The text between `---` lines, each with the number of its first line (1-based).
fn parts(text: &str) -> Vec<(u32, &str)> {
    let mut found = Vec::new();
    let (mut begin, mut begin_line, mut at, mut line) = (0usize, 1u32, 0usize, 1u32);
    for row in text.split_inclusive('\n') {
        let is_mark = row
            .strip_prefix("---")
            .is_some_and(|rest| rest.trim_end().is_empty() || rest.starts_with([' ', '\t']));
        if is_mark && at > begin {
            found.push((begin_line, text.get(begin..at).unwrap_or_default()));
            begin = at;
            begin_line = line;
        }
        at += row.len();
        line = line.saturating_add(1);
    }
    found.push((begin_line, text.get(begin..).unwrap_or_default()));
    found
}

/// A list or map under construction.
enum Open {
    List(u32, Vec<Node>),
    Map(u32, Vec<Pair>, Option<(u32, String)>),
}

/// Reads one document; `None` where it is empty.
fn document(text: &str, first_line: u32) -> Result<Option<Node>, Fault> {
    let at = |line: usize| {
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        first_line.saturating_add(line.saturating_sub(1))
    };
    let scan = |error: &ScanError| Fault {
        line: at(error.marker().line()),
        message: format!("not valid YAML: {}", error.info()),
    };
    let mut parser = Parser::new_from_str(text);
    let mut stack: Vec<Open> = Vec::new();
    let mut root: Option<Node> = None;
    let mut nodes = 0usize;
    while let Some(next) = parser.next_event() {
        let (event, span) = next.map_err(|e| scan(&e))?;
        let line = at(span.start.line());
        let closed = match event {
            Event::Alias(_) => return fault(line, "aliases are not allowed in rules"),
            Event::Scalar(text, style, _, tag) => {
                let typed = style == ScalarStyle::Plain && tag.is_none();
                Some(Node {
                    line,
                    data: scalar(text.into_owned(), typed),
                })
            }
            Event::SequenceStart(..) => {
                stack.push(Open::List(line, Vec::new()));
                None
            }
            Event::MappingStart(..) => {
                stack.push(Open::Map(line, Vec::new(), None));
                None
            }
            Event::SequenceEnd | Event::MappingEnd => stack.pop().map(close),
            Event::DocumentStart(_) if root.is_some() => {
                return fault(line, "a second document without `---` at the line's start");
            }
            _ => None,
        };
        nodes += 1;
        if nodes > NODES_MAX {
            return fault(line, format!("more than {NODES_MAX} values"));
        }
        if stack.len() > DEPTH_MAX {
            return fault(line, format!("nested deeper than {DEPTH_MAX}"));
        }
        if let Some(node) = closed {
            place(node, &mut stack, &mut root)?;
        }
    }
    Ok(root.filter(|node| node.data != Data::Null))
}

fn close(open: Open) -> Node {
    match open {
        Open::List(line, items) => Node {
            line,
            data: Data::List(items),
        },
        Open::Map(line, pairs, _) => Node {
            line,
            data: Data::Map(pairs),
        },
    }
}

fn place(node: Node, stack: &mut [Open], root: &mut Option<Node>) -> Result<(), Fault> {
    match stack.last_mut() {
        None => *root = Some(node),
        Some(Open::List(_, items)) => items.push(node),
        Some(Open::Map(_, pairs, key)) => match key.take() {
            Some((line, key)) => pairs.push(Pair {
                line,
                key,
                value: node,
            }),
            None => {
                let name = match node.data {
                    Data::Null => String::new(),
                    _ => match node.text() {
                        Some(text) => text.to_owned(),
                        None => return fault(node.line, "a key must be a text"),
                    },
                };
                // Maps of rules are small; NODES_MAX bounds the square.
                if pairs.len() > 4_000 {
                    return fault(node.line, "map with more than 4000 keys");
                }
                if pairs.iter().any(|p| p.key == name) {
                    return fault(node.line, format!("key `{name}` stands twice"));
                }
                *key = Some((node.line, name));
            }
        },
    }
    Ok(())
}

/// The core schema of YAML 1.2: plain scalars may be null, booleans and numbers.
fn scalar(text: String, typed: bool) -> Data {
    if !typed {
        return Data::Str(text);
    }
    match text.as_str() {
        "" | "~" | "null" | "Null" | "NULL" => Data::Null,
        "true" | "True" | "TRUE" => Data::Bool(true),
        "false" | "False" | "FALSE" => Data::Bool(false),
        other if is_number(other) => Data::Num(text),
        _ => Data::Str(text),
    }
}

/// `[-+]digits`, with an optional fraction and exponent. Hexadecimal stays text: rules mean the words.
pub(crate) fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.contains(|c: char| c.is_ascii_digit())
        && digits
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'-' | b'+'))
        && text.parse::<f64>().is_ok_and(f64::is_finite)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Result<Node, Fault> {
        documents(text).remove(0)
    }

    #[test]
    fn documents_are_read_on_their_own() {
        let found = documents("# c\na: 1\n---\nb: [\n---\nc:\n  - x\n  - 'y'\n");
        assert_eq!(found.len(), 3);
        assert_eq!(found[0].as_ref().unwrap().get("a").unwrap().line, 2);
        assert!(found[1].as_ref().unwrap_err().line >= 4, "{:?}", found[1]);
        let c = found[2].as_ref().unwrap().get("c").unwrap();
        assert_eq!((c.line, c.items()[1].line), (7, 8));
    }

    #[test]
    fn scalars_have_the_core_schema() {
        let node =
            one("a: 1\nb: '1'\nc: null\nd: true\ne: 1.50\nf: 0x1F\ng: 1.2.3.4\nh: -5").unwrap();
        let data = |key| node.get(key).unwrap().data.clone();
        assert_eq!(data("a"), Data::Num("1".into()));
        assert_eq!(data("b"), Data::Str("1".into()));
        assert_eq!(data("c"), Data::Null);
        assert_eq!(data("d"), Data::Bool(true));
        assert_eq!(data("e"), Data::Num("1.50".into()));
        assert_eq!(data("f"), Data::Str("0x1F".into()));
        assert_eq!(data("g"), Data::Str("1.2.3.4".into()));
        assert_eq!(data("h"), Data::Num("-5".into()));
    }

    #[test]
    fn hostile_files_are_refused() {
        let bomb = "a: &a [x,x]\nb: &b [*a,*a]\n";
        assert!(one(bomb).unwrap_err().message.contains("aliases"));
        assert!(one(&"[".repeat(200)).is_err());
        assert!(one(&"- ".repeat(5_000)).is_err());
        assert!(one("a: 1\na: 2").unwrap_err().message.contains("twice"));
        assert!(one(&"x".repeat(FILE_BYTES_MAX + 1)).is_err());
        assert!(one("? [a]\n: b").is_err());
        let many = "---\na: 1\n".repeat(DOCUMENTS_MAX + 10);
        assert!(documents(&many).last().unwrap().is_err());
        for text in [
            "",
            "---",
            "\0",
            "\t- a",
            "a: |\n---\nb: >\n",
            "!!int x",
            "%YAML 9\n--- a",
        ] {
            let _total = documents(text).len();
        }
    }
}
