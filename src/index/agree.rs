//! Whether an index agrees with its log, offline and without writing.

use std::fs;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Error;
use super::files::{Entry, parse_range};
use super::segment::Segment;

/// What the comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Agreement {
    /// Segments that were looked at, every byte.
    pub segments: u64,
    /// Events they know.
    pub events: u64,
    /// Segments that are damaged or know other events than the log holds, below the data directory, with what is wrong.
    pub wrong: Vec<String>,
}

/// Compares the index of a data directory with the offsets whose records the log holds; of those `untold` nothing is known.
/// What is not indexed yet is no disagreement: it is made when the server runs.
///
/// # Errors
/// Where files cannot be read.
pub fn agreement(
    data: &Path,
    present: &[Range<u64>],
    untold: &[Range<u64>],
) -> io::Result<Agreement> {
    let mut found = Agreement::default();
    for entry in entries(&data.join("index"))? {
        let name = entry.path.strip_prefix(data).unwrap_or(&entry.path);
        let wrong = match judged(&entry, present, untold) {
            Ok((events, wrong)) => {
                found.events += events;
                wrong
            }
            // A running server has merged it with others.
            Err(_) if !entry.path.exists() => continue,
            Err(Error::Io(error)) => return Err(error),
            Err(error) => Some(error.to_string()),
        };
        found.segments += 1;
        let name = name.display();
        found
            .wrong
            .extend(wrong.map(|wrong| format!("{name}: {wrong}")));
    }
    Ok(found)
}

/// All finished segments; nothing is deleted.
fn entries(root: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for day in listed(root)? {
        for path in listed(&day)? {
            let name = path.file_name().and_then(|name| name.to_str());
            if let Some(range) = name.and_then(parse_range) {
                entries.push(Entry { path, range });
            }
        }
    }
    entries.sort_by_key(|entry| entry.range.start);
    Ok(entries)
}

fn listed(dir: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(dir) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(Vec::new())
        }
        entries => entries?.map(|entry| Ok(entry?.path())).collect(),
    }
}

/// How many events a segment knows, and what is wrong with it.
fn judged(
    entry: &Entry,
    present: &[Range<u64>],
    untold: &[Range<u64>],
) -> Result<(u64, Option<String>), Error> {
    let segment = Segment::open(entry)?;
    let events = u64::from(segment.count());
    if !segment.verify()? {
        return Ok((events, Some("a byte is not as it was written".to_owned())));
    }
    // What retention has taken from the log goes from the index next.
    let first = present.first().map_or(entry.range.end, |range| range.start);
    // A running server goes on behind what was looked at; a log that is too short is told elsewhere.
    let end = present.last().map_or(0, |range| range.end);
    let range = entry.range.start.max(first)..entry.range.end.min(end);
    let is_told = untold.iter().all(|untold| cut(untold, &range).is_none());
    if !is_told {
        return Ok((events, None));
    }
    let known: Vec<_> = runs(&segment)
        .iter()
        .filter_map(|run| cut(run, &range))
        .collect();
    let here: Vec<_> = present.iter().filter_map(|run| cut(run, &range)).collect();
    let wrong = (joined(known) != joined(here))
        .then(|| "it knows other events than the log holds there".to_owned());
    Ok((events, wrong))
}

/// The offsets of the documents of a segment.
fn runs(segment: &Segment) -> Vec<Range<u64>> {
    let runs = &segment.meta().runs;
    let ends = runs.iter().skip(1).map(|(doc, _)| *doc);
    let ends = ends.chain([segment.count()]);
    let runs = runs.iter().zip(ends);
    runs.map(|((doc, offset), end)| *offset..offset.saturating_add(u64::from(end - doc)))
        .collect()
}

fn cut(range: &Range<u64>, within: &Range<u64>) -> Option<Range<u64>> {
    let cut = range.start.max(within.start)..range.end.min(within.end);
    (!cut.is_empty()).then_some(cut)
}

/// Neighbours as one.
fn joined(ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    let mut joined: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => joined.push(range),
        }
    }
    joined
}
