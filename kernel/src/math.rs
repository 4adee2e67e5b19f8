//! Elementary functions over SIMD vectors: sincg, sinc3, exp, sin and cos.
//!
//! **Formulas.** In index units, write `h = h0 + d` and `N d = n + r`, where h0 and n are integers and |d|,
//! |r| <= 1/2. Then
//!
//! ```text
//! sin(pi N h) / sin(pi h) = (-1)^((N-1) h0 + n) * sin(pi r) / sin(pi d)
//! ```
//!
//! No range reduction is needed beyond this: d is exact, and r has a single rounding error. Both sines are
//! odd polynomials in half turns (units of pi rad). Both are divided by pi, so that their leading coefficient
//! is exactly 1. The polynomials are minimax approximations in relative error, found with the Remez algorithm
//! in 60-digit arithmetic.
//!
//! The derivative of S = sin(pi N h)/sin(pi h) is written so that no terms cancel near an integer h. Let
//! A = sin(pi r)/(pi r) and e = cos(pi r) - A, and let B and f be the same functions of d. Then
//!
//! ```text
//! dS/dh = (-1)^((N-1) h0 + n) (n A B + N d B e - r A f)/(d B)^2
//! ```
//!
//! | polynomial | terms | largest relative error |
//! |---|---|---|
//! | sin(pi r)/pi, exact | 9 | 2.8e-19 |
//! | sin(pi r)/pi, quick | 8 | 1.9e-16 |
//! | sin(pi r)/pi, render | 7 | 6.9e-14 |
//! | sin(pi r)/pi, f32 | 5 | 6.1e-9 |
//! | cos(pi r) | 9 | 4.2e-18 (absolute) |
//! | (cos(pi r) - sin(pi r)/(pi r))/r^2 | 6 | 3.9e-12 |
//! | 2^f, abs f <= 1/2 | 12 | 3.4e-18 |
//! | sinc3(pi y), abs y <= 1/2 | 9 | 3.6e-20 |
//! | sin x, abs x <= pi/4 | 7 | 4.6e-18 |
//! | cos x, abs x <= pi/4 | 8 | 1.2e-18 |
//!
//! **Symbols and units.** h: Miller index; N: number of unit cells; d, r, y: angles in half turns; x: angle
//! in rad.
//!
//! **Source.** [`sincg_rad`] and [`sinc3`] compute the functions `sincg` and `sinc3` of `nanoBragg.c`.
//!
//! **Accuracy**, tested at every level by `tests/tests/kernel_math.rs`: [`sincg`] 2 ulp for every finite h
//! and integer N up to 1e5; [`sincg_rad`] 4 ulp for |x| <= 2^30; [`exp`] 2 ulp; [`sincos`] 1 ulp; [`sinc3`]
//! 1e-15 of max(1, 1/x^2); [`sincg_squared_slope`] 1e-11 of 2 pi N min(N^2, 1/sin(pi h)^2).
//!
//! ```
//! use widebragg::lanes::{BaseLevel, WithSimd, Lanes, Level, Simd};
//! use widebragg::math::sincg;
//!
//! /// sincg of one index, for 5 unit cells.
//! struct OfFiveCells(f64);
//!
//! impl WithSimd for OfFiveCells {
//!     type Output = f64;
//!
//!     #[inline(always)]
//!     fn with_simd<L: BaseLevel>(self, level: L) -> f64 {
//!         sincg(level.splat(self.0), level.splat(5.0)).first()
//!     }
//! }
//!
//! let simd = Simd::detect();
//! assert_eq!(simd.run(OfFiveCells(2.0)), 5.0); // at an integer index: N
//! assert!((simd.run(OfFiveCells(2.5)) - 1.0).abs() < 1e-15); // halfway between two integers
//! ```

use core::f64::consts::{FRAC_1_PI, FRAC_2_PI, LOG2_E, PI};

use crate::lanes::{LaneMask, Lanes, Lanes32, Level, ROUND_BY_ADDING};

/// Coefficients of (sin(pi r)/(pi r) - 1)/r^2 in r^2, with an error far below a rounding error.
pub const SIN_EXACT: [f64; 8] = [
    -1.644_934_066_848_226_4,
    0.811_742_425_283_340_1,
    -0.190_751_824_121_501_4,
    0.026_147_847_805_463_417,
    -0.002_346_080_893_800_789_4,
    0.000_148_427_830_584_662_84,
    -6.972_067_680_021_59e-6,
    2.449_934_349_102_164e-7,
];

