use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::chain::Chain;
use super::manifest::sum_line;
use super::verify::verify_bytes;
use super::*;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::model::{Event, Field, Offset, Timestamp, hex, sha256};
use crate::redact::{Batch, clean};
use crate::tasks::Tasks;
use crate::wal::{Options, Wal};

const NOON: Timestamp = Timestamp(1_763_726_400_000_000_000);

/// A log of four frames of three events in two segments or more.
struct House {
    dir: tempfile::TempDir,
    wal: Wal,
    tasks: Tasks,
}

impl House {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            segment_bytes_max: 300,
            ..Options::default()
        };
        let wal = Wal::open(
            dir.path(),
            options,
            Clock::manual(NOON),
            Arc::new(Metrics::default()),
        );
        let (wal, tasks) = (wal.unwrap(), Tasks::new());
        wal.start(&tasks).unwrap();
        for frame in 0..4 {
            let mut batch = Batch::with_room(1 << 10);
            for at in 0..3 {
                let mut event = Event::new(Timestamp(NOON.0 + at), NOON);
                event.push_str(Field::Message, format!("event {at} of frame {frame}"));
                batch.push(&clean(event));
            }
            wal.append(batch).await.unwrap();
        }
        Self { dir, wal, tasks }
    }

    /// A pack of these events.
    fn pack(&self, offsets: &[u64], with_frames: bool) -> Vec<u8> {
        let path = self.dir.path().join("evidence.tmp");
        let out = crate::files::nameless(&path).unwrap();
        let mut pack = Pack::begin(out, 1 << 20, NOON, Some("alt_1".to_owned()));
        pack.document("alert.json", &json!({"alert": {"id": "alt_1"}}))
            .unwrap();
        pack.rule("title: x\n").unwrap();
        for offset in offsets.iter().map(|offset| Offset(*offset)) {
            let frame = self.wal.frame_at(offset).unwrap().unwrap();
            let event = frame.event(offset).unwrap().unwrap();
            pack.event(&event, offset).unwrap();
            pack.event(&event, offset).unwrap();
        }
        let mut made = pack.finish(&self.wal, with_frames).unwrap();
        assert!(!path.exists());
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut made.file, &mut bytes).unwrap();
        assert_eq!(made.bytes, bytes.len() as u64);
        let report = verify_bytes(&bytes).unwrap();
        assert_eq!(report.manifest_sha256, made.manifest_sha256);
        bytes
    }
}

type Files = Vec<(String, Vec<u8>)>;

fn unpacked(pack: &[u8]) -> Files {
    let entries = zip::read(pack, |_| true).unwrap();
    entries
        .into_iter()
        .map(|(name, bytes)| (name, bytes.to_vec()))
        .collect()
}

fn packed(files: &Files) -> Vec<u8> {
    let mut writer = zip::Writer::new(Cursor::new(Vec::new()), 1 << 20);
    for (name, bytes) in files {
        writer.add(name, bytes).unwrap();
    }
    writer.finish().unwrap().0.into_inner()
}

fn named<'f>(files: &'f mut Files, name: &str) -> &'f mut Vec<u8> {
    &mut files.iter_mut().find(|(known, _)| known == name).unwrap().1
}

/// What somebody makes who knows how: all sums right again.
fn resealed(mut files: Files) -> Vec<u8> {
    files.retain(|(name, _)| name != MANIFEST_SUM);
    let (_, text) = files.pop().unwrap();
    let mut manifest: Value = serde_json::from_slice(&text).unwrap();
    let entry = |(name, bytes): &(String, Vec<u8>)| json!({"path": name, "bytes": bytes.len(), "sha256": hex(&sha256(bytes))});
    manifest["files"] = files.iter().map(entry).collect();
    let events = files.iter().find(|(name, _)| name == EVENTS).unwrap();
    manifest["events"] = json!(String::from_utf8_lossy(&events.1).lines().count());
    let text = serde_json::to_vec(&manifest).unwrap();
    let sum = sum_line(&hex(&sha256(&text)));
    files.push((MANIFEST.to_owned(), text));
    files.push((MANIFEST_SUM.to_owned(), sum.into_bytes()));
    packed(&files)
}

