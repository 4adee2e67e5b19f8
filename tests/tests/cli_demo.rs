//! `widebragg demo`: an image without input files, and a command line that reproduces it.

use std::fs;
use std::fs::File;
use std::io::BufReader;

use widebragg_tests::program::{Workplace, smv_parts};

/// The header without the line that contains the time of the run.
fn undated(header: &str) -> String {
    header.lines().filter(|line| !line.starts_with("DATE=")).collect()
}

#[test]
fn the_printed_command_reproduces_the_demo_bit_for_bit() {
    let place = Workplace::empty();
    let outcome = place.run(["demo", "--out", "first"]).well();
    let folder = place.path().join("first");
    for name in ["A.mat", "P1.hkl", "demo.bin", "demo.img", "demo_noise.img", "demo.png", "demo_Fdump.bin"] {
        assert!(folder.join(name).is_file(), "{name}");
        assert!(outcome.stdout.contains("To try next"), "{}", outcome.stdout);
    }
    assert_eq!(fs::read_dir(place.path()).expect("the folder").count(), 1);

    let (fast, slow) = (2463, 2527);
    let png = File::open(folder.join("demo.png")).expect("demo.png");
    let mut png = png::Decoder::new(BufReader::new(png)).read_info().expect("a PNG");
    let mut levels = vec![0; png.output_buffer_size().expect("a size")];
    let info = png.next_frame(&mut levels).expect("its pixels");
    assert_eq!((info.width, info.height, info.bit_depth), (fast, slow, png::BitDepth::Eight));
    // The picture has dark spots on a light background.
    assert!(levels.iter().filter(|&&level| level > 200).count() > levels.len() / 2);
    assert!(levels.iter().filter(|&&level| level < 50).count() > 1000);

    let float = place.read("first/demo.bin");
    let smv = place.read("first/demo.img");
    assert_eq!(float.len(), 4 * fast as usize * slow as usize);
    for name in ["demo.bin", "demo.img", "demo_noise.img", "demo.png", "demo_Fdump.bin"] {
        fs::remove_file(folder.join(name)).expect(name);
    }
    let plain =
        outcome.stdout.lines().find_map(|line| line.strip_prefix("  widebragg -mat ")).expect("a line");
    let again = place
        .command(["-mat"].into_iter().chain(plain.split_whitespace()))
        .current_dir(&folder)
        .output()
        .expect("the program starts");
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    assert!(place.read("first/demo.bin") == float, "the float images differ");
    let (header, pixels) = smv_parts(&smv).expect("an SMV file");
    let (header_again, pixels_again) = smv_parts(&place.read("first/demo.img")).expect("an SMV file");
    assert!(pixels_again == pixels, "the SMV images differ");
    assert_eq!(undated(&header_again), undated(&header));
}

#[test]
fn existing_files_are_not_overwritten() {
    for name in ["A.mat", "P1.hkl"] {
        let place = Workplace::empty();
        fs::create_dir(place.path().join("out")).expect("a folder");
        place.write(format!("out/{name}"), "of the user");
        let outcome = place.run(["demo", "--out=out"]);
        assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
        assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
        assert!(outcome.stderr.contains(name) && outcome.stderr.contains("--out"), "{}", outcome.stderr);
        assert_eq!(place.read(format!("out/{name}")), b"of the user");
        assert!(!place.path().join("out/demo.bin").exists());
    }
}
