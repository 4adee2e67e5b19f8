//! Random command lines through the program and through other programs that compute the same images: the
//! reference itself in c-parity, and an oracle in numpy in both modes.
//!
//! Neither is part of the project. Where environment variables name them, they are run:
//!
//! ```text
//! NANOBRAGG=path/of/nanoBragg ORACLE_PY=path/of/oracle.py PYTHON=python3 WIDEBRAGG_LINES=2000 \
//!     cargo test --release --workspace --test cli_peers -- --nocapture
//! ```
//!
//! Every run draws other lines; `WIDEBRAGG_SEED` repeats those of a run, whose seed is printed.

use core::sync::atomic::{AtomicUsize, Ordering};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};
use std::{env, thread};
use widebragg_tests::commands::{command_line, is_odd_seed, lines_to_draw};
use widebragg_tests::compare::{compare, is_close};
use widebragg_tests::golden;
use widebragg_tests::oracle::command::{Shape, canonical};
use widebragg_tests::oracle::{Mode, Simulation};
use widebragg_tests::program::Workplace;
use widebragg_tests::skipped::skipped;

/// The float image of our program and of the reference.
const IMAGE: &str = "floatimage.bin";

/// Of this many lines, one may be anything but identical, for each verdict.
const ONE_EXCUSED_IN: usize = 100;

/// Lines compared with the numpy oracle, which takes seconds for each.
const NUMPY_LINES: usize = 220;

/// How two images of a line compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Bit for bit the same.
    Identical,
    /// Within the limits for random lines.
    Close,
    /// The digits that the reference's sinc3 loses next to the direct beam, or its sincg next to a node.
    LostDigits,
    /// A random rotation whose angle, an f32 from `powf`, is one bit apart.
    RandomRotation,
    /// A sample of a whole number of cells, where the last bit of the cell decides about one more.
    WholeCells,
    /// The peer itself stops with an error, or divides by the length of a zero vector (the numpy oracle, where
    /// beam and polarisation are parallel).
    PeerFails,
}

const VERDICTS: [Verdict; 6] = [
    Verdict::Identical,
    Verdict::Close,
    Verdict::LostDigits,
    Verdict::RandomRotation,
    Verdict::WholeCells,
    Verdict::PeerFails,
];

/// The seed of this run: given, or from the clock.
fn seed() -> u64 {
    let given = env::var("WIDEBRAGG_SEED").ok();
    let given = given.map(|seed| seed.parse().expect("WIDEBRAGG_SEED is an integer"));
    let clock =
        || SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_nanos() as u64;
    given.unwrap_or_else(clock)
}

/// `count` random command lines that are `usable`.
fn lines(count: usize, usable: impl Fn(&[String]) -> bool) -> Vec<Vec<String>> {
    let seed = seed();
    println!("{count} lines of seed {seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let config = Config { failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, rng);
    let strategy = command_line();
    let mut draw = move || strategy.new_tree(&mut runner).expect("a command line").current();
    core::iter::repeat_with(&mut draw).filter(|line| usable(line)).take(count).collect()
}

/// Judges all lines over all cores and prints how many there are of each verdict; fails with those that differ.
fn judge(lines: &[Vec<String>], verdict: impl Fn(&[String]) -> Result<Verdict, String> + Sync) {
    let next = AtomicUsize::new(0);
    let verdicts = Mutex::new(Vec::new());
    let worker = || {
        while let Some(line) = lines.get(next.fetch_add(1, Ordering::Relaxed)) {
            let found = verdict(line).map_err(|what| format!("{}: {what}", line.join(" ")));
            verdicts.lock().expect("no other thread panicked").push(found);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(worker);
        }
    });
    let verdicts = verdicts.into_inner().expect("no thread panicked");
    for kind in VERDICTS {
        let count = verdicts.iter().filter(|&verdict| *verdict == Ok(kind)).count();
        println!("{count} of {} lines: {kind:?}", lines.len());
        let most = if kind == Verdict::Identical { lines.len() } else { lines.len() / ONE_EXCUSED_IN + 2 };
        assert!(count <= most, "{count} lines: {kind:?}");
    }
    let wrong: Vec<String> = verdicts.into_iter().filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "{} of {} lines differ:\n{}", wrong.len(), lines.len(), wrong.join("\n"));
}

