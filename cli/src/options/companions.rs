//! The options of nanoBragg's companions, as they store them: SI units, defaults filled in.

use core::f64::consts::PI;
use std::path::PathBuf;

use widebragg::defaults;
use widebragg::detector::Pivot;
use widebragg::noise::point_spread::Shape;
use widebragg::rotation::PhiMode;
use widebragg_formats::stol::Abscissa;

/// Options of `widebragg noisify`.
#[derive(Debug, Clone, PartialEq)]
pub struct NoisifyOptions {
    /// Raw f32 photons.
    pub float_file: Option<PathBuf>,
    /// File whose SMV header is copied.
    pub header_file: Option<PathBuf>,
    /// File of the image without noise.
    pub int_file: PathBuf,
    /// File of the preview.
    pub pgm_file: PathBuf,
    /// File of the image with noise.
    pub noise_file: PathBuf,
    /// Whether there is an image with noise.
    pub has_noise: bool,
    /// Whether there is a preview.
    pub has_pgm: bool,
    /// Bits of a stored pixel.
    pub bits: i32,
    /// Factor on the input.
    pub scale: f64,
    /// Photons per m^2.
    pub fluence_per_m2: f64,
    /// ADU for each photon.
    pub gain: f64,
    /// ADU of a pixel without photons.
    pub offset_adu: f64,
    /// Rms noise of the readout, in ADU.
    pub readout_adu: f64,
    /// Relative rms deviation of the source.
    pub flicker: f64,
    /// Relative rms deviation of the pixels.
    pub calibration: f64,
    /// Seed of all but the calibration; `None`: the time.
    pub seed: Option<i64>,
    /// Seed of the calibration.
    pub calibration_seed: i64,
    /// Point spread.
    pub spread: Option<Shape>,
    /// Its full width at half maximum, in m.
    pub spread_width_m: f32,
    /// Its radius in pixels; 0: one for each pixel.
    pub spread_radius_px: i32,
    /// Pixels along the fast and the slow axis; 0: not given.
    pub pixels: [i32; 2],
    /// Size of the detector along the fast and the slow axis, in m.
    pub size_m: [f64; 2],
    /// Edge of a pixel, in m.
    pub pixel_m: f64,
    /// Beam centre for the header, in m.
    pub beam_centre_m: [Option<f64>; 2],
    /// Distance for the header, in m.
    pub distance_m: f64,
    /// Wavelength for the header, in Angstrom.
    pub lambda_angstrom: f64,
    /// Phi for the header, in degrees.
    pub phi_deg: f64,
    /// Oscillation for the header, in degrees.
    pub osc_deg: f64,
    /// Whether the noise is that of noisify, or of spec.
    pub mode: PhiMode,
    /// Worker threads; `None`: all cores.
    pub threads: Option<usize>,
    /// Whether nothing is printed on standard output.
    pub quiet: bool,
    /// Lines for standard error.
    pub notes: Vec<String>,
}

impl Default for NoisifyOptions {
    fn default() -> Self {
        Self {
            float_file: None,
            header_file: None,
            int_file: "intimage.img".into(),
            pgm_file: "image.pgm".into(),
            noise_file: "noiseimage.img".into(),
            has_noise: true,
            has_pgm: true,
            bits: 16,
            scale: 1.0,
            fluence_per_m2: defaults::FLUENCE_PER_M2,
            gain: 1.0,
            offset_adu: 40.0,
            readout_adu: 0.0,
            flicker: 0.0,
            calibration: 0.03,
            seed: None,
            calibration_seed: -123_456_789,
            spread: None,
            spread_width_m: 46e-6,
            spread_radius_px: 0,
            pixels: [0; 2],
            size_m: [defaults::DETECTOR_SIZE_M; 2],
            pixel_m: defaults::PIXEL_M,
            beam_centre_m: [None; 2],
            distance_m: defaults::DISTANCE_M,
            lambda_angstrom: 1.0,
            phi_deg: 0.0,
            osc_deg: 1.0,
            mode: PhiMode::CParity,
            threads: None,
            quiet: false,
            notes: Vec::new(),
        }
    }
}