/// The same function to 6.9e-14, for sums that are stored as f32 or compared to 1e-12.
const SIN_RENDER: [f64; 6] = [
    -1.644_934_066_832_232_3,
    0.811_742_424_090_507_6,
    -0.190_751_794_208_470_38,
    0.026_147_500_434_240_425,
    -0.002_344_029_077_138_418,
    0.000_142_425_530_250_487_92,
];

/// The same function to 1.9e-16, about one rounding error, for [`QuickCells::sincg_rad`].
pub(crate) const SIN_QUICK: [f64; 7] = [
    -1.644_934_066_848_179,
    0.811_742_425_278_698_2,
    -0.190_751_823_966_208_54,
    0.026_147_845_328_401_875,
    -0.002_346_059_673_251_585_7,
    0.000_148_327_600_049_75,
    -6.726_091_102_295_66e-6,
];

/// The same function for f32.
const SIN_F32: [f32; 4] = [-1.644_933_4, 0.811_716_4, -0.190_447_38, 0.024_725_026];

/// Coefficients of (cos(pi r) - 1)/r^2 in r^2.
pub(crate) const COS: [f64; 8] = [
    -4.934_802_200_544_677,
    4.058_712_126_416_545,
    -1.335_262_768_844_664,
    0.235_330_630_145_981_35,
    -0.025_806_888_862_629_232,
    0.001_929_556_817_648_621,
    -0.000_104_567_806_740_791_63,
    4.150_749_549_701_468e-6,
];

/// Coefficients of (cos(pi r) - sin(pi r)/(pi r))/r^2 in r^2.
const COS_LESS_SINC: [f64; 6] = [
    -3.289_868_133_683_715,
    3.246_969_697_597_646_8,
    -1.144_510_783_909_884_5,
    0.209_180_087_554_384_55,
    -0.023_440_278_378_606_676,
    0.001_708_582_486_552_788_2,
];

/// Coefficients of (sin x - x)/x^3 in x^2.
const SIN_RAD: [f64; 6] = [
    -0.166_666_666_666_666_27,
    0.008_333_333_333_321_327,
    -0.000_198_412_698_290_643_8,
    2.755_731_346_519_773e-6,
    -2.505_072_594_423_383_8e-8,
    1.589_505_907_623_301_7e-10,
];

/// Coefficients of (cos x - 1 + x^2/2)/x^4 in x^2.
const COS_RAD: [f64; 6] = [
    0.041_666_666_666_666_595,
    -0.001_388_888_888_887_304,
    2.480_158_728_884_153e-5,
    -2.755_731_417_627_425e-7,
    2.087_570_042_043_217_4e-9,
    -1.135_851_416_473_399_5e-11,
];

/// pi/2 as a sum of three numbers. The first two have 33 bits, so their products with integers below 2^20 are
/// exact.
const FRAC_PI_2_PARTS: [f64; 3] =
    [1.570_796_326_734_125_6, 6.077_100_506_303_966e-11, 2.022_266_248_795_950_6e-21];

/// Largest |x| that [`sincos`] evaluates without range reduction.
const SMALL: f64 = 0.125;

/// 2^14, the largest |x| that [`sincos`] reduces itself. Beyond it the part of the reduced angle that does
/// not fit into r is no longer below the last bit of r.
const LARGEST_REDUCED: f64 = 16_384.0;

/// Coefficients of (2^f - 1)/f in f.
const EXP2: [f64; 11] = [
    core::f64::consts::LN_2,
    0.240_226_506_959_101_3,
    0.055_504_108_664_820_084,
    0.009_618_129_107_594_122,
    0.001_333_355_814_677_458_6,
    0.000_154_035_304_571_104_51,
    1.525_273_349_313_057_8e-5,
    1.321_543_528_299_406_8e-6,
    1.017_819_957_776_985_1e-7,
    7.073_783_150_994_517e-9,
    4.434_769_673_821_237e-10,
];

/// Coefficients of (sinc3(pi y) - 1)/y^2 in y^2.
const SINC3: [f64; 8] = [
    -0.986_960_440_108_935_8,
    0.347_889_610_835_721_2,
    -0.063_583_941_373_948_34,
    0.007_131_231_221_311_072,
    -0.000_541_403_296_111_374_4,
    2.968_562_329_552_025_6e-5,
    -1.230_497_913_476_858_2e-6,
    3.880_992_340_012_426e-8,
];

