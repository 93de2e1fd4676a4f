//! Checking a pack with nothing but the pack: the container, the manifest, every frame's checksum and hash, the links
//! between frames, and every event against its record.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::chain::{Chain, FrameRow, SegmentRow, file_name};
use super::manifest::{FORMAT, is_ours, sum_line};
use super::{
    CHAIN, EVENTS, Entry, Error, MANIFEST, MANIFEST_SUM, Manifest, PACK_BYTES_MAX,
    UNPACKED_BYTES_MAX, zip,
};
use crate::model::{Offset, hex, sha256, unhex};
use crate::redact::to_json;
use crate::wal::{Frame, Link, SegmentHead};

/// What a sound pack holds, and how much of it was proven.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The program that made it.
    pub wardline: String,
    /// When, RFC 3339.
    pub created: String,
    /// The alert it is about.
    pub alert: Option<String>,
    /// Its events.
    pub events: u64,
    /// Events that are what their record in a frame says; none where the frames were left out.
    pub compared: u64,
    /// Frames that its events stand in.
    pub frames: u64,
    /// Pairs of neighbouring frames, or of a frame and the head of its segment, that name each other's hash.
    pub links: u64,
    /// Frames out of which other events were erased: neither their links nor their hash say what they are since, the manifest alone
    /// does.
    pub erased_frames: u64,
    /// Frames whose frame before is not in the pack: only the log can tell that they follow it.
    pub unlinked: u64,
    /// SHA-256 of the manifest: compare it with the one that the server gave and logged.
    pub manifest_sha256: String,
}

/// Files of a pack by name.
type Files<'p> = BTreeMap<&'p str, &'p [u8]>;

/// Checks a pack; blocks.
///
/// # Errors
/// [`Error::Wrong`] names the first place that is not as it was made, [`Error::Io`] is for a file that cannot be read.
pub fn verify(path: &Path) -> Result<Report, Error> {
    let mut bytes = Vec::new();
    let length = File::open(path)?
        .take(PACK_BYTES_MAX.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if length as u64 > PACK_BYTES_MAX {
        return Err(Error::wrong("the pack", "it is longer than a pack can be"));
    }
    verify_bytes(&bytes)
}

/// [`verify`] for a pack in memory.
pub(super) fn verify_bytes(bytes: &[u8]) -> Result<Report, Error> {
    let entries = zip::read(bytes, is_ours)?;
    let manifest = manifest_of(&entries)?;
    let files: Files<'_> = entries
        .iter()
        .map(|(name, bytes)| (name.as_str(), *bytes))
        .collect();
    if files.len() != entries.len() {
        return Err(Error::wrong("the pack", "it holds a file twice"));
    }
    let checked = inside(&files, &manifest);
    let mut report = checked.map_err(|error| with_version(error, &manifest))?;
    report.manifest_sha256 = hex(&sha256(file(&files, MANIFEST)?));
    Ok(report)
}

/// A pack of another version may say the same in other words.
fn with_version(error: Error, manifest: &Manifest) -> Error {
    let own = env!("CARGO_PKG_VERSION");
    match error {
        Error::Wrong(text) if manifest.wardline != own => Error::Wrong(format!(
            "{text} (the pack was made by another version than {own}: verify it with that one, too)"
        )),
        error => error,
    }
}

fn file<'p>(files: &Files<'p>, name: &str) -> Result<&'p [u8], Error> {
    let missing = || Error::wrong(name, "it is missing");
    files.get(name).copied().ok_or_else(missing)
}

/// The manifest, which fits its sum and all files.
fn manifest_of(entries: &[(String, &[u8])]) -> Result<Manifest, Error> {
    let [files @ .., (name, text), (sum_name, sum)] = entries else {
        return Err(Error::wrong(MANIFEST, "it is missing"));
    };
    if name != MANIFEST || sum_name != MANIFEST_SUM {
        return Err(Error::wrong(
            MANIFEST,
            "it and its sum are not the last files",
        ));
    }
    if sum_line(&hex(&sha256(text))).as_bytes() != *sum {
        return Err(Error::wrong(
            MANIFEST_SUM,
            "it is not the sum of the manifest",
        ));
    }
    let manifest: Manifest = serde_json::from_slice(text)
        .map_err(|_quotes_it| Error::wrong(MANIFEST, "it is not one, or one of a newer version"))?;
    if manifest.format != FORMAT {
        let text = format!(
            "it is of format {}, this program reads {FORMAT}",
            manifest.format
        );
        return Err(Error::wrong(MANIFEST, &text));
    }
    let read: Vec<Entry> = files
        .iter()
        .map(|(name, bytes)| Entry {
            path: name.clone(),
            bytes: bytes.len() as u64,
            sha256: hex(&sha256(bytes)),
        })
        .collect();
    manifest.is_of(&read)?;
    Ok(manifest)
}

