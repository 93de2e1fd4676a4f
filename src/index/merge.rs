//! Fewer, larger segments: which neighbours to merge, and how.
//!
//! While a day runs, only small segments are merged, in tiers, so that each event is rewritten a few times at most and
//! large segments never. Once a day is over its segments become one, or a few of bounded size.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::build::{publish, write};
use super::column::{self, Columns};
use super::files::{Draft, Entry};
use super::postings::SLICE_DOCS;
use super::segment::{
    COLUMNS, IDS, Meta, SCHEMA_VERSION, Segment, WORDS, column_names, time_from_column,
};
use super::{Error, Options, ids, words};

/// Documents of the largest segment the id table can address.
const DOCS_MAX: u32 = 1 << 24;
/// Segments one merge reads.
const PARTS_MAX: usize = 64;

/// What the choice needs to know of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) first: u64,
    pub(super) end: u64,
    pub(super) count: u32,
    pub(super) day: i64,
}

impl Size {
    pub(super) fn of(segment: &Segment) -> Self {
        let meta = segment.meta();
        Self {
            first: meta.first,
            end: meta.end,
            count: meta.count,
            day: meta.day,
        }
    }
}

/// The neighbours to merge next. `open_day` is the first day to which events may still be added.
pub(super) fn pick(sizes: &[Size], open_day: i64, options: &Options) -> Option<Range<usize>> {
    let count_max = options.merge_events_max.min(DOCS_MAX);
    let is_over = |size: &Size| size.day < open_day;
    let is_small = |size: &Size| size.count < options.merge_small_events;
    let parts_min = options.merge_segments_min.max(2);
    runs(sizes, is_over)
        .into_iter()
        .find_map(|run| group(sizes, run, 2, count_max, |_| true))
        .or_else(|| {
            runs(sizes, is_small)
                .into_iter()
                .find_map(|run| group(sizes, run, parts_min, count_max, is_balanced))
        })
}

/// No part is larger than half of all: each event is rewritten a few times, not with every handful that joins it.
fn is_balanced(sizes: &[Size]) -> bool {
    let sum: u64 = sizes.iter().map(|size| u64::from(size.count)).sum();
    sizes.iter().all(|size| u64::from(size.count) * 2 <= sum)
}

/// Longest runs of adjacent segments of one day that are all wanted.
fn runs(sizes: &[Size], is_wanted: impl Fn(&Size) -> bool) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    let mut before: Option<&Size> = None;
    for (at, size) in sizes.iter().enumerate() {
        if !is_wanted(size) {
            before = None;
            continue;
        }
        let joins = before.is_some_and(|before| before.end == size.first && before.day == size.day);
        match runs.last_mut() {
            Some(run) if joins => run.end = at + 1,
            _ => runs.push(at..at + 1),
        }
        before = Some(size);
    }
    runs
}

/// A part of a run that is long enough, not too large, and accepted.
fn group(
    sizes: &[Size],
    run: Range<usize>,
    parts_min: usize,
    count_max: u32,
    accept: impl Fn(&[Size]) -> bool,
) -> Option<Range<usize>> {
    run.clone().find_map(|start| {
        let mut count = 0u32;
        let fits = sizes
            .get(start..run.end)?
            .iter()
            .take(PARTS_MAX)
            .take_while(|size| {
                count = count.saturating_add(size.count);
                count <= count_max
            });
        let end = start + fits.count();
        let is_long = end - start >= parts_min;
        (is_long && accept(sizes.get(start..end)?)).then_some(start..end)
    })
}

/// Writes neighbours as one segment.
pub(super) fn merge(parts: &[Arc<Segment>], root: &Path) -> Result<Entry, Error> {
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else {
        return Err(Error::Damaged("nothing to merge"));
    };
    let range = first.meta().first..last.meta().end;
    let draft = Draft::create(root, first.meta().day, range.clone())?;
    let mut files = HashMap::new();
    let columns: Vec<&Columns> = parts.iter().map(|part| part.columns()).collect();
    write(&draft, COLUMNS, &mut files, |to| {
        column::merge(&columns, column_names(), to)
    })?;
    let with_words: Vec<_> = parts
        .iter()
        .map(|part| (part.words().clone(), part.count()))
        .collect();
    write(&draft, WORDS, &mut files, |to| {
        words::merge(&with_words, to)
    })?;
    let with_ids: Vec<_> = parts
        .iter()
        .map(|part| (part.ids().clone(), part.count()))
        .collect();
    write(&draft, IDS, &mut files, |to| ids::merge(&with_ids, to))?;
    let received = parts.iter().map(|part| part.meta().received);
    let meta = Meta {
        schema_version: SCHEMA_VERSION,
        first: range.start,
        end: range.end,
        count: parts.iter().map(|part| part.count()).sum(),
        day: first.meta().day,
        received: received.fold((i64::MAX, i64::MIN), |(min, max), (from, to)| {
            (min.min(from), max.max(to))
        }),
        slices: slices(parts),
        runs: offsets(parts),
        files,
    };
    publish(draft, &meta)
}

