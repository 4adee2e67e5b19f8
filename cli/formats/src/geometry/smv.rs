//! The geometry in the header of an SMV image.
//!
//! A header states a distance and a beam centre; the detector is taken as perpendicular to the beam, in the frame that
//! nanoBragg calls MOSFLM: beam along x, fast along z, slow along -y, spindle along z. With p the pixel, F and S the
//! place where the beam meets the detector, from the outer edge of the first pixel, and H the size along slow, the
//! centre is taken from the first of these pairs of keys that a header has:
//!
//! | keys | F | S |
//! |---|---|---|
//! | DENZO_X_BEAM, DENZO_Y_BEAM | Y | X |
//! | MOSFLM_CENTER_X, MOSFLM_CENTER_Y | Y + p/2 | X + p/2 |
//! | ADXV_CENTER_X, ADXV_CENTER_Y | X | H - Y |
//! | BEAM_CENTER_X, BEAM_CENTER_Y | Y + p/2 | X + p/2 |
//!
//! BEAM_CENTER means something else at every beamline: it is taken in MOSFLM's sense, as nanoBragg does, with a
//! warning. In our own headers it is shifted for one reader, and is not taken.
//!
//! **Our own headers** state the placement in the frame of DIALS where they have `DIALS_AXES`; `DIALS_ORIGIN` is then
//! the outer corner of the first pixel. Where the axes are `x,-y` the numbers above have more digits, and are taken.
//!
//! **TWOTHETA** of other headers turns the detector about MOSFLM's axis, -z, with a warning: no header says about
//! which. nanoBragg states the distance d along the beam and the centre as before the swing, but CLOSE_DISTANCE as
//! after it. With o the normal and b the beam the distance along the beam is D = CLOSE_DISTANCE / (b . o), and the
//! centre is moved by (D - d) b along the detector. Without CLOSE_DISTANCE the detector swings about the sample.

use std::io::Read;
use std::path::Path;

use super::vectors::{IDENTITY, Matrix, Vector, apply, are_parallel, dot, plus, rotation, scaled, unit};
use super::{Beam, Frame, Geometry, GeometryFile, Held, Panel, Scan};
use crate::failure::Failure;
use crate::smv::{SmvHeader, USUAL_AXES, parse_smv_header};
use crate::text::in_file;

/// Beam, fast, slow and spindle of a detector that is perpendicular to the beam.
const BEAM: Vector = [1.0, 0.0, 0.0];
const FAST: Vector = [0.0, 0.0, 1.0];
const SLOW: Vector = [0.0, -1.0, 0.0];
const SPINDLE: Vector = [0.0, 0.0, 1.0];
const SWING_AXIS: Vector = [0.0, 0.0, -1.0];

/// The warning of a rotation without start.
pub(super) const NO_START: &str = "The header does not say where the rotation starts: 0 degrees are taken.";

/// Keys that are handed on as they are.
const HELD: [&str; 5] = ["DETECTOR_SN", "BEAMLINE", "DATE", "AXIS", "ADC_OFFSET"];

/// Reads a header. Pixels are not read.
pub(super) fn parse(input: &mut dyn Read, path: &Path) -> Result<GeometryFile, Failure> {
    let header = Header(parse_smv_header(input, path)?);
    let (geometry, warnings) = header.geometry()?;
    let mut file = GeometryFile::of("SMV image", geometry);
    file.warnings = warnings;
    for name in HELD {
        if let Some(value) = header.0.get(name) {
            file.held.push(Held { name: name.to_owned(), value: value.to_owned() });
        }
    }
    Ok(file)
}

/// A detector that is perpendicular to the beam, in the frame that nanoBragg calls MOSFLM.
#[derive(Debug, Clone, Copy)]
pub(super) struct Square {
    pub(super) distance_m: f64,
    /// Where the beam meets it along fast and slow, from the outer edge of the first pixel.
    pub(super) beam_m: [f64; 2],
}

