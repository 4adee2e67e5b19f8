//! Geometry files of CrystFEL (`.geom`): `key = value` for all panels that are first mentioned later, and
//! `panel/key = value` for one. `;` begins a comment.
//!
//! ```text
//! position(f, s) = (corner_x/res, corner_y/res, clen + coffset) + (f fs + s ss)/res
//! ```
//!
//! in metres, f and s in pixels from the outer corner of the first one: so the origin is position(0, 0), a pixel has
//! the edges |fs|/res and |ss|/res, and `detector_shift_x`, `_y` move all panels. The frame has z along the beam and y
//! up.
//!
//! | key | here |
//! |---|---|
//! | `wavelength` (m, A), `photon_energy` (eV, keV) | the wavelength; unknown where it is a place in the images |
//! | `clen` (m, mm), a panel's `coffset` (m) | z; `clen` may be a panel's in older files |
//! | `res`, `pixel_pitch` | pixels a metre, metres a pixel |
//! | `min_fs` ... `max_ss` | first and last pixel in the block of data |
//! | `flag_lessthan`, `flag_morethan` | the smallest and the largest valid value |
//! | `no_index`, `mask_edge_pixels` | bad pixels of a panel |
//! | `badNAME/min_fs` ... with `panel`; `badNAME/min_x` ... | bad rectangles in the block of data, or in the laboratory |
//! | `group_NAME`, `rigid_group_NAME` | groups of panels ([`GeometryFile::group`]) |
//! | what says where data and masks are | handed on as it is |
//!
//! A region in x and y has the first corner of a pixel in it, as in CrystFEL; its lengths are in 1/res. Masks in HDF5
//! files are not applied.
//!
//! Source: CrystFEL, manual page crystfel_geometry(5). Checked with golden files in `tests/tests/geometry.rs`.

use std::collections::BTreeMap;
use std::path::Path;

use super::vectors::{are_parallel, length, unit};
use super::{BadRegion, Beam, Frame, Geometry, GeometryFile, Held, Panel};
use crate::failure::Failure;
use crate::memory::{is_there, push};
use crate::text::{at_line, finite, in_file, shown};

/// h c in eV m, of the exact constants of the SI.
const PHOTON_EV_M: f64 = 1.239_841_984_332_002_6e-6;

/// Names that begin so are no panels.
const GROUPS: [&str; 2] = ["group", "rigid_group"];
const BAD: &str = "bad";

/// Keys of a panel that place its pixels, or say which are bad.
const USED: [&str; 16] = [
    "min_fs",
    "max_fs",
    "min_ss",
    "max_ss",
    "corner_x",
    "corner_y",
    "fs",
    "ss",
    "res",
    "pixel_pitch",
    "clen",
    "coffset",
    "flag_lessthan",
    "flag_morethan",
    "no_index",
    "mask_edge_pixels",
];

/// Keys of the whole file that are used.
const OF_FILE: [&str; 4] = ["wavelength", "photon_energy", "detector_shift_x", "detector_shift_y"];

/// Keys that are known, and mean nothing to the geometry.
const OTHER: [&str; 17] = [
    "data",
    "mask",
    "mask_file",
    "mask_good",
    "mask_bad",
    "saturation_map",
    "saturation_map_file",
    "flag_equal",
    "max_adu",
    "adu_per_eV",
    "adu_per_photon",
    "bandwidth",
    "electron_voltage",
    "peak_list",
    "peak_list_type",
    "peak_info_location",
    "badrow_direction",
];

/// Memory for each byte of a text, at most: an entry takes 72 bytes, and four of them the place of a panel.
const BYTES_PER_BYTE: usize = 100;

/// Most bad regions in x and y, each counted for every panel, where these have different pixels.
const MOST_REGIONS: usize = 1 << 20;

/// Most keys that a warning names.
const MOST_NAMED: usize = 8;

/// Whether a text is such a file: it has a line `key = value`, and one of them is that of a panel, or `clen` or `res`.
pub(super) fn is_such(text: &str) -> bool {
    entries(text).any(|entry| {
        matches!(entry.key, "clen" | "res" | "photon_energy" | "adu_per_photon")
            || entry.owner.is_some_and(|_| USED.contains(&entry.key))
    })
}

/// `owner/key = value`, and its line.
#[derive(Debug, Clone, Copy)]
struct Entry<'t> {
    owner: Option<&'t str>,
    key: &'t str,
    value: &'t str,
    line: u64,
}

impl Entry<'_> {
    fn failure(&self, path: &Path, what: impl AsRef<str>) -> Failure {
        at_line(path, self.line, format!("{}: {}", shown(self.key.as_bytes()), what.as_ref()))
    }

    fn number(&self, path: &Path) -> Result<f64, Failure> {
        finite(self.value).map_err(|what| self.failure(path, what))
    }
}

/// The entries of a text. Lines without `=` are left out, as by CrystFEL.
fn entries(text: &str) -> impl Iterator<Item = Entry<'_>> {
    (1..).zip(text.lines()).filter_map(|(line, whole)| {
        let (name, value) = whole.split(';').next()?.split_once('=')?;
        let (owner, key) = match name.split_once('/') {
            Some((owner, key)) => (Some(owner.trim()), key.trim()),
            None => (None, name.trim()),
        };
        Some(Entry { owner, key, value: value.trim(), line })
    })
}

