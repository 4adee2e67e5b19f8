//! Compares the header with the library: constants, structs, prototypes and exports must agree.
//!
//! Names and types are read from the sources of both; offsets and sizes are those of the two compilers.

mod common;

use common::{CRATE, SCRATCH, cc, include, product, run, text, tool};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use widebragg_tests::skipped::skipped;

use widebragg_ffi::background::wb_matter;
use widebragg_ffi::carryover::{wb_carryover_slot, wb_carryover_use};
use widebragg_ffi::grid::wb_grid;
use widebragg_ffi::latch::wb_latch;
use widebragg_ffi::noise::wb_noise;
use widebragg_ffi::panel::{wb_motion, wb_panel};
use widebragg_ffi::parameters::{wb_scene_parameters, wb_source};
use widebragg_ffi::render::wb_row_report;
use widebragg_ffi::sources::wb_source_grid;
use widebragg_ffi::spread::wb_spread;
use widebragg_ffi::stages::{wb_gain_mode, wb_gain_switching, wb_pixel_differences, wb_place};
use widebragg_ffi::status::wb_error;
use widebragg_ffi::summary::wb_scene_summary;
use widebragg_ffi::variables::wb_variables;

/// The header without comments.
fn header() -> String {
    let mut text = fs::read_to_string(include().join("widebragg.h")).expect("the header");
    while let Some(start) = text.find("/*") {
        let end = start + text[start..].find("*/").expect("the end of a comment") + 2;
        text.replace_range(start..end, " ");
    }
    text
}