/// 2^-332, about 1e-100: added to an index so that sincg is not 0/0 where the index is exactly 0.
///
/// It is a power of 2, so the quotient at 0 is exactly N. Any other index is too large for the addition to
/// change it. The cube of 2^-332 is still a normal number.
pub(crate) const NUDGE: f64 = f64::from_bits((1023 - 332) << 52);

/// 2^30, the largest |x| in rad that the range reduction here covers. Beyond it the reduction cannot
/// distinguish a multiple of pi from its neighbours.
pub const LARGEST_RAD: f64 = 1_073_741_824.0;

/// 2^26, the limit of the number of unit cells: the product of an integer below it with a number of 26 bits
/// is exact.
pub const CELLS_LIMIT: f64 = 67_108_864.0;

/// 1/pi as the unevaluated sum of three f64.
pub const INV_PI: [f64; 3] = [FRAC_1_PI, -1.967_867_667_518_248_6e-17, -1.072_143_628_289_300_4e-33];

/// Evaluates c[0] + c[1] x + c[2] x^2 + ... by Horner's rule.
#[inline(always)]
fn polynomial<F: Lanes, const TERMS: usize>(x: F, coefficients: &[f64; TERMS]) -> F {
    let mut terms = coefficients.iter().rev();
    let mut sum = x.splat_like(*terms.next().unwrap_or(&0.0));
    for &c in terms {
        sum = sum.mul_add(x, x.splat_like(c));
    }
    sum
}

/// sin(pi r)/pi for |r| <= 1/2.
#[inline(always)]
fn sin_half_turn<F: Lanes, const TERMS: usize>(r: F, coefficients: &[f64; TERMS]) -> F {
    let z = r * r;
    (r * z).mul_add(polynomial(z, coefficients), r)
}

/// sin(pi r)/pi for |r| <= 1/2 to a relative error of 6.9e-14, for the render loop.
#[inline(always)]
pub(crate) fn sin_half_turn_render<F: Lanes>(r: F) -> F {
    sin_half_turn(r, &SIN_RENDER)
}

/// The functions of r, a number of half turns with |r| <= 1/2, from which sincg and its derivative are built.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HalfTurn<F> {
    /// sin(pi r)/pi.
    sin: F,
    /// sin(pi r)/(pi r).
    sinc: F,
    /// cos(pi r) - sin(pi r)/(pi r).
    bend: F,
}

impl<F: Lanes> HalfTurn<F> {
    #[inline(always)]
    pub(crate) fn new(r: F) -> Self {
        let z = r * r;
        let sinc = z.mul_add(polynomial(z, &SIN_RENDER), r.splat_like(1.0));
        Self { sin: r * sinc, sinc, bend: z * polynomial(z, &COS_LESS_SINC) }
    }
}

/// sincg of N cells near an integer index, and the numerator of its derivative.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SincgSlope<F> {
    /// sin(pi N d)/pi and sin(pi d)/pi, without the sign that sincg and its derivative share.
    pub(crate) numerator: F,
    pub(crate) denominator: F,
    /// The derivative with respect to d, times the square of the denominator.
    pub(crate) slope_numerator: F,
}

/// 2^-100: added to distances from an integer index, so that no quotient is 0/0.
///
/// The powers of it that occur are normal numbers.
pub(crate) const NEAREST: f64 = f64::from_bits((1023 - 100) << 52);

impl<F: Lanes> SincgSlope<F> {
    /// `d` is the distance from the nearest integer index.
    #[inline(always)]
    pub(crate) fn new(n: F, d: F) -> Self {
        let d = d + d.splat_like(NEAREST);
        let magic = d.splat_like(ROUND_BY_ADDING);
        let turns = n.mul_add(d, magic) - magic;
        Self::with_residue(n, d, turns, n.mul_sub(d, turns))
    }

    /// The same for sin(pi (N d + phase))/sin(pi d), whose N d + phase takes the place of N d.
    #[inline(always)]
    pub(crate) fn with_phase(n: F, d: F, phase: F) -> Self {
        let d = d + d.splat_like(NEAREST);
        let magic = d.splat_like(ROUND_BY_ADDING);
        let turns = (n.mul_add(d, phase) + magic) - magic;
        // N d is the sum of `turns` - phase and the remainder.
        Self::with_residue(n, d, turns - phase, n.mul_sub(d, turns) + phase)
    }

