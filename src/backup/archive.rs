//! The tar file: one entry after the other with its checksum, and the manifest at the end.

use std::io::{self, ErrorKind, Read, Write};
use std::ops::Range;

use aws_lc_rs::digest;
use tar::{Archive, Builder, EntryType, Header};

use super::manifest::{FORMAT, is_ours};
use super::{Entry, Error, MANIFEST, Manifest};
use crate::model::{Offset, Timestamp};

/// Longest manifest that is read.
const MANIFEST_BYTES_MAX: u64 = 64 << 20;

/// Counts and sums up what is read through it.
struct Summed<R> {
    inner: R,
    sum: digest::Context,
    bytes: u64,
}

impl<R> Summed<R> {
    fn new(inner: R) -> Self {
        Self {
            inner,
            sum: digest::Context::new(&digest::SHA256),
            bytes: 0,
        }
    }

    fn entry(self, path: &str) -> Entry {
        let sum = self.sum.finish();
        Entry {
            path: path.to_owned(),
            bytes: self.bytes,
            sha256: sum.as_ref().iter().map(|b| format!("{b:02x}")).collect(),
        }
    }
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(into)?;
        self.sum.update(into.get(..count).unwrap_or_default());
        self.bytes += count as u64;
        Ok(count)
    }
}

/// An archive in the making.
pub(super) struct Writer<W: Write> {
    tar: Builder<W>,
    now: Timestamp,
    files: Vec<Entry>,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(out: W, now: Timestamp) -> Self {
        Self {
            tar: Builder::new(out),
            now,
            files: Vec::new(),
        }
    }

    /// Adds so many bytes under a name.
    pub(super) fn add(&mut self, name: &str, from: impl Read, length: u64) -> Result<(), Error> {
        let mut summed = Summed::new(from.take(length));
        self.append(name, &mut summed, length)?;
        if summed.bytes != length {
            return Err(Error::file(name)(ErrorKind::UnexpectedEof.into()));
        }
        self.files.push(summed.entry(name));
        Ok(())
    }

    fn append(&mut self, name: &str, from: impl Read, length: u64) -> Result<(), Error> {
        let mut header = Header::new_ustar();
        header.set_size(length);
        header.set_mode(0o600);
        header.set_mtime(u64::try_from(self.now.millis() / 1000).unwrap_or(0));
        header.set_entry_type(EntryType::Regular);
        let added = self.tar.append_data(&mut header, name, from);
        added.map_err(Error::file(name))
    }

    /// Ends the archive with what it holds.
    pub(super) fn finish(
        self,
        events: Range<Offset>,
        tag_key: Option<String>,
    ) -> Result<Manifest, Error> {
        let (manifest, mut out) = self.ended(events, tag_key)?;
        out.flush().map_err(Error::file(MANIFEST))?;
        Ok(manifest)
    }

    /// The manifest, written, and where all was written to.
    pub(super) fn ended(
        mut self,
        events: Range<Offset>,
        tag_key: Option<String>,
    ) -> Result<(Manifest, W), Error> {
        let manifest = Manifest {
            format: FORMAT,
            wardline: env!("CARGO_PKG_VERSION").to_owned(),
            created: self.now.to_rfc3339(),
            tag_key,
            first: events.start,
            end: events.end,
            files: std::mem::take(&mut self.files),
        };
        let text = serde_json::to_vec_pretty(&manifest)
            .map_err(|error| Error::file(MANIFEST)(error.into()))?;
        self.append(MANIFEST, text.as_slice(), text.len() as u64)?;
        let out = self.tar.into_inner().map_err(Error::file(MANIFEST))?;
        Ok((manifest, out))
    }
}

/// Reads an archive to its end; `each` takes every file but the manifest.
pub(super) fn read(
    archive: impl Read,
    mut each: impl FnMut(&str, &mut dyn Read) -> Result<(), Error>,
) -> Result<Manifest, Error> {
    // The library's own words hold what stands in the file.
    let torn = |error: io::Error| match error.kind() {
        ErrorKind::Other | ErrorKind::InvalidData | ErrorKind::InvalidInput => {
            Error::Archive("it is no backup, or a damaged one".into())
        }
        kind => Error::Archive(format!("the backup cannot be read: {kind}")),
    };
    let mut archive = Archive::new(archive);
    let mut files = Vec::new();
    let mut manifest: Option<Manifest> = None;
    // Raw: long names and other extensions of the format are not read, and none of ours has them.
    for entry in archive.entries().map_err(torn)?.raw(true) {
        let entry = entry.map_err(torn)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let is_file = entry.header().entry_type() == EntryType::Regular;
        if name == MANIFEST && is_file && manifest.is_none() {
            let read = serde_json::from_reader(entry.take(MANIFEST_BYTES_MAX));
            let damaged = |_error| Error::Archive(format!("{MANIFEST} in the backup is damaged"));
            manifest = Some(read.map_err(damaged)?);
        } else if is_ours(&name) && is_file && manifest.is_none() {
            let mut summed = Summed::new(entry);
            each(&name, &mut summed)?;
            io::copy(&mut summed, &mut io::sink()).map_err(torn)?;
            files.push(summed.entry(&name));
        } else {
            let text = "it holds what does not belong into a backup";
            return Err(Error::Archive(text.into()));
        }
    }
    let cut = || Error::Archive("the backup has no end; it was cut short".into());
    let manifest = manifest.ok_or_else(cut)?;
    manifest.is_of(&files)?;
    Ok(manifest)
}

/// Reads a backup whole and compares it with what it says of itself; blocks.
///
/// # Errors
/// [`Error::Archive`] where it is damaged, cut short or none.
pub fn check(archive: impl Read) -> Result<Manifest, Error> {
    read(archive, |_name, _file| Ok(()))
}
