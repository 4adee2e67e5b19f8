//! The reference's command line: options with a single dash, each followed by its values. Later options
//! override earlier ones.
//!
//! Lengths become metres, angles radians, percentages fractions. Header values of `-mask`, then of `-img`,
//! are applied before the first option. Options set the pivot in the order in which they appear; only the
//! CUSTOM convention uses it.

use super::Mode;
use super::input::{Smv, finite};
use super::sampling::Request;
use super::vector::Vector;
use core::f64::consts::PI;
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// Radians in a degree.
pub(super) const DEGREE: f64 = PI / 180.0;

/// Crystal shape, which decides F_latt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Parallelepiped: sincg on each axis.
    Square,
    /// Sphere: sinc3.
    Round,
    /// Gaussian spots.
    Gauss,
    /// Spots of constant height.
    Tophat,
}

/// Detector and beam convention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of programs")]
pub enum Convention {
    Mosflm,
    Xds,
    Adxv,
    Denzo,
    Dials,
    Custom,
}

/// The point about which the detector rotates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pivot {
    /// The direct-beam position.
    Beam,
    /// The sample.
    Sample,
}

/// Vectors given on the command line, which the CUSTOM convention uses.
#[derive(Clone, Copy, Debug, Default)]
#[expect(missing_docs, reason = "named as the options are")]
pub struct Vectors {
    pub fdet: Option<Vector>,
    pub sdet: Option<Vector>,
    pub odet: Option<Vector>,
    pub beam: Option<Vector>,
    pub polar: Option<Vector>,
    pub spindle: Option<Vector>,
    pub twotheta: Option<Vector>,
}

/// A parsed command line in SI units. A value is `None` where no option sets it.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "named as the options are")]
pub struct Command {
    pub pixel: f64,
    pub detpixels: [Option<i64>; 2],
    pub detsize: [Option<f64>; 2],
    pub distance: Option<f64>,
    pub close_distance: Option<f64>,
    pub Xbeam: Option<f64>,
    pub Ybeam: Option<f64>,
    pub Xclose: Option<f64>,
    pub Yclose: Option<f64>,
    pub ORGX: Option<f64>,
    pub ORGY: Option<f64>,
    pub twotheta: f64,
    pub rotation: Vector,
    pub pivot: Pivot,
    pub convention: Convention,
    pub vectors: Vectors,
    pub point_pixel: bool,
    pub curved_det: bool,
    /// Attenuation depth; infinite for the values `inf` and 0.
    pub detector_abs: Option<f64>,
    pub thickness: Request,
    /// The swing, radians, and pivot that the reference takes from `-twotheta_axis` where no `-twotheta` follows.
    pub swing_of_axis: Option<(f64, Pivot)>,
    /// Whether the last thickness stands after an infinite attenuation depth, which only the reference heeds.
    pub thick_after_infinite_depth: bool,
    pub mask: Option<Vec<u16>>,
    /// Size (fast, slow) of the mask.
    pub mask_size: [i64; 2],
    pub roi: Option<[i64; 4]>,

    pub matrix: Option<PathBuf>,
    /// Lengths in Angstrom, angles in radians.
    pub cell: Option<[f64; 6]>,
    pub misset: Vector,
    pub misset_random: bool,
    pub misset_seed: Option<i32>,
    pub N: [i64; 3],
    pub sample: Vector,
    pub shape: Shape,
    pub fudge: f64,
    pub mosaic: Option<f64>,
    pub mosaic_domains: Option<i64>,
    pub mosaic_seed: i32,

    pub hkl: Option<PathBuf>,
    pub dump: PathBuf,
    pub default_F: f64,
    pub interpolate: Option<bool>,

    pub lambda: f64,
    pub dispersion: Request,
    pub hdiv: Request,
    pub vdiv: Request,
    pub round_div: bool,
    pub sourcefile: Option<PathBuf>,
    pub polar: f64,
    pub nopolar: bool,
    pub fluence: f64,
    pub flux: f64,
    pub exposure: f64,
    pub beamsize: f64,
    pub water: f64,