    /// The same for an N d that is already reduced to its nearest integer, `turns`, and the remainder `r`.
    #[inline(always)]
    fn with_residue(n: F, d: F, turns: F, r: F) -> Self {
        let (at_r, at_d) = (HalfTurn::new(r), HalfTurn::new(d));
        // Close to an integer index `turns` is 0, and the first of the two remaining products is N^2 times
        // the second: they do not cancel.
        let inner = turns.mul_add(at_r.sinc * at_d.sinc, (n * at_d.sin) * at_r.bend);
        Self {
            numerator: at_r.sin,
            denominator: at_d.sin,
            slope_numerator: at_r.sin.neg_mul_add(at_d.bend, inner),
        }
    }
}

/// The derivative of the squared interference function, d/dh (sin(pi N h)/sin(pi h))^2.
///
/// **Units.** `h` is in index units and may be any finite number; `n` is an integer from 1 to 1e5.
/// **Formula.** The closed form in the documentation of the module. **Accuracy.** The error is at most 1e-11
/// of 2 pi N min(N^2, 1/sin(pi h)^2), which is the size of the derivative at that distance from an integer.
/// Close to an integer, for |N d| < 1/2 and N > 1, it is at most 2e-11 of the derivative itself. **Special
/// case.** The derivative at an integer `h` is exactly 0.
#[inline(always)]
pub fn sincg_squared_slope<F: Lanes>(h: F, n: F) -> F {
    let roundable = h.abs().lt(h.splat_like(ROUNDABLE));
    // The square has the period 1 in h.
    let h = if roundable.all() { h } else { per_lane(h, n, |h, _| h - libm::trunc(h)) };
    let d = h.fraction();
    let beside = d + d.splat_like(NEAREST);
    let turns = (n * beside).round();
    let SincgSlope { numerator, denominator, slope_numerator } =
        SincgSlope::with_residue(n, beside, turns, n.residue(beside, turns));
    let inverse = d.splat_like(1.0) / denominator;
    let slope = (numerator * inverse) * (slope_numerator * inverse) * inverse;
    F::select(d.eq(d.splat_like(0.0)), d, slope + slope)
}

/// sin(pi r)/pi in f32 for |r| <= 1/2, from r and z = r^2, to a relative error of 2e-7.
#[inline(always)]
pub(crate) fn sin_half_turn_f32<G: Lanes32>(r: G, z: G) -> G {
    let [c0, c1, c2, c3] = SIN_F32;
    let rest = r.splat_like(c3).mul_add(z, r.splat_like(c2)).mul_add(z, r.splat_like(c1));
    (r * z).mul_add(rest.mul_add(z, r.splat_like(c0)), r)
}

/// cos(pi r) for |r| <= 1/2.
#[inline(always)]
pub(crate) fn cos_half_turn<F: Lanes>(r: F) -> F {
    let z = r * r;
    z.mul_add(polynomial(z, &COS), r.splat_like(1.0))
}

/// Returns which lanes are odd; the lanes are integers below 2^52.
#[inline(always)]
fn is_odd<F: Lanes>(x: F) -> F::Mask {
    let half = x * x.splat_like(0.5);
    !half.eq(half.round())
}

/// Returns `x` with its sign changed where the mask is true.
#[inline(always)]
fn negate_where<F: Lanes>(mask: F::Mask, x: F) -> F {
    F::select(mask, -x, x)
}

/// 2^51: the magnitude below which [`Lanes::round`] is valid.
const ROUNDABLE: f64 = 2_251_799_813_685_248.0;

/// Evaluates `scalar` lane by lane, for the rare lanes that the vector formula does not cover.
#[inline(always)]
fn per_lane<F: Lanes>(x: F, n: F, scalar: impl Fn(f64, f64) -> f64) -> F {
    let (x, n_lanes) = (x.to_array(), n.to_array());
    let mut lanes = [0.0; 16];
    for (lane, (&x, &n)) in lanes.iter_mut().zip(x.as_ref().iter().zip(n_lanes.as_ref())) {
        *lane = scalar(x, n);
    }
    n.level().load(&lanes, 0.0)
}

