//! Reading: from the tail in memory, from the cache, or from the files; past damage, which is
//! recorded first.

use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use super::Error;
use super::cache::Opened;
use super::disk::Handle;
use super::frame::Frame;
use super::pack::Unpacker;
use super::segment::{self, Table};
use super::state::{Found, Segment, Shared, Spot, held, spot};
use crate::model::Offset;

/// The error number of a sector that cannot be read (EIO).
const SECTOR_IS_BAD: i32 = 5;

/// Unpackers kept for the next read.
const UNPACKERS_IDLE: usize = 8;

/// A place in the log that moves on.
#[derive(Debug)]
pub struct Reader {
    shared: Arc<Shared>,
    at: Offset,
}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>, at: Offset) -> Self {
        Self { shared, at }
    }

    /// Offset of the event that comes next.
    #[must_use]
    pub fn at(&self) -> Offset {
        self.at
    }

    /// The next frame, starting at [`Reader::at`] or, behind a gap or deleted segments, later.
    /// Waits up to `wait` for one to be written; `None` where none was. Blocks.
    pub fn next(&mut self, wait: Duration) -> Result<Option<Frame>, Error> {
        let mut found = self.look()?;
        if found.is_none() && !wait.is_zero() {
            self.shared.wait_behind(self.at.0, wait);
            found = self.look()?;
        }
        Ok(found)
    }

    fn look(&mut self) -> Result<Option<Frame>, Error> {
        let end = Offset(self.shared.state().end);
        let found = self.shared.frame_from(self.at)?;
        // Nothing before the end as it was means that all up to there is lost.
        self.at = found.as_ref().map_or(self.at.max(end), Frame::end);
        Ok(found)
    }
}

/// What reading a frame from a file came to.
enum Loaded {
    Frame(Frame),
    Damaged,
}

impl Shared {
    /// The frame that starts at `from`, or at the first event behind it that is there.
    pub(super) fn frame_from(&self, from: Offset) -> Result<Option<Frame>, Error> {
        let mut offset = from.0;
        loop {
            // What is found is what is read, and may be kept in memory.
            let _stays = self.unswapped();
            let found = self.state().find(offset);
            let next = match found {
                Found::Frame(frame) => return Ok(Some(frame.starting_at(from))),
                Found::Nothing => return Ok(None),
                Found::Skip(next) => next,
                Found::Active(handle, segment, spot) => {
                    match self.load_active(&handle, &segment, spot, offset)? {
                        Ok(frame) => return Ok(Some(frame.starting_at(from))),
                        Err(next) => next,
                    }
                }
                Found::Closed(segment) => match self.load_closed(&segment, offset)? {
                    Ok(frame) => return Ok(Some(frame.starting_at(from))),
                    Err(next) => next,
                },
            };
            debug_assert!(next > offset, "the search moves on");
            offset = next.max(offset.saturating_add(1));
        }
    }

    fn load_active(
        &self,
        handle: &Handle,
        segment: &Segment,
        spot: Spot,
        offset: u64,
    ) -> Result<Result<Frame, u64>, Error> {
        if let Some(frame) = held(&self.frames).get(offset) {
            return Ok(Ok(frame));
        }
        let loaded = self.load(&handle.file, spot)?;
        Ok(self.judge(loaded, segment, spot, offset))
    }

