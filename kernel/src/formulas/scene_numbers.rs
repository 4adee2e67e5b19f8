//! The numbers of a scene, and which of the formulas its pixels take.

use core::ops::Range;

use super::{
    AreaNumbers, BendNumbers, ColumnNumbers, CrystalNumbers, FrameNumbers, GridNumbers, LatticeFormula,
    LayerNumbers, LimitNumbers, LookupFormula, OrientationNumbers, ScaleNumbers, SourceNumbers, StepFormula,
    StepNumbers,
};
use crate::beam::PolarizationFrame;
use crate::lattice::{CrystalShape, MIXED_NUDGE, Precision};
use crate::math::NUDGE;
use crate::render::accumulate::Accumulation;
use crate::render::geometry::SubpixelGrid;
use crate::scene::Scene;
use crate::structure_factor::LookupRule;

/// Defines the rules of a pixel.
macro_rules! rules {
    ($(#[$doc:meta])* $name:ident { $($rule:ident $rule_doc:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct $name {
            $(#[doc = $rule_doc] pub $rule: bool,)*
        }

        impl $name {
            /// The names of the rules.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($rule)),*];

            /// The rules as bits, the first as the lowest.
            #[must_use]
            pub fn bits(&self) -> u32 {
                [$(self.$rule),*].into_iter().rev().fold(0, |bits, rule| bits << 1 | u32::from(rule))
            }
        }
    };
}

rules! {
    /// How the pixels of a scene are put together, beside the numbers.
    PixelRules {
        bent "The panel lies on a sphere.",
        captures "The sensor has a thickness.",
        captures_nothing "The captured share is 0 where no layer is evaluated.",
        polarized "There is a polarisation factor.",
        limited "There is a resolution limit.",
        watered "Water adds to each pixel.",
        thick "The captured share is evaluated for every subpixel.",
        polar "The polarisation factor is evaluated for every subpixel and source.",
        omega "The solid angle is evaluated for every subpixel.",
        capture_of_steps "The captured share belongs to the steps.",
        terms "The steps of each source are summed by themselves, and the sum is multiplied by the factors that belong to them.",
        running_sum "Every step multiplies the running sum by the factors that belong to the steps.",
        dark_unresolved "A pixel that no source reaches has a polarisation factor of 0.",
    }
}

/// The numbers of a scene that are alike for all rows, sources and orientations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SceneNumbers {
    /// Columns of subpixels.
    pub columns: ColumnNumbers,
    /// The sphere of a curved panel.
    pub bend: Option<BendNumbers>,
    /// Area of a pixel.
    pub area: AreaNumbers,
    /// All layers of the sensor.
    pub layers: LayerNumbers,
    /// The polarisation of the first source.
    pub frame: Option<FrameNumbers>,
    /// Resolution limit.
    pub limit: LimitNumbers,
    /// The crystal.
    pub crystal: CrystalNumbers,
    /// The grid of structure factors.
    pub grid: GridNumbers,
    /// What all steps have in common.
    pub step: StepNumbers,
    /// What makes pixels of sums.
    pub scale: ScaleNumbers,
    /// What the sum of a pixel starts from.
    pub background: f64,
    /// How it goes on.
    pub rules: PixelRules,
}

/// Rows of a scene and the formula of their steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFormula {
    /// The rows.
    pub rows: Range<usize>,
    /// `None` where the rows have a pixel in which interpolation ends; only [`Scene::render_rows`] renders those.
    pub formula: Option<StepFormula>,
}

