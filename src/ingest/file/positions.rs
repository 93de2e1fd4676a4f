//! How far each file has been read: `files.json` in the data directory.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

const FILE: &str = "files.json";
/// A file is told from another with the same inode by so many of its first bytes.
const HEAD_BYTES_MAX: u64 = 1024;

/// Which file it is, as long as it exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Id {
    pub(super) dev: u64,
    pub(super) ino: u64,
}

/// The first bytes of a file: length and crc32c.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    bytes: u64,
    crc: u32,
}

impl Head {
    /// Of the first bytes, none behind `read`.
    pub(super) fn of(file: &File, read: u64) -> io::Result<Self> {
        let bytes = read.min(HEAD_BYTES_MAX);
        let mut buffer = vec![0; usize::try_from(bytes).unwrap_or(0)];
        file.read_exact_at(&mut buffer, 0)?;
        Ok(Self {
            bytes,
            crc: crc32c::crc32c(&buffer),
        })
    }

    /// Whether a file still begins like that.
    pub(super) fn fits(&self, file: &File) -> bool {
        self.bytes == 0 || Self::of(file, self.bytes).is_ok_and(|head| head == *self)
    }

    /// Whether more of the file can be taken in.
    pub(super) fn is_short(&self) -> bool {
        self.bytes < HEAD_BYTES_MAX
    }
}

/// How far a file was read and acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    pub(super) path: PathBuf,
    pub(super) id: Id,
    pub(super) offset: u64,
    pub(super) head: Head,
    /// The rest of a line that was cut is still to be left out.
    pub(super) is_cutting: bool,
}

/// All positions, the ones that moved last behind.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Positions {
    version: u32,
    files: Vec<Position>,
}

impl Positions {
    pub(super) fn load(data: &Path) -> Self {
        let none = Self {
            version: 1,
            files: Vec::new(),
        };
        match fs::read(data.join(FILE)) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|_| {
                tracing::error!(
                    "positions of followed files are damaged; files are read from their start"
                );
                none
            }),
            Err(_) => none,
        }
    }

    /// Puts the new file in place of the old one, durably.
    pub(super) fn save(&self, data: &Path) -> io::Result<()> {
        let path = data.join(FILE);
        let draft = path.with_extension("json.tmp");
        let mut file = File::create(&draft)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_data()?;
        fs::rename(&draft, &path)?;
        File::open(data)?.sync_all()
    }

    pub(super) fn of(&self, id: Id) -> Option<&Position> {
        self.files.iter().find(|position| position.id == id)
    }

    /// Files that were read under a path, apart from the one that has it now.
    pub(super) fn earlier(&self, path: &Path, now: Id) -> Vec<Position> {
        let earlier = |position: &&Position| position.path == path && position.id != now;
        self.files.iter().filter(earlier).cloned().collect()
    }

    pub(super) fn set(&mut self, position: Position, files_max: usize) {
        self.files.retain(|old| old.id != position.id);
        self.files.push(position);
        let surplus = self.files.len().saturating_sub(files_max);
        self.files.drain(..surplus);
    }
}
