//! The C interface with arbitrary pointers and lengths. Arrays overlap, are NULL, misaligned or longer than
//! memory. A call must fail without writing anything, or write nothing but its outputs.

#![no_main]
#![allow(
    unsafe_code,
    reason = "C functions are called, with pointers into memory that is there and as long as said"
)]

mod arena;
mod scene;

use arena::{Given, Memory, Place, call, common_len};
use core::ffi::CStr;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use scene::{SceneInput, Stage, StageCall};
use widebragg_ffi::arrays::*;
use widebragg_ffi::grid::wb_grid;
use widebragg_ffi::noise::*;
use widebragg_ffi::status::wb_status_message;
use widebragg_ffi::{wb_polarization_factor, wb_rotate, wb_rotate_axis, wb_sinc3, wb_sincg};

/// The size of the memory that contains the arrays.
const ARENA: usize = 8192;

/// The input of the fuzzer.
#[derive(Debug, Arbitrary)]
struct Input {
    /// The contents of the memory.
    numbers: [f64; 24],
    scene: SceneInput,
    calls: Vec<Call>,
}

/// A call with its arguments.
#[derive(Debug, Arbitrary)]
enum Call {
    Sincg {
        x: Place,
        out: Place,
        cells: i8,
        simd: i8,
        index: bool,
    },
    Lookup {
        grid: GridInput,
        hkl: [Place; 3],
        f: Place,
        fallbacks: Place,
        simd: i8,
        tricubic: bool,
    },
    Orientations {
        cell: Place,
        spindle: Place,
        domains: Place,
        out: Place,
        phi: [f64; 2],
        steps: u8,
        mode: i8,
    },
    Twins {
        v: [Place; 3],
        angles: [f64; 3],
    },
    Noise {
        stream: Place,
        means: Place,
        out: Place,
        seed: i64,
        kind: u8,
    },
    Mosaic {
        domains: Place,
        seed: i64,
        spread_rad: f64,
    },
    Misset {
        angles: Place,
        seed: i64,
    },
    Message {
        status: i32,
    },
    Stage(StageCall),
}

/// A grid for the functions over arrays.
#[derive(Debug, Arbitrary)]
struct GridInput {
    f: Place,
    itself: Place,
    min: [i32; 3],
    len: [u8; 3],
    default_f: f64,
}

fuzz_target!(|input: Input| {
    let mut memory = Memory::new(ARENA, &input.numbers);
    let mut stage = Stage::new(&input.scene, &input.numbers, &mut memory);
    for next in input.calls.into_iter().take(20) {
        match next {
            Call::Stage(next) => stage.call(next, &mut memory),
            other => make(other, &mut memory),
        }
    }
});

/// Makes a call that needs no scene.
fn make(next: Call, memory: &mut Memory) {
    match next {
        Call::Sincg { x, out, cells, simd, index } => {
            let (x, out): (Given<f64>, Given<f64>) = (memory.at(x), memory.at(out));
            let n = common_len(&[x.len, out.len]);
            let cells = f64::from(cells) + if index { 0.0 } else { 0.5 };
            let (read, written) = (x.first(n), out.first(n));
            call(memory, &[written], &[read], || {
                let function = if index { wb_sincg_index_array } else { wb_sincg_array };
                // SAFETY: each array is NULL, misaligned, or has `n` elements, or `n` is rejected.
                unsafe { function(x.start, n, cells, out.start, simd.into()) }
            });
        }
        Call::Lookup { grid, hkl, f, fallbacks, simd, tricubic } => {
            lookup(memory, grid, hkl, f, fallbacks, simd.into(), tricubic);
        }
        Call::Orientations { cell, spindle, domains, out, phi, steps, mode } => {
            let cell: Given<[f64; 9]> = memory.one(cell);
            let spindle: Given<[f64; 3]> = memory.one(spindle);
            let domains: Given<[f64; 9]> = memory.at(domains);
            let out: Given<f64> = memory.at(out);
            let needed = (9 * usize::from(steps)).saturating_mul(domains.len.max(1));
            let mut read = vec![cell.bytes.clone(), spindle.bytes.clone()];
            if !(domains.start.is_null() && domains.len == 0) {
                read.push(domains.bytes.clone());
            }
            call(memory, &[out.first(needed)], &read, || {
                // SAFETY: each array is NULL, misaligned, or has as many elements as the call uses, or its
                // length is rejected.
                unsafe {
                    wb_orientations(
                        cell.start.cast(),
                        phi[0],
                        phi[1],
                        steps.into(),
                        spindle.start.cast(),
                        mode.into(),
                        domains.start.cast(),
                        domains.len,
                        out.start,
                        out.len,
                    )
                }
            });
        }
        Call::Twins { v, angles } => twins(memory, v, angles),
        Call::Noise { stream, means, out, seed, kind } => noise(memory, stream, means, out, seed, kind),
        Call::Mosaic { domains, seed, spread_rad } => {
            let domains: Given<[f64; 9]> = memory.at(domains);
            call(memory, &[domains.bytes.clone()], &[], || {
                // SAFETY: `domains` is NULL, misaligned, or has room for `len` matrices, or `len` is
                // rejected.
                unsafe { wb_mosaic_domains(spread_rad, seed, domains.start.cast(), domains.len) }
            });
        }
        Call::Misset { angles, seed } => {
            let angles: Given<[f64; 3]> = memory.one(angles);
            call(memory, &[angles.bytes.clone()], &[], || {
                // SAFETY: `angles` is NULL, misaligned, or has room for three numbers.
                unsafe { wb_random_misset(seed, angles.start.cast()) }
            });
        }
        Call::Message { status } => {
            // SAFETY: the pointer is to a static string with a final zero.
            let message = unsafe { CStr::from_ptr(wb_status_message(status)) };
            assert!(!message.to_bytes().is_empty());
        }
        Call::Stage(_) => {}
    }
}

