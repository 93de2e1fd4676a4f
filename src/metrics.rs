//! Every metric by name, in one struct, and its text for Prometheus.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    pub fn inc(&self) {
        self.add(1);
    }

    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// The number now.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// Sets it.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// The number now.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Upper bounds of the latency buckets, in microseconds.
const BUCKETS_US: [u64; 16] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 20_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 10_000_000,
];

/// Latencies in fixed buckets.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; 17],
    sum_us: AtomicU64,
}

impl Histogram {
    /// Counts one duration.
    pub fn observe(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let slot = BUCKETS_US.partition_point(|bound| *bound < us);
        if let Some(bucket) = self.buckets.get(slot) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    fn render(&self, name: &str, text: &mut String) {
        let mut total = 0;
        for (index, bucket) in self.buckets.iter().enumerate() {
            total += bucket.load(Ordering::Relaxed);
            match BUCKETS_US.get(index) {
                Some(bound) => {
                    let whole = bound / 1_000_000;
                    let micros = bound % 1_000_000;
                    push(
                        text,
                        format_args!("{name}_bucket{{le=\"{whole}.{micros:06}\"}} {total}\n"),
                    );
                }
                None => push(text, format_args!("{name}_bucket{{le=\"+Inf\"}} {total}\n")),
            }
        }
        let sum = self.sum_us.load(Ordering::Relaxed);
        push(
            text,
            format_args!(
                "{name}_sum {}.{:06}\n{name}_count {total}\n",
                sum / 1_000_000,
                sum % 1_000_000
            ),
        );
    }
}

/// Most sets of labels of one family; what comes then is counted under `other`.
pub const SETS_MAX: usize = 2_000;
/// Most of them of one source, so that one that makes up names does not take the room of all.
pub const SOURCE_SETS_MAX: usize = 200;
/// Longest label in bytes; longer ones are cut.
const LABEL_BYTES_MAX: usize = 120;
/// Stands for labels beyond the bounds.
pub const OTHER: &str = "other";
/// What the labels of a family are.
const LABELS: [&str; 4] = ["rule", "source", "field", "action"];

/// Numbers that only grow, one for each set of labels, in the order of [`LABELS`].
#[derive(Debug, Default)]
pub struct Family(RwLock<Sets>);

/// Labels and their numbers.
#[derive(Debug, Default)]
struct Sets {
    /// By the labels, joined by a character they do not hold.
    counts: HashMap<String, Counter>,
    /// How many sets each source has.
    by_source: HashMap<String, usize>,
}

/// Between labels.
const JOINT: char = '\u{1f}';

impl Family {
    /// Adds `n` under these labels; under `other` in place of the field, then of the source, then of all, where there are
    /// too many sets.
    pub fn add(&self, labels: [&str; 4], n: u64) {
        let labels = labels.map(clean_label);
        let [rule, source, field, action] = labels.each_ref().map(|label| &**label);
        if self.add_known(&[rule, source, field, action], n) {
            return;
        }
        let mut sets = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let is_full = sets.counts.len() >= SETS_MAX;
        let of_source = sets.by_source.get(source).copied().unwrap_or(0);
        let key = match (is_full, of_source < SOURCE_SETS_MAX) {
            (false, true) => [rule, source, field, action],
            // Rules and actions are few: these are at most so many again.
            (false, false) if of_source < 2 * SOURCE_SETS_MAX => [rule, source, OTHER, action],
            _ if sets.counts.len() < 2 * SETS_MAX => [rule, OTHER, OTHER, action],
            _ => [OTHER; 4],
        };
        let joined = key.join(&String::from(JOINT));
        if !sets.counts.contains_key(&joined) && key.get(1) == Some(&source) {
            *sets.by_source.entry(source.to_owned()).or_default() += 1;
        }
        sets.counts.entry(joined).or_default().add(n);
    }

    fn add_known(&self, labels: &[&str], n: u64) -> bool {
        let sets = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let known = sets.counts.get(&labels.join(&String::from(JOINT)));
        known.inspect(|count| count.add(n)).is_some()
    }

