//! The doors: bytes of any sender become Payloads. A door answers for what it takes: it bounds what it
//! holds, says no before it says yes, and says yes only once the events are durable.

mod admission;
pub mod file;
mod guard;
pub mod http;

pub use admission::{Admission, Options};
