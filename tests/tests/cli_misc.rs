//! The rest of the program: help texts, completions, JSON, printed pixels, dumps, CBF, and closed pipes.

use std::fs::File;
use std::process::{Command, Stdio};
use widebragg_tests::skipped::skipped;

use widebragg_tests::golden;
use widebragg_tests::oracle::output::format_g;
use widebragg_tests::oracle::{Mode, Simulation};
use widebragg_tests::program::{Workplace, smv_parts};

const LINE: &str = "-mat tri.mat -hkl dense.hkl -lambda 1.2 -pixel 0.4 -detpixels 32 -N 6 -osc 0.4 -phisteps 3 \
    -oversample 1 -seed 5";

#[test]
fn texts_and_completions_are_printed() {
    let place = Workplace::empty();
    for (args, words) in [
        (vec![], vec!["-mat", "--phi-carryover-mode", "demo"]),
        (vec!["--help"], vec!["-mat FILE", "--frames", "widebragg demo", "-detector_thicksteps"]),
        (vec!["-h"], vec!["-mat FILE"]),
        (vec!["demo", "--help"], vec!["demo"]),
        (vec!["--version"], vec!["widebragg 0."]),
        (vec!["man"], vec![".TH WIDEBRAGG 1", ".SH OPTIONS", "\\-mosaic_domains"]),
        (vec!["completions", "bash"], vec!["complete ", "-mosaic_domains", "--simd"]),
        (vec!["completions", "zsh"], vec!["#compdef widebragg", "-mosaic_domains"]),
        (vec!["completions", "fish"], vec!["complete -c widebragg", "mosaic_domains"]),
    ] {
        let outcome = place.run(&args).well();
        assert_eq!(outcome.stderr, "", "{args:?}");
        for words in words {
            assert!(outcome.stdout.contains(words), "{args:?}: no '{words}' in {}", outcome.stdout);
        }
    }
    assert!(place.files().is_empty());
}

/// The shells parse their completion scripts without an error, where they are installed.
#[test]
fn completion_scripts_are_valid() {
    let place = Workplace::empty();
    for shell in ["bash", "zsh", "fish"] {
        place.write(shell, place.run(["completions", shell]).well().stdout);
        let check = Command::new(shell).arg("-n").arg(place.path().join(shell)).output();
        match check {
            Ok(check) => {
                assert!(check.status.success(), "{shell}: {}", String::from_utf8_lossy(&check.stderr));
            }
            Err(_) => skipped(format!("{shell} is not installed")),
        }
    }
}

#[test]
fn bash_completes_options_and_values() {
    let place = Workplace::empty();
    place.write("script", place.run(["completions", "bash"]).well().stdout);
    let ask =
        "source ./script; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _widebragg; echo ${COMPREPLY[@]}";
    for (words, expected) in [
        (&["widebragg", "-mosaic_do"][..], "-mosaic_domains"),
        (&["widebragg", "-mat", "A.mat", "--sim"], "--simd"),
        (&["widebragg", "--simd", "avx5"], "avx512"),
        (&["widebragg", "de"], "demo"),
    ] {
        let bash =
            Command::new("bash").current_dir(place.path()).args(["-c", ask, "bash"]).args(words).output();
        let Ok(bash) = bash else {
            skipped("bash is not installed");
            return;
        };
        let offered = String::from_utf8_lossy(&bash.stdout).into_owned();
        assert!(offered.split_whitespace().any(|word| word == expected), "{words:?}: {offered}");
    }
}

#[test]
fn quiet_prints_nothing_and_json_is_valid() {
    let place = Workplace::with_inputs();
    let quiet = place.run_line(&format!("{LINE} -oversample 8 --quiet")).well();
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    // What was asked for by name is printed.
    place.write("list.hkl", "1 2 3 4\n");
    for line in
        [format!("{LINE} -oversample 8"), "compare floatimage.bin intimage.img".into(), "hkl list.hkl".into()]
    {
        let both = place.run_line(&format!("{line} --json --quiet")).well();
        assert!(both.json().is_object() && both.stderr.is_empty(), "{line}: {}", both.stderr);
    }
    let json = place.run_line(&format!("{LINE} --json --frames 2")).well().json();
    let images = json["images"].as_array().expect("images");
    assert_eq!(images.len(), 2);
    assert_eq!(images[1]["frame"], 2);
    for key in ["max_I", "mean", "rms", "rmsd", "sum", "seconds", "ns_per_step", "solid_angle_sr"] {
        assert!(images[0][key].is_number(), "{key}");
    }
    for name in images[0]["files"].as_array().expect("files") {
        assert!(place.path().join(name.as_str().expect("a name")).is_file(), "{name}");
    }
    for key in ["program", "version", "simd", "threads", "unit_cell", "steps_per_pixel", "misset_deg"] {
        assert!(!json[key].is_null(), "{key}");
    }
}

