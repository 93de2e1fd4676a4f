//! Reads the log, runs the rules, writes alerts.
