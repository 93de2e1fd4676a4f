//! The routes that events name, with what was seen of each: one row for each method and service.
//!
//! Two passes over columns and nothing else. The first finds the routes with the most events, so that a scanner with a
//! hundred thousand paths of its own drives no route out; the second counts those alone.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::ops::{Range, RangeInclusive};

use super::aggregate::{Aggregate, AggregateRequest, Aggregation, run as aggregate};
use super::column::Values;
use super::docs::Docs;
use super::percentiles::{bucket, smallest};
use super::query::Query;
use super::search::{Stats, window};
use super::segment::{Segment, time_from_column};
use super::tally::each_of;
use super::walk::Walk;
use super::{Error, Options};
use crate::model::{Field, Timestamp};

/// Rows that are counted at once; events of others are counted together.
const GROUPS_MAX: usize = 4_096;
/// Routes with their methods and services that are told apart in one segment; the same.
const KEYS_MAX: usize = 65_536;
/// Pairs of a row and a user that are held; beyond them the number of users is told as the least there are.
const USERS_HELD_MAX: usize = 1_000_000;
/// Counts of durations held; rows beyond have no percentile.
const DURATIONS_HELD_MAX: usize = 1_000_000;
/// What says that a request was made by somebody who is known.
const KNOWN: [Field; 4] = [
    Field::UserId,
    Field::UserName,
    Field::AuthCredentialId,
    Field::ApiConsumer,
];
/// Percent of durations that the one told does not pass.
const PERCENT: u64 = 95;

/// Which routes to list.
#[derive(Clone, Debug)]
pub struct RoutesRequest {
    /// The query, parsed.
    pub query: Query,
    /// Oldest `@timestamp`, included.
    pub from: Option<Timestamp>,
    /// Newest `@timestamp`, included.
    pub to: Option<Timestamp>,
    /// Routes at most, those with the most events, and rows at most.
    pub size: usize,
}

/// What was seen of a route under one method in one service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteRow {
    /// The template.
    pub route: String,
    /// The method; empty where the events name none.
    pub method: String,
    /// The service; empty where the events name none.
    pub service: String,
    /// Events.
    pub events: u64,
    /// Time of the first.
    pub first: Timestamp,
    /// Time of the last.
    pub last: Timestamp,
    /// Events by class of status code, `1xx` first; others have none.
    pub classes: [u64; 5],
    /// Events with a user, a credential or a consumer.
    pub known: u64,
    /// Events of success (2xx) with none of them.
    pub open_success: u64,
    /// Distinct `user.id`.
    pub users: u64,
    /// Whether there are more users than were counted.
    pub users_is_least: bool,
    /// What 95 % of the durations do not pass, to within 0.8 %, in nanoseconds.
    pub p95_ns: Option<u64>,
}

/// The list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RouteTable {
    /// Most events first.
    pub rows: Vec<RouteRow>,
    /// Events of routes and rows that are not listed.
    pub left_out: u64,
    /// Events without a route.
    pub without_route: u64,
    /// What was looked at.
    pub stats: Stats,
}

/// Ordinals of route, method and service in one segment, each plus one; 0 is none.
type Key = [u32; 3];

/// Rows in the making.
struct Groups {
    /// Routes that are listed.
    wanted: HashSet<String>,
    rows: Vec<RouteRow>,
    by_name: HashMap<[String; 3], usize>,
    /// Counts of durations by row and bucket.
    durations: HashMap<(usize, u64), u64, foldhash::fast::RandomState>,
    /// Rows of which some durations found no room.
    uncounted: HashSet<usize>,
    /// Row and hash of a user.
    users: HashSet<(usize, u64), foldhash::fast::RandomState>,
    hasher: RandomState,
    left_out: u64,
}

/// What is known of the segment being read.
struct Open<'s> {
    segment: &'s Segment,
    /// The routes that are listed, by their ordinals plus one.
    routes: HashMap<u32, String, foldhash::fast::RandomState>,
    /// The row of each key; `None` where it is not listed.
    rows: HashMap<Key, Option<usize>, foldhash::fast::RandomState>,
    /// Row and ordinal of a user.
    users: HashSet<(usize, u32), foldhash::fast::RandomState>,
}

