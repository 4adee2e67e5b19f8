//! `widebragg demo`: a built-in crystal, rendered without any input file.
//!
//! The crystal is written to A.mat and P1.hkl, which are then read like a user's files, so that the printed
//! command line repeats the run with the same bits. Structure factors are deterministic: intensities follow
//! Wilson's distribution (with a hash of h, k, l in place of a random number), Friedel mates are equal, and
//! the mean decreases with a temperature factor.

use std::env;
use std::fs;
use std::path::Path;
use std::process;

use widebragg::crystal::{CellSource, Crystal, CrystalParameters};
use widebragg::rotation::PhiMode;

use super::distinct::Files;
use super::render;
use crate::console;
use crate::error::Failure;
use crate::options::{self, Command, DemoOptions, Log, Options};
use widebragg_formats::hkl::{HklTable, MAX_CELLS, write_hkl};
use widebragg_formats::matrix::write_matrix;

/// A matrix of a triclinic crystal in a general orientation: 45.3, 52.1, 60.7 Angstrom, 82, 97, 104 degrees.
const MATRIX: [[f64; 3]; 3] = [
    [0.019_276_564, 0.008_910_764, 0.007_560_391],
    [-0.001_555_482, 0.016_779_971, -0.008_979_255],
    [-0.011_137_973, 0.004_159_062, 0.011_337_246],
];
/// Wavelength in Angstrom.
const LAMBDA: f64 = 0.9768;
/// Resolution limit of the structure factors, in Angstrom.
const D_MIN: f64 = 1.6;
/// Temperature factor, in square Angstrom.
const B: f64 = 18.0;
/// Root mean square structure factor at zero angle, in electrons.
const F_MEAN: f64 = 350.0;

/// The files of the crystal.
const INPUTS: [&str; 2] = ["A.mat", "P1.hkl"];

/// The command line of the demo, which runs in the folder of its files.
const ARGUMENTS: &str = "-mat A.mat -hkl P1.hkl -dump demo_Fdump.bin -lambda 0.9768 -distance 231.27 -pixel 0.172 \
    -detpixels_x 2463 -detpixels_y 2527 -phi 0 -osc 1 -phisteps 5 -mosaic 0.06 -mosaic_domains 5 -N 14 -oversample 2 \
    -fluence 5e27 -seed 1 -floatfile demo.bin -intfile demo.img \
    -noisefile demo_noise.img -nopgm --png demo.png";

/// Writes the files of the crystal, renders it, and prints what to try next.
///
/// # Errors
/// The folder cannot be written, or has other files with the names of the demo's.
pub fn run(demo: &DemoOptions) -> Result<(), Failure> {
    let folder = &demo.out;
    let unusable = |error: std::io::Error| Failure::input(format!("--out {}: {error}", folder.display()));
    fs::create_dir_all(folder).map_err(unusable)?;
    Files::default().write_into(folder, INPUTS)?;
    let crystal = crystal()?;
    new_file(&folder.join(INPUTS[0]), |path| Ok(write_matrix(path, &MATRIX)?))?;
    let table = structure_factors(&crystal)?;
    new_file(&folder.join(INPUTS[1]), |path| Ok(write_hkl(path, &table)?))?;
    drop(table);
    env::set_current_dir(folder).map_err(unusable)?;

    let args = arguments(demo);
    let Command::Render(options) = options::parse(&args)? else {
        return Err(Failure::with_code(1, "demo: its command line does not render"));
    };
    let options = Options { log: Log::Summary, ..*options };
    render::run(&options, &args)?;
    if demo.quiet || demo.json {
        return Ok(());
    }
    console::print(&format!(
        "
The same run as a plain command line, in {folder}:
  widebragg {plain}

To try next:
  look at demo.png (dark spots on light), or open demo.img in a diffraction viewer
  --phi-carryover-mode c-parity   the image that nanoBragg makes: compare the two demo.bin
  -N 30 -oversample 3             a larger crystal: sharper spots
  -mosaic 0.5 -mosaic_domains 20  a worse one: smeared spots
  -dispersion 1 -dispsteps 5      a pink beam
  --frames 10                     a rotation series
  widebragg --help                everything else
",
        folder = folder.display(),
        plain = args.join(" "),
    ))
}

