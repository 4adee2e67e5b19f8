//! The output of nanoBragg with `-printout` or `-printout_pixel`, as a trace.
//!
//! A block of lines for each pixel, which begins with `FAST SLOW : stol =`, among the other output of the run:
//!
//! ```text
//!    3    1 : stol = 1.45727e+08 or 0.0145727
//! at 0.1 0.0025 -0.0005
//! hkl= -0.042473 2.498938 -0.499788  hkl0= 0 2 0
//!  F_cell=100  F_latt=4.65019   I = 216243
//! I/steps     216242.7002
//! polar      0.9995753609
//! omega   9.987263533e-05
//! capfrac               1
//! pixel       21.58...
//! real-space cell vectors (Angstrom):
//! X: 100.00000000 -0.00000000  0.00000000          (a, b, c; and Y, Z)
//! ```
//!
//! | printed | tap | digits |
//! |---|---|---|
//! | `DIRECTION_OF_DETECTOR_X-AXIS`, `_Y-AXIS` of the run | `fdet_vec`, `sdet_vec` | 6 |
//! | `at` | `pixel_pos_meters` | 6 |
//! | X, Y, Z | `rot_a_angstroms`, `rot_b_angstroms`, `rot_c_angstroms` | 8 decimals |
//! | `hkl=`, `hkl0=` | `hkl_frac` (6 decimals), `hkl_rounded` | |
//! | `F_latt`, `F_cell` | `F_latt`, `F_cell` | 6 |
//! | `I/steps` times the steps of the run, or `I` | `I_before_scaling` | 10 of `I/steps`, or 6 |
//! | `incident fluence` of the run | `fluence_photons_per_m2` | 6 |
//! | the steps of the run | `steps` | all |
//! | `capfrac`, `polar`, `omega`, `pixel` | `capture_fraction`, `polar`, `omega_pixel`, `floatimage_accumulated` | 10 |
//!
//! The lines `at` to `F_latt` and the vectors are those of the last step of a pixel, while the taps of other
//! traces are those of the first. The lines before the pixels say how many layers, subpixels, sources, phi
//! steps and domains there are. With more than one step, h, k, l, F_latt and F_cell are values of the last
//! step, and a tap is left out unless it is the same in all steps. Without these lines there is one step if
//! I equals I/steps, and else the values of the step are left out. stol is not read: it follows from the
//! position.
//! Special cases: lines that are missing from a block give no taps; of the last block all are required, since
//! the file would be cut off.

use super::Fault;
use super::data::{Step, StepIndex, StepValue, Tap, Trace, TracedPixel};
use super::digits::Digits;
use crate::memory::push;

/// `%g`.
const G: Digits = Digits::Significant(6);

/// `%15.10g`.
const G10: Digits = Digits::Significant(10);

/// `%f`.
const F: Digits = Digits::Decimals(6);

/// `%11.8f`.
const F8: Digits = Digits::Decimals(8);

/// Reads the blocks of a log, line by line.
#[derive(Debug, Default)]
pub(super) struct Reader {
    run: Run,
    block: Option<Block>,
    pixels: Vec<TracedPixel>,
    /// Number of pixels whose values of a step were left out, since the steps are not known.
    without_steps: usize,
}

/// What the lines before the pixels say.
#[derive(Debug, Default)]
struct Run {
    layers: Option<usize>,
    subpixels: Option<usize>,
    sources: Option<usize>,
    phi_steps: Option<usize>,
    domains: Option<usize>,
    fast: Option<[f64; 3]>,
    slow: Option<[f64; 3]>,
    fluence_per_m2: Option<f64>,
}

/// The numbers of the loops of a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Loops {
    layers: usize,
    subpixels: usize,
    sources: usize,
    phi_steps: usize,
    domains: usize,
}

/// The lines of a pixel.
#[derive(Debug, Default)]
struct Block {
    /// Row and column.
    position: [usize; 2],
    at_m: Option<[f64; 3]>,
    hkl: Option<[f64; 3]>,
    hkl_rounded: Option<[f64; 3]>,
    f_cell: Option<f64>,
    f_latt: Option<f64>,
    intensity: Option<f64>,
    per_step: Option<f64>,
    polarization: Option<f64>,
    omega_sr: Option<f64>,
    capture: Option<f64>,
    pixel: Option<f64>,
    /// Components of a, b and c along X, Y and Z.
    axes_angstrom: [Option<[f64; 3]>; 3],
}

/// The numbers in the first words of a text.
fn numbers<const N: usize>(text: &str) -> Option<[f64; N]> {
    let mut found = [0.0; N];
    let mut words = text.split_whitespace();
    for number in &mut found {
        *number = words.next()?.parse().ok()?;
    }
    Some(found)
}

