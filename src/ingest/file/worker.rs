//! The loop of the door, on a thread of its own: look, read, send, wait for the ack, write the
//! positions down.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::positions::{Id, Position, Positions};
use super::tail::{Piece, Tail, id};
use super::{Options, Place, glob};
use crate::clock::{Clock, Stopwatch};
use crate::metrics::Metrics;
use crate::pipeline::{Ack, Payload, Refused};
use crate::tasks::Shutdown;

/// How often a waiting door looks whether it shall stop.
const LOOK: Duration = Duration::from_millis(50);
/// How long one attempt to send may be held; after it comes the next.
const HOLD: Duration = Duration::from_secs(5);

/// What the loop keeps between two looks.
#[derive(Debug)]
pub(super) struct Worker {
    options: Options,
    data: PathBuf,
    metrics: Arc<Metrics>,
    clock: Clock,
    tails: Vec<Tail>,
    positions: Positions,
    /// Files that could not be opened, so that each is told once.
    refused: HashSet<PathBuf>,
}

impl Worker {
    pub(super) fn new(options: Options, place: &Place<'_>) -> Self {
        Self {
            options,
            data: place.data.into(),
            metrics: place.metrics.clone(),
            clock: place.clock.clone(),
            tails: Vec::new(),
            positions: Positions::load(place.data),
            refused: HashSet::new(),
        }
    }

    pub(super) fn run(
        mut self,
        submit: impl Fn(Payload) -> Result<Ack, Refused>,
        shutdown: &Shutdown,
    ) {
        while !shutdown.is_requested() {
            self.discover();
            if !self.round(&submit, shutdown) {
                wait(
                    Duration::from_millis(self.options.poll_interval_ms),
                    shutdown,
                );
            }
        }
    }

    /// Finds new files, and which of the open ones have lost their name.
    fn discover(&mut self) {
        let mut named = HashSet::new();
        for followed in 0..self.options.follow.len() {
            let pattern = self
                .options
                .follow
                .get(followed)
                .map(|one| one.path.clone());
            for path in glob::expand(&pattern.unwrap_or_default(), self.options.files_max) {
                named.extend(self.look_at(&path, followed));
            }
        }
        for tail in &mut self.tails {
            if named.contains(&tail.id) {
                tail.rotated = None;
            } else if tail.rotated.is_none() {
                tail.rotated = Some(Stopwatch::start());
            }
        }
        let files = u64::try_from(self.tails.len()).unwrap_or(u64::MAX);
        self.metrics.files_followed.set(files);
    }

    /// Opens the file of a name unless it is open; returns which file that is.
    fn look_at(&mut self, path: &Path, followed: usize) -> Option<Id> {
        let meta = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        let id = id(&meta);
        if let Some(tail) = self.tails.iter_mut().find(|tail| tail.id == id) {
            if tail.path != path {
                tail.path = path.into();
            }
            return Some(id);
        }
        // Renamed while nobody looked: what is left in the old file comes first.
        for earlier in self.positions.earlier(path, id) {
            self.open_renamed(&earlier, followed);
        }
        if self.tails.len() >= self.options.files_max {
            self.refuse(path, "too many files are followed");
            return None;
        }
        match Tail::open(path, followed, self.positions.of(id)) {
            Ok(tail) => {
                self.refused.remove(path);
                self.tails.push(tail);
                Some(id)
            }
            Err(_) => {
                self.refuse(path, "file to follow cannot be opened");
                None
            }
        }
    }

    fn open_renamed(&mut self, earlier: &Position, followed: usize) {
        if self.tails.iter().any(|tail| tail.id == earlier.id) {
            return;
        }
        let entries = earlier
            .path
            .parent()
            .and_then(|folder| fs::read_dir(folder).ok());
        let renamed = entries
            .into_iter()
            .flatten()
            .filter_map(Result::ok)
            .find(|entry| {
                let meta = entry.metadata();
                meta.is_ok_and(|meta| meta.is_file() && id(&meta) == earlier.id)
            });
        if let Some(entry) = renamed
            && let Ok(tail) = Tail::open(&entry.path(), followed, Some(earlier))
            && tail.position().head == earlier.head
            && self.tails.len() < self.options.files_max
        {
            self.tails.push(tail);
        }
    }

    fn refuse(&mut self, path: &Path, why: &'static str) {
        if self.refused.len() < self.options.files_max && self.refused.insert(path.into()) {
            tracing::warn!(path = %path.display(), "{why}");
        }
    }

    /// One chunk of every file; `false` where there was nothing.
    fn round(
        &mut self,
        submit: &impl Fn(Payload) -> Result<Ack, Refused>,
        shutdown: &Shutdown,
    ) -> bool {
        let mut is_moved = false;
        let rotated_wait = Duration::from_millis(self.options.rotated_wait_ms);
        let mut tails = std::mem::take(&mut self.tails);
        tails.retain_mut(|tail| {
            if shutdown.is_requested() {
                return true;
            }
            let is_final = tail
                .rotated
                .is_some_and(|since| since.elapsed() >= rotated_wait);
            let (chunk, line) = (self.options.chunk_bytes_max, self.options.line_bytes_max);
            let piece = match tail.read(chunk, line, is_final) {
                Ok(Some(piece)) => piece,
                Ok(None) => return !is_final,
                Err(error) => {
                    tracing::warn!(%error, "followed file cannot be read");
                    return !is_final;
                }
            };
            if self.send(tail, &piece, submit, shutdown) {
                tail.advance(&piece);
                tail.rotated = tail.rotated.map(|_| Stopwatch::start());
                self.positions.set(tail.position(), self.options.files_max);
                is_moved = true;
            }
            true
        });
        self.tails = tails;
        if is_moved && let Err(error) = self.positions.save(&self.data) {
            tracing::error!(%error, "positions of followed files not written; a restart repeats");
        }
        is_moved
    }

    /// Sends until it is taken; `false` where shutdown came first.
    fn send(
        &self,
        tail: &Tail,
        piece: &Piece,
        submit: &impl Fn(Payload) -> Result<Ack, Refused>,
        shutdown: &Shutdown,
    ) -> bool {
        if piece.bytes.is_empty() {
            return true;
        }
        let followed = self.options.follow.get(tail.followed);
        let name = || {
            tail.path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned()
        };
        let source = followed
            .and_then(|one| one.source.clone())
            .unwrap_or_else(name);
        let (source, received) = (Arc::<str>::from(source), self.clock.now());
        let bytes = Bytes::copy_from_slice(&piece.bytes);
        while !shutdown.is_requested() {
            let payload = Payload {
                source: source.clone(),
                received,
                format: followed.map(|one| one.format).unwrap_or_default(),
                bytes: bytes.clone(),
                patience: HOLD,
                // One chunk at a time is all this door holds.
                room: None,
            };
            match submit(payload) {
                Ok(_) => return true,
                Err(Refused { retry_after_s, .. }) => wait(
                    Duration::from_secs(u64::from(retry_after_s.clamp(1, 60))),
                    shutdown,
                ),
            }
        }
        false
    }
}

fn wait(how_long: Duration, shutdown: &Shutdown) {
    let watch = Stopwatch::start();
    while watch.elapsed() < how_long && !shutdown.is_requested() {
        std::thread::sleep(LOOK.min(how_long));
    }
}
