//! The process dies, or the power does: acknowledged is there, once.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::*;
use crate::wal::faults::{Kind, Made};

const WRITER: &str = "WARDLINE_TEST_WAL_WRITER";

/// Not a test of its own: the process that `killed_process_loses_nothing_acknowledged` kills.
#[test]
fn writer_process() {
    let Ok(place) = std::env::var(WRITER) else {
        return;
    };
    let (round, data) = place.split_once(' ').unwrap();
    let options = Options {
        segment_bytes_max: 30_000,
        ..small()
    };
    let log = Running::open(Path::new(data), options).unwrap();
    log.runtime.block_on(async {
        let task = |task: u32| {
            let wal = log.wal.clone();
            async move {
                for number in 0.. {
                    let size = (task + number) % 5 + 1;
                    let name = |at| format!("{round} {task} {number} {at}");
                    let texts: Vec<String> = (0..size).map(name).collect();
                    let appended = wal.append(batch(&texts)).await.unwrap();
                    let line = format!(
                        "acked|{}|{round} {task} {number}|{size}\n",
                        appended.first.0
                    );
                    std::io::stdout().write_all(line.as_bytes()).unwrap();
                }
            }
        };
        tokio::join!(task(0), task(1), task(2), task(3));
    });
}

#[test]
fn killed_process_loses_nothing_acknowledged() {
    let data = tempfile::tempdir().unwrap();
    let mut acked: Vec<(u64, String)> = Vec::new();
    for round in 0..12u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "wal::tests::crash::writer_process",
                "--exact",
                "--nocapture",
            ])
            .env(WRITER, format!("{round} {}", data.path().display()))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let killer = std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut seen = Vec::new();
                for line in lines.map_while(Result::ok) {
                    let line = line.split_once("acked|").map(|(_, rest)| rest.to_owned());
                    seen.extend(line);
                }
                seen
            });
            std::thread::sleep(Duration::from_millis(60 + round * 37 % 200));
            child.kill().unwrap();
            child.wait().unwrap();
            reader.join().unwrap()
        });
        for line in killer {
            let parts: Vec<&str> = line.split('|').collect();
            let [first, name, size] = parts[..] else {
                continue;
            };
            let first: u64 = first.parse().unwrap();
            for at in 0..size.parse::<u64>().unwrap() {
                acked.push((first + at, format!("{name} {at}")));
            }
        }
        let log = Running::open(data.path(), small()).unwrap();
        let found = log.all();
        log.stop();
        let mut by_text = HashMap::new();
        for (offset, text) in &found {
            assert!(by_text.insert(text, *offset).is_none(), "twice: {text}");
        }
        for (offset, text) in &acked {
            assert_eq!(by_text.get(text), Some(offset), "round {round}: {text}");
        }
        assert_eq!(
            found.len() as u64,
            found.last().map_or(0, |last| last.0 + 1)
        );
    }
    assert!(acked.len() > 500, "the writer writes: {}", acked.len());
    assert!(
        crate::wal::verify(data.path(), |_, _| ())
            .unwrap()
            .is_sound()
    );
}

/// What a disk has of a file: what was synced, and what came after.
#[derive(Clone, Debug, Default)]
struct Inode {
    synced: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Write(Vec<u8>, u64),
    SetLen(u64),
}

/// A disk with a cache that is lost with the power: all of it, none of it, or parts.
#[derive(Clone, Debug, Default)]
struct Platter {
    inodes: Vec<Inode>,
    /// Names as they are, and as the last sync of the directory left them.
    names: HashMap<PathBuf, usize>,
    synced_names: HashMap<PathBuf, usize>,
    acked: u64,
}

impl Platter {
    fn apply(&mut self, made: &Made) {
        match made {
            Made::Create(path) => {
                if let Some(inode) = self.names.get(path) {
                    self.inodes[*inode].pending.push(Change::SetLen(0));
                } else {
                    self.names.insert(path.clone(), self.inodes.len());
                    self.inodes.push(Inode::default());
                }
            }
            Made::Write(path, bytes, at) => self.pend(path, Change::Write(bytes.clone(), *at)),
            Made::SetLen(path, length) => self.pend(path, Change::SetLen(*length)),
            Made::Sync(path) => {
                if let Some(inode) = self.names.get(path) {
                    let inode = &mut self.inodes[*inode];
                    inode.synced = inode.with(inode.pending.len(), false);
                    inode.pending.clear();
                }
            }
            Made::SyncDir => self.synced_names = self.names.clone(),
            Made::Rename(from, to) => {
                if let Some(inode) = self.names.remove(from) {
                    self.names.insert(to.clone(), inode);
                }
            }
            Made::Remove(path) => drop(self.names.remove(path)),
            Made::Acked(events) => self.acked = *events,
        }
    }