/// The value of each document of a slice, plus one; 0 where it has none, the first where it has several.
fn ordinals(
    segment: &Segment,
    field: Field,
    range: &Range<u32>,
    docs: &Docs,
) -> io::Result<Vec<u32>> {
    let mut values = vec![0; usize::try_from(range.end - range.start).unwrap_or(0)];
    if let Some(Values::Text(column)) = segment.field(field)? {
        each_of(column.ords(), range.clone(), docs, |position, ord| {
            if let Some(value) = at(&mut values, position).filter(|value| **value == 0) {
                *value = u32::try_from(ord).map_or(u32::MAX, |ord| ord.saturating_add(1));
            }
        });
    }
    Ok(values)
}

fn at<T>(list: &mut [T], position: u32) -> Option<&mut T> {
    list.get_mut(usize::try_from(position).ok()?)
}

/// The text of an ordinal plus one; empty where it is none.
fn text(segment: &Segment, field: Field, value: u32) -> io::Result<String> {
    let (Some(ord), Some(Values::Text(column))) = (value.checked_sub(1), segment.field(field)?)
    else {
        return Ok(String::new());
    };
    let term = column
        .dictionary()
        .get(ord)
        .ok_or(io::ErrorKind::InvalidData)?;
    Ok(String::from_utf8_lossy(&term).into_owned())
}

impl<'s> Open<'s> {
    fn of(segment: &'s Segment, wanted: &HashSet<String>) -> io::Result<Self> {
        let mut routes = HashMap::default();
        if let Some(Values::Text(column)) = segment.field(Field::HttpRoute)? {
            column.dictionary().each(0, |ord, term| {
                let text = std::str::from_utf8(term).ok();
                if let Some(text) = text.filter(|text| wanted.contains(*text)) {
                    routes.insert(ord.saturating_add(1), text.to_owned());
                }
                true
            });
        }
        Ok(Self {
            segment,
            routes,
            rows: HashMap::default(),
            users: HashSet::default(),
        })
    }
}

impl Groups {
    /// The row of a key in a segment, where it is listed.
    fn row(&mut self, open: &mut Open<'_>, key: Key) -> io::Result<Option<usize>> {
        let [route, method, service] = key;
        let Some(route) = open.routes.get(&route) else {
            return Ok(None);
        };
        if let Some(row) = open.rows.get(&key) {
            return Ok(*row);
        }
        if open.rows.len() >= KEYS_MAX {
            return Ok(None);
        }
        let method = text(open.segment, Field::HttpMethod, method)?;
        let service = text(open.segment, Field::ServiceName, service)?;
        let row = self.named([route.clone(), method, service]);
        open.rows.insert(key, row);
        Ok(row)
    }

    /// The row of route, method and service, a new one where there is none yet and room.
    fn named(&mut self, name: [String; 3]) -> Option<usize> {
        if let Some(row) = self.by_name.get(&name) {
            return Some(*row);
        }
        if self.rows.len() >= GROUPS_MAX {
            return None;
        }
        let [route, method, service] = name.clone();
        self.by_name.insert(name, self.rows.len());
        self.rows.push(RouteRow {
            route,
            method,
            service,
            first: Timestamp(i64::MAX),
            last: Timestamp(i64::MIN),
            ..RouteRow::default()
        });
        Some(self.rows.len() - 1)
    }

    /// The row of each document of a slice.
    fn slots(
        &mut self,
        open: &mut Open<'_>,
        range: &Range<u32>,
        docs: &Docs,
    ) -> io::Result<Vec<Option<usize>>> {
        let of = |field| ordinals(open.segment, field, range, docs);
        let routes = of(Field::HttpRoute)?;
        let (methods, services) = (of(Field::HttpMethod)?, of(Field::ServiceName)?);
        let mut slots = Vec::with_capacity(routes.len());
        for ((route, method), service) in routes.into_iter().zip(methods).zip(services) {
            if route == 0 {
                slots.push(None);
                continue;
            }
            let row = self.row(open, [route, method, service])?;
            self.left_out += u64::from(row.is_none());
            slots.push(row);
        }
        Ok(slots)
    }

