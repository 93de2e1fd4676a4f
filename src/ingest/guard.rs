//! Bodies as they arrive, decompressed piece by piece under a cap. Pure.
//!
//! Clients lie about `Content-Encoding` (some send zlib and say `gzip,deflate`), so the first bytes decide
//! where a header says "compressed", and a gzip or zstd magic is believed without a header too.

use std::io::{self, Write};

use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation, OutBuffer};

/// Largest window a zstd frame may ask memory for: 16 MiB, twice what level 19 uses.
const ZSTD_WINDOW_LOG_MAX: u32 = 24;
/// Output of zstd is taken in pieces of this size.
const PIECE: usize = 64 * 1024;
const MAGIC_BYTES: usize = 4;
const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// What a body is declared to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Declared {
    /// No encoding, or `identity`.
    Plain,
    /// At least one of gzip, zstd, deflate.
    Compressed,
}

impl Declared {
    /// Reads a `Content-Encoding`; `None` where it names one that is not known, or several layers.
    #[must_use]
    pub(super) fn from_header(text: &str) -> Option<Self> {
        let mut names = Vec::new();
        for name in text.split(',') {
            let name = name.trim().to_ascii_lowercase();
            match name.as_str() {
                "" | "identity" => continue,
                "gzip" | "x-gzip" | "zstd" | "deflate" => {}
                _ => return None,
            }
            names.push(name);
        }
        match names.as_slice() {
            [] => Some(Self::Plain),
            [_one] => Some(Self::Compressed),
            // What some clients send that pack once and mean "one of these".
            [first, second] if first == "gzip" && second == "deflate" => Some(Self::Compressed),
            _ => None,
        }
    }
}

/// Why a body cannot be decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Longer than the cap.
    TooLarge,
    /// Damaged or cut short; the text says which.
    Corrupt(&'static str),
    /// What was unpacked is compressed itself.
    Nested,
}

/// A body on its way in.
#[derive(Debug)]
pub(super) struct Inflate {
    declared: Declared,
    coding: Coding,
}

enum Coding {
    /// Not enough bytes yet to tell.
    Open(Vec<u8>, Capped),
    Plain(Capped),
    Gzip(Box<MultiGzDecoder<Capped>>),
    Zlib(Box<ZlibDecoder<Capped>>),
    Deflate(Box<DeflateDecoder<Capped>>),
    Zstd(Box<Zstd>),
    /// Failed before; nothing more is taken.
    Spent,
}

impl std::fmt::Debug for Coding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Open(..) => "open",
            Self::Plain(_) => "plain",
            Self::Gzip(_) => "gzip",
            Self::Zlib(_) => "zlib",
            Self::Deflate(_) => "deflate",
            Self::Zstd(_) => "zstd",
            Self::Spent => "spent",
        })
    }
}

impl Inflate {
    /// An empty body, of which at most `bytes_max` will be kept; room is made for `expected` bytes.
    #[must_use]
    pub(super) fn new(declared: Declared, expected: usize, bytes_max: usize) -> Self {
        let sink = Capped {
            bytes: Vec::with_capacity(expected.min(bytes_max)),
            bytes_max,
            is_over: false,
        };
        Self {
            declared,
            coding: Coding::Open(Vec::new(), sink),
        }
    }

    /// Bytes of memory held by what was decompressed so far.
    #[must_use]
    pub(super) fn held(&self) -> usize {
        self.sink().map_or(0, |sink| sink.bytes.capacity())
    }

    fn sink(&self) -> Option<&Capped> {
        Some(match &self.coding {
            Coding::Open(_, sink) | Coding::Plain(sink) => sink,
            Coding::Gzip(decoder) => decoder.get_ref(),
            Coding::Zlib(decoder) => decoder.get_ref(),
            Coding::Deflate(decoder) => decoder.get_ref(),
            Coding::Zstd(decoder) => &decoder.sink,
            Coding::Spent => return None,
        })
    }

