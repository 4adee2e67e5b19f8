//! Headers of SMV images, in two styles.
//!
//! * [`header_reference`]: keys, order and number format (`%g`) of nanoBragg, the same bytes where these
//!   fit into 512. Where they do not, nanoBragg writes more bytes than it declares, so that other
//!   programs read its pixels shifted; this header then declares and has 1024 bytes.
//! * [`header_readers`]: the geometry as other programs read it, in 512 bytes wherever the text fits. Every
//!   number has as many digits, 12 at most and 6 at least, as the bytes allow, and every line is closed with
//!   `;`. Keys that no program reads are left out (DETECTOR_SN, and TWOTHETA = 0); `DIALS_AXES` and
//!   `ADC_OFFSET`, an integer since dxtbx accepts nothing else, are added, and `CCD_IMAGE_SATURATION`, offset included,
//!   where pixels saturate below the 65535 that 16 bits hold.
//!
//! **The beam centre.** With p the pixel size, F and S the place where the beam meets the detector along fast and
//! slow, from the outer edge of the first pixel, and H the number of rows times p:
//!
//! * `ADXV_CENTER` = (F, H - S): along fast, and from the last row upwards, for adxv.
//! * `BEAM_CENTER` = (F - p, H - S + p) in [`header_readers`], for DIALS. Of an image with BEAMLINE=fake its
//!   class FormatSMVJHSim takes the beam to be at BEAM_CENTER_X + p along fast and at H - BEAM_CENTER_Y + p along
//!   slow, which are F and S. nanoBragg reads BEAM_CENTER without a shift: [`header_reference`] is for it.
//! * `MOSFLM_CENTER` = (S - p/2, F - p/2), `DENZO_X_BEAM`, `DENZO_Y_BEAM` = (S, F).
//!
//! `DIALS_ORIGIN` is the outer corner of the first pixel and `DIALS_AXES` the directions of fast and slow, both in
//! the frame whose third axis points to the source and whose first axis is the part of the spindle across the
//! beam. The axes are names, as in `x,-y`, which is what readers of SMV take, or six numbers. Where 512 bytes are too
//! few for 6 digits of everything and the axes have names, `x,-y` is left out, and the origin, which no program reads,
//! has 4 digits or is left out as well.
//!
//! Lengths are in mm, angles in degrees, wavelength in Angstrom.

use core::f64::consts::PI;
use core::ops::RangeInclusive;

use crate::format_g::format_significant;
use crate::image::ImageHeader;

/// Lengths of headers are multiples of this.
const STEP_BYTES: usize = 512;

/// Significant digits of the numbers of [`header_readers`].
const DIGITS: RangeInclusive<i32> = 6..=12;

/// Characters that are kept free for each of PHI and OSC_START, so that the headers of a series have one length.
const ANGLE_CHARACTERS: usize = 6;

/// The axes that readers of SMV take.
pub(crate) const USUAL_AXES: &str = "x,-y";

/// nanoBragg's header.
#[must_use]
pub fn header_reference(geometry: &ImageHeader) -> Vec<u8> {
    let g = geometry;
    let n = &g.as_nanobragg;
    let stated = Stated {
        digits: *DIGITS.start(),
        origin_digits: Some(*DIGITS.start()),
        distance_m: n.distance_m,
        beam_center_m: [n.x_beam_m, n.y_beam_m],
        fast_beam_m: n.fast_beam_m,
        slow_beam_m: n.slow_beam_m,
        slow_size_m: n.slow_size_m,
        dials_origin_mm: n.dials_origin_mm,
    };
    let text = |header_bytes| {
        let mut all = entries(g, header_bytes, &stated);
        all.extend([
            ("TWOTHETA", stated.degrees(g.twotheta_rad)),
            ("DETECTOR_SN", "000".to_owned()),
            ("BEAMLINE", "fake".to_owned()),
        ]);
        // The one line that nanoBragg does not close with a semicolon.
        in_braces(&all, |key| if key == "DIALS_ORIGIN" { "" } else { ";" })
    };
    padded(text)
}