    /// Every set of labels with its number, the largest first.
    #[must_use]
    pub fn rows(&self) -> Vec<([String; 4], u64)> {
        let sets = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let rows = sets.counts.iter().map(|(labels, count)| {
            let mut parts = labels.split(JOINT).map(str::to_owned);
            let labels = std::array::from_fn(|_| parts.next().unwrap_or_default());
            (labels, count.get())
        });
        let mut rows: Vec<([String; 4], u64)> = rows.collect();
        rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        rows
    }

    fn render(&self, name: &str, text: &mut String) {
        for (labels, count) in self.rows() {
            let pairs = LABELS.iter().zip(&labels).map(|(label, value)| {
                let value = value.replace('\\', "\\\\").replace('"', "\\\"");
                format!("{label}=\"{value}\"")
            });
            let pairs = pairs.collect::<Vec<_>>().join(",");
            push(text, format_args!("{name}{{{pairs}}} {count}\n"));
        }
    }
}

/// A label without characters that act, and not too long.
fn clean_label(label: &str) -> Cow<'_, str> {
    let end = label.floor_char_boundary(LABEL_BYTES_MAX);
    let label = label.get(..end).unwrap_or_default();
    if label.contains(char::is_control) {
        Cow::Owned(label.replace(char::is_control, "_"))
    } else {
        Cow::Borrowed(label)
    }
}

fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ok = text.write_fmt(line).is_ok();
}

/// What the process itself has used, as Linux tells it; nothing where it does not.
fn process(text: &mut String) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.trim().parse().ok()
    };
    if let Some(ticks) = cpu_ticks() {
        // USER_HZ is 100 on every Linux that Rust runs on (man 5 proc).
        let (whole, part) = (ticks / 100, ticks % 100);
        push(
            text,
            format_args!(
                "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total {whole}.{part:02}\n"
            ),
        );
    }
    for (name, key) in [
        ("process_resident_memory_bytes", "VmRSS:"),
        ("process_peak_resident_memory_bytes", "VmHWM:"),
    ] {
        if let Some(kib) = kib(key) {
            push(
                text,
                format_args!("# TYPE {name} gauge\n{name} {}\n", kib * 1024),
            );
        }
    }
}

/// User and system time in clock ticks: fields 14 and 15 of `/proc/self/stat`, counted behind the name.
fn cpu_ticks() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

