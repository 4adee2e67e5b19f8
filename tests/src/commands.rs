//! Random command lines of the reference over its whole option space.
//!
//! Every command line is valid, small (detectors or regions of 8 to 24 pixels a side), cheap (at most
//! [`MOST_STEPS`] steps) and uses the files of `golden/inputs`. The caller adds the output files. The options
//! come in random order, because the order must matter for nothing but the pivot. Numbers are short decimals,
//! so that a failing line can be read and typed.

use crate::golden;
use crate::oracle::beam::NO_SOURCES;
use crate::oracle::{Mode, Simulation};
use core::iter::once;
use core::ops::{Range, RangeInclusive};
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;
use std::env;

/// Largest number of innermost steps of a command line.
pub const MOST_STEPS: f64 = 300_000.0;

/// Most subpixels along an axis that the program chooses by itself; it refuses lines that ask for more.
const MOST_SUBPIXELS: usize = 64;

/// Seeds that 32 bits do not hold or that are not above 0. The reference wraps them, and one below 0 goes on with
/// what earlier draws left.
const ODD_SEEDS: [&str; 6] = ["4294967295", "2147483649", "5000000000", "-5", "-1", "-123456"];

/// Number of lines that a test draws where `WIDEBRAGG_LINES` does not say.
const LINES: u32 = 100;

/// Number of lines that a test draws: `WIDEBRAGG_LINES`, or 100.
///
/// # Panics
/// When `WIDEBRAGG_LINES` is not a number.
pub fn lines_to_draw() -> u32 {
    let given = env::var("WIDEBRAGG_LINES").ok();
    given.map_or(LINES, |lines| lines.parse().expect("WIDEBRAGG_LINES is a number of lines"))
}

/// Whether a word is one of the seeds that the reference wraps.
pub fn is_odd_seed(word: &str) -> bool {
    ODD_SEEDS.contains(&word)
}

type Words = Vec<String>;
type WordsStrategy = BoxedStrategy<Words>;

/// A strategy of valid command lines, without the program's name.
pub fn command_line() -> impl Strategy<Value = Vec<String>> {
    size()
        .prop_flat_map(|size| {
            vec![
                Just(size.words.clone()).boxed(),
                placement(&size),
                tilt(),
                conventions(),
                sensor(),
                orientation(),
                crystal_size(),
                mosaic(),
                structure_factors(),
                spectrum(),
                divergence(),
                polarisation(),
                flux(),
                phi(),
                sampling(),
                output(),
                ignored(),
            ]
        })
        .prop_shuffle()
        .prop_map(|groups| groups.concat())
        .prop_filter("too many steps or no sources", |args| {
            match Simulation::from_args(args, &golden::inputs()) {
                Ok(sim) => {
                    // A mirrored detector may have other subpixels in spec.
                    let cheap = |mode| {
                        let sim = sim.in_mode(mode);
                        sim.cost() <= MOST_STEPS && sim.oversample <= MOST_SUBPIXELS
                    };
                    cheap(Mode::CParity) && cheap(Mode::Spec) && !continues_misset(args)
                }
                // A coarse divergence grid can have no point inside the round aperture. Any other refusal is
                // a failure.
                Err(error) => error != NO_SOURCES,
            }
        })
}

/// Whether the mosaic rotations would go on with the random numbers of a random misset. The program draws them
/// anew, and says so.
fn continues_misset(args: &[String]) -> bool {
    let seed = args.windows(2).any(|pair| pair[0] == "-mosaic_seed" && is_odd_seed(&pair[1]));
    seed && args.iter().any(|arg| arg == "random")
}

/// A decimal number with `digits` digits after the point.
fn number(range: Range<f64>, digits: usize) -> BoxedStrategy<String> {
    range.prop_map(move |x| format!("{x:.digits$}")).boxed()
}

fn integer(range: RangeInclusive<i32>) -> BoxedStrategy<String> {
    range.prop_map(|n| n.to_string()).boxed()
}

/// One of the names, followed by the values.
fn option(names: &'static [&'static str], values: Vec<BoxedStrategy<String>>) -> WordsStrategy {
    (select(names), values).prop_map(|(name, values)| once(name.to_owned()).chain(values).collect()).boxed()
}

