//! Experiment lists of DIALS (`.expt`, JSON), written by DIALS or by [`crate::expt`].
//!
//! `experiment[N]` holds indices into the lists of models. Lengths are in mm and Angstrom. The frame of the list is kept.
//!
//! * **Beam**: `direction` is from the sample to the source. The electric vector is along n x s, with n the
//!   `polarization_normal` and s the direction of the photons; k = 2f - 1 for `polarization_fraction` f.
//! * **Panels**: down the hierarchy from R = 1, o = 0, a node turns R into R (f, s, f x s) and adds R origin to o; a panel
//!   has the origin R origin + o and the axes R f, R s. Without hierarchy, panels are in the laboratory.
//! * **Goniometer**: A(phi) = S R(e, phi) F A, with the setting rotation S, the axis e and the fixed rotation F. With
//!   `axes` from the sample outwards, normalised, and scan axis k: F = R_(k-1) ... R_0, S = R_(m-1) ... R_(k+1), e = axis k.
//!   Then the spindle is S e, and S F A is the A matrix of the geometry.
//! * **Crystal**: A is the inverse of the matrix with the rows `real_space_a`, `_b`, `_c`.
//! * **Refined frame by frame**: `A_at_scan_points`, `setting_rotation_at_scan_points` and `s0_at_scan_points` hold at the
//!   start of each frame and at the end of the last. With S_i the setting rotation there, and phi its angle, the A matrix
//!   is R(S e, phi)^T S_i R(e, phi) F A_i: at phi it gives what DIALS has, about the one spindle S e.
//!
//! `trusted_range` is read as it is written; older versions of DIALS do not count its two ends as valid, newer ones do.
//!
//! Source: dxtbx 3.11, `model/experiment_list.py` and the `from_dict` methods of its models; newer scans keep
//! `oscillation` and `exposure_time` as lists within `properties`. Checked with predictions of DIALS in
//! `tests/tests/geometry.rs`.

use std::path::Path;

use serde_json::{Map, Value};

use super::file::no_such_experiment;
use super::vectors::{
    IDENTITY, Matrix, Vector, across, apply, are_parallel, cross, inverse, is_rotation, length, plus,
    product, rotation, scaled, transposed, unit,
};
use super::{
    BadRegion, Beam, Crystal, Frame, Geometry, GeometryFile, Held, Panel, Polarization, Scan, Sensor,
};
use crate::failure::Failure;
use crate::memory::{is_there, push, reserved};
use crate::text::in_file;

/// Memory for each byte of a list, at most: a value of JSON takes 32 bytes and a text of one digit and a comma.
const BYTES_PER_BYTE: usize = 24;

/// The strategy of panels whose spots were displaced by the depth of the sensor.
const PARALLAX: &str = "ParallaxCorrectedPxMmStrategy";

/// Largest difference of the steps of a scan from each other, as a part of a step.
const SAME_STEP: f64 = 1e-3;

/// Reads an experiment, counted from 0, of a list.
pub(super) fn parse(text: &str, path: &Path, experiment: usize) -> Result<GeometryFile, Failure> {
    if !is_there(text.len().saturating_mul(BYTES_PER_BYTE)) {
        return Err(in_file(path, "no memory for what it holds"));
    }
    let text = text.trim_start_matches('\u{feff}');
    let list: Value =
        serde_json::from_str(text).map_err(|error| in_file(path, format!("not JSON: {error}")))?;
    read(&list, experiment).map_err(|what| in_file(path, what))
}

fn read(list: &Value, experiment: usize) -> Result<GeometryFile, String> {
    let not_such = "not an experiment list: it has no list \"experiment\"";
    let experiments = list.get("experiment").and_then(Value::as_array).ok_or(not_such)?;
    let count = experiments.len();
    let own = experiments.get(experiment).ok_or_else(|| no_such_experiment(experiment, count))?;
    let own = Node::of(own, format!("experiment {experiment}"))?;
    let model = |name: &str| own.model(list, name);
    let required = |name: &str| model(name)?.ok_or_else(|| format!("experiment {experiment} has no {name}"));
    let mut found = Found::default();
    let beam = beam(&required("beam")?)?;
    let panels = found.panels(&required("detector")?)?;
    let scan = match model("scan")? {
        Some(node) => found.scan(&node)?,
        None => None,
    };
    let goniometer = model("goniometer")?.map(|node| Goniometer::of(&node, scan.as_ref())).transpose()?;
    let crystal = match model("crystal")? {
        Some(node) => Some(crystal(&node, goniometer.as_ref(), scan.as_ref())?),
        None => None,
    };
    let beam_at_frames = beam_at_frames(&required("beam")?, &beam, scan.as_ref())?;
    found.images(model("imageset")?.as_ref());
    let spindle = goniometer.as_ref().map(Goniometer::spindle);
    let geometry = Geometry { frame: Frame::Dials, beam, panels, spindle, scan, crystal };
    let mut file = GeometryFile::of("DIALS experiment list", geometry);
    file.experiments = count;
    file.beam_at_frames = beam_at_frames;
    file.bad = found.bad;
    file.held = found.held;
    file.warnings = found.warnings;
    Ok(file)
}

