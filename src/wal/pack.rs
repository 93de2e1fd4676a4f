//! Packing frames for the disk, and unpacking them.

use std::io;
use std::sync::Arc;

use super::cipher::{Cipher, SEAL_BYTES};
use super::frame::{Frame, Hash, Header, KIND_SEALED, KIND_ZSTD, built, checksum, whole};

/// Unpacks frames; keeps the memory of zstd from one to the next, which costs more than a frame.
#[derive(Default)]
pub(super) struct Unpacker {
    zstd: Option<zstd::bulk::Decompressor<'static>>,
    cipher: Option<Arc<Cipher>>,
}

impl std::fmt::Debug for Unpacker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Unpacker")
    }
}

impl Unpacker {
    pub(super) fn new(cipher: Option<Arc<Cipher>>) -> Self {
        Self { zstd: None, cipher }
    }

    /// Unpacks the frame at the start of `bytes`; `None` where anything about it is wrong.
    pub(super) fn unpack(&mut self, bytes: &[u8]) -> Option<Frame> {
        let (header, frame) = whole(bytes)?;
        let stored = frame.get(header.bytes()..)?;
        let raw_len = usize::try_from(header.raw_len).ok()?;
        let opened;
        let packed = match header.is_sealed() {
            true => {
                let mut bare = header;
                bare.crc = 0;
                opened = self.cipher.as_ref()?.unseal(&bare.encode(), stored)?;
                opened.as_slice()
            }
            false => stored,
        };
        let raw = match header.kind & KIND_ZSTD {
            KIND_ZSTD => self.inflate(packed, raw_len)?,
            _ => packed.to_vec(),
        };
        built(&header, raw, raw_len)
    }

    fn inflate(&mut self, stored: &[u8], raw_len: usize) -> Option<Vec<u8>> {
        if self.zstd.is_none() {
            self.zstd = zstd::bulk::Decompressor::new().ok();
        }
        self.zstd.as_mut()?.decompress(stored, raw_len).ok()
    }
}

/// [`Unpacker::unpack`] for one frame.
pub(super) fn unpack(bytes: &[u8]) -> Option<Frame> {
    Unpacker::default().unpack(bytes)
}

/// Packs frames one behind the other, each linked to the one before.
pub(super) struct Packer {
    zstd: Option<zstd::bulk::Compressor<'static>>,
    scratch: Vec<u8>,
    seal: Option<(Arc<Cipher>, u32)>,
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.debug_struct("Packer").finish_non_exhaustive()
    }
}

impl Packer {
    pub(super) fn new(level: i32) -> Self {
        let zstd = zstd::bulk::Compressor::new(level).ok();
        Self {
            zstd,
            scratch: Vec::new(),
            seal: None,
        }
    }

    /// Seals what it packs with this key, or not at all.
    pub(super) fn seal_with(&mut self, cipher: &Option<Arc<Cipher>>, key: Option<u32>) {
        self.seal = cipher.clone().zip(key);
    }

    /// Puts the frame behind `to`; returns its link.
    ///
    /// # Errors
    /// Where it cannot be sealed; then nothing is put there.
    pub(super) fn pack(&mut self, frame: &Frame, prev: Hash, to: &mut Vec<u8>) -> io::Result<Hash> {
        self.put(frame.parts(prev, None), to)
    }

    /// The same for a frame out of which events were erased, and what its hash was before.
    pub(super) fn pack_erased(
        &mut self,
        frame: &Frame,
        prev: Hash,
        was: Hash,
        to: &mut Vec<u8>,
    ) -> io::Result<Hash> {
        self.put(frame.parts(prev, Some(was)), to)
    }