impl Square {
    /// Its origin, fast and slow axis, turned about the sample.
    fn turned(self, by: Matrix) -> [Vector; 3] {
        [self.origin_m(), FAST, SLOW].map(|vector| apply(by, vector))
    }

    fn origin_m(self) -> Vector {
        plus(plus(scaled(self.distance_m, BEAM), -self.beam_m[0], FAST), -self.beam_m[1], SLOW)
    }

    /// The panel at its place, of the one that has all but its placement.
    pub(super) fn placed(self, panel: Panel) -> Panel {
        Panel { origin_m: self.origin_m(), fast: FAST, slow: SLOW, ..panel }
    }

    /// The geometry of a panel in this frame.
    pub(super) fn geometry(panel: Panel, lambda_m: Option<f64>, scan: Option<Scan>) -> Geometry {
        Geometry {
            frame: Frame::Mosflm,
            beam: Beam { direction: BEAM, lambda_m, polarization: None },
            panels: vec![panel],
            spindle: scan.map(|_| SPINDLE),
            scan,
            crystal: None,
        }
    }
}

struct Header(SmvHeader);

impl Header {
    fn number(&self, key: &str) -> Result<Option<f64>, Failure> {
        self.0.number(key)
    }

    fn positive(&self, key: &str) -> Result<Option<f64>, Failure> {
        let number = self.number(key)?;
        match number.filter(|&number| number <= 0.0) {
            Some(number) => Err(in_file(self.0.path(), format!("{key}={number} is not positive"))),
            None => Ok(number),
        }
    }

    /// A length in m.
    fn length_m(&self, key: &str) -> Result<Option<f64>, Failure> {
        Ok(self.number(key)?.map(|length_mm| length_mm * 1e-3))
    }

    fn pair_m(&self, keys: [&str; 2]) -> Result<Option<[f64; 2]>, Failure> {
        Ok(self.length_m(keys[0])?.zip(self.length_m(keys[1])?).map(|(x, y)| [x, y]))
    }

    fn missing(&self, what: &str) -> Failure {
        in_file(self.0.path(), format!("no {what} in its SMV header"))
    }

    fn geometry(&self) -> Result<(Geometry, Vec<String>), Failure> {
        let mut warnings = Vec::new();
        let [fast, slow] = self.0.size()?;
        let (fast, slow) =
            (fast.ok_or_else(|| self.missing("SIZE1"))?, slow.ok_or_else(|| self.missing("SIZE2"))?);
        let pixel_m = self.positive("PIXEL_SIZE")?.ok_or_else(|| self.missing("PIXEL_SIZE"))? * 1e-3;
        let panel = Panel {
            name: "0".to_owned(),
            pixels: [fast, slow],
            data_origin: [0, 0],
            pixel_m: [pixel_m; 2],
            origin_m: [0.0; 3],
            fast: FAST,
            slow: SLOW,
            sensor: None,
            valid: [None, self.number("CCD_IMAGE_SATURATION")?.filter(|&counts| counts > 0.0)],
        };
        let lambda_m = self.positive("WAVELENGTH")?.map(|angstrom| angstrom * 1e-10);
        let scan = self.scan(&mut warnings)?;
        if let Some([origin_m, fast, slow]) = self.stated_placement()? {
            let panel = Panel { origin_m, fast, slow, ..panel };
            let square = Square::geometry(panel, lambda_m, scan);
            let beam = Beam { direction: [0.0, 0.0, -1.0], ..square.beam };
            let spindle = scan.map(|_| [1.0, 0.0, 0.0]);
            return Ok((Geometry { frame: Frame::Dials, beam, spindle, ..square }, warnings));
        }
        let beam_m = self.centre_m(slow as f64 * pixel_m, pixel_m, &mut warnings)?;
        let [origin_m, fast, slow] = self.placement(beam_m, &mut warnings)?;
        Ok((Square::geometry(Panel { origin_m, fast, slow, ..panel }, lambda_m, scan), warnings))
    }