/// A seed: mostly a small one, sometimes an odd one.
fn seed() -> BoxedStrategy<String> {
    let odd = ODD_SEEDS.map(str::to_owned);
    Union::new_weighted(vec![(8, integer(1..=99_999)), (1, select(odd.to_vec()).boxed())]).boxed()
}

fn flag(names: &'static [&'static str]) -> WordsStrategy {
    option(names, Vec::new())
}

fn nothing() -> WordsStrategy {
    Just(Vec::new()).boxed()
}

fn sometimes(probability: f64, words: WordsStrategy) -> WordsStrategy {
    weighted(probability, words).prop_map(Option::unwrap_or_default).boxed()
}

fn one_of(alternatives: Vec<WordsStrategy>) -> WordsStrategy {
    Union::new(alternatives).boxed()
}

fn all_of(parts: Vec<WordsStrategy>) -> WordsStrategy {
    parts.prop_map(|words| words.concat()).boxed()
}

/// The size of the detector, and the options that set it.
#[derive(Clone, Debug)]
struct Size {
    words: Words,
    /// Number of pixels along the fast and the slow axis.
    pixels: [u32; 2],
    pixel_mm: f64,
}

fn size() -> impl Strategy<Value = Size> {
    let corner = (0_u32..=50, 0_u32..=50);
    (0_u32..8, 8_u32..=24, 8_u32..=24, 2_u32..=15, corner).prop_map(|(kind, fast, slow, tenths, (x, y))| {
        let pixel_mm = f64::from(tenths) / 10.0;
        // An edge that is not a whole number of pixels and has to be rounded.
        let edge = |pixels: u32| format!("{:.3}", (f64::from(pixels) + 0.2) * pixel_mm);
        let words = match kind {
            0 => format!("-pixel {pixel_mm} -detpixels_x {fast} -detpixels_y {slow}"),
            1 => format!("-pixel {pixel_mm} -detpixels_f {fast} -detpixels_s {slow}"),
            2 => format!("-pixel {pixel_mm} -detpixels {fast}"),
            3 => format!("-pixel {pixel_mm} -detsize_x {} -detsize_y {}", edge(fast), edge(slow)),
            4 => format!("-pixel {pixel_mm} -detsize_f {} -detpixels_s {slow}", edge(fast)),
            5 => {
                // A negative limit is the detector's edge.
                let right = if x < 10 { -1 } else { i64::from(fast) - 1 };
                let bottom = if y < 10 { -5 } else { 0 };
                let roi = format!("-roi {} {right} {bottom} {}", x % fast, slow - 1 - y % slow);
                format!("-pixel {pixel_mm} -detpixels_x {fast} -detpixels_y {slow} {roi}")
            }
            6 => format!("-mask mask.img -roi {x} {} {y} {}", x + fast, y + slow),
            _ => format!("-img mask.img -pixel {pixel_mm} -detpixels_x {fast} -detpixels_y {slow}"),
        };
        let pixels = match kind {
            2 => [fast, fast],
            6 => [96, 80],
            _ => [fast, slow],
        };
        let pixel_mm = if kind == 6 { 0.2 } else { pixel_mm };
        Size { words: words.split(' ').map(str::to_owned).collect(), pixels, pixel_mm }
    })
}

/// Distance and beam centre, in one of their notations, and sometimes a pivot.
fn placement(size: &Size) -> WordsStrategy {
    let [fast, slow] = size.pixels.map(f64::from);
    let along = |pixels: f64| number(0.2 * pixels * size.pixel_mm..0.8 * pixels * size.pixel_mm, 2);
    let origin = |pixels: f64| number(0.2 * pixels..0.8 * pixels, 1);
    let distance = one_of(vec![
        option(&["-distance"], vec![number(20.0..120.0, 1)]),
        option(&["-close_distance"], vec![number(20.0..120.0, 1)]),
        nothing(),
    ]);
    let centre = one_of(vec![
        all_of(vec![option(&["-Xbeam"], vec![along(fast)]), option(&["-Ybeam"], vec![along(slow)])]),
        all_of(vec![option(&["-Xclose"], vec![along(fast)]), option(&["-Yclose"], vec![along(slow)])]),
        all_of(vec![option(&["-ORGX"], vec![origin(fast)]), option(&["-ORGY"], vec![origin(slow)])]),
        option(&["-Xbeam"], vec![along(fast)]),
        nothing(),
    ]);
    let pivot = option(&["-pivot"], vec![select(vec!["beam".to_owned(), "sample".to_owned()]).boxed()]);
    all_of(vec![distance, centre, sometimes(0.2, pivot)])
}

