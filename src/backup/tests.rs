use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::model::{Event, Field, Offset};
use crate::redact::{Batch, TagKey, clean};
use crate::store::{ApiKey, EngineKind, Scope};
use crate::tasks::Tasks;

const NOON: Timestamp = Timestamp(1_763_726_400_000_000_000);

/// A data directory with a log and a state, both open.
struct House {
    dir: tempfile::TempDir,
    store: Store,
    wal: Wal,
    tasks: Tasks,
}

impl House {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (store, wal) = open(dir.path());
        let tasks = Tasks::new();
        wal.start(&tasks).unwrap();
        Self {
            dir,
            store,
            wal,
            tasks,
        }
    }

    async fn append(&self, count: i64) {
        let mut batch = Batch::with_room(1 << 10);
        for at in 0..count {
            let mut event = Event::new(Timestamp(NOON.0 + at), NOON);
            event.push_str(Field::Message, format!("event {at}"));
            batch.push(&clean(event));
        }
        self.wal.append(batch).await.unwrap();
    }

    fn backup(&self) -> Vec<u8> {
        let source = Source {
            data_dir: self.dir.path(),
            store: &self.store,
            wal: &self.wal,
            now: NOON,
        };
        let mut archive = Vec::new();
        let made = create(&source, &mut archive).unwrap();
        assert_eq!(check(archive.as_slice()).unwrap(), made);
        archive
    }
}

fn open(dir: &Path) -> (Store, Wal) {
    let (clock, metrics) = (Clock::manual(NOON), Arc::new(Metrics::default()));
    let store = Store::open(
        &dir.join("store"),
        Default::default(),
        clock.clone(),
        metrics.clone(),
    );
    let wal = Wal::open(dir, Default::default(), clock, metrics);
    (store.unwrap(), wal.unwrap())
}

fn restored(archive: &[u8], keys: &Path, data: &Path) -> Result<(Manifest, bool), Error> {
    restore(archive, keys, data, EngineKind::default())
}

fn key(at: usize) -> ApiKey {
    ApiKey {
        id: format!("key-{at}"),
        name: "backup".into(),
        scopes: vec![Scope::Search],
        secret_sha256: [7; 32],
        created_at: NOON,
        created_by: "test".into(),
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
    }
}

