//! What a setting may be, in one table: a server with other values could not work, or only look as if it did.

use toml::{Table, Value};

use super::Config;

const KB: i64 = 1 << 10;
const MB: i64 = 1 << 20;
const GB: i64 = 1 << 30;
const MANY: i64 = 1_000_000_000;
const DAY_S: i64 = 86_400;
const DAY_MS: i64 = 86_400_000;
const YEARS_DAYS: i64 = 36_500;

/// A setting, its least and its largest value.
type Row = (&'static str, i64, i64);

/// Every setting that is a number.
const BOUNDS: &[Row] = &[
    ("server.connections_max", 1, 1_000_000),
    ("server.header_read_s_max", 1, 3_600),
    ("server.header_bytes_max", 8 * KB, 16 * MB),
    ("server.handshake_s_max", 1, 3_600),
    ("server.streams_max", 1, 10_000),
    ("server.drain_s_max", 0, 3_600),
    ("api.session_hours", 1, 8_760),
    ("api.key_days", 1, YEARS_DAYS),
    ("api.key_days_max", 1, YEARS_DAYS),
    ("api.story_events_max", 1, 100_000),
    ("api.searches_max", 1, 10_000),
    ("api.exports_max", 0, 10_000),
    ("api.streams_max", 0, 10_000),
    ("api.export_events_max", 1, 1_000_000_000),
    ("api.routes_max", 1, 4_096),
    ("api.evidence_events_max", 1, 50_000),
    ("api.evidence_bytes_max", MB, GB),
    ("api.evidence_packs_max", 0, 1_000),
    ("api.tails_max", 0, 10_000),
    ("api.tail_lag_events_max", 1, 1_000_000_000),
    ("api.erase_events_max", 1, 100_000_000),
    ("api.rates.public_per_minute", 1, MANY),
    ("api.rates.login_per_minute", 1, MANY),
    ("api.rates.refused_per_minute", 1, MANY),
    ("api.rates.ingest_per_minute", 1, MANY),
    ("api.rates.search_per_minute", 1, MANY),
    ("api.rates.read_per_minute", 1, MANY),
    ("api.rates.write_per_minute", 1, MANY),
    ("api.rates.callers_max", 1, 100_000_000),
    ("ingest.body_bytes_max", KB, GB),
    ("ingest.inflated_bytes_max", KB, GB),
    ("ingest.held_bytes_max", KB, 1024 * GB),
    ("ingest.hold_ms_max", 0, 600_000),
    ("ingest.body_idle_s_max", 1, 3_600),
    ("files.poll_interval_ms", 1, DAY_MS),
    ("files.chunk_bytes_max", KB, GB),
    ("files.line_bytes_max", 256, GB),
    ("files.files_max", 1, 1_000_000),
    ("files.rotated_wait_ms", 0, DAY_MS),
    ("pipeline.in_flight_bytes_max", KB, 1024 * GB),
    ("pipeline.batch_bytes_max", KB, 64 * MB),
    ("pipeline.backlog_events_max", 1, MANY),
    ("pipeline.backlog_wait_ms_max", 0, 600_000),
    ("pipeline.retry_after_s", 1, 3_600),
    ("pipeline.inline_bytes_max", 0, GB),
    ("pipeline.fields_max", 1, 65_536),
    ("pipeline.depth_max", 1, 128),
    ("pipeline.value_bytes_max", 16, 16 * MB),
    ("pipeline.record_bytes_max", 256, 16 * MB),
    ("pipeline.name_bytes_max", 8, 64 * KB),
    ("pipeline.enrich.cached_places_max", 0, 100_000_000),
    ("redact.value_bytes_max", KB, 64 * MB),
    ("redact.value_secrets_max", 1, 1_000_000),
    ("redact.value_ms_max", 100, 600_000),
    ("redact.nested_depth_max", 0, 32),
    ("wal.segment_bytes_max", 64 * KB, 64 * GB),
    ("wal.segment_age_hours_max", 1, 8_760),
    ("wal.frame_bytes_max", KB, 32 * MB),
    ("wal.zstd_level", -7, 22),
    ("wal.queue_bytes_max", KB, 64 * GB),
    ("wal.group_bytes_max", KB, 4 * GB),
    ("wal.tail_cache_bytes_max", 0, 64 * GB),
    ("wal.frame_cache_frames_max", 0, 1_000_000),
    ("wal.open_segments_max", 1, 100_000),
    ("wal.probe_interval_ms", 1, DAY_MS),
    ("wal.retention_age_days", 1, YEARS_DAYS),
    ("wal.retention_bytes_max", MB, i64::MAX),
    ("index.commit_interval_ms", 1, DAY_MS),
    ("index.segment_events_max", 1, 16_000_000),
    ("index.segment_memory_bytes_max", MB, 64 * GB),
    ("index.merge_small_events", 0, 16_000_000),
    ("index.merge_events_max", 1, 16_000_000),
    ("index.merge_segments_min", 2, 1_000),
    ("index.query_bytes_max", 1, 16 * MB),
    ("index.query_clauses_max", 1, 100_000),
    ("index.query_depth_max", 1, 256),
    ("index.wildcard_terms_max", 1, MANY),
    ("index.page_events_max", 1, 100_000),
    ("index.verify_events_max", 1, MANY),
    ("index.search_ms_max", 1, 3_600_000),
    ("index.buckets_max", 1, 1_000_000),
    ("index.values_max", 1, MANY),
    ("detect.rule_files_max", 1, 1_000_000),
    ("detect.rule_file_bytes_max", 1, GB),
    ("detect.checkpoint_events", 1, MANY),
    ("detect.checkpoint_interval_ms", 1, DAY_MS),
    ("detect.commit_delay_ms", 0, 600_000),
    ("detect.commit_findings_max", 1, 100_000),
    ("store.alerts_max", 1, MANY),
    ("store.alerts_closed_days", 1, YEARS_DAYS),
    ("store.alerts_scan_max", 1, MANY),
    ("store.history_per_alert_max", 1, MANY),
    ("store.alert_updated_interval_s", 0, 365 * DAY_S),
    ("store.message_bytes_max", KB, 64 * MB),
    ("store.endpoints_max", 1, 100_000),
    ("store.deliveries_pending_max", 1, MANY),
    ("store.attempts_per_endpoint_max", 1, MANY),
    ("store.messages_days", 1, YEARS_DAYS),
    ("store.endpoint_failing_days", 1, YEARS_DAYS),
    ("store.secret_grace_hours", 0, 8_760),
    ("store.keys_max", 1, 1_000_000),
    ("store.sessions_max", 1, 1_000_000),
    ("store.sources_max", 1, 10_000_000),
    ("notify.concurrency_max", 1, 10_000),
    ("notify.concurrency_per_endpoint_max", 1, 10_000),
    ("notify.timeout_ms", 1, 600_000),
    ("notify.response_bytes_max", 1, 64 * MB),
    ("notify.response_log_bytes_max", 0, MB),
    ("notify.poll_interval_ms", 1, DAY_MS),
    ("notify.prune_interval_s", 1, 365 * DAY_S),
];

/// The levels of our own log.
const LOG_LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// A setting and what is wrong with it.
pub(super) type Wrong = (&'static str, String);

/// The settings that are written here and out of their bounds.
pub(super) fn wrong(table: &Table) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    for (setting, least, most) in BOUNDS {
        let Some(value) = get(table, setting).and_then(Value::as_integer) else {
            continue;
        };
        if !(*least..=*most).contains(&value) {
            let what = format!("{setting} = {value}: expected {least} to {most}");
            wrong.push((*setting, what));
        }
    }
    let level = get(table, "log_level").and_then(Value::as_str);
    if let Some(level) = level.filter(|level| !LOG_LEVELS.contains(level)) {
        let known = LOG_LEVELS.join(", ");
        wrong.push((
            "log_level",
            format!("log_level = {level:?}: expected one of {known}"),
        ));
    }
    wrong
}

/// Settings that do not fit each other.
pub(super) fn contradictions(config: &Config) -> Vec<Wrong> {
    let size = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
    let pairs = [
        (
            ("api.key_days", u64::from(config.api.key_days)),
            ("api.key_days_max", u64::from(config.api.key_days_max)),
        ),
        (
            ("wal.frame_bytes_max", size(config.wal.frame_bytes_max)),
            ("wal.segment_bytes_max", config.wal.segment_bytes_max),
        ),
        (
            (
                "pipeline.value_bytes_max",
                size(config.pipeline.value_bytes_max),
            ),
            (
                "redact.value_bytes_max",
                size(config.redact.value_bytes_max),
            ),
        ),
    ];
    // A line the door has cut at a smaller bound would look whole to the parser.
    let followed = (
        (
            "pipeline.record_bytes_max",
            size(config.pipeline.record_bytes_max),
        ),
        ("files.line_bytes_max", size(config.files.line_bytes_max)),
    );
    let is_followed = !config.files.follow.is_empty();
    let larger = pairs
        .into_iter()
        .chain(is_followed.then_some(followed))
        .filter(|((_, small), (_, large))| small > large);
    larger
        .map(|((setting, small), (other, large))| {
            (
                setting,
                format!("{setting} = {small}: larger than {other} = {large}"),
            )
        })
        .collect()
}

fn get<'t>(table: &'t Table, setting: &str) -> Option<&'t Value> {
    let mut parts = setting.split('.');
    let first = table.get(parts.next()?)?;
    parts.try_fold(first, |value, part| value.as_table()?.get(part))
}

