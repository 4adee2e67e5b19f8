//! sin(N x)/sin(x) for one value.
//!
//! **Formula.** With x/pi = h0 + d and N d = n + r (h0, n integers, |d|, |r| <= 1/2):
//! (-1)^((N-1) h0 + n) sin(pi r)/sin(pi d), as in [`widebragg::math`], whose coefficients it takes. x/pi is carried as
//! a sum of three f64, so that multiples of pi keep their digits.
//!
//! **Accuracy** 4 ulp for the x given, |x| <= 2^30 and integer N up to 1e5 (`ffi/tests/scalar.rs`). Where N is no integer,
//! N x is rounded first, as C does; beyond 2^30 the kernel's lanes do it.
//!
//! **Cost.** Plain f64 arithmetic without fused multiplications or vectors: the same bits on every CPU, no
//! dispatch, and a third of what one value costs in lanes.

use widebragg::lanes::{Kernel, Lanes, Level, ROUND_BY_ADDING, Simd, SimdLevel};
use widebragg::math::{CELLS_LIMIT, INV_PI, LARGEST_RAD, SIN_EXACT, sincg_rad};

/// The nearest integer, and bits of which the last says whether it is odd.
#[inline(always)]
fn nearest(x: f64) -> (f64, u64) {
    let shifted = x + ROUND_BY_ADDING;
    (shifted - ROUND_BY_ADDING, shifted.to_bits())
}

/// x as a sum of two numbers of 26 bits: rounded in the integer unit, which the sums around it leave idle.
#[inline(always)]
fn halves(x: f64) -> (f64, f64) {
    let high = f64::from_bits(x.to_bits().wrapping_add(1 << 26) & 0xffff_ffff_f800_0000);
    (high, x - high)
}

/// a b - product exactly, where `product` is a b rounded (Dekker); b in halves at compile time.
#[inline(always)]
fn product_error((a1, a0): (f64, f64), b: f64, product: f64) -> f64 {
    let (b1, b0) = halves(b);
    ((a1 * b1 - product) + a1 * b0 + a0 * b1) + a0 * b0
}

/// An angle in half turns, less the nearest integer.
struct HalfTurns {
    /// Bits of the integer: the last says whether it is odd.
    bits: u64,
    /// The fraction, |d| <= 1/2, as a sum of three parts of falling size.
    d: [f64; 3],
}

impl HalfTurns {
    /// |x_rad| <= 2^30.
    #[inline(always)]
    fn of(x_rad: f64) -> Self {
        let [inv0, inv1, inv2] = INV_PI;
        let parts = halves(x_rad);
        let p = x_rad * inv0;
        let p_error = product_error(parts, inv0, p);
        let q = x_rad * inv1;
        let q_error = product_error(parts, inv1, q);
        // Knuth's sum: either may be the larger.
        let mid = p_error + q;
        let q_part = mid - p_error;
        let mid_error = (p_error - (mid - q_part)) + (q - q_part);
        let (h0, bits) = nearest(p);
        Self { bits, d: [p - h0, mid, mid_error + (x_rad * inv2 + q_error)] }
    }

    #[inline(always)]
    fn fraction(&self) -> f64 {
        let [d, mid, low] = self.d;
        d + mid + low
    }
}

/// (sin(pi r)/(pi r) - 1)/r^2 for two values at once.
#[inline(always)]
fn rests(z: [f64; 2]) -> [f64; 2] {
    let [c0, c1, c2, c3, c4, c5, c6, c7] = SIN_EXACT;
    // Four short sums instead of one long one: Estrin's order.
    z.map(|z| {
        let z2 = z * z;
        let low = (c0 + z * c1) + z2 * (c2 + z * c3);
        let high = (c4 + z * c5) + z2 * (c6 + z * c7);
        low + (z2 * z2) * high
    })
}

/// sin(pi r)/sin(pi d) for |r|, |d| <= 1/2, turned where the last bit of `flip` is set.
#[inline(always)]
fn ratio(r: f64, d: f64, flip: u64) -> f64 {
    let z = [r * r, d * d];
    let [rest_r, rest_d] = rests(z);
    let magnitude = (r + r * (z[0] * rest_r)) / (d + d * (z[1] * rest_d));
    f64::from_bits(magnitude.to_bits() ^ (flip << 63))
}

/// The reference's `sincg`: sin(N x)/sin(x), N at x = 0; `x_rad` in radians.
#[inline]
pub fn sincg(x_rad: f64, n: f64) -> f64 {
    let h = x_rad * INV_PI[0];
    let near = n * h;
    if h.abs() <= 0.5 && near.abs() <= 0.5 {
        // The central maximum, where nothing is to be reduced; x = 0 lies in it.
        let z = [near * near, h * h];
        let [rest_n, rest_1] = rests(z);
        return n * ((1.0 + z[0] * rest_n) / (1.0 + z[1] * rest_1));
    }
    let (whole, n_bits) = nearest(n);
    if x_rad.abs() <= LARGEST_RAD && n.abs() < CELLS_LIMIT && whole == n {
        whole_cells(HalfTurns::of(x_rad), n, n_bits)
    } else if x_rad.abs() <= LARGEST_RAD && (x_rad * n).abs() <= LARGEST_RAD {
        let (numerator, denominator) = (HalfTurns::of(x_rad * n), HalfTurns::of(x_rad));
        let flip = numerator.bits ^ denominator.bits;
        ratio(numerator.fraction(), denominator.fraction(), flip)
    } else {
        // One lane of the portable level: the same bits on every CPU here too.
        Simd::capped(SimdLevel::Portable).run(OneLane { x_rad, n })
    }
}

#[inline(always)]
fn whole_cells(h: HalfTurns, n: f64, n_bits: u64) -> f64 {
    let [d, mid, low] = h.d;
    let (turns, turn_bits) = nearest(n * d);
    // Each product of n with a half is exact, and so is what cancels against whole turns or between the parts.
    let ((d1, d0), (mid1, mid0)) = (halves(d), halves(mid));
    let r = ((n * d1 - turns) + n * d0 + n * mid1) + (n * mid0 + n * low);
    let odd_cells_less_one = n_bits.wrapping_sub(1);
    ratio(r, h.fraction(), (odd_cells_less_one & h.bits) ^ turn_bits)
}

struct OneLane {
    x_rad: f64,
    n: f64,
}

impl Kernel for OneLane {
    type Output = f64;

    #[inline(always)]
    fn run<L: Level>(self, level: L) -> f64 {
        sincg_rad(level.splat(self.x_rad), level.splat(self.n)).first()
    }
}
