//! Every feature of detections: one event that fits, one that does not. The rows follow the order of the
//! specification (rules, modifiers).

use std::collections::BTreeMap;

use crate::record::{Record, Scalar};
use crate::{Engine, LoadOptions, RuleFile, RuleSet};

fn load(detection: &str) -> Result<RuleSet, String> {
    let body: String = detection
        .lines()
        .map(|line| format!("  {line}\n"))
        .collect();
    let text = format!("title: t\nlogsource: {{category: webserver}}\ndetection:\n{body}");
    let file = RuleFile {
        path: "t.yml".into(),
        text: text.into(),
    };
    let lists = BTreeMap::from([(
        "Admins".to_owned(),
        vec!["root".to_owned(), "adm*".to_owned()],
    )]);
    let options = LoadOptions {
        placeholders: lists,
        ..LoadOptions::default()
    };
    let (set, errors) = RuleSet::load_with(&[file], &options);
    match errors.into_iter().next() {
        None => Ok(set),
        Some(error) => Err(error.to_string()),
    }
}

/// `a=text`, `a:=number`, `a=` (empty), `a!` (null), separated by `;`.
fn record(text: &str) -> Record {
    let mut record = Record::default();
    for part in text.split(';').filter(|p| !p.is_empty()) {
        if let Some((name, number)) = part.split_once(":=") {
            let value = match number {
                "true" => Scalar::Bool(true),
                "false" => Scalar::Bool(false),
                _ => Scalar::Number(number.into()),
            };
            record.push(name, value);
        } else if let Some((name, value)) = part.split_once('=') {
            record.push(name, Scalar::Text(value.into()));
        } else if let Some(name) = part.strip_suffix('!') {
            record.push(name, Scalar::Null);
        }
    }
    record
}

fn fits(set: RuleSet, event: &str) -> bool {
    let mut engine = Engine::new(set, [0, 0]);
    let names = engine.fields().to_vec();
    let mut found = Vec::new();
    engine.matching(&record(event).bind(&names), &mut found);
    !found.is_empty()
}

fn check(detection: &str, positive: &[&str], negative: &[&str]) {
    for (events, expected) in [(positive, true), (negative, false)] {
        for event in events {
            let set = load(detection).unwrap_or_else(|e| panic!("{detection}: {e}"));
            assert_eq!(fits(set, event), expected, "{detection}\n on {event}");
        }
    }
}

/// A selection of one item.
fn item(line: &str, positive: &[&str], negative: &[&str]) {
    check(
        &format!("sel:\n  {line}\ncondition: sel"),
        positive,
        negative,
    );
}

fn refused(detection: &str, part: &str) {
    let error = load(detection)
        .err()
        .unwrap_or_else(|| panic!("accepted: {detection}"));
    assert!(error.contains(part), "{detection}: {error}");
}

#[test]
fn search_identifiers() {
    check(
        "sel:\n  - one\n  - two*x\ncondition: sel",
        &["a=ONE more", "b=it's two yx"],
        &["a=on e", "a:=1"],
    );
    check("sel: word\ncondition: sel", &["a=a word"], &["a=a wor"]);
    check(
        "sel:\n  '|all':\n    - one\n    - two\ncondition: sel",
        &["a=one;b=two"],
        &["a=one"],
    );
    check(
        "sel:\n  '|re': 'x\\d+'\ncondition: sel",
        &["a=yx12"],
        &["a=xx"],
    );
    check(
        "sel:\n  a: 1\n  b: 2\ncondition: sel",
        &["a=1;b=2"],
        &["a=1", "a=1;b=3"],
    );
    check(
        "sel:\n  - a: 1\n  - b: 2\ncondition: sel",
        &["a=1", "b=2"],
        &["a=2;b=1"],
    );
    check(
        "sel:\n  a: [x, 'y*']\ncondition: sel",
        &["a=X", "a=yes"],
        &["a=z"],
    );
    check(
        "sel:\n  a: x\n_off:\n  b: y\ncondition: 1 of them",
        &["a=x"],
        &["b=y"],
    );
    check(
        "sel:\n  a: x\nother:\n  b: y\ncondition:\n  - sel\n  - other",
        &["a=x", "b=y"],
        &["c=1"],
    );
    check(
        "s1:\n  a: x\ns2:\n  b: y\ncondition: all of s*",
        &["a=x;b=y"],
        &["a=x"],
    );
    check(
        "s1:\n  a: x\ns2:\n  b: y\ncondition: s1 and not s2",
        &["a=x;b=z"],
        &["a=x;b=y"],
    );
    check(
        "s1:\n  a: x\ns2:\n  b: y\ns3:\n  c: z\ncondition: 2 of s*",
        &["a=x;c=z"],
        &["a=x"],
    );
}

