//! Names that stand as values: `{"name":"Authorization","value":"…"}`, `["Authorization","…"]`.

use std::ops::Range;

use super::super::escapes::unescape;
use super::super::keys::{self, Class};
use super::super::replace::Tally;
use super::super::values::{self, List};
use super::Writer;

/// Members of an object behind the value among which its name is looked for.
const MEMBERS_MAX: usize = 6;

impl Writer<'_, '_> {
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

    /// What the name half of a pair says of the value: a text, or a list whose last is the name
    /// (`"loc":["body","password"]`).
    pub(super) fn announcement(&self, name: Range<usize>) -> Option<Class> {
        let written = self.text.get(name)?;
        let last = match written.strip_prefix(b"[") {
            Some(list) => list.strip_suffix(b"]")?.trim_ascii().strip_suffix(b"\"")?,
            None => written.strip_prefix(b"\"")?.strip_suffix(b"\"")?,
        };
        let name = match written.first() {
            Some(b'[') => last.get(memchr::memrchr(b'"', last)? + 1..)?,
            _ => last,
        };
        let class = self.redactor.engine.keys().announced(&unescape(name));
        keys::is_sensitive(class).then_some(class)
    }

    /// The name half where it stands behind the value, among texts, numbers and lists of texts.
    pub(super) fn pair_behind(&self) -> Option<Class> {
        let mut tally = Tally::default();
        let mut ahead = Writer::new(self.redactor, self.text, self.depth, &mut tally);
        ahead.at = self.at;
        ahead.pass_scalar()?;
        for _ in 0..MEMBERS_MAX {
            ahead.room();
            ahead.eat(b',').ok()?;
            ahead.room();
            let key = ahead.string().ok()?;
            ahead.room();
            ahead.eat(b':').ok()?;
            ahead.room();
            let start = ahead.at;
            ahead.pass_scalar()?;
            let class = self.redactor.engine.keys().class(b"", &key.plain());
            if class == Class::PairName
                && let Some(class) = self.announcement(start..ahead.at)
            {
                return Some(class);
            }
        }
        None
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
                    self.string().ok()?;
                    self.room();
                    if self.peek() == Some(b',') {
                        self.at += 1;
                        self.room();
                    }
                }
                self.at += 1;
            }
            b'{' => return None,
            _ => {
                let rest = self.text.get(self.at..)?;
                self.at += rest.iter().position(|b| b",}] \t\r\n".contains(b))?;
            }
        }
        Some(())
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
    fn a_query_in_a_document_begins_with_a_parameter() {
        assert_eq!(
            line(r#"{"query":"code=a8Kq2Lm9&state=x","note":"code=a8Kq2Lm9"}"#),
            r#"{"query":"code=[token]&state=x","note":"code=a8Kq2Lm9"}"#
        );
    }

    #[test]
    fn the_name_of_a_cookie_stays() {
        assert_eq!(
            line(r#"{"cookies":[{"name":"theme","value":"dark-1"}]}"#),
            r#"{"cookies":[{"name":"theme","value":"[session]"}]}"#
        );
    }
}
