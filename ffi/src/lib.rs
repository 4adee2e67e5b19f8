//! The C ABI of widebragg. Names, types and contracts are those of `include/widebragg.h`.
//!
//! Functions take and return plain C types, keep no state, allocate nothing, and may be called from any thread.
//! None of them unwinds: the kernel does not panic, and a panic that reached an `extern "C"` boundary would abort.

#![allow(unsafe_code, reason = "exporting a C name is unsafe: two libraries could define it")]

mod interference;
pub mod scalar;

pub use scalar::{wb_polarization_factor, wb_polin3, wb_rotate, wb_rotate_axis, wb_sinc3, wb_sincg};
