//! A device that renders scenes, after a test of its own.

use core::any::Any;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use widebragg::formulas::StepFormula;
use widebragg::lanes::SimdLevel;
use widebragg::scene::Scene;
use widebragg::structure_factor::Nodes;

use crate::choice::{Choice, Kind, level_of};
#[cfg(feature = "vulkan")]
use crate::drivers::vulkan;
use crate::drivers::{Driver, Fault, Identity, Pixels, SLOTS, cuda, opencl};
use crate::interpreter::Rounding;
use crate::self_test;
use crate::tables::{Band, PixelType, SceneTables, nodes_of};

/// Steps that a device takes at a time: a fraction of a second on a GPU, so that the system's watch over the screen stays
/// calm.
const STEPS_AT_A_TIME: f64 = 2e10;

/// Pixels that a device renders at a time, at most: enough to occupy it, and few enough that most of a frame is copied while
/// the rest is rendered.
const PIXELS_AT_A_TIME: usize = 1 << 20;

/// The owner of the nodes of structure factors, as long as a device may be asked for the same ones again.
pub type NodeOwner = Arc<dyn Any + Send + Sync>;

/// A device.
///
/// It renders one scene at a time: calls from several threads wait for each other.
#[derive(Debug)]
pub struct Device {
    identity: Identity,
    rounding: Rounding,
    state: Mutex<State>,
    /// Whether the processor goes on where the device fails.
    is_optional: bool,
    failed: OnceLock<Fault>,
}

#[derive(Debug)]
struct State {
    driver: Box<dyn Driver>,
    /// The formulas that have passed the test.
    tested: HashSet<StepFormula>,
    /// The owner of the nodes that the device holds.
    nodes: Option<NodeOwner>,
    /// Pixels of a band, at most.
    pixels_at_a_time: usize,
}

/// What a device has rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rendered {
    /// Interpolations of selected pixels that fell back to the nearest node.
    pub fallbacks: u64,
}

impl Device {
    /// The device of a choice; `None` for the processor, with the reason where a device was asked for and is optional.
    ///
    /// # Errors
    /// The device that was asked for cannot be used.
    pub fn open(choice: Choice) -> Result<(Option<Self>, Option<Fault>), Fault> {
        match choice {
            Choice::Cpu => Ok((None, None)),
            Choice::Device(kind, index) => Ok((Some(Self::new(open(kind, index)?, false)), None)),
            Choice::Auto => match first_gpu() {
                Ok(driver) => Ok((Some(Self::new(driver, true)), None)),
                Err(fault) => Ok((None, Some(fault))),
            },
        }
    }

    /// A device by its driver. Where it `is_optional`, the processor goes on when it fails.
    #[must_use]
    pub fn new(driver: Box<dyn Driver>, is_optional: bool) -> Self {
        Self {
            identity: driver.identity().clone(),
            rounding: driver.rounding(),
            state: Mutex::new(State {
                driver,
                tested: HashSet::new(),
                nodes: None,
                pixels_at_a_time: PIXELS_AT_A_TIME,
            }),
            is_optional,
            failed: OnceLock::new(),
        }
    }

    /// The same device, which renders at most so many pixels at a time, and at least a row.
    #[must_use]
    pub fn in_bands_of(self, pixels: usize) -> Self {
        self.state().pixels_at_a_time = pixels;
        self
    }

    /// What it is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The SIMD level that has its bits.
    #[must_use]
    pub fn level(&self) -> SimdLevel {
        level_of(self.rounding)
    }

    /// How it rounds products and sums.
    #[must_use]
    pub fn rounding(&self) -> Rounding {
        self.rounding
    }

    /// Whether the processor goes on where the device fails.
    #[must_use]
    pub fn is_optional(&self) -> bool {
        self.is_optional
    }

    /// Why the device does not render any more.
    #[must_use]
    pub fn failed(&self) -> Option<&Fault> {
        self.failed.get()
    }

