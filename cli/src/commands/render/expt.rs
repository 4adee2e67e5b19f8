//! The experiment list for DIALS beside the images, and a warning where image headers cannot hold the geometry.

use std::fs;
use std::path::{Path, PathBuf};

use widebragg::crystal::Crystal as OrientedCrystal;
use widebragg::rotation::rotate_axis;
use widebragg::vector::Vec3;
use widebragg_experiment::experiment::Experiment;
use widebragg_experiment::geometry::{
    DialsFrame, Lost, columns, lost_in_headers, panels, reciprocal_axes, scan,
};
use widebragg_formats::expt::{ExperimentList, Images, StillImage, StillList};
use widebragg_formats::failure::Failure as FileFailure;
use widebragg_formats::geometry::{Beam, Crystal, Frame, Geometry, Polarization};

use super::output::{COUNT_CUTOFF, INTFILE, NOISEFILE, adc_offset, noise_cutoff, numbered, with_suffix};
use crate::commands::setup::shots::Plan;
use crate::console;
use crate::error::Failure;
use crate::options::{NxmxData, Options};

/// Smallest pixel above the offset that counts. Older versions of DIALS leave it out, so that 0 is the smallest there.
const SMALLEST_VALID: f64 = -1.0;

/// The images that a list is of.
pub(super) struct Described {
    /// Name of the file, or of a series without the numbers.
    pub(super) path: PathBuf,
    /// Offset of its pixels.
    pub(super) pedestal: f64,
    /// Largest pixel above the offset.
    pub(super) trusted_max: f64,
    /// Their format.
    pub(super) format: Format,
    /// Whether they are written: those of several panels are only where an option names them.
    is_written: bool,
}

/// The format of the images that a list is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Smv,
    Cbf,
    /// One file of all frames.
    Nxmx,
}

impl Described {
    /// The noise image in SMV, or else in CBF; without noise the CBF image, if there is any, or else the integer image. Of
    /// several panels the NXmx file, where none of these is named.
    pub(super) fn new(options: &Options) -> Self {
        let smv = |given: &Option<PathBuf>, default: &str, cutoff: i32| {
            let pedestal = adc_offset(options);
            let is_written = given.is_some() || !options.names_flat_images;
            let path = given.clone().unwrap_or_else(|| PathBuf::from(default));
            let trusted_max = (f64::from(u16::MAX) - pedestal).min(cutoff.into());
            Self { path, pedestal, trusted_max, format: Format::Smv, is_written }
        };
        let counts = |path: &PathBuf, format: Format, has_noise: bool| {
            let cutoff = if has_noise { noise_cutoff(options) } else { COUNT_CUTOFF };
            let (path, trusted_max) = (path.clone(), cutoff.into());
            Self { path, pedestal: 0.0, trusted_max, format, is_written: true }
        };
        if let Some(path) = options.nxmx.as_ref().filter(|_| !writes_flat_images(options)) {
            return counts(path, Format::Nxmx, options.data_of_nxmx() == Some(NxmxData::Noise));
        }
        match options.noise_cbf.as_ref().or(options.cbf.as_ref()) {
            _ if !options.nonoise && (options.noisefile.is_some() || !options.names_flat_images) => {
                smv(&options.noisefile, NOISEFILE, noise_cutoff(options))
            }
            Some(path) => counts(path, Format::Cbf, options.noise_cbf.is_some()),
            None => smv(&options.intfile, INTFILE, COUNT_CUTOFF),
        }
    }
}

/// Whether SMV or CBF images are written.
fn writes_flat_images(options: &Options) -> bool {
    let named = [&options.intfile, &options.noisefile, &options.cbf, &options.noise_cbf];
    !options.names_flat_images || named.iter().any(|file| file.is_some())
}

/// The name of the list; `None`: none is wanted. Beside a series it is that of the images that the list is of, with
/// the extension `expt`.
#[must_use]
pub fn path(options: &Options) -> Option<PathBuf> {
    let beside_series = || options.frames.map(|_| Described::new(options).path.with_extension("expt"));
    options.expt.clone().or_else(beside_series).filter(|_| !options.no_expt)
}

