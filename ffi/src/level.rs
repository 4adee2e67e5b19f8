//! Which instruction set runs, and what this library is.

use core::ffi::{CStr, c_char};

use widebragg::lanes::{Simd, SimdLevel};

use crate::status::Refusal;

/// The best that the processor has.
pub const WB_SIMD_AUTO: i32 = 0;
/// No more than what every processor of the build's target has.
pub const WB_SIMD_PORTABLE: i32 = 1;
/// No more than AVX2 and FMA.
pub const WB_SIMD_AVX2: i32 = 2;
/// No more than AVX-512 F, DQ and VL.
pub const WB_SIMD_AVX512: i32 = 3;

/// Number of the interface: changes with every change that breaks callers, as the soname does.
pub const WB_ABI_VERSION: i32 = 0;

/// The best level of this processor that is not above `cap`.
pub(crate) fn simd(cap: i32) -> Result<Simd, Refusal> {
    Ok(match cap {
        WB_SIMD_AUTO => Simd::detect(),
        WB_SIMD_PORTABLE => Simd::capped(SimdLevel::Portable),
        WB_SIMD_AVX2 => Simd::capped(SimdLevel::Avx2),
        WB_SIMD_AVX512 => Simd::capped(SimdLevel::Avx512),
        _ => return Err(Refusal::range("simd", f64::from(cap), "WB_SIMD_AUTO to WB_SIMD_AVX512")),
    })
}

/// Name of a level as C has it.
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

/// The library's version, such as `0.1.0`; the string is static.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub extern "C" fn wb_version() -> *const c_char {
    VERSION.as_ptr()
}

/// [`WB_ABI_VERSION`] of the library that runs; a program compares it with that of its header.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub extern "C" fn wb_abi_version() -> i32 {
    WB_ABI_VERSION
}

/// Name of the best level that this processor has: `portable`, `avx2` or `avx512`; the string is static.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub extern "C" fn wb_simd_level() -> *const c_char {
    name(Simd::detect().level()).as_ptr()
}
