//! Headers of SMV images, in two styles.
//!
//! * [`header_reference`]: keys, order and number format (`%g`) of the reference, the same bytes where these
//!   fit into 512. Where they do not, the reference writes more bytes than it declares, so that other
//!   programs read its pixels shifted; this header then declares and has 1024 bytes.
//! * [`header_readers`]: the same keys in the form that other programs expect: 1024 bytes, BEAM_CENTER in
//!   ADXV's convention (x along fast, y up from the last slow row), every line closed with `;`, and `TIME`,
//!   `DATE` and `ADC_OFFSET` added. ADC_OFFSET is an integer, since dxtbx accepts nothing else.
//!
//! Lengths are in mm, angles in degrees, wavelength in Angstrom.

use core::f64::consts::PI;

use crate::ctime::ctime_utc;
use crate::format_g::format_g;
use crate::image::ImageHeader;

/// Lengths of headers are multiples of this.
const STEP_BYTES: usize = 512;

/// The reference's header.
#[must_use]
pub fn header_reference(geometry: &ImageHeader) -> Vec<u8> {
    padded(STEP_BYTES, "\x0c", |header_bytes| {
        let beam_center_m = [geometry.x_beam_m, geometry.y_beam_m];
        entries(geometry, header_bytes, beam_center_m)
            .iter()
            // The one line that the reference does not close with a semicolon.
            .map(|(key, value)| format!("{key}={value}{}\n", if *key == "DIALS_ORIGIN" { "" } else { ";" }))
            .collect()
    })
}

/// The header in the form that other programs expect.
#[must_use]
pub fn header_readers(geometry: &ImageHeader) -> Vec<u8> {
    padded(2 * STEP_BYTES, "\n\x0c\n", |header_bytes| {
        let mut all = entries(geometry, header_bytes, adxv_center_m(geometry));
        all.extend([
            ("TIME", format_g(geometry.exposure_s)),
            ("DATE", ctime_utc(geometry.unix_time_s)),
            ("ADC_OFFSET", format!("{:.0}", geometry.adc_offset)),
        ]);
        all.iter().map(|(key, value)| format!("{key}={value};\n")).collect()
    })
}

/// The lines in braces, padded to the smallest multiple of [`STEP_BYTES`] that holds them, at least
/// `shortest`.
fn padded(shortest: usize, after_brace: &str, lines: impl Fn(usize) -> String) -> Vec<u8> {
    let mut header_bytes = shortest;
    loop {
        let text = format!("{{\n{}}}{after_brace}", lines(header_bytes));
        if text.len() <= header_bytes {
            return format!("{text:header_bytes$}").into_bytes();
        }
        header_bytes += STEP_BYTES;
    }
}

/// The beam centre in ADXV's convention: from the first fast column, and from the last slow row upwards.
fn adxv_center_m(geometry: &ImageHeader) -> [f64; 2] {
    [geometry.fast_beam_m, geometry.slow_size_m - geometry.slow_beam_m]
}

fn entries(
    geometry: &ImageHeader,
    header_bytes: usize,
    beam_center_m: [f64; 2],
) -> Vec<(&'static str, String)> {
    let g = geometry;
    let mm = |length_m: f64| format_g(1000.0 * length_m);
    let degrees = |angle_rad: f64| format_g(angle_rad / (PI / 180.0));
    let adxv_m = adxv_center_m(g);
    let half_pixel_m = g.pixel_m / 2.0;
    vec![
        ("HEADER_BYTES", header_bytes.to_string()),
        ("DIM", "2".to_owned()),
        ("BYTE_ORDER", "little_endian".to_owned()),
        ("TYPE", "unsigned_short".to_owned()),
        ("SIZE1", g.fast.to_string()),
        ("SIZE2", g.slow.to_string()),
        ("PIXEL_SIZE", mm(g.pixel_m)),
        ("DISTANCE", mm(g.distance_m)),
        ("WAVELENGTH", format_g(1e10 * g.lambda_m)),
        ("BEAM_CENTER_X", mm(beam_center_m[0])),
        ("BEAM_CENTER_Y", mm(beam_center_m[1])),
        ("ADXV_CENTER_X", mm(adxv_m[0])),
        ("ADXV_CENTER_Y", mm(adxv_m[1])),
        ("MOSFLM_CENTER_X", mm(g.slow_beam_m - half_pixel_m)),
        ("MOSFLM_CENTER_Y", mm(g.fast_beam_m - half_pixel_m)),
        ("DENZO_X_BEAM", mm(g.slow_beam_m)),
        ("DENZO_Y_BEAM", mm(g.fast_beam_m)),
        ("DIALS_ORIGIN", g.dials_origin_mm.map(format_g).join(",")),
        ("XDS_ORGX", format_g(g.org_x_px)),
        ("XDS_ORGY", format_g(g.org_y_px)),
        ("CLOSE_DISTANCE", mm(g.close_distance_m)),
        ("PHI", degrees(g.phi0_rad)),
        ("OSC_START", degrees(g.phi0_rad)),
        ("OSC_RANGE", degrees(g.osc_rad)),
        ("TWOTHETA", degrees(g.twotheta_rad)),
        ("DETECTOR_SN", "000".to_owned()),
        ("BEAMLINE", "fake".to_owned()),
    ]
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
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
            distance_m: number("DISTANCE") / 1000.0,
            close_distance_m: number("CLOSE_DISTANCE") / 1000.0,
            lambda_m: number("WAVELENGTH") * 1e-10,
            x_beam_m: number("BEAM_CENTER_X") / 1000.0,
            y_beam_m: number("BEAM_CENTER_Y") / 1000.0,
            fast_beam_m: number("DENZO_Y_BEAM") / 1000.0,
            slow_beam_m: number("DENZO_X_BEAM") / 1000.0,
            slow_size_m: number("SIZE2") * number("PIXEL_SIZE") / 1000.0,
            dials_origin_mm: [origin[0], origin[1], origin[2]],
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
            distance_m: 0.23127183,
            close_distance_m: 0.23127183,
            lambda_m: 0.976794e-10,
            x_beam_m: 0.21907183,
            y_beam_m: 0.20561237,
            fast_beam_m: 0.20569837,
            slow_beam_m: 0.21915783,
            slow_size_m: 0.434644,
            dials_origin_mm: [-205.69837, 219.15783, -231.27183],
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
        assert_eq!(made.len(), 1024);
        let text = String::from_utf8(made.clone()).unwrap();
        let (lines, padding) = text.split_once("}\n\x0c\n").unwrap();
        assert!(padding.bytes().all(|byte| byte == b' '));
        assert!(lines.lines().skip(1).all(|line| line.ends_with(';') && line.matches('=').count() == 1));
        let keys = keys_of(&made);
        let expected = [
            ("HEADER_BYTES", "1024"),
            ("BEAM_CENTER_X", "6.85"),
            ("BEAM_CENTER_Y", "7.4"),
            ("ADXV_CENTER_X", "6.85"),
            ("ADXV_CENTER_Y", "7.4"),
            ("MOSFLM_CENTER_X", "8.5"),
            ("DIALS_ORIGIN", "-6.85,8.6,-90"),
            ("TIME", "0.1"),
            ("DATE", "Sun Nov 22 09:41:27 2026"),
            ("ADC_OFFSET", "40"),
        ];
        for (key, value) in expected {
            assert_eq!(keys.get(key), Some(value), "{key}");
        }
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
