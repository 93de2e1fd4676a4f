//! One followed file: what to send of it next.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::positions::{Head, Id, Position};
use crate::clock::Stopwatch;

/// An open file and how far it was read and acknowledged.
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) path: PathBuf,
    pub(super) id: Id,
    /// Which of the settings it is followed by.
    pub(super) followed: usize,
    /// Since when its name has been another file's, or nobody's, with nothing new in it.
    pub(super) rotated: Option<Stopwatch>,
    file: File,
    offset: u64,
    head: Head,
    is_cutting: bool,
    /// When it was last read to its end.
    seen: Option<SystemTime>,
}

/// Bytes to send, and how far the file is read when they are acknowledged.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// Whole lines; none where the rest of a cut line is left out.
    pub(super) bytes: Vec<u8>,
    read: u64,
    is_cutting: bool,
}

pub(super) fn id(meta: &Metadata) -> Id {
    Id {
        dev: meta.dev(),
        ino: meta.ino(),
    }
}

impl Tail {
    /// Opens a file, at the position known of it if it is still the same file.
    pub(super) fn open(path: &Path, followed: usize, known: Option<&Position>) -> io::Result<Self> {
        let file = File::open(path)?;
        let meta = file.metadata()?;
        let id = id(&meta);
        let fits = |known: &&Position| {
            known.id == id && known.offset <= meta.len() && known.head.fits(&file)
        };
        let known = known.filter(fits);
        Ok(Self {
            path: path.into(),
            id,
            followed,
            rotated: None,
            offset: known.map_or(0, |known| known.offset),
            head: known.map_or_else(Head::default, |known| known.head),
            is_cutting: known.is_some_and(|known| known.is_cutting),
            file,
            seen: None,
        })
    }

    /// What comes next; `None` where nothing is to be sent. `is_final`: the last line needs no
    /// newline any more.
    pub(super) fn read(
        &mut self,
        chunk_bytes_max: usize,
        line_bytes_max: usize,
        is_final: bool,
    ) -> io::Result<Option<Piece>> {
        let meta = self.file.metadata()?;
        let modified = meta.modified().ok();
        if meta.len() == self.offset && modified == self.seen {
            return Ok(None);
        }
        if meta.len() < self.offset || !self.head.fits(&self.file) {
            tracing::info!("followed file was truncated, reading it from its start");
            (self.offset, self.head, self.is_cutting) = (0, Head::default(), false);
        }
        let room = chunk_bytes_max.max(line_bytes_max.saturating_add(1));
        let rest = usize::try_from(meta.len().saturating_sub(self.offset)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; rest.min(room)];
        let read = self.file.read_at(&mut bytes, self.offset)?;
        bytes.truncate(read);
        if read == rest {
            self.seen = modified;
        }
        Ok(piece(bytes, self.is_cutting, line_bytes_max, is_final))
    }

    /// The piece is acknowledged.
    pub(super) fn advance(&mut self, piece: &Piece) {
        self.offset = self.offset.saturating_add(piece.read);
        self.is_cutting = piece.is_cutting;
        if self.head.is_short()
            && let Ok(head) = Head::of(&self.file, self.offset)
        {
            self.head = head;
        }
        // There may be more behind the piece, however the file's times look.
        self.seen = None;
    }

    pub(super) fn position(&self) -> Position {
        Position {
            path: self.path.clone(),
            id: self.id,
            offset: self.offset,
            head: self.head,
            is_cutting: self.is_cutting,
        }
    }
}

/// What to send of bytes that were read.
fn piece(
    mut bytes: Vec<u8>,
    is_cutting: bool,
    line_bytes_max: usize,
    is_final: bool,
) -> Option<Piece> {
    let size = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
    if bytes.is_empty() {
        return None;
    }
    if is_cutting {
        let newline = memchr::memchr(b'\n', &bytes);
        let read = size(newline.map_or(bytes.len(), |at| at + 1));
        return Some(Piece {
            bytes: Vec::new(),
            read,
            is_cutting: newline.is_none(),
        });
    }
    if let Some(last) = memchr::memrchr(b'\n', &bytes) {
        bytes.truncate(last + 1);
        let read = size(bytes.len());
        return Some(Piece {
            bytes,
            read,
            is_cutting: false,
        });
    }
    if bytes.len() > line_bytes_max {
        // One byte over the bound, so that the parser sees that it is over, and says so.
        bytes.truncate(line_bytes_max + 1);
        let read = size(bytes.len());
        return Some(Piece {
            bytes,
            read,
            is_cutting: true,
        });
    }
    is_final.then(|| {
        let read = size(bytes.len());
        Piece {
            bytes,
            read,
            is_cutting: false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_lines_are_sent() {
        let check = |bytes: &str, is_cutting, is_final, wanted: Option<(&str, u64, bool)>| {
            let found = piece(bytes.into(), is_cutting, 5, is_final);
            let wanted = wanted.map(|(text, read, is_cutting)| Piece {
                bytes: text.into(),
                read,
                is_cutting,
            });
            assert_eq!(found, wanted, "{bytes:?}");
        };
        check("", false, true, None);
        check("abc", false, false, None);
        check("abc", false, true, Some(("abc", 3, false)));
        check("a\nb\nc", false, false, Some(("a\nb\n", 4, false)));
        check("abcde", false, false, None);
        check("abcdefgh", false, false, Some(("abcdef", 6, true)));
        check("ghij", true, false, Some(("", 4, true)));
        check("gh\nij\n", true, false, Some(("", 3, false)));
    }
}
