//! `correlation:` to a [`Correlation`].

use crate::read::{text, texts};
use crate::rule::{Alias, Bounds, Correlation, Counted};
use crate::yaml::{Data, Fault, Node, fault};

/// Group fields at most.
const GROUP_FIELDS_MAX: usize = 8;
/// Rules of one correlation at most.
const RULES_MAX: usize = 256;

/// Reads `part`, the value of `correlation:` in `rule`.
pub(crate) fn read(rule: &Node, part: &Node) -> Result<Correlation, Fault> {
    for pair in part.pairs() {
        let known = [
            "type",
            "rules",
            "group-by",
            "timespan",
            "condition",
            "aliases",
            "generate",
        ];
        if !known.contains(&pair.key.as_str()) {
            return fault(
                pair.line,
                format!("`correlation` has no attribute `{}`", pair.key),
            );
        }
    }
    let Some(kind) = text(part, "type")? else {
        return fault(part.line, "`correlation.type` is missing");
    };
    let Some(condition) = part.get("condition") else {
        return fault(part.line, "`correlation.condition` is missing");
    };
    let kind = counted(&kind, part.line, condition)?;
    let rules: Vec<(u32, String)> = match part.get("rules") {
        None => Vec::new(),
        Some(list) => list
            .items()
            .iter()
            .filter_map(|item| item.text().map(|text| (item.line, text.to_owned())))
            .collect(),
    };
    if rules.is_empty() || rules.len() > RULES_MAX {
        return fault(
            part.line,
            format!("`correlation.rules` must name 1 to {RULES_MAX} rules"),
        );
    }
    let group_by = texts(part, "group-by")?;
    if group_by.len() > GROUP_FIELDS_MAX {
        return fault(
            part.line,
            format!("more than {GROUP_FIELDS_MAX} fields in `group-by`"),
        );
    }
    let timespan_ms = match part.get("timespan") {
        Some(node) => duration(node)?,
        None => return fault(part.line, "`correlation.timespan` is missing"),
    };
    let flag = part.get("generate").or(rule.get("generate"));
    Ok(Correlation {
        kind,
        rules,
        group_by,
        aliases: aliases(part)?,
        timespan_ms,
        bounds: bounds(condition)?,
        generate: flag.is_some_and(|node| node.data == Data::Bool(true)),
    })
}

fn counted(kind: &str, line: u32, condition: &Node) -> Result<Counted, Fault> {
    match kind {
        "event_count" => Ok(Counted::Events),
        "value_count" => Ok(Counted::Values(count_fields(condition)?)),
        "temporal" | "temporal_ordered" | "value_sum" | "value_avg" | "value_percentile"
        | "value_median" => fault(
            line,
            format!("correlation type `{kind}` is not supported yet"),
        ),
        other => fault(line, format!("correlation type `{other}` is not known")),
    }
}

fn count_fields(condition: &Node) -> Result<Vec<String>, Fault> {
    let fields = texts(condition, "field")?;
    if fields.is_empty() || fields.len() > GROUP_FIELDS_MAX {
        return fault(condition.line, "`value_count` needs `condition.field`");
    }
    Ok(fields)
}

fn aliases(part: &Node) -> Result<Vec<Alias>, Fault> {
    let mut found = Vec::new();
    for alias in part.get("aliases").map(Node::pairs).unwrap_or_default() {
        let mut fields = Vec::new();
        for pair in alias.value.pairs() {
            match pair.value.text() {
                Some(field) => fields.push((pair.key.clone(), field.to_owned())),
                None => return fault(pair.line, "an alias must name a field"),
            }
        }
        if fields.is_empty() {
            return fault(
                alias.line,
                "an alias must be a map from rule names to fields",
            );
        }
        found.push((alias.key.clone(), fields));
    }
    Ok(found)
}

fn bounds(condition: &Node) -> Result<Bounds, Fault> {
    let line = condition.line;
    let mut bounds = Bounds {
        low: 0,
        high: u64::MAX,
    };
    for pair in condition.pairs() {
        let number = || match pair.value.text().and_then(crate::pattern::number) {
            Some(number) if (0.0..=1e15).contains(&number) => Ok(number),
            _ => fault(pair.line, format!("`{}` needs a number from 0", pair.key)),
        };
        match pair.key.as_str() {
            "field" => {}
            "gte" => bounds.low = bounds.low.max(whole(number()?.ceil())),
            "gt" => bounds.low = bounds.low.max(whole(number()?.floor()) + 1),
            "lte" => bounds.high = bounds.high.min(whole(number()?.floor())),
            "lt" => bounds.high = bounds.high.min(whole(number()?.ceil()).saturating_sub(1)),
            "eq" | "neq" => {
                return fault(
                    pair.line,
                    format!(
                        "`{}` holds or fails only when the window closes: not supported yet",
                        pair.key
                    ),
                );
            }
            other => return fault(pair.line, format!("`condition` has no operator `{other}`")),
        }
    }
    if bounds.low == 0 {
        return fault(
            line,
            "the condition needs `gte` or `gt`: `lt` and `lte` alone hold or fail only when the window \
             closes, which is not supported yet",
        );
    }
    if bounds.high < bounds.low {
        return fault(line, "no count can be in this range");
    }
    Ok(bounds)
}

/// `number` checked to lie from 0 to 1e15.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range was checked where the number was read"
)]
fn whole(number: f64) -> u64 {
    number as u64
}

/// Length of a time span at most: ten years.
const SPAN_MAX_MS: u64 = 3_650 * 86_400_000;

/// `90m`: a number and one of s, m, h, d (Sigma) and w.
pub(crate) fn duration(node: &Node) -> Result<u64, Fault> {
    let text = node.text().unwrap_or_default();
    let unit = text.chars().last().unwrap_or('?');
    let millis = match unit {
        's' => 1_000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        'w' => 7 * 86_400_000,
        _ => 0,
    };
    let number = text.strip_suffix(unit).and_then(|n| n.parse::<u64>().ok());
    match number.and_then(|n| n.checked_mul(millis)) {
        Some(ms) if millis > 0 && ms <= SPAN_MAX_MS => Ok(ms),
        _ => fault(
            node.line,
            format!("`{text}` is not a time span: write a number and s, m, h, d or w"),
        ),
    }
}
