//! Command lines and files that users of nanoBragg have, with what it makes of them (`golden/cases`).

use std::fs;
#[cfg(unix)]
use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use widebragg_tests::golden;
use widebragg_tests::program::Workplace;

/// A file of `golden/cases`.
fn case(name: &str) -> Vec<u8> {
    let path = golden::root().join("cases").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// `printout.txt` is all that nanoBragg prints for this line.
#[test]
fn printed_pixels_have_the_words_and_columns_of_nanobragg() {
    let line = "-default_F 100 -cell 100 100 100 90 90 90 -lambda 1 -N 5 -detpixels 6 -pixel 1 -oversample 1 \
                -nonoise -printout";
    let expected = String::from_utf8(case("printout.txt")).expect("a text");
    let (_, expected) = expected.split_once("pixel oversample steps\n").expect("the first pixel");
    let (expected, _) = expected.split_once("\n\n").expect("the last pixel");
    assert_eq!(expected.lines().count(), 36 * 14);
    let printed = Workplace::empty().run_line(line).well().stdout;
    let start = printed.find("   0    0 : stol").unwrap_or_else(|| panic!("no pixel in {printed}"));
    for (at, (printed, expected)) in printed[start..].lines().zip(expected.lines()).enumerate() {
        assert_eq!(printed, expected, "line {at} of the pixels");
    }
}

#[test]
fn lists_of_reflections_may_end_their_lines_and_themselves_in_any_way() {
    let line =
        "-cell 30 30 30 90 90 90 -N 6 -detpixels 40 -pixel 1 -oversample 1 -nointerpolate -nonoise -nopgm";
    let place = Workplace::empty();
    let image = |list: &[u8]| {
        fs::write(place.path().join("P1.hkl"), list).expect("the list");
        place.run_line(&format!("{line} -hkl P1.hkl")).well();
        place.read("floatimage.bin")
    };
    let lines = image(&case("lf.hkl"));
    assert!(image(&case("cr.hkl")) == lines);
    assert!(image(&case("ctrl_z.hkl")) == image(b"0 0 1 50\n0 1 0 60\n1 0 0 70\n"));
    let two = b"0 0 1 50\n0 1 0 60\n";
    assert!(image(&case("end.hkl")) == image(two));
    assert!(image(&case("shelx_tail.hkl")) == image(&[two, &b"0 0 0 0\n"[..]].concat()));
    assert!(image(b"0 0 1 50\n") != lines);
}

/// Both took time that grew with the square of the number of words.
#[test]
fn many_stray_words_and_many_names_take_no_longer_than_they_are() {
    let place = Workplace::with_inputs();
    let mut words: Vec<String> =
        (0..20_000).flat_map(|i| ["-curved_det".to_owned(), format!("word{i}")]).collect();
    words.push("-nowhere".to_owned());
    let started = Instant::now();
    assert_eq!(place.run(&words).code, Some(2));
    let taps = |name: &str| (0..50_000).map(|i| format!("TRACE_C: {name}{i} 1\n")).collect::<String>();
    for (file, name) in [("a.txt", "ours"), ("b.txt", "theirs")] {
        fs::write(place.path().join(file), format!("TRACE_C: both 1\n{}", taps(name))).expect("a trace");
    }
    let outcome = place.run(["trace-diff", "a.txt", "b.txt"]).well();
    assert!(outcome.stdout.contains("theirs49999"));
    let seconds = started.elapsed().as_secs_f64();
    assert!(seconds < 20.0, "{seconds} s");
}

/// Each of these used to end with exit code 0 and one file fewer.
#[cfg(unix)]
#[test]
fn no_file_replaces_another_one_of_the_same_run() {
    let place = Workplace::with_inputs();
    let line = "-mat tri.mat -hkl sparse.hkl -detpixels 16 -N 3 -oversample 1 -seed 1 --quiet";
    let at = |name: &str| place.path().join(name);
    fs::create_dir(at("d")).expect("a folder");
    place.write("old.bin", "old");
    for (link, target) in [("link.bin", "old.bin"), ("to_list", "sparse.hkl"), ("dangling", "nothing")] {
        std::os::unix::fs::symlink(target, at(link)).expect("a link");
    }
    let lists = ["sparse.hkl", "tri.mat"].map(|name| place.read(name));
    let before = place.files();
    for (words, message) in [
        ("-floatfile x -intfile d/../x", "two images under one name"),
        ("-floatfile old.bin -intfile link.bin", "two images under one name"),
        ("-floatfile Fdump.bin", "-floatfile: Fdump.bin: is also the dump of structure factors (-dump)"),
        ("-intfile D.bin -dump d/../D.bin", "is also the dump of structure factors (-dump)"),
        ("-floatfile sparse.hkl", "-floatfile: sparse.hkl: is also read (-hkl)"),
        ("-pgmfile to_list", "-pgmfile: to_list: is also read (-hkl)"),
        ("-noisefile tri.mat", "-noisefile: tri.mat: is also read (-mat)"),
        ("-dump sparse.hkl", "-dump: sparse.hkl: is also read (-hkl)"),
        ("--cbf dangling", "--cbf: dangling: is a symbolic link to nothing"),
    ] {
        let outcome = place.run_line(&format!("{line} {words}"));
        assert_eq!(
            (outcome.code, outcome.stderr.lines().count()),
            (Some(2), 1),
            "{words}: {}",
            outcome.stderr
        );
        assert!(outcome.stderr.contains(message), "{words}: {}", outcome.stderr);
        assert_eq!(place.files(), before, "{words}");
    }
    assert_eq!(["sparse.hkl", "tri.mat"].map(|name| place.read(name)), lists);
    // A file that is replaced keeps its permissions.
    fs::set_permissions(at("old.bin"), PermissionsExt::from_mode(0o640)).expect("permissions");
    place.run_line(&format!("{line} -floatfile link.bin -noisefile /dev/null -pgmfile /dev/null")).well();
    assert_eq!(fs::metadata(at("old.bin")).expect("the image").permissions().mode() & 0o777, 0o640);
    assert_eq!(place.read("old.bin").len(), 16 * 16 * 4);
}
