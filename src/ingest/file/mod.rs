//! The door of followed files: reads what is appended to log files, line by line, through rotation
//! and restarts.
//!
//! A file is known by its device, inode and first bytes, not by its name. How far it was read is
//! written to `<data>/files.json` only after the log has acknowledged the events, so a crash loses
//! nothing; it may repeat what was acknowledged after the last write of that file, at most one
//! chunk per followed file. (Never repeating would need the position in the same write as the
//! events.)
//!
//! Rotation by renaming: the old file is read to its end before it is let go, also when it was
//! renamed while Wardline was down, as long as it stays in its folder. Rotation by copying and
//! truncating: reading begins anew when the file is shorter than what was read or begins with other
//! bytes; what is written between the last look and the truncation is lost by that way of rotating,
//! whoever reads. The last line waits for its newline. A line over the bound is cut there and
//! flagged by the parser, which sees one byte too many; its rest is left out.
//!
//! A pattern should not match the rotated copies (`*.log`, not `*.log*`): a copy is a new file, and
//! read as one.

mod glob;
mod positions;
mod tail;
mod worker;

#[cfg(test)]
mod crash;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, de::Error as _};
use wardline_parsers::Format;

use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::pipeline::{Ack, Payload, Refused};
use crate::tasks::Tasks;

/// Settings of the door.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// What to follow.
    pub follow: Vec<Followed>,
    /// Between two looks at the files.
    pub poll_interval_ms: u64,
    /// Bytes read from a file and sent on at once.
    pub chunk_bytes_max: usize,
    /// A longer line is cut. Not below the parser's bound of a record, or cut lines are not
    /// flagged.
    pub line_bytes_max: usize,
    /// Files followed at a time, and positions remembered.
    pub files_max: usize,
    /// A renamed or deleted file is let go after so long without anything new.
    pub rotated_wait_ms: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            follow: Vec::new(),
            poll_interval_ms: 250,
            chunk_bytes_max: 1 << 20,
            line_bytes_max: 1 << 20,
            files_max: 1000,
            rotated_wait_ms: 5000,
        }
    }
}

/// Files to follow, and what they hold.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Followed {
    /// A path; `*` and `?` match within one name, as in `/var/log/nginx/*.log`.
    pub path: String,
    /// The format of the lines, by its name in `?format=`.
    #[serde(default, deserialize_with = "format")]
    pub format: Format,
    /// The source the events are said to be from; the file's name where none is given.
    #[serde(default)]
    pub source: Option<String>,
}

fn format<'de, D: Deserializer<'de>>(from: D) -> Result<Format, D::Error> {
    let name = String::deserialize(from)?;
    Format::from_name(&name).ok_or_else(|| D::Error::custom("not the name of a format"))
}

/// Where the door keeps its positions, what it counts, and its time.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    /// The data directory.
    pub data: &'a Path,
    /// Counters of the process.
    pub metrics: Arc<Metrics>,
    /// Time of receipt.
    pub clock: Clock,
}

/// Follows the files until shutdown; `submit` hands a payload to the pipeline. Must be called on a
/// runtime. Does nothing where nothing is to be followed.
pub fn start<S, F>(options: Options, place: &Place<'_>, submit: S, tasks: &Tasks) -> io::Result<()>
where
    S: Fn(Payload) -> F + Send + 'static,
    F: Future<Output = Result<Ack, Refused>>,
{
    if options.follow.is_empty() {
        return Ok(());
    }
    let runtime = tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
    let submit = move |payload| runtime.block_on(submit(payload));
    let worker = worker::Worker::new(options, place);
    tasks.thread("files", move |shutdown| worker.run(submit, &shutdown))
}
