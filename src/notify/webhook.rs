//! A message as a signed request. The body's bytes come from the outbox and go out as they are.

use bytes::Bytes;

use super::egress::Post;
use super::sign;
use crate::model::Timestamp;
use crate::store::Secret;

/// The request that carries message `id` to `url`, signed at `now`.
#[must_use]
pub(super) fn post(url: &str, id: &str, body: Bytes, secrets: &[Secret], now: Timestamp) -> Post {
    let timestamp = sign::timestamp(now);
    let signature = sign::sign(secrets, id, timestamp, &body);
    let headers = vec![
        ("content-type", "application/json".to_owned()),
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", timestamp.to_string()),
        ("webhook-signature", signature),
    ];
    Post {
        url: url.to_owned(),
        headers,
        body,
    }
}
