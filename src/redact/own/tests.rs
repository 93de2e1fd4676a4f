use super::super::tests::short;
use super::super::{Options, Redactor, TagKey};
use super::*;
use crate::model::{Event, Field, Timestamp, Value, text_of};

fn options(text: &str) -> Options {
    toml::from_str(text).unwrap()
}

fn redactor(text: &str) -> Redactor {
    let options = options(text);
    let own = Own::new(&options).unwrap();
    let redactor = Redactor::new(options, TagKey::from_bytes(&[7; 32]));
    redactor.take_over(own);
    redactor
}

fn line(redactor: &Redactor, text: &str) -> String {
    short(std::str::from_utf8(&redactor.redact_line(text.as_bytes())).unwrap())
}

/// Names and values of an event's fields after redaction.
fn cleaned(redactor: &Redactor, fields: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut event = Event::new(Timestamp(1), Timestamp(2));
    for (name, value) in fields {
        match Field::from_name(name) {
            Some(field) => event.push_str(field, *value),
            None => event.push_ext(*name, Value::Str((*value).into())),
        }
    }
    let clean = redactor.redact(event);
    let shown = clean.fields().iter().map(|(name, value)| {
        let text = text_of(value).unwrap();
        (name.public().into_owned(), short(text))
    });
    shown.collect()
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
    owned.collect()
}

const RULES: &str = r#"
[[rules]]
id = "acme-token"
regex = 'acme_[a-z0-9]{8,20}'

[[rules]]
id = "customer-number"
regex = '[0-9]{6,10}'
fields = ["customer.number", "*.kunde"]
action = "mask"
keep_last = 3

[[rules]]
id = "diary"
regex = '.{1,900}'
fields = ["*.diary"]
action = "drop"

[[rules]]
id = "badge"
regex = 'badge ([0-9]{8,16})'
validator = "luhn"
"#;

#[test]
fn own_rules_tag_mask_and_drop() {
    let redactor = redactor(RULES);
    let clean = cleaned(
        &redactor,
        &[
            (
                "message",
                "from acme_ab12cd34ef to badge 49927398716 and badge 49927398717",
            ),
            ("customer.number", "48211093"),
            ("order.number", "48211093"),
            ("user.diary", "dear diary"),
            ("password", "hunter22"),
        ],
    );
    assert_eq!(
        clean,
        pairs(&[
            (
                "message",
                "from [acme-token] to badge [badge] and badge 49927398717"
            ),
            ("ext.customer.number", "****093"),
            ("ext.order.number", "48211093"),
            ("ext.password", "[password]"),
            ("redaction.count", "5"),
            ("redaction.rules", "password"),
            ("redaction.rules", "acme-token"),
            ("redaction.rules", "badge"),
            ("redaction.rules", "customer-number"),
            ("redaction.rules", "diary"),
        ])
    );
}

#[test]
fn own_rules_know_the_paths_of_json_lines() {
    let redactor = redactor(RULES);
    let given = r#"{"a":{"kunde":48211093,"diary":"x \"y\""},"list":[{"kunde":"48211093"}],"n":48211093,"t":"\u0061cme_ab12cd34ef","password":"hunter22"}"#;
    let expected = r#"{"a":{"kunde":"****093","diary":""},"list":[{"kunde":"****093"}],"n":48211093,"t":"[acme-token]","password":"[password]"}"#;
    assert_eq!(line(&redactor, given), expected);
    assert_eq!(
        short(&redactor.redact_text("x acme_ab12cd34ef")),
        "x [acme-token]"
    );
    // Once is enough.
    let once = redactor.redact_line(given.as_bytes()).into_owned();
    assert_eq!(redactor.redact_line(&once), once);
    let clean = r#"{ "n" : 1.0e5, "s":"é\/\u00e9" }"#;
    assert!(matches!(
        redactor.redact_line(clean.as_bytes()),
        std::borrow::Cow::Borrowed(_)
    ));
}