    pub oversample: i64,
    pub oversample_thick: bool,
    pub oversample_polar: bool,
    pub oversample_omega: bool,
    pub phi0: f64,
    pub phi: Request,
    pub dmin: f64,

    pub scale: f64,
    pub adc: f64,
    pub pgmscale: f64,
    pub seed: Option<i32>,
}

impl Default for Command {
    fn default() -> Self {
        Command {
            pixel: 1e-4,
            detpixels: [None; 2],
            detsize: [None; 2],
            distance: None,
            close_distance: None,
            Xbeam: None,
            Ybeam: None,
            Xclose: None,
            Yclose: None,
            ORGX: None,
            ORGY: None,
            twotheta: 0.0,
            rotation: [0.0; 3],
            pivot: Pivot::Beam,
            convention: Convention::Mosflm,
            vectors: Vectors::default(),
            point_pixel: false,
            curved_det: false,
            detector_abs: None,
            thickness: Request { range: Some(0.0), ..Request::default() },
            thick_after_infinite_depth: false,
            swing_of_axis: None,
            mask: None,
            mask_size: [0; 2],
            roi: None,
            matrix: None,
            cell: None,
            misset: [0.0; 3],
            misset_random: false,
            misset_seed: None,
            N: [1; 3],
            sample: [0.0; 3],
            shape: Shape::Square,
            fudge: 1.0,
            mosaic: None,
            mosaic_domains: None,
            mosaic_seed: -12345678,
            hkl: None,
            dump: PathBuf::from("Fdump.bin"),
            default_F: 0.0,
            interpolate: None,
            lambda: 1e-10,
            dispersion: Request { range: Some(0.0), ..Request::default() },
            hdiv: Request::default(),
            vdiv: Request::default(),
            round_div: true,
            sourcefile: None,
            polar: 0.0,
            nopolar: false,
            fluence: 1.259_320_152_862_270_9e29,
            flux: 0.0,
            exposure: 1.0,
            beamsize: 1e-4,
            water: 0.0,
            oversample: -1,
            oversample_thick: false,
            oversample_polar: false,
            oversample_omega: false,
            phi0: 0.0,
            phi: Request::default(),
            dmin: 0.0,
            scale: 0.0,
            adc: 40.0,
            pgmscale: 0.0,
            seed: None,
        }
    }
}

/// Prefixes by which the reference recognises an option, and the option's name. No word matches two of them.
const PREFIXES: [(&str, &str); 12] = [
    ("-mat", "-mat"),
    ("-wave", "-lambda"),
    ("-mosaici", "-mosaic"),
    ("-mosaic_spr", "-mosaic"),
    ("-mosaic_dom", "-mosaic_domains"),
    ("-detector_abs", "-detector_abs"),
    ("-sample_heigh", "-sample_z"),
    ("-xtal_heigh", "-sample_z"),
    ("-heigh", "-sample_z"),
    ("-sample_den", "-density"),
    ("-molec", "-MW"),
    ("-dump", "-dump"),
];

/// The canonical name of an option or alias; any other word as it is.
pub fn canonical(word: &str) -> &str {
    match word {
        "-sample_size" | "-xtalsize" | "-xtal_size" => "-samplesize",
        "-sample_thick" | "-xtal_x" | "-xtal_thick" => "-sample_x",
        "-sample_width" | "-xtal_y" | "-xtal_width" | "-width" => "-sample_y",
        "-xtal_z" => "-sample_z",
        "-binary_spots" => "-tophat_spots",
        "-detpixels_x" => "-detpixels_f",
        "-detpixels_y" => "-detpixels_s",
        "-detsize_x" => "-detsize_f",
        "-detsize_y" => "-detsize_s",
        "-pix0_vector_mm" => "-pix0_vector",
        "-thicksteps" => "-detector_thicksteps",
        "-floatimage" => "-floatfile",
        "-intimage" => "-intfile",
        "-noiseimage" => "-noisefile",
        "-pgmimage" => "-pgmfile",
        _ => PREFIXES.iter().find(|(prefix, _)| word.starts_with(prefix)).map_or(word, |&(_, name)| name),
    }
}

