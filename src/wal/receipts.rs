//! Receipts of erasures: what was erased when, why and by whom, and what the files of the log that were written anew
//! hold since. Signed, so that a changed log cannot pass for an erased one.
//!
//! `wal/receipts/<id>.json`, one each, and while an erasure is under way `<id>.offsets` beside it: 8 bytes little endian
//! for each event. The signature is Ed25519 over the receipt as JSON without whitespace, its members in the order
//! of [`Receipt`], with an empty `signature`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use aws_lc_rs::rand;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::recovery::FOLDER;
use super::state::held;
use crate::files;
use crate::model::{Offset, Timestamp, hex, unhex};

/// Below the folder of the log.
pub(crate) const RECEIPTS: &str = "receipts";
/// The key that signs, beside the other keys of a data directory.
pub const KEY: &str = "receipt.key";
const KEY_BYTES: usize = 32;
/// Longest receipt that is read.
const RECEIPT_BYTES_MAX: u64 = 16 << 20;
/// Who asks for the erasures that retention makes.
pub const RETENTION: &str = "retention";
const VERSION: u32 = 1;
/// Receipts that are kept; asking for more erasures is refused.
pub const RECEIPTS_MAX: usize = 10_000;

/// Where an erasure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// Events are being erased; it goes on after a restart.
    UnderWay,
    /// Nothing of them is left in log, index and alerts.
    Done,
}

/// A file of the log that was written anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Rewritten {
    /// Its first event: its name.
    #[schema(value_type = u64)]
    pub segment: Offset,
    /// Events erased out of it.
    pub events: u64,
    /// SHA-256 of the file before, in hex.
    pub before: String,
    /// SHA-256 of the file since, in hex.
    pub after: String,
}

/// A backup that still holds what was erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InBackup {
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    #[serde(with = "crate::model::rfc3339")]
    pub at: Timestamp,
    /// Its first event.
    #[schema(value_type = u64)]
    pub first: Offset,
    /// Behind its last event.
    #[schema(value_type = u64)]
    pub end: Offset,
}

/// What was erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Receipt {
    /// Of this format: 1.
    pub version: u32,
    /// `era_` and 26 characters; sorts by time.
    pub id: String,
    /// Whether it is finished.
    pub state: Progress,
    /// Why, as told by who asked. The query is not kept: it may name what was to be forgotten.
    pub reason: String,
    /// The key or user that asked for it, or `retention`.
    pub by: String,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    #[serde(with = "crate::model::rfc3339")]
    pub asked_at: Timestamp,
    /// When nothing was left.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(with = "crate::model::rfc3339_option")]
    pub finished_at: Option<Timestamp>,
    /// Events to be erased.
    pub events: u64,
    /// The first of them.
    #[schema(value_type = u64)]
    pub first: Offset,
    /// Behind the last of them.
    #[schema(value_type = u64)]
    pub end: Offset,
    /// Files of the log that were written anew.
    pub segments: Vec<Rewritten>,
    /// Events of these in places of the log that are damaged: their bytes cannot be told apart and stay.
    pub unreadable: u64,
    /// Why it does not go on at the moment.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub problem: Option<String>,
    /// Alerts that lost samples.
    pub alerts: u64,
    /// Backups made here before that hold some of the events; who keeps them must delete them.
    pub backups: Vec<InBackup>,
    /// Ed25519 public key of this server, in hex.
    pub public_key: String,
    /// Over the receipt without it, in hex.
    pub signature: String,
}

impl Receipt {
    /// Of an erasure that begins; which events is still to be said.
    #[must_use]
    pub fn begun(id: String, reason: String, by: String, now: Timestamp) -> Self {
        Self {
            version: VERSION,
            id,
            state: Progress::UnderWay,
            reason,
            by,
            asked_at: now,
            finished_at: None,
            events: 0,
            first: Offset(0),
            end: Offset(0),
            segments: Vec::new(),
            unreadable: 0,
            problem: None,
            alerts: 0,
            backups: Vec::new(),
            public_key: String::new(),
            signature: String::new(),
        }
    }