/// The name of the list that a run writes. A line on standard error says where headers of images, or a list, cannot
/// hold the geometry.
///
/// # Errors
/// A list is asked for, but cannot hold the geometry.
pub fn checked_path(options: &Options, experiment: &Experiment) -> Result<Option<PathBuf>, Failure> {
    let list = path(options);
    if list.is_some() && options.shots.is_some() && experiment.phi.range != 0.0 {
        return Err(Failure::input("--expt: only for shots that are stills, without -osc"));
    }
    let lost = lost_in_headers(experiment);
    if lost.is_empty() {
        return Ok(list);
    }
    let is_curved = lost.contains(&Lost::Curved);
    if let Some(path) = options.expt.as_ref().filter(|_| is_curved && list.is_some()) {
        let path = path.display();
        return Err(Failure::input(format!(
            "--expt: {path}: an experiment list cannot hold a curved detector"
        )));
    }
    let list = list.filter(|_| !is_curved);
    if !writes_flat_images(options) {
        return Ok(list);
    }
    let has_cbf = options.cbf.is_some() || options.noise_cbf.is_some();
    let formats = if has_cbf { "SMV and CBF" } else { "SMV" };
    let lost = lost.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
    let instead = match &list {
        _ if is_curved => "nor can an experiment list for DIALS".to_owned(),
        Some(path) => format!("the experiment list {} says it", path.display()),
        None => "--expt FILE writes an experiment list for DIALS that says it".to_owned(),
    };
    console::complain(&format!("{formats} headers cannot say that {lost}; {instead}"));
    Ok(list)
}

/// Writes the list of a run to `path`. `frame` is that of the laboratory, where a file of geometry tells it; unless it is
/// that of DIALS, vectors are turned into that frame.
///
/// # Errors
/// The file cannot be written.
pub fn write(
    path: &Path,
    options: &Options,
    experiment: &Experiment,
    frame: Option<Frame>,
) -> Result<(), Failure> {
    let described = Described::new(options);
    let mut list = list(options, experiment, frame, &described, path);
    if list.images.is_none() && described.is_written {
        console::complain(&format!(
            "--expt: {}: DIALS reads only images with a number in their name, such as name_00001.img; the list names \
             no image",
            described.path.display()
        ));
    }
    if options.expt.is_none() {
        // The list beside a series is for programs that find the crystal themselves.
        list.geometry.crystal = None;
        list.other_crystals.clear();
    }
    list.write(path).map_err(|failure| failure.context("--expt").into())
}

/// Writes the list of shots to `path`: each is a still with its wavelength, its place of the detector and its crystals as they
/// lie in it. All shots of a run are in the list, also where other jobs render some of them.
///
/// # Errors
/// The file cannot be written, or a shot is impossible.
pub fn write_shots(path: &Path, options: &Options, plan: &Plan, frame: Option<Frame>) -> Result<(), Failure> {
    let described = Described::new(options);
    let named = |failure: FileFailure| Failure::from(failure.context("--expt"));
    let mut list = StillList::new(described.pedestal);
    for index in 0..plan.truth.len() {
        let experiment = plan.experiment(index)?;
        let (geometry, crystals) = still(&experiment, frame, &described);
        let lit = if plan.crystals(index) == 0 { &[][..] } else { &crystals[..] };
        list.add(&geometry, lit, image_of_shot(path, &described, index).as_ref()).map_err(named)?;
    }
    list.write(path).map_err(named)
}

/// The image of shot `index`, as the list `list` names it.
fn image_of_shot(list: &Path, described: &Described, index: usize) -> Option<StillImage> {
    if !described.is_written {
        return None;
    }
    let seen = seen_from(list, &described.path);
    let (path, index) = match described.format {
        Format::Nxmx => (seen, Some(index)),
        Format::Smv | Format::Cbf => (numbered(&seen, Some(index + 1)), None),
    };
    Some(StillImage { path: path.to_string_lossy().into_owned(), index })
}

