//! A YAML document to a [`Document`]: metadata and detections.

use crate::condition::{self, Expr};
use crate::finding::Level;
use crate::modifiers::{self, Placeholders};
use crate::predicate::Predicate;
use crate::rule::{Body, Detection, Document, Logsource, Meta};
use crate::yaml::{Data, Fault, Node, fault};
use crate::{correlation, extension};

/// Predicates of one rule at most, each place in the condition counted.
const PREDICATES_MAX: usize = 20_000;
/// Length of a title at most (specification).
const TITLE_MAX: usize = 256;

/// Reads one document of file number `file`.
pub(crate) fn document(
    node: &Node,
    file: usize,
    placeholders: &Placeholders,
) -> Result<Document, Fault> {
    if !matches!(node.data, Data::Map(_)) {
        return fault(node.line, "a rule must be a map");
    }
    let meta = meta(node, file)?;
    let body = match (
        node.get("detection"),
        node.get("correlation"),
        node.get("filter"),
    ) {
        (Some(detection), None, None) => Body::Detection(Detection {
            logsource: logsource(node)?,
            expr: detections(detection, placeholders)?,
        }),
        (None, Some(part), None) => Body::Correlation(correlation::read(node, part)?),
        (None, None, Some(filter)) => {
            return fault(filter.line, "filter rules are not supported yet");
        }
        (None, None, None) => {
            return fault(node.line, "neither `detection` nor `correlation`");
        }
        _ => {
            return fault(
                node.line,
                "`detection`, `correlation` and `filter` exclude each other",
            );
        }
    };
    let ext = match node.get("wardline") {
        Some(part) => extension::read(part, &body, placeholders)?,
        None => Default::default(),
    };
    Ok(Document { meta, body, ext })
}

fn meta(node: &Node, file: usize) -> Result<Meta, Fault> {
    let title = text(node, "title")?.unwrap_or_default();
    if title.is_empty() {
        return fault(node.line, "`title` is missing");
    }
    if title.chars().count() > TITLE_MAX {
        return fault(
            node.line,
            format!("`title` is longer than {TITLE_MAX} characters"),
        );
    }
    let level = match node.get("level") {
        None => None,
        Some(level) => Some(self::level(level)?),
    };
    let meta = Meta {
        file,
        line: node.line,
        id: text(node, "id")?,
        name: text(node, "name")?,
        title,
        description: text(node, "description")?.unwrap_or_default(),
        status: text(node, "status")?.unwrap_or_default(),
        author: text(node, "author")?.unwrap_or_default(),
        level,
        tags: texts(node, "tags")?,
        falsepositives: texts(node, "falsepositives")?,
        references: texts(node, "references")?,
    };
    if meta.id.is_none() && meta.name.is_none() {
        // Without either, nothing could tell its alerts from those of another rule.
        return Ok(Meta {
            name: Some(meta.title.clone()),
            ..meta
        });
    }
    Ok(meta)
}

fn level(node: &Node) -> Result<Level, Fault> {
    Ok(match node.text().unwrap_or_default() {
        "informational" => Level::Info,
        "low" => Level::Low,
        "medium" => Level::Medium,
        "high" => Level::High,
        "critical" => Level::Critical,
        other => {
            return fault(
                node.line,
                format!("level `{other}`: expected informational, low, medium, high or critical"),
            );
        }
    })
}

/// The text under a key, where it is there.
pub(crate) fn text(node: &Node, key: &str) -> Result<Option<String>, Fault> {
    match node.get(key) {
        None => Ok(None),
        Some(value) => match (value.text(), &value.data) {
            (Some(text), _) => Ok(Some(text.to_owned())),
            (None, Data::Null) => Ok(None),
            _ => fault(
                value.line,
                format!("`{key}` must be a text, not {}", value.kind()),
            ),
        },
    }
}

/// The texts under a key: a list, or one alone.
pub(crate) fn texts(node: &Node, key: &str) -> Result<Vec<String>, Fault> {
    let Some(value) = node.get(key) else {
        return Ok(Vec::new());
    };
    if value.data == Data::Null {
        return Ok(Vec::new());
    }
    let each = |item: &Node| match item.text() {
        Some(text) => Ok(text.to_owned()),
        None => fault(
            item.line,
            format!("`{key}` must hold texts, not {}", item.kind()),
        ),
    };
    value.items().iter().map(each).collect()
}

