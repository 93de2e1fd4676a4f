//! Proving the log, offline and without writing: every checksum, every link of the chain, every
//! offset.
//!
//! The chain shows any change behind which frames remain. It cannot show that whole frames are
//! missing from the very end (the command compares with what index and state know for that), nor a change of the last frame by someone who computes its checksum
//! anew: for that, keep the head hash (`Report::head`) elsewhere. A log without its oldest segments
//! is what retention leaves, and sound.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, TryLockError};
use std::ops::Range;
use std::path::Path;

use serde::Serialize;

use super::Error;
use super::frame::{self, Hash};
use super::gaps::Gaps;
use super::pack::unpack;
use super::receipts::vouched;
use super::recovery::{FOLDER, LOCK};
use super::segment::{self, Header, Read};
use crate::model::{Offset, hex, sha256};

/// More damaged places than this are counted, not listed.
const DAMAGE_MAX: usize = 1000;

/// What is wrong at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The head of a segment file is not as it was written.
    Header,
    /// A frame, or bytes between frames, are not as they were written.
    Frame,
    /// Every checksum is right, but a frame is not the one that those behind it vouch for.
    Chain,
    /// Events are missing that should be there, at this place or in a file of their own behind it.
    Missing,
    /// The last bytes of the log are no frame: torn by a crash (the next start cuts them), or
    /// changed.
    Tail,
    /// The file is not what signed receipts of erasures say it is: events look erased without one, or are back.
    Unvouched,
}

/// A damaged place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// First offset of the segment: its file's name.
    pub segment: Offset,
    /// The first changed byte of that file is at or behind this one, in the frame that begins here.
    pub position: u64,
    /// What is wrong there.
    pub kind: Kind,
    /// First event concerned.
    pub first: Offset,
    /// Behind the last event concerned.
    pub end: Offset,
    /// Whether it is recorded as a gap since an earlier start or read.
    pub is_known: bool,
}

/// What the walk found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Segment files read.
    pub segments: u64,
    /// Good frames.
    pub frames: u64,
    /// Events in good frames, erased ones too.
    pub events: u64,
    /// Frames that are encrypted: their checksums and links are looked at, not what is in them.
    pub sealed_frames: u64,
    /// Segment files out of which events were erased, as signed receipts say.
    pub erased_segments: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Oldest event.
    pub first: Offset,
    /// Behind the newest event.
    pub end: Offset,
    /// Hash of the last frame, in hex.
    pub head: String,
    /// A server is running: bytes behind the last frame may be on their way and are not judged.
    pub is_live: bool,
    /// Damaged places, in order, the first thousand.
    pub damage: Vec<Damage>,
    /// All damaged places.
    pub damaged: u64,
    /// Offsets whose records are there, in runs: what an index should know.
    #[serde(skip)]
    pub present: Vec<Range<u64>>,
    /// Offsets of which that cannot be told: encrypted frames out of which events were erased.
    #[serde(skip)]
    pub untold: Vec<Range<u64>>,
}

impl Report {
    /// Whether everything is as it was written.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.damaged == 0
    }
}

/// Where the walk is.
struct Walk<'a> {
    report: Report,
    data: &'a Path,
    /// SHA-256 of the segments that were written anew.
    vouched: BTreeMap<u64, BTreeSet<String>>,
    gaps: Gaps,
    /// Hash that the next frame must name; unknown behind damage.
    chain: Option<Hash>,
    /// Offset of the next event.
    expected: u64,
    /// The frame before: its segment, position and events.
    before: (u64, u64, std::ops::Range<u64>),
}

/// Walks the whole log of a data directory; `progress` is told bytes done and bytes in all. Blocks.
pub fn verify(data: &Path, mut progress: impl FnMut(u64, u64)) -> Result<Report, Error> {
    let dir = data.join(FOLDER);
    let unreadable = |name: String| move |source| Error::File { name, source };
    let names = segment::list(&dir).map_err(unreadable(format!("{FOLDER}/")))?;
    let length =
        |first: &u64| fs::metadata(segment::path(&dir, *first)).map_or(0, |meta| meta.len());
    let total: u64 = names.iter().map(length).sum();
    let first = names.first().copied().unwrap_or_default();
    let mut walk = Walk {
        report: Report {
            first: Offset(first),
            is_live: is_live(&dir),
            ..Report::default()
        },
        data,
        vouched: vouched(data),
        gaps: Gaps::load(&dir),
        chain: None,
        expected: first,
        before: (first, 0, first..first),
    };
    for (at, name) in names.iter().enumerate() {
        let file = format!("{FOLDER}/{name:020}.seg");
        let bytes = fs::read(segment::path(&dir, *name)).map_err(unreadable(file))?;
        walk.segment(*name, &bytes, names.get(at + 1).copied())?;
        walk.report.segments += 1;
        walk.report.bytes += size(bytes.len());
        progress(walk.report.bytes, total);
    }
    walk.report.end = Offset(walk.expected);
    let head = walk.chain.unwrap_or_default();
    walk.report.head = hex(&head);
    Ok(walk.report)
}

fn is_live(dir: &Path) -> bool {
    let lock = File::open(dir.join(LOCK)).map(|file| file.try_lock_shared());
    matches!(lock, Ok(Err(TryLockError::WouldBlock)))
}

