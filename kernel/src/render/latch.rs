//! The search for the evaluation that ends the reference's interpolation.
//!
//! It is in none of the spans whose h, k, l stay so far inside the grid that every block of 4 x 4 x 4 nodes is there, and most
//! spans are of that kind. The scattered beams of a span lie in the cone spanned by the directions d_i to the corners of its
//! pixels. Each of them is
//!
//! ```text
//! d = sum w_i d_i / rho       w_i >= 0, sum w_i = 1, cos(alpha) <= rho <= 1
//! |a.d - sum w_i a.d_i| = |a.d| (1 - rho) <= |a| (1 - cos(alpha))
//! ```
//!
//! where alpha is the angle between the middle and the farthest corner. So h = a.(d - i)/lambda exceeds the range of the
//! corners' h by at most |a| (1 - cos(alpha))/lambda, and k and l likewise. Only spans for which these bounds reach beyond
//! the grid are searched step by step.

use core::ops::Range;

use super::general;
use super::row_plan::{PixelRun, Span};
use crate::Error;
use crate::beam::Source;
use crate::carryover::Carryover;
use crate::panel::DirectionCone;
use crate::rotation::Orientation;
use crate::scene::Scene;
use crate::span::SPAN;
use crate::structure_factor::{HklGrid, LatchPoint, LookupPlan, LookupRule};
use crate::vector::Vec3;

/// By how much bounds of indices are widened for rounding: a constant, and a fraction of the largest index.
const ROUNDING: [f64; 2] = [1e-9, 1e-12];

impl Scene<'_> {
    /// The first evaluation in `rows`, in the reference's order, whose block of 4 x 4 x 4 nodes is not
    /// usable, which switches the reference's interpolation off. `None` when there is none, or when the scene
    /// does not interpolate.
    ///
    /// # Errors
    /// As [`Scene::render_rows`].
    pub fn find_latch(&self, rows: Range<usize>, carry: &Carryover<'_>) -> Result<Option<LatchPoint>, Error> {
        self.check_rows(&rows, carry)?;
        if self.p.structure_factors.lookup == LookupRule::Nearest || self.grid().is_none() {
            return Ok(None);
        }
        Ok(rows.into_iter().find_map(|slow| self.find_latch_in_row(slow, carry)))
    }

    fn find_latch_in_row(&self, slow: usize, carry: &Carryover<'_>) -> Option<LatchPoint> {
        let plan = self.row_plan(slow, carry)?;
        let scan = |run: &PixelRun<'_>| general::first_fallback(self, run);
        let spans = plan.spans().filter(|span| self.may_leave_grid(span)).find_map(|span| {
            let mut live = [0.0; SPAN];
            let run = plan.run_without_singles(&span, &mut live);
            scan(&PixelRun { lookup: LookupPlan::LatchScan, ..run })
        });
        let singles =
            plan.singles().filter_map(|single| scan(&single.with_lookup(LookupPlan::LatchScan).run()));
        let (fast, evaluation) = singles.chain(spans).min()?;
        Some(LatchPoint { slow, fast, evaluation })
    }

    /// Whether interpolating in a span, with the orientations of the table, may need nodes that are not in the grid.
    fn may_leave_grid(&self, span: &Span) -> bool {
        let p = &self.p;
        let (Some(grid), None) = (self.grid(), p.panel.bend) else { return true };
        let columns = [span.first + span.before.min(span.count), span.first + span.count];
        let Some(cone) = p.panel.cone_of(columns, [span.slow, span.slow + 1]) else { return true };
        let stays = |source: &Source| {
            let entries = p.orientations.entries();
            entries.iter().all(|orientation| holds_blocks(&grid, &cone, source, orientation))
        };
        !p.sources.iter().all(stays)
    }
}

/// Whether a grid has all nodes that interpolation needs for the beams in a cone.
fn holds_blocks(
    grid: &HklGrid<'_>,
    cone: &DirectionCone,
    source: &Source,
    orientation: &Orientation,
) -> bool {
    let Orientation { a_m, b_m, c_m } = *orientation;
    [a_m, b_m, c_m].into_iter().zip(grid.usable()).all(|(axis_m, usable)| {
        let per_lambda = (1.0 / source.lambda_m) * axis_m;
        let [least, largest] = reached(cone, source.incident, per_lambda);
        usable.start <= least && largest <= usable.end
    })
}

/// The least and the largest axis.(d - incident), at most, for the beams d in a cone.
fn reached(cone: &DirectionCone, incident: Vec3, axis: Vec3) -> [f64; 2] {
    let offset = axis.dot(incident);
    let at_corners = cone.corners.map(|corner| axis.dot(corner) - offset);
    let [least, part] = ROUNDING;
    let length = axis.length();
    let beyond = length * (1.0 - cone.cos) + least + part * length * (1.0 + incident.length());
    let [from, to] = [
        at_corners.into_iter().fold(f64::INFINITY, f64::min),
        at_corners.into_iter().fold(f64::NEG_INFINITY, f64::max),
    ];
    [from - beyond, to + beyond]
}
