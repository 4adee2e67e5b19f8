//! The NXmx file of a run (`--nxmx`): all frames of a series, or a single image.
//!
//! It holds the counts of the noise image without offset, or the photons of the float image (`--nxmx-data`). Pixels
//! outside the region of interest or the mask are marked in the file. Its geometry is that of the placed detector, in
//! the laboratory of the run, so there is nothing that headers of images could not say; curved detectors alone are
//! refused.

use core::ops::Range;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use widebragg::noise::detector::GainSwitching;
use widebragg::rotation::rotate_axis;
use widebragg::scene::Scene;
use widebragg::vector::Vec3;
use widebragg_experiment::detector_noise::SwitchedGains;
use widebragg_experiment::experiment::Experiment;
use widebragg_experiment::geometry::{Lost, columns, lost_in_headers, panels, reciprocal_axes, scan};
use widebragg_experiment::images::noise_counts;
use widebragg_experiment::means::{Mean, Means};
use widebragg_formats::geometry::{Beam, Crystal, Frame, Geometry, Polarization};
use widebragg_formats::image::{PixelType, Pixels};
use widebragg_formats::memory::filled;
use widebragg_formats::nxmx::{
    Earlier, Joined, LOWEST_COUNT, NxmxHeader, NxmxSeries, StageArray, StageImage, TrueCrystal,
    TrueGainModes, TrueShot, Truth,
};
use widebragg_formats::shot_table::{CrystalRow, ShotRows};

use super::output::{COUNT_CUTOFF, noise_cutoff};
use crate::commands::setup::shots::Plan;
use crate::console;
use crate::error::Failure;
use crate::evidence::quoted;
use crate::options::{NxmxData, Options};

/// What the frames of a file are images of.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// What is rendered, or what shots vary.
    pub experiment: &'a Experiment,
    /// The shots, where each frame is one.
    pub plan: Option<&'a Plan>,
    /// The frame of the laboratory, where a file of geometry tells it.
    pub laboratory: Option<Frame>,
    /// The command line.
    pub args: &'a [String],
}

/// The file and its frames so far.
#[derive(Debug)]
pub struct NxmxFile {
    path: PathBuf,
    /// Frames of the series; of a complete file, its own.
    frames: usize,
    data: NxmxData,
    /// Whether images of the stages of the noise are kept.
    has_stages: bool,
    /// Whether the means of pixels are kept.
    has_means: bool,
    /// The lowest count that is data.
    lowest_count: i32,
    series: NxmxSeries,
    earlier: Earlier,
    is_complete: bool,
}

impl NxmxFile {
    /// The file that `options` ask for. `identity` is that of the series; `None` for a single image. With `--resume` the
    /// frames of `wanted`, counted from 0, that are there from earlier runs are found.
    ///
    /// # Errors
    /// The detector is curved, what earlier runs have left is in the way, or there is too little memory.
    pub fn new(
        options: &Options,
        subject: Subject<'_>,
        identity: Option<&str>,
        wanted: Range<usize>,
    ) -> Result<Option<Self>, Failure> {
        let Some((path, data)) = options.nxmx.clone().zip(options.data_of_nxmx()) else {
            let given = [
                ("--nxmx-data", options.nxmx_data.is_some()),
                ("--nxmx-stages", options.nxmx_stages),
                ("--nxmx-means", options.nxmx_means),
                ("--nxmx-compression", options.nxmx_compression.is_some()),
                ("--nxmx-frames-per-file", options.nxmx_frames_per_file.is_some()),
            ];
            for (option, _) in given.into_iter().filter(|&(_, is_given)| is_given) {
                console::complain(&format!("{option} has no effect without --nxmx"));
            }
            return Ok(None);
        };
        if lost_in_headers(subject.experiment).contains(&Lost::Curved) {
            let path = path.display();
            return Err(Failure::input(format!("--nxmx: {path}: NXmx cannot hold a curved detector")));
        }
        let has_stages = options.nxmx_stages;
        let frames = options.frames.unwrap_or(1);
        let header = header(options, subject, frames, data)?;
        let lowest_count = header.lowest_count;
        // A single image has no parts that another run could add to. Of the same series there can be a file of each kind.
        let has_means = options.nxmx_means;
        let kind = if has_stages { "-stages" } else { "" };
        let means = if has_means { "-means" } else { "" };
        let identity = identity.map(|identity| format!("{identity}-{}{kind}{means}", data.name()));
        let identity = identity.unwrap_or_default();
        let mut series = NxmxSeries::new(&path, header, &identity).map_err(named)?;
        if let Some(frames) = options.nxmx_frames_per_file {
            series = series.in_files_of(frames);
        }
        let earlier = if options.resume {
            series.earlier(wanted)
        } else {
            series.check_anew().map(|()| Earlier::default())
        };
        let earlier = earlier.map_err(named)?;
        earlier.warnings.iter().for_each(|warning| console::complain(&format!("--nxmx: {warning}")));
        let is_complete = false;
        Ok(Some(Self {
            path,
            frames,
            data,
            has_stages,
            has_means,
            lowest_count,
            series,
            earlier,
            is_complete,
        }))
    }

