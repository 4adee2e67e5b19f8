//! Portability: a processor without AVX renders the same bits as the portable level elsewhere, and binary
//! files in the opposite byte order are byte-swapped or rejected.

use std::fs;

use widebragg_tests::fault::has;
use widebragg_tests::program::{Outcome, Workplace, executable};

const LINE: &str =
    "-mat tri.mat -hkl sparse.hkl -lambda 1.2 -pixel 0.4 -detpixels 24 -N 4 -seed 1 --header reference";

/// Command lines that together use every mathematical function: tilts, sources, domains, shapes, layers,
/// noise.
const LINES: [&str; 4] = [
    "-oversample 2 -osc 0.7 -phisteps 3 -mosaic 0.4 -mosaic_domains 4 -twotheta 20 -detector_rotx 3 -polar 0.9",
    "-oversample 1 -round_xtal -divergence 3 -divsteps 3 -dispersion 1 -dispsteps 2 -misset random -curved_det",
    "-oversample 1 -gauss_xtal -interpolate -cell 45 52 61 82 97 104 -detector_thick 400 -detector_thicksteps 3 -water 5",
    "-oversample 1 -osc 0.7 -phisteps 3 -phi 0 --phi-carryover-mode c-parity -dmin 2 -oversample_omega -fluence 1e31",
];

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn a_processor_without_avx_gives_the_portable_levels_bits() {
    if !has("qemu-x86_64") {
        return;
    }
    for extra in LINES {
        let native = Workplace::with_inputs();
        native.run_line(&format!("{LINE} {extra} --simd portable")).well();
        // A processor with SSE2 only, and one from 2008.
        for processor in ["qemu64", "Nehalem"] {
            let place = Workplace::with_inputs();
            let outcome = emulated(&place, processor, &format!("{LINE} {extra} --json")).well();
            assert_eq!(outcome.json()["simd"], "portable", "{processor}");
            for (name, content) in native.files() {
                assert!(place.read(&name) == content, "{processor}: {extra}: {name}");
            }
        }
    }
    let place = Workplace::with_inputs();
    let outcome = emulated(&place, "qemu64", &format!("{LINE} -oversample 8 --simd avx512 --quiet")).well();
    assert!(
        outcome.stderr.contains("--simd avx512: this processor has no avx512, portable used"),
        "{}",
        outcome.stderr
    );
}

/// Runs the program on an emulated processor.
fn emulated(place: &Workplace, processor: &str, line: &str) -> Outcome {
    let mut command = std::process::Command::new("qemu-x86_64");
    command
        .args(["-cpu", processor])
        .arg(executable())
        .args(line.split_whitespace())
        .current_dir(place.path());
    let output = command.output().expect("qemu");
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[test]
fn a_big_endian_mask_is_swapped_and_an_unknown_order_refused() {
    let place = Workplace::with_inputs();
    let line = "-mat tri.mat -hkl sparse.hkl -N 4 -oversample 1 -nonoise -nopgm --quiet -mask";
    place.run_line(&format!("{line} mask.img")).well();
    let expected = place.read("floatimage.bin");
    let mask = place.read("mask.img");
    let (header, pixels) = mask.split_at(512);
    let header = String::from_utf8_lossy(header).into_owned();
    let order = "BYTE_ORDER=little_endian;";
    assert!(header.contains(order), "{header}");
    // The program only tests whether a mask value is 0, which swapping does not change. But 0x0100 read in
    // the wrong order is 1.
    let swapped: Vec<u8> = pixels.chunks_exact(2).flat_map(|pixel| [pixel[1], pixel[0]]).collect();
    let named = |name: &str| {
        let changed = header.replace(order, &format!("BYTE_ORDER={name};"));
        let text = changed.trim_end_matches(' ').to_owned();
        format!("{text:<512}")
    };
    place.write("big.img", [named("big_endian").as_bytes(), &swapped].concat());
    place.run_line(&format!("{line} big.img")).well();
    assert!(place.read("floatimage.bin") == expected);
    let read = |name: &str| widebragg_formats::smv::read_smv(&place.path().join(name)).expect(name).pixels;
    assert!(read("big.img") == read("mask.img"));
    place.write("vax.img", [named("vax_endian").as_bytes(), &swapped].concat());
    let outcome = place.run_line(&format!("{line} vax.img"));
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("vax.img: BYTE_ORDER=\"vax_endian\" is neither"), "{}", outcome.stderr);
}

#[test]
fn a_dump_of_the_other_byte_order_is_swapped() {
    let place = Workplace::with_inputs();
    let line = "-mat tri.mat -lambda 1.2 -pixel 0.4 -detpixels 32 -N 4 -oversample 1 -nonoise -nopgm --quiet";
    for hkl in ["sparse.hkl", "dense.hkl"] {
        place.run_line(&format!("{line} -hkl {hkl}")).well();
        let expected = place.read("floatimage.bin");
        let mut dump = place.read("Fdump.bin");
        let data = dump.iter().position(|&byte| byte == 0x0c).expect("a form feed") + 1;
        dump[data..].chunks_exact_mut(8).for_each(<[u8]>::reverse);
        place.write("foreign.bin", &dump);
        place.run_line(&format!("{line} -dump foreign.bin")).well();
        assert!(place.read("floatimage.bin") == expected, "{hkl}");
        // These values are amplitudes in neither byte order, so the file is rejected.
        dump[data..][..8].copy_from_slice(&f64::NAN.to_ne_bytes());
        place.write("broken.bin", &dump);
        let outcome = place.run_line(&format!("{line} -dump broken.bin"));
        assert_eq!(outcome.code, Some(2), "{hkl}");
        assert!(outcome.stderr.contains("broken.bin: F of"), "{}", outcome.stderr);
    }
}

/// Binary files of reflections that are cut, and of images in formats that the program does not read.
#[test]
fn foreign_binary_files_are_named() {
    let place = Workplace::with_inputs();
    let line = "-mat tri.mat -detpixels 16 -N 3 -oversample 1 --quiet";
    place.run_line(&format!("{line} -hkl sparse.hkl --cbf a.cbf -floatfile a.bin")).well();
    fs::remove_file(place.path().join("Fdump.bin")).expect("the dump");
    // MTZ in both byte orders: the machine stamp follows the offset of the header.
    for (stamp, words) in [
        (*b"DA\0\0", "the header from byte 80 on has no END before the file ends at byte 105"),
        (*b"\x11\x11\0\0", "ends at byte 105, but its header should begin at byte 1409286140"),
    ] {
        let mtz = [
            b"MTZ ".as_slice(),
            &[0x15, 0, 0, 0],
            &stamp,
            &[0; 68],
            b"VERS MTZ:V1.1".as_slice(),
            &[b' '; 12],
        ];
        place.write("a.mtz", mtz.concat());
        let outcome = place.run_line(&format!("{line} -hkl a.mtz"));
        assert_eq!(outcome.code, Some(2));
        assert_eq!(outcome.stderr, format!("widebragg: -hkl: a.mtz: {words}\n"));
    }
    let cbf = place.read("a.cbf");
    let at = cbf.windows(13).position(|window| window == b"LITTLE_ENDIAN").expect("a byte order");
    let big = [&cbf[..at], b"BIG_ENDIAN   ", &cbf[at + 13..]].concat();
    place.write("big.cbf", big);
    let outcome = place.run_line("compare a.bin big.cbf");
    assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("big.cbf: its byte order is not LITTLE_ENDIAN"), "{}", outcome.stderr);
}
