//! `XDS.INP`, written: all keywords that describe an experiment. [`crate::geometry::read_geometry`] reads them.
//!
//! **Frame.** A detector of one panel is written in its own frame, x along fast and z along fast x slow; one of
//! several in the frame with z along the beam and x along the part of the first fast axis across it. So the axes of the
//! detector are those of the frame (but for a slow axis that is not perpendicular to fast), which readers of segments
//! other than XDS rely on.
//!
//! **Panels.** XDS has one image, of one pixel size. A panel is a `SEGMENT` at its place in the block of data; a single
//! panel that is the whole block needs none. With o the outer corner of a panel in mm, ED = (X, Y, X x Y) its axes as
//! columns, x1, y1 its first pixel counted from 1, and w = ED^-1 (o + (QX ORGX, QY ORGY, -F)),
//!
//! ```text
//! SEGMENT_ORGX = x1 - 1/2 - w_x/QX     SEGMENT_ORGY = y1 - 1/2 - w_y/QY     SEGMENT_DISTANCE = w_z
//! ```
//!
//! The origin and the distance F of the whole are such that a first panel across the beam has 0 in all three.
//!
//! **Other keywords.**
//! * OVERLOAD, MINIMUM_VALID_PIXEL_VALUE, SENSOR_THICKNESS and SILICON are written where all panels agree. SILICON is
//!   the attenuation per mm, whatever the material.
//! * The fraction of polarisation is (k + 1)/2 for Kahn's factor k, the normal s x E, with s the direction of the beam
//!   and E the electric vector.
//! * A negative oscillation is a positive one about the opposite axis. A still has no spindle: XDS processes rotations
//!   only.
//! * TRUSTED_REGION reaches to the corners of the image. An UNTRUSTED_RECTANGLE has its border outside.
//!
//! Numbers have 15 digits, and directions 15 decimals: corners are exact to 1e-12 m.
//! Source: W. Kabsch, XDS documentation, "XDS.INP".

use std::path::Path;

use crate::atomic::write_atomically;
use crate::failure::Failure;
use crate::geometry::vectors::{
    IDENTITY, Matrix, Vector, across, apply, cross, inverse, perpendicular, plus, scaled, transposed, unit,
};
use crate::geometry::{Beam, Geometry, Panel};
use crate::memory::{append, push};

/// Largest difference of pixel sizes that are taken for one, as a part.
const SAME_SIZE: f64 = 1e-9;

/// The `XDS.INP` of an experiment.
///
/// ```
/// use std::path::Path;
/// use widebragg_formats::geometry::{Beam, Frame, Geometry, Panel, parse_geometry};
/// use widebragg_formats::xds_inp::XdsInp;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let panel = Panel {
///     name: "0".to_owned(),
///     pixels: [1000, 800],
///     data_origin: [0, 0],
///     pixel_m: [1e-4; 2],
///     origin_m: [-0.05, 0.04, 0.2],
///     fast: [1.0, 0.0, 0.0],
///     slow: [0.0, -1.0, 0.0],
///     sensor: None,
///     valid: [None; 2],
/// };
/// let beam = Beam { direction: [0.0, 0.0, 1.0], lambda_m: Some(1e-10), polarization: None };
/// let geometry =
///     Geometry { frame: Frame::McStas, beam, panels: vec![panel], spindle: None, scan: None, crystal: None };
/// let inp = XdsInp { images: Some("a_?????.img".to_owned()), ..XdsInp::new(geometry) };
/// let text = inp.text()?;
/// assert!(text.contains("\nORGX= 500.5\n") && text.contains("\nDETECTOR_DISTANCE= -200\n"));
/// let read = parse_geometry(&mut text.as_bytes(), Path::new("XDS.INP"), 0)?;
/// assert_eq!(read.geometry.beam.direction, [0.0, 0.0, -1.0]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct XdsInp {
    /// The models. The panels have their places in one block of data.
    pub geometry: Geometry,
    /// What XDS is to take the detector for, which names the format of its images: `ADSC`, `PILATUS`, `EIGER`.
    pub detector: Option<&'static str>,
    /// Path of the images as XDS is to look for them, with `?` for each digit of their numbers.
    pub images: Option<String>,
    /// Pixels of the block of data that are not to be used.
    pub untrusted: Vec<Rectangle>,
    /// Number of the space group in the International Tables.
    pub space_group: Option<u32>,
}

