//! A rule as it was read: one YAML document.

use crate::condition::Expr;
use crate::finding::Level;
use crate::predicate::Predicate;

/// A rule file: where it stands, for messages, and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFile {
    /// Path shown in messages.
    pub path: std::borrow::Cow<'static, str>,
    /// YAML, one or several documents.
    pub text: std::borrow::Cow<'static, str>,
}

/// What is the same for every kind of rule.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meta {
    pub(crate) file: usize,
    pub(crate) line: u32,
    pub(crate) id: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) status: String,
    pub(crate) author: String,
    pub(crate) level: Option<Level>,
    pub(crate) tags: Vec<String>,
    pub(crate) falsepositives: Vec<String>,
    pub(crate) references: Vec<String>,
}

/// One document.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) meta: Meta,
    pub(crate) body: Body,
    pub(crate) ext: Extension,
}

/// The two kinds of rules.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// About one event.
    Detection(Detection),
    /// About several.
    Correlation(Correlation),
}

/// A condition on one event.
#[derive(Clone, Debug)]
pub(crate) struct Detection {
    pub(crate) logsource: Logsource,
    pub(crate) expr: Expr<Predicate>,
}

/// The log a rule is meant for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Logsource {
    pub(crate) category: Option<String>,
    pub(crate) product: Option<String>,
    pub(crate) service: Option<String>,
}

/// A condition on several events in a window.
#[derive(Clone, Debug)]
pub(crate) struct Correlation {
    pub(crate) kind: Counted,
    /// Names or ids of the rules whose events are counted, with their lines.
    pub(crate) rules: Vec<(u32, String)>,
    pub(crate) group_by: Vec<String>,
    pub(crate) aliases: Vec<Alias>,
    pub(crate) timespan_ms: u64,
    pub(crate) bounds: Bounds,
    /// Whether the rules also alert by themselves.
    pub(crate) generate: bool,
}

/// A name for a field that has another name in each rule: the alias, then rule and field.
pub(crate) type Alias = (String, Vec<(String, String)>);

/// What is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Counted {
    /// Events.
    Events,
    /// Distinct values of a field, or of a tuple of fields.
    Values(Vec<String>),
}

/// The counts a correlation fires at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// At least so many.
    pub(crate) low: u64,
    /// At most so many.
    pub(crate) high: u64,
}

/// Fields of which the first one present is used.
pub(crate) type Alternatives = Vec<String>;

/// What stands under `wardline:`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extension {
    pub(crate) new_value: Option<NewValue>,
    pub(crate) group_by: Option<Vec<Alternatives>>,
    /// Events without a group field are one group (true) or left out.
    pub(crate) missing_one: Option<bool>,
    pub(crate) suppress_ms: Option<u64>,
    pub(crate) lateness_ms: Option<u64>,
    pub(crate) keys_max: Option<u64>,
    pub(crate) bytes_max: Option<u64>,
    pub(crate) exclude: Option<Expr<Predicate>>,
    pub(crate) tests: Vec<Trial>,
}

/// A value not seen before in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewValue {
    pub(crate) field: String,
    /// Nothing is reported for so long after the group's first event.
    pub(crate) learn_ms: u64,
    /// Nor before the group has had so many events.
    pub(crate) learn_events: u64,
    /// A value not seen for so long is new again.
    pub(crate) memory_ms: u64,
}

/// A test in a rule: a stream of events and what is expected of it.
#[derive(Clone, Debug)]
pub(crate) struct Trial {
    pub(crate) line: u32,
    pub(crate) name: String,
    pub(crate) blocks: Vec<Block>,
    /// Events arrive out of order by so much.
    pub(crate) shuffle_ms: u64,
    pub(crate) alerts: u64,
    pub(crate) first_at_event: Option<u64>,
}

/// Events of a test that are alike.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// Time of the first, from the stream's start; none: behind the event before it.
    pub(crate) at_ms: Option<u64>,
    pub(crate) every_ms: u64,
    pub(crate) repeat: u64,
    pub(crate) set: Vec<(String, Vec<Template>)>,
}

/// A value of a test event; texts may hold `{{i}}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Template {
    Text(String),
    Number(String),
    Bool(bool),
    Null,
}