    /// The placement in the frame of DIALS, of our own headers of detectors that are not perpendicular to the beam.
    fn stated_placement(&self) -> Result<Option<[Vector; 3]>, Failure> {
        let (Some(origin), Some(axes)) = (self.0.get("DIALS_ORIGIN"), self.0.get("DIALS_AXES")) else {
            return Ok(None);
        };
        if !self.0.is_for_readers() || axes == USUAL_AXES {
            return Ok(None);
        }
        let refused = |what: &str| in_file(self.0.path(), what);
        let origin = vector(&origin.split(',').collect::<Vec<_>>());
        let origin_mm = origin.ok_or_else(|| refused("DIALS_ORIGIN is not three numbers"))?;
        let [fast, slow] = directions(axes).ok_or_else(|| refused("DIALS_AXES are not two axes"))?;
        Ok(Some([scaled(1e-3, origin_mm), fast, slow]))
    }

    /// The beam centre along fast and slow.
    fn centre_m(
        &self,
        slow_size_m: f64,
        pixel_m: f64,
        warnings: &mut Vec<String>,
    ) -> Result<[f64; 2], Failure> {
        let from_centres = |[x, y]: [f64; 2]| [y + pixel_m / 2.0, x + pixel_m / 2.0];
        if let Some([x, y]) = self.pair_m(["DENZO_X_BEAM", "DENZO_Y_BEAM"])? {
            return Ok([y, x]);
        }
        if let Some(centre) = self.pair_m(["MOSFLM_CENTER_X", "MOSFLM_CENTER_Y"])? {
            return Ok(from_centres(centre));
        }
        if let Some([x, y]) = self.pair_m(["ADXV_CENTER_X", "ADXV_CENTER_Y"])? {
            return Ok([x, slow_size_m - y]);
        }
        let unshifted =
            if self.0.is_for_readers() { None } else { self.pair_m(["BEAM_CENTER_X", "BEAM_CENTER_Y"])? };
        let centre = unshifted.ok_or_else(|| self.missing("beam centre"))?;
        warnings.push(
            "BEAM_CENTER is taken in the sense of MOSFLM; the header does not say in which it is.".to_owned(),
        );
        Ok(from_centres(centre))
    }

    /// Origin, fast and slow axis of a detector whose centre is at `beam_m`, swung where the header says so.
    fn placement(&self, beam_m: [f64; 2], warnings: &mut Vec<String>) -> Result<[Vector; 3], Failure> {
        let close_m = self.positive("CLOSE_DISTANCE")?.map(|length_mm| length_mm * 1e-3);
        let distance_m = self.positive("DISTANCE")?.map(|length_mm| length_mm * 1e-3);
        let distance_m = distance_m.or(close_m).ok_or_else(|| self.missing("DISTANCE"))?;
        let square = Square { distance_m, beam_m };
        let swing_deg = self.number("TWOTHETA")?.unwrap_or(0.0);
        if swing_deg == 0.0 {
            return Ok(square.turned(IDENTITY));
        }
        warnings.push(format!(
            "TWOTHETA of {swing_deg} degrees is taken about the axis of MOSFLM; the header does not say about which."
        ));
        let turned = rotation(SWING_AXIS, swing_deg);
        let Some(close_m) = close_m else { return Ok(square.turned(turned)) };
        let [_, fast, slow] = square.turned(turned);
        let along_m = close_m / dot(BEAM, apply(turned, BEAM));
        if !(along_m > 0.0 && along_m.is_finite()) {
            return Err(in_file(
                self.0.path(),
                format!("TWOTHETA={swing_deg}: the beam does not meet the detector"),
            ));
        }
        let at_m = |beam_m: f64, axis: Vector| beam_m + (along_m - distance_m) * dot(BEAM, axis);
        let corner_m = plus(scaled(along_m, BEAM), -at_m(beam_m[0], fast), fast);
        Ok([plus(corner_m, -at_m(beam_m[1], slow), slow), fast, slow])
    }

