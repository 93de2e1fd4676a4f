//! The table of names: what the sources' fields mean. Adding a name is adding a word here.
//!
//! Words are names after folding (`names.rs`): lower case, without `_ - . ` and space. Sources:
//! reference/ingest.md §4.3, ECS, OpenTelemetry, nginx, pino, common spellings.

use super::names::Target::{self, Duration, Int, Many, Text, Time};
use super::names::{Id, MS, NS, S};
use crate::model::Field;

/// Names, separated by spaces, and what is done with their values.
pub(super) const TABLE: &[(&str, Target)] = &[
    ("message msg log shortmessage", Text(Field::Message)),
    ("eventid logrecorduid", Text(Field::EventId)),
    ("eventkind", Target::Kind),
    ("eventcategory", Many(Field::EventCategory)),
    ("eventaction", Target::Action),
    (
        "event eventtype eventname action activity",
        Target::KnownAction,
    ),
    ("eventoutcome outcome result", Target::Outcome),
    ("eventreason reason failurereason", Text(Field::EventReason)),
    ("eventseverity", Int(Field::EventSeverity)),
    ("eventdataset datastreamdataset", Text(Field::EventDataset)),
    (
        "loglevel level severity severitytext lvl levelname",
        Target::Level,
    ),
    ("@timestamp", Time(0)),
    ("timestamp time ts eventtime datetime", Time(1)),
    (
        "starttime startedat requesttimeepoch msec timeiso8601 startutc",
        Time(2),
    ),
    ("date timelocal eventcreated observedtimestamp", Time(3)),
    ("requesttime", Target::RequestTime),
    (
        "clientip srcip ip sourceip ipaddress clientaddress clientaddr userip networkclientip \
         httpclientip identitysourceip requestclientip reqip clienthost sourceaddress srcaddr \
         callerip callerippaddress",
        Target::Client,
    ),
    (
        "remoteaddr remoteaddress remoteip reqremoteaddress reqremoteaddr requestremoteip \
         requestremoteaddr peer peerip peeraddress netpeerip netsockpeeraddr \
         networkpeeraddress networkpeerip downstreamremoteaddress \
         downstreamdirectremoteaddress",
        Target::Peer,
    ),
    (
        "xforwardedfor forwardedfor networkforwardedchain xff",
        Target::Forwarded,
    ),
    ("xrealip trueclientip cfconnectingip", Target::RealIp),
    (
        "clientport srcport sourceport remoteport reqremoteport",
        Text(Field::ClientPort),
    ),
    (
        "clientgeocountryisocode sourcegeocountryisocode geoipcountrycode countrycode country \
         cfipcountry geocountry",
        Target::Country,
    ),
    (
        "clientgeocityname sourcegeocityname city geoipcity",
        Text(Field::ClientCity),
    ),
    ("clientasnumber sourceasnumber asn", Int(Field::ClientAsn)),
    (
        "clientasorganizationname sourceasorganizationname asnorg",
        Text(Field::ClientAsOrg),
    ),
    (
        "userid uid usrid enduserid sub jwtsub principalid authorizerprincipalid \
         authorizerclaimssub consumerid actorid accountid requserid",
        Text(Field::UserId),
    ),
    (
        "username user login remoteuser usrname consumerusername clientusername requser \
         requserusername actor actorname",
        Text(Field::UserName),
    ),
    ("useremail email", Text(Field::UserEmail)),
    ("userroles roles role userrole", Many(Field::UserRoles)),
    ("userdomain", Text(Field::UserDomain)),
    (
        "authmethod authtype authenticationmethod",
        Text(Field::AuthMethod),
    ),
    (
        "authcredentialid apikeyid keyid authenticatedentityid identityapikeyid credentialid \
         accesskeyid tokenid",
        Text(Field::AuthCredentialId),
    ),
    (
        "apiconsumer consumer clientid appid consumername",
        Text(Field::ApiConsumer),
    ),
    ("organizationid orgid org", Text(Field::OrganizationId)),
    ("tenantid tenant", Text(Field::TenantId)),
    (
        "httprequestmethod httpmethod method requestmethod reqmethod verb",
        Target::Method,
    ),
    (
        "httproute route routekey resourcepath routepattern routepath routename urltemplate \
         endpoint pathtemplate reqroutepath",
        Target::Route,
    ),
    (
        "urlpath path requestpath reqpath uripath urloriginal urlfull requesturi uri \
         requesturl requrl reqoriginalurl url httptarget httpurl originalurl httprequesturi",
        Target::Uri,
    ),
    ("urlquery query querystring args", Target::Query),
    ("request requestline httprequest", Target::RequestLine),
    (
        "urldomain httphost servername domainname authority vhost requesthost serveraddress \
         reqhost reqhostname",
        Text(Field::UrlDomain),
    ),
    (
        "urlscheme scheme requestscheme httpscheme reqprotocol",
        Text(Field::UrlScheme),
    ),
    (
        "httpversion protocol serverprotocol networkprotocolversion httpflavor requestproto \
         requestprotocol reqhttpversion httprequestversion",
        Target::Version,
    ),
    (
        "httprequestreferrer referer referrer httpreferer httpreferrer",
        Text(Field::HttpReferrer),
    ),
    (
        "httpresponsestatuscode httpstatuscode status statuscode responsestatus responsecode \
         httpstatus resstatuscode resstatus responsestatuscode downstreamstatus \
         httpresponsestatus",
        Target::Status,
    ),
    (
        "httprequestbytes bytesin bytesreceived requestlength requestsize reqbytes \
         requestbytes httprequestsize inbytes",
        Int(Field::HttpRequestBytes),
    ),
    (
        "httprequestbodybytes requestbodysize httprequestbodysize bytesread requestbodybytes \
         requestcontentsize",
        Int(Field::HttpRequestBodyBytes),
    ),
    (
        "httpresponsebytes bytesout bytessent responsesize resbytes responsebytes outbytes \
         httpresponsesize",
        Int(Field::HttpResponseBytes),
    ),
    (
        "httpresponsebodybytes bodybytessent responselength responsebodysize \
         httpresponsebodysize downstreamcontentsize responsebodybytes rescontentlength",
        Int(Field::HttpResponseBodyBytes),
    ),
    (
        "useragent useragentoriginal httpuseragent ua identityuseragent requseragent",
        Text(Field::UserAgent),
    ),
    (
        "tlsversion sslprotocol tlsprotocol requesttlsversion",
        Text(Field::TlsVersion),
    ),
    (
        "tlscipher sslcipher requesttlscipher",
        Text(Field::TlsCipher),
    ),
    (
        "tlsclientsubject sslclientsdn",
        Text(Field::TlsClientSubject),
    ),
    (
        "servicename service app application appname",
        Text(Field::ServiceName),
    ),
    ("serviceversion appversion", Text(Field::ServiceVersion)),
    (
        "serviceenvironment environment env deploymentenvironment deploymentenvironmentname",
        Text(Field::ServiceEnvironment),
    ),
    ("hostname nodename node", Text(Field::HostName)),
    ("host", Target::Host),
    ("cloudregion region awsregion", Text(Field::CloudRegion)),
    (
        "upstreamaddress upstreamaddr upstreamhost",
        Text(Field::UpstreamAddress),
    ),
    (
        "upstreamstatus upstreamstatuscode",
        Text(Field::UpstreamStatus),
    ),
    ("upstreamduration", Duration(Field::UpstreamDuration, NS)),
    ("upstreamresponsetime", Duration(Field::UpstreamDuration, S)),
    (
        "upstreamservicetime integrationlatency latenciesproxy",
        Duration(Field::UpstreamDuration, MS),
    ),
    ("eventduration", Duration(Field::EventDuration, NS)),
    (
        "httpserverrequestduration",
        Duration(Field::EventDuration, S),
    ),
    (
        "latenciesrequest responselatency",
        Duration(Field::EventDuration, MS),
    ),
    (
        "errortype exceptiontype errtype errorname errname",
        Text(Field::ErrorType),
    ),
    ("errorcode errcode", Text(Field::ErrorCode)),
    (
        "errormessage error err exceptionmessage errmessage errormsg",
        Text(Field::ErrorMessage),
    ),
    ("rulename", Text(Field::RuleName)),
    ("objectid resourceid", Text(Field::ObjectId)),
    ("tags", Many(Field::Tags)),
    ("correlationid xcorrelationid", Target::Id(Id::Correlation)),
    (
        "requestid xrequestid reqid requestuid",
        Target::Id(Id::Request),
    ),
    (
        "httprequestid kongrequestid xkongrequestid gatewayrequestid",
        Target::Id(Id::Gateway),
    ),
    (
        "traceid traceparent xamzntraceid xraytraceid b3 xb3traceid ubertraceid sentrytrace \
         xdatadogtraceid xcloudtracecontext ddtraceid oteltraceid traceidw3c",
        Target::Id(Id::Trace),
    ),
    (
        "cfray rayid xamznrequestid xamzrequestid xamzid2 apigwrequestid xamzcfid \
         extendedrequestid xmsrequestid xmsclientrequestid apimrequestid xazureref \
         flyrequestid xvercelid xrenderoriginserver xgithubrequestid awsrequestid operationid \
         transactionid lambdarequestid",
        Target::Id(Id::Vendor),
    ),
    ("spanid xb3spanid ddspanid otelspanid", Target::Span),
    ("sessionid sid session sessid", Target::Session),
    ("ecsversion redactioncount redactionrules", Target::Drop),
];
