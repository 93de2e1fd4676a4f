//! The laws of the house, checked on the source itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::source::product_lines;

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const LOCKED_PACKAGES_MAX: usize = 400;

/// Floors, lowest first. A file imports only from lower floors or its own folder.
const FLOORS: &[&[&str]] = &[
    &["clock", "files", "tasks", "metrics"],
    &["model"],
    &["redact"],
    &["wal", "store"],
    &[
        "pipeline", "index", "detect", "notify", "backup", "evidence",
    ],
    &["api"],
    &["ingest"],
    &["config", "app", "cli"],
    &["main", "lib"],
];

/// The outermost modules see each other: the wiring, its settings and the commands.
const RIMS: &[&str] = &["config", "app", "cli", "main", "lib"];

/// Who may name a crate: (pattern, the only places it may stand in, why).
const ONLY_HERE: &[(&str, &[&str], &str)] = &[
    (
        "redb::",
        &["src/store/engine/"],
        "the key-value engine stays behind its seam",
    ),
    (
        "sled::",
        &["src/store/engine/"],
        "the key-value engine stays behind its seam",
    ),
    ("tantivy::", &["src/index/"], "the index can be replaced"),
    (
        "reqwest::",
        &["src/notify/egress.rs"],
        "one HTTP client, behind the egress guard",
    ),
    ("axum::", &["src/api/", "src/ingest/"], "HTTP is a rim"),
    (
        "hyper::",
        &["src/api/", "src/ingest/", "src/notify/"],
        "HTTP is a rim",
    ),
    (
        "maxminddb::",
        &["src/pipeline/"],
        "one reader of address databases",
    ),
    ("SystemTime::now", &["src/clock.rs"], "time is an input"),
    ("Instant::now", &["src/clock.rs"], "time is an input"),
    ("Utc::now", &["src/clock.rs"], "time is an input"),
    (
        "tokio::spawn",
        &["src/tasks.rs"],
        "everything that runs is supervised",
    ),
    (
        "spawn_blocking",
        &["src/tasks.rs"],
        "everything that runs is supervised",
    ),
    ("unbounded_channel", &[], "every queue has a bound"),
    (
        "println!",
        &[
            "src/cli/",
            "src/main.rs",
            "web/build.rs",
            "detections/build.rs",
        ],
        "data on stdout is a command's job",
    ),
    (
        "process::exit",
        &["src/main.rs"],
        "only main ends the process",
    ),
    (
        "GzDecoder",
        &["src/ingest/guard.rs"],
        "raw decoders have no cap",
    ),
    (
        "clap::",
        &["src/cli/", "src/main.rs"],
        "flags are the command line's",
    ),
];

const EMPTY_NAMES: &[&str] = &[
    "util", "utils", "common", "helper", "helpers", "misc", "manager", "managers", "service",
    "services",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below `dir` with one of `endings`, as (path relative to the root, text).
fn files(dir: &str, endings: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open = vec![root().join(dir)];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                if !["target", "node_modules", "dist", "fuzz"].contains(&name.as_str()) {
                    open.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                let relative = path
                    .strip_prefix(root())
                    .unwrap()
                    .to_string_lossy()
                    .into_owned();
                found.push((relative, std::fs::read_to_string(&path).unwrap_or_default()));
            }
        }
    }
    found.sort();
    found
}

fn rust() -> Vec<(String, String)> {
    ["src", "parsers/src", "detections/src", "web/src"]
        .iter()
        .flat_map(|dir| files(dir, &[".rs"]))
        .collect()
}

fn fail(problems: &[String]) {
    assert!(
        problems.is_empty(),
        "{} problem(s):\n{}",
        problems.len(),
        problems.join("\n")
    );
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("tests.rs") || path.contains("/tests/")
}

#[test]
fn files_stay_small() {
    let mut problems = Vec::new();
    let mut all = rust();
    all.extend(files("tests", &[".rs", ".ts", ".mjs"]));
    all.extend(files("benches", &[".rs"]));
    all.extend(files("web/app/src", &[".ts", ".svelte", ".css"]));
    for (path, text) in all {
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            problems.push(format!("{path}: {lines} lines, at most {FILE_LINES_MAX}"));
        }
    }
    fail(&problems);
}