    fn pend(&mut self, path: &Path, change: Change) {
        let inode = self.names[path];
        self.inodes[inode].pending.push(change);
    }

    /// Writes down what a power cut leaves: `names` and `bytes` say how much of what was not
    /// synced.
    fn cut(&self, to: &Path, new_names: bool, part: u8) {
        let names = if new_names {
            &self.names
        } else {
            &self.synced_names
        };
        for (path, inode) in names {
            let inode = &self.inodes[*inode];
            let pending = inode.pending.len();
            let bytes = match part {
                0 => inode.synced.clone(),
                1 => inode.with(pending, false),
                2 => inode.with(pending.div_ceil(2), false),
                _ => inode.with(pending, true),
            };
            std::fs::write(to.join(path.file_name().unwrap()), bytes).unwrap();
        }
    }

    /// Whatever of the cached is there: the acknowledged is, right and once.
    fn check(&self, (new_names, part): (bool, u8), kept_from: u64, place: &str) {
        let cut = tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap());
        std::fs::create_dir(cut.path().join("wal")).unwrap();
        self.cut(&cut.path().join("wal"), new_names, part);
        let metrics = Arc::new(Metrics::default());
        let wal = Wal::open(cut.path(), small(), Clock::System, metrics).unwrap();
        assert!(
            wal.first().0 <= kept_from && wal.end().0 >= self.acked,
            "{place}"
        );
        let found = all(&wal);
        for (offset, text) in &found {
            assert_eq!(text, &format!("event {offset}"), "{place}");
        }
        let acked = found
            .iter()
            .filter(|(offset, _)| *offset < self.acked)
            .count() as u64;
        assert_eq!(acked, self.acked - wal.first().0.min(self.acked), "{place}");
    }
}

impl Inode {
    /// The first `count` changes made; `torn`: of the last write, every other 64 bytes are missing.
    fn with(&self, count: usize, torn: bool) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        for (number, change) in self.pending[..count].iter().enumerate() {
            match change {
                Change::SetLen(length) => bytes.resize(usize::try_from(*length).unwrap(), 0),
                Change::Write(written, at) => {
                    let at = usize::try_from(*at).unwrap();
                    bytes.resize(bytes.len().max(at + written.len()), 0);
                    let is_torn = torn && number + 1 == count;
                    for (index, byte) in written.iter().enumerate() {
                        if !is_torn || index / 64 % 2 == 0 {
                            bytes[at + index] = *byte;
                        }
                    }
                }
            }
        }
        bytes
    }
}

#[test]
fn power_cut_between_any_two_calls_loses_nothing_acknowledged() {
    let data = tempfile::tempdir().unwrap();
    let faults = Arc::new(Faults::none());
    faults.record();
    let options = Options {
        retention_bytes_max: Some(900),
        segment_bytes_max: 600,
        ..small()
    };
    let log = Running::faulty(data.path(), options, &faults).unwrap();
    let mut end = 0;
    for round in 0..14u64 {
        if round == 6 {
            faults.fail(Kind::Sync, 1, 5);
        }
        let size = round * 5 % 9 + 1;
        match log.append(&texts(end..end + size)) {
            Ok(appended) => {
                end += size;
                assert_eq!(appended.first.0 + size, end);
                faults.note(Made::Acked(end));
            }
            Err(_) => log.wait_until(|log| !log.wal.status().is_poisoned),
        }
        if round == 11 {
            assert!(
                log.wal
                    .enforce_retention(Timestamp(0), Offset(end / 2))
                    .unwrap()
                    > 0
            );
        }
    }
    let kept_from = log.wal.first().0;
    log.stop();
    let journal = faults.journal.lock().unwrap().take().unwrap();
    let mut platter = Platter::default();
    for (number, made) in journal.iter().enumerate() {
        platter.apply(made);
        for (new_names, part) in [
            (false, 0),
            (true, 0),
            (false, 1),
            (true, 1),
            (true, 2),
            (true, 3),
        ] {
            let place = format!("call {number} {new_names} {part}");
            platter.check((new_names, part), kept_from, &place);
        }
    }
}
