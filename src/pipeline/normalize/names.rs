//! Which source name means what: one table of data, and its lookup.
//!
//! Names are compared without case and without `_ - . ` and space, so `clientIp`, `client_ip` and `client.ip`
//! are one name. Sources: reference/ingest.md §4.3, ECS, OpenTelemetry, nginx, pino, common spellings.

use std::collections::HashMap;

use crate::model::Field;

/// Unit a duration is written in, in nanoseconds.
pub(super) type Unit = u64;

const NS: Unit = 1;
const US: Unit = 1_000;
const MS: Unit = 1_000_000;
const S: Unit = 1_000_000_000;

/// What kind of correlation id a name carries, in the order in which the primary one is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Id {
    /// Named by the operator.
    Configured,
    /// `X-Correlation-ID`.
    Correlation,
    /// `X-Request-ID`.
    Request,
    /// Request id of a gateway.
    Gateway,
    /// Trace id alone or in one of its carriers.
    Trace,
    /// Vendors' ids.
    Vendor,
}

/// What is done with the value of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// Text as it stands.
    Text(Field),
    /// One of several values.
    Many(Field),
    /// A whole number that is not negative.
    Int(Field),
    /// A duration in this unit unless the value carries one.
    Duration(Field, Unit),
    /// When it happened; the lowest number wins.
    Time(u8),
    /// nginx writes a duration here, AWS API Gateway a time.
    RequestTime,
    Status,
    Method,
    Level,
    Outcome,
    Action,
    /// An action only where it is one of the known words.
    KnownAction,
    Kind,
    Version,
    Country,
    Client,
    Peer,
    Forwarded,
    RealIp,
    /// A host here, the asked-for domain in nginx logs.
    Host,
    /// The first line of the request.
    RequestLine,
    /// Path, path and query, or a whole URL.
    Uri,
    Query,
    Route,
    Id(Id),
    Span,
    Session,
    /// Says nothing about the event.
    Drop,
}

use Target::{Duration, Int, Many, Text, Time};

type Row = (&'static [&'static str], Target);