/// The interference function of N unit cells, sin(pi N h)/sin(pi h), and its limit at integer h.
///
/// **Units.** `h` is in index units and may be any finite number; `n` is an integer of at most 2^26 in
/// magnitude. **Accuracy.** 2 ulp for `n` up to 1e5. **Special cases.** An `h` that is not finite, or an `n`
/// that is not an integer, gives NaN or a meaningless number, and never a panic.
#[inline(always)]
pub fn sincg<F: Lanes>(h: F, n: F) -> F {
    let roundable = h.abs().lt(h.splat_like(ROUNDABLE));
    // The function has the period 2 in h, so subtracting an even number from a large h is exact.
    let h = if roundable.all() { h } else { per_lane(h, n, |h, _| libm::fmod(h, 2.0)) };
    let h0 = h.round();
    let d = h - h0;
    let turns = (n * d).round();
    let r = n.residue(d, turns);
    let ratio = quotient(sin_half_turn_pair(r), sin_half_turn_pair(d));
    let magnitude = F::select(d.eq(d.splat_like(0.0)), n, ratio);
    signed(magnitude, h0, turns, n)
}

/// sin(pi r)/pi for |r| <= 1/2 as a sum of two f64; the leading terms r (1 + c0 r^2) have no rounding error.
#[inline(always)]
fn sin_half_turn_pair<F: Lanes>(r: F) -> (F, F) {
    let [c0, tail @ ..] = SIN_EXACT;
    let c0 = r.splat_like(c0);
    let z = r * r;
    let leading = c0 * z;
    let leading_low = c0.product_error(z, leading) + c0 * r.product_error(r, z);
    let (w, low) = two_sum(r.splat_like(1.0), leading);
    let (w, w_low) = two_sum(w, z * z * polynomial(z, &tail));
    let w_low = w_low + (low + leading_low);
    let sum = r * w;
    (sum, r.product_error(w, sum) + r * w_low)
}

/// Evaluates (a + a_low)/(b + b_low).
#[inline(always)]
fn quotient<F: Lanes>((a, a_low): (F, F), (b, b_low): (F, F)) -> F {
    let q = a / b;
    let back = q * b;
    let rest = ((a - back) - q.product_error(b, back)) + (a_low - q * b_low);
    q + rest / b
}

/// Multiplies by the sign (-1)^((N-1) h0 + turns).
#[inline(always)]
fn signed<F: Lanes>(magnitude: F, h0: F, turns: F, n: F) -> F {
    let odd_h0 = is_odd(h0);
    let odd_turns = is_odd(turns);
    let even_n = !is_odd(n);
    let flip = odd_h0 & even_n;
    negate_where((flip & !odd_turns) | (odd_turns & !flip), magnitude)
}

/// The function `sincg` of `nanoBragg.c`: sin(N x)/sin(x), and N at x = 0.
///
/// **Units.** `x_rad` in rad. **Accuracy.** 4 ulp for |x_rad| <= 2^30 and integer N up to 1e5; the C
/// expression is less accurate, because it rounds N x. **Special cases.** For larger |x_rad|, or an N that is
/// not an integer below 2^26 in magnitude, the function evaluates the C expression.
#[inline(always)]
pub fn sincg_rad<F: Lanes>(x_rad: F, n: F) -> F {
    let covered = x_rad.abs().le(x_rad.splat_like(LARGEST_RAD))
        & n.abs().lt(x_rad.splat_like(CELLS_LIMIT))
        & n.eq(n.round());
    let value = sincg_rad_covered(x_rad, n);
    if covered.all() {
        return value;
    }
    let c_expression = per_lane(x_rad, n, sincg_c_expression);
    F::select(covered, value, c_expression)
}

/// sin(N x)/sin(x), evaluated as in C.
fn sincg_c_expression(x_rad: f64, n: f64) -> f64 {
    if x_rad == 0.0 { n } else { libm::sin(x_rad * n) / libm::sin(x_rad) }
}

