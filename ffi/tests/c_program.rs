//! The static library and the header as a C programmer uses them: built, compiled against, linked and run.

#![allow(unsafe_code, reason = "renders an image through the C interface")]

mod common;
#[path = "common/scene.rs"]
mod made;

use common::{CRATE, SCRATCH, cc, compile, cxx, make, product, run, run_program, text, tool};
use core::ptr::null_mut;
use made::defaults;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use widebragg_tests::skipped::skipped;

use widebragg_ffi::parameters::{WB_GIVEN_CELL, wb_scene_parameters};

#[test]
fn agrees_with_the_c_expression() {
    let Some(cc) = cc() else { return };
    let source = Path::new(CRATE).join("tests/c/sincg.c");
    assert_eq!(run_program(&cc, &source, &["-std=c99"]).trim(), "28007");
}

/// The first C program of a file of the package, from its first `#include` to the end of `main`.
fn first_program(file: &str) -> String {
    let text = fs::read_to_string(Path::new(CRATE).join(file)).expect("a file of the package");
    let start = text.find("#include").expect("the first line of the program");
    let end = text.find("\n}\n").expect("the last line of the program") + 3;
    text[start..end].to_owned()
}

#[test]
fn the_program_at_the_top_of_header_and_readme_renders_an_image() {
    let program = first_program("include/widebragg.h");
    assert_eq!(program, first_program("README.md"));
    let Some(cc) = cc() else { return };
    let source = Path::new(SCRATCH).join("from_header.c");
    fs::write(&source, program).expect("a scratch file");
    let written = run(&mut Command::new(compile(&cc, &source, &["-std=c11"]))).stdout;

    let mut parameters = wb_scene_parameters {
        given: WB_GIVEN_CELL,
        cell_angstrom: [40.0, 50.0, 60.0],
        cell_angles_rad: [core::f64::consts::FRAC_PI_2; 3],
        misset_rad: [0.3; 3],
        cells: [10.0; 3],
        ..defaults()
    };
    parameters.grid.default_f = 100.0;
    let image = made::make(&parameters).expect("a scene").rows(0, 1024, null_mut()).expect("an image");
    let expected: Vec<u8> = image.iter().flat_map(|pixel| pixel.to_ne_bytes()).collect();
    assert!(written == expected, "another image than that of the library");
    assert!(image.iter().any(|&pixel| pixel > 1.0));
}

#[test]
fn the_header_is_clean_cpp() {
    let Some(cxx) = cxx() else { return };
    let source = Path::new(SCRATCH).join("header.cpp");
    fs::write(
        &source,
        "#include \"widebragg.h\"\nint main() { return wb_sincg(0.0, 1.0) == 1.0 ? 0 : 1; }\n",
    )
    .expect("a scratch file");
    run_program(&cxx, &source, &["-std=c++11"]);
}

/// The program that calls every function.
fn calls() -> PathBuf {
    Path::new(CRATE).join("tests/c/calls.c")
}

#[test]
fn every_function_with_nothing_but_libc_and_libm() {
    let Some(cc) = cc() else { return };
    for standard in ["-std=c99", "-std=c11"] {
        assert_eq!(run_program(&cc, &calls(), &[standard, "-O2"]).trim(), "ok");
    }
    let (Some(cc), Some(readelf)) = (tool("CC", "cc"), tool("READELF", "readelf")) else { return };
    let needed =
        text(&run(Command::new(readelf).arg("-d").arg(compile(&cc, &calls(), &["-std=c99"]))).stdout);
    let needed: Vec<_> = needed.lines().filter(|line| line.contains("(NEEDED)")).collect();
    assert!(!needed.is_empty());
    assert!(needed.iter().all(|line| line.contains("[libc.") || line.contains("[libm.")), "{needed:?}");
}

#[test]
fn a_memory_checker_finds_nothing() {
    let (Some(cc), Some(valgrind)) = (cc(), tool("VALGRIND", "valgrind")) else { return };
    let program = compile_as(&cc, "calls_valgrind", &["-std=c99", "-g"]);
    assert_eq!(text(&run(&mut Command::new(&program)).stdout).trim(), "ok");
    let report = Command::new(valgrind)
        .args(["--quiet", "--error-exitcode=9", "--leak-check=full", "--show-leak-kinds=all"])
        .arg(program)
        .output()
        .expect("a run of valgrind");
    // Compilers encode some moves of vectors in ways that valgrind does not decode (3.19: c5 79 d6 e8), which depends on the
    // registers that they happen to choose.
    if text(&report.stderr).contains("(SIGILL)") {
        skipped("valgrind does not know an instruction of this build");
        return;
    }
    assert_eq!(text(&report.stderr), "");
    assert_eq!(text(&report.stdout).trim(), "ok");
}

