//! Which JSON family a record belongs to, told by its names.

use crate::{Entry, Format};

/// ECS by `ecs.version` or by `@timestamp` beside an ECS name; nginx by at least three of its variables.
pub(crate) fn json_kind(fields: &[Entry<'_>]) -> Format {
    let mut has_time = false;
    let mut ecs = 0;
    let mut nginx = 0;
    for entry in fields {
        match entry.name.as_ref() {
            "ecs.version" => return Format::Ecs,
            "@timestamp" => has_time = true,
            "log.level"
            | "event.action"
            | "event.dataset"
            | "event.category"
            | "service.name"
            | "http.request.method"
            | "http.response.status_code"
            | "url.path"
            | "client.ip"
            | "source.ip"
            | "log.logger"
            | "trace.id" => ecs += 1,
            "remote_addr"
            | "request_uri"
            | "request_time"
            | "time_iso8601"
            | "time_local"
            | "msec"
            | "body_bytes_sent"
            | "http_user_agent"
            | "http_referer"
            | "upstream_response_time"
            | "remote_user"
            | "server_protocol"
            | "request_length" => {
                nginx += 1;
            }
            _ => {}
        }
    }
    if has_time && ecs > 0 {
        Format::Ecs
    } else if nginx >= 3 {
        Format::NginxJson
    } else {
        Format::Json
    }
}