#[test]
fn options_without_effect_are_accepted_with_one_note() {
    let place = Workplace::with_inputs();
    let plain = place.run_line(&format!("{LINE} -oversample 8")).well();
    let float = place.read("floatimage.bin");
    for ignored in ["-density 1.2", "-MW 18", "-stol bg.stol", "-4stol bg.stol", "-Q bg.stol"] {
        let outcome = place.run_line(&format!("{LINE} -oversample 8 {ignored}")).well();
        let name = ignored.split(' ').next().expect("a name");
        let notes: Vec<&str> = outcome.stderr.lines().filter(|line| line.contains(name)).collect();
        assert_eq!(notes.len(), 1, "{}", outcome.stderr);
        assert_eq!(outcome.stderr.lines().count(), plain.stderr.lines().count() + 1);
        assert!(place.read("floatimage.bin") == float, "{ignored}");
    }
}

#[test]
fn a_printed_pixel_matches_the_oracle() {
    let place = Workplace::with_inputs();
    let (fast, slow) = (9, 21);
    for (mode, name) in [(Mode::Spec, "spec"), (Mode::CParity, "c-parity")] {
        let line = format!("{LINE} -phi 0 --phi-carryover-mode {name} -printout_pixel {fast} {slow}");
        let outcome = place.run_line(&line).well();
        let args: Vec<String> = LINE.split_whitespace().chain(["-phi", "0"]).map(str::to_owned).collect();
        let simulation = Simulation::from_args(&args, &golden::inputs()).expect("command line");
        let trace = simulation.render_pixels(mode, 1, &[(slow, fast)])[0].clone();
        let after = |key: &str| -> Vec<String> {
            let line = outcome.stdout.lines().find(|line| line.trim_start().starts_with(key));
            let line = line.unwrap_or_else(|| panic!("no {key} in {}", outcome.stdout));
            line.replace('=', " ").split_whitespace().map(str::to_owned).collect()
        };
        let close = |word: &str, expected: f64| {
            let value: f64 = word.parse().expect("a number");
            assert!((value - expected).abs() <= 1e-5 * expected.abs() + 1e-9, "{value} is not {expected}");
        };
        // The printed values are those of the last step.
        let last = trace.per_phi.last().expect("phi steps");
        let hkl = after("hkl");
        for (word, expected) in hkl[1..4].iter().zip(last.hkl_frac) {
            assert!((word.parse::<f64>().expect("a number") - expected).abs() <= 1e-6, "{word} {expected}");
        }
        let f_cell = after("F_cell");
        assert_eq!(f_cell[1], format_g(trace.F_cell));
        close(&f_cell[3], last.F_latt);
        close(&after("omega")[1], trace.omega_pixel);
        close(&after("polar")[1], trace.polar);
        close(&after("pixel")[1], trace.I_pixel_final);
        let stored = place.float("floatimage.bin")[slow * 32 + fast];
        close(&after("pixel")[1], f64::from(stored));
    }
    // Every pixel of the region is printed, in order; a pixel that is not rendered is not.
    let all = place.run_line(&format!("{LINE} -roi 3 5 7 8 -printout")).well();
    let places: Vec<&str> = all.stdout.lines().filter(|line| line.contains("stol = ")).collect();
    assert_eq!(places.len(), 6, "{places:?}");
    let none = place.run_line(&format!("{LINE} -roi 3 5 7 8 -printout_pixel 9 9")).well();
    assert!(!none.stdout.contains("stol = "));
}