/// What is found besides the models.
#[derive(Default)]
struct Found {
    bad: Vec<BadRegion>,
    held: Vec<Held>,
    warnings: Vec<String>,
}

/// An object of the list, and its name in refusals.
struct Node<'v> {
    object: &'v Map<String, Value>,
    name: String,
}

impl<'v> Node<'v> {
    fn of(value: &'v Value, name: String) -> Result<Self, String> {
        match value.as_object() {
            Some(object) => Ok(Self { object, name }),
            None => Err(format!("{name} is not an object")),
        }
    }

    /// The value of a key; `None` where it is absent or null.
    fn get(&self, key: &str) -> Option<&'v Value> {
        self.object.get(key).filter(|value| !value.is_null())
    }

    fn refusal(&self, key: &str, what: &str) -> String {
        format!("{}: {key}: {what}", self.name)
    }

    fn required(&self, key: &str) -> Result<&'v Value, String> {
        self.get(key).ok_or_else(|| self.refusal(key, "it is missing"))
    }

    /// The model that an experiment names by its index.
    fn model(&self, list: &'v Value, name: &str) -> Result<Option<Node<'v>>, String> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let index = index(value).ok_or_else(|| self.refusal(name, "it is not the index of a model"))?;
        let models = list.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let model = models.get(index).ok_or_else(|| {
            self.refusal(name, &format!("the list has no {name} {index}, but {} of them", models.len()))
        })?;
        Self::of(model, format!("{name} {index}")).map(Some)
    }

    fn number(&self, key: &str) -> Result<Option<f64>, String> {
        let number = |value: &Value| {
            let number = value.as_f64().filter(|number| number.is_finite());
            number.ok_or_else(|| self.refusal(key, "it is not a finite number"))
        };
        self.get(key).map(number).transpose()
    }

    fn text(&self, key: &str) -> Option<&'v str> {
        self.get(key)?.as_str()
    }

    fn numbers<const N: usize>(&self, key: &str) -> Result<[f64; N], String> {
        numbers(self.required(key)?)
            .ok_or_else(|| self.refusal(key, &format!("it is not {N} finite numbers")))
    }

    /// A vector of length 1.
    fn direction(&self, key: &str) -> Result<Vector, String> {
        unit(self.numbers(key)?).ok_or_else(|| self.refusal(key, "a vector of length 0"))
    }

    fn rotation(&self, key: &str) -> Result<Matrix, String> {
        let matrix = rows(self.numbers(key)?);
        if is_rotation(matrix) { Ok(matrix) } else { Err(self.refusal(key, "it is not a rotation")) }
    }

    /// The two axes as a matrix with the columns f, s, f x s.
    fn axes(&self) -> Result<Matrix, String> {
        let (fast, slow) = (self.direction("fast_axis")?, self.direction("slow_axis")?);
        if are_parallel(fast, slow) {
            return Err(format!("{}: fast_axis and slow_axis are parallel", self.name));
        }
        Ok(transposed([fast, slow, cross(fast, slow)]))
    }

    /// What a list of scan points says: N numbers at the start of each frame, and at the end of the last.
    fn at_scan_points<const N: usize>(
        &self,
        key: &str,
        scan: Option<&Scan>,
    ) -> Result<Option<Vec<[f64; N]>>, String> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let list = value.as_array().ok_or_else(|| self.refusal(key, "it is not a list"))?;
        if list.is_empty() {
            return Ok(None);
        }
        let frames = scan.ok_or_else(|| self.refusal(key, "the experiment has no scan"))?.frames;
        if list.len() != frames + 1 {
            let what = format!("it has {} scan points, but the scan {frames} frames", list.len());
            return Err(self.refusal(key, &what));
        }
        let mut points = reserved(list.len()).ok_or_else(|| self.refusal(key, "no memory for it"))?;
        for (value, number) in list.iter().zip(0..) {
            let what = || self.refusal(key, &format!("scan point {number} is not {N} finite numbers"));
            points.push(numbers(value).ok_or_else(what)?);
        }
        Ok(Some(points))
    }
}

