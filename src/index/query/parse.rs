//! Query text to tree: recursive descent over characters, bounded in length, clauses and depth.

use super::QueryError;
use super::ast::{Node, Query};
use super::names::resolve;
use super::pattern::{bare_length, between_slashes};
use super::value::{Bad, Text, condition};
use crate::model::Timestamp;

/// Bounds of a query text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the text.
    pub bytes_max: usize,
    /// Conditions.
    pub clauses_max: usize,
    /// Nested parentheses and negations.
    pub depth_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes_max: 16 << 10,
            clauses_max: 256,
            depth_max: 32,
        }
    }
}

/// Reads a query within the default limits; relative times count from `now`. An empty text asks for every event.
pub fn parse(text: &str, now: Timestamp) -> Result<Query, QueryError> {
    parse_within(text, now, Limits::default())
}

/// Reads a query within limits.
pub fn parse_within(text: &str, now: Timestamp, limits: Limits) -> Result<Query, QueryError> {
    let mut parser = Parser {
        text,
        at: 0,
        now,
        limits,
        clauses: 0,
        depth: 0,
    };
    if text.len() > limits.bytes_max {
        return parser.fail(format!("query is longer than {} bytes", limits.bytes_max));
    }
    parser.skip_spaces();
    if parser.rest().is_empty() {
        return Ok(Query::all());
    }
    let node = parser.any(None)?;
    if parser.rest().starts_with(')') {
        return parser.fail("closing parenthesis without an opening one");
    }
    Ok(Query(node))
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    now: Timestamp,
    limits: Limits,
    clauses: usize,
    depth: usize,
}

/// What a value in the text turned out to be.
enum Value {
    Text(Text),
    Compare(&'static str, Text),
    Pattern(String),
    Range {
        low: (Text, bool),
        high: (Text, bool),
    },
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn skip_spaces(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.bump();
        }
    }

    fn fail<T>(&self, message: impl Into<String>) -> Result<T, QueryError> {
        Err(self.error(self.at, message, None))
    }

    fn error(
        &self,
        position: usize,
        message: impl Into<String>,
        suggestion: Option<String>,
    ) -> QueryError {
        let before = self.text.get(..position).unwrap_or(self.text);
        QueryError {
            message: message.into(),
            position,
            column: before.chars().count() + 1,
            suggestion,
        }
    }

    /// Takes an operator word when it stands alone.
    fn operator(&mut self, names: &[&str]) -> bool {
        self.skip_spaces();
        for name in names {
            let Some(behind) = self.rest().strip_prefix(name) else {
                continue;
            };
            let is_symbol = !name.starts_with(char::is_alphabetic);
            let is_alone = behind
                .chars()
                .next()
                .is_none_or(|c| c.is_whitespace() || c == '(' || c == ')');
            if is_symbol || is_alone {
                self.at += name.len();
                return true;
            }
        }
        false
    }

    fn any(&mut self, field: Option<&str>) -> Result<Node, QueryError> {
        let mut nodes = vec![self.all(field)?];
        while self.operator(&["OR", "||"]) {
            nodes.push(self.all(field)?);
        }
        Ok(one_or(nodes, Node::Or))
    }

    fn all(&mut self, field: Option<&str>) -> Result<Node, QueryError> {
        let mut nodes = vec![self.unary(field)?];
        loop {
            let has_and = self.operator(&["AND", "&&"]);
            self.skip_spaces();
            let is_end = self.rest().is_empty() || self.rest().starts_with(')');
            let start = self.at;
            let is_or = self.operator(&["OR", "||"]);
            self.at = start;
            if !has_and && (is_end || is_or) {
                return Ok(one_or(nodes, Node::And));
            }
            nodes.push(self.unary(field)?);
        }
    }

    fn unary(&mut self, field: Option<&str>) -> Result<Node, QueryError> {
        self.depth += 1;
        if self.depth > self.limits.depth_max {
            return self.fail(format!(
                "query is nested deeper than {} levels",
                self.limits.depth_max
            ));
        }
        let node = self.unary_inner(field)?;
        self.depth -= 1;
        Ok(node)
    }

    fn unary_inner(&mut self, field: Option<&str>) -> Result<Node, QueryError> {
        self.skip_spaces();
        let start = self.at;
        if self.operator(&["AND", "OR", "&&", "||"]) {
            let message = "operator stands where a condition is expected";
            return Err(self.error(start, message, None));
        }
        if self.operator(&["NOT", "!"]) {
            return Ok(Node::Not(Box::new(self.unary(field)?)));
        }
        self.skip_spaces();
        match self.peek() {
            None => self.fail("condition expected, found the end of the query"),
            Some(')') => self.fail("condition expected, found a closing parenthesis"),
            Some('-') => {
                self.bump();
                Ok(Node::Not(Box::new(self.unary(field)?)))
            }
            Some('+') => {
                self.bump();
                self.unary(field)
            }
            Some('(') => self.group(field),
            Some(_) => self.clause(field),
        }
    }

    fn group(&mut self, field: Option<&str>) -> Result<Node, QueryError> {
        let start = self.at;
        self.bump();
        let node = self.any(field)?;
        self.skip_spaces();
        if self.bump() != Some(')') {
            let message = "parenthesis is not closed";
            return Err(self.error(start, message, Some(format!("{})", self.text))));
        }
        Ok(node)
    }

    fn clause(&mut self, field: Option<&str>) -> Result<Node, QueryError> {
        self.clauses += 1;
        if self.clauses > self.limits.clauses_max {
            return self.fail(format!(
                "query has more than {} conditions",
                self.limits.clauses_max
            ));
        }
        if field.is_none()
            && let Some(name) = self.name()
        {
            self.at += name.len() + 1;
            self.skip_spaces();
            return match self.peek() {
                Some('(') => self.group(Some(name)),
                None | Some(')') => {
                    let message = format!("value missing behind {name}:");
                    Err(self.error(self.at, message, Some(format!("{name}:*"))))
                }
                Some(_) => self.value(Some(name)),
            };
        }
        self.value(field)
    }

