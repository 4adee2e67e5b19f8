//! Instruction sets (SIMD levels) and the version of the library.

use core::ffi::{CStr, c_char};

use widebragg::lanes::{Simd, SimdLevel};

use crate::status::Failure;

/// The best level that the processor supports.
pub const WB_SIMD_AUTO: i32 = 0;
/// The instructions of every processor of the build's target.
pub const WB_SIMD_PORTABLE: i32 = 1;
/// At most AVX2 and FMA.
pub const WB_SIMD_AVX2: i32 = 2;
/// At most AVX-512 F, DQ and VL.
pub const WB_SIMD_AVX512: i32 = 3;

/// The version of the binary interface, which is also that of the soname. Every incompatible change increases
/// it.
pub const WB_ABI_VERSION: i32 = 0;

/// The best level that the processor supports and that does not exceed `cap`.
pub(crate) fn simd(cap: i32) -> Result<Simd, Failure> {
    Ok(match cap {
        WB_SIMD_AUTO => Simd::detect(),
        WB_SIMD_PORTABLE => Simd::capped(SimdLevel::Portable),
        WB_SIMD_AVX2 => Simd::capped(SimdLevel::Avx2),
        WB_SIMD_AVX512 => Simd::capped(SimdLevel::Avx512),
        _ => return Err(Failure::range("simd", f64::from(cap), "WB_SIMD_AUTO to WB_SIMD_AVX512")),
    })
}

/// The name of a level as a C string.
pub(crate) fn name(level: SimdLevel) -> &'static CStr {
    match level {
        SimdLevel::Portable => c"portable",
        SimdLevel::Avx2 => c"avx2",
        SimdLevel::Avx512 => c"avx512",
    }
}

const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(version) => version,
    Err(_) => c"",
};

/// Returns the version of the library, such as `0.1.0`; the string is static.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub extern "C" fn wb_version() -> *const c_char {
    VERSION.as_ptr()
}

/// Returns [`WB_ABI_VERSION`] of the loaded library, for a program to compare with that of its header.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub extern "C" fn wb_abi_version() -> i32 {
    WB_ABI_VERSION
}

/// Returns the name of the best level that this processor supports: `portable`, `avx2` or `avx512`; the
/// string is static.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub extern "C" fn wb_simd_level() -> *const c_char {
    name(Simd::detect().level()).as_ptr()
}
