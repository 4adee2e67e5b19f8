//! Scene parameters become a scene in two calls: the tables equal those of the individual functions, and
//! invalid parameters are refused before anything is written.

use widebragg::Error;
use widebragg::beam::{Source, SourceGrid};
use widebragg::carryover::Carryover;
use widebragg::crystal::{CellSource, Crystal, CrystalParameters, UnitCell};
use widebragg::defaults;
use widebragg::detector::{Detector, DetectorParameters};
use widebragg::lattice::CrystalShape;
use widebragg::panel::Panel;
use widebragg::random::fill_mosaic;
use widebragg::rotation::{IDENTITY, Mat3, Orientation, PhiMode, PhiSweep, fill_orientations};
use widebragg::sampling::{OversampleRequest, Steps};
use widebragg::scene::{
    CrystalInput, DetectorInput, MosaicInput, Scene, SceneParameters, SceneTables, SourcesInput,
};
use widebragg::structure_factor::HklGrid;
use widebragg::vector::Vec3;

const NO_SOURCE: Source = Source { incident: Vec3::new(7.0, 7.0, 7.0), lambda_m: 7.0 };
const NO_DOMAIN: Mat3 = [[7.0; 3]; 3];
const NO_GRID: u32 = 7;

fn cell() -> CellSource {
    CellSource::Cell(UnitCell::from_degrees([50.0, 60.0, 70.0], [80.0, 90.0, 100.0]))
}

/// Parameters of a small scene whose tables have several entries.
fn parameters() -> SceneParameters<'static> {
    let steps = |count, step| Steps { count, range: step * (count - 1) as f64, step };
    SceneParameters {
        detector: DetectorInput::Parameters(DetectorParameters {
            fast_pixels: 12,
            slow_pixels: 9,
            fast_size_m: 0.0012,
            slow_size_m: 0.0009,
            ..DetectorParameters::default()
        }),
        sources: SourcesInput::Grid {
            hdiv: steps(3, 1e-4),
            vdiv: steps(3, 1e-4),
            dispersion: steps(2, 1e-3),
            round: true,
        },
        oversample: OversampleRequest { per_axis: Some(1), ..OversampleRequest::default() },
        mosaic: MosaicInput::Spread { spread_rad: 1e-3, domains: 4, seed: 11 },
        cells: [5.0, 6.0, 7.0],
        phi_step_rad: 1e-3,
        phi_steps: 2,
        default_f: 10.0,
        ..SceneParameters::new(cell())
    }
}

/// Fills tables that hold marker values and calls `job` with the result of [`SceneParameters::fill`]. Returns
/// what `job` returns, and whether any table was written to.
fn filled<R>(p: &SceneParameters<'_>, job: impl FnOnce(Result<Scene<'_>, Error>) -> R) -> (R, bool) {
    let len = p.tables_len().expect("lengths");
    let mut sources = vec![NO_SOURCE; len.sources];
    let mut source_weights = vec![f64::NAN; len.source_weights];
    let mut source_grids = vec![NO_GRID; len.source_grids];
    let mut domains = vec![NO_DOMAIN; len.domains];
    let mut orientations = vec![Orientation::default(); len.orientations];
    let tables = SceneTables {
        sources: &mut sources,
        source_weights: &mut source_weights,
        source_grids: &mut source_grids,
        domains: &mut domains,
        orientations: &mut orientations,
    };
    let result = job(p.fill(tables));
    let untouched = source_weights.iter().all(|weight| weight.is_nan())
        && source_grids.iter().all(|&grid| grid == NO_GRID)
        && sources.iter().all(|source| *source == NO_SOURCE)
        && domains.iter().all(|domain| *domain == NO_DOMAIN)
        && orientations.iter().all(|entry| *entry == Orientation::default());
    (result, !untouched)
}