#[inline(always)]
fn sincg_rad_covered<F: Lanes>(x_rad: F, n: F) -> F {
    // h = x/pi as a sum of three parts of decreasing size.
    let [inv0, inv1, inv2] = INV_PI;
    let (inv0, inv1, inv2) = (x_rad.splat_like(inv0), x_rad.splat_like(inv1), x_rad.splat_like(inv2));
    let p = x_rad * inv0;
    let p_error = x_rad.product_error(inv0, p);
    let q = x_rad * inv1;
    let q_error = x_rad.product_error(inv1, q);
    let (mid, mid_error) = two_sum(p_error, q);
    let low = mid_error + x_rad.mul_add(inv2, q_error);
    let h0 = p.round();
    let d = p - h0;
    let turns = (n * d).round();
    let n_mid = n * mid;
    let n_low = n.mul_add(low, n.product_error(mid, n_mid));
    // Near a multiple of pi these two cancel, so the lower parts are added only afterwards.
    let (r, r_low) = two_sum(n.residue(d, turns), n_mid);
    let r = r + (r_low + n_low);
    let (d, d_low) = two_sum(d, mid);
    let d = d + (d_low + low);
    let ratio = quotient(sin_half_turn_pair(r), sin_half_turn_pair(d));
    let magnitude = F::select(d.eq(d.splat_like(0.0)), n, ratio);
    signed(magnitude, h0, turns, n)
}

/// A number of unit cells for which [`QuickCells::sincg_rad`] is valid: an integer below 2^26 in magnitude.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct QuickCells {
    n: f64,
    even: bool,
}

impl QuickCells {
    pub(crate) fn new(n: f64) -> Option<Self> {
        let covered = n.abs() < CELLS_LIMIT && libm::floor(n) == n;
        covered.then(|| Self { n, even: libm::fmod(n, 2.0) == 0.0 })
    }

    pub(crate) fn is_even(self) -> bool {
        self.even
    }

    /// Returns where [`QuickCells::sincg_rad`] is valid, given x^2.
    #[inline(always)]
    pub(crate) fn reach_by_square<F: Lanes>(square: F) -> F::Mask {
        square.le(square.splat_like(LARGEST_RAD * LARGEST_RAD))
    }

    /// A version of [`sincg_rad`] for arrays that is several times as fast.
    ///
    /// **Accuracy.** 4 ulp plus 2^-51 N. The second term comes from rounding d to one f64. It is visible
    /// close to the zeros, where the C expression, which rounds N x, has a larger error. `EVEN` is
    /// [`QuickCells::is_even`].
    #[inline(always)]
    pub(crate) fn sincg_rad<F: Lanes, const EVEN: bool>(self, x_rad: F) -> F {
        let (d, r) = self.reduced::<F, EVEN>(x_rad);
        Self::ratio(d, r)
    }

    /// Returns d and r of the module's formula; r carries the sign of the quotient of their sines.
    #[inline(always)]
    pub(crate) fn reduced<F: Lanes, const EVEN: bool>(self, x_rad: F) -> (F, F) {
        let [inv0, inv1, _] = INV_PI;
        let (inv0, inv1) = (x_rad.splat_like(inv0), x_rad.splat_like(inv1));
        let magic = x_rad.splat_like(ROUND_BY_ADDING);
        let cells = x_rad.splat_like(self.n);
        let h0 = x_rad.mul_add(inv0, magic);
        // The nudge avoids 0/0 at x = 0.
        let low = x_rad.mul_add(inv1, x_rad.splat_like(NUDGE));
        let d = x_rad.cancel(inv0, h0 - magic) + low;
        let turns = cells.mul_add(d, magic);
        let r = cells.residue(d, turns - magic).negate_where_odd(turns);
        (d, if EVEN { r.negate_where_odd(h0) } else { r })
    }

    /// Evaluates sin(pi r)/sin(pi d).
    #[inline(always)]
    pub(crate) fn ratio<F: Lanes>(d: F, r: F) -> F {
        sin_half_turn(r, &SIN_QUICK).quotient(sin_half_turn(d, &SIN_QUICK))
    }

    /// [`QuickCells::sincg_rad`] where it is valid, and [`sincg_rad`] elsewhere.
    #[inline(always)]
    pub(crate) fn sincg_rad_anywhere<F: Lanes>(self, x_rad: F) -> F {
        let in_reach = Self::reach_by_square(x_rad * x_rad);
        let quick =
            if self.even { self.sincg_rad::<F, true>(x_rad) } else { self.sincg_rad::<F, false>(x_rad) };
        F::select(in_reach, quick, sincg_rad(x_rad, x_rad.splat_like(self.n)))
    }
}

/// Returns a + b and the rounding error of the sum (Knuth).
#[inline(always)]
fn two_sum<F: Lanes>(a: F, b: F) -> (F, F) {
    let sum = a + b;
    let b_part = sum - a;
    (sum, (a - (sum - b_part)) + (b - b_part))
}

