//! The reference's output: SMV header, integer, noise and PGM images, statistics, printed figures.
//!
//! Numbers are formatted as by C's `%g`.

use super::noise::Poisson;
use super::{Rendered, Simulation, degrees};

/// The statistics that the reference prints for an image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Statistics {
    /// Brightest pixel, at least 0.
    pub max: f64,
    /// Its (slow, fast) position; the first if several pixels have the same value.
    pub max_at: (usize, usize),
    /// Mean of the rendered pixels.
    pub mean: f64,
    /// Root mean square of the rendered pixels.
    pub rms: f64,
    /// Root mean square deviation from the mean. Masked pixels of the region of interest count as 0.
    pub rmsd: f64,
}

/// A noise image with its totals.
#[derive(Clone, Debug, PartialEq)]
pub struct Noise {
    /// Pixels, slow-major.
    pub pixels: Vec<u16>,
    /// Sum of the deviates.
    pub photons: f64,
    /// Number of pixels that were cut at 65535.
    pub overloads: usize,
}

/// Statistics of a float image.
pub fn statistics(sim: &Simulation, float: &[f32]) -> Statistics {
    let mut statistics = Statistics { max: 0.0, max_at: (0, 0), mean: 0.0, rms: 0.0, rmsd: 0.0 };
    let (mut n, mut sum, mut sum_sqr) = (0.0, 0.0, 0.0);
    for (slow, fast, v) in roi_pixels(sim, float) {
        if !sim.is_rendered(slow, fast) {
            continue;
        }
        if f64::from(v) > statistics.max {
            statistics.max = f64::from(v);
            statistics.max_at = (slow, fast);
        }
        n += 1.0;
        sum += f64::from(v);
        // The reference multiplies two f32 and adds the rounded product.
        sum_sqr += f64::from(v * v);
    }
    statistics.mean = sum / n;
    statistics.rms = (sum_sqr / (n - 1.0)).sqrt();
    let (mut n, mut sum_dev) = (0.0, 0.0);
    for (_, _, v) in roi_pixels(sim, float) {
        let deviation = f64::from(v) - statistics.mean;
        n += 1.0;
        sum_dev += deviation * deviation;
    }
    statistics.rmsd = (sum_dev / (n - 1.0)).sqrt();
    statistics
}

/// Pixels of the region of interest in order, as (slow, fast, value).
fn roi_pixels<'a>(sim: &'a Simulation, float: &'a [f32]) -> impl Iterator<Item = (usize, usize, f32)> + 'a {
    let fast_pixels = sim.npixels()[0];
    let pixels = float.iter().enumerate().map(move |(i, &v)| (i / fast_pixels, i % fast_pixels, v));
    pixels.filter(|&(slow, fast, _)| sim.in_roi(slow, fast))
}

/// Counts per photon of the integer image.
pub fn int_scale(sim: &Simulation, statistics: &Statistics) -> f64 {
    if sim.scale > 0.0 {
        sim.scale
    } else if statistics.max > 0.0 {
        55000.0 / statistics.max
    } else {
        1.0
    }
}

/// The integer image, which is 0 outside the region of interest.
pub fn int_image(sim: &Simulation, float: &[f32]) -> Vec<u16> {
    let scale = int_scale(sim, &statistics(sim, float));
    let mut image = vec![0; float.len()];
    for (slow, fast, v) in roi_pixels(sim, float) {
        let counts = (f64::from(v) * scale + sim.adc).clamp(0.0, 65535.0);
        image[slow * sim.npixels()[0] + fast] = ((counts + 0.5) as f32).floor() as u16;
    }
    image
}

/// The noise image, which is 0 outside the region of interest.
pub fn noise_image(sim: &Simulation, float: &[f32]) -> Noise {
    let mut poisson = Poisson::after(&sim.crystal.random, sim.seed);
    let mut noise = Noise { pixels: vec![0; float.len()], photons: 0.0, overloads: 0 };
    for (slow, fast, v) in roi_pixels(sim, float) {
        let deviate = f64::from(poisson.draw(v));
        noise.photons += deviate;
        let mut counts = f64::from((deviate + sim.adc) as f32);
        if counts > 65535.0 {
            counts = 65535.0;
            noise.overloads += 1;
        }
        noise.pixels[slow * sim.npixels()[0] + fast] = counts as u16;
    }
    noise
}

/// The contents of the PGM file.
pub fn pgm_image(sim: &Simulation, float: &[f32]) -> Vec<u8> {
    let statistics = statistics(sim, float);
    let scale = if sim.pgmscale > 0.0 {
        sim.pgmscale
    } else if statistics.rmsd > 0.0 {
        250.0 / (5.0 * statistics.rmsd)
    } else {
        int_scale(sim, &statistics)
    };
    let [fast, slow] = sim.npixels();
    let mut file = format!("P5\n{fast} {slow}\n# pixels scaled by {}\n255\n", format_g(scale)).into_bytes();
    file.extend(float.iter().map(|&v| (f64::from(v) * scale).min(255.0) as u8));
    file
}