fn arguments(demo: &DemoOptions) -> Vec<String> {
    let mut args: Vec<String> = ARGUMENTS.split_whitespace().map(str::to_owned).collect();
    let mut add = |words: &[&str]| args.extend(words.iter().map(|&word| word.to_owned()));
    if demo.carryover_mode != PhiMode::default() {
        add(&["--phi-carryover-mode", demo.carryover_mode.name()]);
    }
    if let Some(level) = demo.simd {
        add(&["--simd", level.name()]);
    }
    if let Some(threads) = demo.threads {
        add(&["--threads", &threads.to_string()]);
    }
    for (wanted, word) in [(demo.json, "--json"), (demo.quiet, "--quiet")] {
        if wanted {
            add(&[word]);
        }
    }
    args
}

/// Writes a file of the demo, but never replaces a file of the user's.
fn new_file(path: &Path, write: impl Fn(&Path) -> Result<(), Failure>) -> Result<(), Failure> {
    if !path.exists() {
        return write(path);
    }
    let fresh = path.with_extension(format!("demo-{}.tmp", process::id()));
    write(&fresh)?;
    let same = matches!((fs::read(path), fs::read(&fresh)), (Ok(old), Ok(new)) if old == new);
    fs::remove_file(&fresh).map_err(|error| Failure::input(format!("{}: {error}", fresh.display())))?;
    if same {
        return Ok(());
    }
    Err(Failure::input(format!("{}: not the demo's own; give another folder with --out", path.display())))
}

fn crystal() -> Result<Crystal, Failure> {
    Crystal::new(&CrystalParameters {
        source: CellSource::Matrix(MATRIX),
        lambda0_m: LAMBDA * 1e-10,
        misset_rad: [0.0; 3],
    })
    .map_err(|error| Failure::with_code(1, format!("demo: {error}")))
}

fn structure_factors(crystal: &Crystal) -> Result<HklTable, Failure> {
    let [a, b, c] = crystal.reciprocal_per_angstrom;
    let [h_max, k_max, l_max] = crystal.cell.lengths_angstrom.map(|edge| (edge / D_MIN).ceil() as i32);
    let mut table = HklTable::filled((-h_max, h_max), (-k_max, k_max), (-l_max, l_max), 0.0, MAX_CELLS)
        .map_err(Failure::input)?;
    let mut cells = table.data.iter_mut();
    for h in -h_max..=h_max {
        for k in -k_max..=k_max {
            for (l, f) in (-l_max..=l_max).zip(&mut cells) {
                let s = f64::from(h) * a + f64::from(k) * b + f64::from(l) * c;
                let stol2 = s.dot(s) / 4.0;
                let d_spacing = 1.0 / s.length();
                if d_spacing >= D_MIN && d_spacing.is_finite() {
                    let wilson = -uniform(h, k, l).ln();
                    let value = F_MEAN * wilson.sqrt() * (-B * stol2).exp();
                    *f = (value * 100.0).round() / 100.0;
                }
            }
        }
    }
    Ok(table)
}

/// A number in (0, 1) from the indices of a reflection, equal for its Friedel mate (the mixing function of
/// splitmix64).
fn uniform(h: i32, k: i32, l: i32) -> f64 {
    let (h, k, l) = if (h, k, l) < (0, 0, 0) { (-h, -k, -l) } else { (h, k, l) };
    let packed =
        [h, k, l].iter().fold(0u64, |bits, &i| (bits << 21) | u64::from((i + (1 << 20)).unsigned_abs()));
    let mut x = packed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((x ^ (x >> 31)) >> 11) as f64 / 9_007_199_254_740_992.0 + 1e-17
}
