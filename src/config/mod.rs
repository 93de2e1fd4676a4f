//! The sum of every part's Options. Flag over environment over file over default.
//!
//! Reading collects every problem with its line instead of stopping at the first. `config.default.toml` holds
//! every setting with its default and a comment; a test compares it with the defaults in the code.

mod bounds;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::{api, detect, index, ingest, notify, pipeline, redact, store, wal};

/// Every setting with its default and a comment.
pub const DEFAULTS: &str = include_str!("../config.default.toml");

/// Environment variables that set options begin so: `WARDLINE_WAL__ZSTD_LEVEL=3`.
const PREFIX: &str = "WARDLINE_";
/// After so many problems a file is better read by a person.
const PROBLEMS_MAX: usize = 50;

/// All settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// Our own log: off, error, warn, info, debug or trace.
    pub log_level: String,
    /// The listener.
    pub server: api::serve::Options,
    /// The API.
    pub api: api::Options,
    /// The HTTP door.
    pub ingest: ingest::Options,
    /// Files that are followed.
    pub files: ingest::file::Options,
    /// From payloads to clean events.
    pub pipeline: pipeline::Options,
    /// Redaction.
    pub redact: redact::Options,
    /// The log of events.
    pub wal: wal::Options,
    /// The index.
    pub index: index::Options,
    /// The rules.
    pub detect: detect::Options,
    /// State.
    pub store: store::Options,
    /// Webhooks.
    pub notify: notify::Options,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("data"),
            log_level: "info".to_owned(),
            server: api::serve::Options::default(),
            api: api::Options::default(),
            ingest: ingest::Options::default(),
            files: ingest::file::Options::default(),
            pipeline: pipeline::Options::default(),
            redact: redact::Options::default(),
            wal: wal::Options::default(),
            index: index::Options::default(),
            detect: detect::Options::default(),
            store: store::Options::default(),
            notify: notify::Options::default(),
        }
    }
}

/// One thing wrong with the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// File, or the name of an environment variable.
    pub place: String,
    /// Line in the file, from 1.
    pub line: Option<usize>,
    /// What is wrong and how to mend it.
    pub what: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.place, self.what),
            None => write!(f, "{}: {}", self.place, self.what),
        }
    }
}

impl Problem {
    /// Something wrong with a setting, wherever that is written.
    #[must_use]
    pub fn of(setting: &str, what: impl Into<String>) -> Self {
        Self {
            place: setting.to_owned(),
            line: None,
            what: what.into(),
        }
    }

    /// With the line of the setting, where the file has it.
    #[must_use]
    pub fn located(self, file: Option<&Path>) -> Self {
        let Some(path) = file else { return self };
        let text = std::fs::read_to_string(path).unwrap_or_default();
        match line_of(&text, &self.place) {
            Some(line) => Self {
                what: format!("{}: {}", self.place, self.what),
                place: path.display().to_string(),
                line: Some(line),
            },
            None => self,
        }
    }
}

impl Config {
    /// Reads a file (none: the defaults) and the environment.
    ///
    /// # Errors
    /// Every problem found.
    pub fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, Vec<Problem>> {
        let (config, problems) = Self::read(file, environment);
        if problems.is_empty() {
            Ok(config)
        } else {
            Err(problems)
        }
    }

    /// Reads what can be read, with defaults for the rest, and every problem found.
    pub fn read(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> (Self, Vec<Problem>) {
        let mut problems = Vec::new();
        let place = file.map_or_else(String::new, |path| path.display().to_string());
        let text = match file.map(std::fs::read_to_string) {
            None => String::new(),
            Some(Ok(text)) => text,
            Some(Err(error)) => {
                problems.push(Problem::of(&place, format!("cannot be read: {error}")));
                String::new()
            }
        };
        let (found, readable) = file_problems(&place, &text);
        problems.extend(found);
        let mut table: toml::Table = toml::from_str(&readable).unwrap_or_default();
        let in_file = |(setting, what): bounds::Wrong| Problem {
            place: place.clone(),
            line: line_of(&readable, setting),
            what,
        };
        for wrong in bounds::wrong(&table) {
            bounds::remove(&mut table, wrong.0);
            problems.push(in_file(wrong));
        }
        let mut set: Vec<(String, String)> =
            environment.filter(|(name, _)| is_option(name)).collect();
        set.sort();
        for (name, value) in set {
            let mut tried = table.clone();
            put(&mut tried, &name, &value);
            let what = match tried.clone().try_into::<Config>() {
                Ok(_) => bounds::wrong(&tried).pop().map(|(_, what)| what),
                Err(error) => Some(in_words(error.message())),
            };
            match what {
                None => table = tried,
                Some(what) => problems.push(Problem::of(&name, what)),
            }
        }
        let config = table.try_into().unwrap_or_else(|error: toml::de::Error| {
            problems.push(Problem::of(&place, error.message()));
            Config::default()
        });
        problems.extend(bounds::contradictions(&config).into_iter().map(in_file));
        sort(&mut problems);
        (config, problems)
    }
}

impl Config {
    /// Names of the settings that differ, in order: `wal.zstd_level`.
    #[must_use]
    pub fn differences(&self, other: &Config) -> Vec<String> {
        let (one, two) = (self.settings(), other.settings());
        let names: BTreeSet<&String> = one.keys().chain(two.keys()).collect();
        names
            .into_iter()
            .filter(|name| one.get(*name) != two.get(*name))
            .cloned()
            .collect()
    }

