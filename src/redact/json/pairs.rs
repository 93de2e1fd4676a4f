//! Names that stand as values: `{"name":"Authorization","value":"…"}`, `["Authorization","…"]`.

use std::ops::Range;

use super::super::escapes::{Written, unescape};
use super::super::keys::Class;
use super::super::pairs::{Announced, NameSort, Told, ValueSort};
use super::super::replace::Tally;
use super::super::values::{self, List};
use super::{Level, NotJson, Under, Writer};

/// Members of an object behind the value among which its name is looked for.
const MEMBERS_MAX: usize = 6;

impl<'t> Writer<'_, 't> {
    /// What the next element of an array says: a string without its quotes, a number.
    pub(super) fn element_ahead(&self) -> Range<usize> {
        let start = self.at + usize::from(self.peek() == Some(b'"'));
        let rest = self.text.get(start..).unwrap_or_default();
        let length = if start > self.at {
            memchr::memchr(b'"', rest)
        } else {
            rest.iter().take(64).position(|b| b",]{[ \n".contains(b))
        };
        start..start + length.unwrap_or(0)
    }

    /// The class that one element of an array gives to the next.
    pub(super) fn told(
        &self,
        path: &[u8],
        name: Range<usize>,
        element: &Range<usize>,
        is_second: bool,
    ) -> Class {
        let part = |place: Range<usize>| self.text.get(place).unwrap_or_default();
        let behind = part(element.end..self.text.len());
        let behind = behind.strip_prefix(b"\"").unwrap_or(behind);
        let list = List {
            path,
            is_pair: is_second && behind.trim_ascii_start().first() == Some(&b']'),
        };
        let keys = self.redactor.engine.keys();
        values::told(
            keys,
            &unescape(part(name)),
            &unescape(part(element.clone())),
            list,
        )
        .unwrap_or(Class::Pass)
    }

    /// Takes the name half of a pair: a text, or a list whose last text is the name (`"loc":["body","password",0]`).
    pub(super) fn note(&self, pair: &mut Announced, sort: NameSort, name: Range<usize>) {
        let written = self.text.get(name).unwrap_or_default();
        let Some(end) = memchr::memrchr(b'"', written) else {
            return;
        };
        let head = written.get(..end).unwrap_or_default();
        let begin = match written.first() {
            Some(b'[') => memchr::memrchr(b'"', head).map_or(0, |quote| quote + 1),
            _ => 1,
        };
        let name = unescape(head.get(begin..).unwrap_or_default());
        pair.note(sort, &name, self.redactor.engine.keys());
    }

    /// Takes the name halves that stand behind the value, among texts, numbers and lists of them.
    pub(super) fn names_behind(&self, pair: &mut Announced) {
        if pair.is_settled() {
            return;
        }
        let mut tally = Tally::default();
        let mut ahead = Writer::new(self.redactor, self.text, self.depth, &mut tally);
        ahead.at = self.at;
        if ahead.pass_scalar().is_none() {
            return;
        }
        for _ in 0..MEMBERS_MAX {
            let Some((key, value)) = ahead.member_ahead() else {
                return;
            };
            let class = self.redactor.engine.keys().class(&key.plain());
            if let Class::PairName(sort) = class {
                self.note(pair, sort, value);
            }
        }
    }

    fn member_ahead(&mut self) -> Option<(Written<'t>, Range<usize>)> {
        self.room();
        self.eat(b',').ok()?;
        self.room();
        let key = self.string().ok()?;
        self.room();
        self.eat(b':').ok()?;
        self.room();
        let start = self.at;
        self.pass_scalar()?;
        Some((key, start..self.at))
    }

    /// The value half of a pair.
    pub(super) fn pair_value(
        &mut self,
        under: &Under<'_>,
        level: &Level<'_>,
        sort: ValueSort,
        levels: usize,
    ) -> Result<(), NotJson> {
        let keys = self.redactor.engine.keys();
        if self.peek() == Some(b'{') {
            // A header keeps its scheme further inside; of a password all goes.
            let class = match level.pair.class(sort, None, keys) {
                Some(Told {
                    class: class @ Class::Secret(_),
                    ..
                }) => class,
                _ => Class::PairValue(sort),
            };
            return self.any(under, level, class, levels);
        }
        let element = self.element_ahead();
        let text = (self.peek() == Some(b'"')).then(|| self.text.get(element).unwrap_or_default());
        let Some(told) = level.pair.class(sort, text, keys) else {
            return self.any(under, level, Class::Pass, levels);
        };
        let learned = self.tally.learned.len();
        self.any(under, level, told.class, levels)?;
        if told.is_weak {
            self.tally.unlearn_words(learned);
        }
        Ok(())
    }

    /// Steps over a text, a number, a word or a list of texts; `None` where something else stands.
    fn pass_scalar(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => {
                self.string().ok()?;
            }
            b'[' => {
                self.at += 1;
                self.room();
                while self.peek()? != b']' {
                    match self.peek()? {
                        b'"' => {
                            self.string().ok()?;
                        }
                        b'{' | b'[' => return None,
                        _ => self.pass_word()?,
                    }
                    self.room();
                    if self.peek() == Some(b',') {
                        self.at += 1;
                        self.room();
                    }
                }
                self.at += 1;
            }
            b'{' => return None,
            _ => self.pass_word()?,
        }
        Some(())
    }

    fn pass_word(&mut self) -> Option<()> {
        let rest = self.text.get(self.at..)?;
        let length = rest.iter().position(|b| b",}] \t\r\n".contains(b))?;
        self.at += length;
        (length > 0).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{cleaned, line};

    #[test]
    fn a_name_may_stand_as_a_value() {
        let check = |text: &str, expected: &str| assert_eq!(line(text), expected, "{text}");
        // Names beside their values, in the words of configurations, forms, audit logs and validators.
        for (name, value) in [
            ("name", "value"),
            ("field", "newValue"),
            ("property", "value"),
            ("label", "value"),
            ("optionName", "optionValue"),
            ("parameterKey", "parameterValue"),
            ("field", "rejectedValue"),
            ("id", "val"),
        ] {
            check(
                &format!(r#"{{"{name}":"password","{value}":"hunter22"}}"#),
                &format!(r#"{{"{name}":"password","{value}":"[password]"}}"#),
            );
            check(
                &format!(r#"{{"{value}":"hunter22","m":["a"],"n":1,"{name}":"password"}}"#),
                &format!(r#"{{"{value}":"[password]","m":["a"],"n":1,"{name}":"password"}}"#),
            );
            check(
                &format!(r#"{{"{name}":"color","{value}":"hunter22"}}"#),
                &format!(r#"{{"{name}":"color","{value}":"hunter22"}}"#),
            );
        }
        check(
            r#"{"field":"password","from":"hunter21","to":"hunter22"}"#,
            r#"{"field":"password","from":"[password]","to":"[password]"}"#,
        );
        check(
            r#"{"type":"too_short","loc":["body","password"],"msg":"At least 8","input":"hunter2"}"#,
            r#"{"type":"too_short","loc":["body","password"],"msg":"At least 8","input":"[password]"}"#,
        );
        check(
            r#"{"type":"field","value":"hunter2","msg":"Invalid value","path":"password"}"#,
            r#"{"type":"field","value":"[password]","msg":"Invalid value","path":"password"}"#,
        );
        check(
            r#"[{"op":"replace","path":"/user/password","value":"hunter2"}]"#,
            r#"[{"op":"replace","path":"/user/password","value":"[password]"}]"#,
        );
        check(
            r#"{"path":"/oauth/token","value":1200}"#,
            r#"{"path":"/oauth/token","value":1200}"#,
        );
        check(
            r#"{"key":"http.request.header.x-api-key","value":{"arrayValue":{"values":[{"stringValue":"abc1"}]}}}"#,
            r#"{"key":"http.request.header.x-api-key","value":{"arrayValue":{"values":[{"stringValue":"[secret]"}]}}}"#,
        );
    }

    #[test]
    fn a_name_may_stand_as_a_value_in_fields() {
        let check =
            |fields: &[(&str, &str)], expected: &[&str]| assert_eq!(cleaned(fields), expected);
        check(
            &[
                ("d.0.loc", "body"),
                ("d.0.loc", "password"),
                ("d.0.input", "hunter22"),
            ],
            &["body", "password", "[password]"],
        );
        check(
            &[
                ("a.3.key", "http.request.header.x-api-key"),
                ("a.3.value.arrayValue.values.0.stringValue", "abc1"),
            ],
            &["http.request.header.x-api-key", "[secret]"],
        );
        check(
            &[("c.0.field", "color"), ("c.0.to", "hunter22")],
            &["color", "hunter22"],
        );
    }

    #[test]
    fn the_name_that_says_most_counts() {
        for names in [
            r#""id":"auth","name":"password""#,
            r#""path":"/auth","name":"password""#,
            r#""label":"dsn","key":"password""#,
            r#""key":"smtp.auth","property":"smtp.password""#,
            r#""id":"signature","name":"password""#,
        ] {
            assert_eq!(
                line(&format!(r#"{{{names},"value":"hunter2"}}"#)),
                format!(r#"{{{names},"value":"[password]"}}"#)
            );
            assert_eq!(
                line(&format!(r#"{{"value":"hunter2",{names}}}"#)),
                format!(r#"{{"value":"[password]",{names}}}"#)
            );
        }
        let check = |text: &str, expected: &str| assert_eq!(line(text), expected);
        check(
            r#"{"input":"hunter2","loc":["body",0,"password"],"msg":"x"}"#,
            r#"{"input":"[password]","loc":["body",0,"password"],"msg":"x"}"#,
        );
        check(
            r#"{"field":"password","to":{"raw":"hunter2"}}"#,
            r#"{"field":"password","to":{"raw":"[password]"}}"#,
        );
        check(
            r#"{"op":"add","path":"/user/token/0","value":"abc123"}"#,
            r#"{"op":"add","path":"/user/token/0","value":"[token]"}"#,
        );
    }

    #[test]
    fn words_that_mean_other_things_announce_nothing() {
        for text in [
            r#"{"msg":"redirect","path":"/reset-password","from":"/login","to":"/home"}"#,
            r#"{"metric":"latency","path":"/reset-password","value":1834}"#,
            r#"{"path":"/messages/pin","value":5}"#,
            r#"{"id":"reset-password","from":"noreply@example.com","to":["bob@example.com"]}"#,
            r#"{"name":"rotate-api-key","from":"pending","to":"production","env":"production"}"#,
            r#"{"option":"token","value":"enabled"}"#,
            r#"{"label":"Credit card","value":1523}"#,
            r#"{"label":"Credit card","value":"credit_card"}"#,
            r#"{"component":"TextField","label":"Password","input":"text"}"#,
            r#"{"locale":"de","id":"form.pin","value":"Bitte PIN eingeben"}"#,
            r#"{"variable":"GITHUB_TOKEN","value":"not set"}"#,
            r#"{"key":"login-with-password","old":"off","new":"on"}"#,
            r#"{"label":"Secrets","from":1732000000,"to":1732003600}"#,
        ] {
            assert_eq!(line(text), text);
        }
        // What may be a word is not looked for elsewhere.
        assert_eq!(
            line(r#"{"field":"token","from":"pending","to":"approved","status":"approved"}"#),
            r#"{"field":"token","from":"[token]","to":"[token]","status":"approved"}"#
        );
    }

    #[test]
    fn errors_are_sentences_and_values_are_not() {
        for text in [
            r#"{"errors":{"password":["can't be blank","is too short (minimum is 8 characters)"]}}"#,
            r#"{"validationErrors":{"apiKey":"must not be empty."}}"#,
        ] {
            assert_eq!(line(text), text);
        }
        for (text, expected) in [
            (
                r#"{"errors":{"password":{"value":"hunter2","message":"too short"}}}"#,
                r#"{"errors":{"password":{"value":"[password]","message":"too short"}}}"#,
            ),
            (
                r#"{"errors":[{"password":"hunter2"}],"x":{"errors":{"token":"abc123def"}}}"#,
                r#"{"errors":[{"password":"[password]"}],"x":{"errors":{"token":"[token]"}}}"#,
            ),
            (
                r#"{"errors":{"Password":["The value 'hunter2' is not valid"],"pin":4711}}"#,
                r#"{"errors":{"Password":["[password]"],"pin":"[one-time]"}}"#,
            ),
            (
                r#"{"terrors":{"password":"a b c"}}"#,
                r#"{"terrors":{"password":"[password]"}}"#,
            ),
        ] {
            assert_eq!(line(text), expected);
        }
    }

    #[test]
    fn names_of_things_stay_under_names_of_secrets() {
        let sid = r#"{"sid":"S-1-5-21-3623811015-3361044348-30300820-1013"}"#;
        let arn = r#"{"secretId":"arn:aws:secretsmanager:eu-central-1:123456789012:secret:prod/db-AbCdEf"}"#;
        for text in [sid, arn] {
            assert_eq!(line(text), text);
        }
        for value in [
            "arn:aws:a:b:c:d ghp_16C7e42F292c6912E7710c838347Ae178B4a",
            "arn:awsome:my:pass:is:long:hunter2",
            "S-1-20261122",
        ] {
            let clean = line(&format!(r#"{{"token":"{value}","password":"{value}"}}"#));
            assert!(!clean.contains(value), "{clean}");
        }
    }

    #[test]
    fn a_query_in_a_document_begins_with_a_parameter() {
        assert_eq!(
            line(r#"{"query":"code=a8Kq2Lm9&state=x","note":"code=a8Kq2Lm9"}"#),
            r#"{"query":"code=[token]&state=x","note":"code=a8Kq2Lm9"}"#
        );
    }
}
