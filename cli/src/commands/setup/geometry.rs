//! The geometry of `--geometry`: the panels of a file of an experiment, its beam, spindle, scan and crystal.
//!
//! The frame of the file is the laboratory. Options that are given beside the file win, and are reported. A detector of one
//! panel can be moved by all options of its placement: those of the beam spot (`-distance`, `-Xbeam`, `-Ybeam`) count
//! from where the beam meets the panel of the file, those of the foot of the normal (`-close_distance`, `-Xclose`,
//! `-ORGX` ...) from its foot. Several panels turn together about the sample (`-detector_rotx` ..., `-twotheta`), and are
//! moved by nothing else.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use widebragg::crystal::CellSource;
use widebragg::detector::{Convention, CustomAxes, DetectorParameters, Pivot, extent};
use widebragg::scene::DetectorInput;
use widebragg::vector::Vec3;
use widebragg_experiment::parameters::{Attenuation, PanelParameters, SensorRequest};
use widebragg_experiment::sensor_material::SensorMaterial;
use widebragg_formats::bad_pixels::PanelSize;
use widebragg_formats::format_g::format_g;
use widebragg_formats::geometry::{Frame, Geometry, GeometryFile, Panel, Sensor};
use widebragg_formats::memory::reserved;
use widebragg_formats::smv::SmvImage;

use super::inputs::Inputs;
use super::region;
use super::sensor::GivenSensor;
use crate::error::Failure;
use crate::options::{Options, PanelChoice};

/// Relative difference up to which the edges of a pixel count as equal.
const SQUARE: f64 = 1e-6;

/// Smallest sine of the angle between fast and slow.
const LEAST_SINE: f64 = 1e-6;

/// The file of `--geometry`, read.
#[derive(Debug, Clone)]
pub struct FileGeometry {
    path: PathBuf,
    experiment: usize,
    file: GeometryFile,
    /// The geometry of the first frame.
    first: Geometry,
    /// The panel of `--panel`.
    panel: Option<usize>,
}

impl FileGeometry {
    /// The geometry that `options` name; `None` without `--geometry`.
    ///
    /// # Errors
    /// The file cannot be used, does not have the panel, or is at odds with other options.
    pub fn read(options: &Options, inputs: &Inputs) -> Result<Option<Self>, Failure> {
        let Some(path) = &options.geometry else {
            let needs_file = [
                (options.experiment.is_some(), "--experiment"),
                (options.panel.is_some(), "--panel"),
                (options.frames_of_scan, "--frames scan"),
            ];
            return match needs_file.into_iter().find(|(given, _)| *given) {
                Some((_, option)) => Err(Failure::input(format!("{option}: needs --geometry FILE"))),
                None => Ok(None),
            };
        };
        let experiment = options.experiment.unwrap_or(0);
        let file = inputs.geometry("--geometry", path, experiment)?;
        let (path, first) = (path.clone(), file.at_frame(0));
        let mut read = Self { path, experiment, file, first, panel: None };
        read.panel = options.panel.as_ref().map(|choice| read.index_of(choice)).transpose()?;
        read.check(options)?;
        Ok(Some(read))
    }

    /// A failure of the file.
    fn refused(&self, what: &str) -> Failure {
        Failure::input(format!("--geometry: {}: {what}", self.path.display()))
    }