fn lookup(
    memory: &mut Memory,
    grid: GridInput,
    hkl: [Place; 3],
    f: Place,
    fallbacks: Place,
    simd: i32,
    tricubic: bool,
) {
    let nodes: Given<f64> = memory.at(grid.f);
    let itself: Given<wb_grid> = memory.one(grid.itself);
    if let Some(bytes) = itself.bytes.clone() {
        let value = wb_grid {
            f: nodes.start,
            f_len: nodes.len,
            hkl_min: grid.min,
            hkl_len: grid.len.map(usize::from),
            default_f: grid.default_f,
        };
        assert!(bytes.len() == size_of_val(&value));
        // SAFETY: `itself` has room for one: its bytes are known.
        unsafe { itself.start.write(value) };
    }
    let hkl: [Given<f64>; 3] = hkl.map(|place| memory.at(place));
    let f: Given<f64> = memory.at(f);
    let fallbacks: Given<u64> = memory.one(fallbacks);
    let n = common_len(&[hkl[0].len, hkl[1].len, hkl[2].len, f.len]);
    let mut outputs = vec![f.first(n)];
    if tricubic && !fallbacks.start.is_null() {
        outputs.push(fallbacks.bytes.clone());
    }
    let mut inputs: Vec<_> = hkl.iter().map(|array| array.first(n)).collect();
    inputs.push(itself.bytes.clone());
    if !(nodes.start.is_null() && nodes.len == 0) {
        inputs.push(nodes.bytes.clone());
    }
    let [h, k, l] = hkl.map(|array| array.start);
    call(memory, &outputs, &inputs, || {
        if tricubic {
            // SAFETY: each array is NULL, misaligned, or has `n` elements, or `n` is rejected; so is the
            // grid.
            unsafe { wb_tricubic_array(itself.start, h, k, l, n, f.start, fallbacks.start, simd) }
        } else {
            // SAFETY: as above.
            unsafe { wb_nearest_array(itself.start, h, k, l, n, f.start, simd) }
        }
    });
}

/// Calls the scalar functions with aligned vectors of four numbers, which may overlap.
fn twins(memory: &mut Memory, v: [Place; 3], [x, y, z]: [f64; 3]) {
    let [v, newv, axis]: [Given<[f64; 4]>; 3] = v.map(|place| memory.one(place));
    let usable = |given: &Given<[f64; 4]>| given.start.is_null() || given.bytes.is_some();
    if !(usable(&v) && usable(&newv) && usable(&axis)) {
        return;
    }
    let [v, newv, axis] = [v, newv, axis].map(|given| given.start.cast::<f64>());
    // SAFETY: each pointer is NULL or to four numbers.
    assert_eq!(unsafe { wb_rotate_axis(v, newv, axis, x) }, newv);
    // SAFETY: as above.
    assert_eq!(unsafe { wb_rotate(v, newv, x, y, z) }, newv);
    // SAFETY: as above.
    let factor = unsafe { wb_polarization_factor(x, v, newv, axis) };
    assert!(factor.is_nan() || !(v.is_null() || newv.is_null() || axis.is_null()));
    assert!(!x.is_finite() || wb_sinc3(x).abs() <= 1.0 + 1e-12, "sinc3({x:e}) = {:e}", wb_sinc3(x));
    // Beyond 2^30 the value is that of the C expression, which does not have this bound.
    let in_bounds = x.abs() > f64::from(1 << 30) || wb_sincg(x, 7.0).abs() <= 7.0 * (1.0 + 1e-12);
    assert!(x.is_nan() || in_bounds, "sincg({x:e}, 7) = {:e}", wb_sincg(x, 7.0));
}

fn noise(memory: &mut Memory, stream: Place, means: Place, out: Place, seed: i64, kind: u8) {
    let stream: Given<wb_noise> = memory.one(stream);
    let (means, out): (Given<f32>, Given<f32>) = (memory.at(means), memory.at(out));
    if kind % 8 < 3 {
        // SAFETY: `stream` is NULL, misaligned, or has room for one.
        call(memory, &[stream.bytes.clone()], &[], || unsafe { wb_noise_seed(stream.start, seed) });
    }
    if let Some(bytes) = stream.bytes.clone() {
        // Other calls may have overwritten part of a stream but not its tag, so the tag is overwritten as
        // well.
        let fresh = kind % 8 < 3;
        if !fresh && !bytes.is_empty() {
            // SAFETY: `stream` has room for one: its bytes are known.
            unsafe { stream.start.cast::<u64>().write(seed as u64 | 1 << 63) };
        }
    }
    let n = if kind % 3 == 2 { common_len(&[out.len, means.len]) } else { out.len };
    let outputs = [stream.bytes.clone(), out.first(n)];
    match kind % 3 {
        // SAFETY: `stream` is NULL, misaligned, or initialised, and a stream if it begins with the tag of
        // one; the other arrays are NULL, misaligned, or have `n` elements, or `n` is rejected.
        0 => call(memory, &outputs, &[], || unsafe { wb_noise_uniform(stream.start, out.start, n) }),
        // SAFETY: as above.
        1 => call(memory, &outputs, &[], || unsafe { wb_noise_gauss(stream.start, out.start, n) }),
        _ => call(memory, &outputs, &[means.first(n)], || {
            // SAFETY: as above.
            unsafe { wb_noise_poisson(stream.start, means.start, out.start, n) }
        }),
    };
}
