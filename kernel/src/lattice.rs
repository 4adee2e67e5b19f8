//! F_latt: the interference of the unit cells of a block, for four crystal shapes.
//!
//! With h, k, l in index units and h0, k0, l0 their nearest integers (an exact half goes down):
//!
//! ```text
//! square   product of sin(pi N h)/sin(pi h) over the axes
//! round    Na Nb Nc 0.7236 sinc3(pi sqrt(fudge sum (N_i (h_i - h0_i))^2))
//! gauss    Na Nb Nc exp(-fudge rs2/0.63)
//! tophat   Na Nb Nc where fudge rs2 < 0.3969, else 0
//! rs2 =    |(h-h0) a* + (k-k0) b* + (l-l0) c*|^2 (Na Nb Nc)^2     unrotated a*, b*, c* in 1/Angstrom
//! ```
//!
//! **Source.** The pixel loop of the reference. **Accuracy**: see [`crate::math`]; only the square of F_latt is used, so signs are not
//! kept. **Cost**: operations per step are counted in `benches/ROOFLINE.md`; square crystals divide once for the three axes.

use crate::lanes::{LaneMask, Lanes, Lanes32, Level, ROUND_BY_ADDING};
use crate::math::{
    NUDGE, SincgSlope, exp, sin_half_turn_f32, sin_half_turn_render, sinc3_of_square, sinc3_slope_of_square,
};
use crate::names::named;
use crate::vector::Vec3;

/// The shape of the crystal, or of its spots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CrystalShape {
    /// A parallelepiped of Na x Nb x Nc cells.
    #[default]
    Square,
    /// A sphere.
    Round,
    /// Gaussian spots.
    Gauss,
    /// Spots with a sharp edge.
    Tophat,
}

/// What the lattice factor is evaluated in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// f64 throughout.
    #[default]
    Double,
    /// Indices and reductions in f64, sines and their quotient in f32, sums in f64: within 1e-5 of f64 on pixels above
    /// 1e-6 of the maximum, for up to 10,000 cells along an axis. Square crystals and nearest structure factors; the other
    /// shapes, interpolation, and crystals of 2^20 cells along an axis and more stay f64.
    Mixed,
}

/// 2^20. Half as many cells and the fraction of a cell fit in what mixed precision reduces with, see [`Lanes::turn`].
pub(crate) const MIXED_CELLS_LIMIT: f64 = 1_048_576.0;

named!(CrystalShape, "crystal shape": Square = "square", Round = "round", Gauss = "gauss", Tophat = "tophat");
named!(Precision, "precision": Double = "f64", Mixed = "mixed");

/// Shape and size of the block of unit cells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lattice {
    /// Shape.
    pub shape: CrystalShape,
    /// Unit cells along a, b, c: integers of at least 1.
    pub cells: [f64; 3],
    /// Scales the spots of round, gauss and tophat shapes.
    pub fudge: f64,
    /// a*, b*, c* at phi = 0, in 1/Angstrom.
    pub reciprocal_per_angstrom: [Vec3; 3],
}

impl Lattice {
    /// Whether an axis has one cell only.
    pub(crate) fn is_thin(&self) -> bool {
        self.cells.contains(&1.0)
    }
}

/// Indices of a scattering vector: fractional, and the distance to the nearest integers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Indices<F> {
    pub(crate) h: [F; 3],
    /// Nearest integers.
    pub(crate) h0: [F; 3],
    /// h - h0, exact.
    pub(crate) d: [F; 3],
}

/// Distances to the nearest integers in f32, and their squares: what mixed precision tests for the nearest nodes, and goes
/// on with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Narrowed<G> {
    d: [G; 3],
    squares: [G; 3],
}

impl<G: Lanes32> Narrowed<G> {
    #[inline(always)]
    fn new<F: Lanes<Narrow = G>>(d: [F; 3]) -> Self {
        let [a, b, c] = d;
        let (a, b, c) = (a.narrow(), b.narrow(), c.narrow());
        Self { d: [a, b, c], squares: [a * a, b * b, c * c] }
    }

