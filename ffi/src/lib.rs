//! The C ABI of widebragg. Names, types and contracts are those of `include/widebragg.h`.
//!
//! Functions take and return plain C types, keep no state, allocate nothing, and may be called from any thread.
//! None of them unwinds: the kernel does not panic, and a panic that reached an `extern "C"` boundary would abort.
//!
//! | room | what |
//! |---|---|
//! | `scalar`, `interference` | the reference's functions, one value at a time |
//! | `arrays` | functions of the loop over arrays |
//! | `parameters`, `grid`, `sources`, `scene` | plain numbers to a scene in the caller's memory |
//! | `carryover` | the phi = 0 cache in the caller's memory |
//! | `render` | rows and pixels of a scene |
//! | `gradient` | derivatives of rows, both directions |
//! | `noise` | the reference's deviates |
//! | `status`, `memory`, `level` | codes, checks of pointers, instruction sets and versions |
//!
//! Without the feature `std` the library has a panic handler of its own, which aborts, and needs nothing but libc.

#![no_std]
#![allow(unsafe_code, reason = "C names are exported, C pointers are followed")]
#![allow(non_camel_case_types, reason = "the names that C has")]

#[cfg(feature = "std")]
extern crate std;

pub mod arrays;
pub mod carryover;
pub mod gradient;
pub mod grid;
mod interference;
pub mod level;
mod memory;
pub mod noise;
pub mod parameters;
pub mod render;
pub mod scalar;
pub mod scene;
pub mod sources;
pub mod status;

pub use scalar::{wb_polarization_factor, wb_polin3, wb_rotate, wb_rotate_axis, wb_sinc3, wb_sincg};

/// Never reached: nothing in the library panics. The language wants a handler all the same.
#[cfg(not(feature = "std"))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    #[link(name = "c")]
    unsafe extern "C" {
        safe fn abort() -> !;
    }
    abort()
}