/// A rectangle of pixels in the block of data, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rectangle {
    /// The first and the last pixel along fast.
    pub fast: [usize; 2],
    /// The first and the last pixel along slow.
    pub slow: [usize; 2],
}

impl Rectangle {
    /// Rectangles that cover the pixels of an image for which `is_bad(fast, slow)`, and no others: equal runs of
    /// neighbouring rows are joined. `None` where there is too little memory.
    ///
    /// ```
    /// use widebragg_formats::xds_inp::Rectangle;
    ///
    /// // A column between two modules, and a pixel.
    /// let bad = Rectangle::covering([5, 3], |fast, slow| fast == 2 || (fast, slow) == (4, 1));
    /// let column = Rectangle { fast: [2, 2], slow: [0, 2] };
    /// let pixel = Rectangle { fast: [4, 4], slow: [1, 1] };
    /// assert_eq!(bad, Some(vec![column, pixel]));
    /// ```
    pub fn covering(
        [fast_pixels, slow_pixels]: [usize; 2],
        is_bad: impl Fn(usize, usize) -> bool,
    ) -> Option<Vec<Self>> {
        let mut all: Vec<Self> = Vec::new();
        // The places in `all` of the rectangles that end in the row before, in the order of their columns.
        let mut above: Vec<usize> = Vec::new();
        for row in 0..slow_pixels {
            let mut open = Vec::new();
            let mut candidates = above.iter().copied().peekable();
            let mut fast = 0;
            while fast < fast_pixels {
                if !is_bad(fast, row) {
                    fast += 1;
                    continue;
                }
                let first = fast;
                while fast < fast_pixels && is_bad(fast, row) {
                    fast += 1;
                }
                let run = [first, fast - 1];
                while candidates.next_if(|&at| all[at].fast[0] < first).is_some() {}
                match candidates.next_if(|&at| all[at].fast == run) {
                    Some(at) => {
                        all[at].slow[1] = row;
                        push(&mut open, at)?;
                    }
                    None => {
                        push(&mut open, all.len())?;
                        push(&mut all, Self { fast: run, slow: [row, row] })?;
                    }
                }
            }
            above = open;
        }
        Some(all)
    }
}

impl XdsInp {
    /// A file that holds nothing but a geometry.
    #[must_use]
    pub fn new(geometry: Geometry) -> Self {
        Self { geometry, detector: None, images: None, untrusted: Vec::new(), space_group: None }
    }

    /// The file as text.
    ///
    /// # Errors
    /// The wavelength is not known; the panels have different pixels, or the same place in the data; their axes span no
    /// plane; the A matrix has no inverse; or there is too little memory.
    pub fn text(&self) -> Result<String, Failure> {
        let Geometry { beam, panels, .. } = &self.geometry;
        let lambda_m = beam.lambda_m.ok_or_else(|| Failure::output("XDS.INP needs a wavelength"))?;
        let first = panels.first().ok_or_else(|| Failure::output("XDS.INP needs a panel"))?;
        check_one_image(panels)?;
        let frame = frame(panels, beam)?;
        let mut text = Keywords::default();
        text.comment("Written by widebragg, in the frame of the detector.");
        text.put("JOB", ["XYCORR INIT COLSPOT IDXREF DEFPIX INTEGRATE CORRECT"]);
        if let Some(images) = &self.images {
            text.put("NAME_TEMPLATE_OF_DATA_FRAMES", [images]);
        }
        self.put_rotation(frame, &mut text);
        text.put("X-RAY_WAVELENGTH", [number(lambda_m * 1e10)]);
        text.put("INCIDENT_BEAM_DIRECTION", direction(apply(frame, beam.direction)));
        if let Some(polarization) = beam.polarization {
            text.put("FRACTION_OF_POLARIZATION", [number((polarization.kahn_factor + 1.0) / 2.0)]);
            let normal = cross(beam.direction, polarization.electric_vector);
            text.put("POLARIZATION_PLANE_NORMAL", direction(apply(frame, normal)));
        }
        self.put_crystal(frame, &mut text)?;
        let ends = |axis: usize| panels.iter().map(move |panel| panel.data_origin[axis] + panel.pixels[axis]);
        let block = [0, 1].map(|axis| ends(axis).max().unwrap_or(0));
        self.put_image(block, first, &mut text);
        if panels.len() == 1 && first.data_origin == [0, 0] {
            put_plane(first, frame, &mut text)?;
        } else {
            put_segments(panels, frame, &mut text)?;
        }
        for Rectangle { fast, slow } in &self.untrusted {
            // Pixels count from 1, and those of the border are trusted.
            let values = [fast[0], fast[1] + 2, slow[0], slow[1] + 2];
            text.put("UNTRUSTED_RECTANGLE", values.map(|value| value.to_string()));
        }
        text.finish().ok_or_else(|| Failure::output("no memory for the text of XDS.INP"))
    }