    /// The formulas that the device has been tested with.
    #[must_use]
    pub fn tested(&self) -> Vec<StepFormula> {
        let mut tested: Vec<_> = self.state().tested.iter().copied().collect();
        tested.sort_by_key(|formula| (formula.lattice.name(), formula.lookup.name()));
        tested
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A driver has no state that a panic could leave half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tests the device with a formula, whether or not it has passed the test before.
    ///
    /// # Errors
    /// The device fails, or it fails its test.
    pub fn test(&self, formula: StepFormula) -> Result<(), Fault> {
        self.state().test(formula)
    }

    /// Renders the rows of a scene that have a formula into `pixels`, those of all rows, and leaves the others as they are.
    /// [`Scene::complete_rows`] does the rest. `owner` is that of the scene's nodes.
    ///
    /// The first scene with a formula is rendered after a test of the device with that formula.
    ///
    /// # Errors
    /// The formulas do not cover the scene, the device fails, or it fails its test.
    pub fn render(
        &self,
        scene: &Scene<'_>,
        owner: Option<NodeOwner>,
        pixels: &mut [f32],
    ) -> Result<Rendered, Fault> {
        if let Some(fault) = self.failed() {
            return Err(fault.clone());
        }
        let rendered = self.state().render(scene, owner, pixels);
        rendered.inspect_err(|fault| drop(self.failed.set(fault.clone())))
    }
}

impl State {
    fn render(
        &mut self,
        scene: &Scene<'_>,
        owner: Option<NodeOwner>,
        pixels: &mut [f32],
    ) -> Result<Rendered, Fault> {
        let Some(tables) = SceneTables::new(scene) else {
            return Err(Fault::new(&self.driver.identity().option, "has no formula for this scene"));
        };
        for formula in scene.row_formulas().filter_map(|part| part.formula) {
            if !self.tested.contains(&formula) {
                self.test(formula)?;
            }
        }
        self.load_nodes(nodes_of(scene), owner)?;
        self.driver.load_tables(&tables)?;
        let mut rendered = Rendered { fallbacks: 0 };
        let mut in_flight: Option<(usize, Band)> = None;
        for (index, band) in bands(scene, &tables, self.pixels_at_a_time).enumerate() {
            let slot = index % SLOTS;
            self.driver.start(slot, &band)?;
            if let Some((slot, band)) = in_flight.replace((slot, band)) {
                rendered.fallbacks += self.finish(scene, slot, &band, pixels)?;
            }
        }
        if let Some((slot, band)) = in_flight {
            rendered.fallbacks += self.finish(scene, slot, &band, pixels)?;
        }
        Ok(rendered)
    }

    fn test(&mut self, formula: StepFormula) -> Result<(), Fault> {
        // The test leaves its own nodes behind.
        self.nodes = None;
        self_test::run(&mut *self.driver, formula)?;
        self.tested.insert(formula);
        Ok(())
    }

    fn load_nodes(&mut self, nodes: Nodes<'_>, owner: Option<NodeOwner>) -> Result<(), Fault> {
        let address = |owner: &NodeOwner| Arc::as_ptr(owner).cast::<()>();
        let is_held = match (&self.nodes, &owner) {
            (Some(held), Some(owner)) => address(held) == address(owner),
            _ => false,
        };
        if !is_held {
            self.nodes = None;
            self.driver.load_nodes(nodes)?;
            self.nodes = owner;
        }
        Ok(())
    }