/// Writes the geometry and the crystal of a fit to `path`, as a list that names no image. `frame` is as in [`write`].
///
/// # Errors
/// The file cannot be written.
pub fn write_geometry(path: &Path, experiment: &Experiment, frame: Option<Frame>) -> Result<(), Failure> {
    let trusted_max = f64::from(COUNT_CUTOFF);
    let (described, format) = (PathBuf::new(), Format::Smv);
    let none = Described { path: described, pedestal: 0.0, trusted_max, format, is_written: false };
    Ok(list(&Options::default(), experiment, frame, &none, path).write(path)?)
}

/// The list of a run, of which the file `path` names the images `described`.
pub(super) fn list(
    options: &Options,
    experiment: &Experiment,
    frame: Option<Frame>,
    described: &Described,
    path: &Path,
) -> ExperimentList {
    let images = images(options, experiment, path, described);
    let (first, images) = images.map_or((1, None), |(first, images)| (first, Some(images)));
    let scan = scan(experiment, first, options.frames.unwrap_or(1));
    let (mut geometry, mut crystals) = still(experiment, frame, described);
    if scan.is_some() {
        let turned = InDials::new(experiment, frame);
        geometry.spindle = Some(turned.components(experiment.frame.spindle));
        geometry.scan = scan;
        crystals = all_crystals(experiment, |axis| turned.vector(axis));
    }
    let other_crystals = crystals.split_off(1);
    geometry.crystal = crystals.pop();
    ExperimentList { geometry, other_crystals, pedestal: described.pedestal, images }
}

/// The frame of DIALS, as seen from the laboratory.
struct InDials {
    /// The frame of the laboratory, where a file of geometry tells it.
    laboratory: Option<Frame>,
    turned: DialsFrame,
}

impl InDials {
    fn new(experiment: &Experiment, laboratory: Option<Frame>) -> Self {
        Self { laboratory, turned: DialsFrame::new(&experiment.first_panel().detector) }
    }

    fn vector(&self, v: Vec3) -> Vec3 {
        match self.laboratory {
            Some(Frame::Dials) => v,
            // As DIALS reads NXmx files, so that both agree.
            Some(Frame::McStas) => Vec3::new(-v.x, v.y, -v.z),
            _ => self.turned.components(v),
        }
    }

    fn components(&self, v: Vec3) -> [f64; 3] {
        // + 0.0 turns -0 into 0.
        self.vector(v).to_array().map(|component| component + 0.0)
    }
}

/// Beam and panels of an experiment, and its crystals as they lie at the start of the first frame, in the frame of DIALS.
fn still(e: &Experiment, laboratory: Option<Frame>, described: &Described) -> (Geometry, Vec<Crystal>) {
    let turned = InDials::new(e, laboratory);
    let components = |v| turned.components(v);
    let d = &e.first_panel().detector;
    let mut panels = panels(e, components);
    for panel in &mut panels {
        panel.valid = [Some(SMALLEST_VALID), Some(described.trusted_max)];
    }
    if let [panel] = &mut panels[..] {
        panel.name = "Panel".to_owned();
    }
    let polarization = Polarization {
        electric_vector: components(d.vertical.cross(d.beam)),
        kahn_factor: e.polarization.map_or(0.0, |polarization| polarization.kahn),
    };
    let geometry = Geometry {
        frame: Frame::Dials,
        beam: Beam {
            direction: components(d.beam),
            lambda_m: Some(e.lambda0_m),
            polarization: Some(polarization),
        },
        panels,
        spindle: None,
        scan: None,
        crystal: None,
    };
    let at_start = |axis| turned.vector(rotate_axis(axis, e.frame.spindle, e.frame_phi0_rad(0)));
    (geometry, all_crystals(e, at_start))
}

/// All crystals of an experiment, with axes that `placed` turns.
fn all_crystals(e: &Experiment, placed: impl Fn(Vec3) -> Vec3) -> Vec<Crystal> {
    let others = e.other_lattices.iter().map(|lattice| Crystal {
        a_matrix: a_matrix(&lattice.crystal, &placed),
        a_at_frames: Vec::new(),
        space_group: None,
    });
    core::iter::once(crystal(e, &placed)).chain(others).collect()
}

