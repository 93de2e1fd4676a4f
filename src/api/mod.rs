//! What programs and the UI may ask, route by route.
//!
//! A route exists only through its [`RouteSpec`] (`routes.rs`); `gate.rs` applies it before the handler,
//! `shell.rs` wraps whatever comes out. One noun, one file: its specs, its types, its handlers.

pub mod auth;
mod error;
mod gate;
mod input;
pub mod key;
mod openapi;
pub mod rate;
pub mod routes;
pub mod serve;
mod shell;
#[cfg(test)]
mod tests;
pub mod tls;
mod token;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use bytes::Bytes;
use serde::Deserialize;

pub use error::{Error, Fault, Problem};
pub use gate::Peer;
pub use shell::RequestId;

use crate::clock::Clock;
use crate::detect::RulesHandle;
use crate::index::Searcher;
use crate::metrics::Metrics;
use crate::store::Store;
use crate::tasks::Tasks;
use crate::wal::Wal;
use rate::Limiter;
use routes::{RouteSpec, Routes};

/// Settings of the API.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Requests per minute.
    pub rates: rate::Limits,
    /// How long a browser session lasts, in hours.
    pub session_hours: u32,
    /// How long a key is valid where its maker does not say, in days.
    pub key_days: u32,
    /// How long a key may be valid at most, in days.
    pub key_days_max: u32,
    /// Events of one request story at most.
    pub story_events_max: usize,
    /// Searches at work at once; more wait their turn.
    pub searches_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rates: rate::Limits::default(),
            session_hours: 12,
            key_days: 90,
            key_days_max: 365,
            story_events_max: 1_000,
            searches_max: 16,
        }
    }
}
