//! Streams, read chunk by chunk.

use core::str;
use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

use widebragg_coordinates::anomalous::EV_ANGSTROM;

use super::marks::{
    BEGIN_CHUNK, BEGIN_CRYSTAL, END_CHUNK, END_CRYSTAL, END_PEAKS, END_REFLECTIONS, HEADING, PEAKS,
    REFLECTIONS,
};
use super::{Bravais, Chunk, Lattice, LatticeSystem};
use crate::failure::Failure;
use crate::geometry::Crystal;
use crate::geometry::vectors::{Vector, inverse, transposed};
use crate::kind::kind_of;
use crate::memory::push;
use crate::text::{at_line, cannot_read, finite, in_file, shown};
use crate::unpack::Unpacked;

/// Longest line that is read.
const LONGEST_LINE: usize = 1 << 20;

/// Angstrom in a nm.
const ANGSTROM_PER_NM: f64 = 10.0;

/// The chunks of a stream, in order. Peaks and reflections are passed over.
///
/// A chunk that cannot be read is an error, after which there are no others.
///
/// ```
/// use std::path::Path;
/// use widebragg_formats::stream::StreamReader;
///
/// let text = "CrystFEL stream format 2.3\n----- Begin chunk -----\nImage filename: a.h5\nEvent: //7\n\
///             photon_energy_eV = 12398.419843\n--- Begin crystal\nastar = 0.2 0 0 nm^-1\nbstar = 0 0.1 0 nm^-1\n\
///             cstar = 0 0 0.1 nm^-1\n--- End crystal\n----- End chunk -----\n";
/// let mut input = text.as_bytes();
/// let mut stream = StreamReader::new(&mut input, Path::new("a.stream"))?;
/// let chunk = stream.next().expect("a chunk")?;
/// assert_eq!((chunk.image.as_str(), chunk.event.as_deref()), ("a.h5", Some("//7")));
/// assert!((chunk.lambda_m.expect("a wavelength") - 1e-10).abs() < 1e-19);
/// let cell = chunk.lattices[0].crystal.cell().expect("a cell");
/// assert!((cell.lengths_angstrom[0] - 50.0).abs() < 1e-12);
/// assert!(stream.next().is_none());
/// # Ok::<(), widebragg_formats::failure::Failure>(())
/// ```
#[derive(Debug)]
pub struct StreamReader<'a> {
    input: Unpacked<'a>,
    path: PathBuf,
    /// The line that was read last, without its end.
    line: Vec<u8>,
    /// Its number.
    number: u64,
    has_ended: bool,
}

/// Reads all chunks of a stream.
///
/// # Errors
/// The stream cannot be read, or there is too little memory for its chunks.
pub fn read_stream(input: &mut dyn Read, path: &Path) -> Result<Vec<Chunk>, Failure> {
    let mut stream = StreamReader::new(input, path)?;
    let mut chunks = Vec::new();
    while let Some(chunk) = stream.next().transpose()? {
        push(&mut chunks, chunk).ok_or_else(|| stream.refused("no memory for more chunks"))?;
    }
    Ok(chunks)
}

impl<'a> StreamReader<'a> {
    /// A reader of `input`, which may be a gzip archive; `path` is its name in error messages.
    ///
    /// # Errors
    /// It cannot be read, or is no stream of CrystFEL.
    pub fn new(input: &'a mut dyn Read, path: &Path) -> Result<Self, Failure> {
        let input = Unpacked::new(input, path)?;
        if !input.start().starts_with(HEADING.as_bytes()) {
            let kind =
                kind_of(input.start()).map_or_else(String::new, |(kind, _)| format!("this is {kind}; "));
            return Err(in_file(path, format!("{kind}a stream of CrystFEL begins with \"{HEADING}\"")));
        }
        Ok(Self { input, path: path.to_owned(), line: Vec::new(), number: 0, has_ended: false })
    }

    fn refused(&self, what: impl AsRef<str>) -> Failure {
        at_line(&self.path, self.number, what)
    }