fn texts(wal: &Wal) -> Vec<String> {
    let mut reader = wal.reader(wal.first());
    let mut texts = Vec::new();
    while reader.at() < wal.end() {
        let frame = reader.next(std::time::Duration::ZERO).unwrap().unwrap();
        for (offset, _) in frame.iter() {
            let event = frame.event(offset).unwrap().unwrap();
            texts.push(event.text(Field::Message).unwrap().to_owned());
        }
    }
    texts
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_what_is_in_use_becomes_a_data_directory_again() {
    let house = House::new();
    house.append(30).await;
    house.append(20).await;
    for at in 0..510 {
        house.store.add_api_key(&key(at)).unwrap();
    }
    fs::write(house.dir.path().join("files.json"), "{}").unwrap();
    let archive = house.backup();
    house.append(5).await;
    let before = texts(&house.wal);

    let target = tempfile::tempdir().unwrap();
    let data = target.path().join("data");
    let (made, _) = restored(&archive, house.dir.path(), &data).unwrap();
    assert_eq!((made.events(), made.end.0), (50, 50));
    assert!(
        !made
            .files
            .iter()
            .any(|file| KEYS.contains(&file.path.as_str()))
    );
    assert_eq!(fs::read_to_string(data.join("files.json")).unwrap(), "{}");
    assert_eq!(fs::read_dir(target.path()).unwrap().count(), 1);
    let (store, wal) = open(&data);
    assert_eq!(texts(&wal), before[..50]);
    let ids = |store: &Store| {
        let keys = store.api_keys().unwrap();
        keys.into_iter().map(|key| key.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(&store), ids(&house.store));
    // It goes on from there.
    wal.start(&house.tasks).unwrap();
    let again = House {
        dir: target,
        store,
        wal,
        tasks: house.tasks.clone(),
    };
    again.append(1).await;
    assert_eq!(again.wal.end().0, 51);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_or_cut_is_refused_and_leaves_nothing() {
    let house = House::new();
    house.append(10).await;
    let archive = house.backup();
    let target = tempfile::tempdir().unwrap();
    let data = target.path().join("data");
    let check = |archive: &[u8], what: &str| {
        assert!(super::check(archive).is_err(), "{what}");
        assert!(
            restored(archive, house.dir.path(), &data).is_err(),
            "{what}"
        );
        assert_eq!(fs::read_dir(target.path()).unwrap().count(), 0, "{what}");
    };
    check(b"", "nothing");
    let passwords = "root:x:0:0:".repeat(100);
    check(passwords.as_bytes(), "text");
    let error = super::check(passwords.as_bytes()).unwrap_err().to_string();
    assert!(!error.contains("root"), "{error}");
    for length in (0..archive.len() - 1024).step_by(1500) {
        check(&archive[..length], &format!("cut at {length}"));
    }
    // Each byte of a file and of its name; those that fill a block up say nothing.
    let mut read = tar::Archive::new(archive.as_slice());
    let entries = read.entries().unwrap().map(|entry| {
        let entry = entry.unwrap();
        let header = entry.raw_header_position();
        (entry.raw_file_position(), entry.size(), header)
    });
    let entries: Vec<_> = entries.collect();
    assert_eq!(entries.len(), 3);
    for (start, bytes, header) in entries {
        for at in (start..start + bytes)
            .step_by(131)
            .chain(header..header + 20)
        {
            let mut damaged = archive.clone();
            damaged[usize::try_from(at).unwrap()] ^= 0x10;
            check(&damaged, &format!("byte {at}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_over_or_elsewhere() {
    let house = House::new();
    house.append(1).await;
    let archive = house.backup();
    let target = tempfile::tempdir().unwrap();
    let occupied = restored(&archive, target.path(), house.dir.path());
    assert!(matches!(occupied, Err(Error::Occupied(_))));
    for name in [
        "../evil",
        "wal/../../evil",
        "wal/1.seg",
        "index/x",
        "tag.key",
    ] {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_size(1);
        // As nobody's library would write it.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        tar.append(&header, [0].as_slice()).unwrap();
        let evil = tar.into_inner().unwrap();
        let data = target.path().join("data");
        let made = restored(&evil, target.path(), &data);
        assert!(matches!(made, Err(Error::Archive(_))), "{name}: {made:?}");
        assert_eq!(fs::read_dir(target.path()).unwrap().count(), 0, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_grows_meanwhile_is_taken_as_it_was() {
    let house = House::new();
    house.append(3).await;
    let (files, end) = house.wal.files();
    house.append(4).await;
    let mut held = Vec::new();
    let file = fs::File::open(&files[0].path).unwrap();
    file.take(files[0].bytes).read_to_end(&mut held).unwrap();
    let whole = fs::read(&files[0].path).unwrap();
    assert!(whole.starts_with(&held) && whole.len() > held.len());
    assert_eq!((files.len(), end.0, house.wal.end().0), (1, 3, 7));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_directory_may_be_there_and_a_half_made_one_is_named() {
    let house = House::new();
    house.append(2).await;
    let archive = house.backup();
    let target = tempfile::tempdir().unwrap();
    fs::create_dir(target.path().join("lost+found")).unwrap();
    restored(&archive, target.path(), target.path()).unwrap();
    assert_eq!(texts(&open(target.path()).1).len(), 2);
    assert!(!target.path().join(".restoring").exists());
    // What was half moved is neither served nor restored over.
    fs::create_dir(target.path().join(".restoring")).unwrap();
    assert!(is_being_restored(target.path()));
    let left = restored(&archive, target.path(), target.path()).unwrap_err();
    assert!(matches!(left, Error::Leftover(_)), "{left}");
    let other = tempfile::tempdir().unwrap();
    let data = other.path().join("a/b");
    fs::create_dir_all(other.path().join("a/b.restoring")).unwrap();
    let left = restored(&archive, target.path(), &data).unwrap_err();
    assert!(left.to_string().contains("b.restoring is left"), "{left}");
    fs::remove_dir(other.path().join("a/b.restoring")).unwrap();
    restored(&archive, target.path(), &data).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_another_server_are_not_taken() {
    let house = House::new();
    TagKey::open_or_create(&house.dir.path().join(KEYS[0])).unwrap();
    wal::Receipts::open(house.dir.path()).unwrap();
    let archive = house.backup();
    let (other, target) = (House::new(), tempfile::tempdir().unwrap());
    TagKey::open_or_create(&other.dir.path().join(KEYS[0])).unwrap();
    let (of_other, of_house) = (target.path().join("a"), target.path().join("b"));
    let (_, has_keys) = restored(&archive, other.dir.path(), &of_other).unwrap();
    assert!(!has_keys && !of_other.join(KEYS[1]).exists());
    let (_, has_keys) = restored(&archive, house.dir.path(), &of_house).unwrap();
    assert!(has_keys && of_house.join(KEYS[1]).exists());
}

/// Does something when the first byte arrives.
struct Meanwhile<F> {
    out: Vec<u8>,
    happens: Option<F>,
}

impl<F: FnOnce()> Write for Meanwhile<F> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if let Some(happens) = self.happens.take() {
            happens();
        }
        self.out.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn how_far_files_were_read_is_not_ahead_of_the_log() {
    let house = House::new();
    house.append(2).await;
    let positions = house.dir.path().join("files.json");
    fs::write(&positions, r#"{"read":2}"#).unwrap();
    let mut out = Meanwhile {
        out: Vec::new(),
        happens: Some(|| fs::write(&positions, r#"{"read":5}"#).unwrap()),
    };
    let source = Source {
        data_dir: house.dir.path(),
        store: &house.store,
        wal: &house.wal,
        now: NOON,
    };
    create(&source, &mut out).unwrap();
    let target = tempfile::tempdir().unwrap();
    restored(&out.out, house.dir.path(), target.path()).unwrap();
    let kept = fs::read_to_string(target.path().join("files.json")).unwrap();
    assert_eq!(kept, r#"{"read":2}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_agrees_with_itself_may_still_be_none() {
    let house = House::new();
    house.append(2).await;
    fs::write(house.dir.path().join("files.json"), "not json").unwrap();
    let archive = house.backup();
    let target = tempfile::tempdir().unwrap();
    let check = |archive: &[u8], what: &str| {
        let made = restored(archive, target.path(), &target.path().join("data"));
        assert!(matches!(made, Err(Error::Archive(_))), "{what}: {made:?}");
        assert_eq!(fs::read_dir(target.path()).unwrap().count(), 0, "{what}");
    };
    check(&archive, "positions that are none");
    let mut without_log = archive::Writer::new(Vec::new(), NOON);
    let mut rows = Vec::new();
    house.store.dump(&mut rows).unwrap();
    let length = rows.len() as u64;
    without_log.add(ROWS, rows.as_slice(), length).unwrap();
    let (manifest, bytes) = without_log.ended(Offset(0)..Offset(0), None).unwrap();
    assert_eq!(super::check(bytes.as_slice()).unwrap(), manifest);
    check(&bytes, "no log");
}