    /// Writes the file.
    ///
    /// # Errors
    /// It cannot be written, or has no such text.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let text = self.text().map_err(|failure| failure.context(path.display()))?;
        write_atomically(path, |out| out.write_all(text.as_bytes()))
    }

    fn put_rotation(&self, frame: Matrix, text: &mut Keywords) {
        let (Some(scan), Some(spindle)) = (self.geometry.scan, self.geometry.spindle) else {
            return text.comment("A still, which XDS does not process.");
        };
        let sense = scan.width_deg.signum();
        let last = scan.first + scan.frames.max(1) - 1;
        text.put("DATA_RANGE", [scan.first, last].map(|frame| frame.to_string()));
        text.put("STARTING_FRAME", [scan.first.to_string()]);
        text.put("STARTING_ANGLE", [number(sense * scan.start_deg)]);
        text.put("OSCILLATION_RANGE", [number(sense * scan.width_deg)]);
        text.put("ROTATION_AXIS", direction(apply(frame, scaled(sense, spindle))));
    }

    fn put_crystal(&self, frame: Matrix, text: &mut Keywords) -> Result<(), Failure> {
        if let Some(group) = self.space_group {
            text.put("SPACE_GROUP_NUMBER", [group.to_string()]);
        }
        let Some(crystal) = &self.geometry.crystal else { return Ok(()) };
        let (Some(axes), Some(cell)) = (crystal.axes_angstrom(), crystal.cell()) else {
            return Err(Failure::output(
                "the A matrix of the crystal has no inverse, so that it has no cell",
            ));
        };
        let ([a, b, c], [alpha, beta, gamma]) = (cell.lengths_angstrom, cell.angles_deg);
        text.put("UNIT_CELL_CONSTANTS", [a, b, c, alpha, beta, gamma].map(number));
        for (name, axis) in ["A", "B", "C"].into_iter().zip(axes) {
            text.put(&format!("UNIT_CELL_{name}-AXIS"), apply(frame, axis).map(number));
        }
        Ok(())
    }

    /// The image and its pixels as a whole.
    fn put_image(&self, block: [usize; 2], first: &Panel, text: &mut Keywords) {
        let panels = &self.geometry.panels;
        if let Some(detector) = self.detector {
            text.put("DETECTOR", [detector]);
        }
        for (keyword, pixels) in ["NX", "NY"].into_iter().zip(block) {
            text.put(keyword, [pixels.to_string()]);
        }
        for (keyword, edge_m) in ["QX", "QY"].into_iter().zip(first.pixel_m) {
            text.put(keyword, [number(edge_m * 1e3)]);
        }
        let [smallest, largest] = [0, 1]
            .map(|end| first.valid[end].filter(|&value| panels.iter().all(|p| p.valid[end] == Some(value))));
        if let Some(smallest) = smallest {
            text.put("MINIMUM_VALID_PIXEL_VALUE", [number(smallest)]);
        }
        if let Some(largest) = largest {
            text.put("OVERLOAD", [number(largest)]);
        }
        let shared =
            first.sensor.as_ref().filter(|_| panels.iter().all(|panel| panel.sensor == first.sensor));
        if let Some(sensor) = shared {
            text.put("SENSOR_THICKNESS", [number(sensor.thickness_m * 1e3)]);
            if let Some(per_m) = sensor.attenuation_per_m {
                text.put("SILICON", [number(per_m / 1e3)]);
            }
        }
        let [width, height] = block.map(|pixels| pixels as f64);
        let corner = width.hypot(height) / width.min(height);
        text.put("TRUSTED_REGION", ["0".to_owned(), number((corner * 100.0).ceil() / 100.0)]);
    }
}

