//! Scene set-up from arbitrary numbers: any numbers give either complete tables of the length that the size
//! queries return, or an error. Scenes that are accepted render their corner pixels, with the same results at
//! every level.

#![no_main]

use libfuzzer_sys::arbitrary::{self, Arbitrary, Unstructured};
use libfuzzer_sys::fuzz_target;
use widebragg::Error;
use widebragg::beam::{Polarization, PolarizedAt, Source, SourceGrid, fluence_per_m2};
use widebragg::carryover::{Carryover, Slot};
use widebragg::crystal::{
    CellSource, Crystal, CrystalParameters, UnitCell, cells_along, recommended_oversample,
};
use widebragg::detector::{Convention, CustomAxes, Detector, DetectorParameters, Pivot, extent};
use widebragg::lanes::Simd;
use widebragg::lattice::{CrystalShape, Crystallite, Precision, SpotModel};
use widebragg::panel::Panel;
use widebragg::random::{fill_mosaic, random_misset};
use widebragg::render::{Oversample, Roi, Scene, SceneParts, Sensor, open_streams};
use widebragg::rotation::{
    Mat3, Orientation, OrientationTable, PhiMode, PhiSweep, fill_orientations, orientations_len,
};
use widebragg::sampling::{Axis, StepRequest, Steps, axis_steps, phi_steps};
use widebragg::structure_factor::{HklGrid, LookupRule, StructureFactors};
use widebragg::vector::Vec3;

/// For longer tables only the size query is called.
const MOST_ENTRIES: usize = 200;
const MOST_STEPS: f64 = 2000.0;
/// Opening streams searches the pixels for the first within the resolution limit, so their number is limited.
const MOST_PIXELS: usize = 10_000;

/// Any f64; most are of a physically possible size.
#[derive(Debug, Clone, Copy)]
struct Number(f64);

impl Arbitrary<'_> for Number {
    fn arbitrary(u: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        const SPECIAL: [f64; 16] = [
            0.0,
            -0.0,
            1.0,
            -1.0,
            0.5,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::MAX,
            f64::MIN,
            f64::MIN_POSITIVE,
            5e-324,
            1e-10,
            1e154,
            9_007_199_254_740_992.0,
            -2_147_483_648.5,
        ];
        Ok(Self(match u.arbitrary::<u8>()? {
            kind @ 0..16 => SPECIAL[usize::from(kind)],
            16..32 => u.arbitrary()?,
            // From 1e-12 to 1e3, of either sign.
            kind => {
                let size = f64::from(u.arbitrary::<u16>()?) / 65536.0;
                let power = f64::from(kind % 16) - 12.0;
                (if kind % 32 < 16 { 1.0 } else { -1.0 }) * size * 10f64.powf(power)
            }
        }))
    }
}

/// The fuzzer's input.
#[derive(Debug, Arbitrary)]
struct Input {
    detector: [Number; 14],
    given: u16,
    pixels: [u16; 2],
    huge_pixels: Option<[u64; 2]>,
    convention: u8,
    axes: [Option<[Number; 3]>; 7],
    cell: [Number; 6],
    matrix: [Number; 9],
    lambda0_m: Number,
    misset_rad: [Number; 3],
    requests: [Request; 5],
    phi: [Number; 2],
    mosaic: (Number, u8, i64),
    cells: [Number; 3],
    scalars: [Number; 10],
    layers: u16,
    oversample: u16,
    roi: Option<[u16; 4]>,
    grid: ([i32; 3], [u8; 3], Number),
    default_f: Number,
    kinds: [u8; 3],
    flags: u16,
}

/// A request for steps by count, range and step, any of which may be absent.
#[derive(Debug, Clone, Copy, Arbitrary)]
struct Request {
    count: Option<i16>,
    huge_count: Option<i64>,
    range: Option<Number>,
    step: Option<Number>,
}

impl Request {
    fn steps(self) -> StepRequest {
        StepRequest {
            count: self.huge_count.or(self.count.map(i64::from)),
            range: self.range.map(|x| x.0),
            step: self.step.map(|x| x.0),
        }
    }
}

