//! Less memory than a run needs: one line, exit code 2, only complete files, and never an abort.
#![cfg(target_os = "linux")]

use widebragg_formats::cbf::write_cbf;
use widebragg_formats::image::ImageHeader;
use widebragg_tests::fault::{complaints, run_script};
use widebragg_tests::program::{Outcome, Workplace};

const LINE: &str = "-mat tri.mat -hkl dense.hkl -lambda 1.2 -pixel 0.1 -detpixels 600 -N 6 -oversample 1 -seed 5 \
    --quiet --header reference --png p.png --cbf c.cbf";

/// The exit codes of the dynamic loader when it has no memory for libraries, before the program runs.
const LOADER: [Option<i32>; 3] = [Some(127), Some(139), None];

/// Whether a run ended before the program's own code: in the loader, or in what the compiler starts first.
fn is_not_started(outcome: &Outcome) -> bool {
    // Said by the standard library before `main`; a shell reports the abort that follows as an exit status.
    let has_no_stack = outcome.stderr.contains("failed to allocate an alternative stack");
    has_no_stack || LOADER.contains(&outcome.code) && !outcome.stderr.contains("memory allocation")
}

/// Checks that a command gives one line about memory under each limit (in kB) that is too small for it;
/// returns the lines. Under some of the limits it must succeed; not under all larger ones, since the C library
/// reserves more for its threads where it can.
fn refused_under(place: &Workplace, words: &str, limits: impl Iterator<Item = u32>) -> Vec<String> {
    let (mut well, mut refused) = (0, Vec::new());
    for kilobytes in limits {
        let outcome = run_script(place, &format!("ulimit -v {kilobytes}; exec \"$WIDEBRAGG\" {words}"));
        let said = format!("{words}: {kilobytes} kB: {:?} {}", outcome.code, outcome.stderr);
        if is_not_started(&outcome) {
            break;
        }
        if outcome.code == Some(0) {
            well += 1;
            continue;
        }
        assert_eq!(outcome.code, Some(2), "{said}");
        let [line] = complaints(&outcome)[..] else { panic!("{said}") };
        assert!(line.starts_with("widebragg: "), "{said}");
        assert!(["memory", "--threads"].iter().any(|word| line.contains(word)), "{said}");
        refused.push(line.to_owned());
    }
    assert!(well > 0, "{words}: {refused:?}");
    refused
}

/// The limits from `most` megabytes down to the size of the program itself.
fn limits(most: u32) -> impl Iterator<Item = u32> {
    (0..18).map(move |step| (f64::from(most) * 1000.0 * 0.83f64.powi(step)) as u32)
}

#[test]
fn every_memory_limit_gives_a_message() {
    let good = Workplace::with_inputs();
    good.run_line(LINE).well();
    let good = good.files();
    let place = Workplace::with_inputs();
    let (mut rendered, mut refused) = (0, Vec::new());
    // From a pipe, which is read once and so into a list: a file takes no memory but that of its grid.
    let line = LINE.replace("dense.hkl", "/dev/stdin");
    for kilobytes in (4_000..64_000).step_by(1_500).rev() {
        let program = format!("ulimit -v {kilobytes}; exec \"$WIDEBRAGG\" {line}");
        let outcome = run_script(&place, &format!("cat dense.hkl | ({program})"));
        let said = format!("{kilobytes} kB: {:?} {}", outcome.code, outcome.stderr);
        if is_not_started(&outcome) {
            break;
        }
        for (name, content) in place.files() {
            // A CBF holds the time of its run.
            let is_good = good
                .get(&name)
                .is_some_and(|good| *good == content || name == "c.cbf" && good.len() == content.len());
            assert!(is_good, "{name}: {said}");
        }
        if outcome.code == Some(0) {
            rendered += 1;
            continue;
        }
        assert_eq!(outcome.code, Some(2), "{said}");
        let lines: Vec<&str> = outcome.stderr.lines().filter(|line| !line.contains("-oversample")).collect();
        assert_eq!(lines.len(), 1, "{said}");
        assert!(lines[0].starts_with("widebragg: "), "{said}");
        assert!(["memory", "--threads"].iter().any(|word| lines[0].contains(word)), "{said}");
        refused.push(lines[0].to_owned());
    }
    assert!(rendered > 0 && refused.len() > 3, "{rendered} rendered, {refused:?}");
    for at in ["-hkl", "an image of 600 x 600"] {
        assert!(refused.iter().any(|line| line.contains(at)), "{at}: {refused:?}");
    }
}

