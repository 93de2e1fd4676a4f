//! Paths with `*` and `?` in them, matched name by name.

use std::path::{Component, Path, PathBuf};

/// All paths that match, at most `paths_max`, in order. A pattern without `*` and `?` is itself, if
/// it exists.
pub(super) fn expand(pattern: &str, paths_max: usize) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in Path::new(pattern).components() {
        let name = part.as_os_str().to_string_lossy();
        let is_pattern = matches!(part, Component::Normal(_)) && name.contains(['*', '?']);
        found = found
            .iter()
            .flat_map(|base| step(base, &part, &name, is_pattern))
            .collect();
        found.sort();
        found.truncate(paths_max);
    }
    found.retain(|path| path.exists());
    found
}

fn step(base: &Path, part: &Component<'_>, name: &str, is_pattern: bool) -> Vec<PathBuf> {
    if !is_pattern {
        return vec![base.join(part)];
    }
    let folder = if base.as_os_str().is_empty() {
        Path::new(".")
    } else {
        base
    };
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let names = entries
        .filter_map(Result::ok)
        .map(|entry| entry.file_name());
    names
        .filter(|file| {
            let file = file.to_string_lossy();
            // As in a shell, a pattern does not mean hidden files unless it says so.
            (!file.starts_with('.') || name.starts_with('.')) && matches(name, &file)
        })
        .map(|file| base.join(file))
        .collect()
}

/// Whether the whole name matches; linear in practice: only the last `*` is ever tried again.
fn matches(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut at, mut seen) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(letter) = name.get(seen) {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(wanted) if *wanted == '?' || wanted == letter => {
                at += 1;
                seen += 1;
            }
            _ => match star.as_mut() {
                Some((back, taken)) => {
                    *taken += 1;
                    (at, seen) = (*back + 1, *taken);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match() {
        for (pattern, name, wanted) in [
            ("*.log", "a.log", true),
            ("*.log", "a.log.1", false),
            ("*", "", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("**x", "yyx", true),
            ("é*", "équipe", true),
        ] {
            assert_eq!(matches(pattern, name), wanted, "{pattern} {name}");
        }
    }

    #[test]
    fn patterns_match_in_every_part_of_a_path() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["a/1.log", "a/2.txt", "b/3.log", "b/.4.log"] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let pattern = format!("{}/*/*.log", folder.path().display());
        let wanted = [folder.path().join("a/1.log"), folder.path().join("b/3.log")];
        assert_eq!(expand(&pattern, 10), wanted);
        assert!(expand("/nowhere/*.log", 10).is_empty());
        assert_eq!(expand(wanted[0].to_str().unwrap(), 10), wanted[..1]);
    }
}
