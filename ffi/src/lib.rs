//! The C interface of widebragg. Names, types and contracts are those of `include/widebragg.h`.
//!
//! The functions take and return plain C types, keep no state, allocate nothing, and may be called from any
//! thread. None of them unwinds: the kernel does not panic, and a panic that reached an `extern "C"` boundary
//! would abort.
//!
//! | module | contents |
//! |---|---|
//! | `status`, `record` | status codes and messages; the error record of a call |
//! | `memory`, `block` | checked pointers; objects in blocks of the caller's memory |
//! | `level`, `enums` | instruction sets and versions; enumerations |
//! | `scalar`, `interference` | the reference's functions, one value at a time |
//! | `noise`, `grid` | the reference's deviates; structure factors |
//! | `parameters` | plain numbers that describe a scene |
//! | `detector`, `crystal`, `conversion` | the kernel's parameters of detector, crystal and scene, from these numbers |
//! | `sources` | the sources of a divergent beam |
//! | `arrays` | functions over arrays |
//! | `stages`, `spread` | what a detector makes of photons, stage by stage; point spreads |
//! | `scene`, `summary` | a scene in the caller's memory, and its derived quantities |
//! | `carryover`, `latch` | the state of c-parity scenes |
//! | `render` | rows and pixels of a scene |
//! | `background` | what amorphous matter in the beam of a scene scatters |
//! | `variables`, `direction`, `turns`, `gradient` | derivatives of rows, in both directions |
//! | `panel` | the same scene on another panel, and rigid motions of panels |
//!
//! Each module imports only from modules in rows above it or to its left.
//!
//! Without the feature `std` the library has a panic handler of its own, which aborts, and needs nothing but
//! libc.

#![no_std]
#![allow(unsafe_code, reason = "exports C names and dereferences pointers from C")]
#![allow(non_camel_case_types, reason = "the types have their C names")]

#[cfg(feature = "std")]
extern crate std;

pub mod arrays;
pub mod background;
pub mod block;
pub mod carryover;
mod conversion;
mod crystal;
mod detector;
pub mod direction;
pub mod enums;
pub mod gradient;
pub mod grid;
mod interference;
pub mod latch;
pub mod level;
mod memory;
pub mod noise;
pub mod panel;
pub mod parameters;
mod record;
pub mod render;
pub mod scalar;
pub mod scene;
pub mod sources;
pub mod spread;
pub mod stages;
pub mod status;
pub mod summary;
pub mod turns;
pub mod variables;

pub use scalar::{wb_polarization_factor, wb_polin3, wb_rotate, wb_rotate_axis, wb_sinc3, wb_sincg};

/// Never called, because nothing in the library panics; a library without std must define one.
#[cfg(not(feature = "std"))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    #[link(name = "c")]
    unsafe extern "C" {
        safe fn abort() -> !;
    }
    abort()
}