/// The line of an event: its number from 1 and its text.
type Lines<'p> = BTreeMap<Offset, (usize, &'p str)>;

fn inside(files: &Files<'_>, manifest: &Manifest) -> Result<Report, Error> {
    let mut lines = lines_of(file(files, EVENTS)?)?;
    if lines.len() as u64 != manifest.events {
        let text = format!(
            "it says {} events, there are {}",
            manifest.events,
            lines.len()
        );
        return Err(Error::wrong(MANIFEST, &text));
    }
    let chain: Chain = serde_json::from_slice(file(files, CHAIN)?)
        .map_err(|_quotes_it| Error::wrong(CHAIN, "it is no chain"))?;
    let mut report = Report {
        wardline: manifest.wardline.clone(),
        created: manifest.created.clone(),
        alert: manifest.alert.clone(),
        events: manifest.events,
        compared: 0,
        frames: chain.frames.len() as u64,
        links: 0,
        unlinked: 0,
        erased_frames: chain.frames.iter().filter(|row| row.erased).count() as u64,
        manifest_sha256: String::new(),
    };
    let mut unpacked = 0u64;
    for row in &chain.frames {
        let bytes = match (&row.file, manifest.frames) {
            (Some(name), true) if *name == file_name(row.first) => Some(file(files, name)?),
            (None, false) => None,
            _ => return Err(of_frame(row, "its file is not named as it is")),
        };
        let frame = bytes
            .map(|bytes| frame_of(row, bytes, &mut unpacked))
            .transpose()?;
        report.compared += events_of(row, frame.as_ref(), &mut lines)?;
    }
    if let Some((_, (number, _))) = lines.first_key_value() {
        let text = "the event stands in no frame of chain.json";
        return Err(Error::wrong(&format!("{EVENTS}, line {number}"), text));
    }
    let framed = files
        .keys()
        .filter(|name| super::chain::frame_of(name).is_some());
    if framed.count() as u64 != if manifest.frames { report.frames } else { 0 } {
        return Err(Error::wrong(
            CHAIN,
            "there are frames that it does not name",
        ));
    }
    (report.links, report.unlinked) = links(&chain)?;
    Ok(report)
}

fn of_frame(row: &FrameRow, what: &str) -> Error {
    Error::wrong(&format!("{CHAIN}, frame {}", row.first.0), what)
}

/// The lines of the events, by offset.
fn lines_of(bytes: &[u8]) -> Result<Lines<'_>, Error> {
    #[derive(Deserialize)]
    struct Named<'t> {
        #[serde(borrow)]
        id: &'t str,
    }
    let at = |number: usize, what: &str| Error::wrong(&format!("{EVENTS}, line {number}"), what);
    let text = std::str::from_utf8(bytes).map_err(|_odd| Error::wrong(EVENTS, "it is no text"))?;
    let mut lines = Lines::new();
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let number = index + 1;
        let line = line
            .strip_suffix('\n')
            .ok_or_else(|| at(number, "it is cut short"))?;
        let named: Named<'_> =
            serde_json::from_str(line).map_err(|_quotes_it| at(number, "it is no event"))?;
        let offset = Offset::from_event_id(named.id).ok_or_else(|| at(number, "it has no id"))?;
        if lines.insert(offset, (number, line)).is_some() {
            return Err(at(number, "the event is there twice"));
        }
    }
    Ok(lines)
}

