//! The example programs: built as their first lines say; their images have the bits of `widebragg demo`.

mod common;

use common::{CRATE, SCRATCH, cc, cxx, product, run, text};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use widebragg_tests::program::Workplace;

/// Compiles an example and returns the program.
fn example(compiler: &OsString, source: &str, flags: &[&str]) -> PathBuf {
    let program = Path::new(SCRATCH).join(source.replace('.', "_"));
    run(Command::new(compiler)
        .args(["-Wall", "-Wextra", "-Werror", "-pedantic", "-O2"])
        .args(flags)
        .arg(Path::new(CRATE).join("examples").join(source))
        .args(["-I".as_ref(), common::include().as_os_str()])
        .arg(product().join("libwidebragg.a"))
        .args(["-lm", "-o"])
        .arg(&program));
    program
}

/// The float image that an example writes, and its standard output.
fn image(program: &Path, arguments: &[&str]) -> (Vec<u8>, String) {
    let file = program.with_extension("bin");
    let output = run(Command::new(program).arg(&file).args(arguments));
    (fs::read(&file).expect("the image"), text(&output.stdout))
}

/// The float image of `widebragg demo`.
fn demo(mode: &str) -> Vec<u8> {
    let place = Workplace::empty();
    place.run(["demo", "--out", "demo", "--quiet", "--phi-carryover-mode", mode]).well();
    place.read("demo/demo.bin")
}

#[test]
fn the_demo_s_image_comes_out_row_by_row_from_threads_and_from_cpp() {
    let Some(cc) = cc() else { return };
    let c99 = ["-std=c99"];
    let rows = example(&cc, "demo_rows.c", &c99);
    let (spec, printed) = image(&rows, &[]);
    assert!(printed.starts_with("2463 x 2527 pixels, 100 steps each"), "{printed}");
    assert!(spec == demo("spec"), "another image than the program's");
    let (c_parity, _) = image(&rows, &["c-parity"]);
    assert!(c_parity == demo("c-parity"), "another c-parity image than the program's");
    assert!(spec != c_parity);

    let threads = example(&cc, "demo_threads.c", &["-std=c99", "-pthread"]);
    let (banded, printed) = image(&threads, &[]);
    assert!(banded == c_parity, "two threads give another image");
    assert_eq!(printed.trim(), format!("{} hits, 1 fresh", 2463 * 2527 - 1));

    let Some(cxx) = cxx() else { return };
    let (from_cpp, printed) = image(&example(&cxx, "demo.cpp", &["-std=c++11"]), &[]);
    assert!(from_cpp == spec, "C++ gives another image");
    assert!(printed.starts_with("brightest pixel"), "{printed}");
}

#[test]
fn the_lines_of_the_readme_about_derivatives_compile() {
    let Some(cc) = cc() else { return };
    let readme = fs::read_to_string(Path::new(CRATE).join("README.md")).expect("README.md");
    let (_, lines) = readme.split_once("## Derivatives").expect("the section");
    let (_, lines) = lines.split_once("```c\n").expect("the lines");
    let (lines, _) = lines.split_once("```").expect("their end");
    let code = format!(
        "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include \"widebragg.h\"\n\
         int gradient(wb_scene_parameters p, wb_scene *scene, size_t rows, size_t columns, double *dL_dI, \
         wb_carryover *carryover);\n\
         int gradient(wb_scene_parameters p, wb_scene *scene, size_t rows, size_t columns, double *dL_dI, \
         wb_carryover *carryover) {{ wb_error e; size_t bytes;\n{lines}return e.status; }}\n"
    );
    let source = Path::new(SCRATCH).join("readme_gradient.c");
    fs::write(&source, code).expect("a scratch file");
    run(Command::new(&cc)
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only"])
        .arg(&source)
        .args(["-I".as_ref(), common::include().as_os_str()]));
}

#[test]
fn the_gradient_of_the_demo_is_that_of_its_differences() {
    let Some(cc) = cc() else { return };
    // The program fails unless they agree to 1e-5.
    let (pushed, printed) = image(&example(&cc, "demo_gradient.c", &["-std=c99"]), &[]);
    assert_eq!(printed.lines().count(), 15, "{printed}");
    assert_eq!(pushed.len(), 48 * 2463 * size_of::<f32>());
    assert!(pushed.iter().any(|&byte| byte != 0));
}

#[test]
fn the_lines_of_the_readme_render_nano_bragg_s_loop() {
    let Some(cc) = cc() else { return };
    let readme = fs::read_to_string(Path::new(CRATE).join("README.md")).expect("README.md");
    let (_, lines) = readme.split_once("## The pixel loop of nanoBragg").expect("the section");
    let (_, lines) = lines.split_once("```c\n").expect("the lines");
    let (lines, _) = lines.split_once("```").expect("their end");
    fs::write(Path::new(SCRATCH).join("readme_lines.inc"), lines).expect("a scratch file");
    let program = Path::new(SCRATCH).join("nanobragg_loop");
    run(Command::new(&cc)
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-I", SCRATCH])
        .arg(Path::new(CRATE).join("tests/c/nanobragg_loop.c"))
        .args(["-I".as_ref(), common::include().as_os_str()])
        .arg(product().join("libwidebragg.a"))
        .args(["-lm", "-o"])
        .arg(&program));
    assert_eq!(text(&run(&mut Command::new(program)).stdout).trim(), "same");
}
