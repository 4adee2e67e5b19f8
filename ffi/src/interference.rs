//! sin(N x)/sin(x) for one value.
//!
//! **Formula.** With x/pi = h0 + d and N d = n + r (h0, n integers, |d|, |r| <= 1/2): (-1)^((N-1) h0 + n)
//! sin(pi r)/sin(pi d), as in [`widebragg::math`], with the same coefficients. x/pi is held as a sum of three
//! f64, so that multiples of pi keep their digits.
//!
//! **Accuracy.** 4 ulp for the given x, |x| <= 2^30 and integer N up to 1e5 (`ffi/tests/scalar.rs`). If N is
//! not an integer, N x is rounded first, as in C; beyond 2^30 the kernel's vector code computes the value.
//!
//! **Cost.** Plain f64 arithmetic, without fused multiplications, vectors or dispatch: the bits are the same
//! on every CPU, and a single value costs a third of what it costs in the vector code.

use widebragg::lanes::{Lanes, Level, ROUND_BY_ADDING, Simd, SimdLevel, WithSimd};
use widebragg::math::{CELLS_LIMIT, INV_PI, LARGEST_RAD, SIN_EXACT, sincg_rad};

/// The nearest integer, and bits whose lowest is the parity of that integer.
#[inline(always)]
fn nearest(x: f64) -> (f64, u64) {
    let shifted = x + ROUND_BY_ADDING;
    (shifted - ROUND_BY_ADDING, shifted.to_bits())
}

/// x as a sum of two numbers of 26 bits. The rounding uses integer arithmetic, whose units are idle in the
/// surrounding sums.
#[inline(always)]
fn halves(x: f64) -> (f64, f64) {
    let high = f64::from_bits(x.to_bits().wrapping_add(1 << 26) & 0xffff_ffff_f800_0000);
    (high, x - high)
}

/// The exact value of a b - product, where `product` is a b rounded (Dekker). b is split into halves at
/// compile time.
#[inline(always)]
fn product_error((a1, a0): (f64, f64), b: f64, product: f64) -> f64 {
    let (b1, b0) = halves(b);
    ((a1 * b1 - product) + a1 * b0 + a0 * b1) + a0 * b0
}

/// An angle in units of pi: the nearest integer and the remaining fraction.
struct HalfTurns {
    /// Bits whose lowest is the parity of the integer.
    bits: u64,
    /// The fraction, |d| <= 1/2, as a sum of three numbers in falling order of size.
    d: [f64; 3],
}

impl HalfTurns {
    /// Reduces an angle with |x_rad| <= 2^30.
    #[inline(always)]
    fn of(x_rad: f64) -> Self {
        let [inv0, inv1, inv2] = INV_PI;
        let parts = halves(x_rad);
        let p = x_rad * inv0;
        let p_error = product_error(parts, inv0, p);
        let q = x_rad * inv1;
        let q_error = product_error(parts, inv1, q);
        // Knuth's two-sum, because either term may be the larger.
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

/// (sin(pi r)/(pi r) - 1)/r^2 for two values of r^2 at once.
#[inline(always)]
fn rests(z: [f64; 2]) -> [f64; 2] {
    let [c0, c1, c2, c3, c4, c5, c6, c7] = SIN_EXACT;
    // Estrin's scheme: four short chains of operations instead of one long one.
    z.map(|z| {
        let z2 = z * z;
        let low = (c0 + z * c1) + z2 * (c2 + z * c3);
        let high = (c4 + z * c5) + z2 * (c6 + z * c7);
        low + (z2 * z2) * high
    })
}

/// sin(pi r)/sin(pi d) for |r|, |d| <= 1/2; the sign is inverted if the lowest bit of `flip` is set.
#[inline(always)]
fn ratio(r: f64, d: f64, flip: u64) -> f64 {
    let z = [r * r, d * d];
    let [rest_r, rest_d] = rests(z);
    let magnitude = (r + r * (z[0] * rest_r)) / (d + d * (z[1] * rest_d));
    f64::from_bits(magnitude.to_bits() ^ (flip << 63))
}

/// sin(N x)/sin(x), and N at x = 0; `x_rad` in radians.
#[inline]
pub fn sincg(x_rad: f64, n: f64) -> f64 {
    let h = x_rad * INV_PI[0];
    let near = n * h;
    if h.abs() <= 0.5 && near.abs() <= 0.5 {
        // In the central maximum, which contains x = 0, both angles are already reduced.
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
        // One lane of the portable level, so that the bits are the same on every CPU here too.
        Simd::capped(SimdLevel::Portable).run(OneLane { x_rad, n })
    }
}

/// [`sincg`] for an integer `n`, whose parity is the lowest of `n_bits`.
#[inline(always)]
fn whole_cells(h: HalfTurns, n: f64, n_bits: u64) -> f64 {
    let [d, mid, low] = h.d;
    let (turns, turn_bits) = nearest(n * d);
    // Each product of n with a half is exact, and so are the differences that cancel leading digits.
    let ((d1, d0), (mid1, mid0)) = (halves(d), halves(mid));
    let r = ((n * d1 - turns) + n * d0 + n * mid1) + (n * mid0 + n * low);
    let odd_cells_less_one = n_bits.wrapping_sub(1);
    ratio(r, h.fraction(), (odd_cells_less_one & h.bits) ^ turn_bits)
}

/// [`sincg_rad`] of a single value.
struct OneLane {
    x_rad: f64,
    n: f64,
}

impl WithSimd for OneLane {
    type Output = f64;

    #[inline(always)]
    fn with_simd<L: Level>(self, level: L) -> f64 {
        sincg_rad(level.splat(self.x_rad), level.splat(self.n)).first()
    }
}