/// The number after `key`.
fn after(line: &str, key: &str) -> Option<f64> {
    let (_, rest) = line.split_once(key)?;
    numbers(rest).map(|[number]| number)
}

impl Reader {
    /// Takes a line; returns whether it belongs to a block.
    pub(super) fn take(&mut self, line: &str) -> Result<bool, Fault> {
        let line = line.trim();
        if let Some(position) = position(line) {
            self.end_block()?;
            self.block = Some(Block { position, ..Block::default() });
            return Ok(true);
        }
        match &mut self.block {
            Some(block) => Ok(block.take(line)),
            None => {
                self.run.take(line);
                Ok(false)
            }
        }
    }

    fn end_block(&mut self) -> Result<(), Fault> {
        let Some(block) = self.block.take() else { return Ok(()) };
        let loops = self.run.loops().or_else(|| block.single_step());
        self.without_steps += usize::from(loops.is_none());
        push(&mut self.pixels, block.traced(&self.run, loops)).ok_or_else(Fault::memory)
    }

    /// All pixels.
    ///
    /// # Errors
    /// The last block is not complete.
    pub(super) fn finish(mut self) -> Result<Trace, Fault> {
        if let Some(block) = self.block.as_ref().filter(|block| !block.is_complete()) {
            let [slow, fast] = block.position;
            return Err(Fault::Content(format!("cut off in the -printout of pixel fast {fast} slow {slow}")));
        }
        self.end_block()?;
        let mut notes = Vec::new();
        if self.without_steps > 0 {
            let plural = if self.without_steps == 1 { "" } else { "s" };
            notes.push(format!(
                "the log does not say how many steps there are: {} pixel{plural} without the values of steps",
                self.without_steps
            ));
        }
        Ok(Trace { pixels: self.pixels, notes })
    }
}

/// Row and column of a line that begins a block.
fn position(line: &str) -> Option<[usize; 2]> {
    let mut words = line.split_whitespace();
    let (fast, slow) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    (words.next()? == ":" && words.next()? == "stol").then_some([slow, fast])
}

impl Run {
    fn take(&mut self, line: &str) {
        let mut words = line.split_whitespace();
        let count = words.next().unwrap_or_default();
        let of: [&str; 3] = core::array::from_fn(|_| words.next().unwrap_or_default());
        let found = match of {
            ["sources", ..] => &mut self.sources,
            ["mosaic", "domains", _] => &mut self.domains,
            ["phi", "steps", _] => &mut self.phi_steps,
            ["pixel", "oversample", "steps"] => &mut self.subpixels,
            _ => return self.take_words(line),
        };
        let count = count.split('x').next().unwrap_or_default();
        *found = count.parse().ok().filter(|&count| count > 0).or(*found);
    }

    fn take_words(&mut self, line: &str) {
        if let Some(direction) = line.strip_prefix("DIRECTION_OF_DETECTOR_X-AXIS=") {
            self.fast = numbers(direction);
        } else if let Some(direction) = line.strip_prefix("DIRECTION_OF_DETECTOR_Y-AXIS=") {
            self.slow = numbers(direction);
        } else if let Some(fluence) = line.strip_prefix("incident fluence:") {
            self.fluence_per_m2 = numbers(fluence).map(|[fluence]| fluence);
        } else if line.starts_with("sensor is")
            && let Some((_, layers)) = line.split_once("thick in")
        {
            let layers = layers.split_whitespace().next().unwrap_or_default();
            self.layers = layers.parse().ok().filter(|&layers| layers > 0);
        }
    }

    fn loops(&self) -> Option<Loops> {
        Some(Loops {
            layers: self.layers?,
            subpixels: self.subpixels?,
            sources: self.sources?,
            phi_steps: self.phi_steps?,
            domains: self.domains?,
        })
    }
}

impl Loops {
    const ONE: Self = Self { layers: 1, subpixels: 1, sources: 1, phi_steps: 1, domains: 1 };

    fn last(self) -> StepIndex {
        StepIndex {
            layer: self.layers - 1,
            subpixel_slow: self.subpixels - 1,
            subpixel_fast: self.subpixels - 1,
            source: self.sources - 1,
            phi_tic: self.phi_steps - 1,
            domain: self.domains - 1,
        }
    }

    /// What nanoBragg divides the sum by.
    fn steps(self) -> f64 {
        let factors = [self.subpixels, self.subpixels, self.sources, self.phi_steps, self.domains];
        factors.iter().map(|&count| count as f64).product()
    }
}

