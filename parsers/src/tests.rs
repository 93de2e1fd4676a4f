//! Golden samples, and what holds for any bytes at all.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::{Format, Note, Options, Parsed, Value, parse, parse_into, records};

fn split(body: &[u8]) -> Vec<String> {
    records(Format::Auto, body)
        .map(|record| String::from_utf8_lossy(record).into_owned())
        .collect()
}

fn check_split(body: &str, expected: &[&str]) {
    assert_eq!(split(body.as_bytes()), expected, "{body}");
}

/// `name=value` of each field; texts in quotes, numbers as written.
pub(crate) fn show(parsed: &Parsed<'_>) -> String {
    let mut text = String::new();
    for entry in &parsed.fields {
        let value = match &entry.value {
            Value::Str(text) => format!("{text:?}"),
            Value::Num(number) => number.to_string(),
            Value::Bool(truth) => truth.to_string(),
            Value::Null => "null".into(),
        };
        writeln!(text, "{}={value}", entry.name).unwrap();
    }
    text
}

fn check(record: &str, expected: &[&str]) {
    let parsed = parse(Format::Auto, record.as_bytes());
    let shown = show(&parsed);
    assert_eq!(shown.lines().collect::<Vec<_>>(), expected, "{record}");
}

fn notes(format: Format, record: &[u8]) -> Vec<Note> {
    parse(format, record).notes
}

/// Each `samples/<format>[.variant].log` is split and parsed as `<format>` and compared with its
/// `.expect`; `UPDATE=1` writes the `.expect` files anew.
#[test]
fn samples_parse_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let mut logs: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "log"))
        .collect();
    logs.sort();
    for format in Format::ALL {
        let has_sample = |path: &PathBuf| declared(path) == format;
        assert!(
            logs.iter().any(has_sample),
            "no sample for {}",
            format.name()
        );
    }
    for log in logs {
        let body = std::fs::read(&log).unwrap();
        let mut shown = String::new();
        for (number, record) in records(declared(&log), &body).enumerate() {
            let parsed = parse(declared(&log), record);
            let notes: Vec<_> = parsed.notes.iter().map(|note| note.name()).collect();
            let format = parsed.format.name();
            writeln!(shown, "# {} {format} {}", number + 1, notes.join(" ")).unwrap();
            writeln!(shown, "{}", show(&parsed)).unwrap();
        }
        let golden = log.with_extension("expect");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&golden, &shown).unwrap();
        }
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        assert_eq!(shown, expected, "{}", log.display());
    }
}

fn declared(log: &Path) -> Format {
    let stem = log.file_stem().unwrap().to_str().unwrap();
    let name = stem.split('.').next().unwrap();
    Format::from_name(name).unwrap_or_else(|| panic!("no format {name}"))
}

#[test]
fn names_read_back() {
    for format in Format::ALL {
        assert_eq!(Format::from_name(format.name()), Some(format));
    }
    assert_eq!(Format::from_name("xml"), None);
}

