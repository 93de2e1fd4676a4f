//! Key files that are gone. The first start makes them; made anew beside data that was written with them, they
//! would silently part the data from what comes after.

use std::fs;
use std::path::Path;

/// What is lost, and how to mend it.
pub(super) fn lost(data: &Path) -> impl Iterator<Item = String> {
    let has_log = holds(&data.join("wal"), |name| name.ends_with(".seg"));
    let tags = (has_log && !data.join("tag.key").exists()).then(|| {
        tell(
            data,
            "tag.key",
            "the log in wal was written with it; with another key the same secret gets another tag than before",
        )
    });
    let store = super::store_dir(data);
    let has_state = holds(&store, |name| name.starts_with("state."));
    let secrets = (has_state && !store.join("secret.key").exists()).then(|| {
        tell(
            data,
            "store/secret.key",
            "the signing secrets of webhooks are sealed with it; with another key each must be rotated",
        )
    });
    let receipts = data.join("wal/receipts");
    let has_receipts = holds(&receipts, |name| name.ends_with(".json"));
    let signatures = (has_receipts && !data.join("receipt.key").exists()).then(|| {
        tell(
            data,
            "receipt.key",
            "the receipts of erasures are signed with it; with another key they no longer vouch for the log",
        )
    });
    tags.into_iter().chain(secrets).chain(signatures)
}

fn tell(data: &Path, name: &str, why: &str) -> String {
    let path = data.join(name);
    let path = path.display();
    format!(
        "{name} is missing: {why}. Restore it from a backup; to accept that instead, make a new one: \
         (umask 077; head -c 32 /dev/urandom > {path})"
    )
}

fn holds(dir: &Path, is_sought: impl Fn(&str) -> bool) -> bool {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names = entries.map(|entry| entry.file_name());
    names.any(|name| name.to_str().is_some_and(&is_sought))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_missed_where_its_data_is() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path();
        let check = |expected: &[&str]| {
            let names: Vec<String> = lost(data)
                .filter_map(|what| what.split(' ').next().map(str::to_owned))
                .collect();
            assert_eq!(names, expected);
        };
        check(&[]);
        fs::create_dir_all(data.join("wal")).unwrap();
        // What `key create` leaves before the first start.
        fs::create_dir_all(data.join("store/inbox")).unwrap();
        check(&[]);
        fs::write(data.join("wal/00000000000000000000.seg"), b"").unwrap();
        fs::write(data.join("store/state.redb"), b"").unwrap();
        check(&["tag.key", "store/secret.key"]);
        fs::write(data.join("tag.key"), b"").unwrap();
        check(&["store/secret.key"]);
        fs::write(data.join("store/secret.key"), b"").unwrap();
        check(&[]);
        fs::create_dir_all(data.join("wal/receipts")).unwrap();
        check(&[]);
        fs::write(data.join("wal/receipts/era_1.json"), b"").unwrap();
        check(&["receipt.key"]);
        fs::write(data.join("receipt.key"), b"").unwrap();
        check(&[]);
    }
}
