//! Scenes from bytes: about fifty knobs within physical ranges, a few of which may be set to any f64.

use std::sync::Arc;

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use widebragg::Error;
use widebragg::beam::{Polarization, PolarizedAt, Source, SourceGrid};
use widebragg::crystal::{CellSource, Crystal, CrystalParameters, UnitCell};
use widebragg::detector::{Convention, CustomAxes, Detector, DetectorParameters, Pivot};
use widebragg::lanes::Simd;
use widebragg::lattice::{CrystalShape, Crystallite, Precision, SpotModel};
use widebragg::light::LightRule;
use widebragg::panel::Panel;
use widebragg::random::{Ran1, fill_mosaic};
use widebragg::rotation::{Orientation, PhiMode, PhiShift, orientations_len};
use widebragg::sampling::Steps;
use widebragg::scene::{Oversample, Roi, Scene, Sensor};
use widebragg_experiment::experiment::Experiment;
use widebragg_experiment::factor_grid::{FactorGrid, GridNumbers};
use widebragg_experiment::failure::Failure;
use widebragg_experiment::panels::DetectorPanel;
use widebragg_experiment::parameters::PhiSampling;
use widebragg_formats::hkl_table::HklTable;

/// The range of each continuous knob; [`Knob`] names them in the same order, with units.
const RANGES: [(f64, f64); 32] = [
    (15.0, 60.0),
    (15.0, 60.0),
    (15.0, 60.0),
    (65.0, 100.0),
    (65.0, 100.0),
    (65.0, 100.0),
    (-180.0, 180.0),
    (-180.0, 180.0),
    (-180.0, 180.0),
    (1.0, 12.0),
    (1.0, 12.0),
    (1.0, 12.0),
    (0.1, 3.0),
    (0.7, 2.0),
    (50.0, 300.0),
    (0.05, 20.0),
    (-2.0, 20.0),
    (-2.0, 20.0),
    (-20.0, 20.0),
    (-20.0, 20.0),
    (-20.0, 20.0),
    (-30.0, 30.0),
    (-5.0, 5.0),
    (-2.0, 2.0),
    (-1.0, 1.0),
    (0.0, 4.0),
    (0.0, 100.0),
    (0.0, 10_000.0),
    (0.0, 50.0),
    (0.0, 1e25),
    (0.0, 2.0),
    (0.0, 0.05),
];

/// The continuous knobs, in the order of [`RANGES`].
#[derive(Debug, Clone, Copy)]
#[repr(usize)]
enum Knob {
    LengthAngstrom = 0,
    AngleDeg = 3,
    MissetDeg = 6,
    Cells = 9,
    Fudge = 12,
    LambdaAngstrom = 13,
    DistanceMm = 14,
    PixelMm = 15,
    BeamPixels = 16,
    TiltDeg = 18,
    TwothetaDeg = 21,
    PhiDeg = 22,
    PhiStepDeg = 23,
    Kahn = 24,
    DMinAngstrom = 25,
    LayerUm = 26,
    AttenuationPerM = 27,
    WaterUm = 28,
    Fluence = 29,
    MosaicDeg = 30,
    Spread = 31,
}

/// The fuzzer's input.
#[derive(Debug, Arbitrary)]
pub struct Input {
    knobs: [u16; RANGES.len()],
    /// Knobs that are set to any number.
    wild: [Option<(u8, f64)>; 3],
    /// Custom axes that are set to any numbers.
    wild_axes: Option<[[f64; 3]; 3]>,
    size: [u8; 2],
    counts: [u8; 5],
    grid_min: [i8; 3],
    grid_len: [u8; 3],
    shape: u8,
    lookup: u8,
    convention: u8,
    flags: u16,
    mask: Option<u64>,
    /// Number of carryover streams; 0 for a slot per pixel.
    pub streams: u8,
    /// The pixel that is also rendered alone.
    pub alone: [u8; 2],
}

/// An experiment, and room for its orientations.
pub struct Tables {
    experiment: Experiment,
    orientations: Vec<Orientation>,
}

impl Input {
    /// Whether all knobs are within their ranges, and the scene has finite pixels.
    pub fn is_tame(&self) -> bool {
        // A curved detector can face away from its own normal, where the absorption in a sensor overflows.
        let faces_away = self.flag(3) && self.flag(7);
        // Point pixels have a solid angle above 1, and `omega` multiplies the sum by it hundreds of times.
        let runs_away = self.flag(2) && self.flag(11);
        let in_range = self.wild.iter().all(Option::is_none) && self.wild_axes.is_none();
        in_range && !faces_away && !runs_away
    }

    fn value(&self, index: usize) -> f64 {
        let wild = self.wild.iter().flatten().find(|(knob, _)| usize::from(*knob) == index);
        let (low, high) = RANGES[index];
        let within = low + (high - low) * f64::from(self.knobs[index]) / f64::from(u16::MAX);
        // Exactly 0 is a special case for most knobs.
        let within = if self.knobs[index] == 0 && low <= 0.0 { 0.0 } else { within };
        wild.map_or(within, |&(_, value)| value)
    }

