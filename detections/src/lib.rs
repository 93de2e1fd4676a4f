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

mod finding;
mod lookup;

pub use finding::{Finding, Kind, Level, Moment};
pub use lookup::{FieldId, Lookup, ValueRef};
