//! What was found where: by rule, source, field and action. Kept beside the tally of an event only once there is a
//! find, so that clean events pay a comparison per field.

use std::borrow::Cow;

use super::Redactor;
use super::replace::Tally;
use crate::model::{Event, Field, FieldName, text_of};

/// What was done with a find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// A tag stands for it.
    Tag,
    /// A mask stands for it.
    Mask,
    /// It went with its field.
    Drop,
    /// It was left: a dry run only counts.
    Count,
}

impl Done {
    /// The label.
    fn label(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::Mask => "mask",
            Self::Drop => "drop",
            Self::Count => "count",
        }
    }
}

/// Finds of one rule in one field.
#[derive(Debug)]
struct Find {
    rule: Cow<'static, str>,
    done: Done,
    field: String,
    count: u64,
}

/// The finds of one event or line.
#[derive(Debug, Default)]
pub(super) struct Finds {
    all: Vec<Find>,
    /// How many of them have their field.
    placed: usize,
    /// Whether a private key begins in the field to be told, and does not end there.
    begins: bool,
    /// The field in which one does.
    pub(super) block: Option<String>,
}

impl Finds {
    /// Says that a private key begins where the next find is, and does not end there.
    pub(super) fn begins(&mut self) {
        self.begins = true;
    }

    /// Says that the finds since the last field were those of a name: no lines of a key follow there.
    pub(super) fn of_name(&mut self) {
        self.begins = false;
    }

    /// Counts one whose field is told later.
    pub(super) fn add(&mut self, rule: Cow<'static, str>, done: Done, count: u64) {
        let fresh = self.all.get_mut(self.placed..).unwrap_or_default();
        let known = fresh
            .iter_mut()
            .find(|find| find.rule == rule && find.done == done);
        match known {
            Some(find) => find.count += count,
            None => self.all.push(Find {
                rule,
                done,
                field: String::new(),
                count,
            }),
        }
    }

    /// Takes over those of a part.
    pub(super) fn merge(&mut self, part: Self) {
        self.begins |= part.begins;
        self.block = self.block.take().or(part.block);
        for (at, find) in part.all.into_iter().enumerate() {
            if at < part.placed {
                self.all.insert(self.placed, find);
                self.placed += 1;
            } else {
                self.add(find.rule, find.done, find.count);
            }
        }
    }

    /// Says which field the finds since the last call are of.
    #[inline]
    pub(super) fn place(&mut self, name: &FieldName<'_>) {
        if self.placed < self.all.len() {
            self.settle(&name.public());
        }
    }

    /// Takes what was learned to be secret after a find was placed out of the names of fields.
    pub(super) fn unlearn(&mut self, clean: impl Fn(&str) -> Option<String>) {
        for find in &mut self.all {
            if let Some(clean) = clean(&find.field) {
                find.field = label(&clean);
            }
        }
    }

    #[cold]
    fn settle(&mut self, path: &str) {
        let label = label(path);
        for find in self.all.get_mut(self.placed..).unwrap_or_default() {
            find.field.clone_from(&label);
        }
        self.placed = self.all.len();
        if std::mem::take(&mut self.begins) {
            self.block = Some(path.to_owned());
        }
    }
}

/// A field's name as a label: numbers of elements, and what was itself a secret, do not tell fields apart.
fn label(path: &str) -> String {
    let is_element = |part: &str| part.bytes().all(|b| b.is_ascii_digit()) || part.contains("[R:");
    let parts: Vec<&str> = path
        .split('.')
        .map(|part| if is_element(part) { "*" } else { part })
        .collect();
    parts.join(".")
}

impl Redactor {
    /// Counts what was done to an event; its source is read when it is clean.
    pub(super) fn count_of(&self, event: &Event<'_>, tally: &Tally) {
        let source = event.get(Field::EventProvider).and_then(text_of);
        self.count_from(source.unwrap_or_default(), tally);
    }

    /// Counts what was done to text that is no part of an event.
    pub(super) fn count(&self, tally: &Tally) {
        self.count_from("", tally);
    }

