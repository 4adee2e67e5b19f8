//! Reading of the geometry of NXmx files, and of what they say of their pixels.

use std::path::Path;

use super::chain::{Axis, chain, combined, metres, target};
use super::{ENTRY, THINNEST_SENSOR_M, TRUTH};
use crate::failure::Failure;
use crate::geometry::vectors::{Matrix, Vector, apply};
use crate::geometry::{
    Beam, BlockMask, Crystal, Frame, Geometry, GeometryFile, Panel, Polarization, Scan, Sensor,
};
use crate::hdf5::{Hdf5File, MAX_PIXELS};
use crate::image::FlatDetector;
use crate::memory::reserved;
use crate::text::in_file;

/// Largest difference between the steps of a scan that are taken as equal, as a part of a step.
const EQUAL_STEPS: f64 = 1e-3;

/// Reads the geometry of an NXmx file: detector, beam, goniometer, and the crystal of files that widebragg wrote.
///
/// The file may be any that NXmx describes: chains of translations and rotations are followed from each module to the
/// laboratory. Where one of them is scanned, its first value counts. The spindle is the axis of the sample with a value
/// for each frame, or the first of its chain.
///
/// # Errors
/// The file cannot be read, is not NXmx, or has no wavelength or no module; a chain of transformations is not complete
/// or goes round in a circle.
pub fn read_nxmx_geometry(path: &Path) -> Result<Geometry, Failure> {
    described(&Hdf5File::open(path)?, path).map(|(geometry, _)| geometry)
}

/// [`read_nxmx_geometry`] with the pixels that the file's mask excludes.
pub(crate) fn read_nxmx(path: &Path) -> Result<GeometryFile, Failure> {
    let file = Hdf5File::open(path)?;
    let (geometry, detector) = described(&file, path)?;
    let size = geometry.block_size();
    let mut read = GeometryFile::of("NXmx file", geometry);
    match detector.mask(&file, size)? {
        Mask::None => {}
        Mask::OtherShape(shape) => read.warnings.push(format!(
            "its pixel_mask is left out: it has the shape {shape:?}, the panels {} x {} pixels",
            size[0], size[1]
        )),
        Mask::Stored { bytes, pixel_bytes } => {
            let mut bad =
                reserved(size[0] * size[1]).ok_or_else(|| in_file(path, "no memory for its pixel_mask"))?;
            bad.extend(bytes.chunks_exact(pixel_bytes).map(|pixel| pixel.iter().any(|&byte| byte != 0)));
            read.mask = Some(BlockMask { fast_pixels: size[0], bad });
        }
    }
    Ok(read)
}

/// What the open file `path` describes.
fn described(file: &Hdf5File, path: &Path) -> Result<(Geometry, Detector), Failure> {
    geometry(file).map_err(|why| match why {
        Why::Failure(failure) => failure,
        Why::NotNxmx(what) => in_file(path, format!("not a file of NXmx: {what}")),
    })
}

/// Why there is no geometry.
enum Why {
    Failure(Failure),
    NotNxmx(&'static str),
}

impl From<Failure> for Why {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

fn geometry(file: &Hdf5File) -> Result<(Geometry, Detector), Why> {
    let entry = file.of_class("/", "NXentry").into_iter().next().ok_or(Why::NotNxmx("it has no NXentry"))?;
    let instrument = first(file, &entry, "NXinstrument").ok_or(Why::NotNxmx("it has no NXinstrument"))?;
    let detector = first(file, &instrument, "NXdetector").ok_or(Why::NotNxmx("it has no NXdetector"))?;
    let detector = Detector { path: detector };
    let panels = detector.panels(file)?;
    if panels.is_empty() {
        return Err(Why::NotNxmx("it has no NXdetector_module"));
    }
    let beam = beam(file, &entry, &instrument)?;
    let exposure_s = detector.exposure_s(file)?;
    let (spindle, scan) = match first(file, &entry, "NXsample") {
        Some(sample) => goniometer(file, &sample, exposure_s)?,
        None => (None, None),
    };
    let crystal = crystal(file)?;
    Ok((Geometry { frame: Frame::McStas, beam, panels, spindle, scan, crystal }, detector))
}

/// The first group of a class in a group.
fn first(file: &Hdf5File, group: &str, class: &str) -> Option<String> {
    file.of_class(group, class).into_iter().next()
}

/// A detector of an NXmx file.
#[derive(Debug)]
pub(crate) struct Detector {
    path: String,
}

/// The mask of a detector.
enum Mask {
    None,
    /// That of another block of data.
    OtherShape(Vec<usize>),
    /// One number a pixel, 0 where it can be valid.
    Stored {
        bytes: Vec<u8>,
        pixel_bytes: usize,
    },
}

impl Detector {
    /// The detector whose images are in the array `data`; `None` where the file is not NXmx.
    pub(crate) fn of_data(file: &Hdf5File, data: &str) -> Option<Self> {
        let entry = data.trim_start_matches('/').split('/').next().map(|entry| format!("/{entry}"))?;
        file.text_attribute(&entry, "NX_class").filter(|class| class == "NXentry")?;
        let instrument = first(file, &entry, "NXinstrument")?;
        first(file, &instrument, "NXdetector").map(|path| Self { path })
    }

