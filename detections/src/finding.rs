//! What a rule says when it fires.

/// When an event happened and where it stands in the log. All times in milliseconds since 1970, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// When it happened by its source's clock.
    pub time_ms: i64,
    /// When it was received: the only clock the engine trusts.
    pub received_ms: i64,
    /// Position in the log; evidence is named by it.
    pub offset: u64,
    /// A hash of the id the client gave the event, so that a redelivered event is not counted twice; 0
    /// where there is none.
    pub id: u64,
}

impl Moment {
    /// The value of [`Moment::id`] for the id a client gave an event. Never 0, and the same in every build.
    #[must_use]
    pub fn id_of(text: &str) -> u64 {
        crate::sip::hash([0x6964, 0], text.as_bytes()).max(1)
    }
}

/// How bad a finding is: Sigma's five levels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// `informational`
    Info,
    /// `low`
    Low,
    /// `medium`; also where a rule names none.
    #[default]
    Medium,
    /// `high`
    High,
    /// `critical`
    Critical,
}

impl Level {
    /// The Sigma name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// What kind of rule fired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One event fits the detection.
    Match,
    /// So many events in the window.
    EventCount,
    /// So many distinct values in the window.
    ValueCount,
    /// A value not seen before for this group.
    NewValue,
}

impl Kind {
    /// The name in rules and answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::EventCount => "event_count",
            Self::ValueCount => "value_count",
            Self::NewValue => "new_value",
        }
    }
}

/// A rule fired for one group of events.
///
/// A rule fires when its condition is first met for a group, then again only when its suppression
/// period has passed, or when the value has doubled since it last fired.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Position of the rule in [`crate::RuleSet::rules`].
    pub rule: usize,
    /// The rule's id: its UUID, or its name where it has none.
    pub rule_id: String,
    /// The rule's title.
    pub title: String,
    /// How bad.
    pub level: Level,
    /// The rule's tags.
    pub tags: Vec<String>,
    /// What kind of rule.
    pub kind: Kind,
    /// What the events have in common: field and value, in the order of `group-by`.
    pub group: Vec<(String, String)>,
    /// The field whose values were counted or whose value is new, with the newest value.
    pub subject: Option<(String, String)>,
    /// What was measured: events, distinct values, or known values before the new one.
    pub value: u64,
    /// What it was measured against.
    pub threshold: u64,
    /// Length of the window in milliseconds; 0 where the rule has none.
    pub timespan_ms: u64,
    /// Event time of the oldest event of the evidence still held.
    pub first_ms: i64,
    /// Event time of the newest event of the evidence.
    pub last_ms: i64,
    /// Positions of the newest events of the evidence, at most 20, ascending.
    pub events: Vec<u64>,
    /// The value was estimated (HyperLogLog, about 3 %) rather than counted.
    pub approximate: bool,
}
