//! Timestamps of all formats.

/// Nanoseconds since 1970 of a time as logs write it.
#[must_use]
pub fn time(text: &str) -> Option<i64> {
    chrono::DateTime::parse_from_rfc3339(text)
        .ok()?
        .timestamp_nanos_opt()
}