    fn scan(&self, warnings: &mut Vec<String>) -> Result<Option<Scan>, Failure> {
        let Some(width_deg) = self.number("OSC_RANGE")?.filter(|&width_deg| width_deg != 0.0) else {
            return Ok(None);
        };
        let start_deg = match self.number("OSC_START")? {
            Some(start_deg) => Some(start_deg),
            None => self.number("PHI")?,
        };
        if start_deg.is_none() {
            warnings.push(NO_START.to_owned());
        }
        let exposure_s = self.number("TIME")?.filter(|&time| time > 0.0);
        Ok(Some(Scan { first: 1, frames: 1, start_deg: start_deg.unwrap_or(0.0), width_deg, exposure_s }))
    }
}

/// The two axes of `DIALS_AXES`, each a name as in `x,-y` or three numbers.
fn directions(text: &str) -> Option<[Vector; 2]> {
    let words: Vec<&str> = text.split(',').collect();
    let (fast, rest) = direction(&words)?;
    let (slow, rest) = direction(rest)?;
    (rest.is_empty() && !are_parallel(fast, slow)).then_some([fast, slow])
}

/// The axis that words begin with, and the words after it.
fn direction<'w, 't>(words: &'w [&'t str]) -> Option<(Vector, &'w [&'t str])> {
    let (sign, name) = words.first()?.strip_prefix('-').map_or((1.0, *words.first()?), |name| (-1.0, name));
    match ["x", "y", "z"].iter().position(|axis| *axis == name) {
        Some(at) => Some((scaled(sign, IDENTITY[at]), &words[1..])),
        None => Some((unit(vector(words.get(..3)?)?)?, &words[3..])),
    }
}