/// Oldest and newest time of each slice of the merged segment.
fn slices(parts: &[Arc<Segment>]) -> Vec<(i64, i64)> {
    let mut slices: Vec<(i64, i64)> = Vec::new();
    let mut doc = 0u32;
    for part in parts {
        part.time().each(0..part.count(), |_, value| {
            let millis = time_from_column(value);
            match slices.last_mut() {
                Some((min, max)) if !doc.is_multiple_of(SLICE_DOCS) => {
                    *min = millis.min(*min);
                    *max = millis.max(*max);
                }
                _ => slices.push((millis, millis)),
            }
            doc += 1;
        });
    }
    slices
}

/// Where offsets jump in the merged segment.
fn offsets(parts: &[Arc<Segment>]) -> Vec<(u32, u64)> {
    let mut runs: Vec<(u32, u64)> = Vec::new();
    let mut base = 0u32;
    for part in parts {
        for (doc, offset) in &part.meta().runs {
            let doc = base + doc;
            let goes_on = runs
                .last()
                .is_some_and(|(start, from)| from + u64::from(doc - start) == *offset);
            if !goes_on {
                runs.push((doc, *offset));
            }
        }
        base += part.count();
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(list: &[(u32, i64)]) -> Vec<Size> {
        let mut first = 0;
        list.iter()
            .map(|(count, day)| {
                let size = Size {
                    first,
                    end: first + u64::from(*count),
                    count: *count,
                    day: *day,
                };
                first = size.end;
                size
            })
            .collect()
    }

    fn check(list: &[(u32, i64)], open_day: i64, expected: Option<Range<usize>>) {
        assert_eq!(pick(&sizes(list), open_day, &Options::default()), expected);
    }

    #[test]
    fn an_open_day_merges_only_runs_of_small_segments() {
        check(&[(100, 1); 7], 1, None);
        check(&[(100, 1); 8], 1, Some(0..8));
        check(&[(150_000, 1); 30], 1, None);
        check(&[[(90_000, 1); 1], [(10, 1); 1]].concat(), 1, None);
        let mixed = [vec![(150_000, 1)], vec![(50, 1); 9], vec![(200_000, 1)]].concat();
        check(&mixed, 1, Some(1..10));
    }

    #[test]
    fn a_finished_day_becomes_few_segments() {
        check(&[(200_000, 1), (200_000, 1), (10, 2)], 2, Some(0..2));
        check(&[(4_000_000, 1), (200_000, 1), (10, 2)], 2, None);
        check(
            &[(3_000_000, 1), (2_000_000, 1), (1_000_000, 1)],
            2,
            Some(1..3),
        );
    }

    #[test]
    fn segments_around_a_hole_or_of_two_days_stay_apart() {
        let mut list = sizes(&[(10, 1); 16]);
        list[8].first += 1;
        assert_eq!(pick(&list, 1, &Options::default()), Some(0..8));
        let days: Vec<_> = (0..16).map(|at| (10, at / 4)).collect();
        check(&days, 0, None);
    }

    #[test]
    fn merging_comes_to_an_end_and_rewrites_little() {
        let options = Options::default();
        let mut list: Vec<Size> = vec![];
        let mut rewritten = 0u64;
        for at in 0..10_000u64 {
            list.push(Size {
                first: at * 70,
                end: at * 70 + 70,
                count: 70,
                day: 1,
            });
            while let Some(range) = pick(&list, 1, &options) {
                let merged = Size {
                    first: list[range.start].first,
                    end: list[range.end - 1].end,
                    count: list[range.clone()].iter().map(|size| size.count).sum(),
                    day: 1,
                };
                rewritten += u64::from(merged.count);
                list.splice(range, [merged]);
            }
        }
        assert!(list.len() < 60, "{}", list.len());
        assert!(rewritten < 700_000 * 6, "{rewritten}");
    }
}