    /// [`Indices::all_nearest`] of these: a distance is rounded up to a half, not from above to below it.
    #[inline(always)]
    pub(crate) fn all_nearest(&self) -> bool {
        let [a, b, c] = self.squares;
        a.max(b).max(c).all_below(0.25)
    }
}

impl<F: Lanes> Indices<F> {
    /// The nearest integers of `h`, an exact half going down as in the reference.
    #[inline(always)]
    pub(crate) fn new(h: [F; 3]) -> Self {
        let [a, b, c] = h;
        Self::about([nearest(a), nearest(b), nearest(c)], h)
    }

    /// `h` about the node `h0`.
    #[inline(always)]
    pub(crate) fn about(h0: [F; 3], h: [F; 3]) -> Self {
        let ([a, b, c], [a0, b0, c0]) = (h, h0);
        Self { h, h0, d: [a - a0, b - b0, c - c0] }
    }

    /// For who looks nothing up: at an exact half d may have the other sign, which no shape tells apart.
    #[inline(always)]
    pub(crate) fn fractions(h: [F; 3]) -> Self {
        let [a, b, c] = h;
        let d = [a.fraction(), b.fraction(), c.fraction()];
        let [da, db, dc] = d;
        Self { h, h0: [a - da, b - db, c - dc], d }
    }

    /// Whether `h0` are the nearest integers of all lanes beyond doubt.
    #[inline(always)]
    pub(crate) fn all_nearest(&self) -> bool {
        let [a, b, c] = self.d;
        let farthest = (a * a).max(b * b).max(c * c);
        farthest.lt(a.splat_like(0.25)).all()
    }

    #[inline(always)]
    pub(crate) fn narrowed(&self) -> Narrowed<F::Narrow> {
        Narrowed::new(self.d)
    }
}

/// ceil(x - 1/2), for |x| < 2^51.
#[inline(always)]
fn nearest<F: Lanes>(x: F) -> F {
    (x - x.splat_like(0.5)).ceil()
}

/// A shape at a level: gives |F_latt| for lanes.
pub(crate) trait Shape<F: Lanes>: Copy {
    /// What an index that would be exactly 0 is instead: a crystal along an axis of the laboratory has a whole row of
    /// such pixels, whose 0/0 the fast loop leaves to the guarded one. Any other index is too large to be changed by it.
    #[inline(always)]
    fn nudge(&self) -> f64 {
        NUDGE
    }
    /// |F_latt|. With `GUARDED` false an exactly integer index may give NaN, which the caller must find and redo.
    fn f_latt<const GUARDED: bool>(&self, indices: &Indices<F>) -> F;
    /// [`Shape::f_latt`], not guarded, of indices whose distances are narrowed already.
    #[inline(always)]
    fn f_latt_narrowed(&self, indices: &Indices<F>, _: &Narrowed<F::Narrow>) -> F {
        self.f_latt::<false>(indices)
    }
}

/// F_latt and its derivatives.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LatticeSlopes<F> {
    /// |F_latt|, to rounding what [`Shape::f_latt`] gives.
    pub(crate) f_latt: F,
    /// By h, k, l.
    pub(crate) by_index: [F; 3],
    /// By the vector from the node in reciprocal space, in Angstrom, where F_latt is a function of that; else 0.
    pub(crate) by_offset: [F; 3],
}

/// A shape whose F_latt has derivatives, f64 throughout.
pub(crate) trait SmoothShape<F: Lanes>: Shape<F> {
    /// |F_latt| and its derivatives, at any index.
    fn slopes(&self, indices: &Indices<F>) -> LatticeSlopes<F>;
}

/// A smooth shape by name.
pub(crate) trait SmoothKind {
    /// The shape of `lattice`, at a level.
    fn smooth<L: Level>(level: L, lattice: &Lattice) -> impl SmoothShape<L::F>;
}

