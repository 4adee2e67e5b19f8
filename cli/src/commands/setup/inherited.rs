//! Geometry from the headers of the `-mask` and `-img` images, applied before the command line: first the
//! mask, then the image.
//!
//! **The beam centre** is that of the convention of the command line:
//!
//! | convention | keys |
//! |---|---|
//! | MOSFLM | MOSFLM_CENTER_X, MOSFLM_CENTER_Y |
//! | DENZO | DENZO_X_BEAM, DENZO_Y_BEAM |
//! | ADXV | ADXV_CENTER_X, ADXV_CENTER_Y |
//! | XDS, DIALS | ORGX, ORGY, or XDS_ORGX, XDS_ORGY |
//! | CUSTOM | in our own default headers DENZO_Y_BEAM, DENZO_X_BEAM (pivot beam) or XDS_ORGX, XDS_ORGY (pivot sample) |
//!
//! Where these are absent, BEAM_CENTER_X and BEAM_CENTER_Y are taken in the sense of the convention, as nanoBragg
//! takes them, but not from our own default headers, where they are shifted for DIALS. In c-parity, the headers of
//! other programs are read as nanoBragg reads them: BEAM_CENTER, and keys that are parts of others.
//!
//! **Swung detectors.** Where TWOTHETA is the swing of the command line, CLOSE_DISTANCE and the centre are those of
//! the swung detector. With l = CLOSE_DISTANCE, o its normal and b the beam, the distance along the beam is
//! D = l / (b . o). A header of nanoBragg has another DISTANCE d, and a beam centre that is off by (D - d) b along
//! the detector, which is added.

use core::f64::consts::PI;

use widebragg::defaults;
use widebragg::detector::{Convention, Detector, DetectorParameters, Pivot};
use widebragg::rotation::PhiMode;
use widebragg_formats::format_g::format_g;
use widebragg_formats::smv::{SmvHeader, SmvImage, parse_smv, parse_smv_header};

use super::inputs::Inputs;
use crate::error::Failure;
use crate::options::Options;

/// Relative difference up to which two numbers of a header are the same but for their printed digits.
const SAME: f64 = 1e-5;

/// Units that are not converted, since they are those of the keys.
const MILLIMETRES: &[&str] = &["mm", "millimetre", "millimetres", "millimeter", "millimeters"];
const ANGSTROMS: &[&str] = &["a", "ang", "angstrom", "angstroms", "\u{e5}"];
const DEGREES: &[&str] = &["deg", "degree", "degrees", "\u{b0}"];
const PIXELS: &[&str] = &["px", "pixel", "pixels"];

/// Values of the headers; `None` where no header has the key.
#[derive(Debug, Default)]
pub(super) struct Inherited {
    pub(super) fast_pixels: Option<usize>,
    pub(super) slow_pixels: Option<usize>,
    pub(super) pixel_m: Option<f64>,
    pub(super) distance_m: Option<f64>,
    pub(super) close_distance_m: Option<f64>,
    pub(super) lambda_m: Option<f64>,
    pub(super) x_beam_m: Option<f64>,
    pub(super) y_beam_m: Option<f64>,
    pub(super) org_x_px: Option<f64>,
    pub(super) org_y_px: Option<f64>,
    pub(super) phi0_rad: Option<f64>,
    pub(super) osc_rad: Option<f64>,
    /// Whether distance and beam centre are those of the detector after the swing of the command line.
    is_swung: bool,
    /// What the user should know of the headers.
    pub(super) warnings: Vec<String>,
}

/// Replaces the value by `new`, unless that is `None`.
fn replace<T>(slot: &mut Option<T>, new: Option<T>) {
    if new.is_some() {
        *slot = new;
    }
}