/// The SMV header of the reference, through the form feed after the closing brace.
pub fn smv_header(sim: &Simulation) -> String {
    let d = &sim.detector;
    let mm = |metres: f64| format_g(1000.0 * metres);
    let [x, y, z] = d.dials_origin_mm.map(format_g);
    let mut header = format!(
        "{{\nHEADER_BYTES=512;\nDIM=2;\nBYTE_ORDER=little_endian;\nTYPE=unsigned_short;\nSIZE1={};\nSIZE2={};\n",
        d.npixels[0], d.npixels[1]
    );
    let before_origin = [
        ("PIXEL_SIZE", mm(d.pixel)),
        ("DISTANCE", mm(d.distance)),
        ("WAVELENGTH", format_g(sim.lambda * 1e10)),
        ("BEAM_CENTER_X", mm(d.Xbeam)),
        ("BEAM_CENTER_Y", mm(d.Ybeam)),
        ("ADXV_CENTER_X", mm(d.Fbeam)),
        ("ADXV_CENTER_Y", mm(d.detsize[1] - d.Sbeam)),
        ("MOSFLM_CENTER_X", mm(d.Sbeam - d.pixel / 2.0)),
        ("MOSFLM_CENTER_Y", mm(d.Fbeam - d.pixel / 2.0)),
        ("DENZO_X_BEAM", mm(d.Sbeam)),
        ("DENZO_Y_BEAM", mm(d.Fbeam)),
    ];
    let after_origin = [
        ("XDS_ORGX", format_g(d.ORGX)),
        ("XDS_ORGY", format_g(d.ORGY)),
        ("CLOSE_DISTANCE", mm(d.close_distance)),
        ("PHI", format_g(degrees(sim.phi0))),
        ("OSC_START", format_g(degrees(sim.phi0))),
        ("OSC_RANGE", format_g(degrees(sim.osc))),
        ("TWOTHETA", format_g(degrees(sim.twotheta))),
        ("DETECTOR_SN", "000".to_owned()),
        ("BEAMLINE", "fake".to_owned()),
    ];
    for (key, value) in before_origin {
        header += &format!("{key}={value};\n");
    }
    // The reference writes no semicolon in this line.
    header += &format!("DIALS_ORIGIN={x},{y},{z}\n");
    for (key, value) in after_origin {
        header += &format!("{key}={value};\n");
    }
    header + "}\u{c}"
}

/// The figures of a golden `case.json`, formatted as there, except those of the noise image.
pub fn figures(sim: &Simulation, rendered: &Rendered) -> Vec<(&'static str, String)> {
    let d = &sim.detector;
    let statistics = statistics(sim, &rendered.float);
    let list = |numbers: &[f64]| numbers.iter().map(|&x| format_g(x)).collect::<Vec<_>>().join(" ");
    let [Na, Nb, Nc] = sim.N();
    let mut figures = vec![
        ("distance_m", format_g(d.distance)),
        ("Xbeam_m", format_g(d.Xbeam)),
        ("Ybeam_m", format_g(d.Ybeam)),
        ("Fbeam_m", format_g(d.Fbeam)),
        ("Sbeam_m", format_g(d.Sbeam)),
        ("Fclose_m", format_g(d.Fclose)),
        ("Sclose_m", format_g(d.Sclose)),
        ("fast_axis", list(&d.f)),
        ("slow_axis", list(&d.s)),
        ("normal_axis", list(&d.o)),
        ("beam", list(&d.b)),
        ("spindle", list(&d.u)),
        ("dials_origin_mm", list(&d.dials_origin_mm)),
        ("sources", sim.sources.len().to_string()),
        ("mosaic_domains", sim.crystal.mosaic.len().to_string()),
        ("oversample", sim.oversample.to_string()),
        ("cells", format!("{Na}x{Nb}x{Nc}")),
        ("unit_cell", list(&sim.crystal.unit_cell)),
        ("solid_angle_sr", format_g(rendered.solid_angle)),
        ("max_I", format_g(statistics.max)),
        ("mean", format_g(statistics.mean)),
        ("rms", format_g(statistics.rms)),
        ("rmsd", format_g(statistics.rmsd)),
        ("intfile_scale", format_g(int_scale(sim, &statistics))),
        ("fluence", format_g(sim.fluence)),
    ];
    if sim.misset_random {
        let angles: Vec<String> =
            sim.crystal.misset.iter().map(|&angle| format!("{:.6}", degrees(angle))).collect();
        figures.push(("misset_deg", angles.join(" ")));
    }
    figures
}

/// A number formatted as by C's `%g`: six significant digits, no trailing zeros, and an exponent of at least
/// two digits where one is needed.
pub fn format_g(x: f64) -> String {
    const DIGITS: i32 = 6;
    if !x.is_finite() {
        return x.to_string().to_lowercase();
    }
    let scientific = format!("{x:.*e}", DIGITS as usize - 1);
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trimmed = |digits: &str| {
        if digits.contains('.') {
            digits.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            digits.to_owned()
        }
    };
    if (-4..DIGITS).contains(&exponent) {
        trimmed(&format!("{x:.*}", (DIGITS - 1 - exponent) as usize))
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{}e{sign}{:02}", trimmed(mantissa), exponent.abs())
    }
}