    /// Takes the next bytes of the body.
    ///
    /// # Errors
    /// See [`Failure`]; the body is of no use then.
    pub(super) fn push(&mut self, chunk: &[u8]) -> Result<(), Failure> {
        let taken = match &mut self.coding {
            Coding::Open(head, _) => {
                head.extend_from_slice(chunk);
                if head.len() < MAGIC_BYTES {
                    return Ok(());
                }
                return self.decide();
            }
            Coding::Plain(sink) => sink.write_all(chunk),
            Coding::Gzip(decoder) => decoder.write_all(chunk),
            Coding::Zlib(decoder) => decoder.write_all(chunk),
            Coding::Deflate(decoder) => decoder.write_all(chunk),
            Coding::Zstd(decoder) => decoder.push(chunk),
            Coding::Spent => return Err(Failure::Corrupt("the body failed before")),
        };
        taken.map_err(|_error| self.failure("the compressed body is damaged"))
    }

    fn failure(&mut self, what: &'static str) -> Failure {
        let is_over = self.sink().is_some_and(|sink| sink.is_over);
        self.coding = Coding::Spent;
        if is_over {
            Failure::TooLarge
        } else {
            Failure::Corrupt(what)
        }
    }

    /// Chooses by the first bytes, then takes these.
    fn decide(&mut self) -> Result<(), Failure> {
        let Coding::Open(head, sink) = std::mem::replace(&mut self.coding, Coding::Spent) else {
            return Ok(());
        };
        let is_compressed = self.declared == Declared::Compressed;
        self.coding = match head.as_slice() {
            head if head.starts_with(GZIP) => Coding::Gzip(Box::new(MultiGzDecoder::new(sink))),
            head if head.starts_with(ZSTD) => Coding::Zstd(Box::new(Zstd::new(sink)?)),
            [a, b, ..] if is_compressed && is_zlib(*a, *b) => {
                Coding::Zlib(Box::new(ZlibDecoder::new(sink)))
            }
            [] => Coding::Plain(sink),
            _ if is_compressed => Coding::Deflate(Box::new(DeflateDecoder::new(sink))),
            _ => Coding::Plain(sink),
        };
        self.push(&head)
    }

    /// The whole body.
    ///
    /// # Errors
    /// [`Failure::Corrupt`] where the compressed body stops in its middle, [`Failure::Nested`] where it is
    /// compressed more than once.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, Failure> {
        if matches!(self.coding, Coding::Open(..)) {
            self.decide()?;
        }
        const CUT: &str = "the compressed body is cut short or damaged";
        let ended = match &mut self.coding {
            Coding::Gzip(decoder) => decoder.try_finish(),
            Coding::Zlib(decoder) => decoder.try_finish(),
            Coding::Deflate(decoder) => decoder.try_finish(),
            Coding::Zstd(decoder) if !decoder.is_between_frames => {
                Err(io::ErrorKind::UnexpectedEof.into())
            }
            _ => Ok(()),
        };
        ended.map_err(|_error| self.failure(CUT))?;
        let sink = match self.coding {
            Coding::Open(_, sink) | Coding::Plain(sink) => return Ok(sink.bytes),
            Coding::Gzip(decoder) => decoder.finish(),
            Coding::Zlib(decoder) => decoder.finish(),
            Coding::Deflate(decoder) => decoder.finish(),
            Coding::Zstd(decoder) => Ok(decoder.sink),
            Coding::Spent => Err(io::ErrorKind::UnexpectedEof.into()),
        };
        let bytes = sink.map_err(|_error| Failure::Corrupt(CUT))?.bytes;
        // Packed twice: taken as it is, it would be one event of noise, and its sender none the wiser.
        if bytes.starts_with(GZIP) || bytes.starts_with(ZSTD) {
            return Err(Failure::Nested);
        }
        Ok(bytes)
    }
}

/// RFC 1950: method 8, window up to 32 KiB, and a header divisible by 31.
fn is_zlib(first: u8, second: u8) -> bool {
    let header = u16::from_be_bytes([first, second]);
    first & 0x0f == 8 && first >> 4 <= 7 && header.is_multiple_of(31)
}

