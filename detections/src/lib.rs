//! Sigma rules to findings: pure, on event time.
//!
//! [`RuleSet::load`] reads rules (Sigma 2.1 and our own key `wardline:`), [`Engine::observe`] is given one
//! event after the other and says which rules fired. There is no clock and no I/O in here: findings are a
//! function of rules, events and event time, so that replay, back-testing and live use are the same code.
//!
//! ```text
//! yaml ─► read ─► condition ─► compile ─► RuleSet ─► Engine ─► Finding
//! (bounded) (AST)  (tree)      (slots, predicates,     │
//!                               candidate index)       └─ window, table: state per rule and group
//! ```

mod compile;
mod condition;
mod correlation;
mod dates;
mod encode;
mod engine;
mod extension;
mod finding;
mod index;
mod logsource;
mod lookup;
mod modifiers;
mod pattern;
mod predicate;
mod read;
mod record;
mod row;
mod rule;
mod set;
mod sip;
mod snapshot;
mod table;
mod trial;
mod window;
mod yaml;

#[cfg(test)]
mod tests;

pub use engine::{Engine, RuleStats, Stats};
pub use finding::{Finding, Kind, Level, Moment};
pub use lookup::{FieldId, Lookup, ValueRef};
pub use modifiers::Placeholders;
pub use record::{Bound, Record, Scalar};
pub use rule::RuleFile;
pub use set::{LoadOptions, RuleError, RuleInfo, RuleSet, Term};
pub use snapshot::SnapshotError;
pub use trial::TestReport;

const SHIPPED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/shipped.rs"));

/// The rules that come with Wardline: every file in `rules/<area>/`.
#[must_use]
pub fn shipped() -> Vec<RuleFile> {
    let file = |(path, text): &(&'static str, &'static str)| RuleFile {
        path: (*path).into(),
        text: (*text).into(),
    };
    SHIPPED.iter().map(file).collect()
}