    fn count_from(&self, source: &str, tally: &Tally) {
        if tally.finds.all.is_empty() {
            return;
        }
        let metrics = &self.metrics;
        for find in &tally.finds.all {
            let labels = [&find.rule, source, &find.field, find.done.label()];
            metrics.redactions_by_rule.add(labels, find.count);
        }
        let tried = tally.tried.iter().map(|(_, count)| count).sum();
        metrics.redaction_tried.add(tried);
        metrics.redactions.add(tally.count);
        metrics.redaction_failed_closed.add(tally.failed_closed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{Options, Own, RuleOptions, TagKey};
    use super::*;
    use crate::metrics::Metrics;
    use crate::model::{Timestamp, Value};

    fn house(options: &Options) -> (Redactor, Arc<Metrics>) {
        let metrics = Arc::new(Metrics::default());
        let key = TagKey::from_bytes(&[7; 32]);
        let redactor = Redactor::new(options.clone(), key).with_metrics(metrics.clone());
        redactor.take_over(Own::new(options).unwrap());
        (redactor, metrics)
    }

    fn event<'a>(source: &'a str, fields: &[(&'a str, &'a str)]) -> Event<'a> {
        let mut event = Event::new(Timestamp(1), Timestamp(2));
        event.push_str(Field::EventProvider, source);
        for (name, value) in fields {
            match Field::from_name(name) {
                Some(field) => event.push_str(field, *value),
                None => event.push_ext(*name, Value::Str((*value).into())),
            }
        }
        event
    }

    fn counted(metrics: &Metrics) -> Vec<String> {
        let rows = metrics.redactions_by_rule.rows().into_iter();
        let rows = rows.map(|(labels, count)| format!("{} {count}", labels.join(" ")));
        let mut rows: Vec<String> = rows.collect();
        rows.sort();
        rows
    }

    #[test]
    fn finds_are_counted_by_rule_source_field_and_action() {
        let (redactor, metrics) = house(&Options::default());
        let seen = redactor.redact(event(
            "edge",
            &[
                (
                    "message",
                    "password=x1y2 password=z3w4 bound for correct-horse",
                ),
                ("items.0.token", "Zq8fJ2kLm9pQ4rSt"),
                ("items.1.token", "Zq8fJ2kLm9pQ4rSu"),
                ("body", r#"{"a":{"password":"correct-horse"}}"#),
            ],
        ));
        assert_eq!(seen.int(Field::RedactionCount), Some(6));
        let _clean = redactor.redact(event("edge", &[("message", "nothing")]));
        let _text = redactor.redact_text("password=x1y2");
        assert_eq!(
            counted(&metrics),
            [
                "password   tag 1",
                "password edge ext.body tag 1",
                "password edge message tag 2",
                "secret edge message tag 1",
                "token edge ext.items.*.token tag 2",
            ]
        );
        assert_eq!(metrics.redactions.get(), 7);
    }

    #[test]
    fn names_that_are_secrets_and_sources_that_hold_one_are_no_labels() {
        let (redactor, metrics) = house(&Options::default());
        let pat = "ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8";
        let name = format!("tokens.{pat}.used");
        let _clean = redactor.redact(event(pat, &[(&name, "x")]));
        let rows = counted(&metrics).join("\n");
        assert!(!rows.contains("ghp_"), "{rows}");
        assert!(rows.contains("ext.tokens.*.used"), "{rows}");
    }

    #[test]
    fn a_secret_learned_after_a_find_is_in_no_label() {
        let (redactor, metrics) = house(&Options::default());
        let key = "AKIAQYLPMN5HHHFPZAM2";
        let _clean = redactor.redact(event(
            "edge",
            &[
                ("by.correct-horse", key),
                ("by.x.correct-horse.y", key),
                ("password", "correct-horse"),
            ],
        ));
        let rows = counted(&metrics).join("\n");
        assert!(!rows.contains("correct-horse"), "{rows}");
        assert!(
            rows.contains("aws-key-id edge ext.by.x.*.y tag 1"),
            "{rows}"
        );
    }

    #[test]
    fn own_rules_are_counted_with_what_they_do() {
        let rule = |id: &str, action| RuleOptions {
            id: id.to_owned(),
            regex: format!("{id}_[a-z0-9]{{8}}"),
            action,
            ..RuleOptions::default()
        };
        let mut options = Options {
            rules: vec![
                rule("acmetag", super::super::Action::Tag),
                rule("acmemask", super::super::Action::Mask),
                rule("acmedrop", super::super::Action::Drop),
            ],
            ..Options::default()
        };
        let fields = [
            ("a", "acmetag_a1b2c3d4"),
            ("b", "acmemask_a1b2c3d4"),
            ("c", "acmedrop_a1b2c3d4"),
        ];
        let (redactor, metrics) = house(&options);
        let _clean = redactor.redact(event("edge", &fields));
        assert_eq!(
            counted(&metrics),
            [
                "acmedrop edge ext.c drop 1",
                "acmemask edge ext.b mask 1",
                "acmetag edge ext.a tag 1",
            ]
        );
        options.dry_run = true;
        let (redactor, metrics) = house(&options);
        let _clean = redactor.redact(event("edge", &fields));
        assert_eq!(counted(&metrics).len(), 3);
        assert!(counted(&metrics).iter().all(|row| row.contains(" count ")));
    }
}
