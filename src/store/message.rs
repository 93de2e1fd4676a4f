//! What receivers are told: `{"type","timestamp","id","data"}`. Rendered here and not in notify, because the bytes
//! are written together with the change they tell of, and every attempt sends exactly these bytes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Error;
use crate::model::{Alert, Timestamp};

/// Kinds of messages.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
pub enum EventType {
    /// A rule raised an alert.
    #[serde(rename = "alert.opened")]
    AlertOpened,
    /// More evidence for an open alert; at most once per `Options::alert_updated_interval_s` and alert.
    #[serde(rename = "alert.updated")]
    AlertUpdated,
    /// Somebody took it.
    #[serde(rename = "alert.acknowledged")]
    AlertAcknowledged,
    /// Somebody finished it.
    #[serde(rename = "alert.closed")]
    AlertClosed,
    /// Somebody opened it again.
    #[serde(rename = "alert.reopened")]
    AlertReopened,
    /// A test, sent on request and never queued.
    #[serde(rename = "ping")]
    Ping,
}

impl EventType {
    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AlertOpened => "alert.opened",
            Self::AlertUpdated => "alert.updated",
            Self::AlertAcknowledged => "alert.acknowledged",
            Self::AlertClosed => "alert.closed",
            Self::AlertReopened => "alert.reopened",
            Self::Ping => "ping",
        }
    }
}

#[derive(Serialize)]
struct Body<'a, T> {
    r#type: &'static str,
    timestamp: String,
    id: &'a str,
    data: &'a T,
}

/// The body of a message about an alert, at most `bytes_max` long: what does not fit loses its sample events
/// first, then its lists.
pub(super) fn render(
    event_type: EventType,
    id: &str,
    alert: &Alert,
    now: Timestamp,
    bytes_max: usize,
) -> Result<Vec<u8>, Error> {
    let body = bytes(event_type, id, alert, now)?;
    if body.len() <= bytes_max {
        return Ok(body);
    }
    let mut small = alert.clone();
    small.sample_events.clear();
    let body = bytes(event_type, id, &small, now)?;
    if body.len() <= bytes_max {
        return Ok(body);
    }
    small.labels.clear();
    small.correlation_ids.clear();
    small.entities.clear();
    bytes(event_type, id, &small, now)
}

/// The body of a test message.
#[must_use]
pub fn render_ping(id: &str, endpoint_id: &str, now: Timestamp) -> Vec<u8> {
    let data = serde_json::json!({ "endpoint_id": endpoint_id });
    bytes(EventType::Ping, id, &data, now).unwrap_or_default()
}

fn bytes<T: Serialize>(
    event_type: EventType,
    id: &str,
    data: &T,
    now: Timestamp,
) -> Result<Vec<u8>, Error> {
    let body = Body {
        r#type: event_type.name(),
        timestamp: now.to_rfc3339(),
        id,
        data,
    };
    serde_json::to_vec(&body).map_err(|error| Error::Engine(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::super::tests::alert;
    use super::*;
    use crate::model::SampleEvent;

    #[test]
    fn a_large_alert_loses_its_samples_first() {
        let mut alert = alert("alt_1");
        alert.sample_events = vec![SampleEvent {
            id: "evt_1".into(),
            time: Timestamp(0),
            summary: "x".repeat(4_000),
        }];
        let now = Timestamp::from_millis(0);
        let full = render(EventType::AlertOpened, "msg_1", &alert, now, 1 << 20).unwrap();
        assert!(full.starts_with(
            br#"{"type":"alert.opened","timestamp":"1970-01-01T00:00:00.000Z","id":"msg_1","data":{"#
        ));
        let small = render(EventType::AlertOpened, "msg_1", &alert, now, 4_000).unwrap();
        assert!(small.len() < 4_000);
        let value: serde_json::Value = serde_json::from_slice(&small).unwrap();
        assert_eq!(value["data"]["id"], "alt_1");
        assert_eq!(value["data"]["sample_events"], serde_json::json!([]));
    }
}