#[test]
fn bodies_of_every_shape_split() {
    check_split("", &[]);
    check_split(" \r\n\n", &[]);
    check_split("{\"a\":1}\r\n\r\n{\"a\":2}", &[r#"{"a":1}"#, r#"{"a":2}"#]);
    check_split(
        r#"{"a":1}{"a":2} {"a":3}"#,
        &[r#"{"a":1}"#, r#"{"a":2}"#, r#"{"a":3}"#],
    );
    check_split(r#"{"a":"}{"}"#, &[r#"{"a":"}{"}"#]);
    check_split(
        "{\n \"a\": {\n \"b\": 1\n },\n \"c\": []\n}\n{\"d\":2}\n",
        &["{\n \"a\": {\n \"b\": 1\n },\n \"c\": []\n}", r#"{"d":2}"#],
    );
    check_split(
        "[{\"a\":1},\n {\"a\":[{\"x\":1},{\"x\":2}]} , 3]\nafter",
        &[r#"{"a":1}"#, r#"{"a":[{"x":1},{"x":2}]}"#, "3", "after"],
    );
    check_split("[]", &[]);
    check_split(
        r#"[1,"a",null,{"message":"x"},[{"x":1}]]"#,
        &["1", r#""a""#, "null", r#"{"message":"x"}"#, r#"[{"x":1}]"#],
    );
    check_split(
        "[\"a\",\n {\"b\":1}\n]\nafter",
        &[r#""a""#, r#"{"b":1}"#, "after"],
    );
    for line in [
        "[error] 7#0: x",
        "[warn]",
        "[1] up",
        "[1,2] up",
        "[\"a",
        "[1,",
        "[-]",
    ] {
        check_split(line, &[line]);
    }
    check_split(
        r#"{"events":[{"a":1},{"a":2}],"n":{"x":2}}{"a":3}"#,
        &[r#"{"a":1}"#, r#"{"a":2}"#, r#"{"a":3}"#],
    );
    check_split(r#" { "logs" : [ {"a":1} ] }"#, &[r#"{"a":1}"#]);
    check_split(r#"{"events":["a","b"]}"#, &[r#"{"events":["a","b"]}"#]);
    check_split(
        "[2026-11-21] up\n\u{feff}x",
        &["[2026-11-21] up", "\u{feff}x"],
    );
    check_split("\u{feff}{\"a\":1}", &[r#"{"a":1}"#]);
    check_split("{\"a\":1},\n{\"a\":2},\n", &[r#"{"a":1}"#, r#"{"a":2}"#]);
}

#[test]
fn a_broken_record_costs_no_neighbour() {
    check_split(
        "{\"a\":1}\n{\"a\":\"open\n{\"a\":3}\n",
        &[r#"{"a":1}"#, r#"{"a":"open"#, r#"{"a":3}"#],
    );
    check_split(
        "{\"a\":1,\"b\":\n{\"a\":2}\n{\"a\":3}\n",
        &[r#"{"a":1,"b":"#, r#"{"a":2}"#, r#"{"a":3}"#],
    );
    check_split("{\"a\":[{\n{\"a\":2}\n", &[r#"{"a":[{"#, r#"{"a":2}"#]);
    check_split("}{\"a\":1}\n{\"a\":2}", &["}{\"a\":1}", r#"{"a":2}"#]);
    check_split("{\"a\":]}\n{\"a\":2}", &[r#"{"a":]}"#, r#"{"a":2}"#]);
    check_split(
        r#"[{"a":1},{"b":,{"a":3}]"#,
        &[r#"{"a":1}"#, r#"{"b":"#, r#"{"a":3}"#],
    );
    check_split(
        r#"[{"a":"x},{"b":"y"},{"c":1}]"#,
        &[r#"{"a":"x}"#, r#"{"b":"y"}"#, r#"{"c":1}"#],
    );
    check_split(
        "[{\"a\":1},\n{\"b\":\"x,\n{\"c\":1}]",
        &[r#"{"a":1}"#, r#"{"b":"x"#, r#"{"c":1}"#],
    );
    check_split(
        "{\"events\":[{\"a\":1}\n{\"a\":2}\n",
        &[r#"{"a":1}"#, r#"{"a":2}"#],
    );
}

#[test]
fn hostile_bodies_split_in_linear_time() {
    for piece in [
        "{\"a\":[\n",
        "[{\"a\":\n",
        "{",
        "[",
        "[{",
        "{\"a\":{\n",
        "{\"events\":[{\n",
        "{}",
        "[{}",
        "{\"events\":[{}]",
        "{ \"\n",
        "[{,",
        "[1,\n",
        "[1]",
        "[1] \n",
        "[\"",
        "[\"\n",
    ] {
        let body = piece.repeat((1 << 20) / piece.len());
        assert!(
            records(Format::Auto, body.as_bytes()).count() > 0,
            "{piece}"
        );
    }
}

#[test]
fn objects_become_flat_fields() {
    check(
        r#"{"a":{"b":{"c":1.50}},"d":[1,"x",{"e":null},[true]],"a":-0.1e+9}"#,
        &[
            "a.b.c=1.50",
            "d=1",
            "d=\"x\"",
            "d.2.e=null",
            "d.3=true",
            "a=-0.1e+9",
        ],
    );
    check("{}", &[]);
    check(r#" { "a" : [ ] , "b" : { } , "" : false } "#, &["=false"]);
    check(
        r#"{"n":007,"m":NaN,"o":-Infinity,"p":.5}"#,
        &["n=\"007\"", "m=\"NaN\"", "o=\"-Infinity\"", "p=\".5\""],
    );
}

#[test]
fn escapes_are_undone() {
    check(
        r#"{"a\tb":"\"\\\/\b\f\n\r\t","u":"\u00e9\uD83D\uDE00\ud83dx\udc00","z":"\u0000"}"#,
        &[
            "a\tb=\"\\\"\\\\/\\u{8}\\u{c}\\n\\r\\t\"",
            "u=\"é😀\u{fffd}x\u{fffd}\"",
            "z=\"\\0\"",
        ],
    );
    let parsed = parse(Format::Json, br#"{"plain":"text","n":1}"#);
    for entry in &parsed.fields {
        assert!(matches!(entry.name, std::borrow::Cow::Borrowed(_)));
    }
}

#[test]
fn what_is_no_object_is_its_own_message() {
    for record in [
        "{",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\":1}}",
        "{\"a\":tru}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12\"}",
        "{a:1}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":truex}",
        "{\"a\":[1}",
    ] {
        let parsed = parse(Format::Auto, record.as_bytes());
        assert_eq!(show(&parsed), format!("message={record:?}\n"));
        assert_eq!(parsed.notes, [Note::Unparsed], "{record}");
    }
    assert_eq!(notes(Format::Json, b"plain"), [Note::Unparsed]);
    assert_eq!(notes(Format::Combined, b"plain"), [Note::Unparsed]);
    for line in ["plain", "error", "12 monkeys", "\"a\" b", "[a]"] {
        assert_eq!(notes(Format::Auto, line.as_bytes()), [], "{line}");
    }
    for element in ["1", "-0.5e3", "\"a\"", "null", "true", "[{\"x\":1}]"] {
        assert_eq!(
            notes(Format::Auto, element.as_bytes()),
            [Note::Unparsed],
            "{element}"
        );
    }
}

#[test]
fn bounds_cut_and_say_so() {
    let many: Vec<String> = (0..2000).map(|n| format!("\"k{n}\":{n}")).collect();
    let parsed_text = format!("{{{}}}", many.join(","));
    let parsed = parse(Format::Auto, parsed_text.as_bytes());
    assert_eq!(
        (parsed.fields.len(), parsed.notes),
        (1024, vec![Note::FieldsTruncated])
    );

    let deep = format!(
        "{{\"x\":1,\"a\":{}1{},\"b\":2}}",
        "{\"a\":".repeat(1000),
        "}".repeat(1000)
    );
    let parsed = parse(Format::Auto, deep.as_bytes());
    assert_eq!(show(&parsed), "x=1\nb=2\n");
    assert_eq!(parsed.notes, [Note::DepthTruncated]);
    let deep = format!("{{\"x\":1,\"a\":{}1{}}}", "[".repeat(40), "]".repeat(40));
    assert_eq!(notes(Format::Auto, deep.as_bytes()), [Note::DepthTruncated]);

    let long = format!("{{\"a\":\"{}\",\"b\":1}}", "é".repeat(40_000));
    let parsed = parse(Format::Auto, long.as_bytes());
    assert_eq!(
        (parsed.fields.len(), parsed.notes),
        (2, vec![Note::ValueTruncated])
    );

    let named = format!("{{\"{}\":1}}", "n".repeat(600));
    let parsed = parse(Format::Auto, named.as_bytes());
    assert_eq!(
        (&*parsed.fields[0].name, parsed.notes),
        ("long_name", vec![Note::NameTruncated])
    );

    let huge = format!("{{\"a\":1,\"b\":\"{}\"}}", "x".repeat(10 << 20));
    let parsed = parse(Format::Auto, huge.as_bytes());
    assert_eq!(show(&parsed), "a=1\n");
    assert_eq!(parsed.notes, [Note::RecordTruncated]);
}

#[test]
fn bytes_that_are_no_text_are_replaced() {
    let parsed = parse(Format::Auto, b"{\"a\":\"x\xff\",\"b\":\"\0\"}");
    assert_eq!(show(&parsed), "a=\"x\u{fffd}\"\nb=\"\\0\"\n");
    assert_eq!(parsed.notes, [Note::InvalidUtf8]);
    assert_eq!(notes(Format::Auto, b"\xff\xfe"), [Note::InvalidUtf8]);
}

#[test]
fn access_lines_with_extra_fields() {
    let line = concat!(
        r#"shop.example:443 203.0.113.9 - John Doe [21/Nov/2026:19:14:33 +0000] "GET /a\x22b?q=\xC3\xA9 HTTP/1.1""#,
        r#" 200 12 "-" "curl/8 \"x\"" 0.005 0.004 "198.51.100.7, 10.0.0.1" "7f9c24e5a1b2c3d4" rt=1.5 uct="0.1" odd"#
    );
    check(
        line,
        &[
            "remote_addr=\"203.0.113.9\"",
            "server_name=\"shop.example:443\"",
            "remote_user=\"John Doe\"",
            "time_local=\"21/Nov/2026:19:14:33 +0000\"",
            "request=\"GET /a\\\"b?q=é HTTP/1.1\"",
            "status=200",
            "body_bytes_sent=12",
            "http_user_agent=\"curl/8 \\\"x\\\"\"",
            "request_time=\"0.005\"",
            "upstream_response_time=\"0.004\"",
            "http_x_forwarded_for=\"198.51.100.7, 10.0.0.1\"",
            "request_id=\"7f9c24e5a1b2c3d4\"",
            "request_time=\"1.5\"",
            "upstream_connect_time=\"0.1\"",
            "extra.7=\"odd\"",
        ],
    );
}

fn is_bounded(parsed: &Parsed<'_>, options: &Options, record: &[u8]) -> bool {
    let text_of = |value: &Value<'_>| match value {
        Value::Str(text) | Value::Num(text) => text.len(),
        Value::Bool(_) | Value::Null => 0,
    };
    let total: usize = parsed
        .fields
        .iter()
        .map(|entry| text_of(&entry.value))
        .sum();
    parsed.fields.len() <= options.fields_max
        && total <= record.len() * 3
        && parsed.fields.iter().all(|entry| {
            text_of(&entry.value) <= options.value_bytes_max
                && entry.name.len() <= options.name_bytes_max.max("upstream_response_time".len())
        })
}

/// Bytes that look like JSON often enough to get somewhere.
fn jsonish() -> impl Strategy<Value = Vec<u8>> {
    let token = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "\\",
        "\n",
        " ",
        "\"a\"",
        "\"key\":",
        "1",
        "-2.5e3",
        "true",
        "null",
        "\\u",
        "d83d",
        "\\ud83d",
        "é",
        "{\"a\":1}",
        "\"events\":[",
        "[{",
        "}]",
        "\u{0}",
    ]);
    let piece = prop_oneof![
        8 => token.prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..8),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_bytes_never_panic_and_stay_bounded(bytes in jsonish(), small in any::<bool>()) {
        let tight = Options { fields_max: 3, depth_max: 2, value_bytes_max: 5, record_bytes_max: 40, name_bytes_max: 4 };
        let options = if small { tight } else { Options::DEFAULT };
        for format in Format::ALL {
            let mut parsed = Parsed::default();
            parse_into(&mut parsed, format, &bytes, &options);
            prop_assert!(is_bounded(&parsed, &options, &bytes), "{:?}", parsed);
            for record in records(format, &bytes) {
                parse_into(&mut parsed, format, record, &options);
                prop_assert!(is_bounded(&parsed, &options, record));
            }
        }
    }

    #[test]
    fn records_are_pieces_in_order(bytes in jsonish()) {
        let mut behind = bytes.as_ptr() as usize;
        for record in records(Format::Auto, &bytes) {
            let start = record.as_ptr() as usize;
            prop_assert!(start >= behind && !record.is_empty());
            behind = start + record.len();
        }
        prop_assert!(behind <= bytes.as_ptr() as usize + bytes.len());
    }

    #[test]
    fn garbage_lines_cost_no_other_line(
        lines in prop::collection::vec((any::<bool>(), "[ -~]{0,40}"), 1..20),
    ) {
        let mut body = String::new();
        let mut good = Vec::new();
        for (number, (is_good, garbage)) in lines.iter().enumerate() {
            // Lines that open a wrapper or an array on purpose are another format, not garbage.
            let line = if *is_good {
                let line = format!("{{\"n\":{number},\"m\":{{\"x\":[{number}]}}}}");
                good.push(line.clone());
                line
            } else {
                format!("{{\"{}", garbage.replace("\"events\"", ""))
            };
            body.push_str(&line);
            body.push('\n');
        }
        let found = split(body.as_bytes());
        let kept: Vec<_> = good.iter().filter(|line| found.contains(line)).collect();
        prop_assert_eq!(kept.len(), good.len(), "{} -> {:?}", body, found);
    }

    #[test]
    fn json_agrees_with_a_plain_writer(
        pairs in prop::collection::vec(("[a-z]{1,8}", ".{0,20}"), 0..10),
    ) {
        let quote = |text: &str| {
            let mut out = String::from("\"");
            for c in text.chars() {
                match c {
                    '"' | '\\' => { out.push('\\'); out.push(c); }
                    c if c < ' ' => write!(out, "\\u{:04x}", u32::from(c)).unwrap(),
                    c => out.push(c),
                }
            }
            out + "\""
        };
        let members: Vec<_> = pairs.iter().map(|(k, v)| format!("{}:{}", quote(k), quote(v))).collect();
        let text = format!("{{{}}}", members.join(","));
        let parsed = parse(Format::Json, text.as_bytes());
        let read: Vec<_> = parsed.fields.iter().map(|entry| match &entry.value {
            Value::Str(text) => (entry.name.to_string(), text.to_string()),
            other => panic!("{other:?}"),
        }).collect();
        prop_assert_eq!(read, pairs);
    }
}
