//! The C ABI of widebragg. Names, types and contracts are those of `include/widebragg.h`.
//!
//! Functions take and return plain C types, keep no state, allocate nothing, and may be called from any thread.
//! None of them unwinds: the kernel does not panic, and a panic that reached an `extern "C"` boundary would abort.

#![allow(unsafe_code, reason = "exporting a C name is unsafe: two libraries could define it")]

use widebragg::lanes::{Kernel, Lanes, Level, Simd, SimdLevel};
use widebragg::math::sincg_rad;

/// One value in all lanes.
struct Sincg {
    x_rad: f64,
    n: f64,
}

impl Kernel for Sincg {
    type Output = f64;

    #[inline(always)]
    fn run<L: Level>(self, level: L) -> f64 {
        sincg_rad(level.splat(self.x_rad), level.splat(self.n)).first()
    }
}

/// The reference's `sincg`: sin(N x)/sin(x), and N at x = 0.
///
/// `x` in radians. Error at most 4 ulp for the `x` given, |x| <= 2^30 and integer N up to 1e5; for other arguments
/// the value of the C expression. NaN or infinite `x` gives NaN.
///
/// Always runs at the portable level: the same library gives the same bits on every CPU, and one value has no use for
/// wider registers.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub extern "C" fn wb_sincg(x: f64, n: f64) -> f64 {
    Simd::capped(SimdLevel::Portable).run(Sincg { x_rad: x, n })
}
