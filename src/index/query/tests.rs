use super::*;
use crate::model::{Event, Field, Timestamp, Value};

const NOW: Timestamp = Timestamp(1_795_288_351_621_000_000);

fn event() -> Event<'static> {
    let mut event = Event::new(NOW, Timestamp(NOW.0 + 1_000_000_000));
    event.push_str(Field::Message, "Connection refused by upstream, retry 3");
    event.push_str(Field::EventAction, "api.request");
    event.push_str(Field::CorrelationId, "5759E988-bd86-2e3f-e1be-46a994272793");
    event.push_str(Field::HttpRequestId, "Req-42");
    event.push_str(Field::ClientIp, "10.1.2.3");
    event.push_str(Field::NetworkPeerIp, "2001:db8::1");
    event.push_str(Field::UserId, "u-17");
    event.push_str(Field::UserName, "Alice");
    event.push(Field::HttpStatus, Value::Num("404".into()));
    event.push(Field::EventDuration, Value::Num("1500000000".into()));
    event.push_str(Field::UrlPath, "/v1/Orders/ord_12345");
    event.push_str(Field::Tags, "pci");
    event.push_str(Field::Tags, "eu");
    event.push_str(Field::ObjectId, "ord_12345");
    event.push(Field::ClientPort, Value::Num("443".into()));
    event.push_ext("price", Value::Num("73.90".into()));
    event.push_ext("flag", Value::Bool(true));
    event.push_ext("none", Value::Null);
    event.push_ext("note", Value::Str("Größe passt".into()));
    event.push_ext("deep.name", Value::Str("a:b (c)".into()));
    event
}

fn check(query: &str, expected: bool) {
    match parse(query, NOW) {
        Ok(parsed) => assert_eq!(parsed.matches(&event()), expected, "{query}: {parsed:?}"),
        Err(error) => panic!("{query}: {error}"),
    }
}

#[test]
fn queries_mean_what_they_say() {
    for yes in [
        "",
        "*",
        "connection",
        "CONNECTION refused",
        "\"connection refused\"",
        "orders",
        "passt größe",
        "conn* AND re?used",
        "status:404",
        "status:4xx",
        "status:4*",
        "status:[400 TO 499]",
        "status:{403 TO 405}",
        "status:>=404 status:<=404 status:<405 status:>403",
        "status:>403.5",
        "http.response.status_code:404",
        "status:(500 OR 404)",
        "user:alice",
        "user:U-17",
        "user.name:al*",
        "user.name:?lice",
        "client.ip:10.0.0.0/8",
        "ip:10.1.2.3",
        "ip:10.1.*",
        "network.peer.ip:2001:db8::/32",
        "ip:[10.1.0.0 TO 10.2.0.0]",
        "id:5759e988bd862e3fe1be46a994272793",
        "id:00-5759e988bd862e3fe1be46a994272793-00f067aa0ba902b7-01",
        "5759e988bd862e3fe1be46a994272793",
        "id:req-42",
        "http.request.id:REQ-42",
        "id:*",
        "id:req*",
        "path:/v1/orders/*",
        "path:/v1/orders",
        "path:\"v1 orders\"",
        "path:*ORD_123*",
        "ord_12345",
        "object.id:ORD_12345",
        "client.port:443",
        "client.port:443.0",
        "price:73.9",
        "ext.price:>70",
        "price:[70 TO 80]",
        "flag:true",
        "note:größe",
        "deep.name:\"a:b\"",
        "deep.name:a\\:b*",
        "tags:pci tags:eu",
        "tags:*",
        "NOT tags:us",
        "-tags:us",
        "!tags:us",
        "-(tags:us OR status:500)",
        "status:500 OR status:404 AND user:alice",
        "@timestamp:[now-1m TO now]",
        "@timestamp:2026-11-21",
        "time:>=2026-11-21T19:12",
        "time:<2026-11-22",
        "event.ingested:>now",
        "duration:>1s",
        "duration:1.5s",
        "NOT none:*",
        "NOT missing:*",
        "action:api.request",
        "action:[a TO b]",
        "user.name:>=alice",
        "message:refused",
        "-message:orders",
        "\"/v1/orders\"",
        "status: 404",
        "(((connection)))",
        "status:404 && user:alice || x",
        "path:~^/v1/[A-Z]",
        "path:~\"ord_\\d{5}$\"",
        "path:/^\\/v1\\/.*_\\d+$/",
        "(user:~(?i)^ALICE$) AND status:404",
        "(status:~4.4)",
        "tags:~^e.$",
        "note:~passt$",
        "ip:~^10",
        "id:~(?i)^req-[0-9]+",
        "NOT path:~^/v2",
        "(path:~^/v1)OR(path:~^/cp)",
        "(path:/ OR user.name:(alice) OR path:/)",
        "message:~\"upstream, retry\"",
    ] {
        check(yes, true);
    }
    for no in [
        "refused connection2",
        "\"refused connection\"",
        "conn",
        "ord_123*",
        "status:500",
        "status:>404",
        "status:{404 TO 500]",
        "status:404.5",
        "status:<-1",
        "user:bob",
        "ip:10.2.0.0/16",
        "ip:fe80::/10",
        "id:5759e988bd862e3fe1be46a994272794",
        "tags:us",
        "path:/v1/order",
        "object.id:ord_1",
        "price:73",
        "missing:*",
        "@timestamp:>now",
        "status:404 AND user:bob OR x",
        "NOT (status:404)",
        "client.port:44",
        "user.name:a\\*",
    ] {
        check(no, false);
    }
}