impl Inherited {
    /// Reads the headers of the images that `options` names; returns the mask as well.
    pub(super) fn read(options: &Options, inputs: &Inputs) -> Result<(Self, Option<SmvImage>), Failure> {
        let mut inherited = Self::default();
        let mask = match &options.mask {
            Some(path) => {
                let mask = inputs.read("-mask", path, |input| parse_smv(input, path))?;
                let source = Source::new(&mask.header, "-mask", options);
                inherited.apply(source).map_err(|failure| failure.context("-mask"))?;
                Some(mask)
            }
            None => None,
        };
        if let Some(path) = &options.img {
            let header = inputs.read("-img", path, |input| parse_smv_header(input, path))?;
            inherited
                .apply(Source::new(&header, "-img", options))
                .map_err(|failure| failure.context("-img"))?;
        }
        inherited.give_way(options);
        Ok((inherited, mask))
    }

    fn apply(&mut self, mut source: Source<'_>) -> Result<(), Failure> {
        let options = source.options;
        let [fast, slow] = source.header.size()?;
        replace(&mut self.fast_pixels, fast);
        replace(&mut self.slow_pixels, slow);
        replace(&mut self.pixel_m, source.millimetres("PIXEL_SIZE")?);
        replace(&mut self.distance_m, source.millimetres("DISTANCE")?);
        replace(&mut self.close_distance_m, source.millimetres("CLOSE_DISTANCE")?);
        replace(&mut self.lambda_m, source.scaled("WAVELENGTH", ANGSTROMS, 1e-10)?);
        replace(&mut self.phi0_rad, source.scaled("PHI", DEGREES, PI / 180.0)?);
        replace(&mut self.osc_rad, source.scaled("OSC_RANGE", DEGREES, PI / 180.0)?);
        let [org_x_px, org_y_px] = source.foot_px()?;
        replace(&mut self.org_x_px, org_x_px);
        replace(&mut self.org_y_px, org_y_px);
        let own_centre = source.own_centre()?;
        let [x, y] = match own_centre {
            Some(centre) => centre.map(Some),
            None => source.beam_center(org_x_px.and(org_y_px).is_some())?,
        };
        let rows = self.slow_pixels.unwrap_or(defaults::DETECTOR_PIXELS);
        let size_m = rows as f64 * self.pixel_m.unwrap_or(defaults::PIXEL_M);
        // nanoBragg takes the Y of a mask from the last row upwards.
        let is_upwards = source.option == "-mask" && own_centre.is_none();
        replace(&mut self.x_beam_m, x);
        replace(&mut self.y_beam_m, y.map(|y| if is_upwards { size_m - y } else { y }));
        let swing_rad = source.swing_rad()?;
        let swung_as_asked = is_same(swing_rad, options.twotheta_rad.unwrap_or(0.0));
        self.is_swung = own_centre.is_some() && swing_rad != 0.0 && swung_as_asked;
        if !swung_as_asked && swing_rad != 0.0 {
            let degrees = format_g(swing_rad * 180.0 / PI);
            source.warn(format!("its TWOTHETA is not applied: -twotheta {degrees} swings the detector so"));
        }
        let pivots_at_beam = is_pivot_beam(options.convention, options.pivot.unwrap_or_default());
        if source.as_nanobragg && swing_rad != 0.0 && swung_as_asked && pivots_at_beam {
            source.warn(
                "its distance and beam centre, those after the swing, are taken for those before it, as in nanoBragg"
                    .to_owned(),
            );
        }
        if source.option == "-img" {
            source.warn_of_defaults([
                fast.and(slow).is_some(),
                org_x_px.and(org_y_px).is_some(),
                x.and(y).is_some(),
            ]);
        }
        self.warnings.append(&mut source.warnings);
        Ok(())
    }

    /// A distance on the command line replaces both distances of the headers; in c-parity CLOSE_DISTANCE holds, as
    /// in nanoBragg.
    fn give_way(&mut self, options: &Options) {
        if options.distance_m.is_none()
            || options.close_distance_m.is_some()
            || self.close_distance_m.is_none()
        {
            return;
        }
        if options.carryover_mode == PhiMode::CParity {
            self.warnings.push(
                "-distance has no effect, as in nanoBragg: CLOSE_DISTANCE of the header holds (give -close_distance)"
                    .to_owned(),
            );
        } else {
            self.close_distance_m = None;
        }
    }