    /// Counts the documents of a slice.
    fn add(&mut self, open: &mut Open<'_>, range: &Range<u32>, docs: &Docs) -> io::Result<()> {
        let slots = self.slots(open, range, docs)?;
        let slot = |position: u32| {
            slots
                .get(usize::try_from(position).ok()?)
                .copied()
                .flatten()
        };
        let segment = open.segment;
        let rows = &mut self.rows;
        each_of(segment.time(), range.clone(), docs, |position, value| {
            if let Some(row) = slot(position).and_then(|row| rows.get_mut(row)) {
                let time = Timestamp::from_millis(time_from_column(value));
                row.events += 1;
                (row.first, row.last) = (row.first.min(time), row.last.max(time));
            }
        });
        let mut is_open = vec![true; slots.len()];
        for field in KNOWN {
            if let Some(Values::Text(column)) = segment.field(field)? {
                each_of(column.ords(), range.clone(), docs, |position, _| {
                    let was_open = at(&mut is_open, position).is_some_and(std::mem::take);
                    if let Some(row) = slot(position).and_then(|row| rows.get_mut(row)) {
                        row.known += u64::from(was_open);
                    }
                });
            }
        }
        if let Some(Values::Number(column)) = segment.field(Field::HttpStatus)? {
            each_of(column, range.clone(), docs, |position, status| {
                let class = (status / 100)
                    .checked_sub(1)
                    .and_then(|class| usize::try_from(class).ok());
                let row = slot(position).and_then(|row| rows.get_mut(row));
                if let (Some(class), Some(row)) = (class, row)
                    && let Some(count) = row.classes.get_mut(class)
                {
                    *count += 1;
                    let is_open = at(&mut is_open, position).is_some_and(|is| *is);
                    row.open_success += u64::from(class == 1 && is_open);
                }
            });
        }
        self.add_durations(segment, range, docs, slot)?;
        let rows = &mut self.rows;
        if let Some(Values::Text(column)) = segment.field(Field::UserId)? {
            let users = &mut open.users;
            each_of(column.ords(), range.clone(), docs, |position, ord| {
                let (Some(row), Ok(ord)) = (slot(position), u32::try_from(ord)) else {
                    return;
                };
                if users.len() < USERS_HELD_MAX {
                    users.insert((row, ord));
                } else if let Some(row) = rows.get_mut(row) {
                    row.users_is_least = true;
                }
            });
        }
        Ok(())
    }

    /// Counts their durations by row.
    fn add_durations(
        &mut self,
        segment: &Segment,
        range: &Range<u32>,
        docs: &Docs,
        slot: impl Fn(u32) -> Option<usize>,
    ) -> io::Result<()> {
        if let Some(Values::Number(column)) = segment.field(Field::EventDuration)? {
            let durations = &mut self.durations;
            let uncounted = &mut self.uncounted;
            each_of(column, range.clone(), docs, |position, value| {
                let Some(row) = slot(position) else { return };
                let has_room = durations.len() < DURATIONS_HELD_MAX;
                match durations.entry((row, bucket(value))) {
                    Entry::Occupied(mut count) => *count.get_mut() += 1,
                    Entry::Vacant(place) if has_room => *place.insert(0) += 1,
                    Entry::Vacant(_) => {
                        uncounted.insert(row);
                    }
                }
            });
        }
        Ok(())
    }

    /// Folds the users of a segment into those of all.
    fn close(&mut self, open: Open<'_>) -> io::Result<()> {
        let Some(Values::Text(column)) = open.segment.field(Field::UserId)? else {
            return Ok(());
        };
        let mut hashes: HashMap<u32, u64> = HashMap::new();
        for (_, ord) in &open.users {
            hashes.insert(*ord, 0);
        }
        column.dictionary().each(0, |ord, term| {
            if let Some(hash) = hashes.get_mut(&ord) {
                *hash = self.hasher.hash_one(term);
            }
            true
        });
        for (row, ord) in open.users {
            let pair = (row, hashes.get(&ord).copied().unwrap_or_default());
            let is_new = !self.users.contains(&pair);
            let has_room = self.users.len() < USERS_HELD_MAX;
            if let Some(row) = self.rows.get_mut(row).filter(|_| is_new) {
                row.users += u64::from(has_room);
                row.users_is_least |= !has_room;
            }
            if is_new && has_room {
                self.users.insert(pair);
            }
        }
        Ok(())
    }