#[test]
fn tables_equal_those_of_the_individual_functions() {
    let p = parameters();
    let SourcesInput::Grid { hdiv, vdiv, dispersion, round } = p.sources else { unreachable!() };
    let DetectorInput::Parameters(detector) = p.detector else { unreachable!() };
    let detector = Detector::new(&detector, p.mode).expect("a detector");
    let crystal = CrystalParameters { source: cell(), lambda0_m: defaults::LAMBDA_M, misset_rad: [0.0; 3] };
    let crystal = Crystal::new(&crystal).expect("a crystal");
    let grid = SourceGrid { hdiv, vdiv, dispersion, round, lambda0_m: defaults::LAMBDA_M };
    let mut sources = vec![Source::default(); 18];
    let used = grid.fill(&detector.frame(), &mut sources).expect("sources");
    let mut domains = vec![IDENTITY; 4];
    fill_mosaic(1e-3, 11, &mut domains).expect("domains");
    let sweep =
        PhiSweep { phi0_rad: 0.0, step_rad: 1e-3, count: 2, spindle: detector.spindle, mode: PhiMode::Spec };
    let mut entries = vec![Orientation::default(); 8];
    let table = fill_orientations(crystal.direct, sweep, &domains, &mut entries).expect("orientations");
    let ((), written) = filled(&p, |scene| {
        let scene = scene.expect("a scene");
        let parts = scene.parts();
        assert_eq!(parts.panel, Panel::new(&detector, p.sensor));
        assert_eq!(parts.sources, &sources[..used]);
        assert_eq!(parts.orientations.domains(), &domains[..]);
        assert_eq!(parts.orientations.entries(), table.entries());
        assert_eq!(parts.crystallite.reciprocal_per_angstrom, crystal.reciprocal_per_angstrom);
        let mut image = vec![0f32; detector.pixels()];
        scene.render_rows(0..9, &mut image, &mut Carryover::Off).expect("an image");
        assert!(image.iter().all(|&pixel| pixel > 0.0));
    });
    assert!(written && used == 10, "the corners must be dropped: {used}");
}

/// Sources of weight 0 are left out with their grids, where weights have an effect.
#[test]
fn grids_of_sources_follow_their_sources() {
    let grid = HklGrid::several([0; 3], [1; 3], 2, &[1.0, 2.0]).expect("two grids");
    let incident = Vec3::new(1.0, 0.0, 0.0);
    let list = [1.0, 1.1, 1.2].map(|lambda| Source { incident, lambda_m: lambda * 1e-10 });
    let weighted = SourcesInput::Weighted { sources: &list, weights: &[1.0, 0.0, 2.0] };
    let found = |sources, grids: &[u32], mode| {
        let p =
            SceneParameters { sources, grid: Some(grid), source_grids: Some(grids), mode, ..parameters() };
        let (found, written) =
            filled(&p, |scene| scene.map(|scene| scene.parts().source_grids.map(<[_]>::to_vec)));
        assert_eq!(found.is_ok(), written);
        found.map(Option::unwrap_or_default)
    };
    assert_eq!(found(weighted, &[0, 1, 1], PhiMode::Spec), Ok(vec![0, 1]));
    assert_eq!(found(weighted, &[0, 1, 1], PhiMode::CParity), Ok(vec![0, 1, 1]));
    assert_eq!(found(SourcesInput::List(&list), &[1, 1, 0], PhiMode::Spec), Ok(vec![1, 1, 0]));
    // A round grid of sources has fewer than it has room for.
    assert_eq!(found(parameters().sources, &[1; 18], PhiMode::Spec), Ok(vec![1; 18]));
    let wrong = |needed, given| Err(Error::BufferTooShort { buffer: "grids of sources", needed, given });
    for given in [2, 4] {
        assert_eq!(found(weighted, &vec![0; given], PhiMode::Spec), wrong(3, given));
    }
    assert_eq!(found(parameters().sources, &[0; 17], PhiMode::Spec), wrong(18, 17));
    assert!(matches!(found(weighted, &[0, 2, 0], PhiMode::Spec), Err(Error::OutOfRange { .. })));
    let p = SceneParameters { source_grids: Some(&[0; 18]), ..parameters() };
    assert!(matches!(p.check(), Err(Error::OutOfRange { .. })), "there is no grid");
}

#[test]
fn lists_and_axes_are_used_unchanged() {
    let p = parameters();
    let detector = p.detector.placed(p.mode).expect("a detector");
    let ((sources, domains, direct, reciprocal_per_angstrom), _) = filled(&p, |scene| {
        let scene = scene.expect("a scene");
        let parts = scene.parts();
        let domains = parts.orientations.domains().to_vec();
        let reciprocal = parts.crystallite.reciprocal_per_angstrom;
        (parts.sources.to_vec(), domains, parts.orientations.cell(), reciprocal)
    });
    let derived = SceneParameters {
        detector: DetectorInput::Placed(detector),
        sources: SourcesInput::List(&sources),
        mosaic: MosaicInput::List(&domains),
        crystal: CrystalInput::Axes { direct, reciprocal_per_angstrom },
        ..p
    };
    let render = |p: &SceneParameters<'_>| {
        filled(p, |scene| {
            let mut image = vec![0f64; 12 * 9];
            scene.expect("a scene").render_rows(0..9, &mut image, &mut Carryover::Off).expect("an image");
            image
        })
        .0
    };
    assert_eq!(render(&derived), render(&p));
}

