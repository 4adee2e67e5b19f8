//! By how much each fault of the reference changes an image.
//!
//! c-parity reproduces all faults of the reference at once. Here each is put into an image by itself, which is then
//! compared with the same image without it:
//!
//! | fault | without | with |
//! |---|---|---|
//! | rotation | spec, dry | spec, dry, whose step at phi = 0 is replaced by the step that c-parity uses there |
//! | interpolation | spec, dry | spec, dry, whose interpolation ends where that of c-parity does |
//! | layers | spec, bare | c-parity, bare |
//! | layers, with `oversample_thick` | spec, dry | spec, dry, with the layers of c-parity |
//! | flags | spec, bare but for the flags | c-parity, bare but for the flags |
//! | weights | spec, dry | spec, dry, with all sources alike |
//! | water | spec | spec, dry, plus the water of c-parity |
//! | detector | spec | spec with the detector of c-parity |
//! | all | spec | c-parity |
//!
//! Dry images have no water, which would outshine what happens to the spots. A bare scene is dry, has no flags, no
//! weights (sources of weight 0 are left out), and no step at exactly phi = 0 (its sweep starts half a step later and
//! is rotated half a step back), so that its modes differ in their layers alone. With flags, layers have no thickness
//! unless `oversample_thick` is among the flags; then both modes have those of spec.
//!
//! Special cases: the very first sweep of each thread of the reference, which finds the unrotated crystal, belongs to
//! `all` alone. The faults act on each other, so that their changes need not add up to that of `all`.
//!
//! **Pixels.** All images have the same pixels, a sample of the image in which each pixel has the value that it has in
//! the whole image: the carryover and the latch are those of the whole image. The search for the latch goes through
//! all pixels up to it. With several panels, the image is
//! their stack, and each panel is a run of the reference of its own.
//!
//! ```
//! use widebragg::crystal::{CellSource, UnitCell};
//! use widebragg::rotation::PhiMode;
//! use widebragg::sampling::StepRequest;
//! use widebragg_experiment::experiment::Experiment;
//! use widebragg_experiment::faults::{Fault, Modes, examine};
//! use widebragg_experiment::parameters::Parameters;
//!
//! # fn main() -> Result<(), widebragg_experiment::failure::Failure> {
//! // A rotation from 0 to 0.1 degrees, with phi at 0 and at 0.05 degrees.
//! let cell = CellSource::Cell(UnitCell::from_degrees([70.0, 80.0, 90.0], [90.0; 3]));
//! let phi = StepRequest { count: Some(2), range: Some(0.1f64.to_radians()), step: None };
//! let parameters = Parameters { cells: [10.0; 3], default_f: 100.0, phi, ..Parameters::new(cell) };
//! let in_mode = |mode| Experiment::new(Parameters { mode, ..parameters.clone() }, |_| {});
//! let modes = Modes { spec: in_mode(PhiMode::Spec)?, parity: in_mode(PhiMode::CParity)? };
//!
//! let report = examine(&modes, Some(20_000), &|| ())?;
//! let met = report.findings.iter().filter(|finding| finding.change.is_some());
//! assert_eq!(met.map(|finding| finding.fault).collect::<Vec<_>>(), [Fault::Rotation]);
//! assert!(report.all.correlation < Some(0.9999));
//! # Ok(())
//! # }
//! ```

pub mod change;
mod sample;

use widebragg::detector::{Detector, NormalUse};
use widebragg::rotation::PhiMode;
use widebragg::sampling::Steps;
use widebragg::scene::{Oversample, Sensor};
use widebragg::structure_factor::LatchPoint;
use widebragg_formats::memory::filled;

use crate::carryover::{find_latch, latched, open_slots, render_row};
use crate::experiment::Experiment;
use crate::failure::{Failure, Part, refused};
use crate::gradient::selection::{Gathered, Selection};
use crate::panels::{DetectorPanel, parts};
use crate::parameters::PhiSampling;
use change::Change;
use sample::{runs, sample};

/// Steps of an image, some tenths of a second's work, to which a sample is limited where its size is not given.
const STEPS: f64 = 1e8;

/// Limits of the size of such a sample, in pixels.
const FEWEST: f64 = 10_000.0;
const MOST: f64 = 1_000_000.0;

