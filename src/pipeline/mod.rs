//! Payload in, clean events into the log: parse, normalize, enrich, redact, append.