/// Refuses panels that cannot be parts of one image.
fn check_one_image(panels: &[Panel]) -> Result<(), Failure> {
    for (number, panel) in panels.iter().enumerate() {
        let first = &panels[0];
        let same = |axis: usize| {
            (panel.pixel_m[axis] - first.pixel_m[axis]).abs() <= SAME_SIZE * first.pixel_m[axis]
        };
        if !(same(0) && same(1)) {
            return Err(Failure::output(format!(
                "panel {number} has other pixels than panel 0, and XDS.INP holds one size"
            )));
        }
        let overlaps = |other: &Panel| {
            (0..2).all(|axis| {
                let end = |panel: &Panel| panel.data_origin[axis] + panel.pixels[axis];
                other.data_origin[axis] < end(panel) && panel.data_origin[axis] < end(other)
            })
        };
        if let Some(other) = panels[..number].iter().position(overlaps) {
            return Err(Failure::output(format!(
                "panels {other} and {number} have the same pixels of the data, and XDS.INP holds one image"
            )));
        }
    }
    Ok(())
}

/// The rotation into the frame of the file.
fn frame(panels: &[Panel], beam: &Beam) -> Result<Matrix, Failure> {
    let flat = || Failure::output("the axes of panel 0 span no plane");
    let (x, z) = match panels {
        [panel] => (panel.fast, unit(cross(panel.fast, panel.slow)).ok_or_else(flat)?),
        _ => {
            let z = beam.direction;
            let fast = panels.first().and_then(|panel| across(panel.fast, z));
            (fast.unwrap_or_else(|| perpendicular(z)), z)
        }
    };
    Ok([x, cross(z, x), z])
}

/// The axes of a panel and its outer corner in mm, in the frame of the file.
fn placed(panel: &Panel, frame: Matrix) -> ([Vector; 2], Vector) {
    let origin_mm = apply(frame, panel.origin_m).map(|length_m| length_m * 1e3);
    ([apply(frame, panel.fast), apply(frame, panel.slow)], origin_mm)
}

/// A vector in terms of two axes and their cross product.
fn in_terms_of([x, y]: [Vector; 2], vector: Vector) -> Option<Vector> {
    Some(apply(inverse(transposed([x, y, cross(x, y)]))?, vector))
}

/// A panel that is the whole detector.
fn put_plane(panel: &Panel, frame: Matrix, text: &mut Keywords) -> Result<(), Failure> {
    let ([x, y], origin_mm) = placed(panel, frame);
    let [along_x, along_y, distance_mm] =
        in_terms_of([x, y], origin_mm).ok_or_else(|| Failure::output("the axes of panel 0 span no plane"))?;
    let [qx, qy] = panel.pixel_m.map(|edge_m| edge_m * 1e3);
    put_detector([x, y], [0.5 - along_x / qx, 0.5 - along_y / qy], distance_mm, text);
    Ok(())
}

fn put_detector([x, y]: [Vector; 2], [org_x, org_y]: [f64; 2], distance_mm: f64, text: &mut Keywords) {
    text.put("ORGX", [number(org_x)]);
    text.put("ORGY", [number(org_y)]);
    text.put("DETECTOR_DISTANCE", [number(distance_mm)]);
    text.put("DIRECTION_OF_DETECTOR_X-AXIS", direction(x));
    text.put("DIRECTION_OF_DETECTOR_Y-AXIS", direction(y));
}