    /// The detector whose distance and beam centre the headers give as they are after the swing.
    pub(super) fn before_swing(
        &self,
        detector: DetectorParameters,
        options: &Options,
    ) -> Result<DetectorParameters, widebragg::Error> {
        let pivots_at_beam = is_pivot_beam(detector.convention, detector.pivot);
        let by_hand = options.distance_m.or(options.close_distance_m).is_some();
        let distances = self.close_distance_m.zip(self.distance_m);
        let Some((close_m, stated_m)) = distances.filter(|_| self.is_swung && pivots_at_beam && !by_hand)
        else {
            return Ok(detector);
        };
        let placed = Detector::new(&detector, options.carryover_mode)?;
        let mut distance_m = close_m / placed.beam.dot(placed.normal);
        if is_same(distance_m, stated_m) {
            distance_m = stated_m;
        }
        let off_m = |axis| (distance_m - stated_m) * placed.beam.dot(axis);
        let (fast_m, slow_m) = (off_m(placed.fast), off_m(placed.slow));
        let (x_off_m, y_off_m) = match detector.convention {
            Convention::Adxv => (fast_m, -slow_m),
            Convention::Mosflm | Convention::Denzo => (slow_m, fast_m),
            Convention::Xds | Convention::Dials | Convention::Custom(_) => (fast_m, slow_m),
        };
        let moved = |given: Option<f64>, own: Option<f64>, off_m: f64| given.or(own.map(|own| own + off_m));
        Ok(DetectorParameters {
            distance_m: Some(distance_m),
            close_distance_m: None,
            x_beam_m: moved(options.xbeam_m, self.x_beam_m, x_off_m),
            y_beam_m: moved(options.ybeam_m, self.y_beam_m, y_off_m),
            ..detector
        })
    }
}

/// Whether the detector turns about the beam spot; `pivot` is that of a custom convention.
fn is_pivot_beam(convention: Convention, pivot: Pivot) -> bool {
    match convention {
        Convention::Adxv | Convention::Mosflm | Convention::Denzo => true,
        Convention::Xds | Convention::Dials => false,
        Convention::Custom(_) => pivot == Pivot::Beam,
    }
}

/// Whether two numbers are the same but for the digits that headers print.
fn is_same(one: f64, other: f64) -> bool {
    (one - other).abs() <= SAME * other.abs()
}

/// A header, and how it is read.
struct Source<'h> {
    header: &'h SmvHeader,
    option: &'static str,
    options: &'h Options,
    /// Whether it is read as nanoBragg reads headers.
    as_nanobragg: bool,
    warnings: Vec<String>,
}

impl<'h> Source<'h> {
    fn new(header: &'h SmvHeader, option: &'static str, options: &'h Options) -> Self {
        let as_nanobragg = options.carryover_mode == PhiMode::CParity && !header.is_for_readers();
        Self { header, option, options, as_nanobragg, warnings: Vec::new() }
    }

    fn warn(&mut self, what: String) {
        self.warnings.push(format!("{}: {}: {what}", self.option, self.header.path().display()));
    }

    /// The value of a key, whose unit is one of `units`.
    fn number(&mut self, key: &str, units: &[&str]) -> Result<Option<f64>, Failure> {
        if self.as_nanobragg {
            return Ok(self.header.nanobragg_number(key));
        }
        let Some(measured) = self.header.measured(key)? else { return Ok(None) };
        let unit = measured.unit.trim_matches(['(', ')', '[', ']', '.', '"', '\'']).to_lowercase();
        if unit.starts_with(|c: char| c.is_alphabetic() || c == '\u{b0}') && !units.contains(&unit.as_str()) {
            let unit = unit.escape_default();
            self.warn(format!("{key} is read in {}: its unit {unit} is not converted", units[0]));
        }
        Ok(Some(measured.value))
    }

    fn scaled(&mut self, key: &str, units: &[&str], by: f64) -> Result<Option<f64>, Failure> {
        Ok(self.number(key, units)?.map(|value| value * by))
    }