    fn load_closed(&self, segment: &Segment, offset: u64) -> Result<Result<Frame, u64>, Error> {
        if let Some(frame) = held(&self.frames).get(offset) {
            return Ok(Ok(frame));
        }
        let opened = match self.table(segment) {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Deleted by retention since we looked, or by someone else: that is damage.
                if self.state().first() <= segment.first {
                    self.record_gap(segment.first, 0, offset..segment.end);
                }
                return Ok(Err(segment.end));
            }
            Err(error) => return Err(error.into()),
        };
        // As long as the file that was opened with it, which may have been replaced since we looked.
        let segment = &Segment {
            bytes: opened.table.bytes,
            ..*segment
        };
        let Some(spot) = spot(&opened.table.entries, offset, segment) else {
            self.record_gap(segment.first, segment::HEADER_BYTES, offset..segment.end);
            return Ok(Err(segment.end));
        };
        let loaded = self.load(&opened.file, spot)?;
        Ok(self.judge(loaded, segment, spot, offset))
    }

    /// A good frame is kept; a bad one becomes a gap, and the search goes on behind it.
    fn judge(
        &self,
        loaded: Loaded,
        segment: &Segment,
        spot: Spot,
        offset: u64,
    ) -> Result<Frame, u64> {
        match loaded {
            Loaded::Frame(frame) if frame.first().0 == spot.first => {
                held(&self.frames).put(frame.clone());
                if frame.end().0 > offset {
                    Ok(frame)
                } else {
                    Err(spot.next)
                }
            }
            Loaded::Frame(_) | Loaded::Damaged => {
                self.record_gap(segment.first, spot.position, spot.first..spot.next);
                Err(spot.next)
            }
        }
    }

    /// The file and the place of the frame that holds an offset, and the bytes there; `None` where it is not kept.
    pub(super) fn raw_at(&self, offset: Offset) -> io::Result<Option<(Segment, Spot, Vec<u8>)>> {
        let _stays = self.unswapped();
        let found = self.state().find_in_files(offset.0);
        let read = match found {
            Found::Active(handle, segment, spot) => {
                Some((segment, spot, bytes_of(&handle.file, spot)?))
            }
            Found::Closed(segment) => {
                let opened = match self.table(&segment) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                    opened => opened?,
                };
                let segment = Segment {
                    bytes: opened.table.bytes,
                    ..segment
                };
                match spot(&opened.table.entries, offset.0, &segment) {
                    Some(spot) => Some((segment, spot, bytes_of(&opened.file, spot)?)),
                    None => None,
                }
            }
            Found::Frame(_) | Found::Skip(_) | Found::Nothing => None,
        };
        Ok(read)
    }

    /// The places of a closed segment's frames: from memory, its index, or by reading all of it.
    fn table(&self, segment: &Segment) -> io::Result<Arc<Opened>> {
        if let Some(opened) = held(&self.tables).get(segment.first) {
            return Ok(opened);
        }
        let path = segment::path(&self.dir, segment.first);
        let file = std::fs::File::open(&path)?;
        let table = if let Some(table) = Table::load(&self.dir, segment.first) {
            table
        } else {
            let scan = segment::scan(&std::fs::read(&path)?, segment.first, Some(segment.end));
            for hole in scan.holes {
                self.record_gap(segment.first, hole.position, hole.first..hole.end);
            }
            scan.table.save(&self.dir, &self.disk);
            scan.table
        };
        let opened = Arc::new(Opened { file, table });
        held(&self.tables).put(opened.clone());
        Ok(opened)
    }

    fn load(&self, file: &std::fs::File, spot: Spot) -> io::Result<Loaded> {
        match bytes_of(file, spot) {
            Ok(bytes) => {
                let mut unpacker = held(&self.unpackers)
                    .pop()
                    .unwrap_or_else(|| Unpacker::new(self.cipher.clone()));
                let frame = unpacker.unpack(&bytes);
                let mut idle = held(&self.unpackers);
                if idle.len() < UNPACKERS_IDLE {
                    idle.push(unpacker);
                }
                Ok(frame.map_or(Loaded::Damaged, Loaded::Frame))
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Loaded::Damaged),
            Err(error) if error.raw_os_error() == Some(SECTOR_IS_BAD) => Ok(Loaded::Damaged),
            Err(error) => Err(error),
        }
    }
}

fn bytes_of(file: &std::fs::File, spot: Spot) -> io::Result<Vec<u8>> {
    let length = usize::try_from(spot.until.saturating_sub(spot.position)).unwrap_or(0);
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, spot.position)?;
    Ok(bytes)
}