/// Panels as segments of a detector whose axes are those of the frame.
fn put_segments(panels: &[Panel], frame: Matrix, text: &mut Keywords) -> Result<(), Failure> {
    let Some(first) = panels.first() else { return Ok(()) };
    let [qx, qy] = first.pixel_m.map(|edge_m| edge_m * 1e3);
    let (_, [first_x, first_y, distance_mm]) = placed(first, frame);
    let [x1, y1] = first.data_origin.map(|pixel| pixel as f64 + 0.5);
    let [org_x, org_y] = [x1 - first_x / qx, y1 - first_y / qy];
    put_detector([IDENTITY[0], IDENTITY[1]], [org_x, org_y], distance_mm, text);
    let foot_mm = [qx * org_x, qy * org_y, -distance_mm];
    for (number_of, panel) in panels.iter().enumerate() {
        let (axes, origin_mm) = placed(panel, frame);
        let within = in_terms_of(axes, plus(origin_mm, 1.0, foot_mm))
            .ok_or_else(|| Failure::output(format!("the axes of panel {number_of} span no plane")))?;
        let [x, y] = panel.data_origin;
        let [width, height] = panel.pixels;
        text.comment(&format!("panel {number_of}"));
        text.put("SEGMENT", [x + 1, x + width, y + 1, y + height].map(|value| value.to_string()));
        text.put("DIRECTION_OF_SEGMENT_X-AXIS", direction(axes[0]));
        text.put("DIRECTION_OF_SEGMENT_Y-AXIS", direction(axes[1]));
        text.put("SEGMENT_ORGX", [number(x as f64 + 0.5 - within[0] / qx)]);
        text.put("SEGMENT_ORGY", [number(y as f64 + 0.5 - within[1] / qy)]);
        text.put("SEGMENT_DISTANCE", [number(within[2])]);
    }
    Ok(())
}

/// A number in 15 digits, without an exponent.
fn number(value: f64) -> String {
    let rounded = format!("{value:.14e}").parse().unwrap_or(value);
    // + 0.0 turns -0 into 0.
    format!("{}", rounded + 0.0)
}

/// The components of a direction in 15 decimals, so that none is a rounding error of 0.
fn direction(vector: Vector) -> [String; 3] {
    vector.map(|component| {
        let rounded = format!("{component:.15}").parse().unwrap_or(component);
        format!("{}", rounded + 0.0)
    })
}

/// The lines of a file; `None` once there was too little memory.
struct Keywords(Option<String>);

impl Default for Keywords {
    fn default() -> Self {
        Self(Some(String::new()))
    }
}

impl Keywords {
    fn push(&mut self, piece: &str) {
        self.0 = self.0.take().and_then(|mut text| append(&mut text, piece).map(|()| text));
    }

    fn comment(&mut self, what: &str) {
        self.push(&format!("! {what}\n"));
    }

    fn put<const N: usize>(&mut self, keyword: &str, values: [impl AsRef<str>; N]) {
        self.push(keyword);
        self.push("=");
        for value in values {
            self.push(" ");
            self.push(value.as_ref());
        }
        self.push("\n");
    }

    fn finish(self) -> Option<String> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::geometry::vectors::{length, product, rotation};
    use crate::geometry::{
        BadRegion, Crystal, Frame, GeometryFile, Polarization, Scan, Sensor, parse_geometry,
    };

    fn read(text: &str) -> GeometryFile {
        parse_geometry(&mut text.as_bytes(), Path::new("XDS.INP"), 0).unwrap()
    }

    fn panel() -> Panel {
        Panel {
            name: "0".to_owned(),
            pixels: [40, 30],
            data_origin: [0, 0],
            pixel_m: [1e-4, 2e-4],
            origin_m: [-0.002, 0.003, 0.1],
            fast: [1.0, 0.0, 0.0],
            slow: [0.0, -1.0, 0.0],
            sensor: None,
            valid: [Some(0.0), Some(65534.0)],
        }
    }

