//! The alert: a state people see, and its legal transitions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Timestamp;

/// `alt_` and 26 characters.
pub type AlertId = String;
/// Name of the key or user an alert is assigned to.
pub type Assignee = String;

/// How bad.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Worth a look.
    Low,
    /// Look today.
    Medium,
    /// Look now.
    High,
    /// Act now.
    Critical,
}

/// Where an alert is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nobody has looked yet.
    Open,
    /// Somebody has it.
    Acknowledged,
    /// Finished with a verdict.
    Closed,
}

impl Status {
    /// Whether people may move an alert from here to `next`.
    #[must_use]
    pub fn may_become(self, next: Status) -> bool {
        matches!(
            (self, next),
            (Self::Open, Self::Acknowledged | Self::Closed)
                | (Self::Acknowledged, Self::Closed | Self::Open)
                | (Self::Closed, Self::Open)
        )
    }
}

/// The verdict an alert was closed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResolutionReason {
    /// An attack, dealt with.
    TruePositive,
    /// What the rule looks for, and allowed.
    Benign,
    /// Not what the rule looks for.
    FalsePositive,
    /// A test or maintenance.
    Testing,
    /// Any other.
    Other,
}

/// How an alert was closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Resolution {
    /// The verdict.
    pub reason: ResolutionReason,
    /// Why, in words.
    pub comment: String,
    /// Who.
    pub by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    #[serde(with = "super::rfc3339")]
    pub at: Timestamp,
}

/// A technique of MITRE ATT&CK or an entry of a list such as OWASP API Top 10.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct AttackTag(pub String);

/// The rule that raised an alert, as it was then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleRef {
    /// Its UUID.
    pub id: String,
    /// Its title.
    pub name: String,
    /// First 16 hex digits of the SHA-256 of its text.
    pub revision: String,
    /// Sigma tags.
    pub tags: Vec<String>,
}

/// Somebody or something an alert is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Entity {
    /// Canonical field the value stood in, `client.ip` for example.
    #[serde(rename = "type")]
    pub kind: String,
    /// The value.
    pub value: String,
}

/// One event of the evidence, redacted as all events are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SampleEvent {
    /// Event id.
    pub id: String,
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    #[serde(with = "super::rfc3339")]
    pub time: Timestamp,
    /// One line: method, path, status.
    pub summary: String,
}

/// A state people see: one rule and one group of a rule, with its evidence.
/// The shape webhooks carry and the API returns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Alert {
    /// `alt_…`.
    pub id: AlertId,
    /// Grows by one with each change; the `ETag`.
    pub version: u64,
    /// What raised it.
    pub rule: RuleRef,
    /// Rule id and group key: the identity for deduplication.
    pub dedup_key: String,
    /// The rule's title with the group.
    pub title: String,
    /// What happened, in one sentence.
    pub summary: String,
    /// How bad.
    pub severity: Severity,
    /// Where in its life.
    pub status: Status,
    /// The verdict, once closed.
    pub resolution: Option<Resolution>,
    /// Who has it.
    pub assignee: Option<Assignee>,
    /// Time of the first event of the evidence.
    #[schema(value_type = String, format = DateTime)]
    #[serde(with = "super::rfc3339")]
    pub first_seen: Timestamp,
    /// Time of the last event of the evidence.
    #[schema(value_type = String, format = DateTime)]
    #[serde(with = "super::rfc3339")]
    pub last_seen: Timestamp,
    /// When the alert was opened.
    #[schema(value_type = String, format = DateTime)]
    #[serde(with = "super::rfc3339")]
    pub opened_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    #[serde(with = "super::rfc3339")]
    pub updated_at: Timestamp,
    /// When it was acknowledged.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(with = "super::rfc3339_option", default)]
    pub acknowledged_at: Option<Timestamp>,
    /// How often the rule fired for this group.
    pub count: u64,
    /// What was measured against the threshold at the last firing.
    pub value: u64,
    /// The threshold.
    pub threshold: u64,
    /// Who and what it is about.
    pub entities: Vec<Entity>,
    /// At most 20 correlation ids of the evidence.
    pub correlation_ids: Vec<String>,
    /// At most 5 events of the evidence.
    pub sample_events: Vec<SampleEvent>,
    /// A search that shows the evidence.
    pub query: String,
    /// The alert it continues, where an earlier one was closed.
    pub previous_id: Option<AlertId>,
    /// Free labels.
    pub labels: BTreeMap<String, String>,
    /// Path of the alert's page on this server.
    pub url: String,
}
