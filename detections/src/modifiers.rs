//! `field|modifier|modifier: values` to predicates.

use std::collections::BTreeMap;

use regex::RegexBuilder;

use crate::condition::Expr;
use crate::dates::Part;
use crate::encode::{base64, base64_offsets, expand, utf16};
use crate::pattern::{DASHES, Glob, TextSet, number};
use crate::predicate::{Network, Order, Predicate, Test, Where};
use crate::yaml::{Data, Fault, Node, fault};

/// Values for the placeholders of `expand`, by name.
pub type Placeholders = BTreeMap<String, Vec<String>>;

/// Texts one value may become at most (`windash` before `base64`, `expand`).
pub(crate) const VARIANTS_MAX: usize = 4_096;
/// Values of one field at most.
const VALUES_MAX: usize = 20_000;
/// Length of an expression at most.
const REGEX_LENGTH_MAX: usize = 4_096;
/// Size of a compiled expression at most.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// What is done to values, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Contains,
    StartsWith,
    EndsWith,
    Windash,
    Base64,
    Base64Offset,
    Utf16Le,
    Utf16Be,
    Utf16,
    Expand,
}

/// What values are taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum Kind {
    #[default]
    Text,
    Regex,
    Cidr,
    Number(Order),
    Exists,
    Field,
    Date(Part, Order),
}

#[derive(Debug, Default)]
struct Chain {
    steps: Vec<Step>,
    kind: Kind,
    all: bool,
    cased: bool,
    neq: bool,
    ignore_case: bool,
    multi_line: bool,
    dot_all: bool,
}

/// Reads one item of a map, or a list of keywords (`key` without a field name).
pub(crate) fn item(
    key: &str,
    line: u32,
    value: &Node,
    placeholders: &Placeholders,
) -> Result<Expr<Predicate>, Fault> {
    let at = |message: String| Fault { line, message };
    let (name, mods) = key
        .split_once('|')
        .map_or((key, None), |(n, m)| (n, Some(m)));
    let chain = chain(mods).map_err(at)?;
    let field = (!name.is_empty()).then(|| name.to_owned());
    let values = value.items();
    if values.len() > VALUES_MAX {
        return fault(line, format!("more than {VALUES_MAX} values"));
    }
    if chain.all && values.len() < 2 {
        return fault(line, "`all` needs a list of at least two values");
    }
    let is_list = matches!(value.data, Data::List(_));
    for node in values {
        match node.data {
            Data::List(_) | Data::Map(_) => {
                return fault(node.line, format!("a value cannot be {}", node.kind()));
            }
            Data::Null if is_list => {
                return fault(
                    node.line,
                    "null cannot stand in a list: write a selection for it",
                );
            }
            _ => {}
        }
    }
    let make = |part: &[Node]| -> Result<Expr<Predicate>, Fault> {
        let test = test(&chain, field.is_none(), part, placeholders)?;
        let texts: Vec<_> = part.iter().map(|n| format!("{:?}", n.data)).collect();
        let mods = mods.map(|m| format!("|{m}")).unwrap_or_default();
        let text = format!("{name}{mods}: {}", texts.join(", "));
        let field = field.clone();
        Ok(Expr::Is(Predicate { field, test, text }))
    };
    let expr = if chain.all {
        Expr::And(values.chunks(1).map(make).collect::<Result<_, _>>()?)
    } else if values.is_empty() {
        return fault(line, "the list of values is empty");
    } else {
        make(values)?
    };
    Ok(if chain.neq {
        Expr::Not(Box::new(expr))
    } else {
        expr
    })
}

fn chain(mods: Option<&str>) -> Result<Chain, String> {
    let mut chain = Chain::default();
    for name in mods.into_iter().flat_map(|m| m.split('|')) {
        let step = match name {
            "contains" => Some(Step::Contains),
            "startswith" => Some(Step::StartsWith),
            "endswith" => Some(Step::EndsWith),
            "windash" => Some(Step::Windash),
            "base64" => Some(Step::Base64),
            "base64offset" => Some(Step::Base64Offset),
            "utf16le" | "wide" => Some(Step::Utf16Le),
            "utf16be" => Some(Step::Utf16Be),
            "utf16" => Some(Step::Utf16),
            "expand" => Some(Step::Expand),
            _ => None,
        };
        match step {
            Some(step) => chain.steps.push(step),
            None => flag(&mut chain, name)?,
        }
    }
    check(&chain)?;
    Ok(chain)
}

