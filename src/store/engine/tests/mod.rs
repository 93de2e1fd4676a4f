//! The contract every engine keeps, run against each that is compiled in.

mod crash;
mod damage;

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;

use super::{Batch, Direction, Engine, Kind, Range, Table};

/// Table, key and value; `None` deletes.
type Change<'a> = (Table, &'a [u8], Option<&'a [u8]>);

/// A batch from its changes.
fn batch(changes: &[Change<'_>]) -> Batch {
    let mut batch = Batch::default();
    for (table, key, value) in changes {
        batch
            .0
            .insert((*table, key.to_vec()), value.map(<[u8]>::to_vec));
    }
    batch
}

fn keys(engine: &Engine, range: &Range, direction: Direction, limit: usize) -> Vec<String> {
    let rows = engine
        .snapshot()
        .unwrap()
        .scan(Table::Alerts, range, direction, limit)
        .unwrap();
    rows.into_iter()
        .map(|(key, _)| String::from_utf8(key).unwrap())
        .collect()
}

fn a_batch_is_there_after_opening_again(kind: Kind) {
    let dir = tempfile::tempdir().unwrap();
    {
        let engine = Engine::open(kind, dir.path()).unwrap();
        let changes = batch(&[
            (Table::Alerts, b"a", Some(b"1")),
            (Table::Due, b"a", Some(b"2")),
            (Table::Alerts, b"b", Some(b"")),
        ]);
        engine.commit(&changes).unwrap();
        engine
            .commit(&batch(&[(Table::Alerts, b"a", None)]))
            .unwrap();
    }
    let engine = Engine::open(kind, dir.path()).unwrap();
    let view = engine.snapshot().unwrap();
    assert_eq!(view.get(Table::Alerts, b"a").unwrap(), None);
    assert_eq!(view.get(Table::Due, b"a").unwrap().unwrap(), b"2");
    assert_eq!(view.get(Table::Alerts, b"b").unwrap().unwrap(), b"");
}

fn scans_are_ordered_and_bounded(kind: Kind) {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(kind, dir.path()).unwrap();
    let names = ["a", "ab", "ab\u{0}x", "abc", "b", "\u{7f}"];
    let changes: Vec<_> = names
        .iter()
        .map(|key| (Table::Alerts, key.as_bytes(), Some(&b"v"[..])))
        .collect();
    engine.commit(&batch(&changes)).unwrap();
    engine
        .commit(&batch(&[(Table::AlertsByTime, b"aa", Some(b"other"))]))
        .unwrap();
    let (forward, reverse) = (Direction::Forward, Direction::Reverse);
    assert_eq!(keys(&engine, &Range::prefix(b""), forward, 99), names);
    assert_eq!(
        keys(&engine, &Range::prefix(b"ab"), forward, 99),
        ["ab", "ab\u{0}x", "abc"]
    );
    assert_eq!(
        keys(&engine, &Range::prefix(b"ab"), reverse, 2),
        ["abc", "ab\u{0}x"]
    );
    assert_eq!(
        keys(&engine, &Range::prefix(b"").before(b"ab"), reverse, 9),
        ["a"]
    );
    assert_eq!(
        keys(&engine, &Range::prefix(b"").after(b"abc"), forward, 9),
        ["b", "\u{7f}"]
    );
    assert_eq!(
        keys(&engine, &Range::prefix(b"b").before(b"a"), forward, 9),
        [""; 0]
    );
    assert_eq!(keys(&engine, &Range::prefix(b""), forward, 0), [""; 0]);
}

fn opening_twice_is_refused(kind: Kind) {
    let dir = tempfile::tempdir().unwrap();
    let _first = Engine::open(kind, dir.path()).unwrap();
    let second = Engine::open(kind, dir.path());
    assert!(matches!(second, Err(super::Error::Locked)), "{second:?}");
}

fn a_replaced_or_lost_file_is_refused(kind: Kind, file: &Path) {
    let dir = tempfile::tempdir().unwrap();
    drop(Engine::open(kind, dir.path()).unwrap());
    let path = dir.path().join(file);
    std::fs::write(
        &path,
        b"this is a text file, somebody put it here".repeat(200),
    )
    .unwrap();
    let error = Engine::open(kind, dir.path()).unwrap_err();
    assert!(matches!(error, super::Error::Open(_)), "{error:?}");
    std::fs::remove_file(&path).unwrap();
    let error = Engine::open(kind, dir.path()).unwrap_err();
    assert!(matches!(error, super::Error::Open(_)), "{error:?}");
}

fn files_are_for_this_user_alone(kind: Kind, file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let _engine = Engine::open(kind, dir.path()).unwrap();
    let mode = std::fs::metadata(dir.path().join(file))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<(u8, u8, Option<u8>)>),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let change = (0u8..3, 0u8..12, proptest::option::of(any::<u8>()));
    prop_oneof![
        8 => proptest::collection::vec(change, 1..6).prop_map(Step::Commit),
        1 => Just(Step::Reopen),
    ]
}

