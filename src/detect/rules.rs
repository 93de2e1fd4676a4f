//! The rules in use: loaded, listed, swapped.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use aws_lc_rs::digest;
use serde::Serialize;
use utoipa::ToSchema;
use wardline_detections::{LoadOptions, RuleError, RuleFile, RuleSet, shipped};

use super::alert::severity;
use super::{Error, Options};
use crate::metrics::Metrics;
use crate::model::Severity;

/// A rule as people see it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RuleInfo {
    /// Its UUID, or its name where it has none.
    pub id: String,
    /// Its title.
    pub title: String,
    /// What it looks for, in words.
    pub description: String,
    /// How bad a finding is.
    pub level: Severity,
    /// Sigma status: stable, test, experimental, …
    pub status: String,
    /// Sigma tags.
    pub tags: Vec<String>,
    /// `match`, `event_count`, `value_count` or `new_value`.
    pub kind: String,
    /// File it stands in.
    pub file: String,
    /// Line it begins at.
    pub line: u32,
    /// Whether events are shown to it: false where no log source of ours fits.
    pub active: bool,
    /// First 16 hex digits of the SHA-256 of its file's text.
    pub revision: String,
    /// Text of its file.
    pub text: String,
}

/// A rule that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RuleProblem {
    /// File it stands in.
    pub file: String,
    /// Line of the problem.
    pub line: u32,
    /// What is wrong, in words.
    pub message: String,
}

/// A rule set with what the host adds to it.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) set: Arc<RuleSet>,
    /// By file: first digits of the hash of its text.
    pub(super) revisions: Vec<String>,
    infos: Vec<RuleInfo>,
    problems: Vec<RuleProblem>,
}

#[derive(Debug, Default)]
struct Shared {
    metrics: Arc<Metrics>,
    loaded: RwLock<Arc<Loaded>>,
    /// Problems of the last reload, where it was refused.
    refused: Mutex<Vec<RuleProblem>>,
}

/// Rules that have been read and are not in use yet.
#[derive(Debug)]
pub struct Prepared(Loaded);

/// The rules in use. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct RulesHandle(Arc<Shared>);

impl RulesHandle {
    /// Loads the shipped rules and the operator's. Bad rules are left out; [`RulesHandle::errors`] has them.
    ///
    /// # Errors
    /// [`Error::RulesDir`] where the directory cannot be read.
    pub fn load(options: &Options, metrics: Arc<Metrics>) -> Result<Self, Error> {
        let loaded = load(options)?;
        let shared = Shared {
            metrics,
            loaded: RwLock::default(),
            refused: Mutex::default(),
        };
        let handle = Self(Arc::new(shared));
        handle.publish(loaded);
        Ok(handle)
    }

    /// Reads the rules these settings name, for [`RulesHandle::take_over`].
    ///
    /// # Errors
    /// [`Error::Refused`] where a rule is bad that was not before: [`RulesHandle::errors`] says why.
    pub fn prepare(&self, options: &Options) -> Result<Prepared, Error> {
        let loaded = load(options)?;
        let known = self.loaded().problems.clone();
        let fresh = loaded
            .problems
            .iter()
            .any(|problem| !known.contains(problem));
        if fresh {
            let count = loaded.problems.len();
            self.0.metrics.detect_rule_errors.set(count_of(count));
            *self
                .0
                .refused
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = loaded.problems;
            return Err(Error::Refused(count));
        }
        Ok(Prepared(loaded))
    }

    /// Puts rules in use; groups of rules whose query, window and group have not changed go on counting.
    pub fn take_over(&self, rules: Prepared) {
        self.publish(rules.0);
    }