/// Memory up to a cap.
#[derive(Debug)]
struct Capped {
    bytes: Vec<u8>,
    bytes_max: usize,
    is_over: bool,
}

impl Write for Capped {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if piece.len() > self.bytes_max.saturating_sub(self.bytes.len()) {
            self.is_over = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let wanted = self.bytes.len().saturating_add(piece.len());
        if wanted > self.bytes.capacity() {
            // Doubling, but never beyond the cap: the room of all bodies is counted by it.
            let capacity = wanted.max(self.bytes.capacity().saturating_mul(2));
            let capacity = capacity.min(self.bytes_max);
            self.bytes
                .reserve_exact(capacity.saturating_sub(self.bytes.len()));
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The library's own writer does not say whether the last frame was complete.
struct Zstd {
    decoder: Decoder<'static>,
    sink: Capped,
    piece: Vec<u8>,
    is_between_frames: bool,
}

impl Zstd {
    fn new(sink: Capped) -> Result<Self, Failure> {
        let set_up = || {
            let mut decoder = Decoder::new()?;
            decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX))?;
            Ok::<_, io::Error>(decoder)
        };
        Ok(Self {
            decoder: set_up().map_err(|_error| Failure::Corrupt("zstd cannot be read now"))?,
            sink,
            piece: vec![0; PIECE],
            is_between_frames: false,
        })
    }