    /// Reads the next line; `false` at the end of the file.
    fn advance(&mut self) -> Result<bool, Failure> {
        self.line.clear();
        self.number += 1;
        let most = LONGEST_LINE as u64 + 1;
        let read = (&mut self.input).take(most).read_until(b'\n', &mut self.line);
        if read.map_err(|error| cannot_read(&self.path, &error))? == 0 {
            return Ok(false);
        }
        if self.line.len() > LONGEST_LINE {
            return Err(self.refused(format!("a line of more than {LONGEST_LINE} bytes")));
        }
        let end = self.line.trim_ascii_end().len();
        self.line.truncate(end);
        Ok(true)
    }

    /// Reads the next line of a part that must have an end; `what` names it.
    fn advance_within(&mut self, what: &str) -> Result<(), Failure> {
        match self.advance()? {
            true => Ok(()),
            false => Err(self.refused(format!("the file ends within {what}"))),
        }
    }

    fn is(&self, mark: &str) -> bool {
        self.line == mark.as_bytes()
    }

    /// The rest of the line after `name`; `None` where it does not begin so.
    fn after(&self, name: &str) -> Option<&[u8]> {
        self.line.strip_prefix(name.as_bytes())
    }

    /// Passes over the lines to `end`.
    fn skip_to(&mut self, end: &str, what: &str) -> Result<(), Failure> {
        while !self.is(end) {
            self.advance_within(what)?;
        }
        Ok(())
    }

    /// The next chunk; `None` after the last one.
    fn chunk(&mut self) -> Result<Option<Chunk>, Failure> {
        loop {
            if !self.advance()? {
                return Ok(None);
            }
            if self.is(BEGIN_CHUNK) {
                break;
            }
            if self.is(END_CHUNK) || self.is(BEGIN_CRYSTAL) || self.is(END_CRYSTAL) {
                return Err(self.refused(format!("{} outside a chunk", shown(&self.line))));
            }
        }
        let mut chunk = Chunk::default();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        loop {
            self.advance_within("a chunk")?;
            if self.is(END_CHUNK) {
                return Ok(Some(chunk));
            }
            if self.is(BEGIN_CHUNK) || self.is(END_CRYSTAL) {
                return Err(self.refused(format!("{} within a chunk", shown(&self.line))));
            }
            if self.is(BEGIN_CRYSTAL) {
                let lattice = self.lattice()?;
                push(&mut chunk.lattices, lattice)
                    .ok_or_else(|| self.refused("no memory for more crystals"))?;
            } else if self.is(PEAKS) {
                self.skip_to(END_PEAKS, "a list of peaks")?;
            } else if let Some(name) = self.after("Image filename: ") {
                chunk.image = text(name);
            } else if let Some(event) = self.after("Event: ") {
                chunk.event = Some(text(event));
            } else if let Some(number) = self.after("Image serial number: ") {
                let parsed = str::from_utf8(number).ok().and_then(|number| number.parse().ok());
                let refused = || self.refused(format!("{} is not a serial number", shown(number)));
                chunk.serial = Some(parsed.ok_or_else(refused)?);
            } else if let Some(value) = self.after("photon_energy_eV = ") {
                let [energy_ev] = self.numbers(value)?;
                let lambda_m = EV_ANGSTROM * 1e-10 / energy_ev;
                if !(energy_ev > 0.0 && lambda_m > 0.0 && lambda_m.is_finite()) {
                    return Err(self.refused(format!("a photon energy of {energy_ev} eV")));
                }
                chunk.lambda_m = Some(lambda_m);
            }
        }
    }

    /// The first N numbers of a text.
    fn numbers<const N: usize>(&self, text: &[u8]) -> Result<[f64; N], Failure> {
        let mut words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let mut numbers = [0.0; N];
        for number in &mut numbers {
            let word = words.next().ok_or_else(|| self.refused("too few numbers"))?;
            let word =
                str::from_utf8(word).map_err(|_| self.refused(format!("{} is not a number", shown(word))))?;
            *number = finite(word).map_err(|what| self.refused(what))?;
        }
        Ok(numbers)
    }

