//! Opening: what is on disk becomes a log again, whatever moment the process or the power died.

use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::sync::Arc;

use super::cipher::Cipher;
use super::disk::Disk;
use super::gaps::{Gap, Gaps};
use super::pack::Packer;
use super::segment::{self, Header, Read, Table};
use super::state::{Parts, State};
use super::writer::{Writer, begin_segment};
use super::{Error, Options};
use crate::metrics::Metrics;
use crate::model::{Offset, Timestamp};

pub(super) const LOCK: &str = "lock";

/// The folder of the log below a data directory.
pub(crate) const FOLDER: &str = "wal";

/// What opening needs to know and to write down.
struct Opening<'a> {
    dir: &'a Path,
    disk: &'a Disk,
    now: Timestamp,
    gaps: Gaps,
    found: bool,
    torn: bool,
    key: u32,
}

/// Opens the log below `data`, or begins one.
pub(super) fn open(
    data: &Path,
    options: &Options,
    disk: Disk,
    now: Timestamp,
    metrics: &Metrics,
) -> Result<Parts, Error> {
    let dir = data.join(FOLDER);
    if !dir.is_dir() {
        fs::create_dir_all(&dir)?;
        disk.sync_dir(data)?;
    }
    let lock = lock(&dir)?;
    let cipher = match &options.encryption_key_file {
        Some(path) => Some(Arc::new(Cipher::open(path)?)),
        None => None,
    };
    let gaps = Gaps::load(&dir);
    let mut opening = Opening {
        dir: &dir,
        disk: &disk,
        now,
        gaps,
        found: false,
        torn: false,
        key: current(&cipher),
    };
    opening.tidy()?;
    let names = segment::list(&dir)?;
    has_keys(&dir, &names, &cipher)?;
    let mut tables: Vec<Table> = Vec::new();
    for (at, first) in names.iter().enumerate() {
        match names.get(at + 1) {
            Some(upto) => tables.push(opening.closed(*first, *upto)?),
            None => {
                let table = opening.last(*first, tables.last())?;
                tables.push(table);
            }
        }
    }
    if tables.is_empty() {
        let header = Header {
            first: 0,
            created: now.0,
            chain: Default::default(),
            key: current(&cipher),
        };
        tables.push(opening.begin(&header)?);
    }
    let Opening {
        gaps, found, torn, ..
    } = opening;
    if found {
        gaps.save(&dir, &disk)?;
    }
    if torn {
        metrics.wal_torn_tails.inc();
    }
    let (count, lost) = gaps.count();
    metrics.wal_gaps.add(count);
    metrics.wal_lost_events.add(lost);
    let writer = writer(&dir, tables.last(), options, &cipher)?;
    // What the process before us wrote may be in memory only; readers must see nothing that can
    // still go away.
    disk.sync(&writer.handle)?;
    disk.sync_dir(&dir)?;
    let state = State::new(&tables, writer.handle.clone(), gaps);
    Ok(Parts {
        dir,
        lock,
        disk,
        state,
        writer,
        cipher,
    })
}

/// Frames that cannot be opened must not look damaged.
fn has_keys(dir: &Path, names: &[u64], cipher: &Option<Arc<Cipher>>) -> Result<(), Error> {
    for name in names {
        if let Some(key @ 1..) = segment::key(dir, *name)?
            && !cipher.as_ref().is_some_and(|cipher| cipher.has(key))
        {
            return Err(Error::KeyMissing(key));
        }
    }
    Ok(())
}

fn current(cipher: &Option<Arc<Cipher>>) -> u32 {
    cipher.as_ref().map_or(0, |cipher| cipher.current())
}

fn writer(
    dir: &Path,
    last: Option<&Table>,
    options: &Options,
    cipher: &Option<Arc<Cipher>>,
) -> Result<Writer, Error> {
    let Some(last) = last else {
        return Err(Error::Closed);
    };
    let mut packer = Packer::new(options.zstd_level);
    packer.seal_with(cipher, Some(current(cipher)));
    Ok(Writer {
        handle: Arc::new(Disk::open(&segment::path(dir, last.first))?),
        position: last.bytes,
        first: last.first,
        created: last.created,
        next: last.end,
        chain: last.chain,
        packer,
        // Of a damaged header nothing is known: a segment is begun.
        is_of_other_key: segment::key(dir, last.first)? != Some(current(cipher)),
        key: current(cipher),
        out: Vec::new(),
    })
}

