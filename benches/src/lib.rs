//! What the benches render: three detector rows through the direct beam, in the geometry of the authoritative run.
//!
//! 2463 pixels of 0.172 mm a row, 231.27 mm from the sample, 0.9768 Angstrom; a triclinic crystal of 36 x 47 x 29 cells
//! that turns by 0.1 degrees in ten phi steps; a dense grid of synthetic structure factors from -30 to 30. The whole
//! detector has 2527 such rows; three cost the scalar oracle a time that can be repeated.
//!
//! The same strip is given to the kernel ([`Strip::scene`]) and to the oracle ([`Strip::oracle`]), which share no code.

use std::path::Path;

use widebragg::Error;
use widebragg::beam::{Polarization, Source};
use widebragg::carryover::Carryover;
use widebragg::crystal::{CellSource, Crystal, CrystalParameters, UnitCell};
use widebragg::detector::{Convention, Detector, DetectorParameters, Pivot};
use widebragg::lanes::Simd;
use widebragg::lattice::{CrystalShape, Lattice};
use widebragg::render::{Oversample, Roi, Scene, SceneParameters, Sensor};
use widebragg::rotation::{IDENTITY, Mat3, Orientation, PhiMode, PhiSweep, fill_orientations};
use widebragg::structure_factor::{HklGrid, LookupRule, StructureFactors};
use widebragg_tests::oracle::command::Shape;
use widebragg_tests::oracle::input::Grid;
use widebragg_tests::oracle::{Mode, Simulation};

/// Pixels along a row.
pub const COLUMNS: usize = 2463;
/// Rows.
pub const ROWS: usize = 3;
/// phi steps.
pub const PHI_STEPS: usize = 10;
/// Innermost steps of the strip.
pub const STEPS: u64 = (COLUMNS * ROWS * PHI_STEPS) as u64;

const PIXEL_MM: f64 = 0.172;
const DISTANCE_MM: f64 = 231.27;
const LAMBDA_ANGSTROM: f64 = 0.9768;
const CELL: [f64; 6] = [26.7, 31.3, 33.7, 88.1, 71.9, 68.3];
const MISSET_DEG: [f64; 3] = [11.0, 23.0, 37.0];
const CELLS: [f64; 3] = [36.0, 47.0, 29.0];
/// Off the middle of the strip: a pixel exactly in the beam would outshine all others.
const BEAM_MM: [f64; 2] = [0.31, 212.07];
const FLUX: f64 = 1e18;
const OSC_DEG: f64 = 0.1;
const LARGEST_INDEX: i32 = 30;
const DOMAINS: &[Mat3] = &[IDENTITY];

/// What stands for F_cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// The same F everywhere, no grid.
    Uniform,
    /// The grid, at the nearest node.
    Nearest,
    /// The grid, interpolated.
    Tricubic,
}

/// F where there is no grid.
const UNIFORM_F: f64 = 100.0;

/// Scales the spots. Those of the gauss and tophat shapes are so sharp for a crystal of this size that no pixel of the
/// strip would catch one: widened until about one step in a hundred does.
fn fudge(shape: CrystalShape) -> f64 {
    match shape {
        CrystalShape::Square | CrystalShape::Round => 1.0,
        CrystalShape::Gauss | CrystalShape::Tophat => 1e-5,
    }
}

/// The tables that a scene borrows.
#[derive(Debug, Clone)]
pub struct Strip {
    detector: Detector,
    crystal: Crystal,
    sources: [Source; 1],
    orientations: [Orientation; PHI_STEPS],
    grid: Vec<f64>,
}

