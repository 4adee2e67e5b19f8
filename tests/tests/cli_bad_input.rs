//! Bad input: the program ends with exit code 2 and one line that names file, line and option, and leaves no
//! incomplete file.

use std::fs;
use widebragg_tests::skipped::skipped;

use widebragg_tests::program::{Outcome, Workplace};

/// A valid command line, to which each case adds an error.
const GOOD: &str =
    "-mat tri.mat -hkl dense.hkl -lambda 1.2 -detpixels 16 -N 3 -oversample 10 -seed 1 --header reference";

/// The arguments in a line.
fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// Checks what holds for every refusal, and returns its message.
fn refusal(line: &str, outcome: &Outcome) -> String {
    assert_eq!(outcome.code, Some(2), "{line}: {}{}", outcome.stdout, outcome.stderr);
    assert_eq!(outcome.stdout, "", "{line}");
    one_line(line, outcome)
}

/// Checks that the message is one line, and returns it.
fn one_line(line: &str, outcome: &Outcome) -> String {
    assert!(outcome.stderr.starts_with("widebragg: "), "{line}: {}", outcome.stderr);
    assert!(outcome.stderr.ends_with('\n'), "{line}: {}", outcome.stderr);
    assert_eq!(outcome.stderr.lines().count(), 1, "{line}: {}", outcome.stderr);
    assert!(!outcome.stderr.contains("panicked"), "{line}: {}", outcome.stderr);
    outcome.stderr.clone()
}

/// Runs each case after the options in `before`. Each must be refused with a message that contains all given
/// words, and write no file.
fn all_refused(workplace: &Workplace, before: &str, cases: &[(&str, &[&str])]) {
    let untouched = workplace.files();
    for (extra, expected) in cases {
        let line = format!("{before} {extra}");
        let message = refusal(&line, &workplace.run(words(&line)));
        for words in *expected {
            assert!(message.contains(words), "{extra}: no '{words}' in {message}");
        }
        assert!(workplace.files() == untouched, "{extra}: files {:?}", workplace.files().keys());
    }
}