/// Three words as numbers.
fn vector(words: &[&str]) -> Option<Vector> {
    let [x, y, z] = words else { return None };
    let number = |word: &str| word.trim().parse().ok().filter(|number: &f64| number.is_finite());
    Some([number(x)?, number(y)?, number(z)?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::vectors::{cross, length};
    use crate::image::ImageHeader;
    use crate::smv::header_readers;

    fn read(lines: &str) -> Result<GeometryFile, String> {
        let size = "SIZE1=40;\nSIZE2=30;\nPIXEL_SIZE=0.2;\nWAVELENGTH=1.5;\nDISTANCE=100;\n";
        let text = format!("{{\nHEADER_BYTES=512;\n{size}{lines}}}\n");
        parse(&mut text.as_bytes(), Path::new("a.img")).map_err(|failure| failure.to_string())
    }

    /// Where the beam meets the panel, in mm along fast and slow.
    fn centre_mm(file: &GeometryFile) -> [f64; 2] {
        let panel = &file.geometry.panels[0];
        let normal = cross(panel.fast, panel.slow);
        let beam = file.geometry.beam.direction;
        let met = scaled(dot(panel.origin_m, normal) / dot(beam, normal), beam);
        let within = plus(met, -1.0, panel.origin_m);
        [panel.fast, panel.slow].map(|axis| 1e3 * dot(within, axis))
    }

    #[test]
    fn each_program_has_its_beam_centre() {
        // The beam at 3.1 mm along fast, 2.6 mm along slow, of 6 mm.
        for keys in [
            "DENZO_X_BEAM=2.6;\nDENZO_Y_BEAM=3.1;\nBEAM_CENTER_X=9;\nBEAM_CENTER_Y=9;\n",
            "MOSFLM_CENTER_X=2.5;\nMOSFLM_CENTER_Y=3;\nADXV_CENTER_X=1;\nADXV_CENTER_Y=1;\n",
            "ADXV_CENTER_X=3.1;\nADXV_CENTER_Y=3.4;\n",
            "BEAM_CENTER_X=2.5;\nBEAM_CENTER_Y=3;\n",
        ] {
            let file = read(keys).unwrap();
            let [fast, slow] = centre_mm(&file);
            assert!((fast - 3.1).abs() < 1e-13 && (slow - 2.6).abs() < 1e-13, "{keys}: {fast} {slow}");
            assert_eq!(file.geometry.frame, Frame::Mosflm);
            let panel = &file.geometry.panels[0];
            assert_eq!((panel.pixels, panel.pixel_m, panel.origin_m[0]), ([40, 30], [0.2e-3; 2], 0.1));
            assert_eq!(file.warnings.len(), usize::from(keys.starts_with("BEAM_CENTER")), "{keys}");
        }
    }

    #[test]
    fn a_scan_of_one_frame() {
        let keys = "PHI=7;\nOSC_RANGE=0.5;\nTIME=2 s;\nCCD_IMAGE_SATURATION=60000;\n";
        let file = read(&format!("DENZO_X_BEAM=2;\nDENZO_Y_BEAM=3;\n{keys}")).unwrap();
        let scan = Scan { first: 1, frames: 1, start_deg: 7.0, width_deg: 0.5, exposure_s: Some(2.0) };
        assert_eq!((file.geometry.scan, file.geometry.spindle), (Some(scan), Some([0.0, 0.0, 1.0])));
        assert_eq!(file.geometry.panels[0].valid, [None, Some(60_000.0)]);
        let still = read("DENZO_X_BEAM=2;\nDENZO_Y_BEAM=3;\nPHI=7;\nOSC_RANGE=0;\n").unwrap();
        assert_eq!((still.geometry.scan, still.geometry.spindle), (None, None));
    }

    /// Our own headers place the detector as it was written, square to the beam or not.
    #[test]
    fn our_own_headers() {
        let axes = [[0.8, 0.6, 0.0], [0.6, -0.8, 0.0]];
        let header = |dials_axes: [Vector; 2]| ImageHeader {
            fast: 40,
            slow: 30,
            pixel_m: 0.2e-3,
            close_distance_m: 0.1,
            lambda_m: 1.5e-10,
            distance_m: 0.1,
            fast_beam_m: 3.1e-3,
            slow_beam_m: 2.6e-3,
            dials_origin_mm: [-3.1, 2.6, -100.0],
            dials_axes,
            osc_rad: 0.01,
            adc_offset: 40.0,
            ..ImageHeader::default()
        };
        let read =
            |header: &ImageHeader| parse(&mut &header_readers(header)[..], Path::new("a.img")).unwrap();
        let square = read(&header([[1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]));
        assert_eq!((square.geometry.frame, square.warnings.len()), (Frame::Mosflm, 0));
        let [fast, slow] = centre_mm(&square);
        assert!((fast - 3.1).abs() < 1e-12 && (slow - 2.6).abs() < 1e-12);
        let turned = read(&header(axes));
        assert_eq!((turned.geometry.frame, turned.geometry.spindle), (Frame::Dials, Some([1.0, 0.0, 0.0])));
        assert_eq!(turned.geometry.beam.direction, [0.0, 0.0, -1.0]);
        let panel = &turned.geometry.panels[0];
        assert!(length(plus(panel.origin_m, -1e-3, [-3.1, 2.6, -100.0])) < 1e-15);
        assert!(
            length(plus(panel.fast, -1.0, axes[0])) < 1e-12
                && length(plus(panel.slow, -1.0, axes[1])) < 1e-12
        );
        let named = read(&header([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]));
        assert_eq!(named.geometry.panels[0].slow, [0.0, 0.0, 1.0]);
        let mixed = read(&header([[-1.0, 0.0, 0.0], [0.0, 0.6, 0.8]]));
        assert_eq!(mixed.geometry.panels[0].fast, [-1.0, 0.0, 0.0]);
    }

    #[test]
    fn a_swung_detector() {
        // nanoBragg: swung by 30 degrees about the beam spot, CLOSE_DISTANCE = D cos 30, DISTANCE = D as before.
        let (sine, cosine) = 30.0_f64.to_radians().sin_cos();
        let close = format!("{:?}", 100.0 * cosine);
        let keys = format!("TWOTHETA=30;\nCLOSE_DISTANCE={close};\nDENZO_X_BEAM=2.6;\nDENZO_Y_BEAM=3.1;\n");
        let file = read(&keys).unwrap();
        let [fast, slow] = centre_mm(&file);
        assert!((fast - 3.1).abs() < 1e-12 && (slow - 2.6).abs() < 1e-12);
        let panel = &file.geometry.panels[0];
        // About -z: fast stays, slow turns from -y to -x.
        assert_eq!(panel.fast, [0.0, 0.0, 1.0]);
        assert!(length(plus(panel.slow, -1.0, [-sine, -cosine, 0.0])) < 1e-15, "{:?}", panel.slow);
        let foot_m = dot(panel.origin_m, cross(panel.fast, panel.slow)).abs();
        assert!((foot_m - 0.1 * cosine).abs() < 1e-15);
        assert!(file.warnings[0].contains("about the axis of MOSFLM"), "{:?}", file.warnings);
        // Without the shortest distance it swings about the sample: the foot stays at the centre.
        let file = read("TWOTHETA=30;\nDENZO_X_BEAM=2.6;\nDENZO_Y_BEAM=3.1;\n").unwrap();
        let panel = &file.geometry.panels[0];
        let foot = [panel.fast, panel.slow].map(|axis| -1e3 * dot(panel.origin_m, axis));
        assert!((foot[0] - 3.1).abs() < 1e-12 && (foot[1] - 2.6).abs() < 1e-12, "{foot:?}");
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line() {
        let centre = "DENZO_X_BEAM=2;\nDENZO_Y_BEAM=3;\n";
        for (lines, expected) in [
            ("", "no beam centre in its SMV header"),
            (
                "BEAMLINE=fake;\nADC_OFFSET=40;\nBEAM_CENTER_X=1;\nBEAM_CENTER_Y=1;\n",
                "no beam centre in its SMV header",
            ),
            ("DISTANCE=-1;\n", "DISTANCE=-1 is not positive"),
            ("PIXEL_SIZE=0;\n", "PIXEL_SIZE=0 is not positive"),
            ("PIXEL_SIZE=nan;\n", "no PIXEL_SIZE in its SMV header"),
            ("WAVELENGTH=x;\n", "WAVELENGTH: \"x\" is not a number"),
            ("SIZE1=0;\n", "SIZE1=0 is not a number of pixels"),
            ("TWOTHETA=120;\nCLOSE_DISTANCE=5;\n", "TWOTHETA=120: the beam does not meet the detector"),
            (
                "BEAMLINE=fake;\nADC_OFFSET=40;\nDIALS_ORIGIN=1,2;\nDIALS_AXES=x,y;\n",
                "DIALS_ORIGIN is not three numbers",
            ),
            (
                "BEAMLINE=fake;\nADC_OFFSET=40;\nDIALS_ORIGIN=1,2,3;\nDIALS_AXES=x,x;\n",
                "DIALS_AXES are not two axes",
            ),
            (
                "BEAMLINE=fake;\nADC_OFFSET=40;\nDIALS_ORIGIN=1,2,3;\nDIALS_AXES=1,0,0,0,y,0;\n",
                "DIALS_AXES are not two axes",
            ),
        ] {
            let centre = if expected.contains("centre") { "" } else { centre };
            assert_eq!(
                read(&format!("{centre}{lines}")).unwrap_err(),
                format!("a.img: {expected}"),
                "{lines}"
            );
        }
        assert!(parse(&mut &b"{\n}"[..], Path::new("a.img")).unwrap_err().to_string().contains("no SIZE1"));
    }
}
