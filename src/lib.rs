//! Wardline: a security log pipeline and SIEM-lite for API logs. `src/README.md` is the map.
//! Modules stand in floor order; a module uses only those above it in this list and its own folder.

pub mod clock;
mod files;

pub mod metrics;
pub mod tasks;

pub mod model;

pub mod redact;

pub mod store;
pub mod wal;

pub mod backup;
pub mod detect;
pub mod evidence;
pub mod index;
pub mod notify;
pub mod pipeline;

pub mod api;
pub mod ingest;

pub mod app;
pub mod cli;
pub mod config;