#[test]
fn own_rules_see_through_encodings() {
    let redactor = redactor(&format!("{RULES}\n[personal]\nemail = \"mask\""));
    let check = |given: &str, expected: &str| {
        let clean = line(&redactor, given);
        assert_eq!(clean, expected, "{given}");
        assert_eq!(line(&redactor, &clean), clean, "{given}");
    };
    check("u?a=acme%5Fab12cd34ef&b=1", "u?a=[acme-token]&b=1");
    check("u?a=%2561cme%255Fab12cd34ef&b=1", "u?a=[acme-token]&b=1");
    check(
        r#"body {"a":"\u0061cme_ab12cd34ef"}"#,
        r#"body {"a":"[acme-token]"}"#,
    );
    check(
        r#"{"body":"{\"a\":\"\\u0061cme_ab12cd34ef\",\"n\":1}"}"#,
        r#"{"body":"{\"a\":\"[acme-token]\",\"n\":1}"}"#,
    );
    // "token acme_ab12cd34ef here"
    check(
        "x dG9rZW4gYWNtZV9hYjEyY2QzNGVmIGhlcmU= y",
        "x [acme-token] y",
    );
    check(
        r#"{"a":{"kunde":"x %34%38%32%31%31%30%39%33"}}"#,
        r#"{"a":{"kunde":"x ****093"}}"#,
    );
    check("to=jo%40example.com&n=1", "to=****@example.com&n=1");
    check("to=jo%40ex%ecample.com", "to=****@ex*ample.com");
    // One secret has one tag, whatever carries it.
    let tag = |text: &str| {
        let clean = redactor.redact_text(text).into_owned();
        clean
            .split_once("[R:")
            .unwrap()
            .1
            .split(']')
            .next()
            .map(str::to_owned)
    };
    let plain = tag("acme_ab12cd34ef");
    for text in [
        "acme%5Fab12cd34ef",
        r"\u0061cme_ab12cd34ef",
        "dG9rZW4gYWNtZV9hYjEyY2QzNGVmIGhlcmU=",
    ] {
        assert_eq!(tag(text), plain, "{text}");
    }
}

#[test]
fn own_rules_look_at_names_too() {
    let redactor = redactor(&format!(
        "{RULES}\n[personal]\nemail = \"mask\"\nip = \"mask\""
    ));
    assert_eq!(
        line(
            &redactor,
            r#"{"by":{"jo@example.com":{"acme_ab12cd34ef":1},"203.0.113.7":[2]},"n":"\u00e9"}"#
        ),
        r#"{"by":{"****@example.com":{"[acme-token]":1},"203.0.113.0":[2]},"n":"\u00e9"}"#
    );
    let clean = cleaned(
        &redactor,
        &[("by.acme_ab12cd34ef.n", "x"), ("by.203.0.113.7", "y")],
    );
    let names: Vec<String> = clean.iter().map(|(name, _)| short(name)).collect();
    assert_eq!(names[..2], ["ext.by.[acme-token].n", "ext.by.203.0.113.0"]);
}

#[test]
fn what_a_tag_covers_hides_nothing_beside_it() {
    let redactor = redactor(RULES);
    let clean = cleaned(
        &redactor,
        &[("user.diary", "dear diary, password=hunter22 and more")],
    );
    assert_eq!(clean[0].0, "redaction.count", "{clean:?}");
    let id = redactor.key.id();
    let given = format!("badge 49[R:cvv:{id}]927398716 acme_[R:cvv:{id}]ab12cd34ef");
    assert_eq!(line(&redactor, &given), short(&given));
    let rules = "[[rules]]\nid = \"own-rule\"\nregex = 'acme=([^ ]{1,80})'";
    let redactor = self::redactor(rules);
    let given = format!("acme=[R:cvv:{id}]hunter22 x", id = redactor.key.id());
    assert_eq!(line(&redactor, &given), "acme=[cvv][own-rule] x");
}