impl Walk<'_> {
    fn segment(&mut self, name: u64, bytes: &[u8], upto: Option<u64>) -> Result<(), Error> {
        match Header::decode(bytes) {
            Read::Newer(version) => return Err(Error::Version(version)),
            Read::Good(header) if header.first == name => self.link(header.chain),
            Read::Good(_) | Read::Damaged => {
                self.damage(name, 0, Kind::Header, self.expected..self.expected);
            }
        }
        if name > self.expected {
            self.damage(name, 0, Kind::Missing, self.expected..name);
            self.expected = name;
        }
        let header_bytes = usize::try_from(segment::HEADER_BYTES).unwrap_or(usize::MAX);
        let mut position = header_bytes.min(bytes.len());
        let mut is_erased = false;
        while let Some((at, header, frame)) = segment::next_frame(bytes, position, self.expected) {
            if upto.is_some_and(|upto| header.end() > upto) {
                break;
            }
            if at > position || header.first > self.expected {
                self.damage(
                    name,
                    size(position),
                    Kind::Frame,
                    self.expected..header.first,
                );
                self.chain = None;
            }
            self.link(header.prev);
            is_erased |= header.was.is_some();
            let events = header.first..header.end();
            self.report.sealed_frames += u64::from(header.is_sealed());
            self.records(name, size(at), &header, frame);
            self.report.frames += 1;
            self.report.events += events.end.saturating_sub(events.start);
            self.expected = events.end;
            self.chain = Some(header.link(frame));
            self.before = (name, size(at), events);
            position = at + frame.len();
        }
        // Also one that looks as if nothing was erased: it may have been put back.
        if is_erased || self.vouched.contains_key(&name) {
            self.erased(name, &hex(&sha256(bytes)));
        }
        self.tail(name, position, bytes.len(), upto);
        Ok(())
    }

    /// Looks into a frame, where that can be done without a key.
    fn records(&mut self, name: u64, at: u64, header: &frame::Header, bytes: &[u8]) {
        let events = header.first..header.end();
        if header.is_sealed() {
            match header.was {
                None => join(&mut self.report.present, events),
                Some(_) => join(&mut self.report.untold, events),
            }
            return;
        }
        match unpack(bytes) {
            None => self.damage(name, at, Kind::Frame, events),
            Some(_) if header.was.is_none() => join(&mut self.report.present, events),
            Some(frame) => {
                for (offset, _) in frame.iter() {
                    join(
                        &mut self.report.present,
                        offset.0..offset.0.saturating_add(1),
                    );
                }
            }
        }
    }

    /// Whether a signed receipt vouches for a segment out of which events were erased.
    fn erased(&mut self, name: u64, sum: &str) {
        type Sums = BTreeMap<u64, BTreeSet<String>>;
        let is_vouched = |vouched: &Sums| vouched.get(&name).is_some_and(|sums| sums.contains(sum));
        if !is_vouched(&self.vouched) {
            // A running server may have erased some since.
            self.vouched = vouched(self.data);
        }
        match is_vouched(&self.vouched) {
            true => self.report.erased_segments += 1,
            false => self.damage(name, 0, Kind::Unvouched, name..self.expected),
        }
    }

    /// Bytes behind the last good frame.
    fn tail(&mut self, name: u64, position: usize, length: usize, upto: Option<u64>) {
        match upto {
            Some(upto) if self.expected < upto => {
                let kind = if position < length {
                    Kind::Frame
                } else {
                    Kind::Missing
                };
                self.damage(name, size(position), kind, self.expected..upto);
                self.expected = upto;
                self.chain = None;
            }
            // Never acknowledged: the next segment was begun without them.
            Some(_) => {}
            None if position < length && !self.report.is_live => {
                self.damage(
                    name,
                    size(position),
                    Kind::Tail,
                    self.expected..self.expected,
                );
            }
            None => {}
        }
    }

    /// Compares what a frame or segment says of the frame before it with that frame.
    fn link(&mut self, prev: Hash) {
        if self.chain.is_some_and(|chain| chain != prev) {
            let (segment, position, events) = self.before.clone();
            self.damage(segment, position, Kind::Chain, events);
        }
        self.chain = Some(prev);
    }

    fn damage(&mut self, segment: u64, position: u64, kind: Kind, events: std::ops::Range<u64>) {
        self.report.damaged += 1;
        let (first, end) = (Offset(events.start), Offset(events.end));
        let is_known = self.gaps.list().iter().any(|gap| {
            let same_place = gap.segment.0 == segment && gap.position == position;
            same_place || (first < end && gap.first <= first && end <= gap.end)
        });
        if self.report.damage.len() < DAMAGE_MAX {
            let segment = Offset(segment);
            self.report.damage.push(Damage {
                segment,
                position,
                kind,
                first,
                end,
                is_known,
            });
        }
    }
}

/// Adds a range behind those that are there.
fn join(ranges: &mut Vec<Range<u64>>, range: Range<u64>) {
    match ranges.last_mut() {
        Some(last) if last.end == range.start => last.end = range.end,
        _ => ranges.push(range),
    }
}

fn size(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