/// The header in the form that other programs expect.
#[must_use]
pub fn header_readers(geometry: &ImageHeader) -> Vec<u8> {
    let fits = |layout: &Layout| {
        let free = ANGLE_CHARACTERS.saturating_sub(degrees(geometry.phi0_rad, layout.digits).len());
        readers_text(geometry, STEP_BYTES, *layout).len() + 2 * free <= STEP_BYTES
    };
    let is_square = geometry.dials_axes.iter().all(|&axis| axis_name(axis).is_some());
    let tight = Layout::TIGHT.into_iter().filter(|_| is_square);
    let layout = DIGITS.rev().map(Layout::full).chain(tight).find(fits);
    let layout = layout.unwrap_or(Layout::full(*DIGITS.end()));
    padded(|header_bytes| readers_text(geometry, header_bytes, layout))
}

/// How much [`header_readers`] prints.
#[derive(Debug, Clone, Copy)]
struct Layout {
    /// Significant digits of all numbers but the origin.
    digits: i32,
    /// Significant digits of DIALS_ORIGIN, which no program reads; `None`: it is left out.
    origin_digits: Option<i32>,
    /// Whether DIALS_AXES is printed although the axes are those that readers take.
    has_usual_axes: bool,
}

impl Layout {
    /// Those that are tried where all keys do not fit.
    const TIGHT: [Self; 2] = [
        Self { digits: *DIGITS.start(), origin_digits: Some(4), has_usual_axes: false },
        Self { digits: *DIGITS.start(), origin_digits: None, has_usual_axes: false },
    ];

    fn full(digits: i32) -> Self {
        Self { digits, origin_digits: Some(*DIGITS.start()), has_usual_axes: true }
    }
}

fn readers_text(geometry: &ImageHeader, header_bytes: usize, layout: Layout) -> String {
    let g = geometry;
    let slow_size_m = g.slow as f64 * g.pixel_m;
    let stated = Stated {
        digits: layout.digits,
        origin_digits: layout.origin_digits,
        distance_m: g.distance_m,
        beam_center_m: [g.fast_beam_m - g.pixel_m, slow_size_m - g.slow_beam_m + g.pixel_m],
        fast_beam_m: g.fast_beam_m,
        slow_beam_m: g.slow_beam_m,
        slow_size_m,
        dials_origin_mm: g.dials_origin_mm,
    };
    let mut all = entries(g, header_bytes, &stated);
    if g.twotheta_rad != 0.0 {
        all.push(("TWOTHETA", stated.degrees(g.twotheta_rad)));
    }
    let numbers =
        |axis: [f64; 3]| axis.map(|component| format_significant(component, layout.digits)).join(",");
    let axes =
        g.dials_axes.map(|axis| axis_name(axis).map_or_else(|| numbers(axis), str::to_owned)).join(",");
    if layout.has_usual_axes || axes != USUAL_AXES {
        all.push(("DIALS_AXES", axes));
    }
    all.extend([("BEAMLINE", "fake".to_owned()), ("ADC_OFFSET", format!("{:.0}", g.adc_offset))]);
    let saturation = f64::from(g.count_cutoff) + g.adc_offset;
    if saturation < f64::from(u16::MAX) {
        all.push(("CCD_IMAGE_SATURATION", format!("{saturation:.0}")));
    }
    in_braces(&all, |_| ";")
}

/// The name of a direction along an axis.
fn axis_name(direction: [f64; 3]) -> Option<&'static str> {
    let names = ["x", "-x", "y", "-y", "z", "-z"].into_iter().enumerate();
    let is_along = |at: usize| {
        let sign = if at.is_multiple_of(2) { 1.0 } else { -1.0 };
        (0..3).all(|i| (direction[i] - if i == at / 2 { sign } else { 0.0 }).abs() < 1e-12)
    };
    names.filter(|&(at, _)| is_along(at)).map(|(_, name)| name).next()
}

/// The numbers of a header that the two styles take from different places.
struct Stated {
    /// Significant digits of all numbers but the origin.
    digits: i32,
    /// Significant digits of the origin; `None`: it is left out.
    origin_digits: Option<i32>,
    distance_m: f64,
    beam_center_m: [f64; 2],
    fast_beam_m: f64,
    slow_beam_m: f64,
    slow_size_m: f64,
    dials_origin_mm: [f64; 3],
}

impl Stated {
    fn number(&self, value: f64) -> String {
        format_significant(value, self.digits)
    }

    fn mm(&self, length_m: f64) -> String {
        self.number(1000.0 * length_m)
    }

    fn degrees(&self, angle_rad: f64) -> String {
        degrees(angle_rad, self.digits)
    }
}