    fn millimetres(&mut self, key: &str) -> Result<Option<f64>, Failure> {
        Ok(self.number(key, MILLIMETRES)?.map(|value| value / 1000.0))
    }

    /// Both of two lengths.
    fn pair(&mut self, keys: [&str; 2]) -> Result<Option<[f64; 2]>, Failure> {
        let [x, y] = [self.millimetres(keys[0])?, self.millimetres(keys[1])?];
        Ok(x.zip(y).map(|(x, y)| [x, y]))
    }

    /// The foot of the normal through the sample.
    fn foot_px(&mut self) -> Result<[Option<f64>; 2], Failure> {
        let mut of = |own, xds| match self.number(own, PIXELS)? {
            // nanoBragg finds the first key in the second one.
            None if !self.as_nanobragg => self.number(xds, PIXELS),
            found => Ok(found),
        };
        Ok([of("ORGX", "XDS_ORGX")?, of("ORGY", "XDS_ORGY")?])
    }

    /// X and Y of the beam centre, from the keys of the convention of the command line.
    fn own_centre(&mut self) -> Result<Option<[f64; 2]>, Failure> {
        if self.as_nanobragg {
            return Ok(None);
        }
        match self.options.convention {
            Convention::Mosflm => self.pair(["MOSFLM_CENTER_X", "MOSFLM_CENTER_Y"]),
            Convention::Denzo => self.pair(["DENZO_X_BEAM", "DENZO_Y_BEAM"]),
            Convention::Adxv => self.pair(["ADXV_CENTER_X", "ADXV_CENTER_Y"]),
            Convention::Custom(_)
                if self.header.is_for_readers() && self.options.pivot.unwrap_or_default() == Pivot::Beam =>
            {
                self.pair(["DENZO_Y_BEAM", "DENZO_X_BEAM"])
            }
            Convention::Xds | Convention::Dials | Convention::Custom(_) => Ok(None),
        }
    }

    /// BEAM_CENTER, which is shifted in our own headers. In the conventions of XDS and DIALS it moves nothing, and
    /// follows from the foot of the normal where that is known.
    fn beam_center(&mut self, has_foot: bool) -> Result<[Option<f64>; 2], Failure> {
        let follows = matches!(self.options.convention, Convention::Xds | Convention::Dials) && has_foot;
        if !self.as_nanobragg && (self.header.is_for_readers() || follows) {
            return Ok([None; 2]);
        }
        Ok([self.millimetres("BEAM_CENTER_X")?, self.millimetres("BEAM_CENTER_Y")?])
    }

    /// The swing of the detector that the header describes.
    fn swing_rad(&mut self) -> Result<f64, Failure> {
        Ok(self.scaled("TWOTHETA", DEGREES, PI / 180.0)?.filter(|swing| swing.is_finite()).unwrap_or(0.0))
    }

    /// Warns of what neither the header nor the command line gives.
    fn warn_of_defaults(&mut self, [has_size, has_foot, has_centre]: [bool; 3]) {
        let o = self.options;
        let sized = [o.detpixels_f, o.detpixels_s].iter().all(Option::is_some)
            || [o.detsize_f_m, o.detsize_s_m].iter().all(Option::is_some);
        if !has_size && !sized {
            self.warn("its header has no SIZE1 and SIZE2: give -detpixels_x and -detpixels_y".to_owned());
        }
        let by_foot = matches!(o.convention, Convention::Xds | Convention::Dials);
        let (is_known, option, keys) = if by_foot {
            let given = [o.orgx_px, o.orgy_px].iter().all(Option::is_some);
            (has_foot || given, "-ORGX and -ORGY", "XDS_ORGX and XDS_ORGY")
        } else {
            let given = [o.xbeam_m, o.ybeam_m].iter().all(Option::is_some);
            let has_foot = has_foot && matches!(o.convention, Convention::Custom(_));
            (has_centre || has_foot || given, "-Xbeam and -Ybeam", "beam centre")
        };
        if !is_known {
            let name = o.convention.name();
            self.warn(format!(
                "its header has no {keys} for the convention {name}: {option} have their defaults"
            ));
        }
    }
}