/// A shape by name; [`ShapeKind::Of`] is the same at a level.
pub(crate) trait ShapeKind {
    /// Whether F_latt is exactly zero nearly everywhere.
    const SPARSE: bool;
    /// Whether the loop must run over pairs of vectors: two of f64 narrow into one of f32.
    const NEEDS_PAIRS: bool;
    /// The shape at a level.
    type Of<F: Lanes>: Shape<F>;
    /// The shape of `lattice`.
    fn of<L: Level>(level: L, lattice: &Lattice) -> Self::Of<L::F>;
}

macro_rules! shape_kind {
    ($kind:ident, $shape:ident, sparse: $sparse:literal, pairs: $pairs:literal) => {
        #[doc = concat!("[`", stringify!($shape), "`] by name.")]
        pub(crate) struct $kind;

        impl ShapeKind for $kind {
            const SPARSE: bool = $sparse;
            const NEEDS_PAIRS: bool = $pairs;
            type Of<F: Lanes> = $shape<F>;
            #[inline(always)]
            fn of<L: Level>(level: L, lattice: &Lattice) -> $shape<L::F> {
                $shape::new(level, lattice)
            }
        }
    };
}
macro_rules! smooth_kind {
    ($($kind:ident)*) => {
        $(
            impl SmoothKind for $kind {
                #[inline(always)]
                fn smooth<L: Level>(level: L, lattice: &Lattice) -> impl SmoothShape<L::F> {
                    Self::of(level, lattice)
                }
            }
        )*
    };
}
smooth_kind!(SquareKind RoundKind GaussKind);
shape_kind!(SquareKind, Square, sparse: false, pairs: false);
shape_kind!(SquareThinKind, SquareThin, sparse: false, pairs: false);
shape_kind!(SquareMixedKind, SquareMixed, sparse: false, pairs: true);
shape_kind!(RoundKind, Round, sparse: false, pairs: false);
shape_kind!(GaussKind, Gauss, sparse: true, pairs: false);
shape_kind!(TophatKind, Tophat, sparse: true, pairs: false);

/// One of the shapes, told apart at every step: for the general loop, which need not be compiled once for each.
#[derive(Debug, Clone, Copy)]
pub(crate) enum AnyShape<F> {
    Square(SquareThin<F>),
    SquareMixed(SquareMixed<F>),
    Round(Round<F>),
    Gauss(Gauss<F>),
    Tophat(Tophat<F>),
}

impl<F: Lanes> AnyShape<F> {
    #[inline(always)]
    pub(crate) fn new<L: Level<F = F>>(level: L, lattice: &Lattice, precision: Precision) -> Self {
        match lattice.shape {
            CrystalShape::Square if precision == Precision::Mixed => {
                Self::SquareMixed(SquareMixed::new(level, lattice))
            }
            CrystalShape::Square => Self::Square(SquareThin::new(level, lattice)),
            CrystalShape::Round => Self::Round(Round::new(level, lattice)),
            CrystalShape::Gauss => Self::Gauss(Gauss::new(level, lattice)),
            CrystalShape::Tophat => Self::Tophat(Tophat::new(level, lattice)),
        }
    }
}

impl<F: Lanes> Shape<F> for AnyShape<F> {
    #[inline(always)]
    fn nudge(&self) -> f64 {
        match self {
            Self::SquareMixed(shape) => shape.nudge(),
            Self::Square(shape) => shape.nudge(),
            Self::Round(shape) => shape.nudge(),
            Self::Gauss(shape) => shape.nudge(),
            Self::Tophat(shape) => shape.nudge(),
        }
    }