/// A whole number that an index can be.
fn index(value: &Value) -> Option<usize> {
    usize::try_from(value.as_u64()?).ok()
}

fn numbers<const N: usize>(value: &Value) -> Option<[f64; N]> {
    let list: &[Value; N] = value.as_array()?.as_slice().try_into().ok()?;
    let mut numbers = [0.0; N];
    for (number, value) in numbers.iter_mut().zip(list) {
        *number = value.as_f64().filter(|number| number.is_finite())?;
    }
    Some(numbers)
}

fn rows([a, b, c, d, e, f, g, h, i]: [f64; 9]) -> Matrix {
    [[a, b, c], [d, e, f], [g, h, i]]
}

fn beam(node: &Node<'_>) -> Result<Beam, String> {
    let direction = scaled(-1.0, node.direction("direction")?).map(|component| component + 0.0);
    let wavelength = node.number("wavelength")?;
    if let Some(wavelength) = wavelength.filter(|&wavelength| wavelength <= 0.0) {
        return Err(node.refusal("wavelength", &format!("{wavelength} A")));
    }
    let fraction = node.number("polarization_fraction")?;
    let polarization = match (fraction, node.get("polarization_normal")) {
        (Some(fraction), Some(_)) => {
            if !(0.0..=1.0).contains(&fraction) {
                return Err(
                    node.refusal("polarization_fraction", &format!("{fraction} is not within 0 to 1"))
                );
            }
            let normal = across(node.direction("polarization_normal")?, direction)
                .ok_or_else(|| node.refusal("polarization_normal", "it is along the beam"))?;
            Some(Polarization {
                electric_vector: cross(normal, direction),
                kahn_factor: 2.0 * fraction - 1.0,
            })
        }
        _ => None,
    };
    Ok(Beam { direction, lambda_m: wavelength.map(|wavelength| wavelength * 1e-10), polarization })
}

fn beam_at_frames(node: &Node<'_>, beam: &Beam, scan: Option<&Scan>) -> Result<Vec<Beam>, String> {
    const KEY: &str = "s0_at_scan_points";
    let Some(points) = node.at_scan_points::<3>(KEY, scan)? else { return Ok(Vec::new()) };
    let mut beams = reserved(points.len()).ok_or_else(|| node.refusal(KEY, "no memory for it"))?;
    for s0 in points {
        let direction = unit(s0).ok_or_else(|| node.refusal(KEY, "a vector of length 0"))?;
        beams.push(Beam { direction, lambda_m: Some(1e-10 / length(s0)), ..*beam });
    }
    Ok(beams)
}

impl Found {
    fn panels(&mut self, node: &Node<'_>) -> Result<Vec<Panel>, String> {
        let panels = node.required("panels")?.as_array().filter(|panels| !panels.is_empty());
        let panels = panels.ok_or_else(|| node.refusal("panels", "it is not a list of panels"))?;
        let no_memory = || node.refusal("panels", "no memory for them");
        let mut placed: Vec<Option<(Matrix, Vector)>> = reserved(panels.len()).ok_or_else(no_memory)?;
        placed.resize(panels.len(), None);
        match node.get("hierarchy") {
            Some(root) => {
                let root = Node::of(root, format!("{}: hierarchy", node.name))?;
                place(&root, IDENTITY, [0.0; 3], &mut placed)?;
            }
            None => placed.fill(Some((IDENTITY, [0.0; 3]))),
        }
        let mut found = reserved(panels.len()).ok_or_else(no_memory)?;
        for (number, (panel, above)) in panels.iter().zip(placed).enumerate() {
            let panel = Node::of(panel, format!("{}: panel {number}", node.name))?;
            let above = above.ok_or_else(|| format!("{}: it is not in the hierarchy", panel.name))?;
            found.push(self.panel(&panel, above, number)?);
        }
        Ok(found)
    }