/// A panel, or a bad region, with its values in the order of the file.
struct Named<'t> {
    name: &'t str,
    /// Where it is first mentioned.
    line: u64,
    values: Vec<Entry<'t>>,
}

impl<'t> Named<'t> {
    /// The last value of a key.
    fn get(&self, key: &str) -> Option<Entry<'t>> {
        self.values.iter().rev().find(|entry| entry.key == key).copied()
    }
}

/// Reads a file.
pub(super) fn parse(text: &str, path: &Path) -> Result<GeometryFile, Failure> {
    if !is_there(text.len().saturating_mul(BYTES_PER_BYTE)) {
        return Err(in_file(path, "no memory for what it holds"));
    }
    let geom = Geom::of(text, path)?;
    if geom.panels.is_empty() {
        return Err(in_file(path, "it has no panels"));
    }
    let mut panels = Vec::new();
    for panel in &geom.panels {
        push(&mut panels, geom.panel(panel)?).ok_or_else(|| in_file(path, "no memory for its panels"))?;
    }
    let mut warnings = Vec::new();
    let lambda_m = geom.lambda_m(&mut warnings)?;
    let geometry = Geometry {
        frame: Frame::McStas,
        beam: Beam { direction: [0.0, 0.0, 1.0], lambda_m, polarization: None },
        panels,
        spindle: None,
        scan: None,
        crystal: None,
    };
    let mut file = GeometryFile::of("CrystFEL geometry", geometry);
    file.warnings = warnings;
    geom.shift(&mut file)?;
    geom.add_bad(&mut file)?;
    geom.hand_on(text, &mut file)?;
    Ok(file)
}

/// A file, sorted.
struct Geom<'t> {
    path: &'t Path,
    /// The values without a panel, by key, in the order of the file.
    all: BTreeMap<&'t str, Vec<Entry<'t>>>,
    /// In the order in which they are first mentioned.
    panels: Vec<Named<'t>>,
    regions: Vec<Named<'t>>,
    /// Their places in the two lists, by name.
    places: BTreeMap<&'t str, usize>,
}

impl<'t> Geom<'t> {
    fn of(text: &'t str, path: &'t Path) -> Result<Self, Failure> {
        let (panels, regions) = (Vec::new(), Vec::new());
        let mut geom = Self { path, all: BTreeMap::new(), panels, regions, places: BTreeMap::new() };
        for entry in entries(text.trim_start_matches('\u{feff}')) {
            let no_memory = || at_line(path, entry.line, "no memory for what it says");
            let Some(owner) = entry.owner else {
                push(geom.all.entry(entry.key).or_default(), entry).ok_or_else(no_memory)?;
                continue;
            };
            if GROUPS.iter().any(|group| owner.starts_with(group)) {
                continue;
            }
            let list = if owner.starts_with(BAD) { &mut geom.regions } else { &mut geom.panels };
            let place = *geom.places.entry(owner).or_insert(list.len());
            if place == list.len() {
                push(list, Named { name: owner, line: entry.line, values: Vec::new() })
                    .ok_or_else(no_memory)?;
            }
            if let Some(named) = list.get_mut(place) {
                push(&mut named.values, entry).ok_or_else(no_memory)?;
            }
        }
        Ok(geom)
    }

