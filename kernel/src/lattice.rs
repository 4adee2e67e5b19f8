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
//! kept. **Cost** per step and lane vector: square 77 operations with one division for the three axes.

use crate::lanes::{LaneMask, Lanes, Level};
use crate::math::{exp, sin_half_turn_render, sinc3_half_turns};
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

/// Indices of a scattering vector: fractional, and the distance to the nearest integers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Indices<F> {
    pub(crate) h: [F; 3],
    pub(crate) h0: [F; 3],
}

impl<F: Lanes> Indices<F> {
    /// The nearest integers of `h`, an exact half going down as in the reference.
    #[inline(always)]
    pub(crate) fn new(h: [F; 3]) -> Self {
        let [a, b, c] = h;
        Self { h, h0: [nearest(a), nearest(b), nearest(c)] }
    }

    /// h - h0, exact.
    #[inline(always)]
    fn offsets(&self) -> [F; 3] {
        let ([h, k, l], [h0, k0, l0]) = (self.h, self.h0);
        [h - h0, k - k0, l - l0]
    }
}

/// ceil(x - 1/2), for |x| < 2^51.
#[inline(always)]
fn nearest<F: Lanes>(x: F) -> F {
    (x - x.splat_like(0.5)).ceil()
}

/// A shape at a level: gives |F_latt| for lanes.
pub(crate) trait Shape<F: Lanes>: Copy {
    /// |F_latt|. With `GUARDED` false an exactly integer index may give NaN, which the caller must find and redo.
    fn f_latt<const GUARDED: bool>(&self, indices: &Indices<F>) -> F;
}

/// A shape by name; [`ShapeKind::Of`] is the same at a level.
pub(crate) trait ShapeKind {
    /// Whether F_latt is exactly zero nearly everywhere.
    const SPARSE: bool;
    /// The shape at a level.
    type Of<F: Lanes>: Shape<F>;
    /// The shape of `lattice`.
    fn of<L: Level>(level: L, lattice: &Lattice) -> Self::Of<L::F>;
}

macro_rules! shape_kind {
    ($kind:ident, $shape:ident, $sparse:literal) => {
        #[doc = concat!("[`", stringify!($shape), "`] by name.")]
        pub(crate) struct $kind;

        impl ShapeKind for $kind {
            const SPARSE: bool = $sparse;
            type Of<F: Lanes> = $shape<F>;
            #[inline(always)]
            fn of<L: Level>(level: L, lattice: &Lattice) -> $shape<L::F> {
                $shape::new(level, lattice)
            }
        }
    };
}
shape_kind!(SquareKind, Square, false);
shape_kind!(RoundKind, Round, false);
shape_kind!(GaussKind, Gauss, true);
shape_kind!(TophatKind, Tophat, true);

/// Any shape, told apart at every step: for the general loop, which need not be compiled once for each.
pub(crate) struct AnyShapeKind;

/// One of the shapes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum AnyShape<F> {
    Square(Square<F>),
    Round(Round<F>),
    Gauss(Gauss<F>),
    Tophat(Tophat<F>),
}

impl ShapeKind for AnyShapeKind {
    const SPARSE: bool = true;
    type Of<F: Lanes> = AnyShape<F>;
    #[inline(always)]
    fn of<L: Level>(level: L, lattice: &Lattice) -> AnyShape<L::F> {
        match lattice.shape {
            CrystalShape::Square => AnyShape::Square(Square::new(level, lattice)),
            CrystalShape::Round => AnyShape::Round(Round::new(level, lattice)),
            CrystalShape::Gauss => AnyShape::Gauss(Gauss::new(level, lattice)),
            CrystalShape::Tophat => AnyShape::Tophat(Tophat::new(level, lattice)),
        }
    }
}

impl<F: Lanes> Shape<F> for AnyShape<F> {
    #[inline(always)]
    fn f_latt<const GUARDED: bool>(&self, indices: &Indices<F>) -> F {
        match self {
            Self::Square(shape) => shape.f_latt::<GUARDED>(indices),
            Self::Round(shape) => shape.f_latt::<GUARDED>(indices),
            Self::Gauss(shape) => shape.f_latt::<GUARDED>(indices),
            Self::Tophat(shape) => shape.f_latt::<GUARDED>(indices),
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
    // 1.5 * 2^52 pushes the fraction of n d out: one fused operation less than rounding the product.
    let magic = d.splat_like(6_755_399_441_055_744.0);
    let r = n.mul_sub(d, n.mul_add(d, magic) - magic);
    (sin_half_turn_render(r), sin_half_turn_render(d))
}

impl<F: Lanes> Shape<F> for Square<F> {
    #[inline(always)]
    fn f_latt<const GUARDED: bool>(&self, indices: &Indices<F>) -> F {
        let ([na, nb, nc], [dh, dk, dl]) = (self.0, indices.offsets());
        let (sin_nh, sin_h) = sincg_parts::<F, GUARDED>(na, dh);
        let (sin_nk, sin_k) = sincg_parts::<F, GUARDED>(nb, dk);
        let (sin_nl, sin_l) = sincg_parts::<F, GUARDED>(nc, dl);
        (sin_nh * sin_nk * sin_nl) / (sin_h * sin_k * sin_l)
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
        let ([na, nb, nc], [dh, dk, dl]) = (self.cells, indices.offsets());
        let (x, y, z) = (na * dh, nb * dk, nc * dl);
        let radius2 = x.mul_add(x, y.mul_add(y, z * z));
        self.volume * sinc3_half_turns((radius2 * self.fudge).sqrt())
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

    #[inline(always)]
    fn squared(&self, indices: &Indices<F>) -> F {
        let [dh, dk, dl] = indices.offsets();
        let [[ax, ay, az], [bx, by, bz], [cx, cy, cz]] = self.reciprocal;
        let x = dh.mul_add(ax, dk.mul_add(bx, dl * cx));
        let y = dh.mul_add(ay, dk.mul_add(by, dl * cy));
        let z = dh.mul_add(az, dk.mul_add(bz, dl * cz));
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
        // Nearly everywhere between spots the exponential is 0.
        let underflow = exponent.lt(exponent.splat_like(-708.0));
        if underflow.all() {
            return exponent.splat_like(0.0);
        }
        self.volume * exp(exponent)
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
