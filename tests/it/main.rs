//! The one integration binary. `tidy` reads the source; the others run the whole program.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    reason = "tests may fail loudly, drive real processes in real time, and read best in one piece"
)]

mod backup;
mod commands;
mod durability;
mod erase;
mod evidence;
mod flow;
mod formats;
mod harness;
mod hostile;
mod investigation;
mod leak;
mod redaction;
mod results;
mod routes;
mod source;
mod tidy;
