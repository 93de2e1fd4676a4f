//! `wardline:` to an [`Extension`]: what Sigma has no words for. Other tools ignore the key.

use crate::correlation::duration;
use crate::modifiers::Placeholders;
use crate::read::{search, text};
use crate::rule::{Alternatives, Block, Body, Extension, NewValue, Template, Trial};
use crate::yaml::{Data, Fault, Node, fault};

/// Tests of one rule at most.
const TESTS_MAX: usize = 64;
/// Events of one test at most.
const TEST_EVENTS_MAX: u64 = 200_000;
/// Fields of which the first present is used, at most.
const ALTERNATIVES_MAX: usize = 8;
/// Groups one rule may remember at most, whatever it asks for.
const KEYS_MAX: u64 = 10_000_000;

/// Reads the value of `wardline:`.
pub(crate) fn read(
    part: &Node,
    body: &Body,
    placeholders: &Placeholders,
) -> Result<Extension, Fault> {
    if !matches!(part.data, Data::Map(_)) {
        return fault(part.line, "`wardline` must be a map");
    }
    let mut ext = Extension::default();
    for pair in part.pairs() {
        let value = &pair.value;
        match pair.key.as_str() {
            "new_value" => match body {
                Body::Detection(_) => ext.new_value = Some(new_value(value)?),
                Body::Correlation(_) => {
                    return fault(
                        pair.line,
                        "`new_value` belongs to a rule with a `detection`",
                    );
                }
            },
            "group-by" => ext.group_by = Some(group_by(value)?),
            "missing-group" => {
                ext.missing_one = Some(match value.text() {
                    Some("skip") => false,
                    Some("one") => true,
                    _ => return fault(value.line, "`missing-group` must be skip or one"),
                });
            }
            "suppress" => {
                only(value, &["for"])?;
                ext.suppress_ms = value.get("for").map(duration).transpose()?;
            }
            "lateness" => ext.lateness_ms = Some(duration(value)?),
            "budget" => {
                only(value, &["keys", "bytes"])?;
                ext.keys_max = value
                    .get("keys")
                    .map(count)
                    .transpose()?
                    .map(|n| n.min(KEYS_MAX));
                ext.bytes_max = value.get("bytes").map(count).transpose()?;
            }
            "exclude" => ext.exclude = Some(search(value, placeholders)?),
            "tests" => ext.tests = tests(value)?,
            other => return fault(pair.line, format!("`wardline` has no attribute `{other}`")),
        }
    }
    Ok(ext)
}

fn only(node: &Node, known: &[&str]) -> Result<(), Fault> {
    if !matches!(node.data, Data::Map(_)) {
        return fault(
            node.line,
            format!("expected a map with {}", known.join(", ")),
        );
    }
    match node
        .pairs()
        .iter()
        .find(|p| !known.contains(&p.key.as_str()))
    {
        Some(pair) => fault(
            pair.line,
            format!(
                "`{}` is not known here: expected {}",
                pair.key,
                known.join(", ")
            ),
        ),
        None => Ok(()),
    }
}

fn count(node: &Node) -> Result<u64, Fault> {
    match node.text().and_then(|t| t.parse().ok()) {
        Some(number) => Ok(number),
        None => fault(node.line, "expected a whole number"),
    }
}

fn new_value(node: &Node) -> Result<NewValue, Fault> {
    only(node, &["field", "learn", "learn-events", "memory"])?;
    let Some(field) = text(node, "field")? else {
        return fault(node.line, "`new_value.field` is missing");
    };
    const DAY: u64 = 86_400_000;
    let span = |key: &str, default| node.get(key).map_or(Ok(default), duration);
    Ok(NewValue {
        field,
        learn_ms: span("learn", 14 * DAY)?,
        learn_events: node.get("learn-events").map_or(Ok(0), count)?,
        memory_ms: span("memory", 90 * DAY)?,
    })
}

fn group_by(node: &Node) -> Result<Vec<Alternatives>, Fault> {
    let each = |item: &Node| -> Result<Alternatives, Fault> {
        let names: Option<Vec<String>> = item
            .items()
            .iter()
            .map(|n| n.text().map(str::to_owned))
            .collect();
        match names {
            Some(names) if !names.is_empty() && names.len() <= ALTERNATIVES_MAX => Ok(names),
            _ => fault(
                item.line,
                "each item of `group-by` is a field, or a list of fields of which the first present is used",
            ),
        }
    };
    node.items().iter().map(each).collect()
}

fn tests(node: &Node) -> Result<Vec<Trial>, Fault> {
    if node.items().len() > TESTS_MAX {
        return fault(node.line, format!("more than {TESTS_MAX} tests"));
    }
    node.items().iter().map(trial).collect()
}

fn trial(node: &Node) -> Result<Trial, Fault> {
    only(node, &["name", "events", "shuffle", "expect"])?;
    let Some(name) = text(node, "name")? else {
        return fault(node.line, "a test needs a `name`");
    };
    let Some(events) = node.get("events") else {
        return fault(node.line, "a test needs `events`");
    };
    let Some(expect) = node.get("expect") else {
        return fault(node.line, "a test needs `expect`");
    };
    only(expect, &["alerts", "first_at_event"])?;
    let Some(alerts) = expect.get("alerts") else {
        return fault(expect.line, "`expect` needs `alerts`");
    };
    let blocks: Vec<Block> = events.items().iter().map(block).collect::<Result<_, _>>()?;
    if blocks.iter().fold(0u64, |n, b| n.saturating_add(b.repeat)) > TEST_EVENTS_MAX {
        return fault(events.line, format!("more than {TEST_EVENTS_MAX} events"));
    }
    Ok(Trial {
        line: node.line,
        name,
        blocks,
        shuffle_ms: node.get("shuffle").map_or(Ok(0), duration)?,
        alerts: count(alerts)?,
        first_at_event: expect.get("first_at_event").map(count).transpose()?,
    })
}

/// `{at, every, repeat, set: {…}}`, or the fields of one event alone.
fn block(node: &Node) -> Result<Block, Fault> {
    if !matches!(node.data, Data::Map(_)) {
        return fault(node.line, "an event must be a map");
    }
    let Some(set) = node.get("set") else {
        return Ok(Block {
            at_ms: None,
            every_ms: 1_000,
            repeat: 1,
            set: fields(node)?,
        });
    };
    only(node, &["at", "every", "repeat", "set"])?;
    Ok(Block {
        at_ms: node.get("at").map(duration).transpose()?,
        every_ms: node.get("every").map_or(Ok(1_000), duration)?,
        repeat: node.get("repeat").map_or(Ok(1), count)?,
        set: fields(set)?,
    })
}

fn fields(node: &Node) -> Result<Vec<(String, Vec<Template>)>, Fault> {
    let mut found = Vec::new();
    for pair in node.pairs() {
        let mut values = Vec::new();
        for item in pair.value.items() {
            values.push(match &item.data {
                Data::Str(text) => Template::Text(text.clone()),
                Data::Num(text) => Template::Number(text.clone()),
                Data::Bool(value) => Template::Bool(*value),
                Data::Null => Template::Null,
                _ => return fault(item.line, "a value of an event must be a scalar"),
            });
        }
        found.push((pair.key.clone(), values));
    }
    Ok(found)
}
