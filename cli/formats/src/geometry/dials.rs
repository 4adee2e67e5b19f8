//! Experiment lists of DIALS (`.expt`, JSON), written by DIALS or by [`crate::expt`].
//!
//! `experiment[N]` holds indices into the lists of models. Lengths are in mm and Angstrom. The frame of the list is
//! kept.
//!
//! * **Beam**: `direction` is from the sample to the source. The electric vector is along n x s, with n the
//!   `polarization_normal` and s the direction of the photons; k = 2f - 1 for `polarization_fraction` f.
//! * **Panels**: down the hierarchy from R = 1, o = 0, a node turns R into R (f, s, f x s) and adds R origin to o; a
//!   panel has the origin R origin + o and the axes R f, R s. Without hierarchy, panels are in the laboratory. Nodes
//!   that hold several panels, but not all, are groups of panels ([`GeometryFile::group`]): by name; a node
//!   without a name, or with that of another, has its place in the tree instead: 2.0 is the first child of the third.
//! * **Goniometer**: A(phi) = S R(e, phi) F A, with the setting rotation S, the axis e and the fixed rotation F. With
//!   `axes` from the sample outwards, normalised, and scan axis k: F = R_(k-1) ... R_0, S = R_(m-1) ... R_(k+1), e =
//!   axis k. Then the spindle is S e, and S F A is the A matrix of the geometry.
//! * **Crystal**: A is the inverse of the matrix with the rows `real_space_a`, `_b`, `_c`.
//! * **Refined frame by frame**: `A_at_scan_points`, `setting_rotation_at_scan_points` and `s0_at_scan_points` hold at
//!   the start of each frame and at the end of the last. With S_i the setting rotation there, and phi its angle, the A
//!   matrix is R(S e, phi)^T S_i R(e, phi) F A_i: at phi it gives what DIALS has, about the one spindle S e.
//!
//! `trusted_range` is read as it is written; older versions of DIALS do not count its two ends as valid, newer ones do.
//!
//! Source: dxtbx 3.11, `model/experiment_list.py` and the `from_dict` methods of its models; newer scans keep
//! `oscillation` and `exposure_time` as lists within `properties`. Checked with predictions of DIALS in
//! `tests/tests/geometry.rs`.

use std::collections::BTreeSet;
use std::io::BufReader;
use std::path::Path;

use serde_json::{Map, Value};

use super::file::no_such_experiment;
use super::groups::Group;
use super::vectors::{
    IDENTITY, Matrix, Vector, across, apply, are_parallel, cross, inverse, is_rotation, length, plus,
    product, rotation, scaled, transposed, unit,
};
use super::{
    BadRegion, Beam, Crystal, Frame, Geometry, GeometryFile, Held, Panel, Polarization, Scan, Sensor,
};
use crate::failure::Failure;
use crate::memory::{PIECE_BYTES, Watched, is_there, push, reserved};
use crate::text::in_file;

/// Memory for each byte of a list of numbers, at most: a number takes 32 bytes and a text of a digit and a comma, and a
/// list is copied as it grows. Objects take more, in small pieces, for which the reader of the text watches the memory.
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
    let text = BufReader::with_capacity(PIECE_BYTES, Watched(text.as_bytes()));
    let list: Value = serde_json::from_reader(text).map_err(|error| {
        let what = if error.is_io() { "cannot read" } else { "not JSON" };
        in_file(path, format!("{what}: {error}"))
    })?;
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
    let beam_node = required("beam")?;
    let beam = beam(&beam_node)?;
    let panels = found.panels(&required("detector")?)?;
    let scan = match model("scan")? {
        Some(node) => scan_of(&node)?,
        None => None,
    };
    let goniometer = model("goniometer")?.map(|node| Goniometer::of(&node, scan.as_ref())).transpose()?;
    let crystal = match model("crystal")? {
        Some(node) => Some(crystal(&node, goniometer.as_ref(), scan.as_ref())?),
        None => None,
    };
    let beam_at_frames = beam_at_frames(&beam_node, &beam, scan.as_ref())?;
    found.images(model("imageset")?.as_ref());
    let spindle = goniometer.as_ref().map(Goniometer::spindle);
    let geometry = Geometry { frame: Frame::Dials, beam, panels, spindle, scan, crystal };
    let mut file = GeometryFile::of("DIALS experiment list", geometry);
    file.experiments = count;
    file.beam_at_frames = beam_at_frames;
    file.nodes = found.nodes;
    file.bad = found.bad;
    file.held = found.held;
    file.warnings = found.warnings;
    Ok(file)
}