#[test]
fn values() {
    item(
        "a: Word",
        &["a=wORD", "a=other;a=word"],
        &["a=words", "b=word"],
    );
    item(
        "a: 401",
        &["a:=401", "a=401", "a:=401.0"],
        &["a:=4010", "a=x401"],
    );
    item("a: 1.5", &["a:=1.50", "a=1.5"], &["a:=15"]);
    item("a: -3", &["a:=-3"], &["a:=3"]);
    item("a: true", &["a:=true", "a=True"], &["a:=false", "a=1"]);
    item("a: ''", &["a="], &["a=x", "b=x", "a!"]);
    item("a: null", &["b=1", "a!"], &["a=", "a=x"]);
    item("a: 'x*z'", &["a=xyz", "a=XZ"], &["a=xyzw"]);
    item("a: 'x?z'", &["a=xyz"], &["a=xz"]);
    item(r"a: 'x\*z'", &["a=x*z"], &["a=xyz"]);
    item(r"a: 'x\\*z'", &[r"a=x\yz"], &["a=x*z"]);
    item(r"a: 'C:\Temp\x.exe'", &[r"a=c:\temp\X.EXE"], &["a=c:temp"]);
    item("a: 'ÄÖ'", &["a=äö"], &["a=ao"]);
    item("a.b-c: x", &["a.b-c=x"], &["a=x"]);
}

#[test]
fn text_modifiers() {
    item("a|contains: mid", &["a=xMIDx"], &["a=mi d"]);
    item("a|contains: 'm*d'", &["a=xxm--dxx"], &["a=dm"]);
    item("a|startswith: ab", &["a=ABc"], &["a=cab"]);
    item("a|endswith: yz", &["a=xYZ"], &["a=yzx"]);
    item(
        "a|contains|all: [x1, y1]",
        &["a=-y1-x1-"],
        &["a=x1", "a=y1"],
    );
    item("a|all: ['*x*', '*y*']", &["a=yx"], &["a=x"]);
    item("a|contains: [x1, y1]", &["a=-y1"], &["a=1"]);
    item("a|cased: Word", &["a=Word"], &["a=word"]);
    item("a|contains|cased: Word", &["a=aWordb"], &["a=awordb"]);
    item("a|exists: true", &["a=", "a!"], &["b=1"]);
    item("a|exists: false", &["b=1"], &["a=x"]);
    item("a|neq: x", &["a=y", "b=1"], &["a=X"]);
    item("a|neq: [x, y]", &["a=z"], &["a=y"]);
    item("a|contains|neq: x", &["a=y"], &["a=yxy"]);
    item(
        "a|windash|contains: ' -s'",
        &["a=x /s", "a=x -S", "a=x \u{2013}s"],
        &["a=x _s"],
    );
    item(
        "a|contains|windash: '-a -b'",
        &["a=/a -b", "a=-a \u{2015}b"],
        &["a=a b"],
    );
    item(
        "a|expand: '%Admins%'",
        &["a=root", "a=admin1"],
        &["a=%Admins%"],
    );
    item(r"a|expand: '\%Admins%x'", &["a=%Admins%x"], &["a=rootx"]);
    item("a: '%Admins%'", &["a=%Admins%"], &["a=root"]);
}

#[test]
fn expressions_and_encodings() {
    item("a|re: '^ab+c$'", &["a=abbc"], &["a=ABC", "a=xabc"]);
    item("a|re: 'b{2,3}'", &["a=xbbx"], &["a=b"]);
    item("a|re|i: 'AB'", &["a=xab"], &["a=x"]);
    item("a|re|m: '^b$'", &["a=a\nb"], &["a=ab"]);
    item("a|re|s: 'a.b'", &["a=a\nb"], &["a=ab"]);
    item("a|re: 'a.b'", &["a=a-b"], &["a=a\nb"]);
    item("a|re: ['x1', 'y1']", &["a=y1"], &["a=z"]);
    item("a|base64: foobar", &["a=Zm9vYmFy"], &["a=foobar"]);
    for shifted in ["Zm9vYmFy", "IGZvb2Jhcg==", "ICBmb29iYXI="] {
        item(
            "a|base64offset|contains: foobar",
            &[&format!("a=xx{shifted}")],
            &["a=foobar"],
        );
    }
    item("a|utf16le|base64: cmd", &["a=YwBtAGQA"], &["a=Y21k"]);
    item(
        "a|wide|base64offset|contains: cmd",
        &["a=xYwBtAGQAx"],
        &["a=Y21k"],
    );
    item("a|utf16be|base64: cmd", &["a=AGMAbQBk"], &["a=YwBtAGQA"]);
    item("a|utf16|base64: cmd", &["a=//5jAG0AZAA="], &["a=YwBtAGQA"]);
    item("a|windash|base64: '-x'", &["a=LXg=", "a=L3g="], &["a=X3g="]);
}

