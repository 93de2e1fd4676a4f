use std::collections::BTreeMap;

use proptest::prelude::*;

use super::store;
use crate::store::engine::{Direction, Range, Table};
use crate::store::{Error, Options};

type Changes = Vec<(u8, Option<u8>)>;

fn changes() -> impl Strategy<Value = Changes> {
    proptest::collection::vec((0u8..16, proptest::option::of(any::<u8>())), 0..14)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Inside a transaction, reads see what is durable with its own changes over it, in any part and order.
    #[test]
    fn reads_see_the_own_changes_of_a_transaction(
        durable in changes(),
        own in changes(),
        (from, to) in (0u8..17, 0u8..17),
        limit in 0usize..18,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (store, _clock) = store(dir.path(), Options::default());
        let mut model = BTreeMap::new();
        for (round, changes) in [&durable, &own].into_iter().enumerate() {
            store.update(|tx| {
                for (key, value) in changes {
                    match value {
                        Some(value) => {
                            tx.put(Table::Sources, &[b'k', *key], vec![*value]);
                            model.insert(vec![b'k', *key], vec![*value]);
                        }
                        None => {
                            tx.delete(Table::Sources, &[b'k', *key]);
                            model.remove(&vec![b'k', *key]);
                        }
                    }
                }
                // A neighbour in the order of tables must not show.
                tx.put(Table::Sessions, b"k\x05", vec![1]);
                let range = Range::prefix(b"k").after(&[b'k', from]).before(&[b'k', to]);
                let expected: Vec<_> = model
                    .iter()
                    .filter(|(key, _)| key[1] > from && key[1] < to)
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect();
                let forward = tx.scan(Table::Sources, &range, Direction::Forward, limit)?;
                assert_eq!(forward, expected[..limit.min(expected.len())], "round {round}");
                let reverse = tx.scan(Table::Sources, &range, Direction::Reverse, limit)?;
                let backwards: Vec<_> = expected.into_iter().rev().take(limit).collect();
                assert_eq!(reverse, backwards, "round {round}");
                for key in 0..16 {
                    let found = tx.get(Table::Sources, &[b'k', key])?;
                    assert_eq!(found.as_ref(), model.get(&vec![b'k', key]));
                }
                Ok(())
            }).unwrap();
        }
    }
}

#[test]
fn a_change_that_fails_half_way_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _clock) = store(dir.path(), Options::default());
    let failed = store.update(|tx| {
        tx.put(Table::Sources, b"k", vec![1]);
        Err::<(), _>(Error::Missing("anything"))
    });
    assert!(failed.is_err());
    assert_eq!(store.view(|tx| tx.get(Table::Sources, b"k")).unwrap(), None);
}