    /// Whether frame `index` is there from an earlier run.
    #[must_use]
    pub fn has(&self, index: usize) -> bool {
        self.earlier.has(index)
    }

    /// Whether images of the stages of the noise are to be added with frame `index`.
    #[must_use]
    pub fn lacks_stages(&self, index: usize) -> bool {
        self.has_stages && !self.has(index)
    }

    /// The means of the pixels of frame `index` as the file keeps them, behind the images of the stages; none where it does not,
    /// or has the frame.
    ///
    /// # Errors
    /// There is too little memory.
    pub fn mean_images(&self, means: &Means, index: usize) -> Result<Vec<StageImage>, Failure> {
        if !self.has_means || self.has(index) {
            return Ok(Vec::new());
        }
        let image = |mean| self.stage_image(&means.image(mean).ok_or_else(no_memory)?);
        Mean::ALL.into_iter().map(image).collect()
    }

    /// An image of a stage as the file keeps it.
    ///
    /// # Errors
    /// There is too little memory.
    pub fn stage_image(&self, pixels: &[f32]) -> Result<StageImage, Failure> {
        self.series.stage_image(pixels).map_err(named)
    }

    /// Adds frame `index`, given as its pixels, deviates of them where it has noise, and images of the stages and means where
    /// these are kept, if it is not there yet.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn add(
        &self,
        scenes: &[Scene<'_>],
        (pixels, deviates): (&[f32], &[f32]),
        stages: &[StageImage],
        index: usize,
    ) -> Result<(), Failure> {
        if self.has(index) {
            return Ok(());
        }
        let added = match self.data {
            NxmxData::Photons => self.series.add_with_stages(index, Pixels::F32(pixels), stages),
            NxmxData::Noise => {
                let counts = noise_counts(scenes, deviates, self.lowest_count).ok_or_else(no_memory)?;
                self.series.add_with_stages(index, Pixels::I32(&counts.pixels), stages)
            }
        };
        added.map_err(named)
    }

    /// Writes the file if all frames are there.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(&mut self) -> Result<(), Failure> {
        match self.series.finish().map_err(named)? {
            Joined::Complete { frames } => (self.is_complete, self.frames) = (true, frames),
            Joined::Waiting => {}
            Joined::Damaged(index) => console::complain(&format!(
                "--nxmx: frame {} is damaged in {}: --resume renders it again",
                index + 1,
                self.series.folder().display()
            )),
        }
        Ok(())
    }

    /// The files, if they are complete.
    #[must_use]
    pub fn complete(&self) -> Vec<PathBuf> {
        if self.is_complete { self.series.paths() } else { Vec::new() }
    }

    /// What the summary says of it.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "file": self.path.display().to_string(),
            "data": self.data.name(),
            "means": self.has_means,
            "frames": self.frames,
            "complete": self.is_complete,
        })
    }

    /// What the summary says of it, as text.
    #[must_use]
    pub fn line(&self) -> String {
        let (path, frames) = (self.path.display(), self.frames);
        if self.is_complete {
            let s = if frames == 1 { "" } else { "s" };
            let data = match self.data {
                NxmxData::Noise => "counts with noise",
                NxmxData::Photons => "expected photons",
            };
            let means = if self.has_means { " and means of pixels" } else { "" };
            format!("{path}, {frames} frame{s} of {data}{means}")
        } else {
            let parts = self.series.folder().display();
            format!("{path} is written once all {frames} frames are in {parts}")
        }
    }
}

fn named(failure: widebragg_formats::failure::Failure) -> Failure {
    failure.context("--nxmx").into()
}

fn no_memory() -> Failure {
    Failure::input("--nxmx: no memory for its pixels")
}