    /// All panels of the file, whichever are rendered.
    pub(super) fn panel_sizes(&self) -> impl Iterator<Item = PanelSize<'_>> {
        self.first.panels.iter().map(|panel| PanelSize { name: &panel.name, pixels: panel.pixels })
    }

    /// The number of the panel that is chosen.
    fn index_of(&self, choice: &PanelChoice) -> Result<usize, Failure> {
        let panels = &self.first.panels;
        let PanelChoice(text) = choice;
        let by_name = panels.iter().position(|panel| panel.name == *text);
        let by_number = || text.parse().ok().filter(|&number| number < panels.len());
        by_name.or_else(by_number).ok_or_else(|| {
            let names: Vec<_> = panels.iter().take(3).map(|panel| panel.name.as_str()).collect();
            let more = if panels.len() > names.len() { ", ..." } else { "" };
            let (last, names) = (panels.len() - 1, names.join(", "));
            self.refused(&format!("has no panel {text}: its panels are 0 to {last}, by name {names}{more}"))
        })
    }

    /// Checks that the file and the other options fit.
    fn check(&self, options: &Options) -> Result<(), Failure> {
        let either = [
            (options.img.is_some(), "-img"),
            (options.detector.is_some(), "--detector"),
            (options.names_convention, "a convention"),
        ];
        if let Some((_, other)) = either.into_iter().find(|(given, _)| *given) {
            return Err(self.refused(&format!("its geometry and that of {other} exclude each other")));
        }
        if let Some(panel) = self.first.panels.iter().find(|panel| {
            let [fast_m, slow_m] = panel.pixel_m;
            (fast_m - slow_m).abs() > SQUARE * fast_m
        }) {
            let [fast_mm, slow_mm] = panel.pixel_m.map(|edge_m| format_g(1e3 * edge_m));
            return Err(self.refused(&format!(
                "pixels of panel {} are {fast_mm} x {slow_mm} mm; only square ones can be rendered",
                panel.name
            )));
        }
        for pair in self.first.panels.windows(2) {
            let [(before, width_before), (panel, width)] =
                [&pair[0], &pair[1]].map(|panel| (&panel.name, panel.pixels[0]));
            if width != width_before {
                return Err(self.refused(&format!(
                    "panel {panel} is {width} pixels wide, and panel {before} {width_before}; only panels of one \
                     width can be rendered"
                )));
            }
        }
        if self.several() {
            if let Some(option) = placement(options).first() {
                let panels = self.first.panels.len();
                return Err(self.refused(&format!(
                    "{option} is for detectors of one panel, and it has {panels}: -detector_rotx, -detector_roty, \
                     -detector_rotz and -twotheta turn them about the sample, --panel chooses one"
                )));
            }
            if options.roi_px.is_some() && self.panel.is_none() {
                return Err(self.refused("-roi is the region of a panel: choose it with --panel"));
            }
        }
        if options.frames_of_scan && self.first.scan.is_none() {
            return Err(self.refused("--frames scan: it has no scan"));
        }
        Ok(())
    }

    /// Whether the detector has several panels.
    fn several(&self) -> bool {
        self.first.panels.len() > 1
    }

    /// Whether several panels are rendered.
    #[must_use]
    pub fn renders_several(&self) -> bool {
        self.several() && self.panel.is_none()
    }

    /// The number of the panel that alone is rendered.
    pub(super) fn chosen_panel(&self) -> Option<usize> {
        self.panel
    }

    /// The names of the groups of panels that the file has.
    pub fn group_names(&self) -> impl Iterator<Item = &str> {
        self.file.group_names()
    }

    /// The numbers of the panels of a group; `None` where the file has no such group.
    ///
    /// # Errors
    /// The group holds something that is no panel.
    pub fn group(&self, name: &str) -> Result<Option<Vec<usize>>, Failure> {
        self.file.group(name).map_err(|failure| self.refused(&failure.to_string()))
    }

    /// The frame that is the laboratory.
    #[must_use]
    pub fn frame(&self) -> Frame {
        self.first.frame
    }

    /// Frames of the scan.
    #[must_use]
    pub fn frames(&self) -> Option<usize> {
        self.file.geometry.scan.map(|scan| scan.frames)
    }

    /// The wavelength.
    pub(super) fn lambda_m(&self) -> Option<f64> {
        self.first.beam.lambda_m
    }

    /// Kahn's polarisation factor.
    pub(super) fn kahn(&self) -> Option<f64> {
        self.first.beam.polarization.map(|polarization| polarization.kahn_factor)
    }

    /// Exposure of a frame, in s.
    pub(super) fn exposure_s(&self) -> Option<f64> {
        self.file.geometry.scan.and_then(|scan| scan.exposure_s).filter(|&exposure_s| exposure_s > 0.0)
    }

    /// Phi at the start of the first frame, in rad.
    pub(super) fn phi0_rad(&self) -> Option<f64> {
        self.file.geometry.scan.map(|scan| scan.start_deg.to_radians())
    }

    /// Oscillation of a frame, in rad.
    pub(super) fn osc_rad(&self) -> Option<f64> {
        self.file.geometry.scan.map(|scan| scan.width_deg.to_radians())
    }

    /// The orientation of the crystal, for the wavelength that the experiment has.
    pub(super) fn crystal(&self, lambda_m: f64) -> Option<CellSource> {
        self.first.crystal.as_ref().map(|crystal| matrix(&crystal.a_matrix, lambda_m))
    }

    /// The orientation of the crystal at the start of each frame and at the end of the last, where it was refined frame by
    /// frame; else empty.
    pub(super) fn crystals_at_scan_points(&self, lambda_m: f64) -> Vec<CellSource> {
        let crystal = self.file.geometry.crystal.iter();
        crystal.flat_map(|crystal| &crystal.a_at_frames).map(|a_matrix| matrix(a_matrix, lambda_m)).collect()
    }

    /// The panels with what other options change of them.
    ///
    /// # Errors
    /// A panel cannot be placed, a mask does not fit, or there is no memory for it.
    pub(super) fn panels(
        &self,
        options: &Options,
        lambda_m: f64,
        mask: Option<&SmvImage>,
        warn: &mut dyn FnMut(String),
    ) -> Result<Vec<PanelParameters>, Failure> {
        let given = GivenSensor::new(options);
        let of_options =
            if given.is_given(options) { Some(given.request(options, lambda_m, warn)?) } else { None };
        let mask = mask.map(|mask| &mask.pixels[..]);
        let mut first = 0;
        let mut panels = reserved(self.first.panels.len())
            .ok_or_else(|| self.refused("there is no memory for its panels"))?;
        for (index, panel) in self.first.panels.iter().enumerate() {
            let detector = self.detector(options, panel)?;
            let count = detector.fast_pixels * detector.slow_pixels;
            let own = mask.map(|mask| mask.get(first..first + count).unwrap_or(&[]));
            first += count;
            panels.push(PanelParameters {
                name: panel.name.clone(),
                detector: DetectorInput::Parameters(detector),
                sensor: match of_options {
                    Some(request) => request,
                    None => sensor(panel.sensor.as_ref(), lambda_m),
                },
                roi: match self.panel {
                    Some(chosen) if chosen != index => None,
                    _ => region(options, &detector, warn)?,
                },
                mask: self.mask(index, &detector, own)?.map(Arc::new),
            });
        }
        if let Some(mask) = mask
            && mask.len() != first
        {
            return Err(Failure::input(format!(
                "-mask: {} pixels, the panels of {} have {first}",
                mask.len(),
                self.path.display()
            )));
        }
        Ok(panels)
    }

    /// The mask of a panel: bad pixels of the file, and pixels that are 0 in `given`.
    fn mask(
        &self,
        index: usize,
        placed: &DetectorParameters,
        given: Option<&[u16]>,
    ) -> Result<Option<Vec<u16>>, Failure> {
        let same_size = self.first.panels[index].pixels == [placed.fast_pixels, placed.slow_pixels];
        let bad = if same_size { self.file.bad_pixels(index).map_err(Failure::from)? } else { None };
        if bad.is_none() && given.is_none() {
            return Ok(None);
        }
        let count = placed.fast_pixels * placed.slow_pixels;
        let mut mask = reserved(count).ok_or_else(|| self.refused("there is no memory for its mask"))?;
        mask.extend((0..count).map(|pixel| {
            let is_good = bad.as_ref().is_none_or(|bad| !bad[pixel]);
            let is_given = given.is_none_or(|given| given.get(pixel).is_some_and(|&value| value != 0));
            u16::from(is_good && is_given)
        }));
        Ok(Some(mask))
    }

    /// The placement of a panel, as a detector of custom axes.
    fn detector(&self, options: &Options, panel: &Panel) -> Result<DetectorParameters, Failure> {
        let along = |given: Option<usize>, own: usize, size_m: Option<f64>, pixel_m: f64| {
            let pixels = given.or(size_m.is_none().then_some(own));
            extent(pixel_m, pixels, size_m).map_err(|error| self.refused(&error.to_string()))
        };
        let pixel_m = options.pixel_m.unwrap_or(panel.pixel_m[0]);
        let [fast, slow] = panel.pixels;
        let (fast_pixels, fast_size_m) = along(options.detpixels_f, fast, options.detsize_f_m, pixel_m)?;
        let (slow_pixels, slow_size_m) = along(options.detpixels_s, slow, options.detsize_s_m, pixel_m)?;
        let axes = self.axes(options, panel)?;
        let placed = DetectorParameters {
            pixel_m,
            fast_pixels,
            slow_pixels,
            fast_size_m,
            slow_size_m,
            distance_m: None,
            convention: Convention::Custom(axes),
            rotation_rad: options.detector_rot_rad,
            twotheta_rad: options.twotheta_rad.unwrap_or(0.0),
            point_pixel: options.point_pixel,
            curved: options.curved_det,
            ..DetectorParameters::default()
        };
        let [origin, f, s] = [panel.origin_m, panel.fast, panel.slow].map(Vec3::from);
        let normal = outward_normal(panel).unwrap_or_default();
        if options.pivot == Some(Pivot::Beam) && !self.several() {
            let beam = Vec3::from(self.first.beam.direction);
            let distance_m = origin.dot(normal) / beam.dot(normal);
            if !(distance_m > 0.0 && distance_m.is_finite()) {
                return Err(self.refused(
                    "the beam does not meet its panel, so nothing can be moved about the beam spot",
                ));
            }
            let [spot_fast_m, spot_slow_m] = coordinates(distance_m * beam - origin, f, s);
            return Ok(DetectorParameters {
                pivot: Pivot::Beam,
                distance_m: options
                    .close_distance_m
                    .is_none()
                    .then(|| options.distance_m.unwrap_or(distance_m)),
                close_distance_m: options.close_distance_m,
                x_beam_m: options.xbeam_m.or(Some(spot_fast_m)),
                y_beam_m: options.ybeam_m.or(Some(spot_slow_m)),
                ..placed
            });
        }
        let [foot_fast_m, foot_slow_m] = coordinates(-origin, f, s);
        let foot = |close_m: Option<f64>, org_px: Option<f64>, own_m: f64| {
            close_m.or(org_px.map(|org_px| (org_px - 0.5) * pixel_m)).unwrap_or(own_m)
        };
        Ok(DetectorParameters {
            pivot: Pivot::Sample,
            distance_m: options.distance_m,
            close_distance_m: options
                .close_distance_m
                .or(options.distance_m.is_none().then(|| origin.dot(normal))),
            x_close_m: Some(foot(options.xclose_m, options.orgx_px, foot_fast_m)),
            y_close_m: Some(foot(options.yclose_m, options.orgy_px, foot_slow_m)),
            x_beam_m: options.xbeam_m,
            y_beam_m: options.ybeam_m,
            ..placed
        })
    }

    /// The axes of a panel and of the beam's frame. Without a spindle, or without a polarisation, it is +x of the frame, or +z
    /// where the beam is along x.
    fn axes(&self, options: &Options, panel: &Panel) -> Result<CustomAxes, Failure> {
        let given = options.axes;
        let beam = Vec3::from(self.first.beam.direction);
        let usual = if beam.x.abs() > 0.9 { Vec3::new(0.0, 0.0, 1.0) } else { Vec3::new(1.0, 0.0, 0.0) };
        let spindle = self.first.spindle.map_or(usual, Vec3::from);
        let electric = self.first.beam.polarization.map_or(usual, |p| Vec3::from(p.electric_vector));
        let normal = outward_normal(panel)
            .ok_or_else(|| self.refused(&format!("fast and slow of panel {} are parallel", panel.name)))?;
        Ok(CustomAxes {
            fast: given.fast.or(Some(panel.fast.into())),
            slow: given.slow.or(Some(panel.slow.into())),
            normal: given.normal.or(Some(normal)),
            beam: given.beam.or(Some(beam)),
            polarization: given.polarization.or(Some(electric)),
            spindle: given.spindle.or(Some(spindle)),
            twotheta: given.twotheta,
        })
    }

    /// What the user should know: the warnings of the file, and the options that replace a part of it.
    pub(super) fn warnings(&self, options: &Options) -> Vec<String> {
        let path = self.path.display();
        let said = self.file.warnings.iter().map(|warning| format!("--geometry: {path}: {warning}"));
        let beams = (!self.file.beam_at_frames.is_empty()).then(|| {
            format!("--geometry: {path}: all frames have the beam of the first; the file has one for each")
        });
        let first = &self.first;
        let replaced = [
            (options.lambda_m.is_some() && first.beam.lambda_m.is_some(), "-lambda", "wavelength"),
            (options.polar_kahn.is_some() && first.beam.polarization.is_some(), "-polar", "polarisation"),
            (options.phi_rad.is_some() && first.scan.is_some(), "-phi", "phi"),
            (options.osc_rad.is_some() && first.scan.is_some(), "-osc", "oscillation"),
            (options.mat.is_some() && first.crystal.is_some(), "-mat", "crystal"),
            (
                options.cell_angstrom_deg.is_some() && options.mat.is_none() && first.crystal.is_some(),
                "-cell",
                "crystal",
            ),
            (options.axes.beam.is_some(), "-beam_vector", "beam"),
            (options.axes.spindle.is_some() && first.spindle.is_some(), "-spindle_axis", "spindle"),
            (
                options.axes.polarization.is_some() && first.beam.polarization.is_some(),
                "-polar_vector",
                "E vector",
            ),
        ];
        let replaced = replaced.into_iter().filter(|(is_replaced, ..)| *is_replaced);
        let replaced =
            replaced.map(|(_, option, part)| format!("{option} is used instead of the {part} of {path}"));
        let moved = placement(options);
        let moved = moved.iter().map(|option| format!("{option} moves or resizes the detector of {path}"));
        said.chain(beams).chain(replaced).chain(moved).collect()
    }

    /// The words of the summary: file, format, experiment and frame.
    #[must_use]
    pub fn line(&self) -> String {
        let count = self.file.experiments;
        let of = if count > 1 {
            format!(", experiment {} of {count} from 0", self.experiment)
        } else {
            String::new()
        };
        let panel = self.panel.map_or_else(String::new, |panel| {
            format!(", panel {} ({panel} of {})", self.first.panels[panel].name, self.first.panels.len())
        });
        format!("{}: {}{of}{panel}; {}", self.path.display(), self.file.format, frame_words(self.first.frame))
    }

    /// [`FileGeometry::line`] as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "file": self.path.display().to_string(),
            "format": self.file.format,
            "experiment": self.experiment,
            "experiments": self.file.experiments,
            "frame": frame_name(self.first.frame),
        })
    }
}