/// The arguments that are not parsed yet, and the option being parsed.
struct Words<'a> {
    words: &'a [String],
    option: &'a str,
}

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }

    fn value(&mut self) -> Result<&'a str, String> {
        self.next().ok_or_else(|| format!("{}: a value is missing", self.option))
    }

    fn number(&mut self) -> Result<f64, String> {
        finite(self.value()?).map_err(|error| format!("{}: {error}", self.option))
    }

    fn vector(&mut self) -> Result<Vector, String> {
        Ok([self.number()?, self.number()?, self.number()?])
    }

    fn integer(&mut self) -> Result<i64, String> {
        let word = self.value()?;
        let value: Option<i32> = word.parse().ok();
        value.map(i64::from).ok_or_else(|| format!("{}: '{word}' is not an integer", self.option))
    }

    /// A seed in 32 bits, negated as in the reference, so that its generator initialises for one above 0.
    fn seed(&mut self) -> Result<i32, String> {
        let word = self.value()?;
        let value: Option<i64> = word.parse().ok();
        let value = value.ok_or_else(|| format!("{}: '{word}' is not an integer", self.option))?;
        Ok((value as i32).wrapping_neg())
    }

    /// One to six numbers, ended by the next argument that starts with a dash.
    fn cell(&mut self) -> Result<[f64; 6], String> {
        let mut given = Vec::new();
        while given.len() < 6 && self.words.first().is_some_and(|word| !word.starts_with('-')) {
            given.push(self.number()?);
        }
        let &a = given.first().ok_or("-cell: a value is missing")?;
        let length = |at: usize| given.get(at).copied().unwrap_or(a);
        let angle = |at: usize| given.get(at).copied().unwrap_or(90.0) * DEGREE;
        Ok([a, length(1), length(2), angle(3), angle(4), angle(5)])
    }
}

impl Command {
    /// Parses a command line. File names are relative to `dir`.
    ///
    /// # Errors
    /// When an option is unknown, a value is missing or not a number, or a header cannot be read.
    pub fn parse(args: &[String], dir: &Path) -> Result<Command, String> {
        let mut command = Command::default();
        for name in ["-mask", "-img"] {
            for pair in args.windows(2).filter(|pair| pair[0] == name) {
                command.apply_header(Smv::read(&dir.join(&pair[1]))?, name == "-mask")?;
            }
        }
        let mut words = Words { words: args, option: "" };
        while let Some(word) = words.next() {
            words.option = word;
            command.apply(canonical(word), &mut words, dir)?;
        }
        Ok(command)
    }

    fn apply_header(&mut self, image: Smv, is_mask: bool) -> Result<(), String> {
        let mm = |key: &str| image.number(key).map(|value| value.map(|x| x / 1000.0));
        self.detpixels = [image.number("SIZE1")?.map(|n| n as i64), image.number("SIZE2")?.map(|n| n as i64)];
        self.pixel = mm("PIXEL_SIZE")?.unwrap_or(self.pixel);
        self.distance = mm("DISTANCE")?.or(self.distance);
        self.close_distance = mm("CLOSE_DISTANCE")?.or(self.close_distance);
        self.lambda = image.number("WAVELENGTH")?.map_or(self.lambda, |x| x * 1e-10);
        self.Xbeam = mm("BEAM_CENTER_X")?.or(self.Xbeam);
        if let Some(y) = mm("BEAM_CENTER_Y")? {
            // In a mask's header the beam centre is measured from the opposite edge.
            let height = self.detpixels[1].unwrap_or(0) as f64 * self.pixel;
            self.Ybeam = Some(if is_mask { height - y } else { y });
        }
        self.ORGX = image.number("ORGX")?.or(self.ORGX);
        self.ORGY = image.number("ORGY")?.or(self.ORGY);
        self.phi0 = image.number("PHI")?.map_or(self.phi0, |x| x * DEGREE);
        self.phi.range = image.number("OSC_RANGE")?.map(|x| x * DEGREE).or(self.phi.range);
        if is_mask {
            self.mask_size = self.detpixels.map(|n| n.unwrap_or(0));
            self.mask = Some(image.pixels);
        }
        Ok(())
    }