    fn of(&self, name: &str) -> String {
        format!("{}/{name}", self.path)
    }

    /// Makes NaN of the pixels of a frame that the detector's mask or its range of counts exclude.
    ///
    /// # Errors
    /// The mask cannot be read.
    pub(crate) fn mark_gaps(
        &self,
        file: &Hdf5File,
        size: [usize; 2],
        pixels: &mut [f32],
    ) -> Result<(), Failure> {
        if let Some(least) = self.least(file)? {
            for pixel in pixels.iter_mut().filter(|pixel| f64::from(**pixel) < least) {
                *pixel = f32::NAN;
            }
        }
        if let Mask::Stored { bytes, pixel_bytes } = self.mask(file, size)? {
            for (pixel, bad) in pixels.iter_mut().zip(bytes.chunks_exact(pixel_bytes)) {
                if bad.iter().any(|&byte| byte != 0) {
                    *pixel = f32::NAN;
                }
            }
        }
        Ok(())
    }

    /// The mask of a block of data of `size` pixels along fast and slow.
    fn mask(&self, file: &Hdf5File, [fast, slow]: [usize; 2]) -> Result<Mask, Failure> {
        let Some(mask) = file.array(&self.of("pixel_mask"))? else { return Ok(Mask::None) };
        // One mask for all frames; detectors with several thresholds have one for each.
        let pixels = mask.shape.iter().try_fold(1_usize, |pixels, &length| pixels.checked_mul(length));
        if pixels.is_none() || pixels != fast.checked_mul(slow) || mask.shape.last() != Some(&fast) {
            return Ok(Mask::OtherShape(mask.shape));
        }
        let (bytes, number) = mask.read(&vec![0; mask.shape.len()], &mask.shape)?;
        Ok(Mask::Stored { bytes, pixel_bytes: number.size })
    }

    /// The lowest count that is data.
    pub(crate) fn least(&self, file: &Hdf5File) -> Result<Option<f64>, Failure> {
        file.number(&self.of("underload_value"))
    }

    /// The count from which pixels are saturated.
    pub(crate) fn saturation(&self, file: &Hdf5File) -> Option<f64> {
        file.number(&self.of("saturation_value")).ok().flatten().filter(|&counts| counts > 0.0)
    }

    fn exposure_s(&self, file: &Hdf5File) -> Result<Option<f64>, Failure> {
        let time = |name: &str| file.number(&self.of(name));
        let exposure_s = match time("count_time")? {
            None => time("frame_time")?,
            found => found,
        };
        Ok(exposure_s.filter(|seconds| seconds.is_finite() && *seconds >= 0.0))
    }

    fn sensor(&self, file: &Hdf5File) -> Result<Option<Sensor>, Failure> {
        let Some(thickness_m) = self.length_m(file, "sensor_thickness")? else { return Ok(None) };
        let material = file.text(&self.of("sensor_material"))?;
        Ok((thickness_m > THINNEST_SENSOR_M).then_some(Sensor {
            material,
            thickness_m,
            attenuation_per_m: None,
        }))
    }

    fn length_m(&self, file: &Hdf5File, name: &str) -> Result<Option<f64>, Failure> {
        let path = self.of(name);
        let Some(value) = file.number(&path)?.filter(|value| value.is_finite()) else { return Ok(None) };
        let units = file.text_attribute(&path, "units").unwrap_or_else(|| "m".to_owned());
        let unit =
            metres(&units).ok_or_else(|| file.failure(&path, "a length in units that are not known"))?;
        Ok(Some(value * unit))
    }