#[test]
fn the_address_sanitizer_finds_nothing() {
    let Some(cc) = cc() else { return };
    let sanitized = ["-std=c99", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    let empty = Path::new(SCRATCH).join("sanitized_empty.c");
    fs::write(&empty, "int main(void) { return 0; }\n").expect("a scratch file");
    let tried =
        Command::new(&cc).args(sanitized).arg(&empty).arg("-o").arg(empty.with_extension("")).output();
    if !tried.is_ok_and(|output| output.status.success()) {
        skipped("no address sanitizer");
        return;
    }
    let program = compile_as(&cc, "calls_sanitized", &sanitized);
    assert_eq!(text(&run(&mut Command::new(program)).stdout).trim(), "ok");
}

/// Compiles [`calls`] under another name, so that tests do not overwrite each other's program.
fn compile_as(cc: &std::ffi::OsStr, name: &str, flags: &[&str]) -> PathBuf {
    let source = Path::new(SCRATCH).join(name).with_extension("c");
    fs::copy(calls(), &source).expect("a scratch file");
    compile(cc, &source, flags)
}

#[test]
fn an_installed_library_is_found_and_runs() {
    let Some(cc) = cc() else { return };
    let root = Path::new(SCRATCH).join("installed");
    fs::remove_dir_all(&root).ok();
    // The library must not be rebuilt while other tests link it.
    make(&[
        "--assume-old=all",
        "install",
        &format!("BUILD={}", product().display()),
        &format!("DESTDIR={}", root.display()),
        "PREFIX=/opt/widebragg",
    ]);
    let lib = root.join("opt/widebragg/lib");
    for file in
        ["lib/libwidebragg.a", "lib/libwidebragg.so.0", "lib/pkgconfig/widebragg.pc", "include/widebragg.h"]
    {
        assert!(root.join("opt/widebragg").join(file).is_file(), "{file}");
    }
    assert_eq!(fs::read_link(lib.join("libwidebragg.so")).ok(), Some("libwidebragg.so.0".into()));
    let flags = match tool("PKG_CONFIG", "pkg-config") {
        Some(pkg_config) => {
            let found = run(Command::new(pkg_config)
                .args(["--cflags", "--libs", "widebragg"])
                .env("PKG_CONFIG_PATH", lib.join("pkgconfig"))
                .env("PKG_CONFIG_SYSROOT_DIR", &root));
            text(&found.stdout)
        }
        None => format!("-I{0}/include -L{0}/lib -lwidebragg", root.join("opt/widebragg").display()),
    };
    let program = root.join("calls");
    run(Command::new(cc)
        .args(["-std=c99", "-o"])
        .arg(&program)
        .arg(calls())
        .args(flags.split_whitespace())
        .args(["-lm"]));
    let output = run(Command::new(program).env("LD_LIBRARY_PATH", &lib));
    assert_eq!(text(&output.stdout).trim(), "ok");
}

/// The lines of the README between two lines of a shell block.
fn shell_lines(after: &str) -> Vec<String> {
    let readme = fs::read_to_string(Path::new(CRATE).join("README.md")).expect("README.md");
    let (_, rest) = readme.split_once(after).expect("the section");
    let (_, rest) = rest.split_once("```sh\n").expect("the first line");
    let (lines, _) = rest.split_once("```").expect("the last line");
    lines.lines().map(str::to_owned).collect()
}

/// The lines of the README's section on installing, as they stand there, in an empty home directory. Only
/// `make` is told to install libraries that are built already.
#[test]
fn the_install_recipe_produces_programs_that_start() {
    let (Some(_), Some(_)) = (cc(), tool("PKG_CONFIG", "pkg-config")) else { return };
    let home = Path::new(SCRATCH).join("home");
    fs::remove_dir_all(&home).ok();
    fs::create_dir_all(&home).expect("a scratch folder");
    fs::write(home.join("program.c"), first_program("README.md")).expect("a scratch file");
    let prefix = |words: &str| words.replace("$HOME", home.to_str().expect("a path in UTF-8"));
    let recipe = shell_lines("## Install");
    let [install, export, compile, start] = recipe.as_slice() else { panic!("{recipe:?}") };
    let others = shell_lines("There are two other ways:");
    let [link_archive, start_without] = others.as_slice() else { panic!("{others:?}") };
    let build = format!("BUILD={}", product().display());
    let words = prefix(install.strip_prefix("make -C ffi ").expect("the Makefile of this package"));
    let install = |more: &[&str]| {
        let words: Vec<&str> = words.split(' ').chain(["--assume-old=all", build.as_str()]).collect();
        make(&[&words, more].concat());
    };
    let sh = |lines: &[&String]| {
        let script = lines.iter().map(|line| line.as_str()).collect::<Vec<_>>().join(" &&\n");
        let output = run(Command::new("sh")
            .args(["-ec", &script])
            .current_dir(&home)
            .env("HOME", &home)
            .env_remove("LD_LIBRARY_PATH")
            .env_remove("PKG_CONFIG_PATH"));
        assert_eq!(text(&output.stderr), "");
        let image = fs::read(home.join("image.bin")).expect("the image");
        fs::remove_file(home.join("image.bin")).expect("the image");
        assert_eq!(image.len(), 1024 * 1024 * size_of::<f32>());
        image
    };
    install(&[]);
    let image = sh(&[export, compile, start]);
    assert!(image.iter().any(|&byte| byte != 0));
    assert!(sh(&[export, link_archive, start]) == image);
    install(&["RPATH="]);
    assert!(sh(&[export, compile, start_without]) == image);
    // Without a search path that program does not start, so the lines above do what they are there for.
    let script = format!("{export} && {compile} && {start}");
    let fails = Command::new("sh").args(["-c", &script]).current_dir(&home).env("HOME", &home).output();
    assert!(!cfg!(target_os = "linux") || fails.is_ok_and(|output| !output.status.success()));
}