/// sin and cos of an angle in rad, |angle| below 2^50, to an absolute error of 2e-16 (1 + |angle|).
#[inline(always)]
pub fn sin_cos<F: Lanes>(angle_rad: F) -> (F, F) {
    sin_cos_pi(angle_rad * angle_rad.splat_like(FRAC_1_PI))
}

/// sin(pi y) and cos(pi y).
#[inline(always)]
fn sin_cos_pi<F: Lanes>(y: F) -> (F, F) {
    let y0 = y.round();
    let r = y - y0;
    let flip = is_odd(y0);
    let sin = sin_half_turn(r, &SIN_EXACT) * y.splat_like(PI);
    (negate_where(flip, sin), negate_where(flip, cos_half_turn(r)))
}

/// e^x to 2 ulp.
///
/// **Special cases.** Lanes below -708 give 0, lanes above 709 give e^709 and not infinity, and NaN gives
/// NaN.
#[inline(always)]
pub fn exp<F: Lanes>(x: F) -> F {
    // `min` and `max` return their argument where either is NaN. `x` is the argument, so NaN stays NaN.
    let inside = x.splat_like(-708.0).max(x.splat_like(709.0).min(x));
    let n = (inside * x.splat_like(LOG2_E)).round();
    // ln 2 in two parts. The last 21 bits of the first are 0, so its product with n is exact.
    let rest = n.neg_mul_add(x.splat_like(0.693_147_180_369_123_8), inside);
    let rest = n.neg_mul_add(x.splat_like(1.908_214_929_270_587_7e-10), rest);
    let f = rest * x.splat_like(LOG2_E);
    let value = f.mul_add(polynomial(f, &EXP2), x.splat_like(1.0)) * n.pow2();
    F::select(x.lt(x.splat_like(-708.0)), x.splat_like(0.0), value)
}

/// The normalised Fourier transform of a sphere, 3 (sin x - x cos x)/x^3 with x = pi y; 1 at 0.
///
/// **Units.** `y` in half turns, y >= 0.
#[inline(always)]
pub fn sinc3_half_turns<F: Lanes>(y: F) -> F {
    let near = sinc3_near(y * y);
    let near_zero = y.le(y.splat_like(0.5));
    if near_zero.all() {
        return near;
    }
    F::select(near_zero, near, sinc3_far(y, y.splat_like(1.0) / y))
}

/// [`sinc3_half_turns`] as a function of y^2, which the render loop computes.
///
/// At AVX-512 this avoids the division unit.
#[inline(always)]
pub(crate) fn sinc3_of_square<F: Lanes>(y_squared: F) -> F {
    let near = sinc3_near(y_squared);
    let quarter = y_squared.splat_like(0.25);
    let near_zero = y_squared.le(quarter);
    if near_zero.all() {
        return near;
    }
    let inverse = y_squared.max(quarter).inverse_sqrt();
    F::select(near_zero, near, sinc3_far(y_squared * inverse, inverse))
}

/// [`sinc3_of_square`] and its derivative with respect to y^2.
#[inline(always)]
pub(crate) fn sinc3_slope_of_square<F: Lanes>(y_squared: F) -> (F, F) {
    let quarter = y_squared.splat_like(0.25);
    let near_zero = y_squared.le(quarter);
    let near = (sinc3_near(y_squared), polynomial(y_squared, &SINC3_SLOPE));
    if near_zero.all() {
        return near;
    }
    let beyond = y_squared.max(quarter);
    let inverse = beyond.inverse_sqrt();
    let far = sinc3_far(y_squared * inverse, inverse);
    // With x = pi y: df/dx = 3 (sin(x)/x - f)/x.
    let (sin, _) = sin_cos_pi(beyond * inverse);
    let sinc = sin * inverse * y_squared.splat_like(FRAC_1_PI);
    let slope = (sinc - far) * (inverse * inverse) * y_squared.splat_like(1.5);
    (F::select(near_zero, near.0, far), F::select(near_zero, near.1, slope))
}

/// Coefficients, in y^2, of the derivative of sinc3(pi y) with respect to y^2.
const SINC3_SLOPE: [f64; 8] = {
    let mut slope = SINC3;
    let mut i = 0;
    while i < slope.len() {
        slope[i] *= (i + 1) as f64;
        i += 1;
    }
    slope
};