/// Takes a setting out, so that its default counts.
pub(super) fn remove(table: &mut Table, setting: &str) {
    let Some((path, last)) = setting.rsplit_once('.') else {
        table.remove(setting);
        return;
    };
    let mut at = table;
    for part in path.split('.') {
        match at.get_mut(part).and_then(Value::as_table_mut) {
            Some(inner) => at = inner,
            None => return,
        }
    }
    at.remove(last);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(table: &Table, path: &str, found: &mut Vec<String>) {
        for (name, value) in table {
            let path = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            match value {
                Value::Table(inner) => numbers(inner, &path, found),
                Value::Integer(_) => found.push(path),
                _ => {}
            }
        }
    }

    #[test]
    fn every_number_has_bounds_that_its_default_keeps() {
        // Settings that are off by default stand there as comments.
        let text = super::super::DEFAULTS
            .replace("# retention_bytes_max =", "retention_bytes_max = 1048576");
        let table: Table = toml::from_str(&text).unwrap();
        let mut written = Vec::new();
        numbers(&table, "", &mut written);
        let mut bounded: Vec<&str> = BOUNDS.iter().map(|(setting, ..)| *setting).collect();
        bounded.sort_unstable();
        written.sort_unstable();
        assert_eq!(written, bounded);
        assert_eq!(wrong(&table), []);
        assert_eq!(contradictions(&Config::default()), []);
    }
}