/// The Rust sources of the library, without comments.
fn sources() -> String {
    let mut all = String::new();
    for entry in fs::read_dir(Path::new(CRATE).join("src")).expect("the sources") {
        let file = fs::read_to_string(entry.expect("an entry").path()).expect("a source");
        for line in file.lines().filter(|line| !line.trim_start().starts_with("//")) {
            all.push_str(line);
            all.push('\n');
        }
    }
    all
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The C declaration of `name` with a Rust type.
fn in_c(rust: &str, name: &str) -> String {
    let rust = rust.trim();
    if rust.starts_with("*const *const ") {
        // C does not convert `double ***` to pointers to const pointers, so the header declares such
        // arguments without const.
        return in_c(&rust.replace("*const ", "*mut "), name);
    }
    if let Some(target) = rust.strip_prefix("*const ") {
        return in_c(target, &format!("const *{name}"));
    }
    if let Some(target) = rust.strip_prefix("*mut ") {
        return in_c(target, &format!("*{name}"));
    }
    if let Some((element, length)) =
        rust.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')?.split_once(';'))
    {
        let length = if length.trim() == "WB_TEXT" { "64" } else { length.trim() };
        let name = if name.starts_with('*') { format!("({name})") } else { name.to_owned() };
        return in_c(element, &format!("{name}[{length}]"));
    }
    let plain = match rust {
        "f64" => "double",
        "f32" => "float",
        "i32" => "int32_t",
        "i64" => "int64_t",
        "u16" => "uint16_t",
        "u32" => "uint32_t",
        "u64" => "uint64_t",
        "usize" => "size_t",
        "c_char" => "char",
        "core::ffi::c_void" | "c_void" => "void",
        "()" => "void",
        own if own.starts_with("wb_") => own,
        other => panic!("no C type for {other}"),
    };
    format!("{plain} {name}")
}

/// The exported functions: the types of their arguments, and the type that they return.
fn exported() -> BTreeMap<String, (Vec<String>, String)> {
    let sources = sources();
    let mut functions = BTreeMap::new();
    for rest in sources.split("extern \"C\" fn ").skip(1) {
        let (name, rest) = rest.split_once('(').expect("arguments");
        let (arguments, rest) = rest.split_once(')').expect("the end of the arguments");
        let (returned, _) = rest.split_once('{').expect("a body");
        let returned = returned.trim().strip_prefix("->").map_or("()", str::trim);
        let types = arguments.split(',').filter(|argument| !argument.trim().is_empty());
        let types = types.map(|argument| squeezed(argument.split_once(':').expect("a type").1)).collect();
        functions.insert(name.to_owned(), (types, returned.to_owned()));
    }
    functions
}

/// The names of the functions that the header declares.
fn declared() -> BTreeSet<String> {
    let header = header();
    let mut names = BTreeSet::new();
    for (at, _) in header.match_indices('(') {
        let name = header[..at].rsplit(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or("");
        if name.starts_with("wb_") {
            names.insert(name.to_owned());
        }
    }
    names
}

/// Compiles C statements that include the header.
fn must_compile(name: &str, code: &str) {
    let Some(cc) = cc() else { return };
    let source = Path::new(SCRATCH).join(name).with_extension("c");
    fs::write(&source, format!("#include \"widebragg.h\"\n{code}")).expect("a scratch file");
    run(Command::new(cc)
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-c", "-o"])
        .arg(source.with_extension("o"))
        .args(["-I".as_ref(), include().as_os_str()])
        .arg(&source));
}

#[test]
fn prototypes_are_those_of_the_functions() {
    let functions = exported();
    assert!(functions.len() > 30, "{functions:?}");
    assert_eq!(declared(), functions.keys().cloned().collect());
    // A second declaration with another type is an error of the compiler.
    let mut code = String::new();
    for (name, (types, returned)) in &functions {
        let types: Vec<_> = types.iter().map(|rust| in_c(rust, "")).collect();
        let types = if types.is_empty() { "void".to_owned() } else { types.join(", ") };
        code += &format!("{};\n", in_c(returned, &format!("{name}({types})")));
    }
    must_compile("prototypes", &code);
}

#[test]
fn constants_are_those_of_the_library() {
    let sources = sources();
    let mut code = String::new();
    let mut ours = BTreeSet::new();
    for rest in sources.split("pub const WB_").skip(1) {
        let (name, rest) = rest.split_once(':').expect("a type");
        let (_, rest) = rest.split_once('=').expect("a value");
        let (value, _) = rest.split_once(';').expect("an end");
        ours.insert(name.to_owned());
        code += &format!("_Static_assert(WB_{name} == {}, \"WB_{name}\");\n", value.trim());
    }
    let header = header();
    let tokens = header.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    let theirs: BTreeSet<_> = tokens.filter_map(|word| word.strip_prefix("WB_")).map(str::to_owned).collect();
    assert!(ours.len() > 50, "{ours:?}");
    assert_eq!(ours, theirs);
    must_compile("constants", &code);
}

/// The layout of a struct: name, size, alignment, and the name, offset, size and type of each field.
type Layout = (&'static str, usize, usize, Vec<(&'static str, usize, usize, &'static str)>);

macro_rules! layout {
    ($name:ident { $($field:ident: $type:ty),* $(,)? }) => {{
        // The compiler rejects a missing or wrong field here.
        fn _complete($name { $($field),* }: $name) {
            $(let _: $type = $field;)*
        }
        let fields = vec![$((
            stringify!($field),
            core::mem::offset_of!($name, $field),
            size_of::<$type>(),
            stringify!($type),
        )),*];
        (stringify!($name), size_of::<$name>(), align_of::<$name>(), fields)
    }};
}

use core::ffi::c_char;

fn layouts() -> Vec<Layout> {
    vec![
        layout!(wb_error {
            status: i32,
            value: f64,
            needed: usize,
            quantity: [c_char; 64],
            allowed: [c_char; 64],
        }),
        layout!(wb_grid {
            f: *const f64, f_len: usize, hkl_min: [i32; 3], hkl_len: [usize; 3], default_f: f64,
        }),
        layout!(wb_source { incident: [f64; 3], lambda_m: f64 }),
        layout!(wb_row_report { pixels: u64, fallbacks: u64, omega_sum_sr: f64 }),
        layout!(wb_source_grid {
            hdiv_count: usize,
            hdiv_range_rad: f64,
            hdiv_step_rad: f64,
            vdiv_count: usize,
            vdiv_range_rad: f64,
            vdiv_step_rad: f64,
            dispersion_count: usize,
            dispersion_range: f64,
            dispersion_step: f64,
            round: i32,
        }),
        layout!(wb_variables {
            cell_m: [f64; 9],
            reciprocal_per_angstrom: [f64; 9],
            pix0_m: [f64; 3],
            fast_axis: [f64; 3],
            slow_axis: [f64; 3],
            normal_axis: [f64; 3],
            close_distance_m: f64,
            distance_m: f64,
            phi0_rad: f64,
            phi_step_rad: f64,
            mosaic_scale: f64,
            lambda_scale: f64,
            fluence_scale: f64,
            default_f: f64,
            lambda_shift_m: f64,
            added_cells: [f64; 3],
            added_coupling: [f64; 3],
            mosaic_axis_scale: [f64; 3],
        }),
        layout!(wb_panel {
            fast_pixels: usize,
            slow_pixels: usize,
            pixel_m: f64,
            pix0_m: [f64; 3],
            fast_axis: [f64; 3],
            slow_axis: [f64; 3],
            normal_axis: [f64; 3],
            close_distance_m: f64,
            radius_m: f64,
            point_pixel: i32,
            sensor_layers: usize,
            sensor_layer_m: f64,
            attenuation_per_m: f64,
        }),
        layout!(wb_motion { centre_m: [f64; 3], axes: [f64; 9], shift_m: [f64; 3], turn_rad: [f64; 3] }),
        layout!(wb_matter {
            size: usize, stol_per_angstrom: *const f64, f_electrons: *const f64, point_count: usize, molecules: f64,
            origin_m: [f64; 3], slab_depth: f64, profile_cells: usize,
        }),
        layout!(wb_place { seed: u64, frame: u32, panel: u32, first: u32, simd: i32 }),
        layout!(wb_gain_mode { adu_per_kev: f64, pedestal_adu: f64, readout_adu: f64 }),
        layout!(wb_gain_switching { photon_kev: f64, switch_kev: [f64; 2], modes: [wb_gain_mode; 3] }),
        layout!(wb_pixel_differences {
            gains: *const f32,
            pedestals_adu: [*const f32; 3],
            common_adu: *const f32,
        }),
        layout!(wb_spread {
            form: i32,
            simd: i32,
            width_px: f64,
            radius_px: usize,
            fast_pixels: usize,
            slow_pixels: usize,
        }),
        layout!(wb_noise { opaque: [u64; 40] }),
        layout!(wb_latch { found: i32, slow: usize, fast: usize, evaluation: u64 }),
        layout!(wb_carryover_slot {
            vectors_m: [f64; 9],
            left_by_slow: i64,
            left_by_fast: i64,
            opening_slow: i64,
            opening_fast: i64,
            first_row: usize,
            end_row: usize,
            hits: u64,
            fresh: u64,
        }),
        layout!(wb_carryover_use { found: i32, left_by_slow: i64, left_by_fast: i64 }),
        layout!(wb_scene_summary {
            size: usize, fast_pixels: usize, slow_pixels: usize, steps: f64, oversample: usize, sources: usize,
            orientations: usize, carries: i32, latch_missing: i32, pix0_m: [f64; 3], fast_axis: [f64; 3],
            slow_axis: [f64; 3], normal_axis: [f64; 3], beam_axis: [f64; 3], polarization_axis: [f64; 3],
            spindle_axis: [f64; 3], distance_m: f64, close_distance_m: f64, fast_beam_m: f64, slow_beam_m: f64,
            direct_m: [f64; 9], reciprocal_per_angstrom: [f64; 9], simd: *const c_char,
        }),
        layout!(wb_scene_parameters {
            size: usize, given: u64, convention: i32, pivot: i32, fast_pixels: usize, slow_pixels: usize,
            pixel_m: f64, fast_size_m: f64, slow_size_m: f64, distance_m: f64, close_distance_m: f64,
            x_beam_m: f64, y_beam_m: f64, x_close_m: f64, y_close_m: f64, org_x_px: f64, org_y_px: f64,
            rotation_rad: [f64; 3], twotheta_rad: f64, fast_axis: [f64; 3], slow_axis: [f64; 3],
            normal_axis: [f64; 3], beam_axis: [f64; 3], polarization_axis: [f64; 3], spindle_axis: [f64; 3],
            twotheta_axis: [f64; 3], pix0_m: [f64; 3], point_pixel: i32, curved: i32, sensor_layers: usize,
            sensor_layer_m: f64, attenuation_per_m: f64, lambda0_m: f64, cell_angstrom: [f64; 3],
            cell_angles_rad: [f64; 3], matrix: [f64; 9], misset_rad: [f64; 3], direct_m: [f64; 9],
            reciprocal_per_angstrom: [f64; 9], cells: [f64; 3], fudge: f64, gauss_cutoff: f64,
            coupling: [f64; 3], shape: i32, spot_metric: i32, mode: i32, phi0_rad: f64,
            phi_step_rad: f64, phi_steps: usize, domains: *const f64, domain_count: usize,
            sources: *const wb_source, source_count: usize, source_weights: *const f64,
            source_grids: *const u32, kahn: f64, polarized: i32, polarized_at: i32, simd: i32,
            fluence_per_m2: f64, water_m: f64, d_min_m: f64, oversample: usize, oversample_thick: i32,
            oversample_polar: i32, oversample_omega: i32, precision: i32, roi_fast_min: usize,
            roi_fast_max: usize, roi_slow_min: usize, roi_slow_max: usize, mask: *const u16, mask_len: usize,
            grid: wb_grid, grid_count: usize, interpolation: i32,
        }),
    ]
}

/// The structs that the header defines, with the names of their fields.
fn header_structs() -> BTreeMap<String, Vec<String>> {
    let header = header();
    let mut structs = BTreeMap::new();
    for rest in header.split("typedef struct ").skip(1) {
        let Some((name, rest)) = rest.split_once('{').filter(|(name, _)| !name.contains(';')) else {
            continue;
        };
        let (body, _) = rest.split_once('}').expect("the end of a struct");
        let fields = body.split(';').filter(|field| !field.trim().is_empty()).map(|field| {
            let named = field.split('[').next().unwrap_or(field);
            let name =
                named.rsplit(|c: char| !(c.is_alphanumeric() || c == '_')).find(|word| !word.is_empty());
            name.expect("a field's name").to_owned()
        });
        structs.insert(name.trim().to_owned(), fields.collect());
    }
    structs
}

#[test]
fn structs_have_the_layout_of_the_library() {
    let layouts = layouts();
    let sources = sources();
    let public: BTreeSet<_> = sources
        .split("#[repr(C)]\npub struct ")
        .skip(1)
        .map(|rest| rest.split_once(' ').expect("a name").0.to_owned())
        .collect();
    assert_eq!(public, layouts.iter().map(|layout| layout.0.to_owned()).collect());
    let in_header: BTreeMap<_, Vec<_>> = layouts
        .iter()
        .map(|layout| (layout.0.to_owned(), layout.3.iter().map(|field| field.0.to_owned()).collect()))
        .collect();
    assert_eq!(header_structs(), in_header);
    let mut code = String::new();
    for (name, size, align, fields) in layouts {
        code += &format!(
            "_Static_assert(sizeof({name}) == {size} && _Alignof({name}) == {align}, \"{name}\");\n"
        );
        for (field, offset, size, rust) in fields {
            let pointer = in_c(rust, "*");
            code += &format!(
                "_Static_assert(offsetof({name}, {field}) == {offset} && sizeof((({name} *)0)->{field}) == {size} \
                 && _Generic(&(({name} *)0)->{field}, {pointer}: 1, default: 0), \"{name}.{field}\");\n"
            );
        }
    }
    must_compile("layouts", &code);
}

#[test]
fn only_declared_names_are_exported() {
    let (Some(_), Some(nm)) = (cc(), tool("NM", "nm")) else { return };
    let shared = product().join("libwidebragg.so.0");
    if !cfg!(target_os = "linux") {
        skipped("not Linux");
        return;
    }
    let names = run(Command::new(&nm).args(["-D", "--defined-only", "--format=posix"]).arg(&shared));
    let names = text(&names.stdout);
    let names: BTreeSet<_> =
        names.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
    assert_eq!(names, declared());
    // Of the static library, all visible symbols except those of the compiler's run-time library.
    let names = run(Command::new(&nm).args(["-g", "--defined-only", "-A"]).arg(common::static_library()));
    let names = text(&names.stdout);
    let ours = names.lines().filter(|line| line.contains(":widebragg_ffi"));
    let ours = ours.filter_map(|line| line.rsplit(' ').next()).map(str::to_owned);
    // Without link-time optimisation the panic handler is visible; no C name can be its mangled name.
    let ours: BTreeSet<_> = ours.filter(|name| !name.ends_with("rust_begin_unwind")).collect();
    assert_eq!(ours, declared());
    if let Some(readelf) = tool("READELF", "readelf") {
        let dynamic = text(&run(Command::new(readelf).arg("-d").arg(&shared)).stdout);
        assert!(dynamic.contains("soname: [libwidebragg.so.0]"), "{dynamic}");
    }
}
