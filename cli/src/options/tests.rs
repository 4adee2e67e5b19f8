//! The table and everything made from it.

use super::{
    commands::{COMMANDS, RENDER, command, options as all_options},
    row::OptionSpec,
    spec::CommandSpec,
    takes::{RADIANS_PER_DEGREE, Takes},
    topics::TOPICS,
    *,
};
use core::f64::consts::PI;
use proptest::prelude::*;
use std::path::Path;
use widebragg::noise::point_spread::Form;
use widebragg::{
    detector::{Convention, CustomAxes, Pivot},
    lanes::SimdLevel,
    lattice::CrystalShape,
    rotation::PhiMode,
    vector::Vec3,
};
use widebragg_experiment::detector_noise::{
    BadPixels, CommonModeRule, DeadTimeRule, DetectorModel, Gain, NoiseStages,
};
use widebragg_experiment::parameters::PhiSampling;
use widebragg_experiment::point_spread::PointSpreadRule;
use widebragg_formats::nxmx::Compression;

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

fn options(line: &str) -> Options {
    match parse(&words(line)) {
        Ok(Command::Render(options)) => *options,
        other => panic!("{line}: {other:?}"),
    }
}

fn refusal(line: &str) -> String {
    match parse(&words(line)) {
        Err(failure) => {
            assert_eq!(failure.code(), 2, "{line}");
            failure.to_string()
        }
        Ok(command) => panic!("{line}: accepted as {command:?}"),
    }
}

/// Values that every option of this kind takes, one list for each way to write them.
fn samples(takes: &Takes) -> Vec<String> {
    match takes {
        Takes::Nothing => vec![String::new()],
        Takes::Number(_) => vec!["0.25".to_owned()],
        Takes::Integer => vec!["3".to_owned(), "2e1".to_owned()],
        Takes::Each(names) => vec!["1 ".repeat(names.len())],
        Takes::Cell => vec!["50".to_owned(), "50 60".to_owned(), "50 60 70 80 90 100".to_owned()],
        Takes::Misset => vec!["random".to_owned(), "1 -2 3".to_owned()],
        Takes::Depth => vec!["inf".to_owned(), "0".to_owned(), "300".to_owned()],
        Takes::File | Takes::Folder => vec!["some.file".to_owned()],
        // What no source tells of a detector is asked for.
        Takes::Choice(words) if words.contains(&"pilatus") => {
            vec!["pilatus --dead-time 0".to_owned(), "eiger --dead-time 0 --overload 9".to_owned()]
        }
        Takes::Choice(words) => words.iter().map(|&word| word.to_owned()).collect(),
        Takes::Program => vec!["program".to_owned()],
        Takes::Range => vec!["2:7".to_owned()],
        Takes::Names => vec!["cell,phi".to_owned()],
        Takes::Text(shown) if shown.starts_with("gauss|") => {
            vec!["none".to_owned(), "fiber,80,10".to_owned(), "moffat,150".to_owned()]
        }
        Takes::Text(shown) if shown.contains("none") => vec!["none".to_owned()],
        Takes::Text(shown) if shown.contains("LAYERS") => vec!["Si,320".to_owned(), "CdTe,1000,4".to_owned()],
        Takes::Text("NAME") => vec!["pilatus-6m".to_owned(), "Eiger2_X_16M".to_owned()],
        Takes::Text(shown) if shown.starts_with("NAME|FILE") => {
            vec!["air,-10..30".to_owned(), "a.4stol:4s,0.1,1.1,20,width=0.002,formula=C2H4".to_owned()]
        }
        Takes::Text(shown) if shown.starts_with("eV") => {
            vec!["9500,30".to_owned(), "9500,20,0.7+9570,20,0.3".to_owned()]
        }
        Takes::Text(shown) if shown.starts_with("hot=") => {
            vec!["bad.txt".to_owned(), "hot=3,dead=2,seed=5".to_owned()]
        }
        // Options of gain modes go together.
        Takes::Text(shown) if shown.starts_with("cpu|") => {
            ["cpu", "auto", "opencl", "cuda:2"].map(str::to_owned).to_vec()
        }
        Takes::Text("ADU,ADU,ADU") => vec![format!("1,2,3 {GAIN_MODES}")],
        Takes::Text("KEV,KEV") => vec![format!("5,6 {GAIN_MODES}")],
        Takes::Text("H,K,L,FRACTION") => vec!["k,h,-l,0.3".to_owned()],
        Takes::Text(_) => vec!["19".to_owned()],
    }
}

/// All options of detectors that switch their gain.
const GAIN_MODES: &str =
    "--gain-modes 40,-1,-0.1 --gain-switch 320,12000 --mode-pedestals 1,2,3 --mode-readout 4,5,6";

/// A complete command line of a command, without the option that is tried.
fn complete_line(spec: &CommandSpec, name: &str) -> &'static str {
    match (spec.name, name) {
        ("render", _) => "",
        ("compare", "--run") => "compare --run one",
        ("compare", _) => "compare a.bin b.bin",
        ("trace", "--roi") => "trace",
        ("trace", _) => "trace --pixel 1 2",
        ("trace-diff", _) => "trace-diff a b",
        ("gradient", _) => "gradient --wrt a",
        ("refine", _) => "refine --wrt a --against a.bin",
        ("completions", _) => "completions bash",
        ("hkl", _) => "hkl a.mtz",
        ("stol", _) => "stol a.img",
        ("shots", "--shots") => "shots --nxmx a.nxs",
        ("shots", _) => "shots --shots 20 --nxmx a.nxs",
        (other, _) => other,
    }
}

#[test]
fn every_option_parses_under_every_spelling() {
    for spec in COMMANDS {
        for row in spec.options() {
            for name in row.spellings() {
                for value in samples(&row.takes) {
                    let line = format!("{} {name} {value}", complete_line(spec, name));
                    assert!(parse(&words(&line)).is_ok(), "{line}: {:?}", parse(&words(&line)));
                }
            }
        }
    }
}

#[test]
fn every_option_changes_something() {
    let none = Options::default();
    // Options that set the default.
    let silent = ["-square_xtal", "-round_div", "-mosflm", "-oversample"];
    for row in RENDER.options().filter(|row| !silent.contains(&row.name)) {
        let values = samples(&row.takes);
        let line = format!("{} {}", row.name, values.last().unwrap());
        if let Ok(Command::Render(given)) = parse(&words(&line)) {
            assert_ne!(*given, none, "{line}");
        }
    }
}