/// sinc3(pi y) for y <= 1/2, from z = y^2.
#[inline(always)]
fn sinc3_near<F: Lanes>(z: F) -> F {
    z.mul_add(polynomial(z, &SINC3), z.splat_like(1.0))
}

/// sinc3(pi y) for y > 1/2.
#[inline(always)]
fn sinc3_far<F: Lanes>(y: F, inverse_y: F) -> F {
    let (sin, cos) = sin_cos_pi(y);
    let (x, inverse_x) = (y * y.splat_like(PI), inverse_y * y.splat_like(FRAC_1_PI));
    let inverse_cube = inverse_x * inverse_x * inverse_x;
    y.splat_like(3.0) * x.neg_mul_add(cos, sin) * inverse_cube
}

/// sin and cos of one angle in rad, to 1 ulp.
///
/// Beyond |x| = 2^14 the values are those of libm. Bit operations select the quadrant: a branch on it would
/// be mispredicted three times out of four for angles around the full circle. The function is plain f64
/// arithmetic and gives the same bits on every CPU.
#[inline]
#[must_use]
pub fn sincos(x: f64) -> (f64, f64) {
    if x.abs() <= SMALL {
        // Most rotations are small. Without the reduction the result has the same bits.
        sincos_of_sum(x, 0.0)
    } else if x.abs() <= LARGEST_REDUCED {
        sincos_reduced(x)
    } else {
        // NaN as well.
        libm::sincos(x)
    }
}

/// [`sincos`] for |x| <= 2^14, always by the quadrant of x.
#[inline(always)]
pub(crate) fn sincos_reduced(x: f64) -> (f64, f64) {
    let [part0, part1, part2] = FRAC_PI_2_PARTS;
    let quadrant_sum = x * FRAC_2_PI + ROUND_BY_ADDING;
    let quadrants = quadrant_sum - ROUND_BY_ADDING;
    // x minus its multiple of pi/2, as a sum of two numbers.
    let near = x - quadrants * part0;
    let next = quadrants * part1;
    // Knuth's two-sum, since either operand may be the larger.
    let r = near - next;
    let next_part = near - r;
    let lost = (near - (r + next_part)) + (next_part - next);
    let (sin, cos) = sincos_of_sum(r, lost - quadrants * part2);
    // Odd quadrants swap sine and cosine. The sine is negative in quadrants 2 and 3, the cosine in 1 and 2.
    let quadrant = quadrant_sum.to_bits();
    let (sin, cos) = (sin.to_bits(), cos.to_bits());
    let exchanged = (sin ^ cos) & (quadrant & 1).wrapping_neg();
    let sin_sign = (quadrant & 2) << 62;
    let cos_sign = (quadrant.wrapping_add(1) & 2) << 62;
    (f64::from_bits(sin ^ exchanged ^ sin_sign), f64::from_bits(cos ^ exchanged ^ cos_sign))
}

/// sin and cos of r + low, where |r| <= pi/4 and `low` is the part of the angle that does not fit into r.
#[inline(always)]
fn sincos_of_sum(r: f64, low: f64) -> (f64, f64) {
    let z = r * r;
    let z2 = z * z;
    let cube = z * r;
    let [s0, s1, s2, s3, s4, s5] = SIN_RAD;
    let s = (s1 + z * s2) + z2 * (s3 + z * (s4 + z * s5));
    let sin = r - ((z * (0.5 * low - cube * s) - low) - cube * s0);
    let [c0, c1, c2, c3, c4, c5] = COS_RAD;
    let c = z * (c0 + z * (c1 + z * c2)) + (z2 * z2) * (c3 + z * (c4 + z * c5));
    let half = 0.5 * z;
    let most = 1.0 - half;
    (sin, most + (((1.0 - most) - half) + (z * c - r * low)))
}

/// The function `sinc3` of `nanoBragg.c`, 3 (sin(x)/x - cos x)/x^2, and 1 at x = 0.
///
/// **Units.** `x` in rad. **Accuracy.** 1e-15 of max(1, 1/x^2); it does not lose digits near 0 as the C
/// expression does.
#[must_use]
pub fn sinc3(x: f64) -> f64 {
    let y = x * FRAC_1_PI;
    if y.abs() <= 0.5 {
        let z = y * y;
        SINC3.iter().rev().fold(0.0, |sum, c| sum * z + c) * z + 1.0
    } else {
        let (sin, cos) = sincos(x);
        3.0 * (sin / x - cos) / (x * x)
    }
}