    #[inline(always)]
    fn f_latt<const GUARDED: bool>(&self, indices: &Indices<F>) -> F {
        match self {
            Self::Square(shape) => shape.f_latt::<GUARDED>(indices),
            Self::SquareMixed(shape) => shape.f_latt::<GUARDED>(indices),
            Self::Round(shape) => shape.f_latt::<GUARDED>(indices),
            Self::Gauss(shape) => shape.f_latt::<GUARDED>(indices),
            Self::Tophat(shape) => shape.f_latt::<GUARDED>(indices),
        }
    }
}

impl<F: Lanes> SmoothShape<F> for AnyShape<F> {
    #[inline(always)]
    fn slopes(&self, indices: &Indices<F>) -> LatticeSlopes<F> {
        match self {
            Self::Square(shape) => shape.slopes(indices),
            Self::SquareMixed(SquareMixed(cells)) => Square(*cells).slopes(indices),
            Self::Round(shape) => shape.slopes(indices),
            Self::Gauss(shape) => shape.slopes(indices),
            Self::Tophat(shape) => shape.slopes(indices),
        }
    }
}

/// [`CrystalShape::Square`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Square<F>([F; 3]);

impl<F: Lanes> Square<F> {
    #[inline(always)]
    pub(crate) fn new<L: Level<F = F>>(level: L, lattice: &Lattice) -> Self {
        let [na, nb, nc] = lattice.cells;
        Self([level.splat(na), level.splat(nb), level.splat(nc)])
    }
}

/// Numerator and denominator of |sincg|, both over pi.
#[inline(always)]
fn sincg_parts<F: Lanes, const GUARDED: bool>(n: F, d: F) -> (F, F) {
    // 0/0 at an integer: there d stands for any small number, the quotient is N to the last bit.
    let d = if GUARDED {
        let zero = d.splat_like(0.0);
        F::select(d.eq(zero), d.splat_like(1e-30), d)
    } else {
        d
    };
    // One fused operation less than rounding the product.
    let magic = d.splat_like(ROUND_BY_ADDING);
    let r = n.mul_sub(d, n.mul_add(d, magic) - magic);
    (sin_half_turn_render(r), sin_half_turn_render(d))
}

impl<F: Lanes> Shape<F> for Square<F> {
    #[inline(always)]
    fn f_latt<const GUARDED: bool>(&self, indices: &Indices<F>) -> F {
        let ([na, nb, nc], [dh, dk, dl]) = (self.0, indices.d);
        let (sin_nh, sin_h) = sincg_parts::<F, GUARDED>(na, dh);
        let (sin_nk, sin_k) = sincg_parts::<F, GUARDED>(nb, dk);
        let (sin_nl, sin_l) = sincg_parts::<F, GUARDED>(nc, dl);
        (sin_nh * sin_nk * sin_nl).quotient(sin_h * sin_k * sin_l)
    }
}

impl<F: Lanes> SmoothShape<F> for Square<F> {
    #[inline(always)]
    fn slopes(&self, indices: &Indices<F>) -> LatticeSlopes<F> {
        let ([na, nb, nc], [dh, dk, dl]) = (self.0, indices.d);
        let (h, k, l) = (SincgSlope::new(na, dh), SincgSlope::new(nb, dk), SincgSlope::new(nc, dl));
        let [above_h, above_k, above_l] =
            [k.numerator * l.numerator, h.numerator * l.numerator, h.numerator * k.numerator];
        let [below_h, below_k, below_l] =
            [k.denominator * l.denominator, h.denominator * l.denominator, h.denominator * k.denominator];
        let inverse = dh.splat_like(1.0).quotient(h.denominator * below_h);
        // An axis has its denominator squared below the slope, the other two have theirs once: the square of all three, less those.
        let square = inverse * inverse;
        let zero = dh.splat_like(0.0);
        LatticeSlopes {
            f_latt: (h.numerator * above_h) * inverse,
            by_index: [
                (h.slope_numerator * square) * (above_h * below_h),
                (k.slope_numerator * square) * (above_k * below_k),
                (l.slope_numerator * square) * (above_l * below_l),
            ],
            by_offset: [zero; 3],
        }
    }
}

