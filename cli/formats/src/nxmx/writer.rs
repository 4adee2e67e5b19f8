//! Writing of NXmx files.

use core::fmt;
use std::path::{Path, PathBuf};

use bytemuck::cast_slice;
use rayon::prelude::*;
use rust_hdf5::{
    H5Dataset, H5File, H5Group, H5Type, Hdf5Error, Hyperslab, LibverBound, RegularHyperslab, Selection,
};

use super::mcstas::{in_mcstas, to_mcstas};
use super::{
    Compression, DATA, ENTRY, FIRST_FRAME, LOWEST_COUNT, NxmxHeader, SERIES, STAGES, StageArray,
    THINNEST_SENSOR_M, TRUTH, TrueGainModes, TrueShot,
};
use crate::atomic::Replacement;
use crate::ctime::iso_utc;
use crate::failure::Failure;
use crate::geometry::vectors::{Matrix, Vector, product};
use crate::geometry::{Geometry, Panel, Polarization, Scan};
use crate::hdf5::{
    Filter, MAX_PIXELS, Objects, StoredChunk, class, encoded, number, numbers, pipeline, text, with_units,
};
use crate::image::{PixelType, Pixels};

/// Where chains of transformations end.
const LABORATORY: &str = ".";

/// Why a frame is not compressed.
pub(super) const NO_MEMORY: &str = "no memory for a frame";

/// Bytes of a pixel of either type.
pub(super) const PIXEL_BYTES: usize = 4;

impl Compression {
    /// The filters of pixels.
    pub(super) fn filters(self) -> &'static [Filter] {
        match self {
            Self::Gzip => &[Filter::Shuffle { size: PIXEL_BYTES }, Filter::Deflate { level: 1 }],
            Self::BitshuffleLz4 => &[Filter::BitshuffleLz4 { size: PIXEL_BYTES }],
            Self::None => &[],
        }
    }
}

/// A file that is being written. It has its name once it is closed; until then an older file of that name stays.
///
/// Memory holds one compressed frame for each thread at most.
pub struct NxmxWriter {
    path: PathBuf,
    header: Checked,
    written: usize,
    // Closed before the temporary file is removed, which some systems require.
    /// Those of [`Checked::arrays`].
    arrays: Vec<H5Dataset>,
    file: H5File,
    replacement: Replacement,
}

impl fmt::Debug for NxmxWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NxmxWriter").field("path", &self.path).field("written", &self.written).finish()
    }
}

impl NxmxWriter {
    /// Begins the file `path` with everything but its frames.
    ///
    /// # Errors
    /// The file cannot be written, or `header` contradicts itself.
    pub fn create(path: &Path, header: &NxmxHeader) -> Result<Self, Failure> {
        Self::of_series(path, header, Membership::default())
    }

    /// [`NxmxWriter::create`] for a file of a series.
    pub(super) fn of_series(
        path: &Path,
        header: &NxmxHeader,
        member: Membership<'_>,
    ) -> Result<Self, Failure> {
        let checked = Checked::new(header).map_err(|what| refused(path, &what))?;
        let replacement = Replacement::of(path)?;
        let document = Document { header, checked: &checked, member };
        let (file, arrays) = document
            .begun(&replacement, |group, array| document.frames(group, array))
            .map_err(|error| refused(path, &error))?;
        Ok(Self { path: path.to_owned(), replacement, file, arrays, header: checked, written: 0 })
    }