impl Block {
    fn take(&mut self, line: &str) -> bool {
        let vector = |row: &mut Option<[f64; 3]>, rest: &str| {
            *row = numbers(rest);
            row.is_some()
        };
        if let Some(rest) = line.strip_prefix("at ") {
            return vector(&mut self.at_m, rest);
        }
        if let Some((hkl, rounded)) = line.strip_prefix("hkl=").and_then(|rest| rest.split_once("hkl0=")) {
            (self.hkl, self.hkl_rounded) = (numbers(hkl), numbers(rounded));
            return true;
        }
        for (name, row) in ["X:", "Y:", "Z:"].into_iter().zip(&mut self.axes_angstrom) {
            // The reciprocal vectors, which have the same names, may follow the last pixel.
            if let Some(rest) = line.strip_prefix(name).filter(|_| row.is_none()) {
                return vector(row, rest);
            }
        }
        if line.starts_with("F_cell=") {
            self.f_cell = after(line, "F_cell=");
            self.f_latt = after(line, "F_latt=");
            self.intensity = after(line, " I =");
            return true;
        }
        let quantity = match line.split_whitespace().next() {
            Some("I/steps") => &mut self.per_step,
            Some("polar") => &mut self.polarization,
            Some("omega") => &mut self.omega_sr,
            Some("capfrac") => &mut self.capture,
            Some("pixel") => &mut self.pixel,
            _ => return false,
        };
        *quantity = line.split_whitespace().nth(1).and_then(|word| word.parse().ok());
        true
    }

    /// Whether it has the first and the last lines of a block, and those between them that a trace needs.
    fn is_complete(&self) -> bool {
        self.pixel.is_some() && self.axes_angstrom.iter().all(Option::is_some)
    }

    /// One step, if the sum is the sum over one step.
    fn single_step(&self) -> Option<Loops> {
        let (sum, per_step) = (self.intensity?, self.per_step?);
        ((sum - per_step).abs() <= G.half_unit(sum) + G10.half_unit(per_step)).then_some(Loops::ONE)
    }

    /// The pixel of a trace; `loops` is `None` where its steps are not known.
    fn traced(self, run: &Run, loops: Option<Loops>) -> TracedPixel {
        let mut taps = Vec::new();
        let mut put = |name: &str, values: Option<&[f64]>, digits: Digits| {
            if let Some(values) = values {
                taps.push(Tap { name: name.to_owned(), values: values.to_vec(), digits });
            }
        };
        let is_one = loops == Some(Loops::ONE);
        let place_is_one = loops.is_some_and(|loops| loops.layers == 1 && loops.subpixels == 1);
        let orientation_is_one = loops.is_some_and(|loops| loops.phi_steps == 1 && loops.domains == 1);
        put("fdet_vec", run.fast.as_ref().map(<[_; 3]>::as_slice), G);
        put("sdet_vec", run.slow.as_ref().map(<[_; 3]>::as_slice), G);
        put("pixel_pos_meters", self.at_m.as_ref().filter(|_| place_is_one).map(<[_; 3]>::as_slice), G);
        if let [Some(x), Some(y), Some(z)] = self.axes_angstrom
            && orientation_is_one
        {
            for (axis, name) in ["rot_a_angstroms", "rot_b_angstroms", "rot_c_angstroms"].iter().enumerate() {
                put(name, Some(&[x[axis], y[axis], z[axis]]), F8);
            }
        }
        if is_one {
            put("hkl_frac", self.hkl.as_ref().map(<[_; 3]>::as_slice), F);
            put("hkl_rounded", self.hkl_rounded.as_ref().map(<[_; 3]>::as_slice), Digits::All);
            put("F_latt", self.f_latt.as_ref().map(core::slice::from_ref), G);
            put("F_cell", self.f_cell.as_ref().map(core::slice::from_ref), G);
        }
        let steps = loops.map(Loops::steps);
        match (self.per_step, steps) {
            (Some(per_step), Some(steps)) => {
                let digits = Digits::Within(G10.half_unit(per_step) * steps);
                put("I_before_scaling", Some(&[per_step * steps]), digits);
            }
            _ => put("I_before_scaling", self.intensity.as_ref().map(core::slice::from_ref), G),
        }
        for (name, value, digits) in [
            ("fluence_photons_per_m2", run.fluence_per_m2, G),
            ("steps", steps, Digits::All),
            ("capture_fraction", self.capture, G10),
            ("polar", self.polarization, G10),
            ("omega_pixel", self.omega_sr, G10),
            ("floatimage_accumulated", self.pixel, G10),
        ] {
            put(name, value.as_ref().map(core::slice::from_ref), digits);
        }
        let step = loops.filter(|_| !is_one).map(|loops| self.last_step(loops));
        TracedPixel { position: Some(self.position), taps, steps: step.into_iter().collect() }
    }

