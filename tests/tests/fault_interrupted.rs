//! System calls that a signal interrupts: every reader repeats the call and continues.

use std::io::{self, Read};
use std::path::Path;

use widebragg_formats::cbf::parse_cbf;
use widebragg_formats::dump::parse_dump;
use widebragg_formats::float::parse_float;
use widebragg_formats::hkl::{MAX_CELLS, parse_hkl};
use widebragg_formats::matrix::parse_matrix;
use widebragg_formats::smv::parse_smv;
use widebragg_formats::sources::parse_sources;
use widebragg_tests::program::Workplace;

/// A reader that returns a few bytes at a time, and between them the error of an interrupted call.
struct Interrupted<'a> {
    bytes: &'a [u8],
    is_interrupted: bool,
}

impl Read for Interrupted<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.is_interrupted = !self.is_interrupted;
        if self.is_interrupted {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let few = out.len().min(97);
        self.bytes.read(&mut out[..few])
    }
}

fn interrupted(bytes: &[u8]) -> Interrupted<'_> {
    Interrupted { bytes, is_interrupted: false }
}

#[test]
fn readers_continue_after_an_interruption() {
    let place = Workplace::with_inputs();
    place
        .run_line("-mat tri.mat -hkl sparse.hkl -detpixels 24 -N 3 -oversample 1 -seed 1 --cbf a.cbf --quiet")
        .well();
    macro_rules! same {
        ($name:literal, |$input:ident, $path:ident| $parse:expr) => {
            let bytes = place.read($name);
            let $path = Path::new($name);
            let whole = {
                let $input = bytes.as_slice();
                $parse.expect($name)
            };
            let pieces = {
                let $input = interrupted(&bytes);
                $parse.expect($name)
            };
            assert!(whole == pieces, $name);
        };
    }
    same!("sparse.hkl", |input, path| parse_hkl(input, path, 0.0, MAX_CELLS));
    same!("Fdump.bin", |input, path| parse_dump(input, path));
    same!("floatimage.bin", |input, path| parse_float(input, path, 24 * 24));
    same!("mask.img", |input, path| parse_smv(input, path));
    same!("a.cbf", |input, path| parse_cbf(input, path));
    same!("tri.mat", |input, path| parse_matrix(input, path));
    same!("sources.txt", |input, path| parse_sources(input, path));
}