    /// Adds frames, each of the size of [`NxmxHeader::size`] and slow-major. They are compressed in parallel.
    ///
    /// # Errors
    /// The file cannot be written, a frame has another type or size, there are more frames than the header says, or images are
    /// to be kept beside them, which a [`NxmxSeries`](super::NxmxSeries) does.
    pub fn write(&mut self, frames: &[Pixels<'_>]) -> Result<(), Failure> {
        for batch in frames.chunks(rayon::current_num_threads()) {
            let chunk = |frame| self.header.chunk(frame)?.into_bytes().ok_or_else(|| NO_MEMORY.to_owned());
            let chunks: Vec<_> = batch.par_iter().map(chunk).collect();
            for chunk in chunks {
                self.write_chunks(&[&chunk.map_err(|what| refused(&self.path, &what))?])?;
            }
        }
        Ok(())
    }

    /// Adds a frame that is compressed already: a chunk for each of its arrays.
    pub(super) fn write_chunks(&mut self, chunks: &[&[u8]]) -> Result<(), Failure> {
        if self.written == self.header.frames {
            return Err(refused(&self.path, &format_args!("more frames than {}", self.header.frames)));
        }
        let (given, needed) = (chunks.len(), self.arrays.len());
        if given != needed {
            return Err(refused(&self.path, &format_args!("a frame of {given} images instead of {needed}")));
        }
        // The crate writes a chunk by one call, behind all that is there.
        let bytes = chunks.iter().map(|chunk| chunk.len()).sum();
        self.replacement.lengthen(bytes).map_err(|error| refused(&self.path, &error))?;
        for (array, chunk) in self.arrays.iter().zip(chunks) {
            let written = if self.header.filters.is_empty() {
                array.write_chunk(self.written, chunk)
            } else {
                array.write_chunk_raw(self.written, chunk, 0)
            };
            written.map_err(|error| refused(&self.path, &error))?;
        }
        self.written += 1;
        Ok(())
    }

    /// Completes the file and gives it its name.
    ///
    /// # Errors
    /// The file cannot be written, or frames are missing.
    pub fn close(self) -> Result<(), Failure> {
        let Self { path, replacement, file, arrays, header, written } = self;
        if written < header.frames {
            return Err(refused(&path, &format_args!("{written} of {} frames were made", header.frames)));
        }
        drop(arrays);
        file.close().map_err(|error| refused(&path, &error))?;
        replacement.commit()
    }
}

/// Writes the master of files in the same folder, each given by its name and its number of frames: everything but
/// pixels, and frames that are those of the files, one after the other.
///
/// # Errors
/// The file cannot be written, or `header` contradicts itself.
pub(super) fn write_master(
    path: &Path,
    header: &NxmxHeader,
    member: Membership<'_>,
    files: &[(String, usize)],
) -> Result<(), Failure> {
    let checked = Checked::new(header).map_err(|what| refused(path, &what))?;
    let replacement = Replacement::of(path)?;
    let document = Document { header, checked: &checked, member };
    let write = || {
        let of_files = |group: &H5Group, array: &FrameArray| document.frames_of_files(group, array, files);
        let (file, arrays) = document.begun(&replacement, of_files)?;
        drop(arrays);
        file.close()
    };
    write().map_err(|error| refused(path, &error))?;
    replacement.commit()
}

/// The failure to write a file.
pub(super) fn refused(path: &Path, what: &dyn fmt::Display) -> Failure {
    Failure::output(format!("{}: cannot write: {what}", path.display()))
}

/// Where the frames of a file stand in a series.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Membership<'a> {
    /// The identity of the series; empty: none.
    pub(super) series: &'a str,
    /// The first frame of the file in the series, counted from 0.
    pub(super) first_frame: usize,
}

/// An array with an image of each frame.
#[derive(Debug, Clone)]
pub(super) struct FrameArray {
    pub(super) path: String,
    pub(super) pixel_type: PixelType,
    /// The unit of its pixels; empty: none is stated.
    unit: &'static str,
}

/// A header that makes sense, as far as frames need it.
#[derive(Debug, Clone)]
pub(super) struct Checked {
    /// In the frame of the file.
    geometry: Geometry,
    pub(super) size: [usize; 2],
    pub(super) frames: usize,
    pub(super) pixel_type: PixelType,
    /// The data, and the images that are kept beside them.
    pub(super) arrays: Vec<FrameArray>,
    pub(super) filters: &'static [Filter],
}

