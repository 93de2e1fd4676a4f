//! Our own log: JSON lines on standard error, each redacted like an event before it is written.

use std::io::Write;
use std::sync::{Arc, OnceLock};

use anyhow::Context;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::Config;
use crate::redact::Redactor;

/// Where log lines go.
#[derive(Clone, Debug, Default)]
pub(super) struct Log(Arc<OnceLock<Arc<Redactor>>>);

/// Sets the process's log up, panics included: what they say may be a piece of an event. Until the redactor
/// is known, lines pass as they are: nothing has been read by then.
pub(super) fn start(config: &Config) -> anyhow::Result<Log> {
    let log = Log::default();
    let level: tracing_subscriber::filter::LevelFilter = config
        .log_level
        .parse()
        .context("log_level must be off, error, warn, info, debug or trace")?;
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_max_level(level)
        .with_target(true)
        .with_writer(log.clone())
        .finish();
    // A second server in one process (the tests') keeps the first one's log.
    let _second = tracing::subscriber::set_global_default(subscriber).is_err();
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let said = panic.payload_as_str().unwrap_or_default();
        tracing::error!(place, said, "panic");
    }));
    Ok(log)
}

impl Log {
    /// From now on every line passes this redactor.
    pub(super) fn redact_with(&self, redactor: Arc<Redactor>) {
        let _already_set = self.0.set(redactor).is_err();
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line {
            redactor: self.0.get(),
            text: Vec::new(),
        }
    }
}

/// One line in the making; written when it is whole.
pub(super) struct Line<'a> {
    redactor: Option<&'a Arc<Redactor>>,
    text: Vec<u8>,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        let text = String::from_utf8_lossy(&self.text);
        let clean = match self.redactor {
            Some(redactor) => redactor.redact_text(&text),
            None => text,
        };
        // Where standard error is closed there is nobody to tell.
        let _closed = std::io::stderr()
            .lock()
            .write_all(clean.as_bytes())
            .is_err();
    }
}