/// Names as they come after folding.
const TABLE: &[Row] = &[
    (
        &["message", "msg", "log", "shortmessage"],
        Text(Field::Message),
    ),
    (&["eventid", "logrecorduid"], Text(Field::EventId)),
    (&["eventkind"], Target::Kind),
    (&["eventcategory"], Many(Field::EventCategory)),
    (&["eventaction"], Target::Action),
    (
        &["event", "eventtype", "eventname", "action", "activity"],
        Target::KnownAction,
    ),
    (&["eventoutcome", "outcome", "result"], Target::Outcome),
    (
        &["eventreason", "reason", "failurereason"],
        Text(Field::EventReason),
    ),
    (&["eventseverity"], Int(Field::EventSeverity)),
    (
        &["eventdataset", "datastreamdataset"],
        Text(Field::EventDataset),
    ),
    (
        &[
            "loglevel",
            "level",
            "severity",
            "severitytext",
            "lvl",
            "levelname",
        ],
        Target::Level,
    ),
    (&["@timestamp"], Time(0)),
    (
        &["timestamp", "time", "ts", "eventtime", "datetime"],
        Time(1),
    ),
    (
        &[
            "starttime",
            "startedat",
            "requesttimeepoch",
            "msec",
            "timeiso8601",
            "startutc",
        ],
        Time(2),
    ),
    (
        &["date", "timelocal", "eventcreated", "observedtimestamp"],
        Time(3),
    ),
    (&["requesttime"], Target::RequestTime),
    (
        &[
            "clientip",
            "srcip",
            "ip",
            "sourceip",
            "ipaddress",
            "clientaddress",
            "clientaddr",
            "userip",
            "networkclientip",
            "httpclientip",
            "identitysourceip",
            "requestclientip",
            "reqip",
            "clienthost",
            "sourceaddress",
            "srcaddr",
            "callerip",
            "callerippaddress",
        ],
        Target::Client,
    ),
    (
        &[
            "remoteaddr",
            "remoteaddress",
            "remoteip",
            "reqremoteaddress",
            "reqremoteaddr",
            "requestremoteip",
            "requestremoteaddr",
            "peer",
            "peerip",
            "peeraddress",
            "netpeerip",
            "netsockpeeraddr",
            "networkpeeraddress",
            "networkpeerip",
            "downstreamremoteaddress",
            "downstreamdirectremoteaddress",
        ],
        Target::Peer,
    ),
    (
        &[
            "xforwardedfor",
            "forwardedfor",
            "networkforwardedchain",
            "xff",
        ],
        Target::Forwarded,
    ),
    (
        &["xrealip", "trueclientip", "cfconnectingip"],
        Target::RealIp,
    ),
    (
        &[
            "clientport",
            "srcport",
            "sourceport",
            "remoteport",
            "reqremoteport",
        ],
        Text(Field::ClientPort),
    ),
    (
        &[
            "clientgeocountryisocode",
            "sourcegeocountryisocode",
            "geoipcountrycode",
            "countrycode",
            "country",
            "cfipcountry",
            "geocountry",
        ],
        Target::Country,
    ),
    (
        &[
            "clientgeocityname",
            "sourcegeocityname",
            "city",
            "geoipcity",
        ],
        Text(Field::ClientCity),
    ),
    (
        &["clientasnumber", "sourceasnumber", "asn"],
        Int(Field::ClientAsn),
    ),
    (
        &[
            "clientasorganizationname",
            "sourceasorganizationname",
            "asnorg",
        ],
        Text(Field::ClientAsOrg),
    ),
    (
        &[
            "userid",
            "uid",
            "usrid",
            "enduserid",
            "sub",
            "jwtsub",
            "principalid",
            "authorizerprincipalid",
            "authorizerclaimssub",
            "consumerid",
            "actorid",
            "accountid",
            "requserid",
        ],
        Text(Field::UserId),
    ),
    (
        &[
            "username",
            "user",
            "login",
            "remoteuser",
            "usrname",
            "consumerusername",
            "clientusername",
            "requser",
            "requserusername",
            "actor",
            "actorname",
        ],
        Text(Field::UserName),
    ),
    (&["useremail", "email"], Text(Field::UserEmail)),
    (
        &["userroles", "roles", "role", "userrole"],
        Many(Field::UserRoles),
    ),
    (&["userdomain"], Text(Field::UserDomain)),
    (
        &["authmethod", "authtype", "authenticationmethod"],
        Text(Field::AuthMethod),
    ),
    (
        &[
            "authcredentialid",
            "apikeyid",
            "keyid",
            "authenticatedentityid",
            "identityapikeyid",
            "credentialid",
            "accesskeyid",
            "tokenid",
        ],
        Text(Field::AuthCredentialId),
    ),
    (
        &[
            "apiconsumer",
            "consumer",
            "clientid",
            "appid",
            "consumername",
        ],
        Text(Field::ApiConsumer),
    ),
    (
        &["organizationid", "orgid", "org"],
        Text(Field::OrganizationId),
    ),
    (&["tenantid", "tenant"], Text(Field::TenantId)),
    (
        &[
            "httprequestmethod",
            "httpmethod",
            "method",
            "requestmethod",
            "reqmethod",
            "verb",
        ],
        Target::Method,
    ),
    (
        &[
            "httproute",
            "route",
            "routekey",
            "resourcepath",
            "routepattern",
            "routepath",
            "routename",
            "urltemplate",
            "endpoint",
            "pathtemplate",
            "reqroutepath",
        ],
        Target::Route,
    ),
    (
        &[
            "urlpath",
            "path",
            "requestpath",
            "reqpath",
            "uripath",
            "urloriginal",
            "urlfull",
            "requesturi",
            "uri",
            "requesturl",
            "requrl",
            "reqoriginalurl",
            "url",
            "httptarget",
            "httpurl",
            "originalurl",
            "httprequesturi",
        ],
        Target::Uri,
    ),
    (&["urlquery", "query", "querystring", "args"], Target::Query),
    (
        &["request", "requestline", "httprequest"],
        Target::RequestLine,
    ),
    (
        &[
            "urldomain",
            "httphost",
            "servername",
            "domainname",
            "authority",
            "vhost",
            "requesthost",
            "serveraddress",
            "reqhost",
            "reqhostname",
        ],
        Text(Field::UrlDomain),
    ),
    (
        &[
            "urlscheme",
            "scheme",
            "requestscheme",
            "httpscheme",
            "reqprotocol",
        ],
        Text(Field::UrlScheme),
    ),
    (
        &[
            "httpversion",
            "protocol",
            "serverprotocol",
            "networkprotocolversion",
            "httpflavor",
            "requestproto",
            "requestprotocol",
            "reqhttpversion",
            "httprequestversion",
        ],
        Target::Version,
    ),
    (
        &[
            "httprequestreferrer",
            "referer",
            "referrer",
            "httpreferer",
            "httpreferrer",
        ],
        Text(Field::HttpReferrer),
    ),
    (
        &[
            "httpresponsestatuscode",
            "httpstatuscode",
            "status",
            "statuscode",
            "responsestatus",
            "responsecode",
            "httpstatus",
            "resstatuscode",
            "resstatus",
            "responsestatuscode",
            "downstreamstatus",
            "httpresponsestatus",
        ],
        Target::Status,
    ),
    (
        &[
            "httprequestbytes",
            "bytesin",
            "bytesreceived",
            "requestlength",
            "requestsize",
            "reqbytes",
            "requestbytes",
            "httprequestsize",
            "inbytes",
        ],
        Int(Field::HttpRequestBytes),
    ),
    (
        &[
            "httprequestbodybytes",
            "requestbodysize",
            "httprequestbodysize",
            "bytesread",
            "requestbodybytes",
            "requestcontentsize",
        ],
        Int(Field::HttpRequestBodyBytes),
    ),
    (
        &[
            "httpresponsebytes",
            "bytesout",
            "bytessent",
            "responsesize",
            "resbytes",
            "responsebytes",
            "outbytes",
            "httpresponsesize",
        ],
        Int(Field::HttpResponseBytes),
    ),
    (
        &[
            "httpresponsebodybytes",
            "bodybytessent",
            "responselength",
            "responsebodysize",
            "httpresponsebodysize",
            "downstreamcontentsize",
            "responsebodybytes",
            "rescontentlength",
        ],
        Int(Field::HttpResponseBodyBytes),
    ),
    (
        &[
            "useragent",
            "useragentoriginal",
            "httpuseragent",
            "ua",
            "identityuseragent",
            "requseragent",
        ],
        Text(Field::UserAgent),
    ),
    (
        &[
            "tlsversion",
            "sslprotocol",
            "tlsprotocol",
            "requesttlsversion",
        ],
        Text(Field::TlsVersion),
    ),
    (
        &["tlscipher", "sslcipher", "requesttlscipher"],
        Text(Field::TlsCipher),
    ),
    (
        &["tlsclientsubject", "sslclientsdn"],
        Text(Field::TlsClientSubject),
    ),
    (
        &["servicename", "service", "app", "application", "appname"],
        Text(Field::ServiceName),
    ),
    (
        &["serviceversion", "appversion"],
        Text(Field::ServiceVersion),
    ),
    (
        &[
            "serviceenvironment",
            "environment",
            "env",
            "deploymentenvironment",
            "deploymentenvironmentname",
        ],
        Text(Field::ServiceEnvironment),
    ),
    (&["hostname", "nodename", "node"], Text(Field::HostName)),
    (&["host"], Target::Host),
    (
        &["cloudregion", "region", "awsregion"],
        Text(Field::CloudRegion),
    ),
    (
        &["upstreamaddress", "upstreamaddr", "upstreamhost"],
        Text(Field::UpstreamAddress),
    ),
    (
        &["upstreamstatus", "upstreamstatuscode"],
        Text(Field::UpstreamStatus),
    ),
    (&["upstreamduration"], Duration(Field::UpstreamDuration, NS)),
    (
        &["upstreamresponsetime"],
        Duration(Field::UpstreamDuration, S),
    ),
    (
        &[
            "upstreamservicetime",
            "integrationlatency",
            "latenciesproxy",
        ],
        Duration(Field::UpstreamDuration, MS),
    ),
    (&["eventduration"], Duration(Field::EventDuration, NS)),
    (
        &["httpserverrequestduration"],
        Duration(Field::EventDuration, S),
    ),
    (
        &["latenciesrequest", "responselatency"],
        Duration(Field::EventDuration, MS),
    ),
    (
        &[
            "errortype",
            "exceptiontype",
            "errtype",
            "errorname",
            "errname",
        ],
        Text(Field::ErrorType),
    ),
    (&["errorcode", "errcode"], Text(Field::ErrorCode)),
    (
        &[
            "errormessage",
            "error",
            "err",
            "exceptionmessage",
            "errmessage",
            "errormsg",
        ],
        Text(Field::ErrorMessage),
    ),
    (&["rulename"], Text(Field::RuleName)),
    (&["objectid", "resourceid"], Text(Field::ObjectId)),
    (&["tags"], Many(Field::Tags)),
    (
        &["correlationid", "xcorrelationid"],
        Target::Id(Id::Correlation),
    ),
    (
        &["requestid", "xrequestid", "reqid", "requestuid"],
        Target::Id(Id::Request),
    ),
    (
        &[
            "httprequestid",
            "kongrequestid",
            "xkongrequestid",
            "gatewayrequestid",
        ],
        Target::Id(Id::Gateway),
    ),
    (
        &[
            "traceid",
            "traceparent",
            "xamzntraceid",
            "xraytraceid",
            "b3",
            "xb3traceid",
            "ubertraceid",
            "sentrytrace",
            "xdatadogtraceid",
            "xcloudtracecontext",
            "ddtraceid",
            "oteltraceid",
            "traceidw3c",
        ],
        Target::Id(Id::Trace),
    ),
    (
        &[
            "cfray",
            "rayid",
            "xamznrequestid",
            "xamzrequestid",
            "xamzid2",
            "apigwrequestid",
            "xamzcfid",
            "extendedrequestid",
            "xmsrequestid",
            "xmsclientrequestid",
            "apimrequestid",
            "xazureref",
            "flyrequestid",
            "xvercelid",
            "xrenderoriginserver",
            "xgithubrequestid",
            "awsrequestid",
            "operationid",
            "transactionid",
            "lambdarequestid",
        ],
        Target::Id(Id::Vendor),
    ),
    (
        &["spanid", "xb3spanid", "ddspanid", "otelspanid"],
        Target::Span,
    ),
    (&["sessionid", "sid", "session", "sessid"], Target::Session),
    (
        &["ecsversion", "redactioncount", "redactionrules"],
        Target::Drop,
    ),
];