    /// Every setting by name with what stands in it; a list has several. Taken from the form that every part's
    /// options have for debugging: one name or element a line, four spaces deeper for each level.
    pub(crate) fn settings(&self) -> BTreeMap<String, Vec<String>> {
        let text = format!("{self:#?}");
        let mut settings: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut path: Vec<&str> = Vec::new();
        for line in text.lines().skip(1) {
            let word = line.trim_start().trim_end_matches(',');
            if matches!(word, "}" | "]" | ")") {
                continue;
            }
            let depth = (line.len() - line.trim_start().len()) / 4;
            path.truncate(depth.saturating_sub(1));
            let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            let (name, value) = match word.split_once(": ") {
                Some((name, value)) if is_name(name) => (name, value),
                _ => ("", word),
            };
            path.push(name);
            if !value.ends_with(['{', '[', '(']) {
                let parts: Vec<&str> = path.iter().copied().filter(|p| !p.is_empty()).collect();
                let values = settings.entry(parts.join(".")).or_default();
                values.push(value.to_owned());
            }
        }
        settings
    }
}

/// In the order in which they are mended: place by place, from the top.
pub fn sort(problems: &mut [Problem]) {
    problems.sort_by(|a, b| (&a.place, a.line).cmp(&(&b.place, b.line)));
}

/// The line, from 1, on which a setting is written.
fn line_of(text: &str, setting: &str) -> Option<usize> {
    use toml::de::DeValue;
    let table = toml::de::DeTable::parse(text).ok()?;
    let line = |at: usize| Some(text.get(..at)?.matches('\n').count() + 1);
    let mut at = table.get_ref();
    let mut parts = setting.split('.').peekable();
    let mut element = None;
    loop {
        let part = parts.next()?;
        let found = at.iter().find(|(name, _)| name.get_ref() == part);
        // What is missing in an element of a list is missed where that begins.
        let Some((name, mut value)) = found else {
            return line(element?);
        };
        let mut start = name.span().start;
        // `rules.2.regex`: the third of a list.
        if let DeValue::Array(list) = value.get_ref()
            && let Some(index) = parts.peek().and_then(|part| part.parse::<usize>().ok())
        {
            parts.next();
            value = list.get(index)?;
            start = value.span().start;
            element = Some(start);
        }
        if parts.peek().is_none() {
            return line(start);
        }
        match value.get_ref() {
            DeValue::Table(inner) => at = inner,
            _ => return None,
        }
    }
}

/// Reads again and again, each time without the lines found wrong, until nothing is wrong or nothing helps. Gives
/// the lines that are left too, each where it was.
fn file_problems(place: &str, text: &str) -> (Vec<Problem>, String) {
    let mut problems: Vec<Problem> = Vec::new();
    let mut lines: Vec<&str> = text.lines().collect();
    while problems.len() < PROBLEMS_MAX {
        let left = lines.join("\n");
        let Err(error) = toml::from_str::<Config>(&left) else {
            break;
        };
        let at = error.span().map(|span| {
            left.get(..span.start)
                .unwrap_or_default()
                .matches('\n')
                .count()
        });
        let what = in_words(error.message());
        problems.push(Problem {
            place: place.to_owned(),
            line: at.map(|at| at + 1),
            what,
        });
        match at.and_then(|at| lines.get_mut(at)) {
            Some(line) if !line.is_empty() => *line = "",
            _ => break,
        }
    }
    (problems, lines.join("\n"))
}

/// What the reader says, on one line and without the names of our types.
fn in_words(message: &str) -> String {
    let message = message.replace('\n', " ");
    match message.rsplit_once(", expected ") {
        Some((found, kind)) => format!("{found}, expected {}", api::input::words(kind)),
        None => message,
    }
}

/// Options name their section after a double underscore, or are one of the two at the top.
fn is_option(name: &str) -> bool {
    name.strip_prefix(PREFIX)
        .is_some_and(|rest| rest.contains("__") || matches!(rest, "DATA_DIR" | "LOG_LEVEL"))
}

/// Puts `WARDLINE_A__B=value` at `a.b`: as TOML where it reads as such, else as text.
fn put(table: &mut toml::Table, name: &str, value: &str) {
    let path = name
        .strip_prefix(PREFIX)
        .unwrap_or(name)
        .to_ascii_lowercase();
    let mut parts: Vec<&str> = path.split("__").collect();
    let Some(last) = parts.pop() else { return };
    let mut at = table;
    for part in parts {
        let next = at
            .entry(part)
            .or_insert_with(|| toml::Value::Table(toml::Table::new()));
        match next.as_table_mut() {
            Some(inner) => at = inner,
            None => return,
        }
    }
    let parsed = toml::from_str::<toml::Table>(&format!("v = {value}"))
        .ok()
        .and_then(|mut table| table.remove("v"));
    at.insert(
        last.to_owned(),
        parsed.unwrap_or_else(|| toml::Value::String(value.to_owned())),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, environment: &[(&str, &str)]) -> Result<Config, Vec<Problem>> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("wardline.toml");
        std::fs::write(&file, text).unwrap();
        let environment = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::load(Some(&file), environment)
    }

