//! Images from a device, such as a GPU.
//!
//! A device renders the rows of a panel into memory of its own. The processor then completes them: it renders the few pixels that
//! only it can, with the bits that the device has for all others, and adds background, other lattices and noise as to its own
//! rows.

use std::sync::Arc;

use widebragg::lanes::Simd;
use widebragg::scene::Scene;
use widebragg_devices::device::{Device, NodeOwner};
use widebragg_devices::drivers::Fault;
use widebragg_formats::memory::zeroed;

use crate::experiment::Experiment;
use crate::failure::{Failure, Part};

/// The pixels of a panel that a device has rendered.
pub(crate) struct OfDevice {
    /// Those of all rows.
    pub(crate) pixels: Vec<f32>,
    /// Interpolations that fell back to the nearest node.
    pub(crate) fallbacks: u64,
}

impl Experiment {
    /// The same experiment, whose images a device renders. The SIMD level becomes the one with the same bits.
    ///
    /// # Errors
    /// This processor has no such level, or the experiment leaves out dim steps, for which devices have no formula.
    pub fn on_device(self, device: Arc<Device>) -> Result<Self, Failure> {
        let refuse = |what: String| Failure::Device(Fault { device: device.identity().option.clone(), what });
        if self.neglected_photons > 0.0 {
            return Err(refuse("cannot leave out dim steps".to_owned()));
        }
        let Some(simd) = Simd::exactly(device.level()) else {
            let level = device.level();
            return Err(refuse(format!("its bits are those of {level}, which this processor does not have")));
        };
        Ok(Self { simd, device: Some(device), ..self })
    }
}

/// What the experiment's device renders of a scene; `None` where there is none, and where it is optional and has failed.
pub(crate) fn render(experiment: &Experiment, scene: &Scene<'_>) -> Result<Option<OfDevice>, Failure> {
    let Some(device) = experiment.device.as_deref() else { return Ok(None) };
    let count = scene.panel().pixels();
    let no_memory = || Failure::no_memory(Part::Scene, format!("{count} pixels of a device"));
    let mut pixels = zeroed::<f32>(count).ok_or_else(no_memory)?;
    let owner = experiment.structure_factors.clone().map(|factors| -> NodeOwner { factors });
    match device.render(scene, owner, &mut pixels) {
        Ok(rendered) => Ok(Some(OfDevice { pixels, fallbacks: rendered.fallbacks })),
        Err(_) if device.is_optional() => Ok(None),
        Err(fault) => Err(Failure::Device(fault)),
    }
}
