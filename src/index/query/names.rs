//! Names users write to the fields they mean.

use super::ast::Name;
use crate::model::Field;

/// What a name in a query stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::index) enum Target {
    /// `@timestamp`.
    Time,
    /// `event.ingested`.
    Received,
    /// Every correlation id.
    AnyId,
    /// One of these fields.
    Names(Vec<Name>),
}

/// Aliases: our short ones, then OpenTelemetry's and OCSF's names, then what people type.
pub(super) const ALIASES: &[(&str, &[Field])] = &[
    ("status", &[Field::HttpStatus]),
    ("method", &[Field::HttpMethod]),
    ("path", &[Field::UrlPath]),
    ("route", &[Field::HttpRoute]),
    ("ip", &[Field::ClientIp]),
    ("user", &[Field::UserId, Field::UserName]),
    ("service", &[Field::ServiceName]),
    ("source", &[Field::EventProvider]),
    ("level", &[Field::LogLevel]),
    ("country", &[Field::ClientCountry]),
    ("asn", &[Field::ClientAsn]),
    ("ua", &[Field::UserAgent]),
    ("action", &[Field::EventAction]),
    ("outcome", &[Field::EventOutcome]),
    ("host", &[Field::HostName, Field::UrlDomain]),
    ("env", &[Field::ServiceEnvironment]),
    ("tenant", &[Field::TenantId, Field::OrganizationId]),
    ("duration", &[Field::EventDuration]),
    ("query", &[Field::UrlQuery]),
    ("referrer", &[Field::HttpReferrer]),
    ("referer", &[Field::HttpReferrer]),
    ("domain", &[Field::UrlDomain]),
    ("city", &[Field::ClientCity]),
    ("org", &[Field::ClientAsOrg]),
    ("reason", &[Field::EventReason]),
    (
        "error",
        &[Field::ErrorMessage, Field::ErrorType, Field::ErrorCode],
    ),
    ("tag", &[Field::Tags]),
    ("role", &[Field::UserRoles]),
    ("email", &[Field::UserEmail]),
    ("session", &[Field::SessionId]),
    ("trace", &[Field::TraceId]),
    ("span", &[Field::SpanId]),
    ("request_id", &[Field::HttpRequestId]),
    (
        "correlation_id",
        &[Field::CorrelationId, Field::CorrelationIds],
    ),
    ("consumer", &[Field::ApiConsumer]),
    ("credential", &[Field::AuthCredentialId]),
    ("bytes", &[Field::HttpResponseBytes]),
    ("msg", &[Field::Message]),
    // OpenTelemetry
    ("body", &[Field::Message]),
    ("trace_id", &[Field::TraceId]),
    ("span_id", &[Field::SpanId]),
    ("severity_text", &[Field::LogLevel]),
    ("severity_number", &[Field::EventSeverity]),
    ("http.status_code", &[Field::HttpStatus]),
    ("http.method", &[Field::HttpMethod]),
    ("http.target", &[Field::UrlPath]),
    ("http.user_agent", &[Field::UserAgent]),
    ("http.client_ip", &[Field::ClientIp]),
    ("http.host", &[Field::UrlDomain]),
    ("server.address", &[Field::UrlDomain]),
    ("network.peer.address", &[Field::NetworkPeerIp]),
    ("net.peer.ip", &[Field::NetworkPeerIp]),
    ("enduser.id", &[Field::UserId]),
    ("user_agent", &[Field::UserAgent]),
    ("deployment.environment", &[Field::ServiceEnvironment]),
    ("deployment.environment.name", &[Field::ServiceEnvironment]),
    ("http.request.body.size", &[Field::HttpRequestBodyBytes]),
    ("http.response.body.size", &[Field::HttpResponseBodyBytes]),
    ("exception.type", &[Field::ErrorType]),
    ("exception.message", &[Field::ErrorMessage]),
    // OCSF
    ("src_endpoint.ip", &[Field::ClientIp]),
    ("src_endpoint.location.country", &[Field::ClientCountry]),
    ("src_endpoint.autonomous_system.number", &[Field::ClientAsn]),
    ("actor.user.uid", &[Field::UserId]),
    ("actor.user.name", &[Field::UserName]),
    ("actor.user.email_addr", &[Field::UserEmail]),
    ("actor.session.uid", &[Field::SessionId]),
    ("http_request.http_method", &[Field::HttpMethod]),
    ("http_request.url.path", &[Field::UrlPath]),
    ("http_request.url.hostname", &[Field::UrlDomain]),
    ("http_request.user_agent", &[Field::UserAgent]),
    ("http_request.uid", &[Field::HttpRequestId]),
    ("http_response.code", &[Field::HttpStatus]),
    ("metadata.correlation_uid", &[Field::CorrelationId]),
    ("api.operation", &[Field::EventAction]),
];

/// What a name stands for; a name nobody knows is one of the source's own.
pub(in crate::index) fn resolve(name: &str) -> Target {
    match name {
        "@timestamp" | "timestamp" | "time" => return Target::Time,
        "event.ingested" | "ingested" | "received" => return Target::Received,
        "id" => return Target::AnyId,
        _ => {}
    }
    if let Some(own) = name.strip_prefix("ext.") {
        return Target::Names(vec![Name::Ext(own.to_owned())]);
    }
    if let Some(field) = Field::from_name(name) {
        return Target::Names(vec![Name::Known(field)]);
    }
    let lower = name.to_ascii_lowercase();
    if let Some(field) = Field::from_name(&lower) {
        return Target::Names(vec![Name::Known(field)]);
    }
    match ALIASES.iter().find(|(alias, _)| *alias == lower) {
        Some((_, fields)) => Target::Names(fields.iter().copied().map(Name::Known).collect()),
        None => Target::Names(vec![Name::Ext(name.to_owned())]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_find_their_fields() {
        let known =
            |fields: &[Field]| Target::Names(fields.iter().copied().map(Name::Known).collect());
        assert_eq!(resolve("status"), known(&[Field::HttpStatus]));
        assert_eq!(resolve("Status"), known(&[Field::HttpStatus]));
        assert_eq!(resolve("user"), known(&[Field::UserId, Field::UserName]));
        assert_eq!(
            resolve("http.response.status_code"),
            known(&[Field::HttpStatus])
        );
        assert_eq!(
            resolve("ext.Foo"),
            Target::Names(vec![Name::Ext("Foo".into())])
        );
        assert_eq!(
            resolve("foo.bar"),
            Target::Names(vec![Name::Ext("foo.bar".into())])
        );
        assert_eq!(resolve("id"), Target::AnyId);
    }

    #[test]
    fn no_alias_hides_a_field_or_stands_twice() {
        for (at, (alias, _)) in ALIASES.iter().enumerate() {
            assert_eq!(Field::from_name(alias), None, "{alias}");
            assert!(
                ALIASES.iter().skip(at + 1).all(|(other, _)| other != alias),
                "{alias}"
            );
        }
    }
}
