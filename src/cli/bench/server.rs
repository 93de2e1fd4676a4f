//! What the server says of itself while it is measured.

use anyhow::Context;

use super::super::client::Client;

/// One reading of the server's metrics.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reading {
    pub cpu_seconds: f64,
    pub peak_rss_bytes: f64,
    pub log_bytes: f64,
    pub index_bytes: f64,
    pub log_end: f64,
    pub index_offset: f64,
    pub detect_offset: f64,
}

pub(super) async fn read(client: &Client) -> anyhow::Result<Reading> {
    let response = client.text("/metrics").await.map_err(anyhow::Error::msg)?;
    let value = |name: &str| -> anyhow::Result<f64> {
        response
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
            .with_context(|| format!("the server's metrics have no {name}"))
    };
    Ok(Reading {
        cpu_seconds: value("process_cpu_seconds_total")?,
        peak_rss_bytes: value("process_peak_resident_memory_bytes")?,
        log_bytes: value("wardline_wal_bytes")?,
        index_bytes: value("wardline_index_bytes")?,
        log_end: value("wardline_wal_end_offset")?,
        index_offset: value("wardline_index_offset")?,
        detect_offset: value("wardline_detect_offset")?,
    })
}