    /// The crystal that has just begun.
    fn lattice(&mut self) -> Result<Lattice, Failure> {
        const STARS: [&str; 3] = ["astar = ", "bstar = ", "cstar = "];
        let mut stars: [Option<Vector>; 3] = [None; 3];
        let (mut system, mut centering, mut unique_axis) = (None, None, None);
        let mut detector_shift_m = [0.0; 2];
        loop {
            self.advance_within("a crystal")?;
            if self.is(END_CRYSTAL) {
                break;
            }
            if self.is(BEGIN_CRYSTAL) || self.is(BEGIN_CHUNK) || self.is(END_CHUNK) {
                return Err(self.refused(format!("{} within a crystal", shown(&self.line))));
            }
            if self.is(REFLECTIONS) {
                self.skip_to(END_REFLECTIONS, "a list of reflections")?;
                continue;
            }
            for (star, name) in stars.iter_mut().zip(STARS) {
                if let Some(value) = self.after(name) {
                    *star = Some(self.numbers(value)?.map(|per_nm| per_nm / ANGSTROM_PER_NM));
                }
            }
            if let Some(name) = self.after("lattice_type = ") {
                let found = LatticeSystem::ALL.into_iter().find(|system| system.name().as_bytes() == name);
                system =
                    Some(found.ok_or_else(|| self.refused(format!("{} is no lattice type", shown(name))))?);
            } else if let Some(letter) = self.after("centering = ") {
                centering = Some(self.one_of(&Bravais::CENTERINGS, letter)?);
            } else if let Some(letter) = self.after("unique_axis = ") {
                unique_axis = Some(self.one_of(&Bravais::UNIQUE_AXES, letter)?);
            } else if let Some(shift) = self.after("predict_refine/det_shift ") {
                detector_shift_m = self.detector_shift(shift)?;
            }
        }
        let [Some(a), Some(b), Some(c)] = stars else {
            return Err(self.refused("a crystal without all of astar, bstar and cstar"));
        };
        let a_matrix = transposed([a, b, c]);
        if inverse(a_matrix).is_none() {
            return Err(self.refused("a crystal whose astar, bstar and cstar span no volume"));
        }
        let bravais = match (system, centering, unique_axis) {
            (Some(system), Some(centering), Some(unique_axis)) => {
                Some(Bravais { system, centering, unique_axis })
            }
            _ => None,
        };
        let crystal = Crystal { a_matrix, a_at_frames: Vec::new(), space_group: None };
        Ok(Lattice { crystal, bravais, detector_shift_m })
    }

    fn one_of(&self, letters: &[char], found: &[u8]) -> Result<char, Failure> {
        let found_letter = letters.iter().copied().find(|letter| found == letter.to_string().as_bytes());
        found_letter.ok_or_else(|| {
            let letters: Vec<String> = letters.iter().map(char::to_string).collect();
            self.refused(format!("{} is none of {}", shown(found), letters.join(" ")))
        })
    }

    /// `x = 0.1 y = -0.2 mm`
    fn detector_shift(&self, text: &[u8]) -> Result<[f64; 2], Failure> {
        let refused = || self.refused(format!("{} is not of the form x = 0.1 y = -0.2 mm", shown(text)));
        let words = str::from_utf8(text).map_err(|_| refused())?.split_whitespace().collect::<Vec<_>>();
        match words[..] {
            ["x", "=", x, "y", "=", y, "mm"] => {
                let [x_mm, y_mm] = [x, y].map(|word| finite(word).map_err(|what| self.refused(what)));
                Ok([x_mm? * 1e-3, y_mm? * 1e-3])
            }
            _ => Err(refused()),
        }
    }
}

impl Iterator for StreamReader<'_> {
    type Item = Result<Chunk, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        let chunk = self.chunk().transpose();
        self.has_ended = !matches!(chunk, Some(Ok(_)));
        chunk
    }
}