/// Names under which request headers are logged, folded, longest first.
const HEADER_PREFIXES: [&str; 9] = [
    "httprequestheaders",
    "httprequestheader",
    "requestheaders",
    "reqheaders",
    "responseheaders",
    "resheaders",
    "request",
    "headers",
    "http",
];

/// Headers that mean something other than the same name elsewhere.
const HEADERS: &[(&str, Target)] = &[
    ("host", Text(Field::UrlDomain)),
    ("requestid", Target::Id(Id::Vendor)),
    ("contentlength", Int(Field::HttpRequestBodyBytes)),
];

/// Names of durations, with any suffix of a unit; without one, milliseconds.
const DURATIONS: [&str; 9] = [
    "duration",
    "latency",
    "elapsed",
    "responsetime",
    "took",
    "processingtime",
    "totaltime",
    "elapsedtime",
    "httpduration",
];
const UNITS: [(&str, Unit); 14] = [
    ("", MS),
    ("ms", MS),
    ("millis", MS),
    ("milliseconds", MS),
    ("us", US),
    ("micros", US),
    ("microseconds", US),
    ("ns", NS),
    ("nanos", NS),
    ("nanoseconds", NS),
    ("s", S),
    ("sec", S),
    ("secs", S),
    ("seconds", S),
];