    fn last_step(&self, loops: Loops) -> Step {
        let [h, k, l] = self.hkl.map_or([None; 3], |hkl| hkl.map(Some));
        let values = [
            ("h_frac", h, F),
            ("k_frac", k, F),
            ("l_frac", l, F),
            ("F_latt", self.f_latt, G),
            ("F_cell", self.f_cell, G),
        ];
        let values = values.into_iter().filter_map(|(name, value, digits)| {
            Some(StepValue { name: name.to_owned(), value: value?, digits })
        });
        Step { at: loops.last(), values: values.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &str = "   3    1 : stol = 1.45727e+08 or 0.0145727
at 0.1 0.0025 -0.0005
hkl= -0.042473 2.498938 -0.499788  hkl0= 0 2 0
 F_cell=100  F_latt=-4.5   I = 20
I/steps               2
polar               0.5
omega             1e-05
capfrac             0.9
pixel              0.25
real-space cell vectors (Angstrom):
     a           b           c
X:  1.00000000  2.00000000  3.00000000
Y:  4.00000000  5.00000000  6.00000000
Z:  7.00000000  8.00000000  9.00000000
";

    fn read(text: &str) -> Result<Trace, String> {
        let mut reader = Reader::default();
        for line in text.lines() {
            reader.take(line).unwrap();
        }
        reader.finish().map_err(|fault| match fault {
            Fault::Content(what) => what,
            Fault::Input(error) => panic!("{error}"),
        })
    }

    fn names(pixel: &TracedPixel) -> Vec<&str> {
        pixel.taps.iter().map(|tap| tap.name.as_str()).collect()
    }

    #[test]
    fn steps_are_told_by_the_lines_before_the_pixels() {
        let run = "  DIRECTION_OF_DETECTOR_X-AXIS= 0 0 1\nX: 9 9 9\n  sensor is 0 m thick in 1 layers with mu= -1\n  1 sources\n  \
                   6 mosaic domains over mosaic spread of 1 degrees\n  2 phi steps from 0 to 1 degrees\n  1x1 pixel oversample steps\n";
        let trace = read(&format!("{run}{}", BLOCK.replace("I = 20", "I = 24"))).unwrap();
        assert!(trace.notes.is_empty());
        let [pixel] = &trace.pixels[..] else { panic!("{trace:?}") };
        assert_eq!(pixel.position, Some([1, 3]));
        let expected =
            ["fdet_vec", "pixel_pos_meters", "I_before_scaling", "steps", "capture_fraction", "polar"];
        assert_eq!(names(pixel), [&expected[..], &["omega_pixel", "floatimage_accumulated"]].concat());
        assert_eq!(pixel.taps[2].values, [24.0]);
        // Half a unit of the tenth digit of 2, times the steps: more than that of 24.
        let within = pixel.taps[2].digits.half_unit(24.0);
        assert!((within / (12.0 * 5e-10) - 1.0).abs() < 1e-5, "{within}");
        let [step] = &pixel.steps[..] else { panic!("{pixel:?}") };
        assert_eq!(step.at, StepIndex { phi_tic: 1, domain: 5, ..StepIndex::default() });
        let values: Vec<(&str, f64)> = step.values.iter().map(|v| (v.name.as_str(), v.value)).collect();
        let hkl = [("h_frac", -0.042473), ("k_frac", 2.498938), ("l_frac", -0.499788)];
        assert_eq!(values, [&hkl[..], &[("F_latt", -4.5), ("F_cell", 100.0)]].concat());
    }

    #[test]
    fn without_these_lines_only_a_single_step_is_known() {
        let trace = read(BLOCK).unwrap();
        assert_eq!(names(&trace.pixels[0])[0], "I_before_scaling");
        assert!(trace.pixels[0].steps.is_empty() && trace.notes[0].contains("1 pixel without"));
        let trace = read(&BLOCK.replace("I = 20", "I = 2")).unwrap();
        assert!(trace.pixels[0].steps.is_empty() && trace.notes.is_empty());
        assert_eq!(trace.pixels[0].taps[1].name, "rot_a_angstroms");
        assert_eq!(trace.pixels[0].taps[1].values, [1.0, 4.0, 7.0]);
        assert!(names(&trace.pixels[0]).contains(&"hkl_rounded"));
    }

    #[test]
    fn a_log_that_is_cut_off_is_refused() {
        let lines: Vec<&str> = BLOCK.lines().collect();
        for count in 1..lines.len() {
            let cut = format!("{BLOCK}{}\n", lines[..count].join("\n"));
            assert_eq!(read(&cut).unwrap_err(), "cut off in the -printout of pixel fast 3 slow 1", "{cut}");
        }
        assert_eq!(read(&format!("{BLOCK}{BLOCK}max_I = 3\n")).unwrap().pixels.len(), 2);
    }
}
