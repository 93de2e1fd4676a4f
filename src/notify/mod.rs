//! Makes alerts heard: takes due deliveries from the outbox and sends them, signed, to their endpoints.
//!
//! At least once and in no promised order: a receiver sees the same `webhook-id` again where we died between its
//! answer and our note of it, and drops it then. What an attempt leads to is decided by `retry.rs`, a pure
//! function; the store keeps the result; `worker.rs` is the loop between the two.

mod address;
mod egress;
mod retry;
mod sign;
#[cfg(test)]
mod tests;
mod webhook;
mod worker;

use serde::Deserialize;

use crate::model::Cidr;

pub use address::may_reach;
pub use egress::{Answer, ApiAnswer, ApiClient, Egress, Failure, Post};
pub use retry::{Decision, Outcome, decide, retry_after};
pub use sign::{Refused, TOLERANCE_S, sign, timestamp, verify};
pub use worker::{Mask, Notifier, Parts, Ping};

/// Settings of delivery.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Requests under way at the same time.
    pub concurrency_max: usize,
    /// Of these, to one endpoint.
    pub concurrency_per_endpoint_max: usize,
    /// Time for one request and its answer.
    pub timeout_ms: u64,
    /// Bytes read of an answer.
    pub response_bytes_max: usize,
    /// Bytes of an answer kept in the delivery log, after redaction.
    pub response_log_bytes_max: usize,
    /// Longest time between two looks at the outbox.
    pub poll_interval_ms: u64,
    /// Time between two rounds of forgetting what is old.
    pub prune_interval_s: u64,
    /// Private networks that may be sent to, such as `10.1.0.0/16`. Anything that is not public is refused
    /// otherwise.
    pub allow_private_cidrs: Vec<Cidr>,
    /// Whether plain `http://` may be sent to.
    pub allow_insecure: bool,
    /// Ports that may be sent to; empty means any.
    pub ports: Vec<u16>,
    /// Certificates of further authorities to trust, as PEM text.
    pub ca_pem: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            concurrency_max: 16,
            concurrency_per_endpoint_max: 2,
            timeout_ms: 20_000,
            response_bytes_max: 16 << 10,
            response_log_bytes_max: 1 << 10,
            poll_interval_ms: 1_000,
            prune_interval_s: 3_600,
            allow_private_cidrs: Vec::new(),
            allow_insecure: false,
            ports: Vec::new(),
            ca_pem: None,
        }
    }
}