/// How often [`examine`] calls `image_done`: for the image without faults, for each fault, and for all together.
pub const IMAGES: usize = Fault::ALL.len() + 2;

/// An experiment in both modes.
#[derive(Debug, Clone)]
pub struct Modes {
    /// The physics.
    pub spec: Experiment,
    /// The reference.
    pub parity: Experiment,
}

/// A fault of the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A step at phi = 0 uses the cell vectors of the step before it.
    Rotation,
    /// Interpolation ends for good at the first index beyond the list.
    Interpolation,
    /// The share that the last layer captures multiplies all, and the sensor is too thick.
    Layers,
    /// Factors of set oversample flags multiply the running sum.
    Flags,
    /// Weights of sources are ignored.
    Weights,
    /// The background of water is scaled twice.
    Water,
    /// The normal of a mirrored detector is replaced; words are read otherwise.
    Detector,
}

impl Fault {
    /// All faults.
    pub const ALL: [Self; 7] = [
        Self::Rotation,
        Self::Interpolation,
        Self::Layers,
        Self::Flags,
        Self::Weights,
        Self::Water,
        Self::Detector,
    ];

    /// The name of the fault.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rotation => "rotation",
            Self::Interpolation => "interpolation",
            Self::Layers => "layers",
            Self::Flags => "flags",
            Self::Weights => "weights",
            Self::Water => "water",
            Self::Detector => "detector",
        }
    }
}

/// Why an experiment meets a fault, or why it does not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Why {
    /// Step `at` of `of` is at phi = 0 and uses the vectors of step `like`; both are counted from 0.
    StepAtZero {
        /// The step.
        at: usize,
        /// The step whose vectors it uses.
        like: usize,
        /// Number of steps.
        of: usize,
    },
    /// No step is at phi = 0 exactly.
    NoStepAtZero,
    /// The crystal is not rotated.
    Still,
    /// Interpolation ends at this point, on this panel before others.
    Latched {
        /// The panel, by its place among those that are rendered.
        panel: usize,
        /// The point.
        at: LatchPoint,
    },
    /// All indices lie within the list.
    NeverLatched,
    /// Structure factors are not interpolated.
    NotInterpolated,
    /// The sensors of spec and of c-parity, of which the latter uses the share of its last layer; those of the first panel
    /// that has one.
    Layers {
        /// The sensor of spec.
        spec: Sensor,
        /// That of c-parity.
        parity: Sensor,
        /// Whether c-parity evaluates the share of each layer all the same: `oversample_thick`.
        own_shares: bool,
    },
    /// The sensor has no thickness.
    ThinSensor,
    /// Layers have their own shares, and the right thickness.
    OwnShares,
    /// A pixel has this many steps.
    Flagged {
        /// Number of steps.
        steps: f64,
    },
    /// `oversample_thick` without a thickness makes the image dark.
    FlaggedDark,
    /// `oversample_polar` evaluates the polarisation although it is switched off.
    FlaggedPolarization,
    /// No flag is set.
    NoFlags,
    /// A pixel has a single step, which is multiplied once.
    OneStep,
    /// The weights of the sources differ.
    WeightsDiffer,
    /// The sources have the same weight.
    WeightsAlike,
    /// There is water.
    Water,
    /// There is no water.
    NoWater,
    /// The normal of the detector is replaced.
    NormalReplaced,
    /// The detector lies elsewhere, since its options or its header are read otherwise.
    PlacedElsewhere,
    /// The detector lies where it should.
    PlacedAlike,
}

/// What a fault does to an image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finding {
    /// The fault.
    pub fault: Fault,
    /// Why the experiment meets it, or why not.
    pub why: Why,
    /// What it changes; `None` where the experiment does not meet it.
    pub change: Option<Change>,
}

/// What all faults do to an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The pixels that were compared.
    pub selection: Selection,
    /// Number of pixels of the image.
    pub pixels: usize,
    /// Each fault by itself.
    pub findings: Vec<Finding>,
    /// All together.
    pub all: Change,
}