/// Longest name that is looked up.
const NAME_BYTES_MAX: usize = 64;

/// The table, ready for lookups.
#[derive(Debug)]
pub(super) struct Names(HashMap<Box<str>, Target, foldhash::fast::FixedState>);

impl Names {
    /// The built-in names and the operator's own names of correlation ids.
    pub(super) fn new(correlation_fields: &[String]) -> Self {
        let mut map: HashMap<Box<str>, Target, _> = HashMap::default();
        for (names, target) in TABLE {
            for name in *names {
                map.insert((*name).into(), *target);
            }
        }
        for name in DURATIONS {
            for (suffix, unit) in UNITS {
                let target = Duration(Field::EventDuration, unit);
                map.entry(format!("{name}{suffix}").into())
                    .or_insert(target);
            }
        }
        for name in correlation_fields {
            let mut buffer = [0; NAME_BYTES_MAX];
            if let Some(folded) = fold(name, &mut buffer) {
                map.insert(folded.into(), Target::Id(Id::Configured));
            }
        }
        Self(map)
    }

    /// What to do with a name; `None` where it is nothing canonical.
    pub(super) fn get(&self, name: &str) -> Option<Target> {
        let mut buffer = [0; NAME_BYTES_MAX];
        let folded = fold(name, &mut buffer)?;
        if let Some(target) = self.0.get(folded) {
            return Some(*target);
        }
        let header = HEADER_PREFIXES
            .iter()
            .find_map(|prefix| folded.strip_prefix(prefix))?;
        if let Some((_, target)) = HEADERS.iter().find(|(name, _)| *name == header) {
            return Some(*target);
        }
        // Of headers only those that are canonical by themselves, not `headers.status` and its like.
        self.0.get(header).copied().filter(|target| {
            matches!(
                target,
                Target::Id(_) | Target::Span | Target::Forwarded | Target::RealIp | Target::Country
            ) || matches!(target, Text(Field::UserAgent | Field::HttpReferrer))
        })
    }
}