    fn signed_text(&self) -> io::Result<Vec<u8>> {
        let unsigned = Self {
            signature: String::new(),
            ..self.clone()
        };
        Ok(serde_json::to_vec(&unsigned)?)
    }

    /// Whether the signature is right, and by this key where one is given.
    #[must_use]
    pub fn is_signed(&self, by: Option<&str>) -> bool {
        let (Some(key), Some(signature)) = (unhex(&self.public_key), unhex(&self.signature)) else {
            return false;
        };
        let is_right = |text: Vec<u8>| {
            UnparsedPublicKey::new(&ED25519, key)
                .verify(&text, &signature)
                .is_ok()
        };
        by.is_none_or(|by| by == self.public_key) && self.signed_text().is_ok_and(is_right)
    }
}

/// The receipts of a data directory, and the key that signs them.
#[derive(Debug)]
pub struct Receipts {
    dir: PathBuf,
    key: Ed25519KeyPair,
    /// Ids of erasures that are not finished, the oldest first.
    under_way: Mutex<VecDeque<String>>,
    deciding: Mutex<()>,
}

impl Receipts {
    /// Opens the folder and the key of a data directory, or makes them.
    ///
    /// # Errors
    /// Where a file cannot be read or made, or the key is none.
    pub fn open(data: &Path) -> io::Result<Self> {
        let path = data.join(KEY);
        if !path.exists() {
            let mut seed = Zeroizing::new([0; KEY_BYTES]);
            rand::fill(seed.as_mut()).map_err(io::Error::other)?;
            files::write_new(&path, seed.as_ref())?;
        }
        let dir = folder(data);
        files::private_dir(&dir)?;
        let key = key_of(data)?;
        let mut under_way = VecDeque::new();
        for id in ids(&dir, "offsets")? {
            match dir.join(format!("{id}.json")).exists() {
                true if read(&dir.join(format!("{id}.json"))).is_err() => {
                    tracing::error!(id, "an erasure cannot go on: its receipt cannot be read");
                }
                true => under_way.push_back(id),
                // Not promised to anybody yet.
                false => fs::remove_file(dir.join(format!("{id}.offsets")))?,
            }
        }
        let under_way = Mutex::new(under_way);
        Ok(Self {
            dir,
            key,
            under_way,
            deciding: Mutex::new(()),
        })
    }

    /// Notes what is to be erased, durably; from then on it is seen through.
    ///
    /// # Errors
    /// Where a file cannot be written.
    pub fn begin(&self, mut receipt: Receipt, offsets: &[Offset]) -> io::Result<Receipt> {
        let bytes: Vec<u8> = offsets.iter().flat_map(|at| at.0.to_le_bytes()).collect();
        files::replace(&self.path(&receipt.id, "offsets"), &bytes)?;
        if let Err(error) = self.save(&mut receipt) {
            // What was refused must not begin with the next start.
            for end in ["json", "offsets"] {
                let _gone = fs::remove_file(self.path(&receipt.id, end)).is_ok();
            }
            return Err(error);
        }
        held(&self.under_way).push_back(receipt.id.clone());
        Ok(receipt)
    }

    /// The erasure that is next, of those that are not finished.
    #[must_use]
    pub fn under_way(&self) -> Option<String> {
        held(&self.under_way).front().cloned()
    }

    /// The receipts of all that are not finished.
    ///
    /// # Errors
    /// Where one cannot be read.
    pub fn all_under_way(&self) -> io::Result<Vec<Receipt>> {
        let ids = held(&self.under_way).clone();
        let receipts = ids.iter().map(|id| self.get(id));
        receipts.filter_map(Result::transpose).collect()
    }

    /// Lets the others go before one that cannot go on now, and says in its receipt why.
    pub fn postpone(&self, id: &str, problem: String) {
        let mut under_way = held(&self.under_way);
        if under_way.front().is_some_and(|first| first == id) {
            under_way.rotate_left(1);
        }
        drop(under_way);
        if let Ok(Some(mut receipt)) = self.get(id)
            && receipt.problem.as_ref() != Some(&problem)
        {
            receipt.problem = Some(problem);
            // The receipt is right without it.
            let _told = self.save(&mut receipt).is_ok();
        }
    }