fn logsource(node: &Node) -> Result<Logsource, Fault> {
    let Some(source) = node.get("logsource") else {
        return fault(node.line, "`logsource` is missing");
    };
    let source = Logsource {
        category: text(source, "category")?,
        product: text(source, "product")?,
        service: text(source, "service")?,
    };
    Ok(source)
}

/// The search identifiers and the condition, as one condition over predicates.
fn detections(node: &Node, placeholders: &Placeholders) -> Result<Expr<Predicate>, Fault> {
    let Some(condition) = node.get("condition") else {
        return fault(node.line, "`condition` is missing");
    };
    let mut names = Vec::new();
    let mut parts = Vec::new();
    for pair in node.pairs() {
        if pair.key == "condition" || pair.key == "timeframe" {
            continue;
        }
        names.push(pair.key.as_str());
        parts.push(search(&pair.value, placeholders)?);
    }
    let mut queries = Vec::new();
    for item in condition.items() {
        let Some(text) = item.text() else {
            return fault(item.line, "a condition must be a text");
        };
        let tree = condition::parse(text, &names).map_err(|message| Fault {
            line: item.line,
            message,
        })?;
        queries.push(inline(&tree, &parts).ok_or_else(|| Fault {
            line: item.line,
            message: format!("the condition names more than {PREDICATES_MAX} tests"),
        })?);
    }
    match queries.len() {
        0 => fault(condition.line, "`condition` is empty"),
        1 => Ok(queries.remove(0)),
        _ => Ok(Expr::Or(queries)),
    }
}

/// Puts the search identifiers into the condition; `None` where it grows too large.
fn inline(tree: &Expr<usize>, parts: &[Expr<Predicate>]) -> Option<Expr<Predicate>> {
    let mut total = 0usize;
    let mut count = |index: &usize| {
        total += parts.get(*index).map_or(0, Expr::size);
        true
    };
    // Every place is counted before anything is copied.
    let _truth = walk(tree, &mut count);
    if total > PREDICATES_MAX {
        return None;
    }
    Some(tree.map(&mut |index| match parts.get(*index) {
        Some(part) => part.clone(),
        None => Expr::Or(Vec::new()),
    }))
}

fn walk(tree: &Expr<usize>, visit: &mut impl FnMut(&usize) -> bool) -> bool {
    match tree {
        Expr::Is(index) => visit(index),
        Expr::Not(inner) => walk(inner, visit),
        Expr::And(items) | Expr::Or(items) | Expr::AtLeast(_, items) => {
            items.iter().fold(true, |_, item| walk(item, visit))
        }
    }
}

/// One search identifier: a map, a list of maps, or keywords. Also the form of `exclude`.
pub(crate) fn search(node: &Node, placeholders: &Placeholders) -> Result<Expr<Predicate>, Fault> {
    match &node.data {
        Data::Map(pairs) => {
            let each = |pair: &crate::yaml::Pair| {
                modifiers::item(&pair.key, pair.line, &pair.value, placeholders)
            };
            let mut items = pairs.iter().map(each).collect::<Result<Vec<_>, _>>()?;
            match items.len() {
                0 => fault(node.line, "the search identifier is empty"),
                1 => Ok(items.remove(0)),
                _ => Ok(Expr::And(items)),
            }
        }
        Data::List(items) if items.is_empty() => fault(node.line, "the search identifier is empty"),
        Data::List(items) => {
            let maps = items
                .iter()
                .filter(|i| matches!(i.data, Data::Map(_)))
                .count();
            if maps == 0 {
                return modifiers::item("", node.line, node, placeholders);
            }
            let each = |item: &Node| search(item, placeholders);
            Ok(Expr::Or(items.iter().map(each).collect::<Result<_, _>>()?))
        }
        Data::Null => fault(node.line, "the search identifier is empty"),
        _ => modifiers::item("", node.line, node, placeholders),
    }
}