    /// Tells the rows, most events first, and events that are in none of them.
    fn finish(mut self, size: usize) -> (Vec<RouteRow>, u64) {
        let mut buckets: Vec<((usize, u64), u64)> = self.durations.into_iter().collect();
        buckets.sort_unstable();
        for of_row in buckets.chunk_by(|((one, _), _), ((other, _), _)| one == other) {
            let all: u64 = of_row.iter().map(|(_, count)| count).sum();
            let rank = (all * PERCENT).div_ceil(100).max(1);
            let mut below = 0;
            let found = of_row.iter().find(|(_, count)| {
                below += count;
                below >= rank
            });
            if let Some(((row, bucket), _)) = found
                && !self.uncounted.contains(row)
                && let Some(row) = self.rows.get_mut(*row)
            {
                row.p95_ns = Some(smallest(*bucket));
            }
        }
        let name = |row: &RouteRow| (row.route.clone(), row.method.clone(), row.service.clone());
        self.rows
            .sort_by_cached_key(|row| (std::cmp::Reverse(row.events), name(row)));
        let cut = self.rows.split_off(size.min(self.rows.len()));
        let cut: u64 = cut.iter().map(|row| row.events).sum();
        (self.rows, self.left_out + cut)
    }
}

/// The routes with the most events, and how many events have none.
fn busiest(
    walk: &mut Walk<'_, '_>,
    request: &RoutesRequest,
    options: &Options,
) -> Result<(HashSet<String>, u64, u64), Error> {
    let terms = Aggregate::Terms {
        field: Field::HttpRoute.name().to_owned(),
        size: request.size,
    };
    let asked = AggregateRequest {
        query: request.query.clone(),
        from: request.from,
        to: request.to,
        aggregates: vec![(String::new(), terms)],
    };
    let (mut results, total) = aggregate(walk, &asked, options)?;
    Ok(match results.pop() {
        Some((
            _,
            Aggregation::Terms {
                buckets, missing, ..
            },
        )) => (
            buckets.into_iter().map(|bucket| bucket.key).collect(),
            missing,
            total,
        ),
        _ => (HashSet::new(), total, total),
    })
}

/// The routes of the events that match, and how many those are.
pub(super) fn run(
    walk: &mut Walk<'_, '_>,
    request: &RoutesRequest,
    options: &Options,
) -> Result<RouteTable, Error> {
    let (wanted, without_route, total) = busiest(walk, request, options)?;
    let mut groups = Groups {
        wanted,
        rows: Vec::new(),
        by_name: HashMap::new(),
        durations: HashMap::default(),
        uncounted: HashSet::new(),
        users: HashSet::default(),
        hasher: RandomState::new(),
        left_out: 0,
    };
    let window: RangeInclusive<i64> = window(request.from, request.to);
    let mut open: Option<Open<'_>> = None;
    for piece in walk.pieces(&window) {
        let docs = walk.matches(&piece, &window)?;
        let Some((segment, range)) = walk.documents(&piece).filter(|_| !docs.is_none()) else {
            continue;
        };
        if open
            .as_ref()
            .is_none_or(|open| !std::ptr::eq(open.segment, segment))
        {
            let next = Open::of(segment, &groups.wanted)?;
            if let Some(done) = open.replace(next) {
                groups.close(done)?;
            }
        }
        if let Some(open) = &mut open {
            groups.add(open, &range, &docs)?;
        }
    }
    if let Some(done) = open {
        groups.close(done)?;
    }
    let (rows, left_out) = groups.finish(request.size);
    let stats = Stats {
        total: Some(total),
        ..Stats::default()
    };
    Ok(RouteTable {
        rows,
        left_out,
        without_route,
        stats,
    })
}