fn tilt() -> WordsStrategy {
    let angle = || number(-15.0..15.0, 1);
    all_of(vec![
        sometimes(0.3, option(&["-detector_rotx"], vec![angle()])),
        sometimes(0.3, option(&["-detector_roty"], vec![angle()])),
        sometimes(0.3, option(&["-detector_rotz"], vec![angle()])),
        sometimes(0.3, option(&["-twotheta"], vec![angle()])),
    ])
}

fn conventions() -> WordsStrategy {
    let near =
        |x: f64, y: f64, z: f64| vec![x, y, z].into_iter().map(|c| number(c - 0.1..c + 0.1, 3)).collect();
    let custom = all_of(vec![
        sometimes(0.5, option(&["-beam_vector"], near(1.0, 0.0, 0.0))),
        sometimes(0.5, option(&["-fdet_vector"], near(0.0, 0.0, 1.0))),
        sometimes(0.5, option(&["-sdet_vector"], near(0.0, -1.0, 0.0))),
        sometimes(
            0.5,
            one_of(vec![
                option(&["-odet_vector"], near(1.0, 0.0, 0.0)),
                // With the axes above this is a mirrored detector.
                option(&["-odet_vector"], near(-1.0, 0.0, 0.0)),
            ]),
        ),
        sometimes(0.5, option(&["-polar_vector"], near(0.0, 0.0, 1.0))),
        sometimes(0.5, option(&["-spindle_axis"], near(0.2, -0.9, 0.3))),
        sometimes(0.5, option(&["-twotheta_axis"], near(0.0, 1.0, 0.0))),
        sometimes(0.3, option(&["-pix0_vector", "-pix0_vector_mm"], near(90.0, 5.0, -5.0))),
    ]);
    let named = flag(&["-mosflm", "-xds", "-adxv", "-denzo", "-dials"]);
    let dropped = all_of(vec![custom.clone(), named.clone()]);
    // A vector after the named convention brings back those before it.
    let regained = all_of(vec![dropped.clone(), option(&["-spindle_axis"], near(0.2, -0.9, 0.3))]);
    Union::new_weighted(vec![(2, nothing()), (3, named), (3, custom), (1, dropped), (1, regained)]).boxed()
}

fn sensor() -> WordsStrategy {
    let stray = all_of(vec![flag(&["-curved_det"]), flag(&["yes"])]);
    let depth = Union::new_weighted(vec![
        (6, number(100.0..600.0, 0)),
        (1, select(vec!["inf".to_owned(), "0".to_owned()]).boxed()),
    ]);
    let thick = all_of(vec![
        sometimes(
            0.7,
            option(&["-detector_abs", "-detector_absorb", "-detector_absorption"], vec![depth.boxed()]),
        ),
        sometimes(0.8, option(&["-detector_thick"], vec![number(100.0..600.0, 0)])),
        sometimes(0.6, option(&["-detector_thicksteps", "-thicksteps"], vec![integer(1..=3)])),
    ]);
    all_of(vec![sometimes(0.2, one_of(vec![flag(&["-curved_det"]), stray])), sometimes(0.35, thick)])
}

fn orientation() -> WordsStrategy {
    let length = || number(30.0..70.0, 1);
    let angle = || number(75.0..105.0, 1);
    let cells = one_of(vec![
        option(&["-cell"], vec![length()]),
        option(&["-cell"], vec![length(), length(), length()]),
        option(&["-cell"], vec![length(), length(), length(), angle(), angle(), angle()]),
    ]);
    let matrix = option(&["-mat", "-matrix"], vec![Just("tri.mat".to_owned()).boxed()]);
    let turn = || number(-90.0..90.0, 2);
    let random = all_of(vec![
        option(&["-misset_seed"], vec![seed()]),
        option(&["-misset"], vec![Just("random".to_owned()).boxed()]),
    ]);
    all_of(vec![
        one_of(vec![matrix.clone(), cells.clone(), all_of(vec![matrix, cells])]),
        one_of(vec![option(&["-misset"], vec![turn(), turn(), turn()]), random, nothing()]),
    ])
}