#[test]
fn unusable_files_are_named_with_line_and_option() {
    let place = Workplace::with_inputs();
    let mask = place.read("mask.img");
    let text_files: [(&str, &str); 18] = [
        ("short.hkl", "1 1 1 1\n1 2 3\n"),
        ("half.hkl", "1 1 1 1\n\n1 3.5 1 1\n"),
        ("word.hkl", "# h k l F\n1 1 1 one\n"),
        ("nan.hkl", "1 1 1 nan\n"),
        ("empty.hkl", ""),
        ("comments.hkl", "# nothing\n\n"),
        ("large.hkl", "0 0 0 1\n99999 99999 99999 1\n"),
        ("overflow.hkl", "-2147483648 -2147483648 -2147483648 1\n2147483647 2147483647 2147483647 1\n"),
        ("eight.mat", "1 2 3\n4 5 6\n7 8\n"),
        ("singular.mat", "1 2 3\n2 4 6\n1 1 1\n"),
        ("zero.mat", "0 0 0 0 0 0 0 0 0\n"),
        ("nan.mat", "1 2 3\n4 nan 6\n7 8 9\n"),
        ("inf.mat", "1 2 3\n4 5 6\n7 8 1e999\n"),
        ("bad.txt", "-10 0 0 1 1e-10\n-10 zero 0\n"),
        ("direction.txt", "# X Y Z\n0 0 0\n"),
        ("lambda.txt", "-10 0 0 1 -1e-10\n"),
        ("none.txt", "# none\n"),
        ("bad_Fdump.bin", "0 1 0 1 0\n\u{c}"),
    ];
    for (name, text) in text_files {
        place.write(name, text);
    }
    place.write("truncated.img", &mask[..5000]);
    place.write("text.img", "not an image");
    let header = String::from_utf8_lossy(&mask[..512]).into_owned();
    for (name, from, to) in [
        ("sizeless.img", "SIZE1=96", "SIZEX=96"),
        ("pixelless.img", "SIZE1=96", "SIZE1=00"),
        ("distance.img", "DISTANCE=90", "DISTANCE=xx"),
    ] {
        assert!(header.contains(from), "{header}");
        place.write(name, [header.replace(from, to).as_bytes(), &mask[512..]].concat());
    }

    all_refused(
        &place,
        GOOD,
        &[
            ("-mat nosuch.mat", &["-mat", "nosuch.mat", "cannot read"]),
            ("-mat .", &["-mat", "cannot read"]),
            ("-mat eight.mat", &["-mat", "eight.mat", "nine"]),
            ("-mat singular.mat", &["-mat", "singular.mat", "singular"]),
            ("-mat zero.mat", &["-mat", "zero.mat", "singular"]),
            ("-mat nan.mat", &["-mat", "nan.mat:2", "\"nan\" is not a finite number"]),
            ("-mat inf.mat", &["-mat", "inf.mat:3", "not a finite number"]),
            ("-hkl nosuch.hkl", &["-hkl", "nosuch.hkl", "cannot read"]),
            ("-hkl .", &["-hkl", "cannot read"]),
            ("-hkl short.hkl", &["-hkl", "short.hkl:2", "h k l F"]),
            ("-hkl half.hkl", &["-hkl", "half.hkl:3", "\"3.5\" is not an integer"]),
            ("-hkl word.hkl", &["-hkl", "word.hkl:2", "\"one\" is not a number"]),
            ("-hkl nan.hkl", &["-hkl", "nan.hkl:1", "not a finite number"]),
            ("-hkl empty.hkl", &["-hkl", "empty.hkl", "no reflections"]),
            ("-hkl comments.hkl", &["-hkl", "comments.hkl", "no reflections"]),
            ("-hkl large.hkl", &["-hkl", "large.hkl", "GiB"]),
            ("-hkl overflow.hkl", &["-hkl", "overflow.hkl", "GiB"]),
            ("-hkl mask.img", &["-hkl", "mask.img: this is an SMV image"]),
            ("-sourcefile nosuch.txt", &["-sourcefile", "nosuch.txt", "cannot read"]),
            ("-sourcefile bad.txt", &["-sourcefile", "bad.txt:2", "\"zero\" is not a number"]),
            ("-sourcefile direction.txt", &["-sourcefile", "direction.txt:2", "not a direction"]),
            ("-sourcefile lambda.txt", &["-sourcefile", "lambda.txt:1", "lambda"]),
            ("-sourcefile none.txt", &["-sourcefile", "none.txt", "no sources"]),
            ("-mask nosuch.img", &["-mask", "nosuch.img", "cannot read"]),
            ("-mask mask.img", &["-mask", "mask.img", "96 x 80", "16 x 16"]),
            ("-mask truncated.img", &["-mask", "truncated.img", "truncated"]),
            ("-mask text.img", &["-mask", "text.img", "not an SMV image"]),
            ("-mask sizeless.img", &["-mask", "sizeless.img", "no SIZE1"]),
            ("-mask pixelless.img", &["-mask", "pixelless.img", "SIZE1"]),
            ("-mask distance.img", &["-mask", "distance.img", "DISTANCE"]),
            ("-img nosuch.img", &["-img", "nosuch.img", "cannot read"]),
            ("-img text.img", &["-img", "text.img", "not an SMV image"]),
            ("-img pixelless.img", &["-img", "pixelless.img", "SIZE1"]),
            ("-img distance.img", &["-img", "distance.img", "DISTANCE"]),
        ],
    );
    let without_hkl = "-mat tri.mat -detpixels 16 -N 3 -oversample 1";
    all_refused(
        &place,
        without_hkl,
        &[
            ("-dump bad_Fdump.bin", &["-dump", "bad_Fdump.bin", "not a structure factor dump"]),
            ("-dump nosuch.bin", &["-dump", "nosuch.bin"]),
        ],
    );
    assert_eq!(place.run(words(GOOD)).code, Some(0));
    let good = Workplace::with_inputs();
    good.run(words(GOOD)).well();
    let dump = good.read("Fdump.bin");
    place.write("cut.bin", &dump[..dump.len() - 1]);
    place.write("longer.bin", [dump.as_slice(), &[0]].concat());
    all_refused(
        &place,
        without_hkl,
        &[
            ("-dump cut.bin", &["-dump", "cut.bin", "truncated"]),
            ("-dump longer.bin", &["-dump", "longer.bin", "more structure factors"]),
        ],
    );
}