/// A table of structure factors for `widebragg nonbragg`.
#[derive(Debug, Clone, PartialEq)]
pub struct RadialFile {
    /// The file.
    pub path: PathBuf,
    /// Its first column.
    pub abscissa: Abscissa,
}

impl RadialFile {
    /// Factor from the first column to sin(theta)/lambda in 1/m, rounded as nonBragg rounds it.
    #[must_use]
    pub fn per_m(&self) -> f64 {
        match self.abscissa {
            Abscissa::S => 1e10,
            Abscissa::FourS => 1e10 / 4.0,
            Abscissa::Q => 1e10 / PI / 4.0,
        }
    }
}

/// Options of `widebragg nonbragg`. `None`: not given, so that the header of `-img` or a default counts.
#[derive(Debug, Clone, PartialEq)]
pub struct NonbraggOptions {
    /// Structure factors.
    pub table: Option<RadialFile>,
    /// Image that structure factors are extracted from.
    pub image: Option<PathBuf>,
    /// Pixels of that image with these values are left out.
    pub ignored: Vec<u16>,
    /// File of the extracted structure factors.
    pub table_out: PathBuf,
    /// Sources.
    pub source_file: Option<PathBuf>,
    /// File of the image as floats.
    pub float_file: PathBuf,
    /// File of the image as integers.
    pub int_file: PathBuf,
    /// File of the preview.
    pub pgm_file: PathBuf,
    /// File of the image with noise.
    pub noise_file: PathBuf,
    /// Whether there is an image with noise.
    pub has_noise: bool,
    /// Edges of the sample along the beam and across it, in m.
    pub sample_m: [f64; 3],
    /// Density, in g/m^3.
    pub density_g_per_m3: f64,
    /// Number of molecules; 0: from the density.
    pub molecules: f64,
    /// Molecular weight, in g/mol.
    pub molecular_weight: f64,
    /// Photons per m^2.
    pub fluence_per_m2: f64,
    /// Photons per s.
    pub flux_per_s: f64,
    /// Exposure, in s.
    pub exposure_s: f64,
    /// Edge of the beam, in m.
    pub beamsize_m: f64,
    /// Wavelength, in m.
    pub lambda_m: Option<f64>,
    /// Wavelength spread, as a fraction, and its steps.
    pub dispersion: (f64, i32),
    /// Horizontal divergence in rad: range, step and steps.
    pub hdiv: (f64, f64, i32),
    /// Vertical divergence.
    pub vdiv: (f64, f64, i32),
    /// Whether the corners of the divergence are left out.
    pub round_div: bool,
    /// Distance of sources whose place is not given, in m.
    pub source_distance_m: f64,
    /// Kahn's polarisation factor; `None`: no polarisation.
    pub kahn: Option<f64>,
    /// Pixels along the fast and the slow axis; 0: from the size.
    pub pixels: [Option<i32>; 2],
    /// Size of the detector along the fast and the slow axis, in m.
    pub size_m: [Option<f64>; 2],
    /// Edge of a pixel, in m.
    pub pixel_m: Option<f64>,
    /// Distance along the beam, in m.
    pub distance_m: Option<f64>,
    /// Distance along the normal, in m.
    pub close_distance_m: Option<f64>,
    /// Beam centre along fast and slow, in m.
    pub beam_centre_m: [Option<f64>; 2],
    /// Foot of the normal along fast and slow, in m.
    pub close_m: [Option<f64>; 2],
    /// The same in pixels.
    pub org_px: [Option<f64>; 2],
    /// What rotations leave in place.
    pub pivot: Pivot,
    /// Rotations about x, y, z, in rad.
    pub rotation_rad: [f64; 3],
    /// Swing, in rad.
    pub twotheta_rad: f64,
    /// Axis of the swing.
    pub twotheta_axis: [f64; 3],
    /// Fast axis.
    pub fast: [f64; 3],
    /// Slow axis.
    pub slow: [f64; 3],
    /// Beam direction.
    pub beam: [f64; 3],
    /// Polarisation axis.
    pub polarization: [f64; 3],
    /// Whether pixels are points.
    pub point_pixel: bool,
    /// Whether the detector is curved.
    pub curved: bool,
    /// Subpixels along each axis.
    pub oversample: i32,
    /// Region of interest: first and last pixel along fast and slow; below 0: not given.
    pub roi: [i32; 4],
    /// Whether pixels are structure factors.
    pub is_map: bool,
    /// Factor of the integers; not above 0: from the brightest pixel.
    pub int_scale: f64,
    /// Factor of the preview; not above 0: from the deviations.
    pub pgm_scale: f64,
    /// ADU of a pixel without photons.
    pub offset_adu: f64,
    /// ADU for each photon, of the image that is extracted from.
    pub gain: f64,
    /// Phi for the header, in rad.
    pub phi0_rad: Option<f64>,
    /// Oscillation for the header, in rad.
    pub osc_rad: Option<f64>,
    /// Step of phi, in rad, and their number, from which a missing oscillation follows.
    pub phi_steps: (f64, i32),
    /// Seed of the noise; `None`: the time.
    pub seed: Option<i64>,
    /// Whether the photons are those of nonBragg, or of spec.
    pub mode: PhiMode,
    /// Worker threads; `None`: all cores.
    pub threads: Option<usize>,
    /// Whether nothing is printed on standard output.
    pub quiet: bool,
    /// Lines for standard error.
    pub notes: Vec<String>,
}