fn check_wrong(pack: &[u8], place: &str) {
    match verify_bytes(pack) {
        Err(Error::Wrong(text)) => assert!(text.starts_with(place), "{text}, not {place}"),
        other => panic!("{place}: {other:?}"),
    }
}

fn with_chain(mut files: Files, change: impl FnOnce(&mut Chain)) -> Vec<u8> {
    let text = named(&mut files, CHAIN);
    let mut chain: Chain = serde_json::from_slice(text).unwrap();
    change(&mut chain);
    *text = serde_json::to_vec(&chain).unwrap();
    resealed(files)
}

#[tokio::test]
async fn a_pack_says_how_much_of_it_is_proven() {
    let house = House::new().await;
    let check = |offsets: &[u64], with_frames, expected: (u64, u64, u64, u64)| {
        let report = verify_bytes(&house.pack(offsets, with_frames)).unwrap();
        let found = (report.events, report.compared, report.frames, report.links);
        assert_eq!(found, expected, "{offsets:?}");
        assert_eq!(report.alert.as_deref(), Some("alt_1"));
    };
    // The head of a segment names the frame before its first one, that of the first segment none.
    let firsts: Vec<u64> = house
        .wal
        .files()
        .0
        .iter()
        .map(|file| file.first.0)
        .collect();
    let heads =
        |frames: &[u64]| frames.iter().filter(|first| firsts.contains(first)).count() as u64;
    assert!(firsts.len() > 1);
    let all: Vec<u64> = (0..12).collect();
    check(&all, true, (12, 12, 4, 3 + heads(&[0, 3, 6, 9])));
    check(&[11, 0, 1], true, (3, 3, 2, heads(&[0, 9])));
    check(&[4], false, (1, 0, 1, heads(&[3])));
    check(&[], true, (0, 0, 0, 0));
    house.tasks.drain();
}

#[tokio::test]
async fn a_change_of_any_byte_is_found() {
    let house = House::new().await;
    let pack = house.pack(&[1, 2, 3, 9], true);
    for at in 0..pack.len() {
        let mut changed = pack.clone();
        changed[at] ^= 1 << (at % 8);
        assert!(verify_bytes(&changed).is_err(), "byte {at}");
    }
    for cut in (0..pack.len()).step_by(11) {
        assert!(verify_bytes(&pack[..cut]).is_err(), "cut at {cut}");
    }
}

#[tokio::test]
async fn files_that_are_swapped_dropped_or_added_are_found() {
    let house = House::new().await;
    let files = unpacked(&house.pack(&[1, 3, 4], true));
    assert_eq!(packed(&files), house.pack(&[1, 3, 4], true));
    for at in 0..files.len() {
        let mut dropped = files.clone();
        dropped.remove(at);
        assert!(verify_bytes(&packed(&dropped)).is_err(), "{at}");
        let mut swapped = files.clone();
        let next = (at + 1) % files.len();
        (swapped[at].1, swapped[next].1) = (files[next].1.clone(), files[at].1.clone());
        assert!(verify_bytes(&packed(&swapped)).is_err(), "{at}");
        let mut moved = files.clone();
        moved.swap(at, next);
        assert!(verify_bytes(&packed(&moved)).is_err(), "{at}");
        for name in [
            files[at].0.as_str(),
            "../x",
            "/etc/x",
            "frames/1.frame",
            "x",
        ] {
            let mut added = files.clone();
            added.insert(at, (name.to_owned(), b"{}".to_vec()));
            assert!(verify_bytes(&packed(&added)).is_err(), "{name} at {at}");
            if at < files.len() - 2 {
                assert!(verify_bytes(&resealed(added)).is_err(), "{name} at {at}");
            }
        }
    }
}