/// [`CrystalShape::Square`] where a crystal may be one cell thin: such axes have the factor 1, whatever the index. The same bits
/// as [`Square`] where no axis is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SquareThin<F> {
    cells: [F; 3],
    thin: [bool; 3],
}

impl<F: Lanes> SquareThin<F> {
    #[inline(always)]
    pub(crate) fn new<L: Level<F = F>>(level: L, lattice: &Lattice) -> Self {
        let [na, nb, nc] = lattice.cells;
        Self { cells: Square::new(level, lattice).0, thin: [na == 1.0, nb == 1.0, nc == 1.0] }
    }
}

impl<F: Lanes> Shape<F> for SquareThin<F> {
    #[inline(always)]
    fn f_latt<const GUARDED: bool>(&self, indices: &Indices<F>) -> F {
        let ([na, nb, nc], [thin_a, thin_b, thin_c], [dh, dk, dl]) = (self.cells, self.thin, indices.d);
        let one = na.splat_like(1.0);
        let (mut above, mut below) = if thin_a { (one, one) } else { sincg_parts::<F, GUARDED>(na, dh) };
        if !thin_b {
            let (sin_nk, sin_k) = sincg_parts::<F, GUARDED>(nb, dk);
            (above, below) = (above * sin_nk, below * sin_k);
        }
        if !thin_c {
            let (sin_nl, sin_l) = sincg_parts::<F, GUARDED>(nc, dl);
            (above, below) = (above * sin_nl, below * sin_l);
        }
        above.quotient(below)
    }
}

impl<F: Lanes> SmoothShape<F> for SquareThin<F> {
    #[inline(always)]
    fn slopes(&self, indices: &Indices<F>) -> LatticeSlopes<F> {
        // An axis of one cell has the slope 0 by the same formula.
        Square(self.cells).slopes(indices)
    }
}

/// [`CrystalShape::Square`] with [`Precision::Mixed`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct SquareMixed<F>([F; 3]);

impl<F: Lanes> SquareMixed<F> {
    #[inline(always)]
    pub(crate) fn new<L: Level<F = F>>(level: L, lattice: &Lattice) -> Self {
        let [na, nb, nc] = lattice.cells;
        Self([level.splat(na), level.splat(nb), level.splat(nc)])
    }
}

/// Numerator and denominator of |sincg| in f32, both over pi: reduced in f64, evaluated in f32.
#[inline(always)]
fn sincg_parts_mixed<F: Lanes>(n: F, d: F, narrow: F::Narrow, square: F::Narrow) -> (F::Narrow, F::Narrow) {
    let r = n.turn(d, narrow);
    (sin_half_turn_f32(r, r * r), sin_half_turn_f32(narrow, square))
}

/// 0/0 at an integer: there d stands for any small number.
#[inline(always)]
fn not_zero<F: Lanes>(d: F) -> F {
    F::select(d.eq(d.splat_like(0.0)), d.splat_like(1e-10), d)
}

impl<F: Lanes> Shape<F> for SquareMixed<F> {
    // Its cube is still a number in f32.
    #[inline(always)]
    fn nudge(&self) -> f64 {
        1e-12
    }

    #[inline(always)]
    fn f_latt<const GUARDED: bool>(&self, indices: &Indices<F>) -> F {
        let mut indices = *indices;
        if GUARDED {
            let [dh, dk, dl] = indices.d;
            indices.d = [not_zero(dh), not_zero(dk), not_zero(dl)];
        }
        self.f_latt_narrowed(&indices, &indices.narrowed())
    }

