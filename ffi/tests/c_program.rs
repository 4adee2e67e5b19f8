//! The static library and the header, as a C programmer meets them: built, compiled against, linked, run.

mod common;

use common::{CRATE, SCRATCH, cc, cxx, run_program};
use std::fs;
use std::path::Path;

#[test]
fn agrees_with_the_c_expression() {
    let Some(cc) = cc() else { return };
    let source = Path::new(CRATE).join("tests/c/sincg.c");
    assert_eq!(run_program(&cc, &source, &["-std=c99"]).trim(), "28007");
}

#[test]
fn the_program_in_the_header_runs() {
    let Some(cc) = cc() else { return };
    let header = fs::read_to_string(Path::new(CRATE).join("include/widebragg.h")).expect("the header");
    let start = header.find("#include").expect("the program's first line");
    let end = header.find("\n}\n").expect("the program's last line") + 3;
    let source = Path::new(SCRATCH).join("from_header.c");
    fs::write(&source, &header[start..end]).expect("a scratch file");
    let printed = run_program(&cc, &source, &["-std=c99"]);
    let value: f64 = printed.trim().parse().expect("a number");
    assert_eq!(value, widebragg_ffi::wb_sincg(0.05, 36.0));
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