impl Strip {
    /// Makes the tables.
    ///
    /// # Errors
    /// What the kernel refuses; nothing here should be.
    pub fn new() -> Result<Self, Error> {
        let pixel_m = PIXEL_MM / 1e3;
        let [x_beam_mm, y_beam_mm] = BEAM_MM;
        let detector = Detector::new(&DetectorParameters {
            pixel_m,
            fast_pixels: COLUMNS,
            slow_pixels: ROWS,
            fast_size_m: pixel_m * COLUMNS as f64,
            slow_size_m: pixel_m * ROWS as f64,
            distance_m: Some(DISTANCE_MM / 1e3),
            close_distance_m: None,
            x_beam_m: Some(x_beam_mm / 1e3),
            y_beam_m: Some(y_beam_mm / 1e3),
            x_close_m: None,
            y_close_m: None,
            org_x_px: None,
            org_y_px: None,
            convention: Convention::Mosflm,
            pivot: Pivot::Beam,
            rotation_rad: [0.0; 3],
            twotheta_rad: 0.0,
            point_pixel: false,
            curved: false,
        })?;
        let lambda0_m = LAMBDA_ANGSTROM * 1e-10;
        let [a, b, c, alpha, beta, gamma] = CELL;
        let cell =
            UnitCell { lengths_angstrom: [a, b, c], angles_rad: [alpha, beta, gamma].map(f64::to_radians) };
        let crystal = Crystal::new(&CrystalParameters {
            source: CellSource::Cell(cell),
            lambda0_m,
            misset_rad: MISSET_DEG.map(f64::to_radians),
        })?;
        Ok(Self {
            detector,
            crystal,
            sources: [Source::new(-detector.beam, lambda0_m)?],
            orientations: [Orientation::default(); PHI_STEPS],
            grid: synthetic_grid(),
        })
    }

    /// The cell before any rotation.
    #[must_use]
    pub fn cell(&self) -> Orientation {
        self.crystal.direct
    }

    /// The rotation during the exposure, in `count` steps.
    #[must_use]
    pub fn sweep(&self, count: usize) -> PhiSweep {
        PhiSweep {
            phi0_rad: 0.0,
            step_rad: OSC_DEG.to_radians() / count as f64,
            count,
            spindle: self.detector.spindle,
            mode: PhiMode::Spec,
        }
    }

    /// The scene at a level, over this strip's tables.
    ///
    /// # Errors
    /// What the kernel refuses; nothing here should be.
    pub fn scene(&mut self, simd: Simd, shape: CrystalShape, lookup: Lookup) -> Result<Scene<'_>, Error> {
        let sweep = self.sweep(PHI_STEPS);
        let nodes = 2 * LARGEST_INDEX as usize + 1;
        let grid = match lookup {
            Lookup::Uniform => None,
            _ => Some(HklGrid::new([-LARGEST_INDEX; 3], [nodes; 3], &self.grid)?),
        };
        let rule = if lookup == Lookup::Tricubic { LookupRule::Tricubic } else { LookupRule::Nearest };
        Scene::new(SceneParameters {
            simd,
            detector: self.detector,
            sensor: Sensor::THIN,
            oversample: Oversample::NONE,
            sources: &self.sources,
            orientations: fill_orientations(self.crystal.direct, sweep, DOMAINS, &mut self.orientations)?,
            lattice: Lattice {
                shape,
                cells: CELLS,
                fudge: fudge(shape),
                reciprocal_per_angstrom: self.crystal.reciprocal_per_angstrom,
            },
            structure_factors: StructureFactors { grid, default_f: UNIFORM_F, lookup: rule },
            polarization: Some(Polarization { kahn: 0.0, axis: self.detector.polarization }),
            d_min_m: 0.0,
            fluence_per_m2: FLUX * 1e6,
            water_m: 0.0,
            roi: Roi::whole(&self.detector),
            mask: None,
        })
    }

    /// The same strip for the scalar oracle.
    ///
    /// # Errors
    /// One line that names what the oracle refuses; nothing here should be.
    pub fn oracle(&self, shape: CrystalShape, lookup: Lookup) -> Result<Simulation, String> {
        let numbers = |name: &str, values: &[f64]| {
            core::iter::once(name.to_owned()).chain(values.iter().map(f64::to_string)).collect::<Vec<_>>()
        };
        let args = [
            numbers("-cell", &CELL),
            numbers("-misset", &MISSET_DEG),
            numbers("-Na", &CELLS[..1]),
            numbers("-Nb", &CELLS[1..2]),
            numbers("-Nc", &CELLS[2..]),
            numbers("-default_F", &[UNIFORM_F]),
            numbers("-lambda", &[LAMBDA_ANGSTROM]),
            numbers("-flux", &[FLUX]),
            numbers("-exposure", &[1.0]),
            numbers("-beamsize", &[1.0]),
            numbers("-distance", &[DISTANCE_MM]),
            numbers("-pixel", &[PIXEL_MM]),
            numbers("-detpixels_f", &[COLUMNS as f64]),
            numbers("-detpixels_s", &[ROWS as f64]),
            numbers("-Xbeam", &BEAM_MM[..1]),
            numbers("-Ybeam", &BEAM_MM[1..]),
            numbers("-oversample", &[1.0]),
            numbers("-phi", &[0.0]),
            numbers("-osc", &[OSC_DEG]),
            numbers("-phisteps", &[PHI_STEPS as f64]),
        ];
        let mut simulation = Simulation::from_args(&args.concat(), Path::new(env!("CARGO_MANIFEST_DIR")))?;
        simulation.fudge = fudge(shape);
        simulation.shape = match shape {
            CrystalShape::Square => Shape::Square,
            CrystalShape::Round => Shape::Round,
            CrystalShape::Gauss => Shape::Gauss,
            CrystalShape::Tophat => Shape::Tophat,
        };
        let largest = i64::from(LARGEST_INDEX);
        simulation.grid = (lookup != Lookup::Uniform).then(|| Grid {
            min: [-largest; 3],
            range: [2 * largest + 1; 3],
            F: self.grid.clone(),
        });
        simulation.interpolate = lookup == Lookup::Tricubic;
        Ok(simulation)
    }
}