    fn inp(panels: Vec<Panel>) -> XdsInp {
        let beam = Beam { direction: [0.0, 0.0, 1.0], lambda_m: Some(1e-10), polarization: None };
        XdsInp::new(Geometry { frame: Frame::McStas, beam, panels, spindle: None, scan: None, crystal: None })
    }

    #[test]
    fn a_still_is_this_text() {
        let mut still = inp(vec![panel()]);
        still.images = Some("a_?????.img".to_owned());
        (still.detector, still.space_group) = (Some("ADSC"), Some(19));
        still.untrusted = vec![Rectangle { fast: [0, 0], slow: [3, 29] }];
        still.geometry.panels[0].sensor =
            Some(Sensor { material: None, thickness_m: 320e-6, attenuation_per_m: Some(3900.0) });
        assert_eq!(
            still.text().unwrap(),
            "! Written by widebragg, in the frame of the detector.\n\
             JOB= XYCORR INIT COLSPOT IDXREF DEFPIX INTEGRATE CORRECT\n\
             NAME_TEMPLATE_OF_DATA_FRAMES= a_?????.img\n\
             ! A still, which XDS does not process.\n\
             X-RAY_WAVELENGTH= 1\nINCIDENT_BEAM_DIRECTION= 0 0 -1\nSPACE_GROUP_NUMBER= 19\nDETECTOR= ADSC\n\
             NX= 40\nNY= 30\nQX= 0.1\nQY= 0.2\nMINIMUM_VALID_PIXEL_VALUE= 0\nOVERLOAD= 65534\n\
             SENSOR_THICKNESS= 0.32\nSILICON= 3.9\nTRUSTED_REGION= 0 1.67\nORGX= 20.5\nORGY= 15.5\n\
             DETECTOR_DISTANCE= -100\nDIRECTION_OF_DETECTOR_X-AXIS= 1 0 0\nDIRECTION_OF_DETECTOR_Y-AXIS= 0 1 0\n\
             UNTRUSTED_RECTANGLE= 0 2 3 31\n"
        );
    }

    #[test]
    fn what_panels_do_not_share_is_left_out() {
        let mut second = Panel { data_origin: [0, 30], valid: [Some(0.0), None], ..panel() };
        second.sensor = Some(Sensor { material: None, thickness_m: 1e-3, attenuation_per_m: None });
        let text = inp(vec![panel(), second.clone()]).text().unwrap();
        assert!(text.contains("MINIMUM_VALID_PIXEL_VALUE= 0\n") && !text.contains("OVERLOAD"), "{text}");
        assert!(!text.contains("SENSOR") && text.contains("NY= 60\n"), "{text}");
        let both = [0, 30].map(|row| Panel { data_origin: [0, row], ..second.clone() });
        assert!(inp(both.to_vec()).text().unwrap().contains("SENSOR_THICKNESS= 1\n"));
    }

    #[test]
    fn a_first_panel_across_the_beam_is_the_detector() {
        let second = Panel { data_origin: [0, 35], origin_m: [-0.002, -0.01, 0.1], ..panel() };
        let text = inp(vec![panel(), second]).text().unwrap();
        let turned = "DIRECTION_OF_SEGMENT_X-AXIS= 1 0 0\nDIRECTION_OF_SEGMENT_Y-AXIS= 0 -1 0\n";
        assert!(text.contains("ORGX= 20.5\nORGY= -14.5\nDETECTOR_DISTANCE= 100\n"), "{text}");
        assert!(text.contains(&format!("SEGMENT= 1 40 1 30\n{turned}")), "{text}");
        assert!(text.contains(&format!("SEGMENT= 1 40 36 65\n{turned}")), "{text}");
    }