/// The options that place or resize a panel, of those that are given.
fn placement(options: &Options) -> Vec<&'static str> {
    let given = [
        (options.pixel_m.is_some(), "-pixel"),
        (options.detpixels_f.is_some() || options.detpixels_s.is_some(), "-detpixels"),
        (options.detsize_f_m.is_some() || options.detsize_s_m.is_some(), "-detsize"),
        (options.distance_m.is_some(), "-distance"),
        (options.close_distance_m.is_some(), "-close_distance"),
        (options.xbeam_m.is_some(), "-Xbeam"),
        (options.ybeam_m.is_some(), "-Ybeam"),
        (options.xclose_m.is_some(), "-Xclose"),
        (options.yclose_m.is_some(), "-Yclose"),
        (options.orgx_px.is_some(), "-ORGX"),
        (options.orgy_px.is_some(), "-ORGY"),
        (options.axes.fast.is_some(), "-fdet_vector"),
        (options.axes.slow.is_some(), "-sdet_vector"),
        (options.axes.normal.is_some(), "-odet_vector"),
    ];
    given.into_iter().filter_map(|(is_given, option)| is_given.then_some(option)).collect()
}

/// The unit vector along fast x slow, turned away from the sample; `None` where the axes are parallel.
fn outward_normal(panel: &Panel) -> Option<Vec3> {
    let [origin, f, s] = [panel.origin_m, panel.fast, panel.slow].map(Vec3::from);
    let across = f.cross(s);
    let normal = across.try_normalize().filter(|_| across.length() > LEAST_SINE)?;
    Some(exactly_unit(if origin.dot(normal) < 0.0 { -normal } else { normal }))
}