/// Structure factors from 10 to 1000 that look random and are the same everywhere; F(000) is 0.
fn synthetic_grid() -> Vec<f64> {
    let indices = -LARGEST_INDEX..=LARGEST_INDEX;
    let mut grid = Vec::with_capacity(indices.clone().count().pow(3));
    for h in indices.clone() {
        for k in indices.clone() {
            for l in indices.clone() {
                let mixed = [h, k, l].into_iter().fold(0x9E37_79B9_u32, |state, index| {
                    (state ^ index.cast_unsigned()).wrapping_mul(0x85EB_CA6B).rotate_left(13)
                });
                let f = 10.0 + f64::from(mixed % 991);
                grid.push(if (h, k, l) == (0, 0, 0) { 0.0 } else { f });
            }
        }
    }
    grid
}

/// Renders the strip into `pixels`.
///
/// # Errors
/// What the kernel refuses; nothing here should be.
pub fn render(scene: &Scene<'_>, pixels: &mut [f32]) -> Result<(), Error> {
    scene.render_rows(0..ROWS, pixels, &mut Carryover::Off).map(|_| ())
}

/// What a bench asks before it times anything: whether the kernel's pixels are the oracle's, to 1e-12 of the largest.
///
/// # Errors
/// The worst pixel.
pub fn check(scene: &Scene<'_>, oracle: &Simulation) -> Result<(), String> {
    let mut pixels = vec![0f64; COLUMNS * ROWS];
    let report = scene.render_rows(0..ROWS, &mut pixels, &mut Carryover::Off);
    report.map_err(|error| error.to_string())?;
    let expected = oracle.render(Mode::Spec, 1).value;
    let largest = expected.iter().fold(0.0, |largest: f64, &value| largest.max(value));
    let off = |(pixel, expected): (&f64, &f64)| (pixel - expected).abs();
    let worst = pixels.iter().zip(&expected).map(off).fold(0.0, f64::max);
    // A NaN is lost in a maximum: ask for the good case.
    let finite = pixels.iter().all(|pixel| pixel.is_finite());
    if finite && largest > 0.0 && worst <= 1e-12 * largest {
        Ok(())
    } else {
        Err(format!("a pixel is {:e} of the largest, {largest:e}, off the oracle's", worst / largest))
    }
}