    fn apply(&mut self, name: &str, words: &mut Words<'_>, dir: &Path) -> Result<(), String> {
        const MM: f64 = 1000.0;
        match name {
            // Crystal.
            "-mat" => self.matrix = Some(dir.join(words.value()?)),
            "-cell" => self.cell = Some(words.cell()?),
            "-misset" if words.words.first().is_some_and(|word| word == "random") => {
                words.next();
                self.misset_random = true;
            }
            "-misset" => self.misset = words.vector()?.map(|x| x * DEGREE),
            "-misset_seed" => self.misset_seed = Some(words.seed()?),
            "-N" => self.N = [words.integer()?; 3],
            "-Na" => self.N[0] = words.integer()?,
            "-Nb" => self.N[1] = words.integer()?,
            "-Nc" => self.N[2] = words.integer()?,
            "-samplesize" => self.sample = [words.number()? / MM; 3],
            "-sample_x" => self.sample[0] = words.number()? / MM,
            "-sample_y" => self.sample[1] = words.number()? / MM,
            "-sample_z" => self.sample[2] = words.number()? / MM,
            "-square_xtal" => self.shape = Shape::Square,
            "-round_xtal" => self.shape = Shape::Round,
            "-gauss_xtal" => self.shape = Shape::Gauss,
            "-tophat_spots" => self.shape = Shape::Tophat,
            "-fudge" => self.fudge = words.number()?,
            "-mosaic" => self.mosaic = Some(words.number()? * DEGREE),
            "-mosaic_domains" => self.mosaic_domains = Some(words.integer()?),
            "-mosaic_seed" => self.mosaic_seed = words.seed()?,
            "-density" | "-MW" => {
                words.number()?;
            }
            // Structure factors.
            "-hkl" => self.hkl = Some(dir.join(words.value()?)),
            "-dump" => self.dump = PathBuf::from(words.value()?),
            "-default_F" => self.default_F = words.number()?,
            "-interpolate" => self.interpolate = Some(true),
            "-nointerpolate" => self.interpolate = Some(false),
            // Beam.
            "-lambda" => self.lambda = words.number()? * 1e-10,
            "-energy" => self.lambda = (12398.42 / words.number()?) * 1e-10,
            "-dispersion" => self.dispersion.range = Some(words.number()? / 100.0),
            "-dispsteps" => self.dispersion.count = Some(words.integer()?),
            "-divergence" => {
                self.hdiv.range = Some(words.number()? / 1000.0);
                self.vdiv.range = self.hdiv.range;
            }
            "-hdivrange" => self.hdiv.range = Some(words.number()? / 1000.0),
            "-vdivrange" => self.vdiv.range = Some(words.number()? / 1000.0),
            "-hdivstep" => self.hdiv.step = Some(words.number()? / 1000.0),
            "-vdivstep" => self.vdiv.step = Some(words.number()? / 1000.0),
            "-hdivsteps" => self.hdiv.count = Some(words.integer()?),
            "-vdivsteps" => self.vdiv.count = Some(words.integer()?),
            "-divsteps" => {
                self.hdiv.count = Some(words.integer()?);
                self.vdiv.count = self.hdiv.count;
            }
            "-round_div" => self.round_div = true,
            "-square_div" => self.round_div = false,
            "-sourcefile" => self.sourcefile = Some(dir.join(words.value()?)),
            "-polar" => {
                self.polar = words.number()?;
                self.nopolar = false;
            }
            "-nopolar" => self.nopolar = true,
            "-fluence" => self.fluence = words.number()?,
            "-flux" => self.flux = words.number()?,
            "-exposure" => self.exposure = words.number()?,
            "-beamsize" => self.beamsize = words.number()? / MM,
            "-water" => self.water = words.number()? * 1e-6,
            // Detector.
            "-pixel" => self.pixel = words.number()? / MM,
            "-detpixels" => self.detpixels = [Some(words.integer()?); 2],
            "-detpixels_f" => self.detpixels[0] = Some(words.integer()?),
            "-detpixels_s" => self.detpixels[1] = Some(words.integer()?),
            "-detsize" => self.detsize = [Some(words.number()? / MM); 2],
            "-detsize_f" => self.detsize[0] = Some(words.number()? / MM),
            "-detsize_s" => self.detsize[1] = Some(words.number()? / MM),
            "-distance" => self.placed(Pivot::Beam, words, |c, x| c.distance = Some(x / MM))?,
            "-Xbeam" => self.placed(Pivot::Beam, words, |c, x| c.Xbeam = Some(x / MM))?,
            "-Ybeam" => self.placed(Pivot::Beam, words, |c, x| c.Ybeam = Some(x / MM))?,
            "-close_distance" => self.placed(Pivot::Sample, words, |c, x| c.close_distance = Some(x / MM))?,
            "-Xclose" => self.placed(Pivot::Sample, words, |c, x| c.Xclose = Some(x / MM))?,
            "-Yclose" => self.placed(Pivot::Sample, words, |c, x| c.Yclose = Some(x / MM))?,
            "-ORGX" => self.placed(Pivot::Sample, words, |c, x| c.ORGX = Some(x))?,
            "-ORGY" => self.placed(Pivot::Sample, words, |c, x| c.ORGY = Some(x))?,
            "-twotheta" => {
                self.placed(Pivot::Sample, words, |c, x| c.twotheta = x * DEGREE)?;
                self.swing_of_axis = None;
            }
            "-detector_rotx" => self.rotation[0] = words.number()? * DEGREE,
            "-detector_roty" => self.rotation[1] = words.number()? * DEGREE,
            "-detector_rotz" => self.rotation[2] = words.number()? * DEGREE,
            "-pivot" => {
                let pivot = match words.value()? {
                    "beam" => Pivot::Beam,
                    "sample" => Pivot::Sample,
                    other => return Err(format!("-pivot: '{other}' is neither beam nor sample")),
                };
                self.set_pivot(pivot);
            }
            "-mosflm" => self.named(Convention::Mosflm, Pivot::Beam),
            "-xds" => self.named(Convention::Xds, Pivot::Sample),
            "-adxv" => self.named(Convention::Adxv, Pivot::Beam),
            "-denzo" => self.named(Convention::Denzo, Pivot::Beam),
            "-dials" => self.named(Convention::Dials, Pivot::Beam),
            "-fdet_vector" => self.vectors.fdet = self.custom(words)?,
            "-sdet_vector" => self.vectors.sdet = self.custom(words)?,
            "-odet_vector" => self.vectors.odet = self.custom(words)?,
            "-beam_vector" => self.vectors.beam = self.custom(words)?,
            "-polar_vector" => self.vectors.polar = self.custom(words)?,
            "-spindle_axis" => self.vectors.spindle = self.custom(words)?,
            "-twotheta_axis" => {
                self.vectors.twotheta = self.custom(words)?;
                // The reference finds `-twotheta` in the word, with the first number as its value.
                self.swing_of_axis = self.vectors.twotheta.map(|[x, ..]| (x * DEGREE, Pivot::Sample));
            }
            // The geometry overwrites the vector; only the choice of the CUSTOM convention remains.
            "-pix0_vector" => {
                self.custom(words)?;
            }
            "-point_pixel" => self.point_pixel = true,
            "-curved_det" => self.curved_det = true,
            "-detector_abs" if words.words.first().is_some_and(|word| word == "inf") => {
                words.next();
                self.detector_abs = Some(f64::INFINITY);
                self.thick_after_infinite_depth = false;
            }
            "-detector_abs" => {
                let depth = words.number()? * 1e-6;
                self.detector_abs = Some(if depth == 0.0 { f64::INFINITY } else { depth });
                self.thick_after_infinite_depth = false;
            }
            "-detector_thick" => {
                self.thickness.range = Some(words.number()? * 1e-6);
                self.thick_after_infinite_depth = self.detector_abs == Some(f64::INFINITY);
            }
            "-detector_thicksteps" => self.thickness.count = Some(words.integer()?),
            "-roi" => {
                self.roi = Some([words.integer()?, words.integer()?, words.integer()?, words.integer()?]);
            }
            // Sampling.
            "-oversample" => self.oversample = words.integer()?,
            "-oversample_thick" => self.oversample_thick = true,
            "-oversample_polar" => self.oversample_polar = true,
            "-oversample_omega" => self.oversample_omega = true,
            "-phi" => self.phi0 = words.number()? * DEGREE,
            "-osc" => self.phi.range = Some(words.number()? * DEGREE),
            "-phistep" => self.phi.step = Some(words.number()? * DEGREE),
            "-phisteps" => self.phi.count = Some(words.integer()?),
            "-dmin" => self.dmin = words.number()? * 1e-10,
            // Output.
            "-scale" => self.scale = words.number()?,
            "-adc" => self.adc = words.number()?,
            "-pgmscale" => self.pgmscale = words.number()?,
            "-seed" => self.seed = Some(words.seed()?),
            "-floatfile" | "-intfile" | "-noisefile" | "-pgmfile" => {
                words.value()?;
            }
            "-nonoise" | "-nopgm" | "-printout" | "-progress" | "-noprogress" | "-coherent" => {}
            "-printout_pixel" => {
                words.integer()?;
                words.integer()?;
            }
            // `parse` has read these already, or the reference reads them and does not use them.
            "-mask" | "-img" | "-stol" | "-4stol" | "-Q" | "-stolout" => {
                words.value()?;
            }
            // The reference does not know these, and takes neither them nor their value.
            "-hdiv" | "-vdiv" | "-dispstep" => {
                words.value()?;
            }
            stray if !stray.starts_with('-') => {}
            unknown => return Err(format!("unknown option {unknown}")),
        }
        Ok(())
    }