#[test]
fn a_dump_is_read_without_a_list_of_reflections() {
    let place = Workplace::with_inputs();
    place.run_line(&format!("{LINE} -default_F 7")).well();
    let float = place.read("floatimage.bin");
    let dump = place.read("Fdump.bin");
    std::fs::remove_file(place.path().join("dense.hkl")).expect("dense.hkl");
    let line = LINE.replace("-hkl dense.hkl", "-default_F 7");
    let outcome = place.run_line(&line).well();
    assert!(outcome.stderr.contains("Fdump.bin"), "{}", outcome.stderr);
    assert!(place.read("floatimage.bin") == float);
    assert!(place.read("Fdump.bin") == dump);
    place.write("other.bin", &dump);
    std::fs::remove_file(place.path().join("Fdump.bin")).expect("Fdump.bin");
    place.run_line(&format!("{line} -dump other.bin")).well();
    assert!(place.read("floatimage.bin") == float);
}

#[cfg(target_os = "linux")]
#[test]
fn a_closed_pipe_is_not_an_error() {
    let place = Workplace::with_inputs();
    let image = format!("{LINE} --json");
    for line in ["--help", "man", "completions zsh", image.as_str()] {
        let mut child = place
            .command(line.split_whitespace())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{line}: {stderr}");
        assert!(!stderr.contains("panicked"), "{line}: {stderr}");
    }
    let full = File::options().write(true).open("/dev/full").expect("/dev/full");
    let output = place.command(["--help"]).stdout(full).stderr(Stdio::piped()).output().expect("it starts");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("widebragg: standard output: "));
}

#[test]
fn headers_for_readers_are_correct_and_cbf_is_written() {
    let place = Workplace::with_inputs();
    place.run_line(&format!("{LINE} --cbf a.cbf -intfile a.img -scale 2 -adc 10 -Xbeam 5 -Ybeam 7")).well();
    let (header, pixels) = smv_parts(&place.read("a.img")).expect("an SMV file");
    let value = |key: &str| {
        let line = header.lines().find_map(|line| line.strip_prefix(&format!("{key}=")));
        line.unwrap_or_else(|| panic!("no {key} in {header}")).trim_end_matches(';').to_owned()
    };
    assert_eq!(value("HEADER_BYTES"), "512");
    assert_eq!((value("SIZE1"), value("SIZE2")), ("32".to_owned(), "32".to_owned()));
    assert_eq!((value("ADXV_CENTER_X"), value("ADXV_CENTER_Y")), ("7.2".to_owned(), "7.6".to_owned()));
    // DIALS adds a pixel, of 0.4 mm, along fast and along slow.
    assert_eq!((value("BEAM_CENTER_X"), value("BEAM_CENTER_Y")), ("6.8".to_owned(), "8".to_owned()));
    assert_eq!(value("ADC_OFFSET"), "10");
    assert!(header.lines().filter(|line| line.contains('=')).all(|line| line.ends_with(';')), "{header}");
    assert_eq!(pixels.len(), 32 * 32);
    let cbf = place.read("a.cbf");
    assert!(cbf.starts_with(b"###CBF: VERSION"));
    let text = String::from_utf8_lossy(&cbf).into_owned();
    for words in
        ["\"GENERIC_MINI\"", "# Detector_distance 0.100000 m", "# Wavelength 1.200000 A", "x-CBF_BYTE_OFFSET"]
    {
        assert!(text.contains(words), "{words}");
    }
}

/// The grey levels of a PNG image.
fn grey_levels(png: &[u8]) -> Vec<u8> {
    let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().expect("a PNG");
    let mut levels = vec![0; reader.output_buffer_size().expect("a size")];
    reader.next_frame(&mut levels).expect("a picture");
    levels
}

/// Spots are dark on a light ground, in a still and in a rotation, with water under them and without.
#[test]
fn the_preview_shows_spots_above_water() {
    const SIDE: usize = 300;
    for sweep in ["-phisteps 1", "-phi 0 -osc 0.5 -phisteps 5"] {
        let mut dry = Vec::new();
        for water in ["0", "0.2", "0.4"] {
            let place = Workplace::with_inputs();
            let line = format!(
                "-mat tri.mat -hkl dense.hkl -lambda 1.2 -pixel 0.2 -detpixels {SIDE} -N 15 -oversample 2 {sweep} \
                 -fluence 1e27 -water {water} -nonoise -nopgm --quiet --png p.png"
            );
            place.run_line(&line).well();
            let (pixels, levels) = (place.float("floatimage.bin"), grey_levels(&place.read("p.png")));
            if dry.is_empty() {
                dry.clone_from(&pixels);
            }
            let mut sorted = levels.clone();
            sorted.sort_unstable();
            let median = sorted[levels.len() / 2];
            assert!(median > 210, "{sweep}, water {water}: the ground has level {median}");
            // Pixels of spots that are as strong as the water, and no more than the strongest two in a hundred.
            let mut strengths = dry.clone();
            strengths.sort_unstable_by(f32::total_cmp);
            let strong = strengths[strengths.len() - strengths.len() / 50];
            let mut spots = 0;
            for ((&wet, &dry), &level) in pixels.iter().zip(&dry).zip(&levels) {
                if dry >= strong && dry >= wet - dry {
                    spots += 1;
                    assert!(
                        level < median - 30,
                        "{sweep}, water {water}: {wet}, dry {dry}: {level} on {median}"
                    );
                }
            }
            assert!(spots > 50, "{sweep}, water {water}: {spots} spot pixels");
        }
    }
}

