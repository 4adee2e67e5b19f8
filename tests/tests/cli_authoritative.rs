//! The authoritative run, in which the phi carryover matters, through the command line. Skipped without its
//! inputs.

use core::time::Duration;
use std::process::{Child, Stdio};
use std::{fs, thread};
use widebragg_tests::skipped::skipped;

use widebragg_tests::compare::{Difference, compare};
use widebragg_tests::golden::{self, AuthoritativeRows};
use widebragg_tests::oracle::Mode;
use widebragg_tests::program::{Workplace, smv_parts};

/// Largest peak memory that is allowed.
const MOST_KIB: u64 = 200_000;

struct Run {
    place: Workplace,
    args: Vec<String>,
    rows: AuthoritativeRows,
}

fn run() -> Option<Run> {
    let Some(folder) = golden::authoritative() else {
        skipped("the authoritative run (set WIDEBRAGG_AUTHORITATIVE to its folder)");
        return None;
    };
    let place = Workplace::empty();
    for name in ["A.mat", "scaled.hkl"] {
        place.bring(&folder.join(name));
    }
    let traces = golden::traces().expect("golden traces");
    let trace =
        traces.into_iter().find(|trace| trace.case == "authoritative").expect("the authoritative trace");
    Some(Run { place, args: trace.args, rows: AuthoritativeRows::load(&folder).expect("figures.json") })
}

impl Run {
    /// Runs the program with more options at the end; the float image.
    fn image(&self, extra: &str) -> Vec<f32> {
        let args = self.args.iter().map(String::as_str).chain(extra.split_whitespace());
        self.place.run(args).well();
        self.place.float("floatimage.bin")
    }

    /// Compares the golden rows of an image, and its sum, with the reference's.
    fn check(&self, mode: Mode, image: &[f32]) {
        let width = self.rows.fast_pixels;
        assert_eq!(image.len(), width * self.rows.slow_pixels);
        let rows = self.rows.rows.iter().flat_map(|slow| &image[slow * width..(slow + 1) * width]);
        let found: Vec<f32> = rows.copied().collect();
        let difference: Difference =
            compare(&found, &self.rows.image(mode).expect("rows")).expect("same size");
        let expected = if mode == Mode::Spec { self.rows.sum_spec } else { self.rows.sum_c };
        let sum: f64 = image.iter().copied().map(f64::from).sum();
        println!("{mode:?}: {difference}; sum ratio {:e}", sum / expected - 1.0);
        assert!(difference.identical_share() >= 0.9998, "{mode:?}: {difference}");
        assert!(difference.max_relative <= 2e-6, "{mode:?}: {difference}");
        assert!((sum / expected - 1.0).abs() <= 1e-7, "{mode:?}: sum {sum}, expected {expected}");
    }
}

/// Options that leave out everything but the float image, to save time.
const FLOAT_ONLY: &str = "-nonoise -nopgm -intfile /dev/null --quiet";

#[test]
fn rows_match_the_reference_in_both_modes_with_any_number_of_threads() {
    let Some(run) = run() else { return };
    for (mode, name) in [(Mode::CParity, "c-parity"), (Mode::Spec, "spec")] {
        let image = run.image(&format!("{FLOAT_ONLY} --phi-carryover-mode {name} --threads 1"));
        run.check(mode, &image);
        for threads in [2, 7] {
            let other = run.image(&format!("{FLOAT_ONLY} --phi-carryover-mode {name} --threads {threads}"));
            let same = image.iter().zip(&other).all(|(one, other)| one.to_bits() == other.to_bits());
            assert!(same, "{name}: the image differs with {threads} threads");
        }
    }
}

#[test]
fn the_second_reference_thread_starts_with_the_unrotated_cell() {
    let Some(run) = run() else { return };
    let pixel = run.rows.two_thread_first_pixel;
    let one = run.image(&format!("{FLOAT_ONLY} --phi-carryover-mode c-parity"));
    let two = run.image(&format!("{FLOAT_ONLY} --phi-carryover-mode c-parity --reference-threads 2"));
    let at = pixel.slow * run.rows.fast_pixels + pixel.fast;
    assert_eq!(one[at], pixel.one_thread as f32);
    assert_eq!(two[at], pixel.two_threads as f32);
    let different: Vec<usize> = (0..one.len()).filter(|&i| one[i].to_bits() != two[i].to_bits()).collect();
    assert_eq!(different, [at], "only that pixel differs");
}

#[test]
fn the_header_declares_its_length_and_peak_memory_is_bounded() {
    let Some(run) = run() else { return };
    let extra = "--header reference --phi-carryover-mode c-parity --png p.png --cbf c.cbf --quiet";
    let args = run.args.iter().map(String::as_str).chain(extra.split_whitespace());
    let mut child = run.place.command(args).stderr(Stdio::null()).spawn().expect("the program starts");
    let peak = peak_kib(&mut child);
    assert!(child.wait().expect("it ends").success());
    match peak {
        Some(peak) => {
            println!("peak memory {peak} KiB");
            assert!(peak < MOST_KIB, "{peak} KiB");
        }
        None => skipped("peak memory, which this system does not report"),
    }
    for name in ["intimage.img", "noiseimage.img"] {
        let file = run.place.read(name);
        let (header, pixels) = smv_parts(&file).expect("an SMV file");
        assert!(header.len() > 512 && header.starts_with("{\nHEADER_BYTES=1024;\n"), "{header}");
        assert_eq!(file.len(), 1024 + 2 * pixels.len());
        assert_eq!(pixels.len(), run.rows.fast_pixels * run.rows.slow_pixels);
    }
}

/// The largest resident set of a program, sampled until it ends; `None` where the system does not report it.
fn peak_kib(child: &mut Child) -> Option<u64> {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = None;
    while child.try_wait().expect("the program").is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let now = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
        peak = peak.max(now);
        thread::sleep(Duration::from_millis(2));
    }
    peak
}