#[test]
fn impossible_values_are_named_with_their_option() {
    let place = Workplace::with_inputs();
    all_refused(
        &place,
        GOOD,
        &[
            ("-cell 10 10 10 -90 90 90", &["-cell 10 10 10 -90 90 90", "angles"]),
            ("-cell 10 10 10 90 180 90", &["-cell", "angles"]),
            ("-cell 10 10 10 30 30 150", &["-cell", "no unit cell has these angles"]),
            ("-cell 0 1 1", &["-cell 0 1 1", "lengths"]),
            ("-cell -5", &["-cell -5", "lengths"]),
            ("-cell 10 nan", &["-cell 10 nan", "not a finite number"]),
            ("-distance 0", &["-distance 0"]),
            ("-close_distance 0", &["-close_distance 0"]),
            ("-close_distance -100", &["-close_distance -100", "above 0, or every pixel would be negative"]),
            ("-distance nan", &["-distance nan", "not a finite number"]),
            ("-distance -inf", &["-distance -inf", "not a finite number"]),
            ("-distance 1e999", &["-distance 1e999", "not a finite number"]),
            ("-distance far", &["-distance far", "not a number"]),
            ("-lambda 0", &["-lambda 0"]),
            ("-lambda -1", &["-lambda -1"]),
            ("-energy 0", &["-energy 0"]),
            ("-pixel 0", &["-pixel 0"]),
            ("-pixel -0.1", &["-pixel -0.1"]),
            ("-detpixels_x -3", &["-detpixels_x -3"]),
            ("-detpixels 99999999999", &["-detpixels", "too large"]),
            ("-detpixels 9000000000000000000", &["-detpixels", "too large"]),
            ("-detpixels 1e30", &["-detpixels 1e30", "too large"]),
            ("-detpixels 3000000", &["3000000 x 3000000", "memory"]),
            ("-roi 16 17 0 15", &["-roi 16 17 0 15", "15 15"]),
            ("-roi 0 15 16 20", &["-roi 0 15 16 20", "15 15"]),
            ("-roi 5 4 0 7", &["-roi 5 4 0 7", "xmin"]),
            ("-roi 0 7 5 4", &["-roi 0 7 5 4", "ymin"]),
            ("-roi 1 2 3", &["-roi", "4 values", "only 3 given"]),
            ("-water -1", &["-water -1", "negative"]),
            ("-fluence -1", &["-fluence -1", "negative"]),
            ("-flux 1e300 -exposure 1e300", &["-flux", "-exposure", "finite"]),
            ("-flux 1 -beamsize 0", &["-flux", "-beamsize", "finite"]),
            ("-default_F nan", &["-default_F nan", "not a finite number"]),
            ("-fudge -1 -round_xtal", &["-fudge -1", "not be numbers"]),
            ("-fudge -1 -gauss_xtal", &["-fudge -1", "grow"]),
            ("--cells 5 5 5", &["-N and --cells", "give one"]),
            ("-gauss_xtal --n-matrix 5 5 5 0 0 0", &["-N and --n-matrix", "give one"]),
            ("--gauss-cutoff 0", &["--gauss-cutoff 0", "larger than zero"]),
            ("--spot-metric indices", &["--spot-metric indices", "reciprocal or index"]),
            ("-fdet_vector 0 0 0", &["-fdet_vector 0 0 0", "direction"]),
            ("-mosaic 1 -mosaic_domains 1000000000000", &["-mosaic_domains", "memory"]),
            ("-mosaic 1 -mosaic_domains 9000000000000000000", &["-mosaic_domains", "memory"]),
            ("-osc 1 -phisteps 1000000000000", &["-phisteps", "memory"]),
            ("-osc 1 -phisteps 9000000000000000000", &["-phisteps", "too large"]),
            ("-osc 1e9 -phistep 1e-9", &["-phisteps", "too large"]),
            ("-divergence 1 -divsteps 1000000000", &["-divergence", "too large"]),
            ("-oversample 9000000000000000000", &["-oversample", "too large"]),
        ],
    );
    // In a folder without a dump of structure factors, which would be read.
    let place = Workplace::with_inputs();
    all_refused(
        &place,
        "-detpixels 8 -oversample 1",
        &[("-hkl sparse.hkl", &["-mat", "-cell"]), ("-cell 50", &["-hkl", "-default_F"])],
    );
}