    /// Reads the value of an option that places the detector, which also sets the pivot.
    fn placed(
        &mut self,
        pivot: Pivot,
        words: &mut Words<'_>,
        set: impl FnOnce(&mut Command, f64),
    ) -> Result<(), String> {
        set(self, words.number()?);
        self.set_pivot(pivot);
        Ok(())
    }

    /// A named convention. Its word also sets the pivot that holds where a later vector selects CUSTOM.
    fn named(&mut self, convention: Convention, pivot: Pivot) {
        self.convention = convention;
        self.set_pivot(pivot);
    }

    fn set_pivot(&mut self, pivot: Pivot) {
        self.pivot = pivot;
        if let Some((_, of_axis)) = &mut self.swing_of_axis {
            *of_axis = pivot;
        }
    }

    /// The command as a mode reads it: the reference finds `-twotheta` in `-twotheta_axis`.
    pub fn in_mode(&self, mode: Mode) -> Cow<'_, Command> {
        match (mode, self.swing_of_axis) {
            (Mode::CParity, Some((twotheta, pivot))) => {
                Cow::Owned(Command { twotheta, pivot, ..self.clone() })
            }
            _ => Cow::Borrowed(self),
        }
    }

    /// Reads a vector, which also selects the CUSTOM convention.
    fn custom(&mut self, words: &mut Words<'_>) -> Result<Option<Vector>, String> {
        self.convention = Convention::Custom;
        words.vector().map(Some)
    }
}