#[test]
fn errors_say_where_and_what_to_do() {
    let check = |query: &str, position: usize, part: &str| {
        let error = parse(query, NOW).expect_err(query);
        assert_eq!(error.position, position, "{query}: {error}");
        assert!(error.message.contains(part), "{query}: {error}");
        error.suggestion
    };
    assert_eq!(check("status:", 7, "missing").as_deref(), Some("status:*"));
    assert_eq!(
        check("é status:abc", 10, "number").as_deref(),
        Some("status:>=400")
    );
    assert_eq!(parse("é status:abc", NOW).unwrap_err().column, 10);
    check("ip:foo", 3, "address");
    check("ip:10.0.0.0/33", 3, "address");
    check("\"abc", 0, "quote");
    check("(a OR b", 0, "parenthesis");
    check("a) b", 1, "parenthesis");
    check("a AND", 5, "end");
    check("AND a", 0, "operator");
    check("a OR OR b", 5, "operator");
    check("status:[1 2]", 10, "TO");
    check("status:[1 TO 2", 7, "closed");
    check("---", 3, "end");
    check("&", 0, "letters");
    check("time:yesterday", 5, "time");
    check("id:[1 TO 2]", 3, "compared");
}

#[test]
fn queries_built_to_hurt_are_refused() {
    let many = vec!["a"; 10_000].join(" OR ");
    assert!(parse(&many, NOW).is_err());
    assert!(parse(&"(".repeat(10_000), NOW).is_err());
    assert!(parse(&"-".repeat(10_000), NOW).is_err());
    assert!(parse(&"NOT ".repeat(4_000), NOW).is_err());
    assert!(parse(&"x".repeat(20_000), NOW).is_err());
    assert!(parse(&vec!["status:(1)"; 257].join(" "), NOW).is_err());
}

proptest::proptest! {
    #[test]
    fn any_text_is_a_query_or_an_error(text in "\\PC{0,60}") {
        if let Err(error) = parse(&text, NOW) {
            proptest::prop_assert!(text.is_char_boundary(error.position));
        }
    }

    #[test]
    fn anything_from_our_alphabet_is_a_query_or_an_error(
        text in "([a-c:()\\[\\]{}\"*?><=!&|+ \\\\-]|AND|OR|NOT|TO|status:|ip:|now){0,20}"
    ) {
        if let Ok(query) = parse(&text, NOW) {
            let _either = query.matches(&event());
        }
    }
}