    fn publish(&self, loaded: Loaded) {
        let alerting = loaded
            .set
            .rules()
            .iter()
            .filter(|rule| rule.alerts && rule.active);
        self.0.metrics.detect_rules.set(count_of(alerting.count()));
        self.0
            .metrics
            .detect_rule_errors
            .set(count_of(loaded.problems.len()));
        for problem in &loaded.problems {
            tracing::warn!(
                file = problem.file,
                line = problem.line,
                "rule refused: {}",
                problem.message
            );
        }
        self.0
            .refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        *self
            .0
            .loaded
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(loaded);
    }

    pub(super) fn loaded(&self) -> Arc<Loaded> {
        Arc::clone(&self.0.loaded.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The rules that raise alerts, ordered by file and line; the operator's behind the shipped ones.
    #[must_use]
    pub fn list(&self) -> Vec<RuleInfo> {
        self.loaded().infos.clone()
    }

    /// The rule with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<RuleInfo> {
        self.loaded().infos.iter().find(|r| r.id == id).cloned()
    }

    /// The rules refused at the last load, or that made the last reload fail.
    #[must_use]
    pub fn errors(&self) -> Vec<RuleProblem> {
        let refused = self
            .0
            .refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if refused.is_empty() {
            self.loaded().problems.clone()
        } else {
            refused.clone()
        }
    }

    /// The rules as the engine takes them: for tests of rules and back-testing.
    #[must_use]
    pub fn set(&self) -> Arc<RuleSet> {
        Arc::clone(&self.loaded().set)
    }
}

fn count_of(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// The rule files these settings name: shipped ones first.
///
/// # Errors
/// [`Error::RulesDir`] where the directory cannot be read.
pub fn rule_files(options: &Options) -> Result<(Vec<RuleFile>, Vec<RuleProblem>), Error> {
    let mut files = if options.shipped_rules {
        shipped()
    } else {
        Vec::new()
    };
    let mut problems = Vec::new();
    if let Some(dir) = &options.rules_dir {
        let mut paths = Vec::new();
        walk(dir, &mut paths).map_err(|e| Error::RulesDir(dir.clone(), e.kind()))?;
        paths.sort();
        if paths.len() > options.rule_files_max {
            let message = format!("more than {} files", options.rule_files_max);
            problems.push(problem(dir, &message));
            paths.truncate(options.rule_files_max);
        }
        for path in paths {
            match read(&path, options.rule_file_bytes_max) {
                Ok(text) => files.push(RuleFile {
                    path: path.to_string_lossy().into_owned().into(),
                    text: text.into(),
                }),
                Err(message) => problems.push(problem(&path, &message)),
            }
        }
    }
    Ok((files, problems))
}

fn problem(path: &Path, message: &str) -> RuleProblem {
    RuleProblem {
        file: path.to_string_lossy().into_owned(),
        line: 1,
        message: message.to_owned(),
    }
}

/// Paths looked at before they are sorted and bounded.
const PATHS_MAX: usize = 1_000_000;

/// Every `*.yml` and `*.yaml` below a directory; symbolic links to directories are not followed.
fn walk(dir: &Path, paths: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let mut open = vec![dir.to_path_buf()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let path = entry.path();
            let is_rule = path.extension().is_some_and(|e| e == "yml" || e == "yaml");
            if entry.file_type()?.is_dir() {
                open.push(path);
            } else if is_rule && paths.len() < PATHS_MAX {
                paths.push(path);
            }
        }
    }
    Ok(())
}

fn read(path: &Path, max: u64) -> Result<String, String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {}", error.kind());
    let mut text = Vec::new();
    let file = fs::File::open(path).map_err(unreadable)?;
    file.take(max.saturating_add(1))
        .read_to_end(&mut text)
        .map_err(unreadable)?;
    if count_of(text.len()) > max {
        return Err(format!("larger than {max} bytes"));
    }
    String::from_utf8(text).map_err(|_| "not UTF-8".to_owned())
}