    fn one(&self, knob: Knob) -> f64 {
        self.value(knob as usize)
    }

    fn three(&self, knob: Knob) -> [f64; 3] {
        core::array::from_fn(|i| self.value(knob as usize + i))
    }

    fn flag(&self, bit: u32) -> bool {
        self.flags & (1 << bit) != 0
    }

    /// A count from 1 to `most`.
    fn count(&self, which: usize, most: u8) -> usize {
        usize::from(self.counts[which] % most) + 1
    }

    /// Unit cells along a, b, c.
    pub fn cells(&self) -> [f64; 3] {
        // Arbitrary numbers stay unchanged: the scene must refuse counts that are not integers.
        core::array::from_fn(|i| {
            let n = self.value(Knob::Cells as usize + i);
            if (1.0..=12.0).contains(&n) { n.round() } else { n }
        })
    }

    fn detector(&self) -> Result<Detector, Error> {
        let pixel_m = self.one(Knob::PixelMm) / 1e3;
        let [fast_pixels, slow_pixels] =
            [usize::from(self.size[0] % 19) + 1, usize::from(self.size[1] % 3) + 1];
        let beam_m = [0, 1].map(|i| self.value(Knob::BeamPixels as usize + i) * pixel_m);
        let distance = Some(self.one(Knob::DistanceMm) / 1e3);
        let custom = self.wild_axes.map_or_else(CustomAxes::default, |[fast, slow, normal]| CustomAxes {
            fast: Some(fast.into()),
            slow: Some(slow.into()),
            normal: Some(normal.into()),
            ..CustomAxes::default()
        });
        let parameters = DetectorParameters {
            pixel_m,
            fast_pixels,
            slow_pixels,
            fast_size_m: pixel_m * fast_pixels as f64,
            slow_size_m: pixel_m * slow_pixels as f64,
            distance_m: distance.filter(|_| !self.flag(0)),
            close_distance_m: distance.filter(|_| self.flag(0)),
            x_beam_m: Some(beam_m[0]),
            y_beam_m: Some(beam_m[1]),
            x_close_m: None,
            y_close_m: None,
            org_x_px: None,
            org_y_px: None,
            convention: match self.convention % 6 {
                0 => Convention::Adxv,
                1 => Convention::Mosflm,
                2 => Convention::Denzo,
                3 => Convention::Xds,
                4 => Convention::Dials,
                _ => Convention::Custom(custom),
            },
            pivot: if self.flag(1) { Pivot::Beam } else { Pivot::Sample },
            rotation_rad: self.three(Knob::TiltDeg).map(f64::to_radians),
            twotheta_rad: self.one(Knob::TwothetaDeg).to_radians(),
            point_pixel: self.flag(2),
            curved: self.flag(3),
        };
        Detector::new(&parameters, self.mode())
    }

    fn mode(&self) -> PhiMode {
        if self.flag(5) { PhiMode::CParity } else { PhiMode::Spec }
    }

    fn sources(&self, detector: &Detector) -> Result<Vec<Source>, Error> {
        let spread = self.one(Knob::Spread);
        let axis = |count: usize| Steps { count, range: spread, step: spread / count as f64 };
        let grid = SourceGrid {
            hdiv: axis(self.count(0, 3)),
            vdiv: axis(self.count(1, 2)),
            dispersion: axis(self.count(2, 2)),
            round: self.flag(4),
            lambda0_m: self.one(Knob::LambdaAngstrom) * 1e-10,
        };
        let mut sources = vec![Source::default(); grid.sources_len()?];
        let used = grid.fill(&detector.frame(), &mut sources)?;
        sources.truncate(used);
        Ok(sources)
    }

    /// Largest possible structure factor.
    pub const LARGEST_F: f64 = 1000.0;