/// The crystal at phi = 0 and at each scan point, in the frame of `components`.
fn crystal(e: &Experiment, components: impl Fn(Vec3) -> Vec3) -> Crystal {
    let at_points = e.crystals_at_scan_points.iter();
    Crystal {
        a_matrix: a_matrix(&e.crystal, &components),
        a_at_frames: at_points.map(|crystal| a_matrix(crystal, &components)).collect(),
        space_group: None,
    }
}

/// A in the frame of `components`.
fn a_matrix(crystal: &OrientedCrystal, components: impl Fn(Vec3) -> Vec3) -> [[f64; 3]; 3] {
    columns(reciprocal_axes(crystal).map(components))
}

/// The number of the first image, and the images as the list `list` names them; `described` has their name, without numbers
/// where they are a series. `None` where it has no number.
fn images(
    options: &Options,
    experiment: &Experiment,
    list: &Path,
    described: &Described,
) -> Option<(usize, Images)> {
    if !described.is_written {
        return None;
    }
    let seen = seen_from(list, &described.path);
    let is_rotation = experiment.phi.range != 0.0;
    let text = |path: &Path| path.to_string_lossy().into_owned();
    if described.format == Format::Nxmx {
        let frames = options.frames.unwrap_or(1);
        return Some((1, Images::OneFile { path: text(&seen), frames, is_rotation }));
    }
    let Some(frames) = options.frames else {
        let (template, number) = template(&seen)?;
        let still = || Images::Stills(vec![text(&seen)]);
        return Some((number, if is_rotation { Images::Template(text(&template)) } else { still() }));
    };
    let stills = || (1..=frames).map(|number| text(&numbered(&seen, Some(number)))).collect();
    let template = || text(&with_suffix(&seen, "_#####"));
    Some((1, if is_rotation { Images::Template(template()) } else { Images::Stills(stills()) }))
}

/// The name with its last number replaced by `#` for each digit, and the number; `None` without a number.
fn template(path: &Path) -> Option<(PathBuf, usize)> {
    let name = path.file_name()?.to_str()?;
    let stem = path.file_stem()?.to_str()?;
    let end = stem.rfind(|c: char| c.is_ascii_digit())? + 1;
    let begin = stem[..end]
        .rfind(|c: char| !c.is_ascii_digit())
        .map_or(0, |at| at + stem[at..].chars().next().map_or(1, char::len_utf8));
    let number = stem[begin..end].parse().ok()?;
    let template = format!("{}{}{}", &name[..begin], "#".repeat(end - begin), &name[end..]);
    Some((path.with_file_name(template), number))
}

/// The path of an image as the list `list` names it: without a folder where both are in the same one, so that they
/// can be moved together.
fn seen_from(list: &Path, image: &Path) -> PathBuf {
    let folder = |path: &Path| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned())
    };
    let (beside, name) = (folder(image), image.file_name().unwrap_or_default());
    if beside == folder(list) { PathBuf::from(name) } else { beside.join(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_of_names() {
        let of =
            |name: &str| template(Path::new(name)).map(|(path, number)| (path.display().to_string(), number));
        assert_eq!(of("a/noise_00012.img"), Some(("a/noise_#####.img".to_owned(), 12)));
        assert_eq!(of("run2_image.img"), Some(("run#_image.img".to_owned(), 2)));
        assert_eq!(of("7"), Some(("#".to_owned(), 7)));
        assert_eq!(of("\u{e9}7.img"), Some(("\u{e9}#.img".to_owned(), 7)));
        assert_eq!(of("a1/noise.img"), None);
        assert_eq!(of("a.h5"), None);
    }

    #[test]
    fn images_beside_a_list_have_no_folder() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("a.expt");
        assert_eq!(seen_from(&list, &folder.path().join("n_#####.img")), Path::new("n_#####.img"));
        let other = folder.path().join("other");
        fs::create_dir(&other).unwrap();
        let seen = seen_from(&other.join("a.expt"), &folder.path().join("n_#####.img"));
        assert!(seen.is_absolute() && seen.ends_with("n_#####.img"), "{}", seen.display());
    }
}