/// By how much each fault of the reference changes the image of the first frame, on a sample of about `wanted` pixels;
/// `None`: as many as take about a second for all. Works on the threads of the current pool, and calls
/// `image_done` [`IMAGES`] times.
///
/// # Errors
/// The modes have images of different sizes, there is no memory, or the kernel refuses the experiment.
pub fn examine(modes: &Modes, wanted: Option<usize>, image_done: &dyn Fn()) -> Result<Report, Failure> {
    let (spec, parity) = (&modes.spec, &modes.parity);
    let size = |panel: &DetectorPanel| {
        let Detector { fast_pixels, slow_pixels, .. } = panel.detector;
        ([fast_pixels, slow_pixels], panel.roi)
    };
    if !spec.panels.iter().map(size).eq(parity.panels.iter().map(size)) {
        return Err(Failure::impossible(
            Part::Detector,
            "the reference makes another number of pixels of it",
        ));
    }
    let affordable = (STEPS / spec.steps_per_pixel()).clamp(FEWEST, MOST) as usize;
    let (selection, pixels) = sample(spec, wanted.unwrap_or(affordable))?;
    if pixels == 0 {
        return Err(Failure::impossible(Part::Scene, "mask and region of interest leave no pixel"));
    }
    let mut orientations = parity.orientation_buffer()?;
    let scenes = parity.scenes(0, &mut orientations)?;
    let panels = scenes.panels().iter();
    let latches: Result<Vec<_>, Failure> =
        panels.map(|scene| find_latch(scene, &open_slots(parity, scene)?)).collect();
    let share = selection.len() as f64 / pixels.max(1) as f64;
    let dry = Experiment { water_m: 0.0, ..spec.clone() };
    let runs = &runs(spec, &selection)?;
    let (latches, selected) = (&latches?, &selection);
    let examination = Examination { spec, dry: &dry, parity, latches, selection: selected, runs, share };
    let image = examination.image(spec, &[])?;
    let dry_image = if spec.water_m > 0.0 { &examination.image(&dry, &[])? } else { &image };
    image_done();
    let finding = |fault| {
        let finding = examination.finding(fault, &image, dry_image);
        image_done();
        finding
    };
    let findings = Fault::ALL.into_iter().map(finding).collect::<Result<Vec<Finding>, Failure>>()?;
    let all = examination.change(&image, &examination.image(parity, latches)?);
    image_done();
    Ok(Report { selection, pixels, findings, all })
}

/// The two modes of an experiment, and the pixels to compare.
struct Examination<'m> {
    spec: &'m Experiment,
    /// spec without water.
    dry: &'m Experiment,
    parity: &'m Experiment,
    /// Where the reference stops interpolating, for each panel.
    latches: &'m [Option<LatchPoint>],
    selection: &'m Selection,
    /// Lengths of its runs.
    runs: &'m [usize],
    /// The share of all pixels that is selected.
    share: f64,
}

/// Whether an experiment meets a fault, and then what the fault changes.
type Met = (Why, Option<Change>);