    /// Derives the tables, which the experiment owns.
    pub fn tables(&self) -> Result<Tables, Error> {
        let detector = self.detector()?;
        let parameters = CrystalParameters {
            source: CellSource::Cell(UnitCell {
                lengths_angstrom: self.three(Knob::LengthAngstrom),
                angles_rad: self.three(Knob::AngleDeg).map(f64::to_radians),
            }),
            lambda0_m: self.one(Knob::LambdaAngstrom) * 1e-10,
            misset_rad: self.three(Knob::MissetDeg).map(f64::to_radians),
        };
        let crystal = Crystal::new(&parameters)?;
        let mut domains = vec![[[0.0; 3]; 3]; self.count(4, 3)];
        let mosaic_spread_rad = self.one(Knob::MosaicDeg).to_radians();
        fill_mosaic(mosaic_spread_rad, 1, &mut domains)?;
        let count = self.count(3, 4);
        let orientations = vec![Orientation::default(); orientations_len(count, domains.len())?];
        let experiment = Experiment {
            simd: Simd::detect(),
            device: None,
            panels: vec![DetectorPanel {
                roi: self.roi(&detector),
                mask: self.mask(detector.pixels()).map(Arc::new),
                ..DetectorPanel::placed(detector, self.sensor())
            }],
            panels_in_all: 1,
            frame: detector.frame(),
            oversample: self.oversample(),
            lambda0_m: parameters.lambda0_m,
            sources: self.sources(&detector)?,
            source_weights: None,
            source_grid: None,
            sources_left_out: 0,
            polarization: self.polarization(&detector),
            fluence_per_m2: self.one(Knob::Fluence),
            exposure_s: 1.0,
            water_m: if self.flag(14) { self.one(Knob::WaterUm) * 1e-6 } else { 0.0 },
            d_min_m: if self.flag(13) { self.one(Knob::DMinAngstrom) * 1e-10 } else { 0.0 },
            crystal,
            crystal_input: parameters.source.into(),
            crystals_at_frames: Vec::new(),
            crystals_at_scan_points: Vec::new(),
            crystallite: self.crystallite(&crystal),
            weight: 1.0,
            other_lattices: Vec::new(),
            precision: Precision::Double,
            light: LightRule::default(),
            neglected_photons: 0.0,
            mode: self.mode(),
            reference_threads: 1,
            phi0_rad: self.one(Knob::PhiDeg).to_radians(),
            phi: Steps { count, range: 0.0, step: self.one(Knob::PhiStepDeg).to_radians() },
            phi_sampling: PhiSampling::Start,
            shift: PhiShift::default(),
            domains,
            mosaic_spread_rad,
            mosaic_axes_rad: None,
            random: Ran1::new(1),
            structure_factors: (!self.lookup.is_multiple_of(3)).then(|| Arc::new(self.factor_grid())),
            default_f: 50.0,
            interpolate: self.lookup % 3 == 2,
            background: None,
        };
        Ok(Tables { experiment, orientations })
    }

    fn sensor(&self) -> Sensor {
        Sensor {
            layers: if self.flag(7) { 3 } else { 1 },
            layer_m: if self.flag(7) { self.one(Knob::LayerUm) * 1e-6 } else { 0.0 },
            attenuation_per_m: self.one(Knob::AttenuationPerM),
        }
    }

    fn oversample(&self) -> Oversample {
        Oversample {
            per_axis: if self.flag(8) { 2 } else { 1 },
            thick: self.flag(9),
            polar: self.flag(10),
            omega: self.flag(11),
        }
    }

    fn polarization(&self, detector: &Detector) -> Option<Polarization> {
        let (axis, at) = (detector.polarization, PolarizedAt::default());
        let polarization = Polarization { kahn: self.one(Knob::Kahn), axis, at };
        (!self.flag(12)).then_some(polarization)
    }

    fn crystallite(&self, crystal: &Crystal) -> Crystallite {
        Crystallite {
            shape: match self.shape % 4 {
                0 => CrystalShape::Square,
                1 => CrystalShape::Round,
                2 => CrystalShape::Gauss,
                _ => CrystalShape::Tophat,
            },
            cells: self.cells(),
            fudge: self.one(Knob::Fudge),
            reciprocal_per_angstrom: crystal.reciprocal_per_angstrom,
            spots: SpotModel::default(),
        }
    }

    /// The table of structure factors.
    fn factor_grid(&self) -> FactorGrid {
        let axis = |i: usize| {
            let (min, len) = (i32::from(self.grid_min[i]), i32::from(self.grid_len[i] % 24) + 1);
            (min, min + len - 1)
        };
        let nodes: usize = self.grid_len.map(|n| usize::from(n % 24) + 1).iter().product();
        let data = (0..nodes).map(|i| (i * 7919 % 1001) as f64 / 1000.0 * Self::LARGEST_F).collect();
        let numbers = if self.lookup / 3 % 2 == 1 { GridNumbers::F32 } else { GridNumbers::F64 };
        FactorGrid::new(HklTable { h: axis(0), k: axis(1), l: axis(2), data }, numbers)
    }

    fn roi(&self, detector: &Detector) -> Roi {
        let mut roi = Roi::whole(&Panel::new(detector, self.sensor()));
        if self.flag(6) {
            (roi.fast_min, roi.fast_max) = (roi.fast_max / 3, roi.fast_max - roi.fast_max / 4);
        }
        roi
    }

    fn mask(&self, pixels: usize) -> Option<Vec<u16>> {
        self.mask.map(|bits| (0..pixels).map(|i| (bits >> (i % 64) & 1) as u16).collect())
    }

    /// The scene at a level.
    pub fn scene<'t>(&self, tables: &'t mut Tables, simd: Simd) -> Result<Scene<'t>, Error> {
        let Tables { experiment, orientations } = tables;
        experiment.simd = simd;
        experiment.scene(0, 0, orientations).map_err(|failure| match failure {
            Failure::Refused { error, .. } => error,
            failure => panic!("not refused by the kernel: {failure}"),
        })
    }

    /// Whether interpolation ends where the reference's does.
    pub fn latches(&self) -> bool {
        self.flag(15)
    }
}