fn crystal_size() -> WordsStrategy {
    let count = || integer(0..=14);
    let mm = || number(0.00002..0.0004, 6);
    let counts = one_of(vec![
        option(&["-N"], vec![count()]),
        all_of(vec![
            option(&["-Na"], vec![count()]),
            option(&["-Nb"], vec![count()]),
            option(&["-Nc"], vec![count()]),
        ]),
        all_of(vec![option(&["-N"], vec![count()]), option(&["-Nb"], vec![count()])]),
    ]);
    let sample = one_of(vec![
        option(&["-samplesize", "-sample_size", "-xtalsize", "-xtal_size"], vec![mm()]),
        all_of(vec![
            option(&["-sample_x", "-sample_thick", "-xtal_x", "-xtal_thick"], vec![mm()]),
            option(&["-sample_y", "-sample_width", "-xtal_y", "-xtal_width", "-width"], vec![mm()]),
            option(&["-sample_z", "-sample_height", "-xtal_z", "-xtal_height", "-height"], vec![mm()]),
        ]),
        option(&["-sample_heigh"], vec![mm()]),
    ]);
    all_of(vec![
        sometimes(0.85, counts),
        sometimes(0.2, sample),
        sometimes(
            0.6,
            flag(&["-square_xtal", "-round_xtal", "-gauss_xtal", "-tophat_spots", "-binary_spots"]),
        ),
        sometimes(0.25, option(&["-fudge"], vec![number(0.3..2.5, 2)])),
    ])
}

fn mosaic() -> WordsStrategy {
    let spread = option(&["-mosaic", "-mosaicity", "-mosaic_spread", "-mosaici"], vec![number(0.0..1.0, 2)]);
    let domains = option(&["-mosaic_domains", "-mosaic_dom"], vec![integer(1..=5)]);
    let draw = option(&["-mosaic_seed"], vec![seed()]);
    sometimes(0.4, all_of(vec![sometimes(0.9, spread), sometimes(0.7, domains), sometimes(0.4, draw)]))
}

fn structure_factors() -> WordsStrategy {
    let list = option(&["-hkl"], vec![select(vec!["dense.hkl".to_owned(), "sparse.hkl".to_owned()]).boxed()]);
    let default_F = || option(&["-default_F"], vec![number(1.0..90.0, 1)]);
    all_of(vec![
        Union::new_weighted(vec![(4, list.clone()), (2, all_of(vec![list, default_F()])), (1, default_F())])
            .boxed(),
        sometimes(0.5, flag(&["-interpolate", "-nointerpolate"])),
        sometimes(0.1, option(&["-dump"], vec![Just("other.bin".to_owned()).boxed()])),
    ])
}

fn spectrum() -> WordsStrategy {
    let wavelength = one_of(vec![
        option(&["-lambda", "-wave", "-wavelength", "-wavelen"], vec![number(0.8..2.0, 4)]),
        option(&["-energy"], vec![number(7000.0..15000.0, 1)]),
        nothing(),
    ]);
    let dispersion = all_of(vec![
        sometimes(0.9, option(&["-dispersion"], vec![number(0.1..3.0, 2)])),
        sometimes(0.7, option(&["-dispsteps"], vec![integer(1..=3)])),
    ]);
    all_of(vec![wavelength, sometimes(0.25, dispersion)])
}

fn divergence() -> WordsStrategy {
    let mrad = || number(0.5..4.0, 2);
    let step = || number(0.4..2.0, 2);
    let both = all_of(vec![
        option(&["-divergence"], vec![mrad()]),
        sometimes(0.6, option(&["-divsteps"], vec![integer(1..=3)])),
    ]);
    let each = all_of(vec![
        sometimes(0.7, option(&["-hdivrange"], vec![mrad()])),
        sometimes(0.7, option(&["-vdivrange"], vec![mrad()])),
        sometimes(0.3, option(&["-hdivstep"], vec![step()])),
        sometimes(0.3, option(&["-vdivstep"], vec![step()])),
        sometimes(0.5, option(&["-hdivsteps"], vec![integer(1..=3)])),
        sometimes(0.5, option(&["-vdivsteps"], vec![integer(1..=3)])),
    ]);
    let files = ["sources.txt", "weighted.txt", "weighted_zero_first.txt"].map(str::to_owned);
    let file = option(&["-sourcefile"], vec![select(files.to_vec()).boxed()]);
    all_of(vec![
        Union::new_weighted(vec![(6, nothing()), (1, both), (2, each), (2, file)]).boxed(),
        sometimes(0.2, flag(&["-round_div", "-square_div"])),
    ])
}

