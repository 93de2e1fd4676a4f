//! The canonical fields: one table from which names, columns and documentation follow.

/// How a field is kept in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Short text with few distinct values per segment: a dictionary column, also a facet.
    Keyword,
    /// Free text: its words go to the words field.
    Text,
    /// An IP address: a column of addresses.
    Ip,
    /// A non-negative whole number: a column.
    Int,
    /// A correlation id: every form of it goes to the id table, no column.
    Id,
    /// Kept in the event's text alone; found by reading candidates.
    Stored,
}

macro_rules! fields {
    ($($variant:ident $name:literal $kind:ident $doc:literal;)*) => {
        /// A canonical field. Names are those of the Elastic Common Schema, with OpenTelemetry's
        /// `http.route` and the groups `correlation`, `auth`, `api`, `object`, `network.class`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Field {
            $(#[doc = $doc] $variant,)*
        }

        impl Field {
            /// Every canonical field, in the order of the table.
            pub const ALL: &'static [Field] = &[$(Field::$variant,)*];

            /// The dotted name.
            #[must_use]
            #[inline]
            pub const fn name(self) -> &'static str {
                match self { $(Field::$variant => $name,)* }
            }

            /// How the index keeps it.
            #[must_use]
            #[inline]
            pub const fn kind(self) -> Kind {
                match self { $(Field::$variant => Kind::$kind,)* }
            }

            /// One sentence for documentation and the field list of the UI.
            #[must_use]
            pub const fn doc(self) -> &'static str {
                match self { $(Field::$variant => $doc,)* }
            }

            /// The field with exactly this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Field> {
                match name { $($name => Some(Field::$variant),)* _ => None }
            }
        }
    };
}

