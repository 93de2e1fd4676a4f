//! The doors: bytes of any sender become Payloads.

pub mod file;
