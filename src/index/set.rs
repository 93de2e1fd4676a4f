//! The segments that are searchable now, and the ranges of the log that are not.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::Error;
use super::files::{Entry, remove, scan};
use super::segment::Segment;
use crate::metrics::Metrics;
use crate::model::Offset;

/// Segments in the order of the log, without overlap. What a search took stays as it was while it runs.
pub(super) type Snapshot = Arc<Vec<Arc<Segment>>>;

/// All segments.
#[derive(Debug)]
pub(super) struct Segments {
    root: PathBuf,
    metrics: Arc<Metrics>,
    list: Mutex<Snapshot>,
    /// Ranges between segments of which the log has no event left.
    empty: Mutex<Vec<Range<u64>>>,
    /// Behind the last offset of all segments found at start.
    found_end: Offset,
    /// A segment was taken out and its range has to be indexed again.
    is_torn: AtomicBool,
}

impl Segments {
    /// Opens what is on disk and belongs to the log's range; the rest is deleted: half-written, damaged, of another schema
    /// version, already part of a merged segment, or no longer (or not) in the log.
    pub(super) fn open(root: &Path, log: Range<u64>, metrics: Arc<Metrics>) -> Result<Self, Error> {
        let mut list: Vec<Arc<Segment>> = Vec::new();
        let mut behind = 0u64;
        let mut found_end = Offset(0);
        for entry in scan(root)? {
            found_end = found_end.max(Offset(entry.range.end));
            let is_in_log = entry.range.end > log.start && entry.range.end <= log.end;
            // Where a merge was cut short, the merged segment comes first and makes its parts superfluous.
            if !is_in_log || entry.range.start < behind {
                remove(&entry.path)?;
                continue;
            }
            match Segment::open(&entry) {
                Ok(segment) => {
                    behind = entry.range.end;
                    list.push(Arc::new(segment));
                }
                Err(error) => {
                    let name = entry.path.file_name().unwrap_or_default().to_string_lossy();
                    tracing::warn!(segment = %name, %error, "index segment is built again from the log");
                    remove(&entry.path)?;
                }
            }
        }
        let segments = Self {
            root: root.to_owned(),
            metrics,
            list: Mutex::new(Arc::new(list)),
            empty: Mutex::default(),
            found_end,
            is_torn: AtomicBool::new(false),
        };
        segments.measure(&segments.snapshot());
        Ok(segments)
    }

    /// Where the segments' directories are.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn found_end(&self) -> Offset {
        self.found_end
    }

    /// What is searchable now.
    pub(super) fn snapshot(&self) -> Snapshot {
        Arc::clone(&self.list.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Opens a finished segment and makes it searchable, in place of the segments whose range it covers.
    pub(super) fn add(&self, entry: &Entry) -> Result<(), Error> {
        let segment = Arc::new(Segment::open(entry)?);
        segment.set_verified();
        let replaced = self.change(|list| {
            let at = list.partition_point(|other| other.meta().first < entry.range.start);
            let end = list.partition_point(|other| other.meta().end <= entry.range.end);
            list.splice(at..end.max(at), [segment]).collect()
        });
        delete(&replaced)
    }

    /// Makes segments searchable in place of the one they were made of.
    pub(super) fn replace(&self, old: &Arc<Segment>, entries: &[Entry]) -> Result<(), Error> {
        let mut parts = Vec::with_capacity(entries.len());
        for entry in entries {
            let part = Arc::new(Segment::open(entry)?);
            part.set_verified();
            parts.push(part);
        }
        let has_its_place = entries.iter().any(|entry| entry.path == old.path());
        let gone = self.change(|list| {
            let at = list.iter().position(|other| Arc::ptr_eq(other, old));
            at.map_or_else(Vec::new, |at| list.splice(at..=at, parts).collect())
        });
        match has_its_place {
            true => Ok(()),
            false => delete(&gone),
        }
    }

    /// Forgets and deletes segments whose offsets all stand before `offset`. Returns how many.
    pub(super) fn drop_before(&self, offset: Offset) -> Result<usize, Error> {
        let dropped = self.change(|list| {
            let end = list.partition_point(|segment| segment.meta().end <= offset.0);
            list.drain(..end).collect()
        });
        delete(&dropped)?;
        Ok(dropped.len())
    }

    /// Looks at every byte of a segment; takes it out and deletes it where one is not as it was written. Whether it stays.
    pub(super) fn verify(&self, segment: &Arc<Segment>) -> Result<bool, Error> {
        if segment.verify()? {
            return Ok(true);
        }
        let range = segment.meta().first..segment.meta().end;
        tracing::warn!(
            first = range.start,
            end = range.end,
            "index segment is damaged, it is built again from the log"
        );
        self.metrics.index_errors.inc();
        let gone = self.change(|list| {
            let at = list.iter().position(|other| Arc::ptr_eq(other, segment));
            at.map(|at| list.remove(at)).into_iter().collect()
        });
        delete(&gone)?;
        self.is_torn.store(true, Ordering::Release);
        Ok(false)
    }

    /// Whether a segment was taken out since this was asked last.
    pub(super) fn was_torn(&self) -> bool {
        self.is_torn.swap(false, Ordering::AcqRel)
    }

    fn change(
        &self,
        edit: impl FnOnce(&mut Vec<Arc<Segment>>) -> Vec<Arc<Segment>>,
    ) -> Vec<Arc<Segment>> {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = Vec::clone(&list);
        let gone = edit(&mut next);
        if gone.is_empty() && next.len() == list.len() {
            return gone;
        }
        *list = Arc::new(next);
        self.measure(&list);
        gone
    }

    fn measure(&self, list: &Snapshot) {
        let count = u64::try_from(list.len()).unwrap_or(u64::MAX);
        self.metrics.index_segments.set(count);
        let bytes = list.iter().map(|segment| segment.bytes()).sum();
        self.metrics.index_bytes.set(bytes);
    }

    /// Remembers that the log has nothing in a range.
    pub(super) fn note_empty(&self, range: Range<u64>) {
        let mut empty = self.empty.lock().unwrap_or_else(PoisonError::into_inner);
        match empty.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => empty.push(range),
        }
    }

    /// The first range at or behind `from` that no segment covers; its end is open (`u64::MAX`) behind the last segment.
    pub(super) fn missing(&self, from: Offset) -> Range<u64> {
        let snapshot = self.snapshot();
        let mut start = from.0;
        loop {
            let mut end = u64::MAX;
            let at = snapshot.partition_point(|segment| segment.meta().end <= start);
            for segment in snapshot.get(at..).unwrap_or_default() {
                if segment.meta().first > start {
                    end = segment.meta().first;
                    break;
                }
                start = segment.meta().end;
            }
            let empty = self.empty.lock().unwrap_or_else(PoisonError::into_inner);
            match empty.iter().find(|range| range.contains(&start)) {
                Some(range) => start = range.end,
                None => return start..end,
            }
        }
    }
}

fn delete(segments: &[Arc<Segment>]) -> Result<(), Error> {
    for segment in segments {
        remove(segment.path())?;
    }
    Ok(())
}