fuzz_target!(|input: Input| {
    let levels: Vec<_> = Simd::available().into_iter().map(|simd| corners(&input, simd)).collect();
    let first = &levels[0];
    assert!(levels.iter().all(|level| level.is_ok() == first.is_ok()), "{levels:?}");
    for (x, y) in levels.iter().flat_map(|level| level.iter().flatten().zip(first.iter().flatten())) {
        // Where numbers are within sensible ranges, a pixel is NaN at every level or at none.
        assert!(input.is_wild() || x.is_nan() == y.is_nan(), "{levels:?}");
    }
});

fn roi(limits: [u16; 4]) -> Roi {
    let [fast_min, fast_max, slow_min, slow_max] = limits.map(usize::from);
    Roi { fast_min, fast_max, slow_min, slow_max }
}

fn three(numbers: [Number; 3]) -> [f64; 3] {
    numbers.map(|x| x.0)
}

/// Renders the first and the last pixel of the detector; none where the scene is too expensive.
fn corners(input: &Input, simd: Simd) -> Result<Vec<f64>, Error> {
    let detector = input.detector()?;
    assert_eq!(detector.pixels(), detector.fast_pixels * detector.slow_pixels);
    let crystal = input.crystal()?;
    let sources = input.sources(&detector)?;
    let [_, _, _, thickness, phi] = input.requests.map(Request::steps);
    let (layers, phi) = (axis_steps(Axis::Thickness, thickness)?, phi_steps(phi)?);
    assert!(layers.count > 0 && phi.count > 0, "{layers:?} {phi:?}");
    let domains = input.domains()?;
    let sweep = input.sweep(&detector, phi);
    let needed = orientations_len(sweep.count, domains.len())?;
    let mut entries = vec![Orientation::default(); needed.min(MOST_ENTRIES)];
    let orientations = fill_orientations(crystal.direct, sweep, &domains, &mut entries)?;
    assert_eq!(orientations.entries().len(), needed);
    let values = input.grid_values();
    let scene =
        Scene::new(input.parts(simd, detector, layers, &crystal, &sources, orientations, &values)?)?;
    if scene.steps() * scene.panel().sensor.layers as f64 > MOST_STEPS || detector.pixels() > MOST_PIXELS {
        return Ok(Vec::new());
    }
    let mut slots = [Slot::default(); 3];
    open_streams(&scene, &mut slots)?;
    let mut carry = Carryover::Streams(&mut slots);
    let (last_slow, last_fast) = (detector.slow_pixels - 1, detector.fast_pixels - 1);
    let pixel = |(slow, fast)| scene.render_pixel(slow, fast, &mut carry);
    [(0, 0), (last_slow, last_fast)].into_iter().map(pixel).collect()
}

impl Input {
    fn flag(&self, bit: u32) -> bool {
        self.flags & (1 << bit) != 0
    }

    /// Whether some number is so large or small that products overflow or underflow.
    fn is_wild(&self) -> bool {
        let is_tame = |x: &Number| x.0 == 0.0 || (1e-15..1e15).contains(&x.0.abs());
        let axes = self.axes.iter().flatten().flatten();
        let others = [self.lambda0_m, self.mosaic.0, self.grid.2, self.default_f];
        let requests = self.requests.iter().flat_map(|request| [request.range, request.step]).flatten();
        let arrays = self.detector.iter().chain(&self.cell).chain(&self.matrix).chain(&self.misset_rad);
        let more = self.phi.iter().chain(&self.cells).chain(&self.scalars);
        !(arrays.chain(more).chain(axes).all(is_tame) && requests.chain(others).all(|x| is_tame(&x)))
    }

    fn domains(&self) -> Result<Vec<Mat3>, Error> {
        let (spread_rad, count, seed) = self.mosaic;
        let mut domains: Vec<Mat3> = vec![Default::default(); usize::from(count % 8)];
        fill_mosaic(spread_rad.0, seed, &mut domains)?;
        Ok(domains)
    }