    /// Copies a band into the pixels of all rows; returns its fallbacks.
    fn finish(
        &mut self,
        scene: &Scene<'_>,
        slot: usize,
        band: &Band,
        pixels: &mut [f32],
    ) -> Result<u64, Fault> {
        let columns = scene.panel().fast_pixels;
        let mut fallbacks = vec![0; if band.counts_fallbacks() { band.pixels() } else { 0 }];
        let rows = band.rows.start * columns..band.rows.end * columns;
        if band.columns.len() == columns {
            self.driver.finish(slot, Pixels::Narrow(&mut pixels[rows]), &mut fallbacks)?;
        } else {
            let mut of_band = vec![0.0; band.pixels()];
            self.driver.finish(slot, Pixels::Narrow(&mut of_band), &mut fallbacks)?;
            let narrow = of_band.chunks_exact(band.columns.len());
            for (row, from) in pixels[rows].chunks_exact_mut(columns).zip(narrow) {
                row[band.columns.clone()].copy_from_slice(from);
            }
        }
        let place = |i: usize| {
            (band.rows.start + i / band.columns.len(), band.columns.start + i % band.columns.len())
        };
        let selected = fallbacks.iter().enumerate().filter(|&(i, &count)| {
            let (slow, fast) = place(i);
            count > 0 && scene.is_selected(slow, fast)
        });
        Ok(selected.map(|(_, &count)| u64::from(count)).sum())
    }
}

/// The rows of the region of interest that have a formula, some at a time.
fn bands<'s>(
    scene: &'s Scene<'_>,
    tables: &'s SceneTables,
    pixels_at_a_time: usize,
) -> impl Iterator<Item = Band> + 's {
    let roi = scene.parts().roi;
    let selected = roi.slow_min..roi.slow_max + 1;
    let columns = roi.fast_max + 1 - roi.fast_min;
    let by_steps = STEPS_AT_A_TIME / (tables.steps_per_pixel() * columns as f64);
    let height = (by_steps as usize).min(pixels_at_a_time / columns).max(1);
    scene.row_formulas().filter_map(|part| Some((part.rows, part.formula?))).flat_map(
        move |(rows, formula)| {
            let rows = rows.start.max(selected.start)..rows.end.min(selected.end);
            let end = rows.end;
            rows.step_by(height).map(move |first| {
                let rows = first..(first + height).min(end);
                Band::new(scene, tables, formula, rows, PixelType::Narrow)
            })
        },
    )
}

/// The devices of a kind.
///
/// # Errors
/// There is no driver, or no device.
pub fn devices(kind: Kind) -> Result<Vec<Identity>, Fault> {
    match kind {
        Kind::OpenCl => opencl::devices(),
        Kind::Cuda => cuda::devices(),
        #[cfg(feature = "vulkan")]
        Kind::Vulkan => vulkan::devices(),
        #[cfg(not(feature = "vulkan"))]
        Kind::Vulkan => Err(not_built(kind)),
    }
}

fn open(kind: Kind, index: usize) -> Result<Box<dyn Driver>, Fault> {
    match kind {
        Kind::OpenCl => opencl::open(index),
        Kind::Cuda => cuda::open(index),
        #[cfg(feature = "vulkan")]
        Kind::Vulkan => vulkan::open(index),
        #[cfg(not(feature = "vulkan"))]
        Kind::Vulkan => Err(not_built(kind)),
    }
}

#[cfg(not(feature = "vulkan"))]
fn not_built(kind: Kind) -> Fault {
    Fault::new(kind.name(), format!("this program was built without it (cargo feature {})", kind.name()))
}

/// The first GPU by CUDA or OpenCL. An OpenCL device that is the processor itself is slower than the processor's own loops.
fn first_gpu() -> Result<Box<dyn Driver>, Fault> {
    let mut faults = Vec::new();
    for kind in [Kind::Cuda, Kind::OpenCl] {
        let found = devices(kind).and_then(|found| {
            let gpu = found.iter().position(|identity| identity.is_gpu);
            open(kind, gpu.ok_or_else(|| Fault::new(kind.name(), "no GPU"))?)
        });
        match found {
            Ok(driver) => return Ok(driver),
            Err(fault) => faults.push(fault.to_string()),
        }
    }
    Err(Fault::new("no device", faults.join("; ")))
}