#[test]
fn the_option_that_needs_too_much_memory_is_named() {
    let place = Workplace::with_inputs();
    for (extra, expected) in [
        ("-detpixels 16000", "no memory for an image of 16000 x 16000 pixels"),
        ("-mosaic 1 -mosaic_domains 9000000", "-mosaic_domains"),
        ("-osc 1 -phisteps 9000000", "-phisteps"),
        ("-divergence 1 -divsteps 3000", "-divergence"),
    ] {
        let outcome = run_script(&place, &format!("ulimit -v 200000; exec \"$WIDEBRAGG\" {LINE} {extra}"));
        assert_eq!(outcome.code, Some(2), "{extra}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(expected), "{extra}: {}", outcome.stderr);
        assert!(!place.path().join("floatimage.bin").exists(), "{extra}");
    }
}

#[test]
fn a_printout_of_many_pixels_needs_memory() {
    let place = Workplace::empty();
    let line = "-default_F 100 -cell 70 80 90 80 100 110 -lambda 1 -N 2 -detpixels 120 -pixel 0.1 -oversample 1 \
        -nonoise -nopgm --threads 1";
    for how in ["--quiet", "--json"] {
        let refused = refused_under(&place, &format!("{line} -printout {how} >out"), limits(400));
        assert!(refused.iter().any(|line| line.contains("-printout: no memory")), "{how}: {refused:?}");
    }
    // What fits is printed as a whole.
    place.run_line(&format!("{line} -printout --quiet")).well();
}

#[test]
fn a_long_source_file_needs_memory() {
    let place = Workplace::empty();
    place.write("sources", "-10\n".repeat(100_000));
    place.write("latin", [&b"# \xe9\n"[..], "-10\n".repeat(100_000).as_bytes()].concat());
    for name in ["sources", "latin"] {
        let line = format!(
            "-default_F 100 -cell 70 80 90 80 100 110 -lambda 1 -N 2 -detpixels 2 -pixel 0.1 -oversample 1 \
             -sourcefile {name} -nonoise -nopgm --threads 1 --quiet"
        );
        let refused = refused_under(&place, &line, limits(120));
        assert!(refused.iter().any(|line| line.contains("-sourcefile: ")), "{name}: {refused:?}");
    }
}

#[test]
fn large_images_need_memory_to_be_compared() {
    const SIDE: usize = 900;
    let place = Workplace::empty();
    let counts = |factor: i32| (0..(SIDE * SIDE) as i32).map(|i| i % 1009 * factor).collect::<Vec<_>>();
    let header = ImageHeader { fast: SIDE, slow: SIDE, pixel_m: 1e-4, ..ImageHeader::default() };
    for (name, factor) in [("a", 1), ("b", 2)] {
        let counts = counts(factor);
        write_cbf(&place.path().join(format!("{name}.cbf")), &header, &counts).expect("a CBF");
        let floats = counts.iter().flat_map(|&count| (count as f32).to_le_bytes());
        place.write(format!("{name}.bin"), floats.collect::<Vec<u8>>());
    }
    for (kind, extra) in [("cbf", ""), ("bin", "--size 900 900")] {
        let line = format!("compare a.{kind} b.{kind} {extra} --out out --quiet --threads 1");
        let refused = refused_under(&place, &line, limits(220));
        for part in [&format!(".{kind}: "), "compare: no memory"] {
            assert!(refused.iter().any(|line| line.contains(part)), "{kind}, {part}: {refused:?}");
        }
    }
}

#[test]
fn long_traces_need_memory() {
    let place = Workplace::empty();
    let taps: Vec<String> = (0..60_000).map(|i| format!("\"a{i}\":{i}")).collect();
    place.write("taps.json", format!("{{\"traces\":[{{\"taps\":{{{}}}}}]}}", taps.join(",")));
    let pixels: Vec<String> = (0..60_000).map(|i| format!("{{\"taps\":{{\"x\":{i}}}}}")).collect();
    place.write("pixels.json", format!("{{\"traces\":[{}]}}", pixels.join(",")));
    place.write(
        "text.json",
        format!("{{\"note\":\"{}\",\"traces\":[{{\"taps\":{{\"x\":1}}}}]}}", "x".repeat(9_000_000)),
    );
    let steps = (0..20_000).map(|i| format!("TRACE_C_PHI phi_tic={i} F_latt=1 F_cell=2 h_frac=3\n"));
    place.write("steps.log", steps.collect::<String>());
    place.write("taps.log", (0..60_000).map(|i| format!("TRACE_C: a{i} {i}\n")).collect::<String>());
    let others = (0..60_000).map(|i| format!("TRACE_C: b{i} {i}\n")).collect::<String>();
    place.write("other.log", format!("TRACE_C: a0 0\n{others}"));
    for traces in [
        "taps.json taps.log",
        "pixels.json pixels.json",
        "text.json text.json",
        "steps.log steps.log",
        "taps.log other.log",
    ] {
        let refused = refused_under(&place, &format!("trace-diff {traces} --out out >out.txt"), limits(120));
        assert!(refused.iter().any(|line| line.contains("memory for this trace")), "{traces}: {refused:?}");
    }
}

#[test]
fn traces_of_many_steps_and_fits_need_memory() {
    let steps = "-default_F 100 -cell 70 80 90 80 100 110 -lambda 1 -N 2 -detpixels 2 -pixel 0.1 -oversample 5 \
        -osc 1 -phisteps 800 --threads 1";
    for format in ["text", "json"] {
        let line = format!("trace {steps} --pixel 1 1 --format {format} --out t");
        let refused = refused_under(&Workplace::empty(), &line, limits(500));
        let part = "trace: no memory for 20000 steps";
        assert!(refused.iter().any(|line| line.contains(part)), "{format}: {refused:?}");
    }
    let place = Workplace::with_inputs();
    let fit =
        "-mat tri.mat -hkl sparse.hkl -lambda 1.2 -pixel 0.1 -detpixels 300 -N 3 -oversample 5 --threads 1";
    place.run_line(&format!("{fit} -nonoise -nopgm -floatfile target.bin --quiet")).well();
    for command in ["gradient", "refine"] {
        let line = format!("{command} {fit} --against target.bin --wrt misset --quiet");
        let refused = refused_under(&place, &line, limits(300));
        assert!(refused.iter().any(|line| line.contains("--against: ")), "{command}: {refused:?}");
    }
}

/// A dump whose header claims a row of 16 GB that is not there takes no memory for it.
#[test]
fn a_claimed_row_of_a_dump_takes_no_memory() {
    let place = Workplace::with_inputs();
    place.write("claims.bin", "0 0 0 0 0 1999999999\n\u{c}");
    let line = "-mat tri.mat -lambda 1.2 -detpixels 8 -dump claims.bin --quiet";
    let outcome = run_script(&place, &format!("ulimit -v 700000; exec \"$WIDEBRAGG\" {line}"));
    assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("claims.bin: truncated"), "{}", outcome.stderr);
}