/// Runs our program on a line; returns the folder with its images, and its standard error.
fn ours(line: &[String], mode: &str) -> Result<(Workplace, String), String> {
    let place = Workplace::with_inputs();
    let own = ["--header", "reference", "--phi-carryover-mode", mode, "--reference-threads", "1", "--json"];
    let outcome = place.run(line.iter().map(String::as_str).chain(own));
    match outcome.code {
        Some(0) => Ok((place, outcome.stderr)),
        code => Err(format!("exit code {code:?}: {}", outcome.stderr)),
    }
}

/// Compares our image with a peer's, and where they differ asks the Rust oracle why.
fn compare_images(
    line: &[String],
    mode: Mode,
    (own, said): &(Workplace, String),
    theirs: &[f32],
) -> Result<Verdict, String> {
    let ours = &own.float(IMAGE);
    let difference = compare(ours, theirs)?;
    if difference.different == 0 {
        return Ok(Verdict::Identical);
    }
    let mut simulation = Simulation::from_args(line, &golden::inputs())?;
    if is_close(&simulation, ours, theirs, 2e-6, 1e-9) {
        return Ok(Verdict::Close);
    }
    // The oracle in Rust rounds as the reference does.
    let rounded = simulation.render(mode, 1).float;
    simulation.precise = true;
    let precise = simulation.render(mode, 1).float;
    if !is_close(&simulation, theirs, &rounded, 2e-6, 1e-9) {
        return Err(difference.to_string());
    }
    let is_drawn = line.iter().any(|word| word.contains("mosaic") || word == "random");
    if said.contains("a whole number of cells") {
        Ok(Verdict::WholeCells)
    } else if simulation.shape == Shape::Round && is_close(&simulation, ours, &precise, 2e-6, 1e-9) {
        Ok(Verdict::LostDigits)
    } else if is_drawn && is_close(&simulation, ours, theirs, 0.0, 2e-2) {
        Ok(Verdict::RandomRotation)
    } else {
        Err(difference.to_string())
    }
}

/// Whether two SMV files hold the same, where the header is longer than the 512 bytes that the reference always
/// declares.
fn is_same_smv(ours: &[u8], theirs: &[u8], pixel_bytes: usize) -> bool {
    let parts = |file: &[u8]| {
        let (header, pixels) = file.split_at_checked(file.len().checked_sub(pixel_bytes)?)?;
        let header = String::from_utf8_lossy(header).replace("HEADER_BYTES=1024;", "HEADER_BYTES=512;");
        Some((header.trim_end().to_owned(), pixels.to_vec()))
    };
    ours.starts_with(b"{") && parts(ours) == parts(theirs)
}

fn against_reference(program: &Path, line: &[String]) -> Result<Verdict, String> {
    let place = Workplace::with_inputs();
    // Ours alone; the reference ignores them.
    let known = line.iter().map(|word| match word.as_str() {
        "-detsize_x" => "-detsize_f",
        "-detsize_y" => "-detsize_s",
        word => word,
    });
    // The reference overlooks -curved_det where it is the last word, which we warn about.
    let output = Command::new(program).current_dir(place.path()).args(known).arg("-noprogress").output();
    let output = output.map_err(|error| format!("{}: {error}", program.display()))?;
    if !output.status.success() {
        return Err(format!("the reference ends with {}", output.status));
    }
    let own = ours(line, "c-parity")?;
    let verdict = compare_images(line, Mode::CParity, &own, &place.float(IMAGE))?;
    let own = own.0;
    // The other images follow from this one.
    if verdict == Verdict::Identical {
        for (name, without) in [("intimage.img", ""), ("noiseimage.img", "-nonoise"), ("image.pgm", "-nopgm")]
        {
            if line.iter().any(|word| word == without) {
                continue;
            }
            let pixels = 2 * own.float(IMAGE).len();
            let (own, theirs) = (own.read(name), place.read(name));
            if own != theirs && !is_same_smv(&own, &theirs, pixels) {
                return Err(format!("{name} differs"));
            }
        }
    }
    Ok(verdict)
}