    /// Held by whoever decides what is kept or erased, until that is written down.
    pub fn decide(&self) -> MutexGuard<'_, ()> {
        held(&self.deciding)
    }

    /// Signs a receipt and puts it in place of what it was.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn save(&self, receipt: &mut Receipt) -> io::Result<()> {
        receipt.public_key = hex(self.key.public_key().as_ref());
        receipt.signature = hex(self.key.sign(&receipt.signed_text()?).as_ref());
        let text = serde_json::to_vec_pretty(receipt)?;
        files::replace(&self.path(&receipt.id, "json"), &text)
    }

    /// The events of an erasure under way, ascending.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn offsets(&self, id: &str) -> io::Result<Vec<Offset>> {
        let bytes = fs::read(self.path(id, "offsets"))?;
        let (numbers, rest) = bytes.as_chunks::<8>();
        if !rest.is_empty() {
            return Err(ErrorKind::InvalidData.into());
        }
        Ok(numbers
            .iter()
            .map(|number| Offset(u64::from_le_bytes(*number)))
            .collect())
    }

    /// Signs the receipt of an erasure that is finished, and forgets which events it was about.
    ///
    /// # Errors
    /// Where files cannot be written.
    pub fn finish(&self, receipt: &mut Receipt, now: Timestamp) -> io::Result<()> {
        (receipt.state, receipt.finished_at) = (Progress::Done, Some(now));
        receipt.problem = None;
        self.save(receipt)?;
        match fs::remove_file(self.path(&receipt.id, "offsets")) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => files::sync_dir(&self.dir)?,
        }
        held(&self.under_way).retain(|id| *id != receipt.id);
        Ok(())
    }

    /// Forgets the receipts that retention has made of segments that are gone since.
    ///
    /// # Errors
    /// Where files cannot be read or deleted.
    pub fn forget_expired(&self, first: Offset) -> io::Result<()> {
        for receipt in self.list()? {
            let is_done = receipt.state == Progress::Done && receipt.end <= first;
            if is_done && receipt.by == RETENTION {
                fs::remove_file(self.path(&receipt.id, "json"))?;
            }
        }
        files::sync_dir(&self.dir)
    }

    /// All receipts, the oldest first.
    ///
    /// # Errors
    /// Where the folder cannot be read; a receipt that is none is left out, and told.
    pub fn list(&self) -> io::Result<Vec<Receipt>> {
        list(&self.dir)
    }

    /// How many there are.
    ///
    /// # Errors
    /// Where the folder cannot be read.
    pub fn count(&self) -> io::Result<usize> {
        Ok(ids(&self.dir, "json")?.len())
    }

    /// One receipt; `None` where there is none of the id.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn get(&self, id: &str) -> io::Result<Option<Receipt>> {
        match is_id(id).then(|| read(&self.path(id, "json"))) {
            None => Ok(None),
            Some(Err(error)) if error.kind() == ErrorKind::NotFound => Ok(None),
            Some(receipt) => receipt.map(Some),
        }
    }

    fn path(&self, id: &str, end: &str) -> PathBuf {
        self.dir.join(format!("{id}.{end}"))
    }
}

fn folder(data: &Path) -> PathBuf {
    data.join(FOLDER).join(RECEIPTS)
}

fn key_of(data: &Path) -> io::Result<Ed25519KeyPair> {
    let seed = Zeroizing::new(fs::read(data.join(KEY))?);
    let is_key = seed.len() == KEY_BYTES;
    let key = is_key.then(|| Ed25519KeyPair::from_seed_unchecked(&seed));
    let no_key = || io::Error::other("receipt.key does not hold a key of 32 bytes");
    key.and_then(Result::ok).ok_or_else(no_key)
}

fn ids(dir: &Path, end: &str) -> io::Result<Vec<String>> {
    let mut ids = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let id = name.to_str().and_then(|name| name.split_once('.'));
        ids.extend(id.filter(|id| id.1 == end).map(|id| id.0.to_owned()));
    }
    ids.sort_unstable();
    Ok(ids)
}

