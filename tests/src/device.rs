//! A device for tests: the interpreter in the place of a driver, with faults to choose.

use core::fmt;

use widebragg::structure_factor::Nodes;
use widebragg_devices::drivers::{Driver, Fault, Identity, Pixels, SLOTS};
use widebragg_devices::interpreted::{Interpreted, InterpretedPixel};
use widebragg_devices::interpreter::Rounding;
use widebragg_devices::tables::{Band, SceneTables};

/// What is wrong with a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Defect {
    /// Nothing.
    #[default]
    None,
    /// It rounds in the other way than it says.
    OtherRounding,
    /// The last bit of some pixels is wrong.
    Miscompiles,
    /// It has no memory for nodes.
    NoMemory,
    /// It is lost after this many bands.
    LostAfter(usize),
}

/// A device that interprets the formulas.
#[derive(Debug)]
pub struct InterpretingDriver {
    identity: Identity,
    rounding: Rounding,
    defect: Defect,
    nodes: Vec<f64>,
    tables: Option<SceneTables>,
    slots: [Vec<InterpretedPixel>; SLOTS],
    bands: usize,
}

impl InterpretingDriver {
    /// A device that says that it rounds like this.
    #[must_use]
    pub fn new(rounding: Rounding, defect: Defect) -> Self {
        let identity = Identity {
            option: "test:0".to_owned(),
            name: "interpreter".to_owned(),
            driver: "none".to_owned(),
            is_gpu: false,
            f64_slowdown: None,
        };
        let slots = [const { Vec::new() }; SLOTS];
        Self { identity, rounding, defect, nodes: Vec::new(), tables: None, slots, bands: 0 }
    }

    fn fault(&self, what: impl fmt::Display) -> Fault {
        Fault { device: self.identity.option.clone(), what: what.to_string() }
    }
}

impl Driver for InterpretingDriver {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn rounding(&self) -> Rounding {
        self.rounding
    }

    fn load_nodes(&mut self, nodes: Nodes<'_>) -> Result<(), Fault> {
        if self.defect == Defect::NoMemory {
            return Err(self.fault("no memory for nodes"));
        }
        self.nodes = (0..nodes.count()).filter_map(|i| nodes.get(i)).collect();
        Ok(())
    }

    fn load_tables(&mut self, tables: &SceneTables) -> Result<(), Fault> {
        self.tables = Some(tables.clone());
        Ok(())
    }

    fn start(&mut self, slot: usize, band: &Band) -> Result<(), Fault> {
        self.bands += 1;
        if matches!(self.defect, Defect::LostAfter(bands) if self.bands > bands) {
            return Err(self.fault("the device is lost"));
        }
        let rounds = match (self.rounding, self.defect) {
            (Rounding::Fused, Defect::OtherRounding) => Rounding::Separate,
            (Rounding::Separate, Defect::OtherRounding) => Rounding::Fused,
            (rounding, _) => rounding,
        };
        let mut interpreted = Interpreted::new(band.formula, rounds);
        let tables = self.tables.as_ref().ok_or_else(|| self.fault("no tables"))?;
        let columns = band.columns.len();
        let nodes = Nodes::F64(&self.nodes);
        let pixel = |i: usize| interpreted.pixel(tables, band, nodes, [i / columns, i % columns]);
        self.slots[slot] = (0..band.pixels()).map(pixel).collect();
        if self.defect == Defect::Miscompiles {
            let every_fifth = self.slots[slot].iter_mut().step_by(5);
            every_fifth.for_each(|pixel| pixel.photons = pixel.photons.next_up());
        }
        Ok(())
    }

    fn finish(&mut self, slot: usize, pixels: Pixels<'_>, fallbacks: &mut [u32]) -> Result<(), Fault> {
        let rendered = &self.slots[slot];
        match pixels {
            Pixels::Wide(pixels) => pixels.iter_mut().zip(rendered).for_each(|(to, from)| *to = from.photons),
            Pixels::Narrow(pixels) => {
                pixels.iter_mut().zip(rendered).for_each(|(to, from)| *to = from.photons as f32);
            }
        }
        fallbacks.iter_mut().zip(rendered).for_each(|(to, from)| *to = from.fallbacks);
        Ok(())
    }
}