    #[inline(always)]
    fn f_latt_narrowed(&self, indices: &Indices<F>, narrow: &Narrowed<F::Narrow>) -> F {
        let ([na, nb, nc], [dh, dk, dl]) = (self.0, indices.d);
        let ([h, k, l], [h2, k2, l2]) = (narrow.d, narrow.squares);
        let (sin_nh, sin_h) = sincg_parts_mixed(na, dh, h, h2);
        let (sin_nk, sin_k) = sincg_parts_mixed(nb, dk, k, k2);
        let (sin_nl, sin_l) = sincg_parts_mixed(nc, dl, l, l2);
        // Two quotients: next to a node the product of three denominators would leave the range of f32.
        F::widen((sin_nh * sin_nk) / (sin_h * sin_k) * (sin_nl / sin_l))
    }
}

/// [`CrystalShape::Round`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round<F> {
    cells: [F; 3],
    fudge: F,
    volume: F,
}

impl<F: Lanes> Round<F> {
    #[inline(always)]
    pub(crate) fn new<L: Level<F = F>>(level: L, lattice: &Lattice) -> Self {
        let [na, nb, nc] = lattice.cells;
        Self {
            cells: [level.splat(na), level.splat(nb), level.splat(nc)],
            fudge: level.splat(lattice.fudge),
            volume: level.splat(na * nb * nc * 0.723_601_254_558_268),
        }
    }
}

impl<F: Lanes> Shape<F> for Round<F> {
    #[inline(always)]
    fn f_latt<const GUARDED: bool>(&self, indices: &Indices<F>) -> F {
        let ([na, nb, nc], [dh, dk, dl]) = (self.cells, indices.d);
        let (x, y, z) = (na * dh, nb * dk, nc * dl);
        let radius2 = x.mul_add(x, y.mul_add(y, z * z));
        self.volume * sinc3_of_square(radius2 * self.fudge)
    }
}

impl<F: Lanes> SmoothShape<F> for Round<F> {
    #[inline(always)]
    fn slopes(&self, indices: &Indices<F>) -> LatticeSlopes<F> {
        let ([na, nb, nc], [dh, dk, dl]) = (self.cells, indices.d);
        let (x, y, z) = (na * dh, nb * dk, nc * dl);
        let radius2 = x.mul_add(x, y.mul_add(y, z * z));
        let (value, slope) = sinc3_slope_of_square(radius2 * self.fudge);
        let by_radius2 = self.volume * slope * self.fudge;
        let twice = by_radius2 + by_radius2;
        let zero = dh.splat_like(0.0);
        LatticeSlopes {
            f_latt: self.volume * value,
            by_index: [twice * x * na, twice * y * nb, twice * z * nc],
            by_offset: [zero; 3],
        }
    }
}

/// The squared distance to the nearest node, times `scale`, for gauss and tophat.
#[derive(Debug, Clone, Copy)]
struct NodeDistance<F> {
    /// Columns a*, b*, c*, each x, y, z.
    reciprocal: [[F; 3]; 3],
    scale: F,
}

impl<F: Lanes> NodeDistance<F> {
    #[inline(always)]
    fn new<L: Level<F = F>>(level: L, lattice: &Lattice, scale: f64) -> Self {
        let [a, b, c] = lattice.reciprocal_per_angstrom;
        let [na, nb, nc] = lattice.cells;
        Self {
            reciprocal: [splat(level, a), splat(level, b), splat(level, c)],
            scale: level.splat(na * na * nb * nb * nc * nc * lattice.fudge * scale),
        }
    }

    /// From the nearest node, in 1/Angstrom.
    #[inline(always)]
    fn offset(&self, indices: &Indices<F>) -> [F; 3] {
        let [dh, dk, dl] = indices.d;
        let [[ax, ay, az], [bx, by, bz], [cx, cy, cz]] = self.reciprocal;
        let x = dh.mul_add(ax, dk.mul_add(bx, dl * cx));
        let y = dh.mul_add(ay, dk.mul_add(by, dl * cy));
        let z = dh.mul_add(az, dk.mul_add(bz, dl * cz));
        [x, y, z]
    }

    #[inline(always)]
    fn squared(&self, indices: &Indices<F>) -> F {
        let [x, y, z] = self.offset(indices);
        x.mul_add(x, y.mul_add(y, z * z)) * self.scale
    }
}