impl Examination<'_> {
    /// The selected pixels of an experiment's image, rounded as files hold them, so that rounding of sums is no change.
    /// Interpolation ends at `latches`, of which there is one for each panel, or none at all.
    fn image(&self, experiment: &Experiment, latches: &[Option<LatchPoint>]) -> Result<Vec<f64>, Failure> {
        let mut orientations = experiment.orientation_buffer()?;
        let scenes = experiment.scenes(0, &mut orientations)?;
        let no_room = || Failure::no_memory(Part::Selection, "the pixels that are compared");
        let mut pixels = filled(self.selection.len(), 0f64).ok_or_else(no_room)?;
        for (index, part) in parts(scenes.panels(), self.selection.mask()).enumerate() {
            let scene = latched(part.scene, latches.get(index).copied().flatten());
            // The carryover is that of the whole image.
            let slots = open_slots(experiment, &scene)?;
            let scene = scene.with_selection(part.pixels).map_err(refused(Part::Scene))?;
            let rows = part.first_row..part.first_row + scene.panel().slow_pixels;
            let mut gathered = Gathered::new(self.selection, rows, 1);
            gathered.render(gathered.all_rows(), |row, out| render_row(&scene, None, &slots, row, out))?;
            pixels[gathered.range()].copy_from_slice(&gathered.pixels()?);
        }
        pixels.iter_mut().for_each(|pixel| *pixel = f64::from(*pixel as f32));
        Ok(pixels)
    }

    fn change(&self, without: &[f64], with: &[f64]) -> Change {
        Change::new(without, with, self.share, self.runs)
    }

    /// What a fault does to `image`, which is that of spec, or to `dry`, which is the same without water.
    fn finding(&self, fault: Fault, image: &[f64], dry: &[f64]) -> Result<Finding, Failure> {
        let (why, change) = match fault {
            Fault::Rotation => self.rotation(dry),
            Fault::Interpolation => self.interpolation(dry),
            Fault::Layers => self.layers(dry),
            Fault::Flags => self.flags(),
            Fault::Weights => self.weights(dry),
            Fault::Water => self.water(image, dry),
            Fault::Detector => self.detector(image),
        }?;
        Ok(Finding { fault, why, change })
    }

    /// The image is the mean of those of its steps, so that one of these can be exchanged.
    fn rotation(&self, dry: &[f64]) -> Result<Met, Failure> {
        let sweep = self.parity.sweep(0);
        let Some(at) = (0..sweep.count).find(|&step| sweep.phi_rad(step) == 0.0) else {
            return Ok((Why::NoStepAtZero, None));
        };
        let Some(like) = sweep.seen_step(at) else { return Ok((Why::Still, None)) };
        let still = |step| {
            let phi0_rad = self.spec.sweep(0).phi_rad(step);
            let still = Experiment {
                phi0_rad,
                phi: Steps::ONE,
                phi_sampling: PhiSampling::Start,
                ..self.dry.clone()
            };
            self.image(&still, &[])
        };
        let (mut with, right) = (still(like)?, still(at)?);
        for ((with, right), &pixel) in with.iter_mut().zip(right).zip(dry) {
            *with = pixel + (*with - right) / sweep.count as f64;
        }
        let why = Why::StepAtZero { at, like, of: sweep.count };
        Ok((why, Some(self.change(dry, &with))))
    }

    fn interpolation(&self, dry: &[f64]) -> Result<Met, Failure> {
        let first = self.latches.iter().enumerate().find_map(|(panel, at)| Some((panel, (*at)?)));
        match first {
            _ if !self.parity.interpolate => Ok((Why::NotInterpolated, None)),
            None => Ok((Why::NeverLatched, None)),
            Some((panel, at)) => {
                let with = self.image(self.dry, self.latches)?;
                Ok((Why::Latched { panel, at }, Some(self.change(dry, &with))))
            }
        }
    }

    /// The sensors of each panel in spec and in c-parity.
    fn sensors(&self) -> impl Iterator<Item = (Sensor, Sensor)> + '_ {
        let panels = self.spec.panels.iter().zip(&self.parity.panels);
        panels.map(|(spec, parity)| (spec.sensor, parity.sensor))
    }

    fn layers(&self, dry: &[f64]) -> Result<Met, Failure> {
        let own_shares = self.spec.oversample.thick;
        let is_thick = |(spec, parity): &(Sensor, Sensor)| spec.layer_m != 0.0 || parity.layer_m != 0.0;
        let Some((spec, parity)) = self.sensors().find(is_thick) else {
            return Ok((Why::ThinSensor, None));
        };
        if own_shares && self.sensors().all(|(spec, parity)| spec == parity) {
            return Ok((Why::OwnShares, None));
        }
        let of_parity = |(_, parity): (Sensor, Sensor)| parity;
        let change = if own_shares {
            let with = with_sensors(self.dry, self.sensors().map(of_parity));
            self.change(dry, &self.image(&with, &[])?)
        } else {
            let per_axis = self.spec.oversample.per_axis;
            let flags = Oversample { per_axis, ..Oversample::NONE };
            let without = self.bare(flags, self.sensors().map(|(spec, _)| spec));
            let with = with_sensors(&without, self.sensors().map(of_parity));
            let with = Experiment { mode: PhiMode::CParity, ..with };
            self.change(&self.image(&without, &[])?, &self.image(&with, &[])?)
        };
        Ok((Why::Layers { spec, parity, own_shares }, Some(change)))
    }

    fn flags(&self) -> Result<Met, Failure> {
        let mut flags = self.spec.oversample;
        // A thickness after an infinite depth is dark in c-parity, which is the fault of its layers.
        if self.sensors().any(|(spec, parity)| spec.layer_m == 0.0 && parity.layer_m > 0.0) {
            flags.thick = false;
        }
        // Without the flag, layers would differ as well.
        let sensor = |(spec, _): (Sensor, Sensor)| {
            if flags.thick { spec } else { Sensor { layer_m: 0.0, ..spec } }
        };
        let without = self.bare(flags, self.sensors().map(sensor));
        // Of the images that are compared: c-parity may have layers where spec has none.
        let steps = without.steps_per_pixel();
        let is_dark = flags.thick && self.sensors().all(|(_, parity)| parity.layer_m == 0.0);
        let is_polarized = self.spec.polarization.is_none() && self.parity.polarization.is_some();
        let why = match flags {
            Oversample { thick: false, polar: false, omega: false, .. } => return Ok((Why::NoFlags, None)),
            _ if is_dark => Why::FlaggedDark,
            _ if steps > 1.0 => Why::Flagged { steps },
            _ if is_polarized => Why::FlaggedPolarization,
            _ => return Ok((Why::OneStep, None)),
        };
        let with =
            Experiment { mode: PhiMode::CParity, polarization: self.parity.polarization, ..without.clone() };
        let change = self.change(&self.image(&without, &[])?, &self.image(&with, &[])?);
        Ok((why, Some(change)))
    }

    fn weights(&self, dry: &[f64]) -> Result<Met, Failure> {
        if self.spec.source_weights.is_none() && self.spec.sources.len() == self.parity.sources.len() {
            return Ok((Why::WeightsAlike, None));
        }
        let sources = self.parity.sources.clone();
        let with = Experiment { sources, source_weights: None, ..self.dry.clone() };
        Ok((Why::WeightsDiffer, Some(self.change(dry, &self.image(&with, &[])?))))
    }

    fn water(&self, image: &[f64], dry: &[f64]) -> Result<Met, Failure> {
        if self.spec.water_m == 0.0 {
            return Ok((Why::NoWater, None));
        }
        // With its flags, which multiply the background as well.
        let water =
            Experiment { structure_factors: None, interpolate: false, default_f: 0.0, ..self.parity.clone() };
        let mut with = self.image(&water, &[])?;
        for (pixel, dry) in with.iter_mut().zip(dry) {
            *pixel += dry;
        }
        Ok((Why::Water, Some(self.change(image, &with))))
    }

    fn detector(&self, image: &[f64]) -> Result<Met, Failure> {
        let both = || self.spec.panels.iter().zip(&self.parity.panels);
        // Its use of the normal is a remark, not a place.
        let place = |panel: &DetectorPanel| Detector { normal_use: NormalUse::AsGiven, ..panel.detector };
        if both().all(|(spec, parity)| place(spec) == place(parity)) {
            return Ok((Why::PlacedAlike, None));
        }
        let is_replaced = both().any(|(spec, parity)| spec.detector.normal_use != parity.detector.normal_use);
        // Automatic subpixels follow from the place of the detector.
        let oversample = Oversample { per_axis: self.parity.oversample.per_axis, ..self.spec.oversample };
        let panels = both().map(|(spec, parity)| DetectorPanel { detector: parity.detector, ..spec.clone() });
        let with = Experiment { panels: panels.collect(), oversample, ..self.spec.clone() };
        let why = if is_replaced { Why::NormalReplaced } else { Why::PlacedElsewhere };
        Ok((why, Some(self.change(image, &self.image(&with, &[])?))))
    }

    /// The experiment of spec with these flags and these sensors, and without anything else that the modes treat
    /// differently.
    fn bare(&self, oversample: Oversample, sensors: impl Iterator<Item = Sensor>) -> Experiment {
        // What counts as phi = 0 is decided without the shift, which undoes the half step.
        let half_step_rad = 0.5 * self.spec.phi.step;
        let mut bare = Experiment {
            oversample,
            source_weights: None,
            phi0_rad: self.spec.phi0_rad + half_step_rad,
            ..with_sensors(self.dry, sensors)
        };
        bare.shift.phi0_rad -= half_step_rad;
        bare
    }
}

/// The experiment with other sensors, one for each panel.
fn with_sensors(experiment: &Experiment, sensors: impl Iterator<Item = Sensor>) -> Experiment {
    let panels = experiment.panels.iter().zip(sensors);
    let panels = panels.map(|(panel, sensor)| DetectorPanel { sensor, ..panel.clone() });
    Experiment { panels: panels.collect(), ..experiment.clone() }
}