macro_rules! metrics {
    ($($field:ident: $kind:ident $name:literal $help:literal;)*) => {
        /// Every metric of the process.
        #[derive(Debug, Default)]
        pub struct Metrics {
            $(#[doc = $help] pub $field: $kind,)*
        }

        impl Metrics {
            /// The Prometheus text format, version 0.0.4.
            #[must_use]
            pub fn render(&self) -> String {
                let mut text = String::with_capacity(8192);
                $(
                    push(&mut text, format_args!("# HELP {} {}\n# TYPE {} {}\n", $name, $help, $name, metrics!(@type $kind)));
                    metrics!(@render $kind self.$field, $name, &mut text);
                )*
                process(&mut text);
                text
            }
        }
    };
    (@type Counter) => { "counter" };
    (@type Gauge) => { "gauge" };
    (@type Histogram) => { "histogram" };
    (@type Family) => { "counter" };
    (@render Family $metric:expr, $name:literal, $text:expr) => { $metric.render($name, $text) };
    (@render Histogram $metric:expr, $name:literal, $text:expr) => { $metric.render($name, $text) };
    (@render $kind:ident $metric:expr, $name:literal, $text:expr) => {
        push($text, format_args!("{} {}\n", $name, $metric.get()))
    };
}

metrics! {
    ingest_requests: Counter "wardline_ingest_requests_total" "Ingest requests answered with 2xx.";
    ingest_refused: Counter "wardline_ingest_refused_total" "Ingest requests refused for lack of room or because the log takes nothing (503).";
    ingest_rejected: Counter "wardline_ingest_rejected_total" "Ingest requests rejected as malformed or too large (4xx).";
    ingest_bytes: Counter "wardline_ingest_bytes_total" "Bytes of records received, after decompression.";
    ingest_events: Counter "wardline_ingest_events_total" "Events accepted.";
    ingest_flagged: Counter "wardline_ingest_flagged_total" "Events accepted with a note.";
    ingest_in_flight_bytes: Gauge "wardline_ingest_in_flight_bytes" "Bytes set aside for events on their way to the log.";
    ingest_held_bytes: Gauge "wardline_ingest_held_bytes" "Bytes of request bodies held, from their first byte until nothing works on them any more.";
    ingest_ack: Histogram "wardline_ingest_ack_seconds" "From the end of the body to the acknowledgement.";
    files_followed: Gauge "wardline_files_followed" "Files being followed.";
    records_truncated: Counter "wardline_records_truncated_total" "Records cut at the size bound.";
    redactions: Counter "wardline_redactions_total" "Secrets replaced.";
    redactions_by_rule: Family "wardline_redactions_by_rule_total" "Secrets replaced, by rule, source, field and what was done; action count is what a dry run left.";
    redaction_tried: Counter "wardline_redactions_tried_total" "What own rules found in a dry run and left.";
    redaction_failed_closed: Counter "wardline_redaction_failed_closed_total" "Values replaced whole because a bound was hit.";
    enrich_reloads: Counter "wardline_enrich_reloads_total" "Reloads of the address databases.";
    enrich_failures: Counter "wardline_enrich_failures_total" "Address databases that could not be read.";
    wal_appended_events: Counter "wardline_wal_appended_events_total" "Events made durable.";
    wal_appended_bytes: Counter "wardline_wal_appended_bytes_total" "Bytes written to the log.";
    wal_fsync: Histogram "wardline_wal_fsync_seconds" "Duration of fsync.";
    wal_append_waits: Counter "wardline_wal_append_waits_total" "Appends that waited for room in the queue of the log.";
    wal_bytes: Gauge "wardline_wal_bytes" "Size of the log on disk.";
    wal_segments: Gauge "wardline_wal_segments" "Segments of the log.";
    wal_gaps: Counter "wardline_wal_gaps_total" "Damaged places skipped and recorded.";
    wal_lost_events: Counter "wardline_wal_lost_events_total" "Events in damaged places.";
    erased_events: Counter "wardline_erased_events_total" "Events erased from the log.";
    wal_torn_tails: Counter "wardline_wal_torn_tails_total" "Torn tails cut at start.";
    wal_poisoned: Gauge "wardline_wal_poisoned" "1 after a failed write or fsync, until the log recovers.";
    wal_end_offset: Gauge "wardline_wal_end_offset" "Offset behind the last durable event.";
    index_offset: Gauge "wardline_index_offset" "Offset behind the last searchable event.";
    index_segments: Gauge "wardline_index_segments" "Index segments open.";
    index_bytes: Gauge "wardline_index_bytes" "Size of the index on disk.";
    index_errors: Counter "wardline_index_errors_total" "Index writes that failed and are tried again.";
    index_merges: Counter "wardline_index_merges_total" "Merges of index segments.";
    index_commit: Histogram "wardline_index_commit_seconds" "Duration of making a batch searchable.";
    search_requests: Counter "wardline_search_requests_total" "Searches answered.";
    search_refused: Counter "wardline_search_refused_total" "Searches refused as too costly.";
    search_gone: Counter "wardline_search_gone_total" "Searches ended because nobody waited for them any more.";
    search_duration: Histogram "wardline_search_seconds" "Duration of searches.";
    detect_offset: Gauge "wardline_detect_offset" "Offset behind the last event the rules have seen.";
    detect_events: Counter "wardline_detect_events_total" "Events the rules have seen.";
    detect_findings: Counter "wardline_detect_findings_total" "Findings of the rules.";
    detect_rules: Gauge "wardline_detect_rules" "Rules loaded.";
    detect_rule_errors: Gauge "wardline_detect_rule_errors" "Rules refused at the last load.";
    detect_state_bytes: Gauge "wardline_detect_state_bytes" "Memory of detection state.";
    detect_evictions: Counter "wardline_detect_evictions_total" "Groups forgotten because a bound was hit.";
    detect_unreadable: Counter "wardline_detect_unreadable_total" "Records of the log the rules could not read.";
    detect_lag: Histogram "wardline_detect_lag_seconds" "From receipt of an event to the rules having seen it.";
    alerts_opened: Counter "wardline_alerts_opened_total" "Alerts opened.";
    alerts_updated: Counter "wardline_alerts_updated_total" "Alerts updated by more evidence.";
    alerts_evicted: Counter "wardline_alerts_evicted_total" "Alerts removed at the bound, before their retention ended.";
    deliveries_sent: Counter "wardline_deliveries_sent_total" "Deliveries answered with 2xx.";
    deliveries_retried: Counter "wardline_deliveries_retried_total" "Delivery attempts that will be tried again.";
    deliveries_failed: Counter "wardline_deliveries_failed_total" "Deliveries given up.";
    deliveries_skipped: Counter "wardline_deliveries_skipped_total" "Deliveries not queued because too many waited for the endpoint.";
    deliveries_pending: Gauge "wardline_deliveries_pending" "Deliveries waiting.";
    http_requests: Counter "wardline_http_requests_total" "HTTP requests of all routes.";
    tail_dropped: Counter "wardline_tail_dropped_total" "Events that live tails were too slow for.";
    http_denied: Counter "wardline_http_denied_total" "Requests refused for missing or wrong credentials.";
    http_rate_limited: Counter "wardline_http_rate_limited_total" "Requests refused by a rate limit.";
    rate_evictions: Counter "wardline_http_rate_evictions_total" "Callers forgotten by the rate limits because the table was full.";
    http_connections: Gauge "wardline_http_connections" "Open connections.";
    http_connections_refused: Counter "wardline_http_connections_refused_total" "Connections refused at the bound.";
    parts_failed: Gauge "wardline_parts_failed" "Threads and tasks that ended in a panic; their work stands still until a restart.";
    config_reloads: Counter "wardline_config_reloads_total" "Reloads taken over.";
    config_reload_failures: Counter "wardline_config_reload_failures_total" "Reloads refused; the old configuration stayed.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_each_kind() {
        let metrics = Metrics::default();
        metrics.ingest_events.add(3);
        metrics.wal_fsync.observe(Duration::from_micros(300));
        let text = metrics.render();
        assert!(text.contains(
            "# TYPE wardline_ingest_events_total counter\nwardline_ingest_events_total 3\n"
        ));
        assert!(text.contains("wardline_wal_fsync_seconds_bucket{le=\"0.000500\"} 1\n"));
        assert!(text.contains(
            "wardline_wal_fsync_seconds_sum 0.000300\nwardline_wal_fsync_seconds_count 1\n"
        ));
    }

    #[test]
    fn a_family_has_a_bound_for_each_source_and_for_all() {
        let family = Family::default();
        for at in 0..1_000 {
            family.add(["token", "loud", &format!("f{at}"), "tag"], 1);
        }
        family.add(["token", "quiet", "message", "tag"], 2);
        let rows = family.rows();
        assert_eq!(rows.len(), SOURCE_SETS_MAX + 2);
        assert_eq!(
            rows[0],
            (["token", "loud", OTHER, "tag"].map(str::to_owned), 800)
        );
        assert_eq!(rows[1].0[1], "quiet");
        for at in 0..3 * SETS_MAX {
            family.add(["token", &format!("s{at}"), "message", "tag"], 1);
        }
        family.add(["card", "late", "message", "tag"], 1);
        let rows = family.rows();
        assert_eq!(rows.len(), SETS_MAX + 2);
        assert_eq!(rows.iter().map(|(_, n)| n).sum::<u64>(), 1_002 + 6_000 + 1);
        assert!(
            rows.iter()
                .any(|(labels, _)| labels[0] == "card" && labels[1] == OTHER)
        );
        for at in 0..3 * SETS_MAX {
            family.add([&format!("r{at}"), "late", "message", "tag"], 1);
        }
        assert_eq!(family.rows().len(), 2 * SETS_MAX + 1);
    }

    #[test]
    fn labels_are_written_so_that_they_can_be_read() {
        let family = Family::default();
        family.add(["card", "a\"b\\c\nd", &"x".repeat(500), "tag"], 3);
        let mut text = String::new();
        family.render("n", &mut text);
        let long = "x".repeat(LABEL_BYTES_MAX);
        assert_eq!(
            text,
            format!(
                "n{{rule=\"card\",source=\"a\\\"b\\\\c_d\",field=\"{long}\",action=\"tag\"}} 3\n"
            )
        );
    }
}
