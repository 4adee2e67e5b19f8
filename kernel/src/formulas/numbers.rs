//! The numbers that formulas take of a scene, in groups: f64 in tables, lanes in formulas.

use crate::beam::{PolarizationFrame, Source};
use crate::lanes::{Lanes, Level};
use crate::lattice::{CrystalShape, Crystallite};
use crate::panel::{Bend, Panel};
use crate::render::geometry::{LaneVec, SubpixelGrid};
use crate::rotation::Orientation;
use crate::structure_factor::StructureFactors;
use crate::vector::Vec3;

/// Defines a group of numbers, of f64 unless another type is named.
macro_rules! numbers {
    (
        $(#[$doc:meta])*
        $name:ident {
            vectors { $($vector:ident $vector_doc:literal),* $(,)? }
            numbers { $($number:ident $number_doc:literal),* $(,)? }
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub struct $name<F = f64> {
            $(#[doc = $vector_doc] pub $vector: [F; 3],)*
            $(#[doc = $number_doc] pub $number: F,)*
        }

        impl $name {
            /// The names of the numbers, in the order of [`Self::values`]; those of a vector end in `_x`, `_y` and `_z`.
            pub const NAMES: &'static [&'static str] = &[
                $(
                    concat!(stringify!($vector), "_x"),
                    concat!(stringify!($vector), "_y"),
                    concat!(stringify!($vector), "_z"),
                )*
                $(stringify!($number),)*
            ];

            /// The numbers, one after the other.
            pub fn values(&self) -> impl Iterator<Item = f64> + use<> {
                let vectors: [[f64; 3]; _] = [$(self.$vector),*];
                let numbers: [f64; _] = [$(self.$number),*];
                vectors.into_iter().flatten().chain(numbers)
            }

            #[inline(always)]
            #[allow(dead_code, reason = "not every group is splatted by the loops")]
            pub(crate) fn splat<L: Level>(&self, level: L) -> $name<L::F> {
                $name {
                    $($vector: splat(level, self.$vector),)*
                    $($number: level.splat(self.$number),)*
                }
            }
        }

        impl<F> $name<F> {
            /// The group of what `lane` makes of each name.
            pub fn named(mut lane: impl FnMut(&'static str) -> F) -> Self {
                Self {
                    $($vector: [
                        lane(concat!(stringify!($vector), "_x")),
                        lane(concat!(stringify!($vector), "_y")),
                        lane(concat!(stringify!($vector), "_z")),
                    ],)*
                    $($number: lane(stringify!($number)),)*
                }
            }
        }
    };
}

#[inline(always)]
fn splat<L: Level>(level: L, [x, y, z]: [f64; 3]) -> [L::F; 3] {
    [level.splat(x), level.splat(y), level.splat(z)]
}

#[inline(always)]
fn xyz(v: Vec3) -> [f64; 3] {
    [v.x, v.y, v.z]
}

numbers! {
    /// The columns of a panel's subpixels.
    ColumnNumbers {
        vectors { fast "Unit fast axis." }
        numbers {
            per_axis "Subpixels of a pixel along an axis.",
            step_m "Distance of neighbouring subpixels.",
            half_m "Half of it.",
        }
    }
}

numbers! {
    /// The sphere that a curved panel lies on.
    BendNumbers {
        vectors {
            fast "Unit fast axis.",
            slow "Unit slow axis.",
            centre_m "The point of the sphere that stays where it is.",
        }
        numbers { per_radius "1/radius, in 1/m." }
    }
}

numbers! {
    /// The area of a pixel.
    AreaNumbers {
        vectors {}
        numbers { volume_m3 "Area times the distance of the panel along its normal; 0 where pixels are points." }
    }
}

numbers! {
    /// A thickness layer, or all of them.
    LayerNumbers {
        vectors { normal "Unit normal of the panel." }
        numbers {
            minus_from "Depth at which it begins, in attenuation lengths, negated.",
            minus_to "Depth at which it ends, likewise.",
        }
    }
}

numbers! {
    /// A source.
    SourceNumbers {
        vectors { incident "Unit vector along the beam." }
        numbers {
            per_lambda_m "1/wavelength, in 1/m.",
            weight "Weight relative to the mean.",
        }
    }
}

numbers! {
    /// The polarisation of a source.
    FrameNumbers {
        vectors {
            incident "Unit vector along the beam.",
            b "Unit vector across it, in which the magnetic field oscillates.",
            e "Unit vector across both.",
        }
        numbers { kahn "Kahn's polarisation factor." }
    }
}

numbers! {
    /// The resolution limit.
    LimitNumbers {
        vectors {}
        numbers {
            d_min_m "Smallest d-spacing.",
            d_min2_m2 "Its square.",
        }
    }
}

numbers! {
    /// An orientation of the crystal.
    OrientationNumbers {
        vectors { a_m "Cell vector a.", b_m "Cell vector b.", c_m "Cell vector c." }
        numbers {}
    }
}

numbers! {
    /// Shape and size of the crystal; each shape reads some of them.
    CrystalNumbers {
        vectors {
            cells "Unit cells along a, b, c.",
            fractions "What they have beyond a whole number.",
            spot_a "First axis of the metric of gauss and tophat spots.",
            spot_b "Second axis.",
            spot_c "Third axis.",
        }
        numbers {
            fudge "Factor on the size of round spots.",
            volume "F_latt at a node.",
            spot_scale "What the square of a length in the metric of the spots is multiplied by; below 0 for gauss.",
            lowest_exponent "Exponent below which a gauss spot is 0.",
        }
    }
}

numbers! {
    /// The box of a grid of structure factors. The nodes themselves are read by [`Lanes::gather`] and [`Lanes::sum_rows`].
    GridNumbers {
        vectors {
            min "Smallest h, k, l.",
            max "Largest h, k, l.",
            len "Nodes along h, k, l.",
        }
        numbers {
            stride_h "Nodes from one h to the next.",
            stride_k "Nodes from one k to the next.",
            base "Index of (0, 0, 0), negated.",
            default_f "F_cell where there is no node.",
        }
    }
}

numbers! {
    /// What all steps of a scene have in common.
    StepNumbers {
        vectors {}
        numbers {
            nudge "Added to every index, so that none is exactly 0.",
            skipped "F_latt of a step that looks nothing up: 0, or NaN where all of them do.",
        }
    }
}

numbers! {
    /// What makes pixels of sums.
    ScaleNumbers {
        vectors {}
        numbers { scale "Photons of a sum of 1.", water "Photons that water scatters, per sr." }
    }
}

impl ColumnNumbers {
    #[inline(always)]
    pub(crate) fn new(panel: &Panel, grid: &SubpixelGrid) -> Self {
        let (per_axis, step_m, half_m) = grid.steps();
        Self { fast: xyz(panel.fast), per_axis, step_m, half_m }
    }
}

impl BendNumbers {
    #[inline(always)]
    pub(crate) fn new(panel: &Panel, sphere: &Bend) -> Self {
        Self {
            fast: xyz(panel.fast),
            slow: xyz(panel.slow),
            centre_m: xyz(sphere.radius_m * sphere.beam),
            per_radius: 1.0 / sphere.radius_m,
        }
    }
}

impl AreaNumbers {
    #[inline(always)]
    pub(crate) fn new(panel: &Panel) -> Self {
        let volume_m3 = panel.pixel_m * panel.pixel_m * panel.close_distance_m;
        Self { volume_m3: if panel.point_pixel { 0.0 } else { volume_m3 } }
    }
}

impl LayerNumbers {
    /// A layer between two depths, in m.
    #[inline(always)]
    pub(crate) fn new(panel: &Panel, from_m: f64, to_m: f64, attenuation_per_m: f64) -> Self {
        let [minus_from, minus_to] = [from_m, to_m].map(|depth_m| -(depth_m * attenuation_per_m));
        Self { normal: xyz(panel.normal), minus_from, minus_to }
    }

    /// All layers of the sensor.
    #[inline(always)]
    pub(crate) fn whole(panel: &Panel) -> Self {
        Self::new(panel, 0.0, panel.sensor.thickness_m(), panel.sensor.attenuation_per_m)
    }
}

impl SourceNumbers {
    #[inline(always)]
    pub(crate) fn new(source: &Source, weight: f64) -> Self {
        Self { incident: xyz(source.incident), per_lambda_m: 1.0 / source.lambda_m, weight }
    }
}

impl FrameNumbers {
    #[inline(always)]
    pub(crate) fn new(frame: &PolarizationFrame) -> Self {
        let PolarizationFrame { kahn, incident, b, e } = *frame;
        Self { incident: xyz(incident), b: xyz(b), e: xyz(e), kahn }
    }
}

impl LimitNumbers {
    #[inline(always)]
    pub(crate) fn new(d_min_m: f64) -> Self {
        Self { d_min_m, d_min2_m2: d_min_m * d_min_m }
    }
}

impl OrientationNumbers {
    #[inline(always)]
    pub(crate) fn new(orientation: &Orientation) -> Self {
        let Orientation { a_m, b_m, c_m } = *orientation;
        Self { a_m: xyz(a_m), b_m: xyz(b_m), c_m: xyz(c_m) }
    }
}

impl CrystalNumbers {
    #[inline(always)]
    pub(crate) fn new(crystallite: &Crystallite) -> Self {
        let [spot_a, spot_b, spot_c] = crystallite.spot_axes().map(xyz);
        let (volume, per_square) = match crystallite.shape {
            CrystalShape::Round => (crystallite.cells.iter().product::<f64>() * 0.723_601_254_558_268, 1.0),
            CrystalShape::Gauss => (crystallite.volume(), -1.0 / 0.63),
            CrystalShape::Square | CrystalShape::Tophat => (crystallite.volume(), 1.0),
        };
        Self {
            cells: crystallite.cells,
            fractions: crystallite.cells.map(|n| n - libm::floor(n)),
            spot_a,
            spot_b,
            spot_c,
            fudge: crystallite.fudge,
            volume,
            spot_scale: crystallite.spot_scale() * crystallite.fudge * per_square,
            lowest_exponent: crystallite.lowest_exponent(),
        }
    }
}

impl GridNumbers {
    #[inline(always)]
    pub(crate) fn new(factors: &StructureFactors<'_>) -> Self {
        let grid = factors.grid_or_empty();
        let min @ [h, k, l] = grid.min().map(f64::from);
        let [nh, nk, nl] = grid.shape();
        let len @ [nh, nk, nl] = [nh as f64, nk as f64, nl as f64];
        Self {
            min,
            max: [h + nh - 1.0, k + nk - 1.0, l + nl - 1.0],
            len,
            stride_h: nk * nl,
            stride_k: nl,
            base: h * nk * nl + k * nl + l,
            default_f: factors.default_f,
        }
    }
}

impl<F: Lanes> From<[F; 3]> for LaneVec<F> {
    #[inline(always)]
    fn from([x, y, z]: [F; 3]) -> Self {
        Self { x, y, z }
    }
}

impl<F> From<LaneVec<F>> for [F; 3] {
    #[inline(always)]
    fn from(LaneVec { x, y, z }: LaneVec<F>) -> Self {
        [x, y, z]
    }
}