    /// A panel below the node with the axes `turned` and the origin `origin_mm`.
    fn panel(
        &mut self,
        node: &Node<'_>,
        (turned, origin_mm): (Matrix, Vector),
        number: usize,
    ) -> Result<Panel, String> {
        let [fast, slow, _] = transposed(product(turned, node.axes()?));
        let origin_mm = plus(apply(turned, node.numbers("origin")?), 1.0, origin_mm);
        let pixels = node.numbers::<2>("image_size")?;
        let is_size = |count: &f64| count.fract() == 0.0 && (1.0..=f64::from(i32::MAX)).contains(count);
        if !pixels.iter().all(is_size) {
            return Err(node.refusal("image_size", "it is not two numbers of pixels"));
        }
        let pixel_mm = node.numbers::<2>("pixel_size")?;
        if !pixel_mm.iter().all(|&edge| edge > 0.0) {
            return Err(node.refusal("pixel_size", "it is not positive"));
        }
        let valid = match node.get("trusted_range") {
            Some(_) => node.numbers::<2>("trusted_range")?.map(Some),
            None => [None; 2],
        };
        let offset = match node.get("raw_image_offset") {
            Some(_) => node.numbers::<2>("raw_image_offset")?.map(|pixel| pixel.max(0.0) as usize),
            None => [0; 2],
        };
        let fact = |name: &str, value: f64| Held {
            name: format!("panel {number}: {name}"),
            value: value.to_string(),
        };
        for (key, usual) in [("gain", 1.0), ("pedestal", 0.0)] {
            if let Some(value) = node.number(key)?.filter(|&value| value != usual) {
                push(&mut self.held, fact(key, value))
                    .ok_or_else(|| node.refusal(key, "no memory for it"))?;
            }
        }
        self.masked(node, number)?;
        let name = node.text("name").filter(|name| !name.is_empty());
        Ok(Panel {
            name: name.map_or_else(|| number.to_string(), str::to_owned),
            pixels: pixels.map(|count| count as usize),
            data_origin: offset,
            pixel_m: pixel_mm.map(|edge| edge * 1e-3),
            origin_m: origin_mm.map(|length| length * 1e-3),
            fast,
            slow,
            sensor: self.sensor(node, number)?,
            valid,
        })
    }

    fn sensor(&mut self, node: &Node<'_>, number: usize) -> Result<Option<Sensor>, String> {
        let Some(thickness_mm) = node.number("thickness")?.filter(|&thickness| thickness > 0.0) else {
            return Ok(None);
        };
        let per_mm = node.number("mu")?.filter(|&attenuation| attenuation > 0.0);
        let strategy = node.get("px_mm_strategy").and_then(|strategy| strategy.get("type")?.as_str());
        if per_mm.is_some() && strategy != Some(PARALLAX) && number == 0 {
            self.warnings.push(
                "Its panels have a sensor, but their spots were placed without its parallax (SimplePxMmStrategy)."
                    .to_owned(),
            );
        }
        Ok(Some(Sensor {
            material: node.text("material").filter(|material| !material.is_empty()).map(str::to_owned),
            thickness_m: thickness_mm * 1e-3,
            attenuation_per_m: per_mm.map(|attenuation| attenuation * 1e3),
        }))
    }

    /// Rectangles from (f0, s0) to before (f1, s1).
    fn masked(&mut self, node: &Node<'_>, panel: usize) -> Result<(), String> {
        let refused = || node.refusal("mask", "it is not a list of rectangles of four whole numbers");
        let Some(mask) = node.get("mask") else { return Ok(()) };
        for rectangle in mask.as_array().ok_or_else(refused)? {
            let [f0, s0, f1, s1] = numbers(rectangle).ok_or_else(refused)?;
            let range = |first: f64, end: f64| {
                let first = first.max(0.0);
                (first < end).then_some([first as usize, (end - 1.0) as usize])
            };
            if let (Some(fast), Some(slow)) = (range(f0, f1), range(s0, s1)) {
                push(&mut self.bad, BadRegion::Pixels { panel, fast, slow })
                    .ok_or_else(|| node.refusal("mask", "no memory for it"))?;
            }
        }
        Ok(())
    }

    fn scan(&mut self, node: &Node<'_>) -> Result<Option<Scan>, String> {
        let [first, last] = node.numbers::<2>("image_range")?;
        let refused = || node.refusal("image_range", "it is not a first and a last number of images");
        let is_number = |number: f64| number.fract() == 0.0 && (0.0..=f64::from(i32::MAX)).contains(&number);
        if !is_number(first) || !is_number(last) || last < first {
            return Err(refused());
        }
        let (first, frames) = (first as usize, (last - first) as usize + 1);
        let [start_deg, width_deg] = match node.get("properties") {
            Some(properties) => {
                let properties = Node::of(properties, format!("{}: properties", node.name))?;
                match self.steps(&properties, frames)? {
                    Some(oscillation) => oscillation,
                    None => return Ok(None),
                }
            }
            None => node.numbers("oscillation")?,
        };
        if width_deg == 0.0 {
            return Ok(None);
        }
        let properties = node.get("properties").unwrap_or(&Value::Null);
        let exposure = node.get("exposure_time").or_else(|| properties.get("exposure_time"));
        let exposure = exposure.and_then(|times| times.as_array()?.first()?.as_f64());
        let exposure_s = exposure.filter(|&time| time > 0.0 && time.is_finite());
        Ok(Some(Scan { first, frames, start_deg, width_deg, exposure_s }))
    }