impl Checked {
    pub(super) fn new(header: &NxmxHeader) -> Result<Self, String> {
        let size @ [fast, slow] = header.size();
        let pixels = fast.checked_mul(slow).filter(|pixels| (1..=MAX_PIXELS).contains(pixels));
        let pixels = pixels.ok_or_else(|| format!("{fast} x {slow} pixels are not a frame"))?;
        let frames = header.frames;
        if frames == 0 || u32::try_from(frames).is_err() {
            return Err(format!("{frames} frames"));
        }
        if !matches!(header.pixel_type, PixelType::I32 | PixelType::F32) {
            return Err(format!("{:?} pixels", header.pixel_type));
        }
        if header.lowest_count < LOWEST_COUNT {
            return Err(format!("a lowest count of {}", header.lowest_count));
        }
        let lengths = [
            ("wavelengths", header.lambda_m.len(), frames),
            ("pixels of the mask", header.mask.len(), pixels),
            ("orientations", header.truth.orientations.len(), frames),
            ("shots", header.truth.shots.len(), frames),
        ];
        for (what, given, needed) in lengths {
            if given != 0 && given != needed {
                return Err(format!("{given} {what} instead of {needed}"));
            }
        }
        let all = header.lambda_m.iter().chain(&header.geometry.beam.lambda_m);
        if header.geometry.beam.lambda_m.is_none() && header.lambda_m.is_empty() {
            return Err("no wavelength".to_owned());
        }
        if let Some(lambda_m) = all.copied().find(|&lambda_m| !(lambda_m > 0.0 && lambda_m.is_finite())) {
            return Err(format!("a wavelength of {lambda_m} m"));
        }
        if let Some(scan) = header.geometry.scan {
            if scan.frames != frames {
                return Err(format!("a scan of {} frames instead of {frames}", scan.frames));
            }
            if header.geometry.spindle.is_none() {
                return Err("a scan without a spindle".to_owned());
            }
            if !header.lambda_m.is_empty() {
                return Err("a scan with a wavelength for each frame".to_owned());
            }
        }
        let geometry = in_mcstas(&header.geometry)?;
        let vectors = geometry.panels.iter().flat_map(|panel| [panel.origin_m, panel.fast, panel.slow]);
        if vectors.flatten().any(|component| !component.is_finite()) {
            return Err("a panel without a place".to_owned());
        }
        if geometry.panels.iter().any(|panel| panel.sensor != geometry.panels[0].sensor) {
            return Err("panels with different sensors".to_owned());
        }
        let pixel_type = header.pixel_type;
        let mut arrays = vec![FrameArray { path: DATA.to_owned(), pixel_type, unit: "" }];
        for &StageArray { name, unit } in &header.stages {
            let path = format!("{TRUTH}/{STAGES}/{name}");
            let is_word =
                !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if !is_word || arrays.iter().any(|array| array.path == path) {
                return Err(format!("an image named {name:?} beside the data"));
            }
            arrays.push(FrameArray { path, pixel_type: PixelType::F32, unit });
        }
        let filters = header.compression.filters();
        Ok(Self { geometry, size, frames, pixel_type, arrays, filters })
    }

    /// The data of a frame as they are stored.
    pub(super) fn chunk(&self, pixels: &Pixels<'_>) -> Result<StoredChunk, String> {
        self.chunk_of(pixels, self.pixel_type)
    }

    /// An image that is kept beside the data, as it is stored.
    pub(super) fn stage_chunk(&self, pixels: &[f32]) -> Result<StoredChunk, String> {
        self.chunk_of(&Pixels::F32(pixels), PixelType::F32)
    }

    fn chunk_of(&self, pixels: &Pixels<'_>, pixel_type: PixelType) -> Result<StoredChunk, String> {
        let [fast, slow] = self.size;
        let (bytes, count): (&[u8], usize) = match (pixels, pixel_type) {
            (Pixels::I32(counts), PixelType::I32) => (cast_slice(counts), counts.len()),
            (Pixels::F32(photons), PixelType::F32) => (cast_slice(photons), photons.len()),
            _ => {
                let given = pixels.pixel_type();
                return Err(format!("a frame of {given:?} pixels instead of {pixel_type:?}"));
            }
        };
        if count != fast * slow {
            return Err(format!("a frame of {count} pixels instead of {fast} x {slow}"));
        }
        encoded(self.filters, bytes).ok_or_else(|| NO_MEMORY.to_owned())
    }
}

/// A result of the crate.
type Written<T = ()> = Result<T, Hdf5Error>;

/// The content of a file but for its frames.
struct Document<'a> {
    header: &'a NxmxHeader,
    checked: &'a Checked,
    member: Membership<'a>,
}