/// The records of a frame whose bytes are what the chain says.
fn frame_of(row: &FrameRow, bytes: &[u8], unpacked: &mut u64) -> Result<Frame, Error> {
    let name = file_name(row.first);
    let damaged = || Error::wrong(&name, "it is no frame, or its checksum is wrong");
    let link = Link::of(bytes).ok_or_else(damaged)?;
    let said = (
        row.first,
        row.end,
        &row.written,
        row.bytes,
        &row.sha256,
        row.erased,
        &row.previous,
    );
    let (hash, previous) = (hex(&link.hash), hex(&link.previous));
    let written = link.written.to_rfc3339();
    let is = (
        link.first,
        link.end,
        &written,
        bytes.len() as u64,
        &hash,
        link.is_erased,
        &previous,
    );
    if said != is {
        return Err(of_frame(row, "it is not the frame in the pack"));
    }
    *unpacked = unpacked.saturating_add(link.unpacked);
    if *unpacked > UNPACKED_BYTES_MAX {
        return Err(Error::wrong(
            &name,
            "the frames unpack to more than a pack can hold",
        ));
    }
    Frame::of(bytes).ok_or_else(damaged)
}

/// Takes the events of a frame out of the lines; how many are what their record says.
fn events_of(row: &FrameRow, frame: Option<&Frame>, lines: &mut Lines<'_>) -> Result<u64, Error> {
    let mut compared = 0;
    let mut before = None;
    for id in &row.events {
        let odd = || {
            of_frame(
                row,
                "it names an event that is not in it or not in the pack",
            )
        };
        let offset = Offset::from_event_id(id).ok_or_else(odd)?;
        let is_next = before.replace(offset).is_none_or(|before| before < offset);
        if offset < row.first || row.end <= offset || !is_next {
            return Err(odd());
        }
        let (number, line) = lines.remove(&offset).ok_or_else(odd)?;
        let Some(frame) = frame else { continue };
        let record = frame.event(offset).ok().flatten();
        if record.is_none_or(|event| to_json(&event, offset) != line) {
            let text = "the event is not what its record in the log says";
            return Err(Error::wrong(&format!("{EVENTS}, line {number}"), text));
        }
        compared += 1;
    }
    if row.events.is_empty() {
        return Err(of_frame(row, "no event of the pack stands in it"));
    }
    Ok(compared)
}

/// How many links hold, and how many frames have none in the pack.
fn links(chain: &Chain) -> Result<(u64, u64), Error> {
    let heads = heads_of(&chain.segments)?;
    let (mut links, mut unlinked) = (0, 0);
    let mut before: Option<&FrameRow> = None;
    for row in &chain.frames {
        if before.is_some_and(|before| row.first < before.end) || row.first >= row.end {
            return Err(of_frame(row, "frames are not in order"));
        }
        let Some(head) = heads.get(&row.segment) else {
            return Err(of_frame(row, "the head of its segment is missing"));
        };
        let neighbour = before.filter(|before| before.end == row.first);
        let mut said: Vec<&String> = neighbour.iter().map(|before| &before.sha256).collect();
        if row.first == row.segment {
            said.extend(head);
        }
        if said.iter().any(|hash| **hash != row.previous) {
            return Err(of_frame(row, "it does not follow the frame before it"));
        }
        // Of a frame out of which events were erased its own word is no proof.
        let unproved = neighbour.is_some_and(|before| before.erased);
        links += said.len() as u64 - u64::from(unproved);
        unlinked += u64::from(neighbour.is_none());
        before = Some(row);
    }
    let used: BTreeSet<Offset> = chain.frames.iter().map(|row| row.segment).collect();
    if !heads.keys().eq(&used) || heads.len() != chain.segments.len() {
        return Err(Error::wrong(
            CHAIN,
            "it has the head of a segment without frames",
        ));
    }
    Ok((links, unlinked))
}

/// What the heads of segments name as the frame before them, in hex; `None` where a head was damaged.
fn heads_of(rows: &[SegmentRow]) -> Result<BTreeMap<Offset, Option<String>>, Error> {
    let read = |row: &SegmentRow| {
        let Some(text) = &row.head else {
            return Ok((row.first, None));
        };
        let head = unhex(text).and_then(|bytes| SegmentHead::of(&bytes));
        let head = head.filter(|head| head.first == row.first);
        let odd = || {
            let place = format!("{CHAIN}, segment {}", row.first.0);
            Error::wrong(&place, "it is no head of a segment")
        };
        let head = head.ok_or_else(odd)?;
        Ok((row.first, Some(hex(&head.previous))))
    };
    rows.iter().map(read).collect()
}