/// Counts as clippy does: lines of the body that are neither blank nor comment.
#[test]
fn functions_stay_small() {
    let begins = [
        "fn ",
        "pub fn ",
        "pub(crate) fn ",
        "pub(super) fn ",
        "async fn ",
        "pub async fn ",
    ];
    let mut problems = Vec::new();
    for (path, text) in rust() {
        if is_test_file(&path) {
            continue;
        }
        let mut open: Option<(usize, usize, String, bool, usize)> = None;
        for (index, line) in text.lines().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let word = line.trim_start();
            let Some((from, at, name, in_body, lines)) = &mut open else {
                if begins.iter().any(|begin| word.starts_with(begin))
                    && !word.ends_with(';')
                    && !word.ends_with('}')
                {
                    let name = word.split('(').next().unwrap_or(word).to_owned();
                    open = Some((index + 1, indent, name, word.ends_with('{'), 0));
                }
                continue;
            };
            if indent == *at && word.starts_with('}') {
                if *lines > FUNCTION_LINES_MAX {
                    problems.push(format!("{path}:{from}: {name} has {lines} lines"));
                }
                open = None;
            } else if *in_body {
                *lines += usize::from(!word.is_empty() && !word.starts_with("//"));
            } else {
                *in_body = word.ends_with('{');
                if word.ends_with(';') {
                    open = None;
                }
            }
        }
    }
    fail(&problems);
}

#[test]
fn imports_go_down() {
    let floor_of: BTreeMap<&str, usize> = FLOORS
        .iter()
        .enumerate()
        .flat_map(|(floor, modules)| modules.iter().map(move |module| (*module, floor)))
        .collect();
    let mut problems = Vec::new();
    for (path, text) in files("src", &[".rs"]) {
        let inside = path.trim_start_matches("src/");
        let me = inside
            .split('/')
            .next()
            .unwrap_or_default()
            .trim_end_matches(".rs");
        let Some(my_floor) = floor_of.get(me) else {
            problems.push(format!(
                "{path}: module `{me}` has no floor; give it one in tests/it/tidy.rs"
            ));
            continue;
        };
        if is_test_file(&path) {
            continue;
        }
        for (number, line) in product_lines(&text) {
            for part in line.split("crate::").skip(1) {
                let module: String = part
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect();
                let Some(floor) = floor_of.get(module.as_str()) else {
                    continue;
                };
                let is_sibling_rim = RIMS.contains(&me);
                if module != me && (floor > my_floor || (floor == my_floor && !is_sibling_rim)) {
                    // The clock speaks in timestamps of the model: the one word both need.
                    if me == "clock" && module == "model" {
                        continue;
                    }
                    problems.push(format!(
                        "{path}:{number}: {me} (floor {my_floor}) uses {module} (floor {floor})"
                    ));
                }
            }
        }
    }
    fail(&problems);
}

#[test]
fn each_thing_stands_in_its_place() {
    let mut problems = Vec::new();
    for (path, text) in rust() {
        if is_test_file(&path) {
            continue;
        }
        for (number, line) in product_lines(&text) {
            for (pattern, places, why) in ONLY_HERE {
                let Some(at) = line.find(pattern) else {
                    continue;
                };
                // `wardline::clap::x` or `eprintln!` are other names that end alike.
                let before = line[..at].chars().next_back();
                if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
                    continue;
                }
                if !places.iter().any(|place| path.starts_with(place)) {
                    problems.push(format!(
                        "{path}:{number}: `{pattern}` belongs in {places:?}: {why}"
                    ));
                }
            }
        }
    }
    fail(&problems);
}

#[test]
fn routes_exist_only_through_their_spec() {
    let mut problems = Vec::new();
    for (path, text) in files("src", &[".rs"]) {
        if path == "src/api/routes.rs" || is_test_file(&path) {
            continue;
        }
        for (number, line) in product_lines(&text) {
            for call in [
                ".route(",
                ".route_service(",
                ".nest(",
                ".nest_service(",
                ".fallback_service(",
                "MethodRouter",
            ] {
                if line.contains(call) {
                    problems.push(format!(
                        "{path}:{number}: `{call}`: add a RouteSpec in place of it"
                    ));
                }
            }
        }
    }
    fail(&problems);
}

