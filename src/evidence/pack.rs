//! Making a pack: documents, then events one by one, then the frames that hold them.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom};

use serde::Serialize;

use super::chain::{Chain, FrameRow, file_name, heads};
use super::manifest::{FORMAT, sum_line};
use super::zip::{ENTRIES_MAX, Writer};
use super::{CHAIN, EVENTS, Entry, Error, MANIFEST, MANIFEST_SUM, Manifest, UNPACKED_BYTES_MAX};
use crate::model::{Offset, Timestamp, hex, sha256};
use crate::redact::{CleanEvent, to_json};
use crate::wal::Wal;

/// A pack in the making; blocks.
pub struct Pack {
    zip: Writer<BufWriter<File>>,
    bytes_max: u64,
    created: Timestamp,
    alert: Option<String>,
    files: Vec<Entry>,
    events: BTreeSet<Offset>,
    has_begun: bool,
}

impl std::fmt::Debug for Pack {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.debug_struct("Pack").finish_non_exhaustive()
    }
}

/// A pack that is whole.
#[derive(Debug)]
pub struct Made {
    /// The pack, from its first byte.
    pub file: File,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of its manifest in hex.
    pub manifest_sha256: String,
    /// What is in it.
    pub manifest: Manifest,
}

impl Pack {
    /// Begins a pack in an empty file, of at most so many bytes.
    #[must_use]
    pub fn begin(out: File, bytes_max: u64, created: Timestamp, alert: Option<String>) -> Self {
        Self {
            zip: Writer::new(BufWriter::new(out), bytes_max),
            bytes_max,
            created,
            alert,
            files: Vec::new(),
            events: BTreeSet::new(),
            has_begun: false,
        }
    }

    /// Adds a document, before the first event.
    ///
    /// # Errors
    /// Where the file cannot be written or the pack would be too long; so too below.
    pub fn document(&mut self, name: &str, document: &impl Serialize) -> Result<(), Error> {
        let mut text = serde_json::to_vec_pretty(document)?;
        text.push(b'\n');
        self.add(name, &text)
    }

    /// Adds the text of a rule, before the first event.
    ///
    /// # Errors
    /// As [`Pack::document`].
    pub fn rule(&mut self, text: &str) -> Result<(), Error> {
        self.add(super::RULE, text.as_bytes())
    }

    /// Adds an event behind the others, unless it is there already.
    ///
    /// # Errors
    /// As [`Pack::document`].
    pub fn event(&mut self, event: &CleanEvent<'_>, offset: Offset) -> Result<(), Error> {
        if !self.events.insert(offset) {
            return Ok(());
        }
        self.begin_events()?;
        let mut line = to_json(event, offset);
        line.push('\n');
        self.zip.put(line.as_bytes())
    }

    /// How many events there are.
    #[must_use]
    pub fn events(&self) -> usize {
        self.events.len()
    }

    /// Adds the frames of the events, or only what they are where `with_frames` is false or they are encrypted, and ends
    /// the pack.
    ///
    /// # Errors
    /// [`Error::Gone`] where the log has lost an event in the meantime.
    pub fn finish(mut self, wal: &Wal, with_frames: bool) -> Result<Made, Error> {
        let with_frames = with_frames && !wal.is_sealed();
        self.begin_events()?;
        let events = self.zip.end()?;
        self.files.push(events);
        let frames = self.frames(wal, with_frames)?;
        let chain = Chain {
            segments: heads(wal, &frames)?,
            frames,
        };
        self.document(CHAIN, &chain)?;
        let manifest = Manifest {
            format: FORMAT,
            wardline: env!("CARGO_PKG_VERSION").to_owned(),
            created: self.created.to_rfc3339(),
            alert: self.alert.take(),
            events: self.events.len() as u64,
            frames: with_frames,
            files: std::mem::take(&mut self.files),
        };
        let mut text = serde_json::to_vec_pretty(&manifest)?;
        text.push(b'\n');
        let manifest_sha256 = hex(&sha256(&text));
        self.add(MANIFEST, &text)?;
        self.add(MANIFEST_SUM, sum_line(&manifest_sha256).as_bytes())?;
        let (out, bytes) = self.zip.finish()?;
        let mut file = out
            .into_inner()
            .map_err(std::io::IntoInnerError::into_error)?;
        file.seek(SeekFrom::Start(0))?;
        Ok(Made {
            file,
            bytes,
            manifest_sha256,
            manifest,
        })
    }

    /// The frames, oldest first, each with its events; their bytes go into the pack.
    fn frames(&mut self, wal: &Wal, with_frames: bool) -> Result<Vec<FrameRow>, Error> {
        let offsets = self.events.clone();
        let mut rows: Vec<FrameRow> = Vec::new();
        let mut unpacked = 0u64;
        for offset in offsets {
            if let Some(row) = rows.last_mut().filter(|row| offset < row.end) {
                row.events.push(offset.event_id());
                continue;
            }
            let gone = || Error::Gone(offset.event_id());
            let raw = wal.raw_frame_at(offset)?.ok_or_else(gone)?;
            let mut row = FrameRow::of(&raw, with_frames);
            row.events.push(offset.event_id());
            unpacked = unpacked.saturating_add(raw.link.unpacked);
            // What could not be verified is not made.
            if rows.len() >= ENTRIES_MAX || unpacked > UNPACKED_BYTES_MAX {
                return Err(Error::TooLarge(self.bytes_max));
            }
            if with_frames {
                self.add(&file_name(raw.link.first), &raw.bytes)?;
            }
            rows.push(row);
        }
        Ok(rows)
    }

    fn begin_events(&mut self) -> Result<(), Error> {
        if !self.has_begun {
            self.zip.begin(EVENTS)?;
            self.has_begun = true;
        }
        Ok(())
    }

    fn add(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let entry = self.zip.add(name, bytes)?;
        self.files.push(entry);
        Ok(())
    }
}