/// F that f32 holds are held in it by default, and give the same bits; others are only rounded where it is asked for.
#[test]
fn grids_are_held_in_f32_where_that_is_exact() {
    let place = Workplace::empty();
    let list = |f: &dyn Fn(i32) -> f64| {
        let mut text = String::new();
        for (i, h) in (-4..=4).enumerate() {
            for k in -4..=4 {
                for l in -4..=4 {
                    text.push_str(&format!("{h} {k} {l} {:?}\n", f(i as i32 * 81 + k * 9 + l)));
                }
            }
        }
        text
    };
    place.write("exact.hkl", list(&|i| 100.0 + f64::from(i) / 8.0));
    place.write("decimal.hkl", list(&|i| 100.0 + f64::from(i) / 10.0));
    let image = |options: &str| {
        let line = "-cell 20 22 24 90 90 90 -misset 10 20 30 -lambda 1.2 -distance 50 -pixel 1 -detpixels 32 -N 3 \
            -nointerpolate -oversample 1 -nonoise -nopgm -floatfile image.bin";
        let json = place.run_line(&format!("{line} {options} --json")).well().json();
        let grid = &json["grid"];
        let text = |key: &str| grid[key].as_str().expect("a text").to_owned();
        (place.read("image.bin"), text("numbers"), grid["rounded"].clone(), grid["bytes"].as_i64())
    };
    let (exact, numbers, rounded, bytes) = image("-hkl exact.hkl");
    assert_eq!((&*numbers, rounded, bytes), ("f32", false.into(), Some(4 * 729)));
    let (kept, numbers, _, bytes) = image("-hkl exact.hkl --grid f64");
    assert_eq!((&*numbers, bytes), ("f64", Some(8 * 729)));
    assert!(exact == kept && exact.iter().any(|&byte| byte != 0));
    assert!(image("").0 == exact, "the dump of f32 nodes");
    let (_, numbers, ..) = image("-hkl exact.hkl -interpolate");
    assert_eq!(numbers, "f64", "interpolation from f32 is slower");
    let (decimal, numbers, ..) = image("-hkl decimal.hkl");
    assert_eq!(numbers, "f64");
    let (narrow, numbers, rounded, _) = image("-hkl decimal.hkl --grid f32");
    assert_eq!((&*numbers, rounded), ("f32", true.into()));
    assert!(narrow != exact && image("-hkl decimal.hkl --grid f64").0 == decimal);
    let refused = place.run_line("-cell 20 -hkl exact.hkl --grid half");
    assert!(refused.stderr.contains("--grid") && refused.code != Some(0), "{}", refused.stderr);
}

#[test]
fn ways_to_render_that_have_no_effect_are_named() {
    let place = Workplace::empty();
    let line = "-cell 20 22 24 90 90 90 -lambda 1.2 -distance 50 -pixel 1 -detpixels 16 -N 3 -default_F 100 -oversample 1 \
        -nonoise -nopgm";
    for (options, named) in [
        ("--light list", "--light list has no effect"),
        ("--neglect 1e-60", "--neglect has no effect"),
        ("--neglect 1e60", "every pixel is 0"),
        ("-gauss_xtal --neglect 1", "--neglect has no effect"),
    ] {
        let outcome = place.run_line(&format!("{line} {options}"));
        assert!(outcome.code == Some(0) && outcome.stderr.contains(named), "{options}: {}", outcome.stderr);
    }
    for options in ["--light auto", "--light loop", "--neglect 0", "-tophat_spots -N 10 --light list"] {
        let outcome = place.run_line(&format!("{line} {options}"));
        assert!(!outcome.stderr.contains("no effect"), "{options}: {}", outcome.stderr);
    }
}