/// One process at a time; the system lets go of the lock when the process ends.
fn lock(dir: &Path) -> Result<File, Error> {
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(dir.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Locked),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

impl Opening<'_> {
    /// Removes drafts, and indexes without a segment: what a process leaves when it dies.
    fn tidy(&self) -> Result<(), Error> {
        for entry in fs::read_dir(self.dir)? {
            let path = entry?.path();
            let end = path.extension().and_then(|end| end.to_str());
            let orphan = end == Some("idx") && !path.with_extension("seg").exists();
            if end == Some("tmp") || orphan {
                self.disk.remove(&path)?;
            }
        }
        Ok(())
    }

    fn begin(&self, header: &Header) -> Result<Table, Error> {
        begin_segment(self.disk, self.dir, header)?;
        Ok(Table {
            first: header.first,
            end: header.first,
            bytes: segment::HEADER_BYTES,
            created: header.created,
            written: header.created,
            chain: header.chain,
            entries: Vec::new(),
        })
    }

    fn gap(&mut self, segment: u64, position: u64, events: std::ops::Range<u64>) {
        let gap = Gap {
            first: Offset(events.start),
            end: Offset(events.end),
            segment: Offset(segment),
            position,
            found: self.now,
        };
        if self.gaps.add(gap) {
            self.found = true;
            tracing::error!(
                segment,
                position,
                events = gap.events(),
                "log is damaged, recorded as a gap"
            );
        }
    }

    /// Records the damage in a segment that was read whole.
    fn judge(&mut self, scan: &segment::Scan) -> Result<(), Error> {
        let first = scan.table.first;
        match scan.header {
            Read::Good(_) => {}
            Read::Newer(version) => return Err(Error::Version(version)),
            Read::Damaged => self.gap(first, 0, first..first),
        }
        for hole in &scan.holes {
            self.gap(first, hole.position, hole.first..hole.end);
        }
        Ok(())
    }

    /// A segment with one behind it that begins at `upto`.
    fn closed(&mut self, first: u64, upto: u64) -> Result<Table, Error> {
        let mut table = match Table::load(self.dir, first) {
            Some(table) => table,
            None => self.read_closed(first, upto)?,
        };
        if table.end < upto {
            self.gap(first, table.bytes, table.end..upto);
        }
        // Only the places of the last segment's frames are kept in memory.
        table.entries = Vec::new();
        Ok(table)
    }

    fn read_closed(&mut self, first: u64, upto: u64) -> Result<Table, Error> {
        let path = segment::path(self.dir, first);
        let mut scan = segment::scan(&fs::read(&path)?, first, Some(upto));
        self.judge(&scan)?;
        if scan.good_bytes < scan.table.bytes && scan.table.end == upto {
            // Written and never acknowledged: the next segment was begun without it.
            let handle = Disk::open(&path)?;
            self.disk.set_len(&handle, scan.good_bytes)?;
            self.disk.sync(&handle)?;
            scan.table.bytes = scan.good_bytes;
        } else if scan.table.end < upto {
            self.gap(first, scan.good_bytes, scan.table.end..upto);
        }
        self.undamaged_times(&mut scan.table);
        scan.table.save(self.dir, self.disk);
        Ok(scan.table)
    }

    /// The segment that is written on. Bytes without a good frame behind them are the torn tail of
    /// a write that was never acknowledged.
    fn last(&mut self, first: u64, before: Option<&Table>) -> Result<Table, Error> {
        let path = segment::path(self.dir, first);
        let mut scan = segment::scan(&fs::read(&path)?, first, None);
        self.judge(&scan)?;
        if scan.header == Read::Damaged && scan.table.entries.is_empty() {
            let chain = before.map(|table| table.chain).unwrap_or_default();
            return self.begin(&Header {
                first,
                created: self.now.0,
                chain,
                key: self.key,
            });
        }
        if scan.good_bytes < scan.table.bytes {
            tracing::warn!(
                segment = first,
                position = scan.good_bytes,
                bytes = scan.table.bytes - scan.good_bytes,
                "torn tail of the log cut"
            );
            let handle = Disk::open(&path)?;
            self.disk.set_len(&handle, scan.good_bytes)?;
            self.disk.sync(&handle)?;
            scan.table.bytes = scan.good_bytes;
            self.torn = true;
        }
        self.undamaged_times(&mut scan.table);
        Ok(scan.table)
    }

    /// A segment whose header is gone must not look as if it were from 1970, and be deleted for its
    /// age.
    fn undamaged_times(&self, table: &mut Table) {
        if table.created == 0 {
            table.created = self.now.0;
            table.written = table.written.max(self.now.0);
        }
    }
}