/// The name without case and separators; `None` where it is too long to be in the table.
fn fold<'b>(name: &str, buffer: &'b mut [u8; NAME_BYTES_MAX]) -> Option<&'b str> {
    let mut length = 0;
    for byte in name.bytes() {
        if matches!(byte, b'_' | b'-' | b'.' | b' ') {
            continue;
        }
        *buffer.get_mut(length)? = byte.to_ascii_lowercase();
        length += 1;
    }
    std::str::from_utf8(buffer.get(..length)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, expected: Option<Target>) {
        let names = Names::new(&["x_my.Chain".into()]);
        assert_eq!(names.get(name), expected, "{name}");
    }

    #[test]
    fn no_name_stands_twice() {
        let mut seen = std::collections::HashSet::new();
        for (names, _) in TABLE {
            for name in *names {
                assert!(seen.insert(*name), "{name}");
            }
        }
    }

    #[test]
    fn spellings_of_a_name_are_one() {
        for name in ["client_ip", "clientIp", "client.ip", "Client-IP"] {
            check(name, Some(Target::Client));
        }
        check("@timestamp", Some(Time(0)));
        check("x-my-chain", Some(Target::Id(Id::Configured)));
        check("latency_ms", Some(Duration(Field::EventDuration, MS)));
        check("duration_seconds", Some(Duration(Field::EventDuration, S)));
        check("responseTime", Some(Duration(Field::EventDuration, MS)));
        check("no_such_name", None);
        check(&"x".repeat(100), None);
    }

    #[test]
    fn headers_are_found_under_every_prefix() {
        for name in [
            "headers.x-request-id",
            "request.headers.X-Request-Id",
            "http_x_request_id",
            "req.headers.x-request-id",
            "request_X-Request-Id",
            "http.request.header.x-request-id",
        ] {
            check(name, Some(Target::Id(Id::Request)));
        }
        check("request.headers.host", Some(Text(Field::UrlDomain)));
        check("headers.status", None);
        check("request.headers.authorization", None);
    }
}