impl Scene<'_> {
    /// The numbers that the formulas take; `None` where they do not cover the scene: where steps are neglected, and where the
    /// polarisation factor is that of the last contribution or of the pixel's centre.
    #[must_use]
    pub fn numbers(&self) -> Option<SceneNumbers> {
        if self.neglects() || self.polarizes_last() || self.polarizes_centre() {
            return None;
        }
        let (p, accumulation) = (&self.p, Accumulation::new(self));
        let [capture_of_steps, ..] = accumulation.of_steps();
        let (panel, flags) = (&p.panel, p.oversample);
        let all_steps = self.looks_up_dark_steps() || !self.shape().is_sparse();
        Some(SceneNumbers {
            columns: ColumnNumbers::new(panel, &SubpixelGrid::new(panel, 0, p.oversample.per_axis)),
            bend: panel.bend.as_ref().map(|sphere| BendNumbers::new(panel, sphere)),
            area: AreaNumbers::new(panel),
            layers: LayerNumbers::whole(panel),
            frame: self.polarization.as_ref().map(FrameNumbers::new),
            limit: LimitNumbers::new(p.d_min_m),
            crystal: CrystalNumbers::new(&p.crystallite),
            grid: GridNumbers::new(&p.structure_factors),
            step: StepNumbers {
                nudge: if self.lattice_formula() == LatticeFormula::SquareMixed {
                    MIXED_NUDGE
                } else {
                    NUDGE
                },
                // Nothing equals NaN.
                skipped: if all_steps { f64::NAN } else { 0.0 },
            },
            scale: ScaleNumbers { scale: self.scale, water: self.water },
            background: self.background,
            rules: PixelRules {
                bent: panel.bend.is_some(),
                captures: panel.sensor.layer_m > 0.0,
                captures_nothing: self.captures_nothing(),
                polarized: p.polarization.is_some(),
                limited: p.d_min_m > 0.0,
                watered: self.water > 0.0,
                thick: flags.thick,
                polar: flags.polar,
                omega: flags.omega,
                capture_of_steps,
                terms: accumulation.multiplies_terms(),
                running_sum: accumulation.multiplies_sum(),
                dark_unresolved: self.darkens_unresolved_pixels(),
            },
        })
    }

    /// A point of the line that the subpixels of a row with index `sub_slow` lie on, in a layer, in m.
    #[must_use]
    pub fn line_m(&self, slow: usize, layer: usize, sub_slow: usize) -> [f64; 3] {
        let panel = &self.p.panel;
        let grid = SubpixelGrid::new(panel, slow, self.p.oversample.per_axis);
        let line = grid.line(panel, sub_slow, layer as f64 * panel.sensor.layer_m);
        [line.x, line.y, line.z]
    }

    /// The numbers of each layer.
    pub fn layer_numbers(&self) -> impl Iterator<Item = LayerNumbers> + '_ {
        let panel = &self.p.panel;
        let (layer_m, attenuation_per_m) = (panel.sensor.layer_m, panel.sensor.attenuation_per_m);
        let depth_m = move |layer: usize| layer as f64 * layer_m;
        (0..panel.sensor.layers)
            .map(move |layer| LayerNumbers::new(panel, depth_m(layer), depth_m(layer + 1), attenuation_per_m))
    }

    /// The numbers of each source, its polarisation, and the index of its grid of structure factors.
    pub fn source_numbers(&self) -> impl Iterator<Item = (SourceNumbers, Option<FrameNumbers>, usize)> + '_ {
        self.p.sources.iter().enumerate().map(|(index, source)| {
            let frame = self.p.polarization.map(|polarization| {
                FrameNumbers::new(&PolarizationFrame::new(&polarization, source.incident))
            });
            (SourceNumbers::new(source, self.weight(index)), frame, self.grid_of(index))
        })
    }

    /// The numbers of each orientation.
    pub fn orientation_numbers(&self) -> impl Iterator<Item = OrientationNumbers> + '_ {
        self.p.orientations.entries().iter().map(OrientationNumbers::new)
    }

    /// Divides all rows by the formula of their steps.
    pub fn row_formulas(&self) -> impl Iterator<Item = RowFormula> {
        let rows = self.p.panel.slow_pixels;
        let lattice = self.lattice_formula();
        let nearest = Some(StepFormula { lattice, lookup: LookupFormula::Nearest });
        let tricubic = Some(StepFormula { lattice, lookup: LookupFormula::Tricubic });
        let parts = match (self.grid(), self.p.structure_factors.lookup) {
            (Some(_), LookupRule::Tricubic) => [(0..rows, tricubic), (rows..rows, None), (rows..rows, None)],
            (Some(_), LookupRule::TricubicUntil(latch)) => {
                let (at, after) = (latch.slow.min(rows), (latch.slow.saturating_add(1)).min(rows));
                [(0..at, tricubic), (at..after, None), (after..rows, nearest)]
            }
            _ => [(0..rows, nearest), (rows..rows, None), (rows..rows, None)],
        };
        let parts = parts.into_iter().map(|(rows, formula)| RowFormula { rows, formula });
        parts.filter(|part| !part.rows.is_empty())
    }

    fn lattice_formula(&self) -> LatticeFormula {
        let crystallite = &self.p.crystallite;
        match (self.shape(), self.lattice_precision()) {
            (CrystalShape::Square, _) if self.is_fractional_square() => LatticeFormula::SquareFractional,
            (CrystalShape::Square, Precision::Mixed) => LatticeFormula::SquareMixed,
            (CrystalShape::Square, Precision::Double) if crystallite.is_thin() => LatticeFormula::SquareThin,
            (CrystalShape::Square, Precision::Double) => LatticeFormula::Square,
            (CrystalShape::Round, _) => LatticeFormula::Round,
            (CrystalShape::Gauss, _) => LatticeFormula::Gauss,
            (CrystalShape::Tophat, _) => LatticeFormula::Tophat,
        }
    }
}