    fn panels(&self, file: &Hdf5File) -> Result<Vec<Panel>, Failure> {
        let sensor = self.sensor(file)?;
        // From `underload_value` to below `saturation_value`.
        let valid = [self.least(file)?, self.saturation(file).map(|beyond| beyond - 1.0)];
        let modules = file.of_class(&self.path, "NXdetector_module");
        modules.iter().map(|module| panel(file, module, sensor.clone(), valid)).collect()
    }
}

fn panel(
    file: &Hdf5File,
    module: &str,
    sensor: Option<Sensor>,
    valid: [Option<f64>; 2],
) -> Result<Panel, Failure> {
    let pixels = extent(file, &format!("{module}/data_size"))?;
    let [origin_slow, origin_fast, stacked] = extent(file, &format!("{module}/data_origin"))?;
    let [size_slow, size_fast, _] = pixels;
    // In data of four dimensions, module k is the k-th of a stack along slow.
    let data_origin = [origin_fast, stacked.saturating_mul(size_slow).saturating_add(origin_slow)];
    let end = [data_origin[0].saturating_add(size_fast), data_origin[1].saturating_add(size_slow)];
    if size_fast == 0 || size_slow == 0 || end.iter().any(|&end| end > MAX_PIXELS) {
        return Err(file.failure(module, "a module of impossible size"));
    }
    let (fast_px, fast_chain) = direction(file, &format!("{module}/fast_pixel_direction"))?;
    let (slow_px, slow_chain) = direction(file, &format!("{module}/slow_pixel_direction"))?;
    let place = combined(&fast_chain);
    let origin_m = place.point(fast_px.offset_m);
    let fast = apply(place.turn, fast_px.vector);
    let slow = apply(combined(&slow_chain).turn, slow_px.vector);
    let pixel_m = [&fast_px, &slow_px].map(|axis| axis.values[0]);
    if !pixel_m.iter().all(|&edge_m| edge_m > 0.0) {
        return Err(file.failure(module, "a module without a size of pixels"));
    }
    let name = module.rsplit('/').next().unwrap_or_default().to_owned();
    Ok(Panel {
        name,
        pixels: [size_fast, size_slow],
        data_origin,
        pixel_m,
        origin_m,
        fast,
        slow,
        sensor,
        valid,
    })
}

/// A direction of pixels and the chain that it begins, in which its module lies.
fn direction(file: &Hdf5File, path: &str) -> Result<(Axis, Vec<Axis>), Failure> {
    let axis = Axis::read(file, path)?;
    let rest = chain(file, axis.next.clone())?;
    Ok((axis, rest))
}

/// Two numbers slow, fast, or three: module, slow, fast; returned as slow, fast, module.
fn extent(file: &Hdf5File, path: &str) -> Result<[usize; 3], Failure> {
    let numbers = file.numbers(path)?.ok_or_else(|| file.failure(path, "is missing"))?;
    let whole = |&number: &f64| number >= 0.0 && number <= MAX_PIXELS as f64 && number.fract() == 0.0;
    if !numbers.iter().all(whole) {
        return Err(file.failure(path, "not numbers of pixels"));
    }
    match numbers[..] {
        [slow, fast] => Ok([slow, fast, 0.0]),
        [module, slow, fast] => Ok([slow, fast, module]),
        _ => Err(file.failure(path, format!("{} numbers instead of slow and fast", numbers.len()))),
    }
    .map(|extent| extent.map(|number| number as usize))
}

fn beam(file: &Hdf5File, entry: &str, instrument: &str) -> Result<Beam, Why> {
    let groups = [Some(instrument.to_owned()), first(file, entry, "NXsample")];
    for group in groups.into_iter().flatten().filter_map(|group| first(file, &group, "NXbeam")) {
        let path = format!("{group}/incident_wavelength");
        let Some(value) = file.number(&path)? else { continue };
        let units = file.text_attribute(&path, "units").unwrap_or_else(|| "angstrom".to_owned());
        let lambda_m = metres(&units)
            .map(|unit| value * unit)
            .filter(|lambda_m| lambda_m.is_finite() && *lambda_m > 0.0);
        let lambda_m = lambda_m.ok_or_else(|| file.failure(&path, "not a wavelength"))?;
        let polarization = polarization(file, &format!("{group}/incident_polarization_stokes"))?;
        return Ok(Beam { direction: [0.0, 0.0, 1.0], lambda_m: Some(lambda_m), polarization });
    }
    Err(Why::NotNxmx("it has no incident_wavelength"))
}

/// The polarisation of Stokes parameters I, Q, U, V, those of the first frame; `None` where they have none.
fn polarization(file: &Hdf5File, path: &str) -> Result<Option<Polarization>, Failure> {
    let Some(numbers) = file.numbers(path)? else { return Ok(None) };
    let Some(&[i, q, u, _]) = numbers.first_chunk() else { return Ok(None) };
    let kahn_factor = q.hypot(u) / i;
    let (sine, cosine) = (u.atan2(q) / 2.0).sin_cos();
    Ok((kahn_factor <= 1.0 + 1e-9)
        .then_some(Polarization { electric_vector: [cosine, sine, 0.0], kahn_factor: kahn_factor.min(1.0) }))
}

/// The spindle and the scan about it.
fn goniometer(
    file: &Hdf5File,
    sample: &str,
    exposure_s: Option<f64>,
) -> Result<(Option<Vector>, Option<Scan>), Failure> {
    let depends_on = file.text(&format!("{sample}/depends_on"))?.unwrap_or_default();
    let axes = chain(file, target(sample, &depends_on))?;
    let is_scanned = |axis: &Axis| axis.is_rotation && axis.values.windows(2).any(|pair| pair[0] != pair[1]);
    let scanned = axes.iter().position(is_scanned).or_else(|| axes.iter().position(|axis| axis.is_rotation));
    let Some(at) = scanned else { return Ok((None, None)) };
    let (axis, carriers) = (&axes[at], &axes[at + 1..]);
    let spindle = apply(combined(carriers).turn, axis.vector);
    let frames = axis.values.len();
    let start_deg = axis.values[0];
    let end = file.numbers(&format!("{}_end", axis.path))?.and_then(|ends| ends.first().copied());
    let width_deg = match frames {
        1 => end.map(|end| end - start_deg),
        _ => Some((axis.values[frames - 1] - start_deg) / (frames - 1) as f64),
    };
    let even = |width_deg: &f64| {
        let expected = |i: usize| start_deg + i as f64 * width_deg;
        (0..frames).all(|i| (axis.values[i] - expected(i)).abs() <= EQUAL_STEPS * width_deg.abs())
    };
    let scan = width_deg.filter(even).filter(|width_deg| *width_deg != 0.0);
    Ok((Some(spindle), scan.map(|width_deg| Scan { first: 1, frames, start_deg, width_deg, exposure_s })))
}

/// The crystal of a file that widebragg wrote.
fn crystal(file: &Hdf5File) -> Result<Option<Crystal>, Failure> {
    let matrices = |name: &str| -> Result<Vec<Matrix>, Failure> {
        let path = format!("{TRUTH}/{name}");
        let numbers = file.numbers(&path)?.unwrap_or_default();
        let (rows, rest) = numbers.as_chunks::<3>();
        let (matrices, others) = rows.as_chunks::<3>();
        if !rest.is_empty() || !others.is_empty() || numbers.iter().any(|number| !number.is_finite()) {
            return Err(file.failure(&path, "not matrices"));
        }
        Ok(matrices.to_vec())
    };
    if !file.of_class(ENTRY, "NXcollection").iter().any(|group| group == TRUTH) {
        return Ok(None);
    }
    let Some(&a_matrix) = matrices("a_matrix")?.first() else { return Ok(None) };
    let space_group = file.text(&format!("{TRUTH}/space_group"))?;
    Ok(Some(Crystal { a_matrix, a_at_frames: matrices("a_matrix_at_frames")?, space_group }))
}

/// The detector as headers of images describe one, where it is flat and fills the image.
pub(crate) fn flat_detector(file: &Hdf5File, size: [usize; 2]) -> Option<FlatDetector> {
    let (geometry, _) = geometry(file).ok()?;
    if geometry.block_size() != size {
        return None;
    }
    geometry.flat_detector().ok()
}
