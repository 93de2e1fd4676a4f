//! Segment directories: names, the atomic way they come to be, and what is left of one that did not.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Prefix of what is being written; deleted at start.
const TMP: &str = "tmp-";

/// A file of a segment as it was when written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileMeta {
    /// Length.
    pub(super) bytes: u64,
    /// CRC32C of all bytes.
    pub(super) crc32c: u32,
}

/// A file in the making: counted, checksummed, fsynced at the end.
pub(super) struct FileWriter {
    to: BufWriter<File>,
    meta: FileMeta,
}

impl FileWriter {
    /// A new file.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self {
            to: BufWriter::with_capacity(256 << 10, File::create_new(path)?),
            meta: FileMeta {
                bytes: 0,
                crc32c: 0,
            },
        })
    }

    /// Makes the bytes durable.
    pub(super) fn finish(self) -> io::Result<FileMeta> {
        let file = self
            .to
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        file.sync_data()?;
        Ok(self.meta)
    }
}

impl Write for FileWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.to.write_all(bytes)?;
        self.meta.crc32c = crc32c::crc32c_append(self.meta.crc32c, bytes);
        self.meta.bytes = self
            .meta
            .bytes
            .saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// What a file is now.
pub(super) fn checksum(path: &Path) -> io::Result<FileMeta> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0u8; 256 << 10];
    let mut meta = FileMeta {
        bytes: 0,
        crc32c: 0,
    };
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(meta);
        }
        let read = buffer.get(..count).unwrap_or_default();
        meta.crc32c = crc32c::crc32c_append(meta.crc32c, read);
        meta.bytes = meta.bytes.saturating_add(u64::try_from(count).unwrap_or(0));
    }
}

/// A segment directory that does not have its name yet. Deleted when dropped before [`Draft::publish`].
#[derive(Debug)]
pub(super) struct Draft {
    path: PathBuf,
    day: PathBuf,
    range: Range<u64>,
    is_published: bool,
}

impl Draft {
    /// Begins a segment of a UTC day of receipt (days since 1970) and a range of offsets.
    pub(super) fn create(root: &Path, day: i64, range: Range<u64>) -> io::Result<Self> {
        let day = root.join(day_name(day));
        if !day.exists() {
            fs::create_dir_all(&day)?;
            sync_dir(root)?;
        }
        let path = day.join(format!("{TMP}{}", range_name(&range)));
        if path.exists() {
            fs::remove_dir_all(&path)?;
        }
        fs::create_dir(&path)?;
        Ok(Self {
            path,
            day,
            range,
            is_published: false,
        })
    }

    /// Where its files go.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the directory its name: from here on it counts, also after a power cut.
    pub(super) fn publish(mut self) -> io::Result<PathBuf> {
        sync_dir(&self.path)?;
        let path = self.day.join(range_name(&self.range));
        if path.exists() {
            fs::remove_dir_all(&path)?;
        }
        fs::rename(&self.path, &path)?;
        sync_dir(&self.day)?;
        self.is_published = true;
        Ok(path)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_published && fs::remove_dir_all(&self.path).is_err() {
            tracing::debug!("unfinished index segment stays until the next start");
        }
    }
}

/// A directory under its final name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Where.
    pub(super) path: PathBuf,
    /// The offsets its name promises.
    pub(super) range: Range<u64>,
}

/// All finished segments, by first offset, the larger range first; deletes what is half-written or foreign.
pub(super) fn scan(root: &Path) -> io::Result<Vec<Entry>> {
    fs::create_dir_all(root)?;
    let mut entries = Vec::new();
    for day in fs::read_dir(root)? {
        let day = day?.path();
        if !day.is_dir() {
            fs::remove_file(&day)?;
            continue;
        }
        let mut is_empty = true;
        for segment in fs::read_dir(&day)? {
            let path = segment?.path();
            match path
                .file_name()
                .and_then(|name| parse_range(name.to_str()?))
            {
                Some(range) if path.is_dir() => {
                    is_empty = false;
                    entries.push(Entry { path, range });
                }
                _ if path.is_dir() => fs::remove_dir_all(&path)?,
                _ => fs::remove_file(&path)?,
            }
        }
        if is_empty {
            fs::remove_dir(&day)?;
        }
    }
    entries.sort_by_key(|entry| (entry.range.start, std::cmp::Reverse(entry.range.end)));
    Ok(entries)
}

/// Deletes a segment; its open maps stay readable until they are dropped.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    fs::remove_dir_all(path)?;
    if let Some(day) = path.parent() {
        // Fails as it should while the day has other segments.
        if fs::remove_dir(day).is_ok() {
            return day.parent().map_or(Ok(()), sync_dir);
        }
        return sync_dir(day);
    }
    Ok(())
}

fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn day_name(day: i64) -> String {
    let seconds = day.saturating_mul(86_400);
    chrono::DateTime::from_timestamp(seconds, 0).map_or_else(
        || day.to_string(),
        |date| date.format("%Y-%m-%d").to_string(),
    )
}

fn range_name(range: &Range<u64>) -> String {
    format!("{:020}-{:020}", range.start, range.end)
}

pub(super) fn parse_range(name: &str) -> Option<Range<u64>> {
    let (start, end) = name.split_once('-')?;
    let number = |text: &str| {
        (text.len() == 20 && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| text.parse::<u64>().ok())?
    };
    let range = number(start)?..number(end)?;
    (range.start < range.end).then_some(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_others_do_not() {
        assert_eq!(parse_range(&range_name(&(7..900))), Some(7..900));
        assert_eq!(parse_range("7-900"), None);
        assert_eq!(parse_range(&range_name(&(9..9))), None);
        assert_eq!(
            parse_range(&format!("{TMP}{}", range_name(&(7..900)))),
            None
        );
        assert_eq!(day_name(20_778), "2026-11-21");
    }

    #[test]
    fn half_written_segments_are_swept_away() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("index");
        fs::create_dir_all(&root).unwrap();
        let draft = Draft::create(&root, 20_778, 0..5).unwrap();
        fs::write(draft.path().join("words"), b"x").unwrap();
        std::mem::forget(draft);
        let finished = Draft::create(&root, 20_778, 5..9)
            .unwrap()
            .publish()
            .unwrap();
        fs::create_dir_all(root.join("2026-11-22")).unwrap();
        fs::write(root.join("2026-11-21/lost+found"), b"x").unwrap();
        let expected = Entry {
            path: finished,
            range: 5..9,
        };
        assert_eq!(scan(&root).unwrap(), [expected]);
        assert!(!root.join("2026-11-22").exists());
        assert_eq!(fs::read_dir(root.join("2026-11-21")).unwrap().count(), 1);
    }
}