pub(super) fn header(
    options: &Options,
    subject: Subject<'_>,
    frames: usize,
    data: NxmxData,
) -> Result<NxmxHeader, Failure> {
    let Subject { experiment: e, plan, laboratory, args } = subject;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let command: Vec<String> =
        core::iter::once("widebragg").chain(args.iter().map(String::as_str)).map(quoted).collect();
    let cell = e.crystal.cell;
    let [a, b, c] = cell.lengths_angstrom;
    let [alpha, beta, gamma] = cell.angles_rad.map(f64::to_degrees);
    let truth = Truth {
        cell: Some([a, b, c, alpha, beta, gamma]),
        spectra: Some(spectrum(e)).into_iter().filter(|spectrum| !spectrum.is_empty()).collect(),
        gain_modes: options.noise_stages.switched_gains().filter(|_| data == NxmxData::Noise).map(gain_modes),
        command_line: command.join(" "),
        ..Truth::default()
    };
    let mut geometry = geometry(e, laboratory);
    let largest = f64::from(noise_cutoff(options) - 1);
    geometry.panels.iter_mut().for_each(|panel| panel.valid[1] = Some(largest));
    let (geometry, truth) = match plan {
        None => {
            let orientations =
                (0..frames).map(|frame| orientation(e, reciprocal_axes(e.crystal_at_frame(frame)), frame));
            let truth = Truth { orientations: orientations.collect(), ..truth };
            (Geometry { scan: scan(e, 1, frames), ..geometry }, truth)
        }
        // Shots begin at the same phi, so that they are no scan, and none of them has the crystal of the others.
        Some(plan) => (Geometry { crystal: None, ..geometry }, truth_of_shots(e, plan, truth)),
    };
    Ok(NxmxHeader {
        pixel_type: match data {
            NxmxData::Noise => PixelType::I32,
            NxmxData::Photons => PixelType::F32,
        },
        // Noise of the readout takes ADU below 0, but not raw words.
        lowest_count: match &options.noise_stages {
            stages if stages.are_photons() || stages.switched_gains().is_some() => 0,
            _ => LOWEST_COUNT,
        },
        compression: options.nxmx_compression.unwrap_or_default(),
        stages: kept_images(options),
        lambda_m: plan.map_or(Vec::new(), Plan::wavelengths_m),
        mask: mask(e)?,
        exposure_s: Some(e.exposure_s),
        unix_time_s: now.as_secs(),
        truth,
        ..NxmxHeader::new(geometry, frames)
    })
}

/// The images that are kept beside the data: those of the stages, and the means of pixels.
fn kept_images(options: &Options) -> Vec<StageArray> {
    let stages = if options.nxmx_stages { stages(options) } else { Vec::new() };
    let means = Mean::ALL.into_iter().filter(|_| options.nxmx_means).map(|mean| match mean {
        Mean::Wavelength => StageArray { name: "mean_wavelength", unit: "angstrom" },
        Mean::H => StageArray { name: "mean_h", unit: "" },
        Mean::K => StageArray { name: "mean_k", unit: "" },
        Mean::L => StageArray { name: "mean_l", unit: "" },
    });
    stages.into_iter().chain(means).collect()
}

/// The images of the stages: the photons without noise, and what they are after each stage but the last.
fn stages(options: &Options) -> Vec<StageArray> {
    let sequence = if options.has_counter_noise() { options.noise_stages.sequence() } else { Vec::new() };
    let after = sequence.split_last().map_or(&[][..], |(_, stages)| stages);
    let after = after.iter().map(|stage| StageArray { name: stage.name(), unit: stage.unit() });
    core::iter::once(StageArray { name: "photons", unit: "photons" }).chain(after).collect()
}

fn gain_modes(gains: &SwitchedGains) -> TrueGainModes {
    let modes = &gains.modes;
    TrueGainModes {
        codes: GainSwitching::CODES,
        adu_per_kev: modes.map(|mode| mode.adu_per_kev),
        pedestals_adu: modes.map(|mode| mode.pedestal_adu),
        readouts_adu: modes.map(|mode| mode.readout_adu),
        switch_kev: gains.switch_kev,
    }
}

/// A of the axes at phi = 0, in columns, as the crystal lies at the start of a frame.
pub(super) fn orientation(e: &Experiment, axes: [Vec3; 3], frame: usize) -> [[f64; 3]; 3] {
    columns(axes.map(|axis| rotate_axis(axis, e.frame.spindle, e.frame_phi0_rad(frame))))
}