fn polarisation() -> WordsStrategy {
    let kahn = option(&["-polar"], vec![number(-1.0..1.0, 2)]);
    sometimes(0.5, one_of(vec![kahn.clone(), flag(&["-nopolar"]), all_of(vec![flag(&["-nopolar"]), kahn])]))
}

fn flux() -> WordsStrategy {
    let photons = || select(vec!["1e10".to_owned(), "3e12".to_owned(), "2.5e+11".to_owned()]).boxed();
    let given = all_of(vec![
        option(&["-flux"], vec![photons()]),
        sometimes(0.7, option(&["-exposure"], vec![number(0.1..2.0, 2)])),
        sometimes(0.7, option(&["-beamsize"], vec![number(0.01..0.2, 3)])),
    ]);
    let fluence = option(&["-fluence"], vec![select(vec!["1e24".to_owned(), "4.5e28".to_owned()]).boxed()]);
    all_of(vec![
        one_of(vec![given, fluence, nothing()]),
        sometimes(0.25, option(&["-water"], vec![number(1.0..30.0, 1)])),
    ])
}

fn phi() -> WordsStrategy {
    let start = one_of(vec![
        option(&["-phi"], vec![Just("0".to_owned()).boxed()]),
        option(&["-phi"], vec![select(vec!["-0.25".to_owned(), "-0.5".to_owned(), "-1".to_owned()]).boxed()]),
        option(&["-phi"], vec![number(-180.0..180.0, 2)]),
        nothing(),
    ]);
    let range = select(vec!["0.5".to_owned(), "1".to_owned(), "0.2".to_owned()]).boxed();
    let sweep = all_of(vec![
        sometimes(0.8, option(&["-osc"], vec![range])),
        sometimes(0.25, option(&["-phistep"], vec![number(0.1..0.6, 2)])),
        sometimes(0.7, option(&["-phisteps"], vec![integer(1..=4)])),
    ]);
    all_of(vec![start, sometimes(0.7, sweep)])
}

fn sampling() -> WordsStrategy {
    all_of(vec![
        sometimes(0.9, option(&["-oversample"], vec![integer(1..=2)])),
        sometimes(0.15, flag(&["-oversample_thick"])),
        sometimes(0.15, flag(&["-oversample_polar"])),
        // Never both: a solid angle above 1 that multiplies the sum at every step overflows f64.
        Union::new_weighted(vec![
            (14, nothing()),
            (3, flag(&["-point_pixel"])),
            (3, flag(&["-oversample_omega"])),
        ])
        .boxed(),
        sometimes(0.25, option(&["-dmin"], vec![number(1.0..12.0, 2)])),
    ])
}

fn output() -> WordsStrategy {
    all_of(vec![
        sometimes(0.2, option(&["-scale"], vec![number(0.01..3.0, 2)])),
        sometimes(0.2, option(&["-adc"], vec![number(0.0..100.0, 1)])),
        sometimes(0.2, option(&["-pgmscale"], vec![number(0.01..3.0, 2)])),
        option(&["-seed"], vec![seed()]),
        sometimes(0.2, flag(&["-noprogress", "-progress"])),
        sometimes(0.1, flag(&["-nonoise"])),
        sometimes(0.1, flag(&["-nopgm"])),
    ])
}

/// Options that are accepted and have no effect.
fn ignored() -> WordsStrategy {
    let table = option(&["-stol", "-4stol", "-Q"], vec![Just("bg.stol".to_owned()).boxed()]);
    let density = option(&["-density", "-sample_density"], vec![number(1.0..2.0, 2)]);
    let weight = option(&["-MW", "-molecular_weight"], vec![number(18.0..90.0, 1)]);
    let written = option(&["-stolout"], vec![Just("out.stol".to_owned()).boxed()]);
    // Not known to the reference, but in scripts: it ignores them and their values.
    let unknown = option(&["-hdiv", "-vdiv", "-dispstep"], vec![number(0.1..2.0, 1)]);
    [table, density, weight, written, unknown, flag(&["-coherent"])]
        .into_iter()
        .map(|words| sometimes(0.1, words))
        .collect::<Vec<_>>()
        .prop_map(|words| words.concat())
        .boxed()
}