impl Document<'_> {
    /// Creates the file, and writes everything but frames; `make` makes each of their arrays in its group.
    fn begun(
        &self,
        replacement: &Replacement,
        make: impl Fn(&H5Group, &FrameArray) -> Written<H5Dataset>,
    ) -> Written<(H5File, Vec<H5Dataset>)> {
        // Readable by the HDF5 libraries of all readers.
        let file = H5File::options().libver(LibverBound::Earliest).create(replacement.path())?;
        let arrays = self.write(&file, make)?;
        Ok((file, arrays))
    }

    /// The geometry in the frame of the file.
    fn geometry(&self) -> &Geometry {
        &self.checked.geometry
    }

    /// Writes everything, and returns the arrays of frames.
    fn write(
        &self,
        file: &H5File,
        make: impl Fn(&H5Group, &FrameArray) -> Written<H5Dataset>,
    ) -> Written<Vec<H5Dataset>> {
        let header = self.header;
        file.set_text("NX_class", "NXroot")?;
        file.set_text("default", "entry")?;
        let entry = class(&file.root_group(), "entry", "NXentry")?;
        entry.set_text("default", "data")?;
        text(&entry, "definition", "NXmx")?;
        let start_s = header.unix_time_s;
        let took_s = self.exposure_s().map_or(0.0, |exposure_s| exposure_s * header.frames as f64);
        text(&entry, "start_time", &format!("{}Z", iso_utc(start_s)))?;
        text(&entry, "end_time_estimated", &format!("{}Z", iso_utc(start_s.saturating_add(took_s as u64))))?;
        let source = class(&entry, "source", "NXsource")?;
        text(&source, "name", "simulated")?;
        let data = class(&entry, "data", "NXdata")?;
        data.set_text("signal", "data")?;
        let [of_data, of_stages @ ..] = &self.checked.arrays[..] else { return Ok(Vec::new()) };
        let mut arrays = vec![make(&data, of_data)?];
        self.sample(&entry)?;
        let instrument = class(&entry, "instrument", "NXinstrument")?;
        text(&instrument, "name", "widebragg")?;
        self.beam(&instrument)?;
        self.detector(&instrument)?;
        let truth = self.truth(&entry)?;
        if !of_stages.is_empty() {
            let group = class(&truth, STAGES, "NXcollection")?;
            for stage in of_stages {
                arrays.push(make(&group, stage)?);
            }
        }
        Ok(arrays)
    }

    fn exposure_s(&self) -> Option<f64> {
        self.geometry().scan.and_then(|scan| scan.exposure_s).or(self.header.exposure_s)
    }

    /// An array of frames.
    fn frames(&self, group: &H5Group, array: &FrameArray) -> Written<H5Dataset> {
        let frames = match array.pixel_type {
            PixelType::F32 => self.frames_of(group, array, f32::NAN),
            _ => self.frames_of(group, array, self.gap()),
        };
        with_units(frames?, array.unit)
    }

    /// The count of pixels that were never written.
    fn gap(&self) -> i32 {
        self.header.lowest_count.saturating_sub(1).min(-1)
    }

    fn frames_of<T: H5Type>(&self, group: &H5Group, array: &FrameArray, missing: T) -> Written<H5Dataset> {
        let [fast, slow] = self.checked.size;
        let frames = group.new_dataset::<T>().shape([self.header.frames, slow, fast]).chunk(&[1, slow, fast]);
        let filters = self.header.compression.filters();
        let frames = if filters.is_empty() { frames } else { frames.filter_pipeline(pipeline(filters)) };
        frames.fill_value(missing).create(last_name(&array.path))
    }

    /// An array whose frames are those of other files.
    fn frames_of_files(
        &self,
        group: &H5Group,
        array: &FrameArray,
        files: &[(String, usize)],
    ) -> Written<H5Dataset> {
        let frames = match array.pixel_type {
            PixelType::F32 => self.virtual_frames(group, array, files, f32::NAN),
            _ => self.virtual_frames(group, array, files, self.gap()),
        };
        with_units(frames?, array.unit)
    }

    fn virtual_frames<T: H5Type>(
        &self,
        group: &H5Group,
        array: &FrameArray,
        files: &[(String, usize)],
        missing: T,
    ) -> Written<H5Dataset> {
        let [fast, slow] = self.checked.size;
        let mut frames = group.new_dataset::<T>().shape([self.header.frames, slow, fast]).fill_value(missing);
        let mut first = 0;
        for (name, count) in files {
            // A file may have more frames than are wanted of it.
            let of = |first: usize| {
                let slab = RegularHyperslab {
                    start: vec![first as u64, 0, 0],
                    stride: vec![1; 3],
                    count: vec![1; 3],
                    block: [*count, slow, fast].map(|length| length as u64).to_vec(),
                };
                Selection::Hyperslab { rank: 3, form: Hyperslab::Regular(slab) }
            };
            // A single % would be a place for numbers.
            let name = name.replace('%', "%%");
            frames = frames.virtual_mapping(of(first), &name, &array.path, of(0));
            first += count;
        }
        frames.create(last_name(&array.path))
    }

    fn sample(&self, entry: &H5Group) -> Written {
        let sample = class(entry, "sample", "NXsample")?;
        text(&sample, "name", "simulated")?;
        let (Some(scan), Some(spindle)) = (self.geometry().scan, self.geometry().spindle) else {
            return text(&sample, "depends_on", LABORATORY);
        };
        let axes = class(&sample, "transformations", "NXtransformations")?;
        let angles =
            |shift: usize| -> Vec<f64> { (0..scan.frames).map(|i| angle_deg(scan, i + shift)).collect() };
        let omega = numbers(&axes, "omega", &[scan.frames], &angles(0), "deg")?;
        transform(&omega, "rotation", spindle, LABORATORY, [0.0; 3])?;
        numbers(&axes, "omega_end", &[scan.frames], &angles(1), "deg")?;
        text(&sample, "depends_on", &format!("{ENTRY}/sample/transformations/omega"))
    }

    fn beam(&self, instrument: &H5Group) -> Written {
        let beam = class(instrument, "beam", "NXbeam")?;
        let name = "incident_wavelength";
        let own: Vec<f64> = self.header.lambda_m.iter().map(|lambda_m| lambda_m * 1e10).collect();
        match self.geometry().beam.lambda_m {
            _ if !own.is_empty() => numbers(&beam, name, &[own.len()], &own, "angstrom")?,
            lambda_m => number(&beam, name, lambda_m.unwrap_or(f64::NAN) * 1e10, "angstrom")?,
        };
        if let Some(polarization) = self.geometry().beam.polarization {
            // One row a frame, as the definition asks.
            let rows = vec![stokes(polarization); self.header.frames];
            numbers(&beam, "incident_polarization_stokes", &[rows.len(), 4], rows.as_flattened(), "")?;
        }
        Ok(())
    }

    fn detector(&self, instrument: &H5Group) -> Written {
        let detector = class(instrument, "detector", "NXdetector")?;
        let path = format!("{ENTRY}/instrument/detector");
        text(&detector, "description", "simulated")?;
        text(&detector, "type", "pixel")?;
        let sensor = self.geometry().panels.first().and_then(|panel| panel.sensor.as_ref());
        let material = sensor.and_then(|sensor| sensor.material.as_deref());
        text(&detector, "sensor_material", material.unwrap_or("Si"))?;
        let thickness_m = sensor.map_or(0.0, |sensor| sensor.thickness_m);
        number(&detector, "sensor_thickness", thickness_m.max(THINNEST_SENSOR_M), "m")?;
        if let Some(exposure_s) = self.exposure_s() {
            number(&detector, "count_time", exposure_s, "s")?;
            number(&detector, "frame_time", exposure_s, "s")?;
        }
        self.limits(&detector)?;
        self.mask(&detector)?;
        detector.create_soft_link("data", DATA)?;
        let axes = class(&detector, "transformations", "NXtransformations")?;
        let origin = format!("{path}/transformations/origin");
        axis(&axes, "origin", 0.0, [0.0, 0.0, 1.0], LABORATORY, [0.0; 3])?;
        text(&detector, "depends_on", &origin)?;
        let panels = &self.geometry().panels;
        // Readers take modules in the order of their names.
        let digits = (panels.len() - 1).to_string().len().max(2);
        for (i, panel) in panels.iter().enumerate() {
            let name = if panels.len() == 1 { "module".to_owned() } else { format!("module_{i:0digits$}") };
            module(
                &class(&detector, &name, "NXdetector_module")?,
                panel,
                &format!("{path}/{name}"),
                &origin,
            )?;
        }
        Ok(())
    }

    /// The range of valid counts: from `underload_value` to below `saturation_value`.
    fn limits(&self, detector: &H5Group) -> Written {
        if self.header.pixel_type != PixelType::I32 {
            // Readers make integers of these values.
            return Ok(());
        }
        number(detector, "bit_depth_readout", 32_i32, "")?;
        number(detector, "underload_value", self.header.lowest_count, "")?;
        let most = self.geometry().panels.iter().filter_map(|panel| panel.valid[1]).reduce(f64::max);
        // A cast of floats is the nearest i32.
        let beyond = most.map_or(i32::MAX, |most| (most.floor() + 1.0) as i32);
        number(detector, "saturation_value", beyond, "").map(drop)
    }

    fn mask(&self, detector: &H5Group) -> Written {
        let mask = &self.header.mask;
        if mask.is_empty() {
            return Ok(());
        }
        let [fast, slow] = self.checked.size;
        let filters = Compression::Gzip.filters();
        let chunk = encoded(filters, cast_slice(mask))
            .and_then(StoredChunk::into_bytes)
            .ok_or_else(|| Hdf5Error::InvalidState("no memory for the mask".to_owned()))?;
        let set = detector.new_dataset::<u32>().shape([slow, fast]).chunk(&[slow, fast]);
        set.filter_pipeline(pipeline(filters)).create("pixel_mask")?.write_chunk_raw(0, &chunk, 0)
    }

    /// Writes what the images were computed from, and returns its group.
    fn truth(&self, entry: &H5Group) -> Written<H5Group> {
        let truth = &self.header.truth;
        let group = class(entry, TRUTH.trim_start_matches(ENTRY).trim_start_matches('/'), "NXcollection")?;
        text(&group, "version", env!("CARGO_PKG_VERSION"))?;
        text(&group, "command_line", &truth.command_line)?;
        let Membership { series, first_frame } = self.member;
        if !series.is_empty() {
            text(&group, last_name(SERIES), series)?;
            number(&group, last_name(FIRST_FRAME), first_frame as i64 + 1, "")?;
        }
        // It was computed before, so it can be computed.
        let n = to_mcstas(&self.header.geometry).map_err(Hdf5Error::InvalidState)?;
        matrices(&group, "laboratory_to_mcstas", &[3, 3], &[n], "")?;
        if let Some(crystal) = &self.geometry().crystal {
            matrices(&group, "a_matrix", &[3, 3], &[crystal.a_matrix], "1/angstrom")?;
            let at_frames = &crystal.a_at_frames;
            if !at_frames.is_empty() {
                matrices(&group, "a_matrix_at_frames", &[at_frames.len(), 3, 3], at_frames, "1/angstrom")?;
            }
            if let Some(space_group) = &crystal.space_group {
                text(&group, "space_group", space_group)?;
            }
        }
        if !truth.orientations.is_empty() {
            let turned: Vec<Matrix> = truth.orientations.iter().map(|a| product(n, *a)).collect();
            matrices(&group, "orientation", &[turned.len(), 3, 3], &turned, "1/angstrom")?;
        }
        if let Some(cell) = truth.cell {
            numbers(&group, "unit_cell", &[6], &cell, "")?;
        }
        if let Some(modes) = &truth.gain_modes {
            write_gain_modes(&group, modes)?;
        }
        write_spectra(&group, &truth.spectra)?;
        write_shots(&group, &truth.shots)?;
        let crystals = &truth.crystals;
        if !crystals.is_empty() {
            let count = crystals.len();
            let frames: Vec<f64> = crystals.iter().map(|crystal| crystal.frame as f64).collect();
            let turned: Vec<Matrix> = crystals.iter().map(|crystal| product(n, crystal.a_matrix)).collect();
            let weights: Vec<f64> = crystals.iter().map(|crystal| crystal.weight).collect();
            let cells: Vec<f64> = crystals.iter().flat_map(|crystal| crystal.cells).collect();
            numbers(&group, "crystal_frame", &[count], &frames, "")?;
            matrices(&group, "crystal_a_matrix", &[count, 3, 3], &turned, "1/angstrom")?;
            numbers(&group, "crystal_weight", &[count], &weights, "")?;
            numbers(&group, "crystal_cells", &[count, 3], &cells, "")?;
        }
        Ok(group)
    }
}