fn read(path: &Path) -> io::Result<Receipt> {
    if fs::metadata(path)?.len() > RECEIPT_BYTES_MAX {
        return Err(ErrorKind::InvalidData.into());
    }
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

fn list(dir: &Path) -> io::Result<Vec<Receipt>> {
    let mut receipts = Vec::new();
    for id in ids(dir, "json")? {
        match read(&dir.join(format!("{id}.json"))) {
            Ok(receipt) => receipts.push(receipt),
            Err(error) => tracing::error!(id, %error, "a receipt of an erasure cannot be read"),
        }
    }
    Ok(receipts)
}

/// The files of the receipts below a data directory, by their names below it.
///
/// # Errors
/// Where the folder cannot be read.
pub fn receipt_files(data: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder(data)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let name = name.to_str().filter(|name| !name.ends_with(".tmp"));
        names.extend(name.map(|name| format!("{FOLDER}/{RECEIPTS}/{name}")));
    }
    names.sort_unstable();
    Ok(names)
}

/// Whether a file of this name, below a data directory, may be one of a receipt.
pub(crate) fn is_receipt_file(name: &str) -> bool {
    let name = name
        .strip_prefix(FOLDER)
        .and_then(|name| name.strip_prefix('/'));
    let name = name
        .and_then(|name| name.strip_prefix(RECEIPTS))
        .and_then(|name| name.strip_prefix('/'));
    let parts = name.and_then(|name| name.split_once('.'));
    parts.is_some_and(|(id, end)| is_id(id) && matches!(end, "json" | "offsets"))
}

fn is_id(id: &str) -> bool {
    id.strip_prefix("era_")
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// What is wrong with the receipts of a data directory, below it, and whether the key that signs them is there: without it each
/// is taken by the key that it names.
///
/// # Errors
/// Where the folder cannot be read.
pub fn check_receipts(data: &Path) -> io::Result<(Vec<String>, bool)> {
    let key = key_of(data).ok();
    let key = key.map(|key| hex(key.public_key().as_ref()));
    let mut wrong = Vec::new();
    for name in receipt_files(data)?
        .iter()
        .filter(|name| name.ends_with(".json"))
    {
        let what = match read(&data.join(name)) {
            Err(_) => "it cannot be read",
            Ok(receipt) if !receipt.is_signed(key.as_deref()) => "its signature is wrong",
            Ok(_) => continue,
        };
        wrong.push(format!("{name}: {what}"));
    }
    Ok((wrong, key.is_some()))
}

/// What the signed receipts of a data directory say that its rewritten segments hold: first event to SHA-256 in hex. By
/// the key of the directory; by the key each names where that is not there.
///
/// A segment that was written anew more than once has a row in each receipt, from what it was to what it became; what it is
/// stands at the end of that chain. While an erasure is under way its last file may not be replaced yet.
pub(super) fn vouched(data: &Path) -> BTreeMap<u64, BTreeSet<String>> {
    let key = key_of(data).ok();
    let key = key.map(|key| hex(key.public_key().as_ref()));
    let mut receipts = list(&folder(data)).unwrap_or_default();
    receipts.retain(|receipt| receipt.is_signed(key.as_deref()));
    let rows = || receipts.iter().flat_map(|receipt| &receipt.segments);
    let replaced: BTreeSet<(u64, &str)> = rows()
        .map(|row| (row.segment.0, row.before.as_str()))
        .collect();
    let mut vouched: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
    for row in rows().filter(|row| !replaced.contains(&(row.segment.0, row.after.as_str()))) {
        vouched
            .entry(row.segment.0)
            .or_default()
            .insert(row.after.clone());
    }
    let open = receipts
        .iter()
        .filter(|receipt| receipt.state == Progress::UnderWay);
    for row in open.flat_map(|receipt| &receipt.segments) {
        vouched
            .entry(row.segment.0)
            .or_default()
            .insert(row.before.clone());
    }
    vouched
}