#[test]
fn names_are_unique_in_every_command() {
    for spec in COMMANDS {
        let mut names: Vec<_> = spec.options().flat_map(OptionSpec::spellings).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}

#[test]
fn no_arguments_is_help() {
    assert_eq!(parse(&[]), Ok(Command::Help));
    for line in ["--help", "-h", "-help", "-N 3 --help", "help"] {
        assert_eq!(parse(&words(line)), Ok(Command::Help), "{line}");
    }
    for (line, subject) in [
        ("demo --help", "demo"),
        ("completions --help", "completions"),
        ("trace -N 3 -h", "trace"),
        ("man --help", "man"),
        ("help --help", "help"),
        ("help trace", "trace"),
        ("help modes", "modes"),
    ] {
        assert_eq!(parse(&words(line)), Ok(Command::HelpOn(subject.to_owned())), "{line}");
    }
    assert_eq!(parse(&words("--version")), Ok(Command::Version));
}

#[test]
fn aliases_set_the_same_field() {
    for row in RENDER.options() {
        let Some(value) = samples(&row.takes).pop() else { continue };
        for alias in row.aliases {
            // The spelling shows in notes only.
            let without_notes = |name: &str| match parse(&words(&format!("{name} {value}"))) {
                Ok(Command::Render(options)) => {
                    Ok(Command::Render(Box::new(Options { notes: vec![], ..*options })))
                }
                other => other,
            };
            assert_eq!(without_notes(alias), without_notes(row.name), "{alias}");
        }
    }
}

#[test]
fn lengthenings_are_accepted_where_the_reference_does() {
    for (longer, name) in [
        ("-matrices", "-mat"),
        ("-wavelength_A", "-lambda"),
        ("-mosaici", "-mosaic"),
        ("-mosaic_spr", "-mosaic"),
        ("-mosaic_spread_deg", "-mosaic"),
        ("-mosaic_domainsX", "-mosaic_domains"),
        ("-detector_absorption", "-detector_abs"),
        ("-sample_heigh", "-sample_z"),
        ("-xtal_heights", "-sample_z"),
        ("-heigh", "-sample_z"),
        ("-sample_dens", "-density"),
        ("-molecule", "-MW"),
        ("-dumpfile", "-dump"),
    ] {
        assert_eq!(RENDER.syntax.find(longer).map(|row| row.name), Some(name), "{longer}");
    }
    for wrong in
        ["-mosaicX", "-mosaic_", "-mosaic_seeds", "-lambdaX", "-hklfile", "-Xbeamer", "--threadsX", "-ma"]
    {
        assert!(RENDER.syntax.find(wrong).is_none(), "{wrong}");
    }
}

#[test]
fn values_come_out_in_si_to_the_last_bit() {
    let o = options(
        "-pixel 0.172 -distance 231.274660 -lambda 0.976800 -phi 12.3 -osc 0.1 -hdivrange 2.3 -dispersion 0.7 \
         -dmin 1.7 -water 20.3 -detector_thick 450.7 -detector_abs 300.1 -misset 10 20 30 -ORGX 40.5 -mosaic 0.3",
    );
    assert_eq!(o.pixel_m, Some(0.172 / 1000.0));
    assert_eq!(o.distance_m, Some(231.274660 / 1000.0));
    assert_eq!(o.lambda_m, Some(0.9768 * 1e-10));
    assert_eq!(o.phi_rad, Some(12.3 * (PI / 180.0)));
    assert_eq!(o.osc_rad, Some(0.1 * (PI / 180.0)));
    assert_eq!(o.hdiv_range_rad, Some(2.3 / 1000.0));
    assert_eq!(o.dispersion_range, Some(0.7 / 100.0));
    assert_eq!(o.dmin_m, Some(1.7 * 1e-10));
    assert_eq!(o.water_m, Some(20.3 * 1e-6));
    assert_eq!(o.detector_thick_m, Some(450.7 * 1e-6));
    assert_eq!(o.detector_abs, Some(Attenuation::DepthM(300.1 * 1e-6)));
    assert_eq!(o.misset, Misset::Given([10.0, 20.0, 30.0].map(|angle| angle * RADIANS_PER_DEGREE)));
    assert_eq!(o.orgx_px, Some(40.5));
    assert_eq!(o.mosaic_spread_rad, Some(0.3 * RADIANS_PER_DEGREE));
    assert_eq!(options("-energy 11000").lambda_m, Some((12398.42 / 11000.0) * 1e-10));
}

#[test]
fn the_last_option_wins() {
    let o = options(
        "-N 5 -Nb 7 -lambda 1 -energy 12398.42 -wave 2 -detpixels 10 -detpixels_x 20 -polar 0.5 -nopolar",
    );
    assert_eq!(o.n_cells, [Some(5), Some(7), Some(5)]);
    assert_eq!(o.lambda_m, Some(2.0 * 1e-10));
    assert_eq!((o.detpixels_f, o.detpixels_s), (Some(20), Some(10)));
    assert!(o.nopolar);
    assert_eq!(o.polar_kahn, Some(0.5));
    assert!(!options("-nopolar -polar 0.5").nopolar);
    assert_eq!(options("-interpolate -nointerpolate").interpolate, Some(false));
    assert_eq!(options("-misset 1 2 3 -misset random").misset, Misset::Random);
    assert_eq!(options("-round_xtal -gauss_xtal").shape, CrystalShape::Gauss);
    assert!(!options("-nonoise -noisefile n.img").nonoise);
    assert!(options("-pgmfile p.pgm -nopgm").nopgm);
    assert_eq!(options("-oversample 3 -oversample 0").oversample, None);
    assert_eq!(options("-hdivrange 1 -divergence 2 -vdivrange 3").hdiv_range_rad, Some(2.0 / 1000.0));
    assert_eq!(options("-seed 5 -seed -6").seed_as_typed, Some(-6));
}

#[test]
fn the_pivot_follows_the_last_option_that_sets_it() {
    assert_eq!(options("-N 3").pivot, None);
    for beam in ["-distance 100", "-Xbeam 1", "-Ybeam 1", "-pivot beam"] {
        let samples = [
            "-close_distance 90",
            "-Xclose 1",
            "-Yclose 1",
            "-ORGX 1",
            "-ORGY 1",
            "-twotheta 0",
            "-pivot sample",
        ];
        for sample in samples {
            assert_eq!(options(&format!("{sample} {beam} -N 3")).pivot, Some(Pivot::Beam));
            assert_eq!(options(&format!("{beam} {sample} -N 3")).pivot, Some(Pivot::Sample));
            // The words of the named conventions set it too, for an axis that makes them custom.
            for named in ["-mosflm", "-adxv", "-denzo", "-dials"] {
                let line = format!("{sample} {named} -spindle_axis 0 1 0");
                assert_eq!(options(&line).pivot, Some(Pivot::Beam));
            }
            assert_eq!(options(&format!("{beam} -xds -spindle_axis 0 1 0")).pivot, Some(Pivot::Sample));
        }
    }
}

#[test]
fn conventions_and_axes() {
    assert_eq!(options("-N 3").convention, Convention::Mosflm);
    assert_eq!(options("-beam_vector 1 0 0 -xds").convention, Convention::Xds);
    let spindle = CustomAxes { spindle: Some(Vec3::from([-1.0, 0.0, 0.0])), ..CustomAxes::default() };
    // Axes before a named convention hold where another axis follows it.
    assert_eq!(
        options("-beam_vector 1 0 0 -adxv -spindle_axis -1 0 0").convention,
        Convention::Custom(CustomAxes { beam: Some(Vec3::from([1.0, 0.0, 0.0])), ..spindle })
    );
    let two = options("-spindle_axis -1 0 0 -fdet_vector 0 1e-05 -1e-05").convention;
    assert_eq!(two, Convention::Custom(CustomAxes { fast: Some(Vec3::from([0.0, 1e-5, -1e-5])), ..spindle }));
    let o = options("-dials -pix0_vector_mm 1 2 3");
    assert!(o.pix0_given);
    assert_eq!(o.convention, Convention::Custom(CustomAxes::default()));
}

/// nanoBragg finds `-twotheta` in `-twotheta_axis`; a later `-twotheta` replaces that, a later pivot only the pivot.
#[test]
fn in_c_parity_the_axis_of_the_swing_is_a_swing_too() {
    let parity = |line: &str| options(&format!("{line} --phi-carryover-mode c-parity"));
    let degree = RADIANS_PER_DEGREE;
    let o = parity("-twotheta 15 -pivot beam -twotheta_axis 2 0 -1");
    assert_eq!((o.twotheta_rad, o.pivot), (Some(2.0 * degree), Some(Pivot::Sample)));
    assert!(o.notes.iter().any(|note| note.starts_with("-twotheta_axis: ")), "{:?}", o.notes);
    assert_eq!(parity("-twotheta_axis 2 0 -1 -twotheta 15").twotheta_rad, Some(15.0 * degree));
    assert_eq!(parity("-twotheta_axis 2 0 -1 -distance 90").pivot, Some(Pivot::Beam));
    let o = options("-twotheta 15 -twotheta_axis 2 0 -1");
    assert_eq!((o.twotheta_rad, o.notes.len()), (Some(15.0 * degree), 0));
}

#[test]
fn negative_numbers_are_values() {
    let o = options("-phi -1e-05 -detector_rotx -.5 -Xbeam -3 -detector_roty +2 -default_F -1E+2 -seed -7");
    assert_eq!(o.phi_rad, Some(-1e-5 * RADIANS_PER_DEGREE));
    assert_eq!(o.detector_rot_rad, [-0.5 * RADIANS_PER_DEGREE, 2.0 * RADIANS_PER_DEGREE, 0.0]);
    assert_eq!(o.xbeam_m, Some(-3.0 / 1000.0));
    assert_eq!(o.default_f, Some(-100.0));
    assert_eq!(o.seed_as_typed, Some(-7));
    assert_eq!(options(&format!("-seed {}", i64::MIN)).seed_as_typed, Some(i64::MIN));
}

#[test]
fn unset_is_kept_as_typed() {
    let o = options("-osc -1 -phistep -2 -phisteps -3 -hdivsteps 0 -thicksteps -1 -xtalsize 0 -beamsize -1");
    assert!(o.osc_rad.is_some_and(|osc| osc < 0.0));
    assert!(o.phistep_rad.is_some_and(|step| step < 0.0));
    assert_eq!((o.phisteps, o.hdiv_count, o.detector_thicksteps), (Some(-3), Some(0), Some(-1)));
    assert_eq!(o.sample_m, [Some(0.0); 3]);
    assert_eq!(options("-phisteps 0").phisteps, Some(0));
    assert_eq!(options("-oversample -1").oversample, None);
    assert_eq!(options("-detector_abs 0").detector_abs, Some(Attenuation::NoThickness));
    assert_eq!(options("-detector_abs Inf").detector_abs, Some(Attenuation::NoThickness));
}

/// Odd values are taken as nanoBragg takes them, with a note.
#[test]
fn odd_values_leave_a_note_and_run() {
    for (line, note) in [
        ("-N 0", "-N 0: taken as 1, as in nanoBragg"),
        ("-Nb -3", "-Nb -3: taken as 1, as in nanoBragg"),
        ("-N 2.7", "-N 2.7: taken as 2, as in nanoBragg"),
        ("-mosaic_domains 0", "-mosaic_domains 0: counts as not given, as in nanoBragg"),
        ("-detpixels 0", "-detpixels 0: counts as not given, as in nanoBragg"),
        ("-detsize -5", "-detsize -5: counts as not given, as in nanoBragg"),
        ("-detector_thick -1", "-detector_thick -1: counts as not given, as in nanoBragg"),
        ("-detector_abs -3", "-detector_abs -3: counts as not given, as in nanoBragg"),
        ("-phisteps -2", "-phisteps -2: counts as not given, as in nanoBragg"),
        ("-divergence -1", "-divergence -1: counts as not given, as in nanoBragg"),
        ("-roi -3 5 2 -1", "-roi -3 5 2 -1: negative limits are those of the detector, as in nanoBragg"),
        ("-printout_pixel -1 -1", "-printout_pixel -1 -1: every pixel is printed, as in nanoBragg"),
        (
            "-cell 50 0 40",
            "-cell 50 0 40: lengths of 0 are taken as a and angles of 0 as 90, as in nanoBragg",
        ),
        ("-dispstep 3", "-dispstep 3 is accepted but has no effect, as in nanoBragg: give -dispsteps"),
        ("-hdiv 0.28", "-hdiv 0.28 is accepted but has no effect, as in nanoBragg: give -hdivrange"),
        ("-vdiv 0", "-vdiv 0 is accepted but has no effect, as in nanoBragg: give -vdivrange"),
        ("-coherent", "-coherent is accepted but has no effect, as in nanoBragg"),
        ("-stolout o.stol", "-stolout is accepted but has no effect, as in nanoBragg"),
    ] {
        assert_eq!(options(line).notes, [note], "{line}");
    }
    let o = options(
        "-N 0 -Nb 7.9 -mosaic_domains -2 -detpixels 0 -detsize 0 -roi -3 5 2 -1 -printout_pixel -1 -1",
    );
    assert_eq!(o.n_cells, [Some(1), Some(7), Some(1)]);
    assert_eq!((o.mosaic_domains, o.detpixels_f, o.detsize_s_m), (None, None, None));
    assert_eq!((o.roi_px, o.printout, o.printout_pixel), (Some([-3, 5, 2, -1]), true, None));
    assert_eq!(options("-cell 50 0 40 0").cell_angstrom_deg, Some([50.0, 50.0, 40.0, 90.0, 90.0, 90.0]));
}

#[test]
fn a_short_cell_is_filled_up() {
    let cell = |line| options(line).cell_angstrom_deg;
    assert_eq!(cell("-cell 60 -N 3"), Some([60.0, 60.0, 60.0, 90.0, 90.0, 90.0]));
    assert_eq!(cell("-cell 60 45 -N 3"), Some([60.0, 45.0, 60.0, 90.0, 90.0, 90.0]));
    assert_eq!(cell("-cell 45 52 61 82 97 104"), Some([45.0, 52.0, 61.0, 82.0, 97.0, 104.0]));
}

#[test]
fn whole_numbers_in_exponent_form() {
    assert_eq!(options("-detpixels 1e3").detpixels_f, Some(1000));
    assert_eq!(options("-roi 0 1e2 5.0 6").roi_px, Some([0, 100, 5, 6]));
}

#[test]
fn our_own_options() {
    let o = options(
        "--phi-carryover-mode=c-parity --reference-threads 2 --threads=4 --simd avx2 --png p.png --cbf=c.cbf \
         --header reference --json --quiet --frames 10 --frame-range=3:5 --resume --noise-cbf n.cbf \
         --phi-sampling middle --nxmx=a.nxs --nxmx-compression bslz4 --nxmx-frames-per-file 100 --nxmx-data photons --nxmx-means",
    );
    assert_eq!(o.carryover_mode, PhiMode::CParity);
    assert_eq!((o.reference_threads, o.threads, o.simd), (Some(2), Some(4), Some(SimdLevel::Avx2)));
    assert_eq!(o.png.as_deref(), Some(Path::new("p.png")));
    assert_eq!(o.cbf.as_deref(), Some(Path::new("c.cbf")));
    assert_eq!(o.noise_cbf.as_deref(), Some(Path::new("n.cbf")));
    assert_eq!(o.nxmx.as_deref(), Some(Path::new("a.nxs")));
    assert_eq!(o.nxmx_compression, Some(Compression::BitshuffleLz4));
    assert_eq!(o.nxmx_frames_per_file, Some(100));
    assert_eq!(o.data_of_nxmx(), Some(NxmxData::Photons));
    assert_eq!(options("--nxmx a.nxs").data_of_nxmx(), Some(NxmxData::Noise));
    assert_eq!(options("--nxmx a.nxs -nonoise").data_of_nxmx(), Some(NxmxData::Photons));
    assert_eq!(options("--nxmx a.nxs -nonoise --nxmx-data noise").data_of_nxmx(), Some(NxmxData::Noise));
    assert_eq!(options("--nxmx-data noise").data_of_nxmx(), None);
    assert_eq!(o.phi_sampling, PhiSampling::Middle);
    assert_eq!(o.header, HeaderStyle::Reference);
    assert!(o.json && o.quiet && o.resume && !o.resume_anyway);
    let o = options("--resume-anyway");
    assert!(o.resume && o.resume_anyway);
    let o = options("--frames 10 --frame-range=3:5");
    assert_eq!((o.frames, o.frame_range), (Some(10), Some([3, 5])));
}

#[test]
fn noise_of_the_detector() {
    let o = options("-N 3");
    assert!(!o.has_counter_noise() && o.noise_stages == NoiseStages::default());
    assert!(options("--noise-model counter").has_counter_noise());
    let o = options(
        "--flicker 0.02 --pixel-flicker 0.01 --dead-time 120,retrigger --psf fiber,80,10 --gain 1.5 --calibration 0.03 --calibration-seed 9 \
         --common-mode 2,256,128 --readout 3 --bad-pixels dead=4,seed=6",
    );
    assert!(o.has_counter_noise());
    let stages = NoiseStages {
        flicker: 0.02,
        pixel_flicker: 0.01,
        dead_time: Some(DeadTimeRule { tau_s: 120.0 * 1e-9, retriggers: true }),
        point_spread: Some(PointSpreadRule { form: Form::Fiber, width_m: 80.0 * 1e-6, radius_px: Some(10) }),
        gain: Gain::PerPhoton(1.5),
        calibration: 0.03,
        calibration_seed: 9,
        common_mode: Some(CommonModeRule { rms_adu: 2.0, block: Some([256, 128]) }),
        readout_adu: 3.0,
        saturation_adu: None,
        bad_pixels: BadPixels::Drawn { hot: 0, dead: 4, seed: 6 },
    };
    assert_eq!(o.noise_stages, stages);
    assert_eq!((o.bad_pixels, o.adc), (None, None));
    // The last of a list and of those that are drawn counts.
    let o = options("--bad-pixels hot=3 --bad-pixels bad.txt");
    assert_eq!(o.bad_pixels.as_deref(), Some(Path::new("bad.txt")));
    assert!(o.has_counter_noise() && o.noise_stages == NoiseStages::default());
    let o = options("--bad-pixels bad.txt --bad-pixels hot=3");
    assert_eq!(o.noise_stages.bad_pixels, BadPixels::Drawn { hot: 3, dead: 0, seed: 1 });
    assert_eq!(o.bad_pixels, None);
    // Options are used instead of the values of a model, wherever they stand.
    let o = options("--readout 3 --detector-model cspad --common-mode 0 -adc 12");
    assert_eq!(o.detector_model, Some(DetectorModel::Cspad));
    let stages = NoiseStages {
        gain: Gain::PerKev(3.38),
        readout_adu: 3.0,
        saturation_adu: Some(9464),
        ..NoiseStages::default()
    };
    assert_eq!((o.noise_stages, o.adc), (stages, Some(12.0)));
    // Nothing of a stage is no stage.
    let o = options(
        "--flicker 0 --dead-time 0 --psf none --gain 1 --common-mode 0,2,2 --readout 0 --bad-pixels hot=0,seed=3",
    );
    assert_eq!(o.noise_stages, NoiseStages::default());
    let negative = "must not be negative";
    for (line, why) in [
        ("--flicker -0.1", negative),
        ("--pixel-flicker -1", negative),
        ("--calibration -0.03", negative),
        ("--readout -3", negative),
        ("--readout nan", "'nan' is not a finite number"),
        ("--flicker inf", "'inf' is not a finite number"),
        ("--gain 0", "must be larger than zero"),
        ("--gain -2", "must be larger than zero"),
        ("--calibration-seed -1", "a seed must not be negative"),
        ("--dead-time -5", "expected a number that is not negative"),
        ("--dead-time nan", "expected a number that is not negative"),
        ("--dead-time 100,slow", "expected a time in ns, and then only ,retrigger"),
        ("--common-mode inf", "expected a number that is not negative"),
        ("--common-mode 1,2", "expected ADU, or ADU,FAST,SLOW"),
        ("--common-mode 1,2,0", "the sides of a block are numbers of pixels, at least 1"),
        ("--bad-pixels hot=-1", "hot= needs a whole number that is not negative"),
        ("--bad-pixels hot=1,hot=2", "hot= is there twice"),
        ("--bad-pixels cold=1", "expected some of hot=N, dead=N and seed=S, or a file"),
    ] {
        assert_eq!(refusal(line), format!("{line}: {why}"));
    }
    assert!(refusal("--noise-model reference --gain 2").starts_with("--noise-model reference: "));
    assert!(refusal("--gain 2 --phi-carryover-mode c-parity").starts_with("--noise-model counter, "));
    let line = "shots --shots 2 --nxmx a.nxs --noise-model reference";
    let Ok(Command::Render(shots)) = parse(&words(line)) else { panic!("{line}: refused") };
    assert!(shots.has_counter_noise() && shots.notes[0].contains("has no effect"), "{:?}", shots.notes);
}

#[test]
fn commands() {
    let Ok(Command::Demo(demo)) =
        parse(&words("demo --threads 2 --out there --phi-carryover-mode c-parity --quiet"))
    else {
        panic!("demo refused")
    };
    assert_eq!((demo.threads, demo.out.as_path()), (Some(2), Path::new("there")));
    assert!(demo.quiet && !demo.json);
    assert_eq!(demo.carryover_mode, PhiMode::CParity);
    assert!(
        matches!(parse(&words("demo")), Ok(Command::Demo(demo)) if demo.out == Path::new("widebragg-demo"))
    );
    assert_eq!(parse(&words("completions zsh")), Ok(Command::Completions(Shell::Zsh)));
    assert_eq!(parse(&words("man")), Ok(Command::Man));
    assert_eq!(refusal("gradient -N 3"), "gradient: missing --wrt NAME,..., for example --wrt cell,misset");
    assert_eq!(refusal("refine --wrt cell"), "refine: needs the image to fit, --against IMAGE");
    assert!(matches!(parse(&words("gradcheck -N 3")), Ok(Command::Gradcheck(check)) if check.wrt == "all"));
    assert_eq!(refusal("demo -roi 1 2 3 4"), "-roi: not an option of demo");
    assert_eq!(refusal("--out d"), "--out: an option of demo only");
}

fn compared(line: &str) -> CompareOptions {
    match parse(&words(line)) {
        Ok(Command::Compare(options)) => *options,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn comparisons() {
    let c =
        compared("compare a.bin --size 3 2 b.img --roi 0 2 1 1 --threshold 0.9 --rings --out there --json");
    assert_eq!(c.images, [Path::new("a.bin"), Path::new("b.img")]);
    assert_eq!((c.size_px, c.roi_px, c.threshold), (Some([3, 2]), Some([0, 2, 1, 1]), Some(0.9)));
    assert!(c.rings && c.json && !c.quiet);
    assert_eq!(c.out, Path::new("there"));
    let c = compared("compare --run one --run two --evidence e -- -N 3 --json --");
    assert_eq!((c.runs, c.passed_on), (words("one two"), words("-N 3 --json --")));
    assert_eq!(c.out, Path::new("widebragg-compare"));
    assert_eq!(c.evidence.as_deref(), Some(Path::new("e")));
    assert!(!c.json);
    for (line, message) in [
        ("compare", "compare: needs two images, but 0 given"),
        ("compare a b c", "compare: needs two images, but 3 given"),
        ("compare --run one -- -N 3", "compare: --run is needed twice, once for each program"),
        ("compare a b --run one --run two", "compare: either two images or --run twice, not both"),
        ("compare a b -- -N 3", "compare: options after -- are for programs (--run)"),
        ("compare a b --size 0 3", "--size 0 3: must be at least 1"),
        ("compare a b --frames 3", "--frames: not an option of compare"),
        ("compare a b --treshold 3", "unknown option --treshold; did you mean --threshold?"),
    ] {
        let failure = parse(&words(line)).unwrap_err();
        assert_eq!((failure.to_string().as_str(), failure.code()), (message, 1), "{line}");
    }
}

fn traced(line: &str) -> TraceOptions {
    match parse(&words(line)) {
        Ok(Command::Trace(options)) => *options,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn traces() {
    let t = traced(
        "trace -N 3 --pixel 4 5 --dtype float32 -roi 0 7 0 6 --pixel 0 1 --pixel 4 5 --out t --simd avx2",
    );
    assert_eq!((t.pixels, t.roi_px), (vec![[4, 5], [0, 1]], None));
    assert_eq!(
        (t.dtype, t.format, t.out.as_deref()),
        (Dtype::Float32, TraceFormat::Text, Some(Path::new("t")))
    );
    assert_eq!((t.render.n_cells, t.render.roi_px), ([Some(3); 3], Some([0, 7, 0, 6])));
    let t = traced(
        "trace --roi 4 5 0 2 --subpixel 1 0 --source 3 --format json --evidence e -floatfile x --png y",
    );
    assert_eq!((t.roi_px, t.subpixel, t.source), (Some([4, 5, 0, 2]), Some([1, 0]), Some(3)));
    assert_eq!((t.format, t.out), (TraceFormat::Json, None));
    assert_eq!(t.render.evidence.as_deref(), Some(Path::new("e")));
    assert_eq!(traced("trace --json --pixel 0 0").format, TraceFormat::Json);
    assert_eq!(
        refusal("trace -N 3"),
        "trace: which pixels? give --pixel SLOW FAST, also several times, or --roi"
    );
    assert_eq!(refusal("trace --pixel 0 0 --roi 0 1 0 1"), "trace: either --pixel or --roi, not both");
    assert_eq!(refusal("trace --roi 3 2 0 1"), "--roi 3 2 0 1: smin is larger than smax");
    assert_eq!(refusal("trace --pixel 0 0 --source -1"), "--source -1: must not be negative");
    assert_eq!(refusal("trace --pixel 0 0 --frames 2"), "--frames: not an option of trace");
    assert_eq!(refusal("--dtype float32"), "--dtype: an option of trace only");
    assert_eq!(refusal("trace here --pixel 0 0"), "stray word 'here' after trace");
}

#[test]
fn trace_comparisons() {
    let Ok(Command::TraceDiff(t)) =
        parse(&words("trace-diff a --rtol 1e-9 b --atol 2 --pixel 3 4 --out o --quiet"))
    else {
        panic!("refused")
    };
    assert_eq!(t.traces, [Path::new("a"), Path::new("b")]);
    assert_eq!((t.rtol, t.atol, t.pixels), (1e-9, 2.0, vec![[3, 4]]));
    assert!(t.quiet && !t.json && t.out == Path::new("o"));
    for (line, message) in [
        ("trace-diff a", "trace-diff: needs two traces, but 1 given"),
        ("trace-diff a b c", "trace-diff: needs two traces, but 3 given"),
        ("trace-diff a b --rtol -1", "--rtol -1: must not be negative"),
        ("trace-diff a b -N 3", "-N: not an option of trace-diff"),
    ] {
        let failure = parse(&words(line)).unwrap_err();
        assert_eq!((failure.to_string().as_str(), failure.code()), (message, 1), "{line}");
    }
}

#[test]
fn unknown_options_name_the_nearest() {
    for (typed, meant) in [
        ("-lamda", "-lambda"),
        ("-detpixel_x", "-detpixels_x"),
        ("-xbeam", "-Xbeam"),
        ("--roi", "-roi"),
        ("-threads", "--threads"),
        ("--thread=4", "--threads"),
        ("-distance=100", "-distance"),
    ] {
        assert_eq!(refusal(typed), format!("unknown option {typed}; did you mean {meant}?"));
    }
    assert_eq!(refusal("-qwertyuiop"), "unknown option -qwertyuiop; widebragg help options lists them all");
    assert_eq!(refusal("demo --qwertyuiop"), "unknown option --qwertyuiop; widebragg help demo lists them");
}

#[test]
fn unknown_options_name_what_means_the_same() {
    for (typed, meant) in [
        ("-orgx", "-ORGX"),
        ("-detector_distance", "-distance"),
        ("-det_dist", "-distance"),
        ("-polarization", "-polar"),
        ("-polarisation", "-polar"),
        ("-beam_center", "-Xbeam and -Ybeam"),
        ("-beam_centre", "-Xbeam and -Ybeam"),
        ("-beam_center_x", "-Xbeam"),
        ("-lambda_angstrom", "-lambda"),
        ("-exposure_time", "-exposure"),
        ("-pixel_size_mm", "-pixel"),
        ("-beam_size_um", "-beamsize"),
        ("--oscillation-range", "-osc"),
        ("-unit_cell", "-cell"),
        ("-n_frames", "--frames"),
    ] {
        assert_eq!(refusal(typed), format!("unknown option {typed}; did you mean {meant}?"));
    }
    // These are lengthenings that nanoBragg takes, and run.
    assert_eq!(options("-wavelength_angstrom 1.5").lambda_m, Some(1.5e-10));
    assert!(options("-mosaic_spread 1").mosaic_spread_rad.is_some());
    for (_, names) in suggest::SYNONYMS {
        for name in *names {
            assert!(RENDER.syntax.find(name).is_some(), "{name}");
        }
    }
}

#[test]
fn refusals_name_the_option_and_the_value() {
    for (line, message) in [
        ("-hkl", "-hkl: needs a value (FILE), but nothing follows"),
        ("-hkl -mat A.mat", "-hkl: needs a value (FILE), but -mat follows"),
        ("-roi 1 2 3", "-roi: needs 4 values (xmin xmax ymin ymax), but only 3 given"),
        ("-roi 1 2 -N 3", "-roi: needs 4 values (xmin xmax ymin ymax), but only 2 given before -N"),
        ("-roi 9 2 3 4", "-roi 9 2 3 4: xmin is larger than xmax"),
        ("-roi 1 2 4 3", "-roi 1 2 4 3: ymin is larger than ymax"),
        ("-cell", "-cell: needs 1 to 6 values (a [b c alpha beta gamma]), but nothing follows"),
        ("-cell 0", "-cell 0: cell lengths must be larger than zero"),
        ("-cell 10 -5", "-cell 10 -5: cell lengths must be larger than zero"),
        ("-cell 9 9 9 90 90 180", "-cell 9 9 9 90 90 180: cell angles must lie between 0 and 180 degrees"),
        ("-phi abc", "-phi abc: 'abc' is not a number"),
        ("-phi -5x", "-phi -5x: '-5x' is not a number"),
        ("-phi nan", "-phi nan: 'nan' is not a finite number"),
        ("-phi -inf", "-phi -inf: '-inf' is not a finite number"),
        ("-phi 1e999", "-phi 1e999: '1e999' is not a finite number"),
        ("-detpixels_x -5", "-detpixels_x -5: must not be negative"),
        ("-seed 2.5", "-seed 2.5: '2.5' is not a whole number"),
        ("-N 1e20", "-N 1e20: '1e20' is too large"),
        ("-pixel 0", "-pixel 0: must be larger than zero"),
        ("-lambda -1", "-lambda -1: must be larger than zero"),
        ("-lambda 1e-320", "-lambda 1e-320: too close to zero"),
        ("-energy 0", "-energy 0: must be larger than zero"),
        ("-energy 1e-320", "-energy 1e-320: out of range"),
        ("-distance 0", "-distance 0: must not be zero"),
        ("-close_distance -0", "-close_distance -0: must not be zero"),
        ("-water -1", "-water -1: must not be negative"),
        ("-beam_vector 0 0 -0", "-beam_vector 0 0 -0: an axis must have a direction"),
        ("-pivot up", "-pivot up: expected beam or sample"),
        ("--simd=sse", "--simd sse: expected auto, portable, avx2 or avx512"),
        ("--quiet=yes", "--quiet=yes: the option takes no value"),
        ("--frame-range 3:2", "--frame-range 3:2: the first frame is larger than the last"),
        ("--frame-range 0:2", "--frame-range 0:2: frames count from 1"),
        ("--frame-range 3", "--frame-range 3: expected A:B, the first and the last frame"),
        ("--frame-range 2:5 --frames 4", "--frame-range 2:5: the series has 4 frames (--frames)"),
        ("completions tcsh", "completions tcsh: expected bash, zsh or fish"),
        ("-mat A.mat foo", "stray word 'foo' after -mat A.mat"),
        ("-cell 1 2 3 90 90 90 7", "stray word '7' after -cell 1 2 3 90 90 90"),
        ("-curved_det yes no", "stray word 'no' after -curved_det"),
        ("--json yes", "stray word 'yes' after --json"),
        ("demo foo", "stray word 'foo' after demo"),
        ("dem", "'dem' is neither an option nor a command; did you mean demo?"),
    ] {
        assert_eq!(refusal(line), message);
    }
}

#[test]
fn what_has_no_effect_leaves_one_note() {
    let o = options("-curved_det yes -density 1.2 -density 1.3 -MW 18 -stol a -4stol b -Q c");
    assert!(o.curved_det);
    assert_eq!(o.notes.first().unwrap(), "'yes' after -curved_det is ignored: the option takes no value");
    assert_eq!(o.notes.len(), 6);
    let has_none = |name: &str| format!("{name} is accepted but has no effect, as in nanoBragg");
    let tables = [("-stol", "s"), ("-4stol", "4s"), ("-Q", "Q")]
        .map(|(name, column)| format!("{}: --background FILE:{column},THICKNESS_mm has one", has_none(name)));
    assert_eq!(o.notes[1..], [&[has_none("-density"), has_none("-MW")][..], &tables].concat());
    assert!(options("-N 3").notes.is_empty());
}

#[test]
fn refusals_stay_on_one_line() {
    for line in [["-phi", "1\n2"], ["-ph\ni", "1"], ["-hkl", ""], ["-mat\u{2028}", "\r"], ["\n", "\n"]] {
        if let Err(failure) = parse(&line.map(str::to_owned)) {
            assert!(!failure.to_string().contains(['\n', '\r', '\u{2028}']), "{failure}");
        }
    }
    // The rest of a name that is known by its beginning is the user's as well.
    let words = ["-sample_density\u{1b}[2J\n", "1", "-molec\r", "18"].map(str::to_owned);
    let Ok(Command::Render(options)) = parse(&words) else { panic!("{words:?}") };
    assert_eq!(options.notes.len(), 2);
    assert!(options.notes.iter().all(|note| !note.contains(char::is_control)), "{:?}", options.notes);
    let long = "x".repeat(100_000);
    assert!(parse(&[format!("-{long}"), long]).unwrap_err().to_string().len() < 300);
}

#[test]
fn help_is_complete_and_fits() {
    let text = help_on("options").unwrap();
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{line}");
        assert_eq!(line, line.trim_end());
    }
    for name in option_names() {
        assert!(text.split([' ', '\n', ']']).any(|word| word == name), "{name}");
    }
}

#[test]
fn every_command_has_a_spec_and_a_page() {
    for spec in COMMANDS {
        if spec.name != RENDER.name {
            let parsed = parse(&words(complete_line(spec, "")));
            let renders = |options: &Options| options.shots.is_none();
            let is_render = |command| matches!(command, Command::Render(options) if renders(&options));
            assert!(parsed.is_ok_and(|command| !is_render(command)), "{}", spec.name);
        }
        let page = help_on(spec.name).unwrap();
        assert!(page.starts_with(&format!("widebragg {}: {}\n", spec.name, spec.purpose)), "{page}");
        for group in spec.syntax.sections() {
            for option in group.options {
                assert!(page.contains(&format!("\n  {}", option.name)), "{}: {}", spec.name, option.name);
            }
        }
        assert!(spec.topics.iter().all(|topic| topics::topic(topic).is_some()), "{}", spec.name);
        assert!(spec.usage.iter().all(|usage| page.contains(usage)));
    }
}

#[test]
fn pages_of_commands_other_than_a_render_are_short() {
    for spec in COMMANDS.into_iter().filter(|spec| spec.name != RENDER.name) {
        let page = help_on(spec.name).unwrap();
        let is_companion = ["noisify", "nonbragg"].contains(&spec.name);
        assert_eq!(page.contains("-detpixels"), is_companion, "{page}");
        assert!(page.lines().count() < if is_companion { 150 } else { 120 }, "{}", spec.name);
        let takes_more = spec.syntax.render_sections().len() > 1;
        assert_eq!(page.contains("see widebragg help render"), takes_more, "{}", spec.name);
    }
}

#[test]
fn the_short_help_fits_a_screen() {
    let text = help();
    assert!(text.lines().count() <= 58, "{} lines\n{text}", text.lines().count());
    for line in text.lines() {
        assert!(line.chars().count() <= 78 && line == line.trim_end(), "{line}");
    }
    for spec in COMMANDS.into_iter().filter(|spec| spec.name != RENDER.name) {
        assert!(text.contains(&format!("\n  {} ", spec.name)), "{}", spec.name);
    }
    for topic in &TOPICS {
        assert!(text.contains(&format!("\n  {} ", topic.name)), "{}", topic.name);
    }
}

#[test]
fn topics_are_written_and_fit_a_terminal() {
    for topic in &TOPICS {
        assert!(!topic.title.is_empty() && topic.title.chars().count() < 62, "{}", topic.name);
        let page = help_on(topic.name).unwrap();
        for line in page.lines() {
            assert!(line.chars().count() <= 78 && line == line.trim_end(), "{}: {line}", topic.name);
        }
        if let Some(text) = topic.text.paragraphs() {
            assert!(text.lines().count() >= 10 && text.ends_with('\n'), "{}", topic.name);
            assert!(!text.contains("\n\n\n") && text.is_ascii() && !text.contains('\t'), "{}", topic.name);
            assert!(page.contains(&text), "{}", topic.name);
        }
    }
}

/// Options that a topic names exist.
#[test]
fn topics_name_options_that_exist() {
    let known: Vec<_> = option_names().collect();
    // The index -l of the law of a twin, and options of other programs.
    let foreign = ["-l", "--array", "-c", "-v", "-O3"];
    for topic in &TOPICS {
        let Some(text) = topic.text.paragraphs() else { continue };
        for word in text.split(|c: char| c.is_whitespace() || "(),;:.\"|[]".contains(c)) {
            let word = word.split('=').next().unwrap_or(word);
            let is_option =
                word.starts_with('-') && word.trim_start_matches('-').starts_with(char::is_alphabetic);
            if is_option && !foreign.contains(&word) {
                assert!(known.contains(&word), "{}: {word}", topic.name);
            }
        }
    }
}

#[test]
fn subjects_without_help_are_refused_with_a_hint() {
    for (subject, hint) in [
        ("mode", "help: 'mode' is neither a command nor a topic; did you mean modes?"),
        ("tracedif", "help: 'tracedif' is neither a command nor a topic; did you mean trace-diff?"),
    ] {
        let failure = help_on(subject).unwrap_err();
        assert_eq!((failure.to_string().as_str(), failure.code()), (hint, 2));
    }
    for (word, topic) in [("hdf5", "nxmx"), ("sensor", "detectors"), ("Light", "performance")] {
        assert_eq!(help_on(word).unwrap(), help_on(topic).unwrap());
    }
    assert_eq!(help_on("neglect").unwrap(), help_on("performance").unwrap());
    let detectors = help_on("detectors").unwrap().replace('\n', " ");
    for words in ["AGIPD 1M, ePix10k2M and Pilatus 12M-DLS.", "also Jungfrau 500K, JF0.5M"] {
        assert!(detectors.contains(words), "{words}");
    }
    let failure = help_on("qwertyuiop").unwrap_err();
    assert_eq!(failure.code(), 2);
    assert!(TOPICS.iter().all(|topic| failure.to_string().contains(topic.name)), "{failure}");
    assert_eq!(refusal("help modes units"), "help: unexpected 'units'");
    assert_eq!(refusal("help -N 3"), "-N: not an option of help");
    assert!(command("render").is_some() && refusal("render -N 3").contains("without 'render'"));
}

#[test]
fn the_man_page_is_complete() {
    let page = man();
    for row in all_options() {
        let names: Vec<_> =
            row.spellings().map(|name| format!("\\fB{}\\fR", name.replace('-', "\\-"))).collect();
        assert!(page.contains(&format!(".TP\n{}", names.join(", "))), "{}", row.name);
    }
    for topic in &TOPICS {
        let heading = format!(".SS {}: ", topic.name.replace('-', "\\-"));
        assert_eq!(page.contains(&heading), topic.text.paragraphs().is_some(), "{}", topic.name);
    }
    // A line that starts with a dot is a request: only these are meant.
    let requests = [
        ".TH", ".SH", ".SS", ".TP", ".B", ".I", ".RI", ".br", ".PP", ".RS", ".RE", ".nh", ".hy", ".na", ".ad",
    ];
    for line in page.lines().filter(|line| line.starts_with(['.', '\''])) {
        assert!(requests.contains(&line.split(' ').next().unwrap()), "{line}");
    }
}

#[test]
fn completions_are_complete() {
    let (bash, zsh, fish) = (completions(Shell::Bash), completions(Shell::Zsh), completions(Shell::Fish));
    assert!(!bash.contains('@'));
    for name in option_names() {
        assert!(bash.split([' ', '"', '|', ')', '\n']).any(|word| word == name), "bash: {name}");
        let spec = format!("'*{name}");
        assert!(zsh.contains(&format!("{spec}[")) || zsh.contains(&format!("{spec}=[")), "zsh: {name}");
        let spec = match name.strip_prefix("--") {
            Some(long) => format!(" -l {long} "),
            None => format!(" -o {} ", name.trim_start_matches('-')),
        };
        assert!(fish.contains(&spec), "fish: {name}");
    }
    for script in [&bash, &zsh, &fish] {
        assert!(script.contains("completions") && script.contains("avx512") && script.contains("c-parity"));
    }
}

fn token() -> impl Strategy<Value = String> {
    let names: Vec<_> = all_options().flat_map(OptionSpec::spellings).collect();
    prop_oneof![
        4 => prop::sample::select(names).prop_map(str::to_owned),
        4 => (-3i64..40).prop_map(|n| n.to_string()),
        1 => any::<f64>().prop_map(|x| x.to_string()),
        1 => any::<i64>().prop_map(|n| n.to_string()),
        1 => any::<String>(),
        1 => "-{0,3}[a-zA-Z_=]{0,12}",
        1 => prop::sample::select(vec!["demo", "compare", "trace", "trace-diff", "random", "inf", "-inf", "nan", "1:2", "", "-", "--", "1e3", "beam"])
            .prop_map(str::to_owned),
    ]
}

proptest! {
    #[test]
    fn no_words_panic(words in prop::collection::vec(token(), 0..12)) {
        if let Err(failure) = parse(&words) {
            let usage = if ["compare", "trace-diff"].contains(&words[0].as_str()) { 1 } else { 2 };
            prop_assert_eq!(failure.code(), usage);
            prop_assert!(!failure.to_string().contains('\n'));
        }
    }

    #[test]
    fn accepted_numbers_are_finite(value in any::<f64>()) {
        for name in ["-phi", "-lambda", "-energy", "-pixel", "-fudge", "-distance", "-dispersion"] {
            if let Ok(Command::Render(o)) = parse(&[name.to_owned(), value.to_string()]) {
                let fields = [o.phi_rad, o.lambda_m, o.pixel_m, o.fudge, o.distance_m, o.dispersion_range];
                prop_assert!(fields.into_iter().flatten().all(f64::is_finite));
                prop_assert!(o.lambda_m.is_none_or(|lambda| lambda > 0.0));
                prop_assert!(o.pixel_m.is_none_or(|pixel| pixel > 0.0));
            }
        }
    }
}