fn degrees(angle_rad: f64, digits: i32) -> String {
    format_significant(angle_rad / (PI / 180.0), digits)
}

/// The header of an image of pixels of type `pixel_type` with these keys, in this order, as nanoBragg's companions
/// write it.
#[must_use]
pub fn header_with_keys(pixel_type: &str, keys: &[(&'static str, String)]) -> Vec<u8> {
    padded(|header_bytes| {
        let mut all = vec![
            ("HEADER_BYTES", header_bytes.to_string()),
            ("DIM", "2".to_owned()),
            ("BYTE_ORDER", "little_endian".to_owned()),
            ("TYPE", pixel_type.to_owned()),
        ];
        all.extend_from_slice(keys);
        in_braces(&all, |_| ";")
    })
}

/// Keys and values in braces, each line closed by what `close` gives for its key.
fn in_braces(entries: &[(&str, String)], close: impl Fn(&str) -> &'static str) -> String {
    let lines: String = entries.iter().map(|(key, value)| format!("{key}={value}{}\n", close(key))).collect();
    format!("{{\n{lines}}}\x0c")
}

/// The text, padded to the smallest multiple of [`STEP_BYTES`] that holds it; `text` gets this length.
fn padded(text: impl Fn(usize) -> String) -> Vec<u8> {
    let mut header_bytes = STEP_BYTES;
    loop {
        let text = text(header_bytes);
        if text.len() <= header_bytes {
            return format!("{text:header_bytes$}").into_bytes();
        }
        header_bytes += STEP_BYTES;
    }
}

/// The keys of both styles.
fn entries(geometry: &ImageHeader, header_bytes: usize, stated: &Stated) -> Vec<(&'static str, String)> {
    let (g, s) = (geometry, stated);
    let half_pixel_m = g.pixel_m / 2.0;
    let mut all = vec![
        ("HEADER_BYTES", header_bytes.to_string()),
        ("DIM", "2".to_owned()),
        ("BYTE_ORDER", "little_endian".to_owned()),
        ("TYPE", "unsigned_short".to_owned()),
        ("SIZE1", g.fast.to_string()),
        ("SIZE2", g.slow.to_string()),
        ("PIXEL_SIZE", s.mm(g.pixel_m)),
        ("DISTANCE", s.mm(s.distance_m)),
        ("WAVELENGTH", s.number(1e10 * g.lambda_m)),
        ("BEAM_CENTER_X", s.mm(s.beam_center_m[0])),
        ("BEAM_CENTER_Y", s.mm(s.beam_center_m[1])),
        ("ADXV_CENTER_X", s.mm(s.fast_beam_m)),
        ("ADXV_CENTER_Y", s.mm(s.slow_size_m - s.slow_beam_m)),
        ("MOSFLM_CENTER_X", s.mm(s.slow_beam_m - half_pixel_m)),
        ("MOSFLM_CENTER_Y", s.mm(s.fast_beam_m - half_pixel_m)),
        ("DENZO_X_BEAM", s.mm(s.slow_beam_m)),
        ("DENZO_Y_BEAM", s.mm(s.fast_beam_m)),
    ];
    if let Some(digits) = s.origin_digits {
        let origin = s.dials_origin_mm.map(|mm| format_significant(mm, digits));
        all.push(("DIALS_ORIGIN", origin.join(",")));
    }
    all.extend([
        ("XDS_ORGX", s.number(g.org_x_px)),
        ("XDS_ORGY", s.number(g.org_y_px)),
        ("CLOSE_DISTANCE", s.mm(g.close_distance_m)),
        ("PHI", s.degrees(g.phi0_rad)),
        ("OSC_START", s.degrees(g.phi0_rad)),
        ("OSC_RANGE", s.degrees(g.osc_rad)),
    ]);
    all
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::image::NanobraggGeometry;
    use crate::smv::{SmvHeader, parse_smv};

    /// Headers the reference wrote: MOSFLM with a mask, a detector swung in DIALS, a curved one with own
    /// vectors.
    const REFERENCE: [&str; 3] = [
        "{\nHEADER_BYTES=512;\nDIM=2;\nBYTE_ORDER=little_endian;\nTYPE=unsigned_short;\nSIZE1=96;\nSIZE2=80;\nPIXEL_SIZE=0.2;\nDISTANCE=90;\nWAVELENGTH=1.2;\nBEAM_CENTER_X=8.5;\nBEAM_CENTER_Y=6.75;\nADXV_CENTER_X=6.85;\nADXV_CENTER_Y=7.4;\nMOSFLM_CENTER_X=8.5;\nMOSFLM_CENTER_Y=6.75;\nDENZO_X_BEAM=8.6;\nDENZO_Y_BEAM=6.85;\nDIALS_ORIGIN=-6.85,8.6,-90\nXDS_ORGX=34.75;\nXDS_ORGY=43.5;\nCLOSE_DISTANCE=90;\nPHI=3;\nOSC_START=3;\nOSC_RANGE=0.5;\nTWOTHETA=0;\nDETECTOR_SN=000;\nBEAMLINE=fake;\n}\x0c",
        "{\nHEADER_BYTES=512;\nDIM=2;\nBYTE_ORDER=little_endian;\nTYPE=unsigned_short;\nSIZE1=96;\nSIZE2=80;\nPIXEL_SIZE=0.2;\nDISTANCE=80;\nWAVELENGTH=1.2;\nBEAM_CENTER_X=9.6;\nBEAM_CENTER_Y=8;\nADXV_CENTER_X=-5.66472;\nADXV_CENTER_Y=8;\nMOSFLM_CENTER_X=7.9;\nMOSFLM_CENTER_Y=-5.76472;\nDENZO_X_BEAM=8;\nDENZO_Y_BEAM=-5.66472;\nDIALS_ORIGIN=80.3619,-8,-5.8411\nXDS_ORGX=48.5;\nXDS_ORGY=40.5;\nCLOSE_DISTANCE=80;\nPHI=0;\nOSC_START=0;\nOSC_RANGE=0;\nTWOTHETA=11;\nDETECTOR_SN=000;\nBEAMLINE=fake;\n}\x0c",
        "{\nHEADER_BYTES=512;\nDIM=2;\nBYTE_ORDER=little_endian;\nTYPE=unsigned_short;\nSIZE1=96;\nSIZE2=80;\nPIXEL_SIZE=0.2;\nDISTANCE=60;\nWAVELENGTH=1.2;\nBEAM_CENTER_X=8.2;\nBEAM_CENTER_Y=7.1;\nADXV_CENTER_X=8.2;\nADXV_CENTER_Y=8.9;\nMOSFLM_CENTER_X=7;\nMOSFLM_CENTER_Y=8.1;\nDENZO_X_BEAM=7.1;\nDENZO_Y_BEAM=8.2;\nDIALS_ORIGIN=-10.065,8.04766,-59.961\nXDS_ORGX=46.5714;\nXDS_ORGY=45.5462;\nCLOSE_DISTANCE=59.961;\nPHI=0;\nOSC_START=0;\nOSC_RANGE=0;\nTWOTHETA=0;\nDETECTOR_SN=000;\nBEAMLINE=fake;\n}\x0c",
    ];

    fn keys_of(header: &[u8]) -> SmvHeader {
        let pixels = vec![0; 2 * 4096 * 4096];
        parse_smv(&[header, &pixels].concat()[..], Path::new("a.img")).unwrap().header
    }

    /// The numbers a header was made from, as far as it shows them.
    fn geometry_of(header: &str) -> ImageHeader {
        let keys = keys_of(format!("{header:512}").as_bytes());
        let number = |key: &str| keys.required_number(key).unwrap();
        let origin: Vec<f64> =
            keys.get("DIALS_ORIGIN").unwrap().split(',').map(|value| value.parse().unwrap()).collect();
        ImageHeader {
            fast: number("SIZE1") as usize,
            slow: number("SIZE2") as usize,
            pixel_m: number("PIXEL_SIZE") / 1000.0,
            close_distance_m: number("CLOSE_DISTANCE") / 1000.0,
            lambda_m: number("WAVELENGTH") * 1e-10,
            distance_m: number("DISTANCE") / 1000.0,
            fast_beam_m: number("DENZO_Y_BEAM") / 1000.0,
            slow_beam_m: number("DENZO_X_BEAM") / 1000.0,
            dials_origin_mm: [origin[0], origin[1], origin[2]],
            dials_axes: [[1.0, 0.0, 0.0], [0.0, -1.0, 0.0]],
            as_nanobragg: NanobraggGeometry {
                distance_m: number("DISTANCE") / 1000.0,
                x_beam_m: number("BEAM_CENTER_X") / 1000.0,
                y_beam_m: number("BEAM_CENTER_Y") / 1000.0,
                fast_beam_m: number("DENZO_Y_BEAM") / 1000.0,
                slow_beam_m: number("DENZO_X_BEAM") / 1000.0,
                slow_size_m: number("SIZE2") * number("PIXEL_SIZE") / 1000.0,
                dials_origin_mm: [origin[0], origin[1], origin[2]],
            },
            org_x_px: number("XDS_ORGX"),
            org_y_px: number("XDS_ORGY"),
            phi0_rad: number("PHI").to_radians(),
            osc_rad: number("OSC_RANGE").to_radians(),
            twotheta_rad: number("TWOTHETA").to_radians(),
            adc_offset: 40.0,
            exposure_s: 0.1,
            sensor_thickness_m: None,
            count_cutoff: i32::MAX - 1,
            unix_time_s: 1_795_340_487,
        }
    }

    /// A geometry with six digits everywhere, on which the reference overruns its 512 bytes.
    fn long_geometry() -> ImageHeader {
        ImageHeader {
            fast: 2463,
            slow: 2527,
            pixel_m: 0.172e-3,
            close_distance_m: 0.23127183,
            lambda_m: 0.976794e-10,
            distance_m: 0.23127183,
            fast_beam_m: 0.20569837,
            slow_beam_m: 0.21915783,
            dials_origin_mm: [-205.69837, 219.15783, -231.27183],
            dials_axes: [[1.0, 0.0, 0.0], [0.0, -1.0, 0.0]],
            as_nanobragg: NanobraggGeometry {
                distance_m: 0.23127183,
                x_beam_m: 0.21907183,
                y_beam_m: 0.20561237,
                fast_beam_m: 0.20569837,
                slow_beam_m: 0.21915783,
                slow_size_m: 0.434644,
                dials_origin_mm: [-205.69837, 219.15783, -231.27183],
            },
            org_x_px: 1196.4207,
            org_y_px: 1274.6739,
            phi0_rad: 1.2345678,
            osc_rad: 1.23456e-3,
            twotheta_rad: -1.23456e-7,
            adc_offset: 40.0,
            exposure_s: 1.0,
            sensor_thickness_m: None,
            count_cutoff: i32::MAX - 1,
            unix_time_s: 0,
        }
    }

    #[test]
    fn the_references_headers_byte_for_byte() {
        for header in REFERENCE {
            let made = header_reference(&geometry_of(header));
            assert_eq!(String::from_utf8(made).unwrap(), format!("{header:512}"));
        }
    }

    #[test]
    fn never_more_bytes_than_declared() {
        let made = header_reference(&long_geometry());
        let text = String::from_utf8(made.clone()).unwrap();
        assert_eq!(made.len(), 1024);
        assert!(text.starts_with("{\nHEADER_BYTES=1024;\nDIM=2;\n"));
        assert!(text.trim_end_matches(' ').len() > 512);
        assert!(text.trim_end_matches(' ').ends_with("BEAMLINE=fake;\n}\x0c"));
    }

    #[test]
    fn header_for_readers() {
        let geometry = geometry_of(REFERENCE[0]);
        let made = header_readers(&geometry);
        assert_eq!(made.len(), 512);
        let text = String::from_utf8(made.clone()).unwrap();
        let (lines, padding) = text.split_once("}\x0c").unwrap();
        assert!(padding.bytes().all(|byte| byte == b' '));
        assert!(lines.lines().skip(1).all(|line| line.ends_with(';') && line.matches('=').count() == 1));
        let keys = keys_of(&made);
        let expected = [
            ("HEADER_BYTES", "512"),
            ("BEAM_CENTER_X", "6.65"),
            ("BEAM_CENTER_Y", "7.6"),
            ("ADXV_CENTER_X", "6.85"),
            ("ADXV_CENTER_Y", "7.4"),
            ("MOSFLM_CENTER_X", "8.5"),
            ("MOSFLM_CENTER_Y", "6.75"),
            ("DENZO_X_BEAM", "8.6"),
            ("DENZO_Y_BEAM", "6.85"),
            ("XDS_ORGX", "34.75"),
            ("XDS_ORGY", "43.5"),
            ("CLOSE_DISTANCE", "90"),
            ("DIALS_ORIGIN", "-6.85,8.6,-90"),
            ("DIALS_AXES", "x,-y"),
            ("ADC_OFFSET", "40"),
        ];
        for (key, value) in expected {
            assert_eq!(keys.get(key), Some(value), "{key}");
        }
        assert_eq!(keys.get("TWOTHETA"), None);
    }

    /// What FormatSMVJHSim of dxtbx makes of BEAM_CENTER is the place of the beam.
    #[test]
    fn the_beam_is_where_dials_and_adxv_take_it() {
        for geometry in
            [REFERENCE[0], REFERENCE[1], REFERENCE[2]].map(geometry_of).iter().chain([&long_geometry()])
        {
            let keys = keys_of(&header_readers(geometry));
            let number = |key| keys.required_number(key).unwrap();
            let (pixel, height) = (number("PIXEL_SIZE"), number("SIZE2") * number("PIXEL_SIZE"));
            let truth_mm = [1000.0 * geometry.fast_beam_m, 1000.0 * geometry.slow_beam_m];
            let dials_mm = [number("BEAM_CENTER_X") + pixel, height - number("BEAM_CENTER_Y") + pixel];
            let adxv_mm = [number("ADXV_CENTER_X"), height - number("ADXV_CENTER_Y")];
            // Resolution rings are drawn about it.
            let own_mm = keys.detector(geometry.slow).unwrap().beam_px.map(|px| px * pixel);
            for (read, truth) in
                [dials_mm, adxv_mm, own_mm].into_iter().flatten().zip([truth_mm; 3].into_iter().flatten())
            {
                assert!((read - truth).abs() < 0.005 * pixel, "{read} {truth}");
            }
        }
    }

    /// Six digits everywhere still fit; more digits are used where they do, and the length does not depend on the
    /// angle of a frame.
    #[test]
    fn as_many_digits_as_512_bytes_hold() {
        let mut geometry = long_geometry();
        (geometry.phi0_rad, geometry.osc_rad, geometry.twotheta_rad) = (0.0, 0.1_f64.to_radians(), 0.0);
        let digits = |geometry: &ImageHeader| {
            let keys = keys_of(&header_readers(geometry));
            keys.get("DENZO_X_BEAM").unwrap().len() - 1
        };
        let tight = keys_of(&header_readers(&geometry));
        assert_eq!(digits(&geometry), 6);
        assert_eq!((tight.get("DIALS_ORIGIN"), tight.get("DIALS_AXES")), (Some("-205.7,219.2,-231.3"), None));
        for degrees in [0.0_f64, 9.9, 99.9, 359.9] {
            geometry.phi0_rad = degrees.to_radians();
            assert_eq!(header_readers(&geometry).len(), 512, "{degrees}");
        }
        let round = ImageHeader {
            fast_beam_m: 0.2,
            slow_beam_m: 0.212345678,
            distance_m: 0.25,
            close_distance_m: 0.25,
            dials_origin_mm: [-200.0, 212.346, -250.0],
            org_x_px: 1163.0,
            org_y_px: 1274.5,
            ..geometry
        };
        assert!(digits(&round) > 6, "{}", digits(&round));
    }

    #[test]
    fn tilted_axes_are_numbers_and_a_longer_header_is_declared() {
        let geometry = ImageHeader {
            twotheta_rad: 20.0_f64.to_radians(),
            dials_axes: [[1.0, 0.0, 0.0], [0.0, -0.939692620786, 0.342020143326]],
            ..long_geometry()
        };
        let made = header_readers(&geometry);
        assert_eq!(made.len(), 1024);
        let keys = keys_of(&made);
        assert_eq!(keys.get("HEADER_BYTES"), Some("1024"));
        assert_eq!(keys.get("DIALS_AXES"), Some("x,0,-0.939692620786,0.342020143326"));
        assert_eq!(keys.get("TWOTHETA"), Some("20"));
        assert_eq!(keys.get("DENZO_X_BEAM"), Some("219.15783"));
    }

    #[test]
    fn values_out_of_all_bounds_still_give_a_header() {
        let mut geometry = long_geometry();
        geometry.fast = usize::MAX;
        geometry.adc_offset = f64::MAX;
        geometry.distance_m = f64::NAN;
        geometry.dials_origin_mm = [f64::INFINITY, -1.23456e-300, -0.0];
        assert_eq!(header_readers(&geometry).len() % 512, 0);
        assert_eq!(header_reference(&geometry).len(), 1024);
    }
}