#[test]
fn finds_that_overlap_go_to_the_end_of_the_last() {
    let rules = r#"
[[rules]]
id = "first"
regex = 'acme-[0-9]{1,4}'
[[rules]]
id = "second"
regex = '[0-9]{1,4}-key-[a-z]{4,20}'
keywords = ["-key-"]
[[rules]]
id = "third"
regex = 'drop-[a-z]{1,9}'
fields = ["*.b"]
action = "drop"
"#;
    let redactor = redactor(rules);
    assert_eq!(line(&redactor, "x acme-123-key-hidden y"), "x [first] y");
    let given = r#"{"a":"drop-it","b":"acme-1 drop-it"}"#;
    assert_eq!(line(&redactor, given), r#"{"a":"drop-it","b":""}"#);
}

#[test]
fn what_is_masked_stays_as_it_is() {
    let redactor = redactor(
        "[[rules]]\nid = \"own-rule\"\nregex = '.{1,99}'\nfields = [\"*.a\"]\naction = \"mask\"\nkeep_last = 8",
    );
    let once = line(&redactor, r#"{"a":"0123456789abcdefghij"}"#);
    assert_eq!(once, r#"{"a":"****cdefghij"}"#);
    assert_eq!(line(&redactor, &once), once);
    let long = r#"{"a":"****0123456789"}"#;
    assert_eq!(line(&redactor, long), r#"{"a":"****3456789"}"#);
}

#[test]
fn a_dry_run_counts_and_leaves() {
    let text = format!("dry_run = true\n{RULES}\n[personal]\nemail = \"tag\"");
    let redactor = redactor(&text);
    let given = "acme_ab12cd34ef a@example.com password=hunter22 100%20";
    let mut filter = super::super::Filter::new(&redactor);
    let mut out = Vec::new();
    filter.line(given.as_bytes(), &mut out);
    let out = short(std::str::from_utf8(&out).unwrap());
    assert_eq!(
        out,
        "acme_ab12cd34ef a@example.com password=[password] 100%20"
    );
    let tried: Vec<_> = filter
        .stats()
        .tried
        .iter()
        .map(|(rule, n)| (rule.as_str(), *n))
        .collect();
    assert_eq!(tried, [("acme-token", 1), ("email", 1)]);
    assert_eq!(redactor.metrics.redaction_tried.get(), 2);
}

#[test]
fn personal_data_goes_where_the_operator_says() {
    let given = [
        ("client.ip", "203.0.113.77"),
        ("message", "mail jo@example.com or +49 30 90182012"),
        ("contact.phone", "030 901820"),
    ];
    let check = |mode: &str, expected: &[(&str, &str)]| {
        let redactor = redactor(&format!(
            "[personal]\nemail = \"{mode}\"\nphone = \"{mode}\"\nip = \"{mode}\""
        ));
        let clean = cleaned(&redactor, &given);
        assert_eq!(clean[..3], pairs(expected));
    };
    check(
        "off",
        &[
            ("client.ip", "203.0.113.77"),
            ("message", "mail jo@example.com or +49 30 90182012"),
            ("ext.contact.phone", "030 901820"),
        ],
    );
    check(
        "tag",
        &[
            ("client.ip", "[ip]"),
            ("message", "mail [email] or [phone]"),
            ("ext.contact.phone", "[phone]"),
        ],
    );
    check(
        "mask",
        &[
            ("client.ip", "203.0.113.0"),
            ("message", "mail ****@example.com or ****12"),
            ("ext.contact.phone", "****20"),
        ],
    );
}

#[test]
fn exceptions_are_by_field_by_tag_and_by_regex() {
    let key = TagKey::from_bytes(&[7; 32]);
    let tag = key.digits(b"hunter22");
    let redactor = redactor(&format!(
        "[allow]\nfields = [\"build.password\"]\ntags = [\"{tag}\"]\nregexes = ['example-[a-z]{{1,20}}']"
    ));
    let clean = cleaned(
        &redactor,
        &[
            ("build.password", "correct-horse"),
            ("password", "hunter22"),
            ("old.password", "example-secret"),
            ("new.password", "another-one"),
        ],
    );
    let expected = pairs(&[
        ("ext.build.password", "correct-horse"),
        ("ext.password", "hunter22"),
        ("ext.old.password", "example-secret"),
        ("ext.new.password", "[password]"),
    ]);
    assert_eq!(clean[..4], expected);
    let given = r#"{"build":{"password":"correct-horse"},"password":"hunter22","p":"password=example-secret password=another-one"}"#;
    assert_eq!(
        line(&redactor, given),
        given.replace("another-one", "[password]")
    );
}

/// Whether exactly this is wrong with the settings: each by the setting and words of what is told.
fn check_wrong(text: &str, expected: &[(&str, &str)]) {
    let wrong = Own::new(&options(text)).err().unwrap_or_default();
    let fits = wrong.len() == expected.len()
        && wrong
            .iter()
            .zip(expected)
            .all(|(wrong, (setting, what))| wrong.setting == *setting && wrong.what.contains(what));
    assert!(fits, "{text}: {wrong:?}");
}

#[test]
fn what_cannot_work_is_told_with_its_place() {
    let rule = |regex: &str, more: &str| {
        format!("[[rules]]\nid = \"own-rule\"\nregex = '{regex}'\n{more}")
    };
    check_wrong("", &[]);
    check_wrong(RULES, &[]);
    let regex = "redact.rules.0.regex";
    check_wrong(&rule("acme_[a-z]+", ""), &[(regex, "unbounded repeat")]);
    check_wrong(
        &rule("acme_[a-z]{1,5000}", ""),
        &[(regex, "unbounded repeat")],
    );
    check_wrong(&rule("(acme_)?", ""), &[(regex, "empty text")]);
    check_wrong(&rule("acme_(", ""), &[(regex, "no regular expression")]);
    check_wrong(&rule("[0-9]{6}", ""), &[(regex, "no literal")]);
    check_wrong(&rule("[0-9]{6}", "fields = [\"a.b\"]"), &[]);
    check_wrong(&rule("[0-9]{6}", "keywords = [\"acme\"]"), &[]);
    check_wrong(&rule("GET|POST|request|user", ""), &[(regex, "too broad")]);
    check_wrong(&rule("acme|other", ""), &[]);
    check_wrong(&rule("acme|ot", ""), &[(regex, "no literal")]);
    check_wrong(&rule("", ""), &[(regex, "expected 1 to")]);
    check_wrong(
        &rule("acme_1", "keywords = [\"ab\"]"),
        &[("redact.rules.0.keywords", "3 characters")],
    );
    check_wrong(
        &rule("acme_1", "fields = [\"a b\"]"),
        &[("redact.rules.0.fields", "paths")],
    );
    check_wrong(
        &rule("acme_1", "keep_last = 2"),
        &[("redact.rules.0.keep_last", "mask")],
    );
    check_wrong(
        &rule("acme_1", "keep_last = 9\naction = \"mask\""),
        &[("redact.rules.0.keep_last", "at most 8")],
    );
    check_wrong(
        "[[rules]]\nid = \"Own\"\nregex = 'acme'\n[[rules]]\nid = \"card\"\nregex = 'acme'",
        &[
            ("redact.rules.0.id", "lower-case"),
            ("redact.rules.1.id", "shipped"),
        ],
    );
    let two = format!("{}\n{}", rule("acme", ""), rule("acme", ""));
    check_wrong(&two, &[("redact.rules.1.id", "another rule")]);
    assert!(toml::from_str::<Options>("[[rules]]\nid = \"a\"\nregexp = \"b\"").is_err());
}

#[test]
fn exceptions_that_would_end_redaction_are_told() {
    check_wrong(
        "[allow]\nfields = [\"*\"]",
        &[("redact.allow.fields", "end all")],
    );
    check_wrong(
        "[allow]\nfields = [\"EXT.*\"]",
        &[("redact.allow.fields", "end all")],
    );
    for broad in [".{1,9}", "[a-z]{1,20}[0-9]{1,9}", "AKIA[A-Z0-9]{16}"] {
        check_wrong(
            &format!("[allow]\nregexes = ['{broad}']"),
            &[("redact.allow.regexes", "too broad")],
        );
    }
    check_wrong("[allow]\ntags = [\"abc\"]", &[("redact.allow.tags", "16")]);
    check_wrong("[allow]\ntags = [\"[R:card:ab2c:abcdefghijklmnop]\"]", &[]);
    check_wrong(
        "[allow]\nregexes = ['[A-Za-z0-9]{1,99}']",
        &[("redact.allow.regexes", "too broad")],
    );
    check_wrong(
        "[allow]\nregexes = ['test-.*']",
        &[("redact.allow.regexes", "unbounded")],
    );
}

#[test]
fn too_many_finds_replace_the_whole_value() {
    let redactor = redactor(&format!("value_secrets_max = 3\n{RULES}"));
    assert_eq!(
        line(&redactor, &"acme_ab12cd34ef ".repeat(3)),
        "[acme-token] ".repeat(3)
    );
    assert_eq!(line(&redactor, &"acme_ab12cd34ef ".repeat(4)), "[oversize]");
}

#[test]
fn the_documented_rules_are_good() {
    let text = include_str!("../../../docs/redaction.md");
    let blocks: Vec<&str> = text
        .split("```toml\n")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once("```")?.0))
        .collect();
    assert_eq!(blocks.len(), 3);
    for block in blocks {
        let mut table: toml::Table = toml::from_str(block).unwrap();
        let options: Options = table.remove("redact").unwrap().try_into().unwrap();
        assert_ne!(options, Options::default());
        assert_eq!(Own::new(&options).err(), None, "{block}");
    }
}

#[test]
fn validators_look_at_the_find() {
    let check = |validator: &str, given: &str, expected: &str| {
        let redactor = redactor(&format!(
            "[[rules]]\nid = \"own-rule\"\nregex = 'acme=([A-Za-z0-9._-]{{4,90}})'\nvalidator = \"{validator}\""
        ));
        assert_eq!(line(&redactor, given), expected);
    };
    check("luhn", "acme=49927398716", "acme=[own-rule]");
    check("luhn", "acme=49927398717", "acme=49927398717");
    check("ssn", "acme=123456789", "acme=[own-rule]");
    check("ssn", "acme=666456789", "acme=666456789");
    check("ssn", "acme=12345678", "acme=12345678");
    check("iban", "acme=XX00", "acme=XX00");
    check("jwt", "acme=abcdefghijklmnop", "acme=abcdefghijklmnop");
}

proptest::proptest! {
    #[test]
    fn own_rules_leave_text_that_is_text(text in "[a-zé€😀\"\\\\{}:@. 0-9]{0,60}") {
        let rules = "[[rules]]\nid = \"own-rule\"\nregex = '(?:a|.).{1,3}'\nkeywords = [\"aaa\", \"@.1\", \"é€😀\"]\n[personal]\nemail = \"tag\"\nip = \"mask\"";
        static SHARED: std::sync::OnceLock<Redactor> = std::sync::OnceLock::new();
        let redactor = SHARED.get_or_init(|| redactor(rules));
        for text in [text.clone(), format!("aaa{text}"), serde_json::json!({"a": text, "é€😀": "é€😀"}).to_string()] {
            let clean = redactor.redact_line(text.as_bytes());
            proptest::prop_assert!(std::str::from_utf8(&clean).is_ok());
            if text.starts_with('{') && serde_json::from_str::<serde_json::Value>(&text).is_ok() {
                proptest::prop_assert!(serde_json::from_slice::<serde_json::Value>(&clean).is_ok());
            }
        }
    }
}