    fn push(&mut self, chunk: &[u8]) -> io::Result<()> {
        let mut input = InBuffer::around(chunk);
        loop {
            let before = input.pos();
            let mut output = OutBuffer::around(self.piece.as_mut_slice());
            let hint = self.decoder.run(&mut input, &mut output)?;
            let written = output.as_slice().len();
            self.is_between_frames = hint == 0;
            self.sink
                .write_all(self.piece.get(..written).unwrap_or_default())?;
            let is_stuck = input.pos() == before && written == 0;
            let is_drained = input.pos() == chunk.len() && written < PIECE;
            if is_drained || is_stuck {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use proptest::prelude::*;

    use super::*;

    const MAX: usize = 1 << 20;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = flate2::read::GzEncoder::new(text, flate2::Compression::default());
        encoder.read_to_end(&mut bytes).unwrap();
        bytes
    }

    fn zlib(text: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = flate2::read::ZlibEncoder::new(text, flate2::Compression::default());
        encoder.read_to_end(&mut bytes).unwrap();
        bytes
    }

    fn deflate(text: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = flate2::read::DeflateEncoder::new(text, flate2::Compression::default());
        encoder.read_to_end(&mut bytes).unwrap();
        bytes
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        ::zstd::encode_all(text, 3).unwrap()
    }

    fn read(declared: Declared, body: &[u8], piece: usize, max: usize) -> Result<Vec<u8>, Failure> {
        let mut inflate = Inflate::new(declared, body.len(), max);
        for chunk in body.chunks(piece.max(1)) {
            inflate.push(chunk)?;
        }
        inflate.finish()
    }

    fn sample() -> Vec<u8> {
        let mut text = Vec::new();
        for n in 0..4_000u32 {
            text.extend_from_slice(
                format!("{{\"n\":{n},\"x\":{}}}\n", n.wrapping_mul(77_777)).as_bytes(),
            );
        }
        text
    }

    #[test]
    fn every_encoding_reads_back_in_pieces_of_any_size() {
        let text = sample();
        for piece in [1, 3, 1000, usize::MAX] {
            for body in [gzip(&text), zlib(&text), deflate(&text), zstd(&text)] {
                assert_eq!(read(Declared::Compressed, &body, piece, MAX).unwrap(), text);
            }
            assert_eq!(read(Declared::Plain, &text, piece, MAX).unwrap(), text);
            assert_eq!(
                read(Declared::Plain, &gzip(&text), piece, MAX).unwrap(),
                text
            );
            assert_eq!(
                read(Declared::Plain, &zstd(&text), piece, MAX).unwrap(),
                text
            );
        }
    }

    #[test]
    fn several_members_and_frames_are_one_body() {
        let twice = |packed: Vec<u8>| [packed.clone(), packed].concat();
        for body in [twice(gzip(b"ab\n")), twice(zstd(b"ab\n"))] {
            assert_eq!(
                read(Declared::Compressed, &body, 5, MAX).unwrap(),
                b"ab\nab\n"
            );
        }
    }

    #[test]
    fn a_body_cut_anywhere_is_refused() {
        let text = sample();
        for body in [gzip(&text), zlib(&text), zstd(&text)] {
            for cut in (1..body.len())
                .step_by(97)
                .chain([2, 3, 5, 11, body.len() - 1])
            {
                let cut = read(Declared::Compressed, &body[..cut], 512, MAX);
                assert!(matches!(cut, Err(Failure::Corrupt(_))), "{cut:?}");
            }
        }
    }

    #[test]
    fn what_is_packed_twice_is_refused() {
        let text = sample();
        for inner in [gzip(&text), zstd(&text)] {
            for body in [gzip(&inner), zlib(&inner), zstd(&inner)] {
                let refused = read(Declared::Compressed, &body, 512, MAX);
                assert_eq!(refused, Err(Failure::Nested));
            }
        }
    }

    #[test]
    fn no_more_memory_is_held_than_the_cap() {
        for piece in [1000, 5000, 8192] {
            let mut inflate = Inflate::new(Declared::Plain, 0, MAX);
            let refused = (0..).find_map(|_| inflate.push(&vec![b'a'; piece]).err());
            assert_eq!(refused, Some(Failure::TooLarge));
            let mut inflate = Inflate::new(Declared::Plain, 0, MAX);
            for _ in 0..MAX / piece {
                inflate.push(&vec![b'a'; piece]).unwrap();
                assert!(inflate.held() <= MAX, "{}", inflate.held());
            }
        }
    }

    #[test]
    fn a_bomb_is_stopped_at_the_cap() {
        let zeros = vec![0u8; 64 << 20];
        for body in [gzip(&zeros), zstd(&zeros)] {
            assert!(body.len() < 100_000);
            let stopped = read(Declared::Compressed, &body, 4096, MAX);
            assert_eq!(stopped, Err(Failure::TooLarge));
        }
        assert_eq!(
            read(Declared::Plain, &zeros, 4096, MAX),
            Err(Failure::TooLarge)
        );
    }

    #[test]
    fn what_is_called_compressed_and_is_not_is_refused() {
        for body in [
            &b"{\"a\":1}\n"[..],
            b"GET / HTTP/1.1\n",
            b"\xff\xff\xff\xff\xff",
        ] {
            let refused = read(Declared::Compressed, body, 9, MAX);
            assert!(matches!(refused, Err(Failure::Corrupt(_))), "{refused:?}");
        }
    }

    #[test]
    fn an_empty_body_is_empty() {
        assert_eq!(read(Declared::Compressed, b"", 1, MAX).unwrap(), b"");
        assert_eq!(read(Declared::Plain, b"ab", 1, MAX).unwrap(), b"ab");
    }

    #[test]
    fn encodings_are_known_by_name() {
        assert_eq!(
            Declared::from_header("GZIP, deflate"),
            Some(Declared::Compressed)
        );
        assert_eq!(Declared::from_header("identity"), Some(Declared::Plain));
        for odd in ["br", "gzip, gzip", "gzip,zstd", "deflate, gzip", "gzip, br"] {
            assert_eq!(Declared::from_header(odd), None, "{odd}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(body: Vec<u8>, magic in 0..5usize, piece in 1..40usize) {
            let starts: [&[u8]; 5] = [b"", b"\x1f\x8b\x08\0", b"\x28\xb5\x2f\xfd", b"\x78\x9c", b"{"];
            let body = [starts[magic], &body].concat();
            for declared in [Declared::Plain, Declared::Compressed] {
                if let Ok(text) = read(declared, &body, piece, 4096) {
                    prop_assert!(text.len() <= 4096);
                }
            }
        }
    }
}
