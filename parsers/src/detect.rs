//! Which JSON family a record belongs to, told by its names.

use crate::{Entry, Format};

/// ECS by `ecs.version` or by `@timestamp` beside an ECS name; nginx by two of the names that nobody
/// else uses.
pub(crate) fn json_kind(fields: &[Entry<'_>]) -> Format {
    let mut has_time = false;
    let mut nginx = 0;
    for entry in fields {
        let name: &str = &entry.name;
        // Length and first letter settle nearly all names without a comparison.
        let known = match (name.len(), name.as_bytes().first()) {
            (11, Some(b'e')) if name == "ecs.version" => return Format::Ecs,
            (10, Some(b'@')) => {
                has_time |= name == "@timestamp";
                continue;
            }
            (11, Some(b'r')) => name == "remote_addr" || name == "request_uri",
            (12, Some(b'r')) => name == "request_time",
            (12, Some(b't')) => name == "time_iso8601",
            (15, Some(b'b')) => name == "body_bytes_sent",
            (10, Some(b't')) => name == "time_local",
            _ => false,
        };
        nginx += usize::from(known);
    }
    if has_time && fields.iter().any(|entry| is_ecs(&entry.name)) {
        Format::Ecs
    } else if nginx >= 2 {
        Format::NginxJson
    } else {
        Format::Json
    }
}

fn is_ecs(name: &str) -> bool {
    matches!(
        name,
        "log.level"
            | "log.logger"
            | "event.action"
            | "event.dataset"
            | "event.category"
            | "service.name"
            | "http.request.method"
            | "http.response.status_code"
            | "url.path"
            | "client.ip"
            | "source.ip"
            | "trace.id"
    )
}