fn flag(chain: &mut Chain, name: &str) -> Result<(), String> {
    let regex = chain.kind == Kind::Regex;
    let order = match name {
        "lt" => Some(Order::Less),
        "lte" => Some(Order::LessOrEqual),
        "gt" => Some(Order::Greater),
        "gte" => Some(Order::GreaterOrEqual),
        _ => None,
    };
    let kind = match name {
        "all" => return set(&mut chain.all),
        "cased" => return set(&mut chain.cased),
        "neq" => return set(&mut chain.neq),
        "i" | "ignorecase" if regex => return set(&mut chain.ignore_case),
        "m" | "multiline" if regex => return set(&mut chain.multi_line),
        "s" | "dotall" if regex => return set(&mut chain.dot_all),
        "i" | "m" | "s" => return Err(format!("modifier `{name}` belongs behind `re`")),
        "re" => Kind::Regex,
        "cidr" => Kind::Cidr,
        "exists" => Kind::Exists,
        "fieldref" => Kind::Field,
        _ => match (order, Part::from_name(name), chain.kind) {
            (Some(order), _, Kind::Date(part, Order::Equal)) => {
                chain.kind = Kind::Date(part, order);
                return Ok(());
            }
            (Some(order), ..) => Kind::Number(order),
            (None, Some(part), _) => Kind::Date(part, Order::Equal),
            (None, None, _) => return Err(format!("modifier `{name}` is not known")),
        },
    };
    if chain.kind != Kind::Text {
        return Err(format!(
            "modifier `{name}` cannot be combined with the one before it"
        ));
    }
    chain.kind = kind;
    Ok(())
}

fn set(flag: &mut bool) -> Result<(), String> {
    if *flag {
        return Err("the same modifier stands twice".into());
    }
    *flag = true;
    Ok(())
}

fn check(chain: &Chain) -> Result<(), String> {
    let place = |s: &Step| matches!(s, Step::Contains | Step::StartsWith | Step::EndsWith);
    let allowed = match chain.kind {
        Kind::Text => true,
        Kind::Field => chain.steps.len() <= 1 && chain.steps.iter().all(place),
        // Where an expression is searched for anyway, `contains` says nothing new.
        Kind::Regex => chain.steps.iter().all(|s| matches!(s, Step::Expand)),
        Kind::Cidr => chain.steps.iter().all(|s| matches!(s, Step::Expand)),
        _ => chain.steps.is_empty(),
    };
    if allowed {
        Ok(())
    } else {
        Err("these modifiers cannot be combined".into())
    }
}

fn test(
    chain: &Chain,
    keyword: bool,
    values: &[Node],
    placeholders: &Placeholders,
) -> Result<Test, Fault> {
    let line = values.first().map_or(0, |n| n.line);
    let at = |message: String| Fault { line, message };
    let first = values.first();
    if let Some(Node {
        data: Data::Null, ..
    }) = first
    {
        return match chain.kind {
            Kind::Text if chain.steps.is_empty() && !keyword => Ok(Test::Null),
            _ => fault(line, "null cannot be modified"),
        };
    }
    let numbers = || -> Result<f64, Fault> {
        let value = first.and_then(Node::text).and_then(number);
        match value {
            Some(value) if values.len() == 1 => Ok(value),
            _ => fault(line, "a comparison needs one number"),
        }
    };
    match chain.kind {
        Kind::Text => text_test(chain, keyword, values, placeholders),
        Kind::Regex => {
            let texts = plain_texts(chain, values, placeholders)?;
            let all = texts.iter().map(|text| regex(chain, text));
            Ok(Test::Regex(all.collect::<Result<_, _>>().map_err(at)?))
        }
        Kind::Cidr => {
            let texts = plain_texts(chain, values, placeholders)?;
            let parse = |t: &String| {
                Network::parse(t)
                    .ok_or_else(|| at(format!("`{t}` is not a network in CIDR notation")))
            };
            Ok(Test::Cidr(
                texts.iter().map(parse).collect::<Result<_, _>>()?,
            ))
        }
        Kind::Number(order) => Ok(Test::Number(order, numbers()?)),
        Kind::Date(part, order) => Ok(Test::Date(part, order, numbers()?)),
        Kind::Exists => match first.map(|n| &n.data) {
            Some(Data::Bool(there)) if values.len() == 1 => Ok(Test::Exists(*there)),
            _ => fault(line, "`exists` needs true or false"),
        },
        Kind::Field => {
            let how = match chain.steps.first() {
                Some(Step::StartsWith) => Where::Start,
                Some(Step::EndsWith) => Where::End,
                Some(Step::Contains) => Where::Inside,
                _ => Where::All,
            };
            match first.and_then(Node::text) {
                Some(other) if values.len() == 1 => Ok(Test::Field {
                    other: other.to_owned(),
                    how,
                    cased: chain.cased,
                }),
                _ => fault(line, "`fieldref` needs the name of one field"),
            }
        }
    }
}

fn plain_texts(
    chain: &Chain,
    values: &[Node],
    placeholders: &Placeholders,
) -> Result<Vec<String>, Fault> {
    let mut texts = Vec::new();
    for node in values {
        let text = node.text().unwrap_or_default();
        if chain.steps.contains(&Step::Expand) {
            texts.extend(expand(text, placeholders).map_err(|message| Fault {
                line: node.line,
                message,
            })?);
        } else {
            texts.push(text.to_owned());
        }
    }
    Ok(texts)
}