fn write_gain_modes(group: &H5Group, modes: &TrueGainModes) -> Written {
    let TrueGainModes { codes, adu_per_kev, pedestals_adu, readouts_adu, switch_kev } = modes;
    numbers(group, "gain_mode_code", &[3], codes, "")?;
    numbers(group, "gain_mode_adu_per_kev", &[3], adu_per_kev, "1/keV")?;
    numbers(group, "gain_mode_pedestal", &[3], pedestals_adu, "")?;
    numbers(group, "gain_mode_readout", &[3], readouts_adu, "")?;
    numbers(group, "gain_mode_switch", &[2], switch_kev, "keV").map(drop)
}

/// Writes spectra one after another, with the number of each line's if there are several.
fn write_spectra(group: &H5Group, spectra: &[Vec<(f64, f64)>]) -> Written {
    let lines =
        || (1..).zip(spectra).flat_map(|(number, lines)| lines.iter().map(move |line| (number, line)));
    let (lambda, weight): (Vec<f64>, Vec<f64>) = lines().map(|(_, (m, weight))| (m * 1e10, *weight)).unzip();
    if lambda.is_empty() {
        return Ok(());
    }
    numbers(group, "spectrum_wavelength", &[lambda.len()], &lambda, "angstrom")?;
    numbers(group, "spectrum_weight", &[weight.len()], &weight, "")?;
    if spectra.len() > 1 {
        let of_lines: Vec<f64> = lines().map(|(number, _)| f64::from(number)).collect();
        numbers(group, "spectrum_number", &[of_lines.len()], &of_lines, "")?;
    }
    Ok(())
}