/// What is known of shots, added to what is known of all frames.
fn truth_of_shots(e: &Experiment, plan: &Plan, common: Truth) -> Truth {
    let spectra: Vec<Vec<(f64, f64)>> = match plan.spectra() {
        [] => common.spectra,
        spectra => spectra
            .iter()
            .map(|spectrum| spectrum.lines().iter().map(|line| (line.lambda_m, line.weight)).collect())
            .collect(),
    };
    let the_only = spectra.len().min(1);
    let shot = |shot: &ShotRows| TrueShot {
        fluence_per_m2: shot.beam.fluence_per_m2.unwrap_or(e.fluence_per_m2),
        shift_m: shot.beam.shift_m.unwrap_or_default(),
        spectrum: shot.beam.spectrum.unwrap_or(the_only),
    };
    let crystals = plan.truth.iter().enumerate().flat_map(|(frame, shot)| {
        let shining = shot.crystals.iter().filter(|crystal| crystal.weight != Some(0.0));
        shining.map(move |crystal| true_crystal(e, frame, crystal))
    });
    let crystals: Vec<TrueCrystal> = crystals.collect();
    let no_crystal = [[f64::NAN; 3]; 3];
    let mut orientations = vec![no_crystal; plan.truth.len()];
    // In reverse, so that the first crystal of a shot comes last.
    for crystal in crystals.iter().rev() {
        let [x, y, z] = crystal.a_matrix;
        let axes = [0, 1, 2].map(|star| Vec3::new(x[star], y[star], z[star]));
        orientations[crystal.frame] = orientation(e, axes, 0);
    }
    Truth { orientations, spectra, shots: plan.truth.iter().map(shot).collect(), crystals, ..common }
}

fn true_crystal(e: &Experiment, frame: usize, crystal: &CrystalRow) -> TrueCrystal {
    TrueCrystal {
        frame,
        a_matrix: crystal.a_matrix.unwrap_or_else(|| columns(reciprocal_axes(&e.crystal))),
        weight: crystal.weight.unwrap_or(1.0),
        cells: crystal.cells.unwrap_or(e.crystallite.cells),
    }
}

/// The geometry in the laboratory of the run, without a scan.
pub(super) fn geometry(e: &Experiment, laboratory: Option<Frame>) -> Geometry {
    let electric_vector = e.frame.polarization.to_array();
    let mut panels = panels(e, Vec3::to_array);
    for panel in &mut panels {
        panel.valid[1] = Some(f64::from(COUNT_CUTOFF - 1));
    }
    Geometry {
        // Options place everything anyhow.
        frame: laboratory.unwrap_or(Frame::Xds),
        beam: Beam {
            direction: e.frame.beam.to_array(),
            lambda_m: Some(e.lambda0_m),
            polarization: e
                .polarization
                .map(|polarization| Polarization { electric_vector, kahn_factor: polarization.kahn }),
        },
        panels,
        spindle: Some(e.frame.spindle.to_array()),
        scan: None,
        crystal: Some(Crystal {
            a_matrix: columns(reciprocal_axes(&e.crystal)),
            a_at_frames: Vec::new(),
            space_group: None,
        }),
    }
}

/// 1 for each pixel that is not rendered; empty where all are.
fn mask(e: &Experiment) -> Result<Vec<u32>, Failure> {
    if e.renders_all_pixels() {
        return Ok(Vec::new());
    }
    let mut mask = filled(e.pixels(), 1_u32).ok_or_else(no_memory)?;
    let rows =
        e.panels.iter().flat_map(|panel| (0..panel.detector.slow_pixels).map(move |slow| (panel, slow)));
    for (row, (panel, slow)) in mask.chunks_exact_mut(e.columns()).zip(rows) {
        row.iter_mut().enumerate().for_each(|(fast, masked)| {
            *masked = u32::from(!panel.is_selected(slow, fast));
        });
    }
    Ok(mask)
}

/// The wavelengths of the sources and their weights; empty where there is but one.
fn spectrum(e: &Experiment) -> Vec<(f64, f64)> {
    let mut spectrum: Vec<(f64, f64)> = Vec::new();
    for (i, source) in e.sources.iter().enumerate() {
        let weight = e.source_weights.as_ref().and_then(|weights| weights.get(i).copied()).unwrap_or(1.0);
        match spectrum.iter_mut().find(|(lambda_m, _)| *lambda_m == source.lambda_m) {
            Some((_, sum)) => *sum += weight,
            None => spectrum.push((source.lambda_m, weight)),
        }
    }
    if spectrum.len() > 1 { spectrum } else { Vec::new() }
}
