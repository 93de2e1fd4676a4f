//! A full disk. Needs a small file system of its own, so it is run by hand:
//! `mount -t tmpfs -o size=4m tmpfs DIR && WARDLINE_SMALL_DISK=DIR cargo test -p wardline full_disk`

use std::path::Path;

use super::{open_alert, store};
use crate::model::Offset;
use crate::store::{Act, Error, Options};

#[test]
fn a_full_disk_is_an_error_while_it_lasts_and_loses_nothing() {
    let Ok(small) = std::env::var("WARDLINE_SMALL_DISK") else {
        return;
    };
    let small = Path::new(&small);
    let (store, clock) = store(&small.join("store"), Options::default());
    let id = open_alert(&store, 0, "a");
    let filler = small.join("filler");
    let write = |at: u64, size: usize| {
        let state = vec![7; size];
        store.commit_findings(Offset(at), Some(&state), &[], clock.now())
    };
    let mut block = 4 << 20;
    let mut filled = Vec::new();
    while block > 0 {
        filled.resize(filled.len() + block, 1);
        if std::fs::write(&filler, &filled).is_err() {
            filled.truncate(filled.len() - block);
            block /= 2;
        }
    }
    let mut refused = 0;
    for round in 0..20 {
        let result = write(2 + round, 200_000 * usize::try_from(round + 1).unwrap());
        refused += usize::from(matches!(
            result,
            Err(Error::Io(_) | Error::Engine(_) | Error::Open(_))
        ));
    }
    assert!(refused > 0, "the disk is full");
    assert!(store.alert(&id).unwrap().is_some(), "reading goes on");
    std::fs::remove_file(&filler).unwrap();
    write(100, 1_000).unwrap();
    let act = Act {
        actor: "eve".into(),
        ..Default::default()
    };
    assert_eq!(store.ack_alert(&id, &act, None).unwrap().version, 2);
    println!("{refused} of 20 writes refused while full, none after");
}
