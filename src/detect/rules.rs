//! The rules in use: loaded, listed, swapped.

use std::sync::{Arc, PoisonError, RwLock};

use serde::Serialize;
use utoipa::ToSchema;

use crate::model::Severity;

/// A rule as people see it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RuleInfo {
    /// Its UUID, or its name where it has none.
    pub id: String,
    /// Its title.
    pub title: String,
    /// What it looks for, in words.
    pub description: String,
    /// How bad a finding is.
    pub level: Severity,
    /// Sigma status: stable, test, experimental, …
    pub status: String,
    /// Sigma tags.
    pub tags: Vec<String>,
    /// `match`, `event_count`, `value_count` or `new_value`.
    pub kind: String,
    /// File it stands in.
    pub file: String,
    /// Line it begins at.
    pub line: u32,
    /// Whether events are shown to it: false where no log source of ours fits.
    pub active: bool,
    /// First 16 hex digits of the SHA-256 of its file's text.
    pub revision: String,
    /// Text of its file.
    pub text: String,
}

/// A rule that was refused.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RuleProblem {
    /// File it stands in.
    pub file: String,
    /// Line of the problem.
    pub line: u32,
    /// What is wrong, in words.
    pub message: String,
}

#[derive(Debug, Default)]
struct Listed {
    rules: Vec<RuleInfo>,
    problems: Vec<RuleProblem>,
}

/// The rules in use. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct RulesHandle(Arc<RwLock<Arc<Listed>>>);

impl RulesHandle {
    fn listed(&self) -> Arc<Listed> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The rules in use, ordered by file and line.
    #[must_use]
    pub fn list(&self) -> Vec<RuleInfo> {
        self.listed().rules.clone()
    }

    /// The rule with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<RuleInfo> {
        self.listed().rules.iter().find(|r| r.id == id).cloned()
    }

    /// The rules refused at the last load.
    #[must_use]
    pub fn errors(&self) -> Vec<RuleProblem> {
        self.listed().problems.clone()
    }
}