/// The line with one spelling of each option, without those that have no effect.
fn plain(line: &[String]) -> Vec<String> {
    let mut plain = Vec::new();
    let mut words = line.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-hdiv" | "-vdiv" | "-dispstep" | "-stolout" => {
                words.next();
            }
            "-coherent" => {}
            word => plain.push(canonical(word).to_owned()),
        }
    }
    plain
}

/// Whether the numpy oracle knows all rules that a line needs. It takes seeds and numbers of cells as they are,
/// knows no pivot of a named convention that a later vector replaces, and no thickness after an infinite depth.
fn is_known_to_numpy(line: &[String]) -> bool {
    let has = |names: &[&str]| line.iter().any(|word| names.contains(&word.as_str()));
    let value_of =
        |name: &str, value: &str| line.windows(2).any(|pair| pair[0].starts_with(name) && pair[1] == value);
    let is_vector =
        |word: &String| word.ends_with("_vector") || word.ends_with("_axis") || word.ends_with("_vector_mm");
    let renamed = has(&["-mosflm", "-xds", "-adxv", "-denzo", "-dials"]) && line.iter().any(is_vector);
    let no_depth = value_of("-detector_abs", "inf") || value_of("-detector_abs", "0");
    !line.iter().any(|word| is_odd_seed(word)) && !value_of("-N", "0") && !renamed && !no_depth
}

fn against_numpy(oracle: &Path, line: &[String]) -> Result<Verdict, String> {
    let python = env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    let mut worst = Verdict::Identical;
    for (mode, name, own) in [(Mode::CParity, "c", "c-parity"), (Mode::Spec, "spec", "spec")] {
        let place = Workplace::with_inputs();
        let mut command = Command::new(&python);
        command.current_dir(place.path()).arg(oracle).args(["oracle.f32", "--mode", name, "--inputs", "."]);
        let output = command.arg("--").args(plain(line)).output();
        let output = output.map_err(|error| format!("{}: {error}", python.display()))?;
        if !output.status.success() {
            println!("{}\n{}", line.join(" "), String::from_utf8_lossy(&output.stderr));
            return Ok(Verdict::PeerFails);
        }
        let theirs = place.float("oracle.f32");
        if theirs.iter().any(|photons| photons.is_nan()) {
            return Ok(Verdict::PeerFails);
        }
        let verdict = compare_images(line, mode, &ours(line, own)?, &theirs);
        let verdict = verdict.map_err(|what| format!("{name}: {what}"))?;
        if verdict != Verdict::Identical {
            worst = verdict;
        }
    }
    Ok(worst)
}

/// The program that an environment variable names.
fn peer(variable: &str) -> Option<PathBuf> {
    let path = env::var_os(variable)?;
    Some(Path::new(&path).canonicalize().unwrap_or_else(|error| panic!("{variable}: {error}")))
}

#[test]
fn random_lines_match_the_reference() {
    let Some(program) = peer("NANOBRAGG") else {
        return skipped("NANOBRAGG (the path of the reference program)");
    };
    judge(&lines(lines_to_draw() as usize, |_| true), |line| against_reference(&program, line));
}

#[test]
fn random_lines_match_the_numpy_oracle() {
    let Some(oracle) = peer("ORACLE_PY") else {
        return skipped("ORACLE_PY (the path of the oracle in numpy)");
    };
    judge(&lines(NUMPY_LINES, is_known_to_numpy), |line| against_numpy(&oracle, line));
}