#[test]
fn invalid_parameters_are_refused_before_anything_is_written() {
    let p = parameters();
    let bad_source = [Source { lambda_m: -1.0, ..NO_SOURCE }];
    let not_a_rotation = [IDENTITY, NO_DOMAIN];
    let steps = Steps { count: 2, range: 4.0, step: 4.0 };
    let refused = [
        SceneParameters { phi_steps: 0, ..p },
        SceneParameters { phi0_rad: f64::NAN, ..p },
        SceneParameters { cells: [0.5; 3], ..p },
        SceneParameters { cells: [1e9; 3], ..p },
        SceneParameters { fluence_per_m2: -1.0, ..p },
        SceneParameters { lambda0_m: 0.0, ..p },
        SceneParameters { lambda0_m: 1e-20, ..p },
        SceneParameters { mosaic: MosaicInput::Spread { spread_rad: f64::NAN, domains: 2, seed: 1 }, ..p },
        SceneParameters { mosaic: MosaicInput::Spread { spread_rad: 0.1, domains: 0, seed: 1 }, ..p },
        SceneParameters { mosaic: MosaicInput::List(&not_a_rotation), ..p },
        SceneParameters { mosaic: MosaicInput::List(&[]), ..p },
        SceneParameters { sources: SourcesInput::List(&bad_source), ..p },
        SceneParameters { sources: SourcesInput::List(&[]), ..p },
        // The second wavelength would be positive; the first is not.
        SceneParameters {
            sources: SourcesInput::Grid {
                hdiv: Steps::ONE,
                vdiv: Steps::ONE,
                dispersion: steps,
                round: false,
            },
            ..p
        },
        SceneParameters { mask: Some(&[1; 12 * 9 - 1]), ..p },
        SceneParameters { shape: CrystalShape::Gauss, fudge: f64::INFINITY, ..p },
    ];
    for (i, p) in refused.iter().enumerate() {
        let (result, written) = filled(p, |scene| scene.map(|_| ()));
        assert!(result.is_err() && !written, "case {i}: {result:?}, written: {written}");
    }
}

#[test]
fn a_grid_of_sources_is_checked_before_it_is_written() {
    let detector = Detector::new(&DetectorParameters::default(), PhiMode::Spec).expect("a detector");
    // The first wavelength, 1 - 0.2, is positive; the second, 1 - 1 - 0.2, is not.
    let dispersion = Steps { count: 2, range: 0.4, step: -1.0 };
    let grid = SourceGrid {
        hdiv: Steps { count: 2, range: 0.1, step: 0.1 },
        vdiv: Steps::ONE,
        dispersion,
        round: false,
        lambda0_m: 1e-10,
    };
    let mut sources = [NO_SOURCE; 4];
    assert!(grid.fill(&detector.frame(), &mut sources).is_err());
    assert_eq!(sources, [NO_SOURCE; 4]);
}

#[test]
fn short_tables_are_refused_with_the_required_length() {
    let p = parameters();
    let len = p.tables_len().expect("lengths");
    assert_eq!((len.sources, len.domains, len.orientations), (18, 4, 8));
    for (short, name, needed) in [(0, "sources", 18), (1, "mosaic domains", 4), (2, "orientation table", 8)] {
        let less = |which: usize, len: usize| len - usize::from(which == short);
        let mut sources = vec![NO_SOURCE; less(0, len.sources)];
        let mut domains = vec![NO_DOMAIN; less(1, len.domains)];
        let mut orientations = vec![Orientation::default(); less(2, len.orientations)];
        let tables = SceneTables {
            sources: &mut sources,
            source_weights: &mut [],
            source_grids: &mut [],
            domains: &mut domains,
            orientations: &mut orientations,
        };
        let refusal = p.fill(tables).expect_err("a table is short");
        assert_eq!(refusal, Error::BufferTooShort { buffer: name, needed, given: needed - 1 });
    }
}