#[test]
fn leaf_crates_know_nothing_of_the_house() {
    let mut problems = Vec::new();
    for leaf in ["parsers", "detections", "web"] {
        let manifest = std::fs::read_to_string(root().join(leaf).join("Cargo.toml")).unwrap();
        for word in ["wardline =", "wardline-", "tokio", "tantivy", "axum"] {
            let named_itself = format!("name = \"wardline-{leaf}\"");
            if manifest.replace(&named_itself, "").contains(word) {
                problems.push(format!("{leaf}/Cargo.toml names {word}"));
            }
        }
    }
    fail(&problems);
}

#[test]
fn every_dependency_says_why() {
    let mut problems = Vec::new();
    for manifest in [
        "Cargo.toml",
        "parsers/Cargo.toml",
        "detections/Cargo.toml",
        "web/Cargo.toml",
    ] {
        let text = std::fs::read_to_string(root().join(manifest)).unwrap();
        let mut in_dependencies = false;
        let mut has_reason = false;
        for line in text.lines() {
            if line.starts_with('[') {
                in_dependencies = line.contains("dependencies");
                has_reason = false;
            } else if line.starts_with('#') {
                has_reason = true;
            } else if in_dependencies && line.contains('=') && !line.starts_with(' ') {
                let is_path = line.contains("path =");
                if !has_reason && !is_path {
                    problems.push(format!("{manifest}: {line}: no reason above it"));
                }
                has_reason = false;
            }
        }
    }
    fail(&problems);
}

#[test]
fn the_lock_stays_lean() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let packages = lock.matches("[[package]]").count();
    assert!(
        packages <= LOCKED_PACKAGES_MAX,
        "{packages} locked packages, at most {LOCKED_PACKAGES_MAX}"
    );
}

#[test]
fn names_say_something() {
    let mut problems = Vec::new();
    let mut all = rust();
    all.extend(files("web/app/src", &[".ts", ".svelte"]));
    for (path, _) in all {
        for part in path.split(['/', '.']) {
            if EMPTY_NAMES.contains(&part) {
                problems.push(format!("{path}: `{part}` says nothing"));
            }
        }
    }
    fail(&problems);
}

#[test]
fn no_lint_is_allowed_and_nothing_is_left_to_do() {
    let mut problems = Vec::new();
    for (path, text) in rust() {
        for (number, line) in text.lines().enumerate() {
            for word in [
                "#[allow",
                "#![allow",
                "todo!(",
                "unimplemented!(",
                "TODO",
                "FIXME",
                "#[ignore",
            ] {
                if line.contains(word) {
                    problems.push(format!("{path}:{}: {word}", number + 1));
                }
            }
        }
    }
    fail(&problems);
}

#[test]
fn every_rule_carries_its_tests() {
    let mut problems = Vec::new();
    let mut rules = 0;
    for (path, text) in files("detections/rules", &[".yml"]) {
        rules += 1;
        if !text.contains("tests:") || !text.contains("alerts: 0") || !text.contains("alerts: 1") {
            problems.push(format!(
                "{path}: needs a test that alerts and one that does not"
            ));
        }
    }
    if rules == 0 {
        problems.push("detections/rules holds no rule".to_owned());
    }
    fail(&problems);
}

#[test]
fn every_bound_of_the_options_is_documented_in_the_default_configuration() {
    let defaults = std::fs::read_to_string(root().join("src/config.default.toml")).unwrap();
    let mut problems = Vec::new();
    for (path, text) in files("src", &[".rs"]) {
        for (number, line) in product_lines(&text) {
            let Some(rest) = line.trim_start().strip_prefix("pub ") else {
                continue;
            };
            let Some((name, _)) = rest.split_once(':') else {
                continue;
            };
            if name.ends_with("_max") && !name.contains(' ') && !defaults.contains(name) {
                problems.push(format!(
                    "{path}:{number}: `{name}` is not in src/config.default.toml"
                ));
            }
        }
    }
    fail(&problems);
}

#[test]
fn documents_link_to_files_that_exist() {
    let mut problems = Vec::new();
    for document in ["README.md", "src/README.md", "CHANGELOG.md", "SECURITY.md"] {
        let Ok(text) = std::fs::read_to_string(root().join(document)) else {
            problems.push(format!("{document} is missing"));
            continue;
        };
        let base = root().join(Path::new(document).parent().unwrap_or(Path::new("")));
        for part in text.split("](").skip(1) {
            let target = part.split([')', '#']).next().unwrap_or_default();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            if !base.join(target).exists() {
                problems.push(format!("{document}: {target} does not exist"));
            }
        }
    }
    fail(&problems);
}
