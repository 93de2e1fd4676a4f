//! The container: a ZIP file that every system opens, in one of its many forms only.
//!
//! Nothing is compressed (frames are already), every entry has the same time (1 January 1980, the first the format
//! knows; the manifest has the real one), and names, lengths and checksums stand in front of the bytes. So there is
//! exactly one file for the same contents: what [`read`] takes is, to the last byte, what [`Writer`] makes of it. A
//! listing that tells something else than the entries, bytes between them, and archives that unpack to more than they
//! are have no place in it.

use std::io::{self, Seek, SeekFrom, Write};

use aws_lc_rs::digest;
use flate2::Crc;

use super::{Entry, Error};
use crate::model::hex;

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const LOCAL_BYTES: usize = 30;
/// Version 2.0 of the format, as made on Unix.
const VERSION: u16 = 20;
const UNIX: u16 = 3 << 8;
/// 1 January 1980.
const DATE: u16 = 0x0021;
/// A regular file that its owner may read and write.
const MODE: u32 = 0o100_600 << 16;
/// Most entries: their number has 16 bits.
pub(super) const ENTRIES_MAX: usize = 65_000;

/// One entry as the format tells it.
#[derive(Clone, Debug)]
struct Place {
    name: String,
    crc: u32,
    bytes: u32,
    at: u32,
}

impl Place {
    /// What local and central header have in common: from the flags to the length of the extra field.
    fn shared(&self) -> Vec<u8> {
        let name = u16::try_from(self.name.len()).unwrap_or(u16::MAX);
        let mut head = Vec::with_capacity(LOCAL_BYTES);
        // Needed version, flags, method (stored), time, date.
        for word in [VERSION, 0, 0, 0, DATE] {
            head.extend_from_slice(&word.to_le_bytes());
        }
        for word in [self.crc, self.bytes, self.bytes] {
            head.extend_from_slice(&word.to_le_bytes());
        }
        head.extend_from_slice(&name.to_le_bytes());
        head.extend_from_slice(&0u16.to_le_bytes());
        head
    }

    fn local(&self) -> Vec<u8> {
        let mut head = LOCAL.to_le_bytes().to_vec();
        head.extend(self.shared());
        head.extend_from_slice(self.name.as_bytes());
        head
    }

    fn central(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&CENTRAL.to_le_bytes());
        to.extend_from_slice(&(UNIX | VERSION).to_le_bytes());
        to.extend(self.shared());
        // Comment, disk, kind of content.
        to.extend_from_slice(&[0; 6]);
        to.extend_from_slice(&MODE.to_le_bytes());
        to.extend_from_slice(&self.at.to_le_bytes());
        to.extend_from_slice(self.name.as_bytes());
    }
}

/// The listing at the end of a file whose entries end at `at`.
fn listing(places: &[Place], at: u32) -> Vec<u8> {
    let mut text = Vec::new();
    for place in places {
        place.central(&mut text);
    }
    let count = u16::try_from(places.len()).unwrap_or(u16::MAX);
    let bytes = u32::try_from(text.len()).unwrap_or(u32::MAX);
    text.extend_from_slice(&END.to_le_bytes());
    for word in [0, 0, count, count] {
        text.extend_from_slice(&word.to_le_bytes());
    }
    text.extend_from_slice(&bytes.to_le_bytes());
    text.extend_from_slice(&at.to_le_bytes());
    text.extend_from_slice(&0u16.to_le_bytes());
    text
}

/// The entry being written.
struct Open {
    name: String,
    at: u64,
    crc: Crc,
    sum: digest::Context,
    bytes: u64,
}

/// An archive in the making, never longer than it may be.
pub(super) struct Writer<W> {
    out: W,
    at: u64,
    bytes_max: u64,
    places: Vec<Place>,
    open: Option<Open>,
}

impl<W: Write + Seek> Writer<W> {
    pub(super) fn new(out: W, bytes_max: u64) -> Self {
        Self {
            out,
            at: 0,
            bytes_max: bytes_max.min(super::PACK_BYTES_MAX),
            places: Vec::new(),
            open: None,
        }
    }

    /// Begins an entry whose bytes come with [`Writer::put`].
    pub(super) fn begin(&mut self, name: &str) -> Result<(), Error> {
        if self.places.len() >= ENTRIES_MAX {
            return Err(Error::TooLarge(self.bytes_max));
        }
        self.open = Some(Open {
            name: name.to_owned(),
            at: self.at,
            crc: Crc::new(),
            sum: digest::Context::new(&digest::SHA256),
            bytes: 0,
        });
        let head = place(name, 0, 0, self.at).local();
        self.write(&head)
    }

    /// Adds bytes to the entry.
    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if let Some(open) = &mut self.open {
            open.crc.update(bytes);
            open.sum.update(bytes);
            open.bytes = open.bytes.saturating_add(bytes.len() as u64);
        }
        self.write(bytes)
    }

    /// Ends the entry and says what is in it.
    pub(super) fn end(&mut self) -> Result<Entry, Error> {
        let Some(open) = self.open.take() else {
            return Err(io::Error::other("no entry is open").into());
        };
        let place = place(&open.name, open.crc.sum(), open.bytes, open.at);
        self.out.seek(SeekFrom::Start(open.at))?;
        self.out.write_all(&place.local())?;
        self.out.seek(SeekFrom::Start(self.at))?;
        self.places.push(place);
        Ok(Entry {
            path: open.name,
            bytes: open.bytes,
            sha256: hex(open.sum.finish().as_ref()),
        })
    }

    /// An entry at once.
    pub(super) fn add(&mut self, name: &str, bytes: &[u8]) -> Result<Entry, Error> {
        self.begin(name)?;
        self.put(bytes)?;
        self.end()
    }

    /// Ends the archive; how long it is.
    pub(super) fn finish(mut self) -> Result<(W, u64), Error> {
        let at = u32::try_from(self.at).unwrap_or(u32::MAX);
        let listing = listing(&self.places, at);
        self.write(&listing)?;
        self.out.flush()?;
        Ok((self.out, self.at))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let end = self.at.saturating_add(bytes.len() as u64);
        if end > self.bytes_max {
            return Err(Error::TooLarge(self.bytes_max));
        }
        self.out.write_all(bytes)?;
        self.at = end;
        Ok(())
    }
}