    /// The last value of a key of the whole file.
    fn of_file(&self, key: &str) -> Option<Entry<'t>> {
        self.all.get(key)?.last().copied()
    }

    /// The value of a key of a panel: its own, or that of the file where the panel is first mentioned.
    fn value(&self, of: &Named<'t>, key: &str) -> Option<Entry<'t>> {
        let default = || {
            let before = self.all.get(key)?;
            let count = before.partition_point(|entry| entry.line < of.line);
            before[..count].last().copied()
        };
        of.get(key).or_else(default)
    }

    fn required(&self, of: &Named<'t>, key: &str) -> Result<Entry<'t>, Failure> {
        self.value(of, key)
            .ok_or_else(|| in_file(self.path, format!("panel {} has no {key}", shown(of.name.as_bytes()))))
    }

    /// A number of pixels, which may be written as 1023.0.
    fn whole(&self, entry: Entry<'_>) -> Result<usize, Failure> {
        let value = entry.number(self.path)?;
        if value.fract() != 0.0 || !(0.0..=f64::from(i32::MAX)).contains(&value) {
            return Err(entry.failure(self.path, format!("{value} is not the number of a pixel")));
        }
        Ok(value as usize)
    }

    /// The first and the last of a range.
    fn range(&self, of: &Named<'t>, keys: [&str; 2]) -> Result<[usize; 2], Failure> {
        let [first, last] = keys.map(|key| self.required(of, key));
        let (first, last) = (first?, last?);
        let [low, high] = [self.whole(first)?, self.whole(last)?];
        if low > high {
            return Err(last.failure(self.path, format!("{high} is before {}, which is {low}", keys[0])));
        }
        Ok([low, high])
    }

    fn panel(&self, panel: &Named<'t>) -> Result<Panel, Failure> {
        let [min_fs, max_fs] = self.range(panel, ["min_fs", "max_fs"])?;
        let [min_ss, max_ss] = self.range(panel, ["min_ss", "max_ss"])?;
        let pitch_m = self.pitch_m(panel)?;
        let step = |key: &str| {
            let entry = self.required(panel, key)?;
            let step = direction(entry.value).map_err(|what| entry.failure(self.path, what))?;
            let axis = unit(step).ok_or_else(|| entry.failure(self.path, "a step of no length"))?;
            Ok::<_, Failure>((axis, length(step) * pitch_m))
        };
        let ((fast, fast_m), (slow, slow_m)) = (step("fs")?, step("ss")?);
        if are_parallel(fast, slow) {
            return Err(self.required(panel, "ss")?.failure(self.path, "it is parallel to fs"));
        }
        let corner_m = |key: &str| Ok::<_, Failure>(self.required(panel, key)?.number(self.path)? * pitch_m);
        let number = |key: &str| self.value(panel, key).map(|entry| entry.number(self.path)).transpose();
        let offset_m = number("coffset")?.unwrap_or(0.0);
        Ok(Panel {
            name: panel.name.to_owned(),
            pixels: [max_fs - min_fs + 1, max_ss - min_ss + 1],
            data_origin: [min_fs, min_ss],
            pixel_m: [fast_m, slow_m],
            origin_m: [corner_m("corner_x")?, corner_m("corner_y")?, self.distance_m(panel)? + offset_m],
            fast,
            slow,
            sensor: None,
            valid: [number("flag_lessthan")?, number("flag_morethan")?],
        })
    }

    /// The length of a step of 1.
    fn pitch_m(&self, panel: &Named<'t>) -> Result<f64, Failure> {
        let (entry, pitch_m) = match self.value(panel, "pixel_pitch") {
            Some(pitch) if self.value(panel, "res").is_none() => (pitch, pitch.number(self.path)?),
            _ => {
                let res = self.required(panel, "res")?;
                (res, 1.0 / res.number(self.path)?)
            }
        };
        if pitch_m > 0.0 && pitch_m.is_finite() {
            Ok(pitch_m)
        } else {
            Err(entry.failure(self.path, format!("{} is not positive", shown(entry.value.as_bytes()))))
        }
    }

    /// `clen`, in m: that of the panel, or of the file.
    fn distance_m(&self, panel: &Named<'t>) -> Result<f64, Failure> {
        let entry = self.value(panel, "clen").or_else(|| self.of_file("clen"));
        let Some(entry) = entry else {
            return Err(in_file(self.path, "no clen, the distance of the detector"));
        };
        match entry.measured(&[("m", 1.0), ("mm", 1e-3)]).map_err(|what| entry.failure(self.path, what))? {
            Some(distance_m) => Ok(distance_m),
            None => {
                let place = shown(entry.value.as_bytes());
                let what =
                    format!("the distance is in the images, at {place}: write it here, as in clen = 0.1 m");
                Err(entry.failure(self.path, what))
            }
        }
    }

    /// The wavelength; of wavelength and photon energy the one that comes last.
    fn lambda_m(&self, warnings: &mut Vec<String>) -> Result<Option<f64>, Failure> {
        let (wavelength, energy) = (self.of_file("wavelength"), self.of_file("photon_energy"));
        if wavelength.is_some() && energy.is_some() {
            warnings.push("It has both wavelength and photon_energy: the later one is taken.".to_owned());
        }
        let is_energy = energy.map(|entry| entry.line) > wavelength.map(|entry| entry.line);
        let Some(entry) = (if is_energy { energy } else { wavelength }) else { return Ok(None) };
        let units: &[(&str, f64)] =
            if is_energy { &[("eV", 1.0), ("keV", 1e3)] } else { &[("m", 1.0), ("A", 1e-10)] };
        let value = entry.measured(units).map_err(|what| entry.failure(self.path, what))?;
        let lambda_m = value.map(|value| if is_energy { PHOTON_EV_M / value } else { value });
        match lambda_m {
            None => {
                warnings.push(format!(
                    "The wavelength is not known: it is in the images, at {}.",
                    shown(entry.value.as_bytes())
                ));
                Ok(None)
            }
            Some(lambda_m) if lambda_m > 0.0 && lambda_m.is_finite() => Ok(Some(lambda_m)),
            Some(_) => {
                let value = shown(entry.value.as_bytes());
                Err(entry.failure(self.path, format!("{value} gives no wavelength")))
            }
        }
    }

    /// Moves all panels by the shift of the detector.
    fn shift(&self, file: &mut GeometryFile) -> Result<(), Failure> {
        for (axis, key) in ["detector_shift_x", "detector_shift_y"].into_iter().enumerate() {
            let Some(entry) = self.of_file(key) else { continue };
            match entry
                .measured(&[("m", 1.0), ("mm", 1e-3)])
                .map_err(|what| entry.failure(self.path, what))?
            {
                Some(shift_m) => {
                    file.geometry.panels.iter_mut().for_each(|panel| panel.origin_m[axis] += shift_m);
                }
                None => file.warnings.push(format!(
                    "{key} is not applied: it is in the images, at {}.",
                    shown(entry.value.as_bytes())
                )),
            }
        }
        Ok(())
    }

    fn add_bad(&self, file: &mut GeometryFile) -> Result<(), Failure> {
        let mut bad = Vec::new();
        let no_memory = || in_file(self.path, "no memory for its bad regions");
        for (number, (named, panel)) in self.panels.iter().zip(&file.geometry.panels).enumerate() {
            let last = panel.pixels.map(|count| count - 1);
            let mut add = |fast, slow| {
                push(&mut bad, BadRegion::Pixels { panel: number, fast, slow }).ok_or_else(no_memory)
            };
            if self.value(named, "no_index").is_some_and(|entry| is_set(entry.value)) {
                add([0, last[0]], [0, last[1]])?;
            }
            let edge = self.value(named, "mask_edge_pixels").map(|entry| self.whole(entry)).transpose()?;
            if let Some(edge) = edge.filter(|&edge| edge > 0) {
                let low = |axis: usize| [0, (edge - 1).min(last[axis])];
                let high = |axis: usize| [panel.pixels[axis].saturating_sub(edge), last[axis]];
                let whole = |axis: usize| [0, last[axis]];
                add(low(0), whole(1))?;
                add(high(0), whole(1))?;
                add(whole(0), low(1))?;
                add(whole(0), high(1))?;
            }
        }
        let mut pitches_m = Vec::new();
        for panel in &self.panels {
            push(&mut pitches_m, self.pitch_m(panel)?).ok_or_else(no_memory)?;
        }
        if pitches_m.iter().all(|pitch_m| *pitch_m == pitches_m[0]) {
            pitches_m.truncate(1);
        } else if self.regions.len().saturating_mul(pitches_m.len()) > MOST_REGIONS {
            return Err(in_file(self.path, "too many bad regions for panels of different res"));
        }
        let mut outside = Vec::new();
        for region in &self.regions {
            let is_within =
                self.region(region, file, &pitches_m, |region| push(&mut bad, region).ok_or_else(no_memory))?;
            if !is_within {
                push(&mut outside, region.name).ok_or_else(no_memory)?;
            }
        }
        if let Some(first) = outside.first() {
            file.warnings.push(format!(
                "Bad regions that are not within their panels: {}, {} first; their pixels there are left out.",
                outside.len(),
                shown(first.as_bytes())
            ));
        }
        file.bad = bad;
        Ok(())
    }

    /// Adds a bad region; false where it is not within the panel that it names. `pitches_m` are the lengths of a step
    /// of 1, one for all panels or one each.
    fn region(
        &self,
        region: &Named<'t>,
        file: &GeometryFile,
        pitches_m: &[f64],
        mut add: impl FnMut(BadRegion) -> Result<(), Failure>,
    ) -> Result<bool, Failure> {
        let name = shown(region.name.as_bytes());
        let missing = |key: &str| in_file(self.path, format!("bad region {name} has no {key}"));
        let has = |keys: &[&str]| keys.iter().any(|key| region.get(key).is_some());
        let (in_data, in_laboratory) =
            (["min_fs", "max_fs", "min_ss", "max_ss"], ["min_x", "max_x", "min_y", "max_y"]);
        let number = |key: &str| region.get(key).ok_or_else(|| missing(key))?.number(self.path);
        if has(&in_data) == has(&in_laboratory) {
            let what = if has(&in_data) { "both fs, ss and x, y" } else { "neither fs, ss nor x, y" };
            return Err(in_file(self.path, format!("bad region {name} has {what}")));
        }
        if has(&in_laboratory) {
            let x = [number("min_x")?, number("max_x")?];
            let y = [number("min_y")?, number("max_y")?];
            for (panel, &pitch_m) in pitches_m.iter().enumerate() {
                let [x_m, y_m] = [x, y].map(|range| range.map(|at| at * pitch_m));
                let panel = Some(panel).filter(|_| pitches_m.len() > 1);
                add(BadRegion::Laboratory { panel, x_m, y_m })?;
            }
            return Ok(true);
        }
        let range = |keys: [&str; 2]| {
            let of = |key: &str| self.whole(region.get(key).ok_or_else(|| missing(key))?);
            Ok::<_, Failure>([of(keys[0])?, of(keys[1])?])
        };
        let (fast, slow) = (range(["min_fs", "max_fs"])?, range(["min_ss", "max_ss"])?);
        let Some(of) = region.get("panel") else {
            add(BadRegion::Block { fast, slow })?;
            return Ok(true);
        };
        let place = self.places.get(of.value).filter(|_| !of.value.starts_with(BAD));
        let panel = place.and_then(|&place| Some((place, file.geometry.panels.get(place)?)));
        let (panel, own) =
            panel.ok_or_else(|| of.failure(self.path, format!("no panel {}", shown(of.value.as_bytes()))))?;
        // From the first pixel of the panel; `None` where it has none of them.
        let in_panel = |axis: usize, [first, last]: [usize; 2]| {
            let (origin, most) = (own.data_origin[axis], own.pixels[axis]);
            let some = first <= last && last >= origin && first < origin + most;
            some.then(|| [first.saturating_sub(origin), (last - origin).min(most - 1)])
        };
        let is_within = |axis: usize, [first, last]: [usize; 2]| {
            first >= own.data_origin[axis] && last < own.data_origin[axis] + own.pixels[axis]
        };
        if let (Some(fast), Some(slow)) = (in_panel(0, fast), in_panel(1, slow)) {
            add(BadRegion::Pixels { panel, fast, slow })?;
        }
        Ok(is_within(0, fast) && is_within(1, slow))
    }

    /// Hands on what is no geometry, and says what is not applied.
    fn hand_on(&self, text: &str, file: &mut GeometryFile) -> Result<(), Failure> {
        let mut unknown: Vec<&str> = Vec::new();
        for entry in entries(text) {
            let is_group = GROUPS.iter().any(|group| entry.owner.unwrap_or(entry.key).starts_with(group));
            let is_region = entry.owner.is_some_and(|owner| owner.starts_with(BAD));
            if is_region || !is_group && is_used(&entry) {
                continue;
            }
            let is_known = is_group || is_known(entry.key);
            if !is_known && !unknown.contains(&entry.key) && unknown.len() <= MOST_NAMED {
                unknown.push(entry.key);
            }
            let name =
                entry.owner.map_or_else(|| entry.key.to_owned(), |owner| format!("{owner}/{}", entry.key));
            let held = Held { name, value: entry.value.to_owned() };
            push(&mut file.held, held)
                .ok_or_else(|| at_line(self.path, entry.line, "no memory for what it says"))?;
            if is_mask_file(entry.key) {
                self.warn_of_mask(entry, file);
            }
        }
        if !unknown.is_empty() {
            let more = if unknown.len() > MOST_NAMED { " and others" } else { "" };
            let names: Vec<_> = unknown.iter().take(MOST_NAMED).map(|key| shown(key.as_bytes())).collect();
            file.warnings.push(format!("Keys that are not known: {}{more}.", names.join(", ")));
        }
        Ok(())
    }

    /// Warns, once for each file, that a mask is not there, or not applied.
    fn warn_of_mask(&self, entry: Entry<'_>, file: &mut GeometryFile) {
        if file.warnings.len() > MOST_NAMED {
            return;
        }
        let folder = self.path.parent().unwrap_or(Path::new(""));
        let is_there = Path::new(entry.value).is_file() || folder.join(entry.value).is_file();
        let name = shown(entry.value.as_bytes());
        let warning = if is_there {
            format!("The mask {name} is not applied: masks of HDF5 files are not read.")
        } else {
            format!("The mask {name} is not there.")
        };
        if !file.warnings.contains(&warning) {
            file.warnings.push(warning);
        }
    }
}

impl Entry<'_> {
    /// A number in one of the units, of which the first is usual; `None` for a place in the images.
    fn measured(&self, units: &[(&str, f64)]) -> Result<Option<f64>, String> {
        let mut words = self.value.split_whitespace();
        let first = words.next().ok_or("no value")?;
        // A unit may follow its number without a blank.
        let digits = first.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let (number, unit) = match (finite(first), first.get(digits.len()..)) {
            (Err(_), Some(unit)) if !unit.is_empty() && !digits.is_empty() && finite(digits).is_ok() => {
                (digits, Some(unit))
            }
            _ => (first, words.next()),
        };
        if number.contains('/') || number.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Ok(None);
        }
        let value = finite(number)?;
        let by = match unit {
            None => units.first(),
            Some(unit) => units.iter().find(|(name, _)| *name == unit),
        };
        let by = by
            .ok_or_else(|| format!("the unit {} is not known", shown(unit.unwrap_or_default().as_bytes())))?;
        Ok(Some(value * by.1))
    }
}