#[inline(always)]
fn splat<L: Level>(level: L, v: Vec3) -> [L::F; 3] {
    [level.splat(v.x), level.splat(v.y), level.splat(v.z)]
}

/// [`CrystalShape::Gauss`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gauss<F> {
    distance: NodeDistance<F>,
    volume: F,
}

impl<F: Lanes> Gauss<F> {
    #[inline(always)]
    pub(crate) fn new<L: Level<F = F>>(level: L, lattice: &Lattice) -> Self {
        Self {
            distance: NodeDistance::new(level, lattice, -1.0 / 0.63),
            volume: level.splat(lattice.cells.iter().product()),
        }
    }
}

impl<F: Lanes> Shape<F> for Gauss<F> {
    #[inline(always)]
    fn f_latt<const GUARDED: bool>(&self, indices: &Indices<F>) -> F {
        let exponent = self.distance.squared(indices);
        let zero = exponent.splat_like(0.0);
        // Nearly everywhere between spots the exponential is 0 and the step does not happen. Where the reference's is
        // still the smallest f64 the step does happen: it may latch the interpolation or multiply the running sum.
        let vanishes = exponent.lt(exponent.splat_like(-745.133_219_101_941_1));
        if vanishes.all() {
            return zero;
        }
        F::select(vanishes, zero, self.volume * exp(exponent.max(exponent.splat_like(-708.0))))
    }
}

impl<F: Lanes> SmoothShape<F> for Gauss<F> {
    #[inline(always)]
    fn slopes(&self, indices: &Indices<F>) -> LatticeSlopes<F> {
        let f_latt = self.f_latt::<true>(indices);
        let zero = f_latt.splat_like(0.0);
        if f_latt.eq(zero).all() {
            return LatticeSlopes { f_latt, by_index: [zero; 3], by_offset: [zero; 3] };
        }
        let [x, y, z] = self.distance.offset(indices);
        let by_square = f_latt * self.distance.scale;
        let twice = by_square + by_square;
        let [ox, oy, oz] = [twice * x, twice * y, twice * z];
        let [[ax, ay, az], [bx, by, bz], [cx, cy, cz]] = self.distance.reciprocal;
        LatticeSlopes {
            f_latt,
            by_index: [
                ox.mul_add(ax, oy.mul_add(ay, oz * az)),
                ox.mul_add(bx, oy.mul_add(by, oz * bz)),
                ox.mul_add(cx, oy.mul_add(cy, oz * cz)),
            ],
            by_offset: [ox, oy, oz],
        }
    }
}

/// [`CrystalShape::Tophat`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tophat<F> {
    distance: NodeDistance<F>,
    volume: F,
}

impl<F: Lanes> Tophat<F> {
    #[inline(always)]
    pub(crate) fn new<L: Level<F = F>>(level: L, lattice: &Lattice) -> Self {
        Self {
            distance: NodeDistance::new(level, lattice, 1.0),
            volume: level.splat(lattice.cells.iter().product()),
        }
    }
}

impl<F: Lanes> Shape<F> for Tophat<F> {
    #[inline(always)]
    fn f_latt<const GUARDED: bool>(&self, indices: &Indices<F>) -> F {
        let inside = self.distance.squared(indices).lt(self.volume.splat_like(0.3969));
        F::select(inside, self.volume, self.volume.splat_like(0.0))
    }
}

/// Inside the spot, as outside it, nothing changes; the edge is no part of the derivative.
impl<F: Lanes> SmoothShape<F> for Tophat<F> {
    #[inline(always)]
    fn slopes(&self, indices: &Indices<F>) -> LatticeSlopes<F> {
        let f_latt = self.f_latt::<true>(indices);
        let zero = f_latt.splat_like(0.0);
        LatticeSlopes { f_latt, by_index: [zero; 3], by_offset: [zero; 3] }
    }
}