/// A vector whose length comes out as exactly 1, next to one that has it but for rounding: normals of another length are
/// replaced by fast x slow, which in c-parity points to the sample where the panel is mirrored.
fn exactly_unit(v: Vec3) -> Vec3 {
    const STEPS: [f64; 7] = [0.0, 1.0, -1.0, 2.0, -2.0, 3.0, -3.0];
    let [x, y, z] = v.to_array();
    let near = |component: f64| STEPS.map(|steps| component + component * (0.5 * steps * f64::EPSILON));
    let candidates = near(x).into_iter().flat_map(|x| {
        near(y).into_iter().flat_map(move |y| near(z).into_iter().map(move |z| Vec3::new(x, y, z)))
    });
    candidates.into_iter().find(|candidate| candidate.length() == 1.0).unwrap_or(v)
}

/// The coordinates of the foot of `v` in the plane of two unit vectors, which need not be perpendicular.
fn coordinates(v: Vec3, f: Vec3, s: Vec3) -> [f64; 2] {
    let (c, along_f, along_s) = (f.dot(s), v.dot(f), v.dot(s));
    let sine2 = 1.0 - c * c;
    [(along_f - c * along_s) / sine2, (along_s - c * along_f) / sine2]
}

/// lambda A, nine numbers as files of matrices hold them.
pub(super) fn matrix(a_matrix: &[[f64; 3]; 3], lambda_m: f64) -> CellSource {
    CellSource::Matrix(a_matrix.map(|row| row.map(|component| component * lambda_m * 1e10)))
}