fn write_shots(group: &H5Group, shots: &[TrueShot]) -> Written {
    if shots.is_empty() {
        return Ok(());
    }
    let fluence: Vec<f64> = shots.iter().map(|shot| shot.fluence_per_m2).collect();
    let shift: Vec<f64> = shots.iter().flat_map(|shot| shot.shift_m).collect();
    let spectrum: Vec<f64> = shots.iter().map(|shot| shot.spectrum as f64).collect();
    numbers(group, "shot_fluence", &[shots.len()], &fluence, "1/m^2")?;
    numbers(group, "shot_detector_shift", &[shots.len(), 2], &shift, "m")?;
    numbers(group, "shot_spectrum", &[shots.len()], &spectrum, "")?;
    Ok(())
}

/// The name of an object in its group.
fn last_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The angle at the start of a frame.
fn angle_deg(scan: Scan, frame: usize) -> f64 {
    scan.start_deg + frame as f64 * scan.width_deg
}

/// I, Q, U, V of a beam of intensity 1. Q is the excess along x over y, U that at 45 degrees, both in the frame of
/// McStas.
fn stokes(polarization: Polarization) -> [f64; 4] {
    let [x, y, _] = polarization.electric_vector;
    let twice_rad = 2.0 * y.atan2(x);
    let k = polarization.kahn_factor;
    [1.0, k * twice_rad.cos(), k * twice_rad.sin(), 0.0]
}