/// Whether a key of the whole file or of a panel is part of the geometry.
fn is_used(entry: &Entry<'_>) -> bool {
    USED.contains(&entry.key) || entry.owner.is_none() && OF_FILE.contains(&entry.key)
}

fn is_known(key: &str) -> bool {
    let numbered = |prefix: &str| key.strip_prefix(prefix)?.strip_prefix(|c: char| c.is_ascii_digit());
    let mask_keys = ["_data", "_file", "_goodbits", "_badbits"];
    OTHER.contains(&key)
        || numbered("dim") == Some("")
        || numbered("mask").is_some_and(|rest| mask_keys.contains(&rest))
}

fn is_mask_file(key: &str) -> bool {
    key.strip_prefix("mask")
        .is_some_and(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()) == "_file")
}

/// Whether a switch is on.
fn is_set(value: &str) -> bool {
    value == "true" || value.parse::<f64>().is_ok_and(|number| number != 0.0)
}

/// A vector such as `+0.99x -0.01y` or `-y`. A number without x, y or z is refused.
fn direction(text: &str) -> Result<[f64; 3], String> {
    let mut vector = [0.0; 3];
    let mut rest = text;
    while let Some(at) = rest.find(['x', 'y', 'z']) {
        let component = rest.as_bytes().get(at).copied();
        let number: String = rest[..at].chars().filter(|c| !c.is_whitespace() && *c != '*').collect();
        let value = match number.as_str() {
            "" | "+" => 1.0,
            "-" => -1.0,
            number => finite(number)?,
        };
        vector[match component {
            Some(b'x') => 0,
            Some(b'y') => 1,
            _ => 2,
        }] += value;
        rest = &rest[at + 1..];
    }
    if rest.trim().is_empty() {
        Ok(vector)
    } else {
        Err(format!("{} is not a vector such as +1.0x -0.5y", shown(text.as_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PANEL: &str = "p0/min_fs = 0\np0/max_fs = 9\np0/min_ss = 0\np0/max_ss = 4\np0/corner_x = -5\np0/corner_y = 2\n\
                         p0/fs = +1.0x\np0/ss = -1.0y\n";

    fn read(text: &str) -> Result<GeometryFile, String> {
        parse(text, Path::new("a.geom")).map_err(|failure| failure.to_string())
    }

    /// With a distance and a pixel, and one panel of 10 x 5 pixels.
    fn with(text: &str) -> GeometryFile {
        read(&format!("clen = 0.1 m\nres = 10000\n{PANEL}{text}")).unwrap()
    }

    fn refusal(text: &str) -> String {
        read(&format!("clen = 0.1 m\nres = 10000\n{PANEL}{text}")).unwrap_err()
    }

    fn lambda(text: &str) -> Option<f64> {
        with(text).geometry.beam.lambda_m.map(|lambda_m| lambda_m * 1e10)
    }

    #[test]
    fn a_value_holds_for_panels_first_mentioned_later() {
        let text = "res = 5000\nclen = 0.2\np0/min_fs = 1\nres = 10000 ; a comment\nclen = 300 mm\nmin_fs = 0\nmax_fs = 9\n\
                    min_ss = 0\nmax_ss = 4\ncorner_x = 10\ncorner_y = -4\nfs = x\nss = 1.0*y\np1/coffset = 0.05\n\
                    p0/max_fs = 3\np0/min_ss = 2\np0/max_ss = 2\np0/corner_x = 1\np0/corner_y = 1\np0/fs = -y\n\
                    p0/ss = + x\nres = 1\n";
        let panels = read(text).unwrap().geometry.panels;
        assert_eq!([&panels[0].name, &panels[1].name], ["p0", "p1"]);
        assert_eq!((panels[0].pixels, panels[0].data_origin), ([3, 1], [1, 2]));
        assert_eq!((panels[0].pixel_m, panels[0].origin_m), ([2e-4; 2], [2e-4, 2e-4, 0.2]));
        assert_eq!((panels[0].fast, panels[0].slow), ([0.0, -1.0, 0.0], [1.0, 0.0, 0.0]));
        assert_eq!((panels[1].pixels, panels[1].pixel_m), ([10, 5], [1e-4; 2]));
        let [x, y, z] = panels[1].origin_m;
        assert!((x - 1e-3).abs() < 1e-18 && (y + 4e-4).abs() < 1e-18 && (z - 0.35).abs() < 1e-15);
        // A distance that comes after all panels is that of all.
        let late = read(&format!("res = 10000\n{PANEL}clen = 0.25")).unwrap();
        assert_eq!(late.geometry.panels[0].origin_m[2], 0.25);
        let own =
            read(&format!("res = 10000\n{PANEL}p0/clen = 70 mm\nclen = 0.25\np0/coffset = 0.001")).unwrap();
        assert!((own.geometry.panels[0].origin_m[2] - 0.071).abs() < 1e-16);
    }

    #[test]
    fn steps_are_vectors() {
        for (text, expected) in [
            ("+1.0x", [1.0, 0.0, 0.0]),
            ("-0.5x +0.25y -1e-3z", [-0.5, 0.25, -1e-3]),
            ("x-y", [1.0, -1.0, 0.0]),
            ("- 0.1 y", [0.0, -0.1, 0.0]),
            ("2*z", [0.0, 0.0, 2.0]),
            ("1e2x+1e+2x", [200.0, 0.0, 0.0]),
        ] {
            assert_eq!(direction(text), Ok(expected), "{text}");
        }
        for text in ["1.0", "1.0x 2", "ax", "nanx", "1e999x", "--1x"] {
            assert!(direction(text).is_err(), "{text}");
        }
        let oblong = with("p0/fs = 2x\np0/ss = 0.5y +0.5z\np0/pixel_pitch = 1").geometry.panels[0].clone();
        assert_eq!(oblong.fast, [1.0, 0.0, 0.0]);
        assert!(
            (oblong.pixel_m[0] - 2e-4).abs() < 1e-19
                && (oblong.pixel_m[1] - 0.5_f64.sqrt() * 1e-4).abs() < 1e-19
        );
        let pitch = read(&format!("clen = 1\npixel_pitch = 75e-6\n{PANEL}")).unwrap();
        assert_eq!(pitch.geometry.panels[0].pixel_m, [75e-6; 2]);
    }

    #[test]
    fn wavelengths_and_their_units() {
        let near = |found: Option<f64>, expected: f64| {
            assert!((found.unwrap() - expected).abs() < 1e-12, "{found:?}")
        };
        near(lambda("wavelength = 1.5 A"), 1.5);
        near(lambda("wavelength = 1.5e-10 m"), 1.5);
        near(lambda("wavelength = 1.5e-10"), 1.5);
        near(lambda("photon_energy = 12398.419843320026"), 1.0);
        near(lambda("photon_energy = 12.398419843320026 keV"), 1.0);
        near(lambda("photon_energy = 12398.419843320026eV ; close"), 1.0);
        let both = with("wavelength = 1 A\nphoton_energy = 6199.209921660013");
        near(both.geometry.beam.lambda_m.map(|lambda_m| lambda_m * 1e10), 2.0);
        assert!(both.warnings[0].contains("the later one"), "{:?}", both.warnings);
        near(lambda("photon_energy = 5000\nwavelength = 1 A"), 1.0);
        let elsewhere = with("photon_energy = /LCLS/photon_energy_eV eV");
        assert_eq!(elsewhere.geometry.beam.lambda_m, None);
        assert_eq!(
            elsewhere.warnings,
            ["The wavelength is not known: it is in the images, at \"/LCLS/photon_energy_eV eV\"."]
        );
        assert_eq!(with("").geometry.beam.lambda_m, None);
    }

    #[test]
    fn a_detector_is_shifted_as_a_whole() {
        let file = with("detector_shift_x = 1 mm\ndetector_shift_y = -2e-3\n");
        let [x, y, z] = file.geometry.panels[0].origin_m;
        assert!((x - 5e-4).abs() < 1e-18 && (y + 1.8e-3).abs() < 1e-18 && z == 0.1, "{x} {y} {z}");
        let file = with("detector_shift_x = /data/shift mm\n");
        assert_eq!(
            file.warnings,
            ["detector_shift_x is not applied: it is in the images, at \"/data/shift mm\"."]
        );
    }

    #[test]
    fn flags_limit_valid_values() {
        let panel = with("p0/flag_lessthan = -5\np0/flag_morethan = 1e4\np0/flag_equal = 7").geometry.panels
            [0]
        .clone();
        assert_eq!(panel.valid, [Some(-5.0), Some(1e4)]);
    }

    /// The bad pixels of the panel of 10 x 5, by (fast, slow).
    fn bad(text: &str) -> Vec<(usize, usize)> {
        let mask = with(text).bad_pixels(0).unwrap().unwrap();
        mask.iter().enumerate().filter(|(_, bad)| **bad).map(|(at, _)| (at % 10, at / 10)).collect()
    }

    #[test]
    fn bad_regions_become_masks() {
        assert_eq!(with("").bad_pixels(0).unwrap(), None);
        assert_eq!(bad("p0/no_index = 1").len(), 50);
        assert_eq!(with("p0/no_index = 0").bad_pixels(0).unwrap(), None);
        assert_eq!(bad("p0/mask_edge_pixels = 1").len(), 50 - 8 * 3);
        assert_eq!(bad("p0/mask_edge_pixels = 9").len(), 50);
        let data = "badA/min_fs = 8\nbadA/max_fs = 9\nbadA/min_ss = 4\nbadA/max_ss = 4\n";
        assert_eq!(bad(&format!("{data}badA/panel = p0")), [(8, 4), (9, 4)]);
        assert_eq!(bad(data), [(8, 4), (9, 4)]);
        // In a panel that does not begin the block.
        let moved = "p0/min_fs = 100\np0/max_fs = 109\nbadA/panel = p0\nbadA/min_fs = 108\nbadA/max_fs = 120\n\
                     badA/min_ss = 0\nbadA/max_ss = 0\n";
        assert_eq!(bad(moved), [(8, 0), (9, 0)]);
        assert_eq!(
            with(moved).warnings,
            [
                "Bad regions that are not within their panels: 1, \"badA\" first; their pixels there are left out."
            ]
        );
        let before = "p0/min_fs = 100\np0/max_fs = 109\nbadA/panel = p0\nbadA/min_fs = 8\nbadA/max_fs = 20\n\
                      badA/min_ss = 0\nbadA/max_ss = 0\n";
        assert_eq!((with(before).bad, with(before).warnings.len()), (Vec::new(), 1));
        // Corners at x = -5 ... 4 and y = 2 ... -2, in pixels.
        let laboratory = "badB/min_x = -3.5\nbadB/max_x = -2\nbadB/min_y = -0.5\nbadB/max_y = 1.5\n";
        assert_eq!(bad(laboratory), [(2, 1), (3, 1), (2, 2), (3, 2)]);
        // A second panel of larger pixels, with corners at x = 0, 2, 4 of its own.
        let second = "res = 5000\np1/min_fs = 0\np1/max_fs = 2\np1/min_ss = 0\np1/max_ss = 0\np1/corner_x = 0\n\
                      p1/corner_y = 0\np1/fs = 2x\np1/ss = y\nbadB/min_x = 2\nbadB/max_x = 3\nbadB/min_y = 0\n\
                      badB/max_y = 0\n";
        assert_eq!(with(second).bad_pixels(1).unwrap().unwrap(), [false, true, false]);
        assert_eq!(bad(second), [(7, 2), (8, 2)]);
    }

    #[test]
    fn the_rest_is_handed_on() {
        let text = "data = /data/%/image\ndim0 = %\np0/dim1 = 3\nadu_per_eV = 1e-4\ngroup_all = p0\n\
                    rigid_group_q0 = p0\nmask0_file = no/such/mask.h5\nmask_file = no/such/mask.h5\nmask0_goodbits = 0x0\n\
                    strange = 1\np0/odd = 2\nnot a key\n";
        let file = with(text);
        let held: Vec<String> =
            file.held.iter().map(|held| format!("{}={}", held.name, held.value)).collect();
        assert_eq!(held[..3], ["data=/data/%/image", "dim0=%", "p0/dim1=3"]);
        assert!(held.contains(&"group_all=p0".to_owned()) && held.contains(&"rigid_group_q0=p0".to_owned()));
        assert_eq!(
            file.warnings,
            ["The mask \"no/such/mask.h5\" is not there.", "Keys that are not known: \"strange\", \"odd\"."]
        );
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("mask.h5"), b"").unwrap();
        let text = format!("clen = 1\nres = 1\n{PANEL}p0/mask1_file = mask.h5\n");
        let file = parse(&text, &folder.path().join("a.geom")).unwrap();
        assert_eq!(file.warnings, ["The mask \"mask.h5\" is not applied: masks of HDF5 files are not read."]);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, expected) in [
            ("p0/max_fs = -1", "11: \"max_fs\": -1 is not the number of a pixel"),
            ("p0/max_fs = 1.5", "11: \"max_fs\": 1.5 is not the number of a pixel"),
            ("p0/min_ss = 7", "6: \"max_ss\": 4 is before min_ss, which is 7"),
            ("p0/fs = 0x", "11: \"fs\": a step of no length"),
            ("p0/ss = 5x", "11: \"ss\": it is parallel to fs"),
            ("p0/fs = 5", "11: \"fs\": \"5\" is not a vector such as +1.0x -0.5y"),
            ("p0/corner_x = nan", "11: \"corner_x\": \"nan\" is not a finite number"),
            ("p0/res = 0", "11: \"res\": \"0\" is not positive"),
            ("p0/res = -2", "11: \"res\": \"-2\" is not positive"),
            ("p0/clen = 3 cm", "11: \"clen\": the unit \"cm\" is not known"),
            ("p0/clen = ", "11: \"clen\": no value"),
            (
                "p0/clen = /LCLS/z",
                "11: \"clen\": the distance is in the images, at \"/LCLS/z\": write it here, as in clen = 0.1 m",
            ),
            ("wavelength = 0 A", "11: \"wavelength\": \"0 A\" gives no wavelength"),
            ("photon_energy = -1", "11: \"photon_energy\": \"-1\" gives no wavelength"),
            ("photon_energy = 1 MeV", "11: \"photon_energy\": the unit \"MeV\" is not known"),
            ("p0/mask_edge_pixels = x", "11: \"mask_edge_pixels\": \"x\" is not a number"),
            ("p1/fs = x", " panel \"p1\" has no min_fs"),
            ("badA/min_fs = 3", " bad region \"badA\" has no max_fs"),
            ("badA/panel = p0", " bad region \"badA\" has neither fs, ss nor x, y"),
            ("badA/min_x = 0\nbadA/min_fs = 0", " bad region \"badA\" has both fs, ss and x, y"),
            (
                "badA/min_fs = 0\nbadA/max_fs = 0\nbadA/min_ss = 0\nbadA/max_ss = 0\nbadA/panel = q",
                "15: \"panel\": no panel \"q\"",
            ),
        ] {
            assert_eq!(refusal(text), format!("a.geom:{expected}"), "{text}");
        }
        assert_eq!(read("clen = 1").unwrap_err(), "a.geom: it has no panels");
        assert_eq!(
            read(&format!("res = 1\n{PANEL}")).unwrap_err(),
            "a.geom: no clen, the distance of the detector"
        );
        assert_eq!(read(&format!("clen = 1\n{PANEL}")).unwrap_err(), "a.geom: panel \"p0\" has no res");
    }

    proptest! {
        #[test]
        fn no_text_panics(
            names in prop::collection::vec("(p0/|p1/|bad/|group/|)", 20),
            keys in prop::collection::vec("(m(in|ax)_(fs|ss|x)|fs|ss|res|clen|corner_x|panel|mask0_file|[a-z_]{1,4})", 20),
            values in prop::collection::vec(" ?=? ?([-+0-9.e]{0,8}[xyzmA]{0,2}|.{0,6})", 0..20),
        ) {
            let lines = names.iter().zip(&keys).zip(&values);
            let lines: Vec<_> = lines.map(|((name, key), value)| format!("{name}{key}{value}")).collect();
            let _ = read(&lines.join("\n"));
            let _ = read(&format!("clen = 0.1\nres = 10000\n{PANEL}{}", lines.join("\n")));
        }
    }
}
