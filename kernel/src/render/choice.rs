//! The plain loop over a span: its three passes, and which compiled steps pass the span takes.

use super::SpanReport;
use super::pixel_value::PixelValue;
use super::plain::{ScalingPass, StepsPass, Sums, Workspace};
use super::row_plan::Span;
use crate::lattice::{
    CrystalShape, GaussKind, Precision, RoundKind, ShapeKind, SquareKind, SquareMixedKind, SquareThinKind,
    TophatKind,
};
use crate::scene::Scene;
use crate::structure_factor::{LookupKind, LookupPlan, NearestKind, TricubicKind, UniformKind};

/// Renders a span. Pixels that met an index which is exactly an integer are NaN; whether there are any is returned too.
pub(super) fn render<P: PixelValue>(
    scene: &Scene<'_>,
    span: Span,
    work: &mut Workspace,
    out: &mut [P],
) -> (SpanReport, bool) {
    let p = &scene.p;
    work.make_room_for(scene);
    let fallbacks = run_steps(scene, span, work);
    let (omega_sum_sr, any_nan) = p.simd.run(ScalingPass { scene, work, sums: Sums::OfSteps, out });
    (SpanReport { omega_sum_sr, fallbacks }, any_nan)
}

/// Runs the steps pass that is compiled for the scene's shape and the span's lookup; returns the
/// interpolations that fell back to the nearest node.
fn run_steps(scene: &Scene<'_>, span: Span, work: &mut Workspace) -> u64 {
    use CrystalShape::{Gauss, Round, Square, Tophat};
    use LookupPlan::{LatchScan, Nearest, Tricubic, Uniform};
    use Precision::{Double, Mixed};

    let thin = scene.p.crystallite.is_thin();
    match (span.lookup, scene.shape(), scene.lattice_precision()) {
        (Nearest, Square, Mixed) => run::<SquareMixedKind, NearestKind>(scene, span, work),
        (Nearest, Square, Double) if thin => run::<SquareThinKind, NearestKind>(scene, span, work),
        (Nearest, Square, Double) => run::<SquareKind, NearestKind>(scene, span, work),
        (Nearest, Round, _) => run::<RoundKind, NearestKind>(scene, span, work),
        (Nearest, Gauss, _) => run::<GaussKind, NearestKind>(scene, span, work),
        (Nearest, Tophat, _) => run::<TophatKind, NearestKind>(scene, span, work),
        (Uniform | LatchScan, Square, Mixed) => run::<SquareMixedKind, UniformKind>(scene, span, work),
        (Uniform | LatchScan, Square, Double) if thin => {
            run::<SquareThinKind, UniformKind>(scene, span, work)
        }
        (Uniform | LatchScan, Square, Double) => run::<SquareKind, UniformKind>(scene, span, work),
        (Uniform | LatchScan, Round, _) => run::<RoundKind, UniformKind>(scene, span, work),
        (Uniform | LatchScan, Gauss, _) => run::<GaussKind, UniformKind>(scene, span, work),
        (Uniform | LatchScan, Tophat, _) => run::<TophatKind, UniformKind>(scene, span, work),
        // Interpolation is f64 whatever the precision.
        (Tricubic { .. }, Square, _) if thin => run::<SquareThinKind, TricubicKind>(scene, span, work),
        (Tricubic { .. }, Square, _) => run::<SquareKind, TricubicKind>(scene, span, work),
        (Tricubic { .. }, Round, _) => run::<RoundKind, TricubicKind>(scene, span, work),
        (Tricubic { .. }, Gauss, _) => run::<GaussKind, TricubicKind>(scene, span, work),
        (Tricubic { .. }, Tophat, _) => run::<TophatKind, TricubicKind>(scene, span, work),
    }
}

fn run<Sh: ShapeKind, Lo: LookupKind>(scene: &Scene<'_>, span: Span, work: &mut Workspace) -> u64 {
    scene.p.simd.run(StepsPass::<Sh, Lo>::new(scene, span, work))
}