fn load(options: &Options) -> Result<Loaded, Error> {
    let (files, mut problems) = rule_files(options)?;
    let load = LoadOptions {
        require_tests: options.require_tests,
        files_max: usize::MAX,
        ..LoadOptions::default()
    };
    let (set, errors) = RuleSet::load_with(&files, &load);
    problems.extend(errors.into_iter().map(
        |RuleError {
             file,
             line,
             message,
         }| RuleProblem {
            file,
            line,
            message,
        },
    ));
    let revisions: Vec<String> = files.iter().map(|file| revision(&file.text)).collect();
    let infos = set
        .rules()
        .iter()
        .filter(|rule| rule.alerts || !rule.active)
        .map(|rule| {
            let file = files.get(rule.file);
            RuleInfo {
                id: rule.id.clone(),
                title: rule.title.clone(),
                description: rule.description.clone(),
                level: severity(rule.level),
                status: rule.status.clone(),
                tags: rule.tags.clone(),
                kind: rule.kind.name().to_owned(),
                file: file.map(|f| f.path.to_string()).unwrap_or_default(),
                line: rule.line,
                active: rule.active,
                revision: revisions.get(rule.file).cloned().unwrap_or_default(),
                text: file.map(|f| f.text.to_string()).unwrap_or_default(),
            }
        });
    Ok(Loaded {
        infos: infos.collect(),
        set: Arc::new(set),
        revisions,
        problems,
    })
}

fn revision(text: &str) -> String {
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    hash.as_ref()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "title: own\nid: own-1\nlogsource: {category: webserver}\n\
                        detection: {s: {a: 1}, condition: s}\n";

    fn options(dir: &Path) -> Options {
        Options {
            rules_dir: Some(dir.to_path_buf()),
            ..Options::default()
        }
    }

    #[test]
    fn bad_rules_are_left_out_at_start_and_keep_the_old_ones_on_reload() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("sub")).unwrap();
        fs::write(dir.path().join("sub/own.yml"), GOOD).unwrap();
        fs::write(dir.path().join("bad.yml"), "title: x\n").unwrap();
        fs::write(dir.path().join("notes.txt"), "no rule").unwrap();
        let metrics = Arc::new(Metrics::default());
        let rules = RulesHandle::load(&options(dir.path()), metrics.clone()).unwrap();
        assert_eq!(rules.errors().len(), 1);
        let own = rules.get("own-1").unwrap();
        assert!(own.active && own.text == GOOD && own.revision.len() == 16);
        assert!(metrics.detect_rules.get() >= 8);

        fs::write(
            dir.path().join("sub/own.yml"),
            GOOD.replace("condition: s", "condition: t"),
        )
        .unwrap();
        let refused = rules.prepare(&options(dir.path()));
        assert!(matches!(refused, Err(Error::Refused(2))));
        assert_eq!(rules.errors().len(), 2);
        assert!(rules.get("own-1").is_some());

        fs::write(
            dir.path().join("sub/own.yml"),
            GOOD.replace("own-1", "own-2"),
        )
        .unwrap();
        let prepared = rules.prepare(&options(dir.path())).unwrap();
        assert!(rules.get("own-1").is_some(), "nothing changes before");
        rules.take_over(prepared);
        assert!(rules.get("own-1").is_none() && rules.get("own-2").is_some());
        assert_eq!(rules.errors().len(), 1);
    }

    #[test]
    fn files_are_bounded() {
        let dir = tempfile::tempdir().unwrap();
        for number in 0..5 {
            fs::write(
                dir.path().join(format!("{number}.yml")),
                GOOD.replace("own", &format!("o{number}")),
            )
            .unwrap();
        }
        fs::write(dir.path().join("0.yml"), [0xff, 0xfe]).unwrap();
        fs::write(dir.path().join("1.yml"), " ".repeat(2_000)).unwrap();
        let options = Options {
            shipped_rules: false,
            rule_files_max: 3,
            rule_file_bytes_max: 1_000,
            ..options(dir.path())
        };
        let (files, problems) = rule_files(&options).unwrap();
        assert_eq!((files.len(), problems.len()), (1, 3));
    }
}