fn regex(chain: &Chain, text: &str) -> Result<regex::Regex, String> {
    if text.len() > REGEX_LENGTH_MAX {
        return Err(format!(
            "expression is longer than {REGEX_LENGTH_MAX} bytes"
        ));
    }
    if ["(?=", "(?!", "(?<=", "(?<!"]
        .iter()
        .any(|look| text.contains(look))
    {
        return Err("look-around is not part of Sigma's expressions".into());
    }
    RegexBuilder::new(text)
        .case_insensitive(chain.ignore_case)
        .multi_line(chain.multi_line)
        .dot_matches_new_line(chain.dot_all)
        .size_limit(REGEX_BYTES_MAX)
        .dfa_size_limit(REGEX_BYTES_MAX)
        .nest_limit(64)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => {
                format!("expression needs more than {REGEX_BYTES_MAX} bytes compiled")
            }
            other => format!(
                "not a regular expression: {}",
                last_line(&other.to_string())
            ),
        })
}

/// The last line of a syntax error is its reason; the lines above draw the place.
fn last_line(text: &str) -> String {
    let line = text.lines().last().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}

fn text_test(
    chain: &Chain,
    keyword: bool,
    values: &[Node],
    placeholders: &Placeholders,
) -> Result<Test, Fault> {
    let mut patterns = Vec::new();
    let mut numbers = Vec::new();
    for node in values {
        let at = |message: String| Fault {
            line: node.line,
            message,
        };
        let text = node.text().unwrap_or_default();
        let start = match &node.data {
            Data::Str(_) if chain.steps.contains(&Step::Expand) => expand(text, placeholders)
                .map_err(at)?
                .iter()
                .map(|t| Glob::parse(t))
                .collect(),
            Data::Str(_) => vec![Glob::parse(text)],
            _ => vec![Glob::literal(text)],
        };
        if let (Data::Num(_), true, Some(value)) =
            (&node.data, chain.steps.is_empty(), number(text))
        {
            numbers.push(value);
        }
        for glob in start {
            patterns.extend(transform(&chain.steps, glob).map_err(at)?);
        }
        if patterns.len() > VALUES_MAX {
            return fault(node.line, format!("more than {VALUES_MAX} patterns"));
        }
    }
    if keyword {
        numbers.clear();
        let open = |g: Glob| g.open_start().open_end();
        patterns = patterns.into_iter().map(open).collect();
    }
    if !chain.cased {
        patterns = patterns.into_iter().map(Glob::folded).collect();
    }
    Ok(Test::Text {
        set: TextSet::new(patterns, numbers),
        cased: chain.cased,
    })
}

fn transform(steps: &[Step], glob: Glob) -> Result<Vec<Glob>, String> {
    let mut globs = vec![glob];
    // Bytes between an UTF-16 step and the Base64 step that follows it.
    let mut bytes: Option<Vec<Vec<u8>>> = None;
    for step in steps {
        match step {
            Step::Expand => {}
            Step::Contains | Step::StartsWith | Step::EndsWith | Step::Windash => {
                if let Some(raw) = bytes.take() {
                    globs = as_text(raw)?;
                }
                globs = globs.into_iter().map(|g| place(*step, g)).collect();
            }
            Step::Utf16Le | Step::Utf16Be | Step::Utf16 => {
                let texts = spelled(&globs)?;
                bytes = Some(
                    texts
                        .iter()
                        .map(|t| utf16(t, *step == Step::Utf16Be, *step == Step::Utf16))
                        .collect(),
                );
            }
            Step::Base64 | Step::Base64Offset => {
                let raw = match bytes.take() {
                    Some(raw) => raw,
                    None => spelled(&globs)?
                        .into_iter()
                        .map(String::into_bytes)
                        .collect(),
                };
                let encode = |raw: Vec<u8>| match step {
                    Step::Base64 => vec![base64(&raw)],
                    _ => base64_offsets(&raw),
                };
                let texts = raw.into_iter().flat_map(encode);
                globs = texts.map(|text| Glob::literal(&text)).collect();
            }
        }
    }
    match bytes {
        Some(raw) => as_text(raw),
        None => Ok(globs),
    }
}

fn place(step: Step, glob: Glob) -> Glob {
    match step {
        Step::Contains => glob.open_start().open_end(),
        Step::StartsWith => glob.open_end(),
        Step::EndsWith => glob.open_start(),
        _ => glob.any_dash(),
    }
}

fn spelled(globs: &[Glob]) -> Result<Vec<String>, String> {
    let mut texts = Vec::new();
    for glob in globs {
        let some = glob.spelled_out(VARIANTS_MAX).ok_or_else(|| {
            let dashes: String = DASHES.iter().collect();
            format!("cannot be encoded: it has wildcards, or too many of `{dashes}`")
        })?;
        texts.extend(some);
    }
    Ok(texts)
}

fn as_text(raw: Vec<Vec<u8>>) -> Result<Vec<Glob>, String> {
    let text = |bytes| String::from_utf8(bytes).map(|t| Glob::literal(&t));
    raw.into_iter()
        .map(text)
        .collect::<Result<_, _>>()
        .map_err(|_| {
            "UTF-16 of this value is no text: `base64` or `base64offset` must follow".into()
        })
}