/// All numbers fit: an archive is shorter than 4 GiB.
fn place(name: &str, crc: u32, bytes: u64, at: u64) -> Place {
    Place {
        name: name.to_owned(),
        crc,
        bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
        at: u32::try_from(at).unwrap_or(u32::MAX),
    }
}

/// The number of 16 or 32 bits at a place.
fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<u32> {
    let part = bytes.get(at..)?.first_chunk::<N>()?;
    let mut wide = [0; 4];
    for (to, from) in wide.iter_mut().zip(part) {
        *to = *from;
    }
    Some(u32::from_le_bytes(wide))
}

/// The entry at a place and where it ends; `None` where it is not one of [`Writer`].
fn entry(bytes: &[u8], at: usize) -> Option<(Place, &[u8], usize)> {
    let rest = bytes.get(at..)?;
    let size = |at: usize| usize::try_from(number::<4>(rest, at)?).ok();
    let length = usize::try_from(number::<2>(rest, 26)?).ok()?;
    let name = rest.get(LOCAL_BYTES..LOCAL_BYTES.checked_add(length)?)?;
    let place = Place {
        name: std::str::from_utf8(name).ok()?.to_owned(),
        crc: number::<4>(rest, 14)?,
        bytes: number::<4>(rest, 22)?,
        at: u32::try_from(at).ok()?,
    };
    let head = place.local();
    let body = rest.strip_prefix(head.as_slice())?.get(..size(22)?)?;
    let end = at.checked_add(head.len())?.checked_add(body.len())?;
    Some((place, body, end))
}

/// The entries of an archive, in order.
///
/// # Errors
/// [`Error::Wrong`] where a byte of it is not as [`Writer`] writes it; names are those of `is_ours`.
pub(super) fn read(
    bytes: &[u8],
    is_ours: impl Fn(&str) -> bool,
) -> Result<Vec<(String, &[u8])>, Error> {
    let (mut places, mut entries) = (Vec::new(), Vec::new());
    let mut at = 0;
    while number::<4>(bytes, at) == Some(LOCAL) {
        let Some((place, body, end)) = entry(bytes, at) else {
            let behind = places
                .last()
                .map_or("the first file", |place: &Place| &place.name);
            return Err(Error::wrong(
                behind,
                "what stands there or behind it is no file of a pack",
            ));
        };
        if !is_ours(&place.name) {
            return Err(Error::wrong(
                "the pack",
                "it holds what does not belong into it",
            ));
        }
        let mut crc = Crc::new();
        crc.update(body);
        if crc.sum() != place.crc {
            return Err(Error::wrong(
                &place.name,
                "its bytes are not those that were packed",
            ));
        }
        entries.push((place.name.clone(), body));
        places.push(place);
        at = end;
    }
    if entries.is_empty() {
        return Err(Error::wrong("the pack", "it is none"));
    }
    let end = u32::try_from(at).unwrap_or(u32::MAX);
    if bytes.get(at..) != Some(listing(&places, end).as_slice()) {
        let text = "the listing at its end is cut short or does not fit the files";
        return Err(Error::wrong("the pack", text));
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn packed(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = Writer::new(Cursor::new(Vec::new()), 1 << 20);
        for (name, bytes) in files {
            writer.add(name, bytes).unwrap();
        }
        writer.finish().unwrap().0.into_inner()
    }

    #[test]
    fn there_is_one_file_for_the_same_contents() {
        let files: [(&str, &[u8]); 3] = [("a.json", b"{}"), ("empty", b""), ("b", b"PK\x03\x04")];
        let bytes = packed(&files);
        let back = read(&bytes, |_| true).unwrap();
        assert_eq!(back.len(), 3);
        for ((name, text), (back, read)) in files.iter().zip(&back) {
            assert_eq!((*name, *text), (back.as_str(), *read));
        }
        for at in 0..bytes.len() {
            for bit in [1, 0x80] {
                let mut changed = bytes.clone();
                changed[at] ^= bit;
                // Another name is for the manifest to see.
                let is_same = |entries: Vec<(String, &[u8])>| {
                    entries
                        .iter()
                        .map(|(name, _)| name)
                        .eq(back.iter().map(|(name, _)| name))
                };
                assert!(!read(&changed, |_| true).is_ok_and(is_same), "byte {at}");
            }
        }
        for cut in 0..bytes.len() {
            assert!(read(&bytes[..cut], |_| true).is_err(), "cut at {cut}");
        }
        assert!(read(&[bytes.as_slice(), b"x"].concat(), |_| true).is_err());
    }

    #[test]
    fn nothing_is_written_beyond_the_bound() {
        let mut writer = Writer::new(Cursor::new(Vec::new()), 100);
        assert!(matches!(
            writer.add("a", &[0; 100]),
            Err(Error::TooLarge(100))
        ));
    }
}