/// A panel.
fn module(group: &H5Group, panel: &Panel, path: &str, origin: &str) -> Written {
    let pair = |[fast, slow]: [usize; 2]| [slow as i64, fast as i64];
    numbers(group, "data_origin", &[2], &pair(panel.data_origin), "")?;
    numbers(group, "data_size", &[2], &pair(panel.pixels), "")?;
    axis(group, "module_offset", 0.0, [0.0, 0.0, 1.0], origin, panel.origin_m)?;
    let here = format!("{path}/module_offset");
    axis(group, "fast_pixel_direction", panel.pixel_m[0], panel.fast, &here, [0.0; 3])?;
    axis(group, "slow_pixel_direction", panel.pixel_m[1], panel.slow, &here, [0.0; 3])
}

/// A translation by `value_m` along `vector`.
fn axis(
    group: &H5Group,
    name: &str,
    value_m: f64,
    vector: Vector,
    depends_on: &str,
    offset_m: Vector,
) -> Written {
    transform(&number(group, name, value_m, "m")?, "translation", vector, depends_on, offset_m)
}

/// The attributes of a transformation.
fn transform(set: &H5Dataset, kind: &str, vector: Vector, depends_on: &str, offset_m: Vector) -> Written {
    set.set_text("transformation_type", kind)?;
    set.set_text("depends_on", depends_on)?;
    set.set_text("offset_units", "m")?;
    set.new_attr::<f64>().shape([3]).create("vector")?.write_array(&vector)?;
    set.new_attr::<f64>().shape([3]).create("offset")?.write_array(&offset_m)
}

fn matrices(group: &H5Group, name: &str, shape: &[usize], values: &[Matrix], units: &str) -> Written {
    let flat: &[f64] = cast_slice(values);
    numbers(group, name, shape, flat, units).map(drop)
}