#[tokio::test]
async fn changes_with_all_sums_right_are_held_against_the_log() {
    let house = House::new().await;
    let files = unpacked(&house.pack(&[1, 2, 3, 4], true));
    assert!(verify_bytes(&resealed(files.clone())).is_ok());
    let with_events = |change: &dyn Fn(&str) -> String| {
        let mut files = files.clone();
        let text = named(&mut files, EVENTS);
        *text = change(&String::from_utf8_lossy(text)).into_bytes();
        resealed(files)
    };
    let line = "events.ndjson, line 3: ";
    check_wrong(
        &with_events(&|text| text.replace("event 0", "event 9")),
        line,
    );
    check_wrong(
        &with_events(&|text| text.replace("{\"id", "{ \"id")),
        "events.ndjson, line 1",
    );
    check_wrong(
        &with_events(&|text| text.replace('\n', "\n\n")),
        "events.ndjson, line 2",
    );
    let first = |text: &str| text.lines().next().unwrap().to_owned() + "\n";
    check_wrong(&with_events(&first), "chain.json, frame 0");
    check_wrong(
        &with_events(&|text| first(text) + text),
        "events.ndjson, line 2",
    );
    let other = |text: &str| text.replace(&Offset(4).event_id(), &Offset(5).event_id());
    check_wrong(&with_events(&other), "chain.json, frame 3");
    let chain = |change: fn(&mut Chain)| with_chain(files.clone(), change);
    check_wrong(
        &chain(|chain| chain.frames[1].previous = "0".repeat(64)),
        "chain.json, frame 3",
    );
    check_wrong(
        &chain(|chain| chain.frames[0].events.clear()),
        "chain.json, frame 0",
    );
    check_wrong(
        &chain(|chain| chain.frames.swap(0, 1)),
        "chain.json, frame 0",
    );
    check_wrong(
        &chain(|chain| chain.frames[1].file = None),
        "chain.json, frame 3",
    );
    check_wrong(
        &chain(|chain| drop(chain.frames.pop())),
        "events.ndjson, line 3",
    );
    check_wrong(
        &chain(|chain| chain.segments.clear()),
        "chain.json, frame 0",
    );
    check_wrong(
        &chain(|chain| chain.segments[0].first = Offset(7)),
        "chain.json, segment 7",
    );
}

#[tokio::test]
async fn a_frame_of_somebodys_own_is_not_the_one_that_the_next_one_follows() {
    let (house, own) = (House::new().await, House::new().await);
    let mut forged = unpacked(&house.pack(&[1, 2, 3, 4], true));
    // Everything about it is right but what follows it.
    let name = chain::file_name(Offset(0));
    let mut frame = own.wal.raw_frame_at(Offset(0)).unwrap().unwrap().bytes;
    frame[32] ^= 1;
    let crc = crc32c::crc32c_append(crc32c::crc32c(&frame[..28]), &frame[32..]);
    frame[28..32].copy_from_slice(&crc.to_le_bytes());
    *named(&mut forged, &name) = frame.clone();
    let link = crate::wal::Link::of(&frame).unwrap();
    let forged = with_chain(forged, |chain| {
        chain.frames[0].sha256 = hex(&link.hash);
        chain.frames[0].previous = hex(&link.previous);
        chain.frames[0].written = link.written.to_rfc3339();
    });
    check_wrong(&forged, "chain.json, frame 3: it does not follow");
}

#[tokio::test]
async fn what_is_no_pack_is_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pack");
    for bytes in [b"".as_slice(), b"PK\x03\x04", b"no pack", &[0; 100]] {
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(verify(&path), Err(Error::Wrong(_))), "{bytes:?}");
    }
    assert!(matches!(verify(Path::new("/no/such")), Err(Error::Io(_))));
    assert!(matches!(verify(dir.path()), Err(Error::Io(_))));
}

#[tokio::test]
async fn what_the_disk_has_lost_is_no_evidence() {
    let house = House::new().await;
    let file = house.wal.files().0.remove(0);
    let mut bytes = std::fs::read(&file.path).unwrap();
    bytes[64 + 80] ^= 1;
    std::fs::write(&file.path, bytes).unwrap();
    // Memory still has it.
    let frame = house.wal.frame_at(Offset(0)).unwrap().unwrap();
    let event = frame.event(Offset(0)).unwrap().unwrap();
    assert!(house.wal.raw_frame_at(Offset(0)).unwrap().is_none());
    assert!(house.wal.raw_frame_at(Offset(12)).unwrap().is_none());
    let out = tempfile::tempfile().unwrap();
    let mut pack = Pack::begin(out, 1 << 20, NOON, None);
    pack.event(&event, Offset(0)).unwrap();
    match pack.finish(&house.wal, true) {
        Err(Error::Gone(id)) => assert_eq!(id, Offset(0).event_id()),
        other => panic!("{other:?}"),
    }
}
