//! kill -9 at random moments: this test binary runs itself as the writer and kills it.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::super::{Direction, Engine, Kind, Range, Table};
use super::{batch, kind_of};

const KILLS: u32 = 10;
const TABLES: [Table; 3] = [Table::Alerts, Table::Due, Table::Keys];

/// Not a test: the child's part of the tests below.
#[test]
fn writer() {
    let Ok(dir) = std::env::var("WARDLINE_CRASH_DIR") else {
        return;
    };
    let kind = kind_of(&std::env::var("WARDLINE_CRASH_ENGINE").unwrap());
    let engine = Engine::open(kind, Path::new(&dir)).unwrap();
    let first = count(&engine, Table::Alerts);
    let mut out = std::io::stdout();
    for number in first.. {
        let key = number.to_be_bytes();
        let value = [u8::try_from(number % 251).unwrap(); 200];
        let changes: Vec<_> = TABLES
            .iter()
            .map(|table| (*table, &key[..], Some(&value[..])))
            .collect();
        engine.commit(&batch(&changes)).unwrap();
        writeln!(out, "\nacked {number}").unwrap();
        out.flush().unwrap();
    }
}

fn count(engine: &Engine, table: Table) -> u64 {
    let view = engine.snapshot().unwrap();
    let rows = view
        .scan(table, &Range::prefix(b""), Direction::Reverse, 1)
        .unwrap();
    rows.first().map_or(0, |(key, _)| {
        u64::from_be_bytes(key[..].try_into().unwrap()) + 1
    })
}

/// Every acknowledged batch is there, each batch is in all tables or none, and there are no holes.
pub(super) fn check(kind: Kind) {
    let dir = tempfile::tempdir().unwrap();
    let mut acked = 0u64;
    for round in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "store::engine::tests::crash::writer",
                "--exact",
                "--nocapture",
            ])
            .env("WARDLINE_CRASH_DIR", dir.path())
            .env("WARDLINE_CRASH_ENGINE", format!("{kind:?}"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut line = || lines.next().and_then(Result::ok);
        // The first acknowledgement says that it is at work.
        let mut numbers = std::iter::from_fn(&mut line).filter_map(|line| {
            line.strip_prefix("acked ")
                .and_then(|n| n.parse::<u64>().ok())
        });
        let first = numbers.next().unwrap();
        acked = acked.max(first + 1);
        // Moments spread over more than one commit's time, different in each round.
        std::thread::sleep(Duration::from_micros(u64::from(round) * 7_919 % 41_000));
        child.kill().unwrap();
        for number in numbers {
            acked = acked.max(number + 1);
        }
        child.wait().unwrap();

        let engine = Engine::open(kind, dir.path()).unwrap();
        let found = count(&engine, Table::Alerts);
        assert!(
            found >= acked,
            "round {round}: {acked} acknowledged, {found} there"
        );
        let view = engine.snapshot().unwrap();
        for table in TABLES {
            let limit = usize::MAX;
            let rows = view
                .scan(table, &Range::prefix(b""), Direction::Forward, limit)
                .unwrap();
            assert_eq!(
                u64::try_from(rows.len()).unwrap(),
                found,
                "round {round}: {table:?}"
            );
            for (number, (key, value)) in (0u64..).zip(rows) {
                assert_eq!(key, number.to_be_bytes());
                assert_eq!(value, vec![u8::try_from(number % 251).unwrap(); 200]);
            }
        }
    }
    assert!(acked > u64::from(KILLS), "the writer got to work: {acked}");
}