    #[test]
    fn the_default_file_says_what_the_code_does() {
        let written: Config = toml::from_str(DEFAULTS).unwrap();
        assert_eq!(format!("{written:?}"), format!("{:?}", Config::default()));
    }

    #[test]
    fn environment_wins_over_the_file() {
        let config = read(
            "[wal]\nzstd_level = 2\n",
            &[("WARDLINE_WAL__ZSTD_LEVEL", "5"), ("WARDLINE_URL", "x")],
        )
        .unwrap();
        assert_eq!(config.wal.zstd_level, 5);
        assert_eq!(
            read("", &[("WARDLINE_DATA_DIR", "/srv/w")])
                .unwrap()
                .data_dir,
            PathBuf::from("/srv/w")
        );
    }

    #[test]
    fn all_problems_are_told_with_their_lines() {
        let text = "data_dir = \"x\"\nnonsense = 1\n[wal]\nzstd_level = \"high\"\n[index]\ncommit_interval_ms = 100\nwhat = 2\n";
        let lines: Vec<Option<usize>> = read(text, &[])
            .unwrap_err()
            .iter()
            .map(|problem| problem.line)
            .collect();
        for expected in [2, 4, 7] {
            assert!(lines.contains(&Some(expected)), "{expected} in {lines:?}");
        }
        let problems = read(
            "",
            &[
                ("WARDLINE_WAL__ZSTD_LEVEL", "many"),
                ("WARDLINE_WAL__X", "1"),
            ],
        )
        .unwrap_err();
        assert_eq!(problems.len(), 2, "{problems:?}");
    }

    fn told(text: &str, environment: &[(&str, &str)]) -> Vec<(Option<usize>, String)> {
        let problems = read(text, environment).unwrap_err();
        let told = problems
            .into_iter()
            .map(|problem| (problem.line, problem.what));
        told.collect()
    }

    #[test]
    fn settings_no_server_can_work_with_are_told_beside_those_that_cannot_be_read() {
        let text = "[server]\nconnections_max = 0\nwhat = 1\n[ingest]\nbody_bytes_max = 0\n[wal]\nzstd_level = 99\n\
            frame_bytes_max = \"big\"\n[pipeline]\nfields_max = 0\n[index]\nmerge_events_max = 99000000\n";
        let found = told(text, &[]);
        let lines: Vec<Option<usize>> = found.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [2, 3, 5, 7, 8, 10, 12].map(Some), "{found:?}");
        assert_eq!(
            found[0].1,
            "server.connections_max = 0: expected 1 to 1000000"
        );
        let set = [("WARDLINE_API__SEARCHES_MAX", "0")];
        assert_eq!(
            told("", &set)[0].1,
            "api.searches_max = 0: expected 1 to 10000"
        );
        assert_eq!(
            told("[wal]\nzstd_level = \"x\"", &[])[0].1,
            "invalid type: string \"x\", expected a whole number"
        );
        assert_eq!(told("log_level = \"loud\"", &[])[0].0, Some(1));
    }

    #[test]
    fn settings_that_contradict_each_other_are_told() {
        let found = told("[api]\nkey_days_max = 30\nkey_days = 60\n", &[]);
        let expected = "api.key_days = 60: larger than api.key_days_max = 30";
        assert_eq!(found, [(Some(3), expected.to_owned())]);
        // Only where files are followed is there a line bound to fit.
        let records = "[pipeline]\nrecord_bytes_max = 2097152\n";
        assert!(read(records, &[]).is_ok());
        let followed = format!("{records}[[files.follow]]\npath = \"/var/log/x\"\n");
        assert_eq!(told(&followed, &[])[0].0, Some(2));
    }

    #[test]
    fn a_problem_finds_the_line_of_its_setting() {
        let check = |text: &str, setting: &str, expected: Option<usize>| {
            assert_eq!(line_of(text, setting), expected, "{text}");
        };
        check("a = 1\n[b.c]\nd = 2\n", "b.c.d", Some(3));
        check("a = 1\nb.c = 2\n", "b.c", Some(2));
        check("a = 1\n", "b.c", None);
        check("a = 1\n", "a.c", None);
        let list = "[[a.b]]\nc = 1\n\n[[a.b]]\nd = 2\n";
        check(list, "a.b.0.c", Some(2));
        check(list, "a.b.1.d", Some(5));
        check(list, "a.b.1.c", Some(4));
        check(list, "a.b.2.c", None);
    }
}
