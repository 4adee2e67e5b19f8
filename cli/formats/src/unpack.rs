//! Streams that may be gzip archives, told by their first bytes.
//!
//! Members of an archive that follow one another are one stream. An archive that ends early, or whose check sum
//! differs, is an error of the stream. Nothing is unpacked in advance: memory holds the first bytes and the buffers.

use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::failure::Failure;
use crate::memory::reserve;
use crate::text::cannot_read;

/// First bytes of a gzip archive.
const GZIP: &[u8] = b"\x1f\x8b";

/// Number of first bytes by which a format is recognised. Comments before the first heading of a CIF fit in it.
const START_BYTES: u64 = 1 << 16;

/// Bytes read at a time.
const BUFFER_BYTES: usize = 1 << 16;

/// First bytes, and the stream after them.
type Replayed<R> = Chain<Cursor<Vec<u8>>, R>;

/// A stream, unpacked where it is a gzip archive.
#[derive(Debug)]
pub struct Unpacked<'a>(Replayed<BufReader<Stream<'a>>>);

impl<'a> Unpacked<'a> {
    /// Reads the first bytes of `input`; `path` is its name in error messages.
    ///
    /// # Errors
    /// The stream cannot be read, or is a damaged archive.
    pub fn new(mut input: &'a mut dyn Read, path: &Path) -> Result<Self, Failure> {
        let start = read_start(&mut input).map_err(|error| cannot_read(path, &error))?;
        if !start.starts_with(GZIP) {
            return Ok(Self::of(start, Stream::Plain(input)));
        }
        let mut stream = Stream::Gzip(Box::new(MultiGzDecoder::new(Cursor::new(start).chain(input))));
        let start = read_start(&mut stream).map_err(|error| cannot_read(path, &error))?;
        Ok(Self::of(start, stream))
    }

    fn of(start: Vec<u8>, stream: Stream<'a>) -> Self {
        Self(Cursor::new(start).chain(BufReader::with_capacity(BUFFER_BYTES, stream)))
    }

    /// The first bytes: all of a short stream, tens of thousands of a long one.
    #[must_use]
    pub fn start(&self) -> &[u8] {
        self.0.get_ref().0.get_ref()
    }

    /// Adds more of the stream to [`Unpacked::start`], before anything is read; returns whether there was more.
    pub(crate) fn look_ahead(&mut self) -> io::Result<bool> {
        let (start, stream) = self.0.get_mut();
        let more = stream.fill_buf()?;
        let start = start.get_mut();
        reserve(start, more.len().max(start.len())).ok_or(io::ErrorKind::OutOfMemory)?;
        start.extend_from_slice(more);
        let count = more.len();
        stream.consume(count);
        Ok(count > 0)
    }

    /// Reads an archive to its end, where its check sum is; leaves other streams alone.
    pub(crate) fn check_end(mut self, path: &Path) -> Result<(), Failure> {
        if matches!(self.0.get_ref().1.get_ref(), Stream::Plain(_)) {
            return Ok(());
        }
        io::copy(&mut self, &mut io::sink()).map(drop).map_err(|error| cannot_read(path, &error))
    }
}

impl Read for Unpacked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl BufRead for Unpacked<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.0.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.0.consume(amount);
    }
}

/// Where the bytes come from.
enum Stream<'a> {
    Plain(&'a mut dyn Read),
    Gzip(Box<MultiGzDecoder<Replayed<&'a mut dyn Read>>>),
}

impl core::fmt::Debug for Stream<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Plain",
            Self::Gzip(_) => "Gzip",
        })
    }
}

impl Read for Stream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(input) => input.read(buffer),
            Self::Gzip(input) => input.read(buffer).map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => {
                    io::Error::new(error.kind(), "the gzip archive ends before its end")
                }
                io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                    io::Error::new(error.kind(), format!("the gzip archive is damaged ({error})"))
                }
                _ => error,
            }),
        }
    }
}

fn read_start(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    input.take(START_BYTES).read_to_end(&mut start)?;
    Ok(start)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn unpacked(mut bytes: &[u8]) -> Result<Vec<u8>, String> {
        let path = Path::new("a.gz");
        let mut input = Unpacked::new(&mut bytes, path).map_err(|failure| failure.to_string())?;
        let mut text = Vec::new();
        input.read_to_end(&mut text).map_err(|error| cannot_read(path, &error).to_string())?;
        Ok(text)
    }

    #[test]
    fn archives_of_any_number_of_members_and_other_streams_are_read() {
        let long: Vec<u8> =
            (0..300_000_u32).flat_map(|number| number.wrapping_mul(77).to_le_bytes()).collect();
        for text in [&b""[..], b"a", b"1 2 3 4\n", &long] {
            assert_eq!(unpacked(text).unwrap(), text);
            assert_eq!(unpacked(&packed(text)).unwrap(), text);
            let twice = [packed(text), packed(b"more")].concat();
            assert_eq!(unpacked(&twice).unwrap(), [text, b"more"].concat());
        }
    }

    #[test]
    fn damaged_archives_are_refused() {
        let whole = packed(&b"0 0 1 50\n".repeat(20_000));
        for length in [2, 3, 9, 11, whole.len() / 2, whole.len() - 1] {
            assert_eq!(
                unpacked(&whole[..length]).unwrap_err(),
                "a.gz: cannot read: the gzip archive ends before its end",
                "{length}"
            );
        }
        for at in [2, whole.len() - 8, whole.len() - 1] {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            let error = unpacked(&damaged).unwrap_err();
            assert!(error.starts_with("a.gz: cannot read: the gzip archive is damaged ("), "{error}");
        }
        let followed = [&whole[..], b"1 2 3"].concat();
        assert!(unpacked(&followed).is_err());
    }

    #[test]
    fn the_end_of_an_archive_is_checked() {
        let check = |bytes: &[u8]| {
            let mut bytes = bytes;
            Unpacked::new(&mut bytes, Path::new("a.gz"))?.check_end(Path::new("a.gz"))
        };
        let mut damaged = packed(&[7; 200_000]);
        assert_eq!(check(&damaged), Ok(()));
        let last = damaged.len() - 1;
        damaged[last] ^= 1;
        assert!(check(&damaged).is_err());
    }
}