/// Any sequence of batches and restarts leaves what the same sequence leaves in a map.
fn behaves_like_a_map(kind: Kind) {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(12));
    let steps = proptest::collection::vec(step(), 1..25);
    let result = runner.run(&steps, |steps| {
        let dir = tempfile::tempdir().unwrap();
        let mut engine = Some(Engine::open(kind, dir.path()).unwrap());
        let mut model: BTreeMap<(Table, Vec<u8>), Vec<u8>> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Reopen => {
                    drop(engine.take());
                    engine = Some(Engine::open(kind, dir.path()).unwrap());
                }
                Step::Commit(changes) => {
                    let mut batch = Batch::default();
                    for (table, key, value) in changes {
                        let at = (Table::ALL[usize::from(table)], vec![key]);
                        let value = value.map(|value| vec![value; 40]);
                        match &value {
                            Some(value) => drop(model.insert(at.clone(), value.clone())),
                            None => drop(model.remove(&at)),
                        }
                        batch.0.insert(at, value);
                    }
                    engine.as_ref().unwrap().commit(&batch).unwrap();
                }
            }
            let view = engine.as_ref().unwrap().snapshot().unwrap();
            let mut found = BTreeMap::new();
            for table in Table::ALL {
                let all = Range::prefix(b"");
                for (key, value) in view.scan(*table, &all, Direction::Forward, 999).unwrap() {
                    found.insert((*table, key), value);
                }
            }
            found.remove(&(Table::Meta, super::FORMAT.to_vec()));
            prop_assert_eq!(&found, &model);
        }
        Ok(())
    });
    result.unwrap();
}

macro_rules! contract {
    ($engine:ident, $kind:expr, $file:literal) => {
        mod $engine {
            use super::*;

            #[test]
            fn a_batch_is_there_after_opening_again() {
                super::a_batch_is_there_after_opening_again($kind);
            }

            #[test]
            fn scans_are_ordered_and_bounded() {
                super::scans_are_ordered_and_bounded($kind);
            }

            #[test]
            fn opening_twice_is_refused() {
                super::opening_twice_is_refused($kind);
            }

            #[test]
            fn a_replaced_or_lost_file_is_refused() {
                super::a_replaced_or_lost_file_is_refused($kind, Path::new($file));
            }

            #[test]
            fn files_are_for_this_user_alone() {
                super::files_are_for_this_user_alone($kind, Path::new($file));
            }

            #[test]
            fn behaves_like_a_map() {
                super::behaves_like_a_map($kind);
            }

            #[test]
            fn a_kill_loses_no_acknowledged_batch_and_tears_none() {
                super::crash::check($kind);
            }

            #[test]
            fn damage_is_an_error_and_never_a_wrong_value() {
                super::damage::check($kind, Path::new($file));
            }
        }
    };
}

contract!(redb_contract, Kind::Redb, "state.redb");
#[cfg(feature = "store-sled")]
contract!(sled_contract, Kind::Sled, "state.sled/db");

/// The engine of a child process, by name.
fn kind_of(name: &str) -> Kind {
    match name {
        #[cfg(feature = "store-sled")]
        "Sled" => Kind::Sled,
        _ => Kind::Redb,
    }
}

#[cfg(feature = "store-sled")]
#[test]
fn the_state_of_another_engine_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(Engine::open(Kind::Redb, dir.path()).unwrap());
    let error = Engine::open(Kind::Sled, dir.path()).unwrap_err();
    assert!(error.to_string().contains("redb"), "{error}");
}