#[test]
fn numbers_networks_dates_and_other_fields() {
    item("a|lt: 5", &["a:=4.9", "a=4"], &["a:=5", "a=x", "b:=1"]);
    item("a|lte: 5", &["a:=5"], &["a:=5.1"]);
    item("a|gt: 5", &["a:=6"], &["a:=5"]);
    item("a|gte: 5", &["a:=5"], &["a:=4"]);
    item("a|gte|neq: 5", &["a:=4"], &["a:=5"]);
    item(
        "a|cidr: 10.0.0.0/8",
        &["a=10.255.0.1", "a=::ffff:10.1.1.1"],
        &["a=11.0.0.1", "a=x"],
    );
    item(
        "a|cidr: [192.0.2.0/24, '2001:db8::/32']",
        &["a=2001:db8::1", "a=192.0.2.9"],
        &["a=2001:db9::1"],
    );
    item("a|cidr: 0.0.0.0/0", &["a=9.9.9.9"], &["a=::1"]);
    item("a|fieldref: b", &["a=x;b=X"], &["a=x;b=y", "a=x"]);
    item("a|fieldref|neq: b", &["a=x;b=y"], &["a=x;b=x"]);
    item("a|fieldref|startswith: b", &["a=xy;b=x"], &["a=yx;b=x"]);
    item("a|fieldref|contains: b", &["a=yxy;b=x"], &["a=y;b=x"]);
    item("a|fieldref|cased: b", &["a=x;b=x"], &["a=x;b=X"]);
    item(
        "a|hour|gte: 20",
        &["a=2026-11-21T20:00:00Z"],
        &["a=2026-11-21T19:59:00Z", "a=x"],
    );
    item(
        "a|minute: 7",
        &["a=2026-11-21T20:07:00Z"],
        &["a=2026-11-21T20:08:00Z"],
    );
    item("a|day: 21", &["a=2026-11-21"], &["a=2026-11-22"]);
    item("a|week: 47", &["a=2026-11-21"], &["a=2026-11-30"]);
    item("a|month|lt: 6", &["a=2026-05-01"], &["a=2026-06-01"]);
    item("a|year: 2026", &["a=2026-05-01"], &["a=2025-06-01"]);
}

#[test]
fn what_is_wrong_is_refused_and_named() {
    for (line, part) in [
        ("a|nope: x", "`nope` is not known"),
        ("a|all: x", "at least two"),
        ("a|re: '(?=x)'", "look-around"),
        ("a|re: '('", "regular expression"),
        ("a|re|contains: x", "combined"),
        ("a|i: x", "behind `re`"),
        ("a|cidr: 10.0.0.0/33", "not a network"),
        ("a|lt: x", "needs one number"),
        ("a|exists: x", "true or false"),
        ("a|expand: '%Nope%'", "no list"),
        ("a|base64: 'x*'", "wildcards"),
        ("a|contains: null", "null"),
        ("a: [x, null]", "list"),
        ("a: [[x]]", "cannot be a list"),
        ("a: {b: c}", "cannot be a map"),
        ("a|cased|cased: x", "twice"),
        ("a|utf16: é", "base64"),
        ("a: []", "empty"),
    ] {
        refused(&format!("sel:\n  {line}\ncondition: sel"), part);
    }
    refused("sel:\n  a: x", "`condition` is missing");
    refused(
        "sel:\n  a: x\ncondition: sel | count() > 5",
        "correlation rule",
    );
    refused("sel: {}\ncondition: sel", "empty");
    let dashes = format!(
        "sel:\n  a|windash|base64: '{}'\ncondition: sel",
        "-".repeat(30)
    );
    refused(&dashes, "too many");
}

#[test]
fn rules_run_where_their_log_source_is_ours() {
    let run = |source: &str, event: &str| {
        let text = format!(
            "title: t\nlogsource: {source}\ndetection: {{sel: {{a: x}}, condition: sel}}\n"
        );
        let file = RuleFile {
            path: "t".into(),
            text: text.into(),
        };
        let (set, errors) = RuleSet::load(&[file]);
        assert_eq!(errors, []);
        let active = set.rules()[0].active;
        (active, fits(set, event))
    };
    for source in [
        "{category: webserver}",
        "{category: proxy}",
        "{category: api_access}",
    ] {
        assert_eq!(run(source, "a=x"), (true, true), "{source}");
    }
    for source in [
        "{product: windows, category: process_creation}",
        "{product: windows, service: security}",
        "{category: webserver, product: windows}",
        "{service: sshd}",
        "{}",
    ] {
        assert_eq!(run(source, "a=x"), (false, false), "{source}");
    }
    let nginx = "{category: webserver, product: nginx}";
    assert_eq!(run(nginx, "a=x;event.dataset=nginx.access"), (true, true));
    assert_eq!(run(nginx, "a=x;event.dataset=combined"), (true, true));
    assert_eq!(run(nginx, "a=x;event.dataset=kong"), (true, false));
}