    fn put(&mut self, (mut header, raw): (Header, &[u8]), to: &mut Vec<u8>) -> io::Result<Hash> {
        self.scratch.clear();
        self.scratch
            .reserve(zstd::zstd_safe::compress_bound(raw.len()));
        let is_packed = self
            .zstd
            .as_mut()
            .and_then(|zstd| zstd.compress_to_buffer(raw, &mut self.scratch).ok())
            .is_some_and(|length| length < raw.len());
        let mut stored = raw;
        if is_packed {
            stored = self.scratch.as_slice();
            header.kind = KIND_ZSTD;
        }
        let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        header.stored_len = length(stored.len());
        let sealed;
        if let Some((cipher, key)) = &self.seal {
            header.kind += KIND_SEALED;
            header.stored_len = length(stored.len() + SEAL_BYTES);
            let no_seal = || io::Error::other("a frame could not be encrypted");
            sealed = cipher
                .seal(*key, &header.encode(), stored)
                .ok_or_else(no_seal)?;
            stored = sealed.as_slice();
        }
        let crc = checksum(&header.encode()).unwrap_or_default();
        header.crc = crc32c::crc32c_append(crc, stored);
        let start = to.len();
        to.extend_from_slice(&header.encode());
        to.extend_from_slice(stored);
        Ok(header.link(to.get(start..).unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::frame::{Builder, CRC_AT, HEADER_BYTES, MAGIC};
    use super::*;
    use crate::model::{Offset, Timestamp};

    fn packed(records: &[&[u8]]) -> (Frame, Vec<u8>) {
        let mut builder = Builder::default();
        for record in records {
            builder.push(record);
        }
        let frame = builder.take(7, Timestamp(0x0102_0304_0506_0708));
        let mut bytes = Vec::new();
        Packer::new(1).pack(&frame, [0xAB; 32], &mut bytes).unwrap();
        (frame, bytes)
    }

    /// Logs of this version are on people's disks: these bytes must be read forever.
    #[test]
    fn version_1_reads_as_it_was_written() {
        let (_, bytes) = packed(&[b"one", b"", b"three"]);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let written = concat!(
            "f7574cfe0100480007000000000000000300000014000000140000009a9eb6030807060504030201",
            "abababababababababababababababababababababababababababababababab",
            "0300000003000000080000006f6e657468726565",
        );
        assert_eq!(hex, written);
    }

    #[test]
    fn records_come_back() {
        let long = vec![b'x'; 100_000];
        let (frame, bytes) = packed(&[b"one", b"", &long, b"four"]);
        assert!(bytes.len() < 1000, "compressed: {}", bytes.len());
        let back = unpack(&bytes).unwrap();
        assert_eq!(
            (back.first(), back.end(), back.len()),
            (Offset(7), Offset(11), 4)
        );
        assert!(back.iter().eq(frame.iter()));
        assert_eq!(back.record(Offset(8)), None, "empty is erased");
        assert_eq!(back.record(Offset(10)), Some(&b"four"[..]));
        assert_eq!(
            (back.record(Offset(6)), back.record(Offset(11))),
            (None, None)
        );
        let view = back.starting_at(Offset(9));
        assert_eq!(
            (view.first(), view.len(), view.record(Offset(8))),
            (Offset(9), 2, None)
        );
    }

    #[test]
    fn an_erased_frame_keeps_its_place_and_its_link() {
        let (frame, bytes) = packed(&[b"one", b"two", b"three"]);
        let (header, _) = whole(&bytes).unwrap();
        let was = header.link(&bytes);
        let rest = frame.without(|offset| offset == Offset(8));
        let mut erased = Vec::new();
        let link = Packer::new(1)
            .pack_erased(&rest, header.prev, was, &mut erased)
            .unwrap();
        assert_eq!(link, was);
        let (again, frame) = whole(&erased).unwrap();
        assert_eq!((again.prev, again.link(frame)), (header.prev, was));
        let back = unpack(&erased).unwrap();
        assert_eq!((back.first(), back.end()), (Offset(7), Offset(10)));
        let left: Vec<_> = back.iter().collect();
        assert_eq!(left, [(Offset(7), &b"one"[..]), (Offset(9), &b"three"[..])]);
        assert!(memchr::memmem::find(&erased, b"two").is_none());
    }

    /// Logs of this version are on people's disks: these bytes must be read forever.
    #[test]
    fn version_2_reads_as_it_was_written() {
        let (frame, _) = packed(&[b"one", b"two"]);
        let mut bytes = Vec::new();
        let rest = frame.without(|offset| offset == Offset(7));
        Packer::new(1)
            .pack_erased(&rest, [0xAB; 32], [0xCD; 32], &mut bytes)
            .unwrap();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let (prev, was) = ("ab".repeat(32), "cd".repeat(32));
        let written = format!(
            "f7574cfe020068000700000000000000020000000b0000000b00000074aff50e0807060504030201{prev}{was}000000000300000074776f"
        );
        assert_eq!(hex, written);
    }

    #[test]
    fn a_sealed_frame_opens_with_its_key_alone_and_in_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let cipher = |name: &str| {
            let path = dir.path().join(name);
            crate::files::keys::read_or_create(&path).unwrap();
            Some(Arc::new(Cipher::open(&path).unwrap()))
        };
        let (ours, other) = (cipher("a"), cipher("b"));
        let secret = b"a text that stands here and nowhere else".repeat(40);
        let (frame, _) = packed(&[&secret, b"short"]);
        let mut packer = Packer::new(1);
        packer.seal_with(&ours, Some(ours.as_ref().unwrap().current()));
        let mut bytes = Vec::new();
        packer.pack(&frame, [0xAB; 32], &mut bytes).unwrap();
        assert!(memchr::memmem::find(&bytes, b"nowhere").is_none());
        let back = Unpacker::new(ours.clone()).unpack(&bytes).unwrap();
        assert!(back.iter().eq(frame.iter()));
        assert!(unpack(&bytes).is_none() && Unpacker::new(other.clone()).unpack(&bytes).is_none());
        // The same payload under another header, with a right checksum.
        let mut moved = bytes.clone();
        moved[8] = 9;
        moved[CRC_AT..CRC_AT + 4].fill(0);
        let crc = checksum(&moved).unwrap();
        moved[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
        assert!(whole(&moved).is_some() && Unpacker::new(ours).unpack(&moved).is_none());
        // Without its key nothing is written at all.
        packer.seal_with(&other, Some(7));
        let length = bytes.len();
        assert!(packer.pack(&frame, [0xAB; 32], &mut bytes).is_err());
        assert_eq!(bytes.len(), length);
    }

    proptest! {
        #[test]
        fn no_bytes_at_all_make_it_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200), right in any::<bool>()) {
            if right && bytes.len() >= HEADER_BYTES {
                // A header that makes sense and the checksum to go with it, before bytes that do
                // not.
                let stored = u32::try_from(bytes.len() - HEADER_BYTES).unwrap();
                let kind = bytes[5] % 2;
                bytes[..8].copy_from_slice(&[MAGIC[0], MAGIC[1], MAGIC[2], MAGIC[3], 1, kind, 72, 0]);
                bytes[16..20].copy_from_slice(&1u32.to_le_bytes());
                bytes[20..24].copy_from_slice(&stored.max(4).to_le_bytes());
                bytes[24..28].copy_from_slice(&stored.to_le_bytes());
                let crc = checksum(&bytes).unwrap();
                bytes[28..32].copy_from_slice(&crc.to_le_bytes());
            }
            if let Some(frame) = unpack(&bytes) {
                prop_assert!(frame.iter().count() <= frame.len());
            }
        }
    }
}