/// What is found besides the models.
#[derive(Default)]
struct Found {
    nodes: Vec<Group>,
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
        let placed = reserved(panels.len()).ok_or_else(no_memory)?;
        let mut tree = Tree { placed, groups: Vec::new(), names: BTreeSet::new() };
        tree.placed.resize(panels.len(), None);
        match node.get("hierarchy") {
            Some(root) => {
                let root = Node::of(root, format!("{}: hierarchy", node.name))?;
                let mut within = Vec::new();
                tree.place(&root, "", (IDENTITY, [0.0; 3]), &mut within)?;
                self.nodes = tree.groups;
            }
            None => tree.placed.fill(Some((IDENTITY, [0.0; 3]))),
        }
        let mut found = reserved(panels.len()).ok_or_else(no_memory)?;
        for (number, (panel, above)) in panels.iter().zip(tree.placed).enumerate() {
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
        // Nodes may be off a rotation by the digits that they are printed with.
        let parallel = || format!("{}: fast_axis and slow_axis are parallel", node.name);
        let (fast, slow) = (unit(fast).ok_or_else(parallel)?, unit(slow).ok_or_else(parallel)?);
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

/// The scan of a model; `None` for a still.
fn scan_of(node: &Node<'_>) -> Result<Option<Scan>, String> {
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
            match steps(&properties, frames)? {
                Some(oscillation) => oscillation,
                None => return Ok(None),
            }
        }
        None if node.get("oscillation").is_none() => return Ok(None),
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
fn steps(properties: &Node<'_>, frames: usize) -> Result<Option<[f64; 2]>, String> {
    let Some(starts) = properties.get("oscillation") else { return Ok(None) };
    let refused = |what: &str| properties.refusal("oscillation", what);
    let starts = starts.as_array().ok_or_else(|| refused("it is not a list"))?;
    if starts.len() != frames {
        return Err(refused(&format!("it has {} angles for {frames} frames", starts.len())));
    }
    let angle = |value: &Value| value.as_f64().filter(|angle| angle.is_finite());
    let at = |frame: usize| starts.get(frame).and_then(angle).ok_or_else(|| refused("not a finite number"));
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

/// The axes and the origin, in mm, of the node that a panel is below.
type Place = (Matrix, Vector);

/// A hierarchy of panels as it is read.
struct Tree<'v> {
    /// Where each panel is placed, once it is met.
    placed: Vec<Option<Place>>,
    /// The nodes that hold several panels, but not all, smaller ones before those that hold them.
    groups: Vec<Group>,
    /// The names of nodes that are taken.
    names: BTreeSet<&'v str>,
}

impl<'v> Tree<'v> {
    /// Places the panels below a node, which is at `path` in the hierarchy and below a node at `above`, and appends
    /// their numbers to `within`.
    fn place(
        &mut self,
        node: &Node<'v>,
        path: &str,
        (turned, origin_mm): Place,
        within: &mut Vec<usize>,
    ) -> Result<(), String> {
        let no_memory = || node.refusal("children", "no memory for them");
        let origin_mm = plus(apply(turned, node.numbers("origin")?), 1.0, origin_mm);
        let axes = node.axes()?;
        if !is_rotation(axes) {
            return Err(format!("{}: fast_axis and slow_axis are not perpendicular", node.name));
        }
        let below = (product(turned, axes), origin_mm);
        let Some(children) = node.get("children") else { return Ok(()) };
        let children = children.as_array().ok_or_else(|| node.refusal("children", "it is not a list"))?;
        for (place, child) in children.iter().enumerate() {
            let child = Node::of(child, node.name.clone())?;
            let Some(number) = child.get("panel") else {
                let path = if path.is_empty() { place.to_string() } else { format!("{path}.{place}") };
                let first = within.len();
                self.place(&child, &path, below, within)?;
                self.hold(&child, path, &within[first..]).ok_or_else(no_memory)?;
                continue;
            };
            let number = index(number).filter(|&number| number < self.placed.len());
            let number = number.ok_or_else(|| child.refusal("panel", "the detector has no such panel"))?;
            if self.placed[number].replace(below).is_some() {
                return Err(child.refusal("panel", &format!("panel {number} is at two places")));
            }
            push(within, number).ok_or_else(no_memory)?;
        }
        Ok(())
    }

    /// Makes a group of a node that holds several panels, but not all; `None` without memory.
    fn hold(&mut self, node: &Node<'v>, path: String, within: &[usize]) -> Option<()> {
        if within.len() < 2 || within.len() == self.placed.len() {
            return Some(());
        }
        let own = node.text("name").filter(|name| !name.is_empty() && self.names.insert(*name));
        let name = own.map_or(path, str::to_owned);
        let mut panels = reserved(within.len())?;
        panels.extend_from_slice(within);
        push(&mut self.groups, Group { name, panels })
    }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const A: &str = "real_space_a";

    fn panel(origin: Vector) -> Value {
        json!({
            "name": "", "fast_axis": [1.0, 0.0, 0.0], "slow_axis": [0.0, -2.0, 0.0], "origin": origin,
            "image_size": [30, 20], "pixel_size": [0.1, 0.2], "trusted_range": [0, 100], "mask": [],
        })
    }

    /// Two panels at the laboratory, a spindle along x and three frames.
    fn sample() -> Value {
        json!({
            "__id__": "ExperimentList",
            "experiment": [
                { "beam": 0, "detector": 0, "goniometer": null, "scan": 0, "crystal": 0, "imageset": 0 },
                { "beam": 0, "detector": 0 },
                { "beam": 0, "detector": 0, "goniometer": 0, "scan": 0, "crystal": 0 },
            ],
            "beam": [{ "direction": [0, 0, 2], "wavelength": 1.5 }],
            "detector": [{ "panels": [panel([1.0, 2.0, -100.0]), panel([0.0, 0.0, -50.0])] }],
            "goniometer": [{ "rotation_axis": [3, 0, 0] }],
            "scan": [{ "image_range": [4, 6], "oscillation": [10, 0.5], "exposure_time": [0.2, 0.2, 0.2] }],
            "crystal": [{ A: [10, 0, 0], "real_space_b": [0, 20, 0], "real_space_c": [0, 0, 40] }],
            "imageset": [{ "__id__": "ImageSet", "images": ["a.cbf", "b.cbf"] }],
        })
    }

    fn read_list(list: &Value, experiment: usize) -> Result<GeometryFile, String> {
        let text = list.to_string();
        parse(&text, Path::new("a.expt"), experiment).map_err(|failure| failure.to_string())
    }

    /// The refusal of the last experiment, after a change.
    fn refusal(change: impl Fn(&mut Value)) -> String {
        let mut list = sample();
        change(&mut list);
        read_list(&list, 2).unwrap_err()
    }

    fn close(found: Vector, expected: Vector, within: f64) {
        assert!(length(plus(found, -1.0, expected)) <= within, "{found:?} is not {expected:?}");
    }

    #[test]
    fn experiments_name_their_models() {
        let list = sample();
        let first = read_list(&list, 0).unwrap();
        assert_eq!((first.experiments, first.geometry.spindle), (3, None));
        assert_eq!(first.held, [Held { name: "images".to_owned(), value: "a.cbf".to_owned() }]);
        let second = read_list(&list, 1).unwrap().geometry;
        assert_eq!((second.scan, second.crystal.is_none()), (None, true));
        let third = read_list(&list, 2).unwrap().geometry;
        assert_eq!(third.spindle, Some([1.0, 0.0, 0.0]));
        let scan = Scan { first: 4, frames: 3, start_deg: 10.0, width_deg: 0.5, exposure_s: Some(0.2) };
        assert_eq!(third.scan, Some(scan));
        assert_eq!(third.crystal.unwrap().a_matrix, [[0.1, 0.0, 0.0], [0.0, 0.05, 0.0], [0.0, 0.0, 0.025]]);
        assert_eq!(
            third.beam,
            Beam { direction: [0.0, 0.0, -1.0], lambda_m: Some(1.5e-10), polarization: None }
        );
        let panel = &third.panels[0];
        assert_eq!((panel.name.as_str(), panel.pixels, panel.pixel_m), ("0", [30, 20], [1e-4, 2e-4]));
        assert_eq!(
            (panel.fast, panel.slow, panel.valid),
            ([1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [Some(0.0), Some(100.0)])
        );
        close(panel.origin_m, [0.001, 0.002, -0.1], 1e-17);
        assert!(
            read_list(&list, 3).unwrap_err().ends_with("there is no experiment 3: it has 3, counted from 0")
        );
    }

    #[test]
    fn panels_lie_down_the_hierarchy() {
        let mut list = sample();
        // A quarter turn about z at (0, 0, -100); in it one about its own x, moved along its y.
        list["detector"][0]["hierarchy"] = json!({
            "fast_axis": [0, 1, 0], "slow_axis": [-1, 0, 0], "origin": [0, 0, -100],
            "children": [
                { "panel": 1 },
                { "fast_axis": [1, 0, 0], "slow_axis": [0, 0, 1], "origin": [0, 7, 0], "children": [{ "panel": 0 }] },
            ],
        });
        let panels = read_list(&list, 1).unwrap().geometry.panels;
        close(panels[1].origin_m, [0.0, 0.0, -0.15], 1e-17);
        assert_eq!((panels[1].fast, panels[1].slow), ([0.0, 1.0, 0.0], [1.0, 0.0, 0.0]));
        // (1, 2, -100) -> (1, 100, 2) -> (1, 107, 2) -> (-107, 1, 2) -> (-107, 1, -98).
        close(panels[0].origin_m, [-0.107, 0.001, -0.098], 1e-16);
        close(panels[0].fast, [0.0, 1.0, 0.0], 1e-16);
        close(panels[0].slow, [0.0, 0.0, -1.0], 1e-16);
    }

    #[test]
    fn nodes_that_hold_several_panels_are_groups() {
        let mut list = sample();
        let panel = list["detector"][0]["panels"][0].clone();
        list["detector"][0]["panels"] = Value::Array(vec![panel; 7]);
        let node = |name: &str, children: Value| {
            json!({
                "name": name, "fast_axis": [1, 0, 0], "slow_axis": [0, 1, 0], "origin": [0, 0, 0],
                "children": children,
            })
        };
        let leaves = |numbers: [usize; 2]| json!(numbers.map(|panel| json!({ "panel": panel })));
        let half = node("half", json!([node("", leaves([2, 3])), node("half", leaves([1, 0]))]));
        let single = node("single", json!([{ "panel": 4 }]));
        let detector = node("detector", json!([half, single, node("pair", leaves([6, 5]))]));
        list["detector"][0]["hierarchy"] = node("", json!([detector]));
        let file = read_list(&list, 1).unwrap();
        let groups: Vec<_> =
            file.group_names().map(|name| (name, file.group(name).unwrap().unwrap())).collect();
        assert_eq!(
            groups,
            [("0.0.0", vec![2, 3]), ("half", vec![1, 0]), ("0.0", vec![2, 3, 1, 0]), ("pair", vec![6, 5]),]
        );
        assert_eq!((file.group("detector"), file.group("single")), (Ok(None), Ok(None)));
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line() {
        let at = |pointer: &'static str, value: Value| {
            refusal(move |list| {
                let (parent, key) = pointer.rsplit_once('/').unwrap();
                let parent = list.pointer_mut(parent).unwrap();
                match key.parse::<usize>() {
                    Ok(index) => parent[index] = value.clone(),
                    Err(_) => parent[key] = value.clone(),
                }
            })
        };
        let hierarchy = |children: Value| {
            at(
                "/detector/0/hierarchy",
                json!({ "fast_axis": [1, 0, 0], "slow_axis": [0, 1, 0], "origin": [0, 0, 0], "children": children }),
            )
        };
        let points = |key: &str, count: usize, size: usize| {
            let list: Vec<Vec<f64>> = vec![vec![0.5; size]; count];
            let mut crystal = list_of_crystal();
            crystal[key] = json!(list);
            crystal
        };
        for (message, expected) in [
            (at("/experiment/2/beam", json!(1)), "experiment 2: beam: the list has no beam 1, but 1 of them"),
            (at("/experiment/2/beam", json!(-1)), "experiment 2: beam: it is not the index of a model"),
            (
                at("/experiment/2/beam", json!("beam.json")),
                "experiment 2: beam: it is not the index of a model",
            ),
            (at("/experiment/2/detector", json!(null)), "experiment 2 has no detector"),
            (at("/beam/0", json!([])), "beam 0 is not an object"),
            (at("/beam/0/direction", json!([0, 0, 0])), "beam 0: direction: a vector of length 0"),
            (at("/beam/0/direction", json!([0, 1])), "beam 0: direction: it is not 3 finite numbers"),
            (at("/beam/0/wavelength", json!(0)), "beam 0: wavelength: 0 A"),
            (at("/beam/0/wavelength", json!("1")), "beam 0: wavelength: it is not a finite number"),
            (
                at(
                    "/beam/0",
                    json!({ "direction": [0, 0, 1], "polarization_fraction": 2, "polarization_normal": [0, 1, 0] }),
                ),
                "beam 0: polarization_fraction: 2 is not within 0 to 1",
            ),
            (
                at(
                    "/beam/0",
                    json!({ "direction": [0, 0, 1], "polarization_fraction": 1, "polarization_normal": [0, 0, 1] }),
                ),
                "beam 0: polarization_normal: it is along the beam",
            ),
            (at("/detector/0/panels", json!([])), "detector 0: panels: it is not a list of panels"),
            (
                at("/detector/0/panels/1/image_size", json!([0, 5])),
                "detector 0: panel 1: image_size: it is not two numbers of pixels",
            ),
            (
                at("/detector/0/panels/1/image_size", json!([3, 4, 5])),
                "detector 0: panel 1: image_size: it is not 2 finite numbers",
            ),
            (
                at("/detector/0/panels/1/pixel_size", json!([0, 0.1])),
                "detector 0: panel 1: pixel_size: it is not positive",
            ),
            (
                at("/detector/0/panels/1/slow_axis", json!([5, 0, 0])),
                "detector 0: panel 1: fast_axis and slow_axis are parallel",
            ),
            (at("/detector/0/panels/1/origin", json!(null)), "detector 0: panel 1: origin: it is missing"),
            (
                at("/detector/0/panels/1/mask", json!([[1, 2]])),
                "detector 0: panel 1: mask: it is not a list of rectangles of four whole numbers",
            ),
            (hierarchy(json!([{ "panel": 0 }])), "detector 0: panel 1: it is not in the hierarchy"),
            (
                hierarchy(json!([{ "panel": 0 }, { "panel": 0 }])),
                "detector 0: hierarchy: panel: panel 0 is at two places",
            ),
            (
                hierarchy(json!([{ "panel": 2 }])),
                "detector 0: hierarchy: panel: the detector has no such panel",
            ),
            (hierarchy(json!([{}])), "detector 0: hierarchy: origin: it is missing"),
            (
                hierarchy(json!([{ "fast_axis": [1, 0, 0], "slow_axis": [0.1, 1, 0], "origin": [0, 0, 0] }])),
                "detector 0: hierarchy: fast_axis and slow_axis are not perpendicular",
            ),
            (hierarchy(json!(5)), "detector 0: hierarchy: children: it is not a list"),
            (
                at("/goniometer/0/rotation_axis", json!([0, 0, 0])),
                "goniometer 0: rotation_axis: a vector of length 0",
            ),
            (
                at("/goniometer/0/fixed_rotation", json!([1, 0, 0, 0, 1, 0, 0, 0, -1])),
                "goniometer 0: fixed_rotation: it is not a rotation",
            ),
            (
                at("/goniometer/0", json!({ "axes": [[1, 0, 0]], "angles": [0], "scan_axis": 1 })),
                "goniometer 0: scan_axis: the goniometer has no such axis",
            ),
            (
                at("/goniometer/0", json!({ "axes": [[1, 0, 0]], "angles": [0, 1], "scan_axis": 0 })),
                "goniometer 0: angles: it is not one angle for each axis",
            ),
            (
                at("/goniometer/0", json!({ "axes": [[0, 0, 0]], "angles": [0], "scan_axis": 0 })),
                "goniometer 0: axes: axis 0 has no direction",
            ),
            (
                at("/scan/0/image_range", json!([6, 4])),
                "scan 0: image_range: it is not a first and a last number of images",
            ),
            (at("/scan/0/oscillation", json!([1])), "scan 0: oscillation: it is not 2 finite numbers"),
            (
                at("/scan/0/properties", json!({ "oscillation": [10, 10.5, 12] })),
                "scan 0: properties: oscillation: its frames do not follow one another in equal steps",
            ),
            (
                at("/scan/0/properties", json!({ "oscillation": [10, 10.5] })),
                "scan 0: properties: oscillation: it has 2 angles for 3 frames",
            ),
            (at("/crystal/0/real_space_b", json!([20, 0, 0])), "crystal 0: its axes span no volume"),
            (
                at("/crystal/0", points("A_at_scan_points", 3, 9)),
                "crystal 0: A_at_scan_points: it has 3 scan points, but the scan 3 frames",
            ),
            (
                at("/crystal/0", points("A_at_scan_points", 4, 8)),
                "crystal 0: A_at_scan_points: scan point 0 is not 9 finite numbers",
            ),
            (
                at("/goniometer/0/setting_rotation_at_scan_points", json!(vec![vec![0.5; 9]; 4])),
                "goniometer 0: setting_rotation_at_scan_points: scan point 0 is not a rotation",
            ),
            (
                at("/beam/0/s0_at_scan_points", json!(vec![vec![0.0; 3]; 4])),
                "beam 0: s0_at_scan_points: a vector of length 0",
            ),
        ] {
            assert_eq!(message, format!("a.expt: {expected}"));
        }
        let text = |text: &str| parse(text, Path::new("a.expt"), 0).unwrap_err().to_string();
        assert!(text("{\"experiment\": [NaN]}").starts_with("a.expt: not JSON: expected value at line 1"));
        assert!(text("{\"experiment\": [1e999]}").starts_with("a.expt: not JSON: number out of range"));
        assert_eq!(text("{}"), "a.expt: not an experiment list: it has no list \"experiment\"");
        assert_eq!(text("[]"), "a.expt: not an experiment list: it has no list \"experiment\"");
        assert_eq!(text("{\"experiment\": []}"), "a.expt: it has no experiments");
        assert!(text(&"[".repeat(10_000)).contains("recursion limit"));
    }

    fn list_of_crystal() -> Value {
        sample()["crystal"][0].clone()
    }

    #[test]
    fn stills_have_scans_without_width() {
        let mut list = sample();
        list["scan"][0]["oscillation"] = json!([10, 0]);
        assert_eq!(read_list(&list, 2).unwrap().geometry.scan, None);
        list["scan"][0] =
            json!({ "image_range": [1, 5], "properties": { "time_of_flight": [1, 2, 3, 4, 5] } });
        assert_eq!(read_list(&list, 2).unwrap().geometry.scan, None);
    }

    #[test]
    fn scans_may_list_the_start_of_each_frame() {
        let mut list = sample();
        list["scan"][0] = json!({
            "image_range": [4, 6],
            "properties": { "oscillation": [10.0, 10.5, 11.0], "exposure_time": [0.2, 0.2, 0.2] },
        });
        let scan = Scan { first: 4, frames: 3, start_deg: 10.0, width_deg: 0.5, exposure_s: Some(0.2) };
        assert_eq!(read_list(&list, 2).unwrap().geometry.scan, Some(scan));
        list["scan"][0] = json!({
            "image_range": [4, 4], "properties": { "oscillation": [10.0], "oscillation_width": [0.5] },
        });
        let scan = Scan { frames: 1, exposure_s: None, ..scan };
        assert_eq!(read_list(&list, 2).unwrap().geometry.scan, Some(scan));
    }

    #[test]
    fn sensors_and_masks_belong_to_panels() {
        let mut list = sample();
        for (key, value) in [("thickness", json!(0.45)), ("mu", json!(4.0)), ("material", json!("Si"))] {
            list["detector"][0]["panels"][0][key] = value;
        }
        // From column 28 and row 18 on, and one beyond the panel.
        list["detector"][0]["panels"][1]["mask"] = json!([[28, 18, 40, 40], [-3, 0, 1, 1], [5, 5, 5, 9]]);
        let file = read_list(&list, 1).unwrap();
        let sensor = Sensor {
            material: Some("Si".to_owned()),
            thickness_m: 0.45 * 1e-3,
            attenuation_per_m: Some(4000.0),
        };
        assert_eq!(file.geometry.panels[0].sensor, Some(sensor));
        assert_eq!(file.geometry.panels[1].sensor, None);
        assert!(file.warnings[0].contains("without its parallax"), "{:?}", file.warnings);
        assert_eq!(file.bad_pixels(0).unwrap(), None);
        let bad = file.bad_pixels(1).unwrap().unwrap();
        let expected = |index: usize| index == 0 || index % 30 >= 28 && index / 30 >= 18;
        assert!(bad.iter().enumerate().all(|(index, bad)| *bad == expected(index)));
        assert_eq!(file.bad_pixels(2).unwrap(), None);
        list["detector"][0]["panels"][0]["px_mm_strategy"] = json!({ "type": PARALLAX });
        assert_eq!(read_list(&list, 1).unwrap().warnings, Vec::<String>::new());
    }

    /// What was refined frame by frame gives the scattering vectors of DIALS at each scan point, and a frame the mean
    /// of its ends.
    #[test]
    fn refined_frame_by_frame() {
        let mut list = sample();
        let (axis, fixed) = ([0.6, 0.0, 0.8], rotation([0.0, 1.0, 0.0], 20.0));
        let setting = |point: usize| rotation([0.0, 0.0, 1.0], 5.0 + 0.1 * point as f64);
        let own =
            |point: usize| scaled_rows(rotation([0.0, 1.0, 0.0], 0.05 * point as f64), [0.1, 0.05, 0.025]);
        let flat = |m: Matrix| m.concat();
        let settings = [0, 1, 2, 3].map(|point| flat(setting(point)));
        list["goniometer"][0] = json!({
            "rotation_axis": axis, "fixed_rotation": flat(fixed), "setting_rotation": flat(setting(0)),
            "setting_rotation_at_scan_points": settings,
        });
        list["crystal"][0]["A_at_scan_points"] = json!([0, 1, 2, 3].map(|point| flat(own(point))));
        list["beam"][0]["s0_at_scan_points"] =
            json!([0, 1, 2, 3].map(|point| scaled(1.0 / 1.5, [0.001 * f64::from(point), 0.0, -1.0])));
        let file = read_list(&list, 2).unwrap();
        let geometry = &file.geometry;
        let spindle = geometry.spindle.unwrap();
        close(spindle, apply(setting(0), axis), 1e-15);
        let points = &geometry.crystal.as_ref().unwrap().a_at_frames;
        assert_eq!((points.len(), file.beam_at_frames.len()), (4, 4));
        for (point, a) in points.iter().enumerate() {
            let phi_deg = 10.0 + 0.5 * point as f64;
            let expected =
                product(setting(point), product(rotation(axis, phi_deg), product(fixed, own(point))));
            for (row, expected) in product(rotation(spindle, phi_deg), *a).into_iter().zip(expected) {
                close(row, expected, 1e-16);
            }
        }
        let second = file.at_frame(1);
        let crystal = second.crystal.unwrap();
        close(crystal.a_matrix[1], scaled(0.5, plus(points[1][1], 1.0, points[2][1])), 1e-17);
        assert_eq!(crystal.a_at_frames, Vec::<Matrix>::new());
        close(second.beam.direction, unit([0.0015, 0.0, -1.0]).unwrap(), 1e-15);
        let sum = plus([0.001, 0.0, -1.0], 1.0, [0.002, 0.0, -1.0]);
        assert!((second.beam.lambda_m.unwrap() - 1.5e-10 * 2.0 / length(sum)).abs() < 1e-24);
        assert_eq!(file.at_frame(7), file.at_frame(2));
        // Without anything refined, frames differ in their scan alone.
        let plain = read_list(&sample(), 2).unwrap();
        let scan = Scan { first: 5, frames: 1, start_deg: 10.5, ..plain.geometry.scan.unwrap() };
        assert_eq!(plain.at_frame(1), Geometry { scan: Some(scan), ..plain.geometry });
        let still = read_list(&sample(), 1).unwrap();
        assert_eq!(still.at_frame(3), still.geometry);
    }

    fn scaled_rows(m: Matrix, by: Vector) -> Matrix {
        [0, 1, 2].map(|row| scaled(by[row], m[row]))
    }

    proptest! {
        #[test]
        fn no_text_panics(cut in 0_usize..2000, at in 0_usize..2000, piece in "[-0-9e.,\\[\\]{}\":a-z ]{0,6}") {
            let text = sample().to_string();
            let cut = cut.min(text.len());
            let _ = parse(&text[..cut], Path::new("a.expt"), 0);
            let at = at.min(text.len());
            for experiment in 0..3 {
                let text = format!("{}{piece}{}", &text[..at], &text[(at + piece.len()).min(text.len())..]);
                let _ = parse(&text, Path::new("a.expt"), experiment);
            }
        }
    }
}
