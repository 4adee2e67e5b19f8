//! Files that a command writes replace none that it reads, and no dangling link is followed: a refusal leaves all
//! files as they are. Renders are in `cli_cases.rs`.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use widebragg_tests::program::Workplace;

const LINE: &str = "-mat tri.mat -hkl sparse.hkl -lambda 1.2 -pixel 0.4 -detpixels 16 -N 3 -oversample 1 -osc 0.5 \
    -phisteps 2 -fluence 1e30 -seed 1";

/// A folder `out` with files that commands write there, each of which is also an input, and a few images.
fn place() -> Workplace {
    let place = Workplace::with_inputs();
    for folder in ["out", "links"] {
        fs::create_dir(place.path().join(folder)).expect("a folder");
    }
    place.run_line(&format!("{LINE} -floatfile data.bin -intfile data.img --quiet")).well();
    for (name, from) in [
        ("a.png", "data.bin"),
        ("summary.json", "data.img"),
        ("gradient.json", "data.bin"),
        ("dL_dF.hkl", "sparse.hkl"),
        ("dI_da.bin", "data.bin"),
        ("refine.json", "data.bin"),
        ("loss.png", "data.bin"),
        ("fitted.mat", "tri.mat"),
    ] {
        place.write(format!("out/{name}"), place.read(from));
    }
    for trace in ["one", "two"] {
        place.run_line(&format!("trace {LINE} --pixel 4 5 --out {trace}.txt")).well();
    }
    place.write("out/metrics.json", place.read("one.txt"));
    place.write("list", place.read("sparse.hkl"));
    for (link, target) in [("to_list", "list"), ("dangling", "nothing"), ("links/report.html", "nowhere")] {
        symlink(target, place.path().join(link)).expect("a link");
    }
    place
}

fn contents(place: &Workplace) -> Vec<(String, Vec<u8>)> {
    let out = fs::read_dir(place.path().join("out")).expect("a folder");
    let names = out.map(|entry| format!("out/{}", entry.expect("entry").file_name().to_string_lossy()));
    let mut names: Vec<_> = names.filter(|name| place.path().join(name).exists()).collect();
    names.sort();
    place.files().into_iter().chain(names.into_iter().map(|name| (name.clone(), place.read(&name)))).collect()
}

#[test]
fn no_output_of_a_command_replaces_its_input() {
    let place = place();
    let before = contents(&place);
    let traced = format!("trace {LINE} --pixel 4 5");
    let other = LINE.replace("tri.mat", "out/fitted.mat");
    let listed = LINE.replace("sparse.hkl", "out/dL_dF.hkl");
    for (line, code, message) in [
        (format!("{traced} --out tri.mat"), 2, "--out: tri.mat: is also read (-mat)"),
        (format!("{traced} -hkl list --out to_list"), 2, "--out: to_list: is also read (-hkl)"),
        (format!("{traced} --out dangling"), 2, "--out: dangling: is a dangling symbolic link"),
        (format!("{traced} --out out"), 2, "--out: out: is a folder"),
        (format!("{traced} --out none/x"), 2, "--out: none/x: there is no such folder"),
        ("trace-diff out/metrics.json two.txt --out out".into(), 2, "is also read (first trace)"),
        ("trace-diff two.txt out/../out/metrics.json --out out".into(), 2, "is also read (second trace)"),
        ("compare out/a.png data.bin --size 16 16 --out out".into(), 2, "--out: out/a.png: is also read (A)"),
        ("compare data.img out/summary.json --out out".into(), 2, "out/summary.json: is also read (B)"),
        ("compare data.img data.img --out links".into(), 2, "links/report.html: is a dangling symbolic link"),
        (
            format!("gradient {LINE} --wrt cell --against out/gradient.json --out out"),
            2,
            "is also read (--against)",
        ),
        (
            format!("gradient {LINE} --wrt a --images --weights out/dI_da.bin --out out"),
            2,
            "is also read (--weights)",
        ),
        (format!("gradient {listed} --wrt F --out out"), 2, "out/dL_dF.hkl: is also read (-hkl)"),
        (
            format!("refine {LINE} --wrt misset --against out/refine.json --out out"),
            2,
            "is also read (--against)",
        ),
        (
            format!("refine {LINE} --wrt misset --against out/loss.png --out out"),
            2,
            "is also read (--against)",
        ),
        (
            format!("refine {other} --wrt cell --against data.bin --out out"),
            2,
            "out/fitted.mat: is also read (-mat)",
        ),
    ] {
        let outcome = place.run_line(&line);
        assert_eq!(outcome.code, Some(code), "{line}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(message), "{line}: {}", outcome.stderr);
        assert!(contents(&place) == before, "{line}");
    }
    // What a run does not write, it may read.
    place.run_line(&format!("refine {other} --wrt scale --against data.bin --out out --quiet")).well();
    place
        .run_line(&format!("gradient {LINE} --wrt b --weights out/dI_da.bin --images --out out --quiet"))
        .well();
    assert_eq!(place.read("out/fitted.mat"), place.read("tri.mat"));
    assert_eq!(place.read("out/dI_da.bin"), place.read("data.bin"));
}

#[test]
fn replaced_files_keep_their_permissions_and_the_demo_follows_no_link_to_nothing() {
    let place = place();
    let mode =
        |name: &str| fs::metadata(place.path().join(name)).expect("a file").permissions().mode() & 0o777;
    for name in ["one.txt", "out/metrics.json", "out/gradient.json"] {
        fs::set_permissions(place.path().join(name), PermissionsExt::from_mode(0o640)).expect("permissions");
    }
    place.run_line(&format!("trace {LINE} --pixel 4 5 --out one.txt")).well();
    place.run_line("trace-diff one.txt two.txt --out out --quiet").well();
    place.run_line(&format!("gradient {LINE} --wrt a --out out --quiet")).well();
    assert_eq!(["one.txt", "out/metrics.json", "out/gradient.json"].map(mode), [0o640; 3]);

    fs::create_dir(place.path().join("demo")).expect("a folder");
    symlink("nothing", place.path().join("demo/P1.hkl")).expect("a link");
    let outcome = place.run_line("demo --out demo");
    assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("demo/P1.hkl: is a dangling symbolic link"), "{}", outcome.stderr);
    assert_eq!(fs::read_dir(place.path().join("demo")).expect("the folder").count(), 1);
}
