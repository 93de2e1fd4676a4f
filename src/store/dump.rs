//! All rows of a store as one stream, whichever engine holds them.
//!
//! Version 1: `WLR1`, then for each row `length of the table's name u8 · name · length of the key u32 LE · key · length of
//! the value u32 LE · value`, and a zero byte at the end.

use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use super::engine::{Batch, Direction, Engine, Kind, Range, Table};
use super::{Error, Store};
use crate::files;

const MAGIC: [u8; 4] = *b"WLR1";
/// Rows read at a time.
const PAGE: usize = 500;
/// Bytes of rows that are made durable together.
const BATCH_BYTES_MAX: usize = 8 << 20;
/// Longest key or value that is read.
const PART_BYTES_MAX: u32 = 1 << 30;

impl Store {
    /// Writes every row, all of one moment; returns how many.
    ///
    /// # Errors
    /// [`Error::Io`] where `out` fails.
    pub fn dump(&self, out: &mut impl Write) -> Result<u64, Error> {
        self.view(|tx| {
            let mut count = 0;
            out.write_all(&MAGIC)?;
            for table in Table::ALL {
                let mut range = Range::prefix(b"");
                loop {
                    let rows = tx.scan(*table, &range, Direction::Forward, PAGE)?;
                    for (key, value) in &rows {
                        let name = table.name().as_bytes();
                        out.write_all(&[u8::try_from(name.len()).unwrap_or(0)])?;
                        out.write_all(name)?;
                        write_part(out, key)?;
                        write_part(out, value)?;
                        count += 1;
                    }
                    match rows.last() {
                        Some((key, _)) if rows.len() == PAGE => range = range.after(key),
                        _ => break,
                    }
                }
            }
            out.write_all(&[0])?;
            Ok(count)
        })
    }
}

fn write_part(out: &mut impl Write, part: &[u8]) -> Result<(), Error> {
    let length = u32::try_from(part.len()).map_err(|_error| ErrorKind::FileTooLarge)?;
    out.write_all(&length.to_le_bytes())?;
    Ok(out.write_all(part)?)
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self::Io(kind.into())
    }
}

/// Makes a store of the rows of a dump below `dir`, where there is none yet; returns how many rows there are.
///
/// # Errors
/// [`Error::Io`] where the dump cannot be read or is none, [`Error::Full`] where `dir` has a store.
pub fn load(dir: &Path, kind: Kind, input: &mut impl Read) -> Result<u64, Error> {
    files::private_dir(dir)?;
    let engine = Engine::open(kind, dir)?;
    let mut magic = [0; 4];
    input.read_exact(&mut magic)?;
    if magic != MAGIC {
        return Err(ErrorKind::InvalidData.into());
    }
    let (mut batch, mut bytes, mut count) = (Batch::default(), 0, 0);
    while let Some(table) = read_table(input)? {
        let (key, value) = (read_part(input)?, read_part(input)?);
        bytes += key.len() + value.len();
        count += 1;
        batch.0.insert((table, key), Some(value));
        if bytes >= BATCH_BYTES_MAX {
            engine.commit(&std::mem::take(&mut batch))?;
            bytes = 0;
        }
    }
    engine.commit(&batch)?;
    Ok(count)
}

/// The table of the next row; `None` at the end.
fn read_table(input: &mut impl Read) -> Result<Option<Table>, Error> {
    let mut length = [0];
    input.read_exact(&mut length)?;
    if length == [0] {
        return Ok(None);
    }
    let mut name = vec![0; usize::from(length[0])];
    input.read_exact(&mut name)?;
    let table = Table::ALL
        .iter()
        .find(|table| table.name().as_bytes() == name);
    // Of a later version, which knows more than this one would keep.
    let unknown = || Error::Open("it holds a table of a later version".into());
    table.copied().map(Some).ok_or_else(unknown)
}

fn read_part(input: &mut impl Read) -> Result<Vec<u8>, Error> {
    let mut length = [0; 4];
    input.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length);
    if length > PART_BYTES_MAX {
        return Err(ErrorKind::InvalidData.into());
    }
    // What is announced takes memory only as it comes.
    let mut part = Vec::new();
    input.by_ref().take(length.into()).read_to_end(&mut part)?;
    if u32::try_from(part.len()) != Ok(length) {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(part)
}