    /// A name with a colon behind it.
    fn name(&self) -> Option<&'t str> {
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_alphanumeric() || "@._-/".contains(c)))?;
        let (name, behind) = rest.split_at_checked(end)?;
        let is_name = name.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '@');
        // `http://…` is text.
        let is_link = behind.starts_with("://");
        (is_name && behind.starts_with(':') && !is_link).then_some(name)
    }

    fn value(&mut self, field: Option<&str>) -> Result<Node, QueryError> {
        let start = self.at;
        let value = self.read_value(field.is_some())?;
        let target = field.map(resolve);
        let made = match value {
            Value::Text(text) => condition(target, &text, self.now),
            Value::Compare(operator, text) => {
                super::value::compare(target, operator, &text, self.now)
            }
            Value::Pattern(text) => super::value::pattern(target, &text),
            Value::Range { low, high } => super::value::range(target, &low, &high, self.now),
        };
        made.map_err(|Bad { message, example }| {
            let suggestion = example.map(|example| match field {
                Some(field) => format!("{field}:{example}"),
                None => example,
            });
            let message = match field {
                Some(field) => format!("{field} {message}"),
                None => message.to_owned(),
            };
            self.error(start, message, suggestion)
        })
    }

    fn read_value(&mut self, has_field: bool) -> Result<Value, QueryError> {
        if has_field && let Some(pattern) = self.pattern()? {
            return Ok(Value::Pattern(pattern));
        }
        match self.peek() {
            Some('"') => Ok(Value::Text(self.quoted()?)),
            Some('[' | '{') if has_field => self.range(),
            Some('>' | '<') if has_field => {
                let operator = if self.rest().starts_with(">=") {
                    ">="
                } else if self.rest().starts_with("<=") {
                    "<="
                } else if self.rest().starts_with('>') {
                    ">"
                } else {
                    "<"
                };
                self.at += operator.len();
                self.skip_spaces();
                let text = if self.peek() == Some('"') {
                    self.quoted()?
                } else {
                    self.word("")
                };
                if text.chars.is_empty() {
                    return self.fail(format!("value missing behind {operator}"));
                }
                Ok(Value::Compare(operator, text))
            }
            _ => Ok(Value::Text(self.word(""))),
        }
    }

    /// `~pattern`, `~"pattern"`, `/pattern/`.
    fn pattern(&mut self) -> Result<Option<String>, QueryError> {
        if let Some((length, pattern)) = between_slashes(self.rest()) {
            self.at += length;
            return Ok(Some(pattern));
        }
        if self.peek() != Some('~') {
            return Ok(None);
        }
        self.bump();
        if self.peek() == Some('"') {
            let start = self.at;
            self.quoted()?;
            // As written: backslashes are the pattern's, but for those before a quote.
            let written = self.text.get(start + 1..self.at - 1).unwrap_or_default();
            return Ok(Some(written.replace("\\\"", "\"")));
        }
        let length = bare_length(self.rest());
        let written = self.rest().get(..length).map(str::to_owned);
        self.at += length;
        Ok(written)
    }

    fn range(&mut self) -> Result<Value, QueryError> {
        let start = self.at;
        let low_included = self.bump() == Some('[');
        let low = self.bound()?;
        if !self.operator(&["TO"]) {
            let message = "range needs TO between its ends";
            return Err(self.error(self.at, message, Some("[a TO b]".to_owned())));
        }
        let high = self.bound()?;
        self.skip_spaces();
        let high_included = match self.bump() {
            Some(']') => true,
            Some('}') => false,
            _ => return Err(self.error(start, "range is not closed with ] or }", None)),
        };
        Ok(Value::Range {
            low: (low, low_included),
            high: (high, high_included),
        })
    }

    fn bound(&mut self) -> Result<Text, QueryError> {
        self.skip_spaces();
        if self.peek() == Some('"') {
            return self.quoted();
        }
        let text = self.word("]}");
        if text.chars.is_empty() {
            return self.fail("range end expected");
        }
        Ok(text)
    }

    fn quoted(&mut self) -> Result<Text, QueryError> {
        let start = self.at;
        self.bump();
        let mut chars = Vec::new();
        loop {
            match self.bump() {
                Some('"') => {
                    return Ok(Text {
                        chars,
                        is_quoted: true,
                    });
                }
                Some('\\') => chars.extend(self.bump().map(|c| (c, true))),
                Some(c) => chars.push((c, true)),
                None => {
                    let message = "quote is not closed";
                    let suggestion = Some(format!("{}\"", self.text));
                    return Err(self.error(start, message, suggestion));
                }
            }
        }
    }

    /// Characters up to a space, a parenthesis or one of `ends`.
    fn word(&mut self, ends: &str) -> Text {
        let mut chars = Vec::new();
        while let Some(c) = self.peek() {
            if c.is_whitespace() || c == '(' || c == ')' || ends.contains(c) {
                break;
            }
            self.bump();
            match c {
                '\\' => chars.extend(self.bump().map(|c| (c, true))),
                c => chars.push((c, false)),
            }
        }
        Text {
            chars,
            is_quoted: false,
        }
    }
}

fn one_or(mut nodes: Vec<Node>, many: fn(Vec<Node>) -> Node) -> Node {
    match nodes.pop() {
        Some(only) if nodes.is_empty() => only,
        Some(last) => {
            nodes.push(last);
            many(nodes)
        }
        None => Node::All,
    }
}