    #[test]
    fn a_negative_oscillation_is_about_the_opposite_axis() {
        let mut backwards = inp(vec![panel()]);
        backwards.geometry.spindle = Some([1.0, 0.0, 0.0]);
        backwards.geometry.scan =
            Some(Scan { first: 5, frames: 10, start_deg: 30.0, width_deg: -0.5, exposure_s: None });
        let text = backwards.text().unwrap();
        let expected = "DATA_RANGE= 5 14\nSTARTING_FRAME= 5\nSTARTING_ANGLE= -30\nOSCILLATION_RANGE= 0.5\n\
                        ROTATION_AXIS= -1 0 0\n";
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn what_xds_cannot_hold_is_refused() {
        let refusal = |inp: XdsInp| inp.text().unwrap_err().to_string();
        let mut dark = inp(vec![panel()]);
        dark.geometry.beam.lambda_m = None;
        assert_eq!(refusal(dark), "XDS.INP needs a wavelength");
        let oblong = Panel { data_origin: [0, 30], pixel_m: [1e-4, 1e-4], ..panel() };
        assert!(refusal(inp(vec![panel(), oblong])).starts_with("panel 1 has other pixels than panel 0"));
        let over = Panel { data_origin: [39, 29], ..panel() };
        assert!(refusal(inp(vec![panel(), over])).starts_with("panels 0 and 1 have the same pixels"));
        let line = Panel { slow: [1.0, 0.0, 0.0], ..panel() };
        assert_eq!(refusal(inp(vec![line.clone()])), "the axes of panel 0 span no plane");
        let line = Panel { data_origin: [0, 30], ..line };
        assert_eq!(refusal(inp(vec![panel(), line])), "the axes of panel 1 span no plane");
        let mut flat = inp(vec![panel()]);
        flat.geometry.crystal =
            Some(Crystal { a_matrix: [[0.01; 3]; 3], a_at_frames: Vec::new(), space_group: None });
        assert!(refusal(flat).contains("no inverse"));
    }

    #[test]
    fn numbers_are_short_and_exact() {
        assert_eq!(number(0.172e-3 * 1e3), "0.172");
        assert_eq!((number(-0.0), number(1.0 / 3.0)), ("0".to_owned(), "0.333333333333333".to_owned()));
        assert_eq!(direction([-1e-17, 6e-16, -1.0]), ["0", "0.000000000000001", "-1"]);
    }

    fn axis() -> impl Strategy<Value = Vector> {
        [-1.0..1.0, -1.0..1.0, -1.0..1.0].prop_filter_map("a direction", unit)
    }

    fn geometry() -> impl Strategy<Value = Geometry> {
        let placed = ([-0.3..0.3, -0.3..0.3, -0.3..0.3], axis(), axis(), [1_usize..3000, 1..3000]);
        let shared = ([1e-5..1e-3, 1e-5..1e-3], axis(), axis(), -1.0..1.0, 0.5e-10..2e-10);
        let scan = (0_usize..9, 1_usize..5, -400.0..400.0, prop_oneof![0.01..2.0, -2.0..-0.01]);
        let crystal = ([20.0..200.0, 20.0..200.0, 20.0..200.0], axis(), -180.0..180.0);
        (prop::collection::vec(placed, 1..5), shared, axis(), scan, crystal).prop_filter_map(
            "axes that are not parallel",
            |(
                placed,
                (pixel_m, beam, electric, kahn_factor, lambda_m),
                spindle,
                scan,
                (lengths, about, angle),
            )| {
                let mut row = 0;
                let panels = placed.into_iter().map(|(origin_m, fast, slow, pixels)| {
                    let data_origin = [0, row];
                    row += pixels[1];
                    let slow = across(slow, fast)?;
                    Some(Panel { pixels, data_origin, pixel_m, origin_m, fast, slow, ..panel() })
                });
                let electric_vector = across(electric, beam)?;
                let turned = rotation(about, angle);
                let (first, frames, start_deg, width_deg) = scan;
                Some(Geometry {
                    frame: Frame::Dials,
                    beam: Beam {
                        direction: beam,
                        lambda_m: Some(lambda_m),
                        polarization: Some(Polarization { electric_vector, kahn_factor }),
                    },
                    panels: panels.collect::<Option<_>>()?,
                    spindle: Some(spindle),
                    scan: Some(Scan { first, frames, start_deg, width_deg, exposure_s: None }),
                    crystal: Some(Crystal {
                        a_matrix: inverse([0, 1, 2].map(|i| scaled(lengths[i], turned[i])))?,
                        a_at_frames: Vec::new(),
                        space_group: None,
                    }),
                })
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(geometry in geometry()) {
            let found = read(&XdsInp::new(geometry.clone()).text().unwrap());
            prop_assert_eq!(&found.warnings, &Vec::<String>::new());
            let found = found.geometry;
            let frame = frame(&geometry.panels, &geometry.beam).unwrap();
            let off = |one: Vector, other: Vector| length(plus(apply(frame, one), -1.0, other));
            prop_assert_eq!(found.panels.len(), geometry.panels.len());
            for (ours, found) in geometry.panels.iter().zip(&found.panels) {
                prop_assert_eq!((ours.pixels, ours.data_origin), (found.pixels, found.data_origin));
                let size = ours.pixels.map(|count| count as f64);
                for corner in [[0.0, 0.0], [size[0], 0.0], [0.0, size[1]], size] {
                    let off_m = off(ours.position_m(corner), found.position_m(corner));
                    prop_assert!(off_m < 1e-12, "{off_m}");
                }
            }
            let (ours, other) = (geometry.beam, found.beam);
            let (one, two) = (ours.polarization.unwrap(), other.polarization.unwrap());
            prop_assert!((ours.lambda_m.unwrap() / other.lambda_m.unwrap() - 1.0).abs() < 1e-14);
            prop_assert!((one.kahn_factor - two.kahn_factor).abs() < 1e-14);
            prop_assert!(off(ours.direction, other.direction) < 1e-14);
            prop_assert!(off(one.electric_vector, two.electric_vector) < 1e-13);
            let (scan, read) = (geometry.scan.unwrap(), found.scan.unwrap());
            let sense = scan.width_deg.signum();
            prop_assert_eq!((scan.first, scan.frames), (read.first, read.frames));
            prop_assert!((sense * scan.start_deg - read.start_deg).abs() < 1e-11);
            prop_assert!((scan.width_deg.abs() - read.width_deg).abs() < 1e-13);
            prop_assert!(off(scaled(sense, geometry.spindle.unwrap()), found.spindle.unwrap()) < 1e-14);
            let turned = product(frame, geometry.crystal.unwrap().a_matrix);
            let found = found.crystal.unwrap().a_matrix;
            let largest = turned.iter().flatten().fold(0.0_f64, |most, x| most.max(x.abs()));
            for (one, other) in turned.iter().flatten().zip(found.iter().flatten()) {
                prop_assert!((one - other).abs() < 1e-13 * largest, "{one} {other}");
            }
        }

        #[test]
        fn rectangles_cover_what_is_bad_and_nothing_else(
            bad in prop::collection::vec(any::<bool>(), 35),
            columns in 1_usize..8,
        ) {
            let rows = bad.len() / columns;
            let is_bad = |fast: usize, slow: usize| bad[slow * columns + fast];
            let rectangles = Rectangle::covering([columns, rows], is_bad).unwrap();
            let mut covered = vec![0; rows * columns];
            for Rectangle { fast, slow } in &rectangles {
                for row in slow[0]..=slow[1] {
                    for column in fast[0]..=fast[1] {
                        covered[row * columns + column] += 1;
                    }
                }
            }
            for (at, &times) in covered.iter().enumerate() {
                prop_assert_eq!(times, i32::from(bad[at]), "{}", at);
            }
            // As the reader has them.
            let inp = XdsInp { untrusted: rectangles, ..inp(vec![Panel { pixels: [columns, rows], ..panel() }]) };
            let file = read(&inp.text().unwrap());
            let is_block = |region: &BadRegion| matches!(region, BadRegion::Block { .. });
            prop_assert!(file.bad.iter().all(is_block));
            let mask = file.bad_pixels(0).unwrap();
            let expected = bad[..rows * columns].contains(&true).then(|| bad[..rows * columns].to_vec());
            prop_assert_eq!(mask, expected);
        }
    }
}