    /// Start and width of a scan that lists the start of each frame.
    fn steps(&mut self, properties: &Node<'_>, frames: usize) -> Result<Option<[f64; 2]>, String> {
        let Some(starts) = properties.get("oscillation") else { return Ok(None) };
        let refused = |what: &str| properties.refusal("oscillation", what);
        let starts = starts.as_array().ok_or_else(|| refused("it is not a list"))?;
        if starts.len() != frames {
            return Err(refused(&format!("it has {} angles for {frames} frames", starts.len())));
        }
        let angle = |value: &Value| value.as_f64().filter(|angle| angle.is_finite());
        let at =
            |frame: usize| starts.get(frame).and_then(angle).ok_or_else(|| refused("not a finite number"));
        let start_deg = at(0)?;
        if frames == 1 {
            let [width_deg] = properties.numbers("oscillation_width")?;
            return Ok(Some([start_deg, width_deg]));
        }
        let width_deg = (at(frames - 1)? - start_deg) / (frames - 1) as f64;
        for frame in 0..frames {
            let off_deg = at(frame)? - (start_deg + frame as f64 * width_deg);
            if off_deg.abs() > SAME_STEP * width_deg.abs() {
                return Err(refused("its frames do not follow one another in equal steps"));
            }
        }
        Ok(Some([start_deg, width_deg]))
    }

    /// The images of an experiment, as the list names them.
    fn images(&mut self, node: Option<&Node<'_>>) {
        let Some(node) = node else { return };
        let template = node.text("template").map(str::to_owned);
        let first = || Some(node.get("images")?.as_array()?.first()?.as_str()?.to_owned());
        if let Some(value) = template.or_else(first) {
            self.held.push(Held { name: "images".to_owned(), value });
        }
    }
}

/// Places the panels below a node.
fn place(
    node: &Node<'_>,
    turned: Matrix,
    origin_mm: Vector,
    placed: &mut [Option<(Matrix, Vector)>],
) -> Result<(), String> {
    let origin_mm = plus(apply(turned, node.numbers("origin")?), 1.0, origin_mm);
    let turned = product(turned, node.axes()?);
    let Some(children) = node.get("children") else { return Ok(()) };
    let children = children.as_array().ok_or_else(|| node.refusal("children", "it is not a list"))?;
    for child in children {
        let child = Node::of(child, node.name.clone())?;
        let Some(number) = child.get("panel") else {
            place(&child, turned, origin_mm, placed)?;
            continue;
        };
        let number = index(number).filter(|&number| number < placed.len());
        let number = number.ok_or_else(|| child.refusal("panel", "the detector has no such panel"))?;
        if placed[number].replace((turned, origin_mm)).is_some() {
            return Err(child.refusal("panel", &format!("panel {number} is at two places")));
        }
    }
    Ok(())
}

/// The rotations of a goniometer.
struct Goniometer {
    axis: Vector,
    fixed: Matrix,
    setting: Matrix,
    /// The setting rotation at the start of each frame and at the end of the last, where it was refined so.
    setting_at: Option<Vec<Matrix>>,
}

impl Goniometer {
    fn of(node: &Node<'_>, scan: Option<&Scan>) -> Result<Self, String> {
        const REFINED: &str = "setting_rotation_at_scan_points";
        let (axis, fixed, setting) = match node.get("axes") {
            Some(axes) => several_axes(node, axes)?,
            None => {
                let rotation = |key: &str| match node.get(key) {
                    Some(_) => node.rotation(key),
                    None => Ok(IDENTITY),
                };
                (node.direction("rotation_axis")?, rotation("fixed_rotation")?, rotation("setting_rotation")?)
            }
        };
        let setting_at = node.at_scan_points::<9>(REFINED, scan)?.map(|points| {
            let matrices: Vec<Matrix> = points.into_iter().map(rows).collect();
            match matrices.iter().position(|&matrix| !is_rotation(matrix)) {
                Some(point) => Err(node.refusal(REFINED, &format!("scan point {point} is not a rotation"))),
                None => Ok(matrices),
            }
        });
        Ok(Self { axis, fixed, setting, setting_at: setting_at.transpose()? })
    }