#[test]
fn unknown_options_are_refused_with_a_hint() {
    let place = Workplace::with_inputs();
    all_refused(
        &place,
        GOOD,
        &[
            ("-nosuchoption", &["-nosuchoption", "help options"]),
            ("-distanse 100", &["-distanse", "did you mean -distance?"]),
            ("-detpixel_x 3", &["-detpixel_x", "did you mean -detpixels_x?"]),
            ("--roi 1 2 3 4", &["--roi", "did you mean -roi?"]),
            ("-orgx 3", &["-orgx", "did you mean -ORGX?"]),
            ("-beam_center 3 4", &["-beam_center", "did you mean -Xbeam and -Ybeam?"]),
            ("-N", &["-N", "needs a value"]),
            ("-N -nopgm", &["-N", "-nopgm follows"]),
            ("-misset 1 2", &["-misset", "3 values", "only 2 given"]),
            ("-misset randon", &["-misset", "random"]),
            ("-spindle_axis 0 1", &["-spindle_axis", "3 values"]),
            ("stray", &["'stray'", "--header reference"]),
            ("-nopgm one two", &["'two'"]),
            ("--simd avx3", &["--simd avx3", "avx512"]),
            ("--threads 0", &["--threads 0", "at least 1"]),
            ("--threads", &["--threads", "needs a value"]),
            ("--phi-carryover-mode c", &["--phi-carryover-mode c", "c-parity"]),
            ("--reference-threads 0", &["--reference-threads 0"]),
            ("--header smv", &["--header smv", "readers or reference"]),
            ("--quiet=1", &["--quiet=1", "takes no value"]),
            ("--frames 0", &["--frames 0"]),
            ("--frames 100000", &["--frames 100000", "at most 99999 frames"]),
            ("--frames=x", &["--frames", "'x' is not a number"]),
            ("--frame-range 1:2", &["--frame-range", "--frames"]),
            ("--frames 3 --frame-range 2:9", &["--frame-range 2:9", "3 frames"]),
            ("--frames 3 --frame-range 0:1", &["--frame-range 0:1"]),
            ("--frames 3 --frame-range 3:2", &["--frame-range 3:2"]),
            ("--frames 3 --frame-range x", &["--frame-range x", "A:B"]),
            ("--out here", &["--out", "demo"]),
            ("-floatfile a.bin -intfile ./a.bin", &["-intfile", "a.bin", "two images"]),
            ("-floatfile nosuch/a.bin", &["-floatfile", "nosuch/a.bin"]),
            ("--png nosuch/a.png", &["--png", "nosuch/a.png"]),
            ("-intfile .", &["-intfile", "folder"]),
        ],
    );
    let alone: [(&str, &[&str]); 8] = [
        ("dmeo", &["'dmeo'", "did you mean demo?"]),
        ("-1e-5", &["'-1e-5'"]),
        ("demo --frames 3", &["--frames", "demo"]),
        ("demo extra", &["'extra'"]),
        ("completions", &["bash, zsh or fish"]),
        ("completions tcsh", &["tcsh", "bash, zsh or fish"]),
        ("man page", &["'page'"]),
        ("refine --wrt cell", &["refine", "--against"]),
    ];
    all_refused(&place, "", &alone);
}

#[test]
fn control_characters_in_names_do_not_break_the_line() {
    let place = Workplace::with_inputs();
    for name in ["a\nb", "\u{1b}[31m", "", "x\r"] {
        for option in ["-mat", "-hkl", "-floatfile", "-nosuch", "--frames"] {
            let mut args = words(GOOD);
            args.extend([option.to_owned(), name.to_owned()]);
            let outcome = place.run(&args);
            if outcome.code != Some(0) {
                let message = refusal(option, &outcome);
                assert!(!message.trim_end_matches('\n').contains(char::is_control), "{message:?}");
            }
        }
    }
}

/// When one file cannot be written, the run fails, but the files that it did write are complete.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_only_complete_files() {
    let good = Workplace::with_inputs();
    let all = format!("{GOOD} --png p.png --cbf c.cbf");
    good.run(words(&all)).well();
    for option in ["-floatfile", "-intfile", "-noisefile", "-pgmfile", "--png", "--cbf"] {
        let place = Workplace::with_inputs();
        let line = format!("{all} {option} /dev/full");
        let outcome = place.run(words(&line));
        // How the options were understood is printed before.
        assert_eq!((outcome.code, outcome.stdout.contains("unit cell")), (Some(2), true), "{option}");
        let message = one_line(&line, &outcome);
        assert!(message.contains(option) && message.contains("/dev/full"), "{message}");
        let expected = good.files();
        for (name, content) in place.files() {
            // A CBF holds the time of its run.
            let same = expected
                .get(&name)
                .is_some_and(|good| *good == content || name == "c.cbf" && good.len() == content.len());
            assert!(same, "{option}: {name}");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_read_only_folder_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let place = Workplace::with_inputs();
    let folder = place.path().join("closed");
    fs::create_dir(&folder).expect("a folder");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).expect("permissions");
    if fs::write(folder.join("probe"), "").is_ok() {
        skipped("this user can write to read-only folders");
        return;
    }
    let line = format!("{GOOD} -nonoise -nopgm -intfile closed/a.img");
    let message = refusal(&line, &place.run(words(&line)));
    assert!(message.contains("-intfile") && message.contains("closed/a.img"), "{message}");
    assert_eq!(fs::read_dir(&folder).expect("the folder").count(), 0);
}