/// The sensor of a panel. One whose attenuation nothing tells captures everything at its surface.
fn sensor(sensor: Option<&Sensor>, lambda_m: f64) -> SensorRequest {
    let Some(Sensor { material, thickness_m, attenuation_per_m }) = sensor else {
        return SensorRequest::default();
    };
    let of_material = || {
        let material = SensorMaterial::from_name(material.as_deref()?)?;
        material.attenuation_per_m(lambda_m).ok()
    };
    match attenuation_per_m.or_else(of_material) {
        Some(per_m) => SensorRequest {
            thickness_m: Some(*thickness_m),
            attenuation: Attenuation::DepthM(1.0 / per_m),
            ..SensorRequest::default()
        },
        None => SensorRequest::default(),
    }
}

/// The name of a frame.
fn frame_name(frame: Frame) -> &'static str {
    match frame {
        Frame::Dials => "DIALS",
        Frame::McStas => "McStas",
        Frame::Xds => "XDS",
        Frame::Mosflm => "MOSFLM",
    }
}

/// Where the axes of a frame are, in words.
fn frame_words(frame: Frame) -> &'static str {
    match frame {
        Frame::Dials => "the frame of DIALS, +z towards the source",
        Frame::McStas => "the frame of McStas, +z along the beam and +y up",
        Frame::Xds => "the frame of its XDS file",
        Frame::Mosflm => "the frame of MOSFLM, +x along the beam and +z along the spindle",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normals_have_a_length_of_exactly_1() {
        for i in 0..2000 {
            let (u, w) = (f64::from(i) * 0.618, f64::from(i) * 0.414);
            let v = Vec3::new(u.sin(), (1.3 * w).cos(), 0.1 + (u * w).sin()).normalize();
            let found = exactly_unit(v);
            assert_eq!(found.length().to_bits(), 1.0_f64.to_bits(), "{v:?}");
            assert!((found - v).length() < 2e-15);
        }
    }
}