    /// S e
    fn spindle(&self) -> Vector {
        let turned = apply(self.setting, self.axis);
        unit(turned).unwrap_or(turned)
    }

    /// The A matrix in the laboratory at the start of a frame, of the one that a crystal has there.
    fn in_laboratory(&self, own: Matrix, scan: &Scan, frame: usize) -> Matrix {
        let fixed = product(self.fixed, own);
        let Some(settings) = &self.setting_at else { return product(self.setting, fixed) };
        let phi_deg = scan.start_deg + frame as f64 * scan.width_deg;
        let turned = product(settings[frame], product(rotation(self.axis, phi_deg), fixed));
        product(transposed(rotation(self.spindle(), phi_deg)), turned)
    }
}

/// Scan axis, fixed and setting rotation of a goniometer of several axes.
fn several_axes(node: &Node<'_>, axes: &Value) -> Result<(Vector, Matrix, Matrix), String> {
    let axes = axes.as_array().ok_or_else(|| node.refusal("axes", "it is not a list"))?;
    let angles = node.required("angles")?.as_array();
    let angles = angles.filter(|angles| angles.len() == axes.len());
    let angles = angles.ok_or_else(|| node.refusal("angles", "it is not one angle for each axis"))?;
    let scan_axis = index(node.required("scan_axis")?).filter(|&axis| axis < axes.len());
    let scan_axis = scan_axis.ok_or_else(|| node.refusal("scan_axis", "the goniometer has no such axis"))?;
    let (mut own, mut fixed, mut setting) = ([0.0; 3], IDENTITY, IDENTITY);
    for (number, (axis, angle)) in axes.iter().zip(angles).enumerate() {
        let axis = numbers(axis).and_then(unit);
        let axis = axis.ok_or_else(|| node.refusal("axes", &format!("axis {number} has no direction")))?;
        let angle = angle.as_f64().filter(|angle| angle.is_finite());
        let angle = angle.ok_or_else(|| node.refusal("angles", "it is not a finite number"))?;
        match number.cmp(&scan_axis) {
            core::cmp::Ordering::Less => fixed = product(rotation(axis, angle), fixed),
            core::cmp::Ordering::Equal => own = axis,
            core::cmp::Ordering::Greater => setting = product(rotation(axis, angle), setting),
        }
    }
    Ok((own, fixed, setting))
}

fn crystal(node: &Node<'_>, goniometer: Option<&Goniometer>, scan: Option<&Scan>) -> Result<Crystal, String> {
    let axes = ["real_space_a", "real_space_b", "real_space_c"].map(|key| node.numbers::<3>(key));
    let [a, b, c] = axes;
    let own = inverse([a?, b?, c?]).ok_or_else(|| format!("{}: its axes span no volume", node.name))?;
    let [fixed, setting] = goniometer.map_or([IDENTITY; 2], |gonio| [gonio.fixed, gonio.setting]);
    let in_frame = |a: Matrix| product(setting, product(fixed, a));
    let space_group = node.text("space_group_hall_symbol").map(|symbol| symbol.trim().to_owned());
    Ok(Crystal {
        a_matrix: in_frame(own),
        a_at_frames: a_at_frames(node, own, goniometer, scan)?,
        space_group: space_group.filter(|symbol| !symbol.is_empty()),
    })
}

/// A at the start of each frame and at the end of the last, in the laboratory; empty where nothing was refined frame by
/// frame.
fn a_at_frames(
    node: &Node<'_>,
    own: Matrix,
    goniometer: Option<&Goniometer>,
    scan: Option<&Scan>,
) -> Result<Vec<Matrix>, String> {
    let points = node.at_scan_points::<9>("A_at_scan_points", scan)?;
    let settings = goniometer.and_then(|goniometer| goniometer.setting_at.as_ref());
    let Some(scan) = scan.filter(|_| points.is_some() || settings.is_some()) else { return Ok(Vec::new()) };
    let mut found = reserved(scan.frames + 1).ok_or_else(|| format!("{}: no memory for it", node.name))?;
    for point in 0..=scan.frames {
        let own = points.as_ref().map_or(own, |points| rows(points[point]));
        found.push(goniometer.map_or(own, |goniometer| goniometer.in_laboratory(own, scan, point)));
    }
    Ok(found)
}