    fn sweep(&self, detector: &Detector, phi: Steps) -> PhiSweep {
        PhiSweep {
            phi0_rad: self.phi[0].0,
            step_rad: self.phi[1].0,
            count: phi.count,
            spindle: detector.spindle,
            mode: self.mode(),
        }
    }

    /// Number of grid nodes along h, k, l.
    fn grid_len(&self) -> [usize; 3] {
        self.grid.1.map(|n| usize::from(n % 9))
    }

    fn grid_values(&self) -> Vec<f64> {
        vec![self.grid.2.0; self.grid_len().iter().product()]
    }

    /// The scene's parts, from tables that are derived already and from the other numbers of the input.
    #[expect(clippy::too_many_arguments, reason = "the tables of a scene")]
    fn parts<'t>(
        &self,
        simd: Simd,
        detector: Detector,
        layers: Steps,
        crystal: &Crystal,
        sources: &'t [Source],
        orientations: OrientationTable<'t>,
        values: &'t [f64],
    ) -> Result<SceneParts<'t>, Error> {
        let [kahn, d_min_m, fluence, water_m, fudge, layer_m, attenuation_per_m, flux, exposure, beam] =
            self.scalars.map(|x| x.0);
        let derived = self.flag(2);
        let sensor = Sensor {
            layers: if derived { layers.count } else { usize::from(self.layers % 4) },
            layer_m: if derived { layers.step } else { layer_m },
            attenuation_per_m,
        };
        let panel = Panel::new(&detector, sensor);
        Ok(SceneParts {
            simd,
            panel,
            oversample: Oversample {
                per_axis: usize::from(self.oversample),
                thick: self.flag(3),
                polar: self.flag(4),
                omega: self.flag(5),
            },
            sources,
            source_weights: None,
            source_grids: None,
            orientations,
            crystallite: self.crystallite(crystal, fudge),
            precision: Precision::Double,
            structure_factors: StructureFactors {
                grid: if self.flag(1) {
                    Some(HklGrid::new(self.grid.0, self.grid_len(), values)?)
                } else {
                    None
                },
                default_f: self.default_f.0,
                lookup: if self.flag(7) { LookupRule::Tricubic } else { LookupRule::Nearest },
            },
            polarization: self.flag(8).then_some(Polarization {
                kahn,
                axis: detector.polarization,
                at: PolarizedAt::default(),
            }),
            d_min_m,
            fluence_per_m2: fluence_per_m2(fluence, flux, exposure, beam),
            water_m,
            roi: self.roi.map_or_else(|| Roi::whole(&panel), roi),
            mask: None,
        })
    }

    fn crystallite(&self, crystal: &Crystal, fudge: f64) -> Crystallite {
        let shapes = [CrystalShape::Square, CrystalShape::Round, CrystalShape::Gauss, CrystalShape::Tophat];
        let valid = self.flag(6);
        Crystallite {
            shape: shapes[usize::from(self.kinds[0] % 4)],
            cells: three(self.cells).map(|n| {
                if valid { n.abs().clamp(1.0, 1e5).round() } else { cells_along(n, crystal.direct.a_m) }
            }),
            fudge,
            reciprocal_per_angstrom: crystal.reciprocal_per_angstrom,
            spots: SpotModel::default(),
        }
    }

    fn detector(&self) -> Result<Detector, Error> {
        let [
            pixel_m,
            fast_m,
            slow_m,
            distance,
            close,
            x,
            y,
            x_close,
            y_close,
            org_x,
            org_y,
            rot,
            swing,
            tilt,
        ] = self.detector.map(|x| x.0);
        let optional = |bit: u32, value: f64| (self.given >> bit & 1 != 0).then_some(value);
        let pixels = match self.huge_pixels {
            Some(pixels) => pixels.map(|n| n as usize),
            None => self.pixels.map(usize::from),
        };
        let along = |bit: u32, pixels: usize, size_m: f64| {
            extent(pixel_m, (self.given >> bit & 1 != 0).then_some(pixels), optional(bit + 1, size_m))
        };
        let (fast_pixels, fast_size_m) = along(0, pixels[0], fast_m)?;
        let (slow_pixels, slow_size_m) = along(2, pixels[1], slow_m)?;
        let axis = |i: usize| self.axes[i].map(|axis| Vec3::from(three(axis)));
        let parameters = DetectorParameters {
            pixel_m,
            fast_pixels,
            slow_pixels,
            fast_size_m,
            slow_size_m,
            distance_m: optional(4, distance),
            close_distance_m: optional(5, close),
            x_beam_m: optional(6, x),
            y_beam_m: optional(7, y),
            x_close_m: optional(8, x_close),
            y_close_m: optional(9, y_close),
            org_x_px: optional(10, org_x),
            org_y_px: optional(11, org_y),
            convention: match self.convention % 6 {
                0 => Convention::Adxv,
                1 => Convention::Mosflm,
                2 => Convention::Denzo,
                3 => Convention::Xds,
                4 => Convention::Dials,
                _ => Convention::Custom(CustomAxes {
                    fast: axis(0),
                    slow: axis(1),
                    normal: axis(2),
                    beam: axis(3),
                    polarization: axis(4),
                    spindle: axis(5),
                    twotheta: axis(6),
                }),
            },
            pivot: if self.flag(9) { Pivot::Beam } else { Pivot::Sample },
            rotation_rad: [rot, tilt, rot * tilt],
            twotheta_rad: swing,
            point_pixel: self.flag(10),
            curved: self.flag(11),
        };
        Detector::new(&parameters, self.mode())
    }

    fn mode(&self) -> PhiMode {
        if self.flag(0) { PhiMode::CParity } else { PhiMode::Spec }
    }

    fn crystal(&self) -> Result<Crystal, Error> {
        let [a, b, c, alpha, beta, gamma] = self.cell.map(|x| x.0);
        let cell = UnitCell { lengths_angstrom: [a, b, c], angles_rad: [alpha, beta, gamma] };
        let [xx, xy, xz, yx, yy, yz, zx, zy, zz] = self.matrix.map(|x| x.0);
        let matrix = [[xx, xy, xz], [yx, yy, yz], [zx, zy, zz]];
        let crystal = Crystal::new(&CrystalParameters {
            source: match self.kinds[1] % 4 {
                0 => CellSource::Cell(cell),
                1 => CellSource::Matrix(matrix),
                2 => CellSource::MatrixWithCell(matrix, cell),
                // A valid cell.
                _ => CellSource::Cell(UnitCell {
                    lengths_angstrom: [40.0, 50.0, 60.0],
                    angles_rad: [1.5, 1.6, 1.4],
                }),
            },
            lambda0_m: self.lambda0_m.0,
            misset_rad: if self.flag(12) { random_misset(self.mosaic.2) } else { three(self.misset_rad) },
        })?;
        let [distance_m, pixel_m] = [self.detector[3].0, self.detector[0].0];
        let resolving =
            recommended_oversample(crystal.direct, three(self.cells), self.lambda0_m.0, distance_m, pixel_m);
        assert!(resolving >= 1.0, "{resolving} subpixels");
        Ok(crystal)
    }

    fn sources(&self, detector: &Detector) -> Result<Vec<Source>, Error> {
        let [hdiv, vdiv, dispersion, ..] = self.requests.map(Request::steps);
        let grid = SourceGrid {
            hdiv: axis_steps(Axis::Divergence, hdiv)?,
            vdiv: axis_steps(Axis::Divergence, vdiv)?,
            dispersion: axis_steps(Axis::Dispersion, dispersion)?,
            round: self.flag(13),
            lambda0_m: self.lambda0_m.0,
        };
        let needed = grid.sources_len()?;
        let mut sources = vec![Source::default(); needed.min(MOST_ENTRIES)];
        let used = grid.fill(&detector.frame(), &mut sources)?;
        assert!(used <= needed);
        sources.truncate(used);
        Ok(sources)
    }
}