// The order is a byte format (redact/codec.rs): append, never reorder or remove.
fields! {
    Message "message" Text "What happened, in words.";
    EventId "event.id" Id "The id the client gave the event.";
    EventKind "event.kind" Keyword "event, alert or pipeline_error.";
    EventCategory "event.category" Keyword "api, authentication, iam, session or web.";
    EventAction "event.action" Keyword "What was done: api.request, auth.attempt, auth.failure, authz.denied, ….";
    EventOutcome "event.outcome" Keyword "success, failure or unknown.";
    EventReason "event.reason" Keyword "Why, as the source put it.";
    EventSeverity "event.severity" Int "Severity as the source numbered it.";
    EventDataset "event.dataset" Keyword "Which log it is: nginx.access, json, ….";
    EventProvider "event.provider" Keyword "The source: the name the sender or its key carries.";
    EventDuration "event.duration" Int "How long it took, in nanoseconds.";
    EventTimeSource "event.time_source" Stored "Where the time came from: event or received.";
    EventNotes "event.notes" Keyword "What was odd about the record: unparsed, value_truncated, ….";
    LogLevel "log.level" Keyword "Level, lower case.";
    CorrelationId "correlation.id" Id "The id that ties the events of one request together.";
    CorrelationIds "correlation.ids" Id "Every other correlation id seen on the event.";
    TraceId "trace.id" Id "W3C trace id, 32 lower-case hex digits.";
    SpanId "span.id" Id "W3C span id.";
    HttpRequestId "http.request.id" Id "The request id of the gateway or the server.";
    SessionId "session.id" Id "Session id, or its keyed tag.";
    ClientIp "client.ip" Ip "Address of the client behind the trusted proxies.";
    ClientAddress "client.address" Stored "The client as written, where it is no address.";
    ClientPort "client.port" Stored "Port of the client.";
    ClientCountry "client.geo.country_iso_code" Keyword "Country of the client, two letters.";
    ClientCity "client.geo.city_name" Stored "City of the client.";
    ClientAsn "client.as.number" Int "Autonomous system number of the client.";
    ClientAsOrg "client.as.organization.name" Keyword "Who runs the client's network.";
    NetworkClass "network.class" Keyword "private, loopback, link_local, reserved or public.";
    NetworkPeerIp "network.peer.ip" Ip "Address of the peer of the connection.";
    NetworkForwardedChain "network.forwarded_chain" Stored "X-Forwarded-For as written.";
    UserId "user.id" Keyword "Id of the user.";
    UserName "user.name" Keyword "Name of the user.";
    UserEmail "user.email" Keyword "Mail address of the user.";
    UserRoles "user.roles" Keyword "Roles of the user.";
    UserDomain "user.domain" Stored "Domain of the user.";
    AuthMethod "auth.method" Keyword "How the caller proved who it is.";
    AuthCredentialId "auth.credential_id" Keyword "Id or tag of the credential, never the credential.";
    ApiConsumer "api.consumer" Keyword "The consuming application.";
    OrganizationId "organization.id" Keyword "Tenant of the caller.";
    HttpMethod "http.request.method" Keyword "Method, upper case.";
    HttpRoute "http.route" Keyword "Route template: given, or guessed from the path.";
    HttpRouteGuessed "http.route_guessed" Stored "true where the route was guessed.";
    UrlPath "url.path" Text "Path without the query.";
    UrlQuery "url.query" Text "Query string, secrets replaced.";
    UrlDomain "url.domain" Keyword "Host asked for.";
    UrlScheme "url.scheme" Stored "http or https.";
    HttpVersion "http.version" Stored "Protocol version.";
    HttpReferrer "http.request.referrer" Text "Referrer.";
    HttpStatus "http.response.status_code" Int "Status code.";
    HttpRequestBytes "http.request.bytes" Int "Bytes of the request.";
    HttpRequestBodyBytes "http.request.body.bytes" Int "Bytes of the request's body.";
    HttpResponseBytes "http.response.bytes" Int "Bytes of the response.";
    HttpResponseBodyBytes "http.response.body.bytes" Int "Bytes of the response's body.";
    UserAgent "user_agent.original" Keyword "User agent as sent.";
    TlsVersion "tls.version" Stored "TLS version.";
    TlsCipher "tls.cipher" Stored "TLS cipher suite.";
    TlsClientSubject "tls.client.subject" Stored "Subject of the client's certificate.";
    ServiceName "service.name" Keyword "The service that wrote the event.";
    ServiceVersion "service.version" Keyword "Its version.";
    ServiceEnvironment "service.environment" Keyword "Its environment.";
    HostName "host.name" Keyword "The host it ran on.";
    CloudRegion "cloud.region" Keyword "Region of the host.";
    UpstreamAddress "upstream.address" Stored "The upstream asked.";
    UpstreamStatus "upstream.status_code" Stored "Its status.";
    UpstreamDuration "upstream.duration" Stored "How long it took, in nanoseconds.";
    ErrorType "error.type" Keyword "Kind of error.";
    ErrorCode "error.code" Keyword "Code of the error.";
    ErrorMessage "error.message" Text "Message of the error.";
    RuleName "rule.name" Keyword "Rule of the sender that matched, a firewall's for example.";
    ObjectId "object.id" Stored "The last id in the path: the object asked for.";
    TenantId "tenant.id" Keyword "Tenant the event belongs to.";
    Tags "tags" Keyword "Tags of the sender.";
    RedactionCount "redaction.count" Int "How many secrets were replaced.";
    RedactionRules "redaction.rules" Keyword "Rules that replaced them.";
    EventActions "event.actions" Keyword "All actions that fit, where more than one does.";
}

impl Field {
    /// The field with this number in the byte format.
    #[must_use]
    #[inline]
    pub fn from_code(code: u8) -> Option<Field> {
        Field::ALL.get(usize::from(code)).copied()
    }

    /// The number in the byte format.
    #[must_use]
    #[inline]
    pub fn code(self) -> u8 {
        self as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_read_back() {
        for field in Field::ALL {
            assert_eq!(Field::from_code(field.code()), Some(*field));
            assert_eq!(Field::from_name(field.name()), Some(*field));
        }
        assert_eq!(Field::from_code(250), None);
    }
}
