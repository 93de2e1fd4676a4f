//! Flipped bytes in the file. Read in a child process, because an engine may answer with an abort or never.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::super::{Direction, Engine, Error, Kind, Range, Table};
use super::{batch, kind_of};

const ROWS: u32 = 3_000;
const TRIALS: u64 = 12;

fn value(number: u32) -> Vec<u8> {
    number.to_be_bytes().repeat(20)
}

/// Not a test: the child's part of the test below. Leaves with 0 where all it read was right or refused.
#[test]
fn reader() {
    let Ok(dir) = std::env::var("WARDLINE_DAMAGE_DIR") else {
        return;
    };
    let kind = kind_of(&std::env::var("WARDLINE_DAMAGE_ENGINE").unwrap());
    let mut refused = 0u32;
    match Engine::open(kind, Path::new(&dir)) {
        Err(Error::Open(_) | Error::Io(_) | Error::Engine(_)) => refused += 1,
        Err(other) => panic!("{other:?}"),
        Ok(engine) => {
            let view = engine.snapshot().unwrap();
            for number in 0..ROWS {
                match view.get(Table::Alerts, &number.to_be_bytes()) {
                    Ok(Some(found)) => {
                        if found != value(number) {
                            println!("\nWRONG VALUE");
                        }
                    }
                    Ok(None) => println!("\nMISSING"),
                    Err(_) => refused += 1,
                }
            }
            let all = view.scan(
                Table::Alerts,
                &Range::prefix(b""),
                Direction::Forward,
                9_999,
            );
            refused += u32::from(all.is_err());
        }
    }
    println!("\nrefused {refused}");
}

/// XORs 64 bytes somewhere in the file, as the storage research did, and reads everything back.
pub(super) fn check(kind: Kind, file: &Path) {
    let dir = tempfile::tempdir().unwrap();
    {
        let engine = Engine::open(kind, dir.path()).unwrap();
        for from in (0..ROWS).step_by(500) {
            let rows: Vec<_> = (from..from + 500)
                .map(|n| (n.to_be_bytes(), value(n)))
                .collect();
            let changes: Vec<_> = rows
                .iter()
                .map(|(k, v)| (Table::Alerts, &k[..], Some(&v[..])))
                .collect();
            engine.commit(&batch(&changes)).unwrap();
        }
    }
    let path = dir.path().join(file);
    let whole = std::fs::read(&path).unwrap();
    let used = u64::try_from(whole.iter().rposition(|byte| *byte != 0).unwrap()).unwrap();
    let (mut wrong, mut ended_well, mut refusing) = (0, 0, 0);
    for trial in 0..TRIALS {
        std::fs::write(&path, &whole).unwrap();
        flip(&path, trial.wrapping_mul(0x9e37_79b9_7f4a_7c15) % used);
        let (is_success, output) = run(kind, dir.path());
        wrong += output.matches("WRONG VALUE").count();
        ended_well += u64::from(is_success);
        refusing += u64::from(!output.contains("\nrefused 0") && is_success);
    }
    assert_eq!(wrong, 0, "a damaged value was taken for a good one");
    println!("{kind:?}: {ended_well} of {TRIALS} ended well, {refusing} with an error");
    if kind == Kind::Redb {
        assert_eq!(ended_well, TRIALS, "redb does not panic on damage");
        assert!(refusing > 0, "no trial hit anything");
    }
}

fn flip(path: &Path, at: u64) {
    let mut file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let mut bytes = [0u8; 64];
    file.seek(SeekFrom::Start(at)).unwrap();
    let read = file.read(&mut bytes).unwrap();
    for byte in &mut bytes {
        *byte ^= 0xa5;
    }
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(&bytes[..read]).unwrap();
}

/// Whether the child ended well within a minute, and what it printed.
fn run(kind: Kind, dir: &Path) -> (bool, String) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "store::engine::tests::damage::reader",
            "--exact",
            "--nocapture",
        ])
        .env("WARDLINE_DAMAGE_DIR", dir)
        .env("WARDLINE_DAMAGE_ENGINE", format!("{kind:?}"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut left = 1_200;
    while child.try_wait().unwrap().is_none() && left > 0 {
        std::thread::sleep(Duration::from_millis(50));
        left -= 1;
    }
    drop(child.kill());
    let mut output = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut output)
        .unwrap();
    (child.wait().unwrap().success(), output)
}