impl Default for NonbraggOptions {
    fn default() -> Self {
        Self {
            table: None,
            image: None,
            ignored: Vec::new(),
            table_out: "output.stol".into(),
            source_file: None,
            float_file: "floatimage.bin".into(),
            int_file: "intimage.img".into(),
            pgm_file: "image.pgm".into(),
            noise_file: "noiseimage.img".into(),
            has_noise: true,
            sample_m: [1e-4; 3],
            density_g_per_m3: 1e6,
            molecules: 0.0,
            molecular_weight: 18.0,
            fluence_per_m2: defaults::FLUENCE_PER_M2,
            flux_per_s: defaults::FLUX_PER_S,
            exposure_s: defaults::EXPOSURE_S,
            beamsize_m: defaults::BEAMSIZE_M,
            lambda_m: None,
            dispersion: (0.0, -1),
            hdiv: (-1.0, -1.0, -1),
            vdiv: (-1.0, -1.0, -1),
            round_div: true,
            source_distance_m: 10.0,
            kahn: Some(defaults::KAHN),
            pixels: [None; 2],
            size_m: [None; 2],
            pixel_m: None,
            distance_m: None,
            close_distance_m: None,
            beam_centre_m: [None; 2],
            close_m: [None; 2],
            org_px: [None; 2],
            pivot: Pivot::Beam,
            rotation_rad: [0.0; 3],
            twotheta_rad: 0.0,
            twotheta_axis: [0.0, 1.0, 0.0],
            fast: [0.0, 0.0, 1.0],
            slow: [0.0, -1.0, 0.0],
            beam: [1.0, 0.0, 0.0],
            polarization: [0.0, 0.0, 1.0],
            point_pixel: false,
            curved: false,
            oversample: -1,
            roi: [-1; 4],
            is_map: false,
            int_scale: 0.0,
            pgm_scale: 0.0,
            offset_adu: 40.0,
            gain: 1.0,
            phi0_rad: None,
            osc_rad: None,
            phi_steps: (-1.0, -1),
            seed: None,
            mode: PhiMode::CParity,
            threads: None,
            quiet: false,
            notes: Vec::new(),
        }
    }
}
